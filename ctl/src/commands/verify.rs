//! `verify`: shows the safety number and confirms it. `forget`: drops a pin.

use std::io::Read as _;

use secchat_ipc::types::KeyTrust;
use secchat_ipc::{Client, Command, CommandError, Reply, UserName};
use serde_json::json;

use crate::cli::{ForgetArgs, VerifyArgs};
use crate::failure::Failure;
use crate::output::Style;
use crate::session::Session;
use crate::{harmless, prompt, safety_number, view};

/// Twenty words of at most eight letters, and room for blanks.
const MAX_NUMBER_BYTES: u64 = 1024;

pub(super) async fn run(session: &Session, args: VerifyArgs) -> Result<(), Failure> {
    let peer = args.user;
    let mut client = session.connect().await?;
    if let Some(number) = args.expect {
        let number = expected(number)?;
        return confirm(session, &mut client, peer, number).await;
    }
    let Reply::SafetyNumber { number, trust, offered } =
        client.call(Command::SafetyNumber { peer: peer.clone() }, session.limit()).await?
    else {
        return Err(Failure::unfit_reply());
    };
    let value = json!({
        "peer": peer.as_str(),
        "safety_number": number,
        "words": safety_number::words(&number),
        "trust": view::trust_word(trust),
        "offered_safety_number": offered,
    });
    let looks = Looks { words: args.words, qr: args.qr };
    session.output.data(value, |output| looks.show(&number, |code| output.styled(Style::Code, code)))?;
    let shown = match &offered {
        Some(offered) => {
            let word = if trust == KeyTrust::Vouched { VOUCHED } else { "" };
            session.output.warn(&format!(
                "{peer}'s key changed.{word} The number above is of the old key; for the key that the relay offers now it is\n{}It is {peer}'s only if {peer} sees the same number.",
                looks.show(offered, str::to_owned)
            ));
            offered
        }
        None => &number,
    };
    if trust == KeyTrust::Verified {
        session.output.note("verified before");
        return Ok(());
    }
    if trust == KeyTrust::Followed {
        session.output.note(&format!(
            "{peer} has a new key, which the one that you verified vouches for; its own number was not compared yet"
        ));
    }
    let asks = session.may_ask() && session.output.is_terminal() && !session.output.is_json();
    if asks && prompt::yes(&format!("Does {peer} see the same number (compare it by voice or in person)?"))? {
        return confirm(session, &mut client, peer, shown.clone()).await;
    }
    if trust.is_changed() {
        return Err(CommandError::KeyChanged { peer }.into());
    }
    session.output.note(&format!(
        "compare it with what {peer} sees, by voice or in person, then: secchatctl verify {peer} --expect NUMBER"
    ));
    Ok(())
}

pub(super) async fn forget(session: &Session, args: ForgetArgs) -> Result<(), Failure> {
    let peer = args.peer.user;
    if !args.yes {
        if !session.may_ask() {
            return Err(Failure::usage(format!(
                "forgetting {peer} drops the pinned key and ends the chats under it: say --yes"
            )));
        }
        let question = format!("Forget {peer}'s key, and end the chats under it?");
        if !prompt::yes(&question)? {
            return Err(Failure::failed(format!("{peer} is not forgotten")));
        }
    }
    session.done(Command::Forget { peer: peer.clone() }).await?;
    let value = json!({ "peer": peer.as_str(), "forgotten": true });
    session.told(value, &format!("{peer}'s key is forgotten: the next one seen is taken as {peer}'s"))
}

/// How a person wants to see a number.
#[derive(Clone, Copy, Debug)]
struct Looks {
    words: bool,
    qr: bool,
}

impl Looks {
    fn show(self, number: &str, paint: impl Fn(&str) -> String) -> String {
        let words = if self.words { safety_number::words(number) } else { None };
        let mut shown = words.map_or_else(|| harmless::line(number), |rows| rows.join("\n"));
        shown.push('\n');
        if self.qr {
            for row in safety_number::qr(number).iter().flat_map(|code| code.lines()) {
                shown.push_str(&paint(row));
                shown.push('\n');
            }
        }
        shown
    }
}

/// What is said of a changed key when the pinned one signed for it.
const VOUCHED: &str =
    " The old key has signed for the new one: so it is from whoever has the old key, lost or stolen.";

/// The digits that a person gave, or a scanner.
fn expected(number: String) -> Result<String, Failure> {
    let number = if number == "-" { from_input()? } else { number };
    safety_number::from_person(&number).map_err(Failure::usage)
}

fn from_input() -> Result<String, Failure> {
    let mut text = String::new();
    std::io::stdin()
        .lock()
        .take(MAX_NUMBER_BYTES)
        .read_to_string(&mut text)
        .map_err(|error| Failure::failed(format!("cannot read the number from standard input: {error}")))?;
    Ok(text)
}

async fn confirm(
    session: &Session,
    client: &mut Client,
    peer: UserName,
    number: String,
) -> Result<(), Failure> {
    let command = Command::ConfirmSafetyNumber { peer: peer.clone(), number };
    let Reply::Done = client.call(command, session.limit()).await? else {
        return Err(Failure::unfit_reply());
    };
    let value = json!({ "peer": peer.as_str(), "trust": "verified" });
    session.told(value, &format!("{peer}'s key is verified"))
}
