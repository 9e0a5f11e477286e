//! Requests of others: what arrives is checked before anybody sees it, kept once answered, and never asked twice.

use secchat_ipc::types::{IncomingRequest, Policy, RequestState, Resolution, ResolvedBy};
use secchat_proto::UserName;
use secchat_proto::chat::{PairLoss, Side};
use secchat_proto::crypto::entropy::Entropy;
use secchat_proto::crypto::signature::PublicKey;
use secchat_proto::wire::link::{Answer, ChatId, LinkMessage};
use secchat_proto::wire::request::{RequestToTalk, Terms};

use super::Core;
use super::answers::Decision;
use super::chats::Talk;
use super::link::Offered;
use super::record::{KeptAnswer, SavedRequest};
use super::trust::Judged;
use crate::convert::{chat_id_to_ipc, terms_to_ipc, user_to_ipc};
use crate::limits::MAX_ANSWERED_REQUESTS;

/// A request whose signature verified.
#[derive(Debug)]
pub(super) struct Incoming {
    /// Who asks.
    pub(super) peer: UserName,
    /// The key that it verified under: the pin, or at first contact the Peer Key that came with it.
    pub(super) key: PublicKey,
    /// The request.
    pub(super) request: RequestToTalk,
    /// When it arrived: Unix seconds.
    pub(super) received: u64,
    /// How it stands.
    pub(super) state: State,
    /// The safety number for `key`, once anybody looked.
    pub(super) number: Option<String>,
    /// It came while locked, and the unlock may answer it: by a policy, a consent or a crossing request.
    pub(super) is_put_off: bool,
}

/// How a request stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Waits for an answer.
    Pending,
    /// Waits, without reminders.
    Later,
    /// Accepted, with this grant; its chat is held until it opens.
    Accepted(Decision, Terms),
    /// Refused, with or without a word; can be undone.
    Refused {
        /// Nothing was sent.
        quietly: bool,
        /// By whom.
        decision: Decision,
    },
    /// Accepted, and M3 verified.
    Spent(Decision),
    /// Taken back by the asker, or replaced by a newer one; stays refused.
    Withdrawn {
        /// When: Unix seconds.
        at: u64,
    },
}

impl Incoming {
    /// A request that an earlier daemon kept.
    pub(super) fn from_saved(saved: SavedRequest) -> Self {
        let by = ResolvedBy::Frontend { name: "an earlier daemon".into(), pid: 0 };
        let decision = Decision { by, at: saved.answered };
        let state = match saved.answer {
            KeptAnswer::Refused => State::Refused { quietly: false, decision },
            KeptAnswer::RefusedQuietly => State::Refused { quietly: true, decision },
            KeptAnswer::Accepted(granted) => State::Accepted(decision, granted),
            KeptAnswer::Spent => State::Spent(decision),
            KeptAnswer::Withdrawn => State::Withdrawn { at: saved.answered },
            KeptAnswer::Pending => State::Pending,
            KeptAnswer::Later => State::Later,
        };
        let SavedRequest { peer, request, key, received, .. } = saved;
        Self { peer, key, request, received, state, number: None, is_put_off: false }
    }

    /// How it stands, as it is saved, and since when.
    pub(super) fn kept_answer(&self) -> (KeptAnswer, u64) {
        match &self.state {
            State::Pending => (KeptAnswer::Pending, self.received),
            State::Later => (KeptAnswer::Later, self.received),
            State::Accepted(decision, granted) => (KeptAnswer::Accepted(*granted), decision.at),
            State::Refused { quietly: false, decision } => (KeptAnswer::Refused, decision.at),
            State::Refused { quietly: true, decision } => (KeptAnswer::RefusedQuietly, decision.at),
            State::Spent(decision) => (KeptAnswer::Spent, decision.at),
            State::Withdrawn { at } => (KeptAnswer::Withdrawn, *at),
        }
    }

    /// Whether nothing comes of it any more: its answer is kept only so that it is not asked again.
    fn is_done(&self) -> bool {
        match self.state {
            State::Pending | State::Later | State::Accepted(..) => false,
            State::Refused { .. } | State::Spent(_) | State::Withdrawn { .. } => true,
        }
    }

    pub(super) fn is_unanswered(&self) -> bool {
        matches!(self.state, State::Pending | State::Later)
    }

    /// Orders a peer's requests: later issued, then the greater id.
    pub(super) fn age(&self) -> (u64, ChatId) {
        (self.request.issued, self.request.chat_id)
    }
}

