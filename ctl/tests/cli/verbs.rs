//! What every verb asks of the daemon, and what it prints.

use secchat_ipc::types::{
    Consent, DoNotDisturb, KeyTrust, LinkState, LockState, Message, Policy, QuietChange, QuietHours, Status,
    Terms,
};
use secchat_ipc::{Command, Reply, UserName};
use serde_json::{Value, json};

use crate::fake_daemon::{Answer, FakeDaemon, ok};
use crate::sample::{CHAT, CHAT_HEX, NUMBER, TERMS, bob, chat, incoming, message, outgoing, peer, status};

/// Runs once for people and once for programs: the commands sent, the lines and the object.
async fn both(arguments: &[&str], replies: &[Reply]) -> (Vec<Command>, String, Value) {
    let replies = replies.to_vec();
    let mut next = replies.clone().into_iter().cycle();
    let daemon = FakeDaemon::start(move |_| ok(next.next().unwrap()));
    let human = daemon.home.run(arguments).await.ok();
    let commands = daemon.commands();
    let program = daemon.home.run(&[&["--json"], arguments].concat()).await.ok();
    assert_eq!(daemon.commands(), commands);
    assert_eq!(program.stderr, "", "programs read standard error as JSON");
    let value = program.json();
    (commands, human.stdout, value)
}

#[tokio::test]
async fn verbs_about_the_session_and_requests_are_silent_on_standard_output() {
    let peer = bob;
    let table: [(&[&str], Command, Value); 10] = [
        (&["lock"], Command::Lock, json!({ "lock": "locked" })),
        (&["lock", "--keep-session"], Command::LockKeepSession, json!({ "lock": "reachable" })),
        (&["login"], Command::Login, json!({ "link": "online" })),
        (&["logout"], Command::Logout, json!({ "link": "logged_out" })),
        (
            &["available"],
            Command::SetReachability { available: true },
            json!({ "reachability": "available" }),
        ),
        (&["hidden"], Command::SetReachability { available: false }, json!({ "reachability": "hidden" })),
        (
            &["rtt", "bob", "--withdraw"],
            Command::Withdraw { peer: peer() },
            json!({ "peer": "bob", "answer": "withdrawn" }),
        ),
        (
            &["refuse", "bob", "--quietly"],
            Command::Refuse { peer: peer(), quietly: true },
            json!({ "peer": "bob", "answer": "refused", "quietly": true }),
        ),
        (&["later", "bob"], Command::Later { peer: peer() }, json!({ "peer": "bob", "answer": "later" })),
        (&["revoke", "bob"], Command::Revoke { peer: peer() }, json!({ "peer": "bob", "revoked": true })),
    ];
    all_are_silent(&table).await;
}

#[tokio::test]
async fn verbs_about_peers_are_silent_on_standard_output() {
    let peer = bob;
    let key = "A".repeat(60);
    let table: [(&[&str], Command, Value); 7] = [
        (
            &["policy", "refuse-quietly"],
            Command::SetPolicy { peer: None, policy: Some(Policy::RefuseQuietly) },
            json!({ "peer": null, "policy": "refuse-quietly" }),
        ),
        (
            &["policy", "bob", "default"],
            Command::SetPolicy { peer: Some(peer()), policy: None },
            json!({ "peer": "bob", "policy": null }),
        ),
        (
            &["block", "bob"],
            Command::SetBlocked { peer: peer(), blocked: true },
            json!({ "peer": "bob", "blocked": true }),
        ),
        (
            &["unblock", "bob"],
            Command::SetBlocked { peer: peer(), blocked: false },
            json!({ "peer": "bob", "blocked": false }),
        ),
        (
            &["peers", "add", "bob", &key],
            Command::AddPeer { peer: peer(), public_key: key.clone() },
            json!({ "peer": "bob", "trust": "pinned" }),
        ),
        (
            &["verify", "bob", "--expect", NUMBER],
            Command::ConfirmSafetyNumber { peer: peer(), number: NUMBER.to_owned() },
            json!({ "peer": "bob", "trust": "verified" }),
        ),
        (
            &["forget", "bob", "--yes"],
            Command::Forget { peer: peer() },
            json!({ "peer": "bob", "forgotten": true }),
        ),
    ];
    all_are_silent(&table).await;
}

