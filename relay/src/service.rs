//! What the relay tells the service manager: that it is ready, reloads, stops, and lives. Without a manager the words go
//! nowhere, which is no error.

use std::time::Duration;

use sd_notify::NotifyState;
use tokio::sync::{mpsc, oneshot};

use crate::router::Input;

/// The relay serves.
pub fn ready() {
    let _ = sd_notify::notify(&[NotifyState::Ready]);
}

/// The relay stops.
pub fn stopping() {
    let _ = sd_notify::notify(&[NotifyState::Stopping]);
}

/// The manager waits for a reload to end while this lives.
#[derive(Debug)]
pub(crate) struct Reloading(());

impl Reloading {
    /// A reload begins.
    pub(crate) fn begin() -> Self {
        if let Ok(now) = NotifyState::monotonic_usec_now() {
            let _ = sd_notify::notify(&[NotifyState::Reloading, now]);
        }
        Self(())
    }
}

impl Drop for Reloading {
    fn drop(&mut self) {
        ready();
    }
}

/// `systemctl status` shows that the files have errors.
pub(crate) fn tell_errors(count: usize) {
    let text = match count {
        0 => String::new(),
        1 => "1 error in the files: the state before it is in force".to_owned(),
        _ => format!("{count} errors in the files: the state before them is in force"),
    };
    let _ = sd_notify::notify(&[NotifyState::Status(&text)]);
}

/// Says that the relay lives, twice in the time that the manager gives it, as long as the router answers.
pub(crate) async fn watchdog(router: mpsc::Sender<Input>) {
    let Some(limit) = sd_notify::watchdog_enabled() else { return };
    let mut every = tokio::time::interval(limit / 2);
    loop {
        every.tick().await;
        let (sender, answer) = oneshot::channel();
        // Whatever hinders the answer hinders the messages as well.
        let is_asked = router.send(Input::Count(sender)).await.is_ok();
        if is_asked && answer.await.is_ok() {
            let _ = sd_notify::notify(&[NotifyState::Watchdog]);
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Were the time that the manager gives none at all, the router would have nothing else to do.
const PAUSE: Duration = Duration::from_millis(100);
