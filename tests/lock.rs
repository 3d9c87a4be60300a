//! cargo's locks: a target directory is only changed while they are held.
#![allow(clippy::unwrap_used)] // a test may panic

#[macro_use]
mod common;

use std::fs::{self, File};
use std::thread;
use std::time::{Duration, Instant};

use common::{Checkout, Layout, Ran};

fn somebody_else_holds_the_target_directory(layout: Layout) {
    let checkout = Checkout::of("members", layout);
    checkout.build();
    checkout.remove_target();
    let profile = checkout.target().join("debug");
    fs::create_dir_all(&profile).unwrap();
    let lock = File::create(profile.join(".cargo-lock")).unwrap();
    lock.lock().unwrap();
    thread::scope(|scope| {
        let waiting = scope.spawn(|| checkout.build());
        // Long enough to be seen waiting on a slow machine; nothing may appear
        // in the directory meanwhile.
        let until = Instant::now() + Duration::from_secs(2);
        while Instant::now() < until {
            assert!(!profile.join("app").exists(), "written without the lock");
            thread::sleep(Duration::from_millis(50));
        }
        assert!(!waiting.is_finished(), "the lock is held by somebody else");
        drop(lock);
        let ran = waiting.join().unwrap();
        let blocking = "Blocking waiting for file lock on artifact directory";
        assert!(ran.stderr.contains(blocking), "{ran}");
        assert_eq!(ran.compiled(), 0, "{ran}");
    });
    checkout.is_right();
}

/// In the same words as cargo.
fn waiting_is_told_as_cargo_tells_it(layout: Layout) {
    let checkout = Checkout::of("members", layout);
    checkout.build();
    let profile = checkout.target().join("debug");
    let blocked = |run: &(dyn Fn() -> Ran + Sync)| -> Vec<String> {
        let lock = File::create(profile.join(".cargo-lock")).unwrap();
        lock.lock().unwrap();
        thread::scope(|scope| {
            let waiting = scope.spawn(run);
            thread::sleep(Duration::from_millis(700));
            drop(lock);
            let ran = waiting.join().unwrap().successful();
            let lines = ran.stderr_of_cargo().into_iter();
            lines.filter(|line| line.contains("Blocking")).collect()
        })
    };
    let by_cargo = blocked(&|| checkout.cargo(&["build"]));
    assert_eq!(by_cargo.len(), 1, "{by_cargo:?}");
    checkout.touch("leaf/src/lib.rs");
    let ours = blocked(&|| checkout.zbuild(&[]));
    assert_eq!(ours, by_cargo);
    checkout.touch("leaf/src/lib.rs");
    assert_eq!(blocked(&|| checkout.zbuild(&["-q"])), [""; 0]);
    checkout.is_right();
}

/// What was changed while it waited has to be seen.
fn the_sources_change_while_it_waits(layout: Layout) {
    let checkout = Checkout::of("members", layout);
    checkout.build();
    checkout.replace("leaf/src/lib.rs", "= 1", "= 2");
    checkout.build();
    let two = checkout.run();
    checkout.touch("leaf/src/lib.rs");
    let lock = File::create(checkout.target().join("debug/.cargo-lock")).unwrap();
    lock.lock().unwrap();
    thread::scope(|scope| {
        let waiting = scope.spawn(|| checkout.build());
        thread::sleep(Duration::from_millis(300));
        checkout.replace("leaf/src/lib.rs", "= 2", "= 1");
        drop(lock);
        waiting.join().unwrap();
    });
    checkout.build_compiles_nothing();
    assert_ne!(checkout.is_right(), two);
}

fn several_builds_share_one_target_directory(layout: Layout) {
    let mut checkout = Checkout::of("outside", layout);
    checkout.dir = checkout.path("ws");
    thread::scope(|scope| {
        let builds: Vec<_> = (0..4)
            .map(|_| scope.spawn(|| checkout.zbuild(&[])))
            .collect();
        for build in builds {
            build.join().unwrap().successful();
        }
    });
    checkout.is_right();
    checkout.build();
    checkout.remove_target();
    checkout.build();
    checkout.is_right();
}

fn several_target_directories_share_one_cache(layout: Layout) {
    let first = Checkout::of("proc-macro", layout);
    let others: Vec<Checkout> = (0..3)
        .map(|count| first.second(&format!("other-{count}")))
        .collect();
    thread::scope(|scope| {
        let builds: Vec<_> = others
            .iter()
            .chain([&first])
            .map(|checkout| scope.spawn(|| checkout.zbuild(&[])))
            .collect();
        for build in builds {
            build.join().unwrap().successful();
        }
    });
    for checkout in others.iter().chain([&first]) {
        checkout.is_right();
        checkout.remove_target();
        checkout.build_compiles_nothing();
        checkout.is_right();
    }
}

in_both_layouts!(
    somebody_else_holds_the_target_directory,
    waiting_is_told_as_cargo_tells_it,
    the_sources_change_while_it_waits,
    several_builds_share_one_target_directory,
    several_target_directories_share_one_cache,
);
