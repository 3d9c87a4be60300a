//! Proof, from sources, that a unit does not keep its directory.
//!
//! The bytes of an output cannot tell whether a name in crate metadata is an
//! entry of the source map or a string that a program will print, nor whether
//! a path was used for something that left no trace of it. So a unit that read
//! a variable with its directory inside, or that is the work of a proc macro
//! which may read files, is only shared if its sources prove that nothing came
//! of it. What is not proven is bound to its directory.

use camino::Utf8PathBuf;
use fs_err as fs;

/// Why a unit is bound, or none if its sources prove that it is not.
///
/// `path_env` are the variables read by `env!` whose values name a directory of
/// this build; `sources` are the unit's own files.
pub fn reads_directories(path_env: &[String], sources: &[Utf8PathBuf]) -> Option<String> {
    for name in path_env {
        if name != "OUT_DIR" {
            return Some(format!("reads {name}"));
        }
        if let Err(why) = only_includes(sources) {
            return Some(why);
        }
    }
    None
}

/// Whether every mention of `OUT_DIR` is of the form
/// `include!(concat!(env!("OUT_DIR"), "..."))` (or `include_str!`,
/// `include_bytes!`): then only the file's content comes into the unit.
fn only_includes(sources: &[Utf8PathBuf]) -> Result<(), String> {
    let mut mentioned = false;
    for path in sources {
        let text = fs::read_to_string(path).map_err(|_| format!("could not read {path}"))?;
        if !text.contains("OUT_DIR") {
            continue;
        }
        let code = without_comments(&text);
        let mut rest = code.as_str();
        let mut before = String::new();
        while let Some(at) = rest.find("OUT_DIR") {
            mentioned = true;
            before.push_str(&rest[..at]);
            rest = &rest[at + "OUT_DIR".len()..];
            if !is_include(&before, rest) {
                return Err(format!("keeps OUT_DIR in {path}"));
            }
            before.push_str("OUT_DIR");
        }
    }
    match mentioned {
        true => Ok(()),
        // A macro of another crate reads it for us: unknown what it makes of it.
        false => Err("a macro of another crate reads OUT_DIR".to_owned()),
    }
}

/// Whether `before` ends in `include!(concat!(env!("` and `after` begins with
/// `"),` and what else a `concat!` of path parts may hold.
fn is_include(before: &str, after: &str) -> bool {
    let head: String = before
        .chars()
        .rev()
        .filter(|c| !c.is_whitespace())
        .take("include_bytes!(concat!(env!(\"".len())
        .collect();
    let head: String = head.chars().rev().collect();
    let opens = ["include!", "include_str!", "include_bytes!"]
        .iter()
        .any(|name| head.ends_with(&format!("{name}(concat!(env!(\"")));
    let tail: String = after
        .chars()
        .filter(|c| !c.is_whitespace())
        .take(3)
        .collect();
    opens && tail == "\"),"
}

/// The text without comments, so that one about `OUT_DIR` is no use of it.
/// String literals stay; a `//` inside of one only removes text in which a
/// mention would then be missed, so literals are followed through.
fn without_comments(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    let mut in_string = false;
    while let Some(c) = chars.next() {
        match c {
            '\\' if in_string => {
                out.push(c);
                out.extend(chars.next());
            }
            '"' => {
                in_string = !in_string;
                out.push(c);
            }
            // A quoted character, so that '"' does not open a string.
            '\'' if !in_string => {
                out.push(c);
                let mut ahead = chars.clone();
                if ahead.next() == Some('"') && ahead.next() == Some('\'') {
                    chars.next();
                    chars.next();
                }
            }
            '/' if !in_string && chars.peek() == Some(&'/') => {
                for c in chars.by_ref() {
                    if c == '\n' {
                        break;
                    }
                }
                out.push('\n');
            }
            c => out.push(c),
        }
    }
    out
}

/// What a proc macro would have to call to look at anything but its tokens.
/// Searched for in the sources of the macro and of all that it is built from.
const LOOKS_AROUND: &[&str] = &[
    "std::fs",
    "fs::read",
    "fs::File",
    "File::open",
    "OpenOptions",
    "read_dir",
    "read_to_string",
    "canonicalize",
    "current_dir",
    "current_exe",
    "std::process",
    "process::Command",
    "Command::new",
    "std::net",
    "TcpStream",
    "SystemTime",
    "Instant::now",
    "tracked_env",
    "tracked_path",
    "include_dir",
    "libloading",
    "extern \"C\"",
];

