//! What the daemon's vocabulary looks like: JSON for programs, words for people.
//!
//! JSON fields are only ever added. Times are RFC 3339 in UTC, ids are strings, absence is null.

use secchat_ipc::types::{
    ChatState, ChatSummary, Consent, Consumer, DoNotDisturb, IncomingRequest, Keep, KeptOfPeer, KeptText,
    KeyTrust, LinkState, LockState, Message, OutgoingRequest, Peer, Policy, QueuedText, Reachability,
    RequestState, Status, Terms,
};
use serde_json::{Value, json};

use crate::time::{local, relative, rfc3339, rough};

pub(crate) fn terms(terms: Terms) -> Value {
    json!({ "until": terms.until.map(rfc3339), "history_days": terms.history_days })
}

pub(crate) fn status(status: &Status) -> Value {
    let (why, retry_at) = match &status.link {
        LinkState::LoggedOut | LinkState::Connecting | LinkState::Online => (None, None),
        LinkState::Waiting { why, retry_at } => (Some(why), Some(rfc3339(*retry_at))),
        LinkState::Replaced { why } => (Some(why), None),
    };
    json!({
        "version": status.version,
        "pid": status.pid,
        "profile": status.profile,
        "user": status.user.as_ref().map(|user| user.as_str()),
        "relay": status.relay,
        "lock": lock_word(status.lock),
        "reachable_until": reachable_until(status.lock).map(rfc3339),
        "link": { "state": link_word(&status.link), "why": why, "retry_at": retry_at },
        "reachability": reachability_word(status.reachability),
        "policy": policy_word(status.policy),
        "hints": status.hints,
    })
}

pub(crate) fn incoming(request: &IncomingRequest) -> Value {
    json!({
        "peer": request.peer.as_str(),
        "chat": request.chat_id.to_string(),
        "issued": rfc3339(request.issued),
        "expires": rfc3339(request.expires),
        "received": rfc3339(request.received),
        "terms": terms(request.terms),
        "trust": trust_word(request.trust),
        "safety_number": request.safety_number,
        "state": request_word(request.state),
    })
}

pub(crate) fn outgoing(request: &OutgoingRequest) -> Value {
    json!({
        "peer": request.peer.as_str(),
        "chat": request.chat_id.to_string(),
        "issued": rfc3339(request.issued),
        "expires": rfc3339(request.expires),
        "terms": terms(request.terms),
        "peer_away": request.peer_away,
    })
}

pub(crate) fn chat(chat: &ChatSummary) -> Value {
    json!({
        "peer": chat.peer.as_str(),
        "chat": chat.chat_id.to_string(),
        "state": chat_word(chat.state),
        "terms": terms(chat.terms),
        "unread": chat.unread,
        "undelivered": chat.undelivered,
        "trust": trust_word(chat.trust),
    })
}

pub(crate) fn kept_text(text: &KeptText) -> Value {
    json!({
        "peer": text.peer.as_str(),
        "chat": text.chat_id.to_string(),
        "id": text.id.to_string(),
        "own": text.is_own,
        "at": rfc3339(text.at),
        "text": text.text,
    })
}

pub(crate) fn history_kept(keep: Keep, peers: &[KeptOfPeer]) -> Value {
    let peer = |kept: &KeptOfPeer| {
        json!({
            "peer": kept.peer.as_str(),
            "history_days": history_days(kept.keep.unwrap_or(keep)),
            "is_default": kept.keep.is_none(),
            "from": kept.from.map(utc_day),
            "to": kept.to.map(utc_day),
        })
    };
    json!({ "history_days": history_days(keep), "peers": peers.iter().map(peer).collect::<Vec<_>>() })
}

/// As in the terms: null is for ever.
fn history_days(keep: Keep) -> Option<u16> {
    match keep {
        Keep::Days(days) => Some(days),
        Keep::All => None,
    }
}

/// For how long texts are kept.
pub(crate) fn keep_words(keep: Keep) -> String {
    match keep {
        Keep::Days(0) => "none".to_owned(),
        Keep::Days(1) => "1 day".to_owned(),
        Keep::Days(days) => format!("{days} days"),
        Keep::All => "all".to_owned(),
    }
}

/// The day that this time is in, by UTC.
pub(crate) fn utc_day(unix: u64) -> String {
    let mut day = rfc3339(unix);
    day.truncate(day.find('T').unwrap_or(day.len()));
    day
}

pub(crate) fn message(message: &Message) -> Value {
    json!({
        "peer": message.peer.as_str(),
        "chat": message.chat_id.to_string(),
        "id": message.id.to_string(),
        "received": rfc3339(message.received),
        "text": message.text,
    })
}

pub(crate) fn queued_text(text: &QueuedText) -> Value {
    json!({
        "id": text.id.to_string(),
        "peer": text.peer.as_str(),
        "queued": rfc3339(text.queued),
        "expires": rfc3339(text.expires),
        "state": queued_word(text.is_sent),
        "bytes": text.bytes,
        "beginning": text.beginning,
    })
}

