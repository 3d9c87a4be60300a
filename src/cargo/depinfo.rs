//! The two kinds of dep-info: rustc's `.d` files, and cargo's own encoding of
//! them in the fingerprint directory.
//!
//! rustc's file lists every source file and every `env!`; cargo's leaves out
//! what cargo trusts or sets itself. A file that cannot be read or understood
//! is an error here, never "no inputs".

/// What rustc's `.d` file says.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct RustcDepInfo {
    /// The files that rules are given for: the outputs.
    pub outputs: Vec<String>,
    /// All source files, as rustc saw them: relative to its working directory
    /// or absolute.
    pub sources: Vec<String>,
    /// Every variable read by `env!` and `option_env!`, with its value.
    pub env: Vec<(String, Option<String>)>,
}

/// Reads rustc's dep-info (rustc: `write_out_deps`; cargo:
/// `parse_rustc_dep_info`). None when it is not one.
pub fn parse_rustc(text: &str) -> Option<RustcDepInfo> {
    let mut info = RustcDepInfo::default();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# env-dep:") {
            let (name, value) = match rest.split_once('=') {
                Some((name, value)) => (name, Some(unescape_env(value)?)),
                None => (rest, None),
            };
            info.env.push((unescape_env(name)?, value));
        } else if line.starts_with('#') || line.is_empty() {
            continue;
        } else if let Some(at) = rule_colon(line) {
            let sources = words(&line[at + 1..]);
            if sources.is_empty() {
                // `src/lib.rs:` rules only keep make from failing.
                continue;
            }
            info.outputs.push(unescape_path(&line[..at]));
            for source in sources {
                if !info.sources.contains(&source) {
                    info.sources.push(source);
                }
            }
        } else {
            return None;
        }
    }
    (!info.outputs.is_empty()).then_some(info)
}

/// The colon that ends a rule's target: one that a space or the end follows,
/// so that `C:\x` does not end at its drive letter.
fn rule_colon(line: &str) -> Option<usize> {
    let bytes = line.as_bytes();
    (0..bytes.len()).find(|&i| bytes[i] == b':' && matches!(bytes.get(i + 1), None | Some(b' ')))
}

/// Splits at spaces that no backslash escapes.
fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\\' if chars.peek() == Some(&' ') => {
                chars.next();
                word.push(' ');
            }
            ' ' => {
                if !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
            }
            c => word.push(c),
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

fn unescape_path(text: &str) -> String {
    text.replace("\\ ", " ")
}

fn unescape_env(text: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match chars.next()? {
            '\\' => out.push('\\'),
            'n' => out.push('\n'),
            'r' => out.push('\r'),
            _ => return None,
        }
    }
    Some(out)
}

/// What a path in cargo's dep-info starts from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Base {
    /// The package's directory (or the path is absolute).
    Package,
    /// The build directory (or the path is absolute).
    Build,
}

/// What cargo's dep-info file says.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct CargoDepInfo {
    /// The files whose times cargo checks.
    pub files: Vec<(Base, String)>,
    /// The variables of the outer environment that rustc read.
    pub env: Vec<String>,
}

