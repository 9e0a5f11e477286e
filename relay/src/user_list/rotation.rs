//! A user's key that another has followed: until when it is taken beside the new one, and what both keys signed, for
//! the user's peers. On the user's line, after the key: `until=TIME SUCCESSION` (base64 of a chain of successions).

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use openssl::base64::encode_block;
use secchat_proto::UserName;
use secchat_proto::crypto::signature::PublicKey;
use secchat_proto::succession::{Chain, Succession};

use super::der_from_base64;

/// What a line says of the keys before the present one.
#[derive(Clone, Debug)]
pub struct Rotation {
    chain: Chain,
    encoded: Arc<[u8]>,
    until: u64,
}

/// What the list of users says of one of them, at one time.
#[derive(Clone, Debug)]
pub struct Registered {
    /// The user's key.
    pub key: PublicKey,
    /// The one before, as long as it is taken.
    pub old_key: Option<PublicKey>,
    /// What the keys before signed, for peers who know one of them.
    pub chain: Option<Arc<[u8]>>,
}

/// Why a rotation is not usable.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RotationFault {
    /// No time where one has to be.
    #[error("{0:?} is no time for the old key's end: write one like until=2027-01-30T12:00:00Z")]
    Until(String),
    /// No succession after the time.
    #[error("the succession is missing after until=TIME: `secchat-relay user rotate` writes both")]
    Missing,
    /// Not base64 of anything.
    #[error("the succession is not base64")]
    NotBase64,
    /// Not a succession.
    #[error(
        "the succession cannot be read ({0}); it is what `secchatctl keygen --rotate` made, whole and unchanged"
    )]
    Unreadable(secchat_proto::Error),
    /// Not signed by both keys.
    #[error("the succession is not signed by both keys for this user")]
    Unsigned,
    /// It leads to another key.
    #[error("the succession is of another key than the one on the list")]
    OtherKey,
}

impl RotationFault {
    /// What the operator can do, where there is something.
    pub(super) fn advice(&self) -> &'static str {
        match self {
            Self::OtherKey => {
                "; it has to begin at the key on the list: ask for the one that was made from that, or give the new key \
                 with `user add --replace`, as for a lost one"
            }
            Self::Until(_) | Self::Missing | Self::NotBase64 | Self::Unreadable(_) | Self::Unsigned => "",
        }
    }
}

impl Rotation {
    /// A rotation whose successions have been checked.
    fn new(chain: Chain, until: u64) -> Self {
        Self { encoded: chain.encode().into(), chain, until }
    }

    /// Adds a succession to what is on a line: from the key there, or once more the last one, with another end.
    ///
    /// # Errors
    /// [`RotationFault::Unsigned`], and [`RotationFault::OtherKey`] for one from another key.
    pub fn by(
        succession: Succession,
        (name, key): (&UserName, &PublicKey),
        before: Option<&Self>,
        until: u64,
    ) -> Result<Self, RotationFault> {
        succession.verify(name).map_err(|_| RotationFault::Unsigned)?;
        if let Some(before) = before.filter(|before| before.chain.successions().last() == Some(&succession)) {
            return Ok(Self::new(before.chain.clone(), until));
        }
        if succession.old != *key {
            return Err(RotationFault::OtherKey);
        }
        let chain = match before {
            Some(before) => before.chain.with(succession),
            None => Chain::new(vec![succession]),
        };
        Ok(Self::new(chain.map_err(RotationFault::Unreadable)?, until))
    }

    /// Reads what stands on a line after the key; `before` is what it most likely is.
    pub(super) fn parse(
        (until, chain): (&[u8], Option<&[u8]>),
        (name, key): (&UserName, &PublicKey),
        before: Option<&Arc<Self>>,
    ) -> Result<Arc<Self>, RotationFault> {
        let until = read_until(until)?;
        let chain = chain.ok_or(RotationFault::Missing)?;
        if let Some(before) = before.filter(|before| {
            before.until == until
                && before.new_key() == Some(key)
                && encode_block(&before.encoded).as_bytes() == chain
        }) {
            return Ok(Arc::clone(before));
        }
        let bytes = der_from_base64(chain).ok_or(RotationFault::NotBase64)?;
        let chain = Chain::decode(&bytes).map_err(RotationFault::Unreadable)?;
        if chain.newest() != Some(key) {
            return Err(RotationFault::OtherKey);
        }
        if chain.successions().iter().any(|succession| succession.verify(name).is_err()) {
            return Err(RotationFault::Unsigned);
        }
        Ok(Arc::new(Self::new(chain, until)))
    }

    /// Until when the old key is taken, in Unix seconds.
    #[must_use]
    pub fn until(&self) -> u64 {
        self.until
    }

    /// The key before the present one.
    #[must_use]
    pub fn old_key(&self) -> Option<&PublicKey> {
        self.chain.successions().last().map(|last| &last.old)
    }

    /// The present one.
    #[must_use]
    pub fn new_key(&self) -> Option<&PublicKey> {
        self.chain.newest()
    }

    /// How many keys before vouch for the present one.
    #[must_use]
    pub fn successions(&self) -> usize {
        self.chain.successions().len()
    }

    /// The successions, as peers get them.
    pub(super) fn encoded(&self) -> &Arc<[u8]> {
        &self.encoded
    }

    /// Whether the other says the same.
    pub(super) fn is_as(&self, other: &Self) -> bool {
        self.until == other.until && self.encoded == other.encoded
    }
}

/// As it stands on a line.
impl fmt::Display for Rotation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{UNTIL}{} {}", time(self.until), encode_block(&self.encoded))
    }
}

impl Registered {
    /// Whether the user may log in by this key.
    #[must_use]
    pub fn takes(&self, key: &PublicKey) -> bool {
        self.key == *key || self.old_key.as_ref() == Some(key)
    }

    /// What peers get with this key of the user's.
    #[must_use]
    pub fn chain_to(&self, key: &PublicKey) -> Option<Arc<[u8]>> {
        self.chain.clone().filter(|_| self.key == *key)
    }
}

/// A succession in base64, as `secchatctl keygen --rotate` writes it.
///
/// # Errors
/// [`RotationFault::NotBase64`], [`RotationFault::Unreadable`].
pub fn succession_from_base64(text: &[u8]) -> Result<Succession, RotationFault> {
    let bytes = der_from_base64(text.trim_ascii()).ok_or(RotationFault::NotBase64)?;
    Succession::decode(&bytes).map_err(RotationFault::Unreadable)
}

/// A time of a line, or for people: RFC 3339, UTC.
#[must_use]
pub fn time(unix: u64) -> String {
    let seconds = i64::try_from(unix).ok().and_then(|unix| Timestamp::from_second(unix).ok());
    seconds.unwrap_or(Timestamp::MAX).to_string()
}

fn read_until(word: &[u8]) -> Result<u64, RotationFault> {
    let text = String::from_utf8_lossy(word);
    let time = text.strip_prefix(UNTIL).and_then(|time| time.parse::<Timestamp>().ok());
    let unix = time.and_then(|time| u64::try_from(time.as_second()).ok());
    unix.ok_or_else(|| RotationFault::Until(text.into_owned()))
}

const UNTIL: &str = "until=";
