//! Standard input and output: texts from pipes, conversations, events, pipes that close.

use std::process::Stdio;
use std::time::Duration;

use secchat_ipc::types::EndReason;
use secchat_ipc::{Command, CommandError, Event, Reply};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};

use crate::fake_daemon::{Answer, FakeDaemon, err, ok};
use crate::home::ended;
use crate::sample::{CHAT, bob, received, snapshot};

/// A daemon with a chat open, in which every text is delivered.
fn talking() -> FakeDaemon {
    talking_with(Vec::new())
}

/// The same, with these events after the subscription.
fn talking_with(events: Vec<Event>) -> FakeDaemon {
    let mut delivered = 0;
    FakeDaemon::start(move |command| match command {
        Command::Subscribe => {
            let events = (11..).zip(events.clone()).collect();
            Answer::Reply(Box::new(Ok(snapshot())), events)
        }
        Command::Send { .. } => {
            delivered += 1;
            ok(Reply::Delivered { chat_id: CHAT, id: delivered })
        }
        _ => ok(Reply::Done),
    })
}

fn texts(commands: Vec<Command>) -> Vec<String> {
    let text = |command| if let Command::Send { text, .. } = command { Some(text) } else { None };
    commands.into_iter().filter_map(text).collect()
}

#[tokio::test]
async fn standard_input_is_one_text_when_asked_for() {
    let daemon = talking();
    let longest = "x".repeat(32_768);
    for (input, text) in [("one\ntwo\n", "one\ntwo"), ("żółw\n\n", "żółw\n"), (&longest, &longest)] {
        daemon.home.run_with_input(&["send", "bob", "-"], input.as_bytes()).await.ok();
        assert_eq!(texts(daemon.commands()), [text]);
    }
    daemon.home.run_with_input(&["send", "bob", "hi"], b"not asked for").await.ok();
    assert_eq!(texts(daemon.commands()), ["hi"]);
}

#[tokio::test]
async fn standard_input_that_is_no_text_is_named() {
    let daemon = talking();
    let longer = "x".repeat(32_769);
    for (input, said) in [
        (longer.as_bytes(), "32,768"),
        (&b"ab\xff\n"[..], "not UTF-8 (byte 3)"),
        (b"", "empty"),
        (b"\n", "empty"),
    ] {
        daemon.home.run_with_input(&["send", "bob", "-"], input).await.with_code(2).complains(said);
    }
    assert_eq!(daemon.commands(), []);
}

#[tokio::test]
async fn a_conversation_sends_ten_thousand_pasted_lines_in_order() {
    let daemon = talking();
    let lines: Vec<String> = (0..10_000).map(|n| format!("line {n} ż")).collect();
    let input = lines.join("\n");
    daemon.home.run_with_input(&["chat", "bob"], input.as_bytes()).await.ok();
    assert_eq!(texts(daemon.commands()), lines);
}

#[tokio::test]
async fn a_conversation_ends_at_quit_and_skips_blank_lines() {
    let daemon = talking();
    let run = daemon.home.run_with_input(&["chat", "bob"], b"one\n\n//quit\n/quit\nnot this\n").await;
    assert_eq!(run.ok().stdout, "");
    assert_eq!(texts(daemon.commands()), ["one", "/quit"]);
}

#[tokio::test]
async fn a_conversation_shows_what_arrives_and_marks_it_read() {
    let daemon = talking_with(vec![received(1, "hello \u{1b}[2J"), received(2, "again")]);
    let mut child = daemon.home.command(&["chat", "bob"]).stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut next = async || {
        let line = tokio::time::timeout(Duration::from_secs(30), lines.next_line()).await;
        line.expect("a line").unwrap().unwrap()
    };
    assert_eq!(next().await, "bob 2026-11-18 11:06  hello \\u{1b}[2J");
    assert_eq!(next().await, "bob 2026-11-18 11:06  again");
    stdin.write_all(b"good to see you\n").await.unwrap();
    drop(stdin);
    ended(child).await.ok();
    let commands = daemon.commands();
    for up_to in [1, 2] {
        assert!(commands.contains(&Command::MarkRead { chat_id: CHAT, up_to }), "{commands:?}");
    }
    assert_eq!(texts(commands), ["good to see you"]);
}

#[tokio::test]
async fn a_conversation_waits_for_every_acknowledgement() {
    // The texts' replies come only with the third: the end of input alone ends nothing.
    let daemon = FakeDaemon::start(|command| match command {
        Command::Subscribe => ok(snapshot()),
        Command::Send { text, .. } if text == "lost" => {
            err(CommandError::NotDelivered { peer: bob(), chat_id: CHAT })
        }
        _ => ok(Reply::Delivered { chat_id: CHAT, id: 1 }),
    });
    let run = daemon.home.run_with_input(&["chat", "bob"], b"first\nlost\n").await.with_code(10);
    assert!(run.stderr.contains("before bob's daemon acknowledged"), "{run:?}");
    let run = daemon.home.run_with_input(&["--timeout", "1s", "chat", "bob"], b"fine\n").await;
    run.ok();
}

