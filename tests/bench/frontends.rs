//! What 200 frontends cost each other: how long until a text has reached every one that reads, while others do not read.

use std::time::{Duration, Instant};

use secchat_e2e::{Frontend, TestUser, World};
use secchat_ipc::codec::{self, MAX_REQUEST_BYTES};
use secchat_ipc::types::ChatId;
use secchat_ipc::{Command, Hello, Reply, Request, Snapshot};
use tokio::io::AsyncWriteExt as _;
use tokio::net::UnixStream;

const FRONTENDS: usize = 200;
const TEXTS: usize = 200;

pub(crate) async fn run() {
    println!("| what | median | 95 % below |\n|---|---|---|");
    for stuck in [0, 10, 50] {
        let (_world, [alice, bob]) = World::start(["alice", "bob"]).await;
        alice.chat_with(&bob).await;
        let mut silent = Vec::new();
        for _ in 0..stuck {
            silent.push(subscribed(&bob).await);
        }
        let mut readers = Vec::new();
        for _ in stuck..FRONTENDS {
            readers.push(Frontend::attach(&bob.home.socket()).await);
        }
        let mut alices = alice.frontend().await;
        let mut times = Vec::new();
        for _ in 0..TEXTS {
            let began = Instant::now();
            let send = Command::Send { peer: bob.name.clone(), text: "x".repeat(4_096) };
            let sent = alices.call(send).await.expect("delivered");
            let Reply::Delivered { id, chat_id } = sent else { panic!("{sent:?}") };
            for reader in &mut readers {
                reader.until("the text", |state| has(state, id)).await;
            }
            times.push(began.elapsed());
            read(&mut readers, chat_id, id).await;
        }
        times.sort_unstable();
        let at = |percent: usize| ms(times[times.len() * percent / 100]);
        let reading = FRONTENDS - stuck;
        println!(
            "| a text from alice to each of {reading} frontends of bob's, {stuck} others not reading | {:.2} ms | {:.2} ms |",
            at(50),
            at(95)
        );
    }
}

fn has(state: &Snapshot, id: u64) -> bool {
    state.unread.iter().any(|message| message.id == id)
}

async fn read(readers: &mut [Frontend], chat_id: ChatId, up_to: u64) {
    readers[0].call(Command::MarkRead { chat_id, up_to }).await.expect("read");
    for reader in readers {
        reader.until("no text", |state| state.unread.is_empty()).await;
    }
}

/// A subscriber that never reads.
async fn subscribed(user: &TestUser) -> UnixStream {
    let mut stream = UnixStream::connect(user.home.socket()).await.expect("the socket");
    stream.write_all(&Hello::new("silent", "bench").encode()).await.expect("a hello");
    let request = Request { id: 1, timeout_ms: 0, command: Command::Subscribe };
    let frame = codec::encode(&request, MAX_REQUEST_BYTES).expect("a frame");
    stream.write_all(&frame).await.expect("a request");
    stream
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}
