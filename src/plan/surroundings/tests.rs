//! What a plan rests on, held.

use super::*;
use crate::cargo::config::ConfigFile;
use crate::cargo::workspace::Package;
use crate::plan::fixtures::{self, write};

fn table(text: &str) -> toml::Table {
    text.parse().unwrap()
}

/// What is watched around a package in `app`, in a workspace with this
/// configuration.
fn watched(root: &Utf8Path, origin: Origin, config: &Config) -> Vec<Utf8PathBuf> {
    let package = Package {
        name: "app".to_owned(),
        version: "0.1.0".to_owned(),
        manifest_path: root.join("app/Cargo.toml"),
        origin,
    };
    let toolchain = fixtures::toolchain("", "");
    let workspace = Workspace {
        root: root.to_owned(),
        target_dir: root.join("target"),
        build_dir: root.join("target"),
        packages: [("id".to_owned(), package)].into(),
    };
    let surroundings = Surroundings {
        cargo: &Cargo::find(None),
        inv: &Invocation::parse("build", Vec::new()),
        cwd: root,
        config,
        toolchain: &toolchain,
        workspace: &workspace,
    };
    let mut watcher = Watcher::default();
    surroundings.watch(&mut watcher, &mut Manifests::default());
    watcher.finish().into_iter().map(|w| w.path).collect()
}

#[test]
fn surroundings_are_watched() {
    let (_guard, dir) = fixtures::dir();
    let mut config = Config::default();
    config.candidates.push(dir.join("config.toml"));
    for origin in [Origin::Member, Origin::Path] {
        let paths = watched(&dir, origin, &config);
        let names = ["Cargo.toml", "Cargo.lock", "config.toml", "rust-toolchain"];
        for name in names.into_iter().chain(["app/Cargo.toml", "app/build.rs"]) {
            assert!(paths.contains(&dir.join(name)), "{name}");
        }
    }
    let external = watched(&dir, Origin::External, &config);
    assert!(!external.contains(&dir.join("app/Cargo.toml")));
}

#[test]
fn manifests_of_which_nothing_is_compiled_are_watched() {
    let (_guard, base) = fixtures::dir();
    let root = base.join("ws");
    write(
        &root.join("Cargo.toml"),
        "[workspace.dependencies]\na = {path = '../by-workspace'}\n\
         [patch.crates-io]\nb = {path = '../by-patch'}\n",
    );
    write(
        &root.join("app/Cargo.toml"),
        "[target.'cfg(windows)'.dependencies]\na = {path = '../../else/where/one'}\n",
    );
    write(
        &base.join("else/Cargo.toml"),
        "[dependencies]\nx = {path = 'inherited'}\n",
    );
    write(
        &base.join("else/where/one/Cargo.toml"),
        "[build-dependencies]\nb = {path = '../two/./three'}\n",
    );
    write(
        &base.join("else/where/two/three/Cargo.toml"),
        "this is no TOML",
    );
    let config = Config {
        files: vec![ConfigFile {
            path: base.join(".cargo/config.toml"),
            table: table("paths = ['by-paths']\n[patch.crates-io]\na = {path = 'by-config'}"),
        }],
        candidates: Vec::new(),
    };
    let paths = watched(&root, Origin::Member, &config);
    for dir in [
        "by-workspace",
        "by-patch",
        "by-paths",
        "by-config",
        "else",
        "else/inherited",
        "else/where",
        "else/where/one",
        "else/where/two",
        "else/where/two/three",
        "ws/app",
        "ws",
    ] {
        let manifest = base.join(dir).join("Cargo.toml");
        assert!(paths.contains(&manifest), "{manifest}");
    }
}

#[test]
fn manifests_are_written_without_dots() {
    for (dir, manifest) in [
        ("/a/b/../c", "/a/c/Cargo.toml"),
        ("/a/./b", "/a/b/Cargo.toml"),
        ("/a/b/../../c/d", "/c/d/Cargo.toml"),
    ] {
        assert_eq!(manifest_in(dir.into()), manifest);
    }
}

#[test]
fn members_with_wildcards_are_patterns() {
    let (_guard, dir) = fixtures::dir();
    let manifest = dir.join("Cargo.toml");
    let patterns = || member_patterns(&mut Manifests::default(), &manifest);
    assert!(patterns().is_empty());
    let text = "[workspace]\nmembers = ['a', 'crates/*']\ndefault-members = ['b?', 'c']";
    write(&manifest, text);
    assert_eq!(patterns(), ["crates/*", "b?"]);
}
