//! The arguments of cargo's build commands, as far as we have to understand
//! them.
//!
//! Arguments are handed on to cargo unchanged and in order; this module only
//! looks for the few that change what *we* do. An option that a newer cargo
//! knows and we do not is therefore handed on too.

use camino::Utf8PathBuf;

/// One invocation of a build command, taken apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Invocation {
    /// `+toolchain`, without the plus.
    pub toolchain: Option<String>,
    /// cargo's subcommand, `build` by default.
    pub verb: String,
    /// Everything after the verb, unchanged.
    pub args: Vec<String>,
    /// How many of them are cargo's own: the rest (`--` and what follows, or
    /// what `cargo run` hands to the program) means nothing to a plan, but for
    /// `cargo rustc`.
    pub own: usize,
    /// `--no-run`: tests are only built.
    pub no_run: bool,
    /// Which kinds of targets the options name.
    pub selection: Selection,
    /// `-q` / `--quiet`.
    pub quiet: bool,
    /// How often `-v` / `--verbose` was given.
    pub verbose: u8,
    /// `--color`.
    pub color: Option<String>,
    /// The values of `--message-format`, split at commas.
    pub message_format: Vec<String>,
    /// `--target-dir`.
    pub target_dir: Option<Utf8PathBuf>,
    /// `--manifest-path`.
    pub manifest_path: Option<Utf8PathBuf>,
    /// The values of `--config`.
    pub config: Vec<String>,
    /// The values of `-Z`.
    pub unstable: Vec<String>,
    /// The values of `--target`.
    pub targets: Vec<String>,
    /// `--locked`, `--offline`, `--frozen`, as given.
    pub network: Vec<String>,
    /// `-C DIR`: cargo changes its directory first.
    pub directory: Option<Utf8PathBuf>,
    /// Arguments that only make sense to cargo itself (`--help`, `--version`,
    /// `--unit-graph`, `--build-plan`, `--artifact-dir`), so that we step aside.
    pub passthrough: Option<String>,
}

/// Options that select targets, as far as they decide what `cargo check`
/// compiles as a test (cargo: `create_proposals`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// `--all-targets`.
    pub all: bool,
    /// `--tests`, `--test`, `--benches`, `--bench`.
    pub tests: bool,
    /// `--lib`, `--bins`, `--bin`, `--examples`, `--example`.
    pub others: bool,
    /// `--profile test`: `cargo check` then takes every target for a test.
    pub test_profile: bool,
}

/// What to start cargo with so that it tells what it builds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recording {
    /// The subcommand.
    pub verb: String,
    /// Its arguments.
    pub args: Vec<String>,
    /// What becomes of its messages.
    pub messages: Messages,
}

/// What becomes of cargo's messages in a recording build.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Messages {
    /// The user asked for them.
    HandOn,
    /// cargo renders the diagnostics itself.
    Keep,
    /// Diagnostics are held back: cargo is run once more and repeats them,
    /// unless the build fails.
    Hold,
}

/// Options of cargo's build commands that take a value in the next argument.
/// Only needed to tell values from options; an unknown option is taken to
/// have none, and its value then looks like a positional argument, which we
/// ignore as well.
const TAKES_VALUE: &[&str] = &[
    "-p",
    "--package",
    "--exclude",
    "-j",
    "--jobs",
    "--profile",
    "-F",
    "--features",
    "--target",
    "--bin",
    "--example",
    "--test",
    "--bench",
    "--target-dir",
    "--manifest-path",
    "--message-format",
    "--color",
    "--config",
    "-Z",
    "-C",
    "--lockfile-path",
    "--artifact-dir",
    "--out-dir",
];

const JSON_FORMATS: &[&str] = &[
    "json",
    "json-diagnostic-short",
    "json-diagnostic-rendered-ansi",
    "json-render-diagnostics",
];

const STEP_ASIDE: &[&str] = &[
    "-h",
    "--help",
    "-V",
    "--version",
    "--unit-graph",
    "--build-plan",
    "--artifact-dir",
    "--out-dir",
    "--future-incompat-report",
    // cargo-clippy's own
    "--fix",
    "--explain",
];

