//! The history: off by default; kept as both agree, found, exported, erased; and nothing of it can be read on the disk.

use std::path::Path;

use secchat_e2e::{TestUser, World};

/// Asks with these terms for keeping texts; bob accepts.
async fn chat_with_history(alice: &TestUser, bob: &TestUser, days: &str) {
    let mut theirs = bob.frontend().await;
    let asking = tokio::spawn(alice.ctl(["rtt", "bob", "--history", days]));
    theirs.until_asked_by(&alice.name).await;
    bob.ctl(["accept", "alice"]).await.ok();
    asking.await.expect("rtt").ok();
    theirs.until_open_with(&alice.name).await;
}

/// Whether a file of this folder has these bytes in it.
fn is_on_disk(folder: &Path, bytes: &[u8]) -> bool {
    std::fs::read_dir(folder).expect("the state folder").any(|entry| {
        let bytes_there = std::fs::read(entry.expect("entry").path()).expect("a file");
        bytes_there.windows(bytes.len()).any(|window| window == bytes)
    })
}

/// The words of `history alice` with these flags.
async fn kept<const N: usize>(user: &TestUser, args: [&str; N]) -> Vec<String> {
    let said = user.ctl(args).await.ok();
    let word = |line: &str| -> String {
        let text: serde_json::Value = serde_json::from_str(line).expect("JSON");
        text["text"].as_str().expect("a text").to_owned()
    };
    said.stdout.lines().map(word).collect()
}

const ALL_OF_ALICE: [&str; 3] = ["history", "alice", "--json"];

#[tokio::test]
async fn off_by_default_and_then_kept_found_exported_and_erased() {
    let (_world, [alice, mut bob]) = World::start(["alice", "bob"]).await;
    chat_with_history(&alice, &bob, "all").await;
    let file = bob.home.state_dir().join("history.redb");
    alice.ctl(["send", "bob", "not kept"]).await.ok();
    bob.ctl(["history", "alice"]).await.ok().says("no such text was kept");
    assert!(!file.exists(), "off by default");

    bob.ctl(["history", "--keep", "30"]).await.ok().says("kept: 30 days");
    alice.ctl(["send", "bob", "Żółw at noon\u{1b}[2J"]).await.ok();
    bob.ctl(["send", "alice", "an answer of bob's"]).await.ok();
    let both = ["Żółw at noon\u{1b}[2J", "an answer of bob's"];
    assert_eq!(kept(&bob, ALL_OF_ALICE).await, both);
    assert!(!is_on_disk(&bob.home.state_dir(), "alice".as_bytes()), "her name");
    assert!(!is_on_disk(&bob.home.state_dir(), "at noon".as_bytes()), "her words");
    let shown = bob.ctl(["history", "alice"]).await.ok().stdout;
    assert!(shown.contains("noon\\u{1b}[2J") && !shown.contains('\u{1b}'), "{shown}");
    assert_eq!(kept(&bob, ["history", "--search", "żÓŁW", "--json"]).await, both[..1]);
    assert_eq!(kept(&bob, ["history", "alice", "--last", "1", "--json"]).await, both[1..]);
    assert_eq!(kept(&bob, ["history", "alice", "--since", "1h", "--json"]).await, both);
    assert_eq!(kept(&bob, ["history", "alice", "--before", "1h", "--json"]).await, [""; 0]);

    bob.kill();
    bob.start().await;
    bob.is_online().await;
    assert_eq!(kept(&bob, ALL_OF_ALICE).await, both, "after a crash, each once");
    let export = bob.home.path("export.jsonl");
    let name = export.to_str().expect("a path");
    bob.ctl(["history", "alice", "--export", "jsonl", "-o", name]).await.ok().says("2 texts");
    let exported = std::fs::read_to_string(&export).expect("the export");
    assert_eq!(exported, bob.ctl(ALL_OF_ALICE).await.ok().stdout);
    let mode = std::os::unix::fs::MetadataExt::mode(&std::fs::metadata(&export).expect("the export"));
    assert_eq!(mode & 0o777, 0o600);
    bob.ctl(["history", "--export", "text", "-o", name]).await.with_code(1).says("exists");
    let text = bob.ctl(["history", "--export", "text"]).await.ok().stdout;
    assert!(text.contains("you to alice") && text.contains("an answer of bob's"), "{text}");

    bob.ctl(["history", "alice", "--erase"]).await.with_code(2).says("--yes");
    bob.ctl(["history", "alice", "--erase", "--yes"]).await.ok().says("2 texts are erased");
    assert_eq!(kept(&bob, ALL_OF_ALICE).await, [""; 0]);
    bob.ctl(["lock"]).await.ok();
    assert!(!file.exists(), "nothing is left of it");
    bob.ctl(ALL_OF_ALICE).await.with_code(4);
}

#[tokio::test]
async fn the_smaller_of_the_own_word_and_the_terms_counts() {
    let (_world, [alice, bob]) = World::start(["alice", "bob"]).await;
    bob.ctl(["history", "--keep", "all"]).await.ok();
    alice.ctl(["history", "bob", "--keep", "all"]).await.ok();
    chat_with_history(&alice, &bob, "none").await;
    alice.ctl(["send", "bob", "agreed not to keep"]).await.ok();
    for user in [&alice, &bob] {
        assert_eq!(kept(user, ["history", "--search", "", "--json"]).await, [""; 0]);
        assert!(!user.home.state_dir().join("history.redb").exists());
    }
    alice.ctl(["close", "bob"]).await.ok();
    chat_with_history(&alice, &bob, "7").await;
    bob.ctl(["history", "alice", "--keep", "none"]).await.ok();
    alice.ctl(["send", "bob", "kept by alice"]).await.ok();
    assert_eq!(kept(&alice, ["history", "bob", "--json"]).await, ["kept by alice"]);
    assert_eq!(kept(&bob, ALL_OF_ALICE).await, [""; 0]);
    let overview = bob.ctl(["history", "--json"]).await.ok().json();
    assert_eq!(overview["peers"][0]["history_days"], 0);
    assert!(overview["history_days"].is_null(), "{overview}");
    // What is older than the new word goes at once.
    alice.ctl(["history", "bob", "--keep", "none"]).await.ok().says("one text is erased");
    alice.ctl(["history", "bob", "--keep", "default"]).await.ok();
    assert_eq!(kept(&alice, ["history", "bob", "--json"]).await, [""; 0]);
}

#[tokio::test]
async fn a_damaged_history_is_set_aside_and_the_daemon_starts() {
    let (_world, [alice, mut bob]) = World::start(["alice", "bob"]).await;
    bob.ctl(["history", "--keep", "all"]).await.ok();
    chat_with_history(&alice, &bob, "all").await;
    alice.ctl(["send", "bob", "lost"]).await.ok();
    assert_eq!(kept(&bob, ALL_OF_ALICE).await, ["lost"]);
    bob.stop().await;
    std::fs::write(bob.home.state_dir().join("history.redb"), b"not a database").expect("damaged");
    bob.start().await;
    let mut watching = bob.frontend().await;
    let is_told = |state: &secchat_ipc::Snapshot| {
        state.status.hints.iter().any(|hint| hint.contains("history.redb") && hint.contains("set-aside"))
    };
    watching.until("bob is told", is_told).await;
    assert_eq!(bob.frontend().await.state().unread.len(), 1, "the store itself is whole");
    watching.until_open_with(&alice.name).await;
    alice.ctl(["send", "bob", "goes on"]).await.ok();
    assert_eq!(kept(&bob, ALL_OF_ALICE).await, ["goes on"]);
}
