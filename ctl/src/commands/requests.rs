//! `requests`: who asks to talk to this user, and whom this user asked.

use secchat_ipc::types::{IncomingRequest, OutgoingRequest};
use secchat_ipc::{Command, Reply};
use serde_json::{Value, json};

use crate::failure::Failure;
use crate::output::Output;
use crate::session::Session;
use crate::time::relative;
use crate::{time, view};

pub(super) async fn run(session: &Session) -> Result<(), Failure> {
    let Reply::Requests { incoming, outgoing } = session.call(Command::Requests).await? else {
        return Err(Failure::unfit_reply());
    };
    let value = json!({
        "incoming": incoming.iter().map(view::incoming).collect::<Vec<Value>>(),
        "outgoing": outgoing.iter().map(view::outgoing).collect::<Vec<Value>>(),
    });
    if incoming.is_empty() && outgoing.is_empty() {
        session.output.note("nobody asks, and nobody is asked");
    }
    for request in incoming.iter().filter(|request| request.trust.is_changed()) {
        let peer = &request.peer;
        session.output.warn(&format!(
            "{peer}'s key is not the pinned one: ask {peer} for the safety number by another way, then `secchatctl verify {peer}`"
        ));
    }
    session.output.data(value, |output| table(output, &incoming, &outgoing))
}

fn table(output: &Output, incoming: &[IncomingRequest], outgoing: &[OutgoingRequest]) -> String {
    if incoming.is_empty() && outgoing.is_empty() {
        return String::new();
    }
    let now = time::now();
    let asks = incoming.iter().map(|r| {
        [
            r.peer.to_string(),
            "asks you".to_owned(),
            view::request_word(r.state).to_owned(),
            view::terms_for_people(r.terms, now),
            view::trust_word(r.trust).to_owned(),
            relative(r.expires, now),
        ]
    });
    let asked = outgoing.iter().map(|r| {
        [
            r.peer.to_string(),
            "you ask".to_owned(),
            if r.peer_away { "away" } else { "pending" }.to_owned(),
            view::terms_for_people(r.terms, now),
            "-".to_owned(),
            relative(r.expires, now),
        ]
    });
    let rows: Vec<_> = asks.chain(asked).collect();
    output.table(["USER", "WHO", "STATE", "TERMS", "KEY", "ENDS"], &rows)
}
