//! Records what cargo built.
//!
//! Everything is read while cargo's locks are held. A unit is recorded whole
//! or not at all, and only if it is certain what it was built from: an input
//! that was changed after the compiler started, a dep-info file that cannot be
//! read, or a dependency that was not recorded leave it out, with the reason.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};

use camino::{Utf8Path, Utf8PathBuf};
use filetime::FileTime;
use fs_err as fs;
use rayon::prelude::*;

use super::proof;
use super::restore::{may_share, unit_state};
use super::run::Built;
use super::scan::{Found, Scanner};
use crate::cache::blobs::STORED_TIME;
use crate::cache::record::{
    Home, Input, InputKind, Packed, PackedFile, StoredFile, UpliftedFile, Variant, encode_pack,
};
use crate::cache::{CacheError, Store};
use crate::cargo::depinfo;
use crate::cargo::layout::{self, Scan};
use crate::cargo::script;
use crate::event::{Event, Phase, Sink};
use crate::plan::inputs::{Memo, Stamp, nanos};
use crate::plan::lookup::{env_digest, input_digest};
use crate::plan::state::{SeenFile, UnitState};
use crate::plan::{Dirs, Plan, PlanUnit};
use crate::unit::{Digest, KeyHasher, Role};

/// What a capture works with.
pub struct Capture<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// What cargo said.
    pub built: &'a Built,
    /// The store.
    pub store: &'a Store,
    /// Digests of inputs.
    pub memo: &'a Memo,
    /// Where events go.
    pub sink: &'a dyn Sink,
    /// The target directory held no unit before this build.
    pub fresh_target: bool,
}

/// The files of one unit, read and stored.
struct Gathered {
    files: Vec<StoredFile>,
    packed: Vec<PackedFile>,
    seen: Vec<SeenFile>,
    found: Found,
    /// Where something was found that binds the unit.
    where_found: String,
    /// When the compiler or the script was started, nanoseconds since 1970.
    started: i64,
    /// When the last output was written.
    ended: i64,
    /// The text of rustc's dep-info, or of the script's stdout.
    text: Vec<u8>,
    /// cargo's encoded dep-info.
    dep_info: Vec<u8>,
}

