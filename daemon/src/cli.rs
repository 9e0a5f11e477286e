//! The command line: runs the daemon, makes and shows keys, or shows and checks what it would run with.

use std::io::{self, Write as _};
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use rustix::process::{DumpableBehavior, set_dumpable_behavior};
use secchat_proto::UserName;
use tokio::sync::watch;
use zeroize::Zeroizing;

use crate::check;
use crate::config::{self, Config, ConfigError, Flags};
use crate::key_command::{self, KeyCommandError, NewKeyKind};
use crate::logging::{self, BadFilter};
use crate::passphrase::{self, PassphraseError};
use crate::serve::{Daemon, DaemonError};
use crate::signals::Signals;

/// The secchat daemon of one user: holds the session, the keys and the chats, and serves frontends such as
/// secchatctl.
#[derive(Debug, Parser)]
#[command(name = "secchatd", version, args_conflicts_with_subcommands = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Option<Verb>,
    #[command(flatten)]
    run: RunArguments,
}

#[derive(Args, Debug)]
struct RunArguments {
    /// Use this profile's configuration, state and socket [env: `SECCHAT_PROFILE`]
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
    /// Read this file instead of config.toml in the configuration folder [env: `SECCHAT_CONFIG`]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Unlock with the first line of this file descriptor
    #[arg(long, value_name = "FD")]
    passphrase_fd: Option<u32>,
    /// What to log, such as `info` or `secchat_daemon=debug`
    #[arg(long, value_name = "FILTER", env = "SECCHAT_LOG")]
    log: Option<String>,
}

#[derive(Args, Debug)]
struct WhichArguments {
    /// Of this profile [env: `SECCHAT_PROFILE`]
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
    /// By this file instead of config.toml in the configuration folder [env: `SECCHAT_CONFIG`]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl From<WhichArguments> for Flags {
    fn from(WhichArguments { profile, config }: WhichArguments) -> Self {
        Self { profile, config }
    }
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Make an identity key; prints the public key for the relay's `user_list`
    Keygen {
        /// The file to make; an existing one is never overwritten
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        /// The key's kind
        #[arg(long, value_enum, default_value_t = NewKeyKind::Ed25519)]
        kind: NewKeyKind,
        /// Take the passphrase from the first line of this file descriptor; standard input by default
        #[arg(long, value_name = "FD")]
        passphrase_fd: Option<u32>,
        /// Write the key unencrypted
        #[arg(long, conflicts_with = "passphrase_fd")]
        no_passphrase: bool,
    },
    /// Make the identity key that follows another one; prints what both sign, for the relay's operator
    Rotate {
        /// The key that it follows; it stays as it is
        #[arg(long, value_name = "FILE")]
        key: PathBuf,
        /// The file to make; an existing one is never overwritten
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        /// Whose key it is, on the relay
        #[arg(long, value_name = "NAME")]
        name: UserName,
        /// The new key's kind
        #[arg(long, value_enum, default_value_t = NewKeyKind::Ed25519)]
        kind: NewKeyKind,
        /// Take the old key's passphrase from the first line of this file descriptor, the new key's from the second;
        /// standard input by default
        #[arg(long, value_name = "FD", default_value_t = 0)]
        passphrase_fd: u32,
        /// Write the new key unencrypted
        #[arg(long)]
        no_passphrase: bool,
    },
    /// Print the public key of an identity key, for the relay's `user_list`
    Pubkey {
        /// The key's file
        #[arg(long, value_name = "FILE")]
        key: PathBuf,
        /// Take the passphrase from the first line of this file descriptor; without it none is tried
        #[arg(long, value_name = "FD")]
        passphrase_fd: Option<u32>,
    },
    /// Print every setting, its value and where it comes from, separated by tabs (`secchatctl config show`)
    Config(WhichArguments),
    /// Check files, clock, relay and desktop; print verdict, check and sentence, separated by tabs (`secchatctl doctor`)
    Check(WhichArguments),
}

