//! When a link is dead: pinged after a silence, given up without an answer.

use secchat_proto::crypto::entropy::Entropy;
use secchat_proto::limits::{PING_AFTER, PONG_TIMEOUT};
use secchat_proto::wire::link::LinkMessage;

use super::Core;
use super::session::Link;

impl<E: Entropy> Core<E> {
    /// Anything came: the link lives.
    pub(super) fn heard(&mut self) {
        let now = self.time.now;
        if let Some(online) = self.session.online_mut() {
            online.heard = now;
        }
    }

    pub(super) fn handle_pong(&mut self, echo: [u8; 8]) {
        if let Some(online) = self.session.online_mut()
            && online.ping.is_some_and(|(_, sent)| sent == echo)
        {
            online.ping = None;
        }
    }

    pub(super) fn expire_session(&mut self) {
        let now = self.time.now;
        if self.session.lock_at.is_some_and(|at| at <= now) {
            self.lock_by_itself();
        }
        self.expire_delegation();
        if self.session.retry.as_ref().is_some_and(|retry| retry.at <= now) {
            self.session.retry = None;
        }
        let Link::Online(online) = &self.session.link else { return };
        let (heard, ping) = (online.heard, online.ping);
        match ping {
            Some((sent, _)) if now.duration_since(sent) >= PONG_TIMEOUT => {
                self.close_link(Some("the relay has not answered for 20 seconds".into()));
            }
            None if now.duration_since(heard) >= PING_AFTER => self.ping(),
            Some(_) | None => {}
        }
    }

    fn ping(&mut self) {
        let mut bytes = [0; 8];
        // A Ping without randomness still proves that the relay answers.
        let _ = self.entropy.fill(&mut bytes);
        let now = self.time.now;
        if let Some(online) = self.session.online_mut() {
            online.ping = Some((now, bytes));
        }
        self.send(LinkMessage::Ping(bytes));
    }
}
