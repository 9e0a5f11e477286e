//! Changing an operator's files while a relay reads them: one program at a time, and a reader sees the old content or
//! the new, never a part. Owner, mode and symbolic links stay as they were.

use std::fs::{File, Metadata, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, fchown};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};
use tempfile::NamedTempFile;

/// A folder whose files nobody else changes by these commands; until it is dropped.
#[derive(Debug)]
pub(crate) struct FolderLock(#[expect(dead_code, reason = "its lock ends when it is closed")] File);

impl FolderLock {
    /// Waits for whoever is changing files there, within a bound: anybody who may read the folder can hold it.
    pub(crate) fn take(folder: &Path) -> io::Result<Self> {
        let file = File::open(folder)?;
        let (sender, receiver) = mpsc::sync_channel(1);
        // A lock cannot be waited for within a bound but by a thread, which ends with the process at the latest.
        std::thread::spawn(move || {
            let locked = flock(&file, FlockOperation::LockExclusive).map(|()| file);
            let _ = sender.send(locked);
        });
        match receiver.recv_timeout(PATIENCE) {
            Ok(locked) => Ok(Self(locked?)),
            Err(_) => Err(io::Error::new(
                io::ErrorKind::ResourceBusy,
                "another program has been changing files there for a while; try again when it has ended \
                 (`fuser -v` on the folder shows which it is)",
            )),
        }
    }
}

/// A file's new content, on the disk beside the old one, and not in its place yet.
#[derive(Debug)]
pub(crate) struct Replacement {
    file: NamedTempFile,
    path: PathBuf,
}

impl Replacement {
    /// Writes `content` beside `path`, with the owner and mode of the file there; `mode` is for one that is not there.
    /// A symbolic link is followed: it stays one.
    pub(crate) fn prepare(path: &Path, content: &[u8], mode: u32) -> io::Result<Self> {
        let (path, old) = match path.canonicalize() {
            Ok(target) => {
                let old = std::fs::metadata(&target)?;
                (target, Some(old))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => (path.to_owned(), None),
            Err(error) => return Err(error),
        };
        if old.as_ref().is_some_and(|old| !old.is_file()) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "is not a file"));
        }
        let mut file = NamedTempFile::new_in(folder_of(&path))
            .map_err(|error| because(error, "a new file cannot be made in its folder"))?;
        file.write_all(content)?;
        let mode = old.as_ref().map_or_else(|| Permissions::from_mode(mode), Metadata::permissions);
        if let Some(old) = &old {
            keep_owner(file.as_file(), old)?;
        }
        // After the owner: a change of owner may take rights away.
        file.as_file().set_permissions(mode)?;
        file.as_file().sync_all()?;
        Ok(Self { file, path })
    }

    /// Puts it in its place, at once.
    pub(crate) fn commit(self) -> io::Result<()> {
        self.file.persist(&self.path).map_err(|refused| {
            if refused.error.kind() == io::ErrorKind::ResourceBusy {
                because(refused.error, "it is mounted by itself, and cannot be replaced; mount its folder")
            } else {
                refused.error
            }
        })?;
        File::open(folder_of(&self.path))?.sync_all()
    }
}

/// Run by root, it still leaves the file to the relay's own user.
fn keep_owner(file: &File, old: &Metadata) -> io::Result<()> {
    let new = file.metadata()?;
    if (new.uid(), new.gid()) == (old.uid(), old.gid()) {
        return Ok(());
    }
    fchown(file, Some(old.uid()), Some(old.gid()))
        .map_err(|error| because(error, "its owner cannot be kept; run this as its owner, or as root"))
}

fn because(error: io::Error, what: &str) -> io::Error {
    io::Error::new(error.kind(), format!("{what}: {error}"))
}

/// The folder of a file; the current one for a bare name.
pub(crate) fn folder_of(file: &Path) -> &Path {
    file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."))
}

/// Far above what a change takes.
const PATIENCE: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::{FolderLock, Replacement};

    #[test]
    fn what_is_prepared_is_not_there_until_it_is_committed() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("file"), folder.path().join("link"));
        std::fs::write(&file, "old").unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o640)).unwrap();
        std::os::unix::fs::symlink("file", &link).unwrap();
        drop(Replacement::prepare(&link, b"never", 0o600).unwrap());
        let new = Replacement::prepare(&link, b"new", 0o600).unwrap();
        assert_eq!(std::fs::read(&file).unwrap(), b"old");
        new.commit().unwrap();
        assert_eq!(std::fs::read(&file).unwrap(), b"new");
        assert!(link.is_symlink());
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o7777, 0o640);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2, "nothing is left behind");
        assert!(Replacement::prepare(folder.path(), b"", 0o600).is_err());
    }

    #[test]
    fn a_new_file_has_the_mode_that_was_asked() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        Replacement::prepare(&file, b"new", 0o604).unwrap().commit().unwrap();
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o7777, 0o604);
    }

    #[test]
    fn a_folder_is_anothers_only_after_the_first_lock_has_ended() {
        let folder = tempfile::tempdir().unwrap();
        let first = FolderLock::take(folder.path()).unwrap();
        let path = folder.path().to_owned();
        let second = std::thread::spawn(move || FolderLock::take(&path).is_ok());
        let other = std::fs::File::open(folder.path()).unwrap();
        assert!(rustix::fs::flock(&other, rustix::fs::FlockOperation::NonBlockingLockExclusive).is_err());
        drop(first);
        assert!(second.join().unwrap());
    }
}
