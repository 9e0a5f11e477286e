//! The database of the history: sealed texts in the order of their numbers, by peer. Knows nothing of what is in them.

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use redb::{Database, ReadableDatabase as _, ReadableTable as _, TableDefinition, WriteTransaction};

use super::StoreError;
use super::disk::{Disk, OpenError};
use crate::clock;

/// What the disk shows of a peer.
pub(super) type Tag = u128;

/// Texts of one peer, by their numbers.
pub(super) type Texts = (Tag, Range<u64>);

/// The database and the disk that it is on.
#[derive(Debug)]
pub(super) struct HistoryFile {
    disk: Box<dyn Disk>,
    /// `None` until it is needed, and after a failure.
    database: Option<Database>,
    /// What of it a person has to know.
    notices: Vec<String>,
}

/// Why something was not done.
enum Trouble {
    /// It is not whole, or not ours: it is set aside.
    Unfit(String),
    /// It may pass.
    Failed(String),
    /// A later secchatd wrote it.
    TooNew,
}

impl HistoryFile {
    pub(super) fn new(disk: Box<dyn Disk>) -> Self {
        Self { disk, database: None, notices: Vec::new() }
    }

    pub(super) fn path(&self) -> &Path {
        self.disk.path()
    }

    /// What a person has to know; told once.
    pub(super) fn take_notices(&mut self) -> Vec<String> {
        std::mem::take(&mut self.notices)
    }

    /// The last number that was given when something was put into it.
    pub(super) fn last_number(&mut self, owner: u128) -> Result<u64, StoreError> {
        self.with(owner, |database| {
            let transaction = database.begin_read()?;
            let notes = transaction.open_table(NOTES)?;
            let last = notes.get(LAST)?.map(|value| <[u8; 8]>::try_from(value.value()));
            last.transpose().map(|last| last.map_or(0, u64::from_be_bytes)).map_err(|_| misread("number"))
        })
    }

    /// Puts texts in, and notes the last number given: on the disk when this returns.
    pub(super) fn append(
        &mut self,
        owner: u128,
        texts: &[(Tag, u64, Vec<u8>)],
        last: u64,
    ) -> Result<(), StoreError> {
        self.write(owner, |transaction| {
            let mut table = transaction.open_table(TEXTS)?;
            for (tag, number, text) in texts {
                table.insert((*tag, *number), text.as_slice())?;
            }
            transaction.open_table(NOTES)?.insert(LAST, last.to_be_bytes().as_slice())?;
            Ok(())
        })
    }

    /// Shows these texts, the first or the last one first, until `show` has enough.
    pub(super) fn read(
        &mut self,
        owner: u128,
        (tag, numbers): &Texts,
        from_the_end: bool,
        mut show: impl FnMut(u64, &[u8]) -> bool,
    ) -> Result<(), StoreError> {
        self.with(owner, |database| {
            let table = database.begin_read()?.open_table(TEXTS)?;
            let mut range = table.range((*tag, numbers.start)..(*tag, numbers.end))?;
            while let Some(entry) = if from_the_end { range.next_back() } else { range.next() } {
                let (key, text) = entry?;
                if !show(key.value().1, text.value()) {
                    break;
                }
            }
            Ok(())
        })
    }

    /// How many there are of these.
    pub(super) fn count(&mut self, owner: u128, ranges: &[Texts]) -> Result<u64, StoreError> {
        self.with(owner, |database| {
            let table = database.begin_read()?.open_table(TEXTS)?;
            let mut count: u64 = 0;
            for (tag, numbers) in ranges {
                for entry in table.range((*tag, numbers.start)..(*tag, numbers.end))? {
                    entry?;
                    count = count.saturating_add(1);
                }
            }
            Ok(count)
        })
    }

    /// Takes these out, as many as may be held up for at once; of how many of the ranges nothing is left.
    pub(super) fn remove(&mut self, owner: u128, ranges: &[Texts], most: usize) -> Result<usize, StoreError> {
        self.write(owner, |transaction| {
            let mut table = transaction.open_table(TEXTS)?;
            let mut room = most;
            for (at, (tag, numbers)) in ranges.iter().enumerate() {
                let range = table.range((*tag, numbers.start)..(*tag, numbers.end))?;
                let keys: Vec<_> = range
                    .take(room)
                    .map(|entry| entry.map(|(key, _)| key.value()))
                    .collect::<Result<_, _>>()?;
                room = room.saturating_sub(keys.len());
                for key in keys {
                    table.remove(key)?;
                }
                if room == 0 {
                    return Ok(at);
                }
            }
            Ok(ranges.len())
        })
    }

    /// Deletes the whole file.
    pub(super) fn delete(&mut self) -> Result<(), StoreError> {
        self.database = None;
        let path = self.disk.path().to_owned();
        self.disk.remove().map_err(|error| StoreError::Unwritable { path, why: error.to_string() })
    }

    fn write<T>(
        &mut self,
        owner: u128,
        change: impl Fn(&WriteTransaction) -> Result<T, redb::Error>,
    ) -> Result<T, StoreError> {
        self.with(owner, |database| commit(database, &change).map_err(Trouble::in_writing))
    }

