//! The CA's certificate and CRLs on file, and sentences for a relay that they do not vouch for.

use std::path::{Path, PathBuf};

use openssl::error::ErrorStack;
use openssl::x509::{X509, X509Crl};
use secchat_proto::crypto::certificate::CertificateWarning;
pub(super) use secchat_proto::crypto::certificate::TrustAnchors as Anchors;
use secchat_proto::error::Untrusted;

use super::{LinkSettings, check};
use crate::state_folder::StateError;

/// The files that make a relay trusted.
#[derive(Clone, Debug)]
pub(super) struct Files {
    ca: PathBuf,
    crl: Option<PathBuf>,
    relay_name: String,
    config_file: PathBuf,
}

impl Files {
    pub(super) fn of(settings: &LinkSettings) -> Self {
        Self {
            ca: settings.ca.clone(),
            crl: settings.crl.clone(),
            relay_name: settings.relay_name.clone(),
            config_file: settings.config_file.clone(),
        }
    }

    /// Reads them: anew for each login, so that a renewed file needs no restart. A sentence when that fails.
    /// `kept` is the list that the state folder has.
    pub(super) fn read(
        &self,
        kept: Result<Option<Vec<u8>>, StateError>,
        newest_crl_seen: u64,
    ) -> Result<Anchors, String> {
        let ca = self.ca()?;
        let configured = self.crl.as_deref().map(|path| self.crl(path)).transpose()?;
        let kept = match kept {
            Ok(bytes) => bytes.and_then(|der| X509Crl::from_der(&der).ok()),
            Err(error) => {
                tracing::warn!(%error, "the revocation list that was kept is not used");
                None
            }
        };
        let crl = newer(&ca, configured, kept).map(|crl| crl.to_der()).transpose();
        let unusable = |error: ErrorStack| format!("{} cannot be used: {error}", self.ca.display());
        Ok(Anchors {
            ca_certificate: ca.to_der().map_err(unusable)?,
            crl: crl.map_err(unusable)?,
            relay_name: self.relay_name.clone(),
            newest_crl_seen,
        })
    }

    pub(super) fn ca(&self) -> Result<X509, String> {
        let hint = || {
            format!(
                "get the relay's CA certificate from its operator, or check `ca` in {}",
                self.config_file.display()
            )
        };
        let bytes = std::fs::read(&self.ca).map_err(|error| {
            format!("cannot read the CA certificate {}: {error}: {}", self.ca.display(), hint())
        })?;
        let read = if is_pem(&bytes) { X509::from_pem(&bytes) } else { X509::from_der(&bytes) };
        read.map_err(|_| format!("{} is no certificate in PEM or DER: {}", self.ca.display(), hint()))
    }

    pub(super) fn crl(&self, path: &Path) -> Result<X509Crl, String> {
        let hint = || {
            format!(
                "get the CA's revocation list from the relay's operator, or check `crl` in {}",
                self.config_file.display()
            )
        };
        let bytes = std::fs::read(path).map_err(|error| {
            format!("cannot read the revocation list {}: {error}: {}", path.display(), hint())
        })?;
        let read = if is_pem(&bytes) { X509Crl::from_pem(&bytes) } else { X509Crl::from_der(&bytes) };
        read.map_err(|_| format!("{} is no revocation list in PEM or DER: {}", path.display(), hint()))
    }
}

/// The newer one of those that the CA signed; one that it did not sign only when there is no other, so that the login
/// says what is wrong with it.
fn newer(ca: &X509, configured: Option<X509Crl>, kept: Option<X509Crl>) -> Option<X509Crl> {
    let is_signed = |crl: &X509Crl| ca.public_key().and_then(|key| crl.verify(&key)).unwrap_or(false);
    let (Some(a), Some(b)) = (&configured, &kept) else {
        // Kept under another CA it says nothing about this one.
        return configured.or_else(|| kept.filter(is_signed));
    };
    let takes_kept = is_signed(b) && (!is_signed(a) || b.last_update() > a.last_update());
    if takes_kept { kept } else { configured }
}

