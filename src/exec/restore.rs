//! Puts hits into the target directory so that cargo finds them fresh.
//!
//! Times follow cargo's rules (`check_filesystem`): no output of a dependency
//! may be newer than one's own, dep-info and a build script's stdout may not
//! be older than the inputs they stand for. Two times satisfy all of them. The
//! *stored time*, constant and long ago, is for units that only rest on others
//! with the same time; their libraries can be hard links. Everything else gets
//! the *stamp* of this run, a time sampled before any input was read, so that
//! an edit made meanwhile stays visible.

use std::collections::BTreeSet;

use camino::{Utf8Path, Utf8PathBuf};
use filetime::FileTime;
use fs_err as fs;
use rayon::prelude::*;

use super::doubt::drop_doubtful;
use crate::cache::blobs::STORED_TIME;
use crate::cache::record::{Packed, StoredFile, Variant, decode_pack};
use crate::cache::system::{patiently, set_time};
use crate::cache::tree::{self, Below, Way, inside};
use crate::cache::{CacheError, Store};
use crate::event::{Event, Phase, Sink};
use crate::fault;
use crate::plan::inputs::{Stamp, nanos};
use crate::plan::lookup::Decision;
use crate::plan::state::{SeenFile, UnitState, Uplifted};
use crate::plan::{Dirs, Plan, PlanUnit};
use crate::unit::{Role, Verdict};

/// When the files of a unit are to be dated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Timing {
    /// Nothing about this unit changes.
    Left,
    /// Its outputs, and what cargo compares them with, get the stamp.
    Stamped,
    /// Only its dep-info gets the stamp: an input was touched.
    DepInfo,
    /// It is restored with the stored time.
    Stored,
}

/// A file system time `ago` before now: the stamp of a run.
pub fn stamp_before_now(ago: std::time::Duration) -> FileTime {
    FileTime::from_system_time(std::time::SystemTime::now() - ago)
}

/// Nanoseconds since 1970.
pub fn file_nanos(time: FileTime) -> i64 {
    time.unix_seconds()
        .saturating_mul(1_000_000_000)
        .saturating_add(i64::from(time.nanoseconds()))
}

/// Restores all hits and sets right what was touched. `units` is updated to
/// what is in place afterwards. Returns for each unit whether its uplifted
/// files are unknown to us, so that cargo has to put them there.
///
/// # Errors
/// When a file cannot be written or a blob turns out to be damaged. The target
/// directory is then left without the fingerprints of the units concerned, so
/// that cargo builds them.
pub fn restore(
    plan: &Plan,
    decisions: &[Decision],
    units: &mut [Option<UnitState>],
    store: &Store,
    stamp: FileTime,
    sink: &dyn Sink,
) -> Result<Vec<bool>, CacheError> {
    let timings = timings(plan, decisions, units, is_empty_target(plan));
    let hits = decisions.iter().filter(|d| d.verdict == Verdict::Hit);
    let total: usize = hits
        .map(|d| d.variant.as_ref().map_or(0, |v| v.files.len()))
        .sum();
    sink.event(Event::Begin(Phase::Restore, total as u64));
    drop_outdated(plan, decisions, units)?;
    drop_doubtful(plan, decisions, units)?;
    let below = Below::new(&plan.dirs.build);
    let done: Result<Vec<(usize, Option<UnitState>, bool)>, CacheError> =
        largest_first(decisions, &timings)
            .into_par_iter()
            .map(|at| {
                let (unit, decision, timing) = (&plan.units[at], &decisions[at], &timings[at]);
                let (state, unknown) = match (&decision.variant, &units[at]) {
                    (Some(variant), _) => {
                        let time = match timing {
                            Timing::Stored => FileTime::from_unix_time(STORED_TIME, 0),
                            _ => stamp,
                        };
                        one(&plan.dirs, &below, unit, variant, store, time, sink)?
                    }
                    (None, Some(before)) if decision.verdict == Verdict::InPlace => {
                        let unknown = unit.is_uplifted() && before.uplifted.is_empty();
                        (renew(&plan.dirs, unit, before, *timing, stamp)?, unknown)
                    }
                    _ => return Ok((at, None, false)),
                };
                Ok((at, Some(uplift(&plan.dirs, unit, state)?), unknown))
            })
            .collect();
    let mut unknown = vec![false; units.len()];
    for (at, state, missing) in done? {
        units[at] = state;
        unknown[at] = missing;
    }
    Ok(unknown)
}

