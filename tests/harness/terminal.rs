//! A program on a terminal of its own, and what is typed into it.

use std::io::{PipeWriter, Write as _};
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};

use secchat_ipc::paths::quoted;

use crate::process::{Log, Process};

/// A terminal of 80 columns and 24 lines (by `script`, of bsdutils).
#[derive(Debug)]
pub struct Terminal {
    process: Process,
    keyboard: PipeWriter,
}

impl Terminal {
    /// Runs `command` on a new terminal, with its environment and in its folder.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn start(command: &Command) -> Self {
        let words = std::iter::once(command.get_program()).chain(command.get_args());
        let line: Vec<String> = words.map(|word| quoted(Path::new(word))).collect();
        let mut script = Command::new("script");
        script.args(["-qec", &format!("stty rows 24 cols 80; exec {}", line.join(" ")), "/dev/null"]);
        script.env_clear().env("SHELL", "/bin/sh").env("TERM", "xterm");
        for (name, value) in command.get_envs() {
            script.env(name, value.unwrap_or_default());
        }
        if let Some(folder) = command.get_current_dir() {
            script.current_dir(folder);
        }
        let (reader, keyboard) = std::io::pipe().expect("pipe");
        script.stdin(Stdio::from(reader));
        Self { process: Process::start("a program on a terminal", script), keyboard }
    }

    /// Types; `\r` is Enter, `\t` is TAB.
    ///
    /// # Panics
    /// When the terminal is gone.
    pub fn type_in(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).expect("keyboard");
    }

    /// All that was shown so far.
    #[must_use]
    pub fn shown(&self) -> &Log {
        self.process.stdout()
    }

    /// Awaits the program's end.
    pub async fn exit(self) -> ExitStatus {
        self.process.exit().await
    }
}
