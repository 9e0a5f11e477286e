//! Whoever has a delegated key of bob's, and nothing else: what it can do to whom.

use std::time::Instant;

use secchat_proto::UserName;
use secchat_proto::crypto::entropy::OsEntropy;
use secchat_proto::crypto::signature::SigningKey;
use secchat_proto::handshake::delegation::DelegatedKey;
use secchat_proto::limits::{DELEGATION_PONG_TIMEOUT, MAX_DELEGATION_SECONDS, REJECT_DELAY};
use secchat_proto::wire::link::{Answer, LinkMessage, ListPart, LogoutReason, Step};
use secchat_proto::wire::login::{RejectReason, Role};

use crate::client::{Client, Stranger, unix_now};
use crate::relay::TestRelay;

/// A key that bob's identity key delegates to, for some seconds.
fn delegate(relay: &TestRelay, seconds: u64) -> DelegatedKey {
    by(&relay.keys["bob"], unix_now() + seconds)
}

fn by(identity: &SigningKey, not_after: u64) -> DelegatedKey {
    let bob: UserName = "bob".parse().unwrap();
    DelegatedKey::make((&bob, identity), not_after, &mut OsEntropy).unwrap()
}

fn list(names: &[&str]) -> LinkMessage {
    let names = names.iter().map(|name| name.parse().unwrap()).collect();
    LinkMessage::AvailableUsers { part: ListPart::Last, names }
}

#[tokio::test]
async fn it_is_asked_and_nobody_hears_anything_of_it() {
    let relay = TestRelay::start(["alice", "bob"]).await;
    let mut alice = Client::login(&relay, "alice", Role::Receiver).await;
    let mut bob = Client::login_delegated(&relay, "bob", &delegate(&relay, 60), Role::Receiver).await;
    bob.expect(list(&["alice"])).await;

    let request = alice.request(&bob.name);
    let (chat_id, encoded) = (request.chat_id, request.encode());
    alice.say(LinkMessage::Rtt { name: bob.name.clone(), request: encoded.clone() }).await;
    assert!(matches!(bob.hear().await, Some(LinkMessage::PeerKey { .. })));
    bob.expect(LinkMessage::Rtt { name: alice.name.clone(), request: encoded }).await;

    let name = || alice.name.clone();
    let response = |answer| LinkMessage::Response { answer, name: name(), chat_id };
    let step = |step| LinkMessage::KeyEstablishment { chat_id, step, body: vec![1; 40] };
    let own = bob.request(&alice.name);
    let (resumed, asked) = (own.chat_id, own.encode());
    for message in [
        LinkMessage::Rtt { name: name(), request: asked },
        response(Answer::Accept),
        response(Answer::Refuse),
        response(Answer::Withdraw),
        LinkMessage::Resume { name: name(), chat_id },
        LinkMessage::Resume { name: name(), chat_id: resumed },
        step(Step::M1),
        step(Step::M2),
        step(Step::M3),
        LinkMessage::Chat { chat_id, record: vec![1; 92] },
        LinkMessage::ReturnToLobby { chat_id },
        LinkMessage::Presence { role: Role::Sender },
        LinkMessage::Acknowledgment { name: name(), chat_id },
        LinkMessage::Pong([1; 8]),
    ] {
        bob.say(message).await;
    }
    // What was said is dealt with: the list comes after it, and bob is still on alice's.
    bob.say(LinkMessage::Refresh { watch: false }).await;
    bob.expect(list(&["alice"])).await;
    alice.say(LinkMessage::Refresh { watch: false }).await;
    alice.expect(list(&["bob"])).await;
    alice.is_alive().await;
}

#[tokio::test]
async fn it_replaces_no_session_that_answers() {
    let relay = TestRelay::start(["bob"]).await;
    let mut bob = Client::login(&relay, "bob", Role::Receiver).await;
    let mut thief = Stranger::connect(&relay).await;
    thief.prove_delegated(&relay, "bob", &delegate(&relay, 60), Role::Receiver).await;
    let Some(LinkMessage::Ping(x)) = bob.hear().await else { panic!("no Ping") };
    bob.say(LinkMessage::Pong(x)).await;
    assert_eq!(thief.rejected().await, RejectReason::Busy);
    bob.is_alive().await;
}