/// All units, those first whose files have most bytes to be copied: a program
/// at the end would be copied by one core while the others have nothing to do.
fn largest_first(decisions: &[Decision], timings: &[Timing]) -> Vec<usize> {
    let bytes = |&at: &usize| -> u64 {
        match (&decisions[at].variant, timings[at]) {
            (Some(variant), Timing::Stamped) => variant.files.iter().map(|f| f.blob.size).sum(),
            _ => 0,
        }
    };
    let mut order: Vec<usize> = (0..decisions.len()).collect();
    order.sort_by_cached_key(|at| std::cmp::Reverse(bytes(at)));
    order
}

/// Whether the profile directories hold no unit at all: only then nothing can
/// be there that was built against other bytes and that an old time would
/// deceive cargo about.
pub fn is_empty_target(plan: &Plan) -> bool {
    let is_empty =
        |dir: &Utf8Path| fs::read_dir(dir).map_or(true, |mut entries| entries.next().is_none());
    plan.profile_dirs.iter().all(|profile| {
        let dir = plan.dirs.build.join(profile);
        is_empty(&dir.join(".fingerprint")) && is_empty(&dir.join("build"))
    })
}

fn timings(
    plan: &Plan,
    decisions: &[Decision],
    units: &[Option<UnitState>],
    empty_target: bool,
) -> Vec<Timing> {
    let mut timings: Vec<Timing> = Vec::with_capacity(plan.units.len());
    for (at, unit) in plan.units.iter().enumerate() {
        let decision = &decisions[at];
        let newer_dep = unit.deps.iter().any(|&dep| timings[dep] == Timing::Stamped);
        timings.push(match &decision.verdict {
            Verdict::Miss(_) => Timing::Left,
            Verdict::InPlace if newer_dep || decision.behind => Timing::Stamped,
            // A build script's stdout is its output and its dep-info at once.
            Verdict::InPlace if decision.touched && unit.is_run() => Timing::Stamped,
            Verdict::InPlace if decision.touched => Timing::DepInfo,
            Verdict::InPlace => Timing::Left,
            Verdict::Hit => {
                let old = |&dep: &usize| match timings[dep] {
                    Timing::Stored => true,
                    Timing::Left => units[dep].as_ref().is_some_and(UnitState::is_old),
                    Timing::Stamped | Timing::DepInfo => false,
                };
                let variant = decision.variant.as_ref();
                let watched = unit.is_run() && variant.is_none_or(|v| !v.inputs.is_empty());
                let can_be_old = empty_target
                    && unit.linkable
                    && !unit.is_uplifted()
                    && !watched
                    && unit.deps.iter().all(old);
                if can_be_old {
                    Timing::Stored
                } else {
                    Timing::Stamped
                }
            }
        });
    }
    timings
}

/// Makes cargo build units that look fresh to it but were built from something
/// else, and with them everything above. Without its fingerprint cargo builds
/// the unit alone; it is a missing file among those whose times it compares
/// that makes the units above stale too (`check_filesystem`).
fn drop_outdated(
    plan: &Plan,
    decisions: &[Decision],
    units: &[Option<UnitState>],
) -> Result<(), CacheError> {
    for ((decision, state), unit) in decisions.iter().zip(units).zip(&plan.units) {
        let (true, Some(state)) = (decision.outdated, state) else {
            continue;
        };
        let compared = match unit.is_run() {
            true => Role::Text,
            false => Role::DepInfo,
        };
        for file in &state.files {
            if file.role == Role::Fingerprint || file.role == compared {
                tree::remove(&plan.dirs.build.join(&file.path))?;
            }
        }
    }
    Ok(())
}

