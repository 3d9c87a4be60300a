//! What a unit was built from, held: every input that counts, every one that
//! does not, and every refusal.

use filetime::FileTime;

use super::*;
use crate::cargo::messages::Script;
use crate::event::Silent;
use crate::exec::fixtures::{BUILT, Bench};
use crate::exec::outputs::Outputs;
use crate::plan::fixtures;
use crate::plan::inputs::Memo;
use crate::unit::{Action, Role};

const NS: i64 = 1_000_000_000;

fn capture<T>(bench: &Bench, act: impl FnOnce(&Capture<'_>, &Macros<'_>) -> T) -> T {
    let plan = bench.plan();
    let capture = Capture {
        plan: &plan,
        built: &bench.built,
        succeeded: true,
        store: &bench.store,
        reader: &Outputs::of(&bench.dirs),
        memo: &Memo::default(),
        sink: &Silent,
        fresh_target: false,
        started: 0,
        ended: i64::MAX,
        built_now: &vec![true; plan.units.len()],
        surroundings: 0,
    };
    let macros = Macros::new(&plan, &bench.built, &bench.store);
    act(&capture, &macros)
}

/// What was found, or why the unit is refused.
fn plainly<T>(result: Result<T, Refused>) -> Result<T, String> {
    result.map_err(|refused| match refused {
        Refused::Unit(why) => why,
        Refused::Store(error) => panic!("{error}"),
    })
}

fn refusal<T>(result: Result<T, String>) -> String {
    result.err().expect("a refusal")
}

/// The paths of inputs with what of them counts.
fn inputs(bench: &Bench, from: &Origins) -> Vec<(InputKind, Utf8PathBuf)> {
    let all = from.inputs.iter();
    all.map(|input| (input.kind, bench.dirs.absolute(&input.path)))
        .collect()
}

/// cargo's dep-info.
fn dep_info(files: &[(u8, &str)], env: &[&str]) -> Vec<u8> {
    let count = |count: usize| (count as u32).to_le_bytes();
    let mut bytes = vec![1, 0, 0, 0, 0xff, 1];
    bytes.extend(count(files.len()));
    for (base, path) in files {
        bytes.push(*base);
        bytes.extend(count(path.len()));
        bytes.extend(path.as_bytes());
        bytes.push(0);
    }
    bytes.extend(count(env.len()));
    for name in env {
        bytes.extend(count(name.len()));
        bytes.extend(name.as_bytes());
        bytes.push(0);
    }
    bytes
}

fn compile(bench: &Bench, at: usize, text: &str, dep_info: Vec<u8>) -> Result<Origins, String> {
    let gathered = Gathered::of(text, dep_info, Vec::new(), BUILT * NS);
    let outputs = vec![None; bench.units.len()];
    capture(bench, |capture, macros| {
        plainly(capture.compile_inputs(at, &gathered, &outputs, macros))
    })
}

/// A build script's run with this `OUT_DIR` below the build directory.
fn add_run(bench: &mut Bench, name: &str, deps: &[usize]) -> (usize, Utf8PathBuf) {
    let at = bench.add(name, "custom-build", deps, "");
    bench.units[at].action = Action::RunScript;
    let out_dir = bench.dirs.build.join("debug/build").join(name).join("out");
    fs::create_dir_all(&out_dir).unwrap();
    bench.built.scripts[at] = Some(Script {
        package_id: String::new(),
        linked_libs: Vec::new(),
        linked_paths: Vec::new(),
        cfgs: Vec::new(),
        env: Vec::new(),
        out_dir: out_dir.to_string(),
    });
    (at, out_dir)
}

fn run_noted(bench: &Bench, at: usize, stdout: &str, noted: &str) -> Result<Origins, String> {
    let file = |name: &str, content: &str| PackedFile {
        path: format!("debug/build/x/{name}"),
        role: Role::Text,
        content: bench.dirs.unroot_text(content.as_bytes()),
    };
    let packed = vec![file("output", stdout), file("root-output", noted)];
    let gathered = Gathered::of(stdout, Vec::new(), packed, BUILT * NS);
    capture(bench, |capture, _| {
        plainly(capture.run_inputs(at, &gathered))
    })
}

