//! Relays that are not there, or are not relays.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use openssl::asn1::Asn1Time;
use openssl::hash::MessageDigest;
use openssl::pkey::PKey;
use openssl::x509::{X509, X509NameBuilder};
use secchat_ipc::paths::Paths;
use secchat_proto::crypto::entropy::OsEntropy;
use secchat_proto::crypto::kem::Suites;
use secchat_proto::crypto::signature::SigningKey;
use secchat_proto::error::Untrusted;
use secchat_proto::wire::login::{RejectReason, Role};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use super::*;
use crate::config::{Config, Flags};
use crate::permissions::private_tempdir;

struct Client {
    top: tempfile::TempDir,
    settings: Arc<LinkSettings>,
    state: Arc<StateFolder>,
}

impl Client {
    fn of(relay: &str) -> Self {
        let top = private_tempdir();
        let home = top.path().join("home");
        let paths = Paths::resolve(None, |name| (name == "HOME").then(|| home.clone().into())).unwrap();
        std::fs::create_dir_all(paths.config_folder()).unwrap();
        let text = format!("user = \"alice\"\nrelay = \"{relay}\"\n");
        std::fs::write(paths.config_file(), text).unwrap();
        std::fs::write(paths.config_folder().join("ca.pem"), some_certificate()).unwrap();
        let state = StateFolder::open(paths.state_folder()).unwrap();
        let system = top.path().join("none.toml");
        let config = Config::resolve(paths, &Flags::default(), &system, |_| None).unwrap();
        Self { top, settings: Arc::new(LinkSettings::new(&config).unwrap()), state: Arc::new(state) }
    }

    fn open(&self) -> (Link, mpsc::Receiver<Message>, tokio::task::JoinHandle<()>) {
        let (hub, inbox) = mpsc::channel(16);
        let identity = SigningKey::generate_ed25519(&mut OsEntropy).unwrap();
        let attempt = Attempt { key: LoginKey::Identity(identity), role: Role::Receiver, newest_crl_seen: 0 };
        let (link, task) = open(Arc::clone(&self.settings), Arc::clone(&self.state), attempt, 7, hub);
        (link, inbox, tokio::spawn(task))
    }

    /// The one event of a link that never stands.
    async fn failure(&self) -> LinkFailure {
        let (_link, mut inbox, task) = self.open();
        let failure = down(&mut inbox).await;
        task.await.unwrap();
        assert!(inbox.recv().await.is_none(), "an end comes once");
        failure
    }

    async fn sentence(&self) -> String {
        match self.failure().await {
            LinkFailure::Failed(why) => why,
            other @ (LinkFailure::Rejected(_) | LinkFailure::Closed) => panic!("{other:?}"),
        }
    }
}

async fn down(inbox: &mut mpsc::Receiver<Message>) -> LinkFailure {
    match inbox.recv().await {
        Some(Message::Link { generation: 7, event: LinkEvent::Down(failure) }) => failure,
        other => panic!("{other:?}"),
    }
}

fn some_certificate() -> Vec<u8> {
    let key = PKey::generate_ed25519().unwrap();
    let name = X509NameBuilder::new().unwrap().build();
    let mut builder = X509::builder().unwrap();
    builder.set_subject_name(&name).unwrap();
    builder.set_issuer_name(&name).unwrap();
    builder.set_pubkey(&key).unwrap();
    builder.set_not_before(&Asn1Time::days_from_now(0).unwrap()).unwrap();
    builder.set_not_after(&Asn1Time::days_from_now(1).unwrap()).unwrap();
    builder.sign(&key, MessageDigest::null()).unwrap();
    builder.build().to_pem().unwrap()
}

async fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// A relay that says `bytes` and then, with `closes`, ends; else it holds on.
async fn relay_that_says(bytes: Vec<u8>, closes: bool) -> Client {
    let (listener, address) = listener().await;
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(&bytes).await.unwrap();
        if closes {
            stream.shutdown().await.unwrap();
        }
        hold(stream).await;
    });
    Client::of(&address.to_string())
}

async fn hold(mut stream: TcpStream) {
    let mut sink = [0; 64];
    while matches!(stream.read(&mut sink).await, Ok(n) if n > 0) {}
}

#[tokio::test]
async fn nobody_there() {
    let (listener, address) = listener().await;
    drop(listener);
    let client = Client::of(&address.to_string());
    let sentence = client.sentence().await;
    assert!(
        sentence.contains(&format!("no relay is listening at {address} (connection refused)")),
        "{sentence}"
    );
    assert!(sentence.contains("config.toml"), "{sentence}");
}

#[tokio::test]
async fn no_such_name() {
    let sentence = Client::of("no-such-host.invalid:4711").sentence().await;
    assert!(sentence.contains("cannot reach no-such-host.invalid:4711"), "{sentence}");
}

#[tokio::test]
async fn garbage() {
    let http = b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec();
    let mut zeros = vec![0xff, 0xff];
    zeros.resize(65_537, 0);
    let mut short_zeros = vec![0x04, 0x00];
    short_zeros.resize(1_026, 0);
    for (bytes, what) in
        [(http, "HTTP"), (zeros, "65,535 zeros"), (vec![0, 0], "empty frame"), (short_zeros, "zeros")]
    {
        let sentence = relay_that_says(bytes, false).await.sentence().await;
        assert!(sentence.contains("does not answer as a secchat relay does"), "{what}: {sentence}");
        assert!(sentence.contains("config.toml"), "{what}: {sentence}");
    }
}

