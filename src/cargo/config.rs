//! cargo's configuration files, as far as they decide what a unit becomes.
//!
//! The files are found and read as cargo does (`.cargo/config.toml` from the
//! current directory upwards, then `$CARGO_HOME`; `include`; `--config`), but
//! not merged: what counts for a key is the list of their relevant contents in
//! order of precedence. Tables that cannot change an output are left out, so
//! that an alias does not cost a rebuild; a table that we do not know stays in.

use camino::{Utf8Path, Utf8PathBuf};
use fs_err as fs;
use toml::{Table, Value};

use super::CargoError;

/// Top-level tables that change how cargo talks, downloads or names things,
/// but never what rustc is asked to do (cargo book, "Configuration format").
const IRRELEVANT: &[&str] = &[
    "alias",
    "cache",
    "cargo-new",
    "credential-alias",
    "future-incompat-report",
    "http",
    "include",
    "install",
    "net",
    "registries",
    "registry",
    "source",
    "term",
];

/// Keys of `[build]` of the same kind.
const IRRELEVANT_BUILD: &[&str] = &["jobs", "target-dir", "build-dir", "target", "warnings"];

/// One configuration file that exists.
#[derive(Clone, Debug)]
pub struct ConfigFile {
    /// Where it is.
    pub path: Utf8PathBuf,
    /// What it says.
    pub table: Table,
}

/// All configuration that applies in a directory.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// The files that exist, the strongest first.
    pub files: Vec<ConfigFile>,
    /// Every path at which a file would count, existing or not: a plan holds
    /// only as long as none of them changes, appears or goes.
    pub candidates: Vec<Utf8PathBuf>,
}

impl Config {
    /// Reads the configuration that cargo would read in `cwd`.
    ///
    /// # Errors
    /// When a file cannot be read or is not TOML. cargo will refuse it too.
    pub fn load(
        cwd: &Utf8Path,
        cargo_home: &Utf8Path,
        from_args: &[String],
    ) -> Result<Config, CargoError> {
        let mut config = Config::default();
        // `--config` takes a file or `KEY=VALUE`, and the last one wins. What is
        // neither, cargo refuses.
        for arg in from_args.iter().rev() {
            let path = cwd.join(arg);
            if path.is_file() {
                config.read(path, 0)?;
            } else if let Ok(table) = arg.parse() {
                // Its paths are relative to the current directory.
                let path = cwd.join(".cargo/--config");
                config.files.push(ConfigFile { path, table });
            }
        }
        for dir in cwd.ancestors() {
            config.read_dir(&dir.join(".cargo"))?;
        }
        config.read_dir(cargo_home)?;
        Ok(config)
    }

    fn read_dir(&mut self, dir: &Utf8Path) -> Result<(), CargoError> {
        for name in ["config", "config.toml"] {
            let path = dir.join(name);
            if self.candidates.contains(&path) {
                continue;
            }
            if path.is_file() {
                self.read(path, 0)?;
            } else {
                self.candidates.push(path);
            }
        }
        Ok(())
    }

    fn read(&mut self, path: Utf8PathBuf, depth: u8) -> Result<(), CargoError> {
        let parse = |path: &Utf8Path, why: String| CargoError::Parse {
            path: path.to_owned(),
            why,
        };
        if depth > 16 {
            return Err(parse(&path, "more than 16 nested includes".into()));
        }
        self.candidates.push(path.clone());
        let text = fs::read_to_string(&path).map_err(|source| CargoError::Read {
            path: path.clone(),
            source,
        })?;
        let table: Table = text.parse().map_err(|e| parse(&path, format!("{e}")))?;
        let includes = includes(&table);
        let dir = path.parent().unwrap_or(Utf8Path::new("")).to_owned();
        self.files.push(ConfigFile { path, table });
        for include in includes {
            let path = dir.join(include);
            if path.is_file() {
                self.read(path, depth + 1)?;
            } else {
                self.candidates.push(path);
            }
        }
        Ok(())
    }

    /// A string value such as `build.rustc`, from the strongest file that has it.
    pub fn string(&self, table: &str, key: &str) -> Option<(&Utf8Path, &str)> {
        self.files.iter().find_map(|file| {
            let value = file.table.get(table)?.get(key)?.as_str()?;
            Some((file.path.as_path(), value))
        })
    }

    /// The value of a path-like setting: as in cargo, a value with a slash is
    /// relative to the directory that holds `.cargo`, another one is searched
    /// for on `PATH`.
    pub fn program(&self, table: &str, key: &str) -> Option<String> {
        let (file, value) = self.string(table, key)?;
        Some(resolve(file, value))
    }

    /// All linkers named in `[target.*]`, resolved likewise.
    pub fn linkers(&self) -> Vec<String> {
        let mut found = Vec::new();
        for file in &self.files {
            let targets = file.table.get("target").and_then(Value::as_table);
            for target in targets.into_iter().flat_map(Table::values) {
                if let Some(linker) = target.get("linker").and_then(Value::as_str) {
                    found.push(resolve(&file.path, linker));
                }
            }
        }
        found
    }

