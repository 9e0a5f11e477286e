//! A passphrase from outside, for the daemon and every frontend alike: the first line of a descriptor, a file or a
//! program's answer. Never from an argument or the environment, which others can see.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsFd as _;

use zeroize::Zeroizing;

/// Bytes of a passphrase at most: OpenSSL's buffer for one (`PEM_BUFSIZE`).
pub const MAX_PASSPHRASE_BYTES: usize = 1_024;

/// Why there is no passphrase.
#[derive(Debug, thiserror::Error)]
pub enum PassphraseLineError {
    /// It cannot be read.
    #[error("cannot read the passphrase: {0}")]
    Unreadable(#[from] io::Error),
    /// It is too long.
    #[error("a passphrase has at most {MAX_PASSPHRASE_BYTES} bytes")]
    TooLong,
    /// It is no text.
    #[error("the passphrase is not UTF-8")]
    NotUtf8,
}

/// Opens a file descriptor that this process was started with: `--passphrase-fd`.
///
/// # Errors
/// When there is no such descriptor, or it cannot be opened.
pub fn open_descriptor(descriptor: u32) -> io::Result<File> {
    if descriptor == 0 {
        // The same open file, not the one of that name: a socket cannot be opened anew, nor can a file that only
        // whoever started this process may open. And without a buffer, which would swallow what is behind the line.
        return Ok(File::from(io::stdin().as_fd().try_clone_to_owned()?));
    }
    // Safe Rust cannot own a number; the kernel's name for it can be opened.
    File::open(format!("/proc/self/fd/{descriptor}"))
}

/// The first line of `source`, without its end (`\n` or `\r\n`). What is behind it stays unread.
///
/// # Errors
/// [`PassphraseLineError`].
pub fn first_line(source: impl Read) -> Result<Zeroizing<String>, PassphraseLineError> {
    // Sized first: a growing buffer leaves copies behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(LINE_BYTES));
    let mut source = source.take(u64::try_from(LINE_BYTES).unwrap_or(u64::MAX));
    let mut buffer = Zeroizing::new([0; 1]);
    loop {
        match source.read(buffer.as_mut_slice()) {
            Ok(0) => break,
            Ok(_) if buffer.as_slice() == b"\n" => break,
            Ok(_) => bytes.extend_from_slice(buffer.as_slice()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
    let line = bytes.strip_suffix(b"\r").unwrap_or(&bytes);
    if line.len() > MAX_PASSPHRASE_BYTES {
        return Err(PassphraseLineError::TooLong);
    }
    let text = std::str::from_utf8(line).map_err(|_| PassphraseLineError::NotUtf8)?;
    Ok(Zeroizing::new(text.to_owned()))
}

/// Bytes of a line at most: a passphrase and its end.
const LINE_BYTES: usize = MAX_PASSPHRASE_BYTES + 2;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_passphrase_is_the_first_line() {
        for (input, expected) in [
            ("", ""),
            ("x", "x"),
            ("a b \nrest", "a b "),
            ("x\r\nrest", "x"),
            ("x\r", "x"),
            ("x\r\r\n", "x\r"),
            ("\n", ""),
            ("ż\n", "ż"),
        ] {
            assert_eq!(*first_line(input.as_bytes()).unwrap(), expected, "{input:?}");
        }
    }

    #[test]
    fn it_has_a_bound_and_is_text() {
        let longest = "x".repeat(MAX_PASSPHRASE_BYTES);
        for end in ["", "\n", "\r\n"] {
            assert_eq!(*first_line(format!("{longest}{end}").as_bytes()).unwrap(), longest, "{end:?}");
            let longer = first_line(format!("{longest}x{end}").as_bytes());
            assert!(matches!(longer, Err(PassphraseLineError::TooLong)), "{end:?}");
        }
        assert!(matches!(first_line(io::repeat(b'x')), Err(PassphraseLineError::TooLong)));
        assert!(matches!(first_line(&[0xff, b'\n'][..]), Err(PassphraseLineError::NotUtf8)));
    }

    #[test]
    fn what_is_behind_the_line_stays() {
        let mut source = &b"sesame\nmore"[..];
        assert_eq!(*first_line(&mut source).unwrap(), "sesame");
        assert_eq!(source, b"more");
    }

    #[test]
    fn a_descriptor_that_is_none_is_told() {
        assert_eq!(open_descriptor(4_000_000).unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
