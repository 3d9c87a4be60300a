//! Which proc macros can look at nothing but their tokens.
//!
//! A macro that reads files or variables may bring anything into the unit that
//! uses it, and nobody records that. What it reads of a package in the registry
//! cannot change, so such a unit is bound to its directory; a package whose
//! files can change has inputs that nobody knows, so it is never restored. A
//! variable that a macro reads by name becomes an input of the unit. A macro
//! counts for every unit that can use it: directly, or because a library hands
//! it on. The proof is over sources, so it is noted in the
//! store under the macro's key and output: sources are read once.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};

use camino::Utf8PathBuf;
use fs_err as fs;

use super::proof::{self, Library, Sight};
use super::run::Built;
use super::untested::without_tests;
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
    sights: RefCell<HashMap<usize, Sight>>,
    handed_on: RefCell<HashMap<usize, Vec<usize>>>,
    /// Whether each unit is a macro, or a library with one among what it is
    /// built from.
    leads_to_macros: Vec<bool>,
}

/// What the macros in a unit's reach may have brought into it.
#[derive(Debug, Default)]
pub struct Reach {
    /// Variables that they read by name.
    pub variables: Vec<String>,
    /// Why more than that may have come in, for a package whose files can
    /// change.
    pub files: Option<String>,
    /// Why more may have come in wherever the package is.
    pub anything: Option<String>,
}

