//! Files that go into a link although no build system watches them: what
//! arguments for the linker name, and static libraries in the directories that
//! it searches.
//!
//! cargo knows nothing of them. A build in an empty target directory links what
//! is there, and so does a restored one: they count by their content. What an
//! argument means is the linker's business; here every part of it counts that
//! is the name of a file.

use camino::{Utf8Path, Utf8PathBuf};
use fs_err as fs;
use toml::Value;

use super::config::Config;

/// How many libraries in one directory are watched. A directory with more is
/// the system's; what it holds belongs to the machine as the linker does.
const MAX_LIBRARIES: usize = 64;

/// Static libraries in a directory that the linker searches, given as cargo and
/// rustc do (`KIND=PATH` or a path): any of them may be linked, by `-l` or by
/// `#[link]`.
///
/// # Errors
/// When the directory cannot be read.
pub fn libraries(search: &str, base: &Utf8Path) -> std::io::Result<Vec<Utf8PathBuf>> {
    let Some(dir) = directory(search, base) else {
        return Ok(Vec::new());
    };
    let mut found = Vec::new();
    for entry in fs::read_dir(dir)? {
        let path = Utf8PathBuf::from_path_buf(entry?.path());
        let is_library = |p: &Utf8PathBuf| matches!(p.extension(), Some("a" | "lib"));
        found.extend(path.ok().filter(is_library));
    }
    found.sort();
    if found.len() > MAX_LIBRARIES {
        found.clear();
    }
    Ok(found)
}

/// The names of the libraries that the linker could find in a directory, sorted;
/// shared ones only if `with_shared`. None of a directory that is not there: one
/// that appears may be searched before the one with the library that was linked.
///
/// Too many of one kind are no names but one that says so.
///
/// # Errors
/// When the directory is there and cannot be read.
pub fn names(dir: &Utf8Path, with_shared: bool) -> std::io::Result<Vec<String>> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let (mut fixed, mut shared) = (Vec::new(), Vec::new());
    for entry in entries {
        let name = entry?.file_name().to_string_lossy().into_owned();
        match Utf8Path::new(&name).extension() {
            Some("a" | "lib") => fixed.push(name),
            Some("so" | "dylib" | "dll" | "tbd") if with_shared => shared.push(name),
            _ => {}
        }
    }
    for (names, many) in [(&mut fixed, "*.a"), (&mut shared, "*.so")] {
        if names.len() > MAX_LIBRARIES {
            *names = vec![many.to_owned()];
        }
        names.sort();
    }
    fixed.append(&mut shared);
    Ok(fixed)
}

/// The directory of a search path for native libraries, whether it is there or
/// not.
pub fn searched(search: &str, base: &Utf8Path) -> Option<Utf8PathBuf> {
    let (kind, dir) = search.split_once('=').unwrap_or(("all", search));
    matches!(kind, "native" | "all").then(|| base.join(dir))
}

/// The same if it is there.
fn directory(search: &str, base: &Utf8Path) -> Option<Utf8PathBuf> {
    searched(search, base).filter(|dir| dir.is_dir())
}

/// The files that arguments for the linker name: objects, scripts, lists of
/// symbols, response files. It is started in `base`, and looks for scripts in
/// the search paths as well.
pub fn named_files(args: &[String], search: &[String], base: &Utf8Path) -> Vec<Utf8PathBuf> {
    let mut dirs = vec![base.to_owned()];
    dirs.extend(search.iter().filter_map(|path| directory(path, base)));
    let mut found = Vec::new();
    for arg in args {
        let parts = arg.split([',', '=', ' ']).chain([arg.as_str()]);
        for part in parts {
            let name = part.strip_prefix("-T").unwrap_or(part);
            let name = name.strip_prefix('@').unwrap_or(name);
            if name.is_empty() || name.starts_with('-') {
                continue;
            }
            let path = dirs.iter().map(|dir| dir.join(name)).find(|p| p.is_file());
            found.extend(path);
        }
    }
    found.sort();
    found.dedup();
    found
}

/// What settings bring into a link.
pub struct Linked {
    /// The files that are there.
    pub files: Vec<Utf8PathBuf>,
    /// The directories that are searched, whether they are there or not: a
    /// library that appears there may be linked instead.
    pub dirs: Vec<Utf8PathBuf>,
}

/// All that flags in the environment and cargo's configuration give to the
/// linker, with `base` as rustc's working directory.
pub fn of_settings(config: &Config, base: &Utf8Path) -> Linked {
    // Not `vars`, which panics at a variable that is no UTF-8.
    let mut words: Vec<String> = std::env::vars_os()
        .filter(|(name, _)| {
            name.to_str()
                .is_some_and(|name| name.ends_with("RUSTFLAGS"))
        })
        .flat_map(|(_, value)| split(&value.to_string_lossy()))
        .collect();
    for file in &config.files {
        words.extend(flags_of(file.table.get("build")));
        let targets = file.table.get("target").and_then(Value::as_table);
        for target in targets.into_iter().flat_map(toml::Table::values) {
            words.extend(flags_of(Some(target)));
            // What it says in place of the build script of a `links` package.
            let packages = target.as_table().into_iter().flat_map(toml::Table::values);
            for package in packages.filter_map(Value::as_table) {
                words.extend(strings(package.get("rustc-flags")));
                let paths = strings(package.get("rustc-link-search"));
                words.extend(paths.into_iter().map(|path| format!("-L{path}")));
                let named = package.iter().filter(|(key, _)| key.contains("link-arg"));
                let args = named.flat_map(|(_, value)| strings(Some(value)));
                words.extend(args.map(|arg| format!("-Clink-arg={arg}")));
            }
        }
    }
    let (args, search) = arguments(&words);
    let mut files = named_files(&args, &search, base);
    for path in &search {
        files.extend(libraries(path, base).unwrap_or_default());
    }
    files.sort();
    files.dedup();
    let dirs = search.iter().filter_map(|path| searched(path, base));
    Linked {
        files,
        dirs: dirs.collect(),
    }
}