impl<E: Entropy> Core<E> {
    /// An RTT came. One that fails its checks is dropped, unseen and unanswered; the checks are the same work
    /// whatever the answer will be.
    pub(super) fn handle_request(&mut self, peer: UserName, encoded: Vec<u8>, offered: Option<Offered>) {
        let Some(user) = self.settings.user.clone() else { return };
        let Ok(request) = RequestToTalk::decode(&encoded) else {
            return self.warn("rtt_dropped", Some(&peer), "malformed");
        };
        let key = match self.judge_key(&peer, offered.as_ref()) {
            Judged::Good(key) => key,
            Judged::Changed { key, vouched } => {
                return self.note_changed(&peer, (key, vouched), Some(encoded));
            }
            Judged::Missing => {
                return self.warn("rtt_dropped", Some(&peer), "the relay sent no usable key with it");
            }
        };
        if let Err(error) = request.verify(&peer, &key, &user, self.time.unix) {
            return self.warn("rtt_dropped", Some(&peer), error.to_string());
        }
        let blocked = self.known.peer(&peer).is_some_and(|saved| saved.blocked);
        if peer == user || blocked {
            return;
        }
        self.follow(&peer, &key);
        if self.is_known(&peer, &key, &request) {
            return;
        }
        let received = self.time.unix;
        let state = State::Pending;
        let incoming = Incoming { peer, key, request, received, state, number: None, is_put_off: false };
        self.take_request(&user, incoming);
    }

    /// Whether the request was seen before; it is then answered as before, or not at all.
    fn is_known(&mut self, peer: &UserName, key: &PublicKey, request: &RequestToTalk) -> bool {
        let chat_id = request.chat_id;
        let Some(known) = self.requests.get(&chat_id) else {
            let own = self.asked.values().any(|asked| asked.request.chat_id == chat_id);
            return own || self.chats.contains_key(&chat_id) || self.known.is_stale(peer, request.issued);
        };
        if known.peer != *peer || known.key != *key || known.request != *request {
            self.warn("rtt_dropped", Some(peer), "another request under a known chat id");
            return true;
        }
        let answer = match known.state {
            State::Accepted(..) => Some(Answer::Accept),
            State::Refused { quietly: false, .. } => Some(Answer::Refuse),
            State::Refused { quietly: true, .. }
            | State::Pending
            | State::Later
            | State::Spent(_)
            | State::Withdrawn { .. } => None,
        };
        if let Some(answer) = answer {
            self.send(LinkMessage::Response { answer, name: peer.clone(), chat_id });
        }
        true
    }

    /// A new request: crossing, replacing, bounded, then by policy.
    fn take_request(&mut self, user: &UserName, mut incoming: Incoming) {
        let peer = incoming.peer.clone();
        let chat_id = incoming.request.chat_id;
        if !self.make_room(&peer) {
            return self.warn("rtt_dropped", Some(&peer), "too many requests are kept");
        }
        if self.asked.contains_key(&peer) && *user < peer {
            // This user's request stands, and the peer accepts it.
            incoming.state = State::Withdrawn { at: self.time.unix };
            return self.keep_request(incoming);
        }
        if !self.replace_older(&incoming) {
            incoming.state = State::Withdrawn { at: self.time.unix };
            return self.keep_request(incoming);
        }
        self.log("rtt_received", Some(&peer), format!("{chat_id:?}"));
        self.keep_request(incoming);
        self.decide(chat_id);
    }

    /// What becomes of a request that nobody has answered, without a person.
    pub(super) fn decide(&mut self, chat_id: ChatId) {
        let pending = self.requests.get(&chat_id).filter(|incoming| incoming.state == State::Pending);
        let Some(incoming) = pending else { return };
        let (peer, asked_terms) = (incoming.peer.clone(), incoming.request.terms);
        let own_terms = self.asked.get(&peer).map(|asked| asked.request.terms);
        let verdict = self.verdict(&peer);
        let is_yes = own_terms.is_some() || verdict == Policy::Accept || self.consented(incoming).is_some();
        if is_yes && self.session.identity().is_none() {
            return self.put_off(chat_id);
        }
        if let Some(own) = own_terms {
            let accepted = self.accept(chat_id, asked_terms.min(&own), ResolvedBy::Crossing);
            return self.warn_if_failed(&peer, &accepted);
        }
        if self.accept_by_consent(&peer) {
            return;
        }
        match verdict {
            Policy::Ask => {}
            Policy::Accept => {
                let accepted = self.accept(chat_id, asked_terms, ResolvedBy::Policy);
                self.warn_if_failed(&peer, &accepted);
            }
            Policy::Refuse => self.refuse(chat_id, false, ResolvedBy::Policy),
            Policy::RefuseQuietly => self.refuse(chat_id, true, ResolvedBy::Policy),
        }
    }

    pub(super) fn warn_if_failed(
        &mut self,
        peer: &UserName,
        accepted: &Result<(), secchat_ipc::CommandError>,
    ) {
        if let Err(error) = accepted {
            self.warn("accept_failed", Some(peer), error.to_string());
        }
    }

    fn keep_request(&mut self, incoming: Incoming) {
        let chat_id = incoming.request.chat_id;
        self.next_expiry = self.next_expiry.min(incoming.request.expires);
        self.requests.insert(chat_id, incoming);
        self.note_answer(chat_id);
    }

