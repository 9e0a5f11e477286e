//! The chat window: several conversations on a whole terminal.
//!
//! [`model`] is pure: keys and the daemon's words in, effects out. [`view`] draws a model. [`shell`] runs both between
//! the terminal ([`terminal`]) and the daemon ([`link`]). Peers' text is made harmless where it enters the model.

mod conversation;
mod layout;
mod link;
mod model;
mod rows;
mod shell;
mod terminal;
mod typing;
mod view;

use std::io::IsTerminal as _;

use secchat_ipc::UserName;

use crate::failure::Failure;
use crate::session::Session;

/// Whether there is a terminal on which a window can be drawn, and a person at it.
pub(crate) fn is_possible(session: &Session) -> bool {
    let draws = std::env::var_os("TERM").is_some_and(|term| !term.is_empty() && term != "dumb");
    draws && session.may_ask() && std::io::stdout().is_terminal() && !session.output.is_json()
}

/// Shows the window until the person leaves it.
pub(crate) async fn run(session: &Session, peer: Option<UserName>) -> Result<(), Failure> {
    shell::run(session, peer).await
}
