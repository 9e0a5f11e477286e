//! A key takes the place of another: for peers who verified the old one, for those who did not, and for an operator
//! whose relay runs all the while.

use std::process::Command;

use openssl::pkey::PKey;
use openssl::rsa::Rsa;
use secchat_e2e::{CtlOutput, PASSPHRASE, Pki, TestRelay, TestUser, World, binary};
use secchat_ipc::Snapshot;
use secchat_ipc::types::{EndReason, KeyTrust, LinkState};

const NEW: &str = "another passphrase";

/// The operator's program, in the relay's folder.
async fn operator(pki: &Pki, arguments: &[&str]) -> CtlOutput {
    let mut command = Command::new(binary("secchat-relay"));
    command.current_dir(pki.path("")).args(arguments);
    CtlOutput::of(command, None).await
}

/// Makes the key that follows; gives what both signed.
async fn rotated(user: &TestUser) -> String {
    let both = format!("{PASSPHRASE}\n{NEW}\n");
    let arguments = ["keygen", "--rotate", "--passphrase-fd", "0"];
    let made = user.ctl_with_input(arguments, both.as_bytes()).await.ok();
    assert!(made.stderr.contains("--rotate --finish"), "{made:?}");
    made.stdout.trim().to_owned()
}

async fn verify(one: &TestUser, other: &TestUser) {
    let number = one.ctl(["verify", other.name.as_str()]).await;
    one.ctl(["verify", other.name.as_str(), "--expect", number.stdout.trim()]).await.ok();
}

async fn trust(of: &TestUser, peer: &TestUser) -> KeyTrust {
    let mut frontend = of.frontend().await;
    let reply = frontend.call(secchat_ipc::Command::Peers).await;
    let Ok(secchat_ipc::Reply::Peers(peers)) = reply else { panic!("{reply:?}") };
    peers.iter().find(|known| known.peer == peer.name).expect("is known").trust
}

#[tokio::test]
async fn who_verified_the_old_key_follows_with_a_word_and_who_did_not_is_asked() {
    let (world, [mut alice, bob, carol]) = World::start(["alice", "bob", "carol"]).await;
    for peer in [&bob, &carol] {
        alice.chat_with(peer).await;
    }
    verify(&bob, &alice).await;
    bob.ctl(["send", "--queue", "alice", "before"]).await.ok();

    // Alice makes the key. Twice is the same, and nothing is in use yet.
    let succession = rotated(&alice).await;
    assert_eq!(alice.ctl(["keygen", "--rotate"]).await.ok().stdout.trim(), succession);
    let file = std::fs::read_to_string(alice.home.config_dir().join("alice.succession")).unwrap();
    assert_eq!(file.trim(), succession);

    // The operator takes it, while all of them talk: nobody's session ends.
    let mut hers = alice.frontend().await;
    operator(&world.pki, &["user", "rotate", "alice", &succession]).await.ok();
    operator(&world.pki, &["reload", "--config", "relay.toml"]).await.ok();
    hers.until("alice is there", |state| state.status.link == LinkState::Online).await;
    bob.ctl(["send", "alice", "still by the old key"]).await.ok();

    // Alice takes it into use. A daemon that is killed in between finds its store with either.
    alice.kill();
    alice.ctl(["keygen", "--rotate", "--finish"]).await.ok();
    alice.ctl(["keygen", "--rotate", "--finish"]).await.with_code(1).says("no new key waits");
    alice.start_with_passphrase(NEW).await;
    alice.is_online().await;
    alice.kill();
    alice.start_with_passphrase(NEW).await;
    alice.is_online().await;
    let state = alice.frontend().await.state().clone();
    assert!(state.chats.is_empty(), "chats end with the key: {:?}", state.chats);
    assert!(state.unread.iter().any(|text| text.text == "still by the old key"), "nothing unread is lost");

    // Bob follows, and hears so. His text goes to her.
    let mut his = bob.frontend().await;
    let asking = tokio::spawn(alice.ctl(["rtt", "bob"]));
    his.until_asked_by(&alice.name).await;
    assert_eq!(trust(&bob, &alice).await, KeyTrust::Followed);
    assert!(bob.ctl(["peers"]).await.ok().stdout.contains("followed"));
    bob.ctl(["accept", "alice"]).await.ok();
    asking.await.expect("rtt").ok();
    bob.ctl(["send", "alice", "hello again"]).await.ok();

    // Carol is asked: a changed key, of which the old one says that it is alice's.
    let asking = tokio::spawn(alice.ctl(["rtt", "carol"]));
    let mut theirs = carol.frontend().await;
    let is_told = |state: &Snapshot| state.chats.iter().any(|chat| chat.trust == KeyTrust::Vouched);
    theirs.until("carol is told", is_told).await;
    carol.ctl(["rtt", "alice"]).await.with_code(9);
    carol.ctl(["accept", "alice"]).await.with_code(9);
    let shown = carol.ctl(["verify", "alice"]).await.with_code(9);
    assert!(shown.stderr.contains("signed for the new one"), "{shown:?}");
    let words = alice.ctl(["verify", "carol", "--words"]).await.stdout;
    carol.ctl(["verify", "alice", "--expect", &words]).await.ok();
    theirs.until_asked_by(&alice.name).await;
    carol.ctl(["accept", "alice"]).await.ok();
    asking.await.expect("rtt").ok();
    assert_eq!(trust(&carol, &alice).await, KeyTrust::Verified);
}

