//! What the daemon keeps on disk: `store.redb`, in which everything is sealed under keys that only the
//! unlocked identity key yields. One thread owns it; the hub sends it one job at a time.
//!
//! `row` has the records' bytes, `seal` the keys, `heirloom` what one identity key leaves to the next, `file` the
//! database, `disk` the file under it, `legacy` what older daemons left; `history` what was kept of conversations, and
//! `history_file` its own database.

mod disk;
mod file;
pub mod heirloom;
mod history;
mod history_file;
mod legacy;
mod row;
mod seal;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use secchat_proto::crypto::secret::Secret;
use secchat_proto::crypto::signature::SigningKey;
use tokio::sync::{mpsc, oneshot};

use self::disk::{Disk, FileDisk};
use self::file::{Batch, Content, FORMAT, File, ReadError};
use self::heirloom::Heirloom;
use self::history::{History, Unlocked};
use self::row::Opened;
use self::seal::{Keys, Under};
use crate::clock;
use crate::core::keeping::{HistoryAnswer, HistoryRequest};
use crate::core::record::{Record, RecordKey, Restored};

/// Why something cannot be read or kept.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// It cannot be read now.
    #[error("cannot read {}: {why}", path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// A later secchatd wrote it.
    #[error("{}: a newer secchatd wrote this file; run that one, or use another --profile", path.display())]
    TooNew {
        /// Which file.
        path: PathBuf,
    },
    /// It cannot be written; what it held before is still there.
    #[error("cannot write {}: {why}; what it held before is still there", path.display())]
    Unwritable {
        /// Which file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// A primitive failed.
    #[error("the state cannot be sealed: {0}")]
    Crypto(#[from] secchat_proto::Error),
    /// A record cannot be encoded.
    #[error("the state cannot be encoded: {0}")]
    Encoding(#[from] postcard::Error),
    /// Nobody has unlocked it.
    #[error("the state is locked")]
    Locked,
    /// Its thread ended.
    #[error("the task that keeps the state ended; the log has why")]
    Ended,
}

/// The way to the thread that owns the file.
#[derive(Clone, Debug)]
pub struct Store(mpsc::Sender<Job>);

/// Something to do; answered when it is done.
#[derive(Debug)]
enum Job {
    Unlock(Secret<32>, Heirloom, oneshot::Sender<Result<Restored, StoreError>>),
    Write(BTreeMap<RecordKey, Option<Record>>, oneshot::Sender<Result<(), StoreError>>),
    History(Box<HistoryRequest>, oneshot::Sender<Result<HistoryAnswer, StoreError>>),
    Lock,
}

impl Store {
    /// The store in this folder. Nothing is read before the unlock.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn start(folder: &Path) -> std::io::Result<Self> {
        let disk = |name| Box::new(FileDisk(folder.join(name)));
        let keeper = Keeper::new(disk(STORE_FILE), disk(HISTORY_FILE), folder.to_owned());
        let (jobs, inbox) = mpsc::channel(JOBS);
        std::thread::Builder::new().name("store".into()).spawn(move || keeper.run(inbox))?;
        Ok(Self(jobs))
    }

    /// Opens everything with the identity key, or by what the keys before it left to it: it is the new key's from then
    /// on. What is broken is set aside, and that is said in the notices.
    ///
    /// # Errors
    /// [`StoreError`]; nothing was changed then.
    pub async fn unlock(&self, identity: &SigningKey, heirloom: Heirloom) -> Result<Restored, StoreError> {
        let key = identity.own_secret(IDENTITY_LABEL)?;
        let (done, answer) = oneshot::channel();
        self.0.send(Job::Unlock(key, heirloom, done)).await.map_err(|_| StoreError::Ended)?;
        answer.await.map_err(|_| StoreError::Ended)?
    }

    /// Writes and deletes records, all or none: on disk when this returns.
    ///
    /// # Errors
    /// [`StoreError`]; all is as before then.
    pub async fn write(&self, changes: BTreeMap<RecordKey, Option<Record>>) -> Result<(), StoreError> {
        let (done, answer) = oneshot::channel();
        self.0.send(Job::Write(changes, done)).await.map_err(|_| StoreError::Ended)?;
        answer.await.map_err(|_| StoreError::Ended)?
    }

    /// Does something with the history.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn history(&self, request: Box<HistoryRequest>) -> Result<HistoryAnswer, StoreError> {
        let (done, answer) = oneshot::channel();
        self.0.send(Job::History(request, done)).await.map_err(|_| StoreError::Ended)?;
        answer.await.map_err(|_| StoreError::Ended)?
    }

    /// Forgets the keys: what is written from now on can only be read after the next unlock.
    pub fn lock(&self) {
        if self.0.try_send(Job::Lock).is_err() {
            tracing::error!("the store has no room for the word that it is locked, or its task ended");
        }
    }
}

