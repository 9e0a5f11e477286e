//! Asking and answering.

use secchat_ipc::types::{KeyTrust, Policy, RequestState, Resolution, ResolvedBy};
use secchat_proto::request::Proposal;
use secchat_proto::wire::link::Answer;
use secchat_proto::wire::request::RequestToTalk;

use super::*;

fn answered(world: &mut World, user: &str) -> Option<Resolution> {
    world.node(user).events.iter().rev().find_map(|event| {
        if let Event::RequestAnswered { resolution, .. } = event { Some(*resolution) } else { None }
    })
}

fn refuse(peer: &str, quietly: bool) -> Command {
    Command::Refuse { peer: ipc(peer), quietly }
}

fn responses(world: &mut World, user: &str) -> Vec<Answer> {
    let sent = world.node(user).sent.iter();
    sent.filter_map(|m| if let LinkMessage::Response { answer, .. } = m { Some(*answer) } else { None })
        .collect()
}

pub(super) fn last_rtt(world: &mut World, user: &str) -> Vec<u8> {
    let sent = world.node(user).sent.iter().rev();
    sent.clone()
        .find_map(|m| if let LinkMessage::Rtt { request, .. } = m { Some(request.clone()) } else { None })
        .unwrap()
}

/// The relay shows a request (again).
pub(super) fn show(world: &mut World, to: &str, from: &str, request: Vec<u8>) {
    let public_key = world.relay.keys[&name(from)].clone();
    world.input(to, Input::LinkMessage(LinkMessage::PeerKey { name: name(from), public_key }));
    world.input(to, Input::LinkMessage(LinkMessage::Rtt { name: name(from), request }));
}

#[test]
fn a_person_accepts_and_both_talk_until_one_closes() {
    let mut world = World::new(&["alice", "bob"]);
    let asking = world.start("alice", world.rtt("bob", true));
    assert_eq!(world.answer("alice", asking), None);
    let request = &world.snapshot("bob").incoming[0];
    assert_eq!((request.state, request.trust), (RequestState::Pending, KeyTrust::Unverified));
    assert_eq!(request.safety_number.len(), 71);
    assert!(world.snapshot("alice").chats.is_empty());
    assert!(matches!(world.accept("bob", "alice"), Reply::ChatOpen { .. }));
    assert!(matches!(world.answer("alice", asking), Some(Ok(Reply::ChatOpen { .. }))));
    let sending = world.send("alice", "bob", "hello");
    assert!(matches!(world.answer("alice", sending), Some(Ok(Reply::Delivered { id: 1, .. }))));
    assert_eq!(world.read("bob"), ["hello"]);
    world.send("bob", "alice", "hi");
    assert_eq!(world.read("alice"), ["hi"]);
    assert!(matches!(
        world.ok("bob", Command::Close { peer: ipc("alice") }),
        Reply::Closed { undelivered: 0, .. }
    ));
    for user in ["alice", "bob"] {
        assert!(world.snapshot(user).chats.is_empty(), "{user}");
        assert!(world.snapshot(user).incoming.is_empty() && world.snapshot(user).outgoing.is_empty());
    }
    assert!(matches!(
        world.err("alice", Command::Send { peer: ipc("bob"), text: "x".into() }),
        CommandError::NoChat { .. }
    ));
}

#[test]
fn a_refusal_is_told_and_can_be_undone_only_by_asking_again_or_accepting() {
    let mut world = World::new(&["alice", "bob"]);
    let asking = world.start("alice", world.rtt("bob", true));
    world.ok("bob", refuse("alice", false));
    assert_eq!(world.answer("alice", asking), Some(Err(CommandError::Refused { peer: ipc("bob") })));
    assert_eq!(world.snapshot("bob").incoming[0].state, RequestState::Refused);
    assert!(matches!(world.err("bob", refuse("alice", false)), CommandError::AlreadyResolved { .. }));
    // Within the cool-down a new request is refused without a person.
    let again = world.start("alice", world.rtt("bob", true));
    assert_eq!(world.answer("alice", again), Some(Err(CommandError::Refused { peer: ipc("bob") })));
    world.advance(301);
    let third = world.start("alice", world.rtt("bob", true));
    assert_eq!(world.answer("alice", third), None);
    // Alice asks, bob refuses, then changes his mind while her request still stands: an undone refusal.
    world.accept("bob", "alice");
    assert!(matches!(world.answer("alice", third), Some(Ok(Reply::ChatOpen { .. }))));
}

