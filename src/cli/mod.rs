//! The command line: which command is meant, how it talks, how it ends.
//!
//! The exit code is always cargo's. Whatever fails on our side ends in a plain
//! cargo build with one line on stderr; nothing here may stand between a user
//! and cargo.

mod afterwards;
mod as_cargo;
pub mod audit;
pub mod build;
pub mod clear;
pub mod complete;
pub mod config;
pub mod doctor;
pub mod gc;
pub mod help;
pub mod own;
pub mod plain;
pub mod preview;
pub mod settings;
pub mod setup;
pub mod stats;
pub mod term;
pub mod verbs;
pub mod verify;

use std::process::ExitCode;
use std::time::Instant;

use self::own::Call;
use self::settings::{Flags, Settings};
use crate::cargo::args::Invocation;
use crate::cargo::command::Cargo;

/// Runs the command that the arguments ask for.
pub fn main(args: Vec<String>) -> ExitCode {
    let begun = Instant::now();
    let mut args: Vec<String> = args.into_iter().skip(1).collect();
    // cargo starts `cargo-zbuild zbuild ...`.
    if args.first().is_some_and(|arg| arg == "zbuild") {
        args.remove(0);
        return subcommand(args, begun);
    }
    match as_cargo::read(&args) {
        Some((inv, flags)) => verb(inv, &flags, begun),
        None => plain::hand_over(&Cargo::find(None), &args),
    }
}

/// `cargo zbuild ...`
fn subcommand(mut args: Vec<String>, begun: Instant) -> ExitCode {
    let toolchain = match args.first().and_then(|arg| arg.strip_prefix('+')) {
        Some(toolchain) => {
            let toolchain = toolchain.to_owned();
            args.remove(0);
            Some(toolchain)
        }
        None => None,
    };
    match args.first().map(String::as_str) {
        Some("-h" | "--help") => return help::print(),
        Some("-V" | "--version") => return help::version(),
        _ => {}
    }
    let name = match args.first() {
        Some(first) if !first.starts_with('-') => args.remove(0),
        _ => "build".to_owned(),
    };
    let planned = verbs::find(&name);
    let name = planned.map_or(name.as_str(), |found| found.verb);
    let flags = Flags::take(name, &mut args, planned.is_some());
    if let Some(own) = own::find(name) {
        return (own.run)(Call {
            toolchain,
            args,
            flags,
            begun,
        });
    }
    let mut inv = Invocation::parse(name, args);
    inv.toolchain = toolchain;
    if planned.is_none() {
        return plain::plainly(&Cargo::find(inv.toolchain.as_deref()), &inv);
    }
    verb(inv, &flags, begun)
}

/// One of cargo's verbs that we plan.
fn verb(inv: Invocation, flags: &Flags, begun: Instant) -> ExitCode {
    let cargo = Cargo::find(inv.toolchain.as_deref());
    if build::steps_aside(&inv) {
        return plain::plainly(&cargo, &inv);
    }
    let settings = Settings::load(&inv, flags);
    if let Some(refusal) = settings.refused_flag() {
        return plain::refuse(refusal);
    }
    build::build(&cargo, &inv, &settings, begun)
}
