//! Traps that cargo's own tests of freshness hold, or that threads about wrong
//! rebuilds tell of, as far as no other file has them.
#![allow(clippy::unwrap_used)] // a test may panic

#[macro_use]
mod common;

use common::files::modified;
use common::{APP, Checkout, Layout, app_with_script, has_toolchain, there_and_back};

/// Makes a link, in the place of the one before.
#[cfg(unix)]
fn link(checkout: &Checkout, name: &str, to: &str) {
    let _ = std::fs::remove_file(checkout.path(name));
    std::os::unix::fs::symlink(to, checkout.path(name)).unwrap();
}

/// A manifest in which the rest follows the package's own table.
fn manifest(name: &str, rest: &str) -> String {
    format!("[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2021\"\n{rest}")
}

/// cargo follows links in a directory that a script watches.
#[cfg(unix)]
fn a_watched_directory_holds_links(layout: Layout) {
    let body = "println!(\"cargo::rerun-if-changed=data\");\n\
                let text = std::fs::read_to_string(\"data/linked/deep/text.txt\").unwrap();\n\
                println!(\"cargo::rustc-env=MADE={text}\");";
    let mut checkout = app_with_script(layout, body);
    checkout.write("../shared/deep/text.txt", "one");
    checkout.write("data/own.txt", "");
    std::os::unix::fs::symlink("../../shared", checkout.path("data/linked")).unwrap();
    // One that leads nowhere, and one that leads around.
    std::os::unix::fs::symlink("nowhere", checkout.path("data/dangling")).unwrap();
    std::os::unix::fs::symlink("..", checkout.path("../shared/deep/around")).unwrap();
    let there = |checkout: &mut Checkout| checkout.write("../shared/deep/text.txt", "two");
    let back = |checkout: &mut Checkout| checkout.write("../shared/deep/text.txt", "one");
    there_and_back(&mut checkout, there, back);
}

/// The same for a script that names nothing: cargo watches its whole package.
#[cfg(unix)]
fn a_package_holds_a_link_to_a_directory(layout: Layout) {
    let body = "let text = std::fs::read_to_string(\"linked/text.txt\").unwrap();\n\
                println!(\"cargo::rustc-env=MADE={text}\");";
    let checkout = app_with_script(layout, body);
    checkout.write("../shared/text.txt", "one");
    std::os::unix::fs::symlink("../shared", checkout.path("linked")).unwrap();
    std::os::unix::fs::symlink("nowhere", checkout.path("dangling")).unwrap();
    checkout.build();
    checkout.is_right();
    checkout.build_compiles_nothing();
    for text in ["two", "one", "three"] {
        checkout.write("../shared/text.txt", text);
        checkout.build();
        assert_eq!(checkout.is_right(), format!("{text}\n"));
    }
}

/// A link that a script watches leads to another file, as old as the first.
#[cfg(unix)]
fn a_watched_link_leads_elsewhere(layout: Layout) {
    let body = "println!(\"cargo::rerun-if-changed=link\");\n\
                let text = std::fs::read_to_string(\"link\").unwrap();\n\
                println!(\"cargo::rustc-env=MADE={text}\");";
    let mut checkout = app_with_script(layout, body);
    let old = filetime::FileTime::from_unix_time(1_600_000_000, 0);
    for name in ["one", "two"] {
        checkout.write(name, name);
        checkout.set_time(name, old);
    }
    let lead = |checkout: &Checkout, to| link(checkout, "link", to);
    lead(&checkout, "one");
    let there = |checkout: &mut Checkout| lead(checkout, "two");
    let back = |checkout: &mut Checkout| lead(checkout, "one");
    there_and_back(&mut checkout, there, back);
}

/// A package is reached by a link, which leads to an older copy of it.
#[cfg(unix)]
fn a_dependency_behind_a_link_is_another_one(layout: Layout) {
    let app = manifest(
        "app",
        "[dependencies]\nleaf = { path = \"leaf\" }\n[workspace]\nexclude = [\"leaf-1\", \"leaf-2\"]\n",
    );
    let leaf = manifest("leaf", "");
    let files = [
        ("Cargo.toml", app.as_str()),
        ("src/main.rs", "fn main() { println!(\"{}\", leaf::ONE) }\n"),
        ("leaf-1/Cargo.toml", &leaf),
        ("leaf-1/src/lib.rs", "pub const ONE: u32 = 1;\n"),
        ("leaf-2/Cargo.toml", &leaf),
        ("leaf-2/src/lib.rs", "pub const ONE: u32 = 2;\n"),
    ];
    let mut checkout = Checkout::with_files(layout, &files);
    let lead = |checkout: &Checkout, to| link(checkout, "leaf", to);
    lead(&checkout, "leaf-1");
    let there = |checkout: &mut Checkout| lead(checkout, "leaf-2");
    let back = |checkout: &mut Checkout| lead(checkout, "leaf-1");
    there_and_back(&mut checkout, there, back);
}

