//! Units that differ from their record for no known reason, built once more.
//!
//! Not everything that differs between two builds tells of what a unit was
//! built from. The names of directories go into hashes. rustc looks at every
//! library in the directory of the dependencies whose name begins like that of
//! one that it searches, and in which order it writes some tables of crate
//! metadata follows from that (seen with links in documentation): so it matters
//! what happened to be built already. And some outputs are not the same twice.
//!
//! The control is a build of the unit's package alone, by plain cargo, in a
//! directory that holds nothing but what the unit rests on. What is recorded is
//! what cargo makes if the control is the same. Where cargo builds something else
//! if it builds the package alone (features and profiles depend on what is
//! selected), the control is built like the first one, in another directory.
//! Beside that, what differs from
//! the record is told away only in places - no longer than two hashes - in which
//! the two builds differ from each other. Nothing is told away because it is
//! small, or because the rest of a file has changed its order.

use std::collections::BTreeSet;
use std::ops::Range;
use std::time::{Duration, Instant};

use camino::Utf8Path;

use super::audit::{AuditError, Step};
use super::bench::{Bench, Ran};
use super::compare::{Comparer, HASH, Part};
use super::judge::{Item, comparer, items};
use super::restore::{restore, stamp_before_now};
use super::run::Interrupts;
use super::scratch::{Held, Kept, Scratch};
use super::session::{SETTLE_MS, Session};
use crate::cache::record::Variant;
use crate::cargo::args::Invocation;
use crate::event::{Audited, Likeness, Silent};
use crate::plan::lookup::Decision;
use crate::plan::{Dirs, Plan, PlanUnit};
use crate::unit::{MissReason, Verdict};

/// So much later the second build in the same directory begins: a time that is
/// written down in seconds is then another one.
const LATER: Duration = Duration::from_millis(1100);

/// How many bytes at either end of a hash may be the same by chance.
const CHANCE: usize = 2;

/// How many bytes in a row within a hash may be the same by chance.
const GAP: usize = 3;

/// Builds units once more.
pub struct Control<'a> {
    /// The audited build.
    pub session: &'a Session<'a>,
    /// In which directory scratch directories are to be.
    pub base: &'a Utf8Path,
    /// Whoever wants it to end.
    pub interrupts: &'a Interrupts,
    /// The audited plan.
    pub plan: &'a Plan,
    /// What is recorded of its units.
    pub decisions: &'a [Decision],
    /// Where it was built first.
    pub first: &'a Dirs,
    /// What that made of the files in question.
    pub kept: &'a Kept,
}

/// A file in question.
struct Asked<'a> {
    item: &'a Item<'a>,
    /// Its place among the differences of its unit.
    place: usize,
    recorded: Vec<u8>,
    /// What the first build made of it.
    first: Option<Vec<u8>>,
    /// What the control made of it.
    control: Vec<u8>,
}

