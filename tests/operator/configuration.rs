//! The configuration changes: the address, the limits, the log, where the other files are.

use std::net::TcpListener;

use secchat_proto::wire::link::LogoutReason;
use secchat_proto::wire::login::RejectReason;

use crate::relay::LiveRelay;
use secchat_e2e::LoginOutcome;

/// A port that was free a moment ago.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port").port()
}

fn replace(relay: &LiveRelay, from: &str, to: &str) {
    let old = relay.text("relay.toml");
    assert!(old.contains(from), "{from} is not in {old}");
    relay.write("relay.toml", old.replace(from, to));
}

#[tokio::test]
async fn another_address_is_listened_on_and_links_stay() {
    let relay = LiveRelay::start().await;
    let mut carol = relay.login("carol").await;
    let port = free_port();
    replace(&relay, "127.0.0.1:0", &format!("127.0.0.1:{port}"));
    relay.logs("listening there from now on", 1).await;
    relay.logs("settings=listen", 1).await;
    let address = ([127, 0, 0, 1], port).into();
    let mut alice = relay.login_at(address, "alice", &relay.keys["alice"]).await.expect("a login");
    alice.pair_with(&mut carol).await;
    assert_eq!(relay.try_login("alice").await.err(), Some(LoginOutcome::Gone), "the old address");
    let status = relay.run(["status", "--json"]).await.ok().json();
    assert_eq!(status["address"], format!("127.0.0.1:{port}"));
}

#[tokio::test]
async fn an_address_that_cannot_be_had_is_an_error_and_nothing_of_the_reload_is_taken() {
    let relay = LiveRelay::start().await;
    let mut carol = relay.login("carol").await;
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let taken = taken.local_addr().map(|address| (address, taken)).expect("an address");
    relay.write("user_list", relay.list(&["alice", "carol", "dora"]));
    relay.logs("reloaded", 1).await;
    relay
        .shell(&format!(
            "sed 's/127.0.0.1:0/{}/' relay.toml > new; mv new relay.toml; sed -i /^carol/d user_list",
            taken.0
        ))
        .await;
    relay.run(["reload", "--dry-run"]).await.with_code(1).says("cannot listen on");
    relay.logs("relay.toml: cannot listen on", 1).await;
    carol.is_undisturbed().await;
    relay.login("alice").await;
    replace(&relay, &taken.0.to_string(), "127.0.0.1:0");
    carol.is_logged_out(LogoutReason::Removed).await;
}

#[tokio::test]
async fn new_limits_hold_for_what_comes() {
    let relay = LiveRelay::start().await;
    let mut alice = relay.login("alice").await;
    let mut carol = relay.login("carol").await;
    relay.write("relay.toml", relay.text("relay.toml") + "[limits]\nconnections_per_address = 2\n");
    relay.logs("settings=limits", 1).await;
    assert_eq!(relay.try_login("alice").await.err(), Some(LoginOutcome::Rejected(RejectReason::Busy)));
    alice.pair_with(&mut carol).await;
    replace(&relay, "connections_per_address = 2", "connections_per_address = 3");
    relay.logs("settings=limits", 2).await;
    relay.login("alice").await;
}

#[tokio::test]
async fn the_log_can_be_made_to_say_more() {
    let relay = LiveRelay::start().await;
    relay.login("alice").await;
    relay.logs("logged in", 1).await;
    assert!(!relay.process.log().text().contains("DEBUG"));
    let old = relay.text("relay.toml");
    relay.write("relay.toml", format!("log = \"debug\"\n{old}"));
    relay.logs("settings=log", 1).await;
    relay.login("carol").await;
    relay.logs("DEBUG", 1).await;
    relay.write("relay.toml", format!("log = \"a=b=c\"\n{old}"));
    relay.logs("relay.toml:1: log = \"a=b=c\" is no level and no filter", 1).await;
}

#[tokio::test]
async fn another_list_is_watched_where_it_is() {
    let relay = LiveRelay::start().await;
    let mut carol = relay.login("carol").await;
    replace(&relay, "user_list = \"user_list\"", "user_list = \"other/list\"\nkey_dir = \".\"");
    relay.logs("the list of users cannot be read", 1).await;
    carol.is_undisturbed().await;
    // The place that the erroneous configuration names is watched as well.
    relay.write("new", relay.list(&["alice", "bob"]));
    relay.shell("mkdir other; cp new other/list").await;
    carol.is_logged_out(LogoutReason::Removed).await;
    relay.shell("echo '# more' >> other/list; sed -i /^alice/d other/list").await;
    relay.logs("removed=1", 2).await;
    relay.login("bob").await;
}
