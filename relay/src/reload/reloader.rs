//! The task that owns the state in force. Files that changed, SIGHUP and the operator's command make it read all
//! files, on a thread of its own; what they say is put in force as a whole, or not at all.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use secchat_proto::UserName;
use tokio::net::TcpListener;
use tokio::signal::unix::Signal;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;
use tracing::{error, info, warn};

use super::debounce::settled;
use super::outcome::{Changes, LastReload, Report, Trigger, texts};
use super::snapshot::{Attempt, Snapshot, Sources};
use super::watcher::Watcher;
use crate::listener::Order;
use crate::logging::{LogFilter, events};
use crate::metrics::Metrics;
use crate::router::{Input, NewKeys, moment};
use crate::service::Reloading;
use crate::user_list::Difference;
use crate::user_list::rotation::Registered;

/// The operator asks for a reload.
#[derive(Debug)]
pub(crate) struct Request {
    /// Only say what it would do.
    pub(crate) is_trial: bool,
    /// What came of it.
    pub(crate) answer: oneshot::Sender<Report>,
}

/// What the others may know of the reloader's state.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    /// Where the relay listens.
    pub(crate) address: SocketAddr,
    /// The last reload that did something.
    pub(crate) last: Option<LastReload>,
}

/// The ways to those who have to know of a new state.
#[derive(Debug)]
pub(crate) struct Ways {
    pub(crate) in_force: watch::Sender<Arc<Snapshot>>,
    pub(crate) router: mpsc::Sender<Input>,
    pub(crate) supervisor: mpsc::Sender<Order>,
    pub(crate) told: watch::Sender<Told>,
    pub(crate) log: LogFilter,
    pub(crate) metrics: Arc<Metrics>,
}

/// The task's state.
#[derive(Debug)]
pub(crate) struct Reloader {
    sources: Arc<Sources>,
    ways: Ways,
    hangup: Signal,
    requests: mpsc::Receiver<Request>,
    /// Away while a thread reads the files.
    watcher: Option<Watcher>,
    changes: mpsc::Receiver<()>,
    /// Since when the list has been a file without a byte, although it was not before.
    blank_since: Option<Instant>,
    /// Readings in a row while somebody was still writing.
    unsettled: u32,
    /// Old keys whose time had ended by then, in Unix seconds, are out.
    keys_ended: u64,
}

/// What a thread that read the files brings back.
struct Read {
    attempt: Attempt,
    /// Between the list in force and the new one.
    users: Difference,
}

impl Reloader {
    /// Does nothing until it is run.
    pub(crate) fn new(
        sources: Arc<Sources>,
        ways: Ways,
        hangup: Signal,
        requests: mpsc::Receiver<Request>,
    ) -> Self {
        let (watcher, changes) = Watcher::new();
        Self {
            sources,
            ways,
            hangup,
            requests,
            watcher: Some(watcher),
            changes,
            blank_since: None,
            unsettled: 0,
            keys_ended: moment().unix,
        }
    }

    /// Reloads until the task is aborted.
    pub(crate) async fn run(mut self) {
        self.watch().await;
        loop {
            self.end_old_keys().await;
            let pause = self.pause();
            tokio::select! {
                is_quiet = settled(&mut self.changes, pause) => {
                    self.unsettled = if is_quiet { 0 } else { self.unsettled.saturating_add(1) };
                    self.reload(Trigger::Files, false).await;
                }
                Some(()) = self.hangup.recv() => {
                    let _until_done = Reloading::begin();
                    self.reload(Trigger::Signal, false).await;
                }
                Some(Request { is_trial, answer }) = self.requests.recv() => {
                    let report = self.reload(Trigger::Command, is_trial).await;
                    // An error means that nobody waits for it any more.
                    let _ = answer.send(report);
                }
            }
        }
    }

