//! Tables, colours and progress for people.

use comfy_table::{presets, ContentArrangement, Table};
use fb_core_types::{Name, RELEASE_NAME};
use fb_events::{Event, EventKind};
use fb_packages::Release;
use indicatif::{HumanBytes, ProgressBar, ProgressStyle};
use itertools::Itertools;
use owo_colors::OwoColorize;

pub struct Reporter {
    color: bool,
    width: u16,
}

impl Reporter {
    pub fn new(color: bool) -> Self {
        let width = crossterm::terminal::size().map_or(80, |(columns, _)| columns.max(40));
        Self { color, width }
    }

    fn table(&self, header: &[&str]) -> Table {
        let mut table = Table::new();
        table
            .load_preset(presets::NOTHING)
            .set_content_arrangement(ContentArrangement::Dynamic)
            .set_width(self.width)
            .set_header(header);
        table
    }

    pub fn title(&self, text: &str) -> String {
        if self.color {
            format!("{}", text.bold().cyan())
        } else {
            text.to_owned()
        }
    }

    pub fn packages(&self, releases: &[&Release]) -> String {
        let mut table = self.table(&["package", "version", "size"]);
        for release in releases {
            let size = HumanBytes(release.size).to_string();
            table.add_row([release.name.to_string(), release.version.to_string(), size]);
        }
        table.trim_fmt()
    }

    pub fn rows(&self, header: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
        let mut table = self.table(header);
        table.add_rows(rows);
        table.trim_fmt()
    }

    /// `2 failed, 5 finished`, the worst first.
    pub fn summary(&self, events: &[Event]) -> String {
        let counts = events.iter().counts_by(|event| event.kind);
        [EventKind::Failed, EventKind::Finished, EventKind::Started]
            .into_iter()
            .filter_map(|kind| Some(format!("{} {}", counts.get(&kind)?, kind.label())))
            .join(", ")
    }
}

/// A bar on standard error, hidden when that is not a terminal.
pub fn progress(steps: &[Name]) -> ProgressBar {
    let style = ProgressStyle::with_template("{prefix} [{bar:30}] {pos}/{len} {msg}")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(steps.len() as u64).with_style(style).with_prefix(RELEASE_NAME)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_have_a_line_per_row() {
        let text = Reporter::new(false).rows(&["a", "b"], [vec!["1".into(), "2".into()]]);
        assert_eq!(text.lines().count(), 2);
    }
}
