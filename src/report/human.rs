//! Lines on stderr, in cargo's manner and following cargo's settings.

use std::io::Write;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use super::progress::Progress;
use crate::event::{CargoLine, Event, Phase, Sink, Summary};

/// How much is said, and how.
#[derive(Clone, Copy, Debug, Default)]
pub struct Style {
    /// `-q`: nothing but errors.
    pub quiet: bool,
    /// `-v` once or more.
    pub verbose: u8,
    /// Whether progress may be shown at all.
    pub progress: bool,
}

/// Collects what is told and shows what the style allows.
pub struct Human {
    style: Mutex<Style>,
    begun: Instant,
    progress: Progress,
    told: Mutex<Told>,
}

#[derive(Default)]
struct Told {
    phases: Vec<(Phase, Duration)>,
    troubles: usize,
}

const STATUS: &str = "\x1b[1m\x1b[92m";
const WARN: &str = "\x1b[1m\x1b[33m";
const ERROR: &str = "\x1b[1m\x1b[91m";
const NOTE: &str = "\x1b[1m\x1b[96m";
const RESET: &str = "\x1b[0m";

impl Human {
    /// A display that began when the process did.
    pub fn new(style: Style, begun: Instant) -> Human {
        Human {
            style: Mutex::new(style),
            begun,
            progress: Progress::new(style.progress && !style.quiet),
            told: Mutex::default(),
        }
    }

    fn style(&self) -> Style {
        *self
            .style
            .lock()
            .unwrap_or_else(|poison| poison.into_inner())
    }

    /// Takes another style: cargo's configuration, known with the plan, has a
    /// word in it as well.
    pub fn set_style(&self, style: Style) {
        *self
            .style
            .lock()
            .unwrap_or_else(|poison| poison.into_inner()) = style;
        self.progress.enable(style.progress && !style.quiet);
    }

    fn line(&self, text: std::fmt::Arguments<'_>) {
        self.progress.suspend(|| {
            // Nobody is there to be told if stderr is closed.
            let _ = writeln!(anstream::stderr(), "{text}");
        });
    }

    fn told(&self) -> std::sync::MutexGuard<'_, Told> {
        self.told
            .lock()
            .unwrap_or_else(|poison| poison.into_inner())
    }

    /// Prints what cargo would have printed, had it been started, up to its
    /// last line.
    pub fn cargo_lines(&self, lines: &[CargoLine], finished: &str) {
        let mut out = std::io::stdout().lock();
        for line in lines {
            match line {
                CargoLine::Json(json) => {
                    // A reader that went away ends this as it would end cargo.
                    let _ = writeln!(out, "{json}");
                }
                CargoLine::Rendered(text) => self.line(format_args!("{text}")),
                CargoLine::Warning(text) if !self.style().quiet => {
                    self.line(format_args!("{WARN}warning{RESET}: {text}"));
                }
                CargoLine::Error(text) => self.line(format_args!("{ERROR}error{RESET}: {text}")),
                CargoLine::Status(word, text) if !self.style().quiet => {
                    self.line(format_args!("{STATUS}{word:>12}{RESET} {text}"));
                }
                CargoLine::Warning(_) | CargoLine::Status(..) => {}
            }
        }
        let _ = out.flush();
        if !self.style().quiet {
            let elapsed = elapsed(self.begun.elapsed());
            self.line(format_args!(
                "{STATUS}    Finished{RESET} {finished} in {elapsed}"
            ));
        }
    }

    /// Prints what cargo says after its last line under `--no-run`.
    pub fn executables(&self, lines: &[CargoLine]) {
        for line in lines {
            if let (CargoLine::Status(word, text), false) = (line, self.style().quiet) {
                self.line(format_args!("{STATUS}{word:>12}{RESET} {text}"));
            }
        }
    }

    /// Prints the one line at the end, and the phases under `-v`.
    pub fn summary(&self, summary: &Summary) {
        self.progress.finish();
        // Of a verb that is cargo's alone there is nothing to tell.
        if self.style().quiet || summary.units == 0 {
            return;
        }
        if self.style().verbose > 0 {
            let phases: Vec<String> = self
                .told()
                .phases
                .iter()
                .map(|(phase, time)| format!("{} {:.1} ms", phase.name(), time.as_secs_f64() * 1e3))
                .collect();
            self.line(format_args!("zbuild: {}", phases.join(", ")));
        }
        self.line(format_args!("zbuild: {}", sentence(summary)));
    }

    /// Prints figures of the build that was asked for.
    pub fn figures(&self, text: &str) {
        if !self.style().quiet {
            self.line(format_args!("{}", text.trim_end()));
        }
    }

    /// Says where something was written.
    pub fn saved(&self, what: &str, path: &dyn std::fmt::Display) {
        if !self.style().quiet {
            self.line(format_args!("zbuild: {what} saved to {path}"));
        }
    }

    /// Says that a setting is left out.
    pub fn left_out(&self, why: &dyn std::fmt::Display) {
        if !self.style().quiet {
            self.line(format_args!("zbuild: {why}; left out"));
        }
    }

    /// Says in one line that plain cargo takes over.
    pub fn gives_up(&self, why: &dyn std::fmt::Display) {
        self.progress.finish();
        self.line(format_args!("zbuild: {why}; plain cargo builds instead"));
    }
}

