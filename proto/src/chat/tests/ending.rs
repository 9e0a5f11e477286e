//! Ends: answered, crossing, lost, late.

use super::*;
use crate::error::Rule;
use crate::limits::{END_UNANSWERED, FORGET_AFTER_UNTIL};

const SECOND: Duration = Duration::from_secs(1);

fn end(net: &mut Net, side: usize) {
    net.call(side, |chat, env| chat.end(EndReason::Person, env));
}

fn only_end(net: &mut Net, side: usize) -> (bool, Option<EndReason>, u32, u64) {
    let mut ends: Vec<_> = net
        .events(side)
        .into_iter()
        .filter_map(|event| match event {
            Output::Ended { by_peer, reason, undelivered, missing } => {
                Some((by_peer, reason, undelivered, missing))
            }
            _ => None,
        })
        .collect();
    assert_eq!(ends.len(), 1, "told once");
    ends.remove(0)
}

#[test]
fn an_end_is_answered_and_both_forget() {
    for side in [A, B] {
        let mut net = Setup::default().open();
        net.say(A, "x").unwrap();
        net.settle();
        end(&mut net, side);
        assert_eq!(net.ends[side].chat.phase(), Phase::Ending);
        assert_eq!(net.say(side, "late"), Err(SendError::NotOpen));
        net.settle();
        assert_eq!(net.phases(), [Phase::Over; 2]);
        assert!(!net.is_paired, "12 dissolved the pair");
        assert_eq!(only_end(&mut net, side), (false, Some(EndReason::Person), 0, 0));
        assert_eq!(only_end(&mut net, 1 - side), (true, Some(EndReason::Person), 0, 0));
        for side in [A, B] {
            assert_eq!(net.ends[side].chat.poll_timeout(), None);
            assert_eq!(net.say(side, "late"), Err(SendError::NotOpen));
        }
    }
}

#[test]
fn crossing_ends_are_each_answered() {
    let mut net = Setup::default().open();
    end(&mut net, A);
    end(&mut net, B);
    net.settle();
    assert_eq!(net.phases(), [Phase::Over; 2]);
    for side in [A, B] {
        assert_eq!(only_end(&mut net, side), (false, Some(EndReason::Person), 0, 0));
    }
}

#[test]
fn a_text_that_crosses_an_end_is_missing_here_and_undelivered_there() {
    let mut net = Setup::default().open();
    end(&mut net, A);
    net.say(B, "crossing").unwrap();
    net.settle();
    assert_eq!(only_end(&mut net, A), (false, Some(EndReason::Person), 0, 1));
    assert_eq!(only_end(&mut net, B), (true, Some(EndReason::Person), 1, 0));
    assert!(net.texts(A).is_empty());
}

#[test]
fn an_acknowledgement_that_is_owed_leaves_before_an_end_or_its_answer() {
    for side in [A, B] {
        let mut net = Setup::default().open();
        for _ in 0..3 {
            net.say(B, "x").unwrap();
            net.relay(B);
            net.deliver(A);
        }
        assert_eq!(net.ends[A].up.len(), 1, "two are owed and wait");
        end(&mut net, side);
        net.settle();
        assert_eq!(net.ends[B].delivered, 3);
        let (_, _, undelivered, missing) = only_end(&mut net, B);
        assert_eq!((undelivered, missing), (0, 0));
    }
}

#[test]
fn a_text_that_the_owner_does_not_hold_counts_as_missing() {
    let mut net = Setup::default().open();
    net.ends[A].holds = false;
    net.say(B, "x").unwrap();
    net.settle();
    end(&mut net, B);
    net.settle();
    assert_eq!(only_end(&mut net, A), (true, Some(EndReason::Person), 0, 1));
    assert_eq!(only_end(&mut net, B), (false, Some(EndReason::Person), 1, 0));
}

#[test]
fn an_end_waits_for_the_chat_to_open_again_and_texts_go_first() {
    let mut net = Setup::default().open();
    net.cut(A);
    net.settle();
    net.say(A, "last words").unwrap();
    end(&mut net, A);
    assert_eq!(net.ends[A].chat.phase(), Phase::Ending);
    net.login(A);
    net.advance(5 * SECOND);
    assert_eq!(net.texts(B), ["last words"]);
    assert_eq!(net.phases(), [Phase::Over; 2]);
    let events = net.events(A);
    assert_eq!(events.len(), 3, "opened, interrupted, ended: not opened again, to a person");
    assert!(is_end(&events[2], false, Some(EndReason::Person)));
}

