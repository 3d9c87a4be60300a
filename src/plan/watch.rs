//! What a remembered plan rests on, and whether that still stands.
//!
//! A plan holds as long as nothing changed that cargo's unit graph or our keys
//! come from: manifests, lock file, configuration, toolchain, the directories
//! in which cargo discovers targets. Contents count, not times: a touched
//! manifest keeps its plan.

use std::collections::BTreeSet;
use std::time::SystemTime;

use camino::{Utf8Path, Utf8PathBuf};
use fs_err as fs;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::inputs::{Stamp, nanos};
use crate::unit::{Digest, KeyHasher};

/// One thing that a plan rests on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watch {
    /// Where it is.
    pub path: Utf8PathBuf,
    /// What of it counts.
    pub kind: WatchKind,
    /// Its stamp, none if it did not exist.
    pub stamp: Option<Stamp>,
    /// Its digest, where the stamp alone does not decide.
    pub digest: Option<Digest>,
}

/// What of a watched path counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum WatchKind {
    /// The content of a file, or that there is none.
    File,
    /// The names in a directory, as far as they are targets.
    Listing,
    /// The stamp: any change at all.
    Stamp,
    /// Where this program (a bare name) is found on `PATH`.
    Program,
}

/// The outcome of checking all watches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Nothing changed.
    Firm,
    /// Only times changed: the plan holds, the watches need to be renewed.
    Touched(Vec<Watch>),
    /// The plan is void, because of this path.
    Void(Utf8PathBuf),
}

/// Collects watches, each path and kind once.
#[derive(Debug, Default)]
pub struct Watcher(BTreeSet<(Utf8PathBuf, WatchKind)>);

impl Watcher {
    /// Watches one path.
    pub fn add(&mut self, path: impl Into<Utf8PathBuf>, kind: WatchKind) {
        self.0.insert((path.into(), kind));
    }

    /// Watches one path; whether it was not yet watched like that.
    pub fn add_new(&mut self, path: Utf8PathBuf, kind: WatchKind) -> bool {
        self.0.insert((path, kind))
    }

    /// Watches everything from which cargo discovers the targets of a package.
    pub fn package(&mut self, dir: &Utf8Path) {
        for file in ["build.rs", "src/main.rs", "src/lib.rs"] {
            // Only whether they exist; their contents are inputs of units.
            self.add(dir.join(file), WatchKind::Listing);
        }
        // Found by cargo for `CARGO_PKG_README`.
        for readme in READMES {
            self.add(dir.join(readme), WatchKind::Listing);
        }
        for sub in ["src/bin", "examples", "tests", "benches"] {
            let sub = dir.join(sub);
            for target in directories(&sub) {
                self.add(target.join("main.rs"), WatchKind::Listing);
            }
            self.add(sub, WatchKind::Listing);
        }
    }

    /// Watches everything in which a new member could be found that matches a
    /// pattern such as `crates/*`.
    pub fn members(&mut self, root: &Utf8Path, pattern: &str) {
        let mut dirs = vec![root.to_owned()];
        for part in pattern.split('/').filter(|part| !part.is_empty()) {
            if !part.contains(['*', '?', '[']) {
                dirs = dirs.iter().map(|dir| dir.join(part)).collect();
                continue;
            }
            let mut below = Vec::new();
            for dir in dirs {
                // Hidden ones as well: the pattern matches them (cargo: `glob`).
                below.extend(all_directories(&dir));
                self.add(dir, WatchKind::Listing);
            }
            dirs = below;
        }
        for dir in dirs {
            self.add(dir.join("Cargo.toml"), WatchKind::Listing);
        }
    }

    /// Looks at everything once.
    pub fn finish(self) -> Vec<Watch> {
        self.0
            .into_iter()
            .map(|(path, kind)| look(path, kind))
            .collect()
    }
}

fn look(path: Utf8PathBuf, kind: WatchKind) -> Watch {
    let stamp = match kind {
        WatchKind::Program => None,
        _ => Stamp::of(&path).ok(),
    };
    let digest = digest(&path, kind);
    Watch {
        path,
        kind,
        stamp,
        digest,
    }
}

/// What of a path counts, as a digest; none for a missing file or program, and
/// where only the stamp counts.
pub(super) fn digest(path: &Utf8Path, kind: WatchKind) -> Option<Digest> {
    match kind {
        WatchKind::Stamp => None,
        WatchKind::File => fs::read(path).ok().map(|bytes| Digest::of(&bytes)),
        WatchKind::Listing => Some(listing(path)),
        WatchKind::Program => {
            find_program(path.as_str()).map(|p| Digest::of(p.as_str().as_bytes()))
        }
    }
}

/// The names by which cargo finds a readme (cargo: `default_readme`).
pub const READMES: &[&str] = &["README.md", "README.txt", "README"];

