//! `-q` prints nothing but errors, and whatever says how cargo talks says it to
//! us as well: flags, `CARGO_TERM_*`, `NO_COLOR`, `[term]`.
#![allow(clippy::unwrap_used)] // a test may panic

mod common;

use common::{Checkout, Layout, Ran};

/// The three ways in which a build ends: cargo started, restored, all there.
#[track_caller]
fn each_way(checkout: &Checkout, args: &[&str], look: impl Fn(&Ran)) {
    look(&checkout.zbuild(args).successful());
    checkout.remove_target();
    look(&checkout.zbuild(args).successful());
    look(&checkout.zbuild(args).successful());
    checkout.remove_target();
    std::fs::remove_dir_all(&checkout.cache).unwrap();
}

#[track_caller]
fn is_silent(ran: &Ran) {
    assert_eq!(
        (ran.stdout.as_str(), ran.stderr.as_str()),
        ("", ""),
        "{ran}"
    );
}

#[test]
fn quiet_is_quiet() {
    let mut checkout = Checkout::of("targets", Layout::Spread);
    each_way(&checkout, &["-q"], is_silent);
    each_way(&checkout, &["check", "--quiet", "--all-targets"], is_silent);
    each_way(&checkout, &["test", "--no-run", "-q"], is_silent);
    checkout.set_env("CARGO_TERM_QUIET", "true");
    each_way(&checkout, &[], is_silent);
    // A flag goes before a variable, and a variable before a file.
    each_way(&checkout, &["-v"], |ran| assert!(ran.summary().units > 0));
    checkout.unset_env("CARGO_TERM_QUIET");
    checkout.write(".cargo/config.toml", "[term]\nquiet = true\n");
    each_way(&checkout, &[], is_silent);
    checkout.set_env("CARGO_TERM_QUIET", "false");
    each_way(&checkout, &[], |ran| assert!(ran.summary().units > 0));
    checkout.unset_env("CARGO_TERM_QUIET");
    // Errors are shown.
    checkout.append("src/lib.rs", "fn wrong() -> u8 { \"text\" }\n");
    let ran = checkout.zbuild(&["-q"]);
    assert!(
        ran.stderr.contains("E0308") && !ran.status.success(),
        "{ran}"
    );
    assert_eq!(ran.zbuild_lines().count(), 0, "{ran}");
}

#[test]
fn verbose_by_configuration() {
    let checkout = Checkout::of("targets", Layout::Spread);
    checkout.write(".cargo/config.toml", "[term]\nverbose = true\n");
    checkout.zbuild(&[]).successful();
    let there = checkout.zbuild(&[]).successful();
    let phases = |line: &str| line.starts_with("plan ");
    assert!(there.zbuild_lines().any(phases), "{there}");
    assert_eq!(
        there.stderr_of_cargo(),
        checkout.cargo(&["build"]).stderr_of_cargo()
    );
    let quiet = checkout.zbuild(&["-q"]).successful();
    is_silent(&quiet);
}

/// stderr is no terminal here: no colours and no bar, unless asked for.
#[test]
fn colours_and_progress_follow_cargo() {
    let mut checkout = Checkout::of("targets", Layout::Spread);
    let plain = |ran: &Ran| assert!(!ran.stderr.contains(['\x1b', '\r']), "{ran}");
    let coloured = |ran: &Ran| assert!(ran.stderr.contains("\x1b["), "{ran}");
    each_way(&checkout, &[], plain);
    each_way(&checkout, &["--color=always"], coloured);
    checkout.set_env("NO_COLOR", "1");
    each_way(&checkout, &[], plain);
    checkout.set_env("CARGO_TERM_COLOR", "always");
    each_way(&checkout, &["--color=never"], plain);
    each_way(&checkout, &[], coloured);
    checkout.unset_env("CARGO_TERM_COLOR");
    checkout.write(".cargo/config.toml", "[term]\ncolor = \"always\"\n");
    each_way(&checkout, &[], coloured);
    checkout.set_env("CARGO_TERM_COLOR", "never");
    checkout.set_env("CARGO_TERM_PROGRESS_WHEN", "never");
    each_way(&checkout, &[], plain);
    // cargo's bar, if one asks for it even under `-q`; nothing of ours.
    checkout.set_env("CARGO_TERM_PROGRESS_WHEN", "always");
    checkout.set_env("CARGO_TERM_PROGRESS_WIDTH", "80");
    each_way(&checkout, &["-q"], |ran| {
        let ours = ["zbuild", "Restoring", "Recording", "Finished"];
        assert!(!ours.iter().any(|word| ran.stderr.contains(word)), "{ran}");
    });
}

/// Nothing stands before cargo's own lines, ever.
#[test]
fn there_is_no_banner() {
    let checkout = Checkout::of("targets", Layout::Spread);
    each_way(&checkout, &[], |ran| {
        let first = ran.stderr.lines().next().unwrap();
        assert!(first.starts_with("   "), "{ran}");
        assert_eq!(ran.zbuild_lines().count(), 1, "{ran}");
    });
}
