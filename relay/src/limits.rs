//! Every bound of the relay that is not the protocol's own, with unit and reason. The defaults can be changed in
//! `[limits]` of the configuration; the protocol's bounds are in [`secchat_proto::limits`] and cannot.

use std::time::Duration;

use secchat_proto::limits as protocol;
use serde::{Deserialize, Serialize};

/// The bounds in force.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Connections of all kinds. Each holds a file descriptor; keep it below the service's `LimitNOFILE`.
    pub connections: usize,
    /// Connections of all kinds from one address (IPv6: one /64).
    pub connections_per_address: usize,
    /// Logins in flight, in all: what strangers can hold at once.
    pub logins: usize,
    /// Logins in flight from one address: a whole household or office behind one address must fit.
    pub logins_per_address: usize,
    /// Proofs (S2) a second that are checked, in all: they are what a login costs.
    pub logins_per_second: u32,
    /// Proofs at once, in all: a crowd coming back.
    pub login_burst: u32,
    /// Connections a second from one address, in the long run.
    pub logins_per_second_per_address: u32,
    /// Connections at once from one address: an office whose network comes back.
    pub login_burst_per_address: u32,
    /// Milliseconds for a login, from accept to its first record (PROTOCOL.md §3).
    pub login_timeout_ms: u64,
    /// Milliseconds for a frame of a link, from its first byte to its last.
    pub frame_timeout_ms: u64,
    /// Messages a second that one link's own business may be (all but what is forwarded), in the long run; more are
    /// read later.
    pub control_per_second: u32,
    /// Such messages at once: a daemon renews all that it has offered after each login.
    pub control_burst: u32,
    /// Messages of any kind a second that are read from one link; more are read later.
    pub messages_per_second: u32,
    /// Milliseconds of silence after which a link is pinged (§5).
    pub ping_after_ms: u64,
    /// Milliseconds without an answer to a Ping after which a link is dead (§5).
    pub pong_timeout_ms: u64,
    /// Milliseconds that changes of the list are gathered for, so that a crowd coming back costs one message.
    pub gather_ms: u64,
    /// Milliseconds for what is queued, and the Logout, to leave a link that the relay closes.
    pub drain_ms: u64,
    /// Requests to talk of one user a minute, in the long run.
    pub rtts_per_minute: u32,
    /// Requests to talk of one user at once: a daemon renews all of its own after each login.
    pub rtt_burst: u32,
    /// Requests to talk of one user to the same other one a minute, in the long run.
    pub rtts_per_pair_per_minute: u32,
    /// Requests to talk of one user to the same other one at once.
    pub rtt_pair_burst: u32,
    /// Requests to talk of all users a minute; as many at once.
    pub rtts_per_minute_in_all: u32,
    /// Requests to talk of one user that wait for an answer.
    pub pending_rtts: usize,
    /// Chats of one user: pairs, and Response 1 and Resume without their counterpart.
    pub chats: usize,
    /// Lists of one link a minute that are answered at once; more wait for the next gathering.
    pub refreshes_per_minute: u32,
    /// Messages of the relay's own that wait for one link; more, and it is too slow.
    pub link_queue_messages: usize,
    /// Bytes of the relay's own that wait for one link. A list counts little, however long: all links share it.
    pub link_queue_bytes: usize,
    /// Bytes of all chats together that wait for one link; above it, the pair whose record comes is dissolved.
    pub link_forward_bytes: usize,
    /// Bytes that wait for all links together; above it, the links with most waiting are too slow.
    pub queued_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 16_384,
            connections_per_address: 1_024,
            logins: 512,
            logins_per_address: 64,
            logins_per_second: 1_000,
            login_burst: 4_000,
            logins_per_second_per_address: 10,
            login_burst_per_address: 256,
            login_timeout_ms: milliseconds(protocol::LOGIN_TIMEOUT),
            frame_timeout_ms: 60_000,
            control_per_second: 32,
            control_burst: 1_024,
            messages_per_second: 16_384,
            ping_after_ms: milliseconds(protocol::PING_AFTER),
            pong_timeout_ms: milliseconds(protocol::PONG_TIMEOUT),
            gather_ms: 3_000,
            drain_ms: 5_000,
            rtts_per_minute: 60,
            rtt_burst: 128,
            rtts_per_pair_per_minute: 12,
            rtt_pair_burst: 32,
            rtts_per_minute_in_all: 60_000,
            pending_rtts: 64,
            chats: 128,
            refreshes_per_minute: 60,
            link_queue_messages: 1_024,
            link_queue_bytes: 8 * 1024 * 1024,
            link_forward_bytes: 8 * 1024 * 1024,
            queued_bytes: 128 * 1024 * 1024,
        }
    }
}