/// The directories in a directory in which targets may be discovered: not
/// hidden ones (cargo: `is_not_dotfile`).
fn directories(dir: &Utf8Path) -> Vec<Utf8PathBuf> {
    let mut found = all_directories(dir);
    found.retain(|path| {
        let name = path.file_name();
        name.is_none_or(|name| !name.starts_with('.'))
    });
    found
}

/// The directories in a directory; no cache such as a target directory.
fn all_directories(dir: &Utf8Path) -> Vec<Utf8PathBuf> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let mut found: Vec<Utf8PathBuf> = entries
        .filter_map(|entry| Utf8PathBuf::from_path_buf(entry.path()).ok())
        .filter(|path| path.is_dir() && !path.join("CACHEDIR.TAG").is_file())
        .collect();
    found.sort();
    found
}

/// The names that discovery looks at: `*.rs`, and directories, of which a hidden
/// one can only be a member.
fn listing(path: &Utf8Path) -> Digest {
    let mut hasher = KeyHasher::new("listing");
    let Ok(meta) = fs::metadata(path) else {
        return hasher.part("missing", b"").finish();
    };
    if meta.is_file() {
        return hasher.part("file", b"").finish();
    }
    for dir in all_directories(path) {
        let name = dir.file_name().unwrap_or_default();
        hasher.part("directory", name.as_bytes());
    }
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| name.ends_with(".rs"))
        .collect();
    names.sort();
    for name in names {
        hasher.part("name", name.as_bytes());
    }
    hasher.finish()
}

/// Where a program is found: a path as it is, a bare name on `PATH`. The
/// suffix of executables may be missing from either, as for the system.
pub fn find_program(name: &str) -> Option<Utf8PathBuf> {
    let suffix = std::env::consts::EXE_SUFFIX;
    let has_suffix = name.to_ascii_lowercase().ends_with(suffix);
    let candidates = match has_suffix {
        true => vec![name.to_owned()],
        false => vec![format!("{name}{suffix}"), name.to_owned()],
    };
    let find = |dir: &Utf8Path| {
        let mut paths = candidates.iter().map(|name| dir.join(name));
        paths.find(|path| path.is_file())
    };
    let found = if name.contains(['/', '\\']) {
        find(Utf8Path::new(""))
    } else {
        std::env::split_paths(&std::env::var_os("PATH")?)
            .filter_map(|dir| Utf8PathBuf::from_path_buf(dir).ok())
            .find_map(|dir| find(&dir))
    };
    found?.canonicalize_utf8().ok()
}

/// When any watched file was last changed, in nanoseconds since 1970.
pub fn last_change(watches: &[Watch]) -> i64 {
    let counts = |watch: &&Watch| matches!(watch.kind, WatchKind::File | WatchKind::Stamp);
    let stamps = watches
        .iter()
        .filter(counts)
        .filter_map(|watch| watch.stamp);
    stamps
        .map(|stamp| stamp.modified.max(stamp.changed))
        .max()
        .unwrap_or(i64::MAX)
}

/// How long after a change its time may be that of a moment before (the
/// kernel's timer tick), in nanoseconds.
const TICK: i64 = 15_000_000;

/// The same where times are full seconds (FAT counts in two).
const TICK_COARSE: i64 = 2_500_000_000;

/// Whether something was changed while cargo was asked, so that its answer may
/// be about what was there before: between `begun` and `ended`, in nanoseconds
/// since 1970.
pub fn changed_meanwhile(watches: &[Watch], begun: i64, ended: i64) -> bool {
    watches.iter().any(|watch| is_recent(watch, begun, ended))
}

/// Makes the plan void at the next check where that is so.
pub fn distrust(watches: &mut [Watch], begun: i64, ended: i64) {
    let none = Stamp {
        size: 0,
        modified: 0,
        changed: 0,
        inode: 0,
    };
    for watch in watches {
        if is_recent(watch, begun, ended) {
            watch.stamp = Some(none);
            watch.digest = Some(Digest([0; 32]));
        }
    }
}

fn is_recent(watch: &Watch, begun: i64, ended: i64) -> bool {
    let Some(stamp) = watch.stamp else {
        return false;
    };
    // On Windows it is the time of creation.
    let times = match cfg!(windows) {
        true => [stamp.modified, stamp.changed],
        false => [stamp.changed; 2],
    };
    let is_meanwhile = |time: i64| {
        let tick = match time % 1_000_000_000 {
            0 => TICK_COARSE,
            _ => TICK,
        };
        time.saturating_add(tick) >= begun && time <= ended.saturating_add(tick)
    };
    times.into_iter().any(is_meanwhile)
}

/// Checks all watches.
pub fn check(watches: &[Watch]) -> Standing {
    check_at(watches, nanos(SystemTime::now()))
}

