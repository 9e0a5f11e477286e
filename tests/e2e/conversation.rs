//! People talk: one chat from asking to parting, several at once, many texts.

use secchat_e2e::{World, flood};

#[tokio::test]
async fn two_people_talk_and_part() {
    let (_world, [alice, bob]) = World::start(["alice", "bob"]).await;
    assert!(alice.ctl(["list"]).await.ok().stdout.contains("bob"));
    alice.chat_with(&bob).await;

    alice.ctl(["send", "bob", "hello", "bob"]).await.ok();
    assert!(bob.ctl(["read", "alice"]).await.ok().stdout.contains("hello bob"));
    bob.ctl(["send", "alice", "hello alice"]).await.ok();
    assert!(alice.ctl(["read"]).await.ok().stdout.contains("hello alice"));

    let [theirs, ours] = [&alice, &bob]
        .map(|user| user.ctl(["verify", if user.name.as_str() == "bob" { "alice" } else { "bob" }]));
    let (theirs, ours) = (theirs.await.ok(), ours.await.ok());
    assert_eq!(digits(&theirs.stdout), digits(&ours.stdout));
    assert_eq!(digits(&theirs.stdout).len(), 60, "{theirs:?}");

    let mut bobs = bob.frontend().await;
    alice.ctl(["close", "bob"]).await.ok();
    bobs.until_over_with(&alice.name).await;
    alice.ctl(["send", "bob", "are you there?"]).await.with_code(10).says("rtt bob");
    bob.ctl(["send", "alice", "are you there?"]).await.with_code(10).says("rtt alice");
}

#[tokio::test]
async fn several_chats_at_once_stay_apart() {
    let (_world, [alice, bob, carol]) = World::start(["alice", "bob", "carol"]).await;
    alice.chat_with(&bob).await;
    carol.chat_with(&alice).await;
    bob.chat_with(&carol).await;

    for (from, to) in
        [(&alice, &bob), (&bob, &carol), (&carol, &alice), (&bob, &alice), (&carol, &bob), (&alice, &carol)]
    {
        from.ctl(["send", to.name.as_str(), &format!("from {} to {}", from.name, to.name)]).await.ok();
    }
    for reader in [&alice, &bob, &carol] {
        for writer in [&alice, &bob, &carol] {
            if writer.name != reader.name {
                let read = reader.ctl(["read", writer.name.as_str()]).await.ok().stdout;
                assert!(read.contains(&format!("from {} to {}", writer.name, reader.name)), "{read}");
                assert_eq!(read.matches("from ").count(), 1, "{read}");
            }
        }
    }
    // Leaving one chat leaves the others alone.
    alice.ctl(["close", "bob"]).await.ok();
    alice.ctl(["send", "carol", "still here"]).await.ok();
    bob.ctl(["send", "carol", "so am I"]).await.ok();
}

#[tokio::test]
async fn texts_back_to_back_all_arrive_in_order_once() {
    let (_world, [alice, bob]) = World::start(["alice", "bob"]).await;
    alice.chat_with(&bob).await;
    let (mut alices, mut bobs) = (alice.frontend().await, bob.frontend().await);
    alice.ctl_with_input(["chat", "bob"], b"text 1\ntext 2\n").await.ok();
    bobs.until("two texts pasted at once", |state| state.unread.len() == 2).await;
    flood(&mut alices, &mut bobs, &bob.name, (3, 10_002)).await;
    alice.ctl(["send", "bob", "text 10003"]).await.ok();
    bobs.until("the last one", |state| state.unread.iter().any(|message| message.id == 10_003)).await;
}

fn digits(text: &str) -> String {
    text.lines()
        .find(|line| line.chars().filter(char::is_ascii_digit).count() == 60)
        .map(|line| line.chars().filter(char::is_ascii_digit).collect())
        .unwrap_or_default()
}
