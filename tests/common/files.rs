//! Changing the files of a checkout.

use std::fs;
use std::path::{Path, PathBuf};

use filetime::FileTime;

use super::Checkout;

/// Copies a workspace, without what a build left in it.
pub fn copy_tree(from: &Path, to: &Path) {
    let walk = walkdir::WalkDir::new(from).into_iter();
    let entries = walk.filter_entry(|entry| entry.file_name() != "target");
    for entry in entries {
        let entry = entry.unwrap();
        let to = to.join(entry.path().strip_prefix(from).unwrap());
        if entry.file_type().is_dir() {
            fs::create_dir_all(to).unwrap();
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

/// All files below a directory.
pub fn files_below(dir: &Path) -> Vec<PathBuf> {
    walkdir::WalkDir::new(dir)
        .sort_by_file_name()
        .into_iter()
        .map(Result::unwrap)
        .filter(|entry| entry.file_type().is_file())
        .map(walkdir::DirEntry::into_path)
        .collect()
}

/// A file's modification time.
#[track_caller]
pub fn modified(path: &Path) -> FileTime {
    FileTime::from_last_modification_time(&fs::metadata(path).unwrap())
}

/// Writes a file and makes it executable.
#[cfg(unix)]
pub fn write_script(path: &Path, text: &str) {
    use std::os::unix::fs::PermissionsExt;
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// Paths here are relative to the copied folder.
impl Checkout {
    /// The absolute path of a file.
    pub fn path(&self, path: &str) -> PathBuf {
        self.copy.join(path)
    }

    /// Reads a file.
    #[track_caller]
    pub fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).unwrap()
    }

    /// Writes a file, its directory included.
    #[track_caller]
    pub fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Adds to the end of a file.
    #[track_caller]
    pub fn append(&self, path: &str, text: &str) {
        let old = self.read(path);
        self.write(path, &(old + text));
    }

    /// Replaces some text in a file; it must be there.
    #[track_caller]
    pub fn replace(&self, path: &str, old: &str, new: &str) {
        let text = self.read(path);
        assert!(text.contains(old), "{path} does not contain {old:?}");
        self.write(path, &text.replace(old, new));
    }

    /// Replaces some text in a file and gives it back its old time.
    #[track_caller]
    pub fn replace_keeping_time(&self, path: &str, old: &str, new: &str) {
        let time = modified(&self.path(path));
        self.replace(path, old, new);
        self.set_time(path, time);
    }

    /// Sets a file's modification time.
    #[track_caller]
    pub fn set_time(&self, path: &str, time: FileTime) {
        filetime::set_file_mtime(self.path(path), time).unwrap();
    }

    /// `touch`
    #[track_caller]
    pub fn touch(&self, path: &str) {
        self.set_time(path, FileTime::now());
    }

    /// Removes a file.
    #[track_caller]
    pub fn remove(&self, path: &str) {
        fs::remove_file(self.path(path)).unwrap();
    }

    /// Moves a file.
    #[track_caller]
    pub fn rename(&self, from: &str, to: &str) {
        let to = self.path(to);
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::rename(self.path(from), to).unwrap();
    }

    /// The only file below the target directory whose path holds all of these.
    #[track_caller]
    pub fn target_file(&self, parts: &[&str]) -> PathBuf {
        let fits = |path: &PathBuf| {
            let path = path.to_string_lossy().replace('\\', "/");
            parts.iter().all(|part| path.contains(part))
        };
        let all = files_below(&self.target());
        let found: Vec<&PathBuf> = all.iter().filter(|path| fits(path)).collect();
        let [only] = found.as_slice() else {
            panic!("not exactly one file with {parts:?}: {found:#?}");
        };
        (*only).clone()
    }
}
