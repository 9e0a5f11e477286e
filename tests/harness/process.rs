//! A child process that ends with the value that stands for it.

use std::io::Read;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use tokio::net::UnixDatagram;
use tokio::sync::watch;

use crate::deadline::{DEADLINE, within};

/// A running program, its standard output and its log (standard error).
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    stdout: Log,
    log: Log,
}

/// What a process has written so far.
#[derive(Clone, Debug)]
pub struct Log(watch::Receiver<String>);

/// The path of one of this workspace's binaries: beside the folder of the test's own.
///
/// # Panics
/// When it has not been built.
#[must_use]
pub fn binary(name: &str) -> PathBuf {
    let own = std::env::current_exe().expect("own path");
    own.ancestors()
        .skip(1)
        .take(2)
        .map(|folder| folder.join(name))
        .find(|path| path.is_file())
        .unwrap_or_else(|| panic!("{name} is not built: run `cargo build --workspace --bins` first"))
}

impl Process {
    /// Starts `command` in a process group of its own.
    ///
    /// # Panics
    /// When it cannot be started.
    #[must_use]
    pub fn start(name: &str, mut command: Command) -> Self {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()
            .unwrap_or_else(|error| panic!("{name} does not start: {error}"));
        let stdout = Log::of(child.stdout.take().expect("piped"));
        let log = Log::of(child.stderr.take().expect("piped"));
        Self { name: name.to_owned(), child, stdout, log }
    }

    /// Starts `command` and awaits its word (`sd_notify`) that it is ready.
    ///
    /// # Panics
    /// When it ends before that.
    pub async fn start_ready(name: &str, mut command: Command, notify_socket: PathBuf) -> Self {
        let _ = std::fs::remove_file(&notify_socket);
        let socket = UnixDatagram::bind(&notify_socket).expect("notify socket");
        command.env("NOTIFY_SOCKET", &notify_socket);
        let process = Self::start(name, command);
        let mut log = process.log.clone();
        let ready = async {
            let mut datagram = [0; 1024];
            loop {
                let length = socket.recv(&mut datagram).await.expect("notification");
                if datagram[..length].split(|byte| *byte == b'\n').any(|line| line == b"READY=1") {
                    return true;
                }
            }
        };
        let is_ready = within(&format!("{name} becomes ready"), async {
            tokio::select! {
                ready = ready => ready,
                () = log.ended() => false,
            }
        })
        .await;
        assert!(is_ready, "{name} ended before it was ready:\n{}", process.log.text());
        process
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it writes to standard output.
    #[must_use]
    pub fn stdout(&self) -> &Log {
        &self.stdout
    }

    /// What it logs.
    #[must_use]
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// Asks it to end (SIGTERM) and awaits that.
    pub async fn stop(self) -> ExitStatus {
        self.signal(Signal::TERM);
        self.exit().await
    }

    /// Awaits its end.
    ///
    /// # Panics
    /// When it does not come.
    pub async fn exit(mut self) -> ExitStatus {
        within(&format!("{} ends", self.name), self.log.ended()).await;
        self.child.wait().expect("exit status")
    }

    /// Sends a signal.
    ///
    /// # Panics
    /// When the process is gone.
    pub fn signal(&self, signal: Signal) {
        kill_process(pid_of(&self.child), signal).expect("signal");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = kill_process_group(pid_of(&self.child), Signal::KILL);
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("---- log of {}\n{}", self.name, self.log.text());
        }
    }
}

impl Log {
    fn of(mut pipe: impl Read + Send + 'static) -> Self {
        let (writer, reader) = watch::channel(String::new());
        std::thread::spawn(move || {
            let mut bytes = [0; 8192];
            while let Ok(length @ 1..) = pipe.read(&mut bytes) {
                writer.send_modify(|text| text.push_str(&String::from_utf8_lossy(&bytes[..length])));
            }
        });
        Self(reader)
    }

    /// All of it so far.
    #[must_use]
    pub fn text(&self) -> String {
        self.0.borrow().clone()
    }

    /// Awaits a text.
    ///
    /// # Panics
    /// When the process ends without it, or the deadline passes.
    pub async fn wait_for(&self, text: &str) -> String {
        self.wait_until(&format!("“{text}”"), |log| log.contains(text)).await
    }

    /// Awaits that what was written is enough.
    ///
    /// # Panics
    /// When the process ends without it, or the deadline passes.
    pub async fn wait_until(&self, what: &str, is_enough: impl Fn(&str) -> bool) -> String {
        let mut reader = self.0.clone();
        let found = tokio::time::timeout(DEADLINE, reader.wait_for(|text| is_enough(text)))
            .await
            .map(|found| found.map(|text| text.clone()));
        match found {
            Ok(Ok(text)) => text,
            Ok(Err(_)) => panic!("the process ended without {what}:\n{}", self.text()),
            Err(_) => panic!("waited in vain for {what}:\n{}", self.text()),
        }
    }

    /// Awaits that what was written is enough, or that no more comes: whether it is.
    pub async fn until(&mut self, is_enough: impl Fn(&str) -> bool) -> bool {
        self.0.wait_for(|text| is_enough(text)).await.is_ok()
    }

    /// Awaits the process's end.
    pub async fn ended(&mut self) {
        while self.0.changed().await.is_ok() {}
    }
}

fn pid_of(child: &Child) -> Pid {
    i32::try_from(child.id()).ok().and_then(Pid::from_raw).expect("a pid")
}
