//! Where the passphrase of a CA's key comes from: a file descriptor or the terminal. Never from an argument or the
//! environment, which others can see.

use std::io;

use secchat_ipc::passphrase::{PassphraseLineError, first_line, open_descriptor};
use secchat_ipc::terminal::ask_passphrase;
use zeroize::Zeroizing;

/// Why there is no passphrase.
#[derive(Debug, thiserror::Error)]
pub enum PassphraseError {
    /// The descriptor cannot be opened.
    #[error("--passphrase-fd {descriptor}: {error}; open it, as in `--passphrase-fd 3 3< FILE`")]
    Descriptor {
        /// Which.
        descriptor: u32,
        /// Why not.
        error: io::Error,
    },
    /// Its first line is no passphrase.
    #[error("--passphrase-fd {descriptor}: {error}")]
    Line {
        /// Which descriptor.
        descriptor: u32,
        /// What is wrong.
        error: PassphraseLineError,
    },
    /// Nobody can be asked.
    #[error("cannot ask for the passphrase on a terminal: {0}; run this on one, or give --passphrase-fd FD")]
    Terminal(io::Error),
}

/// Reads the first line from a descriptor that this process was started with, or asks on the terminal.
///
/// # Errors
/// [`PassphraseError`].
pub(crate) fn read(descriptor: Option<u32>, question: &str) -> Result<Zeroizing<String>, PassphraseError> {
    let Some(descriptor) = descriptor else {
        return ask_passphrase(question).map_err(PassphraseError::Terminal);
    };
    let file =
        open_descriptor(descriptor).map_err(|error| PassphraseError::Descriptor { descriptor, error })?;
    first_line(file).map_err(|error| PassphraseError::Line { descriptor, error })
}
