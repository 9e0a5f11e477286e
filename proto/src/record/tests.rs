//! Records under attack, and against the protocol's text by hand.

use super::{ChainPace, DirectionKeys, Opener, Sealer, Session, Speaker};
use crate::Error;
use crate::crypto::kdf::{expand, extract};
use crate::crypto::secret::Secret;
use crate::error::{Malformed, Rule};

fn keys(start: [u8; 12]) -> DirectionKeys {
    DirectionKeys { chain: extract(&[1; 32], &[b"chain"]).unwrap(), start }
}

fn pair(pace: ChainPace) -> (Sealer, Opener) {
    (Sealer::new(keys([7; 12]), pace), Opener::new(keys([7; 12]), pace))
}

fn seal(sealer: &mut Sealer, plaintext: &[u8]) -> Vec<u8> {
    let mut record = Vec::new();
    sealer.seal(plaintext, &mut record).unwrap();
    record
}

fn open(opener: &mut Opener, record: &[u8]) -> Result<Vec<u8>, Error> {
    let mut plaintext = b"of before".to_vec();
    let opened = opener.open(record, &mut plaintext);
    assert!(openssl::error::ErrorStack::get().errors().is_empty());
    match opened {
        Ok(()) => Ok(plaintext),
        Err(error) => {
            assert!(plaintext.is_empty(), "something got out");
            Err(error)
        }
    }
}

#[test]
fn what_is_sealed_opens_in_order() {
    for pace in [ChainPace::Link, ChainPace::Chat] {
        let (mut sealer, mut opener) = pair(pace);
        for plaintext in [&b"first"[..], b"", &[9; 40_000], b"fourth"] {
            let record = seal(&mut sealer, plaintext);
            assert_eq!(record.len(), plaintext.len() + crate::limits::RECORD_OVERHEAD_BYTES);
            assert_eq!(open(&mut opener, &record).unwrap(), plaintext);
        }
    }
}

#[test]
fn records_are_appended() {
    let (mut sealer, mut opener) = pair(ChainPace::Link);
    let mut out = vec![1, 2];
    sealer.seal(b"a", &mut out).unwrap();
    sealer.seal(b"b", &mut out).unwrap();
    assert_eq!(open(&mut opener, &out[2..31]).unwrap(), b"a");
    assert_eq!(open(&mut opener, &out[31..]).unwrap(), b"b");
}

#[test]
fn every_flipped_bit_is_noticed() {
    for pace in [ChainPace::Link, ChainPace::Chat] {
        let good = seal(&mut pair(pace).0, b"plaintext");
        for bit in 0..good.len() * 8 {
            let mut record = good.clone();
            record[bit / 8] ^= 1 << (bit % 8);
            let expected = if bit < 96 { Error::PeerMisbehaved(Rule::Counter) } else { Error::Decrypt };
            let (_, mut opener) = pair(pace);
            assert_eq!(open(&mut opener, &record), Err(expected), "bit {bit}");
            assert!(open(&mut opener, &good).is_err(), "the opener goes on after a failure");
        }
    }
}

#[test]
fn truncated_records_are_refused_at_every_byte() {
    let good = seal(&mut pair(ChainPace::Chat).0, b"plaintext");
    for end in 0..good.len() {
        let (_, mut opener) = pair(ChainPace::Chat);
        let expected = if end < 28 { Error::Malformed(Malformed::Truncated) } else { Error::Decrypt };
        assert_eq!(open(&mut opener, &good[..end]), Err(expected), "{end}");
    }
    let longer = [good.as_slice(), &[0]].concat();
    assert_eq!(open(&mut pair(ChainPace::Chat).1, &longer), Err(Error::Decrypt));
}

#[test]
fn dropped_replayed_and_reordered_records_are_refused() {
    for pace in [ChainPace::Link, ChainPace::Chat] {
        let (mut sealer, _) = pair(pace);
        let records = [seal(&mut sealer, b"1"), seal(&mut sealer, b"2"), seal(&mut sealer, b"3")];
        for order in [&[1][..], &[0, 0], &[0, 2], &[0, 1, 0], &[0, 1, 1]] {
            let (_, mut opener) = pair(pace);
            let (last, before) = order.split_last().unwrap();
            before.iter().for_each(|at| drop(open(&mut opener, &records[*at]).unwrap()));
            let refused = open(&mut opener, &records[*last]);
            assert_eq!(refused, Err(Error::PeerMisbehaved(Rule::Counter)), "{order:?}");
        }
    }
}

