//! What the relay is told: `relay.toml`, then the command line above it. Errors name file and line.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use secchat_proto::crypto::kem::{Suite, Suites};
use serde::Deserialize;
use toml::Spanned;

use crate::cli::Serve;
use crate::files::Files;
use crate::limits::Limits;
use crate::logging;
use crate::metrics;
use crate::replacement::folder_of;

/// The relay's settings.
#[derive(Clone, Debug)]
pub struct Config {
    /// Host (name or address) and port to listen on; port 0 takes a free one.
    pub listen: (String, u16),
    /// The list of users.
    pub user_list: PathBuf,
    /// Where the keys of bare names are.
    pub key_dir: PathBuf,
    /// The relay's certificate, PEM.
    pub certificate: PathBuf,
    /// The certificate's key, PEM.
    pub key: PathBuf,
    /// The CA's CRL, PEM.
    pub crl: Option<PathBuf>,
    /// The suites for the link.
    pub suites: Suites,
    /// What to log.
    pub log: Option<String>,
    /// How lines of the log look on standard error.
    pub log_format: logging::Format,
    /// Whether the log has a keyed hash for people's names.
    pub scrub: bool,
    /// Where metrics are read, if anywhere: a loopback address.
    pub metrics: Option<SocketAddr>,
    /// The relay's bounds.
    pub limits: Limits,
    /// Where the running relay answers the operator.
    pub admin_socket: PathBuf,
    /// The file that says all this, if there is one.
    pub file: Option<PathBuf>,
}

/// What is wrong with the configuration.
#[derive(Debug)]
pub struct ConfigError {
    /// The file.
    pub file: PathBuf,
    /// Its line, from 1; 0 is the whole.
    pub line: usize,
    /// What is wrong there.
    pub fault: ConfigFault,
}

/// What is wrong at a place in the configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigFault {
    /// The file cannot be read.
    #[error("cannot be read: {0}; make one with `secchat-relay init`, or name another with --config")]
    File(io::Error),
    /// A folder was named.
    #[error("is a folder: name the file in it, as in --config {0}")]
    Folder(String),
    /// Not TOML, an unknown key, a wrong type.
    #[error("{0}")]
    Toml(String),
    /// `listen` is not an address and a port.
    #[error("listen = {0:?} is not ADDRESS:PORT, as in \"127.0.0.1:9090\" or \"[::]:9090\"")]
    Listen(String),
    /// An unknown suite.
    #[error("{0:?} is no suite; there are \"x25519mlkem768\" and \"rsa3072\"")]
    Suite(String),
    /// No suite, or one twice.
    #[error("suites must name one suite or both, each once")]
    Suites,
    /// No filter for the log.
    #[error("log = {0:?} is no level and no filter: {1}; try \"info\"")]
    Log(String, String),
    /// `metrics` is not a loopback address with a port.
    #[error(
        "metrics = {0:?} is not an address of this machine alone, with a port, as in \"127.0.0.1:9191\" or \"[::1]:9191\": whoever reaches it reads them"
    )]
    Metrics(String),
    /// A bound of zero.
    #[error("limits.{0} = 0 would let nothing through: give 1 or more, or leave it out")]
    ZeroLimit(&'static str),
}

/// relay.toml. Paths are relative to its folder.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ConfigFile {
    listen: Spanned<String>,
    #[serde(default = "default_user_list")]
    user_list: PathBuf,
    key_dir: Option<PathBuf>,
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
    crl: Option<PathBuf>,
    suites: Option<Spanned<Vec<Spanned<String>>>>,
    log: Option<Spanned<String>>,
    #[serde(default)]
    log_format: logging::Format,
    #[serde(default)]
    scrub: bool,
    metrics: Option<Spanned<String>>,
    limits: Option<Spanned<Limits>>,
    admin_socket: Option<PathBuf>,
}

impl Config {
    /// The settings of a command line, with the configuration file that it names below it.
    ///
    /// # Errors
    /// [`ConfigError`] for the file.
    pub fn of(arguments: &Serve) -> Result<Self, ConfigError> {
        Self::read_for(arguments, &mut Files::new())
    }

    /// As [`Self::of`], by a reader that remembers.
    pub(crate) fn read_for(arguments: &Serve, files: &mut Files) -> Result<Self, ConfigError> {
        let config = match (&arguments.config, Self::file_for(arguments)) {
            (Some(file), _) => Self::read(file, files)?,
            // As the other commands do.
            (None, Some(file)) => Self::read(&file, files)?.with_plain_paths(),
            (None, None) => {
                Self::beside(arguments.user_list.as_deref().unwrap_or_else(|| Path::new(DEFAULT_USER_LIST)))
            }
        };
        Ok(config.overridden(arguments))
    }

