//! The link to the relay comes and goes; people's chats go on.

use std::process::Stdio;

use secchat_e2e::{Process, TestRelay, TestUser, World};
use secchat_ipc::types::{ChatState, LinkState};

#[tokio::test]
async fn a_chat_survives_the_relay() {
    let (world, [alice, bob]) = World::start(["alice", "bob"]).await;
    alice.chat_with(&bob).await;
    alice.ctl(["send", "bob", "before"]).await.ok();
    let (mut alices, mut bobs) = (alice.frontend().await, bob.frontend().await);

    let port = world.relay.kill();
    alices
        .until("interrupted", |state| state.chats.iter().all(|chat| chat.state == ChatState::Interrupted))
        .await;
    bobs.until("interrupted", |state| state.chats.iter().all(|chat| chat.state == ChatState::Interrupted))
        .await;
    let waiting = tokio::spawn(alice.ctl(["send", "bob", "meanwhile"]));
    let _relay = TestRelay::start_at(&world.pki, port).await;
    alices.until_open_with(&bob.name).await;
    bobs.until_open_with(&alice.name).await;
    waiting.await.unwrap().ok();
    bob.ctl(["send", "alice", "after"]).await.ok();

    let read = bob.ctl(["read", "alice"]).await.ok().stdout;
    let (before, meanwhile) = (read.find("before").unwrap(), read.find("meanwhile").unwrap());
    assert!(before < meanwhile && read.matches("before").count() == 1, "{read}");
    assert!(alice.ctl(["read"]).await.ok().stdout.contains("after"));
}

#[tokio::test]
async fn a_chat_closed_while_the_relay_is_away_stays_closed() {
    let (world, [alice, bob]) = World::start(["alice", "bob"]).await;
    alice.chat_with(&bob).await;
    let (mut alices, mut bobs) = (alice.frontend().await, bob.frontend().await);
    let port = world.relay.kill();
    alices.until("interrupted", |state| state.chats[0].state == ChatState::Interrupted).await;
    let waiting = tokio::spawn(alice.ctl(["send", "bob", "never mind"]));
    alices.until("a text that waits", |state| state.chats[0].undelivered == 1).await;
    alice.ctl(["close", "bob"]).await.ok().says("1 of your texts");
    // What was said stays so: the text has failed, and does not come with the relay.
    waiting.await.unwrap().with_code(10).says("before bob's daemon acknowledged the text");
    let _relay = TestRelay::start_at(&world.pki, port).await;
    alices.until_over_with(&bob.name).await;
    bobs.until_over_with(&alice.name).await;
    assert!(!bob.ctl(["read"]).await.ok().stdout.contains("never mind"));
}

#[tokio::test]
async fn an_accept_holds_though_both_daemons_come_and_go() {
    let (_world, [alice, mut bob]) = World::start(["alice", "bob"]).await;
    let mut bobs = bob.frontend().await;
    alice.ctl(["rtt", "bob", "--no-wait"]).await.ok();
    bobs.until_asked_by(&alice.name).await;
    alice.ctl(["logout"]).await.ok();
    bob.ctl(["accept", "alice", "--no-wait"]).await.ok();
    for stops_well in [true, false] {
        if stops_well {
            bob.stop().await;
        } else {
            bob.kill();
        }
        bob.start().await;
        bob.is_online().await;
    }
    alice.ctl(["login"]).await.ok();
    for (user, peer) in [(&alice, &bob), (&bob, &alice)] {
        user.frontend().await.until_open_with(&peer.name).await;
    }
    alice.ctl(["send", "bob", "as agreed"]).await.ok();
}

#[tokio::test]
async fn a_second_daemon_refuses_and_names_the_first() {
    let (_world, [alice]) = World::start(["alice"]).await;
    let mut command = alice.home.command("secchatd");
    command.stdin(Stdio::null());
    let second = Process::start("the second daemon", command);
    second.log().wait_for(&alice.daemon().pid().to_string()).await;
    assert!(!second.exit().await.success());
    alice.ctl(["list"]).await.ok();
}

#[tokio::test]
async fn a_second_login_replaces_the_first_which_stays_away() {
    let (world, [alice, bob]) = World::start(["alice", "bob"]).await;
    let mut here = alice.frontend().await;
    let mut elsewhere = TestUser::new("alice", &alice.key, &world.pki, world.relay.address);
    elsewhere.start().await;
    elsewhere.is_online().await;
    here.until("replaced", |state| matches!(state.status.link, LinkState::Replaced { .. })).await;
    let status = alice.ctl(["status"]).await.ok();
    assert!(status.stdout.contains("login"), "{status:?}");
    elsewhere.chat_with(&bob).await;
    alice.ctl(["login"]).await.ok();
}

#[tokio::test]
async fn a_daemon_that_is_killed_takes_its_chat_up_again() {
    let (_world, [mut alice, bob]) = World::start(["alice", "bob"]).await;
    alice.chat_with(&bob).await;
    alice.kill();
    alice.ctl(["status"]).await.with_code(3);
    alice.start().await;
    alice.is_online().await;
    for (user, peer) in [(&alice, &bob), (&bob, &alice)] {
        user.frontend().await.until_open_with(&peer.name).await;
    }
    alice.ctl(["send", "bob", "as if nothing had been"]).await.ok();
}
