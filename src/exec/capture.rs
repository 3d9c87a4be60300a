//! Records what cargo built.
//!
//! Everything is read while cargo's locks are held. A unit is recorded whole
//! or not at all, and only if it is certain what it was built from: an input
//! that was changed after the compiler started, a dep-info file that cannot be
//! read, or a dependency that was not recorded leave it out, with the reason.

use std::collections::BTreeSet;

use camino::Utf8Path;
use filetime::FileTime;
use fs_err as fs;
use rayon::prelude::*;

use super::leftovers;
use super::macros::Macros;
use super::outputs::Outputs;
use super::restore::{may_share, unit_state};
use super::run::Built;
use crate::cache::blobs::STORED_TIME;
use crate::cache::record::{
    Home, Packed, PackedFile, StoredFile, UpliftedFile, Variant, encode_pack,
};
use crate::cache::system::set_time;
use crate::cache::tree::inside;
use crate::cache::{CacheError, Store};
use crate::cargo::layout::{self, Scan};
use crate::event::{Event, Phase, Sink};
use crate::fault;
use crate::plan::inputs::{Memo, Stamp, nanos};
use crate::plan::state::{SeenFile, UnitState};
use crate::plan::{Plan, PlanUnit};
use crate::unit::{Digest, KeyHasher, Role};

/// What a capture works with.
pub struct Capture<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// What cargo said.
    pub built: &'a Built,
    /// cargo went through to the end, so that it has told of every unit.
    pub succeeded: bool,
    /// The store.
    pub store: &'a Store,
    /// Reads what was built, or has read it.
    pub reader: &'a Outputs,
    /// Digests of inputs.
    pub memo: &'a Memo,
    /// Where events go.
    pub sink: &'a dyn Sink,
    /// The target directory held no unit before this build.
    pub fresh_target: bool,
    /// When our cargo was started, in nanoseconds since 1970.
    pub started: i64,
    /// When it ended.
    pub ended: i64,
    /// Which units it built.
    pub built_now: &'a [bool],
    /// When something that keys rest on was last changed; never past if a
    /// wrapper is in use.
    pub surroundings: i64,
}

/// The files of one unit, read and stored.
pub(super) struct Gathered {
    files: Vec<StoredFile>,
    pub(super) packed: Vec<PackedFile>,
    seen: Vec<SeenFile>,
    /// The output in which a program could see where it was built.
    bound_by: Option<String>,
    /// When the compiler or the script was started, nanoseconds since 1970.
    pub(super) started: i64,
    /// When the last output was written.
    ended: i64,
    /// The text of rustc's dep-info, or of the script's stdout.
    pub(super) text: Vec<u8>,
    /// cargo's encoded dep-info.
    pub(super) dep_info: Vec<u8>,
}

#[cfg(test)]
impl Gathered {
    /// Of a unit without outputs, built at that time.
    pub(super) fn of(text: &str, dep_info: Vec<u8>, packed: Vec<PackedFile>, time: i64) -> Self {
        Gathered {
            files: Vec::new(),
            packed,
            seen: Vec::new(),
            bound_by: None,
            started: time,
            ended: time,
            text: text.as_bytes().to_vec(),
            dep_info,
        }
    }
}

/// Why a unit is not recorded.
pub(super) enum Refused {
    /// A reason that concerns this unit alone.
    Unit(String),
    /// The store cannot be written.
    Store(CacheError),
}

impl From<CacheError> for Refused {
    fn from(error: CacheError) -> Refused {
        Refused::Store(error)
    }
}

impl From<std::io::Error> for Refused {
    fn from(error: std::io::Error) -> Refused {
        Refused::Unit(error.to_string())
    }
}

