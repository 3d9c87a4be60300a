//! Logging, counters, and facts about the machine.

use std::path::Path;

use anyhow::{Context, Result};
use fb_core_types::{PROTOCOL_VERSION, RELEASE_NAME};
use metrics_util::debugging::{DebugValue, DebuggingRecorder, Snapshotter};
use sysinfo::System;
use tracing_appender::non_blocking::WorkerGuard;
use tracing_subscriber::EnvFilter;

/// Where the log goes.
#[derive(Clone, Copy, Debug)]
pub enum Sink<'a> {
    Stderr,
    JsonFiles(&'a Path),
}

/// Keeps the log writer alive and knows the counters.
pub struct Telemetry {
    snapshotter: Snapshotter,
    _guard: Option<WorkerGuard>,
}

impl Telemetry {
    /// Once per process: a second call fails.
    pub fn init(filter: &str, sink: Sink<'_>) -> Result<Self> {
        let filter = EnvFilter::try_new(filter).context("bad log filter")?;
        let guard = match sink {
            Sink::Stderr => {
                tracing_subscriber::fmt()
                    .with_env_filter(filter)
                    .with_writer(std::io::stderr)
                    .try_init()
                    .map_err(anyhow::Error::from_boxed)?;
                None
            }
            Sink::JsonFiles(dir) => {
                let (writer, guard) =
                    tracing_appender::non_blocking(tracing_appender::rolling::daily(dir, "fbuild"));
                tracing_subscriber::fmt()
                    .json()
                    .with_env_filter(filter)
                    .with_writer(writer)
                    .try_init()
                    .map_err(anyhow::Error::from_boxed)?;
                Some(guard)
            }
        };
        let recorder = DebuggingRecorder::new();
        let snapshotter = recorder.snapshotter();
        recorder.install().context("a metrics recorder is already installed")?;
        tracing::debug!(release = RELEASE_NAME, protocol = PROTOCOL_VERSION, "telemetry is up");
        Ok(Self { snapshotter, _guard: guard })
    }

    /// All counters so far, by name.
    pub fn counters(&self) -> Vec<(String, u64)> {
        let mut counters: Vec<_> = self
            .snapshotter
            .snapshot()
            .into_vec()
            .into_iter()
            .filter_map(|(key, _, _, value)| match value {
                DebugValue::Counter(n) => Some((key.key().name().to_owned(), n)),
                _ => None,
            })
            .collect();
        counters.sort();
        counters
    }
}

pub fn count(name: &'static str, by: u64) {
    metrics::counter!(name).increment(by);
}

#[derive(Clone, Debug)]
pub struct HostFacts {
    pub cores: usize,
    pub memory_mib: u64,
    pub system: String,
}

impl HostFacts {
    pub fn collect() -> Self {
        let mut system = System::new();
        system.refresh_memory();
        Self {
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            memory_mib: system.total_memory() / (1024 * 1024),
            system: System::name().unwrap_or_else(|| "unknown".to_owned()),
        }
    }
}
