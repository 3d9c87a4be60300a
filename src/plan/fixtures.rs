//! What the unit tests of this room are about: units, variants and the states
//! of units, made by hand. Nothing of it is part of the program.

use camino::{Utf8Path, Utf8PathBuf};
use fs_err as fs;
use serde_json::json;

use super::inputs::Stamp;
use super::state::{SeenFile, UnitState};
use super::{Dirs, Plan, PlanUnit};
use crate::cache::Store;
use crate::cache::record::{Home, Variant};
use crate::cargo::config::{Config, ConfigFile};
use crate::cargo::diagnostics::Named;
use crate::cargo::toolchain::Toolchain;
use crate::cargo::unit_graph::{GraphUnit, UnitGraph};
use crate::unit::{Action, Digest, Role};

/// A directory that goes with the guard.
pub fn dir() -> (tempfile::TempDir, Utf8PathBuf) {
    let guard = tempfile::tempdir().unwrap();
    let path = Utf8PathBuf::from_path_buf(guard.path().to_owned()).unwrap();
    (guard, path)
}

/// The directories of a build in a workspace at `workspace`.
pub fn dirs(workspace: &Utf8Path) -> Dirs {
    Dirs {
        workspace: workspace.to_owned(),
        build: workspace.join("target"),
        target: workspace.join("target"),
        cargo_home: workspace.join("home"),
    }
}

/// A toolchain whose cargo and compiler say this of themselves.
pub fn toolchain(cargo: &str, rustc: &str) -> Toolchain {
    Toolchain {
        rustc: "rustc".into(),
        verbose_version: rustc.into(),
        host: String::new(),
        sysroot: "/toolchain".into(),
        cargo_version: cargo.into(),
        files: Vec::new(),
        dirs: Vec::new(),
    }
}

/// A unit of a path package in `/ws/app`, as cargo prints one.
pub fn graph_unit(mode: &str, kind: &str, crate_types: &[&str]) -> GraphUnit {
    let graph = json!({"version": 1, "roots": [0], "units": [{
        "pkg_id": "path+file:///ws/app#0.1.0", "mode": mode, "platform": null, "features": [],
        "target": {"kind": [kind], "crate_types": crate_types, "name": "app",
            "src_path": "/ws/app/src/lib.rs"},
        "profile": {"name": "dev", "opt_level": "0", "debuginfo": 2, "debug_assertions": true,
            "overflow_checks": true, "incremental": true},
        "dependencies": [{"index": 0, "extern_crate_name": "dep"}],
    }]});
    let mut graph = UnitGraph::parse(graph.to_string().as_bytes()).unwrap();
    graph.units.remove(0)
}

/// A unit that compiles a library; its key is the digest of its name.
pub fn unit(name: &str, dirs: &Dirs, deps: &[usize]) -> PlanUnit {
    PlanUnit {
        graph: graph_unit("build", "lib", &["lib"]),
        title: name.to_owned(),
        package: name.to_owned(),
        version: "0.1.0".to_owned(),
        package_dir: dirs.workspace.join(name),
        compile_dir: dirs.workspace.clone(),
        action: Action::Compile,
        key: Ok(Digest::of(name.as_bytes())),
        deps: deps.to_vec(),
        dep_names: vec![String::new(); deps.len()],
        is_root: false,
        rank: 0,
        shows_warnings: true,
        linkable: true,
        artifact_head: String::new(),
        named: Named {
            description: name.to_owned(),
            fix: None,
        },
        external: false,
    }
}

/// A plan of these units.
pub fn plan(dirs: &Dirs, units: Vec<PlanUnit>) -> Plan {
    Plan {
        dirs: dirs.clone(),
        cargo_minor: None,
        profile_dirs: vec!["debug".to_owned()],
        units,
        finished: String::new(),
        warnings: String::new(),
        wrapped: false,
        judges_warnings: false,
        term: super::Term::default(),
    }
}

/// A variant with this output that was built in `dirs` and rests on nothing.
pub fn variant(output: &str, dirs: &Dirs, store: &Store) -> Variant {
    store.prepare().unwrap();
    Variant {
        output: Digest::of(output.as_bytes()),
        home: Home {
            workspace: dirs.workspace.to_string(),
            build: dirs.build.to_string(),
        },
        bound: None,
        unknown_inputs: None,
        inputs: Vec::new(),
        env: Vec::new(),
        deps: Vec::new(),
        files: Vec::new(),
        pack: store.blobs().put(b"pack").unwrap(),
        filenames: Vec::new(),
        executable: false,
        build_ms: 1,
        recorded: 1,
        distrusted: false,
    }
}

/// A unit with this output that is in place and rests on nothing.
pub fn unit_state(output: &str, files: Vec<SeenFile>) -> UnitState {
    UnitState {
        output: Digest::of(output.as_bytes()),
        deps: Vec::new(),
        build_ms: 1,
        unknown_inputs: false,
        inputs: Vec::new(),
        env: Vec::new(),
        files,
        uplifted: Vec::new(),
        filenames: Vec::new(),
        executable: false,
        script: None,
        script_messages: Vec::new(),
        diagnostics: String::new(),
    }
}

/// Writes a file.
pub fn write(path: &Utf8Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// Writes a file of a unit below the build directory.
pub fn seen(dirs: &Dirs, path: &str, role: Role) -> SeenFile {
    let file = dirs.build.join(path);
    write(&file, path);
    let stamp = Stamp::of(&file).unwrap();
    SeenFile {
        path: path.to_owned(),
        role,
        size: stamp.size,
        modified: stamp.modified,
        inode: stamp.inode,
    }
}

/// Configuration of one file with this text.
pub fn config(text: &str) -> Config {
    Config {
        files: vec![ConfigFile {
            path: "/ws/.cargo/config.toml".into(),
            table: text.parse().unwrap(),
        }],
        candidates: Vec::new(),
    }
}