impl Limits {
    /// What is counted when somebody comes to it.
    pub(crate) const CAN_BE_OVER: [&'static str; 17] = [
        "connections",
        "connections_per_address",
        "logins",
        "logins_per_second",
        "logins_per_second_per_address",
        "frame_timeout_ms",
        "control_per_second",
        "rtts_per_minute",
        "rtts_per_pair_per_minute",
        "rtts_per_minute_in_all",
        "pending_rtts",
        "chats",
        "refreshes_per_minute",
        "link_queue_bytes",
        "link_forward_bytes",
        "queued_bytes",
        "pong_timeout_ms",
    ];

    /// The first bound that is zero, by the name it has in the configuration: with it nothing would work.
    #[must_use]
    pub fn zero(&self) -> Option<&'static str> {
        let sizes = [
            ("connections", self.connections),
            ("connections_per_address", self.connections_per_address),
            ("logins", self.logins),
            ("logins_per_address", self.logins_per_address),
            ("pending_rtts", self.pending_rtts),
            ("chats", self.chats),
            ("link_queue_messages", self.link_queue_messages),
            ("link_queue_bytes", self.link_queue_bytes),
            ("link_forward_bytes", self.link_forward_bytes),
            ("queued_bytes", self.queued_bytes),
        ];
        let times = [
            ("login_timeout_ms", self.login_timeout_ms),
            ("frame_timeout_ms", self.frame_timeout_ms),
            ("ping_after_ms", self.ping_after_ms),
            ("pong_timeout_ms", self.pong_timeout_ms),
            ("gather_ms", self.gather_ms),
            ("drain_ms", self.drain_ms),
        ];
        let rates = [
            ("logins_per_second", self.logins_per_second),
            ("login_burst", self.login_burst),
            ("logins_per_second_per_address", self.logins_per_second_per_address),
            ("login_burst_per_address", self.login_burst_per_address),
            ("control_per_second", self.control_per_second),
            ("control_burst", self.control_burst),
            ("messages_per_second", self.messages_per_second),
            ("rtts_per_minute", self.rtts_per_minute),
            ("rtt_burst", self.rtt_burst),
            ("rtts_per_pair_per_minute", self.rtts_per_pair_per_minute),
            ("rtt_pair_burst", self.rtt_pair_burst),
            ("rtts_per_minute_in_all", self.rtts_per_minute_in_all),
            ("refreshes_per_minute", self.refreshes_per_minute),
        ];
        let times = times.into_iter().chain(rates.into_iter().map(|(name, value)| (name, value.into())));
        let size = sizes.into_iter().find(|(_, value)| *value == 0).map(|(name, _)| name);
        let mut times = times;
        size.or_else(|| times.find(|(_, value)| *value == 0).map(|(name, _)| name))
    }

    /// Messages in the channel to one link's writer. Every message that enters it was admitted by a lane, so this
    /// is only the sum of what the lanes let through: the relay's own, and every pair's.
    #[must_use]
    pub fn link_channel_messages(&self) -> usize {
        let pairs = self.chats.saturating_add(self.pending_rtts);
        pairs.saturating_mul(protocol::MAX_PAIR_QUEUE_RECORDS).saturating_add(self.link_queue_messages)
    }

    /// Time for a login.
    #[must_use]
    pub fn login_timeout(&self) -> Duration {
        Duration::from_millis(self.login_timeout_ms)
    }

    /// Time for a frame of a link.
    #[must_use]
    pub fn frame_timeout(&self) -> Duration {
        Duration::from_millis(self.frame_timeout_ms)
    }

    /// Silence after which a link is pinged.
    #[must_use]
    pub fn ping_after(&self) -> Duration {
        Duration::from_millis(self.ping_after_ms)
    }

    /// Time for the answer to a Ping.
    #[must_use]
    pub fn pong_timeout(&self) -> Duration {
        Duration::from_millis(self.pong_timeout_ms)
    }

    /// How long changes of the list are gathered.
    #[must_use]
    pub fn gather(&self) -> Duration {
        Duration::from_millis(self.gather_ms)
    }

    /// Time for the last bytes of a link that the relay closes.
    #[must_use]
    pub fn drain(&self) -> Duration {
        Duration::from_millis(self.drain_ms)
    }
}

