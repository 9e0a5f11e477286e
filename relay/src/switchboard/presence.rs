//! The list of available users: who sees it, how it is cut into records, how its changes are gathered.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use imbl::OrdSet;
use secchat_proto::UserName;
use secchat_proto::wire::link::ListPart;
use secchat_proto::wire::login::Role;

use super::name_list::NameList;
use super::{Command, Moment, SessionId, Switchboard};
use crate::bucket::Pace;

/// Names whose place on the list changed since the last gathering, and when the next one is.
#[derive(Debug, Default)]
pub(super) struct Changes {
    names: BTreeSet<UserName>,
    due: Option<Instant>,
    round: Option<Round>,
}

/// Telling the watchers what was gathered. They are told a few at a time: among thousands, the messages of those who
/// chat would have to wait.
#[derive(Debug)]
struct Round {
    came: OrdSet<UserName>,
    went: OrdSet<UserName>,
    to_tell: BTreeSet<SessionId>,
    next: Instant,
}

impl Changes {
    pub(super) fn due(&self) -> Option<Instant> {
        self.round.as_ref().map(|round| round.next).or(self.due)
    }

    /// Whether others are to be told of this name.
    pub(super) fn contain(&self, name: &UserName) -> bool {
        let Self { names, due: _, round } = self;
        let is_told =
            |Round { came, went, to_tell: _, next: _ }: &Round| came.contains(name) || went.contains(name);
        names.contains(name) || round.as_ref().is_some_and(is_told)
    }

    /// A watcher has got a list that is newer than what is being told.
    fn was_told(&mut self, watcher: SessionId) {
        if let Some(round) = &mut self.round {
            round.to_tell.remove(&watcher);
        }
    }

    /// The next few to be told.
    fn next_to_tell(&mut self, now: Instant) -> Vec<SessionId> {
        let Some(round) = &mut self.round else { return Vec::new() };
        round.next = now + BETWEEN_TELLING;
        (0..TOLD_AT_ONCE).map_while(|_| round.to_tell.pop_first()).collect()
    }
}

impl Switchboard {
    /// Refresh: the list now, and its changes until the next one if `watch`. Too many lists a minute, and this one
    /// leaves with the next changes: making a list costs far more than asking for it.
    pub(super) fn refresh(&mut self, from: SessionId, watch: bool, now: Moment) {
        let pace = self.refresh_pace();
        let Some(session) = self.sessions.get_mut(&from) else { return };
        session.watch = watch;
        if session.refreshes.take(pace, now.instant) {
            self.send_list(from, now);
        } else {
            session.owed_list = true;
            self.note_over("refreshes_per_minute");
            self.gather(now);
        }
    }

    /// Presence: listed or hidden from now on.
    pub(super) fn change_role(&mut self, from: SessionId, role: Role, now: Moment) {
        let Some(session) = self.sessions.get_mut(&from) else { return };
        if std::mem::replace(&mut session.role, role) == role {
            return;
        }
        let name = session.name.clone();
        self.came_or_went(name.clone(), now);
        if role == Role::Receiver {
            self.deliver_waiting(&name, now);
        }
    }

    /// Puts a name on the list or takes it off, as its user now is, and remembers that others are to be told.
    pub(super) fn came_or_went(&mut self, name: UserName, now: Moment) {
        let session = self.online.get(&name).and_then(|id| self.sessions.get(id));
        if session.is_some_and(|session| session.role == Role::Receiver) {
            self.listed.insert(name.clone());
        } else {
            self.listed.remove(&name);
        }
        self.changes.names.insert(name);
        self.gather(now);
    }

    /// Tells the watchers what has changed, and whoever is owed a list, that; as many of them as are due.
    pub(super) fn send_changes(&mut self, now: Moment) {
        if self.changes.due().is_none_or(|due| due > now.instant) {
            return;
        }
        if self.changes.round.is_none() {
            self.begin_round(now);
        }
        for watcher in self.changes.next_to_tell(now.instant) {
            self.tell(watcher, now);
        }
        self.changes.round.take_if(|round| round.to_tell.is_empty());
    }

    /// A name that is listed now counts as come, even if it went in between: its requests have to be made anew. Any
    /// other counts as gone, even if it only came in between: somebody may have seen it in a list.
    fn begin_round(&mut self, now: Moment) {
        self.changes.due = None;
        let names = std::mem::take(&mut self.changes.names);
        let (came, went) = names.into_iter().partition(|name| self.listed.contains(name));
        let watchers = self.sessions.iter().filter(|(_, session)| session.watch || session.owed_list);
        let to_tell = watchers.map(|(id, _)| *id).collect();
        self.changes.round = Some(Round { came, went, to_tell, next: now.instant });
    }

    fn tell(&mut self, watcher: SessionId, now: Moment) {
        let (Some(session), Some(round)) = (self.sessions.get(&watcher), &self.changes.round) else { return };
        if session.owed_list {
            return self.send_list(watcher, now);
        }
        let name = session.name.clone();
        let came = NameList::changes(&round.came, name.clone(), ListPart::Came);
        let went = NameList::changes(&round.went, name, ListPart::Went);
        for names in came.into_iter().chain(went) {
            if let Some(ticket) = self.admit(watcher, LIST_BYTES, |session| &session.own) {
                self.commands.push_back(Command::SendNames { to: watcher, names, ticket });
            }
        }
    }

    /// How often a list is sent at once.
    pub(super) fn refresh_pace(&self) -> Pace {
        Pace::per_minute(self.limits.refreshes_per_minute, self.limits.refreshes_per_minute)
    }

    fn gather(&mut self, now: Moment) {
        let due = now.instant + self.limits.gather();
        self.changes.due.get_or_insert(due);
    }

    /// Sends the list as it is now. A link has one list waiting at most: another one is owed.
    fn send_list(&mut self, to: SessionId, now: Moment) {
        let Some(session) = self.sessions.get_mut(&to) else { return };
        session.owed_list = session.lists.load().messages > 0;
        if session.owed_list {
            return self.gather(now);
        }
        let names = NameList::whole(self.listed.clone(), session.name.clone());
        self.changes.was_told(to);
        if let Some(ticket) = self.admit(to, LIST_BYTES, |session| &session.lists) {
            self.commands.push_back(Command::SendNames { to, names, ticket });
        }
    }
}

/// Watchers who are told of changes at once, and the time until the next ones are.
const TOLD_AT_ONCE: usize = 64;
const BETWEEN_TELLING: Duration = Duration::from_millis(1);
/// What names count for on a lane, however many: the set is shared.
pub(super) const LIST_BYTES: usize = 128;
