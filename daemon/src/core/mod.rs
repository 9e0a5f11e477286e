//! The daemon's decisions, without I/O: inputs and time in, outputs out.
//!
//! Speaks the frontends' vocabulary ([`secchat_ipc`]) on one side and the link's ([`secchat_proto::wire::link`]) on
//! the other. [`io`] is the whole surface. Inside, each file owns one subject:
//! `commands` (dispatch) and `pending` (who waits for what), `locking` (the identity key), `reachable` (asked while
//! locked), `session` (login, back-off) and `liveness`, `link` (dispatch of the relay's messages), `users` (who is available), `pins` and `trust` (keys),
//! `requests`, `answers` and `consents` (others ask), `asking` (this user asks), `chats`, `closing` and `texts` (conversations),
//! `outbox` (texts left for who is away),
//! `view` (snapshot and events), `consumers` (the log of events), `known` (peers and settings), `record` (what survives), `saving` (what is written when),
//! `held` (what waits for the disk), `restore` (what comes back), `expiry` (time), `quiet` (do not
//! disturb), `history` and `keeping` (what is kept after it was delivered), `status`.
//!
//! Nothing here grows without a bound ([`crate::limits`]), whatever a relay, a peer or a frontend sends. What the relay
//! says (answers, withdrawals, absence) ends an attempt or interrupts a chat, never a chat, a pin or a grant.

mod answers;
mod asking;
mod backoff;
mod chats;
mod closing;
mod commands;
mod consents;
mod consumers;
mod expiry;
mod held;
mod history;
pub mod io;
pub mod keeping;
mod known;
mod link;
mod liveness;
mod locking;
mod outbox;
mod pending;
mod pins;
mod quiet;
mod reachable;
pub mod record;
mod requests;
mod restore;
mod saving;
mod session;
mod status;
mod texts;
mod trust;
mod users;
mod view;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};
use std::time::Instant;

use io::{Input, LogLine, Output, RequestKey, Settings, Time};
use secchat_ipc::{CommandError, Reply, Snapshot};
use secchat_proto::UserName;
use secchat_proto::crypto::entropy::Entropy;
use secchat_proto::crypto::signature::PublicKey;
use secchat_proto::wire::link::{ChatId, LinkMessage};

/// Everything the daemon knows and decides.
///
/// Locking wipes the identity key and the keys of the chats' records. The chats themselves (root, grant, texts not
/// acknowledged) stay in memory, so that they go on after the next unlock.
#[derive(Debug)]
pub struct Core<E> {
    settings: Settings,
    entropy: E,
    time: Time,
    outputs: VecDeque<Output>,
    session: session::Session,
    users: users::Users,
    known: known::Known,
    saving: saving::Saving,
    /// Whether what was on disk is in memory: since the first unlock.
    is_restored: bool,
    /// What a person has to know of what was on disk.
    notices: Vec<String>,
    /// Keys that the relay offered in place of a pinned one.
    changed: BTreeMap<UserName, trust::ChangedKey>,
    /// Keys that verified pins vouch for, until their peers have shown that they use them.
    successors: BTreeMap<UserName, PublicKey>,
    requests: BTreeMap<ChatId, requests::Incoming>,
    /// Until when a peer's new requests are refused without a person being asked.
    cooling: BTreeMap<UserName, answers::Cooling>,
    asked: BTreeMap<UserName, asking::Asked>,
    chats: BTreeMap<ChatId, chats::Talk>,
    /// Who may open further chats without a question.
    consents: BTreeMap<UserName, record::SavedConsent>,
    outbox: outbox::Outbox,
    consumers: consumers::Consumers,
    pending: pending::Pending,
    quiet: quiet::Quiet,
    history: history::History,
    view: view::View,
    /// Bytes of unread texts, with those on their way to the disk.
    inbox_bytes: usize,
    /// Texts on their way to the disk that have a place in the inbox.
    admitted: usize,
    /// No request or chat ends by its time before this: Unix seconds.
    next_expiry: u64,
    stopping: bool,
}

