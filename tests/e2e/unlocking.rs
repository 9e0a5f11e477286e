//! The ways in which a passphrase comes without a prompt of secchatctl's own, and a key that locks itself again.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use secchat_e2e::{PASSPHRASE, Terminal, TestUser, World};
use secchat_ipc::types::LockState;

const WRONG: &str = "correct horse battery staple";

/// Alice, online before, whose daemon is not running.
async fn alice() -> (World, TestUser) {
    let (world, [mut alice]) = World::start(["alice"]).await;
    alice.stop().await;
    (world, alice)
}

/// A program of a test's own.
fn script(user: &TestUser, name: &str, body: &str) -> PathBuf {
    let path = user.home.path(name);
    // Under another name first: a test in parallel that forks must not hold the program open for writing.
    let draft = user.home.path(&format!("{name}.draft"));
    std::fs::write(&draft, format!("#!/bin/sh\n{body}\n")).unwrap();
    std::fs::set_permissions(&draft, std::fs::Permissions::from_mode(0o755)).unwrap();
    std::fs::rename(draft, &path).unwrap();
    path
}

/// A pinentry that answers its n-th GETPIN with the n-th of these, and keeps what it was told.
fn fake_pinentry(user: &TestUser, answers: &[&str]) -> PathBuf {
    let cases: String = answers.iter().enumerate().map(|(n, answer)| format!("{n}) {answer};; ")).collect();
    let body = format!(
        "cd '{}'; n=$(cat asked 2>/dev/null || echo 0)\necho 'OK pleased to meet you'\nwhile read -r line; do\n\
         echo \"$line\" >> told\ncase $line in\nGETPIN) echo $((n + 1)) > asked; case $n in {cases} esac;;\n\
         BYE) echo OK; exit 0;;\n*) echo OK;;\nesac\ndone",
        user.home.path("").display()
    );
    script(user, "pinentry-fake", &body)
}

fn pin(passphrase: &str) -> String {
    format!("echo 'D {passphrase}'; echo OK")
}

fn told(user: &TestUser) -> String {
    std::fs::read_to_string(user.home.path("told")).unwrap()
}

#[tokio::test]
async fn the_daemon_asks_by_a_program_until_the_answer_is_right() {
    let (world, mut alice) = alice().await;
    let count = alice.home.path("count");
    let body = format!(
        "echo \"$1\" >> '{0}'; if [ $(wc -l < '{0}') = 1 ]; then echo '{WRONG}'; else echo '{PASSPHRASE}'; fi",
        count.display()
    );
    let program = script(&alice, "askpass", &body);
    let config = format!("{}askpass = \"{}\"\n", alice.config(world.relay.address), program.display());
    alice.home.write_config(&config);
    alice.start_locked().await;
    alice.is_online().await;
    let asked = std::fs::read_to_string(count).unwrap();
    let mut asked = asked.lines();
    assert!(asked.next().unwrap().starts_with("Passphrase for alice's secchat key "));
    assert!(asked.next().unwrap().starts_with("Wrong passphrase. "));
    assert_eq!(asked.next(), None);
}

#[tokio::test]
async fn the_daemon_asks_by_a_pinentry_and_takes_no_for_an_answer() {
    let (world, mut alice) = alice().await;
    let cancel = "echo 'ERR 83886179 Operation cancelled <Pinentry>'";
    let program = fake_pinentry(&alice, &[&pin(WRONG), cancel, &pin(PASSPHRASE)]);
    let config = format!("{}askpass = \"{}\"\n", alice.config(world.relay.address), program.display());
    alice.home.write_config(&config);
    alice.start_locked().await;
    let log = alice.daemon().log().wait_for("gave no passphrase").await;
    assert!(log.contains("stays locked") && !log.contains(WRONG), "{log}");
    assert!(told(&alice).contains("SETDESC Wrong passphrase. Passphrase for alice"), "{}", told(&alice));
    alice.stop().await;
    alice.start_locked().await;
    alice.is_online().await;
}

