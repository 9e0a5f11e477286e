//! A client on the wire: a login, pairs, records. It stands for a daemon where hundreds are needed, or where what the
//! relay says has to be seen as it is said.

use std::net::SocketAddr;

use crate::deadline::within;
use crate::pki::unix_now;
use crate::raw_link::{framed, next_frame};
use openssl::pkey::{PKey, Private};
use secchat_proto::UserName;
use secchat_proto::crypto::certificate::TrustAnchors;
use secchat_proto::crypto::entropy::OsEntropy;
use secchat_proto::crypto::kem::Suites;
use secchat_proto::crypto::signature::SigningKey;
use secchat_proto::handshake::client::read_s1;
use secchat_proto::handshake::delegation::DelegatedKey;
use secchat_proto::limits::MAX_FRAME_BYTES;
use secchat_proto::record::{Opener, Sealer};
use secchat_proto::request::Proposal;
use secchat_proto::wire::frame::FrameDecoder;
use secchat_proto::wire::link::{Answer, ChatId, Direction, LinkMessage, LogoutReason};
use secchat_proto::wire::login::{OrReject, RejectReason, Role};
use secchat_proto::wire::request::{RequestToTalk, Terms};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

/// How a login ended that did not succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoginOutcome {
    /// The relay said why.
    Rejected(RejectReason),
    /// It proved itself by a certificate that is not good.
    Untrusted,
    /// It is not there, or hung up.
    Gone,
}

/// A client that is logged in.
#[derive(Debug)]
pub struct WireClient {
    /// The user.
    pub name: UserName,
    key: SigningKey,
    /// The half that listens.
    pub hears: Hearing,
    /// The half that speaks.
    pub says: Saying,
}

/// The half that listens.
#[derive(Debug)]
pub struct Hearing {
    stream: OwnedReadHalf,
    decoder: FrameDecoder,
    opener: Opener,
}

/// The half that speaks.
#[derive(Debug)]
pub struct Saying {
    stream: OwnedWriteHalf,
    sealer: Sealer,
}

impl WireClient {
    /// Logs in as an available user.
    ///
    /// # Errors
    /// [`LoginOutcome`].
    ///
    /// # Panics
    /// When the relay breaks the protocol; so below.
    pub async fn login(
        address: SocketAddr,
        ca_pem: &[u8],
        (name, key): (&str, &PKey<Private>),
    ) -> Result<Self, LoginOutcome> {
        Self::log_in(address, ca_pem, (name, key, None)).await
    }

    /// The same by a key that the user's own has delegated to; that one only signs requests, as a thief could not.
    ///
    /// # Errors
    /// [`LoginOutcome`].
    pub async fn login_delegated(
        address: SocketAddr,
        ca_pem: &[u8],
        (name, key): (&str, &PKey<Private>),
        delegate: &DelegatedKey,
    ) -> Result<Self, LoginOutcome> {
        Self::log_in(address, ca_pem, (name, key, Some(delegate))).await
    }

    async fn log_in(
        address: SocketAddr,
        ca_pem: &[u8],
        (name, key, delegate): (&str, &PKey<Private>, Option<&DelegatedKey>),
    ) -> Result<Self, LoginOutcome> {
        let (name, key): (UserName, _) =
            (name.parse().expect("a name"), SigningKey::from_pkey(key.clone()).expect("a key"));
        let ca = openssl::x509::X509::from_pem(ca_pem).expect("the CA");
        let anchors = TrustAnchors {
            ca_certificate: ca.to_der().expect("DER"),
            crl: None,
            relay_name: "localhost".to_owned(),
            newest_crl_seen: 0,
        };
        let stream = TcpStream::connect(address).await.map_err(|_| LoginOutcome::Gone)?;
        stream.set_nodelay(true).expect("a socket");
        let (mut read, mut write) = stream.into_split();
        let mut decoder = FrameDecoder::new(MAX_FRAME_BYTES);
        let s1 = next_frame(&mut read, &mut decoder).await.ok_or(LoginOutcome::Gone)?;
        let verified = match read_s1(&s1, &anchors, &Suites::for_link(), unix_now()) {
            Ok(OrReject::Message(verified)) => verified,
            Ok(OrReject::Reject(reason)) => return Err(LoginOutcome::Rejected(reason)),
            Err(_) => return Err(LoginOutcome::Untrusted),
        };
        let s2 = match delegate {
            Some(delegate) => {
                verified.send_delegated_s2((&name, delegate), Role::Receiver, None, &mut OsEntropy)
            }
            None => verified.send_s2((&name, &key), Role::Receiver, None, &mut OsEntropy),
        };
        let (expect, s2) = s2.expect("S2");
        write.write_all(&framed(&s2)).await.map_err(|_| LoginOutcome::Gone)?;
        let s3 = next_frame(&mut read, &mut decoder).await.ok_or(LoginOutcome::Gone)?;
        let session = match expect.read_s3(&s3).expect("S3") {
            OrReject::Message(session) => session,
            OrReject::Reject(reason) => return Err(LoginOutcome::Rejected(reason)),
        };
        let hears = Hearing { stream: read, decoder, opener: session.opener };
        let mut client = Self { name, key, hears, says: Saying { stream: write, sealer: session.sealer } };
        client.says.say(&LinkMessage::Refresh { watch: false }).await;
        match client.hears.next().await {
            Some(LinkMessage::AvailableUsers { .. }) => Ok(client),
            other => panic!("no list, but {other:?}"),
        }
    }

