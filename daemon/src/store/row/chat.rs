//! Chats: what of one outlasts the daemon.

use secchat_ipc::types::Terms;
use secchat_proto::UserName;
use secchat_proto::chat::{SavedChat, SavedEnd, Side};
use secchat_proto::crypto::secret::Secret;
use secchat_proto::crypto::signature::PublicKey;
use secchat_proto::handshake::ChatContext;
use secchat_proto::wire::chat_record::EndReason;
use secchat_proto::wire::request::RequestToTalk;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::name;
use crate::convert::{terms_from_ipc, terms_to_ipc};

#[derive(Serialize, Deserialize)]
pub(super) struct ChatRow {
    is_initiator: bool,
    initiator: (String, Vec<u8>),
    responder: (String, Vec<u8>),
    request: Vec<u8>,
    granted: Terms,
    root: Zeroizing<[u8; 32]>,
    has_opened: bool,
    last_sent: u64,
    acknowledged: u64,
    held: u64,
    own_end: Option<EndRow>,
    peer_end: Option<bool>,
    is_told: bool,
    give_up_at: Option<u64>,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
enum EndRow {
    Person,
    Until,
    RestoredCopy,
    Answer,
}

impl From<&SavedChat> for ChatRow {
    fn from(saved: &SavedChat) -> Self {
        let SavedChat { side, context, granted, root, has_opened, last_sent, acknowledged, held, end } =
            saved;
        let ChatContext { initiator, responder, request } = context;
        let user = |(name, key): &(UserName, PublicKey)| (name.to_string(), key.as_der().to_vec());
        Self {
            is_initiator: *side == Side::Initiator,
            initiator: user(initiator),
            responder: user(responder),
            request: request.encode(),
            granted: terms_to_ipc(*granted),
            root: Zeroizing::new(*root.expose()),
            has_opened: *has_opened,
            last_sent: *last_sent,
            acknowledged: *acknowledged,
            held: *held,
            own_end: end.own.map(EndRow::from),
            peer_end: end.peer,
            is_told: end.is_told,
            give_up_at: end.give_up_at,
        }
    }
}

impl ChatRow {
    pub(super) fn read(self) -> Option<SavedChat> {
        let user = |(text, der): &(String, Vec<u8>)| Some((name(text)?, PublicKey::from_der(der).ok()?));
        let mut root = Secret::zeros();
        root.expose_mut().copy_from_slice(self.root.as_slice());
        Some(SavedChat {
            side: if self.is_initiator { Side::Initiator } else { Side::Responder },
            context: ChatContext {
                initiator: user(&self.initiator)?,
                responder: user(&self.responder)?,
                request: RequestToTalk::decode(&self.request).ok()?,
            },
            granted: terms_from_ipc(self.granted),
            root,
            has_opened: self.has_opened,
            last_sent: self.last_sent,
            acknowledged: self.acknowledged,
            held: self.held,
            end: SavedEnd {
                own: self.own_end.map(EndReason::from),
                peer: self.peer_end,
                is_told: self.is_told,
                give_up_at: self.give_up_at,
            },
        })
    }
}

impl From<EndReason> for EndRow {
    fn from(reason: EndReason) -> Self {
        match reason {
            EndReason::Person => Self::Person,
            EndReason::Until => Self::Until,
            EndReason::RestoredCopy => Self::RestoredCopy,
            EndReason::Answer => Self::Answer,
        }
    }
}

impl From<EndRow> for EndReason {
    fn from(row: EndRow) -> Self {
        match row {
            EndRow::Person => Self::Person,
            EndRow::Until => Self::Until,
            EndRow::RestoredCopy => Self::RestoredCopy,
            EndRow::Answer => Self::Answer,
        }
    }
}
