//! Conversations: texts, windows, the inbox's bound, lost links, ends.

use secchat_ipc::types::{ChatState, EndReason};
use secchat_proto::chat::Phase;
use secchat_proto::wire::link::{Answer, BadReason, ChatId};

use super::*;

fn ended(world: &mut World, user: &str) -> Option<(EndReason, u32, u64)> {
    world.node(user).events.iter().rev().find_map(|event| {
        let Event::ChatEnded { reason, undelivered, missing, .. } = event else { return None };
        Some((*reason, *undelivered, *missing))
    })
}

#[test]
fn a_thousand_texts_arrive_once_and_in_order() {
    let mut world = World::new(&["alice", "bob"]);
    world.chat("alice", "bob");
    let mut got = Vec::new();
    for batch in 0..20 {
        let keys: Vec<_> =
            (0..50).map(|n| world.send("alice", "bob", &format!("{}", batch * 50 + n))).collect();
        world.advance(2);
        got.extend(world.read("bob"));
        for key in keys {
            assert!(matches!(world.answer("alice", key), Some(Ok(Reply::Delivered { .. }))), "{key:?}");
        }
    }
    let expected: Vec<String> = (0..1_000).map(|n| n.to_string()).collect();
    assert_eq!(got, expected);
    assert_eq!(world.snapshot("alice").chats[0].undelivered, 0);
}

#[test]
fn texts_beyond_the_window_wait_and_beyond_the_queue_are_refused() {
    let mut world = World::new(&["alice", "bob"]);
    world.chat("alice", "bob");
    world.ok("bob", Command::Logout);
    let keys: Vec<_> = (0..32 + 1_024).map(|n| world.send("alice", "bob", &n.to_string())).collect();
    assert!(keys.iter().all(|key| !world.nodes[0].answers.contains_key(key)));
    let over = world.err("alice", Command::Send { peer: ipc("bob"), text: "one more".into() });
    assert!(matches!(over, CommandError::LimitReached { .. }));
    assert_eq!(world.snapshot("alice").chats[0].undelivered, 32 + 1_024);
    world.ok("bob", Command::Login);
    let mut got = 0;
    for _ in 0..60 {
        world.advance(1);
        got += world.read("bob").len();
    }
    // 30 seconds are a Send's time; what never left is not sent after that.
    let delivered = keys.iter().filter(|key| matches!(world.nodes[0].answers.get(key), Some(Ok(_)))).count();
    assert!(got >= 32 && delivered >= 32 && got >= delivered, "{got} {delivered}");
    assert!(keys.iter().all(|key| world.nodes[0].answers.contains_key(key)), "a command was never answered");
}

#[test]
fn a_text_whose_time_ran_out_in_the_queue_is_not_sent() {
    let mut world = World::new(&["alice", "bob"]);
    world.chat("alice", "bob");
    world.ok("bob", Command::Logout);
    let keys: Vec<_> = (0..40).map(|n| world.send("alice", "bob", &n.to_string())).collect();
    world.advance(31);
    assert!(keys.iter().all(|key| world.nodes[0].answers[key] == Err(CommandError::TimedOut)));
    assert_eq!(world.snapshot("alice").chats[0].undelivered, 32);
    world.ok("bob", Command::Login);
    world.advance(30);
    let expected: Vec<String> = (0..32).map(|n| n.to_string()).collect();
    assert_eq!(world.read("bob"), expected);
}

