//! What daemons before the store kept: `state.toml`. Read once, put into the store, and removed.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::Path;

use secchat_ipc::types::Policy;
use secchat_proto::UserName;
use secchat_proto::crypto::signature::PublicKey;
use secchat_proto::wire::request::{RequestToTalk, Terms};
use serde::Deserialize;
use toml::Spanned;

use super::StoreError;
use super::disk::{Disk as _, FileDisk, wipe};
use crate::clock;
use crate::config::line_of;
use crate::core::record::{KeptAnswer, Record, SavedPeer, SavedRequest, SavedSettings};
use crate::permissions::{PermissionError, open_secret_file};

/// What is wrong with a text, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {why}")]
struct BadState {
    /// From 1.
    line: usize,
    /// What is wrong.
    why: String,
}

/// The records of the file, if there is one. One that is not understood whole is set aside: a pin that is dropped in
/// silence is a pin that an attacker replaces, so people are told.
pub(super) fn read(folder: &Path, notices: &mut Vec<String>) -> Result<Option<Vec<Record>>, StoreError> {
    let path = folder.join(STATE_FILE);
    let unreadable = |why: String| StoreError::Unreadable { path: path.clone(), why };
    let file = match open_secret_file(&path) {
        Ok(file) => file,
        Err(PermissionError::Unopenable { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
            return Ok(None);
        }
        Err(error) => return Err(unreadable(error.to_string())),
    };
    let mut bytes = Vec::new();
    file.take(MAX_STATE_BYTES).read_to_end(&mut bytes).map_err(|error| unreadable(error.to_string()))?;
    match from_text(&String::from_utf8_lossy(&bytes)) {
        Ok(records) => Ok(Some(records)),
        Err(bad) => {
            let aside = FileDisk(path.clone()).set_aside(clock::now().unix);
            let aside = aside.map_err(|error| unreadable(error.to_string()))?;
            notices.push(format!(
                "{}, {bad}: it was set aside as {}, and every peer's key has to be verified again",
                path.display(),
                aside.display()
            ));
            Ok(None)
        }
    }
}

/// Overwrites and removes the file: its content was not sealed.
pub(super) fn remove(folder: &Path) -> Result<(), StoreError> {
    let path = folder.join(STATE_FILE);
    let removed = || -> std::io::Result<()> {
        let file = std::fs::OpenOptions::new().write(true).open(&path)?;
        wipe(&file)?;
        std::fs::remove_file(&path)
    };
    removed().map_err(|error| StoreError::Unwritable { path: path.clone(), why: error.to_string() })
}

/// The records that a text holds.
fn from_text(text: &str) -> Result<Vec<Record>, BadState> {
    let file: Reading = toml::from_str(text).map_err(|error| BadState {
        line: error.span().map_or(1, |span| line_of(text, &span)),
        why: error.message().to_owned(),
    })?;
    let at = |span: std::ops::Range<usize>, why: &str| BadState {
        line: line_of(text, &span),
        why: why.to_owned(),
    };
    if *file.format.as_ref() != FORMAT {
        return Err(at(file.format.span(), "a newer secchatd wrote this file"));
    }
    let policy = file.policy.map(Policy::from);
    let settings = SavedSettings { policy, newest_crl_seen: file.newest_crl_seen };
    let mut records = vec![Record::Settings(settings)];
    for (name, peer) in file.peers {
        let span = peer.span();
        let name = UserName::parse(name.as_bytes()).map_err(|_| at(span.clone(), "not a user's name"))?;
        let peer = peer.into_inner().read().ok_or_else(|| at(span, "not a public key in base64"))?;
        records.push(Record::Peer(name, peer));
    }
    for (name, issued) in file.stale {
        let span = issued.span();
        let name = UserName::parse(name.as_bytes()).map_err(|_| at(span, "not a user's name"))?;
        records.push(Record::Stale(name, issued.into_inner()));
    }
    for answer in file.answered {
        let span = answer.span();
        let request = answer.into_inner().read().ok_or_else(|| at(span, "not an answered request"))?;
        records.push(Record::Request(Box::new(request)));
    }
    Ok(records)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Reading {
    format: Spanned<u32>,
    policy: Option<WordedPolicy>,
    #[serde(default)]
    newest_crl_seen: u64,
    #[serde(default)]
    peers: BTreeMap<String, Spanned<WrittenPeer>>,
    #[serde(default)]
    stale: BTreeMap<String, Spanned<u64>>,
    #[serde(default)]
    answered: Vec<Spanned<WrittenAnswer>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenPeer {
    /// base64 of the DER `SubjectPublicKeyInfo`.
    public_key: Option<String>,
    #[serde(default)]
    verified: bool,
    policy: Option<WordedPolicy>,
    #[serde(default)]
    blocked: bool,
}

impl WrittenPeer {
    fn read(self) -> Option<SavedPeer> {
        let pin = match self.public_key {
            Some(text) => Some(key_from_text(&text)?),
            None => None,
        };
        Some(SavedPeer {
            pin,
            verified: self.verified,
            followed: false,
            policy: self.policy.map(Policy::from),
            blocked: self.blocked,
        })
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenAnswer {
    peer: String,
    /// base64 of the request's encoding.
    request: String,
    /// base64 of the DER `SubjectPublicKeyInfo` that it was verified under.
    public_key: String,
    received: u64,
    answered: u64,
    answer: WordedAnswer,
    /// base64 of the terms' encoding; with `accepted` only.
    granted: Option<String>,
}

impl WrittenAnswer {
    fn read(self) -> Option<SavedRequest> {
        let peer = UserName::parse(self.peer.as_bytes()).ok()?;
        let request = RequestToTalk::decode(&openssl::base64::decode_block(&self.request).ok()?).ok()?;
        let key = key_from_text(&self.public_key)?;
        let Self { received, answered, .. } = self;
        let answer = match (self.answer, self.granted) {
            (WordedAnswer::Accepted, Some(text)) => KeptAnswer::Accepted(terms_from_text(&text)?),
            (WordedAnswer::Refused, None) => KeptAnswer::Refused,
            (WordedAnswer::RefusedQuietly, None) => KeptAnswer::RefusedQuietly,
            (WordedAnswer::Spent, None) => KeptAnswer::Spent,
            (WordedAnswer::Withdrawn, None) => KeptAnswer::Withdrawn,
            (WordedAnswer::Accepted, None) | (_, Some(_)) => return None,
        };
        Some(SavedRequest { peer, request, key, received, answered, answer })
    }
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum WordedPolicy {
    Ask,
    Accept,
    Refuse,
    RefuseQuietly,
}

impl From<WordedPolicy> for Policy {
    fn from(policy: WordedPolicy) -> Self {
        match policy {
            WordedPolicy::Ask => Self::Ask,
            WordedPolicy::Accept => Self::Accept,
            WordedPolicy::Refuse => Self::Refuse,
            WordedPolicy::RefuseQuietly => Self::RefuseQuietly,
        }
    }
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum WordedAnswer {
    Accepted,
    Refused,
    RefusedQuietly,
    Spent,
    Withdrawn,
}

fn key_from_text(text: &str) -> Option<PublicKey> {
    PublicKey::from_der(&openssl::base64::decode_block(text).ok()?).ok()
}

fn terms_from_text(text: &str) -> Option<Terms> {
    let bytes = openssl::base64::decode_block(text).ok()?;
    let (until, history_days) = bytes.split_first_chunk()?;
    Some(Terms {
        until: u64::from_be_bytes(*until),
        history_days: u16::from_be_bytes(history_days.try_into().ok()?),
    })
}

/// Rises when an older secchatd would misread the file.
const FORMAT: u32 = 1;
const STATE_FILE: &str = "state.toml";
/// Bytes of the file at most: a hundred times a large one.
const MAX_STATE_BYTES: u64 = 64 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    /// As the last daemon without a store wrote it.
    const WRITTEN: &str = include_str!("../../tests/state-1.toml");

    #[test]
    fn what_an_older_daemon_wrote_is_understood() {
        let records = from_text(WRITTEN).unwrap();
        let of = |is_it: fn(&Record) -> bool| records.iter().filter(|record| is_it(record)).count();
        assert_eq!(
            of(|record| matches!(record, Record::Settings(settings) if settings.newest_crl_seen > 0)),
            1
        );
        assert_eq!(of(|record| matches!(record, Record::Peer(..))), 2);
        assert_eq!(of(|record| matches!(record, Record::Stale(..))), 1);
        assert_eq!(of(|record| matches!(record, Record::Request(..))), 6);
    }

    #[test]
    fn nothing_misunderstood_is_passed_over() {
        let text = WRITTEN;
        let key_line = text.lines().find(|line| line.starts_with("public_key")).unwrap();
        let request_line = text.lines().find(|line| line.starts_with("request")).unwrap();
        let broken = [
            (text.replace("format = 1", "format = 2"), "newer"),
            (text.replace("blocked", "bloked"), "unknown field"),
            (text.replace("\"accept\"", "\"always\""), "unknown variant"),
            (text.replace(key_line, "public_key = \"AAAA\""), "public key"),
            (text.replace(request_line, "request = \"AAAA\""), "request"),
            (text.replace("peer = \"carol\"", "peer = \"../carol\""), "request"),
            (text.replace("answer = \"spent\"", "answer = \"accepted\""), "request"),
            (text.replace("answer = \"accepted\"", "answer = \"spent\""), "request"),
            (text.replace("granted = \"", "granted = \"AA"), "request"),
            (text.replace("[peers.7]", "[peers.\"A/B\"]"), "name"),
            (text.replace("format = 1\n", ""), "format"),
            (text[..text.len() / 2].to_owned(), ""),
            ("\0".repeat(100), ""),
            (String::new(), "format"),
        ];
        for (n, (changed, expected)) in broken.iter().enumerate() {
            assert_ne!(changed, text, "{n}");
            let error = from_text(changed).unwrap_err();
            assert!(error.why.contains(expected), "{n}: {error}");
            assert!(error.line >= 1);
        }
        let error = from_text(&text.replace("verified = true", "verified = 1")).unwrap_err();
        let line = 1 + text.lines().position(|line| line == "verified = true").unwrap();
        assert_eq!(error.line, line);
    }
}
