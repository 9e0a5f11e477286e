//! Handshakes as typestates: a step consumes its state, so a failed one leaves nothing to misuse.
//!
//! [`client`] and [`relay`] are the two ends of a login (S1–S3, PROTOCOL.md §3), [`initiator`] and [`responder`]
//! of a key establishment between peers (M1–M3, §7). [`delegation`] has the key that logs in for a locked user.

pub mod client;
pub mod delegation;
#[cfg(test)]
mod delegation_tests;
pub mod initiator;
#[cfg(test)]
mod login_tests;
pub mod relay;
pub mod responder;
pub mod throw_away;

use crate::crypto::kdf::{expand, extract};
use crate::crypto::kem::SharedSecret;
use crate::crypto::secret::Secret;
use crate::crypto::signature::PublicKey;
use crate::record::{Session, Speaker};
use crate::wire::request::RequestToTalk;
use crate::wire::writer::Writer;
use crate::{Error, UserName};

/// `CTX`: who the two are and what was asked, of what this side itself holds (§7).
#[derive(Clone, Debug)]
pub struct ChatContext {
    /// A: who asked.
    pub initiator: (UserName, PublicKey),
    /// B: who was asked.
    pub responder: (UserName, PublicKey),
    /// The request as sent or accepted.
    pub request: RequestToTalk,
}

impl ChatContext {
    /// The bytes that both sides hash.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let mut writer = Writer::new(&mut out);
        writer.bytes(b"secchat 1 chat");
        for (name, key) in [&self.initiator, &self.responder] {
            writer.user_name(name).v16(key.as_der());
        }
        writer.v16(&self.request.encode());
        out
    }
}

/// The keys of a chat from `TH(CTX,M1,M2,M3)`, its root and the fresh secret; without a root (`fresh`) it makes one.
fn derive_chat_keys(
    salt: &[u8; 32],
    root: Option<&Secret<32>>,
    shared: &SharedSecret,
    own: Speaker,
) -> Result<(Session, Option<Secret<32>>), Error> {
    let no_root = Secret::zeros();
    let prk = extract(salt, &[root.unwrap_or(&no_root).expose(), shared.expose()])?;
    let new_root = match root {
        Some(_) => None,
        None => Some(expand(&prk, "secchat 1 chat root")?),
    };
    Ok((Session::derive(&prk, own)?, new_root))
}

const M2_LABEL: &str = "secchat 1 M2";
const M3_LABEL: &str = "secchat 1 M3";
