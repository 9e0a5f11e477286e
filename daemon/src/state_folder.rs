//! The state folder: the newest CRL, and the lock that keeps a second daemon out of it and of the store.
//!
//! A file is replaced whole or stays as it was.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use secchat_ipc::paths::create_private_folder;

use crate::permissions::{PermissionError, SECRET_FILE_MODE, check_private_folder, open_secret_file};

/// The state folder of a running daemon; no other daemon uses it meanwhile.
#[derive(Debug)]
pub struct StateFolder {
    path: PathBuf,
    _lock: FolderLock,
}

/// A folder's lock file, held until dropped, with this process's id in it.
#[derive(Debug)]
pub(crate) struct FolderLock(File);

/// Why the state cannot be kept or read.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// Another daemon uses the folder.
    #[error(
        "another secchatd{} uses {}: stop it first, or use another --profile",
        with_pid(*pid),
        folder.display()
    )]
    InUse {
        /// Which folder.
        folder: PathBuf,
        /// The other daemon's process, if its lock file tells.
        pid: Option<u32>,
    },
    /// Others can reach it.
    #[error(transparent)]
    Permissions(#[from] PermissionError),
    /// The folder cannot be made or its lock not be taken.
    #[error("cannot use the folder {}: {source}", folder.display())]
    Unusable {
        /// Which folder.
        folder: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file cannot be written; what was there before is still there.
    #[error("cannot write {}: {source}; what it held before is still there", path.display())]
    Unwritable {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl StateFolder {
    /// Makes the folder if it is not there, and locks it.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn open(path: &Path) -> Result<Self, StateError> {
        let lock = FolderLock::take(path, LOCK_FILE)?;
        Ok(Self { path: path.to_owned(), _lock: lock })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The newest CRL that the relay handed out, DER.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn kept_crl(&self) -> Result<Option<Vec<u8>>, StateError> {
        kept_crl(&self.path)
    }

    /// Keeps a CRL, DER, in place of the one before.
    ///
    /// # Errors
    /// [`StateError::Unwritable`]; the old one stays then.
    pub fn keep_crl(&self, der: &[u8]) -> Result<(), StateError> {
        self.replace(self.path.join(CRL_FILE), der)
    }

    fn replace(&self, path: PathBuf, content: &[u8]) -> Result<(), StateError> {
        let replaced = || -> io::Result<()> {
            // Made with mode 0600; removed again when anything below fails.
            let mut file = tempfile::NamedTempFile::new_in(&self.path)?;
            file.write_all(content)?;
            file.as_file().sync_all()?;
            file.persist(&path)?;
            File::open(&self.path)?.sync_all()
        };
        replaced().map_err(|source| StateError::Unwritable { path: path.clone(), source })
    }
}

/// The newest CRL that a folder holds, DER: for whoever looks without its lock.
///
/// # Errors
/// [`StateError`].
pub(crate) fn kept_crl(folder: &Path) -> Result<Option<Vec<u8>>, StateError> {
    read(&folder.join(CRL_FILE))
}

impl FolderLock {
    /// Makes the folder if it is not there, and takes its lock.
    pub(crate) fn take(folder: &Path, name: &str) -> Result<Self, StateError> {
        let unusable = |source| StateError::Unusable { folder: folder.to_owned(), source };
        create_private_folder(folder).map_err(unusable)?;
        check_private_folder(folder)?;
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(SECRET_FILE_MODE)
            .open(folder.join(name))
            .map_err(unusable)?;
        if flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
            let mut text = String::new();
            let pid =
                (&mut file).take(16).read_to_string(&mut text).ok().and_then(|_| text.trim().parse().ok());
            return Err(StateError::InUse { folder: folder.to_owned(), pid });
        }
        file.set_len(0).map_err(unusable)?;
        // The process id is for people; without it (a full disk) the lock holds all the same.
        let _ = writeln!(file, "{}", std::process::id());
        Ok(Self(file))
    }
}

impl Drop for FolderLock {
    fn drop(&mut self) {
        // The id of a process that is gone must not be shown to anybody; the lock goes with the file.
        let _ = self.0.set_len(0);
    }
}

/// `" (pid N)"`, when it is known.
pub(crate) fn with_pid(pid: Option<u32>) -> String {
    pid.map(|pid| format!(" (process {pid})")).unwrap_or_default()
}

/// The file's bytes; `None` when it is not there.
fn read(path: &Path) -> Result<Option<Vec<u8>>, StateError> {
    let file = match open_secret_file(path) {
        Ok(file) => file,
        Err(PermissionError::Unopenable { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
            return Ok(None);
        }
        Err(error) => return Err(error.into()),
    };
    let mut bytes = Vec::new();
    file.take(MAX_STATE_BYTES)
        .read_to_end(&mut bytes)
        .map_err(|source| StateError::Unreadable { path: path.to_owned(), source })?;
    Ok(Some(bytes))
}

const CRL_FILE: &str = "newest-crl.der";
const LOCK_FILE: &str = "secchatd.lock";
/// Bytes of a file here at most: a hundred times a large one.
const MAX_STATE_BYTES: u64 = 64 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::permissions::private_tempdir;

    #[test]
    fn what_is_kept_is_private_and_comes_back() {
        let top = private_tempdir();
        let path = top.path().join("a/state");
        let folder = StateFolder::open(&path).unwrap();
        assert_eq!(folder.kept_crl().unwrap(), None);
        for crl in [&b"crl"[..], b"newer"] {
            folder.keep_crl(crl).unwrap();
            assert_eq!(folder.kept_crl().unwrap().as_deref(), Some(crl));
        }
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o7777;
        assert_eq!(mode(&path), 0o700);
        for name in [CRL_FILE, LOCK_FILE] {
            assert_eq!(mode(&path.join(name)), 0o600, "{name}");
        }
        assert_eq!(std::fs::read_dir(&path).unwrap().count(), 2, "no temporary file is left");
    }

    #[test]
    fn a_second_daemon_is_told_of_the_first() {
        let top = private_tempdir();
        let first = StateFolder::open(top.path()).unwrap();
        let error = StateFolder::open(top.path()).unwrap_err();
        assert!(error.to_string().contains(&format!("(process {})", std::process::id())), "{error}");
        drop(first);
        assert!(StateFolder::open(top.path()).is_ok());
    }

    #[test]
    fn a_folder_that_others_enter_is_refused() {
        let top = private_tempdir();
        std::fs::set_permissions(top.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        let error = StateFolder::open(top.path()).unwrap_err();
        assert!(error.to_string().contains("chmod 700"), "{error}");
    }

    #[test]
    fn a_failed_write_leaves_the_old_file() {
        let top = private_tempdir();
        let path = top.path().join("state");
        let folder = StateFolder::open(&path).unwrap();
        folder.keep_crl(b"old").unwrap();
        // A folder in the file's place: the last step, the exchange, fails.
        let (file, kept) = (path.join(CRL_FILE), top.path().join("kept"));
        std::fs::rename(&file, &kept).unwrap();
        std::fs::create_dir(&file).unwrap();
        let error = folder.keep_crl(b"new").unwrap_err();
        assert!(matches!(error, StateError::Unwritable { .. }), "{error}");
        std::fs::remove_dir(&file).unwrap();
        std::fs::rename(&kept, &file).unwrap();
        assert_eq!(folder.kept_crl().unwrap().as_deref(), Some(&b"old"[..]));
        assert_eq!(std::fs::read_dir(&path).unwrap().count(), 2, "no temporary file is left");
    }
}
