//! Makes a plan from scratch: asks cargo, reads manifests, computes keys.
//!
//! This costs as much as a no-op of cargo's, so its result is remembered (see
//! [`super::state`]) together with everything that it rests on.

use std::ffi::OsString;
use std::time::SystemTime;

use camino::Utf8Path;

use super::ask::{Answers, Known, ask};
use super::inputs::{Memo, nanos};
use super::key::{self, Common};
use super::parts::Noted;
use super::surroundings::Surroundings;
use super::tools::Tools;
use super::watch::{self, Watch, WatchKind, Watcher};
use super::{Dirs, Plan, PlanError, PlanUnit, Term};
use crate::cargo::args::Invocation;
use crate::cargo::check::mark_tests;
use crate::cargo::command::Cargo;
use crate::cargo::config::{self, Config};
use crate::cargo::diagnostics::named;
use crate::cargo::layout;
use crate::cargo::manifest::Manifests;
use crate::cargo::messages::artifact_head;
use crate::cargo::toolchain::OLDEST_CARGO;
use crate::cargo::unit_graph::{GraphUnit, UnitGraph};
use crate::cargo::workspace::{Origin, Package, Workspace};
use crate::unit::{Action, Digest};

/// A new plan, and what it rests on.
pub struct Made {
    /// The plan.
    pub plan: Plan,
    /// What has to stay for it to hold.
    pub watches: Vec<Watch>,
    /// What its keys were made of.
    pub noted: Vec<Noted>,
    /// The digest of the compiler's files under the name by which it may be
    /// found again, if it had to be computed.
    pub toolchain_note: Option<(String, Digest)>,
    /// cargo's answers as they are kept, and their name, if they came from
    /// cargo and are worth keeping.
    pub answers: Option<(Digest, Vec<u8>)>,
}

/// Asks cargo for everything that is not known, and puts the plan together.
/// cargo is asked again when something was changed meanwhile, a lock file by
/// itself as well; if that goes on, the plan is good for this build alone.
///
/// # Errors
/// When cargo refuses, or anything about its answers is unknown to us.
pub fn make(
    cargo: &Cargo,
    inv: &Invocation,
    cwd: &Utf8Path,
    memo: &Memo,
    known: &dyn Known,
) -> Result<Made, PlanError> {
    let now = || nanos(SystemTime::now());
    let begun = now();
    let mut made = make_once(cargo, inv, cwd, memo, known)?;
    if watch::changed_meanwhile(&made.watches, begun, now()) {
        let begun = now();
        made = make_once(cargo, inv, cwd, memo, known)?;
        let ended = now();
        if watch::changed_meanwhile(&made.watches, begun, ended) {
            watch::distrust(&mut made.watches, begun, ended);
            made.answers = None;
        }
    }
    Ok(made)
}

fn make_once(
    cargo: &Cargo,
    inv: &Invocation,
    cwd: &Utf8Path,
    memo: &Memo,
    known: &dyn Known,
) -> Result<Made, PlanError> {
    if inv.unstable.iter().any(|flag| flag.starts_with("root-dir")) {
        let why = "-Zroot-dir changes what source paths are relative to";
        return Err(PlanError::Surroundings(why.into()));
    }
    let cargo_home =
        config::home().ok_or_else(|| PlanError::Surroundings("found no CARGO_HOME".into()))?;
    let config = Config::load(cwd, &cargo_home, &inv.config)?;
    if let Some(why) = unwatched(inv, &config, &key::variables()) {
        return Err(PlanError::Surroundings(why.into()));
    }
    let Answers {
        mut graph,
        warnings,
        workspace,
        toolchain,
        compiler,
        toolchain_note,
        draft,
    } = ask(cargo, inv, cwd, &config, &cargo_home, memo, known)?;
    refuse_older(toolchain.cargo_minor())?;
    leave_to_cargo(&mut graph, inv, &workspace)?;
    mark_tests(&mut graph, inv.selection)?;

    let dirs = Dirs {
        workspace: workspace.root.clone(),
        build: workspace.build_dir.clone(),
        target: workspace.target_dir.clone(),
        cargo_home,
    };
    let mut watcher = Watcher::default();
    let mut manifests = Manifests::default();
    Surroundings {
        cargo,
        inv,
        cwd,
        config: &config,
        toolchain: &toolchain,
        workspace: &workspace,
    }
    .watch(&mut watcher, &mut manifests);
    let common = Common::new(
        &dirs,
        &config,
        &[inv.unstable.clone(), roots(&graph)].concat(),
        has_target(inv, &config, std::env::var_os("CARGO_BUILD_TARGET")),
        &toolchain,
        compiler,
        &|path| memo.file(path).ok(),
    );
    let mut files = Files {
        watcher: &mut watcher,
        manifests: &mut manifests,
    };
    let (units, noted) = plan_units(&graph, inv, &dirs, &workspace, &common, &mut files)?;
    let mut profile_dirs: Vec<String> = graph.units.iter().map(layout::profile_dir).collect();
    profile_dirs.sort();
    profile_dirs.dedup();
    let watches = watcher.finish();
    let answers = draft.and_then(|draft| {
        let programs = [
            vec![toolchain.rustc.clone()],
            key::tools(&config),
            key::wrappers(&config),
        ]
        .concat();
        let tools = Tools::new(&toolchain, compiler, &watches, &programs, memo);
        draft.finish(tools, &watches)
    });
    Ok(Made {
        plan: Plan {
            cargo_minor: toolchain.cargo_minor(),
            profile_dirs,
            finished: finished(&graph),
            warnings,
            wrapped: !key::wrappers(&config).is_empty(),
            term: term(&config),
            judges_warnings: judges_warnings(&config, std::env::var("CARGO_BUILD_WARNINGS").ok()),
            units,
            dirs,
        },
        watches,
        noted,
        toolchain_note,
        answers,
    })
}