    /// How long to wait for a change until the files are read anyway.
    fn pause(&self) -> Duration {
        if let Some(since) = self.blank_since {
            return (since + BLANK_HOLD).saturating_duration_since(Instant::now());
        }
        let is_blind = self.watcher.as_ref().is_none_or(Watcher::is_blind);
        let look = if is_blind { BLIND_LOOK } else { LOOK };
        let in_force = self.ways.in_force.borrow();
        let ends = in_force.users.rotations().map(|(_, rotation)| rotation.until());
        let next = ends.filter(|until| *until > self.keys_ended).min();
        let next = next.map(|until| Duration::from_secs(until.saturating_sub(moment().unix)));
        next.map_or(look, |next| look.min(next.max(SHORTEST_LOOK)))
    }

    /// Ends the sessions of keys that have been taken beside their successors for as long as was said.
    async fn end_old_keys(&mut self) {
        let now = moment().unix;
        let since = std::mem::replace(&mut self.keys_ended, now);
        let keys: Vec<(UserName, Option<Registered>)> = {
            let in_force = self.ways.in_force.borrow();
            let is_due = |until: u64| since < until && until <= now;
            let due = in_force.users.rotations().filter(|(_, rotation)| is_due(rotation.until()));
            due.map(|(name, _)| (name.clone(), in_force.users.registered(name, now))).collect()
        };
        let ended = self.end_sessions(keys, false).await.len();
        if ended > 0 {
            info!(message_id = events::RELOADED, ended, "sessions of old keys, whose time is over, ended");
        }
    }

    async fn reload(&mut self, trigger: Trigger, is_trial: bool) -> Report {
        let mut report =
            Report { at: moment().unix, trigger, changes: Changes::default(), errors: Vec::new() };
        match self.read().await {
            Ok(Some((snapshot, users))) => {
                if let Some(error) = self.doubt(&snapshot, trigger) {
                    report.errors.push(error);
                } else {
                    match self.take_in(snapshot, users, is_trial).await {
                        Ok(changes) => report.changes = changes,
                        Err(error) => report.errors.push(error),
                    }
                }
            }
            Ok(None) => self.blank_since = None,
            Err(errors) => {
                self.blank_since = None;
                report.errors = errors;
            }
        }
        // What is read while it is written is half of something; it is read again.
        let is_half = trigger == Trigger::Files && (1..=MOST_UNSETTLED).contains(&self.unsettled);
        if !is_trial && (!is_half || report.errors.is_empty()) {
            self.tell(&report);
        }
        report
    }

    /// Watches the files from now on. They may have changed since they were read for the start, so that is news; but
    /// whoever is writing them has to have finished.
    async fn watch(&mut self) {
        let (config_file, config) = (self.sources.config_file(), self.ways.in_force.borrow().config.clone());
        let follow = move |watcher: &mut Watcher| {
            watcher.follow(config_file, vec![config]);
            watcher.say_changed();
        };
        if let Err(error) = self.on_a_thread(follow).await {
            warn!(message_id = events::FILE_ERROR, "{}", self.ways.log.names().of_error(&error));
        }
    }

    /// Reads all files; `None` when they say what is in force.
    async fn read(&mut self) -> Result<Option<(Snapshot, Difference)>, Vec<String>> {
        let (sources, before) = (Arc::clone(&self.sources), Arc::clone(&self.ways.in_force.borrow()));
        let digest = before.digest;
        let read = self.on_a_thread(move |watcher| read_files(&sources, &before, watcher)).await;
        let Read { attempt, users } = read.map_err(|error| vec![error])?;
        let snapshot = attempt.result.map_err(|errors| texts(&errors))?;
        Ok((snapshot.digest != digest).then_some((snapshot, users)))
    }