#[test]
fn a_refusal_undone_while_the_asker_still_offers_opens_the_chat() {
    let mut world = World::new(&["alice", "bob"]);
    let asking = world.start("alice", world.rtt("bob", true));
    world.ok("bob", refuse("alice", true));
    assert_eq!(world.answer("alice", asking), None);
    world.accept("bob", "alice");
    assert!(matches!(world.answer("alice", asking), Some(Ok(Reply::ChatOpen { .. }))));
}

#[test]
fn later_quiet_refusal_block_and_no_answer_send_nothing() {
    for what in 0..4 {
        let mut world = World::new(&["alice", "bob"]);
        if what == 0 {
            world.ok("bob", Command::SetBlocked { peer: ipc("alice"), blocked: true });
        }
        let before = world.node("bob").sent.len();
        let asking = world.start("alice", world.rtt("bob", true));
        match what {
            1 => drop(world.ok("bob", refuse("alice", true))),
            2 => drop(world.ok("bob", Command::Later { peer: ipc("alice") })),
            _ => {}
        }
        assert_eq!(world.node("bob").sent.len(), before, "{what}");
        assert_eq!(world.snapshot("bob").incoming.is_empty(), what == 0);
        world.advance(3_601);
        assert_eq!(world.answer("alice", asking), Some(Err(CommandError::Expired { peer: ipc("bob") })));
        assert_eq!(answered(&mut world, "alice"), Some(Resolution::Expired));
        assert!(world.snapshot("bob").incoming.is_empty());
    }
}

#[test]
fn later_keeps_the_request_and_accept_still_works() {
    let mut world = World::new(&["alice", "bob"]);
    let asking = world.start("alice", world.rtt("bob", true));
    world.ok("bob", Command::Later { peer: ipc("alice") });
    assert_eq!(world.snapshot("bob").incoming[0].state, RequestState::Later);
    world.accept("bob", "alice");
    assert!(matches!(world.answer("alice", asking), Some(Ok(Reply::ChatOpen { .. }))));
}

#[test]
fn policies_answer_by_peer_and_in_general() {
    let mut world = World::new(&["alice", "bob", "carol"]);
    world.ok("bob", Command::SetPolicy { peer: None, policy: Some(Policy::Refuse) });
    world.ok("bob", Command::SetPolicy { peer: Some(ipc("carol")), policy: Some(Policy::Accept) });
    let asking = world.start("alice", world.rtt("bob", true));
    assert_eq!(world.answer("alice", asking), Some(Err(CommandError::Refused { peer: ipc("bob") })));
    let asking = world.start("carol", world.rtt("bob", true));
    assert!(matches!(world.answer("carol", asking), Some(Ok(Reply::ChatOpen { .. }))));
    let by_policy = |event: &Event| matches!(event, Event::RequestResolved { by: ResolvedBy::Policy, .. });
    assert_eq!(world.node("bob").events.iter().filter(|event| by_policy(event)).count(), 2);
    world.ok("bob", Command::SetPolicy { peer: None, policy: Some(Policy::RefuseQuietly) });
    let before = world.node("bob").sent.len();
    world.start("alice", world.rtt("bob", false));
    assert_eq!(world.node("bob").sent.len(), before);
    world.crash("bob");
    assert_eq!(world.snapshot("bob").status.policy, Policy::RefuseQuietly);
    assert_eq!(world.saved_peer("bob", "carol").policy, Some(Policy::Accept));
}

