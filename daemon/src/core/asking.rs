//! This user's requests: one unanswered for each peer, offered until the chat opens, it is answered, withdrawn or
//! expires.

use std::time::Duration;

use secchat_ipc::types::{Resolution, Terms as IpcTerms};
use secchat_ipc::{Command, CommandError, Event, Reply};
use secchat_proto::UserName;
use secchat_proto::chat::{Phase, Side};
use secchat_proto::crypto::entropy::Entropy;
use secchat_proto::crypto::signature::PublicKey;
use secchat_proto::handshake::ChatContext;
use secchat_proto::limits::MAX_REQUEST_LIFETIME_SECONDS;
use secchat_proto::request::Proposal;
use secchat_proto::wire::link::{Answer, BadReason, ChatId, LinkMessage};
use secchat_proto::wire::request::RequestToTalk;

use super::Core;
use super::commands::{Caller, Outcome};
use super::link::Offered;
use super::pending::Wait;
use super::record::RecordKey;
use super::requests::State;
use super::trust::Judged;
use crate::convert::{chat_id_to_ipc, terms_from_ipc, terms_to_ipc, user_to_ipc};
use crate::limits::MAX_OUTGOING_REQUESTS;

/// What a person asks for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ask {
    /// The proposed terms.
    pub(super) terms: IpcTerms,
    /// How long the request stands.
    pub(super) lifetime_seconds: u32,
    /// Whether the command waits for the chat.
    pub(super) wait: bool,
}

/// A request of this user whose chat has not opened.
#[derive(Debug)]
pub(super) struct Asked {
    /// The request.
    pub(super) request: RequestToTalk,
    /// The relay said that the peer is not available now.
    pub(super) peer_away: bool,
    /// It stands whether or not a command waits for it.
    pub(super) standing: bool,
}

impl<E: Entropy> Core<E> {
    pub(super) fn ask(
        &mut self,
        caller: &Caller,
        peer: &UserName,
        ask: Ask,
    ) -> Result<Outcome, CommandError> {
        let Ask { terms, lifetime_seconds, wait } = ask;
        let (user, _) = self.identity()?;
        self.may_ask(&user, peer)?;
        let lifetime = u64::from(lifetime_seconds);
        if lifetime == 0 || lifetime > MAX_REQUEST_LIFETIME_SECONDS {
            let why = format!("a request lives 1 to {MAX_REQUEST_LIFETIME_SECONDS} seconds");
            return Err(CommandError::Invalid { why });
        }
        if terms.until.is_some_and(|until| until <= self.time.unix) {
            return Err(CommandError::Invalid { why: "the proposed end of the chat is over already".into() });
        }
        if let Some(chat_id) = self.open_chat(peer) {
            return Ok(Outcome::Now(self.chat_open(chat_id)));
        }
        self.resume_troubled(peer);
        if let Some(outcome) = self.join(caller, peer, terms, wait)? {
            return Ok(outcome);
        }
        if !self.session.is_online() {
            let peer = user_to_ipc(peer);
            return self.park_until_online(caller, Command::Rtt { peer, terms, lifetime_seconds, wait });
        }
        self.make_request(peer, terms, lifetime, !wait)?;
        if !wait {
            return Ok(self.answer_asked(caller, peer));
        }
        let until_expired = Caller {
            limit: Some(
                caller.limit.unwrap_or_else(|| self.time.now + Duration::from_secs(lifetime) + AFTER_EXPIRY),
            ),
            ..caller.clone()
        };
        Ok(self.wait(&until_expired, Wait::Talk { peer: peer.clone() }))
    }

    fn may_ask(&self, user: &UserName, peer: &UserName) -> Result<(), CommandError> {
        if user == peer {
            return Err(CommandError::Invalid { why: format!("{peer} is this user") });
        }
        if self.known.peer(peer).is_some_and(|saved| saved.blocked) {
            return Err(CommandError::Blocked { peer: user_to_ipc(peer) });
        }
        if self.changed.contains_key(peer) {
            return Err(CommandError::KeyChanged { peer: user_to_ipc(peer) });
        }
        Ok(())
    }

