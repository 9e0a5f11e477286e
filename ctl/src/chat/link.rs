//! The window's connection to the daemon, made anew when it is lost.

use std::collections::BTreeMap;
use std::time::Duration;

use secchat_ipc::client::Incoming;
use secchat_ipc::{Client, ClientError, Command, Snapshot};
use tokio::time::Instant;

use super::model::Input;
use crate::failure::Failure;
use crate::session::Session;

/// A connection, or the next attempt at one.
#[derive(Debug)]
pub(crate) struct Link<'a> {
    session: &'a Session,
    state: State,
}

#[derive(Debug)]
enum State {
    /// Connected; which ticket each command came with, by its id.
    Up { client: Box<Client>, tickets: BTreeMap<u64, u64> },
    /// Lost, but nobody has been told yet.
    Broken(String),
    /// Lost.
    Down { retry_at: Instant },
}

impl<'a> Link<'a> {
    /// Connects, and fetches the state.
    ///
    /// # Errors
    /// When there is no daemon to talk to.
    pub(crate) async fn open(session: &'a Session) -> Result<(Self, Snapshot), Failure> {
        let mut client = session.connect().await?;
        let snapshot = client.subscribe().await?;
        let state = State::Up { client: Box::new(client), tickets: BTreeMap::new() };
        Ok((Self { session, state }, snapshot))
    }

    /// Gives the daemon a command. Where it cannot be given, the connection is taken for lost.
    pub(crate) fn ask(&mut self, ticket: u64, command: Command) {
        let State::Up { client, tickets } = &mut self.state else { return };
        match client.send(command, PATIENCE) {
            Ok(id) => drop(tickets.insert(id, ticket)),
            Err(error) => self.state = State::Broken(lost(&error)),
        }
    }

    /// What the daemon says next. Cancel-safe.
    pub(crate) async fn next(&mut self) -> Input {
        loop {
            match &mut self.state {
                State::Up { client, tickets } => match client.next().await {
                    Ok(Incoming::Event { event, .. }) => return Input::Event(event),
                    Ok(Incoming::Reply { id, result }) => {
                        if let Some(ticket) = tickets.remove(&id) {
                            return Input::Reply { ticket, result };
                        }
                    }
                    Err(error) => self.state = State::Broken(lost(&error)),
                },
                State::Broken(why) => {
                    let why = std::mem::take(why);
                    self.state = State::Down { retry_at: Instant::now() + PAUSE };
                    return Input::Lost(why);
                }
                State::Down { retry_at } => {
                    tokio::time::sleep_until(*retry_at).await;
                    match Self::open(self.session).await {
                        Ok((link, snapshot)) => {
                            self.state = link.state;
                            return Input::Back(Box::new(snapshot));
                        }
                        Err(failure) => self.state = State::Broken(failure.message),
                    }
                }
            }
        }
    }
}

fn lost(error: &ClientError) -> String {
    format!("{error}; trying again")
}

/// A text may wait for a peer who is away for as long as the window is open.
const PATIENCE: Duration = Duration::from_millis(u32::MAX as u64);

/// Between attempts to find a daemon.
const PAUSE: Duration = Duration::from_secs(1);
