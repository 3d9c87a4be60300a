//! The one file that names cacache.
//!
//! cacache gives us content-addressed files and an index whose lines carry
//! their own hashes. It knows no blake3, keeps no times and collects no
//! garbage, so a blob is known to us by its blake3 digest as well. A content
//! file that still has its size and the time it is known to have was not
//! written to since: this is the cheap proof, and only when it fails is the
//! digest computed again. Most content files have one fixed time; for one that
//! has another, a *seal* beside it notes which.
//!
//! A content file may share its inode with a target directory (see
//! [`Blobs::adopt`]). Whatever is written into it there moves its time, so it
//! is noticed here before it is used again, and built anew.

use std::collections::BTreeSet;
use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};

use cacache::{Algorithm, Integrity, WriteOpts};
use camino::{Utf8Path, Utf8PathBuf};
use filetime::FileTime;
use fs_err as fs;
use serde::{Deserialize, Serialize};

use super::content::{Content, Source, digest};
use super::{CacheError, system};
use crate::fault;
use crate::unit::Digest;

/// The time of every content file, in seconds since 1970: the one that cargo
/// gives to the files of a packaged crate. Libraries that are hard-linked into
/// target directories have it there too, and being equal everywhere it never
/// makes one of them newer than another.
pub const STORED_TIME: i64 = 1_153_704_088;

/// Where cacache keeps contents.
pub(super) const CONTENT_DIR: &str = "content-v2";

/// Where cacache keeps its index.
pub(super) const INDEX_DIR: &str = "index-v5";

/// Where the seals are.
pub(super) const SEALS_DIR: &str = "seals";

/// cacache's own digest only names the file; blake3 is what we rely on.
pub(super) const ALGORITHM: Algorithm = Algorithm::Xxh3;

/// A content in the store.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Blob {
    /// blake3 of the content.
    pub digest: Digest,
    /// Its length in bytes.
    pub size: u64,
    /// cacache's digest of it, in hexadecimal: the name of its file.
    pub name: String,
}

/// The content-addressed files and the index.
#[derive(Debug)]
pub struct Blobs {
    root: Utf8PathBuf,
    added: AtomicU64,
}

/// How a content is found to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It has its digest.
    Whole,
    /// It is not there.
    Missing,
    /// It cannot be read, or is something else.
    Damaged,
}

/// What is known of an index entry.
#[derive(Clone, Debug)]
pub struct EntryFacts {
    /// The content file of its value; none if its name makes no sense.
    pub content: Option<Utf8PathBuf>,
    /// When it was written, in seconds since 1970.
    pub written: u64,
}

impl Blobs {
    /// The blobs below `root`.
    pub fn new(root: Utf8PathBuf) -> Blobs {
        Blobs {
            root,
            added: AtomicU64::new(0),
        }
    }

    /// How many bytes were stored so far that had not been there.
    pub fn added(&self) -> u64 {
        self.added.load(Ordering::Relaxed)
    }

    fn failed(&self, what: &'static str, why: impl ToString) -> CacheError {
        CacheError::Store {
            what,
            path: self.root.clone(),
            why: why.to_string(),
        }
    }

    /// Stores these bytes, unless they are there already.
    ///
    /// # Errors
    /// When the store cannot be written (full, read-only).
    pub fn put(&self, bytes: &[u8]) -> Result<Blob, CacheError> {
        self.store(Content::of_bytes(bytes))
    }

    /// Stores a content, unless it is there already.
    ///
    /// # Errors
    /// When the store cannot be written (full, read-only), or the content's file
    /// is not what it was.
    pub fn store(&self, content: Content<'_>) -> Result<Blob, CacheError> {
        let Content { blob, source } = content;
        if self.is_intact(&blob) {
            return Ok(blob);
        }
        let fail = |why: cacache::Error| self.failed("store a file", why);
        let mut writer = WriteOpts::new()
            .algorithm(ALGORITHM)
            .open_hash_sync(&self.root)
            .map_err(fail)?;
        let written = match source {
            Source::Bytes(bytes) => writer.write_all(bytes),
            Source::File(path) => fs::File::open(path)
                .and_then(|mut file| std::io::copy(&mut file, &mut writer))
                .map(|_| ()),
        };
        written.map_err(|why| self.failed("store a file", why))?;
        let stored = writer.commit().map_err(fail)?;
        if stored.to_hex().1 != blob.name {
            return Err(self.failed("store a file", "it was changed meanwhile"));
        }
        fault::point("put: content written");
        self.added.fetch_add(blob.size, Ordering::Relaxed);
        let path = self.known_path(&blob)?;
        settle(&path).map_err(|why| self.failed("store a file", why))?;
        Ok(blob)
    }

