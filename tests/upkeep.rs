//! `gc`, `clear`, `verify` and `doctor`, and that the cache keeps its bounds by
//! itself.
#![allow(clippy::unwrap_used)] // a test may panic

#[macro_use]
mod common;

use std::fs;
use std::path::PathBuf;

use common::files::{files_below, modified};
use common::{Checkout, Layout, Ran};

fn contents(checkout: &Checkout) -> Vec<PathBuf> {
    let mut files = files_below(&checkout.cache);
    files.retain(|path| {
        path.to_str()
            .unwrap()
            .replace('\\', "/")
            .contains("/content-v2/")
    });
    files
}

fn size(checkout: &Checkout) -> u64 {
    let files = contents(checkout);
    files
        .iter()
        .map(|path| fs::metadata(path).unwrap().len())
        .sum()
}

fn recorded(checkout: &Checkout) -> usize {
    let ran = checkout.zbuild(&["verify"]).successful();
    ran.stdout.split(' ').next().unwrap().parse().unwrap()
}

/// Edits pile up; what is needed now stays.
fn collection_keeps_what_is_needed(layout: Layout) {
    let checkout = Checkout::of("members", layout);
    checkout.build();
    let needed = size(&checkout);
    for round in 1..5 {
        checkout.replace(
            "leaf/src/lib.rs",
            &format!("= {round}"),
            &format!("= {}", round + 1),
        );
        checkout.build();
    }
    let (before, all) = (size(&checkout), recorded(&checkout));
    assert!(before > 2 * needed && all > 10, "{before} {needed} {all}");
    let bound = (needed * 3 / 2).to_string();
    let dry = checkout
        .zbuild(&["gc", "--dry-run", "--max-size", &bound])
        .successful();
    assert!(dry.stdout.starts_with("would remove "), "{dry}");
    assert_eq!(size(&checkout), before, "nothing was removed");
    let ran = checkout.zbuild(&["gc", "--max-size", &bound]).successful();
    // The records that are written anew are a little shorter than foreseen.
    let removed = |ran: &Ran| -> Vec<String> {
        let line = ran
            .stdout
            .lines()
            .next()
            .unwrap()
            .replace("would remove", "removed");
        line.split(',').take(1).map(str::to_owned).collect()
    };
    assert_eq!(removed(&ran), removed(&dry));
    assert!(size(&checkout) <= needed * 3 / 2, "{ran}");
    assert!(recorded(&checkout) < all);
    checkout.build_compiles_nothing();
    checkout.remove_target();
    checkout.build_compiles_nothing();
    checkout.is_right();
}

/// A bound in the configuration holds without being asked for.
fn the_bound_holds_by_itself(layout: Layout) {
    let mut checkout = Checkout::of("members", layout);
    checkout.build();
    let bound = size(&checkout) * 3 / 2;
    checkout.set_env("ZBUILD_MAX_SIZE", bound.to_string());
    for round in 1..6 {
        checkout.replace(
            "leaf/src/lib.rs",
            &format!("= {round}"),
            &format!("= {}", round + 1),
        );
        checkout.build();
        assert!(
            size(&checkout) <= bound,
            "{round}: {} > {bound}",
            size(&checkout)
        );
    }
    checkout.is_right();
    checkout.remove_target();
    checkout.build_compiles_nothing();
}

fn nothing_is_left_after_clear(layout: Layout) {
    let checkout = Checkout::of("members", layout);
    checkout.build();
    checkout.zbuild(&["clear"]).successful();
    let left = files_below(&checkout.cache);
    assert!(
        left.iter()
            .all(|path| path.to_str().unwrap().ends_with("lock")),
        "{left:?}"
    );
    assert_eq!(recorded(&checkout), 0);
    checkout.build();
    checkout.remove_target();
    checkout.build();
    checkout.remove_target();
    checkout.build_compiles_nothing();
    checkout.is_right();
}

