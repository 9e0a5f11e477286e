//! The task that owns the core: hands it everything that happens, and carries out what it decides.
//!
//! Waits for its inbox, its timer and work it gave away, and for nothing else: a frontend, the relay or a disk that is
//! slow holds up nobody. It decides nothing itself.

mod attached;

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;
use secchat_ipc::types::Passphrase;
use secchat_ipc::{Command, CommandError, Event, Reply, Request};
use secchat_proto::crypto::entropy::OsEntropy;
use secchat_proto::crypto::kem::ReadyRsaKey;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

pub(crate) use self::attached::Frame;
use self::attached::Frontends;
use crate::clock;
use crate::config::Config;
use crate::core::Core;
use crate::core::io::{Frontend, Input, LinkFailure, Output, RequestKey};
use crate::core::record::Unlocked;
use crate::identity;
use crate::relay_link::{self, Attempt, Link, LinkEvent, LinkSettings};
use crate::state_folder::StateFolder;
use crate::store::{Store, StoreError};
use crate::suspend::{LOOK_EVERY, SleepWatch};

/// What reaches the hub.
#[derive(Debug)]
pub(crate) enum Message {
    /// A frontend was greeted.
    Attach {
        /// Who.
        frontend: Frontend,
        /// Takes what is to be written to it.
        outbox: mpsc::Sender<Frame>,
        /// Ends the connection, with the reason.
        cut_off: oneshot::Sender<&'static str>,
    },
    /// A frontend's request.
    Request {
        /// Its connection.
        connection: u64,
        /// What it wants.
        request: Request,
    },
    /// A connection is over.
    Gone(u64),
    /// The hub shall end, for another one to take its place.
    Stop,
    /// The daemon's own command.
    Own {
        /// What it wants.
        command: Command,
        /// Takes the outcome.
        outcome: oneshot::Sender<Result<Reply, CommandError>>,
    },
    /// The key is to be wiped, as the configuration has it.
    LockByItself {
        /// Hears when it is.
        done: oneshot::Sender<()>,
    },
    /// A link tells something.
    Link {
        /// Which link: an older one's words are stale.
        generation: u64,
        /// What.
        event: LinkEvent,
    },
}

/// The core and everything that it moves.
#[derive(Debug)]
pub(crate) struct Hub {
    core: Core<OsEntropy>,
    inbox: mpsc::Receiver<Message>,
    own_inbox: mpsc::WeakSender<Message>,
    frontends: Frontends,
    own_commands: VecDeque<(u64, oneshot::Sender<Result<Reply, CommandError>>)>,
    own_requests: u64,
    link_settings: Result<Arc<LinkSettings>, String>,
    link: LinkSlot,
    generation: u64,
    links: JoinSet<()>,
    state: Arc<StateFolder>,
    store: Store,
    key: PathBuf,
    work: JoinSet<Option<Input>>,
    sleep: SleepWatch,
    is_saving: bool,
    is_stopping: bool,
    pending: VecDeque<Input>,
    zone: TimeZone,
}

/// The link that the core knows of.
#[derive(Debug)]
enum LinkSlot {
    None,
    Open(Link),
    /// Let go of: its last word is awaited.
    Closing,
}

impl Hub {
    /// A hub, locked, and the way to reach it.
    pub(crate) fn new(
        config: &Config,
        state: Arc<StateFolder>,
        store: Store,
    ) -> (Self, mpsc::Sender<Message>) {
        let (sender, inbox) = mpsc::channel(INBOX);
        let hub = Self {
            core: Core::new(config.to_settings(), OsEntropy, clock::now()),
            inbox,
            own_inbox: sender.downgrade(),
            frontends: Frontends::default(),
            own_commands: VecDeque::new(),
            own_requests: 0,
            link_settings: LinkSettings::new(config).map(Arc::new),
            link: LinkSlot::None,
            generation: 0,
            links: JoinSet::new(),
            state,
            store,
            key: config.key.clone(),
            work: JoinSet::new(),
            sleep: SleepWatch::new(),
            is_saving: false,
            is_stopping: false,
            pending: VecDeque::from([Input::Zone(TimeZone::system())]),
            zone: TimeZone::system(),
        };
        (hub, sender)
    }

