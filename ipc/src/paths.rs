//! Where a profile's files and socket are: the same answer for the daemon and every frontend.
//!
//! Reads the environment once, makes no folder and opens no file, but for [`create_private_folder`].

use std::ffi::OsString;
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

/// A set of configuration, state and socket of its own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Profile(Option<String>);

impl Profile {
    /// Parses a profile's name; the empty one is the default profile.
    ///
    /// # Errors
    /// [`PathError::ProfileName`] when `name` could leave its folder or is unfit for one.
    pub fn parse(name: &str) -> Result<Self, PathError> {
        if name.is_empty() {
            return Ok(Self(None));
        }
        let fits = name.len() <= MAX_PROFILE_BYTES
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
            && !name.starts_with(['.', '-']);
        if fits { Ok(Self(Some(name.to_owned()))) } else { Err(PathError::ProfileName(name.to_owned())) }
    }

    /// The name; empty for the default profile.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.as_deref().unwrap_or("")
    }
}

/// The folders of one profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paths {
    profile: Profile,
    config: PathBuf,
    state: PathBuf,
    runtime: PathBuf,
    runtime_is_fallback: bool,
}

impl Paths {
    /// The profile's folders by this process's environment; without `profile`, `SECCHAT_PROFILE` names it.
    ///
    /// # Errors
    /// [`PathError`] when the profile's name is not one, or no home folder is known.
    pub fn from_environment(profile: Option<&str>) -> Result<Self, PathError> {
        Self::resolve(profile, |name| std::env::var_os(name))
    }

    /// The profile's folders by the given environment.
    ///
    /// # Errors
    /// As [`Self::from_environment`].
    pub fn resolve(
        profile: Option<&str>,
        variable: impl Fn(&str) -> Option<OsString>,
    ) -> Result<Self, PathError> {
        let profile = if let Some(name) = profile {
            Profile::parse(name)?
        } else {
            let name = variable("SECCHAT_PROFILE").unwrap_or_default();
            Profile::parse(&name.to_string_lossy())?
        };
        // XDG basedir 0.8: an empty variable is an unset one, a relative one is ignored.
        let folder = |name: &str| variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let home = folder("HOME");
        let base = |name: &'static str, below_home: &str| {
            folder(name)
                .or_else(|| home.as_ref().map(|home| home.join(below_home)))
                .ok_or(PathError::NoHome { variable: name })
        };
        let inside = |base: PathBuf| {
            let own = base.join("secchat");
            match &profile.0 {
                None => own,
                Some(name) => own.join("profiles").join(name),
            }
        };
        let runtime = folder("XDG_RUNTIME_DIR");
        Ok(Self {
            config: inside(base("XDG_CONFIG_HOME", ".config")?),
            state: inside(base("XDG_STATE_HOME", ".local/state")?),
            runtime_is_fallback: runtime.is_none(),
            runtime: match runtime {
                Some(base) => inside(base),
                None => {
                    let own = base("XDG_RUNTIME_DIR", ".cache")?.join("secchat/run");
                    profile.0.as_ref().map_or_else(|| own.clone(), |name| own.join("profiles").join(name))
                }
            },
            profile,
        })
    }

    /// The profile.
    #[must_use]
    pub fn profile(&self) -> &Profile {
        &self.profile
    }

    /// The folder of configuration, identity key, CA certificate and CRL.
    #[must_use]
    pub fn config_folder(&self) -> &Path {
        &self.config
    }

    /// `config.toml` in the configuration folder.
    #[must_use]
    pub fn config_file(&self) -> PathBuf {
        self.config.join("config.toml")
    }

    /// The folder of what the daemon keeps.
    #[must_use]
    pub fn state_folder(&self) -> &Path {
        &self.state
    }

    /// The folder of the socket.
    #[must_use]
    pub fn runtime_folder(&self) -> &Path {
        &self.runtime
    }

    /// The daemon's socket.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.runtime.join("secchatd.sock")
    }

    /// What to tell a person about these folders, if anything: without `XDG_RUNTIME_DIR` the socket is in the home
    /// folder, where nothing removes it at logout.
    #[must_use]
    pub fn warning(&self) -> Option<String> {
        self.runtime_is_fallback.then(|| {
            format!(
                "XDG_RUNTIME_DIR is not set: using {} for the socket (a login session sets it; on a server, `loginctl enable-linger` does)",
                self.runtime.display()
            )
        })
    }
}

/// Makes a folder that only this user can enter, and its missing parents alike.
///
/// # Errors
/// Whatever the file system says; an existing folder is no error and keeps its mode.
pub fn create_private_folder(path: &Path) -> io::Result<()> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Why there are no paths.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// Not a profile's name.
    #[error(
        "{0:?} is no name for a profile: it has 1 to 32 of A-Z a-z 0-9 . _ - and starts with none of . -"
    )]
    ProfileName(String),
    /// Neither the XDG variable nor a home folder.
    #[error("neither HOME nor {variable} is set to an absolute path: set one of them")]
    NoHome {
        /// The XDG variable.
        variable: &'static str,
    },
}

