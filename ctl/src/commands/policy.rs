//! `policy`, `block`, `unblock`: what happens to requests without a person being asked.

use secchat_ipc::types::Policy;
use secchat_ipc::{Command, Reply, UserName};
use serde_json::json;

use crate::cli::{PolicyArgs, PolicyWord, policy_word};
use crate::failure::Failure;
use crate::session::Session;
use crate::view;

pub(super) async fn run(session: &Session, args: PolicyArgs) -> Result<(), Failure> {
    match (args.first, args.second) {
        (None, None) => show_all(session).await,
        (None, Some(_)) => Err(Failure::usage("a policy for whom?")),
        // A single word that is a policy is the general one, also where a user has that name.
        (Some(first), None) => match policy_word(&first) {
            Ok(word) => set(session, None, word).await,
            Err(_) => show(session, user(&first)?).await,
        },
        (Some(first), Some(word)) => set(session, Some(user(&first)?), word).await,
    }
}

pub(super) async fn block(session: &Session, peer: UserName, blocked: bool) -> Result<(), Failure> {
    session.done(Command::SetBlocked { peer: peer.clone(), blocked }).await?;
    let value = json!({ "peer": peer.as_str(), "blocked": blocked });
    let note = if blocked {
        format!("{peer} is blocked, and is not told")
    } else {
        format!("{peer} is not blocked any more")
    };
    session.told(value, &note)
}

async fn set(session: &Session, peer: Option<UserName>, word: PolicyWord) -> Result<(), Failure> {
    session.done(Command::SetPolicy { peer: peer.clone(), policy: word.0 }).await?;
    let value =
        json!({ "peer": peer.as_ref().map(UserName::as_str), "policy": word.0.map(view::policy_word) });
    let whose = peer.map_or_else(|| "requests in general".to_owned(), |peer| format!("{peer}'s requests"));
    let what = word.0.map_or("the default", view::policy_word);
    session.told(value, &format!("{whose}: {what}"))
}

async fn show_all(session: &Session) -> Result<(), Failure> {
    let general = general(session).await?;
    let Reply::Peers(mut peers) = session.call(Command::Peers).await? else {
        return Err(Failure::unfit_reply());
    };
    peers.retain(|peer| peer.policy.is_some() || peer.blocked);
    let value = json!({
        "policy": view::policy_word(general),
        "peers": peers.iter().map(view::peer).collect::<Vec<_>>(),
    });
    session.output.data(value, |output| {
        let everybody = ["(everybody else)".to_owned(), view::policy_word(general).to_owned()];
        let own = peers.iter().map(|peer| {
            let word = peer.policy.map_or("default", view::policy_word);
            [peer.peer.to_string(), if peer.blocked { "blocked" } else { word }.to_owned()]
        });
        let rows: Vec<_> = own.chain([everybody]).collect();
        output.table(["USER", "POLICY"], &rows)
    })
}

async fn show(session: &Session, name: UserName) -> Result<(), Failure> {
    let general = general(session).await?;
    let Reply::Peers(peers) = session.call(Command::Peers).await? else {
        return Err(Failure::unfit_reply());
    };
    let peer = peers.iter().find(|peer| peer.peer == name);
    let own = peer.and_then(|peer| peer.policy);
    let blocked = peer.is_some_and(|peer| peer.blocked);
    let in_force = own.unwrap_or(general);
    let value = json!({
        "peer": name.as_str(),
        "policy": own.map(view::policy_word),
        "in_force": view::policy_word(in_force),
        "blocked": blocked,
    });
    session.output.data(value, |_| {
        let word = view::policy_word(in_force);
        match (blocked, own) {
            (true, _) => "blocked\n".to_owned(),
            (false, Some(_)) => format!("{word}\n"),
            (false, None) => format!("{word} (the default)\n"),
        }
    })
}

async fn general(session: &Session) -> Result<Policy, Failure> {
    let Reply::Status(status) = session.call(Command::Status).await? else {
        return Err(Failure::unfit_reply());
    };
    Ok(status.policy)
}

fn user(text: &str) -> Result<UserName, Failure> {
    UserName::parse(text).map_err(|error| {
        Failure::usage(format!(
            "{text:?} is no policy (ask, accept, refuse, refuse-quietly, default) and no user: {error}"
        ))
    })
}
