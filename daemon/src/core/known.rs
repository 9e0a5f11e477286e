//! What is known beyond requests and chats: peers with their keys, policies and blocks, and what is not about one peer.

use std::collections::BTreeMap;

use secchat_ipc::types::Policy;
use secchat_proto::UserName;
use secchat_proto::crypto::entropy::Entropy;
use secchat_proto::limits::{MAX_CLOCK_AHEAD_SECONDS, MAX_REQUEST_LIFETIME_SECONDS};

use super::Core;
use super::record::{RecordKey, SavedPeer, SavedSettings};
use crate::limits::{MAX_PEERS, MAX_STALE_PEERS};

/// All of it. Whoever changes it goes through [`Core`], which then saves it.
#[derive(Debug, Default)]
pub(super) struct Known {
    pub(super) settings: SavedSettings,
    pub(super) peers: BTreeMap<UserName, SavedPeer>,
    /// Requests of these peers issued at or before this (Unix seconds) count as answered.
    pub(super) stale: BTreeMap<UserName, u64>,
}

impl Known {
    pub(super) fn policy(&self) -> Option<Policy> {
        self.settings.policy
    }

    pub(super) fn peer(&self, peer: &UserName) -> Option<&SavedPeer> {
        self.peers.get(peer)
    }

    /// Whether something new may be kept about this peer.
    pub(super) fn has_room_for(&self, peer: &UserName) -> bool {
        self.peers.contains_key(peer) || self.peers.len() < MAX_PEERS
    }

    /// Whether a request of this peer counts as answered, its answer being one too many to keep.
    pub(super) fn is_stale(&self, peer: &UserName, issued: u64) -> bool {
        self.stale.get(peer).is_some_and(|newest| issued <= *newest)
    }
}

impl<E: Entropy> Core<E> {
    pub(super) fn change_settings(&mut self, change: impl FnOnce(&mut SavedSettings)) {
        change(&mut self.known.settings);
        self.touch(RecordKey::Settings);
    }

    /// Changes what is kept about a peer; an entry that says nothing any more goes.
    pub(super) fn change_peer(&mut self, peer: &UserName, change: impl FnOnce(&mut SavedPeer)) {
        let entry = self.known.peers.entry(peer.clone()).or_default();
        change(entry);
        if entry.pin.is_none() && entry.policy.is_none() && !entry.blocked {
            self.known.peers.remove(peer);
        }
        self.touch(RecordKey::Peer(peer.clone()));
        self.check_consent(peer);
    }

    pub(super) fn note_crl(&mut self, this_update: u64) {
        if this_update > self.known.settings.newest_crl_seen {
            self.change_settings(|settings| settings.newest_crl_seen = this_update);
        }
    }

    /// Lets an answer go: whatever the peer issued until then counts as answered. `false` when that cannot be kept
    /// either.
    pub(super) fn let_go(&mut self, peer: &UserName, issued: u64) -> bool {
        let reach = MAX_REQUEST_LIFETIME_SECONDS.saturating_add(MAX_CLOCK_AHEAD_SECONDS);
        let is_past = |newest: u64| newest.saturating_add(reach) < self.time.unix;
        let past = self.known.stale.iter().filter(|(_, newest)| is_past(**newest));
        for peer in past.map(|(peer, _)| peer.clone()).collect::<Vec<_>>() {
            self.known.stale.remove(&peer);
            self.touch(RecordKey::Stale(peer));
        }
        if !self.known.stale.contains_key(peer) && self.known.stale.len() >= MAX_STALE_PEERS {
            return false;
        }
        let newest = self.known.stale.entry(peer.clone()).or_default();
        *newest = issued.max(*newest);
        self.touch(RecordKey::Stale(peer.clone()));
        true
    }
}
