//! Real relay and daemons; two to five people who talk at random, and a fault a round. Every text is numbered, for its
//! sender and addressee; after each round, what was promised has arrived, once, in order.
//!
//! `dist/test soak [--rounds N] [--seed S]`, which sets `SECCHAT_ROUNDS` and `SECCHAT_SEED`. A seed decides who says what,
//! which faults come, and after how many bytes; the machine decides the rest, so a seed need not fail twice. With
//! `SECCHAT_OLDER=…/secchatd` people begin with that build, and an upgrade takes them to this one.

mod company;
mod faults;
mod ledger;
mod person;
mod talk;

use std::time::{Duration, Instant};

use secchat_e2e::{Random, unix_now};

use company::Company;
use ledger::Count;

/// Rounds of a run that names no number.
const ROUNDS: u64 = 30;

#[tokio::test(flavor = "multi_thread")]
async fn soak() {
    let rounds = number("SECCHAT_ROUNDS").unwrap_or(ROUNDS);
    let seed = number("SECCHAT_SEED").unwrap_or_else(unix_now);
    println!("soak: {rounds} rounds, seed {seed}");
    if !faults::has_faketime() {
        println!("soak: no clock jumps, since libfaketime is not installed");
    }
    let mut random = Random::new(seed);
    let mut count = Count::default();
    let mut round = 0;
    let began = Instant::now();
    while round < rounds {
        let mut company = Company::gather(&mut random).await;
        let last = rounds.min(round + 10 + random.below(30));
        while round < last {
            round += 1;
            company.round(&format!("round {round} of seed {seed}")).await;
        }
        count.add(&company.count());
        if rounds > ROUNDS {
            println!("{round} rounds in {:?}", Duration::from_secs(began.elapsed().as_secs()));
        }
    }
    println!("rounds={rounds} {count}");
}

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} is not a number: {text:?}")))
}
