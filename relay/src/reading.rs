//! What bounds a link's reader in time: how fast its messages are taken, how long it may be silent, how long a frame
//! may take. It knows no socket; whoever reads asks it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use secchat_proto::wire::link::LinkMessage;

use crate::bucket::{Bucket, Pace};
use crate::limits::Limits;

/// How fast one link's messages are taken. What comes faster waits in the socket, and TCP holds the client back: it
/// costs nobody else anything.
#[derive(Debug)]
pub(crate) struct ReadingPace {
    control: (Bucket, Pace),
    all: (Bucket, Pace),
    /// Records for no pair, since the last message: the router counts them.
    strays: Arc<AtomicU32>,
}

impl ReadingPace {
    pub(crate) fn new(limits: &Limits, strays: Arc<AtomicU32>) -> Self {
        let full = Bucket::full(Instant::now());
        let (all, burst) = (limits.messages_per_second, limits.messages_per_second);
        Self {
            control: (full, Pace::per_second(limits.control_per_second, limits.control_burst)),
            all: (full, Pace::per_second(all, burst)),
            strays,
        }
    }

    /// Waits until a message may be taken; whether it had to.
    pub(crate) async fn admit(&mut self, message: &LinkMessage, now: Instant) -> bool {
        let ready = self.ready_at(message, now);
        let has_to_wait = ready > now;
        if has_to_wait {
            tokio::time::sleep_until(ready.into()).await;
        }
        has_to_wait
    }

    /// When a message may be taken; it counts as taken then.
    fn ready_at(&mut self, message: &LinkMessage, now: Instant) -> Instant {
        let mut ready = take(&mut self.all, now);
        // What is forwarded to nobody is the link's own business, which is known only afterwards.
        let strays = self.strays.swap(0, Ordering::Relaxed);
        let own = strays.saturating_add((!is_forwarded(message)).into());
        for _ in 0..own {
            ready = take(&mut self.control, ready);
        }
        ready
    }
}

/// When there is a token, which is taken then.
fn take((bucket, pace): &mut (Bucket, Pace), now: Instant) -> Instant {
    let ready = bucket.ready_at(*pace, now);
    bucket.take(*pace, ready);
    ready
}

/// Whether a message is for a peer; the peer's queue bounds these.
pub(crate) fn is_forwarded(message: &LinkMessage) -> bool {
    matches!(
        message,
        LinkMessage::KeyEstablishment { .. } | LinkMessage::Chat { .. } | LinkMessage::ReturnToLobby { .. }
    )
}

/// How long a link has been silent, whether it was asked for a sign of life (any record is one), and since when a
/// frame is under way.
#[derive(Debug)]
pub(crate) struct Silence {
    heard: Instant,
    pinged: Option<Instant>,
    frame_begun: Option<Instant>,
    ping_after: Duration,
    pong_timeout: Duration,
    frame_timeout: Duration,
}

/// What is to be done about a link that is silent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    /// Nothing yet.
    Nothing,
    /// A Ping.
    Ping,
    /// It ends: no answer to the Ping.
    Dead,
    /// It ends: its frame took too long.
    HalfFrame,
}

impl Silence {
    pub(crate) fn new(limits: &Limits, now: Instant) -> Self {
        Self {
            heard: now,
            pinged: None,
            frame_begun: None,
            ping_after: limits.ping_after(),
            pong_timeout: limits.pong_timeout(),
            frame_timeout: limits.frame_timeout(),
        }
    }

    /// A whole record has come.
    pub(crate) fn note_record(&mut self, now: Instant) {
        self.heard = now;
        self.pinged = None;
        self.frame_begun = None;
    }

    /// All whole frames have been taken; whether another one has begun.
    pub(crate) fn note_frame(&mut self, is_mid_frame: bool, now: Instant) {
        self.frame_begun = if is_mid_frame { self.frame_begun.or(Some(now)) } else { None };
    }

    /// When to ask again what is due.
    pub(crate) fn next_check(&self) -> Instant {
        let silent = self.pinged.map_or(self.heard + self.ping_after, |pinged| pinged + self.pong_timeout);
        self.frame_begun.map_or(silent, |begun| silent.min(begun + self.frame_timeout))
    }

    /// What is due; a Ping counts as sent.
    pub(crate) fn check(&mut self, now: Instant) -> Due {
        if self.frame_begun.is_some_and(|begun| now >= begun + self.frame_timeout) {
            return Due::HalfFrame;
        }
        match self.pinged {
            Some(pinged) if now >= pinged + self.pong_timeout => Due::Dead,
            None if now >= self.heard + self.ping_after => {
                self.pinged = Some(now);
                Due::Ping
            }
            Some(_) | None => Due::Nothing,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::{Duration, Instant};

    use secchat_proto::wire::link::{ChatId, LinkMessage};

    use super::{Due, ReadingPace, Silence};
    use crate::limits::Limits;

    #[test]
    fn what_is_forwarded_is_held_back_by_the_wider_bound_only() {
        let limits = Limits {
            control_per_second: 10,
            control_burst: 2,
            messages_per_second: 1_000,
            ..Limits::default()
        };
        let mut pace = ReadingPace::new(&limits, Arc::default());
        let now = Instant::now();
        let wait = |pace: &mut ReadingPace, message: &LinkMessage| pace.ready_at(message, now) - now;
        let ping = LinkMessage::Ping([0; 8]);
        let chat = LinkMessage::Chat { chat_id: ChatId::from_bytes([1; 16]).unwrap(), record: vec![] };
        assert_eq!([(); 4].map(|()| wait(&mut pace, &ping).as_millis()), [0, 0, 100, 200]);
        assert_eq!((0..996).map(|_| wait(&mut pace, &chat)).max(), Some(Duration::ZERO));
        assert_eq!(wait(&mut pace, &chat), Duration::from_millis(1));
    }

    #[test]
    fn a_frame_has_its_time_whatever_comes_of_it() {
        let limits = Limits { frame_timeout_ms: 50, ping_after_ms: 100, ..Limits::default() };
        let start = Instant::now();
        let after = |ms| start + Duration::from_millis(ms);
        let mut silence = Silence::new(&limits, start);
        assert_eq!(silence.next_check(), after(100));
        silence.note_frame(true, after(10));
        silence.note_frame(true, after(40));
        assert_eq!((silence.next_check(), silence.check(after(59))), (after(60), Due::Nothing));
        assert_eq!(silence.check(after(60)), Due::HalfFrame);
        silence.note_record(after(60));
        silence.note_frame(true, after(60));
        assert_eq!(silence.check(after(109)), Due::Nothing, "another frame has a time of its own");
        silence.note_frame(false, after(109));
        assert_eq!(silence.check(after(160)), Due::Ping);
        assert_eq!(silence.next_check(), after(160) + limits.pong_timeout());
        assert_eq!(silence.check(silence.next_check()), Due::Dead);
    }
}
