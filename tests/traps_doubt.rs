//! Traps that the oracle found: what cargo calls fresh, or what the cache puts
//! in place, although it was built from something else or cannot be used.
#![allow(clippy::unwrap_used)] // a test may panic

#[macro_use]
mod common;

use common::{Checkout, Layout};
use filetime::FileTime;

/// Puts an older file of another content in place.
#[track_caller]
fn put_back(checkout: &Checkout, path: &str, old: &str, new: &str) {
    checkout.replace(path, old, new);
    checkout.set_time(path, FileTime::from_unix_time(1_600_000_000, 0));
}

/// cargo has no other unit for that variable, but we have another key.
fn an_older_source_under_settings_that_are_new(layout: Layout) {
    let mut checkout = Checkout::of("members", layout);
    checkout.set_env("CARGO_INCREMENTAL", "1");
    checkout.build();
    checkout.unset_env("CARGO_INCREMENTAL");
    put_back(&checkout, "leaf/src/lib.rs", "= 1", "= 2");
    checkout.build().assert_crates(&["app", "leaf", "mid"]);
    assert!(checkout.is_right().starts_with("leaf.constant=2\n"));
    checkout.build_compiles_nothing();
}

/// zbuild sees the directory for the first time.
fn an_older_source_after_builds_by_cargo_alone(layout: Layout) {
    let checkout = Checkout::of("members", layout);
    checkout.cargo_build();
    put_back(&checkout, "leaf/src/lib.rs", "= 1", "= 2");
    checkout.build().assert_crates(&["app", "leaf", "mid"]);
    assert!(checkout.is_right().starts_with("leaf.constant=2\n"));
    checkout.build_compiles_nothing();
}

/// The same for what a build script watches.
fn an_older_template_after_builds_by_cargo_alone(layout: Layout) {
    let checkout = Checkout::of("build-scripts", layout);
    checkout.cargo_build();
    put_back(&checkout, "gen/template.txt", "one", "two");
    checkout.build();
    assert!(checkout.is_right().contains("gen.template=template two\n"));
    checkout.build_compiles_nothing();
}

/// And for a build script itself.
fn an_older_build_script_after_builds_by_cargo_alone(layout: Layout) {
    let checkout = Checkout::of("build-scripts", layout);
    checkout.append("gen/build.rs", "// one\n");
    checkout.cargo_build();
    let text = checkout.read("gen/build.rs");
    let other = text.replace(
        "fn main() {",
        "fn main() {\n    println!(\"cargo::warning=other\");",
    );
    assert_ne!(text, other);
    put_back(&checkout, "gen/build.rs", &text, &other);
    let ran = checkout.build();
    assert!(
        ran.crates().contains(&"build_script_build".to_owned()),
        "{ran}"
    );
    checkout.is_right();
    checkout.build_compiles_nothing();
}

/// A workspace that only cargo has built is moved with its target directory.
fn a_moved_workspace_that_was_built_by_cargo_alone(layout: Layout) {
    let mut checkout = Checkout::of("paths", layout);
    checkout.cargo_build();
    let moved = checkout.base().join("moved");
    std::fs::rename(&checkout.copy, &moved).unwrap();
    (checkout.copy, checkout.dir) = (moved.clone(), moved);
    checkout.build();
    checkout.referee();
    assert_eq!(checkout.run(), checkout.oracle_in_place());
}

/// The store's file is in one tree; for others it is copied, and what comes of
/// that must be as executable as before.
fn a_restored_build_script_is_run_again_in_another_checkout(layout: Layout) {
    let first = Checkout::of("build-scripts", layout);
    first.build();
    first.referee();
    let second = first.second("second");
    second.build();
    for checkout in [&second, &first] {
        checkout.write("gen/template.txt", "template two\n");
        checkout.build();
        assert!(checkout.is_right().contains("gen.template=template two\n"));
        checkout.remove_target();
        checkout.write("gen/template.txt", "template three\n");
        checkout.build();
        checkout.is_right();
    }
}

/// A vendored source under a key of its own.
fn a_vendored_source_goes_back_under_other_settings(layout: Layout) {
    let mut checkout = Checkout::of("vendored", layout);
    let source = "vendor/zb-tiny/src/lib.rs";
    checkout.build();
    checkout.replace(source, "= 1", "= 2");
    checkout.build();
    checkout.remove_target();
    checkout.build();
    checkout.set_env("CARGO_INCREMENTAL", "0");
    checkout.build();
    checkout.replace(source, "= 2", "= 1");
    checkout.build();
    assert!(checkout.is_right().starts_with("zb_tiny.constant=1\n"));
}

