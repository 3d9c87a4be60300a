//! Traps of native libraries that a build script only names: cargo watches
//! neither what is in them nor where they are found; a clean build links what
//! the linker finds.
#![cfg(unix)]
#![allow(clippy::unwrap_used)] // a test may panic

#[macro_use]
mod common;

use common::{Checkout, Layout, Ran};

/// A program that prints a number which a native library returns. It is named
/// by the build script of `sys`, two crates below; the script searches `first`,
/// which does not exist, and then `second`.
fn prints_number(layout: Layout, link: &str) -> Checkout {
    let package = |name: &str, rest: &str| {
        format!("[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2021\"\n{rest}")
    };
    let on = |name: &str| format!("[dependencies]\n{name} = {{ path = \"../{name}\" }}\n");
    let script = format!(
        "fn main() {{\n    let dir = std::env::current_dir().unwrap();\n    \
         println!(\"cargo::rerun-if-changed=build.rs\");\n    \
         for sub in [\"first\", \"second\"] {{\n        \
         println!(\"cargo::rustc-link-search=native={{}}/{{sub}}\", dir.display());\n    }}\n    \
         println!(\"cargo::rustc-link-lib={link}\");\n}}\n"
    );
    let files = [
        (
            "Cargo.toml",
            "[workspace]\nmembers = [\"app\"]\nresolver = \"2\"\n",
        ),
        ("app/Cargo.toml", &package("app", &on("mid"))),
        (
            "app/src/main.rs",
            "fn main() { println!(\"{}\", mid::number()) }\n",
        ),
        ("mid/Cargo.toml", &package("mid", &on("sys"))),
        (
            "mid/src/lib.rs",
            "pub fn number() -> i32 { unsafe { sys::zb_number() } }\n",
        ),
        ("sys/Cargo.toml", &package("sys", "links = \"zbnumber\"\n")),
        (
            "sys/src/lib.rs",
            "extern \"C\" { pub fn zb_number() -> i32; }\n",
        ),
        ("sys/build.rs", &script),
    ];
    Checkout::with_files(layout, &files)
}

/// Makes a static library, or a shared one, that returns a number.
fn make_library(checkout: &Checkout, number: u32, path: &str) {
    let code = format!("int zb_number(void) {{ return {number}; }}\n");
    checkout.write("number.c", &code);
    std::fs::create_dir_all(checkout.path(path).parent().unwrap()).unwrap();
    let mut cc = checkout.command("cc");
    if path.ends_with(".a") {
        cc.args(["-c", "number.c", "-o", "number.o"]);
        Ran::of(cc).successful();
        let mut ar = checkout.command("ar");
        ar.args(["rcs", path, "number.o"]);
        Ran::of(ar).successful();
    } else {
        cc.args(["-shared", "-fPIC", "number.c", "-o", path]);
        Ran::of(cc).successful();
    }
}

/// How a library may be named: it becomes a part of `sys`, or the program alone
/// is linked with it.
const KINDS: [&str; 3] = [
    "static=zbnumber",
    "static:-bundle=zbnumber",
    "dylib=zbnumber",
];

/// A library appears in a directory that the script searches before the one in
/// which it was found, and goes again.
fn a_library_appears_where_a_script_searches_first(layout: Layout) {
    for link in KINDS {
        let checkout = prints_number(layout, link);
        make_library(&checkout, 1, "sys/second/libzbnumber.a");
        checkout.build();
        assert_eq!(checkout.is_right(), "1\n", "{link}");
        make_library(&checkout, 2, "sys/first/libzbnumber.a");
        checkout.remove_target();
        let ran = checkout.build();
        assert_eq!(checkout.is_right(), "2\n", "{link}");
        let why = "the list of libraries in sys/first changed";
        assert!(ran.stderr.contains(why), "{link}:\n{ran}");

        std::fs::remove_file(checkout.path("sys/first/libzbnumber.a")).unwrap();
        checkout.remove_target();
        checkout.build_compiles_nothing();
        assert_eq!(checkout.is_right(), "1\n", "{link}: it is gone");
        // The same in place: what is linked next must not be taken for the old.
        make_library(&checkout, 3, "sys/first/libzbnumber.a");
        checkout.build();
        assert_eq!(checkout.is_right(), "3\n", "{link}: in place");
        std::fs::remove_dir_all(checkout.path("sys/first")).unwrap();
        checkout.remove_target();
        checkout.build_compiles_nothing();
        assert_eq!(checkout.is_right(), "1\n", "{link}: the directory is gone");
    }
}

