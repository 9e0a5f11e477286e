//! Whatever comes in whatever order: no panic, every command answered once, frontends see what is.

use proptest::prelude::*;
use secchat_ipc::types::{ChatId as IpcChatId, Policy};
use secchat_proto::wire::link::{Answer, BadReason, ChatId, ListPart, LogoutReason, Step};

use super::*;

const USERS: [&str; 3] = ["alice", "bob", "carol"];

fn peer() -> impl Strategy<Value = IpcName> {
    (0..4usize).prop_map(|n| ipc(["alice", "bob", "carol", "nobody"][n]))
}

fn policy() -> impl Strategy<Value = Option<Policy>> {
    (0..5usize).prop_map(|n| {
        [None, Some(Policy::Ask), Some(Policy::Accept), Some(Policy::Refuse), Some(Policy::RefuseQuietly)][n]
    })
}

fn terms() -> impl Strategy<Value = Terms> {
    (0..3u64, 0..3u16).prop_map(|(until, days)| Terms {
        until: (until > 0).then(|| UNIX + until * 400),
        history_days: (days > 0).then_some(days),
    })
}

fn command() -> impl Strategy<Value = Command> {
    prop_oneof![
        4 => (peer(), terms(), 1..2_000u32, any::<bool>())
            .prop_map(|(peer, terms, lifetime_seconds, wait)| Command::Rtt { peer, terms, lifetime_seconds, wait }),
        4 => (peer(), any::<bool>()).prop_map(|(peer, wait)| Command::Accept { peer, terms: None, wait }),
        2 => (peer(), any::<bool>()).prop_map(|(peer, quietly)| Command::Refuse { peer, quietly }),
        1 => peer().prop_map(|peer| Command::Later { peer }),
        1 => peer().prop_map(|peer| Command::Withdraw { peer }),
        4 => (peer(), "[a-z]{0,5}").prop_map(|(peer, text)| Command::Send { peer, text }),
        2 => (proptest::option::of(peer()), any::<bool>()).prop_map(|(peer, peek)| Command::Read { peer, peek }),
        1 => peer().prop_map(|peer| Command::Close { peer }),
        1 => any::<bool>().prop_map(|available| Command::SetReachability { available }),
        1 => (proptest::option::of(peer()), policy()).prop_map(|(peer, policy)| Command::SetPolicy { peer, policy }),
        1 => (peer(), any::<bool>()).prop_map(|(peer, blocked)| Command::SetBlocked { peer, blocked }),
        1 => peer().prop_map(|peer| Command::Forget { peer }),
        1 => peer().prop_map(|peer| Command::SafetyNumber { peer }),
        1 => (any::<[u8; 16]>(), 0..3u64).prop_map(|(id, up_to)| Command::MarkRead { chat_id: IpcChatId(id), up_to }),
        1 => Just(Command::Lock),
        1 => Just(Command::LockKeepSession),
        2 => Just(Command::Unlock { passphrase: pass("right"), ttl_seconds: 0 }),
        1 => Just(Command::Logout),
        2 => Just(Command::Login),
        1 => Just(Command::List),
        1 => Just(Command::Subscribe),
        1 => Just(Command::Peers),
        1 => Just(Command::Requests),
    ]
}

#[derive(Clone, Debug)]
enum Step_ {
    Command(usize, Command, u64),
    Advance(u64),
    Cut(usize),
    Gone(usize, u64),
    Relay(bool),
    /// A message of the relay's own making: which one, of whom, about which chat, with which bytes.
    Forged(usize, u8, usize, usize, Vec<u8>),
}

fn step() -> impl Strategy<Value = Step_> {
    prop_oneof![
        10 => (0..3usize, command(), 1..4u64).prop_map(|(user, command, f)| Step_::Command(user, command, f)),
        3 => (0..700u64).prop_map(Step_::Advance),
        1 => (0..3usize).prop_map(Step_::Cut),
        1 => (0..3usize, 1..4u64).prop_map(|(user, frontend)| Step_::Gone(user, frontend)),
        1 => any::<bool>().prop_map(Step_::Relay),
        4 => (0..3usize, 0..20u8, 0..4usize, 0..4usize, proptest::collection::vec(any::<u8>(), 0..80))
            .prop_map(|(to, kind, name, chat, bytes)| Step_::Forged(to, kind, name, chat, bytes)),
    ]
}

