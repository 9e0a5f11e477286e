//! What the relay proves itself with: its key, its certificate and the CA's CRL, checked when they are loaded.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use openssl::pkey::{PKey, Private};
use openssl::x509::{X509, X509Crl};
use secchat_proto::crypto::signature::SigningKey;
use zeroize::Zeroizing;

use crate::files::Files;
use crate::limits::MAX_CREDENTIALS_BYTES;

/// Key, certificate and CRL.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// The certificate's key.
    pub key: SigningKey,
    /// The certificate, DER.
    pub certificate: Vec<u8>,
    /// The CRL, DER; empty: none.
    pub crl: Vec<u8>,
}

/// Why credentials do not serve.
#[derive(Debug, thiserror::Error)]
pub enum CredentialsError {
    /// A file cannot be read.
    #[error("{path}: {error}; give the {what} with {flag}, or make one with `secchat-relay init`", path = path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        error: io::Error,
        /// What should be in it.
        what: &'static str,
        /// The flag that names it.
        flag: &'static str,
    },
    /// A key that others can read.
    #[error("{path} can be read by others (mode {mode:04o}): run `chmod 600 {quoted}`",
            path = path.display(), quoted = quoted(path))]
    KeyMode {
        /// Which.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// An encrypted key.
    #[error("{path} is encrypted, and the relay starts unattended: \
             (umask 077; openssl pkey -in {quoted} -out relay-key.pem), and give that one",
            path = path.display(), quoted = quoted(path))]
    KeyEncrypted {
        /// Which.
        path: PathBuf,
    },
    /// Not what it should be.
    #[error("{path} holds no {what} in PEM", path = path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// What should be in it.
        what: &'static str,
    },
    /// A key of a kind or size that is not permitted.
    #[error("{path}: this kind or size of key is not permitted; Ed25519 is, and RSA of 2048 to 4096 bits", path = path.display())]
    KeyKind {
        /// Which.
        path: PathBuf,
    },
    /// A certificate of another key.
    #[error("{certificate} is not the certificate of {key}: give the two that belong together", certificate = certificate.display(), key = key.display())]
    Mismatch {
        /// The certificate.
        certificate: PathBuf,
        /// The key.
        key: PathBuf,
    },
    /// Certificate and CRL do not fit into S1.
    #[error("the certificate and the CRL are {bytes} bytes together, and a login has room for {limit}; \
             drop expired certificates from {crl}", crl = crl.display())]
    TooLong {
        /// How long they are.
        bytes: usize,
        /// How long they may be.
        limit: usize,
        /// The CRL's file.
        crl: PathBuf,
    },
}

/// Key, certificate and CRL as far as they could be read, and all that keeps a relay from serving with them. Starts,
/// reloads and `check` begin with this.
pub(crate) struct Found {
    /// A key of a kind that is permitted.
    pub(crate) key: Option<SigningKey>,
    /// The certificate, and its DER.
    pub(crate) certificate: Option<(X509, Vec<u8>)>,
    /// The CRL, DER; empty if none was named.
    pub(crate) crl: Option<Vec<u8>>,
    /// What is wrong.
    pub(crate) errors: Vec<CredentialsError>,
}

impl Found {
    /// Reads all three, and compares them.
    pub(crate) fn read(certificate: &Path, key: &Path, crl: Option<&Path>, files: &mut Files) -> Self {
        let mut errors = Vec::new();
        let pkey = read_key(key, files).map_err(|error| errors.push(error)).ok();
        let found = read_certificate(certificate, files).map_err(|error| errors.push(error)).ok();
        let crl_der = crl.map(|crl| read_crl(crl, files)).transpose().map(Option::unwrap_or_default);
        let crl_der = crl_der.map_err(|error| errors.push(error)).ok();
        if let (Some(pkey), Some((parsed, _))) = (&pkey, &found)
            && !parsed.public_key().is_ok_and(|public| public.public_eq(pkey))
        {
            errors.push(CredentialsError::Mismatch { certificate: certificate.into(), key: key.into() });
        }
        if let (Some((_, der)), Some(crl_der)) = (&found, &crl_der) {
            let bytes = der.len().saturating_add(crl_der.len());
            if bytes > MAX_CREDENTIALS_BYTES {
                let crl = crl.unwrap_or(certificate).into();
                errors.push(CredentialsError::TooLong { bytes, limit: MAX_CREDENTIALS_BYTES, crl });
            }
        }
        let key = pkey.and_then(|pkey| {
            let permitted = SigningKey::from_pkey(pkey);
            permitted.map_err(|_| errors.push(CredentialsError::KeyKind { path: key.into() })).ok()
        });
        Self { key, certificate: found, crl: crl_der, errors }
    }

