//! Notices that the machine slept: then the link may be dead although no timer of it has run out.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// Compares the clock that stands still while the machine sleeps with the one that goes on.
#[derive(Debug)]
pub(crate) struct SleepWatch {
    asleep_so_far: Duration,
}

impl SleepWatch {
    /// Starts to watch.
    pub(crate) fn new() -> Self {
        Self { asleep_so_far: asleep_since_boot() }
    }

    /// For how long the machine slept since the last call, when it was long enough to matter.
    pub(crate) fn slept(&mut self) -> Option<Duration> {
        self.observe(asleep_since_boot())
    }

    fn observe(&mut self, asleep: Duration) -> Option<Duration> {
        let slept = asleep.saturating_sub(self.asleep_so_far);
        if slept < SHORTEST {
            // Short naps add up: only what was told counts as seen.
            return None;
        }
        self.asleep_so_far = asleep;
        Some(slept)
    }
}

fn asleep_since_boot() -> Duration {
    let read = |clock| {
        let time = clock_gettime(clock);
        let nanoseconds = u32::try_from(time.tv_nsec).unwrap_or(0);
        Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), nanoseconds)
    };
    // In this order the time between both reads never counts as sleep.
    let boot = read(ClockId::Boottime);
    boot.saturating_sub(read(ClockId::Monotonic))
}

/// How often to look while there is a link.
pub(crate) const LOOK_EVERY: Duration = Duration::from_secs(15);
/// Sleep that a link may not survive: the relay gives up one that does not answer a Ping for 20 s (PROTOCOL.md §5).
const SHORTEST: Duration = Duration::from_secs(20);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sleep_is_told_once_and_naps_add_up() {
        let at = Duration::from_secs;
        let mut watch = SleepWatch { asleep_so_far: at(100) };
        assert_eq!(watch.observe(at(100)), None);
        assert_eq!(watch.observe(at(110)), None);
        assert_eq!(watch.observe(at(121)), Some(at(21)));
        assert_eq!(watch.observe(at(121)), None);
        assert_eq!(watch.observe(at(4_000)), Some(at(3_879)));
        assert_eq!(watch.observe(at(0)), None, "a clock that goes back is no sleep");
    }

    #[test]
    fn a_machine_that_is_awake_does_not_sleep() {
        assert_eq!(SleepWatch::new().slept(), None);
    }
}