/// Compiles a function that returns a number.
#[cfg(unix)]
fn compile_number(checkout: &Checkout, number: u32, object: &str) {
    let code = format!("int zb_number(void) {{ return {number}; }}\n");
    checkout.write("number.c", &code);
    let mut cc = checkout.command("cc");
    cc.args(["-c", "number.c", "-o", object]);
    common::Ran::of(cc).successful();
}

#[cfg(unix)]
const PRINTS_NUMBER: &str = "extern \"C\" { fn zb_number() -> i32; }\n\
     fn main() { println!(\"{}\", unsafe { zb_number() }) }\n";

/// cargo does not watch what it hands to the linker; a clean build links what
/// is there.
#[cfg(unix)]
fn a_file_that_a_script_hands_to_the_linker_changes(layout: Layout) {
    let body = "println!(\"cargo::rerun-if-changed=build.rs\");\n\
                let dir = std::env::current_dir().unwrap();\n\
                println!(\"cargo::rustc-link-arg-bins={}/number.o\", dir.display());";
    let checkout = app_with_script(layout, body);
    checkout.write("src/main.rs", PRINTS_NUMBER);
    for (round, number) in [1, 2, 1].into_iter().enumerate() {
        compile_number(&checkout, number, "number.o");
        if round > 0 {
            checkout.remove_target();
        }
        checkout.build();
        assert_eq!(checkout.is_right(), format!("{number}\n"));
    }
    compile_number(&checkout, 2, "number.o");
    checkout.build();
    assert_eq!(checkout.is_right(), "2\n", "changed in place");
}

/// The same by way of `RUSTFLAGS` and of config.toml.
#[cfg(unix)]
fn a_file_that_flags_hand_to_the_linker_changes(layout: Layout) {
    let files = [("Cargo.toml", APP), ("src/main.rs", PRINTS_NUMBER)];
    let mut checkout = Checkout::with_files(layout, &files);
    for from_config in [false, true] {
        if from_config {
            checkout.unset_env("RUSTFLAGS");
            let config = "[build]\nrustflags = [\"-C\", \"link-arg=number.o\"]\n";
            checkout.write(".cargo/config.toml", config);
        } else {
            checkout.set_env("RUSTFLAGS", "-Clink-arg=number.o");
        }
        for number in [1, 2] {
            compile_number(&checkout, number, "number.o");
            if checkout.target().exists() {
                checkout.remove_target();
            }
            checkout.build();
            assert_eq!(checkout.is_right(), format!("{number}\n"));
        }
    }
}

/// A library appears in a directory that is searched before the one in which it
/// was found.
#[cfg(unix)]
fn a_library_appears_where_it_is_searched_first(layout: Layout) {
    let files = [
        ("Cargo.toml", APP),
        ("src/main.rs", PRINTS_NUMBER),
        ("first/README", ""),
        ("second/README", ""),
    ];
    let mut checkout = Checkout::with_files(layout, &files);
    checkout.set_env("RUSTFLAGS", "-Lfirst -Lsecond -lstatic=zbnumber");
    for (number, dir) in [(1, "second"), (2, "first")] {
        compile_number(&checkout, number, "number.o");
        let mut ar = checkout.command("ar");
        ar.args(["rcs", &format!("{dir}/libzbnumber.a"), "number.o"]);
        common::Ran::of(ar).successful();
        if checkout.target().exists() {
            checkout.remove_target();
        }
        checkout.build();
        assert_eq!(checkout.is_right(), format!("{number}\n"));
    }
}

