//! Every bound of the daemon, with its unit and reason. (The protocol's own stand in [`secchat_proto::limits`].)

use std::time::Duration;

use secchat_proto::limits::{MAX_CLOCK_AHEAD_SECONDS, MAX_DELEGATION_SECONDS};

/// Time limit of a command that names none.
pub const DEFAULT_COMMAND_TIMEOUT: Duration = Duration::from_secs(30);
/// Commands of all frontends that wait for their answer: some memory each, and no frontend needs more at a time.
pub const MAX_PENDING_COMMANDS: usize = 8_192;
/// Commands of one frontend that wait for their answer: so that one cannot take all of them.
pub const MAX_PENDING_COMMANDS_PER_FRONTEND: usize = 2_048;
/// Unlock commands in line: each costs a key derivation, and a person types one.
pub const MAX_UNLOCKS: usize = 16;
/// Chats held at a time, opening and interrupted ones too: each holds up to a window of texts.
pub const MAX_CHATS: usize = 256;
/// This user's unanswered requests: a person's worth; the relay has its own bound.
pub const MAX_OUTGOING_REQUESTS: usize = 256;
/// Answered requests kept until they expire: each is saved, at up to 0.7 KB.
pub const MAX_ANSWERED_REQUESTS: usize = 2_048;
/// Peers of whom only "nothing issued before" is kept, in place of answers that were too many.
pub const MAX_STALE_PEERS: usize = 1_024;
/// Peers with a pin, a policy or a block: each is saved, at up to 0.7 KB.
pub const MAX_PEERS: usize = 8_192;
/// Peers in their cool-down after a refusal.
pub const MAX_COOLING_PEERS: usize = 1_024;
/// Consents that are wider than one chat: a person gives each.
pub const MAX_CONSENTS: usize = 1_024;
/// Peer Keys that wait for the message they belong to: the relay sends one right before it.
pub const MAX_WAITING_PEER_KEYS: usize = 64;
/// Names on the list of available users; the rest is not shown.
pub const MAX_LISTED_USERS: usize = 65_536;
/// Names in one event of comings and goings, so that it fits every queue.
pub const MAX_USERS_PER_EVENT: usize = 1_024;
/// Texts of one chat that wait for room in its window.
pub const MAX_QUEUED_TEXTS: usize = 1_024;
/// Bytes of texts of one chat that wait for room in its window.
pub const MAX_QUEUED_BYTES: usize = 4 * 1024 * 1024;
/// Texts left for all peers.
pub const MAX_OUTBOX_TEXTS: usize = 4_096;
/// Bytes of texts left for all peers: they are in memory, too.
pub const MAX_OUTBOX_BYTES: usize = 8 * 1024 * 1024;
/// Texts left for one peer: so that one does not take all of the outbox.
pub const MAX_OUTBOX_TEXTS_TO_PEER: usize = 1_024;
/// Bytes of texts left for one peer.
pub const MAX_OUTBOX_BYTES_TO_PEER: usize = 2 * 1024 * 1024;
/// How long a left text waits at most, in seconds: 30 days. What is older was meant for another day.
pub const MAX_OUTBOX_LIFETIME_SECONDS: u32 = 30 * 24 * 60 * 60;
/// Bytes of a left text that the list of the outbox shows, so that all of it fits a frame.
pub const MAX_OUTBOX_SHOWN_BYTES: usize = 200;
/// Consumers of events.
pub const MAX_CONSUMERS: usize = 16;
/// Events in the log that consumers have not acknowledged: each is saved, and in memory.
pub const MAX_LOGGED_EVENTS: usize = 8_192;
/// Bytes of those events: what a consumer that stays away costs at most.
pub const MAX_LOGGED_BYTES: usize = 4 * 1024 * 1024;
/// Events in one answer to a consumer: with the longest texts they fit a frame.
pub const MAX_EVENTS_PER_REPLY: usize = 128;
/// Texts that are kept and have not moved to the history: as many rows more are read at the unlock.
pub const MAX_STAGED_TEXTS: usize = 4_096;
/// After so many of them they move.
pub const MOVE_STAGED_TEXTS: usize = 64;
/// Days of peers in the history: a hundred bytes of memory each, and twenty-seven years of ten conversations a day.
pub const MAX_HISTORY_KEYS: usize = 100_000;
/// Texts in one page of the history.
pub const MAX_HISTORY_PAGE_TEXTS: usize = 1_024;
/// Texts that are looked at for one page, so that what chats write does not wait for long.
pub const MAX_HISTORY_PAGE_SEEN: usize = 4_096;
/// Bytes of sealed texts that are looked at for one page; its reply fits a frame.
pub const MAX_HISTORY_PAGE_BYTES: usize = 1024 * 1024;
/// Bytes of what is searched for in the history.
pub const MAX_SEARCH_BYTES: usize = 1_024;
/// Texts of one chat that arrived while the inbox was full, unacknowledged: twice the peer's window.
pub const MAX_HELD_BACK_TEXTS: usize = 2 * secchat_proto::limits::MAX_UNACKNOWLEDGED_TEXTS;
/// Bytes of texts that one `Read` returns at most, so that its reply fits a frame; one text is always returned.
pub const MAX_READ_BYTES: usize = 4 * 1024 * 1024;
/// RSA keys kept ready for suite 1: one for a chat that opens, one for its rekey.
pub const MAX_READY_RSA_KEYS: usize = 2;
/// First delay before another login; doubles with each failure.
pub const FIRST_RETRY: Duration = Duration::from_secs(1);
/// How long a locked daemon stays reachable: seven days, less what the relay's clock may be behind (PROTOCOL.md 3.20).
pub(crate) const DELEGATION_SECONDS: u64 = MAX_DELEGATION_SECONDS - MAX_CLOCK_AHEAD_SECONDS;
/// Longest delay before another login (PROTOCOL.md 3.18): a relay that is back has everybody within a minute, and one
/// login a minute of each who waits is little work for it.
pub const LAST_RETRY: Duration = Duration::from_secs(60);
/// A link that lasted this long was a good one: the back-off starts anew.
pub const GOOD_LINK: Duration = Duration::from_secs(60);
/// When a failed write is tried again: soon after room was made, texts move on.
pub const SAVE_RETRY: Duration = Duration::from_secs(10);
/// How long a change of which nobody was promised anything waits for a write that takes it along.
pub const LAZY_SAVE: Duration = Duration::from_secs(1);
/// Longest wait for a time of the wall clock, so that its jumps and a suspend are noticed.
pub const WALL_CLOCK_CHECK: Duration = Duration::from_secs(60);
/// Digits of a safety number.
pub const SAFETY_NUMBER_DIGITS: usize = 60;
/// Hints about peers in the status; more are counted only.
pub const MAX_PEER_HINTS: usize = 8;
/// Bytes of a public key in base64 that `peers add` reads: an RSA-4096 key has 736.
pub const MAX_PUBLIC_KEY_TEXT_BYTES: usize = 4_096;
