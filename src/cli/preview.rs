//! `cargo zbuild plan` and `cargo zbuild explain`: what a build would do, and
//! why, without building or writing anything.

use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::{Arg, ArgAction, Command};

use super::own::Call;
use super::settings::Settings;
use super::{build, plain, verbs};
use crate::cache::Store;
use crate::cargo::CargoError;
use crate::cargo::args::Invocation;
use crate::cargo::command::Cargo;
use crate::event::{Silent, Sink};
use crate::exec::session::{Session, SessionError, Start, Talk};
use crate::plan::PlanError;
use crate::report::forecast;

pub(super) fn arguments() -> Arg {
    Arg::new("args")
        .value_name("BUILD ARGUMENTS")
        .action(ArgAction::Append)
        .help("A verb (build by default) and any arguments of it")
}

/// The options of `plan`.
pub fn plan_command() -> Command {
    Command::new("plan")
        .about("Show what a build would reuse and compile, without building")
        .arg(
            Arg::new("json")
                .long("json")
                .action(ArgAction::SetTrue)
                .help("Print JSON (docs/plan.schema.json)"),
        )
        .arg(arguments())
}

/// The options of `explain`.
pub fn explain_command() -> Command {
    Command::new("explain")
        .about("Explain why a unit would be reused or compiled")
        .arg(
            Arg::new("unit")
                .value_name("UNIT|PACKAGE")
                .help("A package, a target or a unit; by default the roots of all misses"),
        )
        .arg(arguments())
}

/// Prints the plan.
pub fn plan(mut call: Call) -> ExitCode {
    if wants_help(&call) {
        return help(call, plan_command());
    }
    let before = call.args.len();
    call.args.retain(|arg| arg != "--json");
    let json = call.args.len() < before;
    let inv = invocation(&mut call);
    let command = [std::slice::from_ref(&inv.verb), &inv.args].concat();
    with_session(&call, &inv, &Silent, |session| {
        let forecast = session.forecast().map_err(|error| in_full(&error))?;
        match json {
            true => {
                let plan = forecast::json(&forecast, &command.join(" "));
                anstream::println!("{plan:#}");
            }
            false => anstream::print!("{}", forecast::text(&forecast, inv.verbose > 0)),
        }
        Ok(())
    })
}

/// Prints explanations.
pub fn explain(mut call: Call) -> ExitCode {
    if wants_help(&call) {
        return help(call, explain_command());
    }
    let is_name = |arg: &&String| !arg.starts_with('-') && verbs::find(arg).is_none();
    let name = call.args.first().filter(is_name).cloned();
    if name.is_some() {
        call.args.remove(0);
    }
    let inv = invocation(&mut call);
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = now.map_or(0, |now| now.as_secs());
    with_session(&call, &inv, &Silent, |session| {
        let found = session.explain(name.as_deref());
        let found = found.map_err(|error| in_full(&error))?;
        match (&name, found.is_empty()) {
            (Some(name), true) => return Err(format!("no unit of this build is named {name}")),
            (None, true) => anstream::println!("nothing has to be compiled"),
            _ => {}
        }
        for explanation in found {
            anstream::print!("{}", forecast::explain(&explanation, now));
        }
        Ok(())
    })
}

pub(super) fn wants_help(call: &Call) -> bool {
    let mut args = call.args.iter().take_while(|arg| *arg != "--");
    args.any(|arg| arg == "--help" || arg == "-h")
}

/// Prints the help of a command as every other one does.
pub(super) fn help(call: Call, command: Command) -> ExitCode {
    let call = Call {
        args: vec!["--help".to_owned()],
        ..call
    };
    call.read(command).err().unwrap_or(ExitCode::SUCCESS)
}

/// The build that is asked about.
pub(super) fn invocation(call: &mut Call) -> Invocation {
    let verb = call.args.first().and_then(|arg| verbs::find(arg));
    if verb.is_some() {
        call.args.remove(0);
    }
    let verb = verb.map_or("build", |found| found.verb);
    let mut inv = Invocation::parse(verb, call.args.clone());
    inv.toolchain.clone_from(&call.toolchain);
    inv
}

/// What went wrong, where no cargo follows that would say it: in cargo's own
/// words, if it refused to plan.
pub(super) fn in_full(error: &SessionError) -> String {
    let SessionError::Plan(PlanError::Cargo(CargoError::Refused { said, .. })) = error else {
        return error.to_string();
    };
    let said = anstream::adapter::strip_str(said).to_string();
    match said.split_once("error: ") {
        Some((_, why)) => why.trim_end().to_owned(),
        None => error.to_string(),
    }
}

pub(super) fn with_session(
    call: &Call,
    inv: &Invocation,
    sink: &dyn Sink,
    ask: impl FnOnce(&Session<'_>) -> Result<(), String>,
) -> ExitCode {
    let settings = Settings::load(inv, &call.flags);
    let problem = settings.refused_flag();
    if let Some(problem) = problem.or(settings.obstacle().map(|problem| &problem.text)) {
        return plain::refuse(problem);
    }
    if settings.is_disabled() || build::steps_aside(inv) {
        return plain::refuse(&"this build is done by plain cargo: there is no plan of it");
    }
    let store = match Store::place(settings.cache_dir()) {
        Ok(dir) => Store::open(&dir),
        Err(error) => return plain::refuse(&error),
    };
    let cargo = Cargo::find(inv.toolchain.as_deref());
    let session = Session {
        inv,
        cargo: &cargo,
        store: &store,
        sink,
        talk: &|_| Talk {
            verbose: 0,
            quiet: true,
        },
        start: Start::IfNeeded,
        bounds: None,
    };
    match ask(&session) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => plain::refuse(&why),
    }
}
