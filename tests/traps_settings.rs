//! Traps outside of the sources: flags, profiles, lints, configuration,
//! features, names, toolchains.
#![allow(clippy::unwrap_used)] // a test may panic

#[macro_use]
mod common;

use common::{Checkout, Layout, has_toolchain, there_and_back};

fn rustflags_of_the_environment_change(layout: Layout) {
    let mut checkout = Checkout::of("profiles", layout);
    let there = |checkout: &mut Checkout| checkout.set_env("RUSTFLAGS", "-C overflow-checks=off");
    let back = |checkout: &mut Checkout| checkout.unset_env("RUSTFLAGS");
    there_and_back(&mut checkout, there, back);
    // They replace those of config.toml as a whole.
    let printed = checkout.is_right();
    assert!(
        printed.contains("overflow=wraps\n") && printed.contains("zb_flag=false\n"),
        "{printed}"
    );
    checkout.unset_env("RUSTFLAGS");
    checkout.set_env("CARGO_ENCODED_RUSTFLAGS", "-C\u{1f}debug-assertions=off");
    checkout.build();
    assert!(checkout.is_right().starts_with("debug_assertions=false\n"));
}

fn rustflags_of_config_toml_change(layout: Layout) {
    let mut checkout = Checkout::of("profiles", layout);
    let config = ".cargo/config.toml";
    let there = |checkout: &mut Checkout| {
        checkout.replace(
            config,
            "\"--cfg\", \"zb_flag\"",
            "\"-Coverflow-checks=off\"",
        );
    };
    let original = checkout.read(config);
    let back = |checkout: &mut Checkout| checkout.write(config, &original);
    there_and_back(&mut checkout, there, back);
}

fn variables_of_config_toml_change(layout: Layout) {
    let mut checkout = Checkout::of("profiles", layout);
    let there =
        |checkout: &mut Checkout| checkout.replace(".cargo/config.toml", "\"one\"", "\"two\"");
    let back =
        |checkout: &mut Checkout| checkout.replace(".cargo/config.toml", "\"two\"", "\"one\"");
    // A build script may read such a variable without telling cargo, so what
    // cargo then calls fresh is not taken for a build with the new value: the
    // first clean build after the change runs it anew, the second one does not.
    for change in [&there as &dyn Fn(&mut Checkout), &back] {
        change(&mut checkout);
        checkout.build();
        checkout.is_right();
        checkout.remove_target();
        checkout.build();
        checkout.is_right();
        checkout.remove_target();
        checkout.build_compiles_nothing();
        checkout.is_right();
    }
    // A variable of the environment wins over those.
    checkout.set_env("ZB_CONF", "three");
    checkout.build();
    assert!(checkout.is_right().ends_with("zb_conf=three\n"));
}

fn a_config_toml_appears_above_the_workspace(layout: Layout) {
    let mut checkout = Checkout::of("profiles", layout);
    let config = "../.cargo/config.toml";
    let text = "[build]\nrustflags = [\"-Coverflow-checks=off\"]\n";
    let there = |checkout: &mut Checkout| checkout.write(config, text);
    let back = |checkout: &mut Checkout| checkout.remove(config);
    there_and_back(&mut checkout, there, back);
}

fn a_profile_is_changed_by_the_environment(layout: Layout) {
    let mut checkout = Checkout::of("profiles", layout);
    let there = |checkout: &mut Checkout| checkout.set_env("CARGO_PROFILE_DEV_OPT_LEVEL", "1");
    let back = |checkout: &mut Checkout| checkout.unset_env("CARGO_PROFILE_DEV_OPT_LEVEL");
    there_and_back(&mut checkout, there, back);
}

fn a_profile_is_changed_in_the_manifest(layout: Layout) {
    let mut checkout = Checkout::of("profiles", layout);
    let original = checkout.read("Cargo.toml");
    let profile = "\n[profile.dev]\ndebug-assertions = false\noverflow-checks = true\n";
    let there = |checkout: &mut Checkout| checkout.append("Cargo.toml", profile);
    let back = |checkout: &mut Checkout| checkout.write("Cargo.toml", &original);
    there_and_back(&mut checkout, there, back);
}

