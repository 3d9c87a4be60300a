//! Which cargo is started, and how.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use fs_err as fs;

use super::CargoError;

/// The real cargo, and how it is started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cargo {
    program: OsString,
    toolchain: Option<String>,
    /// `$CARGO` names ourselves: it would mislead whoever cargo starts.
    hides_variable: bool,
}

impl Cargo {
    /// Finds the real cargo: `$CARGO` (set by cargo for its subcommands),
    /// unless that is ourselves, else `cargo` on the search path, skipping
    /// ourselves there too, so that `CARGO=cargo-zbuild` cannot recurse, else
    /// the one in `$CARGO_HOME`.
    pub fn find(toolchain: Option<&str>) -> Cargo {
        let own = Ourselves::new();
        let variable = std::env::var_os("CARGO").filter(|cargo| !cargo.is_empty());
        let given = variable.filter(|cargo| !own.is(Path::new(cargo)));
        let hides_variable = given.is_none();
        // With `+toolchain` rustup's proxy has to choose the cargo.
        let program = given
            .filter(|_| toolchain.is_none())
            .unwrap_or_else(|| on_path(&own).into_os_string());
        Cargo {
            program,
            toolchain: toolchain.map(str::to_owned),
            hides_variable,
        }
    }

    /// The program's path, for keys and messages.
    pub fn program(&self) -> String {
        self.program.to_string_lossy().into_owned()
    }

    /// A command for this cargo with `+toolchain` in place. `CARGO` is taken
    /// away where it names ourselves, so that it keeps its meaning for children.
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        if self.hides_variable {
            command.env_remove("CARGO");
        }
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

/// The first cargo on the search path, or in `$CARGO_HOME`, that is not
/// ourselves. If there is none, the last place looked at: starting it fails.
fn on_path(own: &Ourselves) -> PathBuf {
    let name = format!("cargo{}", std::env::consts::EXE_SUFFIX);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(etcetera::home_dir().ok()?.join(".cargo")));
    let mut places: Vec<PathBuf> = std::env::split_paths(&path).collect();
    places.extend(home.map(|home| home.join("bin")));
    let mut places = places.into_iter().map(|dir| dir.join(&name));
    let mut last = PathBuf::from(&name);
    places
        .find(|program| {
            last.clone_from(program);
            program.is_file() && !own.is(program)
        })
        .unwrap_or(last)
}

/// Our own executable, to be recognised where a cargo is expected.
struct Ourselves {
    path: Option<PathBuf>,
    size: Option<u64>,
}

/// A program below this size may be a script that starts us.
const SCRIPT: u64 = 64 * 1024;

impl Ourselves {
    fn new() -> Ourselves {
        let path = std::env::current_exe().and_then(fs::canonicalize).ok();
        let size = path.as_ref().and_then(|path| fs::metadata(path).ok());
        Ourselves {
            path,
            size: size.map(|meta| meta.len()),
        }
    }

    /// Whether starting this program would start us: a link to us, a copy of
    /// us, or a small script with our name in it.
    fn is(&self, program: &Path) -> bool {
        if program.components().count() == 1 {
            // A bare name is looked up by whoever starts it.
            let path = std::env::var_os("PATH").unwrap_or_default();
            let places = std::env::split_paths(&path).map(|dir| dir.join(program));
            let mut places =
                places.map(|file| file.with_extension(std::env::consts::EXE_EXTENSION));
            let found = places.find(|file| file.is_file());
            return found.is_some_and(|found| self.is(&found));
        }
        let found = fs::canonicalize(program).ok();
        if found.is_some() && found == self.path {
            return true;
        }
        let size = fs::metadata(program).ok().map(|meta| meta.len());
        let read = |path: &Path| fs::read(path).unwrap_or_default();
        match size {
            Some(size) if size < SCRIPT => {
                memchr::memmem::find(&read(program), b"zbuild").is_some()
            }
            Some(_) if size == self.size => {
                let own = self.path.as_deref().map(read);
                own.is_some_and(|own| own == read(program))
            }
            _ => false,
        }
    }
}
