//! Whether this machine's clock was set while the relay ran: sessions and chats do not depend on it, but the times of
//! requests, of the certificate and of the CRL do. Pure: it is told both clocks.

/// A clock that is looked at now and then.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    /// The wall clock's seconds above those of a clock that nobody sets.
    offset: i128,
}

/// Both clocks, in seconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Look {
    /// The wall clock's, since 1970.
    pub(crate) unix: u64,
    /// Those of the clock that nobody sets, and that counts sleep.
    pub(crate) uptime: u64,
}

impl Clock {
    /// The first look.
    pub(crate) fn new(look: Look) -> Self {
        Self { offset: offset(look) }
    }

    /// By how many seconds the clock has been set ahead (negative: back) since the last look. What is less than a
    /// minute is how clocks are kept right.
    pub(crate) fn note(&mut self, look: Look) -> Option<i64> {
        const JUMP_SECONDS: u128 = 60;
        let before = std::mem::replace(&mut self.offset, offset(look));
        let jump = self.offset.saturating_sub(before);
        let seconds = i64::try_from(jump).unwrap_or(if jump < 0 { i64::MIN } else { i64::MAX });
        (jump.unsigned_abs() >= JUMP_SECONDS).then_some(seconds)
    }
}

impl Look {
    /// Now.
    pub(crate) fn now() -> Self {
        let uptime = rustix::time::clock_gettime(rustix::time::ClockId::Boottime).tv_sec;
        Self { unix: crate::router::moment().unix, uptime: uptime.try_into().unwrap_or(0) }
    }
}

fn offset(Look { unix, uptime }: Look) -> i128 {
    i128::from(unix).saturating_sub(uptime.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_clock_that_was_set_has_jumped_and_that_once() {
        const START: u64 = 1_800_000_000;
        const YEAR: u64 = 365 * 86_400;
        let at = |unix, uptime| Look { unix, uptime };
        let mut clock = Clock::new(at(START, 10));
        assert_eq!(clock.note(at(START + 5, 15)), None);
        // Asleep for a day.
        assert_eq!(clock.note(at(START + 86_400, 86_410)), None);
        // It runs too fast, and is put right little by little.
        for n in 1..100 {
            assert_eq!(clock.note(at(START + 86_400 + 64 * n, 86_410 + 5 * n)), None);
        }
        let mut clock = Clock::new(at(START, 10));
        assert_eq!(clock.note(at(START - 3_595, 15)), Some(-3_600));
        assert_eq!(clock.note(at(START - 3_590, 20)), None);
        assert_eq!(clock.note(at(START + YEAR, 20)), Some(31_539_590));
        for look in [at(0, u64::MAX), at(u64::MAX, 0)] {
            assert!(clock.note(look).is_some(), "no number is too large");
        }
    }
}
