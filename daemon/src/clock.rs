//! Both clocks, read in one place.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::core::io::Time;

/// Both clocks now.
pub(crate) fn now() -> Time {
    Time { now: Instant::now(), unix: unix_now() }
}

/// The wall clock in millionths of a second since 1970; 0 for a clock before that.
pub(crate) fn unix_micros() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

/// Unix seconds; 0 for a clock before 1970.
pub(crate) fn unix_now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
