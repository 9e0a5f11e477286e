//! Randomness comes in, so that every vector and every simulation is exact.

use crate::Error;

/// A source of randomness.
pub trait Entropy {
    /// Fills `out`.
    ///
    /// # Errors
    /// [`Error::Crypto`] when there is none to be had.
    fn fill(&mut self, out: &mut [u8]) -> Result<(), Error>;
}

/// OpenSSL's generator, seeded by the operating system.
#[derive(Clone, Copy, Debug, Default)]
pub struct OsEntropy;

impl Entropy for OsEntropy {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), Error> {
        openssl::rand::rand_priv_bytes(out).map_err(|_| Error::Crypto(crate::error::CryptoOperation::Entropy))
    }
}
