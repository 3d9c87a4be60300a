//! Traps of places: where the target directory is, where the workspace went,
//! and what somebody did to the files that were left there.
#![allow(clippy::unwrap_used)] // a test may panic

#[macro_use]
mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::files::{files_below, modified};
use common::{Checkout, Layout};

fn the_target_directory_is_renamed(layout: Layout) {
    let mut checkout = Checkout::of("members", layout);
    checkout.build();
    fs::rename(checkout.path("target"), checkout.path("renamed")).unwrap();
    checkout.set_env("CARGO_TARGET_DIR", "renamed");
    checkout.build_compiles_nothing();
    checkout.is_right();
    checkout.replace("leaf/src/lib.rs", "= 1", "= 2");
    checkout.build().assert_crates(&["leaf", "mid", "app"]);
    checkout.is_right();
    checkout.unset_env("CARGO_TARGET_DIR");
    checkout.build_compiles_nothing();
    assert!(checkout.is_right().starts_with("leaf.constant=2\n"));
}

fn the_target_directory_is_given_in_each_way(layout: Layout) {
    let mut checkout = Checkout::of("members", layout);
    checkout.build();
    let elsewhere = checkout.base().join("elsewhere");
    let built = |checkout: &Checkout, dir: &Path| {
        checkout.build_compiles_nothing();
        checkout.referee();
        let program = format!("debug/app{}", std::env::consts::EXE_SUFFIX);
        let program = checkout.dir.join(dir).join(program);
        let printed = common::Ran::of(checkout.command(program))
            .successful()
            .stdout;
        assert!(printed.starts_with("leaf.constant=1\n"));
        fs::remove_dir_all(checkout.dir.join(dir)).unwrap();
    };
    checkout.set_args(&["--target-dir", elsewhere.to_str().unwrap()]);
    built(&checkout, &elsewhere);
    checkout.set_args(&["--target-dir=by argument"]);
    checkout.set_env("CARGO_TARGET_DIR", "not this one");
    built(&checkout, Path::new("by argument"));
    checkout.set_args(&[]);
    checkout.set_env("CARGO_TARGET_DIR", elsewhere.join("by/variable"));
    built(&checkout, &elsewhere.join("by/variable"));
    checkout.unset_env("CARGO_TARGET_DIR");
    checkout.set_env("CARGO_BUILD_TARGET_DIR", "by-other-variable");
    built(&checkout, Path::new("by-other-variable"));
    checkout.unset_env("CARGO_BUILD_TARGET_DIR");
    checkout.write(
        ".cargo/config.toml",
        "[build]\ntarget-dir = \"by-config\"\n",
    );
    built(&checkout, Path::new("by-config"));
    checkout.set_args(&["--config", "build.target-dir='by-config-argument'"]);
    built(&checkout, Path::new("by-config-argument"));
}

fn spaces_and_other_letters_in_the_name_of_the_target_directory(layout: Layout) {
    let mut checkout = Checkout::of("build-scripts", layout);
    checkout.set_env("CARGO_TARGET_DIR", "Ziel Verzeichnis äöü 目标");
    checkout.comes_and_goes();
}

fn spaces_and_other_letters_in_the_name_of_the_workspace(layout: Layout) {
    let checkout = Checkout::of("build-scripts", layout);
    let checkout = checkout.second("a b/Arbeit äöü #1 目标");
    checkout.comes_and_goes();
    let other = checkout.second("another place");
    other.build();
    other.is_still(&checkout.run());
}