async fn all_are_silent(table: &[(&[&str], Command, Value)]) {
    for (arguments, command, object) in table {
        let (commands, stdout, value) = both(arguments, &[Reply::Done]).await;
        assert_eq!(commands, std::slice::from_ref(command), "{arguments:?}");
        assert_eq!(stdout, "", "{arguments:?}");
        assert_eq!(value, *object, "{arguments:?}");
    }
}

#[tokio::test]
async fn status_says_what_is_missing_and_how_to_mend_it() {
    let (commands, page, value) =
        both(&["status"], &[Reply::Status(status(LockState::Locked)), quiet(false)]).await;
    assert_eq!(commands, [Command::Status, Command::DoNotDisturb]);
    assert!(page.contains("alice on relay:4433") && page.contains("locked"), "{page}");
    assert!(page.contains("`secchatctl unlock`"), "{page}");
    assert_eq!(value["user"], "alice");
    assert_eq!(value["lock"], "locked");
    assert_eq!(value["link"], json!({ "state": "online", "why": null, "retry_at": null }));

    let reachable = status(LockState::Reachable { until: 4_102_444_800 });
    let (_, page, value) = both(&["status"], &[Reply::Status(reachable), quiet(false)]).await;
    assert!(page.contains("locked; requests arrive until") && page.contains("`secchatctl unlock`"), "{page}");
    assert_eq!(
        (&value["lock"], &value["reachable_until"]),
        (&json!("reachable"), &json!("2100-01-01T00:00:00Z"))
    );

    let nobody = Status { user: None, ..status(LockState::Locked) };
    let (_, page, value) = both(&["status"], &[Reply::Status(nobody), quiet(false)]).await;
    assert!(page.contains("not set up") && page.contains("`secchatctl init`"), "{page}");
    assert_eq!(value["user"], Value::Null);

    let link = LinkState::Waiting { why: "port \u{1b}[2J closed".to_owned(), retry_at: 4_102_444_800 };
    let waiting = Status { link, hints: vec!["look\nhere".to_owned()], ..status(LockState::Unlocked) };
    let (_, page, value) = both(&["status"], &[Reply::Status(waiting), quiet(true)]).await;
    assert!(page.contains("port \\u{1b}[2J closed") && page.contains("look\\u{a}here"), "{page}");
    assert_eq!(value["link"]["retry_at"], "2100-01-01T00:00:00Z");
    assert!(page.contains("do not disturb: on") && page.contains("`secchatctl dnd off`"), "{page}");
    assert_eq!(value["do_not_disturb"]["on"], true);
}

fn quiet(on: bool) -> Reply {
    Reply::DoNotDisturb(DoNotDisturb { on, ..DoNotDisturb::default() })
}

#[tokio::test]
async fn dnd_shows_and_sets() {
    let hours = QuietHours { from: 1_320, to: 420 };
    let state = DoNotDisturb { on: true, until: Some(4_102_444_800), hours: Some(hours) };
    let (commands, stdout, value) = both(&["dnd"], &[Reply::DoNotDisturb(state)]).await;
    assert_eq!(commands, [Command::DoNotDisturb]);
    assert!(stdout.starts_with("do not disturb: on until 2") && stdout.contains("(every day 22:00-07:00)"));
    assert_eq!(value, json!({ "on": true, "until": "2100-01-01T00:00:00Z", "hours": "22:00-07:00" }));
    let table: [(&[&str], &[QuietChange]); 8] = [
        (&["on"], &[QuietChange::On { seconds: 0 }]),
        (&["on", "--for", "2h"], &[QuietChange::On { seconds: 7_200 }]),
        (&["--for", "90"], &[QuietChange::On { seconds: 90 }]),
        (&["off"], &[QuietChange::Off]),
        (&["--between", "22:00-07:00"], &[QuietChange::Hours(Some(hours))]),
        (&["--between", "none"], &[QuietChange::Hours(None)]),
        (&["--between", "default"], &[QuietChange::HoursAsConfigured]),
        (&["off", "--between", "22:00-07:00"], &[QuietChange::Hours(Some(hours)), QuietChange::Off]),
    ];
    for (arguments, changes) in table {
        let mut replies = vec![Reply::Done; changes.len()];
        replies.push(quiet(false));
        let (commands, stdout, _) = both(&[&["dnd"], arguments].concat(), &replies).await;
        let set = changes.iter().map(|change| Command::SetDoNotDisturb(*change));
        assert_eq!(commands, set.chain([Command::DoNotDisturb]).collect::<Vec<_>>(), "{arguments:?}");
        assert_eq!(stdout, "", "{arguments:?}");
    }
    let daemon = FakeDaemon::always(Ok(Reply::Done));
    for wrong in
        [&["off", "--for", "2h"][..], &["maybe"], &["--between", "22-7"], &["--between", "07:00-07:00"]]
    {
        daemon.home.run(&[&["dnd"], wrong].concat()).await.with_code(2);
    }
    assert_eq!(daemon.commands(), []);
}

