//! A user's folders, and runs of `secchatctl` in them.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use tokio::io::AsyncWriteExt as _;
use tokio::process::{Child, Command};

/// A user's folders.
#[derive(Debug)]
pub(crate) struct Home {
    folder: TempDir,
}

/// What a run gave.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Home {
    pub(crate) fn new() -> Self {
        // Short: a socket's path has at most 107 bytes.
        Self { folder: tempfile::Builder::new().prefix("ctl").tempdir_in("/tmp").unwrap() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.path("run/secchat/secchatd.sock")
    }

    /// `secchatctl` with nothing of this process's environment.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        self.command_of(Path::new(env!("CARGO_BIN_EXE_secchatctl")), arguments)
    }

    pub(crate) fn command_of(&self, program: &Path, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.args(arguments).env_clear().current_dir(self.folder.path()).kill_on_drop(true);
        command.env("PATH", "/usr/bin:/bin").env("HOME", self.path("home")).env("TZ", "UTC");
        for (name, folder) in
            [("XDG_CONFIG_HOME", "config"), ("XDG_STATE_HOME", "state"), ("XDG_RUNTIME_DIR", "run")]
        {
            command.env(name, self.path(folder));
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    pub(crate) async fn run(&self, arguments: &[&str]) -> Run {
        ended(self.command(arguments).spawn().unwrap()).await
    }

    pub(crate) async fn run_with_input(&self, arguments: &[&str], input: &[u8]) -> Run {
        let mut child = self.command(arguments).stdin(Stdio::piped()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let input = input.to_owned();
        // A program that has seen enough closes its end.
        let feeding = tokio::spawn(async move { stdin.write_all(&input).await });
        let run = ended(child).await;
        feeding.abort();
        run
    }

    pub(crate) async fn run_with_stdin(&self, arguments: &[&str], stdin: OwnedFd) -> Run {
        ended(self.command(arguments).stdin(stdin).spawn().unwrap()).await
    }
}

/// Waits for a run's end.
pub(crate) async fn ended(child: Child) -> Run {
    let output = tokio::time::timeout(DEADLINE, child.wait_with_output());
    let output = output.await.expect("secchatctl ends").unwrap();
    let run = Run {
        code: output.status.code().unwrap_or_else(|| panic!("died of a signal: {output:?}")),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    };
    assert!(!run.stderr.contains("panicked"), "{run:#?}");
    run
}

impl Run {
    pub(crate) fn with_code(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{self:#?}");
        self
    }

    pub(crate) fn ok(self) -> Self {
        self.with_code(0)
    }

    /// Insists on a part of standard error, and on nothing on standard output.
    pub(crate) fn complains(self, part: &str) -> Self {
        assert!(self.stderr.contains(part), "no {part:?} in {self:#?}");
        assert_eq!(self.stdout, "", "{self:#?}");
        self
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:#?}"))
    }

    /// The error that `--json` gives.
    pub(crate) fn error(&self) -> Value {
        assert_eq!(self.stdout, "", "{self:#?}");
        let last = self.stderr.lines().last().unwrap_or_default();
        let object: Value = serde_json::from_str(last).unwrap_or_else(|error| panic!("{error}: {self:#?}"));
        object["error"].clone()
    }
}

/// Longer than any of these runs can take on a slow machine.
const DEADLINE: Duration = Duration::from_secs(60);