impl Capture<'_> {
    /// Records the units for which `wanted` is set and puts their states into
    /// `units`; `outputs` gains the digests of what was recorded.
    ///
    /// # Errors
    /// When the store cannot be written. What was recorded before stays.
    pub fn units(
        &self,
        wanted: &[bool],
        units: &mut [Option<UnitState>],
        outputs: &mut [Option<Digest>],
    ) -> Result<(), CacheError> {
        let plan = self.plan;
        let dirs = &plan.dirs;
        let mut scan = Scan::new(&dirs.build);
        let mut listed = Vec::new();
        for (at, unit) in plan.units.iter().enumerate() {
            if !wanted[at] || unit.key.is_err() {
                listed.push(None);
                continue;
            }
            if self.succeeded && self.built.places[at].is_none() {
                self.sink.event(Event::NotCaptured {
                    unit: unit.title.clone(),
                    reason: "cargo's messages do not tell where it is".into(),
                });
            }
            listed.push(self.built.places[at].as_ref().map(|place| {
                let files = scan.files(&unit.graph, place);
                files.map_err(|error| error.to_string())
            }));
        }
        let total = listed.iter().flatten().count();
        self.sink.event(Event::Begin(Phase::Capture, total as u64));
        let gathered: Vec<Option<Result<Gathered, Refused>>> = plan
            .units
            .par_iter()
            .zip(listed)
            .enumerate()
            .map_init(Vec::new, |buffer, (at, (unit, files))| {
                let files = files?;
                let result = match files {
                    Ok(files) => self.gather(at, unit, &files, buffer),
                    Err(why) => Err(Refused::Unit(why)),
                };
                self.sink.event(Event::Step(Phase::Capture));
                Some(result)
            })
            .collect();

        let macros = Macros::new(self.plan, self.built, self.store);
        let linked = self.linked_scripts(units);
        let mut new = Vec::new();
        let mut trouble = None;
        for (at, gathered) in gathered.into_iter().enumerate() {
            let unit = &plan.units[at];
            let (Some(gathered), Ok(key)) = (gathered, &unit.key) else {
                continue;
            };
            let recorded = gathered.and_then(|g| self.record(at, g, outputs, &macros, &linked[at]));
            match recorded {
                Ok((variant, pack, mut seen)) => {
                    if self.fresh_target && rests_on_old(unit, &variant, units) {
                        self.age(unit, &mut seen);
                    }
                    outputs[at] = Some(variant.output);
                    units[at] = Some(unit_state(dirs, &variant, pack, seen));
                    new.push((*key, variant));
                }
                Err(Refused::Unit(reason)) => {
                    outputs[at] = None;
                    units[at] = None;
                    self.sink.event(Event::NotCaptured {
                        unit: unit.title.clone(),
                        reason,
                    });
                }
                Err(Refused::Store(error)) => {
                    outputs[at] = None;
                    units[at] = None;
                    trouble = trouble.or(Some(error));
                }
            }
        }
        fault::point("capture: gathered");
        self.store.add(new)?;
        fault::point("capture: recorded");
        trouble.map_or(Ok(()), Err)
    }

    /// Gives the outputs of a unit the stored time. Where the store shares an
    /// inode with the target directory it gets that time as well: from now on
    /// it can be linked to any tree. Only in a target directory that was empty
    /// before this build: elsewhere an older time could hide from cargo that
    /// they are new.
    fn age(&self, unit: &PlanUnit, seen: &mut [SeenFile]) {
        let stored = FileTime::from_unix_time(STORED_TIME, 0);
        for file in seen.iter_mut() {
            let is_output = match file.role {
                Role::Library | Role::Output => true,
                Role::Text => unit.is_run(),
                Role::Record | Role::DepInfo | Role::Fingerprint => false,
            };
            let path = self.plan.dirs.build.join(&file.path);
            fault::point("capture: before ageing");
            if is_output && set_time(&path, stored).is_ok() {
                file.modified = Stamp::of(&path).map_or(0, |stamp| stamp.modified);
            }
        }
    }

    /// The directories in a build script's `OUT_DIR`, below the build directory.
    fn directories(&self, at: usize) -> Vec<String> {
        let build = &self.plan.dirs.build;
        let Some(script) = &self.built.scripts[at] else {
            return Vec::new();
        };
        let entries = walkdir::WalkDir::new(&script.out_dir).sort_by_file_name();
        entries
            .into_iter()
            .flatten()
            .filter(|entry| entry.file_type().is_dir())
            .filter_map(|entry| {
                let path = Utf8Path::from_path(entry.path())?;
                let path = path.strip_prefix(build).ok()?;
                Some(path.as_str().replace('\\', "/"))
            })
            .collect()
    }

    fn gather(
        &self,
        at: usize,
        unit: &PlanUnit,
        files: &[layout::UnitFile],
        buffer: &mut Vec<u8>,
    ) -> Result<Gathered, Refused> {
        let dirs = &self.plan.dirs;
        let place = self.built.places[at]
            .as_ref()
            .ok_or_else(|| Refused::Unit("its place is not known".into()))?;
        let started = Stamp::of(&dirs.build.join(place.started(unit.is_run())))?.modified;
        let mut gathered = Gathered {
            files: Vec::new(),
            packed: Vec::new(),
            seen: Vec::new(),
            bound_by: None,
            started,
            ended: started,
            text: Vec::new(),
            dep_info: Vec::new(),
        };
        let mut has_fingerprint = false;
        for file in files {
            // What could not be restored is not recorded.
            let path = inside(&dirs.build, &file.path)?;
            let meta = fs::metadata(&path)?;
            let stamp = Stamp::of(&path)?;
            let leftover = self.leftover(unit, place, file, &meta)?;
            let role = leftover.as_ref().map_or(file.role, |_| Role::Text);
            gathered.seen.push(SeenFile {
                path: file.path.clone(),
                role,
                size: stamp.size,
                modified: stamp.modified,
                inode: stamp.inode,
            });
            if role.is_packed() {
                if leftover.is_some() {
                    gathered.ended = gathered.ended.max(stamp.modified);
                }
                let bytes = leftover.map_or_else(|| fs::read(&path), Ok)?;
                match role {
                    Role::Fingerprint => has_fingerprint = !bytes.is_empty(),
                    Role::DepInfo => gathered.dep_info = bytes.clone(),
                    Role::Text if is_text_of_unit(&file.path, unit) => {
                        gathered.text = bytes.clone();
                    }
                    _ => {}
                }
                let content = match role {
                    Role::Text => dirs.unroot_text(&bytes),
                    _ => bytes,
                };
                gathered.packed.push(PackedFile {
                    path: file.path.clone(),
                    role,
                    content,
                });
            } else {
                gathered.ended = gathered.ended.max(stamp.modified);
                let output = self.reader.read(&path, &stamp, buffer)?;
                if output.is_bound {
                    gathered.bound_by.get_or_insert(file.path.clone());
                }
                let blobs = self.store.blobs();
                let blob = match may_share(unit, file.role, &file.path) {
                    true => blobs.adopt(&path, output.content)?,
                    false => blobs.store(output.content)?,
                };
                gathered.files.push(StoredFile {
                    path: file.path.clone(),
                    role: file.role,
                    executable: is_executable(&meta),
                    blob,
                });
            }
        }
        if !has_fingerprint {
            return Err(Refused::Unit("cargo left no fingerprint".into()));
        }
        // cargo writes the fingerprint last. What is newer was changed by
        // somebody else (strip, patchelf), and is not what cargo built.
        let of = |role| gathered.seen.iter().find(|f| f.role == role);
        let written = of(Role::Fingerprint).map_or(i64::MIN, |file| file.modified);
        if started > self.ended {
            return Err(Refused::Unit("another cargo built it meanwhile".into()));
        }
        if gathered.ended > written {
            return Err(Refused::Unit(
                "an output was changed after it was built".into(),
            ));
        }
        Ok(gathered)
    }

    /// The content of a file that is a text with directories in it although it
    /// lies in an `OUT_DIR`.
    fn leftover(
        &self,
        unit: &PlanUnit,
        place: &layout::Place,
        file: &layout::UnitFile,
        meta: &std::fs::Metadata,
    ) -> std::io::Result<Option<Vec<u8>>> {
        let may_be = leftovers::may_be(unit, file.role, &file.path);
        if !may_be || meta.len() > leftovers::LARGEST || is_executable(meta) {
            return Ok(None);
        }
        let dirs = &self.plan.dirs;
        let bytes = fs::read(dirs.build.join(&file.path))?;
        let stdout = fs::read(dirs.build.join(place.script_stdout()))?;
        let is_one = leftovers::is_rooted(&bytes, &stdout, dirs);
        Ok(is_one.then_some(bytes))
    }

    fn record(
        &self,
        at: usize,
        gathered: Gathered,
        outputs: &[Option<Digest>],
        macros: &Macros<'_>,
        linked: &BTreeSet<usize>,
    ) -> Result<(Variant, Packed, Vec<SeenFile>), Refused> {
        let plan = self.plan;
        let unit = &plan.units[at];
        let dirs = &plan.dirs;
        let built_now = gathered.started >= self.started;
        let recorded = |dep: usize| {
            let not = || Refused::Unit(format!("{} was not recorded", plan.units[dep].title));
            outputs[dep].ok_or_else(not)
        };
        let mut deps = Vec::with_capacity(unit.deps.len());
        for &dep in &unit.deps {
            if !built_now && self.built_now[dep] {
                let title = &plan.units[dep].title;
                return Err(Refused::Unit(format!("it is older than {title}")));
            }
            deps.push(recorded(dep)?);
        }
        let mut from = if unit.is_run() {
            self.run_inputs(at, &gathered)?
        } else {
            self.compile_inputs(at, &gathered, outputs, macros)?
        };
        for &script in linked.iter().filter(|&&script| script != at) {
            from.passed_on.push(recorded(script)?);
        }
        // What cargo calls fresh may have been built by another compiler or
        // linker, or through another wrapper, which cargo does not look at.
        let unknown = from.unknown.or_else(|| {
            let doubtful = !built_now && gathered.started <= self.surroundings;
            doubtful.then(|| "built before something changed that cargo does not look at".into())
        });
        let named = gathered.bound_by.as_ref();
        let bound = named.map(|path| format!("{path} names it")).or(from.bound);
        let script = self.built.scripts[at].as_ref().map(|script| {
            let json = serde_json::to_vec(script).unwrap_or_default();
            dirs.unroot_text(&json)
        });
        let (filenames, executable, uplifted) = self.uplifted(at, &gathered)?;
        let output = output_digest(unit, &gathered, &from.passed_on);
        let pack = Packed {
            files: gathered.packed,
            directories: self.directories(at),
            script,
            uplifted,
        };
        let built_ns = gathered.ended.saturating_sub(gathered.started).max(0);
        let variant = Variant {
            output,
            home: Home {
                workspace: dirs.workspace.to_string(),
                build: dirs.build.to_string(),
            },
            bound,
            unknown_inputs: unknown,
            inputs: from.inputs,
            env: from.env,
            deps,
            files: gathered.files,
            pack: self.store.blobs().put(&encode_pack(&pack))?,
            filenames,
            executable,
            build_ms: (built_ns / 1_000_000) as u64,
            recorded: (nanos(std::time::SystemTime::now()) / 1_000_000_000).max(0) as u64,
            distrusted: false,
        };
        Ok((variant, pack, gathered.seen))
    }

    /// The files of cargo's message as they are before uplifting, whether the
    /// first is an executable, and what was uplifted.
    #[allow(clippy::type_complexity)]
    fn uplifted(
        &self,
        at: usize,
        gathered: &Gathered,
    ) -> Result<(Vec<String>, bool, Option<Vec<UpliftedFile>>), Refused> {
        let unit = &self.plan.units[at];
        let dirs = &self.plan.dirs;
        let Some(artifact) = &self.built.artifacts[at] else {
            return Ok((Vec::new(), false, None));
        };
        let hash = self.built.places[at]
            .as_ref()
            .map_or("", |p| p.hash.as_str());
        let mut filenames = Vec::new();
        let mut uplifted = Vec::new();
        for shown in &artifact.filenames {
            let shown = Utf8Path::new(shown);
            let own = gathered
                .files
                .iter()
                .find(|f| dirs.build.join(&f.path) == shown);
            if let Some(own) = own {
                filenames.push(own.path.clone());
                continue;
            }
            let name = shown.file_name().unwrap_or_default();
            let from = gathered
                .files
                .iter()
                .find(|file| {
                    let own = Utf8Path::new(&file.path).file_name().unwrap_or_default();
                    own == name || layout::uplifted_name(&unit.graph, own, hash) == name
                })
                .ok_or_else(|| Refused::Unit(format!("{shown} belongs to none of its files")))?;
            filenames.push(from.path.clone());
            let below = |path: &Utf8Path| {
                let path = path.strip_prefix(&dirs.target);
                path.map(|p| p.as_str().replace('\\', "/")).map_err(|_| {
                    Refused::Unit(format!("{shown} is outside of the target directory"))
                })
            };
            uplifted.push(UpliftedFile {
                path: below(shown)?,
                from: Some(from.path.clone()),
                text: Vec::new(),
            });
            let dep_info = shown.with_extension("d");
            if let Ok(text) = fs::read(&dep_info) {
                let path = below(&dep_info)?;
                if !uplifted.iter().any(|file| file.path == path) {
                    uplifted.push(UpliftedFile {
                        path,
                        from: None,
                        text: dirs.unroot_text(&text),
                    });
                }
            }
        }
        let executable = artifact.executable.is_some();
        Ok((
            filenames,
            executable,
            unit.is_uplifted().then_some(uplifted),
        ))
    }
}

