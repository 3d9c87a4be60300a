//! What is in the store: every record, every content, and what belongs to
//! nothing.
//!
//! Taken without stopping anybody; whoever wants to remove something takes the
//! store for itself and calls [`Census::renew`], which only reads again what
//! changed since.

use std::collections::{HashMap, HashSet};

use camino::{Utf8Path, Utf8PathBuf};
use fs_err as fs;
use rayon::prelude::*;

use super::blobs::{Blob, Blobs, CONTENT_DIR, INDEX_DIR};
use super::record::{self, Variant};
use super::{Store, unit_of_entry};
use crate::unit::Digest;

/// A file, by what tells whether it changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    size: u64,
    modified: Option<std::time::SystemTime>,
}

/// An index entry of the store.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// The file that it is in.
    pub bucket: Utf8PathBuf,
    /// The content file of its value.
    pub content: Option<Utf8PathBuf>,
    /// When it was written, in seconds since 1970.
    pub written: u64,
    /// How many values were written to it; older ones take room in the bucket.
    pub lines: usize,
    /// For a unit's record, its variants; none if it cannot be read.
    pub variants: Option<Vec<Known>>,
}

/// A recorded variant, as far as its room goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// The digest of its output.
    pub output: Digest,
    /// Seconds since 1970.
    pub recorded: u64,
    /// Milliseconds.
    pub build_ms: u64,
    /// Its contents, the pack first.
    pub blobs: Vec<Blob>,
}

impl Known {
    /// Whether this is that variant.
    pub fn is(&self, variant: &Variant) -> bool {
        self.output == variant.output
            && self.recorded == variant.recorded
            && self.blobs.first() == Some(&variant.pack)
    }
}

impl From<&Variant> for Known {
    fn from(variant: &Variant) -> Known {
        let files = variant.files.iter().map(|file| file.blob.clone());
        Known {
            output: variant.output,
            recorded: variant.recorded,
            build_ms: variant.build_ms,
            blobs: std::iter::once(variant.pack.clone()).chain(files).collect(),
        }
    }
}

/// A content file.
#[derive(Clone, Copy, Debug)]
pub struct ContentFile {
    /// Its length in bytes.
    pub size: u64,
    /// Whether a target directory has it too, so that removing it here frees
    /// nothing. False where the system does not tell.
    pub shared: bool,
}

/// All that there is.
#[derive(Debug, Default)]
pub struct Census {
    /// The index.
    pub entries: Vec<Entry>,
    /// Index files that hold no entry that can be read.
    pub junk: Vec<Utf8PathBuf>,
    /// The content files.
    pub contents: HashMap<Utf8PathBuf, ContentFile>,
    /// Bytes of the index.
    pub index_size: u64,
    stamps: HashMap<Utf8PathBuf, Stamp>,
}

impl Census {
    /// Looks at everything.
    pub fn take(store: &Store) -> Census {
        let mut census = Census::default();
        census.renew(store);
        census
    }

    /// Looks again: contents are listed anew, records only read if their index
    /// file changed.
    pub fn renew(&mut self, store: &Store) {
        let root = store.root().join("store");
        let mut stamps = HashMap::new();
        self.index_size = 0;
        for (path, meta) in files_below(&root.join(INDEX_DIR)) {
            self.index_size += meta.len();
            let stamp = Stamp {
                size: meta.len(),
                modified: meta.modified().ok(),
            };
            stamps.insert(path, stamp);
        }
        let same = |path: &Utf8PathBuf| stamps.get(path) == self.stamps.get(path);
        self.entries.retain(|entry| same(&entry.bucket));
        self.junk.retain(|path| same(path));
        let changed: Vec<&Utf8PathBuf> = stamps
            .iter()
            .filter(|(path, stamp)| self.stamps.get(*path) != Some(stamp))
            .map(|(path, _)| path)
            .collect();
        let read: Vec<(Utf8PathBuf, Vec<Entry>)> = changed
            .into_par_iter()
            .map(|path| (path.clone(), entries_in(path, store.blobs())))
            .collect();
        for (path, entries) in read {
            if entries.is_empty() {
                self.junk.push(path);
            }
            self.entries.extend(entries);
        }
        self.stamps = stamps;
        self.contents = files_below(&root.join(CONTENT_DIR))
            .map(|(path, meta)| {
                let size = meta.len();
                let shared = is_shared(&meta);
                (path, ContentFile { size, shared })
            })
            .collect();
    }

