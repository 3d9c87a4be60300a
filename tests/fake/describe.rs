//! What there is to build, and how cargo tells it.

use std::collections::HashMap;
use std::collections::hash_map::DefaultHasher;
use std::fs;
use std::hash::{Hash, Hasher};
use std::path::PathBuf;

use serde_json::{Value, json};

use super::{Changed, changed, is_set};

/// The workspace in the current directory.
pub struct Workspace {
    pub root: PathBuf,
    /// Every one after its dependencies.
    pub units: Vec<Unit>,
}

/// One unit.
pub struct Unit {
    pub package: String,
    /// `lib`, `proc-macro`, `bin`, `custom-build`; the last one also for runs.
    pub kind: String,
    pub is_run: bool,
    pub deps: Vec<usize>,
    pub dir: PathBuf,
}

impl Workspace {
    pub fn here() -> Workspace {
        let root = std::env::current_dir().unwrap();
        let text = fs::read(root.join("fake.json")).unwrap();
        let described: Value = serde_json::from_slice(&text).unwrap();
        let mut units: Vec<Unit> = Vec::new();
        let mut libs: HashMap<String, usize> = HashMap::new();
        for package in described["packages"].as_array().unwrap() {
            let name = package["name"].as_str().unwrap().to_owned();
            let dir = root.join(&name);
            let unit = |kind: &str, is_run, deps| Unit {
                package: name.clone(),
                kind: kind.to_owned(),
                is_run,
                deps,
                dir: dir.clone(),
            };
            let mut deps: Vec<usize> = Vec::new();
            for dep in package["deps"].as_array().unwrap() {
                deps.push(libs[dep.as_str().unwrap()]);
            }
            if dir.join("build.rs").is_file() {
                units.push(unit("custom-build", false, Vec::new()));
                units.push(unit("custom-build", true, vec![units.len() - 1]));
                deps.push(units.len() - 1);
            }
            let kind = package["kind"].as_str().unwrap();
            if kind == "lib" || kind == "proc-macro" {
                libs.insert(name.clone(), units.len());
            }
            units.push(unit(kind, false, deps));
        }
        Workspace { root, units }
    }

    pub fn target(&self) -> PathBuf {
        let given = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
        given.map_or_else(|| self.root.join("target"), |dir| self.root.join(dir))
    }

    pub fn metadata(&self, with_graph: bool) -> Value {
        let named: Vec<&Unit> = self.units.iter().filter(|unit| unit.is_root()).collect();
        let mut targets_of: HashMap<&str, Vec<Value>> = HashMap::new();
        for unit in self.units.iter().filter(|unit| !unit.is_run) {
            let targets = targets_of.entry(&unit.package).or_default();
            targets.push(unit.target_json());
        }
        let packages: Vec<Value> = named
            .iter()
            .map(|unit| {
                let targets = &targets_of[unit.package.as_str()];
                let deps: Vec<Value> = unit
                    .deps
                    .iter()
                    .map(|&dep| &self.units[dep])
                    .filter(|dep| dep.package != unit.package)
                    .map(|dep| {
                        json!({"name": dep.package, "source": null, "req": "*", "kind": null,
                            "rename": null, "optional": false, "uses_default_features": true,
                            "features": [], "target": null, "registry": null, "path": dep.dir})
                    })
                    .collect();
                json!({"name": unit.package, "version": "0.1.0", "id": unit.id(),
                    "license": null, "license_file": null, "description": null, "source": null,
                    "dependencies": deps, "targets": targets, "features": {},
                    "manifest_path": unit.dir.join("Cargo.toml"), "metadata": null,
                    "publish": null, "authors": [], "categories": [], "keywords": [],
                    "readme": null, "repository": null, "homepage": null,
                    "documentation": null, "edition": "2024", "links": null,
                    "default_run": null, "rust_version": null})
            })
            .collect();
        let ids: Vec<String> = named.iter().map(|unit| unit.id()).collect();
        let nodes: Vec<Value> = named
            .iter()
            .map(|unit| {
                let deps = unit.deps.iter().map(|&dep| &self.units[dep]);
                let deps: Vec<&Unit> = deps.filter(|dep| dep.package != unit.package).collect();
                let ids: Vec<String> = deps.iter().map(|dep| dep.id()).collect();
                let edges: Vec<Value> = deps
                    .iter()
                    .map(|dep| {
                        json!({"name": dep.crate_name(), "pkg": dep.id(),
                            "dep_kinds": [{"kind": null, "target": null}]})
                    })
                    .collect();
                json!({"id": unit.id(), "dependencies": ids, "deps": edges, "features": []})
            })
            .collect();
        let resolve = json!({"nodes": nodes, "root": null});
        json!({"packages": packages, "workspace_members": ids,
            "workspace_default_members": ids,
            "resolve": if with_graph { resolve } else { Value::Null },
            "target_directory": self.target(), "build_directory": self.target(),
            "version": 1, "workspace_root": self.root, "metadata": null})
    }

