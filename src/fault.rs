//! Fault points: named steps at which a test ends the process at once, as
//! SIGKILL or a power cut would.
//!
//! They are only compiled into debug builds, which tests use; in a release
//! build a point is nothing. `ZBUILD_FAULT=<name>:<n>` aborts at the n-th time
//! that the point `<name>` is reached; `ZBUILD_FAULT_LOG=<file>` notes every
//! point in a file, so that a test finds all of them (`tests/torture.rs`).

/// A step that a test can stop at.
#[cfg(not(debug_assertions))]
#[inline(always)]
pub fn point(_: &'static str) {}

/// A step that a test can stop at.
#[cfg(debug_assertions)]
pub fn point(name: &'static str) {
    if let Some(plan) = armed::PLAN.as_ref() {
        plan.reached(name);
    }
}

#[cfg(debug_assertions)]
mod armed {
    use std::io::Write;
    use std::path::PathBuf;
    use std::sync::LazyLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    pub(super) static PLAN: LazyLock<Option<Plan>> = LazyLock::new(Plan::read);

    pub(super) struct Plan {
        stop_at: Option<(String, u64)>,
        count: AtomicU64,
        log: Option<PathBuf>,
    }

    impl Plan {
        fn read() -> Option<Plan> {
            let stop_at = std::env::var("ZBUILD_FAULT").ok();
            let log = std::env::var_os("ZBUILD_FAULT_LOG").map(PathBuf::from);
            if stop_at.is_none() && log.is_none() {
                return None;
            }
            let stop_at = stop_at.and_then(|text| {
                let (name, nth) = text.rsplit_once(':')?;
                Some((name.to_owned(), nth.parse().ok()?))
            });
            Some(Plan {
                stop_at,
                count: AtomicU64::new(0),
                log,
            })
        }

        pub(super) fn reached(&self, name: &str) {
            if let Some(log) = &self.log {
                let options = std::fs::File::options().create(true).append(true).open(log);
                // A log that cannot be written shows in the test that reads it.
                let _ = options.and_then(|mut file| file.write_all(format!("{name}\n").as_bytes()));
            }
            if let Some((stop_at, nth)) = &self.stop_at
                && stop_at == name
                && self.count.fetch_add(1, Ordering::SeqCst) + 1 == *nth
            {
                std::process::abort();
            }
        }
    }
}
