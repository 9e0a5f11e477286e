//! One conversation as this window saw it: what was said, how far one's own texts came, where the person reads.

use std::collections::{BTreeMap, VecDeque};

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use secchat_ipc::UserName;
use secchat_ipc::harmless;
use secchat_ipc::types::{ChatId, Message};

use super::rows;
use super::typing::Typing;

/// What was said between two people, and around it.
#[derive(Debug, Default)]
pub(crate) struct Conversation {
    entries: VecDeque<Entry>,
    bytes: usize,
    /// Rows below the last one that is shown; 0 while the newest is.
    below: usize,
    /// The last text of each chat that is among the entries, or was.
    seen: BTreeMap<ChatId, u64>,
    /// The typing line: each conversation has its own.
    pub(crate) typing: Typing,
}

/// Something in a conversation, with when.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) at: DateTime,
    pub(crate) said: Said,
}

/// What it is. All text in it is harmless.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    /// The peer's text, under the peer's name: else it could look like any of the others.
    Theirs { peer: UserName, text: String },
    /// One's own, and how far it came.
    Own { ticket: u64, text: String, mark: Mark },
    /// What happened.
    Note(String),
    /// What happened, and must not be overlooked.
    Alarm(String),
}

/// How far one's own text came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    /// The daemon has it.
    Sent,
    /// The peer's daemon has it.
    Delivered,
    /// It did not arrive.
    Failed,
    /// Nobody knows: the daemon went away before its answer.
    Unknown,
}

/// The part of the window in which a conversation is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pane {
    pub(crate) width: u16,
    pub(crate) height: u16,
}

impl Conversation {
    /// What was said, oldest first.
    pub(crate) fn entries(&self) -> &VecDeque<Entry> {
        &self.entries
    }

    /// Rows below the last one that is shown.
    pub(crate) fn below(&self) -> usize {
        self.below
    }

    /// Whether the newest is in sight.
    pub(crate) fn is_at_end(&self) -> bool {
        self.below == 0
    }

    /// Adds something; who reads further up stays there.
    pub(crate) fn add(&mut self, at: DateTime, said: Said, pane: Pane) {
        let entry = Entry { at, said };
        if self.below > 0 {
            let before = self.entries.back();
            self.below = self.below.saturating_add(rows::of(&entry, before, pane.width).len());
        }
        self.bytes = self.bytes.saturating_add(entry.said.text().len());
        self.entries.push_back(entry);
        while self.entries.len() > MAX_ENTRIES || self.bytes > MAX_BYTES {
            let Some(oldest) = self.entries.pop_front() else { break };
            self.bytes = self.bytes.saturating_sub(oldest.said.text().len());
        }
    }

    /// Adds a text of the peer's, once.
    pub(crate) fn receive(&mut self, message: &Message, zone: &TimeZone, pane: Pane) {
        let seen = self.seen.entry(message.chat_id).or_insert(0);
        if message.id > *seen {
            *seen = message.id;
            let said = Said::Theirs { peer: message.peer.clone(), text: harmless::text(&message.text) };
            self.add(civil(message.received, zone), said, pane);
        }
    }

    /// Notes how far the text of this ticket came.
    pub(crate) fn mark(&mut self, wanted: u64, new: Mark) {
        for entry in self.entries.iter_mut().rev() {
            if let Said::Own { ticket, mark, .. } = &mut entry.said
                && *ticket == wanted
            {
                *mark = new;
                return;
            }
        }
    }

    /// Up by nearly a pane.
    pub(crate) fn page_up(&mut self, pane: Pane) {
        let step = usize::from(pane.height.saturating_sub(1).max(1));
        self.below = self.below.saturating_add(step);
        self.clamp(pane);
    }

    /// Down by nearly a pane.
    pub(crate) fn page_down(&mut self, pane: Pane) {
        self.below = self.below.saturating_sub(usize::from(pane.height.saturating_sub(1).max(1)));
    }

