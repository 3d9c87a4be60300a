//! The keys that can be set: names, kinds, defaults, and how a value is read.
//!
//! One table serves the files, the variables, the flags, `cargo zbuild config`
//! and the JSON schema. A key belongs here only if something follows it.

use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};

/// A key.
#[derive(Debug)]
pub struct Key {
    /// Its name in files.
    pub name: &'static str,
    /// What values it takes.
    pub kind: Kind,
    /// What it means, in one line.
    pub about: &'static str,
    /// What holds when it is not set, as it would be written; none where that
    /// depends on the system.
    pub default: Option<&'static str>,
    /// Whether a value that cannot be read leaves unknown if and where we may
    /// work at all: then plain cargo builds. Any other one is left out.
    pub decisive: bool,
}

/// What values a key takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A file or directory. A relative one starts from the directory that
    /// holds `.config`, or from the current directory for variables and flags.
    Path,
    /// `true` or `false`.
    Switch,
    /// Bytes (`20 GiB`, `500MB`), percent of the disk (`5%`), or `none`.
    Size,
    /// A time span (`30d`, `2 weeks`), or `none`.
    Age,
}

/// A value of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Of [`Kind::Path`].
    Path(Utf8PathBuf),
    /// Of [`Kind::Switch`].
    Switch(bool),
    /// Of [`Kind::Size`]; none for `none`.
    Size(Option<Size>),
    /// Of [`Kind::Age`]; none for `none`.
    Age(Option<Duration>),
}

/// An amount of storage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// So many bytes.
    Bytes(u64),
    /// So many percent of the file system that holds the cache; at most 100.
    Percent(u8),
}

/// All keys.
pub const KEYS: &[Key] = &[
    Key {
        name: "cache-dir",
        kind: Kind::Path,
        about: "where the cache is",
        default: None,
        decisive: true,
    },
    Key {
        name: "disable",
        kind: Kind::Switch,
        about: "run plain cargo",
        default: Some("false"),
        decisive: true,
    },
    Key {
        name: "max-size",
        kind: Kind::Size,
        about: "how large the cache may become; not set, a tenth of the disk is a bound as well",
        default: Some("20GiB"),
        decisive: false,
    },
    Key {
        name: "max-age",
        kind: Kind::Age,
        about: "how long something is kept that no build uses",
        default: Some("90d"),
        decisive: false,
    },
    Key {
        name: "min-free",
        kind: Kind::Size,
        about: "how much of the disk the cache leaves free",
        default: Some("none"),
        decisive: false,
    },
    Key {
        name: "journal",
        kind: Kind::Path,
        about: "a file that gains a line of JSON with every build",
        default: None,
        decisive: false,
    },
    Key {
        name: "verify",
        kind: Kind::Switch,
        about: "let cargo confirm that all is fresh, and read again what was reused",
        default: Some("false"),
        decisive: false,
    },
    Key {
        name: "stats",
        kind: Kind::Switch,
        about: "print figures after each build",
        default: Some("false"),
        decisive: false,
    },
];

impl Key {
    /// The key of this name.
    pub fn named(name: &str) -> Option<&'static Key> {
        KEYS.iter().find(|key| key.name == name)
    }

    /// The variable that sets it: `ZBUILD_CACHE_DIR` for `cache-dir`.
    pub fn variable(&self) -> String {
        format!(
            "ZBUILD_{}",
            self.name.to_ascii_uppercase().replace('-', "_")
        )
    }

    /// The flag that sets it: `--zbuild-cache-dir` for `cache-dir`.
    pub fn flag(&self) -> String {
        format!("--zbuild-{}", self.name)
    }

    /// The value that holds when it is not set; none where that depends on
    /// the system.
    pub fn default(&self) -> Option<Value> {
        let text = self.default?;
        self.read(text, Utf8Path::new("")).ok()
    }

    /// Reads a value. `base` is where relative paths start.
    ///
    /// # Errors
    /// Says what would have been a value.
    pub fn read(&self, text: &str, base: &Utf8Path) -> Result<Value, String> {
        let off = text == "none";
        match self.kind {
            Kind::Path if text.is_empty() => Err("expected a path".to_owned()),
            Kind::Path => Ok(Value::Path(base.join(text))),
            Kind::Switch => match text {
                "true" | "1" | "yes" | "on" => Ok(Value::Switch(true)),
                "false" | "0" | "no" | "off" => Ok(Value::Switch(false)),
                _ => Err("expected `true` or `false`".to_owned()),
            },
            Kind::Size if off => Ok(Value::Size(None)),
            Kind::Size => size(text).map(|size| Value::Size(Some(size))),
            Kind::Age if off => Ok(Value::Age(None)),
            Kind::Age => match humantime::parse_duration(text) {
                Ok(age) => Ok(Value::Age(Some(age))),
                Err(_) => Err("expected a time span such as `30d` or `12h`, or `none`".to_owned()),
            },
        }
    }
}

/// Reads an amount of storage; a bare number is bytes.
///
/// # Errors
/// Says what would have been one.
pub fn size(text: &str) -> Result<Size, String> {
    let wrong = || "expected a size such as `20GiB` or `5%`, or `none`".to_owned();
    match text.strip_suffix('%') {
        Some(percent) => match percent.trim().parse() {
            Ok(percent @ 0..=100) => Ok(Size::Percent(percent)),
            _ => Err(wrong()),
        },
        None => {
            let size: bytesize::ByteSize = text.parse().map_err(|_| wrong())?;
            Ok(Size::Bytes(size.as_u64()))
        }
    }
}