    /// Where the two are on their way to a chat already, asking joins it: by accepting the peer's request, or by
    /// waiting for the chat that is opening.
    fn join(
        &mut self,
        caller: &Caller,
        peer: &UserName,
        terms: IpcTerms,
        wait: bool,
    ) -> Result<Option<Outcome>, CommandError> {
        let held = self.requests.iter().filter(|(_, request)| request.peer == *peer);
        let held = held.filter(|(_, request)| match request.state {
            State::Pending | State::Later | State::Refused { quietly: true, .. } => true,
            State::Refused { quietly: false, .. }
            | State::Accepted(..)
            | State::Spent(_)
            | State::Withdrawn { .. } => false,
        });
        let newest = held.max_by_key(|(_, request)| (request.is_unanswered(), request.age()));
        if let Some((chat_id, request)) = newest {
            let (chat_id, granted) = (*chat_id, request.request.terms.min(&terms_from_ipc(terms)));
            self.accept(chat_id, granted, caller.who.clone())?;
            return Ok(Some(self.accepted(caller, chat_id, wait)));
        }
        let opening = self.chats.iter().find(|(_, talk)| talk.peer == *peer && talk.is_opening());
        let Some((chat_id, talk)) = opening else { return Ok(None) };
        let (chat_id, side) = (*chat_id, talk.chat.side());
        match side {
            Side::Responder => Ok(Some(self.accepted(caller, chat_id, wait))),
            // An attempt under way is not thrown away; one that lost its pair is no better than a new request.
            Side::Initiator if talk.chat.phase() == Phase::Establishing || talk.chat.is_established() => {
                if wait {
                    Ok(Some(self.wait(caller, Wait::Talk { peer: peer.clone() })))
                } else {
                    Ok(self.asked.contains_key(peer).then(|| self.answer_asked(caller, peer)))
                }
            }
            Side::Initiator => Ok(None),
        }
    }

    /// Makes, keeps and sends a request; the one before is withdrawn.
    fn make_request(
        &mut self,
        peer: &UserName,
        terms: IpcTerms,
        lifetime: u64,
        standing: bool,
    ) -> Result<(), CommandError> {
        let (user, identity) = self.identity()?;
        self.has_room_for_chat(peer)?;
        self.drop_asked(peer, Resolution::Withdrawn);
        if self.asked.len() >= MAX_OUTGOING_REQUESTS {
            let why = format!("{MAX_OUTGOING_REQUESTS} requests stand already: withdraw some");
            return Err(CommandError::LimitReached { why });
        }
        let issued = self.time.unix;
        let proposal =
            Proposal { issued, expires: issued.saturating_add(lifetime), terms: terms_from_ipc(terms) };
        let request = RequestToTalk::make(&user, &identity, peer, proposal, &mut self.entropy)
            .map_err(|error| CommandError::Invalid { why: format!("the request cannot be made: {error}") })?;
        self.next_expiry = self.next_expiry.min(request.expires);
        self.log("rtt_sent", Some(peer), format!("{:?}", request.chat_id));
        self.send(LinkMessage::Rtt { name: peer.clone(), request: request.encode() });
        self.asked.insert(peer.clone(), Asked { request, peer_away: false, standing });
        self.touch(RecordKey::Asked(peer.clone()));
        self.view.touch_asked(peer);
        Ok(())
    }

    fn answer_asked(&mut self, caller: &Caller, peer: &UserName) -> Outcome {
        let reply = self.asked.get(peer).map_or(Reply::Done, |asked| Reply::Asked {
            chat_id: chat_id_to_ipc(asked.request.chat_id),
            expires: asked.request.expires,
            peer_away: asked.peer_away,
        });
        self.wait_for_save_with(caller, reply)
    }

    pub(super) fn chat_open(&self, chat_id: ChatId) -> Reply {
        let granted = self.chats.get(&chat_id).and_then(|talk| talk.chat.granted());
        let terms = granted.map_or(IpcTerms { until: None, history_days: None }, terms_to_ipc);
        Reply::ChatOpen { chat_id: chat_id_to_ipc(chat_id), terms }
    }

