//! The engine end to end with a cargo and a rustc of our own: where the real
//! ones do not run (under wine), and for a cargo that is not as we know it.
//!
//! This program is all three: under the name `cargo` or `rustc` it is the
//! fake, otherwise it runs the tests. So nothing has to be built or installed
//! beside it.
#![allow(clippy::unwrap_used)] // a test may panic

mod common;
mod fake;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use common::Ran;
use libtest_mimic::{Arguments, Trial};

fn main() -> ExitCode {
    let own = std::env::current_exe().unwrap();
    let args: Vec<String> = std::env::args().skip(1).collect();
    let code = match own.file_stem().and_then(|stem| stem.to_str()) {
        Some("cargo") => fake::cargo(&args),
        Some("rustc") => fake::rustc(&args),
        _ => return libtest_mimic::run(&Arguments::from_args(), tests()).exit_code(),
    };
    ExitCode::from(u8::try_from(code).unwrap())
}

/// What is done in a workspace of its own.
type Case = fn(&Place);

/// Every case in both layouts, with and without MSVC's side files.
fn tests() -> Vec<Trial> {
    let cases: &[(&str, Case)] = &[
        ("comes_and_goes", comes_and_goes),
        ("edited_and_touched", edited_and_touched),
        ("moves_to_another_checkout", moves_to_another_checkout),
        ("an_output_directory_is_kept", an_output_directory_is_kept),
        ("strange_and_long_names", strange_and_long_names),
        ("messages_are_cargos", messages_are_cargos),
        ("a_program_is_held", a_program_is_held),
        (
            "other_spellings_of_the_same_place",
            other_spellings_of_the_same_place,
        ),
    ];
    let mut trials = Vec::new();
    for (name, case) in cases {
        for (kind, env) in [
            ("spread", &[][..]),
            ("per_unit", &[("FAKE_LAYOUT", "per-unit")]),
            ("msvc", &[("FAKE_MSVC", "1")]),
        ] {
            let case = *case;
            trials.push(Trial::test(format!("{name}::{kind}"), move || {
                case(&Place::new("ws", env));
                Ok(())
            }));
        }
    }
    for (change, said) in CHANGES {
        trials.push(Trial::test(format!("changed::{change}"), move || {
            cargo_has_changed(change, said);
            Ok(())
        }));
    }
    trials
}

/// A workspace, the fake tools, and a cache.
struct Place {
    _temp: tempfile::TempDir,
    base: PathBuf,
    root: PathBuf,
    env: Vec<(&'static str, &'static str)>,
}

const FILES: &[(&str, &str)] = &[
    (
        "Cargo.toml",
        "[workspace]\nmembers = [\"leaf\", \"shapes\", \"app-one\"]\n",
    ),
    (
        "fake.json",
        r#"{"packages": [
            {"name": "leaf", "kind": "lib", "deps": []},
            {"name": "shapes", "kind": "proc-macro", "deps": []},
            {"name": "app-one", "kind": "bin", "deps": ["leaf", "shapes"]}
        ]}"#,
    ),
    (
        "leaf/Cargo.toml",
        "[package]\nname = \"leaf\"\nversion = \"0.1.0\"\n",
    ),
    ("leaf/src/lib.rs", "leaf one\n//@ include src/data.txt\n"),
    ("leaf/src/data.txt", "some data\n"),
    (
        "shapes/Cargo.toml",
        "[package]\nname = \"shapes\"\nversion = \"0.1.0\"\n[lib]\nproc-macro = true\n",
    ),
    ("shapes/src/lib.rs", "shapes one\n"),
    (
        "app-one/Cargo.toml",
        "[package]\nname = \"app-one\"\nversion = \"0.1.0\"\n",
    ),
    (
        "app-one/build.rs",
        "//@ print cargo:rerun-if-changed=build.rs\n\
         //@ print cargo:rustc-link-search=native={out}\n\
         //@ print cargo:rustc-link-search=native={out/}\n\
         //@ write made.rs made by the script\n",
    ),
    (
        "app-one/src/main.rs",
        "include!(concat!(env!(\"OUT_DIR\"), \"/made.rs\"));\n//@ include-out made.rs\napp one\n",
    ),
];

