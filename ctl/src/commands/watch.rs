//! `watch`: events as they happen, a line or a command each.

use secchat_ipc::client::Incoming;
use secchat_ipc::time;
use secchat_ipc::{ClientError, Event, Snapshot};
use serde_json::json;
use tokio::time::Instant;

use super::{consume, hook};
use crate::cli::WatchArgs;
use crate::event_view;
use crate::failure::Failure;
use crate::output::Style;
use crate::session::Session;

pub(super) async fn run(session: &Session, args: WatchArgs) -> Result<(), Failure> {
    if args.consumers {
        return consume::list(session).await;
    }
    if let Some(consumer) = args.consumer.clone() {
        return consume::run(session, &args, consumer).await;
    }
    let deadline = session.timeout().map(|timeout| Instant::now() + timeout);
    let mut client = session.connect().await?;
    let mut state = client.subscribe().await?;
    let missed = args.since.is_some_and(|since| since != state.sequence);
    if missed {
        gap(session, &args, &state)?;
    }
    if args.snapshot || missed {
        let status = Event::StatusChanged(state.status.clone());
        for event in [status].into_iter().chain(state.replicate()) {
            if is_wanted(&args, &state, &event) {
                show(session, &args, state.sequence, &event).await?;
                if args.once {
                    return Ok(());
                }
            }
        }
    }
    loop {
        let next = client.next();
        let incoming = match deadline {
            Some(deadline) => match tokio::time::timeout_at(deadline, next).await {
                Ok(incoming) => incoming,
                Err(_) if args.once => return Err(Failure::timed_out("no such event came in time")),
                Err(_) => return Ok(()),
            },
            None => next.await,
        };
        let Incoming::Event { sequence, event } = incoming.map_err(lost)? else { continue };
        let wanted = is_wanted(&args, &state, &event);
        state.apply(&event);
        if wanted {
            show(session, &args, sequence, &event).await?;
            if args.once {
                return Ok(());
            }
        }
    }
}

/// The daemon is gone, or does not go on.
pub(super) fn lost(error: ClientError) -> Failure {
    let failure = Failure::from(error);
    Failure { message: format!("no more events: {}", failure.message), ..failure }
}

/// Says that events are missing between the one that was named and the state that follows.
fn gap(session: &Session, args: &WatchArgs, state: &Snapshot) -> Result<(), Failure> {
    let since = args.since.unwrap_or_default();
    if args.exec.is_some() {
        session.output.warn(&format!("events since {since} were missed: the state now follows"));
        return Ok(());
    }
    let object = json!({ "event": "gap", "sequence": state.sequence, "since": since });
    session.output.data(object, |output| {
        let text = format!("events since {since} were missed: the state now follows");
        format!("{}\n", output.styled(Style::Yellow, &text))
    })
}

fn is_wanted(args: &WatchArgs, state: &Snapshot, event: &Event) -> bool {
    let kind = is_of_kind(args, event);
    let peer = args.peer.as_ref().is_none_or(|wanted| {
        let named = event_view::peer(event);
        if let (None, Event::MessagesRead { chat_id, .. }) = (named, event) {
            return state.chats.iter().any(|chat| chat.chat_id == *chat_id && chat.peer == *wanted);
        }
        named == Some(wanted)
    });
    kind && peer
}

/// Whether the event is of a kind that is asked for.
pub(super) fn is_of_kind(args: &WatchArgs, event: &Event) -> bool {
    args.only.is_empty() || args.only.contains(&event_view::kind(event))
}

/// Prints an event.
pub(super) fn print(session: &Session, sequence: u64, event: &Event) -> Result<(), Failure> {
    session.output.data(event_view::object(sequence, event), |output| {
        let when = output.styled(Style::Dim, &time::local(time::now()));
        format!("{when}  {}\n", event_view::sentence(event))
    })
}

async fn show(session: &Session, args: &WatchArgs, sequence: u64, event: &Event) -> Result<(), Failure> {
    let Some(command) = &args.exec else { return print(session, sequence, event) };
    match hook::run(command, event_view::peer(event), &event_view::object(sequence, event)).await {
        Err(failure) if !args.once => {
            session.output.warn(&failure.message);
            Ok(())
        }
        ended => ended,
    }
}
