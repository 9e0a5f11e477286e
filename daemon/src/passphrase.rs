//! Where a passphrase comes from when the daemon starts: a file descriptor, a systemd credential, or a program that
//! asks a person. Never from an argument or the environment, which others can see.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use secchat_ipc::passphrase::{self, MAX_PASSPHRASE_BYTES, PassphraseLineError};
use secchat_ipc::pinentry::{self, PinentryError};
use tokio::io::AsyncReadExt as _;
use zeroize::Zeroizing;

/// Why there is no passphrase.
#[derive(Debug, thiserror::Error)]
pub enum PassphraseError {
    /// It cannot be read.
    #[error("cannot read the passphrase from {from}: {source}")]
    Unreadable {
        /// Which descriptor or file.
        from: String,
        /// Why.
        source: io::Error,
    },
    /// It has no fit length or encoding.
    #[error("the passphrase from {from} is not one line of UTF-8 with at most {MAX_PASSPHRASE_BYTES} bytes")]
    Unfit {
        /// Which descriptor, file or program.
        from: String,
    },
    /// The program cannot be run.
    #[error("cannot run {}, the `askpass` of config.toml: {source}", program.display())]
    NoProgram {
        /// Which.
        program: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The person gave none.
    #[error("{} gave no passphrase", program.display())]
    Declined {
        /// Which program.
        program: PathBuf,
    },
}

/// Reads the first line from a file descriptor that this process was started with: `--passphrase-fd`.
///
/// # Errors
/// [`PassphraseError`].
pub fn from_descriptor(descriptor: u32) -> Result<Zeroizing<String>, PassphraseError> {
    let from = format!("file descriptor {descriptor}");
    match passphrase::open_descriptor(descriptor) {
        Ok(file) => first_line(file, from),
        Err(source) => Err(PassphraseError::Unreadable { from, source }),
    }
}

/// Reads the first two lines from such a file descriptor.
///
/// # Errors
/// [`PassphraseError`].
pub fn two_from_descriptor(descriptor: u32) -> Result<[Zeroizing<String>; 2], PassphraseError> {
    let from = format!("file descriptor {descriptor}");
    match passphrase::open_descriptor(descriptor) {
        Ok(file) => Ok([first_line(&file, from.clone())?, first_line(&file, from)?]),
        Err(source) => Err(PassphraseError::Unreadable { from, source }),
    }
}

/// Reads systemd's credential `passphrase`, if one was given to this service.
///
/// # Errors
/// [`PassphraseError`].
pub fn from_credential() -> Result<Option<Zeroizing<String>>, PassphraseError> {
    match std::env::var_os("CREDENTIALS_DIRECTORY") {
        Some(folder) if !folder.is_empty() => from_credential_in(Path::new(&folder)),
        Some(_) | None => Ok(None),
    }
}

fn from_credential_in(folder: &Path) -> Result<Option<Zeroizing<String>>, PassphraseError> {
    let path = folder.join("passphrase");
    let from = path.display().to_string();
    match File::open(&path) {
        Ok(file) => first_line(file, from).map(Some),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(PassphraseError::Unreadable { from, source }),
    }
}

async fn from_pinentry(program: PathBuf, prompt: String) -> Result<Zeroizing<String>, PassphraseError> {
    let asked = program.clone();
    let answer = tokio::task::spawn_blocking(move || pinentry::ask(&asked, &prompt, None)).await;
    match answer {
        Ok(Ok(passphrase)) => Ok(passphrase),
        Ok(Err(PinentryError::Cancelled | PinentryError::TimedOut)) => {
            Err(PassphraseError::Declined { program })
        }
        Ok(Err(error)) => Err(PassphraseError::NoProgram { program, source: io::Error::other(error) }),
        Err(error) => Err(PassphraseError::NoProgram { program, source: error.into() }),
    }
}

/// Asks a person by a program: the prompt is its argument, the answer its output; a pinentry is spoken to as gpg does.
///
/// # Errors
/// [`PassphraseError`]. Cancelled, it ends the program.
pub async fn from_program(program: &Path, prompt: &str) -> Result<Zeroizing<String>, PassphraseError> {
    if pinentry::is_pinentry(program) {
        return from_pinentry(program.to_owned(), prompt.to_owned()).await;
    }
    let failed = |source| PassphraseError::NoProgram { program: program.to_owned(), source };
    let declined = || PassphraseError::Declined { program: program.to_owned() };
    let mut child = tokio::process::Command::new(program)
        .arg(prompt)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(failed)?;
    let mut answer = Zeroizing::new(Vec::with_capacity(ANSWER_BYTES));
    let asking = async {
        if let Some(output) = child.stdout.take() {
            // Closed behind the limit, so that a program that never ends its answer gets an error and ends.
            output.take(ANSWER_BYTES as u64).read_to_end(&mut answer).await?;
        }
        child.wait().await
    };
    match tokio::time::timeout(PATIENCE, asking).await {
        Ok(Ok(status)) if status.success() => {}
        Ok(Ok(_)) | Err(_) => return Err(declined()),
        Ok(Err(source)) => return Err(failed(source)),
    }
    first_line(answer.as_slice(), program.display().to_string())
}

fn first_line(input: impl Read, from: String) -> Result<Zeroizing<String>, PassphraseError> {
    passphrase::first_line(input).map_err(|error| match error {
        PassphraseLineError::Unreadable(source) => PassphraseError::Unreadable { from, source },
        PassphraseLineError::TooLong | PassphraseLineError::NotUtf8 => PassphraseError::Unfit { from },
    })
}

/// Bytes read of a program's answer at most: a passphrase, and enough to see that it is too long.
const ANSWER_BYTES: usize = 2 * MAX_PASSPHRASE_BYTES;
/// How long a person may take to type.
const PATIENCE: Duration = Duration::from_secs(300);

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::permissions::private_tempdir;

