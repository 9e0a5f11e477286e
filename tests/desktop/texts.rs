//! Texts of peers in popups.

use secchat_e2e::{World, reading_time};

use super::popups_of;
use super::servers::GNOME;

/// What KDE Plasma's server says that it can do, but for inhibitions.
const PLASMA: &[&str] = &["actions", "body", "body-markup", "body-hyperlinks", "inline-reply", "persistence"];

/// Markup, a control that reorders, and one that a terminal acts on.
const HOSTILE: &str = "<b>pay</b> & <a href=\"http://evil\">here</a> \u{202e}gnp.exe\u{1b}[2J";

#[tokio::test]
async fn a_text_is_hidden_until_a_click_and_harmless_then() {
    let (_world, [alice, bob]) = World::start(["alice", "bob"]).await;
    alice.chat_with(&bob).await;
    let (_desktop, server, _popups) = popups_of(&bob, &[], GNOME).await;
    alice.ctl(["send", "bob", HOSTILE]).await.ok();
    let (id, popup) = server.shows("alice has written").await;
    assert_eq!(popup.body, "");
    server.choose(id, "default").await;
    let popups = server.until("the text", |popups| popups.values().any(|popup| !popup.body.is_empty())).await;
    let (id, popup) = popups.into_iter().find(|(_, popup)| !popup.body.is_empty()).unwrap();
    assert_eq!(
        popup.body,
        "&lt;b&gt;pay&lt;/b&gt; &amp; &lt;a href=\"http://evil\"&gt;here&lt;/a&gt; \\u{202e}gnp.exe\\u{1b}[2J"
    );
    reading_time().await;
    server.choose(id, "read").await;
    bob.frontend().await.until("nothing is unread", |state| state.unread.is_empty()).await;
    server.is_empty().await;
}

#[tokio::test]
async fn who_wants_no_disturbance_sees_texts_afterwards_and_a_changed_key_at_once() {
    let (world, [alice, bob]) = World::start(["alice", "bob"]).await;
    alice.chat_with(&bob).await;
    let (_desktop, server, _popups) = popups_of(&alice, &[], GNOME).await;
    alice.ctl(["dnd", "on"]).await.ok();
    bob.ctl(["send", "alice", "are you awake?"]).await.ok();
    bob.ctl(["close", "alice"]).await.ok();
    let (_world, other) = world.with_another_key(bob, &alice).await;
    let asking = tokio::spawn(other.ctl(["rtt", "alice"]));
    server.shows("bob has another key than before").await;
    assert_eq!(server.popups().len(), 1, "the text came long before: {:?}", server.popups());
    alice.ctl(["dnd", "off"]).await.ok();
    server.shows("bob has written").await;
    asking.abort();
}

#[tokio::test]
async fn an_answer_is_typed_where_the_server_has_a_field() {
    let (_world, [alice, bob]) = World::start(["alice", "bob"]).await;
    alice.chat_with(&bob).await;
    let (_desktop, server, _popups) = popups_of(&bob, &["--show", "full"], PLASMA).await;
    alice.ctl(["send", "bob", "lunch?"]).await.ok();
    let (id, popup) = server.shows("alice has written").await;
    assert_eq!(popup.body, "lunch?");
    assert!(popup.actions.contains(&"inline-reply".to_owned()), "{popup:?}");
    server.reply(id, "at noon").await;
    let mut alices = alice.frontend().await;
    alices.until("the answer", |state| state.unread.iter().any(|text| text.text == "at noon")).await;
    bob.frontend().await.until("what was answered is read", |state| state.unread.is_empty()).await;
    server.is_empty().await;
}

#[tokio::test]
async fn read_elsewhere_the_popup_goes() {
    let (_world, [alice, bob]) = World::start(["alice", "bob"]).await;
    alice.chat_with(&bob).await;
    let (_desktop, server, _popups) = popups_of(&bob, &[], GNOME).await;
    alice.ctl(["send", "bob", "hi"]).await.ok();
    server.shows("alice has written").await;
    bob.ctl(["read", "alice"]).await.ok();
    server.is_empty().await;
}
