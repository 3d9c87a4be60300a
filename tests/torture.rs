//! Killed at every step, harmed at every place, and crowded: whatever happens,
//! the next build is right and the store is sound.
//!
//! `cargo test` does a bounded part of it. The long run, with its counts:
//!
//! ```sh
//! ZBUILD_TORTURE=300 cargo test --locked --test torture -- --nocapture --test-threads=1
//! ```
//!
//! The number is how many kills and how many harms there are at least in all;
//! crowds are that many builds. `ZBUILD_TORTURE_SEED` repeats a run.
#![cfg(unix)]
#![allow(clippy::unwrap_used)] // a test may panic

#[macro_use]
mod common;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use common::files::files_below;
use common::{Checkout, Layout, Ran};

const FILES: &[(&str, &str)] = &[
    (
        "Cargo.toml",
        "[workspace]\nmembers = [\"leaf\", \"gen\", \"app\"]\nresolver = \"2\"\n",
    ),
    (
        "leaf/Cargo.toml",
        "[package]\nname = \"leaf\"\nversion = \"1.0.0\"\nedition = \"2021\"\n",
    ),
    ("leaf/src/lib.rs", "pub const LEAF: u32 = 1000;\n"),
    (
        "gen/Cargo.toml",
        "[package]\nname = \"gen\"\nversion = \"1.0.0\"\nedition = \"2021\"\n",
    ),
    (
        "gen/build.rs",
        "fn main() {\n    println!(\"cargo::rerun-if-changed=number\");\n    \
         let out = std::env::var(\"OUT_DIR\").unwrap();\n    \
         let number = std::fs::read_to_string(\"number\").unwrap();\n    \
         std::fs::create_dir_all(format!(\"{out}/a/empty\")).unwrap();\n    \
         std::fs::write(format!(\"{out}/a/number.rs\"), format!(\"pub const GEN: u32 = {number};\")).unwrap();\n}\n",
    ),
    ("gen/number", "1000"),
    (
        "gen/src/lib.rs",
        "include!(concat!(env!(\"OUT_DIR\"), \"/a/number.rs\"));\n",
    ),
    (
        "app/Cargo.toml",
        "[package]\nname = \"app\"\nversion = \"1.0.0\"\nedition = \"2021\"\n\
         [dependencies]\nleaf = { path = \"../leaf\" }\ngen = { path = \"../gen\" }\n",
    ),
    (
        "app/src/main.rs",
        "fn main() {\n    println!(\"{} {}\", leaf::LEAF, gen::GEN);\n}\n",
    ),
];

/// What is done when the process is killed.
const SCENES: &[Scene] = &[
    Scene {
        name: "a clean build is recorded",
        prepare: |subject| {
            subject.edit();
            subject.remove_target();
        },
        command: &["-q"],
    },
    Scene {
        name: "an edit is recorded",
        prepare: |subject| {
            subject.whole();
            subject.edit();
        },
        command: &["-q"],
    },
    Scene {
        name: "all is restored",
        prepare: |subject| {
            subject.whole();
            subject.remove_target();
        },
        command: &["-q"],
    },
    Scene {
        name: "an older state is restored over a newer one",
        prepare: |subject| {
            subject.whole();
            subject.edit();
            subject.whole();
            subject.back();
        },
        command: &["-q"],
    },
    Scene {
        name: "touched sources are dated anew",
        prepare: |subject| {
            subject.whole();
            subject.checkout.touch("leaf/src/lib.rs");
            subject.checkout.touch("gen/number");
        },
        command: &["-q"],
    },
    Scene {
        name: "collection",
        prepare: |subject| {
            subject.edit();
            subject.remove_target();
            subject.whole();
        },
        command: &["gc", "--max-size", "1000000"],
    },
    Scene {
        name: "clear",
        prepare: |subject| {
            subject.edit();
            subject.remove_target();
            subject.whole();
        },
        command: &["clear"],
    },
];

struct Scene {
    name: &'static str,
    prepare: fn(&mut Subject),
    command: &'static [&'static str],
}

/// A checkout whose program prints two numbers.
struct Subject {
    checkout: Checkout,
    leaf: u32,
    number: u32,
    numbers: Numbers,
}

/// Repeatable numbers (a linear congruential generator).
struct Numbers(u64);

impl Numbers {
    fn new(more: u64) -> Numbers {
        let given = std::env::var("ZBUILD_TORTURE_SEED").ok();
        let seed = given.and_then(|seed| seed.parse().ok()).unwrap_or_else(|| {
            let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
            now.unwrap().as_nanos() as u64
        });
        println!("seed {seed}");
        Numbers(seed ^ (more << 32))
    }

    fn below(&mut self, bound: usize) -> usize {
        let next = self.0.wrapping_mul(6_364_136_223_846_793_005);
        self.0 = next.wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % bound
    }
}

impl Subject {
    fn new(layout: Layout) -> Subject {
        let mut checkout = Checkout::with_files(layout, FILES);
        checkout.set_env("CARGO_TERM_COLOR", "never");
        Subject {
            checkout,
            leaf: 1000,
            number: 1000,
            numbers: Numbers::new(layout as u64),
        }
    }

