//! `cargo zbuild setup`: short names in cargo's `[alias]` table.
//!
//! Writes to one file of cargo's configuration and keeps everything else in it
//! as it is, letter by letter; `--undo` leaves the file as it was before. An
//! alias of the user's own is never touched.

use std::process::ExitCode;

use camino::{Utf8Path, Utf8PathBuf};
use clap::{Arg, ArgAction, Command};
use fs_err as fs;
use toml_edit::{DocumentMut, Item, Table, TableLike, Value};

use super::own::Call;
use super::plain::refuse;
use crate::cargo::command::Cargo;
use crate::cargo::config::home;

/// The names that cargo itself has for its most used verbs.
const ALIASES: &[(&str, &str)] = &[
    ("b", "zbuild"),
    ("c", "zbuild check"),
    ("t", "zbuild test"),
    ("r", "zbuild run"),
];

/// Its options.
pub fn command() -> Command {
    let flag = |name: &'static str, help: &'static str| {
        Arg::new(name)
            .long(name)
            .action(ArgAction::SetTrue)
            .help(help)
    };
    Command::new("setup")
        .about("Let `cargo b`, `c`, `t` and `r` mean `cargo zbuild` with that verb")
        .arg(flag("user", "In $CARGO_HOME/config.toml (the default)").conflicts_with("workspace"))
        .arg(flag(
            "workspace",
            "In .cargo/config.toml at the workspace's root",
        ))
        .arg(flag("undo", "Take them out again"))
        .arg(
            Arg::new("manifest-path")
                .long("manifest-path")
                .value_name("PATH")
                .help("A manifest of the workspace"),
        )
}

/// Writes the aliases, or takes them out.
pub fn run(call: Call) -> ExitCode {
    let (given, inv) = match call.read(command()) {
        Ok(read) => read,
        Err(code) => return code,
    };
    let cargo = Cargo::find(call.toolchain.as_deref());
    let dir = match given.get_flag("workspace") {
        true => {
            workspace_root(&cargo, inv.manifest_path.as_deref()).map(|root| root.join(".cargo"))
        }
        false => home().ok_or_else(|| "found no CARGO_HOME".to_owned()),
    };
    let done = dir.and_then(|dir| {
        let path = file_in(&dir);
        change(&path, given.get_flag("undo")).map_err(|why| format!("{why} ({path})"))
    });
    match done {
        Ok(lines) => {
            for line in lines {
                anstream::eprintln!("zbuild: {line}");
            }
            ExitCode::SUCCESS
        }
        Err(why) => refuse(&why),
    }
}

fn workspace_root(cargo: &Cargo, manifest: Option<&Utf8Path>) -> Result<Utf8PathBuf, String> {
    let mut command = cargo.command();
    command.args(["locate-project", "--workspace", "--message-format=plain"]);
    if let Some(path) = manifest {
        command.arg("--manifest-path").arg(path);
    }
    let output = cargo
        .ask_however_it_ends(command)
        .map_err(|error| error.to_string())?;
    let told = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    if !output.status.success() {
        let why = told(&output.stderr);
        return Err(why.strip_prefix("error: ").unwrap_or(&why).to_owned());
    }
    let manifest = Utf8PathBuf::from(told(&output.stdout));
    let root = manifest.parent().map(Utf8Path::to_owned);
    root.ok_or_else(|| format!("cargo names no workspace root: {manifest}"))
}

/// The configuration file of a directory: where there are both, cargo reads
/// the one without an extension (cargo: `get_file_path`).
fn file_in(dir: &Utf8Path) -> Utf8PathBuf {
    let old = dir.join("config");
    match old.is_file() {
        true => old,
        false => dir.join("config.toml"),
    }
}

/// Changes the file and returns what is to be said.
fn change(path: &Utf8Path, undo: bool) -> Result<Vec<String>, String> {
    let old = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(error.to_string()),
    };
    let (new, mut lines) = edited(&old, undo)?;
    if new == old {
        lines.push(format!("nothing to change in {path}"));
        return Ok(lines);
    }
    if new.is_empty() {
        fs::remove_file(path).map_err(|error| error.to_string())?;
    } else {
        write(path, &new).map_err(|error| error.to_string())?;
    }
    let what = if undo { "removed from" } else { "written to" };
    lines.insert(0, format!("{what} {path}:"));
    Ok(lines)
}

