//! A reload a second while a hundred pairs chat: nobody notices anything.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use openssl::pkey::{PKey, Private};
use secchat_e2e::{public_key_base64, within};
use secchat_proto::wire::link::{ChatId, LinkMessage};

use crate::relay::{Files, LiveRelay};
use secchat_e2e::{Hearing, Saying, WireClient};

const PAIRS: usize = 100;
/// Between two messages of one pair, each way.
const PACE: Duration = Duration::from_millis(100);
const TIME: Duration = Duration::from_secs(10);

pub(crate) fn users(pairs: usize) -> Vec<(String, PKey<Private>)> {
    (0..2 * pairs).map(|at| (format!("user{at}"), PKey::generate_ed25519().expect("a key"))).collect()
}

pub(crate) fn list(keys: &[(String, PKey<Private>)]) -> String {
    keys.iter().map(|(name, key)| format!("{name} {}\n", public_key_base64(key))).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_pairs_chat_through_a_reload_a_second() {
    let keys = users(PAIRS);
    let base = list(&keys);
    let prepare = |files: &Files| {
        std::fs::write(files.path("user_list"), &base).expect("the list");
        files.configure("[limits]\nlogins_per_second_per_address = 1000\nlogin_burst_per_address = 1000\n");
    };
    let relay = LiveRelay::start_with(prepare).await;
    let mut chats = Vec::new();
    for pair in keys.chunks(2) {
        let (one, other, chat_id) = meet(&relay, pair).await;
        chats.push(tokio::spawn(chat(one, other, (chat_id, TIME))));
    }
    let stranger = PKey::generate_ed25519().expect("a key");
    let mut every = tokio::time::interval(Duration::from_secs(1));
    every.tick().await;
    for turn in 0..TIME.as_secs() {
        every.tick().await;
        // Somebody comes, or goes again.
        let more = BTreeMap::from([(format!("stranger{turn}"), stranger.clone())]);
        let more: Vec<_> = more.into_iter().collect();
        relay.write("user_list", base.clone() + &list(&more));
    }
    for chat in chats {
        within("a chat", chat).await.expect("nothing was lost");
    }
    let log = relay.logs("reloaded", usize::try_from(TIME.as_secs()).expect("seconds")).await;
    assert!(!log.contains("ended=1") && !log.contains("ERROR"), "{log}");
}

/// Two users log in, and have a chat.
pub(crate) async fn meet(
    relay: &LiveRelay,
    pair: &[(String, PKey<Private>)],
) -> (WireClient, WireClient, ChatId) {
    let ca = std::fs::read(relay.path("ca.pem")).expect("the CA");
    let mut ends = Vec::new();
    for (name, key) in pair {
        ends.push(WireClient::login(relay.address, &ca, (name, key)).await.expect("a login"));
    }
    let (mut one, mut other) = (ends.remove(0), ends.remove(0));
    let chat_id = one.pair_with(&mut other).await;
    (one, other, chat_id)
}

/// Both ends talk at their pace for a time, and hear each message of the other's once and in order, and nothing else.
pub(crate) async fn chat(one: WireClient, other: WireClient, how: (ChatId, Duration)) {
    // The links stay until both have heard everything.
    tokio::join!(
        talk(one.says, how),
        talk(other.says, how),
        listen(one.hears, how),
        listen(other.hears, how),
    );
}

async fn talk(mut says: Saying, (chat_id, time): (ChatId, Duration)) -> Saying {
    let mut every = tokio::time::interval(PACE);
    for turn in 0..turns(time) {
        every.tick().await;
        says.say(&LinkMessage::Chat { chat_id, record: turn.to_be_bytes().repeat(30) }).await;
    }
    says
}

async fn listen(mut hears: Hearing, (chat_id, time): (ChatId, Duration)) -> Hearing {
    let began = Instant::now();
    for turn in 0..turns(time) {
        let expected = LinkMessage::Chat { chat_id, record: turn.to_be_bytes().repeat(30) };
        let heard = within("a message", hears.next()).await;
        assert_eq!(heard, Some(expected), "after {:?}", began.elapsed());
    }
    hears
}

fn turns(time: Duration) -> u32 {
    u32::try_from(time.as_millis() / PACE.as_millis()).expect("turns")
}
