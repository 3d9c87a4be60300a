//! Paths of this build as rooted paths, and texts with such paths in them.

use camino::{Utf8Path, Utf8PathBuf};

use super::Dirs;
use crate::unit::{Root, RootedPath};

/// Marks a root inside a stored text; no path and no line of output holds a
/// zero byte.
const MARK: u8 = 0;

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
            if let Ok(inside) = path.strip_prefix(dir) {
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

    /// A text with this build's directories replaced by marks.
    pub fn unroot_text(&self, text: &[u8]) -> Vec<u8> {
        let roots = self.roots();
        let mut out = Vec::with_capacity(text.len());
        let mut at = 0;
        'text: while at < text.len() {
            let rest = &text[at..];
            for (root, dir) in &roots {
                let dir = dir.as_str().as_bytes();
                if rest.starts_with(dir) && ends_component(rest.get(dir.len())) {
                    out.extend([MARK, letter(*root), MARK]);
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
                out.extend_from_slice(dir.as_str().as_bytes());
                at += 3;
            } else {
                out.push(text[at]);
                at += 1;
            }
        }
        out
    }

    fn by_letter(&self, letter: u8) -> Option<&Utf8Path> {
        match letter {
            b'B' => Some(&self.build),
            b'T' => Some(&self.target),
            b'W' => Some(&self.workspace),
            _ => None,
        }
    }
}

fn letter(root: Root) -> u8 {
    match root {
        Root::Build => b'B',
        Root::Target => b'T',
        Root::Workspace | Root::Absolute => b'W',
    }
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
}
