//! The subcommands of our own, in one table: help, completions and the manual
//! page are made from it.
//!
//! One module per subcommand, each with a `command` (its options) and a `run`.
//! A name here goes before a verb of cargo's under `cargo zbuild`, so it must
//! not be one that builds.

use std::process::ExitCode;
use std::time::Instant;

use camino::Utf8PathBuf;

use super::settings::{Flags, Settings};
use super::{
    audit, clear, complete, config, doctor, gc, help, plain, preview, setup, stats, verify,
};
use crate::cache::Store;
use crate::cargo::args::Invocation;

/// How a subcommand was called.
pub struct Call {
    /// `+toolchain`, without the plus.
    pub toolchain: Option<String>,
    /// Everything after the subcommand's name, without our own flags.
    pub args: Vec<String>,
    /// Our own flags.
    pub flags: Flags,
    /// When the process began.
    pub begun: Instant,
}

impl Call {
    /// Reads the arguments by a subcommand's options, and what cargo would
    /// understand of them as well (`--manifest-path`).
    ///
    /// # Errors
    /// With the exit code, when help was asked for or the arguments are wrong;
    /// it has been said.
    pub fn read(&self, command: clap::Command) -> Result<(clap::ArgMatches, Invocation), ExitCode> {
        let name = format!("cargo zbuild {}", command.get_name());
        let command = command.bin_name(&name);
        let words = std::iter::once(&name).chain(&self.args);
        match command.no_binary_name(false).try_get_matches_from(words) {
            Ok(given) => {
                let mut inv = Invocation::parse("build", self.args.clone());
                inv.toolchain.clone_from(&self.toolchain);
                Ok((given, inv))
            }
            Err(error) => {
                // Nobody is there to be told if the stream is closed.
                let _ = error.print();
                Err(match error.use_stderr() {
                    // cargo's own code for a wrong command line
                    true => ExitCode::FAILURE,
                    false => ExitCode::SUCCESS,
                })
            }
        }
    }
}

impl Call {
    /// The same with the settings in effect.
    ///
    /// # Errors
    /// With the exit code, also when a flag of ours is wrong; it has been said.
    pub fn with_settings(
        &self,
        command: clap::Command,
    ) -> Result<(clap::ArgMatches, Invocation, Settings), ExitCode> {
        let (given, inv) = self.read(command)?;
        let settings = Settings::load(&inv, &self.flags);
        match settings.refused_flag() {
            Some(refusal) => Err(plain::refuse(refusal)),
            None => Ok((given, inv, settings)),
        }
    }

    /// The same with the place of the cache. Where the settings leave a doubt
    /// about it, nothing is done: it would be done to another cache.
    ///
    /// # Errors
    /// With the exit code; it has been said.
    pub fn with_cache(
        &self,
        command: clap::Command,
    ) -> Result<(clap::ArgMatches, Settings, Utf8PathBuf), ExitCode> {
        let (given, _, settings) = self.with_settings(command)?;
        if let Some(problem) = settings.obstacle() {
            return Err(plain::refuse(&problem.text));
        }
        let dir = Store::place(settings.cache_dir()).map_err(|error| plain::refuse(&error))?;
        Ok((given, settings, dir))
    }
}

/// A subcommand of our own.
pub struct Own {
    /// Its name on the command line.
    pub name: &'static str,
    /// Its options, as help and completions show them.
    pub command: fn() -> clap::Command,
    /// What it does.
    pub run: fn(Call) -> ExitCode,
}

/// All of them, in the order in which the help names them.
pub const OWN: &[Own] = &[
    Own {
        name: "plan",
        command: preview::plan_command,
        run: preview::plan,
    },
    Own {
        name: "explain",
        command: preview::explain_command,
        run: preview::explain,
    },
    Own {
        name: "setup",
        command: setup::command,
        run: setup::run,
    },
    Own {
        name: "config",
        command: config::command,
        run: config::run,
    },
    Own {
        name: "stats",
        command: stats::command,
        run: stats::run,
    },
    Own {
        name: "doctor",
        command: doctor::command,
        run: doctor::run,
    },
    Own {
        name: "verify",
        command: verify::command,
        run: verify::run,
    },
    Own {
        name: "audit",
        command: audit::command,
        run: audit::run,
    },
    Own {
        name: "gc",
        command: gc::command,
        run: gc::run,
    },
    Own {
        name: "clear",
        command: clear::command,
        run: clear::run,
    },
    Own {
        name: "completions",
        command: complete::command,
        run: complete::run,
    },
    Own {
        name: "man",
        command: complete::man_command,
        run: complete::man,
    },
    Own {
        name: "help",
        command: help::command,
        run: help::run,
    },
];

/// The subcommand of this name.
pub fn find(name: &str) -> Option<&'static Own> {
    OWN.iter().find(|own| own.name == name)
}
