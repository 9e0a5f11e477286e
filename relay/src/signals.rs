//! The signals that stop the relay, and the one that makes it read its files again.

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Catches SIGHUP.
pub(crate) fn hangup() -> std::io::Result<Signal> {
    signal(SignalKind::hangup())
}

/// Ends at the first SIGTERM or SIGINT.
///
/// # Errors
/// When no handler can be installed.
pub fn stop() -> std::io::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
