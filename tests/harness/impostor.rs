//! A relay's own bob: answers for somebody who was never asked, with a key of the relay's.

use openssl::pkey::PKey;
use secchat_proto::UserName;
use secchat_proto::crypto::entropy::OsEntropy;
use secchat_proto::crypto::kem::Suites;
use secchat_proto::crypto::signature::{PublicKey, SigningKey};
use secchat_proto::handshake::ChatContext;
use secchat_proto::handshake::responder::{ExpectM3, read_m1};
use secchat_proto::wire::chat_record::ChatMessage;
use secchat_proto::wire::link::{Answer, LinkMessage, Step};
use secchat_proto::wire::request::RequestToTalk;

use crate::evil_relay::EvilRelay;

/// Who the relay says to be the one that was asked.
#[derive(Debug)]
pub struct Impostor {
    key: SigningKey,
    presents_own_key: bool,
    context: Option<ChatContext>,
    expect_m3: Option<ExpectM3>,
}

impl Impostor {
    /// Presents a key of its own as the asked one's.
    #[must_use]
    pub fn with_own_key() -> Self {
        Self::new(true)
    }

    /// Presents the asked one's true key, and signs with its own all the same.
    #[must_use]
    pub fn with_true_key() -> Self {
        Self::new(false)
    }

    fn new(presents_own_key: bool) -> Self {
        let key = PKey::generate_ed25519().expect("key");
        let key = SigningKey::from_pkey(key).expect("key");
        Self { key, presents_own_key, context: None, expect_m3: None }
    }

    /// The key that it signs with.
    #[must_use]
    pub fn public_key(&self) -> &PublicKey {
        self.key.public_key()
    }

    /// Takes what concerns the asker's request and handshake; all else is forwarded as a good relay would.
    ///
    /// # Panics
    /// When the asker's daemon breaks the protocol.
    pub fn edit(
        &mut self,
        relay: &mut EvilRelay,
        from: UserName,
        message: LinkMessage,
    ) -> Vec<(UserName, LinkMessage)> {
        match message {
            LinkMessage::Rtt { name, request } => self.accept(relay, from, name, &request),
            LinkMessage::KeyEstablishment { step: Step::M1, body, .. } => self.answer_m1(from, &body),
            LinkMessage::KeyEstablishment { step: Step::M3, body, .. } => self.open(from, &body),
            other => relay.honest(from, other),
        }
    }

    fn accept(
        &mut self,
        relay: &EvilRelay,
        from: UserName,
        name: UserName,
        request: &[u8],
    ) -> Vec<(UserName, LinkMessage)> {
        let request = RequestToTalk::decode(request).expect("a request");
        let chat_id = request.chat_id;
        let asked = if self.presents_own_key { self.public_key().clone() } else { relay.keys[&name].clone() };
        let peer_key = LinkMessage::PeerKey { name: name.clone(), public_key: asked.as_der().to_vec() };
        let initiator = (from.clone(), relay.keys[&from].clone());
        self.context = Some(ChatContext { initiator, responder: (name.clone(), asked), request });
        let accepted = LinkMessage::Response { answer: Answer::Accept, name, chat_id };
        vec![(from.clone(), peer_key), (from, accepted)]
    }

    fn answer_m1(&mut self, from: UserName, body: &[u8]) -> Vec<(UserName, LinkMessage)> {
        let context = self.context.as_ref().expect("a request");
        let chat_id = context.request.chat_id;
        let m1 = read_m1(context, body, &Suites::for_peers()).expect("M1");
        let grant = (context.request.terms, None);
        let (expect_m3, body) = m1.send_m2(&self.key, grant, None, &mut OsEntropy).expect("M2");
        self.expect_m3 = Some(expect_m3);
        vec![(from, LinkMessage::KeyEstablishment { chat_id, step: Step::M2, body })]
    }

    /// The first record, which opens the chat for the asker.
    fn open(&mut self, from: UserName, body: &[u8]) -> Vec<(UserName, LinkMessage)> {
        let chat_id = self.context.as_ref().expect("a request").request.chat_id;
        let mut session = self.expect_m3.take().expect("M2").read_m3(body).expect("M3").session;
        let state = ChatMessage::State { sent: 0, held: 0 }.encode().expect("State");
        let mut record = Vec::new();
        session.sealer.seal(&state, &mut record).expect("a record");
        vec![(from, LinkMessage::Chat { chat_id, record })]
    }
}
