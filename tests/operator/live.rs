//! The operator's commands while a relay runs: it takes each in by itself, as the commands say.

use openssl::pkey::PKey;
use openssl::x509::X509;
use secchat_e2e::{Ca, CrlSpec, Operator, TestUser, public_key_base64};
use secchat_ipc::types::LinkState;

async fn is_out(user: &TestUser) {
    let what = format!("{} is logged out", user.name);
    user.frontend().await.until(&what, |state| state.status.link != LinkState::Online).await;
}

#[tokio::test]
async fn users_come_and_go_and_change_their_keys() {
    let operator = Operator::init().await;
    let (_relay, address) = operator.serve(0).await;
    let mut alice = operator.add_user("alice", address).await;
    let mut bob = operator.add_user("bob", address).await;
    alice.start().await;
    bob.start().await;
    alice.is_online().await;
    bob.is_online().await;
    alice.chat_with(&bob).await;

    // Alice has another key: the old one is out, the new one is in.
    let key = PKey::generate_ed25519().unwrap();
    operator.run(&["user", "add", "alice", &public_key_base64(&key), "--replace"]).await.ok();
    is_out(&alice).await;
    let mut new_alice = TestUser::who_trusts("alice", &key, &operator.read("ca.pem"), address);
    new_alice.start().await;
    new_alice.is_online().await;

    operator.run(&["user", "remove", "alice"]).await.ok();
    is_out(&new_alice).await;
    bob.is_online().await;
    bob.ctl(["list"]).await.ok();
}

#[tokio::test]
async fn a_renewal_disturbs_nobody_and_keys_are_never_mixed() {
    let operator = Operator::init().await;
    let (relay, address) = operator.serve(0).await;
    let mut alice = operator.add_user("alice", address).await;
    let mut bob = operator.add_user("bob", address).await;
    alice.start().await;
    alice.is_online().await;
    let losses = alice.daemon().log().text().matches("offline").count();
    let credentials = "credentials=true";
    let before = relay.log().text().matches(credentials).count();
    for round in 0..6 {
        let command = if round % 2 == 0 { &["cert", "renew", "--new-key"][..] } else { &["cert", "renew"] };
        operator.run(command).await.ok();
        // Whichever of the two is in force by now, it is whole, or bob would not take the relay.
        bob.start().await;
        bob.is_online().await;
        bob.stop().await;
        let taken = before + round + 1;
        relay.log().wait_until("the renewal", |log| log.matches(credentials).count() >= taken).await;
    }
    let log = relay.log().text();
    assert!(!log.contains("ERROR"), "{log}");
    let mut frontend = alice.frontend().await;
    frontend.until("alice has stayed", |state| state.status.link == LinkState::Online).await;
    assert_eq!(alice.daemon().log().text().matches("offline").count(), losses);

    // What is on file is in force, in the end: its revocation keeps everybody out.
    let certificate = X509::from_pem(&operator.read("relay.pem")).unwrap();
    let serial = certificate.serial_number().to_bn().unwrap().to_hex_str().unwrap().to_string();
    operator
        .run(&["cert", "revoke", "--serial", &serial])
        .await
        .with_code(1)
        .says("is the certificate in force");
    operator.run(&["cert", "revoke", "--serial", &serial, "--force"]).await.ok();
    let taken = before + 7;
    relay.log().wait_until("the revocation", |log| log.matches(credentials).count() >= taken).await;
    bob.start().await;
    bob.daemon().log().wait_for("the relay's certificate has been revoked").await;
}

#[tokio::test]
async fn the_end_of_a_list_that_comes_while_it_runs_is_told() {
    const DAY: i64 = 86_400;
    let operator = Operator::init().await;
    let ca = Ca::new("Test CA");
    operator.write("ca.pem", &ca.pem());
    operator.write("ca-key.pem", &ca.key_pem());
    operator.write("crl.pem", &ca.crl(&CrlSpec::default()));
    operator.run(&["cert", "renew"]).await.ok();
    let (relay, _) = operator.serve(0).await;
    let spec = CrlSpec { this_update: -50 * DAY, next_update: Some(5 * DAY), ..CrlSpec::default() };
    operator.write("crl.pem", &ca.crl(&spec));
    let log = relay.log().wait_for("the CRL ends in 5 days, on ").await;
    assert_eq!(log.matches("ends in").count(), 1, "{log}");
    operator.write("crl.pem", &ca.crl(&CrlSpec { next_update: Some(-60), ..spec }));
    relay.log().wait_for("the CRL has ended on ").await;
    operator.run(&["crl", "refresh"]).await.ok();
    operator.run(&["check"]).await.ok();
}
