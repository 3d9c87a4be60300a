//! Other file systems: with times of full seconds, with blocks that files
//! share, in memory. Each is made in a file and mounted; a machine that cannot
//! do that says so and passes by. And clocks that jump, which do the same to
//! times.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)] // a test may panic

#[macro_use]
mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use common::{Checkout, Layout, Ran};
use filetime::FileTime;

/// A file system in a file, mounted until dropped.
struct Mounted {
    dir: tempfile::TempDir,
    at: PathBuf,
}

impl Mounted {
    /// None, with the reason on stderr, if the machine cannot do it.
    fn new(mkfs: &str, options: &[&str]) -> Option<Mounted> {
        let dir = tempfile::tempdir().unwrap();
        let (image, at) = (dir.path().join("image"), dir.path().join("mounted"));
        fs::create_dir(&at).unwrap();
        fs::File::create(&image)
            .unwrap()
            .set_len(400 << 20)
            .unwrap();
        let run = |program: &str, args: &[&Path], options: &[&str]| {
            let mut command = Command::new(program);
            command.args(options).args(args).stdin(Stdio::null());
            let output = command.output().map_err(|error| error.to_string())?;
            match output.status.success() {
                true => Ok(()),
                false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
            }
        };
        let made = run(mkfs, &[&image], options)
            .and_then(|()| run("mount", &[&image, &at], &["-o", "loop"]));
        match made {
            Ok(()) => Some(Mounted { dir, at }),
            Err(why) => {
                let why = why.lines().next().unwrap_or_default();
                eprintln!("skipped: no file system by {mkfs}: {why}");
                None
            }
        }
    }

    /// A workspace with its target directory and its cache on it.
    fn checkout(&self, layout: Layout) -> Checkout {
        let at = self.at.join(format!("{layout:?}"));
        let workspace = at.join("ws");
        let elsewhere = Checkout::of("members", layout);
        let mut checkout = elsewhere.second(workspace.to_str().unwrap());
        checkout.cache = at.join("cache");
        checkout
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg(&self.at).status();
        if !unmounted.is_ok_and(|status| status.success()) {
            eprintln!("{} stays mounted", self.dir.path().display());
        }
    }
}

/// Cold, touched, edited at once after a build, removed.
fn is_lived_on(checkout: &Checkout, granularity: Duration) {
    // What was written in the second in which a build begins may have been
    // written after it: it is not recorded.
    std::thread::sleep(granularity);
    checkout.build();
    checkout.is_right();
    checkout.build_compiles_nothing();
    checkout.touch("leaf/src/lib.rs");
    checkout.build_compiles_nothing();
    checkout.referee();
    for (old, new) in [("= 1", "= 2"), ("= 2", "= 3"), ("= 3", "= 1")] {
        checkout.replace("leaf/src/lib.rs", old, new);
        checkout.build();
        let printed = checkout.run();
        let constant = new.trim_start_matches("= ");
        // An edit in the very second in which the build before it began is not
        // seen by cargo, and what was built then is not recorded.
        std::thread::sleep(granularity);
        assert!(
            printed.starts_with(&format!("leaf.constant={constant}\n")),
            "{printed}"
        );
    }
    checkout.is_right();
    checkout.remove_target();
    checkout.build_compiles_nothing();
    checkout.is_right();
}

fn in_each_layout(mkfs: &str, options: &[&str], granularity: u64) {
    let Some(mounted) = Mounted::new(mkfs, options) else {
        return;
    };
    for layout in [Layout::Spread, Layout::PerUnit] {
        is_lived_on(
            &mounted.checkout(layout),
            Duration::from_millis(granularity),
        );
    }
}

#[test]
fn times_of_full_seconds() {
    // With inodes too small for more.
    in_each_layout("mkfs.ext4", &["-q", "-I", "128"], 1_100);
}

#[test]
fn times_of_two_seconds_and_no_links() {
    in_each_layout("mkfs.vfat", &[], 2_100);
}

#[test]
fn shared_blocks_on_xfs() {
    in_each_layout("mkfs.xfs", &["-q", "-m", "reflink=1"], 0);
}

#[test]
fn shared_blocks_on_btrfs() {
    in_each_layout("mkfs.btrfs", &["-q"], 0);
}

/// Sources, target directory and cache each on a file system of their own.
fn everything_is_somewhere_else(layout: Layout) {
    let Ok(memory) = tempfile::tempdir_in("/dev/shm") else {
        eprintln!("skipped: /dev/shm cannot be used");
        return;
    };
    let on_disk = Checkout::of("members", layout);
    let mut checkout = on_disk.second(memory.path().join("ws").to_str().unwrap());
    checkout.set_env("CARGO_TARGET_DIR", on_disk.base().join("target"));
    is_lived_on(&checkout, Duration::ZERO);
}

/// `target` is a link to a directory elsewhere, and its name is very long.
fn the_target_directory_is_a_link_to_a_long_name(layout: Layout) {
    let checkout = Checkout::of("members", layout);
    let long = checkout.base().join("a long name/".repeat(40));
    fs::create_dir_all(&long).unwrap();
    std::os::unix::fs::symlink(&long, checkout.path("target")).unwrap();
    checkout.build();
    checkout.is_right();
    checkout.build_compiles_nothing();
    for entry in fs::read_dir(&long).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            fs::remove_dir_all(path).unwrap();
        }
    }
    checkout.build_compiles_nothing();
    checkout.is_right();
}