/// Restores one unit whole, its fingerprint last.
fn one(
    dirs: &Dirs,
    below: &Below<'_>,
    unit: &PlanUnit,
    variant: &Variant,
    store: &Store,
    time: FileTime,
    sink: &dyn Sink,
) -> Result<(UnitState, bool), CacheError> {
    let build = &dirs.build;
    let Some(pack) = decode_pack(&store.blobs().read(&variant.pack)?) else {
        // Whole, but not one of ours: without it the variant is a miss.
        store.blobs().discard(&variant.pack);
        return Err(CacheError::Damaged(format!("the record of {}", unit.title)));
    };
    if let Some(file) = pack.files.iter().find(|f| f.role == Role::Fingerprint) {
        let path = inside(build, &file.path)?;
        tree::remove(&path)?;
        // Diagnostics that an earlier build left: this variant may have none.
        if let (Some(dir), Some(name)) = (path.parent(), path.file_name()) {
            tree::remove(&dir.join(format!("output-{name}")))?;
        }
    }
    fault::point("restore: fingerprint removed");
    clear_out_dir(dirs, &pack, unit)?;
    fault::point("restore: directory cleared");
    for dir in &pack.directories {
        below.dir(dir)?;
    }

    let mut seen = Vec::with_capacity(variant.files.len() + pack.files.len());
    let mut placed: Vec<(&StoredFile, Utf8PathBuf)> = Vec::new();
    let stored = time.unix_seconds() == STORED_TIME;
    for file in &variant.files {
        let to = below.file(&file.path)?;
        let twin = placed
            .iter()
            .find(|(other, _)| other.blob == file.blob && other.executable == file.executable);
        if let Some((_, twin)) = twin {
            // cargo links these two as well (`build-script-build`).
            tree::link_or_copy(twin, &to, file.executable)?;
        } else {
            let names = names_in_tree(dirs, variant, &pack, file);
            put(store, unit, file, (&to, &names), time, stored)?;
            placed.push((file, to.clone()));
        }
        seen.push(see(dirs, &file.path, file.role)?);
        fault::point("restore: file placed");
        sink.event(Event::Step(Phase::Restore));
    }
    let stamp_of_record = if stored {
        stamp_of_records(unit, variant)
    } else {
        time
    };
    for file in &pack.files {
        let to = below.file(&file.path)?;
        match file.role {
            Role::Text => tree::write(&to, &dirs.root_text(&file.content), time)?,
            Role::DepInfo => tree::write(&to, &file.content, stamp_of_record)?,
            // Its time means nothing to cargo, and tells us one restored unit
            // from another one of the same size.
            Role::Fingerprint => tree::write(&to, &file.content, FileTime::now())?,
            _ => tree::write(&to, &file.content, time)?,
        }
        seen.push(see(dirs, &file.path, file.role)?);
    }
    let unknown = unit.is_uplifted() && pack.uplifted.is_none();
    Ok((unit_state(dirs, variant, pack, seen), unknown))
}

/// Under which names a file may be in the tree: its own, those of its twins,
/// and where it is uplifted to.
fn names_in_tree(
    dirs: &Dirs,
    variant: &Variant,
    pack: &Packed,
    file: &StoredFile,
) -> BTreeSet<Utf8PathBuf> {
    let own = variant.files.iter().filter(|own| own.blob == file.blob);
    let own: Vec<&String> = own.map(|own| &own.path).collect();
    let lifted = pack.uplifted.iter().flatten();
    let lifted = lifted.filter(|lifted| lifted.from.as_ref().is_some_and(|f| own.contains(&f)));
    let lifted = lifted.map(|lifted| dirs.target.join(&lifted.path));
    let below = own.iter().map(|path| dirs.build.join(path));
    below.chain(lifted).collect()
}

/// Puts one large file into the tree by the cheapest way that is safe.
fn put(
    store: &Store,
    unit: &PlanUnit,
    file: &StoredFile,
    (to, names): (&Utf8Path, &BTreeSet<Utf8PathBuf>),
    time: FileTime,
    stored: bool,
) -> Result<(), CacheError> {
    let blobs = store.blobs();
    if may_share(unit, file.role, &file.path) {
        if stored && is_as_executable(store, file) {
            let from = blobs.aged(&file.blob)?;
            return Ok(tree::place(&from, to, Way::Link, time, file.executable)?);
        }
        if is_as_executable(store, file) && blobs.lend(&file.blob, to, names, time)? {
            return Ok(());
        }
    }
    let from = blobs.verified(&file.blob)?;
    Ok(tree::place(&from, to, Way::Copy, time, file.executable)?)
}

/// Whether a file may share its inode with the store: only if whatever makes it
/// anew replaces it. rustc renames an rlib into place; an executable that is
/// uplifted is removed by cargo before it is linked again (cargo: `rustc`,
/// rust-lang/cargo#8348); a macro of the registry is not made anew in
/// place. The rmeta of an incremental unit shares an inode with rustc's own
/// incremental directory and stays out of this.
pub fn may_share(unit: &PlanUnit, role: Role, path: &str) -> bool {
    let kind = unit.graph.target.kind.first().map(String::as_str);
    match role {
        Role::Library => unit.linkable || path.ends_with(".rlib"),
        // A program that runs from one tree could be removed from no other one.
        Role::Output if cfg!(windows) => false,
        Role::Output if unit.graph.mode == "build" => match kind {
            Some("bin" | "custom-build" | "example") => true,
            // A linker that writes into what is there (mold) would reach the
            // store; a package from the registry is not linked again there.
            Some("proc-macro") => unit.external,
            _ => false,
        },
        Role::Output => false,
        Role::Text | Role::Record | Role::DepInfo | Role::Fingerprint => false,
    }
}

