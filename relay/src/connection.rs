//! One connection's life: login, then a reader and a writer in one task, until either ends. It holds the deadlines
//! (login, Ping, the last bytes); it knows nothing of other connections.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use secchat_proto::record::Opener;
use secchat_proto::wire::frame::FrameDecoder;
use secchat_proto::wire::link::{Direction, LinkMessage};
use secchat_proto::wire::login::RejectReason;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Notify, mpsc};
use tracing::{debug, info};

use crate::admission::{Slot, SlotGuard};
use crate::limits::{IDLE_BUFFER_BYTES, LINGER, Limits, READ_BYTES, REJECT_LINGER};
use crate::listener::Shared;
use crate::logging::events;
use crate::logging::names::Names;
use crate::login::{self, LoginError, Proven};
use crate::metrics::Metrics;
use crate::outbox::{outbox, wipe};
use crate::reading::{Due, ReadingPace, Silence};
use crate::router::{Input, Link, Opened, moment};
use crate::shutdown::Stopping;
use crate::switchboard::SessionId;
use crate::switchboard::delegates::PING;

/// Serves one connection.
pub(crate) async fn run(
    (mut stream, address): (TcpStream, SocketAddr),
    (id, slot): (SessionId, Slot),
    shared: Arc<Shared>,
    mut shutdown: Stopping,
) {
    let guard = SlotGuard(slot.clone());
    // Those of its beginning, for as long as it lives.
    let limits = shared.limits();
    let mut has_answered = false;
    let login = login::login(&mut stream, id, &slot, &shared, &mut has_answered);
    let logged_in = tokio::select! {
        biased;
        () = shutdown.requested() => Err(LoginError::Closing),
        done = tokio::time::timeout(limits.login_timeout(), login) => done.unwrap_or(Err(LoginError::TimedOut)),
    };
    drop(guard);
    match logged_in {
        Ok(proven) => talk((stream, address), proven, &limits, &shared).await,
        Err(error) => {
            shared.metrics.note_login(error.result());
            log_refusal(address, &error, &shared.names);
            if !has_answered {
                refuse(&mut stream, &error).await;
            }
        }
    }
}

fn log_refusal(address: SocketAddr, error: &LoginError, names: &Names) {
    match error.claimed() {
        Some((user, cause)) => {
            let user = names.show(user);
            info!(message_id = events::LOGIN_REFUSED, %user, %address, %cause, "login refused");
        }
        None => debug!(%address, %error, "login failed"),
    }
}

/// Tells a client why it is not let in, when that may be told.
async fn refuse(stream: &mut TcpStream, error: &LoginError) {
    if let Some((reason, at)) = error.reject() {
        if let Some(at) = at {
            tokio::time::sleep_until(at.into()).await;
        }
        reject(stream, reason).await;
    }
}

async fn reject(stream: &mut TcpStream, reason: RejectReason) {
    let sent = tokio::time::timeout(REJECT_LINGER, login::send(stream, &reason.encode())).await;
    if matches!(sent, Ok(Ok(()))) {
        linger(stream, REJECT_LINGER).await;
    }
}

/// Ends the stream, and reads away what still comes: else its arrival would reset the connection, and the client
/// might not read our last words.
async fn linger(stream: &mut TcpStream, limit: Duration) {
    let reading = async {
        let mut chunk = [0; IDLE_BUFFER_BYTES];
        stream.shutdown().await?;
        while stream.read(&mut chunk).await? != 0 {}
        io::Result::Ok(())
    };
    // Whatever comes of it, the connection ends now.
    let _ = tokio::time::timeout(limit, reading).await;
}

