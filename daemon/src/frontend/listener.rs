//! The socket that frontends connect to: the daemon's own, or the one that systemd opened.
//!
//! Never takes the socket of a living daemon, and never serves another user.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};

use interprocess::local_socket::tokio::{Listener as LocalListener, Stream as LocalStream};
use interprocess::local_socket::traits::StreamCommon as _;
use interprocess::local_socket::traits::tokio::Listener as _;
use interprocess::local_socket::{GenericFilePath, ListenerOptions, ToFsName as _};
use interprocess::os::unix::local_socket::ListenerOptionsExt as _;
use tokio::net::UnixStream;

use crate::permissions::SECRET_FILE_MODE;
use crate::state_folder::{FolderLock, StateError, with_pid};

/// A listening socket.
#[derive(Debug)]
pub(crate) struct Listener {
    // Dropped first: the socket's file goes while the lock still keeps others out.
    socket: LocalListener,
    _lock: Option<FolderLock>,
}

/// A frontend that connected, not greeted yet.
#[derive(Debug)]
pub(crate) struct Arrival {
    /// The connection.
    pub(crate) stream: UnixStream,
    /// Its process.
    pub(crate) pid: u32,
    /// Whether it runs as this user.
    pub(crate) is_ours: bool,
}

/// Why there is no socket.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// The folder, or another daemon's lock on it.
    #[error(transparent)]
    Folder(#[from] StateError),
    /// Something serves the socket already.
    #[error("another daemon{} serves {}: stop it first, or use another --profile", with_pid(*pid), path.display())]
    InUse {
        /// Which socket.
        path: PathBuf,
        /// The other process, if the system tells.
        pid: Option<u32>,
    },
    /// A file that is no socket is in the way.
    #[error("{} is in the way and is no socket: move it away", path.display())]
    NoSocket {
        /// Which file.
        path: PathBuf,
    },
    /// The path does not fit a socket's address.
    #[error(
        "the socket's path {} is longer than the system allows (107 bytes): set XDG_RUNTIME_DIR to a shorter one",
        path.display()
    )]
    PathTooLong {
        /// Which path.
        path: PathBuf,
    },
    /// The system refuses.
    #[error("cannot listen on {}: {source}", path.display())]
    Refused {
        /// Which socket.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl Listener {
    /// Makes the daemon's own socket, in place of one that a dead daemon left.
    pub(crate) fn own(path: &Path) -> Result<Self, ListenError> {
        let folder = path.parent().unwrap_or_else(|| Path::new("/"));
        let lock = FolderLock::take(folder, LOCK_FILE)?;
        // Under the lock, so that of two daemons that find a stale socket only one takes its place.
        let socket = match bind(path) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                remove_stale(path)?;
                bind(path)
            }
            other => other,
        };
        match socket {
            Ok(socket) => Ok(Self { socket, _lock: Some(lock) }),
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
                Err(ListenError::PathTooLong { path: path.to_owned() })
            }
            Err(source) => Err(ListenError::Refused { path: path.to_owned(), source }),
        }
    }

    /// Serves a socket that systemd opened, and leaves its file alone.
    pub(crate) fn activated(socket: std::os::unix::net::UnixListener) -> io::Result<Self> {
        let socket =
            interprocess::os::unix::uds_local_socket::tokio::Listener::try_from(OwnedFd::from(socket))?;
        Ok(Self { socket: socket.into(), _lock: None })
    }

    /// The next frontend. Who it is cannot be asked of some connection: that one is closed, and no other waits for
    /// it. Cancel-safe.
    pub(crate) async fn accept(&self) -> io::Result<Arrival> {
        loop {
            let stream = self.socket.accept().await?;
            match arrived(stream) {
                Ok(arrival) => return Ok(arrival),
                Err(error) => {
                    tracing::warn!(%error, "a frontend is turned away: the system does not say whose it is")
                }
            }
        }
    }
}

fn arrived(stream: LocalStream) -> io::Result<Arrival> {
    let credentials = stream.peer_creds()?;
    let is_ours = is_same_user(credentials.euid(), rustix::process::geteuid().as_raw());
    let pid = credentials.pid().and_then(|pid| u32::try_from(pid).ok()).unwrap_or(0);
    let LocalStream::UdSocket(stream) = stream;
    Ok(Arrival { stream: UnixStream::from(stream), pid, is_ours })
}

/// Whom the system does not name is nobody of ours; root is another user like any.
fn is_same_user(theirs: Option<u32>, ours: u32) -> bool {
    theirs == Some(ours)
}

fn bind(path: &Path) -> io::Result<LocalListener> {
    // The mode is set before the name appears.
    ListenerOptions::new().name(path.to_fs_name::<GenericFilePath>()?).mode(SECRET_FILE_MODE).create_tokio()
}