#[test]
fn texts_that_were_given_up_do_not_go_again() {
    for has_arrived in [false, true] {
        let mut net = Setup::default().open();
        net.say(A, "last words").unwrap();
        if has_arrived {
            net.relay(A);
            net.deliver(B);
        }
        net.cut(A);
        net.settle();
        net.say(A, "never sealed").unwrap();
        net.call(A, |chat, _| chat.give_up_texts());
        assert_eq!(net.ends[A].chat.undelivered(), 2);
        end(&mut net, A);
        net.call(A, |chat, _| chat.give_up_texts());
        assert_eq!(net.ends[A].chat.undelivered(), 2);
        net.login(A);
        net.advance(5 * SECOND);
        assert_eq!(net.phases(), [Phase::Over; 2]);
        assert_eq!(net.texts(B).len(), usize::from(has_arrived));
        let (undelivered, missing) = if has_arrived { (1, 0) } else { (2, 1) };
        assert_eq!(only_end(&mut net, A), (false, Some(EndReason::Person), undelivered, 0));
        assert_eq!(only_end(&mut net, B), (true, Some(EndReason::Person), 0, missing));
    }
}

#[test]
fn links_lost_at_any_point_of_an_end() {
    for ends in [&[A][..], &[B], &[A, B]] {
        for steps in 0..16 {
            for lost in [A, B] {
                let mut net = Setup::default().open();
                net.say(A, "x").unwrap();
                net.say(B, "y").unwrap();
                for side in ends {
                    end(&mut net, *side);
                }
                for step in 0..steps {
                    let side = (step + lost) % 2;
                    net.relay(side);
                    net.deliver(1 - side);
                }
                net.cut(lost);
                net.login(lost);
                net.advance(30 * SECOND);
                let context = format!("{ends:?} end, {lost} cut after {steps}: {:?}", net.phases());
                for side in [A, B] {
                    let (_, reason, ..) = only_end(&mut net, side);
                    assert_eq!(reason, Some(EndReason::Person), "{context}");
                }
                // A 12 may have been lost; who waits for it does so quietly and not for ever.
                assert!(net.phases().contains(&Phase::Over), "{context}");
                net.advance(END_UNANSWERED);
                assert_eq!(net.phases(), [Phase::Over; 2], "{context}");
            }
        }
    }
}

#[test]
fn a_lost_answer_is_given_again_and_nothing_is_told_twice() {
    let mut net = Setup::default().open();
    end(&mut net, A);
    net.relay(A);
    net.deliver(B);
    assert_eq!(net.ends[B].chat.phase(), Phase::Answered);
    net.cut(B);
    assert_eq!(net.ends[B].chat.phase(), Phase::Answered);
    net.login(B);
    net.settle();
    net.advance(10 * SECOND);
    assert_eq!(net.phases(), [Phase::Over; 2]);
    only_end(&mut net, A);
    let events = net.events(B);
    assert!(is_end(&events[1], true, Some(EndReason::Person)));
    assert_eq!(events.len(), 2, "neither interrupted nor opened, to a person");
}

#[test]
fn an_end_without_an_answer_counts_as_answered_after_7_days() {
    let mut net = Setup::default().open();
    net.cut(B);
    net.settle();
    net.say(A, "x").unwrap();
    end(&mut net, A);
    net.advance(END_UNANSWERED - SECOND);
    assert_eq!(net.ends[A].chat.phase(), Phase::Ending);
    net.advance(SECOND);
    assert_eq!(net.ends[A].chat.phase(), Phase::Over);
    assert_eq!(only_end(&mut net, A), (false, Some(EndReason::Person), 1, 0));
}

#[test]
fn an_end_said_over_and_over_is_answered_once_in_a_pair() {
    let mut net = Setup::default().open();
    for _ in 0..100 {
        net.receive_forged(B, &ChatMessage::End { id: 0, reason: EndReason::Person });
    }
    assert_eq!(net.ends[B].up.len(), 1);
    only_end(&mut net, B);
}

#[test]
fn what_was_told_as_not_delivered_is_not_delivered_later() {
    let mut net = Setup::default().open();
    net.say(A, "x").unwrap();
    net.receive_forged(A, &ChatMessage::End { id: 0, reason: EndReason::Person });
    net.receive_forged(A, &ChatMessage::Delivered { id: 1 });
    assert_eq!(only_end(&mut net, A), (true, Some(EndReason::Person), 1, 0));
    assert_eq!(net.ends[A].delivered, 0);
}

#[test]
fn an_answer_to_nothing_is_a_fault() {
    let mut net = Setup::default().open();
    net.receive_forged(B, &ChatMessage::End { id: 0, reason: EndReason::Answer });
    let fault = Some(Error::PeerMisbehaved(Rule::Order));
    assert_eq!(net.events(B).last(), Some(&Output::Interrupted { fault }));
    net.advance(5 * SECOND);
    net.assert_open();
}

