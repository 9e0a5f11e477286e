//! What good clients get.

use secchat_proto::wire::link::{BadReason, LinkMessage, ListPart};
use secchat_proto::wire::login::Role;

use crate::client::Client;
use crate::relay::TestRelay;

#[tokio::test]
async fn two_people_meet_and_their_records_pass_untouched() {
    let relay = TestRelay::start(["alice", "bob"]).await;
    let mut bob = Client::login(&relay, "bob", Role::Receiver).await;
    let mut alice = Client::login(&relay, "alice", Role::Sender).await;
    alice.say(LinkMessage::Refresh { watch: false }).await;
    let bob_alone = LinkMessage::AvailableUsers { part: ListPart::Last, names: vec![bob.name.clone()] };
    alice.expect(bob_alone).await;

    let chat_id = alice.pair_with(&mut bob).await;
    for length in [0, 1, 1_000, 60_000] {
        let record = |byte| LinkMessage::Chat { chat_id, record: vec![byte; length] };
        alice.say(record(1)).await;
        bob.say(record(2)).await;
        bob.expect(record(1)).await;
        alice.expect(record(2)).await;
    }
    alice.say(LinkMessage::ReturnToLobby { chat_id }).await;
    bob.expect(LinkMessage::ReturnToLobby { chat_id }).await;
    // Without a pair nothing passes.
    alice.say(LinkMessage::Chat { chat_id, record: vec![3] }).await;
    alice.is_alive().await;
    bob.is_alive().await;
    relay.stop().await;
}

#[tokio::test]
async fn ten_thousand_records_arrive_in_order() {
    let relay = TestRelay::start(["alice", "bob"]).await;
    let mut alice = Client::login(&relay, "alice", Role::Receiver).await;
    let mut bob = Client::login(&relay, "bob", Role::Receiver).await;
    let chat_id = alice.pair_with(&mut bob).await;
    let numbered = |number: u32| LinkMessage::Chat { chat_id, record: number.to_be_bytes().to_vec() };
    // As many under way as a pair's queue takes for sure.
    for first in (0..10_000).step_by(100) {
        for number in first..first + 100 {
            alice.say(numbered(number)).await;
        }
        for number in first..first + 100 {
            bob.expect(numbered(number)).await;
        }
    }
}

#[tokio::test]
async fn the_digital_envelope_serves_too() {
    let relay = TestRelay::start(["alice", "bob"]).await;
    let mut alice = Client::login_with_rsa(&relay, "alice").await;
    alice.hear().await.expect("the list");
    let mut bob = Client::login(&relay, "bob", Role::Receiver).await;
    alice.pair_with(&mut bob).await;
}

#[tokio::test]
async fn whoever_is_left_is_told() {
    let relay = TestRelay::start(["alice", "bob"]).await;
    let mut alice = Client::login(&relay, "alice", Role::Receiver).await;
    for ends_well in [true, false] {
        let mut bob = Client::login(&relay, "bob", Role::Receiver).await;
        let chat_id = bob.pair_with(&mut alice).await;
        let name = bob.name.clone();
        if ends_well {
            bob.say(LinkMessage::Logout(secchat_proto::wire::link::LogoutReason::User)).await;
        }
        drop(bob);
        alice.expect(LinkMessage::BadResponse { reason: BadReason::NotAvailable, name, chat_id }).await;
    }
}
