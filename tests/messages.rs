//! What is said: a restored build says on stdout and stderr what cargo says of
//! a fresh one, in each format, and its exit code is cargo's.
#![allow(clippy::unwrap_used)] // a test may panic

#[macro_use]
mod common;

use std::fs;

use common::{Checkout, Layout, Ran};

/// Workspaces whose builds have something to say, with arguments.
const TALKATIVE: &[(&str, &[&str])] = &[
    ("warnings", &[]),
    ("build-scripts", &[]),
    ("targets", &["--all-targets"]),
    ("crate-types", &[]),
    ("proc-macro", &[]),
];

/// Builds, removes the target directory, and compares what zbuild says when it
/// restores with what cargo says of the same target directory afterwards.
#[track_caller]
fn says_what_cargo_says(checkout: &Checkout, args: &[&str], how: &[&str]) {
    let args = [args, how].concat();
    checkout.remove_target();
    let restored = checkout.zbuild(&args).healthy();
    let by_cargo = checkout
        .cargo(&[&["build"], args.as_slice()].concat())
        .successful();
    let in_place = checkout.zbuild(&args).healthy();
    for ours in [&restored, &in_place] {
        assert_same(ours, &by_cargo);
        if let Some(last) = by_cargo.stdout.lines().last() {
            assert_eq!(
                ours.stdout.lines().last(),
                Some(last),
                "the end is told at the end"
            );
        }
    }
}

/// Both say the same on stdout and on stderr. The order of units is not fixed,
/// nor is therefore that of lines; each line is the same to the byte.
#[track_caller]
fn assert_same(ours: &Ran, by_cargo: &Ran) {
    let streams = [
        (lines(&ours.stdout), lines(&by_cargo.stdout)),
        (ours.stderr_of_cargo(), by_cargo.stderr_of_cargo()),
    ];
    for (ours_said, cargo_said) in streams {
        let only = |these: &[String], those: &[String]| -> String {
            let mut those = those.to_vec();
            let mut more = these.to_vec();
            more.retain(|line| match those.iter().position(|other| other == line) {
                Some(at) => {
                    those.swap_remove(at);
                    false
                }
                None => true,
            });
            more.join("\n")
        };
        let (more, less) = (only(&ours_said, &cargo_said), only(&cargo_said, &ours_said));
        assert!(
            more.is_empty() && less.is_empty(),
            "{}\n--- only zbuild says\n{more}\n--- only cargo says\n{less}",
            ours.called
        );
    }
}

fn lines(text: &str) -> Vec<String> {
    text.lines().map(str::to_owned).collect()
}

fn a_restored_build_reads_as_cargos_own(layout: Layout) {
    let everywhere: &[&[&str]] = &[
        &["-v"],
        &["-vv"],
        &["--message-format", "short"],
        &["--message-format", "json-render-diagnostics"],
        &["--message-format", "json"],
    ];
    let somewhere: &[&[&str]] = &[
        &["--message-format", "human"],
        &["--message-format=json-diagnostic-short"],
        &["--message-format=json-diagnostic-rendered-ansi,json-render-diagnostics"],
        &["-q", "--message-format=json"],
        &["--color", "always"],
        &["--color=always", "--message-format=json"],
    ];
    for (workspace, args) in TALKATIVE {
        let checkout = Checkout::of(workspace, layout);
        checkout.zbuild(args).healthy();
        for how in everywhere {
            says_what_cargo_says(&checkout, args, how);
        }
        if *workspace == "warnings" {
            for how in somewhere {
                says_what_cargo_says(&checkout, args, how);
            }
        }
    }
}

fn quiet_says_nothing_of_its_own(layout: Layout) {
    let checkout = Checkout::of("warnings", layout);
    for args in [&["-q"][..], &["--quiet"], &["-q", "--release"]] {
        let cold = checkout.zbuild(args).successful();
        let by_cargo = checkout.cargo(&[&["build"], args].concat()).successful();
        let restored = checkout.zbuild(args).successful();
        for ran in [cold, restored] {
            assert!(!ran.stderr.contains("zbuild:"), "{ran}");
            assert_eq!(ran.stderr, by_cargo.stderr, "{ran}\n{by_cargo}");
            assert_eq!(ran.stdout, "", "{ran}");
        }
    }
}

