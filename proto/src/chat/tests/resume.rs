//! Interruptions at every point, and what goes on after them.

use super::*;
use crate::chat::texts::{Inbound, Outbound};
use crate::error::Rule;
use crate::handshake::initiator::send_m1;
use crate::limits::{KEY_ESTABLISHMENT_TIMEOUT, REKEY_AFTER};

const MINUTE: Duration = Duration::from_secs(60);

/// A conversation with all there is: opening, texts both ways, a rekey under load. Gives how many steps it took;
/// `disturb` is called before each.
fn converse(net: &mut Net, mut disturb: impl FnMut(&mut Net, usize)) -> usize {
    let mut to_say = [0, 0];
    let mut has_aged = false;
    let mut quiet = 0;
    for step in 0..10_000 {
        disturb(net, step);
        let mut is_busy = false;
        for side in [A, B] {
            if to_say[side] < 6 && net.say(side, &format!("{side} says {}", to_say[side])).is_ok() {
                to_say[side] += 1;
                is_busy = true;
            }
        }
        let side = step % 2;
        is_busy |= net.relay(side) | net.deliver(1 - side);
        quiet = if is_busy { 0 } else { quiet + 1 };
        if quiet > 2 {
            if to_say == [6, 6] {
                if has_aged {
                    return step;
                }
                // Old enough for new keys, and something to say meanwhile.
                has_aged = true;
                net.advance(REKEY_AFTER - Duration::from_secs(30));
                net.set_clock(net.now + Duration::from_secs(30));
                to_say = [3, 3];
                net.tick();
            } else {
                net.advance(Duration::from_millis(500));
            }
        }
    }
    panic!("the conversation never ends")
}

fn assert_all_said(net: &mut Net, context: &str) {
    net.advance(2 * MINUTE);
    assert_eq!(net.phases(), [Phase::Open; 2], "{context}: {net:?}");
    net.assert_open();
    for side in [A, B] {
        assert_eq!(net.ends[side].inbox.len(), 9, "{context}");
        assert_eq!(net.ends[1 - side].delivered, 9, "{context}");
        assert_eq!(net.ends[side].chat.undelivered(), 0, "{context}");
    }
}

#[test]
fn a_link_lost_at_any_point_loses_nothing_and_doubles_nothing() {
    let mut undisturbed = Setup::default().build();
    let steps = converse(&mut undisturbed, |_, _| {});
    assert_all_said(&mut undisturbed, "undisturbed");
    assert_eq!(undisturbed.sessions, [2, 2], "one rekey");
    assert!(steps > 30);
    for cut_at in 0..=steps {
        for sides in [&[A][..], &[B], &[A, B]] {
            let mut net = Setup { seed: u64::try_from(cut_at).unwrap(), ..Setup::default() }.build();
            _ = converse(&mut net, |net, step| {
                for side in sides.iter().copied().filter(|_| step == cut_at) {
                    net.cut(side);
                    net.login(side);
                }
            });
            assert_all_said(&mut net, &format!("{sides:?} cut at {cut_at}"));
        }
    }
}

#[test]
fn a_pair_dissolved_at_any_point_loses_nothing_and_doubles_nothing() {
    let steps = converse(&mut Setup::default().build(), |_, _| {});
    for cut_at in 0..=steps {
        let mut net = Setup { seed: u64::try_from(cut_at).unwrap(), ..Setup::default() }.build();
        _ = converse(&mut net, |net, step| {
            if step == cut_at {
                net.dissolve();
            }
        });
        assert_all_said(&mut net, &format!("dissolved at {cut_at}"));
    }
}

/// Runs until this end has sent M3, which is not with the relay yet.
fn run_to_m3(net: &mut Net) {
    for _ in 0..20 {
        let has_m3 = net.ends[A]
            .up
            .iter()
            .any(|wire| matches!(wire, Wire::Message(message) if step_of(message) == Some(Step::M3)));
        if has_m3 {
            return;
        }
        for side in [A, B] {
            net.relay(side);
            net.deliver(1 - side);
        }
    }
    panic!("no M3");
}

