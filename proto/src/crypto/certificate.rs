//! The relay's certificate and its CA's CRL, as a client judges them (PROTOCOL.md §3).

mod crl;
mod der;
mod name;
#[cfg(test)]
pub(crate) mod test_pki;
#[cfg(test)]
mod tests;

use openssl::asn1::{Asn1Time, Asn1TimeRef};
use openssl::error::ErrorStack;
use openssl::pkey::{PKey, Public};
use openssl::stack::Stack;
use openssl::x509::store::X509StoreBuilder;
use openssl::x509::verify::{X509VerifyFlags, X509VerifyParam};
use openssl::x509::{X509, X509ExtendedKeyUsage, X509StoreContext};

use crate::Error;
use crate::crypto::signature::PublicKey;
use crate::error::Untrusted;

/// What a client trusts.
#[derive(Clone, Debug)]
pub struct TrustAnchors {
    /// The CA's own certificate, DER (root or not).
    pub ca_certificate: Vec<u8>,
    /// The CRL on file, DER; `None` when there is none.
    pub crl: Option<Vec<u8>>,
    /// The name that the relay's certificate must be for: DNS name or IP address.
    pub relay_name: String,
    /// The newest `thisUpdate` ever seen in a CRL of this CA: Unix seconds; 0: none.
    pub newest_crl_seen: u64,
}

/// Not an error, but for a person to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CertificateWarning {
    /// The CRL has no nextUpdate, so it never gets stale.
    CrlWithoutNextUpdate,
    /// The CRL on file was unusable and S1's was taken.
    FileCrlUnusable(Untrusted),
    /// S1's CRL was unusable and the one on file was taken.
    RelayCrlUnusable(Untrusted),
}

/// A certificate that stands.
#[derive(Clone, Debug)]
pub struct VerifiedCertificate {
    /// Its key.
    pub public_key: PublicKey,
    /// For a person to know.
    pub warnings: Vec<CertificateWarning>,
}

/// A genuine CRL: the newest usable one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewestCrl {
    /// The CRL, DER.
    pub der: Vec<u8>,
    /// Its `thisUpdate`: Unix seconds.
    pub this_update: u64,
}

impl TrustAnchors {
    /// The CRL that counts at `unix_now`, S1's or the one on file. To be kept, with its time, **before** the
    /// certificate is judged and whatever comes of that: else one that revokes the relay is forgotten, and the relay
    /// only has to show an older one next time.
    #[must_use]
    pub fn newest_crl(&self, crl: &[u8], unix_now: u64) -> Option<NewestCrl> {
        let chosen = Ca::read(&self.ca_certificate)
            .and_then(|ca| crl::choose(self, &ca, crl, unix_now).ok())
            .map(|chosen| NewestCrl { der: chosen.der, this_update: chosen.this_update });
        drop(ErrorStack::get());
        chosen
    }

    /// Judges S1's certificate and CRL at `unix_now`.
    ///
    /// # Errors
    /// [`Error::Untrusted`], each cause its own.
    pub fn verify(
        &self,
        certificate: &[u8],
        crl: &[u8],
        unix_now: u64,
    ) -> Result<VerifiedCertificate, Error> {
        let verified = self.judge(certificate, crl, unix_now);
        // Checks that say no leave their reasons behind in OpenSSL's queue.
        drop(ErrorStack::get());
        verified.map_err(Error::Untrusted)
    }

    fn judge(&self, certificate: &[u8], crl: &[u8], unix_now: u64) -> Result<VerifiedCertificate, Untrusted> {
        let ca = Ca::read(&self.ca_certificate).ok_or(Untrusted::WrongCa)?;
        let leaf = read_certificate(certificate).ok_or(Untrusted::CertificateUnreadable)?;
        let public_key = leaf_key(&leaf)?;
        ca.check_issued(&leaf, certificate)?;
        check_validity(&leaf, unix_now)?;
        check_purpose(&leaf)?;
        if !name::is_for(&leaf, &self.relay_name) {
            return Err(Untrusted::WrongName);
        }
        let crl = crl::choose(self, &ca, crl, unix_now)?;
        if crl.revokes(leaf.serial_number()) {
            return Err(Untrusted::Revoked);
        }
        Ok(VerifiedCertificate { public_key, warnings: crl.warnings })
    }
}

