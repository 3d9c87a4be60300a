//! The cases, and who goes through them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Result;
use crate::checkout::{Change, Checkout, size};
use crate::host::Host;
use crate::measure::{self, Taken};
use crate::options::{Case, Options};
use crate::peers::Peer;
use crate::report::{Report, Who};
use crate::subject::{State, Subject};
use crate::tools::{CARGO, Tool, ZBUILD, Zbuild, on_path, said};

/// The cases that peers go through.
const OF_PEERS: &[Case] = &[
    Case::Cold,
    Case::Noop,
    Case::Touch,
    Case::Newline,
    Case::RmTarget,
    Case::Second,
];

/// A tool with a checkout and a directory of its own.
struct Lane {
    tool: Tool,
    home: PathBuf,
    first: Checkout,
}

impl Lane {
    fn new(tool: Tool, subject: &Subject, home: PathBuf) -> Result<Lane> {
        let first = Checkout::new(subject, home.join("first"))?;
        Ok(Lane { tool, home, first })
    }

    fn cache(&self) -> PathBuf {
        self.home.join("cache")
    }
}

/// A run of the benchmark.
pub struct Bench<'a> {
    options: &'a Options,
    scratch: PathBuf,
    subject: Subject,
    cargo: Tool,
    report: Report,
    /// What the program prints in each state when plain cargo builds it.
    expected: BTreeMap<State, String>,
    builds: usize,
    peers: Vec<&'static Peer>,
}

impl<'a> Bench<'a> {
    /// Copies what is measured, and learns about it.
    pub fn prepare(options: &'a Options, scratch: &Path) -> Result<Bench<'a>> {
        let bin = scratch.join("bin");
        fs_err::create_dir_all(&bin)?;
        fs_err::create_dir_all(scratch.join("logs"))?;
        // A copy, for the case that somebody compiles it anew meanwhile.
        let zbuild = Path::new(env!("CARGO_BIN_EXE_cargo-zbuild"));
        let name = zbuild.file_name().ok_or("no path of cargo-zbuild")?;
        fs_err::copy(zbuild, bin.join(name))?;

        let cargo = Tool::cargo(options, &bin)?;
        let subject = Subject::prepare(options, &cargo, scratch)?;
        let report = Report::new(options, Host::of(scratch));
        let mut bench = Bench {
            options,
            scratch: scratch.to_owned(),
            subject,
            cargo,
            report,
            expected: BTreeMap::new(),
            builds: 0,
            peers: Vec::new(),
        };
        for peer in options.peers()? {
            match on_path(peer.name) {
                Some(_) => bench.peers.push(peer),
                None => bench.report.absent.push(peer.name),
            }
        }
        for (name, program) in [
            (CARGO, ["--version"].as_slice()),
            (ZBUILD, &["zbuild", "--version"]),
        ] {
            let version = bench.cargo.ask(&bench.subject.source, program)?;
            bench.report.version(name, &version);
        }
        let rustc = bench
            .cargo
            .ask_rustc(&bench.subject.source, &["--version"])?;
        bench.report.version("rustc", &rustc);
        if !bench.subject.edits_a_constant() {
            bench.report.note("the leaf has no constant to edit: an edit appends an unused one, which the program cannot show");
        }
        Ok(bench)
    }

    /// What has been measured so far.
    pub fn report(&self) -> &Report {
        &self.report
    }

    /// All cases with plain cargo and cargo-zbuild.
    pub fn cargo_and_zbuild(&mut self) -> Result<()> {
        let home = self.scratch.join(ZBUILD);
        let tool = Tool::zbuild(&self.cargo, &home.join("cache"));
        let zbuild = Lane::new(tool, &self.subject, home)?;
        let cargo = Lane::new(self.cargo.clone(), &self.subject, self.scratch.join(CARGO))?;
        self.all(&[&cargo, &zbuild], &Case::ALL)
    }

    /// The peers that are to be measured and are here.
    pub fn peers(&self) -> Vec<&'static Peer> {
        self.peers.clone()
    }

