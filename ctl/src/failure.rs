//! Why a command did not end well: an exit code, a word for programs, a sentence for people.

use std::io;

use secchat_ipc::codec::CodecError;
use secchat_ipc::paths::PathError;
use secchat_ipc::{ClientError, CommandError};

use crate::exit_code::Exit;

/// Why a command did not end well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    /// What the process exits with.
    pub(crate) exit: Exit,
    /// A fixed word for programs.
    pub(crate) code: &'static str,
    /// What happened, to what, and what to do; empty when there is nothing to say.
    pub(crate) message: String,
}

impl Failure {
    /// A failure that no other exit code stands for.
    pub(crate) fn failed(message: impl Into<String>) -> Self {
        Self { exit: Exit::Failed, code: "failed", message: message.into() }
    }

    /// The command line or the input is wrong.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self { exit: Exit::Usage, code: "usage", message: message.into() }
    }

    /// Nothing came of it in time.
    pub(crate) fn timed_out(message: impl Into<String>) -> Self {
        Self { exit: Exit::TimedOut, code: "timed_out", message: message.into() }
    }

    /// A file could not be read, written or run.
    pub(crate) fn file(doing: &str, path: &std::path::Path, source: &io::Error) -> Self {
        Self::failed(format!("cannot {doing} {}: {source}", path.display()))
    }

    /// The reader of standard output is gone: nobody is there to be told.
    pub(crate) fn closed_pipe() -> Self {
        Self { exit: Exit::Done, code: "closed_pipe", message: String::new() }
    }

    /// The daemon answered with something else than asked for.
    pub(crate) fn unfit_reply() -> Self {
        Self::from(ClientError::Unfit(CodecError::Unfit))
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        let (exit, code) = match error {
            ClientError::Command(error) => return Self::from(error),
            ClientError::NoDaemon { .. } => (Exit::NoDaemon, "no_daemon"),
            ClientError::Unreachable { .. } => (Exit::NoDaemon, "unreachable"),
            ClientError::NotADaemon { .. } => (Exit::NoDaemon, "not_a_daemon"),
            ClientError::DaemonOlder { .. } => (Exit::NoDaemon, "daemon_older"),
            ClientError::NotServed { .. } => (Exit::NoDaemon, "not_served"),
            ClientError::Closed { .. } => (Exit::NoDaemon, "closed"),
            ClientError::Unfit(CodecError::TooLong { .. }) | ClientError::Busy => {
                (Exit::Failed, "limit_reached")
            }
            ClientError::Unfit(_) => (Exit::NoDaemon, "not_understood"),
            ClientError::NoAnswer { .. } => (Exit::TimedOut, "no_answer"),
            ClientError::EventsLost | ClientError::TooManyEvents => (Exit::Failed, "events_lost"),
        };
        Self { exit, code, message: error.to_string() }
    }
}

impl From<CommandError> for Failure {
    fn from(error: CommandError) -> Self {
        let (exit, code) = match error {
            CommandError::NotConfigured => (Exit::Failed, "not_configured"),
            CommandError::Locked => (Exit::Locked, "locked"),
            CommandError::WrongPassphrase => (Exit::Locked, "wrong_passphrase"),
            CommandError::IdentityUnusable { .. } => (Exit::Failed, "identity_unusable"),
            CommandError::NotConnected { .. } => (Exit::NotConnected, "not_connected"),
            CommandError::PeerUnavailable { .. } => (Exit::PeerUnavailable, "peer_unavailable"),
            CommandError::Refused { .. } => (Exit::Refused, "refused"),
            CommandError::TimedOut => (Exit::TimedOut, "timed_out"),
            CommandError::Expired { .. } => (Exit::TimedOut, "expired"),
            CommandError::KeyChanged { .. } => (Exit::KeyNotTrusted, "key_changed"),
            CommandError::WrongSafetyNumber { .. } => (Exit::KeyNotTrusted, "wrong_safety_number"),
            CommandError::NoKey { .. } => (Exit::Failed, "no_key"),
            CommandError::NoChat { .. } => (Exit::NoChat, "no_chat"),
            CommandError::NotDelivered { .. } => (Exit::NoChat, "not_delivered"),
            CommandError::NoRequest { .. } => (Exit::Failed, "no_request"),
            CommandError::AlreadyResolved { .. } => (Exit::Failed, "already_resolved"),
            CommandError::Blocked { .. } => (Exit::Failed, "blocked"),
            CommandError::Invalid { .. } => (Exit::Usage, "invalid"),
            CommandError::LimitReached { .. } => (Exit::Failed, "limit_reached"),
            CommandError::NotSaved { .. } => (Exit::Failed, "not_saved"),
            CommandError::Stopping => (Exit::NoDaemon, "stopping"),
            CommandError::Withdrawn => (Exit::Failed, "withdrawn"),
            CommandError::StateUnusable { .. } => (Exit::Failed, "state_unusable"),
            CommandError::NotSent { .. } => (Exit::Failed, "not_sent"),
            CommandError::NoConsent { .. } => (Exit::Failed, "no_consent"),
            CommandError::NotQueued { .. } => (Exit::Failed, "not_queued"),
            CommandError::InUse { .. } => (Exit::Failed, "in_use"),
            CommandError::HistoryUnusable { .. } => (Exit::Failed, "history_unusable"),
        };
        Self { exit, code, message: error.to_string() }
    }
}

impl From<PathError> for Failure {
    fn from(error: PathError) -> Self {
        let (exit, code) = match error {
            PathError::ProfileName(_) => (Exit::Usage, "usage"),
            PathError::NoHome { .. } => (Exit::Failed, "no_home"),
        };
        Self { exit, code, message: error.to_string() }
    }
}
