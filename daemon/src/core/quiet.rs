//! Do not disturb: whether frontends keep quiet, by a person's word and by hours of the day. Nothing else changes by it:
//! requests and texts arrive and wait, and are answered as ever.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};
use secchat_ipc::types::{DoNotDisturb, QuietChange, QuietHours};
use secchat_ipc::{CommandError, Event, Reply};
use secchat_proto::crypto::entropy::Entropy;

use super::Core;
use super::commands::{Caller, Outcome};
use super::record::{RecordKey, SavedQuiet, Word};

/// What holds, and where its hours are.
#[derive(Debug)]
pub(super) struct Quiet {
    pub(super) saved: SavedQuiet,
    pub(super) zone: TimeZone,
    /// From when and until when what frontends see is true: Unix seconds.
    known: Option<(u64, u64)>,
}

impl Default for Quiet {
    fn default() -> Self {
        Self { saved: SavedQuiet::default(), zone: TimeZone::UTC, known: None }
    }
}

impl<E: Entropy> Core<E> {
    /// The machine is in another time zone, or the rules of its own changed.
    pub(super) fn set_zone(&mut self, zone: TimeZone) {
        self.quiet.zone = zone;
        self.quiet.known = None;
    }

    /// What was on disk.
    pub(super) fn restore_quiet(&mut self, saved: SavedQuiet) {
        self.quiet.saved = saved;
        self.quiet.known = None;
    }

    fn quiet_hours(&self) -> Option<QuietHours> {
        self.quiet.saved.hours.unwrap_or(self.settings.quiet_hours)
    }

    /// How it stands now.
    pub(super) fn do_not_disturb(&self) -> DoNotDisturb {
        let (now, hours) = (self.time.unix, self.quiet_hours());
        let by_hours = |unix| hours.map_or((false, None), |hours| at(hours, &self.quiet.zone, unix));
        let (on, until) = match self.quiet.saved.word {
            Some(Word { on, until: None }) => (on, None),
            Some(Word { on, until: Some(until) }) if now < until => {
                // When the word ends, the hours may say the same.
                let (on_then, next) = by_hours(until);
                (on, if on_then == on { next } else { Some(until) })
            }
            Some(_) | None => by_hours(now),
        };
        DoNotDisturb { on, until, hours }
    }

    pub(super) fn set_do_not_disturb(
        &mut self,
        caller: &Caller,
        change: QuietChange,
    ) -> Result<Outcome, CommandError> {
        let now = self.time.unix;
        let saved = &mut self.quiet.saved;
        match change {
            QuietChange::On { seconds } => {
                let until = (seconds > 0).then(|| now.saturating_add(seconds.into()));
                saved.word = Some(Word { on: true, until });
            }
            QuietChange::Off => {
                // During the hours it is off until they end; the next day's hold again.
                saved.word = None;
                let now = self.do_not_disturb();
                if now.on {
                    self.quiet.saved.word = Some(Word { on: false, until: now.until });
                }
            }
            QuietChange::Hours(Some(hours)) if !hours.is_valid() => {
                let why = "the hours are two different times of the day, such as 22:00-07:00".into();
                return Err(CommandError::Invalid { why });
            }
            QuietChange::Hours(hours) => saved.hours = Some(hours),
            QuietChange::HoursAsConfigured => saved.hours = None,
        }
        self.quiet.known = None;
        self.touch(RecordKey::Quiet);
        Ok(self.wait_for_save(caller))
    }

    pub(super) fn show_do_not_disturb(&self) -> Outcome {
        Outcome::Now(Reply::DoNotDisturb(self.do_not_disturb()))
    }

    /// When it changes by itself.
    pub(super) fn quiet_changes_at(&self) -> u64 {
        self.view.snapshot().do_not_disturb.until.unwrap_or(u64::MAX)
    }

    /// Tells frontends when it changed; looked at again only when it may have.
    pub(super) fn publish_quiet(&mut self) {
        let now = self.time.unix;
        if self.quiet.known.is_some_and(|(from, until)| from <= now && now < until) {
            return;
        }
        let state = self.do_not_disturb();
        self.quiet.known = Some((now, state.until.unwrap_or(u64::MAX)));
        if state != self.view.snapshot().do_not_disturb {
            self.event(Event::DoNotDisturbChanged(state));
        }
    }
}

/// Whether these hours hold at this time, and when that changes next. Where a clock that is put forward skips one of their
/// ends, it is as much later as it is put forward; where one comes twice, the first counts.
fn at(hours: QuietHours, zone: &TimeZone, unix: u64) -> (bool, Option<u64>) {
    let moment = i64::try_from(unix).ok().and_then(|unix| Timestamp::from_second(unix).ok());
    let Some(moment) = moment else { return (false, None) };
    let today = moment.to_zoned_datetime(zone.clone()).date();
    // Two days each way: a zone that changes sides of the date line skips one.
    let days = (-2..=2).filter_map(|days| today.checked_add(Span::new().days(days)).ok());
    let mut turns: Vec<(u64, bool)> = days
        .flat_map(|day| [(hours.from, true), (hours.to, false)].map(|(minute, on)| (day, minute, on)))
        .filter_map(|(day, minute, on)| Some((instant(day, minute, zone)?, on)))
        .collect();
    turns.sort_unstable();
    let on = turns.iter().rev().find(|(at, _)| *at <= unix).is_some_and(|(_, on)| *on);
    let next = turns.iter().find(|(at, starts)| *at > unix && *starts != on).map(|(at, _)| *at);
    (on, next)
}

/// When it is this minute of this day there.
fn instant(day: Date, minute: u16, zone: &TimeZone) -> Option<u64> {
    let (hour, minute) = (i8::try_from(minute / 60).ok()?, i8::try_from(minute % 60).ok()?);
    let zoned = day.at(hour, minute, 0, 0).to_zoned_datetime(zone.clone()).ok()?;
    u64::try_from(zoned.timestamp().as_second()).ok()
}
