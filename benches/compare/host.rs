//! The machine and the day.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::Serialize;

/// Where and when a run was made.
#[derive(Debug, Serialize)]
pub struct Host {
    pub date: String,
    pub system: String,
    pub cpus: usize,
    pub cpu: Option<String>,
    pub file_system: Option<String>,
}

impl Host {
    /// This machine, today.
    pub fn of(scratch: &Path) -> Host {
        let release = fs_err::read_to_string("/proc/sys/kernel/osrelease").ok();
        let system = [std::env::consts::OS, std::env::consts::ARCH];
        let system = system.iter().map(|part| (*part).to_owned());
        let system = system.chain(release.map(|release| release.trim().to_owned()));
        Host {
            date: today(),
            system: system.collect::<Vec<_>>().join(" "),
            cpus: std::thread::available_parallelism().map_or(1, usize::from),
            cpu: cpu(),
            file_system: file_system(scratch),
        }
    }
}

fn cpu() -> Option<String> {
    let text = fs_err::read_to_string("/proc/cpuinfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

/// The kind of file system that a directory is on.
fn file_system(dir: &Path) -> Option<String> {
    let mounts = fs_err::read_to_string("/proc/mounts").ok()?;
    let mounts = mounts.lines().filter_map(|line| {
        let mut fields = line.split(' ');
        Some((fields.next()?, fields.next()?, fields.next()?))
    });
    let above = mounts.filter(|(_, at, _)| dir.starts_with(at));
    // The last of the longest: a later mount hides an earlier one.
    let (device, _, kind) = above.max_by_key(|(_, at, _)| at.len())?;
    let beside = if kind == "ext4" && !has_journal(device) {
        ", no journal"
    } else {
        ""
    };
    Some(format!("{kind}{beside}"))
}

/// Whether an ext4 has a journal. Without one it looks at every inode that was
/// deleted within the last minutes before it makes a file (Linux:
/// `fs/ext4/ialloc.c`, `recently_deleted`), which whoever removes a target
/// directory right before has to know.
fn has_journal(device: &str) -> bool {
    let name = device.rsplit('/').next().unwrap_or(device);
    let task = fs_err::read_to_string(format!("/sys/fs/ext4/{name}/journal_task"));
    task.map_or(true, |task| task.trim() != "<none>")
}

fn today() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let days = now.map_or(0, |now| now.as_secs() / 86_400);
    let (year, month, day) = civil(days);
    format!("{year}-{month:02}-{day:02}")
}

/// The date of a day since 1970-01-01.
fn civil(mut days: u64) -> (u64, u64, u64) {
    let mut year = 1970;
    let leap = |year: u64| {
        year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
    };
    while days >= 365 + u64::from(leap(year)) {
        days -= 365 + u64::from(leap(year));
        year += 1;
    }
    let february = 28 + u64::from(leap(year));
    let months = [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let mut month = 1;
    for length in months {
        if days < length {
            break;
        }
        days -= length;
        month += 1;
    }
    (year, month, days + 1)
}
