//! Named consumers: each has every event at least once, in order, over restarts of it and of the daemon.
//!
//! While there is one, what happens goes into a log, a row for each event, in the same write as what it tells of. An
//! event is handed out once it is on disk, and goes when every consumer has acknowledged it. The log is bounded: what
//! no longer fits goes unseen, and those who missed it are told how much it was.

use std::collections::{BTreeMap, VecDeque};

use secchat_ipc::types::{ChatId as IpcChatId, Consumer as Shown, LoggedEvent};
use secchat_ipc::{CommandError, Event, Reply};
use secchat_proto::UserName;
use secchat_proto::crypto::entropy::Entropy;

use super::Core;
use super::commands::{Caller, Outcome};
use super::pending::Wait;
use super::record::{Record, RecordKey, SavedConsumer};
use crate::limits::{MAX_CONSUMERS, MAX_EVENTS_PER_REPLY, MAX_LOGGED_BYTES, MAX_LOGGED_EVENTS};

/// The log, and who reads it.
#[derive(Debug, Default)]
pub(super) struct Consumers {
    /// By their numbers, which rise; of texts that were dropped unseen there are none.
    log: VecDeque<Logged>,
    bytes: usize,
    /// The last number given.
    last: u64,
    /// The last one on disk.
    kept: u64,
    by_name: BTreeMap<String, Consumer>,
    /// What an earlier daemon told is being told to frontends again: it is in the log already.
    pub(super) is_replaying: bool,
}

#[derive(Debug)]
struct Logged {
    number: u64,
    event: Event,
}

#[derive(Debug, Default)]
struct Consumer {
    /// The last event that it acknowledged.
    position: u64,
    /// How many after that are gone.
    missed: u64,
    /// How many of them it was told of with what it has now.
    told: u64,
    /// The last event that it was given.
    given: u64,
    /// The connection that reads.
    reader: Option<u64>,
    /// It is on disk: before that it is told nothing, since a restart would know nothing of it.
    is_kept: bool,
}

impl Consumers {
    /// Whether there is any.
    pub(super) fn are_there(&self) -> bool {
        !self.by_name.is_empty()
    }

    pub(super) fn record_of_event(&self, number: u64) -> Option<Record> {
        let at = self.log.binary_search_by_key(&number, |logged| logged.number).ok()?;
        self.log.get(at).map(|logged| Record::Event(number, logged.event.clone()))
    }

    pub(super) fn record(&self, name: &str) -> Option<Record> {
        let Consumer { position, missed, .. } = self.by_name.get(name)?;
        let name = name.to_owned();
        Some(Record::Consumer(SavedConsumer { name, position: *position, missed: *missed }))
    }

    fn push(&mut self, number: u64, event: Event) {
        self.last = self.last.max(number);
        self.bytes = self.bytes.saturating_add(size(&event));
        self.log.push_back(Logged { number, event });
    }

    fn pop(&mut self) -> Option<u64> {
        let Logged { number, event } = self.log.pop_front()?;
        self.bytes = self.bytes.saturating_sub(size(&event));
        Some(number)
    }

    /// What a consumer has not acknowledged and is on disk.
    fn after(&self, position: u64) -> impl Iterator<Item = &Logged> {
        let from = self.log.partition_point(|logged| logged.number <= position);
        self.log.iter().skip(from).take_while(|logged| logged.number <= self.kept)
    }
}

impl<E: Entropy> Core<E> {
    /// Puts an event into the log, if anybody reads it.
    pub(super) fn log_event(&mut self, event: Event) {
        if !self.consumers.are_there() || self.consumers.is_replaying {
            return;
        }
        let number = self.consumers.last.saturating_add(1);
        self.consumers.push(number, event);
        self.touch(RecordKey::Event(number));
        while self.consumers.log.len() > MAX_LOGGED_EVENTS || self.consumers.bytes > MAX_LOGGED_BYTES {
            let Some(gone) = self.consumers.pop() else { return };
            self.touch_lazily(RecordKey::Event(gone));
            let missing = self.consumers.by_name.iter_mut().filter(|(_, it)| it.position < gone);
            let names: Vec<String> = missing
                .map(|(name, it)| {
                    it.missed = it.missed.saturating_add(1);
                    name.clone()
                })
                .collect();
            names.into_iter().for_each(|name| self.touch_lazily(RecordKey::Consumer(name)));
        }
    }

