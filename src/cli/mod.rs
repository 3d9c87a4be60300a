//! The command line: which command is meant, how it talks, how it ends.
//!
//! The exit code is always cargo's. Whatever fails on our side ends in a plain
//! cargo build with one line on stderr; nothing here may stand between a user
//! and cargo.

pub mod help;

use std::process::{ExitCode, ExitStatus};
use std::time::Instant;

use crate::cache::Store;
use crate::cargo::args::Invocation;
use crate::cargo::command::Cargo;
use crate::exec::run;
use crate::exec::session::{Session, SessionError};
use crate::plan::PlanError;
use crate::report::human::{Human, Style};

/// cargo's verbs that we plan. Every other one is handed to cargo.
const PLANNED: &[(&str, &str)] = &[
    ("build", "build"),
    ("b", "build"),
    ("check", "check"),
    ("c", "check"),
    ("rustc", "rustc"),
];

/// Runs the command that the arguments ask for.
pub fn main(args: Vec<String>) -> ExitCode {
    let begun = Instant::now();
    let mut args: Vec<String> = args.into_iter().skip(1).collect();
    // cargo starts `cargo-zbuild zbuild ...`.
    if args.first().is_some_and(|arg| arg == "zbuild") {
        args.remove(0);
    }
    let toolchain = match args.first().and_then(|arg| arg.strip_prefix('+')) {
        Some(toolchain) => {
            let toolchain = toolchain.to_owned();
            args.remove(0);
            Some(toolchain)
        }
        None => None,
    };
    match args.first().map(String::as_str) {
        Some("-h" | "--help" | "help") => return help::print(),
        Some("-V" | "--version") => return help::version(),
        _ => {}
    }
    let verb = match args.first() {
        Some(first) if !first.starts_with('-') => args.remove(0),
        _ => "build".to_owned(),
    };
    let planned = PLANNED.iter().find(|(name, _)| *name == verb);
    let mut inv = Invocation::parse(planned.map_or(verb.as_str(), |(_, verb)| verb), args);
    inv.toolchain = toolchain;
    let cargo = Cargo::find(&inv);
    if planned.is_none() || steps_aside(&inv) || is_disabled() {
        return plainly(&cargo, &inv);
    }
    build(&cargo, &inv, begun)
}

/// Whether these arguments are for cargo alone: they print something else than
/// a build does, or cargo's unit graph does not tell what they mean. It gives
/// `check` units of a crate and of its tests the same mode.
fn steps_aside(inv: &Invocation) -> bool {
    const TESTS: &[&str] = &["--tests", "--test", "--benches", "--bench", "--all-targets"];
    let named = |arg: &String| {
        let name = arg.split('=').next().unwrap_or(arg);
        TESTS.contains(&name) || name == "--profile"
    };
    inv.passthrough.is_some() || (inv.verb == "check" && inv.args.iter().any(named))
}

/// `ZBUILD_DISABLE=1`: plain cargo.
fn is_disabled() -> bool {
    std::env::var_os("ZBUILD_DISABLE").is_some_and(|value| value != "0" && !value.is_empty())
}

fn build(cargo: &Cargo, inv: &Invocation, begun: Instant) -> ExitCode {
    let style = style(inv);
    choose_colours(inv);
    let human = Human::new(style, begun);
    let outcome = Store::default_dir()
        .map_err(SessionError::from)
        .and_then(|dir| {
            Session {
                inv,
                cargo,
                store: &Store::open(&dir),
                sink: &human,
                verbose: style.verbose,
                quiet: style.quiet,
                always_cargo: wants_cargo_itself(inv),
            }
            .build()
        });
    match outcome {
        Ok(outcome) => {
            if outcome.status.is_none() {
                human.cargo_lines(&outcome.lines, &outcome.finished);
            }
            human.summary(&outcome.summary);
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

/// Arguments that ask for something which only a run of cargo makes.
fn wants_cargo_itself(inv: &Invocation) -> bool {
    let before_dashes = inv.args.iter().take_while(|arg| *arg != "--");
    before_dashes
        .into_iter()
        .any(|arg| arg == "--timings" || arg.starts_with("--timings="))
}

fn plainly(cargo: &Cargo, inv: &Invocation) -> ExitCode {
    match run::plain(cargo, &inv.verb, &inv.args) {
        Ok(status) => exit_code(status),
        Err(error) => {
            anstream::eprintln!("error: could not start {}: {error}", cargo.program());
            ExitCode::from(101)
        }
    }
}

/// cargo's exit code as ours; a signal as shells tell it.
fn exit_code(status: ExitStatus) -> ExitCode {
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        return ExitCode::from(u8::try_from(128 + signal).unwrap_or(u8::MAX));
    }
    let code = status.code().unwrap_or(101);
    // Windows has exit codes beyond a byte (0xC000013A for Ctrl-C).
    u8::try_from(code).map_or(ExitCode::FAILURE, ExitCode::from)
}

/// The style, from the command line and `CARGO_TERM_*`, as cargo reads them.
fn style(inv: &Invocation) -> Style {
    let flag = |name: &str| std::env::var(name).is_ok_and(|value| value == "true");
    let quiet = inv.quiet || (inv.verbose == 0 && flag("CARGO_TERM_QUIET"));
    let verbose = match inv.verbose {
        0 if !quiet && flag("CARGO_TERM_VERBOSE") => 1,
        given => given,
    };
    let progress = std::env::var("CARGO_TERM_PROGRESS_WHEN");
    let dumb = std::env::var("TERM").is_ok_and(|term| term == "dumb");
    let in_ci = std::env::var_os("CI").is_some();
    let terminal = std::io::IsTerminal::is_terminal(&std::io::stderr());
    Style {
        quiet,
        verbose,
        progress: match progress.as_deref() {
            Ok("never") => false,
            Ok("always") => true,
            _ => terminal && !dumb && !in_ci && verbose == 0,
        },
    }
}

/// `--color`, else `CARGO_TERM_COLOR`, else what the terminal and `NO_COLOR`
/// say (anstream).
fn choose_colours(inv: &Invocation) {
    let from_env = std::env::var("CARGO_TERM_COLOR").ok();
    let choice = match inv.color.as_deref().or(from_env.as_deref()) {
        Some("always") => anstream::ColorChoice::Always,
        Some("never") => anstream::ColorChoice::Never,
        _ => return,
    };
    choice.write_global();
}
