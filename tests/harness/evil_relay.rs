//! A relay that owns its users' links and edits what it forwards: the attacker that PROTOCOL.md promises to withstand.
//!
//! It logs people in properly (they would not stay otherwise), and then does to each message what a test says;
//! [`EvilRelay::honest`] is what a good relay would do with it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::PathBuf;

use openssl::pkey::{PKey, Private};
use openssl::x509::{X509, X509Crl};
use secchat_proto::UserName;
use secchat_proto::crypto::entropy::OsEntropy;
use secchat_proto::crypto::kem::Suites;
use secchat_proto::crypto::signature::{PublicKey, SigningKey};
use secchat_proto::handshake::relay::send_s1;
use secchat_proto::handshake::throw_away::ThrowAwayKeys;
use secchat_proto::record::{Opener, Sealer, Session};
use secchat_proto::wire::link::{Answer, ChatId, Direction, LinkMessage, ListPart};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use crate::pki::Pki;

/// The relay in the middle.
#[derive(Debug)]
pub struct EvilRelay {
    /// Where it listens.
    pub address: SocketAddr,
    /// The users and their true keys.
    pub keys: BTreeMap<UserName, PublicKey>,
    arrivals: mpsc::Receiver<Arrival>,
    links: BTreeMap<UserName, mpsc::Sender<LinkMessage>>,
    pairs: BTreeMap<ChatId, [UserName; 2]>,
    /// Resumes without their other half: who, with whom, which chat.
    offers: BTreeSet<(UserName, UserName, ChatId)>,
}

#[derive(Debug)]
enum Arrival {
    Login(UserName, mpsc::Sender<LinkMessage>),
    Message(UserName, LinkMessage),
}

#[derive(Debug)]
struct Credentials {
    certificate: Vec<u8>,
    /// Read for each login; not there: none is shown.
    crl: PathBuf,
    key: SigningKey,
    users: BTreeMap<UserName, PublicKey>,
}

impl EvilRelay {
    /// Listens, with the certificate of `pki`, for these users.
    ///
    /// # Panics
    /// When it cannot.
    pub async fn bind<'a>(pki: &Pki, users: impl IntoIterator<Item = (&'a str, &'a PKey<Private>)>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("listener");
        let address = listener.local_addr().expect("address");
        let keys: BTreeMap<_, _> =
            users.into_iter().map(|(name, key)| (proto_name(name), public_key(key))).collect();
        let certificate = std::fs::read(pki.path("relay.pem")).expect("certificate");
        let credentials = std::sync::Arc::new(Credentials {
            certificate: X509::from_pem(&certificate).expect("PEM").to_der().expect("DER"),
            crl: pki.path("crl.pem"),
            key: SigningKey::from_pkey(pki.key().to_owned()).expect("key"),
            users: keys.clone(),
        });
        let (arrived, arrivals) = mpsc::channel(1024);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, credentials.clone(), arrived.clone()));
            }
        });
        Self {
            address,
            keys,
            arrivals,
            links: BTreeMap::new(),
            pairs: BTreeMap::new(),
            offers: BTreeSet::new(),
        }
    }

    /// Does to each message what `edit` says, for as long as it is polled.
    pub async fn run(
        mut self,
        mut edit: impl FnMut(&mut Self, UserName, LinkMessage) -> Vec<(UserName, LinkMessage)>,
    ) {
        while let Some(arrival) = self.arrivals.recv().await {
            match arrival {
                Arrival::Login(name, link) => {
                    self.links.insert(name, link);
                }
                Arrival::Message(from, message) => {
                    for (to, message) in edit(&mut self, from, message) {
                        if let Some(link) = self.links.get(&to) {
                            let _ = link.send(message).await;
                        }
                    }
                }
            }
        }
    }

    /// What a good relay would send for this message.
    pub fn honest(&mut self, from: UserName, message: LinkMessage) -> Vec<(UserName, LinkMessage)> {
        match message {
            LinkMessage::Refresh { .. } => {
                let names = self.links.keys().filter(|name| **name != from).cloned().collect();
                vec![(from, LinkMessage::AvailableUsers { part: ListPart::Last, names })]
            }
            LinkMessage::Rtt { name, request } => {
                vec![(name.clone(), self.peer_key(&from)), (name, LinkMessage::Rtt { name: from, request })]
            }
            LinkMessage::Response { answer: Answer::Accept, name, chat_id } => {
                self.pairs.insert(chat_id, [from.clone(), name.clone()]);
                vec![
                    (name.clone(), self.peer_key(&from)),
                    (
                        name.clone(),
                        LinkMessage::Response { answer: Answer::Accept, name: from.clone(), chat_id },
                    ),
                    (from, LinkMessage::Resume { name, chat_id }),
                ]
            }
            LinkMessage::Response { answer, name, chat_id } => {
                vec![(name, LinkMessage::Response { answer, name: from, chat_id })]
            }
            LinkMessage::Resume { name, chat_id } => {
                if !self.offers.remove(&(name.clone(), from.clone(), chat_id)) {
                    self.offers.insert((from, name, chat_id));
                    return Vec::new();
                }
                self.pairs.insert(chat_id, [from.clone(), name.clone()]);
                let resume = |name| LinkMessage::Resume { name, chat_id };
                vec![(name.clone(), resume(from.clone())), (from, resume(name))]
            }
            LinkMessage::KeyEstablishment { chat_id, .. } | LinkMessage::Chat { chat_id, .. } => {
                self.other_of(chat_id, &from).map(|to| (to, message)).into_iter().collect()
            }
            LinkMessage::ReturnToLobby { chat_id } => {
                let other = self.other_of(chat_id, &from);
                self.pairs.remove(&chat_id);
                other.map(|to| (to, message)).into_iter().collect()
            }
            LinkMessage::Ping(x) => vec![(from, LinkMessage::Pong(x))],
            LinkMessage::AvailableUsers { .. }
            | LinkMessage::Presence { .. }
            | LinkMessage::PeerKey { .. }
            | LinkMessage::BadResponse { .. }
            | LinkMessage::Acknowledgment { .. }
            | LinkMessage::Pong(_)
            | LinkMessage::Logout(_) => Vec::new(),
        }
    }

    /// The true key of a user.
    ///
    /// # Panics
    /// When there is no such user.
    #[must_use]
    pub fn peer_key(&self, name: &UserName) -> LinkMessage {
        let public_key = self.keys.get(name).expect("a user").as_der().to_vec();
        LinkMessage::PeerKey { name: name.clone(), public_key }
    }

    /// The other one of a chat's pair.
    #[must_use]
    pub fn other_of(&self, chat_id: ChatId, one: &UserName) -> Option<UserName> {
        let [a, b] = self.pairs.get(&chat_id)?;
        Some(if a == one { b.clone() } else { a.clone() })
    }
}

