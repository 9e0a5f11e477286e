//! `inspect` prints all that the relay holds on somebody: the memory of the running process is searched for what else
//! there is. What is held is what is in use: so the C library is told to write over all that is given back. The threads'
//! stacks do not count: what a task has between its steps is not there, only what functions left that have returned.

use openssl::pkey::PKey;
use secchat_e2e::{Memory, public_key_base64};
use secchat_proto::wire::link::{LinkMessage, LogoutReason};

use crate::relay::{Files, LiveRelay};

/// Somebody whose name is nothing else.
const WHO: &str = "persephone.1792";

/// What there is of somebody, by what it is.
type Traces = Vec<(&'static str, Vec<u8>)>;

fn traces_in(relay: &LiveRelay, traces: &Traces) -> Vec<(&'static str, Vec<String>)> {
    let memory = Memory::of(relay.process.pid()).expect("as before");
    traces.iter().map(|(what, bytes)| (*what, memory.find_outside_stacks(bytes))).collect()
}

#[tokio::test]
async fn of_somebody_who_has_gone_nothing_is_left_in_the_memory() {
    let prepare = |files: &Files| files.configure("[limits]\ngather_ms = 50\n");
    let mut relay = LiveRelay::start_command(prepare, |command| {
        command.env("GLIBC_TUNABLES", "glibc.malloc.perturb=90:glibc.malloc.tcache_count=0");
    })
    .await;
    if Memory::of(relay.process.pid()).is_none() {
        return println!("not root: the relay's memory was not searched");
    }
    let key = PKey::generate_ed25519().expect("a key");
    relay.keys.insert(WHO, key.clone());
    relay.write("user_list", relay.list(&["alice", "bob", "carol", WHO]));
    relay.logs("reloaded", 1).await;
    let mut alice = relay.login("alice").await;
    let mut carol = relay.login("carol").await;
    let mut who = relay.login(WHO).await;
    let together = alice.pair_with(&mut carol).await;
    let chat_id = who.pair_with(&mut alice).await;
    alice.says.say(&LinkMessage::Chat { chat_id, record: vec![3; 100] }).await;
    who.hears.next().await;
    let asked = who.ask(&"dora".parse().expect("a name")).await;
    // Nobody of that name is here.
    who.hears.next().await;

    let traces: Traces = vec![
        ("name", WHO.as_bytes().to_vec()),
        ("key", key.raw_public_key().expect("an Ed25519 key")),
        ("key as the list has it", public_key_base64(&key).as_bytes()[16..].to_vec()),
        ("chat", chat_id.as_bytes().to_vec()),
        ("request", asked.as_bytes().to_vec()),
    ];
    let held = relay.run(["inspect", "--about", WHO]).await.ok().stdout;
    for word in [WHO, "chats        with alice", "to dora: request", "ed25519 SHA256:"] {
        assert!(held.contains(word), "{word} is not in {held}");
    }
    let there: Vec<_> =
        traces_in(&relay, &traces).into_iter().map(|(what, found)| (what, found.len())).collect();
    println!("while here: {there:?}");
    for (what, count) in there {
        assert_eq!(count == 0, what == "key as the list has it", "{what} is there {count} times");
    }

    relay.write("user_list", relay.list(&["alice", "bob", "carol"]));
    who.is_logged_out(LogoutReason::Removed).await;
    drop(who);
    relay.logs("link closed by the relay", 1).await;
    for round in 0.. {
        // Others go on: what they say and ask takes the places in queues and tables that were emptied.
        for turn in 0..100 {
            let record = LinkMessage::Chat { chat_id: together, record: vec![turn; 700] };
            alice.says.say(&record).await;
            while carol.hears.next().await.expect("the link") != record {}
            carol.says.say(&record).await;
            while alice.hears.next().await.expect("the link") != record {}
        }
        let mut bob = relay.login("bob").await;
        bob.pair_with(&mut alice).await;
        bob.ask(&"dora".parse().expect("a name")).await;
        bob.hears.next().await;
        drop(bob);
        let held = relay.run(["inspect", "--about", WHO]).await.ok().stdout;
        let left: Vec<_> =
            traces_in(&relay, &traces).into_iter().filter(|(_, found)| !found.is_empty()).collect();
        if held == format!("Nothing is held on {WHO}.\n") && left.is_empty() {
            break;
        }
        // Fewer than one may ask another at once.
        assert!(round < 30, "{held}{left:#?}");
    }
}
