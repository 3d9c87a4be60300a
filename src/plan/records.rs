//! The store's records as one build sees them: each is read once.
//!
//! Verdicts are given twice, before the target directory is locked and after,
//! since another cargo may have changed it in between. A record that another
//! process adds in that time is not missed by anyone: at worst its unit is built
//! once more. Whether contents are there is asked of the store each time.

use std::collections::HashMap;
use std::sync::Mutex;

use crate::cache::Store;
use crate::cache::record::Variant;
use crate::unit::Digest;

/// Records that were read so far.
#[derive(Debug, Default)]
pub struct Records(Mutex<HashMap<Digest, Vec<Variant>>>);

impl Records {
    /// The recorded variants of a unit, the most recent first.
    pub fn variants(&self, key: &Digest, store: &Store) -> Vec<Variant> {
        if let Some(known) = self.known().get(key) {
            return known.clone();
        }
        // Read without the lock: this is what is done in parallel.
        let read = store.variants(key);
        self.known().insert(*key, read.clone());
        read
    }

    fn known(&self) -> std::sync::MutexGuard<'_, HashMap<Digest, Vec<Variant>>> {
        // A panic elsewhere leaves the map whole: every change is one insert.
        self.0.lock().unwrap_or_else(|poison| poison.into_inner())
    }
}
