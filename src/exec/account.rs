//! What became of every unit, for whoever reports it.
//!
//! Only told, never acted on: a figure here may be unknown, but it must not
//! cost a build anything, so no file is opened for it that was not written in
//! this build.

use camino::Utf8Path;

use super::run::Built;
use super::session::Session;
use crate::event::{Account, Event, Fate, UnitAccount};
use crate::plan::Plan;
use crate::plan::inputs::Stamp;
use crate::plan::lookup::Decision;
use crate::plan::state::State;
use crate::unit::Verdict;

/// What cargo did in this build.
pub(super) struct RanNow<'a> {
    /// What it said.
    pub(super) built: &'a Built,
    /// Which units it built.
    pub(super) built_now: &'a [bool],
    /// When it was started, nanoseconds since 1970.
    pub(super) started: i64,
}

/// Which units plain cargo would have built: those that had to be restored or
/// set right, those that it did build, and everything above them.
pub(super) fn needed(plan: &Plan, decisions: &[Decision], built_now: Option<&[bool]>) -> Vec<bool> {
    let mut needed = vec![false; plan.units.len()];
    for (at, unit) in plan.units.iter().enumerate() {
        let decision = &decisions[at];
        // What cargo found fresh although we did not know it needed nothing.
        let missed = || match (&decision.verdict, built_now) {
            (Verdict::Miss(_), Some(built_now)) => built_now[at],
            (verdict, _) => *verdict != Verdict::InPlace,
        };
        let own = decision.touched || decision.behind || missed();
        needed[at] = own || unit.deps.iter().any(|&dep| needed[dep]);
    }
    needed
}

impl Session<'_> {
    /// Tells what became of every unit.
    pub(super) fn account(&self, state: &State, decisions: &[Decision], ran: Option<&RanNow<'_>>) {
        let State { plan, units, .. } = state;
        let needed = needed(plan, decisions, ran.map(|ran| ran.built_now));
        let of_unit = |(at, unit): (usize, &crate::plan::PlanUnit)| {
            let decision = &decisions[at];
            let known = units[at].as_ref();
            let compiled = ran.is_some_and(|ran| ran.built_now[at]);
            let fate = match &decision.verdict {
                _ if compiled => Fate::Compiled,
                Verdict::InPlace => Fate::InPlace,
                Verdict::Hit => Fate::Restored,
                // cargo found it fresh although we knew nothing of it.
                Verdict::Miss(_) if ran.is_some_and(|ran| ran.built.places[at].is_some()) => {
                    Fate::InPlace
                }
                Verdict::Miss(_) => Fate::NotBuilt,
            };
            let times = ran.filter(|_| compiled);
            let times = times.and_then(|ran| times_of(plan, ran, at));
            let recorded = known.map(|known| known.build_ms);
            UnitAccount {
                title: unit.title.clone(),
                package: unit.package.clone(),
                deps: unit.deps.clone(),
                fate,
                reason: match &decision.verdict {
                    Verdict::Miss(reason) => Some(reason.clone()),
                    Verdict::Hit | Verdict::InPlace => None,
                },
                needed: compiled || (needed[at] && fate != Fate::NotBuilt),
                build_ms: recorded.or(times.map(|(_, lasted)| lasted)),
                begun_ms: times.map(|(begun, _)| begun),
                bytes: known.map_or(0, |known| known.files.iter().map(|file| file.size).sum()),
            }
        };
        self.sink.event(Event::Accounted(Account {
            workspace: plan.dirs.workspace.to_string(),
            target: plan.dirs.target.to_string(),
            cargo_started: ran.is_some(),
            jobs: jobs(&self.inv.args),
            units: plan.units.iter().enumerate().map(of_unit).collect(),
        }));
    }
}

/// When a unit that was built now was begun, after cargo was started, and how
/// long it took as far as its files tell; both in milliseconds.
fn times_of(plan: &Plan, ran: &RanNow<'_>, at: usize) -> Option<(u64, u64)> {
    let place = ran.built.places[at].as_ref()?;
    let is_run = plan.units[at].is_run();
    let begun = modified(&plan.dirs.build.join(place.started(is_run)))?;
    let files = ran.built.artifacts[at].as_ref();
    let files = files.into_iter().flat_map(|artifact| &artifact.filenames);
    let ended = files.filter_map(|file| modified(Utf8Path::new(file))).max();
    let ms = |nanos: i64| u64::try_from(nanos / 1_000_000).unwrap_or(0);
    Some((ms(begun - ran.started), ms(ended.unwrap_or(begun) - begun)))
}

fn modified(path: &Utf8Path) -> Option<i64> {
    Stamp::of(path).ok().map(|stamp| stamp.modified)
}

/// How many jobs cargo runs at once: `-j`, else one per processor.
fn jobs(args: &[String]) -> usize {
    let processors = || std::thread::available_parallelism().map_or(1, usize::from);
    let mut args = args.iter().take_while(|arg| *arg != "--").peekable();
    while let Some(arg) = args.next() {
        let given = match arg.as_str() {
            "-j" | "--jobs" => args.peek().map(|next| next.as_str()),
            arg => arg.strip_prefix("--jobs=").or(arg.strip_prefix("-j")),
        };
        match given.and_then(|given| given.parse::<i64>().ok()) {
            Some(jobs @ 1..) => return usize::try_from(jobs).unwrap_or(1),
            // cargo counts a negative number from the number of processors.
            Some(less @ ..=-1) => {
                let less = usize::try_from(less.unsigned_abs()).unwrap_or(usize::MAX);
                return processors().saturating_sub(less).max(1);
            }
            _ => {}
        }
    }
    std::env::var("CARGO_BUILD_JOBS")
        .ok()
        .and_then(|jobs| jobs.parse().ok())
        .filter(|jobs| *jobs > 0)
        .unwrap_or_else(processors)
}

#[cfg(test)]
mod tests {
    use super::jobs;

    #[test]
    fn finds_the_number_of_jobs() {
        let of = |line: &str| jobs(&line.split(' ').map(str::to_owned).collect::<Vec<_>>());
        assert_eq!(of("-p a -j 3"), 3);
        assert_eq!(of("-j4"), 4);
        assert_eq!(of("--jobs=5 --"), 5);
        assert_eq!(of("-j -1000000"), 1);
        assert!(of("-- -j 7000000") < 7_000_000);
    }
}
