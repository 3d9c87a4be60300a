//! Which programs `cargo test --no-run` and `cargo bench --no-run` have made.
//!
//! cargo says so in its human format only (`display_no_run_information`), and
//! we ask it for JSON, or do not start it at all: then the lines come from
//! here. Under `-v` they tell how each program would be started, which is left
//! to cargo.

use camino::{Utf8Path, Utf8PathBuf};

use super::run::Built;
use crate::cargo::args::Invocation;
use crate::event::CargoLine;
use crate::plan::state::UnitState;
use crate::plan::{Plan, PlanUnit};

/// Where each unit's program is, out of cargo's messages.
pub fn of_messages(built: &Built) -> Vec<Option<Utf8PathBuf>> {
    let artifacts = built.artifacts.iter();
    artifacts
        .map(|artifact| artifact.as_ref()?.executable.as_ref().map(Into::into))
        .collect()
}

/// The same out of what is known to be in place.
pub fn of_states(plan: &Plan, units: &[Option<UnitState>]) -> Vec<Option<Utf8PathBuf>> {
    let program = |unit: &Option<UnitState>| {
        let unit = unit.as_ref().filter(|unit| unit.executable)?;
        Some(plan.dirs.build.join(unit.filenames.first()?))
    };
    units.iter().map(program).collect()
}

/// The lines, in cargo's order.
pub fn lines(plan: &Plan, inv: &Invocation, programs: &[Option<Utf8PathBuf>]) -> Vec<CargoLine> {
    if !inv.no_run || inv.wants_json() || inv.executes() {
        return Vec::new();
    }
    let cwd = std::env::current_dir().ok();
    let cwd = cwd.and_then(|cwd| Utf8PathBuf::from_path_buf(cwd).ok());
    let cwd = cwd.unwrap_or_default();
    let mut tests: Vec<(usize, String)> = plan
        .units
        .iter()
        .zip(programs)
        .filter(|(unit, _)| unit.is_root && unit.graph.mode == "test")
        .filter_map(|(unit, program)| Some((unit.rank, line(unit, inv, &cwd, program.as_ref()?))))
        .collect();
    tests.sort();
    let status = |(_, text)| CargoLine::Status("Executable", text);
    tests.into_iter().map(status).collect()
}

/// The binary that is the only thing to be built.
pub fn only_bin(plan: &Plan) -> Option<&str> {
    let mut roots = plan.units.iter().filter(|unit| unit.is_root);
    let target = &roots.next()?.graph.target;
    let alone = roots.next().is_none() && target.kind.iter().any(|kind| kind == "bin");
    alone.then_some(target.name.as_str())
}

fn line(unit: &PlanUnit, inv: &Invocation, cwd: &Utf8Path, program: &Utf8Path) -> String {
    let target = &unit.graph.target;
    let source = Utf8Path::new(&target.src_path);
    let source = source.strip_prefix(&unit.package_dir).unwrap_or(source);
    let program = program.strip_prefix(cwd).unwrap_or(program);
    let is = |kind: &str| target.kind.iter().any(|k| k == kind);
    match (is("test") || is("bench"), inv.verb.as_str()) {
        (true, _) => format!("{source} ({program})"),
        (false, "bench") => format!("benches {source} ({program})"),
        (false, _) => format!("unittests {source} ({program})"),
    }
}
