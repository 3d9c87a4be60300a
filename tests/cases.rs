//! Every small workspace from beginning to end: cold, from the cache, and in a
//! second checkout, with cargo as the referee and as the oracle.
#![allow(clippy::unwrap_used)] // a test may panic

#[macro_use]
mod common;

use common::{Checkout, Layout, there_and_back};

/// One workspace, what is built of it, and the programs that come of it.
struct Case {
    workspace: &'static str,
    /// Where cargo is started, below the copied folder.
    dir: &'static str,
    args: &'static [&'static str],
    programs: &'static [&'static str],
    /// Units that a clean build in the same place compiles again: those that a
    /// macro may have given inputs that nobody records, and what rests on them.
    again: usize,
}

impl Case {
    fn new(workspace: &'static str) -> Case {
        Case {
            workspace,
            dir: "",
            args: &[],
            programs: &["debug/app"],
            again: 0,
        }
    }

    /// Builds it cold, after `rm -rf target`, and in a second checkout. The
    /// oracle works in the same place each time: some programs print it.
    #[track_caller]
    fn holds(&self, layout: Layout) {
        let mut checkout = Checkout::of(self.workspace, layout).args(self.args);
        checkout.dir = checkout.path(self.dir);
        // The first one is a clean build of cargo's.
        let cold = checkout.build();
        let summary = cold.summary();
        assert_eq!(summary.compiled, summary.units, "{cold}");
        checkout.referee();
        let printed = self.run(&checkout);

        checkout.build_compiles_nothing();
        checkout.remove_target();
        let warm = checkout.build();
        assert_eq!(warm.summary().compiled, self.again, "{warm}");
        checkout.referee();
        assert_eq!(self.run(&checkout), printed);

        let second = checkout.second("second");
        second.build();
        second.referee();
        let printed = self.run(&second);
        assert_eq!(printed, second.in_a_clean_target(|| self.run(&second)));
        second.build_compiles_nothing();
        checkout.referee();
    }

    /// What all programs print.
    fn run(&self, checkout: &Checkout) -> Vec<String> {
        let run = |program: &&str| checkout.run_program(program);
        self.programs.iter().map(run).collect()
    }
}

fn a_chain_of_members(layout: Layout) {
    Case::new("members").holds(layout);
}

fn a_chain_of_members_in_release(layout: Layout) {
    Case {
        args: &["--release"],
        programs: &["release/app"],
        ..Case::new("members")
    }
    .holds(layout);
}

fn a_proc_macro_of_its_own(layout: Layout) {
    Case::new("proc-macro").holds(layout);
}

fn build_scripts_of_every_kind(layout: Layout) {
    Case::new("build-scripts").holds(layout);
}

fn libraries_of_every_crate_type(layout: Layout) {
    Case {
        programs: &[
            "debug/first",
            "debug/second",
            "debug/renamed-bin",
            "debug/dyn-user",
        ],
        ..Case::new("crate-types")
    }
    .holds(layout);
}

fn names_that_differ_from_each_other(layout: Layout) {
    Case::new("names").holds(layout);
}

fn features_that_are_asked_for(layout: Layout) {
    Case {
        args: &["--features", "extra"],
        ..Case::new("names")
    }
    .holds(layout);
}

fn every_kind_of_target(layout: Layout) {
    Case {
        args: &["--all-targets"],
        programs: &["debug/targets-cli", "debug/examples/hello"],
        ..Case::new("targets")
    }
    .holds(layout);
}

/// The test names the bin that it starts by its absolute path.
fn tests_of_a_second_checkout_start_its_own_programs(layout: Layout) {
    let first = Checkout::of("targets", layout).args(&["--all-targets"]);
    first.build();
    let second = first.second("second/targets");
    second.build();
    second.referee();
    std::fs::remove_dir_all(&first.copy).unwrap();
    let ran = second.cargo(&["test", "-v"]).successful();
    assert!(!ran.stderr.contains("Compiling"), "{ran}");
    assert!(
        ran.stdout
            .contains("the_bin_prints_the_constant_of_the_lib ... ok"),
        "{ran}"
    );
    let ran = second
        .cargo(&["bench", "-v", "--bench", "b", "--profile", "dev"])
        .successful();
    assert!(!ran.stderr.contains("Compiling"), "{ran}");
    assert!(
        ran.stdout
            .contains("target=bench\nlib.constant=1\nlib.test=false\n"),
        "{ran}"
    );
}

fn dependencies_beyond_the_workspace(layout: Layout) {
    Case {
        dir: "ws",
        ..Case::new("outside")
    }
    .holds(layout);
}

