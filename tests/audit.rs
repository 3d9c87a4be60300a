//! `cargo zbuild audit`: what two builds of the same thing have in common, and
//! what they must not differ in.
#![allow(clippy::unwrap_used)] // a test may panic

#[macro_use]
mod common;

use common::files::{files_below, modified};
use common::schema::follows;
use common::{Checkout, Layout, Ran};
use serde_json::Value;

/// An audit with a directory for temporary files of its own, which has to be
/// empty afterwards.
#[track_caller]
fn audit(checkout: &Checkout, args: &[&str]) -> Ran {
    let temp = checkout.base().join("temp");
    std::fs::create_dir_all(&temp).unwrap();
    let mut command = checkout.zbuild_command(&[&["audit"], args].concat());
    for name in ["TMPDIR", "TMP", "TEMP"] {
        command.env(name, &temp);
    }
    let ran = Ran::of(command);
    let left: Vec<_> = temp.read_dir().unwrap().collect();
    assert!(left.is_empty(), "{left:?}\n{ran}");
    ran
}

/// What it prints as JSON, which has to follow its schema.
#[track_caller]
fn findings(checkout: &Checkout, args: &[&str]) -> Value {
    let ran = audit(checkout, &[&["--json"], args].concat());
    let found: Value = serde_json::from_str(&ran.stdout).unwrap_or_else(|_| panic!("{ran}"));
    follows(include_str!("../docs/audit.schema.json"), &found);
    let real = found["counts"]["real"].as_u64().unwrap();
    assert_eq!(ran.status.code(), Some(i32::from(real > 0)), "{ran}");
    found
}

/// The number before a word in the figures, or none.
fn figure(ran: &Ran, word: &str) -> usize {
    let lines = ran.stdout.lines().map(str::trim_start);
    let of = |line: &str| {
        let (number, rest) = line.split_once(' ')?;
        let number = number.parse::<usize>().ok()?;
        rest.trim_start().starts_with(word).then_some(number)
    };
    lines.filter_map(of).sum()
}

/// Units that differ for real.
fn real(ran: &Ran) -> Vec<&str> {
    let lines = ran.stdout.lines();
    let real = lines.filter_map(|line| line.strip_prefix("real: "));
    let mut units: Vec<&str> = real.map(|line| line.split(": ").next().unwrap()).collect();
    units.dedup();
    units
}

fn a_healthy_workspace_has_no_real_difference(layout: Layout) {
    for name in ["build-scripts", "paths", "proc-macro"] {
        let checkout = Checkout::of(name, layout);
        let units = checkout.build().summary().units;
        let look = || {
            let target = files_below(&checkout.target()).into_iter();
            let target = target.map(|file| (std::fs::read(&file).unwrap(), modified(&file), file));
            let cache = files_below(&checkout.cache).into_iter();
            let cache = cache.map(|file| (std::fs::read(&file).unwrap(), file));
            (target.collect::<Vec<_>>(), cache.collect::<Vec<_>>())
        };
        let before = look();
        let ran = audit(&checkout, &["--all"]).successful();
        assert!(look() == before, "something was written:\n{ran}");
        assert_eq!(real(&ran), [""; 0], "{ran}");
        assert_eq!(figure(&ran, "units built again"), units, "{ran}");
        let judged = ["same", "benign", "unproven"].map(|word| figure(&ran, word));
        assert_eq!(judged.iter().sum::<usize>(), units, "{ran}");
        assert!(judged[0] > 0 && judged[1] > 0, "{ran}");
        // A C compiler's test file is what one script leaves as it was.
        assert!(judged[2] <= 1, "{ran}");
        checkout.build_compiles_nothing();
        checkout.referee();
    }
}

fn findings_as_json(layout: Layout) {
    let checkout = Checkout::of("members", layout);
    let empty = findings(&checkout, &[]);
    assert_eq!(
        (&empty["recorded"], &empty["units"]),
        (&0.into(), &Value::Array(vec![]))
    );
    checkout.build();
    let found = findings(&checkout, &["--sample", "2", "--seed", "7", "-p", "app"]);
    assert_eq!((&found["seed"], &found["recorded"]), (&7.into(), &5.into()));
    assert_eq!(found["command"], "build -p app");
    assert_eq!(found["units"].as_array().unwrap().len(), 2);
    let found = findings(&checkout, &["--all"]);
    assert_eq!(found["seed"], Value::Null);
    let counts = ["same", "benign", "unproven", "real"].map(|class| {
        let count = found["counts"][class].as_u64().unwrap();
        let units = found["units"].as_array().unwrap().iter();
        assert_eq!(
            units.filter(|unit| unit["class"] == class).count() as u64,
            count
        );
        count
    });
    assert_eq!((counts.iter().sum::<u64>(), counts[3]), (5, 0), "{found:#}");
    assert!(counts[0] > 0 && counts[1] > 0, "{found:#}");
}

