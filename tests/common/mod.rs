//! What the integration tests stand on: copies of the workspaces, real cargo,
//! and cargo as the referee.
//!
//! A [`Checkout`] is one copy of a workspace with a cache of its own. Its
//! state - files, environment, arguments - is changed by a test, and
//! [`Checkout::build`] is always `cargo zbuild` with that state. The referee is
//! plain cargo with the same state in the same target directory; the oracle is
//! plain cargo with the same state in an empty target directory elsewhere.
#![allow(dead_code)] // each test file uses a part of this

pub mod files;
pub mod ran;
pub mod schema;

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use tempfile::TempDir;

pub use self::ran::Ran;

/// How cargo lays out its build directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// Before Cargo 1.100: `.fingerprint/`, `deps/`, `build/`.
    Spread,
    /// One directory per unit.
    PerUnit,
}

/// Makes two tests of each function: one in each layout.
#[allow(unused_macros)] // settings have no layout
macro_rules! in_both_layouts {
    ($($test:ident),* $(,)?) => {$(
        mod $test {
            #[test]
            fn spread() {
                super::$test(crate::common::Layout::Spread)
            }
            #[test]
            fn per_unit() {
                super::$test(crate::common::Layout::PerUnit)
            }
        }
    )*};
}

/// The binary under test.
pub const ZBUILD: &str = env!("CARGO_BIN_EXE_cargo-zbuild");

/// The triple that rustc compiles for by default.
pub fn host() -> String {
    let output = Command::new("rustc").arg("-vV").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("host: "));
    line.unwrap().to_owned()
}

/// Whether rustup has this toolchain.
pub fn has_toolchain(name: &str) -> bool {
    let mut command = Command::new("rustc");
    command.arg(format!("+{name}")).arg("-vV");
    command.output().is_ok_and(|output| output.status.success())
}

/// One copy of a workspace, and how it is built.
pub struct Checkout {
    temp: Arc<TempDir>,
    /// The copied folder.
    pub copy: PathBuf,
    /// Where cargo is started.
    pub dir: PathBuf,
    /// The layout of the build directory.
    pub layout: Layout,
    /// The cache.
    pub cache: PathBuf,
    /// Arguments of every build.
    pub args: Vec<String>,
    /// The program that is run after a build, below the target directory.
    pub program: String,
    /// Run as `cargo-zbuild zbuild` with this cargo, instead of by cargo.
    pub with_cargo: Option<PathBuf>,
    env: BTreeMap<String, Option<OsString>>,
}

impl Checkout {
    /// A copy of `tests/workspaces/<name>`.
    pub fn of(name: &str, layout: Layout) -> Checkout {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/workspaces");
        let checkout = Checkout::empty(layout);
        files::copy_tree(&source.join(name), &checkout.copy);
        checkout
    }

    /// A workspace made of these files.
    pub fn with_files(layout: Layout, files: &[(&str, &str)]) -> Checkout {
        let checkout = Checkout::empty(layout);
        for (path, text) in files {
            checkout.write(path, text);
        }
        checkout
    }

    /// An empty workspace, and a cache that has seen the toolchain before, as
    /// on any machine in use: its digest takes longer than a small build.
    fn empty(layout: Layout) -> Checkout {
        static SEEN: OnceLock<Checkout> = OnceLock::new();
        let seen = SEEN.get_or_init(|| {
            let checkout = Checkout::new(Layout::Spread);
            checkout.write("Cargo.toml", "[package]\nname = \"seen\"\n");
            checkout.write("src/lib.rs", "");
            checkout.build();
            checkout
        });
        let checkout = Checkout::new(layout);
        files::copy_tree(&seen.cache, &checkout.cache);
        checkout
    }

    /// The same with a cache that does not exist yet.
    pub fn forget_everything(self) -> Checkout {
        std::fs::remove_dir_all(&self.cache).unwrap();
        self
    }

