//! What the file systems under the store and under a target directory can do
//! for each other, found by trying.

use camino::Utf8Path;

use super::Store;
use super::collect::existing;

/// How files get from the store into a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ways {
    /// They can share their blocks (copy on write).
    pub reflinks: bool,
    /// They can be the same file.
    pub hard_links: bool,
}

impl Store {
    /// Tries what works between the store and a directory, with files that are
    /// removed again.
    ///
    /// # Errors
    /// When nothing can be written there.
    pub fn ways_to(&self, dir: &Utf8Path) -> std::io::Result<Ways> {
        let mut source = tempfile::NamedTempFile::new_in(existing(self))?;
        std::io::Write::write_all(&mut source, &[7; 8192])?;
        let place = tempfile::tempdir_in(dir)?;
        let clone = reflink_copy::reflink(source.path(), place.path().join("clone"));
        let link = fs_err::hard_link(source.path(), place.path().join("link"));
        Ok(Ways {
            reflinks: clone.is_ok(),
            hard_links: link.is_ok(),
        })
    }

    /// Bytes of the file system that the store is on: all, and those free to
    /// this user. None where the system does not tell.
    pub fn disk(&self) -> Option<(u64, u64)> {
        let dir = existing(self);
        Some((fs4::total_space(dir).ok()?, fs4::available_space(dir).ok()?))
    }

    /// Whether others than the user can read the store or write to it. None
    /// where the system has no such modes, or no store is there.
    pub fn is_private(&self) -> Option<bool> {
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let meta = std::fs::metadata(self.root()).ok()?;
            Some(meta.permissions().mode() & 0o077 == 0)
        }
        #[cfg(not(unix))]
        None
    }
}
