//! What popups say.
//!
//! Names are harmless by their grammar; texts of peers, and errors that may quote anything, are made so here. Every
//! popup whose buttons a server cannot show names the command that does the same.

use secchat_ipc::types::{IncomingRequest, KeyTrust, Terms};
use secchat_ipc::{CommandError, UserName, harmless, time};

use super::io::{Choice, Task};
use super::wanted::Texts;
use crate::config::{Settings, Show};
use crate::limits::{CHARACTERS_OF_A_TEXT, NAMES_IN_A_POPUP};
use crate::popup::{Action, Capabilities, Popup, Urgency};

/// The words for one server and one person's settings.
pub(super) struct Words<'a> {
    pub(super) server: Capabilities,
    pub(super) settings: &'a Settings,
}

impl Words<'_> {
    /// Somebody asks to talk.
    pub(super) fn request(&self, request: &IncomingRequest) -> Popup {
        let peer = &request.peer;
        if request.trust.is_changed() {
            let popup = self.key_change(peer);
            return Popup {
                summary: format!("{peer} asks to talk, with another key than before"),
                actions: self.actions(&[Action::Show, Action::Refuse, Action::Later]),
                expires: Some(request.expires),
                ..popup
            };
        }
        let mut lines = vec![known_as(request.trust).to_owned(), terms(&request.terms)];
        lines.push("Safety number, the same on both screens:".to_owned());
        lines.extend(in_rows(&request.safety_number));
        let commands = [format!("accept {peer}"), format!("refuse {peer}"), format!("later {peer}")];
        let actions = [Action::Show, Action::Accept, Action::Refuse, Action::Later];
        let popup = self.popup("im", format!("{peer} asks to talk"), &lines, &actions);
        Popup { expires: Some(request.expires), ..self.with_commands(popup, &commands) }
    }

    /// More requests than popups.
    pub(super) fn more_requests(&self, names: &[&UserName], besides_others: bool) -> Popup {
        let who = people(names.len(), besides_others);
        let asks = if names.len() == 1 { "asks" } else { "ask" };
        let popup = self.popup("im", format!("{who} {asks} to talk"), &self.list(names), &[Action::Show]);
        self.with_commands(popup, &["requests".to_owned()])
    }

    /// The relay offers another key for this peer.
    pub(super) fn key_change(&self, peer: &UserName) -> Popup {
        let lines = [
            format!(
                "Either {peer} has a new key, or somebody is posing as {peer}. Ask {peer}, not over this chat, for the safety number; then run:"
            ),
            self.command(&format!("verify {peer}")),
        ];
        let popup =
            self.popup("im.error", format!("{peer} has another key than before"), &lines, &[Action::Show]);
        Popup { urgency: Urgency::Critical, ..popup }
    }

    /// The same for more peers than popups.
    pub(super) fn more_key_changes(&self, names: &[&UserName]) -> Popup {
        let mut lines = self.list(names);
        lines.push(format!("Talk to none of them before you know why: {}", self.command("status")));
        let who = people(names.len(), false);
        let have = if names.len() == 1 { "has" } else { "have" };
        let summary = format!("{who} you know {have} another key than before");
        let popup = self.popup("im.error", summary, &lines, &[Action::Show]);
        Popup { urgency: Urgency::Critical, ..popup }
    }

    /// What was accepted here has become a chat.
    pub(super) fn opened(&self, peer: &UserName) -> Popup {
        let lines = [self.command(&format!("chat {peer}"))];
        let popup = self.popup("im", format!("The chat with {peer} is open"), &lines, &[]);
        Popup { urgency: Urgency::Low, is_transient: true, ..popup }
    }

    /// What was chosen here came to nothing.
    pub(super) fn failed(&self, text: &str) -> Popup {
        let (summary, why) = text.split_once('\n').unwrap_or((text, ""));
        self.popup("im.error", summary.to_owned(), &[self.server.literal(why)], &[])
    }

    /// Somebody has written.
    pub(super) fn texts(&self, texts: &Texts<'_>, shows_text: bool, can_reply: bool) -> Popup {
        let Texts { peer, count, newest, .. } = texts;
        let summary = if *count == 1 {
            format!("{peer} has written")
        } else {
            format!("{peer} has written {count} texts")
        };
        let mut lines = Vec::new();
        if shows_text {
            lines.extend((*count > newest.len()).then(|| "…".to_owned()));
            lines.extend(newest.iter().map(|text| self.server.literal(&short(text))));
        }
        let mut actions = vec![Action::Show];
        actions.extend((can_reply && self.server.inline_reply).then_some(Action::Reply));
        actions.push(Action::Read);
        let popup = self.popup("im.received", summary, &lines, &actions);
        self.with_commands(popup, &[format!("read {peer}")])
    }

    /// More senders than popups.
    pub(super) fn more_texts(&self, names: &[&UserName], besides_others: bool) -> Popup {
        let who = people(names.len(), besides_others);
        let have = if names.len() == 1 { "has" } else { "have" };
        let summary = format!("{who} {have} written");
        let popup = self.popup("im.received", summary, &self.list(names), &[Action::Show]);
        self.with_commands(popup, &["read".to_owned()])
    }

    fn popup(&self, category: &'static str, summary: String, lines: &[String], actions: &[Action]) -> Popup {
        Popup {
            summary,
            body: lines.join("\n"),
            actions: self.actions(actions),
            urgency: Urgency::Normal,
            category,
            expires: None,
            is_transient: false,
        }
    }

    fn actions(&self, actions: &[Action]) -> Vec<Action> {
        if self.server.actions { actions.to_vec() } else { Vec::new() }
    }

    /// Where there are no buttons, the commands; where there is no body either, the first of them.
    fn with_commands(&self, popup: Popup, commands: &[String]) -> Popup {
        if self.server.actions {
            return popup;
        }
        let lines: Vec<_> = commands.iter().map(|command| self.command(command)).collect();
        if self.server.body {
            let body = [popup.body, lines.join("\n")].join("\n").trim_start().to_owned();
            Popup { body, ..popup }
        } else {
            let first = lines.first().map_or("", String::as_str);
            Popup { summary: format!("{}: {first}", popup.summary), ..popup }
        }
    }

    fn command(&self, verb: &str) -> String {
        match self.settings.profile.as_str() {
            "" => format!("secchatctl {verb}"),
            profile => format!("secchatctl --profile {profile} {verb}"),
        }
    }

    /// The names, where names may be shown.
    fn list(&self, names: &[&UserName]) -> Vec<String> {
        if self.settings.show == Show::None {
            return Vec::new();
        }
        let shown: Vec<_> = names.iter().take(NAMES_IN_A_POPUP).map(|name| name.as_str()).collect();
        let others = names.len() - shown.len();
        let mut line = shown.join(", ");
        if others > 0 {
            line += &format!(" and {others} others");
        }
        vec![line]
    }
}

