//! cargo's own run, for what is missing.
//!
//! cargo is started once, with the user's arguments. Its JSON messages tell
//! which files belong to which unit; they are handed on byte for byte if the
//! user asked for them, and kept to ourselves otherwise. For a verb that runs
//! tests or a program, that recording run only builds, and cargo is started
//! once more for the verb: what it starts has our stdin, stdout and stderr.

use std::collections::HashMap;
use std::io::Write;
use std::process::{ExitStatus, Stdio};

use camino::Utf8Path;
use fs_err as fs;
use tokio::io::{AsyncBufReadExt, BufReader};

use crate::cargo::args::{Messages, Recording};
use crate::cargo::command::Cargo;
use crate::cargo::layout::{self, Place, Scan};
use crate::cargo::messages::{self, Artifact, Diagnostic, Message, Script};
use crate::event::{Event, Sink};
use crate::plan::{Plan, PlanUnit};

/// How a run of cargo went.
pub struct Ran {
    /// cargo's exit status.
    pub status: ExitStatus,
    /// Its messages about units.
    pub messages: Vec<Message>,
}

/// Becomes cargo where the system can do that, and otherwise runs it to its
/// end: for runs after which nothing is left to do here. Terminal, signals and
/// exit code are cargo's own then.
///
/// # Errors
/// When cargo cannot be started.
pub fn become_cargo(cargo: &Cargo, args: &[String]) -> std::io::Result<ExitStatus> {
    let mut command = cargo.command();
    command.args(args);
    #[cfg(unix)]
    return Err(std::os::unix::process::CommandExt::exec(&mut command));
    #[cfg(not(unix))]
    return run(command, None).map(|ran| ran.status);
}

/// Runs cargo and reads its messages. `finished` is called with the files of
/// each unit that it has compiled.
///
/// # Errors
/// When cargo cannot be started.
pub fn recorded(
    cargo: &Cargo,
    recording: &Recording,
    sink: &dyn Sink,
    finished: &dyn Fn(Vec<String>),
) -> std::io::Result<Ran> {
    let mut command = cargo.command();
    command.arg(&recording.verb).args(&recording.args);
    let listener = Listener {
        held: Held::new(recording.messages, sink),
        finished,
    };
    run(command, Some(listener))
}

/// Who listens to what cargo says.
struct Listener<'a> {
    held: Held<'a>,
    finished: &'a dyn Fn(Vec<String>),
}

/// Runs a command to its end. With `record`, its messages are kept; without,
/// stdout is inherited.
fn run(command: std::process::Command, record: Option<Listener<'_>>) -> std::io::Result<Ran> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let mut command = tokio::process::Command::from(command);
        if record.is_some() {
            command.stdout(Stdio::piped());
        }
        let mut child = command.kill_on_drop(true).spawn()?;
        crate::fault::point("run: cargo started");
        let stdout = child.stdout.take();
        let reader = async {
            let mut found = Vec::new();
            if let (Some(stdout), Some(listener)) = (stdout, record) {
                read(stdout, listener, &mut found).await?;
            }
            std::io::Result::Ok(found)
        };
        let ended = async {
            loop {
                tokio::select! {
                    status = child.wait() => break status,
                    // The terminal sends Ctrl-C to cargo as well: it ends, and
                    // then so do we.
                    _ = tokio::signal::ctrl_c() => {}
                    () = terminated() => { child.start_kill()?; }
                }
            }
        };
        let (messages, status) = tokio::join!(reader, ended);
        Ok(Ran {
            status: status?,
            messages: messages?,
        })
    })
}

/// Notes Ctrl-C and SIGTERM instead of ending the process, from the moment it is
/// made: for work that has to clean up after itself.
pub struct Interrupts {
    runtime: tokio::runtime::Runtime,
    noted: tokio::task::JoinHandle<()>,
}

impl Interrupts {
    /// Begins to listen.
    ///
    /// # Errors
    /// When the system does not let us.
    pub fn new() -> std::io::Result<Interrupts> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let noted = runtime.spawn(async {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                () = terminated() => {}
            }
        });
        let interrupts = Interrupts { runtime, noted };
        interrupts.came();
        Ok(interrupts)
    }

    /// Whether one has come.
    pub fn came(&self) -> bool {
        // The task only gets on while somebody waits.
        let moment = std::time::Duration::from_millis(1);
        self.runtime
            .block_on(async { tokio::time::sleep(moment).await });
        self.noted.is_finished()
    }
}

#[cfg(unix)]
async fn terminated() {
    use tokio::signal::unix::{SignalKind, signal};
    match signal(SignalKind::terminate()) {
        Ok(mut signal) => {
            signal.recv().await;
        }
        Err(_) => std::future::pending().await,
    }
}

#[cfg(not(unix))]
async fn terminated() {
    std::future::pending().await
}

