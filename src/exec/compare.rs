//! In what two builds of one file differ, and whether that can be told away.
//!
//! Two clean builds of the same unit in two directories are not the same bytes:
//! the directory is named in debug information and in the source map, and
//! rustc gives the members of an incremental library another name in every
//! session. Whatever is not one of these things is a real difference, or in
//! crate metadata unproven: nothing here may call a difference harmless because
//! it is small.

use std::borrow::Cow;

use camino::Utf8Path;
use memchr::memmem::{Finder, find_iter};
use object::read::archive::ArchiveFile;
use object::{
    File as Object, Object as _, ObjectSection as _, ObjectSymbol as _, SectionIndex, SymbolKind,
};

use super::scan::is_debug;
use crate::event::Likeness;

/// How long a hash in crate metadata is (rustc: `Fingerprint`, `Hash128`).
pub const HASH: usize = 16;

/// Compares files of a build here with those of a record.
pub struct Comparer {
    /// Directories of the build here, with what they are called in the record,
    /// in every spelling.
    names: Vec<(Finder<'static>, Vec<u8>, Vec<u8>)>,
    /// All names are as long as what they stand for, so that positions stay.
    in_step: bool,
}

impl Comparer {
    /// For these directories: as they are here, and as they are in the record.
    pub fn new(dirs: &[(&Utf8Path, &Utf8Path)]) -> Comparer {
        let mut names: Vec<(String, String)> = Vec::new();
        for (here, there) in dirs.iter().filter(|(here, there)| here != there) {
            for (from, to) in [("", ""), ("\\", "\\\\"), ("\\", "/"), (" ", "\\ ")] {
                let spell = |dir: &str| match from {
                    "" => dir.to_owned(),
                    from => dir.replace(from, to),
                };
                let name = (spell(here.as_str()), spell(there.as_str()));
                if !names.contains(&name) {
                    names.push(name);
                }
            }
        }
        // A directory below another one goes first.
        names.sort_by_key(|(here, _)| std::cmp::Reverse(here.len()));
        Comparer {
            in_step: names.iter().all(|(here, there)| here.len() == there.len()),
            names: names
                .into_iter()
                .map(|(here, there)| {
                    let finder = Finder::new(here.as_bytes()).into_owned();
                    (finder, here.into_bytes(), there.into_bytes())
                })
                .collect(),
        }
    }

    /// The bytes as the record would have them, and how often they name one of
    /// the directories.
    pub fn moved<'a>(&self, bytes: &'a [u8]) -> (Cow<'a, [u8]>, usize) {
        let mut moved = Cow::Borrowed(bytes);
        let mut count = 0;
        for (finder, here, there) in &self.names {
            let places: Vec<usize> = finder.find_iter(&moved).collect();
            if places.is_empty() {
                continue;
            }
            count += places.len();
            let mut out = Vec::with_capacity(moved.len());
            let mut from = 0;
            for at in places {
                out.extend_from_slice(&moved[from..at]);
                out.extend_from_slice(there);
                from = at + here.len();
            }
            out.extend_from_slice(&moved[from..]);
            moved = Cow::Owned(out);
        }
        (moved, count)
    }

    /// How a file of the record and the one made here are alike.
    pub fn files(&self, name: &str, old: &[u8], new: &[u8]) -> Likeness {
        let parts = self.parts(name, old, new).into_iter();
        let likenesses = parts.map(|part| part.likeness);
        likenesses.max().unwrap_or(Likeness::Same)
    }

    /// The parts in which they differ; none if they are the same.
    pub fn parts<'a>(&self, name: &str, old: &'a [u8], new: &'a [u8]) -> Vec<Part<'a>> {
        let whole = |likeness| vec![Part::new((0, 0), old, new, likeness)];
        match old == new {
            true => Vec::new(),
            false if name.ends_with(".rmeta") => whole(self.metadata(name, old, new)),
            false if old.starts_with(b"!<arch>\n") => self.archives(old, new),
            false if Object::parse(old).is_ok() => self.objects(0, "", old, new),
            false => self.lines(old, new),
        }
    }

    /// Same bytes, or the same but for directories.
    fn bytes(&self, what: &str, old: &[u8], new: &[u8]) -> Likeness {
        if old == new {
            Likeness::Same
        } else if *self.moved(new).0 == *old {
            Likeness::Directory
        } else {
            Likeness::Real(what.to_owned())
        }
    }

