//! Paths of this build as rooted paths, and texts with such paths in them.

use std::borrow::Cow;

use camino::{Utf8Path, Utf8PathBuf};

use super::Dirs;
use crate::unit::{Root, RootedPath};

/// Marks a root inside a stored text; no path and no line of output holds a
/// zero byte.
const MARK: u8 = 0;

/// How a directory's name may be written in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Spelling {
    /// As cargo prints it.
    Plain,
    /// With every backslash doubled: in JSON and in rustc's `# env-dep`.
    Doubled,
    /// With slashes for backslashes, as many programs write on Windows.
    Slashed,
    /// With a backslash before every space: in dep-info.
    Spaced,
}

const SPELLINGS: [Spelling; 4] = [
    Spelling::Plain,
    Spelling::Doubled,
    Spelling::Slashed,
    Spelling::Spaced,
];

impl Spelling {
    /// The name in this spelling; none if that is the plain one.
    fn of(self, dir: &str) -> Option<String> {
        let spelled = match self {
            Spelling::Plain => return Some(dir.to_owned()),
            Spelling::Doubled => dir.replace('\\', "\\\\"),
            Spelling::Slashed => dir.replace('\\', "/"),
            Spelling::Spaced => dir.replace(' ', "\\ "),
        };
        (spelled != dir).then_some(spelled)
    }

    /// The letter of a mark.
    fn letter(self, root: Root) -> u8 {
        let letters = match self {
            Spelling::Plain => b"BTW",
            Spelling::Doubled => b"btw",
            Spelling::Slashed => b"123",
            Spelling::Spaced => b"456",
        };
        match root {
            Root::Build => letters[0],
            Root::Target => letters[1],
            Root::Workspace | Root::Absolute => letters[2],
        }
    }
}

impl Dirs {
    /// The roots with their directories, the innermost first.
    fn roots(&self) -> Vec<(Root, &Utf8Path)> {
        let mut roots = vec![
            (Root::Build, self.build.as_path()),
            (Root::Target, self.target.as_path()),
            (Root::Workspace, self.workspace.as_path()),
        ];
        // Stable: where build and target are the same, build is first.
        roots.sort_by_key(|(_, dir)| std::cmp::Reverse(dir.as_str().len()));
        roots
    }

    /// The path below the innermost root that it lies in.
    pub fn rooted(&self, path: &Utf8Path) -> RootedPath {
        for (root, dir) in self.roots() {
            if let Some(inside) = below(path, dir) {
                return RootedPath {
                    root,
                    path: inside.as_str().replace('\\', "/"),
                };
            }
        }
        RootedPath {
            root: Root::Absolute,
            path: path.as_str().to_owned(),
        }
    }

    /// The absolute path of a rooted one in this build.
    pub fn absolute(&self, path: &RootedPath) -> Utf8PathBuf {
        match path.root {
            Root::Workspace => self.workspace.join(&path.path),
            Root::Build => self.build.join(&path.path),
            Root::Target => self.target.join(&path.path),
            Root::Absolute => path.path.clone().into(),
        }
    }

    /// Every spelling of every root, with the letter of its mark, the longest
    /// first.
    fn spellings(&self) -> Vec<(u8, String)> {
        let mut all = Vec::new();
        for (root, dir) in self.roots() {
            for spelling in SPELLINGS {
                let spelled = spelling.of(dir.as_str());
                all.extend(spelled.map(|text| (spelling.letter(root), text)));
            }
        }
        // Stable: the innermost root stays first.
        all.sort_by_key(|(_, text)| std::cmp::Reverse(text.len()));
        all
    }

    /// A text with this build's directories replaced by marks.
    pub fn unroot_text(&self, text: &[u8]) -> Vec<u8> {
        let spellings = self.spellings();
        let mut out = Vec::with_capacity(text.len());
        let mut at = 0;
        'text: while at < text.len() {
            let rest = &text[at..];
            for (letter, dir) in &spellings {
                let dir = dir.as_bytes();
                if rest.starts_with(dir) && ends_component(rest.get(dir.len())) {
                    out.extend([MARK, *letter, MARK]);
                    at += dir.len();
                    continue 'text;
                }
            }
            out.push(text[at]);
            at += 1;
        }
        out
    }

    /// The text again, with this build's directories in place of the marks.
    pub fn root_text(&self, text: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(text.len() + 256);
        let mut at = 0;
        while at < text.len() {
            if let [MARK, letter, MARK, ..] = text[at..]
                && let Some(dir) = self.by_letter(letter)
            {
                out.extend_from_slice(dir.as_bytes());
                at += 3;
            } else {
                out.push(text[at]);
                at += 1;
            }
        }
        out
    }

    fn by_letter(&self, letter: u8) -> Option<String> {
        self.roots().into_iter().find_map(|(root, dir)| {
            let of = |spelling: &&Spelling| spelling.letter(root) == letter;
            let spelling = SPELLINGS.iter().find(of)?;
            // Here the name may be the same in both spellings.
            Some(spelling.of(dir.as_str()).unwrap_or_else(|| dir.to_string()))
        })
    }

    /// A text without a directory, however that is written.
    pub fn without(text: &str, dir: &str) -> String {
        let mut text = text.to_owned();
        for spelling in SPELLINGS {
            if let Some(spelled) = spelling.of(dir) {
                text = text.replace(&spelled, "");
            }
        }
        text
    }

    /// Whether a text names one of this build's directories.
    pub fn are_named_in(&self, text: &str) -> bool {
        self.roots().iter().any(|(_, dir)| names(dir, text))
    }
}

/// Whether a text names a directory, however it is written.
pub fn names(dir: &Utf8Path, text: &str) -> bool {
    let text = comparable(text.as_bytes());
    let dir = comparable(dir.as_str().as_bytes());
    memchr::memmem::find(&text, &dir).is_some()
}

