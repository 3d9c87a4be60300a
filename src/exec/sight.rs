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

/// Functions of the standard library that look at files, as `path.exists()` or
/// `Path::exists`.
const LOOKS_AT_FILES: &[&str] = &[
    "canonicalize",
    "exists",
    "is_dir",
    "is_file",
    "is_symlink",
    "metadata",
    "read_dir",
    "read_link",
    "symlink_metadata",
    "try_exists",
];

/// Other names by which code reads files, or learns of which one it is part.
const FILES: &[&str] = &[
    "OpenOptions",
    "include_dir",
    "local_file",
    "source_file",
    "tracked_path",
];

/// Names by which code learns about more than that.
const ANYTHING: &[&str] = &["Instant", "SystemTime", "TcpStream", "libloading"];

/// The package that declares the system's functions and calls none of them. So
/// whoever names it is who looks around.
pub const DECLARES: &str = "libc";

/// Calls of packages of crates.io that were read by a person.
///
/// proc-macro2 passes the question for a token's file on: only the macro that
/// asks learns the answer. rustversion takes the date for an error message.
/// libc has modules named `net`. clap_derive reads variables by a name in a variable of its own, which is
/// always one of `CARGO_PKG_*`. psm's functions, in assembler of its own, tell
/// where the stack is and go on on another one; stacker asks the system for the
/// bounds of the stack and for memory.
const READ_BY_A_PERSON: &[(&str, &[&str])] = &[
    (DECLARES, &["extern", "std::net"]),
    ("clap_derive", &["std::env"]),
    ("proc-macro2", &["local_file", "source_file"]),
    ("psm", &["extern", "asm!"]),
    ("rustversion", &["SystemTime"]),
    ("stacker", &[DECLARES]),
];

/// How far the code in a source file can see. `package` is empty for what is not
/// of crates.io: it may call itself anything. `foreign` are the names under
/// which the code knows [`DECLARES`].
pub fn sight(text: &str, package: &str, foreign: &[&str]) -> Sight {
    let code = without_comments(text);
    let known = READ_BY_A_PERSON.iter().find(|(name, _)| *name == package);
    let is_known = |call: &str| known.is_some_and(|(_, calls)| calls.contains(&call));
    if let Some(call) = anything(&code, foreign)
        .into_iter()
        .find(|call| !is_known(call))
    {
        return Sight::Anything(call.to_owned());
    }
    let mut variables = Vec::new();
    let named = files(&code).into_iter().find(|call| !is_known(call));
    let mut files = named.map(str::to_owned);
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

/// Each mention of a word: what is before it, and what comes after it.
fn words<'a>(code: &'a str, word: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    code.match_indices(word).filter_map(move |(at, _)| {
        let (before, after) = (&code[..at], &code[at + word.len()..]);
        let whole = !before.ends_with(is_part) && !after.starts_with(is_part);
        whole.then_some((before.trim_end(), after.trim_start()))
    })
}

/// What follows where a module is named: `module::`, or another name for it.
fn in_module<'a>(code: &'a str, module: &'a str) -> impl Iterator<Item = &'a str> {
    words(code, module).filter_map(|(_, after)| match after.strip_prefix("::") {
        Some(inside) => Some(inside.trim_start()),
        None => after.starts_with("as ").then_some(after),
    })
}

/// What code learns about more than files by.
fn anything<'a>(code: &str, foreign: &[&'a str]) -> Vec<&'a str> {
    let mut found = Vec::new();
    let mut note = |is_there: bool, name: &'a str| {
        if is_there {
            found.push(name);
        }
    };
    for name in ANYTHING {
        note(words(code, name).next().is_some(), name);
    }
    let harmless = |call: &&str| ["abort", "exit"].iter().any(|name| call.starts_with(name));
    let mut calls = in_module(code, "process");
    note(calls.any(|call| !harmless(&call)), "std::process");
    note(in_module(code, "net").next().is_some(), "std::net");
    note(declares_functions(code), "extern");
    let mut assembler = ["asm", "global_asm", "naked_asm"].into_iter();
    let is_called = |name| words(code, name).any(|(_, after)| after.starts_with('!'));
    note(assembler.any(is_called), "asm!");
    for name in foreign {
        note(words(code, name).next().is_some(), DECLARES);
    }
    found
}

/// Whether functions of another language are declared, or such ones are written
/// for it: nobody sees what goes on there.
fn declares_functions(code: &str) -> bool {
    words(code, "extern").any(|(before, after)| {
        let is_abi = ["\"", "{", "r\"", "r#"]
            .iter()
            .any(|start| after.starts_with(start));
        // The word alone, as a text.
        is_abi && !before.ends_with('"') && !after.starts_with("\"Rust\"")
    })
}

