//! What the verbs take.

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgGroup, Args, Subcommand, ValueEnum};
use clap_complete::engine::ArgValueCandidates;
use secchat_ipc::UserName;
use secchat_ipc::types::QueuedTexts;

use super::value::{
    History, HoursWord, Keeping, PolicyWord, duration, history, hours_word, keeping, policy_word,
    queued_texts, when,
};
use crate::complete;

/// `init`.
#[derive(Args, Debug)]
pub(crate) struct InitArgs {
    /// Your name on the relay
    #[arg(long, value_parser = UserName::parse)]
    pub(crate) name: Option<UserName>,
    /// The relay's address
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) relay: Option<String>,
    /// The name in the relay's certificate [default: the host]
    #[arg(long, value_name = "NAME")]
    pub(crate) relay_name: Option<String>,
    /// The certificate of the CA that vouches for the relay (PEM); it is copied
    #[arg(long, value_name = "FILE")]
    pub(crate) ca: Option<PathBuf>,
    /// The CA's revocation list (PEM); it is copied
    #[arg(long, value_name = "FILE")]
    pub(crate) crl: Option<PathBuf>,
    /// Use the identity key in FILE, where it is, instead of making one
    #[arg(long, value_name = "FILE", conflicts_with = "kind")]
    pub(crate) key: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) new_key: NewKeyArgs,
    /// Start unlisted
    #[arg(long)]
    pub(crate) hidden: bool,
}

/// `keygen`.
#[derive(Args, Debug)]
pub(crate) struct KeygenArgs {
    /// Where the key goes; never overwritten [default: identity.pem in the profile's configuration folder]
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// Make the key that follows the one in use, beside it, and print what both sign, for the relay's operator;
    /// --passphrase-fd has the old key's passphrase in the first line and the new one's in the second
    #[arg(long, conflicts_with = "out")]
    pub(crate) rotate: bool,
    /// Take the new key into use, once the operator has taken it: the old one stays, under another name
    #[arg(long, requires = "rotate", conflicts_with_all = ["kind", "passphrase_fd", "no_passphrase"])]
    pub(crate) finish: bool,
    #[command(flatten)]
    pub(crate) new_key: NewKeyArgs,
}

/// What kind of key, and its passphrase.
#[derive(Args, Debug)]
pub(crate) struct NewKeyArgs {
    /// The kind of key [default: ed25519]
    #[arg(long)]
    pub(crate) kind: Option<KeyKind>,
    /// Read the key's passphrase from this file descriptor: its first line
    #[arg(long, value_name = "FD", conflicts_with = "no_passphrase")]
    pub(crate) passphrase_fd: Option<u32>,
    /// Keep the key unencrypted
    #[arg(long)]
    pub(crate) no_passphrase: bool,
}

/// Kinds of identity key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum KeyKind {
    /// Ed25519
    Ed25519,
    /// RSA, 2048 bits
    Rsa2048,
    /// RSA, 3072 bits
    Rsa3072,
    /// RSA, 4096 bits
    Rsa4096,
}

/// `unlock`.
#[derive(Args, Debug)]
pub(crate) struct UnlockArgs {
    /// Read the passphrase from this file descriptor: its first line
    #[arg(long, value_name = "FD", conflicts_with_all = ["askpass", "no_passphrase"])]
    pub(crate) passphrase_fd: Option<u32>,
    /// Run PROGRAM with the prompt as its argument and read the passphrase from its output; one whose name begins with
    /// pinentry is spoken to as gpg does
    #[arg(long, value_name = "PROGRAM", conflicts_with = "no_passphrase")]
    pub(crate) askpass: Option<PathBuf>,
    /// The key has no passphrase
    #[arg(long)]
    pub(crate) no_passphrase: bool,
    /// Lock again after DURATION
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(crate) ttl: Option<Duration>,
}

/// `lock`.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct LockArgs {
    /// Let requests still arrive, for a week at most; answering and talking take the passphrase again
    #[arg(long)]
    pub(crate) keep_session: bool,
}

/// The terms of a chat.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct TermsArgs {
    /// End the chat by itself after DURATION [default: no end]
    #[arg(long = "for", value_name = "DURATION", value_parser = duration)]
    pub(crate) duration: Option<Duration>,
    /// For how many days either side may keep the texts: none, N or all
    #[arg(long, value_name = "DAYS", value_parser = history)]
    pub(crate) history: Option<History>,
}

/// `rtt`.
#[derive(Args, Debug)]
pub(crate) struct RttArgs {
    /// Whom to ask
    #[arg(value_parser = UserName::parse, add = ArgValueCandidates::new(complete::available))]
    pub(crate) user: UserName,
    #[command(flatten)]
    pub(crate) terms: TermsArgs,
    /// Leave the request standing and return at once; it stands for --timeout [default: 1d]
    #[arg(long)]
    pub(crate) no_wait: bool,
    /// Take back the request made before
    #[arg(long, conflicts_with_all = ["no_wait", "duration", "history"])]
    pub(crate) withdraw: bool,
}

