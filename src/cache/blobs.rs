//! The one file that names cacache.
//!
//! cacache gives us content-addressed files and an index whose lines carry
//! their own hashes. It knows no blake3, keeps no times and collects no
//! garbage, so a blob is known to us by its blake3 digest as well, and every
//! content file gets one fixed time when it is stored: a file that still has
//! that time and its size has not been written to since. Only when this cheap
//! proof fails is the digest computed again.

use std::io::Write;

use cacache::{Algorithm, Integrity, WriteOpts};
use camino::{Utf8Path, Utf8PathBuf};
use filetime::FileTime;
use fs_err as fs;
use serde::{Deserialize, Serialize};

use super::CacheError;
use crate::unit::Digest;

/// The time of every content file, in seconds since 1970: the one that cargo
/// gives to the files of a packaged crate. Libraries that are hard-linked into
/// target directories have it there too, and being equal everywhere it never
/// makes one of them newer than another.
pub const STORED_TIME: i64 = 1_153_704_088;

/// cacache's own digest only names the file; blake3 is what we rely on.
const ALGORITHM: Algorithm = Algorithm::Xxh3;

/// A content in the store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Blob {
    /// blake3 of the content.
    pub digest: Digest,
    /// Its length in bytes.
    pub size: u64,
    /// cacache's name for it.
    pub name: String,
}

/// The content-addressed files and the index.
#[derive(Debug)]
pub struct Blobs {
    root: Utf8PathBuf,
}

impl Blobs {
    /// The blobs below `root`.
    pub fn new(root: Utf8PathBuf) -> Blobs {
        Blobs { root }
    }

    fn failed(&self, what: &'static str, why: impl ToString) -> CacheError {
        CacheError::Store {
            what,
            path: self.root.clone(),
            why: why.to_string(),
        }
    }

    /// Stores a content, unless it is there already.
    ///
    /// # Errors
    /// When the store cannot be written (full, read-only).
    pub fn put(&self, bytes: &[u8]) -> Result<Blob, CacheError> {
        let digest = if bytes.len() > 1 << 20 {
            Digest(*blake3::Hasher::new().update_rayon(bytes).finalize().as_bytes())
        } else {
            Digest::of(bytes)
        };
        let integrity = ssri::IntegrityOpts::new()
            .algorithm(ALGORITHM)
            .chain(bytes)
            .result();
        let blob = Blob {
            digest,
            size: bytes.len() as u64,
            name: integrity.to_string(),
        };
        if let Some(path) = self.path(&blob)
            && is_untouched(&path, blob.size)
        {
            return Ok(blob);
        }
        let fail = |why: cacache::Error| self.failed("store a file", why);
        let mut writer = WriteOpts::new()
            .algorithm(ALGORITHM)
            .open_hash_sync(&self.root)
            .map_err(fail)?;
        writer
            .write_all(bytes)
            .map_err(|why| self.failed("store a file", why))?;
        writer.commit().map_err(fail)?;
        let path = self
            .path(&blob)
            .ok_or_else(|| self.failed("name a file", &blob.name))?;
        seal(&path).map_err(|why| self.failed("store a file", why))?;
        Ok(blob)
    }

    /// The content file of a blob; none when its name is not one of cacache's.
    pub fn path(&self, blob: &Blob) -> Option<Utf8PathBuf> {
        let integrity: Integrity = blob.name.parse().ok()?;
        if integrity.hashes.len() != 1 {
            return None;
        }
        let (algorithm, hex) = integrity.to_hex();
        // cacache: `content/path.rs`
        Some(
            self.root
                .join("content-v2")
                .join(algorithm.to_string())
                .join(hex.get(0..2)?)
                .join(hex.get(2..4)?)
                .join(hex.get(4..)?),
        )
    }

    /// Makes sure that a blob is what it should be, and returns its file. A
    /// damaged one is removed, so that the next build stores it anew.
    ///
    /// # Errors
    /// When the blob is missing or damaged.
    pub fn verified(&self, blob: &Blob) -> Result<Utf8PathBuf, CacheError> {
        let damaged = || CacheError::Damaged(format!("content {:?}", blob.digest));
        let path = self.path(blob).ok_or_else(damaged)?;
        if is_untouched(&path, blob.size) {
            return Ok(path);
        }
        let bytes = fs::read(&path).map_err(|_| damaged())?;
        if Digest::of(&bytes) == blob.digest {
            // The content is right, only its time was moved.
            let _ = seal(&path);
            return Ok(path);
        }
        let _ = fs::remove_file(&path);
        Err(damaged())
    }

