//! The per-user daemon: owns the relay session, the identity key, the peers' keys, every chat and the inbox, and
//! serves frontends.
//!
//! [`core`] decides, without I/O; everything else carries out. `hub` owns the core; `relay_link` and `frontend` carry
//! bytes to it and from it; [`identity`], [`store`] and [`state_folder`] are its files.

pub mod activation;
pub mod check;
pub mod cli;
mod clock;
pub mod config;
pub mod convert;
pub mod core;
mod encrypted_key;
mod frontend;
mod hub;
pub mod identity;
pub mod key_command;
pub mod limits;
pub mod logging;
pub mod passphrase;
pub mod permissions;
mod relay_link;
mod serve;
mod service;
mod session_lock;
pub mod signals;
pub mod state_folder;
pub mod store;
mod suspend;

pub use frontend::listener::ListenError;
pub use serve::{Daemon, DaemonError};