/// `accept`.
#[derive(Args, Debug)]
pub(crate) struct AcceptArgs {
    #[command(flatten)]
    pub(crate) requester: RequesterArgs,
    /// What you grant, where it is less than what was asked
    #[command(flatten)]
    pub(crate) terms: TermsArgs,
    /// For this one chat only, which with --for ends then [default, without --for]
    #[arg(long)]
    pub(crate) once: bool,
    /// Also for further chats of theirs, until `revoke`: as far as they asked for one without an end
    #[arg(long, conflicts_with_all = ["once", "duration"])]
    pub(crate) until_revoked: bool,
    /// Return as soon as the answer is on its way, not when the chat is open
    #[arg(long)]
    pub(crate) no_wait: bool,
}

/// `refuse`.
#[derive(Args, Debug)]
pub(crate) struct RefuseArgs {
    #[command(flatten)]
    pub(crate) requester: RequesterArgs,
    /// Send nothing: to the asker it looks like no answer
    #[arg(long)]
    pub(crate) quietly: bool,
}

/// Somebody who asks.
#[derive(Args, Debug)]
pub(crate) struct RequesterArgs {
    /// Who asked
    #[arg(value_parser = UserName::parse, add = ArgValueCandidates::new(complete::requesters))]
    pub(crate) user: UserName,
}

/// Somebody who may talk to this user.
#[derive(Args, Debug)]
pub(crate) struct ConsentedArgs {
    /// Who may talk to you
    #[arg(value_parser = UserName::parse, add = ArgValueCandidates::new(complete::consented))]
    pub(crate) user: UserName,
}

/// `send`.
#[derive(Args, Debug)]
pub(crate) struct SendArgs {
    /// Ask for a chat first, if none is open
    #[arg(long)]
    pub(crate) request: bool,
    /// Write the text in $VISUAL or $EDITOR
    #[arg(long, conflicts_with = "text")]
    pub(crate) edit: bool,
    /// Leave the text in the outbox and return: it goes when a chat with USER is open, after what was left before; with
    /// --request, USER is asked for one
    #[arg(long)]
    pub(crate) queue: bool,
    /// How long the text waits in the outbox at most, up to 30d [default: 7d]
    #[arg(long = "for", value_name = "DURATION", value_parser = duration, requires = "queue")]
    pub(crate) lifetime: Option<Duration>,
    /// Return when it is known what became of the text in the outbox
    #[arg(long, requires = "queue")]
    pub(crate) wait: bool,
    /// To whom
    #[arg(value_parser = UserName::parse, add = ArgValueCandidates::new(complete::addressees))]
    pub(crate) user: UserName,
    /// The text: its words are joined by blanks; a single - takes standard input. Flags go before USER
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, required_unless_present = "edit")]
    pub(crate) text: Vec<String>,
}

/// `outbox`.
#[derive(Args, Debug)]
pub(crate) struct OutboxArgs {
    #[command(subcommand)]
    pub(crate) verb: Option<OutboxVerb>,
}

/// What to do with the outbox.
#[derive(Debug, Subcommand)]
pub(crate) enum OutboxVerb {
    /// Take back a text that has not left yet, or all of a user
    Cancel {
        /// The text's number, or the user that the texts are for
        #[arg(value_name = "ID|USER", value_parser = queued_texts, add = ArgValueCandidates::new(complete::outbox))]
        which: QueuedTexts,
    },
}

/// `history`.
#[derive(Args, Debug)]
#[command(group(ArgGroup::new("texts").args(["search", "since", "last", "export"]).multiple(true)))]
pub(crate) struct HistoryArgs {
    /// With whom
    #[arg(value_parser = UserName::parse, add = ArgValueCandidates::new(complete::kept))]
    pub(crate) user: Option<UserName>,
    /// Texts with TEXT in them, in capitals or small letters
    #[arg(long, value_name = "TEXT")]
    pub(crate) search: Option<String>,
    /// Texts from WHEN on: a date (2026-11-30), or a duration ago (7d)
    #[arg(long, value_name = "WHEN", value_parser = when)]
    pub(crate) since: Option<u64>,
    /// Texts before WHEN; with --erase, of the days (by UTC) before
    #[arg(long, value_name = "WHEN", value_parser = when)]
    pub(crate) before: Option<u64>,
    /// The last N texts only
    #[arg(long, value_name = "N", requires = "user", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) last: Option<u16>,
    /// Write them for others to read
    #[arg(long, value_name = "FORMAT")]
    pub(crate) export: Option<ExportFormat>,
    /// Into a new file, which only you can read
    #[arg(short, long, value_name = "FILE", requires = "export")]
    pub(crate) output: Option<PathBuf>,
    /// Erase them: all, or those of the days before --before
    #[arg(long, conflicts_with = "texts")]
    pub(crate) erase: bool,
    /// Do not ask back
    #[arg(short, long, requires = "erase")]
    pub(crate) yes: bool,
    /// Keep texts from now on: none, N days or all, or default (the user's own word is dropped). What is older is erased
    #[arg(long, value_name = "DAYS", value_parser = keeping, conflicts_with_all = ["texts", "erase", "before"])]
    pub(crate) keep: Option<Keeping>,
}

