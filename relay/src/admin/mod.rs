//! The operator's side of a running relay: `status`, `reload` and `inspect` on a local socket, one line of JSON each way.
//!
//! - [`protocol`]: what is asked and answered
//! - `socket`: the socket's file, which only its owner and root may use
//! - `server`: answers, in the relay
//! - [`client`] asks
//! - `text`: the answers for people
//! - [`command`]: the commands

pub mod client;
pub mod command;
pub mod protocol;
pub(crate) mod server;
pub(crate) mod socket;
mod text;
