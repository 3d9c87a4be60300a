//! The keys, held: what belongs into one and what does not.

use super::*;
use crate::plan::fixtures::{self, config};

#[test]
fn knows_which_variables_count() {
    for name in [
        "RUSTFLAGS",
        "CARGO_ENCODED_RUSTFLAGS",
        "CARGO_BUILD_RUSTFLAGS",
        "CARGO_PROFILE_DEV_OPT_LEVEL",
        "CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_LINKER",
        "CARGO_INCREMENTAL",
        "CARGO_UNSTABLE_BUILD_DIR_NEW_LAYOUT",
        "CARGO_BUILD_RUSTC_WRAPPER",
        "RUSTC_BOOTSTRAP",
        "RUSTC_WRAPPER",
        "CARGO_BRAND_NEW",
    ] {
        assert!(is_relevant(name), "{name}");
    }
    for name in [
        "CARGO",
        "CARGO_TARGET_DIR",
        "CARGO_TERM_COLOR",
        "CARGO_PKG_NAME",
        "CARGO_BUILD_JOBS",
        "RUST_LOG",
        "RUSTUP_TOOLCHAIN",
        "PATH",
        "HOME",
    ] {
        assert!(!is_relevant(name), "{name}");
    }
}

#[test]
fn ids_move_between_checkouts() {
    let dirs = Dirs {
        workspace: "/ws".into(),
        build: "/ws/target".into(),
        target: "/ws/target".into(),
        cargo_home: "/c".into(),
    };
    assert_eq!(
        portable_id("path+file:///ws/app#0.1.0", &dirs),
        "path+Workspace:app"
    );
    assert_eq!(
        portable_id("path+file:///other#x@0.1.0", &dirs),
        "path+/other"
    );
    assert_eq!(
        portable_id("path+file:///ws/a%20%C3%A4%25#0.1.0", &dirs),
        "path+Workspace:a ä%"
    );
    assert_eq!(percent_decoded("%zz%4%ff%"), "%zz%4%ff%");
}

fn vars(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    relevant(
        pairs
            .iter()
            .map(|(name, value)| (name.into(), value.into())),
    )
}

fn common(lock_file: &str) -> Common {
    let (_guard, dir) = fixtures::dir();
    fixtures::write(&dir.join("Cargo.lock"), lock_file);
    let none = Digest::of(b"");
    let config = Config::default();
    Common::new(
        &fixtures::dirs(&dir),
        &config,
        &[],
        false,
        &fixtures::toolchain("", ""),
        none,
        &|_| None,
    )
}

fn unit_key(common: &Common, unit: &GraphUnit, version: &str) -> (Digest, Parts) {
    let of = Package {
        dirs: &fixtures::dirs("/ws".into()),
        name: "app",
        version,
        manifest: None,
        target_spec: None,
        extra_args: &[],
    };
    common.unit(unit, &of, &[])
}

#[test]
fn only_relevant_variables_and_the_linkers_among_them() {
    let linker = "CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_LINKER";
    let all = [
        (linker, "ld.x"),
        ("CARGO_TARGET_A_RUSTFLAGS", "-Cx"),
        ("HOME_LINKER", "no"),
        ("RUST_LINKER", "no"),
        ("PATH", "/bin"),
    ];
    let found = vars(&all);
    let names: Vec<&str> = found.keys().map(String::as_str).collect();
    assert_eq!(names, ["CARGO_TARGET_A_RUSTFLAGS", linker, "RUST_LINKER"]);
    assert_eq!(linkers(&found).collect::<Vec<_>>(), ["ld.x"]);
}

#[test]
fn tools_are_those_named_and_those_taken_for_granted() {
    let found = tools(&config("[target.x]\nlinker = 'special'"));
    for tool in ["special", "cc", "ld"] {
        assert!(found.contains(&tool.to_owned()), "{tool} in {found:?}");
    }
}

#[test]
fn wrappers_of_the_environment_go_first() {
    let config = config("[build]\nrustc-wrapper = 'of-config'");
    let with = |pairs: &'static [(&str, &str)]| {
        let vars = BTreeMap::from_iter(pairs.iter().copied());
        wrappers_with(&config, &move |name| {
            vars.get(name).map(|v| (*v).to_owned())
        })
    };
    assert_eq!(with(&[]), ["of-config"]);
    assert_eq!(with(&[("RUSTC_WRAPPER", "")]), ["of-config"]);
    assert_eq!(with(&[("CARGO_BUILD_RUSTC_WRAPPER", "second")]), ["second"]);
    let both = &[("RUSTC_WRAPPER", "w"), ("RUSTC_WORKSPACE_WRAPPER", "ww")];
    assert_eq!(with(both), ["w", "ww"]);
}

