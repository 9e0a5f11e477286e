//! A program that reads a user's events under a name, and what it must hear.

use std::collections::BTreeMap;
use std::time::Duration;

use secchat_ipc::types::{ChatId, LoggedEvent};
use secchat_ipc::{Command, CommandError, Event, Reply};

use crate::world::World;

/// Its connection.
pub const READER: u64 = 8;
const CONSUMER: &str = "bot";

/// What it has heard.
#[derive(Debug, Default)]
pub struct Hearing {
    /// So many texts had been written when it was known: what is written later and read, it hears.
    since: Option<usize>,
    /// Events by their numbers.
    events: BTreeMap<u64, Event>,
    /// The last text that it has heard in each chat.
    last: BTreeMap<ChatId, u64>,
    /// The last event that its connection was given.
    given: u64,
    /// Events up to this one were acknowledged, and that was answered.
    done: u64,
}

impl Hearing {
    /// Its connection is gone, or who was at the other end.
    pub fn disconnect(&mut self) {
        self.given = 0;
    }

    fn hear(&mut self, logged: &LoggedEvent) {
        assert!(logged.number > self.done, "an event that is done with came again: {logged:?}");
        let known = self.events.insert(logged.number, logged.event.clone());
        assert!(known.as_ref().is_none_or(|event| *event == logged.event), "{known:?} became {logged:?}");
        if let (None, Event::MessageReceived(message)) = (known, &logged.event) {
            let last = self.last.insert(message.chat_id, message.id);
            assert!(last.is_none_or(|last| last + 1 == message.id), "after text {last:?}: {message:?}");
        }
    }
}

impl World {
    /// The program reads on, begins anew, or only acknowledges.
    pub fn hear(&mut self, at: usize) {
        if !self.is_calm && self.people.chance(10) {
            self.frontend_gone(at, READER);
        }
        let given = self.nodes[at].hearing.given;
        let acknowledged = if self.is_calm || self.people.chance(60) { given } else { 0 };
        let most = if self.is_calm { 1_000 } else { self.people.pick(&[0, 1, 3, 1_000]) };
        let consume = Command::Consume { consumer: CONSUMER.to_owned(), acknowledged, most };
        self.command(at, READER, Duration::from_secs(2), consume);
    }

    /// What the program was answered.
    pub fn check_heard(
        &mut self,
        at: usize,
        (acknowledged, most): (u64, u16),
        result: &Result<Reply, CommandError>,
    ) {
        assert!(
            !matches!(result, Err(CommandError::Invalid { .. } | CommandError::InUse { .. })),
            "{result:?}"
        );
        let Ok(Reply::Events { missed, events }) = result else { return };
        let written = self.ledger.texts.len();
        let user = self.nodes[at].user.clone();
        for logged in events {
            if let Event::MessageReceived(message) = &logged.event {
                self.ledger.check_consent(&user, message.peer.as_str(), message.chat_id);
                let sent = self.ledger.texts.get(&message.text).expect("a text that nobody wrote");
                assert_eq!((sent.from.as_str(), &sent.to), (message.peer.as_str(), &user), "{message:?}");
            }
        }
        self.ledger.heard += events.len() as u64;
        let hearing = &mut self.nodes[at].hearing;
        hearing.since.get_or_insert(written);
        assert_eq!(*missed, 0, "{user}: the log has room for all of this");
        assert!(events.windows(2).all(|pair| pair[0].number < pair[1].number), "{user}: {events:?}");
        assert!(
            events.iter().all(|logged| logged.number > acknowledged),
            "{user}: {acknowledged} {events:?}"
        );
        events.iter().for_each(|logged| hearing.hear(logged));
        hearing.given = events.last().map_or(hearing.given, |last| hearing.given.max(last.number));
        if most == 0 {
            hearing.done = hearing.done.max(acknowledged);
        }
    }

    /// When all is quiet: whatever was read has been heard, too.
    pub fn check_hearing(&self) {
        for node in &self.nodes {
            let Some(since) = node.hearing.since else { continue };
            let heard = |words: &str| {
                let is_it = |event: &Event| matches!(event, Event::MessageReceived(it) if it.text == words);
                node.hearing.events.values().any(is_it)
            };
            for (words, sent) in self.ledger.texts.iter().filter(|(_, sent)| sent.to == node.user) {
                let is_its_business = sent.is_received && crate::ledger::number(words) >= since as u64;
                assert!(!is_its_business || heard(words), "{} read {words:?}, unheard", node.user);
            }
        }
    }
}
