//! The vocabulary: units, keys, digests, verdicts.
//!
//! Every other room speaks in these words. Nothing here touches a file, a
//! process or a clock; a type belongs here only if at least two rooms need it.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A blake3 digest of some content, or of the parts of a key.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Digest(pub [u8; 32]);

impl Digest {
    /// The digest of one run of bytes.
    pub fn of(bytes: &[u8]) -> Digest {
        Digest(*blake3::hash(bytes).as_bytes())
    }

    /// Lower-case hexadecimal, 64 characters.
    pub fn hex(&self) -> String {
        blake3::Hash::from_bytes(self.0).to_hex().to_string()
    }

    /// Reads what [`Digest::hex`] writes.
    pub fn from_hex(hex: &str) -> Option<Digest> {
        let hash = blake3::Hash::from_hex(hex).ok()?;
        Some(Digest(*hash.as_bytes()))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.hex()[..12])
    }
}

/// Collects the named parts of a key, each with its length, so that no two
/// lists of parts can hash alike by running into each other.
#[derive(Default)]
pub struct KeyHasher(blake3::Hasher);

impl KeyHasher {
    /// An empty hasher for keys of the given kind (a domain separator).
    pub fn new(domain: &str) -> KeyHasher {
        let mut hasher = KeyHasher::default();
        hasher.part("domain", domain.as_bytes());
        hasher
    }

    /// Adds one named part.
    pub fn part(&mut self, name: &str, value: &[u8]) -> &mut KeyHasher {
        for bytes in [name.as_bytes(), value] {
            self.0.update(&(bytes.len() as u64).to_le_bytes());
            self.0.update(bytes);
        }
        self
    }

    /// The digest of all parts so far.
    pub fn finish(&self) -> Digest {
        Digest(*self.0.finalize().as_bytes())
    }
}

/// The position of a unit in a plan. Dependencies always come first, so that
/// walking a plan from the front meets every unit after what it depends on.
pub type UnitIndex = usize;

/// Which directory a stored path starts from, so that one record serves a
/// target directory or a checkout at another place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Root {
    /// The workspace root.
    Workspace,
    /// cargo's `build-dir`, where intermediate files live.
    Build,
    /// cargo's target directory, where final artifacts live.
    Target,
    /// No root: an absolute path.
    Absolute,
}

/// A path below a [`Root`], with `/` between components.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RootedPath {
    /// Where the path starts.
    pub root: Root,
    /// The path below the root, or the whole path for [`Root::Absolute`].
    pub path: String,
}

/// What a file of a unit is to cargo, which decides how it is stored and put
/// back. In this order a unit's files are restored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Role {
    /// An rlib or rmeta: rustc replaces it, never writes into it.
    Library,
    /// Any other output: executables, shared libraries, `OUT_DIR` contents.
    Output,
    /// A text with absolute paths of this build in it (`.d` files, a build
    /// script's stdout, stderr and `root-output`).
    Text,
    /// cargo's records of the unit: cached diagnostics, the fingerprint's
    /// details.
    Record,
    /// cargo's encoded dep-info; its time is compared with the inputs' times.
    DepInfo,
    /// The fingerprint itself: it makes cargo call the unit fresh, so it is
    /// restored last.
    Fingerprint,
}

impl Role {
    /// Whether the file is small and kept in the variant's pack, not as a blob
    /// of its own.
    pub fn is_packed(self) -> bool {
        match self {
            Role::Library | Role::Output => false,
            Role::Text | Role::Record | Role::DepInfo | Role::Fingerprint => true,
        }
    }
}

/// What cargo does with a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Action {
    /// rustc compiles it.
    Compile,
    /// A build script is run.
    RunScript,
    /// Something that we do not cache (rustdoc, doc tests).
    Other,
}

/// Why a unit cannot be reused. Every miss has one; `explain` and the JSON
/// reports print [`MissReason::code`] and the `Display` text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum MissReason {
    /// The store has no record of this unit under its static key.
    NeverSeen,
    /// A dependency has to be built, so its output is not known yet.
    Dependency(String),
    /// A dependency was built with other bytes than each recorded variant used.
    DependencyBytes(String),
    /// An input file differs from every recorded variant.
    Input(String),
    /// An environment variable differs from every recorded variant.
    Env(String),
    /// The only matching variants carry another directory's path inside.
    Bound(String),
    /// The blob of a matching variant is missing or damaged.
    Damaged(String),
    /// cargo compiled a unit that we had restored from this record before.
    Quarantined,
    /// We never cache this kind of unit; the text says why.
    Uncacheable(String),
}

impl MissReason {
    /// A short stable name for reports and statistics.
    pub fn code(&self) -> &'static str {
        match self {
            MissReason::NeverSeen => "never_seen",
            MissReason::Dependency(_) => "dependency",
            MissReason::DependencyBytes(_) => "dependency_bytes",
            MissReason::Input(_) => "input",
            MissReason::Env(_) => "env",
            MissReason::Bound(_) => "bound",
            MissReason::Damaged(_) => "damaged",
            MissReason::Quarantined => "quarantined",
            MissReason::Uncacheable(_) => "uncacheable",
        }
    }
}

impl fmt::Display for MissReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MissReason::NeverSeen => f.write_str("not in the cache"),
            MissReason::Dependency(name) => write!(f, "depends on {name}, which must be built"),
            MissReason::DependencyBytes(name) => {
                write!(f, "recorded against other bytes of {name}")
            }
            MissReason::Input(path) => write!(f, "{path} changed"),
            MissReason::Env(name) => write!(f, "environment variable {name} changed"),
            MissReason::Bound(why) => write!(f, "bound to another directory: {why}"),
            MissReason::Damaged(what) => write!(f, "damaged in the cache: {what}"),
            MissReason::Quarantined => {
                f.write_str("set aside because cargo once found it not fresh")
            }
            MissReason::Uncacheable(why) => write!(f, "not cached: {why}"),
        }
    }
}

/// What becomes of a unit in this build.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verdict {
    /// The target directory already holds what belongs there.
    InPlace,
    /// The cache holds it; it is restored.
    Hit,
    /// cargo has to build it.
    Miss(MissReason),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_do_not_run_into_each_other() {
        let one = KeyHasher::new("t").part("ab", b"c").finish();
        let two = KeyHasher::new("t").part("a", b"bc").finish();
        assert_ne!(one, two);
    }

    #[test]
    fn order_and_domain_count() {
        let ab = KeyHasher::new("t").part("a", b"").part("b", b"").finish();
        let ba = KeyHasher::new("t").part("b", b"").part("a", b"").finish();
        assert_ne!(ab, ba);
        assert_ne!(
            KeyHasher::new("t").finish(),
            KeyHasher::new("u").finish(),
            "the domain is part of the key"
        );
    }
}