/// A build writes nothing beside its target directory.
fn the_sources_are_read_only(layout: Layout) {
    use std::os::unix::fs::PermissionsExt;
    let mut checkout = Checkout::of("build-scripts", layout);
    checkout.set_env("CARGO_TARGET_DIR", checkout.base().join("target"));
    let set = |mode_of_files: u32, mode_of_dirs: u32| {
        for entry in walkdir::WalkDir::new(&checkout.dir).contents_first(true) {
            let entry = entry.unwrap();
            let mode = match entry.file_type().is_dir() {
                true => mode_of_dirs,
                false => mode_of_files,
            };
            fs::set_permissions(entry.path(), fs::Permissions::from_mode(mode)).unwrap();
        }
    };
    let listed = || common::files::files_below(&checkout.dir);
    let before = listed();
    set(0o444, 0o555);
    checkout.build();
    checkout.referee();
    checkout.remove_target();
    checkout.build_compiles_nothing();
    checkout.referee();
    // Root may write all the same, so that it has to be looked at.
    assert_eq!(listed(), before);
    set(0o644, 0o755);
}

/// The registry is known by where it is.
fn cargo_home_is_elsewhere(layout: Layout) {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.unwrap_or_else(|| Path::new(&std::env::var_os("HOME").unwrap()).join(".cargo"));
    if !home.join("registry").is_dir() {
        eprintln!("skipped: {} has no registry", home.display());
        return;
    }
    let mut checkout = Checkout::of("members", layout);
    let other = checkout.base().join("other home");
    fs::create_dir(&other).unwrap();
    std::os::unix::fs::symlink(home.join("registry"), other.join("registry")).unwrap();
    checkout.set_env("CARGO_HOME", &other);
    checkout.build();
    checkout.is_right();
    checkout.remove_target();
    checkout.build_compiles_nothing();
    checkout.is_right();
    checkout.unset_env("CARGO_HOME");
    checkout.build();
    checkout.is_right();
}

/// Sources from the future and from long ago: what cargo makes of the times is
/// its own affair, the program is the right one.
fn sources_have_strange_times(layout: Layout) {
    let checkout = Checkout::of("members", layout);
    checkout.build();
    // What is dated in the future cannot be recorded; cargo builds it each time.
    let from_now = [(-86_400, 2), (-1_000_000_000, 3), (86_400, 4), (1_000, 5)];
    for (seconds, constant) in from_now {
        let seconds = FileTime::now().unix_seconds() + seconds;
        let text = checkout.read("leaf/src/lib.rs");
        let at = text.find("= ").unwrap() + 2;
        let edited = format!("{}{constant}{}", &text[..at], &text[at + 1..]);
        checkout.write("leaf/src/lib.rs", &edited);
        checkout.set_time("leaf/src/lib.rs", FileTime::from_unix_time(seconds, 0));
        for _ in 0..2 {
            let ran = checkout.zbuild(&["-v"]).successful();
            let printed = checkout.run();
            let right = format!("leaf.constant={constant}\n");
            assert!(printed.starts_with(&right), "{printed}{ran}");
        }
    }
    checkout.touch("leaf/src/lib.rs");
    checkout.build();
    checkout.is_right();
}

/// The clock is set ahead, and back again: what was stamped meanwhile is in the
/// future, and edits made now look old.
fn the_clock_jumps(layout: Layout) {
    let mut checkout = Checkout::of("members", layout);
    // For us alone: cargo and rustc hang with a false clock.
    let bin = checkout.base().join("bin");
    for tool in ["cargo", "rustc"] {
        let path = std::env::var("PATH").unwrap();
        let text = format!("#!/bin/sh\nunset LD_PRELOAD\nPATH='{path}' exec {tool} \"$@\"\n");
        common::files::write_script(&bin.join(tool), &text);
    }
    let path = std::env::var_os("PATH").unwrap();
    let path = std::iter::once(bin.clone()).chain(std::env::split_paths(&path));
    checkout.set_env("PATH", std::env::join_paths(path).unwrap());
    checkout.with_cargo = Some(bin.join("cargo"));
    let ahead = |args: &[&str]| {
        let mut command = checkout.command("faketime");
        command
            .args(["-f", "+2d", common::ZBUILD, "zbuild"])
            .args(args);
        command.env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
        command.env("CARGO", bin.join("cargo"));
        Ran::of(command)
    };
    let known = Command::new("faketime").arg("--version").output();
    if known.is_err() {
        eprintln!("skipped: there is no faketime");
        return;
    }
    checkout.build();
    checkout.remove_target();
    ahead(&["-v"]).successful();
    for constant in 2..5 {
        let (old, new) = (format!("= {}", constant - 1), format!("= {constant}"));
        checkout.replace("leaf/src/lib.rs", &old, &new);
        match constant {
            3 => ahead(&["-v"]),
            _ => checkout.zbuild(&["-v"]),
        }
        .successful();
        let printed = checkout.run();
        let right = format!("leaf.constant={constant}\n");
        assert!(printed.starts_with(&right), "{printed}");
    }
    checkout.remove_target();
    checkout.build();
    checkout.is_right();
}

in_both_layouts!(
    everything_is_somewhere_else,
    the_target_directory_is_a_link_to_a_long_name,
    the_sources_are_read_only,
    cargo_home_is_elsewhere,
    sources_have_strange_times,
    the_clock_jumps,
);
