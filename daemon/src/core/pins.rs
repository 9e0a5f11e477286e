//! What a person decides about peers: keys, policies, blocks. Each is answered once it is saved.

use secchat_ipc::types::{EndReason, Peer, Policy, Resolution};
use secchat_ipc::{CommandError, Reply};
use secchat_proto::UserName;
use secchat_proto::crypto::entropy::Entropy;
use secchat_proto::crypto::signature::PublicKey;
use secchat_proto::safety_number::safety_number;

use super::Core;
use super::commands::{Caller, Outcome};
use super::pending::Wait;
use crate::convert::user_to_ipc;
use crate::limits::{MAX_PUBLIC_KEY_TEXT_BYTES, SAFETY_NUMBER_DIGITS};

impl<E: Entropy> Core<E> {
    pub(super) fn set_policy(
        &mut self,
        caller: &Caller,
        peer: Option<UserName>,
        policy: Option<Policy>,
    ) -> Result<Outcome, CommandError> {
        let word = policy.map_or_else(|| "as in general".to_owned(), |policy| format!("{policy:?}"));
        self.log("policy_changed", peer.as_ref(), word);
        match peer {
            None => self.change_settings(|settings| settings.policy = policy),
            Some(peer) => {
                self.can_keep(&peer)?;
                self.cooling.remove(&peer);
                self.change_peer(&peer, |saved| saved.policy = policy);
            }
        }
        Ok(self.wait_for_save(caller))
    }

    /// Blocks or unblocks. Blocking sends nothing but the end of a pair that stands: what the peer asked looks
    /// unanswered.
    pub(super) fn set_blocked(
        &mut self,
        caller: &Caller,
        peer: &UserName,
        blocked: bool,
    ) -> Result<Outcome, CommandError> {
        self.can_keep(peer)?;
        self.change_peer(peer, |saved| saved.blocked = blocked);
        if blocked {
            self.log("peer_blocked", Some(peer), "");
        } else {
            self.log("peer_unblocked", Some(peer), "");
        }
        if blocked {
            let error = CommandError::Blocked { peer: user_to_ipc(peer) };
            let is_it = |wait: &Wait| matches!(wait, Wait::Talk { peer: asked } if asked == peer);
            self.answer_all(is_it, &Err(error));
            self.drop_asked(peer, Resolution::Withdrawn);
            let of_peer = self.chats.iter().filter(|(_, talk)| talk.peer == *peer);
            for chat_id in of_peer.map(|(id, _)| *id).collect::<Vec<_>>() {
                self.drop_chat(chat_id, EndReason::KeyGone);
            }
            let waiting = self.requests.iter().filter(|(_, r)| r.peer == *peer && r.is_unanswered());
            for chat_id in waiting.map(|(id, _)| *id).collect::<Vec<_>>() {
                self.refuse(chat_id, true, caller.who.clone());
            }
        }
        Ok(self.wait_for_save(caller))
    }

    pub(super) fn list_peers(&self) -> Outcome {
        let peers = self.known.peers.iter().map(|(name, saved)| Peer {
            peer: user_to_ipc(name),
            trust: self.trust(name),
            public_key: saved
                .pin
                .as_ref()
                .map(|key| openssl::base64::encode_block(key.as_der()))
                .unwrap_or_default(),
            policy: saved.policy,
            blocked: saved.blocked,
        });
        Outcome::Now(Reply::Peers(peers.collect()))
    }

    pub(super) fn add_peer(
        &mut self,
        caller: &Caller,
        peer: &UserName,
        public_key: &str,
    ) -> Result<Outcome, CommandError> {
        self.can_keep(peer)?;
        let key = parse_key(public_key)?;
        match self.known.peer(peer).and_then(|saved| saved.pin.as_ref()) {
            Some(pin) if *pin != key => return Err(CommandError::KeyChanged { peer: user_to_ipc(peer) }),
            Some(_) | None => {}
        }
        self.pin(peer, &key, false);
        Ok(self.wait_for_save(caller))
    }

    /// Makes `key` the pin; what is held under others ends.
    fn pin(&mut self, peer: &UserName, key: &PublicKey, verified: bool) {
        self.change_peer(peer, |saved| {
            saved.pin = Some(key.clone());
            saved.verified |= verified;
            saved.followed &= !verified;
        });
        self.end_under_other_keys(peer, Some(key));
        self.tell_trust(peer);
    }

