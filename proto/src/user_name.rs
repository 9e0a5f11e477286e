//! A user's name, parsed once and then trusted.

use std::sync::Arc;

use crate::error::{Error, Malformed};
use crate::limits::MAX_USER_NAME_BYTES;

/// A user's name: 1 to 32 bytes of `a-z 0-9 . _ -`, the first a letter or a digit (PROTOCOL.md §1).
/// Cheap to clone; ordered bytewise.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UserName(Arc<str>);

impl UserName {
    /// Parses a name.
    ///
    /// # Errors
    /// [`Malformed::UserName`] when `bytes` is not a name.
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        let fits = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        let first_fits = bytes.first().is_some_and(fits);
        let all_fit = bytes.iter().all(|b| fits(b) || matches!(b, b'.' | b'_' | b'-'));
        match std::str::from_utf8(bytes) {
            Ok(text) if first_fits && all_fit && bytes.len() <= MAX_USER_NAME_BYTES => Ok(Self(text.into())),
            Ok(_) | Err(_) => Err(Error::Malformed(Malformed::UserName)),
        }
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name as bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl std::fmt::Display for UserName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(&self.0)
    }
}

impl std::fmt::Debug for UserName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Debug::fmt(&self.0, f)
    }
}

impl std::str::FromStr for UserName {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self, Error> {
        Self::parse(text.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::UserName;

    #[test]
    fn takes_names_and_nothing_else() {
        for good in ["a", "0", "alice", "a.b_c-d", &"x".repeat(32)] {
            assert!(UserName::parse(good.as_bytes()).is_ok(), "{good}");
        }
        let long = "x".repeat(33);
        for bad in
            ["", ".a", "-a", "_", "Alice", "a/b", "../a", "a b", "a\0", "é", "a\u{202e}", long.as_str()]
        {
            assert!(UserName::parse(bad.as_bytes()).is_err(), "{bad:?}");
        }
    }
}
