//! The chat window in a terminal of a desktop.

use secchat_e2e::{Desktop, World, reading_time};
use secchat_ipc::Event;

#[tokio::test]
async fn a_conversation_in_a_terminal_window() {
    let (_world, [alice, bob, carol, dave]) = World::start(["alice", "bob", "carol", "dave"]).await;
    alice.chat_with(&bob).await;
    carol.chat_with(&alice).await;
    let (mut alices, mut bobs) = (alice.frontend().await, bob.frontend().await);
    for text in ["Hi Alice, did the parcel come?", "It should have been there by nine."] {
        bob.ctl(["send", "alice", text]).await.ok();
    }
    alices.until("both texts", |state| state.unread.len() == 2).await;
    let desktop = Desktop::start().await;
    let (_terminal, place) = desktop.terminal(&alice, "80x16", &["chat", "bob"]).await;
    alices.until("she has seen them", |state| state.unread.is_empty()).await;

    desktop.type_text("It did, thank you! I owe you one.").await;
    desktop.press("Return").await;
    bobs.until("her answer", |state| state.unread.iter().any(|it| it.text.starts_with("It did"))).await;
    bob.ctl(["read"]).await.ok();
    bob.ctl(["send", "alice", "Coffee at noon, then?"]).await.ok();
    alices.find(|event| matches!(event, Event::MessageReceived(_)).then_some(())).await;
    alices.until("she has seen it", |state| state.unread.is_empty()).await;
    carol.ctl(["send", "alice", "Lunch tomorrow?"]).await.ok();
    dave.ctl(["rtt", "alice", "--no-wait"]).await.ok();
    alices.until_asked_by(&dave.name).await;
    desktop.type_text("See you there").await;
    if std::env::var_os("SECCHAT_PICTURES").is_some() {
        // Nobody outside can see what a terminal has drawn.
        reading_time().await;
        desktop.picture("chat", place);
    }
    desktop.press("Return").await;
    bobs.until("the rest", |state| state.unread.iter().any(|it| it.text == "See you there")).await;
}
