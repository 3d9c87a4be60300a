//! Static keys: everything that decides a unit but its inputs' contents.
//!
//! A static key finds the recorded variants of a unit. It has to differ
//! whenever cargo would use another hash or another fingerprint, and wherever
//! in doubt it does: the whole unit as cargo prints it goes in, with whatever
//! a later cargo may add. It must not hold a path of this checkout where the
//! unit would be the same in another one.

use std::collections::BTreeMap;
use std::ffi::OsString;

use camino::{Utf8Path, Utf8PathBuf};
use fs_err as fs;
use serde_json::Value;

use super::Dirs;
use super::inputs::Memo;
use super::parts::{NotingHasher, Parts};
use super::watch::find_program;
use crate::cargo::args::Invocation;
use crate::cargo::config::Config;
use crate::cargo::layout;
use crate::cargo::linking;
use crate::cargo::toolchain::Toolchain;
use crate::cargo::unit_graph::GraphUnit;
use crate::unit::{Digest, KeyHasher, Root, RootedPath};

/// Changes when the meaning of a key changes, or of the outputs under it.
const KEY_VERSION: &[u8] = b"3";

/// Prefixes of environment variables that can change what cargo or rustc do.
const ENV: &[&str] = &["CARGO", "RUST", "__CARGO"];

/// Exceptions to [`ENV`]: variables that only say where files go or how output
/// looks, and those that cargo sets for the programs it starts.
const ENV_IRRELEVANT: &[&str] = &[
    "CARGO",
    "CARGO_ALIAS_",
    "CARGO_BIN_",
    "CARGO_BUILD_BUILD_DIR",
    "CARGO_BUILD_JOBS",
    "CARGO_BUILD_TARGET",
    "CARGO_BUILD_TARGET_DIR",
    "CARGO_BUILD_WARNINGS",
    "CARGO_CACHE_",
    "CARGO_CFG_",
    "CARGO_CRATE_NAME",
    "CARGO_FEATURE_",
    "CARGO_FUTURE_INCOMPAT_REPORT_",
    "CARGO_HOME",
    "CARGO_HTTP_",
    "CARGO_INSTALL_ROOT",
    "CARGO_LLVM_COV_TARGET_DIR",
    "CARGO_LOG",
    "CARGO_MAKEFLAGS",
    "CARGO_MANIFEST_",
    "CARGO_NET_",
    "CARGO_PKG_",
    "CARGO_PRIMARY_PACKAGE",
    "CARGO_REGISTRIES_",
    "CARGO_REGISTRY_",
    "CARGO_TARGET_DIR",
    "CARGO_TARGET_TMPDIR",
    "CARGO_TERM_",
    "RUSTDOC",
    "RUSTUP_",
    "RUST_BACKTRACE",
    "RUST_LIB_BACKTRACE",
    "RUST_LOG",
    "RUST_MIN_STACK",
    "RUST_RECURSION_COUNT",
    "RUST_TEST_",
];

/// Of those, the ones that still decide which plan is the right one.
const ENV_OF_PLAN: &[&str] = &[
    "CARGO_BUILD_BUILD_DIR",
    "CARGO_BUILD_TARGET",
    "CARGO_BUILD_TARGET_DIR",
    "CARGO_BUILD_WARNINGS",
    "CARGO_HOME",
    "CARGO_TARGET_DIR",
    "RUSTUP_HOME",
    "RUSTUP_TOOLCHAIN",
];

/// Whether a variable belongs into every key.
fn is_relevant(name: &str) -> bool {
    let exempt = |entry: &&&str| {
        if entry.ends_with('_') {
            name.starts_with(**entry)
        } else {
            name == **entry
        }
    };
    ENV.iter().any(|prefix| name.starts_with(prefix))
        && ENV_IRRELEVANT.iter().find(exempt).is_none()
}

/// The environment variables that belong into every key, sorted by name.
pub fn relevant_env() -> BTreeMap<String, String> {
    relevant(std::env::vars_os())
}

fn relevant(vars: impl Iterator<Item = (OsString, OsString)>) -> BTreeMap<String, String> {
    vars.filter_map(|(name, value)| {
        let mut name = name.into_string().ok()?;
        if cfg!(windows) {
            // Their letter case does not count there.
            name.make_ascii_uppercase();
        }
        is_relevant(&name).then(|| (name, value.to_string_lossy().into_owned()))
    })
    .collect()
}

/// The name under which the state of an invocation is remembered: everything
/// that says which build this is, without reading a file.
pub fn of_invocation(program: &str, cwd: &Utf8Path, inv: &Invocation) -> Digest {
    of_build(program, cwd, inv, &variables())
}

