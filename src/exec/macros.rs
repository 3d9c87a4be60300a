//! Which proc macros can look at nothing but their tokens.
//!
//! A macro that reads files or variables may bring anything into the unit that
//! uses it, and nobody records that. What it reads of a package in the registry
//! cannot change, so such a unit is bound to its directory; a package whose
//! files can change has inputs that nobody knows, so it is never restored. A
//! macro counts for every unit that can reach it through libraries: they may
//! hand it on under any name. The proof is over sources, so it is noted in the
//! store under the macro's key and output: sources are read once.

use std::cell::RefCell;
use std::collections::HashMap;

use camino::Utf8PathBuf;
use fs_err as fs;

use super::proof;
use super::run::Built;
use crate::cache::Store;
use crate::cargo::depinfo;
use crate::cargo::layout;
use crate::plan::Plan;
use crate::unit::Digest;

/// Answers about the macros of one plan.
pub struct Macros<'a> {
    plan: &'a Plan,
    built: &'a Built,
    store: &'a Store,
    known: RefCell<HashMap<usize, Option<String>>>,
}

impl<'a> Macros<'a> {
    /// Knows nothing yet.
    pub fn new(plan: &'a Plan, built: &'a Built, store: &'a Store) -> Macros<'a> {
        Macros {
            plan,
            built,
            store,
            known: RefCell::default(),
        }
    }

    /// The first macro within a unit's reach that may look around, and how.
    /// `outputs` are the output digests known so far.
    pub fn in_reach(&self, at: usize, outputs: &[Option<Digest>]) -> Option<String> {
        for macro_unit in self.reach(at) {
            if let Some(why) = self.examined(macro_unit, outputs[macro_unit]) {
                let title = &self.plan.units[macro_unit].title;
                return Some(format!("can use {title}, which {why}"));
            }
        }
        None
    }

    /// All macros that a unit can reach through libraries.
    fn reach(&self, at: usize) -> Vec<usize> {
        let kind = |at: usize| {
            self.plan.units[at]
                .graph
                .target
                .kind
                .first()
                .map(String::as_str)
        };
        let mut found = Vec::new();
        let mut seen = vec![false; self.plan.units.len()];
        let mut stack = self.plan.units[at].deps.clone();
        while let Some(at) = stack.pop() {
            if std::mem::replace(&mut seen[at], true) {
                continue;
            }
            match kind(at) {
                Some("proc-macro") => found.push(at),
                // A build script's libraries are not within the unit's reach.
                Some("custom-build") => {}
                _ => stack.extend(&self.plan.units[at].deps),
            }
        }
        found.sort_unstable();
        found
    }

    /// What a macro does beyond its tokens, from memory if it was examined
    /// before.
    fn examined(&self, at: usize, output: Option<Digest>) -> Option<String> {
        if let Some(known) = self.known.borrow().get(&at) {
            return known.clone();
        }
        let name = match (&self.plan.units[at].key, output) {
            (Ok(key), Some(output)) => Some(format!("macro/{}/{}", key.hex(), output.hex())),
            _ => None,
        };
        let noted = name
            .as_ref()
            .and_then(|name| self.store.blobs().entry(name));
        let found = match noted.and_then(|bytes| String::from_utf8(bytes).ok()) {
            Some(text) => (text != PURE).then_some(text),
            None => {
                let found = self.looks_around(at);
                if let Some(name) = name {
                    let text = found.as_deref().unwrap_or(PURE);
                    // Not noted, it is examined again next time.
                    let _ = self.store.blobs().set_entry(&name, text.as_bytes());
                }
                found
            }
        };
        self.known.borrow_mut().insert(at, found.clone());
        found
    }

    fn looks_around(&self, at: usize) -> Option<String> {
        let mut stack = vec![at];
        let mut seen = vec![false; self.plan.units.len()];
        while let Some(at) = stack.pop() {
            if std::mem::replace(&mut seen[at], true) {
                continue;
            }
            let unit = &self.plan.units[at];
            // Build scripts run before; what they do is part of their output.
            if unit.is_run() || unit.graph.target.kind.iter().any(|k| k == "custom-build") {
                continue;
            }
            let Some(sources) = self.sources(at) else {
                return Some("could not be examined".into());
            };
            // A path package may call itself anything.
            let package = if unit.external {
                unit.package.as_str()
            } else {
                ""
            };
            for path in sources {
                let Ok(text) = fs::read_to_string(&path) else {
                    continue;
                };
                if let Some(call) = proof::looks_around(&text, package) {
                    return Some(format!("may look around ({call} in {})", unit.package));
                }
            }
            stack.extend(&unit.deps);
        }
        None
    }

    /// The sources of a unit, by rustc's dep-info beside its output.
    fn sources(&self, at: usize) -> Option<Vec<Utf8PathBuf>> {
        let unit = &self.plan.units[at];
        let place = self.built.places[at].as_ref()?;
        let name = layout::crate_name(&unit.graph);
        let text = place
            .dep_info_candidates(&name)
            .iter()
            .find_map(|file| fs::read_to_string(self.plan.dirs.build.join(file)).ok())?;
        let info = depinfo::parse_rustc(&text)?;
        Some(
            info.sources
                .iter()
                .map(|source| unit.compile_dir.join(source))
                .collect(),
        )
    }
}

/// What is noted of a macro that only sees its tokens.
const PURE: &str = "pure";
