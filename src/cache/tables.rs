//! Tables of keys by build directory, for explanations.
//!
//! They mean nothing here and nothing depends on them. There are never many:
//! the one that was written longest ago makes room for a new one.

use camino::{Utf8Path, Utf8PathBuf};
use fs_err as fs;

use super::{CacheError, Store};
use crate::unit::Digest;

/// How many build directories have a table.
const KEPT: usize = 32;

impl Store {
    fn tables(&self) -> Utf8PathBuf {
        self.root().join("keys")
    }

    /// The table of one build directory.
    pub fn key_table(&self, name: &Digest) -> Option<Vec<u8>> {
        fs::read(self.tables().join(name.hex())).ok()
    }

    /// All tables but that one, the latest first.
    pub fn other_key_tables(&self, name: &Digest) -> Vec<Vec<u8>> {
        let own = self.tables().join(name.hex());
        let others = by_age(&self.tables()).into_iter().rev();
        others
            .filter(|path| *path != own)
            .filter_map(|path| fs::read(path).ok())
            .collect()
    }

    /// Replaces a table in one step.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn save_key_table(&self, name: &Digest, bytes: &[u8]) -> Result<(), CacheError> {
        self.prepare()?;
        let dir = self.tables();
        let path = dir.join(name.hex());
        let io = |source| CacheError::Io {
            what: "write",
            path: path.clone(),
            source,
        };
        fs::create_dir_all(&dir).map_err(io)?;
        if !path.exists() {
            let old = by_age(&dir);
            for path in old.iter().take((old.len() + 1).saturating_sub(KEPT)) {
                // Somebody else may have removed it.
                let _ = fs::remove_file(path);
            }
        }
        let mut file = tempfile::NamedTempFile::new_in(&dir).map_err(io)?;
        std::io::Write::write_all(&mut file, bytes).map_err(io)?;
        file.persist(&path).map_err(|error| io(error.error))?;
        Ok(())
    }
}

/// The files of a directory, the oldest first.
fn by_age(dir: &Utf8Path) -> Vec<Utf8PathBuf> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let mut files: Vec<_> = entries
        .filter_map(|entry| {
            let modified = entry.metadata().ok()?.modified().ok()?;
            let path = Utf8PathBuf::from_path_buf(entry.path()).ok()?;
            Some((modified, path))
        })
        .collect();
    files.sort();
    files.into_iter().map(|(_, path)| path).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_tables_are_kept() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(Utf8Path::from_path(dir.path()).unwrap());
        let name = |n: u8| Digest::of(&[n]);
        for n in 0..40 {
            store.save_key_table(&name(n), &[n]).unwrap();
        }
        store.save_key_table(&name(39), b"again").unwrap();
        assert_eq!(store.key_table(&name(39)).unwrap(), b"again");
        assert_eq!(store.other_key_tables(&name(39)).len(), KEPT - 1);
        assert_eq!(store.other_key_tables(&name(0)).len(), KEPT);
    }
}
