//! Answers the operator. It asks those who know, and holds nothing itself; few clients at once, each with little time.

use std::io;
use std::sync::Arc;
use std::time::Instant;

use secchat_proto::UserName;
use secchat_proto::wire::login::Role;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::UnixStream;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tracing::{debug, warn};

use super::protocol::{Answer, Key, Offer, Person, Request, Session, Share, Status, Used};
use super::socket::AdminSocket;
use crate::dates::Dates;
use crate::limits::{
    ACCEPT_PAUSE, ADMIN_ANSWER_TIMEOUT, ADMIN_CLIENTS, ADMIN_REQUEST_BYTES, ADMIN_REQUEST_TIMEOUT,
};
use crate::listener::Order;
use crate::logging::events;
use crate::reload::reloader::{self, Told};
use crate::reload::snapshot::Snapshot;
use crate::router::{Held, Input, moment};
use crate::switchboard::holdings::{OfferHeld, OfferKind, SessionHeld};
use crate::user_command::{fingerprint, kind};
use crate::user_list::rotation::Registered;

/// Those who know.
#[derive(Clone, Debug)]
pub(crate) struct Sources {
    pub(crate) in_force: watch::Receiver<Arc<Snapshot>>,
    pub(crate) told: watch::Receiver<Told>,
    pub(crate) router: mpsc::Sender<Input>,
    pub(crate) supervisor: mpsc::Sender<Order>,
    pub(crate) reloader: mpsc::Sender<reloader::Request>,
    pub(crate) started: Instant,
}

/// One of them has ended: the relay stops.
struct Stopping;

