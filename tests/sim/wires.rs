//! What the cores and the switchboard want done is done, over links that have their own mind.

use std::collections::BTreeMap;
use std::time::Duration;

use secchat_daemon::core::io::{Frontend, Input, LinkFailure, LogLine, LoginKey, Output, RequestKey};
use secchat_daemon::core::record::{Record, Restored, Unlocked};
use secchat_ipc::{Command, CommandError, Reply};
use secchat_proto::wire::link::{LinkMessage, LogoutReason};
use secchat_relay::switchboard::lane::Ticket;
use secchat_relay::switchboard::{Command as RelayCommand, Delegated, Login, SessionId};

use crate::hearing::READER;
use crate::network::{Far, Link, Near};
use crate::people::{MIRROR, unlock};
use crate::world::{Event, World};

impl World {
    pub fn command(&mut self, at: usize, frontend: u64, timeout: Duration, command: Command) {
        let node = &mut self.nodes[at];
        node.last_request += 1;
        let key = RequestKey { frontend, id: node.last_request };
        node.unanswered.insert(key, command.clone());
        self.ledger.note_command(&node.user, key.id, &command);
        node.promised.note_command(key.id, &command);
        let frontend = Frontend { connection: frontend, name: "person".into(), pid: 1 };
        self.input(at, Input::Command { frontend, id: key.id, timeout, command });
    }

    pub fn frontend_gone(&mut self, at: usize, frontend: u64) {
        self.nodes[at].unanswered.retain(|key, _| key.frontend != frontend);
        if frontend == READER {
            self.nodes[at].hearing.disconnect();
        }
        self.input(at, Input::FrontendGone(frontend));
    }

    /// The daemon dies, without a word, and another one starts with what is on disk.
    pub fn restart(&mut self, at: usize) {
        if let Some(link) = self.nodes[at].link {
            self.links[link].near = Near::Down;
            let notices = self.network.millis(1, 90_000);
            self.schedule(notices, Event::FarGone(link));
        }
        let time = self.time_at(at);
        let mut random = self.network.fork();
        self.nodes[at].restart(&mut random, time);
        for record in self.nodes[at].disk.values() {
            if let Record::Unread(_, message) = record {
                self.ledger.note_unread(&self.nodes[at].user, message);
            }
        }
        self.command(at, 1, Duration::ZERO, unlock());
    }

    pub fn input(&mut self, at: usize, input: Input) {
        let time = self.time_at(at);
        self.nodes[at].core.handle(input, time);
        self.drain(at);
    }

    /// Carries out what a core wants.
    pub fn drain(&mut self, at: usize) {
        while let Some(output) = self.nodes[at].core.next_output() {
            self.carry_out(at, output);
        }
        self.nodes[at].wakes_at = self.nodes[at].core.poll_timeout();
        self.check(at);
    }

    fn carry_out(&mut self, at: usize, output: Output) {
        match output {
            Output::Reply(key, result) => self.answer(at, key, &result),
            Output::Subscribed(key, snapshot) => {
                assert_eq!(key.frontend, MIRROR);
                self.nodes[at].mirror = Some(*snapshot.clone());
                self.answer(at, key, &Ok(Reply::Snapshot(snapshot)));
            }
            Output::Event { sequence, event } => {
                if let Some(mirror) = &mut self.nodes[at].mirror {
                    mirror.apply(&event);
                    assert_eq!(mirror.sequence, sequence);
                }
            }
            Output::LoadIdentity(_) => {
                let records = self.nodes[at].disk.values().cloned().collect();
                let restored = Restored { records, ..Restored::default() };
                let unlocked = Unlocked { identity: self.nodes[at].key.clone(), restored };
                let time = self.time_at(at);
                self.nodes[at].core.handle(Input::IdentityLoaded(Ok(unlocked)), time);
            }
            Output::Connect { key, role, .. } => {
                let link = self.links.len();
                let until = match key {
                    LoginKey::Identity(_) => None,
                    LoginKey::Delegated(key) => Some(key.not_after()),
                };
                self.links.push(Link::new(at, SessionId(link as u64), role, until));
                self.nodes[at].link = Some(link);
                let succeeds = !self.is_stormy || self.network.chance(80);
                let after = self.delay();
                self.schedule(after, Event::Connected { link, succeeds });
            }
            Output::Send(message) => self.send_up(at, message),
            Output::Disconnect => {
                if let Some(link) = self.nodes[at].link {
                    self.let_go(link);
                }
            }
            Output::MakeRsaKey => panic!("suite 1 is not permitted here"),
            Output::Write(changes) => {
                let (life, succeeds) = (self.nodes[at].life, !self.nodes[at].disk_is_full);
                let after = self.network.millis(1, 30);
                self.nodes[at].writing = if succeeds { changes } else { BTreeMap::new() };
                self.schedule(after, Event::Saved { node: at, life, succeeds });
            }
            Output::Log(line) if line.event == "queued_texts_ended" => {
                self.ledger.note_ended(&self.nodes[at].user, &line.detail);
            }
            Output::Log(LogLine { event: "rtt_accepted", peer: Some(peer), detail, .. })
                if detail.ends_with("by a standing consent") =>
            {
                self.ledger.note_let_in(&self.nodes[at].user, &peer);
            }
            Output::Log(_) | Output::LockStore => {}
            Output::History(_) => panic!("nobody keeps texts here"),
        }
    }