/// Summary and reason, one a line.
pub(super) fn failure(task: &Task, error: &CommandError) -> String {
    let peer = &task.peer;
    let (what, own_text) = match &task.choice {
        Choice::Accept(_) => (format!("Not accepted: {peer}"), None),
        Choice::Refuse => (format!("Not refused: {peer}"), None),
        Choice::Later => (format!("Not kept for later: {peer}"), None),
        Choice::Send(text) => (format!("Not sent to {peer}"), Some(text)),
        Choice::MarkRead(_) => (format!("Not marked as read: {peer}"), None),
    };
    let why = harmless::text(&error.to_string());
    let own_text = own_text.map(|text| format!("\nYour text: {}", harmless::text(text)));
    format!("{what}\n{why}{}", own_text.unwrap_or_default())
}

fn people(count: usize, besides_others: bool) -> String {
    match (count, besides_others) {
        (1, false) => "Somebody".to_owned(),
        (1, true) => "One more".to_owned(),
        (_, false) => format!("{count} people"),
        (_, true) => format!("{count} more people"),
    }
}

fn known_as(trust: KeyTrust) -> &'static str {
    match trust {
        KeyTrust::Unverified => "First contact: nobody has checked this key.",
        KeyTrust::Pinned => "The key is the one of your chats before; you have not verified it.",
        KeyTrust::Verified => "The key is the one that you verified.",
        KeyTrust::Followed => "The key is a new one; the one that you verified vouches for it.",
        KeyTrust::Changed | KeyTrust::Vouched => "The key is another one than before.",
    }
}

fn terms(terms: &Terms) -> String {
    let end = match terms.until {
        Some(until) => format!("A chat until {}", time::local(until)),
        None => "A chat without a set end".to_owned(),
    };
    match terms.history_days {
        Some(0) => end + "; nobody keeps its texts.",
        Some(1) => end + "; its texts may be kept for a day.",
        Some(days) => format!("{end}; its texts may be kept for {days} days."),
        None => end + ".",
    }
}

/// The safety number, four groups a line.
fn in_rows(number: &str) -> Vec<String> {
    let groups: Vec<_> = number.split_whitespace().collect();
    groups.chunks(4).map(|row| row.join(" ")).collect()
}

/// A peer's text: harmless, and no longer than a popup should be.
fn short(text: &str) -> String {
    match text.char_indices().nth(CHARACTERS_OF_A_TEXT) {
        None => harmless::text(text),
        Some((end, _)) => {
            let kept = text.get(..end).unwrap_or_default();
            harmless::text(kept.trim_end_matches(harmless::is_treacherous)) + "…"
        }
    }
}
