//! Which connections are let in (PROTOCOL.md §3): so many of one address, so many a second of it, so many logins in
//! flight, in all and of one address. When these are full, the oldest that has not sent S2 gives way: silence must not
//! keep anybody out.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::time::Instant;

use tokio::task::AbortHandle;

use crate::bucket::{Buckets, Pace};
use crate::limits::Limits;
use crate::switchboard::SessionId;

/// How far a login has come; shared by the connection, which moves it on, and the book below.
#[derive(Clone, Debug)]
pub(crate) struct Slot(Arc<Login>);

#[derive(Debug)]
struct Login {
    stage: AtomicU8,
    /// Where it counts until its slot is free: among its address's logins, and among all.
    counts: [Arc<AtomicUsize>; 2],
}

impl Slot {
    /// A login that has sent nothing.
    pub(crate) fn new(counts: [Arc<AtomicUsize>; 2]) -> Self {
        for count in &counts {
            count.fetch_add(1, Ordering::AcqRel);
        }
        Self(Arc::new(Login { stage: AtomicU8::new(WAITING), counts }))
    }

    /// Notes that S2 has come; false if the login has just had to give way.
    pub(crate) fn note_s2(&self) -> bool {
        self.move_on(WAITING, PROVING)
    }

    /// Frees the slot: the login has ended, well or not.
    pub(crate) fn free(&self) {
        if self.0.stage.swap(FREE, Ordering::AcqRel) != FREE {
            self.discount();
        }
    }

    fn is_free(&self) -> bool {
        self.0.stage.load(Ordering::Acquire) == FREE
    }

    fn give_way(&self) -> bool {
        let gives_way = self.move_on(WAITING, FREE);
        if gives_way {
            self.discount();
        }
        gives_way
    }

    fn discount(&self) {
        for count in &self.0.counts {
            count.fetch_sub(1, Ordering::AcqRel);
        }
    }

    fn move_on(&self, from: u8, to: u8) -> bool {
        self.0.stage.compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }
}

impl Drop for SlotGuard {
    fn drop(&mut self) {
        self.0.free();
    }
}

/// Frees its slot when dropped, however the login ends.
#[derive(Debug)]
pub(crate) struct SlotGuard(pub(crate) Slot);

/// Whom an address belongs to: an IPv6 host owns its whole /64.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Origin(IpAddr);

/// Why a connection is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Full {
    /// Its address has all the connections that it may have.
    Connections,
    /// Its address comes too often.
    Rate,
    /// Logins are in flight from its address, or in all, and none can give way.
    Logins,
}

impl Full {
    /// The limit, by its name in the configuration.
    pub(crate) fn limit(self) -> &'static str {
        match self {
            Self::Connections => "connections_per_address",
            Self::Rate => "logins_per_second_per_address",
            Self::Logins => "logins",
        }
    }
}

/// Who is connected, and the logins in flight, oldest first. What comes to it comes from strangers, thousands a second:
/// it counts, and looks through the logins only when one has to give way.
#[derive(Debug, Default)]
pub(crate) struct Admission {
    /// Some may have ended.
    logins: BTreeMap<SessionId, InFlight>,
    in_flight: Arc<AtomicUsize>,
    connected: BTreeMap<Origin, Connected>,
    rates: Buckets<Origin>,
}

/// What there is of one address.
#[derive(Debug, Default)]
struct Connected {
    connections: usize,
    logins: Arc<AtomicUsize>,
}

#[derive(Debug)]
struct InFlight {
    origin: Origin,
    slot: Slot,
    task: Option<AbortHandle>,
}

