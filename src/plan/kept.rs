//! cargo's answers, kept for another checkout of the same sources.
//!
//! Asking cargo which units a build has takes as long as a no-op of cargo's.
//! Where manifests, lock file, configuration, arguments, variables, compiler
//! and the directories in which cargo discovers targets are the same, it
//! answers the same but for the name of the workspace's directory. So the
//! answers are kept without that name and put to use in another directory, or
//! in the same one once what they rest on is back. Everything else - keys,
//! watches, inputs - is worked out anew where the build is.
//!
//! What must never happen: that an answer is used which cargo would not give.
//! Whatever could make a difference between two directories, or whose place
//! cannot be told, means that nothing is kept, or that cargo is asked.

use camino::{Utf8Path, Utf8PathBuf};
use fs_err as fs;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::inputs::Stamp;
use super::key;
use super::paths;
use super::tools::Tools;
use super::watch::{self, Watch, WatchKind, find_program};
use crate::cache::format::{self, Magic};
use crate::cargo::args::Invocation;
use crate::cargo::config::Config;
use crate::cargo::toolchain::Toolchain;
use crate::cargo::unit_graph::UnitGraph;
use crate::cargo::workspace::{Origin, Package, Workspace};
use crate::unit::{Digest, KeyHasher};

/// Begins every file of answers; the digit is its version.
pub const MAGIC: &Magic = b"ZBA2";

/// Stands for the workspace's directory; no name and no path holds a zero byte.
const MARK: char = '\0';

/// How the id of a path package begins.
const LOCAL: &str = "path+file://";

/// Where answers may be kept and found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The name of the answers: all that they rest on, as far as that can be
    /// told without knowing them.
    pub name: Digest,
    /// The workspace's directory.
    root: Utf8PathBuf,
    /// `$CARGO_HOME`.
    cargo_home: Utf8PathBuf,
    /// Target directories that are named absolutely.
    named_targets: Vec<Utf8PathBuf>,
    /// cargo and the wrappers of the compiler.
    programs: Vec<String>,
}

impl Place {
    /// The place of a build; none where the directory's name, or something
    /// outside of it, could change what cargo answers.
    pub fn find(
        program: &str,
        inv: &Invocation,
        cwd: &Utf8Path,
        config: &Config,
        cargo_home: &Utf8Path,
    ) -> Option<Place> {
        Place::find_with(program, inv, cwd, config, cargo_home, &key::variables())
    }

    fn find_with(
        program: &str,
        inv: &Invocation,
        cwd: &Utf8Path,
        config: &Config,
        cargo_home: &Utf8Path,
        variables: &[(String, String)],
    ) -> Option<Place> {
        let manifest = inv.manifest_path.as_ref().map(|path| cwd.join(path));
        let start = manifest.as_deref().map_or(Some(cwd), Utf8Path::parent)?;
        // Without any `.` in it, as cargo writes it.
        let start: Utf8PathBuf = start.components().collect();
        let root = start.ancestors().find(|dir| has(dir, "Cargo.lock"))?;
        let inside = cwd.strip_prefix(root).ok()?;
        let apart = !root.starts_with(cargo_home) && !cargo_home.starts_with(root);
        // A manifest above could claim this workspace.
        let alone = !root.ancestors().skip(1).any(|dir| has(dir, "Cargo.toml"));
        // With `-C` cargo goes to a directory that may be called otherwise.
        if !is_plain(root) || !apart || !alone || inv.directory.is_some() {
            return None;
        }
        // Where files go may be named in full: it is the same place in each.
        let is_target = |name: &str| name.ends_with("TARGET_DIR");
        let moved = |(name, value): &(String, String)| match is_target(name) {
            true => (name.clone(), unrooted_path(root, value)),
            false => (name.clone(), value.clone()),
        };
        let variables: Vec<(String, String)> = variables.iter().map(moved).collect();
        let build = key::of_build(program, inside, inv, &variables);
        let mut name = KeyHasher::new("answers");
        name.part("invocation", &build.0)
            .part("home", cargo_home.as_str().as_bytes())
            .part("lock", &fs::read(root.join("Cargo.lock")).ok()?);
        let mut texts = inv.planning_args();
        texts.extend(inv.toolchain.clone());
        texts.extend(variables.iter().map(|(_, value)| value.clone()));
        for file in &config.files {
            let place = match file.path.strip_prefix(root) {
                Ok(inside) => inside,
                Err(_) if file.path.starts_with(cargo_home) => &file.path,
                Err(_) => return None,
            };
            let text = file.table.to_string();
            name.part("place", place.as_str().as_bytes())
                .part("config", text.as_bytes());
            texts.push(text);
        }
        if texts.iter().any(|text| paths::names(root, text)) {
            return None;
        }
        let by_variable = variables.iter().filter(|(name, _)| is_target(name));
        let by_config = config.string("build", "target-dir");
        let named = by_variable
            .map(|(_, dir)| dir.into())
            .chain(inv.target_dir.clone())
            .chain(by_config.map(|(_, dir)| dir.into()));
        Some(Place {
            name: name.finish(),
            root: root.to_owned(),
            cargo_home: cargo_home.to_owned(),
            named_targets: named
                .filter(|dir: &Utf8PathBuf| dir.is_absolute())
                .collect(),
            programs: [vec![program.to_owned()], key::wrappers(config)].concat(),
        })
    }

