//! All that the switchboard holds on one user, and how much there is of everything. Every struct is taken apart field by
//! field here: whoever adds one has to say what of it is a user's.

use std::time::Instant;

use secchat_proto::UserName;
use secchat_proto::wire::login::Role;

use super::lane::Bound;
use super::{PairEnd, Session, SessionId, Switchboard};

/// What is held on a user.
#[derive(Clone, Debug)]
pub struct Holdings {
    /// The user's session, if it is here.
    pub session: Option<SessionHeld>,
    /// What it has offered to others.
    pub offers: Vec<OfferHeld>,
    /// What others have offered to it.
    pub offered: Vec<OfferHeld>,
    /// What is remembered of its requests, and of those to it, for their limits.
    pub requests: RequestsHeld,
    /// Others are to be told that it came or went.
    pub has_news: bool,
}

/// A user who is here.
#[derive(Clone, Debug)]
pub struct SessionHeld {
    /// The session's number.
    pub id: SessionId,
    /// Listed or hidden.
    pub role: Role,
    /// Whether it is told of the list's changes.
    pub watch: bool,
    /// Until when a delegated key holds it, in Unix seconds; `None`: the user's own key does.
    pub delegated_until: Option<u64>,
    /// Lists of it that count against its bound.
    pub refreshes: u32,
    /// A list is to follow.
    pub owed_list: bool,
    /// With whom it is paired, once for each chat.
    pub pairs: Vec<UserName>,
    /// What waits for its link of the relay's own.
    pub own: Bound,
    /// What waits for its link of all chats.
    pub forwarded: Bound,
}

/// An offer that waits for its counterpart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OfferHeld {
    /// The other user.
    pub with: UserName,
    /// What it is.
    pub kind: OfferKind,
    /// When it ends, in Unix seconds; `None`: with its maker's link.
    pub expires: Option<u64>,
    /// Whether a link of the addressee has had it.
    pub delivered: bool,
}

/// The kinds of offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OfferKind {
    /// A Request to Talk.
    Request,
    /// Response 1.
    Acceptance,
    /// Resume.
    Resumption,
}

/// What is remembered of requests for a few minutes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestsHeld {
    /// How many count against the user's bound.
    pub counted: u32,
    /// Pairs of asker and asked with the user in them.
    pub pairs: usize,
}

/// How much there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counts {
    /// Users who are here.
    pub sessions: usize,
    /// Pairs.
    pub chats: usize,
    /// Requests to Talk that wait.
    pub requests: usize,
    /// Bytes that wait for all links.
    pub queued_bytes: usize,
}

impl Holdings {
    /// Whether nothing is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let Self { session, offers, offered, requests: RequestsHeld { counted, pairs }, has_news } = self;
        let has_offers = !offers.is_empty() || !offered.is_empty();
        session.is_none() && !has_offers && *counted == 0 && *pairs == 0 && !has_news
    }
}

impl Switchboard {
    /// All that is held on a user.
    #[must_use]
    pub fn holdings(&self, name: &UserName, now: Instant) -> Holdings {
        // Who is listed is here; when a delegate ends stands in its session; the queues and what was over a limit are
        // counts; the last two are empty between inputs.
        let Self {
            limits,
            sessions,
            online,
            listed: _,
            offers,
            rates,
            changes,
            delegates: _,
            queues: _,
            pairs: _,
            over_limits: _,
            too_slow: _,
            commands: _,
        } = self;
        let session = online.get(name).and_then(|id| sessions.get(id).map(|session| (*id, session)));
        let session = session.map(|(id, session)| self.session_held(id, session, now));
        let (offers, offered) = offers.of(name);
        let requests = rates.of(name, limits, now);
        Holdings { session, offers, offered, requests, has_news: changes.contain(name) }
    }

    fn session_held(&self, id: SessionId, session: &Session, now: Instant) -> SessionHeld {
        let Session {
            name: _,
            public_key: _,
            chain: _,
            role,
            watch,
            delegated,
            refreshes,
            owed_list,
            pairs,
            own,
            lists: _,
            forwarded,
        } = session;
        let peer = |PairEnd { peer, outgoing: _ }: &PairEnd| {
            self.sessions.get(peer).map(|session| session.name.clone())
        };
        SessionHeld {
            id,
            role: *role,
            watch: *watch,
            delegated_until: delegated.map(|(until, _)| until),
            refreshes: refreshes.missing(self.refresh_pace(), now),
            owed_list: *owed_list,
            pairs: pairs.values().filter_map(peer).collect(),
            own: own.load(),
            forwarded: forwarded.load(),
        }
    }

    /// How much there is: work in proportion to it, without any allocation.
    #[must_use]
    pub fn counts(&self) -> Counts {
        Counts {
            sessions: self.sessions.len(),
            chats: self.pairs,
            requests: self.offers.count_all_rtts(),
            queued_bytes: self.queues.load().bytes,
        }
    }
}
