//! `--help` and `--version`, and the whole command line as completions and the
//! manual page show it.
//!
//! The usual case comes first. The text is checked in (`tests/help`), so that a
//! change to it is seen.

use std::process::ExitCode;

use clap::{Arg, ArgAction, Command};

use super::own::{Call, OWN, find};
use super::plain::refuse;
use super::verbs::VERBS;

const EXAMPLES: &str = "\
Examples:
  cargo zbuild                     like `cargo build`
  cargo zbuild -p app --release    with any argument of `cargo build`
  cargo zbuild test -p app name    like `cargo test`
  cargo zbuild setup               let `cargo b`, `c`, `t` and `r` do the same
  cargo zbuild --quiet --message-format=json-render-diagnostics";

const REST: &str = "\
Options of its own, anywhere among cargo's:
  --stats                  Print the figures of this build
  --verify                 Let cargo confirm all, and read again what was reused
  --zbuild-KEY[=VALUE]     A setting for this build; see `cargo zbuild config`

Environment:
  ZBUILD_CACHE_DIR   where the cache is (default: the user's cache directory)
  ZBUILD_DISABLE     set to 1: run plain cargo
These and more can stand in .config/zbuild.toml; see `cargo zbuild config`.

Exit codes:
  cargo's own: 0, 101 if the build fails, that of the program that is run
  1 if an option of zbuild's own is wrong or one of its commands fails";

/// The command line for the help: what is ours.
fn own() -> Command {
    let mut whole = Command::new("cargo-zbuild")
        .about("A drop-in for `cargo build` that never compiles the same thing twice")
        .version(env!("CARGO_PKG_VERSION"))
        .disable_help_subcommand(true);
    for own in OWN {
        whole = whole.subcommand((own.command)());
    }
    whole
}

/// The whole command line, cargo's verbs included.
pub fn whole() -> Command {
    let verbs = VERBS.iter().filter(|verb| verb.is_full_name());
    let mut whole = own()
        .override_usage("cargo zbuild [VERB] [ARGS]...")
        .after_help(format!("{EXAMPLES}\n\n{REST}"))
        .args(options());
    for verb in verbs {
        whole = whole.subcommand(Command::new(verb.name).about(verb.about).args(options()));
    }
    whole
}

/// cargo's options that most of its verbs share, for completions. What cargo
/// knows beyond these is handed on all the same.
fn options() -> Vec<Arg> {
    let flag = |name: &'static str, help: &'static str| {
        let arg = Arg::new(name).long(name).action(ArgAction::SetTrue);
        arg.help(help)
    };
    let value = |name: &'static str, value: &'static str, help: &'static str| {
        let arg = Arg::new(name).long(name).value_name(value);
        arg.action(ArgAction::Append).help(help)
    };
    vec![
        value("package", "SPEC", "Package to work on").short('p'),
        flag("workspace", "All packages of the workspace"),
        flag("release", "With optimizations").short('r'),
        value("profile", "NAME", "With this profile"),
        value("features", "FEATURES", "Features to activate").short('F'),
        flag("all-features", "All features"),
        flag("no-default-features", "Without the default feature"),
        flag("lib", "Only the library"),
        value("bin", "NAME", "Only this binary"),
        flag("bins", "All binaries"),
        value("example", "NAME", "Only this example"),
        value("test", "NAME", "Only this test"),
        flag("tests", "All targets that are tested"),
        flag("all-targets", "All targets"),
        value("target", "TRIPLE", "Build for this target"),
        value("target-dir", "DIRECTORY", "Where final artifacts go"),
        value("manifest-path", "PATH", "Path of Cargo.toml"),
        value("message-format", "FMT", "How cargo reports"),
        value("jobs", "N", "How many jobs at a time").short('j'),
        flag("locked", "Cargo.lock stays as it is"),
        flag("offline", "Without the network"),
        flag("quiet", "Print nothing but errors").short('q'),
        flag("verbose", "Say why something was not reused").short('v'),
        flag("timings", "Leave a report of this build"),
    ]
}

/// `cargo zbuild help`.
pub fn command() -> Command {
    Command::new("help")
        .about("Print this help, or that of a command")
        .arg(
            Arg::new("command")
                .value_name("COMMAND")
                .help("One of the commands of zbuild's own"),
        )
}

/// `cargo zbuild help`.
pub fn run(call: Call) -> ExitCode {
    let given = match call.read(command()) {
        Ok((given, _)) => given,
        Err(code) => return code,
    };
    let Some(name) = given.get_one::<String>("command") else {
        return print();
    };
    match find(name) {
        Some(own) => {
            let command = (own.command)().bin_name(format!("cargo zbuild {name}"));
            show(command)
        }
        None => refuse(&format!(
            "no command `{name}` of zbuild's own; see `cargo help {name}`"
        )),
    }
}

/// Prints the help.
pub fn print() -> ExitCode {
    let verbs: Vec<&str> = VERBS.iter().map(|verb| verb.name).collect();
    let (short, long): (Vec<&str>, Vec<&str>) = verbs.iter().partition(|name| name.len() == 1);
    let template = format!(
        "{{about}}\n\nUsage: cargo zbuild [VERB] [ARGS]...\n\n{EXAMPLES}\n\n\
         cargo's verbs, with its arguments and all that can be reused restored first:\n  \
         {} (or {})\n\
         Any other verb is handed to cargo as it is.\n\n\
         Commands of its own:\n{{subcommands}}\n\n{REST}",
        long.join(", "),
        short.join(", "),
    );
    show(own().help_template(template))
}

fn show(mut command: Command) -> ExitCode {
    let text = command.render_help().ansi().to_string();
    anstream::println!("{}", text.trim_end());
    ExitCode::SUCCESS
}

/// Prints the version.
pub fn version() -> ExitCode {
    anstream::println!("cargo-zbuild {}", env!("CARGO_PKG_VERSION"));
    ExitCode::SUCCESS
}
