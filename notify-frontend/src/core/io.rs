//! What goes into the core and what comes out of it.

use secchat_ipc::types::{ChatId, Terms};
use secchat_ipc::{Command, CommandError, Event, Snapshot, UserName};

use crate::popup::Popup;

/// Something happened.
#[derive(Debug)]
pub enum Input {
    /// The daemon's word.
    Daemon(FromDaemon),
    /// The desktop's word.
    Desktop(FromDesktop),
}

/// What the connection to the daemon gives.
#[derive(Debug)]
pub enum FromDaemon {
    /// Connected and subscribed.
    Attached {
        /// The state that events change.
        state: Box<Snapshot>,
        /// Peers for whom the relay offers another key than the pinned one.
        changed: Vec<UserName>,
    },
    /// A change.
    Event(Box<Event>),
    /// What came of a task.
    Answered(Box<Task>, Result<(), CommandError>),
    /// The connection is gone, and every answer that had not come.
    Lost,
}

/// What the session bus gives.
#[derive(Debug)]
pub enum FromDesktop {
    /// There is a bus.
    BusIsUp,
    /// The bus is gone, and the outcome of a call under way.
    BusIsLost,
    /// The notification server's name has an owner now, another one, or none.
    Owner {
        /// Whether it has one.
        is_there: bool,
    },
    /// The server's property of this name changed.
    Inhibited(bool),
    /// The outcome of the call.
    Result(CallResult),
    /// What became of a popup.
    Signal(Signal),
}

/// What the daemon shall do, and about what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Task {
    /// Whose request or texts.
    pub peer: UserName,
    /// Which chat it is or would be.
    pub chat_id: ChatId,
    /// What a person chose.
    pub choice: Choice,
}

/// What a person chose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Choice {
    /// Accept the request on these terms, which were shown.
    Accept(Terms),
    /// Refuse the request.
    Refuse,
    /// Keep the request for later.
    Later,
    /// Send this text.
    Send(String),
    /// The texts up to and with this one are read.
    MarkRead(u64),
}

impl Task {
    /// As the daemon understands it.
    #[must_use]
    pub fn to_command(&self) -> Command {
        let peer = self.peer.clone();
        match &self.choice {
            Choice::Accept(terms) => Command::Accept { peer, terms: Some(*terms), wait: false },
            Choice::Refuse => Command::Refuse { peer, quietly: false },
            Choice::Later => Command::Later { peer },
            Choice::Send(text) => Command::Send { peer, text: text.clone() },
            Choice::MarkRead(up_to) => Command::MarkRead { chat_id: self.chat_id, up_to: *up_to },
        }
    }
}

/// A call to the notification server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Call {
    /// What it can do.
    Capabilities,
    /// Whether a person wants no popups now.
    Inhibited,
    /// Show a popup.
    Show {
        /// The popup that it takes the place of; 0 is none.
        replaces: u32,
        /// What it shows.
        popup: Popup,
        /// It tells something new: it may make a sound.
        is_new: bool,
    },
    /// Take a popup off.
    Close(u32),
}

/// What came of a [`Call`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallResult {
    /// Its capabilities; or why nobody answers, for a person.
    Capabilities(Result<Vec<String>, String>),
    /// Its property; a server may advertise it and have none.
    Inhibited(Option<bool>),
    /// The popup's id.
    Shown(Result<u32, CallError>),
    /// It is off, or was before.
    Closed,
}

/// Why a call came to nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallError {
    /// Nobody answers; why, for a person.
    NoServer(String),
    /// The server does not take this popup now.
    Refused,
}

/// What became of a popup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signal {
    /// A person chose an action.
    Chosen {
        /// In which popup.
        id: u32,
        /// The action's key.
        key: String,
    },
    /// A person typed an answer.
    Replied {
        /// In which popup.
        id: u32,
        /// What.
        text: String,
    },
    /// It is off the screen, for whatever reason: a person's click, its time, the server's list being full.
    Closed {
        /// Which.
        id: u32,
    },
}

impl Signal {
    /// The popup's id.
    #[must_use]
    pub fn id(&self) -> u32 {
        match self {
            Self::Chosen { id, .. } | Self::Replied { id, .. } | Self::Closed { id } => *id,
        }
    }
}
