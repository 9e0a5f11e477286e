//! Locked but reachable: the identity key is wiped, and a delegated one (PROTOCOL.md §3, Delegation) keeps requests coming.
//!
//! That key is in memory only. With it the daemon logs in anew at once, so that the relay knows that this link may say
//! next to nothing; what the link then brings is believed no further. Chats wait, as for any lost link.

use secchat_ipc::{CommandError, Reply};
use secchat_proto::crypto::entropy::Entropy;
use secchat_proto::handshake::delegation::DelegatedKey;
use secchat_proto::wire::link::{Answer, ChatId, LinkMessage, LogoutReason};

use super::Core;
use super::commands::Outcome;
use super::io::LoginKey;
use super::session::Session;
use crate::limits::DELEGATION_SECONDS;

impl Session {
    /// What the next login is proven with; `None`: locked, and nothing to log in with.
    pub(super) fn login_key(&self) -> Option<LoginKey> {
        let delegate = || self.delegate.clone().map(LoginKey::Delegated);
        self.identity.clone().map(LoginKey::Identity).or_else(delegate)
    }

    /// Whether this daemon can log in.
    pub(super) fn can_log_in(&self) -> bool {
        self.identity.is_some() || self.delegate.is_some()
    }

    /// Whether the link that is up, or coming up, can carry this message out. A link outlives no change of the key.
    pub(super) fn may_say(&self, message: &LinkMessage) -> bool {
        self.identity.is_some() || message.is_permitted_to_delegates()
    }

    /// Whether a message of the relay's is heeded: without the identity key, only what shows requests and keeps the link.
    pub(super) fn may_hear(&self, message: &LinkMessage) -> bool {
        self.identity.is_some()
            || matches!(
                message,
                LinkMessage::AvailableUsers { .. }
                    | LinkMessage::PeerKey { .. }
                    | LinkMessage::Rtt { .. }
                    | LinkMessage::Response { answer: Answer::Withdraw, .. }
                    | LinkMessage::Ping(_)
                    | LinkMessage::Pong(_)
                    | LinkMessage::Logout(_)
            )
    }
}

impl<E: Entropy> Core<E> {
    /// Wipes the identity key, and stays logged in with one that can only be asked.
    pub(super) fn lock_keeping_session(&mut self) -> Result<Outcome, CommandError> {
        if self.session.delegate.is_none() {
            let (user, identity) = self.identity()?;
            let until = self.time.unix.saturating_add(DELEGATION_SECONDS);
            let delegate =
                DelegatedKey::make((&user, &identity), until, &mut self.entropy).map_err(|error| {
                    CommandError::Invalid { why: format!("no key to stay reachable with: {error}") }
                })?;
            drop(identity);
            self.wipe_keys();
            self.session.delegate = Some(delegate);
            self.log("locked", None, format!("reachable until {until} (Unix seconds)"));
        }
        Ok(Outcome::Now(Reply::Done))
    }

    /// Locks as the configuration has it, since nobody is there to say how; who locked it by hand has said so.
    pub(super) fn lock_by_itself(&mut self) {
        if self.session.identity.is_none() {
            return;
        }
        if !self.settings.lock_keeps_session || self.lock_keeping_session().is_err() {
            self.lock();
        }
    }

    /// When the delegation is over: Unix seconds.
    pub(super) fn reachable_until(&self) -> u64 {
        self.session.delegate.as_ref().map_or(u64::MAX, DelegatedKey::not_after)
    }

    pub(super) fn expire_delegation(&mut self) {
        if self.reachable_until() <= self.time.unix {
            self.warn("reachable_over", None, "requests arrive again after `secchatctl unlock`");
            self.lock();
        }
    }

    /// The identity key is at hand: the link of the delegated one makes room, and what was put off is decided.
    pub(super) fn stop_being_reachable(&mut self) {
        if self.session.delegate.take().is_some() {
            self.end_link(LogoutReason::User);
        }
        let put_off = self.requests.iter().filter(|(_, incoming)| incoming.is_put_off);
        for chat_id in put_off.map(|(id, _)| *id).collect::<Vec<ChatId>>() {
            if let Some(incoming) = self.requests.get_mut(&chat_id) {
                incoming.is_put_off = false;
            }
            self.decide(chat_id);
        }
    }

    /// To say yes takes the identity key: a request that nobody need be asked about waits for it, for all to see.
    pub(super) fn put_off(&mut self, chat_id: ChatId) {
        if let Some(incoming) = self.requests.get_mut(&chat_id) {
            incoming.is_put_off = true;
        }
    }

    /// The relay learns that this user is listed or hidden from now on: a delegate says so in its login only.
    pub(super) fn tell_role(&mut self) {
        let role = self.session.role;
        if self.session.identity.is_some() {
            self.send(LinkMessage::Presence { role });
        } else if self.session.is_online() {
            self.end_link(LogoutReason::User);
        }
    }
}
