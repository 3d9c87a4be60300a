//! All knowledge of the store: where it is, what it holds, how it stays whole.
//!
//! The store keeps three things: blobs (the contents of output files, by
//! digest), records (the variants of a unit that were built, by static key) and
//! states (what `plan` remembers, opaque here). This room knows nothing of
//! cargo and must never decide that something is a hit. Whatever is missing or
//! damaged in it is a miss, never an error that stops a build.

pub mod blobs;
pub mod census;
pub mod collect;
pub mod content;
pub mod format;
mod history;
pub mod probe;
pub mod record;
pub mod retention;
pub mod system;
mod tables;
pub mod tree;
pub mod uses;
pub mod verify;

use std::fs::{File, TryLockError};
use std::io::ErrorKind;

use camino::{Utf8Path, Utf8PathBuf};
use fs_err as fs;

use self::blobs::Blobs;
use self::record::Variant;
use crate::fault;
use crate::unit::Digest;

/// The version of everything in the store. Another version lives in another
/// directory, so that two versions of this tool share a machine unharmed.
pub const STORE_VERSION: &str = "v3";

/// How many variants of one unit are kept: a day of edits, not all of history.
const MAX_VARIANTS: usize = 64;

/// What can go wrong with the store. None of it stops a build.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// A file or directory of the store could not be used.
    #[error("could not {what} {path}: {source}")]
    Io {
        /// What was tried.
        what: &'static str,
        /// Where.
        path: Utf8PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// A file in the target directory could not be read or written.
    #[error(transparent)]
    File(#[from] std::io::Error),
    /// cacache could not do it.
    #[error("could not {what} in the cache at {path}: {why}")]
    Store {
        /// What was tried.
        what: &'static str,
        /// The store's directory.
        path: Utf8PathBuf,
        /// cacache's answer.
        why: String,
    },
    /// A blob is missing or does not have its digest.
    #[error("{0} is missing or damaged in the cache")]
    Damaged(String),
    /// There is no place for a cache.
    #[error("found no home directory for the cache; set ZBUILD_CACHE_DIR")]
    NoHome,
}

/// The store.
#[derive(Debug)]
pub struct Store {
    root: Utf8PathBuf,
    blobs: Blobs,
}

/// Keeps the store's contents from being removed while it is held.
#[derive(Debug)]
pub struct StoreGuard {
    _file: Option<File>,
}

impl Store {
    /// Where the store is: at the given place, else `cargo-zbuild` in the
    /// user's cache directory as the platform has it.
    ///
    /// # Errors
    /// When neither is known.
    pub fn place(given: Option<&Utf8Path>) -> Result<Utf8PathBuf, CacheError> {
        use etcetera::BaseStrategy;
        if let Some(dir) = given {
            return Ok(dir.to_owned());
        }
        let base = etcetera::choose_base_strategy().map_err(|_| CacheError::NoHome)?;
        Utf8PathBuf::from_path_buf(base.cache_dir().join("cargo-zbuild"))
            .map_err(|_| CacheError::NoHome)
    }

    /// Opens the store below `dir`. Creates nothing: a store that does not
    /// exist yet is empty.
    pub fn open(dir: &Utf8Path) -> Store {
        let root = dir.join(STORE_VERSION);
        Store {
            blobs: Blobs::new(root.join("store")),
            root,
        }
    }

    /// The blobs.
    pub fn blobs(&self) -> &Blobs {
        &self.blobs
    }

    /// The store's own directory.
    pub fn root(&self) -> &Utf8Path {
        &self.root
    }

    /// Creates what has to exist before something is written; the directory is
    /// private to the user.
    ///
    /// # Errors
    /// When it cannot be created.
    pub fn prepare(&self) -> Result<(), CacheError> {
        let mut builder = std::fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        for dir in [self.root.clone(), self.root.join("state")] {
            builder.create(&dir).map_err(|source| CacheError::Io {
                what: "create",
                path: dir,
                source,
            })?;
        }
        // It may have been copied here, or made before, for all to read.
        #[cfg(unix)]
        if self.is_private() == Some(false) {
            use std::os::unix::fs::PermissionsExt;
            let _ = fs::set_permissions(&self.root, std::fs::Permissions::from_mode(0o700));
        }
        // Whoever holds it for reading only opens what is there.
        let _ = File::options()
            .append(true)
            .create(true)
            .open(self.root.join("lock"));
        Ok(())
    }

    /// Holds the store for reading: what it contains stays until the guard is
    /// dropped. A store that cannot be locked (read-only, not there) is read
    /// without.
    pub fn guard(&self) -> StoreGuard {
        let file = File::open(self.root.join("lock")).ok();
        let file = file.filter(|file| file.lock_shared().is_ok());
        StoreGuard { _file: file }
    }

    /// Holds the store for changing records. Whoever does that holds it for
    /// reading as well (see [`Store::guard`]), always before this one.
    fn exclusive(&self) -> Result<StoreGuard, CacheError> {
        self.lock("write.lock", true)
            .map(|guard| guard.unwrap_or(StoreGuard { _file: None }))
    }

    /// Takes the store for oneself: nobody restores, records or changes
    /// anything. None if somebody does and we are not to wait.
    fn alone(&self, wait: bool) -> Result<Option<StoreGuard>, CacheError> {
        self.lock("lock", wait)
    }

    fn lock(&self, name: &str, wait: bool) -> Result<Option<StoreGuard>, CacheError> {
        let path = self.root.join(name);
        let io = |source| CacheError::Io {
            what: "lock",
            path: path.clone(),
            source,
        };
        let file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(io)?;
        let locked = match wait {
            true => file.lock().map_err(TryLockError::Error),
            false => file.try_lock(),
        };
        match locked {
            Ok(()) => Ok(Some(StoreGuard { _file: Some(file) })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) if error.kind() == ErrorKind::Unsupported => {
                Ok(Some(StoreGuard { _file: None }))
            }
            Err(TryLockError::Error(error)) => Err(io(error)),
        }
    }

    /// The recorded variants of a unit, the most recent first. Empty when
    /// there are none, or when the record is damaged or of another version.
    pub fn variants(&self, key: &Digest) -> Vec<Variant> {
        let bytes = self.blobs.entry(&entry_name(key));
        bytes
            .and_then(|bytes| record::decode(&bytes))
            .unwrap_or_default()
    }

    /// Adds variants to the records of their units. One that is already there
    /// (same inputs, same output) is moved to the front.
    ///
    /// # Errors
    /// When the store cannot be locked or written.
    pub fn add(&self, new: Vec<(Digest, Variant)>) -> Result<(), CacheError> {
        self.change(new, |variants, variant| {
            variants.retain(|old| !old.same_build(&variant));
            variants.insert(0, variant);
            variants.truncate(MAX_VARIANTS);
        })
    }

    /// Sets a variant aside for good: it is never restored again.
    ///
    /// # Errors
    /// When the store cannot be locked or written.
    pub fn distrust(&self, units: Vec<(Digest, Digest)>) -> Result<(), CacheError> {
        self.change(units, |variants, output| {
            for variant in variants.iter_mut().filter(|v| v.output == output) {
                variant.distrusted = true;
            }
        })
    }

    fn change<T>(
        &self,
        units: Vec<(Digest, T)>,
        apply: impl Fn(&mut Vec<Variant>, T),
    ) -> Result<(), CacheError> {
        if units.is_empty() {
            return Ok(());
        }
        self.prepare()?;
        let _guard = self.exclusive()?;
        for (key, change) in units {
            let mut variants = self.variants(&key);
            apply(&mut variants, change);
            self.set_record(&key, &variants)?;
        }
        Ok(())
    }

    fn set_record(&self, key: &Digest, variants: &[Variant]) -> Result<(), CacheError> {
        self.blobs
            .set_entry(&entry_name(key), &record::encode(variants))
    }

    /// A remembered state, as it was saved.
    pub fn state(&self, key: &Digest) -> Option<Vec<u8>> {
        fs::read(self.state_path(key)).ok()
    }

    /// Remembers a state. The file is replaced in one step: a reader sees the
    /// old one or the new one.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn save_state(&self, key: &Digest, bytes: &[u8]) -> Result<(), CacheError> {
        self.prepare()?;
        fault::point("state: before");
        write_whole(&self.state_path(key), bytes)?;
        fault::point("state: written");
        Ok(())
    }

    /// Forgets a state.
    pub fn drop_state(&self, key: &Digest) {
        // Gone already is as good.
        let _ = fs::remove_file(self.state_path(key));
    }

    fn state_path(&self, key: &Digest) -> Utf8PathBuf {
        self.root.join("state").join(key.hex())
    }
}

fn entry_name(key: &Digest) -> String {
    format!("unit/{}", key.hex())
}

/// The unit that an index entry is the record of; none for other entries.
fn unit_of_entry(name: &str) -> Option<Digest> {
    name.strip_prefix("unit/").and_then(Digest::from_hex)
}

/// Replaces a file in one step: whoever reads it sees the old content or the
/// new one.
fn write_whole(path: &Utf8Path, bytes: &[u8]) -> Result<(), CacheError> {
    let io = |source| CacheError::Io {
        what: "write",
        path: path.to_owned(),
        source,
    };
    let dir = path.parent().unwrap_or(path);
    let mut file = tempfile::NamedTempFile::new_in(dir).map_err(io)?;
    std::io::Write::write_all(&mut file, bytes).map_err(io)?;
    fault::point("write: before it is renamed");
    // Another process may read the old one just now.
    let mut file = Some(file);
    system::patiently(|| match file.take().map(|file| file.persist(path)) {
        Some(Err(error)) => {
            file = Some(error.file);
            Err(error.error)
        }
        _ => Ok(()),
    })
    .map_err(io)
}
