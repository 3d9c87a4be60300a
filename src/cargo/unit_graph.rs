//! cargo's unit graph: which units a build consists of.
//!
//! `--unit-graph` is unstable; we ask for it with `RUSTC_BOOTSTRAP=1` in the
//! environment of that one process, which builds nothing and leaves nothing
//! behind. Its `version` is checked: another value means that we do not plan.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::CargoError;
use super::args::Invocation;
use super::command::Cargo;

/// The one version of the unit graph that we understand (cargo:
/// `src/compiler/unit_graph.rs`, `VERSION`).
const VERSION: u64 = 1;

/// The unit graph.
#[derive(Debug)]
pub struct UnitGraph {
    /// All units, in cargo's order.
    pub units: Vec<GraphUnit>,
    /// The units that the command line asks for.
    pub roots: Vec<usize>,
}

/// One unit. The whole object is kept as well ([`GraphUnit::raw`]), so that a
/// field that a later cargo adds becomes part of our keys by itself.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(from = "StoredUnit", into = "StoredUnit")]
pub struct GraphUnit {
    /// Package id specification.
    pub pkg_id: String,
    /// The target, taken apart.
    pub target: Target,
    /// The target, letter by letter as cargo prints it in its messages too.
    pub target_json: String,
    /// The resolved profile.
    pub profile: Profile,
    /// The `--target` triple or file, none for the host.
    pub platform: Option<String>,
    /// `build`, `check`, `test`, `run-custom-build`, `doc`, ...
    pub mode: String,
    /// Whether it is compiled with `--test`. cargo prints the mode `check` for
    /// a crate and for its tests alike; see [`super::check`].
    pub test: bool,
    /// Enabled features.
    pub features: Vec<String>,
    /// Indices of the units this one depends on.
    pub dependencies: Vec<usize>,
    /// The whole object; null in a remembered plan, which has the key instead.
    pub raw: Value,
}

/// A unit as a remembered plan keeps it.
#[derive(Serialize, Deserialize)]
struct StoredUnit {
    pkg_id: String,
    target: Target,
    target_json: String,
    profile: Profile,
    platform: Option<String>,
    mode: String,
    test: bool,
    features: Vec<String>,
    dependencies: Vec<usize>,
}

impl From<StoredUnit> for GraphUnit {
    fn from(unit: StoredUnit) -> GraphUnit {
        let StoredUnit {
            pkg_id,
            target,
            target_json,
            profile,
            platform,
            mode,
            test,
            features,
            dependencies,
        } = unit;
        GraphUnit {
            pkg_id,
            target,
            target_json,
            profile,
            platform,
            mode,
            test,
            features,
            dependencies,
            raw: Value::Null,
        }
    }
}

impl From<GraphUnit> for StoredUnit {
    fn from(unit: GraphUnit) -> StoredUnit {
        let GraphUnit {
            pkg_id,
            target,
            target_json,
            profile,
            platform,
            mode,
            test,
            features,
            dependencies,
            raw: _,
        } = unit;
        StoredUnit {
            pkg_id,
            target,
            target_json,
            profile,
            platform,
            mode,
            test,
            features,
            dependencies,
        }
    }
}

/// A target, in the form of cargo's messages.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Target {
    /// `lib`, `bin`, `proc-macro`, `custom-build`, ...
    pub kind: Vec<String>,
    /// `rlib`, `cdylib`, ...
    pub crate_types: Vec<String>,
    /// The target's name as given in the manifest.
    pub name: String,
    /// The root source file.
    pub src_path: String,
}

/// The parts of a profile that cargo repeats in its messages.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Profile {
    /// The profile's name; `dev` builds go to `debug`.
    pub name: String,
    /// `0`..`3`, `s`, `z`.
    pub opt_level: String,
    /// A number, or the name of a partial level, as JSON; `0` when absent.
    pub debuginfo: String,
    /// `-C debug-assertions`.
    pub debug_assertions: bool,
    /// `-C overflow-checks`.
    pub overflow_checks: bool,
    /// Whether rustc compiles incrementally.
    pub incremental: bool,
}

