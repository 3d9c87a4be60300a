//! Inputs: what a file is now, without reading it twice.
//!
//! A digest is remembered with a stamp (size, times, inode). While the stamp
//! stays, the content is taken to be the same; the change time, which no
//! program can set back, guards against files that are put back with an old
//! time. A file that was changed so shortly before it was read that another
//! change might not show in its stamp is never trusted: it is read again.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use camino::{Utf8Path, Utf8PathBuf};
use fs_err as fs;
use serde::{Deserialize, Serialize};

use super::Dirs;
use crate::cache::system::{self, Identity};
use crate::cargo::linking;
use crate::unit::{Digest, KeyHasher};

/// How long before being read a file must have been left alone to be trusted,
/// on a file system with fine times: well over a timer tick.
const SETTLED: i64 = 50_000_000;

/// The same where times are full seconds (FAT counts in two).
const SETTLED_COARSE: i64 = 2_500_000_000;

/// What `stat` tells of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    /// Size in bytes.
    pub size: u64,
    /// Modification time, nanoseconds since 1970.
    pub modified: i64,
    /// Change time (creation time on Windows), likewise.
    pub changed: i64,
    /// Inode number (file index on Windows), 0 where there is none.
    pub inode: u64,
}

impl Stamp {
    /// The stamp of a file or directory, following links as cargo does.
    ///
    /// # Errors
    /// When it does not exist or cannot be looked at.
    pub fn of(path: &Utf8Path) -> std::io::Result<Stamp> {
        system::identity(path).map(Stamp::from)
    }

    /// Whether another change could have left no trace in this stamp, if the
    /// file was read at `read_at` (nanoseconds since 1970).
    fn is_settled(&self, read_at: i64) -> bool {
        let newest = self.modified.max(self.changed);
        let coarse = self.modified % 1_000_000_000 == 0 && self.changed % 1_000_000_000 == 0;
        let wait = if coarse { SETTLED_COARSE } else { SETTLED };
        newest.saturating_add(wait) < read_at
    }
}

impl From<Identity> for Stamp {
    fn from(identity: Identity) -> Stamp {
        let Identity {
            size,
            modified,
            changed,
            inode,
            links: _,
        } = identity;
        Stamp {
            size,
            modified,
            changed,
            inode,
        }
    }
}

/// Something below a directory.
pub struct Found {
    /// Where.
    pub path: Utf8PathBuf,
    /// What it is; of a link, what it leads to. None for a link that leads
    /// nowhere, or back to where it is.
    pub meta: Option<std::fs::Metadata>,
    /// Whether it is a link.
    pub is_link: bool,
}

impl Found {
    /// Whether it is a file that can be read.
    pub fn is_file(&self) -> bool {
        self.meta.as_ref().is_some_and(std::fs::Metadata::is_file)
    }

    /// The modification time of the link itself.
    pub fn modified_link(&self) -> Option<i64> {
        let meta = self.is_link.then(|| fs::symlink_metadata(&self.path))?;
        meta.ok()?.modified().ok().map(nanos)
    }
}

/// A directory and everything below it, sorted by name, but for what `skip`
/// holds. Links are followed, as cargo follows them (`mtime_recursive`).
pub fn walk<'a>(
    top: &'a Utf8Path,
    skip: &'a [&Utf8Path],
) -> impl Iterator<Item = std::io::Result<Found>> + 'a {
    let is_skipped = |entry: &walkdir::DirEntry| {
        let path = match entry.path_is_symlink() {
            true => entry.path().canonicalize().unwrap_or_default(),
            false => entry.path().to_owned(),
        };
        Utf8Path::from_path(&path).is_some_and(|path| skip.contains(&path))
    };
    let found = |path: &std::path::Path, meta, is_link| {
        let path = Utf8PathBuf::from_path_buf(path.to_owned());
        let path = path.map_err(|_| std::io::Error::other("a path that is not UTF-8"))?;
        Ok(Found {
            path,
            meta,
            is_link,
        })
    };
    walkdir::WalkDir::new(top)
        .follow_links(true)
        .sort_by_file_name()
        .into_iter()
        .filter_entry(move |entry| entry.depth() == 0 || !is_skipped(entry))
        .map(move |entry| match entry {
            Ok(entry) => {
                let meta = entry.metadata()?;
                found(entry.path(), Some(meta), entry.path_is_symlink())
            }
            Err(error) => match error.path().filter(|path| path.is_symlink()) {
                Some(path) => found(path, None, true),
                None => Err(error.into()),
            },
        })
}