/// Supported since cargo 1.91.
fn intermediate_files_lie_apart_from_the_target_directory(layout: Layout) {
    let mut checkout = Checkout::of("build-scripts", layout);
    let build_dir = checkout.base().join("build dir");
    checkout.set_env("CARGO_BUILD_BUILD_DIR", &build_dir);
    checkout.build();
    let right = checkout.is_right();
    assert!(
        build_dir.join("debug/build").is_dir(),
        "cargo knows of build.build-dir"
    );
    assert!(!checkout.target().join("debug/build").exists());
    checkout.build_compiles_nothing();
    // Either one is removed, then both.
    checkout.remove_target();
    checkout.build_compiles_nothing();
    checkout.referee();
    checkout.run();
    fs::remove_dir_all(&build_dir).unwrap();
    checkout.build_compiles_nothing();
    checkout.referee();
    fs::remove_dir_all(&build_dir).unwrap();
    checkout.remove_target();
    checkout.build_compiles_nothing();
    checkout.is_still(&right);
    // The same by configuration, at another place.
    checkout.unset_env("CARGO_BUILD_BUILD_DIR");
    checkout.remove_target();
    let config = "[build]\nbuild-dir = \"{workspace-root}/intermediate\"\n";
    checkout.write(".cargo/config.toml", config);
    checkout.build();
    checkout.is_right();
    assert!(checkout.path("intermediate/debug/build").is_dir());
}

/// Hard links do not reach so far.
#[cfg(target_os = "linux")]
fn the_target_directory_is_on_another_file_system(layout: Layout) {
    let Ok(other) = tempfile::tempdir_in("/dev/shm") else {
        eprintln!("skipped: /dev/shm cannot be used");
        return;
    };
    let mut checkout = Checkout::of("members", layout);
    checkout.set_env("CARGO_TARGET_DIR", other.path().join("target"));
    checkout.comes_and_goes();
    checkout.replace("util/src/lib.rs", "format(number)", "format(number + 1)");
    checkout.build().assert_crates(&["util", "app"]);
    checkout.is_right();
}

#[cfg(unix)]
fn the_workspace_is_reached_through_a_link(layout: Layout) {
    let mut checkout = Checkout::of("build-scripts", layout);
    let link = checkout.base().join("link");
    std::os::unix::fs::symlink(&checkout.copy, &link).unwrap();
    checkout.build();
    let real = std::mem::replace(&mut checkout.dir, link);
    checkout.build();
    let right = checkout.is_right();
    checkout.remove_target();
    checkout.build();
    checkout.is_still(&right);
    checkout.build_compiles_nothing();
    checkout.dir = real;
    checkout.build();
    checkout.is_still(&right);
}

/// cargo calls everything fresh in a workspace that was moved, although some
/// of it names the old place. It must not be recorded as the new place's.
fn a_workspace_is_moved_with_its_target_directory(layout: Layout) {
    let mut checkout = Checkout::of("paths", layout);
    checkout.build();
    let moved = checkout.base().join("moved/ws");
    fs::create_dir_all(moved.parent().unwrap()).unwrap();
    fs::rename(&checkout.copy, &moved).unwrap();
    (checkout.copy, checkout.dir) = (moved.clone(), moved);
    checkout.build();
    checkout.remove_target();
    checkout.build();
    checkout.referee();
    assert_eq!(checkout.run(), checkout.oracle_in_place());
}

/// What somebody does to one file below the target directory.
type Harm = fn(&Path);

const REMOVED: Harm = |path| fs::remove_file(path).unwrap();

/// With its old time, so that cargo is content with it.
const TRUNCATED: Harm = |path| {
    let time = modified(path);
    let length = fs::metadata(path).unwrap().len() / 2;
    let file = fs::File::options().write(true).open(path).unwrap();
    file.set_len(length).unwrap();
    filetime::set_file_mtime(path, time).unwrap();
};

const REPLACED: Harm = |path| {
    fs::remove_file(path).unwrap();
    fs::write(path, "something else").unwrap();
};

