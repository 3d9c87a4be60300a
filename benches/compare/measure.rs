//! Running a command and taking its time.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::Result;

/// What a command took.
#[derive(Clone, Copy, Debug)]
pub struct Taken {
    /// Wall time, in seconds.
    pub wall: f64,
    /// User and system time of all its processes, in seconds.
    pub cpu: Option<f64>,
}

/// Runs a command to its end; it must succeed. What it prints goes to the log:
/// a pipe would be held open by a daemon that the command starts. The CPU time
/// of processes with one of the names in `daemons` counts too.
pub fn run(command: &mut Command, log: &Path, daemons: &[&str]) -> Result<Taken> {
    let out = fs_err::File::create(log)?.into_parts().0;
    let err = out.try_clone()?;
    command.stdin(Stdio::null()).stdout(out).stderr(err);
    let cpu_before = cpu::spent(daemons);
    let begun = Instant::now();
    let status = command.status();
    let wall = begun.elapsed().as_secs_f64();
    let cpu_after = cpu::spent(daemons);
    let called = called(command);
    let status = status.map_err(|error| format!("{called}: {error}"))?;
    if !status.success() {
        return Err(format!("{called}: {status}\n{}", tail(log)).into());
    }
    let cpu = cpu_before
        .zip(cpu_after)
        .map(|(before, after)| after - before);
    // A daemon that ended takes its time with it.
    let cpu = cpu.filter(|cpu| *cpu >= 0.0);
    Ok(Taken { wall, cpu })
}

/// A command as a reader wants it: without its environment.
pub fn called(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let words: Vec<_> = words.map(|word| word.to_string_lossy()).collect();
    let dir = command
        .get_current_dir()
        .map(|dir| dir.display().to_string());
    let place = dir.map_or(String::new(), |dir| format!(" in {dir}"));
    format!("`{}`{place}", words.join(" "))
}

/// The last lines of a log.
fn tail(log: &Path) -> String {
    let text = fs_err::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(40)..].join("\n")
}

/// How much memory is touched before a measurement: more than a restore of the
/// large workspace or its link takes.
const WARM: usize = 2 << 30;

/// Puts the machine into the same state before each measurement.
pub fn settle() {
    // The disk has what earlier commands wrote.
    let _ = Command::new("sync").status();
    // A virtual machine's host takes free memory away and gives it back page by
    // page, slower than it can be copied to. How much of it is at hand would
    // depend on what was removed before, and count for more than the command.
    drop(std::hint::black_box(vec![1_u8; WARM]));
}

/// CPU time from `/proc`.
mod cpu {
    use std::fs;

    /// Of `/proc/PID/stat`, on every architecture that matters.
    const TICKS_A_SECOND: f64 = 100.0;

    /// The seconds that have been spent so far by our ended children, theirs
    /// included, and by the processes with these names.
    pub fn spent(names: &[&str]) -> Option<f64> {
        let own = Stat::read("/proc/self/stat")?;
        let mut ticks = own.children;
        if !names.is_empty() {
            for entry in fs::read_dir("/proc").ok()?.flatten() {
                let is_process = entry.file_name().to_string_lossy().parse::<u32>().is_ok();
                let stat = is_process.then(|| Stat::read(entry.path().join("stat")));
                if let Some(stat) = stat.flatten()
                    && names.contains(&stat.name.as_str())
                {
                    ticks += stat.itself + stat.children;
                }
            }
        }
        Some(ticks as f64 / TICKS_A_SECOND)
    }

    struct Stat {
        name: String,
        itself: u64,
        children: u64,
    }

    impl Stat {
        fn read(path: impl AsRef<std::path::Path>) -> Option<Stat> {
            let text = fs::read_to_string(path).ok()?;
            // The name is in brackets and may contain any character.
            let (start, rest) = text.rsplit_once(") ")?;
            let (_, name) = start.split_once('(')?;
            let fields: Vec<&str> = rest.split(' ').collect();
            // `man 5 proc`: the third field is the first one here.
            let ticks = |field: usize| fields.get(field - 3)?.parse::<u64>().ok();
            Some(Stat {
                name: name.to_owned(),
                itself: ticks(14)? + ticks(15)?,
                children: ticks(16)? + ticks(17)?,
            })
        }
    }
}
