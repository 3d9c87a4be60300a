//! What the unit tests of this room are about: a plan with sources on disk, and
//! what cargo said of it. Nothing of it is part of the program.

use camino::Utf8PathBuf;
use filetime::FileTime;
use fs_err as fs;

use super::run::Built;
use crate::cache::Store;
use crate::cache::system::set_time;
use crate::cargo::layout::{crate_name, place_of};
use crate::plan::fixtures;
use crate::plan::{Dirs, Plan, PlanUnit};

/// When everything here was built, in seconds since 1970: in the future, so that
/// no change time of today is after it.
pub const BUILT: i64 = 2_100_000_000;

/// A build, its directories and a store.
pub struct Bench {
    _guard: tempfile::TempDir,
    /// Build and target directory lie apart from each other and the workspace.
    pub dirs: Dirs,
    pub store: Store,
    pub units: Vec<PlanUnit>,
    pub built: Built,
}

impl Bench {
    pub fn new() -> Bench {
        let (guard, dir) = fixtures::dir();
        Bench {
            _guard: guard,
            dirs: Dirs {
                workspace: dir.join("ws"),
                build: dir.join("of/build"),
                target: dir.join("at/target"),
                cargo_home: dir.join("home"),
            },
            store: Store::open(&dir.join("cache")),
            units: Vec::new(),
            built: Built {
                places: Vec::new(),
                artifacts: Vec::new(),
                scripts: Vec::new(),
            },
        }
    }

    /// Adds a unit with one source file; it knows its dependencies by their
    /// packages' names.
    pub fn add(&mut self, name: &str, kind: &str, deps: &[usize], source: &str) -> usize {
        self.store.prepare().unwrap();
        let mut unit = fixtures::unit(name, &self.dirs, deps);
        unit.graph.target.name = name.to_owned();
        unit.graph.target.kind = vec![kind.to_owned()];
        unit.dep_names = deps
            .iter()
            .map(|&d| self.units[d].package.clone())
            .collect();
        let krate = crate_name(&unit.graph);
        let output = format!("debug/deps/{krate}-0123456789abcdef.d");
        self.built.places.push(place_of(&output, "debug", name));
        self.built.artifacts.push(None);
        self.built.scripts.push(None);
        let path = self.source(name, source.as_bytes());
        let output = self.dirs.build.join(output);
        fixtures::write(&output, &format!("{output}: {path}\n"));
        self.units.push(unit);
        self.units.len() - 1
    }

    /// The path of a package's source file.
    fn path(&self, name: &str) -> Utf8PathBuf {
        self.dirs.workspace.join(name).join("src/lib.rs")
    }

    /// Writes it.
    pub fn source(&self, name: &str, content: &[u8]) -> Utf8PathBuf {
        let path = self.path(name);
        fixtures::write(&path, "");
        fs::write(&path, content).unwrap();
        path
    }

    /// Removes it.
    pub fn remove(&self, name: &str) {
        fs::remove_file(self.path(name)).unwrap();
    }

    /// Writes a file, changed that many seconds after the build.
    pub fn file(&self, path: Utf8PathBuf, after: i64) -> Utf8PathBuf {
        fixtures::write(&path, "content");
        set_time(&path, FileTime::from_unix_time(BUILT + after, 0)).unwrap();
        path
    }

    pub fn plan(&self) -> Plan {
        fixtures::plan(&self.dirs, self.units.clone())
    }
}