#[tokio::test]
async fn list_prints_a_name_a_line() {
    let users = ["bob", "carol"].map(|name| UserName::parse(name).unwrap()).to_vec();
    let (commands, stdout, value) = both(&["list"], &[Reply::Users(users)]).await;
    assert_eq!(commands, [Command::List]);
    assert_eq!(stdout, "bob\ncarol\n");
    assert_eq!(value, json!({ "users": ["bob", "carol"] }));
}

#[tokio::test]
async fn rtt_asks_with_its_terms_and_waits() {
    let open = Reply::ChatOpen { chat_id: CHAT, terms: TERMS };
    let arguments = ["rtt", "bob", "--timeout", "90s", "--history", "all"];
    let (commands, stdout, value) = both(&arguments, std::slice::from_ref(&open)).await;
    let terms = Terms { until: None, history_days: None };
    assert_eq!(commands, [Command::Rtt { peer: bob(), terms, lifetime_seconds: 90, wait: true }]);
    assert_eq!(stdout, "");
    let granted = json!({ "until": "2100-01-01T00:00:00Z", "history_days": 7 });
    assert_eq!(value, json!({ "peer": "bob", "answer": "accepted", "chat": CHAT_HEX, "terms": granted }));

    let asked = Reply::Asked { chat_id: CHAT, expires: 4_102_444_800, peer_away: true };
    let (commands, _, value) = both(&["rtt", "--no-wait", "bob"], &[asked]).await;
    let terms = Terms { until: None, history_days: Some(0) };
    assert_eq!(commands, [Command::Rtt { peer: bob(), terms, lifetime_seconds: 86_400, wait: false }]);
    assert_eq!(value["answer"], "pending");
    assert_eq!(value["peer_away"], true);
}

