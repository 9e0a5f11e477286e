//! Makes peers' text harmless: what a terminal acts on, or a reader cannot see, is shown as `\u{…}`.
//!
//! Escape sequences (CWE-150), bidirectional controls, invisible characters and letters that look like nothing. What
//! people write is left alone: any script, combining marks, emoji sequences, joiners inside cursive scripts.

use unicode_properties::{GeneralCategory, UnicodeGeneralCategory as _};

/// Peers' text of several lines; newlines and tabs stay.
#[must_use]
pub fn text(text: &str) -> String {
    show(text, |c| c == '\n' || c == '\t')
}

/// Peers' text within a line: nothing in it starts another.
#[must_use]
pub fn line(text: &str) -> String {
    show(text, |_| false)
}

/// Whether a terminal or a reader could be fooled by `c`, wherever it stands.
#[must_use]
pub fn is_treacherous(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_control();
    }
    let by_category = matches!(
        c.general_category(),
        GeneralCategory::Control
            | GeneralCategory::Format
            | GeneralCategory::LineSeparator
            | GeneralCategory::ParagraphSeparator
            | GeneralCategory::PrivateUse
            | GeneralCategory::Surrogate
            | GeneralCategory::Unassigned
    );
    by_category || BLANKS.contains(&c) || is_variation_selector(c)
}

fn show(text: &str, keep: impl Fn(char) -> bool) -> String {
    if text.bytes().all(|b| b.is_ascii_graphic() || b == b' ') {
        return text.to_owned();
    }
    let mut shown = String::with_capacity(text.len());
    let mut before = None;
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        if keep(c) || !is_treacherous(c) || is_part_of_a_sequence(before, c, rest.peek().copied()) {
            shown.push(c);
        } else {
            shown.extend(c.escape_unicode());
        }
        // A selector or skin tone belongs to the emoji before it: a joiner may follow.
        if !(is_variation_selector(c) || is_skin_tone(c)) {
            before = Some(c);
        }
    }
    shown
}

/// Whether a joiner or selector does here what it is for.
fn is_part_of_a_sequence(before: Option<char>, c: char, after: Option<char>) -> bool {
    let Some(before) = before else { return false };
    match c {
        ZERO_WIDTH_JOINER | ZERO_WIDTH_NON_JOINER => {
            let joins = |is: fn(char) -> bool| is(before) && after.is_some_and(is);
            (c == ZERO_WIDTH_JOINER && joins(is_symbol)) || joins(is_cursive)
        }
        TEXT_STYLE | EMOJI_STYLE => {
            is_symbol(before) || before.is_ascii_digit() || matches!(before, '#' | '*')
        }
        _ => is_variation_selector(c) && before.general_category() == GeneralCategory::OtherLetter,
    }
}

/// Emoji and their like.
fn is_symbol(c: char) -> bool {
    !BLANKS.contains(&c)
        && (is_skin_tone(c)
            || matches!(c.general_category(), GeneralCategory::OtherSymbol | GeneralCategory::MathSymbol))
}

/// Letters and marks of scripts without case, in which a joiner changes how they connect.
fn is_cursive(c: char) -> bool {
    !BLANKS.contains(&c)
        && matches!(
            c.general_category(),
            GeneralCategory::OtherLetter | GeneralCategory::NonspacingMark | GeneralCategory::SpacingMark
        )
}

fn is_skin_tone(c: char) -> bool {
    ('\u{1f3fb}'..='\u{1f3ff}').contains(&c)
}

fn is_variation_selector(c: char) -> bool {
    matches!(c, '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}' | '\u{180b}'..='\u{180d}' | '\u{180f}')
}

const ZERO_WIDTH_NON_JOINER: char = '\u{200c}';
const ZERO_WIDTH_JOINER: char = '\u{200d}';
const TEXT_STYLE: char = '\u{fe0e}';
const EMOJI_STYLE: char = '\u{fe0f}';

/// Letters, marks and symbols that look like nothing: Hangul fillers, the grapheme joiner, Khmer inherent vowels, the
/// empty Braille pattern.
const BLANKS: [char; 8] =
    ['\u{115f}', '\u{1160}', '\u{3164}', '\u{ffa0}', '\u{34f}', '\u{17b4}', '\u{17b5}', '\u{2800}'];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_write_is_left_alone() {
        for written in [
            "plain text, 1 + 1 = 2",
            "zażółć gęślą jaźń",
            "привет · 你好 · こんにちは · مرحبا · שלום · हिन्दी",
            "e\u{301}tude",
            "👩\u{200d}💻 👨\u{200d}👩\u{200d}👧 ❤\u{fe0f} 1\u{fe0f}\u{20e3} 🇵🇱",
            "👩🏽\u{200d}🔬 🏳\u{fe0f}\u{200d}🌈",
            "می\u{200c}خواهم",
            "क्\u{200d}ष",
            "葛\u{e0100}飾区",
        ] {
            assert_eq!(text(written), written);
            assert_eq!(line(written), written);
        }
    }

    #[test]
    fn what_a_terminal_acts_on_is_shown() {
        assert_eq!(text("\u{1b}[2J\u{1b}]0;x\u{7}"), "\\u{1b}[2J\\u{1b}]0;x\\u{7}");
        assert_eq!(text("a\u{9b}31mb"), "a\\u{9b}31mb");
        assert_eq!(text("a\rb\u{8}\u{7f}\0"), "a\\u{d}b\\u{8}\\u{7f}\\u{0}");
        assert_eq!(text("one\n\ttwo"), "one\n\ttwo");
        assert_eq!(line("one\n\ttwo"), "one\\u{a}\\u{9}two");
    }

    #[test]
    fn what_reorders_or_hides_is_shown() {
        for c in [
            '\u{202e}',
            '\u{2066}',
            '\u{2069}',
            '\u{200e}',
            '\u{200b}',
            '\u{feff}',
            '\u{ad}',
            '\u{2028}',
            '\u{2029}',
            '\u{e0041}',
            '\u{e000}',
            '\u{115f}',
            '\u{1160}',
            '\u{3164}',
            '\u{ffa0}',
            '\u{2800}',
            '\u{85}',
            '\u{378}',
        ] {
            assert!(is_treacherous(c), "{c:?}");
            assert_eq!(text(&format!("a{c}b")), format!("a{}b", c.escape_unicode()));
        }
    }

    #[test]
    fn joiners_and_selectors_count_only_where_they_do_something() {
        assert_eq!(text("pay\u{200d}pal \u{200c}"), "pay\\u{200d}pal \\u{200c}");
        assert_eq!(text("\u{200d}👩"), "\\u{200d}👩");
        assert_eq!(text("👩\u{200d}a"), "👩\\u{200d}a");
        assert_eq!(text("a\u{fe0f}"), "a\\u{fe0f}");
        assert_eq!(text("a\u{e0101}"), "a\\u{e0101}");
    }

    proptest::proptest! {
        #[test]
        fn no_text_reaches_the_terminal_with_a_control(written: String) {
            let shown = line(&written);
            proptest::prop_assert!(!shown.chars().any(char::is_control));
            let reordered = shown.contains(['\u{202a}', '\u{202e}', '\u{2066}', '\u{2069}']);
            proptest::prop_assert!(!reordered);
        }
    }
}
