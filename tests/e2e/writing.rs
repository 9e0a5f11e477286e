//! What a shell passes on: `send --edit`, `send -`, hooks, lines for bars, closed pipes, and no questions where nobody can
//! answer.

use secchat_e2e::{CtlOutput, Terminal, TestUser, World};

async fn talking() -> (World, [TestUser; 2]) {
    let (world, [alice, bob]) = World::start(["alice", "bob"]).await;
    alice.chat_with(&bob).await;
    (world, [alice, bob])
}

/// The texts that bob reads.
async fn read(bob: &TestUser) -> Vec<String> {
    let lines = bob.ctl(["--json", "read"]).await.ok().stdout;
    let text = |line: &str| {
        let object: serde_json::Value = serde_json::from_str(line).unwrap();
        object["text"].as_str().unwrap().to_owned()
    };
    lines.lines().map(text).collect()
}

#[tokio::test]
async fn an_editor_writes_the_text_in_a_private_file() {
    let (_world, [alice, bob]) = talking().await;
    let send = |editor: &str| {
        let mut command = alice.home.command("secchatctl");
        command.args(["send", "--edit", "bob"]).env("EDITOR", "false").env("VISUAL", editor);
        Terminal::start(&command)
    };
    // The variable is a shell's command, and the file is alone in its folder and private.
    let terminal = send("sh -c 'stat -c %a \"$1\" > mode; printf \"two\\nlines\\n\" > \"$1\"' editor");
    let shown = terminal.shown().clone();
    assert!(terminal.exit().await.success(), "{}", shown.text());
    assert_eq!(read(&bob).await, ["two\nlines"]);
    assert_eq!(std::fs::read_to_string(alice.home.path("mode")).unwrap(), "600\n");
    // Nothing written, nothing sent; an editor that fails neither.
    for (editor, code, said) in [("true", 2, "the text is empty"), ("exit 3;", 1, "nothing was sent")] {
        let terminal = send(editor);
        terminal.shown().wait_for(said).await;
        assert_eq!(terminal.exit().await.code(), Some(code));
    }
    let left = |name: &std::ffi::OsStr| name.to_string_lossy().starts_with("to-bob");
    let folder = std::fs::read_dir(alice.home.runtime_dir()).unwrap();
    assert!(
        folder.map(|entry| entry.unwrap().file_name()).all(|name| !left(&name)),
        "a text was left on disk"
    );
    assert!(read(&bob).await.is_empty());
}

#[tokio::test]
async fn standard_input_is_sent_as_one_text() {
    let (_world, [alice, bob]) = talking().await;
    alice.ctl_with_input(["send", "bob", "-"], "zażółć\n\nend\n".as_bytes()).await.ok();
    assert_eq!(read(&bob).await, ["zażółć\n\nend"]);
    alice.ctl_with_input(["send", "bob", "-"], b"ab\xff").await.with_code(2).says("not UTF-8 (byte 3)");
    // Without the dash, standard input is nobody's business.
    alice.ctl_with_input(["send", "bob", "words"], b"ignored").await.ok();
    assert_eq!(read(&bob).await, ["words"]);
}

#[tokio::test]
async fn nobody_is_asked_without_a_terminal_or_against_their_will() {
    let (_world, [alice, _bob]) = talking().await;
    for (verb, said) in [
        (&["forget", "bob"][..], "--yes"),
        (&["send", "--edit", "bob"], "terminal"),
        (&["unlock", "--ttl", "1h"], "--passphrase-fd"),
        (&["--profile", "new", "init"], "--name"),
    ] {
        let mut command = alice.home.command("secchatctl");
        command.args(verb);
        let run = CtlOutput::of(command, Some(Vec::new())).await;
        assert!(run.code != 0 && run.stderr.contains(said), "{run:#?}");
        let mut command = alice.home.command("secchatctl");
        command.arg("--no-input").args(verb);
        let terminal = Terminal::start(&command);
        terminal.shown().wait_for(said).await;
        assert!(!terminal.exit().await.success(), "{verb:?}");
    }
}

