//! `secchat-relay cert` and `secchat-relay crl`: new certificates and lists from the private CA, in place of the old.
//! Everything is made and judged before a file changes; then each file changes at once.

mod authority;
mod certificate;
mod crl;

use std::io;
use std::path::{Path, PathBuf};

use openssl::error::ErrorStack;
use openssl::x509::{X509, X509Crl};

use crate::cli::{CertCommand, CrlCommand};
use crate::config::{Config, ConfigError, DEFAULT_CRL};
use crate::credentials::CredentialsError;
use crate::passphrase::PassphraseError;
use crate::pki::crl::NextError;

/// Why nothing was renewed or revoked. No file was changed.
#[derive(Debug, thiserror::Error)]
pub enum RenewalError {
    /// The configuration does not say which files.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The relay's key does not serve.
    #[error(transparent)]
    Key(#[from] CredentialsError),
    /// No passphrase for the CA's key.
    #[error(transparent)]
    Passphrase(#[from] PassphraseError),
    /// A file cannot be read.
    #[error("{path}: {error}; give the {what} with {flag}", path = path.display())]
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
    /// The CA's key is not here.
    #[error("{path}: {error}; give the CA's key with --ca-key. If it is on another machine, run this there, with \
             the relay's certificate and CRL beside it, and bring back what it writes", path = path.display())]
    NoCaKey {
        /// Where it should be.
        path: PathBuf,
        /// Why not.
        error: io::Error,
    },
    /// The CA's key is others' too.
    #[error("{path} can be read by others (mode {mode:04o}), who could make certificates with it: chmod 600 {path}", path = path.display())]
    CaKeyMode {
        /// Which.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// Not what it should be.
    #[error("{path} holds no {what} in PEM; give the right file with {flag}", path = path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// What should be in it.
        what: &'static str,
        /// The flag that names it.
        flag: &'static str,
    },
    /// The passphrase does not open the key.
    #[error("the passphrase does not open {path}", path = path.display())]
    WrongPassphrase {
        /// Which key.
        path: PathBuf,
    },
    /// Certificate and key of two CAs.
    #[error("{key} is not the key of {ca}: give the two that belong together, with --ca and --ca-key", key = key.display(), ca = ca.display())]
    CaMismatch {
        /// The certificate.
        ca: PathBuf,
        /// The key.
        key: PathBuf,
    },
    /// The CA does not live as long.
    #[error("the CA in {ca} ends on {until}: {advice}", ca = ca.display())]
    CaEnds {
        /// The CA's certificate.
        ca: PathBuf,
        /// On which day.
        until: String,
        /// What to do.
        advice: String,
    },
    /// No names to be for.
    #[error("{certificate} is for no name that a client would take: give the relay's with --name HOST", certificate = certificate.display())]
    NoNames {
        /// Which certificate.
        certificate: PathBuf,
    },
    /// Not a name.
    #[error("{0:?} is neither a host name nor an IP address")]
    Name(String),
    /// Clients would not take what would be made.
    #[error("clients would refuse the new certificate: {cause}; nothing was changed. {ca} must be a CA's \
             certificate, and the key Ed25519 or RSA of 2048 to 4096 bits (--new-key makes one)", ca = ca.display())]
    Refused {
        /// Why.
        cause: secchat_proto::Error,
        /// The CA's certificate.
        ca: PathBuf,
    },
    /// A certificate of another CA.
    #[error("{certificate} was not signed by {ca}: only its own CA can revoke it", certificate = certificate.display(), ca = ca.display())]
    NotIssued {
        /// The certificate.
        certificate: PathBuf,
        /// The CA.
        ca: PathBuf,
    },
    /// Not a serial number.
    #[error(
        "{0:?} is no serial number: `openssl x509 -noout -serial -in CERTIFICATE` prints one, in hexadecimal"
    )]
    Serial(String),
    /// The certificate that the relay uses.
    #[error("{certificate} is the certificate in force: nobody could log in. Make another key and certificate first \
             (`secchat-relay cert renew --new-key`), and then revoke {certificate}.old; or add --force", certificate = certificate.display())]
    InForce {
        /// Which.
        certificate: PathBuf,
    },
    /// There is no list to go on from.
    #[error("{path}: {error}; give the CA's list with --crl, or make its first one with `secchat-relay crl refresh --new`", path = path.display())]
    NoCrl {
        /// Where it should be.
        path: PathBuf,
        /// Why not.
        error: io::Error,
    },
    /// There is a list already.
    #[error("{path} is there already, and a new list would forget what it revokes: leave out --new", path = path.display())]
    CrlExists {
        /// Where it is.
        path: PathBuf,
    },
    /// A list of another CA.
    #[error("{crl} is not a list of {ca}: give the two that belong together, with --crl and --ca", crl = crl.display(), ca = ca.display())]
    CrlForeign {
        /// The list.
        crl: PathBuf,
        /// The CA.
        ca: PathBuf,
    },
    /// No newer list can be made.
    #[error("{crl} {error}", crl = crl.display())]
    Next {
        /// The list.
        crl: PathBuf,
        /// Why not.
        error: NextCrlError,
    },
    /// The list would not fit into a login.
    #[error("{crl} would be {bytes} bytes, and a login has room for {limit} with the certificate: make a new CA \
             (`secchat-relay init --dir NEW`), whose list is empty", crl = crl.display())]
    CrlTooLong {
        /// The list.
        crl: PathBuf,
        /// How long it would be.
        bytes: usize,
        /// How long it may be.
        limit: usize,
    },
    /// A file cannot be written.
    #[error("{path}: {error}; no file was changed", path = path.display())]
    Write {
        /// Which.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// OpenSSL fails.
    #[error("cannot make keys and certificates: {0}")]
    Crypto(#[from] ErrorStack),
}

/// Why there is no newer list.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct NextCrlError(#[from] NextError);

/// Does what `secchat-relay cert` says; gives what to print.
///
/// # Errors
/// [`RenewalError`]; no file was changed.
pub fn cert(command: &CertCommand) -> Result<String, RenewalError> {
    let now = crate::router::moment().unix;
    match command {
        CertCommand::Renew(arguments) => certificate::renew(arguments, now),
        CertCommand::Revoke(arguments) => crl::revoke(arguments, now),
    }
}

/// Does what `secchat-relay crl` says; gives what to print.
///
/// # Errors
/// [`RenewalError`]; no file was changed.
pub fn crl(command: &CrlCommand) -> Result<String, RenewalError> {
    let now = crate::router::moment().unix;
    match command {
        CrlCommand::Refresh(arguments) => crl::refresh(arguments, now),
    }
}

/// Where the list of a configuration is, or would be.
fn crl_of(config: &Config, given: Option<&Path>) -> PathBuf {
    let beside = || config.certificate.with_file_name(DEFAULT_CRL);
    given.map(Path::to_owned).or_else(|| config.crl.clone()).unwrap_or_else(beside)
}

fn read_certificate(path: &Path, what: &'static str, flag: &'static str) -> Result<X509, RenewalError> {
    let pem = std::fs::read(path).map_err(|error| RenewalError::File {
        path: path.to_owned(),
        error,
        what,
        flag,
    })?;
    X509::from_pem(&pem).map_err(|_| RenewalError::Unreadable { path: path.to_owned(), what, flag })
}

fn read_crl(path: &Path) -> Result<X509Crl, RenewalError> {
    let pem = std::fs::read(path).map_err(|error| RenewalError::NoCrl { path: path.to_owned(), error })?;
    let what = "certificate revocation list";
    X509Crl::from_pem(&pem).map_err(|_| RenewalError::Unreadable {
        path: path.to_owned(),
        what,
        flag: "--crl",
    })
}

/// The mode of a certificate or list that is made anew; one that is there keeps its own.
const PUBLIC_MODE: u32 = 0o644;
