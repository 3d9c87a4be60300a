//! Statistics: the sums of many builds, for people and for tools.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value, json};

use super::human::short;
use super::record::{BuildRecord, VERSION};

/// How many builds are kept one by one; older ones are kept as one sum per
/// workspace.
const KEPT: usize = 400;

/// How many sums are kept; those longest unused are put together.
const SUMS: usize = 200;

/// Makes the lines of a history fewer, without losing a figure.
pub fn fold(lines: &[String]) -> Vec<String> {
    let mut records: Vec<BuildRecord> = lines
        .iter()
        .filter_map(|line| BuildRecord::parse(line))
        .collect();
    records.sort_by_key(|record| record.time_ms);
    let recent = records.split_off(records.len().saturating_sub(KEPT));
    let mut sums = by_workspace(&records);
    sums.sort_by_key(|sum| sum.time_ms);
    let few = sums.split_off(sums.len().saturating_sub(SUMS));
    let rest = sum(&sums).into_iter();
    rest.chain(few)
        .chain(recent)
        .map(|record| record.line())
        .collect()
}

fn sum(records: &[BuildRecord]) -> Option<BuildRecord> {
    let (first, rest) = records.split_first()?;
    let mut sum = first.clone();
    for record in rest {
        sum.add(record);
    }
    Some(sum)
}

fn by_workspace(records: &[BuildRecord]) -> Vec<BuildRecord> {
    let mut sums: BTreeMap<&str, BuildRecord> = BTreeMap::new();
    for record in records {
        match sums.get_mut(record.workspace.as_str()) {
            Some(sum) => sum.add(record),
            None => {
                sums.insert(&record.workspace, record.clone());
            }
        }
    }
    sums.into_values().collect()
}

/// The statistics of a cache.
#[derive(Debug, Default)]
pub struct Stats {
    /// The last build that did something.
    pub last: Option<BuildRecord>,
    /// All builds.
    pub total: BuildRecord,
    /// The sums by workspace, the one used last first.
    pub workspaces: Vec<BuildRecord>,
}

/// A record as `stats --json` shows it.
#[derive(Serialize)]
struct Shown<'a> {
    #[serde(flatten)]
    record: &'a BuildRecord,
    hit_rate: Option<f64>,
}

impl Stats {
    /// Adds the lines of a history up.
    pub fn of(lines: &[String]) -> Stats {
        let parsed = lines.iter().filter_map(|line| BuildRecord::parse(line));
        let records: Vec<BuildRecord> = parsed.collect();
        let single = records.iter().filter(|record| record.builds == 1);
        let mut workspaces = by_workspace(&records);
        workspaces.sort_by_key(|record| std::cmp::Reverse(record.time_ms));
        Stats {
            last: single.max_by_key(|record| record.time_ms).cloned(),
            total: sum(&records).unwrap_or_default(),
            workspaces,
        }
    }

    /// As JSON, of version [`VERSION`].
    pub fn json(&self) -> Value {
        let shown = |record: &BuildRecord| {
            let hit_rate = record.hit_rate();
            serde_json::to_value(Shown { record, hit_rate }).unwrap_or_default()
        };
        json!({
            "version": VERSION,
            "total": sum_of(shown(&self.total)),
            "last_build": self.last.as_ref().map(shown),
            "workspaces": self.workspaces.iter().map(shown).map(|value| {
                let workspace = value["workspace"].clone();
                let mut value = sum_of(value);
                value["workspace"] = workspace;
                value
            }).collect::<Vec<Value>>(),
        })
    }

    /// As text.
    pub fn text(&self) -> String {
        let mut text = String::new();
        if self.total.builds == 0 {
            return "no builds yet\n".to_owned();
        }
        if let Some(last) = &self.last {
            text += &format!("Last build: {} in {}\n", last.command, last.workspace);
            text += &table(last);
        }
        text += &format!("\nAll {} builds\n", self.total.builds);
        text += &table(&self.total);
        if self.workspaces.len() > 1 {
            text += "\nBy workspace\n";
            for workspace in &self.workspaces {
                let name = match workspace.workspace.as_str() {
                    "" => "others",
                    name => name,
                };
                text += &format!(
                    "  {name}: {} builds, {} hits, {} misses{}, saved {}\n",
                    workspace.builds,
                    workspace.hits,
                    workspace.misses,
                    rate(workspace),
                    short(std::time::Duration::from_millis(workspace.time_saved_ms)),
                );
            }
        }
        text
    }
}

