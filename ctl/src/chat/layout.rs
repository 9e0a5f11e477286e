//! Where things are on the screen, from 80×24 down to 20×5 and beyond.

use ratatui::layout::{Rect, Size};

use super::conversation::Pane;

/// The parts of the window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Areas {
    /// Everybody, where there is room.
    pub(crate) people: Option<Rect>,
    /// With whom, and what is known of the key.
    pub(crate) header: Rect,
    /// What was said.
    pub(crate) texts: Rect,
    /// What is being typed.
    pub(crate) typing: Rect,
    /// Oneself and the relay, where there is room.
    pub(crate) status: Option<Rect>,
}

impl Areas {
    /// The parts of a window of this size, when the typing line has this many rows.
    pub(crate) fn of(size: Size, typing_rows: usize) -> Self {
        let all = Rect::new(0, 0, size.width, size.height);
        let (all, status) =
            if size.height >= ROOM_FOR_STATUS { off_bottom(all, 1) } else { (all, Rect::ZERO) };
        let people_width = if size.width >= ROOM_FOR_PEOPLE { PEOPLE_WIDTH } else { 0 };
        let people = Rect { width: people_width, ..all };
        let main = Rect { x: people_width, width: all.width.saturating_sub(people_width), ..all };
        let wanted = u16::try_from(typing_rows).unwrap_or(u16::MAX);
        let (rest, typing) = off_bottom(main, wanted.clamp(1, (main.height / 3).max(1)));
        let header = Rect { height: rest.height.min(1), ..rest };
        let texts = Rect {
            y: rest.y.saturating_add(header.height),
            height: rest.height.saturating_sub(header.height),
            ..rest
        };
        Self {
            people: (people_width > 0).then_some(people),
            header,
            texts,
            typing,
            status: (status.height > 0).then_some(status),
        }
    }

    /// Columns for what is being typed.
    pub(crate) fn typing_width(size: Size) -> u16 {
        Self::of(size, 1).typing.width.saturating_sub(PROMPT_WIDTH)
    }

    /// The part that shows what was said.
    pub(crate) fn pane(&self) -> Pane {
        Pane { width: self.texts.width, height: self.texts.height }
    }
}

fn off_bottom(area: Rect, rows: u16) -> (Rect, Rect) {
    let height = area.height.saturating_sub(rows);
    let bottom = Rect { y: area.y.saturating_add(height), height: area.height.min(rows), ..area };
    (Rect { height, ..area }, bottom)
}

/// Columns of `> `.
pub(crate) const PROMPT_WIDTH: u16 = 2;

/// Columns from which on the list of people is beside the conversation.
const ROOM_FOR_PEOPLE: u16 = 64;

/// Columns of that list, with the line at its right.
const PEOPLE_WIDTH: u16 = 18;

/// Rows from which on there is a line for oneself and the relay.
const ROOM_FOR_STATUS: u16 = 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_fill_the_window_and_do_not_overlap() {
        for width in 0..=130 {
            for height in 0..=40 {
                for rows in [0, 1, 5, 1_000] {
                    let size = Size::new(width, height);
                    let areas = Areas::of(size, rows);
                    let parts = [
                        areas.people,
                        Some(areas.header),
                        Some(areas.texts),
                        Some(areas.typing),
                        areas.status,
                    ];
                    let covered: u32 = parts.into_iter().flatten().map(Rect::area).sum();
                    assert_eq!(covered, u32::from(width) * u32::from(height), "{size:?} {areas:?}");
                    if height >= 3 {
                        assert!(areas.header.height == 1 && areas.texts.height >= 1, "{size:?} {areas:?}");
                    }
                }
            }
        }
    }
}