fn is_pem(bytes: &[u8]) -> bool {
    bytes.trim_ascii_start().starts_with(b"-----BEGIN")
        || bytes.windows(11).any(|part| part == b"\n-----BEGIN")
}

/// The sentence for a relay that is not trusted.
pub(super) fn untrusted(settings: &LinkSettings, why: Untrusted) -> String {
    let LinkSettings { relay, relay_name, ca, config_file, .. } = settings;
    let (ca, config) = (ca.display(), config_file.display());
    let crl = match &settings.crl {
        Some(path) => path.display().to_string(),
        None => format!("a file named by `crl` in {config}"),
    };
    let what_to_do = match why {
        Untrusted::WrongCa => {
            format!("the CA is the one in {ca}: either that is not the relay's CA, or this is not the relay")
        }
        Untrusted::WrongName => {
            format!("{relay_name:?} is expected: check `relay` and `relay_name` in {config}")
        }
        Untrusted::NotYetValid | Untrusted::CrlNotYetValid => {
            "check this machine's clock, then tell the relay's operator".to_owned()
        }
        Untrusted::Expired => {
            "check this machine's clock, then ask the relay's operator for a new one".to_owned()
        }
        Untrusted::Revoked => "do not use this relay before its operator has a new certificate".to_owned(),
        Untrusted::NoCrl => format!("ask the relay's operator for the CA's, and put it in {crl}"),
        Untrusted::CrlExpired | Untrusted::CrlOlder => {
            format!("ask the relay's operator for the CA's newest, for the relay or for {crl}")
        }
        Untrusted::CrlForeign | Untrusted::CrlUnreadable => {
            format!("check {crl} and the CA in {ca}, and tell the relay's operator")
        }
        Untrusted::CertificateUnreadable | Untrusted::WrongPurpose | Untrusted::WeakKey => {
            "tell the relay's operator".to_owned()
        }
    };
    format!("{relay} is not trusted: {why}; {what_to_do}")
}

/// The command that mends it, as far as one on this machine can.
pub(super) fn mend(settings: &LinkSettings, why: Untrusted) -> String {
    match why {
        Untrusted::NotYetValid | Untrusted::CrlNotYetValid | Untrusted::Expired => check::CLOCK.to_owned(),
        Untrusted::WrongCa => check::put("NEW-CA.pem", &settings.ca),
        Untrusted::NoCrl
        | Untrusted::CrlExpired
        | Untrusted::CrlOlder
        | Untrusted::CrlForeign
        | Untrusted::CrlUnreadable => {
            let beside_the_ca = settings.ca.with_file_name("crl.pem");
            check::put("NEW-CRL.pem", settings.crl.as_deref().unwrap_or(&beside_the_ca))
        }
        Untrusted::WrongName
        | Untrusted::Revoked
        | Untrusted::CertificateUnreadable
        | Untrusted::WrongPurpose
        | Untrusted::WeakKey => "secchatctl config show --origin".to_owned(),
    }
}

/// The sentence for what a person should know of the certificate or CRL.
pub(super) fn warning(settings: &LinkSettings, warning: CertificateWarning) -> String {
    let file =
        settings.crl.as_ref().map_or_else(|| "the one kept".to_owned(), |path| path.display().to_string());
    match warning {
        CertificateWarning::CrlWithoutNextUpdate => {
            "the CA's revocation list has no date of expiry (nextUpdate): a revocation may never arrive"
                .to_owned()
        }
        CertificateWarning::FileCrlUnusable(why) => {
            format!("the revocation list on file ({file}) is passed over: {why}; the relay's is used")
        }
        CertificateWarning::RelayCrlUnusable(why) => {
            format!("the relay's revocation list is passed over: {why}; the one on file is used ({file})")
        }
    }
}