    /// A text that was on its way to the inbox is dropped, unseen: so is its event.
    pub(super) fn forget_logged_text(&mut self, chat_id: IpcChatId, id: u64) {
        let is_it = |logged: &Logged| matches!(&logged.event, Event::MessageReceived(it) if it.chat_id == chat_id && it.id == id);
        if let Some(at) = self.consumers.log.iter().rposition(is_it)
            && let Some(Logged { number, event }) = self.consumers.log.remove(at)
        {
            self.consumers.bytes = self.consumers.bytes.saturating_sub(size(&event));
            self.touch(RecordKey::Event(number));
        }
    }

    /// Events up to and with this one are on disk.
    pub(super) fn note_events_kept(&mut self, number: u64) {
        self.consumers.kept = self.consumers.kept.max(number);
        let waiting = self.pending.take_all(|wait| matches!(wait, Wait::Events { .. }));
        for waiting in waiting {
            let Wait::Events { consumer, most } = waiting.wait else { continue };
            let reply = self.events_for(&consumer, most);
            self.reply(waiting.key, Ok(reply));
        }
    }

    pub(super) fn note_consumer_kept(&mut self, name: &str) {
        if let Some(consumer) = self.consumers.by_name.get_mut(name) {
            consumer.is_kept = true;
        }
    }

    /// Acknowledges, and gives what follows: now, or when something happens.
    pub(super) fn consume(
        &mut self,
        caller: &Caller,
        name: String,
        acknowledged: u64,
        most: u16,
    ) -> Result<Outcome, CommandError> {
        if UserName::parse(name.as_bytes()).is_err() {
            let why =
                format!("{name:?} is no consumer's name: 1 to 32 of a-z 0-9 . _ -, first a letter or digit");
            return Err(CommandError::Invalid { why });
        }
        if !self.consumers.by_name.contains_key(&name) {
            return self.register(caller, name, acknowledged);
        }
        let reader = caller.key.frontend;
        let Some(consumer) = self.consumers.by_name.get_mut(&name) else { return Ok(Outcome::Elsewhere) };
        if consumer.reader.is_some_and(|other| other != reader) {
            let why = format!("somebody else reads as {name} now: end that first, or take another name");
            return Err(CommandError::InUse { why });
        }
        if consumer.reader.replace(reader).is_none() {
            (consumer.given, consumer.told) = (consumer.position, 0);
        }
        if acknowledged > consumer.given {
            let why = format!("event {acknowledged} was not given to {name}, and cannot be acknowledged");
            return Err(CommandError::Invalid { why });
        }
        if !consumer.is_kept {
            // The write that was to keep it failed.
            self.touch(RecordKey::Consumer(name));
            return Ok(self.wait_for_save_with(caller, NOTHING));
        }
        if acknowledged > consumer.position {
            consumer.position = acknowledged;
            consumer.missed = consumer.missed.saturating_sub(std::mem::take(&mut consumer.told));
            self.touch(RecordKey::Consumer(name.clone()));
            self.drop_acknowledged();
        }
        if most == 0 {
            return Ok(self.wait_for_save_with(caller, NOTHING));
        }
        let position = self.consumers.by_name.get(&name).map_or(0, |consumer| consumer.position);
        if self.consumers.after(position).next().is_some() {
            return Ok(Outcome::Now(self.events_for(&name, most)));
        }
        Ok(self.wait(caller, Wait::Events { consumer: name, most }))
    }

    /// A new consumer has what happens from now on; it is told once it is on disk.
    fn register(
        &mut self,
        caller: &Caller,
        name: String,
        acknowledged: u64,
    ) -> Result<Outcome, CommandError> {
        if acknowledged > 0 {
            let why = format!("there is no consumer {name} that could acknowledge anything");
            return Err(CommandError::Invalid { why });
        }
        if self.consumers.by_name.len() >= MAX_CONSUMERS {
            let why = format!(
                "{MAX_CONSUMERS} consumers are kept already: drop one with `secchatctl watch --consumer NAME --forget`"
            );
            return Err(CommandError::LimitReached { why });
        }
        let (position, reader) = (self.consumers.last, Some(caller.key.frontend));
        let consumer = Consumer { position, given: position, reader, ..Consumer::default() };
        self.consumers.by_name.insert(name.clone(), consumer);
        // What is known by now was told before.
        self.consumers.is_replaying = true;
        self.publish();
        self.consumers.is_replaying = false;
        self.touch(RecordKey::Consumer(name));
        Ok(self.wait_for_save_with(caller, NOTHING))
    }

