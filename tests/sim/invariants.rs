//! What must hold after every step, and at the end.

use secchat_daemon::limits;
use secchat_ipc::types::{ChatState, KeyTrust, QueuedText, QueuedTexts};
use secchat_ipc::{CommandError, Reply};

use secchat_proto::limits::MAX_UNACKNOWLEDGED_TEXTS;

use crate::ledger::Left;
use crate::world::World;

impl World {
    /// After every step, for the node that it touched.
    pub fn check(&self, at: usize) {
        let node = &self.nodes[at];
        let snapshot = node.core.snapshot();
        if let Some(mirror) = &node.mirror {
            assert_eq!(mirror, snapshot, "{}: events lead elsewhere", node.user);
        }
        self.check_bounds(at);
        node.promised.check(snapshot);
        let waiting = snapshot.incoming.iter().filter(|request| {
            use secchat_ipc::types::RequestState::{Accepted, Later, Pending, Refused};
            match request.state {
                Pending | Later => true,
                Accepted | Refused => false,
            }
        });
        assert!(waiting.count() <= node.settings.max_incoming_requests);
        for message in &snapshot.unread {
            self.ledger.check_consent(&node.user, message.peer.as_str(), message.chat_id);
        }
        for chat in snapshot.chats.iter().filter(|chat| chat.state == ChatState::Open) {
            let asked = self.ledger.check_consent(&node.user, chat.peer.as_str(), chat.chat_id);
            assert!(chat.terms.until.is_some_and(|until| until <= asked.until) || asked.until == u64::MAX);
            let peer = self.nodes.iter().find(|other| other.user.as_str() == chat.peer.as_str()).unwrap();
            let theirs = peer.core.snapshot().chats.iter().find(|other| other.chat_id == chat.chat_id);
            if let Some(theirs) = theirs {
                assert_eq!(theirs.peer.as_str(), node.user.as_str(), "they disagree on who talks");
                assert_eq!(theirs.terms, chat.terms, "they disagree on the terms");
            }
        }
        if let Some(link) = node.link {
            let bound = secchat_relay::limits::Limits::default().link_channel_messages();
            assert!(self.links[link].on_the_way <= bound);
        }
    }

    /// Every queue that shows in the snapshot, and what was saved, within its bound.
    fn check_bounds(&self, at: usize) {
        let node = &self.nodes[at];
        let (snapshot, user) = (node.core.snapshot(), &node.user);
        let inbox: usize = snapshot.unread.iter().map(|message| message.text.len()).sum();
        for (what, held, bound) in [
            ("unread texts", snapshot.unread.len(), node.settings.max_inbox_messages),
            ("bytes of unread texts", inbox, node.settings.max_inbox_bytes),
            ("outgoing requests", snapshot.outgoing.len(), limits::MAX_OUTGOING_REQUESTS),
            ("chats", snapshot.chats.len(), limits::MAX_CHATS),
            ("peers", node.saved_peers().count(), limits::MAX_PEERS),
            ("hints", snapshot.status.hints.len(), limits::MAX_PEER_HINTS),
            ("commands without an answer", node.unanswered.len(), limits::MAX_PENDING_COMMANDS),
        ] {
            assert!(held <= bound, "{user}: {held} {what}, {bound} are the bound");
        }
        for chat in &snapshot.chats {
            let waiting = usize::try_from(chat.undelivered).unwrap();
            let bound = limits::MAX_QUEUED_TEXTS + MAX_UNACKNOWLEDGED_TEXTS;
            assert!(waiting <= bound, "{user}: {waiting} undelivered texts to {}", chat.peer);
        }
    }

    /// No pin is ever another key than the user's own, whatever a relay said.
    pub fn check_pins(&self) {
        for node in &self.nodes {
            for (peer, saved) in node.saved_peers() {
                let true_key =
                    self.nodes.iter().find(|other| other.user == *peer).map(|other| other.key.public_key());
                assert!(
                    saved.pin.is_none() || saved.pin.as_ref() == true_key,
                    "{} pinned a wrong key",
                    node.user
                );
            }
        }
    }

