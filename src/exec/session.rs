//! One build from beginning to end.
//!
//! arguments -> plan -> verdicts -> restore -> cargo for the misses -> capture.
//! An error from here means that plain cargo has to do the build; the target
//! directory is then in a state that cargo understands.

use std::process::ExitStatus;
use std::time::{Duration, Instant};

use camino::Utf8PathBuf;
use filetime::FileTime;

use super::account::RanNow;
use super::capture::Capture;
use super::executables;
use super::notes::Notes;
use super::outputs::Outputs;
use super::replay;
use super::restore::{self, create_target_dir, file_nanos, newest_input, stamp_before_now};
use super::run::{self, Built};
pub use super::start::Start;
use super::sums::{restored, saved, summary_of_build, uplifted_in_place, was_built};
use super::upkeep;
use super::verify;
use crate::cache::collect::Bounds;
use crate::cache::{CacheError, Store};
use crate::cargo::args::Invocation;
use crate::cargo::command::Cargo;
use crate::cargo::lock::TargetLock;
use crate::event::{CargoLine, Event, Phase, Sink, Summary};
use crate::fault;
use crate::plan::inputs::Memo;
use crate::plan::lookup::{Decision, decide};
use crate::plan::records::Records;
use crate::plan::state::{self, Shared, State, UnitState};
use crate::plan::watch;
use crate::plan::{Plan, PlanError, Term, key};
use crate::unit::{Digest, MissReason, Verdict};

/// A time stamp is given this long (in milliseconds) before now, so that an
/// edit made now cannot carry it: kernels note times by the timer tick, up to
/// 10 ms late.
pub const SETTLE_MS: u64 = 15;

/// Why a build could not be done by us.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// There is no plan.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The cache or the target directory failed us.
    #[error(transparent)]
    Cache(#[from] CacheError),
    /// Something about the system.
    #[error("could not {what}: {source}")]
    System {
        /// What was tried.
        what: &'static str,
        /// The system's answer.
        source: std::io::Error,
    },
}

/// How a build ended.
pub struct Outcome {
    /// cargo's exit status; none if it was not started.
    pub status: Option<ExitStatus>,
    /// Whether cargo has still to be started for the verb itself.
    pub cargo_follows: bool,
    /// What cargo would have printed, if it was not started.
    pub lines: Vec<CargoLine>,
    /// What its last line says is finished.
    pub finished: String,
    /// What cargo prints after that line (`--no-run`), but not while it tells
    /// us in JSON.
    pub executables: Vec<CargoLine>,
    /// The figures.
    pub summary: Summary,
}

/// What a session works with.
pub struct Session<'a> {
    /// The arguments.
    pub inv: &'a Invocation,
    /// The real cargo.
    pub cargo: &'a Cargo,
    /// The store.
    pub store: &'a Store,
    /// Where events go.
    pub sink: &'a dyn Sink,
    /// How much is said, given what cargo's configuration says of it. Asked
    /// once, as soon as that is known.
    pub talk: &'a dyn Fn(&Term) -> Talk,
    /// When cargo is started.
    pub start: Start,
    /// Within which the store is kept after builds that added to it; none to
    /// leave that to `cargo zbuild gc`.
    pub bounds: Option<Bounds>,
}

/// How much is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Talk {
    /// How verbose cargo's own output is to be (0 to 2).
    pub verbose: u8,
    /// Whether cargo would only print errors.
    pub quiet: bool,
}

/// The plan and what is known of the target directory.
pub(super) struct Remembered {
    pub(super) state: State,
    pub(super) memo: Memo,
    pub(super) records: Records,
    /// The state on disk is not this one.
    pub(super) is_new: bool,
    /// What came out of planning and is worth keeping.
    pub(super) notes: Notes,
}

