//! What the relay says, dispatched to the subject it is about.

use std::collections::VecDeque;

use secchat_proto::UserName;
use secchat_proto::chat::PairLoss;
use secchat_proto::crypto::entropy::Entropy;
use secchat_proto::succession::Chain;
use secchat_proto::wire::link::{Answer, BadReason, ChatId, LinkMessage};

use super::Core;
use crate::limits::MAX_WAITING_PEER_KEYS;

/// Peer Keys of one link that belong to a message still to come: the oldest gives way.
#[derive(Debug, Default)]
pub(super) struct WaitingKeys(VecDeque<(UserName, Offered)>);

/// A key as the relay offers it, unchecked.
#[derive(Debug, Default)]
pub(super) struct Offered {
    /// Its DER.
    pub(super) key: Vec<u8>,
    /// What the keys before it signed, if anything came.
    pub(super) chain: Option<Vec<u8>>,
}

impl WaitingKeys {
    /// Keeps a key, or the chain that leads to the one that comes next.
    fn add(&mut self, name: UserName, bytes: Vec<u8>) {
        let before = self.take(&name);
        let offered = if Chain::is_meant(&bytes) {
            Offered { key: Vec::new(), chain: Some(bytes) }
        } else {
            // A key that came before belongs to nothing any more, and its chain with it.
            let chain = before.filter(|before| before.key.is_empty()).and_then(|before| before.chain);
            Offered { key: bytes, chain }
        };
        if self.0.len() >= MAX_WAITING_PEER_KEYS {
            self.0.pop_front();
        }
        self.0.push_back((name, offered));
    }

    fn take(&mut self, name: &UserName) -> Option<Offered> {
        let at = self.0.iter().position(|(other, _)| other == name)?;
        self.0.remove(at).map(|(_, offered)| offered)
    }
}

impl<E: Entropy> Core<E> {
    pub(super) fn handle_link_message(&mut self, message: LinkMessage) {
        if !self.session.is_online() {
            return;
        }
        self.heard();
        if !self.session.may_hear(&message) {
            return;
        }
        match message {
            LinkMessage::AvailableUsers { part, names } => self.handle_users(part, names),
            LinkMessage::PeerKey { name, public_key } => {
                if let Some(online) = self.session.online_mut() {
                    online.peer_keys.add(name, public_key);
                }
            }
            LinkMessage::Rtt { name, request } => {
                let key = self.take_peer_key(&name);
                self.handle_request(name, request, key);
            }
            LinkMessage::Response { answer, name, chat_id } => self.handle_response(answer, &name, chat_id),
            LinkMessage::Resume { name, chat_id } => self.handle_resume(&name, chat_id),
            LinkMessage::KeyEstablishment { chat_id, step, body } => {
                self.chat_step(chat_id, |chat, env| chat.handle_key_establishment(step, &body, env));
            }
            LinkMessage::Chat { chat_id, record } => {
                self.chat_step(chat_id, |chat, env| chat.handle_record(&record, env));
            }
            LinkMessage::ReturnToLobby { chat_id } => {
                self.chat_step(chat_id, |chat, env| chat.handle_pair_lost(PairLoss::Returned, env));
            }
            LinkMessage::BadResponse { reason, name, chat_id } => {
                self.handle_bad_response(reason, name, chat_id);
            }
            LinkMessage::Ping(bytes) => self.send(LinkMessage::Pong(bytes)),
            LinkMessage::Pong(bytes) => self.handle_pong(bytes),
            LinkMessage::Logout(reason) => self.handle_logout(reason),
            // Only daemons send these: the decoder refuses them from a relay.
            LinkMessage::Refresh { .. }
            | LinkMessage::Presence { .. }
            | LinkMessage::Acknowledgment { .. } => {}
        }
    }

    fn take_peer_key(&mut self, name: &UserName) -> Option<Offered> {
        self.session.online_mut()?.peer_keys.take(name)
    }

    fn handle_response(&mut self, answer: Answer, name: &UserName, chat_id: ChatId) {
        match answer {
            Answer::Accept => {
                let key = self.take_peer_key(name);
                self.handle_accepted(name, chat_id, key.as_ref());
            }
            Answer::Refuse => self.handle_refused(name, chat_id),
            Answer::Withdraw => self.handle_withdrawn(name, chat_id),
        }
    }

    /// The other side's Resume met this side's offer.
    fn handle_resume(&mut self, name: &UserName, chat_id: ChatId) {
        if self.chats.get(&chat_id).is_some_and(|talk| talk.peer == *name) {
            self.chat_step(chat_id, |chat, env| chat.handle_pair(env));
        } else {
            self.send(LinkMessage::ReturnToLobby { chat_id });
        }
    }

    fn handle_bad_response(&mut self, reason: BadReason, name: UserName, chat_id: ChatId) {
        self.send(LinkMessage::Acknowledgment { name: name.clone(), chat_id });
        if self.chats.get(&chat_id).is_some_and(|talk| talk.peer == name) {
            self.chat_step(chat_id, |chat, env| chat.handle_pair_lost(PairLoss::PeerGone, env));
        }
        self.handle_unavailable(reason, &name, chat_id);
    }
}
