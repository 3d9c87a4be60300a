//! Builds recorded units again, each against the recorded bytes of what it
//! rests on, and compares.
//!
//! Everything is restored into a scratch directory. Then cargo is made to build
//! a few units at a time anew: it does so without those above them if nothing
//! but a unit's fingerprint is missing (cargo: `prepare_target`; `fs_status` of
//! a dependency goes by its outputs alone). Of units that are built in the same
//! run none rests on another one, and after each run the recorded files are put
//! back: so a difference is a unit's own, and none is caused by another one.
//!
//! The target directory and the records are not changed.

use std::process::ExitStatus;
use std::time::Duration;

use camino::Utf8Path;
use filetime::FileTime;
use fs_err as fs;
use rayon::prelude::*;

use super::compare::Comparer;
use super::executables::only_bin;
use super::restore::{file_nanos, restore, stamp_before_now};
use super::run::{self, Built, Interrupts};
use super::scratch::{Held, Scratch};
use super::session::{SETTLE_MS, Session, SessionError};
use super::sums::was_built;
use crate::cache::record::{Variant, decode_pack};
use crate::cache::{CacheError, Store, tree};
use crate::cargo::args::Invocation;
use crate::cargo::command::Cargo;
use crate::cargo::layout::{Scan, fingerprint_name};
use crate::event::{Audit, Audited, Likeness, Silent, Sink};
use crate::plan::Plan;
use crate::plan::lookup::Decision;
use crate::unit::{KeyHasher, MissReason, Role, Verdict};

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

/// What is audited.
pub struct Wanted<'a> {
    /// How many units; none for all.
    pub sample: Option<usize>,
    /// Which ones: the same ones for the same number.
    pub seed: u64,
    /// In which directory the scratch directory is to be.
    pub base: &'a Utf8Path,
    /// Told before each run of cargo: how many units have been built again, how
    /// many will be.
    pub progress: &'a dyn Fn(usize, usize),
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
        let scratch = Scratch::new(wanted.base, &plan.dirs.build)?;
        let plan = &scratch.plan(plan);
        let stamp = stamp_before_now(Duration::from_millis(SETTLE_MS));
        let mut units = vec![None; decisions.len()];
        restore(plan, &decisions, &mut units, self.store, stamp, &Silent)?;
        Rounds {
            inv: self.inv,
            cargo: self.cargo,
            store: self.store,
            sink: self.sink,
            interrupts: &interrupts,
            plan,
            decisions: &decisions,
        }
        .run(&chosen, wanted.progress, &mut audit)?;
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

/// One run of cargo.
struct Ran {
    built: Built,
    /// Which units cargo built in it.
    now: Vec<bool>,
}

struct Rounds<'a> {
    inv: &'a Invocation,
    cargo: &'a Cargo,
    store: &'a Store,
    sink: &'a dyn Sink,
    interrupts: &'a Interrupts,
    /// With the scratch directory.
    plan: &'a Plan,
    decisions: &'a [Decision],
}

