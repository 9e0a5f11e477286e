//! What the popup is told before it starts: a flag wins over a `SECCHAT_NOTIFY_*` variable, that over the user's
//! `notify.toml`, that over `/etc/secchat/notify.toml`, that over the default. An unknown key is an error with its line.

use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;

/// How much of who and what popups show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Show {
    /// That somebody asks or has written
    None,
    /// Who
    #[default]
    Name,
    /// Who, and what they have written
    Full,
}

/// All of it, checked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// The profile's name, for commands that a person can type; empty for the default one.
    pub profile: String,
    /// How much popups show.
    pub show: Show,
    /// Whether texts have popups at all.
    pub messages: bool,
}

/// What one place says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Layer {
    /// How much popups show.
    pub show: Option<Show>,
    /// Whether texts have popups.
    pub messages: Option<bool>,
}

/// Why there are no settings.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file named by flag or variable is not there.
    #[error("there is no {}: name another file, or leave it out", path.display())]
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
}

impl Settings {
    /// From the layers, highest first.
    #[must_use]
    pub fn from_layers(profile: &str, layers: &[Layer]) -> Self {
        Self {
            profile: profile.to_owned(),
            show: layers.iter().find_map(|layer| layer.show).unwrap_or_default(),
            messages: layers.iter().find_map(|layer| layer.messages).unwrap_or(true),
        }
    }
}

impl Layer {
    /// What a file says; nothing when it is not there, unless it `must` be.
    ///
    /// # Errors
    /// [`ConfigError`], with the line.
    pub fn read(path: &Path, must: bool) -> Result<Self, ConfigError> {
        let path = path.to_owned();
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(ConfigError::Unreadable { path, source: error });
            }
            Err(_) if must => return Err(ConfigError::Missing { path }),
            Err(_) => return Ok(Self::default()),
        };
        toml::from_str(&text).map_err(|error| {
            let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
            let line = 1 + before.matches('\n').count();
            ConfigError::File { path, line, why: error.message().to_owned() }
        })
    }
}

/// The file below the user's own.
pub const SYSTEM_FILE: &str = "/etc/secchat/notify.toml";

#[cfg(test)]
mod tests {
    use super::*;

    /// A file with this text, and the folder that it goes with.
    fn written(text: &str) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify.toml");
        std::fs::write(&path, text).unwrap();
        (folder, path)
    }

    fn layer(text: &str) -> Layer {
        let (_folder, path) = written(text);
        Layer::read(&path, true).unwrap()
    }

    #[test]
    fn the_highest_layer_that_has_a_value_wins() {
        let low = layer("show = \"full\"\nmessages = false\n");
        let high = layer("show = \"none\"\n");
        let settings = Settings::from_layers("work", &[Layer::default(), high, low]);
        assert_eq!(settings, Settings { profile: "work".into(), show: Show::None, messages: false });
        let default = Settings::from_layers("", &[Layer::default()]);
        assert_eq!((default.show, default.messages), (Show::Name, true), "texts are hidden, names are not");
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        for (text, line, part) in [
            ("\nsnow = 1\n", 2, "unknown field `snow`"),
            ("show = \"all\"", 1, "expected one of"),
            ("\n\nmessages = \"yes\"", 3, "boolean"),
            ("show = \"full\"\nshow = \"full\"", 2, "duplicate"),
        ] {
            let (_folder, path) = written(text);
            let error = Layer::read(&path, false).unwrap_err().to_string();
            let place = format!("{}:{line}: ", path.display());
            assert!(error.starts_with(&place) && error.contains(part), "{error}");
        }
    }

    #[test]
    fn only_a_file_that_was_named_must_be_there() {
        assert_eq!(Layer::read(Path::new("/nonexistent/x"), false).unwrap(), Layer::default());
        assert!(matches!(Layer::read(Path::new("/nonexistent/x"), true), Err(ConfigError::Missing { .. })));
        assert!(matches!(Layer::read(Path::new("/"), false), Err(ConfigError::Unreadable { .. })));
    }
}
