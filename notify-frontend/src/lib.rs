//! `secchat-notify`: the desktop popup of secchat, a client of `secchat-ipc` and of the desktop's notification server.
//!
//! [`core`] decides what should be on the screen and what a click there means; it is pure. Two tasks around it carry
//! out: `daemon` keeps the connection to secchatd, `desktop` the one to the session bus, and each comes back by
//! itself; only with a bus that has ended the program ends, too. `run` stands between them: toward it the tasks wait, away
//! from it nothing does.

mod backoff;
pub mod cli;
pub mod config;
pub mod core;
mod daemon;
mod desktop;
pub mod limits;
mod lock;
pub mod popup;
mod run;
mod socket_watch;