impl Control<'_> {
    /// Builds those of the units once more that have a file in question, and
    /// writes down what it means. `units` and `found` go together.
    ///
    /// # Errors
    /// When a scratch directory cannot be filled, or on an interrupt. Where
    /// there is no control - no such build, or cargo cannot do it - everything
    /// stays as it was found.
    pub fn settle(
        &self,
        units: &[usize],
        found: &mut [Audited],
        progress: &dyn Fn(Step, usize, usize),
    ) -> Result<(), AuditError> {
        let in_question = |audited: &Audited| audited.worst().is_in_question();
        let all = found.iter().filter(|audited| in_question(audited)).count();
        let asked = units.iter().zip(found);
        let asked = asked.filter(|(_, audited)| in_question(audited));
        let mut left = Vec::new();
        for (done, (&at, audited)) in asked.enumerate() {
            progress(Step::Control, done, all);
            match self.alone(at, audited) {
                Ok(true) => {}
                Ok(false) | Err(AuditError::Failed(_) | AuditError::Session(_)) => {
                    left.push((at, audited));
                }
                Err(error) => return Err(error),
            }
        }
        match left.is_empty() {
            true => Ok(()),
            false => match self.among_all(left) {
                Err(AuditError::Failed(_)) => Ok(()),
                done => done,
            },
        }
    }

    /// Builds the units again where everything is restored, as they were built
    /// first: for those that cargo builds in another way if it builds them alone.
    fn among_all(&self, units: Vec<(usize, &mut Audited)>) -> Result<(), AuditError> {
        let scratch = Scratch::new(self.base, &self.plan.dirs.build)?;
        let plan = &scratch.plan(self.plan);
        let bench = self.bench(self.session.inv, plan);
        self.restore(plan, self.decisions)?;
        let before = bench.cargo()?;
        for (at, audited) in units {
            if before.now[at] || before.built.places[at].is_none() {
                continue;
            }
            let held = bench.make_stale(&[at], &before.built)?;
            let begun = Instant::now();
            let ran = bench.cargo()?;
            let others = (0..ran.now.len()).any(|other| ran.now[other] && other != at);
            if !ran.now[at] || others {
                return Ok(());
            }
            for (_, held) in held {
                self.compare(at, audited, &bench, (at, &before), begun, Some(&held))?;
                held.put_back()?;
            }
        }
        Ok(())
    }

    fn bench<'a>(&'a self, inv: &'a Invocation, plan: &'a Plan) -> Bench<'a> {
        Bench {
            inv,
            cargo: self.session.cargo,
            sink: &Silent,
            interrupts: self.interrupts,
            plan,
        }
    }

    fn restore(&self, plan: &Plan, decisions: &[Decision]) -> Result<(), AuditError> {
        let stamp = stamp_before_now(Duration::from_millis(SETTLE_MS));
        let mut units = vec![None; decisions.len()];
        let store = self.session.store;
        restore(plan, decisions, &mut units, store, stamp, &Silent)?;
        Ok(())
    }

    /// Builds a unit where there is nothing but what it rests on; whether that
    /// could be done.
    fn alone(&self, at: usize, audited: &mut Audited) -> Result<bool, AuditError> {
        let unit = &self.plan.units[at];
        let scratch = Scratch::new(self.base, &self.plan.dirs.build)?;
        let dirs = scratch.dirs(&self.plan.dirs);
        let Some(inv) = alone(self.session.inv, unit, &dirs) else {
            return Ok(false);
        };
        let session = Session {
            inv: &inv,
            ..*self.session
        };
        let plan = session.planned(false)?.state.plan;
        let same = |other: &PlanUnit| other.key.is_ok() && other.key == unit.key;
        let Some(own) = plan.units.iter().position(same) else {
            return Ok(false);
        };
        let decisions = self.below(&plan, own);
        let below = rests_on(&plan, own);
        let is_whole = below
            .iter()
            .all(|&dep| decisions[dep].verdict == Verdict::Hit);
        if !is_whole || plan.dirs != dirs {
            return Ok(false);
        }
        let plan = &plan;
        self.restore(plan, &decisions)?;
        let bench = self.bench(&inv, plan);
        let begun = Instant::now();
        let ran = bench.cargo()?;
        // Against other bytes it would be no control.
        if !ran.now[own] || below.iter().any(|&dep| ran.now[dep]) {
            return Ok(false);
        }
        self.compare(at, audited, &bench, (own, &ran), begun, None)?;
        Ok(true)
    }

    /// Writes down what the control means that is in place. `own` is the unit in
    /// the control's plan, with a run of cargo that tells where it is; `held` is
    /// what was there before.
    fn compare(
        &self,
        at: usize,
        audited: &mut Audited,
        bench: &Bench<'_>,
        (own, ran): (usize, &Ran),
        begun: Instant,
        held: Option<&Held>,
    ) -> Result<(), AuditError> {
        let Some(variant) = &self.decisions[at].variant else {
            return Ok(());
        };
        let dirs = &bench.plan.dirs;
        let comparer = comparer(dirs, variant);
        let items = items(self.session.store, variant)?;
        let mut left = Vec::new();
        for asked in self.asked(at, audited, &items, dirs)? {
            // A script finds what its run before left.
            if held.is_some_and(|held| asked.item.is_left(dirs, held)) {
                continue;
            }
            let path = &asked.item.path;
            let likeness = comparer.files(path, &asked.recorded, &asked.control);
            match likeness.is_in_question() {
                true => left.push(asked),
                false => audited.differences[asked.place].1 = Likeness::Reproduced,
            }
        }
        if left.is_empty() {
            return Ok(());
        }
        std::thread::sleep(LATER.saturating_sub(begun.elapsed()));
        let again = self.again(bench, own, ran)?;
        for asked in left {
            let twice = asked.item.made(dirs).filter(|_| again);
            if let Some(likeness) = self.told_away(&asked, twice.as_deref(), dirs, variant) {
                audited.differences[asked.place].1 = likeness;
            }
        }
        Ok(())
    }

    /// What is recorded of what the unit rests on, in the control's plan; of
    /// anything else nothing.
    fn below(&self, plan: &Plan, own: usize) -> Vec<Decision> {
        let below = rests_on(plan, own);
        let decision = |(at, unit): (usize, &PlanUnit)| {
            let same = |other: &PlanUnit| other.key.is_ok() && other.key == unit.key;
            let known = self.plan.units.iter().position(same);
            match known.filter(|_| below.contains(&at)) {
                Some(known) => self.decisions[known].clone(),
                None => Decision {
                    verdict: Verdict::Miss(MissReason::NeverSeen),
                    output: None,
                    variant: None,
                    touched: false,
                    behind: false,
                    outdated: false,
                },
            }
        };
        plan.units.iter().enumerate().map(decision).collect()
    }

    /// The files in question that the control made.
    fn asked<'a>(
        &self,
        at: usize,
        audited: &Audited,
        items: &'a [Item<'a>],
        dirs: &Dirs,
    ) -> Result<Vec<Asked<'a>>, AuditError> {
        let mut asked = Vec::new();
        for (place, (path, likeness)) in audited.differences.iter().enumerate() {
            let number = items.iter().position(|item| item.path == *path);
            let Some(number) = number.filter(|_| likeness.is_in_question()) else {
                continue;
            };
            let item = &items[number];
            if let Some(control) = item.made(dirs) {
                asked.push(Asked {
                    item,
                    place,
                    recorded: item.recorded(self.session.store)?,
                    first: self.kept.take(at, number)?,
                    control,
                });
            }
        }
        Ok(asked)
    }

    /// Builds the unit once more in the same directory; whether cargo did.
    fn again(&self, bench: &Bench<'_>, own: usize, ran: &Ran) -> Result<bool, AuditError> {
        let held = bench.make_stale(&[own], &ran.built)?;
        let is_held = !held.is_empty();
        Ok(is_held && bench.cargo()?.now[own])
    }

    /// What the builds by cargo tell of a file that differs from the record in
    /// both; none if nothing. `twice` is what the second build in the control's
    /// directory made.
    fn told_away(
        &self,
        asked: &Asked<'_>,
        twice: Option<&[u8]>,
        dirs: &Dirs,
        variant: &Variant,
    ) -> Option<Likeness> {
        let path = asked.item.path.as_str();
        let (own, twin) = (comparer(dirs, variant), Comparer::new(&[]));
        let there = comparer(self.first, variant);
        let apart = Comparer::new(&[(&dirs.build, &self.first.build)]);
        let in_place = twice.map(|twice| twin.parts(path, &asked.control, twice));
        let in_place = in_place.unwrap_or_default();
        let first = asked.first.as_deref();
        let between = first.map(|first| apart.parts(path, first, &asked.control));
        let between = between.unwrap_or_default();
        let against = |base: &[u8], comparer: &Comparer| {
            let parts = comparer.parts(path, &asked.recorded, base);
            let told = parts.iter().map(|part| {
                let here = |other: &&Part<'_>| other.place == part.place;
                let is_unsteady = |other: &Part<'_>| other.likeness.is_in_question();
                match &part.likeness {
                    Likeness::Unproven(what) | Likeness::Real(what)
                        if in_place.iter().find(here).is_some_and(is_unsteady) =>
                    {
                        Likeness::Unsteady(what.clone())
                    }
                    found if !found.is_in_question() => found.clone(),
                    found => match between.iter().find(here) {
                        Some(noise) if is_noise((part, comparer), (noise, &apart)) => {
                            Likeness::Control
                        }
                        _ => found.clone(),
                    },
                }
            });
            told.max().unwrap_or(Likeness::Same)
        };
        let first = first.map(|first| against(first, &there));
        let told = first.into_iter().chain([against(&asked.control, &own)]);
        let is_told =
            |likeness: &Likeness| !matches!(likeness, Likeness::Unproven(_) | Likeness::Real(_));
        told.min().filter(is_told)
    }
}

