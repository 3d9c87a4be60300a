//! Other programs that start cargo, beside us or through us.
#![cfg(unix)] // the stand-ins are scripts
#![allow(clippy::unwrap_used)] // a test may panic

#[macro_use]
mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

use common::files::write_script;
use common::{Checkout, Layout, Ran};

/// What an editor's language server does all the time, while we build.
fn a_language_server_checks_in_parallel(layout: Layout) {
    let checkout = Checkout::of("members", layout);
    let (begun, over) = (AtomicBool::new(false), AtomicBool::new(false));
    let check = || {
        let args = [
            "check",
            "--workspace",
            "--all-targets",
            "--message-format=json",
        ];
        let ran = checkout.cargo(&args);
        begun.store(true, Ordering::SeqCst);
        ran
    };
    std::thread::scope(|scope| {
        let server = scope.spawn(|| {
            while !over.load(Ordering::SeqCst) {
                check().successful();
            }
        });
        while !begun.load(Ordering::SeqCst) && !server.is_finished() {
            std::thread::yield_now();
        }
        for (old, new) in [("= 1", "= 2"), ("= 2", "= 1"), ("= 1", "= 2")] {
            checkout.replace("leaf/src/lib.rs", old, new);
            checkout.zbuild(&[]).successful();
            let constant = new.trim_start_matches("= ");
            let right = format!("leaf.constant={constant}\n");
            let printed = checkout.run();
            assert!(printed.starts_with(&right), "{printed}");
        }
        over.store(true, Ordering::SeqCst);
        server.join().unwrap();
    });
    checkout.build();
    checkout.is_right();
    check().successful();
}

/// Both kinds of wrappers are asked for what is compiled, and for that alone.
fn wrappers_of_both_kinds(layout: Layout) {
    let mut checkout = Checkout::of("members", layout);
    let log = checkout.base().join("log");
    let wrapper = |name: &str| {
        let path = checkout.base().join(name);
        let log = log.display();
        let text = format!("#!/bin/sh\necho \"{name} $*\" >>'{log}'\nexec \"$@\"\n");
        write_script(&path, &text);
        path
    };
    let (all, members) = (wrapper("all"), wrapper("members"));
    checkout.set_env("RUSTC_WRAPPER", &all);
    checkout.set_env("RUSTC_WORKSPACE_WRAPPER", &members);
    let called = |who: &str, name: &str| {
        let text = fs::read_to_string(&log).unwrap_or_default();
        let name = format!("--crate-name {name} ");
        text.lines()
            .any(|line| line.starts_with(who) && line.contains(&name))
    };
    checkout.build();
    assert!(called("all ", "itoa") && called("all ", "leaf"));
    assert!(!called("members ", "itoa") && called("members ", "leaf"));
    checkout.referee();
    fs::remove_file(&log).unwrap();
    checkout.remove_target();
    checkout.build_compiles_nothing();
    checkout.referee();
    assert!(!called("", "leaf") && !called("", "itoa"));
    // Without them it is another build, and theirs is kept.
    checkout.unset_env("RUSTC_WORKSPACE_WRAPPER");
    checkout.unset_env("RUSTC_WRAPPER");
    checkout.build();
    checkout.is_right();
}

/// cargo-llvm-cov's environment: flags for all, a wrapper for the members.
fn coverage_is_a_build_of_its_own(layout: Layout) {
    let mut checkout = Checkout::of("members", layout);
    checkout.build();
    let plain = checkout.run();
    let wrapper = checkout.base().join("wrapper");
    let flags = "-C instrument-coverage --cfg coverage";
    let text = format!("#!/bin/sh\nrustc=$1\nshift\nexec \"$rustc\" \"$@\" {flags}\n");
    write_script(&wrapper, &text);
    let profiles = checkout.base().join("profiles");
    let set = |checkout: &mut Checkout| {
        let crates = "app,leaf,mid,util";
        checkout.set_env("RUSTC_WORKSPACE_WRAPPER", &wrapper);
        checkout.set_env("__CARGO_LLVM_COV_RUSTC_WRAPPER", "1");
        checkout.set_env("__CARGO_LLVM_COV_RUSTC_WRAPPER_RUSTFLAGS", flags);
        checkout.set_env("__CARGO_LLVM_COV_RUSTC_WRAPPER_CRATE_NAMES", crates);
        checkout.set_env("LLVM_PROFILE_FILE", profiles.join("%p.profraw"));
        checkout.set_env("CARGO_TARGET_DIR", "target/llvm-cov-target");
    };
    set(&mut checkout);
    let ran = checkout.zbuild(&["-v"]).successful();
    assert!(ran.compiled() >= 4, "{ran}");
    assert_eq!(checkout.run(), plain);
    let written = || fs::read_dir(&profiles).map_or(0, Iterator::count);
    assert!(written() > 0, "it counts what is covered");
    checkout.referee();
    fs::remove_dir_all(&profiles).unwrap();
    // From the cache it does so too, and a plain build does not.
    checkout.remove_target();
    checkout.build_compiles_nothing();
    checkout.run();
    assert!(written() > 0);
    fs::remove_dir_all(&profiles).unwrap();
    for name in [
        "RUSTC_WORKSPACE_WRAPPER",
        "__CARGO_LLVM_COV_RUSTC_WRAPPER",
        "__CARGO_LLVM_COV_RUSTC_WRAPPER_RUSTFLAGS",
        "__CARGO_LLVM_COV_RUSTC_WRAPPER_CRATE_NAMES",
        "CARGO_TARGET_DIR",
    ] {
        checkout.unset_env(name);
    }
    checkout.remove_target();
    checkout.build_compiles_nothing();
    checkout.is_right();
    assert_eq!(written(), 0);
}

