//! How chats end: by a person, by the peer, by a newer chat, by a key that is gone.

use secchat_ipc::types::{EndReason, QueuedOutcome, Resolution};
use secchat_ipc::{CommandError, Event, Reply};
use secchat_proto::UserName;
use secchat_proto::chat::{Phase, Side};
use secchat_proto::crypto::entropy::Entropy;
use secchat_proto::wire::chat_record::EndReason as WireReason;
use secchat_proto::wire::link::{Answer, ChatId, LinkMessage};

use super::Core;
use super::chats::{Sender, Talk};
use super::commands::{Caller, Outcome};
use super::pending::Wait;
use super::requests::State;
use crate::convert::{chat_id_to_ipc, user_to_ipc};

impl<E: Entropy> Core<E> {
    pub(super) fn close(&mut self, caller: &Caller, peer: &UserName) -> Result<Outcome, CommandError> {
        let listed = self.chats.values().filter(|talk| talk.peer == *peer && talk.is_listed());
        let Some(talk) = listed.max_by_key(|talk| (!talk.closing, talk.age())) else {
            return Err(CommandError::NoChat { peer: user_to_ipc(peer) });
        };
        let chat_id = talk.chat.id();
        let is_waited_for = |wait: &Wait| matches!(wait, Wait::Close { chat_id: it } if *it == chat_id);
        let is_reachable = talk.chat.phase() == Phase::Open || self.pending.any(is_waited_for);
        if talk.is_opening() {
            self.revoke_accept(caller, chat_id);
            let closed = Reply::Closed { chat_id: chat_id_to_ipc(chat_id), undelivered: 0 };
            return Ok(self.wait_for_save_with(caller, closed));
        }
        let closed = self.closed(chat_id);
        if !is_reachable {
            self.end_chat(chat_id);
            self.give_up_texts(chat_id);
            return Ok(self.wait_for_save_with(caller, closed));
        }
        let outcome = self.wait(caller, Wait::Close { chat_id });
        self.end_chat(chat_id);
        Ok(outcome)
    }

    pub(super) fn end_chat(&mut self, chat_id: ChatId) {
        if let Some(talk) = self.chats.get_mut(&chat_id)
            && !talk.closing
        {
            talk.closing = true;
            self.chat_step(chat_id, |chat, env| chat.end(WireReason::Person, env));
        }
    }

    /// The answer to a Close as things stand.
    pub(super) fn closed(&self, chat_id: ChatId) -> Reply {
        let undelivered = self.chats.get(&chat_id).map_or(0, Talk::undelivered);
        Reply::Closed { chat_id: chat_id_to_ipc(chat_id), undelivered }
    }

    /// Answers who waits for the end of a chat that was interrupted: the peer is not reachable.
    pub(super) fn answer_close(&mut self, chat_id: ChatId) {
        let is_it = |wait: &Wait| matches!(wait, Wait::Close { chat_id: it } if *it == chat_id);
        if self.pending.any(is_it) {
            let reply = Ok(self.closed(chat_id));
            self.answer_all(is_it, &reply);
            self.give_up_texts(chat_id);
        }
    }

    /// A person was told that the chat is closed, and how many texts were not acknowledged. So it stays: these do not
    /// go again when the chat is taken up for its End, and who waits for them hears it now.
    pub(super) fn give_up_texts(&mut self, chat_id: ChatId) {
        let Some(talk) = self.chats.get_mut(&chat_id) else { return };
        talk.chat.give_up_texts();
        let last = talk.chat.last_text();
        self.drop_kept_texts(chat_id, last);
        self.fail_texts(chat_id);
        self.view.touch_chat(chat_id);
    }

    /// Answers everybody who waits for a text of this chat: it is not delivered. How many never got into its window,
    /// now and before.
    fn fail_texts(&mut self, chat_id: ChatId) -> u32 {
        let Some(talk) = self.chats.get_mut(&chat_id) else { return 0 };
        let peer = user_to_ipc(&talk.peer);
        let (sent, queued) = (std::mem::take(&mut talk.sent), std::mem::take(&mut talk.queue));
        talk.queued_bytes = 0;
        talk.never_taken = talk.never_taken.saturating_add(u32::try_from(queued.len()).unwrap_or(u32::MAX));
        let never_taken = talk.never_taken;
        let error = CommandError::NotDelivered { peer, chat_id: chat_id_to_ipc(chat_id) };
        let mut left = Vec::new();
        let mut tickets = Vec::new();
        for (_, sender) in sent {
            match sender {
                Sender::Command(ticket) => tickets.push(ticket),
                Sender::Outbox(id) => left.push(id),
            }
        }
        tickets.extend(queued.into_iter().map(|line| line.ticket));
        tickets.into_iter().for_each(|ticket| self.answer(ticket, Err(error.clone())));
        self.end_queued(left, QueuedOutcome::NotDelivered);
        never_taken
    }