    fn new(layout: Layout) -> Checkout {
        let mut builder = tempfile::Builder::new();
        builder.prefix("zb-");
        // For looking at what a failed test left behind.
        builder.disable_cleanup(std::env::var_os("ZBUILD_TEST_KEEP").is_some());
        let temp = Arc::new(builder.tempdir().unwrap());
        let base = temp.path().canonicalize().unwrap();
        let copy = base.join("first/ws");
        std::fs::create_dir_all(&copy).unwrap();
        Checkout {
            temp,
            dir: copy.clone(),
            copy,
            layout,
            cache: base.join("cache"),
            args: Vec::new(),
            program: "debug/app".to_owned(),
            with_cargo: None,
            env: BTreeMap::new(),
        }
    }

    /// Another copy of the sources as they are now, below the same temporary
    /// directory and with the same cache. It has no target directory.
    pub fn second(&self, name: &str) -> Checkout {
        let copy = self.base().join(name);
        files::copy_tree(&self.copy, &copy);
        self.twin(copy)
    }

    /// A checkout with the same settings whose copied folder is this one.
    pub fn twin(&self, copy: PathBuf) -> Checkout {
        let inside = self.dir.strip_prefix(&self.copy).unwrap();
        Checkout {
            temp: Arc::clone(&self.temp),
            dir: copy.join(inside),
            copy,
            layout: self.layout,
            cache: self.cache.clone(),
            args: self.args.clone(),
            program: self.program.clone(),
            with_cargo: self.with_cargo.clone(),
            env: self.env.clone(),
        }
    }

    /// The temporary directory in which all of a test is.
    pub fn base(&self) -> PathBuf {
        self.temp.path().canonicalize().unwrap()
    }

    /// The same checkout with these arguments.
    pub fn args(mut self, args: &[&str]) -> Checkout {
        self.set_args(args);
        self
    }

    /// The same checkout with this program.
    pub fn program(mut self, program: &str) -> Checkout {
        program.clone_into(&mut self.program);
        self
    }

    /// Sets the arguments of every build.
    pub fn set_args(&mut self, args: &[&str]) {
        self.args = args.iter().map(|arg| (*arg).to_owned()).collect();
    }

    /// Sets a variable for every build.
    pub fn set_env(&mut self, name: &str, value: impl AsRef<OsStr>) {
        let value = Some(value.as_ref().to_owned());
        self.env.insert(name.to_owned(), value);
    }

    /// Removes a variable from every build.
    pub fn unset_env(&mut self, name: &str) {
        self.env.insert(name.to_owned(), None);
    }

    /// A program with nothing of the test's own cargo in its environment.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.dir);
        for (name, _) in std::env::vars_os() {
            if is_of_outer_build(&name.to_string_lossy()) {
                command.env_remove(name);
            }
        }
        let own = Path::new(ZBUILD).parent().unwrap().to_owned();
        let path = std::env::var_os("PATH").unwrap_or_default();
        let path = std::iter::once(own).chain(std::env::split_paths(&path));
        command.env("PATH", std::env::join_paths(path).unwrap());
        command.env("ZBUILD_CACHE_DIR", &self.cache);
        if let Some(toolchain) = std::env::var_os("ZBUILD_TEST_TOOLCHAIN") {
            // Another one than the one that compiled the tests.
            command.env("RUSTUP_TOOLCHAIN", toolchain);
        }
        if self.layout == Layout::PerUnit {
            command.env("RUSTC_BOOTSTRAP", "1");
            command.env("CARGO_UNSTABLE_BUILD_DIR_NEW_LAYOUT", "true");
        }
        for (name, value) in &self.env {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        command
    }

    /// The command `cargo zbuild` with these arguments alone.
    pub fn zbuild_command(&self, args: &[&str]) -> Command {
        let mut command = match &self.with_cargo {
            Some(cargo) => {
                let mut command = self.command(ZBUILD);
                command.env("CARGO", cargo);
                command
            }
            None => self.command("cargo"),
        };
        command.arg("zbuild").args(args);
        command
    }

    /// Runs `cargo zbuild` with these arguments alone, however it ends.
    pub fn zbuild(&self, args: &[&str]) -> Ran {
        Ran::of(self.zbuild_command(args))
    }

