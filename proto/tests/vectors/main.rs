//! The files of `tests/vectors/`, made again and compared; one module for each file.

#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "all of it is tests")]

mod certificate;
mod chat_record;
mod delegation;
mod frame;
mod kdf;
mod key_establishment;
mod link_messages;
mod login;
mod login_messages;
mod ml_kem;
mod people;
mod pki;
mod record;
mod request;
mod safety_number;
mod succession;
mod suite_1;
mod suites;
mod vector_file;