#[tokio::test]
async fn a_conversation_needs_a_chat_and_ends_with_it() {
    let daemon = talking();
    daemon.home.run(&["chat", "carol"]).await.with_code(10).complains("secchatctl rtt carol");
    let ended_by_peer = Event::ChatEnded {
        peer: bob(),
        chat_id: CHAT,
        reason: EndReason::ClosedByPeer,
        undelivered: 0,
        missing: 0,
    };
    let daemon = talking_with(vec![ended_by_peer]);
    let mut child = daemon.home.command(&["chat", "bob"]).stdin(Stdio::piped()).spawn().unwrap();
    let _open_input = child.stdin.take();
    let run = ended(child).await.ok();
    assert!(run.stderr.contains("closed by bob"), "{run:?}");
}

#[tokio::test]
async fn a_conversation_refuses_lines_that_are_no_text() {
    let daemon = talking();
    let mut input = b"fine\n".to_vec();
    input.extend(vec![b'x'; 40_000]);
    let run = daemon.home.run_with_input(&["chat", "bob"], &input).await.with_code(2);
    assert!(run.stderr.contains("32,768"), "{run:?}");
    assert_eq!(texts(daemon.commands()), ["fine"]);
    let run = daemon.home.run_with_input(&["chat", "bob"], b"\xff\xfe\n").await.with_code(2);
    assert!(run.stderr.contains("not UTF-8"), "{run:?}");
}

#[tokio::test]
async fn watch_prints_an_object_a_line() {
    let daemon = talking_with(vec![received(1, "a\nb"), received(2, "\u{202e}c")]);
    let run = daemon.home.run(&["watch", "--json", "--snapshot", "--timeout", "300ms"]).await.ok();
    let lines: Vec<Value> = run.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let names: Vec<&str> = lines.iter().map(|line| line["event"].as_str().unwrap()).collect();
    assert_eq!(names, ["status_changed", "chat_changed", "message_received", "message_received"]);
    let numbers: Vec<u64> = lines.iter().map(|line| line["sequence"].as_u64().unwrap()).collect();
    assert_eq!(numbers, [10, 10, 11, 12]);
    assert_eq!(lines[3]["text"], "\u{202e}c");
    assert!(!run.stdout.contains('\u{202e}'));
}

#[tokio::test]
async fn watch_once_ends_with_the_first_event_of_the_kind() {
    let daemon = talking_with(vec![
        Event::MessagesDelivered { peer: bob(), chat_id: CHAT, up_to: 1 },
        received(1, "x\ny"),
        received(2, "z"),
    ]);
    let run = daemon.home.run(&["watch", "--once", "--only", "message_received"]).await.ok();
    assert!(run.stdout.ends_with("bob: x\\u{a}y\n") && run.stdout.lines().count() == 1, "{run:?}");
    daemon.home.run(&["watch", "--once", "--peer", "bob"]).await.ok();
    let nothing = ["watch", "--once", "--only", "request_received,chat_ended", "--timeout", "300ms"];
    daemon.home.run(&nothing).await.with_code(8).complains("no such event");
    let nothing = ["watch", "--once", "--peer", "carol", "--timeout", "300ms"];
    daemon.home.run(&nothing).await.with_code(8);
}

#[tokio::test]
async fn watch_ends_with_the_daemon_and_at_lost_events() {
    let daemon = FakeDaemon::start(|command| match command {
        Command::Subscribe => Answer::Reply(Box::new(Ok(snapshot())), vec![(11, received(1, "x"))]),
        _ => Answer::Close,
    });
    let child = daemon.home.command(&["watch"]).spawn().unwrap();
    assert_eq!(daemon.next_command().await, Command::Subscribe);
    drop(daemon);
    let run = ended(child).await.with_code(3);
    assert!(run.stderr.contains("no more events"), "{run:?}");
    let daemon = FakeDaemon::start(|_| Answer::Reply(Box::new(Ok(snapshot())), vec![(13, received(1, "x"))]));
    daemon.home.run(&["watch"]).await.with_code(1).complains("lost");
}

#[tokio::test]
async fn a_closed_pipe_ends_quietly() {
    let daemon = talking_with((0..2_000).map(|n| received(n, &"x".repeat(100))).collect());
    for arguments in [&["watch"][..], &["--json", "watch"]] {
        let mut child = daemon.home.command(arguments).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        assert!(lines.next_line().await.unwrap().is_some());
        drop(lines);
        let run = ended(child).await.ok();
        assert_eq!(run.stderr, "");
    }
}
