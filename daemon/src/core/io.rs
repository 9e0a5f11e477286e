//! What goes into the core and what comes out.
//!
//! # The link
//! Each [`Output::Connect`] is answered by exactly one [`Input::LinkDown`], with an [`Input::LinkUp`] before it when
//! the login succeeded. [`Output::Disconnect`] also ends a login under way; one that finds the link gone already
//! needs no answer of its own. The core answers Pings, pings a silent link and gives up a dead one itself: the link
//! task carries messages and knows nothing of them.
//!
//! # The state on disk
//! [`Output::Write`] comes one at a time; the next one follows [`Input::Saved`]. What promises something to others comes
//! out only after that: the owner of the core carries out what it is given, in order, and need not know what waits.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use secchat_ipc::types::{Passphrase, QuietHours};
use secchat_ipc::{Command, CommandError, Event, Reply, Snapshot};
use secchat_proto::UserName;
use secchat_proto::crypto::kem::{ReadyRsaKey, Suites};
use secchat_proto::crypto::signature::SigningKey;
use secchat_proto::handshake::delegation::DelegatedKey;
use secchat_proto::wire::link::LinkMessage;
use secchat_proto::wire::login::{RejectReason, Role};

use super::keeping::{HistoryAnswer, HistoryRequest};
use super::record::{Record, RecordKey, Unlocked};

/// Both clocks.
#[derive(Clone, Copy, Debug)]
pub struct Time {
    /// Monotonic.
    pub now: Instant,
    /// Unix seconds.
    pub unix: u64,
}

/// What does not change while the daemon runs.
#[derive(Clone, Debug)]
pub struct Settings {
    /// This user; `None` until configured.
    pub user: Option<UserName>,
    /// The profile's name; empty for the default one.
    pub profile: String,
    /// The relay's address as configured, for people.
    pub relay: String,
    /// Listed or hidden at the start.
    pub role: Role,
    /// Suites between peers.
    pub peer_suites: Suites,
    /// Texts kept unread at most; beyond it none is acknowledged.
    pub max_inbox_messages: usize,
    /// Bytes of unread texts kept at most.
    pub max_inbox_bytes: usize,
    /// Requests of others kept at most.
    pub max_incoming_requests: usize,
    /// For how long after a refusal the same peer's new requests are refused without a person being asked.
    pub cool_down: Duration,
    /// Stay reachable when the daemon locks by itself.
    pub lock_keeps_session: bool,
    /// The hours of every day in which frontends keep quiet, unless a person says otherwise.
    pub quiet_hours: Option<QuietHours>,
    /// Events are numbered from here on: when the daemon started, in millionths of a second, so that a number which a
    /// frontend kept is never that of another event of a later daemon.
    pub first_event: u64,
}

/// Which request of which frontend.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestKey {
    /// The frontend's connection.
    pub frontend: u64,
    /// The request's id on it.
    pub id: u64,
}

/// Who a frontend says to be, and its process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frontend {
    /// Its connection.
    pub connection: u64,
    /// The name in its hello.
    pub name: String,
    /// Its process id by the socket's credentials.
    pub pid: u32,
}

/// What happens to the core.
#[derive(Debug)]
pub enum Input {
    /// A frontend's command.
    Command {
        /// Who.
        frontend: Frontend,
        /// The request's id on that connection.
        id: u64,
        /// Its time limit; zero: the default.
        timeout: Duration,
        /// What.
        command: Command,
    },
    /// A frontend is gone: its pending commands need no reply, its subscription ends.
    FrontendGone(u64),
    /// The key file was decrypted and what only the key opens was read, or not ([`Output::LoadIdentity`]).
    IdentityLoaded(Result<Unlocked, CommandError>),
    /// A genuine CRL of the relay's CA came, whatever comes of the login that it came in.
    CrlSeen {
        /// Its thisUpdate: Unix seconds.
        this_update: u64,
    },
    /// The link is up: logged in, Refresh may be sent.
    LinkUp {
        /// For people: warnings about certificate and CRL.
        warnings: Vec<String>,
    },
    /// A message on the link.
    LinkMessage(LinkMessage),
    /// The link is down, or could not be made.
    LinkDown(LinkFailure),
    /// A ready RSA key ([`Output::MakeRsaKey`]).
    RsaKeyReady(ReadyRsaKey),
    /// The changes were written, or not ([`Output::Write`]); the text says which file and why.
    Saved(Result<(), String>),
    /// A job of the history was done, or not ([`Output::History`]).
    HistoryDone(Result<HistoryAnswer, CommandError>),
    /// The machine goes to sleep or its screen is locked: lock as the configuration has it.
    LockByItself,
    /// Where the machine is, by its clock: at the start, and when it is elsewhere.
    Zone(jiff::tz::TimeZone),
    /// The daemon stops: log out, answer what waits.
    Stop,
}

/// Why there is no link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkFailure {
    /// Connecting, the login or the link failed; for people.
    Failed(String),
    /// The relay rejected the login (unproven).
    Rejected(RejectReason),
    /// Closed as asked.
    Closed,
}

/// What the core wants done, in order.
#[derive(Debug)]
pub enum Output {
    /// The one answer to a request.
    Reply(RequestKey, Result<Reply, CommandError>),
    /// The snapshot that answers a Subscribe; events follow on that connection.
    Subscribed(RequestKey, Box<Snapshot>),
    /// To every subscribed frontend.
    Event {
        /// Its number.
        sequence: u64,
        /// The change.
        event: Event,
    },
    /// Decrypt the key file, and read with the key what is on disk; answer with [`Input::IdentityLoaded`].
    LoadIdentity(Passphrase),
    /// Connect and log in; answer with [`Input::LinkUp`] or [`Input::LinkDown`].
    Connect {
        /// What the login is proven with.
        key: LoginKey,
        /// Listed or hidden.
        role: Role,
        /// The newest CRL seen.
        newest_crl_seen: u64,
    },
    /// Send a message on the link.
    Send(LinkMessage),
    /// Close the link after what was sent; answer with [`Input::LinkDown`] `Closed`.
    Disconnect,
    /// Make an RSA key for suite 1 off the loop; answer with [`Input::RsaKeyReady`].
    MakeRsaKey,
    /// Write these records (`Some`) and delete those (`None`), all or none, and answer with [`Input::Saved`] when they
    /// are on disk. Never two at a time.
    Write(BTreeMap<RecordKey, Option<Record>>),
    /// Do this with what was kept of conversations; answer with [`Input::HistoryDone`]. Never two at a time.
    History(Box<HistoryRequest>),
    /// The identity key is wiped: what is written from now on only it can read.
    LockStore,
    /// A line for the log: who did what to whom; never contents.
    Log(LogLine),
}

/// What a login is proven with.
#[derive(Clone, Debug)]
pub enum LoginKey {
    /// The identity key.
    Identity(SigningKey),
    /// A key that it delegated to before it was wiped.
    Delegated(DelegatedKey),
}

/// A line for the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// What happened: a fixed word such as `rtt_received`.
    pub event: &'static str,
    /// The peer it is about.
    pub peer: Option<UserName>,
    /// Detail for people, without contents and secrets.
    pub detail: String,
    /// Worth a person's attention.
    pub warning: bool,
}
