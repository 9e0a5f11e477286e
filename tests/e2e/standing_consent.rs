//! Consents that are wider than one chat: within the terms no second question, after them none without.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use secchat_e2e::{EvilRelay, Pki, TestUser, World};
use secchat_ipc::Event;
use secchat_ipc::types::{RequestState, ResolvedBy};
use secchat_proto::wire::link::{Answer, LinkMessage};

/// Alice asks, bob accepts with these flags; the chat is open.
async fn accepted<const N: usize>(alice: &TestUser, bob: &TestUser, flags: [&str; N]) {
    let mut bobs = bob.frontend().await;
    let asking = tokio::spawn(alice.ctl(["rtt", "bob", "--history", "all"]));
    bobs.until_asked_by(&alice.name).await;
    let mut command = bob.home.command("secchatctl");
    command.args(["accept", "alice"]).args(flags);
    secchat_e2e::CtlOutput::of(command, None).await.ok();
    asking.await.unwrap().ok();
    bobs.until_open_with(&alice.name).await;
}

/// Alice asks again, and bob is asked.
async fn asks_again(alice: &TestUser, bob: &TestUser) {
    let mut bobs = bob.frontend().await;
    alice.ctl(["rtt", "bob", "--no-wait"]).await.ok();
    bobs.until_asked_by(&alice.name).await;
}

#[tokio::test]
async fn within_the_hours_a_closed_chat_opens_again_without_a_question() {
    let (_world, [alice, mut bob]) = World::start(["alice", "bob"]).await;
    accepted(&alice, &bob, ["--for", "8h", "--history", "0"]).await;
    let until = |consents: &serde_json::Value, at: usize| consents[at]["terms"]["until"].clone();
    let first = bob.ctl(["consents", "--json"]).await.ok().json()["consents"].clone();
    assert_eq!((&first[0]["standing"], &first[1]["standing"]), (&true.into(), &false.into()), "{first}");
    alice.ctl(["close", "bob"]).await.ok();

    // Nobody is asked, and everybody sees it; the terms are what is left, whatever alice proposes.
    let mut bobs = bob.frontend().await;
    let again = alice.ctl(["rtt", "bob", "--history", "all", "--json"]).await.ok().json();
    assert_eq!((&again["terms"]["until"], &again["terms"]["history_days"]), (&until(&first, 0), &0.into()));
    let by =
        bobs.find(|event| if let Event::RequestResolved { by, .. } = event { Some(by) } else { None }).await;
    assert_eq!(by, ResolvedBy::Consent);
    // Nor after bob's daemon died in between.
    alice.ctl(["close", "bob"]).await.ok();
    bob.kill();
    bob.start().await;
    bob.is_online().await;
    // The relay has taken him in, too, when it gives him its list.
    bob.ctl(["list"]).await.ok();
    alice.ctl(["rtt", "bob"]).await.ok();

    // Revoked: the chat is over at both ends, and stays so.
    let mut alices = alice.frontend().await;
    bob.ctl(["revoke", "alice"]).await.ok();
    alices.until_over_with(&bob.name).await;
    bob.kill();
    bob.start().await;
    bob.is_online().await;
    assert_eq!(bob.ctl(["consents", "--json"]).await.ok().json()["consents"], serde_json::json!([]));
    bob.ctl(["revoke", "alice"]).await.with_code(1).says("no consent");
    asks_again(&alice, &bob).await;
}

#[tokio::test]
async fn for_one_chat_is_for_one_chat() {
    let (_world, [alice, bob]) = World::start(["alice", "bob"]).await;
    accepted(&alice, &bob, ["--for", "8h", "--once"]).await;
    alice.ctl(["close", "bob"]).await.ok();
    asks_again(&alice, &bob).await;
}

#[tokio::test]
async fn after_its_hours_the_chat_ends_and_the_next_one_is_asked_about() {
    let (_world, [alice, bob]) = World::start(["alice", "bob"]).await;
    let (mut alices, mut bobs) = (alice.frontend().await, bob.frontend().await);
    let asking = tokio::spawn(alice.ctl(["rtt", "bob"]));
    bobs.until_asked_by(&alice.name).await;
    bob.ctl(["accept", "alice", "--for", "3s"]).await.ok();
    asking.await.unwrap().ok();
    bobs.until_open_with(&alice.name).await;
    alices.until_over_with(&bob.name).await;
    bobs.until_over_with(&alice.name).await;
    asks_again(&alice, &bob).await;
}

#[tokio::test]
async fn a_relay_that_shows_everything_again_after_revoke_gets_nothing() {
    // Whatever alice asked and bob accepted goes out again whenever alice changes her presence.
    let (mut to_bob, mut to_alice) = (Vec::new(), Vec::new());
    let replays = Arc::new(AtomicUsize::new(0));
    let replayed = Arc::clone(&replays);
    let pki = Pki::new();
    let keys = ["alice", "bob"].map(|name| (name, openssl::pkey::PKey::generate_ed25519().unwrap()));
    let relay = EvilRelay::bind(&pki, keys.iter().map(|(name, key)| (*name, key))).await;
    let mut people = keys.each_ref().map(|(name, key)| TestUser::new(name, key, &pki, relay.address));
    tokio::spawn(relay.run(move |relay, from, message| {
        let is_trigger = matches!(message, LinkMessage::Presence { .. }) && from.as_str() == "alice";
        let (is_rtt, is_accept) = (
            matches!(message, LinkMessage::Rtt { .. }),
            matches!(message, LinkMessage::Response { answer: Answer::Accept, .. }),
        );
        let mut routed = relay.honest(from, message);
        if is_rtt {
            to_bob.extend(routed.clone());
        }
        if is_accept {
            to_alice.extend(routed.clone());
        }
        if is_trigger {
            replayed.fetch_add(to_bob.len() + to_alice.len(), Ordering::Relaxed);
            routed.extend(to_bob.iter().chain(&to_alice).cloned());
        }
        routed
    }));
    for user in &mut people {
        user.start().await;
        user.is_online().await;
    }
    let [alice, bob] = people;
    accepted(&alice, &bob, ["--until-revoked"]).await;
    alice.ctl(["close", "bob"]).await.ok();
    alice.ctl(["rtt", "bob"]).await.ok();
    bob.ctl(["revoke", "alice"]).await.ok();
    for (one, other) in [(&alice, &bob), (&bob, &alice)] {
        one.frontend().await.until_over_with(&other.name).await;
    }
    alice.ctl(["hidden"]).await.ok();
    // What alice asks now comes after all that, and is the only request that bob sees.
    let mut bobs = bob.frontend().await;
    asks_again(&alice, &bob).await;
    bobs.until_asked_by(&alice.name).await;
    assert!(replays.load(Ordering::Relaxed) >= 8, "the relay showed nothing again");
    let state = bobs.state();
    let waiting = state.incoming.iter().filter(|request| request.state == RequestState::Pending).count();
    assert_eq!((waiting, state.chats.len()), (1, 0), "{state:#?}");
    assert!(alice.frontend().await.state().chats.is_empty());
    alice.ctl(["send", "bob", "let me in"]).await.with_code(10);
}
