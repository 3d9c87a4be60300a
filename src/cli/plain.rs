//! Plain cargo, and its exit code as ours.

use std::process::{ExitCode, ExitStatus};

use crate::cargo::args::Invocation;
use crate::cargo::command::Cargo;
use crate::exec::run;

/// Runs cargo with these arguments and nothing of ours.
pub fn plainly(cargo: &Cargo, inv: &Invocation) -> ExitCode {
    hand_over(
        cargo,
        &[std::slice::from_ref(&inv.verb), inv.args.as_slice()].concat(),
    )
}

/// Lets cargo take our place.
pub fn hand_over(cargo: &Cargo, args: &[String]) -> ExitCode {
    // Nobody is there to be told if stdout is closed.
    let _ = std::io::Write::flush(&mut std::io::stdout());
    match run::become_cargo(cargo, args) {
        Ok(status) => exit_code(status),
        Err(error) => {
            anstream::eprintln!("error: could not start {}: {error}", cargo.program());
            ExitCode::from(101)
        }
    }
}

/// cargo's exit code as ours; a signal as shells tell it.
pub fn exit_code(status: ExitStatus) -> ExitCode {
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        return ExitCode::from(u8::try_from(128 + signal).unwrap_or(u8::MAX));
    }
    let code = status.code().unwrap_or(101);
    let small = u8::try_from(code);
    // Windows has exit codes beyond a byte (0xC000013A for Ctrl-C), and std
    // hands those on only so. All work is done by now.
    #[cfg(windows)]
    if small.is_err() {
        std::process::exit(code);
    }
    small.map_or(ExitCode::FAILURE, ExitCode::from)
}

/// Says what is wrong with the command line, and ends as cargo does then.
pub fn refuse(why: &dyn std::fmt::Display) -> ExitCode {
    anstream::eprintln!("\x1b[1m\x1b[91merror\x1b[0m: {why}");
    ExitCode::FAILURE
}