#[test]
fn the_relay_s_word_interrupts_a_chat_and_never_ends_it() {
    let mut world = World::new(&["alice", "bob"]);
    world.chat("alice", "bob");
    let chat_id = ChatId::from_bytes(world.snapshot("bob").chats[0].chat_id.0).unwrap();
    let name = name("alice");
    for message in [
        LinkMessage::Response { answer: Answer::Withdraw, name: name.clone(), chat_id },
        LinkMessage::ReturnToLobby { chat_id },
        LinkMessage::BadResponse { reason: BadReason::NotAvailable, name: name.clone(), chat_id },
    ] {
        world.relay.pairs.remove(&chat_id);
        world.input("alice", Input::LinkMessage(LinkMessage::ReturnToLobby { chat_id }));
        world.input("bob", Input::LinkMessage(message.clone()));
        assert_eq!(world.snapshot("bob").chats[0].state, ChatState::Interrupted, "{message:?}");
        world.advance(90);
        let key = world.send("alice", "bob", "still there");
        assert!(matches!(world.answer("alice", key), Some(Ok(Reply::Delivered { .. }))), "{message:?}");
    }
    world.input("bob", Input::LinkMessage(LinkMessage::Response { answer: Answer::Refuse, name, chat_id }));
    assert_eq!(world.snapshot("bob").chats[0].state, ChatState::Open);
}

#[test]
fn an_offer_in_anothers_name_is_given_back() {
    let mut world = World::new(&["alice", "bob", "carol"]);
    world.chat("alice", "bob");
    world.cut("alice");
    let chat_id = ChatId::from_bytes(world.snapshot("bob").chats[0].chat_id.0).unwrap();
    let resume = LinkMessage::Resume { name: name("carol"), chat_id };
    world.input("bob", Input::LinkMessage(resume));
    assert_eq!(world.node("bob").sent.last(), Some(&LinkMessage::ReturnToLobby { chat_id }));
    world.advance(30);
    assert_eq!(world.snapshot("bob").chats[0].state, ChatState::Open);
}

#[test]
fn a_full_inbox_acknowledges_nothing_and_loses_nothing() {
    let mut world = World::new(&["alice", "bob"]);
    world.node("bob").core.settings.max_inbox_messages = 3;
    world.chat("alice", "bob");
    let keys: Vec<_> = (0..6).map(|n| world.send("alice", "bob", &n.to_string())).collect();
    world.advance(2);
    let delivered = |world: &World| keys.iter().filter(|k| world.nodes[0].answers.contains_key(k)).count();
    assert_eq!(delivered(&world), 3);
    assert_eq!(world.snapshot("bob").unread.len(), 3);
    assert!(world.snapshot("bob").status.hints.iter().any(|hint| hint.contains("secchatctl read")));
    // The link breaks meanwhile: what was not acknowledged goes again and is not doubled.
    world.cut("bob");
    world.advance(5);
    assert_eq!(world.read("bob"), ["0", "1", "2"]);
    world.advance(5);
    assert_eq!(delivered(&world), 6);
    assert_eq!(world.read("bob"), ["3", "4", "5"]);
    assert!(world.snapshot("bob").status.hints.is_empty());
}

#[test]
fn what_is_held_back_when_a_chat_ends_counts_as_missing() {
    let mut world = World::new(&["alice", "bob"]);
    world.node("bob").core.settings.max_inbox_messages = 1;
    world.chat("alice", "bob");
    let keys: Vec<_> = (0..3).map(|n| world.send("alice", "bob", &n.to_string())).collect();
    world.advance(2);
    world.ok("alice", Command::Close { peer: ipc("bob") });
    assert_eq!(ended(&mut world, "alice"), Some((EndReason::ClosedHere, 2, 0)));
    assert_eq!(ended(&mut world, "bob"), Some((EndReason::ClosedByPeer, 0, 2)));
    assert!(matches!(world.answer("alice", keys[2]), Some(Err(CommandError::NotDelivered { .. }))));
}

#[test]
fn a_chat_goes_on_after_lost_links_on_either_side() {
    let mut world = World::new(&["alice", "bob"]);
    world.chat("alice", "bob");
    for (round, cut) in ["alice", "bob", "alice"].into_iter().enumerate() {
        world.cut(cut);
        assert_eq!(world.snapshot("alice").chats[0].state, ChatState::Interrupted);
        let key = world.send("alice", "bob", &format!("while away {round}"));
        assert_eq!(world.answer("alice", key), None);
        world.advance(20);
        assert_eq!(world.snapshot("alice").chats[0].state, ChatState::Open, "{round}");
        assert!(matches!(world.answer("alice", key), Some(Ok(Reply::Delivered { .. }))));
        assert_eq!(world.read("bob"), [format!("while away {round}")]);
    }
}