pub(crate) fn queued_word(is_sent: bool) -> &'static str {
    if is_sent { "sent" } else { "waiting" }
}

pub(crate) fn consumer(consumer: &Consumer) -> Value {
    json!({
        "name": consumer.name,
        "waiting": consumer.waiting,
        "missed": consumer.missed,
        "is_read": consumer.is_read,
    })
}

pub(crate) fn peer(peer: &Peer) -> Value {
    json!({
        "peer": peer.peer.as_str(),
        "trust": trust_word(peer.trust),
        "public_key": (!peer.public_key.is_empty()).then_some(&peer.public_key),
        "policy": peer.policy.map(policy_word),
        "blocked": peer.blocked,
    })
}

pub(crate) fn consent(consent: &Consent) -> Value {
    json!({
        "peer": consent.peer.as_str(),
        "standing": consent.chat_id.is_none(),
        "chat": consent.chat_id.map(|chat_id| chat_id.to_string()),
        "given": rfc3339(consent.given),
        "terms": terms(consent.terms),
    })
}

pub(crate) fn do_not_disturb(state: DoNotDisturb) -> Value {
    json!({
        "on": state.on,
        "until": state.until.map(rfc3339),
        "hours": state.hours.map(|hours| hours.to_string()),
    })
}

pub(crate) fn lock_word(lock: LockState) -> &'static str {
    match lock {
        LockState::Locked => "locked",
        LockState::Unlocked => "unlocked",
        LockState::Reachable { .. } => "reachable",
    }
}

/// Until when requests arrive though the key is locked.
pub(crate) fn reachable_until(lock: LockState) -> Option<u64> {
    match lock {
        LockState::Reachable { until } => Some(until),
        LockState::Locked | LockState::Unlocked => None,
    }
}

pub(crate) fn link_word(link: &LinkState) -> &'static str {
    match link {
        LinkState::LoggedOut => "logged_out",
        LinkState::Connecting => "connecting",
        LinkState::Online => "online",
        LinkState::Waiting { .. } => "waiting",
        LinkState::Replaced { .. } => "replaced",
    }
}

pub(crate) fn reachability_word(reachability: Reachability) -> &'static str {
    match reachability {
        Reachability::Available => "available",
        Reachability::Hidden => "hidden",
    }
}

pub(crate) fn policy_word(policy: Policy) -> &'static str {
    match policy {
        Policy::Ask => "ask",
        Policy::Accept => "accept",
        Policy::Refuse => "refuse",
        Policy::RefuseQuietly => "refuse-quietly",
    }
}

pub(crate) fn trust_word(trust: KeyTrust) -> &'static str {
    match trust {
        KeyTrust::Unverified => "unverified",
        KeyTrust::Pinned => "pinned",
        KeyTrust::Verified => "verified",
        // To programs a changed key is one, whoever vouches for it.
        KeyTrust::Changed | KeyTrust::Vouched => "changed",
        KeyTrust::Followed => "followed",
    }
}

pub(crate) fn request_word(state: RequestState) -> &'static str {
    match state {
        RequestState::Pending => "pending",
        RequestState::Later => "later",
        RequestState::Accepted => "accepted",
        RequestState::Refused => "refused",
    }
}

pub(crate) fn chat_word(state: ChatState) -> &'static str {
    match state {
        ChatState::Opening => "opening",
        ChatState::Open => "open",
        ChatState::Interrupted => "interrupted",
        ChatState::Closing => "closing",
    }
}

/// The link in words for a person.
pub(crate) fn link_for_people(link: &LinkState, now: u64) -> String {
    match link {
        LinkState::LoggedOut => "logged out".to_owned(),
        LinkState::Connecting => "connecting".to_owned(),
        LinkState::Online => "online".to_owned(),
        LinkState::Waiting { why, retry_at } => {
            format!("not connected: {why}; next try {}", relative(*retry_at, now))
        }
        LinkState::Replaced { why } => format!("logged out: {why}; `secchatctl login` takes it back"),
    }
}

/// The terms in words for a person.
pub(crate) fn terms_for_people(terms: Terms, now: u64) -> String {
    let until = match terms.until {
        None => "no end".to_owned(),
        Some(until) => format!("for {}", rough(until.saturating_sub(now))),
    };
    let history = match terms.history_days {
        None => "history kept".to_owned(),
        Some(0) => "no history".to_owned(),
        Some(days) => format!("history {days} days"),
    };
    format!("{until}, {history}")
}

/// Do not disturb, in words for a person.
pub(crate) fn quiet_for_people(state: DoNotDisturb) -> String {
    let word = if state.on { "on" } else { "off" };
    let until = state.until.map(|until| format!(" until {}", local(until))).unwrap_or_default();
    let hours = state.hours.map(|hours| format!(" (every day {hours})")).unwrap_or_default();
    format!("do not disturb: {word}{until}{hours}")
}

/// For how long texts may be kept, in a column of that name.
pub(crate) fn history_for_people(days: Option<u16>) -> String {
    match days {
        None => "kept".to_owned(),
        Some(0) => "none".to_owned(),
        Some(days) => format!("{days} days"),
    }
}