/// The summary as a person reads it.
fn sentence(summary: &Summary) -> String {
    let Summary {
        units,
        reused,
        restored: _,
        compiled,
        saved,
    } = summary;
    let mut text = format!("{units} units, {reused} reused, {compiled} compiled");
    if *saved >= Duration::from_millis(100) {
        text += &format!(", saved {}", short(*saved));
    }
    text
}

/// `5m12s`, `3.4s`.
pub fn short(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..60 => format!("{:.1}s", time.as_secs_f64()),
        60..3600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        _ => format!("{}h{:02}m", seconds / 3600, seconds / 60 % 60),
    }
}

/// A time as cargo's last line has it (cargo: `util::elapsed`).
fn elapsed(time: Duration) -> String {
    let seconds = time.as_secs();
    if seconds >= 60 {
        format!("{}m {:02}s", seconds / 60, seconds % 60)
    } else {
        format!("{seconds}.{:02}s", time.subsec_millis() / 10)
    }
}

impl Sink for Human {
    fn event(&self, event: Event) {
        match event {
            Event::PhaseDone(phase, time) => {
                self.progress.finish();
                self.told().phases.push((phase, time));
            }
            Event::Begin(phase, total) => self.progress.begin(phase, total),
            Event::Step(_) => self.progress.step(),
            Event::Missed { unit, reason } if self.style().verbose > 0 => {
                self.line(format_args!("zbuild: miss: {unit}: {reason}"));
            }
            Event::NotCaptured { unit, reason } if self.style().verbose > 0 => {
                self.line(format_args!("zbuild: not recorded: {unit}: {reason}"));
            }
            Event::Distrusted { unit } if self.style().verbose > 0 => {
                self.line(format_args!(
                    "zbuild: set aside: {unit}: cargo built it although it was restored"
                ));
            }
            Event::Verified { units, files } if !self.style().quiet => {
                self.line(format_args!(
                    "zbuild: verified: {units} units, {files} files read again"
                ));
            }
            Event::Verified { .. } => {}
            Event::Missed { .. } | Event::NotCaptured { .. } | Event::Distrusted { .. } => {}
            Event::Blocking(what) if !self.style().quiet => {
                self.line(format_args!(
                    "{NOTE}    Blocking{RESET} waiting for file lock on {what}"
                ));
            }
            Event::Blocking(_) => {}
            Event::Diagnostic(text) => {
                self.line(format_args!("{}", text.strip_suffix('\n').unwrap_or(&text)))
            }
            Event::Trouble(what) => {
                let mut told = self.told();
                told.troubles += 1;
                // One line says that something is wrong; more would only be
                // in the way.
                if told.troubles == 1 || self.style().verbose > 0 {
                    drop(told);
                    self.line(format_args!("zbuild: {what}"));
                }
            }
            Event::Accounted(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_like_the_issue_says() {
        let summary = Summary {
            units: 539,
            reused: 537,
            restored: 0,
            compiled: 2,
            saved: Duration::from_secs(312),
        };
        assert_eq!(
            sentence(&summary),
            "539 units, 537 reused, 2 compiled, saved 5m12s"
        );
        assert_eq!(elapsed(Duration::from_millis(1234)), "1.23s");
        assert_eq!(elapsed(Duration::from_secs(61)), "1m 01s");
    }
}
