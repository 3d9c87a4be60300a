//! `cargo zbuild verify`: reads every byte of the cache.

use std::process::ExitCode;

use bytesize::ByteSize;
use clap::{Arg, ArgAction, Command};

use super::own::Call;
use crate::cache::Store;
use crate::cache::verify::Findings;
use crate::plan::state::is_sound;

/// The options.
pub fn command() -> Command {
    Command::new("verify")
        .about("Check every file in the cache against its digest")
        .arg(
            Arg::new("repair")
                .long("repair")
                .action(ArgAction::SetTrue)
                .help("Remove what is damaged, so that it is built anew"),
        )
}

/// Says what is damaged; the exit code is 1 if something is and was left.
pub fn run(call: Call) -> ExitCode {
    let (given, _, dir) = match call.with_cache(command()) {
        Ok(read) => read,
        Err(code) => return code,
    };
    let found = Store::open(&dir).verify(given.get_flag("repair"), &is_sound);
    let found = match found {
        Ok(found) => found,
        Err(error) => return super::plain::refuse(&error.to_string()),
    };
    anstream::println!("{}", told(&found));
    match found.damaged.is_empty() || found.repaired {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}

fn told(found: &Findings) -> String {
    let Findings {
        variants,
        contents,
        bytes,
        damaged,
        incomplete,
        orphans,
        repaired,
    } = found;
    let mut text: String = damaged
        .iter()
        .map(|what| format!("damaged: {what}\n"))
        .collect();
    text += &format!(
        "{variants} recorded units, {contents} files, {} are whole; {} damaged",
        ByteSize(*bytes).display().iec(),
        damaged.len(),
    );
    if !damaged.is_empty() {
        text += match repaired {
            true => " and removed",
            false => "; `cargo zbuild verify --repair` removes that",
        };
        text += "\na target directory may share a damaged file: `cargo clean` there if in doubt";
    }
    if *incomplete > 0 {
        text += &format!("\n{incomplete} recorded units are incomplete and will be built anew");
    }
    if *orphans > 0 {
        text += &format!("\n{orphans} files belong to nothing; `cargo zbuild gc` removes them");
    }
    text
}