/// Restored in another checkout, whose name has another length.
fn another_checkout_is_no_real_difference(layout: Layout) {
    let first = Checkout::of("proc-macro", layout);
    first.build();
    let second = first.second("another-checkout/of-it/ws");
    second.build_compiles_nothing();
    let ran = audit(&second, &["--all"]).successful();
    assert_eq!(figure(&ran, "units built again"), 3, "{ran}");
    assert_eq!(real(&ran), [""; 0], "{ran}");
}

/// After an edit rustc took over what it could from the session before.
fn an_incremental_build_is_no_real_difference(layout: Layout) {
    let checkout = Checkout::of("members", layout);
    checkout.build();
    checkout.replace("leaf/src/lib.rs", "= 1", "= 2");
    assert_eq!(checkout.build().compiled(), 3);
    let ran = audit(&checkout, &["--all", "-v"]).successful();
    assert_eq!(figure(&ran, "units built again"), 5, "{ran}");
    assert_eq!(real(&ran), [""; 0], "{ran}");
}

/// A workspace in which a build script and a macro read a file of which cargo
/// does not know.
fn blind(layout: Layout) -> Checkout {
    let manifest = |name: &str, rest: &str| {
        format!("[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2021\"\n{rest}")
    };
    let read = "std::fs::read_to_string(concat!(env!(\"CARGO_MANIFEST_DIR\"), \"/../secret\"))";
    let files = [
        (
            "Cargo.toml",
            "[workspace]\nresolver = \"2\"\nmembers = [\"app\", \"gen\", \"mac\", \"num\"]\n".to_owned(),
        ),
        ("secret", "11".to_owned()),
        ("mac/Cargo.toml", manifest("mac", "[lib]\nproc-macro = true\n")),
        (
            "mac/src/lib.rs",
            format!(
                "#[proc_macro]\npub fn secret(_: proc_macro::TokenStream) -> proc_macro::TokenStream {{\n\
                 {read}.unwrap().trim().parse().unwrap()\n}}\n"
            ),
        ),
        (
            "num/Cargo.toml",
            manifest("num", "[dependencies]\nmac = { path = \"../mac\" }\n"),
        ),
        // Only in crate metadata, which names the directory as well.
        (
            "num/build.rs",
            "fn main() {\n    println!(\"cargo:rerun-if-changed=build.rs\");\n    \
             let dir = std::env::var(\"OUT_DIR\").unwrap();\n    \
             std::fs::write(dir + \"/a.rs\", \"pub const A: u32 = 1;\").unwrap();\n}\n"
                .to_owned(),
        ),
        (
            "num/src/lib.rs",
            "include!(concat!(env!(\"OUT_DIR\"), \"/a.rs\"));\npub const N: u32 = mac::secret!();\n"
                .to_owned(),
        ),
        ("gen/Cargo.toml", manifest("gen", "")),
        (
            "gen/build.rs",
            format!(
                "fn main() {{\n    println!(\"cargo:rerun-if-changed=build.rs\");\n    \
                 let dir = std::env::var(\"OUT_DIR\").unwrap();\n    \
                 std::fs::write(dir + \"/secret\", {read}.unwrap()).unwrap();\n}}\n"
            ),
        ),
        (
            "gen/src/lib.rs",
            "pub const GEN: &str = include_str!(concat!(env!(\"OUT_DIR\"), \"/secret\"));\n"
                .to_owned(),
        ),
        (
            "app/Cargo.toml",
            manifest(
                "app",
                "[dependencies]\ngen = { path = \"../gen\" }\nnum = { path = \"../num\" }\n",
            ),
        ),
        (
            "app/src/main.rs",
            "fn main() {\n    println!(\"{} {} {}\", gen::GEN, num::A, num::N);\n}\n".to_owned(),
        ),
    ];
    let files: Vec<(&str, &str)> = files
        .iter()
        .map(|(path, text)| (*path, text.as_str()))
        .collect();
    Checkout::with_files(layout, &files)
}

