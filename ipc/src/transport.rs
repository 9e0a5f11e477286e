//! Moves frames over any async stream, and shakes hands: shared by the daemon and its frontends.
//!
//! Holds no policy but the hello's deadline; who may connect is the listener's business.

use std::io;
use std::path::Path;
use std::time::Duration;

use interprocess::local_socket::tokio::Stream;
use interprocess::local_socket::traits::StreamCommon as _;
use interprocess::local_socket::traits::tokio::Stream as _;
use interprocess::local_socket::{GenericFilePath, ToFsName as _};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::UnixStream;
use zeroize::Zeroizing;

use crate::codec::{self, CodecError, FrameDecoder};
use crate::hello::{HELLO_BYTES, Hello, Verdict};

/// Reads frames from a stream; holds a partial one in itself, so that a cancelled wait loses nothing.
#[derive(Debug)]
pub struct FrameReader<R> {
    input: R,
    decoder: FrameDecoder,
    chunk: Zeroizing<Vec<u8>>,
}

impl<R: AsyncRead + Unpin> FrameReader<R> {
    /// Reads frames with bodies of at most `limit` bytes ([`codec::MAX_REQUEST_BYTES`] in the daemon,
    /// [`codec::MAX_SERVER_MESSAGE_BYTES`] in a frontend).
    pub fn new(input: R, limit: usize) -> Self {
        Self { input, decoder: FrameDecoder::new(limit), chunk: Zeroizing::new(vec![0; CHUNK_BYTES]) }
    }

    /// The next frame's body; `None` when the stream ended between two frames. Cancel-safe.
    ///
    /// # Errors
    /// [`TransportError::Io`] from the stream, or when it ended inside a frame; [`TransportError::Codec`] when a
    /// length is out of bounds.
    pub async fn next_body(&mut self) -> Result<Option<Zeroizing<Vec<u8>>>, TransportError> {
        loop {
            if let Some(body) = self.decoder.next_body()? {
                return Ok(Some(body));
            }
            let read = self.input.read(&mut self.chunk).await?;
            match self.chunk.get(..read) {
                Some([]) | None if self.decoder.is_at_boundary() => return Ok(None),
                Some([]) | None => return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
                Some(bytes) => self.decoder.extend(bytes),
            }
        }
    }

    /// The next frame's value; `None` when the stream ended between two frames. Cancel-safe.
    ///
    /// # Errors
    /// As [`Self::next_body`]; and [`TransportError::Codec`] when the body is not one value of this type.
    pub async fn next_message<T: DeserializeOwned>(&mut self) -> Result<Option<T>, TransportError> {
        match self.next_body().await? {
            Some(body) => Ok(Some(codec::decode(&body)?)),
            None => Ok(None),
        }
    }
}

/// Writes one value as a frame. Not cancel-safe: a frame may be cut.
///
/// # Errors
/// [`TransportError::Codec`] when it is longer than `limit`, with nothing written; [`TransportError::Io`] from the
/// stream.
pub async fn write_message<W: AsyncWrite + Unpin, T: Serialize + Sync>(
    output: &mut W,
    value: &T,
    limit: usize,
) -> Result<(), TransportError> {
    let frame = codec::encode(value, limit)?;
    output.write_all(&frame).await?;
    output.flush().await?;
    Ok(())
}

/// The daemon's side of the hello: says who it is, reads who asks, answers with a verdict.
///
/// With `refuse` (too many, another user, stopping) it does not wait for the frontend's hello.
///
/// # Errors
/// [`GreetError::Refused`] with the verdict that was sent, after which the caller closes; [`GreetError::Io`].
pub async fn greet<R, W>(
    input: &mut R,
    output: &mut W,
    own: &Hello,
    refuse: Option<Verdict>,
) -> Result<Hello, GreetError>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    output.write_all(&own.encode()).await?;
    let mut bytes = [0; HELLO_BYTES];
    let (verdict, frontend) = if let Some(verdict) = refuse {
        (verdict, None)
    } else {
        match tokio::time::timeout(HELLO_TIME, input.read_exact(&mut bytes)).await {
            Ok(read) => {
                read?;
                match Hello::parse(&bytes) {
                    Ok(hello) if hello.version > own.version => (Verdict::FrontendNewer, None),
                    Ok(hello) => (Verdict::Served, Some(hello)),
                    Err(_) => (Verdict::NoHello, None),
                }
            }
            Err(_) => (Verdict::NoHello, None),
        }
    };
    output.write_all(&[verdict.byte()]).await?;
    output.flush().await?;
    frontend.ok_or(GreetError::Refused(verdict))
}

