//! Verdicts: for every unit, before anything is restored.
//!
//! A unit is in place if its files are as they were left and everything that
//! it was built from is as it was. Otherwise the variant whose record matches
//! the present is a hit. Otherwise it is a miss, with the reason that came
//! closest. A dependency counts by the digest of its output: a variant that
//! was built against other bytes is no hit (E0460 and worse).

use std::ops::ControlFlow;

use camino::Utf8Path;
use rayon::prelude::*;

use super::inputs::{Memo, Stamp, nanos, walk};
use super::records::Records;
use super::state::{State, UnitState};
use super::{Dirs, Plan, PlanUnit};
use crate::cache::Store;
use crate::cache::record::{InputKind, Variant};
use crate::unit::{Digest, MissReason, Role, Verdict};

/// What is to happen with one unit.
#[derive(Clone, Debug)]
pub struct Decision {
    /// In place, hit or miss.
    pub verdict: Verdict,
    /// The digest of its output, unless it has to be built.
    pub output: Option<Digest>,
    /// The variant to restore, for a hit.
    pub variant: Option<Variant>,
    /// An input is newer than cargo's record of the unit although its content
    /// is what it was: cargo would build it again if nobody set that right.
    pub touched: bool,
    /// In place, but a dependency in place is newer: that one was dated anew in
    /// a build that this unit had no part in. cargo would build it again.
    pub behind: bool,
    /// The files in place were built from other inputs, and cargo, which only
    /// compares times, might not notice.
    pub outdated: bool,
}

/// How a unit stands that was in place at the end of the last build.
enum Standing {
    /// Nothing is known of it.
    Unknown,
    /// Its files are not what they were.
    Gone,
    /// A file that others are compiled against is not what it was, although
    /// cargo did not build the unit anew.
    Harmed,
    /// Files, inputs and variables are what they were; true if an input is
    /// newer than cargo's record.
    Same(bool),
    /// Its files are there, but it was built from something else.
    Outdated,
}

/// Decides for all units.
///
/// A build script may write outside of its `OUT_DIR`, into the sources, which
/// nobody records. It shows when a unit misses an input that is not there: then
/// the build scripts of its package are not restored but run.
pub fn decide(
    plan: &Plan,
    state: Option<&State>,
    memo: &Memo,
    records: &Records,
    store: &Store,
) -> Vec<Decision> {
    let mut to_run = vec![false; plan.units.len()];
    loop {
        let decisions = decide_but(&to_run, plan, state, memo, records, store);
        let mut more = false;
        for (unit, decision) in plan.units.iter().zip(&decisions) {
            let Verdict::Miss(MissReason::Input(path)) = &decision.verdict else {
                continue;
            };
            if plan.dirs.workspace.join(path).exists() {
                continue;
            }
            for &dep in &unit.deps {
                let restored = decisions[dep].verdict == Verdict::Hit;
                if plan.units[dep].is_run() && restored && !to_run[dep] {
                    to_run[dep] = true;
                    more = true;
                }
            }
        }
        if !more {
            return decisions;
        }
    }
}

