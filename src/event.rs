//! Events: the only way in which the engine speaks.
//!
//! `plan`, `exec` and `cache` emit events; `report` turns them into lines,
//! bars and JSON. No room but `report` and `cli` prints anything.

use std::time::Duration;

use serde::Serialize;

use crate::unit::{MissReason, UnitIndex};

/// A part of a build whose wall time is reported by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Phase {
    /// Reading the remembered plan, or asking cargo for a new one.
    Plan,
    /// Checking inputs and looking keys up.
    Lookup,
    /// Putting hits into the target directory.
    Restore,
    /// cargo's own run.
    Cargo,
    /// Recording what cargo built.
    Capture,
}

impl Phase {
    /// The phase's name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Phase::Plan => "plan",
            Phase::Lookup => "lookup",
            Phase::Restore => "restore",
            Phase::Cargo => "cargo",
            Phase::Capture => "capture",
        }
    }
}

/// Something that happened and that a person or a tool may want to know.
#[derive(Clone, Debug)]
pub enum Event {
    /// A phase ended.
    PhaseDone(Phase, Duration),
    /// A phase begins that will handle this many files.
    Begin(Phase, u64),
    /// One more file of the running phase is done.
    Step(Phase),
    /// A unit has to be built, and this is the root of it (not merely a
    /// consequence of a dependency's miss).
    Missed {
        /// The unit, as a person would name it.
        unit: String,
        /// Why.
        reason: MissReason,
    },
    /// cargo built a unit that we had restored; its record was set aside.
    Distrusted {
        /// The unit, as a person would name it.
        unit: String,
    },
    /// What was reused has been read again.
    Verified {
        /// How many units.
        units: usize,
        /// How many files of theirs.
        files: usize,
    },
    /// A unit was built but not recorded.
    NotCaptured {
        /// The unit, as a person would name it.
        unit: String,
        /// Why.
        reason: String,
    },
    /// A diagnostic of rustc's, with colours, that nobody else shows.
    Diagnostic(String),
    /// Another process holds cargo's lock on this directory; we wait.
    Blocking(&'static str),
    /// The cache could not be used for something; the build goes on.
    Trouble(String),
    /// What became of every unit. Told once at the end of a build that did
    /// something, and of one that did nothing to a sink that wants it.
    Accounted(Account),
}

/// What became of every unit of a build.
#[derive(Clone, Debug, Default)]
pub struct Account {
    /// The workspace root.
    pub workspace: String,
    /// cargo's target directory.
    pub target: String,
    /// Whether cargo was started.
    pub cargo_started: bool,
    /// How many jobs cargo runs at once.
    pub jobs: usize,
    /// The units, each after its dependencies.
    pub units: Vec<UnitAccount>,
}

/// What became of one unit.
#[derive(Clone, Debug)]
pub struct UnitAccount {
    /// The unit, as a person would name it.
    pub title: String,
    /// Package name.
    pub package: String,
    /// The units it depends on.
    pub deps: Vec<UnitIndex>,
    /// What became of it.
    pub fate: Fate,
    /// Why it was no hit.
    pub reason: Option<MissReason>,
    /// Whether plain cargo would have built it, or did.
    pub needed: bool,
    /// How long it took to build when it was built, in milliseconds.
    pub build_ms: Option<u64>,
    /// When it began to be built in this build, in milliseconds after cargo
    /// was started.
    pub begun_ms: Option<u64>,
    /// The size of its files, in bytes.
    pub bytes: u64,
}

/// What became of a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// It was where it belongs; at most a time was set right.
    InPlace,
    /// It was restored from the cache.
    Restored,
    /// cargo compiled or ran it.
    Compiled,
    /// cargo did not get to it: the build failed before.
    NotBuilt,
}

/// A line that cargo would print, had it been started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CargoLine {
    /// A status such as `Fresh`, with its text.
    Status(&'static str, String),
    /// A warning of cargo's own.
    Warning(String),
    /// An error of cargo's own.
    Error(String),
    /// Text with colours as it is, for stderr (rustc's diagnostics).
    Rendered(String),
    /// A JSON message for stdout.
    Json(String),
}

/// The figures of one build.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Units in the plan.
    pub units: usize,
    /// Units that were in place or restored.
    pub reused: usize,
    /// Of these, how many were restored from the cache in this build.
    pub restored: usize,
    /// Units that cargo compiled or ran.
    pub compiled: usize,
    /// Recorded time of the units that were reused although cargo alone would
    /// have built them.
    pub saved: Duration,
}

/// Receives events. Implementations must not block for long: they are called
/// from the threads that do the work.
pub trait Sink: Sync {
    /// Takes note of one event.
    fn event(&self, event: Event);

    /// Whether it wants [`Event::Accounted`] of a build that did nothing, too.
    fn wants_every_account(&self) -> bool {
        false
    }
}

/// A sink that forgets.
pub struct Silent;

impl Sink for Silent {
    fn event(&self, _: Event) {}
}
