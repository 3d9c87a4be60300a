//! What a plan makes of cargo's answers, held: settings, units, watches.

use std::collections::HashMap;

use serde_json::json;

use super::*;
use crate::plan::fixtures::{self, config, graph_unit, write};

fn inv(verb: &str, args: &[&str]) -> Invocation {
    Invocation::parse(verb, args.iter().map(|arg| (*arg).to_owned()).collect())
}

/// Units that rest on nothing.
fn graph(modes: &[&str]) -> UnitGraph {
    let unit = |mode: &&str| GraphUnit {
        dependencies: Vec::new(),
        ..graph_unit(mode, "lib", &["lib"])
    };
    UnitGraph {
        units: modes.iter().map(unit).collect(),
        roots: vec![0],
    }
}

fn package(name: &str, dir: &Utf8Path, origin: Origin) -> Package {
    Package {
        name: name.to_owned(),
        version: "0.1.0".to_owned(),
        manifest_path: dir.join("Cargo.toml"),
        origin,
    }
}

/// With one package by the id of its units.
fn workspace(dirs: &Dirs, pkg_id: &str, package: Package) -> Workspace {
    Workspace {
        root: dirs.workspace.clone(),
        target_dir: dirs.target.clone(),
        build_dir: dirs.build.clone(),
        packages: HashMap::from([(pkg_id.to_owned(), package)]),
    }
}

const ID: &str = "path+file:///ws/app#0.1.0";

#[test]
fn older_cargos_are_refused() {
    for (minor, is_refused) in [
        (Some(OLDEST_CARGO - 2), true),
        (Some(OLDEST_CARGO - 1), true),
        (Some(OLDEST_CARGO), false),
        (Some(OLDEST_CARGO + 1), false),
        (None, false),
    ] {
        assert_eq!(refuse_older(minor).is_err(), is_refused, "{minor:?}");
    }
}

#[test]
fn only_cargo_makes_documentation_and_what_is_linted() {
    let dirs = fixtures::dirs("/ws".into());
    let left = |verb: &str, origin, modes: &[&str]| -> Vec<String> {
        let workspace = workspace(&dirs, ID, package("app", "/ws/app".into(), origin));
        let mut graph = graph(modes);
        leave_to_cargo(&mut graph, &inv(verb, &[]), &workspace).unwrap();
        graph.units.into_iter().map(|unit| unit.mode).collect()
    };
    let all = ["build", "check", "test", "run-custom-build", "doc"];
    assert_eq!(left("test", Origin::Member, &all), all[..4]);
    assert_eq!(left("test", Origin::Member, &all[..1]), all[..1]);
    assert_eq!(left("clippy", Origin::Member, &all), ["run-custom-build"]);
    assert_eq!(left("clippy", Origin::External, &all), all[..4]);
}

#[test]
fn settings_are_read() {
    let text = "term.quiet = true\nterm.verbose = false\nterm.color = 'never'\n\
                term.progress.when = 'always'";
    let found = term(&config(text));
    let expected = Term {
        quiet: Some(true),
        verbose: Some(false),
        color: Some("never".into()),
        progress: Some("always".into()),
    };
    assert_eq!(found, expected);

    let deny = config("build.warnings = 'deny'");
    assert!(judges_warnings(&deny, None));
    assert!(!judges_warnings(&deny, Some("warn".into())));
    assert!(!judges_warnings(&config("build.warnings = 'warn'"), None));
    assert!(!judges_warnings(&config(""), None));

    let plain = inv("build", &[]);
    let none = config("");
    assert!(!has_target(&plain, &none, None));
    assert!(!has_target(&plain, &none, Some("".into())));
    assert!(has_target(&plain, &none, Some("x".into())));
    assert!(has_target(&plain, &config("build.target = 'x'"), None));
    assert!(has_target(&inv("build", &["--target", "x"]), &none, None));
}

#[test]
fn roots_count_with_link_time_optimisation() {
    let mut graph = graph(&["test", "build"]);
    graph.roots = vec![0, 1];
    for lto in [json!("false"), json!("off"), json!(null)] {
        graph.units[0].raw["profile"]["lto"] = lto;
        assert!(roots(&graph).is_empty());
    }
    graph.units[0].raw["profile"]["lto"] = json!("thin");
    let of = |mode| format!("app [\"lib\"] [\"lib\"] {mode}");
    assert_eq!(roots(&graph), [of("build"), of("test")]);
}

#[test]
fn units_are_planned_with_their_keys() {
    let dirs = fixtures::dirs("/ws".into());
    let workspace = workspace(
        &dirs,
        ID,
        package("app", "/ws/app".into(), Origin::External),
    );
    let none = config("");
    let common = Common::new(
        &dirs,
        &none,
        &[],
        false,
        &fixtures::toolchain("", ""),
        Digest::of(b""),
        &|_| None,
    );
    let plan = |inv: &Invocation| {
        let mut graph = graph(&["build", "doc", "run-custom-build", "build"]);
        graph.units[0].dependencies = vec![2];
        graph.units[3].dependencies = vec![1];
        let mut files = Files {
            watcher: &mut Watcher::default(),
            manifests: &mut Manifests::default(),
        };
        plan_units(&graph, inv, &dirs, &workspace, &common, &mut files).unwrap()
    };
    let (units, noted) = plan(&inv("build", &["--", "-Cx"]));
    let facts = |unit: &PlanUnit| (unit.action, unit.rank, unit.is_root, unit.deps.clone());
    assert_eq!(
        units.iter().map(facts).collect::<Vec<_>>(),
        [
            (Action::RunScript, 2, false, vec![]),
            (Action::Compile, 0, true, vec![0]),
            (Action::Other, 1, false, vec![]),
            (Action::Compile, 3, false, vec![2]),
        ]
    );
    assert_eq!(units[2].key, Err("mode doc".into()));
    assert_eq!(units[3].key, Err(format!("depends on {}", units[2].title)));
    let keys: Vec<Digest> = noted.iter().map(|noted| noted.key).collect();
    assert_eq!(
        [Ok(keys[0]), Ok(keys[1])],
        [0, 1].map(|at| units[at].key.clone())
    );
    assert_eq!(noted[0].unit, "app app lib run-custom-build");
    assert!(units[0].external && units[0].graph.raw.is_null());
    // What `cargo rustc` adds is for the root alone.
    let (with, _) = plan(&inv("rustc", &["--", "-Cx"]));
    assert_eq!(with[0].key, units[0].key);
    assert_ne!(with[1].key, units[1].key);
}

