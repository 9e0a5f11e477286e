//! The task that owns the switchboard. It waits for its inputs and its timer, and for nothing else: what it sends
//! goes into queues that the switchboard has counted, so that no link can hold up another.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use secchat_proto::UserName;
use secchat_proto::wire::link::{LinkMessage, LogoutReason};
use tokio::sync::futures::OwnedNotified;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tracing::{debug, warn};

use crate::limits::BATCH;
use crate::logging::events;
use crate::metrics::Metrics;
use crate::outbox::{OutboxHandle, Outgoing, Parcel};
use crate::reading::is_forwarded;
use crate::reload::snapshot::Snapshot;
use crate::shutdown::Stopping;
use crate::switchboard::holdings::{Counts, Holdings};
use crate::switchboard::{Command, Login, Moment, SessionId, Switchboard};
use crate::user_list::rotation::Registered;

/// What the connections tell the router.
#[derive(Debug)]
pub(crate) enum Input {
    /// A user has logged in and sent its first record.
    Opened(Box<Opened>),
    /// A message came, and was read at that time.
    Message(SessionId, LinkMessage, Instant),
    /// A delegated key wants to log in: whose place it would take, for it to wait for a sign of life.
    Contest(UserName, oneshot::Sender<Option<Contested>>),
    /// A connection has ended, whatever it was.
    Gone(SessionId),
    /// The list has other keys for some.
    NewKeys(NewKeys),
    /// How much there is, for whoever asks.
    Count(oneshot::Sender<Counts>),
    /// All that is held on somebody, for whoever asks.
    Inspect(UserName, oneshot::Sender<Held>),
}

/// A link that has come up.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) login: Login,
    pub(crate) link: Link,
}

/// A link, as the router knows it.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) outbox: OutboxHandle,
    /// Counts its records for no pair; its reader slows down for them.
    pub(crate) strays: Arc<AtomicU32>,
    /// Told of each Pong.
    pub(crate) pongs: Arc<Notify>,
    pub(crate) address: SocketAddr,
    /// Unix seconds.
    pub(crate) since: u64,
}

/// A session that is here, asked for a sign of life.
#[derive(Debug)]
pub(crate) struct Contested {
    pub(crate) session: SessionId,
    /// Comes with its next Pong.
    pub(crate) pong: OwnedNotified,
}

/// Users whose keys are others by now, or none.
#[derive(Debug)]
pub(crate) struct NewKeys {
    /// Few: between two of these, messages are forwarded.
    pub(crate) keys: Vec<(UserName, Option<Registered>)>,
    /// Only say whose sessions would end.
    pub(crate) is_trial: bool,
    /// Whose sessions ended.
    pub(crate) ended: oneshot::Sender<Vec<UserName>>,
}

/// All that the router holds on a user.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    pub(crate) holdings: Holdings,
    /// Address of the link, and since when it is up, in Unix seconds.
    pub(crate) link: Option<(SocketAddr, u64)>,
}

/// The switchboard and the ways to the links.
#[derive(Debug)]
pub(crate) struct Router {
    switchboard: Switchboard,
    links: HashMap<SessionId, Link>,
    in_force: watch::Receiver<Arc<Snapshot>>,
    metrics: Arc<Metrics>,
    is_stopping: bool,
}

impl Router {
    /// A router without links.
    pub(crate) fn new(in_force: watch::Receiver<Arc<Snapshot>>, metrics: Arc<Metrics>) -> Self {
        let switchboard = Switchboard::new(in_force.borrow().config.limits.clone());
        Self { switchboard, links: HashMap::new(), in_force, metrics, is_stopping: false }
    }

    /// Runs until every connection, and whoever makes connections, has dropped its sender. From `shutdown` on,
    /// everybody is logged out, newcomers too.
    pub(crate) async fn run(mut self, mut inputs: mpsc::Receiver<Input>, mut shutdown: Stopping) {
        let mut batch = Vec::with_capacity(BATCH);
        loop {
            let timeout = self.switchboard.poll_timeout();
            tokio::select! {
                biased;
                () = shutdown.requested(), if !self.is_stopping => {
                    self.is_stopping = true;
                    self.switchboard.handle_shutdown();
                }
                Ok(()) = self.in_force.changed() => {
                    let limits = self.in_force.borrow_and_update().config.limits.clone();
                    self.switchboard.handle_limits(limits);
                }
                count = inputs.recv_many(&mut batch, BATCH) => {
                    if count == 0 {
                        return;
                    }
                    let now = moment();
                    for input in batch.drain(..) {
                        let read_at = self.handle(input, now);
                        self.execute(now, read_at);
                    }
                }
                () = sleep_until(timeout), if timeout.is_some() => {}
            }
            // However many inputs come, what is due is done.
            let now = moment();
            self.switchboard.handle_timeout(now);
            self.execute(now, None);
            self.count(inputs.len());
        }
    }

    /// What is to be counted, once for each batch.
    fn count(&mut self, waiting: usize) {
        self.metrics.note_load(&self.switchboard.load(), waiting);
        for (limit, times) in self.switchboard.take_over_limits() {
            self.metrics.note_over_limit(limit, times);
        }
    }

