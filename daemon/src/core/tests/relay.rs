//! An ideal relay, just enough of one: lists, offers, pairs, forwarding. What it shows as a user's key can be a lie.

use std::collections::{BTreeMap, BTreeSet};

use secchat_proto::UserName;
use secchat_proto::wire::link::{Answer, BadReason, ChatId, LinkMessage, ListPart};
use secchat_proto::wire::login::Role;

use crate::core::io::LoginKey;

#[derive(Debug, Default)]
pub(super) struct Relay {
    pub(super) online: BTreeMap<UserName, Role>,
    pub(super) keys: BTreeMap<UserName, Vec<u8>>,
    /// What goes before a key.
    pub(super) chains: BTreeMap<UserName, Vec<u8>>,
    /// Who is logged in by a delegated key.
    pub(super) delegates: BTreeSet<UserName>,
    /// Offers by maker, addressee and chat.
    offers: BTreeMap<(UserName, UserName, ChatId), LinkMessage>,
    pub(super) pairs: BTreeMap<ChatId, (UserName, UserName)>,
    /// What leaves: to whom.
    pub(super) out: Vec<(UserName, LinkMessage)>,
}

impl Relay {
    fn push(&mut self, to: &UserName, message: LinkMessage) {
        if self.online.contains_key(to) {
            self.out.push((to.clone(), message));
        }
    }

    fn push_key(&mut self, to: &UserName, of: &UserName) {
        for public_key in self.chains.get(of).cloned().into_iter().chain([self.keys[of].clone()]) {
            self.push(to, LinkMessage::PeerKey { name: of.clone(), public_key });
        }
    }

    pub(super) fn log_in(&mut self, name: &UserName, key: &LoginKey, role: Role) {
        match key {
            LoginKey::Identity(_) => self.delegates.remove(name),
            LoginKey::Delegated(_) => self.delegates.insert(name.clone()),
        };
        self.join(name, role);
    }

    pub(super) fn join(&mut self, name: &UserName, role: Role) {
        self.online.insert(name.clone(), role);
        let waiting: Vec<_> = self.offers.iter().filter(|((_, to, _), _)| to == name).collect();
        let waiting: Vec<_> =
            waiting.into_iter().map(|((from, _, _), m)| (from.clone(), m.clone())).collect();
        waiting.into_iter().for_each(|(from, message)| self.deliver(&from, name, message));
    }

    pub(super) fn leave(&mut self, name: &UserName) {
        self.online.remove(name);
        self.offers.retain(|(from, _, _), _| from != name);
        let gone: Vec<_> = self.pairs.iter().filter(|(_, (a, b))| a == name || b == name).collect();
        let gone: Vec<_> =
            gone.into_iter().map(|(id, (a, b))| (*id, if a == name { b } else { a }.clone())).collect();
        for (chat_id, other) in gone {
            self.pairs.remove(&chat_id);
            self.push(
                &other,
                LinkMessage::BadResponse { reason: BadReason::NotAvailable, name: name.clone(), chat_id },
            );
        }
    }

    /// An RTT goes to its addressee, if that one is available or asks too.
    fn deliver(&mut self, from: &UserName, to: &UserName, message: LinkMessage) {
        let LinkMessage::Rtt { request, .. } = message else { return };
        let crossing = self
            .offers
            .iter()
            .any(|((f, t, _), m)| f == to && t == from && matches!(m, LinkMessage::Rtt { .. }));
        let available = self.online.get(to) == Some(&Role::Receiver);
        if available || (crossing && self.online.contains_key(to)) {
            self.push_key(to, from);
            self.push(to, LinkMessage::Rtt { name: from.clone(), request });
        } else {
            let chat_id = chat_id_of(&request);
            self.push(
                from,
                LinkMessage::BadResponse { reason: BadReason::NotAvailable, name: to.clone(), chat_id },
            );
        }
    }