impl Admission {
    /// Makes room for a login from `origin`, at the cost of an older one if there must be.
    ///
    /// # Errors
    /// [`Full`].
    pub(crate) fn make_room(&mut self, origin: Origin, limits: &Limits, now: Instant) -> Result<(), Full> {
        let (connections, logins) = self
            .connected
            .get(&origin)
            .map_or((0, 0), |there| (there.connections, there.logins.load(Ordering::Acquire)));
        if connections >= limits.connections_per_address {
            return Err(Full::Connections);
        }
        let pace = Pace::per_second(limits.logins_per_second_per_address, limits.login_burst_per_address);
        if !self.rates.take(&origin, pace, now) {
            return Err(Full::Rate);
        }
        let has_room = logins < limits.logins_per_address || self.evict(|login| login.origin == origin);
        let has_room = has_room && (self.in_flight() < limits.logins || self.evict(|_| true));
        if has_room { Ok(()) } else { Err(Full::Logins) }
    }

    /// How many are in flight.
    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Acquire)
    }

    /// Enters a connection, which begins with a login.
    pub(crate) fn enter(&mut self, id: SessionId, origin: Origin) -> Slot {
        let there = self.connected.entry(origin).or_default();
        there.connections = there.connections.saturating_add(1);
        let slot = Slot::new([Arc::clone(&there.logins), Arc::clone(&self.in_flight)]);
        // Each look through them pays for as many that came since the last.
        if self.logins.len() > self.in_flight().saturating_mul(2).max(FEW) {
            self.logins.retain(|_, login| !login.slot.is_free());
        }
        self.logins.insert(id, InFlight { origin, slot: slot.clone(), task: None });
        slot
    }

    /// The task of a connection, which ends when its login has to give way.
    pub(crate) fn note_task(&mut self, id: SessionId, task: AbortHandle) {
        if let Some(login) = self.logins.get_mut(&id) {
            login.task = Some(task);
        }
    }

    /// A connection has ended.
    pub(crate) fn leave(&mut self, origin: Origin) {
        if let Some(there) = self.connected.get_mut(&origin) {
            there.connections = there.connections.saturating_sub(1);
            if there.connections == 0 {
                self.connected.remove(&origin);
            }
        }
    }

    /// Ends the oldest of these that has not sent S2.
    fn evict(&mut self, among: impl Fn(&InFlight) -> bool) -> bool {
        while let Some(oldest) = self.logins.first_entry().filter(|oldest| oldest.get().slot.is_free()) {
            oldest.remove();
        }
        let oldest = self.logins.iter().find(|(_, login)| among(login) && login.slot.give_way());
        let Some(id) = oldest.map(|(id, _)| *id) else { return false };
        if let Some(task) = self.logins.remove(&id).and_then(|login| login.task) {
            task.abort();
        }
        true
    }
}

impl From<IpAddr> for Origin {
    fn from(address: IpAddr) -> Self {
        const HOST_BITS: u32 = 64;
        Self(match address.to_canonical() {
            IpAddr::V4(address) => address.into(),
            IpAddr::V6(address) => {
                std::net::Ipv6Addr::from_bits(address.to_bits() >> HOST_BITS << HOST_BITS).into()
            }
        })
    }
}

const WAITING: u8 = 0;
const PROVING: u8 = 1;
const FREE: u8 = 2;
/// Logins that may be looked through at any time.
const FEW: usize = 64;

#[cfg(test)]
mod tests {
    use std::net::IpAddr;
    use std::time::{Duration, Instant};

    use super::{Admission, Full, Origin, Slot};
    use crate::limits::Limits;
    use crate::switchboard::SessionId;

    fn limits(logins: usize, logins_per_address: usize) -> Limits {
        Limits { logins, logins_per_address, ..Limits::default() }
    }

    fn origin(address: &str) -> Origin {
        address.parse::<IpAddr>().unwrap().into()
    }

    fn enter(admission: &mut Admission, id: u64, address: &str, limits: &Limits) -> Result<Slot, Full> {
        enter_at(admission, (id, Instant::now()), address, limits)
    }

    fn enter_at(
        admission: &mut Admission,
        (id, now): (u64, Instant),
        address: &str,
        limits: &Limits,
    ) -> Result<Slot, Full> {
        admission.make_room(origin(address), limits, now)?;
        Ok(admission.enter(SessionId(id), origin(address)))
    }

