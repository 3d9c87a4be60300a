//! Verification: reads every byte of the store.
//!
//! A build proves cheaply that a content is untouched (see [`super::blobs`]).
//! What that cannot see - a flipped bit under an unchanged size and time - is
//! found here, and removed if asked for. Nothing is ever repaired in place:
//! what is removed is a miss, and built anew.

use std::collections::{HashMap, HashSet};

use camino::{Utf8Path, Utf8PathBuf};
use fs_err as fs;
use rayon::prelude::*;

use super::blobs::{Blob, State};
use super::census::{Census, files_below};
use super::{CacheError, Store, unit_of_entry};

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// Recorded variants of units.
    pub variants: usize,
    /// Contents that records name, and that were read.
    pub contents: usize,
    /// Their bytes.
    pub bytes: u64,
    /// What is damaged, each with where it is.
    pub damaged: Vec<String>,
    /// Variants of which a content is not there: misses, if they are needed.
    pub incomplete: usize,
    /// Contents that no record names: leftovers of writers that were killed,
    /// removed by the next collection.
    pub orphans: usize,
    /// Whether what is damaged was removed.
    pub repaired: bool,
}

impl Store {
    /// Checks everything. With `repair`, what is damaged is removed; nobody
    /// uses the store meanwhile. `is_sound` judges remembered states.
    ///
    /// # Errors
    /// When the store cannot be locked, or something cannot be removed.
    pub fn verify(
        &self,
        repair: bool,
        is_sound: &(dyn Fn(&[u8]) -> bool + Sync),
    ) -> Result<Findings, CacheError> {
        if !self.root().is_dir() {
            return Ok(Findings::default());
        }
        let _guard = match repair {
            true => self.alone(true)?,
            false => Some(self.guard()),
        };
        let census = Census::take(self);
        let entries = census.entries.iter();
        let variants: Vec<_> = entries.flat_map(|e| e.variants.iter().flatten()).collect();
        let blobs: HashSet<&Blob> = variants.iter().flat_map(|known| &known.blobs).collect();
        let checked: HashMap<&Blob, State> = blobs
            .into_par_iter()
            .map(|blob| (blob, self.blobs().check(blob)))
            .collect();
        let mut found = Findings {
            variants: variants.len(),
            orphans: census.orphans(self.blobs()).len(),
            repaired: repair,
            ..Findings::default()
        };
        let mut to_remove: Vec<Utf8PathBuf> = Vec::new();
        let mut damage = |what: &str, path: &Utf8Path| {
            to_remove.push(path.to_owned());
            found.damaged.push(format!("{what} {path}"));
        };
        for (blob, state) in &checked {
            match (state, self.blobs().path(blob)) {
                (State::Whole, _) => {
                    found.contents += 1;
                    found.bytes += blob.size;
                }
                (State::Damaged, Some(path)) => damage("content", &path),
                (State::Damaged | State::Missing, _) => {}
            }
        }
        for entry in &census.entries {
            if unit_of_entry(&entry.name).is_some() && entry.variants.is_none() {
                damage("record", &entry.bucket);
            }
        }
        for bucket in &census.junk {
            damage("index file", bucket);
        }
        for (path, _) in files_below(&self.root().join("state")) {
            let is_temporary = path
                .file_name()
                .is_some_and(|name| name.starts_with(".tmp"));
            if !is_temporary && !fs::read(&path).is_ok_and(|bytes| is_sound(&bytes)) {
                damage("remembered plan", &path);
            }
        }
        found.damaged.sort();
        let is_whole = |blob| checked.get(blob) == Some(&State::Whole);
        let whole = variants
            .iter()
            .filter(|known| known.blobs.iter().all(is_whole));
        found.incomplete = found.variants - whole.count();
        if repair {
            for entry in &census.entries {
                let (Some(unit), Some(known)) = (unit_of_entry(&entry.name), &entry.variants)
                else {
                    continue;
                };
                let broken = known
                    .iter()
                    .filter(|known| !known.blobs.iter().all(is_whole));
                let broken: Vec<_> = broken.cloned().collect();
                if !broken.is_empty() {
                    self.evict(&unit, &entry.bucket, &broken)?;
                }
            }
            for path in to_remove {
                super::collect::remove(&path)?;
            }
        }
        Ok(found)
    }
}