#[test]
fn a_lost_link_before_the_chat_opens_costs_nothing_but_time() {
    // At whatever message of the opening the link breaks.
    for (cut, after) in
        [("alice", 0), ("alice", 1), ("alice", 2), ("alice", 3), ("bob", 1), ("bob", 2), ("bob", 3)]
    {
        let mut world = World::new(&["alice", "bob"]);
        let asking = world.start("alice", world.rtt("bob", true));
        let mut left = after;
        world.tamper = Some(Box::new(move |_, message| {
            let counts = matches!(message, LinkMessage::KeyEstablishment { .. } | LinkMessage::Chat { .. });
            if counts && left == 0 {
                return None;
            }
            left -= usize::from(counts);
            Some(message)
        }));
        world.ok("bob", Command::Accept { peer: ipc("alice"), terms: None, wait: false });
        world.tamper = None;
        world.cut(cut);
        world.advance(60);
        assert!(matches!(world.answer("alice", asking), Some(Ok(Reply::ChatOpen { .. }))), "{cut} {after}");
        let key = world.send("bob", "alice", "there");
        assert!(matches!(world.answer("bob", key), Some(Ok(Reply::Delivered { .. }))));
    }
}

#[test]
fn locking_keeps_chats_and_unlocking_resumes_them() {
    let mut world = World::new(&["alice", "bob"]);
    world.chat("alice", "bob");
    world.send("bob", "alice", "before");
    world.ok("alice", Command::Lock);
    assert_eq!(world.snapshot("alice").chats[0].state, ChatState::Interrupted);
    assert_eq!(world.read("alice"), ["before"]);
    assert_eq!(
        world.err("alice", Command::Send { peer: ipc("bob"), text: "x".into() }),
        CommandError::Locked
    );
    let waiting = world.send("bob", "alice", "meanwhile");
    assert_eq!(world.answer("bob", waiting), None);
    world.ok("alice", Command::Unlock { passphrase: pass("right"), ttl_seconds: 0 });
    world.advance(20);
    assert!(matches!(world.answer("bob", waiting), Some(Ok(Reply::Delivered { .. }))));
    assert_eq!(world.read("alice"), ["meanwhile"]);
}

#[test]
fn a_newer_chat_takes_the_place_of_the_older() {
    let mut world = World::new(&["alice", "bob"]);
    world.chat("alice", "bob");
    world.advance(10);
    // Bob's daemon dies and has lost the chat; alice's still holds it, interrupted.
    world.node("bob").disk.retain(|key, _| !matches!(key, RecordKey::Chat(_)));
    world.crash("bob");
    world.advance(1);
    assert_eq!(world.snapshot("alice").chats[0].state, ChatState::Interrupted);
    world.chat("bob", "alice");
    assert_eq!(world.snapshot("alice").chats.len(), 1);
    assert_eq!(ended(&mut world, "alice"), Some((EndReason::Superseded, 0, 0)));
    let key = world.send("alice", "bob", "new");
    assert!(matches!(world.answer("alice", key), Some(Ok(Reply::Delivered { .. }))));
}

