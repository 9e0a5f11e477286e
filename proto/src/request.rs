//! Making and checking signed requests to talk (PROTOCOL.md §6).

use crate::crypto::entropy::Entropy;
use crate::crypto::signature::{PublicKey, SigningKey};
use crate::error::Rule;
use crate::limits::MAX_CLOCK_AHEAD_SECONDS;
use crate::transcript::transcript_hash;
use crate::wire::link::ChatId;
use crate::wire::request::{RequestToTalk, Terms};
use crate::wire::writer::Writer;
use crate::{Error, UserName};

/// What an asker proposes.
#[derive(Clone, Copy, Debug)]
pub struct Proposal {
    /// Now: Unix seconds.
    pub issued: u64,
    /// When it ends by itself: Unix seconds.
    pub expires: u64,
    /// The terms.
    pub terms: Terms,
}

impl RequestToTalk {
    /// Makes and signs a request of `asker` to `addressee` under a new random chat id.
    ///
    /// # Errors
    /// `Malformed::Times` for a proposal out of range, or a failed primitive.
    pub fn make(
        asker: &UserName,
        key: &SigningKey,
        addressee: &UserName,
        proposal: Proposal,
        entropy: &mut dyn Entropy,
    ) -> Result<Self, Error> {
        let Proposal { issued, expires, terms } = proposal;
        let mut chat_id = [0; 16];
        entropy.fill(&mut chat_id)?;
        let chat_id = ChatId::from_bytes(chat_id)?;
        let mut request = Self { chat_id, issued, expires, terms, signature: Vec::new() };
        request.check_times()?;
        request.signature = key.sign(LABEL, &request.signed_hash(asker, key.public_key(), addressee))?;
        Ok(request)
    }

    /// Checks the signature under `asker_key`, and that at `unix_now` it has neither expired nor was issued more
    /// than 300 s ahead.
    ///
    /// # Errors
    /// [`Error::PeerMisbehaved`] with `Rule::Signature` or `Rule::RequestTime`.
    pub fn verify(
        &self,
        asker: &UserName,
        asker_key: &PublicKey,
        addressee: &UserName,
        unix_now: u64,
    ) -> Result<(), Error> {
        let hash = self.signed_hash(asker, asker_key, addressee);
        if !asker_key.verifies(LABEL, &hash, &self.signature) {
            return Err(Error::PeerMisbehaved(Rule::Signature));
        }
        let is_ahead = self.issued > unix_now.saturating_add(MAX_CLOCK_AHEAD_SECONDS);
        if unix_now >= self.expires || is_ahead {
            return Err(Error::PeerMisbehaved(Rule::RequestTime));
        }
        Ok(())
    }

    /// `TH(name_A | v16(SPKI_A) | name_B | RTT without signature)`.
    fn signed_hash(&self, asker: &UserName, asker_key: &PublicKey, addressee: &UserName) -> [u8; 32] {
        let mut signed = Vec::new();
        Writer::new(&mut signed)
            .user_name(asker)
            .v16(asker_key.as_der())
            .user_name(addressee)
            .bytes(&self.encode_unsigned());
        transcript_hash(&[&signed])
    }
}

const LABEL: &str = "secchat 1 RTT";

#[cfg(test)]
mod tests {
    use super::Proposal;
    use crate::crypto::entropy::{Entropy, OsEntropy};
    use crate::crypto::signature::SigningKey;
    use crate::error::{Malformed, Rule};
    use crate::wire::request::{RequestToTalk, Terms};
    use crate::{Error, UserName};

    const PROPOSAL: Proposal = Proposal { issued: 1_000, expires: 2_000, terms: Terms::UNLIMITED };

    fn key() -> SigningKey {
        SigningKey::generate_ed25519(&mut OsEntropy).unwrap()
    }

    fn name(text: &str) -> UserName {
        text.parse().unwrap()
    }

    fn make(key: &SigningKey) -> RequestToTalk {
        RequestToTalk::make(&name("alice"), key, &name("bob"), PROPOSAL, &mut OsEntropy).unwrap()
    }

    fn verify(request: &RequestToTalk, key: &SigningKey, unix_now: u64) -> Result<(), Error> {
        request.verify(&name("alice"), key.public_key(), &name("bob"), unix_now)
    }

    #[test]
    fn verifies_for_its_two_users_only() {
        let key = key();
        let request = make(&key);
        assert_eq!(verify(&request, &key, 1_500), Ok(()));
        let refused = Err(Error::PeerMisbehaved(Rule::Signature));
        assert_eq!(request.verify(&name("alicia"), key.public_key(), &name("bob"), 1_500), refused);
        assert_eq!(request.verify(&name("alice"), key.public_key(), &name("bobby"), 1_500), refused);
        assert_eq!(request.verify(&name("bob"), key.public_key(), &name("alice"), 1_500), refused);
        assert_eq!(request.verify(&name("alice"), self::key().public_key(), &name("bob"), 1_500), refused);
    }

    #[test]
    fn names_do_not_run_into_each_other() {
        let key = key();
        let request = RequestToTalk::make(&name("ab"), &key, &name("c"), PROPOSAL, &mut OsEntropy).unwrap();
        assert!(request.verify(&name("a"), key.public_key(), &name("bc"), 1_500).is_err());
    }

    #[test]
    fn any_bit_changed_fails() {
        let key = key();
        let good = make(&key).encode();
        for bit in 0..good.len() * 8 {
            let mut flipped = good.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let taken = RequestToTalk::decode(&flipped).and_then(|request| verify(&request, &key, 1_500));
            assert!(taken.is_err(), "bit {bit}");
        }
    }

    #[test]
    fn is_good_in_its_time_only() {
        let key = key();
        let request = make(&key);
        let out_of_time = Err(Error::PeerMisbehaved(Rule::RequestTime));
        let times = [
            (699, out_of_time),
            (700, Ok(())),
            (1_000, Ok(())),
            (1_999, Ok(())),
            (2_000, out_of_time),
            (0, out_of_time),
            (u64::MAX, out_of_time),
        ];
        for (now, expected) in times {
            assert_eq!(verify(&request, &key, now), expected, "at {now}");
        }
    }

    #[test]
    fn each_has_an_id_of_its_own_and_times_that_agree() {
        let key = key();
        assert_ne!(make(&key).chat_id, make(&key).chat_id);
        let late = Proposal { issued: 2_001, ..PROPOSAL };
        let refused = RequestToTalk::make(&name("alice"), &key, &name("bob"), late, &mut OsEntropy);
        assert_eq!(refused, Err(Error::Malformed(Malformed::Times)));
    }

    #[test]
    fn without_randomness_there_is_no_request() {
        struct Dry;
        impl Entropy for Dry {
            fn fill(&mut self, _: &mut [u8]) -> Result<(), Error> {
                Err(Error::Crypto(crate::error::CryptoOperation::Entropy))
            }
        }
        let refused = RequestToTalk::make(&name("alice"), &key(), &name("bob"), PROPOSAL, &mut Dry);
        assert_eq!(refused, Err(Error::Crypto(crate::error::CryptoOperation::Entropy)));
    }
}
