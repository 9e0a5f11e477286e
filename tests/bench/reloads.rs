//! What a reload costs: those who chat, in lateness; the machine, in processor time and memory. A hundred pairs chat for a
//! minute through a reload a second; then one pair sends without a pause while a list of 100,000 users is reloaded.

use std::path::Path;
use std::time::{Duration, Instant};

use openssl::pkey::{PKey, Private};
use secchat_e2e::forwarding::Gauge;
use secchat_e2e::{Hearing, Pki, Process, Saying, TestRelay, WireClient, public_key_base64, within};
use secchat_proto::wire::link::{ChatId, LinkMessage};

const PAIRS: usize = 100;
const MINUTE: Duration = Duration::from_secs(60);
/// Between two messages of one end.
const PACE: Duration = Duration::from_millis(100);
/// Users on the long list, beside the one pair.
const LONG: usize = 100_000;
/// Between two messages of the pair whose worst gap is measured.
const TIGHT: Duration = Duration::from_millis(1);

type User = (String, PKey<Private>);

/// Measures both.
pub async fn reloads() {
    minute().await;
    long_list().await;
}

async fn minute() {
    let keys = users(2 * PAIRS);
    let (pki, relay) = start(&keys, "").await;
    let base = list(&keys);
    let mut chats = Vec::new();
    for pair in keys.chunks(2) {
        let (one, other, chat_id) = pair_of(&pki, &relay, pair).await;
        chats.push(tokio::spawn(chat(one, other, (chat_id, PACE, MINUTE))));
    }
    let mut every = tokio::time::interval(Duration::from_secs(1));
    for turn in 0..MINUTE.as_secs() {
        every.tick().await;
        std::fs::write(pki.path("user_list"), format!("{base}stranger{turn} {}\n", key(&keys)))
            .expect("the list");
    }
    let mut times = Vec::new();
    for chat in chats {
        times.extend(chat.await.expect("nothing was lost"));
    }
    let late = times.iter().filter(|time| **time > Duration::from_millis(100)).count();
    crate::row(&format!("{} records of 100 pairs through 60 reloads: lateness", times.len()), times.clone());
    let worst = times.iter().max().copied().unwrap_or_default();
    println!("| the same: the latest; late by more than 100 ms | {:.1} ms; {late} |", ms(worst));
}

async fn long_list() {
    let (keys, gauge) = (users(2), Gauge::new());
    let others: String = (0..LONG).map(|at| format!("other{at} {}\n", key(&users(1)))).collect();
    let (pki, relay) = start(&keys, &gauge.config()).await;
    let path = pki.path("user_list");
    let short = list(&keys);
    let base = short.clone() + &others;
    let (one, other, chat_id) = pair_of(&pki, &relay, &keys).await;
    let chatting = tokio::spawn(chat(one, other, (chat_id, TIGHT, Duration::from_secs(40))));
    let quiet = Duration::from_secs(8);
    tokio::time::sleep(quiet).await;
    let memory = crate::resident_kib(relay.process());
    let calm = gauge.read().await;
    let lists = [
        ("100,000 users are added", base.clone()),
        ("one user more", format!("{base}one.more {}\n", key(&keys))),
        ("one user less", base.clone()),
        ("100,000 users are removed", short),
    ];
    for (reloads, (what, text)) in (1..).zip(lists) {
        let before = thread_ticks(relay.process());
        let began = Instant::now();
        write(&path, &text);
        relay
            .process()
            .log()
            .wait_until("the reload", |log| log.matches("reloaded ").count() >= reloads)
            .await;
        let (took, cpu) = (began.elapsed(), thread_ticks(relay.process()) - before);
        let grown = crate::resident_kib(relay.process()).saturating_sub(memory);
        println!(
            "| {what}: written → in force; the relay's processor time; memory above the start | {:.0} ms; {} ms; {:.1} MiB |",
            ms(took),
            cpu * 10,
            crate::mib(grown)
        );
    }
    let (all, blocked) = gauge.read().await.since(&calm).above(0.005);
    println!("| the relay's own share of a record: above 5 ms | {blocked} of {all} |");
    let times = chatting.await.expect("nothing was lost");
    // Each end's, one after the other; the quiet time is a fifth of it.
    let ends = || times.chunks(times.len() / 2).map(|end| end.split_at(end.len() / 5));
    let calm: Vec<_> = ends().flat_map(|(calm, _)| calm.to_vec()).collect();
    let busy: Vec<_> = ends().flat_map(|(_, busy)| busy.to_vec()).collect();
    for (when, times) in [("before", calm), ("meanwhile", busy)] {
        let worst = times.iter().max().copied().unwrap_or_default();
        crate::row(&format!("a record of one pair, 1,000 a second each way, {when}"), times);
        println!("| the same: the latest | {:.1} ms |", ms(worst));
    }
}