/// What cargo says while it compiles goes through unchanged.
fn a_build_that_compiles_reads_as_cargos_own(layout: Layout) {
    for format in ["human", "short", "json", "json-render-diagnostics"] {
        let checkout = Checkout::of("warnings", layout);
        let args = ["--message-format", format];
        let ours = checkout.zbuild(&args).healthy();
        checkout.remove_target();
        let by_cargo = checkout
            .cargo(&["build", "--message-format", format])
            .successful();
        assert_same(&ours, &by_cargo);
    }
}

/// The messages name this checkout's files, not those of the one that built
/// them; setup.py scripts look for the executable there.
fn messages_of_a_second_checkout_name_its_own_files(layout: Layout) {
    let mut first = Checkout::of("outside", layout);
    first.dir = first.path("ws");
    first.build();
    let second = first.second("second/ws");
    second.build();
    let ran = second.zbuild(&["--message-format=json"]).healthy();
    assert!(!ran.stdout.contains("/first/"), "{ran}");
    let executables: Vec<String> = ran
        .stdout
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .filter_map(|message| Some(message.get("executable")?.as_str()?.to_owned()))
        .collect();
    let expected = second
        .target()
        .join(format!("debug/app{}", std::env::consts::EXE_SUFFIX));
    assert_eq!(executables, [expected.to_str().unwrap()]);
    let by_cargo = second
        .cargo(&["build", "--message-format=json"])
        .successful();
    assert_same(&ran, &by_cargo);
}

fn the_summary_is_the_last_line(layout: Layout) {
    let checkout = Checkout::of("members", layout);
    for expected in [
        "5 units, 0 reused, 5 compiled",
        "5 units, 5 reused, 0 compiled",
    ] {
        let ran = checkout.zbuild(&[]).successful();
        let last = ran.stderr.lines().last().unwrap();
        assert!(last.starts_with(&format!("zbuild: {expected}")), "{ran}");
        let before: Vec<&str> = ran.stderr.lines().rev().skip(1).take(1).collect();
        assert!(
            before[0].starts_with("    Finished `dev` profile "),
            "{ran}"
        );
        assert_eq!(ran.zbuild_lines().count(), 1, "one line: {ran}");
        assert_eq!(ran.stdout, "", "nothing on stdout: {ran}");
    }
    checkout.remove_target();
    let ran = checkout.zbuild(&[]).successful();
    assert!(ran.stderr.contains("5 reused, 0 compiled, saved "), "{ran}");
}

fn a_compile_error_fails_as_with_cargo_and_the_rest_is_kept(layout: Layout) {
    let checkout = Checkout::of("members", layout);
    let good = checkout.read("app/src/main.rs");
    checkout.replace(
        "app/src/main.rs",
        "fn main() {",
        "fn main() {\n    let _: u32 = \"\";",
    );
    let ours = checkout.zbuild(&[]);
    assert_eq!(ours.status.code(), Some(101), "{ours}");
    let again = checkout.zbuild(&[]);
    assert_eq!(again.status.code(), Some(101), "{again}");
    let by_cargo = checkout.cargo(&["build"]);
    assert_same(&again, &by_cargo);
    // What was built below it is used again.
    checkout.write("app/src/main.rs", &good);
    checkout.remove_target();
    let ran = checkout.build();
    ran.assert_crates(&["app"]);
    assert_eq!((ran.summary().reused, ran.compiled()), (4, 1), "{ran}");
    checkout.is_right();
    // An error that is not the last state of the file leaves no trace.
    checkout.replace("leaf/src/lib.rs", "u32", "u33");
    assert_eq!(checkout.zbuild(&[]).status.code(), Some(101));
    checkout.replace("leaf/src/lib.rs", "u33", "u32");
    checkout.build_compiles_nothing();
    checkout.is_right();
}