async fn read(
    stdout: tokio::process::ChildStdout,
    listener: Listener<'_>,
    found: &mut Vec<Message>,
) -> std::io::Result<()> {
    let Listener { mut held, finished } = listener;
    let mut reader = BufReader::with_capacity(1 << 16, stdout);
    let mut line = Vec::new();
    // Nobody may be reading any more: then cargo is still heard to its end.
    let mut closed = false;
    loop {
        line.clear();
        if reader.read_until(b'\n', &mut line).await? == 0 {
            return Ok(());
        }
        let message = std::str::from_utf8(&line)
            .ok()
            .and_then(|text| messages::parse(text.trim_end()));
        // What is no message was printed by somebody else (a proc macro, rustc
        // with `--print`) and belongs to the user.
        let hand_on = held.messages == Messages::HandOn || message.is_none();
        if !closed && hand_on {
            let mut out = std::io::stdout().lock();
            closed = out.write_all(&line).and_then(|()| out.flush()).is_err();
        }
        match message {
            Some(Message::Diagnostic(diagnostic)) => held.take(diagnostic),
            Some(Message::Other) | None => {}
            Some(message) => {
                if let Message::Artifact(artifact) = &message
                    && !artifact.fresh
                {
                    finished(artifact.filenames.clone());
                }
                found.push(message);
            }
        }
    }
}

/// Diagnostics that are held back: if all goes well, cargo repeats them when
/// it is started for the verb itself. Once there is an error, they are shown.
struct Held<'a> {
    messages: Messages,
    sink: &'a dyn Sink,
    texts: Vec<String>,
    failed: bool,
}

impl Held<'_> {
    fn new(messages: Messages, sink: &dyn Sink) -> Held<'_> {
        Held {
            messages,
            sink,
            texts: Vec::new(),
            failed: false,
        }
    }

    fn take(&mut self, diagnostic: Diagnostic) {
        if self.messages != Messages::Hold {
            return;
        }
        self.texts.push(diagnostic.rendered);
        self.failed |= diagnostic.is_error;
        if self.failed {
            for text in self.texts.drain(..) {
                self.sink.event(Event::Diagnostic(text));
            }
        }
    }
}

/// What cargo's messages say of each unit of the plan.
pub struct Built {
    /// Where each unit is.
    pub places: Vec<Option<Place>>,
    /// The message about each compiled unit.
    pub artifacts: Vec<Option<Artifact>>,
    /// The message about each build script's run.
    pub scripts: Vec<Option<Script>>,
}

impl Built {
    /// Assigns messages to units. Units that look alike in their messages are
    /// told apart by the fingerprints of their dependencies; a unit that stays
    /// doubtful gets none.
    pub fn assign(plan: &Plan, messages: Vec<Message>) -> Built {
        let mut assigner = Assigner::new(plan, messages);
        let count = plan.units.len();
        let mut built = Built {
            places: Vec::with_capacity(count),
            artifacts: Vec::with_capacity(count),
            scripts: Vec::with_capacity(count),
        };
        let mut fingerprints: Vec<Option<u64>> = Vec::with_capacity(count);
        for at in 0..count {
            let found = assigner.unit(at, &fingerprints);
            let place = found.as_ref().map(|(place, _)| place.clone());
            let fingerprint = place
                .as_ref()
                .and_then(|place| assigner.fingerprint(at, place));
            fingerprints.push(fingerprint);
            built.places.push(place);
            let (artifact, script) = match found.map(|(_, message)| message) {
                Some(Message::Artifact(artifact)) => (Some(artifact), None),
                Some(Message::Script(script)) => (None, Some(script)),
                _ => (None, None),
            };
            built.artifacts.push(artifact);
            built.scripts.push(script);
        }
        built
    }
}

struct Assigner<'a> {
    plan: &'a Plan,
    /// Messages not yet assigned, by package.
    open: HashMap<String, Vec<Message>>,
    scan: Scan,
}

