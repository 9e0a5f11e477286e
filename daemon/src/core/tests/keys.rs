//! Keys: a relay that lies about them, about requests and about answers.

use secchat_ipc::types::KeyTrust;
use secchat_proto::request::Proposal;
use secchat_proto::wire::link::{Answer, ChatId, Step};
use secchat_proto::wire::request::{RequestToTalk, Terms as WireTerms};

use super::*;

fn number(world: &mut World, user: &str, peer: &str) -> (String, Option<String>) {
    let reply = world.ok(user, Command::SafetyNumber { peer: ipc(peer) });
    let Reply::SafetyNumber { number, offered, .. } = reply else { panic!("{reply:?}") };
    (number, offered)
}

fn trust(world: &mut World, user: &str, peer: &str) -> Option<KeyTrust> {
    let Reply::Peers(peers) = world.ok(user, Command::Peers) else { panic!() };
    peers.into_iter().find(|p| p.peer == ipc(peer)).map(|p| p.trust)
}

fn other_key() -> SigningKey {
    SigningKey::generate_ed25519(&mut TestEntropy(4_242)).unwrap()
}

fn forge(from: &str, to: &str, key: &SigningKey) -> Vec<u8> {
    let proposal = Proposal { issued: UNIX, expires: UNIX + 600, terms: WireTerms::UNLIMITED };
    RequestToTalk::make(&name(from), key, &name(to), proposal, &mut TestEntropy(9)).unwrap().encode()
}

#[test]
fn the_first_chat_pins_and_never_an_earlier_word() {
    let mut world = World::new(&["alice", "bob"]);
    world.start("alice", world.rtt("bob", true));
    assert_eq!(trust(&mut world, "bob", "alice"), None);
    assert_eq!(trust(&mut world, "alice", "bob"), None);
    world.accept("bob", "alice");
    assert_eq!(trust(&mut world, "bob", "alice"), Some(KeyTrust::Pinned));
    assert_eq!(trust(&mut world, "alice", "bob"), Some(KeyTrust::Pinned));
    let (alices, _) = number(&mut world, "alice", "bob");
    assert_eq!(number(&mut world, "bob", "alice").0, alices);
    let wrong = Command::ConfirmSafetyNumber { peer: ipc("bob"), number: "00000 ".repeat(12) };
    assert!(matches!(world.err("alice", wrong), CommandError::WrongSafetyNumber { .. }));
    world.ok("alice", Command::ConfirmSafetyNumber { peer: ipc("bob"), number: alices });
    assert_eq!(trust(&mut world, "alice", "bob"), Some(KeyTrust::Verified));
    assert!(world.saved_peer("alice", "bob").verified);
}

#[test]
fn a_forged_request_is_dropped_unseen() {
    let mut world = World::new(&["alice", "bob"]);
    let forged = forge("alice", "bob", &other_key());
    // Under alice's true key it fails, as it does with one flipped bit.
    let public_key = world.relay.keys[&name("alice")].clone();
    world.input("bob", Input::LinkMessage(LinkMessage::PeerKey { name: name("alice"), public_key }));
    world.input("bob", Input::LinkMessage(LinkMessage::Rtt { name: name("alice"), request: forged.clone() }));
    assert!(world.snapshot("bob").incoming.is_empty() && world.logged("bob", "rtt_dropped"));
    // Without any key, too.
    world.input("bob", Input::LinkMessage(LinkMessage::Rtt { name: name("alice"), request: forged }));
    assert!(world.snapshot("bob").incoming.is_empty());
    assert!(!world.node("bob").sent.iter().any(|m| matches!(m, LinkMessage::Response { .. })));
}

#[test]
fn a_request_for_somebody_else_is_dropped() {
    let mut world = World::new(&["alice", "bob", "carol"]);
    let key = world.node("alice").key.clone();
    let request = forge("alice", "carol", &key);
    let public_key = key.public_key().as_der().to_vec();
    world.input("bob", Input::LinkMessage(LinkMessage::PeerKey { name: name("alice"), public_key }));
    world.input("bob", Input::LinkMessage(LinkMessage::Rtt { name: name("alice"), request }));
    assert!(world.snapshot("bob").incoming.is_empty());
}

