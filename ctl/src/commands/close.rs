//! `close`: ends the chat with a peer.

use secchat_ipc::{Command, Reply, UserName};
use serde_json::json;

use crate::failure::Failure;
use crate::session::Session;

pub(super) async fn run(session: &Session, peer: UserName) -> Result<(), Failure> {
    let Reply::Closed { chat_id, undelivered } = session.call(Command::Close { peer: peer.clone() }).await?
    else {
        return Err(Failure::unfit_reply());
    };
    if undelivered > 0 {
        session
            .output
            .warn(&format!("{undelivered} of your texts were never acknowledged by {peer}'s daemon"));
    }
    let value = json!({
        "peer": peer.as_str(),
        "chat": chat_id.to_string(),
        "undelivered": undelivered,
    });
    session.told(value, &format!("the chat with {peer} is over"))
}
