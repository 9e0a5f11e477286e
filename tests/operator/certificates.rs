//! Renewal and revocation, as a real daemon sees them.

use std::fs::{Permissions, set_permissions};
use std::os::unix::fs::PermissionsExt as _;

use secchat_e2e::{Ca, CrlSpec, Operator, TestUser};
use secchat_ipc::types::LinkState;

/// Starts the user's daemon, awaits its login, stops it.
async fn logs_in(user: &mut TestUser) {
    user.start().await;
    user.is_online().await;
    user.stop().await;
}

/// Starts the user's daemon, awaits that it gives this cause for not logging in, stops it.
async fn is_refused(user: &mut TestUser, cause: &str) {
    user.start().await;
    let mut frontend = user.frontend().await;
    frontend.until(cause, |state| matches!(state.status.link, LinkState::Waiting { .. })).await;
    user.daemon().log().wait_for(cause).await;
    user.stop().await;
}

#[tokio::test]
async fn daemons_take_what_was_renewed_and_refuse_what_was_revoked() {
    let operator = Operator::init().await;
    let (relay, address) = operator.serve(0).await;
    relay.stop().await;
    let mut alice = operator.add_user("alice", address).await;
    let restart = async || operator.serve(address.port()).await.0;

    let relay = restart().await;
    logs_in(&mut alice).await;
    let (old_key, old_crl) = (operator.read("relay-key.pem"), operator.read("crl.pem"));
    relay.stop().await;
    operator.run(&["cert", "renew", "--new-key"]).await.ok();
    assert_ne!(operator.read("relay-key.pem"), old_key);

    let relay = restart().await;
    logs_in(&mut alice).await;
    relay.stop().await;
    operator.run(&["cert", "revoke", "--certificate", "relay.pem.old"]).await.ok();
    operator.run(&["crl", "refresh"]).await.ok();
    let relay = restart().await;
    logs_in(&mut alice).await;
    relay.stop().await;

    // Whoever has the old key is no relay any more, with the new list, or with the old: alice has kept the new one.
    let (new_key, new_certificate) = (operator.read("relay-key.pem"), operator.read("relay.pem"));
    operator.write("relay-key.pem", &old_key);
    operator.write("relay.pem", &operator.read("relay.pem.old"));
    let relay = restart().await;
    is_refused(&mut alice, "the relay's certificate has been revoked").await;
    relay.stop().await;
    operator.write("crl.pem", &old_crl);
    let relay = restart().await;
    is_refused(&mut alice, "the relay's certificate has been revoked").await;
    relay.stop().await;

    operator.write("relay-key.pem", &new_key);
    operator.write("relay.pem", &new_certificate);
    let _relay = restart().await;
    logs_in(&mut alice).await;
}

#[tokio::test]
async fn check_says_what_daemons_would() {
    let operator = Operator::init().await;
    // A list that never gets stale: no command line of OpenSSL's makes one.
    let ca = Ca::new("Test CA");
    operator.write("ca.pem", &ca.pem());
    operator.write("ca-key.pem", &ca.key_pem());
    operator.write("crl.pem", &ca.crl(&CrlSpec { next_update: None, ..CrlSpec::default() }));
    operator.run(&["cert", "renew"]).await.ok();
    let said = operator.run(&["check"]).await.ok().says("warning: crl.pem has no nextUpdate");
    assert!(said.stdout.contains("ca.pem: who trusts it takes the relay's certificate"), "{said:#?}");

    let (relay, address) = operator.serve(0).await;
    let mut alice = operator.add_user("alice", address).await;
    let mut bob = operator.add_user("bob", address).await;
    relay.stop().await;
    let (relay, _) = operator.serve(address.port()).await;
    logs_in(&mut alice).await;
    relay.stop().await;

    operator.write("crl.pem", &ca.crl(&CrlSpec { next_update: Some(-60), ..CrlSpec::default() }));
    operator.run(&["check"]).await.with_code(1).says("crl.pem has ended on ");
    let (relay, _) = operator.serve(address.port()).await;
    // Alice has kept the list of before; bob has none.
    is_refused(&mut bob, "the certificate revocation list has expired").await;
    relay.stop().await;
    operator.run(&["crl", "refresh"]).await.ok();
    operator.run(&["check"]).await.ok();
    let (_relay, _) = operator.serve(address.port()).await;
    logs_in(&mut bob).await;
    set_permissions(operator.path("relay-key.pem"), Permissions::from_mode(0o644)).unwrap();
    operator.run(&["check"]).await.with_code(1).says("relay-key.pem can be read by others");
}
