//! Reads an output once: what it is called in the store, and whether a program
//! could see in it where it was built.
//!
//! That can begin while cargo builds on: what it reported as finished is read
//! ahead. Nothing is stored then. What was read ahead counts only for a file
//! that is the same one and was not written to since. An rmeta is left for
//! later: most of them are copied, and would be read twice.

use std::collections::HashMap;
use std::io::Read as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Receiver;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use camino::Utf8Path;
use fs_err as fs;
use object::read::ReadCache;

use super::scan::{Scanner, visible};
use crate::cache::blobs::Blob;
use crate::cache::content::Content;
use crate::plan::Dirs;
use crate::plan::inputs::{Stamp, nanos};

/// Files up to this size, in bytes, are read as a whole.
const WHOLE: u64 = 16 << 20;

/// How old a file has to be before it is read ahead, so that a later change
/// cannot have the same time: kernels note times by the timer tick.
const SETTLED: Duration = Duration::from_millis(20);

/// An output that was read.
pub struct Output<'a> {
    /// Its content.
    pub content: Content<'a>,
    /// Whether a program could see where it was built.
    pub is_bound: bool,
}

/// What is known of a file that was read ahead.
#[derive(Clone, Debug)]
struct Known {
    size: u64,
    modified: i64,
    blob: Blob,
    is_bound: bool,
}

/// Reads outputs.
pub struct Outputs {
    scanner: Scanner,
    /// By inode.
    ahead: Mutex<HashMap<u64, Known>>,
    ended: AtomicBool,
}

impl Outputs {
    /// For outputs of a build in these directories.
    pub fn of(dirs: &Dirs) -> Outputs {
        let dirs = [&dirs.workspace, &dirs.build, &dirs.target];
        Outputs {
            scanner: Scanner::new(&dirs.map(|dir| dir.as_str())),
            ahead: Mutex::default(),
            ended: AtomicBool::new(false),
        }
    }

    /// Reads one, or takes what was read of it. The buffer is for its content.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn read<'a>(
        &self,
        path: &'a Utf8Path,
        stamp: &Stamp,
        buffer: &'a mut Vec<u8>,
    ) -> std::io::Result<Output<'a>> {
        let known = self.ahead.lock().unwrap_or_else(PoisonError::into_inner);
        let same = |known: &&Known| (known.size, known.modified) == (stamp.size, stamp.modified);
        if let Some(known) = known.get(&stamp.inode).filter(same) {
            return Ok(Output {
                content: Content::known(path, known.blob.clone()),
                is_bound: known.is_bound,
            });
        }
        drop(known);
        let name = path.file_name().unwrap_or_default();
        let file = fs::File::open(path)?;
        if stamp.size <= WHOLE {
            buffer.clear();
            // The standard library's own file reads into memory that nobody
            // zeroed, but does not say which file failed.
            let read = file.file().read_to_end(buffer);
            read.map_err(|error| std::io::Error::new(error.kind(), format!("{path}: {error}")))?;
            return Ok(Output {
                is_bound: self.scanner.sees(buffer, name),
                content: Content::of_bytes(buffer),
            });
        }
        let cache = ReadCache::new(file);
        let mut search = self.scanner.search(visible(&cache, name));
        let mut file = cache.into_inner();
        std::io::Seek::rewind(&mut file)?;
        let content = Content::of_file(path, &file, &mut |at, piece| search.look(at, piece))?;
        Ok(Output {
            content,
            is_bound: search.found(),
        })
    }

    /// Does something during which files are read ahead; it calls what it is
    /// given with the files that are finished.
    pub fn while_reading_ahead<T>(&self, run: impl FnOnce(&dyn Fn(Vec<String>)) -> T) -> T {
        let (finished, lists) = std::sync::mpsc::channel();
        std::thread::scope(|scope| {
            // Without a thread nothing is read ahead.
            let reader = std::thread::Builder::new();
            let _ = reader.spawn_scoped(scope, move || self.read_ahead(&lists));
            let done = run(&|files| {
                // Nobody may be listening.
                let _ = finished.send(files);
            });
            self.ended.store(true, Ordering::Relaxed);
            drop(finished);
            done
        })
    }

    fn read_ahead(&self, lists: &Receiver<Vec<String>>) {
        let mut buffer = Vec::new();
        for path in lists.iter().flatten() {
            let path = Utf8Path::new(&path);
            if path.extension() == Some("rmeta") {
                continue;
            }
            // Whatever is wrong with it will be said when it is recorded.
            let known = self.wait_for(path).and_then(|stamp| {
                let read = self.read(path, &stamp, &mut buffer).ok()?;
                let known = Known {
                    size: stamp.size,
                    modified: stamp.modified,
                    blob: read.content.blob,
                    is_bound: read.is_bound,
                };
                Some((stamp.inode, known))
            });
            let mut ahead = self.ahead.lock().unwrap_or_else(PoisonError::into_inner);
            ahead.extend(known);
            if self.has_ended() {
                return;
            }
        }
    }

    fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Relaxed)
    }

    /// The stamp of a file as soon as it is settled; none if it will not be, or
    /// if there is no time to wait for that.
    fn wait_for(&self, path: &Utf8Path) -> Option<Stamp> {
        loop {
            let stamp = Stamp::of(path).ok()?;
            // A file system that keeps full seconds is not waited for.
            if self.has_ended() || stamp.inode == 0 || stamp.modified % 1_000_000_000 == 0 {
                return None;
            }
            let settled = stamp.modified.saturating_add(SETTLED.as_nanos() as i64);
            let left = settled.saturating_sub(nanos(SystemTime::now()));
            if left <= 0 {
                return Some(stamp);
            }
            let left = Duration::from_nanos(left as u64);
            if left > SETTLED {
                return None; // it is of the future
            }
            std::thread::sleep(left.min(SETTLED / 4));
        }
    }
}
