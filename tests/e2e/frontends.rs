//! Frontends that misbehave hurt nobody but themselves.

use std::os::unix::fs::PermissionsExt as _;

use secchat_e2e::{Frontend, TestUser, World, within};
use secchat_ipc::codec::{self, MAX_REQUEST_BYTES};
use secchat_ipc::hello::{HELLO_BYTES, Verdict};
use secchat_ipc::{Command, Event, Hello, Request, VERSION};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::task::JoinSet;

#[tokio::test]
async fn garbage_ends_that_connection_only() {
    let (_world, [alice]) = World::start(["alice"]).await;
    let mut good = alice.frontend().await;
    let mode = |path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(alice.home.runtime_dir()), mode(alice.home.socket())), (0o700, 0o600));

    // No hello at all.
    let mut stream = UnixStream::connect(alice.home.socket()).await.unwrap();
    stream.write_all(&[b'x'; HELLO_BYTES]).await.unwrap();
    let said = to_the_end(stream).await;
    assert_eq!(said.last(), Some(&Verdict::NoHello.byte()), "{said:?}");

    // A hello, then bytes that are no request; a length of 4 GiB; nothing at all of what was announced.
    for bytes in [&[0, 0, 0, 3, 9, 9, 99][..], &[0xff; 64], &[0, 0, 0, 0]] {
        let mut stream = greeted(&alice, VERSION).await;
        stream.write_all(bytes).await.unwrap();
        to_the_end(stream).await;
    }
    // Dies in the middle of a command.
    let mut stream = greeted(&alice, VERSION).await;
    let request = Request { id: 1, timeout_ms: 0, command: Command::List };
    let frame = codec::encode(&request, MAX_REQUEST_BYTES).unwrap();
    stream.write_all(&frame[..frame.len() - 1]).await.unwrap();
    drop(stream);

    good.call(Command::List).await.unwrap();
}

#[tokio::test]
async fn a_newer_frontend_is_told_which_side_is_older() {
    let (_world, [alice]) = World::start(["alice"]).await;
    let stream = greeted(&alice, VERSION + 1).await;
    let said = to_the_end(stream).await;
    assert_eq!(said.last(), Some(&Verdict::FrontendNewer.byte()), "{said:?}");
    // An older one is served.
    let mut stream = greeted(&alice, 0).await;
    let mut hello = [0; HELLO_BYTES + 1];
    within("a verdict", stream.read_exact(&mut hello)).await.unwrap();
    assert_eq!(hello[HELLO_BYTES], Verdict::Served.byte());
}

#[tokio::test]
async fn one_that_stops_reading_holds_up_nobody() {
    let (_world, [alice, bob]) = World::start(["alice", "bob"]).await;
    let stuck = stuck_subscriber(&bob).await;
    alice.chat_with(&bob).await;
    let mut bobs = bob.frontend().await;
    // Far above what a socket and a queue of 256 events hold.
    let text = "x".repeat(16_384);
    let mut alices = alice.frontend().await;
    for _ in 0..400 {
        let command = Command::Send { peer: bob.name.clone(), text: text.clone() };
        alices.call(command).await.unwrap();
        let (chat_id, up_to) = bobs
            .find(|event| match event {
                Event::MessageReceived(message) => Some((message.chat_id, message.id)),
                _ => None,
            })
            .await;
        bobs.call(Command::MarkRead { chat_id, up_to }).await.unwrap();
    }
    // It was cut off, and a new one gets a snapshot.
    to_the_end(stuck).await;
    Frontend::attach(&bob.home.socket()).await;
}

#[tokio::test]
async fn two_hundred_at_once_are_all_served() {
    let (_world, [alice, bob]) = World::start(["alice", "bob"]).await;
    alice.chat_with(&bob).await;
    let mut attached = JoinSet::new();
    for number in 0..200 {
        let socket = bob.home.socket();
        // A quarter never reads what it subscribed to.
        let stuck = if number % 4 == 0 { Some(stuck_subscriber(&bob).await) } else { None };
        attached.spawn(async move {
            let mut frontend = if stuck.is_none() { Some(Frontend::attach(&socket).await) } else { None };
            if let Some(frontend) = &mut frontend {
                frontend.call(Command::Status).await.unwrap();
            }
            (frontend, stuck)
        });
    }
    let mut attached: Vec<_> = attached.join_all().await;
    // All of them are there at the same time; one text reaches every one that reads, and each has its commands answered.
    alice.ctl(["send", "bob", "hello"]).await.ok();
    let mut served = 0;
    for (frontend, _) in &mut attached {
        let Some(frontend) = frontend else { continue };
        frontend.until("the text", |state| state.unread.len() == 1).await;
        frontend.call(Command::Chats).await.unwrap();
        served += 1;
    }
    assert_eq!(served, 150);
}

/// A subscriber that never reads.
async fn stuck_subscriber(user: &TestUser) -> UnixStream {
    let mut stream = greeted(user, VERSION).await;
    let request = Request { id: 1, timeout_ms: 0, command: Command::Subscribe };
    stream.write_all(&codec::encode(&request, MAX_REQUEST_BYTES).unwrap()).await.unwrap();
    stream
}

async fn greeted(user: &TestUser, version: u16) -> UnixStream {
    let mut stream = UnixStream::connect(user.home.socket()).await.unwrap();
    let hello = Hello { version, ..Hello::new("test", "test") };
    stream.write_all(&hello.encode()).await.unwrap();
    stream
}

/// What the daemon says until it closes the connection.
async fn to_the_end(mut stream: UnixStream) -> Vec<u8> {
    let mut said = Vec::new();
    // A reset is an end too: bytes of ours were left unread.
    let _ = within("the end of the connection", stream.read_to_end(&mut said)).await;
    said
}
