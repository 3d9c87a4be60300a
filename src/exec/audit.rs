//! Builds recorded units again, each against the recorded bytes of what it
//! rests on, and compares.
//!
//! Everything is restored into a scratch directory. Then cargo is made to build
//! a few units at a time anew. Of units that are built in the same run none
//! rests on another one, and after each run the recorded files are put back: so
//! a difference is a unit's own, and none is caused by another one. Units that
//! differ for no known reason are built once more, see `control`.
//!
//! The target directory and the records are not changed.

use std::process::ExitStatus;
use std::time::Duration;

use camino::Utf8Path;
use rayon::prelude::*;

use super::bench::Bench;
use super::control::Control;
use super::judge::judge;
use super::restore::{restore, stamp_before_now};
use super::run::{Built, Interrupts};
use super::scratch::{Held, Kept, Scratch};
use super::session::{SETTLE_MS, Session, SessionError};
use crate::cache::{CacheError, Store};
use crate::event::{Audit, Audited, Silent};
use crate::plan::Plan;
use crate::plan::lookup::Decision;
use crate::unit::{KeyHasher, MissReason, Verdict};

/// Why there is no audit.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// There is no plan.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// The cache could not be read, or the scratch directory not be filled.
    #[error(transparent)]
    Cache(#[from] CacheError),
    /// Something about the scratch directory.
    #[error("could not use a scratch directory for the audit: {0}")]
    Scratch(#[from] std::io::Error),
    /// cargo failed, and has said why.
    #[error("cargo could not build this in a scratch directory ({0})")]
    Failed(ExitStatus),
    /// Ctrl-C, or the like.
    #[error("the audit was interrupted")]
    Interrupted,
}

/// How far an audit is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Units are built again.
    Again,
    /// Those that differ are built once more, each by itself.
    Control,
}

/// What is audited.
pub struct Wanted<'a> {
    /// How many units; none for all.
    pub sample: Option<usize>,
    /// Which ones: the same ones for the same number.
    pub seed: u64,
    /// In which directory the scratch directory is to be.
    pub base: &'a Utf8Path,
    /// Told before runs of cargo: how many units have been built again, how
    /// many will be.
    pub progress: &'a dyn Fn(Step, usize, usize),
}

impl Session<'_> {
    /// Builds recorded units again, and says in what they differ.
    ///
    /// # Errors
    /// When that cannot be done to the end.
    pub fn audit(&self, wanted: &Wanted<'_>) -> Result<Audit, AuditError> {
        let outlook = self.outlook(false)?;
        let plan = &outlook.remembered.state.plan;
        let decisions = self.restorable(plan, &outlook.decisions);
        let recorded: Vec<usize> = (0..decisions.len())
            .filter(|&at| decisions[at].verdict == Verdict::Hit)
            .collect();
        let mut audit = Audit {
            recorded: recorded.len(),
            unrecorded: decisions.len() - recorded.len(),
            ..Audit::default()
        };
        let chosen = choose(recorded, wanted);
        if chosen.is_empty() {
            return Ok(audit);
        }
        let interrupts = Interrupts::new()?;
        let kept = Kept::new(wanted.base)?;
        let (first, done) = {
            let scratch = Scratch::new(wanted.base, &plan.dirs.build)?;
            let plan = &scratch.plan(plan);
            let stamp = stamp_before_now(Duration::from_millis(SETTLE_MS));
            let mut units = vec![None; decisions.len()];
            restore(plan, &decisions, &mut units, self.store, stamp, &Silent)?;
            let rounds = Rounds {
                store: self.store,
                bench: Bench {
                    inv: self.inv,
                    cargo: self.cargo,
                    sink: self.sink,
                    interrupts: &interrupts,
                    plan,
                },
                decisions: &decisions,
                kept: &kept,
            };
            let done = rounds.run(&chosen, wanted.progress, &mut audit)?;
            (plan.dirs.clone(), done)
        };
        let control = Control {
            session: self,
            base: wanted.base,
            interrupts: &interrupts,
            plan,
            decisions: &decisions,
            first: &first,
            kept: &kept,
        };
        control.settle(&done, &mut audit.units, wanted.progress)?;
        Ok(audit)
    }

    /// What can be restored elsewhere: units that are in place or hits, whose
    /// record is there, and that rest on such alone.
    fn restorable(&self, plan: &Plan, decisions: &[Decision]) -> Vec<Decision> {
        let mut found: Vec<Decision> = Vec::with_capacity(decisions.len());
        for (unit, decision) in plan.units.iter().zip(decisions) {
            let variant = match decision.verdict {
                Verdict::Miss(_) => None,
                Verdict::Hit | Verdict::InPlace => decision.variant.clone().or_else(|| {
                    let variants = self.store.variants(unit.key.as_ref().ok()?);
                    let mut variants = variants.into_iter();
                    variants.find(|variant| Some(variant.output) == decision.output)
                }),
            };
            let whole = |&dep: &usize| found[dep].verdict == Verdict::Hit;
            let variant = variant.filter(|_| unit.deps.iter().all(whole));
            found.push(Decision {
                verdict: match variant {
                    Some(_) => Verdict::Hit,
                    None => Verdict::Miss(MissReason::NeverSeen),
                },
                output: variant.as_ref().map(|variant| variant.output),
                variant,
                touched: false,
                behind: false,
                outdated: false,
            });
        }
        found
    }
}