/// Why the program fails.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Filter(#[from] BadFilter),
    #[error(transparent)]
    Passphrase(#[from] PassphraseError),
    #[error(transparent)]
    Key(#[from] KeyCommandError),
    #[error(transparent)]
    Daemon(#[from] DaemonError),
    #[error("{0}")]
    Activation(String),
    #[error("the system refuses what the daemon needs: {0}")]
    System(#[from] io::Error),
}

/// The whole program, with the socket that systemd passed.
#[must_use]
pub fn main(activated: Result<Option<UnixListener>, String>) -> ExitCode {
    let cli = Cli::parse();
    let outcome = match cli.command {
        None => run(cli.run, activated),
        Some(command) => print(command),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // Without standard error there is nobody to tell.
            let _ = writeln!(io::stderr(), "secchatd: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: RunArguments, activated: Result<Option<UnixListener>, String>) -> Result<(), Failure> {
    let RunArguments { profile, config, passphrase_fd, log } = arguments;
    logging::start(log.as_deref())?;
    let config = Config::load(&Flags { profile, config })?;
    let activated = activated.map_err(Failure::Activation)?;
    if let Some(warning) = config.paths.warning() {
        tracing::warn!("{warning}");
    }
    if config.user.is_none() {
        tracing::warn!("no user is set up in {}: run `secchatctl init`", config.file.display());
    }
    let passphrase = match passphrase_fd {
        Some(descriptor) => Some(passphrase::from_descriptor(descriptor)?),
        None => passphrase::from_credential()?,
    };
    // After the descriptor was read: such a process may not open its own by name.
    if let Err(error) = set_dumpable_behavior(DumpableBehavior::NotDumpable) {
        tracing::warn!(%error, "a crash could write the keys to disk");
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(BLOCKING_THREADS)
        .build()?;
    let ended = runtime.block_on(serve(config, activated, passphrase));
    // Work that nobody waits for any more, such as a key being made, must not hold up the end.
    runtime.shutdown_timeout(Duration::from_millis(100));
    ended
}

async fn serve(
    config: Config,
    activated: Option<UnixListener>,
    passphrase: Option<Zeroizing<String>>,
) -> Result<(), Failure> {
    let signals = Signals::listen()?;
    let (stop, shutdown) = watch::channel(false);
    let daemon = Daemon::start(config, activated)?;
    let signals = tokio::spawn(signals.forward(stop));
    let ended = daemon.run(passphrase, shutdown).await;
    signals.abort();
    Ok(ended?)
}

/// Does what ends with a few lines on standard output.
fn print(command: Verb) -> Result<(), Failure> {
    let lines = match command {
        Verb::Keygen { out, kind, no_passphrase: true, .. } => vec![key_command::generate(&out, kind, None)?],
        Verb::Keygen { out, kind, passphrase_fd, .. } => {
            let passphrase = passphrase::from_descriptor(passphrase_fd.unwrap_or(0))?;
            vec![key_command::generate(&out, kind, Some(&passphrase))?]
        }
        Verb::Rotate { key, out, name, kind, passphrase_fd, no_passphrase } => {
            let [old, new] = passphrase::two_from_descriptor(passphrase_fd)?;
            let new = (!no_passphrase).then_some(new.as_str());
            vec![key_command::rotate((&key, &old), (&out, kind, new), &name)?]
        }
        Verb::Pubkey { key, passphrase_fd } => {
            let passphrase = passphrase_fd.map(passphrase::from_descriptor).transpose()?.unwrap_or_default();
            vec![key_command::public_key(&key, &passphrase)?]
        }
        Verb::Config(which) => {
            let line = |shown: &config::Shown| format!("{}\t{}\t{}", shown.key, shown.value, shown.origin);
            config::show(&which.into())?.iter().map(line).collect()
        }
        Verb::Check(which) => {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(check::run(&which.into())).iter().map(ToString::to_string).collect()
        }
    };
    Ok(writeln!(io::stdout(), "{}", lines.join("\n"))?)
}

/// Threads beside the event loop at most: a key being decrypted, one being made, a file being written, a name being
/// looked up.
const BLOCKING_THREADS: usize = 4;

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn running_is_the_default() {
        let cli = Cli::try_parse_from(["secchatd", "--profile", "bob", "--passphrase-fd", "3"]).unwrap();
        assert!(cli.command.is_none());
        assert_eq!(cli.run.passphrase_fd, Some(3));
        assert!(Cli::try_parse_from(["secchatd", "--passphrase", "x"]).is_err(), "secrets are no arguments");
        let keygen = ["secchatd", "keygen", "--out", "x", "--no-passphrase", "--passphrase-fd", "3"];
        assert!(Cli::try_parse_from(keygen).is_err());
    }
}
