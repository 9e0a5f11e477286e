//! The command line.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use secchat_ipc::paths::{PathError, Paths};

use crate::config::{ConfigError, Layer, SYSTEM_FILE, Settings, Show};
use crate::lock;
use crate::run::{RunError, run};

/// Show who asks to talk as popups on the desktop, with Accept, Refuse and Later
///
/// secchat-notify connects to secchatd and to the desktop's notification server, and waits for both as long as it must.
/// Closing a popup answers nothing: the request waits. A click on a popup itself only shows it.
#[derive(Debug, Parser)]
#[command(name = "secchat-notify", version, max_term_width = 100)]
pub struct Cli {
    /// Use the profile NAME: a separate user, key, daemon and socket
    #[arg(long, value_name = "NAME", env = "SECCHAT_PROFILE", hide_env_values = true)]
    profile: Option<String>,
    /// Read this file instead of notify.toml in the configuration folder
    #[arg(long, value_name = "FILE", env = "SECCHAT_NOTIFY_CONFIG", hide_env_values = true)]
    config: Option<PathBuf>,
    /// How much popups show; without this and a file, who, but not what
    #[arg(long, value_name = "HOW MUCH", env = "SECCHAT_NOTIFY_SHOW", hide_env_values = true)]
    show: Option<Show>,
    /// Whether texts have popups, and not only requests; without this and a file, true
    #[arg(long, value_name = "BOOL", env = "SECCHAT_NOTIFY_MESSAGES", hide_env_values = true)]
    messages: Option<bool>,
}

/// Why the program fails.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Paths(#[from] PathError),
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error("cannot make {}: {source}", path.display())]
    Lock { path: PathBuf, source: io::Error },
    #[error(transparent)]
    Run(#[from] RunError),
}

/// The whole program.
#[must_use]
pub fn main() -> ExitCode {
    match start(Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            say(&failure.to_string());
            ExitCode::FAILURE
        }
    }
}

fn start(cli: Cli) -> Result<(), Failure> {
    let paths = Paths::from_environment(cli.profile.as_deref())?;
    if let Some(warning) = paths.warning() {
        say(&warning);
    }
    let settings = settings(&cli, &paths)?;
    let path = paths.runtime_folder().join("secchat-notify.lock");
    let lock = lock::take(&path).map_err(|source| Failure::Lock { path, source })?;
    let Some(_lock) = lock else {
        // Started twice, by the autostart file and the unit: the popups are there, which is all that was asked for.
        say("another secchat-notify of this profile is running");
        return Ok(());
    };
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(RunError::System)?;
    Ok(runtime.block_on(run(paths, settings))?)
}

fn settings(cli: &Cli, paths: &Paths) -> Result<Settings, ConfigError> {
    let flags = Layer { show: cli.show, messages: cli.messages };
    let own = cli.config.clone().unwrap_or_else(|| paths.config_folder().join("notify.toml"));
    let layers =
        [flags, Layer::read(&own, cli.config.is_some())?, Layer::read(Path::new(SYSTEM_FILE), false)?];
    Ok(Settings::from_layers(paths.profile().name(), &layers))
}

/// One line for whoever reads standard error: a terminal, or the journal.
pub(crate) fn say(line: &str) {
    // Without standard error there is nobody to tell.
    let _ = writeln!(io::stderr(), "secchat-notify: {line}");
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
        assert!(Cli::try_parse_from(["secchat-notify", "--show", "everything"]).is_err());
    }
}