/// Serves until the task is aborted; its clients' tasks end with it.
pub(crate) async fn run(socket: AdminSocket, sources: Sources) {
    let mut clients = JoinSet::new();
    loop {
        tokio::select! {
            Some(_) = clients.join_next() => {}
            accepted = socket.accept(), if clients.len() < ADMIN_CLIENTS => match accepted {
                Ok(stream) => drop(clients.spawn(serve(stream, sources.clone()))),
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                    warn!(message_id = events::ADMIN_REFUSED, "another user than the relay's own was refused on the admin socket");
                }
                Err(error) => {
                    debug!(%error, "cannot accept on the admin socket");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
        }
    }
}

async fn serve(mut stream: UnixStream, sources: Sources) {
    let Ok(Some(line)) = timeout(ADMIN_REQUEST_TIMEOUT, read_line(&mut stream)).await else { return };
    let answer = match serde_json::from_slice(&line) {
        Ok(request) => match timeout(ADMIN_ANSWER_TIMEOUT, sources.answer(request)).await {
            Ok(answer) => answer.unwrap_or_else(|Stopping| Answer::Error("the relay stops".to_owned())),
            Err(_) => Answer::Error("the relay did not get to it in time".to_owned()),
        },
        Err(error) => Answer::Error(format!("no request that this relay knows: {error}")),
    };
    // Only lists that are too long for memory could not be written as JSON.
    let Ok(mut text) = serde_json::to_vec(&answer) else { return };
    text.push(b'\n');
    // Who does not take the answer goes without.
    let _ = timeout(ADMIN_REQUEST_TIMEOUT, stream.write_all(&text)).await;
}

/// One line, without its end; `None` if it is too long or none came.
async fn read_line(stream: &mut UnixStream) -> Option<Vec<u8>> {
    let mut line = Vec::new();
    let mut reader = BufReader::new(stream.take(ADMIN_REQUEST_BYTES));
    reader.read_until(b'\n', &mut line).await.ok()?;
    (line.pop() == Some(b'\n')).then_some(line)
}

impl Sources {
    async fn answer(&self, request: Request) -> Result<Answer, Stopping> {
        Ok(match request {
            Request::Status {} => Answer::Status(Box::new(self.status().await?)),
            Request::Reload {} => Answer::Reload(self.reload(false).await?),
            Request::ReloadDryRun {} => Answer::Reload(self.reload(true).await?),
            Request::Inspect { name } => match name.parse() {
                Ok(name) => Answer::Inspect(Box::new(self.inspect(name).await?)),
                Err(_) => Answer::Error(format!("{name:?} is not a name: 1 to 32 of a-z 0-9 . _ - are")),
            },
        })
    }

    async fn status(&self) -> Result<Status, Stopping> {
        let counts = ask(&self.router, Input::Count).await?;
        let connections = ask(&self.supervisor, Order::Count).await?;
        let (limits, users, dates) = {
            let in_force = self.in_force.borrow();
            let dates = Dates::of(&in_force.credentials.certificate, &in_force.credentials.crl);
            (Arc::clone(&in_force.limits), in_force.users.len(), dates)
        };
        let (told, now) = (self.told.borrow().clone(), moment().unix);
        Ok(Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            address: told.address,
            uptime_seconds: self.started.elapsed().as_secs(),
            users,
            sessions: counts.sessions,
            chats: counts.chats,
            requests: counts.requests,
            limits: Used {
                connections: Share { used: connections.connections, of: limits.connections },
                logins: Share { used: connections.logins, of: limits.logins },
                queued_bytes: Share { used: counts.queued_bytes, of: limits.queued_bytes },
            },
            certificate_days_left: dates.certificate.map(|validity| validity.days_left(now)),
            crl_days_left: dates.crl.map(|validity| validity.days_left(now)),
            reload: told.last,
        })
    }

    async fn reload(&self, is_trial: bool) -> Result<super::protocol::Report, Stopping> {
        ask(&self.reloader, |answer| reloader::Request { is_trial, answer }).await
    }

    /// What the list says of a user.
    fn key(&self, name: &UserName) -> Option<Key> {
        let in_force = self.in_force.borrow();
        let Registered { key, old_key, chain: _ } = in_force.users.registered(name, moment().unix)?;
        Some(Key {
            kind: kind(&key),
            fingerprint: fingerprint(&key),
            old_fingerprint: old_key.as_ref().map(fingerprint),
            successions: in_force.users.rotation(name).map_or(0, |rotation| rotation.successions()),
        })
    }

    async fn inspect(&self, name: UserName) -> Result<Person, Stopping> {
        let Held { holdings, link } =
            ask(&self.router, |answer| Input::Inspect(name.clone(), answer)).await?;
        let key = self.key(&name);
        let offers = |held: Vec<OfferHeld>| held.into_iter().map(Offer::from).collect();
        Ok(Person {
            name: name.to_string(),
            key,
            session: holdings.session.map(|session| Session::of(session, link)),
            offers: offers(holdings.offers),
            offered: offers(holdings.offered),
            requests_counted: holdings.requests.counted,
            request_pairs: holdings.requests.pairs,
            has_news: holdings.has_news,
        })
    }
}

/// Asks a task that answers by itself.
async fn ask<Q, A>(
    whom: &mpsc::Sender<Q>,
    question: impl FnOnce(oneshot::Sender<A>) -> Q,
) -> Result<A, Stopping> {
    let (sender, answer) = oneshot::channel();
    whom.send(question(sender)).await.map_err(|_| Stopping)?;
    answer.await.map_err(|_| Stopping)
}

impl Session {
    fn of(held: SessionHeld, link: Option<(std::net::SocketAddr, u64)>) -> Self {
        let SessionHeld { id: _, role, watch, delegated_until, refreshes, owed_list, pairs, own, forwarded } =
            held;
        Self {
            address: link.map(|(address, _)| address),
            since: link.map(|(_, since)| since),
            is_available: role == Role::Receiver,
            watches: watch,
            delegated_until,
            chats: pairs.iter().map(ToString::to_string).collect(),
            lists_counted: refreshes,
            owed_list,
            queued_messages: own.messages.saturating_add(forwarded.messages),
            queued_bytes: own.bytes.saturating_add(forwarded.bytes),
        }
    }
}

impl From<OfferHeld> for Offer {
    fn from(held: OfferHeld) -> Self {
        let OfferHeld { with, kind, expires, delivered } = held;
        let kind = match kind {
            OfferKind::Request => "request",
            OfferKind::Acceptance => "acceptance",
            OfferKind::Resumption => "resumption",
        };
        Self { with: with.to_string(), kind: kind.to_owned(), expires, delivered }
    }
}
