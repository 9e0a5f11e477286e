//! Attacks on successions: what is not signed by both keys, for this user, in this order, leads nowhere.

use openssl::pkey::PKey;
use openssl::rsa::Rsa;

use super::{Chain, Succession};
use crate::crypto::entropy::OsEntropy;
use crate::crypto::signature::SigningKey;
use crate::error::{Malformed, Rule};
use crate::limits::MAX_SUCCESSIONS;
use crate::{Error, UserName};

const UNSIGNED: Error = Error::PeerMisbehaved(Rule::Signature);

fn ed25519() -> SigningKey {
    SigningKey::generate_ed25519(&mut OsEntropy).unwrap()
}

fn rsa(bits: u32) -> SigningKey {
    SigningKey::from_pkey(PKey::from_rsa(Rsa::generate(bits).unwrap()).unwrap()).unwrap()
}

fn alice() -> UserName {
    "alice".parse().unwrap()
}

fn succession(old: &SigningKey, new: &SigningKey) -> Succession {
    Succession::make(&alice(), old, new, 1_000).unwrap()
}

/// Keys, each the successor of the one before, and what they signed.
fn line(count: usize) -> (Vec<SigningKey>, Vec<Succession>) {
    let keys: Vec<_> = (0..=count).map(|_| ed25519()).collect();
    let successions = keys.windows(2).map(|pair| succession(&pair[0], &pair[1])).collect();
    (keys, successions)
}

fn refused(successions: Vec<Succession>) -> Malformed {
    let Err(Error::Malformed(why)) = Chain::new(successions) else { panic!("taken") };
    why
}

#[test]
fn every_pair_of_kinds_vouches() {
    let keys = [ed25519(), ed25519(), rsa(2_048), rsa(3_072), rsa(4_096)];
    for (at, old) in keys.iter().enumerate() {
        for new in keys.iter().enumerate().filter(|(other, _)| *other != at).map(|(_, key)| key) {
            let made = succession(old, new);
            assert_eq!(made.verify(&alice()), Ok(()));
            let bytes = made.encode();
            assert_eq!(Succession::decode(&bytes), Ok(made));
            assert!(Chain::is_meant(&bytes) && !Chain::is_meant(new.public_key().as_der()));
            let chain = Chain::decode(&bytes).unwrap();
            assert!(chain.leads(&alice(), old.public_key(), new.public_key()));
            assert!(!chain.leads(&alice(), new.public_key(), old.public_key()), "backwards");
        }
    }
}

#[test]
fn any_bit_changed_fails() {
    for (old, new) in [(ed25519(), ed25519()), (rsa(2_048), ed25519())] {
        let good = succession(&old, &new).encode();
        for bit in 0..good.len() * 8 {
            let mut flipped = good.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let taken = Succession::decode(&flipped).and_then(|made| made.verify(&alice()));
            assert!(taken.is_err(), "bit {bit}");
        }
    }
}

#[test]
fn it_is_total_and_has_one_encoding() {
    let good = succession(&ed25519(), &ed25519()).encode();
    for end in 0..good.len() {
        assert!(Succession::decode(&good[..end]).is_err(), "cut at {end}");
        assert!(Chain::decode(&good[..end]).is_err(), "cut at {end}");
    }
    for extra in [0, 0x30, 0xff] {
        let longer = [good.as_slice(), &[extra]].concat();
        assert!(Succession::decode(&longer).is_err() && Chain::decode(&longer).is_err());
    }
    assert_eq!(Chain::decode(&good).unwrap().encode(), good);
}

#[test]
fn it_is_for_its_user_alone() {
    let (old, new) = (ed25519(), ed25519());
    let made = succession(&old, &new);
    for other in ["alicia", "alic", "bob"] {
        assert_eq!(made.verify(&other.parse().unwrap()), Err(UNSIGNED), "{other}");
    }
}

