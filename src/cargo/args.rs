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
];

impl Invocation {
    /// Takes the arguments after the verb apart. Never fails: what is wrong
    /// with them, cargo says better.
    pub fn parse(verb: &str, args: Vec<String>) -> Invocation {
        let mut inv = Invocation {
            verb: verb.to_owned(),
            ..Invocation::default()
        };
        let mut rest = args.iter().peekable();
        while let Some(arg) = rest.next() {
            if arg == "--" {
                break;
            }
            let (name, mut value) = split(arg);
            if STEP_ASIDE.contains(&name) {
                inv.passthrough = Some(name.to_owned());
            }
            if value.is_none() && TAKES_VALUE.contains(&name) {
                value = rest.next().map(String::as_str);
                if value.is_none() {
                    // cargo says what is missing.
                    inv.passthrough = Some(name.to_owned());
                }
            }
            inv.note(name, value);
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

    /// The arguments for a run of cargo that asks for something else than a
    /// build: without those that choose what is printed.
    pub fn planning_args(&self) -> Vec<String> {
        self.without(|name| {
            matches!(
                name,
                "-q" | "--quiet" | "-v" | "-vv" | "--verbose" | "--color" | "--message-format"
            ) || name == "--timings"
        })
    }

    /// The arguments for the recording build: the user's own, with cargo's
    /// JSON messages switched on when the user did not ask for them.
    /// `json-render-diagnostics` renders diagnostics exactly as the human
    /// format does (cargo: `on_stderr_line_inner` treats both alike).
    pub fn recording_args(&self) -> Vec<String> {
        if self.wants_json() {
            return self.args.clone();
        }
        let format = if self.short_diagnostics() {
            "json-render-diagnostics,json-diagnostic-short"
        } else {
            "json-render-diagnostics"
        };
        let mut args = self.without(|name| name == "--message-format");
        let end = args.iter().position(|a| a == "--").unwrap_or(args.len());
        args.insert(end, format!("--message-format={format}"));
        args
    }

    fn without(&self, dropped: impl Fn(&str) -> bool) -> Vec<String> {
        let mut kept = Vec::with_capacity(self.args.len());
        let mut rest = self.args.iter();
        while let Some(arg) = rest.next() {
            if arg == "--" {
                kept.push(arg.clone());
                kept.extend(rest.cloned());
                break;
            }
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

    #[test]
    fn recording_asks_for_messages_before_the_dashes() {
        let inv = Invocation::parse("rustc", vec!["--lib".into(), "--".into(), "-Cx".into()]);
        assert_eq!(
            inv.recording_args(),
            [
                "--lib",
                "--message-format=json-render-diagnostics",
                "--",
                "-Cx"
            ]
        );
        assert_eq!(
            parse("--message-format short -p a").recording_args(),
            [
                "-p",
                "a",
                "--message-format=json-render-diagnostics,json-diagnostic-short"
            ]
        );
        assert_eq!(
            parse("--message-format=json -q").recording_args(),
            ["--message-format=json", "-q"]
        );
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
