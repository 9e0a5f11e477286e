//! Relays that are not there, are none, or are not to be trusted.

use secchat_e2e::{Ca, CertificateSpec, EvilRelay, TestRelay, TestUser};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::{DAY, is_found, mend, prepared, without_relay};

#[tokio::test]
async fn bad_relays_are_found() {
    let (_pki, alice) = without_relay();
    is_found(
        &alice.home,
        "no relay listens",
        ["relay", "failed", "connection refused", "secchatctl config show"],
    )
    .await;

    let babbler = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    alice.home.write_config(&alice.config(babbler.local_addr().unwrap()));
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = babbler.accept().await {
            let _ = stream.write_all(&[0xff; 64]).await;
            let _ = stream.read(&mut [0]).await;
        }
    });
    is_found(
        &alice.home,
        "another server",
        ["relay", "failed", "does not answer as", "secchatctl config show"],
    )
    .await;

    let flaws: [(&str, CertificateSpec, [&str; 4]); 3] = [
        (
            "tomorrow's",
            spec(DAY, 2 * DAY, "localhost"),
            ["relay", "failed", "not valid yet", "sudo timedatectl"],
        ),
        (
            "yesterday's",
            spec(-2 * DAY, -DAY, "localhost"),
            ["relay", "failed", "has expired", "sudo timedatectl"],
        ),
        (
            "another's",
            spec(-DAY, DAY, "relay.example"),
            ["relay", "failed", "another name", "secchatctl config show"],
        ),
    ];
    for (what, certificate, expected) in flaws {
        let (pki, key) = prepared();
        pki.write_certificate(&certificate);
        let relay = EvilRelay::bind(&pki, [("alice", &key)]).await;
        let alice = TestUser::new("alice", &key, &pki, relay.address);
        tokio::spawn(relay.run(EvilRelay::honest));
        is_found(&alice.home, what, expected).await;
    }
}

#[tokio::test]
async fn another_ca_is_mended_by_the_right_one() {
    let (pki, key) = prepared();
    let relay = TestRelay::start(&pki).await;
    let alice = TestUser::who_trusts("alice", &key, &Ca::new("Test CA").pem(), relay.address);
    let expected = ["relay", "failed", "not signed by the configured CA", "install -m 644 NEW-CA.pem "];
    is_found(&alice.home, "another CA", expected).await;
    std::fs::write(alice.home.path("NEW-CA.pem"), pki.ca.pem()).unwrap();
    mend(&alice.home, "relay").await;
}

fn spec(from: i64, until: i64, name: &'static str) -> CertificateSpec {
    CertificateSpec { from, until, name, ..CertificateSpec::default() }
}
