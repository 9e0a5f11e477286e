//! What the relay counts of itself, for the operator's graphs: numbers and the names of limits and results, never of
//! people. [`server`] hands them out.

pub(crate) mod process;
pub(crate) mod server;

use std::fmt;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use crate::dates::{Dates, Validity};
use crate::limits::Limits;
use crate::switchboard::Load;

type Label = [(&'static str, &'static str); 1];

/// All counters and gauges. Cheap to change; only a scrape reads them all.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    connections: Gauge,
    sessions: Gauge,
    chats: Gauge,
    logins: Family<Label, Counter>,
    pub(crate) received: Traffic,
    pub(crate) sent: Traffic,
    router_queue: Gauge,
    queued_messages: Gauge,
    queued_bytes: Gauge,
    over_limit: Family<Label, Counter>,
    reloads: Family<Label, Counter>,
    files_are_in_force: Gauge,
    certificate_days: Gauge<f64, AtomicU64>,
    crl_days: Gauge<f64, AtomicU64>,
    forwarding: Histogram,
    resident: Gauge,
    open_files: Gauge,
}

/// Frames and their bytes in one direction.
#[derive(Debug, Default)]
pub(crate) struct Traffic {
    frames: Counter,
    bytes: Counter,
}

impl Traffic {
    /// Counts frames and their bytes.
    pub(crate) fn add(&self, frames: usize, bytes: usize) {
        self.frames.inc_by(count(frames));
        self.bytes.inc_by(count(bytes));
    }
}

/// How a login can end.
pub(crate) const LOGIN_RESULTS: [&str; 10] = [
    "accepted",
    "not_authenticated",
    "malformed",
    "busy",
    "taken",
    "turned_away",
    "gave_way",
    "timed_out",
    "lost",
    "closing",
];

/// How a reload can end.
pub(crate) const RELOAD_RESULTS: [&str; 2] = ["applied", "refused"];

impl Metrics {
    /// All at zero.
    pub(crate) fn new() -> Self {
        let mut metrics = Self {
            registry: Registry::with_prefix("secchat_relay"),
            connections: Gauge::default(),
            sessions: Gauge::default(),
            chats: Gauge::default(),
            logins: labelled("result", LOGIN_RESULTS),
            received: Traffic::default(),
            sent: Traffic::default(),
            router_queue: Gauge::default(),
            queued_messages: Gauge::default(),
            queued_bytes: Gauge::default(),
            over_limit: labelled("limit", Limits::CAN_BE_OVER),
            reloads: labelled("result", RELOAD_RESULTS),
            files_are_in_force: Gauge::default(),
            certificate_days: Gauge::default(),
            crl_days: Gauge::default(),
            forwarding: Histogram::new(FORWARDING_SECONDS),
            resident: Gauge::default(),
            open_files: Gauge::default(),
        };
        metrics.files_are_in_force.set(1);
        metrics.register();
        metrics
    }

    fn register(&mut self) {
        let registry = &mut self.registry;
        registry.register("connections", "Connections of all kinds", self.connections.clone());
        registry.register("sessions", "Users who are logged in", self.sessions.clone());
        registry.register("chats", "Pairs of users whose records are forwarded", self.chats.clone());
        registry.register("logins", "Logins by how they ended", self.logins.clone());
        for (direction, traffic) in [("received", &self.received), ("sent", &self.sent)] {
            let frames = format!("Frames of logged-in links {direction}");
            registry.register(format!("frames_{direction}"), frames, traffic.frames.clone());
            let bytes = format!("Bytes of these frames {direction}");
            registry.register(format!("{direction}_bytes"), bytes, traffic.bytes.clone());
        }
        let router = "Messages of clients that wait for the router, which deals with one at a time";
        registry.register("router_queue_messages", router, self.router_queue.clone());
        registry.register("queued_messages", "Messages that wait for links", self.queued_messages.clone());
        registry.register("queued_bytes", "Bytes that wait for links", self.queued_bytes.clone());
        let over = "What was refused, delayed or closed because a limit was reached";
        registry.register("over_limit", over, self.over_limit.clone());
        registry.register("reloads", "Reloads of the files by how they ended", self.reloads.clone());
        let in_force = "1 if the files as they are on disk are in force, 0 if they have errors";
        registry.register("files_in_force", in_force, self.files_are_in_force.clone());
        let certificate = "Days until the certificate ends; NaN if that cannot be told";
        registry.register("certificate_days_left", certificate, self.certificate_days.clone());
        let crl = "Days until the CRL ends; NaN without CRL or nextUpdate";
        registry.register("crl_days_left", crl, self.crl_days.clone());
        let forwarding = "Seconds from reading a record for a peer to having written it, one of each batch";
        registry.register("forwarding_seconds", forwarding, self.forwarding.clone());
        registry.register("resident_bytes", "Memory of the relay's process", self.resident.clone());
        registry.register("open_files", "File descriptors that are in use", self.open_files.clone());
    }

