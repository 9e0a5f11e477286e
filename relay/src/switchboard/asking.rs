//! Requests to talk and their answers: who may ask, whom a request reaches, how it ends.

use std::time::Instant;

use secchat_proto::UserName;
use secchat_proto::crypto::signature::PublicKey;
use secchat_proto::limits::MAX_CLOCK_AHEAD_SECONDS;
use secchat_proto::wire::link::{Answer, BadReason, ChatId, LinkMessage};
use secchat_proto::wire::login::Role;
use secchat_proto::wire::request::RequestToTalk;

use super::holdings::RequestsHeld;
use super::offers::{Asked, Standing};
use super::{Moment, SessionId, Switchboard};
use crate::bucket::{Bucket, Buckets, Pace};
use crate::limits::Limits;

/// How much was asked lately; kept across links, so that logging in again gives nothing new.
#[derive(Debug, Default)]
pub(super) struct Rates {
    users: Buckets<UserName>,
    /// By asker and whom it names, be it a user or not.
    pairs: Buckets<(UserName, UserName)>,
    all: Option<Bucket>,
}

impl Rates {
    /// Counts a request, if it is within all three bounds; else names the first that it is over. One that is over
    /// its asker's counts for nobody else.
    fn take(
        &mut self,
        pair: &(UserName, UserName),
        limits: &Limits,
        now: Instant,
    ) -> Result<(), &'static str> {
        let of_user = Pace::per_minute(limits.rtts_per_minute, limits.rtt_burst);
        let of_pair = Pace::per_minute(limits.rtts_per_pair_per_minute, limits.rtt_pair_burst);
        let of_all = Pace::per_minute(limits.rtts_per_minute_in_all, limits.rtts_per_minute_in_all);
        if !self.users.take(&pair.0, of_user, now) {
            Err("rtts_per_minute")
        } else if !self.pairs.take(pair, of_pair, now) {
            Err("rtts_per_pair_per_minute")
        } else if !self.all.get_or_insert_with(|| Bucket::full(now)).take(of_all, now) {
            Err("rtts_per_minute_in_all")
        } else {
            Ok(())
        }
    }

    /// Forgets a user who cannot log in any more, and who asked it.
    pub(super) fn forget(&mut self, name: &UserName) {
        self.users.remove(name);
        self.pairs.retain(|(asker, named)| asker != name && named != name);
    }

    /// Requests of a user's that still count against its bound; those to one user, and of others to it, count each
    /// against the pair's.
    pub(super) fn of(&self, name: &UserName, limits: &Limits, now: Instant) -> RequestsHeld {
        // The bound of all requests together knows nobody.
        let Self { users, pairs, all: _ } = self;
        let of_user = Pace::per_minute(limits.rtts_per_minute, limits.rtt_burst);
        let is_of = |(asker, named): &&(UserName, UserName)| asker == name || named == name;
        RequestsHeld {
            counted: users.get(name).map_or(0, |bucket| bucket.missing(of_user, now)),
            pairs: pairs.keys().filter(is_of).count(),
        }
    }
}

impl Switchboard {
    /// RTT: the same work whoever is named, be it hidden, offline, unknown or the asker.
    pub(super) fn ask(&mut self, from: SessionId, addressee: &UserName, request: Vec<u8>, now: Moment) {
        let Some(session) = self.sessions.get(&from) else { return };
        let Some(rtt) = Asked::check(request, &session.public_key, now.unix) else { return };
        let chat_id = rtt.chat_id;
        if session.pairs.contains_key(&chat_id) {
            return;
        }
        let asker = session.name.clone();
        if let Err(limit) = self.may_ask(from, &asker, addressee, now) {
            self.note_over(limit);
            return self.send_bad_response(from, BadReason::Limit, addressee.clone(), chat_id);
        }
        if let Some(old) = self.offers.put_rtt(&asker, addressee, rtt) {
            self.tell_taken_back(&asker, addressee, &old);
        }
        if self.pair_up(from, addressee, chat_id, now) {
            return;
        }
        if !self.deliver(&asker, addressee, now) {
            self.send_bad_response(from, BadReason::NotAvailable, addressee.clone(), chat_id);
        }
        // Whoever asks may be asked back by the same one, though hidden.
        self.deliver(addressee, &asker, now);
    }

