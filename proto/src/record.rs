//! The record layer: `counter | ciphertext | tag` under keys from a chain (PROTOCOL.md §4). One for link and chat.
//!
//! A failure is final: who met one drops the session, and the half that met it refuses everything from then on.

use zeroize::Zeroize;

use crate::Error;
use crate::crypto::aead::{OpeningContext, SealingContext, TAG_BYTES};
use crate::crypto::kdf::expand;
use crate::crypto::secret::Secret;
use crate::error::{Malformed, Rule};
use crate::limits::{LINK_RECORDS_PER_CHAIN, RECORD_OVERHEAD_BYTES};

/// How long a chain lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChainPace {
    /// 65,536 records: on the link.
    Link,
    /// One record: in a chat.
    Chat,
}

/// Who sends a direction's records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speaker {
    /// The daemon, on its link.
    Client,
    /// The relay, on a link.
    Relay,
    /// A of a chat: who asked ("sender" in the labels).
    Initiator,
    /// B of a chat: who was asked ("receiver" in the labels).
    Responder,
}

/// What a direction starts from.
#[derive(Debug)]
pub struct DirectionKeys {
    /// The first chain.
    pub chain: Secret<32>,
    /// `start`: the counter before the first record's.
    pub start: [u8; 12],
}

/// Seals the records of one direction.
#[derive(Debug)]
pub struct Sealer {
    chain: Chain,
    context: Option<SealingContext>,
}

/// Opens the records of one direction, in order.
#[derive(Debug)]
pub struct Opener {
    chain: Chain,
    context: Option<OpeningContext>,
}

/// Both directions of a session.
#[derive(Debug)]
pub struct Session {
    /// What this side sends.
    pub sealer: Sealer,
    /// What this side receives.
    pub opener: Opener,
}

impl Speaker {
    /// Who is at the other end.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::Client => Self::Relay,
            Self::Relay => Self::Client,
            Self::Initiator => Self::Responder,
            Self::Responder => Self::Initiator,
        }
    }

    fn pace(self) -> ChainPace {
        match self {
            Self::Client | Self::Relay => ChainPace::Link,
            Self::Initiator | Self::Responder => ChainPace::Chat,
        }
    }

    fn labels(self) -> (&'static str, &'static str) {
        match self {
            Self::Client => ("secchat 1 login client chain", "secchat 1 login client counter"),
            Self::Relay => ("secchat 1 login relay chain", "secchat 1 login relay counter"),
            Self::Initiator => ("secchat 1 chat sender chain", "secchat 1 chat sender counter"),
            Self::Responder => ("secchat 1 chat receiver chain", "secchat 1 chat receiver counter"),
        }
    }
}

impl DirectionKeys {
    /// Derives the keys of what `speaker` sends from a handshake's PRK (§3, §7).
    ///
    /// # Errors
    /// [`Error::Crypto`].
    pub fn derive(prk: &Secret<32>, speaker: Speaker) -> Result<Self, Error> {
        let (chain, counter) = speaker.labels();
        Ok(Self { chain: expand(prk, chain)?, start: *expand(prk, counter)?.expose() })
    }
}

impl Session {
    /// Derives both directions from a handshake's PRK, for the side that is `own`.
    ///
    /// # Errors
    /// [`Error::Crypto`].
    pub fn derive(prk: &Secret<32>, own: Speaker) -> Result<Self, Error> {
        Ok(Self {
            sealer: Sealer::new(DirectionKeys::derive(prk, own)?, own.pace()),
            opener: Opener::new(DirectionKeys::derive(prk, own.other())?, own.pace()),
        })
    }
}

impl Sealer {
    /// A sealer whose first record has the counter `start + 1`.
    #[must_use]
    pub fn new(keys: DirectionKeys, pace: ChainPace) -> Self {
        Self { chain: Chain::new(keys, pace), context: None }
    }

    /// Appends the record of `plaintext` to `out`.
    ///
    /// # Errors
    /// [`Error::Exhausted`] or [`Error::Crypto`]; the sealer is then of no use any more.
    pub fn seal(&mut self, plaintext: &[u8], out: &mut Vec<u8>) -> Result<(), Error> {
        let begin = out.len();
        let sealed = self.try_seal(plaintext, out);
        if sealed.is_err() {
            self.chain.kill();
            self.context = None;
            out.truncate(begin);
        }
        sealed
    }

