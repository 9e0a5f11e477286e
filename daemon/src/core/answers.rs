//! Answering others' requests: accept, refuse, later; by a person, a policy or a crossing request.

use std::time::Instant;

use secchat_ipc::types::{EndReason, Policy, Resolution, ResolvedBy, Terms as IpcTerms};
use secchat_ipc::{CommandError, Reply, UserName as IpcUserName};
use secchat_proto::UserName;
use secchat_proto::chat::Side;
use secchat_proto::crypto::entropy::Entropy;
use secchat_proto::handshake::ChatContext;
use secchat_proto::wire::link::{Answer, ChatId, LinkMessage};
use secchat_proto::wire::request::Terms;

use super::Core;
use super::commands::{Caller, Outcome};
use super::pending::Wait;
use super::requests::State;
use crate::convert::{chat_id_to_ipc, terms_from_ipc, terms_to_ipc, user_from_ipc, user_to_ipc};
use crate::limits::{MAX_CHATS, MAX_COOLING_PEERS};

/// Who decided, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Decision {
    /// Who.
    pub(super) by: ResolvedBy,
    /// When: Unix seconds.
    pub(super) at: u64,
}

/// What a person accepts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Accept {
    /// The grant; `None`: what was asked.
    pub(super) terms: Option<IpcTerms>,
    /// Not only this chat, but also those that follow within the grant.
    pub(super) is_standing: bool,
    /// Whether the command waits for the chat.
    pub(super) wait: bool,
}

impl Accept {
    /// For the one chat.
    pub(super) fn once(terms: Option<IpcTerms>, wait: bool) -> Self {
        Self { terms, is_standing: false, wait }
    }

    /// For those that follow, too.
    pub(super) fn standing(terms: Option<IpcTerms>, wait: bool) -> Self {
        Self { terms, is_standing: true, wait }
    }
}

/// A person refused this peer a short while ago. Kept in memory only.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cooling {
    until: Instant,
    quietly: bool,
}

impl<E: Entropy> Core<E> {
    /// What happens to a new request of this peer without a person.
    pub(super) fn verdict(&self, peer: &UserName) -> Policy {
        if self.changed.contains_key(peer) {
            return Policy::Ask;
        }
        let own = self.known.peer(peer).and_then(|saved| saved.policy);
        let policy = own.or_else(|| self.known.policy()).unwrap_or(Policy::Ask);
        match (policy, self.cooling.get(peer).filter(|cooling| self.time.now < cooling.until)) {
            (Policy::Ask, Some(Cooling { quietly: false, .. })) => Policy::Refuse,
            (Policy::Ask, Some(Cooling { quietly: true, .. })) => Policy::RefuseQuietly,
            (policy, _) => policy,
        }
    }

    /// Accepts: the grant is fixed, and this side's offer made until M3 has verified.
    pub(super) fn accept(
        &mut self,
        chat_id: ChatId,
        granted: Terms,
        by: ResolvedBy,
    ) -> Result<(), CommandError> {
        let (user, identity) = self.identity()?;
        let Some(incoming) = self.requests.get(&chat_id) else { return Ok(()) };
        let peer = incoming.peer.clone();
        let context = ChatContext {
            initiator: (peer.clone(), incoming.key.clone()),
            responder: (user, identity.public_key().clone()),
            request: incoming.request.clone(),
        };
        if !granted.is_within(&incoming.request.terms) {
            return Err(CommandError::Invalid { why: "a grant cannot be above what was asked".into() });
        }
        if granted.until <= self.time.unix {
            return Err(CommandError::Invalid { why: "the granted end of the chat is over already".into() });
        }
        self.has_room_for_chat(&peer)?;
        self.cooling.remove(&peer);
        // Accepting withdraws one's own request; who waits for it waits for this chat now.
        self.drop_asked(&peer, Resolution::Withdrawn);
        self.hold_chat(Side::Responder, context, Some(granted));
        let decision = Decision { by: by.clone(), at: self.time.unix };
        if let Some(incoming) = self.requests.get_mut(&chat_id) {
            incoming.state = State::Accepted(decision, granted);
        }
        self.note_answer(chat_id);
        let detail = format!("{chat_id:?} {}, by {}", on_terms(granted), decided_by(&by));
        self.log("rtt_accepted", Some(&peer), detail);
        self.tell_resolved(&peer, chat_id, Resolution::Accepted, by);
        self.send_when_saved(LinkMessage::Response { answer: Answer::Accept, name: peer, chat_id });
        Ok(())
    }