/// What a script prints is the same, but cargo's record of it is not.
fn a_script_prints_the_same_for_other_variables(layout: Layout) {
    let script = "fn main() {\n    println!(\"cargo::rerun-if-env-changed=ZB_LOOKED_AT\");\n}\n";
    let manifest =
        "[package]\nname = \"app\"\nversion = \"0.1.0\"\nedition = \"2021\"\n[workspace]\n";
    let files = [
        ("Cargo.toml", manifest),
        ("build.rs", script),
        ("src/lib.rs", "pub const ONE: u32 = 1;\n"),
        ("src/main.rs", "fn main() { println!(\"{}\", app::ONE) }\n"),
    ];
    let mut checkout = Checkout::with_files(layout, &files);
    for (value, removed) in [("1", false), ("2", false), ("1", false), ("2", true)] {
        checkout.set_env("ZB_LOOKED_AT", value);
        if removed {
            checkout.remove_target();
        }
        checkout.build();
        checkout.referee();
    }
    checkout.set_env("ZB_LOOKED_AT", "1");
    checkout.build_compiles_nothing();
    checkout.referee();
}

/// The same where cargo's record holds the times of the package's files.
fn a_script_prints_the_same_for_other_times(layout: Layout) {
    let manifest = "[package]\nname = \"app\"\nversion = \"0.1.0\"\nedition = \"2021\"\n";
    let files = [
        (
            "Cargo.toml",
            "[workspace]\nmembers = [\"app\"]\nresolver = \"2\"\n",
        ),
        ("app/Cargo.toml", manifest),
        ("app/build.rs", "fn main() {}\n"),
        ("app/notes.txt", "notes\n"),
        ("app/src/lib.rs", "pub const ONE: u32 = 1;\n"),
        (
            "app/src/main.rs",
            "fn main() { println!(\"{}\", app::ONE) }\n",
        ),
    ];
    let checkout = Checkout::with_files(layout, &files);
    let times = [2_000, 1_000].map(|ago| {
        let seconds = FileTime::now().unix_seconds() - ago;
        FileTime::from_unix_time(seconds, 0)
    });
    for path in
        ["Cargo.toml", "build.rs", "src/lib.rs", "src/main.rs"].map(|path| format!("app/{path}"))
    {
        checkout.set_time(&path, times[0]);
    }
    for time in [times[1], times[0], times[1], times[0]] {
        checkout.set_time("app/notes.txt", time);
        checkout.build();
        checkout.referee();
    }
}

/// rustc's account of what it read is lost, or is nothing.
fn an_account_that_cannot_be_read_is_not_no_inputs(layout: Layout) {
    for text in [None, Some(""), Some("garbage")] {
        let checkout = Checkout::of("members", layout);
        checkout.cargo_build();
        let dir = match layout {
            Layout::Spread => "/deps/",
            Layout::PerUnit => "/out/",
        };
        let account = checkout.target_file(&[dir, "leaf-", ".d"]);
        match text {
            None => std::fs::remove_file(&account).unwrap(),
            Some(text) => std::fs::write(&account, text).unwrap(),
        }
        let ran = checkout.zbuild(&["-v"]).successful();
        let mut lines = ran.zbuild_lines();
        assert!(
            lines.any(|line| line.starts_with("not recorded: leaf")),
            "{ran}"
        );
        checkout.replace("leaf/src/lib.rs", "= 1", "= 2");
        checkout.remove_target();
        checkout.build();
        assert!(checkout.is_right().starts_with("leaf.constant=2\n"));
    }
}

/// It belongs to one machine and one moment; cargo makes it when it needs it.
fn what_cargo_knows_of_the_compiler_is_not_restored(layout: Layout) {
    let checkout = Checkout::of("members", layout);
    checkout.build();
    let info = checkout.target().join(".rustc_info.json");
    assert!(info.is_file());
    checkout.remove_target();
    checkout.build_compiles_nothing();
    assert!(!info.exists());
    checkout.referee();
    checkout.build_compiles_nothing();
}

