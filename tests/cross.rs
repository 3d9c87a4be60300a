//! Compiling for another target than the host, or for several.
#![allow(clippy::unwrap_used)] // a test may panic

#[macro_use]
mod common;

use std::process::Command;

use common::{Checkout, Layout, has_toolchain, host};

fn manifest(name: &str, rest: &str) -> String {
    format!("[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2021\"\n{rest}")
}

/// One package for the script, which runs on the host, and for the program:
/// with the host named as the target they are two units that look alike.
fn both(layout: Layout) -> Checkout {
    let uses = "[dependencies]\nboth = { path = \"both\" }\n\
        [build-dependencies]\nboth = { path = \"both\" }\n";
    let script = "fn main() {\n    println!(\"cargo:rerun-if-changed=build.rs\");\n    \
        println!(\"cargo:rustc-env=AT_BUILD={}\", both::number());\n}\n";
    let main = "fn main() {\n    println!(\"{} {}\", env!(\"AT_BUILD\"), both::number());\n}\n";
    let lints = "[lints.rust]\nunexpected_cfgs = \
        { level = \"warn\", check-cfg = ['cfg(for_target)'] }\n";
    Checkout::with_files(
        layout,
        &[
            ("Cargo.toml", &manifest("app", uses)),
            ("build.rs", script),
            ("src/main.rs", main),
            ("both/Cargo.toml", &manifest("both", lints)),
            ("both/src/lib.rs", "pub fn number() -> u32 {\n    1\n}\n"),
        ],
    )
}

fn host_and_target_units_are_kept_apart(layout: Layout) {
    let host = host();
    let mut checkout = both(layout);
    checkout.set_args(&["--target", &host]);
    checkout.program = format!("{host}/debug/app");
    // A flag for the target alone: the two libraries differ (cargo gives
    // RUSTFLAGS to no host unit if a target is named).
    checkout.set_env("RUSTFLAGS", "--cfg for_target");
    checkout.write(
        "both/src/lib.rs",
        "pub fn number() -> u32 {\n    if cfg!(for_target) { 7 } else { 1 }\n}\n",
    );
    checkout.comes_and_goes();
    assert_eq!(checkout.run(), "1 7\n");
    checkout.replace("both/src/lib.rs", "7", "8");
    let crates = ["app", "both", "both", "build_script_build"];
    assert_eq!(checkout.build().crates(), crates);
    checkout.is_right();
    let second = checkout.second("second");
    second.build_compiles_nothing();
    assert_eq!(second.is_right(), "1 8\n");
}

fn targets_are_given_as_a_list(layout: Layout) {
    let host = host();
    let mut checkout = both(layout);
    checkout.write(
        ".cargo/config.toml",
        &format!("[build]\ntarget = [\"{host}\"]\n"),
    );
    checkout.program = format!("{host}/debug/app");
    checkout.comes_and_goes();
    checkout.touch("both/src/lib.rs");
    checkout.build_compiles_nothing();
    checkout.is_right();
}

/// With the toolchain that `.ci/windows.sh` makes: two targets at once, one of
/// them foreign.
fn two_targets_at_once(layout: Layout) {
    let (host, other) = (host(), "x86_64-pc-windows-gnu");
    let mut rustc = Command::new("rustc");
    rustc.args(["+debian", "--print", "target-libdir", "--target", other]);
    let libraries = rustc
        .output()
        .map(|output| output.stdout)
        .unwrap_or_default();
    let libraries = String::from_utf8(libraries).unwrap();
    if !has_toolchain("debian") || !std::path::Path::new(libraries.trim()).is_dir() {
        eprintln!("skipped: the toolchain debian has no std for {other}");
        return;
    }
    let mut checkout = both(layout);
    checkout.set_env("RUSTUP_TOOLCHAIN", "debian");
    // A package that the host has no use for.
    checkout.append(
        "Cargo.toml",
        "[target.'cfg(windows)'.dependencies]\nonly = { path = \"only\" }\n\
         [workspace]\nexclude = [\"only\"]\n",
    );
    checkout.write("only/Cargo.toml", &manifest("only", ""));
    checkout.write("only/src/lib.rs", "");
    let code = "pub use both::number;\n#[cfg(windows)]\npub use only;\n";
    checkout.write("src/lib.rs", code);
    let config = format!("[build]\ntarget = [\"{host}\", \"{other}\"]\n");
    // Libraries need no linker.
    let (one, two) = (format!("--target={host}"), format!("--target={other}"));
    for (config, args) in [
        (config.as_str(), &["--lib"][..]),
        ("", &["--lib", &one, &two]),
    ] {
        checkout.write(".cargo/config.toml", config);
        checkout.set_args(args);
        checkout.build().healthy();
        checkout.referee();
        checkout.build_compiles_nothing();
        checkout.remove_target();
        checkout.build_compiles_nothing();
        checkout.referee();
        for target in [host.as_str(), other] {
            let built = checkout.target().join(target).join("debug/libapp.rlib");
            assert!(built.is_file(), "{}", built.display());
        }
        checkout.remove_target();
    }
}