/// Why a unit is not recorded.
enum Refused {
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
            listed.push(self.built.places[at].as_ref().map(|place| {
                let files = scan.files(&unit.graph, place);
                files.map_err(|error| error.to_string())
            }));
        }
        let total = listed.iter().flatten().count();
        self.sink.event(Event::Begin(Phase::Capture, total as u64));
        let dirs_to_find = [dirs.workspace.as_str(), dirs.build.as_str(), dirs.target.as_str()];
        let scanner = Scanner::new(&dirs_to_find);
        let gathered: Vec<Option<Result<Gathered, Refused>>> = plan
            .units
            .par_iter()
            .zip(listed)
            .enumerate()
            .map(|(at, (unit, files))| {
                let files = files?;
                let result = match files {
                    Ok(files) => self.gather(at, unit, &files, &scanner),
                    Err(why) => Err(Refused::Unit(why)),
                };
                self.sink.event(Event::Step(Phase::Capture));
                Some(result)
            })
            .collect();

        let purity = Purity::new(self, &gathered);
        let mut new = Vec::new();
        let mut trouble = None;
        for (at, gathered) in gathered.into_iter().enumerate() {
            let unit = &plan.units[at];
            let (Some(gathered), Ok(key)) = (gathered, &unit.key) else {
                continue;
            };
            let recorded = gathered.and_then(|g| self.record(at, g, outputs, &purity));
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
        self.store.add(new)?;
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
            if is_output && filetime::set_file_mtime(&path, stored).is_ok() {
                file.modified = Stamp::of(&path).map_or(0, |stamp| stamp.modified);
            }
        }
    }

    fn gather(
        &self,
        at: usize,
        unit: &PlanUnit,
        files: &[layout::UnitFile],
        scanner: &Scanner,
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
            found: Found::Nothing,
            where_found: String::new(),
            started,
            ended: started,
            text: Vec::new(),
            dep_info: Vec::new(),
        };
        let mut has_fingerprint = false;
        for file in files {
            let path = dirs.build.join(&file.path);
            let meta = fs::metadata(&path)?;
            let stamp = Stamp::from(&meta);
            let bytes = fs::read(&path)?;
            gathered.seen.push(SeenFile {
                path: file.path.clone(),
                role: file.role,
                size: stamp.size,
                modified: stamp.modified,
            });
            if file.role.is_packed() {
                match file.role {
                    Role::Fingerprint => has_fingerprint = !bytes.is_empty(),
                    Role::DepInfo => gathered.dep_info = bytes.clone(),
                    Role::Text if is_text_of_unit(&file.path, unit) => {
                        gathered.text = bytes.clone();
                    }
                    _ => {}
                }
                let content = match file.role {
                    Role::Text => dirs.unroot_text(&bytes),
                    _ => bytes,
                };
                gathered.packed.push(PackedFile {
                    path: file.path.clone(),
                    role: file.role,
                    content,
                });
            } else {
                gathered.ended = gathered.ended.max(stamp.modified);
                let found = scanner.file(&bytes, &file.path);
                if found > gathered.found {
                    gathered.found = found;
                    gathered.where_found = file.path.clone();
                }
                let blobs = self.store.blobs();
                let blob = match may_share(unit, file.role, &file.path) {
                    true => blobs.adopt(&path, &bytes)?,
                    false => blobs.put(&bytes)?,
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
        if gathered.ended > written {
            return Err(Refused::Unit("an output was changed after it was built".into()));
        }
        Ok(gathered)
    }

    fn record(
        &self,
        at: usize,
        gathered: Gathered,
        outputs: &[Option<Digest>],
        purity: &Purity<'_>,
    ) -> Result<(Variant, Packed, Vec<SeenFile>), Refused> {
        let plan = self.plan;
        let unit = &plan.units[at];
        let dirs = &plan.dirs;
        let mut deps = Vec::with_capacity(unit.deps.len());
        for &dep in &unit.deps {
            deps.push(outputs[dep].ok_or_else(|| {
                Refused::Unit(format!("{} was not recorded", plan.units[dep].title))
            })?);
        }
        let from = if unit.is_run() {
            self.run_inputs(at, &gathered)?
        } else {
            self.compile_inputs(at, &gathered, purity)?
        };
        let bound = match gathered.found {
            Found::Visible => Some(format!("{} names it", gathered.where_found)),
            Found::Nothing | Found::Debug | Found::Metadata => from.bound,
        };
        let script = self.built.scripts[at].as_ref().map(|script| {
            let json = serde_json::to_vec(script).unwrap_or_default();
            dirs.unroot_text(&json)
        });
        let (filenames, executable, uplifted) = self.uplifted(at, &gathered)?;
        let output = output_digest(unit, &gathered);
        let pack = Packed {
            files: gathered.packed,
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

    /// What a compiled unit was built from, by rustc's own account.
    fn compile_inputs(
        &self,
        at: usize,
        gathered: &Gathered,
        purity: &Purity<'_>,
    ) -> Result<Origins, Refused> {
        let unit = &self.plan.units[at];
        let dirs = &self.plan.dirs;
        let unreadable = |what: &str| Refused::Unit(format!("{what} could not be understood"));
        let text = std::str::from_utf8(&gathered.text).map_err(|_| unreadable("dep-info"))?;
        let rustc = depinfo::parse_rustc(text).ok_or_else(|| unreadable("dep-info"))?;
        let cargo = depinfo::parse_cargo(&gathered.dep_info)
            .ok_or_else(|| unreadable("cargo's dep-info"))?;
        let out_dirs = self.out_dirs(at);
        let sources: Vec<Utf8PathBuf> = rustc
            .sources
            .iter()
            .map(|source| unit.compile_dir.join(source))
            .collect();
        let mut from = Origins::default();
        for path in &sources {
            // What a build script wrote is covered by the digest of its run.
            if dirs.is_immutable(path) || out_dirs.iter().any(|dir| path.starts_with(dir)) {
                continue;
            }
            from.add(self.input(unit, path, InputKind::File, gathered.started)?);
        }
        from.add_env(&cargo.env);
        let absolute_inside = |(base, path): &(depinfo::Base, String)| {
            *base == depinfo::Base::Package
                && (Utf8Path::new(path).starts_with(&dirs.workspace)
                    || Utf8Path::new(path).starts_with(&dirs.build))
        };
        let names_dir = |value: &Option<String>| {
            value.as_deref().is_some_and(|value| {
                [&dirs.workspace, &dirs.build, &dirs.target]
                    .iter()
                    .any(|dir| value.contains(dir.as_str()))
            })
        };
        let path_env: Vec<String> = rustc
            .env
            .iter()
            .filter(|(_, value)| names_dir(value))
            .map(|(name, _)| name.clone())
            .collect();
        from.bound = if let Some((_, path)) = cargo.files.iter().find(|f| absolute_inside(f)) {
            Some(format!("depends on {path} by its absolute path"))
        } else {
            proof::reads_directories(&path_env, &sources).or_else(|| purity.of_macros(at))
        };
        Ok(from)
    }

    /// What a build script's run was made from: what it says of itself, and
    /// the static libraries that it passes on.
    fn run_inputs(&self, at: usize, gathered: &Gathered) -> Result<Origins, Refused> {
        let unit = &self.plan.units[at];
        let dirs = &self.plan.dirs;
        let script = self.built.scripts[at]
            .as_ref()
            .ok_or_else(|| Refused::Unit("cargo did not tell what it printed".into()))?;
        let out_dir = Utf8Path::new(&script.out_dir);
        let said = script::parse(&gathered.text);
        let mut from = Origins {
            bound: binding_output(&gathered.text, dirs, unit, &script.out_dir),
            ..Origins::default()
        };
        if said.changed.is_empty() && said.env.is_empty() {
            // cargo watches the whole package then. For a package that can
            // change, its fingerprint holds the newest time in it.
            if !unit.external {
                let dir = &unit.package_dir;
                from.add(self.input(unit, dir, InputKind::Package, gathered.started)?);
                from.bound = Some("cargo keeps the times of the package's files".into());
            }
        }
        for path in &said.changed {
            let path = unit.package_dir.join(path);
            if dirs.is_immutable(&path) {
                continue;
            }
            if path.starts_with(out_dir) {
                from.bound = Some("watches its own output directory".into());
                continue;
            }
            let kind = match fs::metadata(&path) {
                Ok(meta) if meta.is_dir() => InputKind::Tree,
                Ok(_) => InputKind::File,
                Err(_) => {
                    let why = format!("it watches {path}, which is missing; cargo always runs it");
                    return Err(Refused::Unit(why));
                }
            };
            from.add(self.input(unit, &path, kind, gathered.started)?);
        }
        from.add_env(&said.env);
        for path in static_libraries(script) {
            if !path.starts_with(out_dir) && !dirs.is_immutable(&path) {
                from.add(self.input(unit, &path, InputKind::File, gathered.started)?);
            }
        }
        Ok(from)
    }

    /// One input with its digest, if it is certain that it has not changed
    /// since the compiler started. The change time counts as well: a file that
    /// was put back with an old time deceives cargo, but not the store.
    fn input(
        &self,
        unit: &PlanUnit,
        path: &Utf8Path,
        kind: InputKind,
        started: i64,
    ) -> Result<Input, Refused> {
        let dirs = &self.plan.dirs;
        let changed = |path: &Utf8Path| -> std::io::Result<bool> {
            let stamp = Stamp::of(path)?;
            Ok(stamp.modified >= started || (cfg!(unix) && stamp.changed >= started))
        };
        let late = |path: &Utf8Path| {
            Refused::Unit(format!("{path} was changed after the build of it began"))
        };
        match kind {
            InputKind::File if changed(path)? => return Err(late(path)),
            InputKind::File => {}
            InputKind::Tree | InputKind::Package => {
                for entry in walkdir::WalkDir::new(path) {
                    let entry = entry.map_err(std::io::Error::from)?;
                    let below = Utf8Path::from_path(entry.path())
                        .ok_or_else(|| Refused::Unit("a path that is not UTF-8".into()))?;
                    let ours = below.starts_with(&dirs.build) || below.starts_with(&dirs.target);
                    if entry.file_type().is_file() && !ours && changed(below)? {
                        return Err(late(below));
                    }
                }
            }
        }
        Ok(Input {
            path: dirs.rooted(path),
            kind,
            digest: input_digest(path, kind, dirs, unit, self.memo)?,
        })
    }

    /// The `OUT_DIR`s of the build scripts that a unit depends on.
    fn out_dirs(&self, at: usize) -> Vec<&Utf8Path> {
        let deps = self.plan.units[at].deps.iter();
        deps.filter_map(|&dep| self.built.scripts[dep].as_ref())
            .map(|script| Utf8Path::new(&script.out_dir))
            .collect()
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
        let hash = self.built.places[at].as_ref().map_or("", |p| p.hash.as_str());
        let mut filenames = Vec::new();
        let mut uplifted = Vec::new();
        for shown in &artifact.filenames {
            let shown = Utf8Path::new(shown);
            let own = gathered.files.iter().find(|f| dirs.build.join(&f.path) == shown);
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
                path.map(|p| p.as_str().replace('\\', "/"))
                    .map_err(|_| Refused::Unit(format!("{shown} is outside of the target directory")))
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
        Ok((filenames, executable, unit.is_uplifted().then_some(uplifted)))
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

/// What a unit was built from.
#[derive(Default)]
struct Origins {
    inputs: Vec<Input>,
    env: Vec<(String, Option<Digest>)>,
    bound: Option<String>,
}

impl Origins {
    fn add(&mut self, input: Input) {
        if !self.inputs.contains(&input) {
            self.inputs.push(input);
        }
    }

    fn add_env(&mut self, names: &[String]) {
        for name in names {
            if !self.env.iter().any(|(known, _)| known == name) {
                self.env.push((name.clone(), env_digest(name)));
            }
        }
    }
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
/// printed, with this build's directories taken out.
fn output_digest(unit: &PlanUnit, gathered: &Gathered) -> Digest {
    let mut hasher = KeyHasher::new("output");
    for file in &gathered.files {
        hasher.part(&file.path, &file.blob.digest.0);
        hasher.part("executable", &[u8::from(file.executable)]);
    }
    for file in &gathered.packed {
        if unit.is_run() && is_text_of_unit(&file.path, unit) {
            hasher.part("stdout", &file.content);
        }
    }
    hasher.finish()
}

/// Whether a build script printed a path of this build where it can become
/// part of something: anything but its own `OUT_DIR` for the linker and for
/// other build scripts, and files of its own package to watch.
fn binding_output(stdout: &[u8], dirs: &Dirs, unit: &PlanUnit, out_dir: &str) -> Option<String> {
    let text = String::from_utf8_lossy(stdout);
    for line in text.lines() {
        let Some(data) = line.trim().strip_prefix("cargo:") else {
            continue;
        };
        let data = data.strip_prefix(':').unwrap_or(data);
        let key = data.split('=').next().unwrap_or_default();
        let becomes_part = matches!(key, "rustc-env" | "rustc-cfg" | "rustc-check-cfg");
        let mut rest = data.to_owned();
        if !becomes_part {
            rest = rest.replace(out_dir, "");
        }
        if key == "rerun-if-changed" {
            rest = rest.replace(unit.package_dir.as_str(), "");
        }
        let named = [&dirs.workspace, &dirs.build, &dirs.target];
        if named.iter().any(|dir| rest.contains(dir.as_str())) {
            return Some(format!("the build script prints it ({key})"));
        }
    }
    None
}

/// Static libraries that a build script hands to the linker, as far as they
/// are found where it says. cargo does not watch them.
fn static_libraries(script: &crate::cargo::messages::Script) -> Vec<Utf8PathBuf> {
    let mut found = Vec::new();
    for path in &script.linked_paths {
        let (kind, dir) = path.split_once('=').unwrap_or(("all", path));
        if !matches!(kind, "native" | "all") {
            continue;
        }
        for lib in &script.linked_libs {
            let name = lib.rsplit('=').next().unwrap_or(lib);
            let name = name.split(':').next().unwrap_or(name);
            for file in [format!("lib{name}.a"), format!("{name}.lib")] {
                let path = Utf8Path::new(dir).join(file);
                if path.is_file() {
                    found.push(path);
                }
            }
        }
    }
    found
}

/// Which proc macros can look at nothing but their tokens.
///
/// A macro that reads files or variables may bring anything into the unit that
/// uses it, and nobody records that. For a package that lives in the registry
/// the directory is the same everywhere; for others such a unit is bound.
struct Purity<'a> {
    plan: &'a Plan,
    /// Sources of units of this capture, by index.
    sources: HashMap<usize, Vec<Utf8PathBuf>>,
    looked_at: AtomicU64,
}

impl<'a> Purity<'a> {
    fn new(capture: &Capture<'a>, gathered: &[Option<Result<Gathered, Refused>>]) -> Purity<'a> {
        let plan = capture.plan;
        let mut sources = HashMap::new();
        for (at, unit) in plan.units.iter().enumerate() {
            let text = match &gathered[at] {
                Some(Ok(gathered)) => Some(gathered.text.clone()),
                // In place since before: its dep-info is where it was.
                _ => capture.built.places[at].as_ref().and_then(|place| {
                    let file = format!("{}-{}.d", layout::crate_name(&unit.graph), place.hash);
                    let dirs = [
                        format!("{}/deps/{file}", place.profile_dir),
                        format!(
                            "{}/build/{}/{}/out/{file}",
                            place.profile_dir, place.package, place.hash
                        ),
                    ];
                    dirs.iter().find_map(|f| fs::read(plan.dirs.build.join(f)).ok())
                }),
            };
            let info = text.and_then(|text| depinfo::parse_rustc(std::str::from_utf8(&text).ok()?));
            if let Some(info) = info {
                let dir = &unit.compile_dir;
                sources.insert(at, info.sources.iter().map(|s| dir.join(s)).collect());
            }
        }
        Purity {
            plan,
            sources,
            looked_at: AtomicU64::new(0),
        }
    }

    /// Why the macros that a unit uses bind it, if they do.
    fn of_macros(&self, at: usize) -> Option<String> {
        let unit = &self.plan.units[at];
        if unit.external {
            return None;
        }
        let is_macro = |at: &&usize| {
            let unit = &self.plan.units[**at];
            unit.graph.target.kind.iter().any(|kind| kind == "proc-macro")
        };
        for &dep in unit.deps.iter().filter(is_macro) {
            if let Some(why) = self.looks_around(dep) {
                return Some(format!("uses {}, which {why}", self.plan.units[dep].title));
            }
        }
        None
    }

    /// What a macro, or anything it is built from, does beyond its tokens.
    fn looks_around(&self, at: usize) -> Option<String> {
        let mut stack = vec![at];
        let mut seen = vec![false; self.plan.units.len()];
        while let Some(at) = stack.pop() {
            if std::mem::replace(&mut seen[at], true) {
                continue;
            }
            let unit = &self.plan.units[at];
            // Build scripts run before; what they do is part of their output.
            if unit.is_run() || unit.graph.target.kind.iter().any(|k| k == "custom-build") {
                continue;
            }
            let Some(sources) = self.sources.get(&at) else {
                return Some("could not be examined".into());
            };
            for path in sources {
                self.looked_at.fetch_add(1, Ordering::Relaxed);
                let Ok(text) = fs::read_to_string(path) else {
                    continue;
                };
                if let Some(call) = proof::looks_around(&text) {
                    return Some(format!("may look around ({call} in {})", unit.package));
                }
            }
            stack.extend(&unit.deps);
        }
        None
    }
}
