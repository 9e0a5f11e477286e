//! One user's folders, and the programs that run in them.

use std::path::{Path, PathBuf};
use std::process::Command;

use openssl::pkey::{PKey, Private};
use openssl::symm::Cipher;
use tempfile::TempDir;

use crate::pki::{temp_dir, write_private};
use crate::process::binary;

/// The passphrase of every key here: the report's.
pub const PASSPHRASE: &str = "aaa";

/// A temporary folder with the three XDG folders of one user.
#[derive(Debug)]
pub struct Home {
    dir: TempDir,
}

impl Home {
    /// Empty: nothing is set up.
    ///
    /// # Panics
    /// When the file system fails.
    #[must_use]
    pub fn empty() -> Self {
        let home = Self { dir: temp_dir() };
        for folder in [home.config_dir(), home.state_dir(), home.runtime_dir()] {
            create_private(&folder);
        }
        home
    }

    /// `…/secchat` under `XDG_CONFIG_HOME`.
    #[must_use]
    pub fn config_dir(&self) -> PathBuf {
        self.dir.path().join("c/secchat")
    }

    /// `…/secchat` under `XDG_STATE_HOME`.
    #[must_use]
    pub fn state_dir(&self) -> PathBuf {
        self.dir.path().join("s/secchat")
    }

    /// `…/secchat` under `XDG_RUNTIME_DIR`.
    #[must_use]
    pub fn runtime_dir(&self) -> PathBuf {
        self.dir.path().join("r/secchat")
    }

    /// The daemon's socket.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.runtime_dir().join("secchatd.sock")
    }

    /// Anything else of the test's own.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Writes config.toml.
    ///
    /// # Panics
    /// When the file system fails.
    pub fn write_config(&self, toml: &str) {
        std::fs::write(self.config_dir().join("config.toml"), toml).expect("config");
    }

    /// Writes the identity key, encrypted under [`PASSPHRASE`].
    ///
    /// # Panics
    /// When OpenSSL or the file system fails.
    pub fn write_identity(&self, key: &PKey<Private>) {
        let pem = key
            .private_key_to_pem_pkcs8_passphrase(Cipher::aes_256_cbc(), PASSPHRASE.as_bytes())
            .expect("encrypted key");
        write_private(&self.config_dir().join("identity.pem"), &pem);
    }

    /// One of the workspace's programs, with this user's environment and no other.
    #[must_use]
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new(binary(program));
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.dir.path())
            .env("XDG_CONFIG_HOME", self.dir.path().join("c"))
            .env("XDG_STATE_HOME", self.dir.path().join("s"))
            .env("XDG_RUNTIME_DIR", self.dir.path().join("r"))
            .env("RUST_BACKTRACE", "1")
            .current_dir(self.dir.path());
        command
    }
}

fn create_private(folder: &Path) {
    use std::os::unix::fs::DirBuilderExt as _;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).expect("folder");
}
