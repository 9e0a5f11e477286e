//! What waits for all links together. Each link's queue has its own bound, which is no bound for the machine when
//! thousands do not read: over the common one, those with most waiting are closed as too slow.

use secchat_proto::wire::link::LinkMessage;

use super::lane::{Bound, Lane};
use super::{SessionId, Switchboard};

/// The queues of all links.
#[derive(Debug)]
pub(super) struct Queues {
    /// Counts only; what is to give way is chosen by size, not by who comes last.
    all: Lane,
    /// The lanes of links that were closed to make room: their messages are about to go.
    going: Vec<Lane>,
}

impl Default for Queues {
    fn default() -> Self {
        Self { all: Lane::new(Bound { messages: usize::MAX, bytes: usize::MAX }), going: Vec::new() }
    }
}

impl Queues {
    /// A lane whose messages count among all.
    pub(super) fn lane(&self, bound: Bound) -> Lane {
        Lane::within(bound, &self.all)
    }

    /// Messages and bytes that wait for all links.
    pub(super) fn load(&self) -> Bound {
        self.all.load()
    }

    /// Bytes that wait for links that are not closed.
    fn staying_bytes(&mut self) -> usize {
        self.going.retain(|lane| lane.load().bytes > 0);
        let going: usize = self.going.iter().map(|lane| lane.load().bytes).sum();
        self.load().bytes.saturating_sub(going)
    }
}

impl Switchboard {
    /// Makes room for `bytes` among all that waits: closes the links with most waiting, until an eighth is free, so
    /// that the next message does not have to look for the fullest again.
    pub(super) fn make_room(&mut self, bytes: usize) {
        let bound = self.limits.queued_bytes;
        if self.queues.load().bytes.saturating_add(bytes) <= bound {
            return;
        }
        let staying = self.queues.staying_bytes().saturating_add(bytes);
        if staying <= bound {
            return;
        }
        let mut excess = staying.saturating_sub(bound).saturating_add(bound / 8);
        let mut queues: Vec<(usize, SessionId)> = self
            .sessions
            .iter()
            .map(|(id, session)| {
                (session.own.load().bytes.saturating_add(session.forwarded.load().bytes), *id)
            })
            .filter(|(waiting, id)| *waiting > 0 && !self.too_slow.contains(id))
            .collect();
        queues.sort_unstable();
        while let Some((waiting, id)) = queues.pop().filter(|_| excess > 0) {
            excess = excess.saturating_sub(waiting);
            if let Some(session) = self.sessions.get(&id) {
                self.queues.going.extend([session.own.clone(), session.forwarded.clone()]);
                self.too_slow.push(id);
                self.note_over("queued_bytes");
            }
        }
    }
}

/// What a message counts for on a lane: the memory it takes, as near as the bounds need it.
pub(super) fn bytes_of(message: &LinkMessage) -> usize {
    const FIXED: usize = 64;
    let variable = match message {
        LinkMessage::Rtt { request: bytes, .. }
        | LinkMessage::PeerKey { public_key: bytes, .. }
        | LinkMessage::KeyEstablishment { body: bytes, .. }
        | LinkMessage::Chat { record: bytes, .. } => bytes.len(),
        // Names are sent otherwise (`NameList`).
        LinkMessage::AvailableUsers { .. }
        | LinkMessage::Refresh { .. }
        | LinkMessage::Presence { .. }
        | LinkMessage::Response { .. }
        | LinkMessage::Resume { .. }
        | LinkMessage::ReturnToLobby { .. }
        | LinkMessage::BadResponse { .. }
        | LinkMessage::Acknowledgment { .. }
        | LinkMessage::Ping(_)
        | LinkMessage::Pong(_)
        | LinkMessage::Logout(_) => 0,
    };
    FIXED.saturating_add(variable)
}
