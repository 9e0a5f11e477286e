//! Messages on the link (PROTOCOL.md §5).

use secchat_proto::UserName;
use secchat_proto::wire::link::{
    Answer, BadReason, ChatId, Direction, LinkMessage, ListPart, LogoutReason, Step,
};
use secchat_proto::wire::login::Role;

use crate::people::Person;
use crate::vector_file::{VectorFile, bytes_of};

const ABOUT: &str =
    "PROTOCOL.md §5: each message as the plaintext of a link record (type | fields), and what is refused.
`from` says who sends it: `client`, `relay`, or `both`.";

#[test]
fn link_messages() {
    let mut file = VectorFile::new("link_messages", ABOUT);
    for (case, from, message) in messages() {
        let mut plaintext = Vec::new();
        message.encode(&mut plaintext);
        file.begin(case).text("from", from);
        write_fields(&mut file, &message);
        file.bytes("plaintext", &plaintext);
        for (sender, is_named) in
            [(Direction::FromClient, from != "relay"), (Direction::FromRelay, from != "client")]
        {
            let decoded = LinkMessage::decode(&plaintext, sender).ok();
            assert_eq!(decoded, is_named.then(|| message.clone()), "{case}");
        }
    }
    file.comment("");
    file.comment("What ends the link.");
    for (case, from, plaintext) in refused() {
        let sender = if from == "client" { Direction::FromClient } else { Direction::FromRelay };
        let error = LinkMessage::decode(&plaintext, sender).unwrap_err();
        file.begin(case).text("from", from).bytes("plaintext", &plaintext);
        file.text("refused", &error.to_string());
    }
    file.check();
}

fn name(text: &str) -> UserName {
    text.parse().unwrap()
}

fn chat_id() -> ChatId {
    ChatId::from_bytes(bytes_of("secchat test chat id", 16).try_into().unwrap()).unwrap()
}

fn messages() -> Vec<(&'static str, &'static str, LinkMessage)> {
    let names = |names: &[&str]| names.iter().map(|text| name(text)).collect();
    let list = |part, list: &[&str]| LinkMessage::AvailableUsers { part, names: names(list) };
    let response =
        |answer, text: &str| LinkMessage::Response { answer, name: name(text), chat_id: chat_id() };
    let step =
        |step, body: &[u8]| LinkMessage::KeyEstablishment { chat_id: chat_id(), step, body: body.to_vec() };
    let bad = |reason| LinkMessage::BadResponse { reason, name: name("bob"), chat_id: chat_id() };
    let token = *b"8 bytes!";
    vec![
        ("Available Users, the list goes on", "relay", list(ListPart::More, &["alice", "bob"])),
        ("Available Users, the list ends", "relay", list(ListPart::Last, &["carol"])),
        ("Available Users, an empty list", "relay", list(ListPart::Last, &[])),
        ("Available Users, came", "relay", list(ListPart::Came, &["0.d_a-ve"])),
        ("Available Users, went", "relay", list(ListPart::Went, &["alice"])),
        ("Refresh, the list only", "client", LinkMessage::Refresh { watch: false }),
        ("Refresh, and its changes", "client", LinkMessage::Refresh { watch: true }),
        ("Presence, available", "client", LinkMessage::Presence { role: Role::Receiver }),
        ("Presence, hidden", "client", LinkMessage::Presence { role: Role::Sender }),
        ("RTT", "both", LinkMessage::Rtt { name: name("bob"), request: b"see request.txt".to_vec() }),
        (
            "Peer Key",
            "relay",
            LinkMessage::PeerKey {
                name: name("alice"),
                public_key: Person::new("alice").key.public_key().as_der().to_vec(),
            },
        ),
        (
            "Peer Key, of a key that is none: opaque on the link, and no usable key",
            "relay",
            LinkMessage::PeerKey { name: name("alice"), public_key: b"no SPKI".to_vec() },
        ),
        ("Response, refuse", "both", response(Answer::Refuse, "alice")),
        ("Response, accept", "both", response(Answer::Accept, "alice")),
        ("Response, withdraw", "both", response(Answer::Withdraw, "bob")),
        ("Resume", "both", LinkMessage::Resume { name: name("bob"), chat_id: chat_id() }),
        ("Key Establishment, M1", "both", step(Step::M1, b"see key_establishment.txt")),
        ("Key Establishment, M2", "both", step(Step::M2, b"see key_establishment.txt")),
        ("Key Establishment, M3", "both", step(Step::M3, b"see key_establishment.txt")),
        ("Chat", "both", LinkMessage::Chat { chat_id: chat_id(), record: b"see chat_record.txt".to_vec() }),
        ("Return to Lobby", "both", LinkMessage::ReturnToLobby { chat_id: chat_id() }),
        ("Bad Response, not available", "relay", bad(BadReason::NotAvailable)),
        ("Bad Response, a limit", "relay", bad(BadReason::Limit)),
        ("Acknowledgment", "client", LinkMessage::Acknowledgment { name: name("bob"), chat_id: chat_id() }),
        ("Ping", "both", LinkMessage::Ping(token)),
        ("Pong", "both", LinkMessage::Pong(token)),
        ("Logout, user", "both", LinkMessage::Logout(LogoutReason::User)),
        ("Logout, closing", "both", LinkMessage::Logout(LogoutReason::Closing)),
        ("Logout, replaced", "both", LinkMessage::Logout(LogoutReason::Replaced)),
        ("Logout, removed", "both", LinkMessage::Logout(LogoutReason::Removed)),
        ("Logout, too slow", "both", LinkMessage::Logout(LogoutReason::TooSlow)),
    ]
}

