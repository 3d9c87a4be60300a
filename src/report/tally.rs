//! Keeps what is told of a build until it is over: phases, units, troubles.

use std::sync::Mutex;
use std::time::Duration;

use crate::event::{Account, Event, Phase, Sink};

/// What was told so far.
#[derive(Clone, Debug, Default)]
pub struct Told {
    /// The phases in their order.
    pub phases: Vec<(Phase, Duration)>,
    /// What became of every unit; none if nobody had reason to tell.
    pub account: Option<Account>,
    /// What could not be done.
    pub troubles: Vec<String>,
    /// Units whose record was set aside.
    pub distrusted: Vec<String>,
    /// Units that were built and not recorded, with the reasons.
    pub not_captured: Vec<(String, String)>,
}

/// Keeps what is told and hands it on to a display.
pub struct Tally<'a> {
    display: &'a dyn Sink,
    wants_all: bool,
    told: Mutex<Told>,
}

impl<'a> Tally<'a> {
    /// A tally before `display`. `wants_all` asks for an account of a build
    /// that did nothing, too.
    pub fn new(display: &'a dyn Sink, wants_all: bool) -> Tally<'a> {
        Tally {
            display,
            wants_all,
            told: Mutex::default(),
        }
    }

    /// What was told so far.
    pub fn told(&self) -> std::sync::MutexGuard<'_, Told> {
        self.told
            .lock()
            .unwrap_or_else(|poison| poison.into_inner())
    }
}

impl Sink for Tally<'_> {
    fn event(&self, event: Event) {
        match &event {
            Event::Begin(..) | Event::Step(_) | Event::Blocking(_) => {}
            Event::Missed { .. } | Event::Diagnostic(_) | Event::Verified { .. } => {}
            Event::PhaseDone(phase, time) => self.told().phases.push((*phase, *time)),
            Event::Accounted(account) => self.told().account = Some(account.clone()),
            Event::Trouble(what) => self.told().troubles.push(what.clone()),
            Event::Distrusted { unit } => self.told().distrusted.push(unit.clone()),
            Event::NotCaptured { unit, reason } => {
                let entry = (unit.clone(), reason.clone());
                self.told().not_captured.push(entry);
            }
        }
        self.display.event(event);
    }

    fn wants_every_account(&self) -> bool {
        self.wants_all
    }
}
