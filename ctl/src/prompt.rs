//! Questions on the terminal, and passphrases from there, a file descriptor or a program.

use std::io::{self, BufRead as _, Read as _, Write as _};
use std::path::Path;
use std::process::Stdio;

use secchat_ipc::passphrase::{self, PassphraseLineError};
use secchat_ipc::pinentry;
use secchat_ipc::terminal::ask_passphrase;
use secchat_ipc::types::Passphrase;

use crate::failure::Failure;

/// Asks for a line; an empty answer takes the default.
pub(crate) fn line(question: &str, default: Option<&str>) -> Result<String, Failure> {
    let shown = default.map(|text| format!(" [{text}]")).unwrap_or_default();
    let mut stderr = io::stderr().lock();
    let asked = write!(stderr, "{question}{shown}: ").and_then(|()| stderr.flush());
    asked.map_err(|error| Failure::failed(format!("cannot ask on the terminal: {error}")))?;
    let mut answer = String::new();
    let read = io::stdin().lock().take(MAX_ANSWER_BYTES).read_line(&mut answer);
    match read {
        Ok(0) => Err(Failure::usage("no answer: the input ended")),
        Ok(_) if answer.trim().is_empty() => Ok(default.unwrap_or_default().to_owned()),
        Ok(_) => Ok(answer.trim().to_owned()),
        Err(error) => Err(Failure::failed(format!("cannot read the answer: {error}"))),
    }
}

/// Asks a question that only `y` or `yes` answers with yes.
pub(crate) fn yes(question: &str) -> Result<bool, Failure> {
    let answer = line(&format!("{question} [y/N]"), None)?;
    Ok(matches!(answer.to_ascii_lowercase().as_str(), "y" | "yes"))
}

/// Asks for a passphrase on the terminal, without echo.
pub(crate) fn passphrase(question: &str) -> Result<Passphrase, Failure> {
    ask_passphrase(question)
        .map(Passphrase)
        .map_err(|error| Failure::failed(format!("cannot ask for the passphrase on the terminal: {error}")))
}

/// Asks twice for a new passphrase, until both are the same.
pub(crate) fn new_passphrase() -> Result<Passphrase, Failure> {
    for _ in 0..TRIES {
        let first = passphrase("New passphrase for the identity key: ")?;
        if first.0.is_empty() {
            return Err(Failure::usage("an empty passphrase: for a key without one say --no-passphrase"));
        }
        if passphrase("Again: ")? == first {
            return Ok(first);
        }
        let _ = writeln!(io::stderr(), "They differ.");
    }
    Err(Failure::usage("no passphrase was given twice alike"))
}

/// The first line behind a file descriptor.
pub(crate) fn passphrase_from_descriptor(descriptor: u32) -> Result<Passphrase, Failure> {
    let name = format!("--passphrase-fd {descriptor}");
    let opened = passphrase::open_descriptor(descriptor);
    let file =
        opened.map_err(|error| Failure::usage(format!("{name}: cannot read that descriptor: {error}")))?;
    first_line(file, &name)
}

/// The first two lines behind a file descriptor.
pub(crate) fn two_passphrases_from_descriptor(descriptor: u32) -> Result<[Passphrase; 2], Failure> {
    let name = format!("--passphrase-fd {descriptor}");
    let opened = passphrase::open_descriptor(descriptor);
    let file =
        opened.map_err(|error| Failure::usage(format!("{name}: cannot read that descriptor: {error}")))?;
    Ok([first_line(&file, &name)?, first_line(&file, &name)?])
}

/// What a person tells a pinentry; `error` is what was wrong before.
pub(crate) fn passphrase_from_pinentry(
    program: &Path,
    question: &str,
    error: Option<&str>,
) -> Result<Passphrase, Failure> {
    let question = question.trim_end_matches([':', ' ']);
    pinentry::ask(program, question, error)
        .map(Passphrase)
        .map_err(|error| Failure::failed(format!("{}: {error}", program.display())))
}

/// The first line that a program prints, given the question.
pub(crate) fn passphrase_from_program(program: &Path, question: &str) -> Result<Passphrase, Failure> {
    let mut child = std::process::Command::new(program)
        .arg(question)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| Failure::file("run", program, &error))?;
    let name = program.display().to_string();
    let answer = match child.stdout.take() {
        Some(stdout) => first_line(stdout, &name),
        None => Err(Failure::failed(format!("{name} has no output"))),
    };
    let status = child.wait().map_err(|error| Failure::file("wait for", program, &error))?;
    if status.success() { answer } else { Err(Failure::failed(format!("{name}: cancelled ({status})"))) }
}

fn first_line(source: impl io::Read, name: &str) -> Result<Passphrase, Failure> {
    passphrase::first_line(source).map(Passphrase).map_err(|error| {
        let message = format!("{name}: {error}");
        match error {
            PassphraseLineError::Unreadable(_) => Failure::failed(message),
            PassphraseLineError::TooLong | PassphraseLineError::NotUtf8 => Failure::usage(message),
        }
    })
}

/// How often a person may mistype.
pub(crate) const TRIES: u32 = 3;

/// Bytes of an answer to a question at most; a path fits.
const MAX_ANSWER_BYTES: u64 = 8_192;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_passphrase_that_does_not_fit_is_a_mistake_of_use() {
        let too_long = "x".repeat(passphrase::MAX_PASSPHRASE_BYTES + 1);
        let failure = first_line(too_long.as_bytes(), "fd").unwrap_err();
        assert!(
            failure.message.starts_with("fd: ") && failure.message.contains("1024"),
            "{}",
            failure.message
        );
        assert!(first_line(&[0xff, b'\n'][..], "fd").unwrap_err().message.contains("UTF-8"));
    }

    #[test]
    fn an_askpass_program_that_fails_is_a_cancel() {
        let error = passphrase_from_program(Path::new("/bin/false"), "?").unwrap_err();
        assert!(error.message.contains("cancelled"), "{}", error.message);
        let said = passphrase_from_program(Path::new("/bin/echo"), "the question").unwrap();
        assert_eq!(*said.0, "the question");
    }
}
