//! Fetches packages and reports events: the only crate that talks to the outside.

use std::time::Duration;

use anyhow::{ensure, Context, Result};
use bytes::{Bytes, BytesMut};
use fb_config::Registry;
use fb_core_types::{Name, PROTOCOL_VERSION, RELEASE_NAME};
use fb_events::Event;
use futures::TryStreamExt;
use rand::Rng;
use tracing::{debug, instrument};
use url::Url;

pub const TRIES: u32 = 4;

/// How long to wait before another try: doubling, with up to a quarter of chance.
pub fn pause_before(attempt: u32, random: &mut impl Rng) -> Duration {
    let base = 100 * 2_u64.pow(attempt.min(6));
    Duration::from_millis(base + random.random_range(0..=base / 4))
}

pub struct Fetcher {
    client: reqwest::Client,
    registry: Registry,
}

impl Fetcher {
    pub fn new(registry: Registry) -> Result<Self> {
        let client = reqwest::Client::builder()
            .user_agent(format!("fbuild/{PROTOCOL_VERSION} ({RELEASE_NAME})"))
            .connect_timeout(Duration::from_secs(10))
            .cookie_store(true)
            .use_rustls_tls()
            .build()
            .context("cannot set up TLS")?;
        Ok(Self { client, registry })
    }

    /// Where a package lies, on the first mirror if there is one.
    pub fn address(&self, package: &Name, version: &str) -> Result<Url> {
        let base = self.registry.mirrors.values().next().unwrap_or(&self.registry.index);
        Ok(base.join(&format!("{package}/{package}-{version}.tar.zst"))?)
    }

    /// Downloads a whole package, but no more than `limit` bytes.
    #[instrument(skip(self))]
    pub async fn fetch(&self, package: &Name, version: &str, limit: usize) -> Result<Bytes> {
        let address = self.address(package, version)?;
        let mut attempt = 0;
        loop {
            match self.fetch_once(address.clone(), limit).await {
                Err(error) if attempt + 1 < TRIES => {
                    let pause = pause_before(attempt, &mut rand::rng());
                    debug!(%address, %error, ?pause, "trying again");
                    tokio::time::sleep(pause).await;
                    attempt += 1;
                }
                result => return result,
            }
        }
    }

    async fn fetch_once(&self, address: Url, limit: usize) -> Result<Bytes> {
        let response = self.client.get(address).send().await?.error_for_status()?;
        let mut parts = response.bytes_stream();
        let mut whole = BytesMut::new();
        while let Some(part) = parts.try_next().await? {
            whole.extend_from_slice(&part);
            ensure!(whole.len() <= limit, "larger than {limit} bytes");
        }
        Ok(whole.freeze())
    }

    /// Sends events to a collector and returns how many it took.
    pub async fn report(&self, collector: Url, events: &[Event]) -> Result<u64> {
        let response = self.client.post(collector).json(events).send().await?.error_for_status()?;
        let answer: serde_json::Value = response.json().await?;
        answer["accepted"].as_u64().context("the collector's answer has no `accepted`")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fb_config::{Project, SAMPLE};

    #[test]
    fn addresses_follow_the_registry() {
        let project = Project::from_toml(SAMPLE).unwrap();
        let fetcher = Fetcher::new(project.registry).unwrap();
        let address = fetcher.address(&Name::new("servo").unwrap(), "3.0.2").unwrap();
        assert_eq!(address.as_str(), "https://packages.example/servo/servo-3.0.2.tar.zst");
    }

    #[test]
    fn pauses_grow() {
        let mut random = rand::rng();
        assert!(pause_before(0, &mut random) < pause_before(2, &mut random));
    }
}
