//! A frontend's connection to the daemon: commands out, replies and events in.
//!
//! One task owns a [`Client`]. [`Client::call`] and [`Client::next_event`] are enough for most frontends; one that
//! must not wait for its own commands uses [`Client::send`] and [`Client::next`].

use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::time::Instant;
use zeroize::Zeroize as _;

use crate::codec::{self, CodecError, MAX_REQUEST_BYTES, MAX_SERVER_MESSAGE_BYTES};
use crate::hello::{Hello, Verdict};
use crate::paths::Paths;
use crate::reply::ServerMessage;
use crate::transport::{self, FrameReader, TransportError};
use crate::{Command, CommandError, Event, Reply, Request, Snapshot};

/// A connection to the daemon.
#[derive(Debug)]
pub struct Client {
    socket: PathBuf,
    daemon: Hello,
    input: FrameReader<OwnedReadHalf>,
    output: OwnedWriteHalf,
    unsent: VecDeque<u8>,
    next_id: u64,
    /// Events that arrived while a call waited for its reply.
    events: VecDeque<(u64, Event)>,
    /// The last event's number, once subscribed.
    sequence: Option<u64>,
}

/// What the daemon sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Incoming {
    /// The answer to the request with this id.
    Reply {
        /// What [`Client::send`] returned.
        id: u64,
        /// Its outcome.
        result: Result<Reply, CommandError>,
    },
    /// A change.
    Event {
        /// One more than the event before.
        sequence: u64,
        /// What changed.
        event: Event,
    },
}

impl Client {
    /// Connects to the daemon of the profile that `paths` are of; `program` is what others see as who answered a
    /// request.
    ///
    /// # Errors
    /// [`ClientError`] when there is no daemon, or none that serves this program.
    pub async fn connect(paths: &Paths, program: &str) -> Result<Self, ClientError> {
        Self::connect_to(&paths.socket(), program).await
    }

    /// Connects to the daemon behind `socket`.
    ///
    /// # Errors
    /// As [`Self::connect`].
    pub async fn connect_to(socket: &Path, program: &str) -> Result<Self, ClientError> {
        let stream = transport::connect(socket).await.map_err(|source| {
            let socket = socket.to_owned();
            if NOBODY_THERE.contains(&source.kind()) {
                ClientError::NoDaemon { socket }
            } else {
                ClientError::Unreachable { socket, source }
            }
        })?;
        let (mut input, mut output) = stream.into_split();
        let own = Hello::new(program, env!("CARGO_PKG_VERSION"));
        let (daemon, verdict) = transport::introduce(&mut input, &mut output, &own)
            .await
            .map_err(|source| ClientError::NotADaemon { socket: socket.to_owned(), source })?;
        match verdict {
            Some(Verdict::Served) => {}
            Some(Verdict::FrontendNewer) => return Err(ClientError::DaemonOlder { daemon, own }),
            other => return Err(ClientError::NotServed { verdict: other }),
        }
        Ok(Self {
            socket: socket.to_owned(),
            daemon,
            input: FrameReader::new(input, MAX_SERVER_MESSAGE_BYTES),
            output,
            unsent: VecDeque::new(),
            next_id: 1,
            events: VecDeque::new(),
            sequence: None,
        })
    }

    /// The daemon's hello.
    #[must_use]
    pub fn daemon(&self) -> &Hello {
        &self.daemon
    }

    /// Sends a command and waits for its outcome. `timeout` is the daemon's time limit for it, zero its default; a
    /// daemon that does not keep it is given two seconds more. Not cancel-safe: the outcome is lost, not the command.
    ///
    /// # Errors
    /// [`ClientError::Command`] when the daemon says no; else what happened to the connection.
    pub async fn call(&mut self, command: Command, timeout: Duration) -> Result<Reply, ClientError> {
        let patience = patience(&command, timeout);
        let wanted = self.send(command, timeout)?;
        let deadline = Instant::now() + patience;
        loop {
            match tokio::time::timeout_at(deadline, self.receive()).await {
                Err(_) => return Err(ClientError::NoAnswer { waited: patience }),
                Ok(Err(error)) => return Err(error),
                Ok(Ok(Incoming::Reply { id, result })) if id == wanted => {
                    return result.map_err(ClientError::Command);
                }
                Ok(Ok(Incoming::Reply { .. })) => {}
                Ok(Ok(Incoming::Event { sequence, event })) => {
                    if self.events.len() >= MAX_WAITING_EVENTS {
                        return Err(ClientError::TooManyEvents);
                    }
                    self.events.push_back((sequence, event));
                }
            }
        }
    }

