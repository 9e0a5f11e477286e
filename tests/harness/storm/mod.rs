//! A storm: hostile connections that do the worst they can, and honest pairs that go on chatting.

mod hostile;
mod pairs;

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use openssl::pkey::PKey;
use rustix::process::nice;
use secchat_proto::crypto::signature::SigningKey;
use tokio::runtime::{Builder, Runtime};

use crate::forwarding::{Forwarding, Gauge};
use crate::pki::Pki;
use crate::raw_link::{RawUser, anchors};
use crate::relay::TestRelay;

pub use pairs::Latencies;

/// How large a storm is.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// Connections of strangers.
    pub strangers: usize,
    /// Connections of users who are on the list, and hostile.
    pub users: usize,
    /// Honest pairs.
    pub pairs: usize,
    /// Time for the quiet part, and for the storm once all of it is there.
    pub time: Duration,
    /// Between two messages of each of a pair.
    pub pause: Duration,
    /// How long at most until all hostile users have logged in.
    pub beginning: Duration,
}

/// What came of it.
#[derive(Debug)]
pub struct Outcome {
    /// The relay's own share of both.
    pub forwarding: [Forwarding; 2],
    /// Before the storm.
    pub quiet: Latencies,
    /// In the storm.
    pub storm: Latencies,
    /// The relay's memory before and after, and the most in the storm, in KiB.
    pub resident_kib: [u64; 3],
    /// How often hostile users have logged in.
    pub logins: usize,
    /// What the hostile ones did, and how often.
    pub deeds: Vec<(&'static str, usize)>,
}

/// What all hostile connections share.
#[derive(Debug)]
pub(crate) struct Weather {
    is_over: AtomicBool,
    /// Logins of hostile users.
    logins: AtomicUsize,
    deeds: [AtomicUsize; hostile::KINDS.len()],
}

impl Weather {
    fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Relaxed)
    }

    fn note_login(&self) {
        self.logins.fetch_add(1, Ordering::Relaxed);
    }

    fn note(&self, kind: usize) {
        self.deeds[kind].fetch_add(1, Ordering::Relaxed);
    }
}

/// Starts a relay with this configuration, and lets the storm loose on it.
///
/// # Panics
/// When an honest one loses its link or a message.
pub async fn storm(size: Size, config: &str) -> Outcome {
    let pki = Pki::new();
    let gauge = Gauge::new();
    pki.write_config(&format!("{}{config}", gauge.config()));
    let key = PKey::generate_ed25519().expect("a key");
    let names: Vec<String> = (0..size.users)
        .map(|n| format!("hostile{n}"))
        .chain((0..2 * size.pairs).map(|n| format!("honest{n}")))
        .collect();
    pki.write_user_list(names.iter().map(|name| (name.as_str(), &key)));
    let relay = TestRelay::start(&pki).await;
    let key = SigningKey::from_pkey(key).expect("a permitted key");
    let (anchors, address) = (anchors(&pki), relay.address);
    let user = |name: String, n: usize| RawUser {
        relay: address,
        anchors: anchors.clone(),
        name: name.parse().expect("a name"),
        key: key.clone(),
        from: source(n),
    };

    let honest: Vec<_> = (0..2 * size.pairs).map(|n| user(format!("honest{n}"), n)).collect();
    let pairs = pairs::connect(&honest).await;
    let begin = gauge.read().await;
    let (pairs, quiet) = pairs::chat(pairs, size.time, size.pause).await;
    let calm = gauge.read().await;
    let before = resident_kib(relay.process().pid());

    let deeds = std::array::from_fn(|_| AtomicUsize::new(0));
    let weather = Arc::new(Weather { is_over: AtomicBool::new(false), logins: AtomicUsize::new(0), deeds });
    let elsewhere = elsewhere();
    for n in 0..size.strangers {
        elsewhere.spawn(hostile::stranger(n, user("honest0".to_owned(), 10_000 + n), Arc::clone(&weather)));
    }
    for n in 0..size.users {
        let name = format!("hostile{n}");
        elsewhere.spawn(hostile::user(n, user(name, 50_000 + n), Arc::clone(&weather)));
    }
    // Its beginning is a part of the storm, and lasts until as many have logged in as there are, or it seems that
    // they keep each other from it.
    let (mut pairs, mut storm, mut most) = (pairs, Latencies::default(), 0);
    let (mut time, mut beginning) = (Duration::ZERO, Duration::ZERO);
    while time < size.time {
        if weather.logins.load(Ordering::Relaxed) >= size.users || beginning >= size.beginning {
            time += A_WHILE;
        } else {
            beginning += A_WHILE;
        }
        let (same, times) = pairs::chat(pairs, A_WHILE, size.pause).await;
        (pairs, storm) = (same, storm.and(times));
        most = most.max(resident_kib(relay.process().pid()));
    }
    let end = gauge.read().await;
    weather.is_over.store(true, Ordering::Relaxed);
    elsewhere.shutdown_background();
    // They still are who they were.
    pairs::chat(pairs, Duration::from_millis(500), size.pause).await;
    let after = resident_kib(relay.process().pid());
    let deeds = hostile::KINDS.iter().zip(&weather.deeds);
    Outcome {
        forwarding: [calm.since(&begin), end.since(&calm)],
        quiet,
        storm,
        logins: weather.logins.load(Ordering::Relaxed),
        resident_kib: [before, after, most],
        deeds: deeds.map(|(name, count)| (*name, count.load(Ordering::Relaxed))).collect(),
    }
}

/// Between two looks at the relay.
const A_WHILE: Duration = Duration::from_secs(1);

/// Where the hostile ones run. Theirs would be other machines: here they take what time the relay and the honest ones
/// leave.
fn elsewhere() -> Runtime {
    let last_in_line = || {
        let _ = nice(14);
    };
    let mut threads = Builder::new_multi_thread();
    threads.enable_all().on_thread_start(last_in_line).build().expect("threads")
}

/// An address for each: the relay bounds what comes from one.
fn source(n: usize) -> Ipv4Addr {
    let n = u32::try_from(n).expect("few") + 0x7f01_0001;
    Ipv4Addr::from(n)
}

fn resident_kib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("a running relay");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("VmRSS");
    line.trim().trim_end_matches(" kB").parse().expect("KiB")
}
