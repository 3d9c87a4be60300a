//! The main job on the plainest workspace: plan, restore, cargo for the misses,
//! capture - and cargo's own word on what stands in the target directory.
#![allow(clippy::unwrap_used)] // a test may panic

#[macro_use]
mod common;

use std::fs;

use common::files::files_below;
use common::{Checkout, Layout, there_and_back};

const SOURCES: &[&str] = &[
    "leaf/src/lib.rs",
    "mid/src/lib.rs",
    "mid/src/data.txt",
    "util/src/lib.rs",
    "app/src/main.rs",
];

/// What rests on `leaf`.
const CONE: &[&str] = &["leaf", "mid", "app"];

fn a_cold_build_compiles_everything_and_cargo_agrees(layout: Layout) {
    let checkout = Checkout::of("members", layout).forget_everything();
    let ran = checkout.build();
    let summary = ran.summary();
    assert_eq!(
        (summary.units, summary.reused, summary.compiled),
        (5, 0, 5),
        "{ran}"
    );
    ran.assert_crates(&["itoa", "leaf", "mid", "util", "app"]);
    assert!(checkout.is_right().starts_with("leaf.constant=1\n"));
    let spread = checkout.target().join("debug/.fingerprint").is_dir();
    assert_eq!(
        spread,
        layout == Layout::Spread,
        "the layout is the one that is tested"
    );
}

fn the_second_build_compiles_nothing(layout: Layout) {
    let checkout = Checkout::of("members", layout);
    checkout.build();
    for _ in 0..2 {
        let summary = checkout.build_compiles_nothing().summary();
        assert_eq!((summary.units, summary.reused), (5, 5));
    }
    checkout.is_right();
    checkout.build_compiles_nothing();
}

fn touching_every_source_compiles_nothing(layout: Layout) {
    let checkout = Checkout::of("members", layout);
    checkout.build();
    for round in 0..2 {
        for source in SOURCES {
            checkout.touch(source);
        }
        if round == 1 {
            checkout.touch("Cargo.toml");
            checkout.touch("Cargo.lock");
            checkout.touch("leaf/Cargo.toml");
        }
        checkout.build_compiles_nothing();
        checkout.referee();
    }
    checkout.is_right();
}

/// The bug report: append a newline, build, check the file out again, build,
/// append it again, build.
fn a_newline_that_comes_and_goes_is_compiled_once(layout: Layout) {
    let checkout = Checkout::of("members", layout);
    checkout.build();
    let original = checkout.read("leaf/src/lib.rs");
    for round in 0..5 {
        checkout.append("leaf/src/lib.rs", "\n");
        if round == 0 {
            checkout.build().assert_crates(CONE);
        } else {
            checkout.build_compiles_nothing();
        }
        checkout.referee();
        checkout.write("leaf/src/lib.rs", &original);
        checkout.build_compiles_nothing();
        checkout.referee();
    }
    checkout.is_right();
}

fn only_what_rests_on_an_edited_crate_is_compiled(layout: Layout) {
    let checkout = Checkout::of("members", layout);
    checkout.build();
    checkout.replace("leaf/src/lib.rs", "= 1", "= 2");
    let ran = checkout.build();
    ran.assert_crates(CONE);
    assert_eq!((ran.summary().reused, ran.compiled()), (2, 3), "{ran}");
    assert!(checkout.is_right().contains("mid.result=22\n"));
    checkout.replace("app/src/main.rs", "1234", "4321");
    checkout.build().assert_crates(&["app"]);
    assert!(checkout.is_right().contains("util.decimal=4321\n"));
}

