//! The identity key's file: PEM, PKCS#8 or the traditional form, with a passphrase or without.
//!
//! Refuses a file that others can read, and tells a wrong passphrase from a file that no passphrase opens.

use std::cell::Cell;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use openssl::error::ErrorStack;
use openssl::pkey::PKey;
use secchat_ipc::CommandError;
use secchat_ipc::passphrase::MAX_PASSPHRASE_BYTES;
use secchat_proto::crypto::signature::SigningKey;
use zeroize::Zeroizing;

use crate::permissions::{PermissionError, open_secret_file};
use crate::store::heirloom::Heirloom;

/// Why there is no identity key.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The file is not there.
    #[error(
        "there is no identity key at {}: run `secchatctl init`, or set `key` in config.toml to where it is",
        path.display()
    )]
    Missing {
        /// Where it should be.
        path: PathBuf,
    },
    /// Others can reach it, or it cannot be opened.
    #[error(transparent)]
    Permissions(#[from] PermissionError),
    /// It cannot be read to its end.
    #[error("cannot read the identity key {}: {source}", path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is no private key that can be used, whatever the passphrase.
    #[error("{} cannot be used as an identity key: {why}", path.display())]
    Unusable {
        /// Which file.
        path: PathBuf,
        /// Why, and what is wanted.
        why: &'static str,
    },
    /// The passphrase does not open it.
    #[error("wrong passphrase for {}", path.display())]
    WrongPassphrase {
        /// Which file.
        path: PathBuf,
    },
}

impl From<IdentityError> for CommandError {
    fn from(error: IdentityError) -> Self {
        match error {
            IdentityError::WrongPassphrase { .. } => Self::WrongPassphrase,
            IdentityError::Missing { .. }
            | IdentityError::Permissions(_)
            | IdentityError::Unreadable { .. }
            | IdentityError::Unusable { .. } => Self::IdentityUnusable { why: error.to_string() },
        }
    }
}

/// Reads and decrypts the identity key: tens of milliseconds, so off the event loop. `passphrase` is not looked at
/// when the key has none.
///
/// # Errors
/// [`IdentityError`].
pub fn load(path: &Path, passphrase: &str) -> Result<SigningKey, IdentityError> {
    let pem = read(path)?;
    decrypt(path, &pem, passphrase)
}

/// As [`load`], with what the keys before left to this one.
pub(crate) fn load_with_heirloom(
    path: &Path,
    passphrase: &str,
) -> Result<(SigningKey, Heirloom), IdentityError> {
    let pem = read(path)?;
    let key = decrypt(path, &pem, passphrase)?;
    let heirloom = Heirloom::read(&pem, &key);
    Ok((key, heirloom))
}

fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, IdentityError> {
    let file = match open_secret_file(path) {
        Ok(file) => file,
        Err(PermissionError::Unopenable { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
            return Err(IdentityError::Missing { path: path.to_owned() });
        }
        Err(error) => return Err(error.into()),
    };
    // Reserved whole: a growing buffer leaves copies behind.
    let mut pem = Zeroizing::new(Vec::with_capacity(MAX_KEY_FILE_BYTES + 1));
    let limit = u64::try_from(MAX_KEY_FILE_BYTES + 1).unwrap_or(u64::MAX);
    file.take(limit)
        .read_to_end(&mut pem)
        .map_err(|source| IdentityError::Unreadable { path: path.to_owned(), source })?;
    if pem.len() > MAX_KEY_FILE_BYTES {
        return Err(IdentityError::Unusable { path: path.to_owned(), why: "it is larger than 64 KiB" });
    }
    Ok(pem)
}

fn decrypt(path: &Path, pem: &[u8], passphrase: &str) -> Result<SigningKey, IdentityError> {
    let unusable = |why| IdentityError::Unusable { path: path.to_owned(), why };
    let wrong = || IdentityError::WrongPassphrase { path: path.to_owned() };
    if passphrase.len() > MAX_PASSPHRASE_BYTES {
        return Err(wrong());
    }
    let asked = Cell::new(false);
    let key = PKey::private_key_from_pem_callback(pem, |buffer| {
        asked.set(true);
        if let Some(target) = buffer.get_mut(..passphrase.len()) {
            target.copy_from_slice(passphrase.as_bytes());
        }
        Ok(passphrase.len())
    });
    let key = match key {
        Ok(key) => key,
        // Asked for the passphrase, OpenSSL had found a whole encrypted key; then only an algorithm that it does
        // not know speaks against the file.
        Err(stack) if asked.get() && !is_unsupported(&stack) => return Err(wrong()),
        Err(_) if asked.get() => {
            return Err(unusable("it is encrypted in a way that this OpenSSL does not support"));
        }
        Err(_) => return Err(unusable("it is no private key in PEM")),
    };
    SigningKey::from_pkey(key).map_err(|_| unusable("it is neither Ed25519 nor RSA of 2048 to 4096 bits"))
}

/// Whether the encryption itself is unknown here. Other reasons come up when a wrong passphrase happens to give
/// garbage with a valid padding.
fn is_unsupported(stack: &ErrorStack) -> bool {
    stack.errors().iter().any(|error| {
        error
            .reason()
            .is_some_and(|reason| UNSUPPORTED.iter().any(|known| reason.eq_ignore_ascii_case(known)))
    })
}

/// OpenSSL's reasons for a PKCS#8 encryption that it does not know (its evperr.h and pkcs12err.h).
const UNSUPPORTED: [&str; 6] = [
    "unknown pbe algorithm",
    "unsupported cipher",
    "unsupported prf",
    "unsupported key derivation function",
    "unsupported keylength",
    "unsupported salt type",
];
/// Bytes of a key file at most: an RSA-4096 key takes 3.5 KiB.
const MAX_KEY_FILE_BYTES: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;
    use std::process::Command;

    use secchat_proto::crypto::signature::KeyKind;

    use super::*;
    use crate::permissions::private_tempdir;

    /// A folder with keys made by OpenSSL's command line.
    struct Keys(tempfile::TempDir);

    impl Keys {
        fn new() -> Self {
            Self(private_tempdir())
        }

        fn path(&self, name: &str) -> PathBuf {
            self.0.path().join(name)
        }

        fn openssl(&self, name: &str, arguments: &str) -> PathBuf {
            let output = Command::new("openssl")
                .args(arguments.split(' '))
                .current_dir(self.0.path())
                .output()
                .expect("openssl's command line is installed");
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            let path = self.path(name);
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
            path
        }
    }

    #[test]
    fn the_reports_own_key_opens_with_its_passphrase_only() {
        let keys = Keys::new();
        let path = keys.openssl("a.pem", "genrsa -traditional -des3 -passout pass:sesame -out a.pem 2048");
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains("DEK-Info: DES-EDE3-CBC"), "{text}");
        let key = load(&path, "sesame").unwrap();
        assert_eq!(key.public_key().kind(), KeyKind::Rsa { bits: 2048 });
        for wrong in ["", "sesam", "Sesame", "sesame ", &"x".repeat(2_000)] {
            let error = load(&path, wrong).unwrap_err();
            assert!(matches!(error, IdentityError::WrongPassphrase { .. }), "{wrong:?}: {error}");
        }
    }

    #[test]
    fn no_wrong_passphrase_looks_like_a_broken_file() {
        // One decryption in 256 happens to end in a valid padding: then the garbage inside must not be blamed on
        // the file.
        let keys = Keys::new();
        let path = keys.openssl("a.pem", "genrsa -traditional -des3 -passout pass:sesame -out a.pem 2048");
        let pem = read(&path).unwrap();
        for n in 0..2_000 {
            let error = decrypt(&path, &pem, &n.to_string()).unwrap_err();
            assert!(matches!(error, IdentityError::WrongPassphrase { .. }), "{n}: {error}");
        }
    }

    #[test]
    fn pkcs8_opens_encrypted_and_plain() {
        let keys = Keys::new();
        let plain = keys.openssl("p.pem", "genpkey -algorithm ed25519 -out p.pem");
        let sealed = keys.openssl("s.pem", "pkcs8 -topk8 -in p.pem -passout pass:sesame -out s.pem");
        let legacy =
            keys.openssl("l.pem", "pkcs8 -topk8 -in p.pem -v2 des3 -iter 1 -passout pass:sesame -out l.pem");
        let of = |path: &Path, passphrase| load(path, passphrase).unwrap().public_key().clone();
        assert_eq!(of(&plain, ""), of(&sealed, "sesame"));
        assert_eq!(of(&plain, "not looked at"), of(&legacy, "sesame"));
        for path in [&sealed, &legacy] {
            for wrong in ["", "open"] {
                let error = load(path, wrong).unwrap_err();
                assert!(matches!(error, IdentityError::WrongPassphrase { .. }), "{error}");
            }
        }
    }

    #[test]
    fn what_is_no_key_is_never_a_wrong_passphrase() {
        let keys = Keys::new();
        keys.openssl("t.pem", "genrsa -traditional -des3 -passout pass:sesame -out t.pem 2048");
        keys.openssl("w.pem", "genrsa -out w.pem 1024");
        keys.openssl("c.pem", "ecparam -name prime256v1 -genkey -noout -out c.pem");
        keys.openssl("pub.pem", "rsa -in t.pem -passin pass:sesame -pubout -out pub.pem");
        let text = std::fs::read_to_string(keys.path("t.pem")).unwrap();
        std::fs::write(keys.path("t.pem"), text.replace("DES-EDE3-CBC", "ROT13-ECB")).unwrap();
        let half = keys.openssl("h.pem", "genpkey -algorithm ed25519 -out h.pem");
        let whole = std::fs::read(&half).unwrap();
        std::fs::write(&half, &whole[..whole.len() / 2]).unwrap();
        for (name, content) in
            [("empty.pem", &b""[..]), ("zeros.pem", &[0; 4_096]), ("big.pem", &[b'x'; 70_000])]
        {
            std::fs::write(keys.path(name), content).unwrap();
            std::fs::set_permissions(keys.path(name), std::fs::Permissions::from_mode(0o600)).unwrap();
        }
        for name in ["t.pem", "w.pem", "c.pem", "pub.pem", "h.pem", "empty.pem", "zeros.pem", "big.pem"] {
            let error = load(&keys.path(name), "sesame").unwrap_err();
            assert!(matches!(error, IdentityError::Unusable { .. }), "{name}: {error}");
            assert!(error.to_string().contains(name), "{error}");
        }
        let error = load(&keys.path("none.pem"), "").unwrap_err();
        assert!(error.to_string().contains("secchatctl init"), "{error}");
    }

    #[test]
    fn an_encryption_that_openssl_does_not_know_is_told_from_a_wrong_passphrase() {
        let keys = Keys::new();
        let plain = keys.openssl("p.pem", "genpkey -algorithm ed25519 -out p.pem");
        let key = load(&plain, "").unwrap();
        let pem = crate::encrypted_key::to_pem(key.as_pkey(), Some("sesame")).unwrap();
        let text = String::from_utf8(pem.to_vec()).unwrap();
        let base64: String = text.lines().filter(|line| !line.starts_with('-')).collect();
        let mut der = openssl::base64::decode_block(&base64).unwrap();
        // AES-256-CBC's object identifier, its last byte changed to one that is not given away.
        let oid = [0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x01, 0x2a];
        let at = der.windows(oid.len()).position(|part| part == oid).unwrap();
        der[at + 8] = 0x7a;
        let lines = openssl::base64::encode_block(&der);
        let lines: Vec<&str> = lines.as_bytes().chunks(64).map(|l| std::str::from_utf8(l).unwrap()).collect();
        let label = "ENCRYPTED PRIVATE KEY";
        let text = format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"));
        let error = decrypt(&plain, text.as_bytes(), "sesame").unwrap_err();
        assert!(error.to_string().contains("does not support"), "{error}");
    }

    #[test]
    fn a_key_that_others_can_read_is_refused_with_the_chmod() {
        let keys = Keys::new();
        let path = keys.openssl("a.pem", "genpkey -algorithm ed25519 -out a.pem");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        let CommandError::IdentityUnusable { why } = load(&path, "").unwrap_err().into() else {
            panic!("another error");
        };
        assert!(why.contains(&format!("`chmod 600 {}`", path.display())), "{why}");
    }
}
