//! A check of our own work, on request: everything that was reused is read
//! again and compared with its record, after cargo has given its verdict.
//!
//! What differs is told, removed and set aside, so that the next build makes it
//! anew. Cargo's locks are held meanwhile.

use camino::Utf8Path;
use fs_err as fs;
use rayon::prelude::*;

use crate::cache::{Store, tree};
use crate::event::{Event, Sink};
use crate::plan::lookup::Decision;
use crate::plan::{Plan, PlanUnit};
use crate::unit::Digest;

/// A unit by its key, and the output that its record promised.
type Promise = (Digest, Digest);

/// Reads the files of all reused units again. `built` are those that cargo
/// built all the same: their files are its own. Returns what is to be set
/// aside.
pub fn reused(
    plan: &Plan,
    decisions: &[Decision],
    built: &[bool],
    store: &Store,
    sink: &dyn Sink,
) -> Vec<Promise> {
    let units = plan.units.par_iter().zip(decisions).zip(built);
    let looked_at: Vec<(usize, Option<Promise>)> = units
        .filter(|(_, built)| !**built)
        .filter_map(|((unit, decision), _)| {
            let (key, output) = (*unit.key.as_ref().ok()?, decision.output?);
            let files = files(unit, decision, store)?;
            let differs =
                |(path, digest): &&(String, Digest)| !holds(&plan.dirs.build.join(path), digest);
            let different = files.iter().find(differs);
            if let Some((path, _)) = different {
                // Without it cargo builds the unit again.
                let _ = tree::remove(&plan.dirs.build.join(path));
                sink.event(Event::Trouble(format!(
                    "verify: {}: {path} is not what was recorded; it is removed, and its record set aside",
                    unit.title
                )));
            }
            Some((files.len(), different.map(|_| (key, output))))
        })
        .collect();
    sink.event(Event::Verified {
        units: looked_at.len(),
        files: looked_at.iter().map(|(files, _)| files).sum(),
    });
    looked_at.into_iter().filter_map(|(_, bad)| bad).collect()
}

/// The files of a unit with their digests, by its record; none if that is gone.
fn files(unit: &PlanUnit, decision: &Decision, store: &Store) -> Option<Vec<(String, Digest)>> {
    let known = decision.variant.clone().or_else(|| {
        let variants = store.variants(unit.key.as_ref().ok()?);
        variants
            .into_iter()
            .find(|variant| Some(variant.output) == decision.output)
    })?;
    let files = known.files.into_iter();
    Some(files.map(|file| (file.path, file.blob.digest)).collect())
}

fn holds(path: &Utf8Path, digest: &Digest) -> bool {
    fs::read(path).is_ok_and(|bytes| Digest::of(&bytes) == *digest)
}
