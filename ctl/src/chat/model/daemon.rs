//! What the daemon says: replies, events, and that it went away or came back.

use secchat_ipc::harmless;
use secchat_ipc::types::{ChatState, KeyTrust, Resolution};
use secchat_ipc::{CommandError, Event, Reply, Snapshot, UserName};

use super::{Model, Moment, Waiting};
use crate::chat::conversation::{Mark, Said};
use crate::event_view;

impl Model {
    /// Takes over a whole state: the first, or the one after the daemon was away.
    pub(super) fn take_state(&mut self, state: Snapshot) {
        let pane = self.pane();
        for message in &state.unread {
            let conversation = self.conversations.entry(message.peer.clone()).or_default();
            conversation.receive(message, &self.zone, pane);
        }
        let incoming = state.incoming.iter().map(|request| &request.peer);
        let outgoing = state.outgoing.iter().map(|request| &request.peer);
        for peer in state.chats.iter().map(|chat| &chat.peer).chain(incoming).chain(outgoing) {
            self.conversations.entry(peer.clone()).or_default();
        }
        self.state = state;
    }

    /// The daemon went away: what it had not answered, nobody knows the end of.
    pub(super) fn lose(&mut self, why: &str) {
        self.lost = Some(harmless::line(why));
        self.told_read.clear();
        for (ticket, waiting) in std::mem::take(&mut self.waiting) {
            if let Waiting::Text(peer) = waiting {
                self.mark(&peer, ticket, Mark::Unknown);
            }
        }
    }

    pub(super) fn reply(&mut self, ticket: u64, result: Result<Reply, CommandError>, now: Moment) {
        let Some(waiting) = self.waiting.remove(&ticket) else { return };
        match (waiting, result) {
            (Waiting::ReadMark, _) | (Waiting::Deed, Ok(_)) => {}
            (Waiting::Text(peer), Ok(_)) => self.mark(&peer, ticket, Mark::Delivered),
            (Waiting::Text(peer), Err(error)) => {
                self.mark(&peer, ticket, Mark::Failed);
                self.note(&peer, now, &format!("not delivered: {error}"));
            }
            (Waiting::SafetyNumber(peer), Ok(Reply::SafetyNumber { number, trust, offered })) => {
                let said = safety_number(&peer, &number, trust, offered.as_deref());
                self.add(&peer, now.unix, said);
            }
            (Waiting::Verification(peer), Ok(_)) => {
                self.note(&peer, now, &format!("{peer}'s key is verified"));
            }
            (Waiting::Users, Ok(Reply::Users(users))) => {
                let names: Vec<&str> = users.iter().map(UserName::as_str).collect();
                let shown = if names.is_empty() { "nobody".to_owned() } else { names.join(" ") };
                self.say(format!("available: {shown}"));
            }
            (_, Err(error)) => self.say(error.to_string()),
            (Waiting::SafetyNumber(_) | Waiting::Users, Ok(_)) => {
                self.say("the daemon's answer is not understood");
            }
        }
    }

    pub(super) fn event(&mut self, event: &Event, now: Moment) {
        if let Some(peer) = event_view::peer(event) {
            self.tell(&peer.clone(), event, now);
        }
        self.state.apply(event);
    }

    /// Lets an event leave its trace in the peer's conversation, where the person should see one.
    fn tell(&mut self, peer: &UserName, event: &Event, now: Moment) {
        if let Event::MessageReceived(message) = event {
            let pane = self.pane();
            let conversation = self.conversations.entry(peer.clone()).or_default();
            conversation.receive(message, &self.zone, pane);
        } else if let Event::ChatEnded { reason, undelivered, missing, .. } = event {
            self.note(peer, now, &event_view::ended(peer, *reason, *undelivered, *missing));
        } else if let Event::TrustChanged { trust: KeyTrust::Followed, .. } = event {
            self.note(peer, now, &event_view::sentence(event));
        } else if let Event::TrustChanged { trust, .. } = event
            && trust.is_changed()
        {
            let who = if *trust == KeyTrust::Vouched {
                "the old one vouches for it, and may be stolen"
            } else {
                "somebody may be in between"
            };
            let text = format!("{peer}'s key changed: {who}. /verify shows the number to compare");
            self.add(peer, now.unix, Said::Alarm(text));
        } else if let Event::RequestResolved { resolution, .. } | Event::RequestAnswered { resolution, .. } =
            event
        {
            if *resolution != Resolution::Later {
                self.note(peer, now, &event_view::sentence(event));
            }
        } else if let Event::ChatChanged(chat) = event {
            let before = self.state.chats.iter().find(|old| old.chat_id == chat.chat_id).map(|old| old.state);
            let is_new = matches!(before, None | Some(ChatState::Opening));
            if is_new && chat.state == ChatState::Open {
                self.note(peer, now, &format!("the chat with {peer} is open"));
            }
            self.conversations.entry(peer.clone()).or_default();
        } else {
            self.conversations.entry(peer.clone()).or_default();
        }
    }

    fn note(&mut self, peer: &UserName, now: Moment, text: &str) {
        self.add(peer, now.unix, Said::Note(harmless::text(text)));
    }

    fn mark(&mut self, peer: &UserName, ticket: u64, mark: Mark) {
        if let Some(conversation) = self.conversations.get_mut(peer) {
            conversation.mark(ticket, mark);
        }
    }
}

/// The number to compare with a peer, and what to do with it.
fn safety_number(peer: &UserName, number: &str, trust: KeyTrust, offered: Option<&str>) -> Said {
    let how = format!("If {peer} sees the same, by voice or in person: /verify and the number.");
    match offered {
        Some(offered) => Said::Alarm(harmless::text(&format!(
            "{peer}'s key changed. The number for the old key:\n{number}\nFor the key that the relay offers now:\n{offered}\n{how}"
        ))),
        None if trust == KeyTrust::Verified => {
            Said::Note(harmless::text(&format!("safety number with {peer}, verified before:\n{number}")))
        }
        None => Said::Note(harmless::text(&format!("safety number with {peer}:\n{number}\n{how}"))),
    }
}