#[tokio::test]
async fn an_interrupted_rtt_takes_its_request_back() {
    let daemon = FakeDaemon::start(|command| match command {
        Command::Rtt { .. } => Answer::Nothing,
        _ => ok(Reply::Done),
    });
    let child = daemon.home.command(&["rtt", "bob"]).spawn().unwrap();
    let pid = child.id().unwrap().to_string();
    assert!(matches!(daemon.next_command().await, Command::Rtt { wait: true, .. }));
    assert!(std::process::Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    crate::home::ended(child).await.with_code(130).complains("taken back");
    assert_eq!(daemon.commands(), [Command::Withdraw { peer: bob() }]);
}

#[tokio::test]
async fn requests_show_both_ways_and_a_changed_key_loudly() {
    let requests = Reply::Requests { incoming: vec![incoming(KeyTrust::Pinned)], outgoing: vec![outgoing()] };
    let (commands, stdout, value) = both(&["requests"], &[requests]).await;
    assert_eq!(commands, [Command::Requests]);
    let rows: Vec<Vec<&str>> = stdout.lines().map(|line| line.split('\t').collect()).collect();
    assert_eq!((rows[0][0], rows[0][1], rows[0][2], rows[0][4]), ("bob", "asks you", "pending", "pinned"));
    assert_eq!((rows[1][0], rows[1][1], rows[1][2]), ("bob", "you ask", "away"));
    assert_eq!(value["incoming"][0]["safety_number"], NUMBER);
    assert_eq!(value["incoming"][0]["received"], "2026-11-18T11:06:41Z");
    assert_eq!(value["outgoing"][0]["chat"], CHAT_HEX);

    let changed = Reply::Requests { incoming: vec![incoming(KeyTrust::Changed)], outgoing: vec![] };
    let daemon = FakeDaemon::always(Ok(changed));
    let run = daemon.home.run(&["requests"]).await.ok();
    assert!(run.stderr.contains("warning:") && run.stderr.contains("verify bob"), "{run:?}");
}

#[tokio::test]
async fn accept_grants_what_was_asked_or_less() {
    let open = Reply::ChatOpen { chat_id: CHAT, terms: TERMS };
    let (commands, stdout, value) = both(&["accept", "bob"], std::slice::from_ref(&open)).await;
    assert_eq!(commands, [Command::Accept { peer: bob(), terms: None, wait: true }]);
    assert_eq!(stdout, "");
    assert_eq!((&value["open"], &value["chat"]), (&true.into(), &CHAT_HEX.into()));

    let accepted = Reply::Accepted { chat_id: CHAT, terms: TERMS };
    let (commands, _, value) = both(&["accept", "--no-wait", "bob"], &[accepted]).await;
    assert_eq!(commands, [Command::Accept { peer: bob(), terms: None, wait: false }]);
    assert_eq!(value["open"], false);

    let asked = Reply::Requests { incoming: vec![incoming(KeyTrust::Pinned)], outgoing: vec![] };
    let (commands, _, _) = both(&["accept", "bob", "--history", "none"], &[asked, open.clone()]).await;
    let less = Terms { history_days: Some(0), ..TERMS };
    let expected = Command::Accept { peer: bob(), terms: Some(less), wait: true };
    assert_eq!(commands, [Command::Requests, expected]);

    let nobody = Reply::Requests { incoming: vec![], outgoing: vec![] };
    let daemon = FakeDaemon::always(Ok(nobody));
    daemon.home.run(&["accept", "bob", "--for", "1h"]).await.with_code(1).complains("has not asked");
}

#[tokio::test]
async fn accept_says_whether_it_is_for_one_chat_or_for_more() {
    let open = Reply::ChatOpen { chat_id: CHAT, terms: TERMS };
    let asked = Reply::Requests { incoming: vec![incoming(KeyTrust::Pinned)], outgoing: vec![] };
    let (once, more): (&[&[&str]], &[&[&str]]) = (
        &[&["--once"], &["--once", "--for", "8h"], &["--history", "0"]],
        &[&["--until-revoked"], &["--for", "8h"], &["--for", "8h", "--history", "0"]],
    );
    for (flags, is_standing) in once.iter().map(|f| (f, false)).chain(more.iter().map(|f| (f, true))) {
        let needs_terms = flags.iter().any(|flag| ["--for", "--history"].contains(flag));
        let replies: &[Reply] = &[asked.clone(), open.clone()];
        let replies = if needs_terms { replies } else { &replies[1..] };
        let (commands, _, value) = both(&[&["accept", "bob"], *flags].concat(), replies).await;
        let stands = matches!(commands.last(), Some(Command::AcceptStanding { .. }));
        assert_eq!((stands, &value["standing"]), (is_standing, &is_standing.into()), "{flags:?}");
    }
    let daemon = FakeDaemon::always(Ok(open));
    for wrong in [&["--once", "--until-revoked"][..], &["--for", "8h", "--until-revoked"]] {
        daemon.home.run(&[&["accept", "bob"], wrong].concat()).await.with_code(2);
    }
}

#[tokio::test]
async fn consents_shows_who_may_talk_and_until_when() {
    let terms = Terms { until: None, history_days: None };
    let consents = vec![
        Consent { peer: bob(), given: 1_795_000_000, terms, chat_id: None },
        Consent { peer: bob(), given: 1_795_000_000, terms: TERMS, chat_id: Some(CHAT) },
    ];
    let (commands, stdout, value) = both(&["consents"], &[Reply::Consents(consents)]).await;
    assert_eq!(commands, [Command::Consents]);
    let lines: Vec<&str> = stdout.lines().collect();
    assert!(lines[0].starts_with("bob\tany chat\tno end\tkept\t"), "{stdout}");
    assert!(lines[1].starts_with("bob\tthis chat\t") && lines[1].contains("\t7 days\t"), "{stdout}");
    let one = json!({
        "peer": "bob", "standing": false, "chat": CHAT_HEX, "given": "2026-11-18T11:06:40Z",
        "terms": { "until": "2100-01-01T00:00:00Z", "history_days": 7 },
    });
    assert_eq!((&value["consents"][0]["standing"], &value["consents"][1]), (&true.into(), &one));
    let (_, stdout, value) = both(&["consents"], &[Reply::Consents(vec![])]).await;
    assert_eq!((stdout.as_str(), value), ("", json!({ "consents": [] })));
}

#[tokio::test]
async fn send_is_silent_and_tells_programs_what_was_delivered() {
    let delivered = Reply::Delivered { chat_id: CHAT, id: 9_007_199_254_740_993 };
    let (commands, stdout, value) =
        both(&["send", "bob", "two", "words", "--json"], std::slice::from_ref(&delivered)).await;
    assert_eq!(commands, [Command::Send { peer: bob(), text: "two words --json".to_owned() }]);
    assert_eq!(stdout, "");
    let object = json!({ "peer": "bob", "chat": CHAT_HEX, "id": "9007199254740993", "delivered": true });
    assert_eq!(value, object, "ids are strings: JavaScript would round this one");
    let daemon = FakeDaemon::always(Ok(delivered));
    assert_eq!(daemon.home.run(&["send", "bob", "x"]).await.ok().stderr, "");
    assert!(daemon.home.run(&["-v", "send", "bob", "x"]).await.ok().stderr.contains("has the text"));
}

#[tokio::test]
async fn send_can_ask_first() {
    let daemon = FakeDaemon::start(|command| match command {
        Command::Chats => ok(Reply::Chats(vec![])),
        Command::Rtt { .. } => ok(Reply::ChatOpen { chat_id: CHAT, terms: TERMS }),
        _ => ok(Reply::Delivered { chat_id: CHAT, id: 1 }),
    });
    daemon.home.run(&["send", "--request", "bob", "x"]).await.ok();
    let commands = daemon.commands();
    assert!(matches!(commands[..], [Command::Chats, Command::Rtt { wait: true, .. }, Command::Send { .. }]));
    let daemon = FakeDaemon::start(|command| match command {
        Command::Chats => ok(Reply::Chats(vec![chat()])),
        _ => ok(Reply::Delivered { chat_id: CHAT, id: 1 }),
    });
    daemon.home.run(&["send", "--request", "bob", "x"]).await.ok();
    assert!(matches!(daemon.commands()[..], [Command::Chats, Command::Send { .. }]));
}

#[tokio::test]
async fn read_shows_texts_harmlessly_and_then_marks_them() {
    let texts = vec![message(4, "one\nbob 2026  fake"), message(5, "\u{1b}]0;x\u{7}\u{202e}ż")];
    // One text a reply, as if they were large.
    let reply = |texts: Vec<Message>| {
        let mut read = 0;
        move |command: &Command| match command {
            Command::Read { .. } => {
                ok(Reply::Messages(texts.iter().filter(|text| text.id > read).take(1).cloned().collect()))
            }
            Command::MarkRead { up_to, .. } => {
                read = *up_to;
                ok(Reply::Done)
            }
            _ => ok(Reply::Done),
        }
    };
    let daemon = FakeDaemon::start(reply(texts.clone()));
    let run = daemon.home.run(&["read", "bob"]).await.ok();
    assert_eq!(
        run.stdout,
        "bob 2026-11-18 11:06  one\n    bob 2026  fake\nbob 2026-11-18 11:06  \\u{1b}]0;x\\u{7}\\u{202e}ż\n",
        "a line of a text cannot look like another text"
    );
    let look = Command::Read { peer: Some(bob()), peek: true };
    let mark = |up_to| Command::MarkRead { chat_id: CHAT, up_to };
    assert_eq!(daemon.commands(), [look.clone(), mark(4), look.clone(), mark(5), look.clone()]);

    let all = Reply::Messages(texts.clone());
    let daemon = FakeDaemon::always(Ok(all));
    let run = daemon.home.run(&["--json", "read", "--peek", "bob"]).await.ok();
    assert_eq!(daemon.commands(), [look]);
    let lines: Vec<Value> = run.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[1]["text"], "\u{1b}]0;x\u{7}\u{202e}ż", "programs get the exact text");
    assert!(!run.stdout.contains(['\u{1b}', '\u{202e}']), "terminals do not");
    assert_eq!(lines[0]["id"], "4");
    assert_eq!(lines[0]["received"], "2026-11-18T11:06:40Z");

    let run = FakeDaemon::start(reply(vec![])).home.run(&["read"]).await.ok();
    assert_eq!((run.stdout.as_str(), run.stderr.as_str()), ("", "nothing unread\n"));
}

