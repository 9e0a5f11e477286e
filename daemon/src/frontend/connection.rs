//! One frontend: greets it, hands its requests to the hub, and writes what the hub has for it.
//!
//! Holds no state of the daemon's; whatever happens here ends this connection only.

use secchat_ipc::codec::MAX_REQUEST_BYTES;
use secchat_ipc::hello::{Hello, Verdict};
use secchat_ipc::transport::{FrameReader, GreetError, TransportError, greet};
use secchat_ipc::{Request, VERSION};
use tokio::io::{AsyncWriteExt as _, BufWriter};
use tokio::net::unix::OwnedWriteHalf;
use tokio::sync::{Semaphore, mpsc, oneshot};

use super::listener::Arrival;
use crate::core::io::Frontend;
use crate::hub::{Frame, Message};

/// Serves a frontend until it leaves, breaks the contract, is cut off, or the daemon stops.
pub(crate) async fn serve(
    connection: u64,
    arrival: Arrival,
    refuse: Option<Verdict>,
    hub: mpsc::Sender<Message>,
) {
    let Arrival { stream, pid, is_ours } = arrival;
    let refuse = if is_ours { refuse } else { Some(Verdict::OtherUser) };
    let (mut input, mut output) = stream.into_split();
    let own = Hello { version: VERSION, ..Hello::new("secchatd", env!("CARGO_PKG_VERSION")) };
    let frontend = match greet(&mut input, &mut output, &own, refuse).await {
        Ok(hello) => Frontend { connection, name: hello.program, pid },
        Err(GreetError::Refused(verdict)) => {
            tracing::warn!(pid, ?verdict, "a frontend is not served");
            return;
        }
        Err(GreetError::Io(error)) => {
            tracing::debug!(pid, %error, "a frontend left during the greeting");
            return;
        }
    };
    let (outbox, frames) = mpsc::channel(EVENT_QUEUE);
    let (cut_off, mut cut) = oneshot::channel();
    let name = frontend.name.clone();
    let places = Semaphore::new(REQUESTS);
    if hub.send(Message::Attach { frontend, outbox, cut_off }).await.is_err() {
        return;
    }
    let end = tokio::select! {
        end = read(connection, FrameReader::new(input, MAX_REQUEST_BYTES), &hub, &places) => end,
        end = write(output, frames, &places) => end,
        Ok(why) = &mut cut => End::CutOff(why),
    };
    match end {
        End::Left => tracing::debug!(pid, name, "a frontend left"),
        End::Misbehaved(error) => tracing::warn!(pid, name, %error, "a frontend is cut off: it sent garbage"),
        End::CutOff(why) => tracing::warn!(pid, name, "a frontend is cut off: {why}"),
    }
}

/// Why a connection ends.
enum End {
    Left,
    Misbehaved(TransportError),
    CutOff(&'static str),
}

async fn read(
    connection: u64,
    mut input: FrameReader<tokio::net::unix::OwnedReadHalf>,
    hub: &mpsc::Sender<Message>,
    places: &Semaphore,
) -> End {
    loop {
        // Given back when the answer is written: who sends requests and reads no answers is not read either.
        let Ok(place) = places.acquire().await else { return End::Left };
        place.forget();
        match input.next_message::<Request>().await {
            Ok(Some(request)) => {
                if hub.send(Message::Request { connection, request }).await.is_err() {
                    return End::Left;
                }
            }
            Ok(None) | Err(TransportError::Io(_)) => return End::Left,
            Err(error @ TransportError::Codec(_)) => return End::Misbehaved(error),
        }
    }
}

async fn write(output: OwnedWriteHalf, mut frames: mpsc::Receiver<Frame>, places: &Semaphore) -> End {
    let mut output = BufWriter::new(output);
    let mut batch = Vec::new();
    while frames.recv_many(&mut batch, EVENT_QUEUE).await > 0 {
        for frame in batch.drain(..) {
            if output.write_all(&frame.bytes).await.is_err() {
                return End::Left;
            }
            if frame.is_answer {
                places.add_permits(1);
            }
        }
        if output.flush().await.is_err() {
            return End::Left;
        }
    }
    End::Left
}

/// Requests of a frontend between its sending and the answer's writing at most. Half of the queue below, so that
/// answers alone never fill it.
const REQUESTS: usize = EVENT_QUEUE / 2;
/// Frames that wait for a frontend at most: a burst of a busy chat. Behind that it is cut off, and comes back to a
/// fresh snapshot.
const EVENT_QUEUE: usize = 256;