impl Invocation {
    /// Takes the arguments after the verb apart. Never fails: what is wrong
    /// with them, cargo says better.
    pub fn parse(verb: &str, args: Vec<String>) -> Invocation {
        let mut inv = Invocation {
            verb: verb.to_owned(),
            ..Invocation::default()
        };
        inv.own = args.len();
        let mut rest = args.iter().enumerate();
        while let Some((at, arg)) = rest.next() {
            // `cargo run` hands everything from the first word on to the program.
            if arg == "--" || (verb == "run" && !arg.starts_with('-')) {
                inv.own = at;
                break;
            }
            let (name, mut value) = split(arg);
            if STEP_ASIDE.contains(&name) {
                inv.passthrough = Some(name.to_owned());
            }
            if value.is_none() && TAKES_VALUE.contains(&name) {
                value = rest.next().map(|(_, value)| value.as_str());
                if value.is_none() {
                    // cargo says what is missing.
                    inv.passthrough = Some(name.to_owned());
                }
            }
            inv.note(name, value);
        }
        let doctests = args[..inv.own].iter().any(|arg| arg == "--doc");
        if inv.no_run && doctests {
            inv.passthrough = Some("--no-run --doc".to_owned());
        }
        inv.args = args;
        if let Some(strange) = inv.strange_value() {
            inv.passthrough = Some(strange);
        }
        inv
    }

    /// A value that cargo will refuse, or that only a newer cargo knows, of an
    /// option that a remembered plan does not depend on.
    fn strange_value(&self) -> Option<String> {
        let human = |format: &String| format == "human" || format == "short";
        let mixed = self.message_format.len() > 1 && self.message_format.iter().any(human);
        let format = |format: &&String| !human(format) && !JSON_FORMATS.contains(&format.as_str());
        let colours = ["auto", "always", "never"];
        let colour = |colour: &&String| !colours.contains(&colour.as_str());
        let strange = self.message_format.iter().find(format);
        let strange = strange.or(self.color.as_ref().filter(colour)).cloned();
        strange.or(mixed.then(|| self.message_format.join(",")))
    }

