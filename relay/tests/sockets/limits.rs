//! Floods and slow readers: what is bounded, and who pays.
#![expect(clippy::wildcard_enum_match_arm, reason = "a test names the messages that it looks for")]

use secchat_proto::UserName;
use secchat_proto::limits::MAX_PAIR_QUEUE_RECORDS;
use secchat_proto::wire::link::{ChatId, LinkMessage, LogoutReason};
use secchat_proto::wire::login::{RejectReason, Role};
use secchat_relay::limits::Limits;
use tokio::io::AsyncReadExt;

use crate::client::{Client, Stranger};
use crate::relay::{TestRelay, within};

#[tokio::test]
async fn silent_logins_give_way_to_those_that_prove() {
    let limits = Limits { logins: 4, logins_per_address: 4, ..Limits::default() };
    let relay = TestRelay::with(["alice"], limits).await;
    let mut flood = Vec::new();
    for _ in 0..20 {
        let mut stranger = Stranger::connect(&relay).await;
        stranger.frame().await.expect("S1, or it did not get in");
        flood.push(stranger);
    }
    Client::login(&relay, "alice", Role::Receiver).await.is_alive().await;
    // The oldest gave way, without waiting for their deadline.
    for stranger in flood.iter_mut().take(16) {
        stranger.until_closed().await;
    }
}

#[tokio::test]
async fn logins_that_prove_keep_their_place() {
    // One is proven but has not sent its first record; there is no room for another.
    let limits = Limits { logins: 1, ..Limits::default() };
    let relay = TestRelay::with(["alice"], limits).await;
    let mut alice = Client::login_silently(&relay, "alice", Role::Receiver).await;
    let mut stranger = Stranger::connect(&relay).await;
    assert_eq!(stranger.rejected().await, RejectReason::Busy);
    alice.say(LinkMessage::Refresh { watch: false }).await;
    alice.hear().await.expect("the list");
    assert!(Stranger::connect(&relay).await.frame().await.is_some(), "its place is free now");
}

#[tokio::test]
async fn a_failed_login_frees_its_place_before_it_is_told() {
    let limits = Limits { logins: 1, ..Limits::default() };
    let relay = TestRelay::with(["alice"], limits).await;
    let mut wrong = Stranger::connect(&relay).await;
    let key = secchat_proto::crypto::signature::SigningKey::generate_ed25519(
        &mut secchat_proto::crypto::entropy::OsEntropy,
    );
    wrong.prove(&relay, "alice", &key.unwrap(), Role::Receiver).await;
    // Within the 200 ms: some attempt gets in before the Reject of the first is out.
    let rejected = wrong.rejected();
    tokio::pin!(rejected);
    loop {
        tokio::select! {
            biased;
            _ = &mut rejected => panic!("its place was not free before"),
            got_in = async {
                let mut stranger = Stranger::connect(&relay).await;
                stranger.frame().await.is_some_and(|body| body.first() == Some(&b's'))
            } => if got_in { break },
        }
    }
}

#[tokio::test]
async fn connections_are_only_accepted_when_there_is_room() {
    let relay = TestRelay::with(["alice", "bob"], Limits { connections: 2, ..Limits::default() }).await;
    let alice = Client::login(&relay, "alice", Role::Receiver).await;
    let mut bob = Client::login(&relay, "bob", Role::Receiver).await;
    let mut waiting = Stranger::connect(&relay).await;
    bob.is_alive().await;
    let mut byte = [0];
    let nothing = waiting.stream.try_read(&mut byte);
    assert!(
        nothing.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock),
        "served without room"
    );
    drop(alice);
    assert!(waiting.frame().await.is_some());
}

/// Sends records until the relay dissolves the pair; gives how many.
async fn flood(from: &mut Client, chat_id: ChatId) -> usize {
    for sent in 1.. {
        from.say(LinkMessage::Chat { chat_id, record: vec![1; 60_000] }).await;
        // One under way, so that the answer is for this record.
        from.say(LinkMessage::Ping([1; 8])).await;
        match from.hear().await.expect("an answer") {
            LinkMessage::Pong(_) => {}
            LinkMessage::ReturnToLobby { chat_id: dissolved } => {
                assert_eq!(dissolved, chat_id);
                return sent;
            }
            other => panic!("{other:?}"),
        }
    }
    0
}

