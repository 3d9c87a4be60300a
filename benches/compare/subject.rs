//! What is built: a workspace, a program of it, and the states of one file.

use std::path::{Path, PathBuf};

use cargo_metadata::{Metadata, TargetKind};

use crate::Result;
use crate::checkout::copy_tree;
use crate::options::Options;
use crate::tools::Tool;

/// A state of the leaf.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// As it came.
    Base,
    /// With a newline at its end.
    Newline,
    /// With another constant.
    Edit(u32),
}

/// The workspace, as all checkouts begin.
pub struct Subject {
    /// A copy of the workspace that is never built.
    pub source: PathBuf,
    /// The package that is built.
    pub package: String,
    /// The name of its program.
    pub program: String,
    /// The file that is edited, relative to the workspace.
    pub leaf: PathBuf,
    /// Its text.
    base: String,
    /// What an edit changes.
    knob: Knob,
}

/// Where and how the leaf is edited.
#[derive(Debug, PartialEq, Eq)]
enum Knob {
    /// The end of a string literal.
    Text { at: usize },
    /// An integer literal.
    Number { from: usize, to: usize, was: u64 },
    /// There is no constant: one is appended, which nobody uses.
    Append,
}

impl Subject {
    /// Copies the workspace, downloads what it needs, and looks at it.
    pub fn prepare(options: &Options, cargo: &Tool, scratch: &Path) -> Result<Subject> {
        let source = scratch.join("source");
        copy_tree(options.workspace(), &source)?;
        let metadata = cargo.ask(&source, &["metadata", "--format-version", "1"])?;
        let metadata: Metadata = serde_json::from_str(&metadata)?;
        let program = program(&metadata, options.package())?;
        let leaf = options.leaf().to_owned();
        let base = fs_err::read_to_string(source.join(&leaf))?;
        let knob = Knob::find(&base, options.constant.as_deref())?;
        let sysroot = cargo.ask_rustc(&source, &["--print", "sysroot"])?;
        read_all(Path::new(sysroot.trim()));
        for package in &metadata.packages {
            if let Some(dir) = package.manifest_path.parent() {
                read_all(dir.as_std_path());
            }
        }
        Ok(Subject {
            source,
            package: options.package().to_owned(),
            program,
            leaf,
            base,
            knob,
        })
    }

    /// The text of the leaf in a state.
    pub fn text(&self, state: State) -> String {
        let base = &self.base;
        match state {
            State::Base => base.clone(),
            State::Newline => format!("{base}\n"),
            State::Edit(n) => self.knob.turn(base, n),
        }
    }

    /// Whether an edit is made where a program can show it.
    pub fn edits_a_constant(&self) -> bool {
        self.knob != Knob::Append
    }
}

impl Knob {
    /// The first `const NAME: T = LITERAL;` that stands in one line.
    fn find(text: &str, name: Option<&str>) -> Result<Knob> {
        let mut at = 0;
        for line in text.split_inclusive('\n') {
            if let Some(knob) = Knob::in_line(line, at, name) {
                return Ok(knob);
            }
            at += line.len();
        }
        match name {
            Some(name) => Err(format!("no `const {name}: .. = LITERAL;` in the leaf").into()),
            None => Ok(Knob::Append),
        }
    }

    fn in_line(line: &str, at: usize, name: Option<&str>) -> Option<Knob> {
        let code = line.trim_start();
        let code = code.strip_prefix("pub ").unwrap_or(code);
        let rest = code.strip_prefix("const ")?;
        let (found, _) = rest.split_once(':')?;
        if name.is_some_and(|name| name != found.trim()) {
            return None;
        }
        let from = line.find(" = ")? + " = ".len();
        let literal = line[from..].trim_end().strip_suffix(';')?;
        let to = from + literal.len();
        if literal.len() >= 2 && literal.starts_with('"') && literal.ends_with('"') {
            return Some(Knob::Text { at: at + to - 1 });
        }
        let was = literal.parse().ok()?;
        let (from, to) = (at + from, at + to);
        Some(Knob::Number { from, to, was })
    }

    /// The text with the n-th edit.
    fn turn(&self, base: &str, n: u32) -> String {
        match *self {
            Knob::Text { at } => format!("{}-{n}{}", &base[..at], &base[at..]),
            Knob::Number { from, to, was } => {
                let step = u64::from(n) + 1;
                // Nothing that a small type cannot hold.
                let value = if was < step { was + step } else { was - step };
                format!("{}{value}{}", &base[..from], &base[to..])
            }
            Knob::Append => format!(
                "{base}\n/// The state of a benchmark.\npub const ZBUILD_COMPARE_STATE: u32 = {n};\n"
            ),
        }
    }
}

/// The name of a package's program.
fn program(metadata: &Metadata, package: &str) -> Result<String> {
    let members = metadata.workspace_packages();
    let found = members.iter().find(|p| p.name.as_str() == package);
    let found = found.ok_or_else(|| format!("{package} is no member of the workspace"))?;
    if let Some(name) = &found.default_run {
        return Ok(name.clone());
    }
    let mut targets = found.targets.iter();
    let bin = targets.find(|target| target.kind.contains(&TargetKind::Bin));
    let bin = bin.ok_or_else(|| format!("{package} has no program"))?;
    Ok(bin.name.clone())
}

/// Brings a directory into the page cache, as far as it can be read.
fn read_all(dir: &Path) {
    let files = walkdir::WalkDir::new(dir).into_iter().flatten();
    for file in files.filter(|entry| entry.file_type().is_file()) {
        if let Ok(mut file) = fs_err::File::open(file.path()) {
            let _ = std::io::copy(&mut file, &mut std::io::sink());
        }
    }
}