    /// Runs `cargo zbuild -v` with the checkout's arguments. It must succeed,
    /// without trouble, and nothing that was restored may have been built.
    #[track_caller]
    pub fn build(&self) -> Ran {
        self.zbuild(&self.with_verbose()).healthy()
    }

    /// The same, and nothing may be compiled.
    #[track_caller]
    pub fn build_compiles_nothing(&self) -> Ran {
        let ran = self.build();
        assert_eq!(ran.compiled(), 0, "nothing is to be compiled:\n{ran}");
        let summary = ran.summary();
        assert_eq!(summary.reused, summary.units, "{ran}");
        ran
    }

    /// Plain cargo with these arguments alone, however it ends.
    pub fn cargo(&self, args: &[&str]) -> Ran {
        let mut command = self.command("cargo");
        command.args(args);
        Ran::of(command)
    }

    /// Plain `cargo build -v` with the checkout's arguments.
    #[track_caller]
    pub fn cargo_build(&self) -> Ran {
        self.cargo(&self.for_cargo()).successful()
    }

    /// The referee: plain cargo with the same arguments finds every unit
    /// fresh, twice in a row.
    #[track_caller]
    pub fn referee(&self) {
        for _ in 0..2 {
            let ran = self.cargo_build();
            ran.assert_fresh();
        }
    }

    /// What the program prints.
    #[track_caller]
    pub fn run(&self) -> String {
        self.run_program(&self.program)
    }

    /// What a program below the target directory prints.
    #[track_caller]
    pub fn run_program(&self, program: &str) -> String {
        self.run_in(&self.target(), program)
    }

    #[track_caller]
    fn run_in(&self, target: &Path, program: &str) -> String {
        let program = format!("{program}{}", std::env::consts::EXE_SUFFIX);
        let ran = Ran::of(self.command(target.join(program)));
        ran.successful().stdout
    }

    /// What the program prints when plain cargo builds it in an empty target
    /// directory elsewhere.
    #[track_caller]
    pub fn oracle(&self) -> String {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let elsewhere = self.base().join(format!("oracle-{count}"));
        let mut command = self.command("cargo");
        command.args(self.for_cargo());
        command.env("CARGO_TARGET_DIR", &elsewhere);
        command.env("CARGO_BUILD_BUILD_DIR", &elsewhere);
        Ran::of(command).successful();
        let printed = self.run_in(&elsewhere, &self.program);
        std::fs::remove_dir_all(elsewhere).unwrap();
        printed
    }

    /// What the program prints when plain cargo builds it in an empty target
    /// directory at the very same place: for programs that print that place.
    #[track_caller]
    pub fn oracle_in_place(&self) -> String {
        self.in_a_clean_target(|| self.run())
    }

    /// Does something in a target directory that plain cargo made at the very
    /// same place, and puts the present one back.
    #[track_caller]
    pub fn in_a_clean_target<T>(&self, look: impl Fn() -> T) -> T {
        let (target, aside) = (self.target(), self.base().join("aside"));
        std::fs::rename(&target, &aside).unwrap();
        self.cargo_build();
        let seen = look();
        std::fs::remove_dir_all(&target).unwrap();
        std::fs::rename(&aside, &target).unwrap();
        seen
    }

    /// Checks what stands in the target directory: cargo finds it fresh, and
    /// the program is the one that cargo would have built.
    #[track_caller]
    pub fn is_right(&self) -> String {
        self.referee();
        let printed = self.run();
        assert_eq!(printed, self.oracle(), "the program is not the right one");
        printed
    }

    /// Cold, nothing to do, removed, and right each time.
    #[track_caller]
    pub fn comes_and_goes(&self) {
        self.build();
        let right = self.is_right();
        self.build_compiles_nothing();
        self.remove_target();
        self.build_compiles_nothing();
        self.is_still(&right);
    }

    /// The same as [`Checkout::is_right`] where nothing that goes into the
    /// program was changed since: it still prints this.
    #[track_caller]
    pub fn is_still(&self, right: &str) {
        self.referee();
        assert_eq!(self.run(), right, "the program is another one");
    }

