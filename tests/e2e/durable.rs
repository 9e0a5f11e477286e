//! What the daemon has promised survives `kill -9`: unread texts, texts not acknowledged, open chats.

use secchat_e2e::{TestUser, World};
use secchat_ipc::Event;
use secchat_ipc::types::{ChatState, EndReason};

/// The words of all unread texts, in order; they are read then.
async fn read(user: &TestUser) -> Vec<String> {
    let said = user.ctl(["read", "--json"]).await.ok();
    let word = |line: &str| -> String {
        let message: serde_json::Value = serde_json::from_str(line).expect("JSON");
        message["text"].as_str().expect("a text").to_owned()
    };
    said.stdout.lines().map(word).collect()
}

/// Awaits that the one chat of this user is open again.
async fn resumed(user: &TestUser) {
    let is_open =
        |state: &secchat_ipc::Snapshot| state.chats.iter().any(|chat| chat.state == ChatState::Open);
    user.frontend().await.until("the chat is open again", is_open).await;
}

#[tokio::test]
async fn unread_texts_and_the_chat_survive_a_killed_receiver() {
    let (_world, [alice, mut bob]) = World::start(["alice", "bob"]).await;
    alice.chat_with(&bob).await;
    for text in ["one", "two"] {
        alice.ctl(["send", "bob", text]).await.ok();
    }
    bob.kill();
    let waiting = tokio::spawn(alice.ctl(["send", "bob", "three"]));
    bob.start().await;
    waiting.await.expect("send").ok();
    resumed(&bob).await;
    assert_eq!(read(&bob).await, ["one", "two", "three"]);
    bob.kill();
    bob.start().await;
    resumed(&bob).await;
    assert_eq!(read(&bob).await, [""; 0], "what was read stays read");
    bob.ctl(["send", "alice", "back"]).await.ok();
    assert_eq!(read(&alice).await, ["back"]);
}

#[tokio::test]
async fn what_was_not_acknowledged_survives_a_killed_sender() {
    let (_world, [mut alice, mut bob]) = World::start(["alice", "bob"]).await;
    alice.chat_with(&bob).await;
    bob.kill();
    // Accepted by the daemon, and on its disk, before it dies.
    let waiting = tokio::spawn(alice.ctl(["send", "bob", "kept"]));
    let is_taken = |state: &secchat_ipc::Snapshot| state.chats.iter().any(|chat| chat.undelivered == 1);
    alice.frontend().await.until("the text is taken", is_taken).await;
    alice.ctl(["policy", "ask"]).await.ok();
    alice.kill();
    waiting.await.expect("send").with_code(3);
    alice.start().await;
    bob.start().await;
    resumed(&bob).await;
    bob.frontend().await.until("the text is there", |state| state.unread.len() == 1).await;
    assert_eq!(read(&bob).await, ["kept"]);
    let is_settled = |state: &secchat_ipc::Snapshot| state.chats.iter().all(|chat| chat.undelivered == 0);
    alice.frontend().await.until("it is acknowledged", is_settled).await;
}

/// Sends this many texts at once, and kills one of the two while they are on their way. Gives those that were
/// acknowledged to who sent them.
async fn send_and_kill(alice: &mut TestUser, bob: &mut TestUser, round: usize) -> Vec<String> {
    let texts: Vec<String> = (0..12).map(|n| format!("{round}.{n}")).collect();
    let mut seen = bob.frontend().await;
    let sending: Vec<_> =
        texts.iter().map(|text| tokio::spawn(alice.ctl(["send", "bob", text.as_str()]))).collect();
    seen.until("some have come", |state| state.unread.len() > round % 5).await;
    drop(seen);
    let victim = if round.is_multiple_of(2) { bob } else { alice };
    victim.kill();
    victim.start().await;
    let mut acknowledged = Vec::new();
    for (text, send) in texts.into_iter().zip(sending) {
        if send.await.expect("send").code == 0 {
            acknowledged.push(text);
        }
    }
    acknowledged
}

