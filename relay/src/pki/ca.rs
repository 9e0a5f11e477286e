//! The private CA: its certificate, and the key that signs.

use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::pkey::{Id, PKey, Private};
use openssl::x509::extension::{AuthorityKeyIdentifier, BasicConstraints, KeyUsage, SubjectKeyIdentifier};
use openssl::x509::{X509, X509Builder, X509Extension};

use super::certificate::{begin, common_name};

/// A CA that can sign.
#[derive(Clone, Debug)]
pub(crate) struct Ca {
    pub(crate) certificate: X509,
    pub(crate) key: PKey<Private>,
}

impl Ca {
    /// A new one, Ed25519.
    pub(crate) fn make(now: u64) -> Result<Self, ErrorStack> {
        /// Ten years.
        const CA_DAYS: u32 = 3650;
        let key = PKey::generate_ed25519()?;
        let name = common_name("secchat relay CA")?;
        let mut builder = begin(&name, &name, &key, (now, CA_DAYS))?;
        builder.append_extension(BasicConstraints::new().critical().ca().pathlen(0).build()?)?;
        builder.append_extension(KeyUsage::new().critical().key_cert_sign().crl_sign().build()?)?;
        let subject_key = SubjectKeyIdentifier::new().build(&builder.x509v3_context(None, None))?;
        builder.append_extension(subject_key)?;
        builder.sign(&key, MessageDigest::null())?;
        Ok(Self { certificate: builder.build(), key })
    }

    /// Whether certificate and key belong together.
    pub(crate) fn is_whole(&self) -> bool {
        self.certificate.public_key().is_ok_and(|public| public.public_eq(&self.key))
    }

    /// What it signs with: Ed25519 and Ed448 have a digest of their own.
    pub(super) fn digest(&self) -> MessageDigest {
        match self.key.id() {
            Id::ED25519 | Id::ED448 => MessageDigest::null(),
            _ => MessageDigest::sha256(),
        }
    }

    /// The extension that names its key: by the key's identifier, or where it has none by its certificate.
    pub(super) fn authority_key(&self) -> Result<X509Extension, ErrorStack> {
        let scratch = X509Builder::new()?;
        let context = scratch.x509v3_context(Some(&self.certificate), None);
        AuthorityKeyIdentifier::new().keyid(false).issuer(false).build(&context)
    }
}
