//! A disk that fails, tears or loses its k-th write, for all k of a conversation: whatever was answered is there, and
//! each batch is there whole or not at all.

#![expect(clippy::disallowed_types, reason = "redb shares a backend between threads")]

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};

use redb::{Database, StorageBackend};

use super::history::{kept, request, texts};
use super::*;
use crate::core::keeping::HistoryJob;
use crate::store::disk::{OpenError, builder};

/// What happens at the k-th operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// It fails, and the next ones do not: a disk that is full for a moment.
    Once,
    /// The power goes: nothing that was not synced is there.
    LosesAll,
    /// The power goes: of what was not synced every other write is there.
    LosesSome,
    /// The power goes in the middle of a write; all before it is there.
    Tears,
}

/// A machine, whatever files it has.
#[derive(Debug, Default)]
struct Machine {
    /// Operations done.
    count: u64,
    fault: Option<(u64, Fault)>,
    is_off: bool,
}

/// One file of it.
#[derive(Debug, Default)]
struct Image {
    /// As it is read.
    seen: Vec<u8>,
    /// As it would be after a power cut, at the least.
    synced: Vec<u8>,
    /// Since the last sync.
    unsynced: Vec<(usize, Vec<u8>)>,
}

#[derive(Clone, Debug, Default)]
struct Faulty {
    machine: Arc<Mutex<Machine>>,
    image: Arc<Mutex<Image>>,
}

impl Machine {
    /// Counts an operation that changes something; an error when its turn to fail has come.
    fn step(&mut self) -> Result<(), io::Error> {
        let failed = || io::Error::from(io::ErrorKind::StorageFull);
        if self.is_off {
            return Err(failed());
        }
        self.count += 1;
        match self.fault {
            Some((at, fault)) if at == self.count => {
                self.is_off = fault != Fault::Once;
                Err(failed())
            }
            _ => Ok(()),
        }
    }
}

impl Image {
    fn put(image: &mut Vec<u8>, at: usize, data: &[u8]) {
        if image.len() < at + data.len() {
            image.resize(at + data.len(), 0);
        }
        image[at..at + data.len()].copy_from_slice(data);
    }

    /// The power comes back.
    fn restart(&mut self, machine: &Machine) {
        let Some((_, fault)) = machine.fault else { return };
        if machine.is_off {
            let mut image = self.synced.clone();
            let last = self.unsynced.len().saturating_sub(1);
            for (n, (at, data)) in self.unsynced.iter().enumerate() {
                let torn = &data[..data.len() / 2];
                match fault {
                    Fault::LosesSome if n % 2 == 1 => Self::put(&mut image, *at, data),
                    Fault::Tears => Self::put(&mut image, *at, if n == last { torn } else { data }),
                    Fault::Once | Fault::LosesAll | Fault::LosesSome => {}
                }
            }
            image.resize(image.len().max(self.synced.len()), 0);
            self.seen = image;
        }
        self.synced = self.seen.clone();
        self.unsynced.clear();
    }
}

impl Faulty {
    fn machine(&self) -> MutexGuard<'_, Machine> {
        self.machine.lock().unwrap()
    }

    fn image(&self) -> MutexGuard<'_, Image> {
        self.image.lock().unwrap()
    }

    /// Another file on the same machine.
    fn beside(&self) -> Self {
        Self { machine: Arc::clone(&self.machine), image: Arc::default() }
    }
}

fn size(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap()
}

impl StorageBackend for Faulty {
    fn len(&self) -> Result<u64, io::Error> {
        Ok(self.image().seen.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> Result<(), io::Error> {
        let (image, at) = (self.image(), size(offset));
        let bytes = image.seen.get(at..at + out.len());
        let bytes = bytes.ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof))?;
        out.copy_from_slice(bytes);
        Ok(())
    }

    fn set_len(&self, len: u64) -> Result<(), io::Error> {
        self.machine().step()?;
        let (mut image, len) = (self.image(), size(len));
        image.seen.resize(len, 0);
        image.synced.resize(len, 0);
        Ok(())
    }

