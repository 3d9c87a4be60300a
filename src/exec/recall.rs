//! The plan of a build: remembered, or made anew.
//!
//! Reads and decides only; what planning brought to light is returned as notes
//! and kept by whoever builds.

use camino::Utf8Path;

use super::notes::Notes;
use super::session::{Remembered, Session, SessionError};
use crate::plan::inputs::Memo;
use crate::plan::make::make;
use crate::plan::records::Records;
use crate::plan::state::{self, Shared, State, UnitState};
use crate::plan::watch::{self, Standing};
use crate::unit::Digest;

impl Session<'_> {
    /// The remembered plan if it still stands, else a new one.
    pub(super) fn recall(&self, cwd: &Utf8Path, name: &Digest) -> Result<Remembered, SessionError> {
        let old = self
            .store
            .state(name)
            .and_then(|bytes| state::decode(&bytes));
        let Some(mut old) = old else {
            return self.plan_anew(cwd, None);
        };
        match watch::check(&old.watches) {
            Standing::Void(_) => self.plan_anew(cwd, Some(old)),
            standing => {
                let is_new = match standing {
                    Standing::Touched(watches) => {
                        old.watches = watches;
                        true
                    }
                    _ => false,
                };
                Ok(Remembered {
                    memo: Memo::with(std::mem::take(&mut old.digests)),
                    records: Records::default(),
                    state: old,
                    is_new,
                    notes: Notes::default(),
                })
            }
        }
    }

    /// Asks cargo for a plan. What an earlier state knows of units that are
    /// still the same is taken over.
    pub(super) fn plan_anew(
        &self,
        cwd: &Utf8Path,
        old: Option<State>,
    ) -> Result<Remembered, SessionError> {
        let (digests, known) = match old {
            Some(old) => {
                let dirs = old.plan.dirs.clone();
                let keys = old.plan.units.iter().map(|unit| unit.key.clone().ok());
                let known: std::collections::HashMap<Digest, UnitState> = keys
                    .zip(old.units)
                    .filter_map(|(key, unit)| Some((key?, unit?)))
                    .collect();
                (old.digests, Some((dirs, known)))
            }
            None => Default::default(),
        };
        let memo = Memo::with(digests);
        let note = |name: &str| {
            let bytes = self.store.blobs().entry(name)?;
            Some(Digest(bytes.try_into().ok()?))
        };
        let made = make(self.cargo, self.inv, cwd, &memo, &note)?;
        let notes = Notes {
            toolchain: made.toolchain_note,
            place: Some(Shared::name(&made.plan.dirs)),
            keys: made.noted,
        };
        let mut units: Vec<Option<UnitState>> = vec![None; made.plan.units.len()];
        if let Some((dirs, mut known)) = known
            && dirs == made.plan.dirs
        {
            for (slot, unit) in units.iter_mut().zip(&made.plan.units) {
                *slot = unit.key.as_ref().ok().and_then(|key| known.remove(key));
            }
        }
        Ok(Remembered {
            state: State {
                plan: made.plan,
                watches: made.watches,
                digests: Default::default(),
                units,
            },
            memo,
            records: Records::default(),
            is_new: true,
            notes,
        })
    }
}
