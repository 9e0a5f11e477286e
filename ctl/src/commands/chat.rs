//! `chat`: conversations. On a terminal in a window ([`chat`]), elsewhere one of them line by line: lines of standard
//! input are sent in order, what arrives is shown, and the end waits until every text is acknowledged.

use std::collections::BTreeMap;
use std::io::{BufRead as _, Read as _};

use secchat_ipc::client::Incoming;
use secchat_ipc::codec::MAX_TEXT_BYTES;
use secchat_ipc::types::{ChatId, Message};
use secchat_ipc::{Client, ClientError, Command, CommandError, Event, Reply, Snapshot, UserName};
use tokio::sync::mpsc;

use super::{read, send};
use crate::failure::Failure;
use crate::session::Session;
use crate::{chat, event_view};

pub(super) async fn run(session: &Session, peer: Option<UserName>) -> Result<(), Failure> {
    if chat::is_possible(session) {
        return chat::run(session, peer).await;
    }
    let Some(peer) = peer else {
        return Err(Failure::usage(
            "say with whom: only a window on a whole terminal holds all conversations",
        ));
    };
    by_lines(session, peer).await
}

async fn by_lines(session: &Session, peer: UserName) -> Result<(), Failure> {
    let mut client = session.connect().await?;
    let state = client.subscribe().await?;
    let chat_id = state.chats.iter().find(|chat| chat.peer == peer).map(|chat| chat.chat_id);
    let chat_id = chat_id.ok_or_else(|| CommandError::NoChat { peer: peer.clone() })?;
    session
        .output
        .note(&format!("talking to {peer}; every line is sent; /quit or Ctrl-D ends this, not the chat"));
    let mut conversation = Conversation {
        session,
        client,
        peer,
        chat_id,
        waiting: BTreeMap::new(),
        failed: 0,
        first_failure: None,
        input_is_over: false,
    };
    conversation.show_unread(&state)?;
    conversation.hold(lines()).await
}

/// What goes on between the two.
struct Conversation<'a> {
    session: &'a Session,
    client: Client,
    peer: UserName,
    chat_id: ChatId,
    /// What the daemon has not answered yet.
    waiting: BTreeMap<u64, Waiting>,
    failed: usize,
    first_failure: Option<Failure>,
    input_is_over: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Waiting {
    Text,
    ReadMark,
}

impl Conversation<'_> {
    async fn hold(mut self, mut lines: mpsc::Receiver<Result<String, Failure>>) -> Result<(), Failure> {
        while !(self.input_is_over && self.waiting.is_empty()) {
            let takes_lines = !self.input_is_over && self.waiting.len() < WINDOW;
            tokio::select! {
                line = lines.recv(), if takes_lines => self.typed(line)?,
                incoming = self.client.next() => self.arrived(incoming?)?,
            }
        }
        match self.first_failure {
            None => Ok(()),
            Some(failure) if self.failed < 2 => Err(failure),
            Some(failure) => {
                let message = format!("{} texts were not acknowledged: {}", self.failed, failure.message);
                Err(Failure { message, ..failure })
            }
        }
    }

    fn show_unread(&mut self, state: &Snapshot) -> Result<(), Failure> {
        for message in &state.unread {
            if message.peer != self.peer {
                continue;
            }
            let event = Event::MessageReceived(message.clone());
            self.show(state.sequence, &event, message)?;
        }
        Ok(())
    }

    fn typed(&mut self, line: Option<Result<String, Failure>>) -> Result<(), Failure> {
        let text = match line {
            None => {
                self.input_is_over = true;
                return Ok(());
            }
            Some(Err(failure)) => {
                self.fail(failure);
                return Ok(());
            }
            Some(Ok(text)) => text,
        };
        match text.as_str() {
            "" => {}
            "/quit" => self.input_is_over = true,
            // So that "/quit" itself can be said.
            "//quit" => self.send("/quit".to_owned())?,
            _ => match send::checked(text) {
                Ok(text) => self.send(text)?,
                Err(failure) => self.fail(failure),
            },
        }
        Ok(())
    }

    fn send(&mut self, text: String) -> Result<(), Failure> {
        let command = Command::Send { peer: self.peer.clone(), text };
        let id = self.client.send(command, self.session.limit())?;
        self.waiting.insert(id, Waiting::Text);
        Ok(())
    }

    fn arrived(&mut self, incoming: Incoming) -> Result<(), Failure> {
        match incoming {
            Incoming::Reply { id, result } => {
                let waited = self.waiting.remove(&id);
                match result {
                    Err(error) if waited == Some(Waiting::Text) => {
                        self.fail(send::unsent(&self.peer, ClientError::Command(error)));
                    }
                    Ok(Reply::Delivered { .. } | Reply::Done) | Err(_) => {}
                    Ok(_) => return Err(Failure::unfit_reply()),
                }
                Ok(())
            }
            Incoming::Event { sequence, event } => self.changed(sequence, &event),
        }
    }

    fn changed(&mut self, sequence: u64, event: &Event) -> Result<(), Failure> {
        if let Event::MessageReceived(message) = event
            && message.peer == self.peer
        {
            return self.show(sequence, event, message);
        }
        // The daemon goes on with a newer chat where there is one.
        if let Event::ChatChanged(chat) = event
            && chat.peer == self.peer
        {
            self.chat_id = chat.chat_id;
        }
        if let Event::ChatEnded { peer, chat_id, reason, undelivered, missing } = event
            && *chat_id == self.chat_id
        {
            self.input_is_over = true;
            let note = event_view::ended(peer, *reason, *undelivered, *missing);
            return self.session.told(event_view::object(sequence, event), &note);
        }
        Ok(())
    }

    /// Prints a text, and tells the daemon that it was read.
    fn show(&mut self, sequence: u64, event: &Event, message: &Message) -> Result<(), Failure> {
        let object = event_view::object(sequence, event);
        self.session.output.data(object, |output| read::shown(output, message))?;
        let command = Command::MarkRead { chat_id: message.chat_id, up_to: message.id };
        let id = self.client.send(command, self.session.limit())?;
        self.waiting.insert(id, Waiting::ReadMark);
        Ok(())
    }

    /// Stops reading: what comes after a text that did not arrive must not arrive without it.
    fn fail(&mut self, failure: Failure) {
        self.failed = self.failed.saturating_add(1);
        self.input_is_over = true;
        self.first_failure.get_or_insert(failure);
    }
}