/// A message of each kind; about a chat of the core, if it has one.
fn forged(world: &mut World, to: &str, (kind, who, chat): (u8, usize, usize), bytes: &[u8]) -> LinkMessage {
    let core = &world.node(to).core;
    let mut known: Vec<ChatId> = core.chats.keys().chain(core.requests.keys()).copied().collect();
    known.extend(core.asked.values().map(|asked| asked.request.chat_id));
    let chat_id = known.get(chat).copied().unwrap_or_else(|| ChatId::from_bytes([9; 16]).unwrap());
    let name = name(["alice", "bob", "carol", "mallory"][who]);
    let body = bytes.to_vec();
    match kind {
        0 => LinkMessage::AvailableUsers { part: ListPart::More, names: vec![name] },
        1 => LinkMessage::AvailableUsers { part: ListPart::Last, names: vec![name] },
        2 => LinkMessage::AvailableUsers { part: ListPart::Came, names: vec![name] },
        3 => LinkMessage::AvailableUsers { part: ListPart::Went, names: vec![name] },
        4 => LinkMessage::PeerKey { name, public_key: body },
        5 => LinkMessage::Rtt { name, request: body },
        6 => LinkMessage::Response { answer: Answer::Accept, name, chat_id },
        7 => LinkMessage::Response { answer: Answer::Refuse, name, chat_id },
        8 => LinkMessage::Response { answer: Answer::Withdraw, name, chat_id },
        9 => LinkMessage::Resume { name, chat_id },
        10 => LinkMessage::KeyEstablishment { chat_id, step: Step::M1, body },
        11 => LinkMessage::KeyEstablishment { chat_id, step: Step::M2, body },
        12 => LinkMessage::KeyEstablishment { chat_id, step: Step::M3, body },
        13 => LinkMessage::Chat { chat_id, record: body },
        14 => LinkMessage::ReturnToLobby { chat_id },
        15 => LinkMessage::BadResponse { reason: BadReason::NotAvailable, name, chat_id },
        16 => LinkMessage::BadResponse { reason: BadReason::Limit, name, chat_id },
        17 => LinkMessage::Logout([LogoutReason::Closing, LogoutReason::Replaced][chat % 2]),
        18 => LinkMessage::Pong([0; 8]),
        _ => LinkMessage::Acknowledgment { name, chat_id },
    }
}

fn play(steps: Vec<Step_>) {
    let mut world = World::new(&USERS);
    let mut asked: Vec<(usize, RequestKey)> = Vec::new();
    for step in steps {
        match step {
            Step_::Command(user, command, frontend) => {
                asked.push((user, world.command(USERS[user], command, frontend)));
            }
            Step_::Advance(seconds) => world.advance(seconds),
            Step_::Cut(user) => world.cut(USERS[user]),
            Step_::Gone(user, frontend) => {
                world.input(USERS[user], Input::FrontendGone(frontend));
                asked.retain(|(u, key)| {
                    *u != user || key.frontend != frontend || world.nodes[*u].answers.contains_key(key)
                });
            }
            Step_::Relay(up) => world.relay_up = up,
            Step_::Forged(to, kind, who, chat, bytes) => {
                let message = forged(&mut world, USERS[to], (kind, who, chat), &bytes);
                world.input(USERS[to], Input::LinkMessage(message));
            }
        }
    }
    world.relay_up = true;
    world.advance(5_000);
    for (user, key) in asked {
        let at = world.at(USERS[user]);
        assert!(world.nodes[at].answers.contains_key(&key), "{} never answered {key:?}", USERS[user]);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn frontends_see_what_is_and_every_command_is_answered_once(steps in proptest::collection::vec(step(), 1..60)) {
        play(steps);
    }
}

#[test]
fn every_message_in_every_state_is_survived() {
    // Who asks whom, and how far it is.
    for state in 0..11 {
        for kind in 0..20 {
            for chat in 0..2 {
                let mut world = if state == 0 { World::locked(&USERS) } else { World::new(&USERS) };
                match state {
                    2 => drop(world.start("alice", world.rtt("bob", true))),
                    3 => drop(world.start("bob", world.rtt("alice", true))),
                    4 => world.chat("alice", "bob"),
                    5 => world.chat("bob", "alice"),
                    6 => {
                        world.chat("alice", "bob");
                        world.cut("bob");
                    }
                    7 => {
                        world.start("alice", world.rtt("bob", false));
                        world.ok("alice", Command::Lock);
                    }
                    8 => {
                        world.chat("alice", "bob");
                        world.ok("alice", Command::Close { peer: ipc("bob") });
                    }
                    9 => {
                        world.start("bob", world.rtt("alice", true));
                        world.ok("alice", Command::LockKeepSession);
                    }
                    10 => {
                        world.chat("alice", "bob");
                        world.start("alice", world.rtt("carol", false));
                        world.ok("alice", Command::LockKeepSession);
                    }
                    _ => {}
                }
                for bytes in [&[][..], &[1; 64]] {
                    let message = forged(&mut world, "alice", (kind, 1, chat), bytes);
                    world.input("alice", Input::LinkMessage(message));
                }
                world.advance(10);
            }
        }
    }
}