    /// Forgets this user's request to the peer and says so to the relay; its chat goes with it unless it is
    /// established, when the request has done its work. Who waits for the peer goes on waiting.
    pub(super) fn drop_asked(&mut self, peer: &UserName, resolution: Resolution) -> bool {
        let Some(asked) = self.asked.get(peer) else { return false };
        let chat_id = asked.request.chat_id;
        if self.chats.get(&chat_id).is_some_and(|talk| talk.chat.is_established()) {
            return false;
        }
        self.remove_asked(peer);
        match resolution {
            Resolution::Withdrawn => {
                self.send(LinkMessage::Response { answer: Answer::Withdraw, name: peer.clone(), chat_id });
            }
            Resolution::Accepted | Resolution::Refused | Resolution::Expired | Resolution::Later => {
                if self.chats.contains_key(&chat_id) {
                    self.send(LinkMessage::ReturnToLobby { chat_id });
                }
            }
        }
        self.remove_chat(chat_id);
        self.tell_answered(peer, chat_id, resolution);
        true
    }

    /// This user's request to the peer is no more.
    pub(super) fn remove_asked(&mut self, peer: &UserName) {
        if self.asked.remove(peer).is_some_and(|asked| asked.standing) {
            self.touch(RecordKey::Asked(peer.clone()));
        }
    }

    /// Tells how this user's request ended.
    pub(super) fn tell_answered(&mut self, peer: &UserName, chat_id: ChatId, resolution: Resolution) {
        let (peer, chat_id) = (user_to_ipc(peer), chat_id_to_ipc(chat_id));
        self.event(Event::RequestAnswered { peer, chat_id, resolution });
    }

    pub(super) fn withdraw_by_command(
        &mut self,
        caller: &Caller,
        peer: &UserName,
    ) -> Result<Outcome, CommandError> {
        if !self.asked.contains_key(peer) {
            return Err(CommandError::Invalid { why: format!("{peer} is not being asked") });
        }
        if !self.drop_asked(peer, Resolution::Withdrawn) {
            let why = format!("{peer} has accepted: end the chat with `secchatctl close {peer}`");
            return Err(CommandError::AlreadyResolved { why });
        }
        self.answer_talk(peer, &Err(CommandError::Withdrawn));
        Ok(self.wait_for_save(caller))
    }

    /// Nobody waits for a request any more: one that was only waited for is withdrawn.
    pub(super) fn withdraw_if_unwanted(&mut self, peer: &UserName) {
        let is_it = |wait: &Wait| matches!(wait, Wait::Talk { peer: asked } if asked == peer);
        if self.asked.get(peer).is_some_and(|asked| !asked.standing) && !self.pending.any(is_it) {
            self.drop_asked(peer, Resolution::Withdrawn);
        }
    }

    /// Every command that waits for a peer fails with this.
    pub(super) fn give_up_asking(&mut self, error: &CommandError) {
        let waiting = self.pending.take_all(|wait| matches!(wait, Wait::Talk { .. }));
        for waiting in waiting {
            self.reply(waiting.key, Err(error.clone()));
            if let Wait::Talk { peer } = waiting.wait {
                self.withdraw_if_unwanted(&peer);
            }
        }
    }

    /// Answers every command that waits for a chat with this peer.
    pub(super) fn answer_talk(&mut self, peer: &UserName, result: &Result<Reply, CommandError>) {
        self.answer_all(|wait| matches!(wait, Wait::Talk { peer: asked } if asked == peer), result);
    }