fn the_failure_of_one_unit_keeps_the_others_with_keep_going(layout: Layout) {
    let mut checkout = Checkout::of("members", layout);
    checkout.replace("leaf/src/lib.rs", "u32", "u33");
    checkout.set_args(&["--keep-going"]);
    let ran = checkout.zbuild(&["-v", "--keep-going"]);
    assert_eq!(ran.status.code(), Some(101), "{ran}");
    checkout.replace("leaf/src/lib.rs", "u33", "u32");
    checkout.remove_target();
    checkout.build().assert_crates(&["leaf", "mid", "app"]);
    checkout.is_right();
}

/// cargo says it, we do not.
fn what_cargo_refuses_is_refused_in_its_words(layout: Layout) {
    let checkout = Checkout::of("members", layout);
    let refused: &[&[&str]] = &[
        &["--brand-new-flag"],
        &["-p", "nobody"],
        &["--features", "none-such"],
        &["--profile", "none-such"],
        &["--manifest-path", "none/such/Cargo.toml"],
        &["--bin"],
        &["-Z", "none-such"],
    ];
    for args in refused {
        let ours = checkout.zbuild(args);
        let by_cargo = checkout.cargo(&[&["build"], *args].concat());
        assert!(!ours.status.success(), "{ours}");
        assert_eq!(
            ours.status.code(),
            by_cargo.status.code(),
            "{ours}\n{by_cargo}"
        );
        assert_eq!(ours.stderr_of_cargo(), by_cargo.stderr_of_cargo(), "{ours}");
        assert_eq!(ours.stdout, by_cargo.stdout, "{ours}");
        assert_eq!(ours.zbuild_lines().count(), 0, "nothing to add: {ours}");
    }
    checkout.replace("app/Cargo.toml", "[package]", "[pack");
    let (ours, by_cargo) = (checkout.zbuild(&[]), checkout.cargo(&["build"]));
    assert_eq!(ours.status.code(), by_cargo.status.code(), "{ours}");
    assert_eq!(ours.stderr_of_cargo(), by_cargo.stderr_of_cargo(), "{ours}");
}

fn an_unknown_message_format_is_refused_by_cargo(layout: Layout) {
    let checkout = Checkout::of("members", layout);
    checkout.build();
    for args in [
        &["--message-format", "none-such"][..],
        &["--message-format=json,short"],
        &["--message-format=json", "--message-format=human"],
        &["--message-format"],
    ] {
        let ours = checkout.zbuild(args);
        let by_cargo = checkout.cargo(&[&["build"], args].concat());
        assert_eq!(
            ours.status.code(),
            by_cargo.status.code(),
            "{ours}\n{by_cargo}"
        );
        assert_same(&ours, &by_cargo);
    }
}

fn other_verbs_are_cargos_own(layout: Layout) {
    let checkout = Checkout::of("members", layout);
    checkout.build();
    let ours = checkout.zbuild(&["run", "-q", "-p", "app"]).successful();
    assert_eq!(ours.stdout, checkout.run());
    let ours = checkout
        .zbuild(&["metadata", "--format-version=1", "--no-deps"])
        .successful();
    let by_cargo = checkout.cargo(&["metadata", "--format-version=1", "--no-deps"]);
    assert_eq!(ours.stdout, by_cargo.stdout);
    let ours = checkout.zbuild(&["none-such"]);
    assert_eq!(ours.status.code(), Some(101), "{ours}");
    assert!(ours.stderr.contains("no such command"), "{ours}");
}

fn disabled_it_is_plain_cargo(layout: Layout) {
    let mut checkout = Checkout::of("warnings", layout).forget_everything();
    checkout.set_env("ZBUILD_DISABLE", "1");
    let ours = checkout.zbuild(&["-v"]).successful();
    assert_eq!(ours.zbuild_lines().count(), 0, "{ours}");
    assert!(!checkout.cache.exists(), "nothing is recorded");
    checkout.remove_target();
    let by_cargo = checkout.cargo(&["build", "-v"]).successful();
    assert_same(&ours, &by_cargo);
    checkout.append("app/src/main.rs", "fn broken(");
    assert_eq!(checkout.zbuild(&[]).status.code(), Some(101));
}

