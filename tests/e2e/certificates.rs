//! A relay whose certificate or CRL does not stand gets no login, and the person learns why.

use openssl::pkey::{PKey, Private};
use secchat_e2e::{Ca, CertificateSpec, CrlSpec, EvilRelay, Pki, TestUser};
use secchat_ipc::types::LinkState;

const DAY: i64 = 86_400;

/// Spoils the relay's files.
type Flaw = fn(&Pki);

const FLAWS: [(&str, Flaw); 9] = [
    ("the relay's certificate has expired", |pki| {
        pki.write_certificate(&CertificateSpec { from: -2 * DAY, until: -DAY, ..CertificateSpec::default() });
    }),
    ("the relay's certificate is not valid yet", |pki| {
        pki.write_certificate(&CertificateSpec { from: DAY, until: 2 * DAY, ..CertificateSpec::default() });
    }),
    ("the relay's certificate has been revoked", |pki| {
        pki.write_crl(&CrlSpec { revoked: vec![3, 7, 250], ..CrlSpec::default() });
    }),
    ("the relay's certificate is for another name", |pki| {
        pki.write_certificate(&CertificateSpec { name: "relay.example", ..CertificateSpec::default() });
    }),
    ("the relay's certificate is not signed by the configured CA", |pki| {
        // Of the same name, so that only the key tells them apart.
        pki.write("relay.pem", &Ca::new("Test CA").issue(pki.key(), &CertificateSpec::default()));
    }),
    ("the certificate revocation list has expired", |pki| {
        pki.write_crl(&CrlSpec { this_update: -3 * DAY, next_update: Some(-DAY), ..CrlSpec::default() });
    }),
    ("the certificate revocation list is not valid yet", |pki| {
        pki.write_crl(&CrlSpec { this_update: DAY, ..CrlSpec::default() });
    }),
    ("the certificate revocation list is not signed by the configured CA", |pki| {
        pki.write("crl.pem", &Ca::new("Another CA").crl(&CrlSpec::default()));
    }),
    ("there is no certificate revocation list", |pki| {
        std::fs::remove_file(pki.path("crl.pem")).expect("crl.pem");
    }),
];

#[tokio::test]
async fn each_flaw_has_its_own_message() {
    for (message, spoil) in FLAWS {
        let (pki, key) = prepared();
        spoil(&pki);
        let relay = EvilRelay::bind(&pki, [("alice", &key)]).await;
        let mut alice = TestUser::new("alice", &key, &pki, relay.address);
        alice.start().await;
        has_failed(&alice).await;
        let status = alice.ctl(["status"]).await.ok();
        assert!(status.stdout.contains(message), "“{message}” is not in {status:?}");
        alice.daemon().log().wait_for(message).await;
        alice.ctl(["list"]).await.with_code(5).says(message);
    }
}

#[tokio::test]
async fn the_clients_own_crl_serves_when_the_relay_has_none() {
    let (pki, key) = prepared();
    std::fs::remove_file(pki.path("crl.pem")).unwrap();
    let relay = EvilRelay::bind(&pki, [("alice", &key)]).await;
    let address = relay.address;
    let mut alice = TestUser::new("alice", &key, &pki, address);
    tokio::spawn(relay.run(EvilRelay::honest));
    std::fs::write(alice.home.config_dir().join("crl.pem"), pki.ca.crl(&CrlSpec::default())).unwrap();
    alice.home.write_config(&format!("{}crl = \"crl.pem\"\n", alice.config(address)));
    alice.start().await;
    alice.is_online().await;
}

/// Whoever holds a key that was revoked would rather show the list of before, or none.
#[tokio::test]
async fn a_revocation_is_never_unlearnt() {
    let (pki, key) = prepared();
    let relay = EvilRelay::bind(&pki, [("alice", &key)]).await;
    let mut alice = TestUser::new("alice", &key, &pki, relay.address);
    tokio::spawn(relay.run(EvilRelay::honest));
    alice.start().await;
    alice.is_online().await;
    let older = pki.ca.crl(&CrlSpec::default());
    alice.ctl(["logout"]).await.ok();

    pki.write_crl(&CrlSpec { this_update: -DAY / 2, revoked: vec![7], ..CrlSpec::default() });
    alice.ctl(["login"]).await.with_code(5).says("has been revoked");
    std::fs::remove_file(pki.path("crl.pem")).unwrap();
    alice.ctl(["login"]).await.with_code(5).says("has been revoked");
    pki.write("crl.pem", &older);
    alice.ctl(["login"]).await.with_code(5).says("has been revoked");

    alice.stop().await;
    alice.start().await;
    has_failed(&alice).await;
    alice.ctl(["login"]).await.with_code(5).says("has been revoked");
    alice.stop().await;
    // Its time alone is enough, should the list itself get lost.
    std::fs::remove_file(alice.home.state_dir().join("newest-crl.der")).unwrap();
    alice.start().await;
    has_failed(&alice).await;
    alice.ctl(["login"]).await.with_code(5).says("older than");
}

/// Awaits the end of a login that came to nothing.
async fn has_failed(user: &TestUser) {
    let mut frontend = user.frontend().await;
    frontend.until("a failed login", |state| matches!(state.status.link, LinkState::Waiting { .. })).await;
}

fn prepared() -> (Pki, PKey<Private>) {
    let (pki, key) = (Pki::new(), PKey::generate_ed25519().unwrap());
    pki.write_user_list([("alice", &key)]);
    (pki, key)
}