    /// What the files of all programs look like that have a say in the answers.
    fn stamps(&self, toolchain: &Toolchain) -> Vec<Option<Stamp>> {
        let programs = self.programs.iter().chain([&toolchain.rustc]);
        let found = programs.map(|program| find_program(program));
        found
            .map(|path| path.and_then(|path| Stamp::of(&path).ok()))
            .collect()
    }

    /// A text of cargo's with a mark for the directory at its beginning.
    fn unrooted(&self, text: &str) -> String {
        if let Some(path) = text.strip_prefix(LOCAL) {
            let Some(rest) = path.strip_prefix(&url(&self.root)) else {
                return text.to_owned();
            };
            // cargo leaves out the name of a package that is called like its
            // directory (cargo: `PackageIdSpec`, its `Display`).
            return match rest.strip_prefix('#') {
                Some(package) if package.contains('@') => format!("{LOCAL}{MARK}#{package}"),
                Some(version) => format!("{LOCAL}{MARK}#{}@{version}", self.called()),
                None if rest.starts_with('/') => format!("{LOCAL}{MARK}{rest}"),
                None => text.to_owned(),
            };
        }
        unrooted_path(&self.root, text)
    }

    /// The text again, in this directory.
    fn rooted(&self, text: &str) -> String {
        if let Some(rest) = text.strip_prefix(LOCAL).and_then(|t| t.strip_prefix(MARK)) {
            let url = url(&self.root);
            let package = rest.strip_prefix('#').and_then(|p| p.split_once('@'));
            return match package {
                Some((name, version)) if name == self.called() => {
                    format!("{LOCAL}{url}#{version}")
                }
                _ => format!("{LOCAL}{url}{rest}"),
            };
        }
        match text.strip_prefix(MARK) {
            Some(rest) => format!("{}{rest}", self.root),
            None => text.to_owned(),
        }
    }

    /// A path of cargo's likewise, if that is possible: one in the workspace
    /// with a mark, one in cargo's home as it is.
    fn movable(&self, path: &Utf8Path, is_ours: bool) -> Option<String> {
        let text = self.unrooted(path.as_str());
        match is_ours {
            true => text.starts_with(MARK),
            false => path.starts_with(&self.cargo_home),
        }
        .then_some(text)
    }

    fn called(&self) -> &str {
        self.root.file_name().unwrap_or_default()
    }

    /// Whether a text that is about no file still tells of the directory.
    fn is_told(&self, text: &str) -> bool {
        let is_path = Utf8Path::new(text).is_absolute() || text.starts_with("registry+");
        !is_path && paths::names(&self.root, text)
    }
}