#[test]
fn nothing_opens_after_a_failure() {
    for pace in [ChainPace::Link, ChainPace::Chat] {
        let (mut sealer, mut opener) = pair(pace);
        let (mut first, second) = (seal(&mut sealer, b"1"), seal(&mut sealer, b"2"));
        first[20] ^= 1;
        assert_eq!(open(&mut opener, &first), Err(Error::Decrypt));
        assert_eq!(open(&mut opener, &second), Err(Error::Exhausted), "the next one, untouched");
    }
}

#[test]
fn a_forged_counter_does_not_make_an_old_record_new() {
    // The counter is authenticated: a record under another counter, under the same key, opens nothing.
    let (mut sealer, mut opener) = pair(ChainPace::Link);
    let first = seal(&mut sealer, b"1");
    let second = seal(&mut sealer, b"2");
    open(&mut opener, &first).unwrap();
    let forged = [&second[..12], &first[12..]].concat();
    assert_eq!(open(&mut opener, &forged), Err(Error::Decrypt));
}

#[test]
fn no_counter_comes_twice_under_a_key() {
    let (mut sealer, _) = pair(ChainPace::Link);
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..1_000 {
        let record = seal(&mut sealer, b"");
        assert!(seen.insert(record[..12].to_vec()));
    }
}

#[test]
fn counters_run_from_start_and_wrap() {
    for (start, first, second) in [
        ([0; 12], [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1], [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2]),
        ([0xff; 12], [0; 12], [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]),
        (
            [1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
            [1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0],
            [1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1],
        ),
    ] {
        let mut sealer = Sealer::new(keys(start), ChainPace::Link);
        let mut opener = Opener::new(keys(start), ChainPace::Link);
        for counter in [first, second] {
            let record = seal(&mut sealer, b"x");
            assert_eq!(record[..12], counter);
            assert_eq!(open(&mut opener, &record).unwrap(), b"x");
        }
    }
}

/// Opens a record as the protocol's text says it, with nothing of the record layer.
fn open_by_hand(chain: &Secret<32>, record: &[u8]) -> Option<Vec<u8>> {
    let key: Secret<32> = expand(chain, "secchat 1 key").unwrap();
    let (counter, sealed) = record.split_at(12);
    let (ciphertext, tag) = sealed.split_at(sealed.len() - 16);
    let cipher = openssl::symm::Cipher::aes_256_gcm();
    openssl::symm::decrypt_aead(cipher, key.expose(), Some(counter), counter, ciphertext, tag).ok()
}

#[test]
fn a_chat_has_a_key_for_each_record() {
    let (mut sealer, mut chain) = (pair(ChainPace::Chat).0, keys([7; 12]).chain);
    for plaintext in [b"1", b"2", b"3"] {
        let record = seal(&mut sealer, plaintext);
        assert_eq!(open_by_hand(&chain, &record).unwrap(), plaintext);
        chain = expand(&chain, "secchat 1 next").unwrap();
        assert!(open_by_hand(&chain, &record).is_none());
    }
}

#[test]
fn the_link_changes_its_key_after_65_536_records() {
    let ((mut sealer, mut opener), first) = (pair(ChainPace::Link), keys([7; 12]).chain);
    let second: Secret<32> = expand(&first, "secchat 1 next").unwrap();
    let mut record = Vec::new();
    for number in 1..=65_538_u32 {
        record.clear();
        sealer.seal(&number.to_be_bytes(), &mut record).unwrap();
        assert_eq!(open(&mut opener, &record).unwrap(), number.to_be_bytes());
        if number >= 65_535 {
            let (current, other) = if number <= 65_536 { (&first, &second) } else { (&second, &first) };
            assert!(open_by_hand(current, &record).is_some(), "{number}");
            assert!(open_by_hand(other, &record).is_none(), "{number}");
        }
    }
}

#[test]
fn both_ends_of_a_session_understand_each_other_and_nobody_themselves() {
    let prk = extract(&[2; 32], &[b"K"]).unwrap();
    for own in [Speaker::Client, Speaker::Relay, Speaker::Initiator, Speaker::Responder] {
        let mut near = Session::derive(&prk, own).unwrap();
        let mut far = Session::derive(&prk, own.other()).unwrap();
        let record = seal(&mut near.sealer, b"there");
        assert!(open(&mut near.opener, &record).is_err(), "reflected");
        assert_eq!(open(&mut far.opener, &record).unwrap(), b"there");
        let record = seal(&mut far.sealer, b"back");
        assert!(open(&mut far.opener, &record).is_err(), "reflected");
    }
    let mut chat = Session::derive(&prk, Speaker::Initiator).unwrap();
    let mut link = Session::derive(&prk, Speaker::Relay).unwrap();
    assert!(open(&mut link.opener, &seal(&mut chat.sealer, b"x")).is_err(), "labels are apart");
}