#[test]
fn nobody_ends_a_chat_but_its_two_ends() {
    let mut net = Setup::default().open();
    for loss in [PairLoss::Returned, PairLoss::PeerGone] {
        for side in [A, B] {
            net.call(side, |chat, env| chat.handle_pair_lost(loss, env));
        }
        net.is_paired = false;
        net.advance(30 * SECOND);
        net.assert_open();
    }
}

#[test]
fn a_chat_that_never_opened_is_dropped() {
    let mut net = Setup::default().build();
    end(&mut net, A);
    assert_eq!(net.ends[A].chat.phase(), Phase::Over);
    assert_eq!(net.events(A), [Output::Ended { by_peer: false, reason: None, undelivered: 0, missing: 0 }]);
    let mut net = Setup::default().build();
    net.relay(A);
    net.relay(B);
    net.deliver(B);
    net.call(B, Chat::drop_pair);
    assert!(matches!(net.ends[B].up.back(), Some(Wire::Message(LinkMessage::ReturnToLobby { .. }))));
}

#[test]
fn an_end_before_the_peers_state_waits_for_it() {
    for side in [A, B] {
        let mut net = Setup::default().build();
        for _ in 0..20 {
            if net.ends[side].chat.is_established() {
                break;
            }
            for side in [A, B] {
                net.relay(side);
                net.deliver(side);
            }
        }
        assert!(!net.ends[side].chat.has_opened());
        end(&mut net, side);
        net.settle();
        assert_eq!(net.phases(), [Phase::Over; 2]);
        assert_eq!(only_end(&mut net, 1 - side), (true, Some(EndReason::Person), 0, 0));
    }
}

fn until_in(seconds: u64) -> Setup {
    let granted = Terms { until: UNIX_START + seconds, history_days: 0 };
    Setup { granted, ..Setup::default() }
}

#[test]
fn until_ends_an_open_chat_on_both_sides() {
    let mut net = until_in(3_600).open();
    for end in &net.ends {
        assert!(end.chat.poll_timeout().is_some(), "A watches the clock from the grant on");
    }
    net.advance(3_599 * SECOND);
    net.assert_open();
    net.advance(SECOND);
    assert_eq!(net.phases(), [Phase::Over; 2]);
    for side in [A, B] {
        let (_, reason, ..) = only_end(&mut net, side);
        assert_eq!(reason, Some(EndReason::Until));
    }
}

#[test]
fn until_is_kept_within_10_seconds_whoever_answers() {
    let mut net = until_in(3_600).open();
    net.advance(3_599 * SECOND);
    net.set_clock(net.now + SECOND);
    net.call(A, Chat::handle_timeout);
    assert_eq!(net.ends[A].chat.phase(), Phase::Ending);
    net.ends[A].up.clear();
    net.set_clock(net.now + FORGET_AFTER_UNTIL);
    net.call(A, Chat::handle_timeout);
    assert_eq!(net.ends[A].chat.phase(), Phase::Over);
    assert_eq!(only_end(&mut net, A), (false, Some(EndReason::Until), 0, 0));
}

#[test]
fn until_drops_a_chat_that_is_not_open_at_once() {
    let mut net = until_in(3_600).open();
    net.cut(B);
    net.settle();
    net.say(A, "never").unwrap();
    // Whole seconds of the wall clock: up to one late.
    net.advance(3_601 * SECOND);
    assert_eq!(net.phases(), [Phase::Over; 2]);
    assert_eq!(only_end(&mut net, A), (false, Some(EndReason::Until), 1, 0));
    // Nor is a grant taken whose time has come.
    let mut net = Setup { asked: setup::ASKED, ..until_in(10) }.build();
    while !net.ends[A]
        .down
        .iter()
        .any(|wire| matches!(wire, Wire::Message(m) if step_of(m) == Some(Step::M2)))
    {
        net.relay(A);
        net.deliver(B);
        net.relay(B);
        if !matches!(net.ends[A].down.front(), Some(Wire::Message(_))) {
            net.deliver(A);
        }
    }
    net.set_clock(net.now + 10 * SECOND);
    net.settle();
    let fault = Some(Error::PeerMisbehaved(Rule::Grant));
    assert_eq!(net.events(A).first(), Some(&Output::Interrupted { fault }));
    assert!(!net.ends[A].chat.is_established());
    // Nor is a pair taken up after it.
    let asked = Terms { until: UNIX_START + 10, history_days: 30 };
    let mut net = Setup { asked, ..until_in(10) }.build();
    net.set_clock(net.now + 11 * SECOND);
    net.settle();
    assert_eq!(net.phases(), [Phase::Over; 2]);
}