#[tokio::test]
async fn it_replaces_one_that_is_dead_and_the_identity_replaces_it() {
    let relay = TestRelay::start(["bob"]).await;
    let mut dead = Client::login(&relay, "bob", Role::Receiver).await;
    let begun = Instant::now();
    let key = delegate(&relay, 60);
    let mut bob = Client::login_delegated(&relay, "bob", &key, Role::Receiver).await;
    assert!(begun.elapsed() >= DELEGATION_PONG_TIMEOUT);
    bob.expect(list(&[])).await;
    assert!(matches!(dead.hear().await, Some(LinkMessage::Ping(_))));
    dead.expect(LinkMessage::Logout(LogoutReason::Replaced)).await;

    let mut unlocked = Client::login(&relay, "bob", Role::Receiver).await;
    bob.expect(LinkMessage::Logout(LogoutReason::Replaced)).await;
    unlocked.is_alive().await;
}

#[tokio::test]
async fn its_time_ends_the_session_and_its_use() {
    let relay = TestRelay::start(["bob"]).await;
    let key = delegate(&relay, 2);
    let mut bob = Client::login_delegated(&relay, "bob", &key, Role::Receiver).await;
    bob.expect(list(&[])).await;
    bob.expect(LinkMessage::Logout(LogoutReason::Removed)).await;
    assert_eq!(bob.hear().await, None);
    assert!(unix_now() >= key.not_after());
    let mut late = Stranger::connect(&relay).await;
    late.prove_delegated(&relay, "bob", &key, Role::Receiver).await;
    assert_eq!(late.rejected().await, RejectReason::NotAuthenticated);
}

#[tokio::test]
async fn a_stranger_learns_nothing_by_a_delegation() {
    let relay = TestRelay::start(["bob"]).await;
    let stranger = SigningKey::generate_ed25519(&mut OsEntropy).unwrap();
    let later = unix_now() + 60;
    for (what, name, key) in [
        ("a name that is on the list", "bob", by(&stranger, later)),
        ("one that is not", "mallory", by(&stranger, later)),
        ("bob's word for another name", "mallory", by(&relay.keys["bob"], later)),
        ("for eight days", "bob", by(&relay.keys["bob"], unix_now() + MAX_DELEGATION_SECONDS + 86_400)),
        (
            "for eight days, a stranger",
            "mallory",
            by(&stranger, unix_now() + MAX_DELEGATION_SECONDS + 86_400),
        ),
    ] {
        let mut thief = Stranger::connect(&relay).await;
        let sent = Instant::now();
        thief.prove_delegated(&relay, name, &key, Role::Receiver).await;
        assert_eq!(thief.rejected().await, RejectReason::NotAuthenticated, "{what}");
        assert!(sent.elapsed() >= REJECT_DELAY, "{what}: whatever the cause, not sooner");
    }
}

#[tokio::test]
async fn a_user_off_the_list_or_with_another_key_ends_it() {
    for (removed, other_keys) in [(&["bob"][..], &[][..]), (&[], &["bob"])] {
        let mut relay = TestRelay::start(["alice", "bob"]).await;
        let key = delegate(&relay, 60);
        let mut bob = Client::login_delegated(&relay, "bob", &key, Role::Receiver).await;
        bob.expect(list(&[])).await;
        relay.change_users(removed, other_keys);
        bob.expect(LinkMessage::Logout(LogoutReason::Removed)).await;
        let mut again = Stranger::connect(&relay).await;
        again.prove_delegated(&relay, "bob", &key, Role::Receiver).await;
        assert_eq!(again.rejected().await, RejectReason::NotAuthenticated);
    }
}