/// Whether a name between these is a method's: called, or named with the type
/// that it is of.
fn is_of_a_value_or_type((before, after): (&str, &str)) -> bool {
    let Some(path) = before.strip_suffix("::") else {
        return before.ends_with('.') && after.starts_with('(');
    };
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    let name = path.rsplit(|c| !is_part(c)).next();
    let first = name.and_then(|name| name.chars().next());
    // `<T>::exists`
    first.is_none_or(char::is_uppercase)
}

/// What code reads files by.
fn files(code: &str) -> Vec<&'static str> {
    let mut found = Vec::new();
    let from_std = words(code, "fs").any(|(before, _)| before.ends_with("std::"));
    if from_std || in_module(code, "fs").next().is_some() {
        found.push("std::fs");
    }
    if words(code, "File").any(|(_, after)| after.starts_with("::open")) {
        found.push("File::open");
    }
    let methods = LOOKS_AT_FILES.iter().copied();
    found.extend(methods.filter(|name| words(code, name).any(is_of_a_value_or_type)));
    let others = FILES.iter().copied();
    found.extend(others.filter(|name| code.contains(name)));
    found
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
    for call in in_module(code, "env") {
        let call: String = call
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
        let of = |text| sight(text, "", &[]);
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
            "use std::{fs as files, io};",
            "use std::fs;",
            "fs :: read(x)",
            "File::open(x)",
            "OpenOptions",
            "std::env::var(\"CARGO_MANIFEST_DIR\")",
            "env::current_dir()",
            "span.local_file()",
            "path.exists()",
            "iter.filter(Path::exists)",
            "path.metadata ()",
            "<T>::exists(p)",
            "std::path::PathBuf::is_dir",
        ] {
            assert!(matches!(of(text), Sight::Files(_)), "{text}");
        }
        for text in [
            "my_fs::x",
            "fs.x",
            "\"exists\"",
            "exists()",
            "x.existed",
            "a::exists()",
            "x.metadata",
        ] {
            assert_eq!(of(text), tokens(&[]), "{text}");
        }
        for text in [
            "env::var(name)",
            "use std::env::var;",
            "use std::{env as e};",
            "env::vars()",
            "env::var(\"CARGO_HOME\")",
            "SystemTime::now()",
            "use std::time::{Instant as I};",
            "std::process::Command",
            "use std::{process::{Command}};",
            "process::exit(1); process::id()",
            "use std::process as p;",
            "use std::{net::UdpSocket};",
            "extern \"C\" { fn getenv(); }",
            "extern\"system\" {}",
            "unsafe extern {",
            "extern r\"C\" {",
            "asm!(\"syscall\")",
            "core::arch::global_asm!()",
        ] {
            assert!(matches!(of(text), Sight::Anything(_)), "{text}");
        }
        for text in [
            "process::exit(1); std::process::abort()",
            "use std::process;",
            "[\"extern\"] + b",
            "extern crate syn; Token![extern]",
            "extern \"Rust\" fn f() {}",
            "external {",
            "wasm!()",
            "asm",
            "subprocess::x",
        ] {
            assert_eq!(of(text), tokens(&[]), "{text}");
        }
    }

    #[test]
    fn what_a_person_has_read_is_known() {
        let tokens = Sight::Tokens(Vec::new());
        assert_eq!(sight("self.local_file()", "proc-macro2", &[]), tokens);
        assert_eq!(sight("env::var(name)", "clap_derive", &[]), tokens);
        assert!(matches!(
            sight("fs::read(x)", "proc-macro2", &[]),
            Sight::Files(_)
        ));
        assert_eq!(sight("extern \"C\" {", "libc", &[]), tokens);
        assert_eq!(sight("extern \"C\" { asm!() }", "psm", &[]), tokens);
        let anything = |what: &str| Sight::Anything(what.to_owned());
        assert_eq!(sight("net::if_arp", "libc", &[]), tokens);
        assert_eq!(sight("asm!()", "libc", &[]), anything("asm!"));
        assert_eq!(sight("SystemTime", "psm", &[]), anything("SystemTime"));
    }

    #[test]
    fn who_names_the_systems_functions_may_call_them() {
        let tokens = Sight::Tokens(Vec::new());
        let anything = Sight::Anything("libc".to_owned());
        for (text, names, found) in [
            ("libc::getenv(x)", &["libc"][..], &anything),
            ("use libc as c;", &["libc"], &anything),
            ("c::getenv(x)", &["other", "c"], &anything),
            ("libc::getenv(x)", &[], &tokens),
            ("my_libc::x; cc::y // libc", &["libc", "c"], &tokens),
        ] {
            assert_eq!(&sight(text, "", names), found, "{text} {names:?}");
        }
        assert_eq!(sight("libc::mmap()", "stacker", &["libc"]), tokens);
    }
}
