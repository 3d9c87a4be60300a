//! The day of the bug report that began all this, on one workspace: cold,
//! nothing to do, a touched leaf, an appended newline that git takes back, two
//! branches in turn, `rm -rf target`, a second checkout. After each build plain
//! cargo finds everything fresh, twice.
//!
//! By default on `members`. With `ZBUILD_LARGE=1` on `large`, which takes some
//! minutes; `--nocapture` shows what each build says of itself.
#![allow(clippy::unwrap_used)] // a test may panic

#[macro_use]
mod common;

use common::{Checkout, Layout, Ran};

/// What is built, and where it is edited.
struct Subject {
    workspace: &'static str,
    args: &'static [&'static str],
    program: &'static str,
    leaf: &'static str,
    /// A text in the leaf, and what another branch has in its place.
    constant: (&'static str, &'static str),
}

const SMALL: Subject = Subject {
    workspace: "members",
    args: &[],
    program: "debug/app",
    leaf: "leaf/src/lib.rs",
    constant: ("= 1", "= 2"),
};

const LARGE: Subject = Subject {
    workspace: "large",
    args: &["-p", "fbuild-cli"],
    program: "debug/fbuild-cli",
    leaf: "crates/fb-core-types/src/lib.rs",
    constant: ("copper-kestrel", "iron-heron"),
};

#[track_caller]
fn git(checkout: &Checkout, args: &[&str]) {
    let mut command = checkout.command("git");
    command.args([
        "-c",
        "user.name=t",
        "-c",
        "user.email=t@t",
        "-c",
        "gc.auto=0",
    ]);
    command.args(args);
    Ran::of(command).successful();
}

/// Builds, tells what zbuild says, and asks the referee.
#[track_caller]
fn build(what: &str, checkout: &Checkout) -> Ran {
    let ran = checkout.build();
    let said: Vec<&str> = ran.zbuild_lines().collect();
    println!("{what}: {}", said.join("\n    "));
    checkout.referee();
    ran
}

/// The same, and nothing may have been compiled.
#[track_caller]
fn compiles_nothing(what: &str, checkout: &Checkout) {
    let ran = build(what, checkout);
    let summary = ran.summary();
    assert_eq!(
        (summary.compiled, summary.reused),
        (0, summary.units),
        "{ran}"
    );
}

fn the_day_of_the_bug_report(layout: Layout) {
    let subject = match std::env::var_os("ZBUILD_LARGE") {
        Some(_) => LARGE,
        None => SMALL,
    };
    let checkout = Checkout::of(subject.workspace, layout)
        .args(subject.args)
        .program(subject.program);
    checkout.write(".gitignore", "/target\n");
    git(&checkout, &["init", "-q", "-b", "one"]);
    git(&checkout, &["add", "-A"]);
    git(&checkout, &["commit", "-q", "-m", "one"]);

    let ran = build("cold", &checkout);
    let summary = ran.summary();
    assert_eq!(summary.compiled, summary.units, "{ran}");
    let one = std::fs::read(checkout.path(&format!("target/{}", subject.program))).unwrap();
    compiles_nothing("nothing to do", &checkout);
    checkout.touch(subject.leaf);
    compiles_nothing("touched", &checkout);

    for round in 0..5 {
        checkout.append(subject.leaf, "\n");
        let ran = build("newline", &checkout);
        assert!((ran.compiled() > 0) == (round == 0), "{ran}");
        git(&checkout, &["checkout", "-q", subject.leaf]);
        compiles_nothing("taken back", &checkout);
    }

    git(&checkout, &["switch", "-q", "-c", "two"]);
    let (there, here) = subject.constant;
    checkout.replace(subject.leaf, there, here);
    git(&checkout, &["commit", "-q", "-a", "-m", "two"]);
    assert!(build("other branch", &checkout).compiled() > 0);
    let program = |checkout: &Checkout| {
        std::fs::read(checkout.path(&format!("target/{}", subject.program))).unwrap()
    };
    let two = program(&checkout);
    assert_ne!(one, two, "the branches differ in their programs");
    for _ in 0..2 {
        git(&checkout, &["switch", "-q", "one"]);
        compiles_nothing("back on one", &checkout);
        assert!(program(&checkout) == one, "the program of branch one");
        git(&checkout, &["switch", "-q", "two"]);
        compiles_nothing("back on two", &checkout);
        assert!(program(&checkout) == two, "the program of branch two");
    }

    checkout.remove_target();
    compiles_nothing("rm -rf target", &checkout);
    assert!(program(&checkout) == two, "the program of branch two");
    checkout.run();

    // What is bound to its directory is built again there, but no more.
    let second = checkout.second("elsewhere/second");
    let ran = build("second checkout", &second);
    let summary = ran.summary();
    assert!(summary.compiled * 50 <= summary.units, "{ran}");
    compiles_nothing("second checkout, again", &second);
    second.run();
}

in_both_layouts!(the_day_of_the_bug_report);