impl<'a> Assigner<'a> {
    fn new(plan: &'a Plan, messages: Vec<Message>) -> Assigner<'a> {
        let mut open: HashMap<String, Vec<Message>> = HashMap::new();
        for message in messages {
            let package = match &message {
                Message::Artifact(artifact) => artifact.package_id.clone(),
                Message::Script(script) => script.package_id.clone(),
                Message::Diagnostic(_) | Message::Other => continue,
            };
            open.entry(package).or_default().push(message);
        }
        Assigner {
            plan,
            open,
            scan: Scan::new(&plan.dirs.build),
        }
    }

    /// The place and the message of one unit.
    fn unit(&mut self, at: usize, fingerprints: &[Option<u64>]) -> Option<(Place, Message)> {
        let unit = &self.plan.units[at];
        let candidates: Vec<(usize, Option<Place>)> = self
            .open
            .get(&unit.graph.pkg_id)?
            .iter()
            .enumerate()
            .filter(|(_, message)| is_about(message, unit))
            .map(|(index, message)| (index, self.place_in(unit, message)))
            .collect();
        let mut fitting: Vec<(usize, Place)> = Vec::new();
        for (index, place) in candidates {
            match place {
                Some(place) => fitting.push((index, place)),
                // Uplifted, or without a hash: look at what is on disk.
                None => {
                    for place in self.scan.candidates(&unit.graph, &unit.package) {
                        let fits = self.rests_on(at, &place, fingerprints)
                            && self.is_source_of(unit, &place, index);
                        if fits {
                            fitting.push((index, place));
                        }
                    }
                }
            }
        }
        if fitting.len() > 1 {
            fitting.retain(|(_, place)| self.rests_on(at, place, fingerprints));
        }
        let [(index, place)] = fitting.as_slice() else {
            return None;
        };
        let (index, place) = (*index, place.clone());
        let message = self.open.get_mut(&unit.graph.pkg_id)?.swap_remove(index);
        Some((place, message))
    }

    /// The unit's place, if one of the message's files shows it and it is in
    /// the unit's profile directory.
    fn place_in(&self, unit: &PlanUnit, message: &Message) -> Option<Place> {
        let files: Vec<&str> = match message {
            Message::Artifact(artifact) => artifact.filenames.iter().map(String::as_str).collect(),
            Message::Script(script) => vec![&script.out_dir],
            Message::Diagnostic(_) | Message::Other => vec![],
        };
        let profile_dir = layout::profile_dir(&unit.graph);
        files.iter().find_map(|file| {
            let inside = Utf8Path::new(file)
                .strip_prefix(&self.plan.dirs.build)
                .ok()?;
            let inside = inside.as_str().replace('\\', "/");
            let place = layout::place_of(&inside, &profile_dir, &unit.package)?;
            let dir = self.plan.dirs.build.join(place.fingerprint_dir());
            let name = layout::fingerprint_name(&unit.graph);
            dir.join(name).is_file().then_some(place)
        })
    }

    /// Whether cargo's record at this place names exactly the fingerprints of
    /// this unit's dependencies (cargo: `Fingerprint::deps`; binaries are not
    /// among them).
    fn rests_on(&self, at: usize, place: &Place, fingerprints: &[Option<u64>]) -> bool {
        let unit = &self.plan.units[at];
        let name = format!("{}.json", layout::fingerprint_name(&unit.graph));
        let path = self
            .plan
            .dirs
            .build
            .join(place.fingerprint_dir())
            .join(name);
        let Ok(text) = fs::read(path) else {
            return false;
        };
        #[derive(serde::Deserialize)]
        struct Record {
            deps: Vec<(serde_json::Value, String, bool, u64)>,
        }
        let Ok(record) = serde_json::from_slice::<Record>(&text) else {
            return false;
        };
        let mut recorded: Vec<u64> = record.deps.iter().map(|dep| dep.3).collect();
        let is_bin = |dep: &&usize| {
            let target = &self.plan.units[**dep].graph.target;
            target.kind.iter().any(|kind| kind == "bin") && !unit.is_run()
        };
        let expected: Option<Vec<u64>> = unit
            .deps
            .iter()
            .filter(|dep| !is_bin(dep))
            .map(|&dep| fingerprints[dep])
            .collect();
        let Some(mut expected) = expected else {
            return false;
        };
        recorded.sort_unstable();
        expected.sort_unstable();
        recorded == expected
    }

    /// Whether the first uplifted file of a message is the one of this place.
    fn is_source_of(&mut self, unit: &PlanUnit, place: &Place, index: usize) -> bool {
        let Some(Message::Artifact(artifact)) = self
            .open
            .get(&unit.graph.pkg_id)
            .and_then(|messages| messages.get(index))
        else {
            return false;
        };
        let Some(shown) = artifact.filenames.first() else {
            return false;
        };
        let Ok(shown) = fs::metadata(shown) else {
            return false;
        };
        let files = self.scan.files(&unit.graph, place).unwrap_or_default();
        files.iter().any(|file| {
            let own = fs::metadata(self.plan.dirs.build.join(&file.path));
            own.is_ok_and(|own| {
                own.len() == shown.len() && own.modified().ok() == shown.modified().ok()
            })
        })
    }

    /// The unit's stored fingerprint, as other records name it.
    fn fingerprint(&self, at: usize, place: &Place) -> Option<u64> {
        let unit = &self.plan.units[at];
        let dir = self.plan.dirs.build.join(place.fingerprint_dir());
        let text = fs::read_to_string(dir.join(layout::fingerprint_name(&unit.graph))).ok()?;
        // cargo prints the number's bytes in little-endian order (`to_hex`).
        u64::from_str_radix(text.trim(), 16)
            .ok()
            .map(u64::swap_bytes)
    }
}

fn is_about(message: &Message, unit: &PlanUnit) -> bool {
    match message {
        Message::Artifact(artifact) => artifact.matches(&unit.graph),
        Message::Script(script) => unit.is_run() && script.package_id == unit.graph.pkg_id,
        Message::Diagnostic(_) | Message::Other => false,
    }
}