    /// A peer's cases. Whatever fails is noted.
    pub fn peer(&mut self, peer: &'static Peer) {
        let home = self.scratch.join(peer.name);
        if let Err(error) = self.peer_in(peer, &home) {
            eprintln!("{error}");
            let error = error.to_string();
            let what = error.lines().next().unwrap_or_default();
            self.report.note(&format!("{} failed: {what}", peer.name));
        }
        // A daemon may still be writing.
        let _ = fs_err::remove_dir_all(home);
    }

    fn peer_in(&mut self, peer: &'static Peer, home: &Path) -> Result<()> {
        let tool = Tool::peer(&self.cargo, peer, home)?;
        let lane = Lane::new(tool, &self.subject, home.to_owned())?;
        fs_err::create_dir_all(lane.cache())?;
        let program = |args: &[&str]| {
            let mut command = lane.tool.command(peer.name, &lane.first.dir);
            command.args(args);
            command
        };
        self.report
            .version(peer.name, &said(&mut program(&["--version"]))?);
        if !peer.start.is_empty() {
            let log = self.scratch.join("logs/start");
            measure::run(&mut program(peer.start), &log, &[])?;
        }
        let result = self.all(&[&lane], OF_PEERS);
        if !peer.stop.is_empty() {
            let log = self.scratch.join("logs/stop");
            measure::run(&mut program(peer.stop), &log, &[])?;
        }
        result
    }

    fn all(&mut self, lanes: &[&Lane], cases: &[Case]) -> Result<()> {
        for case in cases {
            // The cache must be filled and the program known in any case.
            if *case != Case::Cold && !self.options.wants(*case) {
                continue;
            }
            let names: Vec<&str> = lanes.iter().map(|lane| lane.tool.name).collect();
            eprintln!("{}: {}", case.name(), names.join(", "));
            match case {
                Case::Cold => self.cold(lanes),
                Case::Noop => self.noop(lanes),
                Case::Touch => self.touch(lanes),
                Case::Newline => self.newline(lanes),
                Case::Flip => self.flip(lanes),
                Case::Edit => self.edit(lanes),
                Case::RmTarget => self.rm_target(lanes),
                Case::Second => self.second(lanes),
            }?;
        }
        Ok(())
    }

    fn cold(&mut self, lanes: &[&Lane]) -> Result<()> {
        // The cache of a daemon is not to be taken from under it.
        let is_ours = lanes.iter().any(|lane| lane.tool.name == ZBUILD);
        let rounds = if is_ours { self.options.cold } else { 1 };
        for turn in 0..rounds {
            for lane in in_turn(lanes, turn) {
                if turn > 0 {
                    lane.first.remove_target()?;
                }
                if lane.cache().exists() && is_ours {
                    fs_err::remove_dir_all(lane.cache())?;
                }
                let taken = self.step(&[lane], Change::Nothing, 0)?;
                self.record(Case::Cold, &taken);
                let target = size(&lane.first.target());
                self.report.size(lane.tool.name, "target", target);
                if lane.tool.name != CARGO {
                    let cache = size(&lane.cache());
                    self.report.size(lane.tool.name, "cache", cache);
                }
            }
        }
        Ok(())
    }

    fn noop(&mut self, lanes: &[&Lane]) -> Result<()> {
        self.step(lanes, Change::Nothing, 0)?;
        self.rounds(Case::Noop, lanes, |bench, turn| {
            let taken = bench.step(lanes, Change::Nothing, turn)?;
            bench.record(Case::Noop, &taken);
            Ok(())
        })
    }

    fn touch(&mut self, lanes: &[&Lane]) -> Result<()> {
        self.rounds(Case::Touch, lanes, |bench, turn| {
            let taken = bench.step(lanes, Change::Touch, turn)?;
            bench.record(Case::Touch, &taken);
            bench.noop_beside(Case::Touch, lanes)
        })
    }

