//! Two checkouts, one cache, and what is done to them.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::time::Duration;

use filetime::FileTime;

use crate::common::files::{copy_tree, files_below, modified};
use crate::common::{Checkout, Layout, Ran, host};
use crate::step::{Action, How, Step};
use crate::workspace::{self, ADDED, KNOBS, LISTED, MODULES, PART, SWITCHES};

/// What was done so far, over all sequences.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    /// Steps: what happened between two builds.
    pub steps: usize,
    /// Single things that happened.
    pub actions: usize,
    /// Programs compared with a clean build's.
    pub compared: usize,
    /// Clean builds made for that (a state that was met before is not built
    /// again).
    pub clean_builds: usize,
    /// Builds judged by plain cargo.
    pub judged: usize,
}

/// Two checkouts of the generated workspace.
pub struct World {
    current: Checkout,
    other: Option<Checkout>,
    moves: usize,
    release: bool,
    target: bool,
    feature: bool,
    target_dir: bool,
    nightly: bool,
    env: Vec<(&'static str, Option<&'static str>)>,
}

/// Programs of clean builds by what went into them.
static CLEAN: Mutex<Option<HashMap<blake3::Hash, String>>> = Mutex::new(None);

impl World {
    /// A checkout that was never built, with an empty cache.
    pub fn new(layout: Layout) -> World {
        let mut current = Checkout::with_files(layout, &[]);
        for (path, text) in workspace::files() {
            current.write(&path, &text);
        }
        current.dir = current.path("ws");
        let world = World {
            current,
            other: None,
            moves: 0,
            release: false,
            target: false,
            feature: false,
            target_dir: false,
            nightly: false,
            env: Vec::new(),
        };
        world.git(&["init", "-q", "-b", "b0"]);
        world.git(&["add", "-A"]);
        world.git(&["commit", "-q", "-m", "start"]);
        world.git(&["tag", "start"]);
        world
    }

    /// Does one step, builds, and compares.
    pub fn step(&mut self, step: &Step, counts: &mut Counts) {
        for action in &step.actions {
            if action.after_a_build() {
                self.build();
            }
            self.act(action);
            counts.actions += 1;
        }
        self.check(step.referee, counts);
        counts.steps += 1;
    }

    /// Builds, and compares the program with that of a clean build.
    pub fn check(&mut self, referee: bool, counts: &mut Counts) {
        self.build();
        let target = self.current.target();
        let printed = self.printed(&target);
        let state = self.state();
        let known = CLEAN
            .lock()
            .unwrap()
            .get_or_insert_default()
            .get(&state)
            .cloned();
        let expected = known.unwrap_or_else(|| {
            counts.clean_builds += 1;
            let clean = self.clean_build();
            CLEAN
                .lock()
                .unwrap()
                .get_or_insert_default()
                .insert(state, clean.clone());
            clean
        });
        assert_eq!(
            printed, expected,
            "the program is not that of a clean build"
        );
        counts.compared += 1;
        if referee {
            self.current.cargo_build().assert_fresh();
            counts.judged += 1;
        }
    }

    fn build(&mut self) {
        self.settle();
        self.current.build();
    }

    /// What a program prints, with this checkout's places taken out.
    fn printed(&self, target: &Path) -> String {
        let profile = if self.release { "release" } else { "debug" };
        let program = match self.target {
            true => target.join(host()).join(profile).join("app"),
            false => target.join(profile).join("app"),
        };
        let text = Ran::of(self.current.command(program)).successful().stdout;
        let name = |path: &Path| path.to_str().unwrap().to_owned();
        let text = text.replace(&name(target), "<target>");
        without_hashes(&text.replace(&name(&self.current.copy), "<copy>"))
    }

    fn clean_build(&self) -> String {
        let elsewhere = self.current.base().join("clean");
        let mut command = self.current.command("cargo");
        command.arg("build").args(&self.current.args);
        command.env("CARGO_TARGET_DIR", &elsewhere);
        Ran::of(command).successful();
        let printed = self.printed(&elsewhere);
        fs::remove_dir_all(elsewhere).unwrap();
        printed
    }

    /// Everything that decides what a clean build makes.
    fn state(&self) -> blake3::Hash {
        let mut hasher = blake3::Hasher::new();
        let settings = (
            self.current.layout,
            self.nightly,
            &self.env,
            &self.current.args,
        );
        hasher.update(format!("{settings:?}").as_bytes());
        let copy = &self.current.copy;
        for file in files_below(copy) {
            let inside = file.strip_prefix(copy).unwrap();
            let skipped = ["ws/target", "ws/out", ".git"];
            if skipped.iter().any(|dir| inside.starts_with(dir)) {
                continue;
            }
            hasher.update(format!("\n{inside:?}\n").as_bytes());
            hasher.update(&fs::read(&file).unwrap());
        }
        hasher.finalize()
    }

