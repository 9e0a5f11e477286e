//! The socket's file. Nobody but its owner may use it from the moment it is there; that of a relay that has ended is
//! replaced, that of a living one is not touched.

use std::fs::{DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use tokio::net::UnixListener;

use crate::replacement::{FolderLock, folder_of};

/// A socket that is listened on; its file goes with it.
#[derive(Debug)]
pub(crate) struct AdminSocket {
    listener: UnixListener,
    path: PathBuf,
    /// The file's own number: another relay's socket may be in its place by now.
    inode: u64,
}

/// Why there is no socket.
#[derive(Debug)]
pub(crate) enum SocketError {
    /// A living relay answers there.
    Taken,
    /// The file cannot be made.
    File(io::Error),
}

impl AdminSocket {
    /// Listens at `path`.
    ///
    /// # Errors
    /// [`SocketError`].
    pub(crate) fn bind(path: &Path) -> Result<Self, SocketError> {
        Self::bind_there(path).map_err(|error| {
            if error.kind() == io::ErrorKind::AddrInUse {
                SocketError::Taken
            } else {
                SocketError::File(error)
            }
        })
    }

    fn bind_there(path: &Path) -> io::Result<Self> {
        let folder = folder_of(path);
        if !folder.exists() {
            DirBuilder::new().mode(0o700).create(folder)?;
        }
        // Two relays that start at once would each find the other's socket dead.
        let _lock = FolderLock::take(folder)?;
        if UnixStream::connect(path).is_ok() {
            return Err(io::ErrorKind::AddrInUse.into());
        }
        // Made where nobody else can go, and moved when its rights are right. Short: a socket's path has a bound.
        let hidden = tempfile::Builder::new().prefix(".").rand_bytes(6).tempdir_in(folder)?;
        let made = hidden.path().join("s");
        let listener = UnixListener::bind(&made)?;
        std::fs::set_permissions(&made, Permissions::from_mode(0o600))?;
        let inode = made.symlink_metadata()?.ino();
        std::fs::rename(&made, path)?;
        Ok(Self { listener, path: path.to_owned(), inode })
    }

    /// The next client that may ask: of our own user, or root.
    pub(crate) async fn accept(&self) -> io::Result<tokio::net::UnixStream> {
        let (stream, _) = self.listener.accept().await?;
        let peer = stream.peer_cred()?.uid();
        if peer != 0 && peer != rustix::process::geteuid().as_raw() {
            // It fits into a fresh socket's buffer, or the client has gone.
            let _ = stream.try_write(REFUSAL);
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        Ok(stream)
    }
}

impl Drop for AdminSocket {
    fn drop(&mut self) {
        if self.path.symlink_metadata().is_ok_and(|found| found.ino() == self.inode) {
            // Left behind, it would be found dead, and replaced.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// An answer, as the protocol has it.
const REFUSAL: &[u8] = b"{\"error\":\"only the relay's own user and root may ask\"}\n";

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_dead_socket_is_replaced_and_a_living_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deeper/admin.sock");
        let first = AdminSocket::bind(&path).unwrap();
        let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
        assert!(matches!(AdminSocket::bind(&path), Err(SocketError::Taken)));
        let AdminSocket { listener, .. } = &first;
        drop(listener.local_addr());
        drop(first);
        assert!(!path.exists());

        // What a crash leaves behind.
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        assert!(path.exists());
        let second = AdminSocket::bind(&path).unwrap();
        // An older one that ends late does not take the newer one's file away.
        let older = AdminSocket {
            listener: UnixListener::bind(folder.path().join("x")).unwrap(),
            path: path.clone(),
            inode: second.inode + 1,
        };
        drop(older);
        assert!(path.exists());
        assert_eq!(std::fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "nothing else is left");
    }
}