#[tokio::test]
async fn close_says_what_was_not_delivered() {
    let closed = Reply::Closed { chat_id: CHAT, undelivered: 2 };
    let daemon = FakeDaemon::always(Ok(closed));
    let run = daemon.home.run(&["close", "bob"]).await.ok();
    assert!(run.stderr.contains("2 of your texts"), "{run:?}");
    let run = daemon.home.run(&["--json", "close", "bob"]).await.ok();
    assert_eq!(run.json(), json!({ "peer": "bob", "chat": CHAT_HEX, "undelivered": 2 }));
    assert!(run.stderr.starts_with("{\"warning\":"), "{run:?}");
    assert_eq!(daemon.commands(), [Command::Close { peer: bob() }, Command::Close { peer: bob() }]);
}

#[tokio::test]
async fn policy_is_shown_in_general_and_for_one() {
    let replies = [Reply::Status(status(LockState::Unlocked)), Reply::Peers(vec![peer()])];
    let (_, stdout, value) = both(&["policy"], &replies).await;
    assert_eq!(stdout, "bob\taccept\n(everybody else)\task\n");
    assert_eq!((&value["policy"], &value["peers"][0]["policy"]), (&"ask".into(), &"accept".into()));
    let (_, stdout, value) = both(&["policy", "bob"], &replies).await;
    assert_eq!(stdout, "accept\n");
    assert_eq!(value["in_force"], "accept");
    let (_, stdout, _) = both(&["policy", "carol"], &replies).await;
    assert_eq!(stdout, "ask (the default)\n");
}

