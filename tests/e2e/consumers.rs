//! Named consumers: each event until its hook has exited with 0, whatever dies in between.

use secchat_e2e::{TestUser, World};
use secchat_ipc::{Command, Reply};

/// Makes the consumer: what happens from now on is kept for it.
async fn register(user: &TestUser) {
    let first = Command::Consume { consumer: "bot".to_owned(), acknowledged: 0, most: 1 };
    let answer = user.frontend().await.call(first).await.expect("a consumer");
    assert_eq!(answer, Reply::Events { missed: 0, events: Vec::new() });
}

/// Reads one text as the consumer, which acknowledges it.
async fn next_text(user: &TestUser) -> String {
    let read =
        ["watch", "--consumer", "bot", "--once", "--only", "message_received", "--json", "--timeout", "60s"];
    let event = user.ctl(read).await.ok().json();
    event["text"].as_str().expect("a text").to_owned()
}

/// Runs the consumer with this hook, until it has had one text.
async fn hook(user: &TestUser, command: &str) -> std::process::ExitStatus {
    let mut ctl = user.home.command("secchatctl");
    ctl.args(["watch", "--consumer", "bot", "--once", "--only", "message_received", "--exec", command]);
    let mut ctl = tokio::process::Command::from(ctl).kill_on_drop(true).spawn().expect("secchatctl");
    ctl.wait().await.expect("its end")
}

#[tokio::test]
async fn an_event_comes_until_its_hook_exits_with_0_whoever_dies() {
    let (_world, [alice, mut bob]) = World::start(["alice", "bob"]).await;
    register(&bob).await;
    alice.chat_with(&bob).await;
    for text in ["one", "two", "three", "four"] {
        alice.ctl(["send", "bob", text]).await.ok();
    }
    assert_eq!(next_text(&bob).await, "one");
    // The hook fails; the hook's shell kills secchatctl before it is done.
    assert_eq!(hook(&bob, "exit 3").await.code(), Some(1));
    assert_eq!(hook(&bob, "kill -9 $PPID").await.code(), None);
    assert_eq!(next_text(&bob).await, "two");
    bob.kill();
    bob.start().await;
    bob.is_online().await;
    assert_eq!(next_text(&bob).await, "three");
    // Read in the meantime: it is an event all the same.
    bob.ctl(["read"]).await.ok();
    bob.kill();
    bob.start().await;
    bob.is_online().await;
    assert_eq!(hook(&bob, "grep -q '\"four\"'").await.code(), Some(0));
    alice.ctl(["send", "bob", "five"]).await.ok();
    assert_eq!(next_text(&bob).await, "five");
}

#[tokio::test]
async fn a_hook_that_fails_is_run_again_and_one_reads_at_a_time() {
    let (_world, [alice, bob]) = World::start(["alice", "bob"]).await;
    register(&bob).await;
    alice.chat_with(&bob).await;
    alice.ctl(["send", "bob", "hello"]).await.ok();
    let mut reading = bob.frontend().await;
    let read = Command::Consume { consumer: "bot".to_owned(), acknowledged: 0, most: 1 };
    reading.call(read).await.expect("events");
    bob.ctl(["watch", "--consumer", "bot"]).await.with_code(1).says("somebody else reads as bot now");
    let listed = bob.ctl(["watch", "--consumers", "--json"]).await.ok().json();
    assert_eq!(listed["consumers"][0]["is_read"], true, "{listed}");
    drop(reading);
    let flag = bob.home.path("failed-once");
    let command = format!("if [ -e {0} ]; then cat; else touch {0}; exit 1; fi", flag.display());
    let watch =
        ["watch", "--consumer", "bot", "--only", "message_received", "--timeout", "4s", "--exec", &command];
    let watched = bob.ctl(watch).await.ok().says("it is tried again in 1 s");
    assert_eq!(watched.stdout.matches("\"hello\"").count(), 1, "{watched:?}");
    bob.ctl(["watch", "--consumer", "bot", "--forget"]).await.ok();
    bob.ctl(["watch", "--consumers"]).await.ok().says("nobody reads the log");
    bob.ctl(["watch", "--consumer", "bot", "--forget"]).await.with_code(2).says("there is no consumer bot");
    bob.ctl(["watch", "--consumer", "No Name"]).await.with_code(2).says("no consumer's name");
}
