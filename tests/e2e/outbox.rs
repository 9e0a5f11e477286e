//! Texts left for who is away: kept through everything, delivered on return, in order, once; and what a person sees.

use secchat_e2e::{TestUser, World};
use secchat_ipc::Event;
use secchat_ipc::types::{ChatState, QueuedOutcome};

/// The words of all unread texts, in order; they are read then.
async fn read(user: &TestUser) -> Vec<String> {
    let said = user.ctl(["read", "--json"]).await.ok();
    let text = |line: &str| -> String {
        let message: serde_json::Value = serde_json::from_str(line).expect("JSON");
        message["text"].as_str().expect("a text").to_owned()
    };
    said.stdout.lines().map(text).collect()
}

/// The beginnings of what waits.
async fn waiting(user: &TestUser) -> Vec<String> {
    let outbox = user.ctl(["outbox", "--json"]).await.ok().json();
    let texts = outbox["texts"].as_array().expect("texts").iter();
    let waiting = texts.filter(|text| text["state"] == "waiting");
    waiting.map(|text| text["beginning"].as_str().expect("a text").to_owned()).collect()
}

/// This user's daemon has noticed that the peer is away.
async fn is_interrupted(user: &TestUser) {
    let is_interrupted =
        |state: &secchat_ipc::Snapshot| state.chats.iter().all(|chat| chat.state == ChatState::Interrupted);
    user.frontend().await.until("the chat is interrupted", is_interrupted).await;
}

#[tokio::test]
async fn what_is_left_for_who_is_away_arrives_on_return_through_crashes_of_both() {
    let (_world, [mut alice, mut bob]) = World::start(["alice", "bob"]).await;
    alice.chat_with(&bob).await;
    bob.kill();
    is_interrupted(&alice).await;
    let left = alice.ctl(["send", "--queue", "--json", "bob", "one"]).await.ok().json();
    assert_eq!((&left["queued"], &left["delivered"]), (&"1".into(), &false.into()), "{left}");
    alice.ctl(["send", "--queue", "--for", "2d", "bob", "two", "words"]).await.ok().says("kept as 2");
    alice.kill();
    alice.start().await;
    alice.is_online().await;
    assert_eq!(waiting(&alice).await, ["one", "two words"]);
    let table = alice.ctl(["outbox"]).await.ok().stdout;
    assert!(table.lines().next().is_some_and(|line| line.starts_with("1\tbob\twaiting\t")), "{table}");
    let mut watching = alice.frontend().await;
    let waits = tokio::spawn(alice.ctl(["send", "--queue", "--wait", "--json", "bob", "three"]));
    watching.find(|event| matches!(event, Event::TextQueued { id: 3, .. }).then_some(())).await;
    bob.start().await;
    let told = waits.await.expect("send").ok().json();
    assert_eq!((&told["queued"], &told["delivered"]), (&"3".into(), &true.into()), "{told}");
    alice.ctl(["send", "bob", "four"]).await.ok();
    assert_eq!(read(&bob).await, ["one", "two words", "three", "four"]);
    let empty = alice.ctl(["outbox"]).await.ok().says("the outbox is empty");
    assert_eq!(empty.stdout, "");
}

#[tokio::test]
async fn killed_in_the_middle_of_the_return_everything_arrives_once_and_in_order() {
    let (_world, [mut alice, mut bob]) = World::start(["alice", "bob"]).await;
    alice.chat_with(&bob).await;
    let mut sent = Vec::new();
    let mut got = Vec::new();
    for round in 0..4_usize {
        bob.stop().await;
        is_interrupted(&alice).await;
        for n in 0..80 {
            let text = format!("{round}.{n}");
            let queue = secchat_ipc::Command::Queue {
                peer: bob.name.clone(),
                text: text.clone(),
                lifetime_seconds: 3_600,
            };
            alice.frontend().await.call(queue).await.expect("kept");
            sent.push(text);
        }
        bob.start().await;
        let mut seen = bob.frontend().await;
        seen.until("some have come", |state| state.unread.len() > 3 + round * 11).await;
        drop(seen);
        let victim = if round.is_multiple_of(2) { &mut alice } else { &mut bob };
        victim.kill();
        victim.start().await;
        victim.is_online().await;
        bob.frontend().await.until("all have come", |state| state.unread.len() == 80).await;
        got.extend(read(&bob).await);
    }
    assert_eq!(got, sent);
    assert_eq!(waiting(&alice).await, [""; 0]);
}

#[tokio::test]
async fn without_a_chat_it_waits_for_one_and_asks_only_when_told_to() {
    let (_world, [alice, bob, carol]) = World::start(["alice", "bob", "carol"]).await;
    alice.ctl(["send", "--queue", "bob", "whenever"]).await.ok();
    alice.ctl(["send", "--queue", "--request", "carol", "please"]).await.ok();
    alice.ctl(["send", "--queue", "--request", "carol", "again"]).await.ok();
    carol.frontend().await.until_asked_by(&alice.name).await;
    assert!(bob.frontend().await.state().incoming.is_empty(), "bob was not asked");
    carol.ctl(["accept", "alice"]).await.ok();
    bob.chat_with(&alice).await;
    for (user, texts) in [(&bob, &["whenever"][..]), (&carol, &["please", "again"])] {
        user.frontend().await.until("they have come", |state| state.unread.len() == texts.len()).await;
        assert_eq!(read(user).await, texts);
    }
}

#[tokio::test]
async fn what_becomes_of_it_is_an_exit_code_and_an_event() {
    let (_world, [alice, mut bob]) = World::start(["alice", "bob"]).await;
    alice.chat_with(&bob).await;
    bob.stop().await;
    is_interrupted(&alice).await;
    let mut watching = alice.frontend().await;
    alice
        .ctl(["send", "--queue", "--wait", "--for", "1s", "bob", "soon"])
        .await
        .with_code(8)
        .says("not sent");
    alice
        .ctl(["send", "--queue", "--wait", "--timeout", "1s", "bob", "later"])
        .await
        .with_code(8)
        .says("it stays in the outbox as 2");
    let waits = tokio::spawn(alice.ctl(["send", "--queue", "--wait", "bob", "never"]));
    watching.find(|event| matches!(event, Event::TextQueued { id: 3, .. }).then_some(())).await;
    alice.ctl(["outbox", "cancel", "bob"]).await.ok().says("2 texts were taken back");
    waits.await.expect("send").with_code(1).says("text 3 was taken back");
    let outcome = watching
        .find(|event| match event {
            Event::QueuedTextsEnded { ids, outcome, .. } => Some((ids, outcome)),
            _ => None,
        })
        .await;
    assert_eq!(outcome, (vec![2, 3], QueuedOutcome::Cancelled));
    alice.ctl(["outbox", "cancel", "2"]).await.with_code(1).says("text 2 is not in the outbox");
    alice.ctl(["outbox", "cancel", "bob"]).await.with_code(1).says("no text for bob");
    alice.ctl(["send", "--queue", "--for", "31d", "bob", "x"]).await.with_code(2).says("30 days");
    alice.ctl(["send", "--wait", "bob", "x"]).await.with_code(2);
    bob.start().await;
    alice.ctl(["send", "bob", "hello"]).await.ok();
    assert_eq!(read(&bob).await, ["hello"]);
}
