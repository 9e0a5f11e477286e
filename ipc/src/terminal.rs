//! A passphrase from the terminal.

use std::fs::{File, OpenOptions};
use std::io;

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

/// Asks on the controlling terminal, and shows nothing of the answer.
///
/// # Errors
/// When there is no terminal, it cannot be read, or the person pressed Ctrl-C.
pub fn ask_passphrase(question: &str) -> io::Result<Zeroizing<String>> {
    let _unechoed = Unechoed::new()?;
    rpassword::prompt_password(question).map(Zeroizing::new)
}

/// The terminal without echo, until dropped. `rpassword` asks first and stops the echo then: what is typed or pasted
/// between the two would show.
struct Unechoed {
    terminal: File,
    before: Termios,
}

impl Unechoed {
    fn new() -> io::Result<Self> {
        let terminal = OpenOptions::new().read(true).write(true).open("/dev/tty")?;
        let before = tcgetattr(&terminal)?;
        let mut unechoed = before.clone();
        unechoed.local_modes.remove(LocalModes::ECHO | LocalModes::ECHONL);
        tcsetattr(&terminal, OptionalActions::Now, &unechoed)?;
        Ok(Self { terminal, before })
    }
}

impl Drop for Unechoed {
    fn drop(&mut self) {
        // Without a terminal there is nothing left to restore.
        let _ = tcsetattr(&self.terminal, OptionalActions::Now, &self.before);
    }
}
