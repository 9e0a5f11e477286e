//! The link to the relay: a task that connects, logs in, and carries messages until the link ends.
//!
//! Decides nothing about messages, Pings included: the core does. Ends in exactly one [`LinkEvent::Down`].

pub(crate) mod check;
mod login;
#[cfg(test)]
mod tests;
mod traffic;
mod trust;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use secchat_proto::UserName;
use secchat_proto::crypto::kem::Suites;
use secchat_proto::wire::link::LinkMessage;
use secchat_proto::wire::login::Role;
use tokio::sync::{mpsc, oneshot};

use crate::config::{Config, RelayAddress};
use crate::core::io::{LinkFailure, LoginKey};
use crate::hub::Message;
use crate::state_folder::StateFolder;

/// Where the relay is and what makes it trusted.
#[derive(Debug)]
pub(crate) struct LinkSettings {
    user: UserName,
    relay: RelayAddress,
    relay_name: String,
    ca: PathBuf,
    crl: Option<PathBuf>,
    suites: Suites,
    /// What a person edits to change these.
    config_file: PathBuf,
}

impl LinkSettings {
    /// What the configuration says; a sentence when it says too little.
    pub(crate) fn new(config: &Config) -> Result<Self, String> {
        let missing = |key: &str, example: &str| {
            format!("`{key}` is not set: add `{key} = \"{example}\"` to {}", config.file.display())
        };
        Ok(Self {
            user: config.user.clone().ok_or_else(|| missing("user", "alice"))?,
            relay: config.relay.clone().ok_or_else(|| missing("relay", "relay.example.org:4711"))?,
            relay_name: config.relay_name.clone(),
            ca: config.ca.clone(),
            crl: config.crl.clone(),
            suites: config.link_suites.clone(),
            config_file: config.file.clone(),
        })
    }
}

/// What one attempt needs beside the settings.
#[derive(Debug)]
pub(crate) struct Attempt {
    pub(crate) key: LoginKey,
    pub(crate) role: Role,
    pub(crate) newest_crl_seen: u64,
}

/// What a link tells the hub.
#[derive(Debug)]
pub(crate) enum LinkEvent {
    /// The thisUpdate of a genuine CRL, whatever comes of the login.
    CrlSeen { this_update: u64 },
    /// Logged in.
    Up { warnings: Vec<String> },
    /// A message came.
    Message(LinkMessage),
    /// The end.
    Down(LinkFailure),
}

/// The hub's end of a link. Dropped, it closes the link once what was sent is written.
#[derive(Debug)]
pub(crate) struct Link {
    outbox: mpsc::Sender<Vec<u8>>,
    queued_bytes: Arc<AtomicUsize>,
    _open: oneshot::Sender<()>,
}

/// The relay does not take what is sent to it.
#[derive(Debug)]
pub(crate) struct LinkFull;

impl Link {
    /// Queues a message. A link that has ended takes it too: its end is on the way to the hub.
    pub(crate) fn send(&self, message: &LinkMessage) -> Result<(), LinkFull> {
        let mut bytes = Vec::new();
        message.encode(&mut bytes);
        let length = bytes.len();
        let before = self.queued_bytes.fetch_add(length, Ordering::Relaxed);
        if before.saturating_add(length) > MAX_QUEUED_BYTES {
            return Err(LinkFull);
        }
        match self.outbox.try_send(bytes) {
            Ok(()) | Err(mpsc::error::TrySendError::Closed(_)) => Ok(()),
            Err(mpsc::error::TrySendError::Full(_)) => Err(LinkFull),
        }
    }
}

/// The task's end of a link.
struct LinkEnds {
    outbox: mpsc::Receiver<Vec<u8>>,
    queued_bytes: Arc<AtomicUsize>,
    closed: oneshot::Receiver<()>,
}

/// A link to be, and the future that carries it.
pub(crate) fn open(
    settings: Arc<LinkSettings>,
    state: Arc<StateFolder>,
    attempt: Attempt,
    generation: u64,
    hub: mpsc::Sender<Message>,
) -> (Link, impl Future<Output = ()> + Send + 'static) {
    let (sender, outbox) = mpsc::channel(MAX_QUEUED_MESSAGES);
    let (opened, closed) = oneshot::channel();
    let queued_bytes = Arc::new(AtomicUsize::new(0));
    let link = Link { outbox: sender, queued_bytes: Arc::clone(&queued_bytes), _open: opened };
    let ends = LinkEnds { outbox, queued_bytes, closed };
    let events = EventSink { generation, hub };
    let task = async move {
        let failure = run(&settings, state, attempt, ends, &events).await;
        events.send(LinkEvent::Down(failure)).await;
    };
    (link, task)
}

/// Where a link's events go.
struct EventSink {
    generation: u64,
    hub: mpsc::Sender<Message>,
}

impl EventSink {
    /// Waits for the hub; without one, the daemon is ending and nobody wants to know.
    async fn send(&self, event: LinkEvent) {
        let _ = self.hub.send(Message::Link { generation: self.generation, event }).await;
    }
}

async fn run(
    settings: &LinkSettings,
    state: Arc<StateFolder>,
    attempt: Attempt,
    ends: LinkEnds,
    events: &EventSink,
) -> LinkFailure {
    let LinkEnds { outbox, queued_bytes, mut closed } = ends;
    let logged_in = tokio::select! {
        // Boxed: the login's state is large and gone after it.
        result = Box::pin(login::log_in(settings, state, attempt, events)) => match result {
            Ok(logged_in) => logged_in,
            Err(failure) => return failure,
        },
        _ = &mut closed => return LinkFailure::Closed,
    };
    let login::LoggedIn { stream, decoder, session, warnings } = logged_in;
    tracing::info!(relay = %settings.relay, "logged in");
    for warning in &warnings {
        tracing::warn!(relay = %settings.relay, "{warning}");
    }
    events.send(LinkEvent::Up { warnings }).await;
    let (input, output) = stream.into_split();
    tokio::select! {
        failure = traffic::read(input, decoder, session.opener, events) => failure,
        failure = traffic::write(output, session.sealer, outbox, &queued_bytes) => failure,
        () = linger(closed) => LinkFailure::Closed,
    }
}

/// Ends some time after the hub let go of the link, written or not.
async fn linger(closed: oneshot::Receiver<()>) {
    let _ = closed.await;
    tokio::time::sleep(LAST_WORDS).await;
}

/// Messages that wait for the relay at most: every chat's 32 unacknowledged texts after a new login, many times over.
const MAX_QUEUED_MESSAGES: usize = 4_096;
/// Bytes that wait for the relay at most: 32 chats with all that they may have unacknowledged (PROTOCOL.md §5).
const MAX_QUEUED_BYTES: usize = 8 * 1024 * 1024;
/// How long a closing link may take to write what was sent.
const LAST_WORDS: Duration = Duration::from_secs(2);
