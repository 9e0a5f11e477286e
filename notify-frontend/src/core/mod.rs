//! What should be on the screen, and what a person's choices there mean: events in, calls and commands out.
//!
//! Pure: no clock, bus or socket. The state is the daemon's [`Snapshot`]; popups are computed from it, never kept
//! beside it. So a request answered elsewhere loses its popup, and a server that comes back gets all of them, by the
//! same rule that shows the first.

mod board;
mod choices;
pub mod io;
mod memory;
mod subject;
#[cfg(test)]
mod tests;
mod wanted;
mod wording;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Instant;

use secchat_ipc::types::{ChatId, ChatState, ResolvedBy};
use secchat_ipc::{CommandError, Event, Snapshot, UserName};

use crate::config::Settings;
use crate::limits::{LOUD_PEERS, OPENED_STAYS, SETTLE};
use crate::popup::Urgency;
use board::Board;
use io::{Call, CallError, CallResult, Choice, FromDaemon, FromDesktop, Input, Task};
use subject::{Mark, Subject};

/// The state of the program.
#[derive(Debug)]
pub struct Core {
    settings: Settings,
    board: Board,
    /// The daemon's state; none while there is no daemon.
    state: Option<Snapshot>,
    /// Peers for whom the relay offered another key than the pinned one.
    loud: BTreeSet<UserName>,
    /// Subjects about which the daemon has been given a task.
    busy: BTreeSet<Subject>,
    /// Why the last task about this peer failed.
    failures: BTreeMap<UserName, (ChatId, String)>,
    /// Chats that were accepted here or by a consent, until that they are open has been told.
    accepted: BTreeMap<UserName, ChatId>,
    /// Senders whose texts some open chat window may be about to read.
    settling: BTreeMap<UserName, Instant>,
    /// Whose texts a person asked to see, and up to which.
    revealed: BTreeMap<UserName, Mark>,
    /// Popups beyond the usual number that a person asked for: of requests, of senders.
    more_requests: usize,
    more_senders: usize,
    tasks: VecDeque<Task>,
    lines: VecDeque<String>,
    is_without_server: bool,
}

