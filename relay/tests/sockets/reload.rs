//! The list of users changes while the relay runs: whose sessions end, who learns of it, who notices nothing.

use secchat_proto::wire::link::{BadReason, LinkMessage, LogoutReason};
use secchat_proto::wire::login::{RejectReason, Role};

use crate::client::{Client, Stranger};
use crate::relay::TestRelay;

const REMOVED: LinkMessage = LinkMessage::Logout(LogoutReason::Removed);

#[tokio::test]
async fn a_removed_users_session_ends_and_the_peer_is_told() {
    let mut relay = TestRelay::start(["alice", "bob", "carol", "dora"]).await;
    let mut alice = Client::login(&relay, "alice", Role::Receiver).await;
    let mut bob = Client::login(&relay, "bob", Role::Receiver).await;
    let mut carol = Client::login(&relay, "carol", Role::Receiver).await;
    let mut dora = Client::login(&relay, "dora", Role::Receiver).await;
    let of_bob = alice.pair_with(&mut bob).await;
    let of_dora = carol.pair_with(&mut dora).await;
    let key = relay.keys["bob"].clone();
    relay.change_users(&["bob"], &[]);
    bob.expect(REMOVED).await;
    assert_eq!(bob.hear().await, None);
    let away =
        LinkMessage::BadResponse { reason: BadReason::NotAvailable, name: bob.name.clone(), chat_id: of_bob };
    alice.expect(away).await;
    let mut stranger = Stranger::connect(&relay).await;
    let _expect = stranger.prove(&relay, "bob", &key, Role::Receiver).await;
    assert_eq!(stranger.rejected().await, RejectReason::NotAuthenticated);
    // Nobody else has noticed anything.
    carol.say(LinkMessage::Chat { chat_id: of_dora, record: vec![1; 90] }).await;
    dora.expect(LinkMessage::Chat { chat_id: of_dora, record: vec![1; 90] }).await;
    alice.is_alive().await;
    carol.is_alive().await;
}

#[tokio::test]
async fn another_key_ends_the_session_of_the_old_one_and_logs_in() {
    let mut relay = TestRelay::start(["alice", "bob"]).await;
    let mut bob = Client::login(&relay, "bob", Role::Receiver).await;
    let mut alice = Client::login(&relay, "alice", Role::Receiver).await;
    let old = relay.keys["bob"].clone();
    relay.change_users(&[], &["bob"]);
    bob.expect(REMOVED).await;
    assert_eq!(bob.hear().await, None);
    let mut stranger = Stranger::connect(&relay).await;
    let _expect = stranger.prove(&relay, "bob", &old, Role::Receiver).await;
    assert_eq!(stranger.rejected().await, RejectReason::NotAuthenticated);
    let mut bob = Client::login(&relay, "bob", Role::Receiver).await;
    alice.pair_with(&mut bob).await;
}

#[tokio::test]
async fn a_login_whose_key_goes_off_the_list_meanwhile_ends_as_a_session_does() {
    let mut relay = TestRelay::start(["alice", "bob", "carol"]).await;
    let mut alice = Client::login(&relay, "alice", Role::Receiver).await;
    // S3 has come; the first record is missing.
    let mut bob = Client::login_silently(&relay, "bob", Role::Receiver).await;
    let mut carol = Client::login_silently(&relay, "carol", Role::Receiver).await;
    relay.change_users(&["alice", "bob"], &["carol"]);
    alice.expect(REMOVED).await;
    let mut new_carol = Client::login(&relay, "carol", Role::Receiver).await;
    for late in [&mut bob, &mut carol] {
        late.say(LinkMessage::Refresh { watch: true }).await;
        late.expect(REMOVED).await;
        assert_eq!(late.hear().await, None);
    }
    // The old key's late login has not replaced the new key's session.
    new_carol.is_alive().await;
}
