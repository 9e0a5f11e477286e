//! `consents`: who may talk to this user now, and until when; `revoke` takes it back.

use secchat_ipc::types::Consent;
use secchat_ipc::{Command, Reply, UserName};
use serde_json::json;

use crate::failure::Failure;
use crate::output::Output;
use crate::session::Session;
use crate::{time, view};

pub(super) async fn run(session: &Session) -> Result<(), Failure> {
    let Reply::Consents(consents) = session.call(Command::Consents).await? else {
        return Err(Failure::unfit_reply());
    };
    if consents.is_empty() {
        session.output.note("nobody may talk to you without asking");
    }
    let value = json!({ "consents": consents.iter().map(view::consent).collect::<Vec<_>>() });
    session.output.data(value, |output| table(output, &consents))
}

pub(super) async fn revoke(session: &Session, peer: UserName) -> Result<(), Failure> {
    session.done(Command::Revoke { peer: peer.clone() }).await?;
    let value = json!({ "peer": peer.as_str(), "revoked": true });
    session
        .told(value, &format!("{peer} may not talk to you any more, and is asked about before the next time"))
}

fn table(output: &Output, consents: &[Consent]) -> String {
    if consents.is_empty() {
        return String::new();
    }
    let now = time::now();
    let rows: Vec<_> = consents
        .iter()
        .map(|consent| {
            [
                consent.peer.to_string(),
                if consent.chat_id.is_some() { "this chat" } else { "any chat" }.to_owned(),
                consent.terms.until.map_or_else(|| "no end".to_owned(), |until| time::relative(until, now)),
                view::history_for_people(consent.terms.history_days),
                time::relative(consent.given, now),
            ]
        })
        .collect();
    output.table(["USER", "FOR", "ENDS", "HISTORY", "GIVEN"], &rows)
}
