//! A frontend that awaits what a daemon shows.

use std::path::Path;
use std::time::Duration;

use secchat_ipc::client::ClientError;
use secchat_ipc::types::{ChatState, RequestState};
use secchat_ipc::{Client, Command, CommandError, Event, Reply, Snapshot, UserName};

use crate::deadline::within;

/// A subscribed connection and the daemon's state as it sees it.
#[derive(Debug)]
pub struct Frontend {
    client: Client,
    state: Snapshot,
}

impl Frontend {
    /// Connects and subscribes.
    ///
    /// # Panics
    /// When the daemon does not serve it.
    pub async fn attach(socket: &Path) -> Self {
        within("a snapshot", async {
            let mut client = Client::connect_to(socket, "test").await.expect("connection");
            let state = client.subscribe().await.expect("snapshot");
            Self { client, state }
        })
        .await
    }

    /// The daemon's state as far as it has been awaited.
    #[must_use]
    pub fn state(&self) -> &Snapshot {
        &self.state
    }

    /// The next event.
    ///
    /// # Panics
    /// When the connection fails or nothing comes.
    pub async fn next_event(&mut self) -> Event {
        // The state is shown only where it is missed: it may be large, and events many.
        let waited = tokio::time::timeout(crate::DEADLINE, self.client.next_event()).await;
        let Ok(event) = waited else { panic!("waited in vain: an event after {:#?}", self.state) };
        let event = event.expect("event");
        self.state.apply(&event);
        event
    }

    /// Awaits a state.
    ///
    /// # Panics
    /// When it does not come.
    pub async fn until(&mut self, what: &str, is_reached: impl Fn(&Snapshot) -> bool) {
        let waited = tokio::time::timeout(crate::DEADLINE, async {
            while !is_reached(&self.state) {
                let event = self.client.next_event().await.expect("event");
                self.state.apply(&event);
            }
        })
        .await;
        assert!(waited.is_ok(), "waited in vain: {what}; last seen {:#?}", self.state);
    }

    /// Awaits an event that `pick` finds something in.
    pub async fn find<T>(&mut self, pick: impl Fn(Event) -> Option<T>) -> T {
        loop {
            if let Some(found) = pick(self.next_event().await) {
                return found;
            }
        }
    }

    /// Awaits a request of `peer`'s that waits for an answer.
    pub async fn until_asked_by(&mut self, peer: &UserName) {
        self.until(&format!("{peer} asks"), |state| {
            state.incoming.iter().any(|r| r.peer == *peer && r.state == RequestState::Pending)
        })
        .await;
    }

    /// Awaits an open chat with `peer`.
    pub async fn until_open_with(&mut self, peer: &UserName) {
        self.until(&format!("the chat with {peer} is open"), |state| {
            state.chats.iter().any(|chat| chat.peer == *peer && chat.state == ChatState::Open)
        })
        .await;
    }

    /// Awaits that no chat with `peer` is left.
    pub async fn until_over_with(&mut self, peer: &UserName) {
        self.until(&format!("the chat with {peer} is over"), |state| {
            state.chats.iter().all(|chat| chat.peer != *peer)
        })
        .await;
    }

    /// Gives a command and awaits its outcome.
    ///
    /// # Errors
    /// What the daemon says against it.
    ///
    /// # Panics
    /// When the connection fails.
    pub async fn call(&mut self, command: Command) -> Result<Reply, CommandError> {
        match within("a reply", self.client.call(command, Duration::ZERO)).await {
            Ok(reply) => Ok(reply),
            Err(ClientError::Command(error)) => Err(error),
            Err(other) => panic!("{other}"),
        }
    }

    /// The connection itself, for many commands at once.
    pub fn client(&mut self) -> &mut Client {
        &mut self.client
    }
}
