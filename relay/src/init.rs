//! `secchat-relay init`: everything a private relay needs, in one folder. It never writes over a file.

use std::fmt::Write as _;
use std::fs::{DirBuilder, OpenOptions};
use std::io::{self, Write as _};
use std::net::IpAddr;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use openssl::error::ErrorStack;
use openssl::pkey::PKey;

use crate::config::{
    DEFAULT_CERTIFICATE, DEFAULT_CONFIG, DEFAULT_CRL, DEFAULT_KEY, DEFAULT_USER_LIST, parse_listen,
};
use crate::dates;
use crate::pki::ca::Ca;
use crate::pki::host_name::{self, HostName};
use crate::pki::{self, certificate, crl};

/// Why no relay was set up. Files made before the error are taken away again.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// A name that no certificate can be for.
    #[error(
        "{0:?} is neither a host name nor an IP address; give it bare, as in relay.example: no scheme, no port, no `*`"
    )]
    Name(String),
    /// An address that cannot be listened on.
    #[error("--listen {0:?} is not ADDRESS:PORT, as in \"127.0.0.1:9090\" or \"[::]:9090\"")]
    Listen(String),
    /// Files that are there already.
    #[error("there are files already, and `init` writes over none: {}; give another folder with --dir", list(.0))]
    Exists(Vec<PathBuf>),
    /// A file or folder failed.
    #[error("{path}: {error}", path = path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// A key or certificate could not be made.
    #[error("cannot make keys and certificates: {0}")]
    Crypto(#[from] ErrorStack),
}

/// A file to be made.
struct NewFile {
    name: &'static str,
    mode: u32,
    content: Vec<u8>,
}

/// Makes a private relay's files in `folder`, for a relay that is reached by `names` (none: this machine's own) and
/// listens on `listen`. Gives what the operator should read.
///
/// # Errors
/// [`InitError`]; nothing is left behind then.
pub fn init(folder: &Path, names: &[String], listen: Option<&str>) -> Result<String, InitError> {
    let hosts = parse_names(names)?;
    let listen = listen.unwrap_or(if names.is_empty() { "127.0.0.1:9090" } else { "[::]:9090" });
    let (_, port) = parse_listen(listen).map_err(|_| InitError::Listen(listen.to_owned()))?;
    let existing: Vec<PathBuf> =
        FILES.iter().map(|name| folder.join(name)).filter(|path| path.symlink_metadata().is_ok()).collect();
    if !existing.is_empty() {
        return Err(InitError::Exists(existing));
    }
    let at = |path: &Path, error| InitError::File { path: path.to_owned(), error };
    // Others may read what is public; each file says for itself.
    DirBuilder::new().recursive(true).mode(0o755).create(folder).map_err(|error| at(folder, error))?;
    let mut made = Made { paths: Vec::new(), is_complete: false };
    let now = crate::router::moment().unix;
    for file in files(&hosts, listen, now)? {
        let path = folder.join(file.name);
        create(&path, &file, &mut made).map_err(|error| at(&path, error))?;
    }
    made.is_complete = true;
    Ok(advice(folder, &hosts, port, now))
}

fn files(hosts: &[HostName], listen: &str, now: u64) -> Result<Vec<NewFile>, ErrorStack> {
    const PUBLIC: u32 = 0o644;
    const SECRET: u32 = 0o600;
    let authority = Ca::make(now)?;
    let own_key = PKey::generate_ed25519()?;
    let subject = certificate::subject()?;
    let own = certificate::issue(&authority, &own_key, (&subject, hosts), (now, pki::DAYS))?;
    let revoked = crl::first(&authority, (now, pki::CRL_DAYS))?;
    let file = |name, mode, content| NewFile { name, mode, content };
    let [config, ca, ca_key, certificate, key, crl, user_list] = FILES;
    Ok(vec![
        file(ca_key, SECRET, authority.key.private_key_to_pem_pkcs8()?),
        file(ca, PUBLIC, authority.certificate.to_pem()?),
        file(key, SECRET, own_key.private_key_to_pem_pkcs8()?),
        file(certificate, PUBLIC, own.to_pem()?),
        file(crl, PUBLIC, revoked.to_pem()?),
        file(user_list, PUBLIC, USER_LIST.into()),
        file(config, PUBLIC, config_text(listen).into()),
    ])
}

fn create(path: &Path, file: &NewFile, made: &mut Made) -> io::Result<()> {
    let mut handle = OpenOptions::new().write(true).create_new(true).mode(file.mode).open(path)?;
    made.paths.push(path.to_owned());
    // The umask may have taken rights that the file needs; it gives none.
    handle.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(file.mode))?;
    handle.write_all(&file.content)?;
    handle.sync_all()
}

