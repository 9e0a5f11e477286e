//! The bridge: the daemon's commands and events as JSON-RPC 2.0, one object a line on standard input and output.
//!
//! For programs that do not speak secchat-ipc. `docs/bridge.schema.json` says what goes in and comes out; a test holds
//! this code to it. [`lines`] bounds what comes in, [`request`] finds the call in a line, [`method`] makes it a
//! command, [`reply`] its outcome an object again. What goes out waits in the pipe only: a reader that does not keep up
//! stops this program, and the daemon cuts it off as any other frontend.

mod lines;
mod method;
mod params;
mod reply;
mod request;
#[cfg(test)]
mod samples;
#[cfg(test)]
mod schema_tests;

use std::collections::BTreeMap;

use secchat_ipc::client::Incoming;
use secchat_ipc::{Client, ClientError};
use serde_json::{Value, json};

use crate::event_view;
use crate::failure::Failure;
use crate::session::Session;
use lines::{Line, Lines};
use method::Call;
use request::{Id, Refusal, Request};

/// Serves one program, until its input ends and all of it is answered, or the daemon goes away.
pub(crate) async fn run(session: &Session) -> Result<(), Failure> {
    let client = session.connect().await?;
    let mut bridge = Bridge { session, client, waiting: BTreeMap::new() };
    let served = bridge.serve(Lines::of_stdin()).await;
    if let Err(failure) = &served {
        bridge.fail_waiting(failure)?;
    }
    served
}

struct Bridge<'a> {
    session: &'a Session,
    client: Client,
    /// What the daemon has not answered yet: the caller's id by ours; none for a notification.
    waiting: BTreeMap<u64, Option<Id>>,
}

impl Bridge<'_> {
    async fn serve(&mut self, mut lines: Lines) -> Result<(), Failure> {
        let mut input_is_over = false;
        while !(input_is_over && self.waiting.is_empty()) {
            let takes_lines = !input_is_over && self.waiting.len() < MAX_UNANSWERED;
            tokio::select! {
                line = lines.next(), if takes_lines => match line? {
                    Some(line) => self.take(&line)?,
                    None => input_is_over = true,
                },
                incoming = self.client.next() => self.arrived(incoming?)?,
            }
        }
        Ok(())
    }

    fn take(&mut self, line: &Line) -> Result<(), Failure> {
        match request::parse(line) {
            Ok(None) => Ok(()),
            Ok(Some(Request { id, method, params })) => match method::parse(&method, params) {
                Ok(Call::Version) => self.answer(id, Ok(self.version())),
                Ok(Call::Command(command)) => match self.client.send(command, self.session.limit()) {
                    Ok(sent) => {
                        self.waiting.insert(sent, id);
                        Ok(())
                    }
                    Err(error @ (ClientError::Unfit(_) | ClientError::Busy)) => {
                        self.answer(id, Err(Refusal::of(&error.into())))
                    }
                    Err(error) => Err(error.into()),
                },
                Err(refusal) => self.answer(id, Err(refusal)),
            },
            Err((id, refusal)) => self.answer(Some(id), Err(refusal)),
        }
    }

    fn arrived(&mut self, incoming: Incoming) -> Result<(), Failure> {
        match incoming {
            Incoming::Reply { id, result } => {
                let id = self.waiting.remove(&id).flatten();
                let result = result.map(|reply| reply::object(&reply));
                self.answer(id, result.map_err(|error| Refusal::of(&error.into())))
            }
            Incoming::Event { sequence, event } => self.print(&json!({
                "jsonrpc": "2.0",
                "method": "event",
                "params": event_view::object(sequence, &event),
            })),
        }
    }

    fn version(&self) -> Value {
        json!({
            "bridge": VERSION,
            "secchatctl": env!("CARGO_PKG_VERSION"),
            "daemon": self.client.daemon().build,
            "methods": method::METHODS.as_slice(),
        })
    }

    /// Answers a call; a notification gets no answer, whatever came of it.
    fn answer(&self, id: Option<Id>, result: Result<Value, Refusal>) -> Result<(), Failure> {
        let Some(id) = id else { return Ok(()) };
        self.print(&match result {
            Ok(result) => json!({ "jsonrpc": "2.0", "id": id.value(), "result": result }),
            Err(refusal) => json!({ "jsonrpc": "2.0", "id": id.value(), "error": refusal.object() }),
        })
    }

    /// The daemon is gone, or the input: nobody will answer what waits.
    fn fail_waiting(&mut self, failure: &Failure) -> Result<(), Failure> {
        for id in std::mem::take(&mut self.waiting).into_values() {
            self.answer(id, Err(Refusal::of(failure)))?;
        }
        Ok(())
    }

    fn print(&self, value: &Value) -> Result<(), Failure> {
        self.session.output.json(value)
    }
}

/// The version of what goes in and comes out: it rises with what is added, and nothing is ever taken away.
const VERSION: u32 = 1;

/// Calls under way at once: half of what the daemon takes from one frontend. More are not read until some are answered.
const MAX_UNANSWERED: usize = 64;