#[tokio::test]
async fn killed_again_and_again_in_the_middle_nothing_is_lost_and_nothing_comes_twice() {
    let (_world, [mut alice, mut bob]) = World::start(["alice", "bob"]).await;
    alice.chat_with(&bob).await;
    let (mut acknowledged, mut got) = (Vec::new(), Vec::new());
    for round in 0..6 {
        acknowledged.extend(send_and_kill(&mut alice, &mut bob, round).await);
        resumed(&alice).await;
        resumed(&bob).await;
        // The last of all: what was sent before it has come.
        alice.ctl(["send", "bob", &format!("{round}.end")]).await.ok();
        got.extend(read(&bob).await);
    }
    let mut once = got.clone();
    once.sort();
    once.dedup();
    assert_eq!(once.len(), got.len(), "twice: {got:?}");
    let lost: Vec<_> = acknowledged.iter().filter(|text| !got.contains(text)).collect();
    assert!(lost.is_empty(), "lost: {lost:?}");
    assert!(acknowledged.len() >= 36, "where the receiver dies, everything arrives: {acknowledged:?}");
}

#[tokio::test]
async fn a_restored_backup_ends_the_chat_at_both_ends_whose_ever_it_is() {
    for restores_asker in [false, true] {
        let (_world, [mut alice, mut bob]) = World::start(["alice", "bob"]).await;
        alice.chat_with(&bob).await;
        let (restored, other) = if restores_asker { (&mut alice, &bob) } else { (&mut bob, &alice) };
        restored.stop().await;
        let store = restored.home.state_dir().join("store.redb");
        let backup = std::fs::read(&store).expect("the store");
        restored.start().await;
        resumed(restored).await;
        other.ctl(["send", restored.name.as_str(), "acknowledged"]).await.ok();
        restored.ctl(["send", other.name.as_str(), "acknowledged, too"]).await.ok();
        assert_eq!(read(other).await, ["acknowledged, too"]);
        restored.stop().await;
        std::fs::write(&store, backup).expect("the older store");

        let mut watching = other.frontend().await;
        restored.start().await;
        let reason = |event| match event {
            Event::ChatEnded { reason, .. } => Some(reason),
            _ => None,
        };
        assert_eq!(watching.find(reason).await, EndReason::RestoredCopy);
        let theirs = &mut restored.frontend().await;
        theirs.until("the chat is over there, too", |state| state.chats.is_empty()).await;
        // Neither end takes a text for acknowledged that nobody can read there.
        assert_eq!(read(other).await, [""; 0]);
        assert_eq!(read(restored).await, [""; 0]);
        other.chat_with(restored).await;
        other.ctl(["send", restored.name.as_str(), "anew"]).await.ok();
        assert_eq!(read(restored).await, ["anew"]);
    }
}

#[tokio::test]
async fn numbers_of_events_go_on_over_restarts_and_what_was_missed_is_said() {
    let (_world, [alice, mut bob]) = World::start(["alice", "bob"]).await;
    alice.chat_with(&bob).await;
    let before = bob.frontend().await.state().sequence;
    bob.kill();
    bob.start().await;
    resumed(&bob).await;
    let now = bob.frontend().await.state().sequence;
    assert!(now > before, "{before} is not before {now}");
    let since = before.to_string();
    let missed =
        bob.ctl(["watch", "--json", "--since", &since, "--once", "--only", "chat_changed"]).await.ok();
    let mut lines =
        missed.stdout.lines().map(|line| -> serde_json::Value { serde_json::from_str(line).expect("JSON") });
    let gap = lines.next().expect("a gap");
    assert_eq!((&gap["event"], &gap["since"]), (&"gap".into(), &before.into()), "{gap}");
    let chat = lines.next().expect("the state after it");
    assert_eq!((&chat["event"], &chat["state"]), (&"chat_changed".into(), &"open".into()), "{chat}");
}
