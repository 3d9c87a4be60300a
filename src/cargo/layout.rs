//! Where cargo puts a unit's files, in both layouts of the build directory.
//!
//! Before Cargo 1.100 a unit's files are spread over `.fingerprint/`, `deps/`,
//! `build/` and `examples/`; the new layout has one directory per unit. Hashes
//! are never computed here: they are read off file names and fingerprints
//! that cargo wrote.

use std::collections::HashMap;

use camino::{Utf8Path, Utf8PathBuf};
use fs_err as fs;
use serde::{Deserialize, Serialize};

use super::unit_graph::GraphUnit;
use crate::unit::Role;

/// How the build directory is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Layout {
    /// `.fingerprint/`, `deps/`, `build/`, `examples/`.
    Spread,
    /// `build/<package>/<hash>/`.
    PerUnit,
}

/// The place of one unit below the build directory.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Place {
    /// The layout.
    pub layout: Layout,
    /// `debug`, or `<triple>/release` and the like.
    pub profile_dir: String,
    /// Package name.
    pub package: String,
    /// cargo's hash of the unit, 16 hexadecimal digits.
    pub hash: String,
}

/// One file of a unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnitFile {
    /// Relative to the build directory.
    pub path: String,
    /// What it is.
    pub role: Role,
}

/// The name under which a profile builds (cargo: `Profiles::get_dir_name`).
pub fn profile_name(unit: &GraphUnit) -> &str {
    match unit.profile.name.as_str() {
        "dev" | "test" => "debug",
        "release" | "bench" => "release",
        other => other,
    }
}

/// The directory of a profile below the target and the build directory.
pub fn profile_dir(unit: &GraphUnit) -> String {
    let profile = profile_name(unit);
    match &unit.platform {
        None => profile.to_owned(),
        Some(platform) => {
            let short = platform
                .strip_suffix(".json")
                .map_or(platform.as_str(), |path| {
                    path.rsplit(['/', '\\']).next().unwrap_or(path)
                });
            format!("{short}/{profile}")
        }
    }
}

/// The name of a unit's fingerprint file (cargo: `fingerprint_file_path`).
pub fn fingerprint_name(unit: &GraphUnit) -> String {
    let kind = match unit.target.kind.first().map(String::as_str) {
        Some("bin") => "bin",
        Some("test") => "integration-test",
        Some("bench") => "bench",
        Some("example") => "example",
        Some("custom-build") => "build-script",
        _ => "lib",
    };
    let flavor = match unit.mode.as_str() {
        _ if unit.test => "test-",
        "run-custom-build" => "run-",
        "doc" => "doc-",
        _ => "",
    };
    format!("{flavor}{kind}-{}", unit.target.name)
}

/// The crate name of a target: what its files are called after.
pub fn crate_name(unit: &GraphUnit) -> String {
    unit.target.name.replace('-', "_")
}

fn is_hash(text: &str) -> bool {
    text.len() == 16 && text.bytes().all(|b| b.is_ascii_hexdigit())
}

/// `name-0123456789abcdef` -> (`name`, hash).
fn split_hash(stem: &str) -> Option<(&str, &str)> {
    let (name, hash) = stem.rsplit_once('-')?;
    is_hash(hash).then_some((name, hash))
}

/// Reads the unit's place off one of its files, given relative to the build
/// directory: `debug/deps/libitoa-<hash>.rmeta`, `debug/build/x-<hash>/out`,
/// `debug/build/x/<hash>/out/x`. None for uplifted and hashless files.
pub fn place_of(path: &str, profile_dir: &str, package: &str) -> Option<Place> {
    let inside = path.strip_prefix(profile_dir)?.strip_prefix('/')?;
    let mut parts = inside.split('/');
    let place = |layout, hash: &str| Place {
        layout,
        profile_dir: profile_dir.to_owned(),
        package: package.to_owned(),
        hash: hash.to_owned(),
    };
    match (parts.next()?, parts.next()?, parts.next()) {
        ("build", name, Some(hash)) if name == package && is_hash(hash) => {
            Some(place(Layout::PerUnit, hash))
        }
        ("build", dir, Some(_)) => {
            let (name, hash) = split_hash(dir)?;
            (name == package).then(|| place(Layout::Spread, hash))
        }
        ("deps" | "examples", file, None) => {
            let stem = file.split('.').next()?;
            Some(place(Layout::Spread, split_hash(stem)?.1))
        }
        _ => None,
    }
}

impl Place {
    /// The fingerprint directory, relative to the build directory.
    pub fn fingerprint_dir(&self) -> String {
        let Place {
            profile_dir,
            package,
            hash,
            ..
        } = self;
        match self.layout {
            Layout::Spread => format!("{profile_dir}/.fingerprint/{package}-{hash}"),
            Layout::PerUnit => format!("{profile_dir}/build/{package}/{hash}/fingerprint"),
        }
    }

