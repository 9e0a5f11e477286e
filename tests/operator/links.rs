//! The list's place changes: links are swapped, folders are replaced, the file is away for a while.

use secchat_proto::wire::link::LogoutReason;

use crate::relay::{Files, LiveRelay};
use secchat_e2e::WireClient;

/// A relay whose list is at `list`, where `script` puts it.
async fn with_list_at(list: &str, script: &str) -> (LiveRelay, WireClient, WireClient) {
    let prepare = |files: &Files| {
        files.reconfigure("user_list = \"user_list\"", &format!("user_list = {list:?}\nkey_dir = \".\""));
        std::fs::write(files.path("new"), files.list(&["alice", "bob"])).expect("a list");
        let folder = files.path("");
        let made = std::process::Command::new("bash").args(["-euc", script]).current_dir(folder).status();
        assert!(made.expect("bash").success());
    };
    let relay = LiveRelay::start_with(prepare).await;
    let alice = relay.login("alice").await;
    let carol = relay.login("carol").await;
    (relay, alice, carol)
}

async fn is_changed(relay: &LiveRelay, (alice, carol): (&mut WireClient, &mut WireClient)) {
    carol.is_logged_out(LogoutReason::Removed).await;
    relay.login("bob").await;
    alice.is_undisturbed().await;
}

#[tokio::test]
async fn a_link_is_swapped() {
    let (relay, mut alice, mut carol) = with_list_at("list", "ln -s user_list list").await;
    relay.shell("ln -sfn new list").await;
    is_changed(&relay, (&mut alice, &mut carol)).await;
}

#[tokio::test]
async fn a_folders_link_is_swapped() {
    let make = "mkdir v1 v2; mv user_list v1/list; cp new v2/list; ln -s v1 current";
    let (relay, mut alice, mut carol) = with_list_at("current/list", make).await;
    relay.shell("ln -sfn v2 current").await;
    is_changed(&relay, (&mut alice, &mut carol)).await;
    // The new folder is watched now, the old one does not matter.
    relay.write("v1/list", "");
    let dora = relay.line("dora");
    relay.shell(&format!("cp new v2/list2; echo '{dora}' >> v2/list2; mv v2/list2 v2/list")).await;
    relay.logs("reloaded added=1 removed=0", 1).await;
    relay.login("dora").await;
    alice.is_undisturbed().await;
}

#[tokio::test]
async fn kubernetes_swaps_its_data() {
    let make = "mkdir -p m/..1 m/..2; mv user_list m/..1/list; cp new m/..2/list; \
                ln -s ..1 m/..data; ln -s ..data/list m/list";
    let (relay, mut alice, mut carol) = with_list_at("m/list", make).await;
    relay.shell("ln -s ..2 m/..data_tmp; mv -T m/..data_tmp m/..data; rm -r m/..1").await;
    is_changed(&relay, (&mut alice, &mut carol)).await;
}

#[tokio::test]
async fn a_folder_is_replaced() {
    let make = "mkdir lists next; mv user_list lists/list; cp new next/list";
    let (relay, mut alice, mut carol) = with_list_at("lists/list", make).await;
    relay.shell("mv lists old; mv next lists").await;
    is_changed(&relay, (&mut alice, &mut carol)).await;
    // And is watched.
    relay.shell("cat old/list > lists/list").await;
    relay.logs("reloaded", 2).await;
    relay.login("carol").await;
}

#[tokio::test]
async fn the_file_is_away_for_a_while() {
    let relay = LiveRelay::start().await;
    let mut carol = relay.login("carol").await;
    relay.shell("mv user_list away").await;
    relay.logs("user_list: the list of users cannot be read", 1).await;
    carol.is_undisturbed().await;
    relay.login("alice").await;
    relay.shell("mv away user_list").await;
    relay.logs("is_mended=true", 1).await;
    carol.is_undisturbed().await;
    relay.write("new", relay.list(&["alice", "bob"]));
    relay.shell("rm user_list").await;
    relay.logs("cannot be read", 2).await;
    relay.shell("mv new user_list").await;
    carol.is_logged_out(LogoutReason::Removed).await;
    relay.login("bob").await;
}

#[tokio::test]
async fn the_folder_is_away_for_a_while() {
    let (relay, mut alice, mut carol) =
        with_list_at("lists/list", "mkdir lists; mv user_list lists/list").await;
    relay.shell("mv lists away").await;
    relay.logs("list: the list of users cannot be read", 1).await;
    carol.is_undisturbed().await;
    relay.shell("mkdir lists; cp new lists/list").await;
    is_changed(&relay, (&mut alice, &mut carol)).await;
}