    fn sync_data(&self) -> Result<(), io::Error> {
        self.machine().step()?;
        let mut image = self.image();
        image.synced = image.seen.clone();
        image.unsynced.clear();
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> Result<(), io::Error> {
        let step = self.machine().step();
        let (mut image, at) = (self.image(), size(offset));
        // What the power cut tears is the last one.
        image.unsynced.push((at, data.to_vec()));
        step?;
        Image::put(&mut image.seen, at, data);
        Ok(())
    }
}

impl Disk for Faulty {
    fn open(&self) -> Result<Database, OpenError> {
        if self.machine().is_off {
            return Err(OpenError::Failed("the power is off".to_owned()));
        }
        if self.image().seen.is_empty() {
            // A file appears with an empty database in it: made under another name, and synced.
            let made = Self::default();
            drop(builder().create_with_backend(made.clone()).map_err(OpenError::from)?);
            let mut image = self.image();
            image.seen = made.image().seen.clone();
            image.synced = image.seen.clone();
        }
        builder().create_with_backend(self.clone()).map_err(OpenError::from)
    }

    fn replace(&self, fill: &dyn Fn(&Database) -> Result<(), String>) -> Result<(), String> {
        let made = Self::default();
        let database = builder().create_with_backend(made.clone()).map_err(|error| error.to_string())?;
        fill(&database)?;
        drop(database);
        // The exchange of two names: it happens or it does not.
        self.machine().step().map_err(|error| error.to_string())?;
        let mut image = self.image();
        image.seen = made.image().seen.clone();
        image.synced = image.seen.clone();
        image.unsynced.clear();
        Ok(())
    }

    fn remove(&self) -> io::Result<()> {
        self.machine().step()?;
        *self.image() = Image::default();
        Ok(())
    }

    fn set_aside(&self, _: u64) -> io::Result<PathBuf> {
        panic!("a fault must not look like damage")
    }

    fn copy_aside(&self, _: u64) -> io::Result<PathBuf> {
        panic!("a fault must not damage a row")
    }

