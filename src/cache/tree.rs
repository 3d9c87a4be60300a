//! Puts files from the store into a directory tree.
//!
//! Nothing is ever written into a file that is there: it may be linked to
//! another tree. Every file is made under a new inode, with the time and the
//! mode it shall have, and no path can leave the directory it is meant for.

use camino::{Utf8Component, Utf8Path, Utf8PathBuf};
use filetime::FileTime;
use fs_err as fs;

use super::system::{patiently, set_time};

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
/// When the path could lead elsewhere: absolute, with `..`, with a prefix, or
/// with a name that Windows reserves. A record may come from elsewhere one day.
pub fn inside(dir: &Utf8Path, path: &str) -> std::io::Result<Utf8PathBuf> {
    let relative = Utf8Path::new(path);
    let plain = !path.is_empty()
        && !path.contains(['\\', ':', '\0'])
        && relative
            .components()
            .all(|part| matches!(part, Utf8Component::Normal(name) if !is_reserved(name)));
    if plain {
        Ok(dir.join(relative))
    } else {
        Err(std::io::Error::other(format!(
            "the cache names a path outside of the target directory: {path:?}"
        )))
    }
}

fn is_reserved(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or(name).trim_end();
    let stem = stem.to_ascii_lowercase();
    let device = ["con", "prn", "aux", "nul", "conin$", "conout$"].contains(&stem.as_str());
    let port = stem
        .strip_prefix("com")
        .or_else(|| stem.strip_prefix("lpt"))
        .is_some_and(|rest| {
            let mut rest = rest.chars();
            let is_number = |c: char| c.is_ascii_digit() || matches!(c, '¹' | '²' | '³');
            rest.next().is_some_and(is_number) && rest.next().is_none()
        });
    // Windows takes dots and spaces off the end: another file is meant then.
    let is_cut = cfg!(windows) && name.ends_with(['.', ' ']);
    device || port || is_cut
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
            "C:\\x",
            "a\\b",
            "nul",
            "a/COM1.txt",
            "a/aux",
            "a/NUL .x",
            "lpt\u{b2}",
            "./a\0",
        ] {
            assert!(inside(dir, path).is_err(), "{path:?}");
        }
        for path in ["common", "com10", "a/auxiliary.rs", "console/nulls"] {
            assert!(inside(dir, path).is_ok(), "{path:?}");
        }
        assert_eq!(inside(dir, "a/b.").is_err(), cfg!(windows));
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
