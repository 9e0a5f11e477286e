//! Blocked, refused quietly, *later* and no answer: what the asker's link brings while bob's daemon does each, through two
//! requests and a login of bob's in between, at which the relay shows him the first one again.
//!
//! The daemon's core and the relay's switchboard in one process, on a virtual clock, over links with random delays. So what
//! is compared is when messages come and how long they are, not how long a machine takes to make them: nothing that
//! bob's daemon does about a request reaches the asker, and what it costs him only he and his relay could time.

use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant};

use secchat_daemon::core::Core;
use secchat_daemon::core::io::{Frontend, Input, LinkFailure, Output, Settings, Time};
use secchat_daemon::core::record::{Restored, Unlocked};
use secchat_ipc::Command;
use secchat_ipc::types::{Passphrase, Policy};
use secchat_proto::crypto::entropy::Entropy;
use secchat_proto::crypto::kem::Suites;
use secchat_proto::crypto::signature::SigningKey;
use secchat_proto::request::Proposal;
use secchat_proto::wire::link::{Answer, LinkMessage};
use secchat_proto::wire::login::Role;
use secchat_proto::wire::request::{RequestToTalk, Terms};
use secchat_proto::{Error, UserName};
use secchat_relay::limits::Limits;
use secchat_relay::switchboard::{Command as RelayCommand, Login, Moment, SessionId, Switchboard};

use super::{TRIALS, bound, distance};

/// What bob does about alice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bob {
    /// Nothing, or he says *later*.
    DoesNotAnswer,
    HasBlocked,
    /// By a policy, or himself.
    RefusesQuietly,
}

/// What is wrong with bob's daemon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Leak {
    Nothing,
    /// It answers one request in ten.
    Word,
    /// It takes two seconds longer to come back.
    Time,
}

/// What the asker can count and time, a value for each trial.
type Observed = [Vec<f64>; 4];
const OBSERVABLES: [&str; 4] = ["messages", "bytes", "first", "last"];