fn a_profile_is_changed_by_an_argument(layout: Layout) {
    let mut checkout = Checkout::of("profiles", layout);
    let there = |checkout: &mut Checkout| {
        checkout.set_args(&["--config", "profile.dev.opt-level=2"]);
    };
    let back = |checkout: &mut Checkout| checkout.set_args(&[]);
    there_and_back(&mut checkout, there, back);
}

/// A lint shows in no program: it shows in the warnings.
fn lints_change(layout: Layout) {
    let checkout = Checkout::of("names", layout);
    let warning = "unused variable: `unused`";
    assert!(!checkout.build().stderr.contains(warning));
    checkout.replace("Cargo.toml", "\"allow\"", "\"warn\"");
    let ran = checkout.build();
    assert!(ran.stderr.contains(warning), "{ran}");
    checkout.is_right();
    let ran = checkout.build_compiles_nothing();
    assert!(ran.stderr.contains(warning), "repeated from memory: {ran}");
    checkout.replace("Cargo.toml", "\"warn\"", "\"allow\"");
    let ran = checkout.build_compiles_nothing();
    assert!(!ran.stderr.contains(warning), "{ran}");
    checkout.referee();
    checkout.replace("Cargo.toml", "\"allow\"", "\"warn\"");
    checkout.remove_target();
    let ran = checkout.build_compiles_nothing();
    assert!(
        ran.stderr.contains(warning),
        "restored with the unit: {ran}"
    );
    checkout.referee();
    // The package's own table.
    checkout.replace("bar/Cargo.toml", "\"allow\"", "\"warn\"");
    let ran = checkout.build();
    assert!(
        ran.stderr.contains("function `dead` is never used"),
        "{ran}"
    );
    checkout.is_right();
}

fn features_are_switched(layout: Layout) {
    let mut checkout = Checkout::of("names", layout);
    let there = |checkout: &mut Checkout| checkout.set_args(&["-p", "app", "--features", "extra"]);
    let back = |checkout: &mut Checkout| checkout.set_args(&[]);
    let ran = there_and_back(&mut checkout, there, back);
    ran.assert_crates(&["app", "hyphen_ated"]);
    checkout.set_args(&["--all-features"]);
    checkout.build_compiles_nothing();
    assert!(checkout.is_right().contains("hyphen_ated.extra=on\n"));
    checkout.set_args(&["--no-default-features"]);
    checkout.build_compiles_nothing();
    assert!(checkout.is_right().contains("hyphen_ated.extra=off\n"));
}

fn a_default_feature_is_added_to_the_manifest(layout: Layout) {
    let mut checkout = Checkout::of("names", layout);
    let there = |checkout: &mut Checkout| {
        checkout.replace(
            "app/Cargo.toml",
            "[features]\n",
            "[features]\ndefault = [\"extra\"]\n",
        );
    };
    let back = |checkout: &mut Checkout| {
        checkout.replace(
            "app/Cargo.toml",
            "[features]\ndefault = [\"extra\"]\n",
            "[features]\n",
        );
    };
    there_and_back(&mut checkout, there, back);
}

fn the_edition_changes(layout: Layout) {
    // What a closure captures differs with the edition, and so does the order
    // in which the two are dropped.
    let main = "struct D(&'static str);\nimpl Drop for D {\n    fn drop(&mut self) { println!(\"{}\", self.0) }\n}\n\
                fn main() {\n    let pair = (D(\"first\"), D(\"second\"));\n    \
                {\n        let _closure = || { let _first = &pair.0; };\n    }\n    \
                let closure = move || { let _second = &pair.1; };\n    \
                drop(closure);\n    println!(\"end\");\n}\n";
    let manifest =
        "[package]\nname = \"app\"\nversion = \"0.1.0\"\nedition = \"2018\"\n[workspace]\n";
    let files = [("Cargo.toml", manifest), ("src/main.rs", main)];
    let mut checkout = Checkout::with_files(layout, &files);
    let there = |checkout: &mut Checkout| checkout.replace("Cargo.toml", "2018", "2021");
    let back = |checkout: &mut Checkout| checkout.replace("Cargo.toml", "2021", "2018");
    there_and_back(&mut checkout, there, back);
}

