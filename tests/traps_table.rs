//! The table of traps names tests; each of them exists and is run.
#![allow(clippy::unwrap_used)] // a test may panic

use std::path::Path;

/// The names in backquotes of the form `file::test`.
fn named(table: &str) -> Vec<(&str, &str)> {
    let quoted = table.split('`').skip(1).step_by(2);
    let is_word = |text: &str| {
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        !text.is_empty() && text.chars().all(fits)
    };
    let names = quoted.filter_map(|text| text.split_once("::"));
    names
        .filter(|(file, test)| is_word(file) && is_word(test) && *file != "cargo")
        .collect()
}

#[test]
fn every_test_in_the_table_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let table = std::fs::read_to_string(root.join("docs/traps.md")).unwrap();
    let rows = table.lines().filter(|line| line.starts_with("| "));
    let rows: Vec<&str> = rows
        .filter(|row| !row.starts_with("| ---") && !row.starts_with("| trap"))
        .collect();
    assert!(rows.len() > 40, "{}", rows.len());
    for row in rows {
        let tests = row.rsplit('|').nth(1).unwrap();
        let tests = named(tests);
        assert!(!tests.is_empty(), "names no test: {row}");
        for (file, test) in tests {
            let path = root.join(format!("tests/{file}.rs"));
            let text = std::fs::read_to_string(&path).unwrap_or_default();
            // As a function, and in the list of those that are run.
            let listed = text.split("in_both_layouts!(").skip(1);
            let listed = listed.filter_map(|list| list.split(')').next());
            let is_run = listed
                .flat_map(|list| list.split(','))
                .any(|name| name.trim() == test);
            assert!(is_run, "{file}::{test} is not run");
        }
    }
}
