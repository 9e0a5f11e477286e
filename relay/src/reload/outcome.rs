//! What came of a reload: for the log, for `status` and for whoever asked for it.

use secchat_proto::UserName;
use serde::{Deserialize, Serialize};

use super::snapshot::{FileError, Snapshot};
use crate::config::Config;
use crate::limits::MAX_TOLD_ERRORS;
use crate::user_list::Difference;

/// Why the files were read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Trigger {
    /// One of them changed, or it was time to look.
    Files,
    /// SIGHUP.
    Signal,
    /// `secchat-relay reload`.
    Command,
}

/// What a reload changes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changes {
    /// Users who are new on the list.
    pub added: Vec<String>,
    /// Users who are off the list.
    pub removed: Vec<String>,
    /// Users who have another key.
    pub changed: Vec<String>,
    /// Users whose sessions end by that.
    pub ended: Vec<String>,
    /// Certificate, key or CRL are others.
    pub credentials: bool,
    /// Keys of the configuration that have another value.
    pub settings: Vec<String>,
}

/// A reload, done or tried out.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Report {
    /// When, in Unix seconds.
    pub at: u64,
    /// Why.
    pub trigger: Trigger,
    /// What it changed, or would change; nothing if there are errors.
    pub changes: Changes,
    /// Every error in every file. The state before is in force then.
    pub errors: Vec<String>,
}

/// The last reload, as `status` tells it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LastReload {
    /// When, in Unix seconds.
    pub at: u64,
    /// Why.
    pub trigger: Trigger,
    /// How many users came.
    pub added: usize,
    /// How many went.
    pub removed: usize,
    /// How many got another key.
    pub changed: usize,
    /// How many sessions ended by that.
    pub ended: usize,
    /// Every error in every file, until they are mended.
    pub errors: Vec<String>,
}

impl Changes {
    /// What is different between two snapshots; nobody's session is counted yet.
    pub(super) fn between(old: &Snapshot, new: &Snapshot, users: &Difference) -> Self {
        let names = |names: &[UserName]| names.iter().map(ToString::to_string).collect();
        let (before, now) = (&old.credentials, &new.credentials);
        Self {
            added: names(&users.added),
            removed: names(&users.removed),
            changed: names(&users.changed),
            ended: Vec::new(),
            credentials: before.certificate != now.certificate || before.crl != now.crl,
            settings: settings(&old.config, &new.config).map(str::to_owned).collect(),
        }
    }

    /// Whether there is nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl Report {
    /// As `status` tells it.
    pub(super) fn summary(&self) -> LastReload {
        LastReload {
            at: self.at,
            trigger: self.trigger,
            added: self.changes.added.len(),
            removed: self.changes.removed.len(),
            changed: self.changes.changed.len(),
            ended: self.changes.ended.len(),
            errors: self.errors.clone(),
        }
    }
}

/// The errors in words; of a list without end, its beginning.
pub(super) fn texts(errors: &[FileError]) -> Vec<String> {
    let mut texts: Vec<_> = errors.iter().take(MAX_TOLD_ERRORS).map(ToString::to_string).collect();
    let more = errors.len().saturating_sub(MAX_TOLD_ERRORS);
    if more > 0 {
        texts.push(format!("and {more} more errors: `secchat-relay check` prints them all"));
    }
    texts
}

/// The settings that are different, by the names that they have in the configuration.
fn settings(old: &Config, new: &Config) -> impl Iterator<Item = &'static str> {
    let Config {
        listen,
        user_list,
        key_dir,
        certificate,
        key,
        crl,
        suites,
        log,
        log_format,
        scrub,
        metrics,
        limits,
        admin_socket,
        file: _,
    } = old;
    [
        ("listen", *listen != new.listen),
        ("user_list", *user_list != new.user_list),
        ("key_dir", *key_dir != new.key_dir),
        ("certificate", *certificate != new.certificate),
        ("key", *key != new.key),
        ("crl", *crl != new.crl),
        ("suites", *suites != new.suites),
        ("log", *log != new.log),
        ("log_format", *log_format != new.log_format),
        ("scrub", *scrub != new.scrub),
        ("metrics", *metrics != new.metrics),
        ("limits", *limits != new.limits),
        ("admin_socket", *admin_socket != new.admin_socket),
    ]
    .into_iter()
    .filter_map(|(name, is_different)| is_different.then_some(name))
}
