//! The exit codes that no other story ends in: 1, 2, 3, 4 and 5. (0, 7 consent; 6, 8 consent; 9 key_change; 10
//! conversation.)

use openssl::pkey::PKey;
use secchat_e2e::{CtlOutput, Home, PASSPHRASE, Pki, TestRelay, TestUser, World};

#[tokio::test]
async fn no_daemon_is_3() {
    let home = Home::empty();
    for command in [&["status"][..], &["list"], &["send", "bob", "hello"], &["read"], &["watch"]] {
        let mut program = home.command("secchatctl");
        program.args(command);
        CtlOutput::of(program, None).await.with_code(3).says("secchatd");
    }
}

#[tokio::test]
async fn locked_is_4() {
    let pki = Pki::new();
    let key = PKey::generate_ed25519().unwrap();
    pki.write_user_list([("alice", &key)]);
    let relay = TestRelay::start(&pki).await;
    let mut alice = TestUser::new("alice", &key, &pki, relay.address);
    alice.start_locked().await;
    alice.ctl(["rtt", "bob"]).await.with_code(4).says("secchatctl unlock");
    alice.ctl(["accept", "bob"]).await.with_code(4);
    assert!(alice.ctl(["status"]).await.ok().stdout.contains("lock"));

    alice.unlock(PASSPHRASE).await;
    alice.is_online().await;
    alice.ctl(["lock"]).await.ok();
    alice.ctl(["list"]).await.with_code(4);
}

#[tokio::test]
async fn not_connected_is_5() {
    let (world, [alice]) = World::start(["alice"]).await;
    alice.ctl(["logout"]).await.ok();
    alice.ctl(["list"]).await.with_code(5).says("login");
    alice.ctl(["rtt", "bob"]).await.with_code(5);
    alice.ctl(["login"]).await.ok();
    alice.ctl(["list"]).await.ok();
    let mut alices = alice.frontend().await;
    let _ = world.relay.stop().await;
    alices
        .until("the link is gone", |state| state.status.link != secchat_ipc::types::LinkState::Online)
        .await;
    alice.ctl(["list"]).await.with_code(5);
}

#[tokio::test]
async fn usage_is_2_and_failure_1() {
    let (_world, [alice]) = World::start(["alice"]).await;
    alice.ctl(["dance"]).await.with_code(2);
    alice.ctl(["rtt"]).await.with_code(2);
    alice.ctl(["rtt", "bob", "--timeout", "soon"]).await.with_code(2);
    alice.ctl(["accept", "bob"]).await.with_code(1).says("bob has not asked");
    alice.ctl(["verify", "bob"]).await.with_code(1).says("bob");
}

#[tokio::test]
async fn names_that_are_none_are_usage_errors() {
    // Found before anybody is asked: there is not even a daemon.
    let home = Home::empty();
    let too_long = "x".repeat(33);
    for name in ["../bob", "a/b", "..", "Bob", "", &too_long, "bob\u{202e}", "-bob", "b ob"] {
        let mut command = home.command("secchatctl");
        command.args(["rtt", "--", name]);
        let refused = CtlOutput::of(command, None).await.with_code(2);
        assert!(!refused.stderr.contains('\u{202e}'), "{refused:?}");
    }
}
