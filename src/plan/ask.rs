//! Asks cargo what a build consists of, or finds what it has answered before.
//!
//! Both questions, for the unit graph and for the workspace, take as long as a
//! no-op of cargo's and are asked at the same time. What is found in
//! [`super::kept`] saves them, and what `tools` holds still to be true saves
//! asking the compiler.

use camino::Utf8Path;

use super::PlanError;
use super::inputs::{Memo, Stamp};
use super::kept::{Draft, Kept, Place};
use crate::cargo::args::Invocation;
use crate::cargo::command::Cargo;
use crate::cargo::config::Config;
use crate::cargo::toolchain::{self, Toolchain};
use crate::cargo::unit_graph::UnitGraph;
use crate::cargo::workspace::Workspace;
use crate::unit::{Digest, KeyHasher};

/// What earlier builds, wherever they were, have left for planning.
pub trait Known {
    /// The digest of a compiler's files that is noted under this name.
    fn compiler(&self, name: &str) -> Option<Digest>;

    /// cargo's answers that are kept under this name.
    fn answers(&self, name: &Digest) -> Option<Vec<u8>>;
}

/// What a plan is made of.
pub(super) struct Answers {
    /// The unit graph, as cargo gives it.
    pub(super) graph: UnitGraph,
    /// What cargo warns of with every build.
    pub(super) warnings: String,
    /// The workspace.
    pub(super) workspace: Workspace,
    /// The compiler.
    pub(super) toolchain: Toolchain,
    /// The digest of its files.
    pub(super) compiler: Digest,
    /// The same under the name by which it may be found again, if it had to be
    /// computed.
    pub(super) toolchain_note: Option<(String, Digest)>,
    /// The answers, if they came from cargo and may be worth keeping.
    pub(super) draft: Option<Draft>,
}

/// Asks for everything.
///
/// # Errors
/// When cargo refuses, or anything about its answers is unknown to us.
pub(super) fn ask(
    cargo: &Cargo,
    inv: &Invocation,
    cwd: &Utf8Path,
    config: &Config,
    cargo_home: &Utf8Path,
    memo: &Memo,
    known: &dyn Known,
) -> Result<Answers, PlanError> {
    let place = Place::find(&cargo.program(), inv, cwd, config, cargo_home);
    let kept = place.as_ref().and_then(|place| {
        let bytes = known.answers(&place.name)?;
        Kept::read(&bytes)
    });
    let mut asked = None;
    if let (Some(place), Some(kept)) = (&place, kept) {
        let tools = kept.tools();
        tools.teach(memo);
        let rustc = toolchain::rustc(config);
        let (toolchain, compiler, toolchain_note) =
            if tools.still_stand(&cargo.program(), &rustc, inv) {
                (tools.toolchain.clone(), tools.compiler, None)
            } else {
                let toolchain = Toolchain::ask(cargo, inv, config)?;
                let (compiler, note) = toolchain_digest(&toolchain, known)?;
                (toolchain, compiler, note)
            };
        if let Some((graph, workspace)) = kept.answers(place, &toolchain, compiler) {
            return Ok(Answers {
                graph,
                warnings: String::new(),
                workspace,
                toolchain,
                compiler,
                toolchain_note,
                draft: None,
            });
        }
        asked = Some(toolchain);
    }
    let (graph, rest) = std::thread::scope(|scope| {
        let graph = scope.spawn(|| UnitGraph::ask(cargo, inv));
        let toolchain = asked.map_or_else(|| Toolchain::ask(cargo, inv, config), Ok);
        let rest = toolchain.and_then(|toolchain| {
            let mut platforms = vec![toolchain.host.clone()];
            platforms.extend(
                inv.targets
                    .iter()
                    .filter(|t| !t.ends_with(".json"))
                    .cloned(),
            );
            Ok((Workspace::ask(cargo, inv, &platforms)?, toolchain))
        });
        (graph.join(), rest)
    });
    let (graph, printed) =
        graph.map_err(|_| PlanError::Surroundings("the planning thread failed".into()))??;
    let (workspace, toolchain) = rest?;
    let (compiler, toolchain_note) = toolchain_digest(&toolchain, known)?;
    let warnings = only_warnings(&printed);
    let draft = place.and_then(|place| Draft::new(place, &graph, &warnings, &workspace));
    Ok(Answers {
        graph,
        warnings,
        workspace,
        toolchain,
        compiler,
        toolchain_note,
        draft,
    })
}

/// Of what cargo printed while planning, that which it repeats with every
/// build: warnings, but no status such as `Locking` or `Blocking`.
fn only_warnings(printed: &str) -> String {
    let is_status = |line: &str| {
        let plain = anstream::adapter::strip_str(line).to_string();
        // Status words are right-aligned in twelve columns.
        let word = plain.get(..12).unwrap_or_default().trim_start();
        let is_word = word.len() > 2 && word.chars().all(|c| c.is_ascii_alphabetic());
        is_word
            && word.starts_with(|c: char| c.is_ascii_uppercase())
            && plain.as_bytes().get(12) == Some(&b' ')
    };
    let kept: Vec<&str> = printed.lines().filter(|line| !is_status(line)).collect();
    kept.join("\n").trim_end().to_owned()
}

/// The digest of all files of the compiler. It is noted under a name made of
/// their stamps, so that the files are read once per installation.
fn toolchain_digest(
    toolchain: &Toolchain,
    known: &dyn Known,
) -> Result<(Digest, Option<(String, Digest)>), PlanError> {
    use rayon::prelude::*;
    let mut stamps = KeyHasher::new("toolchain stamps");
    for path in &toolchain.files {
        let stamp = Stamp::of(path).map_err(|source| {
            PlanError::Surroundings(format!("could not look at {path}: {source}"))
        })?;
        let Stamp {
            size,
            modified,
            changed,
            inode,
        } = stamp;
        stamps.part(path.as_str(), &size.to_le_bytes());
        stamps.part("modified", &modified.to_le_bytes());
        stamps.part("changed", &changed.to_le_bytes());
        stamps.part("inode", &inode.to_le_bytes());
    }
    let name = format!("toolchain/{}", stamps.finish().hex());
    if let Some(digest) = known.compiler(&name) {
        return Ok((digest, None));
    }
    let digests: Result<Vec<Digest>, std::io::Error> = toolchain
        .files
        .par_iter()
        .map(|path| {
            let mut hasher = blake3::Hasher::new();
            hasher.update_mmap(path)?;
            Ok(Digest(*hasher.finalize().as_bytes()))
        })
        .collect();
    let digests = digests.map_err(|source| {
        PlanError::Surroundings(format!("could not read the compiler's files: {source}"))
    })?;
    let mut hasher = KeyHasher::new("toolchain");
    for (path, digest) in toolchain.files.iter().zip(digests) {
        // The name without its place: the same compiler elsewhere is the same.
        hasher.part(path.file_name().unwrap_or_default(), &digest.0);
    }
    let digest = hasher.finish();
    Ok((digest, Some((name, digest))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warnings_are_kept_and_status_lines_are_not() {
        let kept = [
            "warning: unused manifest key",
            // As wide as a status word, but no word; a word, but no status.
            "Note: a path is",
            "     warning text",
            "Abcdefghijklm",
            "          In x",
        ];
        let mut printed = kept.to_vec();
        printed.insert(0, "    Blocking waiting for file lock");
        printed.insert(3, "     Locking 5 packages");
        printed.insert(5, "         Foo bar");
        printed.push("\u{1b}[32m    Updating\u{1b}[0m crates.io index\n");
        assert_eq!(only_warnings(&printed.join("\n")), kept.join("\n"));
    }
}