    /// Does what takes long, on a thread that is not one of the runtime's: its priority stays as low as it is made.
    async fn on_a_thread<T: Send + 'static>(
        &mut self,
        job: impl FnOnce(&mut Watcher) -> T + Send + 'static,
    ) -> Result<T, String> {
        let mut watcher = self.watcher.take().unwrap_or_else(|| {
            let (watcher, changes) = Watcher::new();
            self.changes = changes;
            watcher
        });
        let (sender, done) = oneshot::channel();
        let thread = move || {
            // Messages are forwarded first. Where it may not be lowered, the kernel shares the processors fairly.
            let _ = rustix::process::setpriority_process(None, LOW_PRIORITY);
            let value = job(&mut watcher);
            // An error means that the relay stops.
            let _ = sender.send((watcher, value));
        };
        std::thread::Builder::new()
            .name("reload".to_owned())
            .spawn(thread)
            .map_err(|error| format!("the files cannot be read, for want of a thread: {error}"))?;
        let failed = |_| "reading the files failed by a bug in the relay".to_owned();
        let (watcher, value) = done.await.map_err(failed)?;
        self.watcher = Some(watcher);
        Ok(value)
    }

    /// A list that is cut off to nothing is most likely about to be written: it has to stay so for a while before
    /// everybody is logged out.
    fn doubt(&mut self, new: &Snapshot, trigger: Trigger) -> Option<String> {
        let is_doubtful = new.users.is_blank() && !self.ways.in_force.borrow().users.is_empty();
        if !is_doubtful || trigger != Trigger::Files {
            self.blank_since = None;
            return None;
        }
        let since = *self.blank_since.get_or_insert_with(Instant::now);
        if since.elapsed() >= BLANK_HOLD {
            self.blank_since = None;
            return None;
        }
        let list = new.config.user_list.display();
        Some(format!(
            "{list}: is empty, without even a comment; if it stays so for {} s, everybody is logged out",
            BLANK_HOLD.as_secs()
        ))
    }

    /// Puts a snapshot in force, or says what that would do.
    async fn take_in(&self, new: Snapshot, users: Difference, is_trial: bool) -> Result<Changes, String> {
        let old = Arc::clone(&self.ways.in_force.borrow());
        let mut changes = Changes::between(&old, &new, &users);
        let listener = if new.config.listen == old.config.listen { None } else { Some(listen(&new).await?) };
        let unix = moment().unix;
        let keys: Vec<(UserName, Option<Registered>)> = users
            .removed
            .into_iter()
            .chain(users.changed)
            .map(|name| (name.clone(), new.users.registered(&name, unix)))
            .collect();
        if !is_trial {
            self.ways.log.set(new.config.log.as_deref());
            if let Some(listener) = listener {
                self.move_to(listener).await;
            }
            if new.config.limits != old.config.limits {
                info!(message_id = events::NEW_LIMITS, "new limits hold for what comes from now on");
            }
            self.ways.in_force.send_replace(Arc::new(new));
        }
        changes.ended = self.end_sessions(keys, is_trial).await;
        // The old list can be long: whoever drops it last takes its time.
        tokio::task::spawn_blocking(move || drop(old));
        Ok(changes)
    }

    async fn move_to(&self, listener: TcpListener) {
        if let Ok(address) = listener.local_addr() {
            info!(message_id = events::MOVED, %address, "listening there from now on");
            self.ways.told.send_modify(|told| told.address = address);
        }
        // An error means that the relay stops.
        let _ = self.ways.supervisor.send(Order::Listen(listener)).await;
    }

    /// Ends the sessions whose keys are not these, a few at a time; gives whose they were.
    async fn end_sessions(&self, keys: Vec<(UserName, Option<Registered>)>, is_trial: bool) -> Vec<String> {
        let mut all = Vec::new();
        for keys in keys.chunks(AT_ONCE) {
            let (sender, ended) = oneshot::channel();
            let keys = NewKeys { keys: keys.to_vec(), is_trial, ended: sender };
            // An error means that the relay stops.
            let _ = self.ways.router.send(Input::NewKeys(keys)).await;
            all.extend(ended.await.unwrap_or_default().iter().map(ToString::to_string));
        }
        all
    }

    /// Tells of a reload, unless it only found what is known.
    fn tell(&self, report: &Report) {
        let stood = self.ways.told.borrow().last.as_ref().map(|last| last.errors.clone()).unwrap_or_default();
        let is_asked = report.trigger != Trigger::Files;
        let is_mended = report.errors.is_empty() && !stood.is_empty();
        if !is_asked && report.changes.is_empty() && report.errors == stood {
            return;
        }
        self.ways.metrics.note_reload(if report.errors.is_empty() { "applied" } else { "refused" });
        if report.errors.is_empty() {
            let Changes { added, removed, changed, ended, credentials, settings } = &report.changes;
            let (added, removed, changed, ended) = (added.len(), removed.len(), changed.len(), ended.len());
            let settings = settings.join(" ");
            info!(
                message_id = events::RELOADED,
                added, removed, changed, ended, credentials, settings, is_mended, "reloaded"
            );
        } else {
            let names = self.ways.log.names();
            for error in &report.errors {
                error!(message_id = events::FILE_ERROR, "{}", names.of_error(error));
            }
            warn!(
                message_id = events::NOT_RELOADED,
                errors = report.errors.len(),
                "not reloaded: what was in force before stays in force"
            );
        }
        if report.changes.credentials {
            for warning in self.ways.in_force.borrow().credentials.warnings() {
                warn!(message_id = events::CREDENTIALS_WARNING, "{warning}");
            }
        }
        crate::service::tell_errors(report.errors.len());
        self.ways.told.send_modify(|told| told.last = Some(report.summary()));
    }
}

