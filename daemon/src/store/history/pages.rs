//! Looking into the history: a page at a time, each of so little work that the writes of chats between do not wait.

use secchat_ipc::Reply;
use secchat_ipc::types::{HistoryPlace, HistoryQuery, KeptText as Shown};
use secchat_proto::UserName;

use super::{Day, History, Keys, StoreError, Tag, open_sealed, owner};
use crate::convert::{chat_id_to_ipc, user_from_ipc, user_to_ipc};
use crate::core::keeping::{Keeping, is_over, start_of};
use crate::core::record::KeptText;
use crate::limits::{MAX_HISTORY_PAGE_BYTES, MAX_HISTORY_PAGE_SEEN, MAX_HISTORY_PAGE_TEXTS};

/// What a page has, and how much was looked at for it.
#[derive(Default)]
struct Page {
    texts: Vec<Shown>,
    seen: usize,
    seen_bytes: usize,
    /// The last one looked at.
    last: Option<HistoryPlace>,
}

/// What somebody wants to see.
struct Wanted<'a> {
    query: &'a HistoryQuery,
    /// In small letters.
    search: Option<String>,
    most: usize,
    owner: u128,
    keeping: &'a Keeping,
    now: u64,
}

impl Wanted<'_> {
    fn is_met(&self, text: &KeptText) -> bool {
        let HistoryQuery { since, before, .. } = self.query;
        !is_over(text.at, self.keeping.days(&text.peer, text.days), self.now)
            && since.is_none_or(|since| text.at >= since)
            && before.is_none_or(|before| text.at < before)
            && self.search.as_ref().is_none_or(|search| text.text.to_lowercase().contains(search.as_str()))
    }

    /// Whether there may be one among those of this day.
    fn may_be_in(&self, day: &Day) -> bool {
        let HistoryQuery { since, before, .. } = self.query;
        let ends = start_of(day.day.saturating_add(1));
        since.is_none_or(|since| since < ends) && before.is_none_or(|before| start_of(day.day) < before)
    }

    fn is_full(&self, page: &Page) -> bool {
        page.texts.len() >= self.most
            || page.seen >= MAX_HISTORY_PAGE_SEEN
            || page.seen_bytes >= MAX_HISTORY_PAGE_BYTES
    }
}

impl History {
    /// The texts that a query wants, from where the page before ended.
    pub(super) fn page(
        &mut self,
        keys: &Keys,
        query: &HistoryQuery,
        keeping: &Keeping,
        now: u64,
    ) -> Result<Reply, StoreError> {
        let search = query.search.as_ref().map(|search| search.to_lowercase());
        let most = usize::from(query.most).clamp(1, MAX_HISTORY_PAGE_TEXTS);
        let wanted = Wanted { query, search, most, owner: owner(keys)?, keeping, now };
        let mut page = Page::default();
        for (place, peer) in self.days_of(query) {
            self.read_day(place, &peer, &wanted, &mut page)?;
            if wanted.is_full(&page) {
                return Ok(Reply::History { texts: page.texts, next: page.last });
            }
        }
        Ok(Reply::History { texts: page.texts, next: None })
    }

    /// The days to look at, in order: by peer, and by time.
    fn days_of(&self, query: &HistoryQuery) -> Vec<((Tag, u64), UserName)> {
        let only = query.peer.as_ref().map(user_from_ipc);
        let from = query.after.as_ref().map(|place| (user_from_ipc(&place.peer), place.number));
        let is_ahead = |peer: &UserName, (tag, first): (Tag, u64)| match &from {
            Some((it, number)) if it == peer && query.newest_first => first < *number,
            Some((it, number)) if it == peer => self.texts_of((tag, first)).1.end > number.saturating_add(1),
            Some((it, _)) => peer > it,
            None => true,
        };
        let days = self.days.iter().filter(|(place, day)| {
            day.key.is_some()
                && only.as_ref().is_none_or(|it| day.peer == *it)
                && is_ahead(&day.peer, **place)
        });
        let mut days: Vec<_> = days.map(|(place, day)| (*place, day.peer.clone())).collect();
        days.sort_by(|(a, a_peer), (b, b_peer)| {
            let by_number = if query.newest_first { b.1.cmp(&a.1) } else { a.1.cmp(&b.1) };
            a_peer.cmp(b_peer).then(by_number)
        });
        days
    }

    fn read_day(
        &mut self,
        place: (Tag, u64),
        peer: &UserName,
        wanted: &Wanted<'_>,
        page: &mut Page,
    ) -> Result<(), StoreError> {
        let (tag, mut numbers) = self.texts_of(place);
        let Some(day) = self.days.get(&place).filter(|day| wanted.may_be_in(day)) else { return Ok(()) };
        let Some(key) = &day.key else { return Ok(()) };
        let HistoryQuery { newest_first, after, .. } = wanted.query;
        if let Some(after) = after.as_ref().filter(|after| user_from_ipc(&after.peer) == *peer) {
            if *newest_first {
                numbers.end = numbers.end.min(after.number);
            } else {
                numbers.start = numbers.start.max(after.number.saturating_add(1));
            }
        }
        self.file.read(wanted.owner, &(tag, numbers), *newest_first, |number, sealed| {
            page.seen = page.seen.saturating_add(1);
            page.seen_bytes = page.seen_bytes.saturating_add(sealed.len());
            page.last = Some(HistoryPlace { peer: user_to_ipc(peer), number });
            let text = open_sealed(key, tag, number, sealed).filter(|text| wanted.is_met(text));
            page.texts.extend(text.map(shown));
            !wanted.is_full(page)
        })
    }
}

fn shown(text: KeptText) -> Shown {
    let KeptText { peer, chat_id, is_own, id, at, days: _, order: _, text } = text;
    Shown {
        peer: user_to_ipc(&peer),
        chat_id: chat_id_to_ipc(chat_id),
        is_own,
        id,
        at,
        text: text.as_str().to_owned(),
    }
}
