//! Waits between attempts: each twice as long as the one before, up to a last one.

use std::time::Duration;

/// How long to wait after each failure.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Backoff {
    next: Duration,
    last: Duration,
}

impl Backoff {
    /// Nothing has failed yet.
    pub(crate) fn new((first, last): (Duration, Duration)) -> Self {
        Self { next: first, last }
    }

    /// Whether the waits grow no longer.
    pub(crate) fn is_at_its_last(&self) -> bool {
        self.next == self.last
    }

    /// The wait after one more failure.
    pub(crate) fn next_wait(&mut self) -> Duration {
        let wait = self.next;
        self.next = (wait * 2).min(self.last);
        wait
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_last() {
        let mut backoff = Backoff::new((Duration::from_secs(1), Duration::from_secs(5)));
        let waits: Vec<_> = (0..5).map(|_| backoff.next_wait().as_secs()).collect();
        assert_eq!(waits, [1, 2, 4, 5, 5]);
    }
}
