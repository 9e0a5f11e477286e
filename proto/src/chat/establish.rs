//! From a pair to the peer's first record: M1–M3 as type 6, then State (PROTOCOL.md §7).

use std::mem;

use crate::chat::stage::{Cause, Offering, Pairing, Stage, Talk};
use crate::chat::until::Lifetime;
use crate::chat::{Chat, Env, Output, Side};
use crate::crypto::kem::Suite;
use crate::error::{CryptoOperation, Error, Rule};
use crate::handshake::initiator::{self, Established, ExpectM2, Held};
use crate::handshake::responder::{self, ExpectM3, M1Read};
use crate::record::Session;
use crate::wire::chat_record::ChatMessage;
use crate::wire::link::{LinkMessage, Step};

impl Chat {
    /// Both offers met (the relay's Response 1 or Resume came): A starts M1.
    pub fn handle_pair(&mut self, env: &mut Env<'_>) {
        self.check_lifetime(env);
        if !matches!(self.stage, Stage::Unpaired(_)) {
            return self.note_stray();
        }
        if env.identity.is_none() {
            // What cannot be served is answered with 12; no attempt was made, so none failed.
            self.send_return_to_lobby();
            self.stage = Stage::Unpaired(Offering::Locked);
            return;
        }
        self.attempts.begin();
        let pairing = Pairing::new(env.now);
        match self.side {
            Side::Responder => self.stage = Stage::AwaitingM1(pairing),
            Side::Initiator => match initiator::send_m1(&self.context, &self.suites, env.entropy) {
                Ok((expect, m1)) => {
                    self.send_step(Step::M1, m1);
                    self.stage = Stage::AwaitingM2(pairing, expect);
                }
                Err(error) => self.interrupt(error.into(), env),
            },
        }
    }

    /// Type 6 came.
    pub fn handle_key_establishment(&mut self, step: Step, body: &[u8], env: &mut Env<'_>) {
        match (mem::replace(&mut self.stage, Stage::Over), step) {
            (Stage::AwaitingM1(pairing), Step::M1) => self.take_m1(pairing, None, body, env),
            (Stage::AwaitingM3(pairing, expect), Step::M1) => self.take_m1(pairing, Some(expect), body, env),
            (Stage::AwaitingM2(pairing, expect), Step::M2) if expect.is_for_us(body) => {
                self.take_m2(pairing, expect, body, env);
            }
            (Stage::AwaitingM3(pairing, expect), Step::M3) if expect.is_for_us(body) => {
                self.take_m3(pairing, expect, body, env);
            }
            (stage, Step::M1 | Step::M2 | Step::M3) => {
                self.stage = stage;
                self.note_stray();
            }
        }
    }

    fn take_m1(&mut self, mut pairing: Pairing, older: Option<ExpectM3>, body: &[u8], env: &mut Env<'_>) {
        let m1 = if pairing.may_answer(body) {
            responder::read_m1(&self.context, body, &self.suites)
        } else {
            Err(Error::PeerMisbehaved(Rule::Order))
        };
        let answered = match m1 {
            Ok(m1) => self.answer_m1(m1, env),
            Err(Error::PeerMisbehaved(Rule::Order)) => {
                self.stage = match older {
                    Some(expect) => Stage::AwaitingM3(pairing, expect),
                    None => Stage::AwaitingM1(pairing),
                };
                return self.note_stray();
            }
            Err(error) => Err(error.into()),
        };
        match answered {
            Ok((expect, m2)) => {
                pairing.note_answered(body);
                self.send_step(Step::M2, m2);
                self.stage = Stage::AwaitingM3(pairing, expect);
            }
            Err(cause) => self.interrupt(cause, env),
        }
    }

    fn take_m2(&mut self, pairing: Pairing, expect: ExpectM2, body: &[u8], env: &mut Env<'_>) {
        match self.answer_m2(expect, body, env) {
            Ok((session, m3)) => {
                self.send_step(Step::M3, m3);
                self.send_state(pairing, session, env);
            }
            Err(cause) => self.interrupt(cause, env),
        }
    }

    fn take_m3(&mut self, pairing: Pairing, expect: ExpectM3, body: &[u8], env: &mut Env<'_>) {
        match expect.read_m3(body) {
            Ok(established) => {
                let session = self.adopt(established, env);
                self.send_state(pairing, session, env);
            }
            Err(error) => self.interrupt(error.into(), env),
        }
    }

