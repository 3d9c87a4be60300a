//! What is remembered from one build to the next.
//!
//! One small file per invocation holds the plan, what it rests on, and what
//! the target directory held at the end: a warm build reads it, looks at the
//! files that it names, and starts nothing. A state that is missing, damaged
//! or of another version is made anew.

use std::collections::HashMap;

use camino::Utf8PathBuf;
use serde::{Deserialize, Serialize};

use super::inputs::Stamp;
use super::watch::Watch;
use super::{Dirs, Plan};
use crate::cache::blobs::STORED_TIME;
use crate::cache::record::InputKind;
use crate::cargo::messages::Script;
use crate::unit::{Digest, KeyHasher, Role};

/// Begins every state file; the digit is its version.
const MAGIC: &[u8; 4] = b"ZBS2";

/// Everything remembered of one invocation.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct State {
    /// The plan.
    pub plan: Plan,
    /// What the plan rests on.
    pub watches: Vec<Watch>,
    /// Digests of input files by stamp.
    pub digests: HashMap<Utf8PathBuf, (Stamp, Digest)>,
    /// What is in place, unit by unit as in the plan; none where that is not
    /// known.
    pub units: Vec<Option<UnitState>>,
}

/// What is in place in one build directory, whatever the arguments were:
/// states of units by static key. Builds with different arguments share units.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Shared {
    /// The units.
    pub units: HashMap<Digest, UnitState>,
}

impl Shared {
    /// The name under which the table of a build directory is kept.
    pub fn name(dirs: &Dirs) -> Digest {
        let mut hasher = KeyHasher::new("shared");
        hasher
            .part("build", dirs.build.as_str().as_bytes())
            .part("target", dirs.target.as_str().as_bytes())
            .part("workspace", dirs.workspace.as_str().as_bytes());
        hasher.finish()
    }

    /// Encodes the table.
    pub fn encode(&self) -> Vec<u8> {
        postcard::to_extend(self, MAGIC.to_vec()).unwrap_or_default()
    }

    /// Decodes a table; an empty one when it is of another version or damaged.
    pub fn decode(bytes: &[u8]) -> Shared {
        let body = bytes.strip_prefix(MAGIC);
        body.and_then(|body| postcard::from_bytes(body).ok())
            .unwrap_or_default()
    }
}

/// A unit as it was left in the target directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnitState {
    /// Digest of all that dependents see of it.
    pub output: Digest,
    /// How long cargo took for it, in milliseconds.
    pub build_ms: u64,
    /// It may have been built from something that nobody recorded.
    pub unknown_inputs: bool,
    /// Its inputs with the digests it was built from.
    pub inputs: Vec<(Utf8PathBuf, InputKind, Digest)>,
    /// The variables it was built with.
    pub env: Vec<(String, Option<Digest>)>,
    /// Its files.
    pub files: Vec<SeenFile>,
    /// Its uplifted files.
    pub uplifted: Vec<Uplifted>,
    /// Files in the order of cargo's message, below the build directory.
    pub filenames: Vec<String>,
    /// Whether the first of them is an executable, to cargo.
    pub executable: bool,
    /// cargo's message about a build script's run.
    pub script: Option<Script>,
    /// The build script's own warnings; true marks an error.
    pub script_messages: Vec<(bool, String)>,
    /// rustc's diagnostics, as cargo caches them.
    pub diagnostics: String,
}

/// A file of a unit, as it was last seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeenFile {
    /// Below the build directory.
    pub path: String,
    /// What it is.
    pub role: Role,
    /// Its size.
    pub size: u64,
    /// Its time, nanoseconds since 1970.
    pub modified: i64,
    /// Its inode: files with the stored time look alike otherwise.
    pub inode: u64,
}

/// A file that cargo puts beside the others in the target directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Uplifted {
    /// Where it is.
    pub path: Utf8PathBuf,
    /// The unit's file that it is a link of, below the build directory; none
    /// for a dep-info file that cargo writes there.
    pub from: Option<String>,
    /// The text of such a dep-info file.
    pub text: Vec<u8>,
    /// Its size.
    pub size: u64,
    /// Its time.
    pub modified: i64,
}

impl SeenFile {
    /// Whether cargo's or our own verdict depends on this file: everything but
    /// what is only there for people and other tools.
    pub fn counts(&self, is_run: bool) -> bool {
        match self.role {
            Role::Library | Role::Output | Role::DepInfo | Role::Fingerprint => true,
            Role::Text => is_run,
            Role::Record => false,
        }
    }

    /// Whether it is still as it was.
    pub fn is_in_place(&self, dirs: &Dirs) -> bool {
        Stamp::of(&dirs.build.join(&self.path)).is_ok_and(|now| {
            now.size == self.size && now.modified == self.modified && now.inode == self.inode
        })
    }
}

impl Uplifted {
    /// Whether it is still as it was.
    pub fn is_in_place(&self) -> bool {
        Stamp::of(&self.path)
            .is_ok_and(|now| now.size == self.size && now.modified == self.modified)
    }
}

impl UnitState {
    /// Whether all its outputs have the stored time, so that nothing which
    /// rests on it can be too old.
    pub fn is_old(&self) -> bool {
        let stored = STORED_TIME.saturating_mul(1_000_000_000);
        let is_run = self.script.is_some();
        let outputs = self.files.iter().filter(|file| match file.role {
            Role::Library | Role::Output => true,
            Role::Text => is_run,
            Role::Record | Role::DepInfo | Role::Fingerprint => false,
        });
        outputs.into_iter().all(|file| file.modified <= stored)
    }

    /// Whether all files that count are as they were left.
    pub fn is_in_place(&self, dirs: &Dirs) -> bool {
        let is_run = self.script.is_some();
        let mut files = self.files.iter().filter(|file| file.counts(is_run));
        files.all(|file| file.is_in_place(dirs))
    }
}

/// Encodes a state.
pub fn encode(state: &State) -> Vec<u8> {
    // Encoding into memory has nothing to fail on.
    postcard::to_extend(state, MAGIC.to_vec()).unwrap_or_default()
}

/// Decodes a state; none when it is of another version, damaged, or does not
/// fit together.
pub fn decode(bytes: &[u8]) -> Option<State> {
    let state: State = postcard::from_bytes(bytes.strip_prefix(MAGIC)?).ok()?;
    let count = state.plan.units.len();
    let ordered = |(at, unit): (usize, &super::PlanUnit)| unit.deps.iter().all(|&dep| dep < at);
    let fits = state.units.len() == count && state.plan.units.iter().enumerate().all(ordered);
    fits.then_some(state)
}
