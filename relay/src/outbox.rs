//! The writing half of a link: takes every message that is ready, seals them into one buffer with one sealer, and
//! writes once. It never decides what to send, and whoever fills it never waits for it.

use std::io;
use std::time::{Duration, Instant};

use secchat_proto::limits::RECORD_OVERHEAD_BYTES;
use secchat_proto::record::Sealer;
use secchat_proto::wire::link::{LinkMessage, LogoutReason};
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::sync::{mpsc, oneshot};

use crate::limits::{BATCH_BYTES, IDLE_BUFFER_BYTES, LOCAL_QUEUE, Limits};
use crate::metrics::Metrics;
use crate::switchboard::lane::Ticket;
use crate::switchboard::name_list::NameList;

/// What is sent on a link.
#[derive(Debug)]
pub(crate) enum Parcel {
    /// A message.
    Message(LinkMessage),
    /// Names, as many records as they need.
    Names(NameList),
}

/// A parcel on its way to a link, with its place in the queue.
#[derive(Debug)]
pub(crate) struct Outgoing {
    pub(crate) parcel: Parcel,
    pub(crate) ticket: Ticket,
    /// When it was read, if it is a peer's.
    pub(crate) read_at: Option<Instant>,
}

/// The router's end.
#[derive(Debug)]
pub(crate) struct OutboxHandle {
    pub(crate) queue: mpsc::Sender<Outgoing>,
    pub(crate) close: oneshot::Sender<LogoutReason>,
}

/// The link's end.
#[derive(Debug)]
pub(crate) struct Outbox {
    queue: mpsc::Receiver<Outgoing>,
    local: mpsc::Receiver<LinkMessage>,
    close: oneshot::Receiver<LogoutReason>,
}

/// Why a link's writer ended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WriteError {
    /// The socket failed.
    #[error("cannot write: {0}")]
    Socket(#[from] io::Error),
    /// A record could not be sealed.
    #[error("cannot seal: {0}")]
    Seal(#[from] secchat_proto::Error),
    /// Nothing could be written for too long.
    #[error("does not read")]
    Stalled,
    /// The router is gone.
    #[error("the router has ended")]
    RouterGone,
}

/// Empties a link's buffer so that nothing of a message stays in it: a quiet link would keep the name of somebody who has
/// gone long since.
pub(crate) fn wipe(plaintext: &mut Vec<u8>) {
    plaintext.fill(0);
    plaintext.clear();
}

/// An outbox, the router's end of it, and the way for the link's own reader (Ping, Pong).
pub(crate) fn outbox(limits: &Limits) -> (Outbox, OutboxHandle, mpsc::Sender<LinkMessage>) {
    let (queue, messages) = mpsc::channel(limits.link_channel_messages());
    let (local, own) = mpsc::channel(LOCAL_QUEUE);
    let (close, closed) = oneshot::channel();
    (Outbox { queue: messages, local: own, close: closed }, OutboxHandle { queue, close }, local)
}

impl Outbox {
    /// Writes until the router closes the link; then what is queued (unless the link was too slow for it) and the
    /// Logout, and ends the stream.
    ///
    /// # Errors
    /// [`WriteError`].
    pub(crate) async fn run<W>(
        mut self,
        socket: &mut W,
        sealer: Sealer,
        (limits, metrics): (&Limits, &Metrics),
    ) -> Result<(), WriteError>
    where
        W: AsyncWrite + Unpin,
    {
        let mut writer = Writer::new(socket, sealer, (limits.ping_after() + limits.pong_timeout(), metrics));
        let reason = loop {
            if writer.names.is_none() {
                tokio::select! {
                    biased;
                    reason = &mut self.close => break reason.map_err(|_| WriteError::RouterGone)?,
                    Some(message) = self.local.recv() => writer.seal(&message)?,
                    Some(outgoing) = self.queue.recv() => writer.take(outgoing)?,
                }
            }
            self.take_ready(&mut writer)?;
            tokio::select! {
                biased;
                written = writer.flush() => written?,
                reason = &mut self.close => break reason.map_err(|_| WriteError::RouterGone)?,
            }
        };
        let last = self.finish(&mut writer, reason);
        tokio::time::timeout(limits.drain(), last).await.map_err(|_| WriteError::Stalled)?
    }

    /// Seals what is ready, as far as one batch goes.
    fn take_ready<W: AsyncWrite + Unpin>(&mut self, writer: &mut Writer<'_, W>) -> Result<(), WriteError> {
        while let Ok(message) = self.local.try_recv() {
            writer.seal(&message)?;
        }
        loop {
            writer.take_names()?;
            if writer.buffer.len() >= BATCH_BYTES {
                return Ok(());
            }
            let Ok(outgoing) = self.queue.try_recv() else { return Ok(()) };
            writer.take(outgoing)?;
        }
    }

    async fn finish<W: AsyncWrite + Unpin>(
        &mut self,
        writer: &mut Writer<'_, W>,
        reason: LogoutReason,
    ) -> Result<(), WriteError> {
        if reason == LogoutReason::TooSlow {
            // Its memory is needed: it goes now, not when the last bytes have left.
            while self.queue.try_recv().is_ok() {}
        }
        writer.flush().await?;
        if reason != LogoutReason::TooSlow {
            self.take_ready(writer)?;
            while !writer.buffer.is_empty() {
                writer.flush().await?;
                self.take_ready(writer)?;
            }
        }
        writer.seal(&LinkMessage::Logout(reason))?;
        writer.flush().await?;
        Ok(writer.socket.shutdown().await?)
    }
}

/// Seals messages and writes what is sealed.
struct Writer<'a, W> {
    socket: &'a mut W,
    sealer: Sealer,
    /// A message's encoding; reused.
    plaintext: Vec<u8>,
    /// Names of which some are still to be sealed.
    names: Option<(NameList, Ticket)>,
    /// Sealed frames, and how much of them has been written.
    buffer: Vec<u8>,
    written: usize,
    /// The places of what is in the buffer.
    tickets: Vec<Ticket>,
    /// A write that takes longer never ends.
    stall: Duration,
    /// When the first of a peer's messages in the buffer was read.
    read_at: Option<Instant>,
    frames: usize,
    metrics: &'a Metrics,
}