    /// A peer has one unanswered request: a newer one takes the place of the one before. `false`: this is the older.
    fn replace_older(&mut self, new: &Incoming) -> bool {
        let old: Vec<(ChatId, bool)> = self
            .requests
            .iter()
            .filter(|(_, old)| old.peer == new.peer && old.is_unanswered())
            .map(|(id, old)| (*id, old.age() < new.age()))
            .collect();
        for (chat_id, is_older) in &old {
            if *is_older {
                self.end_request(*chat_id, Resolution::Withdrawn, ResolvedBy::Peer);
            }
        }
        old.iter().all(|(_, is_older)| *is_older)
    }

    /// Ends an unanswered or accepted request: it stays known, as withdrawn.
    pub(super) fn end_request(&mut self, chat_id: ChatId, resolution: Resolution, by: ResolvedBy) {
        let at = self.time.unix;
        let Some(request) = self.requests.get_mut(&chat_id) else { return };
        let peer = request.peer.clone();
        self.tell_resolved(&peer, chat_id, resolution, by);
        if let Some(request) = self.requests.get_mut(&chat_id) {
            request.state = State::Withdrawn { at };
        }
        self.note_answer(chat_id);
    }

    /// Whether requests that wait leave no room for another.
    pub(super) fn is_full_of_requests(&self) -> bool {
        let limit = self.settings.max_incoming_requests;
        self.requests.len() >= limit && self.requests.values().filter(|r| r.is_unanswered()).count() >= limit
    }

    /// Makes room for one more request of `peer`. Of answers that are too many, one of those who asked most often
    /// gives way, so that nobody pushes out another's.
    fn make_room(&mut self, peer: &UserName) -> bool {
        let replaces = self.requests.values().any(|r| r.peer == *peer && r.is_unanswered());
        if !replaces && self.is_full_of_requests() {
            return false;
        }
        let limit = MAX_ANSWERED_REQUESTS.saturating_add(self.settings.max_incoming_requests);
        if self.requests.len() < limit {
            return true;
        }
        let mut counts = std::collections::BTreeMap::<&UserName, usize>::new();
        for request in self.requests.values().filter(|r| r.is_done()) {
            let count = counts.entry(&request.peer).or_default();
            *count = count.saturating_add(1);
        }
        let Some(busiest) = counts.into_iter().max_by_key(|(_, count)| *count).map(|(peer, _)| peer.clone())
        else {
            return false;
        };
        let oldest = self.requests.values().filter(|r| r.peer == busiest && r.is_done());
        let Some((issued, chat_id)) = oldest.map(Incoming::age).min() else { return false };
        if !self.let_go(&busiest, issued) {
            return false;
        }
        self.requests.remove(&chat_id);
        self.note_answer(chat_id);
        true
    }

    /// Response 2 came: the other side, by the relay's word, left the pair or took its request back. Nothing that is
    /// established ends by it, nor this side's own request.
    pub(super) fn handle_withdrawn(&mut self, peer: &UserName, chat_id: ChatId) {
        let is_pair_alone = |talk: &Talk| talk.chat.is_established() || talk.chat.side() == Side::Initiator;
        if self.chats.get(&chat_id).is_some_and(|talk| talk.peer == *peer && is_pair_alone(talk)) {
            return self.chat_step(chat_id, |chat, env| chat.handle_pair_lost(PairLoss::Returned, env));
        }
        let Some(request) = self.requests.get(&chat_id).filter(|request| request.peer == *peer) else {
            return self.withdraw_changed(peer, chat_id);
        };
        match request.state {
            State::Pending | State::Later | State::Refused { .. } => {
                self.end_request(chat_id, Resolution::Withdrawn, ResolvedBy::Peer);
            }
            State::Accepted(..) => {
                self.end_request(chat_id, Resolution::Withdrawn, ResolvedBy::Peer);
                self.drop_chat(chat_id, secchat_ipc::types::EndReason::Unconfirmed);
            }
            State::Spent(_) | State::Withdrawn { .. } => {}
        }
    }

    /// The request as frontends see it: until its chat opens, it expires or is withdrawn.
    pub(super) fn request_item(&self, chat_id: ChatId) -> Option<IncomingRequest> {
        let incoming = self.requests.get(&chat_id)?;
        let is_opening = || self.chats.get(&chat_id).is_some_and(|talk| talk.is_opening());
        let state = match &incoming.state {
            State::Pending => RequestState::Pending,
            State::Later => RequestState::Later,
            State::Accepted(..) | State::Spent(_) if is_opening() => RequestState::Accepted,
            State::Refused { .. } => RequestState::Refused,
            State::Accepted(..) | State::Spent(_) | State::Withdrawn { .. } => return None,
        };
        Some(IncomingRequest {
            peer: user_to_ipc(&incoming.peer),
            chat_id: chat_id_to_ipc(chat_id),
            issued: incoming.request.issued,
            expires: incoming.request.expires,
            received: incoming.received,
            terms: terms_to_ipc(incoming.request.terms),
            trust: self.trust(&incoming.peer),
            safety_number: incoming.number.clone().unwrap_or_default(),
            state,
        })
    }
}