/// Two argument sets share a dependency in one target directory; its newer build
/// was made for the other one.
fn a_dependency_is_built_anew_with_other_arguments(layout: Layout) {
    let manifest = |name: &str, rest: &str| {
        format!("[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2021\"\n{rest}")
    };
    let app = manifest(
        "app",
        "[features]\nloud = []\n[dependencies]\nleaf = { path = \"leaf\" }\n[workspace]\n",
    );
    let files = [
        ("Cargo.toml", app.as_str()),
        (
            "src/main.rs",
            "fn main() { println!(\"{} {}\", leaf::ONE, cfg!(feature = \"loud\")) }\n",
        ),
        ("leaf/Cargo.toml", &manifest("leaf", "")),
        ("leaf/src/lib.rs", "pub const ONE: u32 = 1;\n"),
    ];
    let mut checkout = Checkout::with_files(layout, &files);
    checkout.build();
    checkout.set_args(&["--features", "loud"]);
    checkout.build();
    checkout.replace("leaf/src/lib.rs", "= 1", "= 2");
    checkout.build().assert_crates(&["app", "leaf"]);
    checkout.set_args(&[]);
    checkout.build().assert_crates(&["app"]);
    assert_eq!(checkout.is_right(), "2 false\n");
    checkout.set_args(&["--features", "loud"]);
    checkout.build_compiles_nothing();
    assert_eq!(checkout.is_right(), "2 true\n");
}

/// What a wrapper does besides calling rustc shows in nothing that cargo looks
/// at, so what cargo finds fresh may have been built by another one.
#[cfg(unix)]
fn a_wrapper_did_something_else_when_cargo_built(layout: Layout) {
    let mut checkout = Checkout::of("profiles", layout);
    checkout.replace(".cargo/config.toml", "\"--cfg\", \"zb_flag\"", "");
    let (wrapper, flags) = (
        checkout.base().join("wrapper"),
        checkout.base().join("flags"),
    );
    let text = format!("#!/bin/sh\nexec \"$@\" $(cat '{}')\n", flags.display());
    common::files::write_script(&wrapper, &text);
    checkout.set_env("RUSTC_WRAPPER", &wrapper);
    std::fs::write(&flags, "--cfg zb_flag").unwrap();
    checkout.cargo_build();
    assert!(checkout.run().contains("zb_flag=true\n"));

    std::fs::write(&flags, "").unwrap();
    checkout.build_compiles_nothing();
    checkout.remove_target();
    assert!(checkout.build().compiled() > 0);
    assert!(checkout.is_right().contains("zb_flag=false\n"));
}

/// What is in place of one package is asked about the other one, and its source
/// has a change time of today. It is known to be right.
fn two_packages_of_one_name(layout: Layout) {
    let twin = |version: &str| {
        let head = "[package]\nname = \"twin\"\nedition = \"2024\"\n";
        format!("{head}version = \"{version}\"\n")
    };
    let app = "[workspace]\nexclude = [\"two\"]\n[package]\nname = \"app\"\nedition = \"2024\"\n\
        [dependencies]\none = { package = \"twin\", path = \"one\" }\n\
        two = { package = \"twin\", path = \"two\" }\n";
    let main = "fn main() { println!(\"{} {}\", one::VALUE, two::VALUE) }\n";
    let value = "pub const VALUE: u32 = 1;\n";
    let (one, two) = (twin("1.0.0"), twin("2.0.0"));
    let files = [
        ("Cargo.toml", app),
        ("src/main.rs", main),
        ("one/Cargo.toml", one.as_str()),
        ("one/src/lib.rs", value),
        ("two/Cargo.toml", two.as_str()),
        ("two/src/lib.rs", value),
    ];
    let checkout = Checkout::with_files(layout, &files);
    checkout.build();
    let source = checkout.path("one/src/lib.rs");
    let modified = std::fs::metadata(source).unwrap().modified().unwrap();
    checkout.set_time("one/src/lib.rs", FileTime::from(modified));
    checkout.replace("two/src/lib.rs", "= 1", "= 2");
    checkout.build().assert_crates(&["app", "twin"]);
    assert_eq!(checkout.is_right(), "1 2\n");
    checkout.referee();
    checkout.build_compiles_nothing();
}

in_both_layouts!(
    two_packages_of_one_name,
    a_dependency_is_built_anew_with_other_arguments,
    a_script_prints_the_same_for_other_variables,
    a_script_prints_the_same_for_other_times,
    an_account_that_cannot_be_read_is_not_no_inputs,
    what_cargo_knows_of_the_compiler_is_not_restored,
    an_older_source_under_settings_that_are_new,
    an_older_source_after_builds_by_cargo_alone,
    an_older_template_after_builds_by_cargo_alone,
    an_older_build_script_after_builds_by_cargo_alone,
    a_moved_workspace_that_was_built_by_cargo_alone,
    a_restored_build_script_is_run_again_in_another_checkout,
    a_vendored_source_goes_back_under_other_settings,
);

#[cfg(unix)]
in_both_layouts!(a_wrapper_did_something_else_when_cargo_built);
