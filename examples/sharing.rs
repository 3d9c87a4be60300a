//! Which records of a cache may be restored in another directory, and why the
//! others may not: `cargo run --example sharing -- CACHE_DIRECTORY`.
//!
//! With a cache of its own, the figures are those of one workspace. The classes
//! are explained in `docs/sharing.md`.

use std::collections::BTreeMap;
use std::process::ExitCode;

use cargo_zbuild::cache::record::{self, Variant};

/// The class of a record, without the names that differ from unit to unit.
fn class(variant: &Variant) -> String {
    let head = |why: &str| {
        let known = [
            ("names it", "its output names the directory"),
            ("reads CARGO_", "reads a variable with the directory"),
            ("OUT_DIR", "keeps OUT_DIR, or leaves that to a macro"),
            (
                "the build script prints",
                "its build script prints the directory",
            ),
            ("times of the package", "a build script without rerun-if"),
            ("may read files", "can use a macro that may read files"),
            ("may look around", "can use a macro that may look around"),
            ("absolute path", "depends on a file by its absolute path"),
        ];
        let found = known.iter().find(|(part, _)| why.contains(part));
        found.map_or(why.to_owned(), |(_, class)| (*class).to_owned())
    };
    match (&variant.unknown_inputs, &variant.bound) {
        (Some(why), _) => format!("never restored: {}", head(why)),
        (None, Some(why)) => format!("bound: {}", head(why)),
        (None, None) => "shared".to_owned(),
    }
}

fn main() -> ExitCode {
    let Some(cache) = std::env::args().nth(1) else {
        eprintln!("usage: sharing CACHE_DIRECTORY");
        return ExitCode::FAILURE;
    };
    let files = walkdir::WalkDir::new(cache).into_iter().flatten();
    let files = files.filter(|entry| entry.file_type().is_file());
    let mut classes: BTreeMap<String, usize> = BTreeMap::new();
    for file in files {
        let bytes = fs_err::read(file.path()).unwrap_or_default();
        for variant in record::decode(&bytes).unwrap_or_default() {
            *classes.entry(class(&variant)).or_default() += 1;
        }
    }
    let all: usize = classes.values().sum();
    for (class, count) in &classes {
        println!(
            "{count:>5} {:>5.1} %  {class}",
            *count as f64 * 100.0 / all.max(1) as f64
        );
    }
    println!("{all:>5} records");
    ExitCode::SUCCESS
}
