//! What people write arrives as it was written, and does no harm to who reads it.

use secchat_e2e::World;

#[tokio::test]
async fn controls_arrive_unchanged_and_are_shown_harmless() {
    let (_world, [alice, bob]) = World::start(["alice", "bob"]).await;
    alice.chat_with(&bob).await;
    let nasty =
        "\u{1b}]0;owned\u{7}\u{1b}[31mred\u{9b}2J \u{202e}txet\u{2066} tab\tzero\u{200b}width naïve 👩‍💻";
    alice.ctl_with_input(["send", "bob", "-"], nasty.as_bytes()).await.ok();

    let mut bobs = bob.frontend().await;
    bobs.until("the text", |state| !state.unread.is_empty()).await;
    assert_eq!(bobs.state().unread[0].text, nasty);

    let peeked = bob.ctl(["read", "--json", "--peek"]).await.ok();
    let read = bob.ctl(["read"]).await.ok();
    for shown in [&peeked.stdout, &read.stdout] {
        for bad in ['\u{1b}', '\u{7}', '\u{9b}', '\u{202e}', '\u{2066}', '\u{200b}'] {
            assert!(!shown.contains(bad), "{bad:?} in {shown:?}");
        }
    }
    assert!(read.stdout.contains("naïve 👩‍💻"), "{read:?}");
    let line = peeked.stdout.lines().next().unwrap_or_default();
    let value: serde_json::Value = serde_json::from_str(line).expect("JSON");
    assert!(value.to_string().contains("owned"), "{value}");
}

#[tokio::test]
async fn what_is_no_text_is_refused() {
    let (_world, [alice, bob]) = World::start(["alice", "bob"]).await;
    alice.chat_with(&bob).await;
    let longest = "x".repeat(32_768);
    alice.ctl_with_input(["send", "bob", "-"], longest.as_bytes()).await.ok();
    let too_long = alice.ctl_with_input(["send", "bob", "-"], format!("{longest}x").as_bytes()).await;
    too_long.with_code(2).says("32,768");
    alice.ctl_with_input(["send", "bob", "-"], b"caf\xe9\n").await.with_code(2).says("UTF-8");
    let read = bob.ctl(["read", "--json"]).await.ok().stdout;
    assert_eq!(read.lines().count(), 1, "{}", read.len());
}
