//! A running secchat-relay.

use std::net::SocketAddr;
use std::process::Command;

use crate::pki::Pki;
use crate::process::{Process, binary};

/// A relay that listens on 127.0.0.1.
#[derive(Debug)]
pub struct TestRelay {
    process: Process,
    /// Where it listens.
    pub address: SocketAddr,
}

impl TestRelay {
    /// Starts a relay with these files, on a free port.
    pub async fn start(pki: &Pki) -> Self {
        Self::start_at(pki, 0).await
    }

    /// Starts a relay with these files, on this port.
    ///
    /// # Panics
    /// When it does not come up.
    pub async fn start_at(pki: &Pki, port: u16) -> Self {
        let process = Process::start_ready("the relay", Self::command(pki, port), pki.path("notify")).await;
        let line = process.stdout().wait_for("\n").await;
        let address = line
            .lines()
            .next()
            .and_then(|line| line.strip_prefix("listening on "))
            .and_then(|address| address.parse().ok())
            .unwrap_or_else(|| panic!("no address in “{line}”"));
        Self { process, address }
    }

    /// The report's command line, with the certificate beside it; where there is a relay.toml, below it.
    #[must_use]
    pub fn command(pki: &Pki, port: u16) -> Command {
        let mut command = Command::new(binary("secchat-relay"));
        command
            .env_clear()
            .env("RUST_BACKTRACE", "1")
            .current_dir(pki.path(""))
            .args(["serve", "127.0.0.1", &port.to_string(), "user_list", "--print-address"])
            .args(["--certificate", "relay.pem", "--key", "relay-key.pem", "--crl", "crl.pem"]);
        if pki.path("relay.toml").exists() {
            command.args(["--config", "relay.toml"]);
        }
        command
    }

    /// The process.
    #[must_use]
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// Stops it, and gives its port back for the next one.
    pub async fn stop(self) -> u16 {
        let _ = self.process.stop().await;
        self.address.port()
    }

    /// Kills it, as a crash would, and gives its port back for the next one.
    #[must_use]
    pub fn kill(self) -> u16 {
        self.address.port()
    }
}