fn refuse_older(minor: Option<u32>) -> Result<(), PlanError> {
    match minor.filter(|&minor| minor < OLDEST_CARGO) {
        Some(minor) => Err(PlanError::Surroundings(format!(
            "cargo 1.{minor} is older than 1.{OLDEST_CARGO}, the oldest that is supported"
        ))),
        None => Ok(()),
    }
}

/// Takes out of the plan what only cargo itself makes: documentation, tests of
/// documentation, and what clippy compiles in rustc's place (cargo-clippy sets
/// `RUSTC_WORKSPACE_WRAPPER`, which goes for members and is part of their
/// hash).
fn leave_to_cargo(
    graph: &mut UnitGraph,
    inv: &Invocation,
    workspace: &Workspace,
) -> Result<(), PlanError> {
    let modes = ["build", "check", "test", "run-custom-build"];
    let linted = |unit: &GraphUnit| {
        let path = Utf8Path::new(&unit.target.src_path);
        let package = workspace.package(&unit.pkg_id, path);
        let member = package.is_none_or(|package| package.origin == Origin::Member);
        inv.verb == "clippy" && member && unit.mode != "run-custom-build"
    };
    let keep = |unit: &GraphUnit| modes.contains(&unit.mode.as_str()) && !linted(unit);
    if !graph.units.iter().all(keep) {
        graph.retain(keep)?;
    }
    Ok(())
}

/// What cannot be watched: another standard library than the one that rustc
/// names when asked, and a lock file at another place.
fn unwatched(
    inv: &Invocation,
    config: &Config,
    variables: &[(String, String)],
) -> Option<&'static str> {
    let in_arguments = |what: &str| inv.args.iter().any(|arg| arg.contains(what));
    let in_config = |what: &str| {
        let mut files = config.files.iter();
        files.any(|file| file.table.to_string().contains(what))
    };
    let in_variables = |what: &str| {
        let mut all = variables.iter();
        all.any(|(name, value)| name.contains(what) || value.contains(what))
    };
    let is_said = |what| in_arguments(what) || in_config(what) || in_variables(what);
    if is_said("--sysroot") {
        return Some("rustc is given a --sysroot of its own, whose contents nobody watches");
    }
    if is_said("lockfile-path") || in_variables("LOCKFILE_PATH") {
        return Some("the lock file is at another place (lockfile-path), where nobody watches it");
    }
    None
}

fn term(config: &Config) -> Term {
    let value = |key: &str| {
        let mut files = config.files.iter();
        files.find_map(|file| file.table.get("term")?.get(key).cloned())
    };
    let flag = |key| value(key).and_then(|v| v.as_bool());
    Term {
        quiet: flag("quiet"),
        verbose: flag("verbose"),
        color: value("color").and_then(|v| v.as_str().map(str::to_owned)),
        progress: value("progress").and_then(|v| Some(v.get("when")?.as_str()?.to_owned())),
    }
}