    /// Response.
    pub(super) fn answer(
        &mut self,
        from: SessionId,
        answer: Answer,
        (name, chat_id): (UserName, ChatId),
        now: Moment,
    ) {
        match answer {
            Answer::Accept => self.offer(from, (name, chat_id), Standing::Accept, now),
            Answer::Refuse => self.refuse(from, &name, chat_id, now),
            Answer::Withdraw => self.withdraw(from, &name, chat_id),
        }
    }

    /// Resume.
    pub(super) fn resume(&mut self, from: SessionId, name: UserName, chat_id: ChatId, now: Moment) {
        self.offer(from, (name, chat_id), Standing::Resume, now);
    }

    /// Sends all requests that wait for a user who has become available.
    pub(super) fn deliver_waiting(&mut self, addressee: &UserName, now: Moment) {
        for asker in self.offers.askers_of(addressee) {
            self.deliver(&asker, addressee, now);
        }
    }

    /// Sends a request to the addressee's link, unless that has had it. Whether the addressee can be reached:
    /// it is available, or has itself a request to the asker.
    fn deliver(&mut self, asker: &UserName, addressee: &UserName, now: Moment) -> bool {
        let asked_back = self.offers.rtt(addressee, asker, now.unix).is_some();
        let Some(rtt) = self.offers.rtt(asker, addressee, now.unix) else { return false };
        let link = self.online.get(addressee).copied();
        // A session is looked for whoever is named, and be it nobody's.
        let role = self.sessions.get(&link.unwrap_or(SessionId(u64::MAX))).map(|session| session.role);
        let is_reached = asker != addressee && (role == Some(Role::Receiver) || asked_back);
        let Some(link) = link.filter(|_| is_reached) else { return false };
        if rtt.delivered_to == Some(link) {
            return true;
        }
        let request = rtt.request.clone();
        self.offers.note_delivery(asker, addressee, link);
        self.send_peer_key(link, asker);
        self.send(link, LinkMessage::Rtt { name: asker.clone(), request });
        true
    }

    /// Sends the key by which a user is here, after what the ones before it signed.
    pub(super) fn send_peer_key(&mut self, to: SessionId, of: &UserName) {
        let Some(session) = self.online.get(of).and_then(|id| self.sessions.get(id)) else { return };
        let chain = session.chain.as_ref().map(|chain| chain.to_vec());
        let key = session.public_key.as_der().to_vec();
        for public_key in chain.into_iter().chain([key]) {
            self.send(to, LinkMessage::PeerKey { name: of.clone(), public_key });
        }
    }

