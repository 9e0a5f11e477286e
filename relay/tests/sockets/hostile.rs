//! Strangers and clients who do what they should not: each harms itself only.

use std::time::{Duration, Instant};

use secchat_proto::crypto::entropy::OsEntropy;
use secchat_proto::crypto::kem::Suites;
use secchat_proto::crypto::signature::SigningKey;
use secchat_proto::limits::REJECT_DELAY;
use secchat_proto::wire::link::{BadReason, LinkMessage, LogoutReason};
use secchat_proto::wire::login::{Delegation, OrReject, RejectReason, Role, S2};
use secchat_relay::limits::Limits;
use tokio::io::AsyncWriteExt;

use crate::client::{Client, Stranger, unix_now};
use crate::relay::{TestRelay, within};

fn impatient() -> Limits {
    Limits { login_timeout_ms: 300, ..Limits::default() }
}

#[tokio::test]
async fn garbage_instead_of_s2_is_malformed() {
    let relay = TestRelay::start(["alice"]).await;
    for garbage in [
        vec![0, 0],
        vec![0, 1, 7],
        [&[16, 0][..], &[0; 4_096]].concat(),
        [&[255, 255][..], &[0; 65_535]].concat(),
    ] {
        let mut stranger = Stranger::connect(&relay).await;
        stranger.frame().await.expect("S1");
        // The relay may have turned away before all of it was written.
        let _ = stranger.stream.write_all(&garbage).await;
        assert_eq!(stranger.rejected().await, RejectReason::Malformed, "{} bytes", garbage.len());
    }
    Client::login(&relay, "alice", Role::Receiver).await.is_alive().await;
}

#[tokio::test]
async fn silence_half_a_frame_and_a_byte_at_a_time_end_at_the_deadline() {
    let relay = TestRelay::with(["alice"], impatient()).await;
    let start = Instant::now();
    let mut silent = Stranger::connect(&relay).await;
    let mut half = Stranger::connect(&relay).await;
    half.stream.write_all(&[8, 0, 0, 0, 0]).await.unwrap();
    let mut dripping = Stranger::connect(&relay).await;
    silent.until_closed().await;
    half.until_closed().await;
    let drip = async {
        let mut every = tokio::time::interval(Duration::from_millis(20));
        dripping.stream.write_all(&[8, 0]).await.unwrap();
        while dripping.stream.write_all(&[0]).await.is_ok() {
            every.tick().await;
        }
    };
    within("the end of the drip", drip).await;
    assert!(start.elapsed() >= Duration::from_millis(300));
    Client::login(&relay, "alice", Role::Receiver).await.is_alive().await;
}

#[tokio::test]
async fn a_login_without_its_first_record_ends_at_the_deadline() {
    let relay = TestRelay::with(["alice", "bob"], impatient()).await;
    let mut bob = Client::login(&relay, "bob", Role::Receiver).await;
    let mut alice = Client::login_silently(&relay, "alice", Role::Receiver).await;
    bob.say(LinkMessage::Refresh { watch: false }).await;
    let nobody =
        LinkMessage::AvailableUsers { part: secchat_proto::wire::link::ListPart::Last, names: vec![] };
    bob.expect(nobody).await;
    assert_eq!(alice.hear().await, None);
}

#[tokio::test]
async fn the_first_record_is_a_refresh_or_the_last() {
    let relay = TestRelay::start(["alice"]).await;
    let mut online = Client::login(&relay, "alice", Role::Receiver).await;
    let mut alice = Client::login_silently(&relay, "alice", Role::Receiver).await;
    alice.say(LinkMessage::Ping([1; 8])).await;
    assert_eq!(alice.hear().await, None);
    // Nor has it replaced anybody.
    online.is_alive().await;
}

#[tokio::test]
async fn after_s3_nothing_is_said_in_clear() {
    let relay = TestRelay::start(["alice"]).await;
    let first_frames = [&[0, 0][..], &[0, 1, 7], &[0, 40]].map(<[u8]>::to_vec);
    for first_frame in first_frames {
        let mut stranger = Stranger::connect(&relay).await;
        let expect = stranger.prove(&relay, "alice", &relay.keys["alice"], Role::Receiver).await;
        assert!(expect.read_s3(&stranger.frame().await.expect("S3")).is_ok());
        stranger.stream.write_all(&first_frame).await.unwrap();
        stranger.stream.shutdown().await.unwrap();
        assert_eq!(stranger.frame().await, None, "after {first_frame:?}");
    }
    // Nor when the relay stops meanwhile.
    let mut stranger = Stranger::connect(&relay).await;
    stranger.prove(&relay, "alice", &relay.keys["alice"], Role::Receiver).await;
    stranger.frame().await.expect("S3");
    relay.stop().await;
    assert_eq!(stranger.frame().await, None);
}

