//! What listens where the relay should be is absent, silent, slow or mad.

use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

use openssl::pkey::PKey;
use secchat_e2e::{Pki, Process, TestRelay, TestUser, within};
use secchat_ipc::types::LinkState;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

#[tokio::test]
async fn a_taken_port_is_said() {
    let pki = Pki::new();
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = taken.local_addr().unwrap();
    let relay = Process::start("the relay", TestRelay::command(&pki, address.port()));
    let log = relay.log().wait_for(&address.to_string()).await;
    assert!(log.contains("taken"), "{log}");
    assert!(!relay.exit().await.success());
}

#[tokio::test]
async fn nobody_there_is_said_and_tried_again() {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    let (pki, mut alice) = prepared(address);
    let why = first_failure(&mut alice).await;
    assert!(why.contains(&address.to_string()) && why.contains("no relay is listening"), "{why}");
    let _relay = TestRelay::start_at(&pki, address.port()).await;
    alice.ctl(["login"]).await.ok();
}

#[tokio::test]
async fn garbage_half_a_frame_and_zeros_are_said() {
    let half_a_frame = [&[0x02, 0x00][..], b"secchat\x01"].concat();
    let zeros = [&[0xff, 0xff][..], &[0; 65_535]].concat();
    let an_empty_frame = [0x00, 0x00].to_vec();
    let http = b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec();
    let another_version = [&[0x00, 0x1a][..], b"secchat\x02", &[7; 18]].concat();
    for (bytes, said) in [
        (http, "limit"),
        (half_a_frame, "closed"),
        (zeros, "limit"),
        (an_empty_frame, "an empty frame"),
        (another_version, "another version of the protocol"),
    ] {
        let address = listen(move |mut stream| {
            let bytes = bytes.clone();
            async move {
                let _ = stream.write_all(&bytes).await;
                let _ = stream.shutdown().await;
                let _ = stream.read_to_end(&mut Vec::new()).await;
            }
        })
        .await;
        let (_pki, mut alice) = prepared(address);
        let why = first_failure(&mut alice).await;
        assert!(why.contains(said), "{said:?} is not in {why:?}");
        alice.ctl(["status"]).await.ok();
        alice.stop().await;
    }
}

#[tokio::test]
async fn silence_and_one_byte_a_second_end_after_ten_seconds() {
    let silent = listen(|stream| async move {
        let _stream = stream;
        std::future::pending().await
    })
    .await;
    let slow = listen(|mut stream| async move {
        let mut tick = tokio::time::interval(Duration::from_secs(1));
        for byte in [&[0x01, 0x00][..], b"secchat\x01", &[0; 300]].concat() {
            tick.tick().await;
            if stream.write_all(&[byte]).await.is_err() {
                return;
            }
        }
    })
    .await;
    for address in [silent, slow] {
        let (_pki, mut alice) = prepared(address);
        let why = first_failure(&mut alice).await;
        assert!(why.contains("10 s"), "{why}");
    }
}

#[tokio::test]
async fn strangers_cannot_hold_the_relay_up() {
    let key = PKey::generate_ed25519().unwrap();
    let pki = Pki::new();
    pki.write_user_list([("alice", &key)]);
    let relay = TestRelay::start(&pki).await;
    let mut strangers = Vec::new();
    for bytes in [&b"GET / HTTP/1.1\r\n\r\n"[..], &[0; 2], &[0xff; 4096], &[0x0f, 0xff], &[]] {
        let mut stream = TcpStream::connect(relay.address).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        strangers.push(stream);
    }
    let mut alice = TestUser::new("alice", &key, &pki, relay.address);
    alice.start().await;
    alice.is_online().await;
    // Who sent garbage has been shown the door; who sent nothing may still wait for its ten seconds.
    let mut rude = strangers.swap_remove(2);
    within("the end of the rude one's connection", rude.read_to_end(&mut Vec::new())).await.ok();
    alice.ctl(["list"]).await.ok();
}

#[tokio::test]
async fn a_wrong_key_and_an_unknown_name_look_the_same() {
    let (key, other) = (PKey::generate_ed25519().unwrap(), PKey::generate_ed25519().unwrap());
    let pki = Pki::new();
    pki.write_user_list([("alice", &key)]);
    let relay = TestRelay::start(&pki).await;
    let mut told = Vec::new();
    for name in ["alice", "mallory"] {
        let mut user = TestUser::new(name, &other, &pki, relay.address);
        told.push(first_failure(&mut user).await.replace(name, "X"));
    }
    assert_eq!(told[0], told[1]);
    // The operator, though, reads which it was.
    let log = relay.process().log().wait_for("mallory").await;
    assert!(log.contains("alice"), "{log}");
}

/// Starts the daemon and returns why its first login failed.
async fn first_failure(user: &mut TestUser) -> String {
    user.start().await;
    let mut frontend = user.frontend().await;
    frontend.until("a failed login", |state| matches!(state.status.link, LinkState::Waiting { .. })).await;
    match &frontend.state().status.link {
        LinkState::Waiting { why, .. } => why.clone(),
        other => panic!("{other:?}"),
    }
}

fn prepared(address: SocketAddr) -> (Pki, TestUser) {
    let (pki, key) = (Pki::new(), PKey::generate_ed25519().unwrap());
    pki.write_user_list([("alice", &key)]);
    let alice = TestUser::new("alice", &key, &pki, address);
    (pki, alice)
}

/// Serves each connection with `behave`.
async fn listen<F>(behave: impl Fn(TcpStream) -> F + Send + 'static) -> SocketAddr
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(behave(stream));
        }
    });
    address
}