    /// Whether the asker's own limits let it ask; else the first that it is over.
    fn may_ask(
        &mut self,
        from: SessionId,
        asker: &UserName,
        addressee: &UserName,
        now: Moment,
    ) -> Result<(), &'static str> {
        let waiting = self.offers.count_rtts(asker, now.unix);
        let replaces = self.offers.rtt(asker, addressee, now.unix).is_some();
        if !replaces && waiting >= self.limits.pending_rtts {
            return Err("pending_rtts");
        }
        if self.count_chats(from) >= self.limits.chats {
            return Err("chats");
        }
        self.rates.take(&(asker.clone(), addressee.clone()), &self.limits, now.instant)
    }

    /// Response 1 or Resume: it waits for its counterpart, or makes a pair with it.
    fn offer(&mut self, from: SessionId, (to, chat_id): (UserName, ChatId), offer: Standing, now: Moment) {
        let Some(session) = self.sessions.get(&from) else { return };
        if session.pairs.contains_key(&chat_id) {
            return;
        }
        let maker = session.name.clone();
        let is_known = self.offers.has_standing(&maker, &to, chat_id);
        if !is_known && self.count_chats(from) >= self.limits.chats {
            self.note_over("chats");
            return self.send_bad_response(from, BadReason::Limit, to, chat_id);
        }
        self.offers.put_standing(&maker, &to, chat_id, offer);
        self.pair_up(from, &to, chat_id, now);
    }

    /// A user's pairs, and what it has offered that would become one.
    fn count_chats(&self, session: SessionId) -> usize {
        self.sessions.get(&session).map_or(0, |session| {
            session.pairs.len().saturating_add(self.offers.count_standing(&session.name))
        })
    }

    /// Response 0: ends the asker's request, and an acceptance given before.
    fn refuse(&mut self, from: SessionId, asker: &UserName, chat_id: ChatId, now: Moment) {
        let Some(name) = self.sessions.get(&from).map(|session| session.name.clone()) else { return };
        self.offers.remove_standing(&name, asker, chat_id);
        let is_asked = self.offers.rtt(asker, &name, now.unix).is_some_and(|rtt| rtt.chat_id == chat_id);
        if !is_asked || self.offers.remove_rtt(asker, &name, &chat_id).is_none() {
            return;
        }
        if let Some(link) = self.online.get(asker).copied() {
            self.send(link, LinkMessage::Response { answer: Answer::Refuse, name, chat_id });
        }
    }

    /// Response 2: takes back the request or dissolves its pair; the other is told.
    fn withdraw(&mut self, from: SessionId, addressee: &UserName, chat_id: ChatId) {
        let Some(session) = self.sessions.get(&from) else { return };
        let name = session.name.clone();
        let peer = session.pairs.get(&chat_id).map(|end| end.peer);
        let is_pair = peer.is_some() && peer == self.online.get(addressee).copied();
        if is_pair {
            self.unpair(from, chat_id);
            self.tell_withdrawn(&name, addressee, chat_id);
        } else if let Some(rtt) = self.offers.remove_rtt(&name, addressee, &chat_id) {
            self.tell_taken_back(&name, addressee, &rtt);
        } else {
            self.offers.remove_standing(&name, addressee, chat_id);
        }
    }

    /// A request was taken back: told to the link that has had it. Nobody else is told anything, or asking twice would
    /// tell by the time that it takes who is hidden and who is not here.
    fn tell_taken_back(&mut self, asker: &UserName, addressee: &UserName, rtt: &Asked) {
        if rtt.delivered_to.is_some() && rtt.delivered_to == self.online.get(addressee).copied() {
            self.tell_withdrawn(asker, addressee, rtt.chat_id);
        }
    }

    /// Tells the other one, if it is here, that a request or a pair was taken back.
    fn tell_withdrawn(&mut self, asker: &UserName, addressee: &UserName, chat_id: ChatId) {
        if let Some(link) = self.online.get(addressee).copied().filter(|_| asker != addressee) {
            let name = asker.clone();
            self.send(link, LinkMessage::Response { answer: Answer::Withdraw, name, chat_id });
        }
    }
}

impl Asked {
    /// Reads what the relay needs of a request. `None` when its length or times are wrong: it is dropped, as its
    /// addressee would drop it.
    fn check(request: Vec<u8>, key: &PublicKey, unix_now: u64) -> Option<Self> {
        let read = RequestToTalk::decode(&request).ok()?;
        let is_timely = read.expires > unix_now
            && read.issued <= unix_now.saturating_add(MAX_CLOCK_AHEAD_SECONDS)
            && read.signature.len() == key.kind().signature_bytes();
        is_timely.then_some(Self {
            chat_id: read.chat_id,
            request,
            expires: read.expires,
            delivered_to: None,
        })
    }
}
