//! The one word that all tasks wait for: the relay stops.

use tokio::sync::watch;

/// Says the word.
#[derive(Debug)]
pub(crate) struct Stop(watch::Sender<bool>);

/// Waits for the word; clones wait for the same one.
#[derive(Clone, Debug)]
pub(crate) struct Stopping(watch::Receiver<bool>);

/// Both ends.
pub(crate) fn shutdown() -> (Stop, Stopping) {
    let (stop, stopping) = watch::channel(false);
    (Stop(stop), Stopping(stopping))
}

impl Stop {
    /// The relay stops.
    pub(crate) fn stop(&self) {
        self.0.send_replace(true);
    }
}

impl Stopping {
    /// Completes when the relay stops. Cancel-safe.
    pub(crate) async fn requested(&mut self) {
        // An error means that the relay is gone without a word, which is the same.
        let _ = self.0.wait_for(|stop| *stop).await;
    }
}