    /// The configuration file that a command line means, named or not.
    pub(crate) fn file_for(arguments: &Serve) -> Option<PathBuf> {
        let default = || Path::new(DEFAULT_CONFIG).to_owned();
        arguments.config.clone().or_else(|| arguments.address.is_none().then(default))
    }

    /// The command line's settings over the file's.
    pub(crate) fn overridden(mut self, arguments: &Serve) -> Self {
        if let (Some(address), Some(port)) = (&arguments.address, arguments.port) {
            self.listen = (address.clone(), port);
        }
        if let Some(list) = &arguments.user_list {
            self.user_list.clone_from(list);
            self.key_dir = folder_of(list).to_owned();
        }
        override_with(&mut self.certificate, arguments.certificate.as_ref());
        override_with(&mut self.key, arguments.key.as_ref());
        override_with(&mut self.key_dir, arguments.key_dir.as_ref());
        self.crl = arguments.crl.clone().or(self.crl);
        self.log = arguments.log.clone().or(self.log);
        self.scrub |= arguments.scrub;
        self
    }

    /// The settings of a command that is run beside the relay's files: those in the file that is named, else in
    /// relay.toml of this folder, else the defaults for this folder.
    ///
    /// # Errors
    /// [`ConfigError`], with the line.
    pub fn find(named: Option<&Path>) -> Result<Self, ConfigError> {
        Self::find_by(named, &mut Files::new())
    }

    /// As [`Self::find`], by a reader that remembers.
    pub(crate) fn find_by(named: Option<&Path>, files: &mut Files) -> Result<Self, ConfigError> {
        let default = Path::new(DEFAULT_CONFIG);
        let config = match named.or_else(|| Some(default).filter(|path| path.exists())) {
            Some(file) => Self::read(file, files)?,
            None => Self::beside(Path::new(DEFAULT_USER_LIST)),
        };
        Ok(config.with_plain_paths())
    }

    /// What is said of them is clearer without a `./` before it.
    fn with_plain_paths(mut self) -> Self {
        let paths = [&mut self.user_list, &mut self.certificate, &mut self.key, &mut self.admin_socket];
        for path in paths.into_iter().chain(&mut self.crl) {
            if let Ok(bare) = path.strip_prefix(".") {
                *path = bare.to_owned();
            }
        }
        self
    }

    /// Where a relay answers of whose configuration only the place is known.
    pub(crate) fn admin_socket_beside(file: Option<&Path>) -> PathBuf {
        default_admin_socket(folder_of(file.unwrap_or_else(|| Path::new(DEFAULT_CONFIG))))
    }

    /// The settings in a file.
    ///
    /// # Errors
    /// [`ConfigError`], with the line.
    pub fn load(file: &Path) -> Result<Self, ConfigError> {
        Self::read(file, &mut Files::new())
    }

    fn read(file: &Path, files: &mut Files) -> Result<Self, ConfigError> {
        let error = |line, fault| ConfigError { file: file.to_owned(), line, fault };
        if file.is_dir() {
            return Err(error(0, ConfigFault::Folder(file.join(DEFAULT_CONFIG).display().to_string())));
        }
        let bytes = files.read(file).map_err(|cause| error(0, ConfigFault::File(cause)))?;
        let text = String::from_utf8(bytes).map_err(|bytes| {
            let good = bytes.utf8_error().valid_up_to();
            error(line_of(bytes.as_bytes(), good), ConfigFault::Toml("this is not UTF-8".to_owned()))
        })?;
        let config = Self::parse(&text, folder_of(file))
            .map_err(|(at, fault)| error(at.map_or(0, |at| line_of(text.as_bytes(), at)), fault))?;
        Ok(Self { file: Some(file.to_owned()), ..config })
    }

    /// Parses the text of a file in `folder`, whatever its errors are.
    pub(crate) fn in_folder(text: &str, folder: &Path) -> Result<Self, ConfigFault> {
        Self::parse(text, folder).map_err(|(_, fault)| fault)
    }