impl<'a> Macros<'a> {
    /// Knows nothing yet.
    pub fn new(plan: &'a Plan, built: &'a Built, store: &'a Store) -> Macros<'a> {
        let mut leads_to_macros: Vec<bool> = Vec::with_capacity(plan.units.len());
        for unit in &plan.units {
            let leads = match unit.graph.target.kind.first().map(String::as_str) {
                Some("proc-macro") => true,
                // A build script's libraries are not within a unit's reach.
                Some("custom-build") => false,
                _ => unit.deps.iter().any(|&dep| leads_to_macros[dep]),
            };
            leads_to_macros.push(leads);
        }
        Macros {
            plan,
            built,
            store,
            sights: RefCell::default(),
            handed_on: RefCell::default(),
            leads_to_macros,
        }
    }

    /// What the macros that a unit can use may have seen. `outputs` are the
    /// output digests known so far.
    pub fn in_reach(&self, at: usize, outputs: &[Option<Digest>]) -> Reach {
        let mut reach = Reach::default();
        for macro_unit in self.usable(at, outputs) {
            let title = &self.plan.units[macro_unit].title;
            match self.examined(macro_unit, outputs) {
                Sight::Tokens(names) => reach.variables.extend(names),
                Sight::Files(how) => {
                    let why = format!("can use {title}, which may read files ({how})");
                    reach.files = reach.files.or(Some(why));
                }
                Sight::Anything(how) => {
                    let why = format!("can use {title}, which may look around ({how})");
                    reach.anything = reach.anything.or(Some(why));
                }
            }
        }
        reach
    }

    fn kind(&self, at: usize) -> Option<&str> {
        self.plan.units[at]
            .graph
            .target
            .kind
            .first()
            .map(String::as_str)
    }

    /// All macros that a unit can use: its own, and those that its libraries
    /// hand on.
    fn usable(&self, at: usize, outputs: &[Option<Digest>]) -> Vec<usize> {
        let mut found = Vec::new();
        let mut seen = HashSet::new();
        let mut stack = self.plan.units[at].deps.clone();
        while let Some(at) = stack.pop() {
            if !seen.insert(at) {
                continue;
            }
            match self.kind(at) {
                Some("proc-macro") => found.push(at),
                Some("custom-build") => {}
                _ => stack.extend(self.handed_on(at, outputs)),
            }
        }
        found.sort_unstable();
        found
    }

    /// The dependencies that a library may hand on to those that use it.
    fn handed_on(&self, at: usize, outputs: &[Option<Digest>]) -> Vec<usize> {
        if let Some(known) = self.handed_on.borrow().get(&at) {
            return known.clone();
        }
        let unit = &self.plan.units[at];
        // What no macro is behind cannot hand one on.
        let crates: Vec<(usize, &String)> = unit
            .deps
            .iter()
            .copied()
            .zip(&unit.dep_names)
            .filter(|(dep, _)| self.leads_to_macros[*dep])
            .collect();
        if crates.is_empty() {
            return Vec::new();
        }
        let names = self.noted("hands macros on", at, outputs, || {
            let library: Option<Library> = self.sources(at).map(|sources| {
                let read = |path: &Utf8PathBuf| fs::read_to_string(path).ok();
                Library::of(&sources.iter().filter_map(read).collect::<Vec<_>>())
            });
            let hands_on = |name: &&str| library.as_ref().is_none_or(|l| l.hands_on(name));
            let names = crates.iter().map(|(_, name)| name.as_str());
            names.filter(hands_on).collect::<Vec<_>>().join("\n")
        });
        let names: HashSet<&str> = names.lines().collect();
        let found: Vec<usize> = crates
            .iter()
            .filter(|(_, name)| names.contains(name.as_str()))
            .map(|(dep, _)| *dep)
            .collect();
        self.handed_on.borrow_mut().insert(at, found.clone());
        found
    }

    /// How far a macro can see.
    fn examined(&self, at: usize, outputs: &[Option<Digest>]) -> Sight {
        if let Some(known) = self.sights.borrow().get(&at) {
            return known.clone();
        }
        let noted = self.noted("sees, tests apart", at, outputs, || match self.look(at) {
            Sight::Tokens(names) => format!("tokens\n{}", names.join("\n")),
            Sight::Files(how) => format!("files\n{how}"),
            Sight::Anything(how) => format!("anything\n{how}"),
        });
        let (word, rest) = noted.split_once('\n').unwrap_or((&noted, ""));
        let sight = match word {
            "tokens" => Sight::Tokens(rest.lines().map(str::to_owned).collect()),
            "files" => Sight::Files(rest.to_owned()),
            _ => Sight::Anything(rest.to_owned()),
        };
        self.sights.borrow_mut().insert(at, sight.clone());
        sight
    }

    /// A finding about a unit's sources, from the store if it was made before.
    fn noted(
        &self,
        what: &str,
        at: usize,
        outputs: &[Option<Digest>],
        find: impl FnOnce() -> String,
    ) -> String {
        let name = match (&self.plan.units[at].key, outputs[at]) {
            (Ok(key), Some(output)) => format!("{what}/{}/{}", key.hex(), output.hex()),
            _ => return find(),
        };
        let noted = self.store.blobs().entry(&name);
        noted
            .and_then(|bytes| String::from_utf8(bytes).ok())
            .unwrap_or_else(|| {
                let found = find();
                // Not noted, it is found again next time.
                let _ = self.store.blobs().set_entry(&name, found.as_bytes());
                found
            })
    }

    /// How far a macro and all that it is built from can see.
    fn look(&self, at: usize) -> Sight {
        let mut variables = Vec::new();
        let mut files = None;
        let mut stack = vec![at];
        let mut seen = HashSet::new();
        while let Some(at) = stack.pop() {
            let unit = &self.plan.units[at];
            // Build scripts run before; what they do is part of their output.
            if !seen.insert(at) || self.kind(at) == Some("custom-build") {
                continue;
            }
            let Some(sources) = self.sources(at) else {
                return Sight::Anything(format!("{} could not be examined", unit.package));
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
                match proof::sight(&without_tests(&text), package) {
                    Sight::Tokens(names) => variables.extend(names),
                    Sight::Files(how) => {
                        files = files.or(Some(format!("{how} in {}", unit.package)));
                    }
                    Sight::Anything(how) => {
                        return Sight::Anything(format!("{how} in {}", unit.package));
                    }
                }
            }
            stack.extend(&unit.deps);
        }
        variables.sort();
        variables.dedup();
        files.map_or(Sight::Tokens(variables), Sight::Files)
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
        let dir = &unit.compile_dir;
        Some(info.sources.iter().map(|source| dir.join(source)).collect())
    }
}
