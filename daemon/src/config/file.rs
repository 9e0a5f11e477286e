//! One layer of the configuration: a file or the environment, each value with the place it came from.

use std::ffi::OsString;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use secchat_ipc::paths::PathError;
use serde::Deserialize;
use toml::Spanned;

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The profile or its folders.
    #[error(transparent)]
    Paths(#[from] PathError),
    /// The file named by flag or variable is not there.
    #[error("there is no {}: name another file, or run `secchatctl init`", path.display())]
    Missing {
        /// Which file.
        path: PathBuf,
    },
    /// A file is there and cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A key or value in a file.
    #[error("{}:{line}: {why}", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// Which line, from 1.
        line: usize,
        /// What is wrong and what is expected.
        why: String,
    },
    /// A variable of the environment.
    #[error("the environment variable {name}: {why}")]
    Variable {
        /// Which.
        name: &'static str,
        /// What is wrong and what is expected.
        why: String,
    },
}

/// A value and the place it came from.
#[derive(Clone, Debug)]
pub(super) struct Setting<T> {
    pub(super) value: T,
    origin: Origin,
}

impl<T> Setting<T> {
    /// The value's meaning, or an error that names the place.
    pub(super) fn parse<U>(&self, meaning: impl FnOnce(&T) -> Result<U, String>) -> Result<U, ConfigError> {
        meaning(&self.value).map_err(|why| self.origin.error(why))
    }
}

impl<T> Setting<T> {
    /// Where it comes from, for a person: `file:line`, or the variable.
    pub(super) fn origin(&self) -> String {
        match &self.origin {
            Origin::File { path, line } => format!("{}:{line}", path.display()),
            Origin::Variable { name, .. } => (*name).to_owned(),
        }
    }
}

impl Setting<String> {
    /// The path that the value names, relative to its file's folder.
    pub(super) fn to_path(&self) -> PathBuf {
        let folder = match &self.origin {
            Origin::File { path, .. } => path.parent(),
            Origin::Variable { folder, .. } => Some(folder.as_path()),
        };
        folder.unwrap_or_else(|| Path::new("")).join(&self.value)
    }
}

#[derive(Clone, Debug)]
enum Origin {
    File { path: PathBuf, line: usize },
    Variable { name: &'static str, folder: PathBuf },
}

impl Origin {
    fn error(&self, why: String) -> ConfigError {
        match self {
            Self::File { path, line } => ConfigError::File { path: path.clone(), line: *line, why },
            Self::Variable { name, .. } => ConfigError::Variable { name, why },
        }
    }
}

/// What one file or the environment says.
#[derive(Clone, Debug, Default)]
pub(super) struct Layer {
    pub(super) user: Option<Setting<String>>,
    pub(super) relay: Option<Setting<String>>,
    pub(super) relay_name: Option<Setting<String>>,
    pub(super) key: Option<Setting<String>>,
    pub(super) ca: Option<Setting<String>>,
    pub(super) crl: Option<Setting<String>>,
    pub(super) available: Option<Setting<bool>>,
    pub(super) link_suites: Option<Setting<Vec<String>>>,
    pub(super) peer_suites: Option<Setting<Vec<String>>>,
    pub(super) askpass: Option<Setting<String>>,
    pub(super) lock_on_suspend: Option<Setting<bool>>,
    pub(super) lock_on_screen_lock: Option<Setting<bool>>,
    pub(super) lock_keeps_session: Option<Setting<bool>>,
    pub(super) quiet_hours: Option<Setting<String>>,
    pub(super) inbox_messages: Option<Setting<u64>>,
    pub(super) inbox_bytes: Option<Setting<u64>>,
    pub(super) incoming_requests: Option<Setting<u64>>,
    pub(super) cool_down_seconds: Option<Setting<u64>>,
    pub(super) frontends: Option<Setting<u64>>,
}

impl Layer {
    /// What `path` says; `None` when it is not there.
    pub(super) fn read(path: &Path) -> Result<Option<Self>, ConfigError> {
        let unreadable = |source| ConfigError::Unreadable { path: path.to_owned(), source };
        match std::fs::metadata(path) {
            Ok(metadata) if metadata.len() > MAX_FILE_BYTES => {
                return Err(unreadable(io::Error::other("it is larger than 1 MiB")));
            }
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(unreadable(error)),
        }
        let text = std::fs::read_to_string(path).map_err(unreadable)?;
        Self::parse(path, &text).map(Some)
    }

