//! One line of figures per build: the journal, the history, the statistics.
//!
//! Names of fields that mean the same as in the caches that people come from
//! (`hits`, `misses`, `non_cacheable`, `time_saved_ms`, `duration_ms`) are
//! theirs (docs/migration.md). A field may be added; one that is there keeps its
//! meaning as long as `version` does.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::simulate::{Schedule, Task, schedule};
use super::tally::Told;
use crate::event::{Account, Fate, Summary};

/// The version of the fields.
pub const VERSION: u32 = 2;

/// The figures of one build, or of several in sum.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct BuildRecord {
    /// [`VERSION`].
    pub version: u32,
    /// When it ended, in milliseconds since 1970.
    pub time_ms: u64,
    /// How many builds these are the figures of.
    pub builds: u64,
    /// The workspace root; empty for the sum of several workspaces.
    pub workspace: String,
    /// Verb and arguments, as typed.
    pub command: String,
    /// cargo's exit code; none if a signal ended it.
    pub exit_code: Option<i32>,
    /// Whether cargo had to be started.
    pub cargo_started: bool,
    /// Units in the plan.
    pub units: u64,
    /// Units that were in place or restored.
    pub reused: u64,
    /// Units that were restored from the cache.
    pub restored: u64,
    /// Units that plain cargo would have built and that were reused instead.
    pub hits: u64,
    /// Units that cargo built although units of their kind are cached.
    pub misses: u64,
    /// The misses by [`crate::unit::MissReason::code`]; `stale` for a unit that
    /// cargo built although it was reused.
    pub miss_reasons: BTreeMap<String, u64>,
    /// Units that cargo built and that are never cached.
    pub non_cacheable: u64,
    /// Things of ours that could not be done.
    pub troubles: u64,
    /// Units whose record was set aside because cargo built them all the same.
    pub distrusted: u64,
    /// Recorded build time of the hits, in sum over all jobs.
    pub time_saved_ms: u64,
    /// From the beginning of the process to its end.
    pub duration_ms: u64,
    /// What plain cargo would have taken, as estimated.
    pub plain_cargo_ms: u64,
    /// Size of the restored files.
    pub bytes_restored: u64,
    /// Size of the files that cargo built.
    pub bytes_built: u64,
    /// Milliseconds by phase.
    pub phases_ms: BTreeMap<String, f64>,
}

/// What the command line knows of a build.
#[derive(Clone, Debug, Default)]
pub struct Ending {
    /// Verb and arguments.
    pub command: String,
    /// How long the process took.
    pub duration: Duration,
    /// When it ended, in milliseconds since 1970.
    pub time_ms: u64,
    /// cargo's exit code, or 0 if it was not started.
    pub exit_code: Option<i32>,
}

impl BuildRecord {
    /// The figures of a build; none if nobody told what became of its units.
    pub fn new(told: &Told, summary: &Summary, ending: &Ending) -> Option<BuildRecord> {
        let account = told.account.as_ref()?;
        let mut record = BuildRecord {
            version: VERSION,
            time_ms: ending.time_ms,
            builds: 1,
            workspace: account.workspace.clone(),
            command: ending.command.clone(),
            exit_code: ending.exit_code,
            cargo_started: account.cargo_started,
            units: summary.units as u64,
            reused: summary.reused as u64,
            restored: summary.restored as u64,
            troubles: told.troubles.len() as u64,
            distrusted: told.distrusted.len() as u64,
            duration_ms: ms(ending.duration),
            plain_cargo_ms: plain_cargo(account).total_ms,
            ..BuildRecord::default()
        };
        for (phase, time) in &told.phases {
            let sum = record.phases_ms.entry(phase.name().to_owned()).or_default();
            *sum += (time.as_secs_f64() * 1e6).round() / 1e3;
        }
        for unit in &account.units {
            match unit.fate {
                Fate::Compiled => {
                    record.bytes_built += unit.bytes;
                    let code = unit.reason.as_ref().map_or("stale", |reason| reason.code());
                    if code == "uncacheable" {
                        record.non_cacheable += 1;
                    } else {
                        record.misses += 1;
                        *record.miss_reasons.entry(code.to_owned()).or_default() += 1;
                    }
                }
                Fate::InPlace | Fate::Restored if unit.needed => {
                    record.hits += 1;
                    record.time_saved_ms += unit.build_ms.unwrap_or(0);
                    if unit.fate == Fate::Restored {
                        record.bytes_restored += unit.bytes;
                    }
                }
                Fate::InPlace | Fate::Restored | Fate::NotBuilt => {}
            }
        }
        Some(record)
    }

