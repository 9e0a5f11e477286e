//! `inspect` prints all that the relay holds on somebody: the memory of the running process is searched for what else
//! there is. What is held is what is in use: so the C library is told to write over all that is given back. The threads'
//! stacks do not count: what a task has between its steps is not there, only what functions left that have returned.

use std::fs::File;
use std::os::unix::fs::FileExt;

use openssl::pkey::PKey;
use secchat_e2e::public_key_base64;
use secchat_proto::wire::link::{LinkMessage, LogoutReason};

use crate::relay::{Files, LiveRelay};

/// Somebody whose name is nothing else.
const WHO: &str = "persephone.1792";

const PAGE_BYTES: u64 = 4_096;

/// A process's memory that it can write to.
struct Memory {
    file: File,
    maps: String,
}

impl Memory {
    /// `None` where we may not read it: the relay forbids it to all but root.
    fn of(pid: u32) -> Option<Self> {
        let file = File::open(format!("/proc/{pid}/mem")).ok()?;
        let maps = std::fs::read_to_string(format!("/proc/{pid}/maps")).ok()?;
        Some(Self { file, maps })
    }

    /// Where these bytes are, and what is around them.
    fn find(&self, needle: &[u8]) -> Vec<String> {
        let mut found = Vec::new();
        let mut guarded = None;
        for map in self.maps.lines() {
            let mut words = map.split_whitespace();
            let range = words.next().and_then(|range| range.split_once('-')).expect("a range");
            let [start, end] = [range.0, range.1].map(|at| u64::from_str_radix(at, 16).expect("an address"));
            let rights = words.next().expect("rights");
            // A thread's stack lies above a page that nobody may touch.
            let is_stack = guarded == Some(start) || map.ends_with("[stack]");
            guarded = (rights == "---p" && end - start == PAGE_BYTES).then_some(end);
            if is_stack || !rights.starts_with("rw") {
                continue;
            }
            let mut bytes = vec![0; usize::try_from(end - start).expect("a size")];
            // What cannot be read is no memory.
            let Ok(()) = self.file.read_exact_at(&mut bytes, start) else { continue };
            let mut at = 0;
            while let Some(next) = bytes[at..].iter().position(|byte| *byte == needle[0]) {
                at += next;
                if bytes[at..].starts_with(needle) {
                    let around = &bytes[at.saturating_sub(48)..(at + needle.len() + 48).min(bytes.len())];
                    found.push(format!("{map} +{at:#x}: {}", around.escape_ascii()));
                }
                at += 1;
            }
        }
        found
    }
}

/// What there is of somebody, by what it is.
type Traces = Vec<(&'static str, Vec<u8>)>;

fn traces_in(relay: &LiveRelay, traces: &Traces) -> Vec<(&'static str, Vec<String>)> {
    let memory = Memory::of(relay.process.pid()).expect("as before");
    traces.iter().map(|(what, bytes)| (*what, memory.find(bytes))).collect()
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
