//! What the relay's log says of people who talk: nothing that they said, and their names only where the operator wants
//! to read them.

use rustix::process::Signal;
use secchat_e2e::World;

/// What one of them says.
const TEXT: &str = "the-meeting-is-at-noon";

/// A whole story: they talk, the list gets an error, one is taken off it and tries to come back.
async fn story(config: &str) -> String {
    let (world, [alicia, mut roberto]) = World::configured(config, ["alicia", "roberto"]).await;
    let World { pki, relay } = world;
    alicia.chat_with(&roberto).await;
    alicia.ctl(["send", "roberto", TEXT]).await.ok();
    assert!(roberto.ctl(["read"]).await.ok().stdout.contains(TEXT));

    let log = relay.process().log().clone();
    let list = std::fs::read_to_string(pki.path("user_list")).unwrap();
    std::fs::write(pki.path("user_list"), format!("{list}mallory nonsense\nroberto twice\n")).unwrap();
    relay.process().signal(Signal::HUP);
    log.wait_for("not reloaded").await;
    pki.write_user_list([("alicia", &alicia.key)]);
    relay.process().signal(Signal::HUP);
    log.wait_for("link closed by the relay").await;
    roberto.stop().await;
    roberto.start().await;
    log.wait_for("login refused").await;
    let mut ended = log.clone();
    relay.stop().await;
    ended.ended().await;
    log.text()
}

#[tokio::test]
async fn a_scrubbed_log_names_nobody_in_a_whole_story() {
    let log = story("scrub = true\nlog = \"debug\"\n").await;
    for line in log.lines() {
        for word in ["alicia", "roberto", "mallory", TEXT] {
            assert!(!line.contains(word), "{word} is in “{line}”");
        }
    }
    let users: std::collections::BTreeSet<_> = log
        .lines()
        .filter(|line| line.contains("logged in") || line.contains("login refused"))
        .map(|line| line.split("user=~").nth(1).and_then(|rest| rest.get(..12)).expect("a hash"))
        .collect();
    assert_eq!(users.len(), 2, "one's lines can still be compared: {log}");
}

#[tokio::test]
async fn a_log_that_is_not_scrubbed_says_who_came_and_never_what_they_said() {
    let log = story("log = \"trace\"\n").await;
    assert!(log.contains("user=alicia") && log.contains("user=roberto"), "{log}");
    assert!(log.contains("something after") || log.contains("roberto is on line"), "{log}");
    assert!(!log.contains(TEXT), "{log}");
}