#[test]
fn both_keys_must_have_signed() {
    let (old, new, thief) = (ed25519(), ed25519(), ed25519());
    let good = succession(&old, &new);
    // The thief puts its key in the place of either, and signs for it.
    let named = Succession { new: thief.public_key().clone(), ..good.clone() };
    assert_eq!(named.verify(&alice()), Err(UNSIGNED), "signed for another key");
    let by_thief = succession(&thief, &new);
    let stolen = Succession { old: old.public_key().clone(), ..by_thief };
    assert_eq!(stolen.verify(&alice()), Err(UNSIGNED), "the old key signed nothing");
    let without_new = Succession { new_signature: good.old_signature.clone(), ..good.clone() };
    assert_eq!(without_new.verify(&alice()), Err(UNSIGNED), "a key that is not its own");
    let swapped = Succession {
        old_signature: good.new_signature.clone(),
        new_signature: good.old_signature.clone(),
        ..good.clone()
    };
    assert_eq!(swapped.verify(&alice()), Err(UNSIGNED));
    let backwards = Succession {
        old: good.new.clone(),
        new: good.old.clone(),
        issued: good.issued,
        old_signature: good.new_signature.clone(),
        new_signature: good.old_signature.clone(),
    };
    assert_eq!(backwards.verify(&alice()), Err(UNSIGNED), "the other way round");
    let later = Succession { issued: good.issued + 1, ..good };
    assert_eq!(later.verify(&alice()), Err(UNSIGNED));
}

#[test]
fn no_key_succeeds_itself() {
    let key = ed25519();
    let repeated = Err(Error::Malformed(Malformed::Repeated));
    assert_eq!(Succession::make(&alice(), &key, &key, 1), repeated);
    let good = succession(&key, &ed25519());
    let itself = Succession { new: good.old.clone(), new_signature: good.old_signature.clone(), ..good };
    assert_eq!(Succession::decode(&itself.encode()), repeated);
}

#[test]
fn a_chain_leads_from_each_of_its_keys_to_the_last() {
    let (keys, successions) = line(3);
    let chain = Chain::new(successions).unwrap();
    let last = keys[3].public_key();
    assert_eq!(chain.newest(), Some(last));
    for key in &keys[..3] {
        assert!(chain.leads(&alice(), key.public_key(), last));
        assert!(!chain.leads(&"bob".parse().unwrap(), key.public_key(), last));
    }
    assert!(!chain.leads(&alice(), last, last), "the last one vouches for nobody");
    assert!(!chain.leads(&alice(), ed25519().public_key(), last), "a key that is not in it");
    assert!(!chain.leads(&alice(), keys[0].public_key(), keys[2].public_key()), "not the last");
    assert_eq!(Chain::decode(&chain.encode()), Ok(chain));
}

#[test]
fn a_forged_link_breaks_what_goes_through_it_only() {
    let (keys, mut successions) = line(3);
    successions[1].old_signature[0] ^= 1;
    let chain = Chain::new(successions).unwrap();
    let leads = |from: usize| chain.leads(&alice(), keys[from].public_key(), keys[3].public_key());
    assert_eq!([leads(0), leads(1), leads(2)], [false, false, true]);
}

#[test]
fn a_chain_has_an_order_a_bound_and_no_loop() {
    let (keys, successions) = line(MAX_SUCCESSIONS + 1);
    assert_eq!(refused(Vec::new()), Malformed::Truncated);
    assert_eq!(refused(successions.clone()), Malformed::TooLong);
    let bytes: Vec<u8> = successions.iter().flat_map(Succession::encode).collect();
    assert_eq!(Chain::decode(&bytes), Err(Error::Malformed(Malformed::TooLong)));
    let out_of_order = vec![successions[1].clone(), successions[0].clone()];
    assert_eq!(refused(out_of_order), Malformed::UnknownValue);
    assert_eq!(refused(vec![successions[0].clone(), successions[2].clone()]), Malformed::UnknownValue);
    let back = succession(&keys[2], &keys[0]);
    assert_eq!(refused(vec![successions[0].clone(), successions[1].clone(), back]), Malformed::Repeated);

    let full = Chain::new(successions[..MAX_SUCCESSIONS].to_vec()).unwrap();
    let grown = full.with(successions[MAX_SUCCESSIONS].clone()).unwrap();
    assert_eq!(grown.successions(), &successions[1..], "the oldest gave way");
    assert!(full.with(successions[0].clone()).is_err());
}
