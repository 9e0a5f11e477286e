//! The frontends that are attached: what each has asked, and who gets events.
//!
//! Never waits for one: who does not read is cut off, and comes back to a fresh snapshot.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use secchat_ipc::codec::{self, CodecError, MAX_SERVER_MESSAGE_BYTES};
use secchat_ipc::reply::ServerMessage;
use secchat_ipc::{CommandError, Event, Reply, Snapshot};
use tokio::sync::{mpsc, oneshot};
use zeroize::Zeroizing;

use crate::core::io::{Frontend, RequestKey};

/// An encoded message, shared by all that get it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Frame {
    pub(crate) bytes: Arc<Zeroizing<Vec<u8>>>,
    /// Whether it answers a request, so that another may come.
    pub(crate) is_answer: bool,
}

/// All attached frontends.
#[derive(Debug, Default)]
pub(super) struct Frontends(BTreeMap<u64, Attached>);

#[derive(Debug)]
struct Attached {
    who: Frontend,
    outbox: mpsc::Sender<Frame>,
    /// Taken when used.
    cut_off: Option<oneshot::Sender<&'static str>>,
    unanswered: BTreeSet<u64>,
    is_subscribed: bool,
}

impl Attached {
    fn send(&mut self, frame: Frame) {
        match self.outbox.try_send(frame) {
            Ok(()) | Err(mpsc::error::TrySendError::Closed(_)) => {}
            Err(mpsc::error::TrySendError::Full(_)) => self.cut_off("it does not read what it asked for"),
        }
    }

    fn cut_off(&mut self, why: &'static str) {
        self.is_subscribed = false;
        if let Some(cut_off) = self.cut_off.take() {
            // Gone already: as wanted.
            let _ = cut_off.send(why);
        }
    }
}

impl Frontends {
    pub(super) fn attach(
        &mut self,
        who: Frontend,
        outbox: mpsc::Sender<Frame>,
        cut_off: oneshot::Sender<&'static str>,
    ) {
        let connection = who.connection;
        let (unanswered, is_subscribed) = (BTreeSet::new(), false);
        let attached = Attached { who, outbox, cut_off: Some(cut_off), unanswered, is_subscribed };
        self.0.insert(connection, attached);
    }

    /// Whether the connection was attached.
    pub(super) fn remove(&mut self, connection: u64) -> bool {
        self.0.remove(&connection).is_some()
    }

    /// Notes a request; gives who asks, when it is to be served.
    pub(super) fn begin(&mut self, connection: u64, id: u64) -> Option<Frontend> {
        let attached = self.0.get_mut(&connection)?;
        attached.cut_off.as_ref()?;
        if attached.unanswered.contains(&id) {
            attached.cut_off("it used a request's id again before the answer");
            return None;
        }
        if attached.unanswered.len() >= MAX_UNANSWERED {
            let why =
                format!("{MAX_UNANSWERED} commands of this connection wait for their answers: wait for some");
            attached.send(encode_reply(id, Err(CommandError::LimitReached { why })));
            return None;
        }
        attached.unanswered.insert(id);
        Some(attached.who.clone())
    }

    /// Answers a request, if it waits and its frontend is still there.
    pub(super) fn reply(&mut self, key: RequestKey, result: Result<Reply, CommandError>) {
        if let Some(attached) = self.waiting(key) {
            attached.send(encode_reply(key.id, result));
        }
    }

    /// Answers a Subscribe; events follow.
    pub(super) fn subscribe(&mut self, key: RequestKey, snapshot: Box<Snapshot>) {
        if let Some(attached) = self.waiting(key) {
            attached.is_subscribed = true;
            attached.send(encode_reply(key.id, Ok(Reply::Snapshot(snapshot))));
        }
    }

    /// Hands an event to all that subscribed.
    pub(super) fn publish(&mut self, sequence: u64, event: Event) {
        if !self.0.values().any(|attached| attached.is_subscribed) {
            return;
        }
        let encoded = encode(&ServerMessage::Event { sequence, event });
        for attached in self.0.values_mut().filter(|attached| attached.is_subscribed) {
            match &encoded {
                Ok(frame) => attached.send(frame.clone()),
                // A gap in the numbers would be worse than a fresh start.
                Err(_) => attached.cut_off("an event is too large for one message"),
            }
        }
    }

    /// The frontend of a request that waits for its answer, which it now gets.
    fn waiting(&mut self, key: RequestKey) -> Option<&mut Attached> {
        let attached = self.0.get_mut(&key.frontend)?;
        attached.unanswered.remove(&key.id).then_some(attached)
    }
}

fn encode(message: &ServerMessage) -> Result<Frame, CodecError> {
    let is_answer = matches!(message, ServerMessage::Reply { .. });
    codec::encode(message, MAX_SERVER_MESSAGE_BYTES).map(|bytes| Frame { bytes: Arc::new(bytes), is_answer })
}

