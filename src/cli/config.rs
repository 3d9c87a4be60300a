//! `cargo zbuild config`: what is in effect, and from where.

use std::process::ExitCode;

use clap::{Arg, ArgAction, Command};
use serde_json::{Value as Json, json};

use super::own::Call;
use super::settings::keys::{KEYS, Value};
use super::settings::{Origin, Problem, Settings};
use crate::cache::Store;

/// The version of the JSON that `--json` prints.
const VERSION: u64 = 1;

/// The options.
pub fn command() -> Command {
    Command::new("config")
        .about("Show the settings in effect and where each comes from")
        .arg(
            Arg::new("json")
                .long("json")
                .action(ArgAction::SetTrue)
                .help("Print JSON"),
        )
        .arg(
            Arg::new("manifest-path")
                .long("manifest-path")
                .value_name("PATH")
                .help("Path to Cargo.toml"),
        )
}

/// One key with its value and where that comes from.
struct Line {
    name: &'static str,
    about: &'static str,
    value: Option<Value>,
    origin: Option<Origin>,
}

/// Prints the settings; the exit code is 1 if something is wrong with them.
pub fn run(call: Call) -> ExitCode {
    let (given, _, settings) = match call.with_settings(command()) {
        Ok(read) => read,
        Err(code) => return code,
    };
    let lines = lines(&settings);
    let mut problems = settings.problems.clone();
    problems.extend(Settings::strange_variables());
    if given.get_flag("json") {
        anstream::println!("{:#}", as_json(&settings, &lines, &problems));
    } else {
        print(&settings, &lines);
    }
    for problem in &problems {
        let so = match problem.decisive {
            true => "plain cargo builds",
            false => "left out",
        };
        anstream::eprintln!("zbuild: {}; {so}", problem.text);
    }
    match problems.is_empty() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}

/// Prints the settings, problems left out.
pub fn show(settings: &Settings) {
    print(settings, &lines(settings));
}

fn lines(settings: &Settings) -> Vec<Line> {
    KEYS.iter()
        .map(|key| {
            let set = settings.get(key.name);
            let value = set.map(|(value, _)| value.clone());
            let value = value.or_else(|| key.default()).or_else(|| {
                let of_system = Store::place(None).ok().map(Value::Path);
                of_system.filter(|_| key.name == "cache-dir")
            });
            Line {
                name: key.name,
                about: key.about,
                value,
                origin: set.map(|(_, origin)| origin.clone()),
            }
        })
        .collect()
}

fn print(settings: &Settings, lines: &[Line]) {
    for file in &settings.files {
        anstream::println!("# read: {file}");
    }
    for Line {
        name,
        about,
        value,
        origin,
    } in lines
    {
        let origin = origin.as_ref().map_or("default".into(), Origin::to_string);
        match value {
            Some(value) => anstream::println!("{name} = {value} # {about} ({origin})"),
            None => anstream::println!("# {name} is not set: {about}"),
        }
    }
}

fn as_json(settings: &Settings, lines: &[Line], problems: &[Problem]) -> Json {
    let values = lines.iter().map(|line| {
        let origin = match &line.origin {
            None => json!({"kind": "default"}),
            Some(Origin::File(path, at)) => json!({"kind": "file", "path": path, "line": at}),
            Some(Origin::Variable(name)) => json!({"kind": "variable", "name": name}),
            Some(Origin::Flag(name)) => json!({"kind": "flag", "name": name}),
        };
        let value = line.value.as_ref().map(Value::json);
        let entry = json!({"value": value, "origin": origin});
        (line.name.to_owned(), entry)
    });
    let problem = |problem: &Problem| json!({"text": problem.text, "stops": problem.decisive});
    json!({
        "version": VERSION,
        "files": settings.files,
        "settings": values.collect::<serde_json::Map<String, Json>>(),
        "problems": problems.iter().map(problem).collect::<Vec<Json>>(),
    })
}