impl Value {
    /// The value for JSON: bytes as a number, ages in seconds, `none` as null.
    pub fn json(&self) -> serde_json::Value {
        match self {
            Value::Path(path) => path.as_str().into(),
            Value::Switch(on) => (*on).into(),
            Value::Size(None) | Value::Age(None) => serde_json::Value::Null,
            Value::Size(Some(Size::Bytes(bytes))) => (*bytes).into(),
            Value::Size(Some(Size::Percent(percent))) => format!("{percent}%").into(),
            Value::Age(Some(age)) => age.as_secs().into(),
        }
    }
}

impl std::fmt::Display for Value {
    /// As it could stand in a file.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Value::Path(path) => write!(f, "{:?}", path.as_str()),
            Value::Switch(on) => write!(f, "{on}"),
            Value::Size(None) | Value::Age(None) => f.write_str("\"none\""),
            Value::Size(Some(Size::Bytes(bytes))) => match *bytes {
                bytes if bytes % (1 << 30) == 0 && bytes > 0 => {
                    write!(f, "\"{}GiB\"", bytes >> 30)
                }
                bytes if bytes % 1_000_000 == 0 && bytes > 0 => {
                    write!(f, "\"{}MB\"", bytes / 1_000_000)
                }
                // TOML's integers have a sign.
                bytes if i64::try_from(bytes).is_err() => write!(f, "\"{bytes}\""),
                bytes => write!(f, "{bytes}"),
            },
            Value::Size(Some(Size::Percent(percent))) => write!(f, "\"{percent}%\""),
            Value::Age(Some(age)) if age.as_secs() % 86_400 == 0 && !age.is_zero() => {
                write!(f, "\"{}d\"", age.as_secs() / 86_400)
            }
            Value::Age(Some(age)) => write!(f, "\"{}\"", humantime::format_duration(*age)),
        }
    }
}

/// The nearest of some names, if one is near enough to be meant.
pub fn nearest<'a>(name: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    names
        .map(|known| (strsim::normalized_damerau_levenshtein(name, known), known))
        .filter(|(nearness, _)| *nearness >= 0.4)
        .max_by(|one, other| one.0.total_cmp(&other.0))
        .map(|(_, known)| known)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(kind: Kind, text: &str) -> Result<Value, String> {
        let key = Key {
            name: "a-key",
            kind,
            about: "",
            default: None,
            decisive: false,
        };
        key.read(text, Utf8Path::new("/base"))
    }

    #[test]
    fn values_of_every_kind() {
        let bytes = |bytes| Ok(Value::Size(Some(Size::Bytes(bytes))));
        assert_eq!(read(Kind::Path, "x/y"), Ok(Value::Path("/base/x/y".into())));
        assert_eq!(read(Kind::Path, "/y"), Ok(Value::Path("/y".into())));
        assert_eq!(read(Kind::Switch, "1"), Ok(Value::Switch(true)));
        assert_eq!(read(Kind::Size, "20 GiB"), bytes(20 << 30));
        assert_eq!(read(Kind::Size, "500MB"), bytes(500_000_000));
        assert_eq!(read(Kind::Size, "123"), bytes(123));
        assert_eq!(
            read(Kind::Size, "5%"),
            Ok(Value::Size(Some(Size::Percent(5))))
        );
        assert_eq!(read(Kind::Size, "none"), Ok(Value::Size(None)));
        let month = Duration::from_secs(30 * 86400);
        assert_eq!(read(Kind::Age, "30d"), Ok(Value::Age(Some(month))));
        for (kind, text) in [
            (Kind::Path, ""),
            (Kind::Switch, "ture"),
            (Kind::Size, "101%"),
            (Kind::Size, "many"),
            (Kind::Age, "soon"),
        ] {
            assert!(read(kind, text).is_err(), "{text}");
        }
    }

    #[test]
    fn values_are_shown_as_they_are_written() {
        for (kind, text) in [
            (Kind::Path, "/a \"b\""),
            (Kind::Switch, "true"),
            (Kind::Size, "20GiB"),
            (Kind::Size, "500MB"),
            (Kind::Size, "7"),
            (Kind::Size, "18446744073709551615"),
            (Kind::Size, "5%"),
            (Kind::Size, "none"),
            (Kind::Age, "2h 30m"),
        ] {
            let value = read(kind, text).unwrap();
            let shown: toml::Table = format!("key = {value}").parse().unwrap();
            let shown = match &shown["key"] {
                toml::Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            assert_eq!(read(kind, &shown), Ok(value), "{text}");
        }
    }

    #[test]
    fn defaults_are_values() {
        for key in KEYS {
            assert_eq!(key.default.is_some(), key.default().is_some(), "{key:?}");
        }
    }

    #[test]
    fn typing_errors_are_near() {
        let near = |name| nearest(name, KEYS.iter().map(|key| key.name));
        assert_eq!(near("cache_dir"), Some("cache-dir"));
        assert_eq!(near("cachedir"), Some("cache-dir"));
        assert_eq!(near("disabled"), Some("disable"));
        assert_eq!(near("x"), None);
    }
}