fn write(path: &Path, text: &str) {
    let new = path.with_extension("new");
    std::fs::write(&new, text).and_then(|()| std::fs::rename(&new, path)).expect("the list");
}

fn users(count: usize) -> Vec<User> {
    (0..count).map(|at| (format!("user{at}"), PKey::generate_ed25519().expect("a key"))).collect()
}

fn key(keys: &[User]) -> String {
    public_key_base64(&keys[0].1)
}

fn list(keys: &[User]) -> String {
    keys.iter().map(|(name, key)| format!("{name} {}\n", public_key_base64(key))).collect()
}

async fn start(keys: &[User], config: &str) -> (Pki, TestRelay) {
    let pki = Pki::new();
    pki.write_config(config);
    std::fs::write(pki.path("user_list"), list(keys)).expect("the list");
    let relay = TestRelay::start(&pki).await;
    (pki, relay)
}

async fn pair_of(pki: &Pki, relay: &TestRelay, keys: &[User]) -> (WireClient, WireClient, ChatId) {
    let mut ends = Vec::new();
    for (name, key) in keys {
        let login = WireClient::login(relay.address, &pki.ca.pem(), (name, key)).await;
        ends.push(login.expect("a login"));
    }
    let (mut one, mut other) = (ends.remove(0), ends.remove(0));
    let chat_id = one.pair_with(&mut other).await;
    (one, other, chat_id)
}

/// How late each record was that both ends heard.
async fn chat(one: WireClient, other: WireClient, how: (ChatId, Duration, Duration)) -> Vec<Duration> {
    let began = Instant::now();
    let (_, _, mut times, more) = tokio::join!(
        talk(one.says, how, began),
        talk(other.says, how, began),
        listen(one.hears, how, began),
        listen(other.hears, how, began),
    );
    times.extend(more);
    times
}

async fn talk(
    mut says: Saying,
    (chat_id, pace, time): (ChatId, Duration, Duration),
    began: Instant,
) -> Saying {
    let mut every = tokio::time::interval(pace);
    for turn in 0..turns(pace, time) {
        every.tick().await;
        let now = u64::try_from(began.elapsed().as_nanos()).expect("nanoseconds");
        let record = [&turn.to_be_bytes()[..], &now.to_be_bytes(), &[0; 80]].concat();
        says.say(&LinkMessage::Chat { chat_id, record }).await;
    }
    says
}

async fn listen(
    mut hears: Hearing,
    (chat_id, pace, time): (ChatId, Duration, Duration),
    began: Instant,
) -> Vec<Duration> {
    let mut times = Vec::new();
    for expected in 0..turns(pace, time) {
        let Some(LinkMessage::Chat { chat_id: of, record }) = within("a record", hears.next()).await else {
            panic!("another message, or the end");
        };
        let turn = u32::from_be_bytes(record[..4].try_into().expect("4 bytes"));
        let sent = u64::from_be_bytes(record[4..12].try_into().expect("8 bytes"));
        assert_eq!((of, turn), (chat_id, expected));
        times.push(began.elapsed().saturating_sub(Duration::from_nanos(sent)));
    }
    times
}

fn turns(pace: Duration, time: Duration) -> u32 {
    u32::try_from(time.as_nanos() / pace.as_nanos()).expect("turns")
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}

/// Processor time in hundredths of a second, of ended threads too.
fn thread_ticks(process: &Process) -> u64 {
    crate::logins::ticks(&process.pid().to_string())
}