/// What is set apart by nothing but a variable, and how each is told from the
/// others when it is recorded.
fn profiles_of_every_kind(layout: Layout) {
    let settings = [
        ("CARGO_PROFILE_DEV_PANIC", "abort"),
        ("CARGO_PROFILE_DEV_DEBUG", "0"),
        ("CARGO_PROFILE_DEV_LTO", "thin"),
        ("CARGO_PROFILE_DEV_INCREMENTAL", "false"),
        ("CARGO_PROFILE_DEV_CODEGEN_UNITS", "1"),
        ("CARGO_PROFILE_DEV_BUILD_OVERRIDE_OPT_LEVEL", "1"),
        ("CARGO_PROFILE_DEV_STRIP", "true"),
    ];
    let mut checkout = Checkout::of("outside", layout);
    checkout.dir = checkout.path("ws");
    checkout.build();
    for (name, value) in settings {
        checkout.set_env(name, value);
        checkout.build();
        checkout.referee();
        checkout.run();
        checkout.remove_target();
        let ran = checkout.zbuild(&["-v"]).healthy();
        assert_eq!(ran.compiled(), 0, "with {name}={value}: {ran}");
        checkout.referee();
        checkout.run();
        // `check` after `build`: two units with one name and no dependencies.
        checkout.set_args(&["check"]);
        checkout.build();
        checkout.build_compiles_nothing();
        // What cargo calls fresh under another key is not trusted to be the
        // same; the first clean build makes sure.
        checkout.remove_target();
        checkout.build();
        checkout.remove_target();
        let ran = checkout.zbuild(&["check", "-v"]).healthy();
        assert_eq!(ran.compiled(), 0, "with {name}={value}: {ran}");
        checkout.referee();
        checkout.set_args(&[]);
        checkout.unset_env(name);
    }
}

/// Programs that debuggers and profilers look for beside the program.
#[cfg(target_os = "linux")]
fn debug_information_beside_the_program(layout: Layout) {
    let names = |checkout: &Checkout| -> Vec<String> {
        let all = common::files::files_below(&checkout.target());
        let all = all
            .iter()
            .map(|path| path.strip_prefix(checkout.target()).unwrap());
        let all = all.map(|path| path.to_str().unwrap().to_owned());
        // rustc keeps some for its own next run.
        all.filter(|path| path.ends_with(".dwp") || path.ends_with(".dwo"))
            .filter(|path| !path.contains("/incremental/"))
            .collect()
    };
    for kind in ["packed", "unpacked"] {
        let mut checkout = Checkout::of("members", layout);
        checkout.set_env("CARGO_PROFILE_DEV_SPLIT_DEBUGINFO", kind);
        checkout.build();
        let by_cargo = names(&checkout);
        assert!(!by_cargo.is_empty(), "{kind}");
        checkout.remove_target();
        checkout.build_compiles_nothing();
        assert_eq!(names(&checkout), by_cargo, "{kind}");
        checkout.is_right();
    }
}

const MANIFEST: &str = "[package]\nname = \"NAME\"\nversion = \"0.1.0\"\nedition = \"2021\"\n";

fn manifest(name: &str, rest: &str) -> String {
    MANIFEST.replace("NAME", name) + rest
}

/// The same crate with other features for the build script and for the
/// program, in one target directory.
fn one_crate_for_the_script_and_for_the_program(layout: Layout) {
    let both = "pub const FOR: &str = if cfg!(feature = \"script\") { \"script\" } else { \"program\" };\n";
    let script = "fn main() {\n    println!(\"cargo::rerun-if-changed=build.rs\");\n    \
                  println!(\"cargo::rustc-env=SCRIPT={}\", both::FOR);\n}\n";
    let dependencies = "[dependencies]\nboth = { path = \"both\" }\n[build-dependencies]\n\
                        both = { path = \"both\", features = [\"script\"] }\n\
                        [workspace]\nresolver = \"2\"\n";
    let mut checkout = Checkout::with_files(
        layout,
        &[
            ("Cargo.toml", &manifest("app", dependencies)),
            ("build.rs", script),
            (
                "src/main.rs",
                "fn main() { println!(\"{} {}\", env!(\"SCRIPT\"), both::FOR) }\n",
            ),
            (
                "both/Cargo.toml",
                &manifest("both", "[features]\nscript = []\n"),
            ),
            ("both/src/lib.rs", both),
        ],
    );
    let there =
        |checkout: &mut Checkout| checkout.replace("both/src/lib.rs", "\"program\"", "\"app\"");
    let back =
        |checkout: &mut Checkout| checkout.replace("both/src/lib.rs", "\"app\"", "\"program\"");
    there_and_back(&mut checkout, there, back);
    assert_eq!(checkout.run(), "script app\n");
}

