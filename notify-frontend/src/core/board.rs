//! What is on the screen, and the one call to the notification server that brings it nearer to what should be there.
//!
//! One call is under way at a time: whatever changes meanwhile is taken together by the next one, so a hundred events
//! never make a hundred popups. Ids die with the server that gave them.

use std::collections::BTreeMap;
use std::time::Instant;

use super::io::{Call, CallError, CallResult, Signal};
use super::memory::Memory;
use super::subject::{Mark, Subject, Wanted};
use crate::backoff::Backoff;
use crate::limits::{EARLY_SIGNALS, REFLEX, REFUSED_RETRY};
use crate::popup::{Capabilities, Popup, Urgency};

/// All popups that should be there, and why each is another than before.
pub(super) type WantedAll = BTreeMap<Subject, Wanted>;

/// The screen.
#[derive(Debug)]
pub(super) struct Board {
    server: Server,
    shown: BTreeMap<Subject, Shown>,
    /// Popups that we have done with, and their server has not.
    closing: Vec<u32>,
    /// The popup that the server is about to show.
    showing: Option<(Subject, Wanted)>,
    call: CallState,
    early: Vec<Signal>,
    memory: Memory,
    inhibited: Option<bool>,
    /// The server refused a popup: until then no other is tried.
    refused_until: Option<Instant>,
    refusals: Backoff,
    /// When popups last changed places.
    moved: Option<Instant>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum CallState {
    #[default]
    None,
    UnderWay,
    /// Under way, to a server that is gone: its outcome counts for nothing.
    Stale,
}

#[derive(Debug)]
enum Server {
    /// There is no bus to call it on.
    Unreachable,
    /// It has not been asked yet what it can do.
    Unknown,
    /// Nobody answers; for these popups that has been tried.
    Absent { in_vain: BTreeMap<Subject, Mark> },
    /// It answers.
    Present(Capabilities),
}

/// A popup on the screen.
#[derive(Clone, Debug)]
pub(super) struct Shown {
    id: u32,
    /// What it is about.
    pub(super) mark: Mark,
    /// As it was sent.
    pub(super) popup: Popup,
    at: Instant,
}

impl Board {
    /// Empty, with no bus yet.
    pub(super) fn new() -> Self {
        Self {
            server: Server::Unreachable,
            shown: BTreeMap::new(),
            closing: Vec::new(),
            showing: None,
            call: CallState::None,
            early: Vec::new(),
            memory: Memory::default(),
            inhibited: None,
            refused_until: None,
            refusals: Backoff::new(REFUSED_RETRY),
            moved: None,
        }
    }

    /// What the server can do; nothing while it is not known.
    pub(super) fn capabilities(&self) -> Capabilities {
        match self.server {
            Server::Present(capabilities) => capabilities,
            Server::Unreachable | Server::Unknown | Server::Absent { .. } => Capabilities::default(),
        }
    }

    /// The bus is there or gone.
    pub(super) fn handle_bus(&mut self, is_up: bool) {
        self.forget_server();
        self.server = if is_up { Server::Unknown } else { Server::Unreachable };
    }

    /// A server came, in place of any other, or the last one went.
    pub(super) fn handle_owner(&mut self, is_there: bool) {
        let call = if self.call == CallState::None { CallState::None } else { CallState::Stale };
        self.forget_server();
        self.call = call;
        self.server = if is_there { Server::Unknown } else { Server::Absent { in_vain: BTreeMap::new() } };
    }

    fn forget_server(&mut self) {
        *self = Self { memory: std::mem::take(&mut self.memory), ..Self::new() };
    }

    /// A person wants no popups now, or wants them again.
    pub(super) fn handle_inhibited(&mut self, inhibited: bool) {
        self.inhibited = Some(inhibited);
    }

    /// Whether no call is under way.
    pub(super) fn is_free(&self) -> bool {
        self.call == CallState::None
    }

    /// The next call, if there is anything to do and none under way.
    pub(super) fn next_call(&mut self, wanted: &WantedAll, now: Instant) -> Option<Call> {
        if !self.is_free() {
            return None;
        }
        let call = match &mut self.server {
            Server::Unreachable => None,
            Server::Unknown => Some(Call::Capabilities),
            Server::Absent { in_vain } => {
                let is_new = wanted.iter().any(|(subject, new)| in_vain.get(subject) != Some(&new.mark));
                *in_vain = marks(wanted);
                is_new.then_some(Call::Capabilities)
            }
            Server::Present(capabilities) if capabilities.inhibitions && self.inhibited.is_none() => {
                Some(Call::Inhibited)
            }
            Server::Present(_) => self.next_close(wanted, now).or_else(|| self.next_show(wanted)),
        };
        if call.is_some() {
            self.call = CallState::UnderWay;
        }
        call
    }

    fn next_close(&mut self, wanted: &WantedAll, now: Instant) -> Option<Call> {
        if let Some(stale) = self.shown.keys().find(|subject| !wanted.contains_key(*subject)).cloned() {
            self.retire(&stale, now);
        }
        self.closing.pop().map(Call::Close)
    }

