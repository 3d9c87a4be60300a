//! Wheels are built for real, twice, from copies of `examples/python`: the
//! second time compiles nothing. Skipped where there is no python3 with venv
//! and no PyPI, and says so; in CI (`CI` set) they have to be there.
#![cfg(unix)] // the scripts of a virtual environment are elsewhere on Windows
#![allow(clippy::unwrap_used)] // a test may panic

mod common;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use common::{Checkout, Layout, ZBUILD, files};
use serde_json::Value;

/// A virtual environment with what builds wheels; none if it cannot be made.
fn environment() -> Option<&'static Path> {
    static MADE: OnceLock<Option<PathBuf>> = OnceLock::new();
    let made = MADE.get_or_init(|| {
        let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("python");
        let ran = |program: &Path, args: &[&str]| {
            let ended = Command::new(program).args(args).output();
            ended.is_ok_and(|output| output.status.success())
        };
        let needs = [
            "setuptools>=61",
            "setuptools-rust>=1.10",
            "maturin>=1.7,<2",
            "wheel",
            "uv",
        ];
        let pip = ["-m", "pip", "install", "-q", "--disable-pip-version-check"];
        let python = dir.join("bin/python");
        let ready = (python.is_file() || ran("python3".as_ref(), &["-m", "venv", dir.to_str()?]))
            && ran(&python, &[&pip[..], &needs].concat());
        ready.then_some(dir)
    });
    if made.is_none() {
        assert!(
            std::env::var_os("CI").is_none(),
            "CI needs python3-venv and PyPI"
        );
        println!("skipped: python3 -m venv and pip install do not work here");
    }
    made.as_deref()
}

/// One example, and what it is called once installed.
struct Example {
    checkout: Checkout,
    name: &'static str,
    /// A program of the environment, and its arguments.
    call: (&'static str, &'static [&'static str]),
}

impl Example {
    /// Copies the example to a new directory, installs it from there, and
    /// returns (units reused, units built) by zbuild's own account.
    fn install(&self, venv: &Path, by: &str, copy: &str) -> (u64, u64) {
        let base = self.checkout.base();
        let (copy, journal) = (base.join(copy), base.join(format!("journal-{copy}")));
        let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/python");
        files::copy_tree(&example.join(self.name), &copy);
        let mut command = self.checkout.command(venv.join("bin").join(by));
        match by {
            "uv" => command.args([
                "pip",
                "install",
                "--no-deps",
                "--reinstall",
                "--no-build-isolation",
            ]),
            _ => command.args([
                "install",
                "--no-deps",
                "--force-reinstall",
                "--no-build-isolation",
            ]),
        };
        let path = std::env::var_os("PATH").unwrap();
        let own = Path::new(ZBUILD).parent().unwrap().to_owned();
        let path = [venv.join("bin"), own]
            .into_iter()
            .chain(std::env::split_paths(&path));
        command.env("PATH", std::env::join_paths(path).unwrap());
        command.arg(".").current_dir(&copy);
        command.env("VIRTUAL_ENV", venv).env("CARGO", ZBUILD);
        command.env("ZBUILD_JOURNAL", &journal);
        let output = command.output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{by}: {told}");
        let lines = std::fs::read_to_string(journal).unwrap();
        let figure = |name: &str| {
            let lines = lines
                .lines()
                .map(|line| serde_json::from_str::<Value>(line).unwrap());
            lines.map(|line| line[name].as_u64().unwrap()).sum()
        };
        (figure("hits"), figure("misses"))
    }

    fn works(&self, venv: &Path) {
        let (program, args) = self.call;
        let output = Command::new(venv.join("bin").join(program))
            .args(args)
            .output();
        let printed = output.unwrap().stdout;
        assert_eq!(String::from_utf8_lossy(&printed), "hello you, 3 bytes\n");
    }
}

#[track_caller]
fn installs_twice(name: &'static str, call: (&'static str, &'static [&'static str])) {
    let Some(venv) = environment() else { return };
    let checkout = Checkout::with_files(Layout::Spread, &[]);
    let example = Example {
        checkout,
        name,
        call,
    };
    let (reused, built) = example.install(venv, "pip", "first");
    assert!(reused == 0 && built > 0, "{reused} reused, {built} built");
    example.works(venv);
    for (by, copy) in [("pip", "second"), ("uv", "third")] {
        assert_eq!(example.install(venv, by, copy), (built, 0), "{by}");
        example.works(venv);
    }
}

#[test]
fn setup_py() {
    const CODE: &str = "from hello_bin import hello; print(hello('you').strip())";
    installs_twice("setup-py", ("python", &["-c", CODE]));
}

#[test]
fn setuptools_rust() {
    installs_twice("setuptools-rust", ("hello-setuptools-rust", &["you"]));
}

#[test]
fn maturin() {
    installs_twice("maturin", ("hello-maturin", &["you"]));
}