    fn answer(&mut self, at: usize, key: RequestKey, result: &Result<Reply, CommandError>) {
        let command = self.nodes[at].unanswered.remove(&key);
        let command = command.unwrap_or_else(|| panic!("{key:?} is answered twice: {result:?}"));
        self.ledger.note_answer(&self.nodes[at].user, key.id, &command, result);
        self.nodes[at].promised.note_answer(key.id, &command, result);
        self.check_answer(at, &command, result);
    }

    fn delay(&mut self) -> Duration {
        let slowest = self.slowness * 1_000;
        Duration::from_micros(1 + self.network.below(slowest))
    }

    /// The core lets go of its link: what was sent still leaves.
    fn let_go(&mut self, at: usize) {
        let link = &mut self.links[at];
        if matches!(link.near, Near::Leaving | Near::Down) {
            return;
        }
        link.near = Near::Leaving;
        let gone = link.last_up.max(self.elapsed) + Duration::from_micros(1);
        self.schedule(Duration::ZERO, Event::NearDown(at, LinkFailure::Closed));
        if !self.links[at].is_dead {
            self.schedule_at(gone, Event::FarGone(at));
        }
    }

    pub fn connected(&mut self, at: usize, succeeds: bool) {
        if self.links[at].near != Near::Connecting {
            return;
        }
        let node = self.links[at].node;
        if succeeds {
            self.links[at].near = Near::Up;
            self.links[at].far = Far::Proven;
            self.input(node, Input::CrlSeen { this_update: self.elapsed.as_secs() / 60 });
            self.input(node, Input::LinkUp { warnings: Vec::new() });
        } else {
            self.near_down(at, LinkFailure::Failed("connection refused".into()));
        }
    }

    pub fn near_down(&mut self, at: usize, failure: LinkFailure) {
        if self.links[at].near == Near::Down {
            return;
        }
        self.links[at].near = Near::Down;
        self.input(self.links[at].node, Input::LinkDown(failure));
    }

    pub fn far_gone(&mut self, at: usize) {
        let link = &mut self.links[at];
        if std::mem::replace(&mut link.far, Far::Gone) == Far::Online {
            let session = link.session;
            self.board.handle_gone(session, self.moment());
            self.drain_board();
        }
    }

    /// Some link breaks: at once for both, late for one, or for nobody until a Ping tells.
    pub fn cut(&mut self) {
        let node = self.network.index(self.nodes.len());
        let Some(at) = self.nodes[node].link else { return };
        if self.links[at].near != Near::Up {
            return;
        }
        self.links[at].is_dead = true;
        if self.network.chance(70) {
            let after = self.network.millis(0, 2_000);
            self.schedule(after, Event::NearDown(at, LinkFailure::Failed("connection reset".into())));
        }
        let after = self.network.millis(0, 90_000);
        self.schedule(after, Event::FarGone(at));
    }

