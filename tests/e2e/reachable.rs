//! Locked but reachable: the identity key is gone from the daemon, and whoever wants to talk can still ask.

use openssl::pkey::PKey;
use secchat_e2e::{
    Bus, LoginOutcome, Logind, Memory, OWN_SESSION, PASSPHRASE, TestRelay, TestUser, WireClient, World,
    proto_name, unix_now,
};
use secchat_ipc::types::{ChatState, LinkState, LockState, RequestState};
use secchat_proto::crypto::entropy::OsEntropy;
use secchat_proto::crypto::signature::SigningKey;
use secchat_proto::handshake::delegation::DelegatedKey;
use secchat_proto::wire::link::{Answer, LinkMessage, Step};
use secchat_proto::wire::login::{RejectReason, Role};

async fn lock_keeping_session(user: &TestUser) {
    user.ctl(["lock", "--keep-session"]).await.ok().says("requests still arrive");
    let is_reachable = |status: &secchat_ipc::types::Status| {
        matches!(status.lock, LockState::Reachable { .. }) && status.link == LinkState::Online
    };
    user.frontend().await.until("locked but reachable", |state| is_reachable(&state.status)).await;
}

#[tokio::test]
async fn it_is_asked_comes_back_by_itself_and_accepts_with_the_passphrase() {
    let (world, [alice, bob]) = World::start(["alice", "bob"]).await;
    lock_keeping_session(&bob).await;
    let status = bob.ctl(["status"]).await.ok();
    assert!(status.stdout.contains("locked; requests arrive until"), "{status:?}");
    let mut bobs = bob.frontend().await;
    alice.ctl(["rtt", "bob", "--no-wait"]).await.ok();
    bobs.until_asked_by(&alice.name).await;
    bob.ctl(["accept", "alice"]).await.with_code(4).says("secchatctl unlock");
    bob.ctl(["rtt", "alice"]).await.with_code(4);
    bob.ctl(["send", "alice", "x"]).await.with_code(4);

    // A lost link: the delegated key logs in again, and is asked again.
    alice.ctl(["rtt", "bob", "--withdraw"]).await.ok();
    bobs.until("taken back", |state| state.incoming.is_empty()).await;
    let port = world.relay.kill();
    bobs.until("offline", |state| state.status.link != LinkState::Online).await;
    let relay = TestRelay::start_at(&world.pki, port).await;
    relay.process().log().wait_for("logged in by a delegated key").await;
    alice.is_online().await;
    alice.ctl(["rtt", "bob", "--no-wait"]).await.ok();
    bobs.until_asked_by(&alice.name).await;
    assert!(matches!(bobs.state().status.lock, LockState::Reachable { .. }));

    bob.unlock(PASSPHRASE).await;
    bob.ctl(["accept", "alice"]).await.ok();
    alice.frontend().await.until_open_with(&bob.name).await;
    alice.ctl(["send", "bob", "at last"]).await.ok();
}

#[tokio::test]
async fn a_chat_goes_on_at_the_unlock_without_a_question() {
    let (_world, [alice, bob]) = World::start(["alice", "bob"]).await;
    alice.chat_with(&bob).await;
    let (mut alices, mut bobs) = (alice.frontend().await, bob.frontend().await);
    lock_keeping_session(&bob).await;
    alices.until("interrupted", |state| state.chats[0].state == ChatState::Interrupted).await;
    let waiting = tokio::spawn(alice.ctl(["send", "bob", "meanwhile"]));
    alices.until("a text that waits", |state| state.chats[0].undelivered == 1).await;
    bob.unlock(PASSPHRASE).await;
    waiting.await.unwrap().ok();
    bobs.until_open_with(&alice.name).await;
    assert!(bobs.state().incoming.is_empty(), "nobody was asked");
    assert!(bob.ctl(["read"]).await.ok().stdout.contains("meanwhile"));
}