    fn note(&mut self, name: &str, value: Option<&str>) {
        match (name, value) {
            ("-q" | "--quiet", _) => self.quiet = true,
            ("--verbose", _) => self.verbose += 1,
            ("--color", Some(v)) => self.color = Some(v.to_owned()),
            ("--message-format", Some(v)) => self
                .message_format
                .extend(v.split(',').map(|part| part.to_ascii_lowercase())),
            ("--target-dir", Some(v)) => self.target_dir = Some(v.into()),
            ("--manifest-path", Some(v)) => self.manifest_path = Some(v.into()),
            ("--config", Some(v)) => self.config.push(v.to_owned()),
            ("-Z", Some(v)) => self.unstable.push(v.to_owned()),
            ("--target", Some(v)) => self.targets.push(v.to_owned()),
            ("--locked" | "--offline" | "--frozen", _) => self.network.push(name.to_owned()),
            ("-C", Some(v)) => self.directory = Some(v.into()),
            ("--no-run", _) => self.no_run = true,
            ("--all-targets", _) => self.selection.all = true,
            ("--tests" | "--test" | "--benches" | "--bench", _) => self.selection.tests = true,
            ("--lib" | "--bins" | "--bin" | "--examples" | "--example", _) => {
                self.selection.others = true;
            }
            ("--profile", Some("test")) => self.selection.test_profile = true,
            // Short flags may be combined: `-vv`, `-qv`, `-rv`.
            (flags, None) if flags.starts_with('-') && !flags.starts_with("--") => {
                for flag in flags.chars().skip(1) {
                    match flag {
                        'v' => self.verbose += 1,
                        'q' => self.quiet = true,
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }

    /// Whether stdout is to carry cargo's JSON messages.
    pub fn wants_json(&self) -> bool {
        self.message_format.iter().any(|f| f.starts_with("json"))
    }

    /// Whether diagnostics are rendered on stderr (human formats, and
    /// `json-render-diagnostics`) rather than sent as JSON.
    pub fn renders_diagnostics(&self) -> bool {
        !self.wants_json()
            || self
                .message_format
                .iter()
                .any(|f| f == "json-render-diagnostics")
    }

    /// Whether rendered diagnostics are the short ones.
    pub fn short_diagnostics(&self) -> bool {
        self.message_format
            .iter()
            .any(|f| f == "short" || f == "json-diagnostic-short")
    }

    /// The verb whose unit graph is this one's: cargo-clippy runs `check`.
    pub fn planned_verb(&self) -> &str {
        match self.verb.as_str() {
            "clippy" => "check",
            verb => verb,
        }
    }

    /// Whether cargo has to be started for the verb itself once everything is
    /// built: it runs tests or a program.
    pub fn executes(&self) -> bool {
        match self.verb.as_str() {
            "run" => true,
            // How tests would be run is cargo's to say.
            "test" | "bench" => !self.no_run || self.verbose > 0,
            _ => false,
        }
    }

    /// Whether cargo does more for this verb than the units of our plan: it
    /// documents or lints.
    pub fn does_more(&self) -> bool {
        matches!(self.verb.as_str(), "doc" | "clippy")
    }

    /// The arguments for a run of cargo that asks for something else than a
    /// build: without those that choose what is printed, and without the names
    /// of tests, where those can be told.
    pub fn planning_args(&self) -> Vec<String> {
        let args = self.without(|name| {
            matches!(
                name,
                "-q" | "--quiet" | "-v" | "-vv" | "--verbose" | "--color" | "--message-format"
            ) || matches!(
                name,
                "--timings" | "--no-run" | "--no-fail-fast" | "--open" | "--no-deps"
            ) && (name != "--no-deps" || self.verb == "clippy")
        });
        match self.verb.as_str() {
            "test" | "bench" => without_words(args),
            "run" | "clippy" => args,
            _ => [&args, &self.args[self.own..]].concat(),
        }
    }

    /// The arguments for the run of the verb itself after a recording build,
    /// which has made the report of `--timings`.
    pub fn executing_args(&self) -> Vec<String> {
        let args = self.without(|name| name == "--timings");
        [&args, &self.args[self.own..]].concat()
    }

    /// How to start the recording build: with the user's own arguments, and
    /// cargo's JSON messages switched on when the user did not ask for them.
    /// `json-render-diagnostics` renders diagnostics exactly as the human
    /// format does (cargo: `on_stderr_line_inner` treats both alike).
    ///
    /// Of a verb that executes something only the building is done. `only_bin`
    /// is the one binary that `cargo run` builds, if it builds nothing else.
    pub fn recording(&self, only_bin: Option<&str>) -> Recording {
        let mut verb = self.verb.clone();
        if !self.executes() && self.wants_json() {
            return Recording {
                verb,
                args: self.args.clone(),
                messages: Messages::HandOn,
            };
        }
        let short = self.short_diagnostics();
        let format = match (self.executes(), short) {
            (true, true) => "json-diagnostic-short,json-diagnostic-rendered-ansi",
            (true, false) => "json-diagnostic-rendered-ansi",
            (false, true) => "json-render-diagnostics,json-diagnostic-short",
            (false, false) => "json-render-diagnostics",
        };
        let mut args = self.without(|name| name == "--message-format");
        args.push(format!("--message-format={format}"));
        if !self.executes() {
            args.extend_from_slice(&self.args[self.own..]);
        } else if self.verb == "run" {
            "build".clone_into(&mut verb);
            if let (Some(bin), false) = (only_bin, self.selection.others) {
                args.push(format!("--bin={bin}"));
            }
        } else if !self.no_run {
            args.push("--no-run".to_owned());
        }
        let messages = match self.executes() {
            true => Messages::Hold,
            false => Messages::Keep,
        };
        Recording {
            verb,
            args,
            messages,
        }
    }

    /// cargo's own arguments without some of the options.
    pub(super) fn without(&self, dropped: impl Fn(&str) -> bool) -> Vec<String> {
        let mut kept = Vec::with_capacity(self.args.len());
        let mut rest = self.args[..self.own].iter();
        while let Some(arg) = rest.next() {
            let (name, value) = split(arg);
            let takes_next = value.is_none() && TAKES_VALUE.contains(&name);
            if dropped(name) {
                if takes_next {
                    rest.next();
                }
                continue;
            }
            kept.push(arg.clone());
            if takes_next {
                kept.extend(rest.next().cloned());
            }
        }
        kept
    }
}

/// Options without a value of `cargo test` and `cargo bench`.
const FLAGS: &[&str] = &[
    "--all",
    "--all-features",
    "--all-targets",
    "--benches",
    "--bins",
    "--doc",
    "--examples",
    "--frozen",
    "--future-incompat-report",
    "--ignore-rust-version",
    "--keep-going",
    "--lib",
    "--locked",
    "--no-default-features",
    "--offline",
    "--release",
    "--tests",
    "--workspace",
    "-r",
];

/// Takes the words away that are neither options nor their values, provided
/// that every option is known: else a word may be a value.
fn without_words(args: Vec<String>) -> Vec<String> {
    let mut kept = Vec::with_capacity(args.len());
    let mut rest = args.iter();
    while let Some(arg) = rest.next() {
        let (name, value) = split(arg);
        if TAKES_VALUE.contains(&name) {
            kept.push(arg.clone());
            if value.is_none() {
                kept.extend(rest.next().cloned());
            }
        } else if FLAGS.contains(&name) {
            kept.push(arg.clone());
        } else if arg.starts_with('-') {
            return args;
        }
    }
    kept
}

/// Splits `--name=value`, `-Zvalue`, `-pvalue`, `-j4` and `-Fvalue`.
fn split(arg: &str) -> (&str, Option<&str>) {
    if let Some(long) = arg.strip_prefix("--") {
        return match long.find('=') {
            Some(at) => (&arg[..at + 2], Some(&arg[at + 3..])),
            None => (arg, None),
        };
    }
    if arg.starts_with('-') && arg.len() > 2 && arg.is_char_boundary(2) {
        let (name, value) = arg.split_at(2);
        if TAKES_VALUE.contains(&name) {
            return (name, Some(value.strip_prefix('=').unwrap_or(value)));
        }
    }
    (arg, None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Invocation {
        Invocation::parse(
            "build",
            line.split_whitespace().map(str::to_owned).collect(),
        )
    }

    #[test]
    fn finds_what_concerns_us() {
        let inv = parse(
            "-p app -vv --message-format json-render-diagnostics --target-dir=/t -Zfoo --config a=1 --locked",
        );
        assert_eq!(inv.verbose, 2);
        assert!(inv.wants_json() && inv.renders_diagnostics());
        assert_eq!(inv.target_dir.as_deref(), Some("/t".into()));
        assert_eq!(inv.unstable, ["foo"]);
        assert_eq!(inv.config, ["a=1"]);
        assert_eq!(inv.network, ["--locked"]);
    }

    #[test]
    fn values_are_not_options() {
        let inv = parse("-p -q");
        assert!(!inv.quiet, "`-q` is the package's name here");
        assert!(!parse("-- -q").quiet);
    }

    fn recorded(verb: &str, line: &str) -> Recording {
        let args = line.split_whitespace().map(str::to_owned).collect();
        Invocation::parse(verb, args).recording(Some("app"))
    }

    #[test]
    fn recording_asks_for_messages_before_the_dashes() {
        let args = |verb, line| recorded(verb, line).args.join(" ");
        assert_eq!(
            args("rustc", "--lib -- -Cx"),
            "--lib --message-format=json-render-diagnostics -- -Cx"
        );
        assert_eq!(
            args("build", "--message-format short -p a"),
            "-p a --message-format=json-render-diagnostics,json-diagnostic-short"
        );
        let own = recorded("build", "--message-format=json -q");
        assert_eq!(own.args, ["--message-format=json", "-q"]);
        assert_eq!(own.messages, Messages::HandOn);
    }

    #[test]
    fn recording_runs_nothing() {
        let held = "--message-format=json-diagnostic-rendered-ansi";
        let tests = recorded("test", "-p a name --message-format=json -- --nocapture");
        assert_eq!(tests.verb, "test");
        assert_eq!(tests.args.join(" "), format!("-p a name {held} --no-run"));
        assert_eq!(tests.messages, Messages::Hold);
        let run = recorded("run", "--release one -q two");
        assert_eq!(run.verb, "build");
        assert_eq!(run.args.join(" "), format!("--release {held} --bin=app"));
        let run = recorded("run", "--bin=b -- -q");
        assert_eq!(run.args.join(" "), format!("--bin=b {held}"));
    }

    #[test]
    fn names_of_tests_are_no_part_of_a_plan() {
        let plan = |verb, line: &str| {
            let args = line.split_whitespace().map(str::to_owned).collect();
            Invocation::parse(verb, args).planning_args().join(" ")
        };
        assert_eq!(
            plan("test", "-p a some_test --release -- x"),
            "-p a --release"
        );
        assert_eq!(
            plan("test", "--brand new some_test"),
            "--brand new some_test"
        );
        assert_eq!(plan("run", "-p a word --release"), "-p a");
        assert_eq!(plan("clippy", "--no-deps -p a"), "-p a");
        assert_eq!(plan("doc", "--no-deps --open -p a"), "--no-deps -p a");
    }

    #[test]
    fn a_program_has_its_own_options() {
        let run = |line: &str| {
            let args = line.split_whitespace().map(str::to_owned).collect();
            Invocation::parse("run", args)
        };
        assert!(!run("-p a word -q").quiet);
        assert!(run("-q -p a word").quiet);
        assert!(run("word --help").passthrough.is_none());
    }

    #[test]
    fn unknown_options_stay() {
        let inv = parse("--brand-new=1 --message-format json -q -p a");
        assert_eq!(inv.planning_args(), ["--brand-new=1", "-p", "a"]);
    }

    #[test]
    fn steps_aside() {
        assert!(parse("--help").passthrough.is_some());
        assert!(parse("-p a").passthrough.is_none());
        assert!(parse("--message-format none-such").passthrough.is_some());
        assert!(parse("--message-format human,json").passthrough.is_some());
        assert!(
            parse("--message-format json,json-diagnostic-short")
                .passthrough
                .is_none()
        );
        assert!(parse("--color=blue").passthrough.is_some());
    }
}
