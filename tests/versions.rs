//! Every cargo that is there: the oldest that is supported, the present one,
//! and those to come, which change things.
//!
//! Two kinds of tests: small workspaces from end to end, and each assumption
//! about cargo by itself, so that after a change of cargo's it is the name of
//! an assumption that fails. `.ci/versions.sh` runs all of `tests/cases.rs`
//! with each of them, and `.ci/toolchains.sh` installs those that rustup has
//! not.
#![allow(clippy::unwrap_used)] // a test may panic

mod common;

use std::collections::HashSet;
use std::fs;

use camino::{Utf8Path, Utf8PathBuf};
use cargo_zbuild::cargo::layout::{self, Place, Scan};
use cargo_zbuild::cargo::messages::{self, Message};
use cargo_zbuild::cargo::unit_graph::{GraphUnit, UnitGraph};
use cargo_zbuild::cargo::{depinfo, lock};
use common::{Checkout, Layout, has_toolchain, there_and_back};

/// Makes tests with one toolchain, by rustup's name for it, in the layouts that
/// it knows. All other tests are end-to-end tests of the stable one.
macro_rules! with_toolchains {
    ($($module:ident: $name:literal, $new_layout:literal, [$($test:ident),*];)*) => {$(
        mod $module {
            use crate::common::Layout;

            fn in_both(test: fn(&str, Layout)) {
                if !crate::common::has_toolchain($name) {
                    eprintln!("skipped: there is no toolchain {}", $name);
                    return;
                }
                test($name, Layout::Spread);
                if $new_layout {
                    test($name, Layout::PerUnit);
                }
            }

            $(
                #[test]
                fn $test() {
                    in_both(super::$test);
                }
            )*
        }
    )*};
}

with_toolchains! {
    oldest: "debian-1.85", false, [assumptions_hold, members_come_and_go, build_scripts_and_macros];
    stable: "stable", true, [assumptions_hold];
    next: "debian", true, [assumptions_hold, members_come_and_go, build_scripts_and_macros];
    nightly: "nightly", true, [assumptions_hold, members_come_and_go, build_scripts_and_macros];
}

fn checkout(workspace: &str, toolchain: &str, layout: Layout) -> Checkout {
    let mut checkout = Checkout::of(workspace, layout);
    checkout.set_env("RUSTUP_TOOLCHAIN", toolchain);
    checkout
}

fn members_come_and_go(toolchain: &str, layout: Layout) {
    let mut checkout = checkout("members", toolchain, layout);
    let there = |checkout: &mut Checkout| checkout.replace("leaf/src/lib.rs", "= 1", "= 2");
    let back = |checkout: &mut Checkout| checkout.replace("leaf/src/lib.rs", "= 2", "= 1");
    there_and_back(&mut checkout, there, back).assert_crates(&["leaf", "mid", "app"]);
    checkout.touch("leaf/src/lib.rs");
    checkout.build_compiles_nothing();
    checkout.referee();
    let second = checkout.second("second");
    second.build_compiles_nothing();
    second.referee();
}

fn build_scripts_and_macros(toolchain: &str, layout: Layout) {
    for workspace in ["build-scripts", "proc-macro"] {
        let checkout = checkout(workspace, toolchain, layout);
        let cold = checkout.build();
        let summary = cold.summary();
        assert_eq!(summary.compiled, summary.units, "{cold}");
        checkout.is_right();
        checkout.remove_target();
        checkout.build_compiles_nothing();
        checkout.is_right();
    }
}

/// Everything that the engine takes for granted, by plain cargo's work.
fn assumptions_hold(toolchain: &str, layout: Layout) {
    let checkout = checkout("build-scripts", toolchain, layout);
    let mut command = checkout.command("cargo");
    command.args(["build", "--unit-graph", "-Zunstable-options"]);
    command.env("RUSTC_BOOTSTRAP", "1");
    let printed = common::Ran::of(command).successful();
    assert!(
        !checkout.target().exists(),
        "assumption: --unit-graph creates no target directory"
    );
    let graph = UnitGraph::parse(printed.stdout.as_bytes())
        .expect("assumption: the unit graph's version and fields (src/cargo/unit_graph.rs)");

    let built = checkout
        .cargo(&["build", "--message-format=json"])
        .successful();
    messages_are_known(&built.stdout, &graph);
    locks_are_known(&checkout);
    let build_dir = Utf8PathBuf::from_path_buf(checkout.target()).unwrap();
    let mut scan = Scan::new(&build_dir);
    let mut found = HashSet::new();
    for unit in &graph.units {
        let package = package_of(unit);
        let candidates = scan.candidates(unit, &package);
        let [place] = candidates.as_slice() else {
            panic!(
                "assumption: one place with the fingerprint {} of {package} \
                 (src/cargo/layout.rs): {candidates:?}",
                layout::fingerprint_name(unit)
            );
        };
        let is_new = place.layout == layout::Layout::PerUnit;
        assert_eq!(
            is_new,
            layout == Layout::PerUnit,
            "assumption: which layout it is"
        );
        found.insert(place.hash.clone());
        records_are_known(&build_dir, unit, place, &mut scan);
    }
    assert_eq!(
        found.len(),
        graph.units.len(),
        "assumption: every unit has a hash of its own"
    );
}

