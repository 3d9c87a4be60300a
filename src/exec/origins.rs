//! What a unit was built from: inputs with their digests, variables, and what
//! binds it to its directory.
//!
//! Everything here errs on the side of not recording: an input that may have
//! changed since the compiler started, or an account that cannot be read,
//! refuses the unit.

use std::collections::BTreeSet;

use camino::{Utf8Path, Utf8PathBuf};
use fs_err as fs;

use super::capture::{Capture, Gathered, Refused};
use super::leftovers;
use super::macros::Macros;
use super::proof;
use crate::cache::record::{Input, InputKind, PackedFile};
use crate::cargo::depinfo;
use crate::cargo::linking;
use crate::cargo::script;
use crate::plan::inputs::{Stamp, walk};
use crate::plan::lookup::{env_digest, input_digest};
use crate::plan::state::UnitState;
use crate::plan::{Dirs, PlanUnit};
use crate::unit::Digest;

/// What a unit was built from.
#[derive(Default)]
pub(super) struct Origins {
    pub(super) inputs: Vec<Input>,
    pub(super) env: Vec<(String, Option<Digest>)>,
    pub(super) bound: Option<String>,
    pub(super) unknown: Option<String>,
    /// Digests of files that dependents get to see although they are no output.
    pub(super) passed_on: Vec<Digest>,
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

impl Capture<'_> {
    /// What a compiled unit was built from, by rustc's own account.
    pub(super) fn compile_inputs(
        &self,
        at: usize,
        gathered: &Gathered,
        outputs: &[Option<Digest>],
        macros: &Macros<'_>,
    ) -> Result<Origins, Refused> {
        let unit = &self.plan.units[at];
        let dirs = &self.plan.dirs;
        let unreadable = |what: &str| Refused::Unit(format!("{what} could not be understood"));
        let text = std::str::from_utf8(&gathered.text).map_err(|_| unreadable("dep-info"))?;
        let rustc = depinfo::parse_rustc(text).ok_or_else(|| unreadable("dep-info"))?;
        let cargo = depinfo::parse_cargo(&gathered.dep_info)
            .ok_or_else(|| unreadable("cargo's dep-info"))?;
        // A target directory that was moved or copied: cargo calls it fresh, but
        // what a program sees in it may name the old place.
        let here = |path: &String| Utf8Path::new(path).starts_with(&dirs.build);
        if !rustc.outputs.iter().all(here) {
            return Err(Refused::Unit("it was built in another directory".into()));
        }
        let out_dirs = self.out_dirs(at);
        let sources: Vec<Utf8PathBuf> = rustc
            .sources
            .iter()
            .map(|source| unit.compile_dir.join(source))
            .collect();
        let mut from = Origins::default();
        for path in &sources {
            // What a build script wrote is covered by the digest of its run.
            let written = out_dirs.iter().any(|dir| path.starts_with(dir));
            if written && leftovers::is_called_so(path) {
                from.bound = Some(format!("reads {path}, which may name its directory"));
            }
            if dirs.is_immutable(path) || written {
                continue;
            }
            from.add(self.input(unit, path, InputKind::File, gathered.started)?);
            if let Some(twin) = module_twin(path).filter(|twin| !twin.exists()) {
                from.add(self.input(unit, &twin, InputKind::Absent, gathered.started)?);
            }
        }
        from.add_env(&cargo.env);
        let absolute_inside = |(base, path): &(depinfo::Base, String)| {
            *base == depinfo::Base::Package
                && (Utf8Path::new(path).starts_with(&dirs.workspace)
                    || Utf8Path::new(path).starts_with(&dirs.build))
        };
        let names_dir = |value: &Option<String>| {
            let value = value.as_deref();
            value.is_some_and(|value| dirs.are_named_in(value))
        };
        let path_env: Vec<String> = rustc
            .env
            .iter()
            .filter(|(_, value)| names_dir(value))
            .map(|(name, _)| name.clone())
            .collect();
        if let Some((_, path)) = cargo.files.iter().find(|f| absolute_inside(f)) {
            from.bound = Some(format!("depends on {path} by its absolute path"));
        } else if from.bound.is_none() {
            from.bound = proof::reads_directories(&path_env, &sources);
        }
        if from.bound.is_none() && !path_env.is_empty() {
            let giver = macros.giver_of_out_dir(at, outputs);
            from.bound = giver.map(|giver| format!("a macro of {giver} may keep OUT_DIR in it"));
        }
        let primary = "CARGO_PRIMARY_PACKAGE";
        if rustc.env.iter().any(|(name, _)| name == primary) {
            // It depends on what else was asked for; cargo does not track it.
            from.unknown = Some(format!("reads {primary}"));
        }
        let reach = macros.in_reach(at, outputs);
        from.add_env(&reach.variables);
        if unit.external {
            from.bound = from.bound.or(reach.anything);
            // What a macro reads there is not the same everywhere.
            let told = reach.files.filter(|_| leftovers::may_be_below(&out_dirs));
            from.bound = from.bound.or(told);
        } else {
            from.unknown = from.unknown.or(reach.anything).or(reach.files);
        }
        Ok(from)
    }

