//! Who is here, who asks whom, and whose records go where (PROTOCOL.md §5). Pure: messages, time and logins go in,
//! [`Command`]s come out. It refuses sockets, clocks and keys: it cannot read what it forwards.
//!
//! A user is *gone* without a session, *available* or *hidden* with one; *asking*, *asked* and *in chats* are what
//! its offers and pairs say, in any mixture. So there is no state enum: a user's state is its `Session` (role,
//! pairs) and its entries in `Offers`.
//!
//! - this file: logins, replacement, leaving
//! - `presence`: the list, its changes, the role
//! - `asking`: requests to talk and answers
//! - `offers`: the book of offers that wait for their counterpart
//! - `delegates`: links of delegated keys, which may hardly say anything
//! - `pairs`: making, using and dissolving pairs
//! - [`holdings`]: all that is held on one user, and how much there is
//! - `queues`: what waits for the links, in all
//! - [`lane`]: the bounded ways to the links
//! - [`name_list`]: lists of names on them

mod asking;
pub(crate) mod delegates;
pub mod holdings;
pub mod lane;
pub mod name_list;
mod offers;
mod pairs;
mod presence;
mod queues;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use secchat_proto::UserName;
use secchat_proto::crypto::signature::PublicKey;
use secchat_proto::wire::link::{BadReason, ChatId, LinkMessage, LogoutReason};
use secchat_proto::wire::login::Role;

use crate::bucket::Bucket;
use crate::limits::Limits;
use crate::user_list::rotation::Registered;
use asking::Rates;
pub use delegates::Delegated;
use delegates::Ends;
use imbl::OrdSet;
use lane::{Bound, Lane, Ticket};
use name_list::NameList;
use offers::Offers;
use presence::{Changes, LIST_BYTES};
use queues::Queues;

/// A login's number: never used twice while the relay runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub u64);

/// The time, passed in: the switchboard has no clock.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// For what lasts: monotonic.
    pub instant: Instant,
    /// For what people agreed on: Unix seconds.
    pub unix: u64,
}

/// A user who has proven who it is, and sent its first record.
#[derive(Clone, Debug)]
pub struct Login {
    /// The session's number.
    pub session: SessionId,
    /// Who.
    pub name: UserName,
    /// The key that it logged in with.
    pub public_key: PublicKey,
    /// What its keys before that one signed, for peers who know one of them.
    pub chain: Option<Arc<[u8]>>,
    /// Listed or hidden.
    pub role: Role,
    /// The first record, a Refresh: whether changes are wanted.
    pub watch: bool,
    /// By a delegated key, and whose place that may take; `None`: by the user's own, which takes any.
    pub delegated: Option<Delegated>,
}

/// What is to be done.
#[derive(Debug)]
pub enum Command {
    /// Send a message. It holds its place in the link's queue until the ticket is dropped.
    Send {
        /// On which link.
        to: SessionId,
        /// What.
        message: LinkMessage,
        /// Its place; when void, the message is to be thrown away.
        ticket: Ticket,
    },
    /// Send names, in as many records as they need. They hold one place together.
    SendNames {
        /// On which link.
        to: SessionId,
        /// Which.
        names: NameList,
        /// Their place.
        ticket: Ticket,
    },
    /// Send a Logout and close the link. The session is gone already.
    Close {
        /// Which link.
        session: SessionId,
        /// Why.
        reason: LogoutReason,
    },
}

/// How much there is of what takes memory and time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Load {
    /// Users who are here.
    pub sessions: usize,
    /// Pairs.
    pub chats: usize,
    /// What waits for all links together.
    pub queued: Bound,
}

/// The state of the whole relay.
#[derive(Debug)]
pub struct Switchboard {
    limits: Limits,
    /// Ordered, as all maps here: the order of commands is the same in every run.
    sessions: BTreeMap<SessionId, Session>,
    online: BTreeMap<UserName, SessionId>,
    /// Those who are available. A copy of it is cheap.
    listed: OrdSet<UserName>,
    offers: Offers,
    rates: Rates,
    changes: Changes,
    delegates: Ends,
    queues: Queues,
    /// How many pairs there are.
    pairs: usize,
    /// Limits that somebody came to, by their names, and how often.
    over_limits: BTreeMap<&'static str, u64>,
    /// Links that did not keep up with the message at hand; closed when it has been dealt with.
    too_slow: Vec<SessionId>,
    commands: VecDeque<Command>,
}

/// A user who is here.
#[derive(Debug)]
struct Session {
    name: UserName,
    public_key: PublicKey,
    chain: Option<Arc<[u8]>>,
    role: Role,
    watch: bool,
    /// Its key is a delegated one: until when, as it was said and by the relay's own clock.
    delegated: Option<(u64, Instant)>,
    refreshes: Bucket,
    /// A list was asked for too often: it leaves with the next changes.
    owed_list: bool,
    pairs: BTreeMap<ChatId, PairEnd>,
    /// The relay's own messages to this link.
    own: Lane,
    /// The lists among them: one waits at most.
    lists: Lane,
    /// All that pairs send to this link.
    forwarded: Lane,
}

