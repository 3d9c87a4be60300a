//! The record of a unit: the variants of it that were built.
//!
//! A variant is self-contained and portable: paths are rooted, environment
//! values are digests, and what it needs lies in blobs. A record of another
//! version, or one that cannot be decoded, counts as none.

use serde::{Deserialize, Serialize};

use super::blobs::Blob;
use super::format::{self, Magic};
use crate::unit::{Digest, Role, RootedPath};

/// Begins every encoded record; the digit is its version.
const RECORD: &Magic = b"ZBR2";

/// Begins every encoded pack.
const PACK: &Magic = b"ZBP1";

/// One build of a unit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Variant {
    /// Digest of all that dependents can see of it.
    pub output: Digest,
    /// Where it was built.
    pub home: Home,
    /// Set when something in it names its home where a program could see it;
    /// the text says what. It is then never used elsewhere.
    pub bound: Option<String>,
    /// Set when it may have been built from something that nobody recorded (a
    /// proc macro that reads files); the text says what. It is never restored.
    pub unknown_inputs: Option<String>,
    /// Its input files, as they were.
    pub inputs: Vec<Input>,
    /// The outer environment variables it was built with, values digested.
    pub env: Vec<(String, Option<Digest>)>,
    /// The outputs of its dependencies, in the order of the unit's edges.
    pub deps: Vec<Digest>,
    /// Large files, each a blob of its own.
    pub files: Vec<StoredFile>,
    /// The small files, together in one blob (see [`Packed`]).
    pub pack: Blob,
    /// Files in the order of cargo's message, as they are before uplifting,
    /// below the build directory.
    pub filenames: Vec<String>,
    /// Whether the first of them is an executable, to cargo.
    pub executable: bool,
    /// How long cargo took for it, in milliseconds.
    pub build_ms: u64,
    /// When it was recorded, in seconds since 1970.
    pub recorded: u64,
    /// cargo once built this unit although we had restored this variant.
    pub distrusted: bool,
}

/// The directories in which a variant was built.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Home {
    /// The workspace root.
    pub workspace: String,
    /// The build directory.
    pub build: String,
}

/// An input of a unit, and what it was.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Input {
    /// Where it is.
    pub path: RootedPath,
    /// What is compared.
    pub kind: InputKind,
    /// Its digest then.
    pub digest: Digest,
}

/// What of an input counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum InputKind {
    /// The content of a file.
    File,
    /// The names and contents of everything below a directory.
    Tree,
    /// The same with times: what cargo's fingerprint of a whole package holds.
    Package,
    /// That there is no such file: `a.rs` beside `a/mod.rs` would be an error.
    Absent,
    /// The names of the libraries in a directory that the linker searches; a
    /// directory that is not there has none.
    Libraries,
}

/// A large file of a unit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredFile {
    /// Below the build directory, with `/` between components.
    pub path: String,
    /// What it is.
    pub role: Role,
    /// Whether it may be executed.
    pub executable: bool,
    /// Its content.
    pub blob: Blob,
}

/// The small files of a variant.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Packed {
    /// Files below the build directory, in the order of their roles.
    pub files: Vec<PackedFile>,
    /// Directories of a build script's `OUT_DIR`: some may be empty.
    pub directories: Vec<String>,
    /// cargo's message about a build script's run, as JSON with rooted paths.
    pub script: Option<Vec<u8>>,
    /// The files that cargo puts beside the others in the target directory;
    /// none if the unit was not uplifted when it was recorded.
    pub uplifted: Option<Vec<UpliftedFile>>,
}

/// A file that cargo uplifts, or the dep-info that it writes beside one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UpliftedFile {
    /// Below the target directory.
    pub path: String,
    /// The unit's file below the build directory; none for dep-info.
    pub from: Option<String>,
    /// The text of dep-info, with rooted paths.
    pub text: Vec<u8>,
}

/// A small file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackedFile {
    /// Below the build directory.
    pub path: String,
    /// What it is.
    pub role: Role,
    /// Its content; for [`Role::Text`] with rooted paths.
    pub content: Vec<u8>,
}

impl Variant {
    /// Whether both record the same build: then only the newer is kept.
    pub fn same_build(&self, other: &Variant) -> bool {
        self.output == other.output
            && self.inputs == other.inputs
            && self.env == other.env
            && self.deps == other.deps
            && (self.bound.is_none() || self.home == other.home)
            && self.bound.is_some() == other.bound.is_some()
    }
}

/// Encodes a record.
pub fn encode(variants: &[Variant]) -> Vec<u8> {
    format::encode(RECORD, variants)
}

/// Decodes a record; none when it is of another version or damaged.
pub fn decode(bytes: &[u8]) -> Option<Vec<Variant>> {
    format::decode(RECORD, bytes)
}

/// Encodes a pack.
pub fn encode_pack(pack: &Packed) -> Vec<u8> {
    format::encode(PACK, pack)
}

/// Decodes a pack; none when it is of another version or damaged.
pub fn decode_pack(bytes: &[u8]) -> Option<Packed> {
    format::decode(PACK, bytes)
}
