//! Every phase is fed every message: out of place, malformed, out of role. What comes of each stands in a table.

use super::places::{PLACES, Place, paired};
use super::*;

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// Dropped and counted; nothing else changed.
    Stray,
    /// Taken, or dropped without a word: the phase stays.
    Nothing,
    /// The pair was left: 12 was sent.
    Fault,
    /// The pair is gone: nothing was sent.
    Interrupted,
    /// Another phase, without a fault.
    Moved(Phase),
}

fn fate(place: Place, stimulus: impl FnOnce(&mut Net, usize)) -> Fate {
    let mut net = place.build();
    let side = place.side();
    let strays = net.ends[side].chat.strays();
    stimulus(&mut net, side);
    let chat = &net.ends[side].chat;
    let has_sent_12 =
        net.ends[side].up.iter().any(|wire| matches!(wire, Wire::Message(LinkMessage::ReturnToLobby { .. })));
    let is_unpaired = !chat.is_paired();
    if chat.strays() > strays {
        assert_eq!(
            (chat.strays(), chat.phase(), has_sent_12),
            (strays + 1, place.phase(), false),
            "{place:?}"
        );
        Fate::Stray
    } else if has_sent_12 && chat.phase() != Phase::Over {
        assert!(is_unpaired, "{place:?}");
        Fate::Fault
    } else if chat.phase() == place.phase() && !(is_unpaired && place.build().ends[side].chat.is_paired()) {
        Fate::Nothing
    } else if is_unpaired && chat.phase() != Phase::Over {
        Fate::Interrupted
    } else {
        Fate::Moved(chat.phase())
    }
}

fn step(net: &mut Net, side: usize, step: Step, body: &[u8]) {
    net.call(side, |chat, env| chat.handle_key_establishment(step, body, env));
}

#[test]
fn key_establishment_that_is_garbage_or_out_of_place() {
    for place in PLACES {
        for kind in [Step::M1, Step::M2, Step::M3] {
            for body in [&[][..], &[0; 16], &[7; 40], &[0xFF; 5_000]] {
                let expected = match (place, kind) {
                    // It is known to be a peer's M1 by its place alone: malformed, not a stray.
                    (Place::AwaitingM1 | Place::AwaitingM3, Step::M1) => Fate::Fault,
                    _ => Fate::Stray,
                };
                let fate = fate(place, |net, side| step(net, side, kind, body));
                assert_eq!(fate, expected, "{kind:?} of {} bytes in {place:?}", body.len());
            }
        }
    }
}

#[test]
fn steps_of_this_handshake_that_are_malformed() {
    // The handshake nonce is right, the rest is not.
    for cut in [16, 17, 60] {
        let cut_body = |net: &mut Net, from: usize| {
            let Some(Wire::Message(LinkMessage::KeyEstablishment { step, body, .. })) =
                net.ends[1 - from].down.pop_front()
            else {
                panic!("no step on its way")
            };
            (step, body[..cut].to_vec())
        };
        let mut net = paired(&[A, B, A, B]);
        net.relay(B);
        let (kind, body) = cut_body(&mut net, B);
        step(&mut net, A, kind, &body);
        assert!(matches!(net.events(A)[..], [Output::Interrupted { fault: Some(Error::Malformed(_)) }]));

        let mut net = paired(&[A, B, A, B, B, A]);
        let (kind, body) = cut_body(&mut net, A);
        step(&mut net, B, kind, &body);
        assert!(matches!(net.events(B)[..], [Output::Interrupted { fault: Some(Error::Malformed(_)) }]));
    }
}

#[test]
fn an_m1_of_another_chat_is_a_stray() {
    for place in [Place::AwaitingM1, Place::AwaitingM3] {
        let fate = fate(place, |net, side| {
            let mut other = Setup { seed: 99, ..Setup::default() }.build();
            let end = &mut other.ends[A];
            let (_, body) = crate::handshake::initiator::send_m1(
                end.chat.context(),
                &Suites::for_peers(),
                &mut end.entropy,
            )
            .unwrap();
            step(net, side, Step::M1, &body);
        });
        assert_eq!(fate, Fate::Stray, "{place:?}");
    }
}

#[test]
fn records_that_are_garbage_or_stale() {
    for place in PLACES {
        for record in [&[][..], &[0; 27], &[0; 92], &[7; 60_000]] {
            let expected = match place {
                Place::Unpaired(_)
                | Place::AwaitingM1
                | Place::AwaitingM2
                | Place::AwaitingM3
                | Place::Over(_) => Fate::Stray,
                Place::AwaitingState(_)
                | Place::Open(_)
                | Place::Asked
                | Place::RekeyAnswered
                | Place::Ending(_)
                | Place::EndAnswered(_) => Fate::Fault,
            };
            let fate = fate(place, |net, side| net.call(side, |chat, env| chat.handle_record(record, env)));
            assert_eq!(fate, expected, "{} bytes in {place:?}", record.len());
        }
    }
}

