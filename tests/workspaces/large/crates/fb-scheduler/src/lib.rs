//! Runs the steps of a build, as many at once as allowed, each after what it needs.

use std::sync::Arc;

use anyhow::{anyhow, Context, Result};
use async_trait::async_trait;
use crossbeam_channel::Sender;
use dashmap::DashMap;
use fb_core_types::{Name, Platform};
use fb_events::{BuildId, Event, EventKind};
use fb_packages::Release;
use fb_toolchain::shell_line;
use futures::future::try_join_all;
use petgraph::graphmap::DiGraphMap;
use tokio::sync::{broadcast, watch, Semaphore};
use tokio_stream::wrappers::BroadcastStream;
use tracing::{debug_span, Instrument};

#[async_trait]
pub trait Step: Send + Sync {
    fn name(&self) -> &Name;
    async fn run(&self) -> Result<String>;
}

/// Builds one package.
pub struct PackageStep {
    name: Name,
    size: u64,
}

impl PackageStep {
    pub fn new(release: &Release) -> Self {
        Self { name: release.name.clone(), size: release.size }
    }
}

#[async_trait]
impl Step for PackageStep {
    fn name(&self) -> &Name {
        &self.name
    }

    async fn run(&self) -> Result<String> {
        tokio::task::yield_now().await;
        Ok(format!("{} bytes", self.size))
    }
}

/// Shows a compiler command without running it.
pub struct CommandStep {
    pub name: Name,
    pub command: Vec<String>,
}

#[async_trait]
impl Step for CommandStep {
    fn name(&self) -> &Name {
        &self.name
    }

    async fn run(&self) -> Result<String> {
        shell_line(&self.command)
    }
}

pub struct Scheduler {
    build: BuildId,
    steps: Vec<Arc<dyn Step>>,
    needs: DiGraphMap<usize, ()>,
    events: broadcast::Sender<Event>,
}

impl Scheduler {
    pub fn new(platform: Platform, environment: &Name) -> Self {
        Self {
            build: BuildId::for_build(platform, environment),
            steps: Vec::new(),
            needs: DiGraphMap::new(),
            events: broadcast::channel(256).0,
        }
    }

    pub fn build(&self) -> BuildId {
        self.build
    }

    pub fn events(&self) -> BroadcastStream<Event> {
        BroadcastStream::new(self.events.subscribe())
    }

    /// Adds a step that waits for the given ones.
    pub fn add(&mut self, step: Arc<dyn Step>, after: &[usize]) -> usize {
        let index = self.needs.add_node(self.steps.len());
        self.steps.push(step);
        for &earlier in after {
            self.needs.add_edge(earlier, index, ());
        }
        index
    }

    /// Runs everything; the results are in the order in which the steps were added.
    pub async fn run(&self, jobs: usize, progress: Sender<Name>) -> Result<Vec<String>> {
        petgraph::algo::toposort(&self.needs, None)
            .map_err(|cycle| anyhow!("step {} waits for itself", cycle.node_id()))?;
        let slots = Semaphore::new(jobs.max(1));
        let results = DashMap::new();
        let done: Vec<_> = self.steps.iter().map(|_| watch::channel(false).0).collect();
        let (slots, results, done, progress) = (&slots, &results, &done, &progress);
        try_join_all(self.steps.iter().enumerate().map(|(index, step)| {
            async move {
                for earlier in self.needs.neighbors_directed(index, petgraph::Incoming) {
                    done[earlier].subscribe().wait_for(|done| *done).await?;
                }
                let _slot = slots.acquire().await?;
                self.tell(EventKind::Started, step.name(), "");
                let outcome = step.run().await;
                let kind = if outcome.is_ok() { EventKind::Finished } else { EventKind::Failed };
                self.tell(kind, step.name(), outcome.as_deref().unwrap_or("failed"));
                results.insert(index, outcome.with_context(|| format!("step {}", step.name()))?);
                progress.send(step.name().clone())?;
                done[index].send_replace(true);
                anyhow::Ok(())
            }
            .instrument(debug_span!("step", name = %step.name()))
        }))
        .await?;
        Ok((0..self.steps.len()).filter_map(|i| Some(results.remove(&i)?.1)).collect())
    }

    fn tell(&self, kind: EventKind, step: &Name, detail: &str) {
        // Nobody need be listening.
        let _ = self.events.send(Event::now(self.build, kind, step.clone(), detail.into()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn steps_wait_for_what_they_need() {
        let name = |text: &str| Name::new(text).unwrap();
        let step = |text: &str| Arc::new(CommandStep { name: name(text), command: vec![text.to_owned()] });
        let mut scheduler = Scheduler::new(Platform::Native, &name("test"));
        let link = scheduler.add(step("link"), &[1, 2]);
        let first = scheduler.add(step("first"), &[]);
        scheduler.add(step("second"), &[first]);
        assert_eq!(link, 0);
        let (sender, receiver) = crossbeam_channel::unbounded();
        assert_eq!(scheduler.run(4, sender).await.unwrap(), ["link", "first", "second"]);
        let order: Vec<_> = receiver.iter().collect();
        assert_eq!(order, [name("first"), name("second"), name("link")]);
    }
}