#[tokio::test]
async fn a_pinentry_has_three_tries_and_may_fail() {
    let (_world, mut alice) = alice().await;
    alice.start_locked().await;
    let unlock = ["unlock", "--askpass", "./pinentry-fake"];
    let cancel = "echo 'ERR 83886179 Operation cancelled <Pinentry>'";
    for (answers, code, said) in [
        (vec![cancel.to_owned()], 1, "cancelled"),
        (vec!["exit 3".to_owned()], 1, "does not work as a pinentry"),
        (vec!["echo nonsense".to_owned()], 1, "does not work as a pinentry"),
        (vec![pin(WRONG), pin(WRONG), pin(WRONG)], 4, "wrong passphrase"),
        (vec![pin(WRONG), pin(PASSPHRASE)], 0, "unlocked"),
    ] {
        let _ = std::fs::remove_file(alice.home.path("asked"));
        let answers: Vec<&str> = answers.iter().map(String::as_str).collect();
        fake_pinentry(&alice, &answers);
        let run = alice.ctl(unlock).await.with_code(code).says(said);
        assert!(!format!("{run:?}").contains(WRONG), "{run:?}");
    }
    assert!(told(&alice).contains("SETERROR Wrong passphrase"), "{}", told(&alice));
    let none = ["unlock", "--ttl", "1h", "--askpass", "./pinentry-none"];
    alice.ctl(none).await.with_code(1).says("no such program");
}

#[tokio::test]
async fn a_real_pinentry_asks_on_the_terminal() {
    let (_world, mut alice) = alice().await;
    alice.start_locked().await;
    let mut command = alice.home.command("secchatctl");
    command.args(["unlock", "--askpass", "/usr/bin/pinentry-tty"]);
    let mut terminal = Terminal::start(&command);
    for (n, passphrase) in [(1, WRONG), (2, PASSPHRASE)] {
        let asked = |shown: &str| shown.matches("Passphrase:").count() >= n;
        terminal.shown().wait_until("pinentry's question", asked).await;
        terminal.type_in(&format!("{passphrase}\r"));
    }
    let shown = terminal.shown().clone();
    assert_eq!(terminal.exit().await.code(), Some(0), "{}", shown.text());
    assert!(!shown.text().contains(WRONG), "echoed: {}", shown.text());
    alice.is_online().await;
}

#[tokio::test]
async fn a_credential_of_systemds_unlocks_at_the_start() {
    let (_world, mut alice) = alice().await;
    let folder = alice.home.path("credentials");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("passphrase"), format!("{PASSPHRASE}\n")).unwrap();
    let start = |alice: &TestUser| -> Command {
        let mut command = alice.home.command("secchatd");
        command.stdin(Stdio::null()).env("CREDENTIALS_DIRECTORY", &folder);
        command
    };
    let command = start(&alice);
    alice.start_command(command).await;
    alice.is_online().await;
    alice.stop().await;
    // A wrong one is told, and the daemon serves all the same.
    std::fs::write(folder.join("passphrase"), WRONG).unwrap();
    let command = start(&alice);
    alice.start_command(command).await;
    let log = alice.daemon().log().wait_for("stays locked").await;
    assert!(!log.contains(WRONG), "{log}");
    alice.ctl(["list"]).await.with_code(4);
}

#[tokio::test]
async fn a_key_that_is_unlocked_for_a_while_locks_itself() {
    let (_world, mut alice) = alice().await;
    alice.start_locked().await;
    let mut frontend = alice.frontend().await;
    let passphrase = format!("{PASSPHRASE}\n");
    alice.ctl_with_input(["unlock", "--ttl", "1s", "--passphrase-fd", "0"], passphrase.as_bytes()).await.ok();
    frontend.until("unlocked", |state| state.status.lock == LockState::Unlocked).await;
    frontend.until("locked again", |state| state.status.lock == LockState::Locked).await;
    // Asked for again before the end, a longer while takes the place of the shorter one.
    for ttl in ["1s", "1h"] {
        let unlock = ["unlock", "--ttl", ttl, "--passphrase-fd", "0"];
        alice.ctl_with_input(unlock, passphrase.as_bytes()).await.ok();
    }
    alice.is_online().await;
}
