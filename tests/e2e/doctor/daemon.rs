//! A daemon that is not there, or not ready.

use std::process::Command;

use secchat_e2e::{CtlOutput, World};
use secchat_ipc::types::LinkState;

use super::{is_found, mend, mode, one, without_relay};

#[tokio::test]
async fn who_is_well_is_told_so() {
    let (_world, [alice]) = World::start(["alice"]).await;
    let page = alice.ctl(["doctor"]).await.ok();
    for check in ["configuration", "key", "ca", "clock", "relay", "socket", "daemon", "session"] {
        let is_well = |line: &str| line.starts_with("ok ") && line.contains(&format!(" {check}: "));
        assert!(page.stdout.lines().any(is_well), "{check}: {page:#?}");
    }
}

#[tokio::test]
async fn a_daemon_that_is_not_there_is_found() {
    let (_pki, alice) = without_relay();
    is_found(
        &alice.home,
        "no daemon",
        ["daemon", "failed", "no daemon is running", "systemctl --user start "],
    )
    .await;
    std::fs::write(alice.home.socket(), "").unwrap();
    is_found(&alice.home, "a file for a socket", ["socket", "failed", "is no socket", "rm "]).await;

    // Without secchatd, which knows the files, the rest is still looked at.
    let lone = alice.home.path("secchatctl");
    std::fs::copy(secchat_e2e::binary("secchatctl"), &lone).unwrap();
    let environment = alice.home.command("secchatctl");
    let mut command = Command::new(lone);
    command.args(["--json", "doctor"]).env_clear().current_dir(alice.home.path(""));
    for (name, value) in environment.get_envs().filter(|(name, _)| *name != "PATH") {
        command.env(name, value.unwrap_or_default());
    }
    command.env("PATH", "/nowhere");
    let found = CtlOutput::of(command, None).await.with_code(1);
    assert_eq!(one(&found, "secchatd")["mend"], "command -v secchatd", "{found:#?}");
    assert_eq!(one(&found, "socket")["verdict"], "failed", "{found:#?}");
}

#[tokio::test]
async fn a_daemon_that_is_not_ready_is_found_and_mended() {
    let (_world, [mut alice]) = World::start(["alice"]).await;
    mode(&alice.home.socket(), 0o666);
    is_found(&alice.home, "an open socket", ["socket", "failed", "0666", "chmod 600 "]).await;
    alice.ctl(["logout"]).await.ok();
    is_found(&alice.home, "logged out", ["session", "warning", "logged out", "secchatctl login"]).await;
    mend(&alice.home, "session").await;
    alice.stop().await;
    alice.start_locked().await;
    is_found(&alice.home, "locked", ["session", "warning", "locked", "secchatctl unlock"]).await;
}

#[tokio::test]
async fn a_daemon_that_cannot_log_in_is_found() {
    let (pki, mut alice) = without_relay();
    alice.start().await;
    let mut frontend = alice.frontend().await;
    frontend.until("a failed login", |state| matches!(state.status.link, LinkState::Waiting { .. })).await;
    is_found(&alice.home, "no login", ["session", "failed", "not logged in", "secchatctl login"]).await;
    drop(pki);
}