/// Whether warnings are not simply shown: `build.warnings` hides them or fails
/// the build for them, the fresh ones included. Older cargos do not know it,
/// and are started once too often at worst.
fn judges_warnings(config: &Config, from_env: Option<String>) -> bool {
    let from_config = || {
        config
            .string("build", "warnings")
            .map(|(_, v)| v.to_owned())
    };
    from_env
        .or_else(from_config)
        .is_some_and(|value| value != "warn")
}

/// Whether the build is for a named target: flags from the configuration then
/// do not apply to host units, which look the same in the graph (cargo:
/// `compute_metadata`, rust-lang/cargo#14253).
fn has_target(inv: &Invocation, config: &Config, from_env: Option<OsString>) -> bool {
    let in_config = |file: &crate::cargo::config::ConfigFile| {
        file.table
            .get("build")
            .is_some_and(|build| build.get("target").is_some())
    };
    !inv.targets.is_empty()
        || from_env.is_some_and(|v| !v.is_empty())
        || config.files.iter().any(in_config)
}

/// With link-time optimisation, what a unit consists of (object code, bitcode
/// or both) depends on the roots of the build (cargo: `lto::generate`): then
/// they are part of every key.
fn roots(graph: &UnitGraph) -> Vec<String> {
    let lto = |unit: &GraphUnit| {
        !matches!(
            unit.raw["profile"]["lto"].as_str(),
            Some("false" | "off") | None
        )
    };
    if !graph.units.iter().any(lto) {
        return Vec::new();
    }
    let mut roots: Vec<String> = graph
        .roots
        .iter()
        .map(|&root| {
            let unit = &graph.units[root];
            let target = &unit.target;
            format!(
                "{} {:?} {:?} {}",
                target.name, target.kind, target.crate_types, unit.mode
            )
        })
        .collect();
    roots.sort();
    roots
}

/// Files that are read while units are planned, and watched.
struct Files<'a> {
    watcher: &'a mut Watcher,
    manifests: &'a mut Manifests,
}

fn plan_units(
    graph: &UnitGraph,
    inv: &Invocation,
    dirs: &Dirs,
    workspace: &Workspace,
    common: &Common,
    files: &mut Files,
) -> Result<(Vec<PlanUnit>, Vec<Noted>), PlanError> {
    let order = graph.order()?;
    let mut position = vec![0; graph.units.len()];
    for (at, &unit) in order.iter().enumerate() {
        position[unit] = at;
    }
    let extra_args = match inv.verb.as_str() {
        "rustc" => inv.args[inv.own..].get(1..).unwrap_or_default(),
        _ => &[],
    };
    let mut units: Vec<PlanUnit> = Vec::with_capacity(order.len());
    let mut noted = Vec::with_capacity(order.len());
    for &index in &order {
        let graph_unit = &graph.units[index];
        let src_path = Utf8Path::new(&graph_unit.target.src_path);
        let package = workspace
            .package(&graph_unit.pkg_id, src_path)
            .ok_or_else(|| {
                PlanError::Surroundings(format!("found no manifest for {}", graph_unit.pkg_id))
            })?;
        let deps: Vec<usize> = graph_unit
            .dependencies
            .iter()
            .map(|&d| position[d])
            .collect();
        let is_root = graph.roots.contains(&index);
        let action = match graph_unit.mode.as_str() {
            "build" | "check" | "test" => Action::Compile,
            "run-custom-build" => Action::RunScript,
            _ => Action::Other,
        };
        let external = package.origin == Origin::External;
        let key = if action == Action::Other {
            Err(format!("mode {}", graph_unit.mode))
        } else {
            let dep_keys: Result<Vec<(&str, Digest)>, String> = deps
                .iter()
                .map(|&dep| {
                    let dep: &PlanUnit = &units[dep];
                    let key = dep.key.as_ref().map(|key| (dep.title.as_str(), *key));
                    key.map_err(|_| format!("depends on {}", dep.title))
                })
                .collect();
            let manifest = match external {
                true => None,
                false => Some(files.manifests.identity(&package.manifest_path)?),
            };
            let target_spec = target_spec(graph_unit, files.watcher)?;
            dep_keys.map(|dep_keys| {
                let of = key::Package {
                    dirs,
                    name: &package.name,
                    version: &package.version,
                    manifest,
                    target_spec,
                    extra_args: if is_root { extra_args } else { &[] },
                };
                let (key, parts) = common.unit(graph_unit, &of, &dep_keys);
                noted.push(Noted {
                    key,
                    unit: same_unit(graph_unit, &package.name),
                    parts,
                });
                key
            })
        };
        units.push(PlanUnit {
            is_root,
            rank: index,
            ..plan_unit(graph_unit, &package, dirs, action, key, deps)
        });
    }
    for path in files.manifests.files() {
        files.watcher.add(path, WatchKind::File);
    }
    Ok((units, noted))
}

