//! The chat window in a real terminal: real people through a real relay, screens as stored in `screens/`.

use std::process::Command;

use secchat_e2e::{Process, Terminal, TestRelay, TestUser, Tmux, World, next_second};

const USUAL: (u16, u16) = (80, 24);
const TINY: (u16, u16) = (20, 5);

/// Opens alice's window onto her chat with bob.
async fn window(alice: &TestUser, size: (u16, u16)) -> Tmux {
    let mut tmux = Tmux::start(&alice.home, size).await;
    tmux.enter("secchatctl chat bob").await;
    tmux.until_shown("pinned").await;
    tmux
}

/// The shell has the terminal again, as it was.
async fn is_given_back(tmux: &mut Tmux) {
    tmux.until_prompt().await;
    assert_eq!(tmux.value("alternate_on").await, "0");
    tmux.press("C-l").await;
    tmux.enter("stty -a | tr ' ;' '\\n\\n' | grep -cxE 'icanon|echo|isig|icrnl|opost'").await;
    tmux.until("a terminal as it was", |screen| screen.lines().any(|line| line == "5")).await;
}

#[tokio::test]
async fn two_people_converse() {
    let (_world, [alice, bob]) = World::start(["alice", "bob"]).await;
    alice.chat_with(&bob).await;
    let mut tmux = window(&alice, USUAL).await;
    let mut bobs = bob.frontend().await;

    tmux.enter("hello bob").await;
    bobs.until("alice's text", |state| state.unread.iter().any(|it| it.text == "hello bob")).await;
    bob.ctl(["send", "alice", "hello alice"]).await.ok();
    tmux.until_as_stored("conversation", "hello alice").await;
    tmux.resize(TINY.0, TINY.1).await;
    tmux.until_as_stored("conversation_tiny", "me ✓ hello bob\nbob: hello alice\n>").await;
    tmux.resize(USUAL.0, USUAL.1).await;
    tmux.until_as_stored("conversation", "alice · online").await;

    tmux.press("C-d").await;
    is_given_back(&mut tmux).await;
    assert!(!alice.ctl(["read"]).await.ok().stdout.contains("hello"), "what was seen is read");
}

#[tokio::test]
async fn a_text_waits_for_a_peer_who_is_away() {
    let (world, [alice, bob]) = World::start(["alice", "bob"]).await;
    alice.chat_with(&bob).await;
    let mut tmux = window(&alice, USUAL).await;
    let port = world.relay.stop().await;
    tmux.until_shown("not connected").await;
    tmux.enter("are you there?").await;
    tmux.until_shown("me · are you there?").await;
    tmux.press("C-d").await;
    tmux.until_shown("not delivered yet").await;
    let _relay = TestRelay::start_at(&world.pki, port).await;
    for user in [&alice, &bob] {
        user.ctl(["login"]).await.ok();
    }
    tmux.until_shown("me ✓ are you there?").await;
}

#[tokio::test]
async fn several_conversations_and_a_request_in_one_window() {
    let (_world, [alice, bob, carol, dave]) = World::start(["alice", "bob", "carol", "dave"]).await;
    alice.chat_with(&bob).await;
    carol.chat_with(&alice).await;
    let mut tmux = window(&alice, USUAL).await;
    carol.ctl(["send", "alice", "one"]).await.ok();
    carol.ctl(["send", "alice", "two"]).await.ok();
    dave.ctl(["rtt", "alice", "--no-wait"]).await.ok();
    tmux.until_as_stored("several", "dave          ?").await;
    assert!(alice.ctl(["read", "--peek"]).await.ok().stdout.contains("two"), "nobody has seen it");

    tmux.press("Tab").await;
    tmux.until_shown("carol: two").await;
    tmux.press("Tab").await;
    tmux.until_shown("dave asks to talk").await;
    // A stray y answers nothing, neither does one that was on its way already.
    tmux.press("y BSpace F2 y").await;
    tmux.until_shown("too quick").await;
    let mut daves = dave.frontend().await;
    assert!(daves.state().chats.is_empty());
    // More than the half second that a person has to look.
    next_second().await;
    next_second().await;
    tmux.press("y").await;
    daves.until_open_with(&alice.name).await;
    tmux.until_as_stored("accepted", "the chat with dave is open").await;
}

#[tokio::test]
async fn a_pasted_text_is_one_text() {
    let (_world, [alice, bob]) = World::start(["alice", "bob"]).await;
    alice.chat_with(&bob).await;
    let mut tmux = window(&alice, USUAL).await;
    tmux.paste("one\n\ttwo\nthree").await;
    tmux.until_as_stored("pasted", "three").await;
    tmux.press("Enter").await;
    let mut bobs = bob.frontend().await;
    bobs.until("the text", |state| state.unread.iter().any(|it| it.text == "one\n\ttwo\nthree")).await;
    assert_eq!(bobs.state().unread.len(), 1);
}

