//! cargo's verbs: what can be reused is restored first, whatever is to be done
//! with it; tests and programs are run by cargo, with our stdin, stdout and
//! stderr.
#![allow(clippy::unwrap_used)] // a test may panic

#[macro_use]
mod common;

use std::io::Write;
use std::process::Stdio;

use common::files::files_below;
use common::{Checkout, Layout, Ran};

in_both_layouts!(
    every_verb_is_restored_whole,
    check_tells_tests_from_crates,
    tests_rest_on_what_build_recorded,
    clippy_restores_what_is_no_member,
);

/// Each verb that builds: into an empty target directory nothing is compiled,
/// and cargo with the same arguments finds everything fresh.
fn every_verb_is_restored_whole(layout: Layout) {
    let checkout = Checkout::of("targets", layout);
    let verbs: &[&[&str]] = &[
        &["test", "--no-run"],
        &["bench", "--no-run"],
        &["run", "--bin=targets-cli"],
        &["t", "--lib"],
        &["r", "--example", "hello"],
    ];
    for args in verbs {
        checkout.zbuild(args).successful();
        std::fs::remove_dir_all(checkout.target()).unwrap();
        let again = checkout.zbuild(args).healthy();
        let summary = again.summary_within().unwrap();
        assert!(summary.units > 0, "{again}");
        assert_eq!(summary.reused, summary.units, "{again}");
        is_fresh(&checkout, args);
        std::fs::remove_dir_all(checkout.target()).unwrap();
    }
}

/// `test` has a profile of another name. cargo uses the units of both for both,
/// and what one of them recorded is in place for the other.
fn tests_rest_on_what_build_recorded(layout: Layout) {
    let checkout = Checkout::of("members", layout);
    let test = &["test", "--no-run", "--workspace"];
    checkout.build().healthy();
    checkout.remove_target();
    checkout.build_compiles_nothing().healthy();
    let tests = checkout.zbuild(test).healthy();
    assert!(!tests.crates().contains(&"itoa".to_owned()), "{tests}");
    is_fresh(&checkout, test);

    checkout.remove_target();
    let again = checkout.zbuild(test).healthy();
    assert_eq!(again.summary_within().unwrap().compiled, 0, "{again}");
    is_fresh(&checkout, test);
    checkout.build_compiles_nothing().healthy();
    checkout.is_right();
}

/// cargo finds everything fresh, with these arguments.
#[track_caller]
fn is_fresh(checkout: &Checkout, args: &[&str]) {
    for _ in 0..2 {
        let verbose = [&[args[0], "-v"], &args[1..]].concat();
        checkout.cargo(&verbose).successful().assert_built_nothing();
    }
}

/// A crate and its tests are both checked, and look alike in the unit graph.
fn check_tells_tests_from_crates(layout: Layout) {
    let checkout = Checkout::of("targets", layout);
    // The crate's tests need another crate; a package of a binary alone has
    // nobody that uses it.
    checkout.write(
        "only-bin/Cargo.toml",
        "[package]\nname = \"only-bin\"\nedition = \"2021\"\n[profile.dev]\npanic = \"abort\"\n",
    );
    checkout.write("only-bin/src/main.rs", "fn main() {}\n");
    checkout.replace(
        "Cargo.toml",
        "[workspace]",
        "[workspace]\nmembers = [\"only-bin\"]",
    );
    let selections: &[&[&str]] = &[
        &["check", "--workspace", "--all-targets"],
        &["check", "--workspace", "--tests"],
        &["check", "--workspace"],
        &["c", "--benches"],
        &["check", "--test=it"],
        &["check", "-p=only-bin", "--tests"],
    ];
    for args in selections {
        checkout.zbuild(args).healthy();
        std::fs::remove_dir_all(checkout.target()).unwrap();
        let again = checkout.zbuild(args).healthy();
        let summary = again.summary();
        assert_eq!(summary.reused, summary.units, "{again}");
        is_fresh(&checkout, args);
    }
}

/// Units that clippy-driver compiles are not rustc's: members are left to
/// cargo, and everything else is shared with `check`.
fn clippy_restores_what_is_no_member(layout: Layout) {
    let mut checkout = Checkout::of("outside", layout);
    checkout.dir = checkout.path("ws");
    checkout.append(
        "ws/app/src/main.rs",
        "pub fn lint(x: bool) -> bool { x == true }\n",
    );
    checkout.zbuild(&["check"]).healthy();
    checkout.remove_target();

    let linted = checkout.zbuild(&["clippy"]).healthy();
    let summary = linted.summary_within().unwrap();
    assert!(summary.units > 0 && summary.compiled == 0, "{linted}");
    let checked = |line: &&str| line.trim_start().starts_with("Checking ");
    let checked: Vec<&str> = linted.stderr.lines().filter(checked).collect();
    assert!(
        matches!(checked.as_slice(), [only] if only.contains("Checking app ")),
        "{linted}"
    );
    assert!(linted.stderr.contains("bool_comparison"), "{linted}");
    is_fresh(&checkout, &["clippy"]);

    // The crate that clippy looked at is no crate for `check`.
    let check = checkout.zbuild(&["check"]).healthy();
    assert_eq!(check.compiled(), 0, "{check}");
    is_fresh(&checkout, &["check"]);
    is_fresh(&checkout, &["clippy"]);
    let denied = checkout.zbuild(&["clippy", "--", "-D", "clippy::bool_comparison"]);
    assert_eq!(denied.status.code(), Some(101), "{denied}");
}

