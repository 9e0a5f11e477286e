//! `secchatctl` itself, run against a daemon that says what a test wants said.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]
#![expect(clippy::wildcard_enum_match_arm, reason = "a fake daemon answers all other commands alike")]

mod bridge;
mod exit_codes;
mod fake_daemon;
mod home;
mod installed_files;
mod sample;
mod setup;
mod streams;
mod unlock;
mod verbs;