/// Bytes of certificate and CRL together: what an S1 has room for, besides nonce, suites and lengths.
pub(crate) const MAX_CREDENTIALS_BYTES: usize = protocol::MAX_S1_BYTES - 64;
/// Operators who ask at once.
pub(crate) const ADMIN_CLIENTS: usize = 8;
/// Bytes of an operator's request: a name and a few words.
pub(crate) const ADMIN_REQUEST_BYTES: u64 = 4 * 1024;
/// Time for a request to come, and for its answer to be taken.
pub(crate) const ADMIN_REQUEST_TIMEOUT: Duration = Duration::from_secs(5);
/// Time for an answer: a reload of the longest list takes seconds.
pub(crate) const ADMIN_ANSWER_TIMEOUT: Duration = Duration::from_secs(60);
/// Errors of the operator's files that are logged and told at once; `check` prints all.
pub(crate) const MAX_TOLD_ERRORS: usize = 1_000;
/// Inputs that wait for the router, from all connections: they wait to send, and TCP holds the clients back.
pub(crate) const ROUTER_QUEUE: usize = 1_024;
/// Messages that a link's reader has for its own writer (Ping, Pong): the reader waits.
pub(crate) const LOCAL_QUEUE: usize = 8;
/// Messages taken from a queue at once: sealed into one buffer, written by one call.
pub(crate) const BATCH: usize = 128;
/// Sealed bytes after which a batch is written although more is ready: bounds the writer's buffer.
pub(crate) const BATCH_BYTES: usize = 256 * 1024;
/// A link's buffers are given back down to this many bytes when it falls quiet.
pub(crate) const IDLE_BUFFER_BYTES: usize = 4 * 1024;
/// Most bytes taken by one read.
pub(crate) const READ_BYTES: usize = 64 * 1024;
/// Pause after a failed accept (no file descriptor free): others must end first.
pub(crate) const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How long what a client still sends is read away after our last byte, so that its arrival does not reset the
/// connection before the client has read that byte.
pub(crate) const LINGER: Duration = Duration::from_secs(1);

/// The same for a stranger: it waits for our answer rather than send on, and must not hold a connection for long.
pub(crate) const REJECT_LINGER: Duration = Duration::from_millis(100);

/// Whole milliseconds of the protocol's times: far below 2^64.
fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::Limits;

    #[test]
    fn the_handbook_names_every_limit_with_its_default() {
        let handbook = include_str!("../../docs/OPERATING.md");
        let limits = toml::Table::try_from(Limits::default()).unwrap();
        for (name, value) in &limits {
            let row = format!("| `{name}` | {value} | ");
            assert!(handbook.contains(&row), "docs/OPERATING.md lacks “{row}”");
        }
        let (_, section) = handbook.split_once("\n## Limits\n").unwrap();
        let section = section.split("\n## ").next().unwrap();
        assert_eq!(section.lines().filter(|line| line.starts_with("| `")).count(), limits.len() + 1);
    }

    #[test]
    fn every_limit_of_zero_is_named() {
        let limits = toml::Table::try_from(Limits::default()).unwrap();
        assert_eq!(Limits::default().zero(), None);
        for name in limits.keys() {
            let mut limits = limits.clone();
            limits.insert(name.clone(), 0.into());
            assert_eq!(limits.try_into::<Limits>().unwrap().zero(), Some(name.as_str()));
        }
    }
}
