//! The history: texts that are kept after they were delivered.
//!
//! A text comes with the write that delivers it, as a row of the store: it is there if that is, and costs no sync of its
//! own. From time to time the rows move to a file of their own, `history.redb`, so that the store stays small however much
//! is kept. There each text is sealed under the key of its peer and day. The keys are rows of the store: once one is gone
//! from there nobody can read its texts, and they are cleaned away afterwards.

mod erasing;
mod pages;

use std::collections::BTreeMap;
use std::ops::Range;

use secchat_ipc::Reply;
use secchat_proto::UserName;
use secchat_proto::crypto::secret::Secret;
use zeroize::Zeroizing;

use self::erasing::is_due;
use super::StoreError;
use super::disk::Disk;
use super::file::{Batch, File, ReadError};
use super::history_file::{HistoryFile, Tag, Texts};
use super::row::{self, Opened};
use super::seal::{self, Keys, RowName};
use crate::clock;
use crate::convert::{user_from_ipc, user_to_ipc};
use crate::core::keeping::{self, HistoryAnswer, HistoryJob, HistoryRequest, Keeping, day_of, kept_of_peer};
use crate::core::record::KeptText;
use crate::limits::MAX_STAGED_TEXTS;

/// The texts of one peer and day for which the same was agreed. Their numbers follow each other.
#[derive(Debug)]
pub(super) struct Day {
    pub(super) peer: UserName,
    /// The number of the first text.
    pub(super) first: u64,
    pub(super) day: u64,
    /// For how many days the two agreed that they may be kept.
    pub(super) days: u16,
    /// Their key; `None`: they were erased, and are to be cleaned away.
    pub(super) key: Option<Secret<32>>,
}

/// What of the history is in memory: where its texts are, not the texts.
#[derive(Debug)]
pub(super) struct History {
    file: HistoryFile,
    days: BTreeMap<(Tag, u64), Day>,
    /// Texts that are still rows of the store, by their numbers.
    staged: BTreeMap<u64, RowName>,
    /// The last number given.
    last: u64,
}

/// The store, unlocked.
pub(super) struct Unlocked<'a> {
    pub(super) file: &'a mut File,
    pub(super) keys: &'a Keys,
}

impl History {
    pub(super) fn new(disk: Box<dyn Disk>) -> Self {
        Self { file: HistoryFile::new(disk), days: BTreeMap::new(), staged: BTreeMap::new(), last: 0 }
    }

    /// The store is locked: the keys are wiped.
    pub(super) fn forget_keys(&mut self) {
        self.days.clear();
        self.staged.clear();
    }

    #[cfg(test)]
    pub(super) fn is_blank(&self) -> bool {
        self.days.is_empty() && self.staged.is_empty()
    }

    /// A row of the store is the key of a day.
    pub(super) fn take_day(&mut self, keys: &Keys, day: Day) -> Result<(), StoreError> {
        self.last = self.last.max(day.first);
        self.days.insert((tag(keys, &day.peer)?, day.first), day);
        Ok(())
    }

    /// A row of the store is a text.
    pub(super) fn take_staged(&mut self, number: u64, name: RowName) {
        self.last = self.last.max(number);
        self.staged.insert(number, name);
    }

    /// A text's row is gone.
    pub(super) fn drop_staged(&mut self, name: RowName) {
        self.staged.retain(|_, it| *it != name);
    }

    /// The store has its rows: whether there is anything, and what a person has to know of it.
    pub(super) fn start(&mut self, keys: &Keys, notices: &mut Vec<String>) -> Result<bool, StoreError> {
        if self.days.is_empty() && self.staged.is_empty() {
            return Ok(false);
        }
        match self.file.last_number(owner(keys)?) {
            Ok(last) => self.last = self.last.max(last),
            Err(error) => notices.push(format!("the history cannot be used: {error}")),
        }
        notices.append(&mut self.file.take_notices());
        Ok(true)
    }

    /// A number for the next text. They rise with the time too, whatever older copies of the files say.
    pub(super) fn next_number(&mut self) -> Result<u64, StoreError> {
        if self.staged.len() >= MAX_STAGED_TEXTS {
            let why = "texts wait for a place in it; the log has why".to_owned();
            return Err(StoreError::Unwritable { path: self.file.path().to_owned(), why });
        }
        let by_time = clock::now().unix.saturating_mul(1_000_000);
        self.last = self.last.saturating_add(1).max(by_time);
        Ok(self.last)
    }

    /// Does a job; first what is due goes.
    pub(super) fn run(
        &mut self,
        mut store: Unlocked<'_>,
        request: &HistoryRequest,
    ) -> Result<HistoryAnswer, StoreError> {
        let HistoryRequest { job, keeping, now } = request;
        self.move_staged(&mut store)?;
        let erased = self.forget(&mut store, |day| is_due(day, keeping, *now))?;
        let reply = match job {
            HistoryJob::Tidy => Reply::HistoryErased { texts: erased },
            HistoryJob::Page(query) => self.page(store.keys, query, keeping, *now)?,
            HistoryJob::List => self.list(keeping),
            HistoryJob::Erase { peer, before } => {
                let peer = peer.as_ref().map(user_from_ipc);
                let before = before.map_or(u64::MAX, day_of);
                let is_meant =
                    |day: &Day| peer.as_ref().is_none_or(|peer| day.peer == *peer) && day.day < before;
                let meant = self.forget(&mut store, is_meant)?;
                Reply::HistoryErased { texts: meant.saturating_add(erased) }
            }
        };
        self.clean(&mut store)?;
        let is_more_to_tidy = self.days.values().any(|day| day.key.is_none());
        Ok(HistoryAnswer { reply, notices: self.file.take_notices(), is_more_to_tidy })
    }

