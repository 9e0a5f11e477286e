//! Points in time for programs (RFC 3339, UTC) and for people (the local day and hour, and how far away).

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// Now, in Unix seconds.
#[must_use]
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs()
}

/// RFC 3339 in UTC.
#[must_use]
pub fn rfc3339(unix: u64) -> String {
    timestamp(unix).to_string()
}

/// The local day and hour.
#[must_use]
pub fn local(unix: u64) -> String {
    timestamp(unix).to_zoned_datetime(TimeZone::system()).strftime("%Y-%m-%d %H:%M").to_string()
}

/// How far away: `in 5 min`, `2 h ago`.
#[must_use]
pub fn relative(unix: u64, now: u64) -> String {
    let distance = rough(unix.abs_diff(now));
    if unix > now { format!("in {distance}") } else { format!("{distance} ago") }
}

/// A length of time in its largest unit.
#[must_use]
pub fn rough(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}

fn timestamp(unix: u64) -> Timestamp {
    // A time that no calendar holds can only be a peer's invention; the last one stands for it.
    i64::try_from(unix).ok().and_then(|s| Timestamp::from_second(s).ok()).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_get_utc() {
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00Z");
        assert_eq!(rfc3339(1_795_000_000), "2026-11-18T11:06:40Z");
        assert!(rfc3339(u64::MAX).starts_with("9999-12-3"));
    }

    #[test]
    fn people_get_distances() {
        assert_eq!(relative(100, 100), "0 s ago");
        assert_eq!(relative(400, 100), "in 5 min");
        assert_eq!(relative(100, 100 + 3 * 3_600), "3 h ago");
        assert_eq!(relative(u64::MAX, 0), format!("in {} days", u64::MAX / 86_400));
    }
}
