//! One line per build that did something, for statistics.
//!
//! The lines mean nothing here. The file is only ever added to, one line at a
//! time and under a lock of its own, and replaced in one step by a shorter one
//! when it has grown long; a line that was torn by a crash is skipped by
//! whoever reads it. Nothing that a build decides may rest on it.

use std::fs::File;
use std::io::Write;

use camino::Utf8PathBuf;
use fs_err as fs;

use super::{CacheError, Store};

/// How long the file may become, in bytes.
const LONG: u64 = 1 << 20;

impl Store {
    fn history_path(&self) -> Utf8PathBuf {
        self.root().join("builds.jsonl")
    }

    /// The lines of all builds, the oldest first.
    pub fn history(&self) -> Vec<String> {
        let bytes = fs::read(self.history_path()).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        text.lines().map(str::to_owned).collect()
    }

    /// Adds a line. If there are many, `fold` makes them fewer.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn add_to_history(
        &self,
        line: &str,
        fold: impl FnOnce(&[String]) -> Vec<String>,
    ) -> Result<(), CacheError> {
        self.prepare()?;
        let path = self.history_path();
        let io = |source| CacheError::Io {
            what: "write",
            path: path.clone(),
            source,
        };
        let lock = File::options()
            .write(true)
            .create(true)
            .truncate(false)
            .open(self.root().join("builds.lock"))
            .map_err(io)?;
        // Where there are no locks, an append is one write all the same.
        let _locked = lock.lock();
        let mut file = File::options()
            .append(true)
            .create(true)
            .open(&path)
            .map_err(io)?;
        let text = format!("{line}\n");
        file.write_all(text.as_bytes()).map_err(io)?;
        if file.metadata().map_err(io)?.len() <= LONG {
            return Ok(());
        }
        let mut shorter = tempfile::NamedTempFile::new_in(self.root()).map_err(io)?;
        for line in fold(&self.history()) {
            writeln!(shorter, "{line}").map_err(io)?;
        }
        drop(file);
        shorter.persist(&path).map_err(|error| io(error.error))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_stay_whole_when_many_write() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(camino::Utf8Path::from_path(dir.path()).unwrap());
        assert!(store.history().is_empty());
        let line = |n: usize| format!("{n} {}", "x".repeat(5000));
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let store = &store;
                scope.spawn(move || {
                    for n in 0..100 {
                        let keep_half = |lines: &[String]| lines[lines.len() / 2..].to_vec();
                        let added = store.add_to_history(&line(thread * 100 + n), keep_half);
                        added.unwrap();
                    }
                });
            }
        });
        let lines = store.history();
        assert!(lines.len() >= 100 && lines.len() < 400, "{}", lines.len());
        assert!(lines.iter().all(|line| line.len() > 5000));
    }
}
