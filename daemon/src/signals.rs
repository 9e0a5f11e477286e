//! The signals that stop the daemon, and the one that does not.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

/// Listens for signals.
#[derive(Debug)]
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

impl Signals {
    /// Starts to listen: from here on no signal of these ends the process by itself.
    ///
    /// # Errors
    /// What the system says.
    pub fn listen() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    /// Tells `shutdown` when the daemon shall stop; never returns before.
    pub async fn forward(mut self, shutdown: watch::Sender<bool>) {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => break,
                _ = self.interrupt.recv() => break,
                _ = self.hang_up.recv() => {
                    tracing::info!("SIGHUP: the configuration is read at the start only; restart to apply changes");
                }
            }
        }
        tracing::info!("asked to stop");
        let _ = shutdown.send(true);
        // The sender stays alive until the daemon has ended.
        shutdown.closed().await;
    }
}