    /// Line by line if both have as many, else as a whole.
    fn lines<'a>(&self, old: &'a [u8], new: &'a [u8]) -> Vec<Part<'a>> {
        let lines = |bytes: &'a [u8]| -> Option<Vec<&'a [u8]>> {
            let text = std::str::from_utf8(bytes).ok()?;
            Some(text.split_inclusive('\n').map(str::as_bytes).collect())
        };
        let (olds, news) = match (lines(old), lines(new)) {
            (Some(olds), Some(news)) if olds.len() == news.len() => (olds, news),
            _ => {
                let likeness = self.bytes("its content", old, new);
                return vec![Part::new(WHOLE, old, new, likeness)];
            }
        };
        let pairs = olds.into_iter().zip(news).enumerate();
        let differing = pairs.filter(|(_, (old, new))| old != new);
        let parts = differing.map(|(at, (old, new))| {
            let likeness = self.bytes(&format!("line {}", at + 1), old, new);
            Part::new((0, at), old, new, likeness)
        });
        parts.collect()
    }

    fn archives<'a>(&self, old: &'a [u8], new: &'a [u8]) -> Vec<Part<'a>> {
        let real = |what: &str| vec![Part::new(WHOLE, old, new, Likeness::Real(what.to_owned()))];
        let (Some(olds), Some(news)) = (members(old), members(new)) else {
            return real("an archive that cannot be read");
        };
        let names = |members: &[Member<'_>]| -> Vec<String> {
            members.iter().map(|member| member.name.clone()).collect()
        };
        if names(&olds) != names(&news) {
            return real("the names of its members");
        }
        let mut parts = vec![Part::new(WHOLE, &[], &[], Likeness::Session)];
        for (at, (old, new)) in olds.iter().zip(&news).enumerate() {
            let likeness = match old.name.as_str() {
                _ if old.data == new.data => continue,
                // Symbol tables: they follow from the members.
                "/" | "//" | "/SYM64/" | "__.SYMDEF" => continue,
                name if name.ends_with(".rmeta") => self.metadata(name, old.data, new.data),
                name if Object::parse(old.data).is_ok() => {
                    parts.extend(self.objects(at, name, old.data, new.data));
                    continue;
                }
                name => self.bytes(name, old.data, new.data),
            };
            parts.push(Part::new((at, 0), old.data, new.data, likeness));
        }
        parts
    }

    /// Section by section. What lies between the sections only says where they
    /// are, and when the file was made. `member` is the object's place.
    fn objects<'a>(
        &self,
        member: usize,
        name: &str,
        old: &'a [u8],
        new: &'a [u8],
    ) -> Vec<Part<'a>> {
        let real =
            |what: String| vec![Part::new((member, WHOLE.1), old, new, Likeness::Real(what))];
        let unreadable = || real(format!("{name}: an object that cannot be read"));
        let (Ok(there), Ok(here)) = (Object::parse(old), Object::parse(new)) else {
            return unreadable();
        };
        let same_symbols = || symbols_of(&there) == symbols_of(&here);
        let olds: Vec<_> = there.sections().collect();
        let news: Vec<_> = here.sections().collect();
        let told = |section: &str| match name {
            "" => format!("section {section}"),
            name => format!("section {section} of {name}"),
        };
        let is_same = there.architecture() == here.architecture() && there.entry() == here.entry();
        if olds.len() != news.len() || !is_same {
            return real(format!("the sections of {name}").trim_end().to_owned());
        }
        let mut parts = vec![Part::new((member, WHOLE.1), &[], &[], Likeness::Headers)];
        for (at, (old, new)) in olds.iter().zip(&news).enumerate() {
            let (Ok(label), Ok(other)) = (old.name(), new.name()) else {
                return unreadable();
            };
            let (Ok(before), Ok(after)) = (old.data(), new.data()) else {
                return unreadable();
            };
            let mut found = match self.bytes(&told(label), before, after) {
                Likeness::Real(_) if is_debug(old) || label.starts_with(".rela.debug") => {
                    Likeness::Debug
                }
                Likeness::Real(_) if is_crate_metadata(label) => {
                    self.metadata(&told(label), before, after)
                }
                Likeness::Real(_) if label == ".note.gnu.build-id" => Likeness::Headers,
                Likeness::Real(_) if is_names(label) && same_symbols() => Likeness::Headers,
                found => found,
            };
            if unhashed(label.as_bytes()) != unhashed(other.as_bytes()) || old.kind() != new.kind()
            {
                found = Likeness::Real(told(label));
            }
            if found != Likeness::Same {
                parts.push(Part::new((member, at), before, after, found));
            }
        }
        parts
    }

    /// Crate metadata cannot be taken apart. But it is no longer or shorter for
    /// directories whose names are as long, and then it differs, beside those
    /// names, in hashes alone: that of the crate, which covers the names of its
    /// source files, and one of each of them that is named here. The crate's own
    /// differs whenever anything does, so that it alone tells of nothing else.
    /// Other differences within the same length are unproven: rustc's order of
    /// some tables depends on the directory (seen in url and chrono).
    fn metadata(&self, what: &str, old: &[u8], new: &[u8]) -> Likeness {
        let (moved, count) = self.moved(new);
        if *moved == *old {
            return Likeness::Directory;
        }
        match differing_hashes(old, &moved) {
            Some(hashes) if hashes <= 1 + count => Likeness::SourceMap,
            _ if count > 0 && !self.in_step => Likeness::Unproven(format!(
                "{what}: crate metadata that names a directory of another length"
            )),
            _ if moved.len() == old.len() => Likeness::Unproven(format!(
                "{what}: crate metadata as long as it was, in another order or with other values"
            )),
            _ => Likeness::Real(what.to_owned()),
        }
    }
}

