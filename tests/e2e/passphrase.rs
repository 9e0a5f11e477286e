//! Passphrases: how often one may be wrong, and where none may ever show.

use std::io::Write as _;
use std::process::Stdio;

use openssl::pkey::PKey;
use secchat_e2e::{PASSPHRASE, Pki, Process, Terminal, TestRelay, TestUser};

const WRONG: &str = "correct horse battery staple";

#[tokio::test]
async fn three_tries_on_a_terminal_one_otherwise() {
    let (_pki, _relay, mut alice) = prepared().await;
    alice.start_locked().await;

    let wrong = format!("{WRONG}\n{PASSPHRASE}\n");
    let piped = alice.ctl_with_input(["unlock", "--passphrase-fd", "0"], wrong.as_bytes()).await;
    piped.with_code(4).says("wrong passphrase");
    // Without a terminal and without a descriptor there is nothing to ask.
    alice.ctl(["unlock"]).await.with_code(2).says("--passphrase-fd");

    let mut terminal = on_a_terminal(&alice);
    for tries in 1..=3 {
        type_at_prompt(&mut terminal, tries, WRONG).await;
    }
    let shown = terminal.shown().clone();
    assert_eq!(terminal.exit().await.code(), Some(4), "{}", shown.text());
    assert!(!shown.text().contains(WRONG), "echoed: {}", shown.text());

    let mut terminal = on_a_terminal(&alice);
    type_at_prompt(&mut terminal, 1, WRONG).await;
    type_at_prompt(&mut terminal, 2, PASSPHRASE).await;
    assert_eq!(terminal.exit().await.code(), Some(0));
    alice.is_online().await;

    assert!(!alice.daemon().log().text().contains(WRONG));
    assert_nowhere_under(&alice.home.path(""), WRONG);
}

#[tokio::test]
async fn a_daemon_with_a_wrong_passphrase_says_so_and_tries_once() {
    let (_pki, _relay, alice) = prepared().await;
    let mut command = alice.home.command("secchatd");
    let (reader, mut writer) = std::io::pipe().unwrap();
    writeln!(writer, "{WRONG}").unwrap();
    drop(writer);
    command.args(["--passphrase-fd", "0", "--log", "trace"]).stdin(Stdio::from(reader));
    let daemon = Process::start("the daemon", command);
    let log = daemon.log().wait_for("wrong passphrase").await;
    assert!(log.contains("stays locked"), "{log}");
    assert!(!log.contains(WRONG), "{log}");
}

#[tokio::test]
async fn a_key_that_others_can_read_is_refused_with_the_chmod() {
    use std::os::unix::fs::PermissionsExt as _;
    let (_pki, _relay, mut alice) = prepared().await;
    let key = alice.home.config_dir().join("identity.pem");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    alice.start_locked().await;
    let passphrase = format!("{PASSPHRASE}\n");
    let unlock = ["unlock", "--passphrase-fd", "0"];
    let refused = alice.ctl_with_input(unlock, passphrase.as_bytes()).await.with_code(1);
    assert!(refused.stderr.contains("chmod 600") && refused.stderr.contains("identity.pem"), "{refused:?}");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
    alice.ctl_with_input(unlock, passphrase.as_bytes()).await.ok();
}

/// Runs `secchatctl unlock` on a terminal of its own.
fn on_a_terminal(user: &TestUser) -> Terminal {
    let mut command = user.home.command("secchatctl");
    command.arg("unlock");
    Terminal::start(&command)
}

/// Answers the n-th prompt.
async fn type_at_prompt(terminal: &mut Terminal, n: usize, passphrase: &str) {
    terminal.shown().wait_until("a prompt", |shown| shown.matches("assphrase for").count() >= n).await;
    terminal.type_in(&format!("{passphrase}\r"));
}

async fn prepared() -> (Pki, TestRelay, TestUser) {
    let (pki, key) = (Pki::new(), PKey::generate_ed25519().unwrap());
    pki.write_user_list([("alice", &key)]);
    let relay = TestRelay::start(&pki).await;
    let alice = TestUser::new("alice", &key, &pki, relay.address);
    (pki, relay, alice)
}

fn assert_nowhere_under(folder: &std::path::Path, secret: &str) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            assert_nowhere_under(&path, secret);
        } else if path.is_file() {
            let content = std::fs::read(&path).unwrap();
            let found = content.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!found, "the passphrase is in {}", path.display());
        }
    }
}