#[tokio::test]
async fn a_peers_escape_sequences_do_not_reach_the_terminal() {
    let (_world, [alice, bob]) = World::start(["alice", "bob"]).await;
    alice.chat_with(&bob).await;
    let mut tmux = window(&alice, USUAL).await;
    let title = tmux.value("pane_title").await;
    let text = "\u{1b}]0;pwned\u{7}\u{1b}[2J\u{1b}[?1049l\u{9b}31m\u{202e}desrever\r\u{8}end";
    bob.ctl(["send", "alice", text]).await.ok();
    tmux.until_as_stored("escapes", "desrever").await;
    assert_eq!(tmux.value("pane_title").await, title);
    let written = tmux.written();
    assert!(written.contains("]0;pwned"), "it is shown: {written}");
    for bytes in ["\\033]0;pwned", "\\007", "\\033[?1049l", "\\302\\233", "\\342\\200\\256", "\\010"] {
        assert!(!written.contains(bytes), "{bytes} in {written}");
    }
}

#[tokio::test]
async fn it_stops_and_goes_on_like_any_job() {
    let (_world, [alice, bob]) = World::start(["alice", "bob"]).await;
    alice.chat_with(&bob).await;
    let mut tmux = window(&alice, USUAL).await;
    for round in 1..=2 {
        tmux.press("C-z").await;
        tmux.until_shown("Stopped").await;
        tmux.until_prompt().await;
        assert_eq!(tmux.value("alternate_on").await, "0");
        bob.ctl(["send", "alice", &format!("meanwhile {round}")]).await.ok();
        tmux.press("C-l").await;
        tmux.enter("fg").await;
        tmux.until_shown(&format!("bob: meanwhile {round}")).await;
        tmux.type_text("x").await;
        tmux.until_shown("> x").await;
        tmux.press("C-u").await;
    }
    tmux.press("C-d").await;
    is_given_back(&mut tmux).await;
}

#[tokio::test]
async fn the_terminal_is_given_back_whatever_ends_it() {
    let (_world, [alice, bob]) = World::start(["alice", "bob"]).await;
    alice.chat_with(&bob).await;
    for (signal, status) in [("TERM", 143), ("HUP", 129), ("INT", 130)] {
        let mut tmux = window(&alice, USUAL).await;
        let bash: u32 = tmux.value("pane_pid").await.parse().expect("a pid");
        let children =
            std::fs::read_to_string(format!("/proc/{bash}/task/{bash}/children")).expect("children");
        Command::new("kill").args(["-s", signal, children.trim()]).status().expect("kill");
        tmux.until_prompt().await;
        tmux.enter("echo status $?").await;
        tmux.until_shown(&format!("status {status}")).await;
        is_given_back(&mut tmux).await;
    }
}

/// A program that has no controlling terminal gets no signal when the one that it writes to goes.
#[tokio::test]
async fn it_ends_with_a_terminal_that_goes_without_a_word() {
    let (_world, [alice, bob]) = World::start(["alice", "bob"]).await;
    alice.chat_with(&bob).await;
    let end = alice.home.path("end");
    rustix::fs::mkfifoat(rustix::fs::CWD, &end, rustix::fs::Mode::RWXU).expect("a fifo");
    let mut reader = Command::new("cat");
    reader.arg(&end);
    let reader = Process::start("what is told of its end", reader);
    let secchatctl = alice.home.command("secchatctl");
    let mut command = Command::new("setsid");
    command
        .args(["--wait", "sh", "-c", "\"$0\" chat bob; echo over > \"$1\""])
        .arg(secchatctl.get_program())
        .arg(&end);
    command.envs(secchatctl.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let terminal = Terminal::start(&command);
    terminal.shown().wait_for("pinned").await;
    drop(terminal);
    reader.stdout().wait_for("over").await;
}

#[tokio::test]
async fn it_outlives_the_daemon() {
    let (_world, [mut alice, bob]) = World::start(["alice", "bob"]).await;
    alice.chat_with(&bob).await;
    let mut tmux = window(&alice, USUAL).await;
    alice.stop().await;
    tmux.until_shown("no daemon is running").await;
    alice.start().await;
    tmux.until_shown("alice · online").await;
}

#[tokio::test]
async fn a_dumb_terminal_gets_lines() {
    let (_world, [alice, bob]) = World::start(["alice", "bob"]).await;
    alice.chat_with(&bob).await;
    let mut tmux = Tmux::start(&alice.home, USUAL).await;
    for environment in ["TERM=dumb", "env -u TERM"] {
        tmux.enter(&format!("{environment} secchatctl chat bob")).await;
        tmux.until_shown("every line is sent").await;
        tmux.enter("hello").await;
        let mut bobs = bob.frontend().await;
        bobs.until("the line", |state| state.unread.iter().any(|it| it.text == "hello")).await;
        tmux.enter("/quit").await;
        tmux.until_prompt().await;
        tmux.press("C-l").await;
        tmux.until("an empty screen", |screen| screen.trim() == "$").await;
        bob.ctl(["read"]).await.ok();
    }
    tmux.enter("TERM=dumb secchatctl chat").await;
    tmux.until_shown("error: say with whom").await;
}
