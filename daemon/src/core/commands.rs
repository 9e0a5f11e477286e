//! Frontends' commands: each is dispatched here and answered exactly once, now or by what it waits for.

use std::time::{Duration, Instant};

use secchat_ipc::types::{LinkState, ResolvedBy};
use secchat_ipc::{Command, CommandError, Reply};
use secchat_proto::UserName;
use secchat_proto::crypto::entropy::Entropy;
use secchat_proto::crypto::signature::SigningKey;

use super::Core;
use super::answers::Accept;
use super::asking::Ask;
use super::consumers::NOTHING;
use super::io::{Frontend, Output, RequestKey};
use super::keeping::HistoryJob;
use super::pending::{Ticket, Wait, Waiting};
use crate::convert::user_from_ipc;
use crate::limits::DEFAULT_COMMAND_TIMEOUT;

/// Who asked for something, and until when the answer is wanted.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    /// Where the answer goes.
    pub(super) key: RequestKey,
    /// As others see it.
    pub(super) who: ResolvedBy,
    /// The time limit, if the frontend set one.
    pub(super) limit: Option<Instant>,
    /// When the command came.
    pub(super) since: Instant,
}

impl Caller {
    /// When the answer is due.
    pub(super) fn deadline(&self) -> Instant {
        self.limit.unwrap_or(self.since + DEFAULT_COMMAND_TIMEOUT)
    }
}

/// How a command went.
#[derive(Debug)]
pub(super) enum Outcome {
    /// Answered with this.
    Now(Reply),
    /// Answered elsewhere: it waits, or its answer is out already.
    Elsewhere,
}

impl<E: Entropy> Core<E> {
    pub(super) fn handle_command(
        &mut self,
        frontend: Frontend,
        id: u64,
        timeout: Duration,
        command: Command,
    ) {
        let now = self.time.now;
        let caller = Caller {
            key: RequestKey { frontend: frontend.connection, id },
            who: ResolvedBy::Frontend { name: frontend.name, pid: frontend.pid },
            limit: (!timeout.is_zero()).then(|| now + timeout),
            since: now,
        };
        self.run(&caller, command);
    }

    /// Carries out a command and answers it, unless it waits.
    pub(super) fn run(&mut self, caller: &Caller, command: Command) {
        let result = if self.stopping {
            Err(CommandError::Stopping)
        } else if self.pending.has_room(caller.key.frontend) {
            self.may_know(&command).and_then(|()| self.execute(caller, command))
        } else {
            Err(CommandError::LimitReached {
                why: "too many commands wait for their answer: let some finish first".into(),
            })
        };
        match result {
            Ok(Outcome::Now(reply)) => self.reply(caller.key, Ok(reply)),
            Ok(Outcome::Elsewhere) => {}
            Err(error) => self.reply(caller.key, Err(error)),
        }
    }

