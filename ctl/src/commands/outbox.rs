//! `outbox` and `send --queue`: texts for who is away, kept by the daemon until a chat is open.

use std::time::Duration;

use secchat_ipc::client::Incoming;
use secchat_ipc::types::{QueuedOutcome, QueuedText, QueuedTexts};
use secchat_ipc::{Client, ClientError, Command, Event, Reply, UserName};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::rtt;
use super::send;
use crate::cli::{OutboxArgs, OutboxVerb, TermsArgs};
use crate::exit_code::Exit;
use crate::failure::Failure;
use crate::output::Output;
use crate::session::Session;
use crate::time::{self, relative};
use crate::{harmless, view};

pub(super) async fn run(session: &Session, args: OutboxArgs) -> Result<(), Failure> {
    match args.verb {
        None => list(session).await,
        Some(OutboxVerb::Cancel { which }) => cancel(session, which).await,
    }
}

async fn list(session: &Session) -> Result<(), Failure> {
    let Reply::Outbox(texts) = session.call(Command::Outbox).await? else {
        return Err(Failure::unfit_reply());
    };
    if texts.is_empty() {
        session.output.note("the outbox is empty");
    }
    let value = json!({ "texts": texts.iter().map(view::queued_text).collect::<Vec<Value>>() });
    session.output.data(value, |output| table(output, &texts))
}

fn table(output: &Output, texts: &[QueuedText]) -> String {
    let now = time::now();
    let rows: Vec<_> = texts
        .iter()
        .map(|text| {
            let shown = text.beginning.len();
            let more = if u32::try_from(shown).is_ok_and(|shown| shown < text.bytes) { " ..." } else { "" };
            [
                text.id.to_string(),
                text.peer.to_string(),
                view::queued_word(text.is_sent).to_owned(),
                relative(text.queued, now),
                if text.is_sent { "-".to_owned() } else { relative(text.expires, now) },
                harmless::line(&text.beginning) + more,
            ]
        })
        .collect();
    if rows.is_empty() {
        String::new()
    } else {
        output.table(["ID", "USER", "STATE", "LEFT", "ENDS", "TEXT"], &rows)
    }
}

async fn cancel(session: &Session, texts: QueuedTexts) -> Result<(), Failure> {
    let Reply::Cancelled { texts: taken, sent } =
        session.call(Command::CancelQueued { texts: texts.clone() }).await?
    else {
        return Err(Failure::unfit_reply());
    };
    if taken == 0 {
        let message = match &texts {
            QueuedTexts::One(id) => format!("text {id} has left already, and cannot be taken back"),
            QueuedTexts::To(peer) if sent > 0 => {
                format!("all texts for {peer} have left already, and cannot be taken back")
            }
            QueuedTexts::To(peer) => format!("no text for {peer} is in the outbox"),
        };
        return Err(Failure { code: "not_cancelled", ..Failure::failed(message) });
    }
    let sent_too = if sent > 0 { format!("; {sent} more have left already") } else { String::new() };
    let what = if taken == 1 { "one text was".to_owned() } else { format!("{taken} texts were") };
    session.told(json!({ "cancelled": taken, "sent": sent }), &format!("{what} taken back{sent_too}"))
}

/// What `send --queue` leaves.
pub(super) struct Leave {
    pub(super) peer: UserName,
    pub(super) text: String,
    pub(super) lifetime: Option<Duration>,
    /// Ask the peer to talk.
    pub(super) ask: bool,
    /// Wait for what becomes of it.
    pub(super) wait: bool,
}