/// A part of a file in which two builds differ: a section, a member, a line.
pub struct Part<'a> {
    /// Which one: the same in every build that has the same parts.
    pub place: (usize, usize),
    /// What the one build has there.
    pub old: &'a [u8],
    /// What the other one has.
    pub new: &'a [u8],
    /// How they are alike.
    pub likeness: Likeness,
}

/// The place of what is no part: all of a file.
const WHOLE: (usize, usize) = (usize::MAX, usize::MAX);

impl<'a> Part<'a> {
    fn new(place: (usize, usize), old: &'a [u8], new: &'a [u8], likeness: Likeness) -> Part<'a> {
        Part {
            place,
            old,
            new,
            likeness,
        }
    }
}

/// In how many hashes two runs of bytes differ; none if they differ in anything
/// else. Of two hashes nearly every byte differs; what is shorter is none.
fn differing_hashes(old: &[u8], new: &[u8]) -> Option<usize> {
    if old.len() != new.len() {
        return None;
    }
    let mut hashes = 0;
    let mut at = 0;
    while at < old.len() {
        if old[at] == new[at] {
            at += 1;
            continue;
        }
        let end = old.len().min(at + HASH);
        let pairs = || old[at..end].iter().zip(&new[at..end]);
        let last = pairs().rposition(|(old, new)| old != new)?;
        let different = pairs().filter(|(old, new)| old != new).count();
        if last + 1 < HASH - 3 || different < HASH - 4 {
            return None;
        }
        hashes += 1;
        at += last + 1;
    }
    Some(hashes)
}

struct Member<'a> {
    /// Without what differs in every session of rustc.
    name: String,
    data: &'a [u8],
}

/// The members by their names; none if one cannot be read.
fn members(bytes: &[u8]) -> Option<Vec<Member<'_>>> {
    let archive = ArchiveFile::parse(bytes).ok()?;
    let mut all = Vec::new();
    for member in archive.members() {
        let member = member.ok()?;
        all.push(Member {
            name: stable_name(&String::from_utf8_lossy(member.name())),
            data: member.data(bytes).ok()?,
        });
    }
    // Stable: members of the same name stay in their order.
    all.sort_by(|a, b| a.name.cmp(&b.name));
    Some(all)
}

/// `crate-hash.unit.session.rcgu.o` without the session (rustc:
/// `temp_path_ext_for_cgu`), and other names as they are.
fn stable_name(name: &str) -> String {
    let Some(stem) = name.strip_suffix(".rcgu.o") else {
        return name.to_owned();
    };
    match stem.split('.').collect::<Vec<_>>().as_slice() {
        [krate, unit, _session] => format!("{krate}.{unit}.rcgu.o"),
        _ => name.to_owned(),
    }
}

fn is_crate_metadata(section: &str) -> bool {
    section == ".rustc" || section == ".rmeta"
}

fn is_names(section: &str) -> bool {
    [".strtab", ".symtab", ".shstrtab", ".dynsym"].contains(&section)
}

/// A symbol: name, section, address, size, kind.
type Symbol = (Vec<u8>, Option<SectionIndex>, u64, u64, SymbolKind);

/// The symbols of an object without what is only the hash of a constant, and
/// without the size of crate metadata.
fn symbols_of(object: &Object<'_>) -> Option<Vec<Symbol>> {
    let metadata = object.sections().find(|section| {
        let name = section.name();
        name.is_ok_and(is_crate_metadata)
    });
    let metadata = metadata.map(|section| section.index());
    let symbols = object.symbols().chain(object.dynamic_symbols());
    let symbols = symbols.map(|symbol| {
        let section = symbol.section_index();
        let size = match section.is_some() && section == metadata {
            true => 0,
            false => symbol.size(),
        };
        let name = unhashed(symbol.name_bytes().ok()?);
        Some((name, section, symbol.address(), size, symbol.kind()))
    });
    symbols.collect()
}

