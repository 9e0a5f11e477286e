//! What all of an operator's files say together. Loading reads and checks each of them, and gives either a whole that
//! can be put in force, or every error in every file.

use std::path::PathBuf;
use std::sync::Arc;

use crate::cli::Serve;
use crate::config::{Config, ConfigError};
use crate::credentials::{Credentials, CredentialsError};
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
        }
    }

    fn config(&self, files: &mut Files) -> Result<Config, ConfigError> {
        match self {
            Self::Arguments(arguments) => Config::read_for(arguments, files),
            Self::Fixed(config) => Ok((**config).clone()),
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
        }
    }
}

impl Snapshot {
    /// Reads and checks all files. What is as in the snapshot before, if there was one, is taken from there.
    pub(crate) fn load(sources: &Sources, before: Option<&Self>) -> Attempt {
        let mut files = Files::new();
        let mut errors = Vec::new();
        let config = match sources.config(&mut files) {
            Ok(config) => Some(config),
            Err(error) => {
                errors.push(error.into());
                sources.config_despite_errors()
            }
        };
        let Some(mut config) = config else { return Attempt { result: Err(errors), config: None } };
        keep_crl(&mut config, before);
        let crl = config.crl.as_deref();
        let credentials = Credentials::read(&config.certificate, &config.key, crl, &mut files);
        let no_users = Arc::default();
        let users_before = before.map_or(&no_users, |before| &before.users);
        let users = UserList::read((&config.user_list, &config.key_dir), &mut files, users_before);
        let (credentials, users) = match (credentials, users) {
            (Ok(credentials), Ok(users)) if errors.is_empty() => (credentials, users),
            (credentials, users) => {
                errors.extend(credentials.err().into_iter().flatten().map(FileError::from));
                errors.extend(users.err().into_iter().flatten().map(FileError::from));
                return Attempt { result: Err(errors), config: Some(config) };
            }
        };
        let snapshot = Self {
            config: config.clone(),
            limits: Arc::new(config.limits.clone()),
            users,
            credentials: Arc::new(credentials),
            digest: files.digest(),
        };
        Attempt { result: Ok(snapshot), config: Some(config) }
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
