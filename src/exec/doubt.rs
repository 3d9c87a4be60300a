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

use std::cell::LazyCell;
use std::collections::HashSet;

use camino::Utf8Path;
use fs_err as fs;

use crate::cache::CacheError;
use crate::cache::tree;
use crate::cargo::layout::{Place, Scan, crate_name, fingerprint_name};
use crate::cargo::{depinfo, script};
use crate::plan::inputs::{Stamp, walk};
use crate::plan::lookup::Decision;
use crate::plan::state::UnitState;
use crate::plan::{Dirs, Plan, PlanUnit};
use crate::unit::{Role, Verdict};

/// Makes cargo build the misses that are doubtful, and with them everything
/// above. `units` is what is known of what lies there.
///
/// # Errors
/// When a file cannot be removed.
pub fn drop_doubtful(
    plan: &Plan,
    decisions: &[Decision],
    units: &[Option<UnitState>],
) -> Result<(), CacheError> {
    let mut scan = Scan::new(&plan.dirs.build);
    // Another package of the same name, or the same one with other features:
    // what is in place is known to be right, whatever its times look like.
    let in_place: LazyCell<HashSet<&str>, _> = LazyCell::new(|| {
        let known = decisions.iter().zip(units);
        known
            .filter(|(decision, _)| decision.verdict == Verdict::InPlace)
            .flat_map(|(_, state)| state.iter().flat_map(|state| &state.files))
            .filter(|file| file.role == Role::Fingerprint)
            .map(|file| file.path.as_str())
            .collect()
    });
    let mut dropped = vec![false; plan.units.len()];
    for (at, (unit, decision)) in plan.units.iter().zip(decisions).enumerate() {
        if !matches!(decision.verdict, Verdict::Miss(_)) {
            continue;
        }
        // cargo itself only sees that from files of packages whose times count.
        let rests_on_dropped = unit.deps.iter().any(|&dep| dropped[dep]);
        for place in scan.candidates(&unit.graph, &unit.package) {
            let name = fingerprint_name(&unit.graph);
            let own = format!("{}/{name}", place.fingerprint_dir());
            if in_place.contains(own.as_str()) {
                continue;
            }
            let dir = plan.dirs.build.join(place.fingerprint_dir());
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
    // Below it: the package itself may lie in a directory of that name.
    let in_git = |file: &Utf8Path| {
        let inside = file.strip_prefix(path).unwrap_or(file);
        inside.components().any(|c| c.as_str() == ".git")
    };
    walk(path, &[&dirs.build, &dirs.target, &git])
        .flatten()
        .filter(|found| found.is_file() && !in_git(&found.path))
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

#[cfg(test)]
mod tests {
    use camino::Utf8PathBuf;
    use filetime::FileTime;

    use super::*;
    use crate::cache::system::set_time;
    use crate::cargo::layout::place_of;
    use crate::plan::fixtures::{self, write};
    use crate::plan::state::SeenFile;
    use crate::unit::{Action, MissReason};

    /// Seconds since 1970: when everything here was built, and times before and
    /// after. In the future, so that no change time of today is after it.
    const BUILT: i64 = 2_100_000_000;
    const BEFORE: i64 = BUILT - 1;
    const AFTER: i64 = BUILT + 1;

    const NS: i64 = 1_000_000_000;

    struct Bench {
        _guard: tempfile::TempDir,
        dirs: Dirs,
    }

    impl Bench {
        fn new() -> Bench {
            let (guard, dir) = fixtures::dir();
            let dirs = fixtures::dirs(&dir.join("ws"));
            Bench {
                _guard: guard,
                dirs,
            }
        }

        fn file(&self, path: &str, text: &str, time: i64) -> Utf8PathBuf {
            let file = self.dirs.workspace.join(path);
            write(&file, text);
            set_time(&file, FileTime::from_unix_time(time, 0)).unwrap();
            file
        }

        /// A unit of a vendored package `name`.
        fn unit(&self, name: &str, deps: &[usize]) -> PlanUnit {
            PlanUnit {
                external: true,
                ..fixtures::unit(name, &self.dirs, deps)
            }
        }

        fn run(&self) -> PlanUnit {
            PlanUnit {
                action: Action::RunScript,
                ..self.unit("dep", &[])
            }
        }

        fn is_doubtful(&self, unit: &PlanUnit) -> bool {
            let path = "debug/build/dep-0123456789abcdef/out";
            let place = place_of(path, "debug", "dep").unwrap();
            let reference = self.dirs.build.join(place.script_stdout());
            is_doubtful(&self.dirs, unit, &place, &reference, BUILT * NS)
        }

        /// What rustc says of a unit.
        fn says(&self, output: &str, source: &Utf8Path) -> bool {
            let dep_info = "target/debug/deps/app-0123456789abcdef.d";
            self.file(dep_info, &format!("{output}: {source}\n"), BUILT);
            self.is_doubtful(&self.unit("dep", &[]))
        }

        /// What a build script printed.
        fn printed(&self, stdout: &str) -> bool {
            let output = "target/debug/build/dep-0123456789abcdef/output";
            self.file(output, stdout, BUILT);
            self.is_doubtful(&self.run())
        }
    }

    #[test]
    fn a_file_is_behind_if_cargo_does_not_see_its_change() {
        let bench = Bench::new();
        let vendored = bench.unit("dep", &[]);
        let own = fixtures::unit("app", &bench.dirs, &[]);
        let is_behind = |unit, time, built: i64| {
            let file = bench.file("a.rs", "", time);
            super::is_behind(unit, &file, built * NS)
        };
        // Nobody changed it since.
        assert!(!is_behind(&own, BEFORE, BUILT));
        assert!(!is_behind(&vendored, BEFORE, BUILT));
        assert!(!is_behind(&vendored, BUILT, BUILT));
        // cargo compares no times of vendored files.
        assert!(is_behind(&vendored, AFTER, BUILT));
        assert!(!is_behind(&own, AFTER, BUILT));
        // It was just put there with an older time.
        let long_ago = 1_000_000_000;
        assert_eq!(is_behind(&own, long_ago - 1, long_ago), cfg!(unix));
        assert_eq!(is_behind(&vendored, long_ago - 1, long_ago), cfg!(unix));
        assert!(!is_behind(&own, long_ago + 1, long_ago));
        let missing = bench.dirs.workspace.join("none.rs");
        assert!(!super::is_behind(&vendored, &missing, 0));
    }

    #[test]
    fn directories_and_what_git_keeps_are_behind_nothing() {
        let bench = Bench::new();
        let unit = bench.unit("dep", &[]);
        // In a directory of that name, too.
        let top = bench.dirs.workspace.join(".git/dep");
        let is_behind = || changed_behind(&bench.dirs, &unit, &top, BUILT * NS);
        bench.file(".git/dep/sub/.git/index", "", AFTER);
        bench.file(".git/dep/.git/index", "", AFTER);
        let sub = top.join("sub");
        set_time(&sub, FileTime::from_unix_time(AFTER, 0)).unwrap();
        assert!(!is_behind());
        bench.file(".git/dep/sub/a.rs", "", BEFORE);
        assert!(!is_behind());
        bench.file(".git/dep/sub/a.rs", "", AFTER);
        assert!(is_behind());
    }

    #[test]
    fn a_compiled_unit_is_doubted_for_its_sources_and_its_place() {
        let bench = Bench::new();
        let inside = bench.dirs.build.join("debug/deps/app.d");
        let inside = inside.as_str();
        assert!(!bench.is_doubtful(&bench.unit("dep", &[])));
        let same = bench.file("dep/same.rs", "", BEFORE);
        assert!(!bench.says(inside, &same));
        assert!(!bench.says("app.d", &same));
        let elsewhere = bench.dirs.workspace.join("other/debug/deps/app.d");
        assert!(bench.says(elsewhere.as_str(), &same));
        let changed = bench.file("dep/changed.rs", "", AFTER);
        assert!(bench.says(inside, &changed));
        let registry = bench.file("home/registry/src/changed.rs", "", AFTER);
        assert!(!bench.says(inside, &registry));
        let generated = bench.file("target/debug/build/changed.rs", "", AFTER);
        assert!(!bench.says(inside, &generated));
    }

    #[test]
    fn a_run_is_doubted_for_what_it_watches_and_its_place() {
        let bench = Bench::new();
        bench.file("dep/same", "", BEFORE);
        let changed = "cargo:rerun-if-changed=";
        assert!(!bench.printed(""));
        bench.file("dep/changed", "", AFTER);
        // It watches the whole package then.
        assert!(bench.printed(""));
        assert!(!bench.printed("cargo:rerun-if-env-changed=V"));
        assert!(!bench.printed(&format!("{changed}same")));
        assert!(bench.printed(&format!("{changed}same\n{changed}changed")));
        for path in ["home/git/a", "target/debug/a"] {
            let path = bench.file(path, "", AFTER);
            assert!(!bench.printed(&format!("{changed}{path}")));
        }
        let noted = "target/debug/build/dep-0123456789abcdef/root-output";
        let here = bench.dirs.build.join("debug/build/dep/out");
        bench.file(noted, here.as_str(), BUILT);
        assert!(!bench.printed(&format!("{changed}same")));
        let elsewhere = bench.dirs.workspace.join("other/debug/build/dep/out");
        bench.file(noted, elsewhere.as_str(), BUILT);
        assert!(bench.printed(&format!("{changed}same")));
    }

    #[test]
    fn doubtful_misses_go_and_what_rests_on_them() {
        let bench = Bench::new();
        let hash = "0123456789abcdef";
        let mut units = Vec::new();
        let mut decisions = Vec::new();
        let mut states = Vec::new();
        let miss = Verdict::Miss(MissReason::NeverSeen);
        for (name, deps, time, verdict) in [
            ("changed", &[][..], AFTER, &miss),
            ("above", &[0][..], BEFORE, &miss),
            ("same", &[][..], BEFORE, &miss),
            ("in-place", &[0][..], AFTER, &Verdict::InPlace),
            // Another package of that name: it looks at the same place.
            ("in-place", &[][..], AFTER, &miss),
        ] {
            let source = bench.file(&format!("{name}/lib.rs"), "", time);
            let unit = PlanUnit {
                graph: {
                    let mut graph = fixtures::graph_unit("build", "lib", &["lib"]);
                    graph.target.name = name.to_owned();
                    graph
                },
                ..bench.unit(name, deps)
            };
            let krate = crate_name(&unit.graph);
            let dep_info = format!("target/debug/deps/{krate}-{hash}.d");
            bench.file(&dep_info, &format!("a.d: {source}\n"), BUILT);
            for file in [format!("lib-{name}"), format!("dep-lib-{name}")] {
                let path = format!("target/debug/.fingerprint/{name}-{hash}/{file}");
                bench.file(&path, "x", BUILT);
            }
            units.push(unit);
            let known = SeenFile {
                path: format!("debug/.fingerprint/{name}-{hash}/lib-{name}"),
                role: Role::Fingerprint,
                size: 1,
                modified: 0,
                inode: 0,
            };
            states.push(Some(fixtures::unit_state("a", vec![known])));
            decisions.push(Decision {
                verdict: verdict.clone(),
                output: None,
                variant: None,
                touched: false,
                behind: false,
                outdated: false,
            });
        }
        let plan = fixtures::plan(&bench.dirs, units);
        drop_doubtful(&plan, &decisions, &states).unwrap();
        for (name, stays) in [
            ("changed", false),
            ("above", false),
            ("same", true),
            ("in-place", true),
        ] {
            for file in [format!("lib-{name}"), format!("dep-lib-{name}")] {
                let path = format!("debug/.fingerprint/{name}-{hash}/{file}");
                assert_eq!(bench.dirs.build.join(&path).exists(), stays, "{path}");
            }
        }
    }
}
