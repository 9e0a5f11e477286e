//! Keys of users and of the relay change: on the list, in key files, by renewal.

use openssl::pkey::PKey;
use secchat_e2e::public_key_base64;
use secchat_proto::wire::link::LogoutReason;
use secchat_proto::wire::login::RejectReason;

use crate::relay::{Files, LiveRelay};
use secchat_e2e::LoginOutcome;

#[tokio::test]
async fn another_key_on_the_list() {
    let mut relay = LiveRelay::start().await;
    let mut alice = relay.login("alice").await;
    let mut carol = relay.login("carol").await;
    let (old, new) = (relay.keys["carol"].clone(), PKey::generate_ed25519().expect("a key"));
    let said = relay.run(["user", "add", "carol", &public_key_base64(&new), "--replace"]).await.ok();
    assert!(said.stdout.contains("ends the old key's session"), "{said:?}");
    relay.keys.insert("carol", new);
    carol.is_logged_out(LogoutReason::Removed).await;
    let refused = relay.login_at(relay.address, "carol", &old).await.err();
    assert_eq!(refused, Some(LoginOutcome::Rejected(RejectReason::NotAuthenticated)));
    let mut carol = relay.login("carol").await;
    alice.pair_with(&mut carol).await;
}

/// Keys in a folder of their own.
fn with_key_files(files: &Files) {
    let folder = files.path("keys");
    std::fs::create_dir(&folder).expect("a folder");
    for name in ["alice", "carol"] {
        let pem = files.keys[name].public_key_to_pem().expect("PEM");
        std::fs::write(folder.join(format!("{name}_pubkey.pem")), pem).expect("a key");
    }
    std::fs::write(files.path("user_list"), "alice\ncarol\n").expect("the list");
    files.configure("key_dir = \"keys\"\n");
}

#[tokio::test]
async fn another_key_in_a_key_file() {
    let mut relay = LiveRelay::start_with(with_key_files).await;
    let mut alice = relay.login("alice").await;
    let mut carol = relay.login("carol").await;
    let new = PKey::generate_ed25519().expect("a key");
    relay.write("new", new.public_key_to_pem().expect("PEM"));
    relay.shell("mv new keys/carol_pubkey.pem").await;
    carol.is_logged_out(LogoutReason::Removed).await;
    relay.keys.insert("carol", new);
    relay.login("carol").await;
    relay.shell("mv keys/carol_pubkey.pem keys/away").await;
    relay.logs("user_list:2: carol's key file", 1).await;
    let mut carol = relay.login("carol").await;
    relay.shell("mv keys/away keys/carol_pubkey.pem; touch keys/else; cp -r keys new").await;
    relay.logs("is_mended=true", 1).await;
    // The whole folder is swapped.
    relay.write("new/carol_pubkey.pem", relay.keys["dora"].public_key_to_pem().expect("PEM"));
    relay.shell("mv keys old; mv new keys").await;
    carol.is_logged_out(LogoutReason::Removed).await;
    alice.is_undisturbed().await;
}

#[tokio::test]
async fn a_key_file_that_is_written_in_every_way() {
    let mut relay = LiveRelay::start_with(with_key_files).await;
    let mut alice = relay.login("alice").await;
    for script in [
        "cat NEW > KEY",
        "cp NEW KEY",
        "mv NEW KEY",
        "line=$(sed -n 2p NEW); sed -i \"2s|.*|$line|\" KEY",
        "vim -N -u NONE -es --cmd 'set backup backupcopy=no backupskip=' -c '%!cat NEW' -c 'wq' KEY",
        "emacs -Q --batch KEY --eval '(progn (erase-buffer) (insert-file-contents \"../NEW\") (save-buffer))'",
        "rsync --checksum NEW KEY",
        "mv NEW elsewhere; ln -sfn ../elsewhere KEY",
        // As Kubernetes does with a folder of keys.
        "mkdir -p keys/..2; mv NEW keys/..2/key; ln -s ..2 keys/..new; mv -T keys/..new keys/..data; \
         ln -sfn ..data/key KEY",
        "mkdir -p keys/..3; mv NEW keys/..3/key; ln -s ..3 keys/..new; mv -T keys/..new keys/..data",
    ] {
        let mut carol = relay.login("carol").await;
        let key = PKey::generate_ed25519().expect("a key");
        relay.write("new", key.public_key_to_pem().expect("PEM"));
        relay.shell(&script.replace("NEW", "new").replace("KEY", "keys/carol_pubkey.pem")).await;
        relay.keys.insert("carol", key);
        carol.is_logged_out(LogoutReason::Removed).await;
    }
    relay.login("carol").await;
    alice.is_undisturbed().await;
}

#[tokio::test]
async fn a_renewed_certificate_is_for_new_logins_and_sessions_stay() {
    let relay = LiveRelay::start().await;
    let mut carol = relay.login("carol").await;
    let before = relay.run(["status", "--json"]).await.ok().json();
    relay.run(["cert", "renew", "--new-key", "--days", "100"]).await.ok();
    relay.logs("credentials=true", 1).await;
    let mut alice = relay.login("alice").await;
    let chat_id = alice.pair_with(&mut carol).await;
    let record = secchat_proto::wire::link::LinkMessage::Chat { chat_id, record: vec![1; 90] };
    alice.says.say(&record).await;
    carol.expect(record).await;
    let after = relay.run(["status", "--json"]).await.ok().json();
    let days = |key: &str, after: &serde_json::Value| after[key].as_i64().expect("days");
    assert!((99..=100).contains(&days("certificate_days_left", &after)), "{before} {after}");
    relay.run(["crl", "refresh", "--days", "60"]).await.ok();
    relay.logs("credentials=true", 2).await;
    let after = relay.run(["status", "--json"]).await.ok().json();
    assert!((59..=60).contains(&days("crl_days_left", &after)), "{before} {after}");
}

#[tokio::test]
async fn a_certificate_of_another_key_is_refused_until_its_key_comes() {
    let relay = LiveRelay::start().await;
    relay.shell("mkdir old; cp relay.pem relay-key.pem old").await;
    relay.run(["cert", "renew", "--new-key"]).await.ok();
    relay.logs("credentials=true", 1).await;
    relay.shell("cp old/relay.pem .").await;
    relay.logs("relay.pem is not the certificate of relay-key.pem", 1).await;
    relay.login("alice").await;
    relay.shell("cp old/relay-key.pem .").await;
    relay.logs("credentials=true", 2).await;
    relay.login("alice").await;
    relay.shell("chmod 644 relay-key.pem").await;
    relay.logs("relay-key.pem can be read by others", 1).await;
    relay.login("alice").await;
}
