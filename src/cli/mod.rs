//! The command line: which command is meant, how it talks, how it ends.
//!
//! The exit code is always cargo's. Whatever fails on our side ends in a plain
//! cargo build with one line on stderr; nothing here may stand between a user
//! and cargo.

mod afterwards;
pub mod build;
pub mod clear;
pub mod config;
pub mod gc;
pub mod help;
pub mod own;
pub mod plain;
pub mod settings;
pub mod stats;
pub mod term;

use std::process::ExitCode;
use std::time::Instant;

use self::own::Call;
use self::settings::{Flags, Settings};
use crate::cargo::args::Invocation;
use crate::cargo::command::Cargo;

/// cargo's verbs that we plan. Every other one is handed to cargo.
const PLANNED: &[(&str, &str)] = &[
    ("build", "build"),
    ("b", "build"),
    ("check", "check"),
    ("c", "check"),
    ("rustc", "rustc"),
    ("test", "test"),
    ("t", "test"),
    ("run", "run"),
    ("r", "run"),
    ("bench", "bench"),
    ("doc", "doc"),
    ("d", "doc"),
    ("clippy", "clippy"),
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
        Some("-h" | "--help") => return help::print(),
        Some("-V" | "--version") => return help::version(),
        _ => {}
    }
    let verb = match args.first() {
        Some(first) if !first.starts_with('-') => args.remove(0),
        _ => "build".to_owned(),
    };
    let planned = PLANNED.iter().find(|(name, _)| *name == verb);
    let flags = Flags::take(&mut args, planned.is_some());
    if let Some(own) = own::find(&verb) {
        return (own.run)(Call {
            toolchain,
            args,
            flags,
            begun,
        });
    }
    let mut inv = Invocation::parse(planned.map_or(verb.as_str(), |(_, verb)| verb), args);
    inv.toolchain = toolchain;
    let cargo = Cargo::find(&inv);
    if planned.is_none() || build::steps_aside(&inv) {
        return plain::plainly(&cargo, &inv);
    }
    let settings = Settings::load(&inv, &flags);
    if let Some(refusal) = settings.refused_flag() {
        return plain::refuse(refusal);
    }
    build::build(&cargo, &inv, &settings, begun)
}