    fn next_show(&mut self, wanted: &WantedAll) -> Option<Call> {
        if self.refused_until.is_some() {
            return None;
        }
        let (subject, new) = wanted.iter().find(|(subject, new)| match self.shown.get(*subject) {
            Some(shown) => shown.popup != new.popup || shown.mark != new.mark,
            None => !self.memory.is_dismissed(subject, new.mark) && self.may_appear(&new.popup),
        })?;
        self.showing = Some((subject.clone(), new.clone()));
        Some(Call::Show {
            replaces: self.shown.get(subject).map_or(0, |shown| shown.id),
            popup: new.popup.clone(),
            is_new: self.memory.is_new(subject, new.mark),
        })
    }

    fn may_appear(&self, popup: &Popup) -> bool {
        self.inhibited != Some(true) || popup.urgency == Urgency::Critical
    }

    /// What came of the call. Returns the signals that were waiting for it.
    pub(super) fn handle_result(
        &mut self,
        result: CallResult,
        wanted: &WantedAll,
        now: Instant,
    ) -> Vec<Signal> {
        if std::mem::take(&mut self.call) == CallState::Stale {
            return Vec::new();
        }
        let showing = self.showing.take();
        match result {
            CallResult::Capabilities(Ok(names)) => {
                self.server = Server::Present(Capabilities::from_names(&names));
            }
            CallResult::Inhibited(inhibited) => self.inhibited = Some(inhibited.unwrap_or(false)),
            CallResult::Shown(Ok(id)) => {
                if let Some((subject, new)) = showing {
                    self.put_up(id, subject, new, now);
                    return std::mem::take(&mut self.early);
                }
            }
            CallResult::Shown(Err(CallError::Refused)) => {
                self.refused_until = Some(now + self.refusals.next_wait());
            }
            CallResult::Capabilities(Err(_)) | CallResult::Shown(Err(CallError::NoServer(_))) => {
                self.forget_server();
                self.server = Server::Absent { in_vain: marks(wanted) };
            }
            CallResult::Closed => {}
        }
        self.early.clear();
        Vec::new()
    }

    fn put_up(&mut self, id: u32, subject: Subject, new: Wanted, now: Instant) {
        let Wanted { mark, popup } = new;
        self.refusals = Backoff::new(REFUSED_RETRY);
        self.memory.shown(subject.clone(), mark);
        if self.shown.insert(subject, Shown { id, mark, popup, at: now }).is_none() {
            self.moved = Some(now);
        }
    }

    /// Whether the server is about to give the id that a signal of it is for: it is kept until then.
    pub(super) fn keeps(&mut self, signal: &Signal) -> bool {
        let is_early = self.showing.is_some() && self.find(signal.id()).is_none();
        if is_early && self.early.len() < EARLY_SIGNALS {
            self.early.push(signal.clone());
        }
        is_early
    }

    /// The popup with this id.
    pub(super) fn find(&self, id: u32) -> Option<(Subject, Shown)> {
        self.shown
            .iter()
            .find(|(_, shown)| shown.id == id)
            .map(|(subject, shown)| (subject.clone(), shown.clone()))
    }

    /// Whether this subject has a popup.
    pub(super) fn has(&self, subject: &Subject) -> bool {
        self.shown.contains_key(subject)
    }

    /// When this subject's popup appeared.
    pub(super) fn appeared(&self, subject: &Subject) -> Option<Instant> {
        self.shown.get(subject).map(|shown| shown.at)
    }

    /// Whether a click on this popup may be meant for what was in its place before.
    pub(super) fn is_reflex(&self, shown: &Shown, now: Instant) -> bool {
        let since = shown.at.max(self.moved.unwrap_or(shown.at));
        now.saturating_duration_since(since) < REFLEX
    }

    /// Takes a popup off; if it should be there, it appears again.
    pub(super) fn retire(&mut self, subject: &Subject, now: Instant) {
        if let Some(shown) = self.shown.remove(subject) {
            self.closing.push(shown.id);
            self.moved = Some(now);
        }
    }

    /// Takes a popup off, until there is something new about it.
    pub(super) fn retire_for_good(&mut self, subject: &Subject, now: Instant) {
        if let Some(mark) = self.shown.get(subject).map(|shown| shown.mark) {
            self.retire(subject, now);
            self.memory.dismissed(subject.clone(), mark);
        }
    }

    /// A person or the server took it off: it stays off until there is something new about it.
    pub(super) fn dismiss(&mut self, subject: &Subject, now: Instant) {
        if let Some(shown) = self.shown.remove(subject) {
            self.memory.dismissed(subject.clone(), shown.mark);
            self.moved = Some(now);
        }
    }

    /// Forgets what was shown of things that are over.
    pub(super) fn forget_unless(&mut self, wanted: &WantedAll) {
        self.memory.forget_unless(wanted);
    }

    /// When to look again although nothing happened.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.refused_until
    }

    /// The next popup is tried once the wait is over.
    pub(super) fn handle_timeout(&mut self, now: Instant) {
        self.refused_until = self.refused_until.filter(|until| *until > now);
    }

    /// Every popup of ours: nothing answers them any more.
    pub(super) fn take_all(&mut self) -> Vec<u32> {
        let shown = std::mem::take(&mut self.shown);
        self.closing.drain(..).chain(shown.into_values().map(|shown| shown.id)).collect()
    }
}

fn marks(wanted: &WantedAll) -> BTreeMap<Subject, Mark> {
    wanted.iter().map(|(subject, new)| (subject.clone(), new.mark)).collect()
}