#[test]
fn a_relay_that_hands_out_its_own_keys_shows_in_the_safety_numbers() {
    let mut world = World::new(&["alice", "bob"]);
    let evil = other_key();
    // The relay asks bob as alice with a key of its own, and shows that key.
    let public_key = evil.public_key().as_der().to_vec();
    world.input("bob", Input::LinkMessage(LinkMessage::PeerKey { name: name("alice"), public_key }));
    let request = forge("alice", "bob", &evil);
    world.input("bob", Input::LinkMessage(LinkMessage::Rtt { name: name("alice"), request }));
    let shown = world.snapshot("bob").incoming[0].clone();
    assert_eq!(shown.trust, KeyTrust::Unverified);
    // Alice's screen, with bob's true key, shows another number.
    let true_key = openssl::base64::encode_block(&world.relay.keys[&name("bob")]);
    world.ok("alice", Command::AddPeer { peer: ipc("bob"), public_key: true_key });
    assert_ne!(number(&mut world, "alice", "bob").0, shown.safety_number);
}

#[test]
fn a_forged_acceptance_opens_nothing() {
    let mut world = World::new(&["alice", "bob"]);
    let asking = world.start("alice", world.rtt("bob", true));
    let chat_id = ChatId::from_bytes(world.snapshot("alice").outgoing[0].chat_id.0).unwrap();
    let public_key = world.relay.keys[&name("bob")].clone();
    world.input("alice", Input::LinkMessage(LinkMessage::PeerKey { name: name("bob"), public_key }));
    let accept = LinkMessage::Response { answer: Answer::Accept, name: name("bob"), chat_id };
    world.input("alice", Input::LinkMessage(accept));
    for body in [vec![], vec![0; 400]] {
        let message = LinkMessage::KeyEstablishment { chat_id, step: Step::M2, body };
        world.input("alice", Input::LinkMessage(message));
    }
    assert_eq!(world.answer("alice", asking), None);
    assert!(
        world.snapshot("alice").chats.is_empty(),
        "an acceptance that only the relay claims is not shown"
    );
    assert!(matches!(
        world.err("alice", Command::Send { peer: ipc("bob"), text: "secret".into() }),
        CommandError::NoChat { .. }
    ));
    assert_eq!(trust(&mut world, "alice", "bob"), None);
    world.advance(3_700);
    assert_eq!(world.answer("alice", asking), Some(Err(CommandError::Expired { peer: ipc("bob") })));
}

#[test]
fn a_changed_key_is_refused_loudly_both_ways_and_disturbs_no_open_chat() {
    let mut world = World::new(&["alice", "bob"]);
    world.chat("alice", "bob");
    let evil = other_key();
    let public_key = evil.public_key().as_der().to_vec();
    world.relay.keys.insert(name("bob"), public_key.clone());
    let request = forge("bob", "alice", &evil);
    world.input("alice", Input::LinkMessage(LinkMessage::PeerKey { name: name("bob"), public_key }));
    world.input("alice", Input::LinkMessage(LinkMessage::Rtt { name: name("bob"), request }));
    assert!(world.snapshot("alice").incoming.is_empty(), "shown although the key changed");
    assert_eq!(world.snapshot("alice").chats[0].trust, KeyTrust::Changed);
    assert!(world.snapshot("alice").status.hints.iter().any(|hint| hint.contains("secchatctl verify bob")));
    let sending = world.send("alice", "bob", "still here");
    assert!(matches!(world.answer("alice", sending), Some(Ok(Reply::Delivered { .. }))));
    world.ok("alice", Command::Close { peer: ipc("bob") });
    assert!(matches!(world.err("alice", world.rtt("bob", true)), CommandError::KeyChanged { .. }));
    // The old number, compared again, settles it: the other key was a lie.
    let (right, offered) = number(&mut world, "alice", "bob");
    assert!(offered.is_some_and(|offered| offered != right));
    world.ok("alice", Command::ConfirmSafetyNumber { peer: ipc("bob"), number: right });
    assert_eq!(trust(&mut world, "alice", "bob"), Some(KeyTrust::Verified));
    assert!(world.snapshot("alice").incoming.is_empty());
    // Asked again, the relay still lies: exit 9.
    let asking = world.start("alice", world.rtt("bob", true));
    world.ok("bob", Command::Accept { peer: ipc("alice"), terms: None, wait: false });
    assert_eq!(world.answer("alice", asking), Some(Err(CommandError::KeyChanged { peer: ipc("bob") })));
    assert!(world.snapshot("alice").chats.is_empty());
}

