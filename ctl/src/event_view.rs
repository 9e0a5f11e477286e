//! What events look like: an object a line for programs, a sentence for people.

use secchat_ipc::types::{EndReason, KeyTrust, QueuedOutcome, Resolution, ResolvedBy};
use secchat_ipc::{Event, UserName};
use serde_json::{Map, Value, json};

use crate::cli::EventKind;
use crate::harmless;
use crate::time::{self, relative};
use crate::view;

/// The event's kind, by which `watch --only` chooses.
pub(crate) fn kind(event: &Event) -> EventKind {
    match event {
        Event::StatusChanged(_) => EventKind::StatusChanged,
        Event::RequestReceived(_) => EventKind::RequestReceived,
        Event::RequestResolved { .. } => EventKind::RequestResolved,
        Event::RequestSent(_) => EventKind::RequestSent,
        Event::RequestAnswered { .. } => EventKind::RequestAnswered,
        Event::ChatChanged(_) => EventKind::ChatChanged,
        Event::ChatEnded { .. } => EventKind::ChatEnded,
        Event::MessageReceived(_) => EventKind::MessageReceived,
        Event::MessagesDelivered { .. } => EventKind::MessagesDelivered,
        Event::MessagesRead { .. } => EventKind::MessagesRead,
        Event::TrustChanged { .. } => EventKind::TrustChanged,
        Event::UsersChanged { .. } => EventKind::UsersChanged,
        Event::DoNotDisturbChanged(_) => EventKind::DoNotDisturbChanged,
        Event::TextQueued { .. } => EventKind::TextQueued,
        Event::QueuedTextsEnded { .. } => EventKind::QueuedTextsEnded,
    }
}

/// Whom the event is about, where that is one peer and the event names it.
pub(crate) fn peer(event: &Event) -> Option<&UserName> {
    match event {
        Event::RequestReceived(request) => Some(&request.peer),
        Event::RequestSent(request) => Some(&request.peer),
        Event::ChatChanged(chat) => Some(&chat.peer),
        Event::MessageReceived(message) => Some(&message.peer),
        Event::RequestResolved { peer, .. }
        | Event::RequestAnswered { peer, .. }
        | Event::ChatEnded { peer, .. }
        | Event::MessagesDelivered { peer, .. }
        | Event::TrustChanged { peer, .. }
        | Event::TextQueued { peer, .. }
        | Event::QueuedTextsEnded { peer, .. } => Some(peer),
        Event::StatusChanged(_)
        | Event::MessagesRead { .. }
        | Event::UsersChanged { .. }
        | Event::DoNotDisturbChanged(_) => None,
    }
}

/// The event for programs: its name, its number, and its own fields.
pub(crate) fn object(sequence: u64, event: &Event) -> Value {
    let (name, fields) = named(event);
    let mut object = Map::new();
    object.insert("event".to_owned(), name.into());
    object.insert("sequence".to_owned(), sequence.into());
    if let Value::Object(fields) = fields {
        object.extend(fields);
    }
    Value::Object(object)
}

fn named(event: &Event) -> (&'static str, Value) {
    match event {
        Event::StatusChanged(status) => ("status_changed", view::status(status)),
        Event::RequestReceived(request) => ("request_received", view::incoming(request)),
        Event::RequestResolved { peer, chat_id, resolution, by } => (
            "request_resolved",
            json!({
                "peer": peer.as_str(),
                "chat": chat_id.to_string(),
                "resolution": resolution_word(*resolution),
                "by": by_object(by),
            }),
        ),
        Event::RequestSent(request) => ("request_sent", view::outgoing(request)),
        Event::RequestAnswered { peer, chat_id, resolution } => (
            "request_answered",
            json!({
                "peer": peer.as_str(),
                "chat": chat_id.to_string(),
                "resolution": resolution_word(*resolution),
            }),
        ),
        Event::ChatChanged(chat) => ("chat_changed", view::chat(chat)),
        Event::ChatEnded { peer, chat_id, reason, undelivered, missing } => (
            "chat_ended",
            json!({
                "peer": peer.as_str(),
                "chat": chat_id.to_string(),
                "reason": reason_word(*reason),
                "undelivered": undelivered,
                "missing": missing,
            }),
        ),
        Event::MessageReceived(message) => ("message_received", view::message(message)),
        Event::MessagesDelivered { peer, chat_id, up_to } => (
            "messages_delivered",
            json!({ "peer": peer.as_str(), "chat": chat_id.to_string(), "up_to": up_to.to_string() }),
        ),
        Event::MessagesRead { chat_id, up_to } => {
            ("messages_read", json!({ "chat": chat_id.to_string(), "up_to": up_to.to_string() }))
        }
        Event::TrustChanged { peer, trust } => {
            ("trust_changed", json!({ "peer": peer.as_str(), "trust": view::trust_word(*trust) }))
        }
        Event::UsersChanged { came, went } => {
            ("users_changed", json!({ "came": names(came), "went": names(went) }))
        }
        Event::DoNotDisturbChanged(state) => ("do_not_disturb_changed", view::do_not_disturb(*state)),
        Event::TextQueued { peer, id, expires } => (
            "text_queued",
            json!({ "peer": peer.as_str(), "id": id.to_string(), "expires": time::rfc3339(*expires) }),
        ),
        Event::QueuedTextsEnded { peer, ids, outcome } => (
            "queued_texts_ended",
            json!({
                "peer": peer.as_str(),
                "ids": ids.iter().map(ToString::to_string).collect::<Vec<_>>(),
                "outcome": outcome_word(*outcome),
            }),
        ),
    }
}

