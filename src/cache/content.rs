//! What a content is called: its blake3 digest, its length, and the digest by
//! which cacache finds it.
//!
//! A small file is given as bytes. A large one is read piece by piece, the next
//! piece while the one before is digested, and never held as a whole: most of
//! the time that a program of some hundred megabytes takes would go into
//! getting that much memory.

use std::io::Read;

use camino::Utf8Path;
use fs_err as fs;

use super::blobs::{ALGORITHM, Blob};
use crate::unit::Digest;

/// How much of a large file is read at once, in bytes.
const PIECE: usize = 4 << 20;

/// A content with its names, and where to get it from.
#[derive(Debug)]
pub struct Content<'a> {
    /// What it is called.
    pub blob: Blob,
    pub(super) source: Source<'a>,
}

/// Where a content is.
#[derive(Debug)]
pub(super) enum Source<'a> {
    Bytes(&'a [u8]),
    File(&'a Utf8Path),
}

impl<'a> Content<'a> {
    /// The content that consists of these bytes.
    pub fn of_bytes(bytes: &'a [u8]) -> Content<'a> {
        let mut names = Names::new();
        names.by_name.input(bytes);
        Content {
            blob: Blob {
                digest: digest(bytes),
                size: bytes.len() as u64,
                name: names.name(),
            },
            source: Source::Bytes(bytes),
        }
    }

    /// The content of the file at `path`, opened as `file`. Each piece is shown
    /// to `look`, with its offset, in order.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn of_file(
        path: &'a Utf8Path,
        file: &fs::File,
        look: &mut (dyn FnMut(u64, &[u8]) + Send),
    ) -> std::io::Result<Content<'a>> {
        let mut names = Names::new();
        let mut size = 0;
        let mut piece = Vec::with_capacity(PIECE);
        let mut next = Vec::with_capacity(PIECE);
        read_piece(file, &mut piece)?;
        while !piece.is_empty() {
            let (read, ()) = rayon::join(
                || read_piece(file, &mut next),
                || {
                    names.input(&piece);
                    look(size, &piece);
                },
            );
            read?;
            size += piece.len() as u64;
            std::mem::swap(&mut piece, &mut next);
        }
        let digest = Digest(*names.digest.finalize().as_bytes());
        Ok(Content {
            blob: Blob {
                digest,
                size,
                name: names.name(),
            },
            source: Source::File(path),
        })
    }

    /// The content of a file whose names are known: nobody wrote into it since
    /// they were computed.
    pub fn known(path: &'a Utf8Path, blob: Blob) -> Content<'a> {
        Content {
            blob,
            source: Source::File(path),
        }
    }
}

/// Both digests of a content on the way.
struct Names {
    digest: blake3::Hasher,
    by_name: ssri::IntegrityOpts,
}

impl Names {
    fn new() -> Names {
        Names {
            digest: blake3::Hasher::new(),
            by_name: ssri::IntegrityOpts::new().algorithm(ALGORITHM),
        }
    }

    fn input(&mut self, piece: &[u8]) {
        self.digest.update(piece);
        self.by_name.input(piece);
    }

    /// cacache's digest in hexadecimal.
    fn name(self) -> String {
        self.by_name.result().to_hex().1
    }
}

fn read_piece(file: &fs::File, piece: &mut Vec<u8>) -> std::io::Result<()> {
    piece.clear();
    // The standard library's own file reads into memory that nobody zeroed.
    file.file().take(PIECE as u64).read_to_end(piece)?;
    Ok(())
}

/// blake3 of some bytes.
pub(super) fn digest(bytes: &[u8]) -> Digest {
    if bytes.len() > 1 << 20 {
        let mut hasher = blake3::Hasher::new();
        Digest(*hasher.update_rayon(bytes).finalize().as_bytes())
    } else {
        Digest::of(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_called_what_its_bytes_are_called() {
        let dir = tempfile::tempdir().unwrap();
        let path = Utf8Path::from_path(dir.path()).unwrap().join("file");
        for len in [0, 1, PIECE - 1, PIECE, PIECE + 1, 2 * PIECE + 77] {
            let bytes: Vec<u8> = (0..len).map(|at| (at / 7) as u8).collect();
            fs::write(&path, &bytes).unwrap();
            let file = fs::File::open(&path).unwrap();
            let mut shown = Vec::new();
            let read = Content::of_file(&path, &file, &mut |offset, piece| {
                assert_eq!(offset, shown.len() as u64);
                shown.extend_from_slice(piece);
            });
            assert_eq!(read.unwrap().blob, Content::of_bytes(&bytes).blob, "{len}");
            assert_eq!(shown, bytes);
        }
    }
}
