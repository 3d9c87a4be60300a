//! Puts the parts together: plans a build, runs it, watches the sources, serves the pages.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context, Result};
use fb_config::Project;
use fb_core_types::{Name, PROTOCOL_VERSION};
use fb_http::Fetcher;
use fb_packages::Index;
use fb_paths::Layout;
use fb_scheduler::{CommandStep, PackageStep, Scheduler};
use fb_serial::{FrameCodec, Message};
use fb_storage::Store;
use fb_telemetry::count;
use fb_toolchain::compile_command;
use fb_web::{router, Site};
use futures::{SinkExt, StreamExt};
use notify::{RecursiveMode, Watcher};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio_util::codec::Framed;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

pub struct Daemon {
    pub project: Arc<Project>,
    pub layout: Layout,
    pub store: Arc<Store>,
    pub fetcher: Fetcher,
}

impl Daemon {
    pub fn new(project: Project, layout: Layout, store: Store) -> Result<Self> {
        let fetcher = Fetcher::new(project.registry.clone())?;
        Ok(Self { project: Arc::new(project), layout, store: Arc::new(store), fetcher })
    }

    pub fn site(&self) -> Site {
        Site { project: self.project.clone(), store: self.store.clone() }
    }

    /// One step per package, in a chain, and one per source after all of them.
    pub async fn build(&self, environment: &Name, index: &Index) -> Result<Vec<String>> {
        let env = self
            .project
            .environments
            .get(environment)
            .with_context(|| format!("no environment `{environment}`"))?;
        let mut scheduler = Scheduler::new(env.platform, environment);
        let mut events = scheduler.events();
        let mut packages = Vec::new();
        for release in index.resolve(env)? {
            packages.push(scheduler.add(Arc::new(PackageStep::new(release)), &packages));
        }
        for source in self.layout.sources(&["**/*.c", "**/*.cpp"])? {
            let stem = source.file_stem().unwrap_or("source").to_lowercase();
            let command = compile_command(&self.project, &self.layout, environment, &source)?;
            let step = CommandStep { name: Name::new(stem)?, command };
            scheduler.add(Arc::new(step), &packages);
        }
        let (progress, steps) = crossbeam_channel::unbounded();
        let results = scheduler.run(2, progress).await?;
        drop(scheduler);
        while let Some(event) = events.next().await {
            self.store.add(&event?)?;
        }
        count("daemon.steps", steps.len() as u64);
        Ok(results)
    }

    /// Serves the pages until cancelled.
    pub async fn serve(&self, address: SocketAddr, stop: CancellationToken) -> Result<()> {
        let listener = TcpListener::bind(address).await?;
        info!(address = %listener.local_addr()?, "serving");
        let served = axum::serve(listener, router(self.site()));
        served.with_graceful_shutdown(async move { stop.cancelled().await }).await?;
        Ok(())
    }

    /// Calls back whenever something below the project's root changes, until cancelled.
    pub async fn watch(&self, stop: CancellationToken, mut changed: impl FnMut()) -> Result<()> {
        let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
        let mut watcher = notify::recommended_watcher(move |event| {
            let _ = sender.send(event);
        })?;
        watcher.watch(self.layout.root.as_std_path(), RecursiveMode::Recursive)?;
        loop {
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                event = receiver.recv() => match event {
                    Some(Ok(event)) if !event.kind.is_access() => changed(),
                    Some(Ok(_)) => {}
                    Some(Err(error)) => warn!(%error, "the watcher missed something"),
                    None => return Ok(()),
                },
            }
        }
    }
}

/// Greets a board over any stream and returns the protocol it speaks.
pub async fn greet(stream: impl AsyncRead + AsyncWrite + Unpin) -> Result<u16> {
    let mut line = Framed::new(stream, FrameCodec);
    line.send(Message::Hello { version: PROTOCOL_VERSION }).await?;
    match line.next().await.context("the board hung up")?? {
        Message::Hello { version } => Ok(version),
        other => anyhow::bail!("expected a greeting, got {other:?}"),
    }
}

/// A board that only greets: for the demonstration and the tests.
pub async fn polite_board(stream: impl AsyncRead + AsyncWrite + Unpin) -> Result<()> {
    let mut line = Framed::new(stream, FrameCodec);
    if let Some(message) = line.next().await {
        line.send(message?).await?;
    }
    Ok(())
}