    pub(super) fn safety_number_of(&self, peer: &UserName) -> Result<Outcome, CommandError> {
        let pin = self.known.peer(peer).and_then(|saved| saved.pin.clone());
        let offered = self.changed.get(peer).map(|changed| &changed.key);
        let key = pin.or_else(|| self.unpinned_key(peer));
        let key = key.ok_or_else(|| CommandError::NoKey { peer: user_to_ipc(peer) })?;
        Ok(Outcome::Now(Reply::SafetyNumber {
            number: self.safety_number_for(peer, &key)?,
            trust: self.trust(peer),
            offered: offered.map(|key| self.safety_number_for(peer, key)).transpose()?,
        }))
    }

    fn safety_number_for(&self, peer: &UserName, key: &PublicKey) -> Result<String, CommandError> {
        let user = self.user()?;
        let own = self.session.public_key().ok_or(CommandError::Locked)?;
        Ok(safety_number((&user, own), (peer, key)))
    }

    pub(super) fn confirm_safety_number(
        &mut self,
        caller: &Caller,
        peer: &UserName,
        number: &str,
    ) -> Result<Outcome, CommandError> {
        self.can_keep(peer)?;
        let digits = parse_digits(number)?;
        let pin = self.known.peer(peer).and_then(|saved| saved.pin.clone());
        let offered = self.changed.get(peer).map(|changed| changed.key.clone());
        let candidates = [offered, pin.clone().or_else(|| self.unpinned_key(peer))];
        let mut is_known = false;
        for key in candidates.into_iter().flatten() {
            is_known = true;
            if parse_digits(&self.safety_number_for(peer, &key)?)? == digits {
                self.confirm(peer, &key, pin.as_ref());
                return Ok(self.wait_for_save(caller));
            }
        }
        let peer = user_to_ipc(peer);
        Err(if is_known { CommandError::WrongSafetyNumber { peer } } else { CommandError::NoKey { peer } })
    }

    /// A person compared the number of `key`: it is the pin now, and nothing is changed any more.
    fn confirm(&mut self, peer: &UserName, key: &PublicKey, pin: Option<&PublicKey>) {
        self.log("peer_verified", Some(peer), if pin == Some(key) { "" } else { "a new key" });
        if pin == Some(key) {
            // The other key was not the peer's: what came with it is dropped.
            self.changed.remove(peer);
            self.pin(peer, key, true);
        } else {
            let vouched = self.changed.get(peer).is_some_and(|changed| changed.vouched);
            if pin.is_some() && !vouched {
                self.drop_queued_of_other_key(peer);
            }
            self.pin(peer, key, true);
            self.settle_changed(peer);
            self.tell_trust(peer);
        }
    }

    pub(super) fn forget(&mut self, caller: &Caller, peer: &UserName) -> Result<Outcome, CommandError> {
        if self.known.peer(peer).is_none_or(|saved| saved.pin.is_none()) {
            return Err(CommandError::NoKey { peer: user_to_ipc(peer) });
        }
        self.change_peer(peer, |saved| {
            saved.pin = None;
            saved.verified = false;
            saved.followed = false;
        });
        self.drop_consent(peer);
        self.end_under_other_keys(peer, None);
        self.drop_queued_of_other_key(peer);
        self.log("peer_forgotten", Some(peer), "");
        self.settle_changed(peer);
        self.tell_trust(peer);
        Ok(self.wait_for_save(caller))
    }

    pub(super) fn can_keep(&self, peer: &UserName) -> Result<(), CommandError> {
        if self.settings.user.as_ref() == Some(peer) {
            return Err(CommandError::Invalid { why: format!("{peer} is this user") });
        }
        if !self.known.has_room_for(peer) {
            let why = "too many peers are known: drop some with `secchatctl forget`".into();
            return Err(CommandError::LimitReached { why });
        }
        Ok(())
    }
}

fn parse_key(text: &str) -> Result<PublicKey, CommandError> {
    let invalid = || {
        CommandError::Invalid {
        why: "not a public key: expected the base64 of an Ed25519 or RSA (2048 to 4096 bits) SubjectPublicKeyInfo, \
              as `secchatctl keygen` prints it"
            .into(),
    }
    };
    let text = text.trim();
    if text.len() > MAX_PUBLIC_KEY_TEXT_BYTES {
        return Err(invalid());
    }
    let der = openssl::base64::decode_block(text).map_err(|_| invalid())?;
    PublicKey::from_der(&der).map_err(|_| invalid())
}

/// The digits of a safety number, blanks left out.
fn parse_digits(number: &str) -> Result<String, CommandError> {
    let digits: String = number.chars().filter(|c| !c.is_whitespace()).collect();
    if digits.len() == SAFETY_NUMBER_DIGITS && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        Ok(digits)
    } else {
        let why = format!("a safety number has {SAFETY_NUMBER_DIGITS} digits, in groups of 5");
        Err(CommandError::Invalid { why })
    }
}
