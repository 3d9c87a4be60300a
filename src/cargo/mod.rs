//! All knowledge of cargo: how it is started, what it prints, where it puts
//! files, when it calls a unit fresh.
//!
//! This room must never touch our store: `cache` and `cargo` do not know each
//! other, and only `plan` and `exec` bring them together. It never decides
//! what is reused either. Rules copied from cargo's behaviour name the place
//! they come from, so that a change there can be followed up.

pub mod args;
pub mod check;
pub mod command;
pub mod config;
pub mod depinfo;
pub mod diagnostics;
mod elsewhere;
pub mod layout;
pub mod linking;
pub mod lock;
pub mod manifest;
pub mod messages;
pub mod script;
pub mod toolchain;
pub mod unit_graph;
pub mod workspace;

use camino::Utf8PathBuf;

/// What can go wrong while talking to cargo. Each of these ends in a plain
/// cargo build, so the text only has to tell why that happened.
#[derive(Debug, thiserror::Error)]
pub enum CargoError {
    /// cargo could not be started.
    #[error("could not start {program}: {source}")]
    Start {
        /// The program tried.
        program: String,
        /// The system's answer.
        source: std::io::Error,
    },
    /// cargo refused to plan; it will tell the user itself when it is run.
    #[error("{what} ended with {status}")]
    Refused {
        /// The command, shortened.
        what: String,
        /// Its exit status.
        status: std::process::ExitStatus,
        /// What it wrote to stderr.
        said: String,
    },
    /// cargo printed something that we do not understand.
    #[error("{what} printed something unknown: {why}")]
    Unknown {
        /// The command, shortened.
        what: String,
        /// The details.
        why: String,
    },
    /// A file could not be read.
    #[error("could not read {path}: {source}")]
    Read {
        /// The file.
        path: Utf8PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// A file was read but not understood.
    #[error("could not understand {path}: {why}")]
    Parse {
        /// The file.
        path: Utf8PathBuf,
        /// The details.
        why: String,
    },
}
