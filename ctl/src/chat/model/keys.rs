//! What keys do.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use secchat_ipc::UserName;
use secchat_ipc::codec::MAX_TEXT_BYTES;

use super::{Answer, Dialog, Effect, Model, Moment, verbs};
use crate::chat::conversation::Conversation;
use crate::chat::typing::{Motion, TooLong};

impl Model {
    pub(super) fn key(&mut self, key: KeyEvent, now: Moment) {
        if key.kind == KeyEventKind::Release {
            return;
        }
        match self.dialog.clone() {
            None => {
                self.remark = None;
                if !self.window_key(key, now) {
                    self.typing_key(key);
                }
            }
            Some(Dialog::Help(from)) => {
                let further = from.saturating_add(usize::from(self.pane().height));
                self.dialog = (key.code == KeyCode::PageDown).then_some(Dialog::Help(further));
            }
            Some(Dialog::Question(question)) => match (key.modifiers, key.code) {
                (KeyModifiers::NONE | KeyModifiers::SHIFT, KeyCode::Char('y' | 'Y')) => {
                    self.confirm(question, now);
                }
                _ => self.dialog = None,
            },
        }
    }

    /// Pasted text goes into the typing line, lines and all, and nowhere else: it answers no question.
    pub(super) fn paste(&mut self, text: &str) {
        if self.dialog.is_none() {
            self.remark = None;
            self.insert(&text.replace("\r\n", "\n").replace('\r', "\n"));
        }
    }

    /// Keys for the window; `false` when it is one for the typing line.
    fn window_key(&mut self, key: KeyEvent, now: Moment) -> bool {
        const CONTROL: KeyModifiers = KeyModifiers::CONTROL;
        let is_empty = self.current().is_none_or(|(_, it)| it.typing.text().is_empty());
        let pane = self.pane();
        match (key.modifiers, key.code) {
            (CONTROL, KeyCode::Char('c')) if !is_empty => self.typed(|it| drop(it.typing.take())),
            (CONTROL, KeyCode::Char('c' | 'd')) if is_empty => self.leave(),
            (CONTROL, KeyCode::Char('z')) => self.effects.push(Effect::Suspend),
            (CONTROL, KeyCode::Char('l')) => self.effects.push(Effect::Redraw),
            (_, KeyCode::F(1)) => self.dialog = Some(Dialog::Help(0)),
            (_, KeyCode::F(2)) => self.ask_back(Answer::Accept, now),
            (_, KeyCode::F(3)) => self.ask_back(Answer::Refuse, now),
            (_, KeyCode::F(4)) => self.ask_back(Answer::Later, now),
            (CONTROL, KeyCode::Char('n')) | (_, KeyCode::Tab) => self.step(1),
            (CONTROL, KeyCode::Char('p')) | (_, KeyCode::BackTab) => self.step(-1),
            (_, KeyCode::PageUp) => self.typed(|it| it.page_up(pane)),
            (_, KeyCode::PageDown) => self.typed(|it| it.page_down(pane)),
            (_, KeyCode::Esc) => self.typed(Conversation::show_end),
            (KeyModifiers::NONE, KeyCode::Enter) => self.enter(now),
            _ => return false,
        }
        true
    }

    fn typing_key(&mut self, key: KeyEvent) {
        const NONE: KeyModifiers = KeyModifiers::NONE;
        const SHIFT: KeyModifiers = KeyModifiers::SHIFT;
        const CONTROL: KeyModifiers = KeyModifiers::CONTROL;
        const ALT: KeyModifiers = KeyModifiers::ALT;
        match (key.modifiers, key.code) {
            (CONTROL, KeyCode::Char('j')) | (_, KeyCode::Enter) => self.insert("\n"),
            (NONE | SHIFT, KeyCode::Char(c)) => self.insert(c.encode_utf8(&mut [0; 4])),
            (CONTROL, KeyCode::Char('a')) | (_, KeyCode::Home) => self.goes(Motion::LineStart),
            (CONTROL, KeyCode::Char('e')) | (_, KeyCode::End) => self.goes(Motion::LineEnd),
            (NONE, KeyCode::Left) => self.goes(Motion::Left),
            (NONE, KeyCode::Right) => self.goes(Motion::Right),
            (_, KeyCode::Left) | (ALT, KeyCode::Char('b')) => self.goes(Motion::WordLeft),
            (_, KeyCode::Right) | (ALT, KeyCode::Char('f')) => self.goes(Motion::WordRight),
            (NONE, KeyCode::Backspace) => self.deletes(Motion::Left),
            (NONE, KeyCode::Delete) | (CONTROL, KeyCode::Char('d')) => self.deletes(Motion::Right),
            (CONTROL, KeyCode::Char('w')) | (_, KeyCode::Backspace) => self.deletes(Motion::WordLeft),
            (_, KeyCode::Delete) | (ALT, KeyCode::Char('d')) => self.deletes(Motion::WordRight),
            (CONTROL, KeyCode::Char('u')) => self.deletes(Motion::LineStart),
            (CONTROL, KeyCode::Char('k')) => self.deletes(Motion::LineEnd),
            (_, KeyCode::Up) => self.typed(|it| it.typing.up()),
            (_, KeyCode::Down) => self.typed(|it| it.typing.down()),
            _ => {}
        }
    }

    fn goes(&mut self, motion: Motion) {
        self.typed(|it| it.typing.go(motion));
    }

    fn deletes(&mut self, motion: Motion) {
        self.typed(|it| it.typing.delete(motion));
    }

    fn enter(&mut self, now: Moment) {
        let Some(text) = self.current().map(|(_, it)| it.typing.text().to_owned()) else { return };
        let is_done = match verbs::parse(&text) {
            Ok(verbs::Line::Nothing) => false,
            Ok(verbs::Line::Text(text)) => self.send(text, now),
            Ok(verbs::Line::Verb(verb)) => {
                self.typed(|it| drop(it.typing.take()));
                self.obey(verb, now);
                false
            }
            Err(complaint) => {
                self.say(complaint);
                false
            }
        };
        if is_done {
            self.typed(|it| {
                it.typing.take();
                it.show_end();
            });
        }
    }

    fn insert(&mut self, text: &str) {
        let Some(conversation) = self.current_mut() else { return };
        if let Err(TooLong { bytes }) = conversation.typing.insert(text) {
            self.say(format!(
                "that would be {bytes} bytes, where {MAX_TEXT_BYTES} is the most: send it in parts"
            ));
        }
    }

    fn typed(&mut self, change: impl FnOnce(&mut Conversation)) {
        if let Some(conversation) = self.current_mut() {
            change(conversation);
        }
    }

    /// To the next conversation, or the one before, round and round.
    fn step(&mut self, by: isize) {
        let people: Vec<UserName> = self.people().cloned().collect();
        let here = people.iter().position(|peer| Some(peer) == self.current.as_ref()).unwrap_or(0);
        let count = isize::try_from(people.len()).unwrap_or(isize::MAX).max(1);
        let there = isize::try_from(here).unwrap_or(0).saturating_add(by).rem_euclid(count);
        if let Some(peer) = usize::try_from(there).ok().and_then(|at| people.into_iter().nth(at)) {
            self.open(peer);
        }
    }
}
