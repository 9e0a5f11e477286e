//! Consents that are wider than one chat: what a person granted a peer, and the one function that decides with it.

use secchat_ipc::types::{Consent, EndReason, Policy, Resolution, ResolvedBy};
use secchat_ipc::{CommandError, Reply};
use secchat_proto::UserName;
use secchat_proto::chat::{Phase, Side};
use secchat_proto::crypto::entropy::Entropy;
use secchat_proto::wire::link::ChatId;
use secchat_proto::wire::request::Terms;

use super::Core;
use super::chats::Talk;
use super::commands::{Caller, Outcome};
use super::record::{RecordKey, SavedConsent};
use super::requests::Incoming;
use crate::convert::{chat_id_to_ipc, terms_to_ipc, user_to_ipc};
use crate::limits::MAX_CONSENTS;

impl<E: Entropy> Core<E> {
    /// What a request is granted without a question: what is left of the consent that a person gave its asker, if that
    /// covers it. Never for another key than the consent was given to, nor over a refusal; and not while a chat with the
    /// peer stands: who has one need not ask, so either side may have come back from an older copy of its state.
    pub(super) fn consented(&self, incoming: &Incoming) -> Option<Terms> {
        let peer = &incoming.peer;
        let (consent, known) = (self.consents.get(peer)?, self.known.peer(peer)?);
        let is_same_key = incoming.key == consent.key && known.pin.as_ref() == Some(&consent.key);
        let is_refused =
            known.blocked || matches!(known.policy, Some(Policy::Refuse | Policy::RefuseQuietly));
        let stands = |talk: &Talk| talk.peer == *peer && !talk.is_over && !talk.closing;
        let granted = consent.terms.min(&incoming.request.terms);
        let is_covered = is_same_key
            && !is_refused
            && !self.changed.contains_key(peer)
            && !self.chats.values().any(stands)
            && granted.until > self.time.unix;
        is_covered.then_some(granted)
    }

    /// Accepts the peer's unanswered request if its consent covers it; whether it does.
    pub(super) fn accept_by_consent(&mut self, peer: &UserName) -> bool {
        let waiting = self.requests.iter().filter(|(_, r)| r.peer == *peer && r.is_unanswered());
        let covered = waiting.filter_map(|(chat_id, r)| Some((*chat_id, self.consented(r)?))).next();
        let Some((chat_id, granted)) = covered else { return false };
        let accepted = self.accept(chat_id, granted, ResolvedBy::Consent);
        self.warn_if_failed(peer, &accepted);
        accepted.is_ok()
    }

    /// Whether one more consent, for this peer, can be kept.
    pub(super) fn has_room_for_consent(&self, peer: &UserName) -> Result<(), CommandError> {
        if self.consents.contains_key(peer) || self.consents.len() < MAX_CONSENTS {
            return Ok(());
        }
        let why =
            format!("{MAX_CONSENTS} consents are kept already: take some back, see `secchatctl consents`");
        Err(CommandError::LimitReached { why })
    }

    /// The last accept of a person says what holds: for the one chat, or also for those that follow within its grant.
    pub(super) fn keep_consent(&mut self, chat_id: ChatId, granted: Terms, is_standing: bool) {
        let Some(incoming) = self.requests.get(&chat_id) else { return };
        let peer = incoming.peer.clone();
        if !is_standing {
            return self.drop_consent(&peer);
        }
        let consent = SavedConsent { key: incoming.key.clone(), terms: granted, given: self.time.unix };
        self.next_expiry = self.next_expiry.min(granted.until);
        self.consents.insert(peer.clone(), consent);
        self.log("consent_given", Some(&peer), "");
        self.touch(RecordKey::Consent(peer));
    }

    /// The peer's consent is void.
    pub(super) fn drop_consent(&mut self, peer: &UserName) {
        if self.consents.remove(peer).is_some() {
            self.log("consent_over", Some(peer), "");
            self.touch(RecordKey::Consent(peer.clone()));
        }
    }

    /// What is kept about the peer changed: a consent is for one key, and not for who is blocked.
    pub(super) fn check_consent(&mut self, peer: &UserName) {
        let Some(consent) = self.consents.get(peer) else { return };
        let is_void = self
            .known
            .peer(peer)
            .is_some_and(|saved| saved.blocked || saved.pin.as_ref().is_some_and(|pin| *pin != consent.key));
        if is_void {
            self.drop_consent(peer);
        }
    }

    /// Consents whose time is over go.
    pub(super) fn expire_consents(&mut self) {
        let over = self.consents.iter().filter(|(_, consent)| consent.terms.until <= self.time.unix);
        for peer in over.map(|(peer, _)| peer.clone()).collect::<Vec<_>>() {
            self.drop_consent(&peer);
        }
    }

    /// Who may talk now: by a consent that stands, and in each chat.
    pub(super) fn list_consents(&self) -> Outcome {
        let standing = self.consents.iter().filter(|(_, consent)| consent.terms.until > self.time.unix);
        let standing = standing.map(|(peer, consent)| Consent {
            peer: user_to_ipc(peer),
            given: consent.given,
            terms: terms_to_ipc(consent.terms),
            chat_id: None,
        });
        let chats = self.chats.values().filter(|talk| talk.is_listed() && !talk.closing);
        let chats = chats.map(|talk| {
            let request = &talk.chat.context().request;
            Consent {
                peer: user_to_ipc(&talk.peer),
                given: request.issued,
                terms: terms_to_ipc(talk.chat.granted().unwrap_or(request.terms)),
                chat_id: Some(chat_id_to_ipc(talk.chat.id())),
            }
        });
        let mut consents: Vec<Consent> = standing.chain(chats).collect();
        consents.sort_by(|a, b| (&a.peer, a.chat_id).cmp(&(&b.peer, b.chat_id)));
        Outcome::Now(Reply::Consents(consents))
    }

    /// The peer may not talk any more, nor again without being asked about: its chats end, its consent goes, and so does
    /// this user's own request. A policy that accepts does not hold for this peer.
    pub(super) fn revoke(&mut self, caller: &Caller, peer: &UserName) -> Result<Outcome, CommandError> {
        let mut found = self.consents.contains_key(peer);
        self.drop_consent(peer);
        if self.verdict(peer) == Policy::Accept {
            self.can_keep(peer)?;
            self.change_peer(peer, |saved| saved.policy = Some(Policy::Ask));
            found = true;
        }
        if self.drop_asked(peer, Resolution::Withdrawn) {
            self.answer_talk(peer, &Err(CommandError::Withdrawn));
            found = true;
        }
        let stands = |talk: &Talk| talk.peer == *peer && !talk.is_over && !talk.closing;
        let chats: Vec<ChatId> =
            self.chats.values().filter(|talk| stands(talk)).map(|talk| talk.chat.id()).collect();
        for chat_id in chats {
            found = true;
            self.end_revoked(caller, chat_id);
        }
        if !found {
            return Err(CommandError::NoConsent { peer: user_to_ipc(peer) });
        }
        self.log("consent_revoked", Some(peer), "");
        Ok(self.wait_for_save(caller))
    }

    fn end_revoked(&mut self, caller: &Caller, chat_id: ChatId) {
        let Some(talk) = self.chats.get(&chat_id) else { return };
        if talk.is_opening() && talk.chat.side() == Side::Responder {
            return self.revoke_accept(caller, chat_id);
        }
        if talk.is_opening() {
            return self.drop_chat(chat_id, EndReason::ClosedHere);
        }
        let is_open = talk.chat.phase() == Phase::Open;
        self.end_chat(chat_id);
        if !is_open {
            self.give_up_texts(chat_id);
        }
    }
}