    pub fn unit_graph(&self) -> Value {
        let units: Vec<Value> = self
            .units
            .iter()
            .map(|unit| {
                let deps: Vec<Value> = unit
                    .deps
                    .iter()
                    .map(|&dep| {
                        json!({"index": dep, "extern_crate_name": self.units[dep].crate_name(),
                            "public": false, "noprelude": false, "nounused": false})
                    })
                    .collect();
                let mut profile = json!({"name": "dev", "opt_level": "0", "lto": "false",
                    "codegen_backend": null, "codegen_units": null, "debuginfo": 2,
                    "split_debuginfo": null, "debug_assertions": true, "overflow_checks": true,
                    "rpath": false, "incremental": false, "panic": "unwind",
                    "strip": {"deferred": "None"}});
                if changed() == Changed::UnitGraphField {
                    profile.as_object_mut().unwrap().remove("opt_level");
                }
                json!({"pkg_id": unit.id(), "target": unit.target_json(), "profile": profile,
                    "platform": null, "mode": unit.mode(), "features": [],
                    "dependencies": deps})
            })
            .collect();
        let is_root = |at: &usize| self.units[*at].is_root();
        let roots: Vec<usize> = (0..self.units.len()).filter(is_root).collect();
        let version = match changed() {
            Changed::UnitGraphVersion => 2,
            _ => 1,
        };
        json!({"version": version, "units": units, "roots": roots})
    }
}

impl Unit {
    pub fn is_root(&self) -> bool {
        self.kind != "custom-build"
    }

    pub fn id(&self) -> String {
        let path = self.dir.to_str().unwrap().replace('\\', "/");
        let path = path.replace(' ', "%20");
        let slash = if path.starts_with('/') { "" } else { "/" };
        format!("path+file://{slash}{path}#0.1.0")
    }

    fn mode(&self) -> &'static str {
        match self.is_run {
            true => "run-custom-build",
            false => "build",
        }
    }

    pub fn target_name(&self) -> &str {
        match self.kind.as_str() {
            "custom-build" => "build-script-build",
            _ => &self.package,
        }
    }

    pub fn crate_name(&self) -> String {
        self.target_name().replace('-', "_")
    }

    pub fn source(&self) -> PathBuf {
        match self.kind.as_str() {
            "custom-build" => self.dir.join("build.rs"),
            "bin" => self.dir.join("src").join("main.rs"),
            _ => self.dir.join("src").join("lib.rs"),
        }
    }

    pub fn target_json(&self) -> Value {
        let crate_type = match self.kind.as_str() {
            "custom-build" => "bin",
            kind => kind,
        };
        let has_tests = self.kind != "custom-build";
        json!({"kind": [self.kind], "crate_types": [crate_type], "name": self.target_name(),
            "src_path": self.source(), "edition": "2024", "doc": has_tests,
            "doctest": self.kind == "lib", "test": has_tests})
    }

    pub fn hash(&self) -> u64 {
        hash(&(&self.package, &self.kind, self.is_run))
    }

    pub fn print_name(&self) -> String {
        let kind = match (self.kind.as_str(), self.is_run) {
            ("custom-build", true) => "run-build-script",
            ("custom-build", false) => "build-script",
            ("bin", _) => "bin",
            _ => "lib",
        };
        format!("{kind}-{}", self.target_name())
    }

    /// What output files are called after. MSVC's executables have no hash.
    pub fn stem(&self) -> String {
        match self.kind.as_str() {
            "bin" if is_set("FAKE_MSVC", "1") => self.crate_name(),
            _ => format!("{}-{:016x}", self.crate_name(), self.hash()),
        }
    }

    /// The output files, and what each of them is.
    pub fn files(&self) -> Vec<(String, String)> {
        let msvc = is_set("FAKE_MSVC", "1");
        let windows = cfg!(windows) || msvc;
        let stem = self.stem();
        let mut files = match self.kind.as_str() {
            "lib" => vec![
                (format!("lib{stem}.rlib"), "rlib"),
                (format!("lib{stem}.rmeta"), "rmeta"),
            ],
            "proc-macro" if windows => vec![(format!("{stem}.dll"), "macro")],
            "proc-macro" => vec![(format!("lib{stem}.so"), "macro")],
            _ if windows => vec![(format!("{stem}.exe"), "bin")],
            _ => vec![(stem.clone(), "bin")],
        };
        if msvc && self.kind != "lib" {
            files.push((format!("{stem}.pdb"), "pdb"));
        }
        if msvc && self.kind == "proc-macro" {
            files.push((format!("{stem}.dll.lib"), "import library"));
            files.push((format!("{stem}.dll.exp"), "exports"));
        }
        files
            .into_iter()
            .map(|(name, what)| (name, what.to_owned()))
            .collect()
    }
}

/// A digest that is the same in every process.
pub fn hash(what: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    what.hash(&mut hasher);
    hasher.finish()
}