fn run(bench: &Bench, at: usize, stdout: &str) -> Result<Origins, String> {
    let noted = bench.built.scripts[at].as_ref().unwrap().out_dir.clone();
    run_noted(bench, at, stdout, &noted)
}

/// `app` with a build script, and what rustc's dep-info of it begins with.
fn app() -> (Bench, usize, String) {
    let mut bench = Bench::new();
    let (script, _) = add_run(&mut bench, "script", &[]);
    let app = bench.add("app", "lib", &[script], "");
    let rule = format!("{}/debug/deps/app.d:", bench.dirs.build);
    (bench, app, rule)
}

#[test]
fn a_compiled_unit_rests_on_its_sources_and_variables() {
    let (bench, app, rule) = app();
    let dirs = &bench.dirs;
    let both = bench.file(dirs.workspace.join("app/src/both.rs"), -1);
    bench.file(dirs.workspace.join("app/src/both/mod.rs"), -1);
    let registry = bench.file(dirs.cargo_home.join("registry/src/a.rs"), 1);
    let generated = bench.file(dirs.build.join("debug/build/script/out/a.rs"), 1);
    let text = format!("{rule} app/src/lib.rs app/src/both.rs {registry} {generated}\n");
    let names = ["ORIGINS_A", "ORIGINS_B", "ORIGINS_A"];
    let from = compile(&bench, app, &text, dep_info(&[], &names)).unwrap();
    let source = dirs.workspace.join("app/src/lib.rs");
    assert_eq!(
        inputs(&bench, &from),
        [
            (InputKind::File, source.clone()),
            (InputKind::Absent, source.with_extension("").join("mod.rs")),
            (InputKind::File, both),
        ]
    );
    assert_eq!(from.inputs[0].digest, Digest::of(b""));
    assert_eq!(
        from.env,
        [("ORIGINS_A".into(), None), ("ORIGINS_B".into(), None)]
    );
    assert_eq!((from.bound, from.unknown), (None, None));
    assert!(from.passed_on.is_empty());
}

#[test]
fn accounts_that_tell_nothing_are_refused() {
    let (bench, app, rule) = app();
    let good = format!("{rule} app/src/lib.rs\n");
    assert!(compile(&bench, app, &good, dep_info(&[], &[])).is_ok());
    let elsewhere = format!("{}/debug/deps/app.d: app/src/lib.rs\n", bench.dirs.target);
    for (text, dep_info, why) in [
        ("", dep_info(&[], &[]), "dep-info could not"),
        (&good, Vec::new(), "cargo's dep-info could not"),
        (&elsewhere, dep_info(&[], &[]), "in another directory"),
        (
            &format!("{rule} app/src/none.rs\n"),
            dep_info(&[], &[]),
            "os error 2",
        ),
    ] {
        let refused = refusal(compile(&bench, app, text, dep_info));
        assert!(refused.contains(why), "{refused}");
    }
}

#[test]
fn what_names_the_directory_binds_a_unit() {
    let (bench, app, rule) = app();
    let bound = |base: u8, path: &str, env: &str| {
        let text = format!("{rule} app/src/lib.rs\n{env}\n");
        let from = compile(&bench, app, &text, dep_info(&[(base, path)], &[])).unwrap();
        assert_eq!(from.unknown, None);
        from.bound
    };
    let (workspace, build) = (&bench.dirs.workspace, &bench.dirs.build);
    assert_eq!(bound(0, "src/lib.rs", ""), None);
    assert_eq!(bound(0, "/elsewhere/a", ""), None);
    assert_eq!(bound(1, workspace.join("a").as_str(), ""), None);
    for dir in [workspace, build] {
        let path = dir.join("a");
        let why = format!("depends on {path} by its absolute path");
        assert_eq!(bound(0, path.as_str(), ""), Some(why));
    }
    let env = format!("# env-dep:CARGO_MANIFEST_DIR={workspace}").replace('\\', "\\\\");
    let why = "reads CARGO_MANIFEST_DIR".to_owned();
    assert_eq!(bound(0, "src/lib.rs", &env), Some(why));
    assert_eq!(bound(0, "src/lib.rs", "# env-dep:A=/elsewhere"), None);
}

