//! The daemon as a whole: what it holds before it serves, and its tasks while it does.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal as _};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use secchat_ipc::hello::Verdict;
use secchat_ipc::types::Passphrase;
use secchat_ipc::{Command, CommandError};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::{Id, JoinError, JoinSet};
use zeroize::Zeroizing;

use crate::config::Config;
use crate::frontend::connection;
use crate::frontend::listener::{Arrival, ListenError, Listener};
use crate::hub::{Hub, Message};
use crate::passphrase;
use crate::service;
use crate::session_lock;
use crate::state_folder::{StateError, StateFolder};
use crate::store::Store;

/// Why the daemon does not start, or ended.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    /// The state folder.
    #[error(transparent)]
    State(#[from] StateError),
    /// The system has no thread left.
    #[error("no thread can be started: {0}")]
    Thread(io::Error),
    /// The socket.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// The socket that systemd opened.
    #[error("the socket that was passed cannot be served: {0}")]
    Activation(io::Error),
    /// A part of the daemon panicked: what it knew is not to be trusted any more.
    #[error("an internal error ended the daemon; the log has it, please report it")]
    Panicked,
}

/// A daemon that holds its state and its socket, and serves once it runs.
#[derive(Debug)]
pub struct Daemon {
    config: Config,
    listener: Listener,
    state: Arc<StateFolder>,
    store: Store,
    hub: Hub,
    inbox: mpsc::Sender<Message>,
}

impl Daemon {
    /// Takes the state folder and the socket; from here on frontends can connect. Needs a runtime around it.
    ///
    /// # Errors
    /// [`DaemonError`].
    pub fn start(config: Config, activated: Option<UnixListener>) -> Result<Self, DaemonError> {
        let state = Arc::new(StateFolder::open(config.paths.state_folder())?);
        let store = Store::start(state.path()).map_err(DaemonError::Thread)?;
        let (hub, inbox) = Hub::new(&config, Arc::clone(&state), store.clone());
        let listener = match activated {
            Some(socket) => Listener::activated(socket).map_err(DaemonError::Activation)?,
            None => Listener::own(&config.paths.socket())?,
        };
        Ok(Self { config, listener, state, store, hub, inbox })
    }

    /// Serves until `shutdown` is true; `passphrase` unlocks at once.
    ///
    /// # Errors
    /// [`DaemonError::Panicked`].
    pub async fn run(
        self,
        passphrase: Option<Zeroizing<String>>,
        shutdown: watch::Receiver<bool>,
    ) -> Result<(), DaemonError> {
        let Self { mut config, listener, state, store, mut hub, mut inbox } = self;
        let (mut connections, mut passphrase, mut first) = (Connections::default(), passphrase, None);
        let mut helpers = JoinSet::new();
        let user = |config: &Config| config.user.as_ref().map(ToString::to_string).unwrap_or_default();
        tracing::info!(socket = %config.paths.socket().display(), user = user(&config), "serving");
        service::tell_ready();
        let hub = loop {
            let running = tokio::spawn(hub.run(shutdown.clone()));
            helpers.spawn(unlock_at_start(config.clone(), passphrase.take(), inbox.clone()));
            helpers.spawn(session_lock::run(config.lock_on, inbox.clone()));
            match connections.serve(&listener, &inbox, &config, first.take()).await {
                Served::HubEnded => break running,
                Served::Configured(configured, arrival) => {
                    // Nobody can have asked for anything yet that must not be lost.
                    let _ = inbox.send(Message::Stop).await;
                    running.await.map_err(|_| DaemonError::Panicked)?;
                    (config, first) = (*configured, Some(arrival));
                    (hub, inbox) = Hub::new(&config, Arc::clone(&state), store.clone());
                    tracing::info!(user = user(&config), "a configuration has appeared");
                }
            }
        };
        // Nobody is taken in any more; what the hub had to say still reaches its frontends.
        drop(listener);
        if tokio::time::timeout(LAST_WORDS, connections.end()).await.is_err() {
            tracing::debug!("a frontend did not take its last answers");
        }
        hub.await.map_err(|_| DaemonError::Panicked)
    }
}

/// Why [`Connections::serve`] returns.
enum Served {
    /// The hub ended.
    HubEnded,
    /// There was no user, and now there is; with the frontend that came meanwhile.
    Configured(Box<Config>, Arrival),
}

/// The frontends' tasks, each with the number of its connection.
#[derive(Default)]
struct Connections {
    tasks: JoinSet<()>,
    numbers: BTreeMap<Id, u64>,
    count: u64,
}

