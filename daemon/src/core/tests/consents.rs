//! Consents that are wider than one chat: what they allow, what ends them, and who tries to stretch them.

use secchat_ipc::types::{Consent, EndReason, Policy, RequestState, ResolvedBy};
use secchat_proto::request::Proposal;
use secchat_proto::wire::request::{RequestToTalk, Terms as WireTerms};

use super::requests::{last_rtt, show};
use super::*;

const HOURS: u64 = 3_600;
const GRANT: Terms = Terms { until: Some(UNIX + 8 * HOURS), history_days: Some(0) };

/// Alice asks for everything, bob lets her come back within [`GRANT`], and the chat is open.
fn granted() -> World {
    let mut world = World::new(&["alice", "bob"]);
    let asking = world.start("alice", world.rtt("bob", true));
    grant(&mut world);
    assert!(
        matches!(world.answer("alice", asking), Some(Ok(Reply::ChatOpen { terms, .. })) if terms == GRANT)
    );
    world
}

fn grant(world: &mut World) {
    world.ok("bob", Command::AcceptStanding { peer: ipc("alice"), terms: Some(GRANT), wait: false });
}

fn close(world: &mut World, user: &str, peer: &str) {
    assert!(matches!(world.ok(user, Command::Close { peer: ipc(peer) }), Reply::Closed { .. }));
}

/// Alice asks; whether a chat opened without anybody being asked.
fn comes_in(world: &mut World) -> bool {
    let asking = world.start("alice", world.rtt("bob", true));
    match world.answer("alice", asking) {
        Some(Ok(Reply::ChatOpen { .. })) => true,
        None => false,
        other => panic!("{other:?}"),
    }
}

fn pending(world: &mut World) -> usize {
    world.snapshot("bob").incoming.iter().filter(|r| r.state == RequestState::Pending).count()
}

fn consents(world: &mut World) -> Vec<Consent> {
    let Reply::Consents(consents) = world.ok("bob", Command::Consents) else { panic!() };
    consents
}

fn is_on_disk(world: &mut World) -> bool {
    world.node("bob").disk.contains_key(&RecordKey::Consent(name("alice")))
}

fn revoke(peer: &str) -> Command {
    Command::Revoke { peer: ipc(peer) }
}

#[test]
fn within_the_terms_a_closed_chat_opens_again_without_a_question_and_never_wider() {
    let mut world = granted();
    for closer in ["alice", "bob"] {
        let peer = if closer == "alice" { "bob" } else { "alice" };
        close(&mut world, closer, peer);
        world.advance(HOURS);
        let asking = world.start("alice", world.rtt("bob", true));
        let opened = world.answer("alice", asking);
        assert!(matches!(opened, Some(Ok(Reply::ChatOpen { terms, .. })) if terms == GRANT), "{opened:?}");
        for user in ["alice", "bob"] {
            assert_eq!(world.snapshot(user).chats[0].terms, GRANT, "{user} sees the terms");
        }
    }
    let by_consent = |event: &Event| matches!(event, Event::RequestResolved { by: ResolvedBy::Consent, .. });
    assert_eq!(world.node("bob").events.iter().filter(|e| by_consent(e)).count(), 2, "never without a word");
    // A narrower request gets what it asks for, and leaves the consent as it is.
    close(&mut world, "alice", "bob");
    let narrow = Terms { until: Some(UNIX + 4 * HOURS), history_days: Some(0) };
    let ask = Command::Rtt { peer: ipc("bob"), terms: narrow, lifetime_seconds: 60, wait: true };
    assert!(matches!(world.ok("alice", ask), Reply::ChatOpen { terms, .. } if terms == narrow));
    assert_eq!(consents(&mut world)[0].terms, GRANT);
}

#[test]
fn after_the_terms_nothing_goes_without_a_question() {
    let mut world = granted();
    world.advance(8 * HOURS + 1);
    assert!(world.snapshot("bob").chats.is_empty() && !is_on_disk(&mut world));
    assert!(!comes_in(&mut world));
    assert_eq!((pending(&mut world), consents(&mut world)), (1, vec![]));
}

