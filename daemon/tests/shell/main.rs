//! The daemon around its core: configuration, files, socket and process.
#![cfg(test)]

mod common;
mod config;
mod frontends;
mod process;
mod state;
mod units;
