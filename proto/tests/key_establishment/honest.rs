//! Two honest ends agree, on everything and on nothing that another run has.

use secchat_proto::crypto::kem::{ReadyRsaKey, Suite, Suites};
use secchat_proto::crypto::signature::SigningKey;
use secchat_proto::handshake::initiator::{Held, send_m1};

use crate::pair::{GRANTED, Pair, Seeded, agree, pair, request};

#[test]
fn both_ends_agree_on_keys_grant_and_root() {
    let rsa = Pair {
        suites: Suites::new(vec![Suite::Rsa3072]).unwrap(),
        rsa: Some(ReadyRsaKey::generate().unwrap()),
        ..pair()
    };
    for pair in [pair(), rsa] {
        let (mut alice, mut bob, _) = pair.run();
        assert!(agree(&mut alice.session, &mut bob.session));
        assert_eq!((alice.granted, bob.granted), (GRANTED, GRANTED));
        let root = alice.new_root.unwrap();
        assert_eq!(root.expose(), bob.new_root.unwrap().expose());

        let (state, m1) = pair.m1();
        let (bob, m2) = pair.m2_in(&pair.context(), &m1, Some(&root)).unwrap();
        let held = Held { root: Some(&root), granted: Some(GRANTED), has_opened: true, unix_now: 0 };
        let (mut again, m3) = pair.m3_of(state, &m2, held).unwrap();
        let mut bob = bob.read_m3(&m3).unwrap();
        assert!(agree(&mut again.session, &mut bob.session));
        assert!(again.new_root.is_none() && bob.new_root.is_none(), "the root stays");
    }
}

#[test]
fn an_rsa_identity_serves_either_end() {
    let rsa = || {
        let key = openssl::pkey::PKey::from_rsa(openssl::rsa::Rsa::generate(2048).unwrap()).unwrap();
        SigningKey::from_pkey(key).unwrap()
    };
    let alice = ("alice".parse().unwrap(), rsa());
    let bob = ("bob".parse().unwrap(), rsa());
    let request = request(&alice, &bob.0, 3);
    let pair = Pair { alice, bob, request, ..pair() };
    // RSA-PSS is salted: M2 cannot be made again, so no replay of the run by seed.
    let (state, m1) = pair.m1();
    let (bob, m2) = pair.m2(&m1);
    let (mut alice, m3) = pair.m3_of(state, &m2, Held::default()).unwrap();
    assert!(agree(&mut alice.session, &mut bob.read_m3(&m3).unwrap().session));
}

#[test]
fn each_run_has_keys_of_its_own() {
    let pair = pair();
    let (mut first, ..) = pair.run();
    let (state, m1) = send_m1(&pair.context(), &pair.suites, &mut Seeded(11)).unwrap();
    let (bob, m2) = pair.m2(&m1);
    let (_, m3) = pair.m3_of(state, &m2, Held::default()).unwrap();
    assert!(!agree(&mut first.session, &mut bob.read_m3(&m3).unwrap().session));
}