fn a_real_difference_is_named(layout: Layout) {
    let checkout = blind(layout);
    checkout.build();
    let ran = audit(&checkout, &["--all"]).successful();
    assert_eq!(figure(&ran, "real"), 0, "{ran}");

    checkout.write("secret", "22");
    checkout.build_compiles_nothing();
    let ran = audit(&checkout, &["--all", "-v"]);
    assert_eq!(ran.status.code(), Some(1), "{ran}");
    // Those that read it, not what rests on them. A constant in crate metadata
    // alone cannot be told from tables in another order.
    assert_eq!(real(&ran), ["gen 0.1.0 (build script run)"], "{ran}");
    assert_eq!(figure(&ran, "real"), 1, "{ran}");
    assert_eq!(figure(&ran, "unproven"), 1, "{ran}");
    let named = |line: &str| line.contains("unproven") && line.contains("num 0.1.0 (lib)");
    assert!(format!("{ran}").lines().any(named), "{ran}");
    let found = findings(&checkout, &["--all"]);
    let units = found["units"].as_array().unwrap().iter();
    let real: Vec<_> = units.filter(|unit| unit["class"] == "real").collect();
    assert_eq!(real[0]["title"], "gen 0.1.0 (build script run)");
    assert_eq!(
        (real.len(), &real[0]["differences"][0]["kind"]),
        (1, &"real".into())
    );
    checkout.write("secret", "11");
    audit(&checkout, &["--all"]).successful();
}

fn a_sample_is_a_part(layout: Layout) {
    let checkout = Checkout::of("members", layout);
    checkout.build();
    let ran = audit(&checkout, &["--sample", "2", "--seed=7", "-p", "app"]).successful();
    assert_eq!(figure(&ran, "units built again"), 2, "{ran}");
    assert!(ran.stdout.contains("of a sample of 5 (--seed 7)"), "{ran}");
    let again = audit(&checkout, &["--seed", "7", "--sample=2", "-p", "app"]).successful();
    assert_eq!(again.stdout, ran.stdout);
    // What is to be restored counts as well; what has to be compiled does not.
    checkout.remove_target();
    checkout.replace("mid/src/lib.rs", "+ 2", "+ 3");
    let ran = audit(&checkout, &["--sample", "100"]).successful();
    assert_eq!(figure(&ran, "units built again"), 3, "{ran}");
    assert!(
        ran.stdout.contains("; 2 are not recorded or out of date"),
        "{ran}"
    );
    assert!(!checkout.target().exists());
}

/// Separate directories, as the configuration has them.
fn another_build_directory(layout: Layout) {
    let mut checkout = Checkout::of("members", layout);
    checkout.set_env("CARGO_TARGET_DIR", "elsewhere");
    checkout.set_env("CARGO_BUILD_BUILD_DIR", "between");
    checkout.build();
    let ran = audit(&checkout, &["--all"]).successful();
    assert_eq!(figure(&ran, "units built again"), 5, "{ran}");
    assert_eq!(real(&ran), [""; 0], "{ran}");
    checkout.build_compiles_nothing();
}

#[test]
fn what_cannot_be_done_is_said() {
    let checkout = Checkout::of("members", Layout::Spread);
    let ran = audit(&checkout, &[]).successful();
    assert!(ran.stdout.contains("build it first"), "{ran}");
    checkout.build();
    for wrong in [&["--sample", "some"][..], &["--all", "--seed", "1"]] {
        let ran = audit(&checkout, wrong);
        assert_eq!(ran.status.code(), Some(1), "{ran}");
        assert!(ran.stdout.is_empty() && !ran.stderr.is_empty(), "{ran}");
    }
    // A target that is not recorded and does not compile.
    checkout.write("app/src/bin/broken.rs", "fn main() { nothing }");
    let ran = audit(&checkout, &["--all"]);
    assert_eq!(ran.status.code(), Some(1), "{ran}");
    assert!(ran.stderr.contains("cannot find value `nothing`"), "{ran}");
}

/// Whoever ends it leaves nothing behind.
#[cfg(unix)]
#[test]
fn an_audit_that_is_ended_cleans_up() {
    use std::process::{Command, Stdio};
    let checkout = Checkout::of("build-scripts", Layout::Spread);
    checkout.build();
    let temp = checkout.base().join("temp");
    std::fs::create_dir_all(&temp).unwrap();
    let mut command = checkout.zbuild_command(&["audit", "--all"]);
    command.env("TMPDIR", &temp).stdin(Stdio::null());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    while temp.read_dir().unwrap().next().is_none() {
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    let mut kill = Command::new("kill");
    kill.arg("-TERM").arg(child.id().to_string());
    assert!(kill.status().unwrap().success());
    let ran = Ran::finish("audit".to_owned(), child);
    assert_eq!(ran.status.code(), Some(1), "{ran}");
    assert!(ran.stderr.contains("interrupted"), "{ran}");
    let left: Vec<_> = temp.read_dir().unwrap().collect();
    assert!(left.is_empty(), "{left:?}\n{ran}");
    checkout.build_compiles_nothing();
}

in_both_layouts!(
    a_healthy_workspace_has_no_real_difference,
    another_checkout_is_no_real_difference,
    an_incremental_build_is_no_real_difference,
    a_real_difference_is_named,
    a_sample_is_a_part,
    another_build_directory,
    findings_as_json,
);