#[test]
fn who_can_read_dep_info_in_out_dir_is_bound() {
    let mut bench = Bench::new();
    let (script, out_dir) = add_run(&mut bench, "script", &[]);
    let tokens = bench.add("tokens", "proc-macro", &[], "");
    let files = bench.add("files", "proc-macro", &[], "use std::fs;");
    let cannot = bench.add("cannot", "lib", &[script, tokens], "");
    let can = bench.add("can", "lib", &[script, files], "");
    for at in [cannot, can] {
        bench.units[at].external = true;
    }
    let rule = format!("{}/debug/deps/a.d:", bench.dirs.build);
    let bound = |at: usize, source: &Utf8Path| {
        let text = format!("{rule} {source}\n");
        let from = compile(&bench, at, &text, dep_info(&[], &[])).unwrap();
        from.bound
    };
    let own = Utf8Path::new("can/src/lib.rs");
    assert_eq!((bound(cannot, own), bound(can, own)), (None, None));
    fs::write(out_dir.join("probe.d"), "").unwrap();
    let why = "can use files, which may read files (std::fs in files)".to_owned();
    assert_eq!((bound(cannot, own), bound(can, own)), (None, Some(why)));
    let probe = out_dir.join("probe.d");
    let why = format!("reads {probe}, which may name its directory");
    assert_eq!(bound(cannot, &probe), Some(why));
    fs::write(out_dir.join("probe.rs"), "").unwrap();
    assert_eq!(bound(cannot, &out_dir.join("probe.rs")), None);
}

#[test]
fn what_else_was_asked_for_is_not_known() {
    let (bench, app, rule) = app();
    let unknown = |name: &str| {
        let text = format!("{rule} app/src/lib.rs\n# env-dep:{name}=1\n");
        let from = compile(&bench, app, &text, dep_info(&[], &[])).unwrap();
        from.unknown
    };
    assert_eq!(unknown("CARGO_PKG_NAME"), None);
    let why = "reads CARGO_PRIMARY_PACKAGE".to_owned();
    assert_eq!(unknown("CARGO_PRIMARY_PACKAGE"), Some(why));
}

#[test]
fn what_was_changed_after_the_build_began_is_refused() {
    let (bench, app, _) = app();
    let dirs = &bench.dirs;
    let taken_at = |path: &Utf8Path, kind, started: i64| {
        capture(&bench, |capture, _| {
            let unit = &capture.plan.units[app];
            plainly(capture.input(unit, path, kind, started * NS)).is_ok()
        })
    };
    let taken = |path: &Utf8Path, kind| taken_at(path, kind, BUILT);
    let file = dirs.workspace.join("files/a");
    for (after, is_taken) in [(-1, true), (0, false), (1, false)] {
        bench.file(file.clone(), after);
        assert_eq!(taken(&file, InputKind::File), is_taken);
        let tree = file.parent().unwrap();
        assert_eq!(taken(tree, InputKind::Tree), is_taken);
    }
    // It was put there just now, with an older time.
    let long_ago = 1_000_000_000;
    bench.file(file.clone(), long_ago - 1 - BUILT);
    assert_eq!(taken_at(&file, InputKind::File, long_ago), cfg!(not(unix)));

    #[cfg(unix)]
    {
        let tree = dirs.workspace.join("links");
        let target = bench.file(dirs.workspace.join("elsewhere"), -1);
        let link = tree.join("link");
        fs::create_dir_all(&tree).unwrap();
        fs_err::os::unix::fs::symlink(target, &link).unwrap();
        assert!(taken(&tree, InputKind::Tree));
        let after = FileTime::from_unix_time(BUILT + 1, 0);
        filetime::set_symlink_file_times(&link, after, after).unwrap();
        assert!(!taken(&tree, InputKind::Tree));
    }

    let searched = |dir: &Utf8Path, after: i64| {
        let file = bench.file(dir.join("libs/libx.a"), -1);
        let dir = file.parent().unwrap();
        filetime::set_file_mtime(dir, FileTime::from_unix_time(BUILT + after, 0)).unwrap();
        taken(dir, InputKind::Libraries)
    };
    assert!(searched(&dirs.workspace, -1));
    assert!(!searched(&dirs.workspace, 0));
    // cargo itself writes there.
    assert!(searched(&dirs.build, 1));
    assert!(searched(&dirs.target, 1));
    assert!(taken(&dirs.workspace.join("none"), InputKind::Libraries));
}

