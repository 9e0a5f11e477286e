//! What the verbs take that only show: `status`, `config show`, `watch`.

use clap::{Args, Subcommand, ValueEnum};
use clap_complete::engine::ArgValueCandidates;
use secchat_ipc::UserName;

use crate::complete;
use crate::format::Format;

/// `status`.
#[derive(Args, Debug)]
pub(crate) struct StatusArgs {
    /// Print one line of FORMAT, for a bar: {user} {state} {unread} {requests} and other fields, see secchatctl(1)
    #[arg(long, value_name = "FORMAT")]
    pub(crate) format: Option<Format>,
    /// Print the line anew whenever it changes
    #[arg(long, requires = "format")]
    pub(crate) follow: bool,
}

/// `config`.
#[derive(Debug, Subcommand)]
pub(crate) enum ConfigVerb {
    /// Show every setting as it is in force
    Show {
        /// And where it comes from: a file and line, a variable of the environment, or the default
        #[arg(long)]
        origin: bool,
    },
}

/// `watch`.
#[derive(Args, Debug)]
pub(crate) struct WatchArgs {
    /// Print the state first, as the events that made it
    #[arg(long)]
    pub(crate) snapshot: bool,
    /// End after the first event; with --timeout, exit 8 when none came
    #[arg(long)]
    pub(crate) once: bool,
    /// Go on after the event of this number: if others came since, the state now comes first, behind a line that
    /// says so
    #[arg(long, value_name = "SEQUENCE", conflicts_with = "snapshot")]
    pub(crate) since: Option<u64>,
    /// Run COMMAND in a shell for each event, one after the other, in place of printing it: the event's JSON is its
    /// standard input, its kind and its peer are in the environment
    #[arg(long, value_name = "COMMAND")]
    pub(crate) exec: Option<String>,
    /// Read the daemon's log of events as NAME, which is made if it is new: each event at least once, in order, over
    /// restarts of this program and of the daemon. An event is done with once it is printed, or COMMAND has exited
    /// with 0; until then it is tried again, and comes again after a crash. What only tells how things
    /// are now (`status_changed`, `users_changed`, `do_not_disturb_changed`) is not in the log
    #[arg(long, value_name = "NAME", conflicts_with_all = ["snapshot", "since"], add = ArgValueCandidates::new(complete::consumers))]
    pub(crate) consumer: Option<String>,
    /// Drop the consumer, and what it has not read
    #[arg(long, requires = "consumer", conflicts_with_all = ["exec", "once", "only", "peer"])]
    pub(crate) forget: bool,
    /// Show who reads the log, and how much waits for each
    #[arg(long, conflicts_with_all = ["consumer", "snapshot", "since", "exec", "once", "only", "peer"])]
    pub(crate) consumers: bool,
    /// Only events of these kinds
    #[arg(long, value_name = "KIND", value_delimiter = ',')]
    pub(crate) only: Vec<EventKind>,
    /// Only events about this peer
    #[arg(long, value_name = "USER", value_parser = UserName::parse, add = ArgValueCandidates::new(complete::peers))]
    pub(crate) peer: Option<UserName>,
}

/// Kinds of event, by their names in JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub(crate) enum EventKind {
    /// The daemon's state changed
    StatusChanged,
    /// Somebody asks to talk
    RequestReceived,
    /// A request of somebody was answered or ended
    RequestResolved,
    /// You asked somebody
    RequestSent,
    /// Your request ended
    RequestAnswered,
    /// A chat appeared or changed
    ChatChanged,
    /// A chat is over
    ChatEnded,
    /// A text arrived
    MessageReceived,
    /// Your texts arrived
    MessagesDelivered,
    /// Texts were read
    MessagesRead,
    /// What is known of a peer's key changed
    TrustChanged,
    /// Who is available changed
    UsersChanged,
    /// Do not disturb went on or off, or its hours changed
    DoNotDisturbChanged,
    /// A text was left for somebody
    TextQueued,
    /// What became of texts that were left
    QueuedTextsEnded,
}
