//! Random schedules over a network that loses links and pairs. The harness checks after every step that texts
//! come in order and once, that no counter comes twice and that nothing is sent without a link.

use proptest::prelude::*;

use super::*;

/// What may happen next.
#[derive(Clone, Copy, Debug)]
enum Happening {
    Relay(usize),
    Deliver(usize),
    Say(usize),
    SayLarge(usize),
    Hold(usize),
    Cut(usize),
    Login(usize),
    Lock(usize),
    Unlock(usize),
    Dissolve,
    Wait(u64),
    Use,
}

fn happening() -> impl Strategy<Value = Happening> {
    let side = 0..2_usize;
    prop_oneof![
        12 => side.clone().prop_map(Happening::Relay),
        12 => side.clone().prop_map(Happening::Deliver),
        6 => side.clone().prop_map(Happening::Say),
        1 => side.clone().prop_map(Happening::SayLarge),
        2 => side.clone().prop_map(Happening::Hold),
        1 => side.clone().prop_map(Happening::Cut),
        2 => side.clone().prop_map(Happening::Login),
        1 => side.clone().prop_map(Happening::Lock),
        2 => side.prop_map(Happening::Unlock),
        1 => Just(Happening::Dissolve),
        3 => (0..5_000_u64).prop_map(Happening::Wait),
        1 => Just(Happening::Use),
    ]
}

/// One step of a schedule; `said` has the texts of each end.
fn happen(net: &mut Net, said: &mut [Vec<String>; 2], happening: Happening) {
    match happening {
        Happening::Relay(side) if net.ends[side].is_linked => _ = net.relay(side),
        Happening::Deliver(side) if net.ends[side].is_linked => _ = net.deliver(side),
        Happening::Say(side) => say(net, said, side, 1),
        Happening::SayLarge(side) => say(net, said, side, 32_000),
        Happening::Hold(side) => {
            net.ends[side].holds = !net.ends[side].holds;
            hold(net, side);
        }
        Happening::Cut(side) if net.ends[side].is_linked => net.cut(side),
        Happening::Login(side) if !net.ends[side].is_linked => net.login(side),
        // The owner waits for a rekey before it wipes the key.
        Happening::Lock(side) if !net.ends[side].chat.is_rekeying() => net.ends[side].is_locked = true,
        Happening::Unlock(side) => unlock(net, side),
        Happening::Dissolve => net.dissolve(),
        Happening::Wait(milliseconds) => pass(net, Duration::from_millis(milliseconds)),
        Happening::Use => pass(net, crate::limits::REKEY_AFTER),
        Happening::Relay(_)
        | Happening::Deliver(_)
        | Happening::Cut(_)
        | Happening::Login(_)
        | Happening::Lock(_) => {}
    }
}

fn say(net: &mut Net, said: &mut [Vec<String>; 2], side: usize, length: usize) {
    let text = format!("{} {}", said[side].len(), "x".repeat(length));
    match net.say(side, &text) {
        Ok(id) => {
            said[side].push(text);
            assert_eq!(usize::try_from(id).unwrap(), said[side].len());
        }
        Err(SendError::NotOpen) => assert!(!net.ends[side].chat.has_opened()),
        Err(SendError::WindowFull) => assert!(net.ends[side].chat.undelivered() >= 5),
        Err(error @ (SendError::TooLong | SendError::Failed)) => panic!("{error}"),
    }
}

fn hold(net: &mut Net, side: usize) {
    let last = net.ends[side].inbox.last().map_or(0, |(id, _)| *id);
    if net.ends[side].holds {
        net.call(side, |chat, env| chat.handle_held(last, env));
    }
}

fn unlock(net: &mut Net, side: usize) {
    net.ends[side].is_locked = false;
    net.call(side, Chat::handle_unlock);
}

/// Time passes and timers fire, but nothing that is under way arrives.
fn pass(net: &mut Net, span: Duration) {
    net.set_clock(net.now + span);
    net.tick();
}

/// The network heals and the people come back.
fn heal(net: &mut Net) {
    for side in [A, B] {
        if !net.ends[side].is_linked {
            net.login(side);
        }
        net.ends[side].holds = true;
        hold(net, side);
        unlock(net, side);
    }
    net.advance(Duration::from_secs(60));
    for side in [A, B] {
        net.call(side, Chat::resume_now);
    }
    net.advance(Duration::from_secs(180));
}

fn check(net: &Net, said: &[Vec<String>; 2]) {
    assert_eq!(net.phases(), [Phase::Open; 2], "{net:?}");
    net.assert_open();
    for side in [A, B] {
        let other = 1 - side;
        let arrived: Vec<&str> = said[side].iter().map(String::as_str).collect();
        assert_eq!(net.texts(other), arrived);
        assert_eq!(usize::try_from(net.ends[side].delivered).unwrap(), arrived.len());
        assert_eq!(net.ends[side].chat.undelivered(), 0);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn all_texts_arrive_once_in_order(
        seed in any::<u64>(),
        happenings in prop::collection::vec(happening(), 1..250),
    ) {
        let mut net = Setup { seed, ..Setup::default() }.build();
        let mut said = <[Vec<String>; 2]>::default();
        for step in happenings {
            happen(&mut net, &mut said, step);
        }
        heal(&mut net);
        check(&net, &said);
    }

    #[test]
    fn an_end_reaches_both_and_nothing_counts_as_delivered_that_is_not(
        seed in any::<u64>(),
        before in prop::collection::vec(happening(), 1..120),
        after in prop::collection::vec(happening(), 1..120),
        ends in 1..4_usize,
    ) {
        let mut net = Setup { seed, ..Setup::default() }.open();
        let mut said = <[Vec<String>; 2]>::default();
        for step in before {
            happen(&mut net, &mut said, step);
        }
        for side in [A, B] {
            if ends & (1 << side) != 0 {
                net.call(side, |chat, env| chat.end(EndReason::Person, env));
            }
        }
        for step in after {
            if !matches!(step, Happening::Say(_) | Happening::SayLarge(_)) {
                happen(&mut net, &mut said, step);
            }
        }
        heal(&mut net);
        net.advance(crate::limits::END_UNANSWERED);
        prop_assert_eq!(net.phases(), [Phase::Over; 2]);
        for side in [A, B] {
            let ended: Vec<_> = net
                .events(side)
                .into_iter()
                .filter_map(|event| match event {
                    Output::Ended { reason, undelivered, .. } => Some((reason, undelivered)),
                    _ => None,
                })
                .collect();
            prop_assert_eq!(ended.len(), 1);
            let (reason, undelivered) = ended[0];
            prop_assert_eq!(reason, Some(EndReason::Person));
            // Nothing counts as delivered that the other has not got.
            let delivered = said[side].len() - usize::try_from(undelivered).unwrap();
            prop_assert!(delivered <= net.ends[1 - side].inbox.len());
        }
    }
}