    /// The directory of a build script or of its run, relative likewise.
    fn build_dir(&self) -> String {
        let Place {
            profile_dir,
            package,
            hash,
            ..
        } = self;
        match self.layout {
            Layout::Spread => format!("{profile_dir}/build/{package}-{hash}"),
            Layout::PerUnit => format!("{profile_dir}/build/{package}/{hash}"),
        }
    }

    /// The build script's stdout file, relative likewise.
    pub fn script_stdout(&self) -> String {
        match self.layout {
            Layout::Spread => format!("{}/output", self.build_dir()),
            Layout::PerUnit => format!("{}/run/stdout", self.build_dir()),
        }
    }

    /// The file in which cargo notes the `OUT_DIR` of a build script's run (cargo:
    /// `custom_build.rs`, `build_work`), relative likewise.
    pub fn script_root(&self) -> String {
        match self.layout {
            Layout::Spread => format!("{}/root-output", self.build_dir()),
            Layout::PerUnit => format!("{}/run/root-output", self.build_dir()),
        }
    }

    /// Where rustc's dep-info of a crate can be, relative likewise: with a hash
    /// in its name or without.
    pub fn dep_info_candidates(&self, crate_name: &str) -> Vec<String> {
        let dirs = match self.layout {
            Layout::Spread => vec![
                format!("{}/deps", self.profile_dir),
                format!("{}/examples", self.profile_dir),
                // Build scripts.
                self.build_dir(),
            ],
            Layout::PerUnit => vec![format!("{}/out", self.build_dir())],
        };
        let hashed = dirs
            .iter()
            .map(|dir| format!("{dir}/{crate_name}-{}.d", self.hash));
        let bare = dirs.iter().map(|dir| format!("{dir}/{crate_name}.d"));
        hashed.chain(bare).collect()
    }

    /// The file whose time is the start of the unit's last build.
    pub fn started(&self, is_run: bool) -> String {
        match (self.layout, is_run) {
            (Layout::Spread, true) => format!("{}/invoked.timestamp", self.build_dir()),
            (Layout::PerUnit, true) => format!("{}/run/invoked.timestamp", self.build_dir()),
            (_, false) => format!("{}/invoked.timestamp", self.fingerprint_dir()),
        }
    }
}

/// Lists the places of units by what is on disk. Directories are read once.
pub struct Scan {
    build_dir: Utf8PathBuf,
    /// Names in a directory, relative to the build directory.
    dirs: HashMap<String, Vec<String>>,
    /// Files of `deps/` and `examples/` by their name up to the first dot.
    stems: HashMap<String, HashMap<String, Vec<String>>>,
}

impl Scan {
    /// A scan of this build directory.
    pub fn new(build_dir: &Utf8Path) -> Scan {
        Scan {
            build_dir: build_dir.to_owned(),
            dirs: HashMap::new(),
            stems: HashMap::new(),
        }
    }

    fn names(&mut self, dir: &str) -> &[String] {
        let full = self.build_dir.join(dir);
        self.dirs.entry(dir.to_owned()).or_insert_with(|| {
            let entries = fs::read_dir(full).into_iter().flatten().flatten();
            let mut names: Vec<String> = entries
                .filter_map(|entry| entry.file_name().into_string().ok())
                .collect();
            names.sort();
            names
        })
    }

    fn by_stem(&mut self, dir: &str, stem: &str) -> Vec<String> {
        if !self.stems.contains_key(dir) {
            let mut stems: HashMap<String, Vec<String>> = HashMap::new();
            for name in self.names(dir) {
                let stem = name.split('.').next().unwrap_or(name);
                stems.entry(stem.to_owned()).or_default().push(name.clone());
            }
            self.stems.insert(dir.to_owned(), stems);
        }
        self.stems[dir].get(stem).cloned().unwrap_or_default()
    }

    /// All places that hold a fingerprint of this name for this package: the
    /// unit's own, and those of its relatives with other features or flags.
    pub fn candidates(&mut self, unit: &GraphUnit, package: &str) -> Vec<Place> {
        let profile_dir = profile_dir(unit);
        let name = fingerprint_name(unit);
        let place = |layout, hash: &str| Place {
            layout,
            profile_dir: profile_dir.clone(),
            package: package.to_owned(),
            hash: hash.to_owned(),
        };
        let mut found = Vec::new();
        for hash in self.names(&format!("{profile_dir}/build/{package}")) {
            if is_hash(hash) {
                found.push(place(Layout::PerUnit, hash));
            }
        }
        for dir in self.names(&format!("{profile_dir}/.fingerprint")) {
            match split_hash(dir) {
                Some((of, hash)) if of == package => found.push(place(Layout::Spread, hash)),
                _ => {}
            }
        }
        found.retain(|place| {
            let path = self.build_dir.join(place.fingerprint_dir()).join(&name);
            path.is_file()
        });
        found
    }