/// Decides, but restores none of the units in `to_run`.
fn decide_but(
    to_run: &[bool],
    plan: &Plan,
    state: Option<&State>,
    memo: &Memo,
    records: &Records,
    store: &Store,
) -> Vec<Decision> {
    let known = |at: usize| state.and_then(|state| state.units.get(at)?.as_ref());
    let standings: Vec<Standing> = plan
        .units
        .par_iter()
        .enumerate()
        .map(|(at, unit)| standing(known(at), unit, &plan.dirs, memo))
        .collect();
    // Records are read beforehand and in parallel for units of which we know
    // that the store has to be asked.
    let mut variants: Vec<Option<Vec<Variant>>> = plan
        .units
        .par_iter()
        .zip(&standings)
        .map(|(unit, standing)| match (standing, &unit.key) {
            (Standing::Same(_), _) | (_, Err(_)) => None,
            (_, Ok(key)) => Some(records.variants(key, store)),
        })
        .collect();

    let mut decisions: Vec<Decision> = Vec::with_capacity(plan.units.len());
    for (at, unit) in plan.units.iter().enumerate() {
        let outdated = matches!(standings[at], Standing::Outdated | Standing::Harmed);
        let miss = |reason| Decision {
            verdict: Verdict::Miss(reason),
            output: None,
            variant: None,
            touched: false,
            behind: false,
            outdated,
        };
        let key = match &unit.key {
            Ok(key) => key,
            Err(why) => {
                decisions.push(miss(MissReason::Uncacheable(why.clone())));
                continue;
            }
        };
        if to_run[at] {
            let why = "may have written a source file that is missing";
            decisions.push(miss(MissReason::Uncacheable(why.into())));
            continue;
        }
        let mut deps = Vec::with_capacity(unit.deps.len());
        let mut missing = None;
        for &dep in &unit.deps {
            match decisions[dep].output {
                Some(output) => deps.push(output),
                None => missing = missing.or(Some(plan.units[dep].title.clone())),
            }
        }
        if let Some(missing) = missing {
            decisions.push(miss(MissReason::Dependency(missing)));
            continue;
        }
        let before = known(at);
        if let (Standing::Same(touched), Some(before)) = (&standings[at], before) {
            // A touch is how people tell cargo that something changed which it
            // does not see.
            let told = *touched && before.unknown_inputs;
            if before.deps == deps && !told {
                let newer = |&dep: &usize| {
                    let in_place = decisions[dep].verdict == Verdict::InPlace;
                    in_place && known(dep).is_some_and(|dep| before.is_behind(dep))
                };
                decisions.push(Decision {
                    verdict: Verdict::InPlace,
                    output: Some(before.output),
                    variant: None,
                    touched: *touched,
                    behind: unit.deps.iter().any(newer),
                    outdated: false,
                });
                continue;
            }
        }
        let variants = variants[at]
            .take()
            .unwrap_or_else(|| records.variants(key, store));
        let here = before.map(|before| before.output);
        decisions.push(
            match choose(variants, here, plan, unit, &deps, memo, store) {
                Ok(variant) => Decision {
                    verdict: Verdict::Hit,
                    output: Some(variant.output),
                    variant: Some(variant),
                    touched: false,
                    behind: false,
                    outdated: false,
                },
                // Its files may be there and look fresh to cargo, yet belong to
                // other bytes of a dependency or to other inputs.
                Err(reason) => Decision {
                    outdated: outdated || matches!(standings[at], Standing::Same(_)),
                    ..miss(reason)
                },
            },
        );
    }
    decisions
}

fn standing(before: Option<&UnitState>, unit: &PlanUnit, dirs: &Dirs, memo: &Memo) -> Standing {
    let Some(before) = before else {
        return Standing::Unknown;
    };
    let counting = before.files.iter().filter(|f| f.counts(unit.is_run()));
    if !counting.clone().all(|file| file.is_in_place(dirs)) {
        return match is_harmed(before, unit, dirs) {
            true => Standing::Harmed,
            false => Standing::Gone,
        };
    }
    if before
        .env
        .iter()
        .any(|(name, value)| env_digest(name) != *value)
    {
        return Standing::Outdated;
    }
    // Inputs are compared by cargo with this file's time.
    let reference = counting
        .filter(|file| match unit.is_run() {
            true => file.path.ends_with("/output") || file.path.ends_with("/run/stdout"),
            false => file.role == Role::DepInfo,
        })
        .map(|file| file.modified)
        .min();
    let mut touched = false;
    for (path, kind, digest) in &before.inputs {
        let now = look(path, *kind, dirs, unit, memo).ok();
        let Some((_, newest)) = now.filter(|(now, _)| now == digest) else {
            return Standing::Outdated;
        };
        touched |= reference.is_some_and(|reference| newest > reference);
    }
    Standing::Same(touched)
}

