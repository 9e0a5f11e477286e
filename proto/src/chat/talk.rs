//! The open chat: what its records say, and what leaves when (PROTOCOL.md §8).

use std::time::Instant;

use zeroize::Zeroizing;

use crate::chat::stage::{Cause, Stage};
use crate::chat::{Chat, Env, Output, SendError};
use crate::error::{Error, Rule};
use crate::limits::RECORD_OVERHEAD_BYTES;
use crate::record::Sealer;
use crate::wire::chat_record::ChatMessage;
use crate::wire::link::LinkMessage;

impl Chat {
    /// Type 9 came.
    pub fn handle_record(&mut self, record: &[u8], env: &mut Env<'_>) {
        // Never grows, so that no copy stays behind.
        let mut plaintext = Zeroizing::new(Vec::with_capacity(record.len()));
        let opened = match &mut self.stage {
            Stage::AwaitingState(_, session) => session.opener.open(record, &mut plaintext),
            Stage::Open(talk) => {
                talk.usage.count_record();
                talk.keys.opener().open(record, &mut plaintext)
            }
            // Stale: of keys that are gone.
            Stage::Unpaired(_)
            | Stage::AwaitingM1(_)
            | Stage::AwaitingM2(..)
            | Stage::AwaitingM3(..)
            | Stage::Over => return self.note_stray(),
        };
        let taken = match opened.and_then(|()| ChatMessage::decode(&plaintext)) {
            Ok(message) => self.take_message(message, plaintext.len(), env),
            Err(error) => Err(error.into()),
        };
        match taken {
            Ok(()) => self.flush(env),
            Err(cause) => self.interrupt(cause, env),
        }
    }

    /// Takes a text: seals and sends it when open, keeps it until acknowledged. Gives its number.
    ///
    /// # Errors
    /// [`SendError`].
    pub fn send_text(&mut self, text: &str, env: &mut Env<'_>) -> Result<u64, SendError> {
        if !self.has_opened || self.closing.is_begun() || matches!(self.stage, Stage::Over) {
            return Err(SendError::NotOpen);
        }
        let id = self.outbound.take(text)?;
        if let Err(cause) = self.send_due(env) {
            let is_lost = self.outbound.withdraw(id);
            self.interrupt(cause, env);
            return if is_lost { Err(SendError::Failed) } else { Ok(id) };
        }
        Ok(id)
    }

    /// The owner holds the peer's texts up to and with `id`: only these are acknowledged. A text that was given
    /// to the owner and comes again is dropped, acknowledged or not. One that is not held when [`Output::Ended`] comes
    /// counts as missing: the peer is told that it was not delivered.
    pub fn handle_held(&mut self, id: u64, env: &mut Env<'_>) {
        self.inbound.hold(id);
        self.flush(env);
    }

    pub(super) fn take_message(
        &mut self,
        message: ChatMessage,
        filled_bytes: usize,
        env: &mut Env<'_>,
    ) -> Result<(), Cause> {
        if matches!(self.stage, Stage::AwaitingState(..)) {
            return self.take_state(&message, env);
        }
        match message {
            ChatMessage::Nothing => Ok(()),
            ChatMessage::Text { id, text } => self.take_text(id, text, filled_bytes),
            ChatMessage::Delivered { id } => self.take_delivered(id),
            ChatMessage::End { id, reason } => self.take_end(id, reason, env.now),
            ChatMessage::KeyEstablishment { step, body } => self.take_rekey_step(step, &body, env),
            ChatMessage::State { .. } => Err(Error::PeerMisbehaved(Rule::Order).into()),
        }
    }

    fn take_text(&mut self, id: u64, text: String, filled_bytes: usize) -> Result<(), Cause> {
        self.attempts.note_progress();
        // After an End the peer reports it as not delivered, and this side as missing: both the same.
        if !self.closing.is_silent() && self.inbound.take(id, filled_bytes)? {
            self.outputs.push_back(Output::Text { id, text });
        }
        Ok(())
    }

    fn take_delivered(&mut self, id: u64) -> Result<(), Cause> {
        let news = self.outbound.acknowledge(id)?;
        self.attempts.note_progress();
        if let Some(texts) = news.filter(|_| !self.closing.is_told()) {
            self.outputs.push_back(Output::Delivered { up_to: id, texts });
        }
        Ok(())
    }

    /// Sends what is due and may leave now.
    pub(super) fn flush(&mut self, env: &mut Env<'_>) {
        if let Err(cause) = self.send_due(env) {
            self.interrupt(cause, env);
        }
    }

    fn send_due(&mut self, env: &mut Env<'_>) -> Result<(), Cause> {
        let Stage::Open(talk) = &mut self.stage else { return Ok(()) };
        if talk.keys.sealer().is_none() {
            return Ok(());
        }
        if self.closing.is_silent() || self.closing.is_restored() {
            return self.send_ends(env.now);
        }
        if self.inbound.is_due(env.now) {
            self.send_delivered(env.now)?;
        }
        while let Some(text) = self.outbound.next_to_seal() {
            self.send_record(&text)?;
            self.outbound.mark_sealed();
        }
        if self.closing.is_wanted() {
            return self.send_ends(env.now);
        }
        self.start_rekey_if_due(env)
    }

    pub(super) fn send_delivered(&mut self, now: Instant) -> Result<(), Cause> {
        self.send_record(&ChatMessage::Delivered { id: self.inbound.held() })?;
        self.inbound.mark_delivered(now);
        Ok(())
    }

    /// Seals a record under the present keys and sends it.
    pub(super) fn send_record(&mut self, message: &ChatMessage) -> Result<(), Cause> {
        let Stage::Open(talk) = &mut self.stage else {
            return Err(Error::PeerMisbehaved(Rule::Order).into());
        };
        let Some(sealer) = talk.keys.sealer() else {
            return Err(Error::PeerMisbehaved(Rule::Order).into());
        };
        let record = Self::seal(sealer, message)?;
        talk.usage.count_record();
        self.push_record(record);
        Ok(())
    }

    /// The record of a message.
    pub(super) fn seal(sealer: &mut Sealer, message: &ChatMessage) -> Result<Vec<u8>, Error> {
        let plaintext = message.encode()?;
        let mut record = Vec::with_capacity(plaintext.len().saturating_add(RECORD_OVERHEAD_BYTES));
        sealer.seal(&plaintext, &mut record)?;
        Ok(record)
    }

    pub(super) fn push_record(&mut self, record: Vec<u8>) {
        self.outputs.push_back(Output::Send(LinkMessage::Chat { chat_id: self.id(), record }));
    }
}