    /// Parses the text of a file in `folder`; errors come with their place in the text.
    fn parse(text: &str, folder: &Path) -> Result<Self, (Option<usize>, ConfigFault)> {
        let file: ConfigFile = toml::from_str(text).map_err(|error| {
            (error.span().map(|span| span.start), ConfigFault::Toml(error.message().to_owned()))
        })?;
        let mut config = Self::beside(&folder.join(&file.user_list));
        let in_folder = |path: PathBuf| folder.join(path);
        config.listen =
            parse_listen(file.listen.get_ref()).map_err(|fault| (Some(file.listen.span().start), fault))?;
        config.certificate = in_folder(file.certificate.unwrap_or_else(|| DEFAULT_CERTIFICATE.into()));
        config.key = in_folder(file.key.unwrap_or_else(|| DEFAULT_KEY.into()));
        config.crl = file.crl.map(in_folder).or_else(|| default_crl(folder));
        override_with(&mut config.key_dir, file.key_dir.map(in_folder).as_ref());
        if let Some(suites) = file.suites {
            config.suites = parse_suites(suites)?;
        }
        if let Some(limits) = file.limits {
            let at = limits.span().start;
            config.limits = limits.into_inner();
            if let Some(name) = config.limits.zero() {
                return Err((Some(at), ConfigFault::ZeroLimit(name)));
            }
        }
        if let Some(log) = file.log {
            let at = log.span().start;
            let log = log.into_inner();
            logging::check(&log).map_err(|cause| (Some(at), ConfigFault::Log(log.clone(), cause)))?;
            config.log = Some(log);
        }
        (config.log_format, config.scrub) = (file.log_format, file.scrub);
        config.metrics = file.metrics.map(parse_metrics).transpose()?;
        config.admin_socket = file.admin_socket.map_or_else(|| default_admin_socket(folder), in_folder);
        Ok(config)
    }

    /// The defaults for a list of users: the relay's files are beside it.
    fn beside(user_list: &Path) -> Self {
        let folder = folder_of(user_list);
        Self {
            listen: (String::from("127.0.0.1"), 0),
            user_list: user_list.to_owned(),
            key_dir: folder.to_owned(),
            certificate: folder.join(DEFAULT_CERTIFICATE),
            key: folder.join(DEFAULT_KEY),
            crl: default_crl(folder),
            suites: Suites::for_link(),
            log: None,
            log_format: logging::Format::default(),
            scrub: false,
            metrics: None,
            limits: Limits::default(),
            admin_socket: default_admin_socket(folder),
            file: None,
        }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.file.display(), self.fault),
            line => write!(f, "{}:{line}: {}", self.file.display(), self.fault),
        }
    }
}

impl std::error::Error for ConfigError {}

/// Reads `ADDRESS:PORT`; an IPv6 address stands in brackets.
pub(crate) fn parse_listen(text: &str) -> Result<(String, u16), ConfigFault> {
    let fault = || ConfigFault::Listen(text.to_owned());
    let (host, port) = text.rsplit_once(':').ok_or_else(fault)?;
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let host = bare.unwrap_or(host);
    if host.is_empty() || (bare.is_none() && host.contains(':')) {
        return Err(fault());
    }
    Ok((host.to_owned(), port.parse().map_err(|_| fault())?))
}

/// Reads a loopback address with a port.
fn parse_metrics(text: Spanned<String>) -> Result<SocketAddr, (Option<usize>, ConfigFault)> {
    let address = text.get_ref().parse().ok().filter(metrics::server::is_private);
    address.ok_or_else(|| (Some(text.span().start), ConfigFault::Metrics(text.get_ref().clone())))
}

fn parse_suites(names: Spanned<Vec<Spanned<String>>>) -> Result<Suites, (Option<usize>, ConfigFault)> {
    let at = names.span().start;
    let parsed: Result<Vec<Suite>, _> = names
        .into_inner()
        .into_iter()
        .map(|name| match name.get_ref().as_str() {
            "x25519mlkem768" => Ok(Suite::X25519MlKem768),
            "rsa3072" => Ok(Suite::Rsa3072),
            other => Err((Some(name.span().start), ConfigFault::Suite(other.to_owned()))),
        })
        .collect();
    Suites::new(parsed?).ok_or((Some(at), ConfigFault::Suites))
}

fn line_of(text: &[u8], at: usize) -> usize {
    text.iter().take(at).filter(|byte| **byte == b'\n').count().saturating_add(1)
}

/// Where a relay answers whose files are in `folder`. Files in /etc/NAME belong to a service, which writes in /run/NAME
/// only.
fn default_admin_socket(folder: &Path) -> PathBuf {
    let service = folder.strip_prefix("/etc").ok().filter(|name| name.components().count() == 1);
    service.map_or_else(|| folder.to_owned(), |name| Path::new("/run").join(name)).join(ADMIN_SOCKET)
}