    fn execute(&mut self, caller: &Caller, command: Command) -> Result<Outcome, CommandError> {
        match command {
            Command::Status => Ok(Outcome::Now(Reply::Status(self.status()))),
            Command::Subscribe => Ok(self.subscribe(caller)),
            Command::Unlock { passphrase, ttl_seconds } => self.unlock(caller, passphrase, ttl_seconds),
            Command::Lock => Ok(self.lock_by_command()),
            Command::LockKeepSession => self.lock_keeping_session(),
            Command::Login => self.login(caller),
            Command::Logout => Ok(self.logout()),
            Command::List => self.list(caller),
            Command::Rtt { peer, terms, lifetime_seconds, wait } => {
                self.ask(caller, &user_from_ipc(&peer), Ask { terms, lifetime_seconds, wait })
            }
            Command::Withdraw { peer } => self.withdraw_by_command(caller, &user_from_ipc(&peer)),
            Command::Requests => Ok(self.list_requests()),
            Command::Accept { peer, terms, wait } => self.grant(caller, &peer, Accept::once(terms, wait)),
            Command::AcceptStanding { peer, terms, wait } => {
                self.grant(caller, &peer, Accept::standing(terms, wait))
            }
            Command::Consents => Ok(self.list_consents()),
            Command::DoNotDisturb => Ok(self.show_do_not_disturb()),
            Command::SetDoNotDisturb(change) => self.set_do_not_disturb(caller, change),
            Command::Revoke { peer } => self.revoke(caller, &user_from_ipc(&peer)),
            Command::Refuse { peer, quietly } => {
                self.refuse_by_command(caller, &user_from_ipc(&peer), quietly)
            }
            Command::Later { peer } => self.later(caller, &user_from_ipc(&peer)),
            Command::Send { peer, text } => self.send_text(caller, &user_from_ipc(&peer), text),
            Command::Read { peer, peek } => Ok(self.read(peer.as_ref(), peek)),
            Command::Close { peer } => self.close(caller, &user_from_ipc(&peer)),
            Command::SetReachability { available } => Ok(self.set_reachability(available)),
            Command::SetPolicy { peer, policy } => {
                self.set_policy(caller, peer.as_ref().map(user_from_ipc), policy)
            }
            Command::SetBlocked { peer, blocked } => self.set_blocked(caller, &user_from_ipc(&peer), blocked),
            Command::Peers => Ok(self.list_peers()),
            Command::AddPeer { peer, public_key } => {
                self.add_peer(caller, &user_from_ipc(&peer), &public_key)
            }
            Command::SafetyNumber { peer } => self.safety_number_of(&user_from_ipc(&peer)),
            Command::ConfirmSafetyNumber { peer, number } => {
                self.confirm_safety_number(caller, &user_from_ipc(&peer), &number)
            }
            Command::Forget { peer } => self.forget(caller, &user_from_ipc(&peer)),
            Command::Chats => Ok(self.list_chats()),
            Command::MarkRead { chat_id, up_to } => Ok(self.mark_read(caller, chat_id, up_to)),
            Command::Queue { peer, text, lifetime_seconds } => {
                self.queue_text(caller, &user_from_ipc(&peer), text, lifetime_seconds)
            }
            Command::Outbox => Ok(self.list_outbox()),
            Command::CancelQueued { texts } => self.cancel_queued(caller, &texts),
            Command::Consume { consumer, acknowledged, most } => {
                self.consume(caller, consumer, acknowledged, most)
            }
            Command::ForgetConsumer { consumer } => self.forget_consumer(caller, &consumer),
            Command::Consumers => Ok(self.list_consumers()),
            Command::History(query) => self.query_history(caller, query),
            Command::HistoryKept => self.history_job(caller, HistoryJob::List),
            Command::SetHistory { peer, keep } => self.set_history(caller, peer, keep),
            Command::EraseHistory { peer, before } => self.erase_history(caller, peer, before),
        }
    }

    /// Whether what the command needs was read from the disk.
    fn may_know(&self, command: &Command) -> Result<(), CommandError> {
        if self.is_restored || !needs_what_was_saved(command) {
            return Ok(());
        }
        self.user()?;
        Err(CommandError::Locked)
    }

    /// Lets the command wait until its deadline at most.
    pub(super) fn wait(&mut self, caller: &Caller, wait: Wait) -> Outcome {
        self.pending.add(caller.key, caller.deadline(), wait);
        Outcome::Elsewhere
    }

    /// Answers every command that waits for this.
    pub(super) fn answer_all(&mut self, is_it: impl Fn(&Wait) -> bool, result: &Result<Reply, CommandError>) {
        for waiting in self.pending.take_all(is_it) {
            self.reply(waiting.key, result.clone());
        }
    }

    /// Answers the command with this ticket, if it still waits.
    pub(super) fn answer(&mut self, ticket: Ticket, result: Result<Reply, CommandError>) {
        if let Some(waiting) = self.pending.take(ticket) {
            self.reply(waiting.key, result);
        }
    }

    pub(super) fn handle_frontend_gone(&mut self, connection: u64) {
        for (_, waiting) in self.pending.take_frontend(connection) {
            self.waiter_left(waiting.wait);
        }
        self.release_consumers(connection);
        self.unsubscribe(connection);
    }

    pub(super) fn expire_commands(&mut self) {
        for (ticket, waiting) in self.pending.take_due(self.time.now) {
            let Waiting { key, wait, .. } = waiting;
            let result = match &wait {
                Wait::Link(_) | Wait::Online => Err(self.not_connected()),
                Wait::Close { chat_id } => Ok(self.closed(*chat_id)),
                Wait::Delivery { chat_id } => {
                    self.forget_queued(*chat_id, ticket);
                    Err(CommandError::TimedOut)
                }
                Wait::Events { .. } => Ok(NOTHING),
                Wait::Unlocked
                | Wait::List { .. }
                | Wait::Talk { .. }
                | Wait::Opening { .. }
                | Wait::Queued
                | Wait::History
                | Wait::Saved { .. } => Err(CommandError::TimedOut),
            };
            self.reply(key, result);
            if let Wait::Close { chat_id } = &wait {
                self.give_up_texts(*chat_id);
            }
            self.waiter_left(wait);
        }
    }

