//! The window's state under keys and events.

use std::time::Duration;

use ratatui::crossterm::event::KeyCode;
use secchat_ipc::types::{EndReason, IncomingRequest, KeyTrust, Resolution, ResolvedBy, Terms};

use super::window::{Window, chat, message, request, status, user};
use super::*;

const USUAL: Size = Size { width: 80, height: 24 };

fn own(text: &str, ticket: u64, mark: Mark) -> Said {
    Said::Own { ticket, text: text.to_owned(), mark }
}

#[test]
fn a_text_is_on_its_way_until_it_is_delivered() {
    let mut window = Window::new(USUAL, "bob");
    window.says("hello");
    assert_eq!(window.last_said(), own("hello", 1, Mark::Sent));
    window.is_delivered();
    assert_eq!(window.last_said(), own("hello", 1, Mark::Delivered));
    assert_eq!(window.commands(), [Command::Send { peer: user("bob"), text: "hello".to_owned() }]);
}

#[test]
fn a_text_that_fails_says_why() {
    let mut window = Window::new(USUAL, "bob");
    window.says("hello");
    let error = CommandError::NotDelivered { peer: user("bob"), chat_id: ChatId([1; 16]) };
    window.takes(Input::Reply { ticket: 1, result: Err(error) });
    assert!(matches!(window.last_said(), Said::Note(text) if text.contains("not delivered")));
    let said = |at: usize| window.model.current().unwrap().1.entries()[at].said.clone();
    assert_eq!(said(0), own("hello", 1, Mark::Failed));
}

#[test]
fn a_text_without_a_chat_stays_in_the_typing_line() {
    let mut window = Window::new(USUAL, "zoe");
    window.says("hello");
    assert!(window.model.remark().unwrap().contains("/ask"));
    assert_eq!(window.model.current().unwrap().1.typing.text(), "hello");
    assert_eq!(window.commands(), []);
}

#[test]
fn no_more_than_so_many_texts_are_on_their_way() {
    let mut window = Window::new(USUAL, "bob");
    for n in 0..=MAX_ON_THE_WAY {
        window.says(&format!("text {n}"));
    }
    assert_eq!(window.texts_on_the_way().len(), MAX_ON_THE_WAY);
    assert_eq!(window.model.current().unwrap().1.typing.text(), format!("text {MAX_ON_THE_WAY}"));
    window.is_delivered();
    window.enters();
    assert_eq!(window.texts_on_the_way().len(), MAX_ON_THE_WAY + 1);
}

#[test]
fn what_is_seen_is_read_and_nothing_else() {
    let mut window = Window::new(USUAL, "bob");
    window.receives("bob", "one");
    window.receives("carol", "two");
    assert_eq!(window.read_marks(), [(ChatId([1; 16]), 1)]);
    assert_eq!(window.model.unread(&user("carol")), 1);
    window.shows("carol");
    assert_eq!(window.read_marks(), [(ChatId([2; 16]), 2)]);
    for _ in 0..60 {
        window.receives("carol", "more");
    }
    window.read_marks();
    window.presses(KeyCode::PageUp);
    window.receives("carol", "below the window's end");
    assert_eq!(window.read_marks(), []);
    window.presses(KeyCode::Esc);
    assert_eq!(window.read_marks(), [(ChatId([2; 16]), 63)]);
}

#[test]
fn an_answer_needs_a_y_that_was_meant() {
    let mut window = Window::new(USUAL, "bob");
    window.asks("dave", KeyTrust::Pinned);
    window.shows("dave");
    window.types("yay");
    assert_eq!(window.model.dialog(), None, "letters answer nothing");
    window.presses(KeyCode::F(2));
    window.types("y");
    assert_eq!(window.commands(), [], "too quick");
    window.waits(Duration::from_millis(600));
    window.pastes("y");
    assert_eq!(window.commands(), [], "a paste answers nothing");
    window.types("y");
    let accept = Command::Accept { peer: user("dave"), terms: None, wait: false };
    assert_eq!(window.commands(), [accept]);
    for (key, command) in [
        (KeyCode::F(3), Command::Refuse { peer: user("dave"), quietly: false }),
        (KeyCode::F(4), Command::Later { peer: user("dave") }),
    ] {
        window.presses(key);
        window.waits(Duration::from_millis(600));
        window.types("n");
        window.types("y");
        assert_eq!(window.commands(), []);
        window.presses(key);
        window.waits(Duration::from_millis(600));
        window.types("Y");
        assert_eq!(window.commands(), [command]);
    }
}

#[test]
fn a_question_goes_with_its_request() {
    let mut window = Window::new(USUAL, "bob");
    window.asks("dave", KeyTrust::Pinned);
    window.shows("dave");
    window.presses(KeyCode::F(2));
    let wider = Terms { until: None, history_days: None };
    let other = IncomingRequest { terms: wider, ..request("dave", KeyTrust::Pinned) };
    window.takes(Input::Event(Event::RequestReceived(other)));
    assert_eq!(window.model.dialog(), None);
    window.waits(Duration::from_millis(600));
    window.types("y");
    assert_eq!(window.commands(), []);
}