    /// B's M2 to an M1 that was read, in a new pair or in the chat.
    pub(super) fn answer_m1(&self, m1: M1Read, env: &mut Env<'_>) -> Result<(ExpectM3, Vec<u8>), Cause> {
        let key = env.identity.ok_or(Cause::Locked)?;
        let ready = match m1.suite() {
            Suite::Rsa3072 => Some(env.ready_rsa.pop().ok_or(Error::Crypto(CryptoOperation::NoReadyKey))?),
            Suite::X25519MlKem768 => None,
        };
        let granted = (self.terms(), self.root.as_ref());
        Ok(m1.send_m2(key, granted, ready, env.entropy)?)
    }

    /// A's M3 to an M2 that is for it, in a new pair or in the chat; from here on the grant is fixed.
    pub(super) fn answer_m2(
        &mut self,
        expect: ExpectM2,
        body: &[u8],
        env: &mut Env<'_>,
    ) -> Result<(Session, Vec<u8>), Cause> {
        let key = env.identity.ok_or(Cause::Locked)?;
        let held = Held {
            root: self.root.as_ref(),
            granted: self.granted,
            has_opened: self.has_opened,
            unix_now: env.unix_now,
        };
        match expect.read_m2(body, key, held, env.entropy) {
            Ok((established, m3)) => Ok((self.adopt(established, env), m3)),
            Err(Error::PeerMisbehaved(Rule::Fresh)) if self.has_opened => Err(Cause::RestoredPeer),
            Err(error) => Err(error.into()),
        }
    }

    /// Keeps what M3 fixed; gives the keys.
    pub(super) fn adopt(&mut self, established: Established, env: &Env<'_>) -> Session {
        self.granted = Some(established.granted);
        self.lifetime = Lifetime::new(established.granted.until, env.now, env.unix_now);
        if let Some(root) = established.new_root {
            self.root = Some(root);
            self.roots = self.roots.wrapping_add(1);
        }
        self.is_established = true;
        established.session
    }

    /// The first record under new keys of a new pair.
    fn send_state(&mut self, pairing: Pairing, mut session: Session, env: &mut Env<'_>) {
        let state = ChatMessage::State { sent: self.outbound.last_sealed(), held: self.inbound.held() };
        match Self::seal(&mut session.sealer, &state) {
            Ok(record) => {
                self.outputs.push_back(Output::Send(LinkMessage::Chat { chat_id: self.id(), record }));
                self.inbound.mark_acknowledged();
                self.stage = Stage::AwaitingState(pairing, session);
            }
            Err(error) => self.interrupt(error.into(), env),
        }
    }

    /// The peer's first record opened: so does the chat.
    pub(super) fn take_state(&mut self, message: &ChatMessage, env: &Env<'_>) -> Result<(), Cause> {
        let ChatMessage::State { sent, held } = *message else {
            return Err(Error::PeerMisbehaved(Rule::Order).into());
        };
        let Stage::AwaitingState(_, session) = mem::replace(&mut self.stage, Stage::Over) else {
            return Err(Error::PeerMisbehaved(Rule::Order).into());
        };
        self.stage = Stage::Open(Talk::new(session, env.now));
        self.attempts.note_opened(env.now);
        let is_first = !mem::replace(&mut self.has_opened, true);
        if self.closing.is_by_peer() {
            return Ok(());
        }
        if is_first || !self.closing.is_wanted() {
            self.outputs.push_back(Output::Opened { first: is_first, granted: self.terms() });
        }
        if self.outbound.is_contradicted_by(held) || self.inbound.is_contradicted_by(sent) {
            self.closing.want_restored(env.now);
            return Ok(());
        }
        if let Some(texts) = self.outbound.acknowledge(held)? {
            self.outputs.push_back(Output::Delivered { up_to: held, texts });
        }
        self.outbound.seal_again_after(held);
        Ok(())
    }

    fn send_step(&mut self, step: Step, body: Vec<u8>) {
        self.outputs.push_back(Output::Send(LinkMessage::KeyEstablishment {
            chat_id: self.id(),
            step,
            body,
        }));
    }
}