/// Names without the hashes of private constants (`anon.<hash>`,
/// `alloc_<hash>`).
fn unhashed(names: &[u8]) -> Vec<u8> {
    const DIGITS: usize = 32;
    let mut out = names.to_vec();
    for mark in ["anon.", "alloc_"] {
        for at in find_iter(names, mark) {
            let from = at + mark.len();
            if let Some(digits) = out.get_mut(from..from + DIGITS)
                && digits.iter().all(u8::is_ascii_hexdigit)
            {
                digits.fill(b'0');
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use object::SectionKind;

    use super::*;

    fn comparer() -> Comparer {
        Comparer::new(&[("/here/t".into(), "/away/t".into())])
    }

    #[test]
    fn text_is_the_same_but_for_directories() {
        let files = |old: &[u8], new: &[u8]| comparer().files("out/x.rs", old, new);
        assert_eq!(files(b"a", b"a"), Likeness::Same);
        assert_eq!(files(b"/away/t/x", b"/here/t/x"), Likeness::Directory);
        let real = |what: &str| Likeness::Real(what.into());
        assert_eq!(files(b"/away/t/x", b"/here/t/y"), real("line 1"));
        assert_eq!(files(b"a\nb\nc\n", b"a\nd\nc\n"), real("line 2"));
        assert_eq!(files(b"a\nb\nc\n", b"a\nb\nc"), real("line 3"));
        for new in [&b"a\nb\n"[..], b"a\xff\nb\nc\n"] {
            assert_eq!(files(b"a\nb\nc\n", new), real("its content"));
        }
    }

    #[test]
    fn metadata_may_differ_in_hashes_if_it_names_the_directory() {
        let metadata = |hashes: usize, dirs: usize, tail: u8, name: &str| {
            let mut bytes = Vec::new();
            for at in 0..hashes {
                bytes.extend((0..16).map(|byte| match name {
                    "/here/t" => 16 * byte + at as u8,
                    _ => 255 - byte,
                }));
                bytes.extend(b"between");
            }
            bytes.extend(name.repeat(dirs).into_bytes());
            bytes.push(tail);
            bytes
        };
        let alike = |hashes, dirs, tail| {
            let old = metadata(hashes, dirs, 0, "/away/t");
            let new = metadata(hashes, dirs, tail, "/here/t");
            comparer().files("a.rmeta", &old, &new)
        };
        assert_eq!(alike(0, 1, 0), Likeness::Directory);
        assert_eq!(alike(2, 1, 0), Likeness::SourceMap);
        assert_eq!(alike(1, 0, 0), Likeness::SourceMap);
        for (hashes, dirs, tail) in [(2, 0, 0), (3, 1, 0), (2, 1, 1)] {
            let found = alike(hashes, dirs, tail);
            assert!(
                matches!(found, Likeness::Unproven(_)),
                "{hashes} {dirs}: {found:?}"
            );
        }
        let found = comparer().files("a.rmeta", b"/away/t1", b"/here/t12");
        assert!(matches!(found, Likeness::Real(_)), "{found:?}");
        let longer = Comparer::new(&[("/here/longer".into(), "/away/t".into())]);
        let found = longer.files("a.rmeta", b"/away/t1", b"/here/longer2");
        assert!(matches!(found, Likeness::Unproven(_)), "{found:?}");
    }

    /// One byte of some sections of our own program.
    #[test]
    fn code_and_data_are_real_debug_information_is_not() {
        let own = fs_err::read(std::env::current_exe().unwrap()).unwrap();
        let object = Object::parse(own.as_slice()).unwrap();
        let (mut real, mut debug) = (0, 0);
        for section in object.sections() {
            let Some((start, size)) = section.file_range().filter(|(_, size)| *size > 0) else {
                continue;
            };
            if (if is_debug(&section) { debug } else { real }) == 3 {
                continue;
            }
            let mut other = own.clone();
            other[(start + size / 2) as usize] ^= 1;
            let found = comparer().files("program", &own, &other);
            let name = section.name().unwrap();
            match section.kind() {
                SectionKind::Text | SectionKind::Data | SectionKind::ReadOnlyData => {
                    assert_eq!(found, Likeness::Real(format!("section {name}")));
                    real += 1;
                }
                _ if is_debug(&section) => {
                    assert_eq!(found, Likeness::Debug, "{name}");
                    debug += 1;
                }
                _ => {}
            }
        }
        assert!(real > 1 && (debug > 1 || !cfg!(target_os = "linux")));
    }

    #[test]
    fn sessions_and_constants_have_names_of_their_own() {
        assert_eq!(stable_name("a-1.xyz.0abc.rcgu.o"), "a-1.xyz.rcgu.o");
        assert_eq!(stable_name("a-1.xyz.rcgu.o"), "a-1.xyz.rcgu.o");
        assert_eq!(stable_name("lib.rmeta"), "lib.rmeta");
        let name = |digit: &str| format!(".rodata..Lanon.{}.0", digit.repeat(32));
        let (one, two) = (name("a"), name("b"));
        assert_eq!(unhashed(one.as_bytes()), unhashed(two.as_bytes()));
        assert_ne!(
            unhashed(b".text.a".as_slice()),
            unhashed(b".text.b".as_slice())
        );
    }
}
