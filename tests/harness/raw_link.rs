//! A client without a daemon: it speaks the protocol on one connection, from an address of its own, as well or as badly
//! as whoever holds it wants.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use secchat_proto::UserName;
use secchat_proto::crypto::certificate::TrustAnchors;
use secchat_proto::crypto::entropy::OsEntropy;
use secchat_proto::crypto::kem::{Suite, Suites};
use secchat_proto::crypto::signature::SigningKey;
use secchat_proto::handshake::client::read_s1;
use secchat_proto::limits::MAX_FRAME_BYTES;
use secchat_proto::record::{Opener, Sealer};
use secchat_proto::request::Proposal;
use secchat_proto::wire::frame::{FrameDecoder, write_frame};
use secchat_proto::wire::link::{Direction, LinkMessage};
use secchat_proto::wire::login::{OrReject, Role};
use secchat_proto::wire::request::{RequestToTalk, Terms};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpSocket, TcpStream};

use crate::pki::Pki;

/// Who logs in, and where.
#[derive(Clone, Debug)]
pub struct RawUser {
    /// The relay's address.
    pub relay: SocketAddr,
    /// What its certificate is judged by.
    pub anchors: TrustAnchors,
    /// The user's name.
    pub name: UserName,
    /// The user's key.
    pub key: SigningKey,
    /// Whence it comes: any of 127.0.0.0/8.
    pub from: Ipv4Addr,
}

/// The half of a link that speaks.
#[derive(Debug)]
pub struct RawSpeaker {
    /// The socket, for those who want to send something else.
    pub socket: OwnedWriteHalf,
    sealer: Sealer,
}

/// The half of a link that hears.
#[derive(Debug)]
pub struct RawListener {
    socket: OwnedReadHalf,
    decoder: FrameDecoder,
    opener: Opener,
}

/// What judges a test relay's certificate.
///
/// # Panics
/// When the files are none.
#[must_use]
pub fn anchors(pki: &Pki) -> TrustAnchors {
    anchors_in(&pki.path("ca.pem"))
}

/// The same, by a CA's file.
///
/// # Panics
/// When it is none.
#[must_use]
pub fn anchors_in(ca: &Path) -> TrustAnchors {
    let pem = std::fs::read(ca).expect("the CA");
    let ca = openssl::x509::X509::from_pem(&pem).expect("the CA");
    TrustAnchors {
        ca_certificate: ca.to_der().expect("DER"),
        crl: None,
        relay_name: "localhost".to_owned(),
        newest_crl_seen: 0,
    }
}

/// Connects from an address.
///
/// # Errors
/// The system's.
pub async fn connect(relay: SocketAddr, from: Ipv4Addr) -> std::io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind((from, 0).into())?;
    socket.connect(relay).await
}

/// The next frame; `None` at the end of the stream; a reset is an end too.
///
/// # Panics
/// When what comes is no frame.
pub async fn next_frame<S: AsyncReadExt + Unpin>(
    stream: &mut S,
    decoder: &mut FrameDecoder,
) -> Option<Vec<u8>> {
    let mut chunk = [0; 4_096];
    loop {
        if let Some(frame) = decoder.next_frame().expect("a frame") {
            return Some(frame.to_vec());
        }
        match stream.read(&mut chunk).await {
            Ok(0) | Err(_) => return None,
            Ok(count) => decoder.push(&chunk[..count]),
        }
    }
}

impl RawUser {
    /// Logs in, up to the first list; `None` when the relay does not let it in.
    pub async fn login(&self) -> Option<(RawSpeaker, RawListener)> {
        let mut stream = connect(self.relay, self.from).await.ok()?;
        stream.set_nodelay(true).ok()?;
        let mut decoder = FrameDecoder::new(MAX_FRAME_BYTES);
        let s1 = next_frame(&mut stream, &mut decoder).await?;
        let suites = Suites::new(vec![Suite::X25519MlKem768])?;
        let OrReject::Message(verified) = read_s1(&s1, &self.anchors, &suites, unix_seconds()).ok()? else {
            return None;
        };
        let identity = (&self.name, &self.key);
        let (expect, s2) = verified.send_s2(identity, Role::Receiver, None, &mut OsEntropy).ok()?;
        stream.write_all(&framed(&s2)).await.ok()?;
        let s3 = next_frame(&mut stream, &mut decoder).await?;
        let OrReject::Message(session) = expect.read_s3(&s3).ok()? else { return None };
        let (read, write) = stream.into_split();
        let mut speaker = RawSpeaker { socket: write, sealer: session.sealer };
        let mut listener = RawListener { socket: read, decoder, opener: session.opener };
        speaker.say(&LinkMessage::Refresh { watch: false }).await?;
        listener.hear().await?;
        Some((speaker, listener))
    }

    /// A request to talk to another.
    ///
    /// # Panics
    /// When OpenSSL fails.
    #[must_use]
    pub fn request(&self, to: &UserName) -> RequestToTalk {
        let now = unix_seconds();
        let proposal = Proposal { issued: now, expires: now + 3_600, terms: Terms::UNLIMITED };
        RequestToTalk::make(&self.name, &self.key, to, proposal, &mut OsEntropy).expect("a request")
    }
}

impl RawSpeaker {
    /// Seals a message into a frame.
    ///
    /// # Panics
    /// When the link's counter is used up.
    pub fn seal(&mut self, message: &LinkMessage) -> Vec<u8> {
        let (mut plaintext, mut record) = (Vec::new(), Vec::new());
        message.encode(&mut plaintext);
        self.sealer.seal(&plaintext, &mut record).expect("a record");
        framed(&record)
    }

    /// Sends a message; `None` when the link has ended.
    pub async fn say(&mut self, message: &LinkMessage) -> Option<()> {
        let frame = self.seal(message);
        self.socket.write_all(&frame).await.ok()
    }
}

impl RawListener {
    /// The next message; `None` when the link has ended.
    pub async fn hear(&mut self) -> Option<LinkMessage> {
        let record = next_frame(&mut self.socket, &mut self.decoder).await?;
        let mut plaintext = Vec::new();
        self.opener.open(&record, &mut plaintext).ok()?;
        LinkMessage::decode(&plaintext, Direction::FromRelay).ok()
    }
}

/// A frame's bytes.
///
/// # Panics
/// When the body is too long for one.
#[must_use]
pub fn framed(body: &[u8]) -> Vec<u8> {
    let mut frame = Vec::new();
    write_frame(body, &mut frame).expect("a frame");
    frame
}

fn unix_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock").as_secs()
}