/// A frontend's side of the hello: the daemon's hello and its verdict, `None` for one that is not known here.
///
/// # Errors
/// Whatever the stream says; [`io::ErrorKind::InvalidData`] when the other end is no daemon of secchat's,
/// [`io::ErrorKind::TimedOut`] when it says nothing.
pub async fn introduce<R, W>(
    input: &mut R,
    output: &mut W,
    own: &Hello,
) -> io::Result<(Hello, Option<Verdict>)>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let exchange = async {
        // A daemon that refuses before it reads may have closed already: what it said counts.
        let written = output.write_all(&own.encode()).await;
        let mut bytes = [0; HELLO_BYTES];
        let mut verdict = [0; 1];
        input.read_exact(&mut bytes).await?;
        let daemon = Hello::parse(&bytes).map_err(|e| io::Error::new(io::ErrorKind::InvalidData, e))?;
        input.read_exact(&mut verdict).await?;
        let [verdict] = verdict;
        let verdict = Verdict::from_byte(verdict);
        if verdict == Some(Verdict::Served) {
            written?;
        }
        Ok((daemon, verdict))
    };
    tokio::time::timeout(HELLO_TIME, exchange)
        .await
        .unwrap_or_else(|_| Err(io::Error::from(io::ErrorKind::TimedOut)))
}

/// Connects to a daemon's socket, which must be this user's.
///
/// # Errors
/// `NotFound` (no socket), `ConnectionRefused` (no daemon behind it), `PermissionDenied` (also when the daemon runs
/// as another user), or whatever else the system says.
pub async fn connect(socket: &Path) -> io::Result<UnixStream> {
    let Stream::UdSocket(stream) = Stream::connect(socket.to_fs_name::<GenericFilePath>()?).await?;
    // A passphrase goes this way: not to somebody who put a socket where ours should be.
    let other_user = || io::Error::new(io::ErrorKind::PermissionDenied, "the daemon there is another user's");
    match stream.peer_creds()?.euid() {
        Some(uid) if uid == rustix::process::geteuid().as_raw() => Ok(UnixStream::from(stream)),
        Some(_) | None => Err(other_user()),
    }
}

/// Why a frame was not moved.
#[derive(Debug, thiserror::Error)]
pub enum TransportError {
    /// The stream failed, or ended inside a frame.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The frame or its value is out of bounds.
    #[error(transparent)]
    Codec(#[from] CodecError),
}

/// Why a frontend is not served.
#[derive(Debug, thiserror::Error)]
pub enum GreetError {
    /// The stream failed.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The frontend was told.
    #[error("refused: {0:?}")]
    Refused(Verdict),
}

/// How long either side waits for the other's hello: a local process answers within milliseconds, a stopped or
/// swapped-out one within this.
pub const HELLO_TIME: Duration = Duration::from_secs(5);

/// Bytes taken from a stream at once: many small requests, or a quarter of the largest text.
const CHUNK_BYTES: usize = 8_192;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::MAX_REQUEST_BYTES;
    use crate::{Command, Request};

