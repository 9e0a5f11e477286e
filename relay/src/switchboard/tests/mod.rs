//! The switchboard, message by message. [`Bench`] speaks for the connections.

#![expect(clippy::wildcard_enum_match_arm, reason = "a test names the messages that it looks for")]

mod asking;
mod delegates;
mod matrix;
mod pairs;
mod presence;
mod properties;
mod queues;
mod rotation;

use std::sync::Arc;
use std::time::{Duration, Instant};

use secchat_proto::UserName;
use secchat_proto::crypto::entropy::Entropy;
use secchat_proto::crypto::signature::{PublicKey, SigningKey};
use secchat_proto::succession::Chain;
use secchat_proto::wire::link::{Answer, BadReason, ChatId, LinkMessage, ListPart, Step};
use secchat_proto::wire::login::Role;
use secchat_proto::wire::request::{RequestToTalk, Terms};

use super::lane::Ticket;
use super::{Command, Delegated, Login, Moment, SessionId, Switchboard};
use crate::limits::Limits;

/// A switchboard, a clock, and what is on its way to the links.
struct Bench {
    board: Switchboard,
    now: Moment,
    last: u64,
    /// Messages that a slow link has not taken: their places stay taken.
    held: Vec<Ticket>,
    is_holding: bool,
    key: PublicKey,
}

impl Bench {
    fn new() -> Self {
        Self::with(Limits::default())
    }

    fn with(limits: Limits) -> Self {
        struct Same;
        impl Entropy for Same {
            fn fill(&mut self, out: &mut [u8]) -> Result<(), secchat_proto::Error> {
                out.fill(7);
                Ok(())
            }
        }
        let key = SigningKey::generate_ed25519(&mut Same).unwrap().public_key().clone();
        let now = Moment { instant: Instant::now(), unix: NOON };
        Self { board: Switchboard::new(limits), now, last: 0, held: Vec::new(), is_holding: false, key }
    }

    fn login(&mut self, name: &str, role: Role) -> SessionId {
        self.login_watching(name, role, false)
    }

    fn login_watching(&mut self, name: &str, role: Role, watch: bool) -> SessionId {
        self.login_by(name, (self.key.clone(), None), (role, watch), None)
    }

    /// A delegated key's login, for half an hour.
    fn delegate(&mut self, name: &str, role: Role, replaces: Option<SessionId>) -> SessionId {
        let until = self.now.unix + 1_800;
        let delegated = Some(Delegated { until, replaces });
        self.login_by(name, (self.key.clone(), None), (role, false), delegated)
    }

    fn login_by(
        &mut self,
        name: &str,
        (public_key, chain): (PublicKey, Option<Arc<[u8]>>),
        (role, watch): (Role, bool),
        delegated: Option<Delegated>,
    ) -> SessionId {
        self.last += 1;
        let session = SessionId(self.last);
        let login = Login { session, name: user(name), public_key, chain, role, watch, delegated };
        self.board.handle_login(login, self.now);
        session
    }

    fn say(&mut self, from: SessionId, message: LinkMessage) {
        self.board.handle_message(from, message, self.now);
    }

    fn pass(&mut self, time: Duration) {
        self.now.instant += time;
        self.now.unix += time.as_secs();
        self.board.handle_timeout(self.now);
    }

    /// What has been said since the last time, in words: `2<rtt(alice,1)` is a request of alice's to session 2.
    fn heard(&mut self) -> Vec<String> {
        let mut heard = Vec::new();
        while let Some(command) = self.board.next_command() {
            heard.push(match command {
                Command::Send { to, message, ticket } => {
                    if self.is_holding {
                        self.held.push(ticket);
                    }
                    format!("{}<{}", to.0, words(&message))
                }
                Command::SendNames { to, names, ticket } => {
                    if self.is_holding {
                        self.held.push(ticket);
                    }
                    heard.extend(names.map(|message| format!("{}<{}", to.0, words(&message))));
                    continue;
                }
                Command::Close { session, reason } => format!("{}<closed({reason:?})", session.0),
            });
        }
        heard
    }