    fn offer(&mut self, from: &UserName, to: &UserName, chat_id: ChatId, message: LinkMessage) -> bool {
        if self.pairs.contains_key(&chat_id) {
            return true;
        }
        let Some(other) = self.offers.remove(&(to.clone(), from.clone(), chat_id)) else {
            self.offers.insert((from.clone(), to.clone(), chat_id), message);
            return false;
        };
        self.pairs.insert(chat_id, (from.clone(), to.clone()));
        for (maker, offer, taker) in [(from, message, to), (to, other, from)] {
            if let LinkMessage::Response { answer, .. } = offer {
                self.push_key(taker, maker);
                self.push(taker, LinkMessage::Response { answer, name: maker.clone(), chat_id });
            } else {
                self.push(taker, LinkMessage::Resume { name: maker.clone(), chat_id });
            }
        }
        true
    }

    pub(super) fn take(&mut self, from: &UserName, message: LinkMessage) {
        // A daemon says nothing on such a link that the relay would drop.
        assert!(!self.delegates.contains(from) || message.is_permitted_to_delegates(), "{message:?}");
        match message {
            LinkMessage::Refresh { .. } => {
                let names = self.online.iter().filter(|(n, r)| *n != from && **r == Role::Receiver);
                let names = names.map(|(n, _)| n.clone()).collect();
                self.push(from, LinkMessage::AvailableUsers { part: ListPart::Last, names });
            }
            LinkMessage::Presence { role } => self.join(&from.clone(), role),
            LinkMessage::Rtt { name, request } => {
                let chat_id = chat_id_of(&request);
                let old =
                    |(f, t, id): &(UserName, UserName, ChatId)| f == from && *t == name && *id != chat_id;
                self.offers.retain(|key, m| !(old(key) && matches!(m, LinkMessage::Rtt { .. })));
                let message = LinkMessage::Rtt { name: name.clone(), request };
                if !self.offer(from, &name, chat_id, message.clone()) {
                    self.deliver(from, &name, message);
                    let theirs: Vec<_> =
                        self.offers.iter().filter(|((f, t, _), _)| *f == name && t == from).collect();
                    let theirs: Vec<_> = theirs.into_iter().map(|(_, m)| m.clone()).collect();
                    if self.online.get(from) == Some(&Role::Sender) {
                        theirs.into_iter().for_each(|m| self.deliver(&name, from, m));
                    }
                }
            }
            LinkMessage::Response { answer: answer @ Answer::Accept, ref name, chat_id } => {
                let message = LinkMessage::Response { answer, name: name.clone(), chat_id };
                self.offer(from, name, chat_id, message);
            }
            LinkMessage::Response { answer, name, chat_id } => {
                self.offers.remove(&(from.clone(), name.clone(), chat_id));
                self.offers.remove(&(name.clone(), from.clone(), chat_id));
                self.pairs.remove(&chat_id);
                self.push(&name, LinkMessage::Response { answer, name: from.clone(), chat_id });
            }
            LinkMessage::Resume { name, chat_id } => {
                let message = LinkMessage::Resume { name: name.clone(), chat_id };
                self.offer(from, &name, chat_id, message);
            }
            LinkMessage::KeyEstablishment { chat_id, .. } | LinkMessage::Chat { chat_id, .. } => {
                if let Some(other) = self.other(from, chat_id) {
                    self.push(&other, message);
                }
            }
            LinkMessage::ReturnToLobby { chat_id } => {
                if let Some(other) = self.other(from, chat_id) {
                    self.pairs.remove(&chat_id);
                    self.push(&other, message);
                }
            }
            LinkMessage::Ping(x) => self.push(from, LinkMessage::Pong(x)),
            LinkMessage::Logout(_) => self.leave(&from.clone()),
            LinkMessage::AvailableUsers { .. }
            | LinkMessage::PeerKey { .. }
            | LinkMessage::BadResponse { .. }
            | LinkMessage::Acknowledgment { .. }
            | LinkMessage::Pong(_) => {}
        }
    }

    fn other(&self, from: &UserName, chat_id: ChatId) -> Option<UserName> {
        let (a, b) = self.pairs.get(&chat_id)?;
        if a == from { Some(b.clone()) } else { (b == from).then(|| a.clone()) }
    }

    pub(super) fn names(&self) -> BTreeSet<UserName> {
        self.online.keys().cloned().collect()
    }
}

fn chat_id_of(request: &[u8]) -> ChatId {
    ChatId::from_bytes(request[..16].try_into().unwrap()).unwrap()
}
