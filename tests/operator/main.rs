//! What an operator does, on the real relay: files changed while it runs, by whatever program writes them, commands that
//! ask it, certificates renewed, documents followed. Real daemons where what they see counts, clients on the wire else.
//!
//! Each file is one subject. Nothing sleeps; nothing depends on another test.

mod admin;
mod asleep;
mod certificates;
mod clock;
mod configuration;
mod container;
mod faults;
mod handbook;
mod keys;
mod links;
mod live;
mod logs;
mod memory;
mod mistakes;
mod pages;
mod relay;
mod service;
mod small_machine;
mod storm;
mod writers;
