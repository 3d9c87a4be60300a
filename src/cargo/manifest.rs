//! What of a path package's manifest decides what its units become.
//!
//! A registry package is fixed by its checksum; a path package can change
//! under the same version. cargo gives rustc lints, `CARGO_PKG_*`, declared
//! features and the target's settings from the manifest, and none of these are
//! in the unit graph. Dependencies are left out: the unit graph has them.

use std::collections::HashMap;

use camino::{Utf8Path, Utf8PathBuf};
use fs_err as fs;
use toml::{Table, Value};

use super::CargoError;
use crate::unit::Digest;

/// Tables that the unit graph speaks for, or that cargo does not use.
const IRRELEVANT: &[&str] = &[
    "badges",
    "build-dependencies",
    "dependencies",
    "dev-dependencies",
    "patch",
    "profile",
    "replace",
    "target",
    "workspace",
];

/// Reads manifests, each file once.
#[derive(Default)]
pub struct Manifests {
    read: HashMap<Utf8PathBuf, Table>,
}

impl Manifests {
    /// The digest of the relevant parts of a manifest, inherited ones included.
    ///
    /// # Errors
    /// When the manifest, or the one that it inherits from, cannot be read.
    pub fn identity(&mut self, manifest: &Utf8Path) -> Result<Digest, CargoError> {
        let table = self.table(manifest)?.clone();
        let inherited = if inherits(&table) {
            let root = self.workspace_of(manifest, &table)?;
            let workspace = self.table(&root)?.get("workspace");
            let part = |key| workspace.and_then(|w| w.get(key)).cloned();
            (part("package"), part("lints"))
        } else {
            (None, None)
        };
        let mut own = table;
        own.retain(|key, _| !IRRELEVANT.contains(&key));
        if let Some(Value::Table(package)) = own.get_mut("package") {
            package.remove("metadata");
        }
        if let Some(Value::Table(features)) = own.get_mut("features") {
            // Which of them are on is in the unit graph; here only the names
            // count (`--check-cfg`).
            for value in features.iter_mut() {
                *value.1 = Value::Boolean(true);
            }
        }
        let optional = optional_dependencies(self.table(manifest)?);
        // Found by cargo itself if the manifest names none (`CARGO_PKG_README`).
        let dir = manifest.parent().unwrap_or(Utf8Path::new(""));
        let readme = ["README.md", "README.txt", "README"]
            .iter()
            .find(|name| dir.join(name).is_file());
        let text = serde_json::json!([own, inherited.0, inherited.1, optional, readme]).to_string();
        Ok(Digest::of(text.as_bytes()))
    }

    /// All manifests read so far: a plan holds only as long as they stay.
    pub fn files(&self) -> impl Iterator<Item = &Utf8Path> {
        self.read.keys().map(Utf8PathBuf::as_path)
    }

    /// The parsed manifest.
    ///
    /// # Errors
    /// When it cannot be read or is not TOML.
    pub fn table(&mut self, path: &Utf8Path) -> Result<&Table, CargoError> {
        if !self.read.contains_key(path) {
            let text = fs::read_to_string(path).map_err(|source| CargoError::Read {
                path: path.to_owned(),
                source,
            })?;
            let table = text.parse().map_err(|e| CargoError::Parse {
                path: path.to_owned(),
                why: format!("{e}"),
            })?;
            self.read.insert(path.to_owned(), table);
        }
        Ok(&self.read[path])
    }

    /// The manifest with the `[workspace]` that a package inherits from:
    /// `package.workspace`, its own, or the nearest above.
    fn workspace_of(
        &mut self,
        manifest: &Utf8Path,
        table: &Table,
    ) -> Result<Utf8PathBuf, CargoError> {
        let dir = manifest.parent().unwrap_or(Utf8Path::new(""));
        let named = table.get("package").and_then(|p| p.get("workspace"));
        if let Some(path) = named.and_then(Value::as_str) {
            return Ok(dir.join(path).join("Cargo.toml"));
        }
        for dir in dir.ancestors() {
            let candidate = dir.join("Cargo.toml");
            if candidate.is_file() && self.table(&candidate)?.contains_key("workspace") {
                return Ok(candidate);
            }
        }
        Err(CargoError::Parse {
            path: manifest.to_owned(),
            why: "inherits from a workspace, but none was found above it".into(),
        })
    }
}

