//! The client, and the example that is built on it, against daemons that behave and daemons that do not.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::PathBuf;
use std::time::Duration;

use secchat_ipc::client::Incoming;
use secchat_ipc::codec::{MAX_REQUEST_BYTES, MAX_SERVER_MESSAGE_BYTES};
use secchat_ipc::reply::ServerMessage;
use secchat_ipc::transport::{FrameReader, greet, write_message};
use secchat_ipc::types::{
    ChatId, IncomingRequest, KeyTrust, LinkState, LockState, Message, Policy, Reachability, RequestState,
    Status, Terms,
};
use secchat_ipc::{
    Client, ClientError, Command, CommandError, Event, Hello, Reply, Request, Snapshot, UserName, VERSION,
};
use tempfile::TempDir;
use tokio::io::AsyncWriteExt as _;
use tokio::net::UnixListener;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};

#[path = "../examples/accept_all.rs"]
#[expect(dead_code, reason = "its main is not called here")]
mod accept_all;

/// The daemon's end of one connection.
struct FakeDaemon {
    input: FrameReader<OwnedReadHalf>,
    output: OwnedWriteHalf,
}

impl FakeDaemon {
    async fn accept(listener: &UnixListener, version: u16) -> Self {
        let (stream, _) = listener.accept().await.unwrap();
        let (mut input, mut output) = stream.into_split();
        let own = Hello { version, ..Hello::new("secchatd", "fake") };
        greet(&mut input, &mut output, &own, None).await.unwrap();
        Self { input: FrameReader::new(input, MAX_REQUEST_BYTES), output }
    }

    async fn request(&mut self) -> Request {
        self.input.next_message().await.unwrap().unwrap()
    }

    async fn say(&mut self, message: ServerMessage) {
        write_message(&mut self.output, &message, MAX_SERVER_MESSAGE_BYTES).await.unwrap();
    }

    async fn reply(&mut self, id: u64, result: Result<Reply, CommandError>) {
        self.say(ServerMessage::Reply { id, result }).await;
    }

    async fn event(&mut self, sequence: u64, event: Event) {
        self.say(ServerMessage::Event { sequence, event }).await;
    }
}

fn listen() -> (TempDir, PathBuf, UnixListener) {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("s");
    let listener = UnixListener::bind(&socket).unwrap();
    (folder, socket, listener)
}

async fn pair(version: u16) -> (TempDir, Client, FakeDaemon) {
    let (folder, socket, listener) = listen();
    let (client, daemon) =
        tokio::join!(Client::connect_to(&socket, "test"), FakeDaemon::accept(&listener, version));
    (folder, client.unwrap(), daemon)
}

fn bob() -> UserName {
    UserName::parse("bob").unwrap()
}

fn snapshot(sequence: u64) -> Snapshot {
    let status = Status {
        version: "fake".to_owned(),
        pid: 1,
        profile: String::new(),
        user: Some(bob()),
        relay: String::new(),
        lock: LockState::Unlocked,
        link: LinkState::Online,
        reachability: Reachability::Available,
        policy: Policy::Ask,
        hints: Vec::new(),
    };
    Snapshot { sequence, ..Snapshot::empty(status) }
}

fn read(up_to: u64) -> Event {
    Event::MessagesRead { chat_id: ChatId([1; 16]), up_to }
}