/// The library changes that only the program is linked with, two crates above
/// the script: nothing of those in between shows it.
fn a_library_that_is_no_part_of_a_crate_changes(layout: Layout) {
    for link in &KINDS[1..] {
        let mut checkout = prints_number(layout, link);
        // As for packages of a registry: the same bytes in each compilation.
        checkout.set_env("CARGO_INCREMENTAL", "0");
        for (round, number) in [1, 2, 1, 2].into_iter().enumerate() {
            make_library(&checkout, number, "sys/second/libzbnumber.a");
            if round > 0 {
                checkout.remove_target();
            }
            let ran = checkout.build();
            assert_eq!(checkout.is_right(), format!("{number}\n"), "{link}");
            assert!(round < 2 || ran.compiled() == 0, "{link}:\n{ran}");
        }
    }
}

/// The same for a library that the script makes of a source.
fn a_library_of_a_script_that_is_no_part_of_a_crate_changes(layout: Layout) {
    for link in &KINDS[1..] {
        let mut checkout = prints_number(layout, link);
        checkout.set_env("CARGO_INCREMENTAL", "0");
        let script = format!(
            "use std::process::Command;\n\
             fn main() {{\n    let out = std::env::var(\"OUT_DIR\").unwrap();\n    \
             let run = |c: &mut Command| assert!(c.status().unwrap().success());\n    \
             let (object, library) = (format!(\"{{out}}/n.o\"), format!(\"{{out}}/libzbnumber.a\"));\n    \
             run(Command::new(\"cc\").args([\"-c\", \"number.c\", \"-o\", &object]));\n    \
             run(Command::new(\"ar\").args([\"rcs\", &library, &object]));\n    \
             println!(\"cargo::rerun-if-changed=number.c\");\n    \
             println!(\"cargo::rustc-link-search=native={{out}}\");\n    \
             println!(\"cargo::rustc-link-lib={link}\");\n}}\n"
        );
        checkout.write("sys/build.rs", &script);
        for (round, number) in [1, 2, 1, 2].into_iter().enumerate() {
            let code = format!("int zb_number(void) {{ return {number}; }}\n");
            checkout.write("sys/number.c", &code);
            if round > 0 {
                checkout.remove_target();
            }
            let ran = checkout.build();
            assert_eq!(checkout.is_right(), format!("{number}\n"), "{link}");
            assert!(round < 2 || ran.compiled() == 0, "{link}:\n{ran}");
        }
    }
}

/// Linkers prefer a shared library to a static one in the same directory.
#[cfg(target_os = "linux")]
fn a_shared_library_appears_beside_a_static_one(layout: Layout) {
    let mut checkout = prints_number(layout, "dylib=zbnumber");
    checkout.set_env("LD_LIBRARY_PATH", checkout.path("sys/second"));
    make_library(&checkout, 1, "sys/second/libzbnumber.a");
    checkout.build();
    assert_eq!(checkout.is_right(), "1\n");
    make_library(&checkout, 2, "sys/second/libzbnumber.so");
    checkout.remove_target();
    checkout.build();
    assert_eq!(checkout.is_right(), "2\n");
}

/// The same by way of `RUSTFLAGS`.
#[cfg(target_os = "linux")]
fn a_shared_library_appears_in_a_directory_of_flags(layout: Layout) {
    let mut checkout = prints_number(layout, "dylib=zbnumber");
    checkout.write("sys/build.rs", "fn main() {}\n");
    let flags = format!(
        "-L{} -L{} -lzbnumber",
        checkout.path("first").display(),
        checkout.path("second").display()
    );
    checkout.set_env("RUSTFLAGS", flags);
    checkout.set_env("LD_LIBRARY_PATH", checkout.path("first"));
    make_library(&checkout, 1, "second/libzbnumber.a");
    checkout.build();
    assert_eq!(checkout.is_right(), "1\n");
    make_library(&checkout, 2, "first/libzbnumber.so");
    checkout.remove_target();
    checkout.build();
    assert_eq!(checkout.is_right(), "2\n");
}

in_both_layouts!(
    a_library_appears_where_a_script_searches_first,
    a_library_that_is_no_part_of_a_crate_changes,
    a_library_of_a_script_that_is_no_part_of_a_crate_changes,
);

#[cfg(target_os = "linux")]
in_both_layouts!(
    a_shared_library_appears_beside_a_static_one,
    a_shared_library_appears_in_a_directory_of_flags,
);
