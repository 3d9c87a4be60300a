//! Building: what is fresh, and how what is not gets made.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde_json::{Value, json};

use super::describe::{Workspace, hash};
use super::{Changed, changed, per_unit};

/// Starts every line that the "compiler" and the "build script" obey.
const ORDER: &str = "//@ ";

impl Workspace {
    /// Builds what is not fresh.
    pub fn build(&self, json: bool) -> i32 {
        let debug = self.target().join("debug");
        fs::create_dir_all(&debug).unwrap();
        let names: &[&str] = match per_unit() {
            true => &[".cargo-build-lock", ".cargo-lock", ".cargo-artifact-lock"],
            false => &[".cargo-lock"],
        };
        let mut locks = Vec::new();
        for name in names {
            let lock = File::options()
                .create(true)
                .truncate(false)
                .write(true)
                .open(debug.join(name))
                .unwrap();
            lock.lock().unwrap();
            locks.push(lock);
        }
        let mut prints: Vec<u64> = Vec::new();
        let mut rebuilt: Vec<bool> = Vec::new();
        for at in 0..self.units.len() {
            let unit = &self.units[at];
            let below: Vec<u64> = unit.deps.iter().map(|&dep| prints[dep]).collect();
            let print = hash(&(unit.hash(), &below, std::env::var("RUSTFLAGS").ok()));
            let stale = unit.deps.iter().any(|&dep| rebuilt[dep]);
            let fresh = !stale && self.is_fresh(at, print);
            let word = if fresh { "Fresh" } else { "Compiling" };
            if !unit.is_run {
                eprintln!("{word:>12} {} v0.1.0 ({})", unit.package, unit.kind);
            }
            if !fresh && let Err(error) = self.make(at, print, &below) {
                eprintln!("error: could not build {}: {error}", unit.package);
                return 101;
            }
            prints.push(print);
            rebuilt.push(!fresh);
            if json {
                println!("{}", self.message(at, fresh));
            }
        }
        if json {
            println!("{}", json!({"reason": "build-finished", "success": true}));
        }
        eprintln!("    Finished `dev` profile [unoptimized + debuginfo] target(s) in 0.01s");
        0
    }

    /// Where the fingerprint is, and where the outputs.
    fn places(&self, at: usize) -> (PathBuf, PathBuf) {
        let unit = &self.units[at];
        let debug = self.target().join("debug");
        let (package, hash) = (&unit.package, format!("{:016x}", unit.hash()));
        if per_unit() {
            let own = debug.join("build").join(package).join(hash);
            return (own.join("fingerprint"), own.join("out"));
        }
        let name = format!("{package}-{hash}");
        let prints = match changed() {
            Changed::Layout => ".prints",
            _ => ".fingerprint",
        };
        let out = match unit.kind.as_str() {
            "custom-build" => debug.join("build").join(&name),
            _ => debug.join("deps"),
        };
        (debug.join(prints).join(name), out)
    }

    /// A script's `OUT_DIR`, its stdout, and the time it was started.
    fn run_places(&self, at: usize) -> (PathBuf, PathBuf, PathBuf) {
        let (_, out) = self.places(at);
        let own = out.parent().unwrap();
        match per_unit() {
            true => {
                let run = own.join("run");
                (
                    out.clone(),
                    run.join("stdout"),
                    run.join("invoked.timestamp"),
                )
            }
            false => (
                out.join("out"),
                out.join("output"),
                out.join("invoked.timestamp"),
            ),
        }
    }

    /// The outputs whose times cargo compares.
    fn outputs(&self, at: usize) -> Vec<PathBuf> {
        let unit = &self.units[at];
        if unit.is_run {
            return vec![self.run_places(at).1];
        }
        let (_, out) = self.places(at);
        let files = unit.files();
        files.iter().map(|(name, _)| out.join(name)).collect()
    }

    fn is_fresh(&self, at: usize, print: u64) -> bool {
        let unit = &self.units[at];
        let (prints, _) = self.places(at);
        let name = unit.print_name();
        let text = fs::read_to_string(prints.join(&name)).unwrap_or_default();
        if text != to_hex(print) {
            return false;
        }
        let times: Option<Vec<SystemTime>> = self.outputs(at).iter().map(|p| time(p)).collect();
        let Some(own) = times.and_then(|times| times.into_iter().min()) else {
            return false;
        };
        let newer_dep = unit.deps.iter().any(|&dep| {
            let times = self.outputs(dep).into_iter().map(|path| time(&path));
            times.max().flatten().is_none_or(|time| time > own)
        });
        let (reference, inputs) = if unit.is_run {
            let stdout = self.run_places(at).1;
            let text = fs::read_to_string(&stdout).unwrap_or_default();
            let watched = text.lines().filter_map(|line| {
                let path = line.strip_prefix("cargo:rerun-if-changed=")?;
                Some(unit.dir.join(path))
            });
            (stdout, watched.collect())
        } else {
            let file = prints.join(format!("dep-{name}"));
            let inputs = decode(&fs::read(&file).unwrap_or_default(), &unit.dir);
            (file, inputs)
        };
        let reference = time(&reference);
        let newer = |path: &PathBuf| match (time(path), reference) {
            (Some(input), Some(reference)) => input > reference,
            _ => true,
        };
        !newer_dep && !inputs.iter().any(newer)
    }