    async fn shake(
        daemon_version: u16,
        frontend_version: u16,
    ) -> (Result<Hello, GreetError>, Option<Verdict>) {
        let (daemon_end, frontend_end) = tokio::io::duplex(1_024);
        let (mut dr, mut dw) = tokio::io::split(daemon_end);
        let (mut fr, mut fw) = tokio::io::split(frontend_end);
        let daemon = Hello { version: daemon_version, ..Hello::new("secchatd", "d") };
        let frontend = Hello { version: frontend_version, ..Hello::new("test", "f") };
        let (greeted, introduced) =
            tokio::join!(greet(&mut dr, &mut dw, &daemon, None), introduce(&mut fr, &mut fw, &frontend));
        let (seen, verdict) = introduced.unwrap();
        assert_eq!(seen, daemon, "each side sees the other's version, served or not");
        (greeted, verdict)
    }

    #[tokio::test]
    async fn frontends_that_are_not_newer_are_served() {
        for frontend in [0, 1, 2] {
            let (greeted, verdict) = shake(2, frontend).await;
            assert_eq!(verdict, Some(Verdict::Served));
            assert_eq!(greeted.unwrap().version, frontend);
        }
        let (greeted, verdict) = shake(2, 3).await;
        assert_eq!(verdict, Some(Verdict::FrontendNewer));
        assert!(matches!(greeted, Err(GreetError::Refused(Verdict::FrontendNewer))));
    }

    #[tokio::test]
    async fn garbage_and_silence_are_told_so() {
        let (mut daemon_end, mut stranger) = tokio::io::duplex(1_024);
        let own = Hello::new("secchatd", "d");
        stranger.write_all(&[b'G'; HELLO_BYTES]).await.unwrap();
        let (mut r, mut w) = tokio::io::split(&mut daemon_end);
        let greeted = greet(&mut r, &mut w, &own, None).await;
        assert!(matches!(greeted, Err(GreetError::Refused(Verdict::NoHello))));
        let mut said = vec![0; HELLO_BYTES + 1];
        stranger.read_exact(&mut said).await.unwrap();
        assert_eq!(said[HELLO_BYTES], Verdict::NoHello.byte());
    }

    #[tokio::test]
    async fn a_refusal_needs_no_hello() {
        let (mut daemon_end, mut frontend) = tokio::io::duplex(1_024);
        let (mut r, mut w) = tokio::io::split(&mut daemon_end);
        let greeted = greet(&mut r, &mut w, &Hello::new("secchatd", "d"), Some(Verdict::TooMany)).await;
        assert!(matches!(greeted, Err(GreetError::Refused(Verdict::TooMany))));
        let (mut fr, mut fw) = tokio::io::split(&mut frontend);
        let (_, verdict) = introduce(&mut fr, &mut fw, &Hello::new("f", "f")).await.unwrap();
        assert_eq!(verdict, Some(Verdict::TooMany));
    }

    #[tokio::test]
    async fn a_cancelled_wait_loses_nothing() {
        let (mut sender, receiver) = tokio::io::duplex(4_096);
        let mut reader = FrameReader::new(receiver, MAX_REQUEST_BYTES);
        let request = Request { id: 1, timeout_ms: 0, command: Command::Status };
        let frame = codec::encode(&request, MAX_REQUEST_BYTES).unwrap();
        let (last, first) = frame.split_last().unwrap();
        for byte in first {
            sender.write_all(&[*byte]).await.unwrap();
            let waited = tokio::time::timeout(Duration::from_millis(1), reader.next_body()).await;
            assert!(waited.is_err(), "no frame is complete before its last byte");
        }
        sender.write_all(&[*last]).await.unwrap();
        assert_eq!(reader.next_message::<Request>().await.unwrap(), Some(request));
    }

    #[tokio::test]
    async fn an_end_inside_a_frame_is_an_error() {
        let (mut sender, receiver) = tokio::io::duplex(4_096);
        let mut reader = FrameReader::new(receiver, MAX_REQUEST_BYTES);
        sender.write_all(&[0, 0]).await.unwrap();
        drop(sender);
        assert!(
            matches!(reader.next_body().await, Err(TransportError::Io(e)) if e.kind() == io::ErrorKind::UnexpectedEof)
        );
        let mut reader = FrameReader::new(tokio::io::empty(), MAX_REQUEST_BYTES);
        assert!(matches!(reader.next_body().await, Ok(None)));
    }
}
