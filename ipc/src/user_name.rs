//! A user's name, checked once where it enters.

use serde::{Deserialize, Serialize};

/// A user's name: 1 to 32 bytes of `a-z 0-9 . _ -`, the first a letter or a digit (PROTOCOL.md §1).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct UserName(String);

impl UserName {
    /// Parses a name.
    ///
    /// # Errors
    /// [`InvalidUserName`] when `text` is not a name.
    pub fn parse(text: &str) -> Result<Self, InvalidUserName> {
        let bytes = text.as_bytes();
        let first_fits = bytes.first().is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        let all_fit = bytes
            .iter()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'_' | b'-'));
        if bytes.len() <= MAX_USER_NAME_BYTES && first_fits && all_fit {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidUserName)
        }
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for UserName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(&self.0)
    }
}

impl std::str::FromStr for UserName {
    type Err = InvalidUserName;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl TryFrom<String> for UserName {
    type Error = InvalidUserName;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl From<UserName> for String {
    fn from(name: UserName) -> Self {
        name.0
    }
}

/// The text is not a user's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a name is 1 to 32 characters of a-z 0-9 . _ - and starts with a letter or a digit")]
pub struct InvalidUserName;

const MAX_USER_NAME_BYTES: usize = 32;
