//! A request comes, a popup appears, somebody clicks Accept, and the chat is open.

use secchat_e2e::{Desktop, Notifier, World, reading_time};
use secchat_ipc::types::RequestState;

/// Where Accept is in a popup's window, by its left, top, width and height.
type Place = fn([i32; 4]) -> (i32, i32);

async fn a_click_opens_the_chat(notifier: Notifier, place: Place) {
    let (_world, [alice, bob]) = World::start(["alice", "bob"]).await;
    let desktop = Desktop::start().await;
    let _server = desktop.notifier(notifier).await;
    let _popups = desktop.popups(&bob, &[]);
    let asking = tokio::spawn(alice.ctl(["rtt", "bob"]));
    let window = desktop.window(notifier).await;
    reading_time().await;
    desktop.picture(&format!("popup-{notifier:?}").to_lowercase(), window);
    let (x, y) = place(window);
    desktop.click(x, y, "1").await;
    asking.await.unwrap().ok();
    bob.frontend().await.until_open_with(&alice.name).await;
    alice.ctl(["send", "bob", "that was quick"]).await.ok();
}

#[tokio::test]
async fn a_click_opens_the_chat_in_dunst() {
    a_click_opens_the_chat(Notifier::Dunst, |[x, y, width, height]| (x + width / 2, y + height / 2)).await;
}

#[tokio::test]
async fn a_click_opens_the_chat_in_xfce() {
    // Four buttons of one width along the bottom: Show, Accept, Refuse, Later.
    a_click_opens_the_chat(Notifier::Xfce, |[x, y, width, height]| (x + width * 3 / 8, y + height - 30))
        .await;
}

#[tokio::test]
async fn who_closes_the_popup_has_not_refused() {
    let (_world, [alice, bob]) = World::start(["alice", "bob"]).await;
    let desktop = Desktop::start().await;
    let _server = desktop.notifier(Notifier::Dunst).await;
    let _popups = desktop.popups(&bob, &[]);
    let asking = tokio::spawn(alice.ctl(["rtt", "bob"]));
    let [x, y, width, height] = desktop.window(Notifier::Dunst).await;
    desktop.click(x + width / 2, y + height / 2, "3").await;
    desktop.no_window(Notifier::Dunst).await;
    let bobs = bob.frontend().await;
    assert!(bobs.state().incoming.iter().any(|request| request.state == RequestState::Pending));
    // Alice still waits, and bob can still say yes.
    bob.ctl(["accept", "alice"]).await.ok();
    asking.await.unwrap().ok();
}

#[tokio::test]
async fn answered_elsewhere_the_popup_goes() {
    let (_world, [alice, bob]) = World::start(["alice", "bob"]).await;
    let desktop = Desktop::start().await;
    let _server = desktop.notifier(Notifier::Xfce).await;
    let _popups = desktop.popups(&bob, &[]);
    let asking = tokio::spawn(alice.ctl(["rtt", "bob"]));
    desktop.window(Notifier::Xfce).await;
    bob.ctl(["refuse", "alice"]).await.ok();
    desktop.no_window(Notifier::Xfce).await;
    asking.await.unwrap().with_code(7);
}

#[tokio::test]
async fn a_server_restarted_shows_what_waits_and_its_buttons_work() {
    let (_world, [alice, bob]) = World::start(["alice", "bob"]).await;
    let desktop = Desktop::start().await;
    let first = desktop.notifier(Notifier::Xfce).await;
    let _popups = desktop.popups(&bob, &[]);
    let asking = tokio::spawn(alice.ctl(["rtt", "bob"]));
    desktop.window(Notifier::Xfce).await;
    drop(first);
    desktop.no_window(Notifier::Xfce).await;
    // Another one, even: what it can do is asked anew.
    let _second = desktop.notifier(Notifier::Dunst).await;
    let [x, y, width, height] = desktop.window(Notifier::Dunst).await;
    reading_time().await;
    desktop.click(x + width / 2, y + height / 2, "1").await;
    asking.await.unwrap().ok();
}
