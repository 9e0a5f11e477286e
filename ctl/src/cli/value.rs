//! Values on the command line that are more than a word: their types and parsers.

use std::time::Duration;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Span, SpanRelativeTo, Timestamp};
use secchat_ipc::UserName;
use secchat_ipc::types::{Keep, Policy, QueuedTexts, QuietHours};

/// For how long texts may be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct History(pub(crate) Option<u16>);

/// What `history --keep` may be given: `None` is the default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Keeping(pub(crate) Option<Keep>);

/// What `policy` may be given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PolicyWord(pub(crate) Option<Policy>);

/// What `dnd --between` may be given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HoursWord {
    /// These.
    Hours(QuietHours),
    /// None.
    None,
    /// Those of the configuration.
    Default,
}

/// Reads `22:00-07:00`, `none` or `default`.
pub(super) fn hours_word(text: &str) -> Result<HoursWord, String> {
    match text {
        "none" => Ok(HoursWord::None),
        "default" => Ok(HoursWord::Default),
        hours => hours.parse().map(HoursWord::Hours).map_err(|why| format!("{why}; or none, or default")),
    }
}

/// Reads `90s`, `1h 30m`, `2d`, or seconds.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let bad = || format!("{text:?} is no duration: write 90s, 5m, 8h, 2d, or seconds");
    let duration = if let Ok(seconds) = text.parse::<u64>() {
        Duration::from_secs(seconds)
    } else {
        let span: Span = text.parse().map_err(|_| bad())?;
        let days_of_24_hours = span.to_duration(SpanRelativeTo::days_are_24_hours()).map_err(|_| bad())?;
        Duration::try_from(days_of_24_hours).map_err(|_| bad())?
    };
    if duration.is_zero() { Err(bad()) } else { Ok(duration) }
}

/// Reads `ask`, `accept`, `refuse`, `refuse-quietly` or `default`.
pub(crate) fn policy_word(text: &str) -> Result<PolicyWord, String> {
    match text {
        "ask" => Ok(PolicyWord(Some(Policy::Ask))),
        "accept" => Ok(PolicyWord(Some(Policy::Accept))),
        "refuse" => Ok(PolicyWord(Some(Policy::Refuse))),
        "refuse-quietly" => Ok(PolicyWord(Some(Policy::RefuseQuietly))),
        "default" => Ok(PolicyWord(None)),
        _ => Err("it is ask, accept, refuse, refuse-quietly or default".to_owned()),
    }
}

/// Reads the number of a text in the outbox, or the name of who texts are for.
pub(super) fn queued_texts(text: &str) -> Result<QueuedTexts, String> {
    match text.parse() {
        Ok(id) if text.bytes().all(|byte| byte.is_ascii_digit()) => Ok(QueuedTexts::One(id)),
        Ok(_) | Err(_) => UserName::parse(text).map(QueuedTexts::To).map_err(|error| error.to_string()),
    }
}

pub(super) fn history(text: &str) -> Result<History, String> {
    match text {
        "none" => Ok(History(Some(0))),
        "all" => Ok(History(None)),
        days => match days.parse() {
            // All ones means "all" on the wire.
            Ok(days) if days != u16::MAX => Ok(History(Some(days))),
            _ => Err("it is none, all, or a number of days up to 65534".to_owned()),
        },
    }
}

/// Reads what [`history`] reads, or `default`.
pub(super) fn keeping(text: &str) -> Result<Keeping, String> {
    if text == "default" {
        return Ok(Keeping(None));
    }
    let History(days) = history(text).map_err(|why| format!("{why}; or default"))?;
    Ok(Keeping(Some(days.map_or(Keep::All, Keep::Days))))
}

/// Reads a date, the time of RFC 3339, or a duration before now: Unix seconds.
pub(super) fn when(text: &str) -> Result<u64, String> {
    let date = || {
        let midnight = text.parse::<Date>().ok()?.at(0, 0, 0, 0);
        midnight.to_zoned_datetime(TimeZone::system()).ok().map(|zoned| zoned.timestamp())
    };
    let moment = text.parse::<Timestamp>().ok().or_else(date);
    let moment = moment.map(|moment| u64::try_from(moment.as_second()).unwrap_or(0));
    let ago = || Some(secchat_ipc::time::now().saturating_sub(duration(text).ok()?.as_secs()));
    moment.or_else(ago).ok_or_else(|| format!("{text:?} is no date (2026-11-30) and no duration ago (7d)"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read() {
        for (text, seconds) in [("90", 90), ("90s", 90), ("5m", 300), ("1h 30m", 5_400), ("8h", 28_800)] {
            assert_eq!(duration(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        assert_eq!(duration("2d"), Ok(Duration::from_secs(172_800)));
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        for text in ["", "0", "0s", "-5s", "soon", "5 lightyears", "1mo", "99999999999999999999"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn hours_are_read() {
        let hours = |from, to| Ok(HoursWord::Hours(QuietHours { from, to }));
        assert_eq!(hours_word("22:00-07:00"), hours(1_320, 420));
        assert_eq!(hours_word("00:00-23:59"), hours(0, 1_439));
        assert_eq!(
            (hours_word("none"), hours_word("default")),
            (Ok(HoursWord::None), Ok(HoursWord::Default))
        );
        for text in
            ["", "22-7", "22:00", "7:00-8:00", "24:00-07:00", "22:60-07:00", "07:00-07:00", "+1:00-02:00"]
        {
            assert!(hours_word(text).is_err(), "{text}");
        }
        let shown = QuietHours { from: 1_320, to: 425 }.to_string();
        assert_eq!(shown, "22:00-07:05");
    }

    #[test]
    fn a_number_is_a_text_and_anything_else_a_user() {
        assert_eq!(queued_texts("17"), Ok(QueuedTexts::One(17)));
        for name in ["bob", "17a", "99999999999999999999"] {
            assert_eq!(queued_texts(name), Ok(QueuedTexts::To(UserName::parse(name).unwrap())));
        }
        for text in ["", "+17", "-1", "No"] {
            assert!(queued_texts(text).is_err(), "{text}");
        }
    }

    #[test]
    fn keeping_is_read() {
        assert_eq!(keeping("none"), Ok(Keeping(Some(Keep::Days(0)))));
        assert_eq!(keeping("7"), Ok(Keeping(Some(Keep::Days(7)))));
        assert_eq!(keeping("all"), Ok(Keeping(Some(Keep::All))));
        assert_eq!(keeping("default"), Ok(Keeping(None)));
        assert!(keeping("7d").is_err());
    }

    #[test]
    fn a_time_is_a_date_or_ago() {
        assert_eq!(when("2026-11-30T00:00:00Z"), Ok(1_795_996_800));
        let days = when("2026-12-01").unwrap() - when("2026-11-30").unwrap();
        assert_eq!(days, 86_400);
        assert!(when("7d").unwrap() <= secchat_ipc::time::now() - 7 * 86_400);
        for text in ["", "soon", "2026-13-01", "-1"] {
            assert!(when(text).is_err(), "{text}");
        }
    }

    #[test]
    fn history_is_read() {
        assert_eq!(history("none"), Ok(History(Some(0))));
        assert_eq!(history("all"), Ok(History(None)));
        assert_eq!(history("30"), Ok(History(Some(30))));
        for text in ["", "-1", "65535", "forever"] {
            assert!(history(text).is_err(), "{text}");
        }
    }
}
