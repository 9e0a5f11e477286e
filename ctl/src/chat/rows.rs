//! Entries as rows of the screen: wrapped, indented, with a row for each new day. Pure; text in it is harmless already.

use std::collections::VecDeque;

use secchat_ipc::harmless;
use unicode_segmentation::UnicodeSegmentation as _;
use unicode_width::UnicodeWidthStr as _;

use super::conversation::{Entry, Mark, Pane, Said};

/// A row of a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) text: String,
    pub(crate) tone: Tone,
}

/// How it is set off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tone {
    Theirs,
    Own,
    Failed,
    Note,
    Alarm,
}

/// The typing line as rows, and where its cursor is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TypingRows {
    pub(crate) rows: Vec<String>,
    pub(crate) cursor_row: usize,
    pub(crate) cursor_column: usize,
}

/// The rows of an entry; the first of a day says which.
pub(crate) fn of(entry: &Entry, before: Option<&Entry>, width: u16) -> Vec<Row> {
    let mut rows = Vec::new();
    if before.is_none_or(|before| before.at.date() != entry.at.date()) {
        rows.push(Row { text: entry.at.date().to_string(), tone: Tone::Note });
    }
    let (head, tone) = match &entry.said {
        Said::Theirs { peer, .. } => {
            (format!("{}: ", cut(peer.as_str(), usize::from(width / 3).max(3))), Tone::Theirs)
        }
        Said::Own { mark: Mark::Sent, .. } => ("me · ".to_owned(), Tone::Own),
        Said::Own { mark: Mark::Delivered, .. } => ("me ✓ ".to_owned(), Tone::Own),
        Said::Own { mark: Mark::Failed, .. } => ("me ✗ ".to_owned(), Tone::Failed),
        Said::Own { mark: Mark::Unknown, .. } => ("me ? ".to_owned(), Tone::Failed),
        Said::Note(_) => ("* ".to_owned(), Tone::Note),
        Said::Alarm(_) => ("! ".to_owned(), Tone::Alarm),
    };
    let is_roomy = width >= ROOM_FOR_TIMES;
    let first = if is_roomy { format!("{} {head}", entry.at.strftime("%H:%M")) } else { head };
    let rest = if is_roomy { "      " } else { " " };
    let options = textwrap::Options::new(usize::from(width)).initial_indent(&first).subsequent_indent(rest);
    let text = entry.said.text().replace('\t', TAB);
    let wrapped = textwrap::wrap(&text, options);
    rows.extend(wrapped.into_iter().map(|line| Row { text: line.into_owned(), tone }));
    rows
}

/// What a pane shows when `below` rows are further down.
pub(crate) fn in_sight(entries: &VecDeque<Entry>, pane: Pane, below: usize) -> Vec<Row> {
    let height = usize::from(pane.height);
    let mut rows = from_end(entries, pane.width, below.saturating_add(height));
    rows.truncate(rows.len().saturating_sub(below));
    rows.split_off(rows.len().saturating_sub(height))
}

/// How many rows may be below the pane: of `wanted`, as many as leave it full.
pub(crate) fn most_below(entries: &VecDeque<Entry>, pane: Pane, wanted: usize) -> usize {
    let height = usize::from(pane.height);
    let rows = from_end(entries, pane.width, wanted.saturating_add(height));
    rows.len().saturating_sub(height)
}

/// The last rows, as many as `enough` or a few more.
fn from_end(entries: &VecDeque<Entry>, width: u16, enough: usize) -> Vec<Row> {
    let mut pieces = Vec::new();
    let mut count = 0_usize;
    for (at, entry) in entries.iter().enumerate().rev() {
        if count >= enough {
            break;
        }
        let before = at.checked_sub(1).and_then(|at| entries.get(at));
        let piece = of(entry, before, width);
        count = count.saturating_add(piece.len());
        pieces.push(piece);
    }
    pieces.into_iter().rev().flatten().collect()
}

/// The typing line in rows of at most `width` columns, of which the last is the cursor's at the end of a full row.
pub(crate) fn typing(text: &str, cursor: usize, width: u16) -> TypingRows {
    let width = usize::from(width).max(2);
    let mut made = TypingRows { rows: vec![String::new()], cursor_row: 0, cursor_column: 0 };
    let mut column = 0_usize;
    let mut row = String::new();
    for (at, grapheme) in text.grapheme_indices(true) {
        if at <= cursor {
            (made.cursor_row, made.cursor_column) = (made.rows.len().saturating_sub(1), column);
        }
        let shown = shown(grapheme);
        let next = column.saturating_add(shown.width());
        if grapheme.contains('\n') || next >= width {
            finish(&mut made.rows, &mut row);
            column = 0;
            if grapheme.contains('\n') {
                continue;
            }
            if at == cursor {
                (made.cursor_row, made.cursor_column) = (made.rows.len().saturating_sub(1), 0);
            }
        }
        column = column.saturating_add(shown.width());
        row.push_str(&shown);
    }
    if cursor >= text.len() {
        (made.cursor_row, made.cursor_column) = (made.rows.len().saturating_sub(1), column);
    }
    if let Some(last) = made.rows.last_mut() {
        *last = row;
    }
    made
}

fn finish(rows: &mut Vec<String>, row: &mut String) {
    if let Some(last) = rows.last_mut() {
        *last = std::mem::take(row);
    }
    rows.push(String::new());
}

/// One character as a person sees it while typing.
fn shown(grapheme: &str) -> String {
    if grapheme == "\t" { TAB.to_owned() } else { harmless::line(grapheme) }
}

/// Text cut to `width` columns, with a mark where something is missing.
pub(crate) fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut kept = String::new();
    let mut columns = 1_usize;
    for grapheme in text.graphemes(true) {
        columns = columns.saturating_add(grapheme.width());
        if columns > width {
            break;
        }
        kept.push_str(grapheme);
    }
    if width > 0 {
        kept.push('…');
    }
    kept
}

/// Columns from which on every entry has its time.
const ROOM_FOR_TIMES: u16 = 36;

/// A tab as it is shown: a terminal would jump.
const TAB: &str = "    ";
