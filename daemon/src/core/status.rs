//! The daemon in one page, with what is missing and the command that mends it.

use secchat_ipc::types::{LinkState, LockState, Policy, Status};
use secchat_proto::crypto::entropy::Entropy;

use super::Core;
use super::session::{Link, Wish};
use crate::convert::{role_to_ipc, user_to_ipc};
use crate::limits::MAX_PEER_HINTS;

impl<E: Entropy> Core<E> {
    pub(super) fn status(&self) -> Status {
        Status {
            version: env!("CARGO_PKG_VERSION").into(),
            pid: std::process::id(),
            profile: self.settings.profile.clone(),
            user: self.settings.user.as_ref().map(user_to_ipc),
            relay: self.settings.relay.clone(),
            lock: self.lock_state(),
            link: self.link_state(),
            reachability: role_to_ipc(self.session.role),
            policy: self.known.policy().unwrap_or(Policy::Ask),
            hints: self.hints(),
        }
    }

    fn lock_state(&self) -> LockState {
        match (&self.session.identity, &self.session.delegate) {
            (Some(_), _) => LockState::Unlocked,
            (None, Some(delegate)) => LockState::Reachable { until: delegate.not_after() },
            (None, None) => LockState::Locked,
        }
    }

    pub(super) fn link_state(&self) -> LinkState {
        match &self.session.link {
            Link::Connecting(_) => return LinkState::Connecting,
            Link::Online(_) => return LinkState::Online,
            Link::Down | Link::Closing(_) => {}
        }
        match (&self.session.wish, &self.session.retry) {
            (Wish::Replaced(why), _) => LinkState::Replaced { why: why.clone() },
            (Wish::Away, _) => LinkState::LoggedOut,
            (Wish::Online, _) if !self.session.can_log_in() || self.stopping => LinkState::LoggedOut,
            (Wish::Online, Some(retry)) => {
                LinkState::Waiting { why: retry.why.clone(), retry_at: retry.at_unix }
            }
            (Wish::Online, None) => LinkState::Connecting,
        }
    }

    fn hints(&self) -> Vec<String> {
        let mut hints = Vec::new();
        if self.settings.user.is_none() {
            hints.push("no user is set up in this profile: run `secchatctl init`".into());
        } else if let Some(problem) = &self.session.key_problem {
            hints.push(problem.clone());
        } else if !self.session.can_log_in() {
            hints.push("the identity key is locked: run `secchatctl unlock`".into());
        } else {
            if self.session.identity.is_none() {
                hints.push(
                    "locked, but requests arrive: run `secchatctl unlock` to answer and to talk".into(),
                );
            }
            match &self.session.wish {
                Wish::Online => {}
                Wish::Away => hints.push("logged out: run `secchatctl login`".into()),
                Wish::Replaced(why) => {
                    hints.push(format!("{why}: run `secchatctl login` to take the session back"));
                }
            }
        }
        if let Some(why) = self.saving.problem() {
            hints.push(format!("what happens cannot be saved, so no text is sent or acknowledged: {why}"));
        }
        if self.is_inbox_full() {
            hints.push("the inbox is full, so peers' texts wait: run `secchatctl read`".into());
        }
        if self.is_full_of_requests() {
            hints.push("too many requests wait, so new ones are not shown: run `secchatctl requests`".into());
        }
        hints.extend(self.notices.iter().cloned());
        self.hint_peers(&mut hints);
        hints.extend(self.session.warnings.iter().cloned());
        hints
    }

    fn hint_peers(&self, hints: &mut Vec<String>) {
        for peer in self.changed.keys().take(MAX_PEER_HINTS) {
            hints.push(format!(
                "{peer}'s key is not the one that was pinned: ask {peer} for the safety number and run \
                 `secchatctl verify {peer}`, or `secchatctl forget {peer}`"
            ));
        }
        if self.changed.len() > MAX_PEER_HINTS {
            hints.push(format!(
                "{} peers' keys are not the pinned ones: run `secchatctl peers`",
                self.changed.len()
            ));
        }
        for talk in self.chats.values().filter(|talk| talk.troubled).take(MAX_PEER_HINTS) {
            let peer = &talk.peer;
            hints.push(format!(
                "the chat with {peer} cannot be taken up again: run `secchatctl rtt {peer}` for a new one"
            ));
        }
    }
}
