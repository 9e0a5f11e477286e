//! Both clocks, read in one place.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::core::io::Time;

/// Both clocks now.
pub(crate) fn now() -> Time {
    Time { now: Instant::now(), unix: unix_now() }
}

/// Unix seconds; 0 for a clock before 1970.
pub(crate) fn unix_now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
