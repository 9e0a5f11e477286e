//! What 100,000 kept texts cost: the daemon's start with them, its memory, a page, a search of all.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use secchat_daemon::core::keeping::{HistoryJob, HistoryRequest, Keeping};
use secchat_daemon::core::record::{KeptText, Record};
use secchat_daemon::store::Store;
use secchat_daemon::store::heirloom::Heirloom;
use secchat_e2e::{TestUser, World};
use secchat_ipc::types::{HistoryQuery, LockState};
use secchat_ipc::{Command, Reply};
use secchat_proto::UserName;
use secchat_proto::crypto::signature::SigningKey;
use secchat_proto::wire::link::ChatId;

const TEXTS: u64 = 100_000;
/// Each with one key for every day.
const PEERS: u64 = 20;
const DAYS: u64 = 250;
const RUNS: usize = 7;

pub(crate) async fn run() {
    println!("| what | measured |\n|---|---|");
    let (_world, [mut alice]) = World::start(["alice"]).await;
    alice.stop().await;
    starts(&mut alice, "nothing kept").await;
    let began = Instant::now();
    fill(&alice).await;
    eprintln!("{TEXTS} texts are kept: {:.1} s", began.elapsed().as_secs_f64());
    starts(&mut alice, "100,000 texts kept").await;
    alice.start().await;
    look(&alice).await;
    println!("| the daemon's resident memory after all that | {:.1} MiB |", resident(&alice));
    let size = std::fs::metadata(alice.home.state_dir().join("history.redb")).expect("the file").len();
    println!("| history.redb | {:.1} MiB |", size as f64 / 1024.0 / 1024.0);
}

/// Through the daemon's own store, as if they had come one after the other for months.
async fn fill(alice: &TestUser) {
    let identity = SigningKey::from_pkey(alice.key.clone()).expect("a key");
    let store = Store::start(&alice.home.state_dir()).expect("a store");
    store.unlock(&identity, Heirloom::default()).await.expect("unlocked");
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("a clock").as_secs();
    let keeping = Keeping { general: u16::MAX, ..Keeping::default() };
    let peers: Vec<UserName> =
        (0..PEERS).map(|n| UserName::parse(format!("peer{n}").as_bytes()).expect("a name")).collect();
    let chat_id = ChatId::from_bytes([7; 16]).expect("an id");
    let per_day = TEXTS / DAYS;
    for day in 0..DAYS {
        let text = |n: u64| KeptText {
            peer: peers[usize::try_from(n % PEERS).expect("small")].clone(),
            chat_id,
            is_own: n.is_multiple_of(2),
            id: day * per_day + n,
            at: now - (DAYS - day) * 86_400 + n,
            days: u16::MAX,
            order: n,
            text: format!("text {n} of day {day}, about as long as what people write").into(),
        };
        let records = (0..per_day).map(|n| Record::Kept(Box::new(text(n))));
        let changes: BTreeMap<_, _> = records.map(|record| (record.key(), Some(record))).collect();
        store.write(changes).await.expect("written");
        let tidy = HistoryRequest { job: HistoryJob::Tidy, keeping: keeping.clone(), now };
        store.history(Box::new(tidy)).await.expect("moved");
    }
    let keep = Record::Keep(None, u16::MAX);
    store.write([(keep.key(), Some(keep))].into()).await.expect("written");
}

async fn starts(alice: &mut TestUser, with: &str) {
    let (mut ready, mut unlocked, mut memory) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..RUNS {
        let began = Instant::now();
        alice.start().await;
        ready.push(began.elapsed());
        let mut frontend = alice.frontend().await;
        frontend.until("unlocked", |state| state.status.lock == LockState::Unlocked).await;
        unlocked.push(began.elapsed());
        memory.push(resident(alice));
        alice.stop().await;
    }
    row(&format!("{with}: process start → serving"), ready);
    row(&format!("{with}: process start → unlocked, the passphrase's derivation with it"), unlocked);
    println!("| {with}: resident memory then | {:.1} MiB |", memory.into_iter().fold(0.0, f64::max));
}

async fn look(alice: &TestUser) {
    let mut frontend = alice.frontend().await;
    frontend.until("unlocked", |state| state.status.lock == LockState::Unlocked).await;
    let (mut pages, mut longest, mut found) = (0, Duration::ZERO, 0);
    let mut query = HistoryQuery {
        peer: None,
        search: Some("TEXT 7 OF DAY".to_owned()),
        since: None,
        before: None,
        newest_first: false,
        after: None,
        most: 1_024,
    };
    let began = Instant::now();
    loop {
        let page = Instant::now();
        let reply = frontend.call(Command::History(query.clone())).await.expect("a page");
        let Reply::History { texts, next } = reply else { panic!("{reply:?}") };
        longest = longest.max(page.elapsed());
        (pages, found) = (pages + 1, found + texts.len());
        query.after = next;
        if query.after.is_none() {
            break;
        }
    }
    let all = began.elapsed().as_secs_f64();
    let longest = longest.as_secs_f64() * 1_000.0;
    println!(
        "| all searched through | {all:.2} s in {pages} pages, the longest {longest:.1} ms; {found} found |"
    );
}

fn row(what: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    let at = |at: usize| times[at].as_secs_f64() * 1_000.0;
    println!("| {what} | median {:.0} ms, worst of {RUNS} {:.0} ms |", at(RUNS / 2), at(RUNS - 1));
}

fn resident(alice: &TestUser) -> f64 {
    super::mib(super::resident_kib(alice.daemon()))
}