#[tokio::test]
async fn the_example_accepts_and_answers() {
    let (_folder, client, mut daemon) = pair(VERSION).await;
    let example = tokio::spawn(accept_all::run(client));
    let subscribe = daemon.request().await;
    assert_eq!(subscribe.command, Command::Subscribe);
    let mut state = snapshot(5);
    state.incoming.push(IncomingRequest {
        peer: bob(),
        chat_id: ChatId([1; 16]),
        issued: 1,
        expires: 2,
        received: 1,
        terms: Terms { until: None, history_days: Some(0) },
        trust: KeyTrust::Unverified,
        safety_number: String::new(),
        state: RequestState::Pending,
    });
    daemon.reply(subscribe.id, Ok(Reply::Snapshot(Box::new(state)))).await;
    let accept = daemon.request().await;
    assert_eq!(accept.command, Command::Accept { peer: bob(), terms: None, wait: false });
    // Somebody else was quicker: the example goes on.
    daemon.reply(accept.id, Err(CommandError::NoRequest { peer: bob() })).await;
    let (chat_id, text) = (ChatId([1; 16]), "help".to_owned());
    let message = Message { peer: bob(), chat_id, id: 1, received: 1, text };
    daemon.event(6, Event::MessageReceived(message)).await;
    let send = daemon.request().await;
    assert!(matches!(&send.command, Command::Send { peer, .. } if *peer == bob()));
    daemon.reply(send.id, Ok(Reply::Delivered { chat_id, id: 1 })).await;
    let mark = daemon.request().await;
    assert_eq!(mark.command, Command::MarkRead { chat_id, up_to: 1 });
    drop(daemon);
    assert!(matches!(example.await.unwrap(), Err(ClientError::Closed { .. })));
}

#[tokio::test]
async fn events_during_a_call_are_kept_in_order() {
    let (_folder, mut client, mut daemon) = pair(VERSION).await;
    let serve = async {
        let subscribe = daemon.request().await;
        daemon.reply(subscribe.id, Ok(Reply::Snapshot(Box::new(snapshot(10))))).await;
        let status = daemon.request().await;
        daemon.event(11, read(1)).await;
        daemon.event(12, read(2)).await;
        daemon.reply(status.id, Ok(Reply::Done)).await;
        daemon.event(13, read(3)).await;
    };
    let use_it = async {
        assert_eq!(client.subscribe().await.unwrap().sequence, 10);
        assert_eq!(client.call(Command::Login, Duration::ZERO).await.unwrap(), Reply::Done);
        for up_to in 1..=3 {
            assert_eq!(client.next_event().await.unwrap(), read(up_to));
        }
    };
    tokio::join!(serve, use_it);
}

#[tokio::test]
async fn a_gap_in_the_events_is_an_error() {
    let (_folder, mut client, mut daemon) = pair(VERSION).await;
    let serve = async {
        let subscribe = daemon.request().await;
        daemon.reply(subscribe.id, Ok(Reply::Snapshot(Box::new(snapshot(10))))).await;
        daemon.event(12, read(1)).await;
    };
    let use_it = async {
        client.subscribe().await.unwrap();
        assert!(matches!(client.next_event().await, Err(ClientError::EventsLost)));
    };
    tokio::join!(serve, use_it);
}

#[tokio::test]
async fn commands_can_overtake_each_other() {
    let (_folder, mut client, mut daemon) = pair(VERSION).await;
    let first = client.send(Command::List, Duration::ZERO).unwrap();
    let second = client.send(Command::Status, Duration::from_secs(3)).unwrap();
    let serve = async {
        let (a, b) = (daemon.request().await, daemon.request().await);
        assert_eq!((a.id, b.id, a.timeout_ms, b.timeout_ms), (first, second, 0, 3_000));
        daemon.reply(b.id, Err(CommandError::Locked)).await;
        daemon.reply(a.id, Ok(Reply::Users(vec![bob()]))).await;
    };
    let use_it = async {
        let expected = Incoming::Reply { id: second, result: Err(CommandError::Locked) };
        assert_eq!(client.next().await.unwrap(), expected);
        let expected = Incoming::Reply { id: first, result: Ok(Reply::Users(vec![bob()])) };
        assert_eq!(client.next().await.unwrap(), expected);
    };
    tokio::join!(serve, use_it);
}

