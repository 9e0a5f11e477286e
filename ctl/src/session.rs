//! What every command works with: the profile, the printer, the time limit, the way to the daemon.

use std::io::IsTerminal as _;
use std::time::Duration;

use secchat_ipc::paths::Paths;
use secchat_ipc::{Client, Command, Reply};
use serde_json::Value;

use crate::cli::Global;
use crate::failure::Failure;
use crate::output::Output;

/// One run of the program.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) paths: Paths,
    pub(crate) output: Output,
    timeout: Option<Duration>,
    no_input: bool,
}

impl Session {
    /// As the flags and the environment say.
    pub(crate) fn new(global: &Global) -> Result<Self, Failure> {
        Ok(Self {
            paths: Paths::from_environment(global.profile.as_deref())?,
            output: Output::new(global),
            timeout: global.timeout,
            no_input: global.no_input,
        })
    }

    /// A connection to the daemon.
    pub(crate) async fn connect(&self) -> Result<Client, Failure> {
        let connected = Client::connect(&self.paths, "secchatctl").await;
        if connected.is_err()
            && let Some(warning) = self.paths.warning()
        {
            self.output.warn(&warning);
        }
        Ok(connected?)
    }

    /// One command over a connection of its own.
    pub(crate) async fn call(&self, command: Command) -> Result<Reply, Failure> {
        let mut client = self.connect().await?;
        Ok(client.call(command, self.limit()).await?)
    }

    /// One command whose only success is `Done`.
    pub(crate) async fn done(&self, command: Command) -> Result<(), Failure> {
        let Reply::Done = self.call(command).await? else {
            return Err(Failure::unfit_reply());
        };
        Ok(())
    }

    /// Says what was done: an object for programs, a sentence on standard error for people.
    pub(crate) fn told(&self, value: Value, note: &str) -> Result<(), Failure> {
        self.output.note(note);
        self.output.data(value, |_| String::new())
    }

    /// `--timeout`; zero leaves it to the daemon.
    pub(crate) fn limit(&self) -> Duration {
        self.timeout.unwrap_or(Duration::ZERO)
    }

    /// `--timeout`.
    pub(crate) fn timeout(&self) -> Option<Duration> {
        self.timeout
    }

    /// Whether a person can be asked.
    pub(crate) fn may_ask(&self) -> bool {
        !self.no_input && std::io::stdin().is_terminal()
    }
}
