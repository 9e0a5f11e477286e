//! `secchat-relay status`, `reload` and `inspect`.

use std::path::{Path, PathBuf};

use super::client::{ClientError, ask};
use super::protocol::{Answer, Request};
use super::text;
use crate::cli::{Inspect, Reload, Status, WhichRelay};
use crate::config::{Config, DEFAULT_CONFIG};
use crate::router::moment;

/// What a command has to print, and whether all is well.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Output {
    /// For standard output.
    pub text: String,
    /// For standard error; the command has failed if there are any.
    pub errors: Vec<String>,
}

/// Says how the relay is. That its files have errors is no failure of the command: it tells them.
///
/// # Errors
/// [`ClientError`].
pub fn status(arguments: &Status) -> Result<Output, ClientError> {
    run(&arguments.which, &Request::Status {})
}

/// Makes the relay read its files now, or say what that would do. It fails if they have errors.
///
/// # Errors
/// [`ClientError`].
pub fn reload(arguments: &Reload) -> Result<Output, ClientError> {
    run(&arguments.which, &if arguments.dry_run { Request::ReloadDryRun {} } else { Request::Reload {} })
}

/// Says everything that the relay holds on somebody.
///
/// # Errors
/// [`ClientError`].
pub fn inspect(arguments: &Inspect) -> Result<Output, ClientError> {
    run(&arguments.which, &Request::Inspect { name: arguments.about.clone() })
}

fn run(which: &WhichRelay, request: &Request) -> Result<Output, ClientError> {
    let (json, answer) = ask(&socket(which), request)?;
    let now = moment().unix;
    let (text, errors) = match answer {
        Answer::Status(status) => (text::status(&status, now), Vec::new()),
        Answer::Inspect(person) => (text::person(&person, now), Vec::new()),
        Answer::Reload(report) if report.errors.is_empty() => {
            (text::report(&report, *request == (Request::ReloadDryRun {})), Vec::new())
        }
        Answer::Reload(report) => (String::new(), report.errors),
        Answer::Error(error) => return Err(ClientError::Refused(error)),
    };
    Ok(Output { text: if which.json { only_value(&json) } else { text }, errors })
}

/// The answer without the name of its kind, which whoever asked knows.
fn only_value(json: &str) -> String {
    let value = serde_json::from_str::<serde_json::Value>(json).ok();
    let value = value.and_then(|value| Some(value.as_object()?.values().next()?.to_string()));
    value.map_or_else(String::new, |value| value + "\n")
}

/// The socket that is meant. A configuration with errors is no reason not to find it.
fn socket(which: &WhichRelay) -> PathBuf {
    if let Some(socket) = &which.socket {
        return socket.clone();
    }
    let file = which.config.as_deref();
    let config = Config::find(file)
        .ok()
        .or_else(|| Config::paths_despite_errors(file.unwrap_or_else(|| Path::new(DEFAULT_CONFIG))));
    config.map_or_else(|| Config::admin_socket_beside(file), |config| config.admin_socket)
}