/// By what a unit is known under whatever settings: keys of one and the same
/// are worth comparing.
pub fn same_unit(unit: &GraphUnit, package: &str) -> String {
    let target = &unit.target;
    let kind = target.kind.join(",");
    format!("{package} {} {kind} {}", target.name, unit.mode)
}

fn plan_unit(
    graph: &GraphUnit,
    package: &Package,
    dirs: &Dirs,
    action: Action,
    key: Result<Digest, String>,
    deps: Vec<usize>,
) -> PlanUnit {
    let package_dir = package.manifest_path.parent().unwrap_or(Utf8Path::new(""));
    // cargo: `path_args`
    let inside = graph.pkg_id.starts_with("path+")
        && Utf8Path::new(&graph.target.src_path).starts_with(&dirs.workspace);
    let compile_dir = if inside { &dirs.workspace } else { package_dir };
    let external = package.origin == Origin::External;
    PlanUnit {
        title: title(graph, package),
        package: package.name.clone(),
        version: package.version.clone(),
        package_dir: package_dir.to_owned(),
        compile_dir: compile_dir.to_owned(),
        action,
        key,
        deps,
        dep_names: dep_names(graph),
        is_root: false,
        rank: 0,
        shows_warnings: graph.pkg_id.starts_with("path+"),
        linkable: !graph.profile.incremental,
        artifact_head: artifact_head(graph, package.manifest_path.as_str()),
        named: named(graph, &package.name),
        external,
        graph: GraphUnit {
            raw: serde_json::Value::Null,
            ..graph.clone()
        },
    }
}

fn dep_names(graph: &GraphUnit) -> Vec<String> {
    let edges = graph.raw["dependencies"].as_array();
    let name = |edge: &serde_json::Value| edge["extern_crate_name"].as_str().map(str::to_owned);
    let names = edges.into_iter().flatten();
    names.map(|edge| name(edge).unwrap_or_default()).collect()
}

fn title(unit: &GraphUnit, package: &Package) -> String {
    let kind = unit.target.kind.first().map_or("lib", String::as_str);
    let what = match (unit.mode.as_str(), kind) {
        ("run-custom-build", _) => "build script run".to_owned(),
        (_, "custom-build") => "build script".to_owned(),
        (_, "lib" | "rlib" | "proc-macro") if !unit.test => kind.to_owned(),
        (_, kind) if unit.test => format!("{kind} {:?} test", unit.target.name),
        (_, kind) => format!("{kind} {:?}", unit.target.name),
    };
    format!("{} {} ({what})", package.name, package.version)
}

fn target_spec(unit: &GraphUnit, watcher: &mut Watcher) -> Result<Option<Digest>, PlanError> {
    let Some(path) = unit.platform.as_deref().filter(|p| p.ends_with(".json")) else {
        return Ok(None);
    };
    watcher.add(path, WatchKind::File);
    let bytes = fs_err::read(path)
        .map_err(|source| PlanError::Surroundings(format!("could not read {path}: {source}")))?;
    Ok(Some(Digest::of(&bytes)))
}

/// What cargo's last line says of the profile (cargo: `drain_the_queue`).
fn finished(graph: &UnitGraph) -> String {
    let root = graph.roots.first().map(|&root| &graph.units[root]);
    let Some(profile) = root.map(|unit| &unit.profile) else {
        return "`dev` profile [unoptimized + debuginfo] target(s)".to_owned();
    };
    let optimized = match profile.opt_level.as_str() {
        "0" => "unoptimized",
        _ => "optimized",
    };
    let debuginfo = match profile.debuginfo.as_str() {
        "0" => "",
        _ => " + debuginfo",
    };
    format!(
        "`{}` profile [{optimized}{debuginfo}] target(s)",
        profile.name
    )
}

#[cfg(test)]
mod tests;
