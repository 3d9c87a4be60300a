//! Answers that are kept, held: where, which, and when they count again.

use serde_json::json;

use super::*;
use crate::cargo::config::ConfigFile;
use crate::cargo::unit_graph::GraphUnit;
use crate::plan::fixtures::{self, toolchain, write};
use crate::plan::inputs::Memo;

fn inv(args: &[&str]) -> Invocation {
    Invocation::parse("build", args.iter().map(|arg| (*arg).to_owned()).collect())
}

/// A workspace with a lock file and a member, and a home beside it.
struct Ws {
    _guard: tempfile::TempDir,
    base: Utf8PathBuf,
    root: Utf8PathBuf,
    home: Utf8PathBuf,
}

fn ws(name: &str) -> Ws {
    let guard = tempfile::Builder::new().prefix("zb").tempdir().unwrap();
    let base = Utf8PathBuf::from_path_buf(guard.path().to_owned()).unwrap();
    let root = base.join(name);
    write(&root.join("Cargo.lock"), "lock");
    write(&root.join("Cargo.toml"), "[workspace]");
    write(&root.join("app/Cargo.toml"), "app");
    Ws {
        _guard: guard,
        home: base.join("home"),
        base,
        root,
    }
}

impl Ws {
    fn place_in(&self, cwd: &Utf8Path, inv: &Invocation, config: &Config) -> Option<Place> {
        Place::find_with("cargo", inv, cwd, config, &self.home, &[])
    }

    fn place(&self) -> Place {
        self.place_in(&self.root, &inv(&[]), &Config::default())
            .unwrap()
    }

    fn with_variable(&self, name: &str, value: &str) -> Option<Place> {
        let variables = [(name.to_owned(), value.to_owned())];
        let none = Config::default();
        Place::find_with(
            "cargo",
            &inv(&[]),
            &self.root,
            &none,
            &self.home,
            &variables,
        )
    }

    fn config_at(&self, path: &Utf8Path, text: &str) -> Option<Place> {
        let file = ConfigFile {
            path: path.to_owned(),
            table: text.parse().unwrap(),
        };
        let config = Config {
            files: vec![file],
            candidates: Vec::new(),
        };
        self.place_in(&self.root, &inv(&[]), &config)
    }
}

#[test]
fn a_place_is_known_by_what_is_in_it() {
    let (one, two) = (ws("one"), ws("two"));
    let named = |ws: &Ws| {
        let (inv, none) = (inv(&[]), Config::default());
        let place = Place::find_with("cargo", &inv, &ws.root, &none, "/home".into(), &[]);
        place.unwrap().name
    };
    assert_eq!(named(&one), named(&two));
    assert_eq!(one.place().root, one.root);
    assert_eq!(one.place().named_targets, Vec::<Utf8PathBuf>::new());
    let plain = one.place().name;
    let none = Config::default();
    let other = |place: Option<Place>| {
        let place = place.unwrap();
        assert_ne!(place.name, plain);
        assert_eq!(place.root, one.root);
    };
    other(one.place_in(&one.root.join("app"), &inv(&[]), &none));
    other(one.place_in(&one.root, &inv(&["--release"]), &none));
    let by_path = inv(&["--manifest-path", "app/Cargo.toml"]);
    other(one.place_in(&one.root, &by_path, &none));
    let file = one.root.join(".cargo/config.toml");
    other(one.config_at(&file, "a = 1"));
    assert_ne!(
        one.config_at(&file, "a = 1").unwrap().name,
        one.config_at(&file, "a = 2").unwrap().name
    );
    let in_member = one.root.join("app/.cargo/config.toml");
    assert_ne!(
        one.config_at(&file, "a = 1").unwrap().name,
        one.config_at(&in_member, "a = 1").unwrap().name
    );
    other(one.config_at(&one.home.join("config.toml"), "a = 1"));
    write(&one.root.join("Cargo.lock"), "another");
    other(one.place_in(&one.root, &inv(&[]), &none));
}