#[test]
fn a_unit_is_compiled_where_cargo_compiles_it() {
    let dirs = fixtures::dirs("/ws".into());
    let planned = |pkg_id: &str, source: &str, origin| {
        let mut unit = graph_unit("build", "lib", &["lib"]);
        unit.pkg_id = pkg_id.to_owned();
        unit.target.src_path = source.to_owned();
        let package = package("app", "/p/app".into(), origin);
        let key = Ok(Digest::of(b""));
        plan_unit(&unit, &package, &dirs, Action::Compile, key, Vec::new())
    };
    let member = planned(ID, "/ws/app/src/lib.rs", Origin::Member);
    assert_eq!(member.compile_dir, "/ws");
    assert!(!member.external && member.shows_warnings);
    assert!(!member.linkable, "it is compiled incrementally");
    assert_eq!(member.dep_names, ["dep"]);
    assert_eq!(member.package_dir, "/p/app");
    let path = planned(ID, "/p/app/src/lib.rs", Origin::Path);
    assert_eq!(path.compile_dir, "/p/app");
    let vendored = planned("registry+x#app", "/ws/vendor/src/lib.rs", Origin::External);
    assert_eq!(vendored.compile_dir, "/p/app");
    assert!(vendored.external);
}

#[test]
fn titles_name_units() {
    let dir = Utf8Path::new("/ws/app");
    for (mode, kind, test, what) in [
        (
            "run-custom-build",
            "custom-build",
            false,
            "build script run",
        ),
        ("build", "custom-build", false, "build script"),
        ("build", "proc-macro", false, "proc-macro"),
        ("build", "lib", false, "lib"),
        ("test", "lib", true, "lib \"app\" test"),
        ("build", "bin", false, "bin \"app\""),
        ("test", "bin", true, "bin \"app\" test"),
    ] {
        let mut unit = graph_unit(mode, kind, &["lib"]);
        unit.test = test;
        let package = package("app", dir, Origin::Member);
        assert_eq!(title(&unit, &package), format!("app 0.1.0 ({what})"));
    }
}

#[test]
fn target_specifications_are_read_and_watched() {
    let (_guard, dir) = fixtures::dir();
    let file = dir.join("x.json");
    let of = |platform: Option<&str>| {
        let mut unit = graph_unit("build", "lib", &["lib"]);
        unit.platform = platform.map(str::to_owned);
        let mut watcher = Watcher::default();
        let digest = target_spec(&unit, &mut watcher);
        (digest.ok(), watcher.finish().len())
    };
    assert_eq!(of(None), (Some(None), 0));
    assert_eq!(of(Some("x86_64-unknown-linux-gnu")), (Some(None), 0));
    assert_eq!(of(Some(file.as_str())), (None, 1));
    write(&file, "{}");
    let digest = Some(Digest::of(b"{}"));
    assert_eq!(of(Some(file.as_str())), (Some(digest), 1));
}

#[test]
fn the_last_line_names_the_profile() {
    let mut graph = graph(&["build"]);
    let mut of = |opt_level: &str, debuginfo: &str| {
        let profile = &mut graph.units[0].profile;
        profile.opt_level = opt_level.to_owned();
        profile.debuginfo = debuginfo.to_owned();
        finished(&graph)
    };
    for (opt_level, debuginfo, what) in [
        ("0", "2", "[unoptimized + debuginfo]"),
        ("3", "0", "[optimized]"),
    ] {
        let expected = format!("`dev` profile {what} target(s)");
        assert_eq!(of(opt_level, debuginfo), expected);
    }
}

#[test]
fn what_cannot_be_watched_is_left_to_cargo() {
    let none = Vec::new();
    let plain = inv("build", &["--release"]);
    let why = |inv: &Invocation, config: &Config, variables: &[(String, String)]| {
        unwatched(inv, config, variables).map(|why| why.contains("lock file"))
    };
    let variable = |name: &str, value: &str| vec![(name.to_owned(), value.to_owned())];
    assert_eq!(
        why(&plain, &config("a = 1"), &variable("RUSTFLAGS", "-O")),
        None
    );
    for (args, is_lock) in [("--sysroot=x", false), ("-Zlockfile-path", true)] {
        assert_eq!(
            why(&inv("rustc", &["--", args]), &config(""), &none),
            Some(is_lock)
        );
    }
    for (text, is_lock) in [
        ("build.rustflags = ['--sysroot=x']", false),
        ("resolver.lockfile-path = 'x'", true),
    ] {
        assert_eq!(why(&plain, &config(text), &none), Some(is_lock));
    }
    for (name, value, is_lock) in [
        ("RUSTFLAGS", "--sysroot x", false),
        ("CARGO_RESOLVER_LOCKFILE_PATH", "x/Cargo.lock", true),
        ("CARGO_ARGS", "--config resolver.lockfile-path=x", true),
    ] {
        let variables = variable(name, value);
        assert_eq!(why(&plain, &config(""), &variables), Some(is_lock));
    }
}
