//! Takes connections and watches over their tasks. A connection is only accepted when there is room for it; what it
//! does, and how it ends, a panic included, touches nobody else.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use secchat_proto::handshake::throw_away::ThrowAwayKeys;
use secchat_proto::wire::frame::write_frame;
use secchat_proto::wire::login::RejectReason;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc, oneshot, watch};
use tokio::task::{Id, JoinError, JoinSet};
use tracing::{debug, error, info, warn};

use crate::accepting::{Accepting, Remedy, remedy};
use crate::admission::{Admission, Origin};
use crate::bucket::SharedBucket;
use crate::connection;
use crate::limits::{ACCEPT_PAUSE, LINGER, Limits};
use crate::logging::events;
use crate::logging::names::Names;
use crate::metrics::Metrics;
use crate::reload::snapshot::Snapshot;
use crate::router::Input;
use crate::shutdown::Stopping;
use crate::switchboard::SessionId;

/// What all connections use.
#[derive(Debug)]
pub(crate) struct Shared {
    /// What the operator's files say; it is replaced as a whole.
    pub(crate) in_force: watch::Receiver<Arc<Snapshot>>,
    /// What an unknown name's signature is checked against.
    pub(crate) throw_away: Arc<ThrowAwayKeys>,
    /// Proofs that are checked, in time.
    pub(crate) proofs: SharedBucket,
    /// Proofs that are checked at once.
    pub(crate) proving: Semaphore,
    pub(crate) router: mpsc::Sender<Input>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) names: Arc<Names>,
}

impl Shared {
    /// The bounds in force now.
    pub(crate) fn limits(&self) -> Arc<Limits> {
        Arc::clone(&self.in_force.borrow().limits)
    }
}

/// What the supervisor is told to do.
#[derive(Debug)]
pub(crate) enum Order {
    /// Listen there, and no longer where it did. The connections stay.
    Listen(TcpListener),
    /// Say how much there is.
    Count(oneshot::Sender<ConnectionCounts>),
}

/// How much there is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ConnectionCounts {
    /// Connections of all kinds.
    pub(crate) connections: usize,
    /// Those of them that are logging in.
    pub(crate) logins: usize,
}

/// The tasks of all connections.
#[derive(Debug)]
pub(crate) struct Supervisor {
    shared: Arc<Shared>,
    orders: mpsc::Receiver<Order>,
    shutdown: Stopping,
    admission: Admission,
    tasks: JoinSet<()>,
    sessions: HashMap<Id, (SessionId, Origin)>,
    last: u64,
    accepting: Accepting,
    /// There was no room for another connection.
    is_full: bool,
}

impl Supervisor {
    /// No connections yet.
    pub(crate) fn new(shared: Arc<Shared>, orders: mpsc::Receiver<Order>, shutdown: Stopping) -> Self {
        Self {
            shared,
            orders,
            shutdown,
            admission: Admission::default(),
            tasks: JoinSet::new(),
            sessions: HashMap::new(),
            last: 0,
            accepting: Accepting::default(),
            is_full: false,
        }
    }

    /// Accepts until the shutdown, then waits for the connections to end, within a bound.
    pub(crate) async fn run(mut self, mut listener: TcpListener) {
        let mut shutdown = self.shutdown.clone();
        let mut in_force = self.shared.in_force.clone();
        loop {
            let has_room = self.has_room();
            tokio::select! {
                biased;
                () = shutdown.requested() => break,
                // There may be room by another bound.
                Ok(()) = in_force.changed() => {}
                Some(order) = self.orders.recv() => match order {
                    Order::Listen(other) => listener = other,
                    // An error means that nobody waits for the answer any more.
                    Order::Count(answer) => drop(answer.send(self.counts())),
                },
                Some(ended) = self.tasks.join_next_with_id() => self.note_end(ended).await,
                accepted = listener.accept(), if has_room => self.take(accepted).await,
            }
        }
        drop(listener);
        let limit = self.shared.limits().drain() + LINGER;
        if tokio::time::timeout(limit, self.wait_for_all()).await.is_err() {
            debug!("some links did not take their last bytes in time");
            self.tasks.shutdown().await;
        }
    }

    fn counts(&self) -> ConnectionCounts {
        ConnectionCounts { connections: self.tasks.len(), logins: self.admission.in_flight() }
    }

    /// Whether there is room for another connection.
    fn has_room(&mut self) -> bool {
        let (taken, limit) = (self.tasks.len(), self.shared.limits().connections);
        let has_room = taken < limit;
        self.shared.metrics.note_connections(taken);
        if !has_room && !std::mem::replace(&mut self.is_full, true) {
            warn!(
                message_id = events::CONNECTIONS_FULL,
                connections = taken,
                "as many connections as there may be: others wait"
            );
            self.shared.metrics.note_over_limit("connections", 1);
        }
        // Somebody who comes and goes at the brink is told of once.
        self.is_full &= taken > limit / 8 * 7;
        has_room
    }

    async fn wait_for_all(&mut self) {
        while let Some(ended) = self.tasks.join_next_with_id().await {
            self.note_end(ended).await;
        }
    }

