//! M1–M3 between two honest ends, and every attack on them that a network, a relay or the peer itself can try.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::type_complexity,
    reason = "all of it is tests"
)]

mod agreed_terms;
mod changed_bytes;
mod honest;
mod moved_messages;
mod pair;