#[test]
fn an_m3_lost_twice_splits_nobody() {
    let mut net = Setup::default().build();
    for _ in 0..2 {
        run_to_m3(&mut net);
        assert!(net.ends[A].chat.is_established() && !net.ends[A].chat.has_opened());
        assert!(!net.ends[B].chat.is_established());
        net.cut(A);
        assert!(matches!(net.ends[A].chat.offer(), LinkMessage::Rtt { .. }));
        assert!(matches!(net.ends[B].chat.offer(), LinkMessage::Response { .. }));
        net.login(A);
        net.deliver(B);
        net.set_clock(net.now + Duration::from_secs(2));
        net.tick();
    }
    net.settle();
    net.assert_open();
}

#[test]
fn an_m3_taken_whose_state_is_lost_splits_nobody_either() {
    let mut net = Setup::default().build();
    run_to_m3(&mut net);
    net.relay(A);
    net.deliver(B);
    assert!(net.ends[B].chat.is_established());
    net.cut(B);
    net.login(B);
    assert!(!net.ends[A].chat.has_opened());
    assert!(matches!(net.ends[B].chat.offer(), LinkMessage::Resume { .. }));
    net.advance(Duration::from_secs(5));
    net.assert_open();
}

#[test]
fn texts_said_while_interrupted_go_when_it_opens_again() {
    let mut net = Setup::default().open();
    net.cut(A);
    net.settle();
    assert_eq!(net.say(A, "while away"), Ok(1));
    assert_eq!(net.say(B, "while you are away"), Ok(1));
    net.login(A);
    net.advance(Duration::from_secs(5));
    assert_eq!((net.texts(A), net.texts(B)), (vec!["while you are away"], vec!["while away"]));
    assert_eq!(net.events(A).last(), Some(&Output::Opened { first: false, granted: GRANTED }));
}

#[test]
fn a_handshake_takes_30_seconds_at_most() {
    let mut net = Setup::default().build();
    for side in [A, B] {
        net.relay(side);
    }
    for side in [A, B] {
        net.deliver(side);
        net.ends[side].up.clear();
    }
    net.set_clock(net.now + KEY_ESTABLISHMENT_TIMEOUT - Duration::from_millis(1));
    net.tick();
    assert_eq!(net.phases(), [Phase::Establishing; 2]);
    net.set_clock(net.now + Duration::from_millis(1));
    net.tick();
    let fault = Some(Error::PeerMisbehaved(Rule::Late));
    for side in [A, B] {
        assert_eq!(net.events(side), [Output::Interrupted { fault }]);
        assert!(matches!(net.ends[side].up[0], Wire::Message(LinkMessage::ReturnToLobby { .. })));
    }
    net.advance(MINUTE);
    net.assert_open();
}

/// B with a pair, A's M1 on its way.
fn with_m1() -> (Net, Wire) {
    let mut net = Setup::default().build();
    for side in [A, B] {
        net.relay(side);
    }
    for side in [A, B] {
        net.deliver(side);
    }
    let m1 = net.ends[A].up.pop_front().unwrap();
    (net, m1)
}

fn fresh_m1(net: &mut Net) -> Wire {
    let end = &mut net.ends[A];
    let (_, body) = send_m1(end.chat.context(), &Suites::for_peers(), &mut end.entropy).unwrap();
    Wire::Message(LinkMessage::KeyEstablishment { chat_id: end.chat.id(), step: Step::M1, body })
}

#[test]
fn b_answers_three_newer_m1_of_a_pair_and_no_replay() {
    let (mut net, m1) = with_m1();
    net.feed(B, m1.clone());
    assert_eq!(net.ends[B].up.len(), 1);
    net.feed(B, m1);
    assert_eq!((net.ends[B].up.len(), net.ends[B].chat.strays()), (1, 1), "the same is not newer");
    for _ in 0..4 {
        let newer = fresh_m1(&mut net);
        net.feed(B, newer);
    }
    assert_eq!((net.ends[B].up.len(), net.ends[B].chat.strays()), (3, 3));
    assert_eq!(net.ends[B].chat.phase(), Phase::Establishing);
}

#[test]
fn a_takes_one_m2_for_its_m1() {
    let (mut net, m1) = with_m1();
    net.feed(B, m1);
    let m2 = net.ends[B].up.pop_front().unwrap();
    net.feed(A, m2.clone());
    assert_eq!(net.ends[A].up.len(), 2, "M3 and State");
    net.feed(A, m2);
    assert_eq!((net.ends[A].up.len(), net.ends[A].chat.strays()), (2, 1));
    net.relay(A);
    net.deliver(B);
    net.settle();
    net.assert_open();
}

