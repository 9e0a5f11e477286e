//! Files that people wrote wrong: which one, which line, what to do; and nothing is changed.

use std::process::Stdio;

use openssl::pkey::PKey;
use openssl::rsa::Rsa;
use secchat_e2e::{CtlOutput, Home, Pki, Process, TestRelay, TestUser, public_key_base64};
use secchat_ipc::types::LinkState;

#[tokio::test]
async fn a_bad_config_is_named_with_its_line() {
    let home = Home::empty();
    for (toml, line, word) in [
        ("user = \"alice\"\nrelais = \"localhost:1\"\n", 2, "relais"),
        ("user = \"alice\"\n\navailable = \"yes\"\n", 3, "string"),
        ("user = \"Alice\"\n", 1, "a-z"),
        ("relay = \"localhost\"\n", 1, "HOST:PORT"),
        ("user = \"alice\n", 1, ""),
        ("[limits]\ninbox_messages = 0\n", 2, "1 to"),
    ] {
        home.write_config(toml);
        let mut command = home.command("secchatd");
        command.stdin(Stdio::null());
        let failed = CtlOutput::of(command, None).await.with_code(1);
        let place = format!("config.toml:{line}: ");
        assert!(failed.stderr.contains(&place) && failed.stderr.contains(word), "{place}{word}: {failed:#?}");
    }
    assert!(!home.socket().exists());
    assert_eq!(std::fs::read_dir(home.state_dir()).unwrap().count(), 0, "nothing is changed");

    let mut command = home.command("secchatd");
    command.args(["--config", "/nowhere/config.toml"]).stdin(Stdio::null());
    CtlOutput::of(command, None).await.with_code(1).says("/nowhere/config.toml");
}

#[tokio::test]
async fn every_error_of_a_user_list_is_named_at_once() {
    let pki = Pki::new();
    let good = public_key_base64(&PKey::generate_ed25519().unwrap());
    let small = public_key_base64(&PKey::from_rsa(Rsa::generate(1024).unwrap()).unwrap());
    let too_long = "x".repeat(33);
    let lines = [
        "# a comment".to_owned(),
        format!("alice {good}"),
        format!("../bob {good}"),
        format!("a/b {good}"),
        format!("Carol {good}"),
        format!("{too_long} {good}"),
        format!("dan\u{202e} {good}"),
        format!("alice {good}"),
        "eve bm8ga2V5".to_owned(),
        format!("frank {small}"),
        "grace".to_owned(),
        format!("heidi {good} more"),
        "ivan\0 ".to_owned() + &good,
    ];
    pki.write("user_list", lines.join("\n").as_bytes());
    let relay = Process::start("the relay", TestRelay::command(&pki, 0));
    let log = relay.log().clone();
    assert!(!relay.exit().await.success(), "the relay does not start");
    let log = log.text();
    for line in 3..=lines.len() {
        assert!(log.contains(&format!("user_list:{line}")), "line {line} is not in\n{log}");
    }
    for line in 1..=2 {
        assert!(!log.contains(&format!("user_list:{line}:")), "line {line} is in\n{log}");
    }
    assert!(!log.contains('\u{202e}') && !log.contains('\0'), "{log:?}");
}

#[tokio::test]
async fn a_relay_without_its_files_says_which() {
    for file in ["relay.pem", "relay-key.pem", "crl.pem", "user_list"] {
        let pki = Pki::new();
        std::fs::remove_file(pki.path(file)).unwrap();
        let relay = Process::start("the relay", TestRelay::command(&pki, 0));
        relay.log().wait_for(file).await;
        assert!(!relay.exit().await.success());
    }
}

#[tokio::test]
async fn a_daemon_without_its_ca_says_so() {
    let (pki, key) = (Pki::new(), PKey::generate_ed25519().unwrap());
    pki.write_user_list([("alice", &key)]);
    let relay = TestRelay::start(&pki).await;
    let mut alice = TestUser::new("alice", &key, &pki, relay.address);
    std::fs::remove_file(alice.home.config_dir().join("ca.pem")).unwrap();
    alice.start().await;
    let mut alices = alice.frontend().await;
    alices.until("a failed login", |state| matches!(state.status.link, LinkState::Waiting { .. })).await;
    let status = alice.ctl(["status"]).await.ok();
    assert!(status.stdout.contains("ca.pem"), "{status:?}");
    alice.ctl(["list"]).await.with_code(5);
}
