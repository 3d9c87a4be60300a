//! Real small, foreign and read-only file systems, and files without
//! permission. What has to be mounted needs root; elsewhere these tests say so
//! and do nothing.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)] // a test may panic

#[macro_use]
mod common;

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

use common::files::files_below;
use common::{Checkout, Layout, Ran};

/// A file system in memory, unmounted in the end.
struct Mount(PathBuf);

impl Mount {
    fn new(place: PathBuf, size: &str) -> Option<Mount> {
        fs::create_dir_all(&place).unwrap();
        let mut command = Command::new("mount");
        command.args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"]);
        let mounted = command.arg(&place).output();
        if mounted.is_ok_and(|output| output.status.success()) {
            return Some(Mount(place));
        }
        println!("skipped: a file system cannot be mounted here");
        None
    }

    fn again(&self, options: &str) {
        let mut command = Command::new("mount");
        command.args(["-o", &format!("remount,{options}")]);
        assert!(command.arg(&self.0).status().unwrap().success());
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        // Lazily: a failed test may have left something open.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[track_caller]
fn builds_all_the_same(checkout: &Checkout) -> Ran {
    let ran = checkout.zbuild(&[]).successful();
    assert!(ran.troubles().len() <= 1, "one line is enough: {ran}");
    checkout.referee();
    ran
}

/// Out of space in the midst of recording: nothing of it is believed.
fn the_cache_is_full(layout: Layout) {
    for size in ["256k", "2m"] {
        let mut checkout = Checkout::of("members", layout);
        let place = checkout.base().join("small");
        let Some(mount) = Mount::new(place.clone(), size) else {
            return;
        };
        checkout.cache = place.join("cache");
        let ran = builds_all_the_same(&checkout);
        assert_eq!(ran.troubles().len(), 1, "{size}: it is told: {ran}");
        checkout.is_right();
        checkout.zbuild(&["verify"]).successful();
        for round in 0..2 {
            checkout.remove_target();
            builds_all_the_same(&checkout);
            checkout.replace(
                "leaf/src/lib.rs",
                &format!("= {}", round + 1),
                &format!("= {}", round + 2),
            );
            builds_all_the_same(&checkout);
        }
        checkout.is_right();
        checkout.zbuild(&["verify"]).successful();
        // With room all is recorded, and nothing of the past is in the way.
        mount.again("size=64m");
        checkout.remove_target();
        checkout.build();
        checkout.remove_target();
        checkout.build_compiles_nothing();
        checkout.is_right();
    }
}

/// Hard links are not possible: files are copied, and all is as ever.
fn the_cache_is_on_another_file_system(layout: Layout) {
    let mut checkout = Checkout::of("proc-macro", layout);
    let place = checkout.base().join("other");
    let Some(mount) = Mount::new(place.clone(), "200m") else {
        return;
    };
    checkout.cache = place.join("cache");
    checkout.build();
    checkout.is_right();
    for _ in 0..2 {
        checkout.remove_target();
        checkout.build_compiles_nothing();
        checkout.is_right();
    }
    let doctor = checkout.zbuild(&["doctor"]).successful();
    assert!(doctor.stdout.contains("copies between cache"), "{doctor}");
    checkout.zbuild(&["verify"]).successful();

    // What is there can be used even if nothing can be added.
    mount.again("ro");
    checkout.remove_target();
    let ran = checkout.zbuild(&[]).successful();
    assert!(ran.troubles().len() <= 1, "one line is enough: {ran}");
    assert_eq!(ran.compiled(), 0, "{ran}");
    checkout.append("app/src/main.rs", "// A comment.\n");
    let ran = checkout.zbuild(&[]).successful();
    assert!(ran.troubles().len() <= 1, "one line is enough: {ran}");
    checkout.is_right();
    let gc = checkout.zbuild(&["gc", "--max-size", "0"]);
    assert!(!gc.status.success() && gc.stderr.contains("error"), "{gc}");
}

/// The build ends as cargo's does, and nothing half-restored is believed.
fn the_target_directory_is_full(layout: Layout) {
    let checkout = Checkout::of("members", layout);
    checkout.build();
    for size in ["64k", "500k", "2m", "5m"] {
        checkout.remove_target();
        let Some(mount) = Mount::new(checkout.target(), size) else {
            return;
        };
        let ran = checkout.zbuild(&[]);
        assert!(matches!(ran.status.code(), Some(0 | 101)), "{ran}");
        assert!(ran.troubles().len() <= 1, "one line is enough: {ran}");
        mount.again("size=64m");
        builds_all_the_same(&checkout);
        assert!(checkout.run().starts_with("leaf.constant=1\n"));
        checkout.zbuild(&["verify"]).successful();
        drop(mount);
    }
    checkout.remove_target();
    checkout.build_compiles_nothing();
    checkout.is_right();
}

/// As somebody to whom permissions apply.
fn without_power(checkout: &Checkout, args: &[&str]) -> Option<Ran> {
    let mut probe = Command::new("setpriv");
    let powers = "--bounding-set=-dac_override,-dac_read_search,-fowner";
    if !probe
        .args([powers, "true"])
        .status()
        .is_ok_and(|s| s.success())
    {
        println!("skipped: powers cannot be dropped here");
        return None;
    }
    let mut command = checkout.command("setpriv");
    command.args([powers, "cargo", "zbuild"]).args(args);
    Some(Ran::of(command))
}

/// Files and directories of the cache that may not be read or not be written.
fn there_is_no_permission(layout: Layout) {
    let checkout = Checkout::of("members", layout);
    checkout.build();
    let store = fs::read_dir(&checkout.cache).unwrap().next().unwrap();
    let store = store.unwrap().path();
    let all = files_below(&store);
    let of = |part: &str| -> Vec<PathBuf> {
        let fits = |path: &&PathBuf| path.to_str().unwrap().contains(part);
        all.iter().filter(fits).cloned().collect()
    };
    let cases: Vec<(Vec<PathBuf>, u32)> = vec![
        (of("/content-v2/"), 0o000),
        (of("/index-v5/"), 0o000),
        (of("/state/"), 0o000),
        (of("lock"), 0o000),
        (vec![store.join("store/content-v2")], 0o000),
        (vec![store.join("store")], 0o500),
        (vec![store.join("state")], 0o500),
        (vec![store.clone()], 0o000),
        (vec![store.clone()], 0o500),
    ];
    for (paths, mode) in cases {
        checkout.remove_target();
        let before: Vec<(&Path, Permissions)> = paths
            .iter()
            .filter_map(|path| Some((path.as_path(), fs::metadata(path).ok()?.permissions())))
            .collect();
        for (path, _) in &before {
            fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
        }
        let what = format!("{mode:o} {:?}", paths.first());
        for _ in 0..2 {
            let Some(ran) = without_power(&checkout, &[]) else {
                return;
            };
            let ran = ran.successful();
            assert!(ran.troubles().len() <= 1, "{what}: {ran}");
            checkout.referee();
            assert!(checkout.run().starts_with("leaf.constant=1\n"), "{what}");
        }
        for (path, permissions) in before {
            // What was replaced has a mode of its own.
            if path.exists() {
                fs::set_permissions(path, permissions).unwrap();
            }
        }
        builds_all_the_same(&checkout);
    }
    checkout.remove_target();
    builds_all_the_same(&checkout);
    checkout.remove_target();
    checkout.build_compiles_nothing();
    checkout.is_right();
}

/// Somebody removes the cache all the time.
fn the_cache_is_deleted_while_in_use(layout: Layout) {
    let checkout = Checkout::of("members", layout);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                // It may be created again just now.
                let _ = fs::remove_dir_all(&checkout.cache);
                std::thread::sleep(std::time::Duration::from_millis(3));
            }
        });
        let built = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            for round in 0..4 {
                if round % 2 == 1 {
                    checkout.remove_target();
                }
                let ran = checkout.zbuild(&[]).successful();
                assert!(ran.troubles().len() <= 1, "one line is enough: {ran}");
                assert!(checkout.run().starts_with("leaf.constant=1\n"));
                checkout.referee();
            }
        }));
        done.store(true, Ordering::Relaxed);
        if let Err(panic) = built {
            std::panic::resume_unwind(panic);
        }
    });
    checkout.is_right();
    checkout.remove_target();
    checkout.build();
    checkout.remove_target();
    checkout.build_compiles_nothing();
}

/// Nobody else can look into it.
#[test]
fn the_cache_is_private() {
    let checkout = Checkout::of("members", Layout::Spread).forget_everything();
    let mut command = checkout.command("sh");
    command.args(["-c", "umask 000; exec cargo zbuild"]);
    Ran::of(command).successful();
    let store = fs::read_dir(&checkout.cache).unwrap().next().unwrap();
    let mode = store.unwrap().metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
}

in_both_layouts!(
    the_cache_is_full,
    the_cache_is_on_another_file_system,
    the_target_directory_is_full,
    there_is_no_permission,
    the_cache_is_deleted_while_in_use,
);
