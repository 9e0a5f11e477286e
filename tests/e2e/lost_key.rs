//! Somebody's key is lost, passphrase or file: what docs/SECURITY.md says to do, done.

use std::process::Command;

use secchat_e2e::{CtlOutput, PASSPHRASE, World, binary};
use secchat_ipc::Snapshot;
use secchat_ipc::types::KeyTrust;

#[tokio::test]
async fn a_person_with_a_new_key_is_met_anew_and_told_what_was_set_aside() {
    let (world, [mut alice, bob]) = World::start(["alice", "bob"]).await;
    alice.chat_with(&bob).await;
    alice.stop().await;

    // Alice: another key, for the operator.
    let identity = alice.home.config_dir().join("identity.pem");
    std::fs::rename(&identity, identity.with_extension("lost")).expect("the lost key out of the way");
    let input = format!("{PASSPHRASE}\n");
    let made = alice.ctl_with_input(["keygen", "--passphrase-fd", "0"], input.as_bytes()).await.ok();
    let key = made.stdout.trim();

    // The operator: the key replaced, and no restart.
    let mut replace = Command::new(binary("secchat-relay"));
    replace.current_dir(world.pki.path("")).args(["user", "add", "alice", key]);
    CtlOutput::of(replace, None).await.with_code(1).says("--replace");
    let mut replace = Command::new(binary("secchat-relay"));
    replace.current_dir(world.pki.path("")).args(["user", "add", "alice", key, "--replace"]);
    CtlOutput::of(replace, None).await.ok();

    alice.start().await;
    alice.is_online().await;
    let status = alice.ctl(["status"]).await.ok();
    let said = format!("{}{}", status.stdout, status.stderr);
    assert!(said.contains("another identity key") && said.contains("set-aside"), "{said}");

    // Bob: nothing under the other key, until he says so.
    let asking = tokio::spawn(alice.ctl(["rtt", "bob"]));
    let mut theirs = bob.frontend().await;
    let is_told = |state: &Snapshot| state.chats.iter().any(|chat| chat.trust == KeyTrust::Changed);
    theirs.until("bob is told", is_told).await;
    bob.ctl(["accept", "alice"]).await.with_code(9).says("forget alice");
    bob.ctl(["rtt", "alice"]).await.with_code(9).says("forget alice");
    bob.ctl(["forget", "alice", "--yes"]).await.ok();
    theirs.until_asked_by(&alice.name).await;
    bob.ctl(["accept", "alice"]).await.ok();
    asking.await.expect("rtt").ok();
    theirs.until_open_with(&alice.name).await;

    // Both: the number, by voice.
    let words = alice.ctl(["verify", "bob", "--words"]).await.ok().stdout;
    bob.ctl(["verify", "alice", "--expect", &words]).await.ok();
    assert_eq!(bob.frontend().await.state().chats[0].trust, KeyTrust::Verified);
}
