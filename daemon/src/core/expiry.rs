//! Requests end by themselves: both sides have the time, so nobody sends it.

use std::time::{Duration, Instant};

use secchat_ipc::CommandError;
use secchat_ipc::types::{EndReason, Resolution, ResolvedBy};
use secchat_proto::UserName;
use secchat_proto::crypto::entropy::Entropy;
use secchat_proto::wire::link::ChatId;

use super::Core;
use super::record::RecordKey;
use super::requests::State;
use crate::convert::user_to_ipc;
use crate::limits::WALL_CLOCK_CHECK;

impl<E: Entropy> Core<E> {
    /// When to look at a time of the wall clock again; it is looked at now and then, because that clock jumps.
    pub(super) fn instant_of(&self, unix: u64) -> Option<Instant> {
        (unix != u64::MAX).then(|| {
            let wait = Duration::from_secs(unix.saturating_sub(self.time.unix));
            self.time.now + wait.min(WALL_CLOCK_CHECK)
        })
    }

    pub(super) fn expire_requests(&mut self) {
        let unix = self.time.unix;
        if unix < self.next_expiry {
            return;
        }
        let due = self.requests.iter().filter(|(_, request)| request.request.expires <= unix);
        for chat_id in due.map(|(id, _)| *id).collect::<Vec<_>>() {
            self.expire_incoming(chat_id);
        }
        let due = self.asked.iter().filter(|(_, asked)| asked.request.expires <= unix);
        for peer in due.map(|(peer, _)| peer.clone()).collect::<Vec<_>>() {
            self.expire_asked(&peer);
        }
        self.expire_consents();
        self.expire_queued();
        self.expire_history();
        let incoming = self.requests.values().map(|request| request.request.expires);
        let outgoing = self.asked.values().map(|asked| asked.request.expires);
        let consents = self.consents.values().map(|consent| consent.terms.until);
        let all = incoming.chain(outgoing).chain(consents).chain(self.outbox.next_expiry());
        self.next_expiry = all.chain([self.history.next_expiry()]).min().unwrap_or(u64::MAX);
    }

    fn expire_incoming(&mut self, chat_id: ChatId) {
        let Some(request) = self.requests.get(&chat_id) else { return };
        let peer = request.peer.clone();
        match request.state {
            State::Pending | State::Later | State::Refused { .. } | State::Accepted(..) => {
                self.tell_resolved(&peer, chat_id, Resolution::Expired, ResolvedBy::Expiry);
                if self.chats.get(&chat_id).is_some_and(|talk| !talk.chat.is_established()) {
                    self.drop_chat(chat_id, EndReason::Unconfirmed);
                }
            }
            State::Spent(_) | State::Withdrawn { .. } => {}
        }
        self.requests.remove(&chat_id);
        self.touch(RecordKey::Request(chat_id));
        self.view.touch_request(chat_id);
    }

    fn expire_asked(&mut self, peer: &UserName) {
        let Some(chat_id) = self.asked.get(peer).map(|asked| asked.request.chat_id) else { return };
        if self.drop_asked(peer, Resolution::Expired) {
            self.answer_talk(peer, &Err(CommandError::Expired { peer: user_to_ipc(peer) }));
        } else {
            // The grant is proven: the chat goes on by itself, and opens by Resume.
            self.remove_asked(peer);
            self.tell_answered(peer, chat_id, Resolution::Accepted);
        }
    }
}
