//! What an audit found, as text and as JSON.
//!
//! The JSON is described by `docs/audit.schema.json`. A field or a kind may be
//! added; one that is there keeps its meaning as long as `version` does.

use std::fmt::Write;

use serde_json::{Value, json};

use crate::event::{Audit, Audited, Likeness};

/// The version of the JSON.
pub const VERSION: u32 = 1;

/// The findings as JSON of version [`VERSION`]. `command` is the verb with its
/// arguments, `seed` that of a sample.
pub fn json(audit: &Audit, command: &str, seed: Option<u64>) -> Value {
    let Audit {
        recorded,
        unrecorded,
        units,
        left_out,
    } = audit;
    let count = |class: &str| {
        let units = units.iter();
        units.filter(|unit| word(unit.worst()).0 == class).count()
    };
    let unit = |unit: &Audited| {
        let differences = unit.differences.iter().map(|(path, likeness)| {
            let (class, text) = word(likeness);
            json!({"path": path, "class": class, "kind": kind(likeness), "text": text})
        });
        json!({
            "title": unit.title,
            "class": word(unit.worst()).0,
            "differences": differences.collect::<Vec<Value>>(),
        })
    };
    let left_out = left_out.iter();
    json!({
        "version": VERSION,
        "command": command,
        "seed": seed,
        "recorded": recorded,
        "unrecorded": unrecorded,
        "counts": CLASSES.map(|class| (class.to_owned(), Value::from(count(class)))).into_iter().collect::<Value>(),
        "units": units.iter().map(unit).collect::<Vec<Value>>(),
        "left_out": left_out.map(|(title, why)| json!({"title": title, "why": why})).collect::<Vec<Value>>(),
    })
}

/// The classes of findings, the worst at the end.
const CLASSES: [&str; 5] = ["same", "benign", "unsteady", "unproven", "real"];

/// The name of a kind of difference for programs.
fn kind(likeness: &Likeness) -> &'static str {
    match likeness {
        Likeness::Same => "same",
        Likeness::Session => "session",
        Likeness::Headers => "headers",
        Likeness::Directory => "directory",
        Likeness::Debug => "debug",
        Likeness::SourceMap => "source_map",
        Likeness::Control => "control",
        Likeness::Reproduced => "reproduced",
        Likeness::Unsteady(_) => "unsteady",
        Likeness::Unproven(_) => "unproven",
        Likeness::Real(_) => "real",
    }
}

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
        Likeness::Control,
        Likeness::Reproduced,
        Likeness::Unsteady(String::new()),
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
                Likeness::Unsteady(_) => ("unsteady", "never built the same twice (see -v)"),
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
        Likeness::Control => (
            "benign",
            "hashes in which two builds by cargo differ as well",
        ),
        Likeness::Reproduced => (
            "benign",
            "the order of tables, or the like: cargo makes it as recorded if it builds it alone",
        ),
        Likeness::Unsteady(what) => ("unsteady", what),
        Likeness::Unproven(what) => ("unproven", what),
        Likeness::Real(what) => ("real", what),
    }
}