/// A unit as cargo prints it.
#[derive(Deserialize)]
struct PrintedUnit {
    pkg_id: String,
    target: Target,
    profile: PrintedProfile,
    platform: Option<String>,
    mode: String,
    features: Vec<String>,
    dependencies: Vec<Edge>,
}

#[derive(Deserialize)]
struct PrintedProfile {
    name: String,
    opt_level: String,
    #[serde(default)]
    debuginfo: Value,
    debug_assertions: bool,
    overflow_checks: bool,
    incremental: bool,
}

#[derive(Deserialize)]
struct Edge {
    index: usize,
}

impl GraphUnit {
    fn from_printed(mut raw: Value) -> Result<GraphUnit, serde_json::Error> {
        let mut printed = PrintedUnit::deserialize(&raw)?;
        if let Some(specification) = from_opaque(&printed.pkg_id) {
            raw["pkg_id"] = specification.as_str().into();
            printed.pkg_id = specification;
        }
        Ok(GraphUnit {
            pkg_id: printed.pkg_id,
            target: printed.target,
            target_json: raw["target"].to_string(),
            profile: Profile {
                name: printed.profile.name,
                opt_level: printed.profile.opt_level,
                debuginfo: debuginfo_text(&printed.profile.debuginfo),
                debug_assertions: printed.profile.debug_assertions,
                overflow_checks: printed.profile.overflow_checks,
                incremental: printed.profile.incremental,
            },
            platform: printed.platform,
            test: printed.mode == "test",
            mode: printed.mode,
            features: printed.features,
            dependencies: printed.dependencies.iter().map(|edge| edge.index).collect(),
            raw,
        })
    }
}

/// The package id specification for an id as cargo printed it here up to 1.87:
/// `name version (source)`. Messages and metadata have had specifications for
/// longer (cargo: `PackageIdSpec`, its `Display`).
fn from_opaque(id: &str) -> Option<String> {
    let (package, source) = id.strip_suffix(')')?.split_once(" (")?;
    let (name, version) = package.split_once(' ')?;
    // A git source ends in the revision, which a specification has not.
    let url = source.split('#').next().unwrap_or(source);
    let path = url.split('?').next().unwrap_or(url);
    Some(match path.rsplit('/').next() == Some(name) {
        true => format!("{url}#{version}"),
        false => format!("{url}#{name}@{version}"),
    })
}

/// A cargo that refuses because of what we asked for, not of what the user did,
/// is one that we do not know; it will not say so by itself.
fn not_known(error: CargoError) -> CargoError {
    match error {
        CargoError::Refused { what, said, .. }
            if said.contains("--unit-graph") || said.contains("unstable-options") =>
        {
            let said = anstream::adapter::strip_str(&said).to_string();
            let why = said.lines().next().unwrap_or_default().to_owned();
            CargoError::Unknown { what, why }
        }
        error => error,
    }
}

fn unknown(why: String) -> CargoError {
    CargoError::Unknown {
        what: "cargo --unit-graph".into(),
        why,
    }
}

/// The JSON text of a debuginfo level; cargo prints none as null in the unit
/// graph and as 0 in its messages.
pub fn debuginfo_text(value: &Value) -> String {
    match value {
        Value::Null => "0".to_owned(),
        value => value.to_string(),
    }
}