/// Asking a token which file it stands in.
const ASKS_FILE: &[&str] = &["local_file", "source_file"];

/// Variables that cargo sets from the manifest: they are part of every key.
const KNOWN_VARIABLES: &[&str] = &["CARGO_PKG_", "CARGO_CRATE_NAME\""];

/// Which of these calls a source file mentions; none is proof that the code in
/// it only sees what it is given. proc-macro2 is read differently in one point:
/// it passes the question for a token's file on, and only the macro that asks
/// it learns the answer.
pub fn looks_around(text: &str, package: &str) -> Option<&'static str> {
    let code = without_comments(text);
    if reads_variables(&code) {
        return Some("std::env");
    }
    let asks = ASKS_FILE.iter().filter(|_| package != "proc-macro2");
    let mut calls = LOOKS_AROUND.iter().chain(asks);
    calls.find(|call| code.contains(**call)).copied()
}

/// Whether anything of `std::env` is used but reading a known variable.
fn reads_variables(code: &str) -> bool {
    code.match_indices("env::").any(|(at, _)| {
        // `my_env::` is something else.
        let before = code[..at].chars().next_back();
        if before.is_some_and(|c| c.is_alphanumeric() || c == '_') {
            return false;
        }
        let call: String = code[at + "env::".len()..]
            .chars()
            .filter(|c| !c.is_whitespace())
            .take(40)
            .collect();
        let name = call
            .strip_prefix("var_os(\"")
            .or_else(|| call.strip_prefix("var(\""));
        !name.is_some_and(|name| KNOWN_VARIABLES.iter().any(|known| name.starts_with(known)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proof(text: &str) -> Option<String> {
        let dir = tempfile::tempdir().unwrap();
        let path = Utf8PathBuf::from_path_buf(dir.path().join("lib.rs")).unwrap();
        fs::write(&path, text).unwrap();
        reads_directories(&["OUT_DIR".into()], &[path])
    }

    #[test]
    fn includes_are_harmless() {
        for text in [
            r#"include!(concat!(env!("OUT_DIR"), "/x.rs"));"#,
            "include_bytes!( concat!(\n env!( \"OUT_DIR\" ), \"/x\"));",
            "// OUT_DIR is fine here\ninclude_str!(concat!(env!(\"OUT_DIR\"), \"/x\"))",
        ] {
            assert_eq!(proof(text), None, "{text}");
        }
    }

    #[test]
    fn strings_are_not() {
        for text in [
            r#"const D: &str = env!("OUT_DIR");"#,
            r#"const D: &str = concat!(env!("OUT_DIR"), "/x");"#,
            r#"include!(concat!(env!("OUT_DIR"), "/x")); const L: usize = env!("OUT_DIR").len();"#,
            r#"option_env!("OUT_DIR")"#,
            r#"const A: &str = "//"; const D: &str = env!("OUT_DIR");"#,
            r#"const A: char = '"'; const D: &str = env!("OUT_DIR"); // ""#,
            "generated!();",
        ] {
            assert!(proof(text).is_some(), "{text}");
        }
        assert!(reads_directories(&["CARGO_MANIFEST_DIR".into()], &[]).is_some());
    }

    #[test]
    fn macros_that_look_around_are_found() {
        let found = |text| looks_around(text, "a");
        assert_eq!(found("// std::fs\nfn a() { b() }"), None);
        assert_eq!(found("use std::env; env::var(\"CARGO_PKG_NAME\")"), None);
        assert_eq!(found("my_env::x()"), None);
        assert!(found("use std::{fs, io}; fn a() { fs::read(x) }").is_some());
        for text in [
            "std::env::var(\"A\")",
            "env::var(name)",
            "use std::env::var;",
            "env::vars()",
            "std::env::var(\"CARGO_MANIFEST_DIR\")",
            "span.local_file()",
        ] {
            assert!(found(text).is_some(), "{text}");
        }
        assert_eq!(looks_around("self.local_file()", "proc-macro2"), None);
    }
}