    /// Where final artifacts are.
    pub fn target(&self) -> PathBuf {
        let given = self.env.get("CARGO_TARGET_DIR").cloned().flatten();
        given.map_or_else(|| self.dir.join("target"), |dir| self.dir.join(dir))
    }

    /// `rm -rf target`
    pub fn remove_target(&self) {
        std::fs::remove_dir_all(self.target()).unwrap();
    }

    /// The same, once a cargo that lost its parent is done with it: nobody can
    /// end the children of a process that is killed.
    pub fn remove_target_left_behind(&self) {
        let lock = self.target().join("debug/.cargo-lock");
        if let Ok(file) = std::fs::File::open(lock) {
            file.lock().unwrap();
        }
        let since = std::time::Instant::now();
        while self.target().exists() {
            let removed = std::fs::remove_dir_all(self.target());
            assert!(
                since.elapsed().as_secs() < 60,
                "something still writes there: {removed:?}"
            );
        }
    }

    fn for_cargo(&self) -> Vec<&str> {
        let verb = self.has_verb().then(|| self.args[0].as_str());
        let args = &self.args[usize::from(self.has_verb())..];
        let mut all = vec![verb.unwrap_or("build"), "-v"];
        all.extend(args.iter().map(String::as_str));
        all
    }

    /// The checkout's arguments with `-v`.
    pub fn with_verbose(&self) -> Vec<&str> {
        let mut args = self.for_cargo();
        if !self.has_verb() {
            args.remove(0);
        }
        args
    }

    fn has_verb(&self) -> bool {
        self.args.first().is_some_and(|arg| !arg.starts_with('-'))
    }
}

/// A case of "this workspace, this edit, this expectation": builds, changes
/// something, builds, changes it back, and so on. The program must be the right
/// one each time, cargo must agree each time, and what was built before must
/// never be compiled again. Returns the first build after the change.
#[track_caller]
pub fn there_and_back(
    checkout: &mut Checkout,
    there: impl Fn(&mut Checkout),
    back: impl Fn(&mut Checkout),
) -> Ran {
    // The first one is a clean build of cargo's.
    checkout.build();
    checkout.referee();
    let before = checkout.run();

    there(checkout);
    let changed = checkout.build();
    let after = checkout.is_right();
    assert_ne!(before, after, "the case does not show in the output");

    back(checkout);
    checkout.build_compiles_nothing();
    checkout.referee();
    assert_eq!(checkout.run(), before, "after changing it back");

    there(checkout);
    checkout.remove_target();
    checkout.build_compiles_nothing();
    checkout.referee();
    assert_eq!(
        checkout.run(),
        after,
        "restored into an empty target directory"
    );
    changed
}

/// Variables that a test inherits from the cargo that runs it, or that would
/// make builds depend on who runs the tests.
fn is_of_outer_build(name: &str) -> bool {
    let ours = ["CARGO", "RUST", "ZBUILD", "MAKEFLAGS", "MFLAGS", "CI"];
    let loader = [
        "LD_LIBRARY_PATH",
        "DYLD_LIBRARY_PATH",
        "DYLD_FALLBACK_LIBRARY_PATH",
    ];
    let keep = name == "CARGO_HOME" || name.starts_with("RUSTUP_");
    !keep
        && (ours.iter().any(|prefix| name.starts_with(prefix))
            || loader.contains(&name)
            || matches!(
                name,
                "OUT_DIR" | "TARGET" | "HOST" | "PROFILE" | "NO_COLOR" | "CLICOLOR_FORCE"
            ))
}

/// A manifest for one package.
pub const APP: &str =
    "[package]\nname = \"app\"\nversion = \"0.1.0\"\nedition = \"2021\"\n[workspace]\n";

/// One package `app` whose build script has this body; its program prints the
/// variable `MADE` that the script sets.
pub fn app_with_script(layout: Layout, body: &str) -> Checkout {
    let script = format!("fn main() {{\n{body}\n}}\n");
    let main = "fn main() { println!(\"{}\", env!(\"MADE\")) }\n";
    let files = [
        ("Cargo.toml", APP),
        ("build.rs", script.as_str()),
        ("src/main.rs", main),
    ];
    Checkout::with_files(layout, &files)
}
