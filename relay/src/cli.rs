//! The command line: definitions only.

#![expect(clippy::doc_markdown, reason = "these comments are the help text, which is no Markdown")]

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// The relay of secchat: logs people in, introduces them, forwards what it cannot read.
#[derive(Debug, Parser)]
#[command(name = "secchat-relay", version, max_term_width = 100, arg_required_else_help = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the relay, until SIGTERM or SIGINT
    Serve(Serve),
    /// Make a private relay's files: CA, certificate, keys, CRL, an empty list of users, configuration
    Init(Init),
    /// Find every error in the relay's files; exit with 1 if there is one
    Check(Check),
    /// Say how the running relay is; exits with 0 if it runs
    Status(Status),
    /// Make the running relay read its files now; it does so by itself when they change
    Reload(Reload),
    /// Print everything that the running relay holds on a user
    Inspect(Inspect),
    /// Change the list of users
    User {
        /// What to change.
        #[command(subcommand)]
        command: UserCommand,
    },
    /// Renew or revoke the relay's certificate
    Cert {
        /// What to do.
        #[command(subcommand)]
        command: CertCommand,
    },
    /// Make the CA's revocation list anew
    Crl {
        /// What to do.
        #[command(subcommand)]
        command: CrlCommand,
    },
}

/// Run the relay.
#[derive(Clone, Debug, Args)]
pub struct Serve {
    /// Address to listen on: an IP address or a host name
    #[arg(requires = "port")]
    pub address: Option<String>,
    /// Port to listen on; 0 takes a free one
    #[arg(requires = "user_list")]
    pub port: Option<u16>,
    /// List of users: a line `NAME PUBLIC-KEY`, or `NAME` with its key in NAME_pubkey.pem
    pub user_list: Option<PathBuf>,
    /// Configuration file; the other arguments go before it [default without ADDRESS: relay.toml in this folder]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The relay's certificate, PEM [default: relay.pem beside the list or the configuration]
    #[arg(long, value_name = "FILE")]
    pub certificate: Option<PathBuf>,
    /// The certificate's private key, PEM, unencrypted, mode 0600 [default: relay-key.pem]
    #[arg(long, value_name = "FILE")]
    pub key: Option<PathBuf>,
    /// The CA's revocation list, PEM [default: crl.pem, where there is one]
    #[arg(long, value_name = "FILE")]
    pub crl: Option<PathBuf>,
    /// Folder of the NAME_pubkey.pem files [default: the list's own]
    #[arg(long, value_name = "FOLDER")]
    pub key_dir: Option<PathBuf>,
    /// What to log: a level (error, warn, info, debug) or a filter of the tracing crate
    #[arg(long, value_name = "FILTER", env = "SECCHAT_LOG")]
    pub log: Option<String>,
    /// Log a keyed hash instead of people's names; the key is made at the start and kept in memory
    #[arg(long)]
    pub scrub: bool,
    /// Print `listening on ADDRESS:PORT` on standard output when the relay is ready
    #[arg(long)]
    pub print_address: bool,
}

/// Make a private relay's files.
#[derive(Debug, Args)]
pub struct Init {
    /// Folder for the files; made if it is not there
    #[arg(long, value_name = "FOLDER", default_value = ".")]
    pub dir: PathBuf,
    /// Name (DNS or IP address) that people reach the relay by; may be repeated [default: localhost, 127.0.0.1]
    #[arg(long = "name", value_name = "HOST")]
    pub names: Vec<String>,
    /// Address and port for the configuration [default: 127.0.0.1:9090, or port 9090 of all addresses if a name is given]
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub listen: Option<String>,
}

/// Find every error in the relay's files.
#[derive(Debug, Args)]
pub struct Check {
    /// The configuration [default: relay.toml in this folder, where there is one]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The CA's certificate, PEM, with which to judge as clients do [default: ca.pem beside the configuration, if it is there]
    #[arg(long, value_name = "FILE")]
    pub ca: Option<PathBuf>,
    /// Print JSON: an object with ok, errors, warnings, fine, users, certificate_days_left, crl_days_left
    #[arg(long)]
    pub json: bool,
}

