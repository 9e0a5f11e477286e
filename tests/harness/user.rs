//! A user: folders, identity, a daemon, and secchatctl.

use std::future::Future;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;

use openssl::pkey::{PKey, Private};
use rustix::process::{Pid, Resource, Rlimit, prlimit};
use secchat_ipc::UserName;
use secchat_ipc::types::LinkState;

use crate::ctl::CtlOutput;
use crate::frontend::Frontend;
use crate::home::{Home, PASSPHRASE};
use crate::pki::Pki;
use crate::process::{Process, binary};
use crate::relay::TestRelay;

/// A user whose folders are set up.
#[derive(Debug)]
pub struct TestUser {
    /// The user's name.
    pub name: UserName,
    /// The user's folders.
    pub home: Home,
    /// The identity key.
    pub key: PKey<Private>,
    daemon: Option<Process>,
}

/// A relay and some users who are logged in.
#[derive(Debug)]
pub struct World {
    /// The relay's files.
    pub pki: Pki,
    /// The relay.
    pub relay: TestRelay,
}

impl World {
    /// A relay, and users of these names who are online and available.
    pub async fn start<const N: usize>(names: [&str; N]) -> (Self, [TestUser; N]) {
        Self::configured("", names).await
    }

    /// The same, with more of a configuration for the relay.
    pub async fn configured<const N: usize>(more: &str, names: [&str; N]) -> (Self, [TestUser; N]) {
        let pki = Pki::new();
        pki.write_config(more);
        let keys = names.map(|_| PKey::generate_ed25519().expect("key"));
        pki.write_user_list(names.iter().copied().zip(&keys));
        let relay = TestRelay::start(&pki).await;
        let mut at = 0;
        let mut users = names.map(|name| {
            at += 1;
            TestUser::new(name, &keys[at - 1], &pki, relay.address)
        });
        for user in &mut users {
            user.start().await;
        }
        for user in &users {
            user.is_online().await;
            // The relay has taken them in, too, when it gives them its list: nobody is away for who asks first.
            user.frontend().await.call(secchat_ipc::Command::List).await.expect("the list");
        }
        (Self { pki, relay }, users)
    }

    /// The operator puts another key in `user`'s line, and somebody logs in with it; `peer` is there again, too.
    ///
    /// # Panics
    /// When there is no key.
    pub async fn with_another_key(self, mut user: TestUser, peer: &TestUser) -> (Self, TestUser) {
        let Self { pki, relay } = self;
        user.stop().await;
        let port = relay.stop().await;
        let key = PKey::generate_ed25519().expect("key");
        pki.write_user_list([(peer.name.as_str(), &peer.key), (user.name.as_str(), &key)]);
        let relay = TestRelay::start_at(&pki, port).await;
        let mut other = TestUser::new(user.name.as_str(), &key, &pki, relay.address);
        other.start().await;
        other.is_online().await;
        peer.ctl(["login"]).await.ok();
        (Self { pki, relay }, other)
    }
}

impl TestUser {
    /// Sets a user's folders up for the relay at `address`.
    ///
    /// # Panics
    /// When the file system fails.
    #[must_use]
    pub fn new(name: &str, key: &PKey<Private>, pki: &Pki, address: SocketAddr) -> Self {
        Self::who_trusts(name, key, &pki.ca.pem(), address)
    }

    /// Sets a user's folders up for the relay at `address`, whose CA's certificate is this PEM.
    ///
    /// # Panics
    /// When the file system fails.
    #[must_use]
    pub fn who_trusts(name: &str, key: &PKey<Private>, ca: &[u8], address: SocketAddr) -> Self {
        let user = Self {
            name: UserName::parse(name).expect("a name"),
            home: Home::empty(),
            key: key.clone(),
            daemon: None,
        };
        user.home.write_identity(key);
        std::fs::write(user.home.config_dir().join("ca.pem"), ca).expect("ca.pem");
        user.home.write_config(&user.config(address));
        user
    }

    /// What `secchatctl init` would write.
    #[must_use]
    pub fn config(&self, address: SocketAddr) -> String {
        format!(
            "user = \"{}\"\nrelay = \"{address}\"\nrelay_name = \"localhost\"\nkey = \"identity.pem\"\nca = \"ca.pem\"\n",
            self.name
        )
    }

    /// Starts the daemon, unlocked.
    pub async fn start(&mut self) {
        self.start_with_passphrase(PASSPHRASE).await;
    }

    /// Starts the daemon with a passphrase on a file descriptor.
    pub async fn start_with_passphrase(&mut self, passphrase: &str) {
        let mut command = self.home.command("secchatd");
        command.args(["--passphrase-fd", "0"]).stdin(line(passphrase));
        self.start_command(command).await;
    }

