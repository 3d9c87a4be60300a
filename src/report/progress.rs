//! A bar while files are restored or captured, on a terminal only.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::event::Phase;

/// Shows at most one bar at a time; silent if it was made so.
pub struct Progress {
    enabled: AtomicBool,
    bar: Mutex<Option<ProgressBar>>,
}

impl Progress {
    /// A progress display.
    pub fn new(enabled: bool) -> Progress {
        Progress {
            enabled: AtomicBool::new(enabled),
            bar: Mutex::default(),
        }
    }

    /// Whether bars may be shown from now on.
    pub fn enable(&self, enabled: bool) {
        self.enabled.store(enabled, Ordering::Relaxed);
    }

    fn is_enabled(&self) -> bool {
        self.enabled.load(Ordering::Relaxed)
    }

    fn bar(&self) -> std::sync::MutexGuard<'_, Option<ProgressBar>> {
        self.bar.lock().unwrap_or_else(|poison| poison.into_inner())
    }

    /// Begins a bar for this many files.
    pub fn begin(&self, phase: Phase, total: u64) {
        // Few files are done before a bar could be seen.
        if !self.is_enabled() || total < 100 {
            return;
        }
        let style = ProgressStyle::with_template("{prefix:>12.cyan.bold} [{bar:27}] {pos}/{len}");
        let bar = ProgressBar::new(total);
        if let Ok(style) = style {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.set_prefix(match phase {
            Phase::Capture => "Recording",
            _ => "Restoring",
        });
        bar.enable_steady_tick(Duration::from_millis(100));
        *self.bar() = Some(bar);
    }

    /// One more file.
    pub fn step(&self) {
        if self.is_enabled()
            && let Some(bar) = self.bar().as_ref()
        {
            bar.inc(1);
        }
    }

    /// Takes the bar away.
    pub fn finish(&self) {
        if let Some(bar) = self.bar().take() {
            bar.finish_and_clear();
        }
    }

    /// Prints something without the bar in the way.
    pub fn suspend(&self, print: impl FnOnce()) {
        match self.bar().as_ref() {
            Some(bar) => bar.suspend(print),
            None => print(),
        }
    }
}