/// The path below a directory, if it lies there. Windows also knows the
/// directory by other letter cases, and by `\\?\` before it, which programs get
/// from `canonicalize`.
pub fn below(path: &Utf8Path, dir: &Utf8Path) -> Option<Utf8PathBuf> {
    if let Ok(inside) = path.strip_prefix(dir) {
        return Some(inside.to_owned());
    }
    if !cfg!(windows) {
        return None;
    }
    let mut rest = plain(path).components();
    for part in plain(dir).components() {
        let other = rest.next()?;
        if !other.as_str().eq_ignore_ascii_case(part.as_str()) {
            return None;
        }
    }
    Some(rest.as_path().to_owned())
}

/// `\\?\C:\x` as `C:\x`.
fn plain(path: &Utf8Path) -> &Utf8Path {
    match path.as_str().strip_prefix(r"\\?\") {
        Some(rest) if rest.as_bytes().get(1) == Some(&b':') => Utf8Path::new(rest),
        _ => path,
    }
}

/// What two texts have in common if they name the same directory: the text
/// itself, on Windows without letter case, with backslashes, none doubled.
pub fn comparable(text: &[u8]) -> Cow<'_, [u8]> {
    match cfg!(windows) {
        true => Cow::Owned(folded(text)),
        false => Cow::Borrowed(text),
    }
}

fn folded(text: &[u8]) -> Vec<u8> {
    let mut out: Vec<u8> = Vec::with_capacity(text.len());
    for &byte in text {
        match byte {
            b'/' | b'\\' if out.last() == Some(&b'\\') => {}
            b'/' => out.push(b'\\'),
            byte => out.push(byte.to_ascii_lowercase()),
        }
    }
    out
}

/// Whether a directory's name ends here: `/ws` must not match in `/ws2`.
fn ends_component(next: Option<&u8>) -> bool {
    next.is_none_or(|b| {
        !(b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.') || *b >= 128)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dirs(workspace: &str, target: &str) -> Dirs {
        Dirs {
            workspace: workspace.into(),
            build: target.into(),
            target: target.into(),
            cargo_home: "/home/.cargo".into(),
        }
    }

    #[test]
    fn texts_move_between_checkouts() {
        let one = dirs("/ws", "/ws/target");
        let two = dirs("/other/place", "/t");
        let text = b"/ws/target/debug/a.d: /ws/src/a.rs /ws2/b.rs /ws";
        let stored = one.unroot_text(text);
        assert_eq!(one.root_text(&stored), text);
        assert_eq!(
            two.root_text(&stored),
            b"/t/debug/a.d: /other/place/src/a.rs /ws2/b.rs /other/place"
        );
    }

    #[test]
    fn paths_move_between_checkouts() {
        let one = dirs("/ws", "/ws/target");
        let two = dirs("/other", "/t");
        for (from, to) in [
            ("/ws/src/a.rs", "/other/src/a.rs"),
            ("/ws/target/x", "/t/x"),
            ("/usr/include/x.h", "/usr/include/x.h"),
        ] {
            assert_eq!(two.absolute(&one.rooted(from.into())), to);
        }
    }

    #[test]
    fn every_spelling_of_a_directory_moves() {
        let one = dirs(r"C:\a b\ws", r"C:\a b\ws\target");
        let two = dirs(r"D:\other", r"D:\t");
        for (from, to) in [
            (r"C:\a b\ws\target\x", r"D:\t\x"),
            (r"C:\\a b\\ws\\target\\x", r"D:\\t\\x"),
            ("C:/a b/ws/target/x", "D:/t/x"),
            (r"C:\a\ b\ws\src C:\a\ b\ws2", r"D:\other\src C:\a\ b\ws2"),
            (r"\\?\C:\a b\ws\x", r"\\?\D:\other\x"),
        ] {
            let stored = one.unroot_text(from.as_bytes());
            let text = |bytes| String::from_utf8(bytes).unwrap();
            assert_eq!(text(one.root_text(&stored)), from);
            assert_eq!(text(two.root_text(&stored)), to);
        }
        // A message of cargo's, with all that JSON does to it.
        let json = serde_json::json!({"out_dir": r"C:\a b\ws\target\out"}).to_string();
        let moved = two.root_text(&one.unroot_text(json.as_bytes()));
        let moved: serde_json::Value = serde_json::from_slice(&moved).unwrap();
        assert_eq!(moved["out_dir"], r"D:\t\out");
        // Where the names look the same in both spellings.
        let unix = dirs("/ws", "/t");
        let stored = one.unroot_text(br"C:\a\ b\ws\src");
        assert_eq!(unix.root_text(&stored), br"/ws\src");
    }

    #[test]
    fn a_name_is_recognised_however_it_is_written() {
        assert_eq!(folded(br"\\?\C:/A\\\\b/c"), br"\?\c:\a\b\c");
        let one = dirs("/ws", "/ws/target");
        assert!(one.are_named_in("x=/ws/y") && !one.are_named_in("/w"));
        assert_eq!(Dirs::without("a=/ws/t;b=/ws", "/ws"), "a=/t;b=");
        if cfg!(windows) {
            let one = dirs(r"C:\ws", r"C:\ws\target");
            for name in [r"c:\WS", "C:/ws/x", r"\\?\C:\ws\x", r"C:\\ws"] {
                assert!(one.are_named_in(name), "{name}");
            }
            for path in [r"c:\Ws\src\a.rs", r"\\?\C:\ws\src\a.rs", "C:/ws/src/a.rs"] {
                let rooted = one.rooted(path.into());
                assert_eq!(
                    (rooted.root, rooted.path.as_str()),
                    (Root::Workspace, "src/a.rs")
                );
            }
        }
    }
}