impl Core {
    /// Nothing is known yet.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            board: Board::new(),
            state: None,
            loud: BTreeSet::new(),
            busy: BTreeSet::new(),
            failures: BTreeMap::new(),
            accepted: BTreeMap::new(),
            settling: BTreeMap::new(),
            revealed: BTreeMap::new(),
            more_requests: 0,
            more_senders: 0,
            tasks: VecDeque::new(),
            lines: VecDeque::new(),
            is_without_server: false,
        }
    }

    /// Takes in what happened.
    pub fn handle(&mut self, input: Input, now: Instant) {
        match input {
            Input::Daemon(FromDaemon::Attached { state, changed }) => {
                self.state = Some(*state);
                self.loud = changed.into_iter().take(LOUD_PEERS).collect();
            }
            Input::Daemon(FromDaemon::Event(event)) => self.handle_event(&event, now),
            Input::Daemon(FromDaemon::Answered(task, result)) => self.handle_answer(&task, result),
            Input::Daemon(FromDaemon::Lost) => self.handle_lost(),
            Input::Desktop(FromDesktop::BusIsUp) => self.board.handle_bus(true),
            Input::Desktop(FromDesktop::BusIsLost) => self.board.handle_bus(false),
            Input::Desktop(FromDesktop::Owner { is_there }) => self.board.handle_owner(is_there),
            Input::Desktop(FromDesktop::Inhibited(inhibited)) => self.board.handle_inhibited(inhibited),
            Input::Desktop(FromDesktop::Result(result)) => self.handle_result(result, now),
            Input::Desktop(FromDesktop::Signal(signal)) => {
                if !self.board.keeps(&signal) {
                    self.handle_signal(signal, now);
                }
            }
        }
    }

    /// The next call to the notification server.
    #[must_use]
    pub fn next_call(&mut self, now: Instant) -> Option<Call> {
        if !self.board.is_free() {
            return None;
        }
        let wanted = self.wanted();
        if self.state.is_some() {
            self.board.forget_unless(&wanted);
        }
        let mut wanted = wanted;
        if self.state.as_ref().is_some_and(|state| state.do_not_disturb.on) {
            // A changed key may not wait until somebody has written to whoever has it.
            wanted.retain(|_, new| new.popup.urgency == Urgency::Critical);
        }
        self.board.next_call(&wanted, now)
    }

    /// The next task for the daemon.
    #[must_use]
    pub fn next_task(&mut self) -> Option<Task> {
        self.tasks.pop_front()
    }

    /// The next line for a person who reads the log.
    #[must_use]
    pub fn next_line(&mut self) -> Option<String> {
        self.lines.pop_front()
    }

    /// When to call [`Self::handle_timeout`]; changes with every input and call.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let opened = self.accepted.keys().filter_map(|peer| {
            self.board.appeared(&Subject::Opened(peer.clone())).map(|at| at + OPENED_STAYS)
        });
        opened.chain(self.settling.values().copied()).chain(self.board.poll_timeout()).min()
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.board.handle_timeout(now);
        self.settling.retain(|_, until| *until > now);
        let board = &self.board;
        self.accepted.retain(|peer, _| {
            board.appeared(&Subject::Opened(peer.clone())).is_none_or(|at| at + OPENED_STAYS > now)
        });
    }

    /// Whether a call to the notification server is under way.
    #[must_use]
    pub fn is_calling(&self) -> bool {
        !self.board.is_free()
    }

    /// The ids of all popups of ours: nobody answers their buttons any more.
    #[must_use]
    pub fn take_all(&mut self) -> Vec<u32> {
        self.board.take_all()
    }

    fn handle_event(&mut self, event: &Event, now: Instant) {
        let Some(state) = &mut self.state else { return };
        state.apply(event);
        if let Event::TrustChanged { peer, trust } = event {
            if !trust.is_changed() {
                self.loud.remove(peer);
            } else if self.loud.len() < LOUD_PEERS {
                self.loud.insert(peer.clone());
            }
        }
        // Who comes in by a consent that was given before is never let in unseen.
        if let Event::RequestResolved { peer, chat_id, by: ResolvedBy::Consent, .. } = event {
            self.accepted.insert(peer.clone(), *chat_id);
        }
        if let Event::MessageReceived(message) = event
            && !self.board.has(&Subject::Texts(message.peer.clone()))
        {
            self.settling.insert(message.peer.clone(), now + SETTLE);
        }
        self.forget_what_is_over();
    }

    /// What was kept about requests, texts and chats that are no more.
    fn forget_what_is_over(&mut self) {
        let Some(state) = &self.state else { return };
        let is_writing = |peer: &UserName| state.unread.iter().any(|message| message.peer == *peer);
        self.revealed.retain(|peer, _| is_writing(peer));
        self.settling.retain(|peer, _| is_writing(peer));
        self.accepted.retain(|_, chat_id| {
            state.chats.iter().any(|chat| chat.chat_id == *chat_id && chat.state != ChatState::Closing)
                || state.incoming.iter().any(|request| request.chat_id == *chat_id)
        });
        if state.unread.is_empty() {
            self.more_senders = 0;
        }
        if !state.incoming.iter().any(wanted::is_pending) {
            self.more_requests = 0;
        }
    }

    fn handle_answer(&mut self, task: &Task, result: Result<(), CommandError>) {
        self.busy.remove(&subject_of(task));
        match result {
            Ok(()) if matches!(task.choice, Choice::Accept(_)) => {
                self.accepted.insert(task.peer.clone(), task.chat_id);
            }
            Ok(()) => {}
            Err(error) if self.failures.len() < LOUD_PEERS => {
                let text = wording::failure(task, &error);
                self.failures.insert(task.peer.clone(), (task.chat_id, text));
            }
            Err(_) => {}
        }
    }

    /// Without a daemon nothing can be answered: all popups go, and come back with it.
    fn handle_lost(&mut self) {
        self.state = None;
        self.busy.clear();
        self.tasks.clear();
        self.settling.clear();
    }

    fn handle_result(&mut self, result: CallResult, now: Instant) {
        match &result {
            CallResult::Capabilities(Err(why)) | CallResult::Shown(Err(CallError::NoServer(why))) => {
                if !std::mem::replace(&mut self.is_without_server, true) {
                    self.lines.push_back(format!(
                        "no notification server: {why}; popups appear once one runs, such as your desktop's own, dunst or mako"
                    ));
                }
            }
            CallResult::Capabilities(Ok(_)) => {
                if std::mem::take(&mut self.is_without_server) {
                    self.lines.push_back("a notification server is there now".to_owned());
                }
            }
            CallResult::Shown(Ok(_) | Err(CallError::Refused))
            | CallResult::Inhibited(_)
            | CallResult::Closed => {}
        }
        let wanted = self.wanted();
        for signal in self.board.handle_result(result, &wanted, now) {
            self.handle_signal(signal, now);
        }
    }
}

/// What a task is about.
fn subject_of(task: &Task) -> Subject {
    match task.choice {
        Choice::Accept(_) | Choice::Refuse | Choice::Later => Subject::Request(task.peer.clone()),
        Choice::Send(_) | Choice::MarkRead(_) => Subject::Texts(task.peer.clone()),
    }
}
