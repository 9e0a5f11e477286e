//! Several daemons' cores and the relay's switchboard in one process, on a virtual clock, over a network that delays,
//! drops links and loses them silently, and, for some seeds, a relay that edits, replays and forges.
//!
//! A seed decides everything. A failing one prints itself; `SECCHAT_SEED=n cargo test -p secchat-e2e --test simulation`
//! replays it. `SECCHAT_SEEDS=n` runs that many in place of 10,000.

mod evil;
mod hearing;
mod invariants;
mod ledger;
mod network;
mod node;
mod people;
mod promised;
mod wires;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use world::World;

/// Seeds of a run that names no number.
const SEEDS: u64 = 10_000;

#[test]
fn simulation() {
    if let Some(seed) = number("SECCHAT_SEED") {
        World::new(seed).run();
        return;
    }
    let seeds = number("SECCHAT_SEEDS").unwrap_or(SEEDS);
    let next = AtomicU64::new(0);
    let failed = AtomicBool::new(false);
    let [opened, delivered, reopened, heard] = [0; 4].map(AtomicU64::new);
    let cores = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                while !failed.load(Ordering::Relaxed) {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds {
                        break;
                    }
                    match catch_unwind(AssertUnwindSafe(|| World::new(seed).run())) {
                        Ok(ledger) => {
                            opened.fetch_add(ledger.opened, Ordering::Relaxed);
                            delivered.fetch_add(ledger.delivered, Ordering::Relaxed);
                            reopened.fetch_add(ledger.reopened, Ordering::Relaxed);
                            heard.fetch_add(ledger.heard, Ordering::Relaxed);
                        }
                        Err(_) => {
                            eprintln!("replay with SECCHAT_SEED={seed}");
                            failed.store(true, Ordering::Relaxed);
                        }
                    }
                }
            });
        }
    });
    assert!(!failed.load(Ordering::Relaxed), "a seed failed: see above");
    let (opened, delivered) = (opened.into_inner(), delivered.into_inner());
    let (reopened, heard) = (reopened.into_inner(), heard.into_inner());
    println!(
        "{seeds} seeds: {opened} times a chat opened for somebody who waited, {reopened} accepts by an earlier \
         consent, {delivered} texts delivered, {heard} events heard by name"
    );
    // A simulation in which nothing happens finds nothing.
    assert!(
        opened > seeds && delivered > seeds && heard > seeds,
        "too quiet: {opened} opened, {delivered} delivered, {heard} heard"
    );
}

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} is not a number: {text:?}")))
}
