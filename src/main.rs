//! The binary; see the library's crate doc.
#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    let args = std::env::args_os().map(|arg| arg.to_string_lossy().into_owned());
    cargo_zbuild::cli::main(args.collect())
}
