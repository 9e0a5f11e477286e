//! The typing line: text, cursor, and the lines sent before. It knows nothing of the screen.

use std::collections::VecDeque;

use secchat_ipc::codec::MAX_TEXT_BYTES;
use unicode_segmentation::{GraphemeCursor, UnicodeSegmentation as _};

/// What is being typed, of one line or several.
#[derive(Debug, Default)]
pub(crate) struct Typing {
    text: String,
    /// A byte of `text`, at the start of what a person takes for one character.
    cursor: usize,
    /// Sent before, oldest first.
    sent: VecDeque<String>,
    /// Which of `sent` is shown, while the text that was being typed waits in `draft`.
    recalled: Option<usize>,
    draft: String,
}

/// Where to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Motion {
    Left,
    Right,
    WordLeft,
    WordRight,
    LineStart,
    LineEnd,
}

/// The text would be longer than one text can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooLong {
    /// How long it would be.
    pub(crate) bytes: usize,
}

impl Typing {
    /// What is typed so far.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Where the next character goes: a byte of the text.
    pub(crate) fn cursor(&self) -> usize {
        self.cursor
    }

    /// Puts text in at the cursor: all of it or nothing.
    pub(crate) fn insert(&mut self, text: &str) -> Result<(), TooLong> {
        let bytes = self.text.len().saturating_add(text.len());
        if bytes > MAX_TEXT_BYTES {
            return Err(TooLong { bytes });
        }
        self.text.insert_str(self.cursor, text);
        self.cursor = self.cursor.saturating_add(text.len());
        Ok(())
    }

    /// Moves the cursor.
    pub(crate) fn go(&mut self, motion: Motion) {
        self.cursor = self.target(motion);
    }

    /// Takes out what lies between the cursor and where `motion` leads.
    pub(crate) fn delete(&mut self, motion: Motion) {
        let target = self.target(motion);
        let (from, to) = (target.min(self.cursor), target.max(self.cursor));
        self.text.drain(from..to);
        self.cursor = from;
    }

    /// A line up; from the first one, to what was sent before.
    pub(crate) fn up(&mut self) {
        let start = self.line_start();
        if start > 0 {
            self.cursor = self.same_column(start.saturating_sub(1));
        } else if let Some(earlier) = self.recalled.unwrap_or(self.sent.len()).checked_sub(1) {
            self.recall(Some(earlier));
        }
    }

    /// A line down; from the last one, to what was sent after, and at last to what was being typed.
    pub(crate) fn down(&mut self) {
        let end = self.line_end();
        if end < self.text.len() {
            let next = end.saturating_add(1);
            let next_end = self.text.get(next..).and_then(|rest| rest.find('\n'));
            self.cursor = self.same_column(next_end.map_or(self.text.len(), |at| next.saturating_add(at)));
        } else if let Some(at) = self.recalled {
            let later = at.saturating_add(1);
            self.recall((later < self.sent.len()).then_some(later));
        }
    }

    /// Takes the text out of the line, and keeps it to be recalled.
    pub(crate) fn take(&mut self) -> String {
        let text = std::mem::take(&mut self.text);
        self.cursor = 0;
        self.recalled = None;
        self.draft.clear();
        if self.sent.back() != Some(&text) && !text.is_empty() {
            if self.sent.len() >= MAX_RECALLED {
                self.sent.pop_front();
            }
            self.sent.push_back(text.clone());
        }
        text
    }

    fn recall(&mut self, which: Option<usize>) {
        let shown = match which {
            Some(at) => self.sent.get(at).cloned().unwrap_or_default(),
            None => std::mem::take(&mut self.draft),
        };
        let before = std::mem::replace(&mut self.text, shown);
        if self.recalled.is_none() {
            self.draft = before;
        }
        self.recalled = which;
        self.cursor = self.text.len();
    }

    fn target(&self, motion: Motion) -> usize {
        let before = || self.text.get(..self.cursor).unwrap_or_default();
        let after = || self.text.get(self.cursor..).unwrap_or_default();
        match motion {
            Motion::Left => self.boundary(|it, text| it.prev_boundary(text, 0)),
            Motion::Right => self.boundary(|it, text| it.next_boundary(text, 0)),
            Motion::WordLeft => before().unicode_word_indices().next_back().map_or(0, |(at, _)| at),
            Motion::WordRight => {
                let word = after().unicode_word_indices().next();
                let past = |(at, word): (usize, &str)| at.saturating_add(word.len());
                self.cursor.saturating_add(word.map_or_else(|| after().len(), past))
            }
            Motion::LineStart => self.line_start(),
            Motion::LineEnd => self.line_end(),
        }
    }

    /// The next place of the cursor in a direction; where it is at the text's ends.
    fn boundary<E>(&self, step: impl Fn(&mut GraphemeCursor, &str) -> Result<Option<usize>, E>) -> usize {
        let mut cursor = GraphemeCursor::new(self.cursor, self.text.len(), true);
        step(&mut cursor, &self.text).ok().flatten().unwrap_or(self.cursor)
    }

