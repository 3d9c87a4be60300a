//! `cargo zbuild stats`: hits, misses, time saved - the last build, all builds,
//! and each workspace's.

use std::process::ExitCode;

use clap::{Arg, ArgAction, Command};

use super::own::Call;
use crate::cache::Store;
use crate::report::stats::Stats;

/// The options.
pub fn command() -> Command {
    Command::new("stats")
        .about("Show hits, misses and time saved")
        .arg(
            Arg::new("json")
                .long("json")
                .action(ArgAction::SetTrue)
                .help("Print JSON"),
        )
}

/// Prints the figures of the cache in effect.
pub fn run(call: Call) -> ExitCode {
    let (given, _, dir) = match call.with_cache(command()) {
        Ok(read) => read,
        Err(code) => return code,
    };
    let stats = Stats::of(&Store::open(&dir).history());
    match given.get_flag("json") {
        true => anstream::println!("{:#}", stats.json()),
        false => anstream::print!("{}", stats.text()),
    }
    ExitCode::SUCCESS
}