impl Session<'_> {
    /// Does the build.
    ///
    /// # Errors
    /// When it cannot be planned, or the target directory cannot be changed.
    pub fn build(&self) -> Result<Outcome, SessionError> {
        let begun = Instant::now();
        let cwd = working_dir(self.inv)?;
        let name = key::of_invocation(&self.cargo.program(), &cwd, self.inv);
        let mut remembered = self.recall(&cwd, &name)?;
        remembered.notes.keep(self.store, self.sink);
        let talk = (self.talk)(&remembered.state.plan.term);
        self.done(Phase::Plan, begun);

        let begun = Instant::now();
        let guard = self.store.guard();
        let mut stamp = stamp_before_now(Duration::from_millis(SETTLE_MS));
        let mut decisions = self.decide(&remembered);
        self.done(Phase::Lookup, begun);
        let nothing_to_do = decisions
            .iter()
            .all(|d| d.verdict == Verdict::InPlace && !d.touched && !d.behind)
            && !self.start.is_always()
            && uplifted_in_place(&remembered.state);
        if nothing_to_do && let Some(outcome) = self.replay(&remembered.state, &decisions, talk) {
            if remembered.is_new || remembered.memo.hashed() > 0 {
                self.remember(&name, &mut remembered);
            }
            if self.sink.wants_every_account() {
                self.account(&remembered.state, &decisions, None);
            }
            // What is left is to end. Freeing a large plan text by text would
            // take a twentieth of the time.
            std::mem::forget(remembered);
            return Ok(outcome);
        }

        // Somebody else may hold cargo's lock for long: a collection is not to
        // wait for that. Everything is decided again with both in hand.
        drop(guard);
        let lock = self.lock(&remembered.state.plan, &mut || {
            stamp = stamp_before_now(Duration::from_millis(SETTLE_MS));
        })?;
        let guard = self.store.guard();
        self.recall_shared(&mut remembered.state);
        self.wait_for_inputs(&mut remembered, &mut stamp, &mut decisions);
        let begun = Instant::now();
        let fresh_target = restore::is_empty_target(&remembered.state.plan);
        let unknown = self.restore(&mut remembered, &mut decisions, &mut stamp)?;
        drop(guard);
        fault::point("session: restored");
        self.done(Phase::Restore, begun);
        self.tell_misses(&remembered.state.plan, &decisions);

        let all_there = decisions.iter().all(|d| d.output.is_some()) && !unknown.contains(&true);
        if all_there
            && !self.start.is_always()
            && let Some(outcome) = self.replay(&remembered.state, &decisions, talk)
        {
            drop(lock);
            self.remember(&name, &mut remembered);
            self.account(&remembered.state, &decisions, None);
            upkeep::note_use(self.store, &remembered.state);
            return Ok(outcome);
        }
        drop(lock);
        self.by_cargo(&name, remembered, decisions, unknown, fresh_target)
    }

    fn done(&self, phase: Phase, begun: Instant) {
        self.sink.event(Event::PhaseDone(phase, begun.elapsed()));
    }

    /// Takes over what builds with other arguments know of units in this build
    /// directory, where our own knowledge is none or past.
    pub(super) fn recall_shared(&self, state: &mut State) {
        let bytes = self.store.state(&Shared::name(&state.plan.dirs));
        let mut shared = Shared::decode(&bytes.unwrap_or_default());
        for (unit, slot) in state.plan.units.iter().zip(&mut state.units) {
            let Some(known) = unit
                .key
                .as_ref()
                .ok()
                .and_then(|key| shared.units.remove(key))
            else {
                continue;
            };
            let dirs = &state.plan.dirs;
            let own = slot.as_ref().is_some_and(|own| own.is_in_place(dirs));
            if !own && known.is_in_place(dirs) {
                *slot = Some(known);
            }
        }
    }

    /// Adds what we know of this build directory to what others know.
    fn share(&self, state: &State) -> Result<(), CacheError> {
        let name = Shared::name(&state.plan.dirs);
        let mut shared = Shared::decode(&self.store.state(&name).unwrap_or_default());
        for (unit, known) in state.plan.units.iter().zip(&state.units) {
            if let (Ok(key), Some(known)) = (&unit.key, known) {
                shared.units.insert(*key, known.clone());
            }
        }
        shared.dirs = Some(state.plan.dirs.clone());
        self.store.save_state(&name, &shared.encode())
    }

    pub(super) fn decide(&self, remembered: &Remembered) -> Vec<Decision> {
        let state = &remembered.state;
        let Remembered { memo, records, .. } = remembered;
        decide(&state.plan, Some(state), memo, records, self.store)
    }

    /// Takes cargo's locks on all directories of the build. If that meant
    /// waiting, another cargo may have changed what we looked at: `waited` is
    /// called, and the caller looks again.
    fn lock(&self, plan: &Plan, waited: &mut dyn FnMut()) -> Result<TargetLock, SessionError> {
        let system = |source| SessionError::System {
            what: "lock the target directory",
            source,
        };
        for dir in [&plan.dirs.target, &plan.dirs.build] {
            create_target_dir(dir).map_err(system)?;
        }
        let dirs: Vec<(Utf8PathBuf, Utf8PathBuf)> = plan
            .profile_dirs
            .iter()
            .map(|profile| {
                (
                    plan.dirs.build.join(profile),
                    plan.dirs.target.join(profile),
                )
            })
            .collect();
        let had_to_wait = std::cell::Cell::new(false);
        let lock = TargetLock::acquire(&dirs, plan.cargo_minor, &|what| {
            had_to_wait.set(true);
            self.sink.event(Event::Blocking(what));
        })
        .map_err(system)?;
        if had_to_wait.get() {
            waited();
        }
        Ok(lock)
    }

    /// Looks again until no input is so new that a stamp could hide an edit.
    fn wait_for_inputs(
        &self,
        remembered: &mut Remembered,
        stamp: &mut FileTime,
        decisions: &mut Vec<Decision>,
    ) {
        for _ in 0..3 {
            *decisions = self.decide(remembered);
            let state = &remembered.state;
            let newest = newest_input(&state.plan, decisions, &state.units);
            let behind = newest.saturating_sub(file_nanos(*stamp));
            if !(0..=1_000_000_000).contains(&behind) {
                return;
            }
            std::thread::sleep(Duration::from_nanos(behind as u64 + 1_000_000));
            *stamp = stamp_before_now(Duration::from_millis(SETTLE_MS));
        }
    }

    /// Restores; a blob that turns out to be damaged only then makes its unit
    /// a miss, and the rest is tried again.
    fn restore(
        &self,
        remembered: &mut Remembered,
        decisions: &mut Vec<Decision>,
        stamp: &mut FileTime,
    ) -> Result<Vec<bool>, SessionError> {
        let mut attempts = 0;
        loop {
            let State { plan, units, .. } = &mut remembered.state;
            let done = restore::restore(plan, decisions, units, self.store, *stamp, self.sink);
            match done {
                Ok(unknown) => return Ok(unknown),
                Err(CacheError::Damaged(what)) if attempts < 3 => {
                    attempts += 1;
                    self.sink
                        .event(Event::Trouble(format!("{what}; it will be built again")));
                    *stamp = stamp_before_now(Duration::from_millis(SETTLE_MS));
                    *decisions = self.decide(remembered);
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Lets cargo build what is missing, and records it.
    fn by_cargo(
        &self,
        name: &Digest,
        mut remembered: Remembered,
        decisions: Vec<Decision>,
        unknown: Vec<bool>,
        fresh_target: bool,
    ) -> Result<Outcome, SessionError> {
        // What is in place now is true whatever becomes of the build.
        self.remember(name, &mut remembered);
        let begun = Instant::now();
        let started = file_nanos(stamp_before_now(Duration::from_millis(SETTLE_MS)));
        let recording = self
            .inv
            .recording(executables::only_bin(&remembered.state.plan));
        let reader = Outputs::of(&remembered.state.plan.dirs);
        let ran = reader.while_reading_ahead(|finished| {
            run::recorded(self.cargo, &recording, self.sink, finished)
        });
        let ran = ran.map_err(|source| SessionError::System {
            what: "start cargo",
            source,
        })?;
        self.done(Phase::Cargo, begun);
        fault::point("session: cargo ended");

        let begun = Instant::now();
        let surroundings = match remembered.state.plan.wrapped {
            true => i64::MAX,
            false => watch::last_change(&remembered.state.watches),
        };
        let State { plan, units, .. } = &mut remembered.state;
        let ended = file_nanos(FileTime::now());
        let mut others = false;
        let lock = self.lock(plan, &mut || others = true);
        let built = Built::assign(plan, ran.messages);
        let lost = built.places.iter().all(Option::is_none) && !plan.units.is_empty();
        if ran.status.success() && lost {
            let why = "cargo's messages name no file where we know it; nothing is recorded";
            self.sink.event(Event::Trouble(why.into()));
        }
        let executables = match ran.status.success() {
            true => executables::lines(plan, self.inv, &executables::of_messages(&built)),
            false => Vec::new(),
        };
        let mut outputs: Vec<Option<Digest>> = decisions.iter().map(|d| d.output).collect();
        let mut wanted = vec![false; plan.units.len()];
        let mut distrusted = Vec::new();
        let mut built_now = Vec::with_capacity(plan.units.len());
        let mut rebuilt: Vec<bool> = Vec::with_capacity(plan.units.len());
        for (at, unit) in plan.units.iter().enumerate() {
            let compiled = was_built(plan, &built, at, started);
            built_now.push(compiled);
            let reused = decisions[at].output.is_some();
            rebuilt.push(compiled || unit.deps.iter().any(|&dep| rebuilt[dep]));
            if reused && compiled {
                // Above another one that was built, it is no fault of its own.
                let built_below = unit.deps.iter().any(|&dep| rebuilt[dep]);
                if let (Ok(key), Some(output), false) = (&unit.key, outputs[at], built_below) {
                    self.sink.event(Event::Distrusted {
                        unit: unit.title.clone(),
                    });
                    distrusted.push((*key, output));
                }
                units[at] = None;
                outputs[at] = None;
            }
            wanted[at] = !reused || compiled || unknown[at];
            // Somebody else may have been at it since; then it is not known
            // what the units above it were built against.
            let left = |unit: &UnitState| unit.is_in_place(&plan.dirs);
            if !wanted[at] && !units[at].as_ref().is_some_and(left) {
                units[at] = None;
                outputs[at] = None;
            }
        }
        let capture = Capture {
            plan,
            built: &built,
            succeeded: ran.status.success(),
            store: self.store,
            reader: &reader,
            memo: &remembered.memo,
            sink: self.sink,
            fresh_target,
            started,
            ended,
            built_now: &built_now,
            surroundings,
        };
        // Another cargo had the directory in between: what is there now may be
        // its work, and cargo's messages to us tell nothing about that.
        let captured = match &lock {
            Ok(_) if others => {
                units.fill(None);
                Ok(())
            }
            Ok(_) => self.store.prepare().and_then(|()| {
                let _guard = self.store.guard();
                capture.units(&wanted, units, &mut outputs)
            }),
            Err(_) => Ok(()),
        };
        if self.start == Start::Verify {
            distrusted.extend(verify::reused(
                plan, &decisions, &rebuilt, self.store, self.sink,
            ));
        }
        // After capturing, so that what cargo built now is not set aside.
        let captured = captured.and_then(|()| self.store.distrust(distrusted));
        if let Err(error) = captured {
            self.sink.event(Event::Trouble(error.to_string()));
        }
        drop(lock);
        let summary = summary_of_build(plan, &decisions, &built, started);
        let finished = plan.finished.clone();
        self.remember(name, &mut remembered);
        let ran_now = RanNow {
            built: &built,
            built_now: &built_now,
            started,
        };
        self.account(&remembered.state, &decisions, Some(&ran_now));
        fault::point("session: captured");
        upkeep::note_use(self.store, &remembered.state);
        upkeep::collect_if_due(self.store, self.bounds, self.sink);
        self.done(Phase::Capture, begun);
        Ok(Outcome {
            status: Some(ran.status),
            cargo_follows: self.start == Start::BeforeVerb && ran.status.success(),
            lines: Vec::new(),
            finished,
            executables,
            summary,
        })
    }

    fn remember(&self, name: &Digest, remembered: &mut Remembered) {
        remembered.state.digests = remembered.memo.entries();
        let state = &remembered.state;
        let saved = self.store.save_state(name, &state::encode(state));
        let saved = saved.and_then(|()| self.share(state));
        if let Err(error) = saved {
            self.sink.event(Event::Trouble(error.to_string()));
        }
    }

    fn replay(&self, state: &State, decisions: &[Decision], talk: Talk) -> Option<Outcome> {
        let (plan, units) = (&state.plan, &state.units);
        let lines = match self.start.is_callers() {
            true => Vec::new(),
            false => replay::lines(plan, units, self.inv, talk.verbose, talk.quiet)?,
        };
        Some(Outcome {
            status: None,
            cargo_follows: self.start.is_callers(),
            lines,
            finished: state.plan.finished.clone(),
            executables: executables::lines(plan, self.inv, &executables::of_states(plan, units)),
            summary: Summary {
                units: decisions.len(),
                reused: decisions.len(),
                restored: restored(decisions),
                compiled: 0,
                saved: saved(&state.plan, decisions, &state.units),
            },
        })
    }

    /// The roots of misses: those that no other miss explains.
    fn tell_misses(&self, plan: &Plan, decisions: &[Decision]) {
        for (unit, decision) in plan.units.iter().zip(decisions) {
            match &decision.verdict {
                Verdict::Miss(MissReason::Dependency(_)) | Verdict::Hit | Verdict::InPlace => {}
                Verdict::Miss(reason) => self.sink.event(Event::Missed {
                    unit: unit.title.clone(),
                    reason: reason.clone(),
                }),
            }
        }
    }
}

pub(super) fn working_dir(inv: &Invocation) -> Result<Utf8PathBuf, SessionError> {
    let system = |source| SessionError::System {
        what: "find the current directory",
        source,
    };
    let cwd = std::env::current_dir().map_err(system)?;
    let cwd = Utf8PathBuf::from_path_buf(cwd)
        .map_err(|_| system(std::io::Error::other("its name is not UTF-8")))?;
    Ok(match &inv.directory {
        Some(dir) => cwd.join(dir),
        None => cwd,
    })
}
