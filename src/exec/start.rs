//! When a build starts cargo.

/// When cargo is started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// When something is missing.
    IfNeeded,
    /// Always, and so that it tells what it builds (`--timings=VALUE`).
    Always,
    /// Always, and what was reused is read again when it has ended.
    Verify,
    /// When something is missing, to build it, and then again by the caller
    /// for the verb itself, which runs tests or a program.
    BeforeVerb,
    /// The same, but building and the verb itself are one run (`doc`).
    WithVerb,
}

impl Start {
    /// Whether cargo is started although nothing is missing.
    pub fn is_always(self) -> bool {
        matches!(self, Start::Always | Start::Verify)
    }

    /// Whether the caller starts cargo for the verb itself.
    pub fn is_callers(self) -> bool {
        matches!(self, Start::BeforeVerb | Start::WithVerb)
    }
}