/// Arguments of all kinds, each handed on; nothing is compiled the second time.
fn arguments_mean_what_they_mean_to_cargo(layout: Layout) {
    let mut checkout = Checkout::of("members", layout);
    let host = common::host();
    let manifest = checkout.path("Cargo.toml");
    let sets: &[&[&str]] = &[
        &["-p", "app"],
        &["-papp", "--package=mid"],
        &["--workspace", "--exclude", "util"],
        &["--all", "--bins"],
        &["--bin", "app"],
        &["--lib", "-p", "leaf"],
        &["-r"],
        &["--profile=release"],
        &["--profile", "test"],
        &["--target", &host],
        &["--manifest-path", manifest.to_str().unwrap()],
        &["--config", "profile.dev.debug=1"],
        &["--config=profile.dev.debug=1"],
        &["-j1"],
        &["--jobs", "2", "--keep-going"],
        &["--locked"],
        &["--offline"],
        &["--frozen", "--color=never"],
        &["--ignore-rust-version"],
        &["--all-features", "--no-default-features"],
        &["rustc", "-p", "leaf", "--", "-Cdebuginfo=1"],
        &["check", "--workspace"],
        &["b"],
    ];
    // These are handed to cargo as a whole: there is no summary.
    let plain: &[&[&str]] = &[&["--future-incompat-report"], &["check", "--all-targets"]];
    for args in sets {
        checkout.set_args(args);
        checkout.build();
        checkout.referee();
        checkout.build_compiles_nothing();
    }
    for args in plain {
        checkout.set_args(args);
        checkout.zbuild(&checkout.with_verbose()).healthy();
        checkout.referee();
    }
}

/// cargo's own report is there if cargo ran, ours in any case.
fn timings_are_written_by_whoever_ran(layout: Layout) {
    let mut checkout = Checkout::of("members", layout);
    checkout.set_args(&["--timings"]);
    let of_cargo = checkout.target().join("cargo-timings/cargo-timing.html");
    let ours = checkout.target().join("zbuild-timings/zbuild-timing.html");
    for compiles in [true, false] {
        let ran = checkout.build();
        assert_eq!(ran.compiled() > 0, compiles, "{ran}");
        assert_eq!(of_cargo.exists(), compiles, "{ran}");
        fs::remove_file(&ours).unwrap();
        if compiles {
            fs::remove_file(&of_cargo).unwrap();
        }
    }
}

fn a_toolchain_is_named_by_a_plus(layout: Layout) {
    if !common::has_toolchain("stable") {
        eprintln!("skipped: it takes rustup's stable");
        return;
    }
    let mut checkout = Checkout::of("members", layout);
    checkout.unset_env("RUSTUP_TOOLCHAIN");
    let mut command = checkout.command("cargo");
    command.args(["+stable", "zbuild", "-v"]);
    Ran::of(command).healthy();
    let ran = checkout.zbuild(&["+stable", "-v"]).healthy();
    assert_eq!(ran.compiled(), 0, "{ran}");
    let ran = checkout.zbuild(&["+none-such", "-v"]);
    assert!(!ran.status.success(), "{ran}");
    checkout.write("rust-toolchain.toml", "[toolchain]\nchannel = \"stable\"\n");
    checkout.build_compiles_nothing();
    checkout.is_right();
}

in_both_layouts!(
    a_restored_build_reads_as_cargos_own,
    quiet_says_nothing_of_its_own,
    a_build_that_compiles_reads_as_cargos_own,
    messages_of_a_second_checkout_name_its_own_files,
    the_summary_is_the_last_line,
    a_compile_error_fails_as_with_cargo_and_the_rest_is_kept,
    the_failure_of_one_unit_keeps_the_others_with_keep_going,
    what_cargo_refuses_is_refused_in_its_words,
    an_unknown_message_format_is_refused_by_cargo,
    other_verbs_are_cargos_own,
    disabled_it_is_plain_cargo,
    arguments_mean_what_they_mean_to_cargo,
    timings_are_written_by_whoever_ran,
    a_toolchain_is_named_by_a_plus,
);