#[test]
fn crossing_requests_open_one_chat_in_either_order() {
    for (first, second) in [("alice", "bob"), ("bob", "alice")] {
        let mut world = World::new(&["alice", "bob"]);
        // Both hidden: neither sees the other's request until it asks too.
        for user in ["alice", "bob"] {
            world.ok(user, Command::SetReachability { available: false });
        }
        let terms = Terms { until: Some(UNIX + 900), history_days: None };
        let one =
            world.start(first, Command::Rtt { peer: ipc(second), terms, lifetime_seconds: 60, wait: false });
        assert!(matches!(world.answer(first, one), Some(Ok(Reply::Asked { .. }))));
        let terms = Terms { until: None, history_days: Some(3) };
        let two =
            world.start(second, Command::Rtt { peer: ipc(first), terms, lifetime_seconds: 60, wait: true });
        let granted = Terms { until: Some(UNIX + 900), history_days: Some(3) };
        assert!(
            matches!(world.answer(second, two), Some(Ok(Reply::ChatOpen { terms, .. })) if terms == granted)
        );
        for user in ["alice", "bob"] {
            let snapshot = world.snapshot(user);
            assert_eq!(snapshot.chats.len(), 1, "{user}");
            assert!(snapshot.incoming.is_empty() && snapshot.outgoing.is_empty(), "{user}: {snapshot:?}");
        }
        // Alice's name is the smaller: hers stands.
        assert_eq!(world.node("bob").core.requests.len(), 1);
    }
}

#[test]
fn asking_whose_request_one_holds_is_accepting() {
    let mut world = World::new(&["alice", "bob"]);
    let asking = world.start("alice", world.rtt("bob", true));
    let back = world.start("bob", world.rtt("alice", true));
    assert!(matches!(world.answer("alice", asking), Some(Ok(Reply::ChatOpen { .. }))));
    assert!(matches!(world.answer("bob", back), Some(Ok(Reply::ChatOpen { .. }))));
    // And with the chat open, asking again finds it.
    assert!(matches!(world.ok("bob", world.rtt("alice", true)), Reply::ChatOpen { .. }));
}

#[test]
fn a_withdrawn_request_goes_and_stays_refused() {
    let mut world = World::new(&["alice", "bob"]);
    let asking = world.start("alice", world.rtt("bob", true));
    let request = last_rtt(&mut world, "alice");
    world.ok("alice", Command::Withdraw { peer: ipc("bob") });
    assert_eq!(world.answer("alice", asking), Some(Err(CommandError::Withdrawn)));
    assert!(world.snapshot("bob").incoming.is_empty());
    show(&mut world, "bob", "alice", request.clone());
    assert!(world.snapshot("bob").incoming.is_empty(), "asked twice");
    assert!(matches!(
        world.err("bob", Command::Accept { peer: ipc("alice"), terms: None, wait: false }),
        CommandError::AlreadyResolved { .. }
    ));
    world.restart("bob");
    show(&mut world, "bob", "alice", request);
    assert!(world.snapshot("bob").incoming.is_empty(), "asked twice after a restart");
}

#[test]
fn an_answered_request_is_never_asked_again() {
    let mut world = World::new(&["alice", "bob"]);
    world.start("alice", world.rtt("bob", false));
    let refused = last_rtt(&mut world, "alice");
    world.ok("bob", refuse("alice", false));
    world.advance(400);
    world.chat("alice", "bob");
    let spent = last_rtt(&mut world, "alice");
    for restarted in [false, true] {
        if restarted {
            world.restart("bob");
        }
        let before = responses(&mut world, "bob").len();
        show(&mut world, "bob", "alice", spent.clone());
        assert_eq!(responses(&mut world, "bob").len(), before, "a spent accept is not given again");
        show(&mut world, "bob", "alice", refused.clone());
        assert_eq!(responses(&mut world, "bob").last(), Some(&Answer::Refuse));
        let pending =
            world.snapshot("bob").incoming.iter().filter(|r| r.state == RequestState::Pending).count();
        assert_eq!(pending, 0);
    }
}

