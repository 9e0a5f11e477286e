//! Links of delegated keys (PROTOCOL.md §3, Delegation): what they may not say, whose place they may take, when they end.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use secchat_proto::UserName;
use secchat_proto::limits::MAX_DELEGATION_SECONDS;
use secchat_proto::wire::link::{LinkMessage, LogoutReason};

use super::{Moment, SessionId, Switchboard};

/// A login by a key that the user's own has delegated to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delegated {
    /// When it ends: Unix seconds.
    pub until: u64,
    /// The session that was found dead, if there was one: this login takes its place, and no other's.
    pub replaces: Option<SessionId>,
}

/// When the sessions of delegated keys end.
#[derive(Debug, Default)]
pub(super) struct Ends(BTreeSet<(Instant, SessionId)>);

impl Ends {
    /// A time within the next seven days, by the clock that nobody sets.
    pub(super) fn add(&mut self, session: SessionId, until: u64, now: Moment) -> Instant {
        let left = until.saturating_sub(now.unix).min(MAX_DELEGATION_SECONDS);
        let at = now.instant + Duration::from_secs(left);
        self.0.insert((at, session));
        at
    }

    pub(super) fn remove(&mut self, at: Instant, session: SessionId) {
        self.0.remove(&(at, session));
    }

    pub(super) fn next(&self) -> Option<Instant> {
        self.0.first().map(|(at, _)| *at)
    }

    fn take_due(&mut self, now: Instant) -> Option<SessionId> {
        let (at, session) = self.0.first().copied().filter(|(at, _)| *at <= now)?;
        self.remove(at, session);
        Some(session)
    }
}

impl Switchboard {
    /// A delegated key wants the place of a user who is here: its link is asked for a sign of life. Whose, if anybody's.
    pub fn handle_contest(&mut self, name: &UserName, now: Moment) -> Option<SessionId> {
        let session = self.online.get(name).copied()?;
        self.send(session, LinkMessage::Ping(PING));
        self.close_too_slow(now);
        self.online.get(name).copied()
    }

    /// Whether a login has to stand back: a session that answers, or began meanwhile, is not replaced by a delegate.
    pub(super) fn is_taken(&self, name: &UserName, delegated: Option<Delegated>) -> bool {
        let present = self.online.get(name).copied();
        delegated.is_some_and(|Delegated { replaces, .. }| present.is_some() && present != replaces)
    }

    /// Whether a message is more than the link's key may say; it is dropped like one that asks for nothing.
    pub(super) fn is_beyond_delegate(&self, from: SessionId, message: &LinkMessage) -> bool {
        let is_delegated = self.sessions.get(&from).is_some_and(|session| session.delegated.is_some());
        is_delegated && !message.is_permitted_to_delegates()
    }

    /// Ends the sessions of delegated keys whose time is over.
    pub(super) fn end_delegates(&mut self, now: Moment) {
        while let Some(session) = self.delegates.take_due(now.instant) {
            self.close(session, LogoutReason::Removed, now);
        }
    }
}

/// What a link is asked with for a sign of life. It answers in order, and nothing depends on the bytes.
pub(crate) const PING: [u8; 8] = *b"secchat\x01";
