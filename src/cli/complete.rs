//! `cargo zbuild completions SHELL` and `cargo zbuild man`: files for a shell
//! and for `man`, made from the command line itself, on stdout.

use std::io::Write;
use std::process::ExitCode;

use clap::{Arg, Command, value_parser};
use clap_complete::Shell;

use super::help::whole;
use super::own::Call;
use super::plain::refuse;

/// What the shells know us by. zsh's completion of cargo asks for that of
/// `cargo-NAME` for every subcommand it does not know.
const NAME: &str = "cargo-zbuild";

/// bash completes by the first word: `cargo zbuild` is cargo's, so whoever
/// completes cargo is asked first for everything but that. Where nobody does,
/// nothing is put in the way of who might later.
const BASH: &str = r#"
_cargo_zbuild_of_cargo() {
    if [[ ${COMP_WORDS[1]} == zbuild && $COMP_CWORD -gt 1 ]]; then
        COMP_WORDS=(cargo-zbuild "${COMP_WORDS[@]:2}")
        COMP_CWORD=$((COMP_CWORD - 1))
        "$_cargo_zbuild_own" cargo-zbuild "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
    else
        "$_cargo_zbuild_before" "$@"
    fi
}
_cargo_zbuild_function() {
    complete -p "$1" 2>/dev/null | sed -n 's/.*-F \([^ ]*\) .*/\1/p'
}
_cargo_zbuild_own=$(_cargo_zbuild_function cargo-zbuild)
_cargo_zbuild_before=$(_cargo_zbuild_function cargo)
if [[ -n $_cargo_zbuild_before && $_cargo_zbuild_before != _cargo_zbuild_of_cargo ]]; then
    complete -F _cargo_zbuild_of_cargo -o bashdefault -o default cargo
fi
"#;

/// The options of `completions`.
pub fn command() -> Command {
    Command::new("completions")
        .about("Print completions for a shell")
        .arg(
            Arg::new("shell")
                .value_name("SHELL")
                .required(true)
                .value_parser(value_parser!(Shell))
                .help("For which shell"),
        )
}

/// Prints completions.
pub fn run(call: Call) -> ExitCode {
    let given = match call.read(command()) {
        Ok((given, _)) => given,
        Err(code) => return code,
    };
    let Some(shell) = given.get_one::<Shell>("shell").copied() else {
        return ExitCode::FAILURE;
    };
    let mut text = Vec::new();
    match shell {
        Shell::Bash => text = in_bash().into_bytes(),
        _ => clap_complete::generate(shell, &mut whole(), NAME, &mut text),
    }
    match shell {
        Shell::Bash => text.extend_from_slice(BASH.as_bytes()),
        Shell::Fish => text.extend(of_cargo_in_fish()),
        _ => {}
    }
    print(&text)
}

/// clap_complete's own for bash. It takes a name with a hyphen apart where it
/// should not, and then finds none of its commands: so it gets one without.
fn in_bash() -> String {
    let name = "cargo_zbuild";
    let mut text = Vec::new();
    clap_complete::generate(Shell::Bash, &mut whole().name(name), name, &mut text);
    let text = String::from_utf8_lossy(&text);
    text.replace(&format!(" {name}\n"), &format!(" {NAME}\n"))
}

/// In fish the names of verbs and commands are added to cargo's completions.
fn of_cargo_in_fish() -> Vec<u8> {
    let whole = whole();
    let names = whole.get_subcommands().map(Command::get_name);
    let line = |name| {
        format!("complete -c cargo -n '__fish_seen_subcommand_from zbuild' -f -a '{name}'\n")
    };
    names.map(line).collect::<String>().into_bytes()
}

/// The options of `man`.
pub fn man_command() -> Command {
    Command::new("man").about("Print the manual page (for `man -l -`)")
}

/// Prints the manual page.
pub fn man(call: Call) -> ExitCode {
    if let Err(code) = call.read(man_command()) {
        return code;
    }
    let mut text = Vec::new();
    match clap_mangen::Man::new(whole()).render(&mut text) {
        Ok(()) => print(&text),
        Err(error) => refuse(&format!("could not make the manual page: {error}")),
    }
}

fn print(text: &[u8]) -> ExitCode {
    let mut out = std::io::stdout().lock();
    match out.write_all(text).and_then(|()| out.flush()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}
