//! `secchat-relay check`: every error in every file of a relay, at once, and what will become one. It changes nothing
//! and asks no running relay.

mod credentials;

use std::collections::BTreeMap;
use std::fmt::Display;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use secchat_proto::UserName;

use crate::config::{Config, DEFAULT_CONFIG};
use crate::dates::Dates;
use crate::init::CA;
use crate::reload::snapshot::{Rest, Sources, Survey};
use crate::replacement::folder_of;
use crate::user_list::rotation::time;
use crate::user_list::{ListError, UserList};

/// What was found.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// A relay would not start, or nobody could log in; each begins with file, and line where there is one.
    pub errors: Vec<String>,
    /// What will become an error, or is not wise.
    pub warnings: Vec<String>,
    /// The files without errors.
    pub fine: Vec<String>,
    /// How many users the list has, if it has no errors.
    pub users: Option<usize>,
    /// Whole days until the certificate ends; negative after it.
    pub certificate_days_left: Option<i64>,
    /// Whole days until the CRL ends; negative after it.
    pub crl_days_left: Option<i64>,
}

/// Looks over the files of a configuration (none: relay.toml of this folder, or the defaults there), as a client that
/// trusts `ca` would (none: the one beside the configuration, where there is one).
#[must_use]
pub fn check(config: Option<&Path>, ca: Option<&Path>) -> Report {
    let now = crate::router::moment().unix;
    let mut report = Report::default();
    let file = config.unwrap_or_else(|| Path::new(DEFAULT_CONFIG));
    let Survey { error, rest, .. } = Survey::read(&Sources::Beside(config.map(Path::to_owned)), None);
    match error {
        None if file.exists() => report.fine.push(format!("{}: no errors", file.display())),
        None => {}
        Some(error) => report.error(error),
    }
    let Some(Rest { config: settings, credentials, users }) = rest else { return report };
    let beside = match config {
        Some(file) => file.with_file_name(CA),
        None => PathBuf::from(CA),
    };
    let ca = ca.map(Path::to_owned).or_else(|| Some(beside).filter(|path| path.exists()));
    report.check_list(&settings.user_list, users, now);
    credentials::check(&mut report, (&settings, credentials), ca.as_deref(), now);
    report
}

impl Report {
    /// Whether a relay would start, and people could log in.
    #[must_use]
    pub fn is_ok(&self) -> bool {
        self.errors.is_empty()
    }

    /// All of it, as one line of JSON.
    #[must_use]
    pub fn json(&self) -> String {
        let object = serde_json::json!({
            "ok": self.is_ok(),
            "errors": self.errors,
            "warnings": self.warnings,
            "fine": self.fine,
            "users": self.users,
            "certificate_days_left": self.certificate_days_left,
            "crl_days_left": self.crl_days_left,
        });
        format!("{object}\n")
    }

    /// What is fine, a file a line.
    #[must_use]
    pub fn fine_text(&self) -> String {
        self.fine.iter().map(|line| format!("{line}\n")).collect()
    }

    fn error(&mut self, error: impl Display) {
        self.errors.push(error.to_string());
    }

    fn check_list(&mut self, list: &Path, users: Result<Arc<UserList>, Vec<ListError>>, now: u64) {
        self.check_rights(list, "whoever may write it can log in as anybody");
        match users {
            Ok(users) => {
                let count = users.len();
                self.users = Some(count);
                let unit = if count == 1 { "user" } else { "users" };
                self.fine.push(format!("{}: no errors, {count} {unit}", list.display()));
                self.check_shared_keys(list, &users);
                self.check_rotations(list, &users, now);
            }
            Err(errors) => errors.iter().for_each(|error| self.error(error)),
        }
    }

    /// A file that more than its owner, or anybody, may write.
    fn check_rights(&mut self, path: &Path, why: &str) {
        const GROUP_OR_OTHERS_WRITE: u32 = 0o022;
        let Ok(metadata) = std::fs::metadata(path) else { return };
        let mode = metadata.permissions().mode();
        if mode & GROUP_OR_OTHERS_WRITE != 0 {
            let (path, mode) = (path.display(), mode & 0o7777);
            self.warnings
                .push(format!("{path} can be written by others (mode {mode:04o}): {why}; chmod go-w {path}"));
        }
    }

    fn check_shared_keys(&mut self, list: &Path, users: &UserList) {
        let mut owners: BTreeMap<&[u8], &UserName> = BTreeMap::new();
        for (name, key) in users.iter() {
            if let Some(other) = owners.insert(key.as_der(), name) {
                let list = list.display();
                self.warnings
                    .push(format!("{list}: {other} and {name} have the same key: either can be the other"));
            }
        }
    }

    /// Old keys whose time is over: what was signed stays of use to peers who were away, and takes memory.
    fn check_rotations(&mut self, list: &Path, users: &UserList, now: u64) {
        for (name, rotation) in users.rotations().filter(|(_, rotation)| rotation.until() <= now) {
            let (list, until) = (list.display(), time(rotation.until()));
            self.warnings.push(format!(
                "{list}: {name}'s old key is not taken since {until}: once everybody who knows {name} has met the new \
                 one, `secchat-relay user add {name} KEY --replace` with the key on the line takes the rest off it"
            ));
        }
    }

    fn note_dates(&mut self, dates: &Dates, now: u64) {
        self.certificate_days_left = dates.certificate.map(|validity| validity.days_left(now));
        self.crl_days_left = dates.crl.map(|validity| validity.days_left(now));
    }
}

impl Config {
    /// The settings as far as an erroneous configuration says where the other files are, so that their errors can be
    /// told as well.
    pub(crate) fn paths_despite_errors(file: &Path) -> Option<Self> {
        let table: toml::Table = toml::from_str(&std::fs::read_to_string(file).ok()?).ok()?;
        let known = ["user_list", "key_dir", "certificate", "key", "crl", "admin_socket"];
        let named: Vec<String> = known
            .into_iter()
            .filter_map(|key| {
                table.get(key).filter(|path| path.is_str()).map(|path| format!("{key} = {path}\n"))
            })
            .collect();
        Self::in_folder(&format!("listen = \"localhost:0\"\n{}", named.concat()), folder_of(file)).ok()
    }
}
