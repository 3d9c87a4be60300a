//! Whether a program could see a directory's name in an output.
//!
//! Debug information and the source map in an rmeta name the directories that
//! a unit was built in; no program sees those. Anywhere else a name of the
//! workspace or of the build directory binds the unit to its home. What the
//! source map is allowed to hold is settled by [`super::proof`]; here only
//! places are told apart: which parts of a file a program could see, and
//! whether a directory is named in one of them.

use std::ops::Range;

use camino::Utf8Path;
use memchr::memmem::Finder;
use object::read::ReadRef;
use object::read::archive::ArchiveFile;
use object::{File as Object, Object as _, ObjectSection, SectionKind};

use crate::plan::paths::{below, comparable};

/// Searches outputs for the names of directories.
pub struct Scanner {
    finders: Vec<Finder<'static>>,
    /// The length of the longest name.
    longest: usize,
}

impl Scanner {
    /// A scanner for these directories.
    pub fn new(dirs: &[&str]) -> Scanner {
        // A directory below another one is found by the upper one's name.
        let upper = |dir: &&&str| {
            !dirs.iter().any(|other| {
                other != *dir && below(Utf8Path::new(dir), Utf8Path::new(other)).is_some()
            })
        };
        let mut names: Vec<&str> = dirs.iter().filter(upper).copied().collect();
        names.sort_unstable();
        names.dedup();
        Scanner {
            longest: names.iter().map(|name| name.len()).max().unwrap_or(0),
            finders: names
                .into_iter()
                .map(|name| Finder::new(&comparable(name.as_bytes())).into_owned())
                .collect(),
        }
    }

    fn is_named_in(&self, bytes: &[u8]) -> bool {
        let bytes = comparable(bytes);
        self.finders
            .iter()
            .any(|finder| finder.find(&bytes).is_some())
    }

    /// Whether a file with this content names one of the directories where a
    /// program could see it.
    pub fn sees(&self, bytes: &[u8], name: &str) -> bool {
        visible(bytes, name).into_iter().any(|range| {
            let range = range.start as usize..range.end as usize;
            bytes.get(range).is_none_or(|part| self.is_named_in(part))
        })
    }

    /// A search of a file that is read piece by piece. `visible` is what
    /// [`visible`] says of it.
    pub fn search(&self, visible: Vec<Range<u64>>) -> Search<'_> {
        Search {
            scanner: self,
            ranges: visible,
            tail: Vec::new(),
            found: false,
        }
    }
}

/// A search that is under way.
pub struct Search<'a> {
    scanner: &'a Scanner,
    /// In order, none within another one.
    ranges: Vec<Range<u64>>,
    /// The end of what was last looked at, within one range.
    tail: Vec<u8>,
    found: bool,
}

impl Search<'_> {
    /// Looks at the next piece of the file, which begins at `offset`.
    pub fn look(&mut self, offset: u64, piece: &[u8]) {
        if self.found {
            return;
        }
        let end = offset + piece.len() as u64;
        let first = self.ranges.partition_point(|range| range.end <= offset);
        for range in &self.ranges[first..] {
            if range.start >= end {
                break;
            }
            let from = range.start.max(offset) - offset;
            let to = range.end.min(end) - offset;
            let part = &piece[from as usize..to as usize];
            if range.start >= offset {
                self.tail.clear();
            }
            // A name may begin in the piece before.
            let seam = self.scanner.longest.saturating_sub(1);
            let mut joined = std::mem::take(&mut self.tail);
            joined.extend_from_slice(&part[..part.len().min(seam)]);
            self.found |= self.scanner.is_named_in(&joined) || self.scanner.is_named_in(part);
            let rest = if part.len() > seam { part } else { &joined };
            self.tail = rest[rest.len().saturating_sub(seam)..].to_vec();
        }
    }

    /// Whether a directory is named in what was looked at.
    pub fn found(&self) -> bool {
        self.found
    }
}

/// The parts of a file that a program could see: not debug information, not
/// crate metadata. In order, none within another one.
pub fn visible<'d>(data: impl ReadRef<'d>, name: &str) -> Vec<Range<u64>> {
    if name.ends_with(".rmeta") {
        return Vec::new();
    }
    let len = data.len().unwrap_or(u64::MAX);
    let parts = match data.read_bytes_at(0, 8.min(len)) {
        Ok(b"!<arch>\n") => in_archive(data),
        Ok(_) => in_object(Part {
            data,
            start: 0,
            len,
        }),
        Err(()) => None,
    };
    let mut parts = parts.unwrap_or_else(|| std::iter::once(0..len).collect());
    parts.sort_unstable_by_key(|range| range.start);
    parts.dedup_by(|next, range| {
        let joined = next.start <= range.end;
        if joined {
            range.end = range.end.max(next.end);
        }
        joined
    });
    parts
}