#[test]
fn every_silence_looks_alike_in_messages_sizes_and_times() {
    let runs = [
        (Bob::DoesNotAnswer, Leak::Nothing),
        (Bob::HasBlocked, Leak::Nothing),
        (Bob::RefusesQuietly, Leak::Nothing),
        (Bob::HasBlocked, Leak::Word),
        (Bob::RefusesQuietly, Leak::Time),
    ];
    let observed: Vec<Observed> = thread::scope(|scope| {
        let threads =
            runs.iter().zip(1..).map(|((bob, leak), seed)| scope.spawn(move || run(*bob, *leak, seed)));
        threads.collect::<Vec<_>>().into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let shown = observed[0][0].iter().filter(|messages| **messages > 0.0).count();
    assert!(shown > TRIALS * 9 / 10, "bob's coming and going shows: {shown}");
    let pairs = [(0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (0, 4), (2, 4)];
    for (one, other) in pairs {
        let found: Vec<f64> =
            observed[one].iter().zip(&observed[other]).map(|(a, b)| distance(a, b)).collect();
        let bound = bound(observed[one][0].len(), observed[other][0].len());
        let runs = (runs[one], runs[other]);
        println!("{runs:?}: {OBSERVABLES:?} {found:.4?}, bound {bound:.4}");
        let is_told_apart = found.iter().any(|distance| *distance > bound);
        assert_eq!(is_told_apart, runs.1.1 != Leak::Nothing, "{runs:?}: {found:?}");
    }
}

fn run(bob: Bob, leak: Leak, seed: u64) -> Observed {
    let mut scene = Scene::new(bob, leak, seed);
    let mut observed = [const { Vec::new() }; 4];
    for _ in 0..if leak == Leak::Nothing { TRIALS } else { TRIALS / 5 } {
        let seen = scene.trial();
        let seconds = |at: Option<&(Duration, usize)>| at.map_or(-1.0, |(after, _)| after.as_secs_f64());
        observed[0].push(seen.len() as f64);
        observed[1].push(seen.iter().map(|(_, bytes)| *bytes as f64).sum());
        observed[2].push(seconds(seen.first()));
        observed[3].push(seconds(seen.last()));
    }
    observed
}

/// What is on its way.
enum Due {
    ToRelay(SessionId, LinkMessage),
    ToBob(SessionId, LinkMessage),
    ToAlice(LinkMessage),
    BobIsUp,
    BobIsCut,
    Person(Command),
    AliceAsks,
}

struct Scene {
    bob: Bob,
    leak: Leak,
    random: Chance,
    start: Instant,
    elapsed: Duration,
    queue: BTreeMap<(Duration, u64), Due>,
    queued: u64,
    board: Switchboard,
    core: Core<Chance>,
    keys: [SigningKey; 2],
    /// Bob's session; each login has another one.
    session: SessionId,
    is_up: bool,
    /// When the last message on each way arrives: the next one does not overtake it.
    last: [Duration; 3],
    began: Duration,
    seen: Vec<(Duration, usize)>,
}

const ALICE: SessionId = SessionId(0);

impl Scene {
    fn new(bob: Bob, leak: Leak, seed: u64) -> Self {
        let mut random = Chance(seed);
        let start = Instant::now();
        let keys = [(); 2].map(|()| SigningKey::generate_ed25519(&mut random).unwrap());
        let settings = Settings {
            user: Some(name("bob")),
            profile: String::new(),
            relay: "relay:1".into(),
            role: Role::Receiver,
            peer_suites: Suites::for_peers(),
            max_inbox_messages: 100,
            max_inbox_bytes: 1 << 20,
            max_incoming_requests: 256,
            cool_down: Duration::ZERO,
            quiet_hours: None,
            first_event: UNIX * 1_000_000,
            lock_keeps_session: false,
        };
        let core = Core::new(settings, Chance(seed + 1_000), Time { now: start, unix: UNIX });
        let mut scene = Self {
            bob,
            leak,
            random,
            start,
            elapsed: Duration::ZERO,
            queue: BTreeMap::new(),
            queued: 0,
            board: Switchboard::new(Limits::default()),
            core,
            keys,
            session: ALICE,
            is_up: false,
            last: [Duration::ZERO; 3],
            began: Duration::ZERO,
            seen: Vec::new(),
        };
        scene.log_in(ALICE, "alice", 0);
        let passphrase = Passphrase(zeroize::Zeroizing::new(String::new()));
        scene.command(Command::Unlock { passphrase, ttl_seconds: 0 });
        if bob == Bob::HasBlocked {
            scene.command(Command::SetBlocked { peer: peer(), blocked: true });
        }
        scene.run_for(Duration::from_secs(10));
        scene
    }

    /// Two requests that live a minute, each with bob's silence, and a cut of his link somewhere.
    fn trial(&mut self) -> Vec<(Duration, usize)> {
        (self.began, self.seen) = (self.elapsed, Vec::new());
        let second = self.seconds(62, 70);
        for asks in [Duration::ZERO, second] {
            self.later(asks, Due::AliceAsks);
            if let Some(command) = self.answer() {
                let after = self.seconds(1, 50);
                self.later(asks + after, Due::Person(command));
            }
        }
        let cut = self.seconds(1, 100);
        self.later(cut, Due::BobIsCut);
        self.run_for(Duration::from_secs(135));
        std::mem::take(&mut self.seen)
    }

    fn answer(&mut self) -> Option<Command> {
        let either = self.random.below(2) == 0;
        match self.bob {
            Bob::DoesNotAnswer => either.then(|| Command::Later { peer: peer() }),
            Bob::HasBlocked => None,
            Bob::RefusesQuietly => {
                let policy = either.then_some(Policy::RefuseQuietly);
                self.command(Command::SetPolicy { peer: Some(peer()), policy });
                (!either).then(|| Command::Refuse { peer: peer(), quietly: true })
            }
        }
    }

    fn run_for(&mut self, time: Duration) {
        let end = self.elapsed + time;
        loop {
            let timers = [self.core.poll_timeout(), self.board.poll_timeout()].into_iter().flatten();
            let timer = timers.min().map(|at| at.saturating_duration_since(self.start));
            let queued = self.queue.keys().next().map(|(at, _)| *at);
            let Some(next) = timer.into_iter().chain(queued).min().filter(|at| *at <= end) else { break };
            self.elapsed = self.elapsed.max(next);
            match self.queue.first_entry().filter(|first| first.key().0 <= self.elapsed) {
                Some(first) => {
                    let due = first.remove();
                    self.happens(due);
                }
                None => {
                    self.core.handle_timeout(self.time());
                    self.board.handle_timeout(self.moment());
                }
            }
            self.settle();
        }
        self.elapsed = end;
    }

    fn happens(&mut self, due: Due) {
        match due {
            Due::ToAlice(message) => self.seen.push((self.elapsed - self.began, length(&message))),
            Due::ToBob(session, message) if session == self.session && self.is_up => {
                if let (Leak::Word, LinkMessage::Rtt { request, .. }) = (self.leak, &message)
                    && self.random.below(10) == 0
                {
                    let chat_id = RequestToTalk::decode(request).unwrap().chat_id;
                    let (answer, name) = (Answer::Refuse, name("alice"));
                    self.send_up(LinkMessage::Response { answer, name, chat_id });
                }
                self.core.handle(Input::LinkMessage(message), self.time());
            }
            Due::ToBob(..) => {}
            Due::ToRelay(session, message) => self.reach_relay(session, message),
            Due::BobIsUp => {
                self.session = SessionId(self.session.0 + 1);
                self.is_up = true;
                self.core.handle(Input::LinkUp { warnings: Vec::new() }, self.time());
            }
            Due::BobIsCut if self.is_up => {
                self.is_up = false;
                self.board.handle_gone(self.session, self.moment());
                self.core.handle(Input::LinkDown(LinkFailure::Failed("cut".into())), self.time());
            }
            Due::BobIsCut => {}
            Due::Person(command) => self.command(command),
            Due::AliceAsks => {
                let issued = UNIX + self.elapsed.as_secs();
                let proposal = Proposal { issued, expires: issued + 60, terms: Terms::UNLIMITED };
                let (alice, bob) = (name("alice"), name("bob"));
                let request =
                    RequestToTalk::make(&alice, &self.keys[0], &bob, proposal, &mut self.random).unwrap();
                let arrives = self.arrives(0);
                let message = LinkMessage::Rtt { name: bob, request: request.encode() };
                self.at(arrives, Due::ToRelay(ALICE, message));
            }
        }
    }

    fn reach_relay(&mut self, session: SessionId, message: LinkMessage) {
        match message {
            LinkMessage::Refresh { .. } => self.log_in(session, "bob", 1),
            LinkMessage::Ping(bytes) => self.send_down(session, LinkMessage::Pong(bytes)),
            message => self.board.handle_message(session, message, self.moment()),
        }
    }

    fn log_in(&mut self, session: SessionId, user: &str, key: usize) {
        let (name, public_key) = (name(user), self.keys[key].public_key().clone());
        let role = Role::Receiver;
        let login = Login { session, name, public_key, chain: None, role, watch: true, delegated: None };
        self.board.handle_login(login, self.moment());
    }

    /// Does what core and switchboard want done.
    fn settle(&mut self) {
        loop {
            if let Some(output) = self.core.next_output() {
                self.carry_out(output);
            } else if let Some(command) = self.board.next_command() {
                match command {
                    RelayCommand::Send { to, message, .. } => self.send_down(to, message),
                    RelayCommand::SendNames { to, names, .. } => {
                        let mut messages = Vec::new();
                        names.for_each(|message| messages.push(message));
                        messages.into_iter().for_each(|message| self.send_down(to, message));
                    }
                    RelayCommand::Close { session, reason } => panic!("{session:?} is put out: {reason:?}"),
                }
            } else {
                return;
            }
        }
    }

    fn carry_out(&mut self, output: Output) {
        let input = match output {
            Output::LoadIdentity(_) => Input::IdentityLoaded(Ok(Unlocked {
                identity: self.keys[1].clone(),
                restored: Restored::default(),
            })),
            Output::Connect { .. } => {
                let slower = if self.leak == Leak::Time { Duration::from_secs(2) } else { Duration::ZERO };
                let after = slower + self.delay();
                return self.later(after, Due::BobIsUp);
            }
            Output::Send(message) => return self.send_up(message),
            Output::Write(_) => Input::Saved(Ok(())),
            Output::Disconnect => panic!("bob leaves"),
            _ => return,
        };
        self.core.handle(input, self.time());
    }

    fn send_up(&mut self, message: LinkMessage) {
        let arrives = self.arrives(1);
        self.at(arrives, Due::ToRelay(self.session, message));
    }

    fn send_down(&mut self, to: SessionId, message: LinkMessage) {
        let arrives = self.arrives(2);
        let due = if to == ALICE { Due::ToAlice(message) } else { Due::ToBob(to, message) };
        self.at(arrives, due);
    }

    fn command(&mut self, command: Command) {
        self.queued += 1;
        let frontend = Frontend { connection: 1, name: "person".into(), pid: 1 };
        let (id, timeout) = (self.queued, Duration::ZERO);
        self.core.handle(Input::Command { frontend, id, timeout, command }, self.time());
        self.settle();
    }

    fn arrives(&mut self, way: usize) -> Duration {
        let arrives = (self.elapsed + self.delay()).max(self.last[way]);
        self.last[way] = arrives;
        arrives
    }

    fn later(&mut self, after: Duration, due: Due) {
        self.at(self.elapsed + after, due);
    }

    fn at(&mut self, at: Duration, due: Due) {
        self.queued += 1;
        self.queue.insert((at, self.queued), due);
    }

    fn delay(&mut self) -> Duration {
        Duration::from_micros(200 + self.random.below(80_000))
    }

    fn seconds(&mut self, from: u64, to: u64) -> Duration {
        Duration::from_millis(from * 1_000 + self.random.below((to - from) * 1_000))
    }

    fn time(&self) -> Time {
        Time { now: self.start + self.elapsed, unix: UNIX + self.elapsed.as_secs() }
    }

    fn moment(&self) -> Moment {
        Moment { instant: self.start + self.elapsed, unix: UNIX + self.elapsed.as_secs() }
    }
}

/// `SplitMix64`.
#[derive(Debug)]
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }
}

impl Entropy for Chance {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), Error> {
        for chunk in out.chunks_mut(8) {
            chunk.copy_from_slice(&self.next().to_le_bytes()[..chunk.len()]);
        }
        Ok(())
    }
}

fn peer() -> secchat_ipc::UserName {
    secchat_ipc::UserName::parse("alice").unwrap()
}

fn name(text: &str) -> UserName {
    text.parse().unwrap()
}

/// Bytes of a message on the link, before it is sealed.
fn length(message: &LinkMessage) -> usize {
    let mut bytes = Vec::new();
    message.encode(&mut bytes);
    bytes.len()
}

const UNIX: u64 = 1_800_000_000;
