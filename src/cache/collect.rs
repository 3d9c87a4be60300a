//! Collection: keeps the store within its bounds.
//!
//! What goes is decided by [`super::retention`]. Nothing is removed while a
//! build restores or records: the store is taken for ourselves first, and
//! whoever comes meanwhile waits for the short time that removing takes. The
//! order is such that a crash leaves contents without a record, which the next
//! collection removes, and never a record that lost its contents half-way.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use camino::{Utf8Path, Utf8PathBuf};
use fs_err as fs;

use super::blobs::{INDEX_DIR, SEALS_DIR};
use super::census::{Census, Known, files_below};
use super::retention::{self, Content, Item, Limits};
use super::uses::{DAY, Uses};
use super::{CacheError, Store, system, unit_of_entry};
use crate::fault;
use crate::unit::Digest;

/// Leftovers of writers that were killed are removed after this long, in
/// seconds.
const LEFTOVER_AGE: u64 = 3600;

/// An index file with more lines than this is written anew.
const MAX_LINES: usize = 16;

/// Notes about toolchains and macros are made anew in seconds.
const NOTE_AGE: u64 = 60 * DAY;

/// A size as a number of bytes or as a part of the file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// Bytes.
    Bytes(u64),
    /// Per cent of the file system that the store is on.
    Percent(u8),
}

/// The bounds, as they are asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bounds {
    /// How much the store may take; several bounds: the smallest counts.
    pub max_size: [Option<Size>; 2],
    /// How long something may stay unused, in seconds.
    pub max_age: Option<u64>,
    /// How much of the file system is to stay free.
    pub min_free: Option<Size>,
}

impl Bounds {
    /// The bound on the size in bytes, where there is one.
    pub fn max_bytes(&self, store: &Store) -> Option<u64> {
        let total = || fs4::total_space(existing(store)).ok();
        let bytes = self.max_size.iter().flatten();
        bytes.filter_map(|size| in_bytes(*size, total)).min()
    }

    /// Bytes that are missing on the file system.
    fn missing(&self, store: &Store) -> u64 {
        let total = || fs4::total_space(existing(store)).ok();
        let wanted = self.min_free.and_then(|size| in_bytes(size, total));
        let free = || fs4::available_space(existing(store)).ok();
        match wanted {
            Some(wanted) => free().map_or(0, |free| wanted.saturating_sub(free)),
            None => 0,
        }
    }
}

fn in_bytes(size: Size, total: impl Fn() -> Option<u64>) -> Option<u64> {
    match size {
        Size::Bytes(bytes) => Some(bytes),
        Size::Percent(percent) => Some(total()? / 100 * u64::from(percent)),
    }
}

/// The store's directory or the nearest one above it that exists.
pub(super) fn existing(store: &Store) -> &std::path::Path {
    let dirs = store.root().ancestors();
    let mut existing = dirs.filter(|dir| dir.is_dir());
    existing.next().unwrap_or(store.root()).as_std_path()
}

/// What becomes of a remembered state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tidied {
    /// It stays.
    Keep,
    /// It is of no use any more.
    Drop,
    /// Parts of it are of no use any more.
    Replace(Vec<u8>),
}

/// How to collect.
pub struct Request<'a> {
    /// The bounds.
    pub bounds: Bounds,
    /// Only say what would go.
    pub dry_run: bool,
    /// Wait for builds that use the store; otherwise leave it for another time.
    pub wait: bool,
    /// Stop removing after this long; the next collection goes on.
    pub budget: Option<Duration>,
    /// Judges remembered states, which this room cannot read.
    pub tidy: &'a dyn Fn(&[u8]) -> Tidied,
    /// Now, in seconds since 1970.
    pub now: u64,
}

/// What a collection did, or would do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Collected {
    /// Bytes before.
    pub before: u64,
    /// Bytes afterwards.
    pub after: u64,
    /// Variants that were recorded.
    pub variants: usize,
    /// Variants that went.
    pub evicted: usize,
    /// Content files that went.
    pub contents: usize,
    /// Of the bytes that went, those that target directories have as well:
    /// they are free only once those are gone, too.
    pub shared: u64,
    /// Remembered states that went.
    pub states: usize,
    /// Leftovers of writers that were killed.
    pub leftovers: usize,
}

