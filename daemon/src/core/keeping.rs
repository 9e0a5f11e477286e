//! What is kept of conversations, and for how long: the smaller of this user's own word and what the two agreed.
//! [`u16::MAX`] days are for ever, none is not at all.

use std::collections::BTreeMap;

use secchat_ipc::types::{HistoryQuery, Keep, KeptOfPeer};
use secchat_ipc::{Reply, UserName as IpcUserName};
use secchat_proto::UserName;

/// This user's own word.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keeping {
    /// In general.
    pub general: u16,
    /// For these peers, in its place.
    pub peers: BTreeMap<UserName, u16>,
}

impl Keeping {
    /// For how many days a text of the peer's chat is kept, of which the two agreed on `agreed`.
    #[must_use]
    pub fn days(&self, peer: &UserName, agreed: u16) -> u16 {
        self.peers.get(peer).copied().unwrap_or(self.general).min(agreed)
    }
}

/// Whether a text of this time has been kept for so many days.
#[must_use]
pub fn is_over(at: u64, days: u16, now: u64) -> bool {
    days == 0 || (days != FOR_EVER && at.saturating_add(u64::from(days).saturating_mul(DAY)) <= now)
}

/// Whether all texts of this day have been kept for so many days.
#[must_use]
pub fn is_day_over(day: u64, days: u16, now: u64) -> bool {
    is_over(start_of(day).saturating_add(DAY - 1), days, now)
}

/// The day that this time is in, by UTC.
#[must_use]
pub fn day_of(unix: u64) -> u64 {
    unix / DAY
}

/// When it begins: Unix seconds.
#[must_use]
pub fn start_of(day: u64) -> u64 {
    day.saturating_mul(DAY)
}

/// As frontends see it.
#[must_use]
pub fn keep_to_ipc(days: u16) -> Keep {
    if days == FOR_EVER { Keep::All } else { Keep::Days(days) }
}

/// What a frontend says; too many days are for ever.
#[must_use]
pub fn keep_from_ipc(keep: Keep) -> u16 {
    match keep {
        Keep::All => FOR_EVER,
        Keep::Days(days) => days,
    }
}

/// What the owner of the history is to do. Whatever it is, what is due by time or by this user's word goes first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HistoryJob {
    /// Nothing more.
    Tidy,
    /// A page of texts; → [`Reply::History`].
    Page(HistoryQuery),
    /// Who has texts there; → [`Reply::HistoryKept`].
    List,
    /// Erases; → [`Reply::HistoryErased`].
    Erase {
        /// Whose; `None`: all.
        peer: Option<IpcUserName>,
        /// Of days before this one; `None`: all.
        before: Option<u64>,
    },
}

/// A job, and by what it is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryRequest {
    /// What.
    pub job: HistoryJob,
    /// This user's word.
    pub keeping: Keeping,
    /// The time: Unix seconds.
    pub now: u64,
}

/// What came of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryAnswer {
    /// The answer.
    pub reply: Reply,
    /// What a person has to know: a file that was set aside.
    pub notices: Vec<String>,
    /// Erased texts are still to be cleaned away.
    pub is_more_to_tidy: bool,
}

/// One line of [`Reply::HistoryKept`].
#[must_use]
pub fn kept_of_peer(peer: IpcUserName, keep: Option<u16>, days: Option<(u64, u64)>) -> KeptOfPeer {
    let (from, to) = days.unzip();
    KeptOfPeer { peer, keep: keep.map(keep_to_ipc), from: from.map(start_of), to: to.map(start_of) }
}

/// No limit.
pub const FOR_EVER: u16 = u16::MAX;
/// Seconds.
const DAY: u64 = 86_400;