    fn newline(&mut self, lanes: &[&Lane]) -> Result<()> {
        self.there_and_back(Case::Newline, lanes, State::Newline)
    }

    fn flip(&mut self, lanes: &[&Lane]) -> Result<()> {
        self.there_and_back(Case::Flip, lanes, State::Edit(0))
    }

    fn there_and_back(&mut self, case: Case, lanes: &[&Lane], there: State) -> Result<()> {
        let both = [Change::Write(there), Change::Write(State::Base)];
        for change in both {
            self.step(lanes, change, 0)?;
        }
        self.rounds(case, lanes, |bench, turn| {
            for change in both {
                let taken = bench.step(lanes, change, turn)?;
                bench.record(case, &taken);
            }
            bench.noop_beside(case, lanes)
        })
    }

    fn edit(&mut self, lanes: &[&Lane]) -> Result<()> {
        let mut edits = 0;
        self.rounds(Case::Edit, lanes, |bench, turn| {
            edits += 1;
            let change = Change::Write(State::Edit(edits));
            let taken = bench.step(lanes, change, turn)?;
            bench.record(Case::Edit, &taken);
            Ok(())
        })?;
        self.step(lanes, Change::Write(State::Base), 0)?;
        Ok(())
    }

    fn rm_target(&mut self, lanes: &[&Lane]) -> Result<()> {
        self.each_alone(Case::RmTarget, lanes, |bench, lane, _| {
            lane.first.remove_target()?;
            let taken = bench.step(&[lane], Change::Nothing, 0)?;
            bench.record(Case::RmTarget, &taken);
            if lane.tool.name == ZBUILD {
                bench.copies(&lane.first.target())?;
            }
            Ok(())
        })
    }

    fn second(&mut self, lanes: &[&Lane]) -> Result<()> {
        self.each_alone(Case::Second, lanes, |bench, lane, turn| {
            // Each time at a path where nothing was built before.
            let dir = lane.home.join(format!("second-{turn}"));
            let second = Checkout::new(&bench.subject, dir)?;
            measure::settle();
            let taken = bench.build(lane, &second)?;
            bench.judge(lane, &second, State::Base)?;
            bench.record(Case::Second, &[(lane.tool.name, taken)]);
            if lane.tool.name == ZBUILD {
                // How much memory the system has at hand differs from case to
                // case and counts for more than the plan that is made anew.
                second.remove_target()?;
                measure::settle();
                let (taken, _) = bench.build(lane, &second)?;
                bench.report.took(Case::Second, Who::Restored, taken, None);
            }
            Ok(fs_err::remove_dir_all(&second.dir)?)
        })
    }

    /// Copies a target directory, with its bytes and with links.
    fn copies(&mut self, target: &Path) -> Result<()> {
        let to = |name: &str| self.scratch.join(name);
        let (copied, linked) = (to("copied"), to("linked"));
        for (who, from, to) in [
            (Who::Copied, target, &copied),
            (Who::Linked, &copied, &linked),
        ] {
            measure::settle();
            let how = if who == Who::Copied { "-a" } else { "-al" };
            let mut command = Command::new("cp");
            command.arg(how).arg(from).arg(to);
            let log = self.scratch.join("logs/cp");
            let taken = measure::run(&mut command, &log, &[])?;
            self.report.took(Case::RmTarget, who, taken, None);
        }
        fs_err::remove_dir_all(copied)?;
        Ok(fs_err::remove_dir_all(linked)?)
    }

    /// Cargo's no-op, measured within the rounds of a case.
    fn noop_beside(&mut self, case: Case, lanes: &[&Lane]) -> Result<()> {
        for lane in lanes.iter().filter(|lane| lane.tool.name == CARGO) {
            let (taken, _) = self.build(lane, &lane.first)?;
            self.report.took(case, Who::Noop, taken, None);
        }
        Ok(())
    }

