//! What operating systems do differently with files: their identity, setting
//! times, and files that somebody else holds.
//!
//! Windows refuses to remove, replace or write a file while another process
//! has it open without sharing: a virus scanner or an indexer for some
//! milliseconds, a running program for as long as it runs. So there such steps
//! are repeated for a while, and the sum of all waiting of one process is
//! limited: then it is an error like any other, and the unit a miss or the
//! build plain cargo's. Nothing here may wait on other systems.

use camino::Utf8Path;
use filetime::FileTime;

/// What identifies a file, and how many names it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Size in bytes.
    pub size: u64,
    /// Modification time, nanoseconds since 1970.
    pub modified: i64,
    /// Status change time likewise; on Windows the creation time, because
    /// nothing safe tells the change time there.
    pub changed: i64,
    /// Inode number, on Windows the file index; 0 where there is none.
    pub inode: u64,
    /// How many names it has; none where the system does not tell.
    pub links: Option<u64>,
}

/// The identity of a file or directory, links followed.
///
/// # Errors
/// When it does not exist or cannot be looked at.
#[cfg(unix)]
pub fn identity(path: &Utf8Path) -> std::io::Result<Identity> {
    use std::os::unix::fs::MetadataExt;
    let meta = std::fs::metadata(path)?;
    let nanos = |seconds: i64, nanos: i64| seconds.saturating_mul(1_000_000_000) + nanos;
    Ok(Identity {
        size: meta.len(),
        modified: nanos(meta.mtime(), meta.mtime_nsec()),
        changed: nanos(meta.ctime(), meta.ctime_nsec()),
        inode: meta.ino(),
        links: Some(meta.nlink()),
    })
}

/// The identity of a file or directory, links followed. Opened for its
/// attributes alone, which no other process can forbid.
///
/// # Errors
/// When it does not exist or cannot be looked at.
#[cfg(windows)]
pub fn identity(path: &Utf8Path) -> std::io::Result<Identity> {
    let file = open_attributes(path, FILE_READ_ATTRIBUTES)?;
    let info = winapi_util::file::information(&file)?;
    // Steps of 100 ns since 1601.
    let nanos = |ticks: Option<u64>| {
        let ticks = i64::try_from(ticks.unwrap_or(0)).unwrap_or(i64::MAX);
        (ticks - 116_444_736_000_000_000).saturating_mul(100)
    };
    Ok(Identity {
        size: info.file_size(),
        modified: nanos(info.last_write_time()),
        changed: nanos(info.creation_time()),
        inode: info.file_index(),
        links: Some(info.number_of_links()),
    })
}

#[cfg(windows)]
const FILE_READ_ATTRIBUTES: u32 = 0x80;
#[cfg(windows)]
const FILE_WRITE_ATTRIBUTES: u32 = 0x100;

#[cfg(windows)]
fn open_attributes(path: &Utf8Path, access: u32) -> std::io::Result<std::fs::File> {
    use std::os::windows::fs::OpenOptionsExt;
    /// Without it a directory cannot be opened.
    const FILE_FLAG_BACKUP_SEMANTICS: u32 = 0x0200_0000;
    std::fs::OpenOptions::new()
        .access_mode(access)
        .custom_flags(FILE_FLAG_BACKUP_SEMANTICS)
        .open(path)
}

/// Sets the modification time of a file. On Windows also of one that is
/// read-only or that runs: it is not opened for writing.
///
/// # Errors
/// When the file is not there or not ours.
pub fn set_time(path: &Utf8Path, time: FileTime) -> std::io::Result<()> {
    #[cfg(windows)]
    return patiently(|| {
        let times = std::fs::FileTimes::new().set_modified(time.into());
        open_attributes(path, FILE_WRITE_ATTRIBUTES)?.set_times(times)
    });
    #[cfg(not(windows))]
    filetime::set_file_mtime(path, time)
}

/// Does something to a file that another process may hold for a moment.
///
/// # Errors
/// Those of the step itself, the last ones if patience ends.
#[cfg(not(windows))]
pub fn patiently<T>(mut step: impl FnMut() -> std::io::Result<T>) -> std::io::Result<T> {
    step()
}

