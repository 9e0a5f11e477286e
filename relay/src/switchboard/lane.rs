//! A bounded way from the switchboard to a link: how many messages and bytes have entered it and not left yet.
//!
//! The switchboard admits, whoever writes to the link drops the [`Ticket`] when the bytes are gone; so the account
//! is right however a message ends. The counters are atomic because the two live in different tasks; only the
//! switchboard adds, so that a check before an addition is enough.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// A bounded way; clones are the same way.
#[derive(Clone, Debug)]
pub struct Lane(Arc<Account>);

/// One message's place on a lane. Dropping it frees the place.
#[derive(Debug)]
pub struct Ticket {
    lane: Lane,
    bytes: usize,
}

#[derive(Debug)]
struct Account {
    bound: Bound,
    messages: AtomicUsize,
    bytes: AtomicUsize,
    void: AtomicBool,
    /// A wider lane that this one is a part of.
    within: Option<Lane>,
}

/// What may be on a lane at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bound {
    /// Messages.
    pub messages: usize,
    /// Their bytes.
    pub bytes: usize,
}

impl Lane {
    /// A lane with a bound of its own.
    #[must_use]
    pub fn new(bound: Bound) -> Self {
        Self::with(bound, None)
    }

    /// A lane with a bound of its own, all of which also counts in `wider`.
    #[must_use]
    pub fn within(bound: Bound, wider: &Self) -> Self {
        Self::with(bound, Some(wider.clone()))
    }

    fn with(bound: Bound, within: Option<Self>) -> Self {
        Self(Arc::new(Account {
            bound,
            messages: AtomicUsize::new(0),
            bytes: AtomicUsize::new(0),
            void: AtomicBool::new(false),
            within,
        }))
    }

    /// Lets a message of `bytes` in, if it fits here and in the wider lanes.
    #[must_use]
    pub fn admit(&self, bytes: usize) -> Option<Ticket> {
        if !self.fits(bytes) {
            return None;
        }
        self.add(bytes);
        Some(Ticket { lane: self.clone(), bytes })
    }

    /// Throws away what is on the lane: its messages must not be written any more.
    pub fn make_void(&self) {
        self.0.void.store(true, Ordering::Release);
    }

    /// What is on the lane now.
    #[must_use]
    pub fn load(&self) -> Bound {
        Bound {
            messages: self.0.messages.load(Ordering::Acquire),
            bytes: self.0.bytes.load(Ordering::Acquire),
        }
    }

    fn fits(&self, bytes: usize) -> bool {
        let load = self.load();
        load.messages < self.0.bound.messages
            && load.bytes.saturating_add(bytes) <= self.0.bound.bytes
            && self.0.within.as_ref().is_none_or(|wider| wider.fits(bytes))
    }

    fn add(&self, bytes: usize) {
        self.0.messages.fetch_add(1, Ordering::AcqRel);
        self.0.bytes.fetch_add(bytes, Ordering::AcqRel);
        if let Some(wider) = &self.0.within {
            wider.add(bytes);
        }
    }

    fn remove(&self, bytes: usize) {
        self.0.messages.fetch_sub(1, Ordering::AcqRel);
        self.0.bytes.fetch_sub(bytes, Ordering::AcqRel);
        if let Some(wider) = &self.0.within {
            wider.remove(bytes);
        }
    }
}

impl Ticket {
    /// Whether the message was thrown away and must not be written.
    #[must_use]
    pub fn is_void(&self) -> bool {
        self.lane.0.void.load(Ordering::Acquire)
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.lane.remove(self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::{Bound, Lane};

    #[test]
    fn counts_messages_and_bytes_until_the_tickets_are_dropped() {
        let lane = Lane::new(Bound { messages: 2, bytes: 100 });
        let first = lane.admit(60).unwrap();
        assert!(lane.admit(41).is_none(), "bytes are bounded");
        let second = lane.admit(40).unwrap();
        assert!(lane.admit(0).is_none(), "messages are bounded");
        drop(first);
        assert_eq!(lane.load(), Bound { messages: 1, bytes: 40 });
        drop(second);
        assert_eq!(lane.load(), Bound { messages: 0, bytes: 0 });
        assert!(lane.admit(100).is_some());
    }

    #[test]
    fn a_part_counts_in_the_whole() {
        let whole = Lane::new(Bound { messages: 10, bytes: 100 });
        let part = Lane::within(Bound { messages: 10, bytes: 90 }, &whole);
        let other = Lane::within(Bound { messages: 10, bytes: 90 }, &whole);
        let ticket = part.admit(80).unwrap();
        assert!(other.admit(30).is_none(), "the whole is full though the part is not");
        assert_eq!(other.load(), Bound { messages: 0, bytes: 0 });
        drop(ticket);
        assert_eq!(whole.load(), Bound { messages: 0, bytes: 0 });
    }

    #[test]
    fn void_is_seen_by_tickets_given_before() {
        let lane = Lane::new(Bound { messages: 2, bytes: 100 });
        let ticket = lane.admit(1).unwrap();
        assert!(!ticket.is_void());
        lane.make_void();
        assert!(ticket.is_void());
    }
}
