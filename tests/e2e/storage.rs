//! A disk that cannot be written: a clear error, and nothing lost. A broken file: set aside, and said.

use secchat_e2e::{TestUser, World};
use secchat_ipc::types::{KeyTrust, Policy};

/// The words of all unread texts, which stay unread.
async fn unread(user: &TestUser) -> Vec<String> {
    user.frontend().await.state().unread.iter().map(|message| message.text.clone()).collect()
}

#[tokio::test]
async fn a_full_disk_refuses_to_send_and_acknowledges_nothing() {
    let (_world, [alice, mut bob]) = World::start(["alice", "bob"]).await;
    bob.stop().await;
    bob.start_to_fill_disk().await;
    bob.is_online().await;
    alice.chat_with(&bob).await;

    bob.fill_disk(true);
    let arriving = tokio::spawn(alice.ctl(["send", "bob", "kept by alice"]));
    let mut watching = bob.frontend().await;
    let is_told =
        |state: &secchat_ipc::Snapshot| state.status.hints.iter().any(|hint| hint.contains("store"));
    watching.until("bob is told", is_told).await;
    let refused = bob.ctl(["send", "alice", "never sent"]).await.with_code(1);
    assert!(refused.stderr.contains("not sent") && refused.stderr.contains("store.redb"), "{refused:?}");
    assert_eq!(unread(&bob).await, [""; 0], "what is not on disk is not shown");
    let failed = bob.ctl(["policy", "refuse"]).await.with_code(1);
    assert!(failed.stderr.contains("not saved"), "{failed:?}");

    bob.fill_disk(false);
    bob.ctl(["policy", "ask"]).await.ok();
    arriving.await.expect("send").ok();
    assert_eq!(unread(&bob).await, ["kept by alice"]);
    assert!(!bob.frontend().await.state().status.hints.iter().any(|hint| hint.contains("store")));
    bob.ctl(["send", "alice", "sent"]).await.ok();
    assert_eq!(unread(&alice).await, ["sent"]);
}

#[tokio::test]
async fn pins_policies_and_answers_survive_a_restart() {
    let (_world, [mut alice, mut bob]) = World::start(["alice", "bob"]).await;
    alice.chat_with(&bob).await;
    alice.ctl(["close", "bob"]).await.ok();
    alice.ctl(["policy", "refuse"]).await.ok();
    alice.ctl(["block", "bob"]).await.ok();
    for user in [&mut alice, &mut bob] {
        user.stop().await;
        user.start().await;
    }
    alice.is_online().await;
    bob.is_online().await;
    let state = alice.frontend().await;
    assert_eq!(state.state().status.policy, Policy::Refuse);
    bob.ctl(["rtt", "alice", "--timeout", "1s"]).await.with_code(8);
    alice.ctl(["unblock", "bob"]).await.ok();
    bob.ctl(["rtt", "alice"]).await.with_code(7);
}

#[tokio::test]
async fn a_damaged_store_is_set_aside_and_said() {
    let (_world, [mut alice, bob]) = World::start(["alice", "bob"]).await;
    alice.chat_with(&bob).await;
    alice.ctl(["close", "bob"]).await.ok();
    alice.stop().await;
    let store = alice.home.state_dir().join("store.redb");
    let whole = std::fs::read(&store).expect("the store");
    std::fs::write(&store, &whole[..whole.len() / 3]).expect("a truncated store");

    alice.start().await;
    alice.is_online().await;
    let status = alice.ctl(["status"]).await.ok();
    let said = format!("{}{}", status.stdout, status.stderr);
    assert!(said.contains("store.redb.set-aside-") && said.contains("start anew"), "{said}");
    let entries = std::fs::read_dir(alice.home.state_dir()).expect("the folder");
    let aside = entries.map(|entry| entry.expect("an entry").path());
    let aside = aside.filter(|path| path.to_string_lossy().contains("set-aside")).collect::<Vec<_>>();
    // Not byte for byte: to see that it is damaged, the database tries to repair it.
    assert_eq!(aside.len(), 1, "{aside:?}");
    alice.chat_with(&bob).await;
    assert_eq!(alice.frontend().await.state().chats[0].trust, KeyTrust::Pinned);
}