/// The package alone, as an invocation in these directories: cargo notes in the
/// target directory what it asked rustc, even if it only plans.
fn alone(inv: &Invocation, unit: &PlanUnit, dirs: &Dirs) -> Option<Invocation> {
    let verb = match unit.graph.mode.as_str() {
        "build" | "run-custom-build" => "build",
        "check" => "check",
        _ => return None,
    };
    let target = &unit.graph.target;
    let named = |option: &str| vec![option.to_owned(), target.name.clone()];
    let targets = match target.kind.first().map(String::as_str)? {
        "bin" => named("--bin"),
        "example" => named("--example"),
        "custom-build" => Vec::new(),
        _ => vec!["--lib".to_owned()],
    };
    let package = format!("{}@{}", unit.package, unit.version);
    let alone = inv.alone(verb, &package, &targets)?;
    Some(alone.at(&dirs.build, &dirs.target))
}

/// Everything below a unit.
fn rests_on(plan: &Plan, at: usize) -> BTreeSet<usize> {
    let mut below = BTreeSet::new();
    let mut open = plan.units[at].deps.clone();
    while let Some(next) = open.pop() {
        if below.insert(next) {
            open.extend(&plan.units[next].deps);
        }
    }
    below
}

/// Whether a part differs from the record only in places, each no longer than
/// two hashes, in which it differs in the other two builds as well.
fn is_noise(
    (part, comparer): (&Part<'_>, &Comparer),
    (noise, apart): (&Part<'_>, &Comparer),
) -> bool {
    let (base, _) = comparer.moved(part.new);
    let (control, _) = apart.moved(noise.new);
    let long = part.old.len();
    if [base.len(), noise.old.len(), control.len()] != [long; 3] {
        return false;
    }
    let mut known = places(noise.old, &control);
    known.retain(|place| place.len() <= 2 * HASH);
    if std::str::from_utf8(noise.old).is_ok() {
        known = known
            .into_iter()
            .map(|place| word(noise.old, place))
            .collect();
    }
    places(part.old, &base).iter().all(|place| {
        let at = known.partition_point(|known| known.end + CHANCE < place.end);
        let known = known.get(at);
        known.is_some_and(|known| known.start <= place.start + CHANCE)
    })
}

/// The whole word in a text: of two hashes in digits more are the same by chance.
fn word(text: &[u8], place: Range<usize>) -> Range<usize> {
    let (before, after) = (&text[..place.start], &text[place.end..]);
    let is_in = |byte: &&u8| byte.is_ascii_alphanumeric();
    let start = place.start - before.iter().rev().take_while(is_in).count();
    start..place.end + after.iter().take_while(is_in).count()
}

/// Where two runs of bytes of the same length differ.
fn places(old: &[u8], new: &[u8]) -> Vec<Range<usize>> {
    let mut places: Vec<Range<usize>> = Vec::new();
    let pairs = old.iter().zip(new).enumerate();
    for (at, _) in pairs.filter(|(_, (old, new))| old != new) {
        match places.last_mut() {
            Some(last) if at <= last.end + GAP => last.end = at + 1,
            _ => places.push(at..at + 1),
        }
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A record and two builds of one file, in directories of other names.
    fn is_told_away(recorded: &[u8], first: &[u8], control: &[u8]) -> bool {
        let comparer = Comparer::new(&[("/first".into(), "/there".into())]);
        let apart = Comparer::new(&[("/twice".into(), "/first".into())]);
        let part = comparer.parts("a.rmeta", recorded, first);
        let noise = apart.parts("a.rmeta", first, control);
        match (part.as_slice(), noise.as_slice()) {
            ([part], [noise]) => is_noise((part, &comparer), (noise, &apart)),
            _ => false,
        }
    }

    fn bytes(dir: &str, hash: u8, constant: u8) -> Vec<u8> {
        let mut bytes = format!("\u{ff}{dir}/x.....").into_bytes();
        bytes.extend((0..8).map(|at| hash ^ (at * 31)));
        bytes.extend_from_slice(&[1, 2, 3, constant, 4]);
        bytes
    }

    #[test]
    fn only_hashes_that_differ_anyway_are_told_away() {
        let recorded = bytes("/there", 0x11, 7);
        assert!(is_told_away(
            &recorded,
            &bytes("/first", 0x22, 7),
            &bytes("/twice", 0x44, 7)
        ));
        // A constant beside it, or the hash alone if cargo always makes that one.
        assert!(!is_told_away(
            &recorded,
            &bytes("/first", 0x22, 8),
            &bytes("/twice", 0x44, 8)
        ));
        assert!(!is_told_away(
            &recorded,
            &bytes("/first", 0x22, 7),
            &bytes("/twice", 0x22, 7)
        ));
        // Another length, or all in another order.
        let longer = [bytes("/first", 0x22, 7), vec![0]].concat();
        assert!(!is_told_away(&recorded, &longer, &bytes("/twice", 0x44, 7)));
        let many = |start: u8| -> Vec<u8> { (0..100).map(|at| start ^ (at * 2)).collect() };
        assert!(!is_told_away(&many(1), &many(2), &many(4)));
    }

    #[test]
    fn a_word_of_a_text_is_one_place() {
        let lines =
            |word: &str, number: u8| format!("const H: u64 = 0x{word}; const N: u8 = {number};");
        let (old, first, other) = (
            lines("aaaa0bcd", 1),
            lines("aaaa0fff", 1),
            lines("aa330000", 1),
        );
        assert!(is_told_away(
            old.as_bytes(),
            other.as_bytes(),
            first.as_bytes()
        ));
        assert!(is_told_away(
            other.as_bytes(),
            old.as_bytes(),
            first.as_bytes()
        ));
        let changed = lines("aaaa0bcd", 2);
        assert!(!is_told_away(
            changed.as_bytes(),
            other.as_bytes(),
            first.as_bytes()
        ));
    }
}