fn override_with(path: &mut PathBuf, given: Option<&PathBuf>) {
    if let Some(given) = given {
        path.clone_from(given);
    }
}

/// A CRL that is where `init` puts it.
fn default_crl(folder: &Path) -> Option<PathBuf> {
    Some(folder.join(DEFAULT_CRL)).filter(|path| path.exists())
}

fn default_user_list() -> PathBuf {
    DEFAULT_USER_LIST.into()
}

/// The names that `init` gives its files.
pub const DEFAULT_CONFIG: &str = "relay.toml";
pub(crate) const DEFAULT_USER_LIST: &str = "user_list";
pub(crate) const DEFAULT_CERTIFICATE: &str = "relay.pem";
pub(crate) const DEFAULT_KEY: &str = "relay-key.pem";
pub(crate) const DEFAULT_CRL: &str = "crl.pem";
const ADMIN_SOCKET: &str = "admin.sock";

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{Config, line_of, parse_listen};

    fn fault(text: &str) -> (usize, String) {
        let (at, fault) = Config::parse(text, Path::new("/etc/secchat-relay")).expect_err(text);
        (line_of(text.as_bytes(), at.expect("a place")), fault.to_string())
    }

    #[test]
    fn reads_what_init_writes_and_defaults() {
        let config = Config::parse("listen = \"[::]:9090\"\n", Path::new("/etc/x")).unwrap();
        assert_eq!(config.listen, ("::".to_owned(), 9090));
        assert_eq!(config.user_list, Path::new("/etc/x/user_list"));
        assert_eq!(config.key, Path::new("/etc/x/relay-key.pem"));
        assert_eq!(config.admin_socket, Path::new("/run/x/admin.sock"), "a service's");
        let config = Config::parse("listen = \"[::]:9090\"\n", Path::new("/home/x/relay")).unwrap();
        assert_eq!(config.admin_socket, Path::new("/home/x/relay/admin.sock"));
        let config = Config::parse(
            "listen = \"relay.example:1\"\nuser_list = \"/var/users\"\nkey = \"k\"\n[limits]\nchats = 3\n",
            Path::new("/etc/x"),
        )
        .unwrap();
        assert_eq!(config.user_list, Path::new("/var/users"));
        assert_eq!(config.key_dir, Path::new("/var"));
        assert_eq!(config.key, Path::new("/etc/x/k"));
        assert_eq!(config.limits.chats, 3);
    }

    #[test]
    fn errors_name_the_line() {
        assert_eq!(fault("\nlisten = \"x:1\"\nprot = 3\n").0, 3);
        assert!(fault("listen = \"x:1\"\nprot = 3\n").1.contains("unknown field `prot`"));
        assert_eq!(fault("listen = \"x:1\"\n\n\nkey = 7\n").0, 4);
        assert_eq!(fault("log = \"x\"\nlisten = \"9090\"\n").0, 2);
        assert_eq!(fault("listen = \"x:1\"\n[limits]\nchat = 3\n").0, 3);
        assert!(fault("listen = \"x:1\"\n[limits]\nchats = 0\n").1.contains("limits.chats = 0"));
        for refused in ["0.0.0.0:9191", "[::]:9191", "192.0.2.1:9191", "localhost:9191", "127.0.0.1", "9191"]
        {
            let (line, fault) = fault(&format!("listen = \"x:1\"\nmetrics = {refused:?}\n"));
            assert!(line == 2 && fault.contains(refused) && fault.contains("127.0.0.1:9191"), "{fault}");
        }
        assert_eq!(fault("listen = \"x:1\"\nsuites = [\n\"rsa3072\",\n\"rot13\"]\n").0, 4);
        assert!(fault("listen = \"x:1\"\nsuites = []\n").1.contains("one suite or both"));
        assert!(fault("listen = \"x:1\"\nlog = \"a=b=c\"\n").1.contains("no level and no filter"));
        assert!(fault("listen = \"x:1\"\nlisten = \"x:1\"\n").1.contains("duplicate"));
    }

    #[test]
    fn listen_is_host_and_port() {
        for bad in ["", "x", ":1", "::1:90", "x:", "x:65536", "[::1]", "[]:1"] {
            assert!(parse_listen(bad).is_err(), "{bad}");
        }
        assert_eq!(parse_listen("[::1]:0").unwrap(), ("::1".to_owned(), 0));
    }
}
