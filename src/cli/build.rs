//! cargo's verbs that we plan: from arguments to an exit code.

use std::process::ExitCode;
use std::time::Instant;

use super::afterwards;
use super::plain::{exit_code, hand_over, plainly};
use super::settings::Settings;
use super::term;
use crate::cache::Store;
use crate::cargo::args::{Invocation, Selection};
use crate::cargo::command::Cargo;
use crate::exec::session::{Session, SessionError, Start, Talk};
use crate::plan::{PlanError, Term};
use crate::report::human::Human;
use crate::report::tally::Tally;

/// Whether these arguments are for cargo alone: they print something else than
/// a build does, or cargo's unit graph does not tell what they mean
/// ([`crate::cargo::check`]).
pub fn steps_aside(inv: &Invocation) -> bool {
    let check = inv.planned_verb() == "check";
    let Selection {
        all: _,
        tests,
        others,
        test_profile,
    } = inv.selection;
    inv.passthrough.is_some() || (check && (test_profile || (tests && others)))
}

/// Restores what can be reused, lets cargo build the rest, and tells of it.
pub fn build(cargo: &Cargo, inv: &Invocation, settings: &Settings, begun: Instant) -> ExitCode {
    if settings.is_disabled() {
        return plainly(cargo, inv);
    }
    let style = term::style(inv, &Term::default());
    let inv = &Invocation {
        verbose: style.verbose,
        ..inv.clone()
    };
    term::choose_colours(inv, &Term::default());
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
        talk: &|configured| {
            let style = term::style(inv, configured);
            term::choose_colours(inv, configured);
            human.set_style(style);
            Talk {
                verbose: style.verbose,
                quiet: style.quiet,
            }
        },
        start: start(inv, settings),
        // A bound that could not be read may have been the larger one.
        bounds: settings
            .problems
            .is_empty()
            .then(|| super::gc::bounds(settings)),
    };
    match session.build() {
        Ok(outcome) => {
            if outcome.status.is_none() && !outcome.cargo_follows {
                human.cargo_lines(&outcome.lines, &outcome.finished);
            }
            human.executables(&outcome.executables);
            human.summary(&outcome.summary);
            afterwards::tell(&tally, &human, &outcome, inv, settings, &store, begun);
            match outcome.status {
                _ if outcome.cargo_follows => follow(cargo, inv, outcome.status.is_some()),
                Some(status) => exit_code(status),
                None => ExitCode::SUCCESS,
            }
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

fn start(inv: &Invocation, settings: &Settings) -> Start {
    // What values `--timings=` has, only cargo knows. A plain `--timings` is
    // answered by a report of ours, and by cargo's own if cargo has something
    // to do.
    let timings = |arg: &String| arg.starts_with("--timings=");
    if inv.executes() {
        Start::BeforeVerb
    } else if inv.does_more() {
        Start::WithVerb
    } else if inv.args[..inv.own].iter().any(timings) {
        Start::Always
    } else if settings.verify() {
        Start::Verify
    } else {
        Start::IfNeeded
    }
}

/// Starts cargo for the verb itself: all that it needs is there. `recorded`
/// says that cargo has been started before, to build.
fn follow(cargo: &Cargo, inv: &Invocation, recorded: bool) -> ExitCode {
    let args = match recorded {
        true => inv.executing_args(),
        false => inv.args.clone(),
    };
    hand_over(
        cargo,
        &[std::slice::from_ref(&inv.verb), args.as_slice()].concat(),
    )
}