/// The same with these variables.
pub fn of_build(
    program: &str,
    cwd: &Utf8Path,
    inv: &Invocation,
    variables: &[(String, String)],
) -> Digest {
    let mut hasher = KeyHasher::new("invocation");
    hasher
        .part("version", env!("CARGO_PKG_VERSION").as_bytes())
        .part("cargo", program.as_bytes())
        .part("cwd", cwd.as_str().as_bytes())
        .part(
            "toolchain",
            inv.toolchain.as_deref().unwrap_or("").as_bytes(),
        )
        .part("verb", inv.verb.as_bytes());
    // Where configuration and toolchains are by default.
    let home = etcetera::home_dir().unwrap_or_default();
    hasher.part("home", home.as_os_str().as_encoded_bytes());
    for arg in inv.planning_args() {
        hasher.part("argument", arg.as_bytes());
    }
    for (name, value) in variables {
        hasher.part(name, value.as_bytes());
    }
    hasher.finish()
}

/// The variables that decide which plan is the right one.
pub fn variables() -> Vec<(String, String)> {
    let mut all: Vec<(String, String)> = relevant_env().into_iter().collect();
    all.extend(ENV_OF_PLAN.iter().filter_map(|name| {
        let value = std::env::var_os(name)?;
        Some(((*name).to_owned(), value.to_string_lossy().into_owned()))
    }));
    all
}

/// What all keys of one build have in common.
#[derive(Debug)]
pub struct Common {
    digest: Digest,
    parts: Parts,
    linking: Digest,
    linking_parts: Parts,
    /// `Cargo.lock` checksums by package id specification.
    checksums: BTreeMap<(String, String), String>,
}

/// The programs that a link or a build script may use without telling cargo.
pub fn tools(config: &Config) -> Vec<String> {
    let mut tools = config.linkers();
    tools.extend(linkers(&relevant_env()));
    tools.extend(["cc".to_owned(), "ld".to_owned()]);
    if cfg!(windows) {
        // Where a developer's prompt has put it on PATH.
        tools.push("link".to_owned());
    }
    tools
}

/// The linkers that relevant variables name.
fn linkers(vars: &BTreeMap<String, String>) -> impl Iterator<Item = String> {
    let names_one = |name: &str| name.starts_with("CARGO_TARGET_") && name.ends_with("_LINKER");
    vars.iter()
        .filter(move |(name, _)| names_one(name))
        .map(|(_, value)| value.clone())
}

/// Programs through which rustc is called, if there are any.
pub fn wrappers(config: &Config) -> Vec<String> {
    wrappers_with(config, &|name| std::env::var(name).ok())
}

fn wrappers_with(config: &Config, var: &dyn Fn(&str) -> Option<String>) -> Vec<String> {
    let from_env = |name: &str| var(name).filter(|value| !value.is_empty());
    [
        ("RUSTC_WRAPPER", "rustc-wrapper"),
        ("RUSTC_WORKSPACE_WRAPPER", "rustc-workspace-wrapper"),
    ]
    .iter()
    .filter_map(|(env, key)| {
        from_env(env)
            .or_else(|| from_env(&format!("CARGO_BUILD_{env}")))
            .or_else(|| config.program("build", key))
    })
    .collect()
}