#[test]
fn a_linker_takes_part_where_something_is_linked_or_run() {
    for (mode, crate_types, expected) in [
        ("run-custom-build", &["bin"] as &[&str], true),
        ("test", &["lib"], true),
        ("build", &["bin"], true),
        ("build", &["proc-macro"], true),
        ("build", &["lib", "cdylib"], true),
        ("build", &["lib"], false),
        ("build", &["rlib", "staticlib"], false),
        ("check", &["bin"], false),
    ] {
        let unit = fixtures::graph_unit(mode, "lib", crate_types);
        assert_eq!(links(&unit), expected, "{mode} {crate_types:?}");
        // Only then do the linkers belong into the key.
        let (key, parts) = unit_key(&common(""), &unit, "1.0.0");
        assert_eq!(parts.contains_key("content of cc"), expected);
        let mut other = common("");
        other.linking = Digest::of(b"another linker");
        assert_eq!(unit_key(&other, &unit, "1.0.0").0 != key, expected);
    }
}

#[test]
fn a_unit_is_the_same_in_another_checkout_unless_it_lies_outside() {
    let dirs = fixtures::dirs("/ws".into());
    let mut unit = fixtures::graph_unit("build", "lib", &["lib"]);
    let moved = portable(&unit, &dirs);
    assert_eq!(moved["target"]["src_path"], "Workspace:app/src/lib.rs");
    assert_eq!(moved["pkg_id"], "path+Workspace:app");
    assert_eq!(moved["dependencies"][0]["extern_crate_name"], "dep");
    assert!(moved["dependencies"][0].get("index").is_none());
    unit.pkg_id = "registry+https://x/index#app@0.1.0".into();
    let kept = portable(&unit, &dirs);
    assert_eq!(kept["target"]["src_path"], "/ws/app/src/lib.rs");
    let windows = Dirs {
        workspace: "C:/ws".into(),
        ..dirs
    };
    assert_eq!(
        portable_id("path+file:///C:/ws/app#0.1.0", &windows),
        "path+Workspace:app"
    );
}

/// cargo gives what `dev` and `test` build one fingerprint, in one place.
#[test]
fn profiles_of_one_directory_that_say_the_same_are_the_same() {
    let key = |name: &str| {
        let mut unit = fixtures::graph_unit("build", "lib", &["lib"]);
        unit.profile.name = name.to_owned();
        unit.raw["profile"]["name"] = name.into();
        unit_key(&common(""), &unit, "1.0.0").0
    };
    assert_eq!(key("dev"), key("test"));
    assert_eq!(key("release"), key("bench"));
    assert_ne!(key("dev"), key("release"));
    assert_ne!(key("release"), key("other"));
}

#[test]
fn a_check_of_tests_is_not_a_check_of_the_crate() {
    let common = common("");
    let mut keys = Vec::new();
    for (mode, test, expected) in [
        ("check", false, false),
        ("check", true, true),
        // The mode says it.
        ("test", true, false),
        ("build", false, false),
    ] {
        let mut unit = fixtures::graph_unit(mode, "lib", &["lib"]);
        unit.test = test;
        let (key, parts) = unit_key(&common, &unit, "1.0.0");
        assert_eq!(parts.contains_key("test"), expected, "{mode} {test}");
        assert!(!keys.contains(&key));
        keys.push(key);
    }
}

#[test]
fn the_lock_file_says_which_source_a_version_has() {
    let package = |source: &str, checksum: &str| {
        format!("[[package]]\nname = 'app'\nversion = '1.0.0'\n{source}\n{checksum}\n")
    };
    let one = package("source = 'registry+r'", "checksum = 'abc'");
    let unit = fixtures::graph_unit("build", "lib", &["lib"]);
    let all = [
        String::new(),
        one.clone(),
        package("source = 'registry+r'", "checksum = 'abd'"),
        package("source = 'registry+s'", "checksum = 'abc'"),
        format!("{one}{}", package("source = 'git+g'", "")),
    ];
    let mut keys: Vec<Digest> = Vec::new();
    for lock_file in &all {
        let common = common(lock_file);
        keys.push(unit_key(&common, &unit, "1.0.0").0);
        let other = unit_key(&common, &unit, "2.0.0").1;
        assert_eq!(other.get("Cargo.lock entry"), None, "another version");
    }
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), all.len());
}

#[test]
fn configuration_is_noted_without_secrets() {
    let config = config("[build]\nrustflags = '-Cx'\n[env]\nTOKEN = 'secret'");
    let mut hasher = NotingHasher::new("t");
    note_config(&mut hasher, &config.relevant("/ws".into()));
    let parts = hasher.finish().1;
    let place = ".cargo/config.toml";
    assert_eq!(parts[&format!("build in {place}.rustflags")], "-Cx");
    assert_eq!(parts[&format!("env in {place}")].len(), 12);
    assert!(!format!("{parts:?}").contains("secret"), "{parts:?}");
}

#[test]
fn the_environment_is_asked() {
    let (name, value) = ("RUSTC_WRAPPER", "only-of-this-test");
    if std::env::var(name).is_ok_and(|set| set == value) {
        assert_eq!(relevant_env()[name], value);
        assert_eq!(wrappers(&Config::default())[0], value);
        return;
    }
    // A variable is only set for a process of its own.
    let exe = std::env::current_exe().unwrap();
    let test = "plan::key::tests::the_environment_is_asked";
    let mut again = std::process::Command::new(exe);
    again.args(["--exact", test]).env(name, value);
    let output = again.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && said.contains("1 passed"),
        "{said}"
    );
}
