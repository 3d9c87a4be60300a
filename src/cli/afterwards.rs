//! What is told of a build when it is over: the history for statistics, the
//! journal, the report of `--timings`, the figures of `--stats`.
//!
//! A build that did nothing leaves no trace but in a journal that was asked
//! for: it must not cost more than looking. Nothing here changes how the
//! command ends.

use std::io::Write;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use camino::Utf8Path;
use fs_err as fs;

use super::settings::Settings;
use crate::cache::Store;
use crate::cargo::args::Invocation;
use crate::event::{Event, Sink};
use crate::exec::session::Outcome;
use crate::report::human::Human;
use crate::report::record::{BuildRecord, Ending};
use crate::report::stats;
use crate::report::tally::Tally;
use crate::report::timings;

/// Whether an account of a build that did nothing is of use as well.
pub fn wants_all(settings: &Settings, inv: &Invocation) -> bool {
    settings.journal().is_some() || settings.stats() || wants_timings(inv)
}

/// `--timings`, with or without a value.
fn wants_timings(inv: &Invocation) -> bool {
    let mut before_dashes = inv.args.iter().take_while(|arg| *arg != "--");
    before_dashes.any(|arg| arg == "--timings" || arg.starts_with("--timings="))
}

/// Tells whoever asked for it how the build went.
pub fn tell(
    tally: &Tally<'_>,
    human: &Human,
    outcome: &Outcome,
    inv: &Invocation,
    settings: &Settings,
    store: &Store,
    begun: Instant,
) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let ending = Ending {
        command: std::iter::once(&inv.verb)
            .chain(&inv.args)
            .map(String::as_str)
            .collect::<Vec<_>>()
            .join(" "),
        duration: begun.elapsed(),
        time_ms: now.map_or(0, |now| u64::try_from(now.as_millis()).unwrap_or(0)),
        exit_code: outcome.status.map_or(Some(0), |status| status.code()),
    };
    let told = tally.told().clone();
    let record = BuildRecord::new(&told, &outcome.summary, &ending);
    let (Some(record), Some(account)) = (record, told.account) else {
        return;
    };
    if record.cargo_started || record.hits > 0 {
        let added = store.add_to_history(&record.line(), stats::fold);
        if let Err(error) = added {
            human.event(Event::Trouble(error.to_string()));
        }
    }
    if let Some(path) = settings.journal()
        && let Err(error) = journal(path, &record)
    {
        human.event(Event::Trouble(format!("could not write {path}: {error}")));
    }
    if wants_timings(inv) {
        match timings::write(&account, &record, &store.history()) {
            Ok(path) => human.saved("timing report", &path.display()),
            Err(error) => {
                let why = format!("could not write the timing report: {error}");
                human.event(Event::Trouble(why));
            }
        }
    }
    if settings.stats() {
        human.figures(&stats::table(&record));
    }
}

/// Adds a line to the journal, in one write.
fn journal(path: &Utf8Path, record: &BuildRecord) -> std::io::Result<()> {
    if let Some(dir) = path.parent() {
        fs::create_dir_all(dir)?;
    }
    let mut file = fs::OpenOptions::new()
        .append(true)
        .create(true)
        .open(path)?;
    file.write_all(format!("{}\n", record.line()).as_bytes())
}
