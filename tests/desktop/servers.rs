//! No server, servers that can do little, a daemon that comes back, and a bus that does not.

use secchat_e2e::{Desktop, FakeNotifier, Notifier, World, reading_time};

use super::popups_of;

/// What GNOME's server says that it can do.
pub(crate) const GNOME: &[&str] = &["actions", "body", "body-markup", "icon-static", "persistence", "sound"];

#[tokio::test]
async fn without_a_server_it_says_so_once_and_shows_everything_when_one_comes() {
    let (_world, [alice, bob, carol]) = World::start(["alice", "bob", "carol"]).await;
    let desktop = Desktop::start().await;
    let popups = desktop.popups(&carol, &[]);
    popups.log().wait_for("no notification server").await;
    let mut carols = carol.frontend().await;
    for asker in [&alice, &bob] {
        asker.ctl(["rtt", "carol", "--no-wait"]).await.ok();
        carols.until_asked_by(&asker.name).await;
    }
    let server = FakeNotifier::start(desktop.bus(), GNOME).await;
    server.shows("alice asks to talk").await;
    server.shows("bob asks to talk").await;
    let log = popups.log().text();
    assert_eq!(log.matches("no notification server").count(), 1, "{log}");
    // It goes, and a real one comes.
    server.stop().await;
    let _dunst = desktop.notifier(Notifier::Dunst).await;
    desktop.window(Notifier::Dunst).await;
}

#[tokio::test]
async fn a_server_without_buttons_names_the_commands() {
    let (_world, [alice, bob]) = World::start(["alice", "bob"]).await;
    let (_desktop, server, _popups) = popups_of(&bob, &[], &["body"]).await;
    let asking = tokio::spawn(alice.ctl(["rtt", "bob"]));
    let (_, popup) = server.shows("alice asks to talk").await;
    assert_eq!(popup.actions, [""; 0]);
    // The very line that it names is the one that works.
    let line = popup.body.lines().find(|line| line.contains(" accept ")).expect("a command");
    assert_eq!(line, "secchatctl accept alice");
    bob.ctl(["accept", "alice"]).await.ok();
    asking.await.unwrap().ok();
    server.is_empty().await;
}

#[tokio::test]
async fn a_daemon_restarted_gets_its_popups_back_by_itself() {
    let (_world, [alice, mut bob]) = World::start(["alice", "bob"]).await;
    let (_desktop, server, popups) = popups_of(&bob, &[], GNOME).await;
    alice.ctl(["rtt", "bob", "--no-wait"]).await.ok();
    let (_, popup) = server.shows("alice asks to talk").await;
    let entry = format!("{}/../dist/desktop/{}.desktop", env!("CARGO_MANIFEST_DIR"), popup.desktop_entry);
    assert!(std::fs::exists(&entry).unwrap(), "{entry}");
    bob.kill();
    server.is_empty().await;
    popups.log().wait_for("waiting for the daemon").await;
    bob.start().await;
    let (id, _) = server.shows("alice asks to talk").await;
    reading_time().await;
    server.choose(id, "accept").await;
    bob.frontend().await.until_open_with(&alice.name).await;
}

#[tokio::test]
async fn at_the_end_no_dead_buttons_stay_and_a_second_one_ends_at_once() {
    let (_world, [alice, bob]) = World::start(["alice", "bob"]).await;
    let (desktop, server, popups) = popups_of(&bob, &[], GNOME).await;
    alice.ctl(["rtt", "bob", "--no-wait"]).await.ok();
    server.shows("alice asks to talk").await;
    let second = desktop.popups(&bob, &[]);
    second.log().wait_for("another secchat-notify of this profile is running").await;
    assert!(second.exit().await.success());
    assert_eq!(server.popups().len(), 1);
    assert!(popups.stop().await.success());
    server.is_empty().await;
}

#[tokio::test]
async fn a_bus_restarted_gets_its_popups_back() {
    let (_world, [alice, bob]) = World::start(["alice", "bob"]).await;
    let (mut desktop, server, popups) = popups_of(&bob, &[], GNOME).await;
    alice.ctl(["rtt", "bob", "--no-wait"]).await.ok();
    server.shows("alice asks to talk").await;
    drop(server);
    desktop.bus_mut().restart().await;
    let server = FakeNotifier::start(desktop.bus(), GNOME).await;
    let (id, _) = server.shows("alice asks to talk").await;
    reading_time().await;
    server.choose(id, "accept").await;
    bob.frontend().await.until_open_with(&alice.name).await;
    assert!(popups.stop().await.success());
}

#[tokio::test]
async fn with_the_bus_of_its_session_it_ends_and_leaves_the_next_one_room() {
    let (_world, [alice, bob]) = World::start(["alice", "bob"]).await;
    let (mut desktop, server, popups) = popups_of(&bob, &[], GNOME).await;
    alice.ctl(["rtt", "bob", "--no-wait"]).await.ok();
    server.shows("alice asks to talk").await;
    drop(server);
    desktop.bus_mut().stop().await;
    let log = popups.log().clone();
    assert_eq!(popups.exit().await.code(), Some(1), "so that a service manager starts it again");
    assert!(log.text().contains("the session bus is gone"), "{}", log.text());
    // The next session has a bus elsewhere.
    let (_desktop, server, _popups) = popups_of(&bob, &[], GNOME).await;
    server.shows("alice asks to talk").await;
}
