//! Token buckets: so many at once, so many a minute or a second in the long run. Pure: the time is passed in.
//!
//! A bucket is the moment at which it will be full again, so that it has no counter to keep up to date, and a change
//! of the limits takes hold of buckets that exist.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How fast tokens come, and how many can be saved.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    a_token: Duration,
    full: Duration,
}

impl Pace {
    /// `burst` at once, and so many a minute.
    pub(crate) fn per_minute(tokens: u32, burst: u32) -> Self {
        Self::of(Duration::from_secs(60) / tokens.max(1), burst)
    }

    /// `burst` at once, and so many a second.
    pub(crate) fn per_second(tokens: u32, burst: u32) -> Self {
        Self::of(Duration::from_secs(1) / tokens.max(1), burst)
    }

    fn of(a_token: Duration, burst: u32) -> Self {
        // A nanosecond at least: a bucket that is never emptied would bound nothing.
        let a_token = a_token.max(Duration::from_nanos(1));
        Self { a_token, full: a_token.saturating_mul(burst.max(1)) }
    }
}

/// One bucket.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bucket {
    full_at: Instant,
}

impl Bucket {
    /// A full bucket.
    pub(crate) fn full(now: Instant) -> Self {
        Self { full_at: now }
    }

    /// Takes a token, if there is one.
    pub(crate) fn take(&mut self, pace: Pace, now: Instant) -> bool {
        let has_token = self.ready_at(pace, now) <= now;
        if has_token {
            self.full_at = self.full_at.max(now) + pace.a_token;
        }
        has_token
    }

    /// When a token will be there, if none is taken before.
    pub(crate) fn ready_at(&self, pace: Pace, now: Instant) -> Instant {
        let after_it = self.full_at.max(now) + pace.a_token;
        let wait = after_it.saturating_duration_since(now).saturating_sub(pace.full);
        now + wait
    }

    /// How many tokens are missing.
    pub(crate) fn missing(&self, pace: Pace, now: Instant) -> u32 {
        let missing = self.full_at.saturating_duration_since(now).as_nanos();
        u32::try_from(missing.div_ceil(pace.a_token.as_nanos().max(1))).unwrap_or(u32::MAX)
    }

    /// Whether nothing is missing: the bucket need not be remembered.
    fn is_full(&self, now: Instant) -> bool {
        self.full_at <= now
    }
}

/// Buckets by key; a full one takes no memory for long.
#[derive(Debug)]
pub(crate) struct Buckets<K> {
    buckets: BTreeMap<K, Bucket>,
    /// How many there may be before the full ones are forgotten.
    sweep_at: usize,
}

impl<K> Default for Buckets<K> {
    fn default() -> Self {
        Self { buckets: BTreeMap::new(), sweep_at: 0 }
    }
}

impl<K: Clone + Ord> Buckets<K> {
    /// Takes a token of `key`'s, if there is one.
    pub(crate) fn take(&mut self, key: &K, pace: Pace, now: Instant) -> bool {
        const LEAST_SWEPT: usize = 64;
        if self.buckets.len() >= self.sweep_at {
            self.buckets.retain(|_, bucket| !bucket.is_full(now));
            self.sweep_at = self.buckets.len().saturating_mul(2).max(LEAST_SWEPT);
        }
        self.buckets.entry(key.clone()).or_insert_with(|| Bucket::full(now)).take(pace, now)
    }

    /// A key's bucket, unless nothing is remembered of it.
    pub(crate) fn get(&self, key: &K) -> Option<&Bucket> {
        self.buckets.get(key)
    }

    /// Forgets a key.
    pub(crate) fn remove(&mut self, key: &K) {
        self.buckets.remove(key);
    }

    /// Forgets all other keys than these.
    pub(crate) fn retain(&mut self, is_kept: impl Fn(&K) -> bool) {
        self.buckets.retain(|key, _| is_kept(key));
    }

    /// The keys that something is remembered of.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &K> {
        self.buckets.keys()
    }
}

/// A bucket that many tasks draw on.
#[derive(Debug)]
pub(crate) struct SharedBucket {
    start: Instant,
    /// Nanoseconds after the start: enough for five hundred years.
    full_at: AtomicU64,
}

impl SharedBucket {
    /// A full bucket.
    pub(crate) fn full(now: Instant) -> Self {
        Self { start: now, full_at: AtomicU64::new(0) }
    }

    /// Takes a token, if there is one.
    pub(crate) fn take(&self, pace: Pace, now: Instant) -> bool {
        let now = nanoseconds(now.saturating_duration_since(self.start));
        let taken = self.full_at.fetch_update(Ordering::AcqRel, Ordering::Acquire, |full_at| {
            let next = full_at.max(now).saturating_add(nanoseconds(pace.a_token));
            (next.saturating_sub(now) <= nanoseconds(pace.full)).then_some(next)
        });
        taken.is_ok()
    }
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{Bucket, Buckets, Pace, SharedBucket};

    #[test]
    fn gives_a_burst_and_then_the_pace() {
        let pace = Pace::per_minute(60, 3);
        let start = Instant::now();
        let (mut bucket, shared) = (Bucket::full(start), SharedBucket::full(start));
        let mut take = |after: u64| {
            let now = start + Duration::from_millis(after);
            let taken = bucket.take(pace, now);
            assert_eq!(shared.take(pace, now), taken, "both kinds are the same");
            assert!(taken || bucket.ready_at(pace, now) > now);
            taken
        };
        assert_eq!((0..5).filter(|_| take(0)).count(), 3);
        assert!(!take(999));
        assert!(take(1_000));
        assert!(!take(1_900));
        assert!(take(2_000), "parts of a token are kept");
        assert_eq!((0..9).filter(|_| take(3_600_000)).count(), 3);
    }

    #[test]
    fn says_when_the_next_token_comes() {
        let pace = Pace::per_second(10, 2);
        let start = Instant::now();
        let mut bucket = Bucket::full(start);
        assert!(bucket.take(pace, start) && bucket.take(pace, start));
        let ready = bucket.ready_at(pace, start);
        assert_eq!(ready, start + Duration::from_millis(100));
        assert!(!bucket.take(pace, ready - Duration::from_millis(1)) && bucket.take(pace, ready));
    }

    #[test]
    fn full_buckets_are_forgotten() {
        let pace = Pace::per_second(1, 1);
        let mut now = Instant::now();
        let mut buckets = Buckets::default();
        for key in 0..10_000 {
            assert!(buckets.take(&key, pace, now));
            assert!(!buckets.take(&key, pace, now), "one is empty, the others are not");
            now += Duration::from_millis(100);
        }
        assert!(buckets.keys().count() <= 64, "{}", buckets.keys().count());
    }
}
