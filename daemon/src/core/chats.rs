//! The chats: what the relay forwards goes to them, and what they want done is done.

use std::collections::VecDeque;

use secchat_ipc::CommandError;
use secchat_ipc::types::{ChatState, ChatSummary, EndReason, Message, Resolution};
use secchat_proto::UserName;
use secchat_proto::chat::{Chat, Env, Output as ChatOutput, Phase, Side};
use secchat_proto::crypto::entropy::Entropy;
use secchat_proto::crypto::signature::PublicKey;
use secchat_proto::handshake::ChatContext;
use secchat_proto::wire::link::{ChatId, LinkMessage};
use secchat_proto::wire::request::Terms;

use super::Core;
use super::held::Held;
use super::pending::{Ticket, Wait};
use super::record::RecordKey;
use super::requests::State;
use crate::convert::{chat_id_to_ipc, terms_to_ipc, user_to_ipc};

/// A chat and what the daemon keeps beside it.
#[derive(Debug)]
pub(super) struct Talk {
    /// With whom.
    pub(super) peer: UserName,
    /// The chat.
    pub(super) chat: Chat,
    /// Texts in the window, and who is told of their acknowledgement.
    pub(super) sent: VecDeque<(u64, Sender)>,
    /// Texts that wait for room in the window.
    pub(super) queue: VecDeque<Line>,
    /// Their bytes.
    pub(super) queued_bytes: usize,
    /// How many of them were given up.
    pub(super) never_taken: u32,
    /// The peer's texts that are not on disk, or found the inbox full: not acknowledged, so the peer keeps them too.
    pub(super) held_back: VecDeque<Message>,
    /// What of it waits for the disk.
    pub(super) held: Held,
    /// This user ended it.
    pub(super) closing: bool,
    /// Why this daemon drops it.
    pub(super) why: Option<EndReason>,
    /// Its end was told; it only answers the peer's End once more.
    pub(super) is_over: bool,
    /// Taking it up again failed three times.
    pub(super) troubled: bool,
}

/// A text that waits for room in the window.
#[derive(Debug)]
pub(super) struct Line {
    /// Who waits for its acknowledgement.
    pub(super) ticket: Ticket,
    /// The text.
    pub(super) text: String,
    /// What was left for the peer up to and with this number goes before it.
    pub(super) after: u64,
}

/// Whose a text in the window is.
#[derive(Clone, Copy, Debug)]
pub(super) enum Sender {
    /// A command's that waits.
    Command(Ticket),
    /// The outbox's, by its number there.
    Outbox(u64),
}

impl Talk {
    pub(super) fn new(peer: UserName, chat: Chat) -> Self {
        Self {
            peer,
            chat,
            sent: VecDeque::new(),
            queue: VecDeque::new(),
            queued_bytes: 0,
            never_taken: 0,
            held_back: VecDeque::new(),
            held: Held::default(),
            closing: false,
            why: None,
            is_over: false,
            troubled: false,
        }
    }

    /// The peer's key, as the chat keeps it.
    pub(super) fn peer_key(&self) -> &PublicKey {
        let context = self.chat.context();
        match self.chat.side() {
            Side::Initiator => &context.responder.1,
            Side::Responder => &context.initiator.1,
        }
    }

    /// This user's key, as the chat keeps it.
    pub(super) fn own_key(&self) -> &PublicKey {
        let context = self.chat.context();
        match self.chat.side() {
            Side::Initiator => &context.initiator.1,
            Side::Responder => &context.responder.1,
        }
    }

    /// Whether it never was open and still may be.
    pub(super) fn is_opening(&self) -> bool {
        !self.is_over && !self.chat.has_opened()
    }

    /// Whether texts may be given to it.
    pub(super) fn takes_texts(&self) -> bool {
        !self.is_over && !self.closing && self.chat.has_opened()
    }

    /// Whether frontends see it: an asker's only once the peer's accept is proven.
    pub(super) fn is_listed(&self) -> bool {
        !self.is_over && (self.chat.side() == Side::Responder || self.chat.has_opened())
    }

    /// Orders the chats of two users: later issued, then the greater id.
    pub(super) fn age(&self) -> (u64, ChatId) {
        (self.chat.context().request.issued, self.chat.id())
    }

    /// Own texts that the peer's daemon has not acknowledged.
    pub(super) fn undelivered(&self) -> u32 {
        let queued = u32::try_from(self.queue.len()).unwrap_or(u32::MAX);
        self.chat.undelivered().saturating_add(queued).saturating_add(self.never_taken)
    }
}