    fn try_seal(&mut self, plaintext: &[u8], out: &mut Vec<u8>) -> Result<(), Error> {
        let context = match &mut self.context {
            Some(context) => context,
            none @ None => none.insert(SealingContext::new()?),
        };
        if let Some(key) = self.chain.key_for_next()? {
            context.set_key(&key)?;
        }
        let counter = self.chain.advance();
        out.reserve(plaintext.len().saturating_add(RECORD_OVERHEAD_BYTES));
        out.extend_from_slice(&counter);
        context.seal(&counter, plaintext, out)?;
        if self.chain.key_is_spent() { context.forget_key() } else { Ok(()) }
    }
}

impl Opener {
    /// An opener whose first record must have the counter `start + 1`.
    #[must_use]
    pub fn new(keys: DirectionKeys, pace: ChainPace) -> Self {
        Self { chain: Chain::new(keys, pace), context: None }
    }

    /// Opens `record` into `plaintext`, which is cleared (and wiped) first.
    ///
    /// # Errors
    /// `Malformed::Truncated`, `Rule::Counter` or [`Error::Decrypt`]; the opener is then of no use any more.
    pub fn open(&mut self, record: &[u8], plaintext: &mut Vec<u8>) -> Result<(), Error> {
        plaintext.as_mut_slice().zeroize();
        plaintext.clear();
        let opened = self.try_open(record, plaintext);
        if opened.is_err() {
            self.chain.kill();
            self.context = None;
        }
        opened
    }

    fn try_open(&mut self, record: &[u8], plaintext: &mut Vec<u8>) -> Result<(), Error> {
        let truncated = Error::Malformed(Malformed::Truncated);
        let (counter, sealed) = record.split_first_chunk::<12>().ok_or(truncated)?;
        let (ciphertext, tag) = sealed.split_last_chunk::<TAG_BYTES>().ok_or(truncated)?;
        let context = match &mut self.context {
            Some(context) => context,
            none @ None => none.insert(OpeningContext::new()?),
        };
        if let Some(key) = self.chain.key_for_next()? {
            context.set_key(&key)?;
        }
        if *counter != self.chain.advance() {
            return Err(Error::PeerMisbehaved(Rule::Counter));
        }
        plaintext.reserve(ciphertext.len());
        context.open(counter, (ciphertext, tag), plaintext)?;
        if self.chain.key_is_spent() { context.forget_key() } else { Ok(()) }
    }
}

/// Where a direction stands: the chain after the current key's, the last counter, what the key still serves.
struct Chain {
    /// `None`: failed.
    next: Option<Secret<32>>,
    counter: [u8; 12],
    pace: ChainPace,
    left: u64,
}

impl Chain {
    fn new(keys: DirectionKeys, pace: ChainPace) -> Self {
        Self { next: Some(keys.chain), counter: keys.start, pace, left: 0 }
    }

    /// The key for the next record, when it is another one than for the last; its chain is wiped.
    fn key_for_next(&mut self) -> Result<Option<Secret<32>>, Error> {
        let chain = self.next.as_ref().ok_or(Error::Exhausted)?;
        if self.left > 0 {
            return Ok(None);
        }
        let key = expand(chain, "secchat 1 key")?;
        self.next = Some(expand(chain, "secchat 1 next")?);
        self.left = match self.pace {
            ChainPace::Link => LINK_RECORDS_PER_CHAIN,
            ChainPace::Chat => 1,
        };
        Ok(Some(key))
    }

    /// Counts one record: its counter, `start + n` mod 2⁹⁶.
    fn advance(&mut self) -> [u8; 12] {
        self.left = self.left.saturating_sub(1);
        for byte in self.counter.iter_mut().rev() {
            *byte = byte.wrapping_add(1);
            if *byte != 0 {
                break;
            }
        }
        self.counter
    }

    fn key_is_spent(&self) -> bool {
        self.left == 0
    }

    fn kill(&mut self) {
        self.next = None;
    }
}

impl std::fmt::Debug for Chain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Chain").field("pace", &self.pace).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