#[test]
fn of_two_chats_in_one_second_nobody_waits_in_vain() {
    let mut world = World::new(&["alice", "bob"]);
    world.chat("alice", "bob");
    for seed in 0..8 {
        // Without its chats, alice's daemon asks again within the second: which one is the newer is up to their ids.
        world.relay.leave(&name("alice"));
        let mut disk = world.node("alice").disk.clone();
        disk.retain(|key, _| !matches!(key, RecordKey::Chat(_)));
        world.add(settings("alice"), disk);
        world.node("alice").core.entropy = TestEntropy(seed);
        world.ok("alice", Command::Unlock { passphrase: pass("right"), ttl_seconds: 0 });
        world.ok("alice", Command::Login);
        world.start("alice", world.rtt("bob", true));
        let accept = Command::Accept { peer: ipc("alice"), terms: None, wait: true };
        match world.result("bob", accept) {
            Ok(Reply::ChatOpen { .. }) | Err(CommandError::AlreadyResolved { .. }) => {}
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn closing_without_the_peer_answers_at_once_and_is_confirmed_later() {
    let mut world = World::new(&["alice", "bob"]);
    world.chat("alice", "bob");
    world.ok("bob", Command::Logout);
    assert!(matches!(world.ok("alice", Command::Close { peer: ipc("bob") }), Reply::Closed { .. }));
    assert_eq!(world.snapshot("alice").chats[0].state, ChatState::Closing);
    assert!(matches!(
        world.err("alice", Command::Send { peer: ipc("bob"), text: "x".into() }),
        CommandError::NoChat { .. }
    ));
    world.ok("bob", Command::Login);
    world.advance(30);
    assert_eq!(ended(&mut world, "alice"), Some((EndReason::ClosedHere, 0, 0)));
    assert_eq!(ended(&mut world, "bob"), Some((EndReason::ClosedByPeer, 0, 0)));
}

#[test]
fn closing_an_accept_that_never_opened_refuses_it() {
    let mut world = World::new(&["alice", "bob"]);
    let asking = world.start("alice", world.rtt("bob", true));
    world.tamper = Some(Box::new(|_, message| {
        (!matches!(message, LinkMessage::KeyEstablishment { .. })).then_some(message)
    }));
    world.ok("bob", Command::Accept { peer: ipc("alice"), terms: None, wait: false });
    assert_eq!(world.snapshot("bob").chats[0].state, ChatState::Opening);
    world.ok("bob", Command::Close { peer: ipc("alice") });
    assert_eq!(world.answer("alice", asking), Some(Err(CommandError::Refused { peer: ipc("bob") })));
    assert!(world.snapshot("bob").chats.is_empty());
}

#[test]
fn blocking_ends_the_chat_and_unblocking_lets_ask_again() {
    let mut world = World::new(&["alice", "bob"]);
    world.chat("alice", "bob");
    world.ok("bob", Command::SetBlocked { peer: ipc("alice"), blocked: true });
    assert_eq!(ended(&mut world, "bob"), Some((EndReason::KeyGone, 0, 0)));
    assert!(matches!(world.err("bob", world.rtt("alice", true)), CommandError::Blocked { .. }));
    world.send("alice", "bob", "hello?");
    world.advance(60);
    assert!(world.snapshot("bob").unread.is_empty());
    world.ok("bob", Command::SetBlocked { peer: ipc("alice"), blocked: false });
    world.chat("alice", "bob");
}

#[test]
fn a_stopping_daemon_keeps_its_chats_and_answers_everybody() {
    let mut world = World::new(&["alice", "bob", "carol"]);
    world.chat("alice", "bob");
    let waiting = world.start("bob", world.rtt("carol", true));
    world.input("bob", Input::Stop);
    assert_eq!(world.answer("bob", waiting), Some(Err(CommandError::Stopping)));
    assert_eq!(world.err("bob", Command::Status), CommandError::Stopping);
    assert_eq!(ended(&mut world, "alice"), None);
    assert_eq!(world.snapshot("alice").chats[0].state, ChatState::Interrupted);
    assert!(!world.relay.names().contains(&name("bob")));
}

#[test]
fn two_texts_at_once_and_marks_by_id() {
    let mut world = World::new(&["alice", "bob"]);
    world.chat("alice", "bob");
    for text in ["one", "two", "three"] {
        world.send("alice", "bob", text);
    }
    let chat = world.snapshot("bob").chats[0].clone();
    assert_eq!(chat.unread, 3);
    world.ok("bob", Command::MarkRead { chat_id: chat.chat_id, up_to: 2 });
    assert_eq!(world.snapshot("bob").chats[0].unread, 1);
    world.ok("bob", Command::Read { peer: Some(ipc("alice")), peek: true });
    assert_eq!(world.read("bob"), ["three"]);
    let long = world.err("alice", Command::Send { peer: ipc("bob"), text: "x".repeat(32_769) });
    assert!(matches!(long, CommandError::Invalid { why } if why.contains("32769")));
}

#[test]
fn what_was_closed_without_the_peer_stays_closed() {
    let mut world = World::new(&["alice", "bob"]);
    world.chat("alice", "bob");
    // At any moment of the sending, with the link lost before or while the close waits.
    for is_first_cut in [true, false] {
        if is_first_cut {
            world.cut("alice");
        } else {
            world.chat("alice", "bob");
            world.tamper = Some(Box::new(|_, message| {
                (!matches!(message, LinkMessage::Chat { .. })).then_some(message)
            }));
        }
        let sending: Vec<_> = (0..40).map(|n| world.send("alice", "bob", &n.to_string())).collect();
        let closing = world.start("alice", Command::Close { peer: ipc("bob") });
        if !is_first_cut {
            assert_eq!(world.answer("alice", closing), None, "the peer is there");
            world.tamper = None;
            world.cut("alice");
        }
        let Some(Ok(Reply::Closed { undelivered, .. })) = world.answer("alice", closing) else { panic!() };
        assert_eq!(undelivered, 40);
        for key in &sending {
            let answer = world.answer("alice", *key);
            assert!(matches!(answer, Some(Err(CommandError::NotDelivered { .. }))), "{answer:?}");
        }
        assert_eq!(world.snapshot("alice").chats[0].undelivered, 40);
        assert_eq!(world.snapshot("alice").chats[0].state, ChatState::Closing);
        world.advance(30);
        assert_eq!(world.read("bob"), [""; 0], "nothing of it comes after all");
        assert!(world.snapshot("alice").chats.is_empty() && world.snapshot("bob").chats.is_empty());
        assert_eq!(ended(&mut world, "alice"), Some((EndReason::ClosedHere, 40, 0)));
    }
}

#[test]
fn response_2_interrupts_whichever_side_hears_it() {
    for side in ["alice", "bob"] {
        let mut world = World::new(&["alice", "bob"]);
        world.chat("alice", "bob");
        let chat_id = ChatId::from_bytes(world.snapshot("bob").chats[0].chat_id.0).unwrap();
        let other = if side == "alice" { "bob" } else { "alice" };
        world.relay.pairs.remove(&chat_id);
        let withdrawn = LinkMessage::Response { answer: Answer::Withdraw, name: name(other), chat_id };
        world.input(side, Input::LinkMessage(withdrawn));
        assert_eq!(world.snapshot(side).chats[0].state, ChatState::Interrupted, "{side}");
        world.input(other, Input::LinkMessage(LinkMessage::ReturnToLobby { chat_id }));
        world.advance(30);
        assert_eq!(world.snapshot(side).chats[0].state, ChatState::Open, "{side}");
    }
}

#[test]
fn response_2_interrupts_an_asker_whose_chat_is_opening() {
    let mut world = World::new(&["alice", "bob"]);
    world.ok("alice", world.rtt("bob", false));
    world.tamper = Some(Box::new(|_, message| {
        (!matches!(message, LinkMessage::KeyEstablishment { .. })).then_some(message)
    }));
    world.ok("bob", Command::Accept { peer: ipc("alice"), terms: None, wait: false });
    world.tamper = None;
    let chat_id = ChatId::from_bytes(world.snapshot("bob").chats[0].chat_id.0).unwrap();
    assert_eq!(world.node("alice").core.chats[&chat_id].chat.phase(), Phase::Establishing);
    let withdrawn = LinkMessage::Response { answer: Answer::Withdraw, name: name("bob"), chat_id };
    world.input("alice", Input::LinkMessage(withdrawn));
    assert_eq!(world.node("alice").core.chats[&chat_id].chat.phase(), Phase::Unpaired);
    assert_eq!(world.snapshot("alice").outgoing.len(), 1, "the request is this side's own");
}