/// Does something to a file that another process may hold for a moment.
///
/// # Errors
/// Those of the step itself, the last ones if patience ends.
#[cfg(windows)]
pub fn patiently<T>(mut step: impl FnMut() -> std::io::Result<T>) -> std::io::Result<T> {
    use std::sync::atomic::{AtomicU64, Ordering};
    /// What one process may wait in all, in milliseconds.
    const LIMIT: u64 = 3_000;
    static WAITED: AtomicU64 = AtomicU64::new(0);
    for wait in [1, 2, 5, 10, 20, 50, 100, 200] {
        match step() {
            Err(error) if is_held(&error) => {
                if WAITED.fetch_add(wait, Ordering::Relaxed) > LIMIT {
                    return Err(error);
                }
                std::thread::sleep(std::time::Duration::from_millis(wait));
            }
            done => return done,
        }
    }
    step()
}

/// Whether trying again can help. Asked by kind: fs-err keeps no numbers, and
/// std has no kind for sharing and lock violations (32, 33).
#[cfg(windows)]
fn is_held(error: &std::io::Error) -> bool {
    use std::io::ErrorKind;
    !matches!(
        error.kind(),
        ErrorKind::NotFound
            | ErrorKind::AlreadyExists
            | ErrorKind::CrossesDevices
            | ErrorKind::DirectoryNotEmpty
            | ErrorKind::InvalidFilename
            | ErrorKind::InvalidInput
            | ErrorKind::IsADirectory
            | ErrorKind::NotADirectory
            | ErrorKind::QuotaExceeded
            | ErrorKind::ReadOnlyFilesystem
            | ErrorKind::StorageFull
            | ErrorKind::TooManyLinks
            | ErrorKind::Unsupported
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use fs_err as fs;

    fn dir() -> (tempfile::TempDir, camino::Utf8PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = camino::Utf8PathBuf::from_path_buf(dir.path().to_owned()).unwrap();
        (dir, path)
    }

    #[test]
    fn a_file_is_known_by_more_than_its_name() {
        let (_guard, dir) = dir();
        let (one, two, three) = (dir.join("one"), dir.join("two"), dir.join("three"));
        fs::write(&one, "same").unwrap();
        fs::write(&two, "same").unwrap();
        fs::hard_link(&one, &three).unwrap();
        let time = FileTime::from_unix_time(1_700_000_000, 123_456_700);
        set_time(&one, time).unwrap();
        set_time(&two, time).unwrap();
        let of = |path| identity(path).unwrap();
        assert_eq!(of(&one).modified, 1_700_000_000_123_456_700);
        assert_eq!(of(&one).size, 4);
        assert_eq!(of(&one), of(&three));
        assert_eq!(of(&one).links, Some(2));
        assert_eq!(of(&two).links, Some(1));
        assert_ne!(of(&one).inode, of(&two).inode);
        assert!(identity(&dir).is_ok() && identity(&dir.join("none")).is_err());
    }

    #[test]
    fn the_time_of_a_read_only_file_can_be_set() {
        let (_guard, dir) = dir();
        let file = dir.join("file");
        fs::write(&file, "").unwrap();
        let mut permissions = fs::metadata(&file).unwrap().permissions();
        permissions.set_readonly(true);
        fs::set_permissions(&file, permissions.clone()).unwrap();
        set_time(&file, FileTime::from_unix_time(1_700_000_000, 0)).unwrap();
        assert_eq!(identity(&file).unwrap().modified, 1_700_000_000_000_000_000);
        // Windows does not let anybody remove it otherwise.
        #[cfg(windows)]
        {
            #[allow(clippy::permissions_set_readonly_false)] // Unix's objection
            permissions.set_readonly(false);
            fs::set_permissions(&file, permissions).unwrap();
        }
    }

    /// A virus scanner, for a moment.
    #[cfg(windows)]
    #[test]
    fn a_file_that_is_held_for_a_moment_can_be_removed() {
        use std::os::windows::fs::OpenOptionsExt;
        let (_guard, dir) = dir();
        let file = dir.join("file");
        fs::write(&file, "").unwrap();
        let hold = || {
            let mut options = std::fs::OpenOptions::new();
            options.read(true).share_mode(0).open(&file).unwrap()
        };
        let held = hold();
        assert!(fs::remove_file(&file).is_err(), "share modes are heeded");
        assert!(identity(&file).is_ok(), "it can be looked at all the same");
        std::thread::scope(|scope| {
            scope.spawn(move || {
                std::thread::sleep(std::time::Duration::from_millis(20));
                drop(held);
            });
            patiently(|| fs::remove_file(&file)).unwrap();
        });
        // For ever: an error in the end.
        fs::write(&file, "").unwrap();
        let held = hold();
        assert!(patiently(|| fs::remove_file(&file)).is_err());
        drop(held);
    }
}