    fn path(&self) -> &Path {
        Path::new("/faulty/store.redb")
    }
}

/// What happens to a store.
enum Step {
    Write(BTreeMap<RecordKey, Option<Record>>),
    History(HistoryJob),
    Lock,
}

/// What is on disk.
#[derive(Clone, Debug, Default, PartialEq)]
struct Expected {
    records: BTreeMap<RecordKey, Vec<u8>>,
    /// The texts of the history.
    texts: Vec<String>,
}

impl Expected {
    fn after(mut self, step: &Step) -> Self {
        match step {
            Step::Write(batch) => batch.iter().for_each(|(key, record)| match record {
                Some(Record::Kept(kept)) => self.texts.push(kept.text.as_str().to_owned()),
                Some(record) => drop(self.records.insert(key.clone(), row::encode(record).unwrap().to_vec())),
                None => drop(self.records.remove(key)),
            }),
            Step::History(HistoryJob::Erase { .. }) => self.texts.clear(),
            Step::History(_) | Step::Lock => {}
        }
        self
    }
}

/// What a conversation writes, batch by batch: texts out and in, acknowledged, read and kept, the history moved and
/// erased, and a lock in between.
fn script() -> Vec<Step> {
    let long = "x".repeat(5_000);
    let mut steps = vec![Step::Write(changes(&every_kind())), Step::Write(changes(&[chat(50, 3)]))];
    for id in 5..9 {
        let mut batch = changes(&[unread(50, id, &long), chat(50, id)]);
        batch.extend(changes(&[Record::Sent(chat_id(50), id, format!("text {id}"))]));
        batch.insert(RecordKey::Sent(chat_id(50), id - 1), None);
        batch.insert(RecordKey::Unread(chat_id(50), id - 2), None);
        // Left in one batch, given to the chat in the next: never in both, never in neither.
        batch.extend(changes(&[queued(id, None), queued(id - 1, Some((chat_id(50), id)))]));
        batch.insert(RecordKey::Queued(id - 2), None);
        // A text and its event come together.
        batch.extend(changes(&[event(id, &long)]));
        batch.insert(RecordKey::Event(id - 1), None);
        // It is kept in the same write.
        batch.extend(changes(&[kept("bob", id, id / 7, &format!("kept {id}"))]));
        steps.push(Step::Write(batch));
        if id != 7 {
            steps.push(Step::History(HistoryJob::Tidy));
        }
        match id {
            5 => steps.push(Step::History(HistoryJob::Erase { peer: None, before: None })),
            7 => steps.push(Step::Lock),
            _ => {}
        }
    }
    steps.pop();
    steps
}

/// Runs the script on a machine with this fault; whether it ran to its end without meeting it.
fn survives(identity: &SigningKey, script: &[Step], at: u64, fault: Fault) -> bool {
    let disk = Faulty::default();
    let history = disk.beside();
    disk.machine().fault = Some((at, fault));
    let secret = identity.own_secret(IDENTITY_LABEL).unwrap();
    let start = || Keeper::new(Box::new(disk.clone()), Box::new(history.clone()), PathBuf::from("/nowhere"));
    let mut keeper = start();
    let mut answered = Expected::default();
    // Of the step that was not answered nobody knows: it is there whole, or not at all.
    let mut unanswered = None;
    if keeper.unlock(&secret, &Heirloom::default()).is_ok() {
        for step in script {
            let done = match step {
                Step::Write(batch) => keeper.write(batch),
                Step::History(job) => keeper.history(&request(job.clone(), u16::MAX, 0)).map(drop),
                Step::Lock => {
                    keeper.lock();
                    Ok(())
                }
            };
            let whole = answered.clone().after(step);
            if done.is_err() {
                unanswered = Some(whole);
                break;
            }
            answered = whole;
        }
    }
    drop(keeper);
    let was_met = disk.machine().count >= at;
    disk.image().restart(&disk.machine());
    history.image().restart(&disk.machine());
    *disk.machine() = Machine::default();
    let mut again = start();
    let records = by_key(&again.unlock(&secret, &Heirloom::default()).unwrap().records);
    let found = Expected { records, texts: texts(&mut again, u16::MAX, 0) };
    assert!(
        found == answered || Some(&found) == unanswered.as_ref(),
        "{fault:?} at {at}: {:?} {:?} in place of {:?} {:?}",
        found.records.keys(),
        found.texts,
        answered.records.keys(),
        answered.texts
    );
    again.write(&changes(&[unread(9, 9, "goes on")])).unwrap();
    !was_met
}

#[test]
fn nothing_answered_is_lost_whichever_write_fails() {
    let (identity, script) = (identity(), script());
    for fault in [Fault::Once, Fault::LosesAll, Fault::LosesSome, Fault::Tears] {
        let faults = (1..).take_while(|at| !survives(&identity, &script, *at, fault)).count();
        assert!(faults > 60, "{fault:?}: only {faults} operations to fail");
    }
}

/// A store whose key is followed by another, on a disk with this fault while the other takes it over; whether that ran
/// to its end without meeting it.
fn is_taken_over(keys: &[SigningKey; 2], at: u64, fault: Fault) -> bool {
    let disk = Faulty::default();
    let history = disk.beside();
    let start = || Keeper::new(Box::new(disk.clone()), Box::new(history.clone()), PathBuf::from("/nowhere"));
    let [old, new] = keys.each_ref().map(|key| key.own_secret(IDENTITY_LABEL).unwrap());
    let kept = every_kind();
    let mut keeper = start();
    keeper.unlock(&old, &Heirloom::default()).unwrap();
    keeper.write(&changes(&kept)).unwrap();
    keeper.lock();
    drop(keeper);
    let left = Heirloom::of(&keys[0], Heirloom::default()).unwrap();
    *disk.machine() = Machine { fault: Some((at, fault)), ..Machine::default() };
    drop(start().unlock(&new, &left));
    let was_met = disk.machine().count >= at;
    disk.image().restart(&disk.machine());
    history.image().restart(&disk.machine());
    *disk.machine() = Machine::default();
    let found = start().unlock(&new, &left).unwrap();
    assert_eq!(by_key(&found.records), by_key(&kept), "{fault:?} at {at}");
    assert_eq!(by_key(&start().unlock(&new, &Heirloom::default()).unwrap().records), by_key(&kept));
    !was_met
}

#[test]
fn the_key_in_force_opens_the_store_whichever_write_of_its_taking_over_fails() {
    let keys = [identity(), identity()];
    for fault in [Fault::Once, Fault::LosesAll, Fault::LosesSome, Fault::Tears] {
        let faults = (1..).take_while(|at| !is_taken_over(&keys, *at, fault)).count();
        assert!(faults > 3, "{fault:?}: only {faults} operations to fail");
    }
}