#[tokio::test]
async fn another_version() {
    let mut s1 = b"\0\x08secchat\x02".to_vec();
    s1[1] = 8;
    let sentence = relay_that_says(s1, false).await.sentence().await;
    assert!(sentence.contains("another version"), "{sentence}");
}

#[tokio::test]
async fn half_a_frame_and_the_end() {
    for bytes in [vec![], vec![0x04], vec![0x04, 0x00, b's', b'e']] {
        let sentence = relay_that_says(bytes, true).await.sentence().await;
        assert!(sentence.contains("closed the connection during the login"), "{sentence}");
    }
}

#[tokio::test]
async fn a_reject_is_passed_on() {
    let failure = relay_that_says(vec![0, 2, 0xff, 4], false).await.failure().await;
    assert_eq!(failure, LinkFailure::Rejected(RejectReason::Busy));
}

#[tokio::test]
async fn silence_and_a_byte_a_second_end_after_ten_seconds() {
    for drips in [false, true] {
        let (listener, address) = listener().await;
        let client = Client::of(&address.to_string());
        let (_link, mut inbox, _task) = client.open();
        let (mut stream, _) = listener.accept().await.unwrap();
        // From here on only timers pass: the clock jumps from one to the next.
        tokio::time::pause();
        let start = tokio::time::Instant::now();
        tokio::spawn(async move {
            stream.write_all(&[0x10, 0x00]).await.unwrap();
            while drips && stream.write_all(b"s").await.is_ok() {
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            hold(stream).await;
        });
        let failure = down(&mut inbox).await;
        let LinkFailure::Failed(sentence) = failure else { panic!("{failure:?}") };
        assert!(sentence.contains("did not complete the login within 10 s"), "{sentence}");
        let elapsed = start.elapsed();
        assert!(elapsed <= Duration::from_secs(11), "{elapsed:?}");
        tokio::time::resume();
    }
}

#[tokio::test]
async fn a_login_under_way_ends_when_the_hub_lets_go() {
    let (listener, address) = listener().await;
    let client = Client::of(&address.to_string());
    let (link, mut inbox, _task) = client.open();
    let _stream = listener.accept().await.unwrap();
    drop(link);
    assert_eq!(down(&mut inbox).await, LinkFailure::Closed);
}

#[tokio::test]
async fn files_that_are_missing_or_broken_are_named() {
    let client = Client::of("127.0.0.1:1");
    let ca = client.settings.ca.clone();
    std::fs::write(&ca, "no certificate").unwrap();
    let sentence = client.sentence().await;
    assert!(sentence.contains(&ca.display().to_string()) && sentence.contains("PEM or DER"), "{sentence}");
    std::fs::remove_file(&ca).unwrap();
    let sentence = client.sentence().await;
    assert!(sentence.contains("cannot read the CA certificate"), "{sentence}");
    assert!(sentence.contains("operator"), "{sentence}");
    assert!(client.top.path().exists());
}

#[tokio::test]
async fn suite_1_alone_makes_its_key_before_it_connects() {
    let (listener, address) = listener().await;
    let mut client = Client::of(&address.to_string());
    let suites = Suites::new(vec![secchat_proto::crypto::kem::Suite::Rsa3072]).unwrap();
    Arc::get_mut(&mut client.settings).unwrap().suites = suites;
    let (_link, mut inbox, _task) = client.open();
    let (mut stream, _) = listener.accept().await.unwrap();
    stream.write_all(&[0, 2, 0xff, 5]).await.unwrap();
    assert_eq!(down(&mut inbox).await, LinkFailure::Rejected(RejectReason::Closing));
}

#[test]
fn every_cause_of_distrust_is_its_own_sentence() {
    let client = Client::of("relay.example.org:4711");
    let causes = [
        Untrusted::CertificateUnreadable,
        Untrusted::WrongCa,
        Untrusted::Expired,
        Untrusted::NotYetValid,
        Untrusted::WrongName,
        Untrusted::WrongPurpose,
        Untrusted::WeakKey,
        Untrusted::Revoked,
        Untrusted::NoCrl,
        Untrusted::CrlExpired,
        Untrusted::CrlNotYetValid,
        Untrusted::CrlForeign,
        Untrusted::CrlOlder,
        Untrusted::CrlUnreadable,
    ];
    let sentences: std::collections::BTreeSet<String> =
        causes.into_iter().map(|why| trust::untrusted(&client.settings, why)).collect();
    assert_eq!(sentences.len(), causes.len());
    for sentence in &sentences {
        assert!(sentence.starts_with("relay.example.org:4711 is not trusted: "), "{sentence}");
        assert!(sentence.contains("; "), "each says what to do: {sentence}");
    }
}

#[test]
fn a_full_queue_is_told() {
    let (sender, _outbox) = mpsc::channel(2);
    let (opened, _closed) = oneshot::channel();
    let link = Link { outbox: sender, queued_bytes: Arc::default(), _open: opened };
    let ping = LinkMessage::Ping([0; 8]);
    assert!(link.send(&ping).is_ok() && link.send(&ping).is_ok());
    assert!(link.send(&ping).is_err(), "too many messages");
    link.queued_bytes.store(MAX_QUEUED_BYTES, Ordering::Relaxed);
    assert!(link.send(&ping).is_err(), "too many bytes");
}