    /// One line of JSON.
    pub fn line(&self) -> String {
        // Numbers, strings and maps of them have nothing to fail on.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Reads such a line; none if it is torn or of another version.
    pub fn parse(line: &str) -> Option<BuildRecord> {
        let record: BuildRecord = serde_json::from_str(line).ok()?;
        (record.version == VERSION && record.builds > 0).then_some(record)
    }

    /// Hits in relation to all units that had to be built or reused, from 0
    /// to 1; none if there were none.
    pub fn hit_rate(&self) -> Option<f64> {
        let all = self.hits + self.misses;
        (all > 0).then(|| (self.hits as f64 / all as f64 * 1e4).round() / 1e4)
    }

    /// Adds another build's figures. What is no figure stays that of the later
    /// of the two.
    pub fn add(&mut self, other: &BuildRecord) {
        let BuildRecord {
            version: _,
            time_ms,
            builds,
            workspace,
            command,
            exit_code,
            cargo_started,
            units,
            reused,
            restored,
            hits,
            misses,
            miss_reasons,
            non_cacheable,
            troubles,
            distrusted,
            time_saved_ms,
            duration_ms,
            plain_cargo_ms,
            bytes_restored,
            bytes_built,
            phases_ms,
        } = other;
        if self.workspace != *workspace {
            self.workspace.clear();
        }
        if *time_ms >= self.time_ms {
            self.time_ms = *time_ms;
            self.command.clone_from(command);
            self.exit_code = *exit_code;
            self.cargo_started = *cargo_started;
        }
        for (sum, figure) in [
            (&mut self.builds, builds),
            (&mut self.units, units),
            (&mut self.reused, reused),
            (&mut self.restored, restored),
            (&mut self.hits, hits),
            (&mut self.misses, misses),
            (&mut self.non_cacheable, non_cacheable),
            (&mut self.troubles, troubles),
            (&mut self.distrusted, distrusted),
            (&mut self.time_saved_ms, time_saved_ms),
            (&mut self.duration_ms, duration_ms),
            (&mut self.plain_cargo_ms, plain_cargo_ms),
            (&mut self.bytes_restored, bytes_restored),
            (&mut self.bytes_built, bytes_built),
        ] {
            *sum = sum.saturating_add(*figure);
        }
        for (code, count) in miss_reasons {
            *self.miss_reasons.entry(code.clone()).or_default() += count;
        }
        for (phase, time) in phases_ms {
            *self.phases_ms.entry(phase.clone()).or_default() += time;
        }
    }
}

/// How plain cargo would have built what this build needed. If cargo was
/// started, what it took until it began with its first unit comes before: it
/// looked at everything, or waited for another cargo's locks.
pub fn plain_cargo(account: &Account) -> Schedule {
    let tasks: Vec<Task<'_>> = account
        .units
        .iter()
        .map(|unit| Task {
            ms: unit.build_ms.filter(|_| unit.needed).unwrap_or(0),
            deps: &unit.deps,
        })
        .collect();
    let begun = account.units.iter().filter_map(|unit| unit.begun_ms);
    let ahead = begun.min().unwrap_or(0);
    let mut plain = schedule(&tasks, account.jobs);
    plain.total_ms += ahead;
    for begin in &mut plain.begin_ms {
        *begin += ahead;
    }
    plain
}

fn ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::event::{Phase, UnitAccount};
    use crate::unit::MissReason;

    pub(in crate::report) fn unit(title: &str, fate: Fate, build_ms: u64) -> UnitAccount {
        UnitAccount {
            title: format!("{title} 1.0.0 (lib)"),
            package: title.to_owned(),
            deps: Vec::new(),
            fate,
            reason: None,
            needed: fate != Fate::InPlace && fate != Fate::NotBuilt,
            build_ms: Some(build_ms),
            begun_ms: None,
            bytes: 1000,
        }
    }

    pub(in crate::report) fn told() -> Told {
        let mut edited = unit("edited", Fate::Compiled, 700);
        edited.reason = Some(MissReason::Input("src/lib.rs".into()));
        edited.deps = vec![0];
        edited.begun_ms = Some(20);
        let mut doc = unit("doc", Fate::Compiled, 50);
        doc.reason = Some(MissReason::Uncacheable("mode doc".into()));
        let mut touched = unit("touched", Fate::InPlace, 300);
        touched.needed = true;
        let account = Account {
            workspace: "/ws".into(),
            target: "/ws/target".into(),
            cargo_started: true,
            jobs: 2,
            units: vec![
                unit("restored", Fate::Restored, 500),
                unit("calm", Fate::InPlace, 400),
                touched,
                edited,
                doc,
                unit("later", Fate::NotBuilt, 10),
            ],
        };
        Told {
            account: Some(account),
            phases: vec![(Phase::Plan, Duration::from_micros(1500))],
            ..Told::default()
        }
    }

    pub(in crate::report) fn record() -> BuildRecord {
        let summary = Summary {
            units: 6,
            reused: 3,
            restored: 1,
            compiled: 2,
            saved: Duration::ZERO,
        };
        let ending = Ending {
            command: "build".into(),
            duration: Duration::from_millis(900),
            time_ms: 1_700_000_000_000,
            exit_code: Some(0),
        };
        BuildRecord::new(&told(), &summary, &ending).unwrap()
    }

    #[test]
    fn figures_of_a_build() {
        let record = record();
        assert_eq!(
            (record.hits, record.misses, record.non_cacheable),
            (2, 1, 1)
        );
        assert_eq!(record.miss_reasons["input"], 1);
        assert_eq!(record.time_saved_ms, 800);
        assert_eq!(record.hit_rate(), Some(0.6667));
        assert_eq!((record.bytes_restored, record.bytes_built), (1000, 2000));
        // 500 then 700 on one job, 300 and 50 on the other, and cargo's own 20.
        assert_eq!(record.plain_cargo_ms, 1220);
        assert_eq!(record.phases_ms["plan"], 1.5);
    }

    #[test]
    fn lines_are_read_back_and_torn_ones_are_not() {
        let record = record();
        let line = record.line();
        assert_eq!(BuildRecord::parse(&line), Some(record));
        assert_eq!(BuildRecord::parse(&line[..line.len() / 2]), None);
        assert_eq!(BuildRecord::parse("{}"), None);
    }

    #[test]
    fn sums_keep_every_figure() {
        let mut sum = record();
        let mut later = record();
        later.time_ms += 1;
        later.command = "check".into();
        sum.add(&later);
        assert_eq!((sum.builds, sum.hits, sum.units), (2, 4, 12));
        assert_eq!(
            (sum.command.as_str(), sum.workspace.as_str()),
            ("check", "/ws")
        );
        assert_eq!(sum.miss_reasons["input"], 2);
        later.workspace = "/other".into();
        sum.add(&later);
        assert_eq!(sum.workspace, "");
    }
}