/// A logged-in link, until it ends.
async fn talk(
    (mut stream, address): (TcpStream, SocketAddr),
    proven: Proven,
    limits: &Limits,
    shared: &Shared,
) {
    let Proven { login, session, decoder } = proven;
    let (user, id) = (shared.names.show(&login.name), login.session);
    let how = if login.delegated.is_some() { "logged in by a delegated key" } else { "logged in" };
    info!(message_id = events::LOGGED_IN, %user, %address, "{how}");
    shared.metrics.note_login("accepted");
    let (outbox, handle, local) = outbox(limits);
    let (strays, pongs) = (Arc::default(), Arc::<Notify>::default());
    let link = Link {
        outbox: handle,
        strays: Arc::clone(&strays),
        pongs: Arc::clone(&pongs),
        address,
        since: moment().unix,
    };
    let opened = Opened { login, link };
    if shared.router.send(Input::Opened(Box::new(opened))).await.is_err() {
        return;
    }
    let (read, mut write) = stream.split();
    let router = shared.router.clone();
    let (pace, metrics) = (ReadingPace::new(limits, strays), &*shared.metrics);
    let mut reader =
        Reader { socket: read, decoder, opener: session.opener, id, router, local, pongs, pace, metrics };
    let written = tokio::select! {
        end = reader.run(limits) => {
            end.log(&user, address);
            if let Some(limit) = end.limit() {
                shared.metrics.note_over_limit(limit, 1);
            }
            return;
        }
        written = outbox.run(&mut write, session.sealer, (limits, metrics)) => written,
    };
    match written {
        Ok(()) => {
            info!(message_id = events::LINK_CLOSED, %user, %address, "link closed by the relay");
            linger(&mut stream, LINGER).await;
        }
        Err(error) => info!(message_id = events::LINK_ENDED, %user, %address, end = %error, "link lost"),
    }
}

/// Why a link's reader ended.
#[derive(Debug, thiserror::Error)]
enum ReadEnd {
    /// The client logged out.
    #[error("logged out")]
    Logout,
    /// The stream ended without a Logout.
    #[error("lost")]
    Lost,
    /// The stream failed.
    #[error("lost: {0}")]
    Socket(#[from] io::Error),
    /// No answer to a Ping.
    #[error("no answer to a Ping")]
    Dead,
    /// A frame was begun and did not end.
    #[error("a frame took longer than limits.frame_timeout_ms")]
    HalfFrame,
    /// The client broke the protocol.
    #[error("broke the protocol: {0}")]
    Broken(#[from] secchat_proto::Error),
    /// The relay stops.
    #[error("the router has ended")]
    RouterGone,
}

impl ReadEnd {
    /// The limit that ended the link, if it was one.
    fn limit(&self) -> Option<&'static str> {
        match self {
            Self::Dead => Some("pong_timeout_ms"),
            Self::HalfFrame => Some("frame_timeout_ms"),
            Self::Logout | Self::Lost | Self::Socket(_) | Self::Broken(_) | Self::RouterGone => None,
        }
    }

    /// Logs the end; for the operator to see only if it was not the client's wish or the network's whim.
    fn log(&self, user: &str, address: SocketAddr) {
        match self {
            Self::Logout | Self::Lost | Self::Socket(_) | Self::RouterGone => {
                debug!(%user, %address, end = %self, "link ended");
            }
            Self::Dead | Self::HalfFrame | Self::Broken(_) => {
                info!(message_id = events::LINK_ENDED, %user, %address, end = %self, "link ended");
            }
        }
    }
}

/// The reading half of a link.
struct Reader<'a, R> {
    socket: R,
    decoder: FrameDecoder,
    opener: Opener,
    id: SessionId,
    router: mpsc::Sender<Input>,
    /// To the link's own writer.
    local: mpsc::Sender<LinkMessage>,
    /// Told of each Pong.
    pongs: Arc<Notify>,
    pace: ReadingPace,
    metrics: &'a Metrics,
}

