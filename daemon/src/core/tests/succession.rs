//! Keys that follow others: whose pins follow, who is asked, and what a relay can make of it.

use secchat_ipc::types::{EndReason, KeyTrust};
use secchat_proto::request::Proposal;
use secchat_proto::wire::link::ChatId;
use secchat_proto::wire::request::{RequestToTalk, Terms as WireTerms};

use super::*;

/// Alice and bob have talked; bob has compared alice's number if `verified`. The chat is open.
fn met(verified: bool) -> World {
    let mut world = World::new(&["alice", "bob"]);
    world.chat("alice", "bob");
    if verified {
        let number = safety_number(&mut world).0;
        world.ok("bob", Command::ConfirmSafetyNumber { peer: ipc("alice"), number });
    }
    world
}

/// What bob sees as alice's number, and the one of another key that is offered.
fn safety_number(world: &mut World) -> (String, Option<String>) {
    let reply = world.ok("bob", Command::SafetyNumber { peer: ipc("alice") });
    let Reply::SafetyNumber { number, offered, .. } = reply else { panic!("{reply:?}") };
    (number, offered)
}

fn trust(world: &mut World) -> KeyTrust {
    let Reply::Peers(peers) = world.ok("bob", Command::Peers) else { panic!() };
    peers.into_iter().find(|peer| peer.peer == ipc("alice")).unwrap().trust
}

fn pin(world: &mut World) -> Vec<u8> {
    world.saved_peer("bob", "alice").pin.unwrap().as_der().to_vec()
}

fn key(seed: u64) -> SigningKey {
    SigningKey::generate_ed25519(&mut TestEntropy(seed)).unwrap()
}

fn der(key: &SigningKey) -> Vec<u8> {
    key.public_key().as_der().to_vec()
}

/// Bob is given these as alice's keys or chains, and a request.
fn show(world: &mut World, keys: &[Vec<u8>], request: Vec<u8>) {
    for public_key in keys {
        let public_key = public_key.clone();
        world.input("bob", Input::LinkMessage(LinkMessage::PeerKey { name: name("alice"), public_key }));
    }
    world.input("bob", Input::LinkMessage(LinkMessage::Rtt { name: name("alice"), request }));
}

fn request_by(key: &SigningKey) -> Vec<u8> {
    let proposal = Proposal { issued: UNIX, expires: UNIX + 600, terms: WireTerms::UNLIMITED };
    RequestToTalk::make(&name("alice"), key, &name("bob"), proposal, &mut TestEntropy(9)).unwrap().encode()
}

fn succession(old: &SigningKey, new: &SigningKey) -> Vec<u8> {
    Succession::make(&name("alice"), old, new, UNIX).unwrap().encode()
}

fn ended(world: &mut World, user: &str) -> bool {
    let is_it = |event: &Event| matches!(event, Event::ChatEnded { reason: EndReason::KeyGone, .. });
    world.node(user).events.iter().any(is_it)
}

#[test]
fn a_verified_pin_follows_and_everybody_hears_of_it() {
    for restarts in [false, true] {
        let mut world = met(true);
        let new = world.rotate("alice");
        if restarts {
            world.crash("alice");
        } else {
            world.unlock_again("alice");
            assert!(ended(&mut world, "alice"), "the chat under the old key");
        }
        assert!(world.snapshot("alice").chats.is_empty());
        let asking = world.start("alice", world.rtt("bob", true));
        assert_eq!(pin(&mut world), der(&new));
        assert_eq!(trust(&mut world), KeyTrust::Followed);
        assert!(world.logged("bob", "peer_key_followed") && ended(&mut world, "bob"));
        let told = Event::TrustChanged { peer: ipc("alice"), trust: KeyTrust::Followed };
        assert!(world.node("bob").events.contains(&told));
        world.ok("bob", Command::Accept { peer: ipc("alice"), terms: None, wait: false });
        assert!(matches!(world.answer("alice", asking), Some(Ok(Reply::ChatOpen { .. }))));
        let sending = world.send("bob", "alice", "so it is you");
        assert!(matches!(world.answer("bob", sending), Some(Ok(Reply::Delivered { .. }))));
        // It stays so, until the new number is compared.
        world.crash("bob");
        assert_eq!(trust(&mut world), KeyTrust::Followed);
        let number = safety_number(&mut world).0;
        world.ok("bob", Command::ConfirmSafetyNumber { peer: ipc("alice"), number });
        assert_eq!(trust(&mut world), KeyTrust::Verified);
    }
}