/// Whether a unit can have the stored time: cargo compares its outputs with
/// nothing newer.
fn rests_on_old(unit: &PlanUnit, variant: &Variant, units: &[Option<UnitState>]) -> bool {
    let is_old = |&dep: &usize| units[dep].as_ref().is_some_and(UnitState::is_old);
    unit.linkable
        && !unit.is_uplifted()
        && (!unit.is_run() || variant.inputs.is_empty())
        && unit.deps.iter().all(is_old)
}

fn is_text_of_unit(path: &str, unit: &PlanUnit) -> bool {
    match unit.is_run() {
        true => path.ends_with("/output") || path.ends_with("/run/stdout"),
        false => path.ends_with(".d"),
    }
}

#[cfg(unix)]
fn is_executable(meta: &std::fs::Metadata) -> bool {
    std::os::unix::fs::PermissionsExt::mode(&meta.permissions()) & 0o111 != 0
}

#[cfg(not(unix))]
fn is_executable(_: &std::fs::Metadata) -> bool {
    false
}

/// The digest of all that dependents can see: outputs, and what a build script
/// printed, with this build's directories taken out. cargo's fingerprint is
/// among it: those of the units above hold it (cargo: `Fingerprint::deps`), and
/// a build script's differs with variables and times that change no output.
fn output_digest(unit: &PlanUnit, gathered: &Gathered, passed_on: &[Digest]) -> Digest {
    let mut hasher = KeyHasher::new("output");
    for file in &gathered.files {
        hasher.part(&file.path, &file.blob.digest.0);
        hasher.part("executable", &[u8::from(file.executable)]);
    }
    for file in &gathered.packed {
        if unit.is_run() && is_text_of_unit(&file.path, unit) {
            hasher.part("stdout", &file.content);
        }
        if unit.is_run() && leftovers::is_called_so(Utf8Path::new(&file.path)) {
            hasher.part(&file.path, &file.content);
        }
        if file.role == Role::Fingerprint {
            hasher.part("fingerprint", &file.content);
        }
    }
    for digest in passed_on {
        hasher.part("passed on", &digest.0);
    }
    hasher.finish()
}