#[test]
fn where_something_outside_counts_there_is_no_place() {
    let none = Config::default();
    let one = ws("one");
    let no = |place: Option<Place>| assert_eq!(place, None);
    no(one.place_in(&one.base, &inv(&[]), &none));
    let by_path = inv(&["--manifest-path", "one/app/Cargo.toml"]);
    no(one.place_in(&one.base, &by_path, &none));
    no(one.config_at(&one.base.join(".cargo/config.toml"), "a = 1"));
    let inside = one.root.join(".cargo/config.toml");
    no(one.config_at(&inside, &format!("a = '{}/x'", one.root)));
    let named = format!("--target-dir={}", one.root.join("t"));
    no(one.place_in(&one.root, &inv(&[&named]), &none));
    no(one.with_variable("RUSTFLAGS", &format!("-L{}", one.root)));
    assert!(one.with_variable("RUSTFLAGS", "-Lx").is_some());
    let mut toolchain = inv(&[]);
    toolchain.toolchain = Some(one.root.to_string());
    no(one.place_in(&one.root, &toolchain, &none));
    for home in [one.root.join("home"), one.base.clone(), one.root.clone()] {
        let found = Place::find_with("cargo", &inv(&[]), &one.root, &none, &home, &[]);
        assert_eq!(found, None, "{home}");
    }
    let strange = ws("a b");
    no(strange.place_in(&strange.root, &inv(&[]), &none));
    let by_dot = inv(&["--manifest-path", "./Cargo.toml"]);
    let place = one.place_in(&one.root, &by_dot, &none).unwrap();
    assert_eq!(place.root.as_str(), one.root.as_str());
    let mut moved = inv(&[]);
    moved.directory = Some("x".into());
    no(one.place_in(&one.root, &moved, &none));
    let dots = one.base.join("x/../one");
    fs::create_dir_all(one.base.join("x")).unwrap();
    no(one.place_in(&dots, &inv(&[]), &none));
    write(&one.base.join("Cargo.toml"), "");
    no(one.place_in(&one.root, &inv(&[]), &none));
    fs::remove_file(one.base.join("Cargo.toml")).unwrap();
    assert!(one.place_in(&one.root, &inv(&[]), &none).is_some());
    fs::remove_file(one.root.join("Cargo.lock")).unwrap();
    no(one.place_in(&one.root, &inv(&[]), &none));
}

#[test]
fn target_directories_are_named_in_each_way() {
    let one = ws("one");
    let named = |place: Option<Place>| place.unwrap().named_targets;
    let elsewhere = one.base.join("elsewhere");
    let none = Config::default();
    for name in ["CARGO_TARGET_DIR", "CARGO_BUILD_TARGET_DIR"] {
        let place = one.with_variable(name, elsewhere.as_str());
        assert_eq!(named(place), std::slice::from_ref(&elsewhere));
        assert_eq!(
            named(one.with_variable(name, "x")),
            Vec::<Utf8PathBuf>::new()
        );
    }
    // One in the workspace is the same place in another checkout.
    let two = ws("two");
    let inside = |ws: &Ws, name: &str| {
        let variable = [(
            "CARGO_TARGET_DIR".to_owned(),
            ws.root.join(name).into_string(),
        )];
        let (inv, home) = (inv(&[]), "/home".into());
        let place = Place::find_with("cargo", &inv, &ws.root, &none, home, &variable);
        place.unwrap()
    };
    assert_eq!(inside(&one, "t").name, inside(&two, "t").name);
    assert_ne!(inside(&one, "t").name, inside(&two, "other").name);
    assert_eq!(inside(&one, "t").named_targets, Vec::<Utf8PathBuf>::new());
    assert_eq!(one.with_variable("RUSTFLAGS", one.root.as_str()), None);
    let other = one.with_variable("CARGO_BUILD_BUILD_DIR", elsewhere.as_str());
    assert_eq!(named(other), Vec::<Utf8PathBuf>::new());
    let by_argument = inv(&["--target-dir", elsewhere.as_str()]);
    let by_argument = one.place_in(&one.root, &by_argument, &none);
    assert_eq!(named(by_argument), std::slice::from_ref(&elsewhere));
    let text = format!("[build]\ntarget-dir = '{elsewhere}'");
    let by_config = one.config_at(&one.home.join("config.toml"), &text);
    assert_eq!(named(by_config), [elsewhere]);
}

