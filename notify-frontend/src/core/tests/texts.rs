//! Texts of peers: hidden until asked for, harmless in any case.

use secchat_ipc::CommandError;

use super::*;
use crate::core::io::Choice;
use crate::limits::{CHARACTERS_OF_A_TEXT, SETTLE};

/// A desk where bob has written this.
fn written(show: Show, capabilities: &[&str], text: &str) -> Desk {
    let mut desk = Desk::new(show, capabilities);
    desk.event(chat("bob", KeyTrust::Pinned));
    desk.event(writes("bob", 1, text));
    desk.pass(SETTLE);
    desk
}

#[test]
fn what_is_written_is_hidden_until_it_is_asked_for() {
    let mut desk = written(Show::Name, DUNST, "the secret");
    assert!(!format!("{:?}", desk.popups).contains("secret"));
    desk.choose("bob has written", Action::Show);
    assert_eq!(desk.find("bob has written").1.body, "the secret");
    assert_eq!(desk.tasks(), [], "shown is not read");
    // The next one is hidden again.
    desk.event(writes("bob", 2, "another"));
    assert!(!format!("{:?}", desk.popups).contains("another"));
    desk.find("bob has written 2 texts");
}

#[test]
fn with_names_hidden_texts_are_too() {
    let mut desk = written(Show::None, DUNST, "the secret");
    assert_eq!(desk.summaries(), ["Somebody has written"]);
    assert!(!format!("{:?}", desk.popups).contains("bob"));
    desk.choose("Somebody", Action::Show);
    assert!(desk.find("bob has written").1.body.is_empty());
}

#[test]
fn in_full_the_newest_are_shown() {
    let mut desk = written(Show::Full, DUNST, "one");
    for (id, text) in [(2, "two"), (3, "three"), (4, "four")] {
        desk.event(writes("bob", id, text));
    }
    assert_eq!(desk.find("bob has written 4 texts").1.body, "…\ntwo\nthree\nfour");
}

#[test]
fn markup_and_controls_of_peers_are_letters() {
    let text = "<b>bold</b> & <a href=\"http://evil\">x</a> \u{202e}abc\u{1b}[2J";
    let marked = written(Show::Full, DUNST, text).find("bob").1.body;
    assert_eq!(
        marked,
        "&lt;b&gt;bold&lt;/b&gt; &amp; &lt;a href=\"http://evil\"&gt;x&lt;/a&gt; \\u{202e}abc\\u{1b}[2J"
    );
    let plain = written(Show::Full, &["actions", "body"], text).find("bob").1.body;
    assert!(plain.starts_with("‹b›bold‹/b› & ‹a") && plain.contains("\\u{202e}"), "{plain}");
}

#[test]
fn a_long_text_is_cut() {
    let body = written(Show::Full, DUNST, &"ä".repeat(32_768)).find("bob").1.body;
    assert_eq!(body.chars().count(), CHARACTERS_OF_A_TEXT + 1);
    assert!(body.ends_with('…'));
    // Not within what belongs together: no joiner is left over.
    let family = "👩\u{200d}".repeat(CHARACTERS_OF_A_TEXT);
    assert!(!written(Show::Full, DUNST, &family).find("bob").1.body.contains("u{200d}"));
}

#[test]
fn what_an_open_window_reads_at_once_has_no_popup() {
    let mut desk = Desk::dunst();
    desk.event(chat("bob", KeyTrust::Pinned));
    desk.event(writes("bob", 1, "hi"));
    desk.pass(SETTLE / 2);
    desk.event(Event::MessagesRead { chat_id: chat_id("bob"), up_to: 1 });
    desk.pass(SETTLE);
    assert_eq!((desk.shows, desk.core.poll_timeout()), (0, None));
}

#[test]
fn read_elsewhere_the_popup_goes() {
    let mut desk = written(Show::Name, DUNST, "hi");
    desk.event(Event::MessagesRead { chat_id: chat_id("bob"), up_to: 1 });
    assert_eq!(desk.summaries(), [""; 0]);
}

#[test]
fn mark_as_read_reads_what_was_shown_and_no_more() {
    let mut desk = written(Show::Full, DUNST, "one");
    let (id, _) = desk.find("bob");
    desk.core.handle(Input::Daemon(FromDaemon::Event(Box::new(writes("bob", 2, "two")))), desk.now);
    desk.signal(Signal::Chosen { id, key: "read".to_owned() });
    let [task] = &desk.tasks()[..] else { panic!() };
    assert_eq!((&task.choice, task.chat_id), (&Choice::MarkRead(1), chat_id("bob")));
}

#[test]
fn an_answer_can_be_typed_only_where_there_is_a_field() {
    let actions = |desk: &Desk| desk.find("bob").1.actions;
    assert!(actions(&written(Show::Name, PLASMA, "hi")).contains(&Action::Reply));
    assert!(!actions(&written(Show::Name, DUNST, "hi")).contains(&Action::Reply));
}

#[test]
fn a_typed_answer_is_sent_and_what_it_answers_is_read() {
    let mut desk = written(Show::Full, PLASMA, "hi");
    let (id, _) = desk.find("bob");
    desk.signal(Signal::Replied { id, text: "hello".to_owned() });
    let choices: Vec<_> = desk.tasks().into_iter().map(|task| task.choice).collect();
    assert_eq!(choices, [Choice::MarkRead(1), Choice::Send("hello".to_owned())]);
}

#[test]
fn who_answers_unseen_texts_has_them_unread() {
    let mut desk = written(Show::Name, PLASMA, "hi");
    let (id, _) = desk.find("bob");
    desk.signal(Signal::Replied { id, text: "hello".to_owned() });
    let tasks = desk.tasks();
    assert_eq!(
        tasks.iter().map(|task| &task.choice).collect::<Vec<_>>(),
        [&Choice::Send("hello".to_owned())]
    );
    assert_eq!(desk.summaries(), [""; 0], "but not in the way");
    desk.answer(tasks[0].clone(), Err(CommandError::TimedOut));
    let (_, failed) = desk.find("Not sent to bob");
    assert!(failed.body.contains("timed out") && failed.body.contains("Your text: hello"), "{}", failed.body);
}

#[test]
fn many_senders_are_few_popups() {
    let mut desk = Desk::dunst();
    for number in 10..60 {
        desk.event(writes(&format!("user{number}"), 1, "hi"));
    }
    desk.pass(SETTLE);
    assert_eq!(desk.popups.len(), 4);
    desk.close("47 more people have written");
    desk.event(writes("user11", 2, "hi"));
    assert_eq!(desk.popups.len(), 3, "nothing new about the others");
    desk.event(writes("user50", 2, "hi"));
    desk.pass(SETTLE);
    desk.find("47 more people have written");
}

#[test]
fn without_messages_only_requests_have_popups() {
    let mut desk = Desk::dunst();
    desk.core = Core::new(Settings { messages: false, ..Settings::default() });
    desk.input(Input::Desktop(FromDesktop::BusIsUp));
    desk.attach(Snapshot::empty(status()), &[]);
    desk.event(writes("bob", 1, "hi"));
    desk.pass(SETTLE);
    assert_eq!(desk.shows, 0);
}

proptest::proptest! {
    #[test]
    fn nothing_a_peer_writes_gets_through(text: String) {
        let body = written(Show::Full, DUNST, &text).find("bob").1.body;
        proptest::prop_assert!(!body.contains(['<', '>']));
        let harmless = body.chars().all(|c| c == '\n' || c == '\t' || !c.is_control());
        proptest::prop_assert!(harmless);
    }
}