#[test]
fn a_consent_to_one_chat_is_for_that_chat_and_takes_back_a_wider_one() {
    let mut world = World::new(&["alice", "bob"]);
    world.chat("alice", "bob");
    assert_eq!(consents(&mut world).len(), 1);
    assert!(consents(&mut world)[0].chat_id.is_some());
    close(&mut world, "alice", "bob");
    assert!(!comes_in(&mut world), "once is once");
    grant(&mut world);
    assert!(is_on_disk(&mut world));
    // The person takes it back by refusing, or by accepting the next request for one chat only.
    close(&mut world, "alice", "bob");
    world.ok("bob", Command::SetPolicy { peer: Some(ipc("alice")), policy: Some(Policy::Refuse) });
    world.start("alice", world.rtt("bob", false));
    world.ok("bob", Command::SetPolicy { peer: Some(ipc("alice")), policy: None });
    assert!(is_on_disk(&mut world), "a policy does not end it");
    world.ok("bob", Command::Accept { peer: ipc("alice"), terms: None, wait: false });
    assert!(!is_on_disk(&mut world));
}

#[test]
fn a_revoked_consent_ends_the_chat_and_never_comes_back() {
    for crashed in [false, true] {
        let mut world = granted();
        let first = last_rtt(&mut world, "alice");
        close(&mut world, "alice", "bob");
        assert!(comes_in(&mut world));
        let second = last_rtt(&mut world, "alice");
        assert_eq!(world.ok("bob", revoke("alice")), Reply::Done);
        let ended = |event: &Event| matches!(event, Event::ChatEnded { reason: EndReason::ClosedByPeer, .. });
        assert!(world.node("alice").events.iter().any(ended), "an authenticated end");
        assert!(!is_on_disk(&mut world) && consents(&mut world).is_empty());
        if crashed {
            world.crash("bob");
        }
        // The relay shows again what it has; bob answers nothing.
        let before = world.node("bob").sent.len();
        for old in [first, second] {
            show(&mut world, "bob", "alice", old);
        }
        assert_eq!(world.node("bob").sent.len(), before);
        assert_eq!((pending(&mut world), world.snapshot("bob").chats.len()), (0, 0));
        assert!(!comes_in(&mut world));
        assert_eq!(pending(&mut world), 1);
    }
}

#[test]
fn a_request_that_the_relay_held_back_gets_what_holds_when_it_comes() {
    for (what, hours) in [("revoked", 0), ("over", 9)] {
        let mut world = granted();
        close(&mut world, "alice", "bob");
        world.tamper = Some(Box::new(|_, m| (!matches!(m, LinkMessage::Rtt { .. })).then_some(m)));
        let week = Command::Rtt { peer: ipc("bob"), terms: ANY, lifetime_seconds: 604_800, wait: false };
        world.ok("alice", week);
        let held_back = last_rtt(&mut world, "alice");
        world.tamper = None;
        if what == "revoked" {
            world.ok("bob", revoke("alice"));
        }
        world.advance(hours * HOURS);
        show(&mut world, "bob", "alice", held_back);
        assert_eq!((pending(&mut world), world.snapshot("bob").chats.len()), (1, 0), "{what}");
    }
}