/// The owner of the file.
#[derive(Debug)]
struct Keeper {
    file: File,
    history: History,
    folder: PathBuf,
    /// `None` before the first unlock.
    keys: Option<Keys>,
    /// While unlocked.
    file_key: Option<Secret<32>>,
}

impl Keeper {
    fn new(disk: Box<dyn Disk>, history: Box<dyn Disk>, folder: PathBuf) -> Self {
        Self { file: File::new(disk), history: History::new(history), folder, keys: None, file_key: None }
    }

    fn run(mut self, mut inbox: mpsc::Receiver<Job>) {
        while let Some(job) = inbox.blocking_recv() {
            // Whoever asked may be gone.
            match job {
                Job::Unlock(key, heirloom, done) => drop(done.send(self.unlock(&key, &heirloom))),
                Job::Write(changes, done) => drop(done.send(self.write(&changes))),
                Job::History(request, done) => drop(done.send(self.history(&request))),
                Job::Lock => self.lock(),
            }
        }
    }

    fn write(&mut self, changes: &BTreeMap<RecordKey, Option<Record>>) -> Result<(), StoreError> {
        let keys = self.keys.as_ref().ok_or(StoreError::Locked)?;
        let mut batch = Batch::default();
        let mut texts = Vec::new();
        for (key, record) in changes {
            let name = keys.name(key)?;
            let row = match record {
                Some(Record::Kept(text)) => {
                    texts.push((name, text));
                    continue;
                }
                Some(record) => Some(keys.seal_row(name, &row::encode(record)?)?),
                None => None,
            };
            batch.rows.push((name, row));
        }
        texts.sort_by_key(|(_, text)| text.order);
        let mut staged = Vec::with_capacity(texts.len());
        for (name, text) in texts {
            let number = self.history.next_number()?;
            batch.rows.push((name, Some(keys.seal_row(name, &row::encode_text(number, text)?)?)));
            staged.push((number, name));
        }
        self.file.write(&batch)?;
        for (name, _) in batch.rows.iter().filter(|(_, row)| row.is_none()) {
            self.history.drop_staged(*name);
        }
        staged.into_iter().for_each(|(number, name)| self.history.take_staged(number, name));
        Ok(())
    }

    fn history(&mut self, request: &HistoryRequest) -> Result<HistoryAnswer, StoreError> {
        let store = unlocked(&mut self.file, self.keys.as_ref(), self.file_key.as_ref())?;
        self.history.run(store, request)
    }

