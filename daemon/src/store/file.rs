//! The database: rows under their names, all changes of a write or none. Knows nothing of what rows mean.

use redb::{Database, ReadableDatabase as _, ReadableTable as _, TableDefinition, WriteTransaction};

use super::StoreError;
use super::disk::{Disk, OpenError};
use super::seal::RowName;

/// The database and the disk that it is on.
#[derive(Debug)]
pub(super) struct File {
    disk: Box<dyn Disk>,
    /// `None` until it is needed, and after a failure: it is opened anew then, which repairs what was half done.
    database: Option<Database>,
}

/// Everything in it, sealed as it is.
#[derive(Debug, Default)]
pub(super) struct Content {
    /// The number of the format; `None` in a new file.
    pub(super) format: Option<u32>,
    /// The file key under the identity's.
    pub(super) file_key: Option<Vec<u8>>,
    /// The lock key under the file key.
    pub(super) lock_key: Option<Vec<u8>>,
    /// The rows.
    pub(super) rows: Vec<(RowName, Vec<u8>)>,
}

/// What one write does.
#[derive(Debug, Default)]
pub(super) struct Batch {
    /// Rows to put (`Some`) and to take away.
    pub(super) rows: Vec<(RowName, Option<Vec<u8>>)>,
    /// A file key to set, and with it the format.
    pub(super) file_key: Option<Vec<u8>>,
    /// A lock key to set (`Some`) or to take away.
    pub(super) lock_key: Option<Option<Vec<u8>>>,
}

impl File {
    pub(super) fn new(disk: Box<dyn Disk>) -> Self {
        Self { disk, database: None }
    }

    /// Reads everything.
    pub(super) fn read(&mut self) -> Result<Content, ReadError> {
        // A database that is damaged in places that no checksum covers may panic when read.
        let read = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| self.try_read()));
        let result =
            read.unwrap_or_else(|_| Err(ReadError::Broken("its pages contradict each other".into())));
        if result.is_err() {
            self.database = None;
        }
        result
    }

    fn try_read(&mut self) -> Result<Content, ReadError> {
        let transaction = self.open()?.begin_read().map_err(|error| broken(&error))?;
        let mut content = Content::default();
        match transaction.open_table(KEYS) {
            Ok(keys) => {
                let value = |name| keys.get(name).map(|value| value.map(|value| value.value().to_vec()));
                let format = value(FORMAT_KEY).map_err(|error| broken(&error))?;
                content.format = match format.map(<[u8; 4]>::try_from) {
                    Some(Ok(bytes)) => Some(u32::from_be_bytes(bytes)),
                    Some(Err(_)) => return Err(ReadError::Broken("it names no format".into())),
                    None => None,
                };
                content.file_key = value(FILE_KEY).map_err(|error| broken(&error))?;
                content.lock_key = value(LOCK_KEY).map_err(|error| broken(&error))?;
            }
            Err(redb::TableError::TableDoesNotExist(_)) => return Ok(content),
            Err(error) => return Err(broken(&error)),
        }
        let rows = transaction.open_table(ROWS).map_err(|error| broken(&error))?;
        for row in rows.iter().map_err(|error| broken(&error))? {
            let (name, value) = row.map_err(|error| broken(&error))?;
            content.rows.push((name.value(), value.value().to_vec()));
        }
        Ok(content)
    }

    /// Reads these rows, as far as they are there.
    pub(super) fn rows(
        &mut self,
        names: impl Iterator<Item = RowName>,
    ) -> Result<Vec<(RowName, Vec<u8>)>, ReadError> {
        let transaction = self.open()?.begin_read().map_err(|error| broken(&error))?;
        let rows = transaction.open_table(ROWS).map_err(|error| broken(&error))?;
        let mut found = Vec::new();
        for name in names {
            if let Some(row) = rows.get(name).map_err(|error| broken(&error))? {
                found.push((name, row.value().to_vec()));
            }
        }
        Ok(found)
    }

    /// Freed pages keep what was in them: the file is written anew without them.
    pub(super) fn forget_deleted(&mut self) {
        if let Err(error) = self.rewrite() {
            tracing::warn!(%error, "what was deleted may still be in the file, sealed, until the next lock or unlock");
        }
    }

    /// Writes what is there into a new file, in the place of this one: what was deleted is gone from the disk then.
    fn rewrite(&mut self) -> Result<(), StoreError> {
        let path = self.disk.path().to_owned();
        let content = self.read().map_err(|error| match error {
            ReadError::Broken(why) | ReadError::Failed(why) => {
                StoreError::Unwritable { path: path.clone(), why }
            }
        })?;
        let batch = Batch {
            rows: content.rows.into_iter().map(|(name, row)| (name, Some(row))).collect(),
            file_key: content.file_key,
            lock_key: content.lock_key.map(Some),
        };
        // Closed first: two open files would be two databases.
        self.database = None;
        let replaced = self.disk.replace(&|database| commit(database, &batch));
        replaced.map_err(|why| StoreError::Unwritable { path, why })
    }

    /// Writes all of it, or nothing: on the disk when this returns.
    pub(super) fn write(&mut self, batch: &Batch) -> Result<(), StoreError> {
        let written = self.try_write(batch);
        if written.is_err() {
            self.database = None;
        }
        written.map_err(|why| StoreError::Unwritable { path: self.disk.path().to_owned(), why })
    }

    fn try_write(&mut self, batch: &Batch) -> Result<(), String> {
        let database = self.open().map_err(|error| match error {
            ReadError::Broken(why) | ReadError::Failed(why) => why,
        })?;
        commit(database, batch)
    }

    fn open(&mut self) -> Result<&Database, ReadError> {
        let database = match self.database.take() {
            Some(database) => database,
            None => self.disk.open().map_err(|error| match error {
                OpenError::Broken(why) => ReadError::Broken(why),
                OpenError::Failed(why) => ReadError::Failed(why),
            })?,
        };
        Ok(self.database.insert(database))
    }

    /// The disk; the database is closed meanwhile.
    pub(super) fn closed(&mut self) -> &dyn Disk {
        self.database = None;
        self.disk.as_ref()
    }

    pub(super) fn path(&self) -> &std::path::Path {
        self.disk.path()
    }
}