#[test]
fn revoking_takes_back_everything_by_which_the_peer_could_talk() {
    let mut world = World::new(&["alice", "bob", "carol"]);
    assert!(matches!(world.err("bob", revoke("alice")), CommandError::NoConsent { .. }));
    // An accept whose chat has not opened.
    world.ok("alice", world.rtt("bob", false));
    world.ok("alice", Command::Logout);
    world.ok("bob", Command::AcceptStanding { peer: ipc("alice"), terms: None, wait: false });
    world.ok("bob", revoke("alice"));
    world.ok("alice", Command::Login);
    world.advance(60);
    assert!(world.snapshot("alice").chats.is_empty() && world.snapshot("bob").chats.is_empty());
    // This user's own request, whose answer would open a chat.
    world.ok("bob", world.rtt("carol", false));
    world.ok("bob", revoke("carol"));
    assert!(world.snapshot("carol").incoming.is_empty());
    // A policy that would let the next one in.
    world.ok("bob", Command::SetPolicy { peer: None, policy: Some(Policy::Accept) });
    let asking = world.start("carol", world.rtt("bob", true));
    assert!(matches!(world.answer("carol", asking), Some(Ok(Reply::ChatOpen { .. }))));
    world.ok("bob", revoke("carol"));
    assert_eq!(world.saved_peer("bob", "carol").policy, Some(Policy::Ask));
    let asking = world.start("carol", world.rtt("bob", true));
    assert_eq!(world.answer("carol", asking), None);
    // A chat that this user had asked for, while the peer is away.
    world.ok("carol", Command::Withdraw { peer: ipc("bob") });
    world.chat("bob", "carol");
    world.ok("carol", Command::Logout);
    world.ok("bob", revoke("carol"));
    assert!(matches!(
        world.err("bob", Command::Send { peer: ipc("carol"), text: "x".into() }),
        CommandError::NoChat { .. }
    ));
    world.ok("carol", Command::Login);
    world.advance(60);
    assert!(world.snapshot("carol").chats.is_empty() && world.snapshot("bob").chats.is_empty());
}

#[test]
fn block_forget_and_another_key_void_it() {
    type Act = fn(&mut World);
    let acts: [(&str, Act); 3] = [
        ("block", |world| {
            for blocked in [true, false] {
                world.ok("bob", Command::SetBlocked { peer: ipc("alice"), blocked });
            }
        }),
        ("forget", |world| drop(world.ok("bob", Command::Forget { peer: ipc("alice") }))),
        ("another key", |world| {
            let other = SigningKey::generate_ed25519(&mut TestEntropy(4)).unwrap();
            let public_key = openssl::base64::encode_block(other.public_key().as_der());
            world.ok("bob", Command::Forget { peer: ipc("alice") });
            world.ok("bob", Command::AddPeer { peer: ipc("alice"), public_key });
        }),
    ];
    for (what, act) in acts {
        let mut world = granted();
        close(&mut world, "alice", "bob");
        act(&mut world);
        assert!(!is_on_disk(&mut world), "{what}");
        if what != "another key" {
            assert!(!comes_in(&mut world), "{what}");
            assert_eq!(pending(&mut world), 1, "{what}");
        }
    }
}

#[test]
fn while_the_relay_shows_another_key_nothing_goes_by_consent() {
    let mut world = granted();
    close(&mut world, "alice", "bob");
    // Its own key, and a request signed with it.
    let own = SigningKey::generate_ed25519(&mut TestEntropy(5)).unwrap();
    let proposal = Proposal { issued: UNIX, expires: UNIX + 600, terms: WireTerms::UNLIMITED };
    let forged =
        RequestToTalk::make(&name("alice"), &own, &name("bob"), proposal, &mut TestEntropy(6)).unwrap();
    let public_key = own.public_key().as_der().to_vec();
    for peer_key in [Some(public_key), None] {
        if let Some(public_key) = peer_key {
            world.input("bob", Input::LinkMessage(LinkMessage::PeerKey { name: name("alice"), public_key }));
        }
        let request = forged.encode();
        world.input("bob", Input::LinkMessage(LinkMessage::Rtt { name: name("alice"), request }));
        assert!(world.snapshot("bob").chats.is_empty());
    }
    // Alice herself has to be asked about now; once a person has settled it, her consent holds again.
    assert!(!comes_in(&mut world));
    assert!(is_on_disk(&mut world), "a relay alone takes no consent away");
    // A person who is asked and says no does.
    world.ok("bob", Command::Refuse { peer: ipc("alice"), quietly: false });
    assert!(!is_on_disk(&mut world));
}

#[test]
fn a_personal_refusal_goes_before_it_and_the_general_policy_does_not() {
    for policy in [Policy::Refuse, Policy::RefuseQuietly] {
        let mut world = granted();
        close(&mut world, "alice", "bob");
        world.ok("bob", Command::SetPolicy { peer: None, policy: Some(policy) });
        assert!(comes_in(&mut world));
        close(&mut world, "alice", "bob");
        world.ok("bob", Command::SetPolicy { peer: Some(ipc("alice")), policy: Some(policy) });
        world.start("alice", world.rtt("bob", false));
        assert!(world.snapshot("bob").chats.is_empty());
    }
}

