//! Settings: files, variables and flags in rising order, and what becomes of
//! mistakes in them. A build must go on whatever a file says.
#![allow(clippy::unwrap_used)] // a test may panic

mod common;

use common::{Checkout, Layout, Ran};
use serde_json::Value;

/// A workspace with a settings directory of the user's own.
fn checkout() -> Checkout {
    let files = [
        ("Cargo.toml", "[package]\nname = \"one\"\n"),
        ("src/lib.rs", ""),
    ];
    let mut checkout = Checkout::with_files(Layout::Spread, &files);
    checkout.set_env("XDG_CONFIG_HOME", checkout.base().join("user"));
    checkout
}

#[cfg(unix)]
fn user_file(checkout: &Checkout, text: &str) {
    let dir = checkout.base().join("user");
    std::fs::create_dir_all(&dir).unwrap();
    std::fs::write(dir.join("zbuild.toml"), text).unwrap();
}

#[track_caller]
fn config(checkout: &Checkout, more: &[&str]) -> Value {
    let ran = checkout.zbuild(&[&["config", "--json"], more].concat());
    serde_json::from_str(&ran.stdout).unwrap_or_else(|_| panic!("{ran}"))
}

#[cfg(unix)]
#[track_caller]
fn origin(checkout: &Checkout, key: &str, more: &[&str]) -> (Value, Value) {
    let config = config(checkout, more);
    let setting = &config["settings"][key];
    (setting["value"].clone(), setting["origin"].clone())
}

/// Whether the build went through our hands.
fn is_ours(ran: &Ran) -> bool {
    ran.zbuild_lines().any(|line| line.contains(" units, "))
}

#[cfg(unix)] // elsewhere the user's directory does not follow the variable
#[test]
fn each_layer_goes_over_the_one_below() {
    let mut checkout = checkout();
    let (value, from) = origin(&checkout, "max-age", &[]);
    let days = 90 * 86_400;
    assert_eq!((value, &from["kind"]), (days.into(), &"default".into()));

    user_file(&checkout, "max-age = '1h'\nmin-free = '5%'\n");
    let (value, from) = origin(&checkout, "max-age", &[]);
    assert_eq!((value, &from["line"]), (3600.into(), &1.into()));
    assert!(
        from["path"].as_str().unwrap().ends_with("user/zbuild.toml"),
        "{from}"
    );

    checkout.write(".config/zbuild.toml", "\nmax-age = '2h'\n");
    let (value, from) = origin(&checkout, "max-age", &[]);
    assert_eq!((value, &from["line"]), (7200.into(), &2.into()));
    let (value, _) = origin(&checkout, "min-free", &[]);
    assert_eq!(value, "5%");

    checkout.set_env("ZBUILD_MAX_AGE", "3h");
    let (value, from) = origin(&checkout, "max-age", &[]);
    assert_eq!(
        (value, &from["name"]),
        (10800.into(), &"ZBUILD_MAX_AGE".into())
    );

    let (value, from) = origin(&checkout, "max-age", &["--zbuild-max-age=4h"]);
    assert_eq!((value, &from["kind"]), (14400.into(), &"flag".into()));

    let shown = checkout.zbuild(&["config"]).successful().stdout;
    let table: toml::Table = shown.parse().unwrap();
    assert_eq!(table["max-age"].as_str(), Some("3h"), "{shown}");
    assert!(shown.contains("($ZBUILD_MAX_AGE)"), "{shown}");
}

#[test]
fn the_workspace_file_holds_from_every_directory_in_it() {
    let checkout = checkout();
    checkout.write(".config/zbuild.toml", "cache-dir = 'own-cache'\n");
    let own = checkout.path("own-cache").to_str().unwrap().to_owned();
    let mut command = checkout.zbuild_command(&["config", "--json"]);
    command.env_remove("ZBUILD_CACHE_DIR");
    command.current_dir(checkout.path("src"));
    let seen: Value = serde_json::from_str(&Ran::of(command).stdout).unwrap();
    assert_eq!(seen["settings"]["cache-dir"]["value"], *own);

    let manifest = checkout.path("Cargo.toml");
    let args = ["config", "--json", "--manifest-path"];
    let mut command = checkout.zbuild_command(&args);
    command.arg(manifest).current_dir(checkout.base());
    command.env_remove("ZBUILD_CACHE_DIR");
    let seen: Value = serde_json::from_str(&Ran::of(command).stdout).unwrap();
    assert_eq!(seen["settings"]["cache-dir"]["value"], *own);

    let mut command = checkout.zbuild_command(&["build"]);
    command.env_remove("ZBUILD_CACHE_DIR");
    assert!(is_ours(&Ran::of(command).healthy()));
    assert!(checkout.path("own-cache").is_dir());
}

#[test]
fn a_file_without_a_manifest_beside_it_is_no_workspace_file() {
    let checkout = checkout();
    let above = checkout.base().join(".config");
    std::fs::create_dir_all(&above).unwrap();
    std::fs::write(above.join("zbuild.toml"), "disable = true\n").unwrap();
    assert!(is_ours(&checkout.build()));
}

#[test]
fn disabled_in_the_file_means_plain_cargo() {
    let mut checkout = checkout();
    checkout.write(".config/zbuild.toml", "disable = true\n");
    let ran = checkout.zbuild(&[]).successful();
    assert!(!is_ours(&ran), "{ran}");
    assert_eq!(ran.troubles(), [""; 0], "{ran}");
    checkout.set_env("ZBUILD_DISABLE", "0");
    assert!(is_ours(&checkout.build()));
    let ran = checkout.zbuild(&["--zbuild-disable"]).successful();
    assert!(!is_ours(&ran), "{ran}");
}