#[test]
fn what_the_relay_says() {
    for place in PLACES {
        let pair = fate(place, |net, side| net.call(side, Chat::handle_pair));
        let expected = match place {
            Place::Unpaired(_) => Fate::Moved(Phase::Establishing),
            _ => Fate::Stray,
        };
        assert_eq!(pair, expected, "pair in {place:?}");

        let returned = fate(place, |net, side| {
            net.call(side, |chat, env| chat.handle_pair_lost(PairLoss::Returned, env));
        });
        let expected = match place {
            Place::Unpaired(_) | Place::Over(_) => Fate::Nothing,
            Place::EndAnswered(_) => Fate::Moved(Phase::Over),
            _ => Fate::Interrupted,
        };
        assert_eq!(returned, expected, "12 in {place:?}");

        let expected = match place {
            Place::Unpaired(_) | Place::Over(_) => Fate::Nothing,
            _ => Fate::Interrupted,
        };
        let gone = fate(place, |net, side| {
            net.call(side, |chat, env| chat.handle_pair_lost(PairLoss::PeerGone, env))
        });
        assert_eq!(gone, expected, "7 in {place:?}");
        let lost = fate(place, |net, side| net.call(side, Chat::handle_link_lost));
        assert_eq!(lost, expected, "link lost in {place:?}");
        let login = fate(place, |net, side| net.call(side, Chat::handle_login));
        assert_eq!(login, expected, "login in {place:?}");
    }
}

#[test]
fn what_the_owner_does_out_of_turn() {
    for place in PLACES {
        for call in [Chat::handle_timeout, Chat::handle_unlock, Chat::resume_now] {
            assert_eq!(fate(place, |net, side| net.call(side, call)), Fate::Nothing, "{place:?}");
        }
        assert_eq!(
            fate(place, |net, side| net.call(side, |chat, env| chat.handle_held(u64::MAX, env))),
            Fate::Nothing,
            "{place:?}"
        );
        let can_say = matches!(place, Place::Open(_) | Place::Asked | Place::RekeyAnswered);
        let mut net = place.build();
        assert_eq!(net.say(place.side(), "y").is_ok(), can_say, "{place:?}");
        let mut net = place.build();
        net.call(place.side(), Chat::drop_pair);
        assert_eq!(net.ends[place.side()].chat.phase(), Phase::Over);
        let told =
            net.events(place.side()).iter().filter(|event| matches!(event, Output::Ended { .. })).count();
        let expected = !matches!(place, Place::EndAnswered(_) | Place::Over(_));
        assert_eq!(told, usize::from(expected), "{place:?}");
    }
}

/// What a peer with the keys may say.
fn said() -> Vec<(&'static str, ChatMessage)> {
    let text = |id| ChatMessage::Text { id, text: "y".into() };
    let end = |reason| ChatMessage::End { id: 1, reason };
    let key = |step| ChatMessage::KeyEstablishment { step, body: vec![7; 40] };
    vec![
        ("nothing", ChatMessage::Nothing),
        ("text new", text(2)),
        ("text held", text(1)),
        ("text gap", text(3)),
        ("delivered", ChatMessage::Delivered { id: 1 }),
        ("delivered high", ChatMessage::Delivered { id: 9 }),
        ("end", end(EndReason::Person)),
        ("end until", end(EndReason::Until)),
        ("end restored", end(EndReason::RestoredCopy)),
        ("end answer", end(EndReason::Answer)),
        ("m1", key(Step::M1)),
        ("m2", key(Step::M2)),
        ("m3", key(Step::M3)),
        ("state", ChatMessage::State { sent: 1, held: 1 }),
        ("state high", ChatMessage::State { sent: u64::MAX, held: u64::MAX }),
    ]
}

fn expected_of_record(place: Place, what: &str) -> Fate {
    let is_first = matches!(place, Place::AwaitingState(_));
    let is_ending = matches!(place, Place::Ending(_));
    let is_silent = is_ending || matches!(place, Place::EndAnswered(_));
    match what {
        // Nothing was sent and none taken before: one that says otherwise is a restored copy.
        "state" | "state high" if is_first => Fate::Moved(Phase::Ending),
        _ if is_first => Fate::Fault,
        "nothing" | "delivered" | "text new" | "text held" => Fate::Nothing,
        "text gap" if is_silent => Fate::Nothing,
        "end answer" if is_ending => Fate::Moved(Phase::Over),
        "end" | "end until" | "end restored" if matches!(place, Place::EndAnswered(_)) => Fate::Nothing,
        "end" | "end until" | "end restored" => Fate::Moved(Phase::Answered),
        "m2" if place.side() == A => Fate::Stray,
        "m3" if place.side() == B => Fate::Stray,
        // M1 of 40 sevens is malformed; to A any is out of role.
        _ => Fate::Fault,
    }
}

#[test]
fn everything_a_peer_may_say() {
    let states = PLACES.into_iter().filter(|place| {
        // A peer that waits for M3 itself, or is over, has no keys here to forge with.
        !matches!(
            place,
            Place::Unpaired(_) | Place::AwaitingM1 | Place::AwaitingM2 | Place::AwaitingM3 | Place::Over(_)
        )
    });
    for place in states {
        for (what, message) in said() {
            let fate = fate(place, |net, side| match place {
                Place::AwaitingState(_) => net.receive_first(side, &message),
                _ => net.receive_forged(side, &message),
            });
            assert_eq!(fate, expected_of_record(place, what), "{what} in {place:?}");
        }
    }
}
