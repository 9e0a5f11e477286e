//! `doctor`: looks at everything that must be right, and ends each failure in the command that mends it.

use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::path::Path;

use secchat_ipc::paths::quoted;
use secchat_ipc::types::{LinkState, LockState, Status};
use secchat_ipc::{Client, ClientError, Command, Reply, harmless};
use serde_json::{Value, json};

use crate::failure::Failure;
use crate::output::{Output, Style};
use crate::secchatd;
use crate::session::Session;

/// How one thing stands.
struct Finding {
    check: String,
    verdict: Verdict,
    /// A sentence; unless all is well it ends in a command between backquotes.
    found: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Good,
    Warning,
    Failed,
}

impl Finding {
    fn new(check: &str, verdict: Verdict, found: impl Into<String>) -> Self {
        Self { check: check.to_owned(), verdict, found: found.into() }
    }

    fn object(&self) -> Value {
        let command = self.found.strip_suffix('`').and_then(|found| found.rsplit_once('`'));
        let (found, mend) = match (self.verdict, command) {
            (Verdict::Warning | Verdict::Failed, Some((found, mend))) => (found.trim_end(), Some(mend)),
            _ => (self.found.as_str(), None),
        };
        let found = found.trim_end_matches(':');
        json!({ "check": self.check, "verdict": self.verdict.word(), "found": found, "mend": mend })
    }
}

impl Verdict {
    fn word(self) -> &'static str {
        match self {
            Self::Good => "ok",
            Self::Warning => "warning",
            Self::Failed => "failed",
        }
    }
}

pub(super) async fn run(session: &Session) -> Result<(), Failure> {
    let mut findings = programs(session);
    findings.extend(socket(session));
    findings.extend(daemon(session).await);
    let failed = findings.iter().filter(|finding| finding.verdict == Verdict::Failed).count();
    let checks: Vec<Value> = findings.iter().map(Finding::object).collect();
    session.output.data(json!({ "checks": checks, "failed": failed }), |output| page(output, &findings))?;
    if failed == 0 {
        session.output.note("nothing keeps secchat from working");
        return Ok(());
    }
    Err(Failure::failed(format!("{failed} of {} checks failed", findings.len())))
}

fn page(output: &Output, findings: &[Finding]) -> String {
    let line = |finding: &Finding| {
        let word = format!("{:<8}", finding.verdict.word());
        let word = match finding.verdict {
            Verdict::Good => word,
            Verdict::Warning => output.styled(Style::Yellow, &word),
            Verdict::Failed => output.styled(Style::Red, &word),
        };
        format!("{word} {}: {}\n", finding.check, harmless::line(&finding.found))
    };
    findings.iter().map(line).collect()
}

/// What secchatd finds: configuration, files, dates, relay, desktop.
fn programs(session: &Session) -> Vec<Finding> {
    let rows = match secchatd::findings(session.paths.profile()) {
        Ok(rows) => rows,
        Err(failure) => {
            let found = format!("{}: `command -v secchatd`", failure.message);
            return vec![Finding::new("secchatd", Verdict::Failed, found)];
        }
    };
    rows.into_iter()
        .map(|[verdict, check, found]| {
            let known = [Verdict::Good, Verdict::Warning].into_iter().find(|known| known.word() == verdict);
            Finding { check, verdict: known.unwrap_or(Verdict::Failed), found }
        })
        .collect()
}

/// The socket's place and mode; nothing while there is none.
fn socket(session: &Session) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Some(warning) = session.paths.warning() {
        let found = format!("{warning}: `loginctl enable-linger`");
        findings.push(Finding::new("socket", Verdict::Warning, found));
    }
    let path = session.paths.socket();
    if let Ok(metadata) = path.symlink_metadata() {
        let mode = metadata.permissions().mode() & 0o7777;
        findings.push(if !metadata.file_type().is_socket() {
            Finding::new("socket", Verdict::Failed, mended(&path, "is no socket", "rm"))
        } else if mode & 0o077 != 0 {
            let what = format!("lets others in (mode {mode:04o})");
            Finding::new("socket", Verdict::Failed, mended(&path, &what, "chmod 600"))
        } else {
            Finding::new("socket", Verdict::Good, format!("{} is yours alone", path.display()))
        });
    }
    findings
}

fn mended(path: &Path, what: &str, command: &str) -> String {
    format!("{} {what}: `{command} {}`", path.display(), quoted(path))
}

async fn daemon(session: &Session) -> Vec<Finding> {
    let asked = async {
        let mut client = Client::connect(&session.paths, "secchatctl").await?;
        client.call(Command::Status, session.limit()).await
    };
    match asked.await {
        Ok(Reply::Status(status)) => running(&status),
        Ok(_) => vec![unusable("the daemon answers something else than asked for", "restart")],
        Err(ClientError::NoDaemon { socket }) => {
            vec![unusable(&format!("no daemon is running (no one listens on {})", socket.display()), "start")]
        }
        Err(error) => vec![unusable(&error.to_string(), "restart")],
    }
}

fn unusable(found: &str, verb: &str) -> Finding {
    // Some of these sentences name the command already.
    let found = found.split(": ").next().unwrap_or(found);
    Finding::new("daemon", Verdict::Failed, format!("{found}: `systemctl --user {verb} secchatd`"))
}

fn running(status: &Status) -> Vec<Finding> {
    let own = env!("CARGO_PKG_VERSION");
    let mut findings = vec![if status.version == own {
        Finding::new("daemon", Verdict::Good, format!("secchatd {own} runs as process {}", status.pid))
    } else {
        let found = format!(
            "secchatd {} runs, and this is {own}: `systemctl --user restart secchatd`",
            status.version
        );
        Finding::new("daemon", Verdict::Warning, found)
    }];
    if status.user.is_none() {
        return findings;
    }
    findings.push(match (&status.lock, &status.link) {
        (LockState::Locked, _) => {
            Finding::new("session", Verdict::Warning, "the identity key is locked: `secchatctl unlock`")
        }
        (LockState::Unlocked, LinkState::Online) => Finding::new("session", Verdict::Good, "logged in"),
        (LockState::Reachable { .. }, LinkState::Online) => Finding::new(
            "session",
            Verdict::Good,
            "locked, and requests arrive: `secchatctl unlock` to answer",
        ),
        (_, LinkState::Connecting) => {
            Finding::new("session", Verdict::Warning, "logging in just now: `secchatctl status`")
        }
        (_, LinkState::LoggedOut) => {
            Finding::new("session", Verdict::Warning, "logged out: `secchatctl login`")
        }
        (_, LinkState::Replaced { why }) => {
            Finding::new("session", Verdict::Failed, format!("{why}: `secchatctl login`"))
        }
        (_, LinkState::Waiting { why, .. }) => Finding::new(
            "session",
            Verdict::Failed,
            format!("not logged in ({why}), try again: `secchatctl login`"),
        ),
    });
    findings
}
