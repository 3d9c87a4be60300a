//! Figures: what `stats`, `--stats` and the journal say of real builds.
#![allow(clippy::unwrap_used)] // a test may panic

#[macro_use]
mod common;

use common::files::files_below;
use common::{Checkout, Layout, Ran};
use serde_json::Value;

#[track_caller]
fn stats(checkout: &Checkout) -> Value {
    let ran = checkout.zbuild(&["stats", "--json"]).successful();
    serde_json::from_str(&ran.stdout).unwrap_or_else(|_| panic!("{ran}"))
}

#[track_caller]
fn figures(record: &Value, names: &[&str]) -> Vec<u64> {
    let figure = |name: &&str| record[*name].as_u64();
    let all = names.iter().map(|name| {
        let missing = || panic!("no {name} in {record:#}");
        figure(name).unwrap_or_else(missing)
    });
    all.collect()
}

fn a_journal_has_a_line_for_every_build(layout: Layout) {
    const NAMES: &[&str] = &["units", "reused", "hits", "misses", "restored"];
    let mut checkout = Checkout::of("members", layout).forget_everything();
    let journal = checkout.base().join("logs/journal.jsonl");
    checkout.set_env("ZBUILD_JOURNAL", &journal);
    let last = || -> Value {
        let text = std::fs::read_to_string(&journal).unwrap();
        serde_json::from_str(text.lines().last().unwrap()).unwrap()
    };
    checkout.build();
    let cold = last();
    assert_eq!(figures(&cold, NAMES), [5, 0, 0, 5, 0]);
    assert_eq!(cold["miss_reasons"]["never_seen"], 2, "{cold:#}");
    assert_eq!(cold["cargo_started"], true);
    assert_eq!(cold["command"], "build -v");
    assert!(cold["bytes_built"].as_u64().unwrap() > 1000, "{cold:#}");

    checkout.build_compiles_nothing();
    let warm = last();
    assert_eq!(figures(&warm, NAMES), [5, 5, 0, 0, 0]);
    assert_eq!(warm["cargo_started"], false);

    checkout.touch("leaf/src/lib.rs");
    checkout.build_compiles_nothing();
    let touched = last();
    assert_eq!(figures(&touched, NAMES), [5, 5, 3, 0, 0]);
    assert!(
        touched["time_saved_ms"].as_u64().unwrap() > 0,
        "{touched:#}"
    );

    checkout.remove_target();
    checkout.build_compiles_nothing();
    let restored = last();
    assert_eq!(figures(&restored, NAMES), [5, 5, 5, 0, 5]);
    assert!(restored["bytes_restored"].as_u64().unwrap() > 1000);
    assert!(restored["plain_cargo_ms"].as_u64().unwrap() > 0);

    checkout.append("mid/src/lib.rs", "pub fn broken( {}\n");
    assert_eq!(checkout.zbuild(&[]).status.code(), Some(101));
    let failed = last();
    assert_eq!(failed["exit_code"], 101);
    let names = ["misses", "troubles"];
    assert_eq!(figures(&failed, &names), [0, 0], "{failed:#}");
    assert_eq!(
        std::fs::read_to_string(&journal).unwrap().lines().count(),
        5
    );
}

fn stats_add_builds_up(layout: Layout) {
    let checkout = Checkout::of("members", layout).forget_everything();
    assert!(
        checkout
            .zbuild(&["stats"])
            .successful()
            .stdout
            .contains("no builds yet")
    );
    assert!(!checkout.cache.exists(), "looking creates nothing");
    checkout.build();
    checkout.build_compiles_nothing();
    checkout.replace("leaf/src/lib.rs", "= 1", "= 2");
    checkout.build();
    let second = checkout.second("elsewhere");
    second.build();

    let seen = stats(&checkout);
    let total = &seen["total"];
    // The build that did nothing leaves no trace.
    assert_eq!(figures(total, &["builds", "misses", "troubles"]), [3, 8, 0]);
    assert_eq!(figures(&seen["last_build"], &["hits", "misses"]), [5, 0]);
    assert_eq!(seen["last_build"]["hit_rate"], 1.0);
    assert_eq!(total["hit_rate"], 0.3846);
    let workspaces = seen["workspaces"].as_array().unwrap();
    let [new, old] = workspaces.as_slice() else {
        panic!("{seen:#}");
    };
    assert!(new["workspace"].as_str().unwrap().ends_with("elsewhere"));
    assert_eq!(figures(old, &["builds", "misses", "hits"]), [2, 8, 0]);

    let text = checkout.zbuild(&["stats"]).successful().stdout;
    assert!(
        text.contains("All 3 builds\n  hits          5 (38.5 %)\n"),
        "{text}"
    );
}

/// A build that did nothing writes nothing.
fn a_build_of_nothing_leaves_the_cache_alone(layout: Layout) {
    let checkout = Checkout::of("members", layout);
    checkout.build();
    // Fresh files are read again until their times are trusted.
    std::thread::sleep(std::time::Duration::from_millis(120));
    checkout.build_compiles_nothing();
    let look = || -> Vec<_> {
        let stamp = |path: &std::path::PathBuf| {
            let meta = std::fs::metadata(path).unwrap();
            (path.clone(), meta.modified().unwrap(), meta.len())
        };
        files_below(&checkout.cache).iter().map(stamp).collect()
    };
    let before = look();
    checkout.build_compiles_nothing();
    assert_eq!(look(), before);
}

in_both_layouts!(
    a_journal_has_a_line_for_every_build,
    stats_add_builds_up,
    a_build_of_nothing_leaves_the_cache_alone,
);

#[test]
fn stats_after_a_build_are_on_stderr_and_quiet_is_quiet() {
    let checkout = Checkout::of("members", Layout::Spread);
    let ran = checkout.zbuild(&["--stats"]).successful();
    assert!(ran.stderr.contains("\n  misses        5\n"), "{ran}");
    assert!(ran.stdout.is_empty(), "{ran}");
    let ran = checkout.zbuild(&["--stats"]).successful();
    assert!(ran.stderr.contains("  hits          0\n"), "{ran}");
    let ran = checkout.zbuild(&["--stats", "-q"]).successful();
    assert_eq!(ran.stderr, "");
}

#[test]
fn builds_at_once_lose_no_line() {
    let checkouts: Vec<Checkout> = {
        let first = Checkout::of("warnings", Layout::Spread);
        let more = (0..3).map(|n| first.second(&format!("copy-{n}")));
        let mut all: Vec<Checkout> = more.collect();
        all.insert(0, first);
        all
    };
    std::thread::scope(|scope| {
        for checkout in &checkouts {
            scope.spawn(move || checkout.zbuild(&[]).successful());
        }
    });
    let builds = stats(&checkouts[0])["total"]["builds"].as_u64();
    // One more is from the cache that all tests begin with.
    assert_eq!(builds, Some(5));
}

#[test]
fn a_journal_that_cannot_be_written_is_one_line() {
    let mut checkout = Checkout::of("warnings", Layout::Spread);
    checkout.set_env("ZBUILD_JOURNAL", checkout.path("Cargo.toml/journal"));
    let ran: Ran = checkout.zbuild(&["-v"]).successful();
    let [line] = ran.troubles()[..] else {
        panic!("{ran}");
    };
    assert!(line.starts_with("could not write "), "{ran}");
}