    #[test]
    fn the_oldest_without_s2_gives_way() {
        let limits = limits(2, 2);
        let mut admission = Admission::default();
        let first = enter(&mut admission, 1, "192.0.2.1", &limits).unwrap();
        assert!(first.note_s2());
        let second = enter(&mut admission, 2, "192.0.2.2", &limits).unwrap();
        let third = enter(&mut admission, 3, "192.0.2.3", &limits).unwrap();
        assert!(!second.note_s2(), "it gave way");
        assert!(third.note_s2());
        let full = enter(&mut admission, 4, "192.0.2.4", &limits);
        assert_eq!(full.err(), Some(Full::Logins), "all are proving");
        first.free();
        assert!(enter(&mut admission, 5, "192.0.2.4", &limits).is_ok(), "a slot is free at once");
    }

    #[test]
    fn one_address_only_takes_from_itself() {
        let limits = limits(10, 2);
        let mut admission = Admission::default();
        let other = enter(&mut admission, 1, "192.0.2.9", &limits).unwrap();
        let first = enter(&mut admission, 2, "2001:db8::1", &limits).unwrap();
        let second = enter(&mut admission, 3, "2001:db8::2", &limits).unwrap();
        let third = enter(&mut admission, 4, "2001:db8::3", &limits).unwrap();
        assert!(!first.note_s2(), "the same /64: the oldest gave way");
        assert!(second.note_s2() && third.note_s2() && other.note_s2());
        assert!(enter(&mut admission, 5, "2001:db8::4", &limits).is_err());
        assert!(enter(&mut admission, 6, "2001:db8:0:1::4", &limits).is_ok());
        assert!(enter(&mut admission, 7, "::ffff:192.0.2.9", &limits).is_ok());
    }

    #[test]
    fn what_has_ended_is_not_kept() {
        let limits = Limits { login_burst_per_address: 1_000, ..limits(2, 2) };
        let mut admission = Admission::default();
        for id in 0..1_000 {
            enter(&mut admission, id, "192.0.2.1", &limits).unwrap().free();
            admission.leave(origin("192.0.2.1"));
        }
        assert_eq!(admission.in_flight(), 0);
        assert!(admission.logins.len() <= super::FEW + 1, "{}", admission.logins.len());
    }

    #[test]
    fn connections_of_one_address_are_bounded_until_they_end() {
        let limits = Limits { connections_per_address: 2, ..Limits::default() };
        let mut admission = Admission::default();
        for id in 1..=2 {
            enter(&mut admission, id, "2001:db8::1", &limits).unwrap().free();
        }
        let more = enter(&mut admission, 3, "2001:db8::2", &limits);
        assert_eq!(more.err(), Some(Full::Connections), "logged in or not");
        assert!(enter(&mut admission, 4, "192.0.2.2", &limits).is_ok());
        admission.leave(origin("2001:db8::9"));
        assert!(enter(&mut admission, 5, "2001:db8::2", &limits).is_ok());
        for address in ["2001:db8::2", "2001:db8::2", "192.0.2.2"] {
            admission.leave(origin(address));
        }
        assert!(admission.connected.is_empty(), "nobody is remembered who has gone");
    }

    #[test]
    fn one_address_comes_at_its_pace() {
        let limits =
            Limits { logins_per_second_per_address: 2, login_burst_per_address: 3, ..Limits::default() };
        let mut admission = Admission::default();
        let start = Instant::now();
        let mut come = |id, address, after| {
            let now = start + Duration::from_millis(after);
            enter_at(&mut admission, (id, now), address, &limits).err()
        };
        assert_eq!([1, 2, 3].map(|id| come(id, "2001:db8::1", 0)), [None; 3]);
        assert_eq!(come(4, "2001:db8::2", 400), Some(Full::Rate), "the same /64");
        assert_eq!(come(5, "2001:db8:1::2", 400), None, "another one");
        assert_eq!(come(6, "2001:db8::3", 500), None);
        assert_eq!(come(7, "2001:db8::3", 999), Some(Full::Rate));
    }
}