fn package_of(unit: &GraphUnit) -> String {
    // `path+file:///ws/gen#0.1.0`, `registry+...#name@0.1.0`
    let id = unit.pkg_id.rsplit_once('#').unwrap();
    match id.1.split_once('@') {
        Some((name, _)) => name.to_owned(),
        None => id.0.rsplit('/').next().unwrap().to_owned(),
    }
}

fn messages_are_known(stdout: &str, graph: &UnitGraph) {
    let (mut artifacts, mut scripts) = (Vec::new(), 0);
    for line in stdout.lines() {
        let known = messages::parse(line).expect("assumption: one JSON message in each line");
        let is = |reason: &str| line.starts_with(&format!("{{\"reason\":\"{reason}\""));
        match known {
            Message::Artifact(artifact) => artifacts.push(artifact),
            Message::Script(_) => scripts += 1,
            Message::Diagnostic(_) => {}
            Message::Other => assert!(
                !is("compiler-artifact") && !is("build-script-executed"),
                "assumption: the fields of messages (src/cargo/messages.rs): {line}"
            ),
        }
    }
    let (runs, compiled): (Vec<_>, Vec<_>) = graph
        .units
        .iter()
        .partition(|unit| unit.mode == "run-custom-build");
    assert_eq!(
        scripts,
        runs.len(),
        "assumption: a message for every run of a script"
    );
    for unit in compiled {
        let matching = artifacts.iter().filter(|artifact| artifact.matches(unit));
        assert_eq!(
            matching.count(),
            1,
            "assumption: one message about every unit, and it says what the graph says \
             (src/cargo/messages.rs, Artifact::matches): {}",
            unit.target_json
        );
    }
}

/// cargo leaves its lock files behind.
fn locks_are_known(checkout: &Checkout) {
    let version = checkout.cargo(&["-vV"]).successful().stdout;
    let minor: u32 = version.split('.').nth(1).unwrap().parse().unwrap();
    let has = |name: &str| checkout.target().join("debug").join(name).is_file();
    let finer = minor >= lock::FINER_SINCE;
    assert!(
        has(".cargo-lock"),
        "assumption: .cargo-lock is held (src/cargo/lock.rs)"
    );
    for name in [".cargo-build-lock", ".cargo-artifact-lock"] {
        assert_eq!(
            has(name),
            finer,
            "assumption: {name} is held since 1.{} (src/cargo/lock.rs), this is 1.{minor}",
            lock::FINER_SINCE
        );
    }
}

fn records_are_known(build: &Utf8Path, unit: &GraphUnit, place: &Place, scan: &mut Scan) {
    let name = layout::fingerprint_name(unit);
    let dir = build.join(place.fingerprint_dir());
    let is_run = unit.mode == "run-custom-build";
    let fingerprint = fs::read_to_string(dir.join(&name)).unwrap();
    let is_hash = |text: &str| text.len() == 16 && u64::from_str_radix(text, 16).is_ok();
    assert!(
        is_hash(fingerprint.trim()),
        "assumption: a fingerprint is a hash: {fingerprint}"
    );

    let record = fs::read(dir.join(format!("{name}.json"))).unwrap();
    let record: serde_json::Value = serde_json::from_slice(&record).unwrap();
    let deps = record["deps"].as_array();
    let deps = deps.expect("assumption: a fingerprint's record lists `deps` (src/exec/run.rs)");
    for dep in deps {
        assert!(
            dep[1].is_string() && dep[2].is_boolean() && dep[3].is_u64(),
            "assumption: of each dependency name, kind and fingerprint (src/exec/run.rs): {dep}"
        );
    }

    let started = build.join(place.started(is_run));
    assert!(
        started.is_file(),
        "assumption: {started} tells when it was started"
    );
    if is_run {
        let stdout = build.join(place.script_stdout());
        assert!(
            stdout.is_file(),
            "assumption: {stdout} is what the script printed"
        );
    } else {
        let bytes = fs::read(dir.join(format!("dep-{name}"))).unwrap();
        assert!(
            depinfo::parse_cargo(&bytes).is_some(),
            "assumption: the version of cargo's dep-info (src/cargo/depinfo.rs)"
        );
        // Wherever it is: `dep_info_candidates`, or a script's own directory.
        let files = scan.files(unit, place).unwrap();
        let text = files.iter().find(|file| file.path.ends_with(".d"));
        let text = text.expect("assumption: rustc's dep-info is among the unit's files");
        let text = fs::read_to_string(build.join(&text.path)).unwrap();
        assert!(
            depinfo::parse_rustc(&text).is_some(),
            "assumption: the form of rustc's dep-info (src/cargo/depinfo.rs)"
        );
    }
}

/// Nothing above is skipped for all of them unnoticed.
#[test]
fn there_is_a_toolchain() {
    assert!(
        ["stable", "debian", "nightly"]
            .iter()
            .any(|name| has_toolchain(name))
    );
}
