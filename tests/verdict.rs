//! Cargo's verdict is heard: what it builds although we had restored it is set
//! aside, named, counted, and turns every other test red.
#![cfg(unix)] // cargo is replaced by a shell script
#![allow(clippy::unwrap_used)] // a test may panic

#[macro_use]
mod common;

use common::files::{modified, write_script};
use common::{Checkout, Layout, Ran};

/// Between our restore and its own build this cargo loses what it knows of
/// `leaf`, as if we had restored that wrongly.
fn forgetful_cargo(checkout: &Checkout) -> std::path::PathBuf {
    let script = checkout.base().join("forgetful/cargo");
    let text = "#!/bin/sh\n\
        case \" $* \" in\n\
        *unit-graph*) ;;\n\
        *\" --message-format\"*) find target \\( -name lib-leaf -o -name dep-lib-leaf \\) -delete ;;\n\
        esac\n\
        exec cargo \"$@\"\n";
    write_script(&script, text);
    script
}

/// The bytes of `leaf`'s library.
fn library(checkout: &Checkout) -> Vec<u8> {
    let dir = match checkout.layout {
        Layout::Spread => "/deps/",
        Layout::PerUnit => "/out/",
    };
    let library = checkout.target_file(&[dir, "libleaf-", ".rlib"]);
    std::fs::read(library).unwrap()
}

fn set_aside(ran: &Ran) -> Vec<&str> {
    let lines = ran.zbuild_lines();
    lines
        .filter(|line| line.starts_with("set aside: "))
        .collect()
}

fn what_cargo_builds_again_is_set_aside(layout: Layout) {
    let mut checkout = Checkout::of("members", layout);
    checkout.build();
    let restored = library(&checkout);
    checkout.replace("app/src/main.rs", "1234", "4321");
    checkout.remove_target();
    checkout.with_cargo = Some(forgetful_cargo(&checkout));
    let ran = checkout.zbuild(&["-v"]).successful();
    assert_eq!(
        set_aside(&ran),
        ["set aside: leaf 0.1.0 (lib): cargo built it although it was restored"],
        "{ran}"
    );
    // Such a build is no healthy one to any test.
    assert_eq!(ran.troubles(), set_aside(&ran));
    checkout.with_cargo = None;
    checkout.referee();
    checkout.is_right();

    // It is counted.
    let stats = checkout.zbuild(&["stats", "--json"]).successful();
    let stats: serde_json::Value = serde_json::from_str(&stats.stdout).unwrap();
    let found = stats.to_string();
    assert!(found.contains("\"distrusted\":1"), "{stats:#}");

    // And never restored again: what comes back is cargo's new one, if that is
    // another one at all.
    let anew = library(&checkout);
    checkout.remove_target();
    let ran = checkout.build();
    if anew == restored {
        let mut lines = ran.zbuild_lines();
        let why = lines.find(|line| line.starts_with("miss: leaf"));
        assert!(why.is_some_and(|why| why.contains("set aside")), "{ran}");
    } else {
        assert!(library(&checkout) == anew, "the old one came back:\n{ran}");
    }
    checkout.is_right();
}

/// `ZBUILD_VERIFY=1`: cargo confirms, and what was reused is read again.
fn what_was_reused_is_verified(layout: Layout) {
    let mut checkout = Checkout::of("members", layout);
    checkout.build();
    checkout.remove_target();
    checkout.set_env("ZBUILD_VERIFY", "1");
    let verified = |ran: &Ran| {
        let mut lines = ran.zbuild_lines();
        lines
            .find(|line| line.starts_with("verified: "))
            .map(str::to_owned)
    };
    let all = Some("verified: 5 units, 9 files read again".to_owned());
    for _ in 0..2 {
        let ran = checkout.zbuild(&["-v"]).successful();
        assert_eq!(ran.compiled(), 0, "{ran}");
        ran.assert_fresh();
        assert_eq!(verified(&ran), all, "{ran}");
    }

    // Harmed so that no time and no size tells.
    let dir = match layout {
        Layout::Spread => "/deps/",
        Layout::PerUnit => "/out/",
    };
    let library = checkout.target_file(&[dir, "libleaf-", ".rlib"]);
    let time = modified(&library);
    let mut bytes = std::fs::read(&library).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&library, bytes).unwrap();
    filetime::set_file_mtime(&library, time).unwrap();
    let ran = checkout.zbuild(&["-v"]).successful();
    let told = ran.troubles();
    let named = |line: &&str| line.starts_with("verify: leaf") && line.contains("libleaf-");
    assert!(told.iter().any(named), "{ran}");
    checkout.unset_env("ZBUILD_VERIFY");
    let ran = checkout.zbuild(&["-v", "--verify"]).successful();
    assert!(verified(&ran).is_some(), "{ran}");
    assert!(ran.crates().contains(&"leaf".to_owned()), "{ran}");
    checkout.build_compiles_nothing();
    checkout.is_right();
}

in_both_layouts!(
    what_cargo_builds_again_is_set_aside,
    what_was_reused_is_verified,
);
