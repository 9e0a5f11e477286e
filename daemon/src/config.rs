//! The daemon's configuration: where each value comes from, checked once, then trusted.
//!
//! A flag wins over a `SECCHAT_*` variable, that over the user's `config.toml`, that over `/etc/secchat/config.toml`,
//! that over the default. Refuses unknown keys and unfit values with the file and line; writes nothing.

mod file;
mod shown;
mod value;

use std::path::{Path, PathBuf};
use std::time::Duration;

use secchat_ipc::paths::Paths;
use secchat_ipc::types::QuietHours;
use secchat_proto::UserName;
use secchat_proto::crypto::kem::Suites;

use crate::clock;
use crate::core::io::Settings;
pub use file::ConfigError;
pub(crate) use file::line_of;
use file::{Layer, Setting};
use secchat_proto::wire::login::Role;
pub use shown::{Shown, show};
pub use value::RelayAddress;

/// All that the daemon is told before it starts.
#[derive(Clone, Debug)]
pub struct Config {
    /// The profile's folders and socket.
    pub paths: Paths,
    /// What the command line said.
    pub flags: Flags,
    /// The file that a person edits to change this: for messages.
    pub file: PathBuf,
    /// This user; `None` until `secchatctl init`.
    pub user: Option<UserName>,
    /// Where the relay is.
    pub relay: Option<RelayAddress>,
    /// The name that the relay's certificate must be for.
    pub relay_name: String,
    /// The identity key's file.
    pub key: PathBuf,
    /// The CA's certificate, PEM or DER.
    pub ca: PathBuf,
    /// The CA's CRL, PEM or DER, when one is configured.
    pub crl: Option<PathBuf>,
    /// Listed at the relay from the start.
    pub available: bool,
    /// Suites for the login.
    pub link_suites: Suites,
    /// Suites between peers.
    pub peer_suites: Suites,
    /// The program that asks a person for the passphrase.
    pub askpass: Option<PathBuf>,
    /// When to lock without being told.
    pub lock_on: LockOn,
    /// Stay reachable when locking without being told.
    pub lock_keeps_session: bool,
    /// The hours of every day in which frontends keep quiet.
    pub quiet_hours: Option<QuietHours>,
    /// Bounds that a person may choose.
    pub limits: Limits,
}

/// What locks the daemon by itself, as logind tells it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LockOn {
    /// The machine goes to sleep.
    pub suspend: bool,
    /// The screen is locked.
    pub screen_lock: bool,
}

/// Bounds that a person may choose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Unread texts kept at most.
    pub inbox_messages: usize,
    /// Bytes of unread texts kept at most.
    pub inbox_bytes: usize,
    /// Requests of others kept at most.
    pub incoming_requests: usize,
    /// For how long after a refusal the same peer is refused without asking.
    pub cool_down: Duration,
    /// Frontends served at a time.
    pub frontends: usize,
}

/// What the command line says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Flags {
    /// `--profile`.
    pub profile: Option<String>,
    /// `--config`.
    pub config: Option<PathBuf>,
}

impl Config {
    /// Reads the configuration by flags, environment and files.
    ///
    /// # Errors
    /// [`ConfigError`], for the first thing that is wrong.
    pub fn load(flags: &Flags) -> Result<Self, ConfigError> {
        let variable = |name: &str| std::env::var_os(name);
        let paths = Paths::resolve(flags.profile.as_deref(), variable)?;
        Self::resolve(paths, flags, Path::new(SYSTEM_FILE), variable)
    }

    /// As [`Self::load`], by the given environment and system-wide file.
    ///
    /// # Errors
    /// [`ConfigError`], for the first thing that is wrong.
    pub fn resolve(
        paths: Paths,
        flags: &Flags,
        system_file: &Path,
        variable: impl Fn(&str) -> Option<std::ffi::OsString>,
    ) -> Result<Self, ConfigError> {
        let (file, layers) = layers(&paths, flags, system_file, variable)?;
        Self::from_layers((paths, flags.clone()), file, &layers)
    }

    /// The configuration as it is now, by the same flags and the environment.
    ///
    /// # Errors
    /// [`ConfigError`], for the first thing that is wrong.
    pub fn reload(&self) -> Result<Self, ConfigError> {
        Self::resolve(self.paths.clone(), &self.flags, Path::new(SYSTEM_FILE), |name| std::env::var_os(name))
    }