/// cargo tells rustc a package's version in variables.
fn the_version_of_a_package_changes(layout: Layout) {
    let main = "fn main() { println!(\"{}\", env!(\"CARGO_PKG_DESCRIPTION\")) }\n";
    let manifest = "[package]\nname = \"app\"\nversion = \"0.1.0\"\nedition = \"2021\"\n\
                    description = \"one\"\n[workspace]\n";
    let files = [("Cargo.toml", manifest), ("src/main.rs", main)];
    let mut checkout = Checkout::with_files(layout, &files);
    let there = |checkout: &mut Checkout| checkout.replace("Cargo.toml", "\"one\"", "\"two\"");
    let back = |checkout: &mut Checkout| checkout.replace("Cargo.toml", "\"two\"", "\"one\"");
    there_and_back(&mut checkout, there, back);
    checkout.replace("src/main.rs", "DESCRIPTION", "VERSION");
    let there = |checkout: &mut Checkout| checkout.replace("Cargo.toml", "0.1.0", "0.2.0");
    let back = |checkout: &mut Checkout| checkout.replace("Cargo.toml", "0.2.0", "0.1.0");
    there_and_back(&mut checkout, there, back);
}

fn another_package_takes_the_name_of_a_renamed_one(layout: Layout) {
    let mut checkout = Checkout::of("names", layout);
    common::files::copy_tree(&checkout.path("bar"), &checkout.path("baz"));
    checkout.replace("baz/Cargo.toml", "\"bar\"", "\"baz\"");
    checkout.replace("baz/src/lib.rs", "\"bar\"", "\"baz\"");
    let bar = "foo = { package = \"bar\", path = \"../bar\" }";
    let other = "foo = { package = \"baz\", path = \"../baz\" }";
    let there = |checkout: &mut Checkout| checkout.replace("app/Cargo.toml", bar, other);
    let back = |checkout: &mut Checkout| checkout.replace("app/Cargo.toml", other, bar);
    there_and_back(&mut checkout, there, back).assert_crates(&["baz", "app"]);
}

fn a_patched_package_is_edited(layout: Layout) {
    let mut checkout = Checkout::of("names", layout);
    let there = |checkout: &mut Checkout| checkout.replace("patched/fnv/src/lib.rs", "99", "98");
    let back = |checkout: &mut Checkout| checkout.replace("patched/fnv/src/lib.rs", "98", "99");
    there_and_back(&mut checkout, there, back).assert_crates(&["fnv", "app"]);
}

fn a_patch_points_elsewhere(layout: Layout) {
    let mut checkout = Checkout::of("names", layout);
    common::files::copy_tree(
        &checkout.path("patched/fnv"),
        &checkout.path("patched/fnv-2"),
    );
    checkout.replace("patched/fnv-2/src/lib.rs", "99", "97");
    checkout.replace(
        "Cargo.toml",
        "\"patched/fnv\"]",
        "\"patched/fnv\", \"patched/fnv-2\"]",
    );
    let there = |checkout: &mut Checkout| {
        checkout.replace(
            "Cargo.toml",
            "path = \"patched/fnv\"",
            "path = \"patched/fnv-2\"",
        );
    };
    let back = |checkout: &mut Checkout| {
        checkout.replace(
            "Cargo.toml",
            "path = \"patched/fnv-2\"",
            "path = \"patched/fnv\"",
        );
    };
    there_and_back(&mut checkout, there, back);
}

/// Its sources are in cargo's home, so this needs one of its own.
fn a_git_dependency_moves_on(layout: Layout) {
    let mut checkout = Checkout::with_files(
        layout,
        &[
            (
                "src/main.rs",
                "fn main() { println!(\"{}\", dep::CONSTANT) }\n",
            ),
            (
                "../repo/Cargo.toml",
                "[package]\nname = \"dep\"\nversion = \"0.1.0\"\n",
            ),
            ("../repo/src/lib.rs", "pub const CONSTANT: u32 = 1;\n"),
        ],
    );
    let repo = checkout.path("../repo").canonicalize().unwrap();
    let git = |args: &[&str]| {
        let mut command = checkout.command("git");
        command
            .arg("-C")
            .arg(&repo)
            .args(["-c", "user.name=t", "-c", "user.email=t@t"]);
        command.args(args);
        common::Ran::of(command).successful()
    };
    git(&["init", "-q", "-b", "main"]);
    let commit = || {
        git(&["add", "."]);
        git(&["commit", "-q", "-m", "."]);
        git(&["rev-parse", "HEAD"]).stdout.trim().to_owned()
    };
    let one = commit();
    checkout.replace("../repo/src/lib.rs", "= 1", "= 2");
    let two = commit();
    let manifest = |rev: &str| {
        format!(
            "[package]\nname = \"app\"\nversion = \"0.1.0\"\nedition = \"2021\"\n[workspace]\n\
             [dependencies]\ndep = {{ git = \"file://{}\", rev = \"{rev}\" }}\n",
            repo.display()
        )
    };
    let (one, two) = (manifest(&one), manifest(&two));
    checkout.write("Cargo.toml", &one);
    checkout.set_env("CARGO_HOME", checkout.base().join("cargo-home"));
    let there = |checkout: &mut Checkout| checkout.write("Cargo.toml", &two);
    let back = |checkout: &mut Checkout| checkout.write("Cargo.toml", &one);
    there_and_back(&mut checkout, there, back).assert_crates(&["dep", "app"]);
}

