//! The relay in this process, over real sockets on a free port: what clients get, good and bad ones.
#![cfg(test)]

mod client;
mod delegates;
mod hostile;
mod life;
mod limits;
mod paces;
mod relay;
mod reload;
mod talk;