#[tokio::test]
async fn what_arrived_survives_a_crash_which_ends_it() {
    let (_world, [alice, mut bob]) = World::start(["alice", "bob"]).await;
    lock_keeping_session(&bob).await;
    let mut bobs = bob.frontend().await;
    alice.ctl(["rtt", "bob", "--no-wait"]).await.ok();
    bobs.until_asked_by(&alice.name).await;
    // Answered when it is on the disk, with all before it.
    bob.ctl(["later", "alice"]).await.ok();
    bob.ctl(["policy", "ask"]).await.ok();
    bob.kill();
    alice.ctl(["logout"]).await.ok();
    bob.start_locked().await;
    let mut bobs = bob.frontend().await;
    assert_eq!(bobs.state().status.lock, LockState::Locked, "the delegated key was in memory only");
    bob.unlock(PASSPHRASE).await;
    bobs.until("the request", |state| {
        state.incoming.iter().any(|asked| asked.peer == alice.name && asked.state == RequestState::Later)
    })
    .await;
}

#[tokio::test]
async fn lock_ends_it() {
    let (_world, [alice, bob]) = World::start(["alice", "bob"]).await;
    lock_keeping_session(&bob).await;
    bob.ctl(["lock"]).await.ok();
    let state = bob.frontend().await;
    assert_eq!(state.state().status.lock, LockState::Locked);
    alice.ctl(["rtt", "bob"]).await.with_code(6);
    bob.ctl(["lock", "--keep-session"]).await.with_code(4).says("secchatctl unlock");
}

#[tokio::test]
async fn the_screens_lock_keeps_the_session_where_it_is_configured() {
    let bus = Bus::start().await;
    let logind = Logind::start(&bus).await;
    let (world, [alice, mut bob]) = World::start(["alice", "bob"]).await;
    bob.stop().await;
    let more = "lock_on_screen_lock = true\nlock_keeps_session = true\n";
    bob.home.write_config(&format!("{}{more}", bob.config(world.relay.address)));
    bob.start_with(&[("DBUS_SYSTEM_BUS_ADDRESS", &bus.address())]).await;
    bob.is_online().await;
    bob.daemon().log().wait_for("listening to logind").await;
    logind.lock_session(OWN_SESSION).await;
    let mut bobs = bob.frontend().await;
    let is_back = |link: &LinkState| *link == LinkState::Online;
    bobs.until("reachable", |state| {
        matches!(state.status.lock, LockState::Reachable { .. }) && is_back(&state.status.link)
    })
    .await;
    alice.ctl(["rtt", "bob", "--no-wait"]).await.ok();
    bobs.until_asked_by(&alice.name).await;
}

