//! Texts: out through a bounded queue and the chat's window, in to a bounded inbox.
//!
//! A text is acknowledged when the inbox holds it. Texts that find it full are held back, unacknowledged and bounded by
//! the peer's window, until somebody reads.

use secchat_ipc::types::{ChatId as IpcChatId, EndReason, Message, QueuedOutcome};
use secchat_ipc::{CommandError, Event, Reply, UserName as IpcUserName};
use secchat_proto::UserName;
use secchat_proto::chat::{Phase, SendError};
use secchat_proto::crypto::entropy::Entropy;
use secchat_proto::limits::MAX_TEXT_BYTES;
use secchat_proto::wire::link::ChatId;

use super::Core;
use super::chats::{Line, Sender};
use super::commands::{Caller, Outcome};
use super::outbox::Next;
use super::pending::{Ticket, Wait};
use super::record::RecordKey;
use crate::convert::{chat_id_from_ipc, chat_id_to_ipc, user_to_ipc};
use crate::limits::{MAX_HELD_BACK_TEXTS, MAX_QUEUED_BYTES, MAX_QUEUED_TEXTS, MAX_READ_BYTES};

impl<E: Entropy> Core<E> {
    pub(super) fn send_text(
        &mut self,
        caller: &Caller,
        peer: &UserName,
        text: String,
    ) -> Result<Outcome, CommandError> {
        self.identity()?;
        self.may_send(peer, &text)?;
        self.resume_troubled(peer);
        let chats = self.chats.values_mut().filter(|talk| talk.peer == *peer && talk.takes_texts());
        let Some(talk) = chats.max_by_key(|talk| talk.age()) else {
            return Err(CommandError::NoChat { peer: user_to_ipc(peer) });
        };
        // An open chat goes on under its own keys; another one goes on under the pinned key, or never.
        if talk.chat.phase() != Phase::Open && self.changed.contains_key(peer) {
            return Err(CommandError::KeyChanged { peer: user_to_ipc(peer) });
        }
        let bytes = talk.queued_bytes.saturating_add(text.len());
        if talk.queue.len() >= MAX_QUEUED_TEXTS || bytes > MAX_QUEUED_BYTES {
            let why = format!("too many texts wait for {peer}'s daemon: wait until some are delivered");
            return Err(CommandError::LimitReached { why });
        }
        let chat_id = talk.chat.id();
        let ticket = self.pending.add(caller.key, caller.deadline(), Wait::Delivery { chat_id });
        talk.queue.push_back(Line { ticket, text, after: self.outbox.last() });
        talk.queued_bytes = bytes;
        self.pump(chat_id);
        Ok(Outcome::Elsewhere)
    }

    /// Whether a text may be sent to this peer at all, and kept until it is acknowledged.
    pub(super) fn may_send(&mut self, peer: &UserName, text: &str) -> Result<(), CommandError> {
        if self.known.peer(peer).is_some_and(|saved| saved.blocked) {
            return Err(CommandError::Blocked { peer: user_to_ipc(peer) });
        }
        if text.len() > MAX_TEXT_BYTES {
            let why = format!("a text is at most {MAX_TEXT_BYTES} bytes long; this one has {}", text.len());
            return Err(CommandError::Invalid { why });
        }
        if let Some(why) = self.saving.problem() {
            let error = CommandError::NotSent { why: why.to_owned() };
            self.saving.hurry();
            return Err(error);
        }
        Ok(())
    }

    /// Gives texts to the chat as far as its window has room.
    pub(super) fn pump(&mut self, chat_id: ChatId) {
        while let Some(next) = self.next_text(chat_id) {
            let goes_on = match next {
                Next::Line(line) => self.take_line(chat_id, line),
                Next::Queued(queued_id, text) => {
                    match self.chat_call(chat_id, |chat, env| chat.send_text(&text, env)) {
                        Some(Ok(id)) => {
                            self.note_taken(chat_id, id, Sender::Outbox(queued_id));
                            self.note_queued_sent(queued_id, chat_id, id);
                            true
                        }
                        // It waits on.
                        Some(Err(_)) | None => false,
                    }
                }
            };
            if !goes_on {
                break;
            }
        }
        self.drain_chat(chat_id);
    }

    /// Gives a text to the chat, or its sender the reason why not; whether another may follow.
    fn take_line(&mut self, chat_id: ChatId, line: Line) -> bool {
        let taken = self.chat_call(chat_id, |chat, env| chat.send_text(&line.text, env));
        let Some(talk) = self.chats.get_mut(&chat_id) else { return false };
        if let Some(Err(SendError::WindowFull)) = taken {
            talk.queue.push_front(line);
            return false;
        }
        talk.queued_bytes = talk.queued_bytes.saturating_sub(line.text.len());
        let peer = user_to_ipc(&talk.peer);
        match taken {
            Some(Ok(id)) => self.note_taken(chat_id, id, Sender::Command(line.ticket)),
            Some(Err(error @ (SendError::TooLong | SendError::Failed))) => {
                self.answer(line.ticket, Err(CommandError::Invalid { why: error.to_string() }));
            }
            Some(Err(SendError::NotOpen | SendError::WindowFull)) | None => {
                self.answer(line.ticket, Err(CommandError::NoChat { peer }));
            }
        }
        true
    }

    /// The chat's window has a text.
    fn note_taken(&mut self, chat_id: ChatId, id: u64, sender: Sender) {
        if let Some(talk) = self.chats.get_mut(&chat_id) {
            talk.sent.push_back((id, sender));
            self.touch(RecordKey::Sent(chat_id, id));
        }
    }

