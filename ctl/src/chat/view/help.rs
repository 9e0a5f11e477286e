//! The keys, in a page.

use crate::chat::conversation::Pane;
use crate::chat::rows::{Row, Tone};

/// The page as rows: as much of it as the pane holds, from one of its rows on.
pub(super) fn rows(from: usize, pane: Pane) -> Vec<Row> {
    let width = usize::from(pane.width);
    let wrap = |line: &str| {
        let wrapped = textwrap::wrap(line, textwrap::Options::new(width).subsequent_indent("  "));
        wrapped
            .into_iter()
            .map(|text| Row { text: text.into_owned(), tone: Tone::Theirs })
            .collect::<Vec<_>>()
    };
    let page = PAGE.iter().flat_map(|line| wrap(line));
    let mut rows: Vec<Row> = page.skip(from).take(usize::from(pane.height)).collect();
    rows.resize_with(usize::from(pane.height), || Row { text: String::new(), tone: Tone::Theirs });
    rows
}

const PAGE: [&str; 19] = [
    "PageDown shows more; any other key closes this",
    "Enter sends; Alt-Enter or Ctrl-J starts a line",
    "Tab, Shift-Tab: next, last conversation",
    "PageUp, PageDown, Esc: older, newer, newest",
    "Up, Down: what you sent before",
    "F2, F3, F4: accept, refuse, later",
    "Ctrl-C empties the line, then leaves",
    "Ctrl-Z suspends; Ctrl-L draws anew",
    "/accept /refuse [quietly] /later: answer",
    "/ask [NAME], /withdraw: request to talk",
    "/close: end the chat",
    "/verify [NUMBER]: the safety number",
    "/who: who is available",
    "/open NAME: a conversation",
    "/quit: leave; chats go on",
    "// starts a text with a slash",
    "· the daemon has it, ✓ the peer's has it",
    "✗ not delivered, ? nobody knows",
    "? after a name: a request; a number: unread",
];
