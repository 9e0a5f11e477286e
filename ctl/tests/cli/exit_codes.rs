//! Every exit code, by every way that leads to it.

use secchat_ipc::transport::greet;
use secchat_ipc::{CommandError, Hello, Reply};
use tokio::io::AsyncWriteExt as _;

use crate::fake_daemon::{Answer, FakeDaemon, listen};
use crate::home::Home;
use crate::sample::{CHAT, bob};

#[tokio::test]
async fn every_error_of_the_daemon_has_its_code_and_its_word() {
    let (peer, why) = (bob, || "because".to_owned());
    let table = [
        (CommandError::NotConfigured, 1, "not_configured"),
        (CommandError::Locked, 4, "locked"),
        (CommandError::WrongPassphrase, 4, "wrong_passphrase"),
        (CommandError::IdentityUnusable { why: why() }, 1, "identity_unusable"),
        (CommandError::NotConnected { why: why() }, 5, "not_connected"),
        (CommandError::PeerUnavailable { peer: peer() }, 6, "peer_unavailable"),
        (CommandError::Refused { peer: peer() }, 7, "refused"),
        (CommandError::TimedOut, 8, "timed_out"),
        (CommandError::Expired { peer: peer() }, 8, "expired"),
        (CommandError::KeyChanged { peer: peer() }, 9, "key_changed"),
        (CommandError::WrongSafetyNumber { peer: peer() }, 9, "wrong_safety_number"),
        (CommandError::NoKey { peer: peer() }, 1, "no_key"),
        (CommandError::NoChat { peer: peer() }, 10, "no_chat"),
        (CommandError::NotDelivered { peer: peer(), chat_id: CHAT }, 10, "not_delivered"),
        (CommandError::NoRequest { peer: peer() }, 1, "no_request"),
        (CommandError::AlreadyResolved { why: why() }, 1, "already_resolved"),
        (CommandError::Blocked { peer: peer() }, 1, "blocked"),
        (CommandError::Invalid { why: why() }, 2, "invalid"),
        (CommandError::LimitReached { why: why() }, 1, "limit_reached"),
        (CommandError::NotSaved { why: why() }, 1, "not_saved"),
        (CommandError::Stopping, 3, "stopping"),
        (CommandError::Withdrawn, 1, "withdrawn"),
        (CommandError::StateUnusable { why: why() }, 1, "state_unusable"),
        (CommandError::NotSent { why: why() }, 1, "not_sent"),
        (CommandError::NoConsent { peer: peer() }, 1, "no_consent"),
    ];
    for (error, code, word) in table {
        let daemon = FakeDaemon::always(Err(error.clone()));
        let said = error.to_string();
        for verb in [&["rtt", "bob"][..], &["close", "bob"], &["list"], &["watch", "--once"]] {
            daemon.home.run(verb).await.with_code(code).complains(&said);
        }
        let run = daemon.home.run(&["--json", "rtt", "bob"]).await.with_code(code);
        let error = run.error();
        assert_eq!(error["code"], word);
        assert_eq!(error["exit"], code);
        assert_eq!(error["message"], said);
    }
}

#[tokio::test]
async fn time_limits_say_what_they_leave_open() {
    let daemon = FakeDaemon::always(Err(CommandError::TimedOut));
    daemon.home.run(&["send", "bob", "x"]).await.with_code(8).complains("may have the text or not");
    daemon.home.run(&["accept", "bob"]).await.with_code(8).complains("opens by itself");
}

#[tokio::test]
async fn every_verb_passes_a_failure_on() {
    let daemon = FakeDaemon::always(Err(CommandError::Locked));
    let number = "1".repeat(60);
    let key = "A".repeat(60);
    let verbs: [&[&str]; 28] = [
        &["unlock", "--no-passphrase"],
        &["lock"],
        &["login"],
        &["logout"],
        &["status"],
        &["list"],
        &["rtt", "bob"],
        &["rtt", "bob", "--no-wait"],
        &["rtt", "bob", "--withdraw"],
        &["requests"],
        &["accept", "bob"],
        &["refuse", "bob"],
        &["later", "bob"],
        &["send", "bob", "x"],
        &["read"],
        &["chat", "bob"],
        &["close", "bob"],
        &["consents"],
        &["dnd", "on"],
        &["revoke", "bob"],
        &["available"],
        &["policy", "ask"],
        &["block", "bob"],
        &["peers"],
        &["peers", "add", "bob", &key],
        &["verify", "bob", "--expect", &number],
        &["forget", "bob", "--yes"],
        &["watch"],
    ];
    for verb in verbs {
        daemon.home.run(verb).await.with_code(4).complains("secchatctl unlock");
    }
}

