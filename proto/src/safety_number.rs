//! The number that two people compare to know that nobody stands between them (PROTOCOL.md §7).

use openssl::sha::Sha512;

use crate::UserName;
use crate::crypto::signature::PublicKey;
use crate::wire::writer::Writer;

/// The safety number of two users: 12 groups of 5 digits separated by blanks, the same on both screens.
#[must_use]
pub fn safety_number(one: (&UserName, &PublicKey), other: (&UserName, &PublicKey)) -> String {
    let (first, second) = if one.0 <= other.0 { (one, other) } else { (other, one) };
    let groups: Vec<String> = [first, second].into_iter().flat_map(|(name, key)| half(name, key)).collect();
    groups.join(" ")
}

/// One user's six groups.
fn half(name: &UserName, key: &PublicKey) -> Vec<String> {
    let mut spki = Vec::new();
    Writer::new(&mut spki).v16(key.as_der());
    let mut begin = Vec::new();
    Writer::new(&mut begin).bytes(b"secchat 1 safety").user_name(name).bytes(&spki);
    let mut hash = sha512(&[&begin, &spki]);
    for _ in 1..ROUNDS {
        hash = sha512(&[&hash, &spki]);
    }
    let (groups, _) = hash.as_chunks::<5>();
    groups.iter().take(GROUPS).map(digits).collect()
}

/// Five bytes as five digits.
fn digits([a, b, c, d, e]: &[u8; 5]) -> String {
    let number = u64::from_be_bytes([0, 0, 0, *a, *b, *c, *d, *e]);
    format!("{:05}", number % 100_000)
}

fn sha512(parts: &[&[u8]]) -> [u8; 64] {
    let mut hash = Sha512::new();
    parts.iter().for_each(|part| hash.update(part));
    hash.finish()
}

/// Groups of digits for each user.
const GROUPS: usize = 6;
/// How often is hashed: it makes a search for a key with a similar number 5,200 times dearer.
const ROUNDS: u32 = 5_200;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use openssl::pkey::PKey;
    use openssl::rsa::Rsa;

    use super::{digits, safety_number};
    use crate::Error;
    use crate::UserName;
    use crate::crypto::entropy::Entropy;
    use crate::crypto::signature::{PublicKey, SigningKey};

    struct Filled(u8);

    impl Entropy for Filled {
        fn fill(&mut self, out: &mut [u8]) -> Result<(), Error> {
            out.fill(self.0);
            Ok(())
        }
    }

    fn user(name: &str, seed: u8) -> (UserName, PublicKey) {
        let key = SigningKey::generate_ed25519(&mut Filled(seed)).unwrap();
        (name.parse().unwrap(), key.public_key().clone())
    }

    fn number(one: &(UserName, PublicKey), other: &(UserName, PublicKey)) -> String {
        safety_number((&one.0, &one.1), (&other.0, &other.1))
    }

    #[test]
    fn is_what_another_implementation_computes_on_both_screens() {
        let (alice, bob) = (user("alice", 1), user("bob", 2));
        let expected = "74480 61961 14425 25550 12568 47769 55451 44985 46433 87145 52185 18663";
        assert_eq!(number(&alice, &bob), expected);
        assert_eq!(number(&bob, &alice), expected);
    }

    #[test]
    fn every_pair_of_kinds_of_keys_has_one_number() {
        let rsa = |bits| {
            let key = PKey::from_rsa(Rsa::generate(bits).unwrap()).unwrap();
            PublicKey::from_der(&key.public_key_to_der().unwrap()).unwrap()
        };
        let keys = [user("x", 1).1, user("x", 2).1, rsa(2048), rsa(3072), rsa(4096)];
        let mut numbers = BTreeSet::new();
        for (of_alice, of_bob) in keys.iter().flat_map(|one| keys.iter().map(move |other| (one, other))) {
            let (alice, bob) =
                (("alice".parse().unwrap(), of_alice.clone()), ("bob".parse().unwrap(), of_bob.clone()));
            let number_of = number(&alice, &bob);
            assert_eq!(number_of, number(&bob, &alice));
            numbers.insert(number_of);
        }
        assert_eq!(numbers.len(), keys.len().pow(2), "another for each pair");
    }

    #[test]
    fn another_key_or_name_changes_its_own_half_only() {
        let (alice, bob) = (user("alice", 1), user("bob", 2));
        let number_of = number(&alice, &bob);
        for other in [user("bob", 3), user("bobby", 2)] {
            let changed = number(&alice, &other);
            assert_eq!(changed[..35], number_of[..35], "alice's half");
            assert_ne!(changed[36..], number_of[36..]);
        }
    }

    #[test]
    fn small_numbers_keep_their_zeros() {
        assert_eq!(digits(&[0, 0, 0, 0, 7]), "00007");
        assert_eq!(digits(&[0, 0, 1, 0x86, 0xa0]), "00000");
        assert_eq!(digits(&[0xff; 5]), "27775");
    }
}
