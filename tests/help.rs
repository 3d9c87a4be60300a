//! `--help`, the manual page and completions: checked in, so that a change is
//! seen, and tried out.
#![allow(clippy::unwrap_used)] // a test may panic

mod common;

use std::path::Path;
#[cfg(unix)]
use std::process::Command;

use common::{Checkout, Layout};
#[cfg(unix)]
use common::{Ran, ZBUILD};

/// The commands of our own, as the help lists them.
fn own_commands(checkout: &Checkout) -> Vec<String> {
    let help = checkout.zbuild(&["--help"]).successful().stdout;
    let (_, rest) = help.split_once("Commands of its own:\n").unwrap();
    let lines = rest.lines().take_while(|line| line.starts_with("  "));
    let first = |line: &str| line.split_whitespace().next().unwrap().to_owned();
    lines.map(first).collect()
}

/// `BLESS=1 cargo test --test help` writes the files anew.
#[track_caller]
fn is_as_checked_in(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/help")
        .join(name);
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    let checked_in = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(text, checked_in, "{name}: see `is_as_checked_in`");
}

#[test]
fn help_is_as_checked_in() {
    let checkout = Checkout::of("targets", Layout::Spread);
    let help = checkout.zbuild(&["--help"]).successful();
    assert_eq!(help.stderr, "");
    is_as_checked_in("zbuild.txt", &help.stdout);
    let usual = help.stdout.find("like `cargo build`").unwrap();
    assert!(
        help.stdout.find("Options").unwrap() > usual,
        "the usual case comes first"
    );
    let commands = own_commands(&checkout);
    assert!(commands.len() > 5, "{commands:?}");
    for command in commands {
        let of_command = checkout.zbuild(&[&command, "--help"]).successful();
        is_as_checked_in(&format!("{command}.txt"), &of_command.stdout);
        let again = checkout.zbuild(&["help", &command]).successful();
        assert_eq!(again.stdout, of_command.stdout);
    }
}

/// cargo looks a manual page up for its own commands only, and asks us.
#[test]
fn cargo_help_finds_it() {
    let checkout = Checkout::of("targets", Layout::Spread);
    let own = checkout.zbuild(&["--help"]).successful().stdout;
    for args in [
        &["help", "zbuild"][..],
        &["zbuild", "-h"],
        &["zbuild", "help"],
    ] {
        assert_eq!(checkout.cargo(args).successful().stdout, own);
    }
    let version = checkout.cargo(&["zbuild", "--version"]).successful();
    assert_eq!(
        version.stdout,
        concat!("cargo-zbuild ", env!("CARGO_PKG_VERSION"), "\n")
    );
    let listed = checkout.cargo(&["--list"]).successful();
    assert!(listed.stdout.contains("    zbuild"), "{listed}");
    // The help of a verb is cargo's.
    let verb = checkout.zbuild(&["test", "--help"]).successful();
    assert_eq!(verb.stdout, checkout.cargo(&["test", "--help"]).stdout);
}

/// A wrong option of a command of our own.
#[test]
fn wrong_options_of_our_own_end_with_1() {
    let checkout = Checkout::of("targets", Layout::Spread);
    for args in [
        &["setup", "--none-such"][..],
        &["completions", "tcsh"],
        &["help", "tree"],
    ] {
        let ran = checkout.zbuild(args);
        assert_eq!(ran.status.code(), Some(1), "{ran}");
        assert!(ran.stdout.is_empty() && !ran.stderr.is_empty(), "{ran}");
    }
    assert_eq!(
        checkout.zbuild(&["--none-such"]).status,
        checkout.cargo(&["build", "--none-such"]).status
    );
}

#[test]
fn the_manual_page_is_whole() {
    let checkout = Checkout::of("targets", Layout::Spread);
    let page = checkout.zbuild(&["man"]).successful().stdout;
    for part in [
        ".TH cargo-zbuild 1",
        "Exit codes",
        "ZBUILD_CACHE_DIR",
        "zbuild\\-setup",
        "zbuild\\-test",
    ] {
        assert!(page.contains(part), "{part}:\n{page}");
    }
}

#[test]
fn completions_know_the_commands() {
    let checkout = Checkout::of("targets", Layout::Spread);
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = checkout.zbuild(&["completions", shell]).successful().stdout;
        for word in ["setup", "clippy", "all-targets"] {
            assert!(script.contains(word), "{shell}: {word}");
        }
    }
}

/// In a real bash, beside cargo's own completions.
#[cfg(unix)]
#[test]
fn bash_completes() {
    let checkout = Checkout::of("targets", Layout::Spread);
    let script = "\
        _of_cargo() { COMPREPLY=(from-cargo); }\n\
        complete -F _of_cargo cargo\n\
        source <(\"$ZB\" zbuild completions bash)\n\
        ask() { COMP_WORDS=(\"$@\"); COMP_CWORD=$(($# - 1)); COMPREPLY=()\n\
            local f; f=$(complete -p \"$1\" | sed 's/.*-F \\([^ ]*\\) .*/\\1/')\n\
            \"$f\" \"$1\" \"${COMP_WORDS[COMP_CWORD]}\" \"\"; echo \"${COMPREPLY[*]}\"; }\n\
        ask cargo zbuild set\n\
        ask cargo buil\n\
        ask cargo-zbuild cle\n\
        ask cargo zbuild test --no-def\n";
    let mut command: Command = checkout.command("bash");
    command.args(["--norc", "-c", script]).env("ZB", ZBUILD);
    let ran = Ran::of(command).successful();
    assert_eq!(
        ran.stdout, "setup\nfrom-cargo\nclear\n--no-default-features\n",
        "{ran}"
    );
}
