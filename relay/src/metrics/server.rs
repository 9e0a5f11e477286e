//! Answers `GET /metrics` on a loopback address, and nothing else: one request a connection, bounded in size, time and
//! number. There is no TLS and no password, so it refuses any address that others could reach.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tracing::{debug, info, warn};

use super::Metrics;
use crate::credentials::Credentials;
use crate::dates::Dates;
use crate::limits::ACCEPT_PAUSE;
use crate::logging::events;
use crate::reload::snapshot::Snapshot;
use crate::router::moment;
use crate::{RelayError, listen_error};

/// Takes the address, if there is one.
///
/// # Errors
/// [`RelayError::PortTaken`] and [`RelayError::Listen`].
pub(crate) async fn listen(address: Option<SocketAddr>) -> Result<Option<TcpListener>, RelayError> {
    let Some(address) = address else { return Ok(None) };
    let bound = async {
        let listener = TcpListener::bind(address).await?;
        Ok((listener.local_addr()?, listener))
    };
    let named = (address.ip().to_string(), address.port());
    let (address, listener) = bound.await.map_err(|error| listen_error(&named, error))?;
    info!(message_id = events::METRICS_AT, %address, "metrics are at /metrics");
    Ok(Some(listener))
}

/// Serves until it is dropped, where the configuration in force says; those that are being answered may outlive it
/// by [`TIMEOUT`].
pub(crate) async fn serve(
    mut listener: Option<TcpListener>,
    metrics: Arc<Metrics>,
    mut in_force: watch::Receiver<Arc<Snapshot>>,
) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let mut address = in_force.borrow_and_update().config.metrics;
    loop {
        tokio::select! {
            Ok(()) = in_force.changed() => {
                let wanted = in_force.borrow_and_update().config.metrics;
                if std::mem::replace(&mut address, wanted) != wanted {
                    // The old place is free before the new one is taken: it may be the same port.
                    drop(listener.take());
                    listener = listen(wanted).await.unwrap_or_else(|error| {
                        warn!(message_id = events::METRICS_FAILED, %error, "metrics cannot be read any more");
                        None
                    });
                }
            }
            accepted = accept(listener.as_ref(), &places) => {
                let Ok((stream, place)) = accepted else {
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                };
                let credentials = Arc::clone(&in_force.borrow().credentials);
                tokio::spawn(serve_one((stream, place), Arc::clone(&metrics), credentials));
            }
        }
    }
}

/// The next reader, when there is a place for it. Cancel-safe.
async fn accept(
    listener: Option<&TcpListener>,
    places: &Arc<Semaphore>,
) -> io::Result<(TcpStream, OwnedSemaphorePermit)> {
    let Some(listener) = listener else { return std::future::pending().await };
    let place = Arc::clone(places).acquire_owned().await.map_err(io::Error::other)?;
    Ok((listener.accept().await?.0, place))
}

async fn serve_one(
    (stream, _place): (TcpStream, OwnedSemaphorePermit),
    metrics: Arc<Metrics>,
    credentials: Arc<Credentials>,
) {
    let answered = tokio::time::timeout(TIMEOUT, answer(stream, &metrics, &credentials)).await;
    if !matches!(answered, Ok(Ok(()))) {
        debug!(?answered, "a reader of the metrics went away");
    }
}

async fn answer(mut stream: TcpStream, metrics: &Metrics, credentials: &Credentials) -> io::Result<()> {
    let request = read_request(&mut stream).await?;
    let (status, kind, body) = match request.as_deref() {
        None => ("431 Request Header Fields Too Large", "text/plain", String::from("too long\n")),
        Some(request) if is_for_metrics(request) => {
            let dates = Dates::of(&credentials.certificate, &credentials.crl);
            let text = metrics.text(&dates, moment().unix).map_err(io::Error::other)?;
            ("200 OK", "application/openmetrics-text; version=1.0.0; charset=utf-8", text)
        }
        Some(_) => ("404 Not Found", "text/plain", String::from("there is /metrics, to be read with GET\n")),
    };
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body.as_bytes()).await?;
    stream.shutdown().await
}

/// The request's head; `None` when it is too long.
async fn read_request(stream: &mut TcpStream) -> io::Result<Option<Vec<u8>>> {
    let (mut request, mut chunk) = (Vec::new(), [0; 1_024]);
    while !request.windows(4).any(|window| window == b"\r\n\r\n") {
        if request.len() >= REQUEST_BYTES {
            return Ok(None);
        }
        let count = stream.read(&mut chunk).await?;
        let bytes = chunk.get(..count).filter(|bytes| !bytes.is_empty());
        request.extend_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
    }
    Ok(Some(request))
}

fn is_for_metrics(request: &[u8]) -> bool {
    let line = request.split(|byte| *byte == b'\r').next().unwrap_or_default();
    let mut words = line.split(|byte| *byte == b' ');
    words.next() == Some(b"GET")
        && words.next().is_some_and(|path| path.split(|byte| *byte == b'?').next() == Some(b"/metrics"))
}

/// Whether only this machine reaches an address.
pub(crate) fn is_private(address: &SocketAddr) -> bool {
    address.ip().to_canonical().is_loopback()
}

/// Readers at once; more wait.
const CONNECTIONS: usize = 4;
/// Time for one reader.
const TIMEOUT: Duration = Duration::from_secs(5);
/// The longest head of a request.
const REQUEST_BYTES: usize = 8 * 1024;