/// As in switching between two branches.
fn two_states_that_were_built_before_are_never_compiled_again(layout: Layout) {
    let mut checkout = Checkout::of("members", layout);
    let there = |checkout: &mut Checkout| {
        checkout.write("leaf/src/lib.rs", "pub const CONSTANT: u32 = 2;\n");
        checkout.write("mid/src/data.txt", "data two\n");
        checkout.write("util/src/more.rs", "pub const MORE: u32 = 1;\n");
        checkout.append("util/src/lib.rs", "pub mod more;\n");
    };
    let original = checkout.read("util/src/lib.rs");
    let back = |checkout: &mut Checkout| {
        checkout.write("leaf/src/lib.rs", "pub const CONSTANT: u32 = 1;\n");
        checkout.write("mid/src/data.txt", "data one\n");
        checkout.write("util/src/lib.rs", &original);
        checkout.remove("util/src/more.rs");
    };
    let ran = there_and_back(&mut checkout, there, back);
    ran.assert_crates(&["leaf", "mid", "util", "app"]);
    for _ in 0..3 {
        back(&mut checkout);
        checkout.build_compiles_nothing();
        checkout.referee();
        assert!(
            checkout
                .run()
                .starts_with("leaf.constant=1\nmid.result=12\n")
        );
        there(&mut checkout);
        checkout.build_compiles_nothing();
        checkout.referee();
        assert!(
            checkout
                .run()
                .starts_with("leaf.constant=2\nmid.result=22\n")
        );
    }
}

fn a_removed_target_directory_comes_back_whole(layout: Layout) {
    let checkout = Checkout::of("members", layout);
    checkout.build();
    let names = || -> Vec<_> {
        let all = files_below(&checkout.target()).into_iter();
        let inside = all.map(|path| path.strip_prefix(checkout.target()).unwrap().to_owned());
        // What only serves cargo's and rustc's own next run.
        let passing = [
            "incremental",
            "invoked.timestamp",
            ".rustc_info.json",
            ".cargo-lock",
        ];
        inside
            .filter(|path| {
                !path
                    .iter()
                    .any(|part| passing.iter().any(|name| part == *name))
            })
            .collect()
    };
    let before = names();
    let uplifted: Vec<_> = before
        .iter()
        .filter(|path| path.components().count() == 2)
        .collect();
    assert!(
        uplifted.len() >= 8,
        "app, three libs and a .d file for each: {uplifted:?}"
    );
    for _ in 0..2 {
        checkout.remove_target();
        checkout.build_compiles_nothing();
        assert_eq!(names(), before);
        checkout.is_right();
    }
}

fn an_edit_after_a_restore_is_compiled_on_top_of_it(layout: Layout) {
    let checkout = Checkout::of("members", layout);
    checkout.build();
    checkout.remove_target();
    checkout.build_compiles_nothing();
    checkout.replace("mid/src/lib.rs", "+ 2", "+ 3");
    checkout.build().assert_crates(&["mid", "app"]);
    assert!(checkout.is_right().contains("mid.result=13\n"));
}

/// cargo's own times are what it goes by: an edit right after a restore has to
/// be visible to it as well.
fn cargo_sees_an_edit_made_right_after_a_restore(layout: Layout) {
    let checkout = Checkout::of("members", layout);
    checkout.build();
    checkout.remove_target();
    checkout.build_compiles_nothing();
    checkout.replace("leaf/src/lib.rs", "= 1", "= 3");
    checkout.cargo_build().assert_crates(CONE);
    assert!(checkout.run().contains("leaf.constant=3\n"));
    checkout.build_compiles_nothing();
    checkout.is_right();
}

fn a_second_checkout_shares_what_the_first_one_built(layout: Layout) {
    let first = Checkout::of("members", layout);
    first.build();
    let second = first.second("elsewhere/with another name");
    second.build_compiles_nothing();
    second.is_right();
    // The first one is not disturbed by it.
    first.referee();
    first.build_compiles_nothing();

    second.replace("util/src/lib.rs", "format(number)", "format(number + 1)");
    second.build().assert_crates(&["util", "app"]);
    assert!(second.is_right().contains("util.decimal=1235\n"));
    first.build_compiles_nothing();
    assert!(first.is_right().contains("util.decimal=1234\n"));
    first.replace("util/src/lib.rs", "format(number)", "format(number + 1)");
    first.build_compiles_nothing();
    assert!(first.is_right().contains("util.decimal=1235\n"));
}

