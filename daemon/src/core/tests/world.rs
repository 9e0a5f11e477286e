//! The world: several cores, the relay between them, and what every frontend must see after each step.

use super::*;

pub(super) struct Node {
    pub(super) core: Core<TestEntropy>,
    pub(super) user: UserName,
    pub(super) key: SigningKey,
    /// The key has followed the one before.
    pub(super) follows: bool,
    pub(super) answers: BTreeMap<RequestKey, Result<Reply, CommandError>>,
    pub(super) events: Vec<Event>,
    pub(super) mirror: Option<Snapshot>,
    pub(super) disk: Disk,
    pub(super) logs: Vec<LogLine>,
    pub(super) save_error: Option<String>,
    pub(super) history: Vec<HistoryRequest>,
    pub(super) sent: Vec<LinkMessage>,
    pub(super) last_id: u64,
}

/// What is on a daemon's disk.
pub(super) type Disk = BTreeMap<RecordKey, Record>;

/// A change that a lying relay makes to what it delivers; `None`: it drops it.
pub(super) type Tamper = Box<dyn FnMut(&UserName, LinkMessage) -> Option<LinkMessage>>;

pub(super) struct World {
    pub(super) nodes: Vec<Node>,
    pub(super) relay: Relay,
    pub(super) start: Instant,
    pub(super) elapsed: Duration,
    pub(super) relay_up: bool,
    pub(super) tamper: Option<Tamper>,
}

impl World {
    /// These users, unlocked and online; a frontend of each follows events.
    pub(super) fn new(users: &[&str]) -> Self {
        let mut world = Self::locked(users);
        for user in users {
            world.command(user, Command::Subscribe, MIRROR);
            assert_eq!(
                world.ok(user, Command::Unlock { passphrase: pass("right"), ttl_seconds: 0 }),
                Reply::Done
            );
            assert_eq!(world.ok(user, Command::Login), Reply::Done);
        }
        world
    }

    pub(super) fn locked(users: &[&str]) -> Self {
        let mut world = Self {
            nodes: Vec::new(),
            relay: Relay::default(),
            start: Instant::now(),
            elapsed: Duration::ZERO,
            relay_up: true,
            tamper: None,
        };
        for user in users {
            world.add(settings(user), Disk::new());
        }
        world
    }

    pub(super) fn add(&mut self, settings: Settings, disk: Disk) {
        let user = settings.user.clone().unwrap();
        let seed =
            user.as_bytes().iter().fold(7, |seed: u64, b| seed.wrapping_mul(257).wrapping_add(u64::from(*b)));
        let before =
            self.nodes.iter().find(|node| node.user == user).map(|node| (node.key.clone(), node.follows));
        let first = || SigningKey::generate_ed25519(&mut TestEntropy(seed)).unwrap();
        let (key, follows) = before.unwrap_or_else(|| (first(), false));
        let seed = seed.wrapping_add(self.nodes.len() as u64 + 1).wrapping_mul(31);
        let core = Core::new(settings, TestEntropy(seed), self.time());
        self.relay.keys.insert(user.clone(), key.public_key().as_der().to_vec());
        self.nodes.retain(|node| node.user != user);
        self.nodes.push(Node {
            core,
            user,
            key,
            follows,
            answers: BTreeMap::new(),
            events: Vec::new(),
            mirror: None,
            disk,
            logs: Vec::new(),
            save_error: None,
            history: Vec::new(),
            sent: Vec::new(),
            last_id: 0,
        });
    }

    /// The daemon stops and starts again with what it saved.
    pub(super) fn restart(&mut self, user: &str) {
        self.input(user, Input::Stop);
        self.crash(user);
    }

    /// The daemon dies and starts again with what it saved.
    pub(super) fn crash(&mut self, user: &str) {
        self.relay.leave(&name(user));
        let disk = self.node(user).disk.clone();
        self.add(settings(user), disk);
        self.ok(user, Command::Unlock { passphrase: pass("right"), ttl_seconds: 0 });
        self.ok(user, Command::Login);
    }

    /// The user's key is another one from the next unlock on, and the relay has what both signed. Gives the new one.
    pub(super) fn rotate(&mut self, user: &str) -> SigningKey {
        let old = self.node(user).key.clone();
        let seed = u64::from(old.public_key().as_der()[20]) + 70_000;
        let new = SigningKey::generate_ed25519(&mut TestEntropy(seed)).unwrap();
        let succession = Succession::make(&name(user), &old, &new, UNIX).unwrap();
        self.relay.chains.entry(name(user)).or_default().extend(succession.encode());
        self.relay.keys.insert(name(user), new.public_key().as_der().to_vec());
        let node = self.node(user);
        (node.key, node.follows) = (new.clone(), true);
        new
    }

    /// The daemon locks, and is unlocked with the key that is there now.
    pub(super) fn unlock_again(&mut self, user: &str) {
        self.ok(user, Command::Lock);
        self.ok(user, Command::Unlock { passphrase: pass("right"), ttl_seconds: 0 });
        self.ok(user, Command::Login);
    }