    fn make(&self, at: usize, print: u64, below: &[u64]) -> std::io::Result<()> {
        let unit = &self.units[at];
        let (prints, out) = self.places(at);
        fs::create_dir_all(&prints)?;
        fs::create_dir_all(&out)?;
        let name = unit.print_name();
        let _ = fs::remove_file(prints.join(&name));
        if unit.is_run {
            self.run(at)?;
        } else {
            fs::write(prints.join("invoked.timestamp"), "a time")?;
            self.compile(at, &prints, &out)?;
        }
        let mut record = json!({"rustc": 1, "deps": unit
            .deps
            .iter()
            .zip(below)
            .map(|(&dep, print)| json!([0, self.units[dep].crate_name(), false, print]))
            .collect::<Vec<_>>()});
        if changed() == Changed::FingerprintRecord {
            record = json!({"rustc": 1, "edges": []});
        }
        fs::write(prints.join(format!("{name}.json")), record.to_string())?;
        fs::write(prints.join(&name), to_hex(print))
    }

    fn run(&self, at: usize) -> std::io::Result<()> {
        let unit = &self.units[at];
        let (out_dir, stdout, started) = self.run_places(at);
        fs::create_dir_all(stdout.parent().unwrap())?;
        fs::create_dir_all(&out_dir)?;
        fs::write(started, "a time")?;
        let mut printed = String::new();
        for order in orders(&unit.dir.join("build.rs"))? {
            let filled = order
                .replace("{out}", out_dir.to_str().unwrap())
                .replace("{out/}", &out_dir.to_str().unwrap().replace('\\', "/"));
            match filled.split_once(' ').unwrap() {
                ("print", line) => printed += &format!("{line}\n"),
                ("write", rest) => {
                    let (file, text) = rest.split_once(' ').unwrap();
                    fs::write(out_dir.join(file), text)?;
                }
                other => panic!("{other:?}"),
            }
        }
        fs::write(&stdout, printed)?;
        let beside = stdout.parent().unwrap();
        fs::write(beside.join("stderr"), "")?;
        fs::write(beside.join("root-output"), out_dir.to_str().unwrap())
    }

    fn compile(&self, at: usize, prints: &Path, out: &Path) -> std::io::Result<()> {
        let unit = &self.units[at];
        let source = unit.source();
        let out_dir = unit.deps.iter().find(|&&dep| self.units[dep].is_run);
        let out_dir = out_dir.map(|&dep| self.run_places(dep).0);
        let mut text = fs::read_to_string(&source)?;
        // Relative to the workspace, as rustc is given them.
        let mut rustc = vec![source.strip_prefix(&self.root).unwrap().to_owned()];
        let mut cargo = vec![source.strip_prefix(&unit.dir).unwrap().to_owned()];
        let mut env = String::new();
        let obeyed = match unit.kind.as_str() {
            // Its orders are for the run.
            "custom-build" => Vec::new(),
            _ => orders(&source)?,
        };
        for order in obeyed {
            match order.split_once(' ').unwrap() {
                ("include", file) => {
                    text += &fs::read_to_string(unit.dir.join(file))?;
                    rustc.push(Path::new(&unit.package).join(file));
                    cargo.push(file.into());
                }
                ("include-out", file) => {
                    let dir = out_dir.as_ref().unwrap();
                    text += &fs::read_to_string(dir.join(file))?;
                    rustc.push(dir.join(file));
                    let escaped = dir.to_str().unwrap().replace('\\', "\\\\");
                    env = format!("# env-dep:OUT_DIR={escaped}\n");
                }
                ("keep", "OUT_DIR") => text += out_dir.as_ref().unwrap().to_str().unwrap(),
                other => panic!("{other:?}"),
            }
        }
        for &dep in unit.deps.iter().filter(|&&dep| !self.units[dep].is_run) {
            // Only what is seen of it: a library's content.
            text += &fs::read_to_string(self.outputs(dep).first().unwrap())?;
        }
        for (name, what) in unit.files() {
            // As a linker or rustc: what is there is replaced.
            let path = out.join(name);
            if let Err(error) = fs::remove_file(&path)
                && error.kind() != std::io::ErrorKind::NotFound
            {
                return Err(error);
            }
            fs::write(&path, format!("{what} of {}\n{text}\n", unit.package))?;
        }
        let words: Vec<String> = rustc
            .iter()
            .map(|path| path.to_str().unwrap().replace(' ', "\\ "))
            .collect();
        let escaped = |path: &Path| path.to_str().unwrap().replace(' ', "\\ ");
        let mut dep_info = String::new();
        let d = out.join(format!("{}.d", unit.stem()));
        for output in [self.outputs(at)[0].clone(), d.clone()] {
            dep_info += &format!("{}: {}\n\n", escaped(&output), words.join(" "));
        }
        fs::write(d, dep_info + "\n" + &env)?;
        let name = unit.print_name();
        fs::write(prints.join(format!("dep-{name}")), encode(&cargo))?;
        for (from, to) in self.uplifts(at) {
            if let Err(error) = fs::remove_file(&to)
                && error.kind() != std::io::ErrorKind::NotFound
            {
                return Err(error);
            }
            fs::hard_link(out.join(from), &to)?;
            let text = format!("{}: {}\n", escaped(&to), escaped(&source));
            fs::write(to.with_extension("d"), text)?;
        }
        Ok(())
    }