/// Takes away what is no sum.
fn sum_of(mut value: Value) -> Value {
    if let Some(fields) = value.as_object_mut() {
        for name in [
            "command",
            "exit_code",
            "cargo_started",
            "workspace",
            "version",
        ] {
            fields.shift_remove(name);
        }
    }
    value
}

fn rate(record: &BuildRecord) -> String {
    let percent = |rate| format!(" ({:.1} %)", rate * 100.0);
    record.hit_rate().map_or(String::new(), percent)
}

/// The figures of one record, one per line.
pub fn table(record: &BuildRecord) -> String {
    let time = |ms| short(std::time::Duration::from_millis(ms));
    let mut lines = vec![
        ("hits", format!("{}{}", record.hits, rate(record))),
        ("misses", record.misses.to_string()),
    ];
    for (code, count) in &record.miss_reasons {
        lines.push(("", format!("{count} {}", code.replace('_', " "))));
    }
    lines.extend([
        ("non-cacheable", record.non_cacheable.to_string()),
        ("troubles", record.troubles.to_string()),
        ("time saved", time(record.time_saved_ms)),
        ("duration", time(record.duration_ms)),
        (
            "plain cargo",
            format!("about {}", time(record.plain_cargo_ms)),
        ),
        ("restored", bytes(record.bytes_restored)),
        ("built", bytes(record.bytes_built)),
    ]);
    let line = |(name, value): (&str, String)| format!("  {name:<14}{value}\n");
    lines.into_iter().map(line).collect()
}

/// A size as a person reads it.
pub fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut size = bytes as f64;
    let mut unit = 0;
    while size >= 1024.0 && unit + 1 < UNITS.len() {
        size /= 1024.0;
        unit += 1;
    }
    match unit {
        0 => format!("{bytes} B"),
        _ => format!("{size:.1} {}", UNITS[unit]),
    }
}

#[cfg(test)]
mod tests {
    use super::super::record::tests::record;
    use super::*;

    fn at(workspace: &str, time_ms: u64) -> BuildRecord {
        BuildRecord {
            workspace: workspace.into(),
            time_ms,
            ..record()
        }
    }

    #[test]
    fn folding_loses_no_figure() {
        let records: Vec<BuildRecord> = (0..1000)
            .map(|n| at(&format!("/ws{}", n % 300), n))
            .collect();
        let mut lines: Vec<String> = records.iter().map(BuildRecord::line).collect();
        lines.insert(7, "{\"torn".into());
        let folded = fold(&lines);
        assert!(folded.len() <= KEPT + SUMS + 1, "{}", folded.len());
        let (before, after) = (Stats::of(&lines), Stats::of(&folded));
        assert_eq!(after.total.builds, 1000);
        assert_eq!(before.total.hits, after.total.hits);
        assert_eq!(before.last, after.last);
        assert_eq!(fold(&folded).len(), folded.len(), "once is enough");
    }

    #[test]
    fn shows_sums_by_workspace() {
        let lines = [at("/a", 1).line(), at("/b", 2).line(), at("/a", 3).line()];
        let stats = Stats::of(&lines);
        let json = stats.json();
        assert_eq!(json["total"]["hits"], 6);
        assert_eq!(json["total"]["hit_rate"], 0.6667);
        assert_eq!(json["workspaces"][0]["workspace"], "/a");
        assert_eq!(json["workspaces"][0]["builds"], 2);
        assert_eq!(json["last_build"]["time_ms"], 3);
        assert!(json["total"].get("command").is_none());
        let text = stats.text();
        assert!(
            text.contains("All 3 builds\n  hits          6 (66.7 %)\n"),
            "{text}"
        );
        assert!(Stats::of(&[]).text().contains("no builds yet"));
    }

    #[test]
    fn sizes_are_read_easily() {
        assert_eq!(bytes(999), "999 B");
        assert_eq!(bytes(3 << 20), "3.0 MiB");
    }
}
