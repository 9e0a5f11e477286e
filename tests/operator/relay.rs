//! A relay with files that `secchat-relay init` made, and what its relay does with it.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::Command;

use openssl::pkey::{PKey, Private};
use secchat_e2e::raw_link::{RawUser, anchors_in};
use secchat_e2e::{CtlOutput, LoginOutcome, Process, WireClient, binary, public_key_base64};
use secchat_proto::crypto::signature::SigningKey;
use tempfile::TempDir;

/// A running relay and the keys of its users.
pub(crate) struct LiveRelay {
    folder: TempDir,
    pub(crate) process: Process,
    pub(crate) address: SocketAddr,
    pub(crate) keys: BTreeMap<&'static str, PKey<Private>>,
}

impl LiveRelay {
    /// A relay of which alice and carol are users.
    pub(crate) async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    /// The same, in a folder that was changed before.
    pub(crate) async fn start_with(prepare: impl FnOnce(&Files)) -> Self {
        Self::start_command(prepare, |_| {}).await
    }

    /// The same, with another command line or environment.
    pub(crate) async fn start_command(
        prepare: impl FnOnce(&Files),
        change: impl FnOnce(&mut Command),
    ) -> Self {
        let files = Files::new();
        prepare(&files);
        let mut command = files.command(["serve", "--print-address"]);
        change(&mut command);
        let Files { folder, keys } = files;
        let process = Process::start_ready("the relay", command, folder.path().join("notify")).await;
        let line = process.stdout().wait_for("\n").await;
        let address = line.lines().next().and_then(|line| line.strip_prefix("listening on "));
        let address = address.and_then(|address| address.parse().ok()).expect("an address");
        Self { folder, process, address, keys }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), text).expect("a file");
    }

    pub(crate) fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).expect("a file")
    }

    /// The text of a list with these users.
    pub(crate) fn list(&self, names: &[&str]) -> String {
        list(&self.keys, names)
    }

    /// A line of the list, without its end.
    pub(crate) fn line(&self, name: &str) -> String {
        line(name, &self.keys[name])
    }

    /// Runs a shell's command line in the relay's folder, which must succeed.
    pub(crate) async fn shell(&self, script: &str) {
        let mut command = Command::new("bash");
        command.args(["-euc", script]).current_dir(self.folder.path());
        command.env("HOME", self.folder.path()).env("TERM", "xterm");
        command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_SYSTEM", "/dev/null");
        CtlOutput::of(command, None).await.ok();
    }

    /// Runs `secchat-relay` in the relay's folder.
    pub(crate) async fn run<const N: usize>(&self, arguments: [&str; N]) -> CtlOutput {
        CtlOutput::of(command(&self.folder, arguments), None).await
    }

    /// Awaits that the log says this so many times.
    pub(crate) async fn logs(&self, text: &str, times: usize) -> String {
        let what = format!("“{text}” {times} times");
        self.process.log().wait_until(&what, |log| log.matches(text).count() >= times).await
    }

    /// Logs in; it must work.
    pub(crate) async fn login(&self, name: &'static str) -> WireClient {
        self.try_login(name).await.expect("the login")
    }

    pub(crate) async fn try_login(&self, name: &'static str) -> Result<WireClient, LoginOutcome> {
        self.login_at(self.address, name, &self.keys[name]).await
    }

    /// A user who speaks as badly as it wants, and whose links may break.
    pub(crate) fn raw_user(&self, name: &str) -> RawUser {
        RawUser {
            relay: self.address,
            anchors: anchors_in(&self.path("ca.pem")),
            name: name.parse().expect("a name"),
            key: SigningKey::from_pkey(self.keys[name].clone()).expect("a permitted key"),
            from: Ipv4Addr::LOCALHOST,
        }
    }

    pub(crate) async fn login_at(
        &self,
        address: SocketAddr,
        name: &'static str,
        key: &PKey<Private>,
    ) -> Result<WireClient, LoginOutcome> {
        let ca = std::fs::read(self.path("ca.pem")).expect("the CA");
        WireClient::login(address, &ca, (name, key)).await
    }
}

/// Has another program start a command: `wrapper` is its own command line, which the command follows.
pub(crate) fn under(command: &mut Command, wrapper: &[&str]) {
    let mut outer = Command::new(wrapper[0]);
    outer.args(&wrapper[1..]).arg(command.get_program()).args(command.get_args());
    outer.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
    outer.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    outer.current_dir(command.get_current_dir().expect("the relay's folder"));
    *command = outer;
}

/// A relay's folder, before it runs.
pub(crate) struct Files {
    folder: TempDir,
    pub(crate) keys: BTreeMap<&'static str, PKey<Private>>,
}

impl Files {
    fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("sc").tempdir().expect("a folder");
        let made = command(&folder, ["init", "--listen", "127.0.0.1:0"]).output().expect("secchat-relay");
        assert!(made.status.success(), "{made:?}");
        let names = ["alice", "bob", "carol", "dora"];
        let keys = names.map(|name| (name, PKey::generate_ed25519().expect("a key")));
        let files = Self { folder, keys: keys.into_iter().collect() };
        std::fs::write(files.path("user_list"), files.list(&["alice", "carol"])).expect("the list");
        files
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn list(&self, names: &[&str]) -> String {
        list(&self.keys, names)
    }

    /// Adds to relay.toml.
    pub(crate) fn configure(&self, text: &str) {
        let path = self.path("relay.toml");
        let old = std::fs::read_to_string(&path).expect("relay.toml");
        std::fs::write(path, old + text).expect("relay.toml");
    }

    /// Takes a part of relay.toml's text for another.
    pub(crate) fn reconfigure(&self, from: &str, to: &str) {
        let path = self.path("relay.toml");
        let old = std::fs::read_to_string(&path).expect("relay.toml");
        assert!(old.contains(from), "{from} is not in {old}");
        std::fs::write(path, old.replace(from, to)).expect("relay.toml");
    }

    fn command<const N: usize>(&self, arguments: [&str; N]) -> Command {
        command(&self.folder, arguments)
    }
}

fn command<const N: usize>(folder: &TempDir, arguments: [&str; N]) -> Command {
    let mut command = Command::new(binary("secchat-relay"));
    command.args(arguments).current_dir(folder.path()).env_clear().env("RUST_BACKTRACE", "1");
    command
}

fn list(keys: &BTreeMap<&'static str, PKey<Private>>, names: &[&str]) -> String {
    names.iter().map(|name| line(name, &keys[name]) + "\n").collect()
}

fn line(name: &str, key: &PKey<Private>) -> String {
    format!("{name} {}", public_key_base64(key))
}