    /// All files of a unit that are worth keeping, the fingerprint last.
    ///
    /// # Errors
    /// When a directory of the unit cannot be read, or a path is not UTF-8.
    pub fn files(&mut self, unit: &GraphUnit, place: &Place) -> std::io::Result<Vec<UnitFile>> {
        let mut files = Vec::new();
        let name = fingerprint_name(unit);
        let dir = place.fingerprint_dir();
        for file in self.names(&dir).to_vec() {
            let role = if file == name {
                Role::Fingerprint
            } else if file == format!("dep-{name}") {
                Role::DepInfo
            } else if file == format!("{name}.json") || file == format!("output-{name}") {
                Role::Record
            } else {
                continue;
            };
            files.push(UnitFile {
                path: format!("{dir}/{file}"),
                role,
            });
        }
        let is_run = unit.mode == "run-custom-build";
        match place.layout {
            Layout::PerUnit => {
                for sub in ["out", "run"] {
                    self.tree(&format!("{}/{sub}", place.build_dir()), is_run, &mut files)?;
                }
            }
            Layout::Spread if unit.target.kind.iter().any(|k| k == "custom-build") => {
                self.tree(&place.build_dir(), is_run, &mut files)?;
            }
            Layout::Spread => self.spread(unit, place, &mut files),
        }
        // A unit is restored whole or not at all, its fingerprint last.
        files.sort_by(|a, b| (a.role, &a.path).cmp(&(b.role, &b.path)));
        Ok(files)
    }

    fn spread(&mut self, unit: &GraphUnit, place: &Place, files: &mut Vec<UnitFile>) {
        let is_example = unit.target.kind.iter().any(|k| k == "example") && !unit.test;
        let sub = if is_example { "examples" } else { "deps" };
        let dir = format!("{}/{sub}", place.profile_dir);
        let name = crate_name(unit);
        // Some kinds carry no hash (cdylib, dylib; executables of MSVC).
        let hashed = format!("{name}-{}", place.hash);
        let stem = if self.by_stem(&dir, &hashed).is_empty() {
            name
        } else {
            hashed
        };
        for stem in [format!("lib{stem}"), stem] {
            for file in self.by_stem(&dir, &stem) {
                files.push(UnitFile {
                    role: role_of(&file),
                    path: format!("{dir}/{file}"),
                });
            }
        }
    }

    fn tree(&self, dir: &str, is_run: bool, files: &mut Vec<UnitFile>) -> std::io::Result<()> {
        let top = self.build_dir.join(dir);
        if !top.is_dir() {
            return Ok(());
        }
        for entry in walkdir::WalkDir::new(&top).sort_by_file_name() {
            let entry = entry?;
            if !entry.file_type().is_file() {
                // An `OUT_DIR` with links in it is not stored (see capture).
                if entry.file_type().is_symlink() {
                    return Err(std::io::Error::other(format!(
                        "{} is a symbolic link",
                        entry.path().display()
                    )));
                }
                continue;
            }
            let path = Utf8Path::from_path(entry.path())
                .ok_or_else(|| std::io::Error::other("a path that is not UTF-8"))?;
            let inside = path.strip_prefix(&top).unwrap_or(path);
            let role = if inside.file_name() == Some("invoked.timestamp") {
                continue;
            } else if !is_run {
                role_of(inside.as_str())
            } else if !dir.ends_with("/out") && !inside.starts_with("out") {
                Role::Text
            } else {
                Role::Output
            };
            files.push(UnitFile {
                path: format!("{dir}/{}", inside.as_str().replace('\\', "/")),
                role,
            });
        }
        Ok(())
    }
}

fn role_of(file: &str) -> Role {
    match file.rsplit_once('.').map(|(_, extension)| extension) {
        Some("rlib" | "rmeta") => Role::Library,
        Some("d") => Role::Text,
        _ => Role::Output,
    }
}

/// The name that cargo gives an output when it uplifts it: without the hash,
/// and for executables with the target's own hyphens (cargo:
/// `FileType::uplift_filename`).
pub fn uplifted_name(unit: &GraphUnit, file: &str, hash: &str) -> String {
    let bare = file.replacen(&format!("-{hash}"), "", 1);
    let executable = unit.target.crate_types.iter().all(|kind| kind == "bin");
    if executable {
        bare.replacen(&crate_name(unit), &unit.target.name, 1)
    } else {
        bare
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_places_off_files() {
        let hash = "0123456789abcdef";
        let place = |path: &str, profile, package| place_of(path, profile, package);
        let spread = place(&format!("debug/deps/liba_b-{hash}.rmeta"), "debug", "a-b").unwrap();
        assert_eq!(spread.layout, Layout::Spread);
        assert_eq!(
            spread.fingerprint_dir(),
            format!("debug/.fingerprint/a-b-{hash}")
        );
        let run = place(&format!("x/debug/build/a-b-{hash}/out"), "x/debug", "a-b").unwrap();
        assert_eq!(
            run.script_stdout(),
            format!("x/debug/build/a-b-{hash}/output")
        );
        let per_unit = place(&format!("debug/build/a/{hash}/out/a"), "debug", "a").unwrap();
        assert_eq!(per_unit.layout, Layout::PerUnit);
        assert_eq!(place("debug/app", "debug", "app"), None);
        assert_eq!(place("debug/deps/libc.so", "debug", "c"), None);
    }
}