    /// Stores the content of a file by sharing its inode where that is
    /// possible, by copying otherwise. Only for files that their makers replace
    /// and never write into.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn adopt(&self, file: &Utf8Path, content: Content<'_>) -> Result<Blob, CacheError> {
        let blob = &content.blob;
        if self.is_intact(blob) {
            return Ok(content.blob);
        }
        let path = self.known_path(blob)?;
        if let Some(dir) = path.parent() {
            fs::create_dir_all(dir).map_err(|why| self.failed("store a file", why))?;
        }
        let _ = fs::remove_file(&path);
        let linked = fs::hard_link(file, &path).is_ok();
        fault::point("adopt: linked");
        if linked && self.seal(blob).is_ok() {
            self.added.fetch_add(blob.size, Ordering::Relaxed);
            return Ok(content.blob);
        }
        let _ = fs::remove_file(&path);
        self.store(content)
    }

    /// Notes the time that a content file has now as the one it is known by.
    fn seal(&self, blob: &Blob) -> Result<(), CacheError> {
        let path = self.known_path(blob)?;
        let fail = |why: std::io::Error| self.failed("seal a file", why);
        let time = fs::metadata(&path)
            .map(|meta| FileTime::from_last_modification_time(&meta))
            .map_err(fail)?;
        let seal = self.seal_path(blob);
        if let Some(dir) = seal.parent() {
            fs::create_dir_all(dir).map_err(fail)?;
        }
        let text = format!("{} {}", time.unix_seconds(), time.nanoseconds());
        fs::write(seal, text).map_err(fail)
    }

    fn seal_path(&self, blob: &Blob) -> Utf8PathBuf {
        let hex = blob.digest.hex();
        self.root.join(SEALS_DIR).join(&hex[..2]).join(&hex[2..])
    }

    /// The cheap proof that a content file is what was stored.
    fn is_intact(&self, blob: &Blob) -> bool {
        let Some(meta) = self.path(blob).and_then(|path| fs::metadata(path).ok()) else {
            return false;
        };
        let time = FileTime::from_last_modification_time(&meta);
        meta.len() == blob.size
            && (time == stored_time()
                || fs::read_to_string(self.seal_path(blob)).is_ok_and(|seal| {
                    seal == format!("{} {}", time.unix_seconds(), time.nanoseconds())
                }))
    }

    fn known_path(&self, blob: &Blob) -> Result<Utf8PathBuf, CacheError> {
        self.path(blob)
            .ok_or_else(|| self.failed("name a file", &blob.name))
    }

    /// The content file of a blob; none when its name is not one of cacache's.
    pub fn path(&self, blob: &Blob) -> Option<Utf8PathBuf> {
        let hex = blob.name.as_str();
        let is_digit = |c: u8| c.is_ascii_digit() || (b'a'..=b'f').contains(&c);
        if hex.len() != 32 || !hex.bytes().all(is_digit) {
            return None;
        }
        // cacache: `content/path.rs`
        Some(
            self.root
                .join(CONTENT_DIR)
                .join(ALGORITHM.to_string())
                .join(&hex[..2])
                .join(&hex[2..4])
                .join(&hex[4..]),
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
        if self.is_intact(blob) {
            return Ok(path);
        }
        let bytes = fs::read(&path).map_err(|_| damaged())?;
        if digest(&bytes) == blob.digest {
            // The content is right, only its time was moved. It stays where
            // it is: the inode may belong to a target directory as well.
            let _ = self.seal(blob);
            return Ok(path);
        }
        let _ = fs::remove_file(&path);
        Err(damaged())
    }

    /// Makes sure that a blob's content file has the stored time, so that it
    /// can be linked to any number of trees, and returns it. A file that some
    /// tree has with another time is left to that tree.
    ///
    /// # Errors
    /// When the blob is missing or damaged, or cannot be copied.
    pub fn aged(&self, blob: &Blob) -> Result<Utf8PathBuf, CacheError> {
        let path = self.verified(blob)?;
        let meta = fs::metadata(&path)?;
        if FileTime::from_last_modification_time(&meta) == stored_time() {
            return Ok(path);
        }
        if links(&path)? == Some(1) {
            settle(&path)?;
        } else {
            let dir = path.parent().unwrap_or(&self.root);
            let mut file = tempfile::NamedTempFile::new_in(dir)?;
            std::io::copy(&mut fs::File::open(&path)?, &mut file)?;
            // Linked into trees, it has to be as executable as it was.
            file.as_file().set_permissions(meta.permissions())?;
            file.persist(&path).map_err(|error| error.error)?;
            fault::point("aged: copied");
            settle(&path)?;
        }
        Ok(path)
    }

    /// Links a content file that no other tree has into one, with the given
    /// time. `names` are those that it may have there: where two variants of a
    /// unit have a file in common, it is in its place already. False when
    /// another tree has it, or when it cannot be linked: then it has to be
    /// copied.
    ///
    /// # Errors
    /// When the blob is missing or damaged.
    pub fn lend(
        &self,
        blob: &Blob,
        to: &Utf8Path,
        names: &BTreeSet<Utf8PathBuf>,
        time: FileTime,
    ) -> Result<bool, CacheError> {
        let path = self.verified(blob)?;
        let own = system::identity(&path)?;
        let is_it = |name: &Utf8Path| {
            system::identity(name).is_ok_and(|id| id.inode == own.inode && id == own)
        };
        let here = names.iter().filter(|name| is_it(name)).count() as u64;
        if own.inode == 0 || own.links != Some(1 + here) {
            return Ok(false);
        }
        if !is_it(to) && super::tree::link(&path, to).is_err() {
            return Ok(false);
        }
        fault::point("lend: linked");
        system::set_time(&path, time)?;
        fault::point("lend: dated");
        // Without the seal its digest would have to be computed next time.
        self.seal(blob)?;
        Ok(true)
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
        if digest(&bytes) == blob.digest {
            return Ok(bytes);
        }
        let _ = fs::remove_file(&path);
        Err(damaged())
    }

    /// Reads a content and compares it with its digest. Changes nothing.
    pub fn check(&self, blob: &Blob) -> State {
        let Some(path) = self.path(blob).filter(|path| path.exists()) else {
            return State::Missing;
        };
        match fs::read(path) {
            Ok(bytes) if digest(&bytes) == blob.digest => State::Whole,
            _ => State::Damaged,
        }
    }

    /// Removes a content that turned out to be of no use.
    pub fn discard(&self, blob: &Blob) {
        if let Some(path) = self.path(blob) {
            // Gone already is as good.
            let _ = fs::remove_file(path);
        }
    }

    /// The newest value of an index entry; none when there is none or it is
    /// damaged (cacache checks both the index line and the content).
    pub fn entry(&self, name: &str) -> Option<Vec<u8>> {
        let integrity = self.entry_integrity(name)?.0;
        cacache::read_hash_sync(&self.root, &integrity).ok()
    }

    /// What an index entry refers to, and when it was written in milliseconds
    /// since 1970. None when it is damaged: ssri panics about digests that are
    /// not well-formed.
    fn entry_integrity(&self, name: &str) -> Option<(Integrity, u128)> {
        let found = cacache::metadata_sync(&self.root, name).ok().flatten()?;
        let well_formed = match found.integrity.hashes.as_slice() {
            [hash] => hash.algorithm == ALGORITHM && is_base64_of_16(&hash.digest),
            _ => false,
        };
        well_formed.then_some((found.integrity, found.time))
    }

    /// Sets an index entry and drops the content of its former value. cacache
    /// appends to the entry's file and reads it up to the first line that is no
    /// text: behind such damage nothing would ever be found again, so the file
    /// is begun anew.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn set_entry(&self, name: &str, value: &[u8]) -> Result<(), CacheError> {
        let former = self.entry_integrity(name).map(|(former, _)| former);
        let write = || {
            cacache::write_sync_with_algo(ALGORITHM, &self.root, name, value)
                .map_err(|why| self.failed("write a record", why))
        };
        let mut integrity = write()?;
        if self.entry_integrity(name).is_none() {
            // It has no value that `remove_fully` could stumble over.
            cacache::RemoveOpts::new()
                .remove_fully(true)
                .remove_sync(&self.root, name)
                .map_err(|why| self.failed("replace a damaged record", why))?;
            integrity = write()?;
        }
        fault::point("record: written");
        if let Some(former) = former
            && former != integrity
        {
            let _ = cacache::remove_hash_sync(&self.root, &former);
        }
        Ok(())
    }

    /// What is known of an index entry; none when there is none.
    pub fn entry_facts(&self, name: &str) -> Option<EntryFacts> {
        let (integrity, time) = self.entry_integrity(name)?;
        let blob = Blob {
            digest: Digest([0; 32]),
            size: 0,
            name: integrity.to_hex().1,
        };
        Some(EntryFacts {
            content: self.path(&blob),
            written: u64::try_from(time / 1000).unwrap_or_default(),
        })
    }

    /// Writes an entry's index file anew, without the lines of former values.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn compact(&self, name: &str, bucket: &Utf8Path) -> Result<(), CacheError> {
        let value = self.entry(name);
        fs::remove_file(bucket)?;
        value.map_or(Ok(()), |value| self.set_entry(name, &value))
    }
}

/// Whether a text is sixteen bytes in base64, with no bit left over.
fn is_base64_of_16(text: &str) -> bool {
    let Some(digits) = text.strip_suffix("==") else {
        return false;
    };
    let is_digit = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'+' | b'/');
    digits.len() == 22 && digits.bytes().all(is_digit) && digits.ends_with(['A', 'Q', 'g', 'w'])
}

fn stored_time() -> FileTime {
    FileTime::from_unix_time(STORED_TIME, 0)
}

/// How many names a file has; none where the system does not tell.
fn links(path: &Utf8Path) -> std::io::Result<Option<u64>> {
    system::identity(path).map(|identity| identity.links)
}

/// Gives a content file the stored time, and makes it readable like any other
/// output. It stays writable: rustc refuses to replace a read-only output.
fn settle(path: &Utf8Path) -> std::io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(path)?.permissions().mode();
        if mode & 0o777 == 0o600 {
            // cacache makes them private; the store's directory is.
            fs::set_permissions(path, std::fs::Permissions::from_mode(0o644))?;
        }
    }
    system::set_time(path, stored_time())
}

#[cfg(test)]
mod tests;