    /// Takes away these variants and the notes that are stale by their time, as
    /// if they had been removed.
    pub fn forget(&mut self, gone: &HashMap<String, Vec<Known>>, is_stale: impl Fn(u64) -> bool) {
        self.entries.retain_mut(|entry| {
            if unit_of_entry(&entry.name).is_none() {
                return !is_stale(entry.written);
            }
            let Some(variants) = &mut entry.variants else {
                return false;
            };
            if let Some(gone) = gone.get(&entry.name) {
                variants.retain(|known| !gone.contains(known));
            }
            !variants.is_empty()
        });
    }

    /// The content files that no entry and no variant names.
    pub fn orphans<'a>(&'a self, blobs: &Blobs) -> Vec<&'a Utf8Path> {
        let mut named: HashSet<Utf8PathBuf> = HashSet::new();
        for entry in &self.entries {
            named.extend(entry.content.clone());
            let variants = entry.variants.iter().flatten();
            named.extend(
                variants
                    .flat_map(|known| &known.blobs)
                    .filter_map(|blob| blobs.path(blob)),
            );
        }
        let contents = self.contents.keys();
        contents
            .filter(|path| !named.contains(*path))
            .map(Utf8PathBuf::as_path)
            .collect()
    }

    /// Bytes of all contents and of the index.
    pub fn size(&self) -> u64 {
        self.contents.values().map(|file| file.size).sum::<u64>() + self.index_size
    }
}

/// The entries of one index file, each by its newest value.
fn entries_in(bucket: &Utf8Path, blobs: &Blobs) -> Vec<Entry> {
    #[derive(serde::Deserialize)]
    struct Line {
        key: String,
    }
    let text = fs::read(bucket).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let mut names: HashMap<String, usize> = HashMap::new();
    for line in text.lines() {
        let json = line.split_once('\t').map(|(_, json)| json);
        let line = json.and_then(|json| serde_json::from_str::<Line>(json).ok());
        if let Some(Line { key }) = line {
            *names.entry(key).or_default() += 1;
        }
    }
    let entry = |(name, lines): (String, usize)| {
        let found = blobs.entry_facts(&name)?;
        let is_unit = unit_of_entry(&name).is_some();
        let variants = || {
            let variants = record::decode(&blobs.entry(&name)?)?;
            Some(variants.iter().map(Known::from).collect())
        };
        Some(Entry {
            bucket: bucket.to_owned(),
            content: found.content,
            written: found.written,
            lines,
            variants: is_unit.then(variants).flatten(),
            name,
        })
    };
    names.into_iter().filter_map(entry).collect()
}

/// All files below a directory, with what is known of them. What cannot be
/// looked at is left out.
pub(super) fn files_below(
    dir: &Utf8Path,
) -> impl Iterator<Item = (Utf8PathBuf, std::fs::Metadata)> {
    let entries = walkdir::WalkDir::new(dir).into_iter().flatten();
    entries
        .filter(|entry| !entry.file_type().is_dir())
        .filter_map(|entry| {
            let meta = entry.metadata().ok()?;
            let path = Utf8PathBuf::from_path_buf(entry.into_path()).ok()?;
            Some((path, meta))
        })
}

/// Windows tells this only of an open file: not worth opening all of them.
fn is_shared(meta: &std::fs::Metadata) -> bool {
    #[cfg(unix)]
    return std::os::unix::fs::MetadataExt::nlink(meta) > 1;
    #[cfg(not(unix))]
    {
        let _ = meta;
        false
    }
}
