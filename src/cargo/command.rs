//! Which cargo is started, and how.

use std::ffi::OsString;
use std::process::{Command, Output, Stdio};

use camino::{Utf8Path, Utf8PathBuf};

use super::CargoError;
use super::args::Invocation;

/// The real cargo, and the directory it is to be started in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cargo {
    program: OsString,
    toolchain: Option<String>,
}

impl Cargo {
    /// Finds the real cargo: `$CARGO` (set by cargo for its subcommands),
    /// unless that is ourselves, else `cargo` on the search path, skipping
    /// ourselves there too, so that `CARGO=cargo-zbuild` cannot recurse.
    pub fn find(inv: &Invocation) -> Cargo {
        let own = std::env::current_exe().ok().and_then(canonical);
        let is_own = |program: &OsString| {
            let found = canonical(program.into());
            found.is_some() && found == own
        };
        let toolchain = inv.toolchain.clone();
        let given = std::env::var_os("CARGO")
            // With `+toolchain` rustup's proxy has to choose the cargo.
            .filter(|cargo| toolchain.is_none() && !cargo.is_empty() && !is_own(cargo));
        let program = given.unwrap_or_else(|| {
            let name = format!("cargo{}", std::env::consts::EXE_SUFFIX);
            std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())
                .map(|dir| dir.join(&name).into_os_string())
                .find(|path| std::path::Path::new(path).is_file() && !is_own(path))
                .unwrap_or_else(|| name.into())
        });
        Cargo { program, toolchain }
    }

    /// The program's path, for keys and messages.
    pub fn program(&self) -> String {
        self.program.to_string_lossy().into_owned()
    }

    /// A command for this cargo with `+toolchain` in place. `CARGO` is taken
    /// away where it names ourselves, so that it keeps its meaning for children.
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        if let Some(toolchain) = &self.toolchain {
            command.arg(format!("+{toolchain}"));
            command.env_remove("CARGO").env_remove("RUSTUP_TOOLCHAIN");
        }
        command
    }

    /// Runs another program of the toolchain and returns its stdout.
    ///
    /// # Errors
    /// When it cannot be started or does not succeed.
    pub fn ask_program(
        &self,
        program: &str,
        mut command: Command,
        args: &[&str],
    ) -> Result<String, CargoError> {
        command.args(args);
        let output = run(command, program, &format!("{program} {}", args.join(" ")))?;
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Runs cargo to its end and returns what it printed.
    ///
    /// # Errors
    /// When cargo cannot be started or does not succeed.
    pub fn ask(&self, command: Command, what: &str) -> Result<Output, CargoError> {
        run(command, &self.program(), what)
    }

    /// The same, and it may end as it likes.
    ///
    /// # Errors
    /// When cargo cannot be started.
    pub fn ask_however_it_ends(&self, command: Command) -> Result<Output, CargoError> {
        output(command, &self.program())
    }
}

fn output(mut command: Command, program: &str) -> Result<Output, CargoError> {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .output()
        .map_err(|source| CargoError::Start {
            program: program.to_owned(),
            source,
        })
}

fn run(command: Command, program: &str, what: &str) -> Result<Output, CargoError> {
    let output = output(command, program)?;
    if output.status.success() {
        Ok(output)
    } else {
        Err(CargoError::Refused {
            what: what.to_owned(),
            status: output.status,
            said: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
    }
}

fn canonical(path: std::path::PathBuf) -> Option<Utf8PathBuf> {
    Utf8Path::from_path(&path)?.canonicalize_utf8().ok()
}