/// A time as nanoseconds since 1970.
pub fn nanos(time: SystemTime) -> i64 {
    let clamp = |d: std::time::Duration| i64::try_from(d.as_nanos()).unwrap_or(i64::MAX);
    match time.duration_since(UNIX_EPOCH) {
        Ok(after) => clamp(after),
        Err(before) => -clamp(before.duration()),
    }
}

/// Digests of files, remembered by stamp.
#[derive(Debug, Default)]
pub struct Memo {
    known: Mutex<HashMap<Utf8PathBuf, Known>>,
    hashed: AtomicU64,
}

#[derive(Clone, Copy, Debug)]
struct Known {
    stamp: Stamp,
    digest: Digest,
    used: bool,
}

impl Memo {
    /// A memo that begins with these entries.
    pub fn with(known: HashMap<Utf8PathBuf, (Stamp, Digest)>) -> Memo {
        let entry = |(path, (stamp, digest))| {
            let used = false;
            (
                path,
                Known {
                    stamp,
                    digest,
                    used,
                },
            )
        };
        Memo {
            known: Mutex::new(known.into_iter().map(entry).collect()),
            hashed: AtomicU64::new(0),
        }
    }

    /// How many files had to be read so far.
    pub fn hashed(&self) -> u64 {
        self.hashed.load(Ordering::Relaxed)
    }

