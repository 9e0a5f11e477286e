//! `rtt`: asks somebody to talk, waits for the person's answer, and exits with it.

use std::time::Duration;

use secchat_ipc::types::{ChatId, Terms};
use secchat_ipc::{Client, Command, Reply, UserName};
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};

use crate::cli::{RttArgs, TermsArgs};
use crate::exit_code::Exit;
use crate::failure::Failure;
use crate::session::Session;
use crate::{time, view};

pub(super) async fn run(session: &Session, args: RttArgs) -> Result<(), Failure> {
    let peer = args.user;
    if args.withdraw {
        session.done(Command::Withdraw { peer: peer.clone() }).await?;
        let value = json!({ "peer": peer.as_str(), "answer": "withdrawn" });
        return session.told(value, &format!("the request to {peer} is taken back"));
    }
    let terms = proposed(args.terms);
    if args.no_wait {
        return leave(session, peer, terms).await;
    }
    let mut client = session.connect().await?;
    let (chat_id, granted) = ask(session, &mut client, &peer, terms).await?;
    let value = json!({
        "peer": peer.as_str(),
        "answer": "accepted",
        "chat": chat_id.to_string(),
        "terms": view::terms(granted),
    });
    let granted = view::terms_for_people(granted, time::now());
    session.told(value, &format!("{peer} accepted ({granted}): `secchatctl chat {peer}`"))
}

/// Asks and waits until the chat is open. An interrupt takes the request back.
pub(super) async fn ask(
    session: &Session,
    client: &mut Client,
    peer: &UserName,
    terms: Terms,
) -> Result<(ChatId, Terms), Failure> {
    let lifetime = session.timeout().unwrap_or(WAIT);
    let lifetime_seconds = whole_seconds(lifetime);
    // Watched from before anybody is asked: an interrupt must never leave a request behind.
    let mut interrupts = signal(SignalKind::interrupt())
        .map_err(|error| Failure::failed(format!("cannot watch for Ctrl-C: {error}")))?;
    session.output.note(&format!(
        "asking {peer}; waiting {} for an answer (Ctrl-C takes the request back)",
        time::rough(u64::from(lifetime_seconds))
    ));
    let command = Command::Rtt { peer: peer.clone(), terms, lifetime_seconds, wait: true };
    tokio::select! {
        // Without a limit of its own: the daemon answers when the request expires.
        answer = client.call(command, Duration::ZERO) => {
            let Reply::ChatOpen { chat_id, terms } = answer? else {
                return Err(Failure::unfit_reply());
            };
            Ok((chat_id, terms))
        }
        Some(()) = interrupts.recv() => {
            take_back(session, peer).await?;
            let message = format!("interrupted: the request to {peer} is taken back");
            Err(Failure { exit: Exit::Interrupted, code: "interrupted", message })
        }
    }
}

/// The terms that flags stand for, for whoever asks.
pub(super) fn proposed(args: TermsArgs) -> Terms {
    Terms {
        until: args.duration.map(|duration| time::now().saturating_add(duration.as_secs().max(1))),
        // Keeping texts needs consent: who says nothing asks for none.
        history_days: args.history.map_or(Some(0), |history| history.0),
    }
}

async fn leave(session: &Session, peer: UserName, terms: Terms) -> Result<(), Failure> {
    let lifetime_seconds = whole_seconds(session.timeout().unwrap_or(STAND));
    let command = Command::Rtt { peer: peer.clone(), terms, lifetime_seconds, wait: false };
    let mut client = session.connect().await?;
    let Reply::Asked { chat_id, expires, peer_away } = client.call(command, Duration::ZERO).await? else {
        return Err(Failure::unfit_reply());
    };
    let value = json!({
        "peer": peer.as_str(),
        "answer": "pending",
        "chat": chat_id.to_string(),
        "expires": time::rfc3339(expires),
        "peer_away": peer_away,
    });
    let away = if peer_away { format!("; {peer} is not available now") } else { String::new() };
    let until = time::relative(expires, time::now());
    session.told(value, &format!("asked {peer}; the request ends {until}{away}"))
}

async fn take_back(session: &Session, peer: &UserName) -> Result<(), Failure> {
    let mut client = session.connect().await?;
    client.call(Command::Withdraw { peer: peer.clone() }, TAKE_BACK).await?;
    Ok(())
}

/// What a request's lifetime is counted in; never none.
pub(super) fn whole_seconds(duration: Duration) -> u32 {
    let rounded_up = duration.as_secs().saturating_add(u64::from(duration.subsec_nanos() > 0));
    u32::try_from(rounded_up.max(1)).unwrap_or(u32::MAX)
}

/// For how long a person is waited for, without `--timeout`: as long as one lets a phone ring and look again.
const WAIT: Duration = Duration::from_secs(300);

/// For how long a request stands that nobody waits for, without `--timeout`.
const STAND: Duration = Duration::from_secs(86_400);

/// For how long an interrupted program tries to take its request back.
const TAKE_BACK: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::History;

    #[test]
    fn lifetimes_are_rounded_up() {
        for (milliseconds, seconds) in [(1, 1), (1_000, 1), (1_001, 2), (300_000, 300), (u64::MAX, u32::MAX)]
        {
            assert_eq!(whole_seconds(Duration::from_millis(milliseconds)), seconds);
        }
    }

    #[test]
    fn who_says_nothing_asks_for_no_history_and_no_end() {
        let terms = proposed(TermsArgs { duration: None, history: None });
        assert_eq!(terms, Terms { until: None, history_days: Some(0) });
        let eight_hours = Duration::from_secs(28_800);
        let before = time::now();
        let terms = proposed(TermsArgs { duration: Some(eight_hours), history: Some(History(None)) });
        assert_eq!(terms.history_days, None);
        assert!((before + 28_800..before + 28_810).contains(&terms.until.unwrap()));
    }
}