    #[test]
    fn a_line_that_does_not_fit_names_its_source() {
        let error = first_line(&[b'x'; MAX_PASSPHRASE_BYTES + 1][..], "there".to_owned()).unwrap_err();
        assert!(matches!(&error, PassphraseError::Unfit { from } if from == "there"), "{error}");
        let error = first_line(&[0xff][..], "there".to_owned()).unwrap_err();
        assert!(matches!(error, PassphraseError::Unfit { .. }), "{error}");
    }

    #[test]
    fn a_credential_is_optional() {
        let folder = private_tempdir();
        assert!(from_credential_in(folder.path()).unwrap().is_none());
        std::fs::write(folder.path().join("passphrase"), "sesame\n").unwrap();
        assert_eq!(from_credential_in(folder.path()).unwrap().unwrap().as_str(), "sesame");
    }

    fn script(folder: &Path, text: &str) -> PathBuf {
        let path = folder.join("ask");
        // Written elsewhere and moved: a file that is open for writing cannot be run.
        let draft = folder.join("draft");
        std::fs::write(&draft, format!("#!/bin/sh\n{text}\n")).unwrap();
        std::fs::set_permissions(&draft, std::fs::Permissions::from_mode(0o700)).unwrap();
        std::fs::rename(&draft, &path).unwrap();
        path
    }

    #[tokio::test]
    async fn a_program_is_asked_with_the_prompt() {
        let folder = private_tempdir();
        let echo = script(folder.path(), "printf '%s\\n' \"$1\"");
        assert_eq!(from_program(&echo, "two words").await.unwrap().as_str(), "two words");
        let refuse = script(folder.path(), "echo sesame; exit 1");
        let error = from_program(&refuse, "p").await.unwrap_err();
        assert!(matches!(error, PassphraseError::Declined { .. }), "{error}");
        let endless = script(folder.path(), "exec yes");
        let error = from_program(&endless, "p").await.unwrap_err();
        assert!(matches!(error, PassphraseError::Declined { .. }), "{error}");
        let none = from_program(&folder.path().join("none"), "p").await.unwrap_err();
        assert!(none.to_string().contains("askpass"), "{none}");
    }
}