impl Place {
    fn new(name: &str, env: &[(&'static str, &'static str)]) -> Place {
        let temp = tempfile::Builder::new().prefix("zb-").tempdir().unwrap();
        let base = temp.path().to_owned();
        let bin = base.join("sysroot/bin");
        fs::create_dir_all(&bin).unwrap();
        fs::create_dir_all(base.join("sysroot/lib/rustlib")).unwrap();
        let own = std::env::current_exe().unwrap();
        for tool in ["cargo", "rustc"] {
            let tool = bin.join(format!("{tool}{}", std::env::consts::EXE_SUFFIX));
            if fs::hard_link(&own, &tool).is_err() {
                fs::copy(&own, &tool).unwrap();
            }
        }
        let place = Place {
            root: base.join(name),
            _temp: temp,
            base,
            env: env.to_vec(),
        };
        for (path, text) in FILES {
            place.write(path, text);
        }
        place
    }

    /// Another checkout of the same, as it is now.
    fn second(&self, name: &str) -> PathBuf {
        let second = self.base.join(name);
        common::files::copy_tree(&self.root, &second);
        let _ = fs::remove_dir_all(second.join("target"));
        second
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        // cargo takes a file that is as old as its own record for unchanged.
        std::thread::sleep(std::time::Duration::from_millis(5));
    }

    fn command(&self, program: &Path, dir: &Path) -> Command {
        let mut command = Command::new(program);
        let bin = self.base.join("sysroot/bin");
        command.current_dir(dir);
        for (name, _) in std::env::vars_os() {
            let name = name.to_string_lossy().to_ascii_uppercase();
            if ["CARGO", "RUST", "ZBUILD", "FAKE"]
                .iter()
                .any(|p| name.starts_with(p))
            {
                command.env_remove(name);
            }
        }
        let path = std::env::var_os("PATH").unwrap_or_default();
        let path = std::iter::once(bin.clone()).chain(std::env::split_paths(&path));
        command.env("PATH", std::env::join_paths(path).unwrap());
        command.env(
            "CARGO",
            bin.join(format!("cargo{}", std::env::consts::EXE_SUFFIX)),
        );
        command.env("CARGO_HOME", self.base.join("cargo-home"));
        command.env("ZBUILD_CACHE_DIR", self.base.join("cache"));
        command.envs(self.env.iter().copied());
        command
    }

    fn zbuild_in(&self, dir: &Path, args: &[&str]) -> Ran {
        // A path of Linux under wine: found from the present drive only.
        let program = std::path::absolute(common::ZBUILD).unwrap();
        let mut command = self.command(&program, dir);
        command.arg("zbuild").args(args);
        Ran::of(command)
    }

    #[track_caller]
    fn builds(&self, compiled: usize) -> Ran {
        self.builds_in(&self.root, compiled)
    }

    #[track_caller]
    fn builds_in(&self, dir: &Path, compiled: usize) -> Ran {
        let ran = self.zbuild_in(dir, &["build", "-v"]).healthy();
        assert_eq!(ran.compiled(), compiled, "{ran}");
        assert_eq!(ran.summary().units, 5, "{ran}");
        ran
    }

    /// Plain cargo finds everything fresh, twice.
    #[track_caller]
    fn referee_in(&self, dir: &Path) {
        let cargo = self.base.join("sysroot/bin/cargo");
        for _ in 0..2 {
            let mut command = self.command(&cargo, dir);
            command.args(["build", "-v"]);
            let ran = Ran::of(command).successful();
            assert_eq!(ran.stderr.matches("   Fresh ").count(), 4, "{ran}");
        }
    }

    fn program(&self, dir: &Path) -> PathBuf {
        let windows = cfg!(windows) || self.env.contains(&("FAKE_MSVC", "1"));
        dir.join("target/debug").join(match windows {
            true => "app-one.exe",
            false => "app-one",
        })
    }

    /// What the program was made of.
    #[track_caller]
    fn made_of(&self, dir: &Path) -> String {
        fs::read_to_string(self.program(dir)).unwrap()
    }
}

