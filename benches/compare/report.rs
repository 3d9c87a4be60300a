//! What was measured.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};

use crate::Result;
use crate::checkout::Size;
use crate::goals;
use crate::host::Host;
use crate::measure::Taken;
use crate::options::{Case, Options};
use crate::{markdown, svg};

/// Whose time it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Who {
    /// A tool that builds.
    Tool(&'static str),
    /// Plain cargo's no-op beside another case.
    Noop,
    /// `cp -a` of the target directory.
    Copied,
    /// `cp -al` of it.
    Linked,
    /// Our restore after `rm -rf target`, beside another case.
    Restored,
}

impl Who {
    /// The name that readers see.
    pub fn name(self) -> &'static str {
        match self {
            Who::Tool(name) => name,
            Who::Noop => "cargo's no-op",
            Who::Copied => "cp -a",
            Who::Linked => "cp -al",
            Who::Restored => "rm -rf target there",
        }
    }
}

/// The times of one tool in one case.
#[derive(Clone, Debug)]
pub struct Row {
    pub case: Case,
    pub who: Who,
    /// Wall times in seconds.
    pub wall: Vec<f64>,
    /// CPU times in seconds, as far as they are known.
    pub cpu: Vec<f64>,
    /// The most units that cargo-zbuild had to compile.
    pub compiled: Option<u64>,
}

impl Row {
    /// The median wall time.
    pub fn median(&self) -> f64 {
        median(&self.wall)
    }

    /// The shortest wall time.
    pub fn fastest(&self) -> f64 {
        self.wall.iter().copied().fold(f64::INFINITY, f64::min)
    }

    /// The longest wall time.
    pub fn slowest(&self) -> f64 {
        self.wall.iter().copied().fold(0.0, f64::max)
    }

    /// The median CPU time, if it is known.
    pub fn cpu(&self) -> Option<f64> {
        (!self.cpu.is_empty()).then(|| median(&self.cpu))
    }
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    if sorted.len() % 2 == 1 {
        sorted[middle]
    } else {
        f64::midpoint(sorted[middle - 1], sorted[middle])
    }
}

/// All that is known about a run.
pub struct Report {
    pub host: Host,
    pub workspace: String,
    pub package: String,
    pub repeat: usize,
    pub units: Option<u64>,
    pub versions: Vec<(&'static str, String)>,
    /// Peers that are not on PATH.
    pub absent: Vec<&'static str>,
    pub notes: Vec<String>,
    pub sizes: Vec<(&'static str, &'static str, Size)>,
    pub rows: Vec<Row>,
    wanted: Vec<Case>,
}

impl Report {
    /// A report without any figures.
    pub fn new(options: &Options, host: Host) -> Report {
        let workspace = options.workspace();
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let workspace = workspace.strip_prefix(root).unwrap_or(workspace);
        let all = Case::ALL.into_iter();
        Report {
            host,
            workspace: workspace.display().to_string(),
            package: options.package().to_owned(),
            repeat: options.repeat,
            units: None,
            versions: Vec::new(),
            absent: Vec::new(),
            notes: Vec::new(),
            sizes: Vec::new(),
            rows: Vec::new(),
            wanted: all.filter(|case| options.wants(*case)).collect(),
        }
    }

    /// What a program says its version is.
    pub fn version(&mut self, name: &'static str, said: &str) {
        let line = said.lines().next().unwrap_or_default();
        self.versions.push((name, line.trim().to_owned()));
    }

    /// Something that a reader must know, once.
    pub fn note(&mut self, note: &str) {
        eprintln!("note: {note}");
        if !self.notes.iter().any(|old| old == note) {
            self.notes.push(note.to_owned());
        }
    }

    /// The size of something.
    pub fn size(&mut self, name: &'static str, what: &'static str, size: Size) {
        self.sizes.retain(|old| (old.0, old.1) != (name, what));
        self.sizes.push((name, what, size));
    }

    /// A measured time.
    pub fn took(&mut self, case: Case, who: Who, taken: Taken, compiled: Option<u64>) {
        if !self.wanted.contains(&case) {
            return;
        }
        let found = self
            .rows
            .iter()
            .position(|row| (row.case, row.who) == (case, who));
        let at = found.unwrap_or_else(|| {
            self.rows.push(Row {
                case,
                who,
                wall: Vec::new(),
                cpu: Vec::new(),
                compiled: None,
            });
            self.rows.len() - 1
        });
        let row = &mut self.rows[at];
        row.wall.push(taken.wall);
        row.cpu.extend(taken.cpu);
        row.compiled = row.compiled.max(compiled);
    }

    /// The times of one tool in one case.
    pub fn row(&self, case: Case, who: Who) -> Option<&Row> {
        let mut rows = self.rows.iter();
        rows.find(|row| (row.case, row.who) == (case, who))
    }

    /// All times of one case.
    pub fn rows_of(&self, case: Case) -> impl Iterator<Item = &Row> {
        self.rows.iter().filter(move |row| row.case == case)
    }

    /// The tools that have any time, in the order in which they came.
    pub fn tools(&self) -> Vec<&'static str> {
        let mut tools = Vec::new();
        for row in &self.rows {
            if let Who::Tool(name) = row.who
                && !tools.contains(&name)
            {
                tools.push(name);
            }
        }
        tools
    }

    /// The seconds that one tool has spent in one case.
    pub fn spent(&self, case: Case, who: Who) -> f64 {
        self.row(case, who).map_or(0.0, |row| row.wall.iter().sum())
    }

    /// The report as Markdown.
    pub fn markdown(&self) -> String {
        markdown::render(self)
    }

    /// Writes the report in all forms.
    pub fn write(&self, dir: &Path) -> Result<()> {
        fs_err::create_dir_all(dir)?;
        let json = serde_json::to_string_pretty(&self.json())?;
        fs_err::write(dir.join("compare.json"), json + "\n")?;
        fs_err::write(dir.join("compare.svg"), svg::render(self))?;
        Ok(fs_err::write(dir.join("compare.md"), self.markdown())?)
    }

    fn json(&self) -> Value {
        let rows = self.rows.iter().map(|row| {
            json!({
                "case": row.case.name(),
                "who": row.who.name(),
                "median": row.median(),
                "min": row.fastest(),
                "max": row.slowest(),
                "wall": row.wall,
                "cpu": row.cpu,
                "compiled": row.compiled,
            })
        });
        let goals = goals::of(self).into_iter().map(|goal| {
            json!({
                "case": goal.case.name(),
                "what": goal.what,
                "ratio": goal.ratio,
                "goal": goal.limit,
                "met": goal.met,
            })
        });
        let sizes = self.sizes.iter().map(|(name, what, size)| {
            json!({ "who": name, "what": what, "files": size.files, "bytes": size.bytes })
        });
        let versions: BTreeMap<_, _> = self.versions.iter().cloned().collect();
        json!({
            "host": self.host,
            "workspace": self.workspace,
            "package": self.package,
            "repeat": self.repeat,
            "units": self.units,
            "versions": versions,
            "not_on_path": self.absent,
            "times": rows.collect::<Vec<_>>(),
            "goals": goals.collect::<Vec<_>>(),
            "sizes": sizes.collect::<Vec<_>>(),
            "notes": self.notes,
        })
    }
}
