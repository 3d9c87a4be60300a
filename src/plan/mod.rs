//! Decides, and writes nothing.
//!
//! Arguments, manifests and cargo's unit graph become a [`Plan`]: units with
//! keys. Inputs, the store's records and the state of the target directory
//! become a verdict for every unit, before anything is restored. This room
//! reads files and the store and starts cargo for planning; it never changes
//! the target directory, the store or a source file.

pub mod ask;
#[cfg(test)]
pub mod fixtures;
pub mod inputs;
pub mod kept;
pub mod key;
pub mod lookup;
pub mod make;
pub mod parts;
pub mod paths;
pub mod records;
pub mod state;
mod surroundings;
mod tools;
pub mod watch;

use camino::{Utf8Path, Utf8PathBuf};
use serde::{Deserialize, Serialize};

use crate::cargo::CargoError;
use crate::cargo::diagnostics::Named;
use crate::cargo::unit_graph::GraphUnit;
use crate::unit::{Action, Digest, UnitIndex};

/// Why there is no plan: plain cargo takes over.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// cargo refused or was not understood.
    #[error(transparent)]
    Cargo(#[from] CargoError),
    /// Something else about the surroundings.
    #[error("{0}")]
    Surroundings(String),
}

/// A build, unit by unit, as cargo would do it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Plan {
    /// The directories of this build.
    pub dirs: Dirs,
    /// cargo's minor version, as far as known.
    pub cargo_minor: Option<u32>,
    /// The profile directories that this build writes to.
    pub profile_dirs: Vec<String>,
    /// The units, every one after its dependencies.
    pub units: Vec<PlanUnit>,
    /// What cargo's last line calls that which is finished.
    pub finished: String,
    /// cargo's own warnings while planning, with colours.
    pub warnings: String,
    /// Whether rustc is called through a wrapper.
    pub wrapped: bool,
    /// What `[term]` in cargo's configuration says.
    pub term: Term,
    /// Whether `build.warnings` makes something else of warnings than to show
    /// them: cargo alone knows what then becomes of the build.
    pub judges_warnings: bool,
}

/// Settings of `[term]` that our output follows; the environment and the
/// command line go before them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Term {
    /// `term.quiet`.
    pub quiet: Option<bool>,
    /// `term.verbose`.
    pub verbose: Option<bool>,
    /// `term.color`.
    pub color: Option<String>,
    /// `term.progress.when`.
    pub progress: Option<String>,
}

/// The directories of a build.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dirs {
    /// The workspace root.
    pub workspace: Utf8PathBuf,
    /// cargo's build directory.
    pub build: Utf8PathBuf,
    /// cargo's target directory.
    pub target: Utf8PathBuf,
    /// `$CARGO_HOME`.
    pub cargo_home: Utf8PathBuf,
}

impl Dirs {
    /// Whether cargo never looks at the times of such a file: what lies in
    /// the registry and in git checkouts does not change (cargo:
    /// `find_stale_file`).
    pub fn is_immutable(&self, path: &Utf8Path) -> bool {
        ["registry", "git"]
            .iter()
            .any(|sub| paths::below(path, &self.cargo_home.join(sub)).is_some())
    }
}

/// One unit of a plan.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PlanUnit {
    /// What cargo's graph says. Its `dependencies` are cargo's indices; ours
    /// are in [`PlanUnit::deps`].
    pub graph: GraphUnit,
    /// How a person would name it: `serde 1.0.0 (lib)`.
    pub title: String,
    /// Package name.
    pub package: String,
    /// Package version.
    pub version: String,
    /// The package's directory.
    pub package_dir: Utf8PathBuf,
    /// The working directory of the compiler: sources are relative to it.
    pub compile_dir: Utf8PathBuf,
    /// Compile or run.
    pub action: Action,
    /// The static key, or why the unit has none.
    pub key: Result<Digest, String>,
    /// The units it depends on, in the order of cargo's edges.
    pub deps: Vec<UnitIndex>,
    /// Under which name the unit knows each of them, in the same order.
    pub dep_names: Vec<String>,
    /// Whether the command line asks for it.
    pub is_root: bool,
    /// Its place in cargo's own order.
    pub rank: usize,
    /// Whether cargo shows this unit's warnings (path packages).
    pub shows_warnings: bool,
    /// Whether files of it may be hard-linked from the store.
    pub linkable: bool,
    /// The fixed part of cargo's message about it.
    pub artifact_head: String,
    /// Its names in cargo's warnings.
    pub named: Named,
    /// Whether the package's files cannot change under the same key.
    pub external: bool,
}

impl PlanUnit {
    /// Whether cargo puts this unit's outputs beside the others in the target
    /// directory (cargo: `uplift_to`).
    pub fn is_uplifted(&self) -> bool {
        let target = &self.graph.target;
        let is = |kind: &str| target.kind.iter().any(|k| k == kind);
        self.graph.mode == "build"
            && !is("custom-build")
            && (is("bin") || target.crate_types.iter().any(|t| t == "dylib") || self.is_root)
    }

    /// Whether the build script of the package is run by this unit.
    pub fn is_run(&self) -> bool {
        self.action == Action::RunScript
    }
}
