//! What packages install beside the program: the man page and the completions, as this build makes them.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use secchat_ipc::types::{ChatState, KeyTrust, LockState, Peer, RequestState};
use secchat_ipc::{Command, Reply, UserName};

use crate::fake_daemon::{Answer, FakeDaemon, ok};
use crate::home::Home;
use crate::sample::{chat, incoming, peer, status};

/// Compares a file in `dist` with what it should be; with `SECCHAT_BLESS=1` writes it.
fn is_fresh(name: &str, contents: &str) {
    let path: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("../dist").join(name);
    if std::env::var_os("SECCHAT_BLESS").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, contents).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(found == contents, "{} is stale: SECCHAT_BLESS=1 writes it anew", path.display());
}

#[tokio::test]
async fn the_man_page_is_fresh_and_has_its_sections() {
    let page = Home::new().run(&["man"]).await.ok().stdout;
    for section in ["COMMANDS", "OUTPUT", "EXIT STATUS", "ENVIRONMENT", "FILES", "EXAMPLES"] {
        assert!(page.contains(&format!("\n.SH {section}\n")), "{section}");
    }
    for verb in ["init", "rtt", "send", "chat", "watch", "completions"] {
        assert!(page.contains(&format!("\n.SS {verb} ")), "{verb}");
    }
    is_fresh("man/secchatctl.1", &page);
}

#[tokio::test]
async fn the_completions_are_fresh() {
    let home = Home::new();
    for (shell, file) in
        [("bash", "bash/secchatctl"), ("zsh", "zsh/_secchatctl"), ("fish", "fish/secchatctl.fish")]
    {
        let script = home.run(&["completions", shell]).await.ok().stdout;
        assert!(script.contains(&format!("SECCHATCTL_COMPLETE={shell} secchatctl")), "{script}");
        is_fresh(&format!("completions/{file}"), &script);
    }
}

/// What a shell would offer for the last of `words`.
async fn offered(home: &Home, words: &[&str]) -> Vec<String> {
    let mut command = home.command(&[&["--", "secchatctl"], words].concat());
    command.env("SECCHATCTL_COMPLETE", "bash").env("_CLAP_COMPLETE_INDEX", words.len().to_string());
    command.env("_CLAP_IFS", "\n").env("_CLAP_COMPLETE_COMP_TYPE", "9").env("_CLAP_COMPLETE_SPACE", "true");
    let run = crate::home::ended(command.spawn().unwrap()).await.ok();
    assert_eq!(run.stderr, "");
    run.stdout.lines().map(|line| line.trim().to_owned()).collect()
}

/// Answers with this lock, somebody whose request waits and somebody whom one refused, an open chat with bob and one
/// that is interrupted, and a peer without a chat.
fn known_people(lock: LockState) -> FakeDaemon {
    let named = |name: &str| UserName::parse(name).unwrap();
    FakeDaemon::start(move |command| match command {
        Command::Status => ok(Reply::Status(status(lock))),
        Command::Requests => {
            let request = |name, state| {
                let mut request = incoming(KeyTrust::Pinned);
                (request.peer, request.state) = (named(name), state);
                request
            };
            let incoming = vec![
                request("ann", RequestState::Refused),
                request("bob", RequestState::Pending),
                request("cat", RequestState::Later),
                request("dan", RequestState::Accepted),
            ];
            ok(Reply::Requests { incoming, outgoing: vec![] })
        }
        Command::Chats => {
            let mut interrupted = chat();
            (interrupted.peer, interrupted.state) = (named("ann"), ChatState::Interrupted);
            ok(Reply::Chats(vec![interrupted, chat()]))
        }
        Command::Peers => ok(Reply::Peers(vec![Peer { peer: named("abe"), ..peer() }, peer()])),
        _ => Answer::Close,
    })
}

#[tokio::test]
async fn completions_offer_live_names() {
    let daemon = known_people(LockState::Unlocked);
    for verb in ["accept", "refuse", "later"] {
        assert_eq!(offered(&daemon.home, &[verb, ""]).await, ["bob", "cat"], "{verb}: who waits, alone");
    }
    for verb in ["read", "close", "chat"] {
        assert_eq!(offered(&daemon.home, &[verb, ""]).await, ["bob", "ann"], "{verb}: open chats first");
    }
    assert_eq!(offered(&daemon.home, &["send", ""]).await, ["bob", "ann", "abe"], "and all known behind");
    assert!(offered(&daemon.home, &["re"]).await.contains(&"requests".to_owned()));
    assert!(offered(&daemon.home, &["send", "--e"]).await.contains(&"--edit".to_owned()));
}

#[tokio::test]
async fn completions_name_nobody_when_locked() {
    let daemon = known_people(LockState::Locked);
    for verb in ["accept", "send", "read", "block"] {
        assert_eq!(offered(&daemon.home, &[verb, ""]).await, Vec::<String>::new(), "{verb}");
    }
    assert!(
        daemon.commands().iter().all(|command| *command == Command::Status),
        "nothing else is even asked"
    );
}

#[tokio::test]
async fn completions_are_empty_and_quick_when_no_daemon_answers() {
    assert_eq!(offered(&Home::new(), &["accept", "b"]).await, Vec::<String>::new());
    let daemon = FakeDaemon::start(|_| Answer::Nothing);
    let before = Instant::now();
    assert_eq!(offered(&daemon.home, &["accept", "b"]).await, Vec::<String>::new());
    let took = before.elapsed();
    assert!((Duration::from_millis(50)..Duration::from_secs(10)).contains(&took), "{took:?}");
}
