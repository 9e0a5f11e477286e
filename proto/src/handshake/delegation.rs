//! The key that keeps a locked daemon reachable: made and signed while the identity key is at hand, and good for a
//! login until its time is over (PROTOCOL.md §3, Delegation).

use crate::crypto::entropy::Entropy;
use crate::crypto::signature::SigningKey;
use crate::error::Rule;
use crate::limits::MAX_DELEGATION_SECONDS;
use crate::transcript::transcript_hash;
use crate::wire::login::Delegation;
use crate::wire::writer::Writer;
use crate::{Error, UserName};

/// A key that may log in for a user, and the user's word for it. For the memory only, never for a disk.
#[derive(Clone, Debug)]
pub struct DelegatedKey {
    pub(super) key: SigningKey,
    pub(super) delegation: Delegation,
}

impl DelegatedKey {
    /// Makes a key that the identity key delegates to until `not_after` (Unix seconds). Takes 32 bytes of entropy.
    ///
    /// # Errors
    /// [`Error::Crypto`].
    pub fn make(
        (user_name, identity): (&UserName, &SigningKey),
        not_after: u64,
        entropy: &mut dyn Entropy,
    ) -> Result<Self, Error> {
        let key = SigningKey::generate_ed25519(entropy)?;
        let delegate = key.public_key().clone();
        let mut delegation = Delegation { delegate, not_after, signature: Vec::new() };
        delegation.signature = identity.sign(DELEGATE_LABEL, &delegation.signed_hash(user_name))?;
        Ok(Self { key, delegation })
    }

    /// When it ends: Unix seconds.
    #[must_use]
    pub fn not_after(&self) -> u64 {
        self.delegation.not_after
    }
}

impl Delegation {
    /// Whether it holds now, and for no longer than a delegation may.
    pub(super) fn check_time(&self, unix_now: u64) -> Result<(), Error> {
        let latest = unix_now.saturating_add(MAX_DELEGATION_SECONDS);
        if unix_now < self.not_after && self.not_after <= latest {
            Ok(())
        } else {
            Err(Error::PeerMisbehaved(Rule::DelegationTime))
        }
    }

    /// `TH(name | v16(SPKI_D) | not_after)`: what the identity key signs.
    #[must_use]
    pub fn signed_hash(&self, user_name: &UserName) -> [u8; 32] {
        let mut signed = Vec::new();
        Writer::new(&mut signed).user_name(user_name).bytes(&self.encode_unsigned());
        transcript_hash(&[&signed])
    }
}

/// What the identity key's signature is for.
pub(super) const DELEGATE_LABEL: &str = "secchat 1 delegate";