impl Store {
    /// Collects. None if the store is in use and the request does not wait.
    ///
    /// # Errors
    /// When something cannot be written or removed.
    pub fn collect(&self, request: &Request<'_>) -> Result<Option<Collected>, CacheError> {
        if !self.root().is_dir() {
            return Ok(Some(Collected::default()));
        }
        let mut census = Census::take(self);
        let alone = match request.dry_run {
            true => None,
            false => match self.alone(request.wait)? {
                Some(alone) => Some(alone),
                None => return Ok(None),
            },
        };
        if alone.is_some() {
            census.renew(self);
        }
        let uses = Uses::read(self);
        // Counted from here, so that each collection gets somewhere.
        let begun = Instant::now();
        let out_of_time = || {
            request
                .budget
                .is_some_and(|budget| begun.elapsed() > budget)
        };
        let mut done = Collected {
            before: census.size(),
            variants: variants(&census).count(),
            ..Collected::default()
        };

        let mut gone: HashMap<String, Vec<Known>> = HashMap::new();
        for (name, known) in self.evictions(&census, &uses, request) {
            gone.entry(name.to_owned()).or_default().push(known.clone());
        }
        done.evicted = gone.values().map(Vec::len).sum();
        if request.dry_run {
            census.forget(&gone, |written| is_stale_note(written, request.now));
        } else {
            self.remove_records(&census, &gone, request.now, &out_of_time)?;
            census.renew(self);
        }
        let mut removed = 0;
        for path in census.orphans(self.blobs()) {
            if out_of_time() {
                break;
            }
            let file = census.contents[path];
            done.contents += 1;
            removed += file.size;
            done.shared += if file.shared { file.size } else { 0 };
            if !request.dry_run {
                remove(path)?;
                fault::point("collect: content");
            }
        }
        done.after = census.size().saturating_sub(removed);
        if request.dry_run {
            return Ok(Some(done));
        }
        let named = variants(&census).flat_map(|known| &known.blobs);
        self.remove_seals(&named.map(|blob| blob.digest.hex()).collect())?;
        done.leftovers = self.remove_leftovers(request.now)?;
        done.states = self.tidy_states(request)?;
        let outputs = variants(&census).map(|known| known.output).collect();
        uses.save(self, &outputs)?;
        if !out_of_time() {
            self.note_collection(done.after, request.now)?;
        }
        Ok(Some(done))
    }

    /// Removes what is to go from the index.
    fn remove_records(
        &self,
        census: &Census,
        gone: &HashMap<String, Vec<Known>>,
        now: u64,
        out_of_time: &dyn Fn() -> bool,
    ) -> Result<(), CacheError> {
        for entry in &census.entries {
            if out_of_time() {
                return Ok(());
            }
            match (unit_of_entry(&entry.name), gone.get(&entry.name)) {
                (Some(unit), Some(evicted)) => self.evict(&unit, &entry.bucket, evicted)?,
                // Of another version, or damaged.
                (Some(_), None) if entry.variants.is_none() => remove(&entry.bucket)?,
                (None, _) if is_stale_note(entry.written, now) => remove(&entry.bucket)?,
                _ if entry.lines > MAX_LINES => {
                    self.blobs().compact(&entry.name, &entry.bucket)?;
                }
                _ => {}
            }
            fault::point("collect: record");
        }
        census.junk.iter().try_for_each(|bucket| remove(bucket))
    }

