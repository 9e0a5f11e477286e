//! `status --format`: a line for a bar, with fields between braces.

use std::str::FromStr;

use secchat_ipc::Snapshot;
use secchat_ipc::harmless;
use secchat_ipc::types::{ChatState, KeyTrust, LinkState, LockState, RequestState};

use crate::view;

/// A line with places for fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Format(Vec<Piece>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Field(Field),
}

/// A field: its name, what it is, and its value. Names are only ever added.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Field {
    /// Between the braces.
    pub(crate) name: &'static str,
    /// For the man page.
    pub(crate) meaning: &'static str,
    value: fn(&Snapshot) -> String,
}

impl PartialEq for Field {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Field {}

/// Every field there is.
pub(crate) const FIELDS: [Field; 12] = [
    Field {
        name: "state",
        meaning: "the one word that matters most: setup, locked, offline, key_changed, request, unread or quiet",
        value: |state| pressing(state).to_owned(),
    },
    Field {
        name: "unread",
        meaning: "how many texts are unread",
        value: |state| state.unread.len().to_string(),
    },
    Field {
        name: "requests",
        meaning: "how many requests wait for your answer",
        value: |state| waiting(state).to_string(),
    },
    Field {
        name: "asked",
        meaning: "how many of your requests wait for an answer",
        value: |state| state.outgoing.len().to_string(),
    },
    Field {
        name: "chats",
        meaning: "how many chats are open",
        value: |state| state.chats.iter().filter(|chat| chat.state == ChatState::Open).count().to_string(),
    },
    Field {
        name: "hints",
        meaning: "how many things status says are missing",
        value: |state| state.status.hints.len().to_string(),
    },
    Field {
        name: "user",
        meaning: "your name",
        value: |state| state.status.user.as_ref().map(ToString::to_string).unwrap_or_default(),
    },
    Field {
        name: "profile",
        meaning: "the profile; empty for the unnamed one",
        value: |state| harmless::line(&state.status.profile),
    },
    Field {
        name: "lock",
        meaning: "locked, unlocked or reachable (locked, but requests arrive)",
        value: |state| view::lock_word(state.status.lock).to_owned(),
    },
    Field {
        name: "link",
        meaning: "logged_out, connecting, online, waiting or replaced",
        value: |state| view::link_word(&state.status.link).to_owned(),
    },
    Field {
        name: "reachability",
        meaning: "available or hidden",
        value: |state| view::reachability_word(state.status.reachability).to_owned(),
    },
    Field {
        name: "dnd",
        meaning: "on while you do not want to be disturbed, else off",
        value: |state| if state.do_not_disturb.on { "on" } else { "off" }.to_owned(),
    },
];

impl Format {
    /// Whether this field is in the line.
    pub(crate) fn names(&self, name: &str) -> bool {
        self.0.iter().any(|piece| matches!(piece, Piece::Field(field) if field.name == name))
    }

    /// The line for a state.
    pub(crate) fn fill(&self, state: &Snapshot) -> String {
        let piece = |piece: &Piece| match piece {
            Piece::Text(text) => text.clone(),
            Piece::Field(field) => (field.value)(state),
        };
        self.0.iter().map(piece).collect()
    }
}

impl FromStr for Format {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (mut pieces, mut plain, mut rest) = (Vec::new(), String::new(), text);
        while let Some((at, brace)) = rest.char_indices().find(|(_, c)| matches!(c, '{' | '}')) {
            let (before, tail) = rest.split_at(at);
            plain.push_str(before);
            let tail = tail.strip_prefix(brace).unwrap_or_default();
            if let Some(tail) = tail.strip_prefix(brace) {
                plain.push(brace);
                rest = tail;
                continue;
            }
            let name = (brace == '{').then(|| tail.split_once('}')).flatten();
            let (name, tail) =
                name.ok_or("a brace that stands alone: write {{ or }} for one that is shown")?;
            let field = FIELDS.iter().find(|field| field.name == name).ok_or_else(|| unknown(name))?;
            pieces.extend([Piece::Text(std::mem::take(&mut plain)), Piece::Field(*field)]);
            rest = tail;
        }
        plain.push_str(rest);
        pieces.push(Piece::Text(plain));
        Ok(Self(pieces))
    }
}

fn unknown(name: &str) -> String {
    let known: Vec<&str> = FIELDS.iter().map(|field| field.name).collect();
    format!("there is no field {name:?}: there are {}", known.join(", "))
}

fn waiting(state: &Snapshot) -> usize {
    state.incoming.iter().filter(|request| request.state == RequestState::Pending).count()
}

/// What a person should see first.
fn pressing(state: &Snapshot) -> &'static str {
    let has_changed = KeyTrust::is_changed;
    let status = &state.status;
    if status.user.is_none() {
        "setup"
    } else if status.lock == LockState::Locked {
        "locked"
    } else if status.link != LinkState::Online {
        "offline"
    } else if state.chats.iter().any(|chat| has_changed(chat.trust))
        || state.incoming.iter().any(|request| has_changed(request.trust))
    {
        "key_changed"
    } else if waiting(state) > 0 {
        "request"
    } else if !state.unread.is_empty() {
        "unread"
    } else {
        "quiet"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn braces_are_fields_and_doubled_ones_are_shown() {
        let parse = |text: &str| text.parse::<Format>();
        let names = |text: &str| -> Vec<String> {
            let piece = |piece: &Piece| match piece {
                Piece::Text(text) => text.clone(),
                Piece::Field(field) => format!("<{}>", field.name),
            };
            parse(text).unwrap().0.iter().map(piece).filter(|piece| !piece.is_empty()).collect()
        };
        assert_eq!(names("✉ {unread} of {user}"), ["✉ ", "<unread>", " of ", "<user>"]);
        assert_eq!(names(r#"{{"text":"{unread}"}}"#), [r#"{"text":""#, "<unread>", r#""}"#]);
        assert_eq!(names(""), Vec::<String>::new());
        for wrong in ["{", "}", "{unread", "unread}", "{}", "{nothing}", "{{{"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
        assert!(parse("{no}").unwrap_err().contains("unread"));
    }
}
