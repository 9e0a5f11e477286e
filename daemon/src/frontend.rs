//! The local socket: who may connect, and one task for each frontend.

pub(crate) mod connection;
pub(crate) mod listener;