#[tokio::test]
async fn peers_and_their_keys_are_listed() {
    let (commands, stdout, value) = both(&["peers"], &[Reply::Peers(vec![peer()])]).await;
    assert_eq!(commands, [Command::Peers]);
    assert_eq!(stdout, "bob\tpinned\taccept\tMCow\n");
    assert_eq!(value["peers"][0]["public_key"], "MCow");
}

#[tokio::test]
async fn verify_shows_the_number_and_warns_of_a_changed_key() {
    let number = |trust, offered: Option<&str>| Reply::SafetyNumber {
        number: NUMBER.to_owned(),
        trust,
        offered: offered.map(str::to_owned),
    };
    let (commands, stdout, value) = both(&["verify", "bob"], &[number(KeyTrust::Pinned, None)]).await;
    assert_eq!(commands, [Command::SafetyNumber { peer: bob() }]);
    assert_eq!(stdout, format!("{NUMBER}\n"));
    assert_eq!(value["safety_number"], NUMBER);
    let daemon = FakeDaemon::always(Ok(number(KeyTrust::Changed, Some("99999 99999"))));
    let run = daemon.home.run(&["verify", "bob"]).await.with_code(9);
    assert!(run.stderr.contains("99999 99999") && run.stderr.contains("forget bob"), "{run:?}");
}
