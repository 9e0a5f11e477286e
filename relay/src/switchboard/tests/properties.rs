//! Whatever is said, in whatever order: what must never happen, does not. A model beside the switchboard knows only
//! who offered what to whom.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use secchat_proto::limits::{MAX_PAIR_QUEUE_BYTES, MAX_PAIR_QUEUE_RECORDS};
use secchat_proto::wire::link::{Answer, ChatId, LinkMessage};
use secchat_proto::wire::login::Role;

use super::super::lane::Ticket;
use super::super::{Command, SessionId};
use super::{Bench, lobby, m1, record, response, resume, rtt, user};
use crate::limits::Limits;

const NAMES: [&str; 4] = ["alice", "bob", "carol", "dora"];

#[derive(Clone, Debug)]
enum Act {
    Login(usize, Role),
    Gone(usize),
    Say(usize, LinkMessage),
    /// The link takes what it was sent.
    Drain(usize),
    Pass(u64),
}

fn message() -> impl Strategy<Value = LinkMessage> {
    // One name is nobody's.
    let name = prop::sample::select(vec!["alice", "bob", "carol", "dora", "nobody"]);
    let role = prop_oneof![Just(Role::Receiver), Just(Role::Sender)];
    let answer = prop_oneof![Just(Answer::Accept), Just(Answer::Refuse), Just(Answer::Withdraw)];
    let chat = 1..4_u8;
    prop_oneof![
        1 => any::<bool>().prop_map(|watch| LinkMessage::Refresh { watch }),
        2 => role.prop_map(|role| LinkMessage::Presence { role }),
        6 => (name.clone(), chat.clone()).prop_map(|(name, chat)| rtt(name, chat)),
        6 => (answer, name.clone(), chat.clone()).prop_map(|(answer, name, chat)| response(answer, name, chat)),
        4 => (name, chat.clone()).prop_map(|(name, chat)| resume(name, chat)),
        1 => chat.clone().prop_map(m1),
        4 => (chat.clone(), prop_oneof![Just(10), Just(60_000)]).prop_map(|(chat, size)| record(chat, size)),
        1 => chat.prop_map(lobby),
    ]
}

fn act() -> impl Strategy<Value = Act> {
    let who = 0..NAMES.len();
    prop_oneof![
        2 => (who.clone(), any::<bool>())
            .prop_map(|(who, hidden)| Act::Login(who, if hidden { Role::Sender } else { Role::Receiver })),
        1 => who.clone().prop_map(Act::Gone),
        20 => (who.clone(), message()).prop_map(|(who, message)| Act::Say(who, message)),
        2 => who.prop_map(Act::Drain),
        1 => (0..2_000_u64).prop_map(Act::Pass),
    ]
}

/// What the test knows without the switchboard.
#[derive(Default)]
struct Model {
    sessions: BTreeMap<&'static str, SessionId>,
    names: BTreeMap<SessionId, &'static str>,
    /// Who, by name, has offered this chat to whom, on the link that lives.
    offered: BTreeSet<(&'static str, String, ChatId)>,
    /// What each link has not taken.
    queues: BTreeMap<SessionId, Vec<(LinkMessage, Ticket)>>,
}

impl Model {
    fn forget(&mut self, name: &'static str) {
        if let Some(session) = self.sessions.remove(name) {
            self.queues.remove(&session);
        }
        self.offered.retain(|(maker, ..)| *maker != name);
    }

    fn note(&mut self, name: &'static str, message: &LinkMessage) {
        let offer = match message {
            LinkMessage::Rtt { name, request } => {
                let request = secchat_proto::wire::request::RequestToTalk::decode(request).unwrap();
                Some((name, request.chat_id))
            }
            LinkMessage::Response { answer: Answer::Accept, name, chat_id }
            | LinkMessage::Resume { name, chat_id } => Some((name, *chat_id)),
            _ => None,
        };
        if let Some((to, chat_id)) = offer {
            self.offered.insert((name, to.to_string(), chat_id));
        }
    }