/// Each checkout has its own bytes of `leaf`, since rustc's output is not the
/// same twice: nothing may be compiled against the bytes of the other one.
fn checkouts_that_were_built_apart_do_not_mix(layout: Layout) {
    let first = Checkout::of("members", layout);
    let second = first.second("second/ws");
    for checkout in [&first, &second] {
        checkout.cargo_build();
        checkout.build_compiles_nothing();
    }
    for checkout in [&second, &first] {
        let rmeta = checkout.target_file(&["libmid-", ".rmeta"]);
        fs::remove_file(rmeta).unwrap();
        checkout.build_compiles_nothing();
        checkout.referee();
        checkout.append("app/src/main.rs", "// A comment.\n");
        checkout.build();
        checkout.is_right();
        checkout.remove_target();
        checkout.build_compiles_nothing();
        checkout.is_right();
    }
}

fn another_workspace_shares_a_registry_crate(layout: Layout) {
    let first = Checkout::of("members", layout);
    first.build();
    let mut other = first.second("other/ws");
    other.write(
        "Cargo.toml",
        "[package]\nname = \"other\"\nversion = \"0.1.0\"\nedition = \"2021\"\n\
         [dependencies]\nitoa = \"1\"\n\
         [workspace]\n[profile.dev]\nincremental = true\n",
    );
    other.write(
        "src/main.rs",
        "fn main() { println!(\"{}\", itoa::Buffer::new().format(5)) }\n",
    );
    other.program = "debug/other".to_owned();
    let ran = other.build();
    ran.assert_crates(&["other"]);
    assert_eq!((ran.summary().units, ran.summary().reused), (2, 1), "{ran}");
    assert_eq!(other.is_right(), "5\n");
}

fn after_cargo_build_zbuild_only_captures(layout: Layout) {
    let checkout = Checkout::of("members", layout).forget_everything();
    checkout
        .cargo_build()
        .assert_crates(&["itoa", "leaf", "mid", "util", "app"]);
    let summary = checkout.build_compiles_nothing().summary();
    assert_eq!((summary.units, summary.reused), (5, 5));
    checkout.referee();
    checkout.remove_target();
    checkout.build_compiles_nothing();
    checkout.is_right();
}

fn zbuild_and_cargo_take_turns(layout: Layout) {
    let checkout = Checkout::of("members", layout);
    checkout.build();
    checkout.replace("leaf/src/lib.rs", "= 1", "= 2");
    checkout.cargo_build().assert_crates(CONE);
    checkout.build_compiles_nothing();
    checkout.referee();
    checkout.replace("leaf/src/lib.rs", "= 2", "= 1");
    checkout.build_compiles_nothing();
    assert!(checkout.is_right().contains("leaf.constant=1\n"));
    // This state was compiled by cargo alone.
    checkout.replace("leaf/src/lib.rs", "= 1", "= 2");
    checkout.build_compiles_nothing();
    assert!(checkout.is_right().contains("leaf.constant=2\n"));
    // cargo goes back on its own, and zbuild notices what it left.
    checkout.replace("leaf/src/lib.rs", "= 2", "= 1");
    checkout.cargo_build();
    checkout.build_compiles_nothing();
    checkout.is_right();
}

fn parts_of_a_workspace_are_built_with_one_cache(layout: Layout) {
    let mut checkout = Checkout::of("members", layout);
    checkout.set_args(&["-p", "mid"]);
    checkout.build().assert_crates(&["leaf", "mid"]);
    checkout.referee();
    checkout.set_args(&[]);
    checkout.build().assert_crates(&["itoa", "util", "app"]);
    checkout.is_right();
    checkout.set_args(&["-p", "util"]);
    checkout.build_compiles_nothing();
    checkout.referee();
    checkout.remove_target();
    checkout.build_compiles_nothing();
    checkout.referee();
    assert!(
        !checkout.target().join("debug/app").exists(),
        "it was not asked for"
    );
    checkout.set_args(&[]);
    checkout.build_compiles_nothing();
    checkout.is_right();
}

