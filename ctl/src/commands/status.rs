//! `status`: the daemon in one page, and what is missing.

use secchat_ipc::types::{DoNotDisturb, LinkState, LockState, Status};
use secchat_ipc::{Client, Command, Reply};
use tokio::time::Instant;

use crate::cli::StatusArgs;
use crate::failure::Failure;
use crate::format::Format;
use crate::output::{Output, Style};
use crate::session::Session;
use crate::{harmless, time, view};

pub(super) async fn run(session: &Session, args: StatusArgs) -> Result<(), Failure> {
    if let Some(format) = args.format {
        return line(session, &format, args.follow).await;
    }
    let mut client = session.connect().await?;
    let Reply::Status(status) = client.call(Command::Status, session.limit()).await? else {
        return Err(Failure::unfit_reply());
    };
    let quiet = quiet(session, &mut client).await?;
    let mut value = view::status(&status);
    if let Some(object) = value.as_object_mut() {
        object.insert("do_not_disturb".to_owned(), view::do_not_disturb(quiet));
    }
    session.output.data(value, |output| page(output, &status, quiet))
}

async fn quiet(session: &Session, client: &mut Client) -> Result<DoNotDisturb, Failure> {
    let Reply::DoNotDisturb(quiet) = client.call(Command::DoNotDisturb, session.limit()).await? else {
        return Err(Failure::unfit_reply());
    };
    Ok(quiet)
}

/// One line for a bar, and with `follow` another whenever it changes.
async fn line(session: &Session, format: &Format, follow: bool) -> Result<(), Failure> {
    let deadline = session.timeout().map(|timeout| Instant::now() + timeout);
    let mut client = session.connect().await?;
    let mut state = client.subscribe().await?;
    if format.names("dnd") {
        state.do_not_disturb = quiet(session, &mut client).await?;
    }
    let mut shown = format.fill(&state);
    session.output.raw(&format!("{shown}\n"))?;
    if !follow {
        return Ok(());
    }
    loop {
        let next = client.next_event();
        let event = match deadline {
            Some(deadline) => match tokio::time::timeout_at(deadline, next).await {
                Ok(event) => event?,
                Err(_) => return Ok(()),
            },
            None => next.await?,
        };
        state.apply(&event);
        let line = format.fill(&state);
        if line != shown {
            session.output.raw(&format!("{line}\n"))?;
            shown = line;
        }
    }
}

fn page(output: &Output, status: &Status, quiet: DoNotDisturb) -> String {
    let user = match &status.user {
        Some(user) => format!("{user} on {}", harmless::line(&status.relay)),
        None => "not set up".to_owned(),
    };
    let link = harmless::line(&view::link_for_people(&status.link, time::now()));
    let profile =
        if status.profile.is_empty() { String::new() } else { format!(", profile {}", status.profile) };
    let lines = [
        ("user", user),
        ("identity", identity(status.lock)),
        ("link", link),
        (
            "requests",
            format!(
                "{}, policy {}",
                view::reachability_word(status.reachability),
                view::policy_word(status.policy)
            ),
        ),
        ("daemon", format!("secchatd {}, pid {}{profile}", harmless::line(&status.version), status.pid)),
    ];
    let mut page = String::new();
    for (name, value) in lines {
        page += &format!("{}{value}\n", output.styled(Style::Bold, &format!("{name:<10}")));
    }
    if quiet.on {
        let (arrow, quiet) = (output.styled(Style::Yellow, "→"), view::quiet_for_people(quiet));
        page += &format!("{arrow} {quiet}; `secchatctl dnd off` ends it\n");
    }
    for hint in hints(status) {
        page += &format!("{} {}\n", output.styled(Style::Yellow, "→"), harmless::line(&hint));
    }
    page
}

fn identity(lock: LockState) -> String {
    match view::reachable_until(lock) {
        Some(until) => format!("locked; requests arrive until {}", time::local(until)),
        None => view::lock_word(lock).to_owned(),
    }
}

/// What the daemon says is missing; where it says nothing, what its state says.
fn hints(status: &Status) -> Vec<String> {
    if !status.hints.is_empty() {
        return status.hints.clone();
    }
    let own = if status.user.is_none() {
        Some("set up this profile: `secchatctl init`")
    } else if status.lock == LockState::Locked {
        Some("unlock the identity key: `secchatctl unlock`")
    } else if matches!(status.lock, LockState::Reachable { .. }) {
        Some("answer requests and talk: `secchatctl unlock`")
    } else if matches!(status.link, LinkState::LoggedOut) {
        Some("log in: `secchatctl login`")
    } else {
        None
    };
    own.into_iter().map(str::to_owned).collect()
}
