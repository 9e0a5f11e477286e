//! What a line that starts with a slash does.

use secchat_ipc::types::Terms;
use secchat_ipc::{Command, UserName};

use super::{Answer, Dialog, Model, Moment, Waiting};

/// What was typed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line<'a> {
    Nothing,
    Text(&'a str),
    Verb(Verb),
}

/// What the person wants done.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verb {
    Answer(Answer),
    Ask(Option<UserName>),
    Withdraw,
    Close,
    Verify(Option<String>),
    Who,
    Open(UserName),
    Help,
    Quit,
}

/// Reads what was typed: a slash makes it a verb, two make it a text that starts with one.
pub(super) fn parse(typed: &str) -> Result<Line<'_>, String> {
    let Some(line) = typed.strip_prefix('/') else {
        let is_blank = typed.trim().is_empty();
        return Ok(if is_blank { Line::Nothing } else { Line::Text(typed) });
    };
    if line.starts_with('/') {
        return Ok(Line::Text(line));
    }
    let (verb, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    let rest = rest.trim();
    let verb = match (verb, rest) {
        ("accept", "") => Verb::Answer(Answer::Accept),
        ("refuse", "") => Verb::Answer(Answer::Refuse),
        ("refuse", "quietly") => Verb::Answer(Answer::RefuseQuietly),
        ("later", "") => Verb::Answer(Answer::Later),
        ("ask", "") => Verb::Ask(None),
        ("ask", name) => Verb::Ask(Some(user(name)?)),
        ("withdraw", "") => Verb::Withdraw,
        ("close", "") => Verb::Close,
        ("verify", "") => Verb::Verify(None),
        ("verify", number) => Verb::Verify(Some(number.to_owned())),
        ("who", "") => Verb::Who,
        ("open", name) => Verb::Open(user(name)?),
        ("help", "") => Verb::Help,
        ("quit", "") => Verb::Quit,
        _ => return Err(format!("/{line} is not known: F1 shows what is; // starts a text with a slash")),
    };
    Ok(Line::Verb(verb))
}

fn user(name: &str) -> Result<UserName, String> {
    UserName::parse(name).map_err(|error| format!("{name:?} is no name: {error}"))
}

impl Model {
    pub(super) fn obey(&mut self, verb: Verb, now: Moment) {
        match verb {
            Verb::Answer(answer) => self.ask_back(answer, now),
            Verb::Ask(None) => self.about_peer(|peer| (request_to(peer), Waiting::Deed)),
            Verb::Ask(Some(peer)) => {
                self.open(peer);
                self.about_peer(|peer| (request_to(peer), Waiting::Deed));
            }
            Verb::Withdraw => self.about_peer(|peer| (Command::Withdraw { peer }, Waiting::Deed)),
            Verb::Close => self.about_peer(|peer| (Command::Close { peer }, Waiting::Deed)),
            Verb::Verify(None) => self.about_peer(|peer| {
                (Command::SafetyNumber { peer: peer.clone() }, Waiting::SafetyNumber(peer))
            }),
            Verb::Verify(Some(number)) => self.about_peer(|peer| {
                (Command::ConfirmSafetyNumber { peer: peer.clone(), number }, Waiting::Verification(peer))
            }),
            Verb::Who => self.command(Command::List, Waiting::Users),
            Verb::Open(peer) => self.open(peer),
            Verb::Help => self.dialog = Some(Dialog::Help(0)),
            Verb::Quit => self.leave(),
        }
    }

    fn about_peer(&mut self, command: impl FnOnce(UserName) -> (Command, Waiting)) {
        if let Some(peer) = self.current.clone() {
            let (command, waiting) = command(peer);
            self.command(command, waiting);
        }
    }

    fn command(&mut self, command: Command, waiting: Waiting) {
        if self.lost.is_none() {
            self.ask(command, waiting);
        }
    }
}

fn request_to(peer: UserName) -> Command {
    // As with `rtt`: keeping texts needs consent, who says nothing asks for none.
    let terms = Terms { until: None, history_days: Some(0) };
    Command::Rtt { peer, terms, lifetime_seconds: REQUEST_SECONDS, wait: false }
}

/// How long a request stands that is made here: as with `rtt --no-wait`.
const REQUEST_SECONDS: u32 = 86_400;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slash_makes_a_verb_and_two_make_a_text() {
        let bob = || UserName::parse("bob").unwrap();
        for (typed, line) in [
            ("", Line::Nothing),
            (" \n", Line::Nothing),
            ("hi / there", Line::Text("hi / there")),
            ("//etc/passwd", Line::Text("/etc/passwd")),
            ("/accept", Line::Verb(Verb::Answer(Answer::Accept))),
            ("/refuse quietly", Line::Verb(Verb::Answer(Answer::RefuseQuietly))),
            ("/ask bob ", Line::Verb(Verb::Ask(Some(bob())))),
            ("/open bob", Line::Verb(Verb::Open(bob()))),
            ("/verify 12345 67890", Line::Verb(Verb::Verify(Some("12345 67890".to_owned())))),
        ] {
            assert_eq!(parse(typed), Ok(line));
        }
        for typed in ["/", "/acept", "/accept bob", "/open", "/open Bob", "/etc/passwd"] {
            assert!(parse(typed).is_err(), "{typed}");
        }
    }
}