    /// Whether a blob can be restored; see [`Blobs::verified`].
    pub fn has(&self, blob: &Blob) -> bool {
        self.verified(blob).is_ok()
    }

    /// The content of a blob, verified by its digest.
    ///
    /// # Errors
    /// When the blob is missing or damaged.
    pub fn read(&self, blob: &Blob) -> Result<Vec<u8>, CacheError> {
        let damaged = || CacheError::Damaged(format!("content {:?}", blob.digest));
        let path = self.path(blob).ok_or_else(damaged)?;
        let bytes = fs::read(&path).map_err(|_| damaged())?;
        if Digest::of(&bytes) == blob.digest {
            return Ok(bytes);
        }
        let _ = fs::remove_file(&path);
        Err(damaged())
    }

    /// The newest value of an index entry; none when there is none or it is
    /// damaged (cacache checks both the index line and the content).
    pub fn entry(&self, name: &str) -> Option<Vec<u8>> {
        cacache::read_sync(&self.root, name).ok()
    }

    /// Sets an index entry and drops the content of its former value.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn set_entry(&self, name: &str, value: &[u8]) -> Result<(), CacheError> {
        let former = cacache::metadata_sync(&self.root, name).ok().flatten();
        let integrity = cacache::write_sync_with_algo(ALGORITHM, &self.root, name, value)
            .map_err(|why| self.failed("write a record", why))?;
        if let Some(former) = former
            && former.integrity != integrity
        {
            let _ = cacache::remove_hash_sync(&self.root, &former.integrity);
        }
        Ok(())
    }
}

/// The cheap proof: size and time are those that the file was stored with.
fn is_untouched(path: &Utf8Path, size: u64) -> bool {
    fs::metadata(path).is_ok_and(|meta| {
        meta.len() == size
            && FileTime::from_last_modification_time(&meta)
                == FileTime::from_unix_time(STORED_TIME, 0)
    })
}

/// Gives a content file the mode and the time by which it is known. It stays
/// writable: rustc refuses to replace a read-only output that is linked to it.
fn seal(path: &Utf8Path) -> std::io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(path, std::fs::Permissions::from_mode(0o644))?;
    }
    filetime::set_file_mtime(path, FileTime::from_unix_time(STORED_TIME, 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blobs() -> (tempfile::TempDir, Blobs) {
        let dir = tempfile::tempdir().unwrap();
        let root = Utf8PathBuf::from_path_buf(dir.path().join("s")).unwrap();
        (dir, Blobs::new(root))
    }

    #[test]
    fn stores_once_and_reads_back() {
        let (_dir, blobs) = blobs();
        let one = blobs.put(b"hello").unwrap();
        assert_eq!(blobs.put(b"hello").unwrap(), one);
        assert_eq!(blobs.read(&one).unwrap(), b"hello");
        assert!(blobs.has(&one));
    }

    #[test]
    fn damage_is_noticed_and_repaired_by_storing_again() {
        let (_dir, blobs) = blobs();
        let blob = blobs.put(b"hello").unwrap();
        let path = blobs.path(&blob).unwrap();
        for damage in [&b"hellO"[..], b"hell", b"", b"hello, world"] {
            fs::write(&path, damage).unwrap();
            assert!(!blobs.has(&blob), "{damage:?}");
            assert!(!path.exists(), "a damaged blob is removed");
            assert_eq!(blobs.put(b"hello").unwrap(), blob);
            assert!(blobs.has(&blob));
        }
        fs::remove_file(&path).unwrap();
        assert!(!blobs.has(&blob));
    }

    #[test]
    fn a_moved_time_alone_is_no_damage() {
        let (_dir, blobs) = blobs();
        let blob = blobs.put(b"hello").unwrap();
        let path = blobs.path(&blob).unwrap();
        filetime::set_file_mtime(&path, FileTime::now()).unwrap();
        assert!(blobs.has(&blob));
        assert!(is_untouched(&path, 5));
    }

    #[test]
    fn entries_are_replaced() {
        let (_dir, blobs) = blobs();
        assert_eq!(blobs.entry("a"), None);
        blobs.set_entry("a", b"1").unwrap();
        blobs.set_entry("a", b"2").unwrap();
        assert_eq!(blobs.entry("a").unwrap(), b"2");
    }
}
