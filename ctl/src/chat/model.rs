//! The chat window's state. Pure: keys and what the daemon says go in, what is to be done comes out.
//!
//! [`Snapshot::apply`] keeps the daemon's part; here is only what a person at this window did and saw.

mod daemon;
mod keys;
mod look;
mod question;
#[cfg(test)]
mod tests;
mod verbs;
#[cfg(test)]
pub(crate) mod window;

use std::collections::BTreeMap;
use std::time::Instant;

use jiff::tz::TimeZone;
use ratatui::crossterm::event::KeyEvent;
use ratatui::layout::Size;
use secchat_ipc::harmless;
use secchat_ipc::types::ChatId;
use secchat_ipc::{Command, CommandError, Event, Reply, Snapshot, UserName};

use super::conversation::{Conversation, Mark, Pane, Said, civil};
use super::layout::Areas;
use super::rows;
pub(crate) use question::{Answer, Question};

/// The chat window's state.
#[derive(Debug)]
pub(crate) struct Model {
    state: Snapshot,
    conversations: BTreeMap<UserName, Conversation>,
    current: Option<UserName>,
    zone: TimeZone,
    size: Size,
    dialog: Option<Dialog>,
    remark: Option<String>,
    /// Why the daemon is away, while it is.
    lost: Option<String>,
    waiting: BTreeMap<u64, Waiting>,
    next_ticket: u64,
    /// Up to where the daemon was told that texts are read.
    told_read: BTreeMap<ChatId, u64>,
    /// Whether the person wanted to leave although texts were on their way.
    leaves_texts_behind: bool,
    effects: Vec<Effect>,
}

/// What comes in.
#[derive(Clone, Debug)]
pub(crate) enum Input {
    Key(KeyEvent),
    Paste(String),
    Resize(Size),
    /// The answer to an [`Effect::Ask`].
    Reply {
        ticket: u64,
        result: Result<Reply, CommandError>,
    },
    Event(Event),
    /// The daemon went away.
    Lost(String),
    /// It is back, and in this state.
    Back(Box<Snapshot>),
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Give the daemon a command; its answer comes with the same ticket.
    Ask { ticket: u64, command: Command },
    /// Stop, until the shell lets it go on.
    Suspend,
    /// Draw the whole screen anew.
    Redraw,
    /// End.
    Leave,
}

/// When something comes in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    pub(crate) instant: Instant,
    pub(crate) unix: u64,
}

/// What lies over the conversation and takes all keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Dialog {
    /// The keys, from this row of the page on.
    Help(usize),
    Question(Question),
}

/// What a ticket waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Waiting {
    Text(UserName),
    Deed,
    ReadMark,
    SafetyNumber(UserName),
    Verification(UserName),
    Users,
}

impl Model {
    /// A window of this size onto the daemon's state; `peer` is whom the person wants to talk to.
    pub(crate) fn new(state: Snapshot, peer: Option<UserName>, zone: TimeZone, size: Size) -> Self {
        let mut model = Self {
            state: Snapshot::empty(state.status.clone()),
            conversations: BTreeMap::new(),
            current: None,
            zone,
            size,
            dialog: None,
            remark: None,
            lost: None,
            waiting: BTreeMap::new(),
            next_ticket: 1,
            told_read: BTreeMap::new(),
            leaves_texts_behind: false,
            effects: Vec::new(),
        };
        model.take_state(state);
        let urgent = model.conversations.keys().find(|peer| model.wants_attention(peer));
        let first = peer.or_else(|| urgent.or_else(|| model.conversations.keys().next()).cloned());
        if let Some(peer) = first {
            model.open(peer);
        }
        model
    }

    /// Takes in one thing, and says what is to be done about it.
    pub(crate) fn handle(&mut self, input: Input, now: Moment) -> Vec<Effect> {
        match input {
            Input::Key(key) => self.key(key, now),
            Input::Paste(text) => self.paste(&text),
            Input::Resize(size) => self.size = size,
            Input::Reply { ticket, result } => self.reply(ticket, result, now),
            Input::Event(event) => self.event(&event, now),
            Input::Lost(why) => self.lose(&why),
            Input::Back(state) => {
                self.lost = None;
                self.take_state(*state);
            }
        }
        self.settle()
    }

    /// What is to be done when the window has just been opened.
    pub(crate) fn settle(&mut self) -> Vec<Effect> {
        self.close_stale_question();
        self.forget_idle();
        let pane = self.pane();
        if let Some(conversation) = self.current_mut() {
            conversation.clamp(pane);
        }
        self.mark_read();
        std::mem::take(&mut self.effects)
    }

