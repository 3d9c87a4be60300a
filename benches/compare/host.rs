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
        let mut fields = line.split(' ').skip(1);
        Some((fields.next()?, fields.next()?))
    });
    let above = mounts.filter(|(at, _)| dir.starts_with(at));
    // The last of the longest: a later mount hides an earlier one.
    let nearest = above.max_by_key(|(at, _)| at.len());
    nearest.map(|(_, kind)| kind.to_owned())
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
