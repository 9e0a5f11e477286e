//! The time that was agreed: at `until` the chat ends and is forgotten (PROTOCOL.md §7).

use std::time::{Duration, Instant};

use crate::chat::stage::Stage;
use crate::chat::{Chat, Env};
use crate::limits::{FORGET_AFTER_UNTIL, WALL_CLOCK_RECHECK};
use crate::wire::chat_record::EndReason;
use crate::wire::request::Terms;

/// When the wall clock is to be looked at again.
#[derive(Debug)]
pub(super) struct Lifetime {
    pub(super) check_at: Option<Instant>,
}

/// How the wall clock stands to `until`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    Before,
    /// The End may be answered until [`FORGET_AFTER_UNTIL`] has passed.
    At,
    Past,
}

impl Lifetime {
    pub(super) fn new(until: u64, now: Instant, unix_now: u64) -> Self {
        let mut lifetime = Self { check_at: None };
        _ = lifetime.look(until, now, unix_now);
        lifetime
    }

    fn look(&mut self, until: u64, now: Instant, unix_now: u64) -> Standing {
        if until == Terms::UNLIMITED.until {
            self.check_at = None;
            return Standing::Before;
        }
        let last = until.saturating_add(FORGET_AFTER_UNTIL.as_secs());
        let (standing, next) = if unix_now < until {
            (Standing::Before, until)
        } else if unix_now < last {
            (Standing::At, last)
        } else {
            (Standing::Past, unix_now)
        };
        let wait = Duration::from_secs(next.saturating_sub(unix_now)).min(WALL_CLOCK_RECHECK);
        self.check_at = Some(now + wait);
        standing
    }
}

impl Chat {
    /// The grant, or what was asked while it is not fixed.
    pub(super) fn terms(&self) -> Terms {
        self.granted.unwrap_or(self.context.request.terms)
    }

    /// Ends the chat when its time has come: with End if it is open, else at once.
    pub(super) fn check_lifetime(&mut self, env: &mut Env<'_>) {
        let until = self.terms().until;
        if matches!(self.stage, Stage::Over) {
            return;
        }
        match self.lifetime.look(until, env.now, env.unix_now) {
            Standing::Before => {}
            Standing::At if matches!(self.stage, Stage::Open(_)) && !self.closing.is_told() => {
                self.end(EndReason::Until, env);
            }
            Standing::At | Standing::Past => self.give_up_end(EndReason::Until),
        }
    }
}