impl<R: AsyncRead + Unpin> Reader<'_, R> {
    async fn run(&mut self, limits: &Limits) -> ReadEnd {
        match self.read(limits).await {
            Ok(never) => match never {},
            Err(end) => end,
        }
    }

    /// Reads, opens and passes on whatever comes. The router may make it wait, and so the client.
    async fn read(&mut self, limits: &Limits) -> Result<Infallible, ReadEnd> {
        let mut chunk = vec![0; IDLE_BUFFER_BYTES];
        let mut plaintext = Vec::new();
        let mut silence = Silence::new(limits, Instant::now());
        let timer = tokio::time::sleep_until(silence.next_check().into());
        tokio::pin!(timer);
        let mut has_looked = false;
        loop {
            let (mut frames, mut bytes) = (0_usize, 0_usize);
            while let Some(record) = self.decoder.next_frame()? {
                (frames, bytes) = (frames.saturating_add(1), bytes.saturating_add(record.len()));
                self.opener.open(record, &mut plaintext)?;
                let message = LinkMessage::decode(&plaintext, Direction::FromClient)?;
                wipe(&mut plaintext);
                let now = Instant::now();
                silence.note_record(now);
                if self.pace.admit(&message, now).await {
                    self.metrics.note_over_limit("control_per_second", 1);
                }
                self.pass_on(message, now).await?;
            }
            if frames > 0 {
                self.metrics.received.add(frames, bytes);
            }
            silence.note_frame(self.decoder.is_mid_frame(), Instant::now());
            if silence.next_check() < timer.deadline().into() {
                timer.as_mut().reset(silence.next_check().into());
            }
            tokio::select! {
                biased;
                count = self.socket.read(&mut chunk) => {
                    let count = count?;
                    let bytes = chunk.get(..count).filter(|bytes| !bytes.is_empty()).ok_or(ReadEnd::Lost)?;
                    self.decoder.push(bytes);
                    has_looked = false;
                    fit(&mut chunk, count);
                    if chunk.len() <= IDLE_BUFFER_BYTES {
                        plaintext.shrink_to(IDLE_BUFFER_BYTES);
                    }
                }
                // What has come counts before the time: a relay that was busy, or asleep, must not take its own
                // silence for the client's. So the event loop looks at the socket once more.
                () = &mut timer => {
                    if !std::mem::replace(&mut has_looked, true) {
                        tokio::task::yield_now().await;
                        continue;
                    }
                    has_looked = false;
                    match silence.check(Instant::now()) {
                        Due::Nothing => {}
                        // A full queue has a Ping or Pong in it already.
                        Due::Ping => drop(self.local.try_send(LinkMessage::Ping(PING))),
                        Due::Dead => return Err(ReadEnd::Dead),
                        Due::HalfFrame => return Err(ReadEnd::HalfFrame),
                    }
                    timer.as_mut().reset(silence.next_check().into());
                }
            }
        }
    }

    /// Answers what is the link's own business; all else is the router's.
    async fn pass_on(&self, message: LinkMessage, now: Instant) -> Result<(), ReadEnd> {
        if let LinkMessage::Ping(x) = message {
            return self.local.send(LinkMessage::Pong(x)).await.map_err(|_| ReadEnd::RouterGone);
        }
        if matches!(message, LinkMessage::Logout(_)) {
            return Err(ReadEnd::Logout);
        }
        if matches!(message, LinkMessage::Pong(_)) {
            self.pongs.notify_waiters();
            return Ok(());
        }
        self.router.send(Input::Message(self.id, message, now)).await.map_err(|_| ReadEnd::RouterGone)
    }
}

/// Fits a read buffer to what reads bring: a busy link reads much at once, an idle one keeps little.
fn fit(chunk: &mut Vec<u8>, count: usize) {
    const MUCH_TOO_LARGE: usize = 8;
    if count == chunk.len() {
        let wider = chunk.len().saturating_mul(2).min(READ_BYTES);
        chunk.resize(wider, 0);
    } else if chunk.len() > IDLE_BUFFER_BYTES && count < chunk.len() / MUCH_TOO_LARGE {
        chunk.truncate(IDLE_BUFFER_BYTES);
        chunk.shrink_to_fit();
    }
}
