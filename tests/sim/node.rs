//! One user's daemon: the core, what it saved, and who waits for answers.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use secchat_daemon::core::Core;
use secchat_daemon::core::io::{RequestKey, Settings, Time};
use secchat_daemon::core::record::{Record, RecordKey, SavedPeer};
use secchat_ipc::{Command, Snapshot};
use secchat_proto::UserName;
use secchat_proto::crypto::kem::Suites;
use secchat_proto::crypto::signature::SigningKey;
use secchat_proto::wire::login::Role;

use secchat_e2e::Random;

use crate::hearing::Hearing;
use crate::promised::Promised;

/// A daemon.
pub struct Node {
    pub user: UserName,
    pub key: SigningKey,
    pub core: Core<Random>,
    pub settings: Settings,
    /// What is on disk.
    pub disk: BTreeMap<RecordKey, Record>,
    /// The write under way: at a crash it is on disk, or it is not.
    pub writing: BTreeMap<RecordKey, Option<Record>>,
    /// Commands without an answer.
    pub unanswered: BTreeMap<RequestKey, Command>,
    pub last_request: u64,
    /// The link in use.
    pub link: Option<usize>,
    /// How often it was started: what lives in memory only is lost each time.
    pub life: u64,
    /// A frontend that follows events, in some seeds.
    pub mirror: Option<Snapshot>,
    /// When the core wants to be called.
    pub wakes_at: Option<Instant>,
    /// Whether its saves fail at the moment.
    pub disk_is_full: bool,
    /// By how many seconds its wall clock is wrong.
    pub clock: i64,
    pub hearing: Hearing,
    pub promised: Promised,
}

impl Node {
    pub fn new(user: UserName, key: SigningKey, random: &mut Random, time: Time) -> Self {
        let settings = Settings {
            user: Some(user.clone()),
            profile: String::new(),
            relay: "relay:1".into(),
            role: if random.chance(80) { Role::Receiver } else { Role::Sender },
            peer_suites: Suites::for_peers(),
            max_inbox_messages: random.pick(&[3, 20, 200]),
            max_inbox_bytes: random.pick(&[12_000, 1 << 20]),
            max_incoming_requests: random.pick(&[1, 8]),
            cool_down: Duration::from_secs(30),
            quiet_hours: None,
            first_event: time.unix * 1_000_000,
            lock_keeps_session: false,
        };
        let core = Core::new(settings.clone(), random.fork(), time);
        Self {
            user,
            key,
            core,
            settings,
            disk: BTreeMap::new(),
            writing: BTreeMap::new(),
            unanswered: BTreeMap::new(),
            last_request: 0,
            link: None,
            life: 0,
            mirror: None,
            wakes_at: None,
            disk_is_full: false,
            clock: 0,
            hearing: Hearing::default(),
            promised: Promised::default(),
        }
    }

    /// The write under way is on disk.
    pub fn write(&mut self) {
        for (key, record) in std::mem::take(&mut self.writing) {
            match record {
                Some(record) => self.disk.insert(key, record),
                None => self.disk.remove(&key),
            };
        }
    }

    /// What is on disk of peers.
    pub fn saved_peers(&self) -> impl Iterator<Item = (&UserName, &SavedPeer)> {
        self.disk.values().filter_map(|record| match record {
            Record::Peer(name, saved) => Some((name, saved)),
            _ => None,
        })
    }

    /// The process dies and another one starts.
    pub fn restart(&mut self, random: &mut Random, time: Time) {
        if random.chance(50) {
            self.write();
        }
        self.writing.clear();
        self.core = Core::new(self.settings.clone(), random.fork(), time);
        self.unanswered.clear();
        self.link = None;
        self.mirror = None;
        self.hearing.disconnect();
        self.life += 1;
    }
}