/// Whether the content file can be executed exactly if the output has to be.
fn is_as_executable(store: &Store, file: &StoredFile) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let path = store.blobs().path(&file.blob);
        let meta = path.and_then(|path| fs::metadata(path).ok());
        meta.is_some_and(|meta| (meta.permissions().mode() & 0o111 != 0) == file.executable)
    }
    #[cfg(not(unix))]
    {
        let _ = (store, file);
        true
    }
}

/// The time of the dep-info of a unit that otherwise has the stored time. Only
/// files outside of the registry are compared with it.
fn stamp_of_records(unit: &PlanUnit, variant: &Variant) -> FileTime {
    if unit.external && variant.inputs.is_empty() {
        FileTime::from_unix_time(STORED_TIME, 0)
    } else {
        // Inputs that matched have been there before this process began.
        stamp_before_now(std::time::Duration::from_millis(super::session::SETTLE_MS))
    }
}

/// Removes what an earlier run of the build script left in its `OUT_DIR`.
fn clear_out_dir(dirs: &Dirs, pack: &Packed, unit: &PlanUnit) -> Result<(), CacheError> {
    if !unit.is_run() {
        return Ok(());
    }
    if let Some(script) = script_of(dirs, pack) {
        let out_dir = Utf8Path::new(&script.out_dir);
        let Ok(path) = out_dir.strip_prefix(&dirs.build) else {
            return Ok(());
        };
        if out_dir.file_name() != Some("out") {
            return Ok(());
        }
        let out_dir = inside(&dirs.build, &path.as_str().replace('\\', "/"))?;
        if fs::symlink_metadata(&out_dir).is_ok_and(|found| found.is_dir()) {
            patiently(|| fs::remove_dir_all(&out_dir))?;
        } else {
            tree::remove(&out_dir)?;
        }
        fs::create_dir_all(out_dir)?;
    }
    Ok(())
}

fn see(dirs: &Dirs, path: &str, role: Role) -> Result<SeenFile, CacheError> {
    let stamp = Stamp::of(&dirs.build.join(path))?;
    Ok(SeenFile {
        path: path.to_owned(),
        role,
        size: stamp.size,
        modified: stamp.modified,
        inode: stamp.inode,
    })
}

fn script_of(dirs: &Dirs, pack: &Packed) -> Option<crate::cargo::messages::Script> {
    let rooted = dirs.root_text(pack.script.as_ref()?);
    serde_json::from_slice(&rooted).ok()
}

/// What is in place after a unit was restored or captured.
pub fn unit_state(dirs: &Dirs, variant: &Variant, pack: Packed, files: Vec<SeenFile>) -> UnitState {
    let script = script_of(dirs, &pack);
    let mut diagnostics = String::new();
    let mut script_messages = Vec::new();
    for file in &pack.files {
        let name = Utf8Path::new(&file.path).file_name().unwrap_or_default();
        match file.role {
            Role::Record if name.starts_with("output-") => {
                diagnostics = String::from_utf8_lossy(&file.content).into_owned();
            }
            Role::Text if script.is_some() && (name == "output" || name == "stdout") => {
                let text = dirs.root_text(&file.content);
                script_messages = crate::cargo::script::parse(&text).messages;
            }
            _ => {}
        }
    }
    let uplifted: Vec<Uplifted> = pack
        .uplifted
        .into_iter()
        .flatten()
        .filter_map(|file| {
            Some(Uplifted {
                path: inside(&dirs.target, &file.path).ok()?,
                from: file.from,
                text: dirs.root_text(&file.text),
                size: 0,
                modified: 0,
            })
        })
        .collect();
    UnitState {
        output: variant.output,
        deps: variant.deps.clone(),
        build_ms: variant.build_ms,
        unknown_inputs: variant.unknown_inputs.is_some(),
        inputs: variant
            .inputs
            .iter()
            .map(|input| (dirs.absolute(&input.path), input.kind, input.digest))
            .collect(),
        env: variant.env.clone(),
        files,
        uplifted,
        executable: variant.executable,
        filenames: variant.filenames.clone(),
        script,
        script_messages,
        diagnostics,
    }
}

