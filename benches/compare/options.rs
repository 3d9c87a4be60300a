//! The command line.

use std::path::{Path, PathBuf};

use clap::{Parser, ValueEnum};
use tempfile::TempDir;

use crate::Result;
use crate::peers::{PEERS, Peer};

/// A case, in the order in which they are run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Case {
    Cold,
    Noop,
    Touch,
    Newline,
    Flip,
    Edit,
    RmTarget,
    Second,
}

impl Case {
    pub const ALL: [Case; 8] = [
        Case::Cold,
        Case::Noop,
        Case::Touch,
        Case::Newline,
        Case::Flip,
        Case::Edit,
        Case::RmTarget,
        Case::Second,
    ];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Case::Cold => "cold",
            Case::Noop => "noop",
            Case::Touch => "touch",
            Case::Newline => "newline",
            Case::Flip => "flip",
            Case::Edit => "edit",
            Case::RmTarget => "rm-target",
            Case::Second => "second",
        }
    }

    /// What a reader is told.
    pub fn title(self) -> &'static str {
        match self {
            Case::Cold => "cold, empty cache",
            Case::Noop => "nothing changed",
            Case::Touch => "`touch` of the leaf",
            Case::Newline => "newline in the leaf, there and back",
            Case::Flip => "flip between two built states",
            Case::Edit => "a new edit of the leaf",
            Case::RmTarget => "`rm -rf target`, warm cache",
            Case::Second => "second checkout, warm cache",
        }
    }

    /// The cases whose times this one is compared with.
    fn needs(self) -> Option<Case> {
        (self == Case::Second).then_some(Case::RmTarget)
    }
}

/// Builds a workspace with plain cargo, cargo-zbuild and their peers, and
/// compares the times.
#[derive(Debug, Parser)]
#[command(name = "compare")]
pub struct Options {
    /// The workspace to build [default: tests/workspaces/large].
    #[arg(long, value_name = "DIR", requires = "package", requires = "leaf")]
    workspace: Option<PathBuf>,
    /// The package to build, one with a program [default: fbuild-cli].
    #[arg(long, value_name = "NAME")]
    package: Option<String>,
    /// The file to edit, relative to the workspace.
    #[arg(long, value_name = "FILE")]
    leaf: Option<PathBuf>,
    /// The constant to edit in it [default: its first one with a literal].
    #[arg(long, value_name = "NAME")]
    pub constant: Option<String>,
    /// Rounds of each case but the cold build.
    #[arg(long, value_name = "N", default_value_t = 5,
          value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..))]
    pub repeat: usize,
    /// Rounds of the cold build; peers do it once.
    #[arg(long, value_name = "N", default_value_t = 1,
          value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..))]
    pub cold: usize,
    /// No further round of a case after this long in one tool.
    #[arg(long, value_name = "SECONDS", default_value_t = 120)]
    pub limit: u32,
    /// The cases [default: all].
    #[arg(long, value_delimiter = ',')]
    cases: Vec<Case>,
    /// The peers, or `none` [default: all that are on PATH].
    #[arg(long, value_delimiter = ',')]
    peers: Vec<String>,
    /// Where the report goes.
    #[arg(long, value_name = "DIR", default_value = "target/compare")]
    pub out: PathBuf,
    /// Where to build [default: $ZBUILD_BENCH_DIR, else the temporary directory].
    #[arg(long, value_name = "DIR")]
    scratch: Option<PathBuf>,
    /// A toolchain of rustup [default: what the workspace asks for].
    #[arg(long, value_name = "T")]
    pub toolchain: Option<String>,
    /// Leave the built directories and the logs behind.
    #[arg(long)]
    keep: bool,
    /// Given by `cargo bench`.
    #[arg(long, hide = true)]
    bench: bool,
}

impl Options {
    /// The workspace to build.
    pub fn workspace(&self) -> &Path {
        let default = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/workspaces/large");
        self.workspace.as_deref().unwrap_or(Path::new(default))
    }

    /// The package to build.
    pub fn package(&self) -> &str {
        self.package.as_deref().unwrap_or("fbuild-cli")
    }

    /// The file to edit.
    pub fn leaf(&self) -> &Path {
        let default = Path::new("crates/fb-core-types/src/lib.rs");
        self.leaf.as_deref().unwrap_or(default)
    }

    /// Whether a case is to be reported, for itself or for another one.
    pub fn wants(&self, case: Case) -> bool {
        let mut asked = self.cases.iter();
        self.cases.is_empty() || asked.any(|c| *c == case || c.needs() == Some(case))
    }

    /// The peers that are to be run if they are there.
    pub fn peers(&self) -> Result<Vec<&'static Peer>> {
        if self.peers.is_empty() {
            return Ok(PEERS.iter().collect());
        }
        let named = self.peers.iter().filter(|name| *name != "none");
        named
            .map(|name| {
                let known = PEERS.iter().find(|peer| peer.name == name);
                known.ok_or_else(|| format!("no peer is called {name}").into())
            })
            .collect()
    }

    /// A new directory in which all is built.
    pub fn scratch(&self) -> Result<TempDir> {
        let given = self.scratch.clone();
        let given = given.or_else(|| std::env::var_os("ZBUILD_BENCH_DIR").map(PathBuf::from));
        let parent = given.unwrap_or_else(std::env::temp_dir);
        fs_err::create_dir_all(&parent)?;
        let mut builder = tempfile::Builder::new();
        builder.prefix("zbuild-compare-").disable_cleanup(self.keep);
        let scratch = builder.tempdir_in(fs_err::canonicalize(parent)?)?;
        eprintln!("building in {}", scratch.path().display());
        Ok(scratch)
    }
}