    /// What is linked into the target directory: a unit's file, and as what.
    fn uplifts(&self, at: usize) -> Vec<(String, PathBuf)> {
        let unit = &self.units[at];
        if !unit.is_root() {
            return Vec::new();
        }
        let debug = self.target().join("debug");
        let hash = format!("-{:016x}", unit.hash());
        let files = unit.files().into_iter().filter(|(_, what)| what != "rmeta");
        files
            .map(|(name, what)| {
                let mut to = name.replace(&hash, "");
                if unit.kind == "bin" && what == "bin" {
                    to = to.replace(&unit.crate_name(), &unit.package);
                }
                (name, debug.join(to))
            })
            .collect()
    }

    fn message(&self, at: usize, fresh: bool) -> Value {
        let unit = &self.units[at];
        if unit.is_run {
            let (out_dir, stdout, _) = self.run_places(at);
            let text = fs::read_to_string(stdout).unwrap();
            let paths: Vec<&str> = text
                .lines()
                .filter_map(|line| line.strip_prefix("cargo:rustc-link-search="))
                .collect();
            return json!({"reason": "build-script-executed", "package_id": unit.id(),
                "linked_libs": [], "linked_paths": paths, "cfgs": [], "env": [],
                "out_dir": out_dir});
        }
        let lifted = self.uplifts(at);
        let (_, out) = self.places(at);
        let files: Vec<PathBuf> = unit
            .files()
            .into_iter()
            .map(|(name, _)| {
                let lifted = lifted.iter().find(|(from, _)| *from == name);
                lifted.map_or_else(|| out.join(&name), |(_, to)| to.clone())
            })
            .collect();
        let is_bin = unit.kind == "bin" || unit.kind == "custom-build";
        let mut profile = json!({"opt_level": "0", "debuginfo": 2, "debug_assertions": true,
            "overflow_checks": true, "test": false});
        if changed() == Changed::MessageField {
            profile.as_object_mut().unwrap().remove("overflow_checks");
        }
        json!({"reason": "compiler-artifact", "package_id": unit.id(),
            "manifest_path": unit.dir.join("Cargo.toml"), "target": unit.target_json(),
            "profile": profile, "features": [], "filenames": files,
            "executable": files.first().filter(|_| is_bin), "fresh": fresh})
    }
}

fn orders(source: &Path) -> std::io::Result<Vec<String>> {
    let text = fs::read_to_string(source)?;
    let orders = text.lines().filter_map(|line| line.strip_prefix(ORDER));
    Ok(orders.map(str::to_owned).collect())
}

fn time(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).ok()?.modified().ok()
}

/// The bytes of a number from the lowest to the highest, as cargo has it.
fn to_hex(number: u64) -> String {
    format!("{:016x}", number.swap_bytes())
}

/// cargo's dep-info: version, paths below the package, no variables.
fn encode(paths: &[PathBuf]) -> Vec<u8> {
    let count = |count: usize| u32::try_from(count).unwrap().to_le_bytes();
    let mut bytes = count(1).to_vec();
    let version = match changed() {
        Changed::DepInfo => 2,
        _ => 1,
    };
    bytes.extend([0xff, version]);
    bytes.extend(count(paths.len()));
    for path in paths {
        let path = path.to_str().unwrap();
        bytes.push(0);
        bytes.extend(count(path.len()));
        bytes.extend(path.as_bytes());
        bytes.push(0);
    }
    bytes.extend(count(0));
    bytes
}

fn decode(bytes: &[u8], dir: &Path) -> Vec<PathBuf> {
    let count = |at: usize| {
        let bytes = bytes.get(at..at + 4).unwrap_or(&[0; 4]);
        u32::from_le_bytes(bytes.try_into().unwrap()) as usize
    };
    let mut at = 10;
    let mut paths = Vec::new();
    for _ in 0..count(6) {
        let length = count(at + 1);
        let path = &bytes[at + 5..at + 5 + length];
        paths.push(dir.join(std::str::from_utf8(path).unwrap()));
        at += 6 + length;
    }
    paths
}