/// Sets the times of a unit in place as its timing asks for.
fn renew(
    dirs: &Dirs,
    unit: &PlanUnit,
    before: &UnitState,
    timing: Timing,
    stamp: FileTime,
) -> Result<UnitState, CacheError> {
    let mut state = before.clone();
    for file in &mut state.files {
        let concerned = match timing {
            Timing::Left | Timing::Stored => false,
            Timing::DepInfo => file.role == Role::DepInfo,
            Timing::Stamped => match file.role {
                Role::Library | Role::Output => !unit.is_run(),
                Role::DepInfo => true,
                Role::Text => unit.is_run(),
                Role::Record | Role::Fingerprint => false,
            },
        };
        if !concerned {
            continue;
        }
        let path = dirs.build.join(&file.path);
        if may_share(unit, file.role, &file.path) {
            // Its inode may be the store's and other trees': their time stays.
            let bytes = fs::read(&path)?;
            let executable = fs::metadata(&path)?.permissions();
            tree::write(&path, &bytes, stamp)?;
            fs::set_permissions(&path, executable)?;
            set_time(&path, stamp)?;
        } else {
            set_time(&path, stamp)?;
        }
        fault::point("restore: dated anew");
        let now = Stamp::of(&path)?;
        file.modified = now.modified;
        file.inode = now.inode;
    }
    Ok(state)
}

/// Puts a unit's uplifted files where cargo puts them, where they are not.
fn uplift(dirs: &Dirs, unit: &PlanUnit, mut state: UnitState) -> Result<UnitState, CacheError> {
    if !unit.is_uplifted() {
        return Ok(state);
    }
    for file in &mut state.uplifted {
        let source = file.from.as_ref().map(|from| dirs.build.join(from));
        let right = match &source {
            // A link of the unit's own file has its time and size.
            Some(source) => {
                let (ours, theirs) = (Stamp::of(source)?, Stamp::of(&file.path));
                theirs.is_ok_and(|theirs| {
                    theirs.size == ours.size
                        && theirs.modified == ours.modified
                        && theirs.inode == ours.inode
                        && (ours.inode != 0 || file.is_in_place())
                })
            }
            None => file.is_in_place() || fs::read(&file.path).is_ok_and(|text| text == file.text),
        };
        if !right {
            if let Some(parent) = file.path.parent() {
                fs::create_dir_all(parent)?;
            }
            match source {
                Some(source) => {
                    tree::link_or_copy(&source, &file.path, state.executable)?;
                }
                None => {
                    let now = FileTime::from_system_time(std::time::SystemTime::now());
                    tree::write(&file.path, &file.text, now)?;
                }
            }
        }
        fault::point("restore: uplifted");
        let stamp = Stamp::of(&file.path)?;
        file.size = stamp.size;
        file.modified = stamp.modified;
    }
    Ok(state)
}

/// Marks a directory as a cache, as cargo does when it creates one.
///
/// # Errors
/// When the directory or the tag cannot be created.
pub fn create_target_dir(dir: &Utf8Path) -> std::io::Result<()> {
    if dir.is_dir() {
        return Ok(());
    }
    fs::create_dir_all(dir)?;
    let tag = "Signature: 8a477f597d28d172789f06886806bc55\n\
        # This file is a cache directory tag created by cargo.\n\
        # For information about cache directory tags see https://bford.info/cachedir/\n";
    fs::write(dir.join("CACHEDIR.TAG"), tag)
}

/// The newest modification time among inputs of units that will get the stamp.
pub fn newest_input(plan: &Plan, decisions: &[Decision], units: &[Option<UnitState>]) -> i64 {
    let of = |path: &Utf8Path| {
        fs::metadata(path)
            .and_then(|meta| meta.modified())
            .map_or(i64::MIN, nanos)
    };
    let per_unit = |(decision, state): (&Decision, &Option<UnitState>)| {
        let restored = decision.variant.iter().flat_map(|v| &v.inputs);
        let restored = restored.map(|input| of(&plan.dirs.absolute(&input.path)));
        let touched = state.iter().filter(|_| decision.touched);
        let touched = touched.flat_map(|s| &s.inputs).map(|(path, ..)| of(path));
        restored.chain(touched).max().unwrap_or(i64::MIN)
    };
    decisions
        .iter()
        .zip(units)
        .map(per_unit)
        .max()
        .unwrap_or(i64::MIN)
}
