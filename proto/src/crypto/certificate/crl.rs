//! Which revocation list counts, and what it says. The checks are ours: OpenSSL takes CRLs from files only.

use openssl::asn1::Asn1IntegerRef;
use openssl::x509::{CrlStatus, X509Crl, X509KeyUsage};

use super::{Ca, CertificateWarning, TrustAnchors, der, unix_seconds};
use crate::error::Untrusted;

/// A list that stands.
pub(super) struct UsableCrl {
    list: X509Crl,
    pub(super) der: Vec<u8>,
    pub(super) this_update: u64,
    pub(super) warnings: Vec<CertificateWarning>,
}

/// Takes the newer of S1's list (`from_relay`; empty: none) and the file's. An unusable one is passed over.
pub(super) fn choose(
    anchors: &TrustAnchors,
    ca: &Ca,
    from_relay: &[u8],
    unix_now: u64,
) -> Result<UsableCrl, Untrusted> {
    let judge = |der: &[u8]| UsableCrl::judge(der, ca, anchors.newest_crl_seen, unix_now);
    let from_relay = (!from_relay.is_empty()).then(|| judge(from_relay));
    let from_file = anchors.crl.as_deref().map(judge);
    match (from_relay, from_file) {
        (Some(Ok(relay)), Some(Ok(file))) => {
            Ok(if relay.this_update >= file.this_update { relay } else { file })
        }
        (Some(Ok(relay)), Some(Err(cause))) => Ok(relay.warn(CertificateWarning::FileCrlUnusable(cause))),
        (Some(Err(cause)), Some(Ok(file))) => Ok(file.warn(CertificateWarning::RelayCrlUnusable(cause))),
        (Some(only), None) | (None, Some(only)) => only,
        (Some(Err(cause)), Some(Err(_))) => Err(cause),
        (None, None) => Err(Untrusted::NoCrl),
    }
}

impl UsableCrl {
    fn judge(list_der: &[u8], ca: &Ca, newest_seen: u64, unix_now: u64) -> Result<Self, Untrusted> {
        let list = X509Crl::from_der(list_der).map_err(|_| Untrusted::CrlUnreadable)?;
        let is_whole = list.to_der().is_ok_and(|encoded| encoded == list_der);
        if !is_whole || !der::is_complete_crl(list_der) {
            return Err(Untrusted::CrlUnreadable);
        }
        if !is_signed_by(&list, list_der, ca) {
            return Err(Untrusted::CrlForeign);
        }
        let this_update = unix_seconds(list.last_update()).ok_or(Untrusted::CrlUnreadable)?;
        let next_update = match list.next_update() {
            Some(time) => Some(unix_seconds(time).ok_or(Untrusted::CrlUnreadable)?),
            None => None,
        };
        if this_update > unix_now {
            return Err(Untrusted::CrlNotYetValid);
        }
        if next_update.is_some_and(|next_update| next_update < unix_now) {
            return Err(Untrusted::CrlExpired);
        }
        if this_update < newest_seen {
            return Err(Untrusted::CrlOlder);
        }
        let warnings = match next_update {
            Some(_) => Vec::new(),
            None => vec![CertificateWarning::CrlWithoutNextUpdate],
        };
        Ok(Self { list, der: list_der.to_vec(), this_update, warnings })
    }

    /// Any entry revokes, one that says removeFromCRL too: that has a meaning in deltas only.
    pub(super) fn revokes(&self, serial: &Asn1IntegerRef) -> bool {
        match self.list.get_by_serial(serial) {
            CrlStatus::NotRevoked => false,
            CrlStatus::Revoked(_) | CrlStatus::RemoveFromCrl(_) => true,
        }
    }

    fn warn(mut self, warning: CertificateWarning) -> Self {
        self.warnings.push(warning);
        self
    }
}

fn is_signed_by(list: &X509Crl, list_der: &[u8], ca: &Ca) -> bool {
    let named = list.issuer_name().try_cmp(ca.certificate.subject_name()).is_ok_and(|order| order.is_eq());
    let entitled = ca.certificate.key_usage().is_none_or(|usage| usage.contains(X509KeyUsage::CRL_SIGN));
    named && entitled && der::is_signed_strongly(list_der) && list.verify(&ca.key).unwrap_or(false)
}
