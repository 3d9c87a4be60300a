//! `cargo zbuild clear`: empties the cache.

use std::process::ExitCode;

use bytesize::ByteSize;
use clap::Command;

use super::own::Call;
use crate::cache::Store;

/// The options.
pub fn command() -> Command {
    Command::new("clear").about("Remove everything from the cache")
}

/// Empties the cache of this version. It waits for builds that restore or
/// record; target directories stay as they are.
pub fn run(call: Call) -> ExitCode {
    let (_, _, dir) = match call.with_cache(command()) {
        Ok(read) => read,
        Err(code) => return code,
    };
    match Store::open(&dir).clear() {
        Ok(bytes) => {
            anstream::println!("removed {} from {dir}", ByteSize(bytes).display().iec());
            ExitCode::SUCCESS
        }
        Err(error) => super::plain::refuse(&error.to_string()),
    }
}
