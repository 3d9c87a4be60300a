//! When cargo is asked what a build consists of, and when what it answered in
//! another checkout is enough.
#![cfg(unix)] // a script counts the questions; `plan/kept/tests.rs` has the rules
#![allow(clippy::unwrap_used)] // a test may panic

#[macro_use]
mod common;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use common::files::write_script;
use common::{Checkout, Layout};

/// Makes the checkout's cargo one that notes what it is asked.
fn noted(mut checkout: Checkout) -> Checkout {
    let script = checkout.base().join("bin/cargo");
    let log = log(&checkout);
    let text = format!(
        "#!/bin/sh\necho \"$*\" >>'{}'\nexec cargo \"$@\"\n",
        log.display()
    );
    write_script(&script, &text);
    checkout.with_cargo = Some(script);
    checkout
}

fn log(checkout: &Checkout) -> std::path::PathBuf {
    checkout.base().join("asked")
}

/// Builds, and tells whether cargo was asked for a plan.
#[track_caller]
fn asks(checkout: &Checkout) -> bool {
    let log = log(checkout);
    let _ = fs::remove_file(&log);
    checkout.build();
    let asked = fs::read_to_string(&log).unwrap_or_default();
    let is_said = |what: &str| asked.lines().any(|line| line.contains(what));
    let (graph, metadata) = (is_said("--unit-graph"), is_said("metadata "));
    assert_eq!(graph, metadata, "{asked}");
    graph
}