/// Removes a socket that nobody serves.
fn remove_stale(path: &Path) -> Result<(), ListenError> {
    use interprocess::local_socket::traits::Stream as _;
    let refused = |source| ListenError::Refused { path: path.to_owned(), source };
    let is_socket = path.symlink_metadata().map_err(refused)?.file_type().is_socket();
    if !is_socket {
        return Err(ListenError::NoSocket { path: path.to_owned() });
    }
    let name = path.to_fs_name::<GenericFilePath>().map_err(refused)?;
    match interprocess::local_socket::Stream::connect(name) {
        Ok(stream) => {
            let pid =
                stream.peer_creds().ok().and_then(|creds| creds.pid()).and_then(|pid| pid.try_into().ok());
            Err(ListenError::InUse { path: path.to_owned(), pid })
        }
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            std::fs::remove_file(path).map_err(refused)
        }
        Err(error) => Err(refused(error)),
    }
}

const LOCK_FILE: &str = "secchatd.sock.lock";

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn place() -> (tempfile::TempDir, PathBuf) {
        let top = tempfile::Builder::new().prefix("sc").tempdir_in("/tmp").unwrap();
        let path = top.path().join("run/secchatd.sock");
        (top, path)
    }

    #[tokio::test]
    async fn the_socket_is_private_and_goes_with_the_daemon() {
        let (_top, path) = place();
        let listener = Listener::own(&path).unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o7777;
        assert_eq!(mode(&path), 0o600);
        assert_eq!(mode(path.parent().unwrap()), 0o700);
        let (arrival, client) = tokio::join!(listener.accept(), UnixStream::connect(&path));
        let arrival = arrival.unwrap();
        assert!(arrival.is_ours);
        assert_eq!(arrival.pid, std::process::id());
        drop((client, listener));
        assert!(!path.exists());
    }

    #[test]
    fn nobody_but_this_user_is_ours() {
        assert!(is_same_user(Some(1_000), 1_000) && is_same_user(Some(0), 0));
        for (theirs, ours) in
            [(Some(1_001), 1_000), (Some(0), 1_000), (Some(1_000), 0), (None, 1_000), (None, 0)]
        {
            assert!(!is_same_user(theirs, ours), "{theirs:?} at {ours}");
        }
    }

    #[tokio::test]
    async fn a_stale_socket_is_replaced() {
        let (_top, path) = place();
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::set_permissions(path.parent().unwrap(), std::fs::Permissions::from_mode(0o700)).unwrap();
        // std's listener leaves its file behind when it is dropped, as a killed daemon does.
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        assert!(path.exists());
        let listener = Listener::own(&path).unwrap();
        assert!(UnixStream::connect(&path).await.is_ok());
        drop(listener);
    }

    #[tokio::test]
    async fn a_living_daemon_keeps_its_socket() {
        let (_top, path) = place();
        let _first = Listener::own(&path).unwrap();
        let error = Listener::own(&path).unwrap_err();
        assert!(error.to_string().contains(&format!("(process {})", std::process::id())), "{error}");
        assert!(UnixStream::connect(&path).await.is_ok());
    }

    #[tokio::test]
    async fn a_socket_served_without_our_lock_is_kept_too() {
        let (_top, path) = place();
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::set_permissions(path.parent().unwrap(), std::fs::Permissions::from_mode(0o700)).unwrap();
        let other = std::os::unix::net::UnixListener::bind(&path).unwrap();
        let error = Listener::own(&path).unwrap_err();
        assert!(matches!(error, ListenError::InUse { pid: Some(_), .. }), "{error}");
        drop(other);
    }

    #[tokio::test]
    async fn what_is_no_socket_is_not_removed() {
        let (_top, path) = place();
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::set_permissions(path.parent().unwrap(), std::fs::Permissions::from_mode(0o700)).unwrap();
        std::fs::write(&path, "precious").unwrap();
        let error = Listener::own(&path).unwrap_err();
        assert!(matches!(error, ListenError::NoSocket { .. }), "{error}");
        assert_eq!(std::fs::read(&path).unwrap(), b"precious");
    }

    #[tokio::test]
    async fn loose_folders_and_long_paths_are_told() {
        let (top, path) = place();
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::set_permissions(path.parent().unwrap(), std::fs::Permissions::from_mode(0o755)).unwrap();
        let error = Listener::own(&path).unwrap_err();
        assert!(error.to_string().contains("chmod 700"), "{error}");
        let error = Listener::own(&top.path().join("x".repeat(100)).join("s")).unwrap_err();
        assert!(matches!(error, ListenError::PathTooLong { .. }), "{error}");
    }

    #[tokio::test]
    async fn an_activated_socket_is_served_and_left() {
        let (top, _) = place();
        let path = top.path().join("given.sock");
        let listener = Listener::activated(std::os::unix::net::UnixListener::bind(&path).unwrap()).unwrap();
        let (arrival, client) = tokio::join!(listener.accept(), UnixStream::connect(&path));
        assert!(arrival.unwrap().is_ours && client.is_ok());
        drop(listener);
        assert!(path.exists());
    }
}
