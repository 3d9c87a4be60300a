//! The report as a picture: for each case the times as bars, on a scale of
//! its own.

use std::fmt::Write;

use crate::goals;
use crate::markdown::seconds;
use crate::options::Case;
use crate::report::{Report, Row, Who};
use crate::tools::{CARGO, ZBUILD};

const WIDTH: f64 = 860.0;
const MARGIN: f64 = 24.0;
/// Where bars begin and how long the longest one is.
const BARS: f64 = 150.0;
const LONGEST: f64 = 470.0;
const BAR: f64 = 16.0;
const STEP: f64 = 22.0;

/// Draws all cases, one below the other.
pub fn render(report: &Report) -> String {
    let mut body = String::new();
    let mut y = MARGIN + 14.0;
    let title = format!("cargo build -p {}: median wall time", report.package);
    text(&mut body, "title", MARGIN, y, &title);
    y += 20.0;
    let told = "Each case has its own scale. Thin line: fastest to slowest. Dashed: the goal of cargo-zbuild.";
    text(&mut body, "small", MARGIN, y, told);
    for case in Case::ALL {
        let rows: Vec<&Row> = report.rows_of(case).collect();
        if !rows.is_empty() {
            y += 34.0;
            group(&mut body, report, case, &rows, &mut y);
        }
    }
    y += 26.0;
    let host = &report.host;
    let source = format!(
        "{}, {}, {} CPUs; workspace {}",
        host.date, host.system, host.cpus, report.workspace
    );
    text(&mut body, "small", MARGIN, y, &source);
    let height = y + MARGIN;
    format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" role="img">
<title>{}</title>
<style>
text {{ font: 12px system-ui, "Segoe UI", "DejaVu Sans", sans-serif; fill: #24292f; }}
.title {{ font-size: 17px; font-weight: 600; }}
.case {{ font-size: 13px; font-weight: 600; }}
.small {{ font-size: 11px; fill: #59636e; }}
.name {{ text-anchor: end; }}
</style>
<rect width="100%" height="100%" fill="#ffffff"/>
{body}</svg>
"##,
        escaped(&title)
    )
}

/// The bars of one case; `y` is its title's line before, and the last bar's
/// lower edge afterwards.
fn group(out: &mut String, report: &Report, case: Case, rows: &[&Row], y: &mut f64) {
    text(out, "case", MARGIN, *y, &case.title().replace('`', ""));
    *y += 8.0;
    let goals = goals::of(report);
    let goals = goals.iter().filter(|goal| goal.case == case);
    let goal = goals.filter_map(|goal| goal.seconds).reduce(f64::min);
    let longest = rows.iter().map(|row| row.slowest());
    let longest = longest.chain(goal).fold(f64::MIN_POSITIVE, f64::max);
    let length = |time: f64| (time / longest * LONGEST).max(1.5);
    for row in rows {
        let middle = *y + BAR / 2.0;
        text(out, "name", BARS - 8.0, middle + 4.0, row.who.name());
        rect(out, BARS, *y, length(row.median()), colour(row.who));
        if row.wall.len() > 1 {
            let (from, to) = (length(row.fastest()), length(row.slowest()));
            line(out, (BARS + from, middle), (BARS + to, middle), "");
        }
        if row.who == Who::Tool(ZBUILD)
            && let Some(goal) = goal
        {
            let x = BARS + length(goal);
            let dashes = r#" stroke-dasharray="3 2""#;
            line(out, (x, *y - 3.0), (x, *y + BAR + 3.0), dashes);
        }
        let end = length(row.slowest()).max(length(row.median()));
        let end = match (row.who, goal) {
            (Who::Tool(ZBUILD), Some(goal)) => end.max(length(goal)),
            _ => end,
        };
        text(out, "", BARS + end + 8.0, middle + 4.0, &label(row));
        *y += STEP;
    }
    *y -= STEP - BAR;
}

fn label(row: &Row) -> String {
    let median = seconds(row.median());
    if row.wall.len() == 1 {
        return median;
    }
    format!(
        "{median}  ({} - {})",
        seconds(row.fastest()),
        seconds(row.slowest())
    )
}

fn colour(who: Who) -> &'static str {
    match who {
        Who::Tool(ZBUILD) => "#1a7f5a",
        Who::Tool(CARGO) => "#6e7781",
        Who::Tool(_) => "#d8a657",
        Who::Noop | Who::Copied | Who::Linked | Who::Restored => "#c4ccd4",
    }
}

// Writing to a string cannot fail.

fn text(out: &mut String, class: &str, x: f64, y: f64, text: &str) {
    let text = escaped(text);
    let _ = writeln!(
        out,
        r#"<text class="{class}" x="{x:.1}" y="{y:.1}">{text}</text>"#
    );
}

fn rect(out: &mut String, x: f64, y: f64, width: f64, fill: &str) {
    let _ = writeln!(
        out,
        r#"<rect x="{x:.1}" y="{y:.1}" width="{width:.1}" height="{BAR}" rx="2" fill="{fill}"/>"#
    );
}

fn line(out: &mut String, from: (f64, f64), to: (f64, f64), more: &str) {
    let ((x1, y1), (x2, y2)) = (from, to);
    let _ = writeln!(
        out,
        r##"<line x1="{x1:.1}" y1="{y1:.1}" x2="{x2:.1}" y2="{y2:.1}" stroke="#24292f" stroke-width="1.2"{more}/>"##
    );
}

fn escaped(text: &str) -> String {
    let text = text.replace('&', "&amp;");
    text.replace('<', "&lt;").replace('>', "&gt;")
}
