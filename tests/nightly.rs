//! The same on a newer cargo, if there is one: rustup's nightly knows the new
//! layout by itself and takes finer locks. Without it these tests pass by.
#![allow(clippy::unwrap_used)] // a test may panic

#[macro_use]
mod common;

use std::fs::File;
use std::thread;
use std::time::Duration;

use common::{Checkout, Layout, has_toolchain, there_and_back};

fn on_nightly(workspace: &str, layout: Layout) -> Option<Checkout> {
    if !has_toolchain("nightly") {
        eprintln!("skipped: there is no nightly toolchain");
        return None;
    }
    let mut checkout = Checkout::of(workspace, layout);
    checkout.set_env("RUSTUP_TOOLCHAIN", "nightly");
    Some(checkout)
}

fn two_states_of_members(layout: Layout) {
    let Some(mut checkout) = on_nightly("members", layout) else {
        return;
    };
    let there = |checkout: &mut Checkout| checkout.replace("leaf/src/lib.rs", "= 1", "= 2");
    let back = |checkout: &mut Checkout| checkout.replace("leaf/src/lib.rs", "= 2", "= 1");
    there_and_back(&mut checkout, there, back).assert_crates(&["leaf", "mid", "app"]);
    let spread = checkout.target().join("debug/.fingerprint").is_dir();
    assert_eq!(spread, layout == Layout::Spread);
    for source in ["leaf/src/lib.rs", "util/src/lib.rs"] {
        checkout.touch(source);
    }
    checkout.build_compiles_nothing();
    checkout.is_right();
}

fn build_scripts_come_and_go(layout: Layout) {
    let Some(mut checkout) = on_nightly("build-scripts", layout) else {
        return;
    };
    let there = |checkout: &mut Checkout| {
        checkout.set_env("ZB_ENVY", "green");
        checkout.write("gen/template.txt", "template two\n");
        checkout.write("watchdir/assets/c.txt", "gamma\n");
    };
    let back = |checkout: &mut Checkout| {
        checkout.unset_env("ZB_ENVY");
        checkout.write("gen/template.txt", "template one\n");
        checkout.remove("watchdir/assets/c.txt");
    };
    let ran = there_and_back(&mut checkout, there, back);
    assert_eq!(ran.scripts(), ["envy", "gen", "watchdir"], "{ran}");
    let second = checkout.second("second/ws");
    second.build();
    second.is_right();
}

fn messages_are_cargos_own(layout: Layout) {
    let Some(checkout) = on_nightly("warnings", layout) else {
        return;
    };
    checkout.build();
    for format in ["human", "short", "json-render-diagnostics"] {
        checkout.remove_target();
        let format = format!("--message-format={format}");
        let ours = checkout.zbuild(&[&format]).healthy();
        let by_cargo = checkout.cargo(&["build", &format]).successful();
        let sorted = |text: &str| {
            let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
            lines.sort();
            lines
        };
        assert_eq!(sorted(&ours.stdout), sorted(&by_cargo.stdout));
        let said = |ran: &common::Ran| sorted(&ran.stderr_of_cargo().join("\n"));
        assert_eq!(said(&ours), said(&by_cargo), "{ours}\n{by_cargo}");
    }
}

/// Each of cargo's locks is waited for.
fn every_lock_is_waited_for(layout: Layout) {
    let Some(checkout) = on_nightly("members", layout) else {
        return;
    };
    checkout.build();
    for name in [".cargo-lock", ".cargo-build-lock", ".cargo-artifact-lock"] {
        let path = checkout.target().join("debug").join(name);
        if !path.exists() {
            continue;
        }
        let lock = File::options().write(true).open(path).unwrap();
        lock.lock().unwrap();
        checkout.touch("leaf/src/lib.rs");
        thread::scope(|scope| {
            let waiting = scope.spawn(|| checkout.build());
            thread::sleep(Duration::from_millis(500));
            assert!(!waiting.is_finished(), "{name} is held by somebody else");
            drop(lock);
            let ran = waiting.join().unwrap();
            assert!(
                ran.stderr.contains("Blocking waiting for file lock"),
                "{name}: {ran}"
            );
            assert_eq!(ran.compiled(), 0, "{ran}");
        });
        checkout.referee();
    }
}

in_both_layouts!(two_states_of_members);

#[test]
fn build_scripts_come_and_go_in_the_new_layout() {
    build_scripts_come_and_go(Layout::PerUnit);
}

#[test]
fn messages_are_cargos_own_in_the_new_layout() {
    messages_are_cargos_own(Layout::PerUnit);
}

#[test]
fn every_lock_is_waited_for_in_the_new_layout() {
    every_lock_is_waited_for(Layout::PerUnit);
}
