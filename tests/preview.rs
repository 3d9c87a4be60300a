//! `plan` and `explain`: what a build would do, and why, with nothing changed.
#![allow(clippy::unwrap_used)] // a test may panic

#[macro_use]
mod common;

use common::files::files_below;
use common::schema::follows;
use common::{Checkout, Layout};
use serde_json::Value;

#[track_caller]
fn plan(checkout: &Checkout, args: &[&str]) -> Value {
    let ran = checkout
        .zbuild(&[&["plan", "--json"], args].concat())
        .successful();
    let plan: Value = serde_json::from_str(&ran.stdout).unwrap_or_else(|_| panic!("{ran}"));
    follows(include_str!("../docs/plan.schema.json"), &plan);
    plan
}

#[track_caller]
fn verdicts(plan: &Value) -> Vec<(&str, &str)> {
    let units = plan["units"].as_array().unwrap().iter();
    let mut found: Vec<(&str, &str)> = units
        .map(|unit| {
            (
                unit["package"].as_str().unwrap(),
                unit["verdict"].as_str().unwrap(),
            )
        })
        .collect();
    found.sort_unstable();
    found
}

fn all(verdict: &str) -> Vec<(&'static str, &str)> {
    ["app", "itoa", "leaf", "mid", "util"]
        .map(|name| (name, verdict))
        .to_vec()
}

fn a_plan_says_what_the_build_then_does(layout: Layout) {
    let checkout = Checkout::of("members", layout);
    assert_eq!(verdicts(&plan(&checkout, &[])), all("compile"));
    assert!(!checkout.target().exists(), "nothing was made");
    checkout.build();
    assert_eq!(verdicts(&plan(&checkout, &[])), all("in_place"));
    checkout.replace("leaf/src/lib.rs", "= 1", "= 2");
    let look = || {
        (
            files_below(&checkout.target()),
            files_below(&checkout.cache),
        )
    };
    let before = look();
    let edited = plan(&checkout, &["build", "-p", "app"]);
    assert_eq!(look(), before, "nothing was written");
    let expected = [
        ("app", "compile"),
        ("itoa", "in_place"),
        ("leaf", "compile"),
        ("mid", "compile"),
        ("util", "in_place"),
    ];
    assert_eq!(verdicts(&edited), expected);
    assert_eq!(edited["command"], "build -p app");
    let units = edited["units"].as_array().unwrap();
    let leaf = units.iter().find(|unit| unit["package"] == "leaf").unwrap();
    assert_eq!(leaf["reason"]["code"], "input");
    assert_eq!(checkout.build().compiled(), 3);
    checkout.remove_target();
    let text = checkout.zbuild(&["plan", "-v"]).successful().stdout;
    assert!(
        text.starts_with("5 units: 0 in place, 5 to restore ("),
        "{text}"
    );
    assert!(text.contains("restore   leaf 0.1.0 (lib)\n"), "{text}");
}

#[track_caller]
fn explain(checkout: &Checkout, args: &[&str]) -> String {
    let args = [&["explain"], args].concat();
    checkout.zbuild(&args).successful().stdout
}

fn a_miss_names_the_file_and_the_root(layout: Layout) {
    let checkout = Checkout::of("members", layout);
    checkout.build();
    assert_eq!(explain(&checkout, &[]), "nothing has to be compiled\n");
    checkout.replace("leaf/src/lib.rs", "= 1", "= 2");
    let roots = explain(&checkout, &[]);
    assert!(roots.starts_with("leaf 0.1.0 (lib): to be compiled: leaf/src/lib.rs changed\n"));
    assert!(
        roots.contains("  nearest recorded build (of 1): in "),
        "{roots}"
    );
    assert!(!roots.contains("app"), "{roots}");
    let app = explain(&checkout, &["app"]);
    assert!(
        app.contains("  root of the cascade: leaf 0.1.0 (lib): leaf/src/lib.rs changed\n"),
        "{app}"
    );
    let util = explain(&checkout, &["util"]);
    assert!(util.contains("  inputs: util/src/lib.rs\n"), "{util}");
    assert!(util.contains("  built against: itoa "), "{util}");
    let ran = checkout.zbuild(&["explain", "no-such"]);
    assert!(
        !ran.status.success() && ran.stderr.contains("no-such"),
        "{ran}"
    );
}

fn another_setting_is_named(layout: Layout) {
    let mut checkout = Checkout::of("members", layout);
    checkout.build();
    checkout.set_env("CARGO_PROFILE_DEV_OPT_LEVEL", "1");
    let leaf = explain(&checkout, &["leaf"]);
    assert!(leaf.contains("under other settings"), "{leaf}");
    assert!(leaf.contains("profile.opt_level: 0 -> 1\n"), "{leaf}");
    checkout.unset_env("CARGO_PROFILE_DEV_OPT_LEVEL");
    checkout.set_env("RUSTFLAGS", "-Cdebug-assertions=off");
    let leaf = explain(&checkout, &["leaf"]);
    let expected = "variable RUSTFLAGS: none -> -Cdebug-assertions=off\n";
    assert!(leaf.contains(expected), "{leaf}");
    checkout.unset_env("RUSTFLAGS");
    // A change far below shows where it is.
    checkout.append(
        "leaf/Cargo.toml",
        "\n[features]\ndefault = [\"extra\"]\nextra = []\n",
    );
    let app = explain(&checkout, &["app"]);
    assert!(app.contains("    leaf 0.1.0 (lib): features: "), "{app}");
}

/// Nothing follows in which cargo would say it.
#[test]
fn what_cargo_refuses_is_told_in_its_own_words() {
    let checkout = Checkout::of("members", Layout::Spread);
    for args in [&["-p", "nonesuch"][..], &["--bogus"]] {
        let cargo = checkout.cargo(&[&["build"], args].concat());
        assert!(cargo.stderr.starts_with("error: "), "{cargo}");
        for command in ["plan", "explain", "audit"] {
            let ran = checkout.zbuild(&[&[command], args].concat());
            assert_eq!(ran.status.code(), Some(1), "{ran}");
            assert_eq!(ran.stderr.trim_end(), cargo.stderr.trim_end(), "{ran}");
        }
    }
}

in_both_layouts!(
    a_plan_says_what_the_build_then_does,
    a_miss_names_the_file_and_the_root,
    another_setting_is_named,
);
