//! Everything that a plan rests on: what cargo's unit graph and our keys come
//! from.
//!
//! Whatever cargo reads to find out which units a build has must be watched, or
//! a plan is held for right that no longer is. That includes manifests of which
//! nothing is compiled here: a dependency for another platform can switch a
//! feature on (resolver 1), a workspace elsewhere can be inherited from.

use std::collections::HashSet;

use camino::{Utf8Component, Utf8Path, Utf8PathBuf};

use super::key;
use super::watch::{WatchKind, Watcher, find_program};
use crate::cargo::args::Invocation;
use crate::cargo::command::Cargo;
use crate::cargo::config::Config;
use crate::cargo::linking;
use crate::cargo::manifest::{self, Manifests};
use crate::cargo::toolchain::{self, Toolchain};
use crate::cargo::workspace::{Origin, Workspace};

/// What surrounds a build.
pub(super) struct Surroundings<'a> {
    pub(super) cargo: &'a Cargo,
    pub(super) inv: &'a Invocation,
    pub(super) cwd: &'a Utf8Path,
    pub(super) config: &'a Config,
    pub(super) toolchain: &'a Toolchain,
    pub(super) workspace: &'a Workspace,
}

impl Surroundings<'_> {
    /// Watches all of it.
    pub(super) fn watch(&self, watcher: &mut Watcher, manifests: &mut Manifests) {
        let Surroundings {
            cargo,
            inv,
            cwd,
            config,
            toolchain,
            workspace,
        } = *self;
        for path in &config.candidates {
            watcher.add(path, WatchKind::File);
        }
        for dir in cwd.ancestors() {
            for name in ["rust-toolchain", "rust-toolchain.toml"] {
                watcher.add(dir.join(name), WatchKind::File);
            }
        }
        if let Some(home) = toolchain::rustup_home() {
            watcher.add(home.join("settings.toml"), WatchKind::File);
        }
        for path in toolchain.files.iter().chain(&toolchain.dirs) {
            watcher.add(path, WatchKind::Stamp);
        }
        // The one that rustup's proxy starts.
        watcher.add(toolchain.program("cargo"), WatchKind::Stamp);
        if let Some(path) = find_program(&cargo.program()) {
            watcher.add(path, WatchKind::Stamp);
        }
        let rustc = std::iter::once(toolchain.rustc.clone());
        let tools = key::tools(config).into_iter().chain(key::wrappers(config));
        for tool in tools.chain(rustc) {
            if let Some(path) = find_program(&tool) {
                watcher.add(path, WatchKind::Stamp);
            }
            watcher.add(tool, WatchKind::Program);
        }
        let linked = linking::of_settings(config, &workspace.root);
        for path in linked.files.into_iter().chain(linked.dirs) {
            watcher.add(path, WatchKind::Stamp);
        }
        watcher.add(workspace.root.join("Cargo.toml"), WatchKind::File);
        watcher.add(workspace.root.join("Cargo.lock"), WatchKind::File);
        // A manifest that appears above could claim this workspace.
        let start = inv
            .manifest_path
            .as_ref()
            .map_or(cwd.to_owned(), |path| cwd.join(path));
        for dir in start.ancestors() {
            watcher.add(dir.join("Cargo.toml"), WatchKind::File);
        }
        for package in workspace.packages.values() {
            let dir = package.manifest_path.parent();
            if let Some(dir) = dir.filter(|_| package.origin != Origin::External) {
                watcher.package(dir);
            }
        }
        for pattern in member_patterns(manifests, &workspace.root.join("Cargo.toml")) {
            watcher.members(&workspace.root, &pattern);
        }
        self.watch_manifests(watcher, manifests);
    }

    /// Watches the manifests of all path packages, whether something of them is
    /// compiled or not, and every place above them at which cargo looks for
    /// the workspace that they belong to.
    fn watch_manifests(&self, watcher: &mut Watcher, manifests: &mut Manifests) {
        let packages = self.workspace.packages.values();
        let ours = packages.filter(|package| package.origin != Origin::External);
        let mut queue: Vec<Utf8PathBuf> = ours.map(|p| p.manifest_path.clone()).collect();
        queue.push(self.workspace.root.join("Cargo.toml"));
        for file in &self.config.files {
            // Relative to the directory that holds `.cargo`.
            let dir = file.path.parent().and_then(Utf8Path::parent);
            let paths = manifest::path_dependencies(&file.table).into_iter();
            queue.extend(paths.filter_map(|path| Some(manifest_in(&dir?.join(path)))));
        }
        let mut seen = HashSet::new();
        while let Some(path) = queue.pop() {
            if !seen.insert(path.clone()) {
                continue;
            }
            watcher.add(&path, WatchKind::File);
            let dir = path.parent().unwrap_or(Utf8Path::new(""));
            for above in dir.ancestors().skip(1) {
                let above = above.join("Cargo.toml");
                let is_new = watcher.add_new(above.clone(), WatchKind::File);
                // Where it is a manifest it may be one to inherit from.
                if above.is_file() {
                    queue.push(above);
                }
                if !is_new {
                    break;
                }
            }
            // What cannot be read or parsed is no more than watched.
            let Ok(table) = manifests.table(&path) else {
                continue;
            };
            let paths = manifest::path_dependencies(table).into_iter();
            queue.extend(paths.map(|path| manifest_in(&dir.join(path))));
        }
    }
}

/// The manifest in a directory, written as cargo writes it: without `..`.
fn manifest_in(dir: &Utf8Path) -> Utf8PathBuf {
    let mut plain = Utf8PathBuf::new();
    for part in dir.components() {
        match part {
            Utf8Component::ParentDir => {
                plain.pop();
            }
            part => plain.push(part),
        }
    }
    plain.join("Cargo.toml")
}

/// `workspace.members` and `default-members` with wildcards in them.
fn member_patterns(manifests: &mut Manifests, manifest: &Utf8Path) -> Vec<String> {
    let workspace = manifests
        .table(manifest)
        .ok()
        .and_then(|table| table.get("workspace").cloned());
    let lists = ["members", "default-members"];
    lists
        .iter()
        .filter_map(|key| workspace.as_ref()?.get(key)?.as_array().cloned())
        .flatten()
        .filter_map(|member| member.as_str().map(str::to_owned))
        .filter(|member| member.contains(['*', '?', '[']))
        .collect()
}

#[cfg(test)]
mod tests;