    /// Does something with the database; one that is unfit is set aside, and a new one takes its place.
    fn with<T>(
        &mut self,
        owner: u128,
        mut act: impl FnMut(&Database) -> Result<T, Trouble>,
    ) -> Result<T, StoreError> {
        match self.attempt(owner, &mut act) {
            Err(Trouble::Unfit(what)) => {
                self.set_aside(&what)?;
                self.attempt(owner, &mut act).map_err(|trouble| self.explain(trouble))
            }
            result => result.map_err(|trouble| self.explain(trouble)),
        }
    }

    fn attempt<T>(
        &mut self,
        owner: u128,
        act: &mut impl FnMut(&Database) -> Result<T, Trouble>,
    ) -> Result<T, Trouble> {
        // A database that is damaged in places that no checksum covers may panic.
        let done = catch_unwind(AssertUnwindSafe(|| {
            let database = match self.database.take() {
                Some(database) => database,
                None => opened(self.disk.as_ref(), owner)?,
            };
            act(self.database.insert(database))
        }));
        let result = done
            .unwrap_or_else(|_| Err(Trouble::Unfit("is damaged (its pages contradict each other)".into())));
        if result.is_err() {
            self.database = None;
        }
        result
    }

    fn set_aside(&mut self, what: &str) -> Result<(), StoreError> {
        self.database = None;
        let path = self.disk.path().to_owned();
        let aside = self.disk.set_aside(clock::now().unix);
        let aside =
            aside.map_err(|error| StoreError::Unwritable { path: path.clone(), why: error.to_string() })?;
        self.notices.push(format!(
            "{} {what}: it was set aside as {}, and the history starts anew",
            path.display(),
            aside.display()
        ));
        Ok(())
    }

    fn explain(&self, trouble: Trouble) -> StoreError {
        let path = self.disk.path().to_owned();
        match trouble {
            Trouble::Unfit(why) | Trouble::Failed(why) => StoreError::Unwritable { path, why },
            Trouble::TooNew => StoreError::TooNew { path },
        }
    }
}

/// Opens it, and looks whether it is ours.
fn opened(disk: &dyn Disk, owner: u128) -> Result<Database, Trouble> {
    let database = disk.open().map_err(|error| match error {
        OpenError::Broken(why) => Trouble::Unfit(format!("is damaged ({why})")),
        OpenError::Failed(why) => Trouble::Failed(why),
    })?;
    let transaction = database.begin_read()?;
    match transaction.open_table(NOTES) {
        Ok(notes) => {
            let note = |name| notes.get(name).map(|value| value.map(|value| value.value().to_vec()));
            let format = note(FORMAT_NOTE)?.and_then(|bytes| <[u8; 4]>::try_from(bytes).ok());
            if format.map(u32::from_be_bytes).ok_or_else(|| misread("format"))? > FORMAT {
                return Err(Trouble::TooNew);
            }
            if note(OWNER)?.as_deref() != Some(owner.to_be_bytes().as_slice()) {
                return Err(Trouble::Unfit("belongs to another state".into()));
            }
        }
        Err(redb::TableError::TableDoesNotExist(_)) => {
            let begin = |transaction: &WriteTransaction| {
                let mut notes = transaction.open_table(NOTES)?;
                notes.insert(FORMAT_NOTE, FORMAT.to_be_bytes().as_slice())?;
                notes.insert(OWNER, owner.to_be_bytes().as_slice())?;
                drop(transaction.open_table(TEXTS)?);
                Ok(())
            };
            commit(&database, &begin).map_err(Trouble::in_writing)?;
        }
        Err(error) => return Err(error.into()),
    }
    Ok(database)
}

/// All or nothing. After a crash the file is opened without reading all of it.
fn commit<T>(
    database: &Database,
    change: &impl Fn(&WriteTransaction) -> Result<T, redb::Error>,
) -> Result<T, redb::Error> {
    let mut transaction = database.begin_write()?;
    transaction.set_quick_repair(true);
    let done = change(&transaction)?;
    transaction.commit()?;
    Ok(done)
}

fn misread(what: &str) -> Trouble {
    Trouble::Unfit(format!("is damaged (it names no {what})"))
}

impl Trouble {
    /// What fails in writing is the disk's fault.
    fn in_writing(error: redb::Error) -> Self {
        let is_damaged = matches!(error, redb::Error::Corrupted(_));
        if is_damaged { Self::from(error) } else { Self::Failed(error.to_string()) }
    }
}

/// What goes wrong while reading an open database is damage.
impl<E: Into<redb::Error>> From<E> for Trouble {
    fn from(error: E) -> Self {
        Self::Unfit(format!("is damaged ({})", error.into()))
    }
}

/// Rises when an older secchatd would misread the file.
const FORMAT: u32 = 1;
const TEXTS: TableDefinition<'_, (Tag, u64), &[u8]> = TableDefinition::new("texts");
const NOTES: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("notes");
const FORMAT_NOTE: &str = "format";
const OWNER: &str = "owner";
const LAST: &str = "last number";
