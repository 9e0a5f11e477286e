//! What of conversations is kept, by whose word, and what is asked of the owner of it.

use secchat_ipc::types::{HistoryQuery, Keep};

use super::*;
use crate::core::keeping::HistoryJob;
use crate::core::record::KeptText;

fn as_kept(record: &Record) -> Option<&KeptText> {
    if let Record::Kept(text) = record { Some(text) } else { None }
}

/// What a user keeps: the words, and whether they are own ones.
fn kept(world: &mut World, user: &str) -> Vec<(String, bool)> {
    let mut kept: Vec<_> = world
        .node(user)
        .disk
        .values()
        .filter_map(as_kept)
        .map(|text| (text.text.as_str().to_owned(), text.is_own))
        .collect();
    kept.sort();
    kept
}

fn keep(world: &mut World, user: &str, peer: Option<&str>, keep: Option<Keep>) -> Reply {
    world.ok(user, Command::SetHistory { peer: peer.map(ipc), keep })
}

fn with_terms(world: &mut World, history_days: Option<u16>) {
    let terms = Terms { until: None, history_days };
    let asked = Command::Rtt { peer: ipc("bob"), terms, lifetime_seconds: 3_600, wait: true };
    world.start("alice", asked);
    world.accept("bob", "alice");
}

fn pair(text: &str, is_own: bool) -> (String, bool) {
    (text.to_owned(), is_own)
}

#[test]
fn nothing_is_kept_unless_somebody_says_so() {
    let mut world = World::new(&["alice", "bob"]);
    world.chat("alice", "bob");
    world.send("alice", "bob", "one");
    world.advance(2);
    assert!(kept(&mut world, "alice").is_empty() && kept(&mut world, "bob").is_empty());
    assert!(world.node("bob").history.is_empty(), "nobody is asked either");
    keep(&mut world, "bob", None, Some(Keep::All));
    world.send("alice", "bob", "two");
    world.send("bob", "alice", "three");
    world.advance(2);
    assert!(kept(&mut world, "alice").is_empty());
    assert_eq!(kept(&mut world, "bob"), [pair("three", true), pair("two", false)]);
}

#[test]
fn the_terms_bound_it_and_a_word_for_a_peer_comes_first() {
    for (agreed, general, own, expected) in [
        (Some(0), Keep::All, None, None),
        (Some(3), Keep::All, None, Some(3)),
        (None, Keep::Days(9), None, Some(u16::MAX)),
        (None, Keep::Days(0), Some(Keep::All), Some(u16::MAX)),
        (None, Keep::All, Some(Keep::Days(0)), None),
    ] {
        let mut world = World::new(&["alice", "bob"]);
        keep(&mut world, "bob", None, Some(general));
        if own.is_some() {
            keep(&mut world, "bob", Some("alice"), own);
        }
        with_terms(&mut world, agreed);
        world.send("alice", "bob", "one");
        world.advance(2);
        let days = world.node("bob").disk.values().find_map(as_kept).map(|text| text.days);
        assert_eq!(days, expected, "{agreed:?} {general:?} {own:?}");
        keep(&mut world, "bob", Some("alice"), None);
        let request = world.node("bob").history.last().unwrap().clone();
        assert!(request.keeping.peers.is_empty() && request.job == HistoryJob::Tidy);
    }
}

#[test]
fn own_texts_are_kept_once_they_are_delivered_and_once_only() {
    let mut world = World::new(&["alice", "bob"]);
    keep(&mut world, "alice", None, Some(Keep::All));
    world.chat("alice", "bob");
    world.ok("bob", Command::Logout);
    world.send("alice", "bob", "one");
    world.advance(2);
    assert!(kept(&mut world, "alice").is_empty(), "bob does not have it");
    // Whatever was not written when the daemon died comes again, with the acknowledgement.
    world.crash("alice");
    world.advance(120);
    world.ok("bob", Command::Login);
    world.advance(120);
    assert_eq!(world.read("bob"), ["one"]);
    assert_eq!(kept(&mut world, "alice"), [pair("one", true)]);
    world.crash("alice");
    world.advance(60);
    assert_eq!(kept(&mut world, "alice"), [pair("one", true)]);
}

#[test]
fn a_word_survives_and_texts_that_cannot_be_written_are_kept_later() {
    let mut world = World::new(&["alice", "bob"]);
    keep(&mut world, "bob", Some("alice"), Some(Keep::Days(30)));
    world.crash("bob");
    world.chat("alice", "bob");
    world.node("bob").save_error = Some("the disk is full".to_owned());
    world.send("alice", "bob", "one");
    let query = HistoryQuery {
        peer: None,
        search: None,
        since: None,
        before: None,
        newest_first: false,
        after: None,
        most: 1,
    };
    let asked = world.err("bob", Command::History(query.clone()));
    assert!(matches!(asked, CommandError::NotSaved { .. }), "{asked:?}");
    assert!(kept(&mut world, "bob").is_empty());
    world.node("bob").save_error = None;
    world.advance(30);
    assert_eq!(kept(&mut world, "bob"), [pair("one", false)]);
    world.ok("bob", Command::History(query.clone()));
    assert_eq!(world.node("bob").history.last().unwrap().job, HistoryJob::Page(query.clone()));
    world.ok("bob", Command::Lock);
    assert_eq!(world.err("bob", Command::History(query)), CommandError::Locked);
}

#[test]
fn what_is_due_is_looked_for_with_every_day_while_unlocked() {
    let mut world = World::new(&["alice", "bob"]);
    keep(&mut world, "bob", None, Some(Keep::Days(1)));
    world.chat("alice", "bob");
    world.send("alice", "bob", "one");
    world.advance(2);
    let tidied = |world: &mut World| {
        let node = world.node("bob");
        std::mem::take(&mut node.history).len()
    };
    tidied(&mut world);
    world.advance(86_400);
    assert_eq!(tidied(&mut world), 1);
    world.ok("bob", Command::Lock);
    world.advance(3 * 86_400);
    assert_eq!(tidied(&mut world), 0, "the keys are wiped");
    world.ok("bob", Command::Unlock { passphrase: pass("right"), ttl_seconds: 0 });
    assert_eq!(tidied(&mut world), 1);
}

#[test]
fn many_texts_move_to_their_place() {
    let mut world = World::new(&["alice", "bob"]);
    keep(&mut world, "bob", None, Some(Keep::All));
    world.chat("alice", "bob");
    world.node("bob").history.clear();
    for n in 0..64 {
        world.send("alice", "bob", &n.to_string());
    }
    world.advance(2);
    assert_eq!(world.node("bob").history.len(), 1);
    assert_eq!(kept(&mut world, "bob").len(), 64);
}
