//! `watch --consumer`: the daemon's log of events, each until it is done with.

use std::time::Duration;

use secchat_ipc::types::Consumer;
use secchat_ipc::{Client, Command, Event, Reply};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{hook, watch};
use crate::cli::WatchArgs;
use crate::event_view;
use crate::failure::Failure;
use crate::output::Style;
use crate::session::Session;
use crate::{time, view};

pub(super) async fn list(session: &Session) -> Result<(), Failure> {
    let Reply::Consumers(consumers) = session.call(Command::Consumers).await? else {
        return Err(Failure::unfit_reply());
    };
    if consumers.is_empty() {
        session.output.note("nobody reads the log of events, so none is kept");
    }
    let value = json!({ "consumers": consumers.iter().map(view::consumer).collect::<Vec<Value>>() });
    session.output.data(value, |output| {
        let row = |it: &Consumer| {
            let read = if it.is_read { "now" } else { "-" };
            [it.name.clone(), it.waiting.to_string(), it.missed.to_string(), read.to_owned()]
        };
        let rows: Vec<_> = consumers.iter().map(row).collect();
        if rows.is_empty() {
            String::new()
        } else {
            output.table(["NAME", "WAITING", "MISSED", "READS"], &rows)
        }
    })
}

pub(super) async fn run(session: &Session, args: &WatchArgs, consumer: String) -> Result<(), Failure> {
    if args.forget {
        let note = format!("the consumer {consumer} is dropped");
        session.done(Command::ForgetConsumer { consumer: consumer.clone() }).await?;
        return session.told(json!({ "consumer": consumer, "forgotten": true }), &note);
    }
    let deadline = session.timeout().map(|timeout| Instant::now() + timeout);
    let client = session.connect().await?;
    Reader { session, args, consumer, client, deadline, acknowledged: 0 }.run().await
}

struct Reader<'a> {
    session: &'a Session,
    args: &'a WatchArgs,
    consumer: String,
    client: Client,
    deadline: Option<Instant>,
    acknowledged: u64,
}

impl Reader<'_> {
    async fn run(&mut self) -> Result<(), Failure> {
        loop {
            let left = self.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            if left.is_some_and(|left| left.is_zero()) {
                let none_came = Failure::timed_out("no such event came in time");
                return if self.args.once { Err(none_came) } else { Ok(()) };
            }
            // One at a time: an event is acknowledged before the next one is begun.
            let read = self.read(1);
            let limit = left.map_or(POLL, |left| left.clamp(Duration::from_millis(1), POLL));
            let answer = self.client.call(read, limit).await.map_err(watch::lost)?;
            let Reply::Events { missed, events } = answer else { return Err(Failure::unfit_reply()) };
            for logged in events {
                if missed > 0 {
                    self.tell(Told::Gap { missed, before: logged.number }).await?;
                }
                let is_wanted = watch::is_of_kind(self.args, &logged.event)
                    && self
                        .args
                        .peer
                        .as_ref()
                        .is_none_or(|peer| event_view::peer(&logged.event) == Some(peer));
                if is_wanted {
                    self.tell(Told::Event(logged.number, &logged.event)).await?;
                }
                self.acknowledged = logged.number;
                if is_wanted && self.args.once {
                    let acknowledge = self.read(0);
                    return self.client.call(acknowledge, POLL).await.map(drop).map_err(watch::lost);
                }
            }
        }
    }

    fn read(&self, most: u16) -> Command {
        Command::Consume { consumer: self.consumer.clone(), acknowledged: self.acknowledged, most }
    }

    /// Prints it, or runs the command until it succeeds.
    async fn tell(&self, told: Told<'_>) -> Result<(), Failure> {
        let Some(command) = &self.args.exec else { return told.print(self.session) };
        let mut wait = FIRST_RETRY;
        loop {
            let Err(failure) = hook::run(command, told.peer(), &told.object()).await else { return Ok(()) };
            if self.args.once {
                return Err(failure);
            }
            let again = format!("{}; it is tried again in {} s", failure.message, wait.as_secs());
            self.session.output.warn(&again);
            let next = Instant::now() + wait;
            if let Some(deadline) = self.deadline.filter(|deadline| *deadline < next) {
                tokio::time::sleep_until(deadline).await;
                return Err(failure);
            }
            tokio::time::sleep_until(next).await;
            wait = wait.saturating_mul(2).min(LAST_RETRY);
        }
    }
}

/// What is told.
#[derive(Clone, Copy)]
enum Told<'a> {
    Event(u64, &'a Event),
    /// So many events before this one are gone.
    Gap {
        missed: u64,
        before: u64,
    },
}

impl Told<'_> {
    fn object(&self) -> Value {
        match self {
            Self::Event(number, event) => event_view::object(*number, event),
            Self::Gap { missed, before } => json!({ "event": "gap", "sequence": before, "missed": missed }),
        }
    }

    fn peer(&self) -> Option<&secchat_ipc::UserName> {
        match self {
            Self::Event(_, event) => event_view::peer(event),
            Self::Gap { .. } => None,
        }
    }

    fn print(&self, session: &Session) -> Result<(), Failure> {
        match self {
            Self::Event(number, event) => watch::print(session, *number, event),
            Self::Gap { missed, .. } => session.output.data(self.object(), |output| {
                let text = format!("{missed} events are gone: they waited for too long, or were too many");
                let when = output.styled(Style::Dim, &time::local(time::now()));
                format!("{when}  {}\n", output.styled(Style::Yellow, &text))
            }),
        }
    }
}

/// How long one call waits for an event.
const POLL: Duration = Duration::from_secs(60);
/// First wait before a command that failed runs again; doubles each time.
const FIRST_RETRY: Duration = Duration::from_secs(1);
const LAST_RETRY: Duration = Duration::from_secs(60);
