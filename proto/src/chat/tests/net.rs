//! The harness: two ends, the relay between them, a clock that stands until it is told.

use std::collections::{HashSet, VecDeque};
use std::time::{Duration, Instant};

use crate::Error;
use crate::chat::{Chat, Env, Output, PairLoss, Phase, SendError};
use crate::crypto::entropy::Entropy;
use crate::crypto::kem::ReadyRsaKey;
use crate::crypto::signature::SigningKey;
use crate::wire::chat_record::EndReason;
use crate::wire::link::{LinkMessage, Step};

pub(super) const UNIX_START: u64 = 1_000_000;

/// Randomness from a seed.
#[derive(Clone, Debug)]
pub(super) struct Seeded(pub(super) u64);

impl Seeded {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

impl Entropy for Seeded {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), Error> {
        for chunk in out.chunks_mut(8) {
            let bytes = self.next().to_be_bytes();
            chunk.copy_from_slice(&bytes[..chunk.len()]);
        }
        Ok(())
    }
}

/// What travels between an end and the relay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wire {
    Offer,
    Pair,
    PeerGone,
    Message(LinkMessage),
}

/// One end: its chat and who runs it.
#[derive(Debug)]
pub(super) struct End {
    pub(super) chat: Chat,
    pub(super) key: SigningKey,
    pub(super) is_locked: bool,
    pub(super) ready_rsa: Vec<ReadyRsaKey>,
    pub(super) entropy: Seeded,
    /// Whether the owner holds texts at once.
    pub(super) holds: bool,
    pub(super) inbox: Vec<(u64, String)>,
    pub(super) delivered: u64,
    /// Outputs that are neither sends nor texts nor acknowledgements.
    pub(super) events: Vec<Output>,
    pub(super) is_linked: bool,
    /// On its way to the relay.
    pub(super) up: VecDeque<Wire>,
    /// On its way from the relay.
    pub(super) down: VecDeque<Wire>,
    pub(super) has_offer: bool,
}

/// Two ends and the relay between them.
#[derive(Debug)]
pub(super) struct Net {
    pub(super) ends: [End; 2],
    pub(super) origin: Instant,
    pub(super) now: Instant,
    pub(super) unix: u64,
    pub(super) is_paired: bool,
    /// Who sent which counter: none may come twice.
    pub(super) counters: HashSet<(usize, [u8; 12])>,
    /// The last counter of each, and how often it did not follow the one before: sessions.
    pub(super) last: [[u8; 12]; 2],
    pub(super) sessions: [u32; 2],
}

pub(super) const A: usize = 0;
pub(super) const B: usize = 1;