#[tokio::test]
async fn no_daemon_is_3_with_the_line_that_starts_it() {
    let home = Home::new();
    for verb in [&["status"][..], &["send", "bob", "x"], &["watch"], &["unlock"]] {
        home.run(verb).await.with_code(3).complains("systemctl --user start secchatd");
    }
    drop(listen(&home));
    home.run(&["status"]).await.with_code(3).complains("systemctl --user start secchatd");
    assert_eq!(home.run(&["--json", "list"]).await.with_code(3).error()["code"], "no_daemon");
}

#[tokio::test]
async fn a_daemon_that_speaks_another_language_is_3() {
    for (hello, said) in
        [(&b"HTTP/1.1 400 Bad Request\r\n"[..], "not a working secchatd"), (&[0; 200], "not a working")]
    {
        let home = Home::new();
        let listener = listen(&home);
        let serve = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.write_all(hello).await.unwrap();
        };
        let (run, ()) = tokio::join!(home.run(&["status"]), serve);
        run.with_code(3).complains(said);
    }
}

#[tokio::test]
async fn an_older_daemon_is_3_and_named_as_the_older() {
    let home = Home::new();
    let listener = listen(&home);
    let serve = async {
        let (stream, _) = listener.accept().await.unwrap();
        let (mut input, mut output) = stream.into_split();
        let own = Hello { version: 0, ..Hello::new("secchatd", "0.0.1") };
        assert!(greet(&mut input, &mut output, &own, None).await.is_err());
    };
    let (run, ()) = tokio::join!(home.run(&["status"]), serve);
    run.with_code(3).complains("the running daemon is older (0.0.1");
}

#[tokio::test]
async fn a_daemon_that_says_nothing_at_all_is_3() {
    let home = Home::new();
    let listener = listen(&home);
    let serve = async {
        let (stream, _) = listener.accept().await.unwrap();
        stream
    };
    let (run, _stream) = tokio::join!(home.run(&["status"]), serve);
    run.with_code(3).complains("not a working secchatd");
}

#[tokio::test]
async fn a_daemon_that_does_not_answer_is_8_after_the_time_limit() {
    let daemon = FakeDaemon::start(|_| Answer::Nothing);
    let run = daemon.home.run(&["--timeout", "100ms", "status"]).await;
    run.with_code(8).complains("did not answer");
}

#[tokio::test]
async fn a_daemon_that_dies_or_answers_something_else_is_3() {
    let daemon = FakeDaemon::start(|_| Answer::Close);
    daemon.home.run(&["list"]).await.with_code(3).complains("closed the connection");
    let daemon = FakeDaemon::always(Ok(Reply::Done));
    daemon.home.run(&["list"]).await.with_code(3).complains("does not understand");
}

#[tokio::test]
async fn a_wrong_command_line_is_2_and_asks_no_daemon() {
    let daemon = FakeDaemon::always(Ok(Reply::Done));
    let long = "x".repeat(32_769);
    let wrong: [&[&str]; 17] = [
        &["frobnicate"],
        &["rtt"],
        &["rtt", "Bob"],
        &["rtt", "../etc"],
        &["rtt", "b\u{202e}b"],
        &["rtt", "bob", "--for", "soon"],
        &["rtt", "bob", "--history", "65535"],
        &["rtt", "bob", "--timeout", "0"],
        &["--profile", "../x", "status"],
        &["send", "bob"],
        &["send", "bob", ""],
        &["send", "bob", &long],
        &["send", "--edit", "bob"],
        &["policy", "bob", "maybe"],
        &["policy", "Perhaps"],
        &["peers", "add", "bob", "nonsense"],
        &["forget", "bob"],
    ];
    for arguments in wrong {
        let run = daemon.home.run(arguments).await.with_code(2).complains("error:");
        assert!(!run.stderr.contains('\u{202e}'), "{run:?}");
        let json = [&["--json"], arguments].concat();
        let error = daemon.home.run(&json).await.with_code(2).error();
        assert_eq!((&error["code"], &error["exit"]), (&"usage".into(), &2.into()), "{error}");
    }
    assert_eq!(daemon.commands(), []);
    for arguments in [&["--help"][..], &["help", "rtt"], &["--version"], &["send", "--help"]] {
        let run = daemon.home.run(arguments).await.ok();
        assert!(run.stdout.contains("secchatctl") && run.stderr.is_empty(), "{run:?}");
    }
    daemon.home.run(&["--profile", "../x", "status"]).await.complains("no name for a profile");
}
