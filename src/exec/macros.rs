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
//!
//! Macros may also give a unit code that keeps its `OUT_DIR`, which the unit's own
//! sources do not show.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};

use camino::{Utf8Path, Utf8PathBuf};
use fs_err as fs;

use super::proof::{self, Library, OutDir};
use super::run::Built;
use super::sight::{self, Sight};
use super::untested::without_tests;
use crate::cache::Store;
use crate::cargo::depinfo;
use crate::cargo::layout;
use crate::plan::Plan;
use crate::unit::Digest;

/// Where `OUT_DIR` is kept, as it is noted in the store.
const NOWHERE: &str = "nowhere";
const IN_CODE: &str = "in code";
const IN_MACROS: &str = "in macros";

/// With what the ids of packages begin that nobody else can publish.
const CRATES_IO: &str = "registry+https://github.com/rust-lang/crates.io-index#";

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

    /// What may give a unit code that keeps `OUT_DIR` as a string: a macro of a
    /// library below it, or a proc macro. rustc reads the variable for the unit
    /// that the code comes into.
    pub fn giver_of_out_dir(&self, at: usize, outputs: &[Option<Digest>]) -> Option<&str> {
        let mut seen = HashSet::new();
        let deps = &self.plan.units[at].deps;
        let mut stack: Vec<(usize, bool)> = deps.iter().map(|&dep| (dep, false)).collect();
        while let Some((at, in_macro)) = stack.pop() {
            // A build script's libraries are not within a unit's reach.
            if !seen.insert((at, in_macro)) || self.kind(at) == Some("custom-build") {
                continue;
            }
            let in_macro = in_macro || self.kind(at) == Some("proc-macro");
            let noted = self.noted("keeps OUT_DIR", at, outputs, || {
                self.keeps_out_dir(at).into()
            });
            if noted == IN_MACROS || (noted != NOWHERE && in_macro) {
                return Some(&self.plan.units[at].title);
            }
            let deps = self.plan.units[at].deps.iter();
            stack.extend(deps.map(|&dep| (dep, in_macro)));
        }
        None
    }

    /// Where the sources of a library or a macro name `OUT_DIR` otherwise than to
    /// include a file.
    fn keeps_out_dir(&self, at: usize) -> &'static str {
        let Some(sources) = self.sources(at) else {
            return IN_MACROS;
        };
        let (mut keeps, mut has_macros) = (false, false);
        for path in sources {
            match code(&path) {
                Ok(Some(text)) => {
                    has_macros |= text.contains("macro_rules!");
                    keeps |= proof::use_of_out_dir(&text) == Some(OutDir::Kept);
                }
                Ok(None) => {}
                Err(_) => return IN_MACROS,
            }
        }
        match (keeps, has_macros) {
            (false, _) => NOWHERE,
            (true, false) => IN_CODE,
            (true, true) => IN_MACROS,
        }
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
            let texts: Option<Vec<String>> = self.sources(at).and_then(|sources| {
                let texts = sources.iter().filter_map(|path| code(path).transpose());
                texts.collect::<std::io::Result<_>>().ok()
            });
            let library = texts.as_deref().map(Library::of);
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
        let noted = self.noted("sees, by words", at, outputs, || match self.look(at) {
            Sight::Tokens(names) => format!("tokens\n{}", names.join("\n")),
            Sight::Files(how) => format!("files\n{how}"),
            Sight::Anything(how) => format!("anything\n{how}"),
        });
        let (word, rest) = noted.split_once('\n').unwrap_or((&noted, ""));
        let found = match word {
            "tokens" => Sight::Tokens(rest.lines().map(str::to_owned).collect()),
            "files" => Sight::Files(rest.to_owned()),
            _ => Sight::Anything(rest.to_owned()),
        };
        self.sights.borrow_mut().insert(at, found.clone());
        found
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
            let unexamined = || Sight::Anything(format!("{} could not be examined", unit.package));
            let Some(sources) = self.sources(at) else {
                return unexamined();
            };
            let package = match unit.graph.pkg_id.starts_with(CRATES_IO) {
                true => unit.package.as_str(),
                false => "",
            };
            let declares = |dep: usize| self.plan.units[dep].package == sight::DECLARES;
            let deps = unit.deps.iter().zip(&unit.dep_names);
            let foreign = deps.filter(|(dep, _)| declares(**dep));
            let foreign: Vec<&str> = foreign.map(|(_, name)| name.as_str()).collect();
            for path in sources {
                let text = match code(&path) {
                    Ok(Some(text)) => text,
                    Ok(None) => continue,
                    Err(_) => return unexamined(),
                };
                match sight::sight(&without_tests(&text), package, &foreign) {
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

/// The text of a source file; none if it is no text and therefore no code, but
/// something that `include_bytes!` brings in.
fn code(path: &Utf8Path) -> std::io::Result<Option<String>> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == std::io::ErrorKind::InvalidData => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exec::fixtures::Bench;

    const READS_A: &str = "fn m() { std::env::var(\"A\"); }";

    fn reach(bench: &Bench, at: usize) -> Reach {
        reach_of(bench, at, &vec![None; bench.units.len()])
    }

    fn reach_of(bench: &Bench, at: usize, outputs: &[Option<Digest>]) -> Reach {
        let plan = bench.plan();
        Macros::new(&plan, &bench.built, &bench.store).in_reach(at, outputs)
    }

    #[test]
    fn a_macro_sees_what_its_sources_and_its_libraries_see() {
        let mut bench = Bench::new();
        let library = bench.add("library", "lib", &[], "fn l() { env::var(\"B\"); }");
        let script = bench.add("build", "custom-build", &[], "use std::process::Command;");
        let tokens = bench.add("tokens", "proc-macro", &[library, script], READS_A);
        let files = bench.add("files", "proc-macro", &[], "use std::fs;");
        let clock = bench.add("clock", "proc-macro", &[], "SystemTime::now()");
        let user = bench.add("user", "lib", &[tokens], "");
        let users = bench.add("users", "lib", &[tokens, files, clock], "");

        let found = reach(&bench, user);
        assert_eq!(found.variables, ["A", "B"]);
        assert_eq!((found.files, found.anything), (None, None));
        let found = reach(&bench, users);
        assert_eq!(found.variables, ["A", "B"]);
        assert_eq!(
            found.files.unwrap(),
            "can use files, which may read files (std::fs in files)"
        );
        assert_eq!(
            found.anything.unwrap(),
            "can use clock, which may look around (SystemTime in clock)"
        );
    }

    #[test]
    fn known_packages_are_known_by_their_id() {
        let mut bench = Bench::new();
        let libc = bench.add("libc", "lib", &[], "extern \"C\" { fn getenv(); }");
        let names = bench.add("names", "proc-macro", &[libc], "fn m() { libc::getenv() }");
        let renames = bench.add("renames", "proc-macro", &[libc], "fn m() { c::getenv() }");
        let has = bench.add("has", "proc-macro", &[libc], "fn m() {}");
        let seen = |bench: &Bench, at: usize| {
            let plan = bench.plan();
            Macros::new(&plan, &bench.built, &bench.store).look(at)
        };
        bench.units[renames].dep_names = vec!["c".to_owned()];
        let id = "registry+https://github.com/rust-lang/crates.io-index#libc@0.2.1";
        bench.units[libc].graph.pkg_id = id.to_owned();
        let anything = |how: &str| Sight::Anything(how.to_owned());
        assert_eq!(seen(&bench, names), anything("libc in names"));
        assert_eq!(seen(&bench, renames), anything("libc in renames"));
        assert_eq!(seen(&bench, has), Sight::Tokens(Vec::new()));
        for other in [
            "registry+https://example.com/index#libc@0.2.1",
            "path+file:///libc",
        ] {
            bench.units[libc].graph.pkg_id = other.to_owned();
            assert_eq!(seen(&bench, has), anything("extern in libc"));
        }
    }

    #[test]
    fn libraries_hand_macros_on_and_build_scripts_do_not() {
        let mut bench = Bench::new();
        let plain = bench.add("plain", "lib", &[], "");
        let other = bench.add("other", "lib", &[plain], "pub use plain::x;");
        let tokens = bench.add("tokens", "proc-macro", &[], READS_A);
        let hands_on = bench.add("hands_on", "lib", &[tokens, other], "pub use tokens::m;");
        let keeps = bench.add("keeps", "lib", &[tokens], "#[tokens::m] fn a() {}");
        let script = bench.add("build", "custom-build", &[tokens], "pub use tokens::m;");
        for (dep, names) in [
            (hands_on, &["A"][..]),
            (keeps, &[]),
            (script, &[]),
            (other, &[]),
        ] {
            let user = bench.add("user", "lib", &[dep], "");
            assert_eq!(reach(&bench, user).variables, names);
        }
        // Nobody knows what a library hands on whose sources are gone.
        bench.remove("keeps");
        let user = bench.add("user", "lib", &[keeps], "");
        assert_eq!(reach(&bench, user).variables, ["A"]);
    }

    #[test]
    fn macros_may_give_code_that_keeps_out_dir() {
        const KEEPS: &str = "env!(\"OUT_DIR\")";
        const INCLUDES: &str = "include!(concat!(env!(\"OUT_DIR\"), \"/a.rs\"))";
        let within = |code: &str| format!("macro_rules! m {{ () => {{ {code} }} }}");
        let code = |code: &str| format!("fn f() {{ {code}; }}");
        let mut bench = Bench::new();
        let keeps = bench.add("keeps", "lib", &[], &code(KEEPS));
        let gives = bench.add("gives", "lib", &[], &within(KEEPS));
        let includes = bench.add("includes", "lib", &[], &within(INCLUDES));
        let above = bench.add("above", "lib", &[keeps, gives], "");
        let script = bench.add("build", "custom-build", &[gives], &within(KEEPS));
        let plain = bench.add("plain", "proc-macro", &[includes, script], "");
        let tokens = bench.add("tokens", "proc-macro", &[], &code(KEEPS));
        let derives = bench.add("derives", "proc-macro", &[keeps], "");
        let cases: [(&[usize], Option<&str>); 8] = [
            (&[keeps], None),
            (&[gives], Some("gives")),
            (&[includes, script], None),
            (&[above], Some("gives")),
            (&[plain], None),
            (&[tokens], Some("tokens")),
            // The same library, once in reach of the unit and once of a macro.
            (&[derives], Some("keeps")),
            (&[derives, keeps], Some("keeps")),
        ];
        for (deps, giver) in cases {
            let user = bench.add("user", "lib", deps, "");
            let (plan, outputs) = (bench.plan(), vec![None; bench.units.len()]);
            let macros = Macros::new(&plan, &bench.built, &bench.store);
            assert_eq!(macros.giver_of_out_dir(user, &outputs), giver, "{deps:?}");
        }
        // Bytes that are no text are no code; what cannot be read may be any.
        for (change, giver) in [("no text", None), ("gone", Some("keeps"))] {
            match change {
                "gone" => bench.remove("keeps"),
                _ => drop(bench.source("keeps", b"\xff")),
            }
            let user = bench.add("user", "lib", &[keeps], "");
            let (plan, outputs) = (bench.plan(), vec![None; bench.units.len()]);
            let macros = Macros::new(&plan, &bench.built, &bench.store);
            assert_eq!(macros.giver_of_out_dir(user, &outputs), giver, "{change}");
        }
    }

    #[test]
    fn what_cannot_be_examined_may_look_around() {
        let mut bench = Bench::new();
        let gone = bench.add("gone", "proc-macro", &[], "");
        let nowhere = bench.add("nowhere", "proc-macro", &[], "");
        let user = bench.add("user", "lib", &[gone], "");
        let other = bench.add("other", "lib", &[nowhere], "");
        assert_eq!(reach(&bench, user).anything, None);
        bench.remove("gone");
        bench.built.places[nowhere] = None;
        for at in [user, other] {
            let why = reach(&bench, at).anything.unwrap();
            assert!(why.contains("could not be examined"), "{why}");
        }
        // Bytes that are no text are no code.
        bench.source("gone", b"\xff");
        assert_eq!(reach(&bench, user).anything, None);
    }

    #[test]
    fn findings_are_noted_for_a_key_and_an_output() {
        let mut bench = Bench::new();
        let tokens = bench.add("tokens", "proc-macro", &[], READS_A);
        let files = bench.add("files", "proc-macro", &[], "use std::fs;");
        let user = bench.add("user", "lib", &[tokens, files], "");
        let mut outputs = vec![Some(Digest::of(b"one")); 3];
        let first = reach_of(&bench, user, &outputs);
        bench.source("tokens", b"SystemTime");
        bench.source("files", b"SystemTime");
        let again = reach_of(&bench, user, &outputs);
        assert_eq!(again.variables, ["A"]);
        assert_eq!((again.files, again.anything), (first.files, None));
        outputs[tokens] = Some(Digest::of(b"two"));
        let other = reach_of(&bench, user, &outputs);
        assert!(other.variables.is_empty() && other.anything.is_some());
        // And a finding of that kind again.
        bench.source("tokens", b"");
        let noted = reach_of(&bench, user, &outputs);
        assert_eq!(noted.anything, other.anything);
    }
}
