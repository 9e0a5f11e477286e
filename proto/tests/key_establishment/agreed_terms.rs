//! What the two may agree on: grant, root, suites.

use secchat_proto::crypto::kem::{ReadyRsaKey, Suite, Suites};
use secchat_proto::error::Rule;
use secchat_proto::handshake::initiator::Held;
use secchat_proto::handshake::responder::read_m1;
use secchat_proto::wire::key_establishment::M2;
use secchat_proto::wire::request::Terms;

use crate::pair::{ASKED, GRANTED, Pair, Seeded, agree, broken, pair, secret};

#[test]
fn a_grant_above_what_was_asked_is_refused() {
    let pair = pair();
    let grants = [
        (Terms { until: ASKED.until + 1, ..ASKED }, false),
        (Terms { history_days: ASKED.history_days + 1, ..ASKED }, false),
        (Terms::UNLIMITED, false),
        (ASKED, true),
        (Terms { until: 1, history_days: 0 }, true),
    ];
    for (terms, taken) in grants {
        let m2 = pair.forged_m2(|m2| m2.terms = terms);
        let expected = if taken { None } else { broken(Rule::Grant) };
        assert_eq!(pair.m3(&m2).err(), expected, "{terms:?}");
        let (_, m1) = pair.m1();
        let honest = read_m1(&pair.context(), &m1, &pair.suites).unwrap();
        let sent = honest.send_m2(&pair.bob.1, (terms, None), None, &mut Seeded(20));
        assert_eq!(sent.err(), expected, "B does not even sign it");
    }
}

#[test]
fn a_grant_whose_time_has_come_is_refused() {
    let pair = pair();
    let m2 = pair.forged_m2(|m2| m2.terms = GRANTED);
    for (left, taken) in [(1, true), (0, false)] {
        let held = Held { unix_now: GRANTED.until - left, ..Held::default() };
        let expected = if taken { None } else { broken(Rule::Grant) };
        assert_eq!(pair.m3_of(pair.m1().0, &m2, held).err(), expected, "{left} s left");
    }
    // One that is fixed stays so: the chat's own end is at hand.
    let held = Held { granted: Some(GRANTED), unix_now: GRANTED.until, ..Held::default() };
    assert!(pair.m3_of(pair.m1().0, &m2, held).is_ok());
}

#[test]
fn the_grant_is_fixed_by_the_first_m3() {
    let pair = pair();
    let root = secret(7);
    let less = Terms { until: GRANTED.until - 1, ..GRANTED };
    for (terms, taken) in [(GRANTED, true), (less, false), (ASKED, false)] {
        let m2 = pair.forged_m2(|m2| m2.terms = terms);
        let held = Held { root: Some(&root), granted: Some(GRANTED), has_opened: false, unix_now: 0 };
        let expected = if taken { None } else { broken(Rule::Grant) };
        assert_eq!(pair.m3_of(pair.m1().0, &m2, held).err(), expected, "{terms:?}");
    }
}

#[test]
fn fresh_must_fit_what_a_holds() {
    let pair = pair();
    let root = secret(7);
    let m2 = |fresh| pair.forged_m2(|m2| m2.fresh = fresh);
    let held = |root, has_opened| Held { root, has_opened, ..Held::default() };
    let result = |fresh, held: Held<'_>| pair.m3_of(pair.m1().0, &m2(fresh), held);
    assert!(result(true, held(None, false)).is_ok());
    assert_eq!(result(false, held(None, false)).err(), broken(Rule::Fresh), "B has a root that A never had");
    assert_eq!(result(true, held(Some(&root), true)).err(), broken(Rule::Fresh), "a restored copy of B");
    assert!(result(false, held(Some(&root), true)).unwrap().0.new_root.is_none());
    let lost_m3 = result(true, held(Some(&root), false)).unwrap().0;
    assert_ne!(lost_m3.new_root.unwrap().expose(), root.expose(), "B never saw the first root");
    assert!(result(false, held(Some(&root), false)).unwrap().0.new_root.is_none());
    // Only a verified signature proves a restored copy.
    let mut unsigned = M2::decode(&m2(true)).unwrap();
    unsigned.signature[5] ^= 1;
    let refused = pair.m3_of(pair.m1().0, &unsigned.encode(), held(Some(&root), true));
    assert_eq!(refused.err(), broken(Rule::Signature));
}

#[test]
fn without_the_chats_root_identity_keys_resume_nothing() {
    let pair = pair();
    let (state, m1) = pair.m1();
    let (bob, m2) = pair.m2_in(&pair.context(), &m1, Some(&secret(1))).unwrap();
    let other = secret(2);
    let held = Held { root: Some(&other), has_opened: true, ..Held::default() };
    let (mut thief, m3) = pair.m3_of(state, &m2, held).unwrap();
    assert!(!agree(&mut thief.session, &mut bob.read_m3(&m3).unwrap().session));
}

#[test]
fn only_permitted_and_offered_suites() {
    let pair = pair();
    let weak = Pair { suites: Suites::new(vec![Suite::Rsa3072]).unwrap(), ..pair.clone() };
    let (_, m1) = weak.m1();
    assert_eq!(
        read_m1(&pair.context(), &m1, &pair.suites).err(),
        broken(Rule::Suite),
        "only the weaker offered"
    );
    let m2 = pair.forged_m2(|m2| m2.suite = Suite::Rsa3072);
    assert_eq!(pair.m3(&m2).err(), broken(Rule::Suite), "B chose what was not offered");

    // Suites cut out or put in on the way are under the signature.
    let both = Pair { suites: Suites::for_link(), rsa: Some(ReadyRsaKey::generate().unwrap()), ..pair };
    let (_, m1) = both.m1();
    let head = &m1[..32];
    for tampered in [&[1, 1][..], &[2, 1, 2], &[3, 2, 1, 9]] {
        let (_, m2) = both.m2_in(&both.context(), &[head, tampered].concat(), None).unwrap();
        assert_eq!(both.m3(&m2).err(), broken(Rule::Signature), "{tampered:?}");
    }
    let none = read_m1(&both.context(), &[head, &[0]].concat(), &both.suites);
    assert_eq!(none.err(), broken(Rule::Suite));
}