/// Files of a build, by parts of their paths, and what is done to them. For
/// the layouts' differences: the first of the two lists is the old layout.
const HARMS: &[(&[&str], &[&str], Harm)] = &[
    (
        &["/.fingerprint/mid-", "/lib-mid"],
        &["/mid/", "/fingerprint/lib-mid"],
        REMOVED,
    ),
    (
        &["/.fingerprint/mid-", "/dep-lib-mid"],
        &["/mid/", "/fingerprint/dep-lib-mid"],
        REMOVED,
    ),
    (
        &["/deps/libleaf-", ".rlib"],
        &["/leaf/", "/out/libleaf-", ".rlib"],
        REMOVED,
    ),
    (
        &["/deps/libleaf-", ".rmeta"],
        &["/leaf/", "/out/libleaf-", ".rmeta"],
        REMOVED,
    ),
    (
        &["/deps/libmid-", ".rlib"],
        &["/mid/", "/out/libmid-", ".rlib"],
        TRUNCATED,
    ),
    (
        &["/deps/libitoa-", ".rmeta"],
        &["/itoa/", "/out/libitoa-", ".rmeta"],
        TRUNCATED,
    ),
    (
        &["/deps/libutil-", ".rlib"],
        &["/util/", "/out/libutil-", ".rlib"],
        REPLACED,
    ),
    (&["/debug/libleaf.rlib"], &["/debug/libleaf.rlib"], REMOVED),
    (&["/debug/app.d"], &["/debug/app.d"], REMOVED),
];

fn files_in_the_target_directory_are_harmed(layout: Layout) {
    let checkout = Checkout::of("members", layout);
    checkout.build();
    let right = checkout.is_right();
    for (spread, per_unit, harm) in HARMS {
        let parts = match layout {
            Layout::Spread => spread,
            Layout::PerUnit => per_unit,
        };
        let file = exactly(&checkout, parts);
        harm(&file);
        // What is written to in place may be the cache's file as well.
        if std::ptr::fn_addr_eq(*harm, TRUNCATED) {
            checkout.build();
        } else {
            checkout.build_compiles_nothing();
        }
        checkout.referee();
        assert_eq!(checkout.run(), right, "{}", file.display());
        assert!(file.is_file(), "{}", file.display());
    }
    // All of it is still good to compile against.
    checkout.append("leaf/src/lib.rs", "pub const MORE: u32 = 1;\n");
    checkout.append("util/src/lib.rs", "pub const MORE: u32 = 1;\n");
    checkout
        .build()
        .assert_crates(&["leaf", "mid", "util", "app"]);
    checkout.is_right();
}

/// The only file whose path has these parts, the last one at its end.
fn exactly(checkout: &Checkout, parts: &[&str]) -> PathBuf {
    let fits = |path: &PathBuf| {
        let path = path.to_str().unwrap();
        path.ends_with(parts.last().unwrap()) && parts.iter().all(|part| path.contains(part))
    };
    let all = files_below(&checkout.target());
    let found: Vec<&PathBuf> = all.iter().filter(|path| fits(path)).collect();
    assert_eq!(found.len(), 1, "with {parts:?}: {found:?}");
    found[0].clone()
}

fn the_program_is_removed_or_replaced(layout: Layout) {
    let checkout = Checkout::of("members", layout);
    checkout.build();
    let right = checkout.is_right();
    let program = checkout.target().join("debug/app");
    for harm in [REMOVED, REPLACED, TRUNCATED] {
        harm(&program);
        checkout.build_compiles_nothing();
        assert_eq!(checkout.run(), right);
        checkout.referee();
    }
    // By another state of itself, as when a build was copied aside.
    let aside = checkout.base().join("aside");
    fs::copy(&program, &aside).unwrap();
    checkout.replace("app/src/main.rs", "1234", "4321");
    checkout.build();
    let right = checkout.is_right();
    fs::remove_file(&program).unwrap();
    fs::rename(&aside, &program).unwrap();
    checkout.build_compiles_nothing();
    assert_eq!(checkout.run(), right);
}

fn whole_directories_are_removed(layout: Layout) {
    let checkout = Checkout::of("build-scripts", layout);
    checkout.build();
    let right = checkout.is_right();
    let dirs: &[&str] = match layout {
        Layout::Spread => &["deps", "build", ".fingerprint", "incremental"],
        Layout::PerUnit => &["build/gen", "build/native-sys", "build", "incremental"],
    };
    for dir in dirs {
        fs::remove_dir_all(checkout.target().join("debug").join(dir)).unwrap();
        checkout.build_compiles_nothing();
        checkout.referee();
        assert_eq!(checkout.run(), right, "{dir}");
    }
    checkout.write("gen/template.txt", "template two\n");
    checkout.build();
    checkout.is_right();
}