fn comes_and_goes(place: &Place) {
    place.builds(5);
    let made = place.made_of(&place.root);
    assert!(
        made.contains("leaf one\n") && made.contains("made by the script"),
        "{made}"
    );
    place.referee_in(&place.root);
    let names = || {
        let files = common::files::files_below(&place.root.join("target"));
        let kept = files.into_iter().filter(|path| {
            // cargo's notes about a build, which is not made again.
            !path.ends_with("invoked.timestamp")
        });
        kept.collect::<Vec<_>>()
    };
    let by_cargo = names();
    place.builds(0);
    fs::remove_dir_all(place.root.join("target")).unwrap();
    place.builds(0);
    place.referee_in(&place.root);
    assert_eq!(place.made_of(&place.root), made);
    // Side files and all.
    let missing: Vec<_> = by_cargo.iter().filter(|path| !path.is_file()).collect();
    let tag = place.root.join("target/CACHEDIR.TAG");
    assert!(missing.iter().all(|path| **path == tag), "{missing:#?}");
    // Everything is still good to build with.
    place.write("app-one/src/main.rs", "app two\n");
    place.builds(1);
    assert!(place.made_of(&place.root).contains("leaf one\n"));
    place.referee_in(&place.root);
}

fn edited_and_touched(place: &Place) {
    place.builds(5);
    let first = place.made_of(&place.root);
    place.write("leaf/src/data.txt", "other data\n");
    place.builds(2);
    place.referee_in(&place.root);
    assert!(place.made_of(&place.root).contains("other data"));
    place.write("leaf/src/data.txt", "some data\n");
    place.builds(0);
    place.referee_in(&place.root);
    assert_eq!(place.made_of(&place.root), first);
    for touched in ["leaf/src/lib.rs", "app-one/build.rs", "app-one/src/main.rs"] {
        let time = filetime::FileTime::now();
        filetime::set_file_mtime(place.root.join(touched), time).unwrap();
        place.builds(0);
        place.referee_in(&place.root);
    }
    // An old file is put back: same size, older time.
    place.write("leaf/src/data.txt", "sOmE dAtA\n");
    let past = filetime::FileTime::from_unix_time(1_500_000_000, 0);
    filetime::set_file_mtime(place.root.join("leaf/src/data.txt"), past).unwrap();
    place.builds(2);
    assert!(place.made_of(&place.root).contains("sOmE dAtA"));
}

fn moves_to_another_checkout(place: &Place) {
    place.builds(5);
    let second = place.second("second place");
    place.builds_in(&second, 0);
    place.referee_in(&second);
    assert_eq!(place.made_of(&second), place.made_of(&place.root));
    // Everything that names a directory names the new one.
    let first = place.root.to_str().unwrap();
    for file in common::files::files_below(&second.join("target")) {
        let text = fs::read(&file).unwrap();
        let text = String::from_utf8_lossy(&text);
        for name in [
            first,
            &first.replace('\\', "/"),
            &first.replace('\\', "\\\\"),
        ] {
            let name = format!("{name}{}", std::path::MAIN_SEPARATOR);
            assert!(!text.contains(&name), "{}:\n{text}", file.display());
        }
    }
    // An edit here is nothing to the other one.
    let leaf = second.join("leaf/src/lib.rs");
    fs::write(leaf, "leaf two\n").unwrap();
    place.builds_in(&second, 2);
    place.referee_in(&second);
    place.builds(0);
    assert!(place.made_of(&place.root).contains("leaf one\n"));
}

/// What keeps its `OUT_DIR` as a string is made again elsewhere.
fn an_output_directory_is_kept(place: &Place) {
    let main = "const KEPT: &str = env!(\"OUT_DIR\");\n//@ include-out made.rs\n//@ keep OUT_DIR\n";
    place.write("app-one/src/main.rs", main);
    place.builds(5);
    let second = place.second("second");
    place.builds_in(&second, 1);
    assert!(place.made_of(&second).contains(second.to_str().unwrap()));
    place.referee_in(&second);
    fs::remove_dir_all(place.root.join("target")).unwrap();
    place.builds(0);
    place.referee_in(&place.root);
}

fn strange_and_long_names(place: &Place) {
    // Windows starts no process in a directory of more than 258 characters;
    // the files below may have longer names.
    let long = "a long directory name/".repeat(if cfg!(windows) { 7 } else { 14 });
    for name in ["Arbeit äöü 目标 #1", long.as_str()] {
        let place = Place::new(name.trim_end_matches('/'), &place.env);
        comes_and_goes(&place);
    }
}

