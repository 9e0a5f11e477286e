//! What a person has been shown before, and what they sent away: so that nothing nags, and nothing old makes a sound.

use std::collections::BTreeMap;

use super::board::WantedAll;
use super::subject::{Mark, Subject};

/// The last popup about each subject that is not over.
#[derive(Debug, Default)]
pub(super) struct Memory(BTreeMap<Subject, Known>);

#[derive(Clone, Copy, Debug)]
struct Known {
    mark: Mark,
    is_dismissed: bool,
}

impl Memory {
    /// It is on the screen.
    pub(super) fn shown(&mut self, subject: Subject, mark: Mark) {
        self.0.insert(subject, Known { mark, is_dismissed: false });
    }

    /// A person wants to see no more of it, until there is something new.
    pub(super) fn dismissed(&mut self, subject: Subject, mark: Mark) {
        self.0.insert(subject, Known { mark, is_dismissed: true });
    }

    /// Whether a person wants to see no more of it.
    pub(super) fn is_dismissed(&self, subject: &Subject, mark: Mark) -> bool {
        self.0.get(subject).is_some_and(|known| known.is_dismissed && known.mark == mark)
    }

    /// Whether there is something about it that has not been shown.
    pub(super) fn is_new(&self, subject: &Subject, mark: Mark) -> bool {
        self.0.get(subject).is_none_or(|known| known.mark != mark)
    }

    /// Forgets what is over.
    pub(super) fn forget_unless(&mut self, wanted: &WantedAll) {
        self.0.retain(|subject, _| wanted.contains_key(subject));
    }
}