#[test]
fn who_asks_follows_when_the_chat_has_opened_and_not_before() {
    let mut world = met(true);
    let (old, new) = (pin(&mut world), world.rotate("alice"));
    world.unlock_again("alice");
    world.advance(30);
    world.tamper = Some(Box::new(|_, m| (!matches!(m, LinkMessage::KeyEstablishment { .. })).then_some(m)));
    let asking = world.start("bob", world.rtt("alice", true));
    world.ok("alice", Command::Accept { peer: ipc("bob"), terms: None, wait: false });
    assert_eq!((pin(&mut world), trust(&mut world)), (old, KeyTrust::Verified), "by the relay's word");
    world.tamper = None;
    world.advance(300);
    assert!(matches!(world.answer("bob", asking), Some(Ok(Reply::ChatOpen { .. }))));
    assert_eq!((pin(&mut world), trust(&mut world)), (der(&new), KeyTrust::Followed));
}

#[test]
fn who_has_not_verified_is_asked_and_told_that_the_old_key_vouches() {
    let mut world = met(false);
    let (old, new) = (pin(&mut world), world.rotate("alice"));
    world.unlock_again("alice");
    world.start("alice", world.rtt("bob", true));
    assert!(world.snapshot("bob").incoming.is_empty(), "shown although the key changed");
    assert_eq!((pin(&mut world), trust(&mut world)), (old, KeyTrust::Vouched));
    assert!(matches!(world.err("bob", world.rtt("alice", true)), CommandError::KeyChanged { .. }));
    let number = safety_number(&mut world).1.unwrap();
    let leave = Command::Queue { peer: ipc("alice"), text: "for you".into(), lifetime_seconds: 600 };
    world.ok("bob", leave);
    world.ok("bob", Command::ConfirmSafetyNumber { peer: ipc("alice"), number });
    assert_eq!((pin(&mut world), trust(&mut world)), (der(&new), KeyTrust::Verified));
    assert_eq!(world.snapshot("bob").incoming.len(), 1, "the request that came with it");
    let Reply::Outbox(left) = world.ok("bob", Command::Outbox) else { panic!() };
    assert_eq!(left.len(), 1, "the old key vouched for the new one, and so did bob");
}

#[test]
fn a_succession_that_the_pinned_key_did_not_sign_is_a_changed_key() {
    let genuine = met(true).node("alice").key.clone();
    let (evil, new) = (key(4_242), key(4_243));
    let named = {
        let made = Succession::make(&name("alice"), &evil, &new, UNIX).unwrap();
        Succession { old: genuine.public_key().clone(), ..made }.encode()
    };
    let for_bob = Succession::make(&name("bob"), &genuine, &evil, UNIX).unwrap().encode();
    let good = succession(&genuine, &new);
    for (what, keys, by) in [
        ("no chain", vec![der(&evil)], &evil),
        ("a chain from the relay's own key", vec![succession(&evil, &new), der(&new)], &new),
        ("alice's key named, and not hers", vec![named, der(&new)], &new),
        ("another user's", vec![for_bob, der(&evil)], &evil),
        ("a chain to another key", vec![good.clone(), der(&evil)], &evil),
        ("a chain with a byte too many", vec![[good.clone(), vec![0]].concat(), der(&new)], &new),
        ("a chain cut short", vec![good[..good.len() - 1].to_vec(), der(&new)], &new),
        ("a chain that another key took the place of", vec![good, der(&genuine), der(&new)], &new),
    ] {
        let mut world = met(true);
        show(&mut world, &keys, request_by(by));
        assert_eq!((pin(&mut world), trust(&mut world)), (der(&genuine), KeyTrust::Changed), "{what}");
        assert!(world.snapshot("bob").incoming.is_empty(), "{what}");
        let sending = world.send("bob", "alice", "still here");
        assert!(matches!(world.answer("bob", sending), Some(Ok(Reply::Delivered { .. }))), "{what}");
    }
}

#[test]
fn a_relay_that_shows_a_genuine_succession_disturbs_nothing_before_the_key_is_used() {
    let mut world = met(true);
    let (old, new) = (world.node("alice").key.clone(), key(4_243));
    let forged = request_by(&key(4_242));
    show(&mut world, &[succession(&old, &new), der(&new)], forged);
    assert_eq!((pin(&mut world), trust(&mut world)), (der(&old), KeyTrust::Verified));
    let sending = world.send("bob", "alice", "still here");
    assert!(matches!(world.answer("bob", sending), Some(Ok(Reply::Delivered { .. }))));
}

#[test]
fn there_is_no_way_back() {
    let mut world = met(true);
    let old = world.node("alice").key.clone();
    let new = world.rotate("alice");
    world.unlock_again("alice");
    world.start("alice", world.rtt("bob", false));
    assert_eq!(trust(&mut world), KeyTrust::Followed);
    let chain = world.relay.chains[&name("alice")].clone();
    for keys in [vec![der(&old)], vec![chain, der(&old)]] {
        show(&mut world, &keys, request_by(&old));
        assert_eq!((pin(&mut world), trust(&mut world)), (der(&new), KeyTrust::Changed));
    }
    assert!(matches!(world.err("bob", world.rtt("alice", true)), CommandError::KeyChanged { .. }));
}

