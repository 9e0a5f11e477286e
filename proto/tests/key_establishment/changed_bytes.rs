//! Bytes that the network or the peer changes, cuts or adds.

use secchat_proto::Error;
use secchat_proto::error::Malformed;
use secchat_proto::handshake::responder::read_m1;
use secchat_proto::wire::key_establishment::{M2, M3};

use crate::pair::{agree, flip, pair};

#[test]
fn any_bit_of_m1_changed_fails() {
    let pair = pair();
    let (_, m1) = pair.m1();
    for bit in 0..m1.len() * 8 {
        let Ok((_, m2)) = pair.m2_in(&pair.context(), &flip(&m1, bit), None) else { continue };
        assert!(pair.m3(&m2).is_err(), "bit {bit}");
    }
}

#[test]
fn any_bit_of_m2_changed_fails() {
    let pair = pair();
    let (_, m1) = pair.m1();
    let (_, m2) = pair.m2(&m1);
    assert!(pair.m3(&m2).is_ok());
    for bit in 0..m2.len() * 8 {
        assert!(pair.m3(&flip(&m2, bit)).is_err(), "bit {bit}");
    }
}

#[test]
fn any_bit_of_m3_changed_fails() {
    let pair = pair();
    let (_, _, [m1, _, m3]) = pair.run();
    for bit in 0..m3.len() * 8 {
        let (bob, _) = pair.m2(&m1);
        assert!(bob.read_m3(&flip(&m3, bit)).is_err(), "bit {bit}");
    }
}

#[test]
fn any_truncation_or_extension_fails() {
    let pair = pair();
    let (_, _, [m1, m2, m3]) = pair.run();
    for end in 0..m1.len() {
        assert!(read_m1(&pair.context(), &m1[..end], &pair.suites).is_err());
    }
    for end in 0..m2.len() {
        assert!(pair.m3(&m2[..end]).is_err());
    }
    for end in 0..m3.len() {
        assert!(pair.m2(&m1).0.read_m3(&m3[..end]).is_err());
    }
    assert!(read_m1(&pair.context(), &[&m1[..], &[0]].concat(), &pair.suites).is_err());
    assert!(pair.m3(&[&m2[..], &[0]].concat()).is_err());
    assert!(pair.m2(&m1).0.read_m3(&[&m3[..], &[0]].concat()).is_err());
}

#[test]
fn a_bad_ephemeral_key_or_envelope_is_an_error_even_when_signed() {
    let pair = pair();
    let bad_keys: [&dyn Fn(&mut M2); 4] = [
        &|m2| m2.ephemeral_key.truncate(1215),
        &|m2| m2.ephemeral_key.clear(),
        // Above ML-KEM's modulus.
        &|m2| m2.ephemeral_key[..3].fill(0xff),
        // A low-order point.
        &|m2| m2.ephemeral_key[1184..].fill(0),
    ];
    for change in bad_keys {
        let m2 = pair.forged_m2(change);
        assert_eq!(pair.m3(&m2).err(), Some(Error::Malformed(Malformed::Key)));
    }
    let (_, m1) = pair.m1();
    let bad_envelopes: [&dyn Fn(&mut M3); 3] =
        [&|m3| m3.sealed.truncate(1119), &|m3| m3.sealed.clear(), &|m3| m3.sealed[1088..].fill(0)];
    for change in bad_envelopes {
        let m3 = pair.forged_m3(change);
        assert_eq!(pair.m2(&m1).0.read_m3(&m3).err(), Some(Error::Decrypt));
    }
    // A changed ML-KEM ciphertext gives another secret, so the first record tells.
    let m3 = pair.forged_m3(|m3| m3.sealed[0] ^= 1);
    let mut bob = pair.m2(&m1).0.read_m3(&m3).unwrap();
    let (mut alice, ..) = pair.run();
    assert!(!agree(&mut alice.session, &mut bob.session));
}
