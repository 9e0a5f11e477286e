//! The cores, the switchboard, the clock and what is on its way.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use secchat_daemon::core::io::{Input, LinkFailure, Time};
use secchat_ipc::Command;
use secchat_proto::UserName;
use secchat_proto::crypto::signature::SigningKey;
use secchat_proto::wire::link::LinkMessage;
use secchat_relay::limits::Limits;
use secchat_relay::switchboard::lane::Ticket;
use secchat_relay::switchboard::{Moment, Switchboard};

use crate::evil::Evil;
use crate::ledger::Ledger;
use crate::network::Link;
use crate::node::Node;
use crate::people::{MIRROR, unlock};
use secchat_e2e::Random;

/// Unix seconds at the start.
const UNIX: u64 = 1_800_000_000;
const NAMES: [&str; 4] = ["alice", "bob", "carol", "dave"];

/// What will happen.
#[derive(Debug)]
pub enum Event {
    /// A person does something.
    Act(usize),
    /// A link breaks.
    Cut,
    Connected {
        link: usize,
        succeeds: bool,
    },
    /// Reaches the relay.
    Up(usize, LinkMessage),
    /// Reaches the daemon.
    Down(usize, LinkMessage, Option<Ticket>),
    /// The daemon learns that its link is down.
    NearDown(usize, LinkFailure),
    /// The relay learns that a link is gone.
    FarGone(usize),
    Saved {
        node: usize,
        life: u64,
        succeeds: bool,
    },
}

/// An event in its turn.
struct Due(Duration, u64, Event);

impl PartialEq for Due {
    fn eq(&self, other: &Self) -> bool {
        (self.0, self.1) == (other.0, other.1)
    }
}
impl Eq for Due {}
impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Due {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.0, self.1).cmp(&(other.0, other.1))
    }
}

/// Everything.
pub struct World {
    pub nodes: Vec<Node>,
    pub links: Vec<Link>,
    pub ledger: Ledger,
    pub people: Random,
    pub evil: Option<Evil>,
    pub may_restart: bool,
    /// Wall clocks jump.
    pub may_jump: bool,
    pub network: Random,
    pub board: Switchboard,
    queue: BinaryHeap<Reverse<Due>>,
    numbered: u64,
    start: Instant,
    pub elapsed: Duration,
    /// Links break and logins fail.
    pub is_stormy: bool,
    /// People only read any more.
    pub is_calm: bool,
    /// Longest delay on the way, in milliseconds.
    pub slowness: u64,
    pub names: Vec<UserName>,
}

