//! Who is available, as the relay lists it.

use std::collections::BTreeSet;

use secchat_ipc::{Command, CommandError, Event, Reply};
use secchat_proto::UserName;
use secchat_proto::crypto::entropy::Entropy;
use secchat_proto::wire::link::{LinkMessage, ListPart};

use super::Core;
use super::commands::{Caller, Outcome};
use super::pending::Wait;
use crate::convert::user_to_ipc;
use crate::limits::{MAX_LISTED_USERS, MAX_USERS_PER_EVENT};

/// The list, and how far the relay's answers are.
#[derive(Debug, Default)]
pub(super) struct Users {
    listed: BTreeSet<UserName>,
    /// Parts of the list that is just coming.
    gathered: BTreeSet<UserName>,
    /// Refreshes sent, and lists that came for them.
    sent: u64,
    done: u64,
    /// Another Refresh is to follow when the list for the last one has come: the relay may answer several with one list,
    /// and nobody could tell which.
    is_asked_again: bool,
    watching: bool,
}

impl Users {
    /// Nothing more comes for the Refreshes of this link. Who was listed is kept, to be compared with the next list.
    pub(super) fn lose_link(&mut self) {
        self.done = self.sent;
        self.gathered.clear();
        self.is_asked_again = false;
        self.watching = false;
    }
}

impl<E: Entropy> Core<E> {
    pub(super) fn list(&mut self, caller: &Caller) -> Result<Outcome, CommandError> {
        self.may_log_in()?;
        if !self.session.is_online() {
            return self.park_until_online(caller, Command::List);
        }
        if self.users.sent == self.users.done {
            self.refresh();
        }
        let refresh = self.users.sent;
        Ok(self.wait(caller, Wait::List { refresh }))
    }

    /// Asks for the list, and for its changes if any frontend watches.
    pub(super) fn refresh_watch(&mut self) {
        if self.session.is_online() {
            self.refresh();
        }
    }

    fn refresh(&mut self) {
        let watch = self.view.has_subscribers();
        self.users.watching = watch;
        if self.users.sent > self.users.done {
            self.users.is_asked_again = true;
            return;
        }
        self.users.sent = self.users.sent.saturating_add(1);
        self.send(LinkMessage::Refresh { watch });
    }

    pub(super) fn handle_users(&mut self, part: ListPart, names: Vec<UserName>) {
        let own = self.settings.user.clone();
        let names = names.into_iter().filter(|name| Some(name) != own.as_ref());
        match part {
            ListPart::More => self.gather(names),
            ListPart::Last => {
                self.gather(names);
                self.finish_list();
            }
            ListPart::Came => {
                let room = MAX_LISTED_USERS.saturating_sub(self.users.listed.len());
                let came: Vec<UserName> =
                    names.filter(|name| !self.users.listed.contains(name)).take(room).collect();
                self.users.listed.extend(came.iter().cloned());
                self.tell_users(&came, &[]);
            }
            ListPart::Went => {
                let went: Vec<UserName> = names.filter(|name| self.users.listed.contains(name)).collect();
                went.iter().for_each(|name| {
                    self.users.listed.remove(name);
                });
                self.tell_users(&[], &went);
            }
        }
    }

    fn gather(&mut self, names: impl Iterator<Item = UserName>) {
        // A list that nobody asked for is not kept.
        if self.users.done < self.users.sent {
            let room = MAX_LISTED_USERS.saturating_sub(self.users.gathered.len());
            self.users.gathered.extend(names.take(room));
        }
    }

    fn finish_list(&mut self) {
        if self.users.done >= self.users.sent {
            return;
        }
        self.users.done = self.users.done.saturating_add(1);
        let new = std::mem::take(&mut self.users.gathered);
        let old = std::mem::replace(&mut self.users.listed, new);
        let came: Vec<UserName> = self.users.listed.difference(&old).cloned().collect();
        let went: Vec<UserName> = old.difference(&self.users.listed).cloned().collect();
        self.tell_users(&came, &went);
        let done = self.users.done;
        let is_it = |wait: &Wait| matches!(wait, Wait::List { refresh } if *refresh <= done);
        if self.pending.any(is_it) {
            let reply = Reply::Users(self.users.listed.iter().map(user_to_ipc).collect());
            self.answer_all(is_it, &Ok(reply));
        }
        if std::mem::take(&mut self.users.is_asked_again) {
            self.refresh();
        }
    }

    fn tell_users(&mut self, came: &[UserName], went: &[UserName]) {
        if !self.users.watching {
            return;
        }
        for came in came.chunks(MAX_USERS_PER_EVENT) {
            let came = came.iter().map(user_to_ipc).collect();
            self.event(Event::UsersChanged { came, went: Vec::new() });
        }
        for went in went.chunks(MAX_USERS_PER_EVENT) {
            let went = went.iter().map(user_to_ipc).collect();
            self.event(Event::UsersChanged { came: Vec::new(), went });
        }
    }
}
