//! Bytes ↔ messages. Total: hostile bytes give an error, never a panic, never unbounded memory.

pub mod chat_record;
mod code;
pub mod frame;
pub mod key_establishment;
pub mod link;
pub mod login;
pub(crate) mod reader;
pub mod request;
pub(crate) mod writer;
