//! `--help` and `--version`.

use std::process::ExitCode;

use super::own::Call;
use clap::{Arg, ArgAction, Command};

const EXAMPLES: &str = "\
Examples:
  cargo zbuild                     like `cargo build`
  cargo zbuild -p app --release    with any argument of `cargo build`
  cargo zbuild check               like `cargo check`
  cargo zbuild --quiet --message-format=json-render-diagnostics

Environment:
  ZBUILD_CACHE_DIR   where the cache is (default: the user's cache directory)
  ZBUILD_DISABLE     set to 1: run plain cargo
These and more can stand in .config/zbuild.toml; see `cargo zbuild config`.

A verb that is not named here is handed to cargo as it is. The exit code is
always cargo's.";

/// All options, for the help itself.
fn whole() -> Command {
    Command::new("cargo zbuild")
        .about("A drop-in for `cargo build` that never compiles the same thing twice")
        .version(env!("CARGO_PKG_VERSION"))
        .after_help(EXAMPLES)
        .arg(
            Arg::new("verb")
                .value_name("VERB")
                .help("build (the default), check or rustc"),
        )
        .arg(
            Arg::new("args")
                .value_name("ARGS")
                .action(ArgAction::Append)
                .help("Any arguments of that cargo command"),
        )
}

/// `cargo zbuild help`.
pub fn command() -> Command {
    Command::new("help").about("Print this help")
}

/// `cargo zbuild help`.
pub fn run(_: Call) -> ExitCode {
    print()
}

/// Prints the help.
pub fn print() -> ExitCode {
    anstream::println!("{}", whole().render_help().ansi());
    ExitCode::SUCCESS
}

/// Prints the version.
pub fn version() -> ExitCode {
    anstream::println!("cargo-zbuild {}", env!("CARGO_PKG_VERSION"));
    ExitCode::SUCCESS
}