    fn known(&self) -> std::sync::MutexGuard<'_, HashMap<Utf8PathBuf, Known>> {
        // A panic elsewhere leaves the map whole: every change is one insert.
        self.known
            .lock()
            .unwrap_or_else(|poison| poison.into_inner())
    }

    /// The digest of a file's content.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn file(&self, path: &Utf8Path) -> std::io::Result<Digest> {
        self.stamped(path).map(|(_, digest)| digest)
    }

    /// The digest of a file's content, and the stamp that goes with it.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn stamped(&self, path: &Utf8Path) -> std::io::Result<(Stamp, Digest)> {
        self.remembered(path, || {
            let digest = Digest::of(&fs::read(path)?);
            self.hashed.fetch_add(1, Ordering::Relaxed);
            Ok(digest)
        })
    }

    /// The digest of the names of the libraries in a directory that the linker
    /// searches. Shared ones in the directories of the build itself do not
    /// count: cargo puts its own there.
    ///
    /// # Errors
    /// When the directory is there and cannot be read.
    pub fn libraries(&self, dir: &Utf8Path, dirs: &Dirs) -> std::io::Result<Digest> {
        let with_shared = !dir.starts_with(&dirs.build) && !dir.starts_with(&dirs.target);
        let look = || {
            let mut hasher = KeyHasher::new("libraries");
            for name in linking::names(dir, with_shared)? {
                hasher.part("name", name.as_bytes());
            }
            Ok(hasher.finish())
        };
        match dir.exists() {
            true => self.remembered(dir, look).map(|(_, digest)| digest),
            false => look(),
        }
    }

    /// What was read of a path, if that has not changed since; else what `read`
    /// says.
    fn remembered(
        &self,
        path: &Utf8Path,
        read: impl FnOnce() -> std::io::Result<Digest>,
    ) -> std::io::Result<(Stamp, Digest)> {
        let stamp = Stamp::of(path)?;
        if let Some(known) = self.known().get_mut(path)
            && known.stamp == stamp
        {
            known.used = true;
            return Ok((stamp, known.digest));
        }
        let read_at = nanos(SystemTime::now());
        let digest = read()?;
        if stamp.is_settled(read_at) && Stamp::of(path)? == stamp {
            let used = true;
            let known = Known {
                stamp,
                digest,
                used,
            };
            self.known().insert(path.to_owned(), known);
        } else {
            self.known().remove(path);
        }
        Ok((stamp, digest))
    }

    /// The digest of everything below a directory: names and contents, and
    /// times as well if `with_times`. What is in `skip` is left out.
    ///
    /// # Errors
    /// When something below cannot be read.
    pub fn tree(
        &self,
        top: &Utf8Path,
        with_times: bool,
        skip: &[&Utf8Path],
    ) -> std::io::Result<Digest> {
        let mut hasher = KeyHasher::new("tree");
        for found in walk(top, skip) {
            let found = found?;
            let path = &found.path;
            let name = path.strip_prefix(top).unwrap_or(path);
            let name = name.as_str().replace('\\', "/");
            if with_times && found.is_file() {
                let modified = found.meta.as_ref().and_then(|meta| meta.modified().ok());
                hasher.part("time", &modified.map_or(0, nanos).to_le_bytes());
            }
            let content = match &found.meta {
                Some(meta) if meta.is_file() => self.file(path)?.0.to_vec(),
                Some(_) => Vec::new(),
                None => fs::read_link(path)?.as_os_str().as_encoded_bytes().to_vec(),
            };
            hasher.part(&name, &content);
        }
        Ok(hasher.finish())
    }

    /// Notes what somebody else has read, for as long as the stamp stays.
    pub fn learn(&self, path: &Utf8Path, stamp: Stamp, digest: Digest) {
        let used = false;
        let known = Known {
            stamp,
            digest,
            used,
        };
        self.known().entry(path.to_owned()).or_insert(known);
    }

    /// All entries that were of use, for remembering.
    pub fn entries(&self) -> HashMap<Utf8PathBuf, (Stamp, Digest)> {
        let known = self.known();
        let used = known.iter().filter(|(_, known)| known.used);
        used.map(|(path, known)| (path.clone(), (known.stamp, known.digest)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dir() -> (tempfile::TempDir, Utf8PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = Utf8PathBuf::from_path_buf(dir.path().to_owned()).unwrap();
        (dir, path)
    }

    #[test]
    fn a_fresh_file_is_not_trusted() {
        let (_guard, dir) = dir();
        let file = dir.join("a");
        let memo = Memo::default();
        fs::write(&file, "one").unwrap();
        let one = memo.file(&file).unwrap();
        fs::write(&file, "two").unwrap();
        assert_ne!(memo.file(&file).unwrap(), one);
        assert_eq!(memo.hashed(), 2);
        assert!(memo.entries().is_empty());
    }

    #[test]
    fn shared_libraries_of_the_build_itself_do_not_count() {
        let (_guard, dir) = dir();
        let dirs = Dirs {
            workspace: dir.join("ws"),
            build: dir.join("build"),
            target: dir.join("target"),
            cargo_home: dir.join("home"),
        };
        let names = |top: &Utf8Path, name: &str| {
            let libs = top.join("libs");
            let _ = fs::remove_dir_all(&libs);
            fs::create_dir_all(&libs).unwrap();
            fs::write(libs.join(name), "").unwrap();
            Memo::default().libraries(&libs, &dirs).unwrap()
        };
        let none = names(&dirs.workspace, "README");
        for (top, counts) in [
            (&dirs.workspace, true),
            (&dirs.build, false),
            (&dirs.target, false),
        ] {
            assert_eq!(names(top, "libx.so") != none, counts, "{top}");
            assert_ne!(names(top, "libx.a"), none, "{top}");
        }
    }

    #[test]
    fn a_settled_file_is_read_once_until_it_changes() {
        let (_guard, dir) = dir();
        let file = dir.join("a");
        let memo = Memo::default();
        fs::write(&file, "one").unwrap();
        std::thread::sleep(std::time::Duration::from_millis(120));
        let one = memo.file(&file).unwrap();
        assert_eq!(memo.file(&file).unwrap(), one);
        assert_eq!(memo.hashed(), 1);
        // Same length, and its old time put back: the change time tells.
        let meta = fs::metadata(&file).unwrap();
        let old = filetime::FileTime::from_last_modification_time(&meta);
        fs::write(&file, "two").unwrap();
        filetime::set_file_mtime(&file, old).unwrap();
        if cfg!(unix) {
            assert_ne!(memo.file(&file).unwrap(), one);
        }
    }

    #[test]
    fn a_tree_sees_names_contents_and_times() {
        let (_guard, dir) = dir();
        let memo = Memo::default();
        fs::create_dir(dir.join("d")).unwrap();
        fs::write(dir.join("d/a"), "1").unwrap();
        let tree = |times| memo.tree(&dir, times, &[]).unwrap();
        let (first, timed) = (tree(false), tree(true));
        let past = filetime::FileTime::from_unix_time(1_000_000_000, 0);
        filetime::set_file_mtime(dir.join("d/a"), past).unwrap();
        assert_eq!(tree(false), first);
        assert_ne!(tree(true), timed);
        fs::rename(dir.join("d/a"), dir.join("d/b")).unwrap();
        assert_ne!(tree(false), first);
        fs::rename(dir.join("d/b"), dir.join("d/a")).unwrap();
        fs::create_dir(dir.join("e")).unwrap();
        assert_ne!(tree(false), first);
        assert_eq!(memo.tree(&dir, false, &[&dir.join("e")]).unwrap(), first);
    }

    #[test]
    fn a_stamp_is_settled_after_a_tick_of_its_clock() {
        // Not a full second.
        const FINE: i64 = 7_000_000_001;
        const COARSE: i64 = 7_000_000_000;
        for (modified, changed, wait) in [
            (FINE, 1, SETTLED),
            (1, FINE, SETTLED),
            (COARSE, 1, SETTLED),
            (1, COARSE, SETTLED),
            (COARSE, 1_000_000_000, SETTLED_COARSE),
            (1_000_000_000, COARSE, SETTLED_COARSE),
        ] {
            let stamp = Stamp {
                size: 1,
                modified,
                changed,
                inode: 1,
            };
            let settled = modified.max(changed) + wait;
            assert!(!stamp.is_settled(settled), "{stamp:?}");
            assert!(stamp.is_settled(settled + 1), "{stamp:?}");
        }
    }

    #[test]
    fn times_before_1970_are_negative() {
        let nanosecond = std::time::Duration::from_nanos(100);
        assert_eq!(nanos(UNIX_EPOCH + nanosecond), 100);
        assert_eq!(nanos(UNIX_EPOCH - nanosecond), -100);
    }

    #[test]
    fn what_was_known_is_not_read_and_what_was_of_no_use_is_forgotten() {
        let (_guard, dir) = dir();
        let file = dir.join("a");
        fs::write(&file, "one").unwrap();
        let known = (Stamp::of(&file).unwrap(), Digest::of(b"remembered"));
        let other = dir.join("b");
        let all = [(file.clone(), known), (other, known)];
        let memo = Memo::with(HashMap::from(all));
        assert_eq!(memo.file(&file).unwrap(), known.1);
        assert_eq!(memo.hashed(), 0);
        assert_eq!(memo.entries(), HashMap::from([(file, known)]));
    }

    #[test]
    fn a_tree_counts_by_its_contents_and_the_times_of_files() {
        let (_guard, dir) = dir();
        let memo = Memo::default();
        fs::create_dir(dir.join("d")).unwrap();
        fs::write(dir.join("d/a"), "1").unwrap();
        let tree = |times| memo.tree(&dir, times, &[]).unwrap();
        let (first, timed) = (tree(false), tree(true));
        let past = filetime::FileTime::from_unix_time(1_000_000_000, 0);
        filetime::set_file_mtime(dir.join("d"), past).unwrap();
        assert_eq!(tree(true), timed, "a directory's time is none of a file");
        fs::write(dir.join("d/a"), "2").unwrap();
        assert_ne!(tree(false), first);
    }

    #[cfg(unix)]
    #[test]
    fn a_link_has_a_time_of_its_own() {
        let (_guard, dir) = dir();
        let (file, link) = (dir.join("a"), dir.join("link"));
        fs::write(&file, "1").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        let time = filetime::FileTime::from_unix_time(5, 0);
        filetime::set_symlink_file_times(&link, time, time).unwrap();
        let found = walk(&dir, &[]).map(Result::unwrap);
        let times = found.map(|found| (found.path.clone(), found.modified_link()));
        let expected = [
            (dir.clone(), None),
            (file, None),
            (link, Some(5_000_000_000)),
        ];
        assert_eq!(times.collect::<Vec<_>>(), expected);
    }
}
