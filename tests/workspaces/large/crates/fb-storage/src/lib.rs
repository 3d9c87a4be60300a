//! Events in SQLite, with the latest ones in memory.

use std::num::NonZeroUsize;
use std::path::Path;

use chrono::{DateTime, Utc};
use fb_core_types::{CoreError, Name, PROTOCOL_VERSION};
use fb_events::{BuildId, Event, EventKind};
use lru::LruCache;
use parking_lot::Mutex;
use rusqlite::{params, Connection, OptionalExtension, Row};
use thiserror::Error;
use uuid::Uuid;

#[derive(Debug, Error)]
pub enum StoreError {
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
    #[error(transparent)]
    Core(#[from] CoreError),
    #[error("the store was written by protocol {0}")]
    Protocol(u16),
    #[error("unknown kind of event `{0}`")]
    Kind(String),
}

pub struct Store {
    connection: Mutex<Connection>,
    recent: Mutex<LruCache<Uuid, Event>>,
}

impl Store {
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        Self::prepare(Connection::open(path)?)
    }

    pub fn in_memory() -> Result<Self, StoreError> {
        Self::prepare(Connection::open_in_memory()?)
    }

    fn prepare(connection: Connection) -> Result<Self, StoreError> {
        let found: u16 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
        if found != 0 && found != PROTOCOL_VERSION {
            return Err(StoreError::Protocol(found));
        }
        connection.pragma_update(None, "user_version", PROTOCOL_VERSION)?;
        connection.execute_batch(
            "CREATE TABLE IF NOT EXISTS event (
                 id TEXT PRIMARY KEY, build TEXT NOT NULL, at TEXT NOT NULL,
                 kind TEXT NOT NULL, step TEXT NOT NULL, detail TEXT NOT NULL
             ) STRICT;
             CREATE INDEX IF NOT EXISTS event_by_build ON event (build, at);",
        )?;
        let recent = LruCache::new(NonZeroUsize::new(64).unwrap_or(NonZeroUsize::MIN));
        Ok(Self { connection: Mutex::new(connection), recent: Mutex::new(recent) })
    }

    pub fn add(&self, event: &Event) -> Result<(), StoreError> {
        self.connection.lock().execute(
            "INSERT OR REPLACE INTO event VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            params![
                event.id.to_string(),
                event.build.to_string(),
                event.at,
                event.kind.label(),
                event.step.as_str(),
                event.detail,
            ],
        )?;
        self.recent.lock().put(event.id, event.clone());
        Ok(())
    }

    pub fn get(&self, id: Uuid) -> Result<Option<Event>, StoreError> {
        if let Some(event) = self.recent.lock().get(&id) {
            return Ok(Some(event.clone()));
        }
        let connection = self.connection.lock();
        let mut query = connection.prepare_cached("SELECT * FROM event WHERE id = ?1")?;
        query.query_row([id.to_string()], |row| Ok(read(row))).optional()?.transpose()
    }

    /// All events of a build in the order in which they happened.
    pub fn events(&self, build: BuildId) -> Result<Vec<Event>, StoreError> {
        let connection = self.connection.lock();
        let mut query =
            connection.prepare_cached("SELECT * FROM event WHERE build = ?1 ORDER BY at, rowid")?;
        let rows = query.query_map([build.to_string()], |row| Ok(read(row)))?;
        rows.map(|row| row?).collect()
    }

    pub fn count(&self) -> Result<u64, StoreError> {
        Ok(self.connection.lock().query_row("SELECT count(*) FROM event", [], |row| row.get(0))?)
    }
}

fn read(row: &Row<'_>) -> Result<Event, StoreError> {
    let uuid = |column: &str| -> Result<Uuid, StoreError> {
        Ok(row.get::<_, String>(column)?.parse().unwrap_or_default())
    };
    let kind: String = row.get("kind")?;
    Ok(Event {
        id: uuid("id")?,
        build: BuildId::from(uuid("build")?),
        at: row.get::<_, DateTime<Utc>>("at")?,
        kind: EventKind::from_label(&kind).ok_or(StoreError::Kind(kind))?,
        step: Name::new(row.get::<_, String>("step")?)?,
        detail: row.get::<_, serde_json::Value>("detail")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use fb_core_types::Platform;

    #[test]
    fn events_come_back() {
        let store = Store::in_memory().unwrap();
        let step = Name::new("compile").unwrap();
        let build = BuildId::for_build(Platform::Stm32, &step);
        let event = Event::now(build, EventKind::Finished, step, serde_json::json!([1, 2]));
        store.add(&event).unwrap();
        assert_eq!(store.get(event.id).unwrap().as_ref(), Some(&event));
        assert_eq!(store.events(build).unwrap(), [event]);
        assert_eq!(store.count().unwrap(), 1);
    }
}