    pub(super) fn time(&self) -> Time {
        Time { now: self.start + self.elapsed, unix: UNIX + self.elapsed.as_secs() }
    }

    pub(super) fn at(&self, user: &str) -> usize {
        self.nodes.iter().position(|node| node.user.as_str() == user).unwrap()
    }

    pub(super) fn node(&mut self, user: &str) -> &mut Node {
        let at = self.at(user);
        &mut self.nodes[at]
    }

    pub(super) fn input(&mut self, user: &str, input: Input) {
        let (at, time) = (self.at(user), self.time());
        self.nodes[at].core.handle(input, time);
        self.run();
    }

    pub(super) fn command_within(
        &mut self,
        user: &str,
        command: Command,
        frontend: u64,
        timeout: Duration,
    ) -> RequestKey {
        let node = self.node(user);
        node.last_id += 1;
        let id = node.last_id;
        let who = Frontend { connection: frontend, name: format!("frontend-{frontend}"), pid: 1_000 };
        self.input(user, Input::Command { frontend: who, id, timeout, command });
        RequestKey { frontend, id }
    }

    pub(super) fn command(&mut self, user: &str, command: Command, frontend: u64) -> RequestKey {
        self.command_within(user, command, frontend, Duration::ZERO)
    }

    pub(super) fn start(&mut self, user: &str, command: Command) -> RequestKey {
        self.command(user, command, MAIN)
    }

    pub(super) fn answer(&mut self, user: &str, key: RequestKey) -> Option<Result<Reply, CommandError>> {
        self.node(user).answers.get(&key).cloned()
    }

    pub(super) fn result(&mut self, user: &str, command: Command) -> Result<Reply, CommandError> {
        let key = self.start(user, command);
        self.answer(user, key).expect("an answer at once")
    }

    pub(super) fn ok(&mut self, user: &str, command: Command) -> Reply {
        self.result(user, command).unwrap()
    }

    pub(super) fn err(&mut self, user: &str, command: Command) -> CommandError {
        self.result(user, command).unwrap_err()
    }

    /// Lets everything happen that happens at once, then checks what every frontend sees.
    pub(super) fn run(&mut self) {
        for _ in 0..10_000 {
            let mut idle = true;
            for at in 0..self.nodes.len() {
                while let Some(output) = self.nodes[at].core.next_output() {
                    idle = false;
                    self.carry_out(at, output);
                }
            }
            let out: VecDeque<_> = std::mem::take(&mut self.relay.out).into();
            for (to, message) in out {
                idle = false;
                let message = match &mut self.tamper {
                    Some(tamper) => tamper(&to, message),
                    None => Some(message),
                };
                let time = self.time();
                if let (Some(message), Some(node)) = (message, self.nodes.iter_mut().find(|n| n.user == to)) {
                    node.core.handle(Input::LinkMessage(message), time);
                }
            }
            if idle {
                return self.nodes.iter().for_each(Node::check);
            }
        }
        panic!("never quiet");
    }

    pub(super) fn carry_out(&mut self, at: usize, output: Output) {
        let time = self.time();
        let node = &mut self.nodes[at];
        let input = match output {
            Output::Reply(key, result) => {
                assert!(node.answers.insert(key, result).is_none(), "answered twice: {key:?}");
                return;
            }
            Output::Subscribed(key, snapshot) => {
                if key.frontend == MIRROR {
                    node.mirror = Some((*snapshot).clone());
                }
                let reply = Ok(Reply::Snapshot(snapshot));
                assert!(node.answers.insert(key, reply).is_none(), "answered twice: {key:?}");
                return;
            }
            Output::Event { sequence, event } => {
                if let Some(mirror) = &mut node.mirror {
                    mirror.apply(&event);
                    assert_eq!(mirror.sequence, sequence, "{event:?}");
                }
                return node.events.push(event);
            }
            Output::LoadIdentity(passphrase) => Input::IdentityLoaded(if *passphrase.0 == "right" {
                let records = node.disk.values().cloned().collect();
                let restored = Restored { records, follows: node.follows, ..Restored::default() };
                Ok(Unlocked { identity: node.key.clone(), restored })
            } else {
                Err(CommandError::WrongPassphrase)
            }),
            Output::Connect { key, role, .. } if self.relay_up => {
                node.core.handle(Input::CrlSeen { this_update: 5 }, time);
                node.core.handle(Input::LinkUp { warnings: Vec::new() }, time);
                let user = node.user.clone();
                return self.relay.log_in(&user, &key, role);
            }
            Output::Connect { .. } => Input::LinkDown(LinkFailure::Failed("connection refused".into())),
            Output::Send(message) => {
                node.sent.push(message.clone());
                let user = node.user.clone();
                return self.relay.take(&user, message);
            }
            Output::Disconnect => {
                let user = node.user.clone();
                self.relay.leave(&user);
                Input::LinkDown(LinkFailure::Closed)
            }
            Output::MakeRsaKey => return,
            Output::Write(changes) => match &node.save_error {
                Some(why) => Input::Saved(Err(why.clone())),
                None => Input::Saved(node.write(changes)),
            },
            Output::History(request) => {
                node.history.push((*request).clone());
                let reply = Reply::HistoryErased { texts: 0 };
                Input::HistoryDone(Ok(HistoryAnswer { reply, notices: Vec::new(), is_more_to_tidy: false }))
            }
            Output::LockStore => return,
            Output::Log(line) => return node.logs.push(line),
        };
        self.nodes[at].core.handle(input, time);
    }

