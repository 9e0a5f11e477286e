//! What a peer with the keys could say, whatever its chat would.

use super::*;
use crate::chat::stage::Stage;

impl Net {
    /// Seals a message of this end under its present keys, whatever its chat would say.
    pub(super) fn forge(&mut self, side: usize, message: &ChatMessage) -> Vec<u8> {
        let plaintext = message.encode().unwrap();
        self.forge_plaintext(side, &plaintext)
    }

    pub(super) fn forge_plaintext(&mut self, side: usize, plaintext: &[u8]) -> Vec<u8> {
        let mut record = Vec::new();
        let sealer = match &mut self.ends[side].chat.stage {
            Stage::Open(talk) => talk.keys.sealer().unwrap(),
            Stage::AwaitingState(_, session) => &mut session.sealer,
            _ => panic!("no keys"),
        };
        sealer.seal(plaintext, &mut record).unwrap();
        record
    }

    /// The peer's first record of a new pair opens and says `message`, whatever it said in truth.
    pub(super) fn receive_first(&mut self, side: usize, message: &ChatMessage) {
        while !self.ends[1 - side].chat.is_established() {
            self.relay(side);
            self.deliver(1 - side);
        }
        let is_record = |wire: &&Wire| matches!(wire, Wire::Message(LinkMessage::Chat { .. }));
        let on_the_way = self.ends[side].down.iter().chain(&self.ends[1 - side].up);
        let Some(Wire::Message(LinkMessage::Chat { record, .. })) = on_the_way.clone().find(is_record) else {
            panic!("no first record")
        };
        let record = record.clone();
        self.call(side, |chat, env| {
            let Stage::AwaitingState(_, session) = &mut chat.stage else { panic!("not awaited") };
            session.opener.open(&record, &mut Vec::new()).unwrap();
            match chat.take_message(message.clone(), 64, env) {
                Ok(()) => chat.flush(env),
                Err(cause) => chat.interrupt(cause, env),
            }
        });
    }

    /// Gives a forged record of the other end to this one.
    pub(super) fn receive_forged(&mut self, side: usize, message: &ChatMessage) {
        let record = self.forge(1 - side, message);
        self.call(side, |chat, env| chat.handle_record(&record, env));
    }
}