pub(super) async fn leave(session: &Session, mut client: Client, leave: Leave) -> Result<(), Failure> {
    let Leave { peer, text, lifetime, ask, wait } = leave;
    let lifetime_seconds = rtt::whole_seconds(lifetime.unwrap_or(WAITS));
    let deadline = session.timeout().map(|timeout| Instant::now() + timeout);
    if ask {
        ask_too(session, &mut client, &peer, lifetime_seconds).await?;
    }
    if wait {
        // Before it is left: what becomes of it comes as an event.
        client.subscribe().await?;
    }
    let command = Command::Queue { peer: peer.clone(), text, lifetime_seconds };
    let Reply::Queued { id, expires } = client.call(command, session.limit()).await? else {
        return Err(Failure::unfit_reply());
    };
    let until = relative(expires, time::now());
    session.output.note(&format!(
        "kept as {id} for {peer}: it goes when a chat with {peer} is open, and ends {until} (`secchatctl outbox`)"
    ));
    if wait {
        let outcome = outcome(&mut client, id, deadline).await.map_err(|failure| kept(id, failure))?;
        delivered(&peer, id, outcome)?;
        session.output.detail(&format!("{peer}'s daemon has the text"));
    }
    let value = json!({
        "peer": peer.as_str(),
        "queued": id.to_string(),
        "expires": time::rfc3339(expires),
        "delivered": wait,
    });
    session.output.data(value, |_| String::new())
}

/// Asks for a chat, unless there is one or it is asked for already; the request stands as long as the text waits.
async fn ask_too(
    session: &Session,
    client: &mut Client,
    peer: &UserName,
    lifetime_seconds: u32,
) -> Result<(), Failure> {
    let Reply::Requests { outgoing, .. } = client.call(Command::Requests, session.limit()).await? else {
        return Err(Failure::unfit_reply());
    };
    if outgoing.iter().any(|request| request.peer == *peer) || send::is_open(session, client, peer).await? {
        return Ok(());
    }
    let terms = rtt::proposed(TermsArgs { duration: None, history: None });
    let lifetime_seconds = lifetime_seconds.min(LONGEST_REQUEST);
    let command = Command::Rtt { peer: peer.clone(), terms, lifetime_seconds, wait: false };
    let not_left = |error: ClientError| {
        let failure = Failure::from(error);
        Failure {
            message: format!("nothing was left, because {peer} cannot be asked: {}", failure.message),
            ..failure
        }
    };
    client.call(command, session.limit()).await.map(drop).map_err(not_left)
}

async fn outcome(
    client: &mut Client,
    wanted: u64,
    deadline: Option<Instant>,
) -> Result<QueuedOutcome, Failure> {
    loop {
        let incoming = match deadline {
            Some(deadline) => tokio::time::timeout_at(deadline, client.next())
                .await
                .map_err(|_| Failure::timed_out("nothing is known of the text yet"))?,
            None => client.next().await,
        };
        if let Incoming::Event { event: Event::QueuedTextsEnded { ids, outcome, .. }, .. } = incoming?
            && ids.contains(&wanted)
        {
            return Ok(outcome);
        }
    }
}

/// A failure after which the text is still in the outbox.
fn kept(id: u64, failure: Failure) -> Failure {
    let message = format!("{}; it stays in the outbox as {id}", failure.message);
    Failure { message, ..failure }
}

fn delivered(peer: &UserName, id: u64, outcome: QueuedOutcome) -> Result<(), Failure> {
    let (exit, code, message) = match outcome {
        QueuedOutcome::Delivered => return Ok(()),
        QueuedOutcome::NotDelivered => (
            Exit::NoChat,
            "not_delivered",
            format!("text {id} was sent, and the chat ended before {peer}'s daemon acknowledged it"),
        ),
        QueuedOutcome::Expired => (
            Exit::TimedOut,
            "expired",
            format!("no chat with {peer} was open in time: text {id} was not sent"),
        ),
        QueuedOutcome::Cancelled => (Exit::Failed, "cancelled", format!("text {id} was taken back")),
        QueuedOutcome::KeyGone => (
            Exit::KeyNotTrusted,
            "key_gone",
            format!("text {id} was meant for a key that is {peer}'s no more: it was not sent"),
        ),
    };
    Err(Failure { exit, code, message })
}

/// How long a text waits where nobody says: over a weekend, and a week's absence.
const WAITS: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// The longest life of a request, in seconds.
const LONGEST_REQUEST: u32 = 7 * 24 * 60 * 60;