/// What was made; taken away again unless all of it was.
struct Made {
    paths: Vec<PathBuf>,
    is_complete: bool,
}

impl Drop for Made {
    fn drop(&mut self) {
        if !self.is_complete {
            for path in &self.paths {
                // Nothing more can be done: the error that led here is the one to tell.
                let _ = std::fs::remove_file(path);
            }
        }
    }
}

fn parse_names(names: &[String]) -> Result<Vec<HostName>, InitError> {
    if names.is_empty() {
        return Ok(vec![HostName::Dns("localhost".to_owned()), HostName::Ip([127, 0, 0, 1].into())]);
    }
    names.iter().map(|name| HostName::parse(name).ok_or_else(|| InitError::Name(name.clone()))).collect()
}

fn config_text(listen: &str) -> String {
    format!(
        "# The relay's configuration. Paths are relative to this folder.\n\
         # `secchat-relay serve --config {DEFAULT_CONFIG}` runs it.\n\n\
         listen = {listen:?}\n\
         user_list = {DEFAULT_USER_LIST:?}\n\
         certificate = {DEFAULT_CERTIFICATE:?}\n\
         key = {DEFAULT_KEY:?}\n\
         crl = {DEFAULT_CRL:?}\n"
    )
}

/// What was made, and what to do next: each command as it can be typed.
fn advice(folder: &Path, hosts: &[HostName], port: u16, now: u64) -> String {
    let at = |name: &str| folder.join(name).display().to_string();
    let config = at(DEFAULT_CONFIG);
    let day = |days| dates::day(pki::days_after(now, days));
    let files = [
        ("0644", DEFAULT_CONFIG, "the configuration"),
        ("0644", DEFAULT_USER_LIST, "who may log in: nobody yet"),
        ("0644", DEFAULT_CERTIFICATE, &format!("the certificate, for {}", host_name::list(hosts))),
        ("0600", DEFAULT_KEY, "its key: for the relay only"),
        ("0644", DEFAULT_CRL, "which certificates are revoked: none yet"),
        ("0644", CA, "the CA that users trust"),
        ("0600", CA_KEY, "the CA's key: whoever has it can be your relay"),
    ];
    let mut text = format!("The relay's files are in {}:\n", folder.display());
    for (mode, name, what) in files {
        let _ = writeln!(text, "  {mode}  {name:13}  {what}");
    }
    let _ = writeln!(text, "\nRun it:\n  secchat-relay serve --config {config}");
    let host = match hosts.first() {
        Some(HostName::Ip(IpAddr::V6(address))) => format!("[{address}]"),
        Some(name) => name.to_string(),
        None => String::new(),
    };
    let port = if port == 0 { "PORT".to_owned() } else { port.to_string() };
    let _ = writeln!(
        text,
        "\nHand {} to each user, by a way that nobody can change things on. Each runs, once:\n  \
         secchatctl init --relay {host}:{port} --ca ca.pem\n\
         and sends you the line that it prints: NAME KEY. Put each on the list; the relay may be running:\n  \
         secchat-relay user add NAME KEY --config {config}",
        at(CA),
    );
    let _ = writeln!(
        text,
        "\nThe CRL ends on {}; from then on nobody can log in. Before, say every week by cron:\n  \
         secchat-relay crl refresh --config {config}\n\
         The certificate ends on {}; `secchat-relay cert renew` makes another.",
        day(pki::CRL_DAYS),
        day(pki::DAYS),
    );
    let _ = writeln!(
        text,
        "\nOnly these two commands need {}: better keep it on another machine, with ca.pem, and run them there.",
        at(CA_KEY)
    );
    let _ = writeln!(text, "\nIf something does not work:\n  secchat-relay check --config {config}");
    text
}

fn list(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
}

/// The CA, as users need it.
pub(crate) const CA: &str = "ca.pem";
/// What signs for the CA.
pub(crate) const CA_KEY: &str = "ca-key.pem";
/// Everything that `init` makes.
const FILES: [&str; 7] =
    [DEFAULT_CONFIG, CA, CA_KEY, DEFAULT_CERTIFICATE, DEFAULT_KEY, DEFAULT_CRL, DEFAULT_USER_LIST];
const USER_LIST: &str = "# One user a line: NAME PUBLIC-KEY, as `secchatctl init` prints it.\n\
     # A bare NAME has its key in NAME_pubkey.pem in this folder.\n";
