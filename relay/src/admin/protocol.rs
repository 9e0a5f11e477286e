//! What an operator asks a running relay, and what it answers: a line of JSON each. Fields are added, never changed.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

pub use crate::reload::outcome::{Changes, LastReload, Report, Trigger};

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verb", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Request {
    /// How the relay is.
    Status {},
    /// Read all files now.
    Reload {},
    /// Say what a reload would do.
    ReloadDryRun {},
    /// Everything that is held on a user.
    Inspect {
        /// Whom.
        name: String,
    },
}

/// What is answered.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// To `status`.
    Status(Box<Status>),
    /// To `reload` and `reload-dry-run`.
    Reload(Report),
    /// To `inspect`.
    Inspect(Box<Person>),
    /// The question cannot be answered: why.
    Error(String),
}

/// How a relay is.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Status {
    /// The program's version.
    pub version: String,
    /// Its process.
    pub pid: u32,
    /// Where it listens.
    pub address: SocketAddr,
    /// Since when, in seconds.
    pub uptime_seconds: u64,
    /// Users on the list.
    pub users: usize,
    /// Users who are here.
    pub sessions: usize,
    /// Chats: pairs of two who are here.
    pub chats: usize,
    /// Requests to Talk that wait.
    pub requests: usize,
    /// What is used of the bounds that all share.
    pub limits: Used,
    /// Whole days until the certificate ends; negative after it.
    pub certificate_days_left: Option<i64>,
    /// Whole days until the CRL ends; negative after it.
    pub crl_days_left: Option<i64>,
    /// The last reload, if there was one.
    pub reload: Option<LastReload>,
}

/// What is used of the bounds that all share.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Used {
    /// Connections of all kinds.
    pub connections: Share,
    /// Logins in flight.
    pub logins: Share,
    /// Bytes that wait for all links.
    pub queued_bytes: Share,
}

/// How much of how much.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Share {
    /// Used.
    pub used: usize,
    /// Of so much.
    pub of: usize,
}

/// Everything that a relay holds on a user.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Person {
    /// Whom.
    pub name: String,
    /// What the list of users says.
    pub key: Option<Key>,
    /// The user's session, if it is here.
    pub session: Option<Session>,
    /// What it has offered to others, and waits.
    pub offers: Vec<Offer>,
    /// What others have offered to it, and waits.
    pub offered: Vec<Offer>,
    /// Requests of the last minutes that count against its bound.
    pub requests_counted: u32,
    /// Pairs of asker and asked with the user in them, of the last minutes, that count against a pair's bound.
    pub request_pairs: usize,
    /// Others are to be told within seconds that it came or went.
    pub has_news: bool,
}

/// A user's key.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Key {
    /// As `secchatd keygen --kind` names it.
    pub kind: String,
    /// SHA-256, as ssh writes it.
    pub fingerprint: String,
    /// Of the key before, while it is taken as well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub old_fingerprint: Option<String>,
    /// Keys before that vouch for it to the user's peers.
    #[serde(default)]
    pub successions: usize,
}

/// A user's session.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Session {
    /// Address and port of its link.
    pub address: Option<SocketAddr>,
    /// Since when, in Unix seconds.
    pub since: Option<u64>,
    /// Whether it is on the list of available users.
    pub is_available: bool,
    /// Whether it is told of the list's changes.
    pub watches: bool,
    /// Until when a delegated key holds it for a locked user, in Unix seconds; none: the user's own key does.
    pub delegated_until: Option<u64>,
    /// Whom it is paired with, once for each chat.
    pub chats: Vec<String>,
    /// Lists of the last minute that count against its bound.
    pub lists_counted: u32,
    /// It waits for a list.
    pub owed_list: bool,
    /// Messages that wait for its link.
    pub queued_messages: usize,
    /// Their bytes.
    pub queued_bytes: usize,
}

/// An offer.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Offer {
    /// The other user.
    pub with: String,
    /// `request`, `acceptance` or `resumption`.
    pub kind: String,
    /// When it ends, in Unix seconds; none: with the link of who made it.
    pub expires: Option<u64>,
    /// Whether whom it is for has had it.
    pub delivered: bool,
}

impl Person {
    /// Whether nothing is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let Self { name: _, key, session, offers, offered, requests_counted, request_pairs, has_news } = self;
        let has_offers = !offers.is_empty() || !offered.is_empty();
        let has_counts = *requests_counted > 0 || *request_pairs > 0;
        key.is_none() && session.is_none() && !has_offers && !has_counts && !has_news
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_have_one_spelling() {
        let read = |text: &str| serde_json::from_str::<Request>(text).ok();
        assert_eq!(read(r#"{"verb":"status"}"#), Some(Request::Status {}));
        assert_eq!(read(r#"{"verb":"reload-dry-run"}"#), Some(Request::ReloadDryRun {}));
        let name = "alice".to_owned();
        assert_eq!(read(r#"{"verb":"inspect","name":"alice"}"#), Some(Request::Inspect { name }));
        for bad in [r#"{"verb":"stop"}"#, r#"{"verb":"status","x":1}"#, r#"{"verb":"inspect"}"#, "", "[]"] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}
