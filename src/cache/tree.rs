//! Puts files from the store into a directory tree.
//!
//! Nothing is ever written into a file that is there: it may be linked to
//! another tree. Every file is made under a new inode, with the time and the
//! mode it shall have, and no path can leave the directory it is meant for.

use std::collections::HashSet;
use std::sync::Mutex;

use camino::{Utf8Path, Utf8PathBuf};
use filetime::FileTime;
use fs_err as fs;

use super::system::{patiently, set_time};
use crate::fault;

/// How a blob gets into a tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// As a hard link to the store's file, which keeps its time; where that is
    /// not possible, as a copy with that time.
    Link,
    /// As a file of its own (the system shares the blocks where it can).
    Copy,
}

/// Joins a stored path to a directory.
///
/// # Errors
/// When the path could lead elsewhere: absolute, with `..`, and on Windows with
/// a prefix, a stream or the name of a device. A record may come from elsewhere
/// one day.
pub fn inside(dir: &Utf8Path, path: &str) -> std::io::Result<Utf8PathBuf> {
    if is_inside(path, cfg!(windows)) {
        Ok(dir.join(path))
    } else {
        Err(std::io::Error::other(format!(
            "the cache names a path outside of the target directory: {path:?}"
        )))
    }
}

fn is_inside(path: &str, on_windows: bool) -> bool {
    let is_strange = |name: &str| {
        matches!(name, "" | "." | "..")
            || name.contains('\0')
            || (on_windows && is_special_on_windows(name))
    };
    !path.split('/').any(is_strange)
}

/// What means something else than a file's name there (Microsoft: "Naming
/// Files, Paths, and Namespaces").
fn is_special_on_windows(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or(name).trim_end();
    let stem = stem.to_ascii_lowercase();
    let is_device = ["con", "prn", "aux", "nul", "conin$", "conout$"].contains(&stem.as_str());
    let number = stem.strip_prefix("com").or(stem.strip_prefix("lpt"));
    let is_port = number.is_some_and(|number| {
        let mut chars = number.chars();
        let digit = |c: char| c.is_ascii_digit() || matches!(c, '\u{b9}' | '\u{b2}' | '\u{b3}');
        chars.next().is_some_and(digit) && chars.next().is_none()
    });
    is_device || is_port || name.ends_with(['.', ' ']) || name.contains(['\\', ':'])
}

/// The directories below a root that a restore writes to. Each is looked at
/// once: a symbolic link among them would lead out of the target directory.
#[derive(Debug)]
pub struct Below<'a> {
    root: &'a Utf8Path,
    seen: Mutex<HashSet<Utf8PathBuf>>,
}

/// Whoever keeps builds on another disk links the target directory, or a
/// profile's in it; what lies deeper is cargo's.
const MAY_BE_LINKS: usize = 2;

impl<'a> Below<'a> {
    /// Below this directory.
    pub fn new(root: &'a Utf8Path) -> Below<'a> {
        Below {
            root,
            seen: Mutex::default(),
        }
    }

    /// The place of a file, in a directory that exists from now on.
    ///
    /// # Errors
    /// When the path leads elsewhere, or the directory cannot be made.
    pub fn file(&self, path: &str) -> std::io::Result<Utf8PathBuf> {
        let file = inside(self.root, path)?;
        if let Some((dir, _)) = path.rsplit_once('/') {
            self.dir(dir)?;
        } else {
            fs::create_dir_all(self.root)?;
        }
        Ok(file)
    }

    /// A directory, which exists from now on.
    ///
    /// # Errors
    /// As for [`Below::file`].
    pub fn dir(&self, path: &str) -> std::io::Result<Utf8PathBuf> {
        let dir = inside(self.root, path)?;
        if self.seen().contains(&dir) {
            return Ok(dir);
        }
        match path.rsplit_once('/') {
            Some((above, _)) => drop(self.dir(above)?),
            None => fs::create_dir_all(self.root)?,
        }
        if let Err(error) = fs::create_dir(&dir) {
            let found = fs::symlink_metadata(&dir)?;
            let depth = path.split('/').count();
            let fits = found.is_dir() || (depth <= MAY_BE_LINKS && dir.is_dir());
            if !fits {
                return Err(match found.is_symlink() {
                    true => std::io::Error::other(format!("{dir} is a symbolic link")),
                    false => error,
                });
            }
        }
        self.seen().insert(dir.clone());
        Ok(dir)
    }

    fn seen(&self) -> std::sync::MutexGuard<'_, HashSet<Utf8PathBuf>> {
        // A panic elsewhere leaves the set whole: every change is one insert.
        self.seen
            .lock()
            .unwrap_or_else(|poison| poison.into_inner())
    }
}

