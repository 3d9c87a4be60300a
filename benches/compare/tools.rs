//! The commands that build.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Result;
use crate::checkout::Checkout;
use crate::measure::called;
use crate::options::Options;
use crate::peers::{PEERS, Peer};
use crate::subject::Subject;

/// The names of the two that are always measured.
pub const CARGO: &str = "cargo";
pub const ZBUILD: &str = "cargo-zbuild";

/// A way to build a package.
#[derive(Clone, Debug)]
pub struct Tool {
    /// Its name in the report.
    pub name: &'static str,
    program: String,
    args: Vec<String>,
    env: Vec<(String, OsString)>,
    /// The names of its daemons' processes.
    pub daemons: &'static [&'static str],
}

impl Tool {
    /// Plain cargo. `bin` is where cargo-zbuild is, for all tools alike.
    pub fn cargo(options: &Options, bin: &Path) -> Result<Tool> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let path = std::iter::once(bin.to_owned()).chain(std::env::split_paths(&path));
        let mut env = vec![("PATH".to_owned(), std::env::join_paths(path)?)];
        if let Some(toolchain) = &options.toolchain {
            env.push(("RUSTUP_TOOLCHAIN".to_owned(), toolchain.into()));
        }
        Ok(Tool {
            name: CARGO,
            program: "cargo".to_owned(),
            args: vec!["build".to_owned()],
            env,
            daemons: &[],
        })
    }

    /// cargo-zbuild with a cache of its own.
    pub fn zbuild(cargo: &Tool, cache: &Path) -> Tool {
        let mut tool = cargo.clone();
        tool.name = ZBUILD;
        tool.args = vec!["zbuild".to_owned()];
        tool.env.push(("ZBUILD_CACHE_DIR".to_owned(), cache.into()));
        tool
    }

    /// A peer that has `home` for itself.
    pub fn peer(cargo: &Tool, peer: &Peer, home: &Path) -> Result<Tool> {
        let mut tool = cargo.clone();
        tool.name = peer.name;
        tool.daemons = peer.daemons;
        match peer.front {
            Some(args) => {
                tool.program = peer.name.to_owned();
                tool.args = args.iter().map(|arg| (*arg).to_owned()).collect();
            }
            None => tool
                .env
                .push(("RUSTC_WRAPPER".to_owned(), peer.name.into())),
        }
        let home = home.to_str().ok_or("the scratch directory is no text")?;
        let port = std::net::TcpListener::bind("127.0.0.1:0")?
            .local_addr()?
            .port();
        for (name, value) in peer.env {
            let value = value.replace("{home}", home);
            let value = value.replace("{port}", &port.to_string());
            tool.env.push(((*name).to_owned(), value.into()));
        }
        Ok(tool)
    }

    /// A command with nothing in its environment that could change a build.
    pub fn command(&self, program: &str, dir: &Path) -> Command {
        let mut command = Command::new(program);
        command.current_dir(dir);
        for (name, _) in std::env::vars_os() {
            if could_change_a_build(&name.to_string_lossy()) {
                command.env_remove(name);
            }
        }
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Builds the package of a checkout.
    pub fn build(&self, subject: &Subject, checkout: &Checkout) -> Command {
        let mut command = self.command(&self.program, &checkout.dir);
        command.args(&self.args).args(["-p", &subject.package]);
        // Whatever the user's configuration says.
        command.env("CARGO_TARGET_DIR", checkout.target());
        command
    }

    /// What this cargo prints.
    pub fn ask(&self, dir: &Path, args: &[&str]) -> Result<String> {
        said(self.command("cargo", dir).args(args))
    }

    /// What this cargo's rustc prints.
    pub fn ask_rustc(&self, dir: &Path, args: &[&str]) -> Result<String> {
        said(self.command("rustc", dir).args(args))
    }
}

/// What a command prints; it must succeed.
pub fn said(command: &mut Command) -> Result<String> {
    let output = command.output();
    let called = called(command);
    let output = output.map_err(|error| format!("{called}: {error}"))?;
    if !output.status.success() {
        let stderr = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{called}: {}\n{stderr}", output.status).into());
    }
    Ok(String::from_utf8(output.stdout)?)
}

fn could_change_a_build(name: &str) -> bool {
    let outer = ["CARGO", "RUST", "ZBUILD", "MAKEFLAGS", "MFLAGS", "CI"];
    let own = PEERS.iter().map(|peer| peer.name.to_uppercase());
    let loader = [
        "LD_LIBRARY_PATH",
        "DYLD_LIBRARY_PATH",
        "DYLD_FALLBACK_LIBRARY_PATH",
    ];
    let place = ["CARGO_HOME", "RUSTUP_HOME", "RUSTUP_DIST_SERVER"];
    !place.contains(&name)
        && (outer.iter().any(|prefix| name.starts_with(prefix))
            || own.into_iter().any(|prefix| name.starts_with(&prefix))
            || loader.contains(&name))
}

/// Where a program is on PATH.
pub fn on_path(program: &str) -> Option<PathBuf> {
    let name = format!("{program}{}", std::env::consts::EXE_SUFFIX);
    let path = std::env::var_os("PATH")?;
    let mut places = std::env::split_paths(&path).map(|dir| dir.join(&name));
    places.find(|place| place.is_file())
}

/// What cargo-zbuild says about a build.
#[derive(Debug, Default)]
pub struct Zbuild {
    /// Units of the plan.
    pub units: Option<u64>,
    /// Units that cargo compiled or ran.
    pub compiled: Option<u64>,
    /// Anything else, which a build without trouble does not have.
    pub troubles: Vec<String>,
}

impl Zbuild {
    /// Reads what it printed.
    pub fn heard(log: &str) -> Zbuild {
        let mut heard = Zbuild::default();
        for line in log.lines().filter_map(|line| line.strip_prefix("zbuild: ")) {
            let figure = |what: &str| {
                let mut parts = line.split(", ");
                parts.find_map(|part| part.strip_suffix(what)?.trim().parse().ok())
            };
            if let (Some(units), Some(compiled)) = (figure("units"), figure("compiled")) {
                heard.units = Some(units);
                heard.compiled = Some(compiled);
            } else {
                heard.troubles.push(line.to_owned());
            }
        }
        heard
    }
}