    fn have_offered(&self, one: &'static str, other: &'static str, chat: ChatId) -> bool {
        let offered = |maker, to: &str| self.offered.contains(&(maker, to.to_owned(), chat));
        offered(one, other) && offered(other, one)
    }
}

fn run(bench: &mut Bench, model: &mut Model, act: Act) -> Option<(SessionId, LinkMessage)> {
    match act {
        Act::Login(who, role) => {
            model.forget(NAMES[who]);
            let session = bench.login(NAMES[who], role);
            model.sessions.insert(NAMES[who], session);
            model.names.insert(session, NAMES[who]);
        }
        Act::Gone(who) => {
            if let Some(session) = model.sessions.get(NAMES[who]).copied() {
                model.forget(NAMES[who]);
                bench.board.handle_gone(session, bench.now);
            }
        }
        Act::Say(who, message) => {
            // One that has gone speaks too: on its last link.
            let last = model.names.iter().rev().find(|(_, name)| **name == NAMES[who]);
            let session = last.map_or(SessionId(0), |(session, _)| *session);
            if model.sessions.get(NAMES[who]) == Some(&session) {
                model.note(NAMES[who], &message);
            }
            bench.say(session, message.clone());
            return Some((session, message));
        }
        Act::Drain(who) => {
            if let Some(session) = model.sessions.get(NAMES[who]) {
                model.queues.remove(session);
            }
        }
        Act::Pass(seconds) => bench.pass(std::time::Duration::from_secs(seconds)),
    }
    None
}

/// Checks what one input has caused.
fn check(
    bench: &mut Bench,
    model: &mut Model,
    said: Option<(SessionId, LinkMessage)>,
) -> Result<(), TestCaseError> {
    while let Some(command) = bench.board.next_command() {
        let (to, message, ticket) = match command {
            Command::Send { to, message, ticket } => (to, message, ticket),
            Command::SendNames { to, mut names, ticket } => (to, names.next().expect("a record"), ticket),
            Command::Close { .. } => continue,
        };
        let Some(receiver) = model.names.get(&to).copied() else { continue };
        match &message {
            LinkMessage::Chat { chat_id, .. } | LinkMessage::KeyEstablishment { chat_id, .. } => {
                let (from, said) = said.as_ref().expect("records come from someone");
                prop_assert_eq!(said, &message, "untouched");
                let sender = model.names[from];
                prop_assert!(model.have_offered(sender, receiver, *chat_id), "forwarded outside a pair");
            }
            LinkMessage::Rtt { name, .. } => prop_assert!(name != &user(receiver), "asked by oneself"),
            LinkMessage::Response { answer: Answer::Accept, name, chat_id }
            | LinkMessage::Resume { name, chat_id } => {
                let maker = NAMES.into_iter().find(|maker| user(maker) == *name).expect("a user");
                prop_assert!(model.sessions.contains_key(maker), "the offer of a gone link");
                prop_assert!(model.have_offered(maker, receiver, *chat_id), "an answer nobody gave");
            }
            LinkMessage::AvailableUsers { names, .. } => {
                prop_assert!(!names.contains(&user(receiver)), "oneself on the list");
            }
            _ => {}
        }
        model.queues.entry(to).or_default().push((message, ticket));
    }
    Ok(())
}

fn check_queues(model: &Model) -> Result<(), TestCaseError> {
    for queue in model.queues.values() {
        let mut lanes: BTreeMap<ChatId, (usize, usize)> = BTreeMap::new();
        for (message, ticket) in queue {
            if let (LinkMessage::Chat { chat_id, record }, false) = (message, ticket.is_void()) {
                let lane = lanes.entry(*chat_id).or_default();
                *lane = (lane.0 + 1, lane.1 + record.len());
            }
        }
        let bytes: usize = lanes.values().map(|lane| lane.1).sum();
        prop_assert!(bytes <= LINK_BYTES, "the link's bound");
        // A chat that was paired anew has the old pair's records and its own.
        for (records, bytes) in lanes.into_values() {
            prop_assert!(records <= 3 * MAX_PAIR_QUEUE_RECORDS && bytes <= 3 * MAX_PAIR_QUEUE_BYTES);
        }
    }
    Ok(())
}

/// Whatever the switchboard knows of somebody, `inspect` tells: no name is anywhere in its state without that.
fn check_holdings(bench: &Bench) -> Result<(), TestCaseError> {
    let state = format!("{:?}", bench.board);
    for name in NAMES.into_iter().chain(["nobody"]) {
        let holdings = bench.board.holdings(&user(name), bench.now.instant);
        prop_assert!(!holdings.is_empty() || !state.contains(name), "{name} is in {state}");
    }
    Ok(())
}

const LINK_BYTES: usize = 1_500_000;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn nothing_is_forwarded_outside_a_pair_and_every_queue_has_its_bound(
        acts in prop::collection::vec(act(), 1..200),
    ) {
        let mut bench = Bench::with(Limits { link_forward_bytes: LINK_BYTES, ..Limits::default() });
        let mut model = Model::default();
        for act in acts {
            let said = run(&mut bench, &mut model, act);
            check(&mut bench, &mut model, said)?;
            check_queues(&model)?;
            check_holdings(&bench)?;
            for maker in bench.board.offers.makers() {
                prop_assert!(bench.board.is_online(maker), "an offer of a gone link");
            }
            let ends: usize = bench.board.sessions.values().map(|session| session.pairs.len()).sum();
            prop_assert_eq!(bench.board.load().chats * 2, ends);
        }
    }

