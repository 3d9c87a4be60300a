//! Which variants were used, and when.
//!
//! A build that did something writes one small file with the outputs of all
//! units that it rests on; a build that found everything in place writes
//! nothing. Collection sums these files up into one table. All of this only
//! serves retention: lost or damaged, it makes a variant look older.

use std::collections::{HashMap, HashSet};

use camino::Utf8PathBuf;
use fs_err as fs;
use serde::{Deserialize, Serialize};

use super::format::{self, Magic};
use super::{CacheError, Store, write_whole};
use crate::unit::Digest;

/// Begins a note of one build.
const NOTE: &Magic = b"ZBN1";

/// Begins the table of all uses.
const TABLE: &Magic = b"ZBU1";

/// Begins the marker of the last collection.
const MARKER: &Magic = b"ZBG1";

/// More notes than this are worth a collection.
const MAX_NOTES: usize = 2_000;

/// Seconds of a day.
pub const DAY: u64 = 86_400;

/// The uses of a variant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Used {
    /// The last one, in seconds since 1970.
    pub last: u64,
    /// On how many days it was used.
    pub days: u32,
}

/// What is kept of the last collection.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Marker {
    /// When, in seconds since 1970.
    at: u64,
    /// How many bytes were left.
    size: u64,
}

/// All uses by output, and the notes that they were read from.
#[derive(Debug, Default)]
pub struct Uses {
    table: HashMap<u64, Used>,
    notes: Vec<Utf8PathBuf>,
}

impl Uses {
    /// Reads the table and all notes.
    pub fn read(store: &Store) -> Uses {
        let table = fs::read(store.root().join("uses")).unwrap_or_default();
        let mut uses = Uses {
            table: format::decode_checked(TABLE, &table).unwrap_or_default(),
            notes: Vec::new(),
        };
        let mut notes = notes(store);
        notes.sort();
        for (at, _, path) in notes {
            let bytes = fs::read(&path).unwrap_or_default();
            let outputs: Vec<u64> = format::decode_checked(NOTE, &bytes).unwrap_or_default();
            for output in outputs {
                let used = uses.table.entry(output).or_default();
                if at / DAY > used.last / DAY {
                    used.days = used.days.saturating_add(1);
                }
                used.last = used.last.max(at);
            }
            uses.notes.push(path);
        }
        uses
    }

    /// The uses of what has this output.
    pub fn of(&self, output: &Digest) -> Used {
        self.table.get(&short(output)).copied().unwrap_or_default()
    }

    /// Writes the table, without what is no longer recorded, and removes the
    /// notes that it now holds.
    ///
    /// # Errors
    /// When it cannot be written; then the notes stay.
    pub fn save(&self, store: &Store, recorded: &HashSet<Digest>) -> Result<(), CacheError> {
        let recorded: HashSet<u64> = recorded.iter().map(short).collect();
        let kept = self
            .table
            .iter()
            .filter(|(output, _)| recorded.contains(output));
        let kept: HashMap<u64, Used> = kept.map(|(output, used)| (*output, *used)).collect();
        write_whole(
            &store.root().join("uses"),
            &format::encode_checked(TABLE, &kept),
        )?;
        crate::fault::point("uses: table written");
        for note in &self.notes {
            // Read twice it counts no day twice.
            let _ = fs::remove_file(note);
        }
        Ok(())
    }
}

/// Eight bytes are enough to tell outputs apart where a mistake costs nothing.
fn short(output: &Digest) -> u64 {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&output.0[..8]);
    u64::from_le_bytes(bytes)
}

/// The notes: when, how many bytes the build added, and the file. All of it is
/// in the names, so that nothing has to be opened.
fn notes(store: &Store) -> Vec<(u64, u64, Utf8PathBuf)> {
    let Ok(entries) = store.root().join("used").read_dir_utf8() else {
        return Vec::new();
    };
    let note = |entry: camino::Utf8DirEntry| {
        let mut parts = entry.file_name().splitn(3, '-');
        let nanos: u64 = parts.next()?.parse().ok()?;
        let added: u64 = parts.next()?.parse().ok()?;
        Some((nanos / 1_000_000_000, added, entry.into_path()))
    };
    entries.flatten().filter_map(note).collect()
}

