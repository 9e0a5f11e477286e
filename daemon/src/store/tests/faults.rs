//! A disk that fails, tears or loses its k-th write, for all k of a conversation: whatever was answered is there, and
//! each batch is there whole or not at all.

#![expect(clippy::disallowed_types, reason = "redb shares a backend between threads")]

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};

use redb::{Database, StorageBackend};

use super::*;
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

/// A machine's disk.
#[derive(Debug, Default)]
struct Machine {
    /// As it is read.
    seen: Vec<u8>,
    /// As it would be after a power cut, at the least.
    synced: Vec<u8>,
    /// Since the last sync.
    unsynced: Vec<(usize, Vec<u8>)>,
    /// Operations done.
    count: u64,
    fault: Option<(u64, Fault)>,
    is_off: bool,
}

#[derive(Clone, Debug, Default)]
struct Faulty(Arc<Mutex<Machine>>);

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

    fn put(image: &mut Vec<u8>, at: usize, data: &[u8]) {
        if image.len() < at + data.len() {
            image.resize(at + data.len(), 0);
        }
        image[at..at + data.len()].copy_from_slice(data);
    }

    /// The power comes back.
    fn restart(&mut self) {
        let Some((_, fault)) = self.fault.take() else { return };
        if self.is_off {
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
        self.is_off = false;
    }
}

impl Faulty {
    fn machine(&self) -> MutexGuard<'_, Machine> {
        self.0.lock().unwrap()
    }
}

fn size(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap()
}

impl StorageBackend for Faulty {
    fn len(&self) -> Result<u64, io::Error> {
        Ok(self.machine().seen.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> Result<(), io::Error> {
        let (machine, at) = (self.machine(), size(offset));
        let bytes = machine.seen.get(at..at + out.len());
        let bytes = bytes.ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof))?;
        out.copy_from_slice(bytes);
        Ok(())
    }

    fn set_len(&self, len: u64) -> Result<(), io::Error> {
        let mut machine = self.machine();
        machine.step()?;
        let len = size(len);
        machine.seen.resize(len, 0);
        machine.synced.resize(len, 0);
        Ok(())
    }

    fn sync_data(&self) -> Result<(), io::Error> {
        let mut machine = self.machine();
        machine.step()?;
        machine.synced = machine.seen.clone();
        machine.unsynced.clear();
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> Result<(), io::Error> {
        let mut machine = self.machine();
        let at = size(offset);
        if let Err(error) = machine.step() {
            // What the power cut tears.
            machine.unsynced.push((at, data.to_vec()));
            return Err(error);
        }
        Machine::put(&mut machine.seen, at, data);
        machine.unsynced.push((at, data.to_vec()));
        Ok(())
    }
}

impl Disk for Faulty {
    fn open(&self) -> Result<Database, OpenError> {
        if self.machine().seen.is_empty() {
            // A file appears with an empty database in it: made under another name, and synced.
            let fault = self.machine().fault.take();
            drop(builder().create_with_backend(self.clone()).map_err(OpenError::from)?);
            let mut machine = self.machine();
            machine.synced = machine.seen.clone();
            (machine.fault, machine.count) = (fault, 0);
        }
        builder().create_with_backend(self.clone()).map_err(OpenError::from)
    }

    fn replace(&self, fill: &dyn Fn(&Database) -> Result<(), String>) -> Result<(), String> {
        let made = Self::default();
        let database = builder().create_with_backend(made.clone()).map_err(|error| error.to_string())?;
        fill(&database)?;
        drop(database);
        // The exchange of two names: it happens or it does not.
        let mut machine = self.machine();
        machine.step().map_err(|error| error.to_string())?;
        machine.seen = made.machine().seen.clone();
        machine.synced = machine.seen.clone();
        machine.unsynced.clear();
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

/// What a conversation writes, batch by batch: texts out and in, acknowledged and read, a lock in between.
fn script() -> Vec<BTreeMap<RecordKey, Option<Record>>> {
    let long = "x".repeat(5_000);
    let mut batches = vec![changes(&every_kind()), changes(&[chat(50, 3)])];
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
        batches.push(batch);
    }
    batches
}

fn apply(disk: &mut BTreeMap<RecordKey, Vec<u8>>, batch: &BTreeMap<RecordKey, Option<Record>>) {
    for (key, record) in batch {
        match record {
            Some(record) => disk.insert(key.clone(), row::encode(record).unwrap().to_vec()),
            None => disk.remove(key),
        };
    }
}

/// Runs the script on a disk with this fault; whether it ran to its end without meeting it.
fn survives(
    identity: &SigningKey,
    script: &[BTreeMap<RecordKey, Option<Record>>],
    at: u64,
    fault: Fault,
) -> bool {
    let disk = Faulty::default();
    disk.machine().fault = Some((at, fault));
    let secret = identity.own_secret(IDENTITY_LABEL).unwrap();
    let start = || Keeper::new(Box::new(disk.clone()), PathBuf::from("/nowhere"));
    let mut keeper = start();
    let mut answered = BTreeMap::new();
    // Of the batch that was not answered nobody knows: it is there whole, or not at all.
    let mut unanswered = None;
    if keeper.unlock(&secret).is_ok() {
        for (n, batch) in script.iter().enumerate() {
            if n == script.len() / 2 {
                keeper.lock();
            }
            match keeper.write(batch) {
                Ok(()) => apply(&mut answered, batch),
                Err(_) => {
                    let mut whole = answered.clone();
                    apply(&mut whole, batch);
                    unanswered = Some(whole);
                    break;
                }
            }
        }
    }
    drop(keeper);
    let was_met = disk.machine().count >= at;
    disk.machine().restart();
    let mut again = start();
    let found = by_key(&again.unlock(&secret).unwrap().records);
    assert!(
        found == answered || Some(&found) == unanswered.as_ref(),
        "{fault:?} at {at}: {:?} in place of {:?}",
        found.keys(),
        answered.keys()
    );
    again.write(&changes(&[unread(9, 9, "goes on")])).unwrap();
    !was_met
}

#[test]
fn nothing_answered_is_lost_whichever_write_fails() {
    let (identity, script) = (identity(), script());
    for fault in [Fault::Once, Fault::LosesAll, Fault::LosesSome, Fault::Tears] {
        let faults = (1..).take_while(|at| !survives(&identity, &script, *at, fault)).count();
        assert!(faults > 20, "{fault:?}: only {faults} operations to fail");
    }
}
