//! Methods and their parameters as the daemon's commands.
//!
//! `unlock` is not one: a passphrase does not travel as JSON, of which parsers leave copies. `secchatctl unlock`, a
//! pinentry or a systemd credential does it.

use secchat_ipc::types::{Policy, QuietChange};
use secchat_ipc::{Command, UserName};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::params::{
    Accept, Available, Blocked, CancelQueued, Consume, Consumer, DoNotDisturb, EraseHistory, History, Hours,
    Key, Lock, MarkRead, Nothing, Number, Queue, Read, Refuse, Rtt, Send, SetHistory, SetPolicy, Whom,
};
use super::request::Refusal;

/// What to do.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Call {
    /// Answered by the bridge itself.
    Version,
    /// For the daemon.
    Command(Command),
}

/// Every method, in the order of the schema.
pub(crate) const METHODS: [&str; 41] = [
    "version",
    "status",
    "subscribe",
    "lock",
    "login",
    "logout",
    "list",
    "rtt",
    "withdraw",
    "requests",
    "accept",
    "refuse",
    "later",
    "send",
    "read",
    "mark_read",
    "chats",
    "close",
    "set_reachability",
    "set_policy",
    "set_blocked",
    "peers",
    "add_peer",
    "safety_number",
    "confirm_safety_number",
    "forget",
    "consents",
    "revoke",
    "do_not_disturb",
    "set_do_not_disturb",
    "set_quiet_hours",
    "queue",
    "outbox",
    "cancel_queued",
    "consume",
    "forget_consumer",
    "consumers",
    "history",
    "history_kept",
    "set_history",
    "erase_history",
];

/// The call of this name with these parameters.
pub(crate) fn parse(method: &str, params: Map<String, Value>) -> Result<Call, Refusal> {
    let plain = match method {
        "version" => {
            let Nothing {} = read(params)?;
            return Ok(Call::Version);
        }
        "status" => Some(Command::Status),
        "subscribe" => Some(Command::Subscribe),
        "login" => Some(Command::Login),
        "logout" => Some(Command::Logout),
        "list" => Some(Command::List),
        "requests" => Some(Command::Requests),
        "chats" => Some(Command::Chats),
        "peers" => Some(Command::Peers),
        "consents" => Some(Command::Consents),
        "do_not_disturb" => Some(Command::DoNotDisturb),
        "outbox" => Some(Command::Outbox),
        "consumers" => Some(Command::Consumers),
        "history_kept" => Some(Command::HistoryKept),
        _ => None,
    };
    if let Some(command) = plain {
        let Nothing {} = read(params)?;
        return Ok(Call::Command(command));
    }
    command(method, params).map(Call::Command)
}

fn command(method: &str, params: Map<String, Value>) -> Result<Command, Refusal> {
    Ok(match method {
        "lock" => {
            let Lock { keep_session } = read(params)?;
            if keep_session { Command::LockKeepSession } else { Command::Lock }
        }
        "rtt" => read::<Rtt>(params)?.into(),
        "accept" => read::<Accept>(params)?.into(),
        "withdraw" => Command::Withdraw { peer: whom(params)? },
        "later" => Command::Later { peer: whom(params)? },
        "close" => Command::Close { peer: whom(params)? },
        "safety_number" => Command::SafetyNumber { peer: whom(params)? },
        "forget" => Command::Forget { peer: whom(params)? },
        "set_do_not_disturb" => {
            let DoNotDisturb { on, seconds } = read(params)?;
            Command::SetDoNotDisturb(if on { QuietChange::On { seconds } } else { QuietChange::Off })
        }
        "set_quiet_hours" => {
            let Hours { hours } = read(params)?;
            Command::SetDoNotDisturb(hours.map_or(QuietChange::HoursAsConfigured, QuietChange::Hours))
        }
        "revoke" => Command::Revoke { peer: whom(params)? },
        "refuse" => {
            let Refuse { peer, quietly } = read(params)?;
            Command::Refuse { peer, quietly }
        }
        "send" => {
            let Send { peer, text } = read(params)?;
            Command::Send { peer, text }
        }
        "read" => {
            let Read { peer, peek } = read(params)?;
            Command::Read { peer, peek }
        }
        "mark_read" => {
            let MarkRead { chat, up_to } = read(params)?;
            Command::MarkRead { chat_id: chat, up_to }
        }
        "set_reachability" => Command::SetReachability { available: read::<Available>(params)?.available },
        "set_policy" => {
            let SetPolicy { peer, policy } = read(params)?;
            Command::SetPolicy { peer, policy: policy.map(Policy::from) }
        }
        "set_blocked" => {
            let Blocked { peer, blocked } = read(params)?;
            Command::SetBlocked { peer, blocked }
        }
        "add_peer" => {
            let Key { peer, public_key } = read(params)?;
            Command::AddPeer { peer, public_key }
        }
        "confirm_safety_number" => {
            let Number { peer, number } = read(params)?;
            Command::ConfirmSafetyNumber { peer, number }
        }
        _ => return lasting(method, params),
    })
}

/// What outlasts the program that gave it: texts for who is away, consumers of events, the history.
fn lasting(method: &str, params: Map<String, Value>) -> Result<Command, Refusal> {
    Ok(match method {
        "queue" => {
            let Queue { peer, text, lifetime_seconds } = read(params)?;
            Command::Queue { peer, text, lifetime_seconds }
        }
        "cancel_queued" => Command::CancelQueued { texts: read::<CancelQueued>(params)?.into() },
        "consume" => {
            let Consume { consumer, acknowledged, most } = read(params)?;
            Command::Consume { consumer, acknowledged, most }
        }
        "forget_consumer" => Command::ForgetConsumer { consumer: read::<Consumer>(params)?.consumer },
        "history" => Command::History(read::<History>(params)?.into()),
        "set_history" => read::<SetHistory>(params)?.into(),
        "erase_history" => {
            let EraseHistory { peer, before } = read(params)?;
            Command::EraseHistory { peer, before }
        }
        _ => return Err(Refusal::method(method)),
    })
}

fn read<T: DeserializeOwned>(params: Map<String, Value>) -> Result<T, Refusal> {
    serde_json::from_value(Value::Object(params)).map_err(Refusal::params)
}

fn whom(params: Map<String, Value>) -> Result<UserName, Refusal> {
    read::<Whom>(params).map(|params| params.peer)
}