/// What nobody needs any more: leftovers, contents without a record, plans of
/// workspaces that are gone.
fn leftovers_go(layout: Layout) {
    let checkout = Checkout::of("members", layout);
    let gone = checkout.second("gone");
    gone.build();
    checkout.build();
    let store = contents(&checkout)[0]
        .ancestors()
        .nth(6)
        .unwrap()
        .to_owned();
    let states = || files_below(&store.join("state")).len();
    let before = states();
    fs::remove_dir_all(&gone.copy).unwrap();
    let orphan = store.join("store/content-v2/xxh3/00/00/0123456789012345678901234567");
    let leftover = store.join("state/.tmpabcdef");
    let seal = store.join("store/seals/00/11");
    for path in [&orphan, &leftover, &seal] {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "left behind").unwrap();
        let old = filetime::FileTime::from_unix_time(1_700_000_000, 0);
        filetime::set_file_mtime(path, old).unwrap();
    }
    let ran = checkout.zbuild(&["gc"]).successful();
    for path in [&orphan, &leftover, &seal] {
        assert!(!path.exists(), "{path:?}: {ran}");
    }
    assert!(states() < before, "{ran}");
    checkout.build_compiles_nothing();
    checkout.remove_target();
    checkout.build_compiles_nothing();
    checkout.is_right();
}

/// A flipped bit under the old size and time is what a build cannot see.
fn verify_finds_what_a_build_cannot_see(layout: Layout) {
    let checkout = Checkout::of("members", layout);
    checkout.build();
    checkout.remove_target();
    let all = contents(&checkout);
    let largest = all
        .iter()
        .max_by_key(|path| fs::metadata(path).unwrap().len())
        .unwrap();
    let time = modified(largest);
    let mut bytes = fs::read(largest).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x20;
    fs::write(largest, bytes).unwrap();
    filetime::set_file_mtime(largest, time).unwrap();

    let ran = checkout.zbuild(&["verify"]);
    assert_eq!(ran.status.code(), Some(1), "{ran}");
    let name = largest.file_name().unwrap().to_str().unwrap();
    assert!(ran.stdout.contains(name), "{ran}");
    assert!(largest.exists(), "it is only told");
    checkout.zbuild(&["verify", "--repair"]).successful();
    assert!(!largest.exists());
    checkout.zbuild(&["verify"]).successful();
    checkout.build();
    checkout.is_right();
    checkout.remove_target();
    checkout.build_compiles_nothing();
}

#[test]
fn the_doctor_tells_all() {
    let checkout = Checkout::of("members", Layout::Spread);
    checkout.build();
    let ran = checkout.zbuild(&["doctor"]).successful();
    for word in [
        "cargo ",
        "rustc ",
        "layout ",
        "cache ",
        "bound ",
        "files ",
        "max-size = ",
    ] {
        assert!(
            ran.stdout.lines().any(|line| line.starts_with(word)),
            "{word}: {ran}"
        );
    }
    // One more is the package with which the cache has seen the toolchain.
    assert!(ran.stdout.contains(" 6 recorded units"), "{ran}");
    let path = checkout.base().join("nowhere");
    fs::write(&path, "a file").unwrap();
    let mut command = checkout.zbuild_command(&["doctor"]);
    command.env("ZBUILD_CACHE_DIR", &path);
    command.env("ZBUILD_CACHE_DRI", "typing error");
    let ran = Ran::of(command);
    assert_eq!(ran.status.code(), Some(1), "{ran}");
    assert!(ran.stdout.contains("PROBLEM"), "{ran}");
}

#[test]
fn wrong_bounds_are_refused() {
    let checkout = Checkout::of("members", Layout::Spread);
    for args in [
        ["gc", "--max-size=much"],
        ["gc", "--max-age=soon"],
        ["gc", "--min-free=101%"],
    ] {
        let ran = checkout.zbuild(&args);
        assert!(
            !ran.status.success() && ran.stderr.contains("expected"),
            "{ran}"
        );
    }
    checkout
        .zbuild(&[
            "gc",
            "--max-size=none",
            "--max-age=2 weeks",
            "--min-free=1MB",
        ])
        .successful();
}

in_both_layouts!(
    collection_keeps_what_is_needed,
    the_bound_holds_by_itself,
    nothing_is_left_after_clear,
    leftovers_go,
    verify_finds_what_a_build_cannot_see,
);