    /// New sources, of the same length as ever.
    fn edit(&mut self) {
        self.set(self.leaf + 1, self.number + 1);
    }

    fn back(&mut self) {
        self.set(self.leaf - 1, self.number - 1);
    }

    fn set(&mut self, leaf: u32, number: u32) {
        (self.leaf, self.number) = (leaf, number);
        let text = format!("pub const LEAF: u32 = {leaf};\n");
        self.checkout.write("leaf/src/lib.rs", &text);
        self.checkout.write("gen/number", &number.to_string());
    }

    fn remove_target(&self) {
        self.checkout.remove_target_left_behind();
    }

    /// Builds; the program is the right one, and the store is sound.
    #[track_caller]
    fn whole(&self) -> Ran {
        let ran = self.checkout.zbuild(&[]).successful();
        assert!(ran.troubles().len() <= 1, "one line is enough: {ran}");
        let expected = format!("{} {}\n", self.leaf, self.number);
        assert_eq!(self.checkout.run(), expected, "{ran}");
        ran
    }

    #[track_caller]
    fn is_sound(&self) {
        self.whole();
        self.checkout.referee();
        self.checkout.zbuild(&["verify"]).successful();
        // What was recorded is right as well.
        self.remove_target();
        self.whole();
        self.checkout.referee();
    }

    /// Runs a command with a fault; true if it was killed by it.
    fn with_fault(&self, scene: &Scene, fault: &str) -> bool {
        let mut command = self.checkout.zbuild_command(scene.command);
        command.env("ZBUILD_FAULT", fault);
        let ended = silent(&mut command).status().unwrap();
        !ended.success()
    }
}

fn silent(command: &mut Command) -> &mut Command {
    let null = || Stdio::null();
    command.stdin(null()).stdout(null()).stderr(null())
}

/// How much is asked for; none for the bounded part.
fn asked_for() -> Option<usize> {
    let given = std::env::var("ZBUILD_TORTURE").ok()?;
    Some(given.parse().unwrap())
}

/// Every named step of every scene, at its first and at some later time.
fn killed_at_every_step(layout: Layout) {
    let mut subject = Subject::new(layout);
    let log = subject.checkout.base().join("points");
    let (mut kills, mut points) = (0, BTreeMap::new());
    for scene in SCENES {
        (scene.prepare)(&mut subject);
        let mut command = subject.checkout.zbuild_command(scene.command);
        command.env("ZBUILD_FAULT_LOG", &log);
        assert!(silent(&mut command).status().unwrap().success());
        let text = fs::read_to_string(&log).unwrap_or_default();
        let _ = fs::remove_file(&log);
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        for name in text.lines() {
            *counts.entry(name.to_owned()).or_default() += 1;
        }
        assert!(!counts.is_empty(), "{}: no point was reached", scene.name);
        // In the bounded part, each step in one of its scenes.
        let counts = counts
            .into_iter()
            .filter(|(name, _)| asked_for().is_some() || !points.contains_key(name));
        let counts: Vec<(String, usize)> = counts.collect();
        for (name, count) in counts {
            let mut times = vec![1 + subject.numbers.below(count.div_ceil(2))];
            if asked_for().is_some() {
                times.extend([1, count]);
                times.sort_unstable();
                times.dedup();
            }
            for time in times {
                (scene.prepare)(&mut subject);
                let fault = format!("{name}:{time}");
                // Threads may come in another number the next time.
                let killed = subject.with_fault(scene, &fault);
                kills += usize::from(killed);
                *points.entry(name.clone()).or_insert(0) += usize::from(killed);
                if asked_for().is_some() {
                    println!("{layout:?}, {}, {fault}: {killed}", scene.name);
                    subject.is_sound();
                } else {
                    subject.whole();
                }
            }
        }
        subject.is_sound();
    }
    let missed: Vec<&String> = points
        .iter()
        .filter(|(_, k)| **k == 0)
        .map(|(n, _)| n)
        .collect();
    println!(
        "{layout:?}: {kills} kills at {} steps; not killed at {missed:?}",
        points.len()
    );
    assert!(points.len() >= 20, "{points:?}");
    assert!(missed.len() <= 3, "{missed:?}");
}

/// At any time, in any scene.
fn killed_at_random_times(layout: Layout) {
    let mut subject = Subject::new(layout);
    let rounds = asked_for().map_or(4, |count| count / 2);
    let mut kills = 0;
    while kills < rounds {
        let scene = &SCENES[subject.numbers.below(SCENES.len())];
        (scene.prepare)(&mut subject);
        let time = Duration::from_micros(subject.numbers.below(400_000) as u64);
        let mut command = subject.checkout.zbuild_command(scene.command);
        let mut child = silent(&mut command).spawn().unwrap();
        thread::sleep(time);
        if child.try_wait().unwrap().is_none() {
            child.kill().unwrap();
            kills += 1;
        }
        child.wait().unwrap();
        subject.is_sound();
    }
    println!("{layout:?}: {kills} kills at random times");
}