impl Rounds<'_> {
    fn run(
        &self,
        chosen: &[usize],
        progress: &dyn Fn(usize, usize),
        audit: &mut Audit,
    ) -> Result<(), AuditError> {
        let title = |at: usize| self.plan.units[at].title.clone();
        // What is not recorded is built now. Where units are, cargo tells too.
        let first = self.cargo()?;
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
        let mut done = 0;
        let mut disturbed = false;
        for group in groups(self.plan, &left) {
            if disturbed {
                let why = "something was changed while others were audited";
                let out = group.iter().map(|&at| (title(at), why.to_owned()));
                audit.left_out.extend(out);
                continue;
            }
            progress(done, left.len());
            done += group.len();
            let held = self.make_stale(&group, &first.built)?;
            let ran = self.cargo()?;
            let judged: Result<Vec<_>, AuditError> = held
                .par_iter()
                .filter(|(at, _)| ran.now[*at])
                .map(|(at, held)| self.judge(*at, &first.built, held))
                .collect();
            audit.units.extend(judged?);
            for (at, held) in held {
                if !ran.now[at] {
                    let why = "cargo did not build it again".to_owned();
                    audit.left_out.push((title(at), why));
                }
                held.put_back()?;
            }
            disturbed = (0..ran.now.len()).any(|at| ran.now[at] && !group.contains(&at));
        }
        Ok(())
    }

    /// Lets cargo build in the scratch directory what is to be built.
    fn cargo(&self) -> Result<Ran, AuditError> {
        if self.interrupts.came() {
            return Err(AuditError::Interrupted);
        }
        let dirs = &self.plan.dirs;
        let bin = only_bin(self.plan);
        let recording = self.inv.elsewhere(&dirs.build, &dirs.target, bin);
        let started = file_nanos(FileTime::now());
        let ran = run::recorded(self.cargo, &recording, self.sink, &|_| {})?;
        if self.interrupts.came() {
            return Err(AuditError::Interrupted);
        }
        if !ran.status.success() {
            return Err(AuditError::Failed(ran.status));
        }
        let built = Built::assign(self.plan, ran.messages);
        let now = (0..self.plan.units.len())
            .map(|at| was_built(self.plan, &built, at, started))
            .collect();
        Ok(Ran { built, now })
    }

    /// Copies the files of these units, and takes their fingerprints away.
    fn make_stale(&self, group: &[usize], built: &Built) -> Result<Vec<(usize, Held)>, AuditError> {
        let build = &self.plan.dirs.build;
        let mut scan = Scan::new(build);
        let mut all = Vec::with_capacity(group.len());
        for &at in group {
            let unit = &self.plan.units[at];
            let Some(place) = &built.places[at] else {
                continue;
            };
            let files = scan.files(&unit.graph, place)?.into_iter();
            let files = files.map(|file| build.join(file.path)).collect();
            let aside = build.join("zbuild-held").join(at.to_string());
            all.push((at, Held::copy(files, &aside)?));
            let dir = build.join(place.fingerprint_dir());
            tree::remove(&dir.join(fingerprint_name(&unit.graph)))?;
        }
        Ok(all)
    }

    /// Compares what cargo made with what is recorded.
    fn judge(&self, at: usize, built: &Built, held: &Held) -> Result<Audited, AuditError> {
        let unit = &self.plan.units[at];
        let mut found = Audited {
            title: unit.title.clone(),
            differences: Vec::new(),
        };
        let (Some(variant), Some(place)) = (&self.decisions[at].variant, &built.places[at]) else {
            return Ok(found);
        };
        let mut note = |path: &str, likeness: Likeness| {
            if likeness != Likeness::Same {
                found.differences.push((path.to_owned(), likeness));
            }
        };
        let dirs = &self.plan.dirs;
        let comparer = Comparer::new(&[
            (&dirs.build, Utf8Path::new(&variant.home.build)),
            (&dirs.workspace, Utf8Path::new(&variant.home.workspace)),
        ]);
        for file in &variant.files {
            let path = dirs.build.join(&file.path);
            let likeness = match fs::read(&path) {
                Err(_) => Likeness::Real("it is not made".to_owned()),
                // A script finds what its run before left.
                Ok(_) if unit.is_run() && held.is_untouched(&path) => {
                    Likeness::Unproven("the script left it as it was".to_owned())
                }
                Ok(new) => {
                    let old = self.store.blobs().read(&file.blob)?;
                    comparer.files(&file.path, &old, &new)
                }
            };
            note(&file.path, likeness);
        }
        let made = Scan::new(&dirs.build).files(&unit.graph, place)?;
        for file in made.iter().filter(|file| !file.role.is_packed()) {
            if !variant.files.iter().any(|known| known.path == file.path) {
                note(&file.path, Likeness::Real("it is not recorded".to_owned()));
            }
        }
        for (path, likeness) in self.texts(variant)? {
            note(&path, likeness);
        }
        Ok(found)
    }

    /// The same of a script's stdout and of rustc's dep-info.
    fn texts(&self, variant: &Variant) -> Result<Vec<(String, Likeness)>, AuditError> {
        let dirs = &self.plan.dirs;
        let pack = decode_pack(&self.store.blobs().read(&variant.pack)?);
        let texts = pack.into_iter().flat_map(|pack| pack.files);
        // cargo shows a script's stderr if it fails, and reads it no more.
        let counts = |path: &str| Utf8Path::new(path).file_name() != Some("stderr");
        let texts = texts.filter(|file| file.role == Role::Text && counts(&file.path));
        let compared = texts.map(|file| {
            let likeness = match fs::read(dirs.build.join(&file.path)) {
                Ok(new) if dirs.unroot_text(&new) == file.content => Likeness::Same,
                Ok(_) => Likeness::Real("its content".to_owned()),
                Err(_) => Likeness::Real("it is not made".to_owned()),
            };
            (file.path, likeness)
        });
        Ok(compared.collect())
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
            progress: &|_, _| {},
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