impl Common {
    /// Gathers it. `toolchain` is the digest of the compiler's files, `digest`
    /// gives the digest of a program's file.
    pub fn new(
        dirs: &Dirs,
        config: &Config,
        from_args: &[String],
        has_target: bool,
        compiler: &Toolchain,
        toolchain: Digest,
        digest: &dyn Fn(&Utf8Path) -> Option<Digest>,
    ) -> Common {
        let mut hasher = NotingHasher::new("common");
        let relevant = config.relevant(&dirs.workspace);
        hasher
            .unnoted("version", KEY_VERSION)
            .part("rustc", compiler.verbose_version.as_bytes())
            .part("cargo", compiler.cargo_version.as_bytes())
            .part("toolchain", &toolchain.0)
            .named(
                "has target",
                &[u8::from(has_target)],
                "--target",
                if has_target { "given" } else { "not given" }.to_owned(),
            )
            .unnoted("config", &relevant);
        note_config(&mut hasher, &relevant);
        for arg in from_args {
            hasher.part("argument", arg.as_bytes());
        }
        for (name, value) in relevant_env() {
            hasher.variable(&name, &value);
        }
        let mut program = |kind: &str, name: &str| {
            let found = find_program(name);
            let content = found.as_deref().and_then(digest);
            hasher.named(
                kind,
                name.as_bytes(),
                &format!("{kind} program"),
                name.to_owned(),
            );
            let content = content.map_or(Vec::new(), |d| d.0.to_vec());
            let noted = Digest::of(&content).hex()[..12].to_owned();
            hasher.named("content", &content, &format!("content of {name}"), noted);
        };
        program("rustc", &compiler.rustc);
        for wrapper in wrappers(config) {
            program("wrapper", &wrapper);
        }
        let linked = linking::of_settings(config, &dirs.workspace);
        for dir in linked.dirs {
            let names = Memo::default().libraries(&dir, dirs);
            let names = names.map_or(Vec::new(), |digest| digest.0.to_vec());
            let noted = Digest::of(&names).hex()[..12].to_owned();
            let what = format!("list of libraries in {dir}");
            hasher.named("searched", &names, &what, noted);
        }
        for path in linked.files {
            let content = digest(&path).map_or(Vec::new(), |d| d.0.to_vec());
            let noted = Digest::of(&content).hex()[..12].to_owned();
            hasher.named("linked", &content, &format!("content of {path}"), noted);
        }
        let (common, parts) = hasher.finish();
        let mut hasher = NotingHasher::new("linking");
        for tool in tools(config) {
            let content = find_program(&tool).as_deref().and_then(digest);
            let content = content.map_or(Vec::new(), |d| d.0.to_vec());
            let noted = Digest::of(&content).hex()[..12].to_owned();
            hasher.unnoted("tool", tool.as_bytes()).named(
                "content",
                &content,
                &format!("content of {tool}"),
                noted,
            );
        }
        let (linking, linking_parts) = hasher.finish();
        Common {
            digest: common,
            parts,
            linking,
            linking_parts,
            checksums: checksums(&dirs.workspace.join("Cargo.lock")),
        }
    }

    /// The static key of a unit, given those of its dependencies with their
    /// names in the order of its edges, and what it was made of.
    pub fn unit(
        &self,
        unit: &GraphUnit,
        of: &Package<'_>,
        deps: &[(&str, Digest)],
    ) -> (Digest, Parts) {
        let Package {
            dirs,
            name,
            version,
            manifest,
            target_spec,
            extra_args,
        } = of;
        let mut hasher = NotingHasher::new("unit");
        hasher.unnoted("common", &self.digest.0);
        if links(unit) {
            hasher.unnoted("linking", &self.linking.0);
        }
        let whole = portable(unit, dirs);
        hasher.unnoted("unit", whole.to_string().as_bytes());
        hasher.note_fields("", &whole);
        if unit.test && unit.mode == "check" {
            hasher.named("test", &[], "test", "true".to_owned());
        }
        for (title, dep) in deps {
            let shown = dep.hex()[..12].to_owned();
            let noted = format!("{DEPENDENCY}{title}");
            hasher.named("dependency", &dep.0, &noted, shown);
        }
        hasher.part("name", name.as_bytes()).named(
            "package version",
            version.as_bytes(),
            "version",
            (*version).to_owned(),
        );
        if let Some(manifest) = manifest {
            let shown = manifest.hex()[..12].to_owned();
            hasher.named("manifest", &manifest.0, "Cargo.toml", shown);
        }
        let key = ((*name).to_owned(), (*version).to_owned());
        if let Some(checksum) = self.checksums.get(&key) {
            hasher.named(
                "checksum",
                checksum.as_bytes(),
                "Cargo.lock entry",
                checksum.clone(),
            );
        }
        if let Some(target) = target_spec {
            hasher.part("target specification", &target.0);
        }
        for arg in *extra_args {
            hasher.part("extra argument", arg.as_bytes());
        }
        let (key, mut parts) = hasher.finish();
        parts.extend(self.parts.clone());
        if links(unit) {
            parts.extend(self.linking_parts.clone());
        }
        (key, parts)
    }
}

/// Begins the name of a part that is a dependency's key.
pub const DEPENDENCY: &str = "dependency ";

/// Notes what the configuration says. Values of `[env]` may be secret.
fn note_config(hasher: &mut NotingHasher, relevant: &[u8]) {
    let files: Vec<(String, Value)> = serde_json::from_slice(relevant).unwrap_or_default();
    for (place, table) in files {
        let tables = table.as_object().into_iter().flatten();
        for (name, value) in tables {
            let path = format!("{name} in {place}");
            match name.as_str() {
                "env" => {
                    let shown = Digest::of(value.to_string().as_bytes()).hex();
                    hasher.note(&path, shown[..12].to_owned());
                }
                _ => hasher.note_fields(&path, value),
            }
        }
    }
}