/// cargo-nextest asks `$CARGO` for the tests' programs, and runs them itself.
fn nextest_runs_what_we_built(layout: Layout) {
    if !Command::new("cargo-nextest")
        .arg("--version")
        .output()
        .is_ok_and(|o| o.status.success())
    {
        eprintln!("skipped: there is no cargo-nextest");
        return;
    }
    let checkout = Checkout::of("targets", layout);
    let nextest = |cargo: &Path| {
        let mut command = checkout.command("cargo-nextest");
        command
            .args(["nextest", "run", "--no-fail-fast"])
            .env("CARGO", cargo);
        Ran::of(command).successful()
    };
    let ran = nextest(Path::new(common::ZBUILD));
    assert!(ran.stderr.contains("passed"), "{ran}");
    checkout.remove_target();
    let again = nextest(Path::new(common::ZBUILD));
    assert!(!again.stderr.contains("Compiling"), "{again}");
}

/// `cross` and the like put a program of theirs in cargo's place.
fn somebody_stands_in_for_cargo(layout: Layout) {
    let mut checkout = Checkout::of("members", layout);
    let (stand_in, log) = (checkout.base().join("cross"), checkout.base().join("log"));
    let text = format!(
        "#!/bin/sh\necho \"$*\" >>'{}'\nexec cargo \"$@\"\n",
        log.display()
    );
    write_script(&stand_in, &text);
    checkout.with_cargo = Some(stand_in);
    checkout.build();
    let called = fs::read_to_string(&log).unwrap();
    assert!(
        called.lines().any(|line| line.starts_with("build ")),
        "{called}"
    );
    checkout.is_right();
    checkout.remove_target();
    fs::remove_file(&log).unwrap();
    checkout.build_compiles_nothing();
    assert!(!log.exists(), "nothing is left to do for it");
}

/// `cargo install` has verbs and directories of its own: cargo does it.
fn a_package_is_installed(layout: Layout) {
    let checkout = Checkout::of("members", layout);
    let root = checkout.base().join("installed");
    let args = ["install", "--path", "app", "--root", root.to_str().unwrap()];
    checkout.zbuild(&args).successful();
    let printed = Ran::of(checkout.command(root.join("bin/app")))
        .successful()
        .stdout;
    checkout.build();
    assert_eq!(checkout.run(), printed);
    checkout.is_right();
}

/// What lies in a sysroot of somebody's own, nobody watches: plain cargo.
fn a_sysroot_of_ones_own(layout: Layout) {
    let mut checkout = Checkout::of("members", layout);
    let mut command = checkout.command("rustc");
    command.args(["--print", "sysroot"]);
    let sysroot = PathBuf::from(Ran::of(command).successful().stdout.trim());
    checkout.build();
    checkout.set_env("RUSTFLAGS", format!("--sysroot={}", sysroot.display()));
    for _ in 0..2 {
        let ran = checkout.zbuild(&[]).successful();
        let told: Vec<&str> = ran.zbuild_lines().collect();
        assert_eq!(told.len(), 1, "{ran}");
        assert!(told[0].contains("--sysroot"), "{ran}");
    }
    checkout.unset_env("RUSTFLAGS");
    checkout.build();
    checkout.is_right();
}

in_both_layouts!(
    a_language_server_checks_in_parallel,
    wrappers_of_both_kinds,
    coverage_is_a_build_of_its_own,
    nextest_runs_what_we_built,
    somebody_stands_in_for_cargo,
    a_package_is_installed,
    a_sysroot_of_ones_own,
);
