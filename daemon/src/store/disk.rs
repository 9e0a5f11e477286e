//! The file under the store: opened, and opened anew after it failed; a broken one is set aside, never deleted.

use std::fs::OpenOptions;
use std::io;
use std::path::{Path, PathBuf};

use redb::backends::FileBackend;
use redb::{Builder, Database, DatabaseError, StorageError};

use crate::permissions::open_secret_file;

/// Where the database is.
pub(super) trait Disk: std::fmt::Debug + Send {
    /// Opens the database, or makes an empty one.
    fn open(&self) -> Result<Database, OpenError>;
    /// Puts a database that `fill` fills in the place of what is there, and leaves nothing of that on the disk.
    fn replace(&self, fill: &dyn Fn(&Database) -> Result<(), String>) -> Result<(), String>;
    /// Moves what is there out of the way; says where to.
    fn set_aside(&self, unix: u64) -> io::Result<PathBuf>;
    /// Leaves a copy of what is there; says where.
    fn copy_aside(&self, unix: u64) -> io::Result<PathBuf>;
    /// Deletes what is there.
    fn remove(&self) -> io::Result<()>;
    /// What people call it.
    fn path(&self) -> &Path;
}

/// Why it cannot be opened.
#[derive(Debug)]
pub(super) enum OpenError {
    /// What is there is not a database, or not a whole one.
    Broken(String),
    /// The disk's fault, or another process's: it may pass.
    Failed(String),
}

/// A file.
#[derive(Debug)]
pub(super) struct FileDisk(pub(super) PathBuf);

impl Disk for FileDisk {
    fn open(&self) -> Result<Database, OpenError> {
        if !self.0.exists() {
            self.begin().map_err(|error| OpenError::Failed(error.to_string()))?;
        }
        // Refuses one that others can read or write.
        open_secret_file(&self.0).map_err(|error| OpenError::Failed(error.to_string()))?;
        let file = OpenOptions::new().read(true).write(true).open(&self.0);
        let file = file.map_err(|error| OpenError::Failed(error.to_string()))?;
        builder().create_with_backend(FileBackend::new(file)?).map_err(OpenError::from)
    }

    fn replace(&self, fill: &dyn Fn(&Database) -> Result<(), String>) -> Result<(), String> {
        let old = OpenOptions::new().write(true).open(&self.0).map_err(|error| error.to_string())?;
        let made = self.make(fill).map_err(|error| error.to_string())?;
        let replaced = || -> io::Result<()> {
            made.as_file().sync_all()?;
            made.persist(&self.0)?;
            std::fs::File::open(self.folder())?.sync_all()?;
            wipe(&old)
        };
        replaced().map_err(|error| error.to_string())
    }

    fn set_aside(&self, unix: u64) -> io::Result<PathBuf> {
        let aside = self.aside(unix);
        std::fs::rename(&self.0, &aside).map(|()| aside)
    }

    fn copy_aside(&self, unix: u64) -> io::Result<PathBuf> {
        let aside = self.aside(unix);
        std::fs::copy(&self.0, &aside).map(|_| aside)
    }

    fn remove(&self) -> io::Result<()> {
        match std::fs::remove_file(&self.0) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        std::fs::File::open(self.folder())?.sync_all()
    }

    fn path(&self) -> &Path {
        &self.0
    }
}

impl FileDisk {
    /// Makes an empty database under another name first: a crash leaves no half of one.
    fn begin(&self) -> Result<(), Box<dyn std::error::Error>> {
        self.make(&|_| Ok(()))?.persist_noclobber(&self.0)?;
        Ok(std::fs::File::open(self.folder())?.sync_all()?)
    }

    /// A database of its own, with mode 0600; removed again unless it is given its name.
    fn make(
        &self,
        fill: &dyn Fn(&Database) -> Result<(), String>,
    ) -> Result<tempfile::NamedTempFile, Box<dyn std::error::Error>> {
        let file = tempfile::NamedTempFile::new_in(self.folder())?;
        let database = builder().create_with_backend(FileBackend::new(file.reopen()?)?)?;
        fill(&database)?;
        database.close()?;
        Ok(file)
    }

    fn folder(&self) -> &Path {
        self.0.parent().unwrap_or_else(|| Path::new("/"))
    }

    /// A name that nothing has.
    fn aside(&self, unix: u64) -> PathBuf {
        let named = |at: u64| {
            let mut name = self.0.as_os_str().to_owned();
            name.push(format!(".set-aside-{at}"));
            PathBuf::from(name)
        };
        (unix..).map(named).find(|path| !path.exists()).unwrap_or_else(|| named(unix))
    }
}

/// Overwrites a file that has no name any more.
pub(super) fn wipe(mut file: &std::fs::File) -> io::Result<()> {
    let length = file.metadata()?.len();
    io::copy(&mut io::Read::take(io::repeat(0), length), &mut file)?;
    file.sync_all()
}

/// How databases are opened: the cache is small, because everything is read once, at the unlock.
pub(super) fn builder() -> Builder {
    let mut builder = Builder::new();
    builder.set_cache_size(CACHE_BYTES);
    builder
}

impl From<DatabaseError> for OpenError {
    fn from(error: DatabaseError) -> Self {
        if is_broken(&error) { Self::Broken(error.to_string()) } else { Self::Failed(error.to_string()) }
    }
}

/// Whether the file is to blame, not the disk.
fn is_broken(error: &DatabaseError) -> bool {
    if let DatabaseError::Storage(StorageError::Io(error)) = error {
        return matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof);
    }
    matches!(
        error,
        DatabaseError::Storage(StorageError::Corrupted(_))
            | DatabaseError::UpgradeRequired(_)
            | DatabaseError::RepairAborted
    )
}

/// Bytes of the database's page cache.
const CACHE_BYTES: usize = 1024 * 1024;
