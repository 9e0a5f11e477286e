//! Rates and times: whoever comes too often or takes too long is told, or waits, alone.
#![expect(clippy::wildcard_enum_match_arm, reason = "a test names the messages that it looks for")]

use std::time::{Duration, Instant};

use secchat_proto::wire::link::{BadReason, ChatId, LinkMessage};
use secchat_proto::wire::login::{RejectReason, Role};
use secchat_relay::limits::Limits;
use tokio::io::AsyncWriteExt;

use crate::client::{Client, Stranger};
use crate::relay::TestRelay;

#[tokio::test]
async fn an_address_with_all_its_connections_is_told_that_the_relay_is_busy() {
    let relay =
        TestRelay::with(["alice", "bob"], Limits { connections_per_address: 2, ..Limits::default() }).await;
    let alice = Client::login(&relay, "alice", Role::Receiver).await;
    let mut bob = Client::login(&relay, "bob", Role::Receiver).await;
    assert_eq!(Stranger::connect(&relay).await.rejected().await, RejectReason::Busy);
    bob.is_alive().await;
    drop(alice);
    // As soon as the relay has noticed.
    while Stranger::connect(&relay).await.frame().await.is_none_or(|body| body.len() < 3) {}
}

#[tokio::test]
async fn an_address_that_comes_too_often_is_told_that_the_relay_is_busy() {
    let limits = Limits { logins_per_second_per_address: 2, login_burst_per_address: 3, ..Limits::default() };
    let relay = TestRelay::with(["alice"], limits).await;
    let mut alice = Client::login(&relay, "alice", Role::Receiver).await;
    for _ in 0..2 {
        assert!(Stranger::connect(&relay).await.frame().await.is_some_and(|s1| s1.len() > 2));
    }
    assert_eq!(Stranger::connect(&relay).await.rejected().await, RejectReason::Busy);
    alice.is_alive().await;
    // In half a second there is room for one.
    while Stranger::connect(&relay).await.frame().await.is_none_or(|body| body.len() < 3) {}
}

#[tokio::test]
async fn more_proofs_than_the_relay_checks_a_second_are_told_that_it_is_busy() {
    let limits = Limits { logins_per_second: 1, login_burst: 1, ..Limits::default() };
    let relay = TestRelay::with(["alice"], limits).await;
    // Those who prove nothing take nothing from those who do.
    let mut silent = Vec::new();
    for _ in 0..5 {
        let mut stranger = Stranger::connect(&relay).await;
        stranger.frame().await.expect("S1");
        silent.push(stranger);
    }
    let mut alice = Client::login(&relay, "alice", Role::Receiver).await;
    let mut second = Stranger::connect(&relay).await;
    second.prove(&relay, "alice", &relay.keys["alice"], Role::Receiver).await;
    assert_eq!(second.rejected().await, RejectReason::Busy);
    alice.is_alive().await;
}

#[tokio::test]
async fn a_frame_has_its_time_though_bytes_keep_coming() {
    let limits = Limits { frame_timeout_ms: 300, ..Limits::default() };
    let relay = TestRelay::with(["alice"], limits).await;
    let mut alice = Client::login(&relay, "alice", Role::Receiver).await;
    let chat_id = ChatId::from_bytes([1; 16]).unwrap();
    let frame = alice.seal(&LinkMessage::Chat { chat_id, record: vec![0; 60_000] });
    let began = Instant::now();
    let (mut read, mut write) = alice.stream.split();
    let drip = async {
        let mut every = tokio::time::interval(Duration::from_millis(5));
        for byte in &frame {
            every.tick().await;
            if write.write_all(&[*byte]).await.is_err() {
                break;
            }
        }
    };
    let mut heard = Vec::new();
    tokio::select! {
        () = drip => panic!("a drip kept the link alive"),
        _ = tokio::io::AsyncReadExt::read_to_end(&mut read, &mut heard) => {}
    }
    assert!(heard.is_empty() && began.elapsed() >= Duration::from_millis(300));
}

#[tokio::test]
async fn pings_over_the_pace_are_answered_later_and_hold_up_nobody_else() {
    let limits = Limits { control_per_second: 20, control_burst: 10, ..Limits::default() };
    let relay = TestRelay::with(["alice", "bob"], limits).await;
    let mut alice = Client::login(&relay, "alice", Role::Receiver).await;
    let mut bob = Client::login(&relay, "bob", Role::Receiver).await;
    let began = Instant::now();
    for n in 0..40 {
        alice.say(LinkMessage::Ping([n; 8])).await;
    }
    bob.is_alive().await;
    let bobs = began.elapsed();
    for n in 0..40 {
        alice.expect(LinkMessage::Pong([n; 8])).await;
    }
    assert!(began.elapsed() >= Duration::from_millis(1_450), "ten at once, thirty at 20 a second");
    assert!(bobs < began.elapsed() / 2, "{bobs:?}");
}

#[tokio::test]
async fn records_for_nobody_are_held_to_the_pace_of_a_links_own_business() {
    let limits = Limits { control_per_second: 20, control_burst: 10, ..Limits::default() };
    let relay = TestRelay::with(["alice"], limits).await;
    let mut alice = Client::login(&relay, "alice", Role::Receiver).await;
    let chat_id = ChatId::from_bytes([1; 16]).unwrap();
    let began = Instant::now();
    for _ in 0..40 {
        alice.say(LinkMessage::Chat { chat_id, record: vec![1; 100] }).await;
    }
    // The router may be late with its count for the first ones, not with all.
    for _ in 0..3 {
        alice.is_alive().await;
    }
    assert!(began.elapsed() >= Duration::from_millis(1_000), "{:?}", began.elapsed());
}

#[tokio::test]
async fn requests_to_the_same_user_over_the_pace_are_answered_with_the_limit() {
    let relay = TestRelay::with(["alice", "bob"], Limits { rtt_pair_burst: 2, ..Limits::default() }).await;
    let mut alice = Client::login(&relay, "alice", Role::Receiver).await;
    let mut bob = Client::login(&relay, "bob", Role::Receiver).await;
    for _ in 0..2 {
        let request = alice.request(&bob.name).encode();
        alice.say(LinkMessage::Rtt { name: bob.name.clone(), request }).await;
    }
    let request = alice.request(&bob.name);
    let chat_id = request.chat_id;
    alice.say(LinkMessage::Rtt { name: bob.name.clone(), request: request.encode() }).await;
    alice
        .expect(LinkMessage::BadResponse { reason: BadReason::Limit, name: bob.name.clone(), chat_id })
        .await;
    bob.is_pestered_no_more(2).await;
}

impl Client {
    /// Hears so many requests, and then only the answer to its own Ping.
    async fn is_pestered_no_more(&mut self, requests: usize) {
        self.say(LinkMessage::Ping([6; 8])).await;
        let (mut heard, mut answered) = (0, false);
        while heard < requests || !answered {
            match self.hear().await.expect("a message") {
                LinkMessage::Rtt { .. } => heard += 1,
                LinkMessage::Pong(_) => answered = true,
                LinkMessage::PeerKey { .. } | LinkMessage::Response { .. } => {}
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(heard, requests);
        self.is_alive().await;
    }
}
