//! Every state fed every message.

use secchat_proto::wire::link::{Answer, BadReason, LinkMessage, ListPart, LogoutReason, Step};
use secchat_proto::wire::login::Role;

use super::{Bench, SessionId, chat_id, lobby, m1, record, response, resume, rtt, user};

/// Alice, session 2, in a state; bob, session 1, is available and on the other side of it, chat 1. Carol, session 3,
/// is hidden.
fn alice_is(state: &str) -> Bench {
    let (bob, alice) = (SessionId(1), SessionId(2));
    let mut bench = Bench::new();
    bench.login("bob", Role::Receiver);
    bench.login("alice", if matches!(state, "hidden" | "asking") { Role::Sender } else { Role::Receiver });
    bench.login("carol", Role::Sender);
    match state {
        "gone" => bench.board.handle_gone(alice, bench.now),
        "asking" => bench.say(alice, rtt("bob", 1)),
        "asked" => bench.say(bob, rtt("alice", 1)),
        "paired" => bench.pair((bob, "bob"), (alice, "alice"), 1),
        "hidden" | "available" => {}
        _ => panic!("no such state"),
    }
    bench.heard();
    bench
}

fn messages() -> Vec<(&'static str, LinkMessage)> {
    let name = || user("bob");
    let chat_id = || chat_id(1);
    vec![
        ("refresh", LinkMessage::Refresh { watch: true }),
        ("presence receiver", LinkMessage::Presence { role: Role::Receiver }),
        ("presence sender", LinkMessage::Presence { role: Role::Sender }),
        ("rtt bob 1", rtt("bob", 1)),
        ("rtt bob 2", rtt("bob", 2)),
        ("rtt carol 2", rtt("carol", 2)),
        ("rtt dora 2", rtt("dora", 2)),
        ("rtt alice 2", rtt("alice", 2)),
        ("refuse bob 1", response(Answer::Refuse, "bob", 1)),
        ("accept bob 1", response(Answer::Accept, "bob", 1)),
        ("withdraw bob 1", response(Answer::Withdraw, "bob", 1)),
        ("withdraw carol 1", response(Answer::Withdraw, "carol", 1)),
        ("resume bob 1", resume("bob", 1)),
        ("m1 1", m1(1)),
        ("chat 1", record(1, 100)),
        ("chat 2", record(2, 100)),
        ("lobby 1", lobby(1)),
        ("acknowledgment", LinkMessage::Acknowledgment { name: name(), chat_id: chat_id() }),
        ("ping", LinkMessage::Ping([1; 8])),
        ("pong", LinkMessage::Pong([1; 8])),
        ("logout", LinkMessage::Logout(LogoutReason::User)),
        ("available users", LinkMessage::AvailableUsers { part: ListPart::Last, names: vec![name()] }),
        ("peer key", LinkMessage::PeerKey { name: name(), public_key: vec![1] }),
        (
            "bad response",
            LinkMessage::BadResponse { reason: BadReason::Limit, name: name(), chat_id: chat_id() },
        ),
        ("m3 2", LinkMessage::KeyEstablishment { chat_id: super::chat_id(2), step: Step::M3, body: vec![] }),
    ]
}

/// What is said in answer, by state; everything not in the table is answered by silence.
const ANSWERS: &[(&str, &[(&str, &str)])] = &[
    ("gone", &[]),
    (
        "hidden",
        &[
            ("refresh", "2<list(bob)"),
            ("rtt bob 1", "1<key(alice) 1<rtt(alice,1)"),
            ("rtt bob 2", "1<key(alice) 1<rtt(alice,2)"),
            ("rtt carol 2", "2<away(carol,2)"),
            ("rtt dora 2", "2<away(dora,2)"),
            ("rtt alice 2", "2<away(alice,2)"),
        ],
    ),
    (
        "available",
        &[
            ("refresh", "2<list(bob)"),
            ("rtt bob 1", "1<key(alice) 1<rtt(alice,1)"),
            ("rtt bob 2", "1<key(alice) 1<rtt(alice,2)"),
            ("rtt carol 2", "2<away(carol,2)"),
            ("rtt dora 2", "2<away(dora,2)"),
            ("rtt alice 2", "2<away(alice,2)"),
        ],
    ),
    (
        "asking",
        &[
            ("refresh", "2<list(bob)"),
            // The same request again is the same request.
            ("rtt bob 1", ""),
            ("rtt bob 2", "1<withdraw(alice,1) 1<key(alice) 1<rtt(alice,2)"),
            ("rtt carol 2", "2<away(carol,2)"),
            ("rtt dora 2", "2<away(dora,2)"),
            ("rtt alice 2", "2<away(alice,2)"),
            ("withdraw bob 1", "1<withdraw(alice,1)"),
        ],
    ),
    (
        "asked",
        &[
            ("refresh", "2<list(bob)"),
            // An offer for the chat that bob has offered, whatever it is, makes the pair.
            ("rtt bob 1", "1<resume(alice,1) 2<resume(bob,1)"),
            ("rtt bob 2", "1<key(alice) 1<rtt(alice,2)"),
            ("rtt carol 2", "2<away(carol,2)"),
            ("rtt dora 2", "2<away(dora,2)"),
            ("rtt alice 2", "2<away(alice,2)"),
            ("refuse bob 1", "1<refuse(alice,1)"),
            ("accept bob 1", "1<key(alice) 1<accept(alice,1) 2<resume(bob,1)"),
            ("resume bob 1", "1<resume(alice,1) 2<resume(bob,1)"),
        ],
    ),
    (
        "paired",
        &[
            ("refresh", "2<list(bob)"),
            // Offers for a chat that has its pair are dropped.
            ("rtt bob 1", ""),
            ("accept bob 1", ""),
            ("resume bob 1", ""),
            ("rtt bob 2", "1<key(alice) 1<rtt(alice,2)"),
            ("rtt carol 2", "2<away(carol,2)"),
            ("rtt dora 2", "2<away(dora,2)"),
            ("rtt alice 2", "2<away(alice,2)"),
            ("withdraw bob 1", "1<withdraw(alice,1)"),
            ("m1 1", "1<M1(1)"),
            ("chat 1", "1<chat(1)"),
            ("lobby 1", "1<lobby(1)"),
            ("logout", "1<away(alice,1)"),
        ],
    ),
];

#[test]
fn every_state_answers_every_message() {
    for (state, answers) in ANSWERS {
        let known: Vec<_> = messages().iter().map(|(name, _)| *name).collect();
        for (name, _) in *answers {
            assert!(known.contains(name), "{state}: no message {name}");
        }
        for (name, message) in messages() {
            let expected =
                answers.iter().find(|(answered, _)| *answered == name).map_or("", |(_, words)| words);
            let mut bench = alice_is(state);
            bench.say(SessionId(2), message);
            assert_eq!(bench.heard().join(" "), expected, "alice is {state} and says {name}");
        }
    }
}

#[test]
fn only_what_should_ends_a_pair() {
    for (name, message) in messages() {
        let mut bench = alice_is("paired");
        bench.say(SessionId(2), message);
        let stands = bench.board.peer_of(SessionId(1), &chat_id(1)).is_some();
        assert_eq!(stands, !matches!(name, "withdraw bob 1" | "lobby 1" | "logout"), "after {name}");
        assert_eq!(bench.board.is_online(&user("alice")), name != "logout", "after {name}");
    }
}