    /// Gives the time at which the input was read, if it may be forwarded.
    fn handle(&mut self, input: Input, now: Moment) -> Option<Instant> {
        match input {
            Input::Opened(opened) => self.open(*opened, now),
            Input::Message(from, message, read_at) => {
                let may_be_forwarded = is_forwarded(&message);
                self.switchboard.handle_message(from, message, now);
                if may_be_forwarded && !self.switchboard.has_commands() {
                    self.note_stray(from);
                }
                return may_be_forwarded.then_some(read_at);
            }
            Input::Contest(name, answer) => drop(answer.send(self.contest(&name, now))),
            Input::Gone(session) => {
                self.switchboard.handle_gone(session, now);
                self.links.remove(&session);
            }
            Input::NewKeys(new) => self.take_keys(new, now),
            // An error means that nobody waits for the answer any more; so below.
            Input::Count(answer) => drop(answer.send(self.switchboard.counts())),
            Input::Inspect(name, answer) => drop(answer.send(self.held(&name, now))),
        }
        None
    }

    /// A record for no pair has come.
    fn note_stray(&self, from: SessionId) {
        if let Some(link) = self.links.get(&from) {
            link.strays.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// A login takes a while: its key must still be on the list when it is done.
    fn open(&mut self, Opened { mut login, link }: Opened, now: Moment) {
        let listed = self.in_force.borrow().users.registered(&login.name, now.unix);
        login.chain = listed.as_ref().and_then(|listed| listed.chain_to(&login.public_key));
        if listed.is_none_or(|listed| !listed.takes(&login.public_key)) {
            debug!(session = login.session.0, "the key went off the list during the login");
            let _ = link.outbox.close.send(LogoutReason::Removed);
            return;
        }
        debug!(session = login.session.0, "link open");
        self.links.insert(login.session, link);
        self.switchboard.handle_login(login, now);
        if self.is_stopping {
            self.switchboard.handle_shutdown();
        }
    }

    /// The wait begins before the Ping leaves, so that no Pong falls between.
    fn contest(&mut self, name: &UserName, now: Moment) -> Option<Contested> {
        let session = self.switchboard.handle_contest(name, now)?;
        let pong = Arc::clone(&self.links.get(&session)?.pongs).notified_owned();
        Some(Contested { session, pong })
    }

    fn take_keys(&mut self, NewKeys { keys, is_trial, ended }: NewKeys, now: Moment) {
        let mut names = Vec::new();
        for (name, listed) in keys {
            if self.switchboard.is_online_with_another_key(&name, listed.as_ref()) {
                names.push(name.clone());
            }
            if !is_trial {
                self.switchboard.handle_new_key(&name, listed.as_ref(), now);
            }
        }
        let _ = ended.send(names);
    }

    /// Everything here that is on a user. Each field is looked at: a new one has to be as well, or this does not
    /// compile.
    fn held(&self, name: &UserName, now: Moment) -> Held {
        // The list in force is for whoever asked to look into; metrics are numbers.
        let Self { switchboard, links, in_force: _, metrics: _, is_stopping: _ } = self;
        let holdings = switchboard.holdings(name, now.instant);
        let link = holdings.session.as_ref().and_then(|session| links.get(&session.id));
        let link = link.map(|Link { outbox: _, strays: _, pongs: _, address, since }| (*address, *since));
        Held { holdings, link }
    }

    /// Does what the switchboard has decided.
    fn execute(&mut self, now: Moment, read_at: Option<Instant>) {
        while let Some(command) = self.switchboard.next_command() {
            match command {
                Command::Send { to, message, ticket } => {
                    self.send(to, Outgoing { parcel: Parcel::Message(message), ticket, read_at }, now);
                }
                Command::SendNames { to, names, ticket } => {
                    self.send(to, Outgoing { parcel: Parcel::Names(names), ticket, read_at: None }, now);
                }
                Command::Close { session, reason } => {
                    if let Some(link) = self.links.remove(&session) {
                        debug!(session = session.0, ?reason, "link closed");
                        // An error means that the connection has ended by itself.
                        let _ = link.outbox.close.send(reason);
                    }
                }
            }
        }
    }

    fn send(&mut self, to: SessionId, outgoing: Outgoing, now: Moment) {
        let Some(link) = self.links.get(&to) else { return };
        match link.outbox.queue.try_send(outgoing) {
            // Closed: the connection has ended, and its end is on the way.
            Ok(()) | Err(TrySendError::Closed(_)) => {}
            Err(TrySendError::Full(_)) => {
                warn!(
                    message_id = events::QUEUE_FULL,
                    session = to.0,
                    "a link's queue is full beyond all bounds: closing it"
                );
                self.switchboard.handle_too_slow(to, now);
            }
        }
    }
}

/// The time, as the switchboard wants it.
pub(crate) fn moment() -> Moment {
    // A clock before 1970 is no clock; requests then are all issued ahead, and dropped.
    let unix = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    Moment { instant: Instant::now(), unix }
}

async fn sleep_until(instant: Option<Instant>) {
    if let Some(instant) = instant {
        tokio::time::sleep_until(instant.into()).await;
    }
}
