//! `read`: unread texts. They count as read once they are printed.

use std::collections::BTreeMap;

use secchat_ipc::types::{ChatId, Message};
use secchat_ipc::{Client, Command, Reply};

use crate::cli::ReadArgs;
use crate::failure::Failure;
use crate::output::{Output, Style};
use crate::session::Session;
use crate::{harmless, time, view};

pub(super) async fn run(session: &Session, args: ReadArgs) -> Result<(), Failure> {
    let mut client = session.connect().await?;
    let started = time::now();
    // Looked at first and read when printed: a closed pipe loses nothing.
    let look = Command::Read { peer: args.user, peek: true };
    let mut messages = texts(session, &mut client, &look).await?;
    if messages.is_empty() {
        session.output.note("nothing unread");
    }
    loop {
        for message in &messages {
            session.output.data(view::message(message), |output| shown(output, message))?;
        }
        if messages.is_empty() || args.peek {
            return Ok(());
        }
        mark(session, &mut client, &messages).await?;
        // One reply holds a part of a large inbox, and room in it lets held-back texts in. Who writes faster than
        // this reads does not keep it running for ever.
        if messages.iter().any(|message| message.received > started) {
            return Ok(());
        }
        messages = texts(session, &mut client, &look).await?;
    }
}

async fn texts(session: &Session, client: &mut Client, look: &Command) -> Result<Vec<Message>, Failure> {
    let Reply::Messages(messages) = client.call(look.clone(), session.limit()).await? else {
        return Err(Failure::unfit_reply());
    };
    Ok(messages)
}

async fn mark(session: &Session, client: &mut Client, messages: &[Message]) -> Result<(), Failure> {
    let mut last: BTreeMap<ChatId, u64> = BTreeMap::new();
    for message in messages {
        let up_to = last.entry(message.chat_id).or_default();
        *up_to = message.id.max(*up_to);
    }
    for (chat_id, up_to) in last {
        client.call(Command::MarkRead { chat_id, up_to }, session.limit()).await?;
    }
    Ok(())
}

/// A text as a person sees it: who, when, what; no line of it can look like another's.
pub(super) fn shown(output: &Output, message: &Message) -> String {
    let head = format!("{} {}", message.peer, output.styled(Style::Dim, &time::local(message.received)));
    let text = harmless::text(&message.text);
    let mut lines = text.split('\n');
    let first = lines.next().unwrap_or_default();
    let mut shown = format!("{head}  {first}\n");
    for line in lines {
        shown += &format!("    {line}\n");
    }
    shown
}
