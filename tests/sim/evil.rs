//! A malicious relay: edits, swaps, drops, replays and forges what daemons get.

use secchat_proto::UserName;
use secchat_proto::crypto::signature::SigningKey;
use secchat_proto::request::Proposal;
use secchat_proto::wire::link::{Answer, BadReason, ChatId, LinkMessage, Step};
use secchat_proto::wire::request::{RequestToTalk, Terms};

use secchat_e2e::Random;

/// The relay's other face.
#[derive(Debug)]
pub struct Evil {
    random: Random,
    key: SigningKey,
    /// Of 100 messages, how many are touched.
    percent: u64,
    /// What was seen: replayed to whomever.
    seen: Vec<LinkMessage>,
    chats: Vec<ChatId>,
}

const KEPT: usize = 64;

impl Evil {
    pub fn new(mut random: Random) -> Self {
        let key = SigningKey::generate_ed25519(&mut random).unwrap();
        let percent = random.pick(&[2, 10, 30]);
        Self { random, key, percent, seen: Vec::new(), chats: Vec::new() }
    }

    /// What the daemon gets in place of `message`.
    pub fn tamper(
        &mut self,
        to: &UserName,
        names: &[UserName],
        message: LinkMessage,
        unix: u64,
    ) -> Vec<LinkMessage> {
        self.note(&message);
        if !self.random.chance(self.percent) {
            return vec![message];
        }
        match self.random.below(8) {
            0 => Vec::new(),
            1 => vec![message.clone(), message],
            2 => {
                let old = self.seen[self.random.index(self.seen.len())].clone();
                vec![old, message]
            }
            3 | 4 => vec![self.flip(message)],
            5 => vec![self.redirect(message)],
            _ => {
                let mut forged = self.forge(to, names, unix);
                forged.push(message);
                forged
            }
        }
    }

    fn note(&mut self, message: &LinkMessage) {
        if self.seen.len() < KEPT {
            self.seen.push(message.clone());
        } else {
            let at = self.random.index(KEPT);
            self.seen[at] = message.clone();
        }
        let chat_id = match message {
            LinkMessage::Response { chat_id, .. }
            | LinkMessage::Resume { chat_id, .. }
            | LinkMessage::KeyEstablishment { chat_id, .. }
            | LinkMessage::Chat { chat_id, .. } => Some(*chat_id),
            LinkMessage::Rtt { request, .. } => {
                RequestToTalk::decode(request).ok().map(|request| request.chat_id)
            }
            _ => None,
        };
        if let Some(chat_id) = chat_id
            && !self.chats.contains(&chat_id)
            && self.chats.len() < KEPT
        {
            self.chats.push(chat_id);
        }
    }

    /// One bit of what it carries is another, or its key is the relay's own.
    fn flip(&mut self, mut message: LinkMessage) -> LinkMessage {
        match &mut message {
            LinkMessage::PeerKey { public_key, .. } => *public_key = self.key.public_key().as_der().to_vec(),
            LinkMessage::Rtt { request: bytes, .. }
            | LinkMessage::KeyEstablishment { body: bytes, .. }
            | LinkMessage::Chat { record: bytes, .. }
                if !bytes.is_empty() =>
            {
                let at = self.random.index(bytes.len());
                bytes[at] ^= 1 << self.random.below(8);
            }
            LinkMessage::Response { answer, .. } => {
                *answer = self.random.pick(&[Answer::Accept, Answer::Refuse, Answer::Withdraw]);
            }
            _ => {}
        }
        message
    }

    /// It is about another chat.
    fn redirect(&mut self, mut message: LinkMessage) -> LinkMessage {
        let Some(other) = self.chat() else { return message };
        match &mut message {
            LinkMessage::Response { chat_id, .. }
            | LinkMessage::Resume { chat_id, .. }
            | LinkMessage::KeyEstablishment { chat_id, .. }
            | LinkMessage::Chat { chat_id, .. }
            | LinkMessage::ReturnToLobby { chat_id }
            | LinkMessage::BadResponse { chat_id, .. } => *chat_id = other,
            _ => {}
        }
        message
    }

    fn chat(&mut self) -> Option<ChatId> {
        (!self.chats.is_empty()).then(|| self.random.pick(&self.chats))
    }

    /// Messages of the relay's own making.
    fn forge(&mut self, to: &UserName, names: &[UserName], unix: u64) -> Vec<LinkMessage> {
        let name = names[self.random.index(names.len())].clone();
        let key =
            LinkMessage::PeerKey { name: name.clone(), public_key: self.key.public_key().as_der().to_vec() };
        let Some(chat_id) = self.chat() else { return vec![key] };
        let bytes = || vec![0x5a; 80];
        match self.random.below(11) {
            0 => vec![LinkMessage::Response { answer: Answer::Accept, name, chat_id }],
            1 => vec![key, LinkMessage::Response { answer: Answer::Accept, name, chat_id }],
            2 => vec![LinkMessage::Response { answer: Answer::Refuse, name, chat_id }],
            3 => vec![LinkMessage::Response { answer: Answer::Withdraw, name, chat_id }],
            4 => vec![LinkMessage::Resume { name, chat_id }],
            5 => vec![LinkMessage::ReturnToLobby { chat_id }],
            6 => vec![LinkMessage::BadResponse { reason: BadReason::NotAvailable, name, chat_id }],
            7 => vec![LinkMessage::KeyEstablishment { chat_id, step: Step::M2, body: bytes() }],
            8 => vec![LinkMessage::Chat { chat_id, record: bytes() }],
            _ => {
                let proposal = Proposal { issued: unix, expires: unix + 600, terms: Terms::UNLIMITED };
                let request = RequestToTalk::make(&name, &self.key, to, proposal, &mut self.random).unwrap();
                let request = LinkMessage::Rtt { name, request: request.encode() };
                if self.random.chance(50) { vec![key, request] } else { vec![request] }
            }
        }
    }
}