#[tokio::test]
async fn a_thousand_large_commands_neither_block_nor_get_lost() {
    let (_folder, mut client, mut daemon) = pair(VERSION).await;
    let text = "x".repeat(32_768);
    let serve = tokio::spawn(async move {
        for n in 0..1_000 {
            let request = daemon.request().await;
            assert_eq!(request.id, n + 1, "in order");
            daemon.reply(request.id, Ok(Reply::Done)).await;
        }
        daemon
    });
    let mut answered = 0;
    for _ in 0..1_000 {
        let command = || Command::Send { peer: bob(), text: text.clone() };
        while matches!(client.send(command(), Duration::ZERO), Err(ClientError::Busy)) {
            client.next().await.unwrap();
            answered += 1;
        }
    }
    while answered < 1_000 {
        client.next().await.unwrap();
        answered += 1;
    }
    serve.await.unwrap();
}

#[tokio::test]
async fn no_socket_and_a_dead_socket_are_no_daemon() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("s");
    let error = Client::connect_to(&socket, "test").await.unwrap_err();
    assert!(matches!(error, ClientError::NoDaemon { .. }), "{error}");
    assert!(error.to_string().contains("systemctl --user start secchatd"));
    drop(UnixListener::bind(&socket).unwrap());
    let error = Client::connect_to(&socket, "test").await.unwrap_err();
    assert!(matches!(error, ClientError::NoDaemon { .. }), "{error}");
}

#[tokio::test]
async fn an_older_daemon_is_named_as_the_older_side() {
    let (_folder, socket, listener) = listen();
    let serve = async {
        let (stream, _) = listener.accept().await.unwrap();
        let (mut input, mut output) = stream.into_split();
        let own = Hello { version: 0, ..Hello::new("secchatd", "0.0.9") };
        assert!(greet(&mut input, &mut output, &own, None).await.is_err());
    };
    let (error, ()) = tokio::join!(Client::connect_to(&socket, "test"), serve);
    let error = error.unwrap_err();
    assert!(matches!(error, ClientError::DaemonOlder { .. }));
    assert!(error.to_string().contains("the running daemon is older (0.0.9"), "{error}");
}

#[tokio::test]
async fn a_newer_daemon_serves_and_its_new_events_are_passed_over() {
    let (_folder, mut client, mut daemon) = pair(VERSION + 1).await;
    let serve = async {
        let subscribe = daemon.request().await;
        daemon.reply(subscribe.id, Ok(Reply::Snapshot(Box::new(snapshot(10))))).await;
        // An event with a tag of the future, numbered 11.
        daemon.output.write_all(&[0, 0, 0, 4, 1, 11, 99, 1]).await.unwrap();
        daemon.event(12, read(1)).await;
    };
    let use_it = async {
        client.subscribe().await.unwrap();
        assert_eq!(client.next_event().await.unwrap(), read(1));
    };
    tokio::join!(serve, use_it);
}

#[tokio::test]
async fn garbage_is_told_apart_from_an_end() {
    for (bytes, unfit) in
        [(&[0, 0, 0, 2, 9, 9][..], true), (&[0xff; 4], true), (&[0; 4], true), (&[0, 0], false)]
    {
        let (_folder, mut client, mut daemon) = pair(VERSION).await;
        daemon.output.write_all(bytes).await.unwrap();
        drop(daemon);
        let error = client.next().await.unwrap_err();
        assert_eq!(matches!(error, ClientError::Unfit(_)), unfit, "{error}");
        assert_eq!(matches!(error, ClientError::Closed { .. }), !unfit, "{error}");
    }
}

#[tokio::test]
async fn what_is_no_daemon_is_named_so() {
    let (_folder, socket, listener) = listen();
    let serve = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(&[b'H'; 200]).await.unwrap();
    };
    let (error, ()) = tokio::join!(Client::connect_to(&socket, "test"), serve);
    assert!(matches!(error.unwrap_err(), ClientError::NotADaemon { .. }));
}

#[tokio::test(start_paused = true)]
async fn a_daemon_that_hangs_is_given_its_limit_and_two_seconds() {
    let (_folder, mut client, _daemon) = pair(VERSION).await;
    let before = tokio::time::Instant::now();
    let error = client.call(Command::Status, Duration::from_secs(3)).await.unwrap_err();
    assert!(matches!(error, ClientError::NoAnswer { .. }), "{error}");
    assert_eq!(before.elapsed().as_secs(), 5);
}