impl World {
    pub fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let users = 2 + random.index(3);
        let mut world = Self {
            nodes: Vec::new(),
            links: Vec::new(),
            ledger: Ledger::default(),
            people: random.fork(),
            evil: random.chance(40).then(|| Evil::new(random.fork())),
            may_restart: random.chance(50),
            may_jump: random.chance(30),
            network: random.fork(),
            board: Switchboard::new(Limits::default()),
            queue: BinaryHeap::new(),
            numbered: 0,
            start: epoch(),
            elapsed: Duration::ZERO,
            is_stormy: random.chance(60),
            is_calm: false,
            slowness: random.pick(&[2, 50, 800]),
            names: NAMES[..users].iter().map(|name| name.parse().unwrap()).collect(),
        };
        let has_mirrors = random.chance(6);
        for (at, name) in world.names.clone().into_iter().enumerate() {
            let node = Node::new(name, identities()[at].clone(), &mut random, world.time());
            world.nodes.push(node);
            world.command(at, 1, Duration::ZERO, unlock());
            if has_mirrors {
                world.command(at, MIRROR, Duration::ZERO, Command::Subscribe);
            }
            let first = world.people.millis(0, 2_000);
            world.schedule(first, Event::Act(at));
        }
        if world.is_stormy {
            let first = world.network.millis(1, 60_000);
            world.schedule(first, Event::Cut);
        }
        world
    }

    /// Some minutes of anything, then quiet; and it all must have held.
    pub fn run(mut self) -> Ledger {
        let lively = self.people.millis(8_000, 45_000);
        self.run_until(lively);
        self.calm_down();
        let quiet = self.elapsed + Duration::from_secs(420);
        self.run_until(quiet);
        for at in 0..self.nodes.len() {
            self.command(at, 1, Duration::ZERO, Command::Read { peer: None, peek: false });
            self.command(at, 1, Duration::ZERO, Command::Outbox);
        }
        self.check_end();
        self.ledger
    }

    /// People stop, links hold, disks have room, everybody is logged in and reads.
    fn calm_down(&mut self) {
        let acting = std::mem::take(&mut self.queue).into_vec();
        let goes_on = |due: &Reverse<Due>| !matches!(due.0.2, Event::Act(_) | Event::Cut);
        self.queue = acting.into_iter().filter(goes_on).collect();
        self.is_stormy = false;
        self.is_calm = true;
        for at in 0..self.nodes.len() {
            self.nodes[at].disk_is_full = false;
            self.nodes[at].clock = 0;
            self.command(at, 1, Duration::ZERO, unlock());
            self.command(at, 1, Duration::ZERO, Command::Login);
            self.schedule(Duration::from_secs(60), Event::Act(at));
        }
    }

    fn run_until(&mut self, end: Duration) {
        loop {
            let queued = self.queue.peek().map(|due| due.0.0);
            let timers = self.nodes.iter().map(|node| node.wakes_at).chain([self.board.poll_timeout()]);
            let timer = timers.flatten().min().map(|at| at.saturating_duration_since(self.start));
            let Some(next) = queued.into_iter().chain(timer).min().filter(|next| *next <= end) else { break };
            self.elapsed = self.elapsed.max(next);
            match queued {
                Some(at) if at <= self.elapsed => {
                    if let Some(Reverse(due)) = self.queue.pop() {
                        self.happen(due.2);
                    }
                }
                _ => self.run_timers(),
            }
        }
        self.elapsed = end;
    }

    fn run_timers(&mut self) {
        let now = self.time();
        if self.board.poll_timeout().is_some_and(|at| at <= now.now) {
            self.board.handle_timeout(self.moment());
            self.drain_board();
        }
        for at in 0..self.nodes.len() {
            if self.nodes[at].wakes_at.is_some_and(|at| at <= now.now) {
                let time = self.time_at(at);
                self.nodes[at].core.handle_timeout(time);
                self.drain(at);
                assert!(
                    self.nodes[at].wakes_at.is_none_or(|at| at > now.now),
                    "{} spins",
                    self.nodes[at].user
                );
            }
        }
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Act(at) if self.is_calm => {
                if !self.nodes[at].core.snapshot().unread.is_empty() {
                    self.command(at, 1, Duration::ZERO, Command::Read { peer: None, peek: false });
                }
                self.hear(at);
                self.schedule(Duration::from_secs(7), Event::Act(at));
            }
            Event::Act(at) => {
                self.act(at);
                let again = self.people.millis(1, 4_000);
                self.schedule(again, Event::Act(at));
            }
            Event::Cut => {
                self.cut();
                let again = self.network.millis(1_000, 40_000);
                self.schedule(again, Event::Cut);
            }
            Event::Connected { link, succeeds } => self.connected(link, succeeds),
            Event::Up(link, message) => self.reach_relay(link, message),
            Event::Down(link, message, ticket) => self.reach_node(link, message, ticket),
            Event::NearDown(link, failure) => self.near_down(link, failure),
            Event::FarGone(link) => self.far_gone(link),
            Event::Saved { node, life, succeeds } => {
                if self.nodes[node].life == life {
                    let result = if succeeds { Ok(()) } else { Err("state: no space left".into()) };
                    if succeeds {
                        self.nodes[node].write();
                    }
                    self.input(node, Input::Saved(result));
                }
            }
        }
    }

    pub fn time(&self) -> Time {
        Time { now: self.start + self.elapsed, unix: UNIX + self.elapsed.as_secs() }
    }

    /// What this daemon's machine shows.
    pub fn time_at(&self, at: usize) -> Time {
        let Time { now, unix } = self.time();
        Time { now, unix: unix.saturating_add_signed(self.nodes[at].clock) }
    }

    pub fn moment(&self) -> Moment {
        Moment { instant: self.time().now, unix: self.time().unix }
    }

    pub fn schedule(&mut self, after: Duration, event: Event) {
        self.schedule_at(self.elapsed + after, event);
    }

    pub fn schedule_at(&mut self, at: Duration, event: Event) {
        self.numbered += 1;
        self.queue.push(Reverse(Due(at, self.numbered, event)));
    }
}

/// Where every virtual clock starts.
fn epoch() -> Instant {
    static EPOCH: OnceLock<Instant> = OnceLock::new();
    *EPOCH.get_or_init(Instant::now)
}

/// The users' keys: the same for every seed, because making them takes longer than a step.
fn identities() -> &'static [SigningKey] {
    static KEYS: OnceLock<Vec<SigningKey>> = OnceLock::new();
    KEYS.get_or_init(|| {
        let key = |at: usize| SigningKey::generate_ed25519(&mut Random::new(at as u64)).unwrap();
        (0..NAMES.len()).map(key).collect()
    })
}