    /// Runs until the daemon shall stop, then says goodbye to relay and frontends.
    pub(crate) async fn run(mut self, mut shutdown: watch::Receiver<bool>) {
        while !self.is_stopping {
            self.look_for_sleep();
            self.settle();
            let timer = self.core.poll_timeout().map(Instant::from_std);
            let look = matches!(self.link, LinkSlot::Open(_)).then(|| Instant::now() + LOOK_EVERY);
            tokio::select! {
                Some(message) = self.inbox.recv() => self.take(message),
                Some(done) = self.work.join_next() => self.take_work(done),
                Some(ended) = self.links.join_next() => self.take_link_end(&ended),
                () = sleep_until(look) => {}
                () = sleep_until(timer) => {
                    self.look_for_zone();
                    self.core.handle_timeout(clock::now());
                }
                _ = shutdown.wait_for(|stop| *stop) => {
                    crate::service::tell_stopping();
                    break;
                }
            }
        }
        self.pending.push_back(Input::Stop);
        let deadline = Instant::now() + GOODBYE;
        loop {
            self.settle();
            if !self.is_saving && matches!(self.link, LinkSlot::None) {
                break;
            }
            tokio::select! {
                Some(message) = self.inbox.recv() => self.take(message),
                Some(done) = self.work.join_next() => self.take_work(done),
                Some(ended) = self.links.join_next() => self.take_link_end(&ended),
                () = tokio::time::sleep_until(deadline) => {
                    tracing::warn!("stopping although the relay or the disk has not taken everything");
                    break;
                }
            }
        }
    }

    /// A laptop travels: the core's hours are local ones. The library looks at the system's setting now and then.
    fn look_for_zone(&mut self) {
        let zone = TimeZone::system();
        if zone != self.zone {
            self.zone = zone.clone();
            self.core.handle(Input::Zone(zone), clock::now());
        }
    }

    /// Feeds the core what is pending and carries out what it wants, until it wants nothing.
    fn settle(&mut self) {
        loop {
            while let Some(output) = self.core.next_output() {
                self.carry_out(output);
            }
            let Some(input) = self.pending.pop_front() else { break };
            self.core.handle(input, clock::now());
        }
    }

    fn take(&mut self, message: Message) {
        match message {
            Message::Attach { frontend, outbox, cut_off } => self.frontends.attach(frontend, outbox, cut_off),
            Message::Request { connection, request } => {
                let Request { id, timeout_ms, command } = request;
                if let Some(frontend) = self.frontends.begin(connection, id) {
                    let timeout = Duration::from_millis(timeout_ms.into());
                    self.pending.push_back(Input::Command { frontend, id, timeout, command });
                }
            }
            Message::Gone(connection) => {
                if self.frontends.remove(connection) {
                    self.pending.push_back(Input::FrontendGone(connection));
                }
            }
            Message::Stop => self.is_stopping = true,
            Message::Own { command, outcome } => {
                self.own_requests += 1;
                self.own_commands.push_back((self.own_requests, outcome));
                let frontend =
                    Frontend { connection: OWN, name: "secchatd".to_owned(), pid: std::process::id() };
                let (id, timeout) = (self.own_requests, Duration::ZERO);
                self.pending.push_back(Input::Command { frontend, id, timeout, command });
            }
            Message::LockByItself { done } => {
                self.pending.push_back(Input::LockByItself);
                self.settle();
                // Whoever waited may be gone.
                let _ = done.send(());
            }
            Message::Link { generation, event } => self.take_link_event(generation, event),
        }
    }

    fn take_link_event(&mut self, generation: u64, event: LinkEvent) {
        let is_stale = generation != self.generation || matches!(self.link, LinkSlot::None);
        // The CA's word counts, whatever became of the link that brought it.
        if is_stale && !matches!(event, LinkEvent::CrlSeen { .. }) {
            return;
        }
        self.pending.push_back(match event {
            LinkEvent::CrlSeen { this_update } => Input::CrlSeen { this_update },
            LinkEvent::Up { warnings } => Input::LinkUp { warnings },
            LinkEvent::Message(message) => Input::LinkMessage(message),
            LinkEvent::Down(failure) => {
                self.link = LinkSlot::None;
                Input::LinkDown(failure)
            }
        });
    }

    /// A link's task ended. Its last word came before, unless it panicked or was aborted.
    fn take_link_end(&mut self, ended: &Result<(), tokio::task::JoinError>) {
        if let Err(error) = ended
            && error.is_panic()
            && !matches!(self.link, LinkSlot::None)
        {
            tracing::error!("the link's task panicked; the link is made anew");
            self.lose_link("an internal error ended the link");
        }
    }

    fn take_work(&mut self, done: Result<Option<Input>, tokio::task::JoinError>) {
        match done {
            Ok(Some(input)) => {
                self.is_saving &= !matches!(input, Input::Saved(_));
                self.pending.push_back(input);
            }
            Ok(None) => {}
            // The core waits for an answer that will never come: end visibly rather than hang.
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Err(_) => {}
        }
    }