    /// What comes next.
    pub async fn expect(&mut self, message: LinkMessage) {
        let what = format!("{} hears {message:?}", self.name);
        assert_eq!(within(&what, self.hears.next()).await.as_ref(), Some(&message), "{what}");
    }

    /// The relay must end the session with this word, and then the link.
    pub async fn is_logged_out(&mut self, reason: LogoutReason) {
        self.expect(LinkMessage::Logout(reason)).await;
        assert_eq!(within("the link's end", self.hears.next()).await, None);
    }

    /// Whatever was sent to it before has been heard, and it was nothing.
    pub async fn is_undisturbed(&mut self) {
        self.says.say(&LinkMessage::Ping([7; 8])).await;
        self.expect(LinkMessage::Pong([7; 8])).await;
    }

    /// A request to another user.
    pub async fn ask(&mut self, name: &UserName) -> ChatId {
        let now = unix_now();
        let proposal = Proposal { issued: now, expires: now + 3_600, terms: Terms::UNLIMITED };
        let request =
            RequestToTalk::make(&self.name, &self.key, name, proposal, &mut OsEntropy).expect("a request");
        self.says.say(&LinkMessage::Rtt { name: name.clone(), request: request.encode() }).await;
        request.chat_id
    }

    /// Asks another one, who accepts.
    pub async fn pair_with(&mut self, other: &mut Self) -> ChatId {
        let chat_id = self.ask(&other.name).await;
        other.until(|message| matches!(message, LinkMessage::Rtt { .. })).await;
        let accept = LinkMessage::Response { answer: Answer::Accept, name: self.name.clone(), chat_id };
        other.says.say(&accept).await;
        other.until(|message| matches!(message, LinkMessage::Resume { .. })).await;
        self.until(|message| matches!(message, LinkMessage::Response { .. })).await;
        chat_id
    }

    async fn until(&mut self, is_it: impl Fn(&LinkMessage) -> bool) {
        let listening = async { while !is_it(&self.hears.next().await.expect("a message")) {} };
        within(&format!("{} hears something", self.name), listening).await;
    }
}

impl Hearing {
    /// The next message; `None` at the end.
    ///
    /// # Panics
    /// When it is not a message.
    pub async fn next(&mut self) -> Option<LinkMessage> {
        let record = next_frame(&mut self.stream, &mut self.decoder).await?;
        let mut plaintext = Vec::new();
        self.opener.open(&record, &mut plaintext).expect("a record");
        Some(LinkMessage::decode(&plaintext, Direction::FromRelay).expect("a message"))
    }
}

impl Saying {
    /// Says a message.
    ///
    /// # Panics
    /// When the link is lost.
    pub async fn say(&mut self, message: &LinkMessage) {
        let (mut plaintext, mut record) = (Vec::new(), Vec::new());
        message.encode(&mut plaintext);
        self.sealer.seal(&plaintext, &mut record).expect("a record");
        within("writing", self.stream.write_all(&framed(&record))).await.expect("the relay");
    }
}