impl Net {
    /// Calls a chat with its surroundings, then takes its outputs.
    pub(super) fn call<R>(&mut self, side: usize, call: impl FnOnce(&mut Chat, &mut Env<'_>) -> R) -> R {
        let result = self.call_only(side, call);
        self.take_outputs(side);
        result
    }

    fn call_only<R>(&mut self, side: usize, call: impl FnOnce(&mut Chat, &mut Env<'_>) -> R) -> R {
        let end = &mut self.ends[side];
        let identity = if end.is_locked { None } else { Some(&end.key) };
        let mut env = Env {
            now: self.now,
            unix_now: self.unix,
            identity,
            ready_rsa: &mut end.ready_rsa,
            entropy: &mut end.entropy,
        };
        call(&mut end.chat, &mut env)
    }

    fn take_outputs(&mut self, side: usize) {
        while let Some(output) = self.ends[side].chat.next_output() {
            let end = &mut self.ends[side];
            match output {
                Output::Send(message) => {
                    if let LinkMessage::Chat { record, .. } = &message {
                        let counter: [u8; 12] = record[..12].try_into().unwrap();
                        let follows = number(&self.last[side]).wrapping_add(1) == number(&counter);
                        self.sessions[side] += u32::from(!follows);
                        self.last[side] = counter;
                        assert!(self.counters.insert((side, counter)), "a counter came twice");
                    }
                    assert!(end.is_linked, "sent without a link: {message:?}");
                    end.up.push_back(Wire::Message(message));
                }
                Output::Offer => {
                    assert!(end.is_linked, "offered without a link");
                    assert!(!end.is_locked, "offered while locked");
                    end.up.push_back(Wire::Offer);
                }
                Output::Text { id, text } => {
                    let last = end.inbox.last().map_or(0, |(id, _)| *id);
                    assert_eq!(id, last + 1, "texts come in order, once");
                    end.inbox.push((id, text));
                    if end.holds {
                        self.call_only(side, |chat, env| chat.handle_held(id, env));
                    }
                }
                Output::Delivered { up_to, .. } => {
                    assert!(up_to > end.delivered, "each acknowledgement is news");
                    end.delivered = up_to;
                }
                event @ (Output::Opened { .. }
                | Output::Interrupted { .. }
                | Output::Troubled
                | Output::Ended { .. }) => end.events.push(event),
            }
        }
    }

    /// The relay takes the next message of this end.
    pub(super) fn relay(&mut self, side: usize) -> bool {
        let Some(wire) = self.ends[side].up.pop_front() else { return false };
        let other = 1 - side;
        match wire {
            Wire::Offer if !self.is_paired => {
                self.ends[side].has_offer = true;
                if self.ends[other].has_offer {
                    self.is_paired = true;
                    for end in &mut self.ends {
                        end.has_offer = false;
                        end.down.push_back(Wire::Pair);
                    }
                }
            }
            Wire::Message(message) if self.is_paired => {
                self.is_paired = !matches!(message, LinkMessage::ReturnToLobby { .. });
                self.ends[other].down.push_back(Wire::Message(message));
            }
            Wire::Offer | Wire::Message(_) => {}
            Wire::Pair | Wire::PeerGone => panic!("not sent by an end"),
        }
        true
    }

    /// This end takes the next message of the relay.
    pub(super) fn deliver(&mut self, side: usize) -> bool {
        let Some(wire) = self.ends[side].down.pop_front() else { return false };
        self.feed(side, wire);
        true
    }

    pub(super) fn feed(&mut self, side: usize, wire: Wire) {
        self.call(side, |chat, env| match wire {
            Wire::Pair => chat.handle_pair(env),
            Wire::PeerGone => chat.handle_pair_lost(PairLoss::PeerGone, env),
            Wire::Message(LinkMessage::KeyEstablishment { step, body, .. }) => {
                chat.handle_key_establishment(step, &body, env);
            }
            Wire::Message(LinkMessage::Chat { record, .. }) => chat.handle_record(&record, env),
            Wire::Message(LinkMessage::ReturnToLobby { .. }) => {
                chat.handle_pair_lost(PairLoss::Returned, env);
            }
            Wire::Offer | Wire::Message(_) => panic!("not sent to an end: {wire:?}"),
        });
    }

    /// Everything that is under way arrives.
    pub(super) fn settle(&mut self) {
        for _ in 0..100_000 {
            let is_busy = [A, B].map(|side| self.relay(side) | self.deliver(side));
            if !is_busy.contains(&true) {
                return;
            }
        }
        panic!("never comes to rest");
    }

    /// Time passes; what is due is done and arrives.
    pub(super) fn advance(&mut self, span: Duration) {
        let end = self.now + span;
        for _ in 0..100_000 {
            self.settle();
            let next = self.ends.iter().filter_map(|end| end.chat.poll_timeout()).min();
            match next {
                Some(at) if at <= end => {
                    self.set_clock(at.max(self.now));
                    self.tick();
                }
                Some(_) | None => {
                    self.set_clock(end);
                    return;
                }
            }
        }
        panic!("a timer that is due for ever");
    }

    pub(super) fn set_clock(&mut self, at: Instant) {
        self.now = at;
        self.unix = UNIX_START + (at - self.origin).as_secs();
    }

    /// Each chat whose timer is due is told.
    pub(super) fn tick(&mut self) {
        for side in [A, B] {
            if self.ends[side].chat.poll_timeout().is_some_and(|at| at <= self.now) {
                self.call(side, Chat::handle_timeout);
            }
        }
    }

    /// This end's link is lost, with all that is on it.
    pub(super) fn cut(&mut self, side: usize) {
        let other = 1 - side;
        let end = &mut self.ends[side];
        end.is_linked = false;
        end.has_offer = false;
        end.up.clear();
        end.down.clear();
        self.call(side, Chat::handle_link_lost);
        if self.is_paired {
            self.is_paired = false;
            self.ends[other].down.push_back(Wire::PeerGone);
        }
    }

    /// It logs in again.
    pub(super) fn login(&mut self, side: usize) {
        self.ends[side].is_linked = true;
        self.call(side, Chat::handle_login);
    }

    /// The relay gives the pair up, with all that is queued.
    pub(super) fn dissolve(&mut self) {
        if self.is_paired {
            self.is_paired = false;
            for side in [A, B] {
                let chat_id = self.ends[side].chat.id();
                self.ends[side].down.retain(|wire| *wire == Wire::Pair);
                self.ends[side].down.push_back(Wire::Message(LinkMessage::ReturnToLobby { chat_id }));
            }
        }
    }

    pub(super) fn say(&mut self, side: usize, text: &str) -> Result<u64, SendError> {
        self.call(side, |chat, env| chat.send_text(text, env))
    }

    pub(super) fn phases(&self) -> [Phase; 2] {
        [A, B].map(|side| self.ends[side].chat.phase())
    }

    pub(super) fn assert_open(&self) {
        assert_eq!(self.phases(), [Phase::Open; 2], "{:?}", self.ends.each_ref().map(|end| &end.events));
        assert_eq!(self.ends[A].chat.granted(), self.ends[B].chat.granted());
        assert!(self.is_paired);
    }

    pub(super) fn events(&mut self, side: usize) -> Vec<Output> {
        std::mem::take(&mut self.ends[side].events)
    }

    /// The texts that arrived, after checking that they are `1..` in order.
    pub(super) fn texts(&self, side: usize) -> Vec<&str> {
        self.ends[side].inbox.iter().map(|(_, text)| text.as_str()).collect()
    }
}

/// A counter as a number; a step over 2⁹⁶ counts as a new session, which no test meets.
fn number(counter: &[u8; 12]) -> u128 {
    counter.iter().fold(0, |number, byte| (number << 8) | u128::from(*byte))
}

pub(super) fn is_end(event: &Output, by_peer: bool, reason: Option<EndReason>) -> bool {
    matches!(event, Output::Ended { by_peer: by, reason: why, .. } if *by == by_peer && *why == reason)
}

pub(super) fn step_of(message: &LinkMessage) -> Option<Step> {
    match message {
        LinkMessage::KeyEstablishment { step, .. } => Some(*step),
        _ => None,
    }
}
