//! Commands that wait: each is answered exactly once, at its deadline at the latest.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use secchat_ipc::{Command, Reply};
use secchat_proto::UserName;
use secchat_proto::wire::link::ChatId;

use super::commands::Caller;
use super::io::RequestKey;
use crate::limits::{MAX_PENDING_COMMANDS, MAX_PENDING_COMMANDS_PER_FRONTEND};

/// A waiting command. Unlike a request's id it is never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Ticket(u64);

/// What a command waits for.
#[derive(Debug)]
pub(super) enum Wait {
    /// The login under way; the command is carried out then.
    Link(Box<(Caller, Command)>),
    /// The identity key.
    Unlocked,
    /// The link.
    Online,
    /// The list that answers this Refresh.
    List {
        /// The Refresh's number.
        refresh: u64,
    },
    /// A chat with the peer, asked for.
    Talk {
        /// Who was asked.
        peer: UserName,
    },
    /// An accepted chat's opening.
    Opening {
        /// Which.
        chat_id: ChatId,
    },
    /// The peer's acknowledgement of a text.
    Delivery {
        /// In which chat.
        chat_id: ChatId,
    },
    /// The peer's answer to an End.
    Close {
        /// Of which chat.
        chat_id: ChatId,
    },
    /// The save that holds the change.
    Saved {
        /// The change's number.
        change: u64,
        /// The answer then.
        reply: Box<Reply>,
    },
    /// A job of the history.
    History,
    /// The save of a text that was left.
    Queued,
    /// The next event in the log.
    Events {
        /// For whom.
        consumer: String,
        /// How many at most.
        most: u16,
    },
}

/// A command that waits.
#[derive(Debug)]
pub(super) struct Waiting {
    /// Where the answer goes.
    pub(super) key: RequestKey,
    /// For what.
    pub(super) wait: Wait,
    deadline: Instant,
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Pending {
    last: u64,
    waiting: BTreeMap<Ticket, Waiting>,
    deadlines: BTreeSet<(Instant, Ticket)>,
    per_frontend: BTreeMap<u64, usize>,
}

impl Pending {
    /// Whether one more command of this frontend may wait.
    pub(super) fn has_room(&self, frontend: u64) -> bool {
        let own = self.per_frontend.get(&frontend).copied().unwrap_or(0);
        self.waiting.len() < MAX_PENDING_COMMANDS && own < MAX_PENDING_COMMANDS_PER_FRONTEND
    }

    /// Adds a command.
    pub(super) fn add(&mut self, key: RequestKey, deadline: Instant, wait: Wait) -> Ticket {
        self.last = self.last.wrapping_add(1);
        let ticket = Ticket(self.last);
        self.waiting.insert(ticket, Waiting { key, wait, deadline });
        self.deadlines.insert((deadline, ticket));
        let count = self.per_frontend.entry(key.frontend).or_default();
        *count = count.saturating_add(1);
        ticket
    }

    /// Takes one out, if it still waits.
    pub(super) fn take(&mut self, ticket: Ticket) -> Option<Waiting> {
        let waiting = self.waiting.remove(&ticket)?;
        self.deadlines.remove(&(waiting.deadline, ticket));
        let count = self.per_frontend.entry(waiting.key.frontend).or_default();
        *count = count.saturating_sub(1);
        if *count == 0 {
            self.per_frontend.remove(&waiting.key.frontend);
        }
        Some(waiting)
    }

    /// Whether it still waits.
    pub(super) fn is_waiting(&self, ticket: Ticket) -> bool {
        self.waiting.contains_key(&ticket)
    }

    /// Takes out, in the order in which they came, all that wait for this.
    pub(super) fn take_all(&mut self, is_it: impl Fn(&Wait) -> bool) -> Vec<Waiting> {
        let found: Vec<Ticket> =
            self.waiting.iter().filter(|(_, w)| is_it(&w.wait)).map(|(ticket, _)| *ticket).collect();
        found.into_iter().filter_map(|ticket| self.take(ticket)).collect()
    }

    /// Takes out what a frontend waits for.
    pub(super) fn take_frontend(&mut self, frontend: u64) -> Vec<(Ticket, Waiting)> {
        self.take_where(|w| w.key.frontend == frontend)
    }

    /// Takes out what is due.
    pub(super) fn take_due(&mut self, now: Instant) -> Vec<(Ticket, Waiting)> {
        let due: Vec<Ticket> =
            self.deadlines.iter().take_while(|(at, _)| *at <= now).map(|(_, ticket)| *ticket).collect();
        due.into_iter().filter_map(|ticket| Some((ticket, self.take(ticket)?))).collect()
    }

    /// Takes out everything.
    pub(super) fn take_everything(&mut self) -> Vec<(Ticket, Waiting)> {
        self.take_where(|_| true)
    }

    /// Whether any command waits for this.
    pub(super) fn any(&self, is_it: impl Fn(&Wait) -> bool) -> bool {
        self.waiting.values().any(|w| is_it(&w.wait))
    }

    /// The next deadline.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.deadlines.first().map(|(at, _)| *at)
    }

    fn take_where(&mut self, is_it: impl Fn(&Waiting) -> bool) -> Vec<(Ticket, Waiting)> {
        let found: Vec<Ticket> =
            self.waiting.iter().filter(|(_, w)| is_it(w)).map(|(ticket, _)| *ticket).collect();
        found.into_iter().filter_map(|ticket| Some((ticket, self.take(ticket)?))).collect()
    }
}
