//! The command line: clap definitions and the parsers of their values, nothing else.

mod args;
mod parse;
mod seeing;
mod value;

use std::time::Duration;

use clap::builder::styling::{AnsiColor, Styles};
use clap::{Args, Parser, Subcommand, ValueEnum};

pub(crate) use args::{
    AcceptArgs, ChatArgs, ChatterArgs, ConsentedArgs, DndArgs, DndWord, ExportFormat, ForgetArgs,
    HistoryArgs, InitArgs, KeyKind, KeygenArgs, LockArgs, NewKeyArgs, OutboxArgs, OutboxVerb, PeersArgs,
    PeersVerb, PolicyArgs, ReadArgs, RefuseArgs, RequesterArgs, RttArgs, SendArgs, Shell, TermsArgs,
    UnlockArgs, UserArgs, VerifyArgs,
};
pub(crate) use parse::parse;
pub(crate) use seeing::{ConfigVerb, EventKind, StatusArgs, WatchArgs};
#[cfg(test)]
pub(crate) use value::History;
pub(crate) use value::{HoursWord, Keeping, PolicyWord, policy_word};

/// Secure one-to-one chat in which nobody can talk to you until you accept
///
/// secchatctl talks to secchatd, the daemon that holds your keys and stays logged in. Ask somebody with `rtt`, answer
/// with `accept` or `refuse`, then `send`, `read` or `chat`.
#[derive(Debug, Parser)]
#[command(name = "secchatctl", version, styles = STYLES, propagate_version = true, subcommand_required = true)]
#[command(arg_required_else_help = true, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

/// What every command takes.
#[derive(Args, Debug)]
pub(crate) struct Global {
    /// Use the profile NAME: a separate user, key, daemon and socket
    #[arg(long, global = true, value_name = "NAME", env = "SECCHAT_PROFILE", hide_env_values = true)]
    pub(crate) profile: Option<String>,
    /// Give up after DURATION (90s, 5m, 8h, 2d; a bare number is seconds)
    #[arg(long, global = true, value_name = "DURATION", value_parser = value::duration)]
    pub(crate) timeout: Option<Duration>,
    /// Print JSON: one object, or one a line for streams; errors too
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Colour the output
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub(crate) color: Color,
    /// Never ask anything on the terminal
    #[arg(long, global = true)]
    pub(crate) no_input: bool,
    /// Print data and errors only
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    /// Print more about what is done
    #[arg(short, long, global = true)]
    pub(crate) verbose: bool,
}

