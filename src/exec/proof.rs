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
use memchr::{memchr, memchr2, memchr3, memmem};

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
        match use_of_out_dir(&text) {
            Some(OutDir::Kept) => return Err(format!("keeps OUT_DIR in {path}")),
            Some(OutDir::Included) => mentioned = true,
            None => {}
        }
    }
    match mentioned {
        true => Ok(()),
        // A macro of another crate reads it for us: unknown what it makes of it.
        false => Err("a macro of another crate reads OUT_DIR".to_owned()),
    }
}

/// What a source makes of `OUT_DIR`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutDir {
    /// It includes files from there, and nothing else.
    Included,
    /// Anything else.
    Kept,
}

/// What a source makes of `OUT_DIR`; none if it does not mention it.
pub fn use_of_out_dir(text: &str) -> Option<OutDir> {
    if !text.contains("OUT_DIR") {
        return None;
    }
    let code = without_comments(text);
    let mut found = None;
    for (at, name) in code.match_indices("OUT_DIR") {
        if !is_include(&code[..at], &code[at + name.len()..]) {
            return Some(OutDir::Kept);
        }
        found = Some(OutDir::Included);
    }
    found
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
pub(super) fn without_comments(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = String::with_capacity(text.len());
    // Everything before `kept` was dealt with; only ASCII is cut at.
    let (mut kept, mut at) = (0, 0);
    let mut in_string = false;
    loop {
        let rest = bytes.get(at..).unwrap_or_default();
        let found = match in_string {
            true => memchr2(b'\\', b'"', rest),
            false => memchr3(b'\'', b'"', b'/', rest),
        };
        let Some(found) = found else {
            out.push_str(&text[kept..]);
            return out;
        };
        at += found;
        let after = &bytes[at + 1..];
        at += match bytes[at] {
            // What it escapes opens and closes nothing.
            b'\\' => 2,
            b'"' if in_string => {
                in_string = false;
                1
            }
            b'"' => match raw_string(bytes, at) {
                Some(len) => len,
                None => {
                    in_string = true;
                    1
                }
            },
            // A quoted character, so that '"' does not open a string.
            b'\'' if after.starts_with(b"\"'") => 3,
            b'\'' if after.starts_with(b"\\\"'") => 4,
            b'/' if after.starts_with(b"/") => {
                out.push_str(&text[kept..at]);
                let len = memchr(b'\n', after).map_or(bytes.len() - at, |end| end + 1);
                kept = at + len;
                len
            }
            // A quote in it opens nothing.
            b'/' if after.starts_with(b"*") => {
                out.push_str(&text[kept..at]);
                // It parts words.
                out.push(' ');
                let len = block_comment(&bytes[at..]);
                kept = at + len;
                len
            }
            _ => 1,
        };
    }
}

/// How long the block comment is that these bytes begin with. One within it has
/// an end of its own.
fn block_comment(bytes: &[u8]) -> usize {
    let (mut depth, mut at) = (0, 0);
    while let Some(found) = memchr2(b'/', b'*', &bytes[at..]) {
        at += found;
        let step = match bytes[at..].get(..2) {
            Some(b"/*") => 1,
            Some(b"*/") => -1,
            _ => 0,
        };
        depth += step;
        at += if step == 0 { 1 } else { 2 };
        if depth == 0 {
            return at;
        }
    }
    bytes.len()
}

/// How long a raw string is from this quote on, if one begins with it. Nothing
/// in it escapes anything.
fn raw_string(bytes: &[u8], quote: usize) -> Option<usize> {
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_' || *byte >= 0x80;
    let hashes = bytes[..quote].iter().rev().take_while(|b| **b == b'#');
    let hashes = hashes.count();
    let before = bytes[..quote - hashes].strip_suffix(b"r")?;
    let before = before.strip_suffix(b"b").unwrap_or(before);
    let before = before.strip_suffix(b"c").unwrap_or(before);
    if before.last().is_some_and(is_part) {
        return None;
    }
    let inside = &bytes[quote + 1..];
    let closing = [b"\"".as_slice(), &bytes[quote - hashes..quote]].concat();
    let end = memmem::find(inside, &closing);
    Some(1 + end.map_or(inside.len(), |end| end + closing.len()))
}

/// The sources of a library without their comments.
pub struct Library {
    files: Vec<String>,
    all: String,
}

impl Library {
    /// Of these texts.
    pub fn of(sources: &[String]) -> Library {
        let files: Vec<String> = sources.iter().map(|text| without_comments(text)).collect();
        let all = files.join("\n");
        Library { files, all }
    }

    /// Whether the library may hand the crate of that name on to those that use
    /// it: by `pub use`, under any name, or from within a macro of its own.
    pub fn hands_on(&self, name: &str) -> bool {
        if !has_word(&self.all, name) {
            return false;
        }
        let in_macro = |code: &&String| code.contains("macro_rules!") && has_word(code, name);
        if self.all.contains("macro_export") && self.files.iter().any(|code| in_macro(&code)) {
            return true;
        }
        // What comes in by a private `use` may go out by a public one.
        let mut names = vec![name.to_owned()];
        for statement in statements(&self.all, &["use ", "extern crate "]) {
            if has_word(statement, name) {
                names.extend(identifiers(statement).map(str::to_owned));
            }
        }
        names.retain(|name| {
            !["self", "crate", "super", "use", "as", "extern", "pub"].contains(&name.as_str())
        });
        statements(&self.all, &["pub use ", "pub extern crate "])
            .iter()
            .any(|statement| names.iter().any(|name| has_word(statement, name)))
    }
}

/// The statements that begin so, up to their semicolons.
fn statements<'a>(code: &'a str, begins: &[&str]) -> Vec<&'a str> {
    let mut found = Vec::new();
    for begin in begins {
        for at in memmem::find_iter(code.as_bytes(), begin) {
            let rest = &code[at..];
            found.push(&rest[..rest.find(';').unwrap_or(rest.len())]);
        }
    }
    found
}

