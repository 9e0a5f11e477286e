//! Every setting as it is in force, and where it comes from: what `secchatctl config show` prints.

use std::ffi::OsString;
use std::path::Path;

use secchat_ipc::paths::Paths;
use secchat_proto::crypto::kem::{Suite, Suites};

use super::file::{Layer, Setting};
use super::{Config, ConfigError, Flags, SYSTEM_FILE, layers, top};

/// One setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// Its key in the file, with the table's name before it.
    pub key: &'static str,
    /// The value in force; empty where there is none.
    pub value: String,
    /// `FILE:LINE`, the variable's name, or `default`.
    pub origin: String,
}

/// Every setting, by flags, environment and files.
///
/// # Errors
/// [`ConfigError`], as when the daemon starts.
pub fn show(flags: &Flags) -> Result<Vec<Shown>, ConfigError> {
    let variable = |name: &str| std::env::var_os(name);
    let paths = Paths::resolve(flags.profile.as_deref(), variable)?;
    show_in(paths, flags, Path::new(SYSTEM_FILE), variable)
}

fn show_in(
    paths: Paths,
    flags: &Flags,
    system_file: &Path,
    variable: impl Fn(&str) -> Option<OsString>,
) -> Result<Vec<Shown>, ConfigError> {
    let (file, layers) = layers(&paths, flags, system_file, variable)?;
    let config = Config::from_layers((paths, flags.clone()), file, &layers)?;
    let limits = &config.limits;
    let text = |value: Option<String>| value.unwrap_or_default();
    let path = |value: &Path| value.display().to_string();
    let rows = Rows(&layers);
    Ok(vec![
        rows.row("user", |l| &l.user, text(config.user.as_ref().map(ToString::to_string))),
        rows.row("relay", |l| &l.relay, text(config.relay.as_ref().map(ToString::to_string))),
        rows.row("relay_name", |l| &l.relay_name, config.relay_name.clone()),
        rows.row("key", |l| &l.key, path(&config.key)),
        rows.row("ca", |l| &l.ca, path(&config.ca)),
        rows.row("crl", |l| &l.crl, text(config.crl.as_deref().map(path))),
        rows.row("available", |l| &l.available, config.available.to_string()),
        rows.row("link_suites", |l| &l.link_suites, suites(&config.link_suites)),
        rows.row("peer_suites", |l| &l.peer_suites, suites(&config.peer_suites)),
        rows.row("askpass", |l| &l.askpass, text(config.askpass.as_deref().map(path))),
        rows.row("lock_on_suspend", |l| &l.lock_on_suspend, config.lock_on.suspend.to_string()),
        rows.row("lock_on_screen_lock", |l| &l.lock_on_screen_lock, config.lock_on.screen_lock.to_string()),
        rows.row("lock_keeps_session", |l| &l.lock_keeps_session, config.lock_keeps_session.to_string()),
        rows.row("quiet_hours", |l| &l.quiet_hours, text(config.quiet_hours.map(|hours| hours.to_string()))),
        rows.row("limits.inbox_messages", |l| &l.inbox_messages, limits.inbox_messages.to_string()),
        rows.row("limits.inbox_bytes", |l| &l.inbox_bytes, limits.inbox_bytes.to_string()),
        rows.row("limits.incoming_requests", |l| &l.incoming_requests, limits.incoming_requests.to_string()),
        rows.row(
            "limits.cool_down_seconds",
            |l| &l.cool_down_seconds,
            limits.cool_down.as_secs().to_string(),
        ),
        rows.row("limits.frontends", |l| &l.frontends, limits.frontends.to_string()),
    ])
}

/// Makes rows of what layers say.
struct Rows<'a>(&'a [Layer]);

impl Rows<'_> {
    fn row<T>(&self, key: &'static str, of: fn(&Layer) -> &Option<Setting<T>>, value: String) -> Shown {
        let origin = top(self.0, of).map_or_else(|| "default".to_owned(), Setting::origin);
        Shown { key, value, origin }
    }
}

fn suites(suites: &Suites) -> String {
    let name = |suite: &Suite| match suite {
        Suite::Rsa3072 => "rsa3072",
        Suite::X25519MlKem768 => "x25519mlkem768",
    };
    suites.as_slice().iter().map(name).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(
        user_file: &str,
        system_file: &str,
        variables: &[(&str, &str)],
    ) -> (Vec<Shown>, tempfile::TempDir) {
        let top = tempfile::tempdir().unwrap();
        let (own, system) = (top.path().join("config.toml"), top.path().join("system.toml"));
        std::fs::write(&own, user_file).unwrap();
        std::fs::write(&system, system_file).unwrap();
        let variable = |name: &str| match name {
            "SECCHAT_CONFIG" => Some(own.clone().into()),
            "HOME" => Some(top.path().into()),
            _ => variables.iter().find(|(n, _)| *n == name).map(|(_, v)| v.into()),
        };
        let paths = Paths::resolve(None, variable).unwrap();
        (show_in(paths, &Flags::default(), &system, variable).unwrap(), top)
    }

    fn row<'a>(rows: &'a [Shown], key: &str) -> (&'a str, String) {
        let row = rows.iter().find(|row| row.key == key).unwrap();
        let origin = Path::new(&row.origin);
        (&row.value, origin.file_name().unwrap().to_string_lossy().into_owned())
    }

    #[test]
    fn every_layer_is_named_and_the_highest_wins() {
        let (rows, top) = shown(
            "user = \"alice\"\nrelay = \"own:1\"\n[limits]\nfrontends = 7\n",
            "# for all\nuser = \"nobody\"\nrelay = \"system:1\"\ncrl = \"crl.pem\"\n",
            &[("SECCHAT_RELAY", "variable:1"), ("SECCHAT_LOCK_ON_SUSPEND", "yes")],
        );
        assert_eq!(row(&rows, "user"), ("alice", "config.toml:1".to_owned()));
        assert_eq!(row(&rows, "relay"), ("variable:1", "SECCHAT_RELAY".to_owned()));
        assert_eq!(row(&rows, "limits.frontends"), ("7", "config.toml:4".to_owned()));
        let crl = top.path().join("crl.pem").display().to_string();
        assert_eq!(row(&rows, "crl"), (crl.as_str(), "system.toml:4".to_owned()), "beside its own file");
        assert_eq!(row(&rows, "available"), ("true", "default".to_owned()));
        assert_eq!(row(&rows, "lock_on_suspend"), ("true", "SECCHAT_LOCK_ON_SUSPEND".to_owned()));
    }

    #[test]
    fn no_key_is_left_out() {
        let rows = shown("", "", &[]).0;
        // The parser knows its keys best.
        for (text, table) in [("no_such_key = 1", ""), ("[limits]\nno_such_key = 1", "limits.")] {
            let top = tempfile::tempdir().unwrap();
            let file = top.path().join("config.toml");
            std::fs::write(&file, text).unwrap();
            let error = Layer::read(&file).unwrap_err().to_string();
            let known = error.split("expected one of ").nth(1).unwrap().split('`').skip(1).step_by(2);
            for key in known.filter(|key| *key != "limits") {
                assert!(rows.iter().any(|row| row.key == format!("{table}{key}")), "{table}{key}");
            }
        }
    }
}