/// When to colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal, unless `NO_COLOR` is set or `TERM` is dumb
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Set up this profile: name, relay, CA and identity key
    Init(InitArgs),
    /// Make an identity key and print its public key
    Keygen(KeygenArgs),
    /// Unlock the identity key and log in
    Unlock(UnlockArgs),
    /// Wipe the identity key from the daemon's memory and log out
    Lock(LockArgs),
    /// Log in to the relay
    Login,
    /// Log out of the relay and stay away
    Logout,
    /// Show the daemon's state, and what is missing
    ///
    /// Exits 0 whenever there is a daemon to ask, whatever its state; a script reads the state from --json.
    Status(StatusArgs),
    /// Check socket, files, dates, clock, relay and desktop
    ///
    /// Every failure ends in the command that mends it; exits 1 when there is one.
    Doctor,
    /// Show the settings of the daemon
    Config {
        #[command(subcommand)]
        verb: ConfigVerb,
    },
    /// List who is available now
    List,
    /// Request to talk: exits with the person's answer
    Rtt(RttArgs),
    /// Show who asks to talk to you, and whom you asked
    Requests,
    /// Accept a request to talk
    ///
    /// The chat goes on by itself within its terms, whatever interrupts it. With --for or --until-revoked the same user,
    /// with the same key, may also open a new one within them when it was closed, without a question; else it is for
    /// this one chat.
    Accept(AcceptArgs),
    /// Refuse a request to talk; `accept` undoes it until the request expires
    Refuse(RefuseArgs),
    /// Keep a request for later, without an answer
    Later(RequesterArgs),
    /// Show who may talk to you, and until when
    ///
    /// A line for each chat, which goes on by itself within its terms, and one for each consent to further chats. Whom a
    /// policy lets in, `policy` shows.
    Consents,
    /// End the chat with a user, and ask again before the next one
    Revoke(ConsentedArgs),
    /// Send one text; exits 0 only when the peer's daemon has it
    Send(SendArgs),
    /// Show the texts that wait for who is away; `send --queue` leaves them
    Outbox(OutboxArgs),
    /// Show, search, export or erase what was kept of conversations
    ///
    /// Nothing is kept unless --keep says so, and never for longer than the chat's terms allow. Without a user and without
    /// flags it shows whose texts are kept, and for how long.
    History(HistoryArgs),
    /// Show unread texts, which are read thereby
    Read(ReadArgs),
    /// Converse: in a window on a terminal, else line by line
    ///
    /// The window has all conversations, and requests to answer; F1 shows its keys. Without a terminal, or where TERM
    /// is dumb or not set, lines of standard input are sent to USER, each as one text, in order, and what arrives is
    /// shown; it ends at the end of input or at /quit, once the peer's daemon has acknowledged every text.
    Chat(ChatArgs),
    /// End the chat with a peer
    Close(ChatterArgs),
    /// Be listed on the relay, so that others can ask you
    Available,
    /// Be unlisted: nobody can ask you, you can still ask
    Hidden,
    /// Show or set do not disturb: no popups and no sounds, while all arrives and waits
    ///
    /// It is on from `on` to `off`, for the time of --for, and in the hours of --between. `off` during the hours is for
    /// the rest of them. Only the warning that somebody's key changed still shows. What programs see does not change:
    /// `watch` prints every event and runs every command of --exec, which can ask `status --format '{dnd}'`.
    Dnd(DndArgs),
    /// Show or set what happens to requests, of one user or in general
    Policy(PolicyArgs),
    /// Let nothing of a user through, without telling them
    Block(UserArgs),
    /// Undo `block`
    Unblock(UserArgs),
    /// Show known peers and their keys; `add` pins a key before first contact
    Peers(PeersArgs),
    /// Show the safety number to compare with a peer, and confirm it
    Verify(VerifyArgs),
    /// Drop a peer's pinned key, and the chats under it
    Forget(ForgetArgs),
    /// Print events as they happen
    Watch(WatchArgs),
    /// Speak JSON-RPC 2.0 on standard input and output, for programs
    ///
    /// One object a line each way: the daemon's commands as methods, and after `subscribe` its events as notifications
    /// named `event`. docs/bridge.schema.json describes all of them. Ends once the input has ended and every call is
    /// answered, or with exit code 3 when the daemon goes away.
    Bridge,
    /// Print what a shell must read to complete secchatctl's commands and live names
    Completions {
        /// Which shell
        shell: Shell,
    },
    /// Print the man page (secchatctl man | man -l -)
    Man,
}

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default().bold())
    .placeholder(AnsiColor::Cyan.on_default());

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn clap_is_content() {
        Cli::command().debug_assert();
    }

    fn sent(arguments: &[&str]) -> SendArgs {
        let cli = Cli::try_parse_from([&["secchatctl", "send"], arguments].concat()).unwrap();
        let Verb::Send(send) = cli.verb else { panic!("{cli:?}") };
        send
    }

    #[test]
    fn everything_after_the_user_is_text() {
        assert_eq!(sent(&["bob", "hi", "--json", "-v"]).text, ["hi", "--json", "-v"]);
        assert_eq!(sent(&["bob", "--", "--json"]).text, ["--json"]);
        assert_eq!(sent(&["--", "bob", "--request"]).text, ["--request"]);
        assert_eq!(sent(&["bob", "-"]).text, ["-"]);
        assert!(sent(&["--request", "bob", "hi"]).request);
        assert!(Cli::try_parse_from(["secchatctl", "send", "bob"]).is_err());
        assert!(Cli::try_parse_from(["secchatctl", "send", "--edit", "bob"]).is_ok());
    }

    #[test]
    fn names_are_checked_before_anything_is_sent() {
        for name in ["../x", "a/b", "Bob", "", "\u{202e}bob", ".bob", &"x".repeat(33)] {
            let error = Cli::try_parse_from(["secchatctl", "rtt", name]).unwrap_err();
            assert_eq!(error.exit_code(), 2, "{name}");
        }
    }
}
