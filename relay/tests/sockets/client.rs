//! A client that does as it is told, right or wrong.

use std::time::{SystemTime, UNIX_EPOCH};

use secchat_proto::UserName;
use secchat_proto::crypto::entropy::OsEntropy;
use secchat_proto::crypto::kem::{ReadyRsaKey, Suites};
use secchat_proto::crypto::signature::SigningKey;
use secchat_proto::handshake::client::{ExpectS3, RelayVerified, read_s1};
use secchat_proto::handshake::delegation::DelegatedKey;
use secchat_proto::limits::MAX_FRAME_BYTES;
use secchat_proto::record::Session;
use secchat_proto::request::Proposal;
use secchat_proto::wire::frame::{FrameDecoder, write_frame};
use secchat_proto::wire::link::{Answer, ChatId, Direction, LinkMessage};
use secchat_proto::wire::login::{OrReject, RejectReason, Role};
use secchat_proto::wire::request::{RequestToTalk, Terms};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::relay::{TestRelay, within};

/// A connection that has not logged in.
pub(crate) struct Stranger {
    pub(crate) stream: TcpStream,
    decoder: FrameDecoder,
}

/// A client that is logged in.
pub(crate) struct Client {
    pub(crate) stream: TcpStream,
    decoder: FrameDecoder,
    pub(crate) session: Session,
    pub(crate) name: UserName,
    key: SigningKey,
}

pub(crate) fn unix_now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

impl Stranger {
    pub(crate) async fn connect(relay: &TestRelay) -> Self {
        let stream = within("connecting", TcpStream::connect(relay.address)).await.unwrap();
        Self { stream, decoder: FrameDecoder::new(MAX_FRAME_BYTES) }
    }

    /// The next frame; `None` at the end of the stream.
    pub(crate) async fn frame(&mut self) -> Option<Vec<u8>> {
        within("a frame", next_frame(&mut self.stream, &mut self.decoder)).await
    }

    pub(crate) async fn send(&mut self, body: &[u8]) {
        let mut frame = Vec::new();
        write_frame(body, &mut frame).unwrap();
        self.stream.write_all(&frame).await.unwrap();
    }

    pub(crate) async fn read_s1(&mut self, relay: &TestRelay, suites: &Suites) -> RelayVerified {
        let s1 = self.frame().await.expect("S1");
        match read_s1(&s1, &relay.anchors, suites, unix_now()).unwrap() {
            OrReject::Message(verified) => verified,
            OrReject::Reject(reason) => panic!("rejected: {reason:?}"),
        }
    }

    /// Sends S2 for a name with a key.
    pub(crate) async fn prove(
        &mut self,
        relay: &TestRelay,
        name: &str,
        key: &SigningKey,
        role: Role,
    ) -> ExpectS3 {
        let verified = self.read_s1(relay, &Suites::for_link()).await;
        let name: UserName = name.parse().unwrap();
        let (expect, s2) = verified.send_s2((&name, key), role, None, &mut OsEntropy).unwrap();
        self.send(&s2).await;
        expect
    }

    /// Sends S2 for a name, signed by a key that was delegated to.
    pub(crate) async fn prove_delegated(
        &mut self,
        relay: &TestRelay,
        name: &str,
        key: &DelegatedKey,
        role: Role,
    ) -> ExpectS3 {
        let verified = self.read_s1(relay, &Suites::for_link()).await;
        let name: UserName = name.parse().unwrap();
        let (expect, s2) = verified.send_delegated_s2((&name, key), role, None, &mut OsEntropy).unwrap();
        self.send(&s2).await;
        expect
    }

    /// The Reject that must come next, and then the end.
    pub(crate) async fn rejected(&mut self) -> RejectReason {
        let body = self.frame().await.expect("a Reject");
        let OrReject::Reject(reason) = secchat_proto::wire::login::S3::decode(&body).unwrap() else {
            panic!("no Reject: {body:?}")
        };
        assert_eq!(self.frame().await, None, "the end after a Reject");
        reason
    }

    /// Waits for the relay to end the connection, whatever it says before.
    pub(crate) async fn until_closed(&mut self) {
        while self.frame().await.is_some() {}
    }
}

impl Client {
    pub(crate) async fn login(relay: &TestRelay, name: &'static str, role: Role) -> Self {
        let mut client = Self::login_silently(relay, name, role).await;
        client.say(LinkMessage::Refresh { watch: false }).await;
        assert!(matches!(client.hear().await, Some(LinkMessage::AvailableUsers { .. })));
        client
    }

    /// Logs in, and does not send the first record.
    pub(crate) async fn login_silently(relay: &TestRelay, name: &'static str, role: Role) -> Self {
        let mut stranger = Stranger::connect(relay).await;
        let expect = stranger.prove(relay, name, &relay.keys[name], role).await;
        Self::finish(stranger, expect, name, &relay.keys[name]).await
    }

