//! `send`: one text, from the command line, standard input or an editor; done when the peer's daemon has it.

use std::io::{Read as _, Write as _};
use std::path::Path;

use secchat_ipc::codec::MAX_TEXT_BYTES;
use secchat_ipc::paths::create_private_folder;
use secchat_ipc::types::ChatState;
use secchat_ipc::{Client, ClientError, Command, CommandError, Reply, UserName};
use serde_json::json;

use super::outbox::{self, Leave};
use super::rtt;
use crate::cli::{SendArgs, TermsArgs};
use crate::failure::Failure;
use crate::session::Session;

pub(super) async fn run(session: &Session, args: SendArgs) -> Result<(), Failure> {
    let peer = args.user;
    let text = match args.text.as_slice() {
        _ if args.edit => from_editor(session, &peer)?,
        [dash] if dash == "-" => from_input(std::io::stdin().lock())?,
        words => words.join(" "),
    };
    let text = checked(text)?;
    let mut client = session.connect().await?;
    if args.queue {
        let leave = Leave { peer, text, lifetime: args.lifetime, ask: args.request, wait: args.wait };
        return outbox::leave(session, client, leave).await;
    }
    if args.request && !is_open(session, &mut client, &peer).await? {
        let terms = rtt::proposed(TermsArgs { duration: None, history: None });
        rtt::ask(session, &mut client, &peer, terms).await?;
    }
    let command = Command::Send { peer: peer.clone(), text };
    let answer = client.call(command, session.limit()).await.map_err(|error| unsent(&peer, error))?;
    let Reply::Delivered { chat_id, id } = answer else {
        return Err(Failure::unfit_reply());
    };
    let value = json!({
        "peer": peer.as_str(),
        "chat": chat_id.to_string(),
        "id": id.to_string(),
        "delivered": true,
    });
    session.output.detail(&format!("{peer}'s daemon has the text"));
    session.output.data(value, |_| String::new())
}

/// Whether there is a chat that goes on, open or interrupted.
pub(super) async fn is_open(
    session: &Session,
    client: &mut Client,
    peer: &UserName,
) -> Result<bool, Failure> {
    let Reply::Chats(chats) = client.call(Command::Chats, session.limit()).await? else {
        return Err(Failure::unfit_reply());
    };
    Ok(chats.iter().any(|chat| chat.peer == *peer && chat.state != ChatState::Closing))
}

/// Why a text is not known to have arrived.
pub(super) fn unsent(peer: &UserName, error: ClientError) -> Failure {
    if let ClientError::Command(CommandError::TimedOut) = error {
        return Failure::timed_out(format!(
            "{peer}'s daemon has not acknowledged the text in time: {peer} may be away or have a full inbox, and may have the text or not"
        ));
    }
    error.into()
}

/// A text that may be sent: not empty, not too long.
pub(super) fn checked(text: String) -> Result<String, Failure> {
    if text.is_empty() {
        return Err(Failure::usage("the text is empty"));
    }
    if text.len() > MAX_TEXT_BYTES {
        return Err(Failure::usage(format!(
            "the text has {} bytes, where {} is the most: send it in parts",
            grouped(text.len()),
            grouped(MAX_TEXT_BYTES)
        )));
    }
    Ok(text)
}

/// A number for people: `32,768`.
pub(super) fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && digits.len().saturating_sub(at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// The whole input, without a newline at its end.
fn from_input(input: impl std::io::Read) -> Result<String, Failure> {
    let most = u64::try_from(MAX_TEXT_BYTES).unwrap_or(u64::MAX).saturating_add(2);
    let mut bytes = Vec::new();
    input
        .take(most)
        .read_to_end(&mut bytes)
        .map_err(|error| Failure::failed(format!("cannot read standard input: {error}")))?;
    if bytes.last() == Some(&b'\n') {
        bytes.pop();
    }
    if bytes.len() > MAX_TEXT_BYTES {
        // Before the check for UTF-8: the cut may have split a character.
        return Err(Failure::usage(format!(
            "standard input has more than the {} bytes of one text: send it in parts",
            grouped(MAX_TEXT_BYTES)
        )));
    }
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        Failure::usage(format!("standard input is not UTF-8 (byte {})", at.saturating_add(1)))
    })
}

