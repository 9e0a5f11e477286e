//! A relay that lies: what it can and cannot do (PROTOCOL.md, "Promised").

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use openssl::pkey::{PKey, Private};
use secchat_e2e::{EvilRelay, Impostor, Pki, TestUser, proto_name, public_key, public_key_base64};
use secchat_ipc::Event;
use secchat_ipc::types::{ChatState, KeyTrust};
use secchat_proto::UserName;
use secchat_proto::crypto::entropy::OsEntropy;
use secchat_proto::crypto::signature::SigningKey;
use secchat_proto::request::Proposal;
use secchat_proto::safety_number::safety_number;
use secchat_proto::wire::link::{ChatId, LinkMessage, Step};
use secchat_proto::wire::request::RequestToTalk;

#[tokio::test]
async fn its_own_key_at_first_contact_shows_in_the_safety_number() {
    let own = PKey::generate_ed25519().unwrap();
    let own_spki = own.public_key_to_der().unwrap();
    let forger = SigningKey::from_pkey(own).unwrap();
    let (_pki, [alice, bob]) = people(move |relay, from, message| match message {
        // It passes itself off as alice: its key, and the request signed anew with it.
        LinkMessage::Rtt { name, request } => {
            let asked = RequestToTalk::decode(&request).unwrap();
            let proposal = Proposal { issued: asked.issued, expires: asked.expires, terms: asked.terms };
            let request =
                RequestToTalk::make(&from, &forger, &name, proposal, &mut OsEntropy).unwrap().encode();
            vec![
                (name.clone(), LinkMessage::PeerKey { name: from.clone(), public_key: own_spki.clone() }),
                (name, LinkMessage::Rtt { name: from, request }),
            ]
        }
        other => relay.honest(from, other),
    })
    .await;
    let mut bobs = bob.frontend().await;
    alice.ctl(["rtt", "bob", "--no-wait"]).await.ok();
    bobs.until_asked_by(&alice.name).await;
    let shown = &bobs.state().incoming[0];
    assert_eq!(shown.trust, KeyTrust::Unverified);
    let names = (proto_name("alice"), proto_name("bob"));
    let truth = safety_number((&names.0, &public_key(&alice.key)), (&names.1, &public_key(&bob.key)));
    assert_ne!(shown.safety_number, truth);
}

#[tokio::test]
async fn a_forged_request_reaches_nobody() {
    let mut requests = 0;
    let (_pki, [alice, bob]) = people(move |relay, from, message| {
        let mut routed = relay.honest(from, message);
        for (_, message) in &mut routed {
            if let LinkMessage::Rtt { request, .. } = message {
                requests += 1;
                if requests == 1 {
                    // Its terms (§6): signed, like all of it.
                    request[40] ^= 1;
                }
            }
        }
        routed
    })
    .await;
    let mut bobs = bob.frontend().await;
    alice.ctl(["rtt", "bob", "--no-wait"]).await.ok();
    alice.ctl(["rtt", "bob", "--no-wait"]).await.ok();
    // The first that bob hears of is the second, which the relay left alone.
    let received = bobs
        .find(|event| if let Event::RequestReceived(request) = event { Some(request.chat_id) } else { None })
        .await;
    assert_eq!(alice.frontend().await.state().outgoing[0].chat_id, received);
}

#[tokio::test]
async fn an_acceptance_for_somebody_who_did_not_opens_nothing() {
    let mut impostor = Impostor::with_true_key();
    let (_pki, [alice, bob]) = people(move |relay, from, message| impostor.edit(relay, from, message)).await;
    alice.ctl(["rtt", "bob", "--timeout", "3s"]).await.with_code(8);
    alice.ctl(["send", "bob", "secret"]).await.with_code(10);
    let bobs = bob.frontend().await;
    assert!(bobs.state().incoming.is_empty() && bobs.state().chats.is_empty(), "bob was never asked");
}

#[tokio::test]
async fn an_impostor_at_first_contact_shows_in_the_safety_number_and_never_later() {
    let mut impostor = Impostor::with_own_key();
    let false_key = impostor.public_key().clone();
    let (_pki, [alice, bob]) = people(move |relay, from, message| impostor.edit(relay, from, message)).await;
    // Bob's key came by another way: the impostor gets nowhere.
    let true_key = public_key_base64(&bob.key);
    alice.ctl(["peers", "add", "bob", &true_key]).await.ok();
    alice.ctl(["rtt", "bob", "--timeout", "20s"]).await.with_code(9);
    // It did not: she talks to the impostor, until she compares the number.
    alice.ctl(["forget", "bob", "--yes"]).await.ok();
    alice.ctl(["rtt", "bob"]).await.ok();
    let shown = alice.ctl(["verify", "bob", "--json"]).await.ok().stdout;
    let names = (proto_name("alice"), proto_name("bob"));
    let number = |key| safety_number((&names.0, &public_key(&alice.key)), (&names.1, key));
    assert!(shown.contains(&number(&false_key)), "{shown}");
    alice.ctl(["verify", "bob", "--expect", &number(&public_key(&bob.key))]).await.with_code(9);
}