impl UnitGraph {
    /// Asks cargo for the unit graph of this invocation. Also returns what
    /// cargo wrote to stderr meanwhile, with colours: its warnings about the
    /// manifests, which it repeats with every build.
    ///
    /// # Errors
    /// When cargo refuses, or answers in a version that we do not know.
    pub fn ask(cargo: &Cargo, inv: &Invocation) -> Result<(UnitGraph, String), CargoError> {
        let verb = inv.planned_verb();
        let what = format!("cargo {verb} --unit-graph");
        let mut command = cargo.command();
        command.arg(verb);
        let args = inv.planning_args();
        let end = args.iter().position(|a| a == "--").unwrap_or(args.len());
        command
            .args(&args[..end])
            .args(["--unit-graph", "-Zunstable-options", "--color=always"])
            .args(&args[end..])
            .env("RUSTC_BOOTSTRAP", "1");
        if verb == "run" {
            // cargo panics after printing it (rust-lang/cargo: `ops::run` takes
            // a build for granted). Its warnings come when it is run.
            let printed = cargo.ask_however_it_ends(command)?;
            return match UnitGraph::parse(&printed.stdout) {
                Ok(graph) => Ok((graph, String::new())),
                Err(_) => Err(not_known(CargoError::Refused {
                    what,
                    status: printed.status,
                    said: String::from_utf8_lossy(&printed.stderr).into_owned(),
                })),
            };
        }
        let output = cargo.ask(command, &what).map_err(not_known)?;
        let graph = UnitGraph::parse(&output.stdout)?;
        Ok((graph, String::from_utf8_lossy(&output.stderr).into_owned()))
    }

    /// Keeps only some units: those for which `keep` says so and all of whose
    /// dependencies are kept.
    pub fn retain(&mut self, keep: impl Fn(&GraphUnit) -> bool) -> Result<(), CargoError> {
        let mut kept = vec![false; self.units.len()];
        for at in self.order()? {
            let unit = &self.units[at];
            kept[at] = keep(unit) && unit.dependencies.iter().all(|&dep| kept[dep]);
        }
        let mut places = 0..;
        let place: Vec<Option<usize>> = kept
            .iter()
            .map(|kept| places.by_ref().take(usize::from(*kept)).next())
            .collect();
        let moved = |list: &[usize]| list.iter().filter_map(|&at| place[at]).collect();
        self.roots = moved(&self.roots);
        let mut at = 0..;
        self.units.retain(|_| at.next().is_some_and(|at| kept[at]));
        for unit in &mut self.units {
            unit.dependencies = moved(&unit.dependencies);
        }
        Ok(())
    }

    /// Reads a unit graph and checks that its indices stay inside it.
    ///
    /// # Errors
    /// When the text is not a unit graph of the version that we know.
    pub fn parse(bytes: &[u8]) -> Result<UnitGraph, CargoError> {
        #[derive(Deserialize)]
        struct Head {
            version: u64,
        }
        #[derive(Deserialize)]
        struct Body {
            units: Vec<Value>,
            roots: Vec<usize>,
        }
        let head: Head = serde_json::from_slice(bytes).map_err(|e| unknown(e.to_string()))?;
        if head.version != VERSION {
            return Err(unknown(format!(
                "version {} (we know {VERSION})",
                head.version
            )));
        }
        let body: Body = serde_json::from_slice(bytes).map_err(|e| unknown(e.to_string()))?;
        UnitGraph::of(body.units, body.roots)
    }

    /// The graph of these units, as cargo prints them, and these roots.
    ///
    /// # Errors
    /// When a unit is not as we know it, or an index leads out of the list.
    pub fn of(units: Vec<Value>, roots: Vec<usize>) -> Result<UnitGraph, CargoError> {
        let units: Result<Vec<GraphUnit>, _> =
            units.into_iter().map(GraphUnit::from_printed).collect();
        let graph = UnitGraph {
            units: units.map_err(|e| unknown(e.to_string()))?,
            roots,
        };
        let count = graph.units.len();
        let inside = graph.roots.iter().all(|&i| i < count)
            && graph
                .units
                .iter()
                .all(|u| u.dependencies.iter().all(|&i| i < count));
        if inside {
            Ok(graph)
        } else {
            Err(unknown("an index outside the list of units".into()))
        }
    }