#[tokio::test]
async fn a_terminal_is_coloured_unless_one_says_otherwise() {
    let (_world, [alice, _bob]) = talking().await;
    for (variable, colours) in
        [(("TERM", "xterm"), true), (("NO_COLOR", "1"), false), (("TERM", "dumb"), false)]
    {
        let mut command = alice.home.command("secchatctl");
        command.arg("status").env(variable.0, variable.1);
        let terminal = Terminal::start(&command);
        let shown = terminal.shown().clone();
        assert!(terminal.exit().await.success());
        assert_eq!(shown.text().contains("\u{1b}["), colours, "{variable:?}: {}", shown.text());
    }
}

#[tokio::test]
async fn a_closed_pipe_ends_every_printer_quietly() {
    let (_world, [alice, _bob]) = talking().await;
    for verb in ["status", "peers", "list", "doctor", "man", "--json status", "watch --snapshot", "--help"] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = alice.home.command("secchatctl");
        let run = command.args(verb.split(' ')).stdout(writer).output().unwrap();
        let said = String::from_utf8(run.stderr).unwrap();
        assert!(run.status.success() && said.is_empty(), "{verb}: {} {said}", run.status);
    }
}

#[tokio::test]
async fn every_event_runs_a_command_that_is_told_it() {
    let (_world, [alice, bob]) = talking().await;
    let hook = "cat >> seen; echo \"$SECCHAT_EVENT $SECCHAT_PEER\" >> names";
    let mut command = bob.home.command("secchatctl");
    command.args(["watch", "--only", "message_received", "--once", "--exec", hook]);
    let watching = secchat_e2e::Process::start("watch", command);
    // It has subscribed when it shows what comes: so texts are sent until it ends.
    let ended = watching.exit();
    tokio::pin!(ended);
    let nasty = "$(touch owned) `touch owned`; touch owned";
    let status = loop {
        tokio::select! {
            status = &mut ended => break status,
            sent = alice.ctl(["send", "bob", nasty]) => drop(sent.ok()),
        }
    };
    assert!(status.success());
    let seen = std::fs::read_to_string(bob.home.path("seen")).unwrap();
    let object: serde_json::Value = serde_json::from_str(&seen).unwrap();
    assert_eq!(object["text"], nasty);
    assert_eq!(std::fs::read_to_string(bob.home.path("names")).unwrap(), "message_received alice\n");
    assert!(!bob.home.path("owned").exists(), "a text was run");
}

#[tokio::test]
async fn what_was_missed_is_told_from_what_was_not() {
    let (_world, [alice, bob]) = talking().await;
    let snapshot = bob.ctl(["--json", "watch", "--snapshot", "--once"]).await.ok().json();
    let since = snapshot["sequence"].as_u64().unwrap().to_string();
    let quiet = ["--json", "watch", "--since", &since, "--timeout", "100ms"];
    assert_eq!(bob.ctl(quiet).await.ok().stdout, "", "nothing was missed");
    alice.ctl(["send", "bob", "hello"]).await.ok();
    let missed = bob.ctl(quiet).await.ok().stdout;
    let lines: Vec<serde_json::Value> =
        missed.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines[0]["event"], "gap");
    assert!(
        lines.iter().any(|line| line["event"] == "message_received" && line["text"] == "hello"),
        "{missed}"
    );
}

#[tokio::test]
async fn a_bar_gets_a_new_line_when_something_changes() {
    let (_world, [alice, bob]) = talking().await;
    let mut command = bob.home.command("secchatctl");
    command.args(["status", "--follow", "--format", "{state} {unread}/{chats} {user}"]);
    let bar = secchat_e2e::Process::start("a bar", command);
    bar.stdout().wait_for("quiet 0/1 bob\n").await;
    alice.ctl(["send", "bob", "hello"]).await.ok();
    bar.stdout().wait_for("unread 1/1 bob\n").await;
    bob.ctl(["read"]).await.ok();
    bob.ctl(["lock"]).await.ok();
    let shown = bar.stdout().wait_for("locked").await;
    assert!(shown.lines().zip(shown.lines().skip(1)).all(|(one, next)| one != next), "{shown}");
    let line = bob.ctl(["status", "--format", r#"{{"class":"{state}"}}"#]).await.ok().stdout;
    assert_eq!(line, "{\"class\":\"locked\"}\n");
    bob.ctl(["status", "--format", "{nothing}"]).await.with_code(2).says("unread");
}
