//! A copy of the workspace, with its target directory.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use filetime::FileTime;
use walkdir::WalkDir;

use crate::Result;
use crate::subject::{State, Subject};

/// A copy of the workspace.
pub struct Checkout {
    /// Its root, where cargo is started.
    pub dir: PathBuf,
}

/// What is done to a checkout before a build.
#[derive(Clone, Copy, Debug)]
pub enum Change {
    /// Nothing.
    Nothing,
    /// `touch` of the leaf, which is as it came.
    Touch,
    /// The leaf is written, also if its text stays the same.
    Write(State),
}

impl Change {
    /// The state that the checkout is in afterwards.
    pub fn state(self) -> State {
        match self {
            Change::Nothing | Change::Touch => State::Base,
            Change::Write(state) => state,
        }
    }
}

impl Checkout {
    /// A new copy.
    pub fn new(subject: &Subject, dir: PathBuf) -> Result<Checkout> {
        copy_tree(&subject.source, &dir)?;
        Ok(Checkout { dir })
    }

    /// The target directory.
    pub fn target(&self) -> PathBuf {
        self.dir.join("target")
    }

    /// Changes the leaf.
    pub fn change(&self, subject: &Subject, change: Change) -> Result<()> {
        let leaf = self.dir.join(&subject.leaf);
        match change {
            Change::Nothing => {}
            Change::Touch => filetime::set_file_mtime(leaf, FileTime::now())?,
            Change::Write(state) => fs_err::write(leaf, subject.text(state))?,
        }
        Ok(())
    }

    /// `rm -rf target`
    pub fn remove_target(&self) -> Result<()> {
        Ok(fs_err::remove_dir_all(self.target())?)
    }

    /// All that the program prints, without the checkout's path in it.
    pub fn printed(&self, subject: &Subject) -> Result<String> {
        let name = format!("{}{}", subject.program, std::env::consts::EXE_SUFFIX);
        let program = self.target().join("debug").join(name);
        let output = Command::new(&program)
            .current_dir(&self.dir)
            .stdin(Stdio::null())
            .output()
            .map_err(|error| format!("{}: {error}", program.display()))?;
        let stdout = String::from_utf8_lossy(&output.stdout);
        let stderr = String::from_utf8_lossy(&output.stderr);
        let all = format!("{stdout}{stderr}{}", output.status);
        Ok(all.replace(&*self.dir.to_string_lossy(), "<checkout>"))
    }
}

/// Copies a directory, without target directories.
pub fn copy_tree(from: &Path, to: &Path) -> Result<()> {
    let walk = WalkDir::new(from).into_iter();
    for entry in walk.filter_entry(|entry| !entry.path().join("CACHEDIR.TAG").exists()) {
        let entry = entry?;
        let to = to.join(entry.path().strip_prefix(from)?);
        if entry.file_type().is_dir() {
            fs_err::create_dir_all(to)?;
        } else if entry.file_type().is_symlink() {
            link(&fs_err::read_link(entry.path())?, &to)?;
        } else {
            fs_err::copy(entry.path(), to)?;
        }
    }
    Ok(())
}

#[cfg(unix)]
fn link(target: &Path, at: &Path) -> Result<()> {
    Ok(fs_err::os::unix::fs::symlink(target, at)?)
}

#[cfg(not(unix))]
fn link(target: &Path, at: &Path) -> Result<()> {
    let parent = at.parent().unwrap_or(at);
    fs_err::copy(parent.join(target), at)?;
    Ok(())
}

/// How much a directory holds.
#[derive(Clone, Copy, Debug, Default)]
pub struct Size {
    pub files: u64,
    pub bytes: u64,
}

/// Counts the files below a directory, each inode once.
pub fn size(dir: &Path) -> Size {
    let mut size = Size::default();
    let mut seen = std::collections::HashSet::new();
    for entry in WalkDir::new(dir).into_iter().flatten() {
        if let Ok(metadata) = entry.metadata()
            && metadata.is_file()
            && inode(&metadata).is_none_or(|inode| seen.insert(inode))
        {
            size.files += 1;
            size.bytes += metadata.len();
        }
    }
    size
}

#[cfg(unix)]
fn inode(metadata: &std::fs::Metadata) -> Option<u64> {
    Some(std::os::unix::fs::MetadataExt::ino(metadata))
}

#[cfg(not(unix))]
fn inode(_: &std::fs::Metadata) -> Option<u64> {
    None
}