/// The path as a shell takes it, for a command that a person can paste.
#[must_use]
pub fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'/' | b'.' | b'_' | b'-' | b'+' | b'=');
    if !text.is_empty() && text.bytes().all(plain) {
        text
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

/// Bytes in a profile's name: as in a user's, because people name profiles after users.
const MAX_PROFILE_BYTES: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(profile: Option<&str>, variables: &[(&str, &str)]) -> Result<Paths, PathError> {
        Paths::resolve(profile, |name| variables.iter().find(|(n, _)| *n == name).map(|(_, v)| v.into()))
    }

    #[test]
    fn xdg_variables_win_over_home() {
        let paths = resolve(
            None,
            &[("HOME", "/h"), ("XDG_CONFIG_HOME", "/c"), ("XDG_STATE_HOME", "/s"), ("XDG_RUNTIME_DIR", "/r")],
        )
        .unwrap();
        assert_eq!(paths.config_file(), Path::new("/c/secchat/config.toml"));
        assert_eq!(paths.state_folder(), Path::new("/s/secchat"));
        assert_eq!(paths.socket(), Path::new("/r/secchat/secchatd.sock"));
        assert_eq!(paths.warning(), None);
    }

    #[test]
    fn empty_and_relative_variables_are_unset() {
        let paths = resolve(
            None,
            &[
                ("HOME", "/h"),
                ("XDG_CONFIG_HOME", ""),
                ("XDG_STATE_HOME", "state"),
                ("XDG_RUNTIME_DIR", "./run"),
            ],
        )
        .unwrap();
        assert_eq!(paths.config_folder(), Path::new("/h/.config/secchat"));
        assert_eq!(paths.state_folder(), Path::new("/h/.local/state/secchat"));
        assert_eq!(paths.socket(), Path::new("/h/.cache/secchat/run/secchatd.sock"));
        assert!(paths.warning().unwrap().contains("/h/.cache/secchat/run"));
    }

    #[test]
    fn a_profile_has_folders_of_its_own() {
        let variables = [("HOME", "/h"), ("XDG_RUNTIME_DIR", "/r"), ("SECCHAT_PROFILE", "work")];
        let by_environment = resolve(None, &variables).unwrap();
        assert_eq!(by_environment.config_folder(), Path::new("/h/.config/secchat/profiles/work"));
        assert_eq!(by_environment.socket(), Path::new("/r/secchat/profiles/work/secchatd.sock"));
        let by_flag = resolve(Some("bob"), &variables).unwrap();
        assert_eq!(by_flag.state_folder(), Path::new("/h/.local/state/secchat/profiles/bob"));
        assert_eq!(by_flag.profile().name(), "bob");
        let by_home = resolve(Some("bob"), &[("HOME", "/h")]).unwrap();
        assert_eq!(by_home.socket(), Path::new("/h/.cache/secchat/run/profiles/bob/secchatd.sock"));
    }

    #[test]
    fn a_profile_cannot_leave_its_folder() {
        for name in ["..", ".", "a/b", "/etc", "-x", "a\0b", "\u{202e}x", &"x".repeat(33)] {
            let error = resolve(Some(name), &[("HOME", "/h")]).unwrap_err();
            assert_eq!(error, PathError::ProfileName(name.to_owned()));
        }
    }

    #[test]
    fn no_home_is_an_error_that_names_the_variable() {
        let error = resolve(None, &[("XDG_CONFIG_HOME", "/c")]).unwrap_err();
        assert_eq!(error, PathError::NoHome { variable: "XDG_STATE_HOME" });
    }

    #[test]
    fn a_shell_takes_a_quoted_path_as_one_word() {
        assert_eq!(quoted(Path::new("/a/b-c_d.e")), "/a/b-c_d.e");
        for path in ["/my keys/a.pem", "it's", "$HOME", "~", "a;b", "*", "", "a\nb"] {
            let script = format!("printf %s {}", quoted(Path::new(path)));
            let output = std::process::Command::new("sh").args(["-c", &script]).output().unwrap();
            assert_eq!(String::from_utf8(output.stdout).unwrap(), path, "{script}");
        }
    }

    #[test]
    fn new_folders_are_private() {
        use std::os::unix::fs::PermissionsExt as _;
        let top = tempfile::tempdir().unwrap();
        let folder = top.path().join("a/b");
        create_private_folder(&folder).unwrap();
        create_private_folder(&folder).unwrap();
        for path in [folder.as_path(), folder.parent().unwrap()] {
            assert_eq!(std::fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o700);
        }
    }
}
