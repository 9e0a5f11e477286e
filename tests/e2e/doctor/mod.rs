//! `secchatctl doctor`: every failure is made, and ends in the command that mends it; where that is one for this machine
//! alone, it is run, and the failure is gone.

mod daemon;
mod desktop;
mod files;
mod relays;

use std::fs::{Permissions, set_permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use openssl::pkey::{PKey, Private};
use secchat_e2e::{CtlOutput, Home, Pki, TestUser};
use serde_json::Value;

const DAY: i64 = 86_400;

/// Runs doctor, insists on a finding, and on its command where that mends it without a person.
pub(super) async fn is_found(home: &Home, what: &str, [check, verdict, part, command]: [&str; 4]) {
    let found = doctor(home).await;
    let finding = one(&found, check);
    assert_eq!(finding["verdict"], verdict, "{what}: {finding}");
    assert!(finding["found"].as_str().unwrap().contains(part), "{what}: {finding}");
    assert!(finding["mend"].as_str().unwrap().starts_with(command), "{what}: {finding}");
    assert_eq!(found.code == 1, found.json()["failed"] != 0, "{what}: {found:#?}");
    for finding in findings(&found).iter().filter(|finding| finding["verdict"] != "ok") {
        assert!(finding["mend"].is_string(), "{what}: no command: {finding}");
    }
    if command.starts_with("chmod") {
        mend(home, check).await;
    }
}

/// Does what doctor says, and insists that the failure is gone.
pub(super) async fn mend(home: &Home, check: &str) {
    let finding = one(&doctor(home).await, check);
    let environment = home.command("secchatctl");
    let mut shell = Command::new("sh");
    shell.args(["-c", finding["mend"].as_str().unwrap()]).current_dir(home.path("")).env_clear();
    for (name, value) in environment.get_envs() {
        shell.env(name, value.unwrap_or_default());
    }
    let programs = secchat_e2e::binary("secchatctl").parent().unwrap().display().to_string();
    shell.env("PATH", format!("{programs}:/usr/bin:/bin"));
    CtlOutput::of(shell, None).await.ok();
    assert_eq!(one(&doctor(home).await, check)["verdict"], "ok", "after {finding}");
}

pub(super) async fn doctor(home: &Home) -> CtlOutput {
    let mut command = home.command("secchatctl");
    command.args(["--json", "doctor"]);
    CtlOutput::of(command, None).await
}

pub(super) fn findings(found: &CtlOutput) -> Vec<Value> {
    found.json()["checks"].as_array().unwrap().clone()
}

/// The worst that is said of one check.
pub(super) fn one(found: &CtlOutput, check: &str) -> Value {
    let mut all: Vec<Value> =
        findings(found).into_iter().filter(|finding| finding["check"] == check).collect();
    all.sort_by_key(|finding| finding["verdict"] == "ok");
    all.first().unwrap_or_else(|| panic!("nothing about {check}: {found:#?}")).clone()
}

/// Alice, whose relay's address nobody listens on.
pub(super) fn without_relay() -> (Pki, TestUser) {
    let (pki, key) = prepared();
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let alice = TestUser::new("alice", &key, &pki, nobody);
    (pki, alice)
}

pub(super) fn prepared() -> (Pki, PKey<Private>) {
    let (pki, key) = (Pki::new(), PKey::generate_ed25519().unwrap());
    pki.write_user_list([("alice", &key)]);
    (pki, key)
}

pub(super) fn mode(path: &Path, mode: u32) {
    set_permissions(path, Permissions::from_mode(mode)).unwrap();
}