    /// How many connections there are now.
    pub(crate) fn note_connections(&self, connections: usize) {
        self.connections.set(gauge(connections));
    }

    /// What the switchboard holds now, and what waits for the router.
    pub(crate) fn note_load(&self, load: &Load, router_queue: usize) {
        self.sessions.set(gauge(load.sessions));
        self.chats.set(gauge(load.chats));
        self.queued_messages.set(gauge(load.queued.messages));
        self.queued_bytes.set(gauge(load.queued.bytes));
        self.router_queue.set(gauge(router_queue));
    }

    /// A login has ended: one of [`LOGIN_RESULTS`].
    pub(crate) fn note_login(&self, result: &'static str) {
        self.logins.get_or_create(&[("result", result)]).inc();
    }

    /// A limit was reached: its name in the configuration, one of [`Limits::CAN_BE_OVER`].
    pub(crate) fn note_over_limit(&self, limit: &'static str, times: u64) {
        self.over_limit.get_or_create(&[("limit", limit)]).inc_by(times);
    }

    /// The files were read again: one of [`RELOAD_RESULTS`].
    pub(crate) fn note_reload(&self, result: &'static str) {
        self.reloads.get_or_create(&[("result", result)]).inc();
        self.files_are_in_force.set((result == "applied").into());
    }

    /// A record for a peer has been written.
    pub(crate) fn note_forwarding(&self, time: Duration) {
        self.forwarding.observe(time.as_secs_f64());
    }

    /// All of it, as Prometheus reads it.
    ///
    /// # Errors
    /// Never, in memory.
    pub(crate) fn text(&self, dates: &Dates, now: u64) -> Result<String, fmt::Error> {
        let days = |validity: Option<Validity>| {
            let days = validity.and_then(|validity| i32::try_from(validity.days_left(now)).ok());
            days.map_or(f64::NAN, f64::from)
        };
        self.certificate_days.set(days(dates.certificate));
        self.crl_days.set(days(dates.crl));
        self.resident.set(gauge(process::resident_bytes()));
        self.open_files.set(gauge(process::open_files()));
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

/// A counter for each value of a label, from the start: a graph must not begin with the first trouble.
fn labelled<const N: usize>(name: &'static str, values: [&'static str; N]) -> Family<Label, Counter> {
    let family = Family::<Label, Counter>::default();
    for value in values {
        drop(family.get_or_create(&[(name, value)]));
    }
    family
}

fn count(value: usize) -> u64 {
    u64::try_from(value).unwrap_or(u64::MAX)
}

fn gauge(value: usize) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// From a quiet relay's to one that people complain of.
const FORWARDING_SECONDS: [f64; 13] =
    [0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 2.0];

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Metrics;
    use crate::dates::{Dates, Validity};

    #[test]
    fn everything_is_there_from_the_start_and_counts() {
        let metrics = Metrics::new();
        let dates = Dates { certificate: Some(Validity { from: 0, until: 3 * 86_400 }), crl: None };
        let text = metrics.text(&dates, 86_400).unwrap();
        for line in [
            "secchat_relay_sessions 0",
            "secchat_relay_logins_total{result=\"accepted\"} 0",
            "secchat_relay_over_limit_total{limit=\"rtts_per_minute\"} 0",
            "secchat_relay_reloads_total{result=\"refused\"} 0",
            "secchat_relay_files_in_force 1",
            "secchat_relay_certificate_days_left 2.0",
            "secchat_relay_crl_days_left NaN",
            "secchat_relay_forwarding_seconds_bucket{le=\"+Inf\"} 0",
            "# EOF",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
        metrics.note_login("lost");
        metrics.received.add(3, 100);
        metrics.note_forwarding(Duration::from_micros(70));
        metrics.note_reload("refused");
        let text = metrics.text(&dates, 86_400).unwrap();
        for line in [
            "secchat_relay_logins_total{result=\"lost\"} 1",
            "secchat_relay_frames_received_total 3",
            "secchat_relay_received_bytes_total 100",
            "secchat_relay_forwarding_seconds_bucket{le=\"0.0001\"} 1",
            "secchat_relay_files_in_force 0",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
        let value = |name: &str| {
            let line = text.lines().find(|line| line.starts_with(&format!("secchat_relay_{name} "))).unwrap();
            line.rsplit_once(' ').unwrap().1.parse::<u64>().unwrap()
        };
        assert!(value("resident_bytes") > 1 << 20 && value("open_files") > 2);
    }
}