#[tokio::test]
async fn a_slow_reader_loses_the_pair_and_keeps_its_link() {
    let relay = TestRelay::start(["alice", "bob", "carol"]).await;
    let mut alice = Client::login(&relay, "alice", Role::Receiver).await;
    let mut bob = Client::login(&relay, "bob", Role::Receiver).await;
    let mut carol = Client::login(&relay, "carol", Role::Receiver).await;
    let chat_id = bob.pair_with(&mut alice).await;
    let other_chat = carol.pair_with(&mut bob).await;
    let sent = flood(&mut bob, chat_id).await;
    // Nobody else has waited for her.
    carol.say(LinkMessage::Chat { chat_id: other_chat, record: vec![2] }).await;
    loop {
        match bob.hear().await.expect("carol's record") {
            LinkMessage::Chat { record, .. } if record == [2] => break,
            LinkMessage::Pong(_) => {}
            other => panic!("{other:?}"),
        }
    }
    // She gets what had left the queue, then the end of the pair, and nothing of the queue.
    let mut received = 0;
    loop {
        match alice.hear().await.expect("her link lives") {
            LinkMessage::Chat { .. } => received += 1,
            LinkMessage::ReturnToLobby { chat_id: dissolved } => break assert_eq!(dissolved, chat_id),
            other => panic!("{other:?}"),
        }
    }
    assert!(received < sent, "{received} of {sent}");
    alice.is_alive().await;
}

/// Asks again and again; each time too many has an answer of the relay's own.
async fn ask(from: &mut Client, to: &UserName, times: usize) {
    let request = from.request(to).encode();
    for _ in 0..times {
        from.say(LinkMessage::Rtt { name: to.clone(), request: request.clone() }).await;
    }
}

#[tokio::test]
async fn whoever_never_reads_what_the_relay_itself_says_is_too_slow() {
    let limits = Limits {
        link_queue_messages: 200,
        refreshes_per_minute: 1_000_000,
        rtt_burst: 1,
        drain_ms: 200,
        ..Limits::default()
    };
    let relay = TestRelay::with(["alice", "bob"], limits).await;
    let mut alice = Client::login(&relay, "alice", Role::Receiver).await;
    let mut bob = Client::login(&relay, "bob", Role::Receiver).await;
    let chat_id = bob.pair_with(&mut alice).await;
    // Her socket is full now.
    flood(&mut bob, chat_id).await;
    ask(&mut alice, &bob.name, 300).await;
    // The list without her: she has been logged out.
    loop {
        bob.say(LinkMessage::Refresh { watch: false }).await;
        match bob.hear().await.expect("bob's link lives") {
            LinkMessage::AvailableUsers { names, .. } if names.is_empty() => break,
            _ => {}
        }
    }
    let mut rest = vec![0; 1 << 20];
    let end = async { while matches!(alice.stream.read(&mut rest).await, Ok(1..)) {} };
    within("the end of her link", end).await;
}

#[tokio::test]
async fn a_reader_who_is_late_but_reads_is_told_why_it_was_too_slow() {
    let limits = Limits { link_queue_messages: 50, rtt_burst: 1, ..Limits::default() };
    let relay = TestRelay::with(["alice", "bob"], limits).await;
    let mut alice = Client::login(&relay, "alice", Role::Receiver).await;
    let mut bob = Client::login(&relay, "bob", Role::Receiver).await;
    let chat_id = bob.pair_with(&mut alice).await;
    flood(&mut bob, chat_id).await;
    ask(&mut alice, &bob.name, 60).await;
    let mut last = None;
    while let Some(message) = alice.hear().await {
        last = Some(message);
    }
    assert_eq!(last, Some(LinkMessage::Logout(LogoutReason::TooSlow)));
}

#[tokio::test]
async fn the_queue_of_a_pair_holds_what_an_honest_sender_may_have_under_way() {
    let relay = TestRelay::start(["alice", "bob"]).await;
    let mut alice = Client::login(&relay, "alice", Role::Receiver).await;
    let mut bob = Client::login(&relay, "bob", Role::Receiver).await;
    let chat_id = bob.pair_with(&mut alice).await;
    for _ in 0..MAX_PAIR_QUEUE_RECORDS {
        bob.say(LinkMessage::Chat { chat_id, record: vec![1; 1_100] }).await;
    }
    for _ in 0..MAX_PAIR_QUEUE_RECORDS {
        assert!(matches!(alice.hear().await, Some(LinkMessage::Chat { .. })));
    }
}
