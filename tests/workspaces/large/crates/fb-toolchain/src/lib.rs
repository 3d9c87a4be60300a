//! Finds compilers, asks them for their version, and looks into what they made.

use std::process::Command;
use std::sync::LazyLock;

use anyhow::{ensure, Context, Result};
use camino::{Utf8Path, Utf8PathBuf};
use fb_config::Project;
use fb_core_types::{Name, Platform};
use fb_paths::Layout;
use goblin::elf::Elf;
use itertools::Itertools;
use regex::Regex;
use semver::Version;

static VERSION: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"\b(\d+)\.(\d+)\.(\d+)\b").expect("the pattern is valid"));

#[derive(Clone, Debug)]
pub struct Compiler {
    pub path: Utf8PathBuf,
    pub version: Version,
}

impl Compiler {
    /// The compiler for a platform, if this machine has one.
    pub fn find(platform: Platform) -> Result<Self> {
        let name = format!("{}gcc", platform.tool_prefix());
        let path = which::which(&name).with_context(|| format!("no {name} in PATH"))?;
        let path = Utf8PathBuf::try_from(path)?;
        let output = Command::new(&path).arg("--version").output()?;
        ensure!(output.status.success(), "{path} --version failed");
        let version = version_in(&String::from_utf8_lossy(&output.stdout))
            .with_context(|| format!("{path} does not tell its version"))?;
        Ok(Self { path, version })
    }
}

pub fn version_in(text: &str) -> Option<Version> {
    let found = VERSION.captures(text)?;
    let [major, minor, patch] = [1, 2, 3].map(|i| found[i].parse().ok());
    Some(Version::new(major?, minor?, patch?))
}

/// One call of the compiler, as arguments; it is run in the project's root.
pub fn compile_command(
    project: &Project,
    layout: &Layout,
    environment: &Name,
    source: &Utf8Path,
) -> Result<Vec<String>> {
    let platform = project.environments.get(environment).map_or(Platform::Native, |e| e.platform);
    let object = layout.build_dir(environment).join(source).with_extension("o");
    let object = object.strip_prefix(&layout.root).unwrap_or(&object);
    let mut command = vec![format!("{}gcc", platform.tool_prefix())];
    command.extend(project.flags(environment)?);
    command.extend(["-c", source.as_str(), "-o", object.as_str()].map(String::from));
    Ok(command)
}

/// The same for a shell.
pub fn shell_line(command: &[String]) -> Result<String> {
    Ok(shlex::try_join(command.iter().map(String::as_str))?)
}

/// The largest sections of an ELF file, largest first.
pub fn largest_sections(bytes: &[u8], count: usize) -> Result<Vec<(String, u64)>> {
    let elf = Elf::parse(bytes).context("not an ELF file")?;
    Ok(elf
        .section_headers
        .iter()
        .filter_map(|s| Some((elf.shdr_strtab.get_at(s.sh_name)?.to_owned(), s.sh_size)))
        .filter(|(name, _)| !name.is_empty())
        .sorted_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)))
        .take(count)
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_found_in_prose() {
        let text = "avr-gcc (GCC) 7.3.0\nCopyright (C) 2017";
        assert_eq!(version_in(text), Some(Version::new(7, 3, 0)));
        assert_eq!(version_in("no number"), None);
    }
}
