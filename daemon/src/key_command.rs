//! `secchatd keygen` and `secchatd pubkey`: making an identity key's file, and showing its public half.
//!
//! Never overwrites a file.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use openssl::error::ErrorStack;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;
use secchat_ipc::passphrase::MAX_PASSPHRASE_BYTES;
use secchat_proto::UserName;
use secchat_proto::crypto::entropy::OsEntropy;
use secchat_proto::crypto::signature::SigningKey;
use secchat_proto::succession::Succession;
use zeroize::Zeroizing;

use crate::identity::{self, IdentityError};
use crate::permissions::SECRET_FILE_MODE;
use crate::store::heirloom::Heirloom;
use crate::{clock, encrypted_key};

/// The kinds of identity keys that can be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum NewKeyKind {
    /// Ed25519: small and quick.
    Ed25519,
    /// RSA of 2048 bits: the report's.
    Rsa2048,
    /// RSA of 3072 bits.
    Rsa3072,
    /// RSA of 4096 bits.
    Rsa4096,
}

/// Why no key was made or shown.
#[derive(Debug, thiserror::Error)]
pub enum KeyCommandError {
    /// The key could not be loaded.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The file is there already.
    #[error("{} exists already and is left as it is: name another file, or move it away", path.display())]
    Exists {
        /// Which file.
        path: PathBuf,
    },
    /// The file could not be written.
    #[error("cannot write {}: {source}", path.display())]
    Unwritable {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The passphrase cannot be used.
    #[error("a passphrase has 1 to {MAX_PASSPHRASE_BYTES} bytes: for a key without one, say --no-passphrase")]
    PassphraseLength,
    /// OpenSSL failed.
    #[error("cannot make a key: OpenSSL failed: {0}")]
    OpenSsl(#[from] ErrorStack),
    /// A primitive failed.
    #[error("cannot make a key: {0}")]
    Proto(#[from] secchat_proto::Error),
}

/// Makes a key and writes its file; gives the public key's DER in base64. Without a passphrase the file is plain.
///
/// # Errors
/// [`KeyCommandError`]; no file is left behind then.
pub fn generate(path: &Path, kind: NewKeyKind, passphrase: Option<&str>) -> Result<String, KeyCommandError> {
    check_new(path, passphrase)?;
    let key = make(kind)?;
    let pem = encrypted_key::to_pem(key.as_pkey(), passphrase)?;
    write_new(path, &pem)?;
    Ok(in_base64(&key))
}

/// Makes the key that follows the one in `old`, and writes its file with what the old one leaves to it; gives what both
/// sign for this user, in base64.
///
/// # Errors
/// [`KeyCommandError`]; no file is left behind then, and the old one is as it was.
pub fn rotate(
    old: (&Path, &str),
    new: (&Path, NewKeyKind, Option<&str>),
    name: &UserName,
) -> Result<String, KeyCommandError> {
    let (path, kind, passphrase) = new;
    check_new(path, passphrase)?;
    let (old_key, left) = identity::load_with_heirloom(old.0, old.1)?;
    let key = make(kind)?;
    let succession = Succession::make(name, &old_key, &key, clock::now().unix)?;
    let block = Heirloom::of(&old_key, left)?.to_block(&key)?;
    let pem = encrypted_key::to_pem(key.as_pkey(), passphrase)?;
    // The full size at once: growing would leave copies behind.
    let mut file = Zeroizing::new(Vec::with_capacity(pem.len().saturating_add(block.len())));
    file.extend_from_slice(&pem);
    file.extend_from_slice(block.as_bytes());
    write_new(path, &file)?;
    Ok(openssl::base64::encode_block(&succession.encode()))
}

/// The public half of an existing key: its DER in base64.
///
/// # Errors
/// [`KeyCommandError::Identity`].
pub fn public_key(path: &Path, passphrase: &str) -> Result<String, KeyCommandError> {
    Ok(in_base64(&identity::load(path, passphrase)?))
}

/// Before the work, which takes seconds for RSA.
fn check_new(path: &Path, passphrase: Option<&str>) -> Result<(), KeyCommandError> {
    if passphrase.is_some_and(|text| text.is_empty() || text.len() > MAX_PASSPHRASE_BYTES) {
        return Err(KeyCommandError::PassphraseLength);
    }
    if path.symlink_metadata().is_ok() {
        return Err(KeyCommandError::Exists { path: path.to_owned() });
    }
    Ok(())
}

fn make(kind: NewKeyKind) -> Result<SigningKey, KeyCommandError> {
    let bits = match kind {
        NewKeyKind::Ed25519 => return Ok(SigningKey::generate_ed25519(&mut OsEntropy)?),
        NewKeyKind::Rsa2048 => 2_048,
        NewKeyKind::Rsa3072 => 3_072,
        NewKeyKind::Rsa4096 => 4_096,
    };
    let key: PKey<Private> = PKey::from_rsa(Rsa::generate(bits)?)?;
    Ok(SigningKey::from_pkey(key)?)
}

fn write_new(path: &Path, pem: &[u8]) -> Result<(), KeyCommandError> {
    let unwritable = |source| KeyCommandError::Unwritable { path: path.to_owned(), source };
    let mut file = match OpenOptions::new().write(true).create_new(true).mode(SECRET_FILE_MODE).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            return Err(KeyCommandError::Exists { path: path.to_owned() });
        }
        Err(error) => return Err(unwritable(error)),
    };
    let written = file.write_all(pem).and_then(|()| file.sync_all());
    if written.is_err() {
        // Half a key is worse than none; when this fails too, the error below still names the file.
        let _ = std::fs::remove_file(path);
    }
    written.map_err(unwritable)
}

fn in_base64(key: &SigningKey) -> String {
    openssl::base64::encode_block(key.public_key().as_der())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::permissions::private_tempdir;

    #[test]
    fn a_new_key_is_private_encrypted_and_loads() {
        let folder = private_tempdir();
        for (kind, name) in [(NewKeyKind::Ed25519, "e.pem"), (NewKeyKind::Rsa2048, "r.pem")] {
            let path = folder.path().join(name);
            let shown = generate(&path, kind, Some("sesame")).unwrap();
            assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
            let text = std::fs::read_to_string(&path).unwrap();
            assert!(text.starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----"), "{text}");
            assert_eq!(public_key(&path, "sesame").unwrap(), shown);
            let error = public_key(&path, "open").unwrap_err();
            assert!(
                matches!(error, KeyCommandError::Identity(IdentityError::WrongPassphrase { .. })),
                "{error}"
            );
        }
    }

    #[test]
    fn a_key_that_follows_another_opens_as_any_and_both_have_signed() {
        let folder = private_tempdir();
        let path = |name: &str| folder.path().join(name);
        generate(&path("old.pem"), NewKeyKind::Rsa2048, Some("sesame")).unwrap();
        let new = path("new.pem");
        let to = |passphrase| (new.as_path(), NewKeyKind::Ed25519, Some(passphrase));
        let alice = "alice".parse().unwrap();
        let old = path("old.pem");
        assert!(rotate((&old, "open"), to("other"), &alice).is_err() && !new.exists());
        let printed = rotate((&old, "sesame"), to("other"), &alice).unwrap();
        let bytes = openssl::base64::decode_block(&printed).unwrap();
        let succession = Succession::decode(&bytes).unwrap();
        assert_eq!(succession.verify(&alice), Ok(()));
        assert_eq!(identity::load(&old, "sesame").unwrap().public_key(), &succession.old);
        let (key, heirloom) = identity::load_with_heirloom(&new, "other").unwrap();
        assert_eq!(key.public_key(), &succession.new);
        assert_ne!(format!("{heirloom:?}"), format!("{:?}", Heirloom::default()), "the store opens");
        // Whatever else reads keys reads this one.
        let read = std::process::Command::new("openssl")
            .args(["pkey", "-passin", "pass:other", "-pubout", "-in"])
            .arg(&new)
            .output()
            .unwrap();
        assert!(read.status.success(), "{}", String::from_utf8_lossy(&read.stderr));
        let again = rotate((&old, "sesame"), to("other"), &alice).unwrap_err();
        assert!(matches!(again, KeyCommandError::Exists { .. }), "{again}");
    }

    #[test]
    fn an_existing_file_is_left_as_it_is() {
        let folder = private_tempdir();
        let path = folder.path().join("a.pem");
        std::fs::write(&path, "precious").unwrap();
        let error = generate(&path, NewKeyKind::Ed25519, None).unwrap_err();
        assert!(matches!(error, KeyCommandError::Exists { .. }), "{error}");
        assert_eq!(std::fs::read(&path).unwrap(), b"precious");
    }

    #[test]
    fn an_empty_passphrase_is_no_passphrase() {
        let folder = private_tempdir();
        let path = folder.path().join("a.pem");
        let error = generate(&path, NewKeyKind::Ed25519, Some("")).unwrap_err();
        assert!(error.to_string().contains("--no-passphrase"), "{error}");
        assert!(!path.exists());
    }
}