    /// Asks for events: the state now, which [`Snapshot::apply`] keeps current with every [`Self::next_event`].
    ///
    /// # Errors
    /// As [`Self::call`].
    pub async fn subscribe(&mut self) -> Result<Snapshot, ClientError> {
        let Reply::Snapshot(snapshot) = self.call(Command::Subscribe, Duration::ZERO).await? else {
            return Err(CodecError::Unfit.into());
        };
        Ok(*snapshot)
    }

    /// The next event. Cancel-safe. Replies to [`Self::send`] are passed over: use [`Self::next`] for both.
    ///
    /// # Errors
    /// What happened to the connection; after it, connect and subscribe anew.
    pub async fn next_event(&mut self) -> Result<Event, ClientError> {
        loop {
            if let Incoming::Event { event, .. } = self.next().await? {
                return Ok(event);
            }
        }
    }

    /// Puts a command on its way and returns its id; [`Self::next`] or [`Self::call`] sends it off.
    ///
    /// # Errors
    /// [`ClientError::Unfit`] when it is too long; [`ClientError::Busy`] when the daemon has not taken 1 MiB yet.
    pub fn send(&mut self, command: Command, timeout: Duration) -> Result<u64, ClientError> {
        if self.unsent.len() > MAX_UNSENT_BYTES {
            return Err(ClientError::Busy);
        }
        let id = self.next_id;
        self.next_id = self.next_id.wrapping_add(1);
        let timeout_ms = u32::try_from(timeout.as_millis()).unwrap_or(u32::MAX);
        let frame = codec::encode(&Request { id, timeout_ms, command }, MAX_REQUEST_BYTES)?;
        self.unsent.extend(frame.iter());
        Ok(id)
    }

    /// Sends what waits and returns the next reply or event. Cancel-safe.
    ///
    /// # Errors
    /// As [`Self::next_event`].
    pub async fn next(&mut self) -> Result<Incoming, ClientError> {
        match self.events.pop_front() {
            Some((sequence, event)) => Ok(Incoming::Event { sequence, event }),
            None => self.receive().await,
        }
    }

