//! Which key a peer has: the pin and nothing else once there is one; a different one is refused, loudly.

use secchat_ipc::Event;
use secchat_ipc::types::{EndReason, KeyTrust, Resolution, ResolvedBy};
use secchat_proto::UserName;
use secchat_proto::crypto::entropy::Entropy;
use secchat_proto::crypto::signature::PublicKey;
use secchat_proto::succession::Chain;
use secchat_proto::wire::link::ChatId;
use secchat_proto::wire::request::RequestToTalk;

use super::Core;
use super::link::Offered;
use super::record::RecordKey;
use crate::convert::user_to_ipc;

/// A key that the relay offered in place of the pinned one.
#[derive(Debug)]
pub(super) struct ChangedKey {
    /// The key.
    pub(super) key: PublicKey,
    /// The pinned key vouches for it.
    pub(super) vouched: bool,
    /// The request that came with it, unseen until a person verifies the key or forgets the pin.
    request: Option<Vec<u8>>,
}

/// What a Peer Key is worth.
#[derive(Debug)]
pub(super) enum Judged {
    /// The pin, or at first contact the key that came.
    Good(PublicKey),
    /// Not the pinned one.
    Changed {
        /// The one that came.
        key: PublicKey,
        /// The pinned one vouches for it.
        vouched: bool,
    },
    /// None that can be used.
    Missing,
}

impl<E: Entropy> Core<E> {
    /// Judges the Peer Key that came with a message of this peer.
    pub(super) fn judge_key(&mut self, peer: &UserName, offered: Option<&Offered>) -> Judged {
        let saved = self.known.peer(peer).and_then(|saved| Some((saved.pin.as_ref()?, saved.verified)));
        match (saved, offered) {
            (Some((pin, _)), None) => Judged::Good(pin.clone()),
            // Keys are canonical: equal bytes, equal keys.
            (Some((pin, _)), Some(offered)) if pin.as_der() == offered.key => Judged::Good(pin.clone()),
            (saved, Some(offered)) => match (saved, PublicKey::from_der(&offered.key)) {
                (Some((pin, verified)), Ok(key)) => {
                    let vouched = vouches(peer, pin, offered, &key);
                    self.judge_successor(peer, key, (verified, vouched))
                }
                (None, Ok(key)) => Judged::Good(key),
                (_, Err(_)) => Judged::Missing,
            },
            (None, None) => Judged::Missing,
        }
    }

    /// A key in the place of the pinned one. It is good, for now, if a person verified the pinned one and that vouches
    /// for it: it becomes the pin when the peer has shown that it uses it ([`Self::follow`]).
    fn judge_successor(&mut self, peer: &UserName, key: PublicKey, word: (bool, bool)) -> Judged {
        match word {
            (true, true) => {
                self.successors.insert(peer.clone(), key.clone());
                Judged::Good(key)
            }
            (_, vouched) => Judged::Changed { key, vouched },
        }
    }

    /// The peer uses this key. If it is the one that the pinned one, verified by a person, vouches for, it is the pin
    /// from now on, and everybody hears of it. What rests on the pin goes with it; chats under the old key end.
    pub(super) fn follow(&mut self, peer: &UserName, key: &PublicKey) {
        if self.successors.get(peer) != Some(key) {
            return;
        }
        self.successors.remove(peer);
        if let Some(consent) = self.consents.get_mut(peer) {
            consent.key = key.clone();
            self.touch(RecordKey::Consent(peer.clone()));
        }
        self.change_peer(peer, |saved| {
            saved.pin = Some(key.clone());
            saved.followed = true;
        });
        if self.changed.get(peer).is_some_and(|changed| changed.key == *key) {
            self.changed.remove(peer);
        }
        self.end_under_other_keys(peer, Some(key));
        self.warn(
            "peer_key_followed",
            Some(peer),
            "the verified key vouches for a new one, which is pinned now",
        );
        self.tell_trust(peer);
    }

    /// The relay offers another key than the pinned one: nothing is done under it, and everybody hears of it.
    pub(super) fn note_changed(
        &mut self,
        peer: &UserName,
        (key, vouched): (PublicKey, bool),
        request: Option<Vec<u8>>,
    ) {
        if self.known.peer(peer).is_some_and(|saved| saved.blocked) {
            return;
        }
        let word = if vouched { ", which vouches for it" } else { "" };
        let detail = format!("the relay offers another key than the pinned one{word}");
        self.warn("peer_key_changed", Some(peer), detail);
        let request = request.or_else(|| {
            let known = self.changed.remove(peer)?;
            if known.key == key { known.request } else { None }
        });
        self.changed.insert(peer.clone(), ChangedKey { key, vouched, request });
        self.tell_trust(peer);
    }