/// The variable fields; the numbers of the table are read off the plaintext.
fn write_fields(file: &mut VectorFile, message: &LinkMessage) {
    match message {
        LinkMessage::AvailableUsers { names, .. } => {
            file.number("count", names.len().try_into().unwrap());
            for name in names {
                file.text("name", name.as_str());
            }
        }
        LinkMessage::Rtt { name, request } => _ = file.text("name", name.as_str()).bytes("rtt", request),
        LinkMessage::PeerKey { name, public_key } => {
            file.text("name", name.as_str()).bytes("spki", public_key);
        }
        LinkMessage::Response { name, chat_id, .. }
        | LinkMessage::Resume { name, chat_id }
        | LinkMessage::BadResponse { name, chat_id, .. }
        | LinkMessage::Acknowledgment { name, chat_id } => {
            file.text("name", name.as_str()).bytes("chat_id", chat_id.as_bytes());
        }
        LinkMessage::KeyEstablishment { chat_id, body, .. } => {
            file.bytes("chat_id", chat_id.as_bytes()).bytes("body", body);
        }
        LinkMessage::Chat { chat_id, record } => {
            file.bytes("chat_id", chat_id.as_bytes()).bytes("record", record);
        }
        LinkMessage::ReturnToLobby { chat_id } => _ = file.bytes("chat_id", chat_id.as_bytes()),
        LinkMessage::Ping(token) | LinkMessage::Pong(token) => _ = file.bytes("x", token),
        LinkMessage::Refresh { .. } | LinkMessage::Presence { .. } | LinkMessage::Logout(_) => {}
    }
}

fn refused() -> Vec<(&'static str, &'static str, Vec<u8>)> {
    let with = |parts: &[&[u8]]| parts.concat();
    let id = chat_id();
    let id = id.as_bytes();
    vec![
        ("no type", "client", vec![]),
        ("type 1", "client", vec![1]),
        ("type 17", "relay", vec![17]),
        ("a message cut short", "relay", with(&[&[16, 3], b"bob", &id[..15]])),
        ("a byte too many", "client", vec![10, 1, 0]),
        ("a name of no byte", "client", with(&[&[16, 0], id])),
        ("a name of 33 bytes", "client", with(&[&[16, 33], &[b'a'; 33], id])),
        ("a name in upper case", "client", with(&[&[16, 3], b"Bob", id])),
        ("a name that begins with a dot", "client", with(&[&[16, 2], b".b", id])),
        ("a name with a slash", "client", with(&[&[16, 3], b"a/b", id])),
        ("a name twice in a list", "relay", with(&[&[2, 1, 0, 2, 3], b"bob", &[3], b"bob"])),
        ("a list with fewer names than it says", "relay", with(&[&[2, 1, 0, 2, 3], b"bob"])),
        ("a list with more names than it says", "relay", with(&[&[2, 1, 0, 1, 3], b"bob", &[3], b"eve"])),
        ("part 4 of a list", "relay", vec![2, 4, 0, 0]),
        ("watch 2", "client", vec![10, 2]),
        ("role 2", "client", vec![13, 2]),
        ("R 3", "client", with(&[&[4, 3, 3], b"bob", id])),
        ("a chat_id of zeros", "client", with(&[&[16, 3], b"bob", &[0; 16]])),
        ("step 0", "client", with(&[&[6], id, &[0]])),
        ("step 4", "relay", with(&[&[6], id, &[4]])),
        ("reason 2 of a Bad Response", "relay", with(&[&[7, 2, 3], b"bob", id])),
        ("reason 5 of a Logout", "relay", vec![8, 5]),
        ("Available Users from a client", "client", vec![2, 1, 0, 0]),
        ("Peer Key from a client", "client", with(&[&[5, 3], b"bob", &[0, 0]])),
        ("Bad Response from a client", "client", with(&[&[7, 0, 3], b"bob", id])),
        ("Refresh from the relay", "relay", vec![10, 0]),
        ("Presence from the relay", "relay", vec![13, 0]),
        ("Acknowledgment from the relay", "relay", with(&[&[11, 3], b"bob", id])),
    ]
}