impl Store {
    /// Notes that these outputs were used by a build which added so many bytes.
    ///
    /// # Errors
    /// When the note cannot be written.
    pub fn note_use(&self, outputs: &[Digest], added: u64) -> Result<(), CacheError> {
        let dir = self.root().join("used");
        let io = |source| CacheError::Io {
            what: "create",
            path: dir.clone(),
            source,
        };
        fs::create_dir_all(&dir).map_err(io)?;
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let nanos = now.map_or(0, |now| now.as_nanos());
        let outputs: Vec<u64> = outputs.iter().map(short).collect();
        let name = format!("{nanos}-{added}-{}", std::process::id());
        write_whole(&dir.join(name), &format::encode_checked(NOTE, &outputs))
    }

    /// Whether it is time to collect: once a day, or when what was added since
    /// the last time exceeds `max_size`. Opens one file and lists one directory.
    pub fn is_collection_due(&self, max_size: Option<u64>, now: u64) -> bool {
        let marker = fs::read(self.root().join("collected")).unwrap_or_default();
        let notes = notes(self);
        let Some(marker) = format::decode_checked::<Marker>(MARKER, &marker) else {
            // The first note of a new store is no reason.
            let oldest = notes.iter().map(|(at, ..)| *at).min().unwrap_or(now);
            let added: u64 = notes.iter().map(|(_, added, _)| added).sum();
            return now.saturating_sub(oldest) > DAY || max_size.is_some_and(|max| added > max);
        };
        let added = notes.iter().filter(|(at, ..)| *at >= marker.at);
        let size = marker.size + added.map(|(_, added, _)| added).sum::<u64>();
        // A clock that was set back must not put it off for ever.
        let is_old = now.abs_diff(marker.at) > DAY;
        is_old || notes.len() > MAX_NOTES || max_size.is_some_and(|max| size > max)
    }

    /// Notes that a collection left so many bytes.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn note_collection(&self, size: u64, now: u64) -> Result<(), CacheError> {
        let marker = format::encode_checked(MARKER, &Marker { at: now, size });
        write_whole(&self.root().join("collected"), &marker)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store() -> (tempfile::TempDir, Store) {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(camino::Utf8Path::from_path(dir.path()).unwrap());
        store.prepare().unwrap();
        (dir, store)
    }

    #[test]
    fn uses_are_summed_up_once() {
        let (_dir, store) = store();
        let (one, two) = (Digest([1; 32]), Digest([2; 32]));
        store.note_use(&[one, two], 10).unwrap();
        store.note_use(&[one], 10).unwrap();
        let uses = Uses::read(&store);
        assert_eq!(uses.of(&one).days, 1);
        assert!(uses.of(&one).last >= uses.of(&two).last);
        uses.save(&store, &HashSet::from([one])).unwrap();
        assert!(notes(&store).is_empty());
        let uses = Uses::read(&store);
        assert_eq!(uses.of(&one).days, 1);
        assert_eq!(uses.of(&two), Used::default(), "no longer recorded");
    }

    #[test]
    fn damaged_notes_and_tables_are_forgotten() {
        let (_dir, store) = store();
        let one = Digest([1; 32]);
        store.note_use(&[one], 10).unwrap();
        fs::write(store.root().join("uses"), "garbage").unwrap();
        fs::write(store.root().join("used/5-5-5"), "garbage").unwrap();
        fs::write(store.root().join("used/strange"), "garbage").unwrap();
        assert_eq!(Uses::read(&store).of(&one).days, 1);
    }

    #[test]
    fn collection_is_due_by_size_and_by_day() {
        let (_dir, store) = store();
        let now = 1_000 * DAY;
        assert!(!store.is_collection_due(Some(100), now));
        store.note_collection(50, now).unwrap();
        assert!(!store.is_collection_due(Some(100), now + DAY - 1));
        assert!(store.is_collection_due(None, now + DAY + 1));
        assert!(store.is_collection_due(None, now - DAY - 1));
        store.note_use(&[], 51).unwrap();
        assert!(store.is_collection_due(Some(100), now + 1), "50 and 51");
        assert!(!store.is_collection_due(Some(101), now + 1));
        assert!(!store.is_collection_due(None, now + 1));
    }
}
