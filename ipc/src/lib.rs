//! The contract between secchat's daemon and its frontends, and a client for them.
//!
//! `secchatd` holds a person's keys, stays logged in at the relay and owns every chat. All that a person sees is a
//! frontend: a program that connects to the daemon's local socket, gives it commands and follows what changes. This
//! crate is all that a frontend needs; `secchatctl` is made of it, and yours can be. Programs in other languages have
//! the same as JSON-RPC: `secchatctl bridge`.
//!
//! # A whole frontend
//! ```no_run
//! use std::time::Duration;
//!
//! use secchat_ipc::paths::Paths;
//! use secchat_ipc::{Client, ClientError, Command, Event};
//!
//! #[tokio::main(flavor = "current_thread")]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let mut client = Client::connect(&Paths::from_environment(None)?, "answering-machine").await?;
//!     client.subscribe().await?;
//!     loop {
//!         if let Event::MessageReceived(message) = client.next_event().await? {
//!             let command = Command::Send { peer: message.peer, text: "I am away.".to_owned() };
//!             match client.call(command, Duration::from_secs(10)).await {
//!                 // The peer is gone, say: that ends this command, not this program.
//!                 Ok(_) | Err(ClientError::Command(_)) => {}
//!                 Err(lost) => return Err(lost.into()),
//!             }
//!         }
//!     }
//! }
//! ```
//! `examples/accept_all.rs` is a longer one; [`command`] has an example for every command.
//!
//! # The contract
//! **The socket** is [`Paths::socket`](paths::Paths::socket), in a folder of the user's own (0700, the socket 0600); the
//! daemon serves its own user only. Both sides begin with a [`Hello`] of fixed layout, and the daemon adds one byte, its
//! [`Verdict`](hello::Verdict): served, or why not. After that each message is a [frame](codec): a length, then one
//! postcard value. A request is at most [`MAX_REQUEST_BYTES`](codec::MAX_REQUEST_BYTES) long, what the daemon says at
//! most [`MAX_SERVER_MESSAGE_BYTES`](codec::MAX_SERVER_MESSAGE_BYTES).
//!
//! **Commands.** A [`Request`] has an id of the frontend's own choosing, a time limit, and a [`Command`]. The daemon
//! answers each exactly once, with a [`Reply`] or a [`CommandError`], *after* the command has had its effect: a text
//! counts as sent when the peer's daemon has it, a policy when it is on the disk. Answers come in any order. Up to 128
//! requests of one frontend may be under way; more are not read until some are answered. A frontend that leaves takes
//! back the request to talk that it waited for, and nothing else.
//!
//! **Events.** [`Command::Subscribe`] is answered with a [`Snapshot`], the whole state, and from then on each change
//! comes as an [`Event`] with a number, one more than the one before. [`Snapshot::apply`] is the reducer that the daemon
//! itself uses: a frontend that applies every event has the daemon's state, and never has to ask for it again. Nothing
//! falls between the snapshot and the first event. An answer does not wait for the events of its command, or they for it; what one connection
//! is given comes in the order in which the daemon made it.
//!
//! **Consumers.** Who must not miss an event, and may crash, reads the log under a name ([`Command::Consume`]): each event
//! at least once, in order, until it is acknowledged, over restarts of both. An event is on disk before it is given out, a
//! text's in the same write as the text; what is acknowledged is on disk with the daemon's next write, at once. The log
//! has all events but how things *are* (`StatusChanged`, `UsersChanged`), from the moment on at which the consumer first
//! came, and numbers of its own. It is bounded: [`Reply::Events`] says how many found no place while nobody read.
//!
//! **Slow frontends** hold up nobody. A frontend that is 256 messages behind is disconnected; so is one that sends what
//! is no request. It comes back, subscribes, and has a fresh snapshot: nothing that arrived is lost with a connection,
//! for unread texts and open requests are part of the state.
//!
//! **Several frontends** see the same. The first answer to a request to talk wins; the others learn of it from
//! [`Event::RequestResolved`], and a late answer is [`CommandError::AlreadyResolved`].
//!
//! **What peers wrote** arrives as it was written. Make it harmless before a terminal shows it: feature `people` has
//! `harmless`.
//!
//! # Compatibility
//! This crate follows [semantic versioning](https://semver.org/) in its Rust interface, and has one promise more for
//! what travels on the socket, since the daemon and a frontend are seldom updated in the same moment:
//!
//! - The daemon serves every frontend that is not newer than itself. One that is newer is told so, in the greeting, and
//!   [`ClientError::DaemonOlder`] names both sides.
//! - postcard is not self-describing, so **enums are append-only and structs are frozen**: a variant keeps its place and
//!   its fields for ever, and a new field is a new variant. The bytes of every variant are kept in a test.
//! - [`VERSION`] rises with every variant that is appended. A frontend passes over events of a newer daemon that it does
//!   not know; [`Client`] does.
//! - An appended variant is a *minor* version of this crate, although matches without a wildcard stop compiling: that is
//!   how a frontend of ours learns that there is something to decide. Give yours a wildcard if you want none of it.
//!   Whatever else breaks a caller is a *major* version, before 1.0 the next 0.x. The oldest Rust that compiles it rises
//!   with minor versions only.
//!
//! # Features
//! | feature | brings | needs |
//! |---|---|---|
//! | `transport` (default) | [`Client`], and frames over a stream | tokio |
//! | `people` | `harmless` and `time`: peers' text and points in time for people to see | jiff |
//! | `terminal` | asking for a passphrase without an echo | a terminal |
//!
//! Without any of them there are the types, their encoding, and where the socket is.

#[cfg(feature = "transport")]
pub mod client;
pub mod codec;
pub mod command;
pub mod error;
pub mod event;
#[cfg(feature = "people")]
pub mod harmless;
pub mod hello;
pub mod passphrase;
pub mod paths;
#[cfg(feature = "pinentry")]
pub mod pinentry;
pub mod reply;
pub mod snapshot;
#[cfg(feature = "terminal")]
pub mod terminal;
#[cfg(feature = "people")]
pub mod time;
#[cfg(feature = "transport")]
pub mod transport;
pub mod types;
pub mod user_name;

#[cfg(feature = "transport")]
pub use client::{Client, ClientError};
pub use command::{Command, Request};
pub use error::CommandError;
pub use event::Event;
pub use hello::Hello;
pub use reply::Reply;
pub use snapshot::Snapshot;
pub use user_name::UserName;

/// The version of this contract; the daemon serves every frontend that is not newer than itself.
pub const VERSION: u16 = 9;