    /// What of all files can change an output, in a form that is the same in
    /// another checkout with the same files at the same places.
    pub fn relevant(&self, workspace_root: &Utf8Path) -> Vec<u8> {
        let mut parts = Vec::new();
        for file in &self.files {
            let mut table = file.table.clone();
            table.retain(|key, _| !IRRELEVANT.contains(&key));
            if let Some(Value::Table(build)) = table.get_mut("build") {
                build.retain(|key, _| !IRRELEVANT_BUILD.contains(&key));
            }
            if let Some(Value::Table(targets)) = table.get_mut("target") {
                for target in targets.iter_mut() {
                    if let Value::Table(target) = target.1 {
                        target.remove("runner");
                    }
                }
            }
            table.retain(|_, value| value.as_table().is_none_or(|t| !t.is_empty()));
            if table.is_empty() {
                continue;
            }
            // Relative values of `[env]` become absolute paths.
            let place = if has_relative_env(&table) {
                file.path.as_str()
            } else {
                match file.path.strip_prefix(workspace_root) {
                    Ok(inside) => inside.as_str(),
                    Err(_) => "outside",
                }
            };
            parts.push(serde_json::json!([place, table]));
        }
        serde_json::Value::Array(parts).to_string().into_bytes()
    }
}

/// `$CARGO_HOME`, or where it is by default (the `home` crate's rule).
pub fn home() -> Option<Utf8PathBuf> {
    let given = std::env::var("CARGO_HOME").ok().filter(|v| !v.is_empty());
    let path = match given {
        Some(path) => std::path::absolute(path).ok(),
        None => etcetera::home_dir().ok().map(|home| home.join(".cargo")),
    };
    path.and_then(|path| Utf8PathBuf::from_path_buf(path).ok())
}

fn includes(table: &Table) -> Vec<String> {
    let one = |value: &Value| match value {
        Value::String(path) => Some(path.clone()),
        Value::Table(entry) => entry.get("path")?.as_str().map(str::to_owned),
        _ => None,
    };
    match table.get("include") {
        Some(Value::Array(list)) => list.iter().filter_map(one).collect(),
        Some(value) => one(value).into_iter().collect(),
        None => Vec::new(),
    }
}

fn resolve(file: &Utf8Path, value: &str) -> String {
    if !value.contains(['/', '\\']) {
        return value.to_owned();
    }
    // `/ws/.cargo/config.toml` -> `/ws`
    let base = file.parent().and_then(Utf8Path::parent);
    base.map_or_else(|| value.to_owned(), |base| base.join(value).into_string())
}

fn has_relative_env(table: &Table) -> bool {
    let env = table.get("env").and_then(Value::as_table);
    env.into_iter()
        .flat_map(Table::values)
        .any(|value| value.get("relative").and_then(Value::as_bool) == Some(true))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(text: &str) -> Config {
        Config {
            files: vec![ConfigFile {
                path: "/ws/.cargo/config.toml".into(),
                table: text.parse().unwrap(),
            }],
            candidates: vec![],
        }
    }

    fn relevant(text: &str) -> String {
        String::from_utf8(config(text).relevant("/ws".into())).unwrap()
    }

    #[test]
    fn an_alias_changes_nothing() {
        assert_eq!(
            relevant("[alias]\nb='build'\n[term]\nquiet=true\n[build]\njobs=3"),
            "[]"
        );
    }

    #[test]
    fn flags_env_and_strangers_count() {
        for text in [
            "[build]\nrustflags=['-Cx']",
            "[env]\nA='b'",
            "[target.x]\nlinker='ld'",
            "[newthing]\na=1",
            "[profile.dev]\nopt-level=1",
        ] {
            assert_ne!(relevant(text), "[]", "{text}");
        }
        assert_eq!(
            relevant("[target.x]\nrunner='qemu'"),
            r#"[[".cargo/config.toml",{"target":{"x":{}}}]]"#
        );
    }

    #[test]
    fn arguments_count_as_what_they_say_and_the_last_one_wins() {
        let load = |args: &[&str]| {
            let args: Vec<String> = args.iter().map(|arg| arg.to_string()).collect();
            Config::load("/nowhere".into(), "/nowhere/home".into(), &args).unwrap()
        };
        let relevant = |args| load(args).relevant("/nowhere".into());
        assert_eq!(relevant(&["build.target-dir='t'"]), relevant(&[]));
        assert_ne!(relevant(&["build.rustflags='-Cx'"]), relevant(&[]));
        let linkers = load(&["build.rustc='a'", "build.rustc='./b'"]);
        assert_eq!(
            linkers
                .program("build", "rustc")
                .as_deref()
                .map(Utf8Path::new),
            Some(Utf8Path::new("/nowhere/./b"))
        );
    }

    #[test]
    fn relative_env_is_bound_to_the_place() {
        assert!(relevant("[env]\nA={value='b',relative=true}").contains("/ws/.cargo"));
        assert!(!relevant("[env]\nA={value='b'}").contains("/ws/"));
    }

    #[test]
    fn programs_resolve_as_cargo_does() {
        let c = config("[build]\nrustc='tools/rustc'\nrustc-wrapper='sccache'");
        assert_eq!(
            c.program("build", "rustc").as_deref().map(Utf8Path::new),
            Some(Utf8Path::new("/ws/tools/rustc"))
        );
        assert_eq!(
            c.program("build", "rustc-wrapper").as_deref(),
            Some("sccache")
        );
    }
}