    fn events_for(&mut self, name: &str, most: u16) -> Reply {
        let Some(consumer) = self.consumers.by_name.get(name) else { return NOTHING };
        let (position, missed) = (consumer.position, consumer.missed);
        let mut events = Vec::new();
        for logged in self.consumers.after(position).take(MAX_EVENTS_PER_REPLY.min(most.into())) {
            events.push(LoggedEvent { number: logged.number, event: logged.event.clone() });
        }
        let Some(last) = events.last().map(|event| event.number) else { return NOTHING };
        if let Some(consumer) = self.consumers.by_name.get_mut(name) {
            (consumer.given, consumer.told) = (consumer.given.max(last), missed);
        }
        Reply::Events { missed, events }
    }

    /// What every consumer has acknowledged goes.
    fn drop_acknowledged(&mut self) {
        let least = self.consumers.by_name.values().map(|consumer| consumer.position).min();
        while let Some(first) = self.consumers.log.front()
            && least.is_none_or(|least| first.number <= least)
            && let Some(number) = self.consumers.pop()
        {
            self.touch_lazily(RecordKey::Event(number));
        }
    }

    /// A connection is gone: another one may read in its place.
    pub(super) fn release_consumers(&mut self, connection: u64) {
        for consumer in self.consumers.by_name.values_mut() {
            consumer.reader.take_if(|reader| *reader == connection);
        }
    }

    pub(super) fn forget_consumer(&mut self, caller: &Caller, name: &str) -> Result<Outcome, CommandError> {
        if self.consumers.by_name.remove(name).is_none() {
            let why =
                format!("there is no consumer {name}: `secchatctl watch --consumers` shows who there is");
            return Err(CommandError::Invalid { why });
        }
        let why = format!("the consumer {name} was forgotten");
        let is_it = |wait: &Wait| matches!(wait, Wait::Events { consumer, .. } if consumer == name);
        self.answer_all(is_it, &Err(CommandError::AlreadyResolved { why }));
        self.touch(RecordKey::Consumer(name.to_owned()));
        self.drop_acknowledged();
        Ok(self.wait_for_save(caller))
    }

    pub(super) fn list_consumers(&self) -> Outcome {
        let shown = |(name, consumer): (&String, &Consumer)| Shown {
            name: name.clone(),
            waiting: u64::try_from(self.consumers.after(consumer.position).count()).unwrap_or(u64::MAX),
            missed: consumer.missed,
            is_read: consumer.reader.is_some(),
        };
        Outcome::Now(Reply::Consumers(self.consumers.by_name.iter().map(shown).collect()))
    }

    /// Puts back what an earlier daemon kept.
    pub(super) fn restore_consumers(&mut self, consumers: Vec<SavedConsumer>, mut log: Vec<(u64, Event)>) {
        for SavedConsumer { name, position, missed } in consumers {
            self.consumers.last = self.consumers.last.max(position);
            let consumer = Consumer { position, missed, is_kept: true, ..Consumer::default() };
            self.consumers.by_name.insert(name, consumer);
        }
        log.sort_by_key(|(number, _)| *number);
        log.into_iter().for_each(|(number, event)| self.consumers.push(number, event));
        self.consumers.kept = self.consumers.last;
        self.drop_acknowledged();
    }
}

/// Whether the log has it when it is told. A text comes into it earlier, on its way to the inbox.
pub(super) fn is_logged(event: &Event) -> bool {
    !matches!(event, Event::MessageReceived(_)) && long_part(event).is_some()
}

/// What an event counts for in the log's bound: what of it can be long, and as much again as all the rest of one is.
fn size(event: &Event) -> usize {
    long_part(event).unwrap_or(0).saturating_add(EVENT_BYTES)
}

/// The bytes of what can be long in an event; `None`: it is how things are now, and nothing that happened.
fn long_part(event: &Event) -> Option<usize> {
    match event {
        Event::StatusChanged(_) | Event::DoNotDisturbChanged(_) | Event::UsersChanged { .. } => None,
        Event::MessageReceived(message) => Some(message.text.len()),
        Event::QueuedTextsEnded { ids, .. } => Some(ids.len().saturating_mul(size_of::<u64>())),
        Event::RequestReceived(_)
        | Event::RequestResolved { .. }
        | Event::RequestSent(_)
        | Event::RequestAnswered { .. }
        | Event::ChatChanged(_)
        | Event::ChatEnded { .. }
        | Event::MessagesDelivered { .. }
        | Event::MessagesRead { .. }
        | Event::TrustChanged { .. }
        | Event::TextQueued { .. } => Some(0),
    }
}

/// The answer where there is nothing to tell.
pub(super) const NOTHING: Reply = Reply::Events { missed: 0, events: Vec::new() };
const EVENT_BYTES: usize = 256;
