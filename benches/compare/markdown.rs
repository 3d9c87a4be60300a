//! The report as Markdown.

use std::fmt::Write;

use crate::goals;
use crate::options::Case;
use crate::report::{Report, Row, Who};

/// The whole report.
pub fn render(report: &Report) -> String {
    let mut out = String::new();
    header(report, &mut out);
    times(report, &mut out);
    goals_table(report, &mut out);
    footer(report, &mut out);
    out
}

/// Adds a line. Writing to a string cannot fail.
macro_rules! line {
    ($out:expr) => { $out.push('\n') };
    ($out:expr, $($text:tt)*) => {{ let _ = writeln!($out, $($text)*); }};
}

fn header(report: &Report, out: &mut String) {
    let host = &report.host;
    let units = report
        .units
        .map_or(String::new(), |n| format!(", {n} units"));
    line!(out, "# cargo-zbuild compared");
    line!(out);
    line!(
        out,
        "`cargo build -p {}` in `{}`{units}; {}; {}, {} CPUs{}{}.",
        report.package,
        report.workspace,
        host.date,
        host.system,
        host.cpus,
        host.cpu
            .as_ref()
            .map_or(String::new(), |cpu| format!(" ({cpu})")),
        host.file_system
            .as_ref()
            .map_or(String::new(), |kind| format!(", {kind}")),
    );
    let versions = report.versions.iter();
    let versions: Vec<&str> = versions.map(|(_, said)| said.as_str()).collect();
    line!(out, "Versions: {}.", versions.join("; "));
    line!(out);
}

/// One line per case, one column per tool.
fn times(report: &Report, out: &mut String) {
    let tools = report.tools();
    line!(out, "Median wall time (fastest - slowest, n):");
    line!(out);
    line!(out, "| case | {} | compared with |", tools.join(" | "));
    line!(out, "| --- |{} --- |", " --- |".repeat(tools.len()));
    for case in Case::ALL {
        if report.rows_of(case).next().is_none() {
            continue;
        }
        let cells = tools.iter().map(|name| {
            let row = report.row(case, Who::Tool(name));
            row.map_or("-".to_owned(), cell)
        });
        let references = report.rows_of(case);
        let references = references.filter(|row| !matches!(row.who, Who::Tool(_)));
        let references = references.map(|row| format!("{} {}", row.who.name(), cell(row)));
        line!(
            out,
            "| {} | {} | {} |",
            case.title(),
            cells.collect::<Vec<_>>().join(" | "),
            references.collect::<Vec<_>>().join("; ")
        );
        if case == Case::Cold {
            let cells = tools.iter().map(|name| {
                let row = report.row(case, Who::Tool(name));
                row.and_then(Row::cpu).map_or("n/a".to_owned(), seconds)
            });
            let cells = cells.collect::<Vec<_>>().join(" | ");
            line!(out, "| cold, CPU with daemons | {cells} | |");
        }
    }
    line!(out);
}

fn cell(row: &Row) -> String {
    let median = seconds(row.median());
    if row.wall.len() == 1 {
        return format!("{median} (once)");
    }
    let (fastest, slowest) = (seconds(row.fastest()), seconds(row.slowest()));
    format!("{median} ({fastest} - {slowest}, {})", row.wall.len())
}

fn goals_table(report: &Report, out: &mut String) {
    let goals = goals::of(report);
    if goals.is_empty() {
        return;
    }
    line!(out, "| case | ratio | is | goal | met |");
    line!(out, "| --- | --- | --- | --- | --- |");
    for goal in goals {
        let met = if goal.met { "yes" } else { "**no**" };
        // Met by the allowance for a short build.
        let short = goal.met && goal.ratio > goal.limit;
        let met = if short { "yes, within 50 ms" } else { met };
        line!(
            out,
            "| {} | {} | {:.3} | {} | {met} |",
            goal.case.title(),
            goal.what,
            goal.ratio,
            goal.limit
        );
    }
    line!(out);
}

fn footer(report: &Report, out: &mut String) {
    let compiled = report
        .rows
        .iter()
        .filter_map(|row| Some((row.case, row.compiled?)));
    let compiled = compiled.map(|(case, n)| format!("{} {n}", case.name()));
    let compiled: Vec<String> = compiled.collect();
    if !compiled.is_empty() {
        line!(
            out,
            "- units that cargo-zbuild had compiled, at most: {}",
            compiled.join(", ")
        );
    }
    let sizes = report.sizes.iter();
    let sizes: Vec<String> = sizes
        .map(|(name, what, size)| {
            format!(
                "{name}'s {what} {:.1} MB in {} files",
                size.bytes as f64 / 1e6,
                size.files
            )
        })
        .collect();
    if !sizes.is_empty() {
        line!(out, "- after the cold build: {}", sizes.join(", "));
    }
    if !report.absent.is_empty() {
        line!(out, "- not on PATH: {}", report.absent.join(", "));
    }
    for note in &report.notes {
        line!(out, "- {}", note.replace('\n', "\n  "));
    }
}

/// A time with three digits.
pub fn seconds(time: f64) -> String {
    match time {
        ..0.01 => format!("{:.1} ms", time * 1e3),
        ..1.0 => format!("{:.0} ms", time * 1e3),
        ..10.0 => format!("{time:.2} s"),
        ..100.0 => format!("{time:.1} s"),
        _ => format!("{time:.0} s"),
    }
}