/// What the person wrote in an editor, in a private file that is gone afterwards.
fn from_editor(session: &Session, peer: &UserName) -> Result<String, Failure> {
    if !session.may_ask() {
        return Err(Failure::usage("--edit needs a terminal"));
    }
    let folder = session.paths.runtime_folder();
    create_private_folder(folder).map_err(|error| Failure::file("make the folder", folder, &error))?;
    let file = tempfile::Builder::new()
        .prefix(&format!("to-{peer}-"))
        .suffix(".txt")
        .tempfile_in(folder)
        .map_err(|error| Failure::file("make a file in", folder, &error))?;
    edit(file.path())?;
    // By its name: editors write a new file in the old one's place.
    let written =
        std::fs::File::open(file.path()).map_err(|error| Failure::file("read", file.path(), &error))?;
    from_input(written)
}

fn edit(file: &Path) -> Result<(), Failure> {
    let variable = |name| std::env::var(name).ok().filter(|value| !value.trim().is_empty());
    let editor = variable("VISUAL").or_else(|| variable("EDITOR")).unwrap_or_else(|| "vi".to_owned());
    // What git does: the variable is a shell command, the file its argument.
    let status = std::process::Command::new("sh")
        .args(["-c", &format!("{editor} \"$@\""), "sh"])
        .arg(file)
        .status()
        .map_err(|error| Failure::failed(format!("cannot run the editor {editor:?}: {error}")))?;
    // A program that draws on the terminal may leave half a line.
    let _ = std::io::stderr().flush();
    if status.success() {
        Ok(())
    } else {
        Err(Failure::failed(format!("nothing was sent: the editor {editor:?} ended with {status}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped() {
        for (number, text) in
            [(0, "0"), (999, "999"), (1_000, "1,000"), (32_768, "32,768"), (1_234_567, "1,234,567")]
        {
            assert_eq!(grouped(number), text);
        }
    }

    #[test]
    fn the_input_is_one_text() {
        assert_eq!(from_input(&b"one\ntwo\n"[..]).unwrap(), "one\ntwo");
        assert_eq!(from_input(&b"one\n\n"[..]).unwrap(), "one\n");
        assert_eq!(from_input("zażółć".as_bytes()).unwrap(), "zażółć");
        assert_eq!(checked(from_input(&b"\n"[..]).unwrap()).unwrap_err().message, "the text is empty");
    }

    #[test]
    fn characters_may_be_split_across_reads() {
        struct OneByte<'a>(&'a [u8]);
        impl std::io::Read for OneByte<'_> {
            fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
                let Some((first, rest)) = self.0.split_first() else { return Ok(0) };
                self.0 = rest;
                buffer[0] = *first;
                Ok(1)
            }
        }
        assert_eq!(from_input(OneByte("żółw 👩\u{200d}💻".as_bytes())).unwrap(), "żółw 👩\u{200d}💻");
    }

    #[test]
    fn the_longest_text_passes_and_one_byte_more_does_not() {
        let longest = "x".repeat(MAX_TEXT_BYTES);
        assert_eq!(from_input(longest.as_bytes()).unwrap(), longest);
        assert_eq!(from_input(format!("{longest}\n").as_bytes()).unwrap(), longest);
        let error = from_input(format!("{longest}xx").as_bytes()).unwrap_err();
        assert!(error.message.contains("32,768"), "{}", error.message);
        assert!(from_input(format!("{longest}x").as_bytes()).is_err());
        let error = checked(format!("{longest}x")).unwrap_err();
        assert!(error.message.contains("32,769") && error.message.contains("32,768"), "{}", error.message);
    }

    #[test]
    fn invalid_utf_8_is_named_by_its_place() {
        let error = from_input(&b"ab\xffc"[..]).unwrap_err();
        assert!(error.message.contains("byte 3"), "{}", error.message);
    }
}