    /// Starts the daemon, unlocked, with more in its environment.
    pub async fn start_with(&mut self, variables: &[(&str, &str)]) {
        let mut command = self.home.command("secchatd");
        command.args(["--passphrase-fd", "0"]).stdin(line(PASSPHRASE)).envs(variables.iter().copied());
        self.start_command(command).await;
    }

    /// Starts the daemon, locked.
    pub async fn start_locked(&mut self) {
        let mut command = self.home.command("secchatd");
        command.stdin(Stdio::null());
        self.start_command(command).await;
    }

    /// Unlocks the daemon, as a person does.
    pub async fn unlock(&self, passphrase: &str) {
        let line = format!("{passphrase}\n");
        self.ctl_with_input(["unlock", "--passphrase-fd", "0"], line.as_bytes()).await.ok();
    }

    /// Starts the daemon, unlocked, so that [`Self::fill_disk`] works.
    pub async fn start_to_fill_disk(&mut self) {
        self.start_program_to_fill_disk(&binary("secchatd"), &[]).await;
    }

    /// The same with this program for a daemon, and more in its environment.
    pub async fn start_program_to_fill_disk(&mut self, program: &Path, variables: &[(&str, &str)]) {
        let mut command = std::process::Command::new("sh");
        // A write to a full disk is an error, no signal.
        command.args(["-c", "trap '' XFSZ; exec \"$0\" --passphrase-fd 0"]);
        command.arg(program).env_clear().stdin(line(PASSPHRASE));
        for (name, value) in self.home.command("secchatd").get_envs() {
            command.env(name, value.unwrap_or_default());
        }
        command.envs(variables.iter().copied());
        self.start_command(command).await;
    }

    /// Lets every write of the daemon to a file fail from now on, or no more.
    ///
    /// # Panics
    /// When the system refuses.
    pub fn fill_disk(&self, is_full: bool) {
        let pid = i32::try_from(self.daemon().pid()).ok().and_then(Pid::from_raw).expect("a process id");
        let limit = Rlimit { current: is_full.then_some(0), maximum: None };
        prlimit(Some(pid), Resource::Fsize, limit).expect("prlimit");
    }

    /// Starts the daemon as this command says.
    pub async fn start_command(&mut self, command: std::process::Command) {
        let name = format!("{}'s daemon", self.name);
        self.daemon = Some(Process::start_ready(&name, command, self.home.path("notify")).await);
    }

    /// The running daemon.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    pub fn daemon(&self) -> &Process {
        self.daemon.as_ref().expect("a running daemon")
    }

    /// Stops the daemon.
    pub async fn stop(&mut self) {
        if let Some(daemon) = self.daemon.take() {
            let status = daemon.stop().await;
            assert!(status.success(), "{}'s daemon: {status}", self.name);
        }
    }

    /// Kills the daemon, as a crash would.
    pub fn kill(&mut self) {
        self.daemon = None;
    }

    /// A frontend with a snapshot.
    pub async fn frontend(&self) -> Frontend {
        Frontend::attach(&self.home.socket()).await
    }

    /// Awaits the daemon's login.
    pub async fn is_online(&self) {
        let what = format!("{} is online", self.name);
        self.frontend().await.until(&what, |state| state.status.link == LinkState::Online).await;
    }

    /// Runs `secchatctl` with these arguments.
    pub fn ctl<const N: usize>(&self, args: [&str; N]) -> impl Future<Output = CtlOutput> + Send + use<N> {
        let mut command = self.home.command("secchatctl");
        command.args(args);
        CtlOutput::of(command, None)
    }

    /// Runs `secchatctl` with these arguments and this standard input.
    pub fn ctl_with_input<const N: usize>(
        &self,
        args: [&str; N],
        input: &[u8],
    ) -> impl Future<Output = CtlOutput> + Send + use<N> {
        let mut command = self.home.command("secchatctl");
        command.args(args);
        CtlOutput::of(command, Some(input.to_vec()))
    }

    /// Asks `peer`, who accepts; returns when the chat is open at both ends.
    pub async fn chat_with(&self, peer: &Self) {
        let mut theirs = peer.frontend().await;
        let asking = tokio::spawn(self.ctl(["rtt", peer.name.as_str()]));
        theirs.until_asked_by(&self.name).await;
        peer.ctl(["accept", self.name.as_str()]).await.ok();
        asking.await.expect("rtt").ok();
        theirs.until_open_with(&self.name).await;
    }
}

/// Standard input with one line.
fn line(text: &str) -> Stdio {
    let (reader, mut writer) = std::io::pipe().expect("pipe");
    writeln!(writer, "{text}").expect("pipe");
    Stdio::from(reader)
}
