//! The relay's own account of how long it had what it forwards: without the clients' share, who run on the same machine.

use std::net::{SocketAddr, TcpListener};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::deadline::within;

/// Where a relay tells of itself.
#[derive(Clone, Copy, Debug)]
pub struct Gauge(SocketAddr);

/// How many batches were forwarded within how many seconds.
#[derive(Clone, Debug)]
pub struct Forwarding(Vec<(f64, u64)>);

impl Gauge {
    /// A free port for it.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    pub fn new() -> Self {
        let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
        Self(free.expect("a free port"))
    }

    /// The line of the relay's configuration.
    #[must_use]
    pub fn config(&self) -> String {
        format!("metrics = \"{}\"\n", self.0)
    }

    /// Asks the relay.
    ///
    /// # Panics
    /// When it does not answer.
    pub async fn read(&self) -> Forwarding {
        let answer = within("the relay's metrics", async {
            let mut stream = TcpStream::connect(self.0).await?;
            stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n").await?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.map(|_| answer)
        });
        let answer = answer.await.expect("the relay's metrics");
        let buckets = answer.lines().filter_map(|line| {
            let line = line.strip_prefix("secchat_relay_forwarding_seconds_bucket{le=\"")?;
            let (bound, count) = line.split_once("\"} ")?;
            Some((bound.trim_start_matches('+').parse().ok()?, count.parse().ok()?))
        });
        Forwarding(buckets.collect())
    }
}

impl Default for Gauge {
    fn default() -> Self {
        Self::new()
    }
}

impl Forwarding {
    /// What has been forwarded since.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let pairs = self.0.iter().zip(&earlier.0);
        Self(pairs.map(|((bound, count), (_, before))| (*bound, count - before)).collect())
    }

    /// How many batches, and how many of them took longer than a bucket's bound.
    #[must_use]
    pub fn above(&self, seconds: f64) -> (u64, u64) {
        let all = self.0.last().map_or(0, |(_, count)| *count);
        let within = self.0.iter().rfind(|(bound, _)| *bound <= seconds).map_or(0, |(_, count)| *count);
        (all, all - within)
    }

    /// The bound within which so many of 1,000 were, in seconds.
    #[must_use]
    pub fn permille(&self, permille: u64) -> f64 {
        let (all, _) = self.above(0.0);
        let enough = |(_, count): &&(f64, u64)| *count * 1_000 >= all * permille;
        self.0.iter().find(enough).map_or(f64::NAN, |(bound, _)| *bound)
    }
}
