//! One file per verb or small group of verbs. Each asks the daemon, prints, and returns what went wrong.

mod answer;
mod chat;
mod close;
mod completions;
mod config;
mod consents;
mod consume;
mod dnd;
mod doctor;
mod history;
mod hook;
mod init;
mod keygen;
mod list;
mod outbox;
mod peers;
mod policy;
mod reach;
mod read;
mod requests;
mod rotate;
mod rtt;
mod send;
mod status;
mod unlock;
mod verify;
mod watch;

use crate::bridge;
use crate::cli::Verb;
use crate::failure::Failure;
use crate::man;
use crate::session::Session;

/// Does what the command line says.
pub(crate) async fn run(session: &Session, verb: Verb) -> Result<(), Failure> {
    match verb {
        Verb::Init(args) => init::run(session, args),
        Verb::Keygen(args) => keygen::run(session, &args),
        Verb::Unlock(args) => unlock::run(session, &args).await,
        Verb::Lock(args) => reach::lock(session, args).await,
        Verb::Login => reach::login(session).await,
        Verb::Logout => reach::logout(session).await,
        Verb::Available => reach::set(session, true).await,
        Verb::Hidden => reach::set(session, false).await,
        Verb::Dnd(args) => dnd::run(session, args).await,
        Verb::Doctor => doctor::run(session).await,
        Verb::Config { verb } => config::run(session, &verb),
        Verb::Status(args) => status::run(session, args).await,
        Verb::List => list::run(session).await,
        Verb::Rtt(args) => rtt::run(session, args).await,
        Verb::Requests => requests::run(session).await,
        Verb::Accept(args) => answer::accept(session, args).await,
        Verb::Refuse(args) => answer::refuse(session, args).await,
        Verb::Later(args) => answer::later(session, args.user).await,
        Verb::Consents => consents::run(session).await,
        Verb::Revoke(args) => consents::revoke(session, args.user).await,
        Verb::Send(args) => send::run(session, args).await,
        Verb::Outbox(args) => outbox::run(session, args).await,
        Verb::History(args) => history::run(session, args).await,
        Verb::Read(args) => read::run(session, args).await,
        Verb::Chat(args) => chat::run(session, args.user).await,
        Verb::Close(args) => close::run(session, args.user).await,
        Verb::Policy(args) => policy::run(session, args).await,
        Verb::Block(args) => policy::block(session, args.user, true).await,
        Verb::Unblock(args) => policy::block(session, args.user, false).await,
        Verb::Peers(args) => peers::run(session, args).await,
        Verb::Verify(args) => verify::run(session, args).await,
        Verb::Forget(args) => verify::forget(session, args).await,
        Verb::Bridge => bridge::run(session).await,
        Verb::Watch(args) => watch::run(session, args).await,
        Verb::Completions { shell } => completions::run(session, shell),
        Verb::Man => session.output.raw(&man::page()),
    }
}