/// The event for people, in one line.
pub(crate) fn sentence(event: &Event) -> String {
    let now = time::now();
    match event {
        Event::StatusChanged(status) => format!(
            "identity {}, {}, {}",
            view::lock_word(status.lock),
            harmless::line(&view::link_for_people(&status.link, now)),
            view::reachability_word(status.reachability)
        ),
        Event::RequestReceived(request) => format!(
            "{} asks to talk ({}; key {}; ends {})",
            request.peer,
            view::terms_for_people(request.terms, now),
            view::trust_word(request.trust),
            relative(request.expires, now)
        ),
        Event::RequestResolved { peer, resolution, by, .. } => {
            format!("{peer}'s request: {} by {}", resolution_word(*resolution), by_for_people(by))
        }
        Event::RequestSent(request) => {
            let away = if request.peer_away { ", who is not available now" } else { "" };
            format!("you ask {}{away} (ends {})", request.peer, relative(request.expires, now))
        }
        Event::RequestAnswered { peer, resolution, .. } => {
            format!("your request to {peer}: {}", resolution_word(*resolution))
        }
        Event::ChatChanged(chat) => format!(
            "chat with {}: {}, {} unread, {} undelivered",
            chat.peer,
            view::chat_word(chat.state),
            chat.unread,
            chat.undelivered
        ),
        Event::ChatEnded { peer, reason, undelivered, missing, .. } => {
            ended(peer, *reason, *undelivered, *missing)
        }
        Event::MessageReceived(message) => format!("{}: {}", message.peer, harmless::line(&message.text)),
        Event::MessagesDelivered { peer, up_to, .. } => format!("{peer} has your texts up to {up_to}"),
        Event::MessagesRead { chat_id, up_to } => format!("texts up to {up_to} of chat {chat_id} were read"),
        Event::TrustChanged { peer, trust } => trust_sentence(peer, *trust),
        Event::UsersChanged { came, went } => {
            format!("available: came [{}], went [{}]", names(came).join(" "), names(went).join(" "))
        }
        Event::DoNotDisturbChanged(state) => view::quiet_for_people(*state),
        Event::TextQueued { peer, id, expires } => {
            format!("text {id} for {peer} waits (ends {})", relative(*expires, now))
        }
        Event::QueuedTextsEnded { peer, ids, outcome } => {
            let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
            format!("left for {peer}: text {} {}", ids.join(", "), outcome_word(*outcome).replace('_', " "))
        }
    }
}

/// The end of a chat, for people.
pub(crate) fn ended(peer: &UserName, reason: EndReason, undelivered: u32, missing: u64) -> String {
    let why = match reason {
        EndReason::ClosedHere => "closed here".to_owned(),
        EndReason::ClosedByPeer => format!("closed by {peer}"),
        EndReason::TermsOver => "its time is over".to_owned(),
        EndReason::RestoredCopy => "one side came back from an older copy of its state".to_owned(),
        EndReason::Superseded => "a newer chat took its place".to_owned(),
        EndReason::KeyGone => format!("{peer}'s key changed, was forgotten, or {peer} was blocked"),
        EndReason::Unconfirmed => format!("closed here; {peer}'s daemon did not confirm"),
    };
    let mut text = format!("the chat with {peer} is over: {why}");
    if undelivered > 0 {
        text += &format!("; {undelivered} of your texts were never acknowledged");
    }
    if missing > 0 {
        text += &format!("; {missing} of {peer}'s texts never arrived");
    }
    text
}

