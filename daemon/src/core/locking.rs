//! The identity key: decrypted on request, one passphrase at a time, and wiped.

use std::time::Duration;

use secchat_ipc::types::{EndReason, Passphrase, Resolution};
use secchat_ipc::{CommandError, Reply};
use secchat_proto::crypto::entropy::Entropy;
use secchat_proto::error::Rule;
use secchat_proto::wire::link::LogoutReason;
use secchat_proto::{Error, UserName};

use super::Core;
use super::asking::Asked;
use super::commands::{Caller, Outcome};
use super::io::Output;
use super::pending::{Ticket, Wait};
use super::record::Unlocked;
use super::requests::{Incoming, State};
use crate::limits::MAX_UNLOCKS;

/// An unlock in line.
#[derive(Debug)]
pub(super) struct Load {
    ticket: Ticket,
    ttl: Option<Duration>,
    passphrase: Passphrase,
}

impl<E: Entropy> Core<E> {
    /// Asks for the key file to be decrypted, one passphrase at a time.
    pub(super) fn unlock(
        &mut self,
        caller: &Caller,
        passphrase: Passphrase,
        ttl_seconds: u64,
    ) -> Result<Outcome, CommandError> {
        self.user()?;
        if self.session.loads.len() >= MAX_UNLOCKS {
            return Err(CommandError::LimitReached { why: "too many unlocks at once: wait for one".into() });
        }
        let ttl = (ttl_seconds > 0).then(|| Duration::from_secs(ttl_seconds));
        let ticket = self.pending.add(caller.key, caller.deadline(), Wait::Unlocked);
        self.session.loads.push_back(Load { ticket, ttl, passphrase });
        self.load_next();
        Ok(Outcome::Elsewhere)
    }

    fn load_next(&mut self) {
        if self.session.loading.is_none()
            && let Some(Load { ticket, ttl, passphrase }) = self.session.loads.pop_front()
        {
            self.session.loading = Some((ticket, ttl));
            self.output(Output::LoadIdentity(passphrase));
        }
    }

    pub(super) fn handle_identity_loaded(&mut self, result: Result<Unlocked, CommandError>) {
        let (ticket, ttl) = self.session.loading.take().unzip();
        let result = if self.stopping {
            Err(CommandError::Stopping)
        } else {
            result.and_then(|unlocked| self.take_identity(unlocked, ttl.flatten()))
        };
        match (ticket, result) {
            (Some(ticket), result) => self.answer(ticket, result.map(|()| Reply::Done)),
            (None, Ok(())) => {}
            (None, Err(error)) => self.session.key_problem = Some(error.to_string()),
        }
        self.load_next();
    }

    fn take_identity(&mut self, unlocked: Unlocked, ttl: Option<Duration>) -> Result<(), CommandError> {
        let Unlocked { identity, restored } = unlocked;
        if self.session.public_key().is_some_and(|known| known != identity.public_key()) {
            if !restored.follows {
                return Err(CommandError::IdentityUnusable {
                    why: "the key file holds another key than when the daemon started: restart secchatd"
                        .into(),
                });
            }
            // The next login is by the new key.
            self.end_link(LogoutReason::User);
        }
        self.session.public_key = Some(identity.public_key().clone());
        self.session.identity = Some(identity);
        self.session.key_problem = None;
        self.session.lock_at = ttl.map(|ttl| self.time.now + ttl);
        if !self.is_restored {
            self.restore(restored);
        }
        self.end_under_old_own_key();
        self.tidy_after_unlock();
        self.stop_being_reachable();
        self.take_up_accepted();
        self.want_online();
        // Safety numbers can be told now.
        self.view.touch_all(self.requests.keys().copied());
        self.log("unlocked", None, "");
        Ok(())
    }

    /// This user has another key than before, which the one before vouches for: what rests on that one ends. Requests of
    /// others stay, and those that were accepted are accepted under the new key.
    fn end_under_old_own_key(&mut self) {
        let (Ok(user), Some(key)) = (self.user(), self.session.public_key().cloned()) else { return };
        let chats = self.chats.iter().filter(|(_, talk)| *talk.own_key() != key);
        let chats: Vec<_> = chats.map(|(id, talk)| (*id, talk.chat.is_established())).collect();
        let is_signed_otherwise = |peer: &UserName, asked: &Asked| {
            let verified = asked.request.verify(&user, &key, peer, self.time.unix);
            verified == Err(Error::PeerMisbehaved(Rule::Signature))
        };
        let asked = self.asked.iter().filter(|(peer, asked)| is_signed_otherwise(peer, asked));
        let asked: Vec<UserName> = asked.map(|(peer, _)| peer.clone()).collect();
        if chats.is_empty() && asked.is_empty() {
            return;
        }
        for (chat_id, is_established) in chats {
            let is_accepted = |request: &Incoming| matches!(request.state, State::Accepted(..));
            if !is_established && self.requests.get(&chat_id).is_some_and(is_accepted) {
                self.remove_chat(chat_id);
            } else {
                self.drop_chat(chat_id, EndReason::KeyGone);
            }
        }
        for peer in asked {
            if self.drop_asked(&peer, Resolution::Withdrawn) {
                self.answer_talk(&peer, &Err(CommandError::Withdrawn));
            }
        }
        self.requests.values_mut().for_each(|request| request.number = None);
        self.log("own_key_followed", None, "chats and requests of the key before end");
    }

    pub(super) fn lock_by_command(&mut self) -> Outcome {
        self.lock();
        Outcome::Now(Reply::Done)
    }

    /// Wipes the identity key, and the one that it has delegated to.
    pub(super) fn lock(&mut self) {
        if self.session.can_log_in() {
            self.wipe_keys();
            self.log("locked", None, "");
        }
    }

    /// Wipes all keys to log in with, after the session that needs them has ended.
    pub(super) fn wipe_keys(&mut self) {
        self.give_up_asking(&CommandError::Locked);
        let opening = |wait: &Wait| matches!(wait, Wait::Link(_) | Wait::Online | Wait::Opening { .. });
        self.answer_all(opening, &Err(CommandError::Locked));
        self.end_link(LogoutReason::User);
        self.session.delegate = None;
        if self.session.identity.take().is_some() {
            self.stop_history();
            self.output(Output::LockStore);
        }
        self.session.lock_at = None;
        self.session.retry = None;
        self.session.ready_rsa.clear();
    }
}
