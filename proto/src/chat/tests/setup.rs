//! Two ends as they are when B has accepted.

use std::collections::{HashSet, VecDeque};
use std::time::Instant;

use super::net::{A, B, End, Net, Seeded, UNIX_START, Wire};
use crate::chat::{Chat, Env, Side};
use crate::crypto::kem::Suites;
use crate::crypto::signature::SigningKey;
use crate::handshake::ChatContext;
use crate::request::Proposal;
use crate::wire::request::{RequestToTalk, Terms};

pub(super) const ASKED: Terms = Terms { until: u64::MAX, history_days: 30 };
pub(super) const GRANTED: Terms = Terms { until: u64::MAX, history_days: 7 };

/// What the two agreed on.
#[derive(Clone, Debug)]
pub(super) struct Setup {
    pub(super) asked: Terms,
    pub(super) granted: Terms,
    pub(super) suites: Suites,
    pub(super) seed: u64,
}

impl Default for Setup {
    fn default() -> Self {
        Self { asked: ASKED, granted: GRANTED, suites: Suites::for_peers(), seed: 1 }
    }
}

impl Setup {
    pub(super) fn build(&self) -> Net {
        let mut entropy = Seeded(self.seed);
        let keys = [(); 2].map(|()| SigningKey::generate_ed25519(&mut entropy).unwrap());
        let names = ["alice", "bob"].map(|name| name.parse().unwrap());
        let proposal = Proposal { issued: UNIX_START, expires: UNIX_START + 3_600, terms: self.asked };
        let request = RequestToTalk::make(&names[A], &keys[A], &names[B], proposal, &mut entropy).unwrap();
        let [initiator, responder] =
            [A, B].map(|side| (names[side].clone(), keys[side].public_key().clone()));
        let context = ChatContext { initiator, responder, request };
        let now = Instant::now_for_tests();
        let ends = [Side::Initiator, Side::Responder].map(|side| {
            let (granted, key) = match side {
                Side::Initiator => (None, keys[A].clone()),
                Side::Responder => (Some(self.granted), keys[B].clone()),
            };
            let mut seeds = Seeded(entropy.next());
            let mut ready_rsa = Vec::new();
            let env = Env {
                now,
                unix_now: UNIX_START,
                identity: Some(&key),
                ready_rsa: &mut ready_rsa,
                entropy: &mut seeds,
            };
            let chat = Chat::new(side, context.clone(), granted, self.suites.clone(), &env);
            End {
                chat,
                key,
                is_locked: false,
                ready_rsa,
                entropy: seeds,
                holds: true,
                inbox: Vec::new(),
                delivered: 0,
                events: Vec::new(),
                is_linked: true,
                up: VecDeque::from([Wire::Offer]),
                down: VecDeque::new(),
                has_offer: false,
            }
        });
        Net {
            ends,
            origin: now,
            now,
            unix: UNIX_START,
            is_paired: false,
            counters: HashSet::new(),
            last: [[0; 12]; 2],
            sessions: [0; 2],
        }
    }

    /// Both open.
    pub(super) fn open(&self) -> Net {
        let mut net = self.build();
        net.settle();
        net.assert_open();
        net
    }
}

trait TestInstant {
    fn now_for_tests() -> Instant;
}

impl TestInstant for Instant {
    #[expect(clippy::disallowed_methods, reason = "an origin for the virtual clock: only differences matter")]
    fn now_for_tests() -> Self {
        Self::now()
    }
}