/// What a key needs to know about a unit's package.
pub struct Package<'a> {
    /// The directories of this build.
    pub dirs: &'a Dirs,
    /// Package name.
    pub name: &'a str,
    /// Package version.
    pub version: &'a str,
    /// The manifest's identity, for path packages.
    pub manifest: Option<Digest>,
    /// The digest of a custom target specification.
    pub target_spec: Option<Digest>,
    /// Arguments that `cargo rustc` adds to this unit.
    pub extra_args: &'a [String],
}

/// Whether a linker, a C compiler or the like takes part.
fn links(unit: &GraphUnit) -> bool {
    let linked = |kind: &String| !matches!(kind.as_str(), "lib" | "rlib" | "staticlib");
    unit.mode == "run-custom-build"
        || unit.mode == "test"
        || (unit.mode == "build" && unit.target.crate_types.iter().any(linked))
}

/// The unit as cargo prints it, without indices and without this checkout's
/// place. A package outside of the workspace keeps its absolute path: its
/// sources are compiled under that. A profile counts by what it says and where
/// it builds, not by its name (cargo: `Profile::comparable`): a library that
/// `cargo build` has built under `dev` is the one of `cargo test` under `test`.
fn portable(unit: &GraphUnit, dirs: &Dirs) -> Value {
    let mut raw = unit.raw.clone();
    raw["profile"]["name"] = layout::profile_name(unit).into();
    if let Some(Value::Array(edges)) = raw.get_mut("dependencies") {
        for edge in edges {
            if let Value::Object(edge) = edge {
                edge.remove("index");
            }
        }
    }
    // Only path packages are compiled by a relative path (cargo: `path_args`);
    // a vendored one is not, even inside the workspace.
    if unit.pkg_id.starts_with("path+") {
        let src_path = dirs.rooted(Utf8Path::new(&unit.target.src_path));
        raw["target"]["src_path"] = text(src_path).into();
        raw["pkg_id"] = portable_id(&unit.pkg_id, dirs).into();
    }
    raw
}

/// The package id of a path package without the place of this checkout. Its
/// name and version are elsewhere in the key; here they would differ with the
/// name of the directory, after which cargo abbreviates them.
fn portable_id(id: &str, dirs: &Dirs) -> String {
    let rest = id.strip_prefix("path+file://").unwrap_or(id);
    let path = rest.split('#').next().unwrap_or(rest);
    // `/C:/ws` on Windows
    let local = match path.as_bytes() {
        [b'/', _, b':', ..] => &path[1..],
        _ => path,
    };
    let path = Utf8PathBuf::from(percent_decoded(local));
    format!("path+{}", text(dirs.rooted(&path)))
}

/// The text of a URL's path. What is no UTF-8 then is left as it is.
fn percent_decoded(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, more @ ..] = rest {
        let code = text_of(more.get(..2)).and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match (first, code) {
            (b'%', Some(byte)) => {
                out.push(byte);
                rest = &more[2..];
            }
            _ => {
                out.push(*first);
                rest = more;
            }
        }
    }
    String::from_utf8(out).unwrap_or_else(|_| text.to_owned())
}

fn text_of(bytes: Option<&[u8]>) -> Option<&str> {
    std::str::from_utf8(bytes?).ok()
}

fn text(path: RootedPath) -> String {
    match path.root {
        Root::Absolute => path.path,
        root => format!("{root:?}:{}", path.path),
    }
}

/// Checksums of registry packages in a lock file, by name and version.
fn checksums(lock_file: &Utf8Path) -> BTreeMap<(String, String), String> {
    let text = fs::read_to_string(lock_file).unwrap_or_default();
    let table: toml::Table = text.parse().unwrap_or_default();
    let packages = table.get("package").and_then(|p| p.as_array());
    let mut found = BTreeMap::new();
    for package in packages.into_iter().flatten() {
        let field = |name: &str| package.get(name)?.as_str().map(str::to_owned);
        if let (Some(name), Some(version)) = (field("name"), field("version")) {
            let source = field("source").unwrap_or_default();
            let checksum = field("checksum").unwrap_or_default();
            // Two packages of one name and version (from two sources) both
            // count: their order in the file is fixed.
            let both: &mut String = found.entry((name, version)).or_default();
            both.push_str(&format!("{source} {checksum};"));
        }
    }
    found
}

#[cfg(test)]
mod tests;
