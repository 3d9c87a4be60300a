//! What a static key was made of, in words.
//!
//! A key that was never seen tells nothing by itself. So while it is hashed
//! its parts are noted by name, and the notes of the keys planned lately are
//! kept beside the store: `explain` compares them. They only ever explain; no
//! verdict rests on them, and a table that is missing or damaged counts as
//! empty. Values that may be secret are kept as digests.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::unit::{Digest, KeyHasher};

/// Begins every table; the digit is its version.
const MAGIC: &[u8; 4] = b"ZBK1";

/// How many keys a table keeps, the latest ones.
const KEPT: usize = 6000;

/// How much of a long value is kept.
const LONG: usize = 240;

/// Variables whose values are shown: those that hold flags and settings, but
/// none in which a token could be.
const SHOWN: &[&str] = &[
    "CARGO_BUILD_",
    "CARGO_ENCODED_RUSTFLAGS",
    "CARGO_INCREMENTAL",
    "CARGO_PROFILE_",
    "CARGO_TARGET_",
    "CARGO_UNSTABLE_",
    "RUSTC",
    "RUSTFLAGS",
];

/// The parts of one key: values by name.
pub type Parts = BTreeMap<String, String>;

/// A hasher that notes what it hashes.
pub struct NotingHasher {
    hasher: KeyHasher,
    parts: Parts,
}

impl NotingHasher {
    /// An empty hasher for keys of the given kind.
    pub fn new(domain: &str) -> NotingHasher {
        NotingHasher {
            hasher: KeyHasher::new(domain),
            parts: Parts::new(),
        }
    }

    /// Adds one named part, and notes it as a text if it is one.
    pub fn part(&mut self, name: &str, value: &[u8]) -> &mut NotingHasher {
        let text = std::str::from_utf8(value).ok();
        let text = text.filter(|text| !text.contains(|c: char| c.is_control() && c != '\n'));
        let shown = text.map_or_else(|| digest_of(value), shorten);
        self.named(name, value, name, shown)
    }

    /// Adds one named part of which only a digest is noted.
    pub fn secret(&mut self, name: &str, value: &[u8]) -> &mut NotingHasher {
        self.named(name, value, name, digest_of(value))
    }

    /// Adds one named part, and notes it in other words.
    pub fn named(
        &mut self,
        name: &str,
        value: &[u8],
        noted: &str,
        shown: String,
    ) -> &mut NotingHasher {
        self.hasher.part(name, value);
        self.note(noted, shown);
        self
    }

    /// Adds one named part without a note of its own.
    pub fn unnoted(&mut self, name: &str, value: &[u8]) -> &mut NotingHasher {
        self.hasher.part(name, value);
        self
    }

    /// Adds a variable of the environment.
    pub fn variable(&mut self, name: &str, value: &str) -> &mut NotingHasher {
        let is_shown = SHOWN.iter().any(|prefix| name.starts_with(prefix));
        let shown = match is_shown {
            true => shorten(&value.replace('\u{1f}', " ")),
            false => digest_of(value.as_bytes()),
        };
        self.named(name, value.as_bytes(), &format!("variable {name}"), shown)
    }

    /// Notes something that is hashed as a part of another value.
    pub fn note(&mut self, name: &str, shown: String) {
        match self.parts.get_mut(name) {
            Some(other) => {
                other.push_str(", ");
                other.push_str(&shown);
            }
            None => {
                self.parts.insert(name.to_owned(), shown);
            }
        }
    }

    /// Notes the fields of a JSON object, each by its path.
    pub fn note_fields(&mut self, path: &str, value: &Value) {
        match value {
            Value::Object(fields) => {
                for (name, value) in fields {
                    let dot = if path.is_empty() { "" } else { "." };
                    self.note_fields(&format!("{path}{dot}{name}"), value);
                }
            }
            Value::String(text) => self.note(path, shorten(text)),
            other => self.note(path, shorten(&other.to_string())),
        }
    }

    /// The digest of all parts, and the parts.
    pub fn finish(self) -> (Digest, Parts) {
        (self.hasher.finish(), self.parts)
    }
}

fn digest_of(value: &[u8]) -> String {
    format!("#{}", &Digest::of(value).hex()[..12])
}

fn shorten(text: &str) -> String {
    match text.char_indices().nth(LONG) {
        Some((at, _)) => format!("{}... {}", &text[..at], digest_of(text.as_bytes())),
        None => text.to_owned(),
    }
}

/// A key with its parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Noted {
    /// The key.
    pub key: Digest,
    /// Of which unit: package, target, kind and mode, whatever the version.
    pub unit: String,
    /// Its parts.
    pub parts: Parts,
}

/// The keys planned lately in one build directory.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Table {
    /// Every text once.
    strings: Vec<String>,
    /// The keys, the latest last.
    keys: Vec<Entry>,
}

/// A key, its unit, and the names and values of its parts: places in the list
/// of texts.
type Entry = (Digest, u32, Vec<(u32, u32)>);

impl Table {
    /// Encodes the table.
    pub fn encode(&self) -> Vec<u8> {
        // Encoding into memory has nothing to fail on.
        postcard::to_extend(self, MAGIC.to_vec()).unwrap_or_default()
    }

