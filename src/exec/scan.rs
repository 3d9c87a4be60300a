//! Whether a program could see a directory's name in an output.
//!
//! Debug information and the source map in an rmeta name the directories that
//! a unit was built in; no program sees those. Anywhere else a name of the
//! workspace or of the build directory binds the unit to its home. What the
//! source map is allowed to hold is settled by [`super::proof`]; here only
//! places are told apart.

use camino::Utf8Path;
use memchr::memmem::Finder;
use object::read::archive::ArchiveFile;
use object::{File as Object, Object as _, ObjectSection as _, SectionKind};

use crate::plan::paths::{below, comparable};

/// Searches outputs for the names of directories.
pub struct Scanner {
    finders: Vec<Finder<'static>>,
}

/// Where a directory's name was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Found {
    /// Nowhere.
    Nothing,
    /// Only in debug information.
    Debug,
    /// Also in crate metadata.
    Metadata,
    /// Where a program could see it.
    Visible,
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
            finders: names
                .into_iter()
                .map(|name| Finder::new(&comparable(name.as_bytes())).into_owned())
                .collect(),
        }
    }

    fn hit(&self, bytes: &[u8]) -> bool {
        let bytes = comparable(bytes);
        self.finders
            .iter()
            .any(|finder| finder.find(&bytes).is_some())
    }

    /// Where a file with these contents names one of the directories.
    pub fn file(&self, bytes: &[u8], name: &str) -> Found {
        if !self.hit(bytes) {
            return Found::Nothing;
        }
        if name.ends_with(".rmeta") {
            return Found::Metadata;
        }
        if bytes.starts_with(b"!<arch>\n") {
            return self.archive(bytes);
        }
        self.object(bytes)
    }

    fn archive(&self, bytes: &[u8]) -> Found {
        let Ok(archive) = ArchiveFile::parse(bytes) else {
            return Found::Visible;
        };
        let mut worst = Found::Debug;
        for member in archive.members() {
            let Ok(member) = member else {
                return Found::Visible;
            };
            let Ok(data) = member.data(bytes) else {
                return Found::Visible;
            };
            if self.hit(data) {
                worst = worst.max(match member.name() {
                    b"lib.rmeta" => Found::Metadata,
                    _ => self.object(data),
                });
            }
        }
        worst
    }

    fn object(&self, bytes: &[u8]) -> Found {
        let Ok(object) = Object::parse(bytes) else {
            return Found::Visible;
        };
        let mut worst = Found::Debug;
        for section in object.sections() {
            let Ok(data) = section.data() else {
                return Found::Visible;
            };
            if !self.hit(data) {
                continue;
            }
            let name = section.name().unwrap_or_default();
            let is_debug = matches!(
                section.kind(),
                SectionKind::Debug | SectionKind::DebugString
            ) || name.starts_with(".debug")
                || section.segment_name().ok().flatten() == Some("__DWARF");
            worst = worst.max(match name {
                _ if is_debug => Found::Debug,
                ".rustc" | ".rmeta" => Found::Metadata,
                _ => Found::Visible,
            });
        }
        worst
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_visible() {
        let scanner = Scanner::new(&["/ws", "/ws/target"]);
        assert_eq!(scanner.finders.len(), 1);
        assert_eq!(scanner.file(b"x /ws/target/y", "x.rs"), Found::Visible);
        assert_eq!(scanner.file(b"x /else/y", "x.rs"), Found::Nothing);
        assert_eq!(scanner.file(b"/ws", "liba-1.rmeta"), Found::Metadata);
    }
}