impl<E: Entropy> Core<E> {
    /// A locked daemon. What was on disk comes with the first unlock.
    #[must_use]
    pub fn new(settings: Settings, entropy: E, time: Time) -> Self {
        let session = session::Session::new(settings.role);
        let view = view::View::new(settings.first_event);
        let mut core = Self {
            settings,
            entropy,
            time,
            outputs: VecDeque::new(),
            session,
            users: users::Users::default(),
            known: known::Known::default(),
            saving: saving::Saving::default(),
            is_restored: false,
            notices: Vec::new(),
            changed: BTreeMap::new(),
            successors: BTreeMap::new(),
            requests: BTreeMap::new(),
            cooling: BTreeMap::new(),
            asked: BTreeMap::new(),
            chats: BTreeMap::new(),
            consents: BTreeMap::new(),
            outbox: outbox::Outbox::default(),
            consumers: consumers::Consumers::default(),
            pending: pending::Pending::default(),
            quiet: quiet::Quiet::default(),
            history: history::History::default(),
            view,
            inbox_bytes: 0,
            admitted: 0,
            next_expiry: u64::MAX,
            stopping: false,
        };
        core.publish();
        core
    }

    /// Takes one input.
    pub fn handle(&mut self, input: Input, time: Time) {
        self.time = time;
        match input {
            Input::Command { frontend, id, timeout, command } => {
                self.handle_command(frontend, id, timeout, command);
            }
            Input::FrontendGone(connection) => self.handle_frontend_gone(connection),
            Input::IdentityLoaded(result) => self.handle_identity_loaded(result),
            Input::CrlSeen { this_update } => self.note_crl(this_update),
            Input::LinkUp { warnings } => self.handle_link_up(warnings),
            Input::LinkMessage(message) => self.handle_link_message(message),
            Input::LinkDown(failure) => self.handle_link_down(&failure),
            Input::RsaKeyReady(key) => self.session.keep_rsa_key(key),
            Input::Saved(result) => self.handle_saved(result),
            Input::HistoryDone(result) => self.handle_history_done(result),
            Input::LockByItself => self.lock_by_itself(),
            Input::Zone(zone) => self.set_zone(zone),
            Input::Stop => self.stop(),
        }
        self.settle();
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, time: Time) {
        self.time = time;
        self.expire_session();
        // Before the commands: who waits for a request hears that it expired.
        self.expire_requests();
        self.expire_commands();
        self.run_chat_timers();
        self.expire_saving();
        self.settle();
    }

    /// When [`Self::handle_timeout`] wants to be called; may change with every other call.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let chats = self.chats.values().filter_map(|talk| talk.chat.poll_timeout()).min();
        let wall = self.next_expiry.min(self.quiet_changes_at()).min(self.reachable_until());
        let expiry = self.instant_of(wall);
        [self.pending.next_deadline(), self.session.next_timeout(), chats, expiry, self.saving.wakes_at()]
            .into_iter()
            .flatten()
            .min()
    }

    /// The next output; to be asked until `None` after every call.
    #[must_use]
    pub fn next_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// What frontends see now.
    #[must_use]
    pub fn snapshot(&self) -> &Snapshot {
        self.view.snapshot()
    }

    /// What follows from every change: connect if wanted, make keys, save, tell frontends.
    fn settle(&mut self) {
        self.drive_session();
        self.drive_history();
        self.save_if_changed();
        self.publish();
    }

    fn output(&mut self, output: Output) {
        self.outputs.push_back(output);
    }

    fn reply(&mut self, key: RequestKey, result: Result<Reply, CommandError>) {
        self.output(Output::Reply(key, result));
    }

    /// Sends on the link; without one, or while locked, the message is dropped: what matters is offered again after the
    /// next login.
    fn send(&mut self, message: LinkMessage) {
        if self.session.is_online() && self.session.may_say(&message) {
            self.output(Output::Send(message));
        }
    }

    fn log(&mut self, event: &'static str, peer: Option<&UserName>, detail: impl Into<String>) {
        self.output(Output::Log(LogLine {
            event,
            peer: peer.cloned(),
            detail: detail.into(),
            warning: false,
        }));
    }

    fn warn(&mut self, event: &'static str, peer: Option<&UserName>, detail: impl Into<String>) {
        self.output(Output::Log(LogLine {
            event,
            peer: peer.cloned(),
            detail: detail.into(),
            warning: true,
        }));
    }
}
