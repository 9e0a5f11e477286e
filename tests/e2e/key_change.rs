//! A relay that offers another key for somebody is noticed.

use secchat_e2e::World;
use secchat_ipc::types::{ChatState, KeyTrust};

#[tokio::test]
async fn another_key_is_9_until_a_person_says_otherwise() {
    let (world, [alice, bob]) = World::start(["alice", "bob"]).await;
    alice.chat_with(&bob).await;
    alice.ctl(["close", "bob"]).await.ok();
    let (_world, other) = world.with_another_key(bob, &alice).await;

    // Who asks, is not asked; whom alice asks, does not get her.
    let mut alices = alice.frontend().await;
    let asking = tokio::spawn(other.ctl(["rtt", "alice"]));
    alices
        .find(|event| match event {
            secchat_ipc::Event::TrustChanged { trust: KeyTrust::Changed, .. } => Some(()),
            _ => None,
        })
        .await;
    assert!(alices.state().incoming.is_empty(), "{:#?}", alices.state());
    let refused = alice.ctl(["rtt", "bob"]).await.with_code(9);
    assert!(refused.stderr.contains("verify bob") && refused.stderr.contains("forget bob"), "{refused:?}");

    // Forgotten, bob is somebody new, and his request is shown.
    alice.ctl(["forget", "bob", "--yes"]).await.ok();
    alices.until_asked_by(&other.name).await;
    alice.ctl(["accept", "bob"]).await.ok();
    asking.await.unwrap().ok();
    assert_eq!(alice.frontend().await.state().chats[0].trust, KeyTrust::Pinned);
}

#[tokio::test]
async fn an_open_chat_does_not_go_on_with_another_key() {
    let (world, [alice, bob]) = World::start(["alice", "bob"]).await;
    alice.chat_with(&bob).await;
    let (_world, other) = world.with_another_key(bob, &alice).await;

    // Alice's daemon offers the chat again, and gets an answer that another key signed.
    let mut alices = alice.frontend().await;
    let asking = tokio::spawn(other.ctl(["rtt", "alice"]));
    alices.until("another key", |state| state.chats.iter().any(|chat| chat.trust == KeyTrust::Changed)).await;
    alice.ctl(["send", "bob", "hello"]).await.with_code(9);
    assert!(alices.state().chats.iter().all(|chat| chat.state != ChatState::Open), "{:#?}", alices.state());
    asking.abort();
    assert_eq!(other.frontend().await.state().chats, []);
}

#[tokio::test]
async fn a_verified_number_makes_the_new_key_the_pin() {
    let (_world, [alice, bob]) = World::start(["alice", "bob"]).await;
    alice.chat_with(&bob).await;
    let wrong = "00000 ".repeat(12);
    alice.ctl(["verify", "bob", "--expect", wrong.trim()]).await.with_code(9).says("not the right one");
    let number = alice.ctl(["verify", "bob", "--json"]).await.ok().json();
    let number =
        number["number"].as_str().or_else(|| number["safety_number"].as_str()).expect("a number").to_owned();
    bob.ctl(["verify", "alice", "--expect", &number]).await.ok();
    assert_eq!(bob.frontend().await.state().chats[0].trust, KeyTrust::Verified);
}

#[tokio::test]
async fn what_one_reads_aloud_or_shows_to_a_camera_the_other_can_give() {
    let (_world, [alice, bob]) = World::start(["alice", "bob"]).await;
    alice.chat_with(&bob).await;
    let words = alice.ctl(["verify", "bob", "--words"]).await.ok().stdout;
    assert_eq!(words.split_whitespace().count(), 20, "{words}");
    let mixed_up: Vec<&str> = words.lines().rev().collect();
    bob.ctl(["verify", "alice", "--expect", &mixed_up.join(" ")])
        .await
        .with_code(9)
        .says("not the right one");
    bob.ctl(["verify", "alice", "--expect", "no such words"]).await.with_code(2).says("safety number");
    bob.ctl(["verify", "alice", "--expect", &words]).await.ok();
    // The code has the digits, as a scanner prints them.
    let shown = alice.ctl(["verify", "bob", "--qr"]).await.ok().stdout;
    let (digits, code) = shown.split_once('\n').expect("digits, then the code");
    assert!(code.contains('▀') && code.contains('█'), "{shown}");
    alice
        .ctl_with_input(
            ["verify", "bob", "--expect", "-"],
            format!("{}\n", digits.replace(' ', "")).as_bytes(),
        )
        .await
        .ok();
    assert_eq!(bob.frontend().await.state().chats[0].trust, KeyTrust::Verified);
    assert_eq!(alice.frontend().await.state().chats[0].trust, KeyTrust::Verified);
}