    /// A command gave up: its text, if it never got into the window, is not sent.
    pub(super) fn forget_queued(&mut self, chat_id: ChatId, ticket: Ticket) {
        if let Some(talk) = self.chats.get_mut(&chat_id) {
            talk.queue.retain(|line| line.ticket != ticket);
            talk.queued_bytes = talk.queue.iter().map(|line| line.text.len()).sum();
            self.view.touch_chat(chat_id);
        }
    }

    pub(super) fn handle_delivered(&mut self, chat_id: ChatId, up_to: u64) {
        let Some(talk) = self.chats.get_mut(&chat_id) else { return };
        let peer = user_to_ipc(&talk.peer);
        let mut delivered = Vec::new();
        while talk.sent.front().is_some_and(|(id, _)| *id <= up_to) {
            delivered.extend(talk.sent.pop_front());
        }
        let ipc_id = chat_id_to_ipc(chat_id);
        self.drop_kept_texts(chat_id, up_to);
        self.event(Event::MessagesDelivered { peer, chat_id: ipc_id, up_to });
        let mut left = Vec::new();
        for (id, sender) in delivered {
            match sender {
                Sender::Command(ticket) => self.answer(ticket, Ok(Reply::Delivered { chat_id: ipc_id, id })),
                Sender::Outbox(queued_id) => left.push(queued_id),
            }
        }
        self.end_queued(left, QueuedOutcome::Delivered);
        self.pump(chat_id);
    }

    /// A text came: to the disk, then shown and acknowledged; without room in the inbox it is held back.
    pub(super) fn handle_text(&mut self, chat_id: ChatId, id: u64, text: String) {
        let received = self.time.unix;
        let Some(talk) = self.chats.get_mut(&chat_id) else { return };
        let peer = talk.peer.clone();
        let message =
            Message { peer: user_to_ipc(&peer), chat_id: chat_id_to_ipc(chat_id), id, received, text };
        if talk.held_back.len() >= MAX_HELD_BACK_TEXTS {
            // More than an honest peer sends without acknowledgements.
            return self.drop_chat(chat_id, EndReason::Unconfirmed);
        }
        talk.held_back.push_back(message);
        if !self.admit(chat_id) {
            self.warn("inbox_full", Some(&peer), "texts wait, unacknowledged");
        }
    }

    pub(super) fn fits_inbox(&self, bytes: usize) -> bool {
        self.view.snapshot().unread.len().saturating_add(self.admitted) < self.settings.max_inbox_messages
            && self.inbox_bytes.saturating_add(bytes) <= self.settings.max_inbox_bytes
    }

    /// Whether texts are held back.
    pub(super) fn is_inbox_full(&self) -> bool {
        self.chats.values().any(|talk| talk.held_back.len() > talk.held.admitted)
    }

    pub(super) fn read(&mut self, peer: Option<&IpcUserName>, peek: bool) -> Outcome {
        let mut bytes: usize = 0;
        let of_peer = self.view.snapshot().unread.iter().filter(|m| peer.is_none_or(|peer| m.peer == *peer));
        let messages: Vec<Message> = of_peer
            .enumerate()
            .take_while(|(at, message)| {
                bytes = bytes.saturating_add(message.text.len());
                *at == 0 || bytes <= MAX_READ_BYTES
            })
            .map(|(_, message)| message.clone())
            .collect();
        if !peek {
            let mut read = std::collections::BTreeMap::new();
            for message in &messages {
                read.insert(message.chat_id, message.id);
            }
            read.into_iter().for_each(|(chat_id, up_to)| self.mark(chat_id, up_to));
            self.release_held_back();
        }
        Outcome::Now(Reply::Messages(messages))
    }

    /// Answered when it is on disk: what a frontend has shown is not shown again.
    pub(super) fn mark_read(&mut self, caller: &Caller, chat_id: IpcChatId, up_to: u64) -> Outcome {
        let unread = &self.view.snapshot().unread;
        if !unread.iter().any(|message| message.chat_id == chat_id && message.id <= up_to) {
            return Outcome::Now(Reply::Done);
        }
        self.mark(chat_id, up_to);
        self.release_held_back();
        self.wait_for_save(caller)
    }

    fn mark(&mut self, ipc_id: IpcChatId, up_to: u64) {
        let Some(chat_id) = chat_id_from_ipc(ipc_id) else { return };
        let unread = self.view.snapshot().unread.iter();
        let read = unread.filter(|message| message.chat_id == ipc_id && message.id <= up_to);
        for (id, bytes) in read.map(|message| (message.id, message.text.len())).collect::<Vec<_>>() {
            self.inbox_bytes = self.inbox_bytes.saturating_sub(bytes);
            self.touch(RecordKey::Unread(chat_id, id));
        }
        // With the texts goes the proof that they were held: the chat's record has it.
        self.touch(RecordKey::Chat(chat_id));
        self.event(Event::MessagesRead { chat_id: ipc_id, up_to });
        self.view.touch_chat(chat_id);
    }

    /// There is room again: texts that were held back move up.
    fn release_held_back(&mut self) {
        let waiting = self.chats.iter().filter(|(_, talk)| talk.held_back.len() > talk.held.admitted);
        for chat_id in waiting.map(|(id, _)| *id).collect::<Vec<_>>() {
            self.admit(chat_id);
        }
    }
}
