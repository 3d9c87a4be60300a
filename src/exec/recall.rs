//! The plan of a build: remembered, or made anew; and for those who only look,
//! what would become of its units.
//!
//! Reads and decides only; what planning brought to light is returned as notes
//! and kept by whoever builds.

use camino::Utf8Path;

use super::notes::Notes;
use super::session::{Remembered, Session, SessionError, working_dir};
use crate::cache::{Store, StoreGuard};
use crate::plan::ask::Known;
use crate::plan::inputs::Memo;
use crate::plan::key;
use crate::plan::lookup::Decision;
use crate::plan::make::make;
use crate::plan::records::Records;
use crate::plan::state::{self, Shared, State, UnitState};
use crate::plan::watch::{self, Standing};
use crate::unit::Digest;

/// What a build would find at this moment.
pub(super) struct Outlook {
    pub(super) remembered: Remembered,
    pub(super) decisions: Vec<Decision>,
    /// Nothing that is decided to be there is collected as long as this lives.
    _guard: StoreGuard,
}

/// What the store knows for planning.
struct InStore<'a>(&'a Store);

impl Known for InStore<'_> {
    fn compiler(&self, name: &str) -> Option<Digest> {
        let bytes = self.0.blobs().entry(name)?;
        Some(Digest(bytes.try_into().ok()?))
    }

    fn answers(&self, name: &Digest) -> Option<Vec<u8>> {
        self.0.state(name)
    }
}

impl Session<'_> {
    /// Plans, takes the store in hand and decides, for whoever builds nothing.
    /// `anew` if cargo is to be asked for the plan in any case: only then it is
    /// known what the keys are made of.
    pub(super) fn outlook(&self, anew: bool) -> Result<Outlook, SessionError> {
        let mut remembered = self.planned(anew)?;
        let guard = self.store.guard();
        self.recall_shared(&mut remembered.state);
        Ok(Outlook {
            decisions: self.decide(&remembered),
            remembered,
            _guard: guard,
        })
    }

    /// The plan alone.
    pub(super) fn planned(&self, anew: bool) -> Result<Remembered, SessionError> {
        let cwd = working_dir(self.inv)?;
        let name = key::of_invocation(&self.cargo.program(), &cwd, self.inv);
        match anew {
            true => self.plan_anew(&cwd, self.known(&name)),
            false => self.recall(&cwd, &name),
        }
    }

    /// What is remembered of a build under this name.
    fn known(&self, name: &Digest) -> Option<State> {
        let bytes = self.store.state(name)?;
        state::decode(&bytes)
    }

    /// The remembered plan if it still stands, else a new one.
    pub(super) fn recall(&self, cwd: &Utf8Path, name: &Digest) -> Result<Remembered, SessionError> {
        let Some(mut old) = self.known(name) else {
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
    fn plan_anew(&self, cwd: &Utf8Path, old: Option<State>) -> Result<Remembered, SessionError> {
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
        let made = make(self.cargo, self.inv, cwd, &memo, &InStore(self.store))?;
        let notes = Notes {
            toolchain: made.toolchain_note,
            place: Some(Shared::name(&made.plan.dirs)),
            keys: made.noted,
            answers: made.answers,
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
