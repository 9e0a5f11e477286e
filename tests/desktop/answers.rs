//! What answers a request, and what does not.

use secchat_e2e::{World, reading_time};
use secchat_ipc::Event;
use secchat_ipc::types::{KeyTrust, RequestState};

use super::popups_of;
use super::servers::GNOME;

#[tokio::test]
async fn an_accept_by_reflex_does_not_count_and_the_popup_comes_back() {
    let (_world, [alice, bob]) = World::start(["alice", "bob"]).await;
    let (_desktop, server, _popups) = popups_of(&bob, &[], GNOME).await;
    let asking = tokio::spawn(alice.ctl(["rtt", "bob"]));
    let (first, popup) = server.shows("alice asks to talk").await;
    assert_eq!(popup.actions, ["default", "accept", "refuse", "later"]);
    server.choose(first, "accept").await;
    // Another popup, and no answer.
    server.until("the popup is shown again", |popups| popups.keys().any(|id| *id != first)).await;
    assert!(bob.frontend().await.state().incoming.iter().all(|r| r.state == RequestState::Pending));
    let (again, _) = server.shows("alice asks to talk").await;
    reading_time().await;
    server.choose(again, "accept").await;
    asking.await.unwrap().ok();
    server.shows("The chat with alice is open").await;
}

#[tokio::test]
async fn a_click_on_the_popup_only_shows_it_and_its_time_being_over_is_no_answer() {
    let (_world, [alice, bob]) = World::start(["alice", "bob"]).await;
    let (_desktop, server, popups) = popups_of(&bob, &[], GNOME).await;
    let asking = tokio::spawn(alice.ctl(["rtt", "bob"]));
    let (id, _) = server.shows("alice asks to talk").await;
    reading_time().await;
    server.choose(id, "default").await;
    server.until("the popup is shown again", |popups| popups.keys().any(|other| *other != id)).await;
    let (id, _) = server.shows("alice asks to talk").await;
    server.close(id, 1).await;
    assert!(bob.frontend().await.state().incoming.iter().all(|r| r.state == RequestState::Pending));
    bob.ctl(["accept", "alice"]).await.ok();
    asking.await.unwrap().ok();
    assert!(server.popups().is_empty());
    assert!(popups.stop().await.success());
}

#[tokio::test]
async fn on_a_changed_key_there_is_no_accept_but_how_to_verify() {
    let (world, [alice, bob]) = World::start(["alice", "bob"]).await;
    alice.chat_with(&bob).await;
    alice.ctl(["close", "bob"]).await.ok();
    let (_world, other) = world.with_another_key(bob, &alice).await;

    // It is told to whoever comes later, too.
    let mut alices = alice.frontend().await;
    let asking = tokio::spawn(other.ctl(["rtt", "alice"]));
    alices
        .find(|event| matches!(event, Event::TrustChanged { trust: KeyTrust::Changed, .. }).then_some(()))
        .await;
    let (_desktop, server, _popups) = popups_of(&alice, &[], GNOME).await;
    let (_, popup) = server.shows("bob has another key than before").await;
    assert_eq!((popup.actions, popup.urgency), (vec!["default".to_owned()], 2));
    assert_eq!(popup.category, "im.error");
    assert!(popup.body.contains("secchatctl verify bob"), "{}", popup.body);
    asking.abort();
}

#[tokio::test]
async fn while_locked_an_accept_says_what_is_missing() {
    let (_world, [alice, bob]) = World::start(["alice", "bob"]).await;
    alice.ctl(["rtt", "bob", "--no-wait"]).await.ok();
    bob.frontend().await.until_asked_by(&alice.name).await;
    let (_desktop, server, _popups) = popups_of(&bob, &[], GNOME).await;
    let (id, _) = server.shows("alice asks to talk").await;
    reading_time().await;
    bob.ctl(["lock"]).await.ok();
    server.choose(id, "accept").await;
    let (_, popup) = server.shows("Not accepted: alice").await;
    assert!(popup.body.contains("secchatctl unlock"), "{}", popup.body);
}