    /// When all is quiet again.
    pub fn check_end(&self) {
        self.check_pins();
        self.check_hearing();
        for node in &self.nodes {
            let left: Vec<_> = node.unanswered.iter().collect();
            assert!(left.is_empty(), "{}: never answered: {left:?}", node.user);
        }
        for (text, sent) in &self.ledger.texts {
            assert!(!sent.is_delivered || sent.is_received, "acknowledged and lost: {text:?}");
        }
        for ((user, id), left) in &self.ledger.left {
            assert!(left.has_ended || left.is_there, "{user}: text {id} was kept for somebody and is lost");
        }
        if self.evil.is_none() {
            self.check_honest();
        }
    }

    /// Where the relay is honest, no key changes, and chats that both hold go on.
    fn check_honest(&self) {
        for node in &self.nodes {
            for chat in &node.core.snapshot().chats {
                assert_ne!(chat.trust, KeyTrust::Changed, "{}", node.user);
                let peer = self.nodes.iter().find(|other| other.user.as_str() == chat.peer.as_str()).unwrap();
                let theirs = peer.core.snapshot().chats.iter().find(|other| other.chat_id == chat.chat_id);
                if let Some(theirs) = theirs {
                    let states = (chat.state, theirs.state);
                    assert_eq!(states, (ChatState::Open, ChatState::Open), "{} and {}", node.user, peer.user);
                    assert_eq!(chat.undelivered, 0, "{}'s texts never reached {}", node.user, peer.user);
                }
            }
        }
    }

    /// What an answer says must be so.
    pub fn check_answer(
        &mut self,
        at: usize,
        command: &secchat_ipc::Command,
        result: &Result<Reply, CommandError>,
    ) {
        let user = self.nodes[at].user.clone();
        match (command, result) {
            (secchat_ipc::Command::Read { peek: false, .. }, Ok(Reply::Messages(messages))) => {
                messages.iter().for_each(|message| self.ledger.note_received(&user, message));
            }
            (secchat_ipc::Command::Send { text, .. }, Ok(Reply::Delivered { .. })) => {
                self.ledger.texts.get_mut(text).unwrap().is_delivered = true;
                self.ledger.delivered += 1;
            }
            (secchat_ipc::Command::Queue { text, .. }, Ok(Reply::Queued { id, .. })) => {
                let left = Left { words: text.clone(), has_ended: false, is_there: false };
                let known = self.ledger.left.insert((user, *id), left);
                assert!(known.is_none(), "a number of the outbox is used twice");
            }
            (secchat_ipc::Command::CancelQueued { .. }, Ok(Reply::Cancelled { texts: 1, .. })) => {
                let secchat_ipc::Command::CancelQueued { texts: QueuedTexts::One(id) } = command else {
                    return;
                };
                if let Some(left) = self.ledger.left.get(&(user, *id)) {
                    self.ledger.texts.get_mut(&left.words).unwrap().is_taken_back = true;
                }
            }
            (secchat_ipc::Command::Consume { acknowledged, most, .. }, result) => {
                self.check_heard(at, (*acknowledged, *most), result);
            }
            (secchat_ipc::Command::Outbox, Ok(Reply::Outbox(texts))) => self.check_outbox(at, texts),
            (_, Ok(Reply::ChatOpen { chat_id, .. })) => {
                let peer = match command {
                    secchat_ipc::Command::Rtt { peer, .. }
                    | secchat_ipc::Command::Accept { peer, .. }
                    | secchat_ipc::Command::AcceptStanding { peer, .. } => peer,
                    other => panic!("{other:?} opened a chat"),
                };
                self.ledger.check_consent(&user, peer.as_str(), *chat_id);
                self.ledger.opened += 1;
            }
            _ => {}
        }
    }

    /// At the end, with everybody there: what is still in the outbox waits for a chat, and for nothing else.
    fn check_outbox(&mut self, at: usize, texts: &[QueuedText]) {
        let node = &self.nodes[at];
        for text in texts {
            if let Some(left) = self.ledger.left.get_mut(&(node.user.clone(), text.id)) {
                left.is_there = true;
            }
            let chats = &node.core.snapshot().chats;
            let is_open = chats.iter().any(|chat| chat.peer == text.peer && chat.state == ChatState::Open);
            assert!(
                self.evil.is_some() || !is_open,
                "{}: text {} is not sent, though the chat is open",
                node.user,
                text.id
            );
        }
    }
}
