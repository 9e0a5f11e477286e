//! What a server is told beside the words: what a popup is about, whether it stays, whether it makes a sound.

use secchat_e2e::{World, reading_time};

use super::popups_of;
use super::servers::GNOME;

const NEWS: Option<&str> = Some("message-new-instant");

#[tokio::test]
async fn a_popup_says_what_it_is_about_and_makes_a_sound_once() {
    let (_world, [alice, bob]) = World::start(["alice", "bob"]).await;
    let (_desktop, server, _popups) = popups_of(&bob, &[], GNOME).await;
    let asking = tokio::spawn(alice.ctl(["rtt", "bob"]));
    let (id, popup) = server.shows("alice asks to talk").await;
    assert_eq!((popup.category.as_str(), popup.urgency), ("im", 1));
    assert_eq!((popup.is_resident, popup.is_transient, popup.sound.as_deref()), (true, false, NEWS));

    // Shown again, it is no news.
    reading_time().await;
    server.choose(id, "default").await;
    server.until("the popup is shown again", |popups| popups.keys().any(|other| *other != id)).await;
    let (id, popup) = server.shows("alice asks to talk").await;
    assert_eq!((popup.is_resident, popup.sound), (true, None));

    reading_time().await;
    server.choose(id, "accept").await;
    asking.await.unwrap().ok();
    let (_, popup) = server.shows("The chat with alice is open").await;
    assert_eq!((popup.category.as_str(), popup.urgency), ("im", 0));
    assert_eq!((popup.is_resident, popup.is_transient), (false, true));

    alice.ctl(["send", "bob", "hello"]).await.ok();
    let (_, popup) = server.shows("alice has written").await;
    assert_eq!((popup.category.as_str(), popup.urgency), ("im.received", 1));
    assert_eq!((popup.is_resident, popup.is_transient, popup.sound.as_deref()), (true, false, NEWS));
}
