//! The architecture, held: who may use whom, how long a file may be, and which
//! one knows cacache (see the crate doc of `src/lib.rs`).
#![allow(clippy::unwrap_used)] // a test may panic

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Each room with those that it may use.
const ARROWS: &[(&str, &[&str])] = &[
    (
        "cli",
        &[
            "report", "exec", "plan", "cargo", "cache", "event", "unit", "fault",
        ],
    ),
    ("report", &["event", "unit"]),
    (
        "exec",
        &["plan", "cargo", "cache", "event", "unit", "fault"],
    ),
    ("plan", &["cargo", "cache", "event", "unit", "fault"]),
    ("cargo", &["event", "unit", "fault"]),
    ("cache", &["event", "unit", "fault"]),
    ("event", &["unit"]),
    ("unit", &[]),
    ("fault", &[]),
];

/// Files stay short enough to be read at one go.
const MAX_LINES: usize = 600;

struct Source {
    /// Below `src`, with `/`.
    name: String,
    text: String,
}

impl Source {
    /// `plan/key.rs` is in the room `plan`, `unit.rs` is the room `unit`.
    fn room(&self) -> &str {
        let first = self.name.split('/').next().unwrap();
        first.strip_suffix(".rs").unwrap_or(first)
    }
}

fn sources() -> Vec<Source> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let source = |path: PathBuf| {
        let name = path.strip_prefix(&src).unwrap().to_str().unwrap();
        Source {
            name: name.replace('\\', "/"),
            text: fs::read_to_string(&path).unwrap(),
        }
    };
    let entries = walkdir::WalkDir::new(&src).sort_by_file_name().into_iter();
    let paths = entries.map(|entry| entry.unwrap().into_path());
    let found: Vec<Source> = paths
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .map(source)
        .collect();
    assert!(found.len() > 20, "{src:?} holds the sources");
    found
}

/// The code without its comments, so that what is said of a room is no use of it.
fn code(text: &str) -> String {
    let lines = text
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"));
    lines.collect::<Vec<_>>().join("\n")
}

/// The modules that follow this path in the code, groups included:
/// `crate::{cargo::x, plan}` uses `cargo` and `plan`.
fn used_after<'a>(code: &'a str, path: &str) -> BTreeSet<&'a str> {
    let mut found = BTreeSet::new();
    for (at, _) in code.match_indices(path) {
        let before = code[..at].chars().next_back();
        if before.is_some_and(|c| c.is_alphanumeric() || c == '_') {
            continue;
        }
        let rest = &code[at + path.len()..];
        match rest.strip_prefix('{') {
            Some(group) => found.extend(first_names(group)),
            None => found.extend(name(rest)),
        }
    }
    found
}

fn name(text: &str) -> Option<&str> {
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_');
    Some(&text[..end.unwrap_or(text.len())]).filter(|name| !name.is_empty())
}

/// The first name of each member of a group, nested groups left out.
fn first_names(group: &str) -> Vec<&str> {
    let (mut depth, mut start, mut found) = (0, 0, Vec::new());
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            '}' | ',' if depth == 0 => {
                found.extend(name(group[start..at].trim()));
                start = at + 1;
                if c == '}' {
                    break;
                }
            }
            _ => {}
        }
    }
    found
}

#[test]
fn each_room_uses_only_those_to_its_right() {
    let rooms: BTreeSet<&str> = ARROWS.iter().map(|(room, _)| *room).collect();
    let mut wrong = Vec::new();
    let mut arrows = 0;
    for source in sources() {
        let room = source.room();
        if room == "lib" || room == "main" {
            continue;
        }
        let allowed = ARROWS.iter().find(|(name, _)| *name == room);
        let (_, allowed) = allowed.unwrap_or_else(|| panic!("{} is in no room", source.name));
        let code = code(&source.text);
        let mut used = used_after(&code, "crate::");
        // `super::super::` from a file two levels down is the crate as well.
        used.extend(used_after(&code, "super::super::"));
        for other in used.intersection(&rooms) {
            arrows += 1;
            if *other != room && !allowed.contains(other) {
                wrong.push(format!("{} uses {other}", source.name));
            }
        }
    }
    assert!(arrows > 20, "the search finds uses: {arrows}");
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn uses_are_found_in_every_spelling() {
    let code = "use crate::plan;\nuse crate::{cargo::{a, b}, cache, unit::{self, Digest}};\n\
                fn f() { crate::exec::run(); mycrate::cli::x() }";
    let used: Vec<&str> = used_after(code, "crate::").into_iter().collect();
    assert_eq!(used, ["cache", "cargo", "exec", "plan", "unit"]);
}

#[test]
fn no_file_is_long() {
    let all = sources();
    let lengths = all
        .iter()
        .map(|source| (source.text.lines().count(), &source.name));
    let long: Vec<_> = lengths.filter(|(lines, _)| *lines > MAX_LINES).collect();
    assert!(long.is_empty(), "more than {MAX_LINES} lines: {long:?}");
}

#[test]
fn every_file_says_what_it_is_for() {
    let silent = |source: &&Source| !source.text.starts_with("//!");
    let all = sources();
    let silent: Vec<&str> = all.iter().filter(silent).map(|s| s.name.as_str()).collect();
    assert!(silent.is_empty(), "without a module doc: {silent:?}");
}

#[test]
fn one_file_knows_cacache() {
    let all = sources();
    let knows = |source: &&Source| code(&source.text).contains("cacache");
    let knowing: Vec<&str> = all.iter().filter(knows).map(|s| s.name.as_str()).collect();
    assert_eq!(knowing, ["cache/blobs.rs"]);
}

#[test]
fn only_the_display_prints() {
    let mut wrong = Vec::new();
    for source in sources() {
        let prints = ["println!(", "print!(", "dbg!("];
        let found = prints.iter().any(|word| code(&source.text).contains(word));
        if found && !matches!(source.room(), "cli" | "report") {
            wrong.push(source.name);
        }
    }
    // What build scripts and the tests of a file print is not ours.
    assert!(wrong.is_empty(), "these print: {wrong:?}");
}