    /// The parts of the window as it is now.
    pub(crate) fn areas(&self) -> Areas {
        let width = Areas::typing_width(self.size);
        let typed = self.current().map_or("", |(_, conversation)| conversation.typing.text());
        Areas::of(self.size, rows::typing(typed, 0, width).rows.len())
    }

    fn pane(&self) -> Pane {
        self.areas().pane()
    }

    fn current_mut(&mut self) -> Option<&mut Conversation> {
        self.conversations.get_mut(self.current.as_ref()?)
    }

    fn open(&mut self, peer: UserName) {
        self.conversations.entry(peer.clone()).or_default();
        self.current = Some(peer);
        self.remark = None;
    }

    fn say(&mut self, remark: impl AsRef<str>) {
        self.remark = Some(harmless::line(remark.as_ref()));
    }

    fn add(&mut self, peer: &UserName, unix: u64, said: Said) {
        let (pane, at) = (self.pane(), civil(unix, &self.zone));
        self.conversations.entry(peer.clone()).or_default().add(at, said, pane);
    }

    fn ask(&mut self, command: Command, waiting: Waiting) -> u64 {
        let ticket = self.next_ticket;
        self.next_ticket = self.next_ticket.wrapping_add(1);
        self.waiting.insert(ticket, waiting);
        self.effects.push(Effect::Ask { ticket, command });
        ticket
    }

    /// Sends the current conversation's peer a text; `false` when it has to stay in the typing line.
    fn send(&mut self, text: &str, now: Moment) -> bool {
        let Some(peer) = self.current.clone() else { return false };
        let on_the_way = self.on_the_way();
        if self.lost.is_some() {
            self.say("not sent: the daemon is away");
        } else if !self.state.chats.iter().any(|chat| chat.peer == peer) {
            self.say(format!("not sent: no chat is open with {peer}; /ask asks for one"));
        } else if on_the_way >= MAX_ON_THE_WAY {
            self.say(format!(
                "not sent: {on_the_way} texts are on their way already; wait until some are delivered"
            ));
        } else {
            let command = Command::Send { peer: peer.clone(), text: text.to_owned() };
            let ticket = self.ask(command, Waiting::Text(peer.clone()));
            self.leaves_texts_behind = false;
            let text = harmless::text(text);
            self.add(&peer, now.unix, Said::Own { ticket, text, mark: Mark::Sent });
            return true;
        }
        false
    }

    fn on_the_way(&self) -> usize {
        self.waiting.values().filter(|waiting| matches!(waiting, Waiting::Text(_))).count()
    }

    /// Leaves; where texts are not delivered yet, only when told twice: the daemon goes on with them, and nobody sees
    /// what comes of it.
    fn leave(&mut self) {
        let on_the_way = self.on_the_way();
        if on_the_way == 0 || self.leaves_texts_behind {
            self.effects.push(Effect::Leave);
            return;
        }
        self.leaves_texts_behind = true;
        self.say(format!(
            "{on_the_way} of your texts are not delivered yet, and nobody would tell you; once more leaves"
        ));
    }

    /// What the person sees is read.
    fn mark_read(&mut self) {
        let Some((peer, conversation)) = self.current() else { return };
        if !conversation.is_at_end() || self.dialog.is_some() || self.lost.is_some() {
            return;
        }
        let mut read = BTreeMap::new();
        for message in self.state.unread.iter().filter(|message| message.peer == *peer) {
            let up_to = read.entry(message.chat_id).or_insert(0);
            *up_to = message.id.max(*up_to);
        }
        for (chat_id, up_to) in read {
            if self.told_read.insert(chat_id, up_to) != Some(up_to) {
                self.ask(Command::MarkRead { chat_id, up_to }, Waiting::ReadMark);
            }
        }
    }

    /// Lets conversations go with which nothing is going on, when there are very many.
    fn forget_idle(&mut self) {
        while self.conversations.len() > MAX_CONVERSATIONS {
            let is_idle = |peer: &&UserName| {
                let talks = self.state.chats.iter().any(|chat| chat.peer == **peer);
                !talks && !self.wants_attention(peer) && self.current.as_ref() != Some(*peer)
            };
            let Some(idle) = self.conversations.keys().find(is_idle).cloned() else { return };
            self.conversations.remove(&idle);
        }
    }
}

/// Texts on their way at once: half of the requests that the daemon takes from one frontend, so that there is always
/// room for an answer to a request.
const MAX_ON_THE_WAY: usize = 64;

/// Conversations of which the window keeps what was said.
const MAX_CONVERSATIONS: usize = 256;