/// A linker for one target, and a program that runs its programs.
#[cfg(unix)]
fn linker_and_runner_of_a_target(layout: Layout) {
    let host = host();
    let mut checkout = both(layout);
    checkout.set_args(&["--target", &host]);
    checkout.program = format!("{host}/debug/app");
    let linker = checkout.base().join("linker");
    let set = |checkout: &Checkout, runner: &str| {
        let config = format!(
            "[target.{host}]\nlinker = \"{}\"\nrunner = \"{runner}\"\n",
            linker.display()
        );
        checkout.write(".cargo/config.toml", &config);
    };
    common::files::write_script(&linker, "#!/bin/sh\nexec cc \"$@\"\n");
    set(&checkout, "env");
    checkout.comes_and_goes();
    // The runner makes nothing.
    set(&checkout, "nice");
    checkout.build_compiles_nothing();
    checkout.is_right();
    let ran = checkout
        .zbuild(&["run", "-q", "--target", &host])
        .successful();
    assert_eq!(ran.stdout, "1 1\n", "{ran}");
    // Another linker under the same name.
    common::files::write_script(&linker, "#!/bin/sh\n# another\nexec cc \"$@\"\n");
    checkout.remove_target();
    let again = checkout.build().crates();
    assert!(again.contains(&"app".to_owned()), "{again:?}");
    checkout.is_right();
}

/// A target of one's own needs a standard library of one's own: `core` is
/// compiled with the workspace.
fn a_target_of_ones_own(layout: Layout) {
    let with_sources = |name: &&&str| {
        let printed = Command::new("rustc")
            .arg(format!("+{name}"))
            .args(["--print", "sysroot"])
            .output()
            .map(|output| String::from_utf8(output.stdout).unwrap());
        let core = "lib/rustlib/src/rust/library/core/src/lib.rs";
        printed.is_ok_and(|root| std::path::Path::new(root.trim()).join(core).is_file())
    };
    let Some(toolchain) = ["nightly", "debian"].iter().find(with_sources) else {
        eprintln!("skipped: no toolchain has the sources of the standard library");
        return;
    };
    let mut checkout = Checkout::with_files(
        layout,
        &[
            ("Cargo.toml", &manifest("small", "")),
            (
                "src/lib.rs",
                "#![no_std]\npub fn one() -> u32 {\n    1\n}\n",
            ),
        ],
    );
    checkout.set_env("RUSTUP_TOOLCHAIN", toolchain);
    checkout.set_env("RUSTC_BOOTSTRAP", "1");
    let mut printed = checkout.command("rustc");
    printed.args(["-Zunstable-options", "--print", "target-spec-json"]);
    let spec = common::Ran::of(printed).successful().stdout;
    checkout.write("own.json", &spec);
    checkout.set_args(&[
        "--target",
        "own.json",
        "-Zbuild-std=core",
        "-Zjson-target-spec",
    ]);
    let asked = checkout.cargo(&["build", "--unit-graph", "-Zunstable-options"]);
    assert!(asked.status.success(), "{asked}");
    let cold = checkout.zbuild(&checkout.with_verbose());
    if !cold.status.success() && cold.stderr.contains("json-target-spec") {
        checkout.set_args(&["--target", "own.json", "-Zbuild-std=core"]);
    }
    checkout.build();
    checkout.referee();
    checkout.build_compiles_nothing();
    checkout.remove_target();
    checkout.build_compiles_nothing();
    checkout.referee();
    // Another target under the same name.
    let spec = spec.trim_end().trim_end_matches('}');
    checkout.write(
        "own.json",
        &format!("{spec},\n  \"singlethread\": true\n}}\n"),
    );
    let ran = checkout.build();
    assert!(ran.compiled() > 1, "{ran}");
    checkout.referee();
}

in_both_layouts!(
    host_and_target_units_are_kept_apart,
    targets_are_given_as_a_list,
    two_targets_at_once,
);

#[cfg(unix)]
in_both_layouts!(linker_and_runner_of_a_target);

/// The standard library takes its time: once will do.
#[test]
fn a_target_of_ones_own_is_planned() {
    a_target_of_ones_own(Layout::Spread);
}
