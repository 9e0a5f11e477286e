//! The wire of secchat (docs/PROTOCOL.md), without I/O: bytes, time and entropy go in; bytes and events come out.
//!
//! Three layers, bottom up:
//! 1. [`wire`]: bytes ↔ messages. Every parser is total and checks a length before it uses it.
//! 2. [`crypto`], [`handshake`], [`record`]: who the other side is, and the keys agreed with it.
//! 3. [`chat`]: one conversation with a peer, over a link that can fail and a relay that can lie.
//!
//! What is not here: sockets, clocks, files, threads, policy, pins.

#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects))]

pub mod chat;
pub mod crypto;
pub mod error;
pub mod handshake;
pub mod limits;
pub mod record;
pub mod request;
pub mod safety_number;
pub mod succession;
pub mod transcript;
pub mod user_name;
pub mod wire;

pub use error::Error;
pub use user_name::UserName;
