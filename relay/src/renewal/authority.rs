//! The CA's two files: read, opened with a passphrase where there is one, and found to belong together.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use openssl::pkey::{PKey, Private};
use zeroize::Zeroizing;

use super::{RenewalError, read_certificate};
use crate::cli::CaFiles;
use crate::init::{CA, CA_KEY};
use crate::passphrase;
use crate::pki::ca::Ca;
use crate::replacement::folder_of;

/// A CA from files.
#[derive(Debug)]
pub(super) struct Authority {
    pub(super) ca: Ca,
    /// The file of its certificate.
    pub(super) path: PathBuf,
}

impl Authority {
    /// Reads the CA's files, which are beside the configuration unless they are named.
    pub(super) fn load(files: &CaFiles) -> Result<Self, RenewalError> {
        let folder = files.config.as_deref().map_or_else(|| Path::new(""), folder_of);
        let path = files.ca.clone().unwrap_or_else(|| folder.join(CA));
        let key_path = files.ca_key.clone().unwrap_or_else(|| folder.join(CA_KEY));
        let certificate = read_certificate(&path, "CA's certificate", "--ca")?;
        let key = read_key(&key_path, files.passphrase_fd)?;
        let ca = Ca { certificate, key };
        if !ca.is_whole() {
            return Err(RenewalError::CaMismatch { ca: path, key: key_path });
        }
        Ok(Self { ca, path })
    }
}

fn read_key(path: &Path, passphrase_fd: Option<u32>) -> Result<PKey<Private>, RenewalError> {
    let no_key = |error| RenewalError::NoCaKey { path: path.to_owned(), error };
    let mode = std::fs::metadata(path).map_err(no_key)?.permissions().mode();
    if mode & 0o077 != 0 {
        return Err(RenewalError::CaKeyMode { path: path.to_owned(), mode: mode & 0o7777 });
    }
    let pem = Zeroizing::new(std::fs::read(path).map_err(no_key)?);
    let mut is_encrypted = false;
    let plain = PKey::private_key_from_pem_callback(&pem, |_| {
        is_encrypted = true;
        Ok(0)
    });
    if !is_encrypted {
        return plain.map_err(|_| RenewalError::Unreadable {
            path: path.to_owned(),
            what: "private key",
            flag: "--ca-key",
        });
    }
    let passphrase = passphrase::read(passphrase_fd, &format!("Passphrase of {}: ", path.display()))?;
    PKey::private_key_from_pem_passphrase(&pem, passphrase.as_bytes())
        .map_err(|_| RenewalError::WrongPassphrase { path: path.to_owned() })
}