    fn hears(&mut self, expected: &[&str]) {
        assert_eq!(self.heard(), expected);
    }

    /// Makes a pair of two who are here: `from` asks, `to` accepts.
    fn pair(&mut self, (from, from_name): (SessionId, &str), (to, to_name): (SessionId, &str), chat: u8) {
        self.say(from, rtt(to_name, chat));
        self.say(to, response(Answer::Accept, from_name, chat));
        assert_eq!(self.board.peer_of(from, &chat_id(chat)), Some(to));
        self.heard();
    }
}

fn user(name: &str) -> UserName {
    name.parse().unwrap()
}

fn chat_id(chat: u8) -> ChatId {
    ChatId::from_bytes([chat; 16]).unwrap()
}

fn request(chat: u8) -> RequestToTalk {
    RequestToTalk {
        chat_id: chat_id(chat),
        issued: NOON,
        expires: NOON + 3_600,
        terms: Terms::UNLIMITED,
        signature: vec![1; 64],
    }
}

fn rtt(to: &str, chat: u8) -> LinkMessage {
    LinkMessage::Rtt { name: user(to), request: request(chat).encode() }
}

fn response(answer: Answer, name: &str, chat: u8) -> LinkMessage {
    LinkMessage::Response { answer, name: user(name), chat_id: chat_id(chat) }
}

fn resume(name: &str, chat: u8) -> LinkMessage {
    LinkMessage::Resume { name: user(name), chat_id: chat_id(chat) }
}

fn record(chat: u8, bytes: usize) -> LinkMessage {
    LinkMessage::Chat { chat_id: chat_id(chat), record: vec![9; bytes] }
}

fn lobby(chat: u8) -> LinkMessage {
    LinkMessage::ReturnToLobby { chat_id: chat_id(chat) }
}

fn m1(chat: u8) -> LinkMessage {
    LinkMessage::KeyEstablishment { chat_id: chat_id(chat), step: Step::M1, body: vec![1] }
}

fn words(message: &LinkMessage) -> String {
    let chat = |id: &ChatId| id.as_bytes()[0];
    match message {
        LinkMessage::AvailableUsers { part, names } => {
            let names: Vec<_> = names.iter().map(UserName::as_str).collect();
            let part = match part {
                ListPart::More => "more",
                ListPart::Last => "list",
                ListPart::Came => "came",
                ListPart::Went => "went",
            };
            format!("{part}({})", names.join(","))
        }
        LinkMessage::Rtt { name, request } => {
            format!("rtt({name},{})", chat(&RequestToTalk::decode(request).unwrap().chat_id))
        }
        LinkMessage::PeerKey { name, public_key } if Chain::is_meant(public_key) => format!("chain({name})"),
        LinkMessage::PeerKey { name, .. } => format!("key({name})"),
        LinkMessage::Response { answer, name, chat_id } => {
            format!("{}({name},{})", format!("{answer:?}").to_lowercase(), chat(chat_id))
        }
        LinkMessage::Resume { name, chat_id } => format!("resume({name},{})", chat(chat_id)),
        LinkMessage::KeyEstablishment { chat_id, step, .. } => format!("{step:?}({})", chat(chat_id)),
        LinkMessage::Chat { chat_id, .. } => format!("chat({})", chat(chat_id)),
        LinkMessage::ReturnToLobby { chat_id } => format!("lobby({})", chat(chat_id)),
        LinkMessage::BadResponse { reason: BadReason::NotAvailable, name, chat_id } => {
            format!("away({name},{})", chat(chat_id))
        }
        LinkMessage::BadResponse { reason: BadReason::Limit, name, chat_id } => {
            format!("limit({name},{})", chat(chat_id))
        }
        LinkMessage::Logout(reason) => format!("logout({reason:?})"),
        LinkMessage::Ping(_) => "ping".to_owned(),
        LinkMessage::Refresh { .. }
        | LinkMessage::Presence { .. }
        | LinkMessage::Acknowledgment { .. }
        | LinkMessage::Pong(_) => panic!("the switchboard never says {message:?}"),
    }
}

/// The bench's clock when it starts: Unix seconds.
const NOON: u64 = 1_800_000_000;