/// Something happens to one file of the cache; it is noticed, or harmless.
fn harmed_at_random_places(layout: Layout) {
    let mut subject = Subject::new(layout);
    subject.whole();
    let rounds = asked_for().map_or(8, |count| count / 2);
    let mut noticed = 0;
    for round in 0..rounds {
        let files = files_below(&subject.checkout.cache);
        let file = &files[subject.numbers.below(files.len())];
        let at = subject.numbers.below(usize::MAX);
        // Contents share inodes with the target directory: there they would be
        // harmed as well, and nobody but cargo looks at that.
        subject.remove_target();
        let harm = match round % 5 {
            0 => harm(file, |bytes| {
                if !bytes.is_empty() {
                    let at = at % bytes.len();
                    bytes[at] ^= 1 << (round % 8);
                }
            }),
            1 => harm(file, |bytes| bytes.truncate(at % (bytes.len() + 1))),
            2 => harm(file, |bytes| bytes.fill(0)),
            3 => harm(file, |bytes| *bytes = b"\0garbage\xff\n".to_vec()),
            _ => fs::remove_file(file),
        };
        harm.unwrap();
        if !subject.checkout.zbuild(&["verify"]).status.success() {
            noticed += 1;
        }
        subject.whole();
        subject.checkout.referee();
        subject
            .checkout
            .zbuild(&["verify", "--repair"])
            .successful();
        subject.checkout.zbuild(&["verify"]).successful();
        subject.whole();
    }
    subject.is_sound();
    println!("{layout:?}: {rounds} harms, {noticed} found by verify");
}

fn harm(file: &Path, change: impl FnOnce(&mut Vec<u8>)) -> std::io::Result<()> {
    let mut bytes = fs::read(file)?;
    change(&mut bytes);
    fs::write(file, bytes)
}

/// Several builds at once with one cache, collection all the time, and cargo
/// and something like rust-analyzer in between.
fn crowded(layout: Layout) {
    let (alone, together, rounds) = match asked_for() {
        Some(count) => (8, 4, count.div_ceil(12)),
        None => (3, 2, 1),
    };
    let subject = Subject::new(layout);
    let others: Vec<Checkout> = (0..alone)
        .map(|count| subject.checkout.second(&format!("other-{count}")))
        .collect();
    let done = AtomicBool::new(false);
    let builds = AtomicUsize::new(0);
    let build = |checkout: &Checkout, number: u32| {
        for round in 0..rounds {
            if number > 0 {
                // The same for everybody: what one builds, others restore.
                let text = format!("pub const LEAF: u32 = {};\n", 1000 + round);
                checkout.write("leaf/src/lib.rs", &text);
            }
            let ran = checkout.zbuild(&[]).successful();
            assert_eq!(ran.troubles(), [""; 0], "{ran}");
            builds.fetch_add(1, Ordering::Relaxed);
            if number > 0 {
                assert_eq!(checkout.run(), format!("{} 1000\n", 1000 + round));
                if round % 3 == 2 {
                    checkout.remove_target_left_behind();
                }
            }
        }
    };
    thread::scope(|scope| {
        let mut running = Vec::new();
        for (at, other) in others.iter().enumerate() {
            running.push(scope.spawn(move || build(other, 1 + at as u32)));
        }
        for _ in 0..together {
            running.push(scope.spawn(|| build(&subject.checkout, 0)));
        }
        let (checkout, done) = (&subject.checkout, &done);
        let between = [
            vec!["build", "-q"],
            vec!["check", "-q", "--message-format=json"],
            vec!["zbuild", "gc", "--max-size", "3000000"],
        ];
        for args in between {
            scope.spawn(move || {
                while !done.load(Ordering::Relaxed) {
                    checkout.cargo(&args).successful();
                    thread::sleep(Duration::from_millis(100));
                }
            });
        }
        let ended: Vec<_> = running.into_iter().map(|build| build.join()).collect();
        done.store(true, Ordering::Relaxed);
        for build in ended {
            build.unwrap();
        }
    });
    subject.is_sound();
    println!(
        "{layout:?}: {} builds by {} at once",
        builds.into_inner(),
        alone + together
    );
}

/// Who builds the same at the same time stores it once. Without debug
/// information: that holds the paths of its target directory.
fn the_same_is_stored_once(layout: Layout) {
    let checkout = Checkout::of("members", layout);
    let checkout = checkout.args(&["--release"]).program("release/app");
    let targets: Vec<_> = (0..4).map(|at| format!("target-{at}")).collect();
    thread::scope(|scope| {
        for target in &targets {
            let mut command = checkout.zbuild_command(&["--release"]);
            command.env("CARGO_TARGET_DIR", checkout.dir.join(target));
            scope.spawn(move || Ran::of(command).healthy());
        }
    });
    let ran = checkout.zbuild(&["verify"]).successful();
    // One more is the package with which the cache has seen the toolchain.
    assert!(ran.stdout.starts_with("6 recorded units, "), "{ran}");
    checkout.build_compiles_nothing();
    checkout.is_right();
}

in_both_layouts!(
    killed_at_every_step,
    killed_at_random_times,
    harmed_at_random_places,
    crowded,
    the_same_is_stored_once,
);