/// A library for others than Rust has no hash in its name: builds with other
/// features write to the same file.
fn libraries_share_a_file_name(layout: Layout) {
    let manifest = manifest(
        "app",
        "[lib]\ncrate-type = [\"cdylib\"]\n[features]\nloud = []\n[workspace]\n",
    );
    let source = "#[no_mangle]\npub static ZB_VOICE: [u8; 12] = *if cfg!(feature = \"loud\") \
                  { b\"zb-voice-one\" } else { b\"zb-voice-two\" };\n";
    let files = [("Cargo.toml", manifest.as_str()), ("src/lib.rs", source)];
    let mut checkout = Checkout::with_files(layout, &files);
    let (prefix, suffix) = (std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
    let library = format!("debug/{prefix}app{suffix}");
    let voice = |checkout: &Checkout| {
        let bytes = std::fs::read(checkout.target().join(&library)).unwrap();
        let has = |text: &[u8]| bytes.windows(text.len()).any(|window| window == text);
        (has(b"zb-voice-one"), has(b"zb-voice-two"))
    };
    for (round, loud) in [true, false, true, false, true].into_iter().enumerate() {
        let args: &[&str] = if loud { &["--features", "loud"] } else { &[] };
        checkout.set_args(args);
        if round == 3 {
            checkout.remove_target();
        }
        let ran = checkout.build();
        assert_eq!(ran.compiled(), usize::from(round < 2), "{round}: {ran}");
        assert_eq!(voice(&checkout), (loud, !loud), "{round}: {ran}");
        checkout.referee();
        assert_eq!(voice(&checkout), (loud, !loud), "cargo in round {round}");
    }
}

/// Nothing but the lock file says which version it is.
fn the_lock_file_alone_changes(layout: Layout) {
    let app = manifest(
        "app",
        "[dependencies]\nvend = \"1\"\n[workspace]\nexclude = [\"vendor\"]\n",
    );
    let config = "[source.crates-io]\nreplace-with = \"vendored\"\n\
                  [source.vendored]\ndirectory = \"vendor\"\n";
    let checksum = "{\"files\":{},\"package\":null}";
    let old = manifest("vend", "").replace("0.1.0", "1.0.0");
    let new = manifest("vend", "").replace("0.1.0", "1.1.0");
    let source = "pub const VERSION: &str = env!(\"CARGO_PKG_VERSION\");\n";
    let files = [
        ("Cargo.toml", app.as_str()),
        (".cargo/config.toml", config),
        (
            "src/main.rs",
            "fn main() { println!(\"{}\", vend::VERSION) }\n",
        ),
        ("vendor/old/Cargo.toml", &old),
        ("vendor/old/src/lib.rs", source),
        ("vendor/old/.cargo-checksum.json", checksum),
        ("vendor/new/Cargo.toml", &new),
        ("vendor/new/src/lib.rs", source),
        ("vendor/new/.cargo-checksum.json", checksum),
    ];
    let mut checkout = Checkout::with_files(layout, &files);
    let there = |checkout: &mut Checkout| checkout.replace("Cargo.lock", "1.1.0", "1.0.0");
    let back = |checkout: &mut Checkout| checkout.replace("Cargo.lock", "1.0.0", "1.1.0");
    there_and_back(&mut checkout, there, back);
    assert_eq!(checkout.run(), "1.0.0\n");
}

/// What a package inherits is in another manifest than its own.
fn inherited_metadata_changes(layout: Layout) {
    let app = "[package]\nname = \"app\"\nversion.workspace = true\nedition = \"2021\"\n\
               authors.workspace = true\ndescription.workspace = true\n";
    let root = "[workspace]\nmembers = [\"app\"]\nresolver = \"2\"\n\
                [workspace.package]\nversion = \"0.1.0\"\nauthors = [\"one\"]\ndescription = \"one\"\n";
    let main = "fn main() { println!(\"{} {} {}\", env!(\"CARGO_PKG_VERSION\"), \
                env!(\"CARGO_PKG_AUTHORS\"), env!(\"CARGO_PKG_DESCRIPTION\")) }\n";
    let files = [
        ("Cargo.toml", root),
        ("app/Cargo.toml", app),
        ("app/src/main.rs", main),
    ];
    let checkout = Checkout::with_files(layout, &files);
    for (one, two) in [
        ("authors = [\"one\"]", "authors = [\"two\"]"),
        ("description = \"one\"", "description = \"two\""),
        ("version = \"0.1.0\"", "version = \"0.2.0-rc.1\""),
    ] {
        checkout.build();
        let before = checkout.run();
        checkout.replace("Cargo.toml", one, two);
        checkout.build().assert_crates(&["app"]);
        assert_ne!(checkout.is_right(), before);
    }
    checkout.remove_target();
    checkout.build_compiles_nothing();
}

/// A build script goes and comes back, by its file or by the manifest.
fn a_build_script_goes_and_comes_back(layout: Layout) {
    let body = "println!(\"cargo::rerun-if-changed=build.rs\");\n\
                println!(\"cargo::rustc-env=MADE=1\");";
    let main = "fn main() { println!(\"{:?} {}\", option_env!(\"MADE\"), option_env!(\"OUT_DIR\").is_some()) }\n";
    for by_manifest in [false, true] {
        let mut checkout = app_with_script(layout, body);
        checkout.write("src/main.rs", main);
        let there = |checkout: &mut Checkout| match by_manifest {
            true => checkout.replace("Cargo.toml", "edition", "build = false\nedition"),
            false => checkout.rename("build.rs", "no-build.rs"),
        };
        let back = |checkout: &mut Checkout| match by_manifest {
            true => checkout.replace("Cargo.toml", "build = false\nedition", "edition"),
            false => checkout.rename("no-build.rs", "build.rs"),
        };
        there_and_back(&mut checkout, there, back);
    }
}

/// config.toml speaks in a build script's place, then says something else.
fn the_configuration_speaks_for_a_build_script(layout: Layout) {
    let app = manifest(
        "app",
        "[dependencies]\nsys = { path = \"sys\" }\n[workspace]\n",
    );
    let sys = manifest("sys", "links = \"native\"\n");
    let files = [
        ("Cargo.toml", app.as_str()),
        ("src/main.rs", "fn main() { println!(\"{}\", sys::MADE) }\n"),
        ("sys/Cargo.toml", &sys),
        (
            "sys/build.rs",
            "fn main() { println!(\"cargo::rustc-env=MADE=by the script\") }\n",
        ),
        ("sys/src/lib.rs", "pub const MADE: &str = env!(\"MADE\");\n"),
    ];
    let checkout = Checkout::with_files(layout, &files);
    let says = |what: &str| {
        let host = common::host();
        format!("[target.{host}.native]\nrustc-env = {{ MADE = \"{what}\" }}\n")
    };
    let config = ".cargo/config.toml";
    // cargo keeps a record of that run as well, in no place that it tells: what
    // rests on it is left to cargo.
    for what in ["one", "two", "one"] {
        checkout.write(config, &says(what));
        checkout.build();
        assert_eq!(checkout.is_right(), format!("{what}\n"));
        checkout.remove_target();
        checkout.build();
        assert_eq!(checkout.is_right(), format!("{what}\n"));
    }
    checkout.remove(config);
    checkout.comes_and_goes();
    assert_eq!(checkout.run(), "by the script\n");
}

/// An edit that does not compile is taken back, with the time of before.
fn a_source_is_broken_in_between(layout: Layout) {
    let checkout = Checkout::of("members", layout);
    checkout.build();
    let before = checkout.is_right();
    let source = "leaf/src/lib.rs";
    let (text, time) = (checkout.read(source), modified(&checkout.path(source)));
    checkout.append(source, "pub fn broken( {\n");
    for _ in 0..2 {
        let ran = checkout.zbuild(&["-v"]);
        assert_eq!(ran.status.code(), Some(101), "{ran}");
    }
    checkout.write(source, &text);
    checkout.set_time(source, time);
    checkout.build_compiles_nothing();
    assert_eq!(checkout.is_right(), before);
}

/// `cargo clean -p` takes away one package.
fn one_package_is_cleaned(layout: Layout) {
    let checkout = Checkout::of("members", layout);
    checkout.build();
    for package in ["leaf", "mid", "app"] {
        checkout.cargo(&["clean", "-p", package]).successful();
        checkout.build_compiles_nothing();
        checkout.is_right();
    }
}

/// A script watches a file in the output directory of a script that runs
/// before it, as those do that go by the headers of a native library.
fn a_script_watches_what_another_one_wrote(layout: Layout) {
    let app = manifest(
        "app",
        "[dependencies]\nsys = { path = \"sys\" }\n[workspace]\n",
    );
    let sys = manifest("sys", "links = \"native\"\n");
    let files = [
        ("Cargo.toml", app.as_str()),
        (
            "build.rs",
            "fn main() {\n    let header = std::env::var(\"DEP_NATIVE_HEADER\").unwrap();\n    \
             println!(\"cargo::rerun-if-changed={header}\");\n    \
             println!(\"cargo::rustc-env=MADE={}\", std::fs::read_to_string(header).unwrap());\n}\n",
        ),
        (
            "src/main.rs",
            "fn main() { println!(\"{}\", env!(\"MADE\")) }\n",
        ),
        ("sys/Cargo.toml", &sys),
        (
            "sys/build.rs",
            "fn main() {\n    let header = format!(\"{}/native.h\", std::env::var(\"OUT_DIR\").unwrap());\n    \
             println!(\"cargo::rerun-if-changed=native.in\");\n    \
             std::fs::copy(\"native.in\", &header).unwrap();\n    \
             println!(\"cargo::metadata=HEADER={header}\");\n}\n",
        ),
        ("sys/native.in", "one"),
        ("sys/src/lib.rs", ""),
    ];
    let mut checkout = Checkout::with_files(layout, &files);
    let there = |checkout: &mut Checkout| checkout.write("sys/native.in", "two");
    let back = |checkout: &mut Checkout| checkout.write("sys/native.in", "one");
    there_and_back(&mut checkout, there, back);
}

/// Values that rustc has to write down in another form.
fn a_variable_has_a_value_of_several_lines(layout: Layout) {
    let main = "fn main() { println!(\"{:?}\", option_env!(\"ZB_ODD\")) }\n";
    let files = [("Cargo.toml", APP), ("src/main.rs", main)];
    let mut checkout = Checkout::with_files(layout, &files);
    checkout.set_env("ZB_ODD", "one\\two\nthree = four # five\\n");
    let there =
        |checkout: &mut Checkout| checkout.set_env("ZB_ODD", "one\\two\nthree = 4 # five\\n");
    let back =
        |checkout: &mut Checkout| checkout.set_env("ZB_ODD", "one\\two\nthree = four # five\\n");
    there_and_back(&mut checkout, there, back);
}

/// Members that ask for other features of one dependency, built in turn.
fn members_are_built_one_by_one(layout: Layout) {
    let first = manifest("first", "[dependencies]\nleaf = { path = \"../leaf\" }\n");
    let second = manifest(
        "second",
        "[dependencies]\nleaf = { path = \"../leaf\", features = [\"loud\"] }\n",
    );
    let leaf = manifest("leaf", "[features]\nloud = []\n");
    let main = "fn main() { println!(\"{}\", leaf::LOUD) }\n";
    let files = [
        (
            "Cargo.toml",
            "[workspace]\nmembers = [\"first\", \"second\", \"leaf\"]\nresolver = \"2\"\n",
        ),
        ("first/Cargo.toml", first.as_str()),
        ("first/src/main.rs", main),
        ("second/Cargo.toml", &second),
        ("second/src/main.rs", main),
        ("leaf/Cargo.toml", &leaf),
        (
            "leaf/src/lib.rs",
            "pub const LOUD: bool = cfg!(feature = \"loud\");\n",
        ),
    ];
    let mut checkout = Checkout::with_files(layout, &files);
    let rounds: [(&[&str], &str, usize); 5] = [
        (&["-p", "first"], "first", 2),
        (&["-p", "second"], "second", 2),
        (&["-p", "first"], "first", 0),
        // Together they share the one with the feature.
        (&["--workspace"], "first", 1),
        (&["-p", "first"], "first", 0),
    ];
    for (args, program, compiled) in rounds {
        checkout.set_args(args);
        checkout.program = format!("debug/{program}");
        let ran = checkout.build();
        assert_eq!(ran.compiled(), compiled, "{ran}");
        checkout.is_right();
    }
}

/// A library, a program and an example of one name, and two programs that
/// change places.
fn targets_share_names_and_change_places(layout: Layout) {
    let bins = "[[bin]]\nname = \"app\"\npath = \"src/a.rs\"\n[[bin]]\nname = \"bpp\"\npath = \"src/b.rs\"\n";
    let main = |name: &str| format!("fn main() {{ println!(\"{name} {{}}\", app::ONE) }}\n");
    let app = manifest("app", &format!("{bins}[workspace]\n"));
    let files = [
        ("Cargo.toml", app.as_str()),
        ("src/lib.rs", "pub const ONE: u32 = 1;\n"),
        ("src/a.rs", &main("bin a")),
        ("src/b.rs", &main("bin b")),
        ("examples/app.rs", &main("example")),
    ];
    let mut checkout = Checkout::with_files(layout, &files).args(&["--bins", "--examples"]);
    let swap = |checkout: &mut Checkout| {
        let text = checkout.read("Cargo.toml");
        let text = text
            .replace("src/a.rs", "src/c.rs")
            .replace("src/b.rs", "src/a.rs");
        checkout.write("Cargo.toml", &text.replace("src/c.rs", "src/b.rs"));
    };
    checkout.build();
    for [app, bpp] in [["bin a", "bin b"], ["bin b", "bin a"]] {
        // What the manifest changed in place is built once more from nothing.
        for _ in 0..2 {
            checkout.is_right();
            assert_eq!(checkout.run_program("debug/app"), format!("{app} 1\n"));
            assert_eq!(checkout.run_program("debug/bpp"), format!("{bpp} 1\n"));
            let example = checkout.run_program("debug/examples/app");
            assert_eq!(example, "example 1\n");
            checkout.remove_target();
            checkout.build();
        }
        checkout.build_compiles_nothing();
        swap(&mut checkout);
        checkout.build();
    }
}

/// A crate of macros becomes an ordinary one of the same name.
fn a_proc_macro_becomes_a_library(layout: Layout) {
    let app = manifest(
        "app",
        "[dependencies]\nleaf = { path = \"leaf\" }\n[workspace]\n",
    );
    let as_macros = "extern crate proc_macro;\n#[proc_macro]\n\
        pub fn one(_: proc_macro::TokenStream) -> proc_macro::TokenStream { \"1\".parse().unwrap() }\n";
    let as_library = "#[macro_export]\nmacro_rules! one { () => { 2 } }\n";
    let leaf = manifest("leaf", "[lib]\nproc-macro = true\n");
    let files = [
        ("Cargo.toml", app.as_str()),
        (
            "src/main.rs",
            "fn main() { println!(\"{}\", leaf::one!()) }\n",
        ),
        ("leaf/Cargo.toml", &leaf),
        ("leaf/src/lib.rs", as_macros),
    ];
    let mut checkout = Checkout::with_files(layout, &files);
    let there = |checkout: &mut Checkout| {
        checkout.replace("leaf/Cargo.toml", "proc-macro = true", "proc-macro = false");
        checkout.write("leaf/src/lib.rs", as_library);
    };
    let back = |checkout: &mut Checkout| {
        checkout.replace("leaf/Cargo.toml", "proc-macro = false", "proc-macro = true");
        checkout.write("leaf/src/lib.rs", as_macros);
    };
    there_and_back(&mut checkout, there, back);
}

/// `build.warnings = "deny"` fails builds of nothing, too: newer cargos know it.
fn warnings_are_denied(layout: Layout) {
    if !has_toolchain("nightly") {
        eprintln!("skipped: there is no nightly toolchain");
        return;
    }
    let files = [
        ("Cargo.toml", APP),
        ("src/main.rs", "fn main() { let unused = 1; }\n"),
    ];
    let mut checkout = Checkout::with_files(layout, &files);
    checkout.set_env("RUSTUP_TOOLCHAIN", "nightly");
    checkout.build();
    let config = ".cargo/config.toml";
    let judged = |checkout: &Checkout, step: &str| {
        // In place, and restored.
        for round in 0..2 {
            let ran = checkout.zbuild(&[]);
            let cargo = checkout.cargo(&["build"]);
            assert_eq!(ran.status, cargo.status, "{step}, {round}: {ran}");
            assert_eq!(
                ran.stderr_of_cargo(),
                cargo.stderr_of_cargo(),
                "{step}, {round}"
            );
            if round == 0 {
                checkout.remove_target();
            }
        }
    };
    checkout.set_env("CARGO_BUILD_WARNINGS", "deny");
    judged(&checkout, "denied by the environment");
    checkout.unset_env("CARGO_BUILD_WARNINGS");
    for value in ["deny", "allow"] {
        checkout.write(config, &format!("[build]\nwarnings = \"{value}\"\n"));
        judged(&checkout, value);
    }
    checkout.remove(config);
    checkout.build_compiles_nothing();
}

in_both_layouts!(
    warnings_are_denied,
    libraries_share_a_file_name,
    the_lock_file_alone_changes,
    inherited_metadata_changes,
    a_build_script_goes_and_comes_back,
    the_configuration_speaks_for_a_build_script,
    a_source_is_broken_in_between,
    one_package_is_cleaned,
    a_script_watches_what_another_one_wrote,
    a_variable_has_a_value_of_several_lines,
    members_are_built_one_by_one,
    targets_share_names_and_change_places,
    a_proc_macro_becomes_a_library,
);

#[cfg(unix)]
in_both_layouts!(
    a_watched_directory_holds_links,
    a_package_holds_a_link_to_a_directory,
    a_watched_link_leads_elsewhere,
    a_dependency_behind_a_link_is_another_one,
    a_file_that_a_script_hands_to_the_linker_changes,
    a_file_that_flags_hand_to_the_linker_changes,
    a_library_appears_where_it_is_searched_first,
);