    /// A command stopped waiting: a request that stood only for it is withdrawn.
    fn waiter_left(&mut self, wait: Wait) {
        match wait {
            Wait::Talk { peer } => self.withdraw_if_unwanted(&peer),
            Wait::Link(_)
            | Wait::Unlocked
            | Wait::Online
            | Wait::List { .. }
            | Wait::Opening { .. }
            | Wait::Delivery { .. }
            | Wait::Close { .. }
            | Wait::Queued
            | Wait::History
            | Wait::Events { .. }
            | Wait::Saved { .. } => {}
        }
    }

    pub(super) fn user(&self) -> Result<UserName, CommandError> {
        self.settings.user.clone().ok_or(CommandError::NotConfigured)
    }

    pub(super) fn identity(&self) -> Result<(UserName, SigningKey), CommandError> {
        let user = self.user()?;
        let key = self.session.identity().cloned().ok_or(CommandError::Locked)?;
        Ok((user, key))
    }

    /// Whether there is a key to log in with, though it may be able to do no more.
    pub(super) fn may_log_in(&self) -> Result<(), CommandError> {
        self.user()?;
        self.session.can_log_in().then_some(()).ok_or(CommandError::Locked)
    }

    /// Why there is no link, for an answer.
    pub(super) fn not_connected(&self) -> CommandError {
        let why = match self.link_state() {
            LinkState::LoggedOut => "logged out; run `secchatctl login`".into(),
            LinkState::Connecting | LinkState::Online => "the login is under way; try again".into(),
            LinkState::Waiting { why, .. } => format!("{why}; the next attempt starts by itself"),
            LinkState::Replaced { why } => format!("{why}; run `secchatctl login` to take it back"),
        };
        CommandError::NotConnected { why }
    }

    /// Answers what waits, ends the chats and the session, and takes nothing more.
    pub(super) fn stop(&mut self) {
        if self.stopping {
            return;
        }
        self.stopping = true;
        self.saving.hurry();
        for (_, waiting) in self.pending.take_everything() {
            self.reply(waiting.key, Err(CommandError::Stopping));
        }
        self.end_link(secchat_proto::wire::link::LogoutReason::Closing);
    }

    /// Whether the command needs a link that is just being made: it is then carried out afterwards.
    pub(super) fn park_until_online(
        &mut self,
        caller: &Caller,
        command: Command,
    ) -> Result<Outcome, CommandError> {
        if self.session.is_connecting() {
            Ok(self.wait(caller, Wait::Link(Box::new((caller.clone(), command)))))
        } else {
            Err(self.not_connected())
        }
    }

    /// The subscription's snapshot; events follow it.
    fn subscribe(&mut self, caller: &Caller) -> Outcome {
        self.publish();
        self.fill_safety_numbers();
        let first = self.view.subscribe(caller.key.frontend);
        let snapshot = Box::new(self.view.snapshot().clone());
        self.output(Output::Subscribed(caller.key, snapshot));
        if first {
            self.refresh_watch();
        }
        Outcome::Elsewhere
    }

    fn unsubscribe(&mut self, connection: u64) {
        if self.view.unsubscribe(connection) {
            self.refresh_watch();
        }
    }
}

/// Whether the command reads or changes what is on disk, which the first unlock brings.
fn needs_what_was_saved(command: &Command) -> bool {
    match command {
        Command::Status
        | Command::Subscribe
        | Command::Unlock { .. }
        | Command::Lock
        | Command::LockKeepSession
        | Command::Login
        | Command::Logout
        | Command::List
        | Command::DoNotDisturb
        | Command::SetReachability { .. } => false,
        Command::Rtt { .. }
        | Command::Withdraw { .. }
        | Command::Requests
        | Command::Accept { .. }
        | Command::Refuse { .. }
        | Command::Later { .. }
        | Command::Send { .. }
        | Command::Read { .. }
        | Command::Close { .. }
        | Command::SetPolicy { .. }
        | Command::SetBlocked { .. }
        | Command::Peers
        | Command::AddPeer { .. }
        | Command::SafetyNumber { .. }
        | Command::ConfirmSafetyNumber { .. }
        | Command::Forget { .. }
        | Command::Chats
        | Command::MarkRead { .. }
        | Command::AcceptStanding { .. }
        | Command::Consents
        | Command::Revoke { .. }
        | Command::SetDoNotDisturb(_)
        | Command::Queue { .. }
        | Command::Outbox
        | Command::CancelQueued { .. }
        | Command::Consume { .. }
        | Command::ForgetConsumer { .. }
        | Command::Consumers
        | Command::History(_)
        | Command::HistoryKept
        | Command::SetHistory { .. }
        | Command::EraseHistory { .. } => true,
    }
}
