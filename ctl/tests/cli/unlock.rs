//! How the passphrase comes to the daemon, and where it never shows.

use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt as _;

use secchat_ipc::types::{LockState, Passphrase};
use secchat_ipc::{Command, CommandError, Reply};

use crate::fake_daemon::{FakeDaemon, err, ok};
use crate::sample::status;

fn locked() -> FakeDaemon {
    FakeDaemon::start(|command| match command {
        Command::Status => ok(Reply::Status(status(LockState::Locked))),
        Command::Unlock { passphrase, .. } if passphrase.0.as_str() != "open sesame" => {
            err(CommandError::WrongPassphrase)
        }
        _ => ok(Reply::Done),
    })
}

fn unlock(passphrase: &str, ttl_seconds: u64) -> Command {
    Command::Unlock { passphrase: Passphrase(passphrase.to_owned().into()), ttl_seconds }
}

#[tokio::test]
async fn a_descriptor_gives_the_first_line() {
    let daemon = locked();
    let arguments = ["unlock", "--passphrase-fd", "0", "--ttl", "8h"];
    daemon.home.run_with_input(&arguments, b"open sesame\nmore").await.ok();
    assert_eq!(daemon.commands(), [Command::Status, unlock("open sesame", 28_800)]);
    let run = daemon.home.run(&["unlock", "--passphrase-fd", "77"]).await.with_code(2);
    run.complains("--passphrase-fd 77");
}

#[tokio::test]
async fn standard_input_may_be_a_socket() {
    let daemon = locked();
    let (ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
    let mut ours = ours;
    ours.write_all(b"open sesame\nmore").unwrap();
    let mut rest = theirs.try_clone().unwrap();
    daemon.home.run_with_stdin(&["unlock", "--passphrase-fd", "0"], OwnedFd::from(theirs)).await.ok();
    assert_eq!(daemon.commands(), [Command::Status, unlock("open sesame", 0)]);
    drop(ours);
    let mut text = String::new();
    rest.read_to_string(&mut text).unwrap();
    assert_eq!(text, "more", "what is behind the line is left to the next reader");
}

#[tokio::test]
async fn without_a_terminal_there_is_one_try_and_no_echo() {
    let daemon = locked();
    let run =
        daemon.home.run_with_input(&["unlock", "--passphrase-fd", "0"], b"wrong secret\nopen sesame\n").await;
    let run = run.with_code(4).complains("wrong passphrase");
    assert!(!run.stderr.contains("wrong secret"));
    assert_eq!(daemon.commands(), [Command::Status, unlock("wrong secret", 0)]);
    daemon.home.run(&["unlock"]).await.with_code(2).complains("--passphrase-fd");
    daemon.home.run(&["unlock", "--no-input"]).await.with_code(2).complains("--askpass");
    daemon.home.run(&["unlock", "open sesame"]).await.with_code(2);
}

#[tokio::test]
async fn a_program_is_asked_with_the_question() {
    let daemon = locked();
    let program = daemon.home.path("askpass");
    std::fs::write(&program, "#!/bin/sh\necho \"$1\" >asked\necho open sesame\n").unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o700)).unwrap();
    daemon.home.run(&["unlock", "--askpass", program.to_str().unwrap()]).await.ok();
    assert_eq!(daemon.commands(), [Command::Status, unlock("open sesame", 0)]);
    let asked = std::fs::read_to_string(daemon.home.path("asked")).unwrap();
    assert_eq!(asked, "Passphrase for alice's identity key: \n");
    daemon.home.run(&["unlock", "--askpass", "/bin/false"]).await.with_code(1).complains("cancelled");
    daemon.home.run(&["unlock", "--askpass", "/nowhere"]).await.with_code(1).complains("/nowhere");
}

#[tokio::test]
async fn an_unlocked_key_needs_no_passphrase() {
    let daemon = FakeDaemon::always(Ok(Reply::Status(status(LockState::Unlocked))));
    let run = daemon.home.run(&["unlock"]).await.ok();
    assert_eq!(run.stderr, "already unlocked\n");
}
