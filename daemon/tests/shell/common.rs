//! A daemon's home and process for the tests in this folder.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use secchat_ipc::paths::Paths;
use secchat_ipc::types::{LockState, Passphrase, Status};
use secchat_ipc::{Client, ClientError, Command, Reply};
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStderr};
use tokio::time::timeout;

/// No step of a test takes longer, on a busy machine.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

/// A home folder with short paths.
pub(crate) struct Home {
    top: tempfile::TempDir,
}

impl Home {
    pub(crate) fn new() -> Self {
        let private = std::fs::Permissions::from_mode(0o700);
        let top = tempfile::Builder::new().prefix("sc").permissions(private).tempdir_in("/tmp").unwrap();
        let home = Self { top };
        secchat_ipc::paths::create_private_folder(home.paths().config_folder()).unwrap();
        home
    }

    pub(crate) fn path(&self) -> &Path {
        self.top.path()
    }

    pub(crate) fn paths(&self) -> Paths {
        let variables = self.variables();
        Paths::resolve(None, |name| variables.iter().find(|(n, _)| *n == name).map(|(_, v)| v.into()))
            .unwrap()
    }

    fn variables(&self) -> [(&'static str, PathBuf); 4] {
        [
            ("HOME", self.path().to_owned()),
            ("XDG_CONFIG_HOME", self.path().join("c")),
            ("XDG_STATE_HOME", self.path().join("s")),
            ("XDG_RUNTIME_DIR", self.path().join("r")),
        ]
    }

    pub(crate) fn configure(&self, text: &str) -> &Self {
        std::fs::write(self.paths().config_file(), text).unwrap();
        self
    }

    /// A key file, its passphrase "sesame"; gives its path.
    pub(crate) fn make_key(&self, openssl: &str) -> PathBuf {
        let path = self.paths().config_folder().join("identity.pem");
        let mut words = openssl.split(' ');
        let made = std::process::Command::new("openssl")
            .args(words.by_ref().take(1))
            .arg("-out")
            .arg(&path)
            .args(words)
            .output()
            .expect("openssl's command line is installed");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        path
    }

    /// Some CA's certificate.
    pub(crate) fn make_ca(&self) {
        let folder = self.paths().config_folder().to_owned();
        let made = std::process::Command::new("openssl")
            .args("req -x509 -newkey ed25519 -nodes -subj /CN=ca -keyout ca-key.pem -out ca.pem".split(' '))
            .current_dir(folder)
            .output()
            .expect("openssl's command line is installed");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    }

    /// `secchatd` with this home, through a shell line that ends in `"$@"`.
    pub(crate) fn through(&self, shell: &str) -> tokio::process::Command {
        let mut command = tokio::process::Command::new("sh");
        command.args(["-c", shell, "sh", env!("CARGO_BIN_EXE_secchatd")]);
        self.prepare(&mut command);
        command
    }

    /// `secchatd` with this home.
    pub(crate) fn secchatd(&self) -> tokio::process::Command {
        let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_secchatd"));
        self.prepare(&mut command);
        command
    }

    fn prepare(&self, command: &mut tokio::process::Command) {
        command.env_clear().env("PATH", "/usr/local/bin:/usr/bin:/bin").envs(self.variables());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    }

    pub(crate) async fn client(&self) -> Client {
        Client::connect_to(&self.paths().socket(), "test").await.unwrap()
    }
}

/// A running daemon.
pub(crate) struct Daemon {
    pub(crate) child: Child,
    pub(crate) log: Lines<BufReader<ChildStderr>>,
}

impl Daemon {
    /// Starts it and waits until it serves.
    pub(crate) async fn start(mut command: tokio::process::Command) -> Self {
        let mut child = command.spawn().unwrap();
        let log = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut daemon = Self { child, log };
        daemon.wait_for("serving").await;
        daemon
    }

    /// The next line of the log that holds `word`.
    pub(crate) async fn wait_for(&mut self, word: &str) -> String {
        let mut seen = Vec::new();
        let found = timeout(DEADLINE, async {
            while let Some(line) = self.log.next_line().await.unwrap() {
                if line.contains(word) {
                    return Some(line);
                }
                seen.push(line);
            }
            None
        })
        .await;
        match found {
            Ok(Some(line)) => line,
            Ok(None) | Err(_) => panic!("no {word:?} in the log:\n{}", seen.join("\n")),
        }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id().unwrap()
    }

    pub(crate) fn signal(&self, name: &str) {
        let sent = std::process::Command::new("kill").args(["-s", name, &self.pid().to_string()]).status();
        assert!(sent.unwrap().success());
    }

    /// Stops it; gives its exit code.
    pub(crate) async fn stop(mut self) -> Option<i32> {
        self.signal("TERM");
        timeout(DEADLINE, self.child.wait()).await.unwrap().unwrap().code()
    }
}

/// Runs a program that ends by itself: exit code and both outputs.
pub(crate) async fn output(mut command: tokio::process::Command) -> (Option<i32>, String, String) {
    let output = timeout(DEADLINE, command.output()).await.unwrap().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

pub(crate) async fn call(client: &mut Client, command: Command) -> Result<Reply, ClientError> {
    client.call(command, DEADLINE).await
}

pub(crate) async fn status(client: &mut Client) -> Status {
    match call(client, Command::Status).await {
        Ok(Reply::Status(status)) => status,
        other => panic!("{other:?}"),
    }
}

pub(crate) async fn unlock(client: &mut Client, passphrase: &str) -> Result<Reply, ClientError> {
    let passphrase = Passphrase(passphrase.to_owned().into());
    call(client, Command::Unlock { passphrase, ttl_seconds: 0 }).await
}

pub(crate) async fn is_locked(client: &mut Client) -> bool {
    status(client).await.lock == LockState::Locked
}
