//! What 1,000 texts cost that were left for somebody: to leave them, and to deliver them on return.

use std::time::{Duration, Instant};

use secchat_e2e::{Frontend, World};
use secchat_ipc::client::Incoming;
use secchat_ipc::types::{ChatState, QueuedOutcome};
use secchat_ipc::{Command, Event, Reply};

const TEXTS: usize = 1_000;
/// Commands under way at once: half of what the daemon takes from one frontend.
const AT_ONCE: usize = 32;
const RUNS: usize = 5;

pub(crate) async fn run() {
    println!("| what | measured |\n|---|---|");
    let (mut leaving, mut delivering, mut returning) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..RUNS {
        let (_world, [alice, mut bob]) = World::start(["alice", "bob"]).await;
        alice.chat_with(&bob).await;
        bob.stop().await;
        let mut alices = alice.frontend().await;
        let is_away =
            |state: &secchat_ipc::Snapshot| state.chats.iter().all(|chat| chat.state != ChatState::Open);
        alices.until("bob is away", is_away).await;
        let began = Instant::now();
        let queue = Command::Queue { peer: bob.name.clone(), text: "x".repeat(100), lifetime_seconds: 3_600 };
        leave(&mut alices, &queue).await;
        leaving.push(began.elapsed());
        let began = Instant::now();
        bob.start().await;
        let mut bobs = bob.frontend().await;
        alices.until_open_with(&bob.name).await;
        let open = Instant::now();
        tokio::join!(delivered(&mut alices), receive(&mut bobs));
        delivering.push(open.elapsed());
        returning.push(began.elapsed());
    }
    row("to leave 1,000 texts of 100 bytes, each answered when it is on disk", leaving);
    row("1,000 left texts delivered, from the open chat on", delivering);
    row("the same, from the start of the other daemon on", returning);
}

async fn leave(alices: &mut Frontend, queue: &Command) {
    let client = alices.client();
    let (mut left, mut under_way) = (0, 0);
    while left < TEXTS || under_way > 0 {
        while left < TEXTS && under_way < AT_ONCE {
            client.send(queue.clone(), Duration::ZERO).expect("a command");
            left += 1;
            under_way += 1;
        }
        if let Incoming::Reply { result, .. } = client.next().await.expect("an answer") {
            assert!(matches!(result, Ok(Reply::Queued { .. })), "{result:?}");
            under_way -= 1;
        }
    }
}

async fn delivered(alices: &mut Frontend) {
    let mut count = 0;
    while count < TEXTS {
        count += alices
            .find(|event| match event {
                Event::QueuedTextsEnded { ids, outcome: QueuedOutcome::Delivered, .. } => Some(ids.len()),
                _ => None,
            })
            .await;
    }
}

/// Reads along: the inbox is bounded.
async fn receive(bobs: &mut Frontend) {
    let mut last = 0;
    for message in bobs.state().unread.clone() {
        last = read(bobs, message, last).await;
    }
    while last < TEXTS as u64 {
        let message = bobs
            .find(|event| if let Event::MessageReceived(message) = event { Some(message) } else { None })
            .await;
        last = read(bobs, message, last).await;
    }
}

async fn read(bobs: &mut Frontend, message: secchat_ipc::types::Message, last: u64) -> u64 {
    assert_eq!(message.id, last + 1, "in order, once");
    if message.id.is_multiple_of(100) {
        let read = Command::MarkRead { chat_id: message.chat_id, up_to: message.id };
        bobs.call(read).await.expect("read");
    }
    message.id
}

fn row(what: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    let at = |at: usize| times[at].as_secs_f64();
    println!("| {what} | median {:.2} s, worst of {RUNS} {:.2} s |", at(RUNS / 2), at(RUNS - 1));
}
