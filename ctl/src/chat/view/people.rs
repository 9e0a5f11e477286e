//! The list of people beside the conversation.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use secchat_ipc::UserName;
use secchat_ipc::types::RequestState;

use super::put;
use crate::chat::model::Model;
use crate::chat::rows::cut;

/// Draws everybody, or those around the one who is shown, with what waits of them.
pub(super) fn draw(buffer: &mut Buffer, area: Rect, model: &Model) {
    let current = model.current().map(|(peer, _)| peer);
    let place = model.people().position(|peer| Some(peer) == current).unwrap_or(0);
    let height = usize::from(area.height);
    let first = place.saturating_add(1).saturating_sub(height);
    for row in 0..height {
        put(buffer, area, row, &format!("{:>width$}", "│", width = usize::from(area.width)), Style::new());
    }
    let names = Rect { width: area.width.saturating_sub(1), ..area };
    for (peer, row) in model.people().skip(first).take(height).zip(0..) {
        let is_current = Some(peer) == current;
        let style = if is_current || model.wants_attention(peer) {
            Style::new().add_modifier(Modifier::BOLD)
        } else {
            Style::new()
        };
        put(buffer, names, row, &line(model, peer, is_current, usize::from(names.width)), style);
    }
}

fn line(model: &Model, peer: &UserName, is_current: bool, width: usize) -> String {
    let cursor = if is_current { ">" } else { " " };
    let waits = waits(model, peer);
    let room = width.saturating_sub(waits.len()).saturating_sub(3);
    let name = cut(peer.as_str(), room);
    format!("{cursor}{name:room$} {waits} ")
}

/// A question mark for a request, else the number of unread texts.
fn waits(model: &Model, peer: &UserName) -> String {
    let unread = model.unread(peer);
    if model.request(peer).is_some_and(|request| request.state == RequestState::Pending) {
        "?".to_owned()
    } else if unread > MOST_SHOWN {
        format!("{MOST_SHOWN}+")
    } else if unread > 0 {
        unread.to_string()
    } else {
        String::new()
    }
}

/// Unread texts are counted up to here.
const MOST_SHOWN: usize = 99;
