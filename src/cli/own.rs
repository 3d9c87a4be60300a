//! The subcommands of our own, in one table: help, completions and the manual
//! page are made from it.
//!
//! One module per subcommand, each with a `command` (its options) and a `run`.
//! A name here goes before a verb of cargo's under `cargo zbuild`, so it must
//! not be one that builds.

use std::process::ExitCode;
use std::time::Instant;

use super::help;

/// How a subcommand was called.
pub struct Call {
    /// `+toolchain`, without the plus.
    pub toolchain: Option<String>,
    /// Everything after the subcommand's name.
    pub args: Vec<String>,
    /// When the process began.
    pub begun: Instant,
}

/// A subcommand of our own.
pub struct Own {
    /// Its name on the command line.
    pub name: &'static str,
    /// Its options, as help and completions show them.
    pub command: fn() -> clap::Command,
    /// What it does.
    pub run: fn(Call) -> ExitCode,
}

/// All of them, in the order in which the help names them.
pub const OWN: &[Own] = &[Own {
    name: "help",
    command: help::command,
    run: help::run,
}];

/// The subcommand of this name.
pub fn find(name: &str) -> Option<&'static Own> {
    OWN.iter().find(|own| own.name == name)
}