#[test]
fn a_run_has_to_tell_where_it_was() {
    let mut bench = Bench::new();
    let (at, out_dir) = add_run(&mut bench, "script", &[]);
    let env = "cargo:rerun-if-env-changed=A";
    assert!(run(&bench, at, env).is_ok());
    for noted in ["", "x", bench.dirs.build.as_str()] {
        let refused = refusal(run_noted(&bench, at, env, noted));
        assert_eq!(refused, "it was run for another directory");
    }
    bench.built.scripts[at] = None;
    let refused = refusal(run_noted(&bench, at, env, out_dir.as_str()));
    assert_eq!(refused, "cargo did not tell what it printed");
}

#[test]
fn a_run_that_names_nothing_rests_on_its_package() {
    let mut bench = Bench::new();
    let (at, _) = add_run(&mut bench, "script", &[]);
    let package = bench.units[at].package_dir.clone();
    let from = run(&bench, at, "").unwrap();
    assert_eq!(
        inputs(&bench, &from),
        [(InputKind::Package, package.clone())]
    );
    assert!(from.bound.is_some());
    // A vendored one, and one in the registry.
    bench.units[at].external = true;
    let from = run(&bench, at, "").unwrap();
    assert_eq!(inputs(&bench, &from), [(InputKind::Tree, package)]);
    assert_eq!(from.bound, None);
    bench.units[at].package_dir = bench.dirs.cargo_home.join("registry/src/script");
    let from = run(&bench, at, "").unwrap();
    assert!(from.inputs.is_empty());
    // A variable is something to watch.
    bench.units[at].external = false;
    let from = run(&bench, at, "cargo:rerun-if-env-changed=ORIGINS_A").unwrap();
    assert!(from.inputs.is_empty());
    assert_eq!((from.bound, from.unknown), (None, None));
    assert_eq!(from.env, [("ORIGINS_A".into(), None)]);
}

#[test]
fn a_run_rests_on_what_it_watches() {
    let mut bench = Bench::new();
    let (other, other_out) = add_run(&mut bench, "other", &[]);
    let (at, out_dir) = add_run(&mut bench, "script", &[other]);
    let package = bench.units[at].package_dir.clone();
    let watches = |paths: &[&str]| {
        let lines = paths
            .iter()
            .map(|p| format!("cargo:rerun-if-changed={p}\n"));
        run(&bench, at, &lines.collect::<String>())
    };
    let file = bench.file(package.join("file"), -1);
    let in_dir = bench.file(package.join("dir/file"), -1);
    let registry = bench.file(bench.dirs.cargo_home.join("git/file"), 1);
    let written = bench.file(other_out.join("file"), -1);
    let named = ["file", "dir", "file", registry.as_str(), written.as_str()];
    let from = watches(&named).unwrap();
    assert_eq!(
        inputs(&bench, &from),
        [
            (InputKind::File, file),
            (InputKind::Tree, in_dir.parent().unwrap().to_owned()),
        ]
    );
    assert_eq!(from.inputs[0].digest, Digest::of(b"content"));
    let own = out_dir.join("file");
    let from = watches(&[own.as_str()]).unwrap();
    assert!(from.inputs.is_empty());
    assert_eq!(from.bound.unwrap(), "watches its own output directory");
    for dir in [&bench.dirs.build, &bench.dirs.target] {
        fs::create_dir_all(dir).unwrap();
        for dir in [dir, dir.parent().unwrap()] {
            let refused = refusal(watches(&[dir.as_str()]));
            assert!(refused.contains("watches the target directory"));
        }
    }
    assert!(refusal(watches(&["none"])).contains("which is missing"));
    bench.file(package.join("late"), 1);
    assert!(refusal(watches(&["late"])).contains("was changed after"));
}