#[test]
fn directories_that_are_written_the_same_everywhere() {
    for (dir, is) in [
        ("/ws", true),
        ("/a-b/c_d.e/1", true),
        ("/a b", false),
        ("/ä", false),
        ("/a%20b", false),
        ("/a/../b", false),
        ("/", false),
        ("a/b", false),
        ("/a:b", cfg!(windows)),
    ] {
        if !cfg!(windows) {
            assert_eq!(is_plain(dir.into()), is, "{dir}");
        }
    }
    assert_eq!(url("/a/b".into()), "/a/b");
    assert_eq!(url(r"C:\a\b".into()), "/C:/a/b");
}

fn place_at(root: &str) -> Place {
    Place {
        name: Digest::of(b"name"),
        root: root.into(),
        cargo_home: "/home".into(),
        named_targets: vec!["/t".into()],
        programs: Vec::new(),
    }
}

#[test]
fn texts_move_and_come_back() {
    let one = place_at("/w/app");
    let two = place_at("/other");
    for (here, there) in [
        ("/w/app", "/other"),
        ("/w/app/src/lib.rs", "/other/src/lib.rs"),
        ("/w/app2/src/lib.rs", "/w/app2/src/lib.rs"),
        (
            "path+file:///w/app/leaf#0.1.0",
            "path+file:///other/leaf#0.1.0",
        ),
        (
            "path+file:///w/app/leaf#x@0.1.0",
            "path+file:///other/leaf#x@0.1.0",
        ),
        ("path+file:///w/app#0.1.0", "path+file:///other#app@0.1.0"),
        ("path+file:///w/app#x@0.1.0", "path+file:///other#x@0.1.0"),
        ("path+file:///w/app#other@0.1.0", "path+file:///other#0.1.0"),
        ("path+file:///w/app2#0.1.0", "path+file:///w/app2#0.1.0"),
        ("path+file:///x#0.1.0", "path+file:///x#0.1.0"),
        (
            "registry+https://x#itoa@1.0.0",
            "registry+https://x#itoa@1.0.0",
        ),
        ("", ""),
    ] {
        let kept = one.unrooted(here);
        assert_eq!(one.rooted(&kept), here);
        assert_eq!(two.rooted(&kept), there);
        assert_eq!(two.unrooted(there), kept, "{there}");
    }
    assert!(one.is_told("-L/w/app/x") && one.is_told("git+file:///w/app"));
    let elsewhere = if cfg!(windows) {
        "C:/y/w/app/x"
    } else {
        "/y/w/app/x"
    };
    assert!(!one.is_told(elsewhere) && !one.is_told("registry+file:///w/app"));
}

fn unit(raw: &[(&str, Value)]) -> GraphUnit {
    let mut unit = fixtures::graph_unit("build", "lib", &["lib"]).raw;
    for (path, value) in raw {
        *unit.pointer_mut(path).unwrap() = value.clone();
    }
    unit["dependencies"] = json!([]);
    UnitGraph::of(vec![unit], vec![0]).unwrap().units.remove(0)
}

fn graph(unit: GraphUnit) -> UnitGraph {
    UnitGraph {
        units: vec![unit],
        roots: vec![0],
    }
}

