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
        // What a script left as it was it makes by itself elsewhere.
        assert_eq!(judged[2], 0, "{ran}");
        checkout.build_compiles_nothing();
        checkout.referee();
    }
}

const CLASSES: [&str; 5] = ["same", "benign", "unsteady", "unproven", "real"];

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
    let counts = CLASSES.map(|class| {
        let count = found["counts"][class].as_u64().unwrap();
        let units = found["units"].as_array().unwrap().iter();
        assert_eq!(
            units.filter(|unit| unit["class"] == class).count() as u64,
            count
        );
        count
    });
    assert_eq!((counts.iter().sum::<u64>(), counts[4]), (5, 0), "{found:#}");
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

/// A manifest of a package in a test's workspace.
fn manifest(name: &str, rest: &str) -> String {
    format!("[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2021\"\n{rest}")
}

/// A workspace in which a build script and a macro read a file of which cargo
/// does not know.
fn blind(layout: Layout) -> Checkout {
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
    with_files(layout, &files)
}

fn with_files(layout: Layout, files: &[(&str, String)]) -> Checkout {
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

/// A workspace in which the directory's name and the time go into what is
/// built, and beside them a file of which cargo does not know.
fn noisy(layout: Layout) -> Checkout {
    let secret =
        "std::fs::read_to_string(concat!(env!(\"CARGO_MANIFEST_DIR\"), \"/../secret\")).unwrap()";
    let now = "std::time::UNIX_EPOCH.elapsed().unwrap().as_nanos() as u64";
    // As long in every encoding.
    let hash = "{ use std::hash::{Hash, Hasher}; \
                let mut hasher = std::hash::DefaultHasher::new(); \
                std::env::var(\"OUT_DIR\").unwrap().hash(&mut hasher); \
                hasher.finish() >> 8 | 1 << 55 }";
    let script = |text: &str| {
        format!(
            "fn main() {{\n    println!(\"cargo:rerun-if-changed=build.rs\");\n    \
             let dir = std::env::var(\"OUT_DIR\").unwrap();\n    \
             std::fs::write(dir + \"/a.rs\", {text}).unwrap();\n}}\n"
        )
    };
    let include = "include!(concat!(env!(\"OUT_DIR\"), \"/a.rs\"));\n";
    let with_mac = "[dependencies]\nmac = { path = \"../mac\" }\n";
    let files = [
        (
            "Cargo.toml",
            "[workspace]\nresolver = \"2\"\nmembers = [\"clock\", \"hash\", \"mac\", \"now\"]\n"
                .to_owned(),
        ),
        ("secret", "11".to_owned()),
        (
            "mac/Cargo.toml",
            manifest("mac", "[lib]\nproc-macro = true\n"),
        ),
        (
            "mac/src/lib.rs",
            format!(
                "use proc_macro::TokenStream;\n\
                 #[proc_macro]\npub fn secret(_: TokenStream) -> TokenStream {{\n    \
                 {secret}.trim().parse().unwrap()\n}}\n\
                 #[proc_macro]\npub fn dir(_: TokenStream) -> TokenStream {{\n    \
                 format!(\"{{:#018x}}\", {hash}).parse().unwrap()\n}}\n\
                 #[proc_macro]\npub fn now(_: TokenStream) -> TokenStream {{\n    \
                 ({now}).to_string().parse().unwrap()\n}}\n"
            ),
        ),
        ("hash/Cargo.toml", manifest("hash", with_mac)),
        (
            "hash/build.rs",
            script(&format!(
                "format!(\"pub const D: u64 = {{:#018x}};\\n\", {hash})"
            )),
        ),
        (
            "hash/src/lib.rs",
            format!(
                "{include}pub const H: u64 = mac::dir!();\npub const N: u32 = mac::secret!();\n"
            ),
        ),
        ("clock/Cargo.toml", manifest("clock", "")),
        (
            "clock/build.rs",
            script(&format!(
                "format!(\"pub const T: u64 = {{}};\\npub const S: u32 = {{}};\\n\", {now}, {secret})"
            )),
        ),
        ("clock/src/lib.rs", include.to_owned()),
        ("now/Cargo.toml", manifest("now", with_mac)),
        (
            "now/src/lib.rs",
            "pub const NOW: u64 = mac::now!();\n".to_owned(),
        ),
    ];
    with_files(layout, &files)
}

/// The kinds of differences of a unit, each once.
fn kinds(found: &Value, title: &str) -> Vec<String> {
    let units = found["units"].as_array().unwrap();
    let unit = units.iter().find(|unit| unit["title"] == title).unwrap();
    let all = unit["differences"].as_array().unwrap().iter();
    let mut kinds: Vec<String> = all
        .map(|difference| difference["kind"].as_str().unwrap().to_owned())
        .collect();
    kinds.sort_unstable();
    kinds.dedup();
    kinds
}

fn noise_is_told_from_what_was_read(layout: Layout) {
    let checkout = noisy(layout);
    checkout.build();
    let found = findings(&checkout, &["--all"]);
    assert_eq!(kinds(&found, "hash 0.1.0 (lib)"), ["control"], "{found:#}");
    assert_eq!(kinds(&found, "hash 0.1.0 (build script run)"), ["control"]);
    for unit in ["clock 0.1.0 (build script run)", "now 0.1.0 (lib)"] {
        let kinds = kinds(&found, unit);
        assert!(kinds.contains(&"unsteady".to_owned()), "{unit}: {kinds:?}");
    }
    let counts = &found["counts"];
    assert_eq!(
        (&counts["unsteady"], &counts["unproven"], &counts["real"]),
        (&2.into(), &0.into(), &0.into()),
        "{found:#}"
    );

    // The same noise, and something else beside it.
    checkout.write("secret", "22");
    checkout.build_compiles_nothing();
    let ran = audit(&checkout, &["--all", "-v"]);
    assert_eq!(ran.status.code(), Some(1), "{ran}");
    assert_eq!(real(&ran), ["clock 0.1.0 (build script run)"], "{ran}");
    let line = |line: &str| line.starts_with("real: ") && line.ends_with("/a.rs: line 2");
    assert!(ran.stdout.lines().any(line), "{ran}");
    let hash = |line: &str| line.starts_with("unproven: hash 0.1.0 (lib)");
    assert!(ran.stdout.lines().any(hash), "{ran}");
    assert_eq!(figure(&ran, "unproven"), 1, "{ran}");
    assert_eq!(figure(&ran, "unsteady"), 1, "{ran}");
}

/// rustc looks at every library whose name begins like that of a macro it searches,
/// and orders what it keeps of links in documentation by all names it has seen.
fn what_was_built_before_is_no_real_difference(layout: Layout) {
    let links: Vec<String> = (0..24)
        .map(|at| {
            format!(
                "/// [`crate::Item{at}`], [`Self::nothing{at}`] and [a page](https://{at}.test).\n"
            )
        })
        .collect();
    let items: Vec<String> = (0..24)
        .map(|at| format!("pub struct Item{at};\n"))
        .collect();
    let top = format!(
        "{}pub struct Linked;\n{}pub const N: u32 = mid::leaf!();\npub use mid::mid;\n",
        links.concat(),
        items.concat()
    );
    let depends = |on: &str| format!("[dependencies]\n{on} = {{ path = \"../{on}\" }}\n");
    let files = [
        (
            "Cargo.toml",
            "[workspace]\nresolver = \"2\"\nmembers = [\"leaf\", \"leaf_extra\", \"mid\", \"top\"]\n"
                .to_owned(),
        ),
        ("leaf/Cargo.toml", manifest("leaf", "[lib]\nproc-macro = true\n")),
        (
            "leaf/src/lib.rs",
            "#[proc_macro]\npub fn leaf(_: proc_macro::TokenStream) -> proc_macro::TokenStream {\n    \
             let secret = concat!(env!(\"CARGO_MANIFEST_DIR\"), \"/../secret\");\n    \
             std::fs::read_to_string(secret).unwrap().trim().parse().unwrap()\n}\n"
                .to_owned(),
        ),
        ("secret", "11".to_owned()),
        ("leaf_extra/Cargo.toml", manifest("leaf_extra", "")),
        ("leaf_extra/src/lib.rs", "pub fn extra() {}\n".to_owned()),
        ("mid/Cargo.toml", manifest("mid", &depends("leaf"))),
        ("mid/src/lib.rs", "pub use leaf::leaf;\npub fn mid() {}\n".to_owned()),
        ("top/Cargo.toml", manifest("top", &depends("mid"))),
        ("top/src/lib.rs", top),
    ];
    let mut checkout = with_files(layout, &files);
    // A macro that is asked for itself would be another one.
    let both = ["-p", "top", "-p", "leaf_extra"];
    checkout.set_args(&both[..2]);
    assert_eq!(checkout.build().compiled(), 3);
    checkout.set_args(&both);
    assert_eq!(checkout.build().compiled(), 1);
    let found = findings(&checkout, &[&["--all"][..], &both].concat());
    let expected = match layout {
        // Every library has a directory of its own.
        Layout::PerUnit => vec!["session"],
        Layout::Spread => vec!["reproduced"],
    };
    assert_eq!(kinds(&found, "top 0.1.0 (lib)"), expected, "{found:#}");
    assert_eq!(
        found["counts"]["same"].as_u64().unwrap() + found["counts"]["benign"].as_u64().unwrap(),
        4
    );

    // What no cargo knows of is not hidden by it.
    checkout.write("secret", "22");
    let found = findings(&checkout, &[&["--all"][..], &both].concat());
    assert_eq!(kinds(&found, "top 0.1.0 (lib)"), ["unproven"], "{found:#}");
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
    noise_is_told_from_what_was_read,
    what_was_built_before_is_no_real_difference,
);
