//! Screens, compared with stored ones: `SECCHAT_BLESS=1` writes them anew.

use std::path::Path;

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::crossterm::event::KeyCode;
use ratatui::layout::Size;
use secchat_ipc::types::{KeyTrust, LinkState};

use super::*;
use crate::chat::model::Input;
use crate::chat::model::window::{NOW, Window};

/// Draws the window; the cursor is shown as `▒`.
fn screen(window: &Window) -> String {
    let Size { width, height } = window.model.size();
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| draw(frame, &window.model, NOW)).unwrap();
    let shown = terminal.backend().to_string();
    shown.lines().map(|line| line.trim_matches('"').to_owned() + "|\n").collect()
}

fn is_as_stored(name: &str, window: &Window) {
    let found = screen(window);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/chat/view/screens").join(name);
    if std::env::var_os("SECCHAT_BLESS").is_some() {
        std::fs::write(&path, &found).unwrap();
    }
    let stored = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(found == stored, "{} was\n{stored}and is\n{found}", path.display());
}

fn busy(size: Size) -> Window {
    let mut window = Window::new(size, "bob");
    window.receives("bob", "hello, are you there?");
    window.types("yes. What is it?");
    window.enters();
    window.is_delivered();
    window.receives(
        "bob",
        "come\u{1b}[2J and look:\n\tone\n\ttwo, and a line that is longer than the window is wide",
    );
    window.types("on my way");
    window.enters();
    window.receives("carol", "unread");
    window.asks("dave", KeyTrust::Unverified);
    window.types("half a line");
    window
}

#[test]
fn conversations_in_a_usual_window() {
    is_as_stored("usual.txt", &busy(Size::new(80, 24)));
}

#[test]
fn conversations_in_a_tiny_window() {
    is_as_stored("tiny.txt", &busy(Size::new(20, 5)));
}

#[test]
fn a_request_in_both() {
    for (size, name) in [(Size::new(80, 24), "request.txt"), (Size::new(20, 5), "request_tiny.txt")] {
        let mut window = Window::new(size, "bob");
        window.asks("dave", KeyTrust::Pinned);
        window.shows("dave");
        is_as_stored(name, &window);
        window.presses(KeyCode::F(2));
        is_as_stored(&name.replace("request", "question"), &window);
    }
}

#[test]
fn a_changed_key_in_both() {
    for (size, name) in [(Size::new(80, 24), "changed.txt"), (Size::new(20, 5), "changed_tiny.txt")] {
        let mut window = Window::new(size, "bob");
        window.asks("dave", KeyTrust::Changed);
        window.shows("dave");
        is_as_stored(name, &window);
    }
}

#[test]
fn help_and_trouble() {
    let mut window = busy(Size::new(80, 24));
    window.presses(KeyCode::F(1));
    is_as_stored("help.txt", &window);
    for (size, name) in [(Size::new(80, 24), "trouble.txt"), (Size::new(20, 5), "trouble_tiny.txt")] {
        let mut window = Window::new(size, "bob");
        window.has_link(LinkState::Waiting { why: "no route\u{7}".to_owned(), retry_at: NOW + 30 });
        is_as_stored(name, &window);
    }
}

#[test]
fn a_pasted_text_of_many_lines_grows_the_typing_line() {
    let mut window = Window::new(Size::new(40, 12), "bob");
    let lines: Vec<String> = (1..=9).map(|n| format!("line {n}")).collect();
    window.pastes(&lines.join("\r\n"));
    is_as_stored("paste.txt", &window);
}

proptest::proptest! {
    #![proptest_config(proptest::test_runner::Config::with_cases(64))]
    #[test]
    fn no_size_and_no_text_break_the_window(width in 1_u16..90, height in 1_u16..30, text: String) {
        let mut window = busy(Size::new(width, height));
        window.receives("bob", &text);
        window.pastes(&text);
        let shown = screen(&window);
        proptest::prop_assert!(!shown.replace('\n', "").chars().any(char::is_control));
        window.presses(KeyCode::PageUp);
        screen(&window);
        window.shows("dave");
        screen(&window);
    }
}

#[test]
fn a_frame_of_another_size_waits_for_the_word_of_it() {
    let (usual, tiny) = (Size::new(80, 24), Size::new(20, 5));
    for (known, real) in [(usual, tiny), (tiny, usual)] {
        let mut window = busy(known);
        let mut terminal = Terminal::new(TestBackend::new(real.width, real.height)).unwrap();
        let mut shown = |window: &Window| {
            terminal.draw(|frame| draw(frame, &window.model, NOW)).unwrap();
            terminal.backend().to_string().contains("bob")
        };
        assert!(!shown(&window), "nothing that does not fit");
        window.takes(Input::Resize(real));
        assert!(shown(&window));
    }
}