fn workspace(root: &str, package: &str, origin: Origin) -> Workspace {
    let root = Utf8PathBuf::from(root);
    let package = Package {
        name: "app".into(),
        version: "0.1.0".into(),
        manifest_path: Utf8Path::new(package).join("Cargo.toml"),
        origin,
    };
    let id = format!("path+file://{}#0.1.0", root.join("app"));
    Workspace {
        target_dir: root.join("target"),
        build_dir: root.join("target"),
        root,
        packages: [(id, package)].into(),
    }
}

#[test]
fn answers_that_name_something_outside_are_not_kept() {
    let member = || workspace("/ws", "/ws/app", Origin::Member);
    let draft = |graph, warnings: &str, workspace: Workspace| {
        Draft::new(place_at("/ws"), &graph, warnings, &workspace).is_some()
    };
    let plain = || graph(unit(&[]));
    assert!(draft(plain(), "", member()));
    assert!(!draft(plain(), "warning: /ws/Cargo.toml", member()));
    let of = |package, origin| draft(plain(), "", workspace("/ws", package, origin));
    assert!(of("/ws/app", Origin::Path) && of("/home/x", Origin::External));
    assert!(!of("/x", Origin::Path) && !of("/x", Origin::Member));
    assert!(!of("/ws/vendor/x", Origin::External) && !of("/x", Origin::External));
    assert!(!of("/./ws/app", Origin::Member), "it could not be moved");
    let with = |change: &dyn Fn(&mut Workspace)| {
        let mut workspace = member();
        change(&mut workspace);
        draft(plain(), "", workspace)
    };
    assert!(!with(&|w| w.root = "/ws/app".into()));
    assert!(!with(&|w| w.build_dir = "/ws/build".into()));
    let target = |dir: &str| {
        with(&|w| {
            w.target_dir = dir.into();
            w.build_dir = dir.into();
        })
    };
    assert!(target("/ws/t") && target("/t") && !target("/other"));
    let of = |raw: &[(&str, Value)]| draft(graph(unit(raw)), "", member());
    assert!(!of(&[("/target/src_path", json!("/x/lib.rs"))]));
    assert!(!of(&[("/pkg_id", json!("registry+https://x#itoa@1.0.0"))]));
    let registry = ("/pkg_id", json!("registry+https://x#itoa@1.0.0"));
    assert!(of(&[
        registry.clone(),
        ("/target/src_path", json!("/home/lib.rs"))
    ]));
    assert!(!of(&[registry, ("/target/src_path", json!("/x/lib.rs"))]));
    assert!(of(&[("/platform", json!("x86_64-unknown-linux-gnu"))]));
    assert!(!of(&[("/platform", json!("x.json"))]));
    assert!(!of(&[("/features", json!(["-L/ws/x"]))]));
    assert!(!of(&[("/features", json!(["\u{0}/x"]))]));
}

/// Compiler and cargo, as they have described themselves.
fn tools(toolchain: &Toolchain, compiler: Digest) -> Tools {
    Tools::new(toolchain, compiler, &[], &[], &Memo::default())
}

/// What cargo would answer by what was kept.
fn answers(
    bytes: &[u8],
    place: &Place,
    toolchain: &Toolchain,
    compiler: Digest,
) -> Option<(UnitGraph, Workspace)> {
    Kept::read(bytes)?.answers(place, toolchain, compiler)
}