/// A session's end of a pair.
#[derive(Debug)]
struct PairEnd {
    peer: SessionId,
    /// The way of what this end sends.
    outgoing: Lane,
}

impl Switchboard {
    /// An empty relay.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            sessions: BTreeMap::new(),
            online: BTreeMap::new(),
            listed: OrdSet::new(),
            offers: Offers::default(),
            rates: Rates::default(),
            changes: Changes::default(),
            delegates: Ends::default(),
            queues: Queues::default(),
            pairs: 0,
            over_limits: BTreeMap::new(),
            too_slow: Vec::new(),
            commands: VecDeque::new(),
        }
    }

    /// Takes a user in: the list leaves for it, and the requests that wait for it. An older session of the same
    /// user is replaced: its pairs and offers go with it, offers to that user stay. A delegated key replaces none that is
    /// alive.
    pub fn handle_login(&mut self, login: Login, now: Moment) {
        let Login { session, name, public_key, chain, role, watch, delegated } = login;
        if self.is_taken(&name, delegated) {
            let reason = LogoutReason::Replaced;
            return self.commands.push_back(Command::Close { session, reason });
        }
        if let Some(older) = self.online.get(&name).copied() {
            self.close(older, LogoutReason::Replaced, now);
        }
        let own = self
            .queues
            .lane(Bound { messages: self.limits.link_queue_messages, bytes: self.limits.link_queue_bytes });
        let opened = Session {
            name: name.clone(),
            public_key,
            chain,
            role,
            watch,
            delegated: delegated
                .map(|Delegated { until, .. }| (until, self.delegates.add(session, until, now))),
            refreshes: Bucket::full(now.instant),
            owed_list: false,
            pairs: BTreeMap::new(),
            lists: Lane::within(Bound { messages: 1, bytes: LIST_BYTES }, &own),
            own,
            forwarded: self
                .queues
                .lane(Bound { messages: usize::MAX, bytes: self.limits.link_forward_bytes }),
        };
        self.sessions.insert(session, opened);
        self.online.insert(name.clone(), session);
        self.refresh(session, watch, now);
        if role == Role::Receiver {
            self.came_or_went(name.clone(), now);
            self.deliver_waiting(&name, now);
        }
        self.close_too_slow(now);
    }

    /// Deals with a message of `from`; one of an unknown (closed) session is dropped.
    pub fn handle_message(&mut self, from: SessionId, message: LinkMessage, now: Moment) {
        if self.is_beyond_delegate(from, &message) {
            return;
        }
        match message {
            LinkMessage::Refresh { watch } => self.refresh(from, watch, now),
            LinkMessage::Presence { role } => self.change_role(from, role, now),
            LinkMessage::Rtt { name, request } => self.ask(from, &name, request, now),
            LinkMessage::Response { answer, name, chat_id } => {
                self.answer(from, answer, (name, chat_id), now)
            }
            LinkMessage::Resume { name, chat_id } => self.resume(from, name, chat_id, now),
            LinkMessage::KeyEstablishment { chat_id, .. } | LinkMessage::Chat { chat_id, .. } => {
                self.forward(from, chat_id, message);
            }
            LinkMessage::ReturnToLobby { chat_id } => self.return_to_lobby(from, chat_id),
            LinkMessage::Logout(_) => self.leave(from, now),
            // An Acknowledgment asks for nothing; Ping and Pong are the connection's; the others are the relay's
            // own messages, which the decoder refuses from a client.
            LinkMessage::Acknowledgment { .. }
            | LinkMessage::Ping(_)
            | LinkMessage::Pong(_)
            | LinkMessage::AvailableUsers { .. }
            | LinkMessage::PeerKey { .. }
            | LinkMessage::BadResponse { .. } => {}
        }
        self.close_too_slow(now);
    }

    /// The link of `session` is gone: whoever was paired with it is told, its offers end.
    pub fn handle_gone(&mut self, session: SessionId, now: Moment) {
        self.leave(session, now);
        self.close_too_slow(now);
    }

    /// The link of `session` does not take what it is sent.
    pub fn handle_too_slow(&mut self, session: SessionId, now: Moment) {
        self.too_slow.push(session);
        self.close_too_slow(now);
    }

    /// Whether a user is here by a key that the list does not take (`None`: any).
    #[must_use]
    pub fn is_online_with_another_key(&self, name: &UserName, listed: Option<&Registered>) -> bool {
        let session = self.online.get(name).and_then(|id| self.sessions.get(id));
        session.is_some_and(|session| listed.is_none_or(|listed| !listed.takes(&session.public_key)))
    }

    /// The list of users says this of a user by now, or nothing. A session of another key ends; of a user who is off
    /// the list nothing is kept, nor what others have offered to that user.
    pub fn handle_new_key(&mut self, name: &UserName, listed: Option<&Registered>, now: Moment) {
        if let Some(id) = self.online.get(name).copied() {
            if self.is_online_with_another_key(name, listed) {
                self.close(id, LogoutReason::Removed, now);
            } else if let (Some(session), Some(listed)) = (self.sessions.get_mut(&id), listed) {
                session.chain = listed.chain_to(&session.public_key);
            }
        }
        if listed.is_none() {
            self.offers.forget(name);
            self.rates.forget(name);
        }
        self.close_too_slow(now);
    }

    /// Other bounds from now on. Who is above one already stays; a link that is open keeps its queues' bounds.
    pub fn handle_limits(&mut self, limits: Limits) {
        self.limits = limits;
    }

    /// Logs everybody out: the relay stops.
    pub fn handle_shutdown(&mut self) {
        for session in std::mem::take(&mut self.sessions).into_keys() {
            self.commands.push_back(Command::Close { session, reason: LogoutReason::Closing });
        }
        let stopped = Self::new(self.limits.clone());
        let commands = std::mem::replace(self, stopped).commands;
        self.commands = commands;
    }

    /// Sends the gathered changes of the list, when they are due, and ends delegated sessions that are over.
    pub fn handle_timeout(&mut self, now: Moment) {
        self.end_delegates(now);
        self.send_changes(now);
        self.close_too_slow(now);
    }

    /// When [`Self::handle_timeout`] is due. Any input may change it.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.changes.due().into_iter().chain(self.delegates.next()).min()
    }

    /// The next thing to do; to be asked until `None` after each input.
    #[must_use]
    pub fn next_command(&mut self) -> Option<Command> {
        self.commands.pop_front()
    }

    /// Whether there is something to do.
    #[must_use]
    pub fn has_commands(&self) -> bool {
        !self.commands.is_empty()
    }

    /// What there is now.
    #[must_use]
    pub fn load(&self) -> Load {
        Load { sessions: self.sessions.len(), chats: self.pairs, queued: self.queues.load() }
    }

    /// The limits that somebody came to since the last time, by their names in the configuration, and how often.
    #[must_use]
    pub fn take_over_limits(&mut self) -> BTreeMap<&'static str, u64> {
        std::mem::take(&mut self.over_limits)
    }

    /// Whether a user is here, listed or not.
    #[must_use]
    pub fn is_online(&self, name: &UserName) -> bool {
        self.online.contains_key(name)
    }

    /// Who is paired with `session` for `chat_id`.
    #[must_use]
    pub fn peer_of(&self, session: SessionId, chat_id: &ChatId) -> Option<SessionId> {
        Some(self.sessions.get(&session)?.pairs.get(chat_id)?.peer)
    }

    /// Queues a message of the relay's own.
    fn send(&mut self, to: SessionId, message: LinkMessage) {
        if let Some(ticket) = self.admit(to, queues::bytes_of(&message), |session| &session.own) {
            self.commands.push_back(Command::Send { to, message, ticket });
        }
    }

    /// A place on a lane to a link. A link that is full is closed when the input has been dealt with.
    fn admit(&mut self, to: SessionId, bytes: usize, lane: fn(&Session) -> &Lane) -> Option<Ticket> {
        self.make_room(bytes);
        let ticket = lane(self.sessions.get(&to)?).admit(bytes);
        if ticket.is_none() {
            self.note_over("link_queue_bytes");
            self.too_slow.push(to);
        }
        ticket
    }

    fn note_over(&mut self, limit: &'static str) {
        let times = self.over_limits.entry(limit).or_default();
        *times = times.saturating_add(1);
    }

    /// Sends 7.
    fn send_bad_response(&mut self, to: SessionId, reason: BadReason, name: UserName, chat_id: ChatId) {
        self.send(to, LinkMessage::BadResponse { reason, name, chat_id });
    }

    fn close(&mut self, session: SessionId, reason: LogoutReason, now: Moment) {
        if self.sessions.contains_key(&session) {
            self.leave(session, now);
            self.commands.push_back(Command::Close { session, reason });
        }
    }

    fn close_too_slow(&mut self, now: Moment) {
        while let Some(session) = self.too_slow.pop() {
            self.close(session, LogoutReason::TooSlow, now);
        }
    }

    /// Forgets a session, and tells those who were paired with it.
    fn leave(&mut self, session: SessionId, now: Moment) {
        let Some(gone) = self.sessions.remove(&session) else { return };
        self.online.remove(&gone.name);
        if let Some((_, ends)) = gone.delegated {
            self.delegates.remove(ends, session);
        }
        self.offers.forget_maker(&gone.name);
        self.pairs = self.pairs.saturating_sub(gone.pairs.len());
        for (chat_id, end) in gone.pairs {
            if let Some(peer) = self.sessions.get_mut(&end.peer) {
                peer.pairs.remove(&chat_id);
            }
            self.send_bad_response(end.peer, BadReason::NotAvailable, gone.name.clone(), chat_id);
        }
        if gone.role == Role::Receiver {
            self.came_or_went(gone.name, now);
        }
    }
}