    /// What an earlier daemon accepted and did not see opened is held again, now that the identity is at hand: its
    /// Response 1 goes out with the other offers. A peer blocked, or with another key, since then gets none.
    pub(super) fn take_up_accepted(&mut self) {
        let Ok((user, identity)) = self.identity() else { return };
        let accepted: Vec<_> = self
            .requests
            .iter()
            .filter(|(chat_id, _)| !self.chats.contains_key(chat_id))
            .filter_map(|(chat_id, incoming)| match &incoming.state {
                State::Accepted(_, granted) => {
                    let initiator = (incoming.peer.clone(), incoming.key.clone());
                    Some((*chat_id, initiator, incoming.request.clone(), *granted))
                }
                State::Pending | State::Later | State::Refused { .. } | State::Spent(_) => None,
                State::Withdrawn { .. } => None,
            })
            .collect();
        for (chat_id, initiator, request, granted) in accepted {
            let is_in_order = self.known.peer(&initiator.0).is_none_or(|saved| {
                !saved.blocked && saved.pin.as_ref().is_none_or(|pin| *pin == initiator.1)
            });
            if is_in_order && self.has_room_for_chat(&initiator.0).is_ok() {
                let responder = (user.clone(), identity.public_key().clone());
                let context = ChatContext { initiator, responder, request };
                self.hold_chat(Side::Responder, context, Some(granted));
                self.view.touch_request(chat_id);
            } else {
                self.end_request(chat_id, Resolution::Withdrawn, ResolvedBy::Policy);
            }
        }
    }

    /// Whether one more chat, with this peer, can be held.
    pub(super) fn has_room_for_chat(&self, peer: &UserName) -> Result<(), CommandError> {
        if self.chats.len() >= MAX_CHATS {
            let why = format!("{MAX_CHATS} chats are held already: close some with `secchatctl close`");
            return Err(CommandError::LimitReached { why });
        }
        if !self.known.has_room_for(peer) {
            let why = "too many peers are known: drop some with `secchatctl forget`".into();
            return Err(CommandError::LimitReached { why });
        }
        Ok(())
    }

    /// Refuses; quietly: without a word to the relay.
    pub(super) fn refuse(&mut self, chat_id: ChatId, quietly: bool, by: ResolvedBy) {
        let decision = Decision { by: by.clone(), at: self.time.unix };
        let Some(incoming) = self.requests.get_mut(&chat_id) else { return };
        let peer = incoming.peer.clone();
        incoming.state = State::Refused { quietly, decision };
        self.note_answer(chat_id);
        let how = if quietly { " quietly" } else { "" };
        self.log("rtt_refused", Some(&peer), format!("{chat_id:?}{how}, by {}", decided_by(&by)));
        self.tell_resolved(&peer, chat_id, Resolution::Refused, by);
        if !quietly {
            self.send_when_saved(LinkMessage::Response { answer: Answer::Refuse, name: peer, chat_id });
        }
    }

    fn cool_down(&mut self, peer: &UserName, quietly: bool) {
        let now = self.time.now;
        self.cooling.retain(|_, cooling| cooling.until > now);
        if self.cooling.len() < MAX_COOLING_PEERS {
            let until = now + self.settings.cool_down;
            self.cooling.insert(peer.clone(), Cooling { until, quietly });
        }
    }

    pub(super) fn grant(
        &mut self,
        caller: &Caller,
        peer: &IpcUserName,
        accept: Accept,
    ) -> Result<Outcome, CommandError> {
        let peer = &user_from_ipc(peer);
        let Accept { terms, is_standing, wait } = accept;
        self.identity()?;
        // What came under the other key is kept back, so the newest request is an older one.
        if self.changed.contains_key(peer) {
            return Err(CommandError::KeyChanged { peer: user_to_ipc(peer) });
        }
        let (chat_id, state) = self.newest_request(peer)?;
        match state {
            State::Pending | State::Later | State::Refused { .. } => {}
            State::Accepted(..) | State::Spent(_) | State::Withdrawn { .. } => {
                return Err(self.already_resolved(peer, &state));
            }
        }
        let asked = self.requests.get(&chat_id).map_or(Terms::UNLIMITED, |incoming| incoming.request.terms);
        let granted = terms.map_or(asked, terms_from_ipc);
        if is_standing {
            self.has_room_for_consent(peer)?;
        }
        self.accept(chat_id, granted, caller.who.clone())?;
        self.keep_consent(chat_id, granted, is_standing);
        Ok(self.accepted(caller, chat_id, wait))
    }