    fn parse(path: &Path, text: &str) -> Result<Self, ConfigError> {
        let table: FileTable = toml::from_str(text).map_err(|error| ConfigError::File {
            path: path.to_owned(),
            line: error.span().map_or(1, |span| line_of(text, &span)),
            why: error.message().to_owned(),
        })?;
        let limits = table.limits;
        let place = Place { path, text };
        Ok(Self {
            user: place.setting(table.user),
            relay: place.setting(table.relay),
            relay_name: place.setting(table.relay_name),
            key: place.setting(table.key),
            ca: place.setting(table.ca),
            crl: place.setting(table.crl),
            available: place.setting(table.available),
            link_suites: place.setting(table.link_suites),
            peer_suites: place.setting(table.peer_suites),
            askpass: place.setting(table.askpass),
            lock_on_suspend: place.setting(table.lock_on_suspend),
            lock_on_screen_lock: place.setting(table.lock_on_screen_lock),
            lock_keeps_session: place.setting(table.lock_keeps_session),
            quiet_hours: place.setting(table.quiet_hours),
            inbox_messages: place.setting(limits.inbox_messages),
            inbox_bytes: place.setting(limits.inbox_bytes),
            incoming_requests: place.setting(limits.incoming_requests),
            cool_down_seconds: place.setting(limits.cool_down_seconds),
            frontends: place.setting(limits.frontends),
        })
    }

    /// What the environment says; paths in it are relative to `folder`. Limits are for files.
    pub(super) fn from_environment(
        folder: &Path,
        variable: impl Fn(&str) -> Option<OsString>,
    ) -> Result<Self, ConfigError> {
        let text = |name: &'static str| -> Result<Option<Setting<String>>, ConfigError> {
            let Some(value) = variable(name).filter(|value| !value.is_empty()) else { return Ok(None) };
            let value = value
                .into_string()
                .map_err(|_| ConfigError::Variable { name, why: "it is not UTF-8".to_owned() })?;
            Ok(Some(Setting { value, origin: Origin::Variable { name, folder: folder.to_owned() } }))
        };
        let list = |name| -> Result<Option<Setting<Vec<String>>>, ConfigError> {
            Ok(text(name)?.map(|setting| Setting {
                value: setting.value.split(',').map(|item| item.trim().to_owned()).collect(),
                origin: setting.origin,
            }))
        };
        Ok(Self {
            user: text("SECCHAT_USER")?,
            relay: text("SECCHAT_RELAY")?,
            relay_name: text("SECCHAT_RELAY_NAME")?,
            key: text("SECCHAT_KEY")?,
            ca: text("SECCHAT_CA")?,
            crl: text("SECCHAT_CRL")?,
            available: text("SECCHAT_AVAILABLE")?.map(to_bool).transpose()?,
            link_suites: list("SECCHAT_LINK_SUITES")?,
            peer_suites: list("SECCHAT_PEER_SUITES")?,
            askpass: text("SECCHAT_ASKPASS")?,
            lock_on_suspend: text("SECCHAT_LOCK_ON_SUSPEND")?.map(to_bool).transpose()?,
            lock_on_screen_lock: text("SECCHAT_LOCK_ON_SCREEN_LOCK")?.map(to_bool).transpose()?,
            lock_keeps_session: text("SECCHAT_LOCK_KEEPS_SESSION")?.map(to_bool).transpose()?,
            quiet_hours: text("SECCHAT_QUIET_HOURS")?,
            ..Self::default()
        })
    }
}

/// `config.toml` as it is written.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileTable {
    user: Option<Spanned<String>>,
    relay: Option<Spanned<String>>,
    relay_name: Option<Spanned<String>>,
    key: Option<Spanned<String>>,
    ca: Option<Spanned<String>>,
    crl: Option<Spanned<String>>,
    available: Option<Spanned<bool>>,
    link_suites: Option<Spanned<Vec<String>>>,
    peer_suites: Option<Spanned<Vec<String>>>,
    askpass: Option<Spanned<String>>,
    lock_on_suspend: Option<Spanned<bool>>,
    lock_on_screen_lock: Option<Spanned<bool>>,
    lock_keeps_session: Option<Spanned<bool>>,
    quiet_hours: Option<Spanned<String>>,
    #[serde(default)]
    limits: LimitsTable,
}

/// `[limits]` as it is written.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct LimitsTable {
    inbox_messages: Option<Spanned<u64>>,
    inbox_bytes: Option<Spanned<u64>>,
    incoming_requests: Option<Spanned<u64>>,
    cool_down_seconds: Option<Spanned<u64>>,
    frontends: Option<Spanned<u64>>,
}

/// The file that values come from.
struct Place<'a> {
    path: &'a Path,
    text: &'a str,
}

impl Place<'_> {
    fn setting<T>(&self, value: Option<Spanned<T>>) -> Option<Setting<T>> {
        value.map(|spanned| {
            let line = line_of(self.text, &spanned.span());
            let origin = Origin::File { path: self.path.to_owned(), line };
            Setting { value: spanned.into_inner(), origin }
        })
    }
}

/// The line, from 1, on which a span starts.
pub(crate) fn line_of(text: &str, span: &Range<usize>) -> usize {
    1 + text.bytes().take(span.start).filter(|byte| *byte == b'\n').count()
}

fn to_bool(setting: Setting<String>) -> Result<Setting<bool>, ConfigError> {
    let value = setting.parse(|text| match text.as_str() {
        "true" | "1" | "yes" => Ok(true),
        "false" | "0" | "no" => Ok(false),
        other => Err(format!("{other:?} is neither true nor false")),
    })?;
    Ok(Setting { value, origin: setting.origin })
}

/// Bytes of a configuration file at most: a thousand times a large one.
const MAX_FILE_BYTES: u64 = 1024 * 1024;
