//! Every bound of the protocol, with its unit, reason and source.

use std::time::Duration;

/// Longest user name, in bytes (PROTOCOL.md §1).
pub const MAX_USER_NAME_BYTES: usize = 32;
/// Longest body of an S1 frame, in bytes: a certificate and a CRL (§1).
pub const MAX_S1_BYTES: usize = 16_384;
/// Longest body of an S2 or S3 frame, in bytes: two RSA-4096 values at most (§1).
pub const MAX_LOGIN_BYTES: usize = 4_096;
/// Longest body of any later frame, in bytes: what its length field holds (§1).
pub const MAX_FRAME_BYTES: usize = 65_535;
/// Longest signature, in bytes: RSA-4096's (§1).
pub const MAX_SIGNATURE_BYTES: usize = 512;
/// What a record adds to its plaintext, in bytes: counter and tag (§4).
pub const RECORD_OVERHEAD_BYTES: usize = 28;
/// Longest plaintext of a link record, in bytes (§4).
pub const MAX_LINK_PLAINTEXT_BYTES: usize = MAX_FRAME_BYTES - RECORD_OVERHEAD_BYTES;
/// Records of one direction of the link under one chain (§4).
pub const LINK_RECORDS_PER_CHAIN: u64 = 65_536;
/// Longest text, in bytes of UTF-8 (§8).
pub const MAX_TEXT_BYTES: usize = 32_768;
/// Sizes that chat plaintexts are filled to, in bytes (§8).
pub const CHAT_PLAINTEXT_SIZES: [usize; 6] = [64, 256, 1_024, 4_096, 16_384, 49_152];
/// Longest life of a request, in seconds: 7 days (§6).
pub const MAX_REQUEST_LIFETIME_SECONDS: u64 = 7 * 24 * 60 * 60;
/// How far ahead of us the asker's clock may be, in seconds (§6).
pub const MAX_CLOCK_AHEAD_SECONDS: u64 = 300;
/// How far ahead a delegation may end, in seconds: 7 days (§3).
pub const MAX_DELEGATION_SECONDS: u64 = 7 * 24 * 60 * 60;
/// How long a session may take to answer a Ping before a delegated key takes its place (§3).
pub const DELEGATION_PONG_TIMEOUT: Duration = Duration::from_secs(5);
/// Successions of one user's keys in a chain (§7): a key a year for eight years.
pub const MAX_SUCCESSIONS: usize = 8;
/// Time for a whole login (§3).
pub const LOGIN_TIMEOUT: Duration = Duration::from_secs(10);
/// When a Reject for "not authenticated" leaves after S2 came, whatever the cause (§3).
pub const REJECT_DELAY: Duration = Duration::from_millis(200);
/// A link silent for this long is pinged (§5).
pub const PING_AFTER: Duration = Duration::from_secs(60);
/// A link without Pong for this long is dead (§5).
pub const PONG_TIMEOUT: Duration = Duration::from_secs(20);
/// Records queued for one direction of a pair (§5).
pub const MAX_PAIR_QUEUE_RECORDS: usize = 128;
/// Bytes queued for one direction of a pair (§5).
pub const MAX_PAIR_QUEUE_BYTES: usize = 512 * 1024;
/// Unacknowledged texts of one direction of a chat (§5).
pub const MAX_UNACKNOWLEDGED_TEXTS: usize = 32;
/// Unacknowledged texts of one direction of a chat, in bytes as padded (§5).
pub const MAX_UNACKNOWLEDGED_BYTES: usize = 256 * 1024;
/// Texts owed a Delivered that make it leave at once (§8).
pub const DELIVERED_AT_TEXTS: u64 = 8;
/// Bytes owed a Delivered that make it leave at once (§8).
pub const DELIVERED_AT_BYTES: usize = 64 * 1024;
/// Two Delivered are at least this far apart unless 8 Texts or 64 KiB are owed: the first Text of a burst is
/// acknowledged at once, the rest in batches.
pub const DELIVERED_SPACING: Duration = Duration::from_millis(2);
/// When an owed Delivered leaves at the latest, and how far apart those are that acknowledge nothing new (§8).
pub const DELIVERED_WITHIN: Duration = Duration::from_secs(1);
/// Time for M1–M3, in all (§7).
pub const KEY_ESTABLISHMENT_TIMEOUT: Duration = Duration::from_secs(30);
/// Handshakes that B answers in one pair (§7).
pub const MAX_HANDSHAKES_PER_PAIR: u32 = 3;
/// Use of a chat's keys after which A renews them (§8).
pub const REKEY_AFTER: Duration = Duration::from_secs(15 * 60);
/// Records sent and taken after which A renews the keys (§8).
pub const REKEY_AFTER_RECORDS: u64 = 1_000;
/// When A gives up an unanswered M1 of a rekey, or B one without M3 (§8).
pub const REKEY_TIMEOUT: Duration = Duration::from_secs(10);
/// A chat is forgotten this long after its `until` (§7).
pub const FORGET_AFTER_UNTIL: Duration = Duration::from_secs(10);
/// An End without an answer counts as answered after this long: 7 days (§8).
pub const END_UNANSWERED: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// Failed attempts in a row after which a person is told (§8).
pub const MAX_RESUME_ATTEMPTS: u32 = 3;
/// Open for this long, an attempt to resume has not failed (§8).
pub const RESUME_SETTLED: Duration = Duration::from_secs(60);
/// Wait before the offer after an interruption; four times as long after each failed attempt.
pub const RESUME_BACKOFF: Duration = Duration::from_secs(1);
/// A wait for a wall-clock time is cut to this, so that a changed clock or a suspend is noticed.
pub const WALL_CLOCK_RECHECK: Duration = Duration::from_secs(60);