#[test]
fn an_unknown_key_is_named_and_left_out() {
    let checkout = checkout();
    checkout.write(".config/zbuild.toml", "# mine\nmax_size = '1GiB'\n");
    let ran = checkout.zbuild(&["-v"]).successful();
    assert!(is_ours(&ran), "{ran}");
    let [line] = ran.troubles()[..] else {
        panic!("{ran}");
    };
    let file = checkout.path(".config/zbuild.toml");
    let expected = format!(
        "{}:2: unknown key `max_size`; did you mean `max-size`?; left out",
        file.display()
    );
    assert_eq!(line, expected);
    assert_eq!(checkout.zbuild(&["-q"]).successful().stderr, "");

    let ran = checkout.zbuild(&["config"]);
    assert_eq!(ran.status.code(), Some(1), "{ran}");
    assert!(ran.stderr.contains(&expected), "{ran}");
}

#[test]
fn a_bad_size_is_left_out_and_a_bad_switch_is_not_guessed() {
    let mut checkout = checkout();
    checkout.write(".config/zbuild.toml", "max-size = 'much'\n");
    let ran = checkout.zbuild(&[]).successful();
    assert!(
        is_ours(&ran)
            && ran
                .stderr
                .contains("zbuild.toml:1: `max-size`: expected a size")
    );

    for text in ["disable = 'yes'\n", "cache-dir = 3\n", "cache-dir = 'x\n"] {
        checkout.write(".config/zbuild.toml", text);
        let ran = checkout.zbuild(&["-v"]).successful();
        assert!(!is_ours(&ran), "{ran}");
        let [line] = ran.troubles()[..] else {
            panic!("{ran}");
        };
        assert!(line.contains("zbuild.toml:1: "), "{ran}");
        assert!(line.ends_with("; plain cargo builds instead"), "{ran}");
    }
    checkout.write(".config/zbuild.toml", "");
    checkout.set_env("ZBUILD_DISABLE", "perhaps");
    let ran = checkout.zbuild(&[]).successful();
    assert!(
        !is_ours(&ran) && ran.stderr.contains("$ZBUILD_DISABLE: expected"),
        "{ran}"
    );
}

#[test]
fn a_wrong_flag_is_refused() {
    let checkout = checkout();
    let ran = checkout.zbuild(&["--zbuild-cachedir=x"]);
    assert_eq!(ran.status.code(), Some(1), "{ran}");
    assert!(
        ran.stderr.contains("did you mean `--zbuild-cache-dir`?"),
        "{ran}"
    );
    assert!(!checkout.target().exists(), "nothing was built");
}

#[test]
fn a_strange_variable_is_named_by_config() {
    let mut checkout = checkout();
    checkout.set_env("ZBUILD_CACHEDIR", "x");
    let ran = checkout.zbuild(&["config"]);
    let expected = "unknown variable `ZBUILD_CACHEDIR`; did you mean `ZBUILD_CACHE_DIR`?";
    assert!(ran.stderr.contains(expected), "{ran}");
    checkout.build();
}

/// The schema names exactly the keys that there are, with their defaults.
#[test]
fn the_schema_is_up_to_date() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/zbuild.schema.json");
    let schema: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let properties = schema["properties"].as_object().unwrap();
    let names: Vec<&String> = properties.keys().collect();
    let config = config(&checkout(), &[]);
    let known: Vec<&String> = config["settings"].as_object().unwrap().keys().collect();
    assert_eq!(names, known);
    for key in cargo_zbuild::cli::settings::keys::KEYS {
        let default = properties[key.name].get("default");
        let shown = default.map(|value| value.as_str().map_or(value.to_string(), str::to_owned));
        assert_eq!(shown.as_deref(), key.default, "{}", key.name);
        let about = properties[key.name]["description"].as_str().unwrap();
        assert!(about.starts_with(key.about), "{}", key.name);
    }
}

/// What is removed is removed from the cache that was meant, or not at all.
#[test]
fn a_doubtful_cache_is_neither_cleared_nor_collected() {
    let checkout = checkout();
    checkout.build();
    let before = common::files::files_below(&checkout.cache);
    for (line, commands) in [
        ("cache-dir = 3", &["clear", "gc", "verify", "stats"][..]),
        ("max-size = 'much'", &["gc"]),
    ] {
        checkout.write(".config/zbuild.toml", &format!("{line}\n"));
        for command in commands {
            let ran = checkout.zbuild(&[command]);
            assert_eq!(ran.status.code(), Some(1), "{ran}");
            assert!(ran.stderr.contains("zbuild.toml:1"), "{ran}");
        }
    }
    assert_eq!(common::files::files_below(&checkout.cache), before);
}

/// Rust's `std::env::vars` panics at such a variable, whoever set it.
#[cfg(unix)]
#[test]
fn a_variable_that_is_no_utf8_is_nobodys_business() {
    use std::os::unix::ffi::OsStrExt;
    let mut checkout = checkout();
    checkout.set_env("SOMETHING_ODD", std::ffi::OsStr::from_bytes(b"\xff"));
    checkout.zbuild(&["build"]).healthy();
    checkout.remove_target();
    checkout.build_compiles_nothing();
}
