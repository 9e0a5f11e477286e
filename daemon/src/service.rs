//! What the service manager is told.

use sd_notify::NotifyState;
use secchat_ipc::types::{LinkState, LockState, Status};

/// The socket answers.
pub(crate) fn tell_ready() {
    tell(&[NotifyState::Ready, NotifyState::Status("locked")]);
}

/// The daemon ends.
pub(crate) fn tell_stopping() {
    tell(&[NotifyState::Stopping]);
}

/// How it stands, for `systemctl status`.
pub(crate) fn tell_status(status: &Status) {
    tell(&[NotifyState::Status(&sentence(status))]);
}

fn sentence(status: &Status) -> String {
    match (&status.lock, &status.link) {
        (LockState::Locked, LinkState::LoggedOut) => "locked".to_owned(),
        (LockState::Reachable { .. }, LinkState::Online) => format!("locked, reachable at {}", status.relay),
        (_, LinkState::LoggedOut) => "logged out".to_owned(),
        (_, LinkState::Connecting) => format!("connecting to {}", status.relay),
        (_, LinkState::Online) => format!("online at {}", status.relay),
        (_, LinkState::Waiting { why, .. }) => format!("offline: {why}"),
        (_, LinkState::Replaced { why }) => format!("logged out: {why}"),
    }
}

fn tell(state: &[NotifyState<'_>]) {
    // Without a service manager nothing is sent; one that does not listen is no reason to end.
    if let Err(error) = sd_notify::notify(state) {
        tracing::debug!(%error, "the service manager cannot be told");
    }
}
