//! What the chat window looks like: the model in, a frame out. Whatever is drawn was made harmless before.

mod card;
mod help;
mod people;
#[cfg(test)]
mod tests;

use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::style::{Color, Modifier, Style};
use secchat_ipc::UserName;
use secchat_ipc::harmless;
use secchat_ipc::types::{KeyTrust, LinkState};
use unicode_width::UnicodeWidthStr as _;

use super::conversation::{Conversation, Pane};
use super::layout::{Areas, PROMPT_WIDTH};
use super::model::{Dialog, Model};
use super::rows::{self, Row, Tone};
use crate::view;

/// Draws the window as it is at this Unix time.
pub(crate) fn draw(frame: &mut Frame<'_>, model: &Model, now: u64) {
    // The terminal has another size already, and word of it is on its way: the next frame fits.
    if frame.area().as_size() != model.size() {
        return;
    }
    let areas = model.areas();
    let cursor = {
        let buffer = frame.buffer_mut();
        if let Some(area) = areas.people {
            people::draw(buffer, area, model);
        }
        header(buffer, &areas, model, now);
        texts(buffer, areas.texts, model, now);
        remark(buffer, &areas, model, now);
        typing(buffer, areas.typing, model)
    };
    if let Some(position) = cursor {
        frame.set_cursor_position(position);
    }
}

/// With whom one talks. What is known of the key is what goes last when there is little room.
fn header(buffer: &mut Buffer, areas: &Areas, model: &Model, now: u64) {
    let style = Style::new().add_modifier(Modifier::REVERSED);
    let width = usize::from(areas.header.width);
    put(buffer, areas.header, 0, &" ".repeat(width), style);
    let Some((peer, conversation)) = model.current() else {
        put(buffer, areas.header, 0, &rows::cut("secchat", width), style);
        return;
    };
    let trust = model.trust(peer);
    let key = key(trust, width);
    let others = if areas.people.is_some() { String::new() } else { others(model, peer) };
    let rest = width.saturating_sub(key.width()).saturating_sub(others.width()).saturating_sub(1);
    let name = rows::cut(peer.as_str(), rest);
    let more = rows::cut(&about(model, peer, conversation, now), rest.saturating_sub(name.width()));
    put(buffer, areas.header, 0, &name, style.add_modifier(Modifier::BOLD));
    let after_name = right_of(areas.header, name.width().saturating_add(1));
    let key_style = match trust {
        KeyTrust::Changed | KeyTrust::Vouched => style.fg(Color::Red).add_modifier(Modifier::BOLD),
        KeyTrust::Unverified => style.fg(Color::Yellow),
        KeyTrust::Pinned | KeyTrust::Verified | KeyTrust::Followed => style,
    };
    put(buffer, after_name, 0, &key, key_style);
    put(buffer, right_of(after_name, key.width()), 0, &(more + &others), style);
}

fn key(trust: KeyTrust, width: usize) -> String {
    let word = view::trust_word(trust);
    let word = if trust.is_changed() { word.to_uppercase() } else { word.to_owned() };
    if width < ROOM_FOR_KEY_WORD { word } else { format!("key {word}") }
}

/// How the chat stands, and under which terms.
fn about(model: &Model, peer: &UserName, conversation: &Conversation, now: u64) -> String {
    let chat = model.state().chats.iter().rev().find(|chat| chat.peer == *peer);
    let mut about = chat.map_or_else(
        || " · no chat".to_owned(),
        |chat| format!(" · {} · {}", view::chat_word(chat.state), view::terms_for_people(chat.terms, now)),
    );
    if !conversation.is_at_end() {
        about.insert_str(0, " · more below");
    }
    about
}

/// How many others wait for the person, where they are not listed.
fn others(model: &Model, peer: &UserName) -> String {
    let waiting = model.people().filter(|it| *it != peer && model.wants_attention(it)).count();
    if waiting > 0 { format!(" +{waiting}") } else { String::new() }
}

