//! The report of `--timings`: written by real builds, read as a tool reads it
//! and, where Chromium is on PATH, as a browser does.
#![allow(clippy::unwrap_used)] // a test may panic

#[macro_use]
mod common;

use std::path::PathBuf;
use std::process::Command;

use common::{Checkout, Layout, Ran};
use serde_json::Value;

fn page(checkout: &Checkout) -> PathBuf {
    checkout.target().join("zbuild-timings/zbuild-timing.html")
}

/// The JSON beside the page; the page must hold the same.
#[track_caller]
fn report(checkout: &Checkout) -> Value {
    let page = page(checkout);
    let json = std::fs::read_to_string(page.with_extension("json")).unwrap();
    let json: Value = serde_json::from_str(&json).unwrap();
    let html = std::fs::read_to_string(&page).unwrap();
    let (_, data) = html.split_once("id=\"data\">").unwrap();
    let (data, _) = data.split_once("</script>").unwrap();
    assert_eq!(serde_json::from_str::<Value>(data).unwrap(), json);
    assert_eq!(json["version"], 1);
    json
}

#[track_caller]
fn fates(report: &Value) -> Vec<(&str, &str)> {
    let units = report["units"].as_array().unwrap();
    let mut fates: Vec<(&str, &str)> = units
        .iter()
        .map(|unit| {
            let text = |name: &str| unit[name].as_str().unwrap();
            (text("package"), text("fate"))
        })
        .collect();
    fates.sort_unstable();
    fates
}

fn a_report_is_written_with_and_without_cargo(layout: Layout) {
    let checkout = Checkout::of("members", layout).args(&["--timings"]);
    let ran = checkout.zbuild(&["--timings"]).successful();
    let said = format!("timing report saved to {}", page(&checkout).display());
    assert!(ran.zbuild_lines().any(|line| line == said), "{ran}");
    let cold = report(&checkout);
    assert!(fates(&cold).iter().all(|(_, fate)| *fate == "compiled"));
    // cargo ran, so its own report is there as well.
    let own = cold["cargo_report"].as_str().unwrap();
    let dir = page(&checkout).parent().unwrap().to_owned();
    assert!(dir.join(own).is_file(), "{own}");
    let total = cold["plain_cargo"]["total_ms"].as_u64().unwrap();
    let critical = cold["plain_cargo"]["critical_ms"].as_u64().unwrap();
    assert!(critical > 0 && total >= critical, "{cold:#}");
    for unit in cold["units"].as_array().unwrap() {
        assert!(
            unit["begun_ms"].is_u64() && unit["build_ms"].is_u64(),
            "{unit:#}"
        );
        assert!(unit["bytes"].as_u64().unwrap() > 0, "{unit:#}");
    }

    std::fs::remove_dir_all(checkout.target().join("cargo-timings")).unwrap();
    let ran = checkout.zbuild(&["--timings"]).successful();
    assert_eq!(ran.stdout, "");
    let warm = report(&checkout);
    assert!(fates(&warm).iter().all(|(_, fate)| *fate == "in_place"));
    assert_eq!(warm["plain_cargo"]["total_ms"], 0);
    assert_eq!(warm["cargo_report"], Value::Null);
    assert!(
        !checkout.target().join("cargo-timings").exists(),
        "cargo is not started for its report alone"
    );

    checkout.remove_target();
    checkout.zbuild(&["--timings"]).successful();
    let restored = report(&checkout);
    assert!(fates(&restored).iter().all(|(_, fate)| *fate == "restored"));
    assert!(restored["plain_cargo"]["total_ms"].as_u64().unwrap() > 0);
    assert_eq!(restored["hit_rate"], 1.0);

    checkout.replace("leaf/src/lib.rs", "= 1", "= 2");
    checkout.zbuild(&["--timings"]).successful();
    let edited = report(&checkout);
    let expected = [
        ("app", "compiled"),
        ("itoa", "in_place"),
        ("leaf", "compiled"),
        ("mid", "compiled"),
        ("util", "in_place"),
    ];
    assert_eq!(fates(&edited), expected);
    let units = edited["units"].as_array().unwrap();
    let leaf = units.iter().find(|unit| unit["package"] == "leaf").unwrap();
    assert_eq!(leaf["code"], "input");
    assert!(leaf["reason"].as_str().unwrap().contains("leaf/src/lib.rs"));
    // The builds that did something; the last one is this.
    let history = edited["history"].as_array().unwrap();
    assert_eq!(history.len(), 3, "{history:#?}");
    assert_eq!(history.last(), Some(&edited["build"]));
    checkout.referee();
}

in_both_layouts!(a_report_is_written_with_and_without_cargo);

/// A value of `--timings` is cargo's affair.
#[test]
fn what_cargo_refuses_is_refused() {
    let checkout = Checkout::of("warnings", Layout::Spread);
    checkout.zbuild(&[]).successful();
    let plain = checkout.cargo(&["build", "--timings=nonsense"]);
    let ours = checkout.zbuild(&["--timings=nonsense"]);
    assert_eq!(ours.status.code(), plain.status.code(), "{ours}");
    assert!(!plain.status.success());
}

#[test]
fn a_browser_renders_the_report_without_an_error() {
    let checkout = Checkout::of("members", Layout::Spread);
    checkout.zbuild(&["--timings"]).successful();
    checkout.append("leaf/src/lib.rs", "// changed\n");
    for round in 0..2 {
        // Something compiled, then nothing to do.
        checkout.zbuild(&["--timings"]).successful();
        let units = report(&checkout)["units"].as_array().unwrap().len();
        assert_eq!(units, 5, "round {round}");
        if let Some(dom) = rendered(&checkout) {
            let done = format!("data-rendered=\"{units}\"");
            assert!(dom.stdout.contains(&done), "{}", dom.stderr);
            let complaint = |line: &&str| line.contains("CONSOLE");
            let complaints: Vec<&str> = dom.stderr.lines().filter(complaint).collect();
            assert!(complaints.is_empty(), "{complaints:#?}");
        }
    }
}

/// What Chromium makes of the page; none if there is no Chromium.
fn rendered(checkout: &Checkout) -> Option<Ran> {
    let mut command = Command::new("chromium");
    command.arg("--version");
    command
        .output()
        .ok()
        .filter(|output| output.status.success())?;
    let mut command = checkout.command("chromium");
    command.args([
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--enable-logging=stderr",
        "--dump-dom",
    ]);
    let profile = checkout.base().join("browser");
    command.arg(format!("--user-data-dir={}", profile.display()));
    command.arg(format!("file://{}", page(checkout).display()));
    Some(Ran::of(command).successful())
}
