//! `secchatd check`: looks at everything that must be right before a login, for `secchatctl doctor`. Changes nothing, and
//! needs no daemon.

mod desktop;

use std::fmt;
use std::path::Path;

use secchat_ipc::paths::quoted;

use crate::config::{Config, ConfigError, Flags};
use crate::identity::{self, IdentityError};
use crate::permissions::{PermissionError, check_private_folder};
use crate::relay_link::{self, LinkSettings};

/// How something stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// As it should be.
    Good,
    /// It works, for now or in part.
    Warning,
    /// It keeps secchat from working.
    Failed,
}

/// What was found about one thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What was looked at, in one word.
    pub check: &'static str,
    /// How it stands.
    pub verdict: Verdict,
    /// A sentence; unless all is well it ends in the command that mends it, between backquotes.
    pub found: String,
}

impl Finding {
    pub(crate) fn good(check: &'static str, found: impl Into<String>) -> Self {
        Self { check, verdict: Verdict::Good, found: found.into() }
    }

    pub(crate) fn warning(check: &'static str, found: impl fmt::Display, mend: impl fmt::Display) -> Self {
        Self { check, verdict: Verdict::Warning, found: format!("{found}: `{mend}`") }
    }

    pub(crate) fn failed(check: &'static str, found: impl fmt::Display, mend: impl fmt::Display) -> Self {
        Self { check, verdict: Verdict::Failed, found: format!("{found}: `{mend}`") }
    }
}

/// Verdict, check and sentence, separated by tabs.
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = match self.verdict {
            Verdict::Good => "ok",
            Verdict::Warning => "warning",
            Verdict::Failed => "failed",
        };
        write!(f, "{verdict}\t{}\t{}", self.check, self.found.replace(['\t', '\n'], " "))
    }
}

/// Looks at everything.
pub async fn run(flags: &Flags) -> Vec<Finding> {
    let config = match Config::load(flags) {
        Ok(config) => config,
        Err(error) => return vec![bad_configuration(&error), desktop::look().await],
    };
    let file = config.file.display();
    let mut findings = Vec::new();
    match LinkSettings::new(&config) {
        Ok(settings) => {
            findings.push(Finding::good("configuration", format!("{file} can be read")));
            findings.extend(folders(&config));
            findings.push(key(&config));
            findings.extend(relay_link::check::run(&settings, config.paths.state_folder()).await);
        }
        Err(_) if config.user.is_none() => {
            findings.push(Finding::failed("configuration", "this profile is not set up", "secchatctl init"));
        }
        Err(missing) => {
            findings.push(Finding::failed("configuration", missing, editing(&config.file, 1)));
        }
    }
    findings.push(desktop::look().await);
    findings
}

fn bad_configuration(error: &ConfigError) -> Finding {
    let mend = match error {
        ConfigError::File { path, line, .. } => editing(path, *line),
        ConfigError::Unreadable { path, .. } => format!("chmod u+r {}", quoted(path)),
        ConfigError::Variable { name, .. } => format!("unset {name}"),
        ConfigError::Missing { .. } => "unset SECCHAT_CONFIG".to_owned(),
        ConfigError::Paths(_) => "export HOME=~".to_owned(),
    };
    Finding::failed("configuration", error, mend)
}

fn editing(file: &Path, line: usize) -> String {
    format!("${{EDITOR:-vi}} +{line} {}", quoted(file))
}

/// The private folders, those that are there: a missing one is made when it is needed.
fn folders(config: &Config) -> Vec<Finding> {
    let paths = &config.paths;
    let all = [
        ("configuration folder", paths.config_folder()),
        ("state folder", paths.state_folder()),
        ("socket folder", paths.runtime_folder()),
    ];
    let there = all.into_iter().filter(|(_, folder)| folder.exists());
    there
        .map(|(name, folder)| match check_private_folder(folder) {
            Ok(()) => Finding::good(name, format!("{} is yours alone", folder.display())),
            Err(error) => not_private(name, &error),
        })
        .collect()
}

fn not_private(check: &'static str, error: &PermissionError) -> Finding {
    match error {
        // These sentences end in their command themselves.
        PermissionError::TooLoose { .. } => {
            Finding { check, verdict: Verdict::Failed, found: error.to_string() }
        }
        PermissionError::ForeignOwner { path, me, .. } => {
            Finding::failed(check, error, format!("sudo chown {me} {}", quoted(path)))
        }
        PermissionError::WrongKind { path, .. } => {
            Finding::failed(check, error, format!("mv {0} {0}.away", quoted(path)))
        }
        PermissionError::Unopenable { path, .. } => {
            Finding::failed(check, error, format!("chmod u+rX {}", quoted(path)))
        }
    }
}

/// The identity key's file; it stays encrypted.
fn key(config: &Config) -> Finding {
    let path = &config.key;
    match identity::load(path, "") {
        Ok(_) => Finding::good("key", format!("{} can be read, and has no passphrase", path.display())),
        Err(IdentityError::WrongPassphrase { .. }) => {
            Finding::good("key", format!("{} can be read, and has a passphrase", path.display()))
        }
        Err(IdentityError::Permissions(error)) => not_private("key", &error),
        Err(IdentityError::Missing { .. }) => {
            let found =
                format!("there is no identity key at {}: make one, or bring yours there", path.display());
            Finding::failed("key", found, format!("secchatctl keygen --out {}", quoted(path)))
        }
        Err(error @ (IdentityError::Unreadable { .. } | IdentityError::Unusable { .. })) => {
            let found = format!("{error}: move it away and make a new one");
            Finding::failed(
                "key",
                found,
                format!("mv {0} {0}.away; secchatctl keygen --out {0}", quoted(path)),
            )
        }
    }
}