#[test]
fn records_of_an_older_pair_are_stale() {
    let mut net = Setup::default().open();
    net.say(B, "never taken").unwrap();
    let stale = net.ends[B].up.pop_back().unwrap();
    net.cut(B);
    net.login(B);
    net.settle();
    for _ in 0..2 {
        // A awaits M2 or, before its offer, has no pair.
        net.feed(A, stale.clone());
        net.set_clock(net.now + Duration::from_secs(2));
        net.tick();
        net.relay(A);
        net.relay(B);
        net.deliver(A);
    }
    assert_eq!(net.ends[A].chat.strays(), 2);
    net.settle();
    net.assert_open();
    assert_eq!(net.texts(A), ["never taken"]);
}

#[test]
fn a_restored_copy_without_the_root_is_told_and_dropped() {
    let mut net = Setup::default().open();
    net.cut(B);
    net.ends[B].chat.root = None;
    net.login(B);
    net.advance(Duration::from_secs(10));
    assert_eq!(net.ends[A].chat.phase(), Phase::Over);
    assert!(is_end(net.events(A).last().unwrap(), false, Some(EndReason::RestoredCopy)));
    assert_eq!(net.ends[B].chat.phase(), Phase::Unpaired);
}

#[test]
fn without_the_root_a_cannot_resume() {
    let mut net = Setup::default().open();
    net.cut(A);
    net.ends[A].chat.root = None;
    net.events(A);
    net.login(A);
    net.advance(MINUTE);
    assert_ne!(net.phases(), [Phase::Open; 2]);
    assert!(net.events(B).iter().filter(|event| matches!(event, Output::Opened { .. })).count() == 1);
}

#[test]
fn a_restored_copy_shows_in_state_and_both_say_so() {
    for restored in [A, B] {
        for (forgets_sent, forgets_held) in [(true, false), (false, true), (true, true)] {
            let mut net = Setup::default().open();
            for side in [A, B] {
                net.say(side, "x").unwrap();
            }
            net.settle();
            net.cut(restored);
            let chat = &mut net.ends[restored].chat;
            if forgets_sent {
                chat.outbound = Outbound::default();
            }
            if forgets_held {
                chat.inbound = Inbound::default();
            }
            net.login(restored);
            net.advance(Duration::from_secs(10));
            assert_eq!(net.phases(), [Phase::Over; 2]);
            for side in [A, B] {
                let ends: Vec<_> = net.events(side);
                let ended = ends.last().unwrap();
                let is_told = [true, false].map(|by| is_end(ended, by, Some(EndReason::RestoredCopy)));
                assert!(is_told.contains(&true), "{ended:?}");
            }
        }
    }
}

/// Interrupted after a text of each came; B awaits State again. Whether B held its text only after the interruption.
fn resuming(holds_late: bool) -> Net {
    let mut net = Setup::default().open();
    net.ends[B].holds = !holds_late;
    for side in [A, B] {
        net.say(side, "x").unwrap();
    }
    net.settle();
    net.cut(A);
    net.login(A);
    net.deliver(B);
    net.call(B, |chat, env| chat.handle_held(1, env));
    net.set_clock(net.now + Duration::from_secs(2));
    net.tick();
    for _ in 0..20 {
        for side in [A, B] {
            net.relay(side);
            net.deliver(side);
            if matches!(net.ends[B].up.front(), Some(Wire::Message(LinkMessage::Chat { .. }))) {
                net.ends[B].up.clear();
                return net;
            }
        }
    }
    panic!("B never awaits State")
}

#[test]
fn state_acknowledges_and_nothing_says_it_again() {
    let mut net = resuming(true);
    net.receive_first(B, &ChatMessage::State { sent: 1, held: 1 });
    assert_eq!(net.ends[B].chat.phase(), Phase::Open);
    assert_eq!(net.ends[B].up, []);
    assert_eq!(net.ends[B].delivered, 1);
}

#[test]
fn each_contradiction_in_state_shows_by_itself() {
    for (sent, held, is_restored) in [(1, 1, false), (2, 1, false), (0, 1, true), (1, 2, true), (1, 0, true)]
    {
        let mut net = resuming(false);
        net.say(B, "kept").unwrap();
        net.receive_first(B, &ChatMessage::State { sent, held });
        let expected = if is_restored { Phase::Ending } else { Phase::Open };
        assert_eq!(net.ends[B].chat.phase(), expected, "sent {sent}, held {held}");
        assert_eq!(net.ends[B].up.len(), 1, "the text, or End alone");
    }
}