    /// Decodes a table; an empty one when it is of another version or damaged.
    pub fn decode(bytes: &[u8]) -> Table {
        let body = bytes.strip_prefix(MAGIC);
        let table: Option<Table> = body.and_then(|body| postcard::from_bytes(body).ok());
        let table = table.unwrap_or_default();
        let count = table.strings.len();
        let inside = |at: &u32| usize::try_from(*at).is_ok_and(|at| at < count);
        let whole = table.keys.iter().all(|(_, unit, parts)| {
            let mut pairs = parts.iter();
            inside(unit) && pairs.all(|(name, value)| inside(name) && inside(value))
        });
        if whole { table } else { Table::default() }
    }

    /// All keys of the table, the latest first.
    pub fn keys(&self) -> impl Iterator<Item = Noted> {
        let text = |at: u32| {
            let text = usize::try_from(at).ok().and_then(|at| self.strings.get(at));
            text.cloned().unwrap_or_default()
        };
        self.keys.iter().rev().map(move |(key, unit, parts)| Noted {
            key: *key,
            unit: text(*unit),
            parts: parts.iter().map(|(n, v)| (text(*n), text(*v))).collect(),
        })
    }

    /// A table with these keys as the latest.
    pub fn with(&self, new: &[Noted]) -> Table {
        let mut all: Vec<Noted> = new.iter().rev().cloned().collect();
        let fresh: std::collections::HashSet<Digest> = new.iter().map(|noted| noted.key).collect();
        all.extend(self.keys().filter(|noted| !fresh.contains(&noted.key)));
        all.truncate(KEPT);
        let mut table = Table::default();
        let mut known: HashMap<String, u32> = HashMap::new();
        for noted in all.into_iter().rev() {
            let mut at = |text: String| {
                let next = u32::try_from(table.strings.len()).unwrap_or(u32::MAX);
                *known.entry(text).or_insert_with_key(|text| {
                    table.strings.push(text.clone());
                    next
                })
            };
            let unit = at(noted.unit);
            let parts = noted.parts.into_iter().map(|(n, v)| (at(n), at(v)));
            let parts = parts.collect();
            table.keys.push((noted.key, unit, parts));
        }
        table
    }
}

/// The names of parts in which two keys differ, with both values.
pub fn differences(then: &Parts, now: &Parts) -> Vec<(String, Option<String>, Option<String>)> {
    let names: std::collections::BTreeSet<&String> = then.keys().chain(now.keys()).collect();
    names
        .into_iter()
        .filter(|name| then.get(*name) != now.get(*name))
        .map(|name| {
            (
                name.clone(),
                then.get(name).cloned(),
                now.get(name).cloned(),
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noted(n: u8, profile: &str) -> Noted {
        let mut hasher = NotingHasher::new("unit");
        hasher.part("n", &[n]).part("profile", profile.as_bytes());
        let (key, parts) = hasher.finish();
        Noted {
            key,
            unit: "app bin build".into(),
            parts,
        }
    }

    #[test]
    fn notes_change_no_key() {
        let mut noting = NotingHasher::new("unit");
        noting
            .part("a", b"1")
            .secret("b", b"2")
            .variable("RUSTFLAGS", "-Cx");
        noting.note("c", "3".into());
        let mut plain = KeyHasher::new("unit");
        plain
            .part("a", b"1")
            .part("b", b"2")
            .part("RUSTFLAGS", b"-Cx");
        let (key, parts) = noting.finish();
        assert_eq!(key, plain.finish());
        assert_eq!(parts["variable RUSTFLAGS"], "-Cx");
        assert!(parts["b"].starts_with('#'));
    }

    #[test]
    fn texts_are_shown_and_the_rest_as_digests() {
        let mut noting = NotingHasher::new("unit");
        noting.part("lines", b"a\nb").part("escape", b"\x1b[1m");
        noting.part("bytes", b"\xff");
        let (_, parts) = noting.finish();
        assert_eq!(parts["lines"], "a\nb");
        assert!(parts["escape"].starts_with('#') && parts["bytes"].starts_with('#'));
    }

    #[test]
    fn a_table_that_points_outside_of_itself_counts_as_empty() {
        let table = |unit, name, value| Table {
            strings: vec!["a".into(), "b".into()],
            keys: vec![(Digest::of(b"key"), unit, vec![(name, value)])],
        };
        let count = |table: Table| Table::decode(&table.encode()).keys().count();
        assert_eq!(count(table(0, 1, 1)), 1);
        for broken in [table(2, 1, 1), table(0, 2, 1), table(0, 1, 2)] {
            assert_eq!(count(broken), 0);
        }
    }

    #[test]
    fn tokens_are_not_kept() {
        let mut noting = NotingHasher::new("unit");
        noting.variable("CARGO_BRAND_NEW_TOKEN", "secret");
        assert!(!format!("{:?}", noting.finish().1).contains("secret"));
    }

    #[test]
    fn tables_keep_the_latest_keys() {
        let one = Table::default().with(&[noted(1, "dev"), noted(2, "dev")]);
        let two = one.with(&[noted(1, "dev"), noted(3, "release")]);
        let two = Table::decode(&two.encode());
        let keys: Vec<Noted> = two.keys().collect();
        assert_eq!(
            keys,
            [noted(3, "release"), noted(1, "dev"), noted(2, "dev")]
        );
        let differences = differences(&noted(1, "dev").parts, &noted(1, "release").parts);
        let expected = (
            "profile".to_owned(),
            Some("dev".into()),
            Some("release".into()),
        );
        assert_eq!(differences, [expected]);
        assert_eq!(Table::decode(b"ZBK1garbage").keys().count(), 0);
    }
}