#[test]
fn a_new_key_that_a_person_verified_becomes_the_pin_and_its_request_is_shown() {
    for forget in [false, true] {
        let mut world = World::new(&["alice", "bob"]);
        world.chat("bob", "alice");
        // Bob lost his key and has a new one.
        let new = other_key();
        let public_key = new.public_key().as_der().to_vec();
        let request = forge("bob", "alice", &new);
        world.input(
            "alice",
            Input::LinkMessage(LinkMessage::PeerKey { name: name("bob"), public_key: public_key.clone() }),
        );
        world.input("alice", Input::LinkMessage(LinkMessage::Rtt { name: name("bob"), request }));
        let (_, offered) = number(&mut world, "alice", "bob");
        if forget {
            world.ok("alice", Command::Forget { peer: ipc("bob") });
        } else {
            world.ok("alice", Command::ConfirmSafetyNumber { peer: ipc("bob"), number: offered.unwrap() });
            assert_eq!(world.saved_peer("alice", "bob").pin.as_ref(), Some(new.public_key()));
        }
        let snapshot = world.snapshot("alice");
        assert!(snapshot.chats.is_empty(), "the chat under the old key goes on");
        assert_eq!(snapshot.incoming.len(), 1, "the request that came with the new key is lost");
        let expected = if forget { KeyTrust::Unverified } else { KeyTrust::Verified };
        assert_eq!(snapshot.incoming[0].trust, expected);
    }
}

#[test]
fn a_request_under_a_changed_key_that_was_withdrawn_does_not_come_back() {
    let mut world = World::new(&["alice", "bob"]);
    world.chat("bob", "alice");
    let new = other_key();
    let public_key = new.public_key().as_der().to_vec();
    let request = forge("bob", "alice", &new);
    let chat_id = RequestToTalk::decode(&request).unwrap().chat_id;
    world.input("alice", Input::LinkMessage(LinkMessage::PeerKey { name: name("bob"), public_key }));
    world.input("alice", Input::LinkMessage(LinkMessage::Rtt { name: name("bob"), request }));
    let withdrawn = LinkMessage::Response { answer: Answer::Withdraw, name: name("bob"), chat_id };
    world.input("alice", Input::LinkMessage(withdrawn));
    world.ok("alice", Command::Forget { peer: ipc("bob") });
    assert!(world.snapshot("alice").incoming.is_empty());
}

#[test]
fn a_key_added_beforehand_is_the_only_one() {
    let mut world = World::new(&["alice", "bob"]);
    let wrong = openssl::base64::encode_block(other_key().public_key().as_der());
    world.ok("alice", Command::AddPeer { peer: ipc("bob"), public_key: wrong });
    let asking = world.start("alice", world.rtt("bob", true));
    world.ok("bob", Command::Accept { peer: ipc("alice"), terms: None, wait: false });
    assert_eq!(world.answer("alice", asking), Some(Err(CommandError::KeyChanged { peer: ipc("bob") })));
    assert!(matches!(
        world.err("alice", Command::AddPeer { peer: ipc("bob"), public_key: "AAAA".into() }),
        CommandError::Invalid { .. }
    ));
    let right = openssl::base64::encode_block(&world.relay.keys[&name("bob")]);
    let add = Command::AddPeer { peer: ipc("bob"), public_key: right };
    assert!(matches!(world.err("alice", add.clone()), CommandError::KeyChanged { .. }));
    world.ok("alice", Command::Forget { peer: ipc("bob") });
    world.ok("alice", add);
    world.chat("alice", "bob");
}

#[test]
fn a_second_key_for_an_unanswered_first_contact_is_refused() {
    let mut world = World::new(&["alice", "bob"]);
    world.start("alice", world.rtt("bob", false));
    let LinkMessage::Rtt { request, .. } = world.node("alice").sent.last().unwrap().clone() else { panic!() };
    let before = world.snapshot("bob");
    let public_key = other_key().public_key().as_der().to_vec();
    world.input("bob", Input::LinkMessage(LinkMessage::PeerKey { name: name("alice"), public_key }));
    world.input("bob", Input::LinkMessage(LinkMessage::Rtt { name: name("alice"), request }));
    assert_eq!(world.snapshot("bob").incoming, before.incoming);
}

