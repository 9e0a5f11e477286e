//! Measures what docs/PERFORMANCE.md states, on the real binaries beside this one, and prints its table.
//!
//! `secchat-bench [TEXTS]`: TEXTS go through one chat for the memory figures (default 1,000,000).
//! `secchat-bench reloads`: only what a relay's reload costs, which is not in the former.
//! `secchat-bench verbs`: what a verb of secchatctl costs, beside a program that does nothing.
//! `secchat-bench frontends`: what 200 frontends cost each other, with and without some that do not read.
//! `secchat-bench outbox`: 1,000 texts left for somebody who is away.
//! `secchat-bench history`: the daemon's start with 100,000 kept texts, and a search through them.
//! `secchat-bench metrics`: what forwarding costs with metrics and without.
//! `secchat-bench storm`: honest pairs among 20,000 hostile connections.

mod frontends;
mod history;
mod logins;
mod metrics;
mod outbox;
mod reloads;
mod storm;
mod verbs;

use std::time::{Duration, Instant};

use secchat_e2e::{Frontend, Process, TestUser, World, flood};
use secchat_ipc::types::Terms;
use secchat_ipc::{Command, Reply};

/// Requests, and runs of secchatctl, that a median is taken of: below the 128 requests that a relay takes at once.
const SAMPLES: usize = 100;

/// Texts between two looks at the memory; the first look is where the count of its growth begins.
const STEP: u64 = 10_000;

#[tokio::main]
async fn main() {
    let argument = std::env::args().nth(1);
    if argument.as_deref() == Some("reloads") {
        println!("| what | measured |\n|---|---|");
        return reloads::reloads().await;
    }
    if argument.as_deref() == Some("verbs") {
        return verbs::run().await;
    }
    if argument.as_deref() == Some("frontends") {
        return frontends::run().await;
    }
    if argument.as_deref() == Some("outbox") {
        return outbox::run().await;
    }
    if argument.as_deref() == Some("history") {
        return history::run().await;
    }
    if argument.as_deref() == Some("metrics") {
        return metrics::run().await;
    }
    if argument.as_deref() == Some("storm") {
        return storm::run().await;
    }
    let texts = argument.map_or(1_000_000, |texts| texts.parse().expect("a number of texts"));
    println!("| what | measured |\n|---|---|");
    logins::logins().await;
    let (world, [alice, bob]) = World::configured("[limits]\nrtt_pair_burst = 128\n", ["alice", "bob"]).await;
    requests(&alice, &bob).await;
    alice.chat_with(&bob).await;
    let idle = resident_kib(bob.daemon());
    println!("| daemon's resident memory, idle, one chat open | {:.1} MiB |", mib(idle));
    sends(&alice, &bob).await;
    memory(&world, &alice, &bob, texts).await;
}

/// RTT asked → chat open at both ends, the answer given by a frontend at once.
async fn requests(alice: &TestUser, bob: &TestUser) {
    let (mut alices, mut bobs) = (alice.frontend().await, bob.frontend().await);
    let mut times = Vec::with_capacity(SAMPLES);
    for _ in 0..SAMPLES {
        let began = Instant::now();
        tokio::join!(ask(&mut alices, bob), answer(&mut bobs, alice));
        times.push(began.elapsed());
        alices.call(Command::Close { peer: bob.name.clone() }).await.expect("closed");
        bobs.until_over_with(&alice.name).await;
    }
    row("RTT asked → chat open, answered at once", times);
}

async fn ask(alices: &mut Frontend, bob: &TestUser) {
    let terms = Terms { until: None, history_days: None };
    let rtt = Command::Rtt { peer: bob.name.clone(), terms, lifetime_seconds: 60, wait: true };
    let reply = alices.call(rtt).await.expect("an open chat");
    assert!(matches!(reply, Reply::ChatOpen { .. }), "{reply:?}");
}

async fn answer(bobs: &mut Frontend, alice: &TestUser) {
    bobs.until_asked_by(&alice.name).await;
    bobs.call(Command::Accept { peer: alice.name.clone(), terms: None, wait: true })
        .await
        .expect("an open chat");
    bobs.until_open_with(&alice.name).await;
}

/// `secchatctl send`, from process start to its end, which is the peer's acknowledgement.
async fn sends(alice: &TestUser, bob: &TestUser) {
    let mut times = Vec::with_capacity(SAMPLES);
    for _ in 0..SAMPLES {
        let began = Instant::now();
        alice.ctl(["send", "bob", "hello"]).await.ok();
        times.push(began.elapsed());
    }
    bob.ctl(["read"]).await.ok();
    row("`secchatctl send`, process start to acknowledged", times);
}

/// What texts cost in memory: nothing.
async fn memory(world: &World, alice: &TestUser, bob: &TestUser, texts: u64) {
    let (mut alices, mut bobs) = (alice.frontend().await, bob.frontend().await);
    let first = SAMPLES as u64 + 1;
    let processes = [
        ("relay", world.relay.process()),
        ("sender's daemon", alice.daemon()),
        ("receiver's daemon", bob.daemon()),
    ];
    let (mut base, mut peak) = ([0; 3], [0; 3]);
    let began = Instant::now();
    let mut sent = 0;
    while sent < texts {
        flood(&mut alices, &mut bobs, &bob.name, (first + sent, first + sent + STEP - 1)).await;
        sent += STEP;
        let now = processes.map(|(_, process)| resident_kib(process));
        if sent == STEP {
            println!("| 10,000 texts, all in order, once | {} |", per_second(STEP, began.elapsed()));
            base = now;
        }
        peak = std::array::from_fn(|at| peak[at].max(now[at]));
        eprintln!("{sent} texts: RSS {now:?} KiB");
    }
    println!("| {sent} texts through one chat | {} |", per_second(sent, began.elapsed()));
    for (((name, _), base), peak) in processes.iter().zip(base).zip(peak) {
        let growth = peak.saturating_sub(base);
        println!(
            "| {name}: resident memory after 10,000, and the most it grew after | {:.1} MiB, {growth} KiB |",
            mib(base)
        );
    }
}

fn per_second(texts: u64, time: Duration) -> String {
    format!("{:.1} s, {:.0} a second", time.as_secs_f64(), texts as f64 / time.as_secs_f64())
}

fn row(what: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    let at = |percent: usize| times[times.len() * percent / 100].as_secs_f64() * 1_000.0;
    println!("| {what} | median {:.1} ms, 95 % below {:.1} ms |", at(50), at(95));
}

fn resident_kib(process: &Process) -> u64 {
    let status =
        std::fs::read_to_string(format!("/proc/{}/status", process.pid())).expect("a running process");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("VmRSS");
    line.trim().trim_end_matches(" kB").parse().expect("KiB")
}

fn mib(kib: u64) -> f64 {
    kib as f64 / 1024.0
}
