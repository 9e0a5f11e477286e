//! Requests of others, and what became of them.

use secchat_ipc::types::Terms;
use secchat_proto::crypto::signature::PublicKey;
use secchat_proto::wire::request::RequestToTalk;
use serde::{Deserialize, Serialize};

use super::name;
use crate::convert::{terms_from_ipc, terms_to_ipc};
use crate::core::record::{KeptAnswer, SavedRequest};

#[derive(Serialize, Deserialize)]
pub(super) struct RequestRow {
    peer: String,
    request: Vec<u8>,
    key: Vec<u8>,
    received: u64,
    answered: u64,
    answer: AnswerRow,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
enum AnswerRow {
    Refused,
    RefusedQuietly,
    Accepted(Terms),
    Spent,
    Withdrawn,
    Pending,
    Later,
}

impl From<&SavedRequest> for RequestRow {
    fn from(saved: &SavedRequest) -> Self {
        let SavedRequest { peer, request, key, received, answered, answer } = saved;
        Self {
            peer: peer.to_string(),
            request: request.encode(),
            key: key.as_der().to_vec(),
            received: *received,
            answered: *answered,
            answer: match answer {
                KeptAnswer::Refused => AnswerRow::Refused,
                KeptAnswer::RefusedQuietly => AnswerRow::RefusedQuietly,
                KeptAnswer::Accepted(terms) => AnswerRow::Accepted(terms_to_ipc(*terms)),
                KeptAnswer::Spent => AnswerRow::Spent,
                KeptAnswer::Withdrawn => AnswerRow::Withdrawn,
                KeptAnswer::Pending => AnswerRow::Pending,
                KeptAnswer::Later => AnswerRow::Later,
            },
        }
    }
}

impl RequestRow {
    pub(super) fn read(self) -> Option<SavedRequest> {
        Some(SavedRequest {
            peer: name(&self.peer)?,
            request: RequestToTalk::decode(&self.request).ok()?,
            key: PublicKey::from_der(&self.key).ok()?,
            received: self.received,
            answered: self.answered,
            answer: match self.answer {
                AnswerRow::Refused => KeptAnswer::Refused,
                AnswerRow::RefusedQuietly => KeptAnswer::RefusedQuietly,
                AnswerRow::Accepted(terms) => KeptAnswer::Accepted(terms_from_ipc(terms)),
                AnswerRow::Spent => KeptAnswer::Spent,
                AnswerRow::Withdrawn => KeptAnswer::Withdrawn,
                AnswerRow::Pending => KeptAnswer::Pending,
                AnswerRow::Later => KeptAnswer::Later,
            },
        })
    }
}