/// The tests of `app` use `helper`, which uses `app`.
fn a_package_is_used_by_what_its_tests_use(layout: Layout) {
    let checkout = Checkout::with_files(
        layout,
        &[
            (
                "Cargo.toml",
                &manifest(
                    "app",
                    "[dev-dependencies]\nhelper = { path = \"helper\" }\n[workspace]\n",
                ),
            ),
            (
                "src/lib.rs",
                "pub const ONE: u32 = 1;\n#[test]\nfn same() { assert_eq!(helper::ONE, 1) }\n",
            ),
            (
                "tests/it.rs",
                "#[test]\nfn same() { assert_eq!(helper::ONE, app::ONE) }\n",
            ),
            (
                "helper/Cargo.toml",
                &manifest("helper", "[dependencies]\napp = { path = \"..\" }\n"),
            ),
            ("helper/src/lib.rs", "pub use app::ONE;\n"),
        ],
    )
    .args(&["--all-targets"]);
    checkout.build();
    checkout.referee();
    checkout.remove_target();
    checkout.build_compiles_nothing();
    checkout.referee();
    let ran = checkout
        .cargo(&["test", "-v", "--all-targets"])
        .successful();
    assert!(!ran.stderr.contains("Compiling"), "{ran}");
    checkout.replace("src/lib.rs", "= 1", "= 1 + 0");
    checkout.build();
    checkout.referee();
}

fn crates_that_keep_paths(layout: Layout) {
    // `baked` and `listed` use macros that read files; `app` rests on them.
    Case {
        again: 3,
        ..Case::new("paths")
    }
    .holds(layout);
}

fn crates_with_warnings(layout: Layout) {
    Case::new("warnings").holds(layout);
}

fn vendored_sources(layout: Layout) {
    Case::new("vendored").holds(layout);
}

fn a_profile_of_its_own(layout: Layout) {
    Case {
        args: &["--profile", "fast"],
        programs: &["fast/app"],
        ..Case::new("profiles")
    }
    .holds(layout);
}

/// The crate itself only includes from there; a macro of another one keeps the
/// directory, in a constant that is nowhere but in crate metadata.
fn a_macro_of_a_dependency_keeps_the_output_directory(layout: Layout) {
    let manifest = |name: &str, rest: &str| {
        format!("[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2021\"\n{rest}")
    };
    let files = [
        ("Cargo.toml", "[workspace]\nmembers = [\"app\", \"user\", \"giver\"]\nresolver = \"2\"\n".to_owned()),
        ("giver/Cargo.toml", manifest("giver", "")),
        (
            "giver/src/lib.rs",
            "#[macro_export]\nmacro_rules! dir { () => { pub const DIR: &str = env!(\"OUT_DIR\"); } }\n".to_owned(),
        ),
        ("user/Cargo.toml", manifest("user", "[dependencies]\ngiver = { path = \"../giver\" }\n")),
        (
            "user/build.rs",
            "fn main() {\n    println!(\"cargo::rerun-if-changed=build.rs\");\n    let out = std::env::var(\"OUT_DIR\").unwrap();\n    std::fs::write(out + \"/made.rs\", \"pub const MADE: u32 = 1;\").unwrap();\n}\n".to_owned(),
        ),
        (
            "user/src/lib.rs",
            "include!(concat!(env!(\"OUT_DIR\"), \"/made.rs\"));\ngiver::dir!();\n".to_owned(),
        ),
        ("app/Cargo.toml", manifest("app", "[dependencies]\nuser = { path = \"../user\" }\n")),
        ("app/src/main.rs", "fn main() { println!(\"{} {}\", user::MADE, user::DIR); }\n".to_owned()),
    ];
    let files: Vec<(&str, &str)> = files
        .iter()
        .map(|(path, text)| (*path, text.as_str()))
        .collect();
    let first = Checkout::with_files(layout, &files);
    first.build();
    assert_eq!(first.run(), first.oracle_in_place());
    let second = first.second("second");
    second.build().assert_crates(&["user", "app"]);
    assert_eq!(second.run(), second.oracle_in_place());
}

in_both_layouts!(
    a_macro_of_a_dependency_keeps_the_output_directory,
    a_chain_of_members,
    a_chain_of_members_in_release,
    a_proc_macro_of_its_own,
    build_scripts_of_every_kind,
    libraries_of_every_crate_type,
    names_that_differ_from_each_other,
    features_that_are_asked_for,
    every_kind_of_target,
    tests_of_a_second_checkout_start_its_own_programs,
    dependencies_beyond_the_workspace,
    profiles_of_every_kind,
    one_crate_for_the_script_and_for_the_program,
    a_package_is_used_by_what_its_tests_use,
    crates_that_keep_paths,
    crates_with_warnings,
    vendored_sources,
    a_profile_of_its_own,
);

#[cfg(target_os = "linux")]
in_both_layouts!(debug_information_beside_the_program);
