//! `CARGO=/path/to/cargo-zbuild`: tools start us as they would start cargo.
#![allow(clippy::unwrap_used)] // a test may panic

mod common;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use common::{Checkout, Layout, Ran, ZBUILD};

/// Us in cargo's place, started by whoever sets `CARGO`.
fn as_cargo(checkout: &Checkout, args: &[&str]) -> Ran {
    let mut command = checkout.command(ZBUILD);
    command.env("CARGO", ZBUILD).args(args);
    Ran::of(command)
}

/// What tools ask before they build is answered by the real cargo.
#[test]
fn everything_but_builds_is_cargos() {
    let checkout = Checkout::of("targets", Layout::Spread);
    let lines: &[&[&str]] = &[
        &["--version"],
        &["-V"],
        &["version", "--verbose"],
        &["--list"],
        &[],
        &["metadata", "--format-version=1", "--no-deps"],
        &["locate-project"],
        &["pkgid"],
        &["read-manifest"],
        &["--explain", "E0308"],
        &["build", "--help"],
        &["help"],
        &["stats"],
        &["build", "--none-such"],
        &["none-such"],
    ];
    for args in lines {
        let ours = as_cargo(&checkout, args);
        let cargo = checkout.cargo(args);
        assert_eq!(ours.stdout, cargo.stdout);
        assert_eq!(ours.stderr, cargo.stderr);
        assert_eq!(ours.status, cargo.status);
    }
    let toolchain = as_cargo(&checkout, &["+stable", "--version"]);
    let cargo = checkout.cargo(&["+stable", "--version"]);
    assert_eq!(toolchain.stdout, cargo.stdout, "{toolchain}");
}

/// The builds are ours, with options before and behind the verb.
#[test]
fn builds_are_restored() {
    let checkout = Checkout::of("targets", Layout::Spread);
    let lines: &[&[&str]] = &[
        &["build"],
        &[
            "--color=never",
            "--config",
            "build.jobs=2",
            "build",
            "--release",
        ],
        &[
            "rustc",
            "--lib",
            "--crate-type=cdylib",
            "--message-format=json-render-diagnostics",
            "--release",
            "-v",
            "--",
            "-Cdebuginfo=1",
        ],
        &["test", "--no-run"],
        &["+stable", "check", "--tests"],
    ];
    for args in lines {
        as_cargo(&checkout, args).successful();
        checkout.remove_target();
        let again = as_cargo(&checkout, args).successful();
        let summary = again.summary();
        assert_eq!(summary.compiled, 0, "{again}");
        assert_eq!(summary.reused, summary.units, "{again}");
        if args[0] == "rustc" {
            assert!(
                again.stdout.contains(".so\"") || cfg!(not(target_os = "linux")),
                "{again}"
            );
            assert!(again.stdout.ends_with("\"success\":true}\n"), "{again}");
        }
    }
    let runs = as_cargo(&checkout, &["-q", "run", "--bin=targets-cli"]).successful();
    assert_eq!(runs.stderr, "", "{runs}");
}

/// What the tests and scripts that cargo starts see as `CARGO` is the real one,
/// as if cargo had been started itself: else `env!("CARGO")` would be another.
#[test]
fn the_variable_keeps_its_meaning() {
    let checkout = Checkout::with_files(
        Layout::Spread,
        &[
            (
                "Cargo.toml",
                "[package]\nname = \"app\"\nedition = \"2021\"\n",
            ),
            (
                "src/main.rs",
                "fn main() { println!(\"{}\", env!(\"CARGO\")); }\n",
            ),
        ],
    );
    as_cargo(&checkout, &["build"]).successful();
    let printed = checkout.run();
    assert!(!printed.contains("zbuild"), "{printed}");
    checkout.referee();
}

/// However we are put in cargo's place, the real cargo is found.
#[test]
fn never_starts_itself() {
    let checkout = Checkout::of("targets", Layout::Spread);
    let name = format!("cargo{}", std::env::consts::EXE_SUFFIX);
    let base = checkout.base();
    let place = |dir: &str| {
        let dir = base.join(dir);
        std::fs::create_dir_all(&dir).unwrap();
        dir.join(&name)
    };
    let mut disguises: Vec<PathBuf> = Vec::new();
    let copy = place("copy");
    std::fs::copy(ZBUILD, &copy).unwrap();
    disguises.push(copy);
    #[cfg(unix)]
    {
        let link = place("link");
        std::os::unix::fs::symlink(ZBUILD, &link).unwrap();
        disguises.push(link);
        let script = place("script");
        let text = format!("#!/bin/sh\nexec '{ZBUILD}' \"$@\"\n");
        common::files::write_script(&script, &text);
        disguises.push(script);
    }
    let version = checkout.cargo(&["--version"]).successful().stdout;
    for disguise in &disguises {
        let dir = disguise.parent().unwrap();
        for variable in [
            None,
            Some(disguise.as_path()),
            Some(Path::new("cargo-zbuild")),
        ] {
            let run = |args: &[&str]| {
                let mut command = checkout.command(disguise);
                let path = std::env::var_os("PATH").unwrap();
                let own = Path::new(ZBUILD).parent().unwrap();
                let path = [dir.to_owned(), own.to_owned()]
                    .into_iter()
                    .chain(std::env::split_paths(&path));
                command.env("PATH", std::env::join_paths(path).unwrap());
                if let Some(variable) = variable {
                    command.env("CARGO", variable);
                }
                command.args(args);
                Ran::of(command).successful()
            };
            assert_eq!(run(&["--version"]).stdout, version);
            assert!(run(&["check"]).summary().units > 0);
            assert!(run(&["zbuild", "check"]).summary().units > 0);
        }
    }
}

