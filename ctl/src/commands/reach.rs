//! `lock`, `login`, `logout`, `available`, `hidden`: the session, and who can find this user.

use secchat_ipc::Command;
use serde_json::json;

use crate::cli::LockArgs;
use crate::failure::Failure;
use crate::session::Session;

pub(super) async fn lock(session: &Session, args: LockArgs) -> Result<(), Failure> {
    if args.keep_session {
        session.done(Command::LockKeepSession).await?;
        let note = "locked: the identity key is out of memory; requests still arrive, for a week at most";
        return session.told(json!({ "lock": "reachable" }), note);
    }
    session.done(Command::Lock).await?;
    session.told(json!({ "lock": "locked" }), "locked: the identity key is out of memory")
}

pub(super) async fn login(session: &Session) -> Result<(), Failure> {
    session.done(Command::Login).await?;
    session.told(json!({ "link": "online" }), "online")
}

pub(super) async fn logout(session: &Session) -> Result<(), Failure> {
    session.done(Command::Logout).await?;
    session.told(json!({ "link": "logged_out" }), "logged out, until `secchatctl login`")
}

pub(super) async fn set(session: &Session, available: bool) -> Result<(), Failure> {
    session.done(Command::SetReachability { available }).await?;
    let (word, note) = if available {
        ("available", "available: others find you and can ask to talk")
    } else {
        ("hidden", "hidden: nobody finds you or can ask; you can still ask others")
    };
    session.told(json!({ "reachability": word }), note)
}