/// Which running relay, and how it is told.
#[derive(Debug, Args)]
pub struct WhichRelay {
    /// The relay's configuration [default: relay.toml in this folder, where there is one]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The relay's admin socket [default: the configuration's]
    #[arg(long, value_name = "SOCKET", conflicts_with = "config")]
    pub socket: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Say how the running relay is.
#[derive(Debug, Args)]
pub struct Status {
    /// Which relay.
    #[command(flatten)]
    pub which: WhichRelay,
}

/// Make the running relay read its files now.
#[derive(Debug, Args)]
pub struct Reload {
    /// Change nothing: say who would be added, removed or get another key, and whose sessions would end
    #[arg(long)]
    pub dry_run: bool,
    /// Which relay.
    #[command(flatten)]
    pub which: WhichRelay,
}

/// Print everything that the running relay holds on a user.
#[derive(Debug, Args)]
pub struct Inspect {
    /// The user's name
    #[arg(long, value_name = "NAME")]
    pub about: String,
    /// Which relay.
    #[command(flatten)]
    pub which: WhichRelay,
}

/// Change the list of users.
#[derive(Debug, Subcommand)]
pub enum UserCommand {
    /// Add a user, or give one another key; a running relay takes it in by itself
    Add(UserAdd),
    /// Give a user the key that follows the one on the list, as both have signed; the old one is taken for a while
    Rotate(UserRotate),
    /// Take a user off the list; a running relay ends the user's session by itself
    Remove(UserRemove),
    /// Print the users: name, kind of key, fingerprint
    List(UserPrint),
}

/// Which list.
#[derive(Debug, Args)]
pub struct WhichList {
    /// The list [default: the one in relay.toml, or user_list in this folder]
    #[arg(long, value_name = "FILE", conflicts_with = "config")]
    pub list: Option<PathBuf>,
    /// The configuration that names the list
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Folder of the NAME_pubkey.pem files [default: the list's own]
    #[arg(long, value_name = "FOLDER")]
    pub key_dir: Option<PathBuf>,
}

/// Add a user.
#[derive(Debug, Args)]
pub struct UserAdd {
    /// The user's name: 1 to 32 of a-z 0-9 . _ -
    pub name: String,
    /// The user's public key: what `secchatd pubkey` prints, or a PEM file
    pub key: OsString,
    /// Give a user who is on the list this key instead; the session of the old one ends
    #[arg(long)]
    pub replace: bool,
    /// Which list.
    #[command(flatten)]
    pub which: WhichList,
}

/// Give a user the key that follows the one on the list.
#[derive(Debug, Args)]
pub struct UserRotate {
    /// The user's name
    pub name: String,
    /// What `secchatctl keygen --rotate` printed, or a file with it
    pub succession: OsString,
    /// For how long the old key is taken as well: 36h, 30d, or seconds; with the same succession again, from now on
    #[arg(long = "for", value_name = "TIME", default_value = "30d", value_parser = seconds)]
    pub lifetime: u64,
    /// Which list.
    #[command(flatten)]
    pub which: WhichList,
}

/// Take a user off the list.
#[derive(Debug, Args)]
pub struct UserRemove {
    /// The user's name
    pub name: String,
    /// Which list.
    #[command(flatten)]
    pub which: WhichList,
}

/// Print the users.
#[derive(Debug, Args)]
pub struct UserPrint {
    /// Print JSON: an array of objects with name, kind, fingerprint, key, and old while a key before is taken as well
    #[arg(long)]
    pub json: bool,
    /// Which list.
    #[command(flatten)]
    pub which: WhichList,
}

/// Renew or revoke the relay's certificate.
#[derive(Debug, Subcommand)]
pub enum CertCommand {
    /// Make a new certificate with the same names, of the same key or of a new one; the old stays as FILE.old
    Renew(CertRenew),
    /// Put a certificate on the CA's revocation list
    Revoke(CertRevoke),
}

/// Make the CA's revocation list anew.
#[derive(Debug, Subcommand)]
pub enum CrlCommand {
    /// Make the next list, with the same entries; before the old one ends, or nobody can log in
    Refresh(CrlRefresh),
}

/// The CA's files.
#[derive(Debug, Args)]
pub struct CaFiles {
    /// The relay's configuration, which names its files [default: relay.toml in this folder, where there is one]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The CA's certificate, PEM [default: ca.pem beside the configuration]
    #[arg(long, value_name = "FILE")]
    pub ca: Option<PathBuf>,
    /// The CA's private key, PEM, mode 0600 [default: ca-key.pem beside the configuration]
    #[arg(long, value_name = "FILE")]
    pub ca_key: Option<PathBuf>,
    /// Read the passphrase of the CA's key from this file descriptor, not from the terminal
    #[arg(long, value_name = "FD")]
    pub passphrase_fd: Option<u32>,
}

/// Make a new certificate.
#[derive(Debug, Args)]
pub struct CertRenew {
    /// Days that it is good for [default: 825, or as many as the CA has left]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=36_500))]
    pub days: Option<u32>,
    /// Make a new key as well
    #[arg(long)]
    pub new_key: bool,
    /// A name that the certificate is for, in place of all that the old one is for; may be repeated
    #[arg(long = "name", value_name = "HOST")]
    pub names: Vec<String>,
    /// The relay's certificate, PEM [default: the configuration's, or relay.pem]
    #[arg(long, value_name = "FILE")]
    pub certificate: Option<PathBuf>,
    /// Its key, PEM [default: the configuration's, or relay-key.pem]; it need not be there unless it is new
    #[arg(long, value_name = "FILE")]
    pub key: Option<PathBuf>,
    /// The CA's files.
    #[command(flatten)]
    pub ca_files: CaFiles,
}

/// Put a certificate on the CA's revocation list.
#[derive(Debug, Args)]
pub struct CertRevoke {
    /// The certificate to revoke, PEM
    #[arg(long, value_name = "FILE", required_unless_present = "serial", conflicts_with = "serial")]
    pub certificate: Option<PathBuf>,
    /// The serial number of the certificate to revoke, in hexadecimal
    #[arg(long, value_name = "HEX")]
    pub serial: Option<String>,
    /// Revoke the certificate in force, although nobody can log in then
    #[arg(long)]
    pub force: bool,
    /// Days that the new list is good for [default: 30]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=36_500))]
    pub days: Option<u32>,
    /// The CA's revocation list, PEM [default: the configuration's, or crl.pem]
    #[arg(long, value_name = "FILE")]
    pub crl: Option<PathBuf>,
    /// The CA's files.
    #[command(flatten)]
    pub ca_files: CaFiles,
}

/// Make the next list.
#[derive(Debug, Args)]
pub struct CrlRefresh {
    /// Days that it is good for [default: 30]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=36_500))]
    pub days: Option<u32>,
    /// Make the CA's first list, where there is none
    #[arg(long)]
    pub new: bool,
    /// The CA's revocation list, PEM [default: the configuration's, or crl.pem]
    #[arg(long, value_name = "FILE")]
    pub crl: Option<PathBuf>,
    /// The CA's files.
    #[command(flatten)]
    pub ca_files: CaFiles,
}

/// Reads `36h`, `30d`, or seconds; a day has 24 hours.
fn seconds(text: &str) -> Result<u64, String> {
    let bad = || format!("{text:?} is no length of time: write 36h, 30d, or seconds");
    if let Ok(seconds) = text.parse() {
        return Ok(seconds);
    }
    let span: jiff::Span = text.parse().map_err(|_| bad())?;
    let length = span.to_duration(jiff::SpanRelativeTo::days_are_24_hours()).map_err(|_| bad())?;
    u64::try_from(length.as_secs()).map_err(|_| bad())
}
