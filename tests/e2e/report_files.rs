//! The report's own files, made by OpenSSL's command line, work as they are.

use std::path::Path;
use std::process::Command;

use openssl::pkey::PKey;
use secchat_e2e::{CrlSpec, PASSPHRASE, Pki, TestRelay, TestUser};

#[tokio::test]
async fn they_log_in_over_both_suites_and_talk() {
    let pki = Pki::new();
    // The CRL of the report has no nextUpdate, which the command line cannot leave out.
    pki.write_crl(&CrlSpec { next_update: None, ..CrlSpec::default() });
    let shown = openssl(&pki.path(""), "crl -in crl.pem -noout -nextupdate -CAfile ca.pem");
    assert!(shown.contains("nextUpdate=NONE"), "{shown}");
    let names = ["alice", "bob"];
    for name in names {
        let folder = pki.path("");
        openssl(
            &folder,
            &format!("genrsa -des3 -traditional -passout pass:{PASSPHRASE} -out {name}_privkey.pem 2048"),
        );
        openssl(
            &folder,
            &format!("rsa -in {name}_privkey.pem -passin pass:{PASSPHRASE} -pubout -out {name}_pubkey.pem"),
        );
    }
    pki.write("user_list", b"alice\nbob\n");
    let relay = TestRelay::start(&pki).await;

    let mut users = names.map(|name| {
        let pem = std::fs::read(pki.path(&format!("{name}_privkey.pem"))).unwrap();
        assert!(String::from_utf8_lossy(&pem).contains("DEK-Info: DES-EDE3-CBC"));
        let key = PKey::private_key_from_pem_passphrase(&pem, PASSPHRASE.as_bytes()).unwrap();
        let user = TestUser::new(name, &key, &pki, relay.address);
        std::fs::write(user.home.config_dir().join("identity.pem"), pem).unwrap();
        user
    });
    for (suites, user) in ["\"rsa3072\"", "\"x25519mlkem768\""].iter().zip(&mut users) {
        user.home.write_config(&format!("{}link_suites = [{suites}]\n", user.config(relay.address)));
        user.start().await;
        user.is_online().await;
        let status = user.ctl(["status"]).await.ok();
        assert!(status.stdout.contains("(nextUpdate)"), "no warning in {status:?}");
    }
    let [alice, bob] = users;
    alice.chat_with(&bob).await;
    alice.ctl(["send", "bob", "as in 2021"]).await.ok();
}

#[tokio::test]
async fn peers_agree_over_the_digital_envelope_when_both_permit_it() {
    let pki = Pki::new();
    let keys = [(); 2].map(|()| PKey::generate_ed25519().unwrap());
    pki.write_user_list(["alice", "bob"].into_iter().zip(&keys));
    let relay = TestRelay::start(&pki).await;
    let mut users = [("alice", &keys[0]), ("bob", &keys[1])]
        .map(|(name, key)| TestUser::new(name, key, &pki, relay.address));
    for user in &mut users {
        user.home.write_config(&format!("{}peer_suites = [\"rsa3072\"]\n", user.config(relay.address)));
        user.start().await;
        user.is_online().await;
    }
    let [alice, bob] = users;
    alice.chat_with(&bob).await;
    bob.ctl(["send", "alice", "sealed as the report would"]).await.ok();
}

fn openssl(folder: &Path, arguments: &str) -> String {
    let output =
        Command::new("openssl").current_dir(folder).args(arguments.split(' ')).output().expect("openssl");
    let shown =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "openssl {arguments}: {shown}");
    shown
}
