//! `cargo zbuild doctor`: the surroundings, as far as they matter.

use std::process::ExitCode;

use bytesize::ByteSize;
use camino::{Utf8Path, Utf8PathBuf};
use clap::{Arg, Command};

use super::config;
use super::own::Call;
use super::settings::Settings;
use crate::cache::Store;
use crate::cache::census::Census;
use crate::cargo::args::Invocation;
use crate::cargo::command::Cargo;
use crate::cargo::config::Config;
use crate::cargo::toolchain::Toolchain;
use crate::cargo::workspace::Workspace;

/// The first cargo (minor version) whose build directory has one directory per
/// unit by default.
const PER_UNIT_SINCE: u32 = 100;

/// The options.
pub fn command() -> Command {
    Command::new("doctor")
        .about("Show toolchain, layout, file systems, the cache and the settings")
        .arg(
            Arg::new("manifest-path")
                .long("manifest-path")
                .value_name("PATH")
                .help("Path to Cargo.toml"),
        )
}

/// Prints everything; the exit code is 1 if something stands in the way.
pub fn run(call: Call) -> ExitCode {
    let (_, inv, settings) = match call.with_settings(command()) {
        Ok(read) => read,
        Err(code) => return code,
    };
    let mut well = true;
    let mut line = |name: &str, text: Result<String, String>| match text {
        Ok(text) => anstream::println!("{name:<12} {text}"),
        Err(problem) => {
            well = false;
            anstream::println!("{name:<12} PROBLEM: {problem}");
        }
    };
    line("cargo-zbuild", Ok(env!("CARGO_PKG_VERSION").to_owned()));
    let cargo = Cargo::find(inv.toolchain.as_deref());
    let toolchain = ask_toolchain(&cargo, &inv);
    match &toolchain {
        Ok(toolchain) => {
            line(
                "cargo",
                Ok(format!(
                    "{} ({})",
                    first_line(&toolchain.cargo_version),
                    cargo.program()
                )),
            );
            line(
                "rustc",
                Ok(format!(
                    "{}, {}",
                    first_line(&toolchain.verbose_version),
                    toolchain.host
                )),
            );
        }
        Err(why) => line("cargo", Err(why.clone())),
    }
    let workspace = Workspace::ask(&cargo, &inv, &[]);
    match &workspace {
        Ok(workspace) => {
            line("workspace", Ok(workspace.root.to_string()));
            line(
                "layout",
                Ok(layout(
                    workspace,
                    toolchain.ok().and_then(|t| t.cargo_minor()),
                )),
            );
        }
        Err(error) => line("workspace", Err(error.to_string())),
    }
    match Store::place(settings.cache_dir()) {
        Ok(dir) => {
            let store = Store::open(&dir);
            line("cache", health(&store, &dir));
            let bound = super::gc::bounds(&settings).max_bytes(&store);
            line("bound", Ok(bound.map_or("none".into(), size)));
            if let Some((total, free)) = store.disk() {
                line(
                    "disk",
                    Ok(format!("{} free of {}", size(free), size(total))),
                );
            }
            let target = workspace.as_ref().ok().map(|w| w.build_dir.clone());
            line("files", ways(&store, target));
        }
        Err(error) => line("cache", Err(error.to_string())),
    }
    for problem in settings
        .problems
        .iter()
        .chain(&Settings::strange_variables())
    {
        line("settings", Err(problem.text.clone()));
    }
    config::show(&settings);
    match well {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}

fn ask_toolchain(cargo: &Cargo, inv: &Invocation) -> Result<Toolchain, String> {
    let cwd = std::env::current_dir().map_err(|error| error.to_string())?;
    let cwd = Utf8PathBuf::from_path_buf(cwd).map_err(|_| "its path is not UTF-8".to_owned())?;
    // Only `build.rustc` is of interest, and the user's own directory for it.
    let home = etcetera::home_dir().map_err(|error| error.to_string())?;
    let home = Utf8PathBuf::from_path_buf(home.join(".cargo")).unwrap_or_default();
    let config = Config::load(&cwd, &home, &inv.config).map_err(|error| error.to_string())?;
    Toolchain::ask(cargo, inv, &config).map_err(|error| error.to_string())
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

/// As it is in the build directory; as cargo would make it where that is empty.
fn layout(workspace: &Workspace, cargo_minor: Option<u32>) -> String {
    let has = |name: &str| {
        let profiles = workspace
            .build_dir
            .read_dir_utf8()
            .into_iter()
            .flatten()
            .flatten();
        profiles
            .into_iter()
            .any(|dir| dir.path().join(name).exists())
    };
    let kind = if has(".fingerprint") {
        "spread (.fingerprint, deps, build)"
    } else if has("build") || cargo_minor.is_some_and(|minor| minor >= PER_UNIT_SINCE) {
        "one directory per unit"
    } else {
        "spread (.fingerprint, deps, build)"
    };
    format!("{kind} in {}", workspace.build_dir)
}

fn size(bytes: u64) -> String {
    ByteSize(bytes).display().iec().to_string()
}

fn health(store: &Store, dir: &Utf8Path) -> Result<String, String> {
    if !store.root().is_dir() {
        return Ok(format!("{dir}, empty so far"));
    }
    if store.is_private() == Some(false) {
        return Err(format!(
            "{} can be read by others; `chmod 700` it",
            store.root()
        ));
    }
    if let Err(error) = tempfile::tempfile_in(store.root()) {
        return Err(format!("{} cannot be written: {error}", store.root()));
    }
    let census = Census::take(store);
    let variants: usize = census
        .entries
        .iter()
        .map(|e| e.variants.iter().flatten().count())
        .sum();
    let mut text = format!("{dir}, {}, {variants} recorded units", size(census.size()));
    if !census.junk.is_empty() {
        text += &format!(
            ", {} damaged index files (see `cargo zbuild verify`)",
            census.junk.len()
        );
    }
    Ok(text)
}

fn ways(store: &Store, target: Option<Utf8PathBuf>) -> Result<String, String> {
    let target = target.unwrap_or_else(|| store.root().to_owned());
    // The nearest directory that exists, so that nothing is created.
    let Some(dir) = target.ancestors().find(|dir| dir.is_dir()) else {
        return Err(format!("{target} does not exist"));
    };
    let ways = store
        .ways_to(dir)
        .map_err(|error| format!("{dir}: {error}"))?;
    Ok(match (ways.hard_links, ways.reflinks) {
        (true, true) => "hard links and reflinks between cache and target directory".into(),
        (true, false) => "hard links between cache and target directory, no reflinks".into(),
        (false, true) => "reflinks between cache and target directory".into(),
        (false, false) => {
            "copies between cache and target directory: they are on different file systems".into()
        }
    })
}