    /// The link of this user breaks.
    pub(super) fn cut(&mut self, user: &str) {
        self.relay.leave(&name(user));
        self.input(user, Input::LinkDown(LinkFailure::Failed("connection reset".into())));
    }

    pub(super) fn advance(&mut self, seconds: u64) {
        let target = self.elapsed + Duration::from_secs(seconds);
        loop {
            let due = self.nodes.iter().filter_map(|node| node.core.poll_timeout()).min();
            let due = due.map(|at| at.saturating_duration_since(self.start)).filter(|at| *at <= target);
            let Some(due) = due else { break };
            self.elapsed = self.elapsed.max(due);
            let time = self.time();
            for node in &mut self.nodes {
                if node.core.poll_timeout().is_some_and(|at| at <= time.now) {
                    node.core.handle_timeout(time);
                    let again = node.core.poll_timeout();
                    assert!(again.is_none_or(|at| at > time.now), "{} spins", node.user);
                }
            }
            self.run();
        }
        self.elapsed = target;
    }

    pub(super) fn rtt(&self, peer: &str, wait: bool) -> Command {
        Command::Rtt { peer: ipc(peer), terms: ANY, lifetime_seconds: 3_600, wait }
    }

    pub(super) fn accept(&mut self, user: &str, peer: &str) -> Reply {
        self.ok(user, Command::Accept { peer: ipc(peer), terms: None, wait: true })
    }

    /// `a` asks, `b` accepts, the chat is open.
    pub(super) fn chat(&mut self, a: &str, b: &str) {
        let asking = self.start(a, self.rtt(b, true));
        assert!(matches!(self.accept(b, a), Reply::ChatOpen { .. }));
        assert!(matches!(self.answer(a, asking), Some(Ok(Reply::ChatOpen { .. }))));
    }

    pub(super) fn send(&mut self, user: &str, peer: &str, text: &str) -> RequestKey {
        self.start(user, Command::Send { peer: ipc(peer), text: text.into() })
    }

    pub(super) fn read(&mut self, user: &str) -> Vec<String> {
        let Reply::Messages(messages) = self.ok(user, Command::Read { peer: None, peek: false }) else {
            panic!()
        };
        messages.into_iter().map(|message| message.text).collect()
    }

    /// What is on this user's disk of a peer.
    pub(super) fn saved_peer(&mut self, user: &str, peer: &str) -> SavedPeer {
        match self.node(user).disk.get(&RecordKey::Peer(name(peer))) {
            Some(Record::Peer(_, saved)) => saved.clone(),
            other => panic!("{other:?}"),
        }
    }

    pub(super) fn snapshot(&mut self, user: &str) -> Snapshot {
        self.node(user).core.view.snapshot().clone()
    }

    pub(super) fn logged(&mut self, user: &str, event: &str) -> bool {
        self.node(user).logs.iter().any(|line| line.event == event)
    }
}

impl Node {
    fn write(&mut self, changes: BTreeMap<RecordKey, Option<Record>>) -> Result<(), String> {
        for (key, record) in changes {
            match record {
                Some(record) => self.disk.insert(key, record),
                None => self.disk.remove(&key),
            };
        }
        Ok(())
    }

    /// What frontends see is what is.
    pub(super) fn check(&self) {
        let core = &self.core;
        let view = core.view.snapshot();
        if let Some(mirror) = &self.mirror {
            assert_eq!(mirror, view, "{}: a frontend's events lead elsewhere", self.user);
        }
        assert_eq!(view.status, core.status(), "{}", self.user);
        let incoming: Vec<_> = core.requests.keys().filter_map(|id| core.request_item(*id)).collect();
        assert_eq!(view.incoming.len(), incoming.len(), "{}", self.user);
        assert!(
            incoming.iter().all(|item| view.incoming.contains(item)),
            "{}: {incoming:?} {view:?}",
            self.user
        );
        let chats: Vec<_> = core.chats.keys().filter_map(|id| core.chat_summary(*id)).collect();
        assert_eq!(view.chats.len(), chats.len(), "{}: {chats:?} {view:?}", self.user);
        assert!(chats.iter().all(|item| view.chats.contains(item)), "{}: {chats:?} {view:?}", self.user);
        assert_eq!(view.outgoing.len(), core.asked.len(), "{}", self.user);
        let on_their_way =
            core.chats.values().flat_map(|talk| talk.held_back.iter().take(talk.held.admitted));
        let in_inbox = view.unread.iter().chain(on_their_way).map(|message| message.text.len());
        assert_eq!(core.inbox_bytes, in_inbox.sum::<usize>());
        assert!(
            core.requests.values().filter(|r| r.is_unanswered()).count()
                <= core.settings.max_incoming_requests
        );
    }
}