/// The same at a moment, in nanoseconds since 1970.
fn check_at(watches: &[Watch], looked_at: i64) -> Standing {
    let mut touched = false;
    let mut renewed = Vec::new();
    let is_changed = |watch: &&Watch| {
        watch.kind == WatchKind::Program || Stamp::of(&watch.path).ok() != watch.stamp
    };
    let changed: Vec<&Watch> = watches.par_iter().filter(is_changed).collect();
    for watch in changed {
        let now = look(watch.path.clone(), watch.kind);
        if watch.kind == WatchKind::Stamp || now.digest != watch.digest {
            return Standing::Void(watch.path.clone());
        }
        // Another change might not show in a stamp that is so new: then the
        // old one stays, and it is looked at again.
        if watch.kind != WatchKind::Program && !is_recent(&now, looked_at, i64::MAX) {
            touched = true;
            renewed.push(now);
        }
    }
    if !touched {
        return Standing::Firm;
    }
    let mut all = watches.to_vec();
    for watch in &mut all {
        let same = |new: &&Watch| new.path == watch.path && new.kind == watch.kind;
        if let Some(new) = renewed.iter().find(same) {
            *watch = new.clone();
        }
    }
    Standing::Touched(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contents_count_and_times_do_not() {
        let dir = tempfile::tempdir().unwrap();
        let dir = Utf8Path::from_path(dir.path()).unwrap();
        fs::write(dir.join("Cargo.toml"), "a").unwrap();
        fs::create_dir_all(dir.join("tests/old")).unwrap();
        fs::create_dir_all(dir.join("tests/.hidden")).unwrap();
        let mut watcher = Watcher::default();
        watcher.add(dir.join("Cargo.toml"), WatchKind::File);
        watcher.add(dir.join("config"), WatchKind::File);
        watcher.package(dir);
        let watches = watcher.finish();
        assert_eq!(check(&watches), Standing::Firm);
        let in_hidden = dir.join("tests/.hidden/main.rs");
        assert!(watches.iter().all(|watch| watch.path != in_hidden));

        let past = filetime::FileTime::from_unix_time(1_000_000_000, 0);
        filetime::set_file_mtime(dir.join("Cargo.toml"), past).unwrap();
        fs::write(dir.join("tests/data.txt"), "no target").unwrap();
        fs::create_dir(dir.join("tests/cache")).unwrap();
        fs::write(dir.join("tests/cache/CACHEDIR.TAG"), "").unwrap();
        let Standing::Touched(renewed) = check_at(&watches, i64::MAX) else {
            panic!("only times changed");
        };
        assert_eq!(check(&renewed), Standing::Firm);

        fs::write(dir.join("tests/it.rs"), "").unwrap();
        assert_eq!(check(&renewed), Standing::Void(dir.join("tests")));
        fs::remove_file(dir.join("tests/it.rs")).unwrap();
        fs::write(dir.join("tests/old/main.rs"), "").unwrap();
        assert_eq!(
            check(&renewed),
            Standing::Void(dir.join("tests/old/main.rs"))
        );
        fs::remove_file(dir.join("tests/old/main.rs")).unwrap();
        fs::write(dir.join("config"), "").unwrap();
        assert_eq!(check(&renewed), Standing::Void(dir.join("config")));
        fs::remove_file(dir.join("config")).unwrap();
        fs::write(dir.join("build.rs"), "").unwrap();
        assert_eq!(check(&renewed), Standing::Void(dir.join("build.rs")));
        fs::remove_file(dir.join("build.rs")).unwrap();
        fs::write(dir.join("Cargo.toml"), "b").unwrap();
        assert_eq!(check(&renewed), Standing::Void(dir.join("Cargo.toml")));
    }

    #[test]
    fn a_pattern_watches_where_a_member_could_come() {
        let dir = tempfile::tempdir().unwrap();
        let dir = Utf8Path::from_path(dir.path()).unwrap();
        for sub in ["crates/a/x", "crates/.b", "other/c"] {
            fs::create_dir_all(dir.join(sub)).unwrap();
        }
        for (pattern, paths) in [
            ("solo//x", vec!["solo/x/Cargo.toml"]),
            (
                "crates/*",
                vec!["crates", "crates/a/Cargo.toml", "crates/.b/Cargo.toml"],
            ),
            (
                "crates/?/x",
                vec!["crates", "crates/a/x/Cargo.toml", "crates/.b/x/Cargo.toml"],
            ),
        ] {
            let mut watcher = Watcher::default();
            watcher.members(dir, pattern);
            let expected = paths
                .iter()
                .map(|path| (dir.join(path), WatchKind::Listing));
            assert_eq!(watcher.0, expected.collect(), "{pattern}");
        }
        let before = listing(&dir.join("crates"));
        fs::create_dir(dir.join("crates/.c")).unwrap();
        assert_ne!(listing(&dir.join("crates")), before);
    }

    #[test]
    fn programs_are_found_by_path_and_by_name() {
        let exe = std::env::current_exe().unwrap();
        let exe = Utf8Path::from_path(&exe).unwrap();
        let found = exe.canonicalize_utf8().unwrap();
        assert_eq!(find_program(exe.as_str()), Some(found));
        assert_eq!(find_program(&format!("{exe}-that-is-not-there")), None);
        let shell = find_program(if cfg!(windows) { "cmd" } else { "sh" }).unwrap();
        assert!(shell.is_absolute() && shell.is_file(), "{shell}");
        // It counts where it is, not what it is: `key` has its content.
        assert_eq!(look(exe.to_owned(), WatchKind::Program).stamp, None);
    }

    #[test]
    fn a_stamp_that_is_too_new_is_not_taken_over() {
        let dir = tempfile::tempdir().unwrap();
        let file = Utf8Path::from_path(dir.path()).unwrap().join("Cargo.toml");
        fs::write(&file, "a").unwrap();
        let old = Stamp {
            size: 1,
            modified: 1,
            changed: 1,
            inode: 1,
        };
        let mut watches = [look(file.clone(), WatchKind::File)];
        watches[0].stamp = Some(old);
        let changed = Stamp::of(&file).unwrap().changed;
        assert_eq!(check_at(&watches, changed), Standing::Firm);
        let later = changed + TICK_COARSE + 1;
        let renewed = look(file.clone(), WatchKind::File);
        assert_eq!(check_at(&watches, later), Standing::Touched(vec![renewed]));
        // Its content counts in any case.
        fs::write(&file, "b").unwrap();
        assert_eq!(check_at(&watches, changed), Standing::Void(file));
    }

    #[test]
    fn what_is_changed_while_cargo_answers_is_seen() {
        const SECOND: i64 = 1_000_000_000;
        let at = |changed: i64, kind| Watch {
            path: "a".into(),
            kind,
            stamp: Some(Stamp {
                size: 1,
                modified: changed,
                changed,
                inode: 1,
            }),
            digest: Some(Digest::of(b"a")),
        };
        let (begun, ended) = (100 * SECOND + 500_000_000, 101 * SECOND);
        for (changed, is_seen) in [
            (begun - TICK - 1, false),
            (begun - TICK, true),
            (begun + 1, true),
            (ended + TICK, true),
            (ended + TICK + 1, false),
            (98 * SECOND, true),
            (97 * SECOND, false),
            (103 * SECOND, true),
            (104 * SECOND, false),
        ] {
            for kind in [WatchKind::File, WatchKind::Listing, WatchKind::Stamp] {
                let old = at(1, WatchKind::File);
                let mut watches = [old.clone(), at(changed, kind)];
                assert_eq!(changed_meanwhile(&watches, begun, ended), is_seen);
                distrust(&mut watches, begun, ended);
                assert_eq!(watches[0], old);
                assert_eq!(watches[1] != at(changed, kind), is_seen, "{changed}");
            }
        }
        let nothing = Watch {
            stamp: None,
            ..at(begun, WatchKind::File)
        };
        assert!(!changed_meanwhile(&[nothing], begun, ended));
    }

    #[test]
    fn what_is_distrusted_is_void_whatever_becomes_of_it() {
        let dir = tempfile::tempdir().unwrap();
        let file = Utf8Path::from_path(dir.path()).unwrap().join("a");
        for kind in [WatchKind::File, WatchKind::Listing, WatchKind::Stamp] {
            fs::write(&file, "").unwrap();
            let mut watches = [look(file.clone(), kind)];
            distrust(&mut watches, i64::MIN, i64::MAX);
            assert_eq!(check(&watches), Standing::Void(file.clone()));
            fs::remove_file(&file).unwrap();
            assert_eq!(check(&watches), Standing::Void(file.clone()));
        }
    }

    #[test]
    fn the_last_change_is_that_of_a_file() {
        let watch = |kind, modified, changed| Watch {
            path: "a".into(),
            kind,
            stamp: Some(Stamp {
                size: 0,
                modified,
                changed,
                inode: 0,
            }),
            digest: None,
        };
        let listing = watch(WatchKind::Listing, 100, 100);
        let file = watch(WatchKind::File, 5, 7);
        let stamp = watch(WatchKind::Stamp, 9, 8);
        assert_eq!(last_change(std::slice::from_ref(&listing)), i64::MAX);
        assert_eq!(last_change(&[listing.clone(), file.clone()]), 7);
        assert_eq!(last_change(&[stamp, listing, file]), 9);
    }
}