    fn carry_out(&mut self, output: Output) {
        match output {
            Output::Reply(key, result) => self.reply(key, result),
            Output::Subscribed(key, snapshot) => self.frontends.subscribe(key, snapshot),
            Output::Event { sequence, event } => {
                if let Event::StatusChanged(status) = &event {
                    crate::service::tell_status(status);
                }
                self.frontends.publish(sequence, event);
            }
            Output::LoadIdentity(passphrase) => {
                let unlocked = unlock(self.key.clone(), passphrase, self.store.clone());
                self.work.spawn(async move { Some(Input::IdentityLoaded(unlocked.await)) });
            }
            Output::Connect { key, role, newest_crl_seen } => {
                self.connect(Attempt { key, role, newest_crl_seen });
            }
            Output::Send(message) => {
                if let LinkSlot::Open(link) = &self.link
                    && link.send(&message).is_err()
                {
                    self.lose_link("the relay does not take what is sent to it");
                }
            }
            Output::Disconnect => {
                if matches!(self.link, LinkSlot::Open(_)) {
                    self.link = LinkSlot::Closing;
                }
            }
            Output::MakeRsaKey => {
                self.work.spawn_blocking(|| match ReadyRsaKey::generate() {
                    Ok(key) => Some(Input::RsaKeyReady(key)),
                    Err(error) => {
                        tracing::error!(%error, "no RSA key could be made: chats over suite 1 will not open");
                        None
                    }
                });
            }
            Output::Write(changes) => {
                self.is_saving = true;
                let store = self.store.clone();
                self.work.spawn(async move {
                    Some(Input::Saved(store.write(changes).await.map_err(|error| error.to_string())))
                });
            }
            Output::History(request) => {
                let store = self.store.clone();
                self.work.spawn(async move {
                    let answer = store.history(request).await;
                    Some(Input::HistoryDone(answer.map_err(|error| {
                        let why = error.to_string();
                        let is_locked = matches!(error, StoreError::Locked);
                        if is_locked { CommandError::Locked } else { CommandError::HistoryUnusable { why } }
                    })))
                });
            }
            Output::LockStore => self.store.lock(),
            Output::Log(line) => crate::logging::tell(&line),
        }
    }

    fn reply(&mut self, key: RequestKey, result: Result<Reply, CommandError>) {
        if key.frontend != OWN {
            self.frontends.reply(key, result);
        } else if let Some(at) = self.own_commands.iter().position(|(id, _)| *id == key.id)
            && let Some((_, outcome)) = self.own_commands.remove(at)
        {
            // Whoever asked may have been stopped meanwhile.
            let _ = outcome.send(result);
        }
    }

    fn connect(&mut self, attempt: Attempt) {
        self.links.abort_all();
        self.generation += 1;
        match (&self.link_settings, self.own_inbox.upgrade()) {
            (Ok(settings), Some(inbox)) => {
                let (settings, state) = (Arc::clone(settings), Arc::clone(&self.state));
                let (link, task) = relay_link::open(settings, state, attempt, self.generation, inbox);
                self.links.spawn(task);
                self.link = LinkSlot::Open(link);
            }
            (Ok(_), None) => self.pending.push_back(Input::LinkDown(LinkFailure::Closed)),
            (Err(missing), _) => {
                self.pending.push_back(Input::LinkDown(LinkFailure::Failed(missing.clone())))
            }
        }
    }

    /// After a sleep the link is made anew: its timers stood still, the relay's did not.
    fn look_for_sleep(&mut self) {
        if let Some(slept) = self.sleep.slept()
            && matches!(self.link, LinkSlot::Open(_))
        {
            self.lose_link(&format!("the machine slept for {} s", slept.as_secs()));
        }
    }

    /// Ends the link without its last word.
    fn lose_link(&mut self, why: &str) {
        self.links.abort_all();
        self.link = LinkSlot::None;
        self.pending.push_back(Input::LinkDown(LinkFailure::Failed(why.to_owned())));
    }
}

/// Decrypts the identity key, and with it what is on disk.
async fn unlock(path: PathBuf, passphrase: Passphrase, store: Store) -> Result<Unlocked, CommandError> {
    let loaded =
        tokio::task::spawn_blocking(move || identity::load_with_heirloom(&path, &passphrase.0)).await;
    let (identity, heirloom) = match loaded {
        Ok(loaded) => loaded.map_err(CommandError::from)?,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => return Err(CommandError::Stopping),
        },
    };
    let restored = store.unlock(&identity, heirloom).await;
    let restored = restored.map_err(|error| CommandError::StateUnusable { why: error.to_string() })?;
    Ok(Unlocked { identity, restored })
}

async fn sleep_until(timer: Option<Instant>) {
    match timer {
        Some(instant) => tokio::time::sleep_until(instant).await,
        None => std::future::pending().await,
    }
}

/// Messages that wait for the hub at most; whoever sends then waits.
const INBOX: usize = 256;
/// The daemon's own "connection".
const OWN: u64 = 0;
/// How long stopping may take: below systemd's and a person's patience.
const GOODBYE: Duration = Duration::from_secs(3);