/// Randomness that is none.
struct Fixed([u8; 16]);

impl Entropy for Fixed {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), Error> {
        out.copy_from_slice(&self.0[..out.len()]);
        Ok(())
    }
}

#[test]
fn another_s_request_under_a_known_id_gets_no_answer() {
    let mut world = World::new(&["alice", "bob", "carol"]);
    world.start("alice", world.rtt("bob", false));
    let request = RequestToTalk::decode(&last_rtt(&mut world, "alice")).unwrap();
    world.ok("bob", refuse("alice", false));
    let before = responses(&mut world, "bob").len();
    // Carol makes a request of her own under the same id.
    let proposal = Proposal { issued: UNIX, expires: UNIX + 60, terms: request.terms };
    let mut same_id = Fixed(*request.chat_id.as_bytes());
    let carol = world.node("carol").key.clone();
    let request = RequestToTalk::make(&name("carol"), &carol, &name("bob"), proposal, &mut same_id).unwrap();
    show(&mut world, "bob", "carol", request.encode());
    assert_eq!(responses(&mut world, "bob").len(), before);
    assert!(world.logged("bob", "rtt_dropped") && world.snapshot("bob").incoming.len() == 1);
}

#[test]
fn a_refusal_is_undone_after_a_restart() {
    let mut world = World::new(&["alice", "bob"]);
    let asking = world.start("alice", world.rtt("bob", true));
    world.ok("bob", refuse("alice", true));
    world.restart("bob");
    assert_eq!(world.snapshot("bob").incoming[0].state, RequestState::Refused);
    world.accept("bob", "alice");
    assert!(matches!(world.answer("alice", asking), Some(Ok(Reply::ChatOpen { .. }))));
}

#[test]
fn a_newer_request_takes_the_place_of_the_one_before() {
    let mut world = World::new(&["alice", "bob"]);
    world.start("alice", world.rtt("bob", false));
    let old = last_rtt(&mut world, "alice");
    world.advance(5);
    world.start("alice", world.rtt("bob", false));
    assert_eq!(world.snapshot("bob").incoming.len(), 1);
    assert_eq!(world.snapshot("alice").outgoing.len(), 1);
    show(&mut world, "bob", "alice", old);
    assert_eq!(world.snapshot("bob").incoming.len(), 1);
}

#[test]
fn who_is_not_there_ends_a_waiting_request_and_leaves_a_standing_one() {
    let mut world = World::new(&["alice", "bob"]);
    world.ok("bob", Command::SetReachability { available: false });
    let error = world.err("alice", world.rtt("bob", true));
    assert_eq!(error, CommandError::PeerUnavailable { peer: ipc("bob") });
    assert!(world.snapshot("alice").outgoing.is_empty());
    assert!(matches!(world.ok("alice", world.rtt("bob", false)), Reply::Asked { .. }));
    assert!(world.snapshot("alice").outgoing[0].peer_away);
    assert!(world.node("alice").sent.iter().any(|m| matches!(m, LinkMessage::Acknowledgment { .. })));
    // Hidden asks: what it cannot be asked it may ask.
    world.ok("alice", Command::Withdraw { peer: ipc("bob") });
    let asking = world.start("bob", world.rtt("alice", true));
    world.accept("alice", "bob");
    assert!(matches!(world.answer("bob", asking), Some(Ok(Reply::ChatOpen { .. }))));
}