    /// The three that serve.
    ///
    /// # Errors
    /// All of them, if there are any.
    pub(crate) fn whole(self) -> Result<Credentials, Vec<CredentialsError>> {
        match self {
            Self { key: Some(key), certificate: Some((_, certificate)), crl: Some(crl), errors }
                if errors.is_empty() =>
            {
                Ok(Credentials { key, certificate, crl })
            }
            Self { errors, .. } => Err(errors),
        }
    }
}

impl Credentials {
    /// What will keep clients away, besides dates, which [`crate::dates`] tells: for the operator's log.
    #[must_use]
    pub fn warnings(&self) -> Vec<&'static str> {
        let mut warnings = Vec::new();
        match X509Crl::from_der(&self.crl) {
            Err(_) => warnings.push("there is no CRL: only clients that have one of their own will log in"),
            Ok(crl) if crl.next_update().is_none() => {
                warnings.push("the CRL has no nextUpdate: clients cannot tell when it is stale");
            }
            Ok(_) => {}
        }
        warnings
    }
}

pub(crate) fn load_key(path: &Path) -> Result<PKey<Private>, CredentialsError> {
    read_key(path, &mut Files::new())
}

fn read_key(path: &Path, files: &mut Files) -> Result<PKey<Private>, CredentialsError> {
    const WHAT: &str = "private key";
    let mode = std::fs::metadata(path).map(|metadata| metadata.permissions().mode());
    files.note(&mode.as_ref().map_or([0; 4], |mode| mode.to_be_bytes()));
    let pem = read(path, files, WHAT, "--key").map(Zeroizing::new)?;
    let mode = mode.map_err(|error| file_error(path, error, WHAT, "--key"))?;
    if mode & forbidden_bits(path) != 0 {
        return Err(CredentialsError::KeyMode { path: path.into(), mode: mode & 0o7777 });
    }
    let mut is_encrypted = false;
    let key = PKey::private_key_from_pem_callback(&pem, |_| {
        is_encrypted = true;
        Ok(0)
    });
    match key {
        Ok(key) if !is_encrypted => Ok(key),
        Ok(_) | Err(_) if is_encrypted => Err(CredentialsError::KeyEncrypted { path: path.into() }),
        Ok(_) | Err(_) => Err(CredentialsError::Unreadable { path: path.into(), what: WHAT }),
    }
}

/// Rights that nobody may have on a key. systemd grants its credentials to the service by an ACL, whose mask shows
/// as the group's rights.
fn forbidden_bits(path: &Path) -> u32 {
    let credentials = std::env::var_os("CREDENTIALS_DIRECTORY").filter(|folder| !folder.is_empty());
    if credentials.is_some_and(|folder| path.starts_with(folder)) { 0o037 } else { 0o077 }
}

fn read_certificate(path: &Path, files: &mut Files) -> Result<(X509, Vec<u8>), CredentialsError> {
    const WHAT: &str = "certificate";
    let pem = read(path, files, WHAT, "--certificate")?;
    let certificate = X509::from_pem(&pem).and_then(|parsed| parsed.to_der().map(|der| (parsed, der)));
    certificate.map_err(|_| CredentialsError::Unreadable { path: path.into(), what: WHAT })
}

fn read_crl(path: &Path, files: &mut Files) -> Result<Vec<u8>, CredentialsError> {
    const WHAT: &str = "certificate revocation list";
    let pem = read(path, files, WHAT, "--crl")?;
    let crl = X509Crl::from_pem(&pem).and_then(|crl| crl.to_der());
    crl.map_err(|_| CredentialsError::Unreadable { path: path.into(), what: WHAT })
}

fn read(
    path: &Path,
    files: &mut Files,
    what: &'static str,
    flag: &'static str,
) -> Result<Vec<u8>, CredentialsError> {
    files.read(path).map_err(|error| file_error(path, error, what, flag))
}

/// The path as a shell takes it.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'/' | b'.' | b'_' | b'-' | b'+' | b'=');
    if text.bytes().all(plain) { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

fn file_error(path: &Path, error: io::Error, what: &'static str, flag: &'static str) -> CredentialsError {
    CredentialsError::File { path: path.to_owned(), error, what, flag }
}
