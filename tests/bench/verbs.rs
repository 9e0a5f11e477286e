//! What a verb that only asks the daemon costs: run in turns with a program that does nothing, on the same machine at the
//! same time.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use secchat_e2e::World;

/// Runs of each program.
const RUNS: usize = 300;

/// Verbs that only ask the daemon; `list` also asks the relay.
const VERBS: [&str; 5] = ["status", "requests", "peers", "policy", "read"];

pub(crate) async fn run() {
    let (_world, [alice, bob]) = World::start(["alice", "bob"]).await;
    alice.chat_with(&bob).await;
    let empty = alice.home.path("empty");
    std::fs::write(empty.with_extension("rs"), "fn main() {}").expect("a source");
    let made = Command::new("rustc").arg("-O").arg(empty.with_extension("rs")).arg("-o").arg(&empty).status();
    assert!(made.expect("rustc").success(), "the empty program is not built");
    println!("| what | median | beside an empty program | the fastest tenths |\n|---|---|---|---|");
    for verb in VERBS {
        let (mut own, mut nothing) = (Vec::new(), Vec::new());
        for _ in 0..RUNS {
            let mut command = alice.home.command("secchatctl");
            command.arg(verb);
            own.push(time(command));
            nothing.push(time(Command::new(&empty)));
        }
        own.sort_unstable();
        nothing.sort_unstable();
        // On a busy machine the slower half is about whom else it serves.
        let [usual, quick] = [RUNS / 2, RUNS / 10].map(|at| (own[at], nothing[at]));
        let ratio = |(own, nothing): (Duration, Duration)| own.as_secs_f64() / nothing.as_secs_f64();
        println!(
            "| `secchatctl {verb}` | {:.2} ms | {:.2} × {:.2} ms | {:.2} × {:.2} ms |",
            ms(usual.0),
            ratio(usual),
            ms(usual.1),
            ratio(quick),
            ms(quick.1)
        );
    }
}

fn time(mut command: Command) -> Duration {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let began = Instant::now();
    let status = command.status().expect("a program");
    assert!(status.success(), "{command:?}: {status}");
    began.elapsed()
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}
