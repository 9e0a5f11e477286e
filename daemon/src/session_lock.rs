//! Locks when the machine goes to sleep or the screen is locked, as logind tells it on the system bus: only where
//! config.toml asks for it (`lock_on_suspend`, `lock_on_screen_lock`). The core knows how.
//!
//! Sleep is held up until the key is wiped (a delay lock of logind's, which bounds it). Without a bus, or when it is lost,
//! this waits and tries again: nothing else depends on it.

use std::time::Duration;

use futures_util::StreamExt as _;
use tokio::sync::{mpsc, oneshot};
use zbus::message::{Message as Signal, Type};
use zbus::{Connection, MatchRule, MessageStream, OwnedFd, OwnedObjectPath, OwnedVariant};

use crate::config::LockOn;
use crate::hub::Message;

/// Listens until the daemon ends; ends at once when nothing is asked for.
pub(crate) async fn run(lock_on: LockOn, hub: mpsc::Sender<Message>) {
    if lock_on == LockOn::default() {
        return;
    }
    let mut pause = SHORTEST_PAUSE;
    while !hub.is_closed() {
        let why = match listen(lock_on, &hub).await {
            Ok(()) => {
                pause = SHORTEST_PAUSE;
                "the system bus closed the connection".to_owned()
            }
            Err(error) => error.to_string(),
        };
        if pause == SHORTEST_PAUSE {
            tracing::warn!(why, "logind cannot be heard: nothing locks by itself until it can");
        }
        tokio::time::sleep(pause).await;
        pause = LONGEST_PAUSE.min(pause * 2);
    }
}

/// Acts on logind's signals until the bus is lost.
async fn listen(lock_on: LockOn, hub: &mpsc::Sender<Message>) -> zbus::Result<()> {
    let bus = Connection::system().await?;
    let rule =
        MatchRule::builder().msg_type(Type::Signal).sender(LOGIND).path_namespace(MANAGER_PATH).build()?;
    let mut signals = MessageStream::for_match_rule(rule, &bus, None).await?;
    let mut sleep_waits = delay_sleep(&bus, lock_on).await;
    tracing::info!("listening to logind");
    while let Some(signal) = signals.next().await {
        // The last item of a connection that is lost is its error: the same end.
        let Ok(signal) = signal else { break };
        match Heard::of(&signal) {
            Some(Heard::Sleep) if lock_on.suspend => {
                lock(hub, "the machine goes to sleep").await;
                drop(sleep_waits.take());
            }
            Some(Heard::Wake) => sleep_waits = delay_sleep(&bus, lock_on).await,
            Some(Heard::ScreenLock) if lock_on.screen_lock && is_own(&bus, &signal).await? => {
                lock(hub, "the screen is locked").await;
            }
            Some(Heard::Sleep | Heard::ScreenLock) | None => {}
        }
    }
    Ok(())
}

/// What a signal of logind's means here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Heard {
    Sleep,
    Wake,
    ScreenLock,
}

impl Heard {
    fn of(signal: &Signal) -> Option<Self> {
        let header = signal.header();
        let body = signal.body();
        match (header.interface()?.as_str(), header.member()?.as_str()) {
            (MANAGER, "PrepareForSleep") => {
                Some(if body.deserialize::<bool>().ok()? { Self::Sleep } else { Self::Wake })
            }
            (SESSION, "Lock") => Some(Self::ScreenLock),
            // Screens that lock themselves say so by this hint alone.
            ("org.freedesktop.DBus.Properties", "PropertiesChanged") => {
                type Changed = (String, std::collections::HashMap<String, OwnedVariant>, Vec<String>);
                let (interface, mut changed, _): Changed = body.deserialize().ok()?;
                let hint = changed.remove("LockedHint").filter(|_| interface == SESSION)?;
                bool::try_from(hint).ok()?.then_some(Self::ScreenLock)
            }
            _ => None,
        }
    }
}

/// Asks logind to wait with sleep until what this returns is dropped.
async fn delay_sleep(bus: &Connection, lock_on: LockOn) -> Option<OwnedFd> {
    if !lock_on.suspend {
        return None;
    }
    let what = ("sleep", "secchatd", "wipes the identity key from memory", "delay");
    let asked = bus.call_method(Some(LOGIND), MANAGER_PATH, Some(MANAGER), "Inhibit", &what).await;
    match asked.and_then(|reply| reply.body().deserialize()) {
        Ok(delay) => {
            tracing::info!("sleep is delayed until the key is wiped");
            Some(delay)
        }
        Err(error) => {
            tracing::warn!(%error, "sleep will not wait for the key to be wiped");
            None
        }
    }
}

/// Whether the session that a signal is about is this user's.
async fn is_own(bus: &Connection, signal: &Signal) -> zbus::Result<bool> {
    let reply = bus.call_method(Some(LOGIND), MANAGER_PATH, Some(MANAGER), "ListSessions", &()).await?;
    let sessions: Vec<(String, u32, String, String, OwnedObjectPath)> = reply.body().deserialize()?;
    let me = rustix::process::geteuid().as_raw();
    let header = signal.header();
    Ok(sessions.iter().any(|(_, user, _, _, path)| {
        *user == me && header.path().is_some_and(|of| of.as_str() == path.as_str())
    }))
}

async fn lock(hub: &mpsc::Sender<Message>, why: &str) {
    tracing::info!("locking: {why}");
    let (done, is_done) = oneshot::channel();
    if hub.send(Message::LockByItself { done }).await.is_ok() {
        // The hub drops it only when the daemon ends.
        let _ = is_done.await;
    }
}

const LOGIND: &str = "org.freedesktop.login1";
const MANAGER: &str = "org.freedesktop.login1.Manager";
const SESSION: &str = "org.freedesktop.login1.Session";
const MANAGER_PATH: &str = "/org/freedesktop/login1";
/// The first wait when the bus is lost: a restarted one is there at once.
const SHORTEST_PAUSE: Duration = Duration::from_secs(1);
/// The longest one, where there is none.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
