//! The relay of secchat: logs people in, introduces them, forwards what it cannot read.
//!
//! Reading order: [`switchboard`] decides everything and touches nothing; `router` is the task around it; `listener`
//! takes connections, `connection` is one of them (`login`, then a reader, and an `outbox` that writes).
//! [`config`], [`credentials`] and [`user_list`] are what the operator gives, `reload` takes it in while the relay runs;
//! [`init`] makes it, [`user_command`] and [`renewal`] change it.

mod accepting;
pub mod admin;
mod admission;
mod bucket;
pub mod check;
pub mod cli;
mod clock;
pub mod config;
mod connection;
pub mod credentials;
pub mod dates;
mod expiry;
mod files;
pub mod init;
pub mod limits;
mod listener;
pub mod logging;
mod login;
mod metrics;
mod outbox;
pub mod passphrase;
mod pki;
mod reading;
mod reload;
pub mod renewal;
mod replacement;
mod router;
pub mod service;
mod shutdown;
pub mod signals;
pub mod switchboard;
pub mod user_command;
pub mod user_list;

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use tokio::net::TcpListener;
use tokio::signal::unix::Signal;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinSet;
use tracing::{info, warn};

use secchat_proto::crypto::entropy::OsEntropy;
use secchat_proto::handshake::throw_away::ThrowAwayKeys;

use admin::socket::{AdminSocket, SocketError};
use bucket::SharedBucket;
pub use reload::snapshot::{FileError, Sources};

use limits::ROUTER_QUEUE;
use listener::{Shared, Supervisor};
use logging::{LogFilter, events};
use metrics::Metrics;
use reload::reloader::{Reloader, Told, Ways};
use reload::snapshot::Snapshot;
use router::Router;

/// Why a relay does not start, or stopped by itself.
#[derive(Debug, thiserror::Error)]
pub enum RelayError {
    /// The files have errors: all of them.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Files(Vec<FileError>),
    /// SIGHUP cannot be caught.
    #[error("cannot watch for SIGHUP: {0}")]
    Signals(io::Error),
    /// The address is another's.
    #[error(
        "{host}:{port} is taken: another program listens there (`ss -ltnp` shows which); stop it, or give another port"
    )]
    PortTaken {
        /// The host that was given.
        host: String,
        /// The port that was given.
        port: u16,
    },
    /// The address cannot be listened on.
    #[error(
        "cannot listen on {host}:{port}: {error}; give an address of this machine, and a port above 1023 unless you may use lower ones"
    )]
    Listen {
        /// The host that was given.
        host: String,
        /// The port that was given.
        port: u16,
        /// Why not.
        error: io::Error,
    },
    /// A relay with these files runs.
    #[error(
        "a relay with these files runs already, and answers at {socket}: `secchat-relay status` tells which; for a \
         second one, give another admin_socket in its configuration", socket = .0.display()
    )]
    Running(PathBuf),
    /// No keys could be made.
    #[error("the system gives no randomness: OpenSSL cannot make keys")]
    Randomness,
    /// The router failed: a bug.
    #[error(
        "the router failed by a bug in the relay; all links are lost, and the daemons will come back to a new one"
    )]
    Router,
}

/// A relay that listens, and serves once it is run.
#[derive(Debug)]
pub struct Relay {
    listener: TcpListener,
    local_address: SocketAddr,
    sources: Sources,
    log: LogFilter,
    snapshot: Snapshot,
    throw_away: ThrowAwayKeys,
    hangup: Signal,
    metrics: Option<TcpListener>,
    admin: Option<AdminSocket>,
}

impl Relay {
    /// Loads and checks all files, and takes the address. `log` is what is logged, which the files can change.
    ///
    /// # Errors
    /// [`RelayError`].
    pub async fn bind(sources: impl Into<Sources>, log: LogFilter) -> Result<Self, RelayError> {
        // From here on it is not the end of the program.
        let hangup = signals::hangup().map_err(RelayError::Signals)?;
        let sources = sources.into();
        let snapshot = Snapshot::load(&sources, None).result.map_err(RelayError::Files)?;
        let config = &snapshot.config;
        for warning in snapshot.credentials.warnings() {
            warn!(message_id = events::CREDENTIALS_WARNING, certificate = %config.certificate.display(), "{warning}");
        }
        if snapshot.users.is_empty() {
            info!(message_id = events::NO_USERS, list = %config.user_list.display(), "there are no users yet: nobody can log in");
        }
        let listen = |error| listen_error(&config.listen, error);
        let listener = TcpListener::bind(config.listen.clone()).await.map_err(listen)?;
        let local_address = listener.local_addr().map_err(listen)?;
        let metrics = metrics::server::listen(config.metrics).await?;
        let throw_away = tokio::task::spawn_blocking(|| ThrowAwayKeys::make(&mut OsEntropy));
        let throw_away =
            throw_away.await.map_err(|_| RelayError::Randomness)?.map_err(|_| RelayError::Randomness)?;
        let admin = admin_socket(&config.admin_socket)?;
        Ok(Self { listener, local_address, sources, log, snapshot, throw_away, hangup, metrics, admin })
    }

