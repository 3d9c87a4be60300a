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
use super::{Dirs, Plan, kept};
use crate::cache::blobs::STORED_TIME;
use crate::cache::collect::Tidied;
use crate::cache::format::{self, Magic};
use crate::cache::record::InputKind;
use crate::cargo::messages::Script;
use crate::unit::{Digest, KeyHasher, Role};

/// Begins every state; the digit is its version.
pub const STATE: &Magic = b"ZBS7";

/// Begins every table of a build directory.
pub const TABLE: &Magic = b"ZBT5";

/// Everything remembered of one invocation.
#[derive(Clone, Debug)]
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
    /// The directories; none in a new table.
    pub dirs: Option<Dirs>,
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
        format::encode_checked(TABLE, self)
    }

    /// Decodes a table; an empty one when it is of another version or damaged.
    pub fn decode(bytes: &[u8]) -> Shared {
        Shared::read(bytes).unwrap_or_default()
    }

    fn read(bytes: &[u8]) -> Option<Shared> {
        format::decode_checked(TABLE, bytes)
    }
}

/// A unit as it was left in the target directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnitState {
    /// Digest of all that dependents see of it.
    pub output: Digest,
    /// The outputs of its dependencies that it was built against. What is in
    /// place of them now may be another build's, made with other arguments.
    pub deps: Vec<Digest>,
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

    /// Whether an output of a dependency is newer than all of its own (cargo:
    /// `check_filesystem`). Of a library that others are compiled against it is
    /// the rmeta that counts: its rlib may be written while they are compiled.
    pub fn is_behind(&self, dep: &UnitState) -> bool {
        let is_rmeta = |file: &&SeenFile| file.path.ends_with(".rmeta");
        let compiled_against = self.outputs().any(|file| is_rmeta(&file));
        let rmeta = dep.outputs().find(is_rmeta).filter(|_| compiled_against);
        let newest = |files: &mut dyn Iterator<Item = &SeenFile>| files.map(|f| f.modified).max();
        let theirs = rmeta.map_or_else(|| newest(&mut dep.outputs()), |file| Some(file.modified));
        newest(&mut self.outputs()).is_some_and(|own| theirs > Some(own))
    }

    /// What cargo takes the unit's age from.
    fn outputs(&self) -> impl Iterator<Item = &SeenFile> {
        let is_run = self.script.is_some();
        self.files.iter().filter(move |file| match file.role {
            Role::Library | Role::Output => !is_run,
            Role::Text => is_run && is_stdout(&file.path),
            Role::Record | Role::DepInfo | Role::Fingerprint => false,
        })
    }

    /// Whether all files that count are as they were left.
    pub fn is_in_place(&self, dirs: &Dirs) -> bool {
        let is_run = self.script.is_some();
        let mut files = self.files.iter().filter(|file| file.counts(is_run));
        files.all(|file| file.is_in_place(dirs))
    }
}

/// Whether this is what a build script printed, in either layout.
fn is_stdout(path: &str) -> bool {
    path.ends_with("/output") || path.ends_with("/run/stdout")
}

/// What becomes of a remembered state in a collection: it goes with the
/// workspace that it is about, and a table loses the units that are no longer
/// in the build directory. What cannot be read may be another version's: it
/// goes by age.
pub fn tidy(bytes: &[u8]) -> Tidied {
    if let Some(state) = decode(bytes) {
        return match state.plan.dirs.workspace.is_dir() {
            true => Tidied::Keep,
            false => Tidied::Drop,
        };
    }
    let mut shared = Shared::decode(bytes);
    let Some(dirs) = shared.dirs.clone() else {
        return Tidied::Keep;
    };
    let count = shared.units.len();
    shared.units.retain(|_, unit| {
        let mut files = unit.files.iter();
        let fingerprint = files.find(|file| file.role == Role::Fingerprint);
        fingerprint.is_some_and(|file| dirs.build.join(&file.path).exists())
    });
    if shared.units.is_empty() {
        Tidied::Drop
    } else if shared.units.len() < count {
        Tidied::Replace(shared.encode())
    } else {
        Tidied::Keep
    }
}

/// Whether a remembered state or table can be read, or is none of this version.
pub fn is_sound(bytes: &[u8]) -> bool {
    let ours = [STATE, TABLE, kept::MAGIC];
    let is_ours = ours.iter().any(|&magic| bytes.starts_with(magic));
    let is_whole =
        decode(bytes).is_some() || Shared::read(bytes).is_some() || kept::is_sound(bytes);
    is_whole || (!is_ours && bytes.starts_with(b"ZB"))
}

/// Encodes a state.
pub fn encode(state: &State) -> Vec<u8> {
    let State {
        plan,
        watches,
        digests,
        units,
    } = state;
    format::encode_pair(STATE, &(plan, watches), &(digests, units))
}

/// Decodes a state; none when it is of another version, damaged, or does not
/// fit together.
pub fn decode(bytes: &[u8]) -> Option<State> {
    let ((plan, watches), (digests, units)) = format::decode_pair(STATE, bytes)?;
    let state = State {
        plan,
        watches,
        digests,
        units,
    };
    fits(&state).then_some(state)
}

/// Whether the parts of a state fit together: indices stay inside, and
/// dependencies come first.
fn fits(state: &State) -> bool {
    let count = state.plan.units.len();
    let ordered = |(at, unit): (usize, &super::PlanUnit)| unit.deps.iter().all(|&dep| dep < at);
    state.units.len() == count && state.plan.units.iter().enumerate().all(ordered)
}
