//! What an audit found, as text.

use std::fmt::Write;

use crate::event::{Audit, Likeness};

/// The findings: real differences by name, the rest in figures; with
/// `verbose` every file that is not the same. `seed` is that of a sample.
pub fn text(audit: &Audit, seed: Option<u64>, verbose: bool) -> String {
    let mut text = String::new();
    for unit in &audit.units {
        for (path, likeness) in &unit.differences {
            let (what, how) = word(likeness);
            if verbose || matches!(likeness, Likeness::Real(_)) {
                // Writing into a string cannot fail.
                let _ = writeln!(text, "{what}: {}: {path}: {how}", unit.title);
            }
        }
    }
    for (unit, why) in &audit.left_out {
        let _ = writeln!(text, "left out: {unit}: {why}");
    }
    let Audit {
        recorded,
        unrecorded,
        units,
        left_out,
    } = audit;
    if *recorded == 0 {
        let _ = writeln!(text, "no unit of this build is recorded: build it first");
        return text;
    }
    let of = match seed {
        Some(seed) => format!("a sample of {recorded} (--seed {seed})"),
        None => format!("{recorded}"),
    };
    let _ = write!(text, "{} units built again of {of}", units.len());
    if *unrecorded > 0 {
        let _ = write!(text, "; {unrecorded} are not recorded or out of date");
    }
    if !left_out.is_empty() {
        let _ = write!(text, "; {} left out", left_out.len());
    }
    text.push('\n');
    let kinds = [
        Likeness::Same,
        Likeness::Session,
        Likeness::Headers,
        Likeness::Directory,
        Likeness::Debug,
        Likeness::SourceMap,
        Likeness::Unproven(String::new()),
        Likeness::Real(String::new()),
    ];
    for kind in kinds {
        let is_kind = |unit: &&crate::event::Audited| {
            std::mem::discriminant(unit.worst()) == std::mem::discriminant(&kind)
        };
        let count = units.iter().filter(is_kind).count();
        let always = matches!(kind, Likeness::Same | Likeness::Real(_));
        if count > 0 || always {
            let (what, how) = match &kind {
                Likeness::Same => ("same", "the same bytes"),
                Likeness::Unproven(_) => ("unproven", "cannot be told apart (see -v)"),
                Likeness::Real(_) => ("real", "real differences"),
                kind => word(kind),
            };
            let _ = writeln!(text, "{count:>6} {what:<9} {how}");
        }
    }
    text
}

/// What kind of difference it is, and which.
fn word(likeness: &Likeness) -> (&'static str, &str) {
    match likeness {
        Likeness::Same => ("same", "the same bytes"),
        Likeness::Session => (
            "benign",
            "the names of members, which an incremental build chooses anew",
        ),
        Likeness::Headers => ("benign", "headers and times of an object"),
        Likeness::Directory => ("benign", "the directory's name"),
        Likeness::Debug => ("benign", "debug information"),
        Likeness::SourceMap => (
            "benign",
            "the directory's name and its hashes in crate metadata",
        ),
        Likeness::Unproven(what) => ("unproven", what),
        Likeness::Real(what) => ("real", what),
    }
}