/// None if it is not clear what is where.
fn in_archive<'d>(data: impl ReadRef<'d>) -> Option<Vec<Range<u64>>> {
    let len = data.len().ok()?;
    let archive = ArchiveFile::parse(data).ok()?;
    let mut parts = Vec::new();
    for member in archive.members() {
        let member = member.ok()?;
        // The files of a thin archive are elsewhere.
        let (start, size) = (!archive.is_thin()).then(|| member.file_range())?;
        let end = start.checked_add(size).filter(|end| *end <= len)?;
        if member.name() == b"lib.rmeta" {
            continue;
        }
        let part = Part {
            data,
            start,
            len: size,
        };
        match in_object(part) {
            Some(sections) => parts.extend(sections),
            None => parts.push(start..end),
        }
    }
    Some(parts)
}

/// None if it is no object file, or not clear what is where.
fn in_object<'d, R: ReadRef<'d>>(part: Part<R>) -> Option<Vec<Range<u64>>> {
    let object = Object::parse(part).ok()?;
    let mut parts = Vec::new();
    for section in object.sections() {
        let name = section.name().unwrap_or_default();
        if is_debug(&section) || matches!(name, ".rustc" | ".rmeta") {
            continue;
        }
        // None has only a size, as zeros.
        if let Some((start, size)) = section.file_range() {
            let end = start.checked_add(size).filter(|end| *end <= part.len)?;
            parts.push(part.start + start..part.start + end);
        }
    }
    Some(parts)
}

/// Whether only a debugger reads this section.
pub(super) fn is_debug<'d>(section: &impl ObjectSection<'d>) -> bool {
    let name = section.name().unwrap_or_default();
    matches!(
        section.kind(),
        SectionKind::Debug | SectionKind::DebugString
    ) || name.starts_with(".debug")
        || section.segment_name().ok().flatten() == Some("__DWARF")
}

/// A part of a file, as a file of its own.
#[derive(Clone, Copy, Debug)]
struct Part<R> {
    data: R,
    start: u64,
    len: u64,
}

impl<'d, R: ReadRef<'d>> ReadRef<'d> for Part<R> {
    fn len(self) -> Result<u64, ()> {
        Ok(self.len)
    }

    fn read_bytes_at(self, offset: u64, size: u64) -> Result<&'d [u8], ()> {
        let end = offset.checked_add(size).ok_or(())?;
        if end > self.len {
            return Err(());
        }
        self.data.read_bytes_at(self.start + offset, size)
    }

    fn read_bytes_at_until(self, range: Range<u64>, delimiter: u8) -> Result<&'d [u8], ()> {
        if range.end > self.len {
            return Err(());
        }
        let range = self.start + range.start..self.start + range.end;
        self.data.read_bytes_at_until(range, delimiter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_visible() {
        let scanner = Scanner::new(&["/ws", "/ws/target"]);
        assert_eq!(scanner.finders.len(), 1);
        assert!(scanner.sees(b"x /ws/target/y", "x.rs"));
        assert!(!scanner.sees(b"x /else/y", "x.rs"));
        assert!(!scanner.sees(b"/ws", "liba-1.rmeta"));
    }

    /// Wherever a file is cut, a name is found exactly where it can be seen.
    #[test]
    #[allow(clippy::single_range_in_vec_init)] // they are meant
    fn a_name_is_found_across_pieces() {
        let scanner = Scanner::new(&["/work/space"]);
        let text = b"0123/work/space9/work/space";
        let cases: &[(&[Range<u64>], bool)] = &[
            (&[0..27], true),
            (&[4..15], true),
            (&[5..27], true),
            (&[5..26], false),
            (&[4..14], false),
            (&[0..10, 10..15], false),
            (&[0..9, 16..27], true),
            (&[], false),
        ];
        for (ranges, found) in cases {
            for size in 1..=text.len() {
                let mut search = scanner.search(ranges.to_vec());
                for (at, piece) in text.chunks(size).enumerate() {
                    search.look((at * size) as u64, piece);
                }
                assert_eq!(search.found(), *found, "{ranges:?} by {size}");
            }
        }
    }

    /// An executable, an archive with an object of its own, and what only looks
    /// like one.
    #[test]
    fn parts_that_a_program_could_see() {
        let own = fs_err::read(std::env::current_exe().unwrap()).unwrap();
        let parts = visible(own.as_slice(), "program");
        assert!(parts.len() > 1 && parts.is_sorted_by(|a, b| a.end < b.start));
        let seen: u64 = parts.iter().map(|range| range.end - range.start).sum();
        assert!(seen < own.len() as u64, "debug information is not seen");

        let member = |name: &str, bytes: &[u8]| {
            let head = format!(
                "{name:<16}0           0     0     644     {:<10}`\n",
                bytes.len()
            );
            [head.as_bytes(), bytes, &b"\n"[..bytes.len() % 2]].concat()
        };
        let archive = [
            b"!<arch>\n".to_vec(),
            member("lib.rmeta/", b"/ws"),
            member("a.txt/", b"/ws"),
        ];
        let whole = archive.concat();
        let scanner = Scanner::new(&["/ws"]);
        assert!(scanner.sees(&whole, "liba.rlib"));
        assert!(!scanner.sees(&archive[..2].concat(), "liba.rlib"));
        // Cut off: nobody knows what is where.
        assert!(scanner.sees(&whole[..whole.len() - 2], "liba.rlib"));
        assert!(scanner.sees(b"!<arch>\n /ws", "liba.rlib"));
    }
}
