//! Which compiler a build uses, down to its bytes.
//!
//! A nightly or a custom sysroot can change under the same version string, so
//! a toolchain is known by the contents of the compiler and of the standard
//! library, not by what it says of itself. This module only tells which files
//! those are; `plan` digests them and remembers the result.

use camino::{Utf8Path, Utf8PathBuf};
use fs_err as fs;
use serde::{Deserialize, Serialize};

use super::CargoError;
use super::args::Invocation;
use super::command::Cargo;
use super::config::Config;

/// The oldest cargo (minor version) that is supported: older ones encode their
/// dep-info differently. Tested by `tests/versions.rs`.
pub const OLDEST_CARGO: u32 = 85;

/// The compiler, as it describes itself, and the files it consists of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Toolchain {
    /// The program that is called as rustc: a name to be searched for, or a
    /// path. It may be a script around the compiler.
    pub rustc: String,
    /// `rustc -vV`.
    pub verbose_version: String,
    /// The host triple.
    pub host: String,
    /// Where compiler and standard library are: `rustc --print sysroot`.
    pub sysroot: Utf8PathBuf,
    /// `cargo -V`.
    pub cargo_version: String,
    /// Compiler and standard libraries, sorted.
    pub files: Vec<Utf8PathBuf>,
    /// Directories in which files may appear or vanish.
    pub dirs: Vec<Utf8PathBuf>,
}

impl Toolchain {
    /// Asks [`rustc`] and cargo what they are.
    ///
    /// # Errors
    /// When one of them cannot be started or prints nothing useful.
    pub fn ask(cargo: &Cargo, inv: &Invocation, config: &Config) -> Result<Toolchain, CargoError> {
        let rustc = rustc(config);
        let ask = |args: &[&str]| -> Result<String, CargoError> {
            let mut command = std::process::Command::new(&rustc);
            if let Some(toolchain) = &inv.toolchain {
                command.env("RUSTUP_TOOLCHAIN", toolchain);
            }
            cargo.ask_program(&rustc, command, args)
        };
        // Each goes through rustup's proxy, which takes longer than the answer.
        let (version, sysroot, of_cargo) = std::thread::scope(|scope| {
            let sysroot = scope.spawn(|| ask(&["--print", "sysroot"]));
            let of_cargo = scope.spawn(|| {
                let mut command = cargo.command();
                // `-vV` would start programs to learn which system this is.
                command.arg("-V");
                cargo.ask(command, "cargo -V")
            });
            (ask(&["-vV"]), sysroot.join(), of_cargo.join())
        });
        let failed = |_| CargoError::Unknown {
            what: format!("{rustc} and cargo"),
            why: "a thread failed".into(),
        };
        let verbose_version = version?;
        let host = verbose_version
            .lines()
            .find_map(|line| line.strip_prefix("host: "))
            .ok_or_else(|| CargoError::Unknown {
                what: format!("{rustc} -vV"),
                why: "no line `host:`".into(),
            })?
            .to_owned();
        let sysroot = Utf8PathBuf::from(sysroot.map_err(failed)??.trim());
        let of_cargo = of_cargo.map_err(failed)??;
        let cargo_version = String::from_utf8_lossy(&of_cargo.stdout).into_owned();
        let (files, dirs) = compiler_files(&sysroot);
        Ok(Toolchain {
            rustc,
            verbose_version,
            host,
            sysroot,
            cargo_version,
            files,
            dirs,
        })
    }

    /// Where a program of this toolchain is, if it has one of that name.
    pub fn program(&self, name: &str) -> Utf8PathBuf {
        let name = format!("{name}{}", std::env::consts::EXE_SUFFIX);
        self.sysroot.join("bin").join(name)
    }

    /// The minor version of cargo, such as 95; none when it cannot be told.
    pub fn cargo_minor(&self) -> Option<u32> {
        let version = self.cargo_version.split_whitespace().nth(1)?;
        version.split('.').nth(1)?.parse().ok()
    }
}

/// The program that cargo would call as rustc: `RUSTC`, `build.rustc`, `rustc`.
pub fn rustc(config: &Config) -> String {
    ["RUSTC", "CARGO_BUILD_RUSTC"]
        .iter()
        .find_map(|name| std::env::var(name).ok().filter(|v| !v.is_empty()))
        .or_else(|| config.program("build", "rustc"))
        .unwrap_or_else(|| "rustc".into())
}

/// rustup's own directory: `RUSTUP_HOME`, or the one in the user's home.
pub fn rustup_home() -> Option<Utf8PathBuf> {
    rustup_home_given(std::env::var("RUSTUP_HOME").ok())
}

fn rustup_home_given(given: Option<String>) -> Option<Utf8PathBuf> {
    let home = match given.filter(|v| !v.is_empty()) {
        Some(home) => home.into(),
        None => etcetera::home_dir().ok()?.join(".rustup"),
    };
    Utf8PathBuf::from_path_buf(home).ok()
}

/// rustc itself, its libraries, and every installed standard library.
fn compiler_files(sysroot: &Utf8Path) -> (Vec<Utf8PathBuf>, Vec<Utf8PathBuf>) {
    let mut dirs = vec![sysroot.join("lib"), sysroot.join("bin")];
    for triple in entries(&sysroot.join("lib/rustlib")) {
        dirs.push(triple.join("lib"));
    }
    dirs.retain(|dir| dir.is_dir());
    let mut files = Vec::new();
    for dir in &dirs {
        let in_bin = dir.file_name() == Some("bin");
        for file in entries(dir) {
            let name = file.file_name().unwrap_or_default();
            // Of bin/, only what rustc consists of: rustc, and DLLs on Windows.
            let counts = !in_bin || name.starts_with("rustc") || name.ends_with(".dll");
            if counts && file.is_file() {
                files.push(file);
            }
        }
    }
    files.sort();
    (files, dirs)
}

fn entries(dir: &Utf8Path) -> Vec<Utf8PathBuf> {
    fs::read_dir(dir)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| Utf8PathBuf::from_path_buf(entry.path()).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rustup_has_a_home_of_its_own() {
        let given = rustup_home_given(Some("/rustup".into())).unwrap();
        assert_eq!(given, "/rustup");
        let home = rustup_home_given(Some(String::new()));
        assert!(home.unwrap().ends_with(".rustup"));
        assert!(rustup_home_given(None).unwrap().ends_with(".rustup"));
    }
}
