//! `cargo zbuild audit`: builds recorded units again elsewhere, and compares.

use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use camino::Utf8PathBuf;
use clap::{Arg, ArgAction, Command};

use super::own::Call;
use super::plain;
use super::preview::{arguments, help, in_full, invocation, wants_help, with_session};
use crate::event::{Event, Sink};
use crate::exec::audit::{AuditError, Step, Wanted};
use crate::report::audit::{json, text};

/// How many units are built again if nobody says it.
const SAMPLE: usize = 20;

/// The options.
pub fn command() -> Command {
    Command::new("audit")
        .about("Build recorded units again in a scratch directory, and compare")
        .after_help(
            "The scratch directory is made in the system's directory for temporary files \
             (TMPDIR).\nThe exit code is 1 if something differs for real.",
        )
        .arg(
            Arg::new("all")
                .long("all")
                .action(ArgAction::SetTrue)
                .help("All units of the build"),
        )
        .arg(
            Arg::new("sample")
                .long("sample")
                .value_name("N")
                .help("So many of them, chosen at random [default: 20]"),
        )
        .arg(
            Arg::new("seed")
                .long("seed")
                .value_name("NUMBER")
                .help("Choose those that were chosen with this number before"),
        )
        .arg(
            Arg::new("json")
                .long("json")
                .action(ArgAction::SetTrue)
                .help("Print JSON (docs/audit.schema.json)"),
        )
        .arg(arguments())
}

/// Says in what the recorded units and those built now differ.
pub fn run(mut call: Call) -> ExitCode {
    if wants_help(&call) {
        return help(call, command());
    }
    let Options {
        sample,
        seed,
        as_json,
    } = match options(&mut call.args) {
        Ok(options) => options,
        Err(why) => return plain::refuse(&why),
    };
    let inv = invocation(&mut call);
    let command = [std::slice::from_ref(&inv.verb), &inv.args].concat();
    let base = match Utf8PathBuf::from_path_buf(std::env::temp_dir()) {
        Ok(base) => base,
        Err(_) => return plain::refuse(&"the directory for temporary files has no UTF-8 name"),
    };
    let mut unexplained = false;
    let code = with_session(&call, &inv, &Diagnostics, |session| {
        let audit = session.audit(&Wanted {
            sample,
            seed,
            base: &base,
            progress: &|step, done, all| {
                let what = match step {
                    Step::Again => "units built again",
                    Step::Control => "units that differ built once more",
                };
                if !inv.quiet {
                    anstream::eprintln!("zbuild: audit: {done} of {all} {what}");
                }
            },
        });
        let audit = audit.map_err(|error| match error {
            AuditError::Session(error) => in_full(&error),
            error => error.to_string(),
        })?;
        let seed = sample.map(|_| seed);
        match as_json {
            true => anstream::println!("{:#}", json(&audit, &command.join(" "), seed)),
            false => anstream::print!("{}", text(&audit, seed, inv.verbose > 0)),
        }
        unexplained = audit.has_real();
        Ok(())
    });
    match unexplained {
        true => ExitCode::FAILURE,
        false => code,
    }
}

/// Our own options.
struct Options {
    /// How many units; none for all.
    sample: Option<usize>,
    seed: u64,
    as_json: bool,
}

/// Takes our own options out of the arguments, which are cargo's otherwise.
fn options(args: &mut Vec<String>) -> Result<Options, String> {
    let as_json = take_flag(args, "--json");
    let all = take_flag(args, "--all");
    let sample = take_number(args, "--sample")?;
    let seed = take_number(args, "--seed")?;
    if all && (sample.is_some() || seed.is_some()) {
        return Err("--all is all units: it goes without --sample and --seed".to_owned());
    }
    let sample = sample.map_or(SAMPLE, |count| usize::try_from(count).unwrap_or(usize::MAX));
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    // Short enough to be typed.
    let random = now.map_or(0, |now| u64::from(now.subsec_nanos()) % 1_000_000);
    Ok(Options {
        sample: (!all).then_some(sample),
        seed: seed.unwrap_or(random),
        as_json,
    })
}

/// Where cargo's own arguments end.
fn own_end(args: &[String]) -> usize {
    let end = args.iter().position(|arg| arg == "--");
    end.unwrap_or(args.len())
}

fn take_flag(args: &mut Vec<String>, name: &str) -> bool {
    let end = own_end(args);
    let at = args[..end].iter().position(|arg| arg == name);
    at.map(|at| args.remove(at)).is_some()
}

fn take_number(args: &mut Vec<String>, name: &str) -> Result<Option<u64>, String> {
    let end = own_end(args);
    let with = format!("{name}=");
    let is_it = |arg: &String| arg == name || arg.starts_with(&with);
    let Some(at) = args[..end].iter().position(is_it) else {
        return Ok(None);
    };
    let arg = args.remove(at);
    let value = match arg.strip_prefix(&with) {
        Some(value) => value.to_owned(),
        None if at < args.len() => args.remove(at),
        None => String::new(),
    };
    let number = value.parse();
    let number = number.map_err(|_| format!("{name} takes a number, not {value:?}"))?;
    Ok(Some(number))
}

/// What rustc says if the build fails.
struct Diagnostics;

impl Sink for Diagnostics {
    fn event(&self, event: Event) {
        if let Event::Diagnostic(text) = event {
            anstream::eprint!("{text}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> (Result<(Option<usize>, u64), String>, String) {
        let mut args: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        let read = options(&mut args).map(|read| (read.sample, read.seed));
        (read, args.join(" "))
    }

    #[test]
    fn our_options_are_taken_out() {
        let (read_all, rest) = read("--all -p app");
        assert_eq!(read_all.unwrap().0, None);
        assert_eq!(rest, "-p app");
        let (numbers, rest) = read("test --sample=3 -p app --seed 7");
        assert_eq!(numbers, Ok((Some(3), 7)));
        assert_eq!(rest, "test -p app");
        assert_eq!(read("-p app").0.unwrap().0, Some(SAMPLE));
        assert_eq!(read("--json -p app --all").1, "-p app");
        // `--all` is cargo's old name of `--workspace`; after `--` all is rustc's.
        assert_eq!(read("rustc -- --all").1, "rustc -- --all");
        for wrong in ["--sample", "--sample x", "--seed=", "--all --sample 3"] {
            assert!(read(wrong).0.is_err(), "{wrong}");
        }
    }
}