fn a_path_dependency_outside_of_the_workspace_is_edited(layout: Layout) {
    let mut checkout = Checkout::of("outside", layout);
    checkout.dir = checkout.path("ws");
    let there = |checkout: &mut Checkout| {
        checkout.replace("neighbour/src/lib.rs", "= 1", "= 2");
        checkout.write("shared-gen/source.txt", "source two\n");
    };
    let back = |checkout: &mut Checkout| {
        checkout.replace("neighbour/src/lib.rs", "= 2", "= 1");
        checkout.write("shared-gen/source.txt", "source one\n");
    };
    there_and_back(&mut checkout, there, back).assert_crates(&["neighbour", "shared_gen", "app"]);
}

/// Plain cargo takes vendored crates for immutable; a clean build does not.
fn a_vendored_source_is_edited(layout: Layout) {
    let checkout = Checkout::of("vendored", layout);
    checkout.build();
    assert!(checkout.is_right().starts_with("zb_tiny.constant=1\n"));
    checkout.replace("vendor/zb-tiny/src/lib.rs", "= 1", "= 2");
    checkout.remove_target();
    checkout.build();
    assert!(checkout.is_right().starts_with("zb_tiny.constant=2\n"));
    checkout.replace("vendor/zb-tiny/src/lib.rs", "= 2", "= 1");
    checkout.remove_target();
    checkout.build_compiles_nothing();
    assert!(checkout.is_right().starts_with("zb_tiny.constant=1\n"));
}

fn the_host_as_a_target_is_another_directory(layout: Layout) {
    let host = common::host();
    let checkout = Checkout::of("profiles", layout);
    checkout.build();
    let mut cross = checkout.second("cross/ws");
    cross.set_args(&["--target", &host]);
    cross.program = format!("{host}/debug/app");
    cross.build();
    cross.is_right();
    cross.build_compiles_nothing();
    cross.remove_target();
    cross.build_compiles_nothing();
    cross.is_right();
    // Given by the environment it is the same.
    cross.set_args(&[]);
    cross.set_env("CARGO_BUILD_TARGET", &host);
    cross.build_compiles_nothing();
    cross.is_right();
}

/// Two toolchains in one target directory: neither may take what the other
/// one left there.
fn the_toolchain_is_switched(layout: Layout) {
    if !has_toolchain("nightly") || !has_toolchain("stable") {
        eprintln!("skipped: it takes rustup's stable and nightly");
        return;
    }
    let mut checkout = Checkout::of("members", layout);
    checkout.write(
        "app/build.rs",
        "fn main() {\n    let rustc = std::process::Command::new(std::env::var(\"RUSTC\").unwrap())\n        \
         .arg(\"--version\").output().unwrap();\n    \
         println!(\"cargo::rustc-env=VERSION={}\", String::from_utf8(rustc.stdout).unwrap());\n    \
         println!(\"cargo::rerun-if-changed=build.rs\");\n}\n",
    );
    checkout.replace(
        "app/src/main.rs",
        "{\n",
        "{\n    println!(\"{}\", env!(\"VERSION\"));\n",
    );
    checkout.set_env("RUSTUP_TOOLCHAIN", "stable");
    let there = |checkout: &mut Checkout| checkout.set_env("RUSTUP_TOOLCHAIN", "nightly");
    let back = |checkout: &mut Checkout| checkout.set_env("RUSTUP_TOOLCHAIN", "stable");
    there_and_back(&mut checkout, there, back);
}

