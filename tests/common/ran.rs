//! What a finished command says.

use std::fmt;
use std::io::Read;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

/// How long a command may take: far longer than any does, but for the cold
/// build of the large workspace.
fn patience() -> Duration {
    match std::env::var_os("ZBUILD_LARGE") {
        Some(_) => Duration::from_secs(3600),
        None => Duration::from_secs(120),
    }
}

/// The figures of zbuild's last line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Units in the plan.
    pub units: usize,
    /// Units in place or restored.
    pub reused: usize,
    /// Units that cargo compiled or ran.
    pub compiled: usize,
}

/// A command that has ended.
pub struct Ran {
    /// How it was called.
    pub called: String,
    /// How it ended.
    pub status: ExitStatus,
    /// What it printed.
    pub stdout: String,
    /// What else it printed.
    pub stderr: String,
}

impl fmt::Display for Ran {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Ran {
            called,
            status,
            stdout,
            stderr,
        } = self;
        write!(
            f,
            "{called}\n{status}\n--- stdout\n{stdout}--- stderr\n{stderr}---"
        )
    }
}

/// Lines of zbuild's under `-v` that tell of no trouble.
const PLAIN_TALK: &[&str] = &[
    "miss: ",
    "not recorded: ",
    "plan ",
    "lookup ",
    "timing report saved to ",
];

impl Ran {
    /// Runs a command to its end.
    #[track_caller]
    pub fn of(mut command: Command) -> Ran {
        let called = called(&command);
        command.stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = command.spawn();
        Ran::finish(called, child.unwrap_or_else(|error| panic!("{error}")))
    }

    /// Waits for a child with piped output, but not for ever: whoever waits
    /// for a lock that is never let go fails its test.
    #[track_caller]
    pub fn finish(called: String, mut child: Child) -> Ran {
        let stdout = read(child.stdout.take().unwrap());
        let stderr = read(child.stderr.take().unwrap());
        let deadline = Instant::now() + patience();
        let status = loop {
            match child.try_wait().unwrap() {
                Some(status) => break status,
                None if Instant::now() > deadline => {
                    child.kill().unwrap();
                    child.wait().unwrap();
                    let stderr = stderr.recv_timeout(Duration::from_secs(1));
                    panic!("does not end: {called}\n{}", stderr.unwrap_or_default());
                }
                None => std::thread::sleep(Duration::from_millis(2)),
            }
        };
        // Open longer than the process, they were inherited by another one.
        let text = |stream: Receiver<String>| {
            let text = stream.recv_timeout(patience());
            text.unwrap_or_else(|_| panic!("left a child behind: {called}"))
        };
        let (stdout, stderr) = (text(stdout), text(stderr));
        Ran {
            called,
            status,
            stdout,
            stderr,
        }
    }

    /// It must have succeeded.
    #[track_caller]
    pub fn successful(self) -> Ran {
        assert!(self.status.success(), "{self}");
        self
    }

    /// It must have succeeded, without a word of trouble, and cargo must not
    /// have built anything that was restored.
    #[track_caller]
    pub fn healthy(self) -> Ran {
        let ran = self.successful();
        assert_eq!(ran.troubles(), [""; 0], "{ran}");
        ran
    }

    /// zbuild's lines that are neither the summary nor plain talk.
    pub fn troubles(&self) -> Vec<&str> {
        self.zbuild_lines()
            .filter(|line| !PLAIN_TALK.iter().any(|talk| line.starts_with(talk)))
            .filter(|line| summary(line).is_none())
            .collect()
    }

    /// All lines of zbuild's own.
    pub fn zbuild_lines(&self) -> impl Iterator<Item = &str> {
        let lines = self.stderr.lines();
        lines.filter_map(|line| line.strip_prefix("zbuild: "))
    }

    /// The figures of the last line.
    #[track_caller]
    pub fn summary(&self) -> Summary {
        let is_report = |line: &&str| line.starts_with("zbuild: timing report saved to ");
        let mut lines = self.stderr.lines().rev().skip_while(is_report);
        let last = lines.next().unwrap_or_default();
        let figures = last.strip_prefix("zbuild: ").and_then(summary);
        figures.unwrap_or_else(|| panic!("the last line is no summary:\n{self}"))
    }

    /// The figures, wherever the line is: cargo may have been started for the
    /// verb itself after it. None if there is no such line.
    pub fn summary_within(&self) -> Option<Summary> {
        self.zbuild_lines().find_map(summary)
    }

