//! `unlock`: brings the passphrase to the daemon, from the terminal, a file descriptor or a program.

use std::time::Duration;

use secchat_ipc::pinentry;
use secchat_ipc::types::{LockState, Passphrase};
use secchat_ipc::{Client, ClientError, Command, CommandError, Reply};
use serde_json::json;

use crate::cli::UnlockArgs;
use crate::failure::Failure;
use crate::prompt;
use crate::session::Session;

pub(super) async fn run(session: &Session, args: &UnlockArgs) -> Result<(), Failure> {
    let mut client = session.connect().await?;
    let Reply::Status(status) = client.call(Command::Status, session.limit()).await? else {
        return Err(Failure::unfit_reply());
    };
    let Some(user) = status.user else {
        return Err(CommandError::NotConfigured.into());
    };
    if status.lock == LockState::Unlocked && args.ttl.is_none() {
        return session.told(json!({ "lock": "unlocked" }), "already unlocked");
    }
    let question = format!("Passphrase for {user}'s identity key: ");
    if let Some(descriptor) = args.passphrase_fd {
        unlock(session, &mut client, args.ttl, prompt::passphrase_from_descriptor(descriptor)?).await?;
    } else if let Some(program) = args.askpass.as_deref().filter(|program| pinentry::is_pinentry(program)) {
        ask(session, &mut client, args.ttl, |error| {
            prompt::passphrase_from_pinentry(program, &question, error)
        })
        .await?;
    } else if let Some(program) = &args.askpass {
        unlock(session, &mut client, args.ttl, prompt::passphrase_from_program(program, &question)?).await?;
    } else if args.no_passphrase {
        unlock(session, &mut client, args.ttl, Passphrase(String::new().into())).await?;
    } else if session.may_ask() {
        ask(session, &mut client, args.ttl, |_| prompt::passphrase(&question)).await?;
    } else {
        return Err(Failure::usage(
            "no terminal to ask for the passphrase on: use --passphrase-fd FD or --askpass PROGRAM",
        ));
    }
    session.told(json!({ "lock": "unlocked" }), "unlocked")
}

/// Unlocks by the passphrase that a person at the terminal types, for a command that takes the key; without anybody to
/// ask, the daemon's refusal stands.
pub(super) async fn for_command(session: &Session, client: &mut Client) -> Result<(), Failure> {
    if !session.may_ask() {
        return Err(CommandError::Locked.into());
    }
    ask(session, client, None, |_| prompt::passphrase("Locked. Passphrase for your identity key: ")).await
}

/// Asks a person, who may mistype twice; `question` is told what was wrong before.
async fn ask(
    session: &Session,
    client: &mut Client,
    ttl: Option<Duration>,
    question: impl Fn(Option<&str>) -> Result<Passphrase, Failure>,
) -> Result<(), Failure> {
    let mut wrong = None;
    for _ in 1..prompt::TRIES {
        match unlock(session, client, ttl, question(wrong)?).await {
            Err(ClientError::Command(CommandError::WrongPassphrase)) => {
                session.output.warn("wrong passphrase, try again");
                wrong = Some("Wrong passphrase, try again.");
            }
            other => return Ok(other?),
        }
    }
    Ok(unlock(session, client, ttl, question(wrong)?).await?)
}

async fn unlock(
    session: &Session,
    client: &mut Client,
    ttl: Option<Duration>,
    passphrase: Passphrase,
) -> Result<(), ClientError> {
    // Less than a second would mean "never".
    let ttl_seconds = ttl.map_or(0, |ttl| ttl.as_secs().max(1));
    client.call(Command::Unlock { passphrase, ttl_seconds }, session.limit()).await?;
    Ok(())
}