impl Connections {
    /// Takes in frontends until the hub ends or a user is configured; tells the hub of each one's end, also that of
    /// a panic.
    async fn serve(
        &mut self,
        listener: &Listener,
        hub: &mpsc::Sender<Message>,
        config: &Config,
        first: Option<Arrival>,
    ) -> Served {
        if let Some(arrival) = first {
            self.take_in(arrival, hub, config.limits.frontends);
        }
        loop {
            tokio::select! {
                () = hub.closed() => return Served::HubEnded,
                arrival = listener.accept() => match arrival {
                    Ok(arrival) => match newly_configured(config) {
                        Some(configured) => return Served::Configured(Box::new(configured), arrival),
                        None => self.take_in(arrival, hub, config.limits.frontends),
                    },
                    Err(error) => {
                        tracing::warn!(%error, "no frontend can be taken in for a moment");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                },
                Some(ended) = self.tasks.join_next_with_id() => {
                    if let Some(connection) = self.take_end(&ended) {
                        // Without a hub the daemon is ending.
                        let _ = hub.send(Message::Gone(connection)).await;
                    }
                }
            }
        }
    }

    fn take_in(&mut self, arrival: Arrival, hub: &mpsc::Sender<Message>, most: usize) {
        self.count += 1;
        let refuse = (self.tasks.len() >= most).then_some(Verdict::TooMany);
        let task = self.tasks.spawn(connection::serve(self.count, arrival, refuse, hub.clone()));
        self.numbers.insert(task.id(), self.count);
    }

    fn take_end(&mut self, ended: &Result<(Id, ()), JoinError>) -> Option<u64> {
        let id = match ended {
            Ok((id, ())) => *id,
            Err(error) => {
                tracing::error!("a frontend's task panicked; its connection is over");
                error.id()
            }
        };
        self.numbers.remove(&id)
    }

    /// Waits until every frontend has taken what the hub had for it.
    async fn end(&mut self) {
        while self.tasks.join_next().await.is_some() {}
    }
}

/// The configuration anew, when there was no user and now there is: `secchatctl init` while the daemon runs needs no
/// restart.
fn newly_configured(config: &Config) -> Option<Config> {
    if config.user.is_some() {
        return None;
    }
    match config.reload() {
        Ok(configured) => Some(configured).filter(|configured| configured.user.is_some()),
        Err(error) => {
            tracing::warn!(%error, "the configuration cannot be used yet");
            None
        }
    }
}

/// Unlocks with what the daemon was started with, or asks a person where no terminal has one.
async fn unlock_at_start(config: Config, given: Option<Zeroizing<String>>, hub: mpsc::Sender<Message>) {
    if let Some(passphrase) = given {
        match unlock(passphrase, &hub).await {
            Some(Err(error)) => {
                tracing::error!(key = %config.key.display(), "the identity key stays locked: {error}");
            }
            Some(Ok(())) | None => tracing::info!("the identity key is unlocked"),
        }
        return;
    }
    let (Some(program), Some(user), false) = (&config.askpass, &config.user, io::stdin().is_terminal())
    else {
        return;
    };
    for attempt in 1..=ASKPASS_TRIES {
        let again = if attempt > 1 { "Wrong passphrase. " } else { "" };
        let prompt = format!("{again}Passphrase for {user}'s secchat key {}:", config.key.display());
        match ask(program, &prompt, &hub).await {
            Ok(true) => return,
            Ok(false) => {}
            Err(why) => {
                tracing::error!("the identity key stays locked: {why}");
                return;
            }
        }
    }
    tracing::error!("the identity key stays locked: wrong passphrase {ASKPASS_TRIES} times");
}

/// Whether the passphrase was right; a sentence when asking again makes no sense.
async fn ask(program: &Path, prompt: &str, hub: &mpsc::Sender<Message>) -> Result<bool, String> {
    let passphrase = passphrase::from_program(program, prompt).await.map_err(|error| error.to_string())?;
    match unlock(passphrase, hub).await {
        Some(Ok(())) | None => Ok(true),
        Some(Err(CommandError::WrongPassphrase)) => Ok(false),
        Some(Err(error)) => Err(error.to_string()),
    }
}

/// The outcome; `None` when the daemon is ending.
async fn unlock(
    passphrase: Zeroizing<String>,
    hub: &mpsc::Sender<Message>,
) -> Option<Result<(), CommandError>> {
    let (outcome, answer) = oneshot::channel();
    let command = Command::Unlock { passphrase: Passphrase(passphrase), ttl_seconds: 0 };
    hub.send(Message::Own { command, outcome }).await.ok()?;
    Some(answer.await.ok()?.map(|_| ()))
}

/// How long to wait when the system has no file descriptor left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How long frontends may take to read their last answers.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// How often a person is asked: as on a terminal.
const ASKPASS_TRIES: u32 = 3;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::permissions::private_tempdir;

    #[tokio::test]
    async fn a_panic_in_a_frontends_task_is_its_end_only() {
        let top = private_tempdir();
        let paths = secchat_ipc::paths::Paths::resolve(Some(""), |_| Some(top.path().into())).unwrap();
        let socket = paths.socket();
        let config = Config::resolve(paths, &crate::config::Flags::default(), Path::new("/none"), |_| None);
        let listener = Listener::own(&socket).unwrap();
        let (hub, mut inbox) = mpsc::channel(4);
        let mut connections = Connections::default();
        let broken = connections.tasks.spawn(async { panic!("on purpose") });
        connections.numbers.insert(broken.id(), 7);
        let config = config.unwrap();
        let serving = connections.serve(&listener, &hub, &config, None);
        let (gone, attached) = tokio::select! {
            _ = serving => panic!("it goes on serving"),
            seen = async {
                let gone = inbox.recv().await;
                let _client = secchat_ipc::Client::connect_to(&socket, "test").await.unwrap();
                (gone, inbox.recv().await)
            } => seen,
        };
        assert!(matches!(gone, Some(Message::Gone(7))), "{gone:?}");
        assert!(matches!(attached, Some(Message::Attach { .. })), "{attached:?}");
    }
}
