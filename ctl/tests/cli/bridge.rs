//! The bridge: JSON-RPC lines in, JSON-RPC lines out.

use std::process::Stdio;

use secchat_ipc::types::EndReason;
use secchat_ipc::{Command, CommandError, Event, Reply};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout};

use crate::fake_daemon::{Answer, FakeDaemon, err, ok};
use crate::home::{Run, ended};
use crate::sample::{CHAT, CHAT_HEX, bob, received, snapshot};

/// A daemon in which texts arrive, `carol`'s do not, and `subscribe` brings these events.
fn daemon(events: Vec<Event>) -> FakeDaemon {
    FakeDaemon::start(move |command| match command {
        Command::Subscribe => Answer::Reply(Box::new(Ok(snapshot())), (11..).zip(events.clone()).collect()),
        Command::Send { peer, .. } if peer.as_str() == "carol" => {
            err(CommandError::NoChat { peer: peer.clone() })
        }
        Command::Send { .. } => ok(Reply::Delivered { chat_id: CHAT, id: 1 }),
        Command::Lock => Answer::Close,
        _ => ok(Reply::Done),
    })
}

fn call(id: i64, method: &str, params: Value) -> String {
    json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }).to_string() + "\n"
}

fn answers(run: &Run) -> Vec<Value> {
    run.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// A bridge whose two ends the test holds.
fn bridge(daemon: &FakeDaemon) -> (Child, ChildStdin, Lines<BufReader<ChildStdout>>) {
    let mut child = daemon.home.command(&["bridge"]).stdin(Stdio::piped()).spawn().unwrap();
    let stdin = child.stdin.take().unwrap();
    let stdout = BufReader::new(child.stdout.take().unwrap()).lines();
    (child, stdin, stdout)
}

async fn next(lines: &mut Lines<BufReader<ChildStdout>>) -> Value {
    serde_json::from_str(&lines.next_line().await.unwrap().unwrap()).unwrap()
}

#[tokio::test]
async fn calls_are_answered_before_it_ends() {
    let daemon = daemon(Vec::new());
    let input = call(1, "send", json!({ "peer": "bob", "text": "żółw\n\u{1b}" }))
        + &call(2, "send", json!({ "peer": "carol", "text": "x" }))
        + &call(3, "version", json!({}))
        + r#"{"jsonrpc":"2.0","method":"later","params":{"peer":"bob"}}"#;
    let run = daemon.home.run_with_input(&["bridge"], input.as_bytes()).await.ok();
    let mut answers = answers(&run);
    answers.sort_by_key(|answer| answer["id"].as_i64());
    assert_eq!(answers.len(), 3, "a notification is not answered: {answers:#?}");
    assert_eq!(answers[0]["result"], json!({ "chat": CHAT_HEX, "id": "1" }));
    assert_eq!(answers[1]["error"]["code"], -32_010);
    assert_eq!(answers[1]["error"]["data"], json!({ "code": "no_chat", "exit": 10 }));
    assert_eq!(answers[2]["result"]["bridge"], 1);
    let sent = Command::Send { peer: bob(), text: "żółw\n\u{1b}".to_owned() };
    let commands = daemon.commands();
    assert_eq!(commands[0], sent);
    assert!(commands.contains(&Command::Later { peer: bob() }), "{commands:?}");
}

#[tokio::test]
async fn a_line_that_is_none_costs_only_itself() {
    let daemon = daemon(Vec::new());
    let long =
        json!({ "jsonrpc": "2.0", "id": 1, "method": "send", "params": { "text": "x".repeat(300_000) } });
    let longest = call(9, "send", json!({ "peer": "bob", "text": "x".repeat(32_768) }));
    let mut input = format!("{{\n[]\n\n{long}\n").into_bytes();
    input.extend(b"\"\xff\"\n");
    input.extend(call(2, "unlock", json!({ "passphrase": "aaa" })).into_bytes());
    input.extend(call(3, "send", json!({ "peer": "../x", "text": "y" })).into_bytes());
    input.extend(longest.into_bytes());
    let run = daemon.home.run_with_input(&["bridge"], &input).await.ok();
    let codes: Vec<_> =
        answers(&run).iter().map(|it| (it["id"].clone(), it["error"]["code"].clone())).collect();
    let null = Value::Null;
    assert_eq!(
        codes,
        [
            (null.clone(), json!(-32_700)),
            (null.clone(), json!(-32_600)),
            (null.clone(), json!(-32_700)),
            (null.clone(), json!(-32_700)),
            (json!(2), json!(-32_601)),
            (json!(3), json!(-32_602)),
            (json!(9), null),
        ]
    );
    assert!(!run.stdout.contains("aaa"), "{}", run.stdout);
}

#[tokio::test]
async fn a_text_that_is_too_long_for_the_daemon_is_refused() {
    let daemon = daemon(Vec::new());
    let input = call(1, "send", json!({ "peer": "bob", "text": "x".repeat(100_000) }));
    let run = daemon.home.run_with_input(&["bridge"], input.as_bytes()).await.ok();
    assert_eq!(answers(&run)[0]["error"]["data"]["code"], "limit_reached");
}

#[tokio::test]
async fn events_come_as_notifications_once_subscribed() {
    let ended_chat = Event::ChatEnded {
        peer: bob(),
        chat_id: CHAT,
        reason: EndReason::ClosedByPeer,
        undelivered: 0,
        missing: 0,
    };
    let daemon = daemon(vec![received(1, "hi \u{1b}[2J\u{202e}"), ended_chat]);
    let (child, mut stdin, mut lines) = bridge(&daemon);
    stdin.write_all(call(1, "subscribe", json!({})).as_bytes()).await.unwrap();
    assert_eq!(next(&mut lines).await["result"]["sequence"], 10);
    let event = lines.next_line().await.unwrap().unwrap();
    assert!(event.contains(r"hi \u001b[2J\u202e"), "a terminal may be watching: {event}");
    let event: Value = serde_json::from_str(&event).unwrap();
    assert_eq!((&event["method"], &event["params"]["sequence"]), (&json!("event"), &json!(11)));
    assert_eq!(event["params"]["text"], "hi \u{1b}[2J\u{202e}");
    assert_eq!(next(&mut lines).await["params"]["event"], "chat_ended");
    drop(stdin);
    assert_eq!(ended(child).await.ok().stderr, "");
}

#[tokio::test]
async fn when_the_daemon_goes_away_nothing_stays_unanswered() {
    let daemon = daemon(Vec::new());
    let (child, mut stdin, mut lines) = bridge(&daemon);
    stdin.write_all(call(1, "lock", json!({})).as_bytes()).await.unwrap();
    let answer = next(&mut lines).await;
    assert_eq!((&answer["id"], &answer["error"]["code"]), (&json!(1), &json!(-32_003)));
    assert_eq!(answer["error"]["data"]["code"], "closed");
    assert!(lines.next_line().await.unwrap().is_none());
    assert!(ended(child).await.with_code(3).stderr.contains("closed the connection"));
}

#[tokio::test]
async fn a_closed_pipe_ends_it_quietly() {
    let daemon = daemon((1..100).map(|n| received(n, "x")).collect());
    let (child, mut stdin, mut lines) = bridge(&daemon);
    stdin.write_all(call(1, "status", json!({})).as_bytes()).await.unwrap();
    next(&mut lines).await;
    drop(lines);
    // The other end may be gone before this is written.
    let _ = stdin.write_all(call(2, "subscribe", json!({})).as_bytes()).await;
    assert_eq!(ended(child).await.ok().stderr, "");
}