/// Why it cannot be read.
#[derive(Debug)]
pub(super) enum ReadError {
    /// It is not whole.
    Broken(String),
    /// The disk, or another process: it may pass.
    Failed(String),
}

/// What goes wrong while reading an open database is damage, unless the disk says otherwise.
fn broken(error: &dyn std::error::Error) -> ReadError {
    ReadError::Broken(error.to_string())
}

fn commit(database: &Database, batch: &Batch) -> Result<(), String> {
    let transaction = database.begin_write().map_err(|error| error.to_string())?;
    fill(&transaction, batch).map_err(|error| error.to_string())?;
    transaction.commit().map_err(|error| error.to_string())
}

fn fill(transaction: &WriteTransaction, batch: &Batch) -> Result<(), redb::Error> {
    let mut keys = transaction.open_table(KEYS)?;
    if let Some(file_key) = &batch.file_key {
        keys.insert(FORMAT_KEY, FORMAT.to_be_bytes().as_slice())?;
        keys.insert(FILE_KEY, file_key.as_slice())?;
    }
    match &batch.lock_key {
        Some(Some(lock_key)) => drop(keys.insert(LOCK_KEY, lock_key.as_slice())?),
        Some(None) => drop(keys.remove(LOCK_KEY)?),
        None => {}
    }
    let mut rows = transaction.open_table(ROWS)?;
    for (name, row) in &batch.rows {
        match row {
            Some(row) => drop(rows.insert(name, row.as_slice())?),
            None => drop(rows.remove(name)?),
        }
    }
    Ok(())
}

/// Rises when an older secchatd would misread the file.
pub(super) const FORMAT: u32 = 1;
const KEYS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("keys");
const ROWS: TableDefinition<'_, RowName, &[u8]> = TableDefinition::new("rows");
const FORMAT_KEY: &str = "format";
const FILE_KEY: &str = "file key";
const LOCK_KEY: &str = "lock key";
