//! The only code that names OpenSSL and libcrux: no primitive is our own.

pub mod aead;
pub mod certificate;
pub mod entropy;
pub mod kdf;
pub mod kem;
pub mod secret;
pub mod signature;