#[test]
fn another_key_for_a_chat_that_is_opening_is_refused() {
    let mut world = World::new(&["alice", "bob"]);
    let asking = world.start("alice", world.rtt("bob", true));
    // The first pair breaks off before M2.
    world.tamper = Some(Box::new(|_, m| (!matches!(m, LinkMessage::KeyEstablishment { .. })).then_some(m)));
    world.ok("bob", Command::Accept { peer: ipc("alice"), terms: None, wait: false });
    world.cut("bob");
    world.relay.keys.insert(name("bob"), other_key().public_key().as_der().to_vec());
    world.advance(40);
    assert!(world.logged("alice", "response_dropped"));
    assert_eq!(world.answer("alice", asking), None);
    // The right key again, after the next login: it opens.
    world.relay.keys.insert(name("bob"), world.nodes[1].key.public_key().as_der().to_vec());
    world.tamper = None;
    world.cut("alice");
    world.advance(300);
    assert!(matches!(world.answer("alice", asking), Some(Ok(Reply::ChatOpen { .. }))));
}

#[test]
fn messages_of_another_handshake_open_nothing() {
    // The relay swaps alice's and carol's M messages on their way to bob.
    let mut world = World::new(&["alice", "bob", "carol"]);
    let one = world.start("alice", world.rtt("bob", true));
    let two = world.start("carol", world.rtt("bob", true));
    let mut ids: Vec<ChatId> = Vec::new();
    for user in ["alice", "carol"] {
        ids.push(ChatId::from_bytes(world.snapshot(user).outgoing[0].chat_id.0).unwrap());
    }
    world.tamper = Some(Box::new(move |to, message| {
        let LinkMessage::KeyEstablishment { chat_id, step, body } = message else { return Some(message) };
        let chat_id = if to.as_str() != "bob" {
            chat_id
        } else if chat_id == ids[0] {
            ids[1]
        } else {
            ids[0]
        };
        Some(LinkMessage::KeyEstablishment { chat_id, step, body })
    }));
    for peer in ["alice", "carol"] {
        world.ok("bob", Command::Accept { peer: ipc(peer), terms: None, wait: false });
    }
    assert_eq!((world.answer("alice", one), world.answer("carol", two)), (None, None));
    assert!(world.node("bob").events.iter().all(|e| !matches!(e, Event::TrustChanged { .. })));
    // An honest relay later: the same accepts open.
    world.tamper = None;
    world.advance(300);
    assert!(matches!(world.answer("alice", one), Some(Ok(Reply::ChatOpen { .. }))));
    assert!(matches!(world.answer("carol", two), Some(Ok(Reply::ChatOpen { .. }))));
}

#[test]
fn a_key_that_is_none_spoils_the_request_and_not_the_link() {
    let mut world = World::new(&["alice", "bob"]);
    let spoil = |_: &UserName, message: LinkMessage| {
        if let LinkMessage::PeerKey { name, .. } = &message {
            return Some(LinkMessage::PeerKey { name: name.clone(), public_key: vec![7; 40] });
        }
        Some(message)
    };
    world.tamper = Some(Box::new(spoil));
    let asking = world.start("alice", world.rtt("bob", true));
    assert!(world.logged("bob", "rtt_dropped"));
    assert!(world.snapshot("bob").incoming.is_empty());
    world.tamper = None;
    // The same for the answer.
    world.ok("alice", Command::Withdraw { peer: ipc("bob") });
    assert!(world.answer("alice", asking).is_some());
    world.start("alice", world.rtt("bob", true));
    world.tamper = Some(Box::new(spoil));
    world.ok("bob", Command::Accept { peer: ipc("alice"), terms: None, wait: false });
    assert!(world.logged("alice", "response_dropped"));
    assert!(matches!(world.node("alice").sent.last(), Some(LinkMessage::ReturnToLobby { .. })));
    for user in ["alice", "bob"] {
        assert!(world.relay.names().contains(&name(user)), "{user}'s link goes on");
    }
}
