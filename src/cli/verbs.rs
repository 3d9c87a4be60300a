//! cargo's verbs that we plan. Every other one is handed to cargo.

/// A name under which `cargo zbuild` knows a verb.
pub struct Verb {
    /// As it is typed.
    pub name: &'static str,
    /// cargo's subcommand.
    pub verb: &'static str,
    /// What it does.
    pub about: &'static str,
}

const fn verb(name: &'static str, verb: &'static str, about: &'static str) -> Verb {
    Verb { name, verb, about }
}

/// All names, cargo's own short ones included.
pub const VERBS: &[Verb] = &[
    verb("build", "build", "Build packages (the default)"),
    verb("check", "check", "Check packages for errors"),
    verb("test", "test", "Build and run tests"),
    verb("run", "run", "Build and run a program"),
    verb("bench", "bench", "Build and run benchmarks"),
    verb("clippy", "clippy", "Lint packages"),
    verb("doc", "doc", "Build documentation"),
    verb(
        "rustc",
        "rustc",
        "Build with additional arguments for rustc",
    ),
    verb("b", "build", "Build packages"),
    verb("c", "check", "Check packages for errors"),
    verb("t", "test", "Build and run tests"),
    verb("r", "run", "Build and run a program"),
    verb("d", "doc", "Build documentation"),
];

impl Verb {
    /// Whether this is no short name.
    pub fn is_full_name(&self) -> bool {
        self.name == self.verb
    }
}

/// The verb of this name.
pub fn find(name: &str) -> Option<&'static Verb> {
    VERBS.iter().find(|verb| verb.name == name)
}