    /// Drops a chat without an End.
    pub(super) fn drop_chat(&mut self, chat_id: ChatId, reason: EndReason) {
        let Some(talk) = self.chats.get_mut(&chat_id) else { return };
        talk.why = Some(reason);
        self.chat_step(chat_id, |chat, env| chat.drop_pair(env));
        // Whatever the chat makes of it, it is held no longer.
        if self.chats.get(&chat_id).is_some_and(|talk| !talk.is_over) {
            self.finish_chat(chat_id, reason, 0, 0);
        }
        self.remove_chat(chat_id);
    }

    /// Whether a newer chat of the same two is open already.
    pub(super) fn is_superseded(&self, chat_id: ChatId, peer: &UserName) -> bool {
        let Some(age) = self.chats.get(&chat_id).map(Talk::age) else { return false };
        let others = self.chats.values().filter(|talk| talk.peer == *peer && !talk.is_over);
        others.filter(|talk| talk.chat.has_opened()).any(|talk| talk.age() > age)
    }

    /// A newer chat opened: each side drops the older ones.
    pub(super) fn drop_older(&mut self, chat_id: ChatId, peer: &UserName) {
        let Some(age) = self.chats.get(&chat_id).map(Talk::age) else { return };
        let others =
            self.chats.values().filter(|talk| talk.peer == *peer && !talk.is_over && talk.age() < age);
        for older in others.map(|talk| talk.chat.id()).collect::<Vec<_>>() {
            self.drop_chat(older, EndReason::Superseded);
        }
    }

    /// Why a chat ended, for people.
    pub(super) fn end_reason(&self, chat_id: ChatId, by_peer: bool, reason: Option<WireReason>) -> EndReason {
        let talk = self.chats.get(&chat_id);
        if let Some(why) = talk.and_then(|talk| talk.why) {
            return why;
        }
        let is_ours = talk.is_some_and(|talk| talk.closing);
        match reason {
            Some(WireReason::Person) if by_peer => EndReason::ClosedByPeer,
            Some(WireReason::Person) => EndReason::ClosedHere,
            Some(WireReason::Answer) if is_ours => EndReason::ClosedHere,
            Some(WireReason::Answer) => EndReason::ClosedByPeer,
            Some(WireReason::Until) => EndReason::TermsOver,
            Some(WireReason::RestoredCopy) => EndReason::RestoredCopy,
            None => EndReason::Unconfirmed,
        }
    }

    /// A chat is over: everybody who waits for it hears so, and its texts that never arrived are counted.
    pub(super) fn finish_chat(&mut self, chat_id: ChatId, reason: EndReason, undelivered: u32, missing: u64) {
        let Some(talk) = self.chats.get_mut(&chat_id) else { return };
        if talk.is_over {
            return;
        }
        let was_listed = talk.is_listed();
        let was_opening = talk.is_opening();
        talk.is_over = true;
        let peer = talk.peer.clone();
        let side = talk.chat.side();
        self.drop_held_back(chat_id);
        let undelivered = undelivered.saturating_add(self.fail_texts(chat_id));
        let closed = Reply::Closed { chat_id: chat_id_to_ipc(chat_id), undelivered };
        self.answer_all(|wait| matches!(wait, Wait::Close { chat_id: it } if *it == chat_id), &Ok(closed));
        if was_opening {
            self.finish_opening(chat_id, &peer, side);
        }
        self.log("chat_ended", Some(&peer), format!("{reason:?}"));
        if was_listed {
            let (peer, chat_id) = (user_to_ipc(&peer), chat_id_to_ipc(chat_id));
            self.event(Event::ChatEnded { peer, chat_id, reason, undelivered, missing });
        }
        if reason == EndReason::RestoredCopy {
            // If it is this side's copy that is old, a consent taken back may be in it again.
            self.drop_consent(&peer);
        }
        self.accept_by_consent(&peer);
    }

    /// A chat that never opened is over: so is the request that it came from.
    fn finish_opening(&mut self, chat_id: ChatId, peer: &UserName, side: Side) {
        match side {
            Side::Responder => {
                let at = self.time.unix;
                if let Some(incoming) = self.requests.get_mut(&chat_id)
                    && matches!(incoming.state, State::Accepted(..))
                {
                    incoming.state = State::Withdrawn { at };
                    self.note_answer(chat_id);
                }
                let error = Err(CommandError::NoChat { peer: user_to_ipc(peer) });
                let is_it = |wait: &Wait| matches!(wait, Wait::Opening { chat_id: it } if *it == chat_id);
                self.answer_all(is_it, &error);
            }
            Side::Initiator => {
                if self.asked.get(peer).is_some_and(|asked| asked.request.chat_id == chat_id) {
                    self.remove_asked(peer);
                    let (answer, name) = (Answer::Withdraw, peer.clone());
                    self.send(LinkMessage::Response { answer, name, chat_id });
                    self.tell_answered(peer, chat_id, Resolution::Withdrawn);
                    self.answer_talk(peer, &Err(CommandError::Withdrawn));
                }
            }
        }
    }
}