    /// Rounds that all lanes take part in.
    fn rounds(
        &mut self,
        case: Case,
        lanes: &[&Lane],
        mut round: impl FnMut(&mut Self, usize) -> Result<()>,
    ) -> Result<()> {
        for turn in 0..self.options.repeat {
            if lanes.iter().all(|lane| self.has_time(case, lane)) {
                round(self, turn)?;
            }
        }
        Ok(())
    }

    /// Rounds that a slow lane leaves early.
    fn each_alone(
        &mut self,
        case: Case,
        lanes: &[&Lane],
        mut once: impl FnMut(&mut Self, &Lane, usize) -> Result<()>,
    ) -> Result<()> {
        for turn in 0..self.options.repeat {
            for lane in in_turn(lanes, turn) {
                if self.has_time(case, lane) {
                    once(self, lane, turn)?;
                }
            }
        }
        Ok(())
    }

    fn has_time(&self, case: Case, lane: &Lane) -> bool {
        let spent = self.report.spent(case, Who::Tool(lane.tool.name));
        spent < f64::from(self.options.limit)
    }

    /// Changes and builds the first checkout of each lane in turn, then checks
    /// all of them.
    fn step(&mut self, lanes: &[&Lane], change: Change, turn: usize) -> Result<Vec<Built>> {
        let mut built = Vec::new();
        for lane in in_turn(lanes, turn) {
            measure::settle();
            lane.first.change(&self.subject, change)?;
            built.push((lane.tool.name, self.build(lane, &lane.first)?));
        }
        for lane in lanes {
            self.judge(lane, &lane.first, change.state())?;
        }
        Ok(built)
    }

    fn build(&mut self, lane: &Lane, checkout: &Checkout) -> Result<(Taken, Option<u64>)> {
        self.builds += 1;
        let name = format!("logs/{:04}-{}", self.builds, lane.tool.name);
        let log = self.scratch.join(name);
        let mut command = lane.tool.build(&self.subject, checkout);
        let taken = measure::run(&mut command, &log, lane.tool.daemons)?;
        if lane.tool.name != ZBUILD {
            return Ok((taken, None));
        }
        let heard = Zbuild::heard(&fs_err::read_to_string(log)?);
        if let Some(units) = heard.units {
            self.report.units = Some(units);
        }
        for trouble in heard.troubles {
            self.report.note(&format!("cargo-zbuild said: {trouble}"));
        }
        Ok((taken, heard.compiled))
    }

    /// The program must be the one that plain cargo builds.
    fn judge(&mut self, lane: &Lane, checkout: &Checkout, state: State) -> Result<()> {
        // A newline changes nothing in the program.
        let state = if state == State::Newline {
            State::Base
        } else {
            state
        };
        let printed = checkout.printed(&self.subject)?;
        if lane.tool.name == CARGO && !self.expected.contains_key(&state) {
            if self.subject.edits_a_constant() && self.expected.values().any(|old| *old == printed)
            {
                self.report.note(
                    "the program does not show every edit of the leaf: choose another --constant",
                );
            }
            self.expected.insert(state, printed.clone());
        }
        let expected = self
            .expected
            .get(&state)
            .ok_or("cargo has not built this")?;
        if *expected != printed {
            let name = lane.tool.name;
            return Err(format!(
                "{name} built the wrong program for {state:?}\n--- expected\n{expected}\n--- printed\n{printed}"
            )
            .into());
        }
        Ok(())
    }

    fn record(&mut self, case: Case, built: &[Built]) {
        for (name, (taken, compiled)) in built {
            self.report.took(case, Who::Tool(name), *taken, *compiled);
        }
    }
}

/// Who built, how long it took, and how many units cargo-zbuild had compiled.
type Built = (&'static str, (Taken, Option<u64>));

/// Who is first alternates.
fn in_turn<'l>(lanes: &[&'l Lane], turn: usize) -> Vec<&'l Lane> {
    let mut lanes = lanes.to_vec();
    if turn % 2 == 1 {
        lanes.reverse();
    }
    lanes
}