#[test]
fn answers_count_where_all_is_the_same() {
    let (one, two) = (ws("one"), ws("two"));
    let src = |ws: &Ws| ws.root.join("app/src/lib.rs");
    let id = |ws: &Ws| format!("path+file://{}#0.1.0", url(&ws.root.join("app")));
    let raw = [
        ("/target/src_path", json!(src(&one))),
        ("/pkg_id", json!(id(&one))),
    ];
    let app = one.root.join("app");
    let mut workspace = workspace(one.root.as_str(), app.as_str(), Origin::Member);
    let package = workspace.packages.drain().next().unwrap().1;
    workspace.packages.insert(id(&one), package);
    let mut watcher = watch::Watcher::default();
    watcher.add(one.root.join("app/Cargo.toml"), WatchKind::File);
    watcher.add(one.root.join("none"), WatchKind::File);
    watcher.package(&app);
    watcher.add(one.root.join("Cargo.toml"), WatchKind::Stamp);
    watcher.add(one.base.join("elsewhere"), WatchKind::File);
    let graph_of = |raw: &[(&str, Value)]| graph(unit(raw));
    let workspace_of_one = workspace;
    let draft = Draft::new(one.place(), &graph_of(&raw), "", &workspace_of_one).unwrap();
    let (cargo, compiler) = (toolchain("1", "2"), Digest::of(b"compiler"));
    let mut watches = watcher.finish();
    let (name, bytes) = draft.finish(tools(&cargo, compiler), &watches).unwrap();
    assert_eq!(name, one.place().name);
    assert!(is_sound(&bytes) && !is_sound(&bytes[1..]));

    let found = |ws: &Ws| answers(&bytes, &ws.place(), &cargo, compiler);
    let (graph, workspace) = found(&two).unwrap();
    assert_eq!(graph.roots, [0]);
    assert_eq!(graph.units[0].pkg_id, id(&two));
    assert_eq!(graph.units[0].target.src_path, src(&two));
    assert_eq!(workspace.root, two.root);
    assert_eq!(workspace.target_dir, two.root.join("target"));
    assert_eq!(workspace.build_dir, two.root.join("target"));
    let package = &workspace.packages[&id(&two)];
    assert_eq!(package.manifest_path, two.root.join("app/Cargo.toml"));
    assert_eq!(package.origin, Origin::Member);

    let with = |cargo, compiler| answers(&bytes, &two.place(), &cargo, compiler).is_some();
    assert!(with(toolchain("1", "2"), compiler));
    assert!(!with(toolchain("2", "2"), compiler));
    assert!(!with(toolchain("1", "1"), compiler));
    assert!(!with(toolchain("1", "2"), Digest::of(b"another")));
    let mut place = two.place();
    assert_eq!(place.programs, ["cargo"]);
    place.programs.push("a wrapper".into());
    assert!(answers(&bytes, &place, &cargo, compiler).is_none());
    let mut other = toolchain("1", "2");
    other.rustc = std::env::current_exe().unwrap().to_str().unwrap().into();
    assert!(
        !with(other, compiler),
        "another program by the same version"
    );
    assert!(answers(&bytes[..9], &two.place(), &cargo, compiler).is_none());

    // A manifest elsewhere, once it is there.
    let mut watcher = watch::Watcher::default();
    watcher.add(one.base.join("Cargo.toml"), WatchKind::File);
    let finished = |watches: &[Watch]| {
        let draft = Draft::new(one.place(), &graph_of(&raw), "", &workspace_of_one);
        draft
            .unwrap()
            .finish(tools(&cargo, compiler), watches)
            .is_some()
    };
    assert!(finished(&watches));
    watches.extend(watcher.finish());
    assert!(finished(&watches));
    watches.last_mut().unwrap().digest = Some(compiler);
    assert!(!finished(&watches));

    // What is watched elsewhere, or by its stamp, is told in other ways.
    write(&two.root.join("Cargo.toml"), "changed");
    assert!(found(&two).is_some());
    write(&two.root.join("app/Cargo.toml"), "changed");
    assert!(found(&two).is_none());
    write(&two.root.join("app/Cargo.toml"), "app");
    assert!(found(&two).is_some());
    for new in ["none", "app/build.rs", "app/src/bin/x.rs"] {
        write(&two.root.join(new), "");
        assert!(found(&two).is_none(), "{new}");
        fs::remove_file(two.root.join(new)).unwrap();
        let _ = fs::remove_dir_all(two.root.join("app/src"));
        assert!(found(&two).is_some(), "{new}");
    }
}
