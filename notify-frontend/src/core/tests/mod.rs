//! The core against a notification server that is a value.

mod requests;
mod server;
mod texts;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use secchat_ipc::types::{
    ChatId, ChatState, ChatSummary, DoNotDisturb, IncomingRequest, KeyTrust, LinkState, LockState, Message,
    Policy, Reachability, RequestState, Resolution, ResolvedBy, Status, Terms,
};
use secchat_ipc::{CommandError, Event, Snapshot, UserName};

use super::Core;
use super::io::{Call, CallError, CallResult, FromDaemon, FromDesktop, Input, Signal, Task};
use crate::config::{Settings, Show};
use crate::popup::{Action, Popup};

const DUNST: &[&str] = &["actions", "body", "body-hyperlinks", "body-markup", "icon-static"];
const PLASMA: &[&str] = &["actions", "body", "body-markup", "inline-reply", "inhibitions", "persistence"];
const TERMS: Terms = Terms { until: None, history_days: Some(0) };

/// A core, a server, and what is on its screen.
struct Desk {
    core: Core,
    now: Instant,
    capabilities: Vec<String>,
    popups: BTreeMap<u32, Popup>,
    next_id: u32,
    /// How often something was shown, and how often as something new.
    shows: usize,
    sounds: usize,
    /// Whether the server answers.
    is_there: bool,
    refuses: bool,
    inhibited: bool,
}

impl Desk {
    fn new(show: Show, capabilities: &[&str]) -> Self {
        let settings = Settings { profile: String::new(), show, messages: true };
        let mut desk = Self {
            core: Core::new(settings),
            now: Instant::now(),
            capabilities: capabilities.iter().map(|name| (*name).to_owned()).collect(),
            popups: BTreeMap::new(),
            next_id: 1,
            shows: 0,
            sounds: 0,
            is_there: true,
            refuses: false,
            inhibited: false,
        };
        desk.input(Input::Desktop(FromDesktop::BusIsUp));
        desk.attach(Snapshot::empty(status()), &[]);
        desk
    }

    fn dunst() -> Self {
        Self::new(Show::Name, DUNST)
    }

    fn input(&mut self, input: Input) {
        self.core.handle(input, self.now);
        self.obey();
    }

    fn attach(&mut self, state: Snapshot, changed: &[&str]) {
        let changed = changed.iter().map(|peer| name(peer)).collect();
        self.input(Input::Daemon(FromDaemon::Attached { state: Box::new(state), changed }));
    }

    fn event(&mut self, event: Event) {
        self.input(Input::Daemon(FromDaemon::Event(Box::new(event))));
    }

    fn signal(&mut self, signal: Signal) {
        self.input(Input::Desktop(FromDesktop::Signal(signal)));
    }

    /// Makes the calls, until there are none.
    fn obey(&mut self) {
        while let Some(call) = self.core.next_call(self.now) {
            let result = self.perform(call);
            self.core.handle(Input::Desktop(FromDesktop::Result(result)), self.now);
        }
    }

    fn perform(&mut self, call: Call) -> CallResult {
        let gone = || CallError::NoServer("nobody is there".to_owned());
        match call {
            Call::Capabilities if self.is_there => CallResult::Capabilities(Ok(self.capabilities.clone())),
            Call::Capabilities => CallResult::Capabilities(Err("nobody is there".to_owned())),
            Call::Inhibited => CallResult::Inhibited(Some(self.inhibited)),
            Call::Show { .. } if !self.is_there => CallResult::Shown(Err(gone())),
            Call::Show { .. } if self.refuses => CallResult::Shown(Err(CallError::Refused)),
            Call::Show { replaces, popup, is_new } => {
                let id = if replaces == 0 { self.next_id } else { replaces };
                self.next_id = self.next_id.max(id + 1);
                self.popups.insert(id, popup);
                self.shows += 1;
                self.sounds += usize::from(is_new);
                CallResult::Shown(Ok(id))
            }
            Call::Close(id) => {
                self.popups.remove(&id);
                CallResult::Closed
            }
        }
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
        while self.core.poll_timeout().is_some_and(|at| at <= self.now) {
            self.core.handle_timeout(self.now);
            self.obey();
        }
    }