    /// The keys that read are wiped; one that only the file key opens stays, to write with. If even that cannot be put
    /// on disk, nothing more is written until the next unlock.
    fn lock(&mut self) {
        if let Ok(mut store) = unlocked(&mut self.file, self.keys.as_ref(), self.file_key.as_ref())
            && let Err(error) = self.history.move_staged(&mut store)
        {
            tracing::warn!(%error, "texts that are kept move to their place at the next unlock");
        }
        self.history.forget_keys();
        let (Some(keys), Some(file_key)) = (self.keys.take(), self.file_key.take()) else { return };
        let locked = || -> Result<(Keys, Batch), StoreError> {
            let lock_key = seal::random_key()?;
            let wrapped = seal::seal(&file_key, LOCK_KEY_CONTEXT, lock_key.expose())?;
            Ok((keys.lock(lock_key), Batch { lock_key: Some(Some(wrapped)), ..Batch::default() }))
        };
        match locked().and_then(|(keys, batch)| self.file.write(&batch).map(|()| keys)) {
            Ok(keys) => {
                self.keys = Some(keys);
                self.file.forget_deleted();
            }
            Err(error) => tracing::error!(%error, "nothing is kept on disk until the next unlock"),
        }
    }

    fn unlock(&mut self, identity_key: &Secret<32>, heirloom: &Heirloom) -> Result<Restored, StoreError> {
        let mut restored = Restored::default();
        let content = match self.file.read() {
            Ok(content) => content,
            Err(ReadError::Broken(why)) => {
                self.set_aside(&format!("is damaged ({why})"), &mut restored.notices)?;
                Content::default()
            }
            Err(ReadError::Failed(why)) => {
                return Err(StoreError::Unreadable { path: self.file.path().to_owned(), why });
            }
        };
        if content.format.is_some_and(|format| format > FORMAT) {
            return Err(StoreError::TooNew { path: self.file.path().to_owned() });
        }
        let open = |key: &Secret<32>| open_key(key, FILE_KEY_CONTEXT, content.file_key.as_ref()?);
        let left = || heirloom.find_map(open);
        match open(identity_key).or_else(|| left().inspect(|_| restored.follows = true)) {
            Some(file_key) => {
                if restored.follows {
                    self.hand_over(&file_key, identity_key)?;
                }
                self.take_up(file_key, content, &mut restored)?;
            }
            None if content.file_key.is_none() && content.rows.is_empty() => {
                self.begin(identity_key)?;
            }
            None => {
                self.set_aside("belongs to another identity key", &mut restored.notices)?;
                self.begin(identity_key)?;
            }
        }
        self.import_legacy(&mut restored)?;
        self.file.forget_deleted();
        if let Some(keys) = &self.keys {
            restored.has_history = self.history.start(keys, &mut restored.notices)?;
        }
        Ok(restored)
    }

    /// From now on the file key is opened by this identity key, and by the one before no more.
    fn hand_over(&mut self, file_key: &Secret<32>, identity_key: &Secret<32>) -> Result<(), StoreError> {
        let sealed = seal::seal(identity_key, FILE_KEY_CONTEXT, file_key.expose())?;
        self.file.write(&Batch { file_key: Some(sealed), ..Batch::default() })
    }

    /// Makes a file key.
    fn begin(&mut self, identity_key: &Secret<32>) -> Result<(), StoreError> {
        let file_key = seal::random_key()?;
        let sealed = seal::seal(identity_key, FILE_KEY_CONTEXT, file_key.expose())?;
        self.file.write(&Batch { file_key: Some(sealed), ..Batch::default() })?;
        self.keys = Some(Keys::of_file(&file_key)?);
        self.file_key = Some(file_key);
        Ok(())
    }