/// Everything that cargo prints, its arguments and exit code.
#[test]
fn tests_are_run_by_cargo() {
    let checkout = Checkout::of("targets", Layout::Spread);
    checkout.append(
        "src/lib.rs",
        "#[test]\nfn asks() { assert_eq!(std::env::var(\"ANSWER\").as_deref(), Ok(\"42\")) }\n",
    );
    let fails = checkout.zbuild(&["test", "--lib", "asks", "--", "--test-threads=1"]);
    assert_eq!(fails.status.code(), Some(101), "{fails}");
    let cargo = checkout.cargo(&["test", "--lib", "asks", "--", "--test-threads=1"]);
    assert_eq!(without_times(&fails.stdout), without_times(&cargo.stdout));
    assert_eq!(fails.stdout.matches("1 failed").count(), 1, "{fails}");

    let mut checkout = checkout;
    checkout.set_env("ANSWER", "42");
    // The harness prints in the order in which its threads end.
    checkout.set_env("RUST_TEST_THREADS", "1");
    let passes = checkout.zbuild(&["test"]).successful();
    let cargo = checkout.cargo(&["test"]).successful();
    assert_eq!(without_times(&passes.stdout), without_times(&cargo.stdout));
    assert!(passes.stderr.contains("Doc-tests targets"), "{passes}");
    // Another name of a test is no other plan and no other build.
    let one = checkout.zbuild(&["test", "tests::constant"]).healthy();
    assert_eq!(one.summary_within().unwrap().compiled, 0, "{one}");

    let quiet = checkout.zbuild(&["test", "-q"]).successful();
    let cargo = checkout.cargo(&["test", "-q"]).successful();
    assert_eq!(quiet.stderr, cargo.stderr);
    assert_eq!(without_times(&quiet.stdout), without_times(&cargo.stdout));
}

fn without_times(text: &str) -> Vec<&str> {
    // A thread that panics gives its number.
    let same = |line: &&str| !line.starts_with("thread ");
    let part = |line| str::split(line, "; finished in").next().unwrap_or(line);
    text.lines().filter(same).map(part).collect()
}

/// stdin, stdout, arguments and exit code belong to the program, when it had to
/// be built and when it was there.
#[test]
fn a_program_is_run_by_cargo() {
    let checkout = Checkout::with_files(
        Layout::Spread,
        &[
            (
                "Cargo.toml",
                "[package]\nname = \"app\"\nedition = \"2021\"\n",
            ),
            ("src/lib.rs", "pub const CODE: i32 = 7;\n"),
            (
                "src/main.rs",
                "fn main() {\n\
                     let mut line = String::new();\n\
                     std::io::stdin().read_line(&mut line).unwrap();\n\
                     let args: Vec<String> = std::env::args().skip(1).collect();\n\
                     println!(\"{}{args:?} {}\", line, std::env::var(\"CARGO\").is_ok());\n\
                     println!(\"{{\\\"reason\\\":\\\"build-finished\\\"}}\");\n\
                     std::process::exit(app::CODE)\n\
                 }\n",
            ),
        ],
    );
    let expected = "hello\n[\"-q\", \"--release\"] true\n{\"reason\":\"build-finished\"}\n";
    for _ in 0..2 {
        let mut command = checkout.zbuild_command(&["run", "-q", "--", "-q", "--release"]);
        command.stdin(Stdio::piped());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(b"hello\n").unwrap();
        let ran = Ran::finish("run".into(), child);
        assert_eq!(ran.stdout, expected, "{ran}");
        assert_eq!(ran.stderr, "", "{ran}");
        assert_eq!(ran.status.code(), Some(7), "{ran}");
    }
    let with_words = checkout.zbuild(&["run", "word", "--message-format=json"]);
    assert!(with_words.stdout.contains("word"), "{with_words}");
    let json = checkout.zbuild(&["run", "--message-format=json"]);
    let cargo = checkout.cargo(&["run", "--message-format=json"]);
    assert_eq!(json.stdout, cargo.stdout);
}

