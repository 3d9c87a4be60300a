//! Dep-info that a compiler left in a build script's `OUT_DIR`.
//!
//! Scripts that try what the compiler can do (anyhow's and thiserror's of some
//! years) leave a `.d` file there, a text with the directory's name in it that
//! nobody reads. Kept as a text whose directories are put in anew it says in
//! every directory what the script would have written there. Its bytes do not
//! count for what rests on the run then, so nothing may rest on them: where the
//! script tells others of a directory the file stays what it is, and whoever
//! includes it, or can use a macro that reads files, is bound to its directory.

use camino::Utf8Path;
use walkdir::WalkDir;

use crate::plan::{Dirs, PlanUnit};
use crate::unit::Role;

/// Larger ones are no such texts, in bytes: a probe rests on one file, while
/// what a C compiler lists would make every reading of the record longer.
pub const LARGEST: u64 = 16 << 10;

/// Whether a file is called like dep-info.
pub fn is_called_so(path: &Utf8Path) -> bool {
    path.extension() == Some("d")
}

/// Whether a file of a unit can be such a text, as far as its name tells.
pub fn may_be(unit: &PlanUnit, role: Role, path: &str) -> bool {
    unit.is_run() && role == Role::Output && is_called_so(Utf8Path::new(path))
}

/// Whether these bytes name this build's directories, nothing of them is left
/// once they are taken out, and the script that printed `stdout` told nobody
/// where to find them: other scripts would be built from them.
pub fn is_rooted(bytes: &[u8], stdout: &[u8], dirs: &Dirs) -> bool {
    let unrooted = dirs.unroot_text(bytes);
    let names = |text: &[u8]| dirs.are_named_in(&String::from_utf8_lossy(text));
    // A zero is how a text marks a directory in the store.
    unrooted != bytes && !bytes.contains(&0) && !names(&unrooted) && !names(stdout)
}

/// Whether there may be one in these directories.
pub fn may_be_below(dirs: &[&Utf8Path]) -> bool {
    let entries = dirs.iter().flat_map(WalkDir::new);
    entries.into_iter().any(|entry| match entry {
        Ok(entry) => entry.path().extension().is_some_and(|end| end == "d"),
        Err(_) => true,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exec::fixtures::Bench;
    use crate::plan::fixtures;
    use crate::unit::Action;

    #[test]
    fn a_text_with_directories_in_it_and_nothing_else_is_rooted() {
        let bench = Bench::new();
        let build = bench.dirs.build.as_str();
        let quiet = b"cargo::rustc-cfg=probe\n";
        let rooted = |text: &str| is_rooted(text.as_bytes(), quiet, &bench.dirs);
        let probe = format!("{build}/a.rmeta: a.rs\n");
        assert!(rooted(&probe));
        let tells = format!("cargo::metadata=dir={build}/out\n");
        assert!(!is_rooted(probe.as_bytes(), tells.as_bytes(), &bench.dirs));
        assert!(!rooted("a.rmeta: a.rs\n"));
        assert!(!rooted(&format!("{build}/a.rmeta: \0.rs\n")));
        // Not at the end of a component, so it stays.
        assert!(!rooted(&format!("{build}/a.rmeta: {build}2/a.rs\n")));
    }

    #[test]
    fn only_what_a_script_wrote_is_asked() {
        let bench = Bench::new();
        let mut unit = fixtures::unit("a", &bench.dirs, &[]);
        assert!(!may_be(&unit, Role::Output, "out/a.d"));
        unit.action = Action::RunScript;
        assert!(may_be(&unit, Role::Output, "out/a.d"));
        assert!(!may_be(&unit, Role::Text, "out/a.d"));
        assert!(!may_be(&unit, Role::Output, "out/a.txt"));
    }
}
