//! Texts on their way into the history, and the keys of those that are there.

use secchat_ipc::types::ChatId;
use secchat_proto::crypto::secret::Secret;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{Opened, name};
use crate::convert::{chat_id_from_ipc, chat_id_to_ipc};
use crate::core::record::KeptText;
use crate::store::history::Day;

#[derive(Serialize, Deserialize)]
pub(super) struct KeptRow {
    number: u64,
    peer: String,
    chat_id: ChatId,
    is_own: bool,
    id: u64,
    at: u64,
    days: u16,
    text: Zeroizing<String>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct DayRow {
    peer: String,
    first: u64,
    day: u64,
    days: u16,
    key: Option<Zeroizing<[u8; 32]>>,
}

impl KeptRow {
    pub(super) fn of(number: u64, text: &KeptText) -> Self {
        let KeptText { peer, chat_id, is_own, id, at, days, order: _, text } = text;
        Self {
            number,
            peer: peer.to_string(),
            chat_id: chat_id_to_ipc(*chat_id),
            is_own: *is_own,
            id: *id,
            at: *at,
            days: *days,
            text: text.clone(),
        }
    }

    pub(super) fn read(self) -> Option<Opened> {
        let Self { number, peer, chat_id, is_own, id, at, days, text } = self;
        let (peer, chat_id) = (name(&peer)?, chat_id_from_ipc(chat_id)?);
        Some(Opened::Text(number, KeptText { peer, chat_id, is_own, id, at, days, order: 0, text }))
    }
}

impl From<&Day> for DayRow {
    fn from(Day { peer, first, day, days, key }: &Day) -> Self {
        let key = key.as_ref().map(|key| Zeroizing::new(*key.expose()));
        Self { peer: peer.to_string(), first: *first, day: *day, days: *days, key }
    }
}

impl DayRow {
    pub(super) fn read(self) -> Option<Opened> {
        let Self { peer, first, day, days, key } = self;
        let key = key.map(|bytes| {
            let mut key = Secret::zeros();
            key.expose_mut().copy_from_slice(bytes.as_slice());
            key
        });
        Some(Opened::Day(Day { peer: name(&peer)?, first, day, days, key }))
    }
}
