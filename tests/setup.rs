//! `cargo zbuild setup`: `cargo b` is ours afterwards, and everything else in
//! the configuration is as it was.
#![allow(clippy::unwrap_used)] // a test may panic

mod common;

use std::path::PathBuf;

use common::{Checkout, Layout};

/// A checkout with a cargo home of its own.
fn with_own_home() -> (Checkout, PathBuf) {
    let mut checkout = Checkout::of("targets", Layout::Spread);
    let home = checkout.base().join("cargo-home");
    std::fs::create_dir_all(&home).unwrap();
    checkout.set_env("CARGO_HOME", &home);
    (checkout, home)
}

/// `cargo b` and the like, through cargo.
#[track_caller]
fn short_names_are_ours(checkout: &Checkout) {
    let names: &[(&[&str], bool)] = &[
        (&["b"], true),
        (&["c"], true),
        (&["t", "--no-run"], true),
        (&["r", "--bin=targets-cli"], true),
        (&["build"], false),
    ];
    for (args, ours) in names {
        let ran = checkout.cargo(args).successful();
        assert_eq!(ran.summary_within().is_some(), *ours, "{ran}");
        assert!(!ran.stderr.contains("shadow"), "{ran}");
    }
}

#[track_caller]
fn short_names_are_cargos(checkout: &Checkout) {
    for args in [
        &["b"][..],
        &["c"],
        &["t", "--no-run"],
        &["r", "--bin=targets-cli"],
    ] {
        let ran = checkout.cargo(args).successful();
        assert_eq!(ran.zbuild_lines().count(), 0, "{ran}");
    }
}

#[test]
fn in_the_users_configuration() {
    let (checkout, home) = with_own_home();
    let file = home.join("config.toml");
    short_names_are_cargos(&checkout);
    let set = checkout.zbuild(&["setup"]).successful();
    assert_eq!(set.stdout, "");
    assert!(set.stderr.contains(&file.display().to_string()), "{set}");
    assert!(
        set.stderr.contains("b = \"zbuild\"") && set.stderr.contains("r = "),
        "{set}"
    );
    short_names_are_ours(&checkout);
    let again = checkout.zbuild(&["setup"]).successful();
    assert!(again.stderr.contains("nothing to change"), "{again}");
    let undone = checkout.zbuild(&["setup", "--undo"]).successful();
    assert!(undone.stderr.contains("removed from"), "{undone}");
    assert!(!file.exists());
    short_names_are_cargos(&checkout);
}

#[test]
fn in_the_workspaces_configuration() {
    let (mut checkout, home) = with_own_home();
    let text = "# ours\n[build] # as we like it\njobs = 2\n\n[alias]\n# tests of mine\nt = [\"test\", \"--lib\"]\n\n[term]\nverbose = false\n";
    checkout.write(".cargo/config.toml", text);
    // From anywhere in the workspace.
    checkout.dir = checkout.path("src");
    let set = checkout.zbuild(&["setup", "--workspace"]).successful();
    assert!(set.stderr.contains("left alone: t = "), "{set}");
    let with = checkout.read(".cargo/config.toml");
    for line in text.lines() {
        assert!(with.lines().any(|other| other == line), "{line}: {with}");
    }
    checkout.dir = checkout.path("");
    let built = checkout.cargo(&["b"]).successful();
    assert!(built.summary().units > 0, "{built}");
    let tested = checkout.cargo(&["t", "--no-run"]).successful();
    assert_eq!(tested.zbuild_lines().count(), 0, "{tested}");
    assert!(!home.join("config.toml").exists());
    checkout
        .zbuild(&["setup", "--workspace", "--undo"])
        .successful();
    assert_eq!(checkout.read(".cargo/config.toml"), text);
}

/// The file may be somewhere else, and have rights of its own.
#[cfg(unix)]
#[test]
fn a_link_stays_a_link() {
    use std::os::unix::fs::PermissionsExt;
    let (checkout, home) = with_own_home();
    let real = checkout.base().join("dotfiles.toml");
    std::fs::write(&real, "[net]\nretry = 3\n").unwrap();
    std::fs::set_permissions(&real, std::fs::Permissions::from_mode(0o600)).unwrap();
    std::os::unix::fs::symlink(&real, home.join("config.toml")).unwrap();
    checkout.zbuild(&["setup", "--user"]).successful();
    let text = std::fs::read_to_string(&real).unwrap();
    assert!(
        text.starts_with("[net]\nretry = 3\n") && text.contains("zbuild test"),
        "{text}"
    );
    assert_eq!(
        std::fs::metadata(&real).unwrap().permissions().mode() & 0o777,
        0o600
    );
    assert!(home.join("config.toml").is_symlink());
}

/// What cannot be done is said, and nothing is changed.
#[test]
fn what_is_wrong_is_left_alone() {
    let (mut checkout, home) = with_own_home();
    let file = home.join("config.toml");
    std::fs::write(&file, "alias = \"b\"\n").unwrap();
    checkout.with_cargo = Some(which_cargo());
    let ran = checkout.zbuild(&["setup"]);
    assert_eq!(ran.status.code(), Some(1), "{ran}");
    assert!(ran.stderr.contains("config.toml"), "{ran}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "alias = \"b\"\n");
    checkout.dir = checkout.base();
    let ran = checkout.zbuild(&["setup", "--workspace"]);
    assert_eq!(ran.status.code(), Some(1), "{ran}");
    assert!(ran.stderr.contains("could not find `Cargo.toml`"), "{ran}");
}

/// The cargo on the search path: cargo itself refuses a broken configuration
/// before it starts us.
fn which_cargo() -> PathBuf {
    let name = format!("cargo{}", std::env::consts::EXE_SUFFIX);
    let path = std::env::var_os("PATH").unwrap();
    let mut places = std::env::split_paths(&path).map(|dir| dir.join(&name));
    places.find(|path| path.is_file()).unwrap()
}