#[test]
fn a_changed_key_is_never_accepted() {
    let mut window = Window::new(USUAL, "bob");
    window.asks("dave", KeyTrust::Changed);
    window.shows("dave");
    window.presses(KeyCode::F(2));
    assert_eq!(window.model.dialog(), None);
    assert!(window.model.remark().unwrap().contains("/verify"));
    window.asks("dave", KeyTrust::Pinned);
    window.presses(KeyCode::F(2));
    window.takes(Input::Event(Event::TrustChanged { peer: user("dave"), trust: KeyTrust::Changed }));
    window.waits(Duration::from_millis(600));
    window.types("y");
    assert_eq!(window.commands(), [], "it changed while the question was open");
}

#[test]
fn a_paste_is_one_text_of_many_lines() {
    let mut window = Window::new(USUAL, "bob");
    window.pastes("one\r\ntwo\rthree");
    assert_eq!(window.commands(), []);
    window.enters();
    let text = "one\ntwo\nthree".to_owned();
    assert_eq!(window.commands(), [Command::Send { peer: user("bob"), text }]);
    window.pastes(&"x".repeat(40_000));
    assert!(window.model.remark().unwrap().contains("32768"));
    assert_eq!(window.model.current().unwrap().1.typing.text(), "");
}

#[test]
fn each_conversation_keeps_its_own_line() {
    let mut window = Window::new(USUAL, "bob");
    window.types("for bob");
    window.shows("carol");
    window.says("for carol");
    window.shows("bob");
    window.enters();
    let sent: Vec<_> = window.texts_on_the_way().into_iter().map(|(_, text)| text).collect();
    assert_eq!(sent, ["for carol", "for bob"]);
}

#[test]
fn when_the_daemon_is_lost_nobody_knows_what_arrived() {
    let mut window = Window::new(USUAL, "bob");
    window.receives("bob", "one");
    window.says("hello");
    window.takes(Input::Lost("it \u{1b}[2J died".to_owned()));
    assert_eq!(window.last_said(), own("hello", 2, Mark::Unknown));
    assert_eq!(window.model.remark(), Some("it \\u{1b}[2J died"));
    window.says("more");
    assert_eq!(window.texts_on_the_way().len(), 1);
    let mut state = Snapshot::empty(status());
    state.chats = vec![chat("bob", 1)];
    state.unread = vec![message("bob", 1, "one"), message("bob", 2, "two")];
    window.commands();
    window.takes(Input::Back(Box::new(state)));
    assert_eq!(window.read_marks(), [(ChatId([1; 16]), 2)]);
    assert_eq!(window.last_said(), Said::Theirs { peer: user("bob"), text: "two".to_owned() });
    assert_eq!(
        window.model.current().unwrap().1.entries().len(),
        3,
        "a text that was there is not shown again"
    );
    window.enters();
    assert_eq!(window.texts_on_the_way().len(), 1, "what could not be sent is still in the line");
}

#[test]
fn control_keys_leave_suspend_and_redraw() {
    let mut window = Window::new(USUAL, "bob");
    window.effects.clear();
    window.types("x");
    window.presses_control('d');
    window.presses_control('c');
    assert_eq!(window.effects, [], "the first only empties the line");
    window.presses_control('z');
    window.presses_control('l');
    window.presses_control('d');
    window.presses_control('c');
    window.says("/quit");
    assert_eq!(
        window.effects,
        [Effect::Suspend, Effect::Redraw, Effect::Leave, Effect::Leave, Effect::Leave]
    );
}

#[test]
fn leaving_texts_behind_needs_saying_twice() {
    let mut window = Window::new(USUAL, "bob");
    window.says("hello");
    window.effects.clear();
    window.says("/quit");
    assert_eq!(window.effects, []);
    assert!(window.model.remark().unwrap().contains("not delivered yet"));
    window.says("/quit");
    assert_eq!(window.effects, [Effect::Leave]);
}

#[test]
fn the_end_of_a_chat_is_told() {
    let mut window = Window::new(USUAL, "bob");
    let (peer, chat_id) = (user("bob"), ChatId([1; 16]));
    let reason = EndReason::ClosedByPeer;
    window.takes(Input::Event(Event::ChatEnded { peer, chat_id, reason, undelivered: 0, missing: 0 }));
    assert!(matches!(window.last_said(), Said::Note(text) if text.contains("closed by bob")));
}

#[test]
fn very_many_askers_do_not_fill_the_window() {
    let mut window = Window::new(USUAL, "bob");
    for n in 0..1_000 {
        let asked =
            IncomingRequest { chat_id: ChatId([7; 16]), ..request(&format!("user{n}"), KeyTrust::Pinned) };
        let (peer, chat_id) = (asked.peer.clone(), asked.chat_id);
        window.takes(Input::Event(Event::RequestReceived(asked)));
        let resolution = Resolution::Expired;
        let by = ResolvedBy::Expiry;
        window.takes(Input::Event(Event::RequestResolved { peer, chat_id, resolution, by }));
    }
    assert!(window.model.people().count() <= MAX_CONVERSATIONS);
    assert!(window.model.people().any(|peer| *peer == user("carol")));
}