    /// Reads the rows. Those written while locked get the seal of the others; one that does not open is damaged, and a
    /// copy of the file is set aside with it.
    fn take_up(
        &mut self,
        file_key: Secret<32>,
        content: Content,
        restored: &mut Restored,
    ) -> Result<(), StoreError> {
        let keys = Keys::of_file(&file_key)?;
        let lock_key = content.lock_key.and_then(|sealed| open_key(&file_key, LOCK_KEY_CONTEXT, &sealed));
        let lock_keys = lock_key.map(|lock_key| Keys::of_file(&file_key).map(|keys| keys.lock(lock_key)));
        let lock_keys = lock_keys.transpose()?;
        let mut batch = Batch { lock_key: lock_keys.as_ref().map(|_| None), ..Batch::default() };
        let mut damaged = 0_usize;
        self.history.forget_keys();
        for (name, row) in content.rows {
            let by_lock_key = || lock_keys.as_ref().and_then(|keys| keys.open_row(name, &row));
            let is_final = row.first() == Some(&Under::FileKey.as_byte());
            let Some(plaintext) = keys.open_row(name, &row).or_else(by_lock_key) else {
                damaged = damaged.saturating_add(1);
                batch.rows.push((name, None));
                continue;
            };
            match row::decode(&plaintext) {
                Some(Opened::Record(record)) => restored.records.push(record),
                Some(Opened::Text(number, _)) => self.history.take_staged(number, name),
                Some(Opened::Day(day)) => self.history.take_day(&keys, day)?,
                None => damaged = damaged.saturating_add(1),
            }
            if !is_final {
                batch.rows.push((name, Some(keys.seal_row(name, &plaintext)?)));
            }
        }
        if damaged > 0 {
            let path = self.file.path().to_owned();
            let aside = self.file.closed().copy_aside(clock::now().unix);
            let aside = aside
                .map_err(|error| StoreError::Unwritable { path: path.clone(), why: error.to_string() })?;
            restored.notices.push(format!(
                "{damaged} records in {} are damaged and were left out; the file as it was is {}",
                path.display(),
                aside.display()
            ));
        }
        if !batch.rows.is_empty() || batch.lock_key.is_some() {
            self.file.write(&batch)?;
        }
        self.keys = Some(keys);
        self.file_key = Some(file_key);
        Ok(())
    }

    fn set_aside(&mut self, what: &str, notices: &mut Vec<String>) -> Result<(), StoreError> {
        let path = self.file.path().to_owned();
        let aside = self.file.closed().set_aside(clock::now().unix);
        let aside =
            aside.map_err(|error| StoreError::Unwritable { path: path.clone(), why: error.to_string() })?;
        notices.push(format!(
            "{} {what}: it was set aside as {}, and pins, policies, chats and unread texts start anew",
            path.display(),
            aside.display()
        ));
        Ok(())
    }

    /// Takes over what an older daemon kept, once.
    fn import_legacy(&mut self, restored: &mut Restored) -> Result<(), StoreError> {
        let Some(records) = legacy::read(&self.folder, &mut restored.notices)? else { return Ok(()) };
        let changes = records.iter().map(|record| (record.key(), Some(record.clone()))).collect();
        self.write(&changes)?;
        legacy::remove(&self.folder)?;
        restored.records.retain(|record| !changes.contains_key(&record.key()));
        restored.records.extend(records);
        Ok(())
    }
}

/// The store, if it is unlocked.
fn unlocked<'a>(
    file: &'a mut File,
    keys: Option<&'a Keys>,
    file_key: Option<&Secret<32>>,
) -> Result<Unlocked<'a>, StoreError> {
    match (keys, file_key) {
        (Some(keys), Some(_)) => Ok(Unlocked { file, keys }),
        _ => Err(StoreError::Locked),
    }
}

fn open_key(under: &Secret<32>, context: &[u8], sealed: &[u8]) -> Option<Secret<32>> {
    let opened = seal::open(under, context, sealed)?;
    let mut key = Secret::zeros();
    (opened.len() == key.expose().len()).then(|| key.expose_mut().copy_from_slice(&opened))?;
    Some(key)
}

const STORE_FILE: &str = "store.redb";
const HISTORY_FILE: &str = "history.redb";
/// Jobs that wait: the core asks for one write at a time, and people unlock seldom.
const JOBS: usize = 8;
/// What the identity key's own secret for this is derived with.
const IDENTITY_LABEL: &str = "secchat store";
const FILE_KEY_CONTEXT: &[u8] = b"secchat store file key 1";
const LOCK_KEY_CONTEXT: &[u8] = b"secchat store lock key 1";