#[tokio::test]
async fn its_own_key_later_is_exit_9() {
    let own = PKey::generate_ed25519().unwrap().public_key_to_der().unwrap();
    let mut talked = false;
    let (_pki, [alice, bob]) = people(move |relay, from, message| {
        talked |= matches!(message, LinkMessage::Chat { .. });
        let mut routed = relay.honest(from, message);
        for (to, message) in &mut routed {
            if let LinkMessage::PeerKey { public_key, .. } = message
                && talked
                && to.as_str() == "alice"
            {
                public_key.clone_from(&own);
            }
        }
        routed
    })
    .await;
    alice.chat_with(&bob).await;
    alice.ctl(["close", "bob"]).await.ok();
    bob.ctl(["policy", "accept"]).await.ok();
    alice.ctl(["rtt", "bob", "--timeout", "20s"]).await.with_code(9);
}

#[tokio::test]
async fn swapped_handshakes_open_no_chat() {
    // Two chats of alice's at once; the relay gives each M2 to the other one's handshake.
    let (pki, users) = setup(["alice", "bob", "carol"]);
    let relay = EvilRelay::bind(&pki, users.iter().map(|(name, key)| (*name, key))).await;
    let mut people = start(&pki, &relay, &users);
    let mut held: BTreeMap<ChatId, Vec<u8>> = BTreeMap::new();
    let swaps = Arc::new(AtomicUsize::new(0));
    let swapped = Arc::clone(&swaps);
    tokio::spawn(relay.run(move |relay, from, message| match message {
        LinkMessage::KeyEstablishment { chat_id, step: Step::M2, body } => {
            held.insert(chat_id, body);
            let [(first, one), (second, other)] = held.iter().take(2).collect::<Vec<_>>()[..] else {
                return Vec::new();
            };
            let alice = proto_name("alice");
            let m2 = |chat_id: &ChatId, body: &Vec<u8>| {
                (
                    alice.clone(),
                    LinkMessage::KeyEstablishment { chat_id: *chat_id, step: Step::M2, body: body.clone() },
                )
            };
            let routed = vec![m2(first, other), m2(second, one)];
            held.clear();
            swapped.fetch_add(1, Ordering::Relaxed);
            routed
        }
        other => relay.honest(from, other),
    }));
    for user in &mut people {
        user.start().await;
    }
    let [alice, bob, carol] = people;
    for user in [&alice, &bob, &carol] {
        user.is_online().await;
    }
    for user in [&bob, &carol] {
        user.ctl(["policy", "accept"]).await.ok();
    }
    let (one, other) = tokio::join!(
        alice.ctl(["rtt", "bob", "--timeout", "3s"]),
        alice.ctl(["rtt", "carol", "--timeout", "3s"])
    );
    one.with_code(8);
    other.with_code(8);
    assert!(swaps.load(Ordering::Relaxed) > 0, "no handshake was ever swapped");
    alice.ctl(["send", "bob", "secret"]).await.with_code(10);
    alice.ctl(["send", "carol", "secret"]).await.with_code(10);
}

#[tokio::test]
async fn an_edited_record_interrupts_and_the_text_arrives_once() {
    let mut texts = 0;
    let edits = Arc::new(AtomicUsize::new(0));
    let edited = Arc::clone(&edits);
    let (_pki, [alice, bob]) = people(move |relay, from, message| {
        let mut routed = relay.honest(from, message);
        for (_, message) in &mut routed {
            if let LinkMessage::Chat { record, .. } = message {
                texts += 1;
                if texts == 5 {
                    let last = record.len() - 1;
                    record[last] ^= 1;
                    edited.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
        routed
    })
    .await;
    alice.chat_with(&bob).await;
    let mut bobs = bob.frontend().await;
    alice.ctl(["send", "bob", "one"]).await.ok();
    alice.ctl(["send", "bob", "two"]).await.ok();
    assert_eq!(edits.load(Ordering::Relaxed), 1, "no record was ever edited");
    let is_interruption =
        |event: &Event| matches!(event, Event::ChatChanged(chat) if chat.state == ChatState::Interrupted);
    bobs.find(|event| is_interruption(&event).then_some(())).await;
    let read = bob.ctl(["read"]).await.ok().stdout;
    assert!(read.matches("one").count() == 1 && read.matches("two").count() == 1, "{read}");
}

/// Alice and bob, online at a relay that does to each message what `edit` says.
async fn people(
    edit: impl FnMut(&mut EvilRelay, UserName, LinkMessage) -> Vec<(UserName, LinkMessage)> + Send + 'static,
) -> (Pki, [TestUser; 2]) {
    let (pki, users) = setup(["alice", "bob"]);
    let relay = EvilRelay::bind(&pki, users.iter().map(|(name, key)| (*name, key))).await;
    let mut people = start(&pki, &relay, &users);
    tokio::spawn(relay.run(edit));
    for user in &mut people {
        user.start().await;
        user.is_online().await;
    }
    (pki, people)
}

fn setup<const N: usize>(names: [&'static str; N]) -> (Pki, [(&'static str, PKey<Private>); N]) {
    (Pki::new(), names.map(|name| (name, PKey::generate_ed25519().unwrap())))
}

fn start<const N: usize>(pki: &Pki, relay: &EvilRelay, users: &[(&str, PKey<Private>); N]) -> [TestUser; N] {
    users.each_ref().map(|(name, key)| TestUser::new(name, key, pki, relay.address))
}
