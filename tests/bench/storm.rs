//! The whole storm: 20,000 hostile connections, 50 honest pairs.

use std::time::Duration;

use rustix::process::{Resource, Rlimit, setrlimit};
use secchat_e2e::storm::{Latencies, Size, storm};

/// Measures what honest people notice of it, and prints rows of a table.
pub async fn run() {
    // For both programs. Where it is not permitted, connections fail and are tried again.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: Some(FILES), maximum: Some(FILES) });
    let size = Size {
        strangers: 16_000,
        users: 4_000,
        pairs: 50,
        time: Duration::from_secs(20),
        pause: Duration::from_millis(250),
        beginning: Duration::from_secs(40),
    };
    let outcome = storm(size, "log = \"warn\"\n").await;
    println!("| what | measured |\n|---|---|");
    row("message of a pair, quiet", &outcome.quiet);
    row("message of a pair, 20,000 hostile connections", &outcome.storm);
    let ratio = outcome.storm.permille(990).as_secs_f64() / outcome.quiet.permille(990).as_secs_f64();
    println!("| 99 % in the storm against quiet | {ratio:.1} × |");
    for (when, forwarding) in ["quiet", "storm"].iter().zip(&outcome.forwarding) {
        let (all, late) = forwarding.above(0.05);
        let most = forwarding.permille(990) * 1_000.0;
        println!(
            "| the relay's own share of a message, {when} | 99 % within {most:.2} ms; above 50 ms: {late} of {all} |"
        );
    }
    let [before, after, most] = outcome.resident_kib.map(|kib| kib / 1_024);
    println!("| the relay's memory before, after, at most | {before}, {after}, {most} MiB |");
    println!("| logins of hostile users | {} |", outcome.logins);
    for (deed, times) in outcome.deeds {
        println!("| attempts: {deed} | {times} |");
    }
}

fn row(what: &str, times: &Latencies) {
    let [half, most, all] =
        [500, 990, 1_000].map(|permille| times.permille(permille).as_secs_f64() * 1_000.0);
    let count = times.count();
    println!(
        "| {what} | {count} of {count}, median {half:.1} ms, 99 % below {most:.1} ms, all below {all:.1} ms |"
    );
}

/// For 20,000 connections and what else is open.
const FILES: u64 = 65_536;