    /// Logs in by a key that the user's own has delegated to.
    pub(crate) async fn login_delegated(
        relay: &TestRelay,
        name: &'static str,
        key: &DelegatedKey,
        role: Role,
    ) -> Self {
        let mut stranger = Stranger::connect(relay).await;
        let expect = stranger.prove_delegated(relay, name, key, role).await;
        let mut client = Self::finish(stranger, expect, name, &relay.keys[name]).await;
        client.say(LinkMessage::Refresh { watch: false }).await;
        client
    }

    /// Logs in over the report's suite.
    pub(crate) async fn login_with_rsa(relay: &TestRelay, name: &'static str) -> Self {
        // Before it connects: a key can take seconds, and the login has ten.
        let ready = ReadyRsaKey::generate().unwrap();
        let mut stranger = Stranger::connect(relay).await;
        let suites = Suites::new(vec![secchat_proto::crypto::kem::Suite::Rsa3072]).unwrap();
        let verified = stranger.read_s1(relay, &suites).await;
        let user: UserName = name.parse().unwrap();
        let identity = (&user, &relay.keys[name]);
        let (expect, s2) = verified.send_s2(identity, Role::Receiver, Some(ready), &mut OsEntropy).unwrap();
        stranger.send(&s2).await;
        let mut client = Self::finish(stranger, expect, name, &relay.keys[name]).await;
        client.say(LinkMessage::Refresh { watch: false }).await;
        client
    }

    async fn finish(mut stranger: Stranger, expect: ExpectS3, name: &str, key: &SigningKey) -> Self {
        let s3 = stranger.frame().await.expect("S3");
        let OrReject::Message(session) = expect.read_s3(&s3).unwrap() else { panic!("rejected") };
        let Stranger { stream, decoder } = stranger;
        Self { stream, decoder, session, name: name.parse().unwrap(), key: key.clone() }
    }

    pub(crate) fn seal(&mut self, message: &LinkMessage) -> Vec<u8> {
        let (mut plaintext, mut record, mut frame) = (Vec::new(), Vec::new(), Vec::new());
        message.encode(&mut plaintext);
        self.session.sealer.seal(&plaintext, &mut record).unwrap();
        write_frame(&record, &mut frame).unwrap();
        frame
    }

    pub(crate) async fn say(&mut self, message: LinkMessage) {
        let frame = self.seal(&message);
        within("writing", self.stream.write_all(&frame)).await.unwrap();
    }

    /// The next message; `None` at the end of the stream. Whether the link is alive is not what tests are about:
    /// they say so where it is.
    pub(crate) async fn hear(&mut self) -> Option<LinkMessage> {
        let record = within("a message", next_frame(&mut self.stream, &mut self.decoder)).await?;
        let mut plaintext = Vec::new();
        self.session.opener.open(&record, &mut plaintext).unwrap();
        Some(LinkMessage::decode(&plaintext, Direction::FromRelay).unwrap())
    }

    pub(crate) async fn expect(&mut self, message: LinkMessage) {
        assert_eq!(self.hear().await.as_ref(), Some(&message), "{} should hear it", self.name);
    }

    /// Says and hears a Ping: whatever was said before has been dealt with by the link's reader.
    pub(crate) async fn is_alive(&mut self) {
        self.say(LinkMessage::Ping([5; 8])).await;
        self.expect(LinkMessage::Pong([5; 8])).await;
    }

    pub(crate) fn request(&self, to: &UserName) -> RequestToTalk {
        let now = unix_now();
        let proposal = Proposal { issued: now, expires: now + 3_600, terms: Terms::UNLIMITED };
        RequestToTalk::make(&self.name, &self.key, to, proposal, &mut OsEntropy).unwrap()
    }

    /// Asks another one, who accepts; gives the chat's id.
    pub(crate) async fn pair_with(&mut self, other: &mut Self) -> ChatId {
        let request = self.request(&other.name);
        let (chat_id, bytes) = (request.chat_id, request.encode());
        self.say(LinkMessage::Rtt { name: other.name.clone(), request: bytes.clone() }).await;
        let key = |client: &Self| LinkMessage::PeerKey {
            name: client.name.clone(),
            public_key: client.key.public_key().as_der().to_vec(),
        };
        other.expect(key(self)).await;
        other.expect(LinkMessage::Rtt { name: self.name.clone(), request: bytes }).await;
        let accept =
            |name: &UserName| LinkMessage::Response { answer: Answer::Accept, name: name.clone(), chat_id };
        other.say(accept(&self.name)).await;
        self.expect(key(other)).await;
        self.expect(accept(&other.name)).await;
        other.expect(LinkMessage::Resume { name: self.name.clone(), chat_id }).await;
        chat_id
    }
}

async fn next_frame(stream: &mut TcpStream, decoder: &mut FrameDecoder) -> Option<Vec<u8>> {
    let mut chunk = vec![0; 16 * 1024];
    loop {
        if let Some(frame) = decoder.next_frame().expect("a frame of the relay's") {
            return Some(frame.to_vec());
        }
        match stream.read(&mut chunk).await {
            // A reset is an end too.
            Ok(0) | Err(_) => return None,
            Ok(count) => decoder.push(&chunk[..count]),
        }
    }
}
