//! The identity key: decrypted on request, one passphrase at a time, and wiped.

use std::time::Duration;

use secchat_ipc::types::Passphrase;
use secchat_ipc::{CommandError, Reply};
use secchat_proto::crypto::entropy::Entropy;
use secchat_proto::wire::link::LogoutReason;

use super::Core;
use super::commands::{Caller, Outcome};
use super::io::Output;
use super::pending::{Ticket, Wait};
use super::record::Unlocked;
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
            return Err(CommandError::IdentityUnusable {
                why: "the key file holds another key than when the daemon started: restart secchatd".into(),
            });
        }
        self.session.public_key = Some(identity.public_key().clone());
        self.session.identity = Some(identity);
        self.session.key_problem = None;
        self.session.lock_at = ttl.map(|ttl| self.time.now + ttl);
        if !self.is_restored {
            self.restore(restored);
        }
        self.tidy_after_unlock();
        self.take_up_accepted();
        self.want_online();
        // Safety numbers can be told now.
        self.view.touch_all(self.requests.keys().copied());
        self.log("unlocked", None, "");
        Ok(())
    }

    pub(super) fn lock_by_command(&mut self) -> Outcome {
        self.lock();
        Outcome::Now(Reply::Done)
    }

    /// Wipes the identity key, after the session that needs it has ended.
    pub(super) fn lock(&mut self) {
        if self.session.identity.is_none() {
            return;
        }
        self.give_up_asking(&CommandError::Locked);
        let opening = |wait: &Wait| matches!(wait, Wait::Link(_) | Wait::Online | Wait::Opening { .. });
        self.answer_all(opening, &Err(CommandError::Locked));
        self.end_link(LogoutReason::User);
        self.session.identity = None;
        self.stop_history();
        self.output(Output::LockStore);
        self.session.lock_at = None;
        self.session.retry = None;
        self.session.ready_rsa.clear();
        self.log("locked", None, "");
    }
}
