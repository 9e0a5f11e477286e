//! Files with errors: what was in force stays in force, every error is told with its place, until all are mended.

use secchat_proto::wire::link::LogoutReason;

use crate::relay::LiveRelay;

#[tokio::test]
async fn one_bad_line_keeps_all_of_the_old_state() {
    let relay = LiveRelay::start().await;
    let mut carol = relay.login("carol").await;
    // Carol would go and bob would come, were there not two bad lines.
    let list = format!("{}Eve x\nbob\n", relay.list(&["alice"]));
    relay.write("user_list", list);
    let log = relay.logs("not reloaded", 1).await;
    for place in ["user_list:2: \"Eve\" is not a name", "user_list:3: bob's key file"] {
        assert_eq!(log.matches(place).count(), 1, "{place} is not in {log}");
    }
    carol.is_undisturbed().await;
    relay.login("alice").await;
    let status = relay.run(["status", "--json"]).await.ok().json();
    assert_eq!(status["users"], 2);
    assert_eq!(status["reload"]["errors"].as_array().expect("errors").len(), 2, "{status}");
    let reload = relay.run(["reload"]).await.with_code(1).says("user_list:2: ").says("user_list:3: ");
    assert!(reload.stdout.is_empty());
    relay.run(["reload", "--dry-run"]).await.with_code(1).says("user_list:3: ");
    relay.write("user_list", relay.list(&["alice", "bob"]));
    carol.is_logged_out(LogoutReason::Removed).await;
    relay.logs("is_mended=true", 1).await;
    let status = relay.run(["status", "--json"]).await.ok().json();
    assert_eq!(status["reload"]["errors"].as_array().expect("errors").len(), 0, "{status}");
}

#[tokio::test]
async fn errors_in_all_files_are_told_together() {
    let relay = LiveRelay::start().await;
    let mut carol = relay.login("carol").await;
    relay.shell("mkdir mended; cp relay.toml relay.pem crl.pem user_list mended").await;
    relay.write("relay.toml", format!("{}logs = 1\n", relay.text("relay.toml")));
    relay.write("crl.pem", "nothing");
    relay.write("relay.pem", "nothing");
    relay.write("user_list", "x y z\n");
    let reload = relay.run(["reload"]).await.with_code(1);
    for place in ["relay.toml:", "unknown field", "crl.pem holds no", "relay.pem holds no", "user_list:1: "] {
        assert!(reload.stderr.contains(place), "{place} is not in {reload:?}");
    }
    // It can still be asked, though its configuration has errors.
    relay.run(["status"]).await.ok();
    carol.is_undisturbed().await;
    relay.shell("cp mended/* .").await;
    let reload = relay.run(["reload"]).await.ok();
    assert_eq!(reload.stdout, "Nothing has changed.\n");
    carol.is_undisturbed().await;
}

#[tokio::test]
async fn a_list_without_a_byte_has_to_stay_so_before_it_is_believed() {
    let relay = LiveRelay::start().await;
    let mut carol = relay.login("carol").await;
    // A program that empties the file first, and takes its time.
    relay.write("user_list", "");
    relay.logs("user_list: is empty, without even a comment", 1).await;
    carol.is_undisturbed().await;
    relay.write("user_list", relay.list(&["alice", "bob", "carol"]));
    relay.logs("reloaded added=1", 1).await;
    carol.is_undisturbed().await;
    relay.write("user_list", "");
    relay.logs("user_list: is empty", 2).await;
    carol.is_logged_out(LogoutReason::Removed).await;
    relay.logs("removed=3", 1).await;
    relay.write("user_list", relay.list(&["carol"]));
    relay.logs("added=1", 2).await;
    let mut carol = relay.login("carol").await;
    // Whoever asks for it means it.
    relay.write("user_list", "");
    relay.run(["reload"]).await.ok();
    carol.is_logged_out(LogoutReason::Removed).await;
}