    fn send_up(&mut self, node: usize, message: LinkMessage) {
        let user = self.nodes[node].user.clone();
        self.ledger.note_sent(&user, &message);
        let Some(at) = self.nodes[node].link else { panic!("sent without a link") };
        assert_eq!(self.links[at].near, Near::Up, "sent on a link that is not up");
        let arrives = (self.elapsed + self.delay()).max(self.links[at].last_up);
        self.links[at].last_up = arrives;
        self.schedule_at(arrives, Event::Up(at, message));
    }

    pub fn reach_relay(&mut self, at: usize, message: LinkMessage) {
        let link = &mut self.links[at];
        if link.is_dead {
            return;
        }
        let moment = self.moment();
        let link = &mut self.links[at];
        match (link.far, message) {
            (Far::Gone, _) => {}
            (Far::Proven, LinkMessage::Refresh { watch }) => {
                link.far = Far::Online;
                let (session, role, node) = (link.session, link.role, &self.nodes[link.node]);
                let (name, public_key) = (node.user.clone(), node.key.public_key().clone());
                let until = link.delegated_until;
                // Its daemon has let go of every other link of this user's: none of them answers.
                let replaces = until.and_then(|_| self.board.handle_contest(&name, moment));
                let delegated = until.map(|until| Delegated { until, replaces });
                self.board.handle_login(
                    Login { session, name, public_key, chain: None, role, watch, delegated },
                    moment,
                );
            }
            (Far::Proven, other) => panic!("the first record is {other:?}"),
            (Far::Online, LinkMessage::Ping(bytes)) => self.send_down(at, LinkMessage::Pong(bytes), None),
            (Far::Online, message) => {
                let session = link.session;
                self.board.handle_message(session, message, moment);
            }
        }
        self.drain_board();
    }

    pub fn drain_board(&mut self) {
        while let Some(command) = self.board.next_command() {
            match command {
                RelayCommand::Send { to, message, ticket } => {
                    let at = usize::try_from(to.0).unwrap();
                    self.lie(at, message, ticket);
                }
                RelayCommand::SendNames { to, names, ticket } => {
                    let at = usize::try_from(to.0).unwrap();
                    let mut ticket = Some(ticket);
                    // Few names, one record.
                    names.for_each(|message| self.lie(at, message, ticket.take().expect("one record")));
                }
                RelayCommand::Close { session, reason } => {
                    let at = usize::try_from(session.0).unwrap();
                    self.links[at].far = Far::Gone;
                    self.send_down(at, LinkMessage::Logout(reason), None);
                    let after = self.links[at].last_down + Duration::from_micros(1);
                    self.schedule_at(
                        after,
                        Event::NearDown(at, LinkFailure::Failed("closed by the relay".into())),
                    );
                    assert_ne!(reason, LogoutReason::TooSlow, "a queue of the relay overflowed");
                }
            }
        }
    }

    /// A malicious relay has its say about what a daemon gets.
    fn lie(&mut self, at: usize, message: LinkMessage, ticket: Ticket) {
        let user = self.nodes[self.links[at].node].user.clone();
        let unix = self.time().unix;
        let mut told = match &mut self.evil {
            Some(evil) if !self.is_calm => evil.tamper(&user, &self.names, message, unix),
            Some(_) | None => vec![message],
        };
        let last = told.pop();
        told.into_iter().for_each(|message| self.send_down(at, message, None));
        if let Some(message) = last {
            self.send_down(at, message, Some(ticket));
        }
    }

    fn send_down(&mut self, at: usize, message: LinkMessage, ticket: Option<Ticket>) {
        let arrives = (self.elapsed + self.delay()).max(self.links[at].last_down);
        self.links[at].last_down = arrives;
        self.links[at].on_the_way += 1;
        self.schedule_at(arrives, Event::Down(at, message, ticket));
    }

    pub fn reach_node(&mut self, at: usize, message: LinkMessage, ticket: Option<Ticket>) {
        self.links[at].on_the_way -= 1;
        let link = &self.links[at];
        let is_void = ticket.is_some_and(|ticket| ticket.is_void());
        if link.near == Near::Up && !link.is_dead && !is_void {
            self.input(link.node, Input::LinkMessage(message));
        }
    }
}
