//! The workspace: its root, its directories, its packages.
//!
//! Comes from `cargo metadata`, read with cargo_metadata; guppy's package
//! graph tells members, other path packages and external ones apart. Neither
//! is ever asked which features or units a build has: only cargo's own unit
//! graph knows that.

use std::collections::HashMap;

use camino::{Utf8Path, Utf8PathBuf};
use guppy::graph::{PackageGraph, PackageSource};
use serde::{Deserialize, Serialize};

use super::CargoError;
use super::args::Invocation;
use super::command::Cargo;

/// Where a package comes from, as far as its files may change under us.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Origin {
    /// A member of the workspace.
    Member,
    /// A path dependency outside of the workspace.
    Path,
    /// A registry, git or vendored package: cargo trusts its version.
    External,
}

/// One package of the dependency graph.
#[derive(Clone, Debug)]
pub struct Package {
    /// Package name.
    pub name: String,
    /// Package version.
    pub version: String,
    /// Its `Cargo.toml`.
    pub manifest_path: Utf8PathBuf,
    /// Where it comes from.
    pub origin: Origin,
}

/// What `cargo metadata` tells about the workspace.
#[derive(Clone, Debug)]
pub struct Workspace {
    /// The workspace root directory.
    pub root: Utf8PathBuf,
    /// Where final artifacts go.
    pub target_dir: Utf8PathBuf,
    /// Where intermediate files go; usually the same.
    pub build_dir: Utf8PathBuf,
    /// Packages by package id specification.
    pub packages: HashMap<String, Package>,
}

impl Workspace {
    /// Asks cargo. With the dependency graph if cargo can resolve it from
    /// what has been downloaded (`--filter-platform` keeps it from fetching
    /// other platforms' packages), else without: members alone suffice, since
    /// the other packages' places can be seen from their unit's source path.
    ///
    /// # Errors
    /// When cargo refuses both or prints something unknown.
    pub fn ask(
        cargo: &Cargo,
        inv: &Invocation,
        platforms: &[String],
    ) -> Result<Workspace, CargoError> {
        let full = metadata(cargo, inv, Some(platforms)).and_then(|json| from_graph(&json));
        match full {
            Ok(workspace) => Ok(workspace),
            Err(_) => from_members(&metadata(cargo, inv, None)?),
        }
    }

    /// The package of a unit: from the metadata, else from the nearest
    /// manifest above its source file.
    pub fn package(&self, pkg_id: &str, src_path: &Utf8Path) -> Option<Package> {
        if let Some(package) = self.packages.get(pkg_id) {
            return Some(package.clone());
        }
        let manifest_path = src_path
            .ancestors()
            .skip(1)
            .map(|dir| dir.join("Cargo.toml"))
            .find(|path| path.is_file())?;
        let (name, version) = name_and_version(pkg_id);
        let origin = if pkg_id.starts_with("path+") {
            Origin::Path
        } else {
            Origin::External
        };
        Some(Package {
            name,
            version,
            manifest_path,
            origin,
        })
    }
}

/// Name and version out of a package id specification such as
/// `registry+https://…#itoa@1.0.0` or `path+file:///ws/app#0.1.0`.
fn name_and_version(pkg_id: &str) -> (String, String) {
    let (url, fragment) = pkg_id.rsplit_once('#').unwrap_or((pkg_id, ""));
    match fragment.rsplit_once('@') {
        Some((name, version)) => (name.to_owned(), version.to_owned()),
        None => {
            let last = url.trim_end_matches('/').rsplit('/').next().unwrap_or(url);
            (
                last.split('?').next().unwrap_or(last).to_owned(),
                fragment.to_owned(),
            )
        }
    }
}

fn metadata(
    cargo: &Cargo,
    inv: &Invocation,
    platforms: Option<&[String]>,
) -> Result<String, CargoError> {
    let mut command = cargo.command();
    command.args(["metadata", "--format-version=1", "--color=never"]);
    match platforms {
        Some(platforms) => {
            for platform in platforms {
                command.arg(format!("--filter-platform={platform}"));
            }
        }
        None => {
            command.arg("--no-deps");
        }
    }
    if let Some(path) = &inv.manifest_path {
        command.args(["--manifest-path", path.as_str()]);
    }
    for config in &inv.config {
        command.args(["--config", config]);
    }
    for unstable in &inv.unstable {
        command.args(["-Z", unstable]);
    }
    command.args(&inv.network);
    if let Some(dir) = &inv.target_dir {
        // `cargo metadata` has no --target-dir. The flag wins over this
        // variable, which wins over all else (cargo: `GlobalContext::target_dir`),
        // and is relative to the current directory.
        let dir = std::path::absolute(dir).map_err(|source| CargoError::Read {
            path: dir.clone(),
            source,
        })?;
        command.env("CARGO_TARGET_DIR", dir);
    }
    let output = cargo.ask(command, "cargo metadata")?;
    String::from_utf8(output.stdout).map_err(|e| unknown(e.to_string()))
}

fn unknown(why: String) -> CargoError {
    CargoError::Unknown {
        what: "cargo metadata".into(),
        why,
    }
}

fn from_graph(json: &str) -> Result<Workspace, CargoError> {
    let mut workspace = from_members(json)?;
    let graph = PackageGraph::from_json(json).map_err(|e| unknown(e.to_string()))?;
    for package in graph.packages() {
        let origin = match package.source() {
            PackageSource::Workspace(_) => Origin::Member,
            PackageSource::Path(_) => Origin::Path,
            _ => Origin::External,
        };
        if let Some(known) = workspace.packages.get_mut(package.id().repr()) {
            known.origin = origin;
        }
    }
    Ok(workspace)
}

fn from_members(json: &str) -> Result<Workspace, CargoError> {
    let metadata =
        cargo_metadata::MetadataCommand::parse(json).map_err(|e| unknown(e.to_string()))?;
    let packages = metadata
        .packages
        .iter()
        .map(|package| {
            let origin = match &package.source {
                Some(_) => Origin::External,
                None if metadata.workspace_members.contains(&package.id) => Origin::Member,
                None => Origin::Path,
            };
            (
                package.id.repr.clone(),
                Package {
                    name: package.name.to_string(),
                    version: package.version.to_string(),
                    manifest_path: package.manifest_path.clone(),
                    origin,
                },
            )
        })
        .collect();
    let target_dir = metadata.target_directory.clone();
    Ok(Workspace {
        root: metadata.workspace_root.clone(),
        build_dir: metadata
            .build_directory
            .clone()
            .unwrap_or_else(|| target_dir.clone()),
        target_dir,
        packages,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_package_id_specifications() {
        let of = |id| {
            let (name, version) = name_and_version(id);
            format!("{name} {version}")
        };
        assert_eq!(of("registry+https://x/y#itoa@1.0.0"), "itoa 1.0.0");
        assert_eq!(of("path+file:///ws/app#0.1.0"), "app 0.1.0");
        assert_eq!(of("path+file:///ws/dir#other@0.1.0"), "other 0.1.0");
        assert_eq!(of("git+https://h/u/repo?branch=x#0.2.0"), "repo 0.2.0");
    }
}
