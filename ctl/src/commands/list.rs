//! `list`: who is available now.

use secchat_ipc::{Command, Reply, UserName};
use serde_json::json;

use crate::failure::Failure;
use crate::session::Session;

pub(super) async fn run(session: &Session) -> Result<(), Failure> {
    let Reply::Users(users) = session.call(Command::List).await? else {
        return Err(Failure::unfit_reply());
    };
    if users.is_empty() {
        session.output.note("nobody is available now");
    }
    let names: Vec<&str> = users.iter().map(UserName::as_str).collect();
    session.output.data(json!({ "users": names }), |_| names.iter().map(|name| format!("{name}\n")).collect())
}
