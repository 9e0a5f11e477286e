//! Erasing: the keys go at once and for good, and the texts that nobody can read any more bit by bit.

use super::{Batch, Day, History, StoreError, Tag, Texts, Unlocked, day_name, day_row, owner};
use crate::core::keeping::{Keeping, is_day_over};
use crate::limits::MAX_HISTORY_KEYS;

impl History {
    /// Forgets the keys of some days, for good; how many texts had them.
    pub(super) fn forget(
        &mut self,
        store: &mut Unlocked<'_>,
        is_meant: impl Fn(&Day) -> bool,
    ) -> Result<u64, StoreError> {
        let meant = self.days.iter().filter(|(_, day)| day.key.is_some() && is_meant(day));
        let places: Vec<(Tag, u64)> = meant.map(|(place, _)| *place).collect();
        if places.is_empty() {
            return Ok(0);
        }
        let ranges: Vec<Texts> = places.iter().map(|place| self.texts_of(*place)).collect();
        let texts = self.file.count(owner(store.keys)?, &ranges)?;
        let mut rows = Vec::with_capacity(places.len());
        for place in &places {
            let Some(Day { peer, first, day, days, key: _ }) = self.days.get(place) else { continue };
            let erased = Day { peer: peer.clone(), first: *first, day: *day, days: *days, key: None };
            rows.push(day_row(store.keys, place.0, &erased)?);
        }
        store.file.write(&Batch { rows, ..Batch::default() })?;
        for place in places {
            if let Some(day) = self.days.get_mut(&place) {
                day.key = None;
            }
        }
        store.file.forget_deleted();
        Ok(texts)
    }

    /// Cleans some erased texts away; without any text left, the file too.
    pub(super) fn clean(&mut self, store: &mut Unlocked<'_>) -> Result<(), StoreError> {
        let erased = self.days.iter().filter(|(_, day)| day.key.is_none());
        let places: Vec<(Tag, u64)> = erased.map(|(place, _)| *place).collect();
        if places.is_empty() {
            return Ok(());
        }
        if places.len() == self.days.len() && self.staged.is_empty() {
            self.file.delete()?;
            return self.drop_days(store, &places);
        }
        let ranges: Vec<Texts> = places.iter().map(|place| self.texts_of(*place)).collect();
        let cleaned = self.file.remove(owner(store.keys)?, &ranges, CLEANED_AT_ONCE)?;
        self.drop_days(store, places.get(..cleaned).unwrap_or_default())
    }

    fn drop_days(&mut self, store: &mut Unlocked<'_>, places: &[(Tag, u64)]) -> Result<(), StoreError> {
        let rows = places.iter().map(|(tag, first)| Ok((day_name(store.keys, *tag, *first)?, None)));
        let rows = rows.collect::<Result<Vec<_>, StoreError>>()?;
        store.file.write(&Batch { rows, ..Batch::default() })?;
        self.days.retain(|place, _| !places.contains(place));
        Ok(())
    }

    /// The oldest day goes when there are too many.
    pub(super) fn make_room(&mut self, store: &mut Unlocked<'_>) -> Result<(), StoreError> {
        if self.days.len() < MAX_HISTORY_KEYS {
            return Ok(());
        }
        let Some(oldest) = self.days.values().map(|day| day.day).min() else { return Ok(()) };
        self.forget(store, |day| day.day == oldest)?;
        self.clean(store)
    }
}

/// Whether all texts of a day have been kept for as long as they may be.
pub(super) fn is_due(day: &Day, keeping: &Keeping, now: u64) -> bool {
    is_day_over(day.day, keeping.days(&day.peer, day.days), now)
}

/// Erased texts that are cleaned away in one job: the writes of chats wait for no more.
const CLEANED_AT_ONCE: usize = 4_096;
