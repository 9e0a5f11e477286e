//! End-to-end tests: real relay, real daemons, real command lines, on loopback and in temporary folders.
//!
//! Each file is one story. Nothing sleeps; nothing depends on another test.

mod bad_input;
mod bad_relay;
mod bridge;
mod certificates;
mod chat_window;
mod completions;
mod config_show;
mod consent;
mod consumers;
mod conversation;
mod do_not_disturb;
mod doctor;
mod durable;
mod evil_relay;
mod exit_codes;
mod frontends;
mod history;
mod key_change;
mod link;
mod lost_key;
mod man_pages;
mod outbox;
mod packages;
mod passphrase;
mod quiet_refusals;
mod reachable;
mod report_files;
mod rotation;
mod session_lock;
mod setup;
mod standing_consent;
mod storage;
mod texts;
mod unlocking;
mod writing;