/// Reads all files, from folders that are watched before they are read.
fn read_files(sources: &Sources, before: &Snapshot, watcher: &mut Watcher) -> Read {
    watcher.look_again();
    let mut attempt = Snapshot::load(sources, Some(before));
    for _ in 0..ATTEMPTS {
        let settings = std::iter::once(before.config.clone()).chain(attempt.config.clone()).collect();
        if !watcher.follow(sources.config_file(), settings) {
            break;
        }
        attempt = Snapshot::load(sources, Some(before));
    }
    let users = match &attempt.result {
        Ok(new) => before.users.difference(&new.users),
        Err(_) => Difference::default(),
    };
    Read { attempt, users }
}

async fn listen(new: &Snapshot) -> Result<TcpListener, String> {
    let (host, port) = &new.config.listen;
    let bound = tokio::time::timeout(BIND_TIMEOUT, TcpListener::bind((host.as_str(), *port))).await;
    let error = match bound {
        Ok(Ok(listener)) => return Ok(listener),
        Ok(Err(error)) => error.to_string(),
        Err(_) => format!("{host:?} cannot be resolved in time"),
    };
    let file = new.config.file.as_deref().map_or_else(String::new, |file| format!("{}: ", file.display()));
    Err(format!(
        "{file}cannot listen on {host}:{port} as well: {error}; give a free port, or start the relay again to change \
         the address of its port"
    ))
}

/// Between two looks at files of which no change was told: for file systems that tell none.
const LOOK: Duration = Duration::from_secs(30);
/// The same where a folder cannot be watched.
const BLIND_LOOK: Duration = Duration::from_secs(2);
/// However soon an old key's time ends.
const SHORTEST_LOOK: Duration = Duration::from_millis(200);
/// How long a list must be empty to be believed.
const BLANK_HOLD: Duration = Duration::from_secs(5);
/// For the name in `listen` to be resolved.
const BIND_TIMEOUT: Duration = Duration::from_secs(5);
/// Sessions that the router ends between two messages: far below 5 ms of work, whatever they hold.
const AT_ONCE: usize = 4;
/// Readings of files that are being written all the time, until their errors are told.
const MOST_UNSETTLED: u32 = 10;
/// Readings while the files move from folder to folder.
const ATTEMPTS: usize = 3;
/// A nice value.
const LOW_PRIORITY: i32 = 10;
