//! One file of settings: TOML with a key per line.
//!
//! Everything found is told with its line; what is wrong with one key says
//! nothing about the others.

use std::borrow::Cow;

use camino::Utf8Path;
use fs_err as fs;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::keys::{KEYS, Key, Kind, Value, nearest};
use super::{Origin, Problem, unknown};

/// One thing found in a file.
#[derive(Debug, PartialEq, Eq)]
pub enum Found {
    /// A value, and the line that sets it.
    Value(&'static Key, Value, usize),
    /// Something wrong.
    Problem(Problem),
}

impl PartialEq for Key {
    fn eq(&self, other: &Key) -> bool {
        self.name == other.name
    }
}

impl Eq for Key {}

/// The text of a file; none if there is no such file.
///
/// # Errors
/// When it is there and cannot be read.
pub fn read(path: &Utf8Path) -> std::io::Result<Option<String>> {
    use std::io::ErrorKind::{NotADirectory, NotFound};
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if matches!(error.kind(), NotFound | NotADirectory) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Takes a file's text apart.
pub fn parse(path: &Utf8Path, text: &str) -> Vec<Found> {
    let table = match DeTable::parse(text) {
        Ok(table) => table,
        Err(error) => {
            let line = error.span().map_or(1, |span| line_of(text, span.start));
            return vec![Found::Problem(Problem {
                text: format!("{path}:{line}: {}", error.message()),
                decisive: true,
            })];
        }
    };
    // `/ws/.config/zbuild.toml` -> `/ws`
    let base = path.parent().and_then(Utf8Path::parent).unwrap_or(path);
    let mut entries: Vec<_> = table.get_ref().iter().collect();
    entries.sort_by_key(|(name, _)| name.span().start);
    let mut found = Vec::with_capacity(entries.len());
    for (name, value) in entries {
        let line = line_of(text, name.span().start);
        found.push(entry(path, base, line, name.get_ref(), value));
    }
    found
}

fn entry(
    path: &Utf8Path,
    base: &Utf8Path,
    line: usize,
    name: &str,
    value: &Spanned<DeValue<'_>>,
) -> Found {
    let place = Origin::File(path.to_owned(), line);
    let Some(key) = Key::named(name) else {
        let near = nearest(name, KEYS.iter().map(|key| key.name));
        return Found::Problem(unknown("key", name, Some(&place), near));
    };
    let value = written(key.kind, value.get_ref()).and_then(|text| key.read(&text, base));
    match value {
        Ok(value) => Found::Value(key, value, line),
        Err(why) => Found::Problem(Problem {
            text: format!("{place}: `{name}`: {why}"),
            decisive: key.decisive,
        }),
    }
}

/// A value as a variable would have it, if it has the right type.
fn written<'a>(kind: Kind, value: &'a DeValue<'_>) -> Result<Cow<'a, str>, String> {
    match (kind, value) {
        (Kind::Path | Kind::Size | Kind::Age, DeValue::String(text)) => Ok(Cow::Borrowed(text)),
        (Kind::Switch, DeValue::Boolean(on)) => Ok(Cow::Owned(on.to_string())),
        (Kind::Size, DeValue::Integer(bytes)) => Ok(Cow::Owned(bytes.to_string())),
        (Kind::Path, _) => Err("expected a path in quotes".to_owned()),
        (Kind::Switch, _) => Err("expected `true` or `false`, without quotes".to_owned()),
        (Kind::Size, _) => Err("expected a size in quotes, or a number of bytes".to_owned()),
        (Kind::Age, _) => Err("expected a time span in quotes".to_owned()),
    }
}

/// The line of a position, counted from 1.
fn line_of(text: &str, at: usize) -> usize {
    let before = text.as_bytes().get(..at).unwrap_or(text.as_bytes());
    memchr::memchr_iter(b'\n', before).count() + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(text: &str) -> Vec<(String, bool)> {
        let found = parse("/ws/.config/zbuild.toml".into(), text);
        let problem = |found| match found {
            Found::Problem(Problem { text, decisive }) => Some((text, decisive)),
            Found::Value(..) => None,
        };
        found.into_iter().filter_map(problem).collect()
    }

    #[test]
    fn values_have_their_lines() {
        let found = parse(
            "/ws/.config/zbuild.toml".into(),
            "# a comment\n\ndisable = true\ncache-dir = 'cache'\n",
        );
        let [Found::Value(one, on, 3), Found::Value(two, dir, 4)] = found.as_slice() else {
            panic!("{found:?}");
        };
        assert_eq!((one.name, on), ("disable", &Value::Switch(true)));
        assert_eq!(
            (two.name, dir),
            ("cache-dir", &Value::Path("/ws/cache".into()))
        );
    }

    #[test]
    fn what_is_wrong_is_named_with_file_line_and_neighbour() {
        assert_eq!(
            problems("disable = false\ncache_dir = 'x'\n"),
            [(
                "/ws/.config/zbuild.toml:2: unknown key `cache_dir`; did you mean `cache-dir`?"
                    .to_owned(),
                false
            )]
        );
        assert_eq!(
            problems("\n\ndisable = 'ture'\n"),
            [(
                "/ws/.config/zbuild.toml:3: `disable`: expected `true` or `false`, without quotes"
                    .to_owned(),
                true
            )]
        );
        let torn = problems("disable = true\ncache-dir = 'x\n");
        assert_eq!(torn.len(), 1, "{torn:?}");
        assert!(
            torn[0].1 && torn[0].0.starts_with("/ws/.config/zbuild.toml:2: "),
            "{torn:?}"
        );
    }
}
