//! What `cargo check` compiles as a test.
//!
//! With `--all-targets`, `--tests` and the like a crate is checked twice, once
//! as it is and once with `--test`. The unit graph prints the mode `check` for
//! both (cargo: `impl Serialize for CompileMode`), so they are told apart by
//! their place in it. Where that leaves a doubt there is no plan.

use super::CargoError;
use super::args::Selection;
use super::unit_graph::{GraphUnit, UnitGraph};

/// Marks the units that are compiled with `--test`.
///
/// # Errors
/// When one of them could be either.
pub fn mark_tests(graph: &mut UnitGraph, selection: Selection) -> Result<(), CargoError> {
    let mut needed = vec![false; graph.units.len()];
    for unit in &graph.units {
        for &dep in &unit.dependencies {
            needed[dep] = true;
        }
    }
    for &root in &graph.roots.clone() {
        if graph.units[root].mode == "check" {
            let test = is_test(graph, root, &needed, selection).ok_or_else(|| {
                let name = &graph.units[root].target.name;
                let why = format!("it does not say whether `{name}` is checked as a test");
                CargoError::Unknown {
                    what: "cargo check --unit-graph".into(),
                    why,
                }
            })?;
            graph.units[root].test = test;
        }
    }
    Ok(())
}

/// Whether a root is compiled with `--test`; none if that cannot be told.
fn is_test(graph: &UnitGraph, at: usize, needed: &[bool], selection: Selection) -> Option<bool> {
    let unit = &graph.units[at];
    let is = |kind: &str| unit.target.kind.iter().any(|k| k == kind);
    if selection.test_profile {
        return None;
    }
    if is("test") || is("bench") {
        return Some(true);
    }
    // Nothing can use a test.
    if needed[at] {
        return Some(false);
    }
    let alike: Vec<usize> = (0..graph.units.len())
        .filter(|&other| other != at && is_same_target(unit, &graph.units[other]))
        .collect();
    match alike.as_slice() {
        [] => match selection {
            Selection {
                all: false,
                tests: false,
                ..
            } => Some(false),
            // The crate as it is always belongs to all targets.
            Selection { all: true, .. } => Some(false),
            Selection {
                tests: true,
                others: false,
                ..
            } => Some(true),
            Selection {
                tests: true,
                others: true,
                ..
            } => None,
        },
        // cargo sorts units by package, target, profile, platform and mode,
        // where a test follows (`CompileMode` derives `Ord`).
        [other] if is_same_but_for_tests(unit, &graph.units[*other]) => Some(at > *other),
        [other] if needed[*other] => Some(true),
        _ => None,
    }
}

fn is_same_target(one: &GraphUnit, other: &GraphUnit) -> bool {
    one.mode == other.mode
        && one.pkg_id == other.pkg_id
        && one.target_json == other.target_json
        && one.platform == other.platform
}

fn is_same_but_for_tests(one: &GraphUnit, other: &GraphUnit) -> bool {
    one.raw["profile"] == other.raw["profile"]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Units of one package: target kind, name, dependencies.
    fn graph(units: &[(&str, &str, &[usize])], roots: &[usize]) -> UnitGraph {
        let units: Vec<_> = units
            .iter()
            .map(|(kind, name, deps)| {
                let deps: Vec<_> = deps.iter().map(|d| serde_json::json!({"index": d})).collect();
                serde_json::json!({
                    "pkg_id": "p", "mode": "check", "platform": null, "features": [],
                    "target": {"kind": [kind], "crate_types": ["lib"], "name": name, "src_path": "/p"},
                    "profile": {"name": "dev", "opt_level": "0", "debuginfo": 2,
                        "debug_assertions": true, "overflow_checks": true, "incremental": true},
                    "dependencies": deps,
                })
            })
            .collect();
        let text = serde_json::json!({"version": 1, "units": units, "roots": roots}).to_string();
        UnitGraph::parse(text.as_bytes()).unwrap()
    }

    fn marked(mut graph: UnitGraph, flags: &[&str]) -> Option<Vec<bool>> {
        let args = flags.iter().map(|flag| (*flag).to_owned()).collect();
        let selection = super::super::args::Invocation::parse("check", args).selection;
        mark_tests(&mut graph, selection).ok()?;
        Some(graph.units.iter().map(|unit| unit.test).collect())
    }

    #[test]
    fn tells_twins_apart() {
        let both = graph(
            &[("lib", "a", &[]), ("lib", "a", &[]), ("test", "t", &[0])],
            &[0, 1, 2],
        );
        assert_eq!(
            marked(both, &["--all-targets"]),
            Some(vec![false, true, true])
        );
        let alone = || graph(&[("lib", "a", &[])], &[0]);
        assert_eq!(marked(alone(), &["--tests"]), Some(vec![true]));
        assert_eq!(marked(alone(), &["--all-targets"]), Some(vec![false]));
        assert_eq!(marked(alone(), &[]), Some(vec![false]));
        assert_eq!(marked(alone(), &["--tests", "--lib"]), None);
        assert_eq!(marked(alone(), &["--profile=test"]), None);
    }
}