    /// The variants that are to go.
    fn evictions<'a>(
        &self,
        census: &'a Census,
        uses: &Uses,
        request: &Request<'_>,
    ) -> Vec<(&'a str, &'a Known)> {
        let mut positions: HashMap<Utf8PathBuf, usize> = HashMap::new();
        let mut contents: Vec<Content> = Vec::new();
        let mut items = Vec::new();
        let mut known = Vec::new();
        let mut in_records = 0;
        for entry in &census.entries {
            let content = entry.content.as_ref();
            in_records += content.map_or(0, |path| census.contents.get(path).map_or(0, |f| f.size));
            let Some(unit) = unit_of_entry(&entry.name) else {
                continue;
            };
            for variant in entry.variants.iter().flatten() {
                let mut of_item = Vec::new();
                for path in variant.blobs.iter().filter_map(|b| self.blobs().path(b)) {
                    let Some(file) = census.contents.get(&path) else {
                        continue;
                    };
                    let at = *positions.entry(path).or_insert_with(|| {
                        contents.push(Content {
                            size: file.size,
                            frees: !file.shared,
                        });
                        contents.len() - 1
                    });
                    if !of_item.contains(&at) {
                        of_item.push(at);
                    }
                }
                let used = uses.of(&variant.output);
                items.push(Item {
                    unit,
                    build_ms: variant.build_ms,
                    last_used: used.last.max(variant.recorded),
                    days: used.days,
                    contents: of_item,
                });
                known.push((entry.name.as_str(), variant));
            }
        }
        let limits = Limits {
            // Records and the index take their part of it.
            max_size: request
                .bounds
                .max_bytes(self)
                .map(|max| max.saturating_sub(census.index_size + in_records)),
            max_age: request.bounds.max_age,
            to_free: request.bounds.missing(self),
        };
        let gone = retention::to_evict(&items, &contents, &limits, request.now);
        gone.into_iter().map(|at| known[at]).collect()
    }

    /// Takes variants out of a record.
    pub(super) fn evict(
        &self,
        unit: &Digest,
        bucket: &Utf8Path,
        evicted: &[Known],
    ) -> Result<(), CacheError> {
        let mut variants = self.variants(unit);
        variants.retain(|variant| !evicted.iter().any(|known| known.is(variant)));
        // An empty record is none, and a bucket that is written anew has lost
        // the lines of its past.
        remove(bucket)?;
        if !variants.is_empty() {
            self.set_record(unit, &variants)?;
        }
        Ok(())
    }

    fn remove_seals(&self, named: &HashSet<String>) -> Result<(), CacheError> {
        let dir = self.root().join("store").join(SEALS_DIR);
        for (path, _) in files_below(&dir) {
            let inside = path
                .strip_prefix(&dir)
                .map(|p| p.as_str().replace(['/', '\\'], ""));
            if !inside.is_ok_and(|hex| named.contains(&hex)) {
                remove(&path)?;
            }
        }
        Ok(())
    }

    /// Temporary files of processes that were killed.
    fn remove_leftovers(&self, now: u64) -> Result<usize, CacheError> {
        let mut count = 0;
        for dir in ["store/tmp", "state", "used", ""] {
            let dir = self.root().join(dir);
            let entries = walkdir::WalkDir::new(&dir).max_depth(1).into_iter();
            for entry in entries
                .flatten()
                .filter(|entry| entry.file_type().is_file())
            {
                let name = entry.file_name().to_string_lossy();
                let modified = entry.metadata().ok().and_then(|meta| meta.modified().ok());
                let is_old = modified.is_some_and(|time| seconds(time) + LEFTOVER_AGE < now);
                if name.starts_with(".tmp") && is_old {
                    remove_std(entry.path())?;
                    count += 1;
                }
            }
        }
        Ok(count)
    }

    fn tidy_states(&self, request: &Request<'_>) -> Result<usize, CacheError> {
        let mut count = 0;
        for (path, meta) in files_below(&self.root().join("state")) {
            if path
                .file_name()
                .is_some_and(|name| name.starts_with(".tmp"))
            {
                continue;
            }
            let age = meta
                .modified()
                .map_or(0, |time| request.now.saturating_sub(seconds(time)));
            let is_old = request.bounds.max_age.is_some_and(|max| age > max);
            let tidied = match is_old {
                true => Tidied::Drop,
                false => (request.tidy)(&fs::read(&path).unwrap_or_default()),
            };
            match tidied {
                Tidied::Keep => {}
                Tidied::Drop => {
                    remove(&path)?;
                    count += 1;
                }
                Tidied::Replace(bytes) => super::write_whole(&path, &bytes)?,
            }
            fault::point("collect: state");
        }
        Ok(count)
    }

    /// Removes everything in the store, as if it had never been.
    ///
    /// # Errors
    /// When something cannot be removed.
    pub fn clear(&self) -> Result<u64, CacheError> {
        if !self.root().is_dir() {
            return Ok(0);
        }
        let _alone = self.alone(true)?;
        let size = files_below(self.root()).map(|(_, meta)| meta.len()).sum();
        // States first: without them nothing is believed to be in place. Then
        // the index: contents without a record are only leftovers.
        let mut paths = vec![
            self.root().join("state"),
            self.root().join("store").join(INDEX_DIR),
        ];
        for entry in self.root().read_dir_utf8()?.flatten() {
            // Those who wait for the lock files wait for these very files.
            if !entry.file_name().ends_with("lock") {
                paths.push(entry.into_path());
            }
        }
        for path in paths {
            match path.is_dir() {
                true => system::patiently(|| fs::remove_dir_all(&path))?,
                false => remove(&path)?,
            }
            fault::point("clear");
        }
        Ok(size)
    }
}

fn variants(census: &Census) -> impl Iterator<Item = &Known> {
    census
        .entries
        .iter()
        .flat_map(|e| e.variants.iter().flatten())
}

fn is_stale_note(written: u64, now: u64) -> bool {
    now.saturating_sub(written) > NOTE_AGE
}

fn seconds(time: std::time::SystemTime) -> u64 {
    let since = time.duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}

pub(super) fn remove(path: &Utf8Path) -> Result<(), CacheError> {
    remove_std(path.as_std_path())
}

/// Somebody else may have been quicker.
fn remove_std(path: &std::path::Path) -> Result<(), CacheError> {
    match system::patiently(|| fs::remove_file(path)) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}