    /// The answer to a command that accepted: when that is on disk, or the chat open.
    pub(super) fn accepted(&mut self, caller: &Caller, chat_id: ChatId, wait: bool) -> Outcome {
        if wait {
            return self.wait(caller, Wait::Opening { chat_id });
        }
        let granted = self.chats.get(&chat_id).and_then(|talk| talk.chat.granted());
        let terms = terms_to_ipc(granted.unwrap_or(Terms::UNLIMITED));
        self.wait_for_save_with(caller, Reply::Accepted { chat_id: chat_id_to_ipc(chat_id), terms })
    }

    pub(super) fn refuse_by_command(
        &mut self,
        caller: &Caller,
        peer: &UserName,
        quietly: bool,
    ) -> Result<Outcome, CommandError> {
        let (chat_id, state) = self.newest_request(peer)?;
        match state {
            State::Pending | State::Later => {}
            State::Accepted(..) | State::Refused { .. } | State::Spent(_) | State::Withdrawn { .. } => {
                return Err(self.already_resolved(peer, &state));
            }
        }
        self.cool_down(peer, quietly);
        self.drop_consent(peer);
        self.refuse(chat_id, quietly, caller.who.clone());
        Ok(self.wait_for_save(caller))
    }

    pub(super) fn later(&mut self, caller: &Caller, peer: &UserName) -> Result<Outcome, CommandError> {
        let (chat_id, state) = self.newest_request(peer)?;
        match state {
            State::Pending | State::Later => {}
            State::Accepted(..) | State::Refused { .. } | State::Spent(_) | State::Withdrawn { .. } => {
                return Err(self.already_resolved(peer, &state));
            }
        }
        if let Some(incoming) = self.requests.get_mut(&chat_id) {
            incoming.state = State::Later;
        }
        self.note_answer(chat_id);
        self.tell_resolved(peer, chat_id, Resolution::Later, caller.who.clone());
        Ok(self.wait_for_save(caller))
    }

    /// The request that a person means: the unanswered one, else the newest.
    fn newest_request(&self, peer: &UserName) -> Result<(ChatId, State), CommandError> {
        let of_peer = self.requests.iter().filter(|(_, request)| request.peer == *peer);
        of_peer
            .filter(|(id, request)| match request.state {
                State::Spent(_) => self.chats.contains_key(id),
                State::Pending
                | State::Later
                | State::Accepted(..)
                | State::Refused { .. }
                | State::Withdrawn { .. } => true,
            })
            .max_by_key(|(_, request)| (request.is_unanswered(), request.age()))
            .map(|(id, request)| (*id, request.state.clone()))
            .ok_or_else(|| CommandError::NoRequest { peer: user_to_ipc(peer) })
    }

    fn already_resolved(&self, peer: &UserName, state: &State) -> CommandError {
        let (what, by, at) = match state {
            State::Accepted(decision, _) | State::Spent(decision) => {
                ("accepted", Some(&decision.by), decision.at)
            }
            State::Refused { decision, .. } => ("refused", Some(&decision.by), decision.at),
            State::Withdrawn { at } => ("withdrawn", None, *at),
            State::Pending | State::Later => ("put off", None, self.time.unix),
        };
        let by = by.map(|by| format!(" by {}", decided_by(by))).unwrap_or_default();
        let seconds = self.time.unix.saturating_sub(at);
        CommandError::AlreadyResolved { why: format!("{peer}'s request was {what}{by} {seconds} s ago") }
    }

    /// Takes back an accept whose chat never opened.
    pub(super) fn revoke_accept(&mut self, caller: &Caller, chat_id: ChatId) {
        let state = self.requests.get(&chat_id).map(|incoming| &incoming.state);
        if matches!(state, Some(State::Accepted(..))) {
            self.refuse(chat_id, false, caller.who.clone());
        }
        self.drop_chat(chat_id, EndReason::ClosedHere);
    }
}

/// Who decided, for people.
pub(super) fn decided_by(by: &ResolvedBy) -> String {
    match by {
        ResolvedBy::Frontend { name, pid: 0 } => name.clone(),
        ResolvedBy::Frontend { name, pid } => format!("{name} (process {pid})"),
        ResolvedBy::Policy => "the policy".into(),
        ResolvedBy::Expiry => "its expiry".into(),
        ResolvedBy::Crossing => "this user's own request".into(),
        ResolvedBy::Consent => "a standing consent".into(),
        ResolvedBy::Peer => "the asker".into(),
    }
}

/// What was granted, for the log.
fn on_terms(terms: Terms) -> String {
    let IpcTerms { until, history_days } = terms_to_ipc(terms);
    let until =
        until.map_or_else(|| "without an end".to_owned(), |until| format!("until {until} (Unix seconds)"));
    let history =
        history_days.map_or_else(|| "all history".to_owned(), |days| format!("history {days} days"));
    format!("{until}, {history}")
}
