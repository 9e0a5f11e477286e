//! A window for tests: keys and events in, effects kept.

use std::time::{Duration, Instant};

use ratatui::crossterm::event::{KeyCode, KeyModifiers};
use secchat_ipc::types::{
    ChatState, ChatSummary, IncomingRequest, KeyTrust, LinkState, LockState, Message, Policy, Reachability,
    RequestState, Status, Terms,
};

use super::*;

/// 2026-11-25 12:00 UTC.
pub(crate) const NOW: u64 = 1_795_608_000;

/// A window with a chat open, and what comes out of it.
#[derive(Debug)]
pub(crate) struct Window {
    pub(crate) model: Model,
    pub(crate) effects: Vec<Effect>,
    started: Instant,
    elapsed: Duration,
    texts: u64,
}

impl Window {
    /// A window of this size, in which a chat is open with bob and one with carol.
    pub(crate) fn new(size: Size, peer: &str) -> Self {
        let mut state = Snapshot::empty(status());
        state.chats = vec![chat("bob", 1), chat("carol", 2)];
        let mut model = Model::new(state, Some(user(peer)), TimeZone::UTC, size);
        let effects = model.settle();
        Self { model, effects, started: Instant::now(), elapsed: Duration::ZERO, texts: 0 }
    }

    pub(crate) fn takes(&mut self, input: Input) {
        self.elapsed += Duration::from_millis(1);
        let now = Moment { instant: self.started + self.elapsed, unix: NOW };
        self.effects.extend(self.model.handle(input, now));
    }

    pub(crate) fn presses(&mut self, code: KeyCode) {
        self.takes(Input::Key(code.into()));
    }

    pub(crate) fn presses_control(&mut self, c: char) {
        self.takes(Input::Key(KeyEvent::new(KeyCode::Char(c), KeyModifiers::CONTROL)));
    }

    pub(crate) fn types(&mut self, text: &str) {
        text.chars().for_each(|c| self.presses(KeyCode::Char(c)));
    }

    pub(crate) fn enters(&mut self) {
        self.presses(KeyCode::Enter);
    }

    pub(crate) fn says(&mut self, line: &str) {
        self.types(line);
        self.enters();
    }

    pub(crate) fn pastes(&mut self, text: &str) {
        self.takes(Input::Paste(text.to_owned()));
    }

    pub(crate) fn receives(&mut self, peer: &str, text: &str) {
        self.texts += 1;
        self.takes(Input::Event(Event::MessageReceived(message(peer, self.texts, text))));
    }

    pub(crate) fn asks(&mut self, peer: &str, trust: KeyTrust) {
        self.takes(Input::Event(Event::RequestReceived(request(peer, trust))));
    }

    pub(crate) fn shows(&mut self, peer: &str) {
        while self.model.current().unwrap().0.as_str() != peer {
            self.presses(KeyCode::Tab);
        }
    }

    pub(crate) fn has_link(&mut self, link: LinkState) {
        self.takes(Input::Event(Event::StatusChanged(Status { link, ..status() })));
    }

    /// The last text has arrived.
    pub(crate) fn is_delivered(&mut self) {
        let ticket = self.texts_on_the_way().last().unwrap().0;
        let reply = Reply::Delivered { chat_id: ChatId([1; 16]), id: 1 };
        self.takes(Input::Reply { ticket, result: Ok(reply) });
    }

    pub(crate) fn waits(&mut self, time: Duration) {
        self.elapsed += time;
    }

    pub(crate) fn texts_on_the_way(&self) -> Vec<(u64, String)> {
        let text = |effect: &Effect| {
            let Effect::Ask { ticket, command: Command::Send { text, .. } } = effect else { return None };
            Some((*ticket, text.clone()))
        };
        self.effects.iter().filter_map(text).collect()
    }

    /// The commands since the last look, without read marks.
    pub(crate) fn commands(&mut self) -> Vec<Command> {
        let command = |effect| match effect {
            Effect::Ask { command: Command::MarkRead { .. }, .. }
            | Effect::Suspend
            | Effect::Redraw
            | Effect::Leave => None,
            Effect::Ask { command, .. } => Some(command),
        };
        std::mem::take(&mut self.effects).into_iter().filter_map(command).collect()
    }

    pub(crate) fn read_marks(&mut self) -> Vec<(ChatId, u64)> {
        let mark = |effect| {
            let Effect::Ask { command: Command::MarkRead { chat_id, up_to }, .. } = effect else {
                return None;
            };
            Some((chat_id, up_to))
        };
        std::mem::take(&mut self.effects).into_iter().filter_map(mark).collect()
    }

    pub(crate) fn last_said(&self) -> Said {
        self.model.current().unwrap().1.entries().back().unwrap().said.clone()
    }
}

pub(crate) fn user(name: &str) -> UserName {
    UserName::parse(name).unwrap()
}

pub(crate) fn status() -> Status {
    Status {
        version: "0.1.0".to_owned(),
        pid: 1,
        profile: String::new(),
        user: Some(user("alice")),
        relay: "relay:4433".to_owned(),
        lock: LockState::Unlocked,
        link: LinkState::Online,
        reachability: Reachability::Available,
        policy: Policy::Ask,
        hints: Vec::new(),
    }
}

pub(crate) fn chat(peer: &str, id: u8) -> ChatSummary {
    ChatSummary {
        peer: user(peer),
        chat_id: ChatId([id; 16]),
        state: ChatState::Open,
        terms: Terms { until: None, history_days: Some(7) },
        unread: 0,
        undelivered: 0,
        trust: KeyTrust::Pinned,
    }
}

pub(crate) fn message(peer: &str, id: u64, text: &str) -> Message {
    Message { peer: user(peer), chat_id: chat_of(peer), id, received: NOW, text: text.to_owned() }
}

pub(crate) fn chat_of(peer: &str) -> ChatId {
    ChatId([if peer == "bob" { 1 } else { 2 }; 16])
}

pub(crate) fn request(peer: &str, trust: KeyTrust) -> IncomingRequest {
    IncomingRequest {
        peer: user(peer),
        chat_id: ChatId([9; 16]),
        issued: NOW,
        expires: NOW + 3_600,
        received: NOW,
        terms: Terms { until: Some(NOW + 7_200), history_days: Some(0) },
        trust,
        safety_number: "12345 67890 12345 67890 12345 67890 12345 67890 12345 67890 12345 67890".to_owned(),
        state: RequestState::Pending,
    }
}
