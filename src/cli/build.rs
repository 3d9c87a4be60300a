//! cargo's verbs that we plan: from arguments to an exit code.

use std::process::ExitCode;
use std::time::Instant;

use super::afterwards;
use super::plain::{exit_code, plainly};
use super::settings::Settings;
use super::term::{choose_colours, style};
use crate::cache::Store;
use crate::cargo::args::Invocation;
use crate::cargo::command::Cargo;
use crate::exec::session::{Session, SessionError};
use crate::plan::PlanError;
use crate::report::human::Human;
use crate::report::tally::Tally;

/// Whether these arguments are for cargo alone: they print something else than
/// a build does, or cargo's unit graph does not tell what they mean. It gives
/// `check` units of a crate and of its tests the same mode.
pub fn steps_aside(inv: &Invocation) -> bool {
    const TESTS: &[&str] = &["--tests", "--test", "--benches", "--bench", "--all-targets"];
    let named = |arg: &String| {
        let name = arg.split('=').next().unwrap_or(arg);
        TESTS.contains(&name) || name == "--profile"
    };
    inv.passthrough.is_some() || (inv.verb == "check" && inv.args.iter().any(named))
}

/// Restores what can be reused, lets cargo build the rest, and tells of it.
pub fn build(cargo: &Cargo, inv: &Invocation, settings: &Settings, begun: Instant) -> ExitCode {
    if settings.is_disabled() {
        return plainly(cargo, inv);
    }
    let style = style(inv);
    choose_colours(inv);
    let human = Human::new(style, begun);
    if let Some(problem) = settings.obstacle() {
        human.gives_up(&problem.text);
        return plainly(cargo, inv);
    }
    if let Some(problem) = settings.problems.first() {
        human.left_out(&problem.text);
    }
    let store = match Store::place(settings.cache_dir()) {
        Ok(dir) => Store::open(&dir),
        Err(error) => {
            human.gives_up(&error);
            return plainly(cargo, inv);
        }
    };
    let tally = Tally::new(&human, afterwards::wants_all(settings, inv));
    let session = Session {
        inv,
        cargo,
        store: &store,
        sink: &tally,
        verbose: style.verbose,
        quiet: style.quiet,
        always_cargo: wants_cargo_itself(inv),
    };
    match session.build() {
        Ok(outcome) => {
            if outcome.status.is_none() {
                human.cargo_lines(&outcome.lines, &outcome.finished);
            }
            human.summary(&outcome.summary);
            afterwards::tell(&tally, &human, &outcome, inv, settings, &store, begun);
            outcome.status.map_or(ExitCode::SUCCESS, exit_code)
        }
        // cargo has said why it refuses, or will when it is run.
        Err(SessionError::Plan(PlanError::Cargo(crate::cargo::CargoError::Refused { .. }))) => {
            plainly(cargo, inv)
        }
        Err(error) => {
            human.gives_up(&error);
            plainly(cargo, inv)
        }
    }
}

/// `--timings=VALUE`: what values there are, only cargo knows. A plain
/// `--timings` is answered by a report of ours, and by cargo's own if cargo
/// has something to do.
fn wants_cargo_itself(inv: &Invocation) -> bool {
    let mut before_dashes = inv.args.iter().take_while(|arg| *arg != "--");
    before_dashes.any(|arg| arg.starts_with("--timings="))
}