#[test]
fn a_run_passes_on_what_the_linker_gets() {
    let mut bench = Bench::new();
    let (other, other_out) = add_run(&mut bench, "other", &[]);
    let (at, out_dir) = add_run(&mut bench, "script", &[other]);
    let searched = bench.dirs.workspace.join("libs");
    let mut paths = Vec::new();
    for dir in [
        &out_dir,
        &other_out,
        &bench.dirs.cargo_home.join("registry/libs"),
        &searched,
    ] {
        bench.file(dir.join("libx.a"), -1);
        paths.push(format!("native={dir}"));
    }
    bench.built.scripts[at].as_mut().unwrap().linked_paths = paths;
    let object = bench.file(bench.dirs.workspace.join("a.o"), -1);
    let stdout = "cargo:rerun-if-env-changed=A\ncargo:rustc-link-arg=a.o\n";
    let from = run(&bench, at, stdout).unwrap();
    assert_eq!(
        inputs(&bench, &from),
        [
            (InputKind::File, object),
            (InputKind::File, searched.join("libx.a")),
            (InputKind::Libraries, searched),
        ]
    );
    let digests: Vec<Digest> = from.inputs.iter().map(|input| input.digest).collect();
    assert_eq!(from.passed_on, digests);
}

#[test]
fn every_link_above_knows_the_scripts_that_name_directories() {
    let mut bench = Bench::new();
    let (names, _) = add_run(&mut bench, "names", &[]);
    let (silent, _) = add_run(&mut bench, "silent", &[]);
    let (before, _) = add_run(&mut bench, "before", &[]);
    let library = bench.add("library", "lib", &[names, silent], "");
    let program = bench.add("program", "bin", &[library, before], "");
    let alone = bench.add("alone", "bin", &[silent], "");
    let paths = vec!["native=/libs".to_owned()];
    let script = &mut bench.built.scripts;
    script[names].as_mut().unwrap().linked_paths = paths.clone();
    // It was in place: cargo said it in an earlier build.
    let mut state = fixtures::unit_state("before", Vec::new());
    state.script = script[before].take();
    state.script.as_mut().unwrap().linked_paths = paths;
    let mut states: Vec<Option<UnitState>> = Vec::new();
    states.resize_with(bench.units.len(), || None);
    states[before] = Some(state);
    let found = capture(&bench, |capture, _| capture.linked_scripts(&states));
    for (at, scripts) in [
        (names, &[names][..]),
        (silent, &[]),
        (before, &[before]),
        (library, &[names]),
        (program, &[names, before]),
        (alone, &[]),
    ] {
        assert!(found[at].iter().eq(scripts), "{at}: {:?}", found[at]);
    }
}

#[test]
fn a_module_can_be_in_two_places() {
    for (path, twin) in [
        ("src/a/mod.rs", Some("src/a.rs")),
        ("src/a.rs", Some("src/a/mod.rs")),
        ("src/a.txt", None),
    ] {
        assert_eq!(module_twin(path.into()), twin.map(Utf8PathBuf::from));
    }
}

#[test]
fn what_a_script_prints_of_its_place_binds_it() {
    let mut bench = Bench::new();
    let (at, out_dir) = add_run(&mut bench, "script", &[]);
    let (dirs, unit) = (&bench.dirs, &bench.units[at]);
    let package = &unit.package_dir;
    let bound = |line: String| binding_output(line.as_bytes(), dirs, unit, out_dir.as_str());
    for line in [
        format!("cargo:rustc-link-search={out_dir}"),
        format!("cargo::metadata=root={out_dir}"),
        format!("cargo:rerun-if-changed={package}/a"),
        "cargo:rustc-env=A=b".to_owned(),
        format!("in {package}"),
    ] {
        assert_eq!(bound(line.clone()), None, "{line}");
    }
    for (line, key) in [
        (format!("cargo:rustc-env=A={out_dir}"), "rustc-env"),
        (format!("cargo::rustc-cfg=a=\"{package}\""), "rustc-cfg"),
        (format!("  cargo:root={package}"), "root"),
        (
            format!("cargo:rerun-if-changed={}/a", dirs.build),
            "rerun-if-changed",
        ),
    ] {
        let why = format!("the build script prints it ({key})");
        assert_eq!(bound(line), Some(why));
    }
    let stdout = format!("cargo:rerun-if-env-changed=A\ncargo:root={package}");
    assert!(run(&bench, at, &stdout).unwrap().bound.is_some());
}
