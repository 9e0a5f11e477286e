//! What people do, at any moment and in any order.

use std::time::Duration;

use secchat_ipc::types::{Passphrase, Policy, QueuedTexts, QuietChange, Terms};
use secchat_ipc::{Command, UserName};

use crate::ledger::Sent;
use crate::world::World;

/// The frontends of one user; the last one follows events.
pub const FRONTENDS: u64 = 3;
pub const MIRROR: u64 = 9;

impl World {
    /// The person of this node does something.
    pub fn act(&mut self, at: usize) {
        let frontend = 1 + self.people.below(FRONTENDS);
        let timeout = if self.people.chance(30) { self.people.millis(1, 60_000) } else { Duration::ZERO };
        match self.people.below(100) {
            0 => return self.frontend_gone(at, frontend),
            1 if self.may_restart => return self.restart(at),
            2 => {
                self.nodes[at].disk_is_full = self.people.chance(50);
                return;
            }
            4 if self.may_jump => {
                self.nodes[at].clock =
                    self.people.pick(&[-100_000, -300, -2, 0, 0, 2, 60, 300, 4_000, 700_000]);
                return;
            }
            5..9 => return self.hear(at),
            3 => {
                // More than fits into a window.
                for _ in 0..self.people.below(60) {
                    let text = self.text(at);
                    self.command(at, frontend, timeout, text);
                }
                return;
            }
            _ => {}
        }
        let command = self.choose(at);
        self.command(at, frontend, timeout, command);
    }

    fn somebody(&mut self, but: usize) -> UserName {
        let mut at = self.people.index(self.nodes.len());
        if at == but {
            at = (at + 1) % self.nodes.len();
        }
        UserName::parse(self.nodes[at].user.as_str()).unwrap()
    }

    /// Often who may be asked again without a question to them, else anybody.
    fn addressee(&mut self, at: usize) -> UserName {
        let grantors = self.ledger.who_lets_in(&self.nodes[at].user);
        if grantors.is_empty() || self.people.chance(50) {
            return self.somebody(at);
        }
        UserName::parse(&grantors[self.people.index(grantors.len())]).unwrap()
    }

    /// Whoever asks, else anybody.
    fn requester(&mut self, at: usize) -> UserName {
        let incoming = &self.nodes[at].core.snapshot().incoming;
        match incoming.len() {
            0 => self.somebody(at),
            length => incoming[self.people.index(length)].peer.clone(),
        }
    }

    /// Whoever this one talks with, else anybody.
    fn talker(&mut self, at: usize) -> UserName {
        let chats = &self.nodes[at].core.snapshot().chats;
        match chats.len() {
            0 => self.somebody(at),
            length => chats[self.people.index(length)].peer.clone(),
        }
    }

    fn terms(&mut self) -> Terms {
        let until = self.people.chance(20).then(|| self.time().unix + 1 + self.people.below(200));
        Terms { until, history_days: self.people.chance(20).then(|| self.people.below(30) as u16) }
    }

    fn choose(&mut self, at: usize) -> Command {
        match self.people.below(100) {
            0..18 => {
                let (peer, terms) = (self.addressee(at), self.terms());
                let lifetime_seconds = self.people.pick(&[5, 30, 300]);
                Command::Rtt { peer, terms, lifetime_seconds, wait: self.people.chance(60) }
            }
            18..38 => {
                let peer = self.requester(at);
                let (terms, wait) = (None, self.people.chance(50));
                if self.people.chance(50) {
                    Command::AcceptStanding { peer, terms, wait }
                } else {
                    Command::Accept { peer, terms, wait }
                }
            }
            38..42 => Command::Refuse { peer: self.requester(at), quietly: self.people.chance(50) },
            42..44 => Command::Later { peer: self.requester(at) },
            44 => Command::Withdraw { peer: self.somebody(at) },
            45 => Command::Revoke { peer: self.talker(at) },
            46..63 => self.text(at),
            63..70 => self.leave(at),
            70..72 => self.take_back(at),
            72..82 => Command::Read { peer: None, peek: false },
            82..86 => Command::Close { peer: self.talker(at) },
            86..88 => Command::SetReachability { available: self.people.chance(70) },
            88 => {
                let peer = self.people.chance(50).then(|| self.somebody(at));
                let policies = [
                    None,
                    Some(Policy::Ask),
                    Some(Policy::Accept),
                    Some(Policy::Refuse),
                    Some(Policy::RefuseQuietly),
                ];
                Command::SetPolicy { peer, policy: self.people.pick(&policies) }
            }
            89 => Command::SetBlocked { peer: self.somebody(at), blocked: self.people.chance(30) },
            90 => Command::Forget { peer: self.somebody(at) },
            91 if self.people.chance(50) => Command::LockKeepSession,
            91 => Command::Lock,
            92..95 => unlock(),
            95 if self.people.chance(50) => Command::SetDoNotDisturb(self.quiet()),
            95 => Command::Logout,
            96..98 => Command::Login,
            98 => Command::List,
            _ => Command::Peers,
        }
    }

    fn quiet(&mut self) -> QuietChange {
        let seconds = self.people.pick(&[0, 0, 20]);
        if self.people.chance(50) { QuietChange::On { seconds } } else { QuietChange::Off }
    }

    /// A text with words that are never used again.
    pub fn text(&mut self, at: usize) -> Command {
        let peer = self.talker(at);
        self.text_to(at, peer)
    }

    pub fn text_to(&mut self, at: usize, peer: UserName) -> Command {
        let length = if self.people.chance(5) { self.people.index(9_000) } else { 0 };
        let text = format!("{} {}", self.ledger.texts.len(), "x".repeat(length));
        let to = self.nodes.iter().find(|node| node.user.as_str() == peer.as_str()).unwrap();
        let sent = Sent {
            from: self.nodes[at].user.clone(),
            to: to.user.clone(),
            is_delivered: false,
            is_received: false,
            is_taken_back: false,
        };
        self.ledger.texts.insert(text.clone(), sent);
        Command::Send { peer, text }
    }
}

impl World {
    /// A text for somebody who may be away.
    fn leave(&mut self, at: usize) -> Command {
        let peer = if self.people.chance(70) { self.talker(at) } else { self.somebody(at) };
        let Command::Send { peer, text } = self.text_to(at, peer) else { panic!("a text") };
        Command::Queue { peer, text, lifetime_seconds: self.people.pick(&[10, 120, 3_600]) }
    }

    /// Some text that was left.
    fn take_back(&mut self, at: usize) -> Command {
        let user = &self.nodes[at].user;
        let own: Vec<u64> =
            self.ledger.left.keys().filter(|(owner, _)| owner == user).map(|(_, id)| *id).collect();
        let id = if own.is_empty() { 1 } else { own[self.people.index(own.len())] };
        Command::CancelQueued { texts: QueuedTexts::One(id) }
    }
}

pub fn unlock() -> Command {
    Command::Unlock { passphrase: Passphrase(zeroize::Zeroizing::new(String::new())), ttl_seconds: 0 }
}
