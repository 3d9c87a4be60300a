//! `cargo zbuild clear`: empties the cache.

use std::process::ExitCode;

use bytesize::ByteSize;
use clap::Command;

use super::own::Call;
use super::settings::Settings;
use crate::cache::Store;

/// The options.
pub fn command() -> Command {
    Command::new("clear").about("Remove everything from the cache")
}

/// Empties the cache of this version. It waits for builds that restore or
/// record; target directories stay as they are.
pub fn run(call: Call) -> ExitCode {
    let inv = match call.read(command()) {
        Ok((_, inv)) => inv,
        Err(code) => return code,
    };
    let settings = Settings::load(&inv, &call.flags);
    if let Some(refusal) = settings.refused_flag() {
        return super::plain::refuse(refusal);
    }
    let dir = match Store::place(settings.cache_dir()) {
        Ok(dir) => dir,
        Err(error) => return super::plain::refuse(&error.to_string()),
    };
    match Store::open(&dir).clear() {
        Ok(bytes) => {
            anstream::println!("removed {} from {dir}", ByteSize(bytes).display().iec());
            ExitCode::SUCCESS
        }
        Err(error) => super::plain::refuse(&error.to_string()),
    }
}
