//! A link's life: Ping, replacement, the relay's end.

use std::time::Duration;

use secchat_proto::wire::link::{LinkMessage, LogoutReason};
use secchat_proto::wire::login::{RejectReason, Role};
use secchat_relay::limits::Limits;

use crate::client::{Client, Stranger};
use crate::relay::TestRelay;

#[tokio::test]
async fn a_silent_link_is_pinged_and_dies_without_an_answer() {
    let limits = Limits { ping_after_ms: 100, pong_timeout_ms: 100, ..Limits::default() };
    let relay = TestRelay::with(["alice"], limits).await;
    let mut alice = Client::login(&relay, "alice", Role::Receiver).await;
    for _ in 0..3 {
        let Some(LinkMessage::Ping(x)) = alice.hear().await else { panic!("no Ping") };
        alice.say(LinkMessage::Pong(x)).await;
    }
    assert!(matches!(alice.hear().await, Some(LinkMessage::Ping(_))));
    assert_eq!(alice.hear().await, None, "dead");
}

#[tokio::test]
async fn half_a_record_is_silence() {
    let limits = Limits { ping_after_ms: 100, pong_timeout_ms: 100, ..Limits::default() };
    let relay = TestRelay::with(["alice"], limits).await;
    let mut alice = Client::login(&relay, "alice", Role::Receiver).await;
    let frame = alice.seal(&LinkMessage::Chat {
        chat_id: secchat_proto::wire::link::ChatId::from_bytes([1; 16]).unwrap(),
        record: vec![0; 60_000],
    });
    let (mut read, mut write) = alice.stream.split();
    let drip = async {
        let mut every = tokio::time::interval(Duration::from_millis(10));
        for byte in &frame {
            every.tick().await;
            if tokio::io::AsyncWriteExt::write_all(&mut write, &[*byte]).await.is_err() {
                break;
            }
        }
    };
    let mut heard = Vec::new();
    let end = tokio::io::AsyncReadExt::read_to_end(&mut read, &mut heard);
    tokio::select! {
        () = drip => panic!("a drip kept the link alive"),
        // The Ping, then the end; a reset is an end too.
        _ = end => {}
    }
}

#[tokio::test]
async fn a_second_login_replaces_the_first() {
    let relay = TestRelay::start(["alice"]).await;
    let mut first = Client::login(&relay, "alice", Role::Receiver).await;
    let mut second = Client::login(&relay, "alice", Role::Receiver).await;
    first.expect(LinkMessage::Logout(LogoutReason::Replaced)).await;
    assert_eq!(first.hear().await, None);
    second.is_alive().await;
}

#[tokio::test]
async fn the_relay_says_goodbye_when_it_stops() {
    let relay = TestRelay::start(["alice", "bob"]).await;
    let mut alice = Client::login(&relay, "alice", Role::Receiver).await;
    let mut bob = Client::login(&relay, "bob", Role::Receiver).await;
    let mut stranger = Stranger::connect(&relay).await;
    stranger.frame().await.expect("S1");
    let stopping = relay.stop();
    let clients = async {
        for client in [&mut alice, &mut bob] {
            client.expect(LinkMessage::Logout(LogoutReason::Closing)).await;
            assert_eq!(client.hear().await, None);
        }
        assert_eq!(stranger.rejected().await, RejectReason::Closing);
        drop((alice, bob, stranger));
    };
    tokio::join!(stopping, clients);
}

#[tokio::test]
async fn the_relay_does_not_wait_for_those_who_do_not_listen() {
    let limits = Limits { drain_ms: 200, ..Limits::default() };
    let relay = TestRelay::with(["alice", "bob"], limits).await;
    let mut alice = Client::login(&relay, "alice", Role::Receiver).await;
    let mut bob = Client::login(&relay, "bob", Role::Receiver).await;
    let chat_id = bob.pair_with(&mut alice).await;
    for _ in 0..8 {
        bob.say(LinkMessage::Chat { chat_id, record: vec![0; 60_000] }).await;
    }
    relay.stop().await;
}