    /// The next message from the socket; writes meanwhile, so that neither side waits for the other.
    async fn receive(&mut self) -> Result<Incoming, ClientError> {
        loop {
            let body = if self.unsent.is_empty() {
                self.input.next_body().await
            } else {
                let (head, _) = self.unsent.as_slices();
                tokio::select! {
                    written = self.output.write(head) => {
                        let written = written.map_err(|source| closed(&self.socket, source))?;
                        self.unsent.iter_mut().take(written).for_each(|byte| byte.zeroize());
                        self.unsent.drain(..written);
                        continue;
                    }
                    body = self.input.next_body() => body,
                }
            };
            let body = match body {
                Ok(Some(body)) => body,
                Ok(None) => return Err(closed(&self.socket, io::ErrorKind::UnexpectedEof.into())),
                Err(TransportError::Io(source)) => return Err(closed(&self.socket, source)),
                Err(TransportError::Codec(error)) => return Err(error.into()),
            };
            match codec::decode(&body) {
                Ok(ServerMessage::Reply { id, result }) => {
                    if let Ok(Reply::Snapshot(snapshot)) = &result {
                        self.sequence = Some(snapshot.sequence);
                        self.events.clear();
                    }
                    return Ok(Incoming::Reply { id, result });
                }
                Ok(ServerMessage::Event { sequence, event }) => {
                    self.follow(sequence)?;
                    return Ok(Incoming::Event { sequence, event });
                }
                Err(_) if self.skips_newer_event(&body)? => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Whether this is an event that a newer daemon has and this version does not know.
    fn skips_newer_event(&mut self, body: &[u8]) -> Result<bool, ClientError> {
        match body.split_first() {
            Some((&EVENT_TAG, rest)) if self.daemon.version > crate::VERSION => {
                let (sequence, _) = postcard::take_from_bytes(rest).map_err(|_| CodecError::Unfit)?;
                self.follow(sequence)?;
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    fn follow(&mut self, sequence: u64) -> Result<(), ClientError> {
        let expected = self.sequence.map(|last| last.wrapping_add(1));
        if expected.is_some_and(|expected| expected != sequence) {
            return Err(ClientError::EventsLost);
        }
        self.sequence = Some(sequence);
        Ok(())
    }
}

/// Why there is no connection to the daemon, or why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// No socket, or nobody behind it.
    #[error(
        "no daemon is running (no one listens on {}): start it with `systemctl --user start secchatd`, or run `secchatd &`",
        socket.display()
    )]
    NoDaemon {
        /// Where it was looked for.
        socket: PathBuf,
    },
    /// The socket cannot be used.
    #[error("cannot connect to {}: {source}", socket.display())]
    Unreachable {
        /// Which.
        socket: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// What listens there says nothing, or not what a daemon says.
    #[error(
        "what listens on {} is not a working secchatd ({source}): stop it and start secchatd",
        socket.display()
    )]
    NotADaemon {
        /// Where.
        socket: PathBuf,
        /// What it did.
        source: io::Error,
    },
    /// The daemon is older than this program.
    #[error(
        "the running daemon is older ({}, version {} of the local protocol) than this program ({}, version {}): restart it with `systemctl --user restart secchatd`",
        daemon.build, daemon.version, own.build, own.version
    )]
    DaemonOlder {
        /// The daemon.
        daemon: Hello,
        /// This program.
        own: Hello,
    },
    /// The daemon does not serve this program now.
    #[error("the daemon refuses this program: {}", verdict_text(*verdict))]
    NotServed {
        /// Its word; `None` when it is not known here.
        verdict: Option<Verdict>,
    },
    /// The daemon closed the connection.
    #[error("the daemon on {} closed the connection ({source}): see `secchatctl status`", socket.display())]
    Closed {
        /// Which.
        socket: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// No answer in time.
    #[error("the daemon did not answer within {} s: if it hangs, restart it with `systemctl --user restart secchatd`", waited.as_secs())]
    NoAnswer {
        /// How long.
        waited: Duration,
    },
    /// A message that is none, or too long.
    #[error("the daemon's connection carried {0}")]
    Unfit(#[from] CodecError),
    /// Events are missing between the last one and this one.
    #[error("events were lost: subscribe again")]
    EventsLost,
    /// More events came during a call than are kept.
    #[error("too many events arrived while a command waited: subscribe again")]
    TooManyEvents,
    /// The daemon has not taken what was sent before.
    #[error("the daemon has not taken the commands sent before this one")]
    Busy,
    /// The daemon's own answer.
    #[error(transparent)]
    Command(CommandError),
}

/// What the system says when no daemon runs: no socket, or one that a dead daemon left.
const NOBODY_THERE: [io::ErrorKind; 3] =
    [io::ErrorKind::NotFound, io::ErrorKind::ConnectionRefused, io::ErrorKind::NotADirectory];

/// Events kept while a call waits: the daemon drops a frontend that is 256 behind, and a call that waits for a
/// person's answer may see many.
const MAX_WAITING_EVENTS: usize = 65_536;

/// Bytes of commands not yet taken by the daemon: 32 of the largest texts.
const MAX_UNSENT_BYTES: usize = 1_048_576;

/// What the daemon takes when a request names no time limit.
const DEFAULT_LIMIT: Duration = Duration::from_secs(30);

/// How much later than its limit an answer may come.
const GRACE: Duration = Duration::from_secs(2);

/// postcard's tag of [`ServerMessage::Event`]; its bytes are frozen in a test.
const EVENT_TAG: u8 = 1;

fn patience(command: &Command, timeout: Duration) -> Duration {
    let limit = if !timeout.is_zero() {
        timeout
    } else if let Command::Rtt { lifetime_seconds, wait: true, .. } = command {
        Duration::from_secs(u64::from(*lifetime_seconds))
    } else {
        DEFAULT_LIMIT
    };
    limit.saturating_add(GRACE)
}

fn closed(socket: &Path, source: io::Error) -> ClientError {
    ClientError::Closed { socket: socket.to_owned(), source }
}

fn verdict_text(verdict: Option<Verdict>) -> &'static str {
    match verdict {
        Some(Verdict::TooMany) => "it serves as many as it can: close one of the others",
        Some(Verdict::OtherUser) => "it belongs to another user",
        Some(Verdict::Stopping) => "it is stopping",
        Some(Verdict::NoHello) => "it did not understand the greeting",
        Some(Verdict::Served | Verdict::FrontendNewer) | None => "it is newer and gave a reason unknown here",
    }
}