    /// Puts the settings into the checkout.
    fn settle(&mut self) {
        let mut args = Vec::new();
        if self.feature {
            args.extend(["--features".to_owned(), "loud".to_owned()]);
        }
        if self.release {
            args.push("--release".to_owned());
        }
        if self.target {
            args.extend(["--target".to_owned(), host()]);
        }
        self.current.args = args;
        let toolchain = if self.nightly { "nightly" } else { "stable" };
        self.current.set_env("RUSTUP_TOOLCHAIN", toolchain);
        let dir = if self.target_dir { "out" } else { "target" };
        self.current.set_env("CARGO_TARGET_DIR", dir);
        for (name, value) in &self.env {
            match value {
                Some(value) => self.current.set_env(name, value),
                None => self.current.unset_env(name),
            }
        }
    }

    fn act(&mut self, action: &Action) {
        self.settle();
        match *action {
            Action::Turn(knob, digit, how) => self.turn(knob, digit, how),
            Action::Touch(knob) => {
                if let Some(path) = self.knob(knob) {
                    filetime::set_file_mtime(path, FileTime::now()).unwrap();
                }
            }
            Action::TouchAll => {
                for knob in 0..KNOBS.len() {
                    self.act(&Action::Touch(knob));
                }
            }
            Action::Switch(at) => {
                let [one, two] = SWITCHES[at].texts;
                let path = SWITCHES[at].path;
                let text = self.current.read(path);
                let switched = match text.contains(one) {
                    // The second text may hold the first one.
                    true if two.contains(one) && text.contains(two) => text.replace(two, one),
                    true => text.replace(one, two),
                    false => text.replace(two, one),
                };
                self.current.write(path, &switched);
            }
            Action::MoveModule => {
                let [from, to] = match self.current.path(PART[0]).exists() {
                    true => PART,
                    false => [PART[1], PART[0]],
                };
                self.current.rename(from, to);
                let _ = fs::remove_dir(self.current.path("ws/leaf/src/part"));
            }
            Action::AddModule => {
                let there = self.current.path(ADDED.0).exists();
                match there {
                    true => self.current.remove(ADDED.0),
                    false => self.current.write(ADDED.0, ADDED.1),
                }
                let text = MODULES.1[usize::from(!there)];
                self.current.write(MODULES.0, text);
            }
            Action::Listed(number) => {
                let path = format!("{LISTED}/{number}.txt");
                match self.current.path(&path).exists() {
                    true => self.current.remove(&path),
                    false => self.current.write(&path, "listed"),
                }
                // git keeps no empty directories.
                self.current.write(&format!("{LISTED}/9.txt"), "nine");
            }
            Action::Variable(name, value) => {
                self.env.retain(|(known, _)| *known != name);
                self.env.push((name, value));
                self.env.sort_unstable();
            }
            Action::Feature(on) => self.feature = on,
            Action::Release(on) => self.release = on,
            Action::Target(on) => self.target = on,
            Action::TargetDir(on) => self.target_dir = on,
            Action::Nightly(on) => self.nightly = on && crate::has_nightly(),
            Action::Branch(number) => self.branch(number),
            Action::Cargo => drop(self.current.cargo_build()),
            Action::Check => drop(self.zbuild("check")),
            Action::CargoCheck => {
                let mut args = vec!["check"];
                args.extend(self.current.args.iter().map(String::as_str));
                self.current.cargo(&args).successful();
            }
            Action::RemoveTarget => remove(&self.current.target()),
            Action::RemovePart(part) => {
                for dir in self.profile_dirs() {
                    remove(&dir.join(part));
                }
            }
            Action::RemoveFile(index) => {
                let target = self.current.target();
                if target.is_dir() {
                    let mut all = files_below(&target);
                    // rustc does not survive that one of its own files is gone
                    // (1.95: it panics in `dep_graph/graph.rs` without
                    // `query-cache.bin`, called by cargo alone as well).
                    all.retain(|file| !file.iter().any(|part| part == "incremental"));
                    fs::remove_file(index.get(&all)).unwrap();
                }
            }
            Action::Move => {
                self.moves += 1;
                let to = self.current.base().join(format!("moved-{}", self.moves));
                fs::rename(&self.current.copy, &to).unwrap();
                self.current.copy = to;
                self.current.dir = self.current.path("ws");
            }
            Action::OtherCheckout => self.change_checkout(),
            Action::Kill(after) => self.kill(after),
        }
        self.settle();
    }