/// A path with a mark for the directory at its beginning; any other text as it
/// is.
fn unrooted_path(root: &Utf8Path, text: &str) -> String {
    match text.strip_prefix(root.as_str()) {
        Some(rest) if rest.is_empty() || rest.starts_with(std::path::is_separator) => {
            format!("{MARK}{rest}")
        }
        _ => text.to_owned(),
    }
}

fn has(dir: &Utf8Path, name: &str) -> bool {
    dir.join(name).exists()
}

/// Whether a directory is written the same everywhere: in a path, in a URL and
/// in JSON.
fn is_plain(dir: &Utf8Path) -> bool {
    let on_windows = |c| cfg!(windows) && matches!(c, ':' | '\\');
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c) || on_windows(c);
    let is_dots = |part: camino::Utf8Component| part.as_str() == "..";
    dir.is_absolute()
        && dir.file_name().is_some()
        && dir.as_str().chars().all(is_plain)
        && !dir.components().any(is_dots)
}

/// The path of a `file` URL.
fn url(dir: &Utf8Path) -> String {
    let path = dir.as_str().replace('\\', "/");
    match path.starts_with('/') {
        true => path,
        false => format!("/{path}"),
    }
}

/// The answers, without the name of the directory.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Kept {
    /// The stamps of cargo, the compiler and its wrappers.
    programs: Vec<Option<Stamp>>,
    /// What compiler and cargo have said of themselves.
    tools: Tools,
    /// What is watched in the workspace.
    watched: Vec<(String, WatchKind, Option<Digest>)>,
    /// The unit graph as JSON: units and roots.
    graph: String,
    /// The packages.
    packages: Vec<KeptPackage>,
    /// The target directory.
    target_dir: String,
}

#[derive(Debug, Serialize, Deserialize)]
struct KeptPackage {
    id: String,
    name: String,
    version: String,
    manifest_path: String,
    origin: Origin,
}

/// Answers that may be worth keeping, once it is known what they rest on.
#[derive(Debug)]
pub struct Draft {
    place: Place,
    graph: String,
    packages: Vec<KeptPackage>,
    target_dir: String,
}

impl Draft {
    /// Takes cargo's answers down, as they are before anything is made of
    /// them. None if they could be others in another directory. `warnings` are
    /// what cargo repeats with every build: they name files.
    pub fn new(
        place: Place,
        graph: &UnitGraph,
        warnings: &str,
        workspace: &Workspace,
    ) -> Option<Draft> {
        let target_dir = &workspace.target_dir;
        let is_named = place.named_targets.contains(target_dir);
        let is_here = workspace.root == place.root && workspace.build_dir == *target_dir;
        if !warnings.is_empty() || !is_here {
            return None;
        }
        let target_dir = match place.movable(target_dir, true) {
            None if is_named => target_dir.to_string(),
            moved => moved?,
        };
        let mut packages = Vec::with_capacity(workspace.packages.len());
        for (id, package) in &workspace.packages {
            let is_ours = package.origin != Origin::External;
            packages.push(KeptPackage {
                id: place.unrooted(id),
                name: package.name.clone(),
                version: package.version.clone(),
                manifest_path: place.movable(&package.manifest_path, is_ours)?,
                origin: package.origin,
            });
        }
        packages.sort_by(|a, b| a.id.cmp(&b.id));
        let mut units = Vec::with_capacity(graph.units.len());
        for unit in &graph.units {
            let source = Utf8Path::new(&unit.target.src_path);
            place.movable(source, unit.pkg_id.starts_with(LOCAL))?;
            if unit.platform.as_ref().is_some_and(|p| p.ends_with(".json")) {
                return None;
            }
            let mut raw = unit.raw.clone();
            let mut is_told = false;
            each_text(&mut raw, &mut |text| {
                *text = place.unrooted(text);
                is_told |= place.is_told(text);
            });
            let mut back = raw.clone();
            each_text(&mut back, &mut |text| *text = place.rooted(text));
            if is_told || back != unit.raw {
                return None;
            }
            units.push(raw);
        }
        Some(Draft {
            place,
            graph: serde_json::json!([units, graph.roots]).to_string(),
            packages,
            target_dir,
        })
    }

