//! Builds in a scratch directory, by plain cargo.
//!
//! cargo is made to build a unit anew without those above it: it does so if
//! nothing but the unit's fingerprint is missing (cargo: `prepare_target`;
//! `fs_status` of a dependency goes by its outputs alone). Nothing outside of
//! the scratch directory is written to.

use filetime::FileTime;

use super::audit::AuditError;
use super::executables::only_bin;
use super::restore::file_nanos;
use super::run::{self, Built, Interrupts};
use super::scratch::Held;
use super::sums::was_built;
use crate::cache::tree;
use crate::cargo::args::Invocation;
use crate::cargo::command::Cargo;
use crate::cargo::layout::{Scan, fingerprint_name};
use crate::event::Sink;
use crate::plan::Plan;

/// One run of cargo.
pub struct Ran {
    /// Where the units are.
    pub built: Built,
    /// Which units cargo built in it.
    pub now: Vec<bool>,
}

/// Where it is built, and how.
pub struct Bench<'a> {
    /// The arguments.
    pub inv: &'a Invocation,
    /// The real cargo.
    pub cargo: &'a Cargo,
    /// Where rustc's diagnostics go if a build fails.
    pub sink: &'a dyn Sink,
    /// Whoever wants it to end.
    pub interrupts: &'a Interrupts,
    /// With the scratch directory.
    pub plan: &'a Plan,
}

impl Bench<'_> {
    /// Lets cargo build in the scratch directory what is to be built.
    ///
    /// # Errors
    /// When cargo cannot be started or fails, or on an interrupt.
    pub fn cargo(&self) -> Result<Ran, AuditError> {
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
    ///
    /// # Errors
    /// When that fails.
    pub fn make_stale(
        &self,
        group: &[usize],
        built: &Built,
    ) -> Result<Vec<(usize, Held)>, AuditError> {
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
}
