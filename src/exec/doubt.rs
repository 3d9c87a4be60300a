//! What cargo would call fresh although nobody can be sure of it.
//!
//! cargo compares times, and of vendored sources not even those. It does not
//! notice an older file in the place of a newer one (`cp -p`, `tar`), nor that
//! a workspace was moved together with its target directory and that its
//! programs name the old place. Of units that we know, contents tell; a unit that we do not know, or
//! only under other settings, may have been built from anything. If a file was
//! changed after the build began, which the change time tells, or if the build
//! was made in another place, cargo is made to build the unit again: it could
//! not be recorded otherwise, and it might be wrong.

use camino::Utf8Path;
use fs_err as fs;

use crate::cache::CacheError;
use crate::cache::tree;
use crate::cargo::layout::{Place, Scan, crate_name, fingerprint_name};
use crate::cargo::{depinfo, script};
use crate::plan::inputs::{Stamp, walk};
use crate::plan::lookup::Decision;
use crate::plan::{Dirs, Plan, PlanUnit};
use crate::unit::Verdict;

/// Makes cargo build the misses that are doubtful, and with them everything
/// above.
///
/// # Errors
/// When a file cannot be removed.
pub fn drop_doubtful(plan: &Plan, decisions: &[Decision]) -> Result<(), CacheError> {
    let mut scan = Scan::new(&plan.dirs.build);
    let mut dropped = vec![false; plan.units.len()];
    for (at, (unit, decision)) in plan.units.iter().zip(decisions).enumerate() {
        if !matches!(decision.verdict, Verdict::Miss(_)) {
            continue;
        }
        // cargo itself only sees that from files of packages whose times count.
        let rests_on_dropped = unit.deps.iter().any(|&dep| dropped[dep]);
        for place in scan.candidates(&unit.graph, &unit.package) {
            let dir = plan.dirs.build.join(place.fingerprint_dir());
            let name = fingerprint_name(&unit.graph);
            // Those above compare their times with this file's, too.
            let reference = match unit.is_run() {
                true => plan.dirs.build.join(place.script_stdout()),
                false => dir.join(format!("dep-{name}")),
            };
            let built = Stamp::of(&reference).map(|stamp| stamp.modified);
            // Without that file cargo builds it anyway.
            let is_doubtful = |built| {
                rests_on_dropped || is_doubtful(&plan.dirs, unit, &place, &reference, built)
            };
            if built.is_ok_and(is_doubtful) {
                dropped[at] = true;
                tree::remove(&dir.join(&name))?;
                tree::remove(&reference)?;
            }
        }
    }
    Ok(())
}

fn is_doubtful(
    dirs: &Dirs,
    unit: &PlanUnit,
    place: &Place,
    reference: &Utf8Path,
    built: i64,
) -> bool {
    let build = &dirs.build;
    if unit.is_run() {
        let noted = fs::read_to_string(build.join(place.script_root())).unwrap_or_default();
        if !noted.is_empty() && !Utf8Path::new(noted.trim_end()).starts_with(build) {
            return true;
        }
        let said = script::parse(&fs::read(reference).unwrap_or_default());
        let watched = match said.changed.is_empty() && said.env.is_empty() {
            true => vec![unit.package_dir.clone()],
            false => {
                let paths = said.changed.iter();
                paths.map(|path| unit.package_dir.join(path)).collect()
            }
        };
        return watched
            .iter()
            .filter(|path| !dirs.is_immutable(path) && !path.starts_with(build))
            .any(|path| changed_behind(dirs, unit, path, built));
    }
    let candidates = place.dep_info_candidates(&crate_name(&unit.graph));
    let mut texts = candidates
        .iter()
        .filter_map(|file| fs::read_to_string(build.join(file)).ok());
    let Some(info) = texts.next().and_then(|text| depinfo::parse_rustc(&text)) else {
        return false;
    };
    let outputs = info.outputs.iter().map(Utf8Path::new);
    let mut sources = info
        .sources
        .iter()
        .map(|source| unit.compile_dir.join(source));
    outputs
        .into_iter()
        .any(|path| path.is_absolute() && !path.starts_with(build))
        || sources.any(|path| {
            !dirs.is_immutable(&path) && !path.starts_with(build) && is_behind(unit, &path, built)
        })
}

/// Whether anything below a path was changed so that its time does not tell.
fn changed_behind(dirs: &Dirs, unit: &PlanUnit, path: &Utf8Path, built: i64) -> bool {
    let git = path.join(".git");
    walk(path, &[&dirs.build, &dirs.target, &git])
        .flatten()
        .filter(|found| found.is_file() && !found.path.components().any(|c| c.as_str() == ".git"))
        .any(|found| is_behind(unit, &found.path, built))
}

/// Whether a file was changed after the build began and cargo does not see it:
/// because the file has a time before that, or because the package is none
/// whose times count (cargo: `calculate_normal`; vendored ones go by their
/// checksum). The change time, which no program can set back, is known on Unix.
fn is_behind(unit: &PlanUnit, path: &Utf8Path, built: i64) -> bool {
    Stamp::of(path).is_ok_and(|stamp| {
        let changed = cfg!(unix) && stamp.changed >= built;
        match unit.external {
            true => changed || stamp.modified > built,
            false => changed && stamp.modified <= built,
        }
    })
}