impl<'a, W: AsyncWrite + Unpin> Writer<'a, W> {
    fn new(socket: &'a mut W, sealer: Sealer, (stall, metrics): (Duration, &'a Metrics)) -> Self {
        Self {
            socket,
            sealer,
            plaintext: Vec::new(),
            names: None,
            buffer: Vec::new(),
            written: 0,
            tickets: Vec::new(),
            stall,
            read_at: None,
            frames: 0,
            metrics,
        }
    }

    /// Takes what the queue has, unless it was thrown away. Names come one after the other: those before are sealed.
    fn take(&mut self, outgoing: Outgoing) -> Result<(), WriteError> {
        let Outgoing { parcel, ticket, read_at } = outgoing;
        if ticket.is_void() {
            return Ok(());
        }
        self.read_at = self.read_at.or(read_at);
        match parcel {
            Parcel::Message(message) => {
                self.seal(&message)?;
                self.tickets.push(ticket);
            }
            Parcel::Names(names) => self.names = Some((names, ticket)),
        }
        Ok(())
    }

    /// Seals names, as far as one batch goes.
    fn take_names(&mut self) -> Result<(), WriteError> {
        while self.buffer.len() < BATCH_BYTES
            && let Some((names, _)) = &mut self.names
        {
            match names.next() {
                Some(message) => self.seal(&message)?,
                None => self.tickets.extend(self.names.take().map(|(_, ticket)| ticket)),
            }
        }
        Ok(())
    }

    fn seal(&mut self, message: &LinkMessage) -> Result<(), WriteError> {
        message.encode(&mut self.plaintext);
        let body_bytes = self.plaintext.len().saturating_add(RECORD_OVERHEAD_BYTES);
        let length = u16::try_from(body_bytes).map_err(|_| secchat_proto::Error::Exhausted)?;
        self.buffer.extend_from_slice(&length.to_be_bytes());
        self.frames = self.frames.saturating_add(1);
        let sealed = self.sealer.seal(&self.plaintext, &mut self.buffer);
        wipe(&mut self.plaintext);
        Ok(sealed?)
    }

    /// Writes what is sealed. Cancel-safe: what was written is not written again.
    async fn flush(&mut self) -> Result<(), WriteError> {
        while let Some(rest) = self.buffer.get(self.written..).filter(|rest| !rest.is_empty()) {
            let writing = tokio::time::timeout(self.stall, self.socket.write(rest));
            let count = writing.await.map_err(|_| WriteError::Stalled)??;
            if count == 0 {
                return Err(io::Error::from(io::ErrorKind::WriteZero).into());
            }
            self.written = self.written.saturating_add(count);
        }
        self.metrics.sent.add(std::mem::take(&mut self.frames), self.written);
        if let Some(read_at) = self.read_at.take() {
            self.metrics.note_forwarding(read_at.elapsed());
        }
        // A link that has become quiet does not keep the memory of its busiest moment.
        if self.written <= IDLE_BUFFER_BYTES {
            self.buffer.shrink_to(IDLE_BUFFER_BYTES);
            self.plaintext.shrink_to(IDLE_BUFFER_BYTES);
            self.tickets.shrink_to(IDLE_BUFFER_BYTES / size_of::<Ticket>());
        }
        self.buffer.clear();
        self.written = 0;
        self.tickets.clear();
        Ok(())
    }
}