    #[test]
    fn of_who_is_off_the_list_nothing_is_left(acts in prop::collection::vec(act(), 1..100), who in 0..NAMES.len()) {
        let mut bench = Bench::new();
        let mut model = Model::default();
        for act in acts {
            run(&mut bench, &mut model, act);
            while bench.board.next_command().is_some() {}
        }
        bench.board.handle_new_key(&user(NAMES[who]), None, bench.now);
        while bench.board.next_command().is_some() {}
        // Those who watch are told that it went.
        bench.pass(std::time::Duration::from_secs(10));
        while bench.board.next_command().is_some() {}
        prop_assert!(bench.board.holdings(&user(NAMES[who]), bench.now.instant).is_empty());
        let state = format!("{:?}", bench.board);
        prop_assert!(!state.contains(NAMES[who]), "{} is in {state}", NAMES[who]);
    }

    /// Two worlds that differ only in where bob is: what eve hears must not tell.
    #[test]
    fn nobody_can_tell_hidden_from_offline_from_unknown(
        acts in prop::collection::vec((0..2_usize, message()), 1..60),
    ) {
        let mut heard = Vec::new();
        for bob in ["hidden", "offline", "unknown"] {
            let mut bench = Bench::new();
            let eve = bench.login("alice", Role::Receiver);
            let other = bench.login("carol", Role::Receiver);
            match bob {
                "hidden" => drop(bench.login("bob", Role::Sender)),
                "offline" => {
                    let bob = bench.login("bob", Role::Receiver);
                    bench.board.handle_gone(bob, bench.now);
                }
                _ => {}
            }
            bench.heard();
            let mut world = Vec::new();
            for (who, message) in acts.clone() {
                // Only a word of bob's own tells more of him.
                bench.say([eve, other][who], message);
                while let Some(command) = bench.board.next_command() {
                    match command {
                        Command::Send { to, message, .. } if to == eve || to == other => world.push((to, message)),
                        Command::SendNames { to, names, .. } if to == eve || to == other => {
                            world.extend(names.map(|message| (to, message)));
                        }
                        _ => {}
                    }
                }
            }
            heard.push(world);
        }
        prop_assert_eq!(&heard[0], &heard[1]);
        prop_assert_eq!(&heard[1], &heard[2]);
    }
}