/// What a script made is a file that only it can make again.
fn a_generated_file_is_removed_or_edited(layout: Layout) {
    let checkout = Checkout::of("build-scripts", layout);
    checkout.build();
    let right = checkout.run();
    let file = checkout.target_file(&["generated.rs"]);
    for harm in [REMOVED, TRUNCATED, REPLACED] {
        harm(&file);
        checkout.build_compiles_nothing();
        checkout.referee();
        checkout.append("gen/src/lib.rs", "\n");
        checkout.build();
        checkout.referee();
        assert_eq!(checkout.run(), right);
    }
}

/// A hard link's other end would be written to as well: the cache must notice,
/// and other target directories must not change at all.
#[cfg(unix)]
fn files_are_written_to_in_place(layout: Layout) {
    use std::io::{Seek, SeekFrom, Write};
    let first = Checkout::of("members", layout);
    first.build();
    let second = first.second("second/ws");
    second.build_compiles_nothing();
    let of_both = |name: &str| {
        let libraries = [&first, &second].map(|checkout| match layout {
            Layout::Spread => exactly(checkout, &["/deps/", name, ".rlib"]),
            Layout::PerUnit => exactly(checkout, &["/out/", name, ".rlib"]),
        });
        libraries.map(|path| (fs::read(&path).unwrap(), path))
    };
    for name in ["libitoa-", "libleaf-"] {
        let [(bytes, path), (_, others_path)] = of_both(name);
        let mut file = fs::File::options().write(true).open(&path).unwrap();
        file.seek(SeekFrom::Start(bytes.len() as u64 / 2)).unwrap();
        file.write_all(&[0x55; 64]).unwrap();
        drop(file);
        first.remove_target();
        first.build();
        let [(now, _), (others_now, _)] = of_both(name);
        assert!(now == bytes || now.len() == bytes.len(), "{name}");
        // Whatever became of it: it can be compiled against, in both.
        for checkout in [&first, &second] {
            checkout.replace("app/src/main.rs", "{\n", "{\n    // In place.\n");
            checkout.append("util/src/lib.rs", "\n");
            checkout.build();
            checkout.is_right();
        }
        assert!(others_path.is_file() && !others_now.is_empty());
    }
}

/// rustc refuses to write over a file that it may not write to.
#[cfg(unix)]
fn restored_files_are_writable_and_programs_executable(layout: Layout) {
    use std::os::unix::fs::PermissionsExt;
    let checkout = Checkout::of("build-scripts", layout);
    let modes = || {
        let mode = |path: PathBuf| {
            let mode = fs::metadata(&path).unwrap().permissions().mode() & 0o777;
            (
                path.strip_prefix(checkout.target()).unwrap().to_owned(),
                mode,
            )
        };
        let all = files_below(&checkout.target()).into_iter().map(mode);
        let lasting = all.filter(|(path, _)| {
            let path = path.to_str().unwrap();
            !path.contains("incremental")
                && !path.contains("invoked.timestamp")
                && !path.contains(".rustc_info")
        });
        lasting.collect::<Vec<_>>()
    };
    checkout.cargo_build();
    let by_cargo = modes();
    checkout.build_compiles_nothing();
    checkout.remove_target();
    checkout.build_compiles_nothing();
    assert_eq!(modes(), by_cargo, "by zbuild, by cargo");
}

in_both_layouts!(
    the_target_directory_is_renamed,
    the_target_directory_is_given_in_each_way,
    spaces_and_other_letters_in_the_name_of_the_target_directory,
    spaces_and_other_letters_in_the_name_of_the_workspace,
    intermediate_files_lie_apart_from_the_target_directory,
    a_workspace_is_moved_with_its_target_directory,
    files_in_the_target_directory_are_harmed,
    the_program_is_removed_or_replaced,
    whole_directories_are_removed,
    a_generated_file_is_removed_or_edited,
);

#[cfg(unix)]
in_both_layouts!(
    the_workspace_is_reached_through_a_link,
    files_are_written_to_in_place,
    restored_files_are_writable_and_programs_executable,
);

#[cfg(target_os = "linux")]
in_both_layouts!(the_target_directory_is_on_another_file_system);
