//! Records on an open link: opened as they come, sealed as many as are ready.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use secchat_proto::Error;
use secchat_proto::record::{Opener, Sealer};
use secchat_proto::wire::frame::{FrameDecoder, write_frame};
use secchat_proto::wire::link::{Direction, LinkMessage};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::mpsc;
use zeroize::Zeroizing;

use super::{EventSink, LinkEvent};
use crate::core::io::LinkFailure;

/// Hands over every message that comes, until the link ends.
pub(super) async fn read(
    mut input: OwnedReadHalf,
    mut decoder: FrameDecoder,
    mut opener: Opener,
    events: &EventSink,
) -> LinkFailure {
    let mut chunk = vec![0; READ_BYTES];
    let mut plaintext = Zeroizing::new(Vec::new());
    loop {
        loop {
            match next_message(&mut decoder, &mut opener, &mut plaintext) {
                Ok(Some(message)) => events.send(LinkEvent::Message(message)).await,
                Ok(None) => break,
                Err(error) => {
                    return LinkFailure::Failed(format!(
                        "the relay, or somebody on the way, broke the link: {error}"
                    ));
                }
            }
        }
        match input.read(&mut chunk).await {
            Ok(0) if decoder.is_mid_frame() => {
                return LinkFailure::Failed("the relay closed the link in the middle of a frame".to_owned());
            }
            Ok(0) => return LinkFailure::Failed("the relay closed the link".to_owned()),
            Ok(read) => decoder.push(chunk.get(..read).unwrap_or_default()),
            Err(error) => return lost(&error),
        }
    }
}

fn next_message(
    decoder: &mut FrameDecoder,
    opener: &mut Opener,
    plaintext: &mut Vec<u8>,
) -> Result<Option<LinkMessage>, Error> {
    let Some(record) = decoder.next_frame()? else { return Ok(None) };
    opener.open(record, plaintext)?;
    LinkMessage::decode(plaintext, Direction::FromRelay).map(Some)
}

/// Writes every message that is ready in one go, until the hub lets go of the link.
pub(super) async fn write(
    mut output: OwnedWriteHalf,
    mut sealer: Sealer,
    mut outbox: mpsc::Receiver<Vec<u8>>,
    queued_bytes: &AtomicUsize,
) -> LinkFailure {
    let (mut batch, mut record, mut out) = (Vec::new(), Vec::new(), Vec::new());
    loop {
        if outbox.recv_many(&mut batch, BATCH_MESSAGES).await == 0 {
            // The other side may be gone already; then there is nobody to tell.
            let _ = output.shutdown().await;
            return LinkFailure::Closed;
        }
        for plaintext in batch.drain(..) {
            queued_bytes.fetch_sub(plaintext.len(), Ordering::Relaxed);
            record.clear();
            if let Err(error) =
                sealer.seal(&plaintext, &mut record).and_then(|()| write_frame(&record, &mut out))
            {
                return LinkFailure::Failed(format!("a message could not be sealed: {error}"));
            }
        }
        match tokio::time::timeout(WRITE_TIMEOUT, output.write_all(&out)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return lost(&error),
            Err(_) => return LinkFailure::Failed("the relay does not take what is sent to it".to_owned()),
        }
        out.clear();
        out.shrink_to(KEPT_BYTES);
    }
}

fn lost(error: &std::io::Error) -> LinkFailure {
    LinkFailure::Failed(format!("the link to the relay was lost: {error}"))
}

/// Bytes taken from the socket at once.
const READ_BYTES: usize = 16 * 1024;
/// Messages sealed into one write at most.
const BATCH_MESSAGES: usize = 64;
/// Bytes of the write buffer kept between writes.
const KEPT_BYTES: usize = 64 * 1024;
/// How long one write may take: as long as the core waits for a sign of life, and some.
const WRITE_TIMEOUT: Duration = Duration::from_secs(90);