#[test]
fn who_was_away_follows_over_several_keys() {
    let mut world = met(true);
    world.relay.leave(&name("bob"));
    world.rotate("alice");
    let last = world.rotate("alice");
    world.crash("alice");
    world.crash("bob");
    world.start("alice", world.rtt("bob", false));
    assert_eq!((pin(&mut world), trust(&mut world)), (der(&last), KeyTrust::Followed));
}

#[test]
fn a_consent_goes_with_a_verified_pin_and_a_blocked_peer_stays_so() {
    let mut world = met(true);
    let terms = Some(Terms { until: Some(UNIX + 3_600), history_days: Some(0) });
    world.ok("bob", Command::Close { peer: ipc("alice") });
    let asking = world.start("alice", world.rtt("bob", true));
    world.ok("bob", Command::AcceptStanding { peer: ipc("alice"), terms, wait: false });
    assert!(matches!(world.answer("alice", asking), Some(Ok(Reply::ChatOpen { .. }))));
    world.rotate("alice");
    world.unlock_again("alice");
    let asking = world.start("alice", world.rtt("bob", true));
    let Some(Ok(Reply::ChatOpen { terms: opened, .. })) = world.answer("alice", asking) else { panic!() };
    assert_eq!(Some(opened), terms, "no second question, and nothing wider");
    world.ok("bob", Command::SetBlocked { peer: ipc("alice"), blocked: true });
    let before = pin(&mut world);
    world.rotate("alice");
    world.unlock_again("alice");
    world.start("alice", world.rtt("bob", false));
    assert_eq!(pin(&mut world), before, "nothing of a blocked peer gets through");
}

#[test]
fn what_was_left_goes_to_the_key_that_the_verified_one_vouched_for() {
    let mut world = met(true);
    world.ok("bob", Command::Close { peer: ipc("alice") });
    let leave = Command::Queue { peer: ipc("alice"), text: "for you".into(), lifetime_seconds: 600 };
    world.ok("bob", leave);
    world.rotate("alice");
    world.unlock_again("alice");
    let asking = world.start("alice", world.rtt("bob", true));
    world.ok("bob", Command::Accept { peer: ipc("alice"), terms: None, wait: false });
    assert!(matches!(world.answer("alice", asking), Some(Ok(Reply::ChatOpen { .. }))));
    let is_it = |event: &Event| matches!(event, Event::MessageReceived(message) if message.text == "for you");
    assert!(world.node("alice").events.iter().any(is_it));
}

#[test]
fn ones_own_requests_end_with_the_key_that_signed_them_and_what_one_accepted_stands() {
    for restarts in [false, true] {
        let mut world = World::new(&["alice", "bob", "carol"]);
        world.start("alice", world.rtt("carol", false));
        let asking = world.start("bob", world.rtt("alice", true));
        // Bob is away when she accepts.
        world.relay.leave(&name("bob"));
        world.ok("alice", Command::Accept { peer: ipc("bob"), terms: None, wait: false });
        world.rotate("alice");
        if restarts {
            world.crash("alice")
        } else {
            world.unlock_again("alice")
        }
        assert!(world.snapshot("alice").outgoing.is_empty(), "signed by the key before");
        world.cut("bob");
        world.advance(300);
        assert!(matches!(world.answer("bob", asking), Some(Ok(Reply::ChatOpen { .. }))), "accepted it was");
        assert_eq!(world.relay.pairs.len(), 1);
    }
}

#[test]
fn another_key_that_nothing_leads_to_is_refused_while_the_daemon_runs() {
    let mut world = World::new(&["alice"]);
    world.rotate("alice");
    world.node("alice").follows = false;
    world.ok("alice", Command::Lock);
    let unlock = Command::Unlock { passphrase: pass("right"), ttl_seconds: 0 };
    assert!(matches!(world.err("alice", unlock), CommandError::IdentityUnusable { .. }));
}

#[test]
fn a_rekeyed_chat_id_of_before_is_no_way_in() {
    let mut world = met(true);
    let chat_id = ChatId::from_bytes(world.snapshot("bob").chats[0].chat_id.0).unwrap();
    world.rotate("alice");
    world.unlock_again("alice");
    // Bob offers the old chat again; alice has nothing to resume it with.
    world.advance(60);
    let resumed = |m: &LinkMessage| matches!(m, LinkMessage::Resume { chat_id: it, .. } if *it == chat_id);
    assert!(!world.node("alice").sent.iter().rev().take(4).any(resumed));
    assert!(world.snapshot("alice").chats.is_empty());
}