    /// `cargo zbuild <verb>` with the settings.
    fn zbuild(&self, verb: &str) -> Ran {
        let mut args = vec![verb, "-v"];
        args.extend(self.current.args.iter().map(String::as_str));
        self.current.zbuild(&args).healthy()
    }

    /// Where the file of a knob is now, if it is there.
    fn knob(&self, knob: usize) -> Option<PathBuf> {
        let path = KNOBS[knob].path;
        let path = match path == PART[0] {
            true => PART
                .map(|path| self.current.path(path))
                .into_iter()
                .find(|p| p.exists())?,
            false => self.current.path(path),
        };
        path.exists().then_some(path)
    }

    fn turn(&mut self, knob: usize, digit: u8, how: How) {
        let Some(path) = self.knob(knob) else { return };
        let text = KNOBS[knob].text.replace('@', &digit.to_string());
        let before = modified(&path);
        match how {
            How::Renamed => {
                let new = path.with_extension("new");
                fs::write(&new, text).unwrap();
                fs::rename(new, &path).unwrap();
            }
            _ => fs::write(&path, text).unwrap(),
        }
        let long_ago = 1_500_000_000 + i64::from(digit);
        match how {
            How::Saved | How::Renamed => {}
            How::SameTime => filetime::set_file_mtime(&path, before).unwrap(),
            How::PutBack => {
                let time = FileTime::from_unix_time(long_ago, 0);
                filetime::set_file_mtime(&path, time).unwrap();
            }
        }
    }

    fn profile_dirs(&self) -> Vec<PathBuf> {
        let target = self.current.target();
        let mut all = Vec::new();
        for top in [target.clone(), target.join(host())] {
            all.extend(["debug", "release"].map(|profile| top.join(profile)));
        }
        all
    }

    fn branch(&self, number: u8) {
        let name = format!("b{number}");
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "--allow-empty", "-m", "changes"]);
        let known = self.git_command(&["rev-parse", "-q", "--verify", &name]);
        match known.status.success() {
            true => self.git(&["checkout", "-q", &name]),
            false => self.git(&["checkout", "-q", "-b", &name, "start"]),
        }
    }

    fn git(&self, args: &[&str]) {
        let ran = self.git_command(args);
        assert!(ran.status.success(), "{ran}");
    }

    fn git_command(&self, args: &[&str]) -> Ran {
        let mut command = self.current.command("git");
        command.current_dir(&self.current.copy).args(args);
        command
            .env("GIT_CONFIG_GLOBAL", "")
            .env("GIT_CONFIG_NOSYSTEM", "1");
        for who in ["AUTHOR", "COMMITTER"] {
            command.env(format!("GIT_{who}_NAME"), "oracle");
            command.env(format!("GIT_{who}_EMAIL"), "oracle@localhost");
        }
        Ran::of(command)
    }

    /// The other checkout is the first one's sources at its first use, and a
    /// life of its own afterwards.
    fn change_checkout(&mut self) {
        let other = self.other.take().unwrap_or_else(|| {
            let top = self.current.base().join("second");
            copy_tree(&self.current.copy, &top);
            // Not left out by that: another target directory's name.
            remove(&top.join("ws/out"));
            self.current.twin(top)
        });
        self.other = Some(std::mem::replace(&mut self.current, other));
        self.current.dir = self.current.path("ws");
    }

    /// Kills zbuild, and all that it started, in the midst of a build.
    fn kill(&self, after: u64) {
        let args: Vec<&str> = self.current.args.iter().map(String::as_str).collect();
        let mut command = self.current.zbuild_command(&args);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut child = command.spawn().unwrap();
        std::thread::sleep(Duration::from_millis(after));
        if cfg!(unix) {
            let group = format!("-{}", child.id());
            let mut kill = Command::new("kill");
            let _ = kill
                .args(["-KILL", "--", &group])
                .stderr(Stdio::null())
                .status();
        } else {
            child.kill().unwrap();
        }
        child.wait().unwrap();
    }
}

fn remove(path: &Path) {
    if path.is_dir() {
        fs::remove_dir_all(path).unwrap();
    } else if path.exists() {
        fs::remove_file(path).unwrap();
    }
}

/// cargo's hashes of units, which differ with the target directory's place
/// only in name.
fn without_hashes(text: &str) -> String {
    let mut out = String::new();
    let mut run = String::new();
    for c in text.chars().chain(['\0']) {
        if c.is_ascii_hexdigit() {
            run.push(c);
            continue;
        }
        out.push_str(if run.len() == 16 { "<hash>" } else { &run });
        run.clear();
        out.push(c);
    }
    out.pop();
    out
}
