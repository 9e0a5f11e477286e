//! How long to wait before the next login: doubling, capped, jittered.

use std::time::Duration;

use crate::limits::{FIRST_RETRY, LAST_RETRY};

/// Counts failures in a row.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Backoff {
    failures: u32,
}

impl Backoff {
    /// Forgets the failures.
    pub(super) fn reset(&mut self) {
        self.failures = 0;
    }

    /// The delay after one more failure: between half and the whole of the doubled one, by `random`, so that a
    /// relay that comes back is not asked by everybody at once.
    pub(super) fn next_delay(&mut self, random: u16) -> Duration {
        let whole = FIRST_RETRY.saturating_mul(1 << self.failures.min(16)).min(LAST_RETRY);
        self.failures = self.failures.saturating_add(1);
        let half = whole / 2;
        half.saturating_add(half.mul_f64(f64::from(random) / f64::from(u16::MAX)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_to_the_cap_within_its_jitter_and_starts_anew() {
        let mut low = Backoff::default();
        let mut high = Backoff::default();
        // PROTOCOL.md 3.18.
        let wholes = [1, 2, 4, 8, 16, 32, 60, 60].into_iter().chain([60; 20]);
        for whole in wholes.map(Duration::from_secs) {
            assert_eq!(low.next_delay(0), whole / 2);
            assert_eq!(high.next_delay(u16::MAX), whole);
        }
        low.reset();
        assert_eq!(low.next_delay(0), FIRST_RETRY / 2);
    }
}
