//! What comes out of planning and is worth keeping: the digest of a toolchain,
//! which takes long to compute, what keys were made of, for explanations, and
//! what cargo answered, for another checkout.
//!
//! Written only where something is built; whoever merely asks for a plan
//! writes nothing.

use crate::cache::{CacheError, Store};
use crate::event::{Event, Sink};
use crate::plan::parts::{Noted, Table};
use crate::unit::Digest;

/// Notes made while planning; empty for a plan that was remembered.
#[derive(Debug, Default)]
pub(super) struct Notes {
    /// The digest of a toolchain's files under the name by which it is found.
    pub(super) toolchain: Option<(String, Digest)>,
    /// The name of the build directory's table of keys.
    pub(super) place: Option<Digest>,
    /// What keys were made of.
    pub(super) keys: Vec<Noted>,
    /// cargo's answers, and their name.
    pub(super) answers: Option<(Digest, Vec<u8>)>,
}

impl Notes {
    /// Keeps everything.
    pub(super) fn keep(&self, store: &Store, sink: &dyn Sink) {
        if let Err(error) = self.try_keep(store) {
            sink.event(Event::Trouble(error.to_string()));
        }
    }

    fn try_keep(&self, store: &Store) -> Result<(), CacheError> {
        if let Some((name, digest)) = &self.toolchain {
            store.prepare()?;
            store.blobs().set_entry(name, &digest.0)?;
        }
        if let Some(place) = &self.place {
            let old = Table::decode(&store.key_table(place).unwrap_or_default());
            store.save_key_table(place, &old.with(&self.keys).encode())?;
        }
        if let Some((name, bytes)) = &self.answers {
            store.save_state(name, bytes)?;
        }
        Ok(())
    }
}