/// Whether cargo would call a unit fresh although an output of it was changed
/// after it was left here: cargo writes its records of a unit with every build
/// of it, and does not look into outputs. A program that was stripped or signed
/// is its owner's business.
fn is_harmed(before: &UnitState, unit: &PlanUnit, dirs: &Dirs) -> bool {
    let target = &unit.graph.target;
    let programs = ["bin", "example", "test", "bench"];
    let is_program = unit.graph.mode == "test"
        || target
            .kind
            .iter()
            .any(|kind| programs.contains(&kind.as_str()));
    let is_record = |role| matches!(role, Role::Fingerprint | Role::DepInfo);
    let mut records = before.files.iter().filter(|file| is_record(file.role));
    !is_program && !unit.is_run() && records.all(|file| file.is_in_place(dirs))
}

/// An input as it is now: its digest, and the time of it that cargo compares.
fn look(
    path: &Utf8Path,
    kind: InputKind,
    dirs: &Dirs,
    unit: &PlanUnit,
    memo: &Memo,
) -> std::io::Result<(Digest, i64)> {
    if kind == InputKind::File {
        return memo
            .stamped(path)
            .map(|(stamp, digest)| (digest, stamp.modified));
    }
    let digest = input_digest(path, kind, dirs, unit, memo)?;
    let time = match kind {
        InputKind::File | InputKind::Tree => newest(path),
        // Those within a package are in its digest; no others count, to cargo
        // or to us.
        InputKind::Package | InputKind::Absent | InputKind::Libraries => i64::MIN,
    };
    Ok((digest, time))
}

/// The newest time below a path, as cargo takes it (`mtime_recursive`).
fn newest(path: &Utf8Path) -> i64 {
    walk(path, &[])
        .flatten()
        .filter_map(|found| {
            let modified = nanos(found.meta.as_ref()?.modified().ok()?);
            Some(modified.max(found.modified_link().unwrap_or(i64::MIN)))
        })
        .max()
        .unwrap_or(i64::MAX)
}

/// The digest of an input as it is now.
///
/// # Errors
/// When it cannot be read.
pub fn input_digest(
    path: &Utf8Path,
    kind: InputKind,
    dirs: &Dirs,
    unit: &PlanUnit,
    memo: &Memo,
) -> std::io::Result<Digest> {
    match kind {
        InputKind::File => memo.file(path),
        InputKind::Tree => memo.tree(path, false, &[]),
        InputKind::Absent if path.exists() => Err(std::io::ErrorKind::AlreadyExists.into()),
        InputKind::Absent => Ok(Digest::of(b"absent")),
        InputKind::Libraries => memo.libraries(path, dirs),
        InputKind::Package => {
            let git = unit.package_dir.join(".git");
            let skip = [dirs.build.as_path(), dirs.target.as_path(), git.as_path()];
            memo.tree(&unit.package_dir, true, &skip)
        }
    }
}

/// The digest of a variable's value in our own environment, which is the one
/// that cargo gets.
pub fn env_digest(name: &str) -> Option<Digest> {
    std::env::var_os(name).map(|value| Digest::of(value.as_encoded_bytes()))
}