    /// Where it listens.
    #[must_use]
    pub fn local_address(&self) -> SocketAddr {
        self.local_address
    }

    /// Serves until `until` completes; then logs everybody out, within a bound, and returns.
    ///
    /// # Errors
    /// [`RelayError::Router`].
    pub async fn run(self, until: impl Future<Output = ()>) -> Result<(), RelayError> {
        let (stop, stopping) = shutdown::shutdown();
        let (inputs, input_queue) = mpsc::channel(ROUTER_QUEUE);
        let (orders, order_queue) = mpsc::channel(1);
        let (new_states, in_force) = watch::channel(Arc::new(self.snapshot));
        let (told, listened) = watch::channel(Told { address: self.local_address, last: None });
        tell_listening(self.local_address, in_force.borrow().users.len());
        tokio::spawn(expiry::run(in_force.clone()));
        let metrics = Arc::new(Metrics::new());
        // They end with this function at the latest.
        let mut helpers = JoinSet::new();
        helpers.spawn(service::watchdog(inputs.clone()));
        helpers.spawn(metrics::server::serve(self.metrics, Arc::clone(&metrics), in_force.clone()));
        let (requests, request_queue) = mpsc::channel(1);
        if let Some(socket) = self.admin {
            let (router, supervisor) = (inputs.clone(), orders.clone());
            let sources = admin::server::Sources {
                in_force: in_force.clone(),
                told: listened,
                router,
                supervisor,
                reloader: requests,
                started: Instant::now(),
            };
            helpers.spawn(admin::server::run(socket, sources));
        }
        let names = self.log.names();
        let ways = Ways {
            in_force: new_states,
            router: inputs.clone(),
            supervisor: orders,
            told,
            log: self.log,
            metrics: Arc::clone(&metrics),
        };
        helpers.spawn(Reloader::new(Arc::new(self.sources), ways, self.hangup, request_queue).run());
        let shared = Arc::new(Shared {
            in_force: in_force.clone(),
            throw_away: Arc::new(self.throw_away),
            proofs: SharedBucket::full(Instant::now()),
            proving: Semaphore::new(proofs_at_once()),
            router: inputs,
            metrics: Arc::clone(&metrics),
            names,
        });
        let mut router = tokio::spawn(Router::new(in_force, metrics).run(input_queue, stopping.clone()));
        let supervisor = Supervisor::new(shared, order_queue, stopping).run(self.listener);
        tokio::pin!(supervisor, until);
        tokio::select! {
            _ = &mut router => return Err(RelayError::Router),
            () = &mut supervisor => {}
            () = &mut until => {
                info!(message_id = events::STOPPING, "stopping: logging everybody out");
                stop.stop();
                helpers.shutdown().await;
                supervisor.await;
            }
        }
        helpers.shutdown().await;
        router.await.map_err(|_| RelayError::Router)
    }
}

fn tell_listening(address: SocketAddr, users: usize) {
    info!(message_id = events::LISTENING, %address, users, "listening");
}

/// Half of the event loop's threads, one for each processor: messages are forwarded on the others.
fn proofs_at_once() -> usize {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    (threads / 2).max(1)
}

/// A relay that cannot be asked still serves; one that would take another's place does not start.
fn admin_socket(path: &Path) -> Result<Option<AdminSocket>, RelayError> {
    match AdminSocket::bind(path) {
        Ok(socket) => Ok(Some(socket)),
        Err(SocketError::Taken) => Err(RelayError::Running(path.to_owned())),
        Err(SocketError::File(error)) => {
            warn!(
                message_id = events::NO_ADMIN,
                socket = %path.display(), %error,
                "no admin socket: `status`, `reload` and `inspect` cannot reach this relay; \
                 name a place that it may write to with admin_socket in the configuration"
            );
            Ok(None)
        }
    }
}

pub(crate) fn listen_error((host, port): &(String, u16), error: io::Error) -> RelayError {
    let (host, port) = (host.clone(), *port);
    if error.kind() == io::ErrorKind::AddrInUse {
        RelayError::PortTaken { host, port }
    } else {
        RelayError::Listen { host, port, error }
    }
}