    fn from_layers(
        (paths, flags): (Paths, Flags),
        file: PathBuf,
        layers: &[Layer],
    ) -> Result<Self, ConfigError> {
        let folder = paths.config_folder().to_path_buf();
        let path = |of: fn(&Layer) -> &Option<Setting<String>>, default: &str| {
            top(layers, of).map_or_else(|| folder.join(default), Setting::to_path)
        };
        let user = top(layers, |l| &l.user).map(|s| s.parse(value::user_name)).transpose()?;
        let relay = top(layers, |l| &l.relay).map(|s| s.parse(value::relay_address)).transpose()?;
        let relay_name = match top(layers, |l| &l.relay_name) {
            Some(name) => name.parse(value::relay_name)?,
            None => relay.as_ref().map(|relay| relay.host.clone()).unwrap_or_default(),
        };
        let suites = |of: fn(&Layer) -> &Option<Setting<Vec<String>>>, default: fn() -> Suites| {
            top(layers, of).map_or_else(|| Ok(default()), |s| s.parse(|names| value::suites(names)))
        };
        Ok(Self {
            user,
            relay,
            relay_name,
            key: path(|l| &l.key, "identity.pem"),
            ca: path(|l| &l.ca, "ca.pem"),
            crl: top(layers, |l| &l.crl).map(Setting::to_path),
            available: top(layers, |l| &l.available).is_none_or(|s| s.value),
            link_suites: suites(|l| &l.link_suites, Suites::for_link)?,
            peer_suites: suites(|l| &l.peer_suites, Suites::for_peers)?,
            askpass: top(layers, |l| &l.askpass).map(Setting::to_path),
            lock_on: LockOn {
                suspend: top(layers, |l| &l.lock_on_suspend).is_some_and(|s| s.value),
                screen_lock: top(layers, |l| &l.lock_on_screen_lock).is_some_and(|s| s.value),
            },
            lock_keeps_session: top(layers, |l| &l.lock_keeps_session).is_some_and(|s| s.value),
            quiet_hours: top(layers, |l| &l.quiet_hours).map(|s| s.parse(|text| text.parse())).transpose()?,
            limits: Limits::from_layers(layers)?,
            paths,
            flags,
            file,
        })
    }

    /// What the core needs to know of this.
    #[must_use]
    pub fn to_settings(&self) -> Settings {
        Settings {
            user: self.user.clone(),
            profile: self.paths.profile().name().to_owned(),
            relay: self.relay.as_ref().map(ToString::to_string).unwrap_or_default(),
            role: if self.available { Role::Receiver } else { Role::Sender },
            peer_suites: self.peer_suites.clone(),
            max_inbox_messages: self.limits.inbox_messages,
            max_inbox_bytes: self.limits.inbox_bytes,
            max_incoming_requests: self.limits.incoming_requests,
            lock_keeps_session: self.lock_keeps_session,
            cool_down: self.limits.cool_down,
            quiet_hours: self.quiet_hours,
            first_event: clock::unix_micros(),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            inbox_messages: 10_000,
            inbox_bytes: 4 * 1024 * 1024,
            incoming_requests: 256,
            cool_down: Duration::from_secs(600),
            frontends: 256,
        }
    }
}

impl Limits {
    fn from_layers(layers: &[Layer]) -> Result<Self, ConfigError> {
        let Self { inbox_messages, inbox_bytes, incoming_requests, cool_down, frontends } = Self::default();
        let count = |of: fn(&Layer) -> &Option<Setting<u64>>, default: usize, most: usize| {
            top(layers, of).map_or(Ok(default), |s| s.parse(|n| value::within(*n, 1, most)))
        };
        Ok(Self {
            inbox_messages: count(|l| &l.inbox_messages, inbox_messages, MAX_INBOX_MESSAGES)?,
            inbox_bytes: count(|l| &l.inbox_bytes, inbox_bytes, MAX_INBOX_BYTES)?,
            incoming_requests: count(|l| &l.incoming_requests, incoming_requests, MAX_INCOMING_REQUESTS)?,
            cool_down: top(layers, |l| &l.cool_down_seconds).map_or(Ok(cool_down), |s| {
                s.parse(|n| value::within(*n, 0, MAX_COOL_DOWN_SECONDS)).map(Duration::from_secs)
            })?,
            frontends: count(|l| &l.frontends, frontends, MAX_FRONTENDS)?,
        })
    }
}

/// The user's own file, and what environment, that file and the system-wide one say: who comes first wins.
fn layers(
    paths: &Paths,
    flags: &Flags,
    system_file: &Path,
    variable: impl Fn(&str) -> Option<std::ffi::OsString>,
) -> Result<(PathBuf, [Layer; 3]), ConfigError> {
    let named = flags
        .config
        .clone()
        .or_else(|| variable("SECCHAT_CONFIG").filter(|value| !value.is_empty()).map(PathBuf::from));
    let file = named.clone().unwrap_or_else(|| paths.config_file());
    let user_layer = match (Layer::read(&file)?, named) {
        (Some(layer), _) => layer,
        (None, None) => Layer::default(),
        (None, Some(path)) => return Err(ConfigError::Missing { path }),
    };
    let environment = Layer::from_environment(paths.config_folder(), variable)?;
    let system = Layer::read(system_file)?.unwrap_or_default();
    Ok((file, [environment, user_layer, system]))
}

/// The value of the highest layer that has one.
fn top<T>(layers: &[Layer], of: fn(&Layer) -> &Option<Setting<T>>) -> Option<&Setting<T>> {
    layers.iter().find_map(|layer| of(layer).as_ref())
}

/// The file below the user's own.
const SYSTEM_FILE: &str = "/etc/secchat/config.toml";
/// Unread texts at most: with 100 bytes of overhead each, well below one message of the local socket.
const MAX_INBOX_MESSAGES: usize = 50_000;
/// Bytes of unread texts at most: a snapshot holds them all, and one message of the local socket is 16 MiB.
const MAX_INBOX_BYTES: usize = 8 * 1024 * 1024;
/// Requests of others at most: a snapshot holds them all.
const MAX_INCOMING_REQUESTS: usize = 4_096;
/// A week, in seconds: no request lives longer.
const MAX_COOL_DOWN_SECONDS: u64 = 7 * 24 * 60 * 60;
/// Frontends at most: two file descriptors each, of the usual 1,024.
const MAX_FRONTENDS: usize = 400;