#[test]
fn a_time_limit_or_a_frontend_that_goes_withdraws_what_only_it_waited_for() {
    let mut world = World::new(&["alice", "bob"]);
    let key = world.command_within("alice", world.rtt("bob", true), MAIN, Duration::from_secs(5));
    world.advance(6);
    assert_eq!(world.answer("alice", key), Some(Err(CommandError::TimedOut)));
    assert!(world.snapshot("bob").incoming.is_empty(), "not withdrawn");
    let key = world.command("alice", world.rtt("bob", true), 2);
    assert_eq!(world.snapshot("bob").incoming.len(), 1);
    world.input("alice", Input::FrontendGone(2));
    assert_eq!(world.answer("alice", key), None);
    assert!(world.snapshot("bob").incoming.is_empty(), "not withdrawn");
    // Two wait: one leaves, the request stands.
    let one = world.command("alice", world.rtt("bob", true), 2);
    let two = world.command("alice", world.rtt("bob", true), 3);
    world.input("alice", Input::FrontendGone(2));
    assert_eq!(world.answer("alice", one), None);
    world.accept("bob", "alice");
    assert!(matches!(world.answer("alice", two), Some(Ok(Reply::ChatOpen { .. }))));
}

#[test]
fn the_first_frontend_to_answer_wins_and_the_other_learns_who() {
    let mut world = World::new(&["alice", "bob"]);
    world.start("alice", world.rtt("bob", true));
    let accept = Command::Accept { peer: ipc("alice"), terms: None, wait: false };
    let first = world.command("bob", accept.clone(), 2);
    assert!(matches!(world.answer("bob", first), Some(Ok(Reply::Accepted { .. }))));
    world.advance(3);
    for late in [accept, refuse("alice", false), Command::Later { peer: ipc("alice") }] {
        let second = world.command("bob", late, 3);
        let Some(Err(CommandError::AlreadyResolved { why })) = world.answer("bob", second) else { panic!() };
        assert!(why.contains("accepted by frontend-2 (process 1000) 3 s ago"), "{why}");
    }
}

#[test]
fn a_grant_is_never_above_what_was_asked() {
    let mut world = World::new(&["alice", "bob"]);
    let terms = Terms { until: Some(UNIX + 500), history_days: Some(1) };
    let asking =
        world.start("alice", Command::Rtt { peer: ipc("bob"), terms, lifetime_seconds: 60, wait: true });
    for above in
        [Terms { until: None, history_days: Some(1) }, Terms { until: Some(UNIX + 5), history_days: Some(2) }]
    {
        let error = world.err("bob", Command::Accept { peer: ipc("alice"), terms: Some(above), wait: false });
        assert!(matches!(error, CommandError::Invalid { .. }));
    }
    let less = Terms { until: Some(UNIX + 100), history_days: Some(0) };
    world.ok("bob", Command::Accept { peer: ipc("alice"), terms: Some(less), wait: false });
    assert!(
        matches!(world.answer("alice", asking), Some(Ok(Reply::ChatOpen { terms, .. })) if terms == less)
    );
    world.advance(101);
    assert!(world.snapshot("alice").chats.is_empty() && world.snapshot("bob").chats.is_empty());
}

#[test]
fn requests_beyond_the_bound_are_not_shown_and_answered_ones_give_way() {
    let users: Vec<String> = (0..10).map(|n| format!("user{n}")).collect();
    let mut all = vec!["bob"];
    all.extend(users.iter().map(String::as_str));
    let mut world = World::new(&all);
    for user in &users {
        world.start(user, world.rtt("bob", false));
    }
    let snapshot = world.snapshot("bob");
    assert_eq!(snapshot.incoming.len(), 8);
    assert!(snapshot.status.hints.iter().any(|hint| hint.contains("too many requests")));
    assert!(matches!(
        world.err("bob", Command::Accept { peer: ipc("user9"), terms: None, wait: false }),
        CommandError::NoRequest { .. }
    ));
}

#[test]
fn requests_out_of_their_time_are_dropped() {
    let mut world = World::new(&["alice", "bob"]);
    world.tamper =
        Some(Box::new(|_, message| (!matches!(message, LinkMessage::Rtt { .. })).then_some(message)));
    world.start("alice", world.rtt("bob", false));
    let request = last_rtt(&mut world, "alice");
    world.tamper = None;
    world.advance(3_600);
    show(&mut world, "bob", "alice", request);
    assert!(world.snapshot("bob").incoming.is_empty() && world.logged("bob", "rtt_dropped"));
}
