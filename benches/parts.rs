//! # What do the inner parts cost, and how does that grow?
//!
//! ```text
//! cargo bench --bench parts                          # 500, 5,000 and 20,000 units
//! ZBUILD_BENCH_UNITS=500 cargo bench --bench parts   # some of them
//! ```
//!
//! The graphs are generated: libraries in five layers, each above three of the
//! layer below, a tenth with a build script, and one program. All are members of
//! the workspace, which is the worst case: a package of a registry has no
//! manifest or directory to look at. Nothing is compiled for it: a cargo of our
//! own (`tests/fake`) answers, and puts sources into outputs.
//!
//! | part | what is timed |
//! | --- | --- |
//! | `noop` | the whole process `cargo-zbuild zbuild`, nothing to do |
//! | `no plan` | a process that hands over to cargo at once: what starting costs |
//! | `plan load` | the remembered plan, from bytes |
//! | `plan watch` | whether it still stands: manifests, configuration, directories |
//! | `lookup in place` | inputs, variables and outputs of all units |
//! | `lookup` | the same, and the records of all units from the store |
//! | `plan anew` | asking the fake cargo, and keys for all units |
//! | `restore`, `capture` | all units; not with 20,000 |
//!
//! At the end the peak memory of a no-op is printed, where the system tells.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used)] // nothing is left to do without a workspace

#[path = "../tests/fake/mod.rs"]
mod fake;

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use cargo_zbuild::cache::Store;
use cargo_zbuild::cargo::args::Invocation;
use cargo_zbuild::cargo::command::Cargo;
use cargo_zbuild::event::{Event, Phase, Sink};
use cargo_zbuild::exec::session::{Session, Start, Talk};
use cargo_zbuild::plan::inputs::Memo;
use cargo_zbuild::plan::lookup::decide;
use cargo_zbuild::plan::records::Records;
use cargo_zbuild::plan::{key, state, watch};
use criterion::{BenchmarkId, Criterion, Throughput};

const ZBUILD: &str = env!("CARGO_BIN_EXE_cargo-zbuild");

/// Beyond this many units, restoring and capturing take too long to repeat.
const LARGE: usize = 10_000;

fn main() {
    let own = std::env::current_exe().unwrap();
    let args: Vec<String> = std::env::args().skip(1).collect();
    let code = match own.file_stem().and_then(|stem| stem.to_str()) {
        Some("cargo") => fake::cargo(&args),
        Some("rustc") => fake::rustc(&args),
        // `cargo test --benches` runs this too, to see that it compiles.
        _ if !args.iter().any(|arg| arg == "--bench") => 0,
        _ => {
            match std::env::var("ZBUILD_BENCH_INSIDE") {
                Ok(units) => inside(units.parse().unwrap()),
                Err(_) => outside(&args),
            }
            0
        }
    };
    std::process::exit(code);
}

/// Makes a workspace for each size, and has it measured by a process of which it
/// is the working directory.
fn outside(args: &[String]) {
    let wanted = std::env::var("ZBUILD_BENCH_UNITS");
    let wanted = wanted.as_deref().unwrap_or("500,5000,20000");
    let mut peaks = Vec::new();
    for units in wanted.split(',').map(|units| units.parse().unwrap()) {
        let place = Place::new(units);
        let run = |mut command: Command| assert!(command.status().unwrap().success());
        run(place.command(Path::new(ZBUILD), &["zbuild", "-q"]));
        run(place.command(Path::new(ZBUILD), &["zbuild", "-q"]));
        let noop = place.command(Path::new(ZBUILD), &["zbuild", "-q"]).spawn();
        let used = wait4::Wait4::wait4(&mut noop.unwrap()).unwrap();
        peaks.push((units, used.rusage.maxrss));
        let own = std::env::current_exe().unwrap();
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let mut command = place.command(&own, &args);
        command.env("ZBUILD_BENCH_INSIDE", units.to_string());
        command.stdout(Stdio::inherit());
        run(command);
    }
    for (units, bytes) in peaks {
        println!(
            "peak memory of a no-op with {units} units: {:.1} MiB",
            bytes as f64 / f64::from(1 << 20)
        );
    }
}