    /// To the newest.
    pub(crate) fn show_end(&mut self) {
        self.below = 0;
    }

    /// Where the pane changed, or the oldest entries went: no further up than there is something.
    pub(crate) fn clamp(&mut self, pane: Pane) {
        self.below = self.below.min(rows::most_below(&self.entries, pane, self.below));
    }
}

impl Said {
    /// The text of it.
    pub(crate) fn text(&self) -> &str {
        match self {
            Self::Theirs { text, .. } | Self::Own { text, .. } | Self::Note(text) | Self::Alarm(text) => text,
        }
    }
}

/// The local day and hour.
pub(crate) fn civil(unix: u64, zone: &TimeZone) -> DateTime {
    // No calendar holds a later one.
    let moment = i64::try_from(unix).ok().and_then(|unix| Timestamp::from_second(unix).ok());
    moment.unwrap_or(Timestamp::MAX).to_zoned_datetime(zone.clone()).datetime()
}

/// Entries of one conversation at most; the oldest go.
const MAX_ENTRIES: usize = 2_000;

/// Bytes of their texts at most: 32 of the longest.
const MAX_BYTES: usize = 1_048_576;

#[cfg(test)]
mod tests {
    use super::*;

    const PANE: Pane = Pane { width: 40, height: 5 };

    fn message(id: u64, text: &str) -> Message {
        let peer = UserName::parse("bob").unwrap();
        Message { peer, chat_id: ChatId([1; 16]), id, received: 0, text: text.to_owned() }
    }

    #[test]
    fn a_text_is_shown_once_however_often_it_comes() {
        let mut conversation = Conversation::default();
        for id in [1, 2, 2, 1, 3] {
            conversation.receive(&message(id, &format!("text {id}")), &TimeZone::UTC, PANE);
        }
        let texts: Vec<_> = conversation.entries().iter().map(|entry| entry.said.text()).collect();
        assert_eq!(texts, ["text 1", "text 2", "text 3"]);
    }

    #[test]
    fn a_peers_text_is_harmless_from_the_start() {
        let mut conversation = Conversation::default();
        conversation.receive(&message(1, "\u{1b}[2Jhi\u{202e}"), &TimeZone::UTC, PANE);
        assert_eq!(conversation.entries()[0].said.text(), "\\u{1b}[2Jhi\\u{202e}");
    }

    #[test]
    fn the_oldest_go_first() {
        let mut conversation = Conversation::default();
        let large = "x".repeat(32_768);
        for id in 1..=40 {
            conversation.receive(&message(id, &large), &TimeZone::UTC, PANE);
        }
        assert_eq!(conversation.entries().len(), MAX_BYTES / large.len());
        for id in 41..=5_000 {
            conversation.receive(&message(id, "x"), &TimeZone::UTC, PANE);
        }
        assert_eq!(conversation.entries().len(), MAX_ENTRIES);
    }

    #[test]
    fn who_reads_further_up_stays_there() {
        let mut conversation = Conversation::default();
        for id in 1..=20 {
            conversation.receive(&message(id, &format!("text {id}")), &TimeZone::UTC, PANE);
        }
        conversation.page_up(PANE);
        let shown = |conversation: &Conversation| {
            let rows = rows::in_sight(conversation.entries(), PANE, conversation.below());
            rows.iter().map(|row| row.text.clone()).collect::<Vec<_>>()
        };
        let before = shown(&conversation);
        conversation.receive(&message(21, "one more\nof two lines"), &TimeZone::UTC, PANE);
        assert_eq!(shown(&conversation), before);
        for _ in 0..100 {
            conversation.page_up(PANE);
        }
        assert!(shown(&conversation)[1].ends_with("text 1"), "{:?}", shown(&conversation));
        for _ in 0..100 {
            conversation.page_down(PANE);
        }
        assert!(conversation.is_at_end());
        assert!(shown(&conversation)[4].ends_with("of two lines"));
    }
}