/// The changed text, and what was done to it.
fn edited(text: &str, undo: bool) -> Result<(String, Vec<String>), String> {
    let mut document: DocumentMut = text
        .parse()
        .map_err(|error| format!("the configuration is not TOML: {error}"))?;
    if !document.contains_key("alias") {
        if undo {
            return Ok((text.to_owned(), Vec::new()));
        }
        let mut table = Table::new();
        if !text.is_empty() {
            table.decor_mut().set_prefix("\n");
        }
        document.insert("alias", Item::Table(table));
    }
    let aliases = document
        .get_mut("alias")
        .and_then(Item::as_table_like_mut)
        .ok_or("`alias` in it is no table")?;
    let mut lines = Vec::new();
    for (name, command) in ALIASES {
        match (aliases.get(name), undo) {
            (None, true) => {}
            (None, false) => {
                aliases.insert(name, Item::Value(Value::from(*command)));
                lines.push(format!("  {name} = {command:?}"));
            }
            (Some(item), _) if words(item) != command.split(' ').collect::<Vec<_>>() => {
                let own = item.to_string();
                lines.push(format!("  left alone: {name} = {}", own.trim()));
            }
            (Some(_), true) => {
                aliases.remove(name);
                lines.push(format!("  {name} = {command:?}"));
            }
            (Some(_), false) => {}
        }
    }
    if undo && is_bare(aliases) {
        document.remove("alias");
    }
    let mut new = document.to_string();
    // What stood before a removed table is its own.
    if undo && new.trim().is_empty() {
        new.clear();
    }
    Ok((new, lines))
}

/// An alias as cargo splits it.
fn words(item: &Item) -> Vec<&str> {
    match (item.as_str(), item.as_array()) {
        (Some(text), _) => text.split_whitespace().collect(),
        (None, Some(list)) => list.iter().filter_map(Value::as_str).collect(),
        (None, None) => Vec::new(),
    }
}

/// Whether a table holds nothing, not even a comment of the user's.
fn is_bare(table: &dyn TableLike) -> bool {
    table.is_empty()
}

/// Replaces a file whole, where it really is and with the rights that it has.
fn write(path: &Utf8Path, text: &str) -> std::io::Result<()> {
    use std::io::Write;
    let real = fs::canonicalize(path).unwrap_or_else(|_| path.into());
    let dir = real.parent().unwrap_or(std::path::Path::new("."));
    fs::create_dir_all(dir)?;
    #[cfg(unix)]
    let mut file = {
        use std::os::unix::fs::PermissionsExt;
        let readable = std::fs::Permissions::from_mode(0o644);
        tempfile::Builder::new()
            .permissions(readable)
            .tempfile_in(dir)?
    };
    #[cfg(not(unix))]
    let mut file = tempfile::NamedTempFile::new_in(dir)?;
    file.write_all(text.as_bytes())?;
    if let Ok(meta) = fs::metadata(&real) {
        fs::set_permissions(file.path(), meta.permissions())?;
    }
    file.persist(&real)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn undo_leaves_no_trace() {
        for text in [
            "",
            "[build]\njobs = 2 # two\n",
            "# mine\n[alias]\nxyz = \"build -p xyz\" # a comment\n\n[term]\nquiet = false\n",
            "alias.xyz = \"run\"\n[net]\noffline = true\n",
            "[alias]\nb = \"build --release\"\n",
        ] {
            let (with, said) = edited(text, false).unwrap();
            assert!(
                with.contains("\"zbuild check\"") && said.len() > 2,
                "{with}"
            );
            let (again, _) = edited(&with, false).unwrap();
            assert_eq!(again, with);
            let (without, _) = edited(&with, true).unwrap();
            assert_eq!(without, text);
        }
    }

    #[test]
    fn an_own_alias_stays() {
        let (with, said) =
            edited("[alias]\nb = ['build', '-r']\nt='zbuild test'\n", false).unwrap();
        assert!(with.contains("b = ['build', '-r']"), "{with}");
        assert!(
            said.iter().any(|line| line.contains("left alone: b")),
            "{said:?}"
        );
        let (without, _) = edited(&with, true).unwrap();
        assert_eq!(without, "[alias]\nb = ['build', '-r']\n");
        assert!(edited("alias = 1", false).is_err());
        assert!(edited("alias = ", false).is_err());
    }
}