/// A workspace with a toolchain, below a directory of its own.
struct Place {
    _temp: tempfile::TempDir,
    base: PathBuf,
}

impl Place {
    fn new(units: usize) -> Place {
        let temp = tempfile::Builder::new().prefix("zb-").tempdir().unwrap();
        let base = temp.path().to_owned();
        let bin = base.join("sysroot/bin");
        fs::create_dir_all(&bin).unwrap();
        fs::create_dir_all(base.join("sysroot/lib/rustlib")).unwrap();
        for tool in ["cargo", "rustc"] {
            let tool = bin.join(format!("{tool}{}", std::env::consts::EXE_SUFFIX));
            fs::copy(std::env::current_exe().unwrap(), &tool).unwrap();
            // A cargo that is a copy of ourselves would be passed over.
            let mut tool = fs::OpenOptions::new().append(true).open(tool).unwrap();
            tool.write_all(b"\n").unwrap();
        }
        generate(&base.join("ws"), units);
        // cargo takes a file that is as old as its own record for unchanged.
        std::thread::sleep(Duration::from_millis(50));
        Place { _temp: temp, base }
    }

    fn command(&self, program: &Path, args: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.args(args).current_dir(self.base.join("ws"));
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy();
            let prefixes = ["CARGO", "RUST", "ZBUILD", "FAKE"];
            if prefixes.iter().any(|prefix| text.starts_with(prefix)) {
                command.env_remove(&name);
            }
        }
        let bin = self.base.join("sysroot/bin");
        let path = std::env::var_os("PATH").unwrap_or_default();
        let path = std::iter::once(bin.clone()).chain(std::env::split_paths(&path));
        command.env("PATH", std::env::join_paths(path).unwrap());
        let cargo = format!("cargo{}", std::env::consts::EXE_SUFFIX);
        command.env("CARGO", bin.join(cargo));
        command.env("CARGO_HOME", self.base.join("cargo-home"));
        command.env("ZBUILD_CACHE_DIR", self.base.join("cache"));
        command.stdout(Stdio::null());
        command
    }
}

/// Writes sources and `fake.json`. A package with a build script has three units.
fn generate(root: &Path, units: usize) {
    const LAYERS: usize = 5;
    let packages = units * 10 / 12;
    let layer = packages / LAYERS;
    let mut described = Vec::new();
    let mut write = |name: &str, kind: &str, deps: &[String], script: bool| {
        let dir = root.join(name);
        fs::create_dir_all(dir.join("src")).unwrap();
        let manifest = format!("[package]\nname = \"{name}\"\nversion = \"0.1.0\"\n");
        fs::write(dir.join("Cargo.toml"), manifest).unwrap();
        let source = if kind == "bin" { "main.rs" } else { "lib.rs" };
        fs::write(dir.join("src").join(source), format!("{name}\n")).unwrap();
        if script {
            let text = "//@ print cargo:rerun-if-changed=build.rs\n";
            fs::write(dir.join("build.rs"), text).unwrap();
        }
        described.push(serde_json::json!({"name": name, "kind": kind, "deps": deps}));
    };
    let name = |at: usize| format!("lib-{at:05}");
    for at in 0..packages - 1 {
        let below = (at / layer).min(LAYERS - 1);
        let deps: Vec<String> = match below {
            0 => Vec::new(),
            _ => (0..3)
                .map(|edge| name((below - 1) * layer + (at * 7 + edge * 13) % layer))
                .collect(),
        };
        write(&name(at), "lib", &deps, at % 10 == 0);
    }
    let top: Vec<String> = (packages - 40..packages - 1).map(name).collect();
    write("app", "bin", &top, false);
    let described = serde_json::json!({"packages": described});
    fs::write(root.join("fake.json"), described.to_string()).unwrap();
    fs::write(root.join("Cargo.toml"), "[workspace]\nmembers = [\"*\"]\n").unwrap();
}

/// Adds up the times of phases.
#[derive(Default)]
struct Phases(Mutex<Vec<(Phase, Duration)>>);