#[tokio::test]
async fn a_daemon_that_runs_takes_the_new_key_with_the_next_unlock() {
    let (world, [alice, bob]) = World::start(["alice", "bob"]).await;
    alice.chat_with(&bob).await;
    verify(&bob, &alice).await;
    let succession = rotated(&alice).await;
    operator(&world.pki, &["user", "rotate", "alice", &succession]).await.ok();
    operator(&world.pki, &["reload", "--config", "relay.toml"]).await.ok();
    alice.ctl(["keygen", "--rotate", "--finish"]).await.ok();
    let mut hers = alice.frontend().await;
    alice.ctl(["lock"]).await.ok();
    alice.unlock(NEW).await;
    alice.is_online().await;
    let ended = |event: secchat_ipc::Event| {
        matches!(event, secchat_ipc::Event::ChatEnded { reason: EndReason::KeyGone, .. }).then_some(())
    };
    hers.find(ended).await;
    alice.chat_with(&bob).await;
    assert_eq!(trust(&bob, &alice).await, KeyTrust::Followed);
}

#[tokio::test]
async fn when_its_time_is_over_the_old_key_is_a_wrong_one() {
    let (world, [mut alice, bob]) = World::start(["alice", "bob"]).await;
    let succession = rotated(&alice).await;
    operator(&world.pki, &["user", "rotate", "alice", &succession, "--for", "0"]).await.ok();
    let mut hers = alice.frontend().await;
    let is_out = |state: &Snapshot| matches!(state.status.link, LinkState::Replaced { .. });
    hers.until("the session of the old key ends", is_out).await;
    alice.kill();
    alice.start_locked().await;
    alice.unlock(PASSPHRASE).await;
    let mut hers = alice.frontend().await;
    let is_refused = |state: &Snapshot| matches!(&state.status.link, LinkState::Waiting { why, .. } if why.contains("user_list"));
    hers.until("the old key is refused as an unknown one is", is_refused).await;
    operator(&world.pki, &["check", "--config", "relay.toml"]).await.says("old key is not taken since");
    alice.ctl(["keygen", "--rotate", "--finish"]).await.ok();
    alice.ctl(["lock"]).await.ok();
    alice.unlock(NEW).await;
    alice.is_online().await;
    alice.chat_with(&bob).await;
}

#[tokio::test]
async fn the_reports_rsa_key_is_followed_by_a_modern_one() {
    let pki = Pki::new();
    let rsa = PKey::from_rsa(Rsa::generate(2_048).unwrap()).unwrap();
    let bobs = PKey::generate_ed25519().unwrap();
    // As the report has them: a bare name, and its key in a file.
    pki.write("alice_pubkey.pem", &rsa.public_key_to_pem().unwrap());
    pki.write_user_list([("bob", &bobs)]);
    let list = std::fs::read_to_string(pki.path("user_list")).unwrap();
    pki.write("user_list", format!("alice\n{list}").as_bytes());
    pki.write_config("");
    let relay = TestRelay::start(&pki).await;
    let address = relay.address;
    let (mut alice, mut bob) =
        (TestUser::new("alice", &rsa, &pki, address), TestUser::new("bob", &bobs, &pki, address));
    alice.start().await;
    bob.start().await;
    bob.is_online().await;
    alice.is_online().await;
    alice.chat_with(&bob).await;
    verify(&bob, &alice).await;
    let succession = rotated(&alice).await;
    let said = operator(&pki, &["user", "rotate", "alice", &succession]).await.ok();
    assert!(said.stdout.contains("Nobody reads") && said.stdout.contains("alice_pubkey.pem"), "{said:?}");
    operator(&pki, &["reload", "--config", "relay.toml"]).await.ok();
    alice.ctl(["keygen", "--rotate", "--finish"]).await.ok();
    alice.ctl(["lock"]).await.ok();
    alice.unlock(NEW).await;
    alice.is_online().await;
    alice.chat_with(&bob).await;
    assert_eq!(trust(&bob, &alice).await, KeyTrust::Followed);
}