    fn line_start(&self) -> usize {
        let before = self.text.get(..self.cursor).unwrap_or_default();
        before.rfind('\n').map_or(0, |at| at.saturating_add(1))
    }

    fn line_end(&self) -> usize {
        let after = self.text.get(self.cursor..).unwrap_or_default();
        self.cursor.saturating_add(after.find('\n').unwrap_or(after.len()))
    }

    /// As many characters into the line that ends at `line_end` as the cursor is into its own.
    fn same_column(&self, line_end: usize) -> usize {
        let own = self.text.get(self.line_start()..self.cursor).unwrap_or_default();
        let before = self.text.get(..line_end).unwrap_or_default();
        let start = before.rfind('\n').map_or(0, |at| at.saturating_add(1));
        let line = before.get(start..).unwrap_or_default();
        let column = own.graphemes(true).count();
        let within = line.grapheme_indices(true).nth(column).map_or(line.len(), |(at, _)| at);
        start.saturating_add(within)
    }
}

/// Lines that can be recalled at most, of one conversation.
const MAX_RECALLED: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(text: &str) -> Typing {
        let mut typing = Typing::default();
        typing.insert(text).unwrap();
        typing
    }

    /// The text with the cursor in it.
    fn shown(typing: &Typing) -> String {
        let mut text = typing.text.clone();
        text.insert(typing.cursor, '|');
        text
    }

    #[test]
    fn the_cursor_steps_over_what_people_see_as_one() {
        let mut typing = typed("a👩\u{200d}💻e\u{301}");
        for expected in ["a👩\u{200d}💻|e\u{301}", "a|👩\u{200d}💻e\u{301}", "|a👩\u{200d}💻e\u{301}"]
        {
            typing.go(Motion::Left);
            assert_eq!(shown(&typing), expected);
        }
        typing.go(Motion::Left);
        typing.go(Motion::Right);
        typing.delete(Motion::Right);
        assert_eq!(shown(&typing), "a|e\u{301}");
        typing.delete(Motion::Left);
        assert_eq!(shown(&typing), "|e\u{301}");
    }

    #[test]
    fn words_and_lines_are_steps_too() {
        let mut typing = typed("one two, three");
        typing.go(Motion::WordLeft);
        assert_eq!(shown(&typing), "one two, |three");
        typing.delete(Motion::WordLeft);
        assert_eq!(shown(&typing), "one |three");
        typing.go(Motion::LineStart);
        typing.go(Motion::WordRight);
        assert_eq!(shown(&typing), "one| three");
        typing.delete(Motion::LineEnd);
        assert_eq!(shown(&typing), "one|");
        typing.delete(Motion::LineStart);
        assert_eq!(shown(&typing), "|");
    }

    #[test]
    fn up_and_down_keep_the_column() {
        let mut typing = typed("long line\nżó\nlast one");
        typing.up();
        assert_eq!(shown(&typing), "long line\nżó|\nlast one");
        typing.up();
        assert_eq!(shown(&typing), "lo|ng line\nżó\nlast one");
        typing.go(Motion::LineEnd);
        typing.down();
        typing.down();
        assert_eq!(shown(&typing), "long line\nżó\nla|st one");
    }

    #[test]
    fn what_was_sent_comes_back_and_the_draft_with_it() {
        let mut typing = Typing::default();
        for text in ["one", "two\nlines", "two\nlines"] {
            typing.insert(text).unwrap();
            assert_eq!(typing.take(), text);
        }
        typing.insert("draft").unwrap();
        typing.up();
        assert_eq!(shown(&typing), "two\nlines|");
        typing.up();
        typing.up();
        assert_eq!(shown(&typing), "one|", "the same text twice is kept once");
        typing.up();
        assert_eq!(shown(&typing), "one|");
        typing.down();
        typing.down();
        assert_eq!(shown(&typing), "draft|");
        typing.down();
        assert_eq!(shown(&typing), "draft|");
    }

    #[test]
    fn a_text_is_never_longer_than_one_can_be() {
        let mut typing = typed(&"x".repeat(MAX_TEXT_BYTES - 1));
        assert_eq!(typing.insert("yz"), Err(TooLong { bytes: MAX_TEXT_BYTES + 1 }));
        assert!(!typing.text().contains('y'));
        typing.insert("y").unwrap();
        assert_eq!(typing.take().len(), MAX_TEXT_BYTES);
    }

    proptest::proptest! {
        #[test]
        fn no_keys_break_the_line(text: String, keys: Vec<u8>) {
            let mut typing = typed(&text);
            for key in keys {
                match key % 11 {
                    0 => typing.go(Motion::Left),
                    1 => typing.go(Motion::Right),
                    2 => typing.go(Motion::WordLeft),
                    3 => typing.go(Motion::WordRight),
                    4 => typing.delete(Motion::Left),
                    5 => typing.delete(Motion::WordLeft),
                    6 => typing.delete(Motion::LineEnd),
                    7 => typing.up(),
                    8 => typing.down(),
                    9 => typing.insert("ż\n👩\u{200d}💻").unwrap(),
                    _ => drop(typing.take()),
                }
                proptest::prop_assert!(typing.text.is_char_boundary(typing.cursor));
            }
        }
    }
}