fn check_and_build_and_release_stand_side_by_side(layout: Layout) {
    let mut checkout = Checkout::of("members", layout);
    let verbs: &[&[&str]] = &[&[], &["check"], &["--release"], &["rustc", "-p", "leaf"]];
    for verb in verbs {
        checkout.set_args(verb);
        checkout.build();
        checkout.referee();
    }
    for verb in verbs {
        checkout.set_args(verb);
        checkout.build_compiles_nothing();
        checkout.referee();
    }
    checkout.remove_target();
    for verb in verbs {
        checkout.set_args(verb);
        checkout.build_compiles_nothing();
        checkout.referee();
    }
    checkout.set_args(&[]);
    checkout.build_compiles_nothing();
    checkout.is_right();
}

/// `leaf` is in place; putting it there again would make what rests on it
/// older than it is, and cargo would build that again.
fn another_argument_set_leaves_alone_what_is_in_place(layout: Layout) {
    let mut checkout = Checkout::of("members", layout);
    checkout.build();
    checkout.set_args(&["-p", "leaf"]);
    checkout.build_compiles_nothing();
    checkout.referee();
    checkout.set_args(&[]);
    checkout.referee();
}

/// The files that a warm build needs are remembered; a program is only started
/// if something has to be compiled.
#[cfg(unix)]
fn a_warm_build_starts_neither_cargo_nor_rustc(layout: Layout) {
    let mut checkout = Checkout::of("members", layout).forget_everything();
    let log = checkout.base().join("started.log");
    for tool in ["cargo", "rustc"] {
        let script = checkout.base().join("tools").join(tool);
        let text = format!(
            "#!/bin/sh\necho \"{tool} $*\" >> '{}'\nexec {tool} \"$@\"\n",
            log.display()
        );
        common::files::write_script(&script, &text);
        if tool == "cargo" {
            checkout.with_cargo = Some(script);
        } else {
            checkout.set_env("RUSTC", script);
        }
    }
    let started = || {
        let text = fs::read_to_string(&log).unwrap_or_default();
        let _ = fs::remove_file(&log);
        text
    };
    checkout.build();
    let cold = started();
    assert!(cold.contains("cargo build"), "the log works: {cold}");
    assert!(cold.contains("--crate-name leaf"), "the log works: {cold}");

    checkout.build_compiles_nothing();
    assert_eq!(started(), "", "nothing to do");
    for source in SOURCES {
        checkout.touch(source);
    }
    checkout.build_compiles_nothing();
    assert_eq!(started(), "", "touched");
    checkout.remove_target();
    checkout.build_compiles_nothing();
    assert_eq!(started(), "", "the target directory was removed");

    checkout.append("leaf/src/lib.rs", "\n");
    checkout.build().assert_crates(CONE);
    let edited = started();
    let cargos = edited
        .lines()
        .filter(|line| line.starts_with("cargo "))
        .count();
    assert_eq!(
        cargos, 1,
        "cargo is started once, and for no plan: {edited}"
    );
    checkout.write("leaf/src/lib.rs", "pub const CONSTANT: u32 = 1;\n");
    checkout.build_compiles_nothing();
    assert_eq!(started(), "", "the edit was taken back");
    checkout.referee();
}

in_both_layouts!(
    a_cold_build_compiles_everything_and_cargo_agrees,
    the_second_build_compiles_nothing,
    touching_every_source_compiles_nothing,
    a_newline_that_comes_and_goes_is_compiled_once,
    only_what_rests_on_an_edited_crate_is_compiled,
    two_states_that_were_built_before_are_never_compiled_again,
    a_removed_target_directory_comes_back_whole,
    an_edit_after_a_restore_is_compiled_on_top_of_it,
    cargo_sees_an_edit_made_right_after_a_restore,
    a_second_checkout_shares_what_the_first_one_built,
    checkouts_that_were_built_apart_do_not_mix,
    another_workspace_shares_a_registry_crate,
    after_cargo_build_zbuild_only_captures,
    zbuild_and_cargo_take_turns,
    parts_of_a_workspace_are_built_with_one_cache,
    check_and_build_and_release_stand_side_by_side,
    another_argument_set_leaves_alone_what_is_in_place,
);

#[cfg(unix)]
in_both_layouts!(a_warm_build_starts_neither_cargo_nor_rustc);
