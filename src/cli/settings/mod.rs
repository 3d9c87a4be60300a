//! Settings: what is in effect, and where each value comes from.
//!
//! In rising order: defaults, the user's file (`zbuild.toml` in the user's
//! configuration directory, `~/.config` on Linux), the workspace's
//! `.config/zbuild.toml`, `ZBUILD_*` variables, `--zbuild-*` flags. cargo is
//! not asked where the workspace is: its file is the first one found from the
//! manifest upwards that has a `Cargo.toml` beside its `.config`.
//!
//! What is wrong in a file must never break a build. A key that nobody knows,
//! or a value that cannot be read, is named in one line and left out. Where it
//! may have been the one that says where to work or not to work at all, or
//! where a whole file cannot be read, plain cargo builds. A wrong flag is
//! refused, as cargo refuses it.

pub mod file;
pub mod flags;
pub mod keys;

use std::fmt;
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};

use self::file::Found;
pub use self::flags::Flags;
use self::keys::{KEYS, Key, Size, Value, nearest};
use crate::cargo::args::Invocation;

/// Begins the name of every variable of ours.
const PREFIX: &str = "ZBUILD_";

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A file and the line in it, counted from 1.
    File(Utf8PathBuf, usize),
    /// An environment variable.
    Variable(String),
    /// A flag.
    Flag(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::File(path, line) => write!(f, "{path}:{line}"),
            Origin::Variable(name) => write!(f, "${name}"),
            Origin::Flag(name) => f.write_str(name),
        }
    }
}

/// Something wrong with the settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// What, where, and what may have been meant.
    pub text: String,
    /// Whether it leaves unknown if and where we may work at all.
    pub decisive: bool,
}

/// All settings in effect.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// The values that were set, each once.
    values: Vec<(&'static Key, Value, Origin)>,
    /// What is wrong.
    pub problems: Vec<Problem>,
    /// The files that were read, the weakest first.
    pub files: Vec<Utf8PathBuf>,
    /// What is wrong with the flags. Whoever typed one is there to be told.
    refused_flags: Vec<String>,
}

impl Settings {
    /// Reads everything that applies to an invocation.
    pub fn load(inv: &Invocation, flags: &Flags) -> Settings {
        let mut settings = Settings::default();
        let cwd = current_dir();
        let start = inv.directory.as_ref().map_or(cwd.clone(), |d| cwd.join(d));
        let user = user_file();
        if let Some(path) = &user {
            settings.add_file(path, file::read(path));
        }
        let manifest_dir = match &inv.manifest_path {
            Some(path) => start.join(path).parent().map(Utf8Path::to_owned),
            None => Some(start.clone()),
        };
        if let Some((path, text)) = manifest_dir.and_then(|dir| workspace_file(&dir, &user)) {
            settings.add_file(&path, text);
        }
        for key in KEYS {
            let name = key.variable();
            let given = std::env::var_os(&name).filter(|value| !value.is_empty());
            if let Some(value) = given {
                match key.read(&value.to_string_lossy(), &cwd) {
                    Ok(value) => settings.set(key, value, Origin::Variable(name)),
                    Err(why) => settings.problems.push(Problem {
                        text: format!("${name}: {why}"),
                        decisive: key.decisive,
                    }),
                }
            }
        }
        for (name, value) in &flags.values {
            settings.add_flag(name, value.as_deref(), &start);
        }
        settings
    }

    fn add_file(&mut self, path: &Utf8Path, text: std::io::Result<Option<String>>) {
        let found = match text {
            Ok(None) => return,
            Ok(Some(text)) => {
                self.files.push(path.to_owned());
                file::parse(path, &text)
            }
            Err(error) => {
                self.problems.push(Problem {
                    text: format!("could not read {path}: {error}"),
                    decisive: true,
                });
                return;
            }
        };
        for found in found {
            match found {
                Found::Value(key, value, line) => {
                    self.set(key, value, Origin::File(path.to_owned(), line));
                }
                Found::Problem(problem) => self.problems.push(problem),
            }
        }
    }

    fn add_flag(&mut self, name: &str, value: Option<&str>, base: &Utf8Path) {
        let known = KEYS.iter().find(|key| key.flag() == name);
        let Some(key) = known else {
            let flags: Vec<String> = KEYS.iter().map(Key::flag).collect();
            let near = nearest(name, flags.iter().map(String::as_str));
            let problem = unknown("flag", name, None, near);
            self.refused_flags.push(problem.text);
            return;
        };
        // A switch alone is on.
        let value = match (value, key.kind) {
            (None, keys::Kind::Switch) => Ok(Value::Switch(true)),
            (None, _) => Err(format!("expected `{name}=VALUE`")),
            (Some(value), _) => key.read(value, base),
        };
        match value {
            Ok(value) => self.set(key, value, Origin::Flag(name.to_owned())),
            Err(why) => self.refused_flags.push(format!("`{name}`: {why}")),
        }
    }