/// The words of rustc's command line that are for the linker, and the search
/// paths.
fn arguments(words: &[String]) -> (Vec<String>, Vec<String>) {
    let (mut args, mut search) = (Vec::new(), Vec::new());
    let mut before = "";
    for word in words {
        let joined = ["-C", "--codegen="]
            .iter()
            .find_map(|p| word.strip_prefix(p));
        let option = joined.unwrap_or(word);
        let value = ["link-arg=", "link-args=", "linker="]
            .iter()
            .find_map(|name| option.strip_prefix(name));
        if let Some(value) = value.filter(|_| joined.is_some() || before.starts_with('-')) {
            args.push(value.to_owned());
        } else if before == "-L" {
            search.push(word.clone());
        } else if let Some(path) = word.strip_prefix("-L").filter(|path| !path.is_empty()) {
            search.push(path.to_owned());
        }
        before = word;
    }
    (args, search)
}

fn flags_of(table: Option<&Value>) -> Vec<String> {
    strings(table.and_then(|table| table.get("rustflags")))
}

/// A string's words, or the strings of an array.
fn strings(value: Option<&Value>) -> Vec<String> {
    match value {
        Some(Value::String(text)) => split(text),
        Some(Value::Array(list)) => {
            let texts = list.iter().filter_map(Value::as_str);
            texts.map(str::to_owned).collect()
        }
        _ => Vec::new(),
    }
}

/// Flags in a variable: separated by spaces, or encoded
/// (`CARGO_ENCODED_RUSTFLAGS`).
fn split(text: &str) -> Vec<String> {
    let words = text.split([' ', '\u{1f}', '\n', '\t']);
    let words = words.filter(|word| !word.is_empty());
    words.map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        split(text)
    }

    #[test]
    fn flags_name_arguments_and_search_paths() {
        let flags = "-C link-arg=a.o -Clink-args=-Tb.x --codegen=linker=./c -L native=d -Le --cfg link-arg=no -O";
        let (args, search) = arguments(&words(flags));
        assert_eq!(args[..3], ["a.o", "-Tb.x", "./c"]);
        assert_eq!(search, ["native=d", "e"]);
    }

    #[test]
    fn every_part_that_is_a_file_counts() {
        let dir = tempfile::tempdir().unwrap();
        let dir = Utf8Path::from_path(dir.path()).unwrap();
        fs::create_dir(dir.join("lib")).unwrap();
        let names = [
            "a.o",
            "b.x",
            "c.map",
            "-g",
            "lib/d.x",
            "lib/libe.a",
            "lib/f.so",
        ];
        for name in names {
            fs::write(dir.join(name), "").unwrap();
        }
        let args = "a.o -Tb.x -Wl,--version-script=c.map -Wl,-T,d.x -nostartfiles -g @missing";
        let search = words("native=lib");
        let found = named_files(&words(args), &search, dir);
        let expected = ["a.o", "b.x", "c.map", "lib/d.x"].map(|name| dir.join(name));
        assert_eq!(found, expected);
        let libraries = libraries("native=lib", dir).unwrap();
        assert_eq!(libraries, [dir.join("lib/libe.a")]);
        assert!(super::libraries("crate=lib", dir).unwrap().is_empty());
    }

    #[test]
    fn names_of_libraries_are_told_up_to_a_number() {
        let dir = tempfile::tempdir().unwrap();
        let dir = Utf8Path::from_path(dir.path()).unwrap();
        assert!(names(&dir.join("missing"), true).unwrap().is_empty());
        for name in ["libb.so", "liba.a", "c.lib", "libb.so.1", "README"] {
            fs::write(dir.join(name), "").unwrap();
        }
        assert_eq!(names(dir, true).unwrap(), ["c.lib", "liba.a", "libb.so"]);
        assert_eq!(names(dir, false).unwrap(), ["c.lib", "liba.a"]);
        for number in 2..MAX_LIBRARIES {
            fs::write(dir.join(format!("lib{number}.a")), "").unwrap();
        }
        assert_eq!(names(dir, false).unwrap().len(), MAX_LIBRARIES);
        assert_eq!(libraries(".", dir).unwrap().len(), MAX_LIBRARIES);
        fs::write(dir.join("one-more.a"), "").unwrap();
        assert!(libraries(".", dir).unwrap().is_empty());
        assert_eq!(names(dir, true).unwrap(), ["*.a", "libb.so"]);
        assert!(names(&dir.join("liba.a"), true).is_err(), "no directory");
    }

    #[test]
    fn settings_give_flags_as_texts_and_as_lists() {
        let dir = tempfile::tempdir().unwrap();
        let dir = Utf8Path::from_path(dir.path()).unwrap();
        fs::write(dir.join("a.o"), "").unwrap();
        let table = r#"
            build.rustflags = "-L native=one"
            [target.x]
            rustflags = ["-Lnative=two", "-C", "link-arg=a.o"]
            [target.x.links]
            rustc-flags = "-L three"
            rustc-link-search = ["native=four"]
        "#;
        let config = Config {
            files: vec![super::super::config::ConfigFile {
                path: dir.join("config.toml"),
                table: table.parse().unwrap(),
            }],
            candidates: Vec::new(),
        };
        let linked = of_settings(&config, dir);
        assert!(linked.files.contains(&dir.join("a.o")));
        // After those of the environment.
        let expected = ["one", "two", "three", "four"].map(|name| dir.join(name));
        assert!(linked.dirs.ends_with(&expected), "{:?}", linked.dirs);
    }
}
