//! The figures of a build: what was restored, what cargo built, what was saved.

use std::time::Duration;

use super::account;
use super::run::Built;
use crate::event::Summary;
use crate::plan::Plan;
use crate::plan::inputs::Stamp;
use crate::plan::lookup::Decision;
use crate::plan::state::{State, UnitState};
use crate::unit::Verdict;

/// How many units were restored.
pub fn restored(decisions: &[Decision]) -> usize {
    let hit = |decision: &&Decision| decision.verdict == Verdict::Hit;
    decisions.iter().filter(hit).count()
}

/// The recorded build time of what cargo alone would have built: restored
/// units, touched ones, and everything above those.
pub fn saved(plan: &Plan, decisions: &[Decision], units: &[Option<UnitState>]) -> Duration {
    let needed = account::needed(plan, decisions, None);
    let reused = |at: &usize| needed[*at] && decisions[*at].output.is_some();
    let known = (0..plan.units.len()).filter(reused);
    let total = known
        .filter_map(|at| Some(units[at].as_ref()?.build_ms))
        .sum();
    Duration::from_millis(total)
}

/// Whether cargo compiled or ran a unit since `started`. Its messages do not
/// tell that of build scripts; the time at which it started one does.
pub fn was_built(plan: &Plan, built: &Built, at: usize, started: i64) -> bool {
    match (&built.artifacts[at], plan.units[at].is_run()) {
        (Some(artifact), _) => !artifact.fresh,
        (None, true) => built.places[at].as_ref().is_some_and(|place| {
            let path = plan.dirs.build.join(place.started(true));
            Stamp::of(&path).is_ok_and(|stamp| stamp.modified >= started)
        }),
        (None, false) => false,
    }
}

/// The figures of a build by cargo.
pub fn summary_of_build(
    plan: &Plan,
    decisions: &[Decision],
    built: &Built,
    started: i64,
) -> Summary {
    let compiled = (0..plan.units.len())
        .filter(|&at| was_built(plan, built, at, started))
        .count();
    let told = built.places.iter().filter(|place| place.is_some()).count();
    let reused_ms = decisions.iter().filter_map(|d| d.variant.as_ref());
    Summary {
        units: plan.units.len(),
        reused: told.saturating_sub(compiled),
        restored: restored(decisions),
        compiled,
        saved: Duration::from_millis(reused_ms.map(|v| v.build_ms).sum()),
    }
}

/// Whether every file that cargo puts beside the others is there.
pub fn uplifted_in_place(state: &State) -> bool {
    state
        .plan
        .units
        .iter()
        .zip(&state.units)
        .all(|(unit, known)| {
            let Some(known) = known else { return false };
            !unit.is_uplifted()
                || (!known.uplifted.is_empty() && known.uplifted.iter().all(|f| f.is_in_place()))
        })
}
