//! `cargo zbuild gc`: keeps the cache within its bounds.

use std::process::ExitCode;

use bytesize::ByteSize;
use clap::{Arg, ArgAction, Command};

use super::own::Call;
use super::settings::Settings;
use super::settings::keys::{self, Key};
use crate::cache::Store;
use crate::cache::collect::{Bounds, Collected, Request, Size};
use crate::exec::upkeep::now;
use crate::plan::state::tidy;

/// The options.
pub fn command() -> Command {
    let bound = |name: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name("VALUE").help(help)
    };
    Command::new("gc")
        .about("Remove from the cache what is worth its bytes least")
        .arg(bound(
            "max-size",
            "How large the cache may be: `20GiB`, `5%` of its disk, `none`",
        ))
        .arg(bound(
            "max-age",
            "How long something may stay unused: `30d`, `none`",
        ))
        .arg(bound(
            "min-free",
            "How much of the disk is to stay free: `5GiB`, `10%`, `none`",
        ))
        .arg(
            Arg::new("dry-run")
                .long("dry-run")
                .short('n')
                .action(ArgAction::SetTrue)
                .help("Only say what would be removed"),
        )
}

/// The bounds that the settings ask for.
pub fn bounds(settings: &Settings) -> Bounds {
    let is_default = settings.get("max-size").is_none();
    Bounds {
        max_size: [
            settings.max_size().map(size),
            is_default.then_some(Size::Percent(10)),
        ],
        max_age: settings.max_age().map(|age| age.as_secs()),
        min_free: settings.min_free().map(size),
    }
}

fn size(size: keys::Size) -> Size {
    match size {
        keys::Size::Bytes(bytes) => Size::Bytes(bytes),
        keys::Size::Percent(percent) => Size::Percent(percent),
    }
}

/// Collects, and says what went. It waits for builds that restore or record,
/// but not for cargo.
pub fn run(call: Call) -> ExitCode {
    let (given, settings, dir) = match call.with_cache(command()) {
        Ok(read) => read,
        Err(code) => return code,
    };
    // A bound that could not be read may have been the larger one.
    if let Some(problem) = settings.problems.first() {
        return super::plain::refuse(&problem.text);
    }
    let mut bounds = bounds(&settings);
    for name in ["max-size", "max-age", "min-free"] {
        let (Some(text), Some(key)) = (given.get_one::<String>(name), Key::named(name)) else {
            continue;
        };
        let value = match key.read(text, "".into()) {
            Ok(value) => value,
            Err(why) => return super::plain::refuse(&format!("`--{name}`: {why}")),
        };
        match (name, value) {
            ("max-size", keys::Value::Size(value)) => bounds.max_size = [value.map(size), None],
            ("min-free", keys::Value::Size(value)) => bounds.min_free = value.map(size),
            (_, keys::Value::Age(value)) => bounds.max_age = value.map(|age| age.as_secs()),
            _ => {}
        }
    }
    let dry_run = given.get_flag("dry-run");
    let collected = Store::open(&dir).collect(&Request {
        bounds,
        dry_run,
        wait: true,
        budget: None,
        tidy: &tidy,
        now: now(),
    });
    match collected {
        Ok(collected) => {
            anstream::println!("{}", told(&collected.unwrap_or_default(), dry_run));
            ExitCode::SUCCESS
        }
        Err(error) => super::plain::refuse(&error.to_string()),
    }
}

/// What a collection did, in a few lines.
fn told(done: &Collected, dry_run: bool) -> String {
    let Collected {
        before,
        after,
        variants,
        evicted,
        contents,
        shared,
        states,
        leftovers,
    } = *done;
    let verb = if dry_run { "would remove" } else { "removed" };
    let size = |bytes| ByteSize(bytes).display().iec();
    let mut text = format!(
        "{verb} {evicted} of {variants} recorded units, {contents} files, {}; {} left",
        size(before.saturating_sub(after)),
        size(after),
    );
    if shared > 0 {
        text += &format!(
            "\n{} of that are in target directories as well and free once those are gone",
            size(shared)
        );
    }
    if states + leftovers > 0 {
        text += &format!("\n{verb} {states} remembered plans and {leftovers} temporary files");
    }
    text
}