#[tokio::test]
async fn an_unknown_name_is_told_what_a_bad_signature_is() {
    let relay = TestRelay::start(["alice"]).await;
    let wrong_key = SigningKey::generate_ed25519(&mut OsEntropy).unwrap();
    let rsa = openssl::pkey::PKey::from_rsa(openssl::rsa::Rsa::generate(2048).unwrap()).unwrap();
    let rsa = SigningKey::from_pkey(rsa).unwrap();
    for name in ["alice", "mallory"] {
        for key in [&wrong_key, &rsa] {
            let mut stranger = Stranger::connect(&relay).await;
            let sent = Instant::now();
            stranger.prove(&relay, name, key, Role::Receiver).await;
            assert_eq!(stranger.rejected().await, RejectReason::NotAuthenticated, "{name}");
            assert!(sent.elapsed() >= REJECT_DELAY, "{name}: whatever the cause, not sooner");
        }
    }
}

#[tokio::test]
async fn a_swapped_field_of_s2_is_not_authenticated() {
    let relay = TestRelay::start(["alice", "bob"]).await;
    let edits: [(_, fn(&mut S2), _); 6] = [
        ("role", |s2| s2.role = Role::Sender, RejectReason::NotAuthenticated),
        ("name", |s2| s2.user_name = "bob".parse().unwrap(), RejectReason::NotAuthenticated),
        ("nonce of the relay", |s2| s2.nonce_relay[0] ^= 1, RejectReason::NotAuthenticated),
        ("nonce of the user", |s2| s2.nonce_user[0] ^= 1, RejectReason::NotAuthenticated),
        ("signature", |s2| s2.signature[63] ^= 1, RejectReason::NotAuthenticated),
        ("delegation", |s2| s2.delegation = Some(unsigned_delegation()), RejectReason::NotAuthenticated),
    ];
    for (field, edit, reason) in edits {
        let mut stranger = Stranger::connect(&relay).await;
        let verified = stranger.read_s1(&relay, &Suites::for_link()).await;
        let identity = (&"alice".parse().unwrap(), &relay.keys["alice"]);
        let (_, s2) = verified.send_s2(identity, Role::Receiver, None, &mut OsEntropy).unwrap();
        let mut s2 = S2::decode(&s2).unwrap();
        edit(&mut s2);
        stranger.send(&s2.encode()).await;
        assert_eq!(stranger.rejected().await, reason, "{field}");
    }
}

#[tokio::test]
async fn a_replayed_s2_is_not_authenticated() {
    let relay = TestRelay::start(["alice"]).await;
    let mut first = Stranger::connect(&relay).await;
    let verified = first.read_s1(&relay, &Suites::for_link()).await;
    let identity = (&"alice".parse().unwrap(), &relay.keys["alice"]);
    let (expect, s2) = verified.send_s2(identity, Role::Receiver, None, &mut OsEntropy).unwrap();
    first.send(&s2).await;
    assert!(matches!(expect.read_s3(&first.frame().await.unwrap()).unwrap(), OrReject::Message(_)));
    let mut second = Stranger::connect(&relay).await;
    second.frame().await.expect("S1");
    second.send(&s2).await;
    assert_eq!(second.rejected().await, RejectReason::NotAuthenticated);
}

fn unsigned_delegation() -> Delegation {
    let delegate = SigningKey::generate_ed25519(&mut OsEntropy).unwrap().public_key().clone();
    Delegation { delegate, not_after: unix_now() + 60, signature: vec![0; 64] }
}

/// Bytes that no honest client sends after its login.
fn violation(what: &str, bob: &mut Client) -> Vec<u8> {
    let refresh = LinkMessage::Refresh { watch: false };
    let mut frame = bob.seal(&refresh);
    match what {
        "a record twice" => [frame.clone(), frame].concat(),
        "a record left out" => bob.seal(&refresh),
        "a flipped bit" => {
            *frame.last_mut().unwrap() ^= 1;
            frame
        }
        "a message of the relay's" => {
            let message = LinkMessage::PeerKey { name: bob.name.clone(), public_key: vec![1] };
            [frame, bob.seal(&message)].concat()
        }
        "an empty frame" => vec![0, 0],
        "a frame of zeros" => [&[255, 255][..], &[0; 65_535]].concat(),
        _ => panic!("no such violation"),
    }
}

#[tokio::test]
async fn a_violation_ends_the_link_and_tells_the_peer() {
    let relay = TestRelay::start(["alice", "bob"]).await;
    let mut alice = Client::login(&relay, "alice", Role::Receiver).await;
    for what in [
        "a record twice",
        "a record left out",
        "a flipped bit",
        "a message of the relay's",
        "an empty frame",
        "a frame of zeros",
    ] {
        let mut bob = Client::login(&relay, "bob", Role::Receiver).await;
        let chat_id = bob.pair_with(&mut alice).await;
        let bytes = violation(what, &mut bob);
        bob.stream.write_all(&bytes).await.unwrap();
        let name = bob.name.clone();
        let left = LinkMessage::BadResponse { reason: BadReason::NotAvailable, name, chat_id };
        assert_eq!(alice.hear().await, Some(left), "after {what}");
        while bob.hear().await.is_some() {}
    }
}

#[tokio::test]
async fn a_truncated_record_is_no_end() {
    let relay = TestRelay::start(["alice"]).await;
    let mut alice = Client::login(&relay, "alice", Role::Receiver).await;
    let frame = alice.seal(&LinkMessage::Logout(LogoutReason::User));
    alice.stream.write_all(&frame[..frame.len() - 1]).await.unwrap();
    alice.stream.shutdown().await.unwrap();
    assert_eq!(alice.hear().await, None);
}