/// Makes `to` a copy of, or a link to, `from`.
///
/// # Errors
/// When the file cannot be made.
pub fn place(
    from: &Utf8Path,
    to: &Utf8Path,
    way: Way,
    time: FileTime,
    executable: bool,
) -> std::io::Result<()> {
    if way == Way::Link && link(from, to).is_ok() {
        return Ok(());
    }
    copy(from, to, executable)?;
    fault::point("place: copied");
    set_time(to, time)
}

/// Gives a file a second name, in place of whatever has that name now.
///
/// # Errors
/// When it cannot be linked there.
pub fn link(from: &Utf8Path, to: &Utf8Path) -> std::io::Result<()> {
    anew(to, || fs::hard_link(from, to))
}

/// Makes a file under a new inode. Mostly there is nothing in its place, so
/// that is only looked for if it is in the way.
fn anew<T>(to: &Utf8Path, make: impl Fn() -> std::io::Result<T>) -> std::io::Result<T> {
    match make() {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            remove(to)?;
            patiently(make)
        }
        made => made,
    }
}

/// Writes a small file with the given time.
///
/// # Errors
/// When the file cannot be made.
pub fn write(to: &Utf8Path, content: &[u8], time: FileTime) -> std::io::Result<()> {
    let mut file = anew(to, || create(to, false))?;
    fault::point("write: created");
    std::io::Write::write_all(&mut file, content)?;
    filetime::set_file_handle_times(file.file(), None, Some(time))
}

/// Removes a file if it is there. A directory in its place is an error.
///
/// # Errors
/// When it is there and cannot be removed.
pub fn remove(path: &Utf8Path) -> std::io::Result<()> {
    match patiently(|| fs::remove_file(path)) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Gives `to` the file `from`, as cargo uplifts an artifact: by a hard link,
/// else by a copy.
///
/// # Errors
/// When neither works.
pub fn link_or_copy(from: &Utf8Path, to: &Utf8Path, executable: bool) -> std::io::Result<()> {
    match link(from, to) {
        Ok(()) => Ok(()),
        Err(_) => copy(from, to, executable),
    }
}

#[cfg(unix)]
fn create(path: &Utf8Path, executable: bool) -> std::io::Result<fs::File> {
    use fs_err::os::unix::fs::OpenOptionsExt;
    // The umask takes its part, as it does for rustc's own outputs.
    let mode = if executable { 0o777 } else { 0o666 };
    fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path)
}

#[cfg(not(unix))]
fn create(path: &Utf8Path, _executable: bool) -> std::io::Result<fs::File> {
    fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(path)
}

#[cfg(target_os = "linux")]
fn copy(from: &Utf8Path, to: &Utf8Path, executable: bool) -> std::io::Result<()> {
    // std copies between files inside the kernel, sharing blocks where the
    // file system can.
    let mut source = std::fs::File::open(from)?;
    let mut file = anew(to, || create(to, executable))?.into_parts().0;
    std::io::copy(&mut source, &mut file).map(drop)
}

