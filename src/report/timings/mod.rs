//! The comparison report of `--timings`: a page for looking at, and the same
//! data as JSON.
//!
//! The page is one file that loads nothing: style, script and data are in it,
//! and its own policy forbids anything else. It is written whether cargo was
//! started or not. Data from a build never becomes markup: it is JSON with
//! every `<` escaped, and the script only makes text of it.

use std::io::Write;
use std::path::{Path, PathBuf};

use fs_err as fs;
use serde::Serialize;
use serde_json::{Value, json};

use super::human::short;
use super::record::{BuildRecord, plain_cargo};
use crate::event::{Account, Fate};

/// The version of the JSON.
pub const VERSION: u32 = 1;

/// How many builds of the past are shown.
const PAST: usize = 30;

const PAGE: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// A unit in the report.
#[derive(Serialize)]
struct Unit<'a> {
    title: &'a str,
    package: &'a str,
    deps: &'a [usize],
    fate: Fate,
    code: Option<&'static str>,
    reason: Option<String>,
    needed: bool,
    build_ms: Option<u64>,
    begun_ms: Option<u64>,
    plain_begin_ms: u64,
    bytes: u64,
}

/// Writes the report below cargo's target directory: a file with a fixed name,
/// and one with the time in it that stays. Returns the page's path.
///
/// # Errors
/// When it cannot be written.
pub fn write(
    account: &Account,
    record: &BuildRecord,
    history: &[String],
) -> std::io::Result<PathBuf> {
    let target = Path::new(&account.target);
    let dir = target.join("zbuild-timings");
    fs::create_dir_all(&dir)?;
    let own_report = Path::new("cargo-timings").join("cargo-timing.html");
    let cargo_report = (account.cargo_started && target.join(&own_report).is_file())
        .then_some("../cargo-timings/cargo-timing.html");
    let data = data(account, record, history, cargo_report);
    let page = page(&data, record);
    let time = std::time::UNIX_EPOCH + std::time::Duration::from_millis(record.time_ms);
    let time = humantime::format_rfc3339_millis(time).to_string();
    let time: String = time.chars().filter(char::is_ascii_alphanumeric).collect();
    for stem in [format!("zbuild-timing-{time}"), "zbuild-timing".to_owned()] {
        replace(&dir, &format!("{stem}.json"), &format!("{data:#}\n"))?;
        replace(&dir, &format!("{stem}.html"), &page)?;
    }
    Ok(dir.join("zbuild-timing.html"))
}

/// A browser may be reading the file: it sees the old one or the new one.
fn replace(dir: &Path, name: &str, text: &str) -> std::io::Result<()> {
    let mut file = tempfile::NamedTempFile::new_in(dir)?;
    file.write_all(text.as_bytes())?;
    #[cfg(unix)]
    {
        // A report may be read by whoever may read the target directory.
        use std::os::unix::fs::PermissionsExt;
        let readable = std::fs::Permissions::from_mode(0o644);
        file.as_file().set_permissions(readable)?;
    }
    file.persist(dir.join(name)).map_err(|error| error.error)?;
    Ok(())
}

/// All that the page shows.
pub fn data(
    account: &Account,
    record: &BuildRecord,
    history: &[String],
    cargo_report: Option<&str>,
) -> Value {
    let plain = plain_cargo(account);
    let units: Vec<Unit<'_>> = account
        .units
        .iter()
        .zip(&plain.begin_ms)
        .map(|(unit, &plain_begin_ms)| Unit {
            title: &unit.title,
            package: &unit.package,
            deps: &unit.deps,
            fate: unit.fate,
            code: unit.reason.as_ref().map(|reason| reason.code()),
            reason: unit.reason.as_ref().map(|reason| reason.to_string()),
            needed: unit.needed,
            build_ms: unit.build_ms,
            begun_ms: unit.begun_ms,
            plain_begin_ms,
            bytes: unit.bytes,
        })
        .collect();
    json!({
        "version": VERSION,
        "zbuild": env!("CARGO_PKG_VERSION"),
        "build": record,
        "hit_rate": record.hit_rate(),
        "jobs": account.jobs,
        "cargo_report": cargo_report,
        "plain_cargo": {
            "total_ms": plain.total_ms,
            "critical_ms": plain.critical_ms,
            "critical": plain.critical,
        },
        "units": units,
        "history": past(record, history),
    })
}

/// The last builds of the workspace with this one at the end.
fn past(record: &BuildRecord, history: &[String]) -> Vec<BuildRecord> {
    let parsed = history.iter().filter_map(|line| BuildRecord::parse(line));
    let mut past: Vec<BuildRecord> = parsed
        .filter(|past| past.builds == 1 && past.workspace == record.workspace)
        .collect();
    // A build that did nothing is not in the history.
    if past.last() != Some(record) {
        past.push(record.clone());
    }
    past.split_off(past.len().saturating_sub(PAST))
}

fn page(data: &Value, record: &BuildRecord) -> String {
    let time = |ms| short(std::time::Duration::from_millis(ms));
    let summary = format!(
        "{} units, {} reused, {} compiled in {}; plain cargo would have taken about {}.",
        record.units,
        record.reused,
        record.misses + record.non_cacheable,
        time(record.duration_ms),
        time(record.plain_cargo_ms)
    );
    let title = format!("cargo zbuild {} - {}", record.command, record.workspace);
    let mut page = String::new();
    let mut rest = PAGE;
    // In one pass: what is filled in is not looked at again.
    while let Some((before, after)) = rest.split_once("{{") {
        let Some((name, after)) = after.split_once("}}") else {
            break;
        };
        page.push_str(before);
        match name {
            "TITLE" => page.push_str(&escaped(&title)),
            "SUMMARY" => page.push_str(&escaped(&summary)),
            "STYLE" => page.push_str(STYLE),
            "SCRIPT" => page.push_str(SCRIPT),
            // Inside a script element only `<` could end it.
            _ => page.push_str(&data.to_string().replace('<', "\\u003c")),
        }
        rest = after;
    }
    page.push_str(rest);
    page
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::super::record::tests::{record, told};
    use super::*;

    #[test]
    fn data_is_embedded_and_cannot_break_out() {
        let mut told = told();
        let account = told.account.as_mut().unwrap();
        account.units[0].title = "</script><b>\u{2028} {{TITLE}}".into();
        let data = data(account, &record(), &[], Some("../x"));
        let page = page(&data, &record());
        assert!(!page.contains("</script><b>"));
        let start = page.find("id=\"data\">").unwrap() + "id=\"data\">".len();
        let end = start + page[start..].find("</script>").unwrap();
        let embedded: Value = serde_json::from_str(&page[start..end]).unwrap();
        assert_eq!(embedded, data);
        assert_eq!(embedded["plain_cargo"]["total_ms"], 1220);
        assert_eq!(embedded["units"][3]["code"], "input");
        for outside in ["http://", "https://", "src=", "@import", "url("] {
            assert!(!page.contains(outside), "{outside}");
        }
    }

    #[test]
    fn the_past_is_this_workspace_and_bounded() {
        let mut lines = Vec::new();
        for n in 0..100 {
            let mut past = record();
            past.time_ms = n;
            past.workspace = if n % 2 == 0 {
                "/ws".into()
            } else {
                "/o".into()
            };
            lines.push(past.line());
        }
        let shown = past(&record(), &lines);
        assert_eq!(shown.len(), PAST);
        assert!(shown.iter().all(|past| past.workspace == "/ws"));
        assert_eq!(shown.last(), Some(&record()));
        lines.push(record().line());
        assert_eq!(past(&record(), &lines), shown, "not twice");
    }
}
