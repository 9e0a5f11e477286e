//! What all of an operator's files say together. Loading reads and checks each of them, and gives either a whole that
//! can be put in force, or every error in every file.

use std::path::PathBuf;
use std::sync::Arc;

use crate::cli::Serve;
use crate::config::{Config, ConfigError, DEFAULT_CONFIG};
use crate::credentials::{Credentials, CredentialsError, Found};
use crate::files::{Digest, Files};
use crate::limits::Limits;
use crate::user_list::{ListError, UserList};

/// Where the settings come from, each time anew.
#[derive(Clone, Debug)]
pub enum Sources {
    /// A command line, and the configuration file that it names.
    Arguments(Box<Serve>),
    /// Settings that never change; the other files may.
    Fixed(Box<Config>),
    /// What a command finds that is run beside the files: the named configuration, else relay.toml of this folder.
    Beside(Option<PathBuf>),
}

/// An error in a file, with its place.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// In the configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// In key, certificate or CRL.
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    /// In the list of users.
    #[error(transparent)]
    List(#[from] ListError),
}

/// What the files say.
#[derive(Debug)]
pub(crate) struct Snapshot {
    pub(crate) config: Config,
    /// The configuration's, for whoever keeps them.
    pub(crate) limits: Arc<Limits>,
    pub(crate) users: Arc<UserList>,
    pub(crate) credentials: Arc<Credentials>,
    /// Of all bytes that were read for this.
    pub(crate) digest: Digest,
}

/// An attempt at reading all files.
#[derive(Debug)]
pub(crate) struct Attempt {
    pub(crate) result: Result<Snapshot, Vec<FileError>>,
    /// Whose change may make the next attempt end otherwise.
    pub(crate) config: Option<Config>,
}

impl Sources {
    /// The configuration file, if there is one.
    pub(crate) fn config_file(&self) -> Option<PathBuf> {
        match self {
            Self::Arguments(arguments) => Config::file_for(arguments),
            Self::Fixed(config) => config.file.clone(),
            Self::Beside(named) => Some(named.clone().unwrap_or_else(|| DEFAULT_CONFIG.into())),
        }
    }

    fn config(&self, files: &mut Files) -> Result<Config, ConfigError> {
        match self {
            Self::Arguments(arguments) => Config::read_for(arguments, files),
            Self::Fixed(config) => Ok((**config).clone()),
            Self::Beside(named) => Config::find_by(named.as_deref(), files),
        }
    }

    /// The settings as far as an erroneous configuration says where the other files are.
    fn config_despite_errors(&self) -> Option<Config> {
        match self {
            Self::Arguments(arguments) => {
                let found = Config::paths_despite_errors(&Config::file_for(arguments)?)?;
                Some(found.overridden(arguments))
            }
            Self::Fixed(_) => None,
            Self::Beside(_) => Config::paths_despite_errors(&self.config_file()?),
        }
    }
}

/// The files as far as they could be read, with every error: what starts, reloads and `check` begin with.
pub(crate) struct Survey {
    /// Of the configuration.
    pub(crate) error: Option<ConfigError>,
    /// The other files, if it is known which.
    pub(crate) rest: Option<Rest>,
    digest: Digest,
}

/// The files that a configuration names.
pub(crate) struct Rest {
    /// The settings; of an erroneous configuration, where the files are.
    pub(crate) config: Config,
    pub(crate) credentials: Found,
    pub(crate) users: Result<Arc<UserList>, Vec<ListError>>,
}

impl Survey {
    /// Reads all files. What is as in the snapshot before, if there was one, is taken from there.
    pub(crate) fn read(sources: &Sources, before: Option<&Snapshot>) -> Self {
        let mut files = Files::new();
        let (config, error) = match sources.config(&mut files) {
            Ok(config) => (Some(config), None),
            Err(error) => (sources.config_despite_errors(), Some(error)),
        };
        let rest = config.map(|mut config| {
            keep_crl(&mut config, before);
            let crl = config.crl.as_deref();
            let credentials = Found::read(&config.certificate, &config.key, crl, &mut files);
            let no_users = Arc::default();
            let users_before = before.map_or(&no_users, |before| &before.users);
            let users = UserList::read((&config.user_list, &config.key_dir), &mut files, users_before);
            Rest { config, credentials, users }
        });
        Self { error, rest, digest: files.digest() }
    }
}

impl Snapshot {
    /// Reads and checks all files; all of them or none.
    pub(crate) fn load(sources: &Sources, before: Option<&Self>) -> Attempt {
        let Survey { error, rest, digest } = Survey::read(sources, before);
        let mut errors: Vec<FileError> = error.into_iter().map(FileError::from).collect();
        let Some(Rest { config, credentials, users }) = rest else {
            return Attempt { result: Err(errors), config: None };
        };
        let result = match (credentials.whole(), users) {
            (Ok(credentials), Ok(users)) if errors.is_empty() => Ok(Self {
                config: config.clone(),
                limits: Arc::new(config.limits.clone()),
                users,
                credentials: Arc::new(credentials),
                digest,
            }),
            (credentials, users) => {
                errors.extend(credentials.err().into_iter().flatten().map(FileError::from));
                errors.extend(users.err().into_iter().flatten().map(FileError::from));
                Err(errors)
            }
        };
        Attempt { result, config: Some(config) }
    }
}

/// A CRL that nobody named, but that was there, must not go out of force because it cannot be found for a while.
fn keep_crl(config: &mut Config, before: Option<&Snapshot>) {
    if config.crl.is_none() {
        config.crl = before.and_then(|before| before.config.crl.clone());
    }
}

impl From<Config> for Sources {
    fn from(config: Config) -> Self {
        Self::Fixed(Box::new(config))
    }
}

impl From<Serve> for Sources {
    fn from(arguments: Serve) -> Self {
        Self::Arguments(Box::new(arguments))
    }
}

#[cfg(test)]
impl Snapshot {
    /// A snapshot with these users, for the tests of other modules.
    pub(crate) fn of_users<const N: usize>(
        users: [(&str, &secchat_proto::crypto::signature::PublicKey); N],
    ) -> Self {
        use secchat_proto::crypto::signature::SigningKey;
        let key = openssl::pkey::PKey::generate_ed25519().unwrap();
        let text: String = users
            .map(|(name, key)| format!("{name} {}\n", openssl::base64::encode_block(key.as_der())))
            .concat();
        let list = std::path::Path::new("user_list");
        let no_file =
            |_: &secchat_proto::UserName| (PathBuf::new(), Err(std::io::ErrorKind::NotFound.into()));
        let config = Config::in_folder("listen = \"localhost:0\"\n", std::path::Path::new("")).unwrap();
        Self {
            limits: Arc::new(config.limits.clone()),
            config,
            users: Arc::new(UserList::parse(text.as_bytes(), list, no_file).unwrap()),
            credentials: Arc::new(Credentials {
                key: SigningKey::from_pkey(key).unwrap(),
                certificate: vec![1],
                crl: Vec::new(),
            }),
            digest: [0; 32],
        }
    }
}
