//! The command line.

use camino::Utf8PathBuf;
use clap::{Args, Parser, Subcommand, ValueEnum};
use fb_buildinfo::BOARDS;
use fb_core_types::{CoreError, Name};

/// Builds firmware for small boards.
#[derive(Clone, Debug, Parser)]
#[command(name = "fbuild-cli", version, max_term_width = 100)]
pub struct Cli {
    #[command(flatten)]
    pub common: Common,
    #[command(subcommand)]
    pub command: Option<Command>,
}

#[derive(Clone, Debug, Args)]
pub struct Common {
    /// The project's folder; without one, a sample project is used
    #[arg(short = 'C', long, global = true, env = "FBUILD_PROJECT")]
    pub project: Option<Utf8PathBuf>,
    /// What to log, such as `info` or `fb_http=debug`
    #[arg(long, global = true, default_value = "warn", env = "FBUILD_LOG")]
    pub log: String,
    /// Write the log as JSON files into this folder
    #[arg(long, global = true)]
    pub log_dir: Option<Utf8PathBuf>,
    #[arg(long, global = true, value_enum, default_value_t)]
    pub color: Color,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Color {
    #[default]
    Never,
    Always,
}

#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
pub enum Command {
    /// Plan and run the build of one environment (what happens without a command)
    Build {
        #[arg(value_parser = name, default_value = "uno")]
        environment: Name,
    },
    /// Show the boards this program was built with
    Boards {
        /// Only those with at least this many bytes of memory
        #[arg(long, default_value_t = 0)]
        memory: u64,
    },
    /// Show what this machine has
    Doctor,
    /// Print the JSON schema of the `registry` section
    Schema,
    /// Serve the pages until interrupted
    Serve {
        #[arg(long, default_value = "127.0.0.1:8080")]
        listen: std::net::SocketAddr,
    },
}

fn name(text: &str) -> Result<Name, CoreError> {
    Name::new(text)
}

impl Cli {
    pub fn chosen(&self) -> Command {
        let uno = || Command::Build { environment: Name::new("uno").expect("`uno` is a name") };
        self.command.clone().unwrap_or_else(uno)
    }
}

/// The names of all boards with enough memory.
pub fn boards_with(memory: u64) -> impl Iterator<Item = &'static str> {
    BOARDS.iter().filter(move |b| b.memory >= memory).map(|b| b.name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_sound() {
        <Cli as CommandFactory>::command().debug_assert();
        assert!(Cli::try_parse_from(["fbuild-cli", "build", "Not A Name"]).is_err());
        assert_eq!(boards_with(300_000).collect::<Vec<_>>(), ["esp32dev"]);
    }
}