    async fn take(&mut self, accepted: io::Result<(TcpStream, SocketAddr)>) {
        match accepted {
            Ok((stream, address)) => {
                if self.accepting.note_success() {
                    info!(message_id = events::ACCEPTS_AGAIN, "connections are accepted again");
                }
                self.admit(stream, address);
            }
            Err(error) => match self.accepting.note_failure(&error) {
                Remedy::PassOver => debug!(%error, "a connection has gone before it was accepted"),
                Remedy::Pause { tell } => {
                    if tell {
                        warn!(
                            message_id = events::CANNOT_ACCEPT, %error, remedy = remedy(&error),
                            "cannot accept connections; trying again until it works"
                        );
                    }
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
        }
    }

    fn admit(&mut self, stream: TcpStream, address: SocketAddr) {
        let origin = Origin::from(address.ip());
        if let Err(full) = self.admission.make_room(origin, &self.shared.limits(), Instant::now()) {
            debug!(%address, limit = full.limit(), "a connection over a limit turned away");
            self.shared.metrics.note_login("turned_away");
            self.shared.metrics.note_over_limit(full.limit(), 1);
            return turn_away(&stream);
        }
        // Messages are small, and each read answered: waiting to fill a packet would only delay them.
        if let Err(error) = stream.set_nodelay(true) {
            debug!(%address, %error, "the connection has ended");
            return;
        }
        self.last = self.last.saturating_add(1);
        let id = SessionId(self.last);
        let slot = self.admission.enter(id, origin);
        let connection =
            connection::run((stream, address), (id, slot), Arc::clone(&self.shared), self.shutdown.clone());
        let task = self.watch((id, origin), connection);
        self.admission.note_task(id, task);
    }

    /// Runs a connection's task under this supervisor.
    fn watch(
        &mut self,
        of: (SessionId, Origin),
        connection: impl Future<Output = ()> + Send + 'static,
    ) -> tokio::task::AbortHandle {
        let task = self.tasks.spawn(connection);
        self.sessions.insert(task.id(), of);
        task
    }

    /// Whatever ended a task, the router learns of it.
    async fn note_end(&mut self, ended: Result<(Id, ()), JoinError>) {
        let task = match ended {
            Ok((task, ())) => task,
            Err(failed) => {
                if failed.is_panic() {
                    error!(
                        message_id = events::CONNECTION_BUG,
                        "a connection failed by a bug in the relay; only that connection has ended"
                    );
                }
                // Otherwise it was ended to make room for another login.
                self.shared.metrics.note_login(if failed.is_panic() { "lost" } else { "gave_way" });
                failed.id()
            }
        };
        if let Some((session, origin)) = self.sessions.remove(&task) {
            self.admission.leave(origin);
            // An error means that the router has ended, with all sessions.
            let _ = self.shared.router.send(Input::Gone(session)).await;
        }
    }
}

/// Tells a newcomer that there is no room, in S1's place, without waiting for anything.
fn turn_away(stream: &TcpStream) {
    let mut frame = Vec::new();
    if write_frame(&RejectReason::Busy.encode(), &mut frame).is_ok() {
        // Three bytes fit into a fresh connection's buffer, or the connection has ended.
        let _ = stream.try_write(&frame);
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;
    use std::sync::Arc;
    use std::time::{Duration, Instant};

    use secchat_proto::crypto::entropy::OsEntropy;
    use secchat_proto::handshake::throw_away::ThrowAwayKeys;
    use tokio::io::AsyncReadExt;
    use tokio::net::{TcpListener, TcpStream};
    use tokio::sync::{Semaphore, mpsc, watch};

    use super::{Shared, Supervisor};
    use crate::bucket::SharedBucket;
    use crate::metrics::Metrics;
    use crate::reload::snapshot::Snapshot;
    use crate::router::Input;
    use crate::shutdown::shutdown;
    use crate::switchboard::SessionId;

    #[tokio::test]
    async fn a_panic_ends_its_own_connection_only() {
        let (router, mut inputs) = mpsc::channel(8);
        let (_in_force, in_force) = watch::channel(Arc::new(Snapshot::of_users([])));
        let shared = Arc::new(Shared {
            in_force,
            throw_away: Arc::new(ThrowAwayKeys::make(&mut OsEntropy).unwrap()),
            proofs: SharedBucket::full(Instant::now()),
            proving: Semaphore::new(1),
            router,
            metrics: Arc::new(Metrics::new()),
            names: Arc::default(),
        });
        let (stop, stopping) = shutdown();
        let (_orders, orders) = mpsc::channel(1);
        let mut supervisor = Supervisor::new(shared, orders, stopping);
        let nowhere = IpAddr::from([192, 0, 2, 1]).into();
        supervisor.watch((SessionId(77), nowhere), async { panic!("a bug") });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let running = tokio::spawn(supervisor.run(listener));

        let test = async {
            assert!(matches!(inputs.recv().await, Some(Input::Gone(SessionId(77)))), "the router is told");
            let mut other = TcpStream::connect(address).await.unwrap();
            let mut s1 = [0; 10];
            other.read_exact(&mut s1).await.unwrap();
            assert_eq!(&s1[2..9], b"secchat", "others are served");
            stop.stop();
            assert!(matches!(inputs.recv().await, Some(Input::Gone(_))));
            running.await.unwrap();
        };
        tokio::time::timeout(Duration::from_secs(20), test).await.expect("in time");
    }
}