impl Sink for Phases {
    fn event(&self, event: Event) {
        match event {
            Event::PhaseDone(phase, took) => self.0.lock().unwrap().push((phase, took)),
            Event::Trouble(what) => panic!("{what}"),
            _ => {}
        }
    }
}

/// One build in the working directory, and what its phases took.
fn build(store: &Store) -> Phases {
    let phases = Phases::default();
    let inv = Invocation::parse("build", Vec::new());
    let session = Session {
        inv: &inv,
        cargo: &Cargo::find(None),
        store,
        sink: &phases,
        talk: &|_| Talk {
            verbose: 0,
            quiet: true,
        },
        start: Start::IfNeeded,
        bounds: None,
    };
    let outcome = session.build().unwrap();
    assert!(outcome.status.is_none_or(|status| status.success()));
    phases
}

/// What one phase takes when the same is prepared each time.
fn phase(phase: Phase, store: &Store, rounds: u64, prepare: &dyn Fn()) -> Duration {
    let mut sum = Duration::ZERO;
    for _ in 0..rounds {
        prepare();
        let took = build(store).0.into_inner().unwrap();
        let took = took.into_iter().filter(|(done, _)| *done == phase);
        sum += took.map(|(_, took)| took).sum::<Duration>();
    }
    sum
}

fn remove(dir: &Utf8Path) {
    if dir.exists() {
        fs::remove_dir_all(dir).unwrap();
    }
}

/// Measures in the working directory, which was built.
fn inside(units: usize) {
    let mut criterion = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(3))
        .configure_from_args();
    let cwd = Utf8PathBuf::from_path_buf(std::env::current_dir().unwrap()).unwrap();
    let cache: Utf8PathBuf = std::env::var("ZBUILD_CACHE_DIR").unwrap().into();
    let store = Store::open(&cache);
    let inv = Invocation::parse("build", Vec::new());
    build(&store);
    let name = key::of_invocation(&Cargo::find(None).program(), &cwd, &inv);
    let bytes = store.state(&name).expect("it was built");
    let known = state::decode(&bytes).unwrap();
    let count = known.plan.units.len();
    assert!(count.abs_diff(units) * 20 < units, "{count} units");

    let mut group = criterion.benchmark_group("units");
    group.throughput(Throughput::Elements(count as u64));
    let id = |part: &str| BenchmarkId::new(part, units);
    let process = |args: &[&str]| {
        let mut command = Command::new(ZBUILD);
        let status = command.args(args).stderr(Stdio::null()).status();
        assert!(status.unwrap().success());
    };
    group.bench_function(id("no plan"), |b| {
        b.iter(|| process(&["zbuild", "--version"]))
    });
    group.bench_function(id("noop"), |b| b.iter(|| process(&["zbuild", "-q"])));
    group.bench_function(id("plan load"), |b| {
        b.iter(|| state::decode(&bytes).unwrap())
    });
    group.bench_function(id("plan watch"), |b| {
        b.iter(|| watch::check(&known.watches));
    });
    let memo = || Memo::with(known.digests.clone());
    group.bench_function(id("lookup in place"), |b| {
        b.iter_batched_ref(
            memo,
            |memo| decide(&known.plan, Some(&known), memo, &Records::default(), &store),
            criterion::BatchSize::PerIteration,
        );
    });
    group.bench_function(id("lookup"), |b| {
        b.iter_batched_ref(
            memo,
            |memo| decide(&known.plan, None, memo, &Records::default(), &store),
            criterion::BatchSize::PerIteration,
        );
    });
    group.bench_function(id("plan anew"), |b| {
        b.iter_custom(|rounds| phase(Phase::Plan, &store, rounds, &|| store.drop_state(&name)));
    });
    if units <= LARGE {
        let target = cwd.join("target");
        group.bench_function(id("restore"), |b| {
            b.iter_custom(|rounds| phase(Phase::Restore, &store, rounds, &|| remove(&target)));
        });
        group.bench_function(id("capture"), |b| {
            b.iter_custom(|rounds| phase(Phase::Capture, &store, rounds, &|| remove(&cache)));
        });
    }
    group.finish();
}
