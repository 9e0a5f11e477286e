//! `dnd`: whether frontends keep quiet, and in which hours.

use secchat_ipc::types::QuietChange;
use secchat_ipc::{Command, Reply};

use crate::cli::{DndArgs, DndWord, HoursWord};
use crate::failure::Failure;
use crate::session::Session;
use crate::view;

pub(super) async fn run(session: &Session, args: DndArgs) -> Result<(), Failure> {
    let changes = changes(&args)?;
    for change in &changes {
        session.done(Command::SetDoNotDisturb(*change)).await?;
    }
    let Reply::DoNotDisturb(state) = session.call(Command::DoNotDisturb).await? else {
        return Err(Failure::unfit_reply());
    };
    let (value, line) = (view::do_not_disturb(state), view::quiet_for_people(state));
    if changes.is_empty() {
        session.output.data(value, |_| format!("{line}\n"))
    } else {
        session.told(value, &line)
    }
}

fn changes(args: &DndArgs) -> Result<Vec<QuietChange>, Failure> {
    let mut changes = Vec::new();
    if let Some(hours) = args.between {
        changes.push(match hours {
            HoursWord::Hours(hours) => QuietChange::Hours(Some(hours)),
            HoursWord::None => QuietChange::Hours(None),
            HoursWord::Default => QuietChange::HoursAsConfigured,
        });
    }
    match (args.word, args.duration) {
        (None, None) => {}
        (Some(DndWord::Off), None) => changes.push(QuietChange::Off),
        (Some(DndWord::Off), Some(_)) => return Err(Failure::usage("--for goes with on, not with off")),
        (Some(DndWord::On), None) => changes.push(QuietChange::On { seconds: 0 }),
        (Some(DndWord::On) | None, Some(duration)) => {
            let seconds = u32::try_from(duration.as_secs().max(1)).unwrap_or(u32::MAX);
            changes.push(QuietChange::On { seconds });
        }
    }
    Ok(changes)
}