/// Reads cargo's encoded dep-info, version 1 (cargo:
/// `src/compiler/fingerprint/dep_info.rs`, `EncodedDepInfo`). None when it has
/// another version or is damaged.
pub fn parse_cargo(bytes: &[u8]) -> Option<CargoDepInfo> {
    let mut reader = Reader(bytes);
    if reader.count()? != 1 || reader.byte()? != u8::MAX || reader.byte()? != 1 {
        return None;
    }
    let mut info = CargoDepInfo::default();
    for _ in 0..reader.count()? {
        let base = match reader.byte()? {
            0 => Base::Package,
            1 => Base::Build,
            _ => return None,
        };
        info.files.push((base, reader.text()?));
        if reader.byte()? != 0 {
            reader.take(8)?;
            reader.text()?;
        }
    }
    for _ in 0..reader.count()? {
        info.env.push(reader.text()?);
        match reader.byte()? {
            0 => {}
            1 => {
                reader.text()?;
            }
            _ => return None,
        }
    }
    reader.0.is_empty().then_some(info)
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (head, tail) = self.0.split_at_checked(count)?;
        self.0 = tail;
        Some(head)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1).map(|b| b[0])
    }

    fn count(&mut self) -> Option<usize> {
        let bytes = self.take(4)?.try_into().ok()?;
        Some(u32::from_le_bytes(bytes) as usize)
    }

    fn text(&mut self) -> Option<String> {
        let count = self.count()?;
        String::from_utf8(self.take(count)?.to_vec()).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_rustc_file() {
        let info = parse_rustc(
            "/t/deps/a-1.d: src/main.rs /t/x\\ y.rs\n\n/t/deps/a-1: src/main.rs /t/x\\ y.rs\n\n\
             src/main.rs:\n/t/x\\ y.rs:\n\n# env-dep:A=b\\\\c\\nd\n# env-dep:NOT_SET\n",
        )
        .unwrap();
        assert_eq!(info.outputs, ["/t/deps/a-1.d", "/t/deps/a-1"]);
        assert_eq!(info.sources, ["src/main.rs", "/t/x y.rs"]);
        assert_eq!(
            info.env,
            [
                ("A".into(), Some("b\\c\nd".into())),
                ("NOT_SET".into(), None)
            ]
        );
    }

    #[test]
    fn escapes_that_rustc_does_not_write_are_not_guessed() {
        let of = |text: &str| parse_rustc(&format!("a.d: a.rs\n# env-dep:A={text}\n"));
        assert_eq!(
            of("x\\r\\ny").unwrap().env,
            [("A".into(), Some("x\r\ny".into()))]
        );
        assert_eq!(of("x\\ty"), None);
        assert_eq!(of("x\\"), None);
    }

    #[test]
    fn drive_letters_are_no_rules() {
        let info = parse_rustc("C:\\t\\a.d: C:\\s\\lib.rs\n").unwrap();
        assert_eq!(info.outputs, ["C:\\t\\a.d"]);
        assert_eq!(info.sources, ["C:\\s\\lib.rs"]);
    }

    #[test]
    fn nothing_is_not_no_inputs() {
        assert_eq!(parse_rustc(""), None);
        assert_eq!(parse_rustc("garbage"), None);
        assert_eq!(parse_cargo(b""), None);
    }

    #[test]
    fn reads_a_cargo_file() {
        let mut bytes = vec![1, 0, 0, 0, 0xff, 1, 1, 0, 0, 0, 0];
        bytes.extend([3, 0, 0, 0]);
        bytes.extend(b"a/b");
        bytes.extend([0, 1, 0, 0, 0, 1, 0, 0, 0]);
        bytes.extend(b"V\x00");
        let info = parse_cargo(&bytes).unwrap();
        assert_eq!(info.files, [(Base::Package, "a/b".into())]);
        assert_eq!(info.env, ["V"]);
        for cut in 0..bytes.len() {
            assert_eq!(parse_cargo(&bytes[..cut]), None, "cut at {cut}");
        }
    }

    #[test]
    fn a_cargo_file_has_checksums_and_values() {
        let text = |text: &str| [&[text.len() as u8, 0, 0, 0], text.as_bytes()].concat();
        let bytes = [
            vec![1, 0, 0, 0, 0xff, 1, 2, 0, 0, 0],
            vec![1],
            text("a"),
            vec![1, 0, 0, 0, 0, 0, 0, 0, 0],
            text("blake3=1"),
            vec![0],
            text("b"),
            vec![0, 1, 0, 0, 0],
            text("V"),
            vec![1],
            text("value"),
        ]
        .concat();
        let info = parse_cargo(&bytes).unwrap();
        assert_eq!(
            info.files,
            [(Base::Build, "a".into()), (Base::Package, "b".into())]
        );
        assert_eq!(info.env, ["V"]);
    }
}