fn names(users: &[UserName]) -> Vec<&str> {
    users.iter().map(UserName::as_str).collect()
}

fn by_object(by: &ResolvedBy) -> Value {
    let (kind, name, pid) = match by {
        ResolvedBy::Frontend { name, pid } => ("frontend", Some(name), Some(pid)),
        ResolvedBy::Policy => ("policy", None, None),
        ResolvedBy::Expiry => ("expiry", None, None),
        ResolvedBy::Peer => ("peer", None, None),
        ResolvedBy::Crossing => ("crossing", None, None),
        ResolvedBy::Consent => ("consent", None, None),
    };
    json!({ "kind": kind, "name": name, "pid": pid })
}

fn by_for_people(by: &ResolvedBy) -> String {
    match by {
        ResolvedBy::Frontend { name, pid } => format!("{} (pid {pid})", harmless::line(name)),
        ResolvedBy::Policy => "the policy".to_owned(),
        ResolvedBy::Expiry => "its expiry".to_owned(),
        ResolvedBy::Peer => "the asker".to_owned(),
        ResolvedBy::Crossing => "your own request to them".to_owned(),
        ResolvedBy::Consent => "the consent that you gave before".to_owned(),
    }
}

fn resolution_word(resolution: Resolution) -> &'static str {
    match resolution {
        Resolution::Accepted => "accepted",
        Resolution::Refused => "refused",
        Resolution::Expired => "expired",
        Resolution::Withdrawn => "withdrawn",
        Resolution::Later => "later",
    }
}

fn outcome_word(outcome: QueuedOutcome) -> &'static str {
    match outcome {
        QueuedOutcome::Delivered => "delivered",
        QueuedOutcome::NotDelivered => "not_delivered",
        QueuedOutcome::Expired => "expired",
        QueuedOutcome::Cancelled => "cancelled",
        QueuedOutcome::KeyGone => "key_gone",
    }
}

fn reason_word(reason: EndReason) -> &'static str {
    match reason {
        EndReason::ClosedHere => "closed_here",
        EndReason::ClosedByPeer => "closed_by_peer",
        EndReason::TermsOver => "terms_over",
        EndReason::RestoredCopy => "restored_copy",
        EndReason::Superseded => "superseded",
        EndReason::KeyGone => "key_gone",
        EndReason::Unconfirmed => "unconfirmed",
    }
}

fn trust_sentence(peer: &UserName, trust: KeyTrust) -> String {
    match trust {
        KeyTrust::Changed => format!("WARNING: {peer}'s key changed: run `secchatctl verify {peer}`"),
        KeyTrust::Vouched => {
            format!(
                "WARNING: {peer}'s key changed; the old one vouches for it: run `secchatctl verify {peer}`"
            )
        }
        KeyTrust::Followed => {
            format!("{peer} has a new key; the one that you verified vouches for it, and it is pinned now")
        }
        KeyTrust::Unverified | KeyTrust::Pinned | KeyTrust::Verified => {
            format!("{peer}'s key: {}", view::trust_word(trust))
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum as _;
    use secchat_ipc::types::ChatId;

    use super::*;

    fn bob() -> UserName {
        UserName::parse("bob").unwrap()
    }

    #[test]
    fn the_name_in_json_is_the_name_of_the_kind() {
        let events = [
            Event::MessagesRead { chat_id: ChatId([1; 16]), up_to: 3 },
            Event::RequestAnswered { peer: bob(), chat_id: ChatId([1; 16]), resolution: Resolution::Refused },
            Event::UsersChanged { came: vec![bob()], went: vec![] },
        ];
        for event in events {
            let object = object(7, &event);
            let name = kind(&event).to_possible_value().unwrap();
            assert_eq!(object["event"], name.get_name());
            assert_eq!(object["sequence"], 7);
        }
    }

    #[test]
    fn a_frontend_cannot_fake_a_line_by_its_name() {
        let by = ResolvedBy::Frontend { name: "x\n\u{1b}[2J".to_owned(), pid: 1 };
        let event = Event::RequestResolved {
            peer: bob(),
            chat_id: ChatId([0; 16]),
            resolution: Resolution::Accepted,
            by,
        };
        assert_eq!(sentence(&event), "bob's request: accepted by x\\u{a}\\u{1b}[2J (pid 1)");
    }
}
