//! `accept`, `refuse`, `later`: the answers to a request to talk.

use secchat_ipc::types::Terms;
use secchat_ipc::{Client, ClientError, Command, CommandError, Reply, UserName};
use serde_json::json;

use super::unlock;
use crate::cli::{AcceptArgs, RefuseArgs, TermsArgs};
use crate::failure::Failure;
use crate::session::Session;
use crate::{time, view};

pub(super) async fn accept(session: &Session, args: AcceptArgs) -> Result<(), Failure> {
    let peer = args.requester.user;
    let mut client = session.connect().await?;
    let terms = granted(session, &mut client, &peer, args.terms).await?;
    let is_standing = args.until_revoked || (args.terms.duration.is_some() && !args.once);
    let (asker, wait) = (peer.clone(), !args.no_wait);
    let command = if is_standing {
        Command::AcceptStanding { peer: asker, terms, wait }
    } else {
        Command::Accept { peer: asker, terms, wait }
    };
    let mut answer = client.call(command.clone(), session.limit()).await;
    if let Err(ClientError::Command(CommandError::Locked)) = answer {
        unlock::for_command(session, &mut client).await?;
        answer = client.call(command, session.limit()).await;
    }
    if let Err(ClientError::Command(CommandError::TimedOut)) = answer {
        return Err(Failure::timed_out(format!(
            "{peer} is accepted, but the chat is not open yet: it opens by itself when {peer} is there"
        )));
    }
    let answer = answer?;
    let open = matches!(answer, Reply::ChatOpen { .. });
    let (Reply::ChatOpen { chat_id, terms } | Reply::Accepted { chat_id, terms }) = answer else {
        return Err(Failure::unfit_reply());
    };
    let value = json!({
        "peer": peer.as_str(),
        "answer": "accepted",
        "chat": chat_id.to_string(),
        "terms": view::terms(terms),
        "standing": is_standing,
        "open": open,
    });
    let terms = view::terms_for_people(terms, time::now());
    let further = if is_standing { "; further chats too, until `secchatctl revoke`" } else { "" };
    session.told(value, &format!("accepted {peer} ({terms}{further}): `secchatctl chat {peer}`"))
}

pub(super) async fn refuse(session: &Session, args: RefuseArgs) -> Result<(), Failure> {
    let peer = args.requester.user;
    session.done(Command::Refuse { peer: peer.clone(), quietly: args.quietly }).await?;
    let value = json!({ "peer": peer.as_str(), "answer": "refused", "quietly": args.quietly });
    let how = if args.quietly { " quietly" } else { "" };
    session.told(value, &format!("refused {peer}{how}; `secchatctl accept {peer}` undoes it"))
}

pub(super) async fn later(session: &Session, peer: UserName) -> Result<(), Failure> {
    session.done(Command::Later { peer: peer.clone() }).await?;
    let value = json!({ "peer": peer.as_str(), "answer": "later" });
    session.told(value, &format!("{peer}'s request waits: see `secchatctl requests`"))
}

/// What the flags leave of the terms that were asked for; `None` when they leave all.
async fn granted(
    session: &Session,
    client: &mut Client,
    peer: &UserName,
    args: TermsArgs,
) -> Result<Option<Terms>, Failure> {
    if args.duration.is_none() && args.history.is_none() {
        return Ok(None);
    }
    let Reply::Requests { incoming, .. } = client.call(Command::Requests, session.limit()).await? else {
        return Err(Failure::unfit_reply());
    };
    let asked = incoming.iter().rfind(|request| request.peer == *peer).map(|request| request.terms);
    let asked = asked.ok_or_else(|| CommandError::NoRequest { peer: peer.clone() })?;
    Ok(Some(within(asked, args, time::now())))
}

/// The smaller of what is asked and what the flags allow.
fn within(asked: Terms, args: TermsArgs, now: u64) -> Terms {
    let until = args.duration.map(|duration| now.saturating_add(duration.as_secs().max(1)));
    let history_days = args.history.and_then(|history| history.0);
    Terms { until: smaller(asked.until, until), history_days: smaller(asked.history_days, history_days) }
}

/// The smaller of two limits, where none is no limit.
fn smaller<T: Ord>(a: Option<T>, b: Option<T>) -> Option<T> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::cli::History;

    #[test]
    fn a_grant_is_never_above_what_was_asked() {
        let asked = Terms { until: Some(1_000), history_days: Some(7) };
        let hour = Some(Duration::from_secs(3_600));
        let none = TermsArgs { duration: None, history: None };
        assert_eq!(within(asked, none, 0), asked);
        let wide = TermsArgs { duration: hour, history: Some(History(None)) };
        assert_eq!(within(asked, wide, 0), asked);
        let narrow = TermsArgs { duration: Some(Duration::from_secs(60)), history: Some(History(Some(0))) };
        assert_eq!(within(asked, narrow, 100), Terms { until: Some(160), history_days: Some(0) });
        let unlimited = Terms { until: None, history_days: None };
        assert_eq!(within(unlimited, narrow, 100), Terms { until: Some(160), history_days: Some(0) });
    }
}
