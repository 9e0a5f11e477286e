//! Asks a running relay.

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::protocol::{Answer, Request};
use crate::limits::ADMIN_ANSWER_TIMEOUT;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody is there.
    #[error(
        "no relay answers at {socket}; start one with `secchat-relay serve`, or name the configuration of the one that \
         runs with --config, or its socket with --socket", socket = .0.display()
    )]
    NoRelay(PathBuf),
    /// It is somebody else's.
    #[error(
        "the relay at {socket} is another user's: run this as that user, or as root (`ls -l` on the socket shows whose \
         it is)", socket = .0.display()
    )]
    NotAllowed(PathBuf),
    /// It did not go on.
    #[error("the relay at {socket} does not answer: {error}; `systemctl status` or its log may tell why", socket = socket.display())]
    Silent {
        /// Where.
        socket: PathBuf,
        /// Why not.
        error: io::Error,
    },
    /// It answered that it cannot.
    #[error("the relay answers: {0}")]
    Refused(String),
}

/// Asks the relay that answers at `socket`; gives the line of JSON, and what it says.
///
/// # Errors
/// [`ClientError`].
pub fn ask(socket: &Path, request: &Request) -> Result<(String, Answer), ClientError> {
    let stream = UnixStream::connect(socket).map_err(|error| {
        let (kind, socket) = (error.kind(), socket.to_owned());
        if kind == io::ErrorKind::PermissionDenied {
            ClientError::NotAllowed(socket)
        } else if kind == io::ErrorKind::NotFound || kind == io::ErrorKind::ConnectionRefused {
            ClientError::NoRelay(socket)
        } else {
            ClientError::Silent { socket, error }
        }
    })?;
    let silent = |error: io::Error| ClientError::Silent { socket: socket.to_owned(), error };
    let line = talk(stream, request).map_err(silent)?;
    if line.is_empty() {
        return Err(silent(io::ErrorKind::UnexpectedEof.into()));
    }
    match serde_json::from_str(&line).map_err(|error| silent(error.into()))? {
        Answer::Error(error) => Err(ClientError::Refused(error)),
        answer @ (Answer::Status(_) | Answer::Reload(_) | Answer::Inspect(_)) => Ok((line, answer)),
    }
}

fn talk(mut stream: UnixStream, request: &Request) -> io::Result<String> {
    // The relay gives up first.
    let patience = ADMIN_ANSWER_TIMEOUT + Duration::from_secs(10);
    stream.set_read_timeout(Some(patience))?;
    stream.set_write_timeout(Some(patience))?;
    let mut text = serde_json::to_vec(request)?;
    text.push(b'\n');
    // Whom the relay refuses, it does not read from, but it says so.
    let written = stream.write_all(&text);
    let mut line = String::new();
    let read = BufReader::new(stream).read_line(&mut line);
    if line.is_empty() {
        written.and(read)?;
    }
    Ok(line)
}