    /// What is known of the peer's key.
    pub(super) fn trust(&self, peer: &UserName) -> KeyTrust {
        match self.known.peer(peer) {
            Some(_) if self.changed.get(peer).is_some_and(|changed| changed.vouched) => KeyTrust::Vouched,
            Some(_) if self.changed.contains_key(peer) => KeyTrust::Changed,
            Some(saved) if saved.pin.is_some() && saved.verified && saved.followed => KeyTrust::Followed,
            Some(saved) if saved.pin.is_some() && saved.verified => KeyTrust::Verified,
            Some(saved) if saved.pin.is_some() => KeyTrust::Pinned,
            Some(_) | None => KeyTrust::Unverified,
        }
    }

    pub(super) fn tell_trust(&mut self, peer: &UserName) {
        let trust = self.trust(peer);
        self.event(Event::TrustChanged { peer: user_to_ipc(peer), trust });
    }

    /// A chat opened: at first contact its key becomes the pin. `false`: another key was pinned meanwhile.
    pub(super) fn pin_on_opening(&mut self, peer: &UserName, key: &PublicKey) -> bool {
        self.follow(peer, key);
        match self.known.peer(peer).and_then(|saved| saved.pin.as_ref()) {
            Some(pin) => pin == key,
            None => {
                self.change_peer(peer, |saved| saved.pin = Some(key.clone()));
                self.log("peer_pinned", Some(peer), "first contact");
                self.tell_trust(peer);
                true
            }
        }
    }

    /// The key of a peer without a pin, as its request or chat has it.
    pub(super) fn unpinned_key(&self, peer: &UserName) -> Option<PublicKey> {
        let of_request = self.requests.values().filter(|request| request.peer == *peer);
        let newest = of_request.max_by_key(|request| request.age()).map(|request| request.key.clone());
        let of_chat =
            || self.chats.values().find(|talk| talk.peer == *peer).map(|talk| talk.peer_key().clone());
        newest.or_else(of_chat)
    }

    /// Ends what is held of this peer under other keys than `key`; `None`: under any.
    pub(super) fn end_under_other_keys(&mut self, peer: &UserName, key: Option<&PublicKey>) {
        let is_other = |held: &PublicKey| key != Some(held);
        let of_chats = self.chats.iter().filter(|(_, talk)| talk.peer == *peer && is_other(talk.peer_key()));
        for chat_id in of_chats.map(|(id, _)| *id).collect::<Vec<_>>() {
            self.drop_chat(chat_id, EndReason::KeyGone);
        }
        let is_open = |request: &super::requests::Incoming| request.is_unanswered() && request.peer == *peer;
        let of_requests =
            self.requests.iter().filter(|(_, request)| is_open(request) && is_other(&request.key));
        let ids: Vec<ChatId> = of_requests.map(|(id, _)| *id).collect();
        if key.is_some() {
            ids.into_iter().for_each(|id| self.end_request(id, Resolution::Withdrawn, ResolvedBy::Peer));
        }
    }

    /// A person settled which key is right; the request that came with it is looked at now.
    pub(super) fn settle_changed(&mut self, peer: &UserName) {
        if let Some(ChangedKey { key, request: Some(encoded), .. }) = self.changed.remove(peer) {
            let offered = Offered { key: key.as_der().to_vec(), chain: None };
            self.handle_request(peer.clone(), encoded, Some(offered));
        }
    }

    /// The request that came with a changed key was taken back before a person settled which key is right.
    pub(super) fn withdraw_changed(&mut self, peer: &UserName, chat_id: ChatId) {
        if let Some(changed) = self.changed.get_mut(peer) {
            let is_it =
                |encoded: &Vec<u8>| RequestToTalk::decode(encoded).is_ok_and(|r| r.chat_id == chat_id);
            changed.request.take_if(|encoded| is_it(encoded));
        }
    }
}

/// Whether what came with a key leads from the pin to it.
fn vouches(peer: &UserName, pin: &PublicKey, offered: &Offered, key: &PublicKey) -> bool {
    let chain = offered.chain.as_ref().and_then(|chain| Chain::decode(chain).ok());
    chain.is_some_and(|chain| chain.leads(peer, pin, key))
}