    /// How many units were compiled.
    #[track_caller]
    pub fn compiled(&self) -> usize {
        self.summary().compiled
    }

    /// The crates that rustc was started for under `-v`, sorted.
    pub fn crates(&self) -> Vec<String> {
        self.running(|line| {
            let (_, rest) = line.split_once("rustc --crate-name ")?;
            Some(rest.split(' ').next()?.to_owned())
        })
    }

    /// The packages whose build script was started under `-v`, sorted.
    pub fn scripts(&self) -> Vec<String> {
        self.running(|line| {
            let line = line.trim_start().strip_prefix("Running `")?;
            let path = line.split(['`', ' ']).next()?.replace('\\', "/");
            let (_, inside) = path.split_once("/build/")?;
            // `build/<name>-<hash>/build-script-build`, or
            // `build/<name>/<hash>/out/build-script-build`
            let dir = inside.split('/').next()?;
            let without_hash = dir.rsplit_once('-').filter(|(_, hash)| hash.len() == 16);
            Some(without_hash.map_or(dir, |(name, _)| name).to_owned())
        })
    }

    fn running(&self, name: impl Fn(&str) -> Option<String>) -> Vec<String> {
        let lines = self.stderr.lines();
        let lines = lines.filter(|line| line.trim_start().starts_with("Running "));
        let mut found: Vec<String> = lines.filter_map(name).collect();
        found.sort();
        found
    }

    /// Exactly these crates must have been compiled (given in any order).
    #[track_caller]
    pub fn assert_crates(&self, expected: &[&str]) {
        let mut expected = expected.to_vec();
        expected.sort_unstable();
        assert_eq!(self.crates(), expected, "{self}");
    }

    /// This must be cargo's account, under `-v`, of a build of nothing.
    #[track_caller]
    pub fn assert_fresh(&self) {
        self.assert_without_work(&["Dirty", "Compiling", "Checking", "Running", "Building"]);
    }

    /// The same of a verb that then runs what was built.
    #[track_caller]
    pub fn assert_built_nothing(&self) {
        self.assert_without_work(&["Dirty", "Compiling", "Checking", "Documenting"]);
    }

    #[track_caller]
    fn assert_without_work(&self, words: &[&str]) {
        let works = |line: &&str| {
            let word = line.split_whitespace().next().unwrap_or_default();
            line.starts_with("   ") && words.contains(&word)
        };
        let work: Vec<&str> = self.stderr.lines().filter(works).collect();
        assert!(
            work.is_empty(),
            "cargo does not find everything fresh:\n{self}"
        );
        assert!(self.stderr.contains(" Fresh "), "{self}");
    }

    /// stderr without zbuild's own lines, the time in cargo's last line, and
    /// what other cargos in parallel bring about.
    pub fn stderr_of_cargo(&self) -> Vec<String> {
        let foreign =
            |line: &&str| !line.starts_with("zbuild: ") && !line.contains("package cache");
        let lines = self.stderr.lines().filter(foreign);
        lines.map(without_time).collect()
    }
}

/// Reads a stream to its end in a thread of its own.
fn read(mut stream: impl Read + Send + 'static) -> Receiver<String> {
    let (send, receive) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).unwrap();
        // Nobody listens any more once a test has failed.
        let _ = send.send(String::from_utf8_lossy(&bytes).into_owned());
    });
    receive
}

/// The command as one would type it.
pub fn called(command: &Command) -> String {
    let variables = command.get_envs().filter_map(|(name, value)| {
        let shown = name != "PATH";
        Some(format!(
            "{}={:?} ",
            name.display(),
            value.filter(|_| shown)?
        ))
    });
    let args = command.get_args().map(|arg| format!(" {arg:?}"));
    let program = command.get_program().display().to_string();
    variables.chain([program]).chain(args).collect()
}

fn without_time(line: &str) -> String {
    match line.rsplit_once(" target(s) in ") {
        Some((before, _)) => format!("{before} target(s) in TIME"),
        None => line.to_owned(),
    }
}

/// `539 units, 537 reused, 2 compiled, saved 5m12s`
fn summary(line: &str) -> Option<Summary> {
    let mut parts = line.split(", ");
    let mut figure = |what: &str| parts.next()?.strip_suffix(what)?.trim().parse().ok();
    Some(Summary {
        units: figure("units")?,
        reused: figure("reused")?,
        compiled: figure("compiled")?,
    })
}