fn messages_are_cargos(place: &Place) {
    let args = ["build", "--message-format=json"];
    let by_cargo = place.zbuild_in(&place.root, &args).successful().stdout;
    assert_eq!(by_cargo.lines().count(), 6);
    fs::remove_dir_all(place.root.join("target")).unwrap();
    let replayed = place.zbuild_in(&place.root, &args).successful().stdout;
    let by_cargo = by_cargo.replace("\"fresh\":false", "\"fresh\":true");
    let sorted = |text: &str| {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    assert_eq!(sorted(&replayed), sorted(&by_cargo));
}

/// Somebody has the program open and shares it with nobody, as far as the
/// system knows of such a thing.
fn a_program_is_held(place: &Place) {
    place.builds(5);
    let made = place.made_of(&place.root);
    #[cfg(windows)]
    let hold = || {
        use std::os::windows::fs::OpenOptionsExt;
        let mut options = fs::OpenOptions::new();
        let path = place.program(&place.root);
        options.read(true).share_mode(0).open(path).unwrap()
    };
    #[cfg(not(windows))]
    let hold = || fs::File::open(place.program(&place.root)).unwrap();
    place.write("leaf/src/lib.rs", "leaf two\n//@ include src/data.txt\n");
    place.builds(2);
    place.write("leaf/src/lib.rs", "leaf one\n//@ include src/data.txt\n");

    // For long: cargo has the last word, and it cannot either.
    let held = hold();
    let ran = place.zbuild_in(&place.root, &["build"]);
    if cfg!(windows) {
        assert_eq!(ran.status.code(), Some(101), "{ran}");
    } else {
        ran.successful();
    }
    drop(held);
    place.zbuild_in(&place.root, &["build"]).successful();
    place.referee_in(&place.root);
    assert_eq!(place.made_of(&place.root), made);

    // For a moment.
    place.write("leaf/src/lib.rs", "leaf two\n//@ include src/data.txt\n");
    let held = hold();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            std::thread::sleep(std::time::Duration::from_millis(200));
            drop(held);
        });
        place.builds(0);
    });
    place.referee_in(&place.root);
    assert!(place.made_of(&place.root).contains("leaf two"));
}

/// Windows takes `c:\WS` for `C:\ws`, and editors start cargo with the former.
fn other_spellings_of_the_same_place(place: &Place) {
    place.builds(5);
    let root = place.root.to_str().unwrap();
    let other = match cfg!(windows) {
        true => PathBuf::from(root.to_ascii_lowercase()),
        false => place.root.join("."),
    };
    place.builds_in(&other, 0);
    place.referee_in(&other);
    fs::remove_dir_all(place.root.join("target")).unwrap();
    place.builds_in(&other, 0);
    place.referee_in(&place.root);
    place.builds(0);
}

/// What a later cargo might do otherwise, and what we say of it.
const CHANGES: &[(&str, &str)] = &[
    ("unit-graph-version", "version 2 (we know 1)"),
    ("unit-graph-field", "missing field `opt_level`"),
    ("no-unit-graph", "unexpected argument '--unit-graph'"),
    ("message-field", "not recorded: "),
    ("layout", "cargo's messages name no file where we know it"),
    ("dep-info", "cargo's dep-info could not be understood"),
    ("fingerprint-record", ""),
    ("old-cargo", "cargo 1.84 is older than 1.85"),
    ("new-cargo", ""),
];

/// Nothing breaks and nothing wrong is reused; the user hears why.
fn cargo_has_changed(change: &'static str, said: &str) {
    let place = Place::new("ws", &[("FAKE_CHANGED", change)]);
    for round in 0..3 {
        let ran = place.zbuild_in(&place.root, &["build", "-v"]).successful();
        let made = place.made_of(&place.root);
        assert!(
            made.contains("leaf one\n") && made.contains("made by"),
            "{made}"
        );
        if round == 0 {
            assert!(ran.stderr.contains(said), "{ran}");
        }
        if said.contains("version")
            || said.contains("field")
            || said.contains("argument")
            || said.contains("older")
        {
            let lines = ran.zbuild_lines().count();
            assert_eq!(lines, 1, "one line, and plain cargo: {ran}");
        }
        if round == 1 {
            fs::remove_dir_all(place.root.join("target")).unwrap();
        }
    }
    place.write("leaf/src/lib.rs", "leaf two\n");
    place.zbuild_in(&place.root, &["build"]).successful();
    assert!(place.made_of(&place.root).contains("leaf two\n"));
}