/// A tool that starts cargo by its variable, as tools do.
#[cfg(unix)]
#[test]
fn a_tool_builds_through_the_variable() {
    let checkout = Checkout::of("targets", Layout::Spread);
    let tool = checkout.base().join("tool");
    common::files::write_script(
        &tool,
        "#!/bin/sh\nset -e\n\"$CARGO\" metadata --format-version=1 --no-deps > /dev/null\n\
         exec \"$CARGO\" build --release --message-format=json\n",
    );
    let run = || {
        let mut command = checkout.command(&tool);
        command.env("CARGO", ZBUILD);
        Ran::of(command).successful()
    };
    run();
    checkout.remove_target();
    let again = run();
    assert_eq!(again.compiled(), 0, "{again}");
    let cargo = checkout.cargo(&["build", "--release", "--message-format=json"]);
    assert_eq!(again.stdout, cargo.stdout);
}

/// The package `inner`, built by the build script of `outer` with `$ZB`.
fn nested(script: &str) -> Checkout {
    let main = format!(
        "use std::process::{{Command, Stdio}};\n\
         use std::io::{{BufRead, BufReader}};\n\
         fn start(args: &[&str]) -> Command {{\n\
             let mut command = Command::new(std::env::var(\"ZB\").unwrap());\n\
             command.args(args).arg(\"--manifest-path=inner/Cargo.toml\");\n\
             command\n\
         }}\n\
         fn main() {{\n\
             println!(\"cargo::rerun-if-changed=inner/src\");\n\
             let out = std::env::var(\"OUT_DIR\").unwrap();\n\
             {script}\n\
             let _ = (out, Stdio::null(), BufReader::new(&[][..]).lines());\n\
         }}\n"
    );
    Checkout::with_files(
        Layout::Spread,
        &[
            (
                "Cargo.toml",
                "[package]\nname = \"outer\"\nedition = \"2021\"\n",
            ),
            ("src/lib.rs", ""),
            ("build.rs", &main),
            (
                "inner/Cargo.toml",
                "[package]\nname = \"inner\"\nedition = \"2021\"\n[workspace]\n",
            ),
            ("inner/src/lib.rs", "pub fn inner() {}\n"),
        ],
    )
}

/// In a build script: cargo's environment, its jobserver, a directory of its own.
#[test]
fn a_build_script_may_build() {
    let mut checkout = nested(
        "let dir = format!(\"--target-dir={out}/inner\");\n\
         let output = start(&[\"build\", \"--release\", &dir]).output().unwrap();\n\
         let text = String::from_utf8_lossy(&output.stderr).into_owned();\n\
         assert!(output.status.success(), \"{text}\");\n\
         std::fs::write(std::env::var(\"LOG\").unwrap(), text).unwrap();",
    );
    let log = checkout.base().join("log");
    checkout.set_env("LOG", &log);
    checkout.set_env("ZB", ZBUILD);
    let told = || std::fs::read_to_string(&log).unwrap();
    let jobs = ["build", "-j2"];
    checkout.zbuild(&jobs).healthy();
    assert!(
        told().contains("1 units, 0 reused, 1 compiled"),
        "{}",
        told()
    );
    assert!(!told().contains("jobserver"), "{}", told());
    // The outer build is made by plain cargo, the inner one out of the cache.
    checkout.remove_target();
    checkout.cargo(&jobs).successful();
    assert!(
        told().contains("1 units, 1 reused, 0 compiled"),
        "{}",
        told()
    );
    assert!(!told().contains("jobserver"), "{}", told());
}

/// In a build script on the target directory of the build that runs it: with
/// another profile it builds, with the same one it waits, as cargo does.
#[test]
fn a_build_script_meets_the_lock_as_with_cargo() {
    let mut checkout = nested(
        "let dir = format!(\"--target-dir={}\", std::env::var(\"DIR\").unwrap());\n\
         let other = start(&[\"build\", \"--release\", &dir]).output().unwrap();\n\
         let text = String::from_utf8_lossy(&other.stderr).into_owned();\n\
         assert!(other.status.success(), \"{text}\");\n\
         let mut child = start(&[\"build\", &dir]).stderr(Stdio::piped()).spawn().unwrap();\n\
         let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();\n\
         let waits = lines.find(|line| line.as_ref().unwrap().contains(\"Blocking\"));\n\
         child.kill().unwrap();\n\
         child.wait().unwrap();\n\
         std::fs::write(std::env::var(\"LOG\").unwrap(), waits.unwrap().unwrap()).unwrap();",
    );
    let log = checkout.base().join("log");
    checkout.set_env("LOG", &log);
    checkout.set_env("DIR", checkout.target());
    let mut told = Vec::new();
    for program in [Path::new(ZBUILD), Path::new("cargo")] {
        checkout.set_env("ZB", program);
        checkout.cargo(&["build"]).successful();
        told.push(std::fs::read_to_string(&log).unwrap());
        checkout.remove_target();
    }
    assert!(told[0].contains("waiting for file lock on"), "{told:?}");
    assert_eq!(told[0], told[1]);
}

/// Streams that nobody reads: we end as cargo does.
#[test]
fn a_closed_stdout_is_cargos_matter() {
    let checkout = Checkout::of("targets", Layout::Spread);
    let mut command: Command = checkout.command(ZBUILD);
    command.args(["metadata", "--format-version=1"]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(!String::from_utf8_lossy(&output.stderr).contains("panicked"));
}
