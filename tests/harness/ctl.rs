//! What a run of secchatctl gave.

use std::process::{Command, Stdio};

use tokio::io::AsyncWriteExt as _;

use crate::deadline::within;

/// Exit code and output of one run.
#[derive(Clone, Debug)]
pub struct CtlOutput {
    /// The command line, for messages.
    pub command: String,
    /// Its exit code.
    pub code: i32,
    /// What it printed.
    pub stdout: String,
    /// What it complained about.
    pub stderr: String,
}

impl CtlOutput {
    /// Runs `command` to its end, with `stdin` as its standard input.
    ///
    /// # Panics
    /// When it does not start or end, or dies of a signal.
    pub async fn of(command: Command, stdin: Option<Vec<u8>>) -> Self {
        let shown = format!("{command:?}");
        let mut command = tokio::process::Command::from(command);
        command.kill_on_drop(true).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.stdin(if stdin.is_some() { Stdio::piped() } else { Stdio::null() });
        let mut child = command.spawn().expect("secchatctl starts");
        let feeder = child.stdin.take().zip(stdin).map(|(mut pipe, bytes)| {
            tokio::spawn(async move {
                // A program that has seen enough closes its end: no failure of the test.
                let _ = pipe.write_all(&bytes).await;
            })
        });
        let output = within(&format!("{shown} ends"), child.wait_with_output()).await.expect("output");
        if let Some(feeder) = feeder {
            feeder.await.expect("feeder");
        }
        Self {
            code: output.status.code().unwrap_or_else(|| panic!("{shown} died: {output:?}")),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
            command: shown,
        }
    }

    /// Insists on the exit code.
    ///
    /// # Panics
    /// When it is another, or the program panicked.
    pub fn with_code(self, code: i32) -> Self {
        assert!(!self.stderr.contains("panicked at"), "{self:#?}");
        assert_eq!(self.code, code, "{self:#?}");
        self
    }

    /// Insists on success.
    ///
    /// # Panics
    /// When the exit code is not 0.
    pub fn ok(self) -> Self {
        self.with_code(0)
    }

    /// Standard output as one JSON value.
    ///
    /// # Panics
    /// When it is none.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:#?}"))
    }

    /// Insists on a part of standard error.
    ///
    /// # Panics
    /// When it is not in it.
    pub fn says(self, text: &str) -> Self {
        assert!(self.stderr.contains(text), "“{text}” is not in {self:#?}");
        self
    }
}