    fn set(&mut self, key: &'static Key, value: Value, origin: Origin) {
        self.values.retain(|(other, ..)| other.name != key.name);
        self.values.push((key, value, origin));
    }

    /// A value and its origin, if it was set.
    pub fn get(&self, name: &str) -> Option<(&Value, &Origin)> {
        let found = self.values.iter().find(|(key, ..)| key.name == name);
        found.map(|(_, value, origin)| (value, origin))
    }

    /// The value in effect; none where nothing was set and the default depends
    /// on the system.
    fn in_effect(&self, name: &str) -> Option<Value> {
        match self.get(name) {
            Some((value, _)) => Some(value.clone()),
            None => Key::named(name)?.default(),
        }
    }

    fn size(&self, name: &str) -> Option<Size> {
        match self.in_effect(name) {
            Some(Value::Size(size)) => size,
            _ => None,
        }
    }

    fn path(&self, name: &str) -> Option<&Utf8Path> {
        match self.get(name) {
            Some((Value::Path(path), _)) => Some(path),
            _ => None,
        }
    }

    fn switch(&self, name: &str) -> bool {
        matches!(self.get(name), Some((Value::Switch(true), _)))
    }

    /// Where the cache is to be, if that was set.
    pub fn cache_dir(&self) -> Option<&Utf8Path> {
        self.path("cache-dir")
    }

    /// Whether plain cargo is to run.
    pub fn is_disabled(&self) -> bool {
        self.switch("disable")
    }

    /// What is wrong with the first wrong flag: the command is refused then.
    pub fn refused_flag(&self) -> Option<&String> {
        self.refused_flags.first()
    }

    /// A file that gains a line with every build, if that was set.
    pub fn journal(&self) -> Option<&Utf8Path> {
        self.path("journal")
    }

    /// Whether what was reused is checked after each build.
    pub fn verify(&self) -> bool {
        self.switch("verify")
    }

    /// Whether figures are printed after each build.
    pub fn stats(&self) -> bool {
        self.switch("stats")
    }

    /// How large the cache may become.
    pub fn max_size(&self) -> Option<Size> {
        self.size("max-size")
    }

    /// How much of the disk the cache leaves free.
    pub fn min_free(&self) -> Option<Size> {
        self.size("min-free")
    }

    /// How long something is kept that no build uses.
    pub fn max_age(&self) -> Option<Duration> {
        match self.in_effect("max-age") {
            Some(Value::Age(age)) => age,
            _ => None,
        }
    }

    /// The problem because of which plain cargo has to build, if there is one.
    pub fn obstacle(&self) -> Option<&Problem> {
        self.problems.iter().find(|problem| problem.decisive)
    }

    /// Variables that look like ours and are none.
    pub fn strange_variables() -> Vec<Problem> {
        let known: Vec<String> = KEYS.iter().map(Key::variable).collect();
        let mut strange: Vec<String> = std::env::vars_os()
            .filter_map(|(name, _)| name.into_string().ok())
            .filter(|name| name.starts_with(PREFIX) && !known.contains(name))
            .collect();
        strange.sort();
        let problem = |name: &String| {
            let near = nearest(name, known.iter().map(String::as_str));
            unknown("variable", name, None, near)
        };
        strange.iter().map(problem).collect()
    }
}

/// A name that nobody knows.
fn unknown(what: &str, name: &str, place: Option<&Origin>, near: Option<&str>) -> Problem {
    let place = place.map_or(String::new(), |place| format!("{place}: "));
    let near = near.map_or(String::new(), |near| format!("; did you mean `{near}`?"));
    Problem {
        text: format!("{place}unknown {what} `{name}`{near}"),
        decisive: false,
    }
}

/// The user's file; it has the same name as a workspace's.
fn user_file() -> Option<Utf8PathBuf> {
    use etcetera::BaseStrategy;
    let base = etcetera::choose_base_strategy().ok()?;
    Utf8PathBuf::from_path_buf(base.config_dir().join("zbuild.toml")).ok()
}

type Read = std::io::Result<Option<String>>;

/// The workspace's file and what it says: the first one upwards that has a
/// manifest beside its directory. A file in a home directory is the user's.
fn workspace_file(start: &Utf8Path, user: &Option<Utf8PathBuf>) -> Option<(Utf8PathBuf, Read)> {
    for dir in start.ancestors() {
        let path = dir.join(".config").join("zbuild.toml");
        if user.as_ref() == Some(&path) {
            continue;
        }
        let text = file::read(&path);
        if !matches!(text, Ok(None)) && dir.join("Cargo.toml").is_file() {
            return Some((path, text));
        }
    }
    None
}

fn current_dir() -> Utf8PathBuf {
    std::env::current_dir()
        .ok()
        .and_then(|dir| Utf8PathBuf::from_path_buf(dir).ok())
        .unwrap_or_default()
}
