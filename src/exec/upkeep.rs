//! What a build does for the store at its end: it notes what it used, and
//! collects now and then. None of this may fail a build or keep it waiting.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::cache::Store;
use crate::cache::collect::{Bounds, Request};
use crate::event::{Event, Sink};
use crate::plan::state::{State, tidy};
use crate::unit::Digest;

/// How long a build may spend on collecting.
const BUDGET: Duration = Duration::from_millis(500);

/// Notes for later collections what a build rests on.
pub fn note_use(store: &Store, state: &State) {
    let units = state.units.iter().flatten();
    let outputs: Vec<Digest> = units.map(|unit| unit.output).collect();
    // The cache may be read-only, and nothing is lost but an age.
    let _ = store.note_use(&outputs, store.blobs().added());
}

/// Collects if this build added something and it is due. A store in use is left
/// for another time.
pub fn collect_if_due(store: &Store, bounds: Option<Bounds>, sink: &dyn Sink) {
    let Some(bounds) = bounds.filter(|_| store.blobs().added() > 0) else {
        return;
    };
    let now = now();
    if !store.is_collection_due(bounds.max_bytes(store), now) {
        return;
    }
    let collected = store.collect(&Request {
        bounds,
        dry_run: false,
        wait: false,
        budget: Some(BUDGET),
        tidy: &tidy,
        now,
    });
    if let Err(error) = collected {
        sink.event(Event::Trouble(error.to_string()));
    }
}

/// Seconds since 1970.
pub fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}
