//! A directory in which units are built again, and which is gone afterwards.
//!
//! Its name is as long as that of the build directory, where the system allows
//! it: then whatever names it has the same size and the same positions as what
//! was recorded, and two outputs can be compared byte by byte. Nothing outside
//! of it is ever written to.

use camino::{Utf8Path, Utf8PathBuf};
use filetime::FileTime;
use fs_err as fs;

use crate::cache::system::set_time;
use crate::cache::tree;
use crate::plan::{Dirs, Plan};

/// How many letters of its name are random.
const RANDOM: usize = 8;

/// No file system has longer names.
const LONGEST: usize = 255;

/// The directory; dropping it removes it.
pub struct Scratch {
    _temp: tempfile::TempDir,
    /// Its path.
    pub dir: Utf8PathBuf,
}

impl Scratch {
    /// Makes one below `base` for builds of this directory.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn new(base: &Utf8Path, build: &Utf8Path) -> std::io::Result<Scratch> {
        let before = base.join("x").as_str().len() - 1;
        let name = build.as_str().len().saturating_sub(before);
        let prefix = match name {
            // One letter is ours.
            _ if name <= RANDOM || name > LONGEST => "zbuild-audit-".to_owned(),
            _ => format!("{:-<width$}", "zbuild-audit", width = name - RANDOM)[..name - RANDOM]
                .to_owned(),
        };
        let temp = tempfile::Builder::new()
            .prefix(&prefix)
            .rand_bytes(RANDOM)
            .tempdir_in(base)?;
        let dir = Utf8PathBuf::from_path_buf(temp.path().to_owned())
            .map_err(|_| std::io::Error::other("its name is not UTF-8"))?;
        Ok(Scratch { _temp: temp, dir })
    }

    /// The same directories with this one in the place of cargo's.
    pub fn dirs(&self, dirs: &Dirs) -> Dirs {
        let together = dirs.target == dirs.build;
        Dirs {
            build: self.dir.clone(),
            target: match together {
                true => self.dir.clone(),
                false => self.dir.join("zbuild-target"),
            },
            ..dirs.clone()
        }
    }

    /// The same plan in this directory.
    pub fn plan(&self, plan: &Plan) -> Plan {
        Plan {
            dirs: self.dirs(&plan.dirs),
            ..plan.clone()
        }
    }
}

/// What a build made of files, kept beyond its scratch directory.
pub struct Kept {
    temp: tempfile::TempDir,
}

impl Kept {
    /// An empty one below `base`.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn new(base: &Utf8Path) -> std::io::Result<Kept> {
        let mut builder = tempfile::Builder::new();
        let temp = builder.prefix("zbuild-audit-kept-").tempdir_in(base)?;
        Ok(Kept { temp })
    }

    /// Keeps a file of a unit.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn keep(&self, unit: usize, number: usize, bytes: &[u8]) -> std::io::Result<()> {
        fs::write(self.place(unit, number), bytes)
    }

    /// A file of a unit, if it was kept.
    ///
    /// # Errors
    /// When it was and cannot be read.
    pub fn take(&self, unit: usize, number: usize) -> std::io::Result<Option<Vec<u8>>> {
        match fs::read(self.place(unit, number)) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn place(&self, unit: usize, number: usize) -> std::path::PathBuf {
        self.temp.path().join(format!("{unit}-{number}"))
    }
}

/// Files that are put back as they were.
pub struct Held {
    /// Where each was, where it is kept, and its time.
    files: Vec<(Utf8PathBuf, Utf8PathBuf, FileTime)>,
}

impl Held {
    /// Copies these files to `aside`, which does not exist yet. They stay where
    /// they are: without them cargo would build what rests on them as well.
    ///
    /// # Errors
    /// When one cannot be copied.
    pub fn copy(files: Vec<Utf8PathBuf>, aside: &Utf8Path) -> std::io::Result<Held> {
        fs::create_dir_all(aside)?;
        let mut held = Held { files: Vec::new() };
        for (at, file) in files.into_iter().enumerate() {
            let time = FileTime::from_last_modification_time(&fs::metadata(&file)?);
            let kept = aside.join(at.to_string());
            fs::copy(&file, &kept)?;
            held.files.push((file, kept, time));
        }
        Ok(held)
    }

    /// Whether nobody wrote to this file since.
    pub fn is_untouched(&self, file: &Utf8Path) -> bool {
        let held = self.files.iter().find(|(held, ..)| held == file);
        held.is_some_and(|(file, _, time)| {
            let now = fs::metadata(file).map(|meta| FileTime::from_last_modification_time(&meta));
            now.is_ok_and(|now| now == *time)
        })
    }

    /// Puts them back, with their times.
    ///
    /// # Errors
    /// When that fails; what is there then is of no use.
    pub fn put_back(self) -> std::io::Result<()> {
        for (file, kept, time) in self.files {
            tree::remove(&file)?;
            fs::rename(&kept, &file)?;
            set_time(&file, time)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_name_is_as_long() {
        let temp = tempfile::tempdir().unwrap();
        let base = Utf8Path::from_path(temp.path()).unwrap();
        for more in [10, 13, 20, 60] {
            let build = format!("{base}/{}", "b".repeat(more));
            let scratch = Scratch::new(base, Utf8Path::new(&build)).unwrap();
            assert_eq!(scratch.dir.as_str().len(), build.len(), "{}", scratch.dir);
        }
        let scratch = Scratch::new(base, Utf8Path::new("/b")).unwrap();
        let dir = scratch.dir.clone();
        assert!(dir.is_dir());
        drop(scratch);
        assert!(!dir.exists());
    }

    #[test]
    fn what_is_held_comes_back() {
        let temp = tempfile::tempdir().unwrap();
        let base = Utf8Path::from_path(temp.path()).unwrap();
        let file = base.join("a");
        let old = FileTime::from_unix_time(1_000_000, 0);
        tree::write(&file, b"old", old).unwrap();
        let held = Held::copy(vec![file.clone()], &base.join("aside")).unwrap();
        assert!(held.is_untouched(&file));
        fs::write(&file, "new").unwrap();
        assert!(!held.is_untouched(&file));
        held.put_back().unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"old");
        let meta = fs::metadata(&file).unwrap();
        assert_eq!(FileTime::from_last_modification_time(&meta), old);
    }
}