/// Whoever reads the delegated key out of bob's memory: each message that there is, said to the real relay.
#[tokio::test]
async fn who_has_the_delegated_key_reaches_nobody() {
    let (world, [alice, mut bob]) = World::start(["alice", "bob"]).await;
    bob.ctl(["policy", "accept"]).await.ok();
    let alices = alice.frontend().await;
    let ca = world.pki.ca.pem();
    let identity = SigningKey::from_pkey(bob.key.clone()).unwrap();
    let name = proto_name("bob");
    let delegate = DelegatedKey::make((&name, &identity), unix_now() + 600, &mut OsEntropy).unwrap();
    let login = || WireClient::login_delegated(world.relay.address, &ca, ("bob", &bob.key), &delegate);
    // Bob's own session answers: his place is not taken.
    assert_eq!(login().await.err(), Some(LoginOutcome::Rejected(RejectReason::Busy)));
    bob.ctl(["lock"]).await.ok();
    let mut thief = login().await.unwrap();
    alice.ctl(["rtt", "bob", "--no-wait"]).await.ok();
    let (mut chat_id, mut rtt) = (None, None);
    while rtt.is_none() {
        if let LinkMessage::Rtt { request, .. } = thief.hears.next().await.expect("the link") {
            chat_id =
                secchat_proto::wire::request::RequestToTalk::decode(&request).ok().map(|rtt| rtt.chat_id);
            rtt = Some(request);
        }
    }
    let chat_id = chat_id.expect("a request");
    let peer = || proto_name("alice");
    let before = alices.state().clone();
    thief.ask(&peer()).await;
    for message in [
        LinkMessage::Response { answer: Answer::Accept, name: peer(), chat_id },
        LinkMessage::Response { answer: Answer::Refuse, name: peer(), chat_id },
        LinkMessage::Response { answer: Answer::Withdraw, name: peer(), chat_id },
        LinkMessage::Resume { name: peer(), chat_id },
        LinkMessage::KeyEstablishment { chat_id, step: Step::M1, body: vec![1; 34] },
        LinkMessage::KeyEstablishment { chat_id, step: Step::M2, body: vec![1; 1_328] },
        LinkMessage::KeyEstablishment { chat_id, step: Step::M3, body: vec![1; 1_204] },
        LinkMessage::Chat { chat_id, record: vec![1; 92] },
        LinkMessage::ReturnToLobby { chat_id },
        LinkMessage::Presence { role: Role::Sender },
        LinkMessage::Acknowledgment { name: peer(), chat_id },
        LinkMessage::Pong([1; 8]),
    ] {
        thief.says.say(&message).await;
    }
    thief.is_undisturbed().await;
    // All of it is dealt with. Alice's daemon has heard nothing: bob is on her list, and her question stands.
    assert!(alice.ctl(["list"]).await.ok().stdout.contains("bob"));
    let after = alice.frontend().await.state().clone();
    assert_eq!((after.incoming, after.chats), (before.incoming, before.chats));
    assert_eq!(after.outgoing.len(), 1);
    drop(thief);
    bob.stop().await;
}

/// The private half of an Ed25519 key, and both primes of an RSA key as OpenSSL has them in memory.
fn secrets(key: &PKey<openssl::pkey::Private>) -> Vec<Vec<u8>> {
    match key.rsa() {
        Err(_) => vec![key.raw_private_key().expect("an Ed25519 key")],
        Ok(rsa) => [rsa.p(), rsa.q()]
            .into_iter()
            .map(|prime| prime.expect("a prime").to_vec().into_iter().rev().collect())
            .collect(),
    }
}

#[tokio::test]
async fn the_identity_key_is_gone_from_the_daemons_memory() {
    for key in [
        PKey::generate_ed25519().unwrap(),
        PKey::from_rsa(openssl::rsa::Rsa::generate(2_048).unwrap()).unwrap(),
    ] {
        for lock in [&["lock"][..], &["lock", "--keep-session"]] {
            let (world, [alice, mut bob]) = World::start(["alice", "bob"]).await;
            bob.stop().await;
            world.pki.write_user_list([("alice", &alice.key), ("bob", &key)]);
            let port = world.relay.stop().await;
            let relay = TestRelay::start_at(&world.pki, port).await;
            let mut bob = TestUser::new("bob", &key, &world.pki, relay.address);
            bob.start().await;
            bob.is_online().await;
            // It has signed an M2.
            alice.is_online().await;
            alice.chat_with(&bob).await;
            let Some(memory) = Memory::of(bob.daemon().pid()) else {
                return println!("not root: the daemon's memory was not searched");
            };
            for secret in secrets(&key) {
                assert!(!memory.find(&secret).is_empty(), "the key that it works with is there");
            }
            let command: Vec<&str> = lock.to_vec();
            match command.as_slice() {
                [lock] => bob.ctl([lock]).await.ok(),
                [lock, keep] => bob.ctl([lock, keep]).await.ok(),
                _ => panic!("{command:?}"),
            };
            let memory = Memory::of(bob.daemon().pid()).expect("as before");
            for secret in secrets(&key) {
                let left = memory.find(&secret);
                assert!(left.is_empty(), "after {command:?}: {left:#?}");
            }
        }
    }
}