fn identifiers(code: &str) -> impl Iterator<Item = &str> {
    code.split(|c: char| !(c.is_alphanumeric() || c == '_'))
        .filter(|word| !word.is_empty())
}

fn has_word(code: &str, word: &str) -> bool {
    code.contains(word) && identifiers(code).any(|found| found == word)
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
            r#"const A: char = '\"'; const U: &str = "//"; const D: &str = env!("OUT_DIR");"#,
            r##"const A: &str = r"\"; const U: &str = "//"; const D: &str = env!("OUT_DIR");"##,
            r###"const A: &str = br#""//"\"#; const D: &str = env!("OUT_DIR");"###,
            "generated!();",
        ] {
            assert!(proof(text).is_some(), "{text}");
        }
        assert!(reads_directories(&["CARGO_MANIFEST_DIR".into()], &[]).is_some());
    }

    #[test]
    fn comments_go_and_literals_stay() {
        for (text, left) in [
            ("a // b\nc // d", "a \nc "),
            ("a / b", "a / b"),
            // A lifetime opens nothing.
            ("&'a// b\nc", "&'a\nc"),
            ("'\"' // c", "'\"' "),
            ("'\\\"' // c", "'\\\"' "),
            ("\"//b\" // c", "\"//b\" "),
            ("\"a\\\"//b\"", "\"a\\\"//b\""),
            ("(r\"a\\\" // c", "(r\"a\\\" "),
            ("br\"a\\\" // c", "br\"a\\\" "),
            ("cr#\"a\"//b\"# // c", "cr#\"a\"//b\"# "),
            ("   r\"a//b//c", "   r\"a//b//c"),
            // The end of a longer word makes no string raw.
            ("xr\"a\\\"//b\"", "xr\"a\\\"//b\""),
            ("_r\"a\\\"//b\"", "_r\"a\\\"//b\""),
            ("ér\"a\\\"//b\"", "ér\"a\\\"//b\""),
            ("a /* \" // */ b", "a   b"),
            ("a/*//**/*/ \"// */\" /**/c", "a  \"// */\"  c"),
            ("a /*/ b", "a  "),
            ("a /* b *", "a  "),
            ("a * /* / b */ /", "a *   /"),
        ] {
            assert_eq!(without_comments(text), left, "{text}");
        }
    }

    #[test]
    fn libraries_that_hand_macros_on_are_found() {
        let of = |text: &str| Library::of(&[text.to_owned()]).hands_on("m");
        for text in [
            "pub use m::derive;",
            "pub extern crate m as other;",
            "use m::{data, x}; pub mod y { pub use super::data; }",
            "use m as n; pub use n::*;",
            "#[macro_export] macro_rules! q { () => { $crate::m::expand!() } }",
        ] {
            assert!(of(text), "{text}");
        }
        for text in [
            "use m::Derive; #[derive(Derive)] pub struct S;",
            "pub use mm::x; // m",
            "#[m::attr] fn a() {} pub use other::thing;",
            "use m::Derive; pub use other::thing;",
            "macro_rules! q { () => { m::expand!() } }",
        ] {
            assert!(!of(text), "{text}");
        }
        let macros = "#[macro_export] macro_rules! q { () => {} }".to_owned();
        assert!(!Library::of(&[macros, "use m::Derive;".to_owned()]).hands_on("m"));
    }
}
