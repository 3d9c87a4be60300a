//! Events: the only way in which the engine speaks.
//!
//! `plan`, `exec` and `cache` emit events; `report` turns them into lines,
//! bars and JSON. No room but `report` and `cli` prints anything.

use std::time::Duration;

use serde::Serialize;

use crate::unit::{MissReason, UnitIndex, Verdict};

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

/// What a build would do, unit by unit: nothing was built for it.
#[derive(Clone, Debug, Default)]
pub struct Forecast {
    /// The workspace root.
    pub workspace: String,
    /// cargo's target directory.
    pub target: String,
    /// The units, each after its dependencies.
    pub units: Vec<ForecastUnit>,
}

/// What would become of one unit.
#[derive(Clone, Debug)]
pub struct ForecastUnit {
    /// The unit, as a person would name it.
    pub title: String,
    /// Package name.
    pub package: String,
    /// Package version.
    pub version: String,
    /// The target's name.
    pub target: String,
    /// The target's kinds, as cargo calls them.
    pub kind: Vec<String>,
    /// cargo's mode, such as `build` or `run-custom-build`.
    pub mode: String,
    /// The `--target` triple; none for the host.
    pub platform: Option<String>,
    /// Enabled features.
    pub features: Vec<String>,
    /// Whether the command line asks for it.
    pub is_root: bool,
    /// The units it depends on.
    pub deps: Vec<UnitIndex>,
    /// The static key in hexadecimal; none if the unit is never cached.
    pub key: Option<String>,
    /// What would become of it.
    pub verdict: Verdict,
    /// In place, but cargo alone would build it: an input was touched, or a
    /// dependency dated anew.
    pub touched: bool,
    /// How long it took when it was built, in milliseconds, if that is known.
    pub build_ms: Option<u64>,
    /// The size of its files, in bytes, if that is known.
    pub bytes: Option<u64>,
}

/// Why a unit would be reused or built.
#[derive(Clone, Debug)]
pub struct Explanation {
    /// The unit, as a person would name it.
    pub title: String,
    /// What would become of it.
    pub verdict: Verdict,
    /// Where the cascade begins: units below it that have to be built for a
    /// reason of their own.
    pub roots: Vec<(String, MissReason)>,
    /// The nearest recorded build of it, for a miss.
    pub nearest: Option<Nearest>,
    /// What it rests on, for a hit.
    pub rests_on: Option<RestsOn>,
}

/// A recorded build, and how it differs from the present.
#[derive(Clone, Debug)]
pub struct Nearest {
    /// Whether it has the same static key: then contents differ, else settings.
    pub same_key: bool,
    /// The workspace in which it was recorded, as far as known.
    pub workspace: Option<String>,
    /// When, in seconds since 1970.
    pub recorded: Option<u64>,
    /// How many builds of this unit are recorded.
    pub among: usize,
    /// In what it differs.
    pub differences: Vec<Difference>,
}

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The unit in which it is, if that is another one below.
    pub unit: Option<String>,
    /// What differs: a file, a variable, a part of the key.
    pub what: String,
    /// What it was; none if that is not known or there was nothing.
    pub then: Option<String>,
    /// What it is.
    pub now: Option<String>,
}

/// What a reused unit rests on.
#[derive(Clone, Debug, Default)]
pub struct RestsOn {
    /// Input files.
    pub inputs: Vec<String>,
    /// Environment variables that were read.
    pub env: Vec<String>,
    /// The units whose bytes it was compiled against.
    pub deps: Vec<String>,
    /// The workspace in which it was recorded; none if it is only known to be
    /// in place.
    pub workspace: Option<String>,
    /// When, in seconds since 1970.
    pub recorded: Option<u64>,
    /// Why it can only be used in the directory in which it was built.
    pub bound: Option<String>,
    /// What it may have been built from without anybody recording it.
    pub unknown_inputs: bool,
    /// How long it took to build, in milliseconds.
    pub build_ms: u64,
}

/// How a file that was built again is like the recorded one; the later ones
/// are the worse. All but the last three come about wherever the same unit is
/// built twice in two directories.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Likeness {
    /// The same bytes.
    Same,
    /// The same code; rustc names the members of a library anew in each session
    /// of an incremental build.
    Session,
    /// Only the headers of an object differ: where sections are, and times.
    Headers,
    /// The same once directories are called the same.
    Directory,
    /// Only debug information differs.
    Debug,
    /// Crate metadata differs in hashes of the source files that it names.
    SourceMap,
    /// It differs only in places in which two builds by cargo differ as well.
    Control,
    /// Another build by cargo makes it as it is recorded: one in a directory
    /// that holds nothing but what the unit rests on.
    Reproduced,
    /// Two builds by cargo in the same directory differ as well: where.
    Unsteady(String),
    /// It names another directory, and what else differs cannot be told.
    Unproven(String),
    /// Something else differs: what it is.
    Real(String),
}

impl Likeness {
    /// Whether it takes another build to tell what it means.
    pub fn is_in_question(&self) -> bool {
        matches!(
            self,
            Likeness::Unsteady(_) | Likeness::Unproven(_) | Likeness::Real(_)
        )
    }
}

/// One unit that was built again.
#[derive(Clone, Debug)]
pub struct Audited {
    /// The unit, as a person would name it.
    pub title: String,
    /// Its files that are not the same, below the build directory.
    pub differences: Vec<(String, Likeness)>,
}

impl Audited {
    /// The worst of all files.
    pub fn worst(&self) -> &Likeness {
        let all = self.differences.iter().map(|(_, likeness)| likeness);
        all.max().unwrap_or(&Likeness::Same)
    }
}

/// What building recorded units again brought to light.
#[derive(Clone, Debug, Default)]
pub struct Audit {
    /// How many units of the build are recorded.
    pub recorded: usize,
    /// How many of the build are not, or are out of date.
    pub unrecorded: usize,
    /// The units that were built again.
    pub units: Vec<Audited>,
    /// Units that could not be built again, and why.
    pub left_out: Vec<(String, String)>,
}

impl Audit {
    /// Whether something differs for real.
    pub fn has_real(&self) -> bool {
        let is_real = |unit: &Audited| matches!(unit.worst(), Likeness::Real(_));
        self.units.iter().any(is_real)
    }
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