/// A name in proto's vocabulary.
///
/// # Panics
/// When it is none.
#[must_use]
pub fn proto_name(name: &str) -> UserName {
    UserName::parse(name.as_bytes()).expect("a name")
}

/// The public half of a key in proto's vocabulary.
///
/// # Panics
/// When it is of no permitted kind.
#[must_use]
pub fn public_key(key: &PKey<Private>) -> PublicKey {
    PublicKey::from_der(&key.public_key_to_der().expect("SPKI")).expect("a permitted key")
}

async fn serve(stream: TcpStream, credentials: std::sync::Arc<Credentials>, arrived: mpsc::Sender<Arrival>) {
    stream.set_nodelay(true).expect("TCP_NODELAY");
    let (mut reader, mut writer) = stream.into_split();
    let Some((name, session)) = log_in(&mut reader, &mut writer, &credentials).await else { return };
    let (link, outgoing) = mpsc::channel(1024);
    if arrived.send(Arrival::Login(name.clone(), link)).await.is_err() {
        return;
    }
    tokio::spawn(write(writer, session.sealer, outgoing));
    read(reader, session.opener, name, arrived).await;
}

async fn log_in(
    reader: &mut OwnedReadHalf,
    writer: &mut OwnedWriteHalf,
    credentials: &Credentials,
) -> Option<(UserName, Session)> {
    let Credentials { certificate, crl, key, users } = credentials;
    let crl = std::fs::read(crl).map(|pem| X509Crl::from_pem(&pem).expect("PEM").to_der().expect("DER"));
    let crl = crl.unwrap_or_default();
    let (expect_s2, s1) = send_s1(&Suites::for_link(), certificate, &crl, &mut OsEntropy).ok()?;
    write_frame(writer, &s1).await?;
    let claim = expect_s2.read_s2(&read_frame(reader).await?, 0).ok()?;
    let name = claim.user_name().clone();
    let throw_away = ThrowAwayKeys::make(&mut OsEntropy).ok()?;
    let (session, s3) = claim.authenticate(users.get(&name), key, &throw_away, &mut OsEntropy).ok()?;
    write_frame(writer, &s3).await?;
    Some((name, session))
}

async fn read(mut reader: OwnedReadHalf, mut opener: Opener, name: UserName, arrived: mpsc::Sender<Arrival>) {
    let mut plaintext = Vec::new();
    while let Some(record) = read_frame(&mut reader).await {
        opener.open(&record, &mut plaintext).expect("a record of the daemon's");
        let message =
            LinkMessage::decode(&plaintext, Direction::FromClient).expect("a message of the daemon's");
        if arrived.send(Arrival::Message(name.clone(), message)).await.is_err() {
            return;
        }
    }
}

async fn write(mut writer: OwnedWriteHalf, mut sealer: Sealer, mut outgoing: mpsc::Receiver<LinkMessage>) {
    while let Some(message) = outgoing.recv().await {
        let (mut plaintext, mut record) = (Vec::new(), Vec::new());
        message.encode(&mut plaintext);
        sealer.seal(&plaintext, &mut record).expect("a record");
        if write_frame(&mut writer, &record).await.is_none() {
            return;
        }
    }
}

async fn read_frame(reader: &mut OwnedReadHalf) -> Option<Vec<u8>> {
    let length = reader.read_u16().await.ok()?;
    let mut body = vec![0; usize::from(length)];
    reader.read_exact(&mut body).await.ok()?;
    Some(body)
}

async fn write_frame(writer: &mut OwnedWriteHalf, body: &[u8]) -> Option<()> {
    let length = u16::try_from(body.len()).expect("a frame");
    writer.write_all(&[&length.to_be_bytes()[..], body].concat()).await.ok()
}