    /// Response 1 came: by the relay's word the peer accepted; only M2 proves it.
    pub(super) fn handle_accepted(&mut self, peer: &UserName, chat_id: ChatId, offered: Option<&Offered>) {
        if self.chats.get(&chat_id).is_some_and(|talk| talk.peer == *peer) {
            return self.handle_accepted_again(peer, chat_id, offered);
        }
        let asked = self.asked.get(peer).filter(|asked| asked.request.chat_id == chat_id);
        let Some(request) = asked.map(|asked| asked.request.clone()) else {
            return self.send(LinkMessage::ReturnToLobby { chat_id });
        };
        match self.judge_key(peer, offered) {
            Judged::Good(key) => self.start_chat(peer, &key, request),
            Judged::Changed { key, vouched } => {
                self.note_changed(peer, (key, vouched), None);
                self.drop_asked(peer, Resolution::Withdrawn);
                self.answer_talk(peer, &Err(CommandError::KeyChanged { peer: user_to_ipc(peer) }));
            }
            Judged::Missing => {
                self.warn("response_dropped", Some(peer), "the relay sent no usable key with it");
                self.send(LinkMessage::ReturnToLobby { chat_id });
            }
        }
    }

    fn start_chat(&mut self, peer: &UserName, key: &PublicKey, request: RequestToTalk) {
        let chat_id = request.chat_id;
        let Ok((user, identity)) = self.identity() else { return };
        if let Err(error) = self.has_room_for_chat(peer) {
            self.drop_asked(peer, Resolution::Withdrawn);
            return self.answer_talk(peer, &Err(error));
        }
        let context = ChatContext {
            initiator: (user, identity.public_key().clone()),
            responder: (peer.clone(), key.clone()),
            request,
        };
        self.hold_chat(Side::Initiator, context, None);
        self.chat_step(chat_id, |chat, env| chat.handle_pair(env));
    }

    /// A pair for a chat that exists. The first Peer Key was kept with the request: another one is refused while the
    /// chat is not established, and then disturbs it no more, because the chat keeps its keys.
    fn handle_accepted_again(&mut self, peer: &UserName, chat_id: ChatId, offered: Option<&Offered>) {
        let Some(talk) = self.chats.get(&chat_id) else { return };
        let is_ours = talk.chat.side() == Side::Initiator;
        let (established, held) = (talk.chat.is_established(), talk.peer_key().clone());
        let judged = self.judge_key(peer, offered);
        let fits = matches!(&judged, Judged::Good(key) if *key == held);
        if let Judged::Changed { key, vouched } = judged {
            self.note_changed(peer, (key, vouched), None);
        }
        if is_ours && (fits || established) {
            self.chat_step(chat_id, |chat, env| chat.handle_pair(env));
        } else {
            self.warn("response_dropped", Some(peer), "the relay sent another key than before");
            self.send(LinkMessage::ReturnToLobby { chat_id });
        }
    }

    /// Response 0 came: it ends the request, and nothing that is established.
    pub(super) fn handle_refused(&mut self, peer: &UserName, chat_id: ChatId) {
        let is_it = self.asked.get(peer).is_some_and(|asked| asked.request.chat_id == chat_id);
        if is_it && self.drop_asked(peer, Resolution::Refused) {
            self.log("rtt_was_refused", Some(peer), format!("{chat_id:?}"));
            self.answer_talk(peer, &Err(CommandError::Refused { peer: user_to_ipc(peer) }));
        }
    }

    /// A 7 came for a request: no refusal, only the present state. Who waits is told; a standing request stays. One
    /// that was accepted goes on too: a lost link costs nothing but time.
    pub(super) fn handle_unavailable(&mut self, reason: BadReason, peer: &UserName, chat_id: ChatId) {
        let Some(asked) = self.asked.get_mut(peer).filter(|asked| asked.request.chat_id == chat_id) else {
            return;
        };
        match reason {
            BadReason::NotAvailable => {
                asked.peer_away = true;
                self.view.touch_asked(peer);
                if self.chats.contains_key(&chat_id) {
                    return;
                }
                self.answer_talk(peer, &Err(CommandError::PeerUnavailable { peer: user_to_ipc(peer) }));
                self.withdraw_if_unwanted(peer);
            }
            BadReason::Limit => {
                self.drop_asked(peer, Resolution::Withdrawn);
                let why = "the relay keeps no more requests of this user: withdraw some, or try later".into();
                self.answer_talk(peer, &Err(CommandError::LimitReached { why }));
            }
        }
    }
}

/// How long after its request's expiry a command waits for the news: the clocks differ by less than a second.
const AFTER_EXPIRY: Duration = Duration::from_secs(2);
