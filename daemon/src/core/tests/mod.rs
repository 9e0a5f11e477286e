//! Several cores around an ideal relay, on a virtual clock.

mod chats;
mod consents;
mod consumers;
mod history;
mod keys;
mod outbox;
mod properties;
mod quiet;
mod reachable;
mod relay;
mod requests;
mod restart;
mod resume;
mod session;
mod succession;
mod world;

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use relay::Relay;
use secchat_ipc::types::{Passphrase, Terms};
use secchat_ipc::{Command, CommandError, Event, Reply, Snapshot, UserName as IpcName};
use secchat_proto::crypto::entropy::Entropy;
use secchat_proto::crypto::kem::Suites;
use secchat_proto::crypto::signature::SigningKey;
use secchat_proto::succession::Succession;
use secchat_proto::wire::link::LinkMessage;
use secchat_proto::wire::login::Role;
use secchat_proto::{Error, UserName};

use world::{Disk, World};

use super::Core;
use super::io::*;
use super::keeping::{HistoryAnswer, HistoryRequest};
use super::record::{Record, RecordKey, Restored, SavedPeer, Unlocked};

/// `SplitMix64`: the same bytes for the same seed.
#[derive(Debug)]
struct TestEntropy(u64);

impl Entropy for TestEntropy {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), Error> {
        for byte in out {
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = self.0;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            *byte = (z >> 56) as u8;
        }
        Ok(())
    }
}

const UNIX: u64 = 1_800_000_000;
const ANY: Terms = Terms { until: None, history_days: None };
/// The frontend that commands come from unless a test says otherwise.
const MAIN: u64 = 1;
/// The frontend that follows events.
const MIRROR: u64 = 99;

fn name(text: &str) -> UserName {
    UserName::parse(text.as_bytes()).unwrap()
}

fn ipc(text: &str) -> IpcName {
    IpcName::parse(text).unwrap()
}

fn settings(user: &str) -> Settings {
    Settings {
        user: Some(name(user)),
        profile: String::new(),
        relay: "relay.example:1".into(),
        role: Role::Receiver,
        peer_suites: Suites::for_peers(),
        max_inbox_messages: 100,
        max_inbox_bytes: 1 << 20,
        max_incoming_requests: 8,
        cool_down: Duration::from_secs(300),
        quiet_hours: None,
        first_event: UNIX * 1_000_000,
        lock_keeps_session: false,
    }
}

fn pass(text: &str) -> Passphrase {
    Passphrase(zeroize::Zeroizing::new(text.into()))
}