    /// The units in an order in which every unit follows its dependencies.
    ///
    /// # Errors
    /// When the graph has a cycle.
    pub fn order(&self) -> Result<Vec<usize>, CargoError> {
        // 0: new, 1: being visited, 2: done
        let mut mark = vec![0u8; self.units.len()];
        let mut order = Vec::with_capacity(self.units.len());
        for start in 0..self.units.len() {
            let mut stack = vec![(start, 0usize)];
            while let Some((unit, next)) = stack.pop() {
                if next == 0 {
                    if mark[unit] != 0 {
                        continue;
                    }
                    mark[unit] = 1;
                }
                match self.units[unit].dependencies.get(next) {
                    None => {
                        mark[unit] = 2;
                        order.push(unit);
                    }
                    Some(&dep) => {
                        stack.push((unit, next + 1));
                        match mark[dep] {
                            0 => stack.push((dep, 0)),
                            1 => {
                                return Err(CargoError::Unknown {
                                    what: "cargo --unit-graph".into(),
                                    why: "a cycle of units".into(),
                                });
                            }
                            _ => {}
                        }
                    }
                }
            }
        }
        Ok(order)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph(edges: &[&[usize]]) -> String {
        let units: Vec<Value> = edges
            .iter()
            .map(|deps| {
                serde_json::json!({
                    "pkg_id": "p", "mode": "build", "platform": null, "features": [],
                    "target": {"kind": ["lib"], "crate_types": ["lib"], "name": "p", "src_path": "/p"},
                    "profile": {"name": "dev", "opt_level": "0", "debuginfo": 2,
                        "debug_assertions": true, "overflow_checks": true, "incremental": true},
                    "dependencies": deps.iter().map(|d| serde_json::json!({"index": d})).collect::<Vec<_>>(),
                })
            })
            .collect();
        serde_json::json!({"version": 1, "units": units, "roots": [0]}).to_string()
    }

    #[test]
    fn dependencies_come_first() {
        let graph = UnitGraph::parse(graph(&[&[1, 2], &[2], &[]]).as_bytes()).unwrap();
        assert_eq!(graph.order().unwrap(), [2, 1, 0]);
    }

    #[test]
    fn what_rests_on_something_dropped_is_dropped() {
        let mut graph = UnitGraph::parse(graph(&[&[1], &[2], &[], &[2]]).as_bytes()).unwrap();
        graph.units[1].mode = "doc".into();
        graph.retain(|unit| unit.mode != "doc").unwrap();
        assert_eq!(graph.roots, [0; 0]);
        let edges: Vec<_> = graph.units.iter().map(|unit| &unit.dependencies).collect();
        assert_eq!(edges, [&vec![], &vec![0]]);
    }

    #[test]
    fn ids_of_older_cargos_are_those_of_messages() {
        for (printed, specification) in [
            (
                "app 0.1.0 (path+file:///ws/app)",
                "path+file:///ws/app#0.1.0",
            ),
            (
                "a 0.1.0 (path+file:///ws/b (c))",
                "path+file:///ws/b (c)#a@0.1.0",
            ),
            (
                "itoa 1.0.0 (registry+https://x/index)",
                "registry+https://x/index#itoa@1.0.0",
            ),
            (
                "b 2.0.0 (git+https://h/b?branch=x#0123abc)",
                "git+https://h/b?branch=x#2.0.0",
            ),
        ] {
            assert_eq!(from_opaque(printed).as_deref(), Some(specification));
            assert_eq!(from_opaque(specification), None);
        }
    }

    #[test]
    fn refuses_cycles_strangers_and_other_versions() {
        let cycle = UnitGraph::parse(graph(&[&[1], &[0]]).as_bytes()).unwrap();
        assert!(cycle.order().is_err());
        assert!(UnitGraph::parse(graph(&[&[7]]).as_bytes()).is_err());
        assert!(UnitGraph::parse(br#"{"version":2,"units":[],"roots":[]}"#).is_err());
        assert!(UnitGraph::parse(b"hello").is_err());
    }
}