    /// What a build script's run was made from: what it says of itself, and
    /// the files that it passes on to the linker.
    pub(super) fn run_inputs(&self, at: usize, gathered: &Gathered) -> Result<Origins, Refused> {
        let unit = &self.plan.units[at];
        let dirs = &self.plan.dirs;
        let script = self.built.scripts[at]
            .as_ref()
            .ok_or_else(|| Refused::Unit("cargo did not tell what it printed".into()))?;
        let out_dir = Utf8Path::new(&script.out_dir);
        // See `compile_inputs`: cargo notes where the script's output was.
        if self.root_output(gathered).as_deref() != Some(script.out_dir.as_bytes()) {
            return Err(Refused::Unit("it was run for another directory".into()));
        }
        let said = script::parse(&gathered.text);
        let others = self.out_dirs(at);
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
            } else if !dirs.is_immutable(&unit.package_dir) {
                // Vendored. cargo goes by the checksum, if there is one.
                let dir = &unit.package_dir;
                from.add(self.input(unit, dir, InputKind::Tree, gathered.started)?);
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
                Ok(_) if dirs.build.starts_with(&path) || dirs.target.starts_with(&path) => {
                    let why = "it watches the target directory; cargo always runs it";
                    return Err(Refused::Unit(why.into()));
                }
                Ok(meta) if meta.is_dir() => InputKind::Tree,
                Ok(_) => InputKind::File,
                Err(_) => {
                    let why = format!("it watches {path}, which is missing; cargo always runs it");
                    return Err(Refused::Unit(why));
                }
            };
            // What another script wrote counts by the digest of its run.
            if !others.iter().any(|dir| path.starts_with(dir)) {
                from.add(self.input(unit, &path, kind, gathered.started)?);
            }
        }
        from.add_env(&said.env);
        let base = &unit.compile_dir;
        let files = linking::named_files(&said.link_args, &script.linked_paths, base);
        let mut linked: Vec<_> = files.into_iter().map(|f| (f, InputKind::File)).collect();
        for search in &script.linked_paths {
            let found = linking::libraries(search, base)?;
            linked.extend(found.into_iter().map(|f| (f, InputKind::File)));
            // What appears there may be linked instead.
            let dir = linking::searched(search, base);
            linked.extend(dir.map(|dir| (dir, InputKind::Libraries)));
        }
        for (path, kind) in linked {
            let written =
                path.starts_with(out_dir) || others.iter().any(|dir| path.starts_with(dir));
            if !written && !dirs.is_immutable(&path) {
                let library = self.input(unit, &path, kind, gathered.started)?;
                from.passed_on.push(library.digest);
                from.add(library);
            }
        }
        Ok(from)
    }

    /// For each unit the build scripts among itself and those below that name
    /// directories with libraries. cargo hands such a directory to every link
    /// above, where the outputs in between need not show what was found in it.
    pub(super) fn linked_scripts(&self, units: &[Option<UnitState>]) -> Vec<BTreeSet<usize>> {
        let mut all: Vec<BTreeSet<usize>> = Vec::with_capacity(self.plan.units.len());
        for (at, unit) in self.plan.units.iter().enumerate() {
            let below = unit.deps.iter().flat_map(|&dep| all[dep].iter().copied());
            let mut scripts: BTreeSet<usize> = below.collect();
            let before = units[at].as_ref().and_then(|unit| unit.script.as_ref());
            let script = self.built.scripts[at].as_ref().or(before);
            if script.is_some_and(|script| !script.linked_paths.is_empty()) {
                scripts.insert(at);
            }
            all.push(scripts);
        }
        all
    }

    /// The `OUT_DIR` of a script's run as cargo noted it then.
    fn root_output(&self, gathered: &Gathered) -> Option<Vec<u8>> {
        let is_it = |file: &&PackedFile| file.path.ends_with("/root-output");
        let file = gathered.packed.iter().find(is_it)?;
        Some(self.plan.dirs.root_text(&file.content))
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
            InputKind::File | InputKind::Absent => {}
            // cargo itself writes into the directories of the build.
            InputKind::Libraries => {
                let is_ours = path.starts_with(&dirs.build) || path.starts_with(&dirs.target);
                if !is_ours && Stamp::of(path).is_ok_and(|stamp| stamp.modified >= started) {
                    return Err(late(path));
                }
            }
            InputKind::Tree | InputKind::Package => {
                for found in walk(path, &[&dirs.build, &dirs.target]) {
                    let found = found?;
                    let led_anew = found.modified_link().is_some_and(|time| time >= started);
                    if led_anew || (found.is_file() && changed(&found.path)?) {
                        return Err(late(&found.path));
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
}

/// The other file that the same `mod` could mean: `a.rs` for `a/mod.rs` and the
/// reverse. rustc refuses to choose if both are there (E0761).
fn module_twin(path: &Utf8Path) -> Option<Utf8PathBuf> {
    if path.file_name() == Some("mod.rs") {
        return Some(path.parent()?.with_extension("rs"));
    }
    (path.extension() == Some("rs")).then(|| path.with_extension("").join("mod.rs"))
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
            rest = Dirs::without(&rest, out_dir);
        }
        if key == "rerun-if-changed" {
            rest = Dirs::without(&rest, unit.package_dir.as_str());
        }
        if dirs.are_named_in(&rest) {
            return Some(format!("the build script prints it ({key})"));
        }
    }
    None
}

#[cfg(test)]
mod tests;