fn encode_reply(id: u64, result: Result<Reply, CommandError>) -> Frame {
    encode(&ServerMessage::Reply { id, result }).unwrap_or_else(|error| {
        let why = format!("the answer does not fit: {error}; ask for less, or read what is unread");
        let refusal = ServerMessage::Reply { id, result: Err(CommandError::LimitReached { why }) };
        encode(&refusal).unwrap_or_default()
    })
}

/// Commands of one frontend that the core works on at most: a person has one or two, a script some.
const MAX_UNANSWERED: usize = 64;

#[cfg(test)]
mod tests {
    use secchat_ipc::UserName;

    use super::*;

    fn attach(frontends: &mut Frontends, connection: u64, queue: usize) -> Attachment {
        let (outbox, frames) = mpsc::channel(queue);
        let (cut_off, cut) = oneshot::channel();
        let who = Frontend { connection, name: "test".to_owned(), pid: 1 };
        frontends.attach(who, outbox, cut_off);
        Attachment { frames, cut }
    }

    struct Attachment {
        frames: mpsc::Receiver<Frame>,
        cut: oneshot::Receiver<&'static str>,
    }

    impl Attachment {
        fn next(&mut self) -> Option<ServerMessage> {
            let frame = self.frames.try_recv().ok()?;
            Some(codec::decode(&frame.bytes[codec::LENGTH_BYTES..]).unwrap())
        }
    }

    fn event() -> Event {
        Event::UsersChanged { came: vec![UserName::parse("bob").unwrap()], went: Vec::new() }
    }

    fn snapshot() -> Box<Snapshot> {
        use secchat_ipc::types::{LinkState, LockState, Policy, Reachability, Status};
        Box::new(Snapshot::empty(Status {
            version: String::new(),
            pid: 1,
            profile: String::new(),
            user: None,
            relay: String::new(),
            lock: LockState::Locked,
            link: LinkState::LoggedOut,
            reachability: Reachability::Available,
            policy: Policy::Ask,
            hints: Vec::new(),
        }))
    }

    #[test]
    fn a_request_is_answered_once() {
        let mut frontends = Frontends::default();
        let mut one = attach(&mut frontends, 1, 8);
        assert_eq!(frontends.begin(1, 7).map(|who| who.connection), Some(1));
        let key = RequestKey { frontend: 1, id: 7 };
        frontends.reply(key, Ok(Reply::Done));
        frontends.reply(key, Ok(Reply::Done));
        assert_eq!(one.next(), Some(ServerMessage::Reply { id: 7, result: Ok(Reply::Done) }));
        assert_eq!(one.next(), None);
        assert!(frontends.begin(1, 7).is_some(), "an answered id is free again");
        assert!(frontends.begin(2, 1).is_none(), "nobody is attached there");
    }

    #[test]
    fn events_go_to_subscribers_after_their_snapshot() {
        let mut frontends = Frontends::default();
        let (mut one, mut two) = (attach(&mut frontends, 1, 8), attach(&mut frontends, 2, 8));
        frontends.publish(1, event());
        frontends.begin(1, 1);
        frontends.subscribe(RequestKey { frontend: 1, id: 1 }, snapshot());
        frontends.publish(2, event());
        assert!(matches!(one.next(), Some(ServerMessage::Reply { result: Ok(Reply::Snapshot(_)), .. })));
        assert!(matches!(one.next(), Some(ServerMessage::Event { sequence: 2, .. })));
        assert_eq!(two.next(), None);
    }

    #[test]
    fn who_does_not_read_is_cut_off_and_nobody_else() {
        let mut frontends = Frontends::default();
        let (mut slow, mut quick) = (attach(&mut frontends, 1, 4), attach(&mut frontends, 2, 8));
        for connection in [1, 2] {
            frontends.begin(connection, 1);
            frontends.subscribe(RequestKey { frontend: connection, id: 1 }, snapshot());
        }
        for sequence in 1..=5 {
            frontends.publish(sequence, event());
        }
        assert!(slow.cut.try_recv().is_ok());
        assert!(quick.cut.try_recv().is_err());
        assert!(frontends.begin(1, 2).is_none(), "nothing more is taken from it");
        let received = std::iter::from_fn(|| quick.next()).count();
        assert_eq!(received, 6, "the snapshot and every event");
    }

    #[test]
    fn an_id_in_use_cuts_off() {
        let mut frontends = Frontends::default();
        let mut one = attach(&mut frontends, 1, 8);
        assert!(frontends.begin(1, 7).is_some());
        assert!(frontends.begin(1, 7).is_none());
        assert!(one.cut.try_recv().is_ok());
    }

    #[test]
    fn unanswered_commands_have_a_bound() {
        let mut frontends = Frontends::default();
        let mut one = attach(&mut frontends, 1, 8);
        for id in 0..u64::try_from(MAX_UNANSWERED).unwrap() {
            assert!(frontends.begin(1, id).is_some());
        }
        assert!(frontends.begin(1, 1_000).is_none());
        let answer = one.next();
        assert!(
            matches!(
                answer,
                Some(ServerMessage::Reply { id: 1_000, result: Err(CommandError::LimitReached { .. }) })
            ),
            "{answer:?}"
        );
    }
}