/// The units to be audited, in their order.
fn choose(mut recorded: Vec<usize>, wanted: &Wanted<'_>) -> Vec<usize> {
    if let Some(count) = wanted.sample {
        recorded.sort_by_key(|&at| {
            let mut hasher = KeyHasher::new("audit");
            hasher.part("seed", &wanted.seed.to_le_bytes());
            hasher.part("unit", &(at as u64).to_le_bytes());
            hasher.finish()
        });
        recorded.truncate(count);
        recorded.sort_unstable();
    }
    recorded
}

/// The chosen units in groups: none of a group rests on another one of it.
fn groups(plan: &Plan, chosen: &[usize]) -> Vec<Vec<usize>> {
    let mut depth: Vec<usize> = Vec::with_capacity(plan.units.len());
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for (at, unit) in plan.units.iter().enumerate() {
        let above = |&dep: &usize| depth[dep] + usize::from(chosen.contains(&dep));
        let own = unit.deps.iter().map(above).max().unwrap_or(0);
        depth.push(own);
        if chosen.contains(&at) {
            groups.resize_with(groups.len().max(own + 1), Vec::new);
            groups[own].push(at);
        }
    }
    groups
}

struct Rounds<'a> {
    store: &'a Store,
    /// In the scratch directory.
    bench: Bench<'a>,
    decisions: &'a [Decision],
    kept: &'a Kept,
}

impl Rounds<'_> {
    fn run(
        &self,
        chosen: &[usize],
        progress: &dyn Fn(Step, usize, usize),
        audit: &mut Audit,
    ) -> Result<Vec<usize>, AuditError> {
        let plan = self.bench.plan;
        let title = |at: usize| plan.units[at].title.clone();
        // What is not recorded is built now. Where units are, cargo tells too.
        let first = self.bench.cargo()?;
        let mut left: Vec<usize> = Vec::new();
        for &at in chosen {
            let why = match (first.now[at], &first.built.places[at]) {
                (true, _) => "cargo builds it anew in another directory",
                (_, None) => "cargo's messages do not tell where it is",
                _ => {
                    left.push(at);
                    continue;
                }
            };
            audit.left_out.push((title(at), why.to_owned()));
        }
        let mut done = Vec::new();
        let mut begun = 0;
        let mut disturbed = false;
        for group in groups(plan, &left) {
            if disturbed {
                let why = "something was changed while others were audited";
                let out = group.iter().map(|&at| (title(at), why.to_owned()));
                audit.left_out.extend(out);
                continue;
            }
            progress(Step::Again, begun, left.len());
            begun += group.len();
            let held = self.bench.make_stale(&group, &first.built)?;
            let ran = self.bench.cargo()?;
            let judged: Result<Vec<_>, AuditError> = held
                .par_iter()
                .filter(|(at, _)| ran.now[*at])
                .map(|(at, held)| Ok((*at, self.judge(*at, &first.built, held)?)))
                .collect();
            for (at, audited) in judged? {
                done.push(at);
                audit.units.push(audited);
            }
            for (at, held) in held {
                if !ran.now[at] {
                    let why = "cargo did not build it again".to_owned();
                    audit.left_out.push((title(at), why));
                }
                held.put_back()?;
            }
            disturbed = (0..ran.now.len()).any(|at| ran.now[at] && !group.contains(&at));
        }
        Ok(done)
    }

    /// Compares what cargo made with what is recorded, and keeps what is in
    /// question.
    fn judge(&self, at: usize, built: &Built, held: &Held) -> Result<Audited, AuditError> {
        let plan = self.bench.plan;
        match &self.decisions[at].variant {
            Some(variant) => judge(
                self.store,
                plan,
                at,
                variant,
                built,
                held,
                &|number, new| self.kept.keep(at, number, new),
            ),
            // Only what is recorded is chosen.
            None => Ok(Audited {
                title: plan.units[at].title.clone(),
                differences: Vec::new(),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_is_the_same_for_the_same_number() {
        let wanted = |sample, seed| Wanted {
            sample,
            seed,
            base: Utf8Path::new(""),
            progress: &|_, _, _| {},
        };
        let all: Vec<usize> = (0..100).collect();
        let choose = |sample, seed| choose(all.clone(), &wanted(sample, seed));
        assert_eq!(choose(None, 1), all);
        assert_eq!(choose(Some(200), 1), all);
        assert_eq!(choose(Some(5), 1).len(), 5);
        assert_eq!(choose(Some(5), 1), choose(Some(5), 1));
        assert_ne!(choose(Some(5), 1), choose(Some(5), 2));
    }
}
