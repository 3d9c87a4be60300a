//! What happened during a build, in a form that can be stored, sent and shown.

use chrono::{DateTime, Utc};
use derive_more::{Display, From};
use fb_core_types::{Name, Platform};
use fb_macros::Describe;
use serde::{Deserialize, Serialize};
use strum::{EnumCount, EnumIter, IntoEnumIterator, IntoStaticStr};
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use time::OffsetDateTime;
use uuid::Uuid;

#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, EnumCount, EnumIter, IntoStaticStr, Serialize, Deserialize,
)]
#[strum(serialize_all = "kebab-case")]
#[serde(rename_all = "kebab-case")]
pub enum EventKind {
    Planned,
    Started,
    Finished,
    Failed,
}

impl EventKind {
    pub fn label(self) -> &'static str {
        self.into()
    }

    pub fn from_label(label: &str) -> Option<Self> {
        Self::iter().find(|kind| kind.label() == label)
    }
}

/// Identifies one build: the same project, platform and name always have the same id.
#[derive(Clone, Copy, Debug, Display, From, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct BuildId(Uuid);

impl BuildId {
    pub fn for_build(platform: Platform, environment: &Name) -> Self {
        let text = format!("{platform}/{environment}");
        Self(Uuid::new_v5(&Uuid::NAMESPACE_OID, text.as_bytes()))
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Describe)]
pub struct Event {
    pub id: Uuid,
    pub build: BuildId,
    pub at: DateTime<Utc>,
    pub kind: EventKind,
    pub step: Name,
    pub detail: serde_json::Value,
}

impl Event {
    pub fn now(build: BuildId, kind: EventKind, step: Name, detail: serde_json::Value) -> Self {
        Self { id: Uuid::new_v4(), build, at: Utc::now(), kind, step, detail }
    }

    /// One line for a log: `12:34:56 started link`.
    pub fn line(&self) -> String {
        const CLOCK: &[BorrowedFormatItem<'_>] = format_description!("[hour]:[minute]:[second]");
        let clock = OffsetDateTime::from_unix_timestamp(self.at.timestamp())
            .ok()
            .and_then(|at| at.format(CLOCK).ok())
            .unwrap_or_else(|| "--:--:--".to_owned());
        format!("{clock} {} {}", self.kind.label(), self.step)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_go_both_ways() {
        assert_eq!(EventKind::iter().count(), EventKind::COUNT);
        for kind in EventKind::iter() {
            assert_eq!(EventKind::from_label(kind.label()), Some(kind));
        }
    }

    #[test]
    fn events_survive_json() {
        let step = Name::new("link").unwrap();
        let build = BuildId::for_build(Platform::Avr, &step);
        let event = Event::now(build, EventKind::Started, step, serde_json::json!({ "try": 1 }));
        let text = serde_json::to_string(&event).unwrap();
        assert_eq!(serde_json::from_str::<Event>(&text).unwrap(), event);
    }
}