#[test]
fn it_survives_crashes_and_a_locked_daemon_accepts_nothing() {
    let mut world = granted();
    close(&mut world, "alice", "bob");
    world.crash("bob");
    assert!(comes_in(&mut world));
    close(&mut world, "alice", "bob");
    world.ok("bob", Command::Lock);
    world.ok("alice", world.rtt("bob", false));
    world.advance(60);
    assert!(world.snapshot("alice").chats.is_empty());
    world.ok("bob", Command::Unlock { passphrase: pass("right"), ttl_seconds: 0 });
    world.advance(60);
    assert_eq!(world.snapshot("alice").chats.len(), 1);
}

#[test]
fn a_request_that_comes_before_the_old_chat_s_end_is_accepted_after_it() {
    let mut world = granted();
    world.ok("bob", Command::Logout);
    close(&mut world, "alice", "bob");
    world.ok("alice", world.rtt("bob", false));
    world.ok("bob", Command::Login);
    world.advance(60);
    for user in ["alice", "bob"] {
        let snapshot = world.snapshot(user);
        assert_eq!(snapshot.chats.len(), 1, "{user}: {snapshot:?}");
        assert!(snapshot.incoming.is_empty() && snapshot.outgoing.is_empty());
    }
}

#[test]
fn an_older_copy_of_the_disk_does_not_bring_a_revoked_consent_back_unseen() {
    // Copied while the chat stood, revoked, restored: who asks anew where a chat stands is asked about.
    let mut world = granted();
    let copy = world.node("bob").disk.clone();
    world.ok("bob", revoke("alice"));
    world.node("bob").disk = copy;
    world.crash("bob");
    assert!(is_on_disk(&mut world), "the copy has it");
    assert!(!comes_in(&mut world));
    assert_eq!(pending(&mut world), 1);
    // Copied while a chat stood that goes on elsewhere: the two ends contradict each other, and the consent is void.
    let mut world = granted();
    let copy = world.node("bob").disk.clone();
    world.send("alice", "bob", "newer than the copy");
    world.node("bob").disk = copy;
    world.crash("bob");
    world.advance(60);
    assert!(!is_on_disk(&mut world));
    assert!(!comes_in(&mut world));
    // Copied while no chat stood: nothing on this machine knows better. It is said, though, and never unseen.
    let mut world = granted();
    close(&mut world, "alice", "bob");
    let copy = world.node("bob").disk.clone();
    world.ok("bob", revoke("alice"));
    world.node("bob").disk = copy;
    world.crash("bob");
    world.command("bob", Command::Subscribe, MIRROR);
    assert!(comes_in(&mut world));
    let by_consent = |event: &Event| matches!(event, Event::RequestResolved { by: ResolvedBy::Consent, .. });
    assert!(world.node("bob").events.iter().any(by_consent));
}

#[test]
fn a_grant_cannot_be_stretched_by_who_asks_or_by_the_relay() {
    let mut world = granted();
    close(&mut world, "alice", "bob");
    // Signed by alice for less, made more by the relay.
    let edited = std::rc::Rc::new(std::cell::Cell::new(0));
    let count = std::rc::Rc::clone(&edited);
    world.tamper = Some(Box::new(move |_, mut message| {
        if let LinkMessage::Rtt { request, .. } = &mut message {
            request[32..40].fill(0xff);
            count.set(count.get() + 1);
        }
        Some(message)
    }));
    let hour = Terms { until: Some(UNIX + HOURS), history_days: Some(0) };
    let ask = Command::Rtt { peer: ipc("bob"), terms: hour, lifetime_seconds: 60, wait: false };
    world.ok("alice", ask);
    assert_eq!((edited.get(), pending(&mut world), world.snapshot("bob").chats.len()), (1, 0, 0));
}
