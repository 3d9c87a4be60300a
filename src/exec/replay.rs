//! What cargo would print for units that are all fresh.
//!
//! Used when cargo is not started: its warnings about the manifests, rustc's
//! cached diagnostics, build scripts' warnings, the JSON messages, `Fresh`
//! under `-v`. Units come in an order in which cargo could have met them.

use camino::Utf8PathBuf;

use crate::cargo::args::Invocation;
use crate::cargo::diagnostics::{Replay, Replayer};
use crate::cargo::messages;
use crate::event::CargoLine;
use crate::plan::state::UnitState;
use crate::plan::{Plan, PlanUnit};

/// The lines, or none if only cargo itself can print them (a report about
/// future incompatibilities, warnings that are not simply to be shown).
pub fn lines(
    plan: &Plan,
    units: &[Option<UnitState>],
    inv: &Invocation,
    verbose: u8,
    quiet: bool,
) -> Option<Vec<CargoLine>> {
    let mut lines = Vec::new();
    let warns =
        |state: &UnitState| !state.diagnostics.is_empty() || !state.script_messages.is_empty();
    if plan.judges_warnings && (!plan.warnings.is_empty() || units.iter().flatten().any(warns)) {
        return None;
    }
    if !plan.warnings.is_empty() && !quiet {
        lines.push(CargoLine::Rendered(plan.warnings.clone()));
    }
    let json = inv.wants_json();
    let ansi = inv
        .message_format
        .iter()
        .any(|format| format == "json-diagnostic-rendered-ansi");
    let mut replayer = Replayer::default();
    let mut told = std::collections::HashSet::new();
    for (unit, state) in plan.units.iter().zip(units) {
        let state = state.as_ref()?;
        if verbose > 0 && told.insert(&unit.graph.pkg_id) {
            lines.push(CargoLine::Status("Fresh", package(unit)));
        }
        let shown = unit.shows_warnings || verbose > 1;
        if shown {
            for (is_error, text) in &state.script_messages {
                let text = format!("{}@{}: {text}", unit.package, unit.version);
                lines.push(match is_error {
                    true => CargoLine::Error(text),
                    false => CargoLine::Warning(text),
                });
            }
        }
        if shown || state.diagnostics.contains("future_incompat_report") {
            let render = inv.renders_diagnostics();
            let repeated = replayer.unit(&unit.named, &state.diagnostics, render, ansi)?;
            for line in repeated {
                lines.push(match line {
                    Replay::Rendered(text) => CargoLine::Rendered(text),
                    Replay::Warning(text) => CargoLine::Warning(text),
                    Replay::Json(raw) => CargoLine::Json(wrap(unit, &raw)),
                });
            }
        }
        if json {
            lines.push(CargoLine::Json(match &state.script {
                Some(script) => messages::script_line(script),
                None => artifact(plan, unit, state),
            }));
        }
    }
    if json {
        lines.push(CargoLine::Json(messages::BUILD_FINISHED.to_owned()));
    }
    Some(lines)
}

fn artifact(plan: &Plan, unit: &PlanUnit, state: &UnitState) -> String {
    let shown = |file: &String| {
        let lifted = state.uplifted.iter().filter(|_| unit.is_uplifted());
        let mut lifted = lifted.filter(|lifted| lifted.from.as_ref() == Some(file));
        let path = lifted.next().map(|lifted| lifted.path.clone());
        native(path.unwrap_or_else(|| plan.dirs.build.join(file)))
    };
    let files: Vec<String> = state.filenames.iter().map(shown).collect();
    let executable = files.first().filter(|_| state.executable);
    messages::artifact_line(&unit.artifact_head, &files, executable.map(String::as_str))
}

fn native(path: Utf8PathBuf) -> String {
    match cfg!(windows) {
        true => path.into_string().replace('/', "\\"),
        false => path.into_string(),
    }
}

fn wrap(unit: &PlanUnit, raw: &str) -> String {
    let manifest = unit.package_dir.join("Cargo.toml");
    messages::diagnostic_line(
        &unit.graph.pkg_id,
        manifest.as_str(),
        &unit.graph.target_json,
        raw,
    )
}

/// A package as cargo's status lines name it.
fn package(unit: &PlanUnit) -> String {
    let name = format!("{} v{}", unit.package, unit.version);
    let id = &unit.graph.pkg_id;
    if id.starts_with("path+") {
        return format!("{name} ({})", unit.package_dir);
    }
    if let Some(url) = id.strip_prefix("git+") {
        let url = url.split('#').next().unwrap_or(url);
        return format!("{name} ({url})");
    }
    name
}