    /// The answers as they are kept, and their name; none if they rest on a
    /// manifest elsewhere.
    pub(super) fn finish(self, tools: Tools, watches: &[Watch]) -> Option<(Digest, Vec<u8>)> {
        let Draft {
            place,
            graph,
            packages,
            target_dir,
        } = self;
        let is_elsewhere = |watch: &Watch| {
            watch.path.file_name() == Some("Cargo.toml")
                && watch.digest.is_some()
                && !watch.path.starts_with(&place.root)
        };
        if watches.iter().any(is_elsewhere) {
            return None;
        }
        let contents = |watch: &&Watch| matches!(watch.kind, WatchKind::File | WatchKind::Listing);
        let inside = |watch: &Watch| {
            let inside = watch.path.strip_prefix(&place.root).ok()?;
            let inside = inside.as_str().replace('\\', "/");
            Some((inside, watch.kind, watch.digest))
        };
        let kept = Kept {
            programs: place.stamps(&tools.toolchain),
            tools,
            watched: watches.iter().filter(contents).filter_map(inside).collect(),
            graph,
            packages,
            target_dir,
        };
        Some((place.name, format::encode_checked(MAGIC, &kept)))
    }
}

impl Kept {
    /// Reads what was kept; none if it cannot be read.
    pub(super) fn read(bytes: &[u8]) -> Option<Kept> {
        format::decode_checked(MAGIC, bytes)
    }

    /// What compiler and cargo have said of themselves.
    pub(super) fn tools(&self) -> &Tools {
        &self.tools
    }

    /// What cargo would answer in this place, if that is known.
    pub(super) fn answers(
        self,
        place: &Place,
        toolchain: &Toolchain,
        compiler: Digest,
    ) -> Option<(UnitGraph, Workspace)> {
        let said = &self.tools.toolchain;
        let same_tools = self.programs == place.stamps(toolchain)
            && said.cargo_version == toolchain.cargo_version
            && said.verbose_version == toolchain.verbose_version
            && self.tools.compiler == compiler;
        let is_same = |(path, kind, digest): &(String, WatchKind, Option<Digest>)| {
            watch::digest(&place.root.join(path), *kind) == *digest
        };
        if !same_tools || !self.watched.par_iter().all(is_same) {
            return None;
        }
        self.rooted(place)
    }

    fn rooted(self, place: &Place) -> Option<(UnitGraph, Workspace)> {
        let (mut units, roots): (Vec<Value>, Vec<usize>) =
            serde_json::from_str(&self.graph).ok()?;
        for unit in &mut units {
            each_text(unit, &mut |text| *text = place.rooted(text));
        }
        let packages = self.packages.into_iter().map(|package| {
            let KeptPackage {
                id,
                name,
                version,
                manifest_path,
                origin,
            } = package;
            let package = Package {
                name,
                version,
                manifest_path: place.rooted(&manifest_path).into(),
                origin,
            };
            (place.rooted(&id), package)
        });
        let target_dir: Utf8PathBuf = place.rooted(&self.target_dir).into();
        let workspace = Workspace {
            root: place.root.clone(),
            build_dir: target_dir.clone(),
            target_dir,
            packages: packages.collect(),
        };
        Some((UnitGraph::of(units, roots).ok()?, workspace))
    }
}

/// Whether a file of answers can be read.
pub fn is_sound(bytes: &[u8]) -> bool {
    Kept::read(bytes).is_some()
}

/// Calls `change` with every text in a value.
fn each_text(value: &mut Value, change: &mut dyn FnMut(&mut String)) {
    match value {
        Value::String(text) => change(text),
        Value::Array(values) => values.iter_mut().for_each(|v| each_text(v, change)),
        Value::Object(fields) => fields.values_mut().for_each(|v| each_text(v, change)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests;