/// A wrapper stays in effect for what has to be compiled, and is not asked for
/// what is restored.
#[cfg(unix)]
fn a_rustc_wrapper_is_used_for_the_misses(layout: Layout) {
    let mut checkout = Checkout::of("members", layout);
    let (wrapper, log) = (checkout.base().join("wrapper"), checkout.base().join("log"));
    let text = format!(
        "#!/bin/sh\necho \"$*\" >> '{}'\nexec \"$@\"\n",
        log.display()
    );
    common::files::write_script(&wrapper, &text);
    checkout.set_env("RUSTC_WRAPPER", &wrapper);
    checkout.build();
    let logged = || std::fs::read_to_string(&log).unwrap_or_default();
    assert!(logged().contains("--crate-name leaf"), "{}", logged());
    checkout.is_right();
    std::fs::remove_file(&log).unwrap();
    checkout.remove_target();
    checkout.build_compiles_nothing();
    assert!(!logged().contains("--crate-name leaf"), "{}", logged());
    checkout.referee();
    // cargo asks a wrapper no less for a member than for any crate.
    checkout.replace("leaf/src/lib.rs", "= 1", "= 2");
    checkout.build();
    assert!(logged().contains("--crate-name leaf"), "{}", logged());
    assert!(!logged().contains("--crate-name itoa"), "{}", logged());
    checkout.is_right();
}

/// A custom build of the compiler says the same of itself as the one before.
#[cfg(unix)]
fn the_compiler_changes_under_the_same_version(layout: Layout) {
    let mut checkout = Checkout::of("profiles", layout);
    checkout.replace(".cargo/config.toml", "\"--cfg\", \"zb_flag\"", "");
    let rustc = checkout.base().join("tools/rustc");
    let with = |more: &str| {
        let text = format!("#!/bin/sh\nexec rustc \"$@\"{more}\n");
        common::files::write_script(&rustc, &text);
    };
    with("");
    checkout.set_env("RUSTC", &rustc);
    checkout.build();
    assert!(checkout.is_right().contains("zb_flag=false\n"));
    with(" --cfg zb_flag");
    checkout.remove_target();
    checkout.build();
    assert!(checkout.is_right().contains("zb_flag=true\n"));
    with("");
    checkout.remove_target();
    checkout.build();
    assert!(checkout.is_right().contains("zb_flag=false\n"));
}

#[cfg(unix)]
fn the_linker_changes_under_the_same_name(layout: Layout) {
    let mut checkout = Checkout::of("members", layout);
    let linker = checkout.base().join("linker");
    let with = |flag: &str| format!("#!/bin/sh\nexec cc {flag} \"$@\"\n");
    common::files::write_script(&linker, &with(""));
    let triple = common::host().to_uppercase().replace('-', "_");
    checkout.set_env(&format!("CARGO_TARGET_{triple}_LINKER"), &linker);
    checkout.build();
    checkout.is_right();
    common::files::write_script(&linker, &with("-Wl,--build-id=0x7a62"));
    checkout.remove_target();
    let ran = checkout.build();
    ran.assert_crates(&["app"]);
    let program = std::fs::read(checkout.target().join("debug/app")).unwrap();
    assert!(
        program.windows(6).any(|bytes| bytes == b"GNU\0zb"),
        "linked by the new one"
    );
    checkout.is_right();
}

in_both_layouts!(
    rustflags_of_the_environment_change,
    rustflags_of_config_toml_change,
    variables_of_config_toml_change,
    a_config_toml_appears_above_the_workspace,
    a_profile_is_changed_by_the_environment,
    a_profile_is_changed_in_the_manifest,
    a_profile_is_changed_by_an_argument,
    lints_change,
    features_are_switched,
    a_default_feature_is_added_to_the_manifest,
    the_edition_changes,
    the_version_of_a_package_changes,
    another_package_takes_the_name_of_a_renamed_one,
    a_patched_package_is_edited,
    a_patch_points_elsewhere,
    a_git_dependency_moves_on,
    a_path_dependency_outside_of_the_workspace_is_edited,
    a_vendored_source_is_edited,
    the_host_as_a_target_is_another_directory,
    the_toolchain_is_switched,
);

#[cfg(unix)]
in_both_layouts!(
    a_rustc_wrapper_is_used_for_the_misses,
    the_compiler_changes_under_the_same_version,
    the_linker_changes_under_the_same_name,
);
