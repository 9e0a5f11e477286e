//! A passphrase from a pinentry: gpg's dialog, which every desktop and every terminal has one of.

use std::path::Path;

use pinentry::PassphraseInput;
use secrecy::ExposeSecret as _;
use zeroize::Zeroizing;

/// Whether a program is to be spoken to as a pinentry: its file's name begins so. Any other is an askpass program.
#[must_use]
pub fn is_pinentry(program: &Path) -> bool {
    program.file_name().is_some_and(|name| name.to_string_lossy().starts_with("pinentry"))
}

/// Asks a person. Blocks until they answer, for ten minutes at most. `error` says what was wrong with the last answer.
///
/// # Errors
/// [`PinentryError`].
pub fn ask(program: &Path, question: &str, error: Option<&str>) -> Result<Zeroizing<String>, PinentryError> {
    let question = bounded(question);
    let mut input = PassphraseInput::with_binary(program).ok_or(PinentryError::NoProgram)?;
    input
        .with_title("secchat")
        .with_description(&question)
        .with_prompt("Passphrase:")
        .with_timeout(TIMEOUT_SECONDS);
    if let Some(error) = error {
        input.with_error(error);
    }
    match input.interact() {
        Ok(answer) => Ok(Zeroizing::new(answer.expose_secret().to_owned())),
        Err(pinentry::Error::Cancelled) => Err(PinentryError::Cancelled),
        Err(pinentry::Error::Timeout) => Err(PinentryError::TimedOut),
        Err(error) => Err(PinentryError::Failed { why: error.to_string() }),
    }
}

/// Why there is no passphrase.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PinentryError {
    /// There is no such program.
    #[error("there is no such program")]
    NoProgram,
    /// The person gave none.
    #[error("cancelled")]
    Cancelled,
    /// Nobody answered.
    #[error("nobody answered within {} min", TIMEOUT_SECONDS / 60)]
    TimedOut,
    /// The program does not do what a pinentry does.
    #[error("it does not work as a pinentry: {why}")]
    Failed {
        /// Its own word for it.
        why: String,
    },
}

/// A line of Assuan has at most 1,000 bytes, and some are escaped to three.
fn bounded(text: &str) -> String {
    text.chars().take(MAX_QUESTION_CHARACTERS).collect()
}

const MAX_QUESTION_CHARACTERS: usize = 200;
const TIMEOUT_SECONDS: u16 = 600;