fn texts(buffer: &mut Buffer, area: Rect, model: &Model, now: u64) {
    let pane = Pane { width: area.width, height: area.height };
    let (entries, below) = match model.current() {
        Some((_, conversation)) => (Some(conversation.entries()), conversation.below()),
        None => (None, 0),
    };
    let card = if let Some(Dialog::Help(from)) = model.dialog() {
        help::rows(*from, pane)
    } else if below == 0 {
        card::rows(model, pane, now)
    } else {
        Vec::new()
    };
    let card_rows = u16::try_from(card.len()).unwrap_or(u16::MAX).min(area.height);
    let pane = Pane { height: area.height.saturating_sub(card_rows), ..pane };
    let shown = entries.map(|entries| rows::in_sight(entries, pane, below)).unwrap_or_default();
    let all: Vec<Row> = shown.into_iter().chain(card).collect();
    let first = usize::from(area.height).saturating_sub(all.len());
    for (row, at) in all.iter().zip(first..) {
        put(buffer, area, at, &row.text, tone(row.tone));
    }
}

/// What went wrong, or who one is here: below everything, or over the last row of texts.
fn remark(buffer: &mut Buffer, areas: &Areas, model: &Model, now: u64) {
    let status = &model.state().status;
    let trouble = status.link != LinkState::Online;
    let link = harmless::line(&view::link_for_people(&status.link, now));
    let is_overlaid = areas.status.is_none();
    let (text, style) = match model.remark() {
        Some(remark) => (remark.to_owned(), tone(Tone::Alarm)),
        None if is_overlaid && !trouble => return,
        None if is_overlaid => (link, tone(Tone::Alarm)),
        None => {
            let user = status.user.as_ref().map_or("?", UserName::as_str);
            let reachability = view::reachability_word(status.reachability);
            let style = if trouble { tone(Tone::Alarm) } else { tone(Tone::Note) };
            (format!("{user} · {link} · {reachability} · F1 help"), style)
        }
    };
    let last = areas.texts.height.saturating_sub(1);
    let over =
        Rect { y: areas.texts.y.saturating_add(last), height: areas.texts.height.min(1), ..areas.texts };
    let area = areas.status.unwrap_or(over);
    let width = usize::from(area.width);
    put(buffer, area, 0, &" ".repeat(width), Style::new());
    put(buffer, area, 0, &rows::cut(&text, width), style);
}

/// Draws what is being typed, and says where the cursor belongs.
fn typing(buffer: &mut Buffer, area: Rect, model: &Model) -> Option<Position> {
    let bold = Style::new().add_modifier(Modifier::BOLD);
    match model.dialog() {
        Some(Dialog::Question(_)) => {
            put(buffer, area, 0, "y = yes, else no", bold);
            return None;
        }
        Some(Dialog::Help(_)) => return None,
        None => {}
    }
    let (_, conversation) = model.current()?;
    let typing = &conversation.typing;
    let text_area = right_of(area, usize::from(PROMPT_WIDTH));
    let made = rows::typing(typing.text(), typing.cursor(), text_area.width);
    let height = usize::from(area.height);
    let first = made.cursor_row.saturating_add(1).saturating_sub(height);
    put(buffer, area, 0, ">", bold);
    for (row, at) in made.rows.iter().skip(first).take(height).zip(0..) {
        put(buffer, text_area, at, row, Style::new());
    }
    let column = u16::try_from(made.cursor_column).unwrap_or(u16::MAX);
    let row = u16::try_from(made.cursor_row.saturating_sub(first)).unwrap_or(0);
    let position = Position {
        x: text_area.x.saturating_add(column.min(text_area.width.saturating_sub(1))),
        y: text_area.y.saturating_add(row),
    };
    text_area.contains(position).then_some(position)
}

fn tone(tone: Tone) -> Style {
    match tone {
        Tone::Theirs => Style::new(),
        Tone::Own => Style::new().fg(Color::Cyan),
        Tone::Failed => Style::new().fg(Color::Red),
        Tone::Note => Style::new().add_modifier(Modifier::DIM),
        Tone::Alarm => Style::new().fg(Color::Red).add_modifier(Modifier::BOLD),
    }
}

/// Puts text into a row of `area`, as far as it fits.
fn put(buffer: &mut Buffer, area: Rect, row: usize, text: &str, style: Style) {
    let Ok(row) = u16::try_from(row) else { return };
    if row < area.height && area.width > 0 {
        let y = area.y.saturating_add(row);
        buffer.set_stringn(area.x, y, text, usize::from(area.width), style);
    }
}

/// What is left of `area` right of this many columns.
fn right_of(area: Rect, columns: usize) -> Rect {
    let columns = u16::try_from(columns).unwrap_or(u16::MAX).min(area.width);
    Rect { x: area.x.saturating_add(columns), width: area.width.saturating_sub(columns), ..area }
}

/// Columns from which on the word `key` is before what is known of it.
const ROOM_FOR_KEY_WORD: usize = 36;
