//! Where things lie: the project's folders, the user's cache, the sources of a build.

use camino::{Utf8Path, Utf8PathBuf};
use directories::ProjectDirs;
use fb_core_types::Name;
use globset::{Glob, GlobSet, GlobSetBuilder};
use ignore::WalkBuilder;
use thiserror::Error;
use walkdir::WalkDir;

#[derive(Debug, Error)]
pub enum PathError {
    #[error("no home directory for this user")]
    NoHome,
    #[error("{0} is not UTF-8")]
    NotUtf8(String),
    #[error("bad pattern: {0}")]
    Pattern(#[from] globset::Error),
    #[error("cannot walk the sources: {0}")]
    Walk(#[from] ignore::Error),
}

/// The folders of one project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    pub root: Utf8PathBuf,
}

impl Layout {
    pub fn new(root: impl Into<Utf8PathBuf>) -> Self {
        Self { root: root.into() }
    }

    pub fn build_dir(&self, environment: &Name) -> Utf8PathBuf {
        self.root.join(".fbuild").join(environment.as_str())
    }

    pub fn config_file(&self) -> Utf8PathBuf {
        self.root.join("fbuild.toml")
    }

    /// Every file that matches one of the patterns, sorted, ignored files left out.
    pub fn sources(&self, patterns: &[&str]) -> Result<Vec<Utf8PathBuf>, PathError> {
        let wanted = glob_set(patterns)?;
        let mut found = Vec::new();
        for entry in WalkBuilder::new(&self.root).hidden(true).build() {
            let entry = entry?;
            if !entry.file_type().is_some_and(|t| t.is_file()) {
                continue;
            }
            let path = Utf8PathBuf::from_path_buf(entry.into_path())
                .map_err(|p| PathError::NotUtf8(p.display().to_string()))?;
            let relative = path.strip_prefix(&self.root).unwrap_or(&path);
            if wanted.is_match(relative.as_std_path()) {
                found.push(relative.to_owned());
            }
        }
        found.sort();
        Ok(found)
    }
}

fn glob_set(patterns: &[&str]) -> Result<GlobSet, globset::Error> {
    let mut builder = GlobSetBuilder::new();
    for pattern in patterns {
        builder.add(Glob::new(pattern)?);
    }
    builder.build()
}

pub fn user_cache() -> Result<Utf8PathBuf, PathError> {
    let dirs = ProjectDirs::from("org", "fbuild", "fbuild").ok_or(PathError::NoHome)?;
    Utf8PathBuf::from_path_buf(dirs.cache_dir().to_owned())
        .map_err(|p| PathError::NotUtf8(p.display().to_string()))
}

/// Bytes of all files under `root`; what cannot be read counts as nothing.
pub fn tree_size(root: &Utf8Path) -> u64 {
    WalkDir::new(root)
        .into_iter()
        .filter_map(|entry| entry.ok()?.metadata().ok())
        .filter(|meta| meta.is_file())
        .map(|meta| meta.len())
        .sum()
}