/// A program that a signal ends, ended like that for whoever started us.
#[cfg(unix)]
#[test]
fn a_program_ends_by_a_signal() {
    let checkout = Checkout::with_files(
        Layout::Spread,
        &[
            (
                "Cargo.toml",
                "[package]\nname = \"app\"\nedition = \"2021\"\n",
            ),
            ("src/main.rs", "fn main() { std::process::abort() }\n"),
        ],
    );
    let ours = checkout.zbuild(&["run"]);
    let cargo = checkout.cargo(&["run"]);
    assert!(!ours.status.success());
    assert_eq!(ours.status, cargo.status, "{ours}");
}

/// Warnings are shown once and errors are shown once, as cargo shows them.
#[test]
fn diagnostics_are_shown_once() {
    let checkout = Checkout::of("targets", Layout::Spread);
    checkout.append("src/lib.rs", "fn never_called() {}\n");
    for state in ["to be built", "there"] {
        let ran = checkout.zbuild(&["test", "--lib"]).successful();
        let count = ran
            .stderr
            .matches("function `never_called` is never used")
            .count();
        assert_eq!(count, 1, "{state}: {ran}");
    }
    checkout.append("src/lib.rs", "fn wrong() -> u8 { \"text\" }\n");
    let ran = checkout.zbuild(&["test", "--lib"]);
    let cargo = checkout.cargo(&["test", "--lib"]);
    assert_eq!(ran.status.code(), Some(101), "{ran}");
    assert_eq!(cargo.status.code(), Some(101), "{cargo}");
    assert_eq!(ran.stderr.matches("error[E0308]").count(), 1, "{ran}");
    assert_eq!(ran.stderr.matches("could not compile").count(), 1, "{ran}");
    assert_eq!(sorted(&ran), sorted(&cargo));
}

fn sorted(ran: &Ran) -> Vec<String> {
    let mut lines = ran.stderr_of_cargo();
    lines.sort();
    lines
}

/// `--no-run` prints what cargo prints, built, there, and restored.
#[test]
fn no_run_tells_of_the_programs() {
    let mut checkout = Checkout::of("targets", Layout::Spread);
    for args in [
        &["test", "--no-run"][..],
        &["bench", "--no-run"],
        &["test", "--no-run", "-v"],
    ] {
        checkout.set_args(args);
        let first = checkout.zbuild(args).healthy();
        let cargo = checkout.cargo(args).successful();
        let programs = |ran: &Ran| {
            let lines = ran.stderr_of_cargo().into_iter();
            let lines: Vec<String> = lines.filter(|line| line.contains("Executable")).collect();
            lines
        };
        assert!(programs(&cargo).len() > 2, "{cargo}");
        assert_eq!(programs(&first), programs(&cargo));
        let there = checkout.zbuild(args).healthy();
        assert_eq!(there.stderr_of_cargo(), cargo.stderr_of_cargo());
        checkout.remove_target();
        let restored = checkout.zbuild(args).healthy();
        assert_eq!(restored.stderr_of_cargo(), cargo.stderr_of_cargo());
    }
    // What nextest asks for (`cargo test --no-run --message-format json-...`).
    let args = [
        "test",
        "--no-run",
        "--message-format=json-render-diagnostics",
    ];
    let json = checkout.zbuild(&args).healthy();
    let cargo = checkout.cargo(&args).successful();
    let lines = |ran: &Ran| {
        let mut lines: Vec<String> = ran.stdout.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    assert!(lines(&cargo).len() > 5 && !cargo.stdout.contains("\"fresh\":false"));
    assert_eq!(lines(&json), lines(&cargo));
}

/// Documentation is cargo's; what it rests on is restored.
#[test]
fn documentation_is_made_by_cargo() {
    let checkout = Checkout::of("outside", Layout::Spread);
    let mut checkout = checkout;
    checkout.dir = checkout.path("ws");
    checkout.zbuild(&["doc"]).healthy();
    let made = files_below(&checkout.target().join("doc")).len();
    checkout.remove_target();
    let again = checkout.zbuild(&["d"]).healthy();
    let summary = again.summary_within().unwrap();
    assert!(summary.units > 0 && summary.compiled == 0, "{again}");
    assert_eq!(files_below(&checkout.target().join("doc")).len(), made);
    is_fresh(&checkout, &["doc"]);
}

/// What is not planned is plain cargo, without a word of ours.
#[test]
fn other_verbs_are_plain_cargo() {
    let checkout = Checkout::of("targets", Layout::Spread);
    let lines: &[&[&str]] = &[
        &["tree", "--depth=0"],
        &["check", "--lib", "--tests"],
        &["check", "--profile=test"],
        &["metadata", "--no-deps", "--format-version=1"],
        &["test", "--no-run", "--doc"],
        &["none-such"],
    ];
    for args in lines {
        let ours = checkout.zbuild(args);
        let cargo = checkout.cargo(args);
        assert_eq!(ours.zbuild_lines().count(), 0, "{ours}");
        assert_eq!(ours.stdout, cargo.stdout);
        assert_eq!(ours.status.code(), cargo.status.code(), "{ours}");
    }
}