/// What is done in or around a second checkout, and whether cargo is asked. What
/// it answers then takes the place of what was kept, so those come last.
type Case = (&'static str, fn(&mut Checkout), bool);

const CASES: &[Case] = &[
    ("nothing", |_| {}, false),
    (
        "a manifest is touched",
        |c| c.touch("app/Cargo.toml"),
        false,
    ),
    (
        "a source is edited",
        |c| c.replace("leaf/src/lib.rs", "= 1", "= 2"),
        false,
    ),
    (
        "a manifest where nothing looks",
        |c| {
            c.write("app/sub/lib.rs", "");
            c.write("app/sub/Cargo.toml", "");
        },
        false,
    ),
    (
        "a manifest",
        |c| c.append("leaf/Cargo.toml", "# changed\n"),
        true,
    ),
    (
        "the lock file",
        |c| c.append("Cargo.lock", "# changed\n"),
        true,
    ),
    (
        "a target more",
        |c| c.write("app/src/bin/more.rs", "fn main() {}\n"),
        true,
    ),
    (
        "a build script",
        |c| c.write("leaf/build.rs", "fn main() {}\n"),
        true,
    ),
    (
        "configuration",
        |c| c.write(".cargo/config.toml", "profile.dev.opt-level = 1\n"),
        true,
    ),
    (
        "configuration above",
        |c| c.write("../.cargo/config.toml", "profile.dev.opt-level = 1\n"),
        true,
    ),
    (
        "a manifest above",
        |c| c.write("../Cargo.toml", "[workspace]\n"),
        true,
    ),
    (
        "a variable",
        |c| c.set_env("CARGO_PROFILE_DEV_DEBUG", "1"),
        true,
    ),
    ("an argument", |c| c.set_args(&["--workspace"]), true),
    (
        "a target directory in it by its whole name",
        |c| c.set_env("CARGO_TARGET_DIR", c.path("target")),
        true,
    ),
];

#[test]
fn what_is_the_same_is_not_asked_again() {
    let first = noted(Checkout::of("members", Layout::Spread));
    assert!(asks(&first));
    for (at, (what, change, is_asked)) in CASES.iter().enumerate() {
        let mut second = first.second(&format!("{at}/elsewhere"));
        change(&mut second);
        assert_eq!(asks(&second), *is_asked, "{what}");
        assert!(!asks(&second), "{what}: nothing to do");
        match is_asked {
            true => second.referee(),
            false => drop(second.is_right()),
        }
    }
}

fn answers_of_another_state_are_found_again(layout: Layout) {
    let checkout = noted(Checkout::of("members", layout));
    assert!(asks(&checkout));
    let old = checkout.read("app/Cargo.toml");
    checkout.append("app/Cargo.toml", "# changed\n");
    assert!(asks(&checkout));
    // The latest answers count, as there is one file for a lock file.
    checkout.write("app/Cargo.toml", &old);
    assert!(asks(&checkout));
    let lock = checkout.read("Cargo.lock");
    checkout.append("Cargo.lock", "# changed\n");
    assert!(asks(&checkout));
    checkout.write("Cargo.lock", &lock);
    assert!(!asks(&checkout));
    checkout.is_right();
}

/// cargo leaves a package's name out of its id where the directory has it.
fn a_package_is_called_like_its_directory(layout: Layout) {
    let files = [
        (
            "Cargo.toml",
            "[package]\nname = \"app\"\nversion = \"0.1.0\"\nedition = \"2021\"\n",
        ),
        (
            "Cargo.lock",
            "version = 4\n\n[[package]]\nname = \"app\"\nversion = \"0.1.0\"\n",
        ),
        (
            "src/main.rs",
            "fn main() { println!(\"{}\", sub::what()) }\npub mod sub;\n",
        ),
        ("src/sub.rs", "pub fn what() -> u8 { 1 }\n"),
    ];
    let first = noted(Checkout::with_files(layout, &files));
    assert!(asks(&first));
    let ids = |text: &str| -> BTreeSet<String> {
        let messages = text.lines().map(|line| serde_json::from_str(line).unwrap());
        let mut messages: Vec<serde_json::Value> = messages.collect();
        messages.retain(|message| message["package_id"].is_string());
        messages
            .iter()
            .map(|m| m["package_id"].to_string())
            .collect()
    };
    for name in ["second/app", "third/application", "fourth/app"] {
        let other = first.second(name);
        assert!(!asks(&other), "{name}");
        let ours = other.zbuild(&["--message-format=json"]).successful();
        let cargos = other.cargo(&["build", "--message-format=json"]);
        let (ours, cargos) = (ids(&ours.stdout), ids(&cargos.stdout));
        assert_eq!(ours, cargos);
        assert_eq!(ours.len(), 1);
        other.is_right();
    }
}

fn what_lies_outside_is_asked_for(layout: Layout) {
    let mut first = noted(Checkout::of("outside", layout));
    first.dir.push("ws");
    assert!(asks(&first));
    let second = first.second("second");
    assert!(asks(&second));
    second.is_right();
    let first = noted(Checkout::of("vendored", layout));
    assert!(asks(&first));
    let second = first.second("second");
    assert!(asks(&second));
    second.is_right();
}

fn from_a_member_and_with_a_target_directory_elsewhere(layout: Layout) {
    let mut first = noted(Checkout::of("members", layout));
    first.dir.push("app");
    let elsewhere = first.base().join("elsewhere");
    first.set_env("CARGO_TARGET_DIR", &elsewhere);
    assert!(asks(&first));
    let second = first.second("second");
    assert!(!asks(&second));
    second.is_right();
    // The same by a name of its own in each.
    first.set_env("CARGO_TARGET_DIR", first.path("t"));
    assert!(asks(&first));
    let mut second = first.second("by-name");
    second.set_env("CARGO_TARGET_DIR", second.path("t"));
    assert!(!asks(&second));
    second.is_right();
    first.set_env("CARGO_TARGET_DIR", &elsewhere);
    let third = first.second("third");
    third.write("app/.cargo/config.toml", "profile.dev.opt-level = 1\n");
    assert!(asks(&third));
    third.is_right();
}

/// A target that comes while cargo answers is in the plan, and in what is
/// remembered of it.
fn what_changes_while_cargo_answers(layout: Layout) {
    let mut checkout = Checkout::of("members", layout);
    let script = checkout.base().join("bin/cargo");
    let more = checkout.path("app/src/bin/more.rs");
    let text = format!(
        "#!/bin/sh\ncargo \"$@\" || exit\n\
         case \"$*\" in *--unit-graph*) cp ../more.rs '{}';; esac\n",
        more.display()
    );
    write_script(&script, &text);
    checkout.with_cargo = Some(script);
    checkout.write("app/src/bin/other.rs", "fn main() {}\n");
    checkout.write("../more.rs", "fn main() {}\n");
    let built = |name: &str| {
        let program = format!("debug/{name}{}", std::env::consts::EXE_SUFFIX);
        checkout.target().join(program).exists()
    };
    // All that was there is in the cache, so that the plan alone decides.
    checkout.build();
    fs::remove_file(&more).unwrap();
    checkout.remove_target();
    checkout.append("app/Cargo.toml", "# changed\n");
    checkout.build();
    assert!(built("other") && built("more"));
    checkout.build();
    checkout.is_right();
}

fn damaged_answers_are_none(layout: Layout) {
    let first = noted(Checkout::of("members", layout));
    assert!(asks(&first));
    let states = common::files::files_below(&first.cache);
    let is_one = |path: &&std::path::PathBuf| {
        path.parent().and_then(Path::file_name) == Some("state".as_ref())
            && fs::read(path).unwrap().starts_with(b"ZBA")
    };
    let kept: Vec<_> = states.iter().filter(is_one).collect();
    assert_eq!(kept.len(), 1);
    let mut bytes = fs::read(kept[0]).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(kept[0], bytes).unwrap();
    let verified = first.zbuild(&["cache", "verify"]);
    assert!(!verified.status.success(), "{}", verified.stdout);
    let second = first.second("second");
    assert!(asks(&second));
    second.is_right();
    assert!(!asks(&first.second("third")), "they were kept anew");
}

in_both_layouts!(
    answers_of_another_state_are_found_again,
    a_package_is_called_like_its_directory,
    what_lies_outside_is_asked_for,
    from_a_member_and_with_a_target_directory_elsewhere,
    what_changes_while_cargo_answers,
    damaged_answers_are_none,
);
