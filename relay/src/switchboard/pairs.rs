//! Pairs: two sessions that offered each other the same chat. Within a pair, and nowhere else, 6, 9 and 12 pass.

use secchat_proto::UserName;
use secchat_proto::limits::{MAX_PAIR_QUEUE_BYTES, MAX_PAIR_QUEUE_RECORDS};
use secchat_proto::wire::link::{Answer, ChatId, LinkMessage};

use super::lane::{Bound, Lane};
use super::offers::{Offer, Standing};
use super::{Command, Moment, PairEnd, SessionId, Switchboard, queues};

impl Switchboard {
    /// Makes a pair, if both have an offer for the chat; whether it did. Each is told of the other's offer.
    pub(super) fn pair_up(&mut self, from: SessionId, to: &UserName, chat_id: ChatId, now: Moment) -> bool {
        let Some(name) = self.sessions.get(&from).map(|session| session.name.clone()) else { return false };
        // The offers first: whether the other one is here is no business of who only asks, nor its time.
        let (Some(mine), Some(theirs)) = (
            self.offers.offer((&name, to), chat_id, now.unix),
            self.offers.offer((to, &name), chat_id, now.unix),
        ) else {
            return false;
        };
        let Some(peer) = self.online.get(to).copied().filter(|peer| *peer != from) else { return false };
        let has_pair = |id| self.sessions.get(id).is_none_or(|session| session.pairs.contains_key(&chat_id));
        if has_pair(&from) || has_pair(&peer) {
            return false;
        }
        self.offers.remove(&name, to, chat_id);
        self.offers.remove(to, &name, chat_id);
        self.join(from, peer, chat_id);
        self.join(peer, from, chat_id);
        self.pairs = self.pairs.saturating_add(1);
        self.tell_offer(peer, name, mine, chat_id);
        self.tell_offer(from, to.clone(), theirs, chat_id);
        true
    }

    /// Passes a record on to the other end of the pair; without one it is dropped.
    pub(super) fn forward(&mut self, from: SessionId, chat_id: ChatId, message: LinkMessage) {
        let bytes = queues::bytes_of(&message);
        self.make_room(bytes);
        let Some(end) = self.sessions.get(&from).and_then(|session| session.pairs.get(&chat_id)) else {
            return;
        };
        let to = end.peer;
        match end.outgoing.admit(bytes) {
            Some(ticket) => self.commands.push_back(Command::Send { to, message, ticket }),
            None => {
                end.outgoing.make_void();
                self.note_over("link_forward_bytes");
                self.unpair(from, chat_id);
                self.send(to, LinkMessage::ReturnToLobby { chat_id });
                self.send(from, LinkMessage::ReturnToLobby { chat_id });
            }
        }
    }

    /// 12: dissolves the pair and tells the other end, behind what is queued for it.
    pub(super) fn return_to_lobby(&mut self, from: SessionId, chat_id: ChatId) {
        if let Some(peer) = self.unpair(from, chat_id) {
            self.send(peer, LinkMessage::ReturnToLobby { chat_id });
        }
    }

    /// Takes both ends of a pair away; gives the other end's session.
    pub(super) fn unpair(&mut self, from: SessionId, chat_id: ChatId) -> Option<SessionId> {
        let peer = self.sessions.get_mut(&from)?.pairs.remove(&chat_id)?.peer;
        self.pairs = self.pairs.saturating_sub(1);
        if let Some(session) = self.sessions.get_mut(&peer) {
            session.pairs.remove(&chat_id);
        }
        Some(peer)
    }

    /// Adds one end to a session, with a queue of its own to the peer.
    fn join(&mut self, session: SessionId, peer: SessionId, chat_id: ChatId) {
        let bound = Bound { messages: MAX_PAIR_QUEUE_RECORDS, bytes: MAX_PAIR_QUEUE_BYTES };
        let Some(wider) = self.sessions.get(&peer).map(|peer| peer.forwarded.clone()) else { return };
        if let Some(session) = self.sessions.get_mut(&session) {
            session.pairs.insert(chat_id, PairEnd { peer, outgoing: Lane::within(bound, &wider) });
        }
    }

    /// Tells `to` that the pair stands, by what `maker` offered. A request counts as a Resume: `to` has had it, and
    /// waits for the sign that M1 is to come (PROTOCOL.md 5.9).
    fn tell_offer(&mut self, to: SessionId, maker: UserName, offer: Offer, chat_id: ChatId) {
        match offer {
            Offer::Standing(Standing::Accept) => {
                self.send_peer_key(to, &maker);
                self.send(to, LinkMessage::Response { answer: Answer::Accept, name: maker, chat_id });
            }
            Offer::Rtt | Offer::Standing(Standing::Resume) => {
                self.send(to, LinkMessage::Resume { name: maker, chat_id });
            }
        }
    }
}