/// How texts are exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ExportFormat {
    /// As `history` shows them
    Text,
    /// JSON, one object a line
    Jsonl,
}

/// `read`.
#[derive(Args, Debug)]
pub(crate) struct ReadArgs {
    /// From whom [default: everybody]
    #[arg(value_parser = UserName::parse, add = ArgValueCandidates::new(complete::chatters))]
    pub(crate) user: Option<UserName>,
    /// Leave the texts unread
    #[arg(long)]
    pub(crate) peek: bool,
}

/// `chat`.
#[derive(Args, Debug)]
pub(crate) struct ChatArgs {
    /// With whom [default, in the window: whoever waits]
    #[arg(value_parser = UserName::parse, add = ArgValueCandidates::new(complete::chatters))]
    pub(crate) user: Option<UserName>,
}

/// Somebody with whom a chat is open.
#[derive(Args, Debug)]
pub(crate) struct ChatterArgs {
    /// With whom
    #[arg(value_parser = UserName::parse, add = ArgValueCandidates::new(complete::chatters))]
    pub(crate) user: UserName,
}

/// Any user.
#[derive(Args, Debug)]
pub(crate) struct UserArgs {
    /// Whom
    #[arg(value_parser = UserName::parse, add = ArgValueCandidates::new(complete::peers))]
    pub(crate) user: UserName,
}

/// `dnd`.
#[derive(Args, Debug)]
pub(crate) struct DndArgs {
    /// on or off; without it and without flags, show how it stands
    #[arg(value_name = "WORD")]
    pub(crate) word: Option<DndWord>,
    /// On for DURATION only
    #[arg(long = "for", value_name = "DURATION", value_parser = duration)]
    pub(crate) duration: Option<Duration>,
    /// On in these hours of every day, in local time (22:00-07:00), in none, or by default as config.toml says
    /// (quiet hours there)
    #[arg(long, value_name = "HOURS", value_parser = hours_word)]
    pub(crate) between: Option<HoursWord>,
}

/// What `dnd` does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum DndWord {
    /// On
    On,
    /// Off
    Off,
}

/// `policy`.
#[derive(Args, Debug)]
pub(crate) struct PolicyArgs {
    /// A user's name; without it the policy is the general one
    #[arg(value_name = "USER", add = ArgValueCandidates::new(complete::policy_words))]
    pub(crate) first: Option<String>,
    /// ask, accept, refuse, refuse-quietly (looks like no answer) or default (the user's own is dropped)
    #[arg(value_name = "POLICY", value_parser = policy_word)]
    pub(crate) second: Option<PolicyWord>,
}

/// `peers`.
#[derive(Args, Debug)]
pub(crate) struct PeersArgs {
    #[command(subcommand)]
    pub(crate) verb: Option<PeersVerb>,
}

/// What to do with peers.
#[derive(Debug, Subcommand)]
pub(crate) enum PeersVerb {
    /// Pin a peer's public key before first contact
    Add {
        /// Whose
        #[arg(value_parser = UserName::parse)]
        user: UserName,
        /// The public key in base64, as `secchatctl keygen` prints it, or a PEM file with it
        key: String,
    },
}

/// `verify`.
#[derive(Args, Debug)]
pub(crate) struct VerifyArgs {
    /// With whom
    #[arg(value_parser = UserName::parse, add = ArgValueCandidates::new(complete::peers))]
    pub(crate) user: UserName,
    /// What the peer sees, in digits or in words (`-`: on standard input, as a scanner prints it): mark the key as
    /// verified if it is the right one, else exit 9
    #[arg(long, value_name = "NUMBER")]
    pub(crate) expect: Option<String>,
    /// Show the number in 20 words, to be read aloud
    #[arg(long, conflicts_with = "expect")]
    pub(crate) words: bool,
    /// Show the number as a QR code too, for the peer's camera
    #[arg(long, conflicts_with = "expect")]
    pub(crate) qr: bool,
}

/// `forget`.
#[derive(Args, Debug)]
pub(crate) struct ForgetArgs {
    #[command(flatten)]
    pub(crate) peer: UserArgs,
    /// Do not ask back
    #[arg(short, long)]
    pub(crate) yes: bool,
}

/// Shells with completions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Shell {
    /// GNU Bash
    Bash,
    /// Z shell
    Zsh,
    /// Fish
    Fish,
}
