//! An operator: a relay's folder as `secchat-relay init` makes it, and the commands that are run in it.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;

use openssl::pkey::{PKey, Private};
use tempfile::TempDir;

use crate::ctl::CtlOutput;
use crate::pki::{public_key_base64, temp_dir};
use crate::process::{Process, binary};
use crate::user::TestUser;

/// A folder with a relay's files.
#[derive(Debug)]
pub struct Operator {
    dir: TempDir,
}

impl Operator {
    /// Runs `secchat-relay init`.
    pub async fn init() -> Self {
        let operator = Self { dir: temp_dir() };
        operator.run(&["init", "--listen", "127.0.0.1:0"]).await.ok();
        operator
    }

    /// A file of the folder.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A file's content.
    ///
    /// # Panics
    /// When it cannot be read.
    #[must_use]
    pub fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// Writes a file in place.
    ///
    /// # Panics
    /// When the file system fails.
    pub fn write(&self, name: &str, content: &[u8]) {
        std::fs::write(self.path(name), content).unwrap_or_else(|error| panic!("{name}: {error}"));
    }

    /// `secchat-relay` with these arguments, in the folder.
    #[must_use]
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(binary("secchat-relay"));
        command.args(arguments).env_clear().env("RUST_BACKTRACE", "1").current_dir(self.dir.path());
        command
    }

    /// Runs `secchat-relay` to its end.
    pub async fn run(&self, arguments: &[&str]) -> CtlOutput {
        CtlOutput::of(self.command(arguments), None).await
    }

    /// Starts the relay on a port (0: a free one); gives where it listens.
    ///
    /// # Panics
    /// When it does not come up.
    pub async fn serve(&self, port: u16) -> (Process, SocketAddr) {
        let config = String::from_utf8(self.read("relay.toml")).expect("UTF-8");
        let rest: Vec<&str> = config.lines().filter(|line| !line.starts_with("listen")).collect();
        self.write("relay.toml", format!("listen = \"127.0.0.1:{port}\"\n{}\n", rest.join("\n")).as_bytes());
        let command = self.command(&["serve", "--print-address"]);
        let process = Process::start_ready("the relay", command, self.path("notify")).await;
        let line = process.stdout().wait_for("\n").await;
        let address = line.trim().strip_prefix("listening on ").and_then(|address| address.parse().ok());
        (process, address.unwrap_or_else(|| panic!("no address in “{line}”")))
    }

    /// Adds a user with `secchat-relay user add`; gives the user, who trusts the folder's CA.
    ///
    /// # Panics
    /// When OpenSSL fails.
    pub async fn add_user(&self, name: &str, address: SocketAddr) -> TestUser {
        let key: PKey<Private> = PKey::generate_ed25519().expect("key");
        self.run(&["user", "add", name, &public_key_base64(&key)]).await.ok();
        TestUser::who_trusts(name, &key, &self.read("ca.pem"), address)
    }
}