impl<E: Entropy> Core<E> {
    /// Holds a new chat; without a link it waits for one.
    pub(super) fn hold_chat(&mut self, side: Side, context: ChatContext, granted: Option<Terms>) {
        let chat_id = context.request.chat_id;
        let env = self.session.env(self.time, &mut self.entropy);
        let chat = Chat::new(side, context, granted, self.settings.peer_suites.clone(), &env);
        self.chats.insert(chat_id, Talk::new(chat.peer().clone(), chat));
        if !self.session.is_online() {
            self.chat_step(chat_id, |chat, env| chat.handle_link_lost(env));
        }
        self.view.touch_chat(chat_id);
    }

    /// A person asks for a chat that was given up: its attempts start anew.
    pub(super) fn resume_troubled(&mut self, peer: &UserName) {
        let troubled = self.chats.iter_mut().filter(|(_, talk)| talk.peer == *peer && talk.troubled);
        let ids: Vec<ChatId> = troubled
            .map(|(id, talk)| {
                talk.troubled = false;
                *id
            })
            .collect();
        for chat_id in ids {
            self.chat_step(chat_id, |chat, env| chat.resume_now(env));
        }
    }

    /// Calls the chat and carries out what it wants.
    pub(super) fn chat_step(&mut self, chat_id: ChatId, step: impl FnOnce(&mut Chat, &mut Env<'_>)) {
        if self.chat_call(chat_id, step).is_some() {
            self.drain_chat(chat_id);
        }
    }

    /// Calls the chat; its outputs are still to be drained.
    pub(super) fn chat_call<R>(
        &mut self,
        chat_id: ChatId,
        call: impl FnOnce(&mut Chat, &mut Env<'_>) -> R,
    ) -> Option<R> {
        let talk = self.chats.get_mut(&chat_id)?;
        let mut env = self.session.env(self.time, &mut self.entropy);
        Some(call(&mut talk.chat, &mut env))
    }

    /// Carries out everything that the chat wants, in order.
    pub(super) fn drain_chat(&mut self, chat_id: ChatId) {
        while let Some(output) = self.chats.get_mut(&chat_id).and_then(|talk| talk.chat.next_output()) {
            self.handle_chat_output(chat_id, output);
        }
        let Some(talk) = self.chats.get(&chat_id) else { return };
        let is_spent = talk.chat.side() == Side::Responder && talk.chat.is_established();
        if is_spent {
            self.spend_accept(chat_id);
        }
        if self.chats.get(&chat_id).is_some_and(|talk| talk.chat.phase() == Phase::Over) {
            if self.chats.get(&chat_id).is_some_and(|talk| !talk.is_over) {
                self.finish_chat(chat_id, EndReason::Unconfirmed, 0, 0);
            }
            self.remove_chat(chat_id);
        }
        self.note_promises(chat_id);
        self.view.touch_chat(chat_id);
    }

    fn handle_chat_output(&mut self, chat_id: ChatId, output: ChatOutput) {
        let Some(talk) = self.chats.get_mut(&chat_id) else { return };
        let peer = talk.peer.clone();
        match output {
            ChatOutput::Send(message) => self.send_of_chat(chat_id, message),
            ChatOutput::Offer => self.offer(chat_id),
            ChatOutput::Opened { first, granted: _ } => {
                talk.troubled = false;
                self.handle_opened(chat_id, &peer, first);
            }
            ChatOutput::Text { id, text } => self.handle_text(chat_id, id, text),
            ChatOutput::Delivered { up_to, texts } => {
                self.keep_delivered(chat_id, texts);
                self.handle_delivered(chat_id, up_to);
            }
            ChatOutput::Interrupted { fault } => {
                self.drop_held_records(chat_id);
                if let Some(fault) = fault {
                    self.warn("chat_interrupted", Some(&peer), fault.to_string());
                }
                self.answer_close(chat_id);
            }
            ChatOutput::Troubled => {
                talk.troubled = talk.chat.has_opened();
                self.warn("chat_troubled", Some(&peer), "three attempts in a row failed");
            }
            ChatOutput::Ended { by_peer, reason, undelivered, missing } => {
                let reason = self.end_reason(chat_id, by_peer, reason);
                self.finish_chat(chat_id, reason, undelivered, missing);
            }
        }
    }

    /// M3 verified: the accept is spent, whatever becomes of the chat.
    fn spend_accept(&mut self, chat_id: ChatId) {
        let Some(incoming) = self.requests.get_mut(&chat_id) else { return };
        if let State::Accepted(decision, _) = &incoming.state {
            incoming.state = State::Spent(decision.clone());
            self.note_answer(chat_id);
        }
    }

    fn handle_opened(&mut self, chat_id: ChatId, peer: &UserName, first: bool) {
        let Some(key) = self.chats.get(&chat_id).map(|talk| talk.peer_key().clone()) else { return };
        if first && !self.pin_on_opening(peer, &key) {
            return self.drop_chat(chat_id, EndReason::KeyGone);
        }
        let own = self.asked.get(peer).map(|asked| asked.request.chat_id);
        if own == Some(chat_id) {
            self.remove_asked(peer);
            self.tell_answered(peer, chat_id, Resolution::Accepted);
        } else if own.is_some() {
            self.drop_asked(peer, Resolution::Withdrawn);
        }
        if first {
            self.touch(RecordKey::Chat(chat_id));
            self.log("chat_opened", Some(peer), format!("{chat_id:?}"));
            if self.is_superseded(chat_id, peer) {
                let why = format!("a newer chat with {peer} took its place");
                let error = Err(CommandError::AlreadyResolved { why });
                self.answer_talk(peer, &error);
                self.answer_all(
                    |wait| matches!(wait, Wait::Opening { chat_id: it } if *it == chat_id),
                    &error,
                );
                return self.drop_chat(chat_id, EndReason::Superseded);
            }
            self.drop_older(chat_id, peer);
        }
        self.publish_chat(chat_id);
        let reply = Ok(self.chat_open(chat_id));
        self.answer_talk(peer, &reply);
        self.answer_all(|wait| matches!(wait, Wait::Opening { chat_id: it } if *it == chat_id), &reply);
        self.pump(chat_id);
    }

    /// Makes this side's offer: the request or the accept while the other side may still need it, else a Resume.
    fn offer(&mut self, chat_id: ChatId) {
        let Some(talk) = self.chats.get_mut(&chat_id) else { return };
        talk.held.offer_waits = self.saving.problem().is_some();
        if talk.held.offer_waits {
            return;
        }
        let name = talk.peer.clone();
        let is_in_time = self.time.unix < talk.chat.context().request.expires;
        // A request past its time cannot be offered, but a chat whose grant is proven goes on.
        let offer = if is_in_time { talk.chat.offer() } else { LinkMessage::Resume { name, chat_id } };
        self.send(offer);
    }

    /// After a login every offer is made again.
    pub(super) fn renew_offers(&mut self) {
        let asked: Vec<(UserName, Vec<u8>)> = self
            .asked
            .iter()
            .filter(|(_, asked)| !self.chats.contains_key(&asked.request.chat_id))
            .map(|(peer, asked)| (peer.clone(), asked.request.encode()))
            .collect();
        for (name, request) in asked {
            self.send(LinkMessage::Rtt { name, request });
        }
        for chat_id in self.chats.keys().copied().collect::<Vec<_>>() {
            self.chat_step(chat_id, |chat, env| chat.handle_login(env));
        }
    }

    /// The link is gone: every chat waits for the next one.
    pub(super) fn lose_chats_pairs(&mut self) {
        for chat_id in self.chats.keys().copied().collect::<Vec<_>>() {
            self.chat_step(chat_id, |chat, env| chat.handle_link_lost(env));
        }
    }

    pub(super) fn run_chat_timers(&mut self) {
        let now = self.time.now;
        let due = self.chats.iter().filter(|(_, talk)| talk.chat.poll_timeout().is_some_and(|at| at <= now));
        for chat_id in due.map(|(id, _)| *id).collect::<Vec<_>>() {
            self.chat_step(chat_id, |chat, env| chat.handle_timeout(env));
        }
    }

    /// The open chat with this peer.
    pub(super) fn open_chat(&self, peer: &UserName) -> Option<ChatId> {
        let open =
            |talk: &&Talk| talk.peer == *peer && talk.takes_texts() && talk.chat.phase() == Phase::Open;
        self.chats.values().filter(open).max_by_key(|talk| talk.age()).map(|talk| talk.chat.id())
    }

    /// The chat as frontends see it.
    pub(super) fn chat_summary(&self, chat_id: ChatId) -> Option<ChatSummary> {
        let talk = self.chats.get(&chat_id).filter(|talk| talk.is_listed())?;
        let state = match talk.chat.phase() {
            _ if !talk.chat.has_opened() => ChatState::Opening,
            _ if talk.closing => ChatState::Closing,
            Phase::Ending | Phase::Answered | Phase::Over => ChatState::Closing,
            Phase::Unpaired | Phase::Establishing => ChatState::Interrupted,
            Phase::Open => ChatState::Open,
        };
        let terms = talk.chat.granted().unwrap_or_else(|| talk.chat.context().request.terms);
        Some(ChatSummary {
            peer: user_to_ipc(&talk.peer),
            chat_id: chat_id_to_ipc(chat_id),
            state,
            terms: terms_to_ipc(terms),
            unread: self.view.unread(chat_id),
            undelivered: talk.undelivered(),
            trust: self.trust(&talk.peer),
        })
    }
}
