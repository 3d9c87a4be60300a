//! How far a proc macro can see, as far as its sources tell.
//!
//! What a macro looks at leaves no trace in what it makes. So its sources are
//! searched for the ways in which code learns about more than its tokens; a way
//! that is in no list here would be taken for none, so the lists rather have too
//! much than too little in them.

use super::proof::without_comments;

/// How far a proc macro can see, as far as its sources tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sight {
    /// Its tokens, and these variables of the environment.
    Tokens(Vec<String>),
    /// Files as well, or where it is; the text says by what call.
    Files(String),
    /// The clock, the network, other programs, any variable.
    Anything(String),
}

/// Calls by which code reads files.
const FILES: &[&str] = &[
    "std::fs",
    "fs::read",
    "fs::File",
    "fs::OpenOptions",
    "File::open",
    ".canonicalize(",
    ".exists()",
    ".try_exists()",
    ".is_file()",
    ".is_dir()",
    ".read_dir()",
    ".read_link()",
    ".symlink_metadata()",
    "tracked_path",
    "local_file",
    "source_file",
    "include_dir",
];

/// Calls by which code learns about more than that.
const ANYTHING: &[&str] = &[
    "std::process::Command",
    "std::process;",
    "std::process::{",
    "process::Command",
    "process::id",
    "std::net",
    "TcpStream",
    "SystemTime",
    "Instant::now",
    "libloading",
    "extern \"C\"",
];

/// Calls of packages in the registry that were read by a person.
///
/// proc-macro2 passes the question for a token's file on: only the macro that
/// asks learns the answer. rustversion takes the date for an error message.
/// clap_derive reads variables by a name in a variable of its own, which is
/// always one of `CARGO_PKG_*`.
const READ_BY_A_PERSON: &[(&str, &[&str])] = &[
    ("proc-macro2", &["local_file", "source_file"]),
    ("rustversion", &["SystemTime"]),
    ("clap_derive", &["std::env"]),
];

/// How far the code in a source file can see. `package` is empty for a path
/// package: it may call itself anything.
pub fn sight(text: &str, package: &str) -> Sight {
    let code = without_comments(text);
    let known = READ_BY_A_PERSON.iter().find(|(name, _)| *name == package);
    let is_known = |call: &str| known.is_some_and(|(_, calls)| calls.contains(&call));
    let calls = |list: &[&str]| {
        let mut found = list.iter().filter(|call| code.contains(**call));
        found
            .find(|call| !is_known(call))
            .map(|call| (*call).to_owned())
    };
    if let Some(call) = calls(ANYTHING) {
        return Sight::Anything(call);
    }
    let mut variables = Vec::new();
    let mut files = calls(FILES);
    for call in uses_of_env(&code) {
        match call {
            UseOfEnv::Known => {}
            UseOfEnv::Directory => files = files.or(Some("std::env".to_owned())),
            UseOfEnv::Variable(name) => variables.push(name),
            UseOfEnv::Unknown if is_known("std::env") => {}
            UseOfEnv::Unknown => return Sight::Anything("std::env".to_owned()),
        }
    }
    files.map_or(Sight::Tokens(variables), Sight::Files)
}

enum UseOfEnv {
    /// A variable that cargo sets from the manifest: part of every key.
    Known,
    /// Where the package, the build or the process is.
    Directory,
    /// A variable by its name.
    Variable(String),
    /// Anything else.
    Unknown,
}

/// Every use of `std::env` in a source.
fn uses_of_env(code: &str) -> Vec<UseOfEnv> {
    let mut uses = Vec::new();
    for (at, _) in code.match_indices("env::") {
        // `my_env::` is something else.
        let before = code[..at].chars().next_back();
        if before.is_some_and(|c| c.is_alphanumeric() || c == '_') {
            continue;
        }
        let call: String = code[at + "env::".len()..]
            .chars()
            .filter(|c| !c.is_whitespace())
            .take(80)
            .collect();
        let argument = ["var(\"", "var_os(\""]
            .iter()
            .find_map(|f| call.strip_prefix(f));
        let name = argument
            .and_then(|rest| rest.split_once("\")"))
            .map(|(name, _)| name);
        uses.push(match name {
            Some("CARGO_MANIFEST_DIR" | "CARGO_MANIFEST_PATH" | "OUT_DIR") => UseOfEnv::Directory,
            Some(name) if name.starts_with("CARGO_PKG_") || name == "CARGO_CRATE_NAME" => {
                UseOfEnv::Known
            }
            Some(name) if !name.starts_with("CARGO") => UseOfEnv::Variable(name.to_owned()),
            None if call.starts_with("current_dir(") || call.starts_with("current_dir;") => {
                UseOfEnv::Directory
            }
            _ => UseOfEnv::Unknown,
        });
    }
    uses
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn macros_that_look_around_are_found() {
        let of = |text| sight(text, "");
        let tokens = |names: &[&str]| Sight::Tokens(names.iter().map(|n| n.to_string()).collect());
        assert_eq!(of("// std::fs\nfn a() { b() }"), tokens(&[]));
        assert_eq!(
            of("use std::env; env::var(\"CARGO_PKG_NAME\")"),
            tokens(&[])
        );
        assert_eq!(
            of("std::env::var_os( \"DEBUG_IT\" )"),
            tokens(&["DEBUG_IT"])
        );
        assert_eq!(of("my_env::x()"), tokens(&[]));
        for text in [
            "use std::{fs, io}; fn a() { fs::read(x) }",
            "std::env::var(\"CARGO_MANIFEST_DIR\")",
            "env::current_dir()",
            "span.local_file()",
            "path.exists()",
        ] {
            assert!(matches!(of(text), Sight::Files(_)), "{text}");
        }
        for text in [
            "env::var(name)",
            "use std::env::var;",
            "env::vars()",
            "env::var(\"CARGO_HOME\")",
            "SystemTime::now()",
        ] {
            assert!(matches!(of(text), Sight::Anything(_)), "{text}");
        }
        assert_eq!(sight("self.local_file()", "proc-macro2"), tokens(&[]));
        assert_eq!(sight("env::var(name)", "clap_derive"), tokens(&[]));
        assert!(matches!(
            sight("fs::read(x)", "proc-macro2"),
            Sight::Files(_)
        ));
    }
}