    /// Moves rows of the store to their place. A crash in between leaves them in both: they move again, to the same place.
    pub(super) fn move_staged(&mut self, store: &mut Unlocked<'_>) -> Result<(), StoreError> {
        while !self.staged.is_empty() {
            let owner = owner(store.keys)?;
            let part: BTreeMap<u64, RowName> =
                self.staged.iter().take(MOVED_AT_ONCE).map(|(number, name)| (*number, *name)).collect();
            let rows =
                store.file.rows(part.values().copied()).map_err(|error| unreadable(store.file, error))?;
            let rows: BTreeMap<RowName, Vec<u8>> = rows.into_iter().collect();
            let mut sealed = Vec::new();
            for (number, name) in &part {
                let Some(text) = rows.get(name).and_then(|row| open_text(store.keys, *name, row)) else {
                    continue;
                };
                let tag = tag(store.keys, &text.peer)?;
                let key = self.key_for(store, tag, *number, &text)?;
                let plaintext = row::encode_text(*number, &text)?;
                sealed.push((tag, *number, seal::seal(&key, &context(tag, *number), &plaintext)?));
            }
            if !sealed.is_empty() {
                self.file.append(owner, &sealed, self.last)?;
            }
            let gone = part.values().map(|name| (*name, None)).collect();
            store.file.write(&Batch { rows: gone, ..Batch::default() })?;
            self.staged.retain(|number, _| !part.contains_key(number));
        }
        Ok(())
    }

    /// The key for the next text of a peer; a new one is on disk when this returns.
    fn key_for(
        &mut self,
        store: &mut Unlocked<'_>,
        tag: Tag,
        number: u64,
        text: &KeptText,
    ) -> Result<Secret<32>, StoreError> {
        let day = day_of(text.at);
        let before = self.days.range((tag, 0)..=(tag, number)).next_back().map(|(_, day)| day);
        if let Some(Day { key: Some(key), .. }) = before.filter(|it| it.day == day && it.days == text.days) {
            return Ok(key.clone());
        }
        self.make_room(store)?;
        let key = seal::random_key()?;
        let (peer, days) = (text.peer.clone(), text.days);
        let new = Day { peer, first: number, day, days, key: Some(key.clone()) };
        store.file.write(&Batch { rows: vec![day_row(store.keys, tag, &new)?], ..Batch::default() })?;
        self.days.insert((tag, number), new);
        Ok(key)
    }

    /// The texts of a day: up to the first one of the next.
    fn texts_of(&self, (tag, first): (Tag, u64)) -> Texts {
        let next = self.days.range((tag, first.saturating_add(1))..=(tag, u64::MAX)).next();
        (tag, first..next.map_or(u64::MAX, |((_, first), _)| *first))
    }

    fn list(&self, keeping: &Keeping) -> Reply {
        let mut spans: BTreeMap<UserName, Option<Range<u64>>> =
            keeping.peers.keys().map(|peer| (peer.clone(), None)).collect();
        for Day { peer, day, .. } in self.days.values().filter(|day| day.key.is_some()) {
            let span = spans.entry(peer.clone()).or_default().get_or_insert(*day..*day);
            *span = span.start.min(*day)..span.end.max(*day);
        }
        let line = |(peer, span): (UserName, Option<Range<u64>>)| {
            let own = keeping.peers.get(&peer).copied();
            kept_of_peer(user_to_ipc(&peer), own, span.map(|span| (span.start, span.end)))
        };
        let keep = keeping::keep_to_ipc(keeping.general);
        Reply::HistoryKept { keep, peers: spans.into_iter().map(line).collect() }
    }
}

fn open_text(keys: &Keys, name: RowName, row: &[u8]) -> Option<KeptText> {
    match row::decode(&keys.open_row(name, row)?)? {
        Opened::Text(_, text) => Some(text),
        Opened::Record(_) | Opened::Day(_) => None,
    }
}

/// A text of the file.
fn open_sealed(key: &Secret<32>, tag: Tag, number: u64, sealed: &[u8]) -> Option<KeptText> {
    let plaintext: Zeroizing<Vec<u8>> = seal::open(key, &context(tag, number), sealed)?;
    match row::decode(&plaintext)? {
        Opened::Text(it, text) if it == number => Some(text),
        Opened::Text(..) | Opened::Record(_) | Opened::Day(_) => None,
    }
}

fn tag(keys: &Keys, peer: &UserName) -> Result<Tag, StoreError> {
    Ok(keys.pseudonym(&format!("history peer {peer}"))?)
}

/// What the file shows of whose it is.
fn owner(keys: &Keys) -> Result<u128, StoreError> {
    Ok(keys.pseudonym("history owner")?)
}

fn day_name(keys: &Keys, tag: Tag, first: u64) -> Result<RowName, StoreError> {
    Ok(keys.pseudonym(&format!("history day {tag:032x} {first}"))?)
}

fn day_row(keys: &Keys, tag: Tag, day: &Day) -> Result<(RowName, Option<Vec<u8>>), StoreError> {
    let name = day_name(keys, tag, day.first)?;
    Ok((name, Some(keys.seal_row(name, &row::encode_day(day)?)?)))
}

/// What a text is bound to: its place.
fn context(tag: Tag, number: u64) -> Vec<u8> {
    [b"secchat history text 1".as_slice(), &tag.to_be_bytes(), &number.to_be_bytes()].concat()
}

fn unreadable(file: &File, error: ReadError) -> StoreError {
    let (ReadError::Broken(why) | ReadError::Failed(why)) = error;
    StoreError::Unreadable { path: file.path().to_owned(), why }
}

/// Texts that move in one write.
const MOVED_AT_ONCE: usize = 256;