    /// Long enough for a person to read.
    fn read(&mut self) {
        self.pass(Duration::from_secs(2));
    }

    fn summaries(&self) -> Vec<&str> {
        self.popups.values().map(|popup| popup.summary.as_str()).collect()
    }

    /// The only popup whose summary starts so.
    fn find(&self, summary: &str) -> (u32, Popup) {
        let mut found = self.popups.iter().filter(|(_, popup)| popup.summary.starts_with(summary));
        let (id, popup) = found.next().unwrap_or_else(|| panic!("no {summary} in {:?}", self.summaries()));
        assert!(found.next().is_none(), "{:?}", self.summaries());
        (*id, popup.clone())
    }

    /// A click, as a server that closes whatever was clicked tells it.
    fn choose(&mut self, summary: &str, action: Action) {
        let (id, popup) = self.find(summary);
        assert!(popup.actions.contains(&action), "{popup:?}");
        self.popups.remove(&id);
        self.core.handle(
            Input::Desktop(FromDesktop::Signal(Signal::Chosen { id, key: action.key().to_owned() })),
            self.now,
        );
        self.signal(Signal::Closed { id });
    }

    fn close(&mut self, summary: &str) {
        let (id, _) = self.find(summary);
        self.popups.remove(&id);
        self.signal(Signal::Closed { id });
    }

    fn tasks(&mut self) -> Vec<Task> {
        std::iter::from_fn(|| self.core.next_task()).collect()
    }

    fn lines(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.core.next_line()).collect()
    }

    fn answer(&mut self, task: Task, result: Result<(), CommandError>) {
        self.input(Input::Daemon(FromDaemon::Answered(Box::new(task), result)));
    }

    /// The server goes, and its popups with it.
    fn server_goes(&mut self) {
        self.is_there = false;
        self.popups.clear();
        self.input(Input::Desktop(FromDesktop::Owner { is_there: false }));
    }

    fn server_comes(&mut self) {
        self.is_there = true;
        self.next_id = 1;
        self.input(Input::Desktop(FromDesktop::Owner { is_there: true }));
    }
}

fn status() -> Status {
    Status {
        version: "0".to_owned(),
        pid: 1,
        profile: String::new(),
        user: Some(name("me")),
        relay: String::new(),
        lock: LockState::Unlocked,
        link: LinkState::Online,
        reachability: Reachability::Available,
        policy: Policy::Ask,
        hints: Vec::new(),
    }
}

fn name(name: &str) -> UserName {
    UserName::parse(name).unwrap()
}

/// One chat for each name.
fn chat_id(peer: &str) -> ChatId {
    let mut id = [0; 16];
    peer.bytes().zip(&mut id).for_each(|(byte, place)| *place = byte);
    ChatId(id)
}

fn request(peer: &str, trust: KeyTrust) -> IncomingRequest {
    IncomingRequest {
        peer: name(peer),
        chat_id: chat_id(peer),
        issued: 1_000,
        expires: 2_000,
        received: 1_000,
        terms: TERMS,
        trust,
        safety_number: ["12345"; 12].join(" "),
        state: RequestState::Pending,
    }
}

fn asks(peer: &str) -> Event {
    Event::RequestReceived(request(peer, KeyTrust::Unverified))
}

fn resolved(peer: &str, resolution: Resolution) -> Event {
    let by = ResolvedBy::Frontend { name: "secchatctl".to_owned(), pid: 7 };
    Event::RequestResolved { peer: name(peer), chat_id: chat_id(peer), resolution, by }
}

fn chat(peer: &str, trust: KeyTrust) -> Event {
    Event::ChatChanged(ChatSummary {
        peer: name(peer),
        chat_id: chat_id(peer),
        state: ChatState::Open,
        terms: TERMS,
        unread: 0,
        undelivered: 0,
        trust,
    })
}

fn writes(peer: &str, id: u64, text: &str) -> Event {
    let text = text.to_owned();
    Event::MessageReceived(Message { peer: name(peer), chat_id: chat_id(peer), id, received: 0, text })
}