/// Every `path` in the tables of a manifest (or of cargo's configuration) that
/// name dependencies, for whatever platform and purpose, and cargo's `paths`.
pub fn path_dependencies(table: &Table) -> Vec<String> {
    const TABLES: &[&str] = &[
        "build-dependencies",
        "build_dependencies",
        "dependencies",
        "dev-dependencies",
        "dev_dependencies",
        "patch",
        "replace",
        "target",
        "workspace",
    ];
    fn find(value: &Value, found: &mut Vec<String>) {
        for (key, value) in value.as_table().into_iter().flatten() {
            match value.as_str() {
                Some(path) if key == "path" => found.push(path.to_owned()),
                _ => find(value, found),
            }
        }
    }
    let mut found = Vec::new();
    for name in TABLES {
        if let Some(value) = table.get(*name) {
            find(value, &mut found);
        }
    }
    let paths = table.get("paths").and_then(Value::as_array);
    let paths = paths.into_iter().flatten().filter_map(Value::as_str);
    found.extend(paths.map(str::to_owned));
    found
}

/// The names of optional dependencies: each of them declares a feature.
fn optional_dependencies(table: &Table) -> Vec<String> {
    let is_optional = |value: &Value| value.get("optional").and_then(Value::as_bool) == Some(true);
    let targets = table.get("target").and_then(Value::as_table);
    let tables = targets.into_iter().flat_map(Table::values);
    let tables = tables.filter_map(Value::as_table).chain([table]);
    let mut names: Vec<String> = tables
        .flat_map(|table| {
            ["dependencies", "build-dependencies", "build_dependencies"]
                .iter()
                .filter_map(|key| table.get(*key)?.as_table())
        })
        .flatten()
        .filter(|(_, value)| is_optional(value))
        .map(|(name, _)| name.clone())
        .collect();
    names.sort();
    names
}

/// Whether anything in `[package]` or `[lints]` says `workspace = true`.
fn inherits(table: &Table) -> bool {
    let says_so = |value: &Value| value.get("workspace").and_then(Value::as_bool) == Some(true);
    let package = table.get("package").and_then(Value::as_table);
    package.into_iter().flat_map(Table::values).any(says_so)
        || table.get("lints").is_some_and(says_so)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(package: &str, root: &str) -> Digest {
        let dir = tempfile::tempdir().unwrap();
        let dir = Utf8Path::from_path(dir.path()).unwrap();
        fs::create_dir(dir.join("a")).unwrap();
        fs::write(dir.join("Cargo.toml"), root).unwrap();
        fs::write(dir.join("a/Cargo.toml"), package).unwrap();
        Manifests::default()
            .identity(&dir.join("a/Cargo.toml"))
            .unwrap()
    }

    #[test]
    fn dependencies_comments_and_order_do_not_count() {
        let one = identity("[package]\nname='a'\nversion='1.0.0'\n", "[workspace]");
        let two = identity(
            "# hello\n[dependencies]\nx='1'\n[package]\nversion='1.0.0'\nname='a'\n[package.metadata]\nx=1",
            "[workspace]",
        );
        assert_eq!(one, two);
    }

    #[test]
    fn optional_dependencies_count() {
        let of = |more: &str| identity(&format!("[package]\nname='a'\n{more}"), "[workspace]");
        let plain = of("[dependencies]\nx='1'");
        assert_ne!(plain, of("[dependencies]\nx={version='1',optional=true}"));
        assert_ne!(
            plain,
            of("[target.'cfg(unix)'.dependencies]\nx={version='1',optional=true}")
        );
    }

    #[test]
    fn paths_of_dependencies_are_found_wherever_they_are() {
        let text = "paths = ['1', '2']\n\
            [lib]\npath = 'no'\n[package]\nname = 'a'\n[[bin]]\npath = 'no'\n\
            [build-dependencies.x]\npath = '3'\n[build_dependencies.x]\npath = '4'\n\
            [dependencies]\nx = {path = '5'}\ny = '1'\n[dev-dependencies.x]\npath = '6'\n\
            [dev_dependencies.x]\npath = '7'\n[patch.crates-io.x]\npath = '8'\n\
            [replace.\"x:1.0.0\"]\npath = '9'\n\
            [target.'cfg(windows)'.dependencies.x]\npath = '10'\n\
            [workspace.dependencies.x]\npath = '11'\nversion = '1'";
        let mut found = path_dependencies(&text.parse().unwrap());
        found.sort_by_key(|path| path.parse::<u8>().unwrap());
        let expected: Vec<String> = (1..=11).map(|n| n.to_string()).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn lints_and_inherited_values_count() {
        let package = "[package]\nname='a'\nversion.workspace=true\n[lints]\nworkspace=true\n";
        let of = |root| identity(package, root);
        let base = of("[workspace.package]\nversion='1.0.0'\n[workspace.lints.rust]\nx='warn'");
        assert_ne!(
            base,
            of("[workspace.package]\nversion='1.0.1'\n[workspace.lints.rust]\nx='warn'")
        );
        assert_ne!(
            base,
            of("[workspace.package]\nversion='1.0.0'\n[workspace.lints.rust]\nx='deny'")
        );
        assert_eq!(
            base,
            of(
                "[workspace.package]\nversion='1.0.0'\n[workspace.lints.rust]\nx='warn'\n[workspace.dependencies]\ny='1'"
            )
        );
    }
}