/// The configured CA.
struct Ca {
    certificate: X509,
    key: PKey<Public>,
}

impl Ca {
    fn read(der: &[u8]) -> Option<Self> {
        let certificate = read_certificate(der)?;
        let key = certificate.public_key().ok()?;
        Some(Self { certificate, key })
    }

    /// Whether the CA itself signed the certificate and was entitled to. The signature is checked here too, since
    /// OpenSSL would take the CA's own certificate as it is.
    fn check_issued(&self, leaf: &X509, leaf_der: &[u8]) -> Result<(), Untrusted> {
        let is_signed = der::is_signed_strongly(leaf_der) && leaf.verify(&self.key).unwrap_or(false);
        if is_signed && self.chain_stands(leaf).unwrap_or(false) { Ok(()) } else { Err(Untrusted::WrongCa) }
    }

    /// What OpenSSL knows more of: names, basic constraints, key usage, name constraints, critical extensions, key sizes.
    /// The CA may be an intermediate; validity is judged by us, so that its error is its own.
    fn chain_stands(&self, leaf: &X509) -> Result<bool, ErrorStack> {
        let mut param = X509VerifyParam::new()?;
        param.set_flags(X509VerifyFlags::PARTIAL_CHAIN | X509VerifyFlags::NO_CHECK_TIME)?;
        param.set_auth_level(MIN_SECURITY_LEVEL);
        let mut store = X509StoreBuilder::new()?;
        store.set_param(&param)?;
        store.add_cert(self.certificate.clone())?;
        let store = store.build();
        X509StoreContext::new()?.init(&store, leaf, &*Stack::new()?, |context| context.verify_cert())
    }
}

/// A certificate of which these bytes are the DER, all of them.
fn read_certificate(der: &[u8]) -> Option<X509> {
    let certificate = X509::from_der(der).ok()?;
    (certificate.to_der().ok()? == der).then_some(certificate)
}

fn check_validity(leaf: &X509, unix_now: u64) -> Result<(), Untrusted> {
    let not_before = unix_seconds(leaf.not_before()).ok_or(Untrusted::CertificateUnreadable)?;
    let not_after = unix_seconds(leaf.not_after()).ok_or(Untrusted::CertificateUnreadable)?;
    if unix_now < not_before {
        Err(Untrusted::NotYetValid)
    } else if unix_now > not_after {
        Err(Untrusted::Expired)
    } else {
        Ok(())
    }
}

/// Extensions that OpenSSL cannot make sense of count as an EKU without serverAuth.
fn check_purpose(leaf: &X509) -> Result<(), Untrusted> {
    let usage = leaf.extended_key_usage();
    let server = usage.is_none_or(|usage| usage.contains(X509ExtendedKeyUsage::SSL_SERVER));
    if server { Ok(()) } else { Err(Untrusted::WrongPurpose) }
}

fn leaf_key(leaf: &X509) -> Result<PublicKey, Untrusted> {
    let spki = leaf.public_key().and_then(|key| key.public_key_to_der());
    spki.ok().and_then(|spki| PublicKey::from_der(&spki).ok()).ok_or(Untrusted::WeakKey)
}

/// Unix seconds; times before 1970 count as 0.
fn unix_seconds(time: &Asn1TimeRef) -> Option<u64> {
    let since = Asn1Time::from_unix(0).ok()?.diff(time).ok()?;
    let seconds = i64::from(since.days).checked_mul(SECONDS_PER_DAY)?.checked_add(i64::from(since.secs))?;
    Some(u64::try_from(seconds).unwrap_or(0))
}

/// OpenSSL's level of 112 bits: RSA-2048 and up, no SHA-1.
const MIN_SECURITY_LEVEL: i32 = 2;
const SECONDS_PER_DAY: i64 = 24 * 60 * 60;
