//! cargo's own locks on a target directory.
//!
//! rust-analyzer and other cargos run beside us, so a target directory is only
//! changed while cargo's locks are held, and they are let go before cargo is
//! started. Up to cargo 1.95 there is one, `.cargo-lock`; later ones also take
//! `.cargo-build-lock` and `.cargo-artifact-lock`, in this order: build, cargo,
//! artifact (cargo: `src/compiler/layout.rs`, `Layout::new`).

use std::fs::{File, TryLockError};

use camino::{Utf8Path, Utf8PathBuf};
use fs_err as fs;

/// The first cargo (minor version) that takes the finer locks as well.
pub const FINER_SINCE: u32 = 96;

/// The locks of one or more profile directories, held until dropped.
#[derive(Debug)]
pub struct TargetLock {
    files: Vec<File>,
}

impl Drop for TargetLock {
    /// Lets go at once. By closing alone, Windows unlocks a file only when it
    /// finds the time, and the cargo that is started next would wait for us.
    fn drop(&mut self) {
        for file in &self.files {
            // Closing it does the rest, whatever this says.
            let _ = file.unlock();
        }
    }
}

impl TargetLock {
    /// Waits for the locks of these profile directories (such as
    /// `target/debug`), creating what is missing, as cargo does. `on_wait` is
    /// called once per lock that another process holds, with cargo's own word
    /// for what is locked.
    ///
    /// # Errors
    /// When a lock file cannot be created. A file system that knows no locks
    /// is not an error: cargo goes without there, and so do we.
    pub fn acquire(
        profile_dirs: &[(Utf8PathBuf, Utf8PathBuf)],
        cargo_minor: Option<u32>,
        on_wait: &dyn Fn(&'static str),
    ) -> std::io::Result<TargetLock> {
        let finer = cargo_minor.is_none_or(|minor| minor >= FINER_SINCE);
        let mut files = Vec::new();
        for (build, target) in profile_dirs {
            fs::create_dir_all(build)?;
            fs::create_dir_all(target)?;
            if finer {
                files.extend(lock(
                    &build.join(".cargo-build-lock"),
                    "build directory",
                    on_wait,
                )?);
            } else if build != target {
                files.extend(lock(
                    &build.join(".cargo-lock"),
                    "build directory",
                    on_wait,
                )?);
            }
            files.extend(lock(
                &target.join(".cargo-lock"),
                "artifact directory",
                on_wait,
            )?);
            if finer {
                let path = target.join(".cargo-artifact-lock");
                files.extend(lock(&path, "artifact directory", on_wait)?);
            }
        }
        Ok(TargetLock { files })
    }
}

fn lock(
    path: &Utf8Path,
    what: &'static str,
    on_wait: &dyn Fn(&'static str),
) -> std::io::Result<Option<File>> {
    let file = File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => {
            on_wait(what);
            match file.lock() {
                Ok(()) => Ok(Some(file)),
                Err(error) if unsupported(&error) => Ok(None),
                Err(error) => Err(error),
            }
        }
        Err(TryLockError::Error(error)) if unsupported(&error) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

fn unsupported(error: &std::io::Error) -> bool {
    error.kind() == std::io::ErrorKind::Unsupported
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_one_waits() {
        let dir = tempfile::tempdir().unwrap();
        let dir = Utf8PathBuf::from_path_buf(dir.path().join("debug")).unwrap();
        let dirs = [(dir.clone(), dir.clone())];
        let first = TargetLock::acquire(&dirs, Some(95), &|_| panic!("nobody holds it")).unwrap();
        assert!(!dir.join(".cargo-build-lock").exists());
        let waited = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            let second = scope.spawn(|| {
                TargetLock::acquire(&dirs, Some(95), &|_| {
                    waited.store(true, std::sync::atomic::Ordering::SeqCst)
                })
            });
            while !waited.load(std::sync::atomic::Ordering::SeqCst) {
                std::thread::yield_now();
            }
            drop(first);
            second.join().unwrap().unwrap();
        });
        drop(TargetLock::acquire(&dirs, Some(97), &|_| {}).unwrap());
        assert!(dir.join(".cargo-artifact-lock").exists());
    }
}
