//! Sessions of users whose keys have followed others: which key their peers get, and when they end.

use std::sync::Arc;

use secchat_proto::crypto::entropy::OsEntropy;
use secchat_proto::crypto::signature::{PublicKey, SigningKey};
use secchat_proto::wire::link::Answer;
use secchat_proto::wire::login::Role;

use super::{Bench, response, rtt, user};
use crate::user_list::rotation::Registered;

const SEEN: (Role, bool) = (Role::Receiver, false);

fn key() -> PublicKey {
    SigningKey::generate_ed25519(&mut OsEntropy).unwrap().public_key().clone()
}

/// Bytes that stand for a chain; the switchboard looks at none.
fn chain() -> Option<Arc<[u8]>> {
    Some(Arc::from([0, 44]))
}

#[test]
fn what_vouches_for_a_key_goes_before_it_wherever_it_goes() {
    let mut bench = Bench::new();
    let (alice, bob) =
        (bench.login_by("alice", (key(), chain()), SEEN, None), bench.login("bob", Role::Receiver));
    bench.heard();
    bench.say(alice, rtt("bob", 1));
    bench.hears(&["2<chain(alice)", "2<key(alice)", "2<rtt(alice,1)"]);
    bench.say(bob, response(Answer::Accept, "alice", 1));
    bench.hears(&["1<key(bob)", "1<accept(bob,1)", "2<resume(alice,1)"]);
    bench.say(bob, rtt("alice", 2));
    bench.say(alice, response(Answer::Accept, "bob", 2));
    bench.hears(&[
        "1<key(bob)",
        "1<rtt(bob,2)",
        "2<chain(alice)",
        "2<key(alice)",
        "2<accept(alice,2)",
        "1<resume(bob,2)",
    ]);
}

#[test]
fn a_session_of_the_old_key_ends_when_that_is_not_taken_any_more_and_not_before() {
    let mut bench = Bench::new();
    let (old, new) = (key(), key());
    let alice = bench.login_by("alice", (old.clone(), None), SEEN, None);
    bench.login("bob", Role::Receiver);
    bench.heard();
    let both = Registered { key: new, old_key: Some(old), chain: chain() };
    bench.board.handle_new_key(&user("alice"), Some(&both), bench.now);
    bench.hears(&[]);
    // Her requests are signed by the old key, so that is the one for her peers, and nothing vouches for it.
    bench.say(alice, rtt("bob", 1));
    bench.hears(&["2<key(alice)", "2<rtt(alice,1)"]);
    let over = Registered { old_key: None, ..both };
    bench.board.handle_new_key(&user("alice"), Some(&over), bench.now);
    assert_eq!(bench.heard()[0], "1<closed(Removed)");
}

#[test]
fn a_session_of_the_new_key_learns_what_vouches_for_it() {
    let mut bench = Bench::new();
    let (old, new) = (key(), key());
    let alice = bench.login_by("alice", (new.clone(), None), SEEN, None);
    bench.login("bob", Role::Receiver);
    bench.heard();
    let listed = Registered { key: new, old_key: Some(old), chain: chain() };
    bench.board.handle_new_key(&user("alice"), Some(&listed), bench.now);
    bench.say(alice, rtt("bob", 1));
    bench.hears(&["2<chain(alice)", "2<key(alice)", "2<rtt(alice,1)"]);
}