#[cfg(not(target_os = "linux"))]
fn copy(from: &Utf8Path, to: &Utf8Path, executable: bool) -> std::io::Result<()> {
    // Clones blocks on APFS and ReFS.
    remove(to)?;
    patiently(|| fs::copy(from, to))?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = if executable { 0o755 } else { 0o644 };
        fs::set_permissions(to, std::fs::Permissions::from_mode(mode))?;
    }
    let _ = executable;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_stay_inside() {
        let dir = Utf8Path::new("/t");
        assert_eq!(
            inside(dir, "debug/deps/a.rlib").unwrap(),
            "/t/debug/deps/a.rlib"
        );
        for path in [
            "",
            "/etc/passwd",
            "..",
            "a/../../b",
            "./a",
            "a//b",
            "a/",
            "a\0",
        ] {
            for on_windows in [false, true] {
                assert!(!is_inside(path, on_windows), "{path:?}");
            }
        }
        for path in [
            "C:\\x",
            "C:x",
            "a\\b",
            "nul",
            "NUL .txt",
            "a/COM1.txt",
            "a/aux",
            "a/lpt\u{b9}",
            "a. ",
            "b/.. ",
            "a/b.",
            "CONOUT$",
            "lpt\u{b2}",
        ] {
            assert!(!is_inside(path, true), "{path:?}");
        }
        for path in [
            "a/auxiliary.h",
            "com10",
            "compute",
            "a/b.c",
            ".fingerprint/x",
        ] {
            assert!(is_inside(path, true), "{path:?}");
        }
        assert!(is_inside("out/aux.h", false));
    }

    #[test]
    fn directories_are_made_once_and_lead_nowhere_else() {
        let base = tempfile::tempdir().unwrap();
        let base = Utf8Path::from_path(base.path()).unwrap();
        let root = base.join("target");
        let below = Below::new(&root);
        assert_eq!(
            below.file("debug/deps/a").unwrap(),
            root.join("debug/deps/a")
        );
        assert!(root.join("debug/deps").is_dir());
        assert_eq!(below.file("a").unwrap(), root.join("a"));
        assert!(below.file("debug/../../a").is_err());
        fs::write(root.join("debug/file"), "").unwrap();
        assert!(below.file("debug/file/a").is_err());
    }

    #[cfg(unix)]
    #[test]
    fn links_below_a_profile_are_not_followed() {
        use std::os::unix::fs::symlink;
        let base = tempfile::tempdir().unwrap();
        let base = Utf8Path::from_path(base.path()).unwrap();
        let (root, elsewhere) = (base.join("target"), base.join("elsewhere"));
        fs::create_dir_all(root.join("debug/build/x")).unwrap();
        fs::create_dir_all(&elsewhere).unwrap();
        symlink(&elsewhere, root.join("debug/build/x/out")).unwrap();
        let below = Below::new(&root);
        assert!(below.file("debug/build/x/out/a").is_err());
        assert!(below.dir("debug/build/x/out/a/b").is_err());
        symlink(&elsewhere, root.join("release")).unwrap();
        assert!(
            below.file("release/deps/a").is_ok(),
            "somebody's other disk"
        );
        assert!(elsewhere.join("deps").is_dir());
    }

    #[test]
    fn a_linked_file_is_never_written_into() {
        let dir = tempfile::tempdir().unwrap();
        let dir = Utf8Path::from_path(dir.path()).unwrap();
        let (a, b, c) = (dir.join("a"), dir.join("b"), dir.join("c"));
        fs::write(&a, "one").unwrap();
        fs::write(&c, "two").unwrap();
        let time = FileTime::from_unix_time(1_000_000_000, 0);
        place(&a, &b, Way::Link, time, false).unwrap();
        place(&c, &b, Way::Copy, time, true).unwrap();
        assert_eq!(fs::read_to_string(&a).unwrap(), "one");
        assert_eq!(fs::read_to_string(&b).unwrap(), "two");
        let meta = fs::metadata(&b).unwrap();
        assert_eq!(FileTime::from_last_modification_time(&meta), time);
        #[cfg(unix)]
        assert_eq!(
            std::os::unix::fs::PermissionsExt::mode(&meta.permissions()) & 0o111,
            0o111
        );
        write(&b, b"three", time).unwrap();
        assert_eq!(fs::read_to_string(&c).unwrap(), "two");
    }
}
