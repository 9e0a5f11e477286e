//! What the daemon answers, as the result of a call.

use secchat_ipc::{Reply, Snapshot, UserName};
use serde_json::{Value, json};

use crate::{event_view, view};

/// The result; an empty object where there is nothing to say.
pub(crate) fn object(reply: &Reply) -> Value {
    match reply {
        Reply::Done => json!({}),
        Reply::Status(status) => view::status(status),
        Reply::Snapshot(snapshot) => state(snapshot),
        Reply::Users(users) => json!({ "users": users.iter().map(UserName::as_str).collect::<Vec<_>>() }),
        Reply::Asked { chat_id, expires, peer_away } => json!({
            "chat": chat_id.to_string(),
            "expires": secchat_ipc::time::rfc3339(*expires),
            "peer_away": peer_away,
            "open": false,
        }),
        Reply::Accepted { chat_id, terms } => {
            json!({ "chat": chat_id.to_string(), "terms": view::terms(*terms), "open": false })
        }
        Reply::ChatOpen { chat_id, terms } => {
            json!({ "chat": chat_id.to_string(), "terms": view::terms(*terms), "open": true })
        }
        Reply::Requests { incoming, outgoing } => json!({
            "incoming": all(incoming, view::incoming),
            "outgoing": all(outgoing, view::outgoing),
        }),
        Reply::Delivered { chat_id, id } => json!({ "chat": chat_id.to_string(), "id": id.to_string() }),
        Reply::Messages(messages) => json!({ "messages": all(messages, view::message) }),
        Reply::Closed { chat_id, undelivered } => {
            json!({ "chat": chat_id.to_string(), "undelivered": undelivered })
        }
        Reply::Peers(peers) => json!({ "peers": all(peers, view::peer) }),
        Reply::SafetyNumber { number, trust, offered } => json!({
            "safety_number": number,
            "trust": view::trust_word(*trust),
            "offered_safety_number": offered,
        }),
        Reply::Chats(chats) => json!({ "chats": all(chats, view::chat) }),
        Reply::DoNotDisturb(state) => view::do_not_disturb(*state),
        Reply::Consents(consents) => json!({ "consents": all(consents, view::consent) }),
        Reply::Queued { id, expires } => {
            json!({ "id": id.to_string(), "expires": secchat_ipc::time::rfc3339(*expires) })
        }
        Reply::Outbox(texts) => json!({ "texts": all(texts, view::queued_text) }),
        Reply::Cancelled { texts, sent } => json!({ "texts": texts, "sent": sent }),
        Reply::Events { missed, events } => json!({
            "missed": missed,
            "events": all(events, |logged| event_view::object(logged.number, &logged.event)),
        }),
        Reply::History { texts, next } => json!({
            "texts": all(texts, view::kept_text),
            "next": next.as_ref().map(|next| {
                json!({ "peer": next.peer.as_str(), "number": next.number.to_string() })
            }),
        }),
        Reply::HistoryKept { keep, peers } => view::history_kept(*keep, peers),
        Reply::HistoryErased { texts } => json!({ "erased": texts }),
        Reply::Consumers(consumers) => json!({ "consumers": all(consumers, view::consumer) }),
    }
}

fn state(snapshot: &Snapshot) -> Value {
    json!({
        "sequence": snapshot.sequence,
        "status": view::status(&snapshot.status),
        "incoming": all(&snapshot.incoming, view::incoming),
        "outgoing": all(&snapshot.outgoing, view::outgoing),
        "chats": all(&snapshot.chats, view::chat),
        "unread": all(&snapshot.unread, view::message),
    })
}

fn all<T>(items: &[T], one: impl Fn(&T) -> Value) -> Vec<Value> {
    items.iter().map(one).collect()
}