/// The best variant that matches the present, or the reason of the one that
/// came closest.
fn choose(
    mut variants: Vec<Variant>,
    here: Option<Digest>,
    plan: &Plan,
    unit: &PlanUnit,
    deps: &[Digest],
    memo: &Memo,
    store: &Store,
) -> Result<Variant, MissReason> {
    let dirs = &plan.dirs;
    let at_home = |v: &Variant| {
        v.home.build == dirs.build.as_str() && v.home.workspace == dirs.workspace.as_str()
    };
    // What was here before goes first, then what was built here: dependents
    // were most likely recorded against it.
    variants.sort_by_key(|v| (Some(v.output) != here, !at_home(v)));
    let mut closest: Option<(u8, MissReason)> = None;
    for variant in variants {
        let (depth, reason) = match mismatch(&variant, at_home(&variant), plan, unit, deps, memo) {
            Some(found) => found,
            None => match damage(&variant, store) {
                Some(what) => (9, MissReason::Damaged(what)),
                None => return Ok(variant),
            },
        };
        if closest.as_ref().is_none_or(|(best, _)| depth > *best) {
            closest = Some((depth, reason));
        }
    }
    Err(closest.map_or(MissReason::NeverSeen, |(_, reason)| reason))
}

/// How far a variant is from the present: none if it matches, else how many
/// comparisons it passed, and the one that it failed.
fn mismatch(
    variant: &Variant,
    at_home: bool,
    plan: &Plan,
    unit: &PlanUnit,
    deps: &[Digest],
    memo: &Memo,
) -> Option<(u8, MissReason)> {
    let mut first = None;
    let _ = mismatches(variant, at_home, plan, unit, deps, memo, &mut |found| {
        first = Some(found);
        ControlFlow::Break(())
    });
    first
}

/// Tells every way in which a variant differs from the present, until `found`
/// has heard enough.
pub fn mismatches(
    variant: &Variant,
    at_home: bool,
    plan: &Plan,
    unit: &PlanUnit,
    deps: &[Digest],
    memo: &Memo,
    found: &mut dyn FnMut((u8, MissReason)) -> ControlFlow<()>,
) -> ControlFlow<()> {
    let dirs = &plan.dirs;
    if variant.distrusted {
        found((0, MissReason::Quarantined))?;
    }
    if let Some(why) = &variant.unknown_inputs {
        found((8, MissReason::Uncacheable(why.clone())))?;
    }
    if variant.deps.len() != deps.len() {
        found((1, MissReason::NeverSeen))?;
    }
    for ((recorded, now), &dep) in variant.deps.iter().zip(deps).zip(&unit.deps) {
        if recorded != now {
            let title = plan.units[dep].title.clone();
            found((2, MissReason::DependencyBytes(title)))?;
        }
    }
    for input in &variant.inputs {
        let path = dirs.absolute(&input.path);
        if input_digest(&path, input.kind, dirs, unit, memo).ok() != Some(input.digest) {
            let inside = path.strip_prefix(&dirs.workspace).ok();
            // A package that is the whole workspace is named in full.
            let shown = inside.filter(|path| !path.as_str().is_empty());
            let shown = shown.unwrap_or(&path);
            let shown = match input.kind {
                InputKind::Libraries => format!("the list of libraries in {shown}"),
                _ => shown.to_string(),
            };
            found((3, MissReason::Input(shown)))?;
        }
        // Dated in the future, it would be newer than anything we restore.
        if input.kind == InputKind::File && is_in_the_future(&path) {
            found((4, MissReason::Input(format!("the time of {path}"))))?;
        }
    }
    for (name, value) in &variant.env {
        if env_digest(name) != *value {
            found((5, MissReason::Env(name.clone())))?;
        }
    }
    match &variant.bound {
        Some(why) if !at_home => found((6, MissReason::Bound(why.clone()))),
        _ => ControlFlow::Continue(()),
    }
}

fn is_in_the_future(path: &Utf8Path) -> bool {
    let now = nanos(std::time::SystemTime::now());
    Stamp::of(path).is_ok_and(|stamp| stamp.modified > now)
}

fn damage(variant: &Variant, store: &Store) -> Option<String> {
    if !store.blobs().has(&variant.pack) {
        return Some("the unit's small files".into());
    }
    let broken = |file: &&crate::cache::record::StoredFile| !store.blobs().has(&file.blob);
    variant
        .files
        .iter()
        .find(broken)
        .map(|file| file.path.clone())
}

#[cfg(test)]
mod tests;