/// Standard input, line by line, from a thread of its own: a terminal cannot be read otherwise.
fn lines() -> mpsc::Receiver<Result<String, Failure>> {
    let (sender, receiver) = mpsc::channel(WINDOW);
    std::thread::spawn(move || {
        let mut input = std::io::stdin().lock();
        while let Some(line) = next_line(&mut input) {
            let failed = line.is_err();
            if sender.blocking_send(line).is_err() || failed {
                break;
            }
        }
    });
    receiver
}

fn next_line(input: &mut impl std::io::BufRead) -> Option<Result<String, Failure>> {
    let most = u64::try_from(MAX_TEXT_BYTES).unwrap_or(u64::MAX).saturating_add(2);
    let mut bytes = Vec::new();
    match input.by_ref().take(most).read_until(b'\n', &mut bytes) {
        Ok(0) => return None,
        Ok(_) => {}
        Err(error) => return Some(Err(Failure::failed(format!("cannot read standard input: {error}")))),
    }
    if bytes.last() == Some(&b'\n') {
        bytes.pop();
    }
    if bytes.len() > MAX_TEXT_BYTES {
        return Some(Err(Failure::usage(format!(
            "a line has more than the {} bytes of one text: it and what follows was not sent",
            send::grouped(MAX_TEXT_BYTES)
        ))));
    }
    let not_text = |_| Failure::usage("a line is not UTF-8: it and what follows was not sent");
    Some(String::from_utf8(bytes).map_err(not_text))
}

/// Texts on their way to the daemon at once, and lines read ahead: enough to keep both ends busy, few enough to show
/// a failure before much more is read.
const WINDOW: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn input_is_cut_into_lines() {
        let mut input = &b"one\n\ntwo\r\nlast"[..];
        let mut next = || next_line(&mut input).map(Result::unwrap);
        assert_eq!(next().as_deref(), Some("one"));
        assert_eq!(next().as_deref(), Some(""));
        assert_eq!(next().as_deref(), Some("two\r"));
        assert_eq!(next().as_deref(), Some("last"));
        assert_eq!(next(), None);
    }

    #[test]
    fn endless_and_garbled_lines_are_refused() {
        let longest = "x".repeat(MAX_TEXT_BYTES) + "\n";
        assert!(next_line(&mut longest.as_bytes()).unwrap().is_ok());
        let longer = "x".repeat(MAX_TEXT_BYTES + 1) + "\n";
        assert!(next_line(&mut longer.as_bytes()).unwrap().unwrap_err().message.contains("32,768"));
        assert!(next_line(&mut std::io::BufReader::new(std::io::repeat(b'x'))).unwrap().is_err());
        assert!(next_line(&mut &b"\xff\n"[..]).unwrap().is_err());
    }
}
